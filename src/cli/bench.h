// `toll bench ingest ...`: how fast and how big, proved right. argv[0] is "bench".
// Exit: 0 the figures stand, 1 the run is VOID (a total differs from the oracle, an answer is
// missing), 2 wrong usage.
#pragma once

int cli_bench(int argc, char **argv);
