# No fee runs in a pause of 10 of 30 days; usage is billed unless it was said to be free.
meter calls is the sum of calls
plan basic in USD
    base: flat 30.00
    calls: calls at 1
ada takes basic from 2026-06-01
bob takes basic from 2026-06-01
ada uses 5 calls on 2026-06-15
bob uses 5 calls on 2026-06-15
bob uses 2 calls on 2026-06-25
ada pauses on 2026-06-11
bob pauses on 2026-06-11 with free usage
ada owes 15.00 on 2026-06-05
ada resumes on 2026-06-21
bob resumes on 2026-06-21
ada owes 25.00 on 2026-06-05
bob owes 22.00 on 2026-06-05
