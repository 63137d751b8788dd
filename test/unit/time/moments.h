// What the tests of time share: moments written as texts.
#pragma once

#include "in_arena.h"
#include "time/period.h"

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
