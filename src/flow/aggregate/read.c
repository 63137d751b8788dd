// SPDX-License-Identifier: Apache-2.0
// One usage read: cells where they fit, events where they do not. Every event that counts is met in
// exactly one way:
//   * in a whole hour or day, from a cell: of the range or generation it lies in when it came after
//     the meter's activation, of the activation's own range when it came before and is folded in;
//   * else by itself: at a ragged edge, in an hour that holds a retracted event, before an
//     activation that is not folded in yet, for unique counts, and in cells that hold events past
//     the moment's sequence.
#include "base/assert.h"
#include "flow/aggregate/gather.h"
#include "flow/aggregate/moment.h"
#include "flow/aggregate/read_accounts.h"
#include "flow/aggregate/segments.h"
#include "flow/aggregate/stored.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

typedef struct Read {
    UsageMoment      *moment;
    Arena            *arena;
    const UsageQuery *query;
    const Activation *activation;
    uint32_t          account;      // NAME_NONE: all
    Gather           *gather;
    Segments          segments;
    Voided            voided;       // hours that cells cannot answer, and events left out
    bool              scans_all;    // nothing by cells, or as of a sequence before the activation
    bool              is_folded;    // events before the activation are in its own range
    StoreCursor      *cells, *events;
} Read;

// Days whose events must be looked at, [first, last].
typedef struct Days {
    int32_t first, last;
} Days;

typedef struct DayList {
    Days  *at;  // ascending
    size_t count;
} DayList;

static bool is_met_by_itself(const Read *read, Instant ts, uint64_t sequence)
{
    if (sequence > read->moment->sequence)
        return false;
    if (read->scans_all || segments_find(&read->segments, SEGMENT_EVENTS, ts) != NULL)
        return true;
    return !read->is_folded && sequence < read->activation->sequence;
}

// ---- events in the store

// A cell that cannot be used: its events are met one by one.
typedef struct Stale {
    uint32_t account;
    Instant  start, end;
    Str      dimensions;
} Stale;

static Err *block_scan(const Read *read, const EventKey *key, Str block, const Stale *stale)
{
    AUTO(Arena) arena = arena_open();
    StoredEvents stored;
    Event        event;
    TRY(stored_events_open(read->moment->partition, arena, key, block, &stored));
    gather_account(read->gather, key->account);
    while (stored_events_next(&stored, &event)) {
        bool taken = stale == NULL
                         ? is_met_by_itself(read, event.ts, stored.sequence)
                         : stored.sequence <= read->moment->sequence &&
                               stored.sequence > read->activation->sequence &&
                               event.ts.us >= stale->start.us && event.ts.us < stale->end.us;
        if (taken && !voided_holds(&read->voided, stored.sequence))
            gather_event(read->gather, &event, stored.sequence,
                         stale == NULL ? NULL : &stale->dimensions);
    }
    return NULL;
}

static bool day_is_wanted(DayList days, int32_t day)
{
    for (size_t i = 0; i < days.count; i++)
        if (day >= days.at[i].first && day <= days.at[i].last)
            return true;
    return false;
}

// Rows of the range from the prefix on, while they are of the wanted days.
static Err *range_scan(const Read *read, StoreRange range, Str prefix, DayList days,
                       const Stale *stale)
{
    char     from[EVENT_KEY_BYTES];
    EventKey key = {
        .project = read->activation->project,
        .event = read->activation->event,
        .account = stale != NULL ? stale->account : read->account,
        .day = days.at[0].first,
    };
    Str suffix, value;
    bool is_one = prefix.length == EVENT_KEY_STREAM;
    store_cursor_seek(read->events, range, prefix,
                      is_one ? event_key_write(&key, from) : STR_NONE);
    while (store_cursor_next(read->events, &suffix, &value)) {
        if (!event_key_read(suffix, &key))
            return refuse(read->arena, ERR_STORE_FAILED, STR_NONE, "a stored event key is damaged");
        if (is_one && key.day > days.at[days.count - 1].last)
            break;
        if (day_is_wanted(days, key.day))
            TRY(block_scan(read, &key, value, stale));
    }
    return store_cursor_failure(read->events, read->arena);
}

static Str stream_prefix(const Read *read, uint32_t account, char bytes[EVENT_KEY_STREAM])
{
    bytes_put_u32_be(bytes, read->activation->project);
    bytes_put_u32_be(bytes + 4, read->activation->event);
    if (account == NAME_NONE)
        return (Str){ bytes, 8 };
    bytes_put_u32_be(bytes + 8, account);
    return (Str){ bytes, EVENT_KEY_STREAM };
}

static Err *stale_scan(const Read *read, StoreRange range, const Stale *stale)
{
    char prefix[EVENT_KEY_STREAM];
    Days days = { (int32_t)instant_utc_day(stale->start),
                  (int32_t)instant_utc_day((Instant){ stale->end.us - 1 }) };
    return range_scan(read, range, stream_prefix(read, stale->account, prefix),
                      (DayList){ &days, 1 }, stale);
}

// The days that hold ragged edges, or all that the windows touch.
static DayList days_of(const Read *read, bool all)
{
    const Segments *segments = &read->segments;
    DayList         days = { arena_array(read->arena, Days, segments->count), 0 };
    for (size_t i = 0; i < segments->count; i++) {
        const Segment *at = &segments->at[i];
        if (!all && at->kind != SEGMENT_EVENTS)
            continue;
        Days more = { (int32_t)instant_utc_day(at->start),
                      (int32_t)instant_utc_day((Instant){ at->end.us - 1 }) };
        if (days.count > 0 && more.first <= days.at[days.count - 1].last + 1)
            days.at[days.count - 1].last = more.last;
        else
            days.at[days.count++] = more;
    }
    return days;
}

static Err *range_events(const Read *read, StoreRange range)
{
    char     prefix[EVENT_KEY_STREAM];
    unsigned bits = read->moment->partition->options.seal_bits;
    bool     begins_before = range.first_seal << bits < read->activation->sequence;
    DayList  days = days_of(read, read->scans_all || (!read->is_folded && begins_before));
    if (days.count == 0)
        return NULL;
    return range_scan(read, range, stream_prefix(read, read->account, prefix), days, NULL);
}

// ---- cells in the store

static Err *cell_take(const Read *read, StoreRange range, const CellKey *key, Str value)
{
    Cell        cell;
    Aggregation aggregation;
    int64_t     unit = key->level == CELL_DAY ? INSTANT_DAY_US : HOUR_US;
    Instant     start = { key->start * unit };
    SegmentKind kind = key->level == CELL_DAY ? SEGMENT_DAYS : SEGMENT_HOURS;
    if (segments_find(&read->segments, kind, start) == NULL ||
        !gather_wants(read->gather, key->dimensions))
        return NULL;
    if (!cell_read(value, &cell, &aggregation) ||
        aggregation != meter_kept(read->activation->meter))
        return refuse(read->arena, ERR_STORE_FAILED, STR_NONE, "a stored cell is damaged");
    if (cell.last_sequence <= read->moment->sequence) {
        gather_account(read->gather, key->account);
        gather_cell(read->gather, start, key->dimensions, &cell);
        return NULL;
    }
    Stale stale = { key->account, start, { start.us + unit }, key->dimensions };
    return stale_scan(read, range, &stale);
}

static Err *cells_scan(const Read *read, StoreRange range, Str prefix, Str from,
                       const CellKey *last)
{
    Str     suffix, value;
    CellKey key;
    store_cursor_seek(read->cells, range, prefix, from);
    while (store_cursor_next(read->cells, &suffix, &value)) {
        if (!cell_key_read(suffix, &key))
            return refuse(read->arena, ERR_STORE_FAILED, STR_NONE, "a stored cell key is damaged");
        if (last != NULL && key.start >= last->start)
            break;
        TRY(cell_take(read, range, &key, value));
    }
    return store_cursor_failure(read->cells, read->arena);
}

// One account: a seek for each run of hours or days.
static Err *range_cells_of_account(const Read *read, StoreRange range)
{
    Text from = text_open(read->arena);
    for (size_t i = 0; i < read->segments.count; i++) {
        const Segment *segment = &read->segments.at[i];
        if (segment->kind == SEGMENT_EVENTS)
            continue;
        bool    days = segment->kind == SEGMENT_DAYS;
        int64_t unit = days ? INSTANT_DAY_US : HOUR_US;
        CellKey key = {
            .project = read->activation->project,
            .meter = read->activation->number,
            .account = read->account,
            .level = days ? CELL_DAY : CELL_HOUR,
            .start = (int32_t)(segment->start.us / unit),
        };
        CellKey last = { .start = (int32_t)(segment->end.us / unit) };
        cell_key_write(&key, &from);
        Str suffix = text_str(&from);
        TRY(cells_scan(read, range, (Str){ suffix.at, CELL_KEY_LEVEL }, suffix, &last));
    }
    return NULL;
}

static Err *range_cells(const Read *read, StoreRange range)
{
    char prefix[CELL_KEY_METER];
    if (read->account != NAME_NONE)
        return range_cells_of_account(read, range);
    bytes_put_u32_be(prefix, read->activation->project);
    bytes_put_u32_be(prefix + 4, read->activation->number);
    return cells_scan(read, range, (Str){ prefix, sizeof prefix }, STR_NONE, NULL);
}

static Err *sealed_read(Read *read)
{
    size_t            count;
    const StoreRange *ranges = store_view_ranges(read->moment->view, &count);
    unsigned          bits = read->moment->partition->options.seal_bits;
    for (size_t i = 0; i < count; i++) {
        bool is_extra = store_range_is_extra(ranges[i]);
        if (is_extra && ranges[i].index != read->activation->number)
            continue;
        if (!is_extra && ranges[i].first_seal << bits > read->moment->sequence)
            continue;
        if (!read->scans_all)
            TRY(range_cells(read, ranges[i]));
        if (!is_extra)
            TRY(range_events(read, ranges[i]));
    }
    return NULL;
}

// ---- memory

static void rows_scan(const Read *read, const MomentPiece *piece, const Stale *stale)
{
    const Generation *generation = piece->generation;
    uint64_t          first = generation_number(generation) * generation_room(generation);
    bool              is_all = read->account == NAME_NONE;
    uint32_t          row = is_all ? 0 : piece->newest_row;
    while (is_all ? row < piece->rows : row != ROW_END) {
        const Row *at = generation_row(generation, row);
        uint64_t   sequence = first + row;
        row = is_all ? row + 1 : at->previous;
        if (at->kind != ROW_EVENT || at->event != read->activation->event)
            continue;
        bool taken = stale == NULL ? is_met_by_itself(read, at->ts, sequence)
                                   : sequence <= read->moment->sequence &&
                                         sequence > read->activation->sequence &&
                                         at->account == stale->account &&
                                         at->ts.us >= stale->start.us && at->ts.us < stale->end.us;
        Event event;
        if (!taken || voided_holds(&read->voided, sequence))
            continue;
        moment_event(read->moment, at, &event);
        gather_account(read->gather, at->account);
        gather_event(read->gather, &event, sequence, stale == NULL ? NULL : &stale->dimensions);
    }
}

static bool has_edges(const Read *read)
{
    for (size_t i = 0; i < read->segments.count; i++)
        if (read->segments.at[i].kind == SEGMENT_EVENTS)
            return true;
    return false;
}

static void piece_read(const Read *read, const MomentPiece *piece)
{
    uint64_t first = generation_number(piece->generation) * generation_room(piece->generation);
    bool     begins_before = !read->is_folded && first < read->activation->sequence;
    for (size_t i = 0; i < piece->cell_count && !read->scans_all; i++) {
        const HourCell *cell = &piece->cells[i];
        Instant         start = { cell->hour * HOUR_US };
        if ((segments_find(&read->segments, SEGMENT_HOURS, start) == NULL &&
             segments_find(&read->segments, SEGMENT_DAYS, start) == NULL) ||
            !gather_wants(read->gather, cell->dimensions))
            continue;
        Stale stale = { cell->account, start, { start.us + HOUR_US }, cell->dimensions };
        gather_account(read->gather, cell->account);
        if (cell->cell.last_sequence <= read->moment->sequence)
            gather_cell(read->gather, start, cell->dimensions, &cell->cell);
        else
            rows_scan(read, piece, &stale);
    }
    if (read->scans_all || begins_before || has_edges(read))
        rows_scan(read, piece, NULL);
}

// ---- the whole

static bool has_cells(const Read *read)
{
    for (size_t i = 0; i < read->segments.count; i++)
        if (read->segments.at[i].kind != SEGMENT_EVENTS)
            return true;
    return false;
}

// From what was read for many accounts at once, if it is there.
static Err *ahead_read(Read *read, AheadCells *cells)
{
    MomentQuestion question = { read->activation, read->account };
    *cells = (AheadCells){ 0 };
    if (read->moment->ahead == NULL || read->scans_all || !read->is_folded ||
        read->account == NAME_NONE)
        return NULL;
    TRY(usage_ahead_find(read->moment->ahead, read->arena, &question, &read->segments, cells));
    gather_account(read->gather, read->account);
    for (size_t i = 0; cells->are_here && i < cells->count; i++) {
        const AheadCell *cell = &cells->at[i];
        if (segments_find(&read->segments, cell->kind, cell->start) != NULL &&
            gather_wants(read->gather, cell->dimensions))
            gather_cell(read->gather, cell->start, cell->dimensions, &cell->cell);
    }
    return NULL;
}

static Err *store_read(Read *read)
{
    read->cells = store_cursor_open(read->moment->view, STORE_CELLS, STORE_SCAN_CACHED);
    read->events = store_cursor_open(read->moment->view, STORE_EVENTS, STORE_SCAN_CACHED);
    Err *err = sealed_read(read);
    store_cursor_close(read->cells);
    store_cursor_close(read->events);
    return err;
}

static Err *read_all(Read *read, const MomentPiece *pieces, size_t count)
{
    AheadCells ahead;
    read->scans_all = read->moment->sequence < read->activation->sequence || !has_cells(read);
    read->is_folded = read->activation->is_fresh ||
                      store_view_holds(read->moment->view, STORE_EXTRA_LEVEL,
                                       read->activation->number);
    TRY(ahead_read(read, &ahead));
    Err *err = ahead.are_here ? NULL : store_read(read);
    for (size_t i = 0; err == NULL && i < count; i++)
        piece_read(read, &pieces[i]);
    return err;
}

static const Activation *activation_find(Partition *partition, const UsageQuery *query)
{
    uint32_t project = names_find(partition->names, NAME_PROJECT, 0, query->project);
    if (project == NAME_NONE)
        return NULL;
    lock_take(&partition->state_lock);
    const Activation *activation = meters_find(partition->meters, project, query->meter);
    lock_release(&partition->state_lock);
    return activation;
}

static Err *activation_get(Read *read)
{
    const UsageQuery *query = read->query;
    read->activation = activation_find(read->moment->partition, query);
    if (read->activation == NULL)
        return refuse(read->arena, ERR_METER_NOT_FOUND, STR_NONE, "there is no meter \"%.*s\"",
                      STR_ARG(query->meter));
    return NULL;
}

// The first copy may move the moment to "now". A definition that was found before and ended in
// between has not counted up to there, so the one that is active now is asked; what ends later,
// ends behind the moment.
static Err *pieces_take(Read *read, MomentPiece **pieces, size_t *count)
{
    MomentQuestion question = { read->activation, read->account };
    *pieces = moment_pieces(read->moment, &question, count);
    TRY(activation_get(read));
    if (read->activation == question.activation)
        return NULL;
    question.activation = read->activation;
    *pieces = moment_pieces(read->moment, &question, count);
    return NULL;
}

// The hours of retracted events become events' own.
static void voids_take(Read *read)
{
    const Segments *segments = &read->segments;
    if (segments->count == 0)
        return;
    MomentQuestion question = { read->activation, read->account };
    MomentRange    range = { segments->at[0].start, segments->at[segments->count - 1].end };
    read->voided = moment_voided(read->moment, &question, range);
    SegmentHours hours = { read->voided.hours.at, read->voided.hours.count };
    if (hours.count > 0)
        read->segments = segments_loosen(read->arena, segments, hours);
}

// Into answers, or, when `take` says where to, event by event.
static Err *read_run(Read *read, UsageAnswer *answers, const UsageTake *take)
{
    const UsageQuery *query = read->query;
    MomentPiece      *pieces = NULL;
    size_t            count = 0;
    TRY(activation_get(read));
    if (query->account.at != NULL)
        read->account = names_find(read->moment->partition->names, NAME_ACCOUNT,
                                   read->activation->project, query->account);
    bool is_known = query->account.at == NULL || read->account != NAME_NONE;
    if (is_known)
        TRY(pieces_take(read, &pieces, &count));
    TRY(gather_open(read->arena, query, read->activation->meter, &read->gather));
    if (take != NULL)
        gather_hand_on(read->gather, *take);
    Err *err = gather_segments(read->gather, &read->segments);
    if (err == NULL && is_known) {
        voids_take(read);
        err = read_all(read, pieces, count);
    }
    voided_release(&read->voided);
    if (err == NULL && take == NULL)
        err = gather_finish(read->gather, answers);
    gather_close(read->gather);
    return err;
}

Err *usage_read(UsageMoment *moment, Arena *arena, const UsageQuery *query, UsageAnswer *answers)
{
    Read read = { .moment = moment, .arena = arena, .query = query, .account = NAME_NONE };
    return read_run(&read, answers, NULL);
}

Err *usage_scan(UsageMoment *moment, Arena *arena, const UsageQuery *query, UsageTake take)
{
    Read read = { .moment = moment, .arena = arena, .query = query, .account = NAME_NONE };
    return read_run(&read, NULL, &take);
}

OutcomeHours usage_outcomes(Partition *partition, Arena *arena, const OutcomeQuery *query)
{
    return outcomes_hours(partition->outcomes, arena, query);
}

Refusals usage_refusals(Partition *partition, Arena *arena, Str project, size_t limit)
{
    return outcomes_refusals(partition->outcomes, arena, project, limit);
}
