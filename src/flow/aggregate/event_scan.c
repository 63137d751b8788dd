// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/event_scan.h"

#include "flow/aggregate/stored.h"

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

// ---- all of them

static Err *block_take(const EventScan *scan, const EventKey *key, Str block)
{
    AUTO(Arena) arena = arena_open();
    StoredEvents stored;
    Event        event;
    TRY(stored_events_open(scan->moment->partition, arena, key, block, &stored));
    while (stored_events_next(&stored, &event)) {
        UsageEvent found = of_stored(&stored, &event);
        VoidTarget place = { stored.sequence, event.ts, key->event, key->account };
        if (stored.sequence > scan->moment->sequence)
            continue;
        Err *err = scan->take(scan->context, &found, &place);
        if (err != NULL)
            return err;
    }
    return NULL;
}

static Err *range_take(const EventScan *scan, StoreCursor *cursor, StoreRange range, uint32_t event)
{
    char     prefix[EVENT_KEY_STREAM];
    Str      suffix, value;
    EventKey key;
    size_t   length = scan->account == NAME_NONE ? 8 : EVENT_KEY_STREAM;
    bytes_put_u32_be(prefix, scan->project);
    bytes_put_u32_be(prefix + 4, event);
    bytes_put_u32_be(prefix + 8, scan->account);
    store_cursor_seek(cursor, range, (Str){ prefix, length }, STR_NONE);
    while (store_cursor_next(cursor, &suffix, &value)) {
        if (!event_key_read(suffix, &key))
            return refuse(scan->arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
        if (scan->wants(scan->context, &key))
            TRY(block_take(scan, &key, value));
    }
    return store_cursor_failure(cursor, scan->arena);
}

static Err *sealed_take(const EventScan *scan, StoreCursor *cursor)
{
    Names            *names = scan->moment->partition->names;
    size_t            count;
    const StoreRange *ranges = store_view_ranges(scan->moment->view, &count);
    for (size_t i = count; i > 0; i--) {
        if (store_range_is_extra(ranges[i - 1]))
            continue;
        for (uint32_t event = 0; event < names_count(names, NAME_EVENT); event++) {
            uint32_t project;
            names_text(names, NAME_EVENT, event, &project);
            if (project == scan->project && (scan->event == NAME_NONE || scan->event == event))
                TRY(range_take(scan, cursor, ranges[i - 1], event));
        }
    }
    return NULL;
}

static Err *generation_take(const EventScan *scan, const Generation *generation)
{
    uint64_t first = generation_number(generation) * generation_room(generation);
    for (uint32_t row = 0; row < generation_room(generation); row++) {
        if (first + row > scan->moment->sequence)
            return NULL;
        const Row *at = generation_row(generation, row);
        uint32_t   project;
        if (at->kind != ROW_EVENT || (scan->event != NAME_NONE && at->event != scan->event) ||
            (scan->account != NAME_NONE && at->account != scan->account))
            continue;
        names_text(scan->moment->partition->names, NAME_EVENT, at->event, &project);
        if (project != scan->project)
            continue;
        UsageEvent found = of_row(scan->moment, at, first + row);
        VoidTarget place = { first + row, at->ts, at->event, at->account };
        TRY(scan->take(scan->context, &found, &place));
    }
    return NULL;
}

bool event_scan_names(EventScan *scan, Str project, Str event, Str account)
{
    Names *names = scan->moment->partition->names;
    scan->project = names_find(names, NAME_PROJECT, 0, project);
    scan->event = scan->account = NAME_NONE;
    if (scan->project == NAME_NONE)
        return false;
    if (event.at != NULL) {
        scan->event = names_find(names, NAME_EVENT, scan->project, event);
        if (scan->event == NAME_NONE)
            return false;
    }
    if (account.at != NULL) {
        scan->account = names_find(names, NAME_ACCOUNT, scan->project, account);
        if (scan->account == NAME_NONE)
            return false;
    }
    return true;
}

Err *event_scan_run(const EventScan *scan)
{
    const UsageMoment *moment = scan->moment;
    for (size_t i = moment->generations.count; i > 0; i--)
        TRY(generation_take(scan, moment->generations.at[i - 1]));
    StoreCursor *cursor = store_cursor_open(moment->view, STORE_EVENTS, STORE_SCAN_CACHED);
    Err         *err = sealed_take(scan, cursor);
    store_cursor_close(cursor);
    return err;
}

// ---- one of them

static Err *find_in_range(const UsageMoment *moment, Arena *arena, const VoidTarget *place,
                          StoreRange range, UsageEvent **event)
{
    char     bytes[EVENT_KEY_BYTES];
    Str      suffix, value;
    Event    read;
    EventKey key = { .event = place->event, .account = place->account };
    names_text(moment->partition->names, NAME_EVENT, place->event, &key.project);
    key.day = (int32_t)instant_utc_day(place->ts);
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
            if (stored.sequence != place->sequence)
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

Err *event_scan_place(const UsageMoment *moment, Arena *arena, const VoidTarget *place,
                      UsageEvent **event)
{
    Partition *partition = moment->partition;
    uint64_t   seal = partition_seal_of(partition, place->sequence);
    uint32_t   row = partition_row_of(partition, place->sequence);
    size_t     count;
    *event = NULL;
    for (size_t i = 0; i < moment->generations.count; i++) {
        const Generation *generation = moment->generations.at[i];
        if (generation_number(generation) != seal)
            continue;
        if (generation_row(generation, row)->kind != ROW_EVENT)
            return NULL;
        *event = arena_new(arena, UsageEvent);
        **event = of_row(moment, generation_row(generation, row), place->sequence);
        return NULL;
    }
    const StoreRange *ranges = store_view_ranges(moment->view, &count);
    for (size_t i = 0; i < count; i++)
        if (!store_range_is_extra(ranges[i]) && ranges[i].first_seal <= seal &&
            seal < ranges[i].end_seal)
            return find_in_range(moment, arena, place, ranges[i], event);
    return NULL;
}
