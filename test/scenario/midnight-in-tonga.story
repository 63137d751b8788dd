# A day in Tonga begins thirteen hours before one in Greenwich.
meter calls is the sum of calls
plan simple in USD
    calls: calls at 1
sione lives in Pacific/Tongatapu
sione takes simple from 2026-01-01
sione uses 1 calls on 2026-03-31T10:59:59.999999Z
sione uses 10 calls on 2026-03-31T11:00:00Z
sione owes 1.00 on 2026-03-31T10:00:00Z
sione owes 10.00 on 2026-03-31T12:00:00Z
the bill of sione on 2026-04-15 runs from 2026-03-31T11:00:00Z to 2026-04-30T11:00:00Z
