// SPDX-License-Identifier: Apache-2.0
// When accounts are looked at, and a test project's clock.
#include "place.h"

#include "catalog/due.h"
#include "catalog/mirror.h"

typedef struct Work {
    ProjectId   project;
    Str         account;
    AccountDue  due;
    Instant     until;
    AccountDue *dues;
    size_t      count;
} Work;

static Err *mark_work(DbTx *tx, void *context)
{
    Work *work = context;
    return account_due_mark(tx, work->project, work->account);
}

static Err *set_work(DbTx *tx, void *context)
{
    Work *work = context;
    return account_due_set(tx, work->project, &work->due);
}

static Err *list_work(DbTx *tx, void *context)
{
    Work          *work = context;
    AccountDuePage page = { work->project, work->until, 10 };
    return account_due_list(tx, &page, &work->dues, &work->count);
}

static void mark(Place *place, const char *account)
{
    Work work = { .project = place->by.project.id, .account = str_of(account) };
    assert_null(db_write(place->db, place->arena, (DbWrite){ .work = mark_work,
                                                             .context = &work }));
}

static void set(Place *place, AccountDue due)
{
    Work work = { .project = place->by.project.id, .due = due };
    assert_null(db_write(place->db, place->arena, (DbWrite){ .work = set_work,
                                                             .context = &work }));
}

static Work list(Place *place, int64_t until_us)
{
    Work work = { .project = place->by.project.id, .until = { until_us } };
    assert_null(db_read(place->db, place->arena, list_work, &work));
    return work;
}

static void test_a_mark_is_first_and_counts_more_than_what_was_found_before(void **state)
{
    Place *place = *state;
    mark(place, "b");
    mark(place, "a");
    Work marked = list(place, INSTANT_FIRST.us);
    assert_int_equal(marked.count, 2);
    assert_true(str_equal(marked.dues[0].account, STR("a")));
    AccountDue found = marked.dues[0];
    found.at.us = 1000;
    found.tries = 3;
    mark(place, "a");  // after it was read
    set(place, found);
    assert_int_equal(list(place, INSTANT_FIRST.us).count, 2);
    found = list(place, INSTANT_FIRST.us).dues[0];
    found.at.us = 1000;
    found.tries = 3;
    set(place, found);
    assert_int_equal(list(place, 999).count, 1);
    Work all = list(place, 1000);
    assert_int_equal(all.count, 2);
    assert_true(str_equal(all.dues[1].account, STR("a")) && all.dues[1].tries == 3);
    mark(place, "a");
    assert_int_equal(list(place, INSTANT_FIRST.us).dues[0].tries, 0);
    Work other = { .project = place->other.project.id, .until = INSTANT_END };
    assert_null(db_read(place->db, place->arena, list_work, &other));
    assert_int_equal(other.count, 0);
}

static void test_a_live_project_has_no_clock(void **state)
{
    Place        *place = *state;
    CatalogChange change = { place->catalog, place->arena, &place->by, { 5 }, EXPECT_ANY };
    assert_refused(catalog_clock_set(&change, (Instant){ 5 }), ERR_PROJECT_IS_LIVE);
    Project project = catalog_project_get(place->catalog, place->by.project.id);
    assert_int_equal(project_now(&project, (Instant){ 7 }).us, 7);
}

static void test_settings_never_put_a_clock_back(void **state)
{
    (void)state;
    Mirror *mirror = mirror_open();
    Project project = { .id = { STR("t"), STR("p") }, .name = STR("p"), .time_zone = STR("UTC"),
                        .mode = PROJECT_TEST };
    Project found;
    mirror_clock_raise(mirror, STR("p"), (Instant){ 5 });  // nobody has it
    assert_false(mirror_project_find(mirror, STR("p"), &found));
    mirror_project_set(mirror, &project);
    mirror_clock_raise(mirror, STR("p"), (Instant){ 9 });
    mirror_clock_raise(mirror, STR("p"), (Instant){ 8 });
    assert_true(mirror_project_find(mirror, STR("p"), &found));
    assert_int_equal(project_now(&found, (Instant){ 1 }).us, 9);
    mirror_project_set(mirror, &project);  // as it was read before the clock was set
    assert_true(mirror_project_find(mirror, STR("p"), &found));
    assert_true(found.has_clock && found.clock.us == 9);
    project.has_clock = true;
    project.clock.us = 12;
    mirror_project_set(mirror, &project);
    assert_true(mirror_project_find(mirror, STR("p"), &found));
    assert_int_equal(found.clock.us, 12);
    mirror_close(mirror);
}

static void test_modes(void **state)
{
    (void)state;
    ProjectMode mode;
    assert_string_equal(project_mode_name(PROJECT_TEST), "test");
    assert_true(project_mode_find(STR("live"), &mode) && mode == PROJECT_LIVE);
    assert_true(project_mode_find(STR("test"), &mode) && mode == PROJECT_TEST);
    assert_false(project_mode_find(STR("Test"), &mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_mark_is_first_and_counts_more_than_what_was_found_before, place_open,
            place_close),
        cmocka_unit_test_setup_teardown(test_a_live_project_has_no_clock, place_open, place_close),
        cmocka_unit_test(test_settings_never_put_a_clock_back),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
