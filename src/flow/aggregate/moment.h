// The inside of a UsageMoment. What readers need of the unsealed generations is copied under the
// state lock: the cells of the accounts that are asked for, and where their rows begin. The first
// read of a moment that is not as-of moves it to "now", so that the copy and the moment are one.
#pragma once

#include "flow/aggregate/partition_inside.h"
#include "flow/aggregate/usage.h"

// What one unsealed generation holds for one question.
typedef struct MomentPiece {
    const Generation *generation;
    uint32_t          newest_row;  // of the one stream asked for; ROW_END: none
    uint32_t          rows;        // folded ones, when all streams are asked for
    HourCell         *cells;       // of the meter
    size_t            cell_count;
} MomentPiece;

typedef struct MomentAccount MomentAccount;

struct UsageMoment {
    Partition     *partition;
    Arena         *arena;        // the reader's
    StoreView     *view;
    VECTOR(Generation *) generations;
    uint64_t       sequence;     // events with a greater one do not count
    bool           is_fixed;     // as-of, or read already
    MomentAccount *accounts;     // copied so far
    struct UsageAhead *ahead;    // cells that were read for many accounts at once, or NULL
    Voids         *without;      // what is void besides, for the sake of argument; or NULL
};

// The question of one activation: one account, or all (NAME_NONE). In order of sequence.
typedef struct MomentQuestion {
    const Activation *activation;
    uint32_t          account;
} MomentQuestion;

MomentPiece *moment_pieces(UsageMoment *moment, const MomentQuestion *question, size_t *count);

// What of the question's range of time does not count. To be released.
typedef struct MomentRange {
    Instant from, to;
} MomentRange;
Voided moment_voided(const UsageMoment *moment, const MomentQuestion *question, MomentRange range);

// Row to event, with identity and digest; texts are borrowed.
void moment_event(const UsageMoment *moment, const Row *row, Event *event);
