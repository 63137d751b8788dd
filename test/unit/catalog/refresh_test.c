// SPDX-License-Identifier: Apache-2.0
// Two catalogs on the same books, as two servers have them: what one changes the other takes over.
#include "place.h"

#include "catalog/mirror.h"

// Usage that names nobody: of the server that has it.
static bool no_name(void *context, uint64_t index, Str *project, Str *account)
{
    (void)context;
    (void)index;
    (void)project;
    (void)account;
    return false;
}

static Catalog *second_open(Place *place)
{
    Catalog *second;
    assert_null(catalog_open(place->arena, place->db, &place->dir->pepper, &second));
    return second;
}

static Err *ask(Place *place, Catalog *catalog, Str secret)
{
    Principal who;
    return catalog_authenticate(catalog, place->arena, secret, (Instant){ 1 }, &who);
}

static void test_keys_and_projects_are_taken_over(void **state)
{
    Place    *place = *state;
    Catalog  *second = second_open(place);
    Principal made;
    Str       secret;
    place_project(place, "new", ACCOUNTS_CREATE, &secret, &made);
    assert_refused(ask(place, second, secret), ERR_UNAUTHENTICATED);
    assert_null(catalog_refresh(second, place->arena));
    assert_null(ask(place, second, secret));
    assert_null(ask(place, second, place->secret));
    assert_null(catalog_refresh(second, place->arena));  // again changes nothing
    assert_null(ask(place, second, secret));
    catalog_close(second);
}

static void test_a_project_that_was_read_is_known(void **state)
{
    Place    *place = *state;
    Catalog  *second = second_open(place);
    Principal made;
    Project  *projects;
    Str       secret;
    size_t    count;
    place_project(place, "new", ACCOUNTS_CREATE, &secret, &made);
    assert_null(catalog_projects(second, place->arena, &projects, &count));
    assert_int_equal(count, 3);
    assert_true(str_equal(catalog_project_get(second, made.project.id).name, STR("new")));
    catalog_close(second);
}

static void account_put(Place *place, Catalog *catalog, const char *id)
{
    CatalogChange change = change_by(place, &place->by);
    Account       account = { .id = str_of(id), .metadata = STR("{}") }, *stored;
    change.catalog = catalog;
    assert_null(catalog_account_put(&change, &account, &stored));
}

static bool known(Catalog *catalog, const char *id)
{
    return catalog_account_known(catalog, STR("default"), str_of(id));
}

static void test_the_server_with_the_usage_hears_of_accounts(void **state)
{
    Place   *place = *state;
    Catalog *second = second_open(place);
    assert_null(catalog_accounts_from(place->catalog, place->arena,
                                      (AccountSource){ .account = no_name }));
    account_put(place, second, "untold");
    catalog_tell_accounts(second);
    account_put(place, second, "told");
    account_put(place, second, "untold");  // it was there
    assert_false(known(place->catalog, "told"));
    assert_null(catalog_refresh(second, place->arena));  // takes no notes: they are not for it
    assert_null(catalog_refresh(place->catalog, place->arena));
    assert_true(known(place->catalog, "told"));
    assert_false(known(place->catalog, "untold"));
    catalog_close(second);
}

static void test_more_accounts_than_are_read_at_once(void **state)
{
    Place   *place = *state;
    Catalog *second = second_open(place);
    char     id[16];
    assert_null(catalog_accounts_from(place->catalog, place->arena,
                                      (AccountSource){ .account = no_name }));
    catalog_tell_accounts(second);
    for (int i = 0; i < 501; i++) {
        snprintf(id, sizeof id, "a%d", i);
        account_put(place, second, id);
    }
    assert_null(catalog_refresh(place->catalog, place->arena));
    assert_true(known(place->catalog, "a0") && known(place->catalog, "a500"));
    assert_null(catalog_refresh(place->catalog, place->arena));
    catalog_close(second);
}

static void test_a_key_that_is_not_there_any_more(void **state)
{
    Place  *place = *state;
    Mirror *mirror = mirror_open();
    Key     keys[2] = { { .project = place->by.project.id, .id = STR("a"), .name = STR("a") },
                        { .project = place->by.project.id, .id = STR("b"), .name = STR("b") } };
    Key     found;
    keys[1].hash.bytes[0] = 1;
    mirror_key_set(mirror, &keys[0]);
    mirror_key_set(mirror, &keys[1]);
    mirror_keys_keep(mirror, keys, 1);
    assert_true(mirror_key_find(mirror, &keys[0].hash, &found) && !found.expires);
    assert_true(mirror_key_find(mirror, &keys[1].hash, &found));
    assert_true(found.expires && found.expires_at.us < 0);
    mirror_key_set(mirror, &keys[1]);  // and is again
    assert_true(mirror_key_find(mirror, &keys[1].hash, &found) && !found.expires);
    mirror_close(mirror);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_and_projects_are_taken_over),
        TEST(test_a_project_that_was_read_is_known),
        TEST(test_the_server_with_the_usage_hears_of_accounts),
        TEST(test_more_accounts_than_are_read_at_once),
        TEST(test_a_key_that_is_not_there_any_more),
    };
    return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
