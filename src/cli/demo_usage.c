// SPDX-License-Identifier: Apache-2.0
// Each stream (account, meter) has a total and a number of events; the total is cut into that many
// parts at random places, so that the parts add up to it exactly. The order of sending is by time,
// but for the late ones, which come at the end.
#include "cli/demo_usage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/int128.h"
#include "base/random.h"
#include "base/vector.h"

const DemoMeter demo_meters[DEMO_METERS] = {
    { "api.requests", "request", 0 },
    { "compute.gpu_seconds", "second", 3 },
    { "storage.gb_hours", "GB hour", 3 },
};

const char *const demo_accounts[DEMO_ACCOUNTS] = {
    "acct_meridian", "acct_aurora", "acct_basalt", "acct_cobalt",  "acct_dune",    "acct_ember",
    "acct_fjord",    "acct_granite", "acct_harbor", "acct_indigo", "acct_juniper", "acct_kestrel",
};

// Of acct_meridian, in whole units; the other accounts have a share of it.
static const struct {
    uint64_t total;
    uint32_t events;
} meridian[DEMO_METERS] = { { 38114200, 40000 }, { 912448, 20000 }, { 1204001, 7440 } };

enum {
    SEED = 2026,
    ONE_LATE_IN = 50,
    ONE_TWICE_IN = 33,
    TWICE_WITHIN = 1000,  // how far behind its first sending an event is sent again
    ONE_CHANGED_IN = 2000,
    ONE_BROKEN_IN = 1000,
};

typedef struct DemoEvent {
    int64_t  ts_us;
    int64_t  value;   // in units of the meter's last place
    uint32_t number;  // of all events, makes the id
    uint8_t  account, meter;
    bool     late;
} DemoEvent;

typedef enum Sending {
    SEND_EVENT,
    SEND_AGAIN,          // the same, spelt otherwise
    SEND_CHANGED,        // the same id with another value
    SEND_UNKNOWN_METER,  // from here on broken, with an id of its own
    SEND_NO_NUMBER,
    SEND_NO_TIME,
    SEND_NO_ID,
    SEND_NO_JSON,
    SENDING_COUNT
} Sending;

typedef struct Line {
    uint32_t event;
    uint8_t  sending;
} Line;

struct DemoUsage {
    Seeded           seeded;
    Instant          start, end;
    VECTOR(DemoEvent) events;
    VECTOR(Line)      lines;
};

static int64_t power_of_ten(int places)
{
    int64_t power = 1;
    for (int i = 0; i < places; i++)
        power *= 10;
    return power;
}

// Cuts total into count parts: part i is what the running sum of random weights gains in total.
static void stream_values(Seeded *seeded, int64_t total, DemoEvent *events, size_t count)
{
    int64_t sum = 0, before = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        events[i].value = 1 + (int64_t)seeded_below(seeded, 1000);
        sum += events[i].value;
    }
    for (size_t i = 0; i < count; i++) {
        at += events[i].value;
        int64_t gained = (int64_t)((Int128)total * at / sum);
        events[i].value = gained - before;
        before = gained;
    }
    assert_that(before == total);
}

static void stream_add(DemoUsage *usage, size_t account, size_t meter)
{
    // The others use less: a half, a third, ... of what Meridian uses.
    uint64_t part = account + 1;
    size_t   count = meridian[meter].events / part;
    int64_t  whole = (int64_t)(meridian[meter].total / part);
    int64_t  total = whole * power_of_ten(demo_meters[meter].places);
    int64_t  step_us = (usage->end.us - usage->start.us) / (int64_t)count;
    size_t   first = usage->events.count;
    for (size_t i = 0; i < count; i++) {
        int64_t   within_ms = (int64_t)seeded_below(&usage->seeded, (uint64_t)step_us / 1000);
        DemoEvent event = { .ts_us = usage->start.us + (int64_t)i * step_us + within_ms * 1000,
                            .number = (uint32_t)(first + i), .account = (uint8_t)account,
                            .meter = (uint8_t)meter,
                            .late = seeded_below(&usage->seeded, ONE_LATE_IN) == 0 };
        vector_push(&usage->events, event);
    }
    stream_values(&usage->seeded, total, usage->events.at + first, count);
}

static int in_order_of_sending(const void *a, const void *b)
{
    const DemoEvent *left = a, *right = b;
    if (left->late != right->late)
        return left->late - right->late;
    // Late ones come in no order of time: by a mix of their number.
    uint32_t left_mix = left->number * UINT32_C(2654435761);
    uint32_t right_mix = right->number * UINT32_C(2654435761);
    if (left->late)
        return (left_mix > right_mix) - (left_mix < right_mix);
    if (left->ts_us != right->ts_us)
        return (left->ts_us > right->ts_us) - (left->ts_us < right->ts_us);
    return (left->number > right->number) - (left->number < right->number);
}

static void lines_plan(DemoUsage *usage)
{
    Seeded *seeded = &usage->seeded;
    for (uint32_t i = 0; i < usage->events.count; i++) {
        uint32_t back = i < TWICE_WITHIN ? i + 1 : TWICE_WITHIN;
        vector_push(&usage->lines, (Line){ i, SEND_EVENT });
        if (seeded_below(seeded, ONE_TWICE_IN) == 0)
            vector_push(&usage->lines, (Line){ i - (uint32_t)seeded_below(seeded, back),
                SEND_AGAIN });
        if (seeded_below(seeded, ONE_CHANGED_IN) == 0)
            vector_push(&usage->lines, (Line){ i - (uint32_t)seeded_below(seeded, back),
                SEND_CHANGED });
        if (seeded_below(seeded, ONE_BROKEN_IN) == 0) {
            uint8_t kind = (uint8_t)(SEND_UNKNOWN_METER +
                                     seeded_below(seeded, SENDING_COUNT - SEND_UNKNOWN_METER));
            vector_push(&usage->lines, (Line){ i, kind });
        }
    }
}

DemoUsage *demo_usage_open(Instant start, Instant end)
{
    DemoUsage *usage = memory_take(sizeof(DemoUsage));
    usage->seeded = seeded_of(SEED);
    usage->start = start;
    usage->end = end;
    for (size_t account = 0; account < DEMO_ACCOUNTS; account++)
        for (size_t meter = 0; meter < DEMO_METERS; meter++)
            stream_add(usage, account, meter);
    qsort(usage->events.at, usage->events.count, sizeof *usage->events.at, in_order_of_sending);
    lines_plan(usage);
    return usage;
}

void demo_usage_close(DemoUsage *usage)
{
    if (usage == NULL)
        return;
    vector_release(&usage->events);
    vector_release(&usage->lines);
    memory_release(usage);
}

void DemoUsage_leave(DemoUsage **usage)
{
    demo_usage_close(*usage);
}

size_t demo_usage_count(const DemoUsage *usage)
{
    return usage->lines.count;
}

static Outcome outcome_of(Sending sending)
{
    switch (sending) {
    case SEND_EVENT: return OUTCOME_ACCEPTED;
    case SEND_AGAIN: return OUTCOME_DUPLICATE;
    case SEND_CHANGED: return OUTCOME_CONFLICT;
    case SEND_UNKNOWN_METER:
    case SEND_NO_NUMBER:
    case SEND_NO_TIME:
    case SEND_NO_ID:
    case SEND_NO_JSON:
    case SENDING_COUNT: return OUTCOME_REJECTED;
    }
    return OUTCOME_REJECTED;
}

// The value as the sending spells it: 45.62 or "45.620".
static void value_add(Text *line, const DemoEvent *event, Sending sending)
{
    int     places = demo_meters[event->meter].places;
    int64_t value = event->value + (sending == SEND_CHANGED);
    int64_t unit = power_of_ten(places);
    if (sending == SEND_NO_NUMBER) {
        text_add(line, STR("\"a lot\""));
        return;
    }
    const char *quote = sending == SEND_AGAIN ? "\"" : "";
    text_print(line, "%s%" PRId64, quote, value / unit);
    if (places > 0)
        text_print(line, ".%0*" PRId64, places, value % unit);
    text_print(line, "%s", quote);
}

Outcome demo_usage_line(const DemoUsage *usage, size_t index, Text *line)
{
    assert_that(index < usage->lines.count);
    Line             what = usage->lines.at[index];
    Sending          sending = (Sending)what.sending;
    const DemoEvent *event = &usage->events.at[what.event];
    bool             is_broken = sending >= SEND_UNKNOWN_METER;
    // An odd factor, so that every number has an id of its own.
    uint64_t id = (uint64_t)(event->number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    AUTO(Arena) arena = arena_open();
    Str ts = instant_print(arena, (Instant){ event->ts_us });

    if (sending == SEND_NO_JSON) {
        text_add(line, STR("{\"meter\":\"api.requests\",\"acc\n"));
        return OUTCOME_REJECTED;
    }
    text_print(line, "{\"meter\":\"%s\",\"account\":\"%s\",\"value\":",
               sending == SEND_UNKNOWN_METER ? "api.request" : demo_meters[event->meter].id,
               demo_accounts[event->account]);
    value_add(line, event, sending);
    text_print(line, ",\"ts\":\"%.*s\"", STR_ARG(sending == SEND_NO_TIME ? STR("yesterday") : ts));
    if (sending != SEND_NO_ID)
        text_print(line, ",\"uniqueId\":\"%s_%016" PRIx64 "\"", is_broken ? "bad" : "evt", id);
    text_add(line, STR("}\n"));
    return outcome_of(sending);
}
