// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_option.h"

#include <getopt.h>
#include <stdio.h>

uint64_t bench_number(bool *wrong, uint64_t least, uint64_t most)
{
    uint64_t value;
    if (str_whole(str_of(optarg), most, &value) && value >= least)
        return value;
    fprintf(stderr, "toll bench: \"%s\" is not a number from %llu to %llu\n", optarg,
            (unsigned long long)least, (unsigned long long)most);
    *wrong = true;
    return least;
}
