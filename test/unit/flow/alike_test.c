// SPDX-License-Identifier: Apache-2.0
// Which charges go on over a change of document, worked by hand.
#include "flow/bill/alike.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static Arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static Plan *plan_of(const char *charges)
{
    Plan *plan;
    Err  *err = plan_from_text(
        arena, str_print(arena, "{\"currency\":\"USD\",\"charges\":[%s]}", charges), &plan);
    if (err != NULL)
        fail_msg("%.*s", STR_ARG(err->detail));
    return plan;
}

// "a-c": of the charges a, b, c the second does not go on.
static void assert_alike(const char *before, const char *after, const char *wanted)
{
    Plan *plan = plan_of(before), *next = plan_of(after);
    bool *alike = arena_array(arena, bool, plan->charge_count);
    Text  told = text_open(arena);
    charges_alike(plan, next, alike);
    for (size_t i = 0; i < plan->charge_count; i++)
        text_add(&told, alike[i] ? plan->charges[i].id : STR("-"));
    assert_string_equal(str_terminated(arena, text_str(&told)), wanted);
}

#define FLAT(id, amount) "{\"id\":\"" id "\",\"model\":\"flat\",\"amount\":" amount "}"
#define USED(id, more) \
    "{\"id\":\"" id "\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1" more "}"
#define SHARE(id, of, percent) \
    "{\"id\":\"" id "\",\"model\":\"percentOf\",\"charges\":[" of "],\"ratePercent\":" percent "}"
#define EU ",\"filter\":{\"r\":[\"eu\"]}"
#define EU_US ",\"filter\":{\"r\":[\"eu\",\"us\"]}"
#define US ",\"filter\":{\"r\":[\"us\"]}"

static void test_the_same_definition_goes_on(void **state)
{
    (void)state;
    assert_alike(FLAT("a", "1") "," FLAT("b", "2"), FLAT("b", "2") "," FLAT("a", "3"), "-b");
    assert_alike(FLAT("a", "1"), FLAT("b", "1"), "-");
}

static void test_a_name_changes_nothing(void **state)
{
    (void)state;
    assert_alike(FLAT("a", "1"), "{\"model\":\"flat\",\"name\":\"A\",\"id\":\"a\",\"amount\":1}",
                 "a");
}

static void test_rivals_on_the_meter_are_the_same(void **state)
{
    (void)state;
    assert_alike(USED("x", "") "," USED("y", EU), USED("x", "") "," USED("y", EU), "xy");
    assert_alike(USED("x", "") "," USED("y", EU), USED("x", ""), "--");
    assert_alike(USED("x", ""), USED("x", "") "," USED("y", EU), "-");
    // They may stand in another order.
    assert_alike(USED("x", "") "," USED("y", EU) "," USED("z", US),
                 USED("z", US) "," USED("y", EU) "," USED("x", ""), "xyz");
    assert_alike(USED("x", "") "," USED("y", EU), USED("x", "") "," USED("y", US), "--");
    assert_alike(USED("x", "") "," USED("y", EU), USED("x", "") "," USED("y", EU_US), "--");
    assert_alike(USED("x", "") "," USED("y", EU_US), USED("x", "") "," USED("y", EU), "--");
    // Another charge that leaves it the same events.
    assert_alike(USED("x", "") "," USED("y", EU), USED("x", "") "," USED("z", EU), "x-");
}

static void test_a_share_goes_on_with_its_charges(void **state)
{
    (void)state;
    assert_alike(FLAT("a", "1") "," SHARE("s", "\"a\"", "10"),
                 FLAT("a", "1") "," SHARE("s", "\"a\"", "10"), "as");
    assert_alike(FLAT("a", "1") "," SHARE("s", "\"a\"", "10"), FLAT("a", "1"), "--");
    assert_alike(FLAT("a", "1"), FLAT("a", "1") "," SHARE("s", "\"a\"", "10"), "-");
    assert_alike(FLAT("a", "1") "," SHARE("s", "\"a\"", "10"),
                 FLAT("a", "1") "," SHARE("s", "\"a\"", "20"), "--");
    // One of two charges differs: so the share does, so the other does.
    assert_alike(FLAT("a", "1") "," FLAT("b", "1") "," FLAT("c", "1") "," SHARE(
                     "s", "\"a\",\"b\"", "10"),
                 FLAT("a", "1") "," FLAT("b", "2") "," FLAT("c", "1") "," SHARE(
                     "s", "\"a\",\"b\"", "10"),
                 "--c-");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_definition_goes_on),
        TEST(test_a_name_changes_nothing),
        TEST(test_rivals_on_the_meter_are_the_same),
        TEST(test_a_share_goes_on_with_its_charges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
