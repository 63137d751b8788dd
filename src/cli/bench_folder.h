// A temporary folder of a command's own.
#pragma once

#include "base/error.h"

// parent/NAME-XXXXXX. The caller removes it.
Err *bench_folder_make(Arena *arena, Str parent, const char *name, Str *path) MUST_CHECK;
// With all that is in it; what cannot be removed is left. False: something was.
bool bench_folder_remove(Str path);
