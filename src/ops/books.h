// The books with all that is in them: every table of statements, every migration.
#pragma once

#include "db/db.h"

// `place` and `readers` as in DbOptions.
Err *books_open(Arena *arena, Str place, size_t readers, Db **books) MUST_CHECK;
