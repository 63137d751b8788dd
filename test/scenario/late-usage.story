# What happened in March belongs to March, whenever it is told.
meter calls is the sum of calls
plan tiered in USD
    calls: calls graduated, 10 at 1, rest at 0.5
ada takes tiered from 2026-01-01
ada uses 8 calls on 2026-03-05
ada uses 3 calls on 2026-04-05
ada owes 8.00 on 2026-03-15
ada uses 4 calls on 2026-03-31T23:59:59Z
ada owes 11.00 on 2026-03-15
ada owes 3.00 on 2026-04-15
the server is killed
ada owes 11.00 on 2026-03-15
