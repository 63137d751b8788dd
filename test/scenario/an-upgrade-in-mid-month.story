# Half of June at 30 and half at 60; what a call costs is the same in both plans, so its tiers go on.
meter calls is the sum of calls
plan small in USD
    base: flat 30.00
    calls: calls graduated, 100 at 1, rest at 0.5
plan big in USD
    base: flat 60.00
    calls: calls graduated, 100 at 1, rest at 0.5
ada takes small from 2026-06-01
ada uses 80 calls on 2026-06-10
ada uses 80 calls on 2026-06-20
ada owes 160.00 on 2026-06-10
ada changes to big on 2026-06-16
ada owes 175.00 on 2026-06-10
ada owes 60.00 on 2026-07-10
ada cancels on 2026-07-01
ada owes 175.00 on 2026-06-10
