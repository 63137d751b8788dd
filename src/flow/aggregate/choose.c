// SPDX-License-Identifier: Apache-2.0
// What a void is to take away: the events of some ids, or those that a filter holds for, that count
// at a moment. Chosen first and decided later: between the two, only corrections can come.
#include "flow/aggregate/choose.h"

#include <stdlib.h>

#include "base/assert.h"
#include "flow/aggregate/event_scan.h"
#include "flow/ingest/measurement.h"

typedef struct Choice {
    UsageMoment       *moment;
    Arena             *arena;
    const VoidFilter  *filter;
    VECTOR(VoidTarget) targets;
} Choice;

static bool void_takes(const VoidFilter *filter, const UsageEvent *event)
{
    if (event->ts.us < filter->from.us || event->ts.us >= filter->to.us)
        return false;
    return cell_filter_holds(&filter->properties, event->properties);
}

static bool day_is_wanted(void *context, const EventKey *key)
{
    const Choice *choice = context;
    return key->day >= instant_utc_day(choice->filter->from) &&
           key->day <= instant_utc_day((Instant){ choice->filter->to.us - 1 });
}

static bool counts(const Choice *choice, uint64_t sequence)
{
    return voids_state(choice->moment->partition->voids, sequence, choice->moment->sequence) ==
           EVENT_COUNTS;
}

static Err *event_choose(void *context, const UsageEvent *event, const VoidTarget *place)
{
    Choice *choice = context;
    if (!void_takes(choice->filter, event) || !counts(choice, place->sequence))
        return NULL;
    if (choice->targets.count == choice->filter->most)
        return refuse(choice->arena, ERR_VOID_TOO_LARGE, STR_NONE, "more than %zu events match: "
                      "narrow the filter and void them in parts", choice->filter->most);
    vector_push(&choice->targets, *place);
    return NULL;
}

static int target_order(const void *a, const void *b)
{
    const VoidTarget *left = a, *right = b;
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

// In order of sequence, each once.
static VoidSet *set_of(Choice *choice, uint32_t project)
{
    size_t   kept = 0;
    VoidSet *set = arena_new(choice->arena, VoidSet);
    set->partition = choice->moment->partition;
    set->project = project;
    set->sequence = choice->moment->sequence;
    set->at = arena_array(choice->arena, VoidTarget, choice->targets.count);
    if (choice->targets.count > 0)
        qsort(choice->targets.at, choice->targets.count, sizeof(VoidTarget), target_order);
    for (size_t i = 0; i < choice->targets.count; i++) {
        const VoidTarget *target = &choice->targets.at[i];
        if (kept == 0 || set->at[kept - 1].sequence != target->sequence)
            set->at[kept++] = *target;
    }
    set->count = kept;
    return set;
}

Err *usage_choose(UsageMoment *moment, Arena *arena, const VoidFilter *filter, VoidSet **set)
{
    Choice    choice = { .moment = moment, .arena = arena, .filter = filter };
    EventScan scan = { .moment = moment, .arena = arena, .context = &choice,
                       .wants = day_is_wanted, .take = event_choose };
    Err      *err = NULL;
    moment->is_fixed = true;
    if (event_scan_names(&scan, filter->project, filter->event, filter->account))
        err = event_scan_run(&scan);
    if (err == NULL)
        *set = set_of(&choice, scan.project);
    vector_release(&choice.targets);
    return err;
}

static Err *id_choose(Choice *choice, const VoidIds *ids, size_t index, Faults *faults)
{
    const HashKey *key = &choice->moment->partition->options.key;
    VoidTarget     place = { 0 };
    if (ids->at[index].length <= EVENT_ID_BYTES)
        TRY(event_find_id(choice->moment, choice->arena,
                          event_id(ids->project, ids->at[index], key), &place));
    if (place.sequence == 0)
        faults_add(faults, ERR_EVENT_NOT_FOUND,
                   str_print(choice->arena, "/uniqueIds/%zu", index), "no event has this uniqueId");
    else if (counts(choice, place.sequence))
        vector_push(&choice->targets, place);
    return NULL;
}

Err *usage_choose_ids(UsageMoment *moment, Arena *arena, const VoidIds *ids, VoidSet **set)
{
    Choice choice = { .moment = moment, .arena = arena };
    Faults faults = { .arena = arena };
    Err   *err = NULL;
    moment->is_fixed = true;
    for (size_t i = 0; i < ids->count && err == NULL; i++)
        err = id_choose(&choice, ids, i, &faults);
    if (err == NULL)
        err = faults.first;
    if (err == NULL)
        *set = set_of(&choice, names_find(moment->partition->names, NAME_PROJECT, 0, ids->project));
    vector_release(&choice.targets);
    return err;
}

Err *usage_choose_void(UsageMoment *moment, Arena *arena, Str project, Str id, VoidSet **out)
{
    Partition *partition = moment->partition;
    uint32_t   number = names_find(partition->names, NAME_PROJECT, 0, project);
    VoidHead   head;
    if (number == NAME_NONE || !voids_find(partition->voids, number, id, &head) ||
        head.sequence > moment->sequence)
        return refuse(arena, ERR_VOID_NOT_FOUND, STR_NONE, "there is no void \"%.*s\"",
                      STR_ARG(id));
    VoidSet *set = arena_new(arena, VoidSet);
    set->partition = partition;
    set->project = number;
    set->sequence = moment->sequence;
    set->count = voids_targets(partition->voids, head.number, arena, &set->at);
    *out = set;
    return NULL;
}

size_t void_set_count(const VoidSet *set)
{
    return set->count;
}

// Sequences name the events; the digest of the places alone says whether two sets are one.
Hash128 void_set_digest(const VoidSet *set)
{
    static const HashKey none;
    Text    bytes = text_open_own();
    text_add_varint(&bytes, set->project);
    for (size_t i = 0; i < set->count; i++)
        text_add_varint(&bytes, set->at[i].sequence - (i == 0 ? 0 : set->at[i - 1].sequence));
    Hash128 digest = hash_keyed(&none, text_str(&bytes));
    text_close(&bytes);
    return digest;
}

// ---- instants

static int place_order(const void *a, const void *b)
{
    const VoidTarget *left = a, *right = b;
    if (left->account != right->account)
        return left->account < right->account ? -1 : 1;
    return left->ts.us < right->ts.us ? -1 : left->ts.us > right->ts.us;
}

VoidInstants *void_set_instants(const VoidSet *set, Arena *arena, size_t *count)
{
    VoidTarget   *places = arena_copy(arena, set->at, set->count * sizeof *places);
    Instant      *instants = arena_array(arena, Instant, set->count);
    VoidInstants *accounts = arena_array(arena, VoidInstants, set->count);
    size_t        used = 0;
    *count = 0;
    if (set->count > 0)
        qsort(places, set->count, sizeof *places, place_order);
    for (size_t i = 0; i < set->count; i++) {
        VoidInstants *last = *count == 0 ? NULL : &accounts[*count - 1];
        if (i == 0 || places[i].account != places[i - 1].account) {
            last = &accounts[(*count)++];
            last->account = names_text(set->partition->names, NAME_ACCOUNT, places[i].account,
                                       NULL);
            last->at = &instants[used];
        } else if (places[i].ts.us == places[i - 1].ts.us) {
            continue;
        }
        instants[used++] = places[i].ts;
        last->count++;
    }
    return accounts;
}

// ---- for the sake of argument

void usage_moment_without(UsageMoment *moment, const VoidSet *set)
{
    VoidFact fact = { .kind = FACT_VOID, .sequence = 1, .project = set->project,
                      .id = STR("without"), .targets = set->at, .count = set->count };
    assert_that(moment->without == NULL);
    moment->without = voids_open();
    bool applied = set->count == 0 || voids_apply(moment->without, &fact);
    assert_that(applied);
}
