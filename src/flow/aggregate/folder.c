// SPDX-License-Identifier: Apache-2.0
// What goes on behind: sixteen ranges become one, and the earlier events of a meter that came late
// are folded into cells of its own range. Until that is done, reads of the meter scan; nobody
// waits.
#include "base/log.h"
#include "flow/aggregate/backfill.h"

typedef struct BackfillWrite {
    StoreWriter *writer;
    Arena       *arena;
} BackfillWrite;

static Err *row_put(void *context, Str suffix, Str value)
{
    BackfillWrite *write = context;
    return store_writer_put(write->writer, write->arena, STORE_CELLS, suffix, value);
}

static Err *backfill_run(Partition *partition, Arena *arena, const Activation *activation)
{
    BackfillWrite write = { .arena = arena };
    StoreRange    range = store_range(STORE_EXTRA_LEVEL, activation->number);
    TRY(store_writer_open(partition->store, arena, range, &write.writer));
    Err *err = backfill_rows(partition, arena, activation, row_put, &write);
    if (err != NULL) {
        store_writer_close(write.writer);
        return err;
    }
    TRY(store_writer_commit(write.writer, arena, STR_NONE, NULL, 0));
    log_line(LOG_INFO, "meter folded id=%.*s", STR_ARG(activation->meter->id));
    return NULL;
}

// ---- what there is to do

typedef enum Job { JOB_NONE, JOB_BACKFILL, JOB_REMOVE } Job;

// state_lock held.
static Job job_find(Partition *partition, const Activation **activation)
{
    uint64_t sealed = store_view_sealed(partition->view) << partition->options.seal_bits;
    for (uint32_t i = 0; i < meters_count(partition->meters); i++) {
        const Activation *at = meters_get(partition->meters, i);
        bool is_held = store_view_holds(partition->view, STORE_EXTRA_LEVEL, at->number);
        *activation = at;
        if (at->removed != 0 && is_held)
            return JOB_REMOVE;
        if (at->removed == 0 && !at->is_fresh && !is_held && at->sequence < sealed)
            return JOB_BACKFILL;
    }
    return JOB_NONE;
}

static Err *job_run(Partition *partition, Arena *arena, Job job, const Activation *activation)
{
    bool more = true;
    if (job == JOB_BACKFILL)
        return backfill_run(partition, arena, activation);
    if (job == JOB_REMOVE)
        return usage_store_remove_extra(partition->store, arena,
                                        store_range(STORE_EXTRA_LEVEL, activation->number));
    while (more && !partition->seal_stopping)
        TRY(usage_store_tend(partition->store, arena, &more));
    return NULL;
}

// After every seal and every change of meters the store is tended, then one job is done, until
// there is none. A failure is logged and met again at the next seal: nothing that is read depends
// on it.
void *folder_run(void *context)
{
    Partition *partition = context;
    uint64_t   seen = UINT64_MAX;  // epoch and meters at the last turn without work
    for (;;) {
        AUTO(Arena) arena = arena_open();
        const Activation *activation = NULL;
        lock_take(&partition->state_lock);
        Job job = job_find(partition, &activation);
        while (job == JOB_NONE && seen == partition->epoch && !partition->seal_stopping) {
            signal_wait(&partition->state_changed, &partition->state_lock);
            job = job_find(partition, &activation);
        }
        seen = partition->epoch;
        bool stopping = partition->seal_stopping;
        lock_release(&partition->state_lock);
        if (stopping)
            return NULL;
        Err *err = job_run(partition, arena, job, activation);
        lock_take(&partition->state_lock);
        partition_view_refresh(partition);
        if (err != NULL && !partition->seal_stopping) {
            log_line(LOG_ERROR, "folding failed: %.*s", STR_ARG(err->detail));
            signal_wait(&partition->state_changed, &partition->state_lock);
        }
        lock_release(&partition->state_lock);
    }
}
