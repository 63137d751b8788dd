// SPDX-License-Identifier: Apache-2.0
// Every refusal has a name on the wire, a status and a title; a refusal keeps its own copy of what
// it says; faults are collected in order, up to their limit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void every_row_can_be_said(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        ErrCode code = (ErrCode)i, found = ERR_COUNT;
        Str     name = str_of(err_name(code));
        assert_true(name.length > 0);
        for (size_t k = 0; k < name.length; k++)
            assert_true((name.at[k] >= 'a' && name.at[k] <= 'z') || name.at[k] == '_' ||
                        (name.at[k] >= '0' && name.at[k] <= '9'));
        assert_true(err_find(name, &found));
        assert_int_equal(found, code);
        assert_true(strlen(err_title(code)) > 0);
        bool is_problem = err_status(code) >= 400 && err_status(code) <= 599;
        assert_true(is_problem || code == ERR_EVENT_DUPLICATE);  // which is a success
        assert_true(err_again(code) <= AGAIN_SAME_KEY);
    }
}

static void other_names_are_not_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "json_invali", "json_invalidd", "JSON_INVALID", "no such",
    };
    ErrCode code = ERR_COUNT;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(err_find(str_of(wrong[i]), &code));
    assert_false(err_find(STR_NONE, &code));
    assert_int_equal(code, ERR_COUNT);
    assert_string_equal(err_name(ERR_JSON_INVALID), "json_invalid");
}

static void a_refusal_keeps_its_words(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char  pointer[] = "/limit";
    char  word[] = "large";
    Err  *err = refuse(arena, ERR_FIELD_INVALID, str_of(pointer), "too %s by %d", word, 7);
    memset(pointer, 'x', 6);
    memset(word, 'x', 5);
    assert_int_equal(err->code, ERR_FIELD_INVALID);
    assert_true(str_equal(err->pointer, STR("/limit")));
    assert_true(str_equal(err->detail, STR("too large by 7")));
    assert_null(err->next);
    assert_int_equal(refuse(arena, ERR_INTERNAL, STR_NONE, "%s", "")->pointer.length, 0);
}

static size_t faults_length(const Faults *faults)
{
    size_t count = 0;
    for (const Err *err = faults->first; err != NULL; err = err->next)
        count++;
    return count;
}

static void faults_stay_in_order_up_to_the_limit(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Faults faults = { .arena = arena };
    faults_add_err(&faults, NULL);
    assert_null(faults.first);
    for (int i = 0; i < FAULTS_MAX + 5; i++)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/x"), "fault %d", i);
    assert_int_equal(faults.count, FAULTS_MAX);
    assert_int_equal(faults_length(&faults), FAULTS_MAX);
    int number = 0;
    for (const Err *err = faults.first; err != NULL; err = err->next)
        assert_true(str_equal(err->detail, str_print(arena, "fault %d", number++)));
    assert_ptr_equal(faults.last->next, NULL);
}

static void a_chain_is_taken_whole(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Faults few = { .arena = arena }, all = { .arena = arena };
    faults_add(&few, ERR_FIELD_INVALID, STR("/a"), "a");
    faults_add(&few, ERR_FIELD_REQUIRED, STR("/b"), "b");
    faults_add(&all, ERR_INTERNAL, STR_NONE, "first");
    faults_add_err(&all, few.first);
    assert_int_equal(all.count, 3);
    assert_int_equal(faults_length(&all), 3);
    assert_true(str_equal(all.last->pointer, STR("/b")));
    while (all.count < FAULTS_MAX - 1)
        faults_add(&all, ERR_INTERNAL, STR_NONE, "more");
    Faults more = { .arena = arena };
    faults_add(&more, ERR_INTERNAL, STR("/fits"), "fits");
    faults_add(&more, ERR_INTERNAL, STR("/not"), "does not");
    faults_add_err(&all, more.first);
    assert_int_equal(faults_length(&all), FAULTS_MAX);
    assert_true(str_equal(all.last->pointer, STR("/fits")));
}

static Err *tried(Arena *arena, bool fails, int *reached)
{
    TRY(fails ? refuse(arena, ERR_INTERNAL, STR_NONE, "no") : NULL);
    *reached += 1;
    return NULL;
}

static void trying_stops_at_a_refusal(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    int reached = 0;
    assert_null(tried(arena, false, &reached));
    assert_non_null(tried(arena, true, &reached));
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_can_be_said),
        cmocka_unit_test(other_names_are_not_found),
        cmocka_unit_test(a_refusal_keeps_its_words),
        cmocka_unit_test(faults_stay_in_order_up_to_the_limit),
        cmocka_unit_test(a_chain_is_taken_whole),
        cmocka_unit_test(trying_stops_at_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
