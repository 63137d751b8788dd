# 61 cents for 14 of 28 days are 31 cents, and the usage is not halved.
meter calls is the sum of calls
plan small in USD
    base: flat 0.61
    calls: calls at 1
ada takes small from 2026-02-15
ada uses 2 calls on 2026-02-20
ada owes 2.31 on 2026-02-20
ada owes 0.61 on 2026-03-15
