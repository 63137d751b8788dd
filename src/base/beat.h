// A thread that does the same work again and again, a pause after each time, until it is closed.
// What it refuses is logged and tried again with the next beat.
#pragma once

#include "base/error.h"

typedef struct Beat Beat;

typedef struct BeatOptions {
    const char *name;      // of the thread; lives as long as the beat
    const char *failing;   // begins the log's line about a refusal: "ledger: sealing"
    int64_t     pause_us;  // before the first time, too
    Err      *(*work)(void *context, Arena *arena);  // STORE_BUSY is not worth a line
    void       *context;
} BeatOptions;

Beat *beat_open(const BeatOptions *options);
void  beat_close(Beat *beat);  // waits for work that is under way; NULL is allowed
