// What makes two cells of a meter the same.
#pragma once

#include "flow/aggregate/cell.h"

static inline bool cell_equal(const Cell *a, const Cell *b, Aggregation aggregation)
{
    bool keeps_latest = aggregation == AGGREGATE_LATEST && a->events > a->ignored;
    return a->events == b->events && a->ignored == b->ignored &&
           a->last_sequence == b->last_sequence && digest_equal(&a->digest, &b->digest) &&
           a->overflow == b->overflow && decimal_compare(a->value, b->value) == 0 &&
           (!keeps_latest || (a->latest_ts.us == b->latest_ts.us &&
                              str_equal(a->latest_id, b->latest_id)));
}
