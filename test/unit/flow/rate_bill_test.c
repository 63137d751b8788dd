// SPDX-License-Identifier: Apache-2.0
// Rating and open bills over usage and a catalog that this test makes up: what is asked of the
// usage side, and what is told to the reader.
#include "flow/rate/rate.c"
#include "flow/bill/bill_open.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { QUERIES_MAX = 16, ROWS_MAX = 4 };

// ---- the world made up

static Arena *arena;

static struct World {
    Aggregation  aggregation;
    UsageGroup   groups[ROWS_MAX];
    size_t       group_count;
    UsageMeasure scanned[ROWS_MAX];
    size_t       scanned_count;
    UsageQuery   asked[QUERIES_MAX];
    UsageWindow  windows[QUERIES_MAX];
    size_t       asked_count;
    Subscription subscriptions[ROWS_MAX];
    size_t       subscription_count;
    const char  *plan;
    Str          account_zone, project_zone;
    size_t       opened, closed;
    ErrCode      read_fails; // ERR_COUNT: it does not
} world;

Err *catalog_meter_get(Catalog *catalog, Arena *in, ProjectId project, Str id, Meter **meter)
{
    (void)catalog, (void)project;
    Meter *made = arena_new(in, Meter);
    made->id = id;
    made->aggregation = world.aggregation;
    *meter = made;
    return NULL;
}

Err *catalog_account_get(Catalog *catalog, Arena *in, ProjectId project, Str id, Account **account)
{
    (void)catalog, (void)project;
    if (str_equal(id, STR("nobody")))
        return refuse(in, ERR_ACCOUNT_NOT_FOUND, STR_NONE, "there is no such account");
    *account = arena_new(in, Account);
    (*account)->id = id;
    (*account)->time_zone = world.account_zone;
    return NULL;
}

Err *catalog_account_zones(Catalog *catalog, Arena *in, ProjectId project, Str account,
                           AccountZones *zones)
{
    (void)catalog, (void)project, (void)account;
    *zones = (AccountZones){ arena_new(in, AccountZone), 1 };
    zones->at[0] = (AccountZone){ INSTANT_FIRST, world.account_zone };
    return NULL;
}

Project catalog_project_get(Catalog *catalog, ProjectId project)
{
    (void)catalog;
    return (Project){ .id = project, .time_zone = world.project_zone };
}

static SubscriptionHistory history_of(Subscription *subscription)
{
    subscription->first_ends = subscription->ends;
    subscription->first_ends_at = subscription->ends_at;
    return (SubscriptionHistory){ .first = subscription };
}

Err *catalog_subscription_history(Catalog *catalog, Arena *in, ProjectId project, Str id,
                                  SubscriptionHistory *history)
{
    (void)catalog, (void)project;
    for (size_t i = 0; i < world.subscription_count; i++)
        if (str_equal(id, world.subscriptions[i].id)) {
            *history = history_of(&world.subscriptions[i]);
            return NULL;
        }
    return refuse(in, ERR_SUBSCRIPTION_NOT_FOUND, STR_NONE, "there is no such subscription");
}

Err *catalog_account_histories(Catalog *catalog, Arena *in, ProjectId project, Str account,
                               AccountHistories *histories)
{
    (void)catalog, (void)project, (void)account;
    histories->count = world.subscription_count;
    histories->at = arena_array(in, SubscriptionHistory, histories->count);
    for (size_t i = 0; i < histories->count; i++)
        histories->at[i] = history_of(&world.subscriptions[i]);
    return NULL;
}

Err *catalog_plan_parsed(Catalog *catalog, Arena *in, const PlanWanted *wanted, const Plan **plan)
{
    (void)catalog;
    Plan *parsed;
    Str   text = str_equal(wanted->ref.plan, STR("euro"))
                     ? STR("{\"currency\":\"EUR\",\"charges\":[{\"id\":\"f\",\"model\":"
                           "\"flat\",\"amount\":1}]}")
                     : str_of(world.plan);
    TRY(plan_from_text(in, text, &parsed));
    *plan = parsed;
    return NULL;
}

Err *usage_moment_open(Partition *partition, Arena *in, uint64_t as_of, UsageMoment **moment)
{
    (void)partition, (void)in, (void)as_of;
    world.opened++;
    *moment = NULL;
    return NULL;
}

void usage_moment_close(UsageMoment *moment)
{
    (void)moment;
    world.closed++;
}

uint64_t usage_moment_sequence(const UsageMoment *moment)
{
    (void)moment;
    return 42;
}

Str usage_sequence_print(Arena *in, uint64_t sequence)
{
    return str_print(in, "s%lu", sequence);
}

// Exactly what the group says, as a read gives it.
static Rational exact_of(Arena *in, const UsageGroup *group)
{
    if (!group->has_value)
        return rational_zero();
    if (world.aggregation != AGGREGATE_AVERAGE)
        return rational_of(in, group->value);
    return rational_divide(in, rational_of(in, group->sum),
                           rational_whole(in, (int64_t)group->counted));
}

Err *usage_read(UsageMoment *moment, Arena *in, const UsageQuery *query, UsageAnswer *answers)
{
    (void)moment;
    if (world.read_fails != ERR_COUNT)
        return refuse(in, world.read_fails, STR_NONE, "it cannot be read");
    world.asked[world.asked_count] = *query;
    world.windows[world.asked_count++] = query->windows[0];
    for (size_t i = 0; i < world.group_count; i++)
        world.groups[i].exact = exact_of(in, &world.groups[i]);
    answers[0] = (UsageAnswer){ world.groups, world.group_count };
    return NULL;
}

Err *usage_scan(UsageMoment *moment, Arena *in, const UsageQuery *query, UsageTake take)
{
    (void)moment, (void)in, (void)query;
    for (size_t i = 0; i < world.scanned_count; i++)
        take.take(take.context, &world.scanned[i]);
    return NULL;
}

// ---- the tests' own

static Instant moment_of(const char *text)
{
    Instant instant;
    assert_true(instant_parse(str_of(text), &instant));
    return instant;
}

static Decimal decimal_of(const char *text)
{
    Decimal number;
    assert_true(decimal_parse(str_of(text), DECIMAL_WHOLE_DIGITS, &number));
    return number;
}

static int world_begin(void **state)
{
    (void)state;
    arena = arena_open();
    world = (struct World){ .aggregation = AGGREGATE_SUM,
                            .group_count = 1,
                            .subscription_count = 1,
                            .read_fails = ERR_COUNT };
    world.groups[0] =
        (UsageGroup){ .has_value = true, .value = decimal_of("12.5"), .events = 3, .counted = 3 };
    world.groups[0].digest.part[0] = 0xab;
    world.subscriptions[0] = (Subscription){ .id = STR("sub"),
                                             .account = STR("acct"),
                                             .plan = STR("plan"),
                                             .plan_version = 7,
                                             .quantities = STR("{}"),
                                             .starts_at = moment_of("2026-01-10T12:00:00Z") };
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"perUnit\",\"unitPrice\":2}]}";
    return 0;
}

static int world_end(void **state)
{
    (void)state;
    assert_int_equal(world.opened, world.closed);
    arena_close(arena);
    return 0;
}

static const Json *at(const Json *json, const char *pointer)
{
    Str rest = str_of(pointer + 1);
    while (json != NULL && rest.length > 0) {
        Str      name = str_cut(&rest, '/');
        uint64_t index;
        if (json->kind != JSON_ARRAY) {
            json = json_find(json, name);
            continue;
        }
        assert_true(str_whole(name, 1000, &index));
        for (json = json->first; json != NULL && index > 0; index--)
            json = json->next;
    }
    return json;
}

#define assert_at(json, pointer, wanted)                                                           \
    assert_string_equal(str_terminated(arena, at((json), (pointer))->text), (wanted))

static OpenBillQuery query_at(const char *time)
{
    return (OpenBillQuery){ .project = { STR("t"), STR("p") },
                            .at = moment_of(time),
                            .as_of = SEQUENCE_NEWEST,
                            .rated_at = moment_of("2030-01-01T00:00:00Z") };
}

static const Json *answer_of(Err *err, const Text *out)
{
    Json *json;
    if (err != NULL)
        fail_msg("%s: %.*s", err_name(err->code), STR_ARG(err->detail));
    assert_null(json_parse_copy(arena, text_str(out), &json));
    return json;
}

static const Json *bill_at(const char *time)
{
    Text          out = text_open(arena);
    OpenBillQuery query = query_at(time);
    return answer_of(bill_open_subscription(arena, &query, STR("sub"), &out), &out);
}

static ErrCode refused_at(const char *time, const char *subscription)
{
    Text          out = text_open(arena);
    OpenBillQuery query = query_at(time);
    Err          *err = bill_open_subscription(arena, &query, str_of(subscription), &out);
    assert_non_null(err);
    assert_int_equal(out.length, 0);
    return err->code;
}

static void test_a_bill_says_what_it_counts(void **state)
{
    (void)state;
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_at(bill, "/subscription", "sub");
    assert_at(bill, "/account", "acct");
    assert_at(bill, "/currency", "USD");
    assert_at(bill, "/sequence", "s42");
    assert_at(bill, "/ratedAt", "2030-01-01T00:00:00Z");
    assert_at(bill, "/period/start", "2026-03-01T00:00:00Z");
    assert_at(bill, "/lines/0/usage", "12.5");
    assert_at(bill, "/lines/0/amount", "25.00");
    assert_at(bill, "/lines/0/events", "3");
    assert_at(bill, "/lines/0/planVersion", "7");
    assert_at(bill, "/lines/0/digest",
              "00000000000000000000000000000000000000000000000000000000000000ab");
    assert_at(bill, "/total", "25.00");
    assert_int_equal(world.asked_count, 1);
    assert_true(str_equal(world.asked[0].project, STR("p")));
    assert_true(str_equal(world.asked[0].account, STR("acct")));
    assert_true(str_equal(world.asked[0].meter, STR("m")));
    assert_int_equal(world.windows[0].start.us, moment_of("2026-03-01T00:00:00Z").us);
    assert_int_equal(world.windows[0].end.us, moment_of("2026-04-01T00:00:00Z").us);
}

static void test_a_period_is_clipped_to_the_subscription(void **state)
{
    (void)state;
    world.subscriptions[0].ends = true;
    world.subscriptions[0].ends_at = moment_of("2026-03-20T00:00:00Z");
    bill_at("2026-01-10T12:00:00Z");
    bill_at("2026-03-19T23:59:59.999999Z");
    assert_int_equal(world.windows[0].start.us, moment_of("2026-01-10T12:00:00Z").us);
    assert_int_equal(world.windows[0].end.us, moment_of("2026-02-01T00:00:00Z").us);
    assert_int_equal(world.windows[1].end.us, moment_of("2026-03-20T00:00:00Z").us);
    assert_int_equal(refused_at("2026-03-20T00:00:00Z", "sub"), ERR_OUTSIDE_SUBSCRIPTION);
    assert_int_equal(refused_at("2026-01-10T11:59:59.999999Z", "sub"), ERR_OUTSIDE_SUBSCRIPTION);
    assert_int_equal(refused_at("2026-03-01T00:00:00Z", "none"), ERR_SUBSCRIPTION_NOT_FOUND);
}

static void test_the_zone_is_the_plans_else_the_accounts_else_the_projects(void **state)
{
    (void)state;
    assert_at(bill_at("2026-03-15T00:00:00Z"), "/period/start", "2026-03-01T00:00:00Z");
    world.project_zone = STR("Asia/Kolkata");
    assert_at(bill_at("2026-03-15T00:00:00Z"), "/period/start", "2026-02-28T18:30:00Z");
    world.account_zone = STR("Pacific/Tongatapu");
    assert_at(bill_at("2026-03-15T00:00:00Z"), "/period/start", "2026-02-28T11:00:00Z");
    world.plan = "{\"currency\":\"USD\",\"timeZone\":\"America/New_York\",\"charges\":[]}";
    assert_at(bill_at("2026-03-15T00:00:00Z"), "/period/start", "2026-03-01T05:00:00Z");
}

static void test_a_charge_asks_for_its_filter_without_the_more_specific_ones(void **state)
{
    (void)state;
    world.plan = "{\"currency\":\"USD\",\"charges\":["
                 "{\"id\":\"rest\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,"
                 "\"groupBy\":[\"z\",\"a\"]},"
                 "{\"id\":\"eu\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"filter\":{"
                 "\"r\":[\"eu\",\"de\"]}}]}";
    world.group_count = 0;
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_int_equal(world.asked_count, 2);
    assert_int_equal(world.asked[0].match.count, 0);
    assert_int_equal(world.asked[0].except_count, 1);
    assert_true(str_equal(world.asked[0].except[0].terms[0].key, STR("r")));
    assert_int_equal(world.asked[0].group_count, 2);
    assert_true(str_equal(world.asked[0].group_by[0], STR("a")));
    assert_int_equal(world.asked[1].match.count, 1);
    assert_true(str_equal(world.asked[1].match.terms[0].values[0], STR("de")));
    assert_int_equal(world.asked[1].except_count, 0);
    assert_int_equal(at(bill, "/lines")->count, 1);
}

static void test_groups_become_lines(void **state)
{
    (void)state;
    const Str absent[] = { STR_NONE }, eu[] = { STR("eu") };
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"perUnit\",\"unitPrice\":1,"
                 "\"groupBy\":[\"r\"]}]}";
    world.group_count = 2;
    world.groups[0].values = absent;
    world.groups[1] =
        (UsageGroup){ .values = eu, .has_value = true, .value = decimal_of("2"), .events = 1 };
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_int_equal(at(bill, "/lines/0/group/r")->kind, JSON_NULL);
    assert_at(bill, "/lines/1/group/r", "eu");
    assert_at(bill, "/total", "14.50");
}

static void test_an_average_is_priced_exactly(void **state)
{
    (void)state;
    world.aggregation = AGGREGATE_AVERAGE;
    world.groups[0] = (UsageGroup){ .has_value = true,
                                    .value = decimal_of("3.333333333333"),
                                    .sum = decimal_of("10"),
                                    .counted = 3,
                                    .events = 4 };
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"perUnit\",\"unitPrice\":3}]}";
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_at(bill, "/lines/0/exactAmount", "10");
    assert_at(bill, "/lines/0/usage", "3.333333333333");
    assert_at(bill, "/lines/0/events", "4");
}

static void test_nothing_measured_is_0(void **state)
{
    (void)state;
    static const Aggregation all[] = { AGGREGATE_MIN, AGGREGATE_MAX, AGGREGATE_LATEST,
                                       AGGREGATE_AVERAGE };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        world.aggregation = all[i];
        world.groups[0] = (UsageGroup){ .value = decimal_of("99"), .events = 2, .ignored = 2 };
        const Json *bill = bill_at("2026-03-15T00:00:00Z");
        assert_at(bill, "/lines/0/usage", "0");
        assert_at(bill, "/lines/0/events", "2");
        assert_at(bill, "/total", "0.00");
    }
}

static void test_quantities_of_the_subscription_are_priced(void **state)
{
    (void)state;
    world.subscriptions[0].quantities = STR("{\"seats\":\"5\"}");
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"s\",\"quantity\":\"seats\","
                 "\"model\":\"perUnit\",\"unitPrice\":20}]}";
    assert_at(bill_at("2026-03-15T00:00:00Z"), "/total", "100.00");
    // 10 January at noon to the end of the month: 22 of 31 days.
    assert_at(bill_at("2026-01-15T00:00:00Z"), "/total", "70.97");
    world.subscriptions[0].quantities = STR("{}");
    assert_int_equal(refused_at("2026-03-15T00:00:00Z", "sub"), ERR_FIELD_REQUIRED);
}

static void test_a_failed_read_leaves_nothing_behind(void **state)
{
    (void)state;
    world.read_fails = ERR_STORE_FAILED;
    assert_int_equal(refused_at("2026-03-15T00:00:00Z", "sub"), ERR_STORE_FAILED);
    world.read_fails = ERR_COUNT;
    world.plan = "{\"currency\":\"USD\"}";
    assert_int_equal(refused_at("2026-03-15T00:00:00Z", "sub"), ERR_STORE_FAILED);
}

static void test_the_bills_of_an_account(void **state)
{
    (void)state;
    world.subscription_count = 3;
    world.subscriptions[1] = world.subscriptions[2] = world.subscriptions[0];
    world.subscriptions[1].id = STR("sub2");
    world.subscriptions[1].plan = STR("euro");
    world.subscriptions[2].id = STR("sub3");
    world.subscriptions[2].starts_at = moment_of("2027-01-01T00:00:00Z");
    Text          out = text_open(arena);
    OpenBillQuery query = query_at("2026-03-15T00:00:00Z");
    const Json   *bills = answer_of(bill_open_account(arena, &query, STR("acct"), &out), &out);
    assert_int_equal(at(bills, "/data")->count, 2);
    assert_at(bills, "/data/1/subscription", "sub2");
    assert_at(bills, "/amountDue/USD", "25.00");
    assert_at(bills, "/amountDue/EUR", "1.00");
    assert_true(str_equal(at(bills, "/amountDue")->first->name, STR("EUR")));
    assert_int_equal(world.opened, 1);

    text_clear(&out);
    Err *err = bill_open_account(arena, &query, STR("nobody"), &out);
    assert_int_equal(err->code, ERR_ACCOUNT_NOT_FOUND);
    world.subscription_count = 0;
    bills = answer_of(bill_open_account(arena, &query, STR("acct"), &out), &out);
    assert_int_equal(at(bills, "/data")->count, 0);
    assert_int_equal(at(bills, "/amountDue")->count, 0);
}

// ---- what is priced event by event, by cell, over several meters

// An event of a value; `cost` is its property "cost", none when NULL.
static void scan(const char *id, const char *ts, const char *value, const char *cost)
{
    Event        *event = arena_new(arena, Event);
    UsageMeasure *measure = &world.scanned[world.scanned_count++];
    event->unique_id = str_of(id);
    event->ts = moment_of(ts);
    if (cost != NULL)
        event->properties =
            str_print(arena, "%c%ccost%c%c%s", 1, 4, PROPERTY_STRING, (int)strlen(cost), cost);
    *measure = (UsageMeasure){ .counts = value != NULL, .event = event };
    measure->value = decimal_of(value == NULL ? "1" : value);
}

static void test_events_are_priced_one_by_one_in_order_of_time(void **state)
{
    (void)state;
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"percentage\",\"ratePercent\":10,\"freeEvents\":1,\"eventMaximum\":4}]}";
    scan("b", "2026-03-02T00:00:00Z", "60", NULL);
    scan("c", "2026-03-01T00:00:00Z", "20", NULL);
    scan("x", "2026-03-01T00:00:00Z", NULL, NULL); // ignored by the meter
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_at(bill, "/lines/0/amount", "4.00");
    assert_at(bill, "/lines/0/steps/0/uniqueId", "c");
    assert_at(bill, "/lines/0/steps/0/free", "20");
    assert_at(bill, "/lines/0/steps/1/uniqueId", "b");
    assert_at(bill, "/lines/0/steps/2/op", "round");
}

static void test_the_price_that_an_event_carries(void **state)
{
    (void)state;
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"eventPrice\",\"property\":\"cost\"}]}";
    scan("a", "2026-03-01T00:00:00Z", "5", "0.402");
    scan("b", "2026-03-02T00:00:00Z", NULL, "1.10");
    scan("c", "2026-03-03T00:00:00Z", "5", "dear");
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_at(bill, "/lines/0/exactAmount", "1.502");
    assert_at(bill, "/lines/0/usage", "12.5");
    assert_at(bill, "/lines/0/steps/2/amount", "0");
}

static void test_events_go_to_their_groups(void **state)
{
    (void)state;
    static const Str values[][1] = { { { NULL, 0 } }, { { "eu", 2 } }, { { "us", 2 } } };
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"percentage\",\"ratePercent\":10,\"perEventFee\":1,\"groupBy\":[\"r\"]}]}";
    world.group_count = 3;
    for (size_t i = 0; i < 3; i++) {
        world.groups[i] = world.groups[0];
        world.groups[i].values = values[i];
        scan("a", "2026-03-01T00:00:00Z", i == 0 ? "10" : i == 1 ? "20" : "30", NULL);
        world.scanned[i].group = values[2 - i];
    }
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_at(bill, "/lines/0/amount", "4.00");
    assert_at(bill, "/lines/1/amount", "3.00");
    assert_at(bill, "/lines/2/amount", "2.00");
}

static void test_readings_that_differ_are_refused(void **state)
{
    (void)state;
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"eventPrice\",\"property\":\"cost\"}]}";
    world.groups[0].events = 1;
    scan("a", "2026-03-01T00:00:00Z", "5", "1");
    scan("b", "2026-03-01T00:00:00Z", "5", "1");
    assert_int_equal(refused_at("2026-03-15T00:00:00Z", "sub"), ERR_STORE_FAILED);
    world.group_count = 0;
    assert_int_equal(refused_at("2026-03-15T00:00:00Z", "sub"), ERR_STORE_FAILED);
}

static void test_a_matrix_asks_for_its_dimensions_too(void **state)
{
    (void)state;
    static const Str values[] = { { "eu", 2 }, { "gold", 4 } };
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                 "\"matrix\",\"dimensions\":[\"tier\"],\"groupBy\":[\"region\"],\"cells\":[{"
                 "\"when\":{\"tier\":\"gold\"},\"unitPrice\":2}],\"defaultUnitPrice\":9}]}";
    world.groups[0].values = values;
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_int_equal(world.asked[0].group_count, 2);
    assert_true(str_equal(world.asked[0].group_by[0], STR("region")));
    assert_true(str_equal(world.asked[0].group_by[1], STR("tier")));
    assert_at(bill, "/lines/0/group/region", "eu");
    assert_int_equal(at(bill, "/lines/0/group")->count, 1);
    assert_at(bill, "/lines/0/amount", "25.00");
    assert_at(bill, "/lines/0/events", "3");
}

static void test_a_formula_asks_for_each_of_its_meters(void **state)
{
    (void)state;
    world.plan = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":\"formula\","
                 "\"expression\":\"a + 2 * b\",\"meters\":{\"a\":\"m\",\"b\":\"n\"}}]}";
    const Json *bill = bill_at("2026-03-15T00:00:00Z");
    assert_int_equal(world.asked_count, 2);
    assert_true(str_equal(world.asked[1].meter, STR("n")));
    assert_int_equal(world.asked[1].group_count, 0);
    assert_at(bill, "/lines/0/amount", "37.50");
    assert_at(bill, "/lines/0/events", "6");
    assert_at(bill, "/lines/0/digest",
              "0000000000000000000000000000000000000000000000000000000000000156");
}

#define test_of(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_a_bill_says_what_it_counts),
        test_of(test_a_period_is_clipped_to_the_subscription),
        test_of(test_the_zone_is_the_plans_else_the_accounts_else_the_projects),
        test_of(test_a_charge_asks_for_its_filter_without_the_more_specific_ones),
        test_of(test_groups_become_lines),
        test_of(test_an_average_is_priced_exactly),
        test_of(test_nothing_measured_is_0),
        test_of(test_quantities_of_the_subscription_are_priced),
        test_of(test_a_failed_read_leaves_nothing_behind),
        test_of(test_the_bills_of_an_account),
        test_of(test_events_are_priced_one_by_one_in_order_of_time),
        test_of(test_the_price_that_an_event_carries),
        test_of(test_events_go_to_their_groups),
        test_of(test_readings_that_differ_are_refused),
        test_of(test_a_matrix_asks_for_its_dimensions_too),
        test_of(test_a_formula_asks_for_each_of_its_meters),
    };
    return cmocka_run_group_tests_name("flow/rate, flow/bill", tests, NULL, NULL);
}
