// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/partition_inside.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "flow/aggregate/merge.h"

uint64_t partition_seal_of(const Partition *partition, uint64_t sequence)
{
    return sequence >> partition->options.seal_bits;
}

uint32_t partition_row_of(const Partition *partition, uint64_t sequence)
{
    return (uint32_t)(sequence & ((UINT64_C(1) << partition->options.seal_bits) - 1));
}

Generation *partition_generation(Partition *partition, uint64_t number)
{
    if (partition->unsealed.count == 0)
        return NULL;
    uint64_t oldest = generation_number(partition->unsealed.at[0].generation);
    if (number < oldest || number - oldest >= partition->unsealed.count)
        return NULL;
    return partition->unsealed.at[number - oldest].generation;
}

Generation *partition_generation_add(Partition *partition, uint64_t number)
{
    size_t count = partition->unsealed.count;
    assert_that(count == 0 ||
                generation_number(partition->unsealed.at[count - 1].generation) + 1 == number);
    const Generation *before = count == 0 ? partition->retired
                                          : partition->unsealed.at[count - 1].generation;
    Unsealed          added = { .generation = partition->spare };
    partition->spare = NULL;
    if (added.generation != NULL)
        generation_begin(added.generation, number);
    else
        added.generation = generation_open(number, partition->options.seal_bits, before);
    vector_push(&partition->unsealed, added);
    partition->generations = partition->unsealed.count;
    partition->epoch++;
    return added.generation;
}

void partition_mark_full(Partition *partition, const uint32_t name_counts[NAME_KINDS])
{
    for (size_t i = 0; i < partition->unsealed.count; i++) {
        Unsealed *unsealed = &partition->unsealed.at[i];
        if (unsealed->is_full ||
            generation_folded(unsealed->generation) < generation_room(unsealed->generation))
            continue;
        unsealed->is_full = true;
        for (int kind = 0; kind < NAME_KINDS; kind++)
            unsealed->name_counts[kind] = name_counts[kind];
        signal_all(&partition->state_changed);
    }
}

void partition_view_refresh(Partition *partition)
{
    store_view_release(partition->view);
    partition->view = usage_store_view(partition->store);
}

Err *partition_meter_apply(Partition *partition, Arena *arena, const RecordMeter *meter,
                           uint64_t sequence)
{
    Err *err = NULL;
    lock_take(&partition->state_lock);
    Activation *active = meters_get(partition->meters, meter->number);
    if (meter->is_removal && active != NULL && active->removed == 0) {
        active->removed = sequence;
    } else if (!meter->is_removal) {
        Activation wanted = {
            .number = meter->number,
            .project = meter->project,
            .event = meter->event,
            .definition = meter->definition,
            .sequence = sequence,
            .is_fresh = meter->is_fresh,
        };
        err = meters_add(partition->meters, arena, &wanted);
        // The same id again with another definition: what it measured before ends here.
        for (uint32_t i = 0; err == NULL && i < meter->number; i++) {
            Activation *older = meters_get(partition->meters, i);
            const Activation *newer = meters_get(partition->meters, meter->number);
            if (older->removed == 0 && older->project == newer->project &&
                str_equal(older->meter->id, newer->meter->id))
                older->removed = sequence;
        }
        signal_all(&partition->state_changed);  // earlier events may have to be folded in
    }
    lock_release(&partition->state_lock);
    return err;
}

bool partition_event_seen(const Partition *partition, uint32_t event)
{
    return event < partition->event_seen.count && partition->event_seen.at[event];
}

void partition_event_note(Partition *partition, uint32_t event)
{
    while (partition->event_seen.count <= event)
        vector_push(&partition->event_seen, false);
    partition->event_seen.at[event] = true;
}

void partition_latch(Partition *partition, const Err *err)
{
    if (!atomic_exchange(&partition->latched, true))
        log_line(LOG_ERROR, "ingest stops until a restart: %.*s", STR_ARG(err->detail));
}

// ---- submitting

typedef struct IdOrder {
    Hash128  id;
    uint32_t index;
} IdOrder;

static int id_order(const void *a, const void *b)
{
    const IdOrder *left = a, *right = b;
    int            order = hash_compare(left->id, right->id);
    if (order != 0)
        return order;
    return left->index < right->index ? -1 : left->index > right->index;
}

Err *partition_probe_ids(Partition *partition, Arena *arena, Submission *submission)
{
    PartitionProbe *probe = submission->probe;
    Hash128        *ids = arena_array(arena, Hash128, submission->count);
    Str            *values = arena_array(arena, Str, submission->count);
    StoreView      *view = usage_store_view(partition->store);
    for (size_t i = 0; i < submission->count; i++)
        ids[i] = submission->events[probe->by_id[i]].id;
    Err *err = usage_store_find_ids(partition->store, arena, ids, submission->count, values);
    probe->sealed = store_view_sealed(view);
    uint64_t end = probe->sealed << partition->options.seal_bits;
    for (size_t i = 0; err == NULL && i < submission->count; i++) {
        Identity *found = &probe->found[probe->by_id[i]];
        *found = (Identity){ 0 };
        if (values[i].at == NULL)
            continue;
        if (!identity_read(values[i], found))
            err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored id is damaged");
        if (found->sequence >= end)
            *found = (Identity){ 0 };  // newer than the view: the sequencer has it in memory
    }
    store_view_release(view);
    return err;
}

static void probe_names(Partition *partition, Arena *arena, const Submission *submission)
{
    PartitionProbe *probe = submission->probe;
    Str            *accounts = arena_array(arena, Str, submission->count);
    NameList        list = { arena, accounts, submission->count };
    for (size_t i = 0; i < submission->count; i++)
        if (submission->events[i].refusal == NULL)
            accounts[i] = submission->events[i].account;
    names_hold(partition->names);
    probe->project = names_find_held(partition->names, NAME_PROJECT, 0, submission->project);
    names_find_many_held(partition->names, NAME_ACCOUNT, probe->project, &list, probe->accounts);
    for (size_t i = 0; i < submission->count; i++) {
        const Event *event = &submission->events[i];
        if (event->refusal == NULL)
            probe->events[i] =
                names_find_held(partition->names, NAME_EVENT, probe->project, event->event);
    }
    names_let_go(partition->names);
}

static Err *probe(Partition *partition, Arena *arena, Submission *submission)
{
    size_t   count = submission->count;
    IdOrder *order = arena_array(arena, IdOrder, count);
    PartitionProbe *probe = arena_new(arena, PartitionProbe);
    probe->found = arena_array(arena, Identity, count);
    probe->by_id = arena_array(arena, uint32_t, count);
    probe->events = arena_array(arena, uint32_t, count);
    probe->accounts = arena_array(arena, uint32_t, count);
    submission->probe = probe;
    for (size_t i = 0; i < count; i++)
        order[i] = (IdOrder){ submission->events[i].id, (uint32_t)i };
    qsort(order, count, sizeof *order, id_order);
    for (size_t i = 0; i < count; i++)
        probe->by_id[i] = order[i].index;
    probe_names(partition, arena, submission);
    return partition_probe_ids(partition, arena, submission);
}

Err *partition_seal_is_behind(Partition *partition, Arena *arena)
{
    size_t generations = partition->generations;
    size_t full = generations == 0 ? 0 : generations - 1;
    bool behind = full > GENERATIONS_WAITING_MAX &&
                  full << partition->options.seal_bits > UNSEALED_FREE;
    if (behind || usage_store_runs(partition->store) > STORE_RUNS_MAX)
        return refuse(arena, ERR_SEALING_BEHIND, STR_NONE, "%zu generations of events wait to be "
                      "sealed", full);
    return NULL;
}

static ProjectQueue *project_queue(Partition *partition, Str project)
{
    for (size_t i = 0; i < partition->projects.count; i++)
        if (str_equal(partition->projects.at[i]->project, project))
            return partition->projects.at[i];
    ProjectQueue *queue = arena_new(partition->arena, ProjectQueue);
    queue->project = str_copy(partition->arena, project);
    vector_push(&partition->projects, queue);
    return queue;
}

// queue_lock held. A project that had nothing waiting joins the ring as the last to be served.
static void enqueue(Partition *partition, Submission *submission)
{
    ProjectQueue *queue = project_queue(partition, submission->project);
    submission->next = NULL;
    partition->queue_bytes += submission->bytes;
    counter_set(METRIC_QUEUE_BYTES, (int64_t)partition->queue_bytes);
    if (queue->first != NULL) {
        queue->last->next = submission;
        queue->last = submission;
        return;
    }
    queue->first = queue->last = submission;
    if (partition->ring == NULL) {
        queue->next = queue;
    } else {
        queue->next = partition->ring->next;
        partition->ring->next = queue;
    }
    partition->ring = queue;
}

static Err *put(Partition *partition, Arena *arena, Submission *submission)
{
    Err *err = NULL;
    lock_take(&partition->queue_lock);
    if (partition->latched)
        err = refuse(arena, ERR_JOURNAL_FAILED, STR_NONE, "%s", err_title(ERR_JOURNAL_FAILED));
    else if (partition->stopping)
        err = refuse(arena, ERR_NOT_READY, STR_NONE, "the server is stopping");
    else if (partition->queue_bytes > 0 &&
             partition->queue_bytes + submission->bytes > partition->options.queue_bytes)
        err = refuse(arena, ERR_QUEUE_FULL, STR_NONE, "%zu bytes of events are waiting",
                     partition->queue_bytes);
    else
        enqueue(partition, submission);
    lock_release(&partition->queue_lock);
    if (err == NULL)
        signal_one(&partition->queue_changed);
    return err;
}

Err *partition_submit(Partition *partition, Arena *arena, Submission *submission)
{
    if (partition->latched)
        return refuse(arena, ERR_JOURNAL_FAILED, STR_NONE, "%s", err_title(ERR_JOURNAL_FAILED));
    TRY(partition_seal_is_behind(partition, arena));
    TRY(probe(partition, arena, submission));
    return put(partition, arena, submission);
}

// ---- waiting for one

// One submission that a thread waits for.
typedef struct Waiter {
    Lock   lock;
    Signal done;
    bool   is_done;
} Waiter;

static void waiter_wake(Submission *submission)
{
    Waiter *waiter = submission->context;
    lock_take(&waiter->lock);
    waiter->is_done = true;
    signal_one(&waiter->done);
    lock_release(&waiter->lock);
}

Err *partition_submit_wait(Partition *partition, Arena *arena, Submission *submission)
{
    Waiter waiter = { .is_done = false };
    lock_open(&waiter.lock);
    signal_open(&waiter.done);
    submission->done = waiter_wake;
    submission->context = &waiter;
    Err *err = put(partition, arena, submission);
    lock_take(&waiter.lock);
    while (err == NULL && !waiter.is_done)
        signal_wait(&waiter.done, &waiter.lock);
    lock_release(&waiter.lock);
    signal_close(&waiter.done);
    lock_close(&waiter.lock);
    if (err == NULL && submission->failure != NULL)
        err = refuse(arena, submission->failure->code, STR_NONE, "%.*s",
                     STR_ARG(submission->failure->detail));
    return err;
}

static Err *meter_submit(Partition *partition, Arena *arena, Str project, MeterWork *work)
{
    PartitionProbe probe = { .sealed = UINT64_MAX, .meter = work };
    Submission     submission = {
            .project = project, .received = { clock_now_us() }, .probe = &probe,
    };
    return partition_submit_wait(partition, arena, &submission);
}

static Str definition_of(Arena *arena, const Meter *meter)
{
    Text    definition = text_open(arena);
    JsonOut out = json_out(&definition);
    meter_to_json(meter, &out);
    return text_str(&definition);
}

Err *partition_meter_put(Partition *partition, Arena *arena, Str project, const Meter *meter)
{
    MeterWork work = {
        .id = meter->id,
        .event = meter->event,
        .definition = definition_of(arena, meter),
    };
    return meter_submit(partition, arena, project, &work);
}

bool partition_meter_differs(Partition *partition, Arena *arena, Str project, const Meter *meter)
{
    uint32_t number = names_find(partition->names, NAME_PROJECT, 0, project);
    if (number == NAME_NONE)
        return false;
    lock_take(&partition->state_lock);
    const Activation *active = meters_find(partition->meters, number, meter->id);
    lock_release(&partition->state_lock);
    return active != NULL && !str_equal(active->definition, definition_of(arena, meter));
}

Err *partition_meter_remove(Partition *partition, Arena *arena, Str project, Str meter)
{
    uint32_t number = names_find(partition->names, NAME_PROJECT, 0, project);
    lock_take(&partition->state_lock);
    const Activation *active =
        number == NAME_NONE ? NULL : meters_find(partition->meters, number, meter);
    lock_release(&partition->state_lock);
    if (active == NULL)
        return NULL;
    MeterWork work = { .id = meter, .event = active->meter->event, .is_removal = true };
    return meter_submit(partition, arena, project, &work);
}

// ---- asking

Err *partition_health(Partition *partition, Arena *arena)
{
    if (partition->latched)
        return refuse(arena, ERR_JOURNAL_FAILED, STR_NONE, "%s", err_title(ERR_JOURNAL_FAILED));
    return journal_health(partition->journal, arena);
}

uint64_t partition_sequence(Partition *partition)
{
    lock_take(&partition->state_lock);
    uint64_t folded = partition->folded;
    lock_release(&partition->state_lock);
    return folded - 1;
}

bool partition_account(Partition *partition, uint64_t index, Str *project, Str *account)
{
    uint32_t parent;
    if (index >= partition->accounts)
        return false;
    *account = names_text(partition->names, NAME_ACCOUNT, (uint32_t)index, &parent);
    *project = names_text(partition->names, NAME_PROJECT, parent, NULL);
    return true;
}

// ---- opening and closing

static Err *stores_open(Partition *partition, Arena *arena)
{
    JournalOptions journal = {
        .folder = str_print(partition->arena, "%.*s/journal", STR_ARG(partition->options.folder)),
        .segment_bytes = partition->options.segment_bytes,
    };
    UsageStoreOptions store = {
        .folder = str_print(partition->arena, "%.*s/store", STR_ARG(partition->options.folder)),
        .hooks = merge_hooks(partition->merge),
        .cache_bytes = partition->options.cache_bytes,
        .filter_bits = partition->options.seal_bits < 16 ? 12 : 0,
    };
    TRY(usage_store_open(arena, &store, &partition->store));
    TRY(journal_open(arena, &journal, &partition->journal));
    partition->view = usage_store_view(partition->store);
    return NULL;
}

static void free_all(Partition *partition)
{
    for (size_t i = 0; i < partition->unsealed.count; i++)
        generation_release(partition->unsealed.at[i].generation);
    for (size_t i = 0; i < partition->dropped.count; i++)
        generation_release(partition->dropped.at[i]);
    generation_release(partition->retired);
    if (partition->spare != NULL)
        generation_begin(partition->spare, 0);
    generation_release(partition->spare);
    vector_release(&partition->dropped);
    vector_release(&partition->unsealed);
    vector_release(&partition->projects);
    vector_release(&partition->event_seen);
    store_view_release(partition->view);
    journal_close(partition->journal);
    usage_store_close(partition->store);
    meters_close(partition->meters);
    voids_close(partition->voids);
    outcomes_close(partition->outcomes);
    names_close(partition->names);
    merge_close(partition->merge);
    for (int i = 0; i < 2; i++) {
        text_close(&partition->commits[i].text.names);
        text_close(&partition->commits[i].text.rows);
    }
    signal_close(&partition->queue_changed);
    signal_close(&partition->commit_changed);
    signal_close(&partition->state_changed);
    lock_close(&partition->queue_lock);
    lock_close(&partition->state_lock);
    arena_close(partition->arena);
    memory_release(partition);
}

static Partition *partition_new(const PartitionOptions *options)
{
    Partition *partition = memory_take(sizeof(Partition));
    partition->arena = arena_open();
    partition->options = *options;
    partition->options.folder = str_copy(partition->arena, options->folder);
    partition->names = names_open();
    partition->outcomes = outcomes_open();
    partition->meters = meters_open();
    partition->voids = voids_open();
    partition->merge = merge_open(&options->key, partition->names);
    lock_open(&partition->queue_lock);
    lock_open(&partition->state_lock);
    signal_open(&partition->queue_changed);
    signal_open(&partition->commit_changed);
    signal_open(&partition->state_changed);
    for (int i = 0; i < 2; i++) {
        partition->commits[i].text.names = text_open_own();
        partition->commits[i].text.rows = text_open_own();
    }
    partition->open = &partition->commits[0];
    return partition;
}

static void threads_start(Partition *partition)
{
    thread_start(&partition->sequencer, "sequencer", sequencer_run, partition);
    thread_start(&partition->committer, "committer", committer_run, partition);
    thread_start(&partition->sealer, "sealer", sealer_run, partition);
    thread_start(&partition->folder, "folder", folder_run, partition);
}

Err *partition_open(Arena *arena, const PartitionOptions *options, Partition **out)
{
    Partition *partition = partition_new(options);
    Err       *err = stores_open(partition, arena);
    if (err == NULL)
        err = partition_recover(partition, arena);
    merge_names_ready(partition->merge);
    if (err != NULL) {
        free_all(partition);
        return err;
    }
    partition->accounts = names_count(partition->names, NAME_ACCOUNT);
    counter_set(METRIC_SEQUENCE, (int64_t)partition->next_sequence - 1);
    counter_set(METRIC_UNSEALED_GENERATIONS, (int64_t)partition->unsealed.count);
    partition->flushed_us = clock_tick_us();
    partition->open->first = partition->open->next = partition->next_sequence;
    if (!options->read_only)
        threads_start(partition);
    *out = partition;
    return NULL;
}

void partition_close(Partition *partition)
{
    if (partition == NULL)
        return;
    lock_take(&partition->queue_lock);
    partition->stopping = true;
    signal_all(&partition->queue_changed);
    lock_release(&partition->queue_lock);
    thread_join(&partition->sequencer);
    thread_join(&partition->committer);
    lock_take(&partition->state_lock);
    partition->seal_stopping = true;
    signal_all(&partition->state_changed);
    lock_release(&partition->state_lock);
    usage_store_interrupt(partition->store);
    thread_join(&partition->sealer);
    thread_join(&partition->folder);
    free_all(partition);
}
