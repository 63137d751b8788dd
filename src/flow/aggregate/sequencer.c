// SPDX-License-Identifier: Apache-2.0
// The one thread that decides. It takes submissions project by project in turn, gives every event
// its verdict against the sealed ids (found by the probe) and the unsealed ones (in memory), and
// writes what is new into the open record. What it decides is told to nobody before the record is
// durable.
#include "flow/aggregate/partition_inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"

// Brings the sequencer's own list of generations in memory up to date: verdicts read it without a
// lock. Oldest first: the newest sealed one, when it is still there, then the unsealed ones.
static void known_refresh(Partition *partition)
{
    for (size_t i = 0; i < partition->known.count; i++)
        vector_push(&partition->dropped, partition->known.at[i]);
    partition->known.count = 0;
    if (partition->retired != NULL)
        vector_push(&partition->known, partition->retired);
    for (size_t i = 0; i < partition->unsealed.count; i++)
        vector_push(&partition->known, partition->unsealed.at[i].generation);
    for (size_t i = 0; i < partition->known.count; i++)
        generation_retain(partition->known.at[i]);
    partition->known_epoch = partition->epoch;
}

// The generation for a sequence that is being put; the next one is made when the last is full. The
// others stay known until the next submission: the probe of this one counts on their ids.
Generation *sequencer_generation(Partition *partition, uint64_t sequence)
{
    uint64_t    number = partition_seal_of(partition, sequence);
    size_t      count = partition->known.count;
    Generation *last = count == 0 ? NULL : partition->known.at[count - 1];
    if (last != NULL && generation_number(last) == number)
        return last;
    lock_take(&partition->state_lock);
    last = partition_generation_add(partition, number);
    lock_release(&partition->state_lock);
    generation_retain(last);
    vector_push(&partition->known, last);
    return last;
}

// Finds the id among the generations in memory, newest first.
static bool find_in_memory(const Partition *partition, Hash128 id, Identity *identity)
{
    for (size_t i = partition->known.count; i > 0; i--) {
        const Generation *generation = partition->known.at[i - 1];
        uint32_t          row = generation_find(generation, id);
        if (row != ROW_END) {
            generation_identity(generation, row, identity);
            return true;
        }
    }
    return false;
}

static void prefetch(const Partition *partition, const Submission *submission)
{
    for (size_t g = 0; g < partition->known.count; g++)
        for (size_t i = 0; i < submission->count; i++)
            if (submission->events[i].refusal == NULL)
                generation_prefetch(partition->known.at[g], submission->events[i].id);
}

static Verdict verdict_of(Partition *partition, const Submission *submission, size_t index)
{
    const Event *event = &submission->events[index];
    Identity     stored;
    if (event->refusal != NULL)
        return (Verdict){ .outcome = OUTCOME_REJECTED, .code = event->refusal->code };
    if (!find_in_memory(partition, event->id, &stored)) {
        stored = submission->probe->found[index];
        if (stored.sequence == 0)
            return (Verdict){ .outcome = OUTCOME_ACCEPTED, .code = ERR_COUNT };
    }
    Outcome outcome = identity_compare(&stored, event);
    ErrCode code = outcome == OUTCOME_CONFLICT ? ERR_EVENT_CONFLICT : ERR_EVENT_DUPLICATE;
    bool    is_void = voids_state(partition->voids, stored.sequence, partition->next_sequence) ==
                   EVENT_IS_VOID;
    return (Verdict){ outcome, code, stored.sequence, is_void };
}

static uint32_t name_number(Partition *partition, NameKind kind, uint32_t parent, Str name)
{
    uint32_t number = names_find(partition->names, kind, parent, name);
    if (number != NAME_NONE)
        return number;
    number = names_add(partition->names, kind, parent, name);
    RecordName added = { kind, parent, number, name };
    record_add_name(&partition->open->text, &added);
    return number;
}

static void accept(Partition *partition, Submission *submission, size_t index)
{
    PartitionProbe *probe = submission->probe;
    uint32_t       *account = &probe->accounts[index];
    const Event    *event = &submission->events[index];
    uint64_t        sequence = partition->next_sequence++;
    if (probe->project == NAME_NONE)
        probe->project = name_number(partition, NAME_PROJECT, 0, submission->project);
    if (probe->events[index] == NAME_NONE)
        probe->events[index] = name_number(partition, NAME_EVENT, probe->project, event->event);
    if (*account == NAME_NONE)
        *account = name_number(partition, NAME_ACCOUNT, probe->project, event->account);
    partition_event_note(partition, probe->events[index]);
    Row numbers = {
        .event = probe->events[index],
        .account = probe->accounts[index],
        .received = submission->received,
    };
    generation_put_event(sequencer_generation(partition, sequence),
                         partition_row_of(partition, sequence), event, &numbers);
    record_add_event(&partition->open->text, &numbers, event);
    submission->verdicts[index] = (Verdict){ OUTCOME_ACCEPTED, ERR_COUNT, sequence, false };
}

// True when two events of the request carry the same id with different content.
static bool conflicts_within(const Submission *submission)
{
    const uint32_t *by_id = submission->probe->by_id;
    for (size_t i = 1; i < submission->count; i++) {
        const Event *a = &submission->events[by_id[i - 1]], *b = &submission->events[by_id[i]];
        Identity     first = {
                .fingerprint = a->fingerprint, .ts = a->ts, .ts_given = a->ts_given,
        };
        if (a->refusal == NULL && b->refusal == NULL && hash_equal(a->id, b->id) &&
            identity_compare(&first, b) == OUTCOME_CONFLICT)
            return true;
    }
    return false;
}

// An atomic request is judged whole before anything of it is claimed. Refused: nothing is stored,
// and what would have been accepted is rejected with ATOMIC_REFUSED.
static bool atomic_refused(Partition *partition, Submission *submission)
{
    bool refused = conflicts_within(submission);
    for (size_t i = 0; i < submission->count; i++) {
        submission->verdicts[i] = verdict_of(partition, submission, i);
        refused = refused || submission->verdicts[i].outcome == OUTCOME_REJECTED ||
                  submission->verdicts[i].outcome == OUTCOME_CONFLICT;
    }
    for (size_t i = 0; refused && i < submission->count; i++)
        if (submission->verdicts[i].outcome == OUTCOME_ACCEPTED)
            submission->verdicts[i] = (Verdict){ OUTCOME_REJECTED, ERR_ATOMIC_REFUSED, 0, false };
    return refused;
}

static void decide_events(Partition *partition, Submission *submission)
{
    if (submission->atomic && atomic_refused(partition, submission))
        return;
    for (size_t i = 0; i < submission->count; i++) {
        submission->verdicts[i] = verdict_of(partition, submission, i);
        if (submission->verdicts[i].outcome == OUTCOME_ACCEPTED)
            accept(partition, submission, i);
    }
}

// A change of meters takes effect here, at its own sequence: the fold of earlier events, which may
// still be on their way, compares sequences.
static void decide_meter(Partition *partition, Arena *arena, const Submission *submission)
{
    MeterWork *work = submission->probe->meter;
    uint32_t   project = names_find(partition->names, NAME_PROJECT, 0, submission->project);
    lock_take(&partition->state_lock);
    Activation *active = meters_find(partition->meters, project, work->id);
    uint32_t    number = active != NULL && work->is_removal ? active->number
                                                            : meters_count(partition->meters);
    bool        is_same = active != NULL && str_equal(active->definition, work->definition);
    work->is_needless = work->is_removal ? active == NULL : is_same;
    lock_release(&partition->state_lock);
    if (work->is_needless)
        return;  // and no name may be new: a record without sequences need not be written
    project = name_number(partition, NAME_PROJECT, 0, submission->project);
    uint32_t    event = name_number(partition, NAME_EVENT, project, work->event);
    RecordMeter record = {
        .project = project,
        .event = event,
        .number = number,
        .is_removal = work->is_removal,
        .is_fresh = !partition_event_seen(partition, event),
        .definition = work->definition,
    };
    uint64_t sequence = partition->next_sequence++;
    generation_put_other(sequencer_generation(partition, sequence),
                         partition_row_of(partition, sequence), ROW_METER);
    record_add_meter(&partition->open->text, &record);
    Err *err = partition_meter_apply(partition, arena, &record, sequence);
    if (err != NULL)
        partition_latch(partition, err);
}

static void join(Commit *commit, Submission *submission)
{
    submission->next = NULL;
    if (commit->last == NULL)
        commit->submissions = submission;
    else
        commit->last->next = submission;
    commit->last = submission;
}

static void decide(Partition *partition, Submission *submission)
{
    AUTO(Arena) arena = arena_open();
    Commit *commit = partition->open;
    if (commit->submissions == NULL)
        record_clear(&commit->text, submission->received);
    join(commit, submission);

    if (partition->known_epoch != partition->epoch) {
        lock_take(&partition->state_lock);
        known_refresh(partition);
        lock_release(&partition->state_lock);
    }
    uint64_t oldest = partition->known.count == 0 ? 0 : generation_number(partition->known.at[0]);
    if (submission->probe->sealed < oldest) {
        counter_add(METRIC_PROBE_AGAIN, 1);
        Err *err = partition_probe_ids(partition, arena, submission);
        if (err != NULL) {
            partition_latch(partition, err);
            return;
        }
    }
    if (submission->probe->meter != NULL) {
        decide_meter(partition, arena, submission);
    } else if (submission->probe->correction != NULL) {
        sequencer_correct(partition, submission);
    } else {
        prefetch(partition, submission);
        decide_events(partition, submission);
    }
    commit->next = partition->next_sequence;
}

// The next submission in turn: one of each project that has any.
static Submission *queue_next(Partition *partition)
{
    ProjectQueue *before = partition->ring;
    if (before == NULL)
        return NULL;
    ProjectQueue *queue = before->next;
    Submission   *submission = queue->first;
    queue->first = submission->next;
    partition->queue_bytes -= submission->bytes;
    counter_set(METRIC_QUEUE_BYTES, (int64_t)partition->queue_bytes);
    if (queue->first != NULL) {
        partition->ring = queue;
        return submission;
    }
    queue->last = NULL;
    before->next = queue->next;
    if (queue == before)
        partition->ring = NULL;
    return submission;
}

static bool open_is_due(const Partition *partition)
{
    return partition->open->submissions != NULL ||
           (clock_tick_us() - partition->flushed_us >= OUTCOMES_FLUSH_US &&
            outcomes_are_pending(partition->outcomes));
}

// Hands the open record to the committer and opens the other one. queue_lock held, committer free.
static void hand_over(Partition *partition)
{
    Commit *commit = partition->open;
    if (commit->submissions == NULL)
        record_clear(&commit->text, (Instant){ clock_now_us() });
    bool is_flush = partition->stopping || partition->latched ||
                    clock_tick_us() - partition->flushed_us >= OUTCOMES_FLUSH_US;
    commit->writes = commit->next > commit->first || is_flush;
    if (commit->writes)
        partition->flushed_us = clock_tick_us();
    for (int kind = 0; kind < NAME_KINDS; kind++)
        commit->name_counts[kind] = names_count(partition->names, (NameKind)kind);
    partition->commit_ready = commit;
    partition->committer_busy = true;
    signal_one(&partition->commit_changed);
    partition->open = commit == &partition->commits[0] ? &partition->commits[1]
                                                       : &partition->commits[0];
    partition->open->first = partition->open->next = commit->next;
    partition->open->submissions = partition->open->last = NULL;
}

static bool open_is_full(const Partition *partition)
{
    return partition->open->text.rows.length >= COMMIT_BYTES;
}

// Waits for something to do. Answers the next submission, or NULL when there is none to take.
static Submission *wait_for_work(Partition *partition)
{
    Submission *submission = NULL;
    lock_take(&partition->queue_lock);
    for (;;) {
        if (!open_is_full(partition))
            submission = queue_next(partition);
        if (submission != NULL)
            break;
        if (!partition->committer_busy && open_is_due(partition)) {
            hand_over(partition);
            continue;
        }
        if (partition->stopping && !partition->committer_busy && partition->ring == NULL)
            break;
        signal_wait_us(&partition->queue_changed, &partition->queue_lock, OUTCOMES_FLUSH_US);
    }
    lock_release(&partition->queue_lock);
    return submission;
}

static void offer(Partition *partition)
{
    lock_take(&partition->queue_lock);
    if (!partition->committer_busy && partition->open->submissions != NULL)
        hand_over(partition);
    lock_release(&partition->queue_lock);
}

static void last_flush(Partition *partition)
{
    lock_take(&partition->queue_lock);
    if (outcomes_are_pending(partition->outcomes)) {
        hand_over(partition);
        while (partition->committer_busy)
            signal_wait(&partition->queue_changed, &partition->queue_lock);
    }
    partition->commit_ready = NULL;
    partition->committer_busy = true;  // for good: tells the committer to end
    signal_one(&partition->commit_changed);
    lock_release(&partition->queue_lock);
}

void *sequencer_run(void *context)
{
    Partition  *partition = context;
    Submission *submission;
    while ((submission = wait_for_work(partition)) != NULL) {
        decide(partition, submission);
        offer(partition);
    }
    last_flush(partition);
    for (size_t i = 0; i < partition->known.count; i++)
        generation_release(partition->known.at[i]);
    vector_release(&partition->known);
    return NULL;
}
