// SPDX-License-Identifier: Apache-2.0
// Currencies, rounding and splitting.
#include "money/rounding.h"

#include "base/random.h"
#include "in_arena.h"
#include "money/split.h"

static Currency currency(const char *code)
{
    Currency found;
    assert_true(currency_find(str_of(code), &found));
    return found;
}

static const char *rounded(const char *exact, const char *code, Rounding rounding)
{
    Rational number;
    Money    amount;
    assert_true(rational_parse(arena, str_of(exact), &number));
    if (!rounding_money(number, currency(code), rounding, &amount))
        return "refused";
    return str_terminated(arena, money_print(arena, amount));
}

static void test_each_way_to_round(void **state)
{
    (void)state;
    static const struct {
        const char *exact, *half_up, *half_even, *up, *down;
    } rows[] = {
        { "3.685", "3.69", "3.68", "3.69", "3.68" },
        { "-3.685", "-3.69", "-3.68", "-3.69", "-3.68" },
        { "3.675", "3.68", "3.68", "3.68", "3.67" },
        { "3.684999", "3.68", "3.68", "3.69", "3.68" },
        { "3.6850001", "3.69", "3.69", "3.69", "3.68" },
        { "0.001", "0.00", "0.00", "0.01", "0.00" },
        { "-0.001", "0.00", "0.00", "-0.01", "0.00" },
        { "1/3", "0.33", "0.33", "0.34", "0.33" },
        { "-2/3", "-0.67", "-0.67", "-0.67", "-0.66" },
        { "5", "5.00", "5.00", "5.00", "5.00" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(rounded(rows[i].exact, "USD", ROUND_HALF_UP), rows[i].half_up);
        assert_string_equal(rounded(rows[i].exact, "USD", ROUND_HALF_EVEN), rows[i].half_even);
        assert_string_equal(rounded(rows[i].exact, "USD", ROUND_UP), rows[i].up);
        assert_string_equal(rounded(rows[i].exact, "USD", ROUND_DOWN), rows[i].down);
    }
}

static void test_55_at_0_067_is_3_69_and_nothing_is_parked(void **state)
{
    (void)state;
    Rational quantity = rational_whole(arena, 55), price;
    assert_true(rational_parse(arena, STR("0.067"), &price));
    assert_text(rational_print(arena, rational_multiply(arena, quantity, price)), "3.685");
    assert_string_equal(rounded("3.685", "USD", ROUND_HALF_UP), "3.69");
}

static void test_yen_have_no_places_and_dinars_three(void **state)
{
    (void)state;
    assert_string_equal(rounded("322.5806", "JPY", ROUND_HALF_UP), "323");
    assert_string_equal(rounded("-0.4", "JPY", ROUND_HALF_UP), "0");
    assert_string_equal(rounded("1.0005", "KWD", ROUND_HALF_UP), "1.001");
    assert_string_equal(rounded("-0.0126", "KWD", ROUND_HALF_UP), "-0.013");
    assert_string_equal(rounded("1.00005", "CLF", ROUND_HALF_UP), "1.0001");
    assert_string_equal(rounded("1.005", "EUR", ROUND_HALF_UP), "1.01");
}

static void test_places_follow_iso_4217_and_not_shop_custom(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int         places;
    } rows[] = {
        { "USD", 2 }, { "IQD", 3 }, { "RSD", 2 }, { "AFN", 2 }, { "ALL", 2 }, { "LBP", 2 },
        { "MGA", 2 }, { "HUF", 2 }, { "TWD", 2 }, { "ISK", 0 }, { "UGX", 0 }, { "VND", 0 },
        { "XAF", 0 }, { "BHD", 3 }, { "TND", 3 }, { "CLP", 0 }, { "CLF", 4 }, { "INR", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(currency(rows[i].code).places, rows[i].places);
}

static void test_what_is_no_currency_is_refused(void **state)
{
    (void)state;
    static const char *const codes[] = { "",    "US",  "usd", "Usd", "USDX", "ABC",
                                         "XXX", "XAU", "XTS", "DEM", "ZZZ",  "U$D" };
    Currency                 found;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_false(currency_find(str_of(codes[i]), &found));
}

static void test_an_amount_beyond_int64_is_refused(void **state)
{
    (void)state;
    assert_string_equal(rounded("92233720368547758.07", "USD", ROUND_HALF_UP),
                        "92233720368547758.07");
    assert_string_equal(rounded("92233720368547758.075", "USD", ROUND_HALF_UP), "refused");
    assert_string_equal(rounded("-92233720368547758.085", "USD", ROUND_HALF_UP), "refused");
    Money most = { INT64_MAX, currency("USD") }, sum = most;
    assert_false(money_add(most, (Money){ 1, most.currency }, &sum));
    assert_false(
        money_subtract((Money){ INT64_MIN, most.currency }, (Money){ 1, most.currency }, &sum));
    assert_int_equal(sum.minor, INT64_MAX);
}

static void test_sums_and_order_of_amounts(void **state)
{
    (void)state;
    Money nothing = money_zero(currency("USD")), five = { 500, nothing.currency }, sum;
    assert_true(money_add(nothing, five, &sum));
    assert_int_equal(money_compare(sum, five), 0);
    assert_true(money_subtract(nothing, five, &sum));
    assert_text(money_print(arena, sum), "-5.00");
    assert_int_equal(money_compare(sum, five), -1);
    assert_int_equal(money_compare(five, sum), 1);
    assert_text(currency_code(&sum.currency), "USD");
}

static void test_places_may_be_negative(void **state)
{
    (void)state;
    Rational number;
    assert_true(rational_parse(arena, STR("1234.56"), &number));
    assert_text(rational_print(arena, rounding_places(arena, number, ROUND_HALF_UP, -2)), "1200");
    assert_text(rational_print(arena, rounding_places(arena, number, ROUND_UP, -2)), "1300");
    assert_text(rational_print(arena, rounding_places(arena, number, ROUND_HALF_UP, 1)), "1234.6");
    assert_text(rational_print(arena, rounding_places(arena, number, ROUND_DOWN, 0)), "1234");
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDING_COUNT; i++) {
        Rounding found = ROUNDING_COUNT;
        assert_true(rounding_find(str_of(rounding_name((Rounding)i)), &found));
        assert_int_equal(found, i);
    }
    Rounding found;
    assert_false(rounding_find(STR("halfDown"), &found));
}

static void check_split(int64_t total, const int64_t *weights, size_t count, const int64_t *wanted)
{
    Money given[8], parts[8];
    for (size_t i = 0; i < count; i++)
        given[i] = (Money){ weights[i], currency("USD") };
    split_by_weight((Money){ total, currency("USD") }, given, count, parts);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(parts[i].minor, wanted[i]);
}

static void test_a_split_goes_by_largest_remainder_ties_to_the_earlier(void **state)
{
    (void)state;
    check_split(10, (int64_t[]){ 1, 1, 1 }, 3, (int64_t[]){ 4, 3, 3 });
    check_split(-10, (int64_t[]){ 1, 1, 1 }, 3, (int64_t[]){ -4, -3, -3 });
    check_split(100, (int64_t[]){ 60, 40, 0 }, 3, (int64_t[]){ 60, 40, 0 });
    check_split(3, (int64_t[]){ 1, 0, 9 }, 3, (int64_t[]){ 0, 0, 3 });
    check_split(5, (int64_t[]){ 0, 0 }, 2, (int64_t[]){ 5, 0 });
    check_split(0, (int64_t[]){ 7 }, 1, (int64_t[]){ 0 });
    check_split(INT64_MAX, (int64_t[]){ INT64_MAX, INT64_MAX }, 2,
                (int64_t[]){ INT64_MAX / 2 + 1, INT64_MAX / 2 });
}

static void test_parts_sum_to_the_whole_and_stay_within_their_weights(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(7);
    for (int round = 0; round < 5000; round++) {
        Money   weights[20], parts[20];
        size_t  count = 1 + seeded_below(&seeded, 20);
        int64_t sum = 0, left;
        for (size_t i = 0; i < count; i++) {
            weights[i] = (Money){ (int64_t)seeded_below(&seeded, 1000), currency("USD") };
            sum += weights[i].minor;
        }
        Money total = { (int64_t)seeded_below(&seeded, (uint64_t)sum + 1), currency("USD") };
        split_by_weight(total, weights, count, parts);
        left = total.minor;
        for (size_t i = 0; i < count; i++) {
            assert_true(parts[i].minor >= 0 && parts[i].minor <= weights[i].minor);
            left -= parts[i].minor;
        }
        assert_int_equal(left, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_each_way_to_round),
        test_of(test_55_at_0_067_is_3_69_and_nothing_is_parked),
        test_of(test_yen_have_no_places_and_dinars_three),
        test_of(test_places_follow_iso_4217_and_not_shop_custom),
        test_of(test_what_is_no_currency_is_refused),
        test_of(test_an_amount_beyond_int64_is_refused),
        test_of(test_sums_and_order_of_amounts),
        test_of(test_places_may_be_negative),
        test_of(test_names),
        test_of(test_a_split_goes_by_largest_remainder_ties_to_the_earlier),
        test_of(test_parts_sum_to_the_whole_and_stay_within_their_weights),
    };
    return cmocka_run_group_tests_name("money/rounding", tests, NULL, NULL);
}
