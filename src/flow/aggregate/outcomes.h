// How many events got which verdict, by project and UTC hour of arrival, and the newest refusals
// with their reasons. Counts are pending until a journal record carries them; then they belong to
// that record's generation, and with its seal they go into the store.
#pragma once

#include "base/bytes.h"
#include "flow/aggregate/usage.h"

typedef struct Outcomes Outcomes;

typedef struct Tally {
    uint64_t generation;
    Str      project;
    int64_t  hour;  // since 1970
    uint64_t counts[OUTCOME_COUNT];
} Tally;

enum { REFUSALS_KEPT = 1000,      // in memory, of one project
       REFUSALS_RECORDED = 64 };  // of one request, in one journal record, and of one seal

Outcomes *outcomes_open(void);
void      outcomes_close(Outcomes *outcomes);

// Pending until outcomes_record; counts are not read before outcomes_settle. Any thread.
void outcomes_add(Outcomes *outcomes, Str project, Instant received,
                  const size_t counts[OUTCOME_COUNT]);
void outcomes_refuse(Outcomes *outcomes, Str project, const Refusal *refusal);
// The commit whose verdicts were added last is durable, or had nothing to make durable.
void outcomes_settle(Outcomes *outcomes);
bool outcomes_are_pending(Outcomes *outcomes);

// Writes all that is pending as bytes for a journal record of that generation; it is pending no
// more.
void outcomes_record(Outcomes *outcomes, uint64_t generation, Text *bytes);
// The generation's share, for its seal; and what a record or a seal holds, back into memory. A
// seal's bytes may be several of outcomes_of's put together. False: damaged.
void outcomes_of(Outcomes *outcomes, uint64_t generation, Text *bytes);
bool outcomes_take(Outcomes *outcomes, uint64_t generation, Str bytes);

OutcomeHours outcomes_hours(Outcomes *outcomes, Arena *arena, const OutcomeQuery *query);
Refusals     outcomes_refusals(Outcomes *outcomes, Arena *arena, Str project, size_t limit);
