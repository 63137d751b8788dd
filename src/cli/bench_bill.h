// `toll bench bill ...`: invoices a second through a billing run. argv[0] is "bill". Exit: 0 the
// figures stand; 1 the run is VOID (an account's invoices are not what the oracle says, the ledger
// has a drift); 2 wrong usage.
#pragma once

extern const char BENCH_BILL_USAGE[];

int bench_bill(int argc, char **argv);
