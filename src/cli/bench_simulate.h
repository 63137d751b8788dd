// `toll bench simulate ...`: one price against another over past usage, through the engine itself.
// Exit: 0 the figures stand, 1 the run is VOID (an account differs from the oracle), 2 wrong usage.
#pragma once

extern const char BENCH_SIMULATE_USAGE[];

int bench_simulate(int argc, char **argv);  // argv[0] is "simulate"
