// SPDX-License-Identifier: Apache-2.0
// What an account owes by currency, and whose bill is too large to be told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/bill/bill_open.c"
#include "flow/invoice/change_preview.c"

static Money money_of(int64_t minor, const char *code)
{
    Money money = { .minor = minor };
    assert_true(currency_find(str_of(code), &money.currency));
    return money;
}

static void test_dues_are_by_currency(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Dues        dues = { .at = arena_array(arena, Money, 4) };
    assert_null(dues_add(arena, &dues, money_of(5, "USD")));
    assert_null(dues_add(arena, &dues, money_of(7, "EUR")));
    assert_null(dues_add(arena, &dues, money_of(INT64_MAX - 5, "USD")));
    assert_int_equal(dues.count, 2);
    assert_string_equal(dues.at[0].currency.code, "EUR");
    assert_int_equal(dues.at[1].minor, INT64_MAX);
    Err *err = dues_add(arena, &dues, money_of(1, "USD"));
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

static void test_what_is_too_large_is_left_out(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    bool        has = true;
    Err        *failed = refuse(arena, ERR_STORE_FAILED, STR_NONE, "x");
    assert_null(or_none(NULL, &has));
    assert_true(has);
    assert_ptr_equal(or_none(failed, &has), failed);
    assert_null(or_none(refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE, "x"), &has));
    assert_false(has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dues_are_by_currency),
        cmocka_unit_test(test_what_is_too_large_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
