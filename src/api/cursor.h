// Cursors of lists: opaque text that says where a page ended. A cursor carries a checksum over its
// place and over the filters of its list, so one that was changed, cut, or made for another list is
// refused.
#pragma once

#include "base/error.h"

// `filters`: any text that says which list this is ("accounts", account and meter of the query,
// ...).
Str cursor_print(Arena *arena, Str filters, Str place);
// CURSOR_INVALID.
Err *cursor_parse(Arena *arena, Str text, Str filters, Str *place) MUST_CHECK;
