// For tests that build values: an arena for each test, and texts compared as texts.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

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
