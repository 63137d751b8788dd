meter calls is the sum of calls
plan floor in USD
    calls: calls at 1
    10 % off
    at least 20.00
plan ceiling in JPY
    calls: calls at 1.5
    at most 100
plan gift in USD
    calls: calls in packages of 10 for 3.00
    credits of 5.00 included
ada takes floor from 2026-01-01
bob takes ceiling from 2026-01-01
eve takes gift from 2026-01-01
ada uses 10 calls on 2026-02-05
ada uses 100 calls on 2026-03-05
bob uses 33 calls on 2026-02-05
bob uses 330 calls on 2026-03-05
eve uses 11 calls on 2026-02-05
eve uses 20.1 calls on 2026-03-05
ada owes 20.00 on 2026-02-15
ada owes 90.00 on 2026-03-15
bob owes 50 on 2026-02-15
bob owes 100 on 2026-03-15
eve owes 1.00 on 2026-02-15
eve owes 4.00 on 2026-03-15
