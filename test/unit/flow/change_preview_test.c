// SPDX-License-Identifier: Apache-2.0
// At which instant the bill is that a change leads to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/change_preview.c"

static void test_a_change_is_billed_while_the_subscription_is_active(void **state)
{
    (void)state;
    Timeline timeline = { .active = { { 10 }, { 20 } } };
    Instant  at;
    assert_true(billed_at(&timeline, (Instant){ 12 }, &at));
    assert_int_equal(at.us, 12);
    assert_true(billed_at(&timeline, (Instant){ 20 }, &at));
    assert_int_equal(at.us, 19);
    assert_false(billed_at(&timeline, (Instant){ 9 }, &at));
}

static void test_what_is_over_as_it_begins_has_no_bill(void **state)
{
    (void)state;
    Timeline      timeline = { .active = { { 10 }, { 10 } } };
    OpenBillQuery query = { .at = { 12 } };
    OpenBill      open = { .query = &query, .timeline = &timeline };
    Bill          bill;
    bool          has = true;
    assert_null(bill_of(NULL, &open, (Instant){ 12 }, &bill, &has));
    assert_false(has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_change_is_billed_while_the_subscription_is_active),
        cmocka_unit_test(test_what_is_over_as_it_begins_has_no_bill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
