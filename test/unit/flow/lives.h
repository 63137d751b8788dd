// Lives of subscriptions, made up of values: for tests of what is folded from them.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "flow/bill/timeline.h"
#include "price/patch.h"

enum { LIFE_PLANS = 8, LIFE_CHANGES = 16, LIFE_ZONES = 4 };

// One subscription and everything around it. Plans are named "id/version".
typedef struct Life {
    Arena *arena;
    struct {
        const char *name, *document;
    } plans[LIFE_PLANS];
    size_t             plan_count;
    int64_t            plan_calls;  // how often one was asked for
    int64_t            refused;     // the number of the call that is refused; 0: none
    Subscription       first;
    SubscriptionChange changes[LIFE_CHANGES];
    AccountZone        zones[LIFE_ZONES];
    TimelineFacts      facts;
} Life;

static inline Instant life_at(const char *text)
{
    Instant instant;
    char    whole[32];
    snprintf(whole, sizeof whole, strchr(text, 'T') != NULL ? "%s" : "%sT00:00:00Z", text);
    assert_true(instant_parse(str_of(whole), &instant));
    return instant;
}

static inline Err *life_plan_get(void *context, Arena *arena, const PlanWanted *wanted,
                                 const Plan **plan)
{
    Life  *life = context;
    Faults faults = { .arena = arena };
    if (++life->plan_calls == life->refused)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
    Str name = str_print(arena, "%.*s/%lld", STR_ARG(wanted->ref.plan),
                            (long long)wanted->ref.number);
    for (size_t i = 0; i < life->plan_count; i++) {
        Json *document, *patch;
        if (!str_equal(name, str_of(life->plans[i].name)))
            continue;
        TRY(json_parse_copy(arena, str_of(life->plans[i].document), &document));
        const Json *patched = document;
        for (size_t k = 0; k < wanted->patch_count; k++)
            if (wanted->patches[k].at != NULL) {
                TRY(json_parse_copy(arena, wanted->patches[k], &patch));
                patched = plan_patch(arena, patched, patch, STR(""), &faults);
            }
        *plan = plan_from_json(patched, STR(""), STR_NONE, &faults);
        return faults.first;
    }
    return refuse(arena, ERR_PLAN_VERSION_NOT_FOUND, STR_NONE, "no plan %.*s", STR_ARG(name));
}

static inline void life_plan(Life *life, const char *name, const char *document)
{
    assert_true(life->plan_count < LIFE_PLANS);
    life->plans[life->plan_count].name = name;
    life->plans[life->plan_count++].document = document;
}

// On plan "p/1" from `starts` on, made that day, with everything known.
static inline void life_begin(Life *life, const char *starts, const char *document)
{
    *life = (Life){ .arena = arena_open() };
    life_plan(life, "p/1", document);
    life->first = (Subscription){ .id = STR("sub"),
                                  .account = STR("acct"),
                                  .plan = STR("p"),
                                  .plan_version = 1,
                                  .starts_at = life_at(starts),
                                  .created_at = life_at(starts),
                                  .quantities = STR("{}") };
    life->zones[0] = (AccountZone){ INSTANT_FIRST, STR_NONE };
    life->facts = (TimelineFacts){ .history = { .first = &life->first, .changes = life->changes },
                                   .known_at = INSTANT_END,
                                   .zones = life->zones,
                                   .zone_count = 1,
                                   .plans = { life_plan_get, life } };
}

static inline void life_end(Life *life)
{
    arena_close(life->arena);
}

// The next entry of the log, recorded as it takes effect.
static inline SubscriptionChange *life_change(Life *life, ChangeKind kind, const char *at)
{
    SubscriptionChange *change = &life->changes[life->facts.history.count++];
    assert_true(life->facts.history.count <= LIFE_CHANGES);
    *change = (SubscriptionChange){ .number = (int64_t)life->facts.history.count,
                                    .kind = kind,
                                    .effective_at = life_at(at),
                                    .recorded_at = life_at(at) };
    life->first.changes++;
    return change;
}

static inline void life_zone(Life *life, const char *from, const char *zone)
{
    life->zones[life->facts.zone_count++] = (AccountZone){ life_at(from), str_of(zone) };
}

static inline Timeline life_fold(Life *life)
{
    Timeline timeline;
    Err     *err = timeline_fold(life->arena, &life->facts, &timeline);
    if (err != NULL)
        fail_msg("%s: %.*s", err_name(err->code), STR_ARG(err->detail));
    return timeline;
}

static inline const char *life_print(Life *life, Instant at)
{
    Str text = at.us == INSTANT_END.us ? STR("end") : instant_print(life->arena, at);
    size_t keep = text.length > 10 && strncmp(text.at + 10, "T00:00:00Z", 10) == 0 ? 10
                                                                                    : text.length;
    return str_terminated(life->arena, (Str){ text.at, keep });
}

// "2026-06-01..2026-07-01"
static inline const char *life_span(Life *life, Span span)
{
    return str_terminated(life->arena, str_print(life->arena, "%s..%s",
                                                 life_print(life, span.start),
                                                 life_print(life, span.end)));
}
