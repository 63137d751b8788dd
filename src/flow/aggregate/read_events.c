// SPDX-License-Identifier: Apache-2.0
// The events themselves: lists for drill-down, newest first, and one by its id. A list keeps only
// the best `limit` rows while it looks, so its memory does not grow with history.
#include <stdlib.h>

#include "base/assert.h"
#include "flow/aggregate/moment.h"
#include "flow/aggregate/stored.h"
#include "flow/ingest/measurement.h"

typedef struct EventList {
    const UsageMoment      *moment;
    const UsageEventsQuery *query;
    Arena                  *arena;    // of the answer
    uint32_t                project, event, account;  // NAME_NONE: all
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
    return event->sequence <= list->moment->sequence && event->ts.us >= query->from.us &&
           event->ts.us < query->to.us && (!query->has_after || newer_first(&after, event) < 0) &&
           (list->count < list->room || newer_first(event, &list->heap[0]) < 0);
}

static void list_offer(EventList *list, const UsageEvent *event)
{
    if (!is_wanted(list, event))
        return;
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

static UsageEvent of_stored(const StoredEvents *stored, const Event *event)
{
    return (UsageEvent){
        .sequence = stored->sequence,
        .unique_id = event->unique_id,
        .event = event->event,
        .account = event->account,
        .properties = event->properties,
        .value = event->value,
        .ts = event->ts,
        .received = stored->received,
        .ts_given = event->ts_given,
    };
}

static UsageEvent of_row(const UsageMoment *moment, const Row *row, uint64_t sequence)
{
    Names *names = moment->partition->names;
    return (UsageEvent){
        .sequence = sequence,
        .unique_id = row_unique_id(row),
        .event = names_text(names, NAME_EVENT, row->event, NULL),
        .account = names_text(names, NAME_ACCOUNT, row->account, NULL),
        .properties = row_properties(row),
        .value = row->value,
        .ts = row->ts,
        .received = row->received,
        .ts_given = row->ts_given,
    };
}

static Err *block_list(EventList *list, const EventKey *key, Str block)
{
    AUTO(Arena) arena = arena_open();
    StoredEvents stored;
    Event        event;
    TRY(stored_events_open(list->moment->partition, arena, key, block, &stored));
    while (stored_events_next(&stored, &event)) {
        UsageEvent found = of_stored(&stored, &event);
        list_offer(list, &found);
    }
    return NULL;
}

// Blocks that could hold something newer than the oldest kept, within the time asked for.
static bool block_is_wanted(const EventList *list, const EventKey *key)
{
    const UsageEventsQuery *query = list->query;
    if (list->account != NAME_NONE && key->account != list->account)
        return false;
    if (query->has_after && key->day > instant_utc_day(query->after_ts))
        return false;
    if (list->count == list->room && key->day < instant_utc_day(list->heap[0].ts))
        return false;
    return key->day >= instant_utc_day(query->from) &&
           key->day <= instant_utc_day((Instant){ query->to.us - 1 });
}

static Err *range_list(EventList *list, StoreCursor *cursor, StoreRange range, uint32_t event)
{
    char     prefix[EVENT_KEY_STREAM];
    Str      suffix, value;
    EventKey key;
    size_t   length = list->account == NAME_NONE ? 8 : EVENT_KEY_STREAM;
    bytes_put_u32_be(prefix, list->project);
    bytes_put_u32_be(prefix + 4, event);
    bytes_put_u32_be(prefix + 8, list->account);
    store_cursor_seek(cursor, range, (Str){ prefix, length }, STR_NONE);
    while (store_cursor_next(cursor, &suffix, &value)) {
        if (!event_key_read(suffix, &key))
            return refuse(list->arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
        if (block_is_wanted(list, &key))
            TRY(block_list(list, &key, value));
    }
    return store_cursor_failure(cursor, list->arena);
}

static void generation_list(EventList *list, const Generation *generation)
{
    uint64_t first = generation_number(generation) * generation_room(generation);
    for (uint32_t row = 0; row < generation_room(generation); row++) {
        if (first + row > list->moment->sequence)
            return;
        const Row *at = generation_row(generation, row);
        uint32_t   project;
        if (at->kind != ROW_EVENT || (list->event != NAME_NONE && at->event != list->event) ||
            (list->account != NAME_NONE && at->account != list->account))
            continue;
        names_text(list->moment->partition->names, NAME_EVENT, at->event, &project);
        UsageEvent found = of_row(list->moment, at, first + row);
        if (project == list->project)
            list_offer(list, &found);
    }
}

static Err *sealed_list(EventList *list, StoreCursor *cursor)
{
    Names            *names = list->moment->partition->names;
    size_t            count;
    const StoreRange *ranges = store_view_ranges(list->moment->view, &count);
    for (size_t i = count; i > 0; i--) {
        if (store_range_is_extra(ranges[i - 1]))
            continue;
        for (uint32_t event = 0; event < names_count(names, NAME_EVENT); event++) {
            uint32_t project;
            names_text(names, NAME_EVENT, event, &project);
            if (project == list->project && (list->event == NAME_NONE || list->event == event))
                TRY(range_list(list, cursor, ranges[i - 1], event));
        }
    }
    return NULL;
}

// False: the query names what no event ever had.
static bool names_resolve(EventList *list)
{
    Names *names = list->moment->partition->names;
    list->project = names_find(names, NAME_PROJECT, 0, list->query->project);
    list->event = list->account = NAME_NONE;
    if (list->project == NAME_NONE)
        return false;
    if (list->query->event.at != NULL) {
        list->event = names_find(names, NAME_EVENT, list->project, list->query->event);
        if (list->event == NAME_NONE)
            return false;
    }
    if (list->query->account.at != NULL) {
        list->account = names_find(names, NAME_ACCOUNT, list->project, list->query->account);
        if (list->account == NAME_NONE)
            return false;
    }
    return true;
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
    *events = (UsageEventList){ .at = list.heap };
    if (!names_resolve(&list))
        return NULL;
    moment->is_fixed = true;
    for (size_t i = moment->generations.count; i > 0; i--)
        generation_list(&list, moment->generations.at[i - 1]);
    StoreCursor *cursor = store_cursor_open(moment->view, STORE_EVENTS, STORE_SCAN_CACHED);
    Err         *err = sealed_list(&list, cursor);
    store_cursor_close(cursor);
    qsort(list.heap, list.count, sizeof *list.heap, newer_first);
    events->has_more = list.count == list.room;
    events->count = events->has_more ? list.count - 1 : list.count;
    return err;
}

static bool find_in_memory(const UsageMoment *moment, Hash128 id, Arena *arena, UsageEvent **event)
{
    for (size_t i = moment->generations.count; i > 0; i--) {
        const Generation *generation = moment->generations.at[i - 1];
        uint32_t          row = generation_find(generation, id);
        uint64_t sequence = generation_number(generation) * generation_room(generation) + row;
        if (row == ROW_END || sequence > moment->sequence)
            continue;
        *event = arena_new(arena, UsageEvent);
        **event = of_row(moment, generation_row(generation, row), sequence);
        return true;
    }
    return false;
}

static Err *find_in_range(const UsageMoment *moment, Arena *arena, const Identity *identity,
                          StoreRange range, UsageEvent **event)
{
    char     bytes[EVENT_KEY_BYTES];
    Str      suffix, value;
    Event    read;
    EventKey key = { .event = identity->event, .account = identity->account };
    names_text(moment->partition->names, NAME_EVENT, identity->event, &key.project);
    key.day = (int32_t)instant_utc_day(identity->ts);
    Str          prefix = event_key_write(&key, bytes);
    StoreCursor *cursor = store_cursor_open(moment->view, STORE_EVENTS, STORE_SCAN_CACHED);
    prefix.length = EVENT_KEY_DAY;
    store_cursor_seek(cursor, range, prefix, STR_NONE);
    Err *err = NULL;
    while (*event == NULL && err == NULL && store_cursor_next(cursor, &suffix, &value)) {
        StoredEvents stored;
        Str          block = str_copy(arena, value);
        if (!event_key_read(suffix, &key))
            err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
        else
            err = stored_events_open(moment->partition, arena, &key, block, &stored);
        while (err == NULL && *event == NULL && stored_events_next(&stored, &read)) {
            if (stored.sequence != identity->sequence)
                continue;
            *event = arena_new(arena, UsageEvent);
            **event = of_stored(&stored, &read);
        }
    }
    if (err == NULL)
        err = store_cursor_failure(cursor, arena);
    store_cursor_close(cursor);
    return err;
}

Err *usage_event_find(UsageMoment *moment, Arena *arena, Str project, Str unique_id,
                      UsageEvent **event)
{
    Partition *partition = moment->partition;
    Str        value;
    Identity   identity;
    size_t     count;
    *event = NULL;
    if (unique_id.length > EVENT_ID_BYTES)
        return NULL;
    Hash128 id = event_id(project, unique_id, &partition->options.key);
    moment->is_fixed = true;
    if (find_in_memory(moment, id, arena, event))
        return NULL;
    TRY(usage_store_find_ids(partition->store, arena, &id, 1, &value));
    if (value.at == NULL)
        return NULL;
    if (!identity_read(value, &identity))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored id is damaged");
    if (identity.sequence > moment->sequence)
        return NULL;
    const StoreRange *ranges = store_view_ranges(moment->view, &count);
    uint64_t          seal = partition_seal_of(partition, identity.sequence);
    for (size_t i = 0; i < count; i++)
        if (!store_range_is_extra(ranges[i]) && ranges[i].first_seal <= seal &&
            seal < ranges[i].end_seal)
            return find_in_range(moment, arena, &identity, ranges[i], event);
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the event of a stored id is missing");
}
