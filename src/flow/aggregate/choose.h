// The inside of a VoidSet, for the files of this folder alone.
#pragma once

#include "flow/aggregate/corrections.h"
#include "flow/aggregate/partition_inside.h"

struct VoidSet {
    Partition  *partition;
    uint32_t    project;
    uint64_t    sequence;  // of the moment
    VoidTarget *at;        // ascending by sequence
    size_t      count;
};
