# What was paid ahead for the rest of June comes back, or does not; usage is billed until the end.
meter calls is the sum of calls
plan basic in USD
    base: flat 30.00 in advance
    calls: calls at 1
ada takes basic from 2026-06-01
bob takes basic from 2026-06-01
ada uses 4 calls on 2026-06-10
bob uses 4 calls on 2026-06-10
ada uses 9 calls on 2026-06-20
ada cancels on 2026-06-16
bob cancels on 2026-06-16 with no credit
ada owes 19.00 on 2026-06-15
bob owes 34.00 on 2026-06-15
the bill of ada on 2026-06-10 runs from 2026-06-01 to 2026-06-16
