# Ada has a price of her own from July on; Bob pays what the plan says.
meter calls is the sum of calls
plan usual in USD
    calls: calls at 2
ada takes usual from 2026-06-01
bob takes usual from 2026-06-01
ada pays 1.5 for calls from 2026-07-01
ada uses 10 calls on 2026-06-15
ada uses 10 calls on 2026-07-15
bob uses 10 calls on 2026-07-15
ada owes 20.00 on 2026-06-15
ada owes 15.00 on 2026-07-15
bob owes 20.00 on 2026-07-15
