// The life of a subscription as values: which plan counts when, how much of what it holds, when it
// rests, when it ends, and the billing periods all of that is cut into. A pure fold of its first
// terms, the changes known at an instant, the plan versions they name and the zones of its account:
// nothing is stored, so a change that is only asked about is a change in memory
// (docs/decisions/0006).
#pragma once

#include "catalog/catalog.h"
#include "price/price.h"
#include "time/calendar.h"

// A stretch under one effective document: a plan's version, its phase, overrides, merged in that
// order.
typedef struct Term {
    Span        span;
    const Plan *plan;
    Str         plan_id;
    int64_t     version;
    Str         patches[2];  // overrides of the phase and the subscription; STR_NONE: none
    Instant     since;  // first instant under that plan id: discounts, oneTime, trial count from it
} Term;

typedef struct Pause {
    Span span;
    bool usage_free;  // events in it are not billed
} Pause;

typedef struct Timeline {
    const Subscription *subscription;
    ChargeFilter        usage_filter;  // only such events are its own; no terms: all
    Span                active;        // ends with INSTANT_END while no end is known
    bool        credits;  // false: canceled without credit, advance charges are due whole
    const Term *terms;    // from active.start to active.end without gap; none when that is empty
    size_t      term_count;
    const QuantityHistory *quantities;
    size_t                 quantity_count;
    const Pause           *pauses;  // ascending, none meets another
    size_t                 pause_count;
    Calendar               calendar;
} Timeline;

// Where plans come from: catalog_plan_parsed, or a test's own.
typedef struct PlanSource {
    Err *(*plan)(void *context, Arena *arena, const PlanWanted *wanted, const Plan **plan);
    void *context;
} PlanSource;

typedef struct TimelineFacts {
    ProjectId           project;
    SubscriptionHistory history;   // the whole log; changes recorded after known_at do not count
    Instant             known_at;
    const AccountZone  *zones;     // ascending, at least one
    size_t              zone_count;
    Str                 project_zone;
    bool                has_clock;  // of a test project: it stands between two advances
    PlanSource          plans;
} TimelineFacts;

// Refuses what the source refuses, and STORE_FAILED for facts that cannot have been stored.
Err *timeline_fold(Arena *arena, const TimelineFacts *facts, Timeline *timeline) MUST_CHECK;

bool timeline_active(const Timeline *timeline, Instant at);

// The period that holds `at`, its service clipped to when the subscription is active. `at` lies in
// timeline->active.
Period timeline_period(const Timeline *timeline, Instant at);
