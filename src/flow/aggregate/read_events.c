// SPDX-License-Identifier: Apache-2.0
// The events themselves: lists for drill-down, newest first, and one by its id. A list keeps only
// the best `limit` rows while it looks, so its memory does not grow with history.
#include <stdlib.h>

#include "base/assert.h"
#include "flow/aggregate/event_scan.h"
#include "flow/ingest/measurement.h"

typedef struct EventList {
    const UsageMoment      *moment;
    const UsageEventsQuery *query;
    Arena                  *arena;    // of the answer
    UsageEvent             *heap;     // the oldest of those kept on top
    size_t                  count, room;
} EventList;

// Newest first: by ts, then by unique id.
static int newer_first(const void *a, const void *b)
{
    const UsageEvent *left = a, *right = b;
    if (left->ts.us != right->ts.us)
        return left->ts.us > right->ts.us ? -1 : 1;
    return -str_compare(left->unique_id, right->unique_id);
}

static void sift_down(EventList *list, size_t at)
{
    for (;;) {
        size_t oldest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < list->count; child++)
            if (newer_first(&list->heap[child], &list->heap[oldest]) > 0)
                oldest = child;
        if (oldest == at)
            return;
        UsageEvent moved = list->heap[at];
        list->heap[at] = list->heap[oldest];
        list->heap[oldest] = moved;
        at = oldest;
    }
}

static void sift_up(EventList *list, size_t at)
{
    while (at > 0 && newer_first(&list->heap[at], &list->heap[(at - 1) / 2]) > 0) {
        UsageEvent moved = list->heap[at];
        list->heap[at] = list->heap[(at - 1) / 2];
        list->heap[(at - 1) / 2] = moved;
        at = (at - 1) / 2;
    }
}

static bool is_wanted(const EventList *list, const UsageEvent *event)
{
    const UsageEventsQuery *query = list->query;
    UsageEvent after = { .ts = query->after_ts, .unique_id = query->after_unique_id };
    return event->ts.us >= query->from.us && event->ts.us < query->to.us &&
           (!query->has_after || newer_first(&after, event) < 0) &&
           (list->count < list->room || newer_first(event, &list->heap[0]) < 0);
}

static void list_keep(EventList *list, const UsageEvent *event)
{
    UsageEvent kept = *event;
    kept.unique_id = str_copy(list->arena, event->unique_id);
    kept.properties = str_copy(list->arena, event->properties);
    if (list->count < list->room) {
        list->heap[list->count++] = kept;
        sift_up(list, list->count - 1);
    } else {
        list->heap[0] = kept;
        sift_down(list, 0);
    }
}

// Blocks that could hold something newer than the oldest kept, within the time asked for.
static bool block_is_wanted(void *context, const EventKey *key)
{
    const EventList        *list = context;
    const UsageEventsQuery *query = list->query;
    if (query->has_after && key->day > instant_utc_day(query->after_ts))
        return false;
    if (list->count == list->room && key->day < instant_utc_day(list->heap[0].ts))
        return false;
    return key->day >= instant_utc_day(query->from) &&
           key->day <= instant_utc_day((Instant){ query->to.us - 1 });
}

static Err *event_take(void *context, const UsageEvent *event, const VoidTarget *place)
{
    EventList *list = context;
    UsageEvent shown = *event;
    if (!is_wanted(list, event))
        return NULL;
    VoidState  state = voids_state(list->moment->partition->voids, place->sequence,
                                  list->moment->sequence);
    shown.voided = state == EVENT_IS_VOID;
    if (state != EVENT_IS_REPLACED)
        list_keep(list, &shown);
    return NULL;
}

Err *usage_events(UsageMoment *moment, Arena *arena, const UsageEventsQuery *query,
                  UsageEventList *events)
{
    EventList list = {
        .moment = moment,
        .query = query,
        .arena = arena,
        .heap = arena_array(arena, UsageEvent, query->limit + 1),
        .room = query->limit + 1,  // one more tells whether there is more
    };
    EventScan scan = { .moment = moment, .arena = arena, .context = &list,
                       .wants = block_is_wanted, .take = event_take };
    *events = (UsageEventList){ .at = list.heap };
    if (!event_scan_names(&scan, query->project, query->event, query->account))
        return NULL;
    moment->is_fixed = true;
    Err *err = event_scan_run(&scan);
    qsort(list.heap, list.count, sizeof *list.heap, newer_first);
    events->has_more = list.count == list.room;
    events->count = events->has_more ? list.count - 1 : list.count;
    return err;
}

// ---- one by its id

static bool find_in_memory(const UsageMoment *moment, Hash128 id, VoidTarget *place)
{
    for (size_t i = moment->generations.count; i > 0; i--) {
        const Generation *generation = moment->generations.at[i - 1];
        uint32_t          row = generation_find(generation, id);
        if (row == ROW_END)
            continue;
        const Row *at = generation_row(generation, row);
        *place = (VoidTarget){
            .sequence = generation_number(generation) * generation_room(generation) + row,
            .ts = at->ts, .event = at->event, .account = at->account,
        };
        return true;
    }
    return false;
}

static Err *find_sealed(const UsageMoment *moment, Arena *arena, Hash128 id, VoidTarget *place)
{
    Str      value;
    Identity identity;
    TRY(usage_store_find_ids(moment->partition->store, arena, &id, 1, &value));
    if (value.at == NULL)
        return NULL;
    if (!identity_read(value, &identity))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored id is damaged");
    *place = (VoidTarget){ identity.sequence, identity.ts, identity.event, identity.account };
    return NULL;
}

Err *event_find_id(const UsageMoment *moment, Arena *arena, Hash128 id, VoidTarget *place)
{
    Voids *voids = moment->partition->voids;
    *place = (VoidTarget){ 0 };
    if (!find_in_memory(moment, id, place))
        TRY(find_sealed(moment, arena, id, place));
    // What an id holds may be newer than the moment: then it is what that replaced, if anything.
    while (place->sequence > moment->sequence)
        if (!voids_replaced(voids, place->sequence, place))
            *place = (VoidTarget){ 0 };
    return NULL;
}

Err *usage_event_find(UsageMoment *moment, Arena *arena, Str project, Str unique_id,
                      UsageEvent **event)
{
    Partition *partition = moment->partition;
    VoidTarget place;
    *event = NULL;
    if (unique_id.length > EVENT_ID_BYTES)
        return NULL;
    moment->is_fixed = true;
    TRY(event_find_id(moment, arena, event_id(project, unique_id, &partition->options.key),
                      &place));
    if (place.sequence == 0)
        return NULL;
    TRY(event_scan_place(moment, arena, &place, event));
    if (*event == NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the event of a stored id is missing");
    (*event)->voided = voids_state(partition->voids, place.sequence, moment->sequence) ==
                       EVENT_IS_VOID;
    return NULL;
}
