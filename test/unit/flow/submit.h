// For tests of a partition: sends a submission and waits for its verdicts, as a request does.
#pragma once

#include <unistd.h>

#include "base/thread.h"
#include "flow/aggregate/partition.h"

typedef struct Gate {
    Lock   lock;
    Signal signal;
    bool   open;
} Gate;

static inline void gate_open(Submission *submission)
{
    Gate *gate = submission->context;
    lock_take(&gate->lock);
    gate->open = true;
    signal_one(&gate->signal);
    lock_release(&gate->lock);
}

// A submission that is refused for now is sent again, a millisecond later, at most `tries` times.
// What refused it for good, or failed it, is answered; NULL: its verdicts are there.
static inline Err *submit_and_wait(Partition *partition, Arena *arena, Submission *submission,
                                   unsigned tries)
{
    Gate gate = { .open = false };
    lock_open(&gate.lock);
    signal_open(&gate.signal);
    submission->done = gate_open;
    submission->context = &gate;
    Err *err = partition_submit(partition, arena, submission);
    for (; tries > 0 && err != NULL && err_again(err->code) == AGAIN_LATER; tries--) {
        usleep(1000);
        err = partition_submit(partition, arena, submission);
    }
    lock_take(&gate.lock);
    while (err == NULL && !gate.open)
        signal_wait(&gate.signal, &gate.lock);
    lock_release(&gate.lock);
    signal_close(&gate.signal);
    lock_close(&gate.lock);
    return err != NULL ? err : submission->failure;
}
