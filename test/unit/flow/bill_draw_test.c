// SPDX-License-Identifier: Apache-2.0
// Tables of what a line came to where grants begin and end, and open draws by currency.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/bill_draw.c"

static Currency currency_of(const char *code)
{
    Currency currency;
    assert_true(currency_find(str_of(code), &currency));
    return currency;
}

static void test_a_table_has_each_instant_within_once(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Line        line = { .period = { { 10 }, { 20 } } };
    DrawTable   table = { .at = arena_array(arena, Instant, 4),
                          .net = arena_array(arena, int64_t, 4) };
    const int64_t instants[] = { 10, 15, 20, 15, 9, 12, 21 };
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++)
        table_add(&table, &line, (Instant){ instants[i] });
    assert_int_equal(table.count, 2);
    table.net[0] = 500;
    table.net[1] = 200;
    int64_t net;
    assert_null(draw_table_until(&table, arena, (Instant){ 12 }, &net));
    assert_int_equal(net, 200);
    Err *err = draw_table_until(&table, arena, (Instant){ 13 }, &net);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_BUSY);
}

static void test_a_table_of_no_grants_is_empty(void **state)
{
    (void)state;
    AUTO(Arena)  arena = arena_open();
    Line         line = { .period = { { 10 }, { 20 } } };
    CreditGrant  grant = { .effective_at = { 5 }, .expires_at = { 20 } };
    PeriodQuery  query = { 0 };
    Period       period = { 0 };
    DrawTable   *table;
    PeriodSoFar *so_far = period_so_far(arena, &query, &period);
    assert_null(bill_draw_table(arena, so_far, &line, (CreditGrants){ &grant, 1 }, &table));
    assert_int_equal(table->count, 0);
}

static void test_draws_are_by_currency(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    OpenDraws   draws = { 0 };
    Opening     opening = { .arena = arena, .draws = &draws };
    const char *codes[] = { "GBP", "EUR", "USD", "EUR", "GBP" };
    const char *sorted[] = { "EUR", "GBP", "USD" };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        DrawLine line = { .net = (int64_t)i };
        Str      category = STR_NONE;
        Instant  due = { 7 };
        OpenDraw added = { .currency = currency_of(codes[i]), .lines = &line,
                           .categories = &category, .dues = &due, .count = 1,
                           .next = { 10 - (int64_t)i } };
        lines_add(&opening, &added);
    }
    assert_int_equal(draws.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(draws.at[i].currency.code, sorted[i]);
    assert_int_equal(draws.at[0].count, 2);
    assert_int_equal(draws.at[0].lines[1].net, 3);
    assert_int_equal(draws.at[2].count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_has_each_instant_within_once),
        cmocka_unit_test(test_a_table_of_no_grants_is_empty),
        cmocka_unit_test(test_draws_are_by_currency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
