# One stream, one price for Europe, another for the rest; no call is billed twice, none is lost.
meter calls is the sum of calls by region
plan regional in EUR
    europe: calls at 2 for region eu
    rest: calls at 1 per region
ada takes regional from 2026-01-01
ada uses 1 calls on 2026-03-05 with region eu
ada uses 2 calls on 2026-03-05 with region us
ada uses 4 calls on 2026-03-06 with region ap
ada uses 8 calls on 2026-03-07 with region us
the bill of ada on 2026-03-15 says europe: 1 -> 2.00
the bill of ada on 2026-03-15 says rest for us: 10 -> 10.00
the bill of ada on 2026-03-15 says rest for ap: 4 -> 4.00
ada owes 16.00 on 2026-03-15
