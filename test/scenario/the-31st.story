# Who starts on the last day of January is billed on the last day of February, and on 31 March again.
meter calls is the sum of calls
plan anniversary in USD
    calls: calls at 1
    by months from the start
ada takes anniversary from 2026-01-31
the bill of ada on 2026-02-01 runs from 2026-01-31 to 2026-02-28
the bill of ada on 2026-03-01 runs from 2026-02-28 to 2026-03-31
the bill of ada on 2026-04-15 runs from 2026-03-31 to 2026-04-30
