// What the tests of time share: an arena for each test, and moments written as texts.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "time/period.h"

static Arena *arena;

static int arena_begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int arena_end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

#define assert_text(text, wanted) assert_string_equal(str_terminated(arena, (text)), (wanted))
#define test_of(function) cmocka_unit_test_setup_teardown(function, arena_begin, arena_end)

static inline Instant moment(const char *text)
{
    Instant instant;
    assert_true(instant_parse(str_of(text), &instant));
    return instant;
}

static inline const Zone *zone(const char *name)
{
    const Zone *found = zone_find(str_of(name));
    assert_non_null(found);
    return found;
}

#define assert_moment(instant, wanted) assert_text(instant_print(arena, (instant)), (wanted))
