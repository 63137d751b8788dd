// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

Err *bench_folder_make(Arena *arena, Str parent, const char *name, Str *path)
{
    char *pattern =
        str_terminated(arena, str_print(arena, "%.*s/%s-XXXXXX", STR_ARG(parent), name));
    if (mkdtemp(pattern) == NULL)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "cannot make a folder in %.*s",
                      STR_ARG(parent));
    *path = str_of(pattern);
    return NULL;
}

static int one_remove(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

bool bench_folder_remove(Str path)
{
    enum { FILES_OPEN = 16 };
    AUTO(Arena) arena = arena_open();
    return nftw(str_terminated(arena, path), one_remove, FILES_OPEN, FTW_DEPTH | FTW_PHYS) == 0;
}
