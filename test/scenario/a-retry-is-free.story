# A client that never hears back sends again, and again after a crash. It pays once.
meter calls is the sum of calls
plan simple in USD
    calls: calls at 0.10
ada takes simple from 2026-01-01
ada uses 7 calls on 2026-03-05 as e1
e1 is sent again: duplicate
the server is killed
e1 is sent again: duplicate
e1 is sent again with 7.000: duplicate
e1 is sent again with 8: conflict
the server is restarted
everything is sent again: duplicate
ada owes 0.70 on 2026-03-15
