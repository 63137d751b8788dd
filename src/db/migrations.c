// SPDX-License-Identifier: Apache-2.0
// The files of db/migrations as one text in the binary; the Makefile joins them into
// MIGRATIONS_FILE.
#include "db/db.h"

__asm__(".section .rodata\n"
        ".global toll_migrations, toll_migrations_end\n"
        "toll_migrations:\n"
        ".incbin \"" MIGRATIONS_FILE "\"\n"
        "toll_migrations_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char toll_migrations[], toll_migrations_end[];

Str db_migrations(void)
{
    return (Str){ toll_migrations, (size_t)(toll_migrations_end - toll_migrations) };
}
