// SPDX-License-Identifier: Apache-2.0
// The algebra of a bill: discounts, maximum, minimum, commitment, included credits, and the
// equations that hold to the minor unit whatever is put together.
#include "asking.h"
#include "base/random.h"
#include "money/rounding.h"

#define M "{\"id\":\"m\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"1\"}"
#define N "{\"id\":\"n\",\"meter\":\"n\",\"model\":\"perUnit\",\"unitPrice\":\"1\"}"
#define BASE "{\"id\":\"base\",\"model\":\"flat\",\"amount\":\"30\"}"

static const Json *bill_of(const char *charges, const char *plan_more, const char *usage)
{
    return rate(plan_of(charges, plan_more), usage, "");
}

static void test_discounts_apply_as_listed_each_on_what_is_left(void **state)
{
    (void)state;
    const Json *bill =
        bill_of(M "," N,
                ",\"discounts\":[{\"id\":\"a\",\"percent\":\"10\"},{\"id\":\"b\",\"amount\":\"5\","
                "\"charges\":[\"m\"]},{\"id\":\"c\",\"percent\":\"50\"}]",
                "{\"m\":\"10.05\",\"n\":\"20\"}");
    // 30.05 - 3.01 - 5.00 = 22.04, half of it 11.02
    assert_at(bill, "/total", "11.02");
    assert_at(bill, "/discounts", "-19.03");
    assert_at(bill, "/lines/0/steps/2/op", "discount");
    assert_at(bill, "/lines/0/steps/2/base", "30.05");
    assert_at(bill, "/lines/0/steps/2/discount", "3.01");
    assert_at(bill, "/lines/0/steps/2/share", "1.01");
    assert_at(bill, "/lines/1/steps/2/share", "2.00");
}

static void test_a_discount_takes_no_more_than_is_there(void **state)
{
    (void)state;
    const Json *bill =
        bill_of(M "," N, ",\"discounts\":[{\"id\":\"a\",\"amount\":\"500\",\"charges\":[\"m\"]}]",
                "{\"m\":\"7.77\",\"n\":\"1\"}");
    assert_at(bill, "/lines/0/net", "0.00");
    assert_at(bill, "/total", "1.00");
    assert_at(bill_of(M, ",\"discounts\":[{\"id\":\"a\",\"percent\":100}]", "{\"m\":\"7.77\"}"),
              "/total", "0.00");
    assert_at(bill_of(M, ",\"discounts\":[{\"id\":\"a\",\"percent\":100}]", "{\"m\":\"0\"}"),
              "/total", "0.00");
}

static void test_a_discount_lasts_its_periods(void **state)
{
    (void)state;
    static const struct {
        const char *active_from, *starts_at, *total;
    } rows[] = {
        { "2026-06-01T00:00:00Z", NULL, "50.00" },
        { "2026-05-20T00:00:00Z", NULL, "50.00" },
        { "2026-04-30T00:00:00Z", NULL, "100.00" },
        { "2026-01-15T00:00:00Z", "2026-04-01T00:00:00Z", "100.00" },
        { "2026-01-15T00:00:00Z", "2026-04-01T00:00:00.000001Z", "50.00" },
        { "2026-01-15T00:00:00Z", "2026-06-01T00:00:00Z", "50.00" },
        { "2026-01-15T00:00:00Z", "2026-06-01T00:00:01Z", "100.00" },
        { "2026-06-01T00:00:00Z", "2026-01-01T00:00:00Z", "50.00" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Str         starts = rows[i].starts_at == NULL
                                 ? STR("")
                                 : str_print(arena, ",\"startsAt\":\"%s\"", rows[i].starts_at);
        Str         more = str_print(arena,
                                     ",\"discounts\":[{\"id\":\"a\",\"percent\":50,"
                                             "\"periods\":2%.*s}]",
                                     STR_ARG(starts));
        Str         active = str_print(arena, ",\"activeFrom\":\"%s\"", rows[i].active_from);
        const Json *bill = rate(plan_of(M, str_terminated(arena, more)), "{\"m\":100}",
                                str_terminated(arena, active));
        assert_at(bill, "/total", rows[i].total);
    }
}

static void test_a_maximum_is_a_discount_of_its_lines(void **state)
{
    (void)state;
    const Json *bill = bill_of("{\"id\":\"m\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":"
                               "\"1\",\"maximum\":\"10\"}," N,
                               ",\"maximum\":{\"amount\":\"25\"}",
                               "{\"m\":\"12.50\",\"n\":\"20\"}");
    assert_at(bill, "/lines/0/amount", "12.50");
    assert_at(bill, "/lines/0/steps/2/op", "maximum");
    assert_at(bill, "/lines/0/steps/2/share", "2.50");
    assert_at(bill, "/total", "25.00");
    assert_at(bill, "/subtotal", "32.50");
}

static void test_a_percentage_comes_before_a_maximum(void **state)
{
    (void)state;
    const Json *bill = bill_of("{\"id\":\"m\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":"
                               "\"10\",\"maximum\":\"100\"}",
                               ",\"discounts\":[{\"id\":\"half\",\"percent\":50}]",
                               "{\"m\":\"27\"}");
    assert_at(bill, "/total", "100.00");
    assert_at(bill, "/discounts", "-170.00");
}

static void test_a_minimum_is_a_line_behind_its_charge(void **state)
{
    (void)state;
    const Json *bill = bill_of("{\"id\":\"m\",\"name\":\"Calls\",\"meter\":\"m\",\"model\":"
                               "\"perUnit\",\"unitPrice\":\"1\",\"minimum\":\"10\"}," N,
                               ",\"minimum\":{\"amount\":\"25.005\"}", "{\"m\":\"4\",\"n\":\"1\"}");
    assert_at(bill, "/lines/1/kind", "minimum");
    assert_at(bill, "/lines/1/charge", "m");
    assert_at(bill, "/lines/1/description", "Calls, minimum");
    assert_at(bill, "/lines/1/amount", "6.00");
    assert_at(bill, "/lines/3/kind", "minimum");
    assert_int_equal(at(bill, "/lines/3/charge")->kind, JSON_NULL);
    assert_at(bill, "/lines/3/exactAmount", "14.005");
    assert_at(bill, "/lines/3/amount", "14.01");
    assert_at(bill, "/total", "25.01");
}

static void test_bounds_of_each_group(void **state)
{
    (void)state;
    const Json *bill = bill_of(
        "{\"id\":\"m\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"1\",\"groupBy\":["
        "\"r\"],"
        "\"minimumPerGroup\":\"5\",\"maximumPerGroup\":\"8\",\"maximum\":\"20\"}",
        "",
        "{\"m\":[{\"group\":{\"r\":\"a\"},\"quantity\":3},{\"group\":{\"r\":\"b\"},\"quantity\":9},"
        "{\"group\":{\"r\":\"c\"},\"quantity\":\"8\"}]}");
    // a 3 + 2, b 9 - 1, c 8: 21, less 1
    assert_at(bill, "/lines/1/kind", "minimum");
    assert_at(bill, "/lines/1/group/r", "a");
    assert_at(bill, "/lines/1/amount", "2.00");
    assert_at(bill, "/lines/2/group/r", "b");
    assert_at(bill, "/total", "20.00");
}

static void test_commitments(void **state)
{
    (void)state;
    static const struct {
        const char *used, *more, *total, *last_kind;
    } rows[] = {
        { "50", "", "100.00", "trueUp" },
        { "125", "", "100.00", "usage" },
        { "250", "", "200.00", "usage" },
        { "50", ",\"trueUp\":false", "40.00", "usage" },
        { "225", ",\"overageFactor\":\"1.5\"", "250.00", "overage" },
        { "225", ",\"overageFactor\":\"1\"", "200.00", "usage" },
        { "225", ",\"overageFactor\":\"0.5\"", "150.00", "usage" },
        { "225", ",\"overageFactor\":\"0\"", "100.00", "usage" },
        { "125", ",\"overageFactor\":\"2\"", "100.00", "usage" },
        { "0", "", "100.00", "trueUp" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Str         more = str_print(arena,
                                     ",\"commitment\":{\"amount\":\"100\","
                                             "\"discountPercent\":\"20\"%s}",
                                     rows[i].more);
        Str         usage = str_print(arena, "{\"m\":\"%s\"}", rows[i].used);
        const Json *bill = bill_of(M, str_terminated(arena, more), str_terminated(arena, usage));
        const Json *last = at(bill, "/lines")->first;
        while (last->next != NULL)
            last = last->next;
        assert_at(bill, "/total", rows[i].total);
        assert_at(last, "/kind", rows[i].last_kind);
    }
}

static void test_18_percent_off_23168_52_is_18998_19(void **state)
{
    (void)state;
    const Json *bill = bill_of(M,
                               ",\"commitment\":{\"amount\":\"10000\",\"discountPercent\":\"18\"}",
                               "{\"m\":\"23168.52\"}");
    assert_at(bill, "/lines/0/amount", "23168.52");
    assert_at(bill, "/lines/0/net", "18998.19");
    assert_at(bill, "/lines/0/steps/2/op", "commitment");
}

static void test_a_commitment_counts_metered_lines_only_or_those_it_names(void **state)
{
    (void)state;
    assert_at(
        bill_of(M "," N "," BASE, ",\"commitment\":{\"amount\":\"100\"}", "{\"m\":40,\"n\":50}"),
        "/total", "130.00");
    assert_at(bill_of(M "," N "," BASE, ",\"commitment\":{\"amount\":\"100\",\"charges\":[\"n\"]}",
                      "{\"m\":40,\"n\":50}"),
              "/total", "170.00");
}

static void test_the_true_up_counts_toward_the_minimum(void **state)
{
    (void)state;
    const Json *bill = bill_of(
        M, ",\"commitment\":{\"amount\":\"100\"},\"minimum\":{\"amount\":\"120\"}", "{\"m\":10}");
    assert_at(bill, "/lines/1/kind", "trueUp");
    assert_at(bill, "/lines/1/amount", "90.00");
    assert_at(bill, "/lines/2/kind", "minimum");
    assert_at(bill, "/lines/2/amount", "20.00");
}

static void test_included_credits_are_the_last_discount(void **state)
{
    (void)state;
    const Json *bill =
        bill_of(M "," BASE, ",\"includedCredits\":{\"amount\":\"50\"}", "{\"m\":\"30\"}");
    assert_at(bill, "/total", "10.00");
    assert_at(bill, "/lines/0/discount", "-25.00");
    assert_at(bill, "/lines/0/steps/2/id", "includedCredits");
    assert_at(bill_of(M, ",\"includedCredits\":{\"amount\":\"50\"}", "{\"m\":\"30\"}"), "/total",
              "0.00");
    assert_at(bill_of(M, ",\"minimum\":{\"amount\":\"80\"},\"includedCredits\":{\"amount\":\"50\"}",
                      "{\"m\":\"30\"}"),
              "/total", "30.00");
}

static void test_amounts_of_the_plan_are_prorated(void **state)
{
    (void)state;
    char *plan = plan_of(M, ",\"minimum\":{\"amount\":\"100\"}");
    assert_at(rate(plan, "{\"m\":\"1\"}", ",\"activeFrom\":\"2026-06-21T00:00:00Z\""),
              "/lines/1/exactAmount", "97/3");
    assert_at(rate(plan, "{\"m\":\"1\"}", ",\"activeFrom\":\"2026-06-21T00:00:00Z\""), "/total",
              "33.33");
    plan = plan_of(M, ",\"minimum\":{\"amount\":\"100\",\"prorate\":\"none\"}");
    assert_at(rate(plan, "{\"m\":\"1\"}", ",\"activeFrom\":\"2026-06-21T00:00:00Z\""), "/total",
              "100.00");
    plan =
        plan_of(M, ",\"commitment\":{\"amount\":\"100\"},\"includedCredits\":{\"amount\":\"30\"}");
    assert_at(rate(plan, "{\"m\":\"1\"}", ",\"activeTo\":\"2026-06-16T00:00:00Z\""), "/total",
              "35.00");
}

static void test_a_running_period_shows_what_is_provisional(void **state)
{
    (void)state;
    char *plan = plan_of(
        M "," BASE ",{\"id\":\"ahead\",\"model\":\"flat\",\"amount\":\"7\",\"timing\":\"advance\"}",
        ",\"minimum\":{\"amount\":\"100\"}");
    const Json *bill = rate(plan, "{\"m\":\"5\"}", ",\"at\":\"2026-06-15T00:00:00Z\"");
    assert_at(bill, "/total", "100.00");
    assert_at(bill, "/accrued", "12.00");
    assert_int_equal(at(bill, "/lines/0/provisional")->kind, JSON_FALSE);
    assert_int_equal(at(bill, "/lines/1/provisional")->kind, JSON_TRUE);
    assert_int_equal(at(bill, "/lines/2/provisional")->kind, JSON_FALSE);
    assert_int_equal(at(bill, "/lines/3/provisional")->kind, JSON_TRUE);
    assert_at(rate(plan, "{\"m\":\"5\"}", ",\"at\":\"2026-07-01T00:00:00Z\""), "/accrued",
              "100.00");
}

// ---- what holds for every bill

static Int128 minor(const Json *json, const char *pointer)
{
    Decimal number;
    assert_true(decimal_parse(at(json, pointer)->text, DECIMAL_WHOLE_DIGITS, &number));
    assert_true(number.e12 % 10000000000 == 0);
    return number.e12 / 10000000000;
}

// What stands before `round` sums to what is rounded.
static void check_parts(const Json *line)
{
    Rational sum = rational_zero(), part;
    for (const Json *step = at(line, "/steps")->first; step != NULL; step = step->next) {
        if (str_equal(at(step, "/op")->text, STR("round"))) {
            assert_string_equal(str_terminated(arena, rational_print(arena, sum)),
                                str_terminated(arena, at(step, "/exact")->text));
            return;
        }
        if (at(step, "/amount") != NULL) {
            assert_true(rational_parse(arena, at(step, "/amount")->text, &part));
            sum = rational_add(arena, sum, part);
        }
    }
    fail_msg("a line without a round step");
}

// The steps replay into the line: round gives the amount, shares give the discount.
static void check_line(const Json *line)
{
    Int128 amount = 0, discount = 0;
    check_parts(line);
    for (const Json *step = at(line, "/steps")->first; step != NULL; step = step->next) {
        if (str_equal(at(step, "/op")->text, STR("round"))) {
            assert_true(str_equal(at(step, "/exact")->text, at(line, "/exactAmount")->text));
            amount = minor(step, "/amount");
        }
        if (at(step, "/share") != NULL && !str_equal(at(step, "/op")->text, STR("segment")))
            discount -= minor(step, "/share");
    }
    assert_true(amount == minor(line, "/amount"));
    assert_true(discount == minor(line, "/discount"));
    assert_true(minor(line, "/net") == amount + discount);
    assert_true(minor(line, "/discount") <= 0);
    assert_true(minor(line, "/net") >= 0);
}

static void check_equations(const Json *bill)
{
    Int128 subtotal = 0, discounts = 0;
    for (const Json *line = at(bill, "/lines")->first; line != NULL; line = line->next) {
        check_line(line);
        subtotal += minor(line, "/amount");
        discounts += minor(line, "/discount");
    }
    assert_true(minor(bill, "/subtotal") == subtotal);
    assert_true(minor(bill, "/discounts") == discounts);
    assert_true(minor(bill, "/total") == subtotal + discounts + minor(bill, "/tax"));
    assert_true(minor(bill, "/amountDue") == minor(bill, "/total") + minor(bill, "/credits"));
}

static Str cents(Seeded *seeded, uint64_t most)
{
    uint64_t number = 1 + seeded_below(seeded, most);
    return str_print(arena, "%lu.%02lu", number / 100, number % 100);
}

#define SEATS                                                                                      \
    "{\"id\":\"seats\",\"quantity\":\"seats\",\"model\":\"graduated\",\"prorate\":\"second\","     \
    "\"included\":1,\"tiers\":[{\"upTo\":5,\"unitPrice\":\"1.11\",\"flatFee\":\"0.5\"},"           \
    "{\"packageSize\":2,\"packagePrice\":\"1.5\",\"flatFee\":3}]}"
#define SEATS_HELD                                                                                 \
    ",\"quantities\":{\"seats\":[{\"from\":\"2026-05-01T00:00:00Z\",\"value\":3},"                 \
    "{\"from\":\"2026-06-08T07:06:05Z\",\"value\":\"9.5\"},"                                       \
    "{\"from\":\"2026-06-18T00:00:00Z\",\"value\":0}]}"

static Str random_plan(Seeded *seeded)
{
    Text text = text_open(arena);
    text_print(&text, "{\"currency\":\"USD\",\"charges\":[");
    for (int i = 0; i < 4; i++) {
        text_print(
            &text,
            "%s{\"id\":\"c%d\",\"meter\":\"m%d\",\"model\":\"perUnit\",\"unitPrice\":\"0.%03lu\"",
            i > 0 ? "," : "", i, i, seeded_below(seeded, 1000));
        if (seeded_below(seeded, 3) == 0)
            text_print(&text, ",\"maximum\":\"%.*s\"", STR_ARG(cents(seeded, 5000)));
        else if (seeded_below(seeded, 3) == 0)
            text_print(&text, ",\"minimum\":\"%.*s\"", STR_ARG(cents(seeded, 5000)));
        text_add_char(&text, '}');
    }
    text_print(
        &text,
        "," BASE "," SEATS
        "],\"discounts\":[{\"id\":\"a\",\"percent\":\"%.*s\"},{\"id\":\"b\",\"amount\":\"%.*s\","
        "\"charges\":[\"c1\",\"c2\"]}]",
        STR_ARG(cents(seeded, 10000)), STR_ARG(cents(seeded, 3000)));
    text_print(&text, ",\"rounding\":\"%s\"",
               rounding_name((Rounding)seeded_below(seeded, ROUNDING_COUNT)));
    if (seeded_below(seeded, 2) == 0)
        text_print(&text, ",\"commitment\":{\"amount\":\"%.*s\",\"discountPercent\":\"%.*s\"%s}",
                   STR_ARG(cents(seeded, 9000)), STR_ARG(cents(seeded, 9900)),
                   seeded_below(seeded, 2) == 0 ? ",\"overageFactor\":\"0.77\"" : "");
    if (seeded_below(seeded, 2) == 0)
        text_print(&text, ",\"minimum\":{\"amount\":\"%.*s\"}", STR_ARG(cents(seeded, 9000)));
    text_print(&text, ",\"includedCredits\":{\"amount\":\"%.*s\"}}", STR_ARG(cents(seeded, 3000)));
    return text_str(&text);
}

static void test_the_equations_hold_for_random_plans(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(2026);
    for (int i = 0; i < 1500; i++) {
        Text usage = text_open(arena);
        for (int k = 0; k < 4; k++)
            text_print(&usage, "%c\"m%d\":\"%lu.%lu\"", k == 0 ? '{' : ',', k,
                       seeded_below(&seeded, 200), seeded_below(&seeded, 1000));
        text_add_char(&usage, '}');
        Str active = str_print(arena, SEATS_HELD ",\"activeFrom\":\"2026-06-%02luT00:00:00Z\"",
                               1 + seeded_below(&seeded, 29));
        const Json *bill = rate(str_terminated(arena, random_plan(&seeded)),
                                str_terminated(arena, text_str(&usage)),
                                str_terminated(arena, active));
        check_equations(bill);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_discounts_apply_as_listed_each_on_what_is_left),
        test_of(test_a_discount_takes_no_more_than_is_there),
        test_of(test_a_discount_lasts_its_periods),
        test_of(test_a_maximum_is_a_discount_of_its_lines),
        test_of(test_a_percentage_comes_before_a_maximum),
        test_of(test_a_minimum_is_a_line_behind_its_charge),
        test_of(test_bounds_of_each_group),
        test_of(test_commitments),
        test_of(test_18_percent_off_23168_52_is_18998_19),
        test_of(test_a_commitment_counts_metered_lines_only_or_those_it_names),
        test_of(test_the_true_up_counts_toward_the_minimum),
        test_of(test_included_credits_are_the_last_discount),
        test_of(test_amounts_of_the_plan_are_prorated),
        test_of(test_a_running_period_shows_what_is_provisional),
        test_of(test_the_equations_hold_for_random_plans),
    };
    return cmocka_run_group_tests_name("price/bill", tests, NULL, NULL);
}
