# A client counted in the wrong unit for two days. What it sent is taken back, brought back, put right: bills follow.
meter calls is the sum of calls
plan tiered in USD
    calls: calls graduated, 100 at 1, rest at 0.5
ada takes tiered from 2026-01-01
ada uses 40 calls on 2026-03-05 as e1
ada uses 60 calls on 2026-03-06T08:15:00Z with region eu as e2
ada uses 60 calls on 2026-03-06T08:45:00Z with region us as e3
ada uses 100 calls on 2026-04-02 as e4
ada owes 130.00 on 2026-03-15
e1 is taken back
ada owes 110.00 on 2026-03-15
e1 is sent again: duplicate
taking back the calls of ada from 2026-03-01 to 2026-03-31 with region eu would take 1 and the bill from 110.00 to 60.00
ada owes 110.00 on 2026-03-15
the calls of ada from 2026-03-01 to 2026-03-31 are taken back by cleaning
ada owes 0.00 on 2026-03-15
ada owes 100.00 on 2026-04-15
the server is killed
ada owes 0.00 on 2026-03-15
cleaning is reverted
ada owes 110.00 on 2026-03-15
e2 is amended to 6
ada owes 66.00 on 2026-03-15
e2 is sent again: duplicate
e2 is sent again with 60: conflict
e3 is amended to 10 on 2026-04-03
ada owes 6.00 on 2026-03-15
ada owes 105.00 on 2026-04-15
the server is restarted
ada owes 6.00 on 2026-03-15
ada owes 105.00 on 2026-04-15
calls of ada from 2026-01-01 to 2027-01-01 is 116
