// SPDX-License-Identifier: Apache-2.0
// Which subscription's boundary an invoice is of: pure parts of issue_rate.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/issue_rate.c"

static Currency currency_of(const char *code)
{
    Currency currency;
    assert_true(currency_find(str_of(code), &currency));
    return currency;
}

// The boundary of the first, and how many go with it.
static int64_t first_of(Next *nexts, size_t count, size_t *together)
{
    Nexts       all = { .at = nexts, .count = count };
    const Next *first = next_first(&all);
    *together = 0;
    for (size_t i = 0; i < count; i++)
        *together += is_of(&nexts[i], first);
    return first->at.us;
}

static void test_the_earliest_boundary_is_first(void **state)
{
    (void)state;
    Currency usd = currency_of("USD"), eur = currency_of("EUR");
    size_t   together;
    Next     running[] = { { .at = { 7 }, .currency = usd }, { .at = { 5 }, .currency = usd },
                           { .at = { 5 }, .currency = eur }, { .at = { 6 }, .currency = usd },
                           { .at = { 5 }, .currency = usd } };
    assert_int_equal(first_of(running, 5, &together), 5);
    assert_int_equal(together, 2);
    // What is over goes with what runs, whichever comes first.
    Next one_runs[] = { { .at = { 3 }, .currency = usd, .is_over = true },
                        { .at = { 5 }, .currency = usd },
                        { .at = { 2 }, .currency = usd, .is_over = true },
                        { .at = { 1 }, .currency = eur, .is_over = true } };
    assert_int_equal(first_of(one_runs, 4, &together), 5);
    assert_int_equal(together, 3);
    // When all are over: the last, of the first's currency.
    Next over[] = { { .at = { 3 }, .currency = usd, .is_over = true },
                    { .at = { 9 }, .currency = eur, .is_over = true },
                    { .at = { 5 }, .currency = usd, .is_over = true },
                    { .at = { 4 }, .currency = usd, .is_over = true } };
    assert_int_equal(first_of(over, 4, &together), 5);
    assert_int_equal(together, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_earliest_boundary_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
