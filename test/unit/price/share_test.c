// SPDX-License-Identifier: Apache-2.0
// stairstep, graduatedPercentage and percentage: amounts, steps and refusals.
#include "asking.h"

static const Err *fault_at(const Err *err, const char *pointer)
{
    while (err != NULL && !str_equal(err->pointer, str_of(pointer)))
        err = err->next;
    return err;
}

static void check_refused(const char *charge, ErrCode code, const char *pointer)
{
    Text       out = text_open(arena);
    Err       *first = try_rate(request_text(plan_of(charge, ""), "{}", ""), &out);
    const Err *err = fault_at(first, pointer);
    if (err == NULL)
        fail_msg("no fault at %s in %s, but %.*s: %.*s", pointer, charge,
                 first == NULL ? 4 : (int)first->pointer.length,
                 first == NULL ? "none" : first->pointer.at,
                 first == NULL ? 0 : (int)first->detail.length,
                 first == NULL ? "" : first->detail.at);
    assert_int_equal(err->code, code);
}

static void test_stairstep_is_the_fee_of_the_tier_that_holds(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"5\"}", "100" },  { "{\"m\":\"5.000000000001\"}", "150" },
        { "{\"m\":\"10\"}", "150" }, { "{\"m\":\"11\"}", "400" },
        { "{\"m\":\"0\"}", "0" },    { "{\"m\":\"-3\"}", "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"stairstep\",\"tiers\":[{\"upTo\":"
                     "\"5\",\"flatFee\":\"100\"},{\"upTo\":\"10\",\"flatFee\":\"150\"},{\"flatFee"
                     "\":\"400\"}]}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_stairstep_at_zero(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"0\"}", "100" },
        { "{\"m\":\"-1\"}", "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"flatFeeAtZero\":true,\"meter\":\"m\",\"model\":\"stairstep\""
                     ",\"tiers\":[{\"upTo\":\"5\",\"flatFee\":\"100\"},{\"upTo\":\"10\",\"flatFee"
                     "\":\"150\"},{\"flatFee\":\"400\"}]}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_stairstep_tells_its_stair(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"stairstep\",\"tiers\":[{\"upTo\":"
                     "\"5\",\"flatFee\":\"100\"},{\"upTo\":\"10\",\"flatFee\":\"150\"},{\"flatFee"
                     "\":\"400\"}]}",
                     ""),
             "{\"m\":\"7\"}", "");
    assert_at(bill, "/lines/0/steps/0/op", "stair");
    assert_at(bill, "/lines/0/steps/0/upTo", "10");
    assert_at(bill, "/lines/0/steps/0/flatFee", "150");
    assert_at(bill, "/lines/0/steps/0/amount", "150");
    assert_at(bill, "/lines/0/quantity", "7");
}

static void test_a_stair_of_seats_is_shared_by_time(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"quantity\":\"seats\",\"prorate\":\"second\",\"model\":\"stai"
                     "rstep\",\"tiers\":[{\"upTo\":\"5\",\"flatFee\":\"100\"},{\"upTo\":\"10\",\"f"
                     "latFee\":\"150\"},{\"flatFee\":\"400\"}]}",
                     ""),
             "{}",
             ",\"quantities\":{\"seats\":[{\"from\":\"2026-06-01T00:00:00Z\",\"value\":5},{"
             "\"from\":\"2026-06-16T00:00:00Z\",\"value\":6}]}");
    assert_at(bill, "/lines/0/exactAmount", "125");
    assert_at(bill, "/lines/0/steps/0/price", "100");
    assert_at(bill, "/lines/0/steps/1/share", "0.5");
}

static void test_graduated_percentage(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"5\"}", "30.8" },
        { "{\"m\":\"2\"}", "10.2" },
        { "{\"m\":\"0\"}", "0" },
        { "{\"m\":\"2.5\"}", "30.3" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{"
                     "\"upTo\":\"2\",\"ratePercent\":\"10\",\"flatFee\":\"10\"},{\"ratePercent\":"
                     "\"20\",\"flatFee\":\"20\"}]}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_graduated_percentage_tells_its_rates(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{"
                     "\"upTo\":\"2\",\"ratePercent\":\"10\",\"flatFee\":\"10\"},{\"ratePercent\":"
                     "\"20\",\"flatFee\":\"20\"}]}",
                     ""),
             "{\"m\":\"5\"}", "");
    assert_at(bill, "/lines/0/steps/0/op", "tier");
    assert_at(bill, "/lines/0/steps/0/ratePercent", "10");
    assert_at(bill, "/lines/0/steps/0/amount", "10.2");
    assert_at(bill, "/lines/0/steps/1/ratePercent", "20");
    assert_at(bill, "/lines/0/steps/1/amount", "20.6");
}

static void test_tiers_of_other_kinds_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"stairstep\",\"tiers\":[{\"unitPric"
                  "e\":1}]}",
                  ERR_UNKNOWN_MEMBER, "/plan/charges/0/tiers/0/unitPrice");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"stairstep\",\"tiers\":[{}]}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/tiers/0/flatFee");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"stairstep\",\"tiers\":[{\"flatFee"
                  "\":1},{\"flatFee\":1}]}",
                  ERR_PLAN_INVALID, "/plan/charges/0/tiers/0/upTo");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{"
                  "}]}",
                  ERR_PLAN_INVALID, "/plan/charges/0/tiers/0");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{"
                  "\"ratePercent\":-1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers/0/ratePercent");
}

static void test_a_share_of_the_sum(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"1000\"}", "29" },
        { "{\"m\":\"0\"}", "0" },
        { "{\"m\":\"-100\"}", "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"2.9"
                     "\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_a_negative_share(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"100\"}", "-1.5" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"-1."
                     "5\",\"allowNegative\":true}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_a_free_amount_of_the_sum(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":\"100\"}", "7" },
        { "{\"m\":\"30\"}", "0" },
        { "{\"m\":\"20\"}", "0" },
        { "{\"m\":\"-5\"}", "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"10"
                     "\",\"freeAmount\":\"30\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_a_fee_for_each_event(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"20\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "10.3" },
        { "{\"m\":[{\"events\":[]}]}", "0" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"0\",\"uniq"
          "ueId\":\"e0\"}]}]}",
          "5" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"1\""
                     ",\"perEventFee\":\"5\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_free_events_and_a_free_amount_take_the_smaller(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"1\",\"uniq"
          "ueId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"1\",\"uniqueId\""
          ":\"e1\"}]}]}",
          "0" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"1\",\"uniq"
          "ueId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"1\",\"uniqueId\""
          ":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"1\",\"uniqueId\":\"e2"
          "\"},{\"ts\":\"2026-06-04T00:00:00Z\",\"value\":\"1\",\"uniqueId\":\"e3\"}]}]"
          "}",
          "5.01" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"10\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "5.05" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"10\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"10\",\"uniqueId\":\""
          "e2\"}]}]}",
          "10.15" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"freeEvents\":3,\"freeAmount\":\"15\",\"meter\":\"m\",\"model"
                     "\":\"percentage\",\"ratePercent\":\"1\",\"perEventFee\":\"5\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_free_events_alone(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"10\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"10\",\"uniqueId\":\""
          "e2\"}]}]}",
          "0" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"10\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"10\",\"uniqueId\":\""
          "e2\"},{\"ts\":\"2026-06-04T00:00:00Z\",\"value\":\"10\",\"uniqueId\":\"e3\"}"
          "]}]}",
          "5.1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"freeEvents\":3,\"meter\":\"m\",\"model\":\"percentage\",\"ra"
                     "tePercent\":\"1\",\"perEventFee\":\"5\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_a_free_amount_with_fees(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"4\",\"uniq"
          "ueId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"4\",\"uniqueId\""
          ":\"e1\"}]}]}",
          "0" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"15\",\"uni"
          "queId\":\"e0\"}]}]}",
          "5" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"-1\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"-2\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"freeAmount\":\"15\",\"meter\":\"m\",\"model\":\"percentage\""
                     ",\"ratePercent\":\"1\",\"perEventFee\":\"5\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_each_event_between_two_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"80\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"10000\",\"uniqueId\""
          ":\"e2\"}]}]}",
          "16.142" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"0\",\"uniq"
          "ueId\":\"e0\"}]}]}",
          "1.75" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"2.9"
                     "9\",\"eventMinimum\":\"1.75\",\"eventMaximum\":\"12\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_each_event_after_what_is_free(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"10\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"80\",\"uniqueId\":\""
          "e2\"},{\"ts\":\"2026-06-04T00:00:00Z\",\"value\":\"10000\",\"uniqueId\":\"e3"
          "\"}]}]}",
          "13.794" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"30\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "0" },
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"-5\",\"uniqueId"
          "\":\"e1\"},{\"ts\":\"2026-06-03T00:00:00Z\",\"value\":\"31\",\"uniqueId\":\""
          "e2\"}]}]}",
          "3.5" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"freeEvents\":1,\"freeAmount\":\"30\",\"meter\":\"m\",\"model"
                     "\":\"percentage\",\"ratePercent\":\"2.99\",\"eventMinimum\":\"1.75\",\"event"
                     "Maximum\":\"12\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_each_event_with_its_fee(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"80\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "5.142" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"perEventFee\":\"1\",\"meter\":\"m\",\"model\":\"percentage\""
                     ",\"ratePercent\":\"2.99\",\"eventMinimum\":\"1.75\",\"eventMaximum\":\"12\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_each_event_with_one_bound(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
          "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"80\",\"uniqueId"
          "\":\"e1\"}]}]}",
          "4" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"10"
                     "\",\"eventMaximum\":\"3\"}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_free_events_go_by_time_and_id_not_by_arrival(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":100,\"uniqueId\":\"a\"}",
        "{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":7,\"uniqueId\":\"b\"}",
        "{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":3,\"uniqueId\":\"0\"}",
    };
    static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 } };
    for (size_t i = 0; i < 3; i++) {
        const int  *order = orders[i];
        Str         usage = str_print(arena, "{\"m\":[{\"events\":[%s,%s]},{\"events\":[%s]}]}",
                                      events[order[0]], events[order[1]], events[order[2]]);
        const Json *bill = rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\","
                                        "\"ratePercent\":10,\"freeEvents\":1,\"eventMaximum\":50}",
                                        ""),
                                str_terminated(arena, usage), "");
        assert_at(bill, "/lines/0/exactAmount", "1");
        assert_at(bill, "/lines/0/usage", "110");
        assert_at(bill, "/lines/0/steps/0/uniqueId", "a");
        assert_at(bill, "/lines/0/steps/0/free", "100");
        assert_at(bill, "/lines/0/steps/1/uniqueId", "b");
        assert_at(bill, "/lines/0/steps/2/ts", "2026-06-02T00:00:00Z");
    }
}

// "model" and more of a charge on m; n events of value 2, each with a cost of 0.5.
static const Json *many_events(const char *charge, size_t count)
{
    Text usage = text_open(arena);
    text_print(&usage, "{\"m\":[{\"events\":[");
    for (size_t i = 0; i < count; i++)
        text_print(&usage,
                   "%s{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":2,\"uniqueId\":\"%04zu\","
                   "\"properties\":{\"cost\":\"0.5\"}}",
                   i == 0 ? "" : ",", i);
    text_print(&usage, "]}]}");
    Str plan = str_print(arena, "{\"id\":\"c\",\"meter\":\"m\",%s}", charge);
    return rate(plan_of(str_terminated(arena, plan), ""), str_terminated(arena, text_str(&usage)),
                "");
}

static void test_a_hundred_events_have_steps_and_the_others_one(void **state)
{
    (void)state;
    static const char *const charges[] = {
        "\"model\":\"percentage\",\"ratePercent\":10,\"eventMinimum\":\"0.5\"",
        "\"model\":\"eventPrice\",\"property\":\"cost\"",
    };
    for (size_t i = 0; i < 2; i++) {
        const Json *bill = many_events(charges[i], 103);
        assert_at(bill, "/lines/0/exactAmount", "51.5");
        assert_at(bill, "/lines/0/steps/99/uniqueId", "0099");
        assert_at(bill, "/lines/0/steps/100/events", "3");
        assert_at(bill, "/lines/0/steps/100/amount", "1.5");
        assert_at(bill, "/lines/0/steps/101/op", "round");
        bill = many_events(charges[i], 100);
        assert_at(bill, "/lines/0/steps/100/op", "round");
    }
}

static void test_the_steps_of_a_share_of_events(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"freeEvents\":1,\"meter\":\"m\",\"model\":\"percentage\",\"ra"
                     "tePercent\":\"1\",\"perEventFee\":\"5\"}",
                     ""),
             "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"10\",\"uni"
             "queId\":\"e0\"},{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":\"20\",\"uniqueId"
             "\":\"e1\"}]}]}",
             "");
    assert_at(bill, "/lines/0/steps/0/op", "percent");
    assert_at(bill, "/lines/0/steps/0/quantity", "30");
    assert_at(bill, "/lines/0/steps/0/free", "10");
    assert_at(bill, "/lines/0/steps/0/amount", "0.2");
    assert_at(bill, "/lines/0/steps/1/op", "event");
    assert_at(bill, "/lines/0/steps/1/events", "2");
    assert_at(bill, "/lines/0/steps/1/due", "1");
    assert_at(bill, "/lines/0/steps/1/amount", "5");
}

static void test_percentages_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\"}", ERR_FIELD_REQUIRED,
                  "/plan/charges/0/ratePercent");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"-1"
                  "\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/ratePercent");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"1\""
                  ",\"freeEvents\":\"1.5\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/freeEvents");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"1\""
                  ",\"eventMinimum\":3,\"eventMaximum\":2}",
                  ERR_PLAN_INVALID, "/plan/charges/0/eventMinimum");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"1\""
                  ",\"eventMinimum\":3,\"included\":2}",
                  ERR_PLAN_INVALID, "/plan/charges/0/included");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":\"1\""
                  ",\"freeEvents\":3,\"divideBy\":2}",
                  ERR_PLAN_INVALID, "/plan/charges/0/divideBy");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"eventPrice\"}", ERR_FIELD_REQUIRED,
                  "/plan/charges/0/property");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"eventPrice\",\"property\":\"p\",\""
                  "roundQuantity\":{\"mode\":\"up\"}}",
                  ERR_PLAN_INVALID, "/plan/charges/0/roundQuantity");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_stairstep_is_the_fee_of_the_tier_that_holds),
        test_of(test_stairstep_at_zero),
        test_of(test_stairstep_tells_its_stair),
        test_of(test_a_stair_of_seats_is_shared_by_time),
        test_of(test_graduated_percentage),
        test_of(test_graduated_percentage_tells_its_rates),
        test_of(test_tiers_of_other_kinds_are_refused),
        test_of(test_a_share_of_the_sum),
        test_of(test_a_negative_share),
        test_of(test_a_free_amount_of_the_sum),
        test_of(test_a_fee_for_each_event),
        test_of(test_free_events_and_a_free_amount_take_the_smaller),
        test_of(test_free_events_alone),
        test_of(test_a_free_amount_with_fees),
        test_of(test_each_event_between_two_bounds),
        test_of(test_each_event_after_what_is_free),
        test_of(test_each_event_with_its_fee),
        test_of(test_each_event_with_one_bound),
        test_of(test_free_events_go_by_time_and_id_not_by_arrival),
        test_of(test_a_hundred_events_have_steps_and_the_others_one),
        test_of(test_the_steps_of_a_share_of_events),
        test_of(test_percentages_that_are_refused),
    };
    return cmocka_run_group_tests_name("price/shares", tests, NULL, NULL);
}
