// SPDX-License-Identifier: Apache-2.0
// Amounts at the edge of 63 bits wherever one is made, inputs that no request can give, and the
// frame around a bill.
#include "asking.h"
#include "price/price.h"

#define API "{\"id\":\"api\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,"
#define MOST "\"92233720368547758.07\""
#define HUGE_PRICE "\"100000000000000000\"" // of one: beyond 63 bits of cents

static void check_too_large(const char *plan, const char *usage, const char *more)
{
    Text out = text_open(arena);
    Err *err = try_rate(request_text(plan, usage, more), &out);
    if (err == NULL)
        fail_msg("it is priced: %s", plan);
    if (err->code != ERR_AMOUNT_TOO_LARGE)
        fail_msg("%.*s: %.*s", STR_ARG(err->pointer), STR_ARG(err->detail));
}

static void test_amounts_that_are_too_large(void **state)
{
    (void)state;
    static const struct {
        const char *charges, *more, *usage;
    } rows[] = {
        // one line of each kind
        { "{\"id\":\"f\",\"model\":\"flat\",\"amount\":" HUGE_PRICE "}", "", "{}" },
        { "{\"id\":\"x\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"a\"],\"cells\":[{"
          "\"when\":{\"a\":\"b\"},\"unitPrice\":1}],\"defaultUnitPrice\":" HUGE_PRICE "}",
          "", "{\"m\":[{\"group\":{\"a\":\"c\"},\"quantity\":1}]}" },
        { "{\"id\":\"f\",\"model\":\"flat\",\"amount\":\"90000000000000000\"},{\"id\":\"p\","
          "\"model\":\"percentOf\",\"charges\":[\"f\"],\"ratePercent\":200}",
          "", "{}" },
        // what together is too large
        { "{\"id\":\"f\",\"model\":\"flat\",\"amount\":" MOST "},{\"id\":\"g\",\"model\":\"flat\","
          "\"amount\":\"0.01\"}",
          "", "{}" },
        { API "\"allowNegative\":true}", "", "{\"m\":\"-92233720368547758.08\"}" },
        // what is missing to an amount
        { API "\"minimum\":" HUGE_PRICE "}", "", "{\"m\":1}" },
        { API "\"groupBy\":[\"a\"],\"minimumPerGroup\":" HUGE_PRICE "}", "",
          "{\"m\":[{\"group\":{"
          "\"a\":\"b\"},\"quantity\":1}]}" },
        { API "\"name\":\"x\"}", ",\"minimum\":{\"amount\":" HUGE_PRICE "}", "{\"m\":1}" },
        { API "\"name\":\"x\"}", ",\"commitment\":{\"amount\":" HUGE_PRICE "}", "{\"m\":1}" },
        { API "\"name\":\"x\"}", ",\"commitment\":{\"amount\":1,\"overageFactor\":9}",
          "{\"m\":\"20000000000000000\"}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_too_large(plan_of(rows[i].charges, rows[i].more), rows[i].usage, "");
    check_too_large(plan_of(API "\"name\":\"x\"}", ",\"commitment\":{\"amount\":1,\"term\":{"
                                                   "\"every\":2,\"unit\":\"month\"}}"),
                    "{\"m\":1}", ",\"committed\":{\"list\":1,\"net\":" MOST "}");
}

static void test_amounts_that_just_fit(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"f\",\"model\":\"flat\",\"amount\":" MOST "}",
                     ",\"maximum\":{\"amount\":" HUGE_PRICE "},\"discounts\":[{\"id\":\"d\","
                     "\"percent\":100}]"),
             "{}", "");
    assert_at(bill, "/subtotal", "92233720368547758.07");
    assert_at(bill, "/total", "0.00");
}

static void test_bounds_of_cents(void **state)
{
    (void)state;
    // a maximum of half a cent more than what there is, and of half a cent less
    const Json *bill = rate(plan_of(API "\"maximum\":\"9.996\"}", ""), "{\"m\":10}", "");
    assert_at(bill, "/total", "10.00");
    assert_null(at(bill, "/lines/0/steps/2"));
    bill = rate(plan_of(API "\"maximum\":\"10.004\"}", ""), "{\"m\":10}", "");
    assert_at(bill, "/total", "10.00");
    bill = rate(plan_of(API "\"maximum\":\"9.994\"}", ""), "{\"m\":10}", "");
    assert_at(bill, "/total", "9.99");
}

static void test_bounds_of_groups(void **state)
{
    (void)state;
    static const char usage[] = "{\"m\":[{\"group\":{\"a\":\"x\"},\"quantity\":3},{\"group\":{"
                                "\"a\":\"y\"},\"quantity\":8}]}";
    const Json       *bill =
        rate(plan_of(API "\"groupBy\":[\"a\"],\"minimumPerGroup\":5}", ""), usage, "");
    assert_at(bill, "/total", "13.00");
    bill = rate(plan_of(API "\"groupBy\":[\"a\"],\"maximumPerGroup\":5}", ""), usage, "");
    assert_at(bill, "/total", "8.00");
    bill = rate(plan_of(API "\"groupBy\":[\"a\"],\"minimum\":5}", ""), "{}", "");
    assert_at(bill, "/total", "5.00");
}

// Rounded up, the overage that costs nothing comes to a cent more than the discount left.
static void test_no_more_is_taken_off_than_there_is(void **state)
{
    (void)state;
    const Json *bill = rate(plan_of(API "\"name\":\"x\"}",
                                    ",\"rounding\":\"up\",\"commitment\":{\"amount\":\"0.0001\","
                                    "\"discountPercent\":98,\"overageFactor\":0}"),
                            "{\"m\":1}", "");
    assert_at(bill, "/total", "0.01");
    assert_at(bill, "/lines/0/net", "0.00");
    assert_at(bill, "/lines/1/kind", "trueUp");
}

// ---- inputs of the function itself

static Plan *read_plan(const char *text)
{
    Faults faults = { .arena = arena };
    Plan  *plan = plan_from_json(json_of(str_of(text)), STR(""), STR_NONE, &faults);
    if (plan == NULL)
        fail_msg("%.*s: %.*s", STR_ARG(faults.first->pointer), STR_ARG(faults.first->detail));
    return plan;
}

static Span june(void)
{
    Instant start = { 1780272000 * INSTANT_SECOND_US };
    return (Span){ start, { start.us + 30 * INSTANT_DAY_US } };
}

static PriceInputs inputs_of(const Plan *plan, const ChargeUsage *usage)
{
    return (PriceInputs){ .service = june(),
                          .full = june(),
                          .at = june().end,
                          .start = june().start,
                          .zone = zone_utc(),
                          .parts = price_parts_whole(arena, plan, usage, june(), june()) };
}

static void test_a_quantity_that_is_not_given(void **state)
{
    (void)state;
    static const char *const charges[] = {
        "{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":1}",
        API "\"included\":{\"perUnit\":\"seats\",\"amount\":1}}",
        API "\"groupBy\":[\"a\"],\"includedPerGroup\":{\"perUnit\":\"seats\",\"amount\":1}}",
    };
    Str             text = STR("x");
    GroupUsage      group = { .values = &text, .usage = rational_one() };
    ChargeUsage     usage = { &group, 1 };
    QuantityHistory other = { .name = STR("others") };
    for (size_t i = 0; i < 3; i++) {
        Plan       *plan = read_plan(plan_of(charges[i], ""));
        PriceInputs inputs = inputs_of(plan, &usage);
        Bill        bill;
        Err        *err = price_bill(arena, plan, &inputs, &bill);
        assert_int_equal(err->code, ERR_FIELD_REQUIRED);
        assert_string_equal(str_terminated(arena, err->pointer), "/quantities/seats");
        inputs.quantities = &other;
        inputs.quantity_count = 1;
        err = price_bill(arena, plan, &inputs, &bill);
        assert_int_equal(err->code, ERR_FIELD_REQUIRED);
    }
}

static void test_a_fee_that_was_due_once(void **state)
{
    (void)state;
    Plan *plan =
        read_plan(plan_of("{\"id\":\"f\",\"model\":\"flat\",\"amount\":5,\"oneTime\":true}", ""));
    ChargeUsage none = { 0 };
    PriceInputs inputs = inputs_of(plan, &none);
    Bill        bill;
    inputs.index = 1;
    assert_null(price_bill(arena, plan, &inputs, &bill));
    assert_int_equal(bill.count, 0);
}

static void test_terms_of_weeks(void **state)
{
    (void)state;
    Plan        *plan = read_plan(plan_of(API "\"bill\":\"period\"}",
                                          ",\"period\":{\"unit\":\"week\"},\"commitment\":{"
                                          "\"amount\":1,\"term\":{\"every\":28,\"unit\":"
                                          "\"day\"}}"));
    Instant      monday = { june().start.us }; // 1 June 2026
    Calendar     calendar = calendar_begin(arena, &plan->period, zone_utc(), monday);
    int64_t      week = 7 * INSTANT_DAY_US;
    Period       third = calendar_period_at(&calendar, (Instant){ monday.us + 2 * week });
    Span         active = { { monday.us + 1 }, INSTANT_END };
    TermProgress term = price_term_at(plan, &calendar, &third, active);
    assert_int_equal(term.full.start.us, monday.us);
    assert_int_equal(term.full.end.us, monday.us + 4 * week);
    assert_int_equal(term.service.start.us, monday.us + 1);
    assert_false(term.ends_here);
    active.end.us = monday.us + 2 * week + 5;
    term = price_term_at(plan, &calendar, &third, active);
    assert_int_equal(term.service.end.us, active.end.us);
    assert_true(term.ends_here);
}

// ---- the frame

static void test_the_frame_of_a_bill(void **state)
{
    (void)state;
    Plan       *plan = read_plan(plan_of(API "\"name\":\"x\"},{\"id\":\"f\",\"model\":\"flat\","
                                                   "\"amount\":1}",
                                         ""));
    GroupUsage  group = { .usage = rational_one(), .events = 3 };
    ChargeUsage usage[] = { { &group, 1 }, { 0 } };
    PriceInputs inputs = inputs_of(plan, usage);
    BillFrame   frame = { .subscription = STR("s"),
                          .account = STR("a"),
                          .plan_version = 4,
                          .sequence = STR("17"),
                          .rated_at = STR("now"),
                          .has_events = true };
    Text        text = text_open(arena);
    JsonOut     out = json_out(&text);
    Bill        bill;
    assert_null(price_bill(arena, plan, &inputs, &bill));
    bill.lines[1].plan_version = 5;
    bill_to_json(&bill, &frame, arena, &out);
    const Json *json = json_of(text_str(&text));
    assert_at(json, "/subscription", "s");
    assert_at(json, "/account", "a");
    assert_at(json, "/sequence", "17");
    assert_at(json, "/ratedAt", "now");
    assert_at(json, "/lines/0/planVersion", "4");
    assert_at(json, "/lines/1/planVersion", "5");
    assert_at(json, "/lines/0/events", "3");
    assert_int_equal(at(json, "/lines/0/digest")->text.length, 64);
    assert_int_equal(at(json, "/lines/1/digest")->kind, JSON_NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_amounts_that_are_too_large),
        test_of(test_amounts_that_just_fit),
        test_of(test_bounds_of_cents),
        test_of(test_bounds_of_groups),
        test_of(test_no_more_is_taken_off_than_there_is),
        test_of(test_a_quantity_that_is_not_given),
        test_of(test_a_fee_that_was_due_once),
        test_of(test_terms_of_weeks),
        test_of(test_the_frame_of_a_bill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
