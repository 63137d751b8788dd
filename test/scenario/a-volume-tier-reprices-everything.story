# The sixteenth unit makes the fifteen before it cheaper.
meter seats is the max of seats
plan volume in USD
    seats: seats volume, 15 at 10, rest at 9
ada takes volume from 2026-01-01
ada uses 15 seats on 2026-03-05
ada owes 150.00 on 2026-03-15
ada uses 16 seats on 2026-03-06
ada owes 144.00 on 2026-03-15
ada uses 15.5 seats on 2026-03-07
ada owes 144.00 on 2026-03-15
