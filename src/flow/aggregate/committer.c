// SPDX-License-Identifier: Apache-2.0
// The one thread that makes durable. A record is one write and one sync; only then are its events
// folded, so that a reader never sees what a crash could take back, and only then is anybody
// answered.
#include "base/assert.h"
#include "base/counter.h"
#include "flow/aggregate/partition_inside.h"

// How many rows ahead each step is taken.
static const uint64_t prefetch_ahead[] = {
    [PREFETCH_SLOT] = 24, [PREFETCH_STREAM] = 16, [PREFETCH_CELL] = 8,
};

static Err *commit_write(Partition *partition, Arena *arena, Commit *commit)
{
    Text before_names = text_open(arena), before_rows = text_open(arena), rest = text_open(arena);
    record_heads(&commit->text, &before_names, &before_rows);
    outcomes_record(partition->outcomes, partition_seal_of(partition, commit->first), &rest);
    Str parts[] = {
        text_str(&before_names), text_str(&commit->text.names), text_str(&before_rows),
        text_str(&commit->text.rows), text_str(&rest),
    };
    JournalEntry entry = { commit->first, commit->next, parts, sizeof parts / sizeof *parts };
    return journal_append(partition->journal, arena, &entry);
}

// The record's rows in order; digests come from the submissions, whose accepted events are those
// rows.
static void fold_event(Partition *partition, uint64_t sequence, const Digest *digest)
{
    uint64_t    seal = partition_seal_of(partition, sequence);
    uint32_t    row = partition_row_of(partition, sequence);
    Generation *generation = partition_generation(partition, seal);
    assert_that(generation != NULL);
    generation_fold(generation, row, digest,
                    meters_of_event(partition->meters, generation_row(generation, row)->event));
}

static void fold_prefetch(Partition *partition, const Commit *commit)
{
    for (PrefetchStep step = PREFETCH_SLOT; step <= PREFETCH_CELL; step++) {
        uint64_t sequence = partition->folded + prefetch_ahead[step];
        if (sequence >= commit->next)
            continue;
        uint64_t seal = partition_seal_of(partition, sequence);
        generation_prefetch_fold(partition_generation(partition, seal),
                                 partition_row_of(partition, sequence), step);
    }
}

// A void or a revert is a row without content; an amendment is its replacements.
static void fold_correction(Partition *partition, const CorrectionWork *work)
{
    static const Digest nothing;
    if (work->refused != ERR_COUNT || work->is_needless)
        return;
    if (work->count == 0)
        fold_event(partition, partition->folded++, &nothing);
    if (work->fact.kind == FACT_VOID)
        counter_add(METRIC_EVENTS_VOIDED, (int64_t)work->fact.count);
    else if (work->fact.kind == FACT_REVERT)
        counter_add(METRIC_VOIDS_REVERTED, 1);
    else
        counter_add(METRIC_EVENTS_AMENDED, (int64_t)work->count);
    for (size_t i = 0; i < work->count; i++)
        fold_event(partition, partition->folded++, &work->events[i].digest);
}

static void fold_submission(Partition *partition, const Commit *commit,
                            const Submission *submission)
{
    static const Digest nothing;
    if (submission->probe->meter != NULL && !submission->probe->meter->is_needless)
        fold_event(partition, partition->folded++, &nothing);
    if (submission->probe->correction != NULL)
        fold_correction(partition, submission->probe->correction);
    for (size_t i = 0; i < submission->count; i++) {
        if (submission->verdicts[i].outcome != OUTCOME_ACCEPTED)
            continue;
        assert_that(submission->verdicts[i].sequence == partition->folded);
        fold_prefetch(partition, commit);
        fold_event(partition, partition->folded++, &submission->events[i].digest);
    }
}

static void commit_fold(Partition *partition, const Commit *commit)
{
    lock_take(&partition->state_lock);
    assert_that(partition->folded == commit->first);
    for (const Submission *submission = commit->submissions; submission != NULL;
         submission = submission->next)
        fold_submission(partition, commit, submission);
    assert_that(partition->folded == commit->next);
    partition_mark_full(partition, commit->name_counts);
    partition->accounts = commit->name_counts[NAME_ACCOUNT];
    counter_set(METRIC_SEQUENCE, (int64_t)(partition->folded - 1));
    counter_set(METRIC_UNSEALED_GENERATIONS, (int64_t)partition->unsealed.count);
    lock_release(&partition->state_lock);
}

// A sample: a request full of bad events must not push out what others were told, nor take long.
static void tell_refusals(Partition *partition, const Submission *submission)
{
    size_t told = 0;
    for (size_t i = 0; i < submission->count && told < REFUSALS_RECORDED; i++) {
        const Verdict *verdict = &submission->verdicts[i];
        if (verdict->outcome != OUTCOME_REJECTED && verdict->outcome != OUTCOME_CONFLICT)
            continue;
        const Event *event = &submission->events[i];
        Refusal      refusal = {
                 .at = submission->received,
                 .outcome = verdict->outcome,
                 .code = verdict->code,
                 .unique_id = event->unique_id,
                 .detail = event->refusal != NULL ? event->refusal->detail
                                                  : str_of(err_title(verdict->code)),
        };
        outcomes_refuse(partition->outcomes, submission->project, &refusal);
        told++;
    }
}

static void count_outcomes(Partition *partition, Submission *submission)
{
    static const Metric metrics[OUTCOME_COUNT] = {
        [OUTCOME_ACCEPTED] = METRIC_EVENTS_ACCEPTED,
        [OUTCOME_DUPLICATE] = METRIC_EVENTS_DUPLICATE,
        [OUTCOME_CONFLICT] = METRIC_EVENTS_CONFLICT,
        [OUTCOME_REJECTED] = METRIC_EVENTS_REJECTED,
    };
    if (submission->count == 0)
        return;
    for (size_t i = 0; i < submission->count; i++)
        submission->counts[submission->verdicts[i].outcome]++;
    for (int k = 0; k < OUTCOME_COUNT; k++)
        counter_add(metrics[k], (int64_t)submission->counts[k]);
    outcomes_add(partition->outcomes, submission->project, submission->received,
                 submission->counts);
    if (submission->counts[OUTCOME_REJECTED] + submission->counts[OUTCOME_CONFLICT] > 0)
        tell_refusals(partition, submission);
}

static void answer(Partition *partition, Commit *commit)
{
    static Err failed = { .code = ERR_JOURNAL_FAILED };
    Submission *submission = commit->submissions;
    failed.detail = str_of(err_title(ERR_JOURNAL_FAILED));
    while (submission != NULL) {
        Submission *next = submission->next;  // done() may free the submission
        if (partition->latched)
            submission->failure = &failed;
        submission->done(submission);
        submission = next;
    }
}

static void commit_finish(Partition *partition, Commit *commit)
{
    AUTO(Arena) arena = arena_open();
    if (!partition->latched) {
        for (Submission *at = commit->submissions; at != NULL; at = at->next)
            count_outcomes(partition, at);
    }
    if (!partition->latched && commit->writes) {
        Err *err = commit_write(partition, arena, commit);
        if (err != NULL)
            partition_latch(partition, err);
        else
            commit_fold(partition, commit);
    }
    if (!partition->latched)
        outcomes_settle(partition->outcomes);
    answer(partition, commit);
}

void *committer_run(void *context)
{
    Partition *partition = context;
    for (;;) {
        lock_take(&partition->queue_lock);
        while (!partition->committer_busy)
            signal_wait(&partition->commit_changed, &partition->queue_lock);
        Commit *commit = partition->commit_ready;
        lock_release(&partition->queue_lock);
        if (commit == NULL)
            return NULL;
        commit_finish(partition, commit);
        lock_take(&partition->queue_lock);
        partition->commit_ready = NULL;
        partition->committer_busy = false;
        signal_one(&partition->queue_changed);
        lock_release(&partition->queue_lock);
    }
}
