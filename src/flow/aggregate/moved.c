// SPDX-License-Identifier: Apache-2.0
// Every row has a sequence, and rows lie in ranges of sequences: only ranges behind the oldest of
// the spans' sequences are looked into, and within one only the days of spans that it may change.
// Retractions are in memory with what they retract.
#include "flow/aggregate/moved.h"

#include "base/assert.h"
#include "flow/aggregate/event_scan.h"
#include "flow/aggregate/stored.h"

const char *const move_kind_names[] = { "added", "taken", "returned", NULL };

typedef struct Looking {
    UsageMoment           *moment;
    Arena                 *arena;
    const UsageMovedQuery *query;
    UsageMoved            *moved;
    uint32_t               project, account, event;
    VoidTarget            *places;  // of what is shown, USAGE_MOVES_SHOWN for each span
} Looking;

// ---- noting

static bool comes_before(const UsageMove *a, const UsageMove *b)
{
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence;
    return a->ts.us < b->ts.us;
}

// Its place among the first ones; USAGE_MOVES_SHOWN: none.
static size_t place_of(const UsageMoved *moved, const UsageMove *move)
{
    size_t place = moved->shown;
    while (place > 0 && comes_before(move, &moved->first[place - 1]))
        place--;
    return place;
}

static void move_put(const Looking *looking, size_t closed, const UsageMove *move,
                     const VoidTarget *target)
{
    UsageMoved *moved = &looking->moved[closed];
    VoidTarget *places = looking->places + closed * USAGE_MOVES_SHOWN;
    size_t      place = place_of(moved, move);
    moved->count++;
    if (moved->newest < move->sequence)
        moved->newest = move->sequence;
    if (place == USAGE_MOVES_SHOWN)
        return;
    if (moved->shown < USAGE_MOVES_SHOWN)
        moved->shown++;
    for (size_t i = moved->shown - 1; i > place; i--) {
        moved->first[i] = moved->first[i - 1];
        places[i] = places[i - 1];
    }
    moved->first[place] = *move;
    moved->first[place].unique_id = str_copy(looking->arena, move->unique_id);
    places[place] = *target;
}

// In every span that holds it and does not know it.
static void move_note(const Looking *looking, const UsageMove *move, const VoidTarget *target)
{
    if (move->sequence > looking->moment->sequence)
        return;
    for (size_t i = 0; i < looking->query->count; i++) {
        const UsageClosed *closed = &looking->query->closed[i];
        if (move->sequence > closed->since && closed->start.us <= target->ts.us &&
            target->ts.us < closed->end.us)
            move_put(looking, i, move, target);
    }
}

// ---- sealed

// The days of spans to which a range of seals may bring something new; false: none.
typedef struct Days {
    int64_t first, last;
} Days;

static bool range_days(const Looking *looking, uint64_t end_seal, Days *days)
{
    const Partition *partition = looking->moment->partition;
    bool             found = false;
    for (size_t i = 0; i < looking->query->count; i++) {
        const UsageClosed *closed = &looking->query->closed[i];
        int64_t            first = instant_utc_day(closed->start);
        int64_t            last = instant_utc_day((Instant){ closed->end.us - 1 });
        if (partition_seal_of(partition, closed->since) >= end_seal)
            continue;
        days->first = found && days->first < first ? days->first : first;
        days->last = found && days->last > last ? days->last : last;
        found = true;
    }
    return found;
}

static Err *block_look(const Looking *looking, const EventKey *key, Str block)
{
    AUTO(Arena) arena = arena_open();
    StoredEvents stored;
    Event        event;
    Err *err = stored_events_open(looking->moment->partition, arena, key, block, &stored);
    if (err != NULL)
        return refuse(looking->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    while (stored_events_next(&stored, &event)) {
        VoidTarget target = { stored.sequence, event.ts, key->event, key->account };
        UsageMove  move = { MOVE_ADDED, stored.sequence, event.ts, event.unique_id };
        move_note(looking, &move, &target);
    }
    return NULL;
}

static Err *stream_look(const Looking *looking, StoreCursor *cursor, StoreRange range, Days days)
{
    char     bytes[EVENT_KEY_BYTES];
    Str      suffix, value;
    EventKey key = { looking->project, looking->event, looking->account, (int32_t)days.first, 0 };
    Str      from = event_key_write(&key, bytes);
    store_cursor_seek(cursor, range, (Str){ bytes, EVENT_KEY_STREAM }, from);
    while (store_cursor_next(cursor, &suffix, &value)) {
        if (!event_key_read(suffix, &key))
            return refuse(looking->arena, ERR_STORE_FAILED, STR_NONE,
                          "a stored event key is damaged");
        if (key.day > days.last)
            return NULL;
        TRY(block_look(looking, &key, value));
    }
    return store_cursor_failure(cursor, looking->arena);
}

static Err *sealed_look(const Looking *looking, StoreCursor *cursor)
{
    size_t            count;
    const StoreRange *ranges = store_view_ranges(looking->moment->view, &count);
    for (size_t i = count; i > 0; i--) {
        Days days;
        if (!store_range_is_extra(ranges[i - 1]) &&
            range_days(looking, ranges[i - 1].end_seal, &days))
            TRY(stream_look(looking, cursor, ranges[i - 1], days));
    }
    return NULL;
}

// ---- in memory

static uint32_t newest_row(const Looking *looking, const Generation *generation)
{
    Partition *partition = looking->moment->partition;
    lock_take(&partition->state_lock);
    const Stream *stream = generation_stream(generation, looking->event, looking->account);
    uint32_t      row = stream == NULL ? ROW_END : stream->newest_row;
    lock_release(&partition->state_lock);
    return row;
}

static void memory_look(const Looking *looking)
{
    for (size_t i = 0; i < looking->moment->generations.count; i++) {
        const Generation *generation = looking->moment->generations.at[i];
        uint64_t first = generation_number(generation) * generation_room(generation);
        Days     days;
        uint32_t row = range_days(looking, generation_number(generation) + 1, &days)
                           ? newest_row(looking, generation)
                           : ROW_END;
        while (row != ROW_END) {
            const Row *at = generation_row(generation, row);
            VoidTarget target = { first + row, at->ts, at->event, at->account };
            UsageMove  move = { MOVE_ADDED, first + row, at->ts, row_unique_id(at) };
            move_note(looking, &move, &target);
            row = at->previous;
        }
    }
}

// ---- retractions

static void retractions_look(const Looking *looking)
{
    Voids    *voids = looking->moment->partition->voids;
    VoidMoves moves = { 0 };
    for (size_t i = 0; i < looking->query->count; i++) {
        const UsageClosed *closed = &looking->query->closed[i];
        VoidQuestion       question = { looking->event, looking->account, closed->since,
                                        closed->start, closed->end };
        moves.count = 0;
        voids_moved(voids, &question, looking->moment->sequence, &moves);
        for (size_t k = 0; k < moves.count; k++) {
            const VoidMove *at = &moves.at[k];
            UsageMove       move = { at->is_return ? MOVE_RETURNED : MOVE_TAKEN, at->sequence,
                                     at->target.ts, STR_NONE };
            move_put(looking, i, &move, &at->target);
        }
    }
    vector_release(&moves);
}

// ---- all of it

static Err *streams_look(Looking *looking)
{
    Names       *names = looking->moment->partition->names;
    StoreCursor *cursor =
        store_cursor_open(looking->moment->view, STORE_EVENTS, STORE_SCAN_CACHED);
    Err *err = NULL;
    for (uint32_t event = 0; event < names_count(names, NAME_EVENT) && err == NULL; event++) {
        uint32_t project;
        names_text(names, NAME_EVENT, event, &project);
        if (project != looking->project)
            continue;
        looking->event = event;
        memory_look(looking);
        retractions_look(looking);
        err = sealed_look(looking, cursor);
    }
    store_cursor_close(cursor);
    return err;
}

// Retractions know where their event lies, not what it is called.
static Err *ids_fill(const Looking *looking)
{
    for (size_t i = 0; i < looking->query->count; i++)
        for (size_t k = 0; k < looking->moved[i].shown; k++) {
            const VoidTarget *place = &looking->places[i * USAGE_MOVES_SHOWN + k];
            UsageMove        *move = &looking->moved[i].first[k];
            UsageEvent       *event;
            if (move->unique_id.length > 0)
                continue;
            TRY(event_scan_place(looking->moment, looking->arena, place, &event));
            if (event == NULL)
                return refuse(looking->arena, ERR_STORE_FAILED, STR_NONE,
                              "a retracted event is missing");
            move->unique_id = event->unique_id;
        }
    return NULL;
}

Err *usage_moved(UsageMoment *moment, Arena *arena, const UsageMovedQuery *query,
                 UsageMoved **moved)
{
    Looking looking = { .moment = moment, .arena = arena, .query = query };
    Names  *names = moment->partition->names;
    *moved = arena_array(arena, UsageMoved, query->count);
    looking.moved = *moved;
    looking.places = arena_array(arena, VoidTarget, query->count * USAGE_MOVES_SHOWN);
    moment->is_fixed = true;
    looking.project = names_find(names, NAME_PROJECT, 0, query->project);
    if (query->count == 0 || looking.project == NAME_NONE)
        return NULL;
    looking.account = names_find(names, NAME_ACCOUNT, looking.project, query->account);
    if (looking.account == NAME_NONE)
        return NULL;
    TRY(streams_look(&looking));
    return ids_fill(&looking);
}
