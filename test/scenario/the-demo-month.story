# The three lines that everybody can check with a pencil.
meter api.requests is the sum of api.requests
meter compute.gpu_seconds is the sum of compute.gpu_seconds
meter storage.gb_hours is the sum of storage.gb_hours
plan demo in USD
    api: api.requests graduated, 1000000 at 0.0009, 50000000 at 0.0006, rest at 0.0004
    gpu: compute.gpu_seconds at 0.0021
    storage: storage.gb_hours at 0.00009
meridian takes demo from 2026-06-01
meridian uses 38000000 api.requests on 2026-06-03
meridian uses 114200 api.requests on 2026-06-30T23:59:59.999999Z
meridian uses 912447.5 compute.gpu_seconds on 2026-06-10
meridian uses 0.5 compute.gpu_seconds on 2026-06-01
meridian uses 1204001 storage.gb_hours on 2026-06-20
meridian uses 1 storage.gb_hours on 2026-07-01
the bill of meridian on 2026-06-15 says api: 38114200 -> 23168.52
the bill of meridian on 2026-06-15 says gpu: 912448 -> 1916.14
the bill of meridian on 2026-06-15 says storage: 1204001 -> 108.36
meridian owes 25193.02 on 2026-06-15
