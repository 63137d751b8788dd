// SPDX-License-Identifier: Apache-2.0
// What lines come to at the ends of 63 bits, and what credit may pay where some lines are below 0.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/issue_price.c"

enum { LINES = 2 };

typedef struct Case {
    int64_t amount[LINES], discount[LINES];
    bool    fits;
} Case;

static Currency usd(void)
{
    Currency currency;
    assert_true(currency_find(STR("USD"), &currency));
    return currency;
}

static void test_lines_of_more_than_63_bits(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    const Case  cases[] = {
        { { INT64_MAX, 0 }, { 0, 0 }, true },
        { { INT64_MAX, 1 }, { 0, 0 }, false },
        { { INT64_MIN, 0 }, { -1, 0 }, false },
        { { 0, 0 }, { INT64_MIN, -1 }, false },
        { { 5, 7 }, { -1, -2 }, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *one = &cases[i];
        IssueLine   lines[LINES];
        for (size_t k = 0; k < LINES; k++)
            lines[k] = (IssueLine){ .amount = { one->amount[k], usd() },
                                    .discount = { one->discount[k], usd() } };
        IssueDraft  draft = { .currency = usd(), .lines = lines, .count = LINES };
        IssuePriced priced = { .draft = &draft, .lines = arena_array(arena, TaxLine, LINES) };
        assert_int_equal(lines_begin(arena, &priced), one->fits);
        if (one->fits)
            assert_int_equal(priced.subtotal, one->amount[0] + one->amount[1]);
    }
}

typedef struct Sums {
    int64_t subtotal, discounts, restored;
    int64_t tax[LINES], included[LINES];
    bool    fits;
    int64_t total, to_balance;
} Sums;

static void test_totals_of_more_than_63_bits(void **state)
{
    (void)state;
    const Sums cases[] = {
        { .subtotal = 100, .discounts = -10, .tax = { 9, 8 }, .included = { 0, 8 }, .fits = true,
          .total = 99 },
        { .subtotal = -100, .restored = 30, .fits = true, .to_balance = 70 },
        { .tax = { INT64_MAX, 1 } },
        { .included = { INT64_MAX, 1 }, .tax = { INT64_MAX, 0 } },
        { .subtotal = INT64_MIN, .discounts = -1 },
        { .subtotal = INT64_MAX, .tax = { 1, 0 } },
        { .subtotal = INT64_MAX, .restored = 1 },
        { .subtotal = INT64_MIN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Sums *one = &cases[i];
        TaxLine     lines[LINES];
        for (size_t k = 0; k < LINES; k++)
            lines[k] = (TaxLine){ .amount = { one->included[k], usd() }, .tax = one->tax[k] };
        IssueDraft  draft = { .currency = usd(), .count = LINES };
        IssuePriced priced = { .draft = &draft, .lines = lines, .subtotal = one->subtotal,
                               .discounts = one->discounts, .restored = one->restored };
        assert_int_equal(totals_fill(&priced), one->fits);
        if (one->fits) {
            assert_int_equal(priced.total, one->total);
            assert_int_equal(priced.to_balance, one->to_balance);
        }
    }
}

static void test_what_is_below_zero_is_taken_off(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    int64_t     amounts[] = { 30, -10, 70 }, most[] = { INT64_MAX, 1 }, least[] = { INT64_MIN, -1 },
            nothing[] = { 5, -5 };
    assert_true(amounts_offset(arena, usd(), amounts, 3));
    assert_int_equal(amounts[0], 27);
    assert_int_equal(amounts[1], 0);
    assert_int_equal(amounts[2], 63);
    assert_false(amounts_offset(arena, usd(), nothing, 2));
    assert_false(amounts_offset(arena, usd(), most, 2));
    assert_false(amounts_offset(arena, usd(), least, 2));
}

// 10.00 of credit on a line, while the tax of it is below 0: what was drawn beyond is given back.
static void test_credit_beyond_the_total_stays_theirs(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Draw        drawn = { .line = 0, .net = 1000 };
    TaxLine     lines[] = { { .amount = { 1000, usd() }, .net = 1000, .tax = -100 } };
    IssueDraft  draft = { .currency = usd(), .count = 1 };
    IssuePriced priced = { .draft = &draft, .lines = lines, .has_drawing = true, .total = 900 };
    priced.drawing = (Drawing){ .arena = arena, .draws = &drawn, .draw_count = 1 };
    drawing_end(arena, &priced);
    assert_int_equal(priced.credits, 1000);
    assert_int_equal(priced.total, 1000);
    assert_int_equal(priced.to_balance, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_more_than_63_bits),
        cmocka_unit_test(test_totals_of_more_than_63_bits),
        cmocka_unit_test(test_what_is_below_zero_is_taken_off),
        cmocka_unit_test(test_credit_beyond_the_total_stays_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
