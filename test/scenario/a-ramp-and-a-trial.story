# Three months at half the price; and ten free days of thirty.
plan ramp in USD
    base: flat 100.00
    the first 3 periods base is 50.00
ada takes ramp from 2026-01-01
ada owes 50.00 on 2026-01-15
ada owes 50.00 on 2026-03-31
ada owes 100.00 on 2026-04-01
plan tryout in USD
    base: flat 30.00
    the first 10 days of base are free
bob takes tryout from 2026-06-01
bob owes 20.00 on 2026-06-15
bob owes 30.00 on 2026-07-15
