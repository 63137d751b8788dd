# Looked at first, then done, then done again without effect. Cyd left for another plan and stays there.
plan pro in USD from 2026-01-01
    base: flat 10.00
plan other in USD
    base: flat 7.00
ada takes pro from 2026-02-01
bob takes pro from 2026-02-01
cyd takes pro from 2026-02-01
cyd changes to other on 2026-03-01
plan pro in USD from 2026-12-01
    base: flat 12.00
moving from version 1 of pro to 2 on 2026-07-01 would take ada from 10.00 to 12.00
ada owes 10.00 on 2026-07-15
whoever is on version 1 of pro moves to version 2 on 2026-07-01: 2 do
whoever is on version 1 of pro moves to version 2 on 2026-07-01: 0 do
ada owes 10.00 on 2026-06-15
ada owes 12.00 on 2026-07-15
bob owes 12.00 on 2026-07-15
cyd owes 7.00 on 2026-07-15
