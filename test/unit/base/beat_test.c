// SPDX-License-Identifier: Apache-2.0
// A beat goes on after what its work refused, and nothing of it runs once it is closed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/beat.h"
#include "base/log.h"
#include "base/thread.h"

typedef struct Work {
    Lock   lock;
    Signal done;
    int    times;
} Work;

static Err *work(void *context, Arena *arena)
{
    Work *of = context;
    lock_take(&of->lock);
    int times = ++of->times;
    signal_all(&of->done);
    lock_release(&of->lock);
    if (times % 3 == 0)
        return refuse(arena, ERR_STORE_BUSY, STR_NONE, "not now");
    return times % 3 == 1 ? refuse(arena, ERR_STORE_FAILED, STR_NONE, "not at all") : NULL;
}

static void it_goes_on_until_it_is_closed(void **state)
{
    (void)state;
    Work of = { 0 };
    lock_open(&of.lock);
    signal_open(&of.done);
    log_threshold(LOG_ERROR);
    Beat *beat = beat_open(&(BeatOptions){ "beat", "test", 1, work, &of });
    lock_take(&of.lock);
    while (of.times < 7)
        signal_wait(&of.done, &of.lock);
    lock_release(&of.lock);
    beat_close(beat);
    int times = of.times;
    assert_true(times >= 7);
    beat_close(NULL);
    assert_int_equal(of.times, times);
    signal_close(&of.done);
    lock_close(&of.lock);
}

static void a_pause_ends_with_the_beat(void **state)
{
    (void)state;
    Work  of = { 0 };
    Beat *beat = beat_open(&(BeatOptions){ "beat", "test", INT64_C(3600000000), work, &of });
    beat_close(beat);
    assert_int_equal(of.times, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_until_it_is_closed),
        cmocka_unit_test(a_pause_ends_with_the_beat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
