// SPDX-License-Identifier: Apache-2.0
// Corrections, from the request that asks to the row that says so. What is asked was looked up at a
// moment; the sequencer, which alone knows what came since, decides whether it still holds. A void
// is one row whatever it takes away, so it is whole or not at all; the replacements of an amendment
// stand in one record.
#include "flow/aggregate/choose.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"

// ---- the sequencer's side

// Puts a row without content and makes the fact part of the journal and of the index.
static void fact_put(Partition *partition, CorrectionWork *work)
{
    VoidFact *fact = &work->fact;
    fact->sequence = work->sequence = partition->next_sequence++;
    work->number = fact->number;
    generation_put_other(sequencer_generation(partition, fact->sequence),
                         partition_row_of(partition, fact->sequence), ROW_VOID);
    record_add_void(&partition->open->text, fact);
    bool applied = voids_apply(partition->voids, fact);
    assert_that(applied);
}

static void void_decide(Partition *partition, CorrectionWork *work)
{
    VoidFact   *fact = &work->fact;
    VoidTarget *kept = work->replaced;
    size_t      count = 0;
    VoidHead    head;
    if (voids_find_key(partition->voids, fact->key, &head)) {
        work->is_needless = true;
        work->number = head.number;
        return;
    }
    for (size_t i = 0; i < fact->count; i++)
        if (voids_state(partition->voids, kept[i].sequence, partition->next_sequence) ==
            EVENT_COUNTS)
            kept[count++] = kept[i];
    if (work->is_exact && count < fact->count) {
        work->refused = ERR_VOID_TOKEN_STALE;
        return;
    }
    fact->targets = kept;
    fact->count = count;
    fact->number = voids_count(partition->voids);
    work->is_needless = count == 0;
    if (!work->is_needless)
        fact_put(partition, work);
}

static void revert_decide(Partition *partition, CorrectionWork *work)
{
    VoidHead head;
    bool     found = voids_get(partition->voids, work->fact.number, &head);
    assert_that(found);
    work->number = head.number;
    work->is_needless = head.reverted != 0;
    if (!work->is_needless)
        fact_put(partition, work);
}

static void replacement_put(Partition *partition, const CorrectionWork *work, size_t index,
                            Instant received)
{
    const VoidTarget *replaced = &work->replaced[index];
    const Event      *event = &work->events[index];
    Row               numbers = { .event = replaced->event, .account = replaced->account,
                                  .received = received };
    VoidFact          fact = { .kind = FACT_AMEND, .sequence = partition->next_sequence++,
                               .targets = replaced, .count = 1 };
    generation_put_amended(sequencer_generation(partition, fact.sequence),
                           partition_row_of(partition, fact.sequence), event, &numbers);
    record_add_amended(&partition->open->text, &numbers, event, replaced);
    bool applied = voids_apply(partition->voids, &fact);
    assert_that(applied);
}

static void amend_decide(Partition *partition, CorrectionWork *work, Instant received)
{
    for (size_t i = 0; i < work->count; i++)
        if (voids_state(partition->voids, work->replaced[i].sequence, partition->next_sequence) ==
            EVENT_IS_REPLACED)
            work->refused = ERR_STORE_BUSY;
    for (size_t i = 0; i < work->count && work->refused == ERR_COUNT; i++)
        replacement_put(partition, work, i, received);
    work->sequence = partition->next_sequence - 1;
}

void sequencer_correct(Partition *partition, const Submission *submission)
{
    CorrectionWork *work = submission->probe->correction;
    switch (work->fact.kind) {
    case FACT_VOID: void_decide(partition, work); return;
    case FACT_REVERT: revert_decide(partition, work); return;
    case FACT_AMEND: amend_decide(partition, work, submission->received); return;
    }
}

// ---- the asking side

static Err *work_submit(Partition *partition, Arena *arena, Instant received, CorrectionWork *work)
{
    PartitionProbe probe = { .sealed = UINT64_MAX, .correction = work };
    Str            project = names_text(partition->names, NAME_PROJECT, work->fact.project, NULL);
    Submission     submission = { .project = project, .received = received, .probe = &probe };
    work->refused = ERR_COUNT;
    work->number = UINT32_MAX;
    TRY(partition_submit_wait(partition, arena, &submission));
    if (work->refused == ERR_COUNT)
        return NULL;
    return refuse(arena, work->refused, STR_NONE, "the events were corrected in between: look "
                  "again and repeat");
}

// As of a sequence: a revert behind it is not durable yet.
static Void void_of(Arena *arena, const VoidHead *head, uint64_t newest)
{
    bool is_reverted = head->reverted != 0 && head->reverted <= newest;
    return (Void){
        .id = str_copy(arena, head->id),
        .reason = str_copy(arena, head->reason),
        .sequence = head->sequence,
        .upto = head->upto,
        .at = head->at,
        .count = head->count,
        .is_reverted = is_reverted,
        .reverted = is_reverted ? head->reverted : 0,
        .reverted_at = head->reverted_at,
    };
}

static Void *void_answer(Partition *partition, Arena *arena, uint32_t number)
{
    VoidHead head;
    Void    *answer = arena_new(arena, Void);
    if (!voids_get(partition->voids, number, &head))
        return NULL;
    *answer = void_of(arena, &head, partition_sequence(partition));
    return answer;
}

Err *partition_void(Partition *partition, Arena *arena, const VoidOrder *order, Void **made)
{
    const VoidSet *set = order->set;
    Instant        now = { clock_now_us() };
    *made = NULL;
    if (set->count == 0)
        return NULL;
    CorrectionWork work = {
        .fact = { .kind = FACT_VOID, .project = set->project, .upto = set->sequence, .at = now,
                  .id = random_id(arena, "void_"), .reason = order->reason, .key = order->key,
                  .count = set->count },
        .is_exact = order->is_exact,
        .replaced = arena_copy(arena, set->at, set->count * sizeof *set->at),
    };
    TRY(work_submit(partition, arena, now, &work));
    *made = void_answer(partition, arena, work.number);
    return NULL;
}

static Err *head_find(Partition *partition, Arena *arena, Str project, Str id, VoidHead *head)
{
    uint32_t number = names_find(partition->names, NAME_PROJECT, 0, project);
    // One that is decided but not durable yet is not there yet.
    if (number == NAME_NONE || !voids_find(partition->voids, number, id, head) ||
        head->sequence > partition_sequence(partition))
        return refuse(arena, ERR_VOID_NOT_FOUND, STR_NONE, "there is no void \"%.*s\"",
                      STR_ARG(id));
    return NULL;
}

Err *partition_void_revert(Partition *partition, Arena *arena, Str project, Str id, Void **reverted)
{
    VoidHead head;
    Instant  now = { clock_now_us() };
    TRY(head_find(partition, arena, project, id, &head));
    CorrectionWork work = {
        .fact = { .kind = FACT_REVERT, .project = head.project, .number = head.number, .at = now },
    };
    TRY(work_submit(partition, arena, now, &work));
    *reverted = void_answer(partition, arena, head.number);
    return NULL;
}

Err *partition_amend(Partition *partition, Arena *arena, Amendments *amendments)
{
    size_t         count = amendments->count;
    Names         *names = partition->names;
    CorrectionWork work = {
        .fact = { .kind = FACT_AMEND },
        .events = arena_array(arena, Event, count),
        .replaced = arena_array(arena, VoidTarget, count),
        .count = count,
    };
    amendments->sequence = partition_sequence(partition);
    if (count == 0)
        return NULL;
    TRY(partition_seal_is_behind(partition, arena));
    work.fact.project = names_find(names, NAME_PROJECT, 0, amendments->project);
    for (size_t i = 0; i < count; i++) {
        const UsageEvent *of = amendments->at[i].of;
        uint32_t          project = work.fact.project;
        work.events[i] = amendments->at[i].event;
        work.replaced[i] = (VoidTarget){
            .sequence = of->sequence,
            .ts = of->ts,
            .event = names_find(names, NAME_EVENT, project, of->event),
            .account = names_find(names, NAME_ACCOUNT, project, of->account),
        };
    }
    TRY(work_submit(partition, arena, amendments->received, &work));
    amendments->sequence = work.sequence;
    return NULL;
}

// ---- reading

Err *usage_void_find(Partition *partition, Arena *arena, Str project, Str id, Void **found)
{
    VoidHead head;
    TRY(head_find(partition, arena, project, id, &head));
    *found = arena_new(arena, Void);
    **found = void_of(arena, &head, partition_sequence(partition));
    return NULL;
}

Void *usage_void_of_key(Partition *partition, Arena *arena, Hash128 key)
{
    VoidHead head;
    uint64_t newest = partition_sequence(partition);
    if (!voids_find_key(partition->voids, key, &head) || head.sequence > newest)
        return NULL;
    Void *found = arena_new(arena, Void);
    *found = void_of(arena, &head, newest);
    return found;
}

VoidList usage_voids(Partition *partition, Arena *arena, const VoidPage *page)
{
    VoidList list = { arena_array(arena, Void, page->limit), 0, false };
    uint32_t project = names_find(partition->names, NAME_PROJECT, 0, page->project);
    uint64_t newest = partition_sequence(partition);
    VoidHead head;
    for (uint32_t i = voids_count(partition->voids); i > 0 && !list.has_more; i--) {
        if (!voids_get(partition->voids, i - 1, &head) || head.project != project ||
            head.sequence > newest || (page->has_before && head.sequence >= page->before))
            continue;
        if (list.count == page->limit)
            list.has_more = true;
        else
            list.at[list.count++] = void_of(arena, &head, newest);
    }
    return list;
}
