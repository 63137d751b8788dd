// A data directory with books and a catalog in a temporary folder, for the tests of this folder.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/catalog.h"
#include "catalog/datadir.h"
#include "books.h"

typedef struct Place {
    Arena    *arena;
    char      folder[64];
    DataDir  *dir;
    Db       *db;
    Catalog  *catalog;
    Principal by, other;  // of two projects of two tenants
    Str       secret, other_secret;
} Place;

static inline void place_start(Place *place)
{
    assert_null(db_open(place->arena,
                        &(DbOptions){ .place = place->dir->books,
                                      .migrations = db_migrations(),
                                      .tables = catalog_tables },
                        &place->db));
    assert_null(catalog_open(place->arena, place->db, &place->dir->pepper, &place->catalog));
}

static inline void place_stop(Place *place)
{
    catalog_close(place->catalog);
    db_close(place->db);
}

static inline void place_project(Place *place, const char *name, UnknownAccounts rule, Str *secret,
                                 Principal *principal)
{
    Project project = { .id = { .id = str_of(name) },
                        .name = str_of(name),
                        .time_zone = STR("UTC"),
                        .unknown_accounts = rule };
    assert_null(
        catalog_tenant_make(place->catalog, place->arena, STR("tenant"), &project.id.tenant));
    assert_null(catalog_project_make(place->catalog, place->arena, &project));
    Key key = { .project = project.id, .name = STR("test"), .scopes = SCOPES_ALL };
    assert_null(catalog_key_make(place->catalog, place->arena, &key, KEY_TEST, secret));
    assert_null(
        catalog_authenticate(place->catalog, place->arena, *secret, (Instant){ 1 }, principal));
    // Its texts end with the catalog, and some tests open another.
    principal->key_id = str_copy(place->arena, principal->key_id);
    principal->project.id.tenant = str_copy(place->arena, principal->project.id.tenant);
    principal->project.id.id = str_copy(place->arena, principal->project.id.id);
}

static inline int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_catalog_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    assert_null(datadir_begin(place->arena,
                              &(DataDirOptions){ .folder = str_of(place->folder),
                                                 .books = books_are_served()
                                                              ? books_make(place->arena, "")
                                                              : STR_NONE,
                                                 .seal_bits = 4 },
                              &place->dir));
    place_start(place);
    place_project(place, "default", ACCOUNTS_CREATE, &place->secret, &place->by);
    place_project(place, "elsewhere", ACCOUNTS_REJECT, &place->other_secret, &place->other);
    *state = place;
    return 0;
}

static inline int place_remove_one(const char *path, const struct stat *found, int kind,
                                   struct FTW *walk)
{
    (void)found;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int place_close(void **state)
{
    Place *place = *state;
    place_stop(place);
    books_end(place->arena, place->dir->books);
    nftw(place->folder, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

static inline CatalogChange change_by(Place *place, const Principal *by)
{
    return (CatalogChange){
        place->catalog, place->arena, by, { INT64_C(1767225600000000) }, EXPECT_ANY
    };
}

static inline Json *json_of(Place *place, const char *text)
{
    Json *root = NULL;
    assert_null(json_parse_copy(place->arena, str_of(text), &root));
    return root;
}

static inline Instant instant_of(const char *text)
{
    Instant instant;
    assert_true(instant_parse(str_of(text), &instant));
    return instant;
}

// NULL err: none was given.
#define assert_refused(call, expected) \
    do { \
        Err *refused_ = (call); \
        assert_non_null(refused_); \
        assert_string_equal(err_name(refused_->code), err_name(expected)); \
    } while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)
