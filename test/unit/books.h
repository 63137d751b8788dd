// Where a test has its books: in a file of its folder, or, under TEST_BOOKS=mysql://… (which
// tools/mariadb.py sets), in a database of its own on that server.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <mariadb/mysql.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "db/mariadb_address.h"

static inline bool books_are_served(void)
{
    return getenv("TEST_BOOKS") != NULL;
}

static inline void books_tell_server(Str address, const char *sql)
{
    AUTO(Arena) arena = arena_open();
    MariadbAddress to;
    MYSQL         *handle = mysql_init(NULL);
    assert_null(mariadb_address_parse(arena, address, &to));
    assert_non_null(mysql_real_connect(handle, to.hosts[0].name, to.user, to.password, NULL,
                                       to.hosts[0].port, to.socket, 0));
    assert_int_equal(mysql_query(handle, sql), 0);
    mysql_close(handle);
}

// The database's name in an address that books_make made.
static inline Str books_database(Str address)
{
    size_t at = address.length;
    while (address.at[at - 1] != '/')
        at--;
    return (Str){ address.at + at, address.length - at };
}

static inline Str books_make(Arena *arena, const char *folder)
{
    if (!books_are_served())
        return str_print(arena, "%s/books.sqlite", folder);
    Str server = str_of(getenv("TEST_BOOKS"));
    Str old = books_database(server);
    Str address = str_print(arena, "%.*s%.*s", (int)(server.length - old.length), server.at,
                            STR_ARG(random_id(arena, "test_")));
    Str sql = str_print(arena, "create database %.*s", STR_ARG(books_database(address)));
    books_tell_server(address, str_terminated(arena, sql));
    return address;
}

static inline void books_end(Arena *arena, Str address)
{
    if (!books_are_served())
        return;
    Str sql = str_print(arena, "drop database %.*s", STR_ARG(books_database(address)));
    books_tell_server(address, str_terminated(arena, sql));
}
