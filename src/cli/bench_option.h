// What the command line of a bench says.
#pragma once

#include "base/text.h"

// The number of the option that getopt has just read. When it is none from `least` to `most` that
// is said on stderr, *wrong is set, and `least` answered.
uint64_t bench_number(bool *wrong, uint64_t least, uint64_t most);
