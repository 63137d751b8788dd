// `toll bench ledger ...`: entries a second through ledger_post. argv[0] is "ledger". Exit: 0 the
// figures stand; 1 the run is VOID (the proof has a drift, the trial balance is not zero, something
// is missing); 2 wrong usage.
#pragma once

extern const char BENCH_LEDGER_USAGE[];

int bench_ledger(int argc, char **argv);
