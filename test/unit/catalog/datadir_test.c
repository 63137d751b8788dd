// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

static Err *open_folder(const Place *place, DataDir **dir)
{
    return datadir_open(place->arena, str_of(place->folder), STR_NONE, dir);
}

static char *path_of(Place *place, const char *name)
{
    return str_terminated(place->arena, str_print(place->arena, "%s/%s", place->folder, name));
}

static void file_put(Place *place, const char *name, const char *content)
{
    FILE *file = fopen(path_of(place, name), "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int folder_make(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_datadir_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    *state = place;
    return 0;
}

static int folder_remove(void **state)
{
    Place *place = *state;
    nftw(place->folder, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

static Err *begin(Place *place, DataDir **dir)
{
    DataDirOptions options = { .folder = str_of(place->folder),
                               .seal_bits = 6,
                               .now = instant_of("2026-01-02T03:04:05Z") };
    return datadir_begin(place->arena, &options, dir);
}

static DataDir *make(Place *place)
{
    DataDir *dir = NULL;
    assert_null(begin(place, &dir));
    file_put(place, "books.sqlite", "");
    assert_null(datadir_finish(place->arena, dir));
    return dir;
}

static void test_what_is_made_is_what_is_opened(void **state)
{
    Place   *place = *state;
    DataDir *made = make(place), *opened = NULL;
    assert_null(open_folder(place, &opened));
    assert_memory_equal(made->identity.bytes, opened->identity.bytes, sizeof made->identity.bytes);
    assert_memory_equal(made->pepper.bytes, opened->pepper.bytes, sizeof made->pepper.bytes);
    assert_int_equal(opened->seal_bits, 6);
    assert_true(opened->created.us == instant_of("2026-01-02T03:04:05Z").us);
    struct stat found;
    assert_int_equal(stat(path_of(place, "keys"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of(place, "usage"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    datadir_close(opened);
}

static void test_where_the_books_are_is_kept(void **state)
{
    Place         *place = *state;
    DataDir       *dir;
    Str            address = STR("mysql://u:p@localhost/books");
    DataDirOptions options = { .folder = str_of(place->folder),
                               .books = address,
                               .seal_bits = 4,
                               .now = instant_of("2026-01-02T03:04:05Z") };
    assert_null(datadir_begin(place->arena, &options, &dir));
    assert_true(dir->is_served && str_equal(dir->books, address));
    assert_null(datadir_finish(place->arena, dir));
    assert_refused(open_folder(place, &dir), ERR_FIELD_INVALID);
    assert_null(datadir_open(place->arena, str_of(place->folder), address, &dir));
    assert_true(str_equal(dir->books, address));
    datadir_close(dir);
}

static void test_one_process_has_it_open(void **state)
{
    Place   *place = *state;
    DataDir *first = NULL, *second = NULL;
    make(place);
    assert_null(open_folder(place, &first));
    assert_refused(open_folder(place, &second), ERR_STORE_BUSY);
    datadir_close(first);
    assert_null(open_folder(place, &second));
    datadir_close(second);
}

static void test_a_toll_is_never_overwritten(void **state)
{
    Place   *place = *state;
    DataDir *dir = NULL;
    make(place);
    Err *err = begin(place, &dir);
    assert_refused(err, ERR_STORE_FAILED);
    assert_non_null(strstr(str_terminated(place->arena, err->detail), "holds a Toll already"));
}

static void test_foreign_files_are_left_alone(void **state)
{
    Place *place = *state;
    char   content[16] = { 0 };
    file_put(place, "notes.txt", "mine");
    make(place);
    FILE *file = fopen(path_of(place, "notes.txt"), "r");
    assert_non_null(fgets(content, sizeof content, file));
    fclose(file);
    assert_string_equal(content, "mine");
}

static void test_a_file_by_a_name_of_ours_is_not_taken(void **state)
{
    static const char *const names[] = { "keys", "books.sqlite", "usage" };
    Place                   *place = *state;
    for (size_t i = 0; i < 3; i++) {
        DataDir *dir = NULL;
        file_put(place, names[i], "foreign");
        assert_refused(begin(place, &dir), ERR_STORE_FAILED);
        assert_int_equal(unlink(path_of(place, names[i])), 0);
    }
    make(place);
}

static void test_an_init_that_stopped_half_way_is_no_directory(void **state)
{
    Place   *place = *state;
    DataDir *dir = NULL;
    assert_null(begin(place, &dir));
    assert_refused(open_folder(place, &dir), ERR_STORE_FAILED);
    assert_refused(begin(place, &dir), ERR_STORE_FAILED);
}

static void test_a_part_that_is_missing_is_not_made_anew(void **state)
{
    static const char *const parts[] = { "keys", "books.sqlite", "usage" };
    Place                   *place = *state;
    make(place);
    for (size_t i = 0; i < 3; i++) {
        DataDir *dir = NULL;
        assert_int_equal(rename(path_of(place, parts[i]), path_of(place, "away")), 0);
        Err *err = open_folder(place, &dir);
        assert_refused(err, ERR_STORE_FAILED);
        assert_non_null(strstr(str_terminated(place->arena, err->detail), "is missing: restore"));
        assert_int_equal(rename(path_of(place, "away"), path_of(place, parts[i])), 0);
    }
}

static void test_damaged_files_are_refused(void **state)
{
    static const struct {
        const char *name, *content;
    } damages[] = {
        { "FORMAT", "toll 2\nsealBits 20\ncreated 2026-01-01T00:00:00Z\n" },  // newer
        { "FORMAT", "" },
        { "FORMAT", "toll 1\nsealBits 99\ncreated 2026-01-01T00:00:00Z\n" },
        { "FORMAT", "toll 1\nsealBits 20\n" },
        { "keys", "" },
        { "keys", "identity 00\npepper 00\n" },
        { "keys", "identity zz112233445566778899aabbccddeeff\n" },
    };
    Place *place = *state;
    make(place);
    char saved[2][512] = { 0 };
    for (size_t k = 0; k < 2; k++) {
        FILE *file = fopen(path_of(place, k == 0 ? "FORMAT" : "keys"), "r");
        assert_true(fread(saved[k], 1, sizeof saved[k] - 1, file) > 0);
        fclose(file);
    }
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        DataDir *dir = NULL;
        file_put(place, "FORMAT", saved[0]);
        file_put(place, "keys", saved[1]);
        file_put(place, damages[i].name, damages[i].content);
        assert_refused(open_folder(place, &dir), ERR_STORE_FAILED);
    }
    DataDir *dir = NULL;
    file_put(place, "keys", saved[1]);
    file_put(place, "FORMAT", saved[0]);
    assert_null(open_folder(place, &dir));
    datadir_close(dir);
}

static void test_keys_are_read_from_a_copy(void **state)
{
    Place        *place = *state;
    DataDir      *dir = make(place);
    DirectoryKeys keys;
    assert_null(datadir_keys(place->arena, str_of(path_of(place, "keys")), &keys));
    assert_memory_equal(&keys.pepper, &dir->pepper, sizeof keys.pepper);
    assert_memory_equal(&keys.identity, &dir->identity, sizeof keys.identity);
    file_put(place, "copy", "identity 00\npepper 00\n");
    assert_refused(datadir_keys(place->arena, str_of(path_of(place, "copy")), &keys),
                   ERR_STORE_FAILED);
    assert_refused(datadir_keys(place->arena, str_of(path_of(place, "none")), &keys),
                   ERR_STORE_FAILED);
}

static void test_a_place_is_of_one_directory(void **state)
{
    Place   *place = *state;
    DataDir *dir = NULL;
    Str      first, again;
    make(place);
    assert_null(open_folder(place, &dir));
    assert_null(datadir_place(place->arena, dir, &first));
    assert_true(first.length > 36 && first.length <= 255);
    datadir_close(dir);
    assert_null(open_folder(place, &dir));
    assert_null(datadir_place(place->arena, dir, &again));
    assert_true(str_equal(first, again));
    assert_int_equal(rename(path_of(place, "FORMAT"), path_of(place, "OLD")), 0);
    FILE *copy = fopen(path_of(place, "FORMAT"), "w");  // another file: not the one that is locked
    assert_non_null(copy);
    fputs("toll 1\nsealBits 6\ncreated 2026-01-02T03:04:05Z\nbooks file\n", copy);
    fclose(copy);
    DataDir *other = NULL;
    assert_null(open_folder(place, &other));
    assert_null(datadir_place(place->arena, other, &again));
    assert_false(str_equal(first, again));
    datadir_close(other);
    datadir_close(dir);
    assert_refused(datadir_place(place->arena, dir, &again), ERR_STORE_FAILED);
}

static void test_a_folder_that_is_not_there_is_refused(void **state)
{
    Place   *place = *state;
    DataDir *dir = NULL;
    assert_refused(datadir_open(place->arena, STR("/nowhere/at/all"), STR_NONE, &dir),
                   ERR_STORE_FAILED);
    DataDirOptions options = { .folder = STR("/nowhere/at/all"), .seal_bits = 6 };
    assert_refused(datadir_begin(place->arena, &options, &dir), ERR_STORE_FAILED);
}

#define HERE(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(test_what_is_made_is_what_is_opened),
        HERE(test_where_the_books_are_is_kept),
        HERE(test_one_process_has_it_open),
        HERE(test_a_toll_is_never_overwritten),
        HERE(test_foreign_files_are_left_alone),
        HERE(test_a_file_by_a_name_of_ours_is_not_taken),
        HERE(test_an_init_that_stopped_half_way_is_no_directory),
        HERE(test_a_part_that_is_missing_is_not_made_anew),
        HERE(test_damaged_files_are_refused),
        HERE(test_keys_are_read_from_a_copy),
        HERE(test_a_place_is_of_one_directory),
        HERE(test_a_folder_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests_name("datadir", tests, NULL, NULL);
}
