// SPDX-License-Identifier: Apache-2.0
// A setting comes from the last source that names it, and never leaves its row's limits.
#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static Err *read_text(Config *config, const char *text)
{
    return config_read_text(config, STR("toll.conf"), str_of(text));
}

static void assert_text(Str found, const char *wanted)
{
    assert_int_equal(found.length, strlen(wanted));
    assert_memory_equal(found.at, wanted, found.length);
}

static void every_default_is_within_its_own_limits(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);  // asserts it, row by row
    assert_int_equal(config_whole(config, CONFIG_LIMITS_BODY_BYTES), 16 * 1024 * 1024);
    assert_int_equal(config_whole(config, CONFIG_LIMITS_EVENTS), 10000);
    assert_int_equal(config_source(config, CONFIG_LISTEN), SOURCE_DEFAULT);
}

static void a_file_sets_what_it_names(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    assert_null(read_text(config, "# comment\n\n  http.threads = 4\r\nlimits.bodyBytes=64KiB\n"
                                  "listen = [::1]:9000\nlog.level = warn"));
    assert_int_equal(config_whole(config, CONFIG_HTTP_THREADS), 4);
    assert_int_equal(config_whole(config, CONFIG_LIMITS_BODY_BYTES), 65536);
    assert_text(config_text(config, CONFIG_LISTEN), "[::1]:9000");
    assert_int_equal(config_choice(config, CONFIG_LOG_LEVEL), 2);
    assert_int_equal(config_source(config, CONFIG_HTTP_THREADS), SOURCE_FILE);
    assert_int_equal(config_source(config, CONFIG_HTTP_WORKERS), SOURCE_DEFAULT);
}

static void every_fault_of_a_file_is_told_with_its_line(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    Err *err = read_text(config, "http.threads = 0\nhttp.thread = 2\nlisten\nhttp.workers = 3\n"
                                 "http.workers = 3\n");
    assert_non_null(err);
    assert_int_equal(err->code, ERR_FIELD_INVALID);
    assert_text(err->pointer, "toll.conf:1");
    assert_text(err->detail, "http.threads must be a whole number from 1 to 64, not \"0\"");
    assert_int_equal(err->next->code, ERR_UNKNOWN_MEMBER);
    assert_text(err->next->detail, "there is no setting \"http.thread\"");
    assert_text(err->next->next->pointer, "toll.conf:3");
    assert_text(err->next->next->next->detail, "http.workers is set twice");
    assert_null(err->next->next->next->next);
}

static void values_outside_their_limits_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "http.threads = 65",        "http.threads = -1",     "http.threads = 1.5",
        "http.threads =",           "http.threads = 0x2",    "limits.bodyBytes = 1KB",
        "limits.bodyBytes = KiB",   "limits.bodyBytes = 1",  "limits.bodyBytes = 1.5MiB",
        "log.level = loud",         "log.level = debug|info", "listen =",
        "listen = a\tb\x01",        "http.threads = 18446744073709551617",
        "limits.bodyBytes = 99999999999999999TiB",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AUTO(Arena) arena = arena_open();
        Config *config = config_open(arena);
        Err *err = read_text(config, wrong[i]);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_FIELD_INVALID);
        assert_int_equal(config_whole(config, CONFIG_HTTP_THREADS), 2);
    }
}

static void flag_beats_environment_beats_file(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    char path[] = "PATH=/bin", threads[] = "TOLL_HTTP_THREADS=8";
    char bytes[] = "TOLL_LIMITS_BODY_BYTES=1MiB", misspelt[] = "TOLL_HTTP_THREAD=8";
    char *environment[] = { path, threads, bytes, misspelt, NULL };
    assert_null(read_text(config, "http.threads = 4\nlimits.bodyBytes = 2MiB\n"));
    assert_null(config_read_environment(config, environment));
    assert_null(config_set(config, CONFIG_HTTP_THREADS, STR("16"), SOURCE_FLAG));
    assert_int_equal(config_whole(config, CONFIG_HTTP_THREADS), 16);
    assert_int_equal(config_source(config, CONFIG_HTTP_THREADS), SOURCE_FLAG);
    assert_int_equal(config_whole(config, CONFIG_LIMITS_BODY_BYTES), 1 << 20);
    assert_int_equal(config_source(config, CONFIG_LIMITS_BODY_BYTES), SOURCE_ENVIRONMENT);
    assert_text(config_unknown(config), "TOLL_HTTP_THREAD\n");
}

static void a_wrong_variable_is_refused_by_its_name(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    char readers[] = "TOLL_BOOKS_READERS=none";
    char *environment[] = { readers, NULL };
    Err *err = config_read_environment(config, environment);
    assert_non_null(err);
    assert_text(err->pointer, "TOLL_BOOKS_READERS");
}

static void a_file_that_is_absent_is_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Config *config = config_open(arena);
    assert_non_null(config_read_file(config, "/nonexistent/toll.conf"));

    char path[] = "/tmp/toll-config-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "http.workers = 7\n", 17), 17);
    close(file);
    assert_null(config_read_file(config, path));
    unlink(path);
    assert_int_equal(config_whole(config, CONFIG_HTTP_WORKERS), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_within_its_own_limits),
        cmocka_unit_test(a_file_sets_what_it_names),
        cmocka_unit_test(every_fault_of_a_file_is_told_with_its_line),
        cmocka_unit_test(values_outside_their_limits_are_refused),
        cmocka_unit_test(flag_beats_environment_beats_file),
        cmocka_unit_test(a_wrong_variable_is_refused_by_its_name),
        cmocka_unit_test(a_file_that_is_absent_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
