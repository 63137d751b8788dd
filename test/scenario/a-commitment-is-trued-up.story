meter calls is the sum of calls
plan committed in USD
    calls: calls at 1
    committed to 100.00 with 20 % off
ada takes committed from 2026-01-01
ada uses 50 calls on 2026-02-05
ada uses 250 calls on 2026-03-05
ada owes 100.00 on 2026-02-15
ada owes 200.00 on 2026-03-15
ada owes 100.00 on 2026-01-15
