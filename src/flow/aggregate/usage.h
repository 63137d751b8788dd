// Reading usage: exact for any range of instants, to the last acknowledged event, or as of an
// earlier sequence. Answers come from cells where they fit and from events where they do not
// (ragged edges, uniqueCount, as-of, meters not folded yet); both ways give the same numbers.
#pragma once

#include "flow/aggregate/partition.h"
#include "money/rational.h"

// A consistent moment {sequence, sealed view, unsealed generations}. Any number of reads on it
// agree.
typedef struct UsageMoment UsageMoment;

#define SEQUENCE_NEWEST UINT64_MAX
// as_of: events with a later sequence do not count. Refuses PARAMETER_INVALID past the newest;
// USAGE_OWNER_UNREACHABLE without a partition: another server has the usage.
Err *usage_moment_open(Partition *partition, Arena *arena, uint64_t as_of,
                       UsageMoment **moment) MUST_CHECK;
void usage_moment_close(UsageMoment *moment);
// Of the last event that counts. A moment that is not as-of settles at its first read: ask after
// it.
uint64_t usage_moment_sequence(const UsageMoment *moment);

// The opaque text of a sequence on the wire, and back (CURSOR-like: refuses PARAMETER_INVALID).
Str  usage_sequence_print(Arena *arena, uint64_t sequence);
Err *usage_sequence_parse(Arena *arena, Str text, uint64_t *sequence) MUST_CHECK;

typedef struct UsageWindow {
    Instant start, end;  // [start, end)
} UsageWindow;

typedef struct UsageQuery {
    Str           project;
    Str           meter;         // id
    Str           account;       // STR_NONE: all accounts together
    Filter        match;         // over dimensions of the meter
    const Filter *except;        // what matches one of these is left out (another charge has it)
    size_t        except_count;
    const Str    *group_by;      // dimensions of the meter, ascending
    size_t        group_count;
    const UsageWindow *windows;  // ascending, not overlapping
    size_t        window_count;
    const UsageWindow *holes;    // ascending, not overlapping: time in which usage is free. Events
    size_t        hole_count;    // in it do not count, gauges do not run; what a level is or what
                                 // carries over still changes
    Instant       until;         // T: gauges run no further; 0: to the end of each window
    const Zone   *zone;          // of a meter's own windows; NULL: UTC
    int64_t       period_us;     // what `per: period` divides by; 0: the length of the window
} UsageQuery;

typedef struct UsageGroup {
    const Str *values;      // one for each group_by; .at == NULL: the property was absent
    bool       has_value;   // false: nothing, of which min, max, average, latest, percentile have
                            // no value, and the others 0
    Rational   exact;       // the value, exactly; 0 when there is none
    Decimal    value;       // with at most 12 places, half even
    Decimal    sum;         // of average and sum
    uint64_t   counted;     // events that entered the aggregate; all three are of the window alone
    uint64_t   ignored;     // events whose property gave no number (or, uniqueCount, no text)
    uint64_t   events;      // counted + ignored
    Digest     digest;      // of all `events`
} UsageGroup;

// For each window its groups, in ascending order of group values (null first). A window without
// events has one group only when there is no group_by; else those that had events before, of a
// meter that looks back.
typedef struct UsageAnswer {
    UsageGroup *groups;
    size_t      count;
} UsageAnswer;

// answers: one for each window, in the arena. METER_NOT_FOUND, AMOUNT_TOO_LARGE, STORE_FAILED.
Err *usage_read(UsageMoment *moment, Arena *arena, const UsageQuery *query,
                UsageAnswer *answers) MUST_CHECK;

// The events that usage_read would count or ignore, one by one, in no order. All is borrowed until
// the call returns.
typedef struct UsageMeasure {
    size_t       window;
    const Str   *group;    // one for each group_by; .at == NULL: absent
    bool         counts;   // false: ignored
    Decimal      value;    // of a meter that counts: 1
    const Event *event;    // identity and digest included
    uint64_t     sequence;
} UsageMeasure;

typedef struct UsageTake {
    void (*take)(void *context, const UsageMeasure *measure);
    void  *context;
} UsageTake;

Err *usage_scan(UsageMoment *moment, Arena *arena, const UsageQuery *query,
                UsageTake take) MUST_CHECK;

// The events themselves, newest first by (ts, unique_id), for lists and drill-down: void ones too,
// and of an amended one the newest content.
typedef struct UsageEvent {
    uint64_t sequence;
    Str      unique_id, event, account, properties;
    Decimal  value;
    Instant  ts, received;
    bool     ts_given;
    bool     voided;
} UsageEvent;

typedef struct UsageEventsQuery {
    Str     project;
    Str     account;        // required unless `event` is given
    Str     event;          // STR_NONE: all streams
    Instant from, to;
    size_t  limit;
    bool    has_after;      // continue behind this one (a cursor)
    Instant after_ts;
    Str     after_unique_id;
} UsageEventsQuery;

typedef struct UsageEventList {
    UsageEvent *at;
    size_t      count;
    bool        has_more;
} UsageEventList;

Err *usage_events(UsageMoment *moment, Arena *arena, const UsageEventsQuery *query,
                  UsageEventList *events) MUST_CHECK;
// NULL in *event when there is none.
Err *usage_event_find(UsageMoment *moment, Arena *arena, Str project, Str unique_id,
                      UsageEvent **event) MUST_CHECK;

// Verdicts over time, per UTC hour (exact for accepted; the others may lack up to the last second
// before a crash), and the newest refusals with their reasons.
typedef struct OutcomeHour {
    int64_t  hour;  // since 1970
    uint64_t counts[OUTCOME_COUNT];
} OutcomeHour;

typedef struct OutcomeQuery {
    Str     project;
    int64_t from, to;  // hours since 1970, [from, to)
} OutcomeQuery;

typedef struct OutcomeHours {
    OutcomeHour *at;  // ascending; hours without events are left out
    size_t       count;
} OutcomeHours;

OutcomeHours usage_outcomes(Partition *partition, Arena *arena, const OutcomeQuery *query);

typedef struct Refusal {
    Instant at;
    Outcome outcome;   // conflict or rejected
    ErrCode code;
    Str     unique_id, detail;
} Refusal;

typedef struct Refusals {
    Refusal *at;  // newest first
    size_t   count;
} Refusals;

Refusals usage_refusals(Partition *partition, Arena *arena, Str project, size_t limit);
