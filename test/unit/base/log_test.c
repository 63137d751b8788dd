// SPDX-License-Identifier: Apache-2.0
// One line an event, whatever the event holds, and none below the threshold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"

// What goes to stderr between begin and end.
typedef struct Capture {
    FILE *file;
    int   before;
} Capture;

static Capture capture_begin(void)
{
    Capture capture = { tmpfile(), dup(STDERR_FILENO) };
    assert_non_null(capture.file);
    assert_true(capture.before >= 0);
    assert_true(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
    return capture;
}

static Str capture_end(Capture *capture, Arena *arena)
{
    enum { MOST = 1 << 16 };
    assert_true(dup2(capture->before, STDERR_FILENO) >= 0);
    close(capture->before);
    char *bytes = arena_take(arena, MOST);
    assert_int_equal(fseek(capture->file, 0, SEEK_SET), 0);
    size_t length = fread(bytes, 1, MOST, capture->file);
    fclose(capture->file);
    return (Str){ bytes, length };
}

static bool holds(Str text, const char *part)
{
    return text.length > 0 && memmem(text.at, text.length, part, strlen(part)) != NULL;
}

static void a_line_has_time_level_and_message(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Capture capture = capture_begin();
    log_line(LOG_WARN, "disk is full path=%s left=%d", "/x", 7);
    Str line = capture_end(&capture, arena);
    assert_true(line.length > 25 && line.at[line.length - 1] == '\n');
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; form[i] != 0; i++) {
        bool is_digit = line.at[i] >= '0' && line.at[i] <= '9';
        assert_true(form[i] == 'd' ? is_digit : line.at[i] == form[i]);
    }
    Str rest = { line.at + sizeof form - 1, line.length - sizeof form + 1 };
    assert_true(str_equal(rest, STR("warn disk is full path=/x left=7\n")));
}

static void the_threshold_holds_back_what_is_below(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    static const char *const names[] = { "debug", "info", "warn", "error" };
    for (int least = LOG_DEBUG; least <= LOG_ERROR; least++) {
        Capture capture = capture_begin();
        log_threshold((LogLevel)least);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++)
            log_line((LogLevel)level, "at %s.", names[level]);
        Str text = capture_end(&capture, arena);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            Str line = str_print(arena, "Z %s at %s.\n", names[level], names[level]);
            assert_int_equal(holds(text, str_terminated(arena, line)), level >= least);
        }
    }
    log_threshold(LOG_INFO);
}

static size_t lines_in(Str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += text.at[i] == '\n';
    return count;
}

static void a_long_message_is_cut_to_one_line(void **state)
{
    (void)state;
    char message[5000];
    memset(message, 'm', sizeof message);
    for (size_t length = 1900; length < 2200; length++) {
        AUTO(Arena) arena = arena_open();
        Capture capture = capture_begin();
        log_line(LOG_ERROR, "%.*s", (int)length, message);
        Str line = capture_end(&capture, arena);
        assert_true(line.length <= 2048);
        assert_int_equal(lines_in(line), 1);
        assert_int_equal(line.at[line.length - 1], '\n');
        assert_null(memchr(line.at, 0, line.length));
    }
}

// What comes from outside, a name or a refusal, must not look like another line.
static void a_message_stays_on_its_line(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Capture capture = capture_begin();
    log_line(LOG_ERROR, "name=%s end",
             "x\n2026-01-01T00:00:00.000Z info forged\r\x1b[2J\t\x7f\xc2\x85\n");
    Str line = capture_end(&capture, arena);
    assert_int_equal(lines_in(line), 1);
    assert_false(str_has_control((Str){ line.at, line.length - 1 }));
    assert_true(holds(line, "forged") && holds(line, " end\n"));
    capture = capture_begin();
    log_line(LOG_ERROR, "%s", "caf\xc3\xa9 \xc2\xa0 \xe2\x82\xac");
    assert_true(holds(capture_end(&capture, arena), "caf\xc3\xa9 \xc2\xa0 \xe2\x82\xac\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_and_message),
        cmocka_unit_test(the_threshold_holds_back_what_is_below),
        cmocka_unit_test(a_long_message_is_cut_to_one_line),
        cmocka_unit_test(a_message_stays_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
