// SPDX-License-Identifier: Apache-2.0
// Taxes worked by hand: exclusive, inclusive, both, four roundings, negative lines, and sums that
// hold whatever the lines are.
#include "in_arena.h"
#include "price/tax.h"

enum { RATES_MAX = 4, LINES_MAX = 40 };

typedef struct Made {
    TaxRate rates[RATES_MAX];
    TaxSum  sums[RATES_MAX];
    TaxLine lines[LINES_MAX];
    size_t  rate_count, count;
} Made;

static Made made;

static void rate(const char *percent, bool inclusive)
{
    TaxRate *added = &made.rates[made.rate_count++];
    *added = (TaxRate){ .id = str_of(percent), .inclusive = inclusive };
    assert_true(rational_parse(arena, str_of(percent), &added->percent));
}

// `rates`: a digit for each.
static void line(int64_t minor, const char *rates)
{
    TaxLine *added = &made.lines[made.count++];
    *added = (TaxLine){ .amount = { .minor = minor } };
    for (; *rates != '\0'; rates++)
        added->rates[added->rate_count++] = (size_t)(*rates - '0');
}

static Err *run(TaxRounding rounding)
{
    TaxQuery query = { .rounding = rounding, .rates = made.rates, .rate_count = made.rate_count };
    return tax_of(arena, &query, made.lines, made.count, made.sums);
}

static int begin(void **state)
{
    made = (Made){ 0 };
    return arena_begin(state);
}

#define test_tax(function) cmocka_unit_test_setup_teardown(function, begin, arena_end)

static void test_exclusive(void **state)
{
    (void)state;
    rate("12", false);
    rate("5", false);
    line(1000, "01");
    assert_null(run(TAX_BY_RATE));
    assert_int_equal(made.lines[0].taxes[0], 120);
    assert_int_equal(made.lines[0].taxes[1], 50);
    assert_int_equal(made.lines[0].tax, 170);
    assert_int_equal(made.lines[0].net, 1000);
    assert_int_equal(made.sums[0].net, 1000);
}

static void test_inclusive(void **state)
{
    (void)state;
    rate("19", true);
    line(11900, "0");
    line(1000, "0");  // 1000 x 19 / 119 = 159.66
    assert_null(run(TAX_BY_LINE));
    assert_int_equal(made.lines[0].net, 10000);
    assert_int_equal(made.lines[0].tax, 1900);
    assert_int_equal(made.lines[1].net, 840);
    assert_int_equal(made.lines[1].tax, 160);
    assert_int_equal(made.sums[0].net, 10840);
    assert_int_equal(made.sums[0].tax, 2060);
}

// 126.00 with 5 % within: 120.00; 10 % on top of it: 12.00.
static void test_inclusive_and_exclusive(void **state)
{
    (void)state;
    rate("5", true);
    rate("10", false);
    line(12600, "01");
    assert_null(run(TAX_BY_LINE_RATE));
    assert_int_equal(made.lines[0].net, 12000);
    assert_int_equal(made.lines[0].taxes[0], 600);
    assert_int_equal(made.lines[0].taxes[1], 1200);
    assert_int_equal(made.lines[0].tax, 1800);
}

static void test_two_inclusive_rates(void **state)
{
    (void)state;
    rate("7", true);
    rate("3", true);
    line(11000, "01");  // 110 holds 7 and 3 of 100
    assert_null(run(TAX_BY_RATE));
    assert_int_equal(made.lines[0].net, 10000);
    assert_int_equal(made.lines[0].taxes[0], 700);
    assert_int_equal(made.lines[0].taxes[1], 300);
}

// Three lines of 0.33 at 10 %: 3.3 cents each, 9.9 together.
static void test_roundings(void **state)
{
    (void)state;
    static const struct {
        TaxRounding rounding;
        int64_t     lines[3], sum;
    } rows[] = {
        { TAX_BY_RATE, { 4, 3, 3 }, 10 },
        { TAX_BY_LINE, { 3, 3, 3 }, 9 },
        { TAX_BY_LINE_RATE, { 3, 3, 3 }, 9 },
        { TAX_BY_INVOICE, { 4, 3, 3 }, 10 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made = (Made){ 0 };
        rate("10", false);
        for (int k = 0; k < 3; k++)
            line(33, "0");
        assert_null(run(rows[i].rounding));
        for (int k = 0; k < 3; k++)
            assert_int_equal(made.lines[k].tax, rows[i].lines[k]);
        assert_int_equal(made.sums[0].tax, rows[i].sum);
    }
}

// 0.05 at 5 % and 5 %: 0.25 cents each. Each rounds to 0; the line's 0.5 cents to 1; two lines of
// them to 1 together by invoice, 0.5 a rate to 1 each by rate.
static void test_roundings_of_two_rates(void **state)
{
    (void)state;
    static const struct {
        TaxRounding rounding;
        int64_t     sum;
    } rows[] = {
        { TAX_BY_RATE, 2 }, { TAX_BY_LINE, 2 }, { TAX_BY_LINE_RATE, 0 }, { TAX_BY_INVOICE, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made = (Made){ 0 };
        rate("5", false);
        rate("5", false);
        line(5, "01");
        line(5, "01");
        assert_null(run(rows[i].rounding));
        assert_int_equal(made.sums[0].tax + made.sums[1].tax, rows[i].sum);
    }
}

static void test_negative_lines(void **state)
{
    (void)state;
    rate("10", false);
    line(1000, "0");
    line(-5, "0");  // -0.5 cents
    line(-995, "0");
    assert_null(run(TAX_BY_RATE));
    assert_int_equal(made.sums[0].tax, 0);
    assert_int_equal(made.lines[0].tax + made.lines[1].tax + made.lines[2].tax, 0);
    assert_null(run(TAX_BY_LINE));
    assert_int_equal(made.lines[0].tax, 100);
    assert_int_equal(made.lines[1].tax, -1);
    assert_int_equal(made.lines[2].tax, -100);  // -99.5
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(run(TAX_BY_RATE));
    rate("20", false);
    line(100, "");
    assert_null(run(TAX_BY_INVOICE));
    assert_int_equal(made.lines[0].tax, 0);
    assert_int_equal(made.lines[0].net, 100);
    assert_int_equal(made.sums[0].tax, 0);
}

// Whatever lines there are: taxes of lines, of rates and of the invoice sum to one another, and
// what is rounded once is within half a unit of what it is exactly.
static void test_sums_hold(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 200; round++) {
        made = (Made){ 0 };
        rate("19", false);
        rate("7.25", round % 2 == 0);
        rate("1/3", false);
        for (int i = 0; i < 17; i++) {
            static const char *const sets[] = { "", "0", "1", "01", "012", "2" };
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            line((int64_t)(seed >> 44) - 300000, sets[(seed >> 33) % 6]);
        }
        for (int rounding = 0; rounding < TAX_ROUNDING_COUNT; rounding++) {
            int64_t lines = 0, rates = 0;
            assert_null(run((TaxRounding)rounding));
            for (size_t i = 0; i < made.count; i++)
                lines += made.lines[i].tax;
            for (size_t i = 0; i < made.rate_count; i++)
                rates += made.sums[i].tax;
            assert_int_equal(lines, rates);
        }
    }
}

static void test_too_large(void **state)
{
    (void)state;
    static const struct {
        const char *percents[2];
        int64_t     lines[3];
        const char *rates;
        TaxRounding rounding;
    } rows[] = {
        { { "100" }, { INT64_MAX, INT64_MAX }, "0", TAX_BY_RATE },
        { { "100" }, { INT64_MAX, INT64_MAX }, "0", TAX_BY_LINE },
        { { "1" }, { INT64_MAX, INT64_MAX }, "0", TAX_BY_LINE },  // the sum of the nets
        { { "100" }, { INT64_MIN }, "0", TAX_BY_LINE },  // has no opposite
        { { "200" }, { INT64_MAX, 1 }, "0", TAX_BY_LINE },
        { { "200" }, { INT64_MAX, -INT64_MAX }, "0", TAX_BY_RATE },  // but the sum is 0
        { { "100" }, { -INT64_MAX, INT64_MAX, INT64_MAX }, "0", TAX_BY_RATE },
        { { "100", "100" }, { INT64_MAX }, "01", TAX_BY_LINE_RATE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made = (Made){ 0 };
        for (int k = 0; k < 2 && rows[i].percents[k] != NULL; k++)
            rate(rows[i].percents[k], false);
        for (int k = 0; k < 3 && rows[i].lines[k] != 0; k++)
            line(rows[i].lines[k], rows[i].rates);
        Err *err = run(rows[i].rounding);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    }
}

static void test_names(void **state)
{
    (void)state;
    TaxRounding rounding;
    assert_true(tax_rounding_find(STR("lineRate"), &rounding));
    assert_int_equal(rounding, TAX_BY_LINE_RATE);
    assert_false(tax_rounding_find(STR("sum"), &rounding));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_tax(test_exclusive),
        test_tax(test_inclusive),
        test_tax(test_inclusive_and_exclusive),
        test_tax(test_two_inclusive_rates),
        test_tax(test_roundings),
        test_tax(test_roundings_of_two_rates),
        test_tax(test_negative_lines),
        test_tax(test_nothing),
        test_tax(test_sums_hold),
        test_tax(test_too_large),
        test_tax(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
