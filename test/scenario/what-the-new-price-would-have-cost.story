# Before a price changes: what would everybody have paid under it? Nothing that is billed changes.
meter calls is the sum of calls
plan now in USD
  calls: calls graduated, 100 at 0.05, rest at 0.02
  base: flat 10.00
plan next in USD
  calls: calls at 0.03
  base: flat 10.00

ada takes now from 2026-03-01
bob takes now from 2026-03-01
eve takes now from 2026-04-01

ada uses 50 calls on 2026-03-05
bob uses 1000 calls on 2026-03-07
bob uses 100 calls on 2026-04-07
eve uses 10 calls on 2026-04-20

under next from 2026-03-01 to 2026-05-01, ada pays 21.50 instead of 22.50
under next from 2026-03-01 to 2026-05-01, bob pays 53.00 instead of 48.00
under next from 2026-03-01 to 2026-05-01, eve pays 10.30 instead of 10.50
under next from 2026-03-01 to 2026-05-01, all pays 84.80 instead of 81.00
under next from 2026-03-01 to 2026-05-01, 2 pay less and 1 more

# A range begins where the last one ended, and no period is counted twice.
under next from 2026-03-01 to 2026-04-01, bob pays 40.00 instead of 33.00
under next from 2026-04-01 to 2026-05-01, bob pays 13.00 instead of 15.00

# What is simulated against itself does not change, and the bills are what they were.
under now from 2026-03-01 to 2026-05-01, all pays 81.00 instead of 81.00
bob owes 33.00 on 2026-03-15
