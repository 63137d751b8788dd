// The workload UB-1: an endless reproducible stream of measurements. Slot n of a stream is a pure
// function of (seed, n), so any slot can be rendered again (a retry, a resend, a recount) from its
// number alone and nothing has to be remembered.
//
//   seed-shaped events of 137 bytes on average, in four meters of equal weight, values 1000..9999
//   accounts by Zipf 1.0 (rank k has weight 1/k), or one hot account
//   5 % of the slots repeat one of the 1,000 slots before them, 0.1 % any slot before them
//   2 % of the events lie up to 35 days back, the others in the last minute before the base
//   uniqueIds carry 64 random bits, so they do not compress to nothing
#pragma once

#include "base/text.h"

enum {
    WORKLOAD_METERS = 4,
    WORKLOAD_EVENT_BYTES_MAX = 192,  // room that workload_render may write, more than it fills
    WORKLOAD_LATE_DAYS = 35,
    WORKLOAD_NEAR_SLOTS = 1000,
    WORKLOAD_ACCOUNTS_MAX = 10000000,
    WORKLOAD_ACCOUNT_BYTES = 13,  // "acct_" and eight digits
    WORKLOAD_ID_BYTES = 24,       // "evt_", four and sixteen hexadecimal digits
    WORKLOAD_TS_BYTES = 24,       // "2026-06-10T14:02:11.123Z"
};

typedef struct WorkloadOptions {
    uint64_t seed;
    uint32_t accounts;  // 1 (one hot account) .. WORKLOAD_ACCOUNTS_MAX
    int64_t  base_ms;   // milliseconds since 1970: no event is later
} WorkloadOptions;

typedef struct Workload Workload;

// What a slot says, before it is text.
typedef struct WorkloadEvent {
    uint32_t meter;    // below WORKLOAD_METERS
    uint32_t account;  // below accounts
    uint32_t value;
    int64_t  ts_ms;
    uint64_t id;  // different for every slot that is not a repetition
} WorkloadEvent;

// Lives in the arena.
Workload *workload_open(Arena *arena, const WorkloadOptions *options);

Str      workload_meter(uint32_t meter);
Str      workload_account(Arena *arena, uint32_t account);
uint32_t workload_accounts(const Workload *workload);
int64_t  workload_base_ms(const Workload *workload);

// The first slot with this slot's event: the slot itself unless it repeats an earlier one.
uint64_t workload_origin(const Workload *workload, uint64_t slot);

// The event of a slot that is an origin.
WorkloadEvent workload_event(const Workload *workload, uint64_t origin);
Str workload_unique_id(Arena *arena, const Workload *workload, const WorkloadEvent *event);

// Fetches what rendering the slot will need, a few slots ahead; a repetition is not foreseen.
void workload_prefetch(const Workload *workload, uint64_t slot);

// Writes the slot's event as a JSON object; answers the end of what it wrote.
char *workload_render(const Workload *workload, uint64_t slot, char *to);

// The account of a rank in the Zipf order, 0 = the most frequent.
uint32_t workload_ranked(const Workload *workload, uint32_t rank);

// ---- the oracle: what a correct server must show after the first `slots` slots were sent, however
// they were cut, ordered and repeated.

typedef struct WorkloadCell {
    uint64_t events;
    uint64_t sum;
} WorkloadCell;

typedef struct WorkloadTotals {
    uint64_t      slots;
    uint64_t      distinct;  // events that must be accepted; the others are duplicates
    uint64_t      bytes;     // of JSON, without commas and brackets
    WorkloadCell  meters[WORKLOAD_METERS];
    WorkloadCell *cells;  // [account * WORKLOAD_METERS + meter]
} WorkloadTotals;

// Counts slot by slot with a dedupe of its own (one bit a slot), not from the rates above.
// close gives its memory back.
void workload_count(const Workload *workload, uint64_t slots, WorkloadTotals *totals);
void workload_count_close(WorkloadTotals *totals);
