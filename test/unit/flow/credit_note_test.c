// SPDX-License-Identifier: Apache-2.0
// The tax of parts: whatever the parts, all of them together give back the tax of the line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/invoice/credit_note.c"

static void test_worked(void **state)
{
    (void)state;
    // 10.00 with 0.33 tax, in thirds
    assert_int_equal(credit_note_share(33, 333, 1000), 11);
    assert_int_equal(credit_note_share(33, 666, 1000), 22);
    assert_int_equal(credit_note_share(33, 1000, 1000), 33);
    // 0.5 cents, away from zero
    assert_int_equal(credit_note_share(1, 1, 2), 1);
    assert_int_equal(credit_note_share(-1, 1, 2), -1);
    // a deduction of 1.00 with -0.19
    assert_int_equal(credit_note_share(-19, -50, -100), -10);
    assert_int_equal(credit_note_share(-19, -100, -100), -19);
    // the largest
    assert_int_equal(credit_note_share(INT64_MAX, INT64_MAX, INT64_MAX), INT64_MAX);
}

static void test_parts_sum_to_the_whole(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < 2000; round++) {
        int64_t net, tax, before = 0, given = 0;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        net = 1 + (int64_t)(seed >> 40);
        tax = (int64_t)((seed >> 20) % 100000) - 20000;
        net = round % 2 == 0 ? net : -net;
        for (int part = 0; part < 7; part++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int64_t left = net - before;
            int64_t next = part == 6 ? left : left / (1 + (int64_t)(seed >> 62));
            given += credit_note_share(tax, before + next, net) -
                     credit_note_share(tax, before, net);
            before += next;
        }
        assert_int_equal(given, tax);
    }
}

static void test_whole_numbers_of_the_books(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t     whole;
    } good[] = {
        { "0", 0 }, { "1900", 1900 }, { "-19", -19 }, { "9223372036854775807", INT64_MAX },
    };
    int64_t whole;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(whole_read(str_of(good[i].text), &whole));
        assert_int_equal(whole, good[i].whole);
    }
    assert_false(whole_read(STR(""), &whole));
    assert_false(whole_read(STR("-"), &whole));
    assert_false(whole_read(STR("1.5"), &whole));
    assert_false(whole_read(STR("9223372036854775808"), &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked),
        cmocka_unit_test(test_parts_sum_to_the_whole),
        cmocka_unit_test(test_whole_numbers_of_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
