// SPDX-License-Identifier: Apache-2.0
// A broken promise, and memory that is not there, end the process at once and say why.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/text.h"

typedef void Deed(void);

// What a process of its own says on stderr while it does that; `fell`: it did not end by itself.
static Str said_by(Deed *deed, Arena *arena, bool *fell)
{
    enum { MOST = 1 << 16 };
    int   ends[2], status;
    char *at = arena_take(arena, MOST);
    Str   said = { at, 0 };
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(20);
        deed();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t more = 1; more > 0 && said.length < MOST; said.length += (size_t)more) {
        more = read(ends[0], at + said.length, MOST - said.length);
        assert_true(more >= 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    *fell = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
    return said;
}

static bool holds(Str text, const char *part)
{
    return text.length > 0 && memmem(text.at, text.length, part, strlen(part)) != NULL;
}

static void keep_promise(void)
{
    assert_that(1 + 1 == 2);
    assert_slow(1 + 1 == 2);
}

static void break_promise(void)
{
    int two = 3;
    assert_that(two == 2);
}

static void want_too_much_of_an_arena(void)
{
    AUTO(Arena) arena = arena_open();
    arena_take(arena, SIZE_MAX / 2);
}

static void want_too_much(void)
{
    memory_release(memory_take((size_t)1 << 60));
}

static void a_kept_promise_is_silent(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    bool fell = true;
    assert_int_equal(said_by(keep_promise, arena, &fell).length, 0);
    assert_false(fell);
}

static void a_broken_promise_names_fact_and_place(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    bool fell = false;
    Str  said = said_by(break_promise, arena, &fell);
    assert_true(fell);
    assert_true(holds(said, "two == 2"));
    assert_true(holds(said, "assert_test.c"));
}

static void no_memory_ends_the_process(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Deed *deeds[] = { want_too_much_of_an_arena, want_too_much };
    for (int i = 0; i < 2; i++) {
        bool fell = false;
        Str  said = said_by(deeds[i], arena, &fell);
        assert_true(fell);
        assert_true(said.length > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_promise_is_silent),
        cmocka_unit_test(a_broken_promise_names_fact_and_place),
        cmocka_unit_test(no_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
