# Fees are paid ahead. Whoever asks is shown what is billed, and nothing happens by asking.
meter calls is the sum of calls
plan small in USD
    base: flat 30.00 in advance
    calls: calls at 1
plan big in USD
    base: flat 60.00 in advance
    calls: calls at 1
ada takes small from 2026-06-01
ada uses 4 calls on 2026-06-10
ada uses 3 calls on 2026-06-20
on 2026-06-15 the next invoice of ada is 37.00 on 2026-07-01
changing ada to big on 2026-06-16 would cost 15.00
canceling ada on 2026-06-16 would cost -11.00
canceling ada on 2026-06-16 with no credit would cost 4.00
ada owes 37.00 on 2026-06-15
ada changes to big on 2026-06-16
ada owes 52.00 on 2026-06-15
