// SPDX-License-Identifier: Apache-2.0
// What is wanted is known by UTC days: of some the day's own cell, of others (at the edges of
// windows) the hours. Rows between are passed over one by one while they are few, else by a seek.
#include "flow/aggregate/read_accounts.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "flow/aggregate/keys.h"

#define HOUR_US (INT64_C(3600) * INSTANT_SECOND_US)

enum { PASS_MAX = 12, DAYS_MAX = 200000 };

// One meter's cells of all accounts, sorted out by account.
typedef struct AheadMeter {
    uint32_t          number;  // of the activation
    VECTOR(AheadCell) cells;
    uint32_t         *first;     // by place; the next one's is the end
    bool             *is_stale;  // by place: some cell holds events past the moment
} AheadMeter;

struct UsageAhead {
    Arena       *arena;
    UsageMoment *moment;
    uint32_t    *accounts;  // numbers, ascending
    uint32_t     count;
    int64_t      first_day, day_count;
    bool        *wants_day, *wants_hours;  // by day from first_day on
    uint32_t    *days_before, *hours_before;  // how many days of those before that one
    VECTOR(AheadMeter *) meters;
};

// ---- what is wanted

static void segment_note(UsageAhead *ahead, const Segment *segment)
{
    if (segment->kind == SEGMENT_EVENTS)
        return;
    bool *wanted = segment->kind == SEGMENT_DAYS ? ahead->wants_day : ahead->wants_hours;
    for (int64_t day = instant_utc_day(segment->start); day * INSTANT_DAY_US < segment->end.us;
         day++)
        wanted[day - ahead->first_day] = true;
}

static void days_find(UsageAhead *ahead, const UsageAheadQuery *query)
{
    int64_t first = INT64_MAX, end = INT64_MIN;
    for (size_t i = 0; i < query->window_count; i++) {
        int64_t begins = instant_utc_day(query->windows[i].start);
        int64_t ends = instant_utc_day(query->windows[i].end) + 1;
        first = begins < first ? begins : first;
        end = ends > end ? ends : end;
    }
    ahead->first_day = first;
    ahead->day_count = end <= first || end - first > DAYS_MAX ? 0 : end - first;
}

// Counts, so that it is known at once whether all days of a stretch are wanted.
static uint32_t *counts_of(const UsageAhead *ahead, const bool *wanted)
{
    uint32_t *before = arena_array(ahead->arena, uint32_t, ahead->day_count + 1);
    for (int64_t i = 0; i < ahead->day_count; i++)
        before[i + 1] = before[i] + wanted[i];
    return before;
}

static void windows_note(UsageAhead *ahead, const UsageAheadQuery *query)
{
    days_find(ahead, query);
    ahead->wants_day = arena_array(ahead->arena, bool, ahead->day_count);
    ahead->wants_hours = arena_array(ahead->arena, bool, ahead->day_count);
    for (size_t i = 0; i < query->window_count && ahead->day_count > 0; i++) {
        AUTO(Arena) arena = arena_open();
        Segments segments = segments_of(arena, &query->windows[i], 1);
        for (size_t k = 0; k < segments.count; k++)
            segment_note(ahead, &segments.at[k]);
    }
    ahead->days_before = counts_of(ahead, ahead->wants_day);
    ahead->hours_before = counts_of(ahead, ahead->wants_hours);
}

static bool is_wanted(const UsageAhead *ahead, CellLevel level, int64_t start)
{
    int64_t day = level == CELL_DAY ? start : instant_utc_day((Instant){ start * HOUR_US });
    if (day < ahead->first_day || day >= ahead->first_day + ahead->day_count)
        return false;
    return (level == CELL_DAY ? ahead->wants_day : ahead->wants_hours)[day - ahead->first_day];
}

static bool is_covered(const UsageAhead *ahead, const Segment *segment)
{
    if (segment->kind == SEGMENT_EVENTS)
        return segment->start.us >= segment->end.us;
    int64_t first = instant_utc_day(segment->start) - ahead->first_day;
    int64_t end = instant_utc_day((Instant){ segment->end.us - 1 }) + 1 - ahead->first_day;
    if (first < 0 || end > ahead->day_count)
        return false;
    const uint32_t *before =
        segment->kind == SEGMENT_DAYS ? ahead->days_before : ahead->hours_before;
    return before[end] - before[first] == end - first;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void accounts_note(UsageAhead *ahead, const UsageAheadQuery *query)
{
    Names   *names = ahead->moment->partition->names;
    uint32_t project = names_find(names, NAME_PROJECT, 0, query->project);
    NameList list = { ahead->arena, query->accounts, query->account_count };
    ahead->accounts = arena_array(ahead->arena, uint32_t, query->account_count + 1);
    if (project == NAME_NONE)
        return;
    names_hold(names);
    names_find_many_held(names, NAME_ACCOUNT, project, &list, ahead->accounts);
    names_let_go(names);
    qsort(ahead->accounts, query->account_count, sizeof(uint32_t), by_number);
    while (ahead->count < query->account_count && ahead->accounts[ahead->count] != NAME_NONE)
        ahead->count++;
}

UsageAhead *usage_ahead_open(UsageMoment *moment, const UsageAheadQuery *query)
{
    assert_that(moment->is_fixed && moment->ahead == NULL);
    Arena      *arena = arena_open();
    UsageAhead *ahead = arena_new(arena, UsageAhead);
    ahead->arena = arena;
    ahead->moment = moment;
    accounts_note(ahead, query);
    windows_note(ahead, query);
    moment->ahead = ahead;
    return ahead;
}

void usage_ahead_close(UsageAhead *ahead)
{
    if (ahead == NULL)
        return;
    ahead->moment->ahead = NULL;
    for (size_t i = 0; i < ahead->meters.count; i++)
        vector_release(&ahead->meters.at[i]->cells);
    vector_release(&ahead->meters);
    arena_close(ahead->arena);
}

// ---- the walk

typedef struct Walk {
    UsageAhead       *ahead;
    AheadMeter       *meter;
    const Activation *activation;
    StoreCursor      *cursor;
    StoreRange        range;
    uint32_t          place;   // of the first account that is not passed
    uint32_t          passed;  // rows in a row that nobody wants
    Text              from;
} Walk;

// False: all accounts are passed.
static bool account_reach(Walk *walk, uint32_t number)
{
    const UsageAhead *ahead = walk->ahead;
    while (walk->place < ahead->count && ahead->accounts[walk->place] < number)
        walk->place++;
    return walk->place < ahead->count;
}

static void seek(Walk *walk, CellLevel level, int64_t start)
{
    CellKey key = { .project = walk->activation->project,
                    .meter = walk->activation->number,
                    .account = walk->ahead->accounts[walk->place],
                    .level = level,
                    .start = (int32_t)start };
    cell_key_write(&key, &walk->from);
    Str suffix = text_str(&walk->from);
    store_cursor_seek(walk->cursor, walk->range, (Str){ suffix.at, CELL_KEY_METER }, suffix);
    walk->passed = 0;
}

// The first row of the account at walk->place that may be wanted.
static void account_seek(Walk *walk)
{
    const UsageAhead *ahead = walk->ahead;
    for (int64_t i = 0; i < ahead->day_count; i++)
        if (ahead->wants_hours[i]) {
            seek(walk, CELL_HOUR, (ahead->first_day + i) * 24);
            return;
        }
    seek(walk, CELL_DAY, ahead->first_day);
}

// From a row that nobody wants to the next that may be.
static void pass(Walk *walk, const CellKey *key)
{
    const UsageAhead *ahead = walk->ahead;
    int64_t           end = ahead->first_day + ahead->day_count;
    if (++walk->passed <= PASS_MAX)
        return;
    if (key->level == CELL_DAY && key->start >= end) {
        if (account_reach(walk, key->account + 1))
            account_seek(walk);
        return;
    }
    if (key->level == CELL_DAY) {
        seek(walk, CELL_DAY, key->start < ahead->first_day ? ahead->first_day : key->start + 1);
        return;
    }
    int64_t day = instant_utc_day((Instant){ key->start * HOUR_US }) + 1;
    while (day < end && (day < ahead->first_day || !ahead->wants_hours[day - ahead->first_day]))
        day++;
    if (day < end)
        seek(walk, CELL_HOUR, day * 24);
    else
        seek(walk, CELL_DAY, ahead->first_day);
}

static Err *damaged(Walk *walk, const char *what)
{
    return refuse(walk->ahead->arena, ERR_STORE_FAILED, STR_NONE, "a stored cell%s is damaged",
                  what);
}

static Err *cell_keep(Walk *walk, const CellKey *key, Str value)
{
    Arena      *arena = walk->ahead->arena;
    Aggregation aggregation;
    AheadCell   kept = {
          .kind = key->level == CELL_DAY ? SEGMENT_DAYS : SEGMENT_HOURS,
          .start = { key->start * (key->level == CELL_DAY ? INSTANT_DAY_US : HOUR_US) },
          .dimensions = STR(""),
          .place = walk->place,
    };
    if (!cell_read(value, &kept.cell, &aggregation) ||
        aggregation != meter_kept(walk->activation->meter))
        return damaged(walk, "");
    if (key->dimensions.length > 0)
        kept.dimensions = str_copy(arena, key->dimensions);
    if (kept.cell.latest_id.length > 0)
        kept.cell.latest_id = str_copy(arena, kept.cell.latest_id);
    if (kept.cell.last_sequence > walk->ahead->moment->sequence)
        walk->meter->is_stale[walk->place] = true;
    vector_push(&walk->meter->cells, kept);
    return NULL;
}

static Err *row_take(Walk *walk, Str suffix, Str value, bool *ended)
{
    CellKey key;
    if (!cell_key_read(suffix, &key))
        return damaged(walk, " key");
    *ended = !account_reach(walk, key.account);
    if (*ended)
        return NULL;
    if (walk->ahead->accounts[walk->place] > key.account) {
        if (++walk->passed > PASS_MAX)
            account_seek(walk);
        return NULL;
    }
    if (is_wanted(walk->ahead, key.level, key.start))
        return cell_keep(walk, &key, value);
    pass(walk, &key);
    *ended = walk->place == walk->ahead->count;
    return NULL;
}

static Err *range_walk(Walk *walk, StoreRange range)
{
    Str  suffix, value;
    bool ended = walk->ahead->count == 0 || walk->ahead->day_count == 0;
    walk->range = range;
    walk->place = 0;
    if (!ended)
        account_seek(walk);
    while (!ended && store_cursor_next(walk->cursor, &suffix, &value))
        TRY(row_take(walk, suffix, value, &ended));
    return store_cursor_failure(walk->cursor, walk->ahead->arena);
}

static Err *ranges_walk(Walk *walk)
{
    const UsageMoment *moment = walk->ahead->moment;
    unsigned           bits = moment->partition->options.seal_bits;
    size_t             count;
    const StoreRange  *ranges = store_view_ranges(moment->view, &count);
    for (size_t i = 0; i < count; i++) {
        bool is_extra = store_range_is_extra(ranges[i]);
        if (is_extra ? ranges[i].index == walk->activation->number
                     : ranges[i].first_seal << bits <= moment->sequence)
            TRY(range_walk(walk, ranges[i]));
    }
    return NULL;
}

// By account: each gets a stretch of its own.
static void cells_sort(const UsageAhead *ahead, AheadMeter *meter)
{
    size_t    bytes = (meter->cells.count + 1) * sizeof(AheadCell);
    VECTOR(AheadCell) sorted = { memory_take(bytes), meter->cells.count, meter->cells.count };
    uint32_t *next = arena_array(ahead->arena, uint32_t, ahead->count + 1);
    for (size_t i = 0; i < meter->cells.count; i++)
        meter->first[meter->cells.at[i].place + 1]++;
    for (uint32_t i = 0; i < ahead->count; i++)
        meter->first[i + 1] += meter->first[i];
    for (uint32_t i = 0; i < ahead->count; i++)
        next[i] = meter->first[i];
    for (size_t i = 0; i < meter->cells.count; i++)
        sorted.at[next[meter->cells.at[i].place]++] = meter->cells.at[i];
    vector_release(&meter->cells);
    meter->cells.at = sorted.at;
    meter->cells.count = sorted.count;
    meter->cells.room = sorted.room;
}

static Err *meter_walk(UsageAhead *ahead, const Activation *activation, AheadMeter **walked)
{
    AheadMeter *meter = arena_new(ahead->arena, AheadMeter);
    Walk        walk = { .ahead = ahead, .meter = meter, .activation = activation };
    meter->number = activation->number;
    meter->first = arena_array(ahead->arena, uint32_t, ahead->count + 1);
    meter->is_stale = arena_array(ahead->arena, bool, ahead->count + 1);
    walk.from = text_open(ahead->arena);
    walk.cursor = store_cursor_open(ahead->moment->view, STORE_CELLS, STORE_SCAN_CACHED);
    Err *err = ranges_walk(&walk);
    store_cursor_close(walk.cursor);
    if (err != NULL) {
        vector_release(&meter->cells);
        return err;
    }
    cells_sort(ahead, meter);
    vector_push(&ahead->meters, meter);
    *walked = meter;
    return NULL;
}

static AheadMeter *meter_find(const UsageAhead *ahead, uint32_t number)
{
    for (size_t i = 0; i < ahead->meters.count; i++)
        if (ahead->meters.at[i]->number == number)
            return ahead->meters.at[i];
    return NULL;
}

static bool account_find(const UsageAhead *ahead, uint32_t account, uint32_t *place)
{
    const uint32_t *found =
        ahead->count == 0
            ? NULL
            : bsearch(&account, ahead->accounts, ahead->count, sizeof(uint32_t), by_number);
    if (found != NULL)
        *place = (uint32_t)(found - ahead->accounts);
    return found != NULL;
}

Err *usage_ahead_find(UsageAhead *ahead, Arena *arena, const MomentQuestion *question,
                      const Segments *segments, AheadCells *cells)
{
    uint32_t place;
    *cells = (AheadCells){ 0 };
    if (ahead == NULL || !account_find(ahead, question->account, &place))
        return NULL;
    for (size_t i = 0; i < segments->count; i++)
        if (!is_covered(ahead, &segments->at[i]))
            return NULL;
    AheadMeter *meter = meter_find(ahead, question->activation->number);
    if (meter == NULL) {
        Err *err = meter_walk(ahead, question->activation, &meter);
        if (err != NULL)
            return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    cells->are_here = !meter->is_stale[place];
    cells->at = meter->cells.at + meter->first[place];
    cells->count = meter->first[place + 1] - meter->first[place];
    return NULL;
}
