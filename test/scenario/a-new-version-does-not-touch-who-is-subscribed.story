meter calls is the sum of calls
plan pro in USD from 2026-01-01
    calls: calls at 1
ada takes pro from 2026-02-01
plan pro in USD from 2026-03-01
    calls: calls at 2
bob takes pro from 2026-03-01
ada uses 5 calls on 2026-03-05
bob uses 5 calls on 2026-03-05
ada owes 5.00 on 2026-03-15
bob owes 10.00 on 2026-03-15
