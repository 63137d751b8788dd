// SPDX-License-Identifier: Apache-2.0
// bill "event": what each event is posted at, and that the postings are the line to the minor unit.
#include "asking.h"
#include "price/price.h"

static const Json *rate_events(const char *charge, const char *events)
{
    char *usage = str_terminated(arena, str_print(arena, "{\"m\":[{\"events\":[%s]}]}", events));
    char *whole = str_terminated(
        arena, str_print(arena, "{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",%s}", charge));
    return rate(plan_of(whole, ""), usage, "");
}

static void check_posted(const Json *bill, const char *const *amounts)
{
    const Json *event = at(bill, "/lines/0/posted")->first;
    for (; *amounts != NULL; amounts++, event = event->next)
        assert_at(event, "/amount", *amounts);
    assert_null(event);
}
#define CHECK(bill, ...) check_posted((bill), (const char *const[]){ __VA_ARGS__, NULL })

#define THREE                                                                                      \
    "{\"ts\":\"2026-06-03T00:00:00Z\",\"uniqueId\":\"c\",\"value\":5},"                            \
    "{\"ts\":\"2026-06-01T00:00:00Z\",\"uniqueId\":\"b\",\"value\":3},"                            \
    "{\"ts\":\"2026-06-01T00:00:00Z\",\"uniqueId\":\"a\",\"value\":4}"

static void test_each_event_is_posted_at_its_rise(void **state)
{
    (void)state;
    // by (ts, id): 4, 3, 5
    CHECK(rate_events("\"model\":\"perUnit\",\"unitPrice\":2", THREE), "8.00", "6.00", "10.00");
    CHECK(rate_events("\"model\":\"graduated\",\"tiers\":[{\"upTo\":5,\"unitPrice\":1,\"flatFee\":"
                      "10},{\"unitPrice\":3}]",
                      THREE),
          "14.00", "7.00", "15.00");
    CHECK(rate_events("\"model\":\"package\",\"packageSize\":5,\"packagePrice\":1", THREE), "1.00",
          "1.00", "1.00");
    CHECK(rate_events("\"model\":\"perUnit\",\"unitPrice\":1,\"included\":6", THREE), "0.00",
          "1.00", "5.00");
    CHECK(rate_events("\"model\":\"graduatedPercentage\",\"tiers\":[{\"upTo\":5,\"ratePercent\":10"
                      "},{\"ratePercent\":20}]",
                      THREE),
          "0.40", "0.50", "1.00");
    const Json *bill = rate_events("\"model\":\"perUnit\",\"unitPrice\":2", THREE);
    assert_at(bill, "/lines/0/posted/0/uniqueId", "a");
    assert_at(bill, "/lines/0/posted/2/ts", "2026-06-03T00:00:00Z");
}

static void test_shares_of_events(void **state)
{
    (void)state;
    CHECK(rate_events("\"model\":\"percentage\",\"ratePercent\":50", THREE), "2.00", "1.50",
          "2.50");
    CHECK(rate_events("\"model\":\"percentage\",\"ratePercent\":50,\"freeAmount\":6", THREE),
          "0.00", "0.50", "2.50");
    CHECK(rate_events("\"model\":\"percentage\",\"ratePercent\":50,\"perEventFee\":1,"
                      "\"freeEvents\":1",
                      THREE),
          "0.00", "2.50", "3.50");
    CHECK(rate_events("\"model\":\"percentage\",\"ratePercent\":50,\"eventMinimum\":2", THREE),
          "2.00", "2.00", "2.50");
    CHECK(rate_events("\"model\":\"percentage\",\"ratePercent\":50,\"pricingUnit\":\"credit\","
                      "\"conversionRate\":2",
                      THREE),
          "4.00", "3.00", "5.00");
    CHECK(rate_events("\"model\":\"perUnit\",\"unitPrice\":1,\"pricingUnit\":\"credit\","
                      "\"conversionRate\":2",
                      THREE),
          "8.00", "6.00", "10.00");
    CHECK(rate_events("\"model\":\"eventPrice\",\"property\":\"p\"",
                      "{\"ts\":\"2026-06-03T00:00:00Z\",\"properties\":{\"p\":\"1.005\"}},"
                      "{\"ts\":\"2026-06-04T00:00:00Z\",\"properties\":{\"p\":\"1.005\"}}"),
          "1.01", "1.00");
}

static void test_below_zero_nothing_is_posted(void **state)
{
    (void)state;
    static const char down[] = "{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":4},"
                               "{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":-7}";
    CHECK(rate_events("\"model\":\"perUnit\",\"unitPrice\":1", down), "4.00", "-4.00");
    CHECK(rate_events("\"model\":\"perUnit\",\"unitPrice\":1,\"allowNegative\":true", down), "4.00",
          "-7.00");
}

static void test_no_event_is_no_posting(void **state)
{
    (void)state;
    const Json *bill = rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":"
                                    "\"perUnit\",\"unitPrice\":2}",
                                    ""),
                            "{}", "");
    assert_at(bill, "/lines/0/amount", "0.00");
    assert_int_equal(at(bill, "/lines/0/posted")->count, 0);
}

static void test_a_trial_posts_nothing(void **state)
{
    (void)state;
    const Json *bill = rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":"
                                    "\"perUnit\",\"unitPrice\":2}",
                                    ",\"trial\":{\"days\":2}"),
                            "{\"m\":[{\"events\":[" THREE "]}]}", "");
    assert_at(bill, "/lines/0/posted/1/amount", "0.00");
    assert_null(at(bill, "/lines/0/posted/2"));
    assert_at(bill, "/lines/1/posted/0/amount", "10.00");
}

static void test_each_group_posts_its_own(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":\"perUnit\","
                     "\"unitPrice\":2,\"groupBy\":[\"k\"],\"includedPerGroup\":1}",
                     ""),
             "{\"m\":[{\"group\":{\"k\":\"x\"},\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\","
             "\"value\":4}]},{\"group\":{\"k\":\"y\"},\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\","
             "\"value\":5},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":1}]}]}",
             "");
    assert_at(bill, "/lines/0/posted/0/amount", "6.00");
    assert_at(bill, "/lines/1/posted/0/amount", "8.00");
    assert_at(bill, "/lines/1/posted/1/amount", "2.00");
}

static void test_what_does_not_go_with_events(void **state)
{
    (void)state;
    static const struct {
        const char *charge, *pointer;
    } rows[] = {
        { "\"model\":\"volume\",\"tiers\":[{\"unitPrice\":1}]", "/plan/charges/0/bill" },
        { "\"model\":\"stairstep\",\"tiers\":[{\"flatFee\":1}]", "/plan/charges/0/bill" },
        { "\"model\":\"matrix\",\"dimensions\":[\"a\"],\"cells\":[{\"when\":{\"a\":\"b\"},"
          "\"unitPrice\":1}],\"defaultUnitPrice\":1",
          "/plan/charges/0/bill" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"minimum\":1", "/plan/charges/0/minimum" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"maximum\":1", "/plan/charges/0/maximum" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"groupBy\":[\"a\"],\"minimumPerGroup\":1",
          "/plan/charges/0/minimumPerGroup" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"groupBy\":[\"a\"],\"included\":1",
          "/plan/charges/0/included" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"included\":{\"perUnit\":\"q\",\"amount\":1}",
          "/plan/charges/0/included" },
        { "\"model\":\"perUnit\",\"unitPrice\":1,\"groupBy\":[\"a\"],\"includedPerGroup\":{"
          "\"perUnit\":\"q\",\"amount\":1}",
          "/plan/charges/0/includedPerGroup" },
        { "\"model\":\"graduated\",\"tiers\":[{\"unitPrice\":1}],\"flatFeeAtZero\":true",
          "/plan/charges/0/flatFeeAtZero" },
        { "\"model\":\"percentage\",\"ratePercent\":1,\"included\":1", "/plan/charges/0/included" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Text  out = text_open(arena);
        char *charge = str_terminated(
            arena, str_print(arena, "{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",%s}",
                             rows[i].charge));
        const Err *err = try_rate(request_text(plan_of(charge, ""), "{}", ""), &out);
        while (err != NULL && !str_equal(err->pointer, str_of(rows[i].pointer)))
            err = err->next;
        if (err == NULL)
            fail_msg("no fault at %s in %s", rows[i].pointer, charge);
        assert_int_equal(err->code, ERR_PLAN_INVALID);
    }
}

static void test_an_amount_too_large(void **state)
{
    (void)state;
    Text  out = text_open(arena);
    char *plan = plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":\"perUnit\","
                         "\"unitPrice\":\"90000000000000000\",\"allowNegative\":true}",
                         "");
    Err  *err =
        try_rate(request_text(plan,
                              "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":2},"
                              "{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":-2}]}]}",
                              ""),
                 &out);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    char *carried =
        plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":\"eventPrice\","
                "\"property\":\"p\",\"allowNegative\":true}",
                "");
    err = try_rate(
        request_text(carried,
                     "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"properties\":"
                     "{\"p\":\"90000000000000000\"}},{\"ts\":\"2026-06-02T00:00:00Z\","
                     "\"properties\":{\"p\":\"-180000000000000000\"}}]}]}",
                     ""),
        &out);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    char *one = plan_of("{\"id\":\"c\",\"meter\":\"m\",\"bill\":\"event\",\"model\":\"perUnit\","
                        "\"unitPrice\":\"90000000000000000\",\"allowNegative\":true}",
                        "");
    err =
        try_rate(request_text(one,
                              "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":1},"
                              "{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":-2}]}]}",
                              ""),
                 &out);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

// ---- the sum, for random charges and events

static uint64_t seed = 20261120;

static uint32_t below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % bound;
}

static Str random_charge(void)
{
    switch (below(5)) {
    case 0:
        return str_print(arena, "\"model\":\"perUnit\",\"unitPrice\":\"0.%03u\"", below(1000));
    case 1:
        return str_print(arena,
                         "\"model\":\"graduated\",\"included\":%u,\"tiers\":[{\"upTo\":%u,"
                         "\"unitPrice\":\"0.%03u\"},{\"unitPrice\":\"0.%03u\",\"flatFee\":%u}]",
                         below(4), 1 + below(20), below(1000), below(1000), below(3));
    case 2:
        return str_print(arena,
                         "\"model\":\"package\",\"packageSize\":%u,\"packagePrice\":\"0.%03u\"",
                         1 + below(7), below(1000));
    case 3:
        return str_print(arena,
                         "\"model\":\"percentage\",\"ratePercent\":\"%u.%02u\",\"freeEvents\":%u,"
                         "\"perEventFee\":\"0.%03u\"",
                         below(50), below(100), below(4), below(1000));
    default:
        return str_print(arena,
                         "\"model\":\"percentage\",\"ratePercent\":\"%u.%02u\",\"eventMaximum\":%u,"
                         "\"freeAmount\":%u",
                         below(50), below(100), 1 + below(3), below(5));
    }
}

static void test_postings_sum_to_the_line(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        Text   events = text_open(arena);
        size_t count = 1 + below(round % 50 == 0 ? 600 : 12);
        for (size_t i = 0; i < count; i++)
            text_print(&events,
                       "%s{\"ts\":\"2026-06-%02uT00:00:00Z\",\"uniqueId\":\"%zu\",\"value\":"
                       "\"%u.%u\"}",
                       i == 0 ? "" : ",", 1 + below(30), i, below(9), below(10));
        char       *charge = str_terminated(arena, random_charge());
        const Json *bill = rate_events(charge, str_terminated(arena, text_str(&events)));
        Rational    sum = rational_zero(), posted, amount;
        const Json *event = at(bill, "/lines/0/posted")->first;
        for (; event != NULL; event = event->next) {
            assert_true(rational_parse(arena, json_find(event, STR("amount"))->text, &posted));
            sum = rational_add(arena, sum, posted);
        }
        assert_true(rational_parse(arena, at(bill, "/lines/0/amount")->text, &amount));
        assert_int_equal(rational_compare(sum, amount), 0);
        assert_int_equal(at(bill, "/lines/0/posted")->count, count);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_each_event_is_posted_at_its_rise),
        test_of(test_shares_of_events),
        test_of(test_below_zero_nothing_is_posted),
        test_of(test_no_event_is_no_posting),
        test_of(test_a_trial_posts_nothing),
        test_of(test_each_group_posts_its_own),
        test_of(test_what_does_not_go_with_events),
        test_of(test_an_amount_too_large),
        test_of(test_postings_sum_to_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
