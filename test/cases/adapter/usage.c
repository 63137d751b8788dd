// SPDX-License-Identifier: Apache-2.0
// Aggregations: events go into a real partition, under a meter of the case's own project, and usage
// is read from it. Nothing is added up here.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"
#include "case.h"
#include "flow/aggregate/usage.h"
#include "flow/ingest/properties.h"
#include "flow/submit.h"
#include "money/rounding.h"

enum { EVENTS_MAX = 200, ROWS_MAX = 100 };

static const HashKey hash_key = { { 11 } };

// ---- a partition for the whole run

static Partition *partition;
static char       folder[] = "/tmp/toll-cases-XXXXXX";

static void partition_leave(void)
{
    char command[64];
    partition_close(partition);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "cases: %s stays behind\n", folder);
}

static Partition *partition_get(void)
{
    AUTO(Arena) arena = arena_open();
    if (partition != NULL)
        return partition;
    log_threshold(LOG_WARN);
    bool made = mkdtemp(folder) != NULL;
    assert_that(made);
    PartitionOptions options = { .folder = str_of(folder),
                                 .key = hash_key,
                                 .seal_bits = 4,
                                 .queue_bytes = 1 << 20,
                                 .segment_bytes = 1 << 20 };
    Err *err = partition_open(arena, &options, &partition);
    assert_that(err == NULL);
    atexit(partition_leave);
    return partition;
}

// ---- a meter and its events

static void member_add(Text *text, const char *name, const Json *value)
{
    JsonOut out = json_out(text);
    if (value == NULL)
        return;
    text_print(text, ",\"%s\":", name);
    json_value(&out, value);
}

// `members`: ,"aggregation":"sum" and whatever else. False: no meter of ours is like that.
static bool meter_put(Case *test, const char *id, const char *members)
{
    Text   text = text_open(test->arena);
    Json  *body;
    Faults faults = { .arena = test->arena };
    text_print(&text, "{\"event\":\"e\",\"property\":\"amount\"%s", members);
    member_add(&text, "filter", case_member(test->config, "match"));
    member_add(&text, "exclude", case_member(test->config, "exclude_any_of"));
    member_add(&text, "dimensions", case_member(test->config, "group_by"));
    text_add(&text, STR("}"));
    if (json_parse_copy(test->arena, text_str(&text), &body) != NULL)
        return false;
    Meter *meter = meter_from_json(body, str_of(id), &faults);
    if (faults.first != NULL)
        return false;
    Err *err = partition_meter_put(partition_get(), test->arena, test->id, meter);
    assert_that(err == NULL);
    return true;
}

static bool properties_of(Case *test, const Json *event, Str *canonical)
{
    Text        text = text_open(test->arena);
    Json       *object;
    const Json *properties = case_member(event, "properties");
    text_add(&text, STR("{\"case\":true"));
    member_add(&text, "amount", case_member(event, "value"));
    member_add(&text, "op", case_member(event, "op"));
    for (const Json *one = properties == NULL ? NULL : properties->first; one != NULL;
         one = one->next)
        member_add(&text, str_terminated(test->arena, one->name), one);
    text_add(&text, STR("}"));
    if (json_parse_copy(test->arena, text_str(&text), &object) != NULL)
        return false;
    PropertySource source = { .object = object, .limits = PROPERTY_LIMITS };
    return properties_from_json(test->arena, source, canonical) == NULL;
}

// In the order in which they were stored, each with what it got.
typedef struct Sent {
    Event   events[EVENTS_MAX];
    Instant stored[EVENTS_MAX];  // 0: the case does not say
    Verdict verdicts[EVENTS_MAX];
    size_t  count;
} Sent;

static bool event_add(Case *test, Sent *sent, Instant ts, Str properties)
{
    Event *event = &sent->events[sent->count];
    *event = (Event){ .index = (uint32_t)sent->count,
                      .unique_id = str_print(test->arena, "%04zu", sent->count),
                      .event = STR("e"),
                      .account = STR("a"),
                      .value = decimal_whole(1),
                      .ts = ts,
                      .ts_given = true,
                      .properties = properties };
    event_identify(event, test->id, &hash_key);
    return ++sent->count < EVENTS_MAX;
}

// The event that was added last goes before those that were stored later.
static void stored_set(Sent *sent, Instant stored)
{
    size_t at = sent->count - 1;
    Event  event = sent->events[at];
    for (; at > 0 && sent->stored[at - 1].us > stored.us; at--) {
        sent->events[at] = sent->events[at - 1];
        sent->stored[at] = sent->stored[at - 1];
    }
    sent->events[at] = event;
    sent->stored[at] = stored;
}

// What was there before the range, as one event.
static bool opening_add(Case *test, Sent *sent, Instant from)
{
    Str   properties;
    Json *event;
    Text  text = text_open(test->arena);
    if (case_member(test->config, "initial_value") == NULL)
        return true;
    text_add(&text, STR("{\"case\":true"));
    member_add(&text, "value", case_member(test->config, "initial_value"));
    text_add(&text, STR("}"));
    return json_parse_copy(test->arena, text_str(&text), &event) == NULL &&
           properties_of(test, event, &properties) &&
           event_add(test, sent, (Instant){ from.us - 1 }, properties);
}

static bool events_send(Case *test, Sent *sent)
{
    const Json *events = case_member(test->input, "events");
    Instant     from, ts;
    *sent = (Sent){ .count = 0 };
    if (!instant_parse(case_text(test->input, "from"), &from) || !opening_add(test, sent, from))
        return false;
    for (const Json *event = events->first; event != NULL; event = event->next) {
        Str     properties;
        Instant stored;
        if (!instant_parse(case_text(event, "time"), &ts) ||
            !properties_of(test, event, &properties) || !event_add(test, sent, ts, properties))
            return false;
        if (instant_parse(case_text(event, "stored"), &stored))
            stored_set(sent, stored);
    }
    for (size_t i = 0; i < sent->count; i++)
        sent->events[i].index = (uint32_t)i;
    Submission submission = { .project = test->id,
                              .events = sent->events,
                              .count = sent->count,
                              .bytes = 1000,
                              .verdicts = sent->verdicts };
    Err *err = submit_and_wait(partition_get(), test->arena, &submission, 1000);
    assert_that(err == NULL && submission.counts[OUTCOME_ACCEPTED] == sent->count);
    return true;
}

// ---- reading

typedef struct Asked {
    const char        *meter;
    const UsageWindow *windows;
    size_t             count;
    int64_t            period_us;
    uint64_t           as_of;  // 0: newest
} Asked;

static UsageAnswer *usage_of(Case *test, const Asked *asked)
{
    UsageMoment *moment;
    UsageAnswer *answers = arena_array(test->arena, UsageAnswer, asked->count);
    UsageQuery   query = { .project = test->id,
                           .meter = str_of(asked->meter),
                           .account = STR("a"),
                           .windows = asked->windows,
                           .window_count = asked->count,
                           .period_us = asked->period_us };
    const Json  *groups = case_member(test->config, "group_by");
    Str         *by = arena_array(test->arena, Str, groups == NULL ? 0 : groups->count);
    for (const Json *one = groups == NULL ? NULL : groups->first; one != NULL; one = one->next)
        by[query.group_count++] = one->text;
    query.group_by = by;
    Err *err = usage_moment_open(partition_get(), test->arena,
                                 asked->as_of == 0 ? SEQUENCE_NEWEST : asked->as_of, &moment);
    assert_that(err == NULL);
    err = usage_read(moment, test->arena, &query, answers);
    usage_moment_close(moment);
    assert_that(err == NULL);
    return answers;
}

static bool range_of(const Case *test, UsageWindow *range)
{
    return instant_parse(case_text(test->input, "from"), &range->start) &&
           instant_parse(case_text(test->input, "to"), &range->end);
}

// The value, to as many places as the case states, within its tolerance.
static Result same_number(Case *test, const char *what, Str wanted, Rational got)
{
    uint64_t places;
    Str      decimals = case_text(test->config, "expected_decimals"),
        tolerance = case_text(test->config, "tolerance");
    if (wanted.at == NULL)
        return CASE_PASSED;
    if (decimals.at != NULL && str_whole(decimals, 18, &places))
        got = rounding_places(test->arena, got, ROUND_HALF_UP, (int)places);
    Rational number = case_number(test, wanted);
    if (tolerance.at == NULL)
        return case_equal(test, what, number, got);
    Rational apart = rational_subtract(test->arena, number, got);
    if (rational_sign(apart) < 0)
        apart = rational_negate(test->arena, apart);
    return rational_compare(apart, case_number(test, tolerance)) <= 0
               ? CASE_PASSED
               : case_equal(test, what, number, got);
}

static Result same_group(Case *test, const Json *wanted, const UsageGroup *group)
{
    Str    count = case_text(wanted, "event_count");
    Result sum = same_number(test, "value", case_text(wanted, "value"), group->exact);
    if (count.at != NULL)
        case_and(&sum, case_same(test, "event_count", count,
                                 str_print(test->arena, "%lu", group->counted)));
    return sum;
}

// The answer of these values. NULL: there is none.
static const UsageGroup *group_find(const Case *test, const Json *values,
                                    const UsageAnswer *answer)
{
    const Json *by = case_member(test->config, "group_by");
    for (size_t i = 0; i < answer->count; i++) {
        const Json *key = by->first;
        size_t      k = 0;
        while (k < by->count &&
               str_equal(case_text(values, str_terminated(test->arena, key->text)),
                         answer->groups[i].values[k]))
            k++, key = key->next;
        if (k == by->count)
            return &answer->groups[i];
    }
    return NULL;
}

static Result same_groups(Case *test, const Json *groups, const UsageAnswer *answer)
{
    Result sum = CASE_PASSED;
    if (groups->count != answer->count)
        return case_same(test, "groups", str_print(test->arena, "%u", groups->count),
                         str_print(test->arena, "%zu", answer->count));
    for (const Json *wanted = groups->first; wanted != NULL; wanted = wanted->next) {
        const UsageGroup *group = group_find(test, case_member(wanted, "group"), answer);
        if (group == NULL)
            return case_same(test, "group", STR("there"), STR("missing"));
        case_and(&sum, same_group(test, wanted, group));
    }
    return sum;
}

// One meter, one window.
static Result measured(Case *test, const char *members)
{
    UsageWindow range;
    Sent        sent;
    if (!range_of(test, &range) || !meter_put(test, "m", members) || !events_send(test, &sent))
        return CASE_UNKNOWN;
    Asked        asked = { .meter = "m", .windows = &range, .count = 1 };
    UsageAnswer *answer = usage_of(test, &asked);
    const Json  *groups = case_member(test->expected, "groups");
    return groups != NULL ? same_groups(test, groups, answer)
                          : same_group(test, test->expected, &answer->groups[0]);
}

// Of "max", or "windowed_max": the members of a meter. NULL: there is none of that name.
static const char *members_of(const Case *test)
{
    static const char *const names[][2] = {
        { "sum", "sum" },       { "count", "count" },      { "max", "max" },
        { "min", "min" },       { "avg", "average" },      { "latest", "latest" },
    };
    Str name = test->model, windowed = STR("windowed_");
    if (str_starts(name, windowed))
        name = (Str){ name.at + windowed.length, name.length - windowed.length };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(name, str_of(names[i][0])))
            return str_print(test->arena, ",\"aggregation\":\"%s\"", names[i][1]).at;
    return NULL;
}

static Result plain(Case *test)
{
    static const char *const known[] = { "match", "exclude_any_of", "group_by", "expected_decimals",
                                         NULL };
    return case_knows(test, known) ? measured(test, members_of(test)) : CASE_UNKNOWN;
}

static const char *carrying(const Case *test)
{
    return case_true(test->config, "recurring") ? ",\"carryOver\":true" : "";
}

static Result summed(Case *test)
{
    static const char *const known[] = { "match",     "exclude_any_of", "group_by",
                                         "recurring", "expected_decimals", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    return measured(
        test, str_print(test->arena, ",\"aggregation\":\"sum\"%s", carrying(test)).at);
}

static Result unique_count(Case *test)
{
    static const char *const known[] = { "match", "exclude_any_of", "group_by", "recurring", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    return measured(test, str_print(test->arena,
                                    ",\"aggregation\":\"uniqueCount\",\"operationProperty\":\"op\""
                                    "%s",
                                    carrying(test))
                              .at);
}

// ---- levels from changes

#define CHANGES ",\"aggregation\":\"timeWeighted\",\"input\":\"change\",\"per\":\"period\""

static const char *const known_of_levels[] = { "match",         "exclude_any_of",    "group_by",
                                               "initial_value", "expected_decimals", "tolerance",
                                               NULL };

// What it is at the end of the range, and what it costs at 1 a unit.
static Result closing(Case *test)
{
    UsageWindow range;
    Asked       asked = { .meter = "level", .windows = &range, .count = 1 };
    Str         wanted = case_text(test->expected, "closing_value"),
        amount = case_text(test->expected, "amount_at_unit_price_1");
    Result sum = CASE_PASSED;
    if (!range_of(test, &range))
        return CASE_UNKNOWN;
    if (wanted.at != NULL) {
        if (!meter_put(test, "level", ",\"aggregation\":\"sum\",\"carryOver\":true"))
            return CASE_UNKNOWN;
        case_and(&sum, same_number(test, "closing_value", wanted,
                                   usage_of(test, &asked)->groups[0].exact));
    }
    asked.meter = "m";
    if (amount.at != NULL)
        case_and(&sum, case_equal(test, "amount", case_number(test, amount),
                                  rounding_places(test->arena,
                                                  usage_of(test, &asked)->groups[0].exact,
                                                  ROUND_HALF_UP, 2)));
    return sum;
}

static Result weighted_sum(Case *test)
{
    if (!case_knows(test, known_of_levels))
        return CASE_UNKNOWN;
    Result sum = measured(test, CHANGES);
    if (sum == CASE_PASSED)
        case_and(&sum, closing(test));
    return sum;
}

// A window for each step: its share of the whole, its length, and, where it has one, its level.
static Result weighted_sum_breakdown(Case *test)
{
    UsageWindow range, windows[ROWS_MAX];
    const Json *rows = case_member(test->expected, "rows");
    Sent        sent;
    size_t      count = 0;
    if (!case_knows(test, known_of_levels) || !range_of(test, &range) || rows->count > ROWS_MAX ||
        !meter_put(test, "m", CHANGES) || !events_send(test, &sent))
        return CASE_UNKNOWN;
    for (const Json *row = rows->first; row != NULL; row = row->next, count++) {
        if (!instant_parse(case_text(row, "start"), &windows[count].start))
            return CASE_UNKNOWN;
        windows[count].end = range.end;
        if (count > 0)
            windows[count - 1].end = windows[count].start;
    }
    Asked asked = { .meter = "m", .windows = windows, .count = count };
    UsageAnswer *levels = usage_of(test, &asked);
    asked.period_us = range.end.us - range.start.us;
    UsageAnswer *weights = usage_of(test, &asked);
    Result       sum = CASE_PASSED;
    count = 0;
    for (const Json *row = rows->first; row != NULL; row = row->next, count++) {
        int64_t us = windows[count].end.us - windows[count].start.us;
        case_and(&sum, case_same(test, "seconds", case_text(row, "seconds"),
                                 str_print(test->arena, "%ld", us / INSTANT_SECOND_US)));
        case_and(&sum, same_number(test, "weight", case_text(row, "weight"),
                                   weights[count].groups[0].exact));
        if (us > 0)
            case_and(&sum, same_number(test, "level", case_text(row, "level"),
                                       levels[count].groups[0].exact));
    }
    return sum;
}

// ---- windows

// Windows without events are left out there and 0 here.
static Result windowed(Case *test)
{
    static const char *const known[] = { "window", "empty_windows",  "time_zone",
                                         "match",  "exclude_any_of", "expected_decimals",
                                         NULL };
    UsageWindow              range, windows[ROWS_MAX];
    WindowUnit               unit;
    Sent                     sent;
    size_t                   count = 0, shown = 0;
    Str                      name = case_text(test->config, "time_zone");
    const Zone              *zone = name.at == NULL ? zone_utc() : zone_find(name);
    const Json              *wanted = case_member(test->expected, "windows")->first;
    if (!case_knows(test, known) || zone == NULL || !range_of(test, &range) ||
        !window_unit_find(case_text(test->config, "window"), &unit) ||
        !meter_put(test, "m", members_of(test)) || !events_send(test, &sent))
        return CASE_UNKNOWN;
    for (Instant at = range.start; at.us < range.end.us && count < ROWS_MAX; count++) {
        Span span = window_at(unit, zone, at);
        windows[count] = (UsageWindow){ span.start, span.end };
        at = span.end;
    }
    Asked        asked = { .meter = "m", .windows = windows, .count = count };
    UsageAnswer *answers = usage_of(test, &asked);
    Result       sum = CASE_PASSED;
    for (size_t i = 0; i < count && sum == CASE_PASSED; i++) {
        if (answers[i].groups[0].events == 0)
            continue;
        shown++;
        if (wanted == NULL)
            return case_same(test, "windows", STR("fewer"), STR("more"));
        case_and(&sum, case_same(test, "start", case_text(wanted, "start"),
                                 instant_print(test->arena, windows[i].start)));
        case_and(&sum, case_same(test, "end", case_text(wanted, "end"),
                                 instant_print(test->arena, windows[i].end)));
        case_and(&sum, same_group(test, wanted, &answers[i].groups[0]));
        wanted = wanted->next;
    }
    if (sum == CASE_PASSED && wanted != NULL)
        return case_same(test, "windows", STR("more"), str_print(test->arena, "%zu", shown));
    return sum;
}

// ---- as of an earlier state

// The newest sequence of those stored before the instant, or at it. 0: none was.
static uint64_t sequence_at(const Sent *sent, Instant limit, bool inclusive)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < sent->count; i++)
        if (sent->stored[i].us < limit.us || (inclusive && sent->stored[i].us == limit.us))
            newest = sent->verdicts[i].sequence;
    return newest;
}

static Rational sum_as_of(Case *test, uint64_t as_of)
{
    UsageWindow range;
    Asked       asked = { .meter = "m", .windows = &range, .count = 1, .as_of = as_of };
    bool        reads = range_of(test, &range);
    assert_that(reads);
    return as_of == 0 ? rational_zero() : usage_of(test, &asked)->groups[0].exact;
}

// What came in between two moments is the difference of what was known at each.
static bool sum_between(Case *test, const Sent *sent, const Json *filter, Rational *sum)
{
    Instant  from, to;
    Str      gte = case_text(filter, "gte"), lt = case_text(filter, "lt"),
        lte = case_text(filter, "lte");
    bool     has_end = lt.at != NULL || lte.at != NULL;
    uint64_t first = 0, last = sent->verdicts[sent->count - 1].sequence;
    if (gte.at != NULL && !instant_parse(gte, &from))
        return false;
    if (has_end && !instant_parse(lt.at != NULL ? lt : lte, &to))
        return false;
    if (gte.at != NULL)
        first = sequence_at(sent, from, false);
    if (has_end)
        last = sequence_at(sent, to, lte.at != NULL);
    *sum = rational_add(test->arena, *sum,
                        rational_subtract(test->arena, sum_as_of(test, last),
                                          sum_as_of(test, first)));
    return true;
}

static Result sum_as_of_stored(Case *test)
{
    static const char *const known[] = { "stored_filter", NULL };
    const Json *filter = case_member(test->config, "stored_filter"),
               *any = case_member(filter, "any");
    Sent     sent;
    Rational sum = rational_zero();
    if (!case_knows(test, known) || filter == NULL ||
        !meter_put(test, "m", ",\"aggregation\":\"sum\"") || !events_send(test, &sent) ||
        sent.count == 0)
        return CASE_UNKNOWN;
    for (const Json *one = any == NULL ? filter : any->first; one != NULL;
         one = any == NULL ? NULL : one->next)
        if (!sum_between(test, &sent, one, &sum))
            return CASE_UNKNOWN;
    return same_number(test, "value", case_text(test->expected, "value"), sum);
}

// ---- what a charge makes of it

// The sum, as the quantity of a charge that rounds it.
static Result sum_rounded(Case *test)
{
    static const char *const known[] = { "rounding", "decimals", NULL };
    static const char *const modes[][2] = {
        { "ceiling", "up" }, { "floor", "down" }, { "half_up", "nearest" }, { NULL, NULL },
    };
    const char *mode = NULL;
    UsageWindow range;
    Sent        sent;
    for (size_t i = 0; modes[i][0] != NULL; i++)
        if (str_equal(case_text(test->config, "rounding"), str_of(modes[i][0])))
            mode = modes[i][1];
    if (!case_knows(test, known) || mode == NULL || !range_of(test, &range) ||
        !meter_put(test, "m", ",\"aggregation\":\"sum\"") || !events_send(test, &sent))
        return CASE_UNKNOWN;
    Asked    asked = { .meter = "m", .windows = &range, .count = 1 };
    Rational sum = usage_of(test, &asked)->groups[0].exact;
    if (rational_sign(sum) < 0)  // up and down are away from zero and toward it
        return CASE_UNKNOWN;
    Str charge = str_print(test->arena,
                           "\"model\":\"perUnit\",\"unitPrice\":\"1\",\"roundQuantity\":{\"mode\":"
                           "\"%s\",\"places\":%.*s}",
                           mode, STR_ARG(case_text(test->config, "decimals")));
    const Json *bill =
        case_rate(test, case_request(test, charge, rational_print(test->arena, sum)));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "value", case_number(test, case_text(test->expected, "value")),
                      case_number(test, case_at(bill, STR("/lines/0/quantity"))->text));
}

// A quantity that was once the most, then what it was before, then `last`: the amount at 1 a unit.
static bool rise_amount(Case *test, Rational last, Rational *amount)
{
    Str request = str_print(
        test->arena,
        "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"quantity\":\"seats\","
        "\"model\":\"perUnit\",\"unitPrice\":\"1\",\"timing\":\"advance\",\"prorate\":\"none\"}]},"
        "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"},"
        "\"quantities\":{"
        "\"seats\":[{\"from\":\"2026-06-01T00:00:00Z\",\"value\":\"%.*s\"},{\"from\":"
        "\"2026-06-02T00:00:00Z\",\"value\":\"%.*s\"},{\"from\":\"2026-06-03T00:00:00Z\","
        "\"value\":\"%.*s\"}]}}",
        STR_ARG(case_text(test->input, "maximum_before")),
        STR_ARG(case_text(test->input, "current_before")),
        STR_ARG(rational_print(test->arena, last)));
    const Json *bill = case_rate(test, request);
    if (bill == NULL)
        return false;
    const Json *exact = case_at(bill, STR("/lines/0/exactAmount"));  // no line: nothing is due
    *amount = exact == NULL ? rational_zero() : case_number(test, exact->text);
    return true;
}

// What is paid for a rise above the highest so far.
static Result in_advance_increment(Case *test)
{
    static const char *const known[] = { "rule", NULL };
    Rational current, before, after;
    if (!case_knows(test, known) ||
        !str_equal(case_text(test->config, "rule"), STR("increase of the running maximum")))
        return CASE_UNKNOWN;
    current = case_number(test, case_text(test->input, "current_before"));
    Rational risen = rational_add(test->arena, current,
                                  case_number(test, case_text(test->input, "event_value")));
    if (!rise_amount(test, current, &before) || !rise_amount(test, risen, &after))
        return CASE_FAILED;
    return case_equal(test, "billed_quantity",
                      case_number(test, case_text(test->expected, "billed_quantity")),
                      rational_subtract(test->arena, after, before));
}

Adapter adapter_usage(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "sum", summed },
        { "count", plain },
        { "max", plain },
        { "min", plain },
        { "avg", plain },
        { "latest", plain },
        { "unique_count", unique_count },
        { "weighted_sum", weighted_sum },
        { "weighted_sum_breakdown", weighted_sum_breakdown },
        { "windowed_sum", windowed },
        { "windowed_count", windowed },
        { "windowed_max", windowed },
        { "windowed_min", windowed },
        { "windowed_avg", windowed },
        { "windowed_latest", windowed },
        { "sum_as_of_stored", sum_as_of_stored },
        { "sum_rounded", sum_rounded },
        { "in_advance_increment", in_advance_increment },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
