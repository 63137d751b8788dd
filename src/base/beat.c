// SPDX-License-Identifier: Apache-2.0
#include "base/beat.h"

#include "base/log.h"
#include "base/thread.h"

struct Beat {
    BeatOptions options;
    Thread      thread;
    Lock        lock;
    Signal      ended;
    bool        ends;
};

static bool wait(Beat *beat)
{
    lock_take(&beat->lock);
    if (!beat->ends)
        signal_wait_us(&beat->ended, &beat->lock, beat->options.pause_us);
    bool ends = beat->ends;
    lock_release(&beat->lock);
    return !ends;
}

static void *beat_run(void *argument)
{
    Beat *beat = argument;
    while (wait(beat)) {
        AUTO(Arena) arena = arena_open();
        Err *err = beat->options.work(beat->options.context, arena);
        if (err != NULL && err->code != ERR_STORE_BUSY)
            log_line(LOG_WARN, "%s: %.*s", beat->options.failing, STR_ARG(err->detail));
    }
    return NULL;
}

Beat *beat_open(const BeatOptions *options)
{
    Beat *beat = memory_take(sizeof *beat);
    beat->options = *options;
    lock_open(&beat->lock);
    signal_open(&beat->ended);
    thread_start(&beat->thread, options->name, beat_run, beat);
    return beat;
}

void beat_close(Beat *beat)
{
    if (beat == NULL)
        return;
    lock_take(&beat->lock);
    beat->ends = true;
    signal_all(&beat->ended);
    lock_release(&beat->lock);
    thread_join(&beat->thread);
    signal_close(&beat->ended);
    lock_close(&beat->lock);
    memory_release(beat);
}
