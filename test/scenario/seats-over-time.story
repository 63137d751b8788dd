# 5 seats for 10 days and 8 for 20, each at 10 a month; what came later may be told first.
plan team in USD
    seats: 10.00 for each seats
ada takes team from 2026-06-01 with 5 seats
ada owes 50.00 on 2026-06-15
ada has 6 seats from 2026-07-01
ada has 8 seats from 2026-06-11
ada owes 70.00 on 2026-06-15
ada owes 60.00 on 2026-07-15
