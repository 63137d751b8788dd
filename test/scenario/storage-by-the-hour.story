# Who stores 100 GB for ten days and 40 GB for the other twenty pays for 43,200 GB-hours.
meter storage is the level of disk per hour
meter held is the running total of sold
plan stored in USD
    disk: storage at 0.0001
ada takes stored from 2026-05-01
ada uses 100 disk on 2026-05-22T12:00:00Z as first
ada uses 40 disk on 2026-06-11 as less
storage of ada from 2026-06-01 to 2026-07-01 is 43200
the bill of ada on 2026-06-15 says disk: 43200 -> 4.32
# Nothing is told in July: the disk is still there, 31 days of 40 GB.
the bill of ada on 2026-07-15 says disk: 29760 -> 2.98
# Word comes late that it was 60 from the 21st of June.
ada uses 60 disk on 2026-06-21 as late
the bill of ada on 2026-06-15 says disk: 48000 -> 4.80
the bill of ada on 2026-07-15 says disk: 44640 -> 4.46
# And it was wrong.
late is taken back
ada owes 4.32 on 2026-06-15
the server is killed
ada owes 4.32 on 2026-06-15
ada owes 2.98 on 2026-07-15
# What is sold in May is there in June.
ada uses 5 sold on 2026-05-03
ada uses 2 sold on 2026-06-03
held of ada from 2026-06-01 to 2026-07-01 is 7
