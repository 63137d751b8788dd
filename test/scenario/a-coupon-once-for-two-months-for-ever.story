# A coupon is a discount among the terms of one customer: from the period that begins then, for so many.
meter calls is the sum of calls
plan usual in USD
    calls: calls at 2
ada takes usual from 2026-06-01
bob takes usual from 2026-06-01
eve takes usual from 2026-06-01
max takes usual from 2026-06-01
ada gets 50 % off for 1 periods from 2026-07-01
bob gets 50 % off for 2 periods from 2026-07-01
eve gets 50 % off from 2026-07-01
ada uses 10 calls on 2026-06-15
ada uses 10 calls on 2026-07-15
ada uses 10 calls on 2026-08-15
bob uses 10 calls on 2026-07-15
bob uses 10 calls on 2026-08-15
bob uses 10 calls on 2026-09-15
eve uses 10 calls on 2026-07-15
eve uses 10 calls on 2026-11-10
max uses 10 calls on 2026-07-15
ada owes 20.00 on 2026-06-15
ada owes 10.00 on 2026-07-15
ada owes 20.00 on 2026-08-15
bob owes 10.00 on 2026-07-15
bob owes 10.00 on 2026-08-15
bob owes 20.00 on 2026-09-15
eve owes 10.00 on 2026-07-15
eve owes 10.00 on 2026-11-10
max owes 20.00 on 2026-07-15
