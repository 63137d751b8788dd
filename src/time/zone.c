// SPDX-License-Identifier: Apache-2.0
// Zones through ICU's C interface. The changes of a zone's offset up to 2100 are asked once, when
// it is first found: from then on they are a table that any thread searches without a lock. Behind
// its end ICU is asked each time, under the zone's lock, as a UCalendar is not made for threads.
// Nothing but offsets and their changes is asked of ICU: dates are counted here, in the proleptic
// calendar.
#include "time/zone.h"

#include <unicode/ucal.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/thread.h"
#include "base/vector.h"

enum { NAME_MAX_BYTES = 64 };

// 2100-01-01T00:00:00Z
#define TABLE_END ((Instant){ INT64_C(4102444800) * INSTANT_SECOND_US })

typedef struct OffsetChange {
    Instant at;
    int64_t offset_us;  // from then on
} OffsetChange;

struct Zone {
    char       name[NAME_MAX_BYTES];
    Lock       lock;
    UCalendar *calendar;
    int64_t    first_offset_us;  // before the first change
    bool       is_complete;      // no change comes after those of the table
    VECTOR(OffsetChange) table;  // ascending; the last is behind TABLE_END unless it is complete
};

static Lock zones_lock = PTHREAD_MUTEX_INITIALIZER;
static Map *zones;  // name -> Zone *, for the process's lifetime

static const Zone utc = { .name = "UTC", .is_complete = true };

const Zone *zone_utc(void)
{
    return &utc;
}

Str zone_name(const Zone *zone)
{
    return str_of(zone->name);
}

// Names of the database only: ICU would also take "GMT+5", or make UTC of what it does not know.
static bool is_known(Str name, UChar *wide)
{
    bool has_slash = false;
    if (name.length == 0 || name.length >= NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if ((unsigned char)name.at[i] < 0x21 || (unsigned char)name.at[i] > 0x7e)
            return false;
        has_slash |= name.at[i] == '/';
        wide[i] = (UChar)name.at[i];
    }
    UChar      canonical[NAME_MAX_BYTES];
    UBool      is_system = false;
    UErrorCode status = U_ZERO_ERROR;
    ucal_getCanonicalTimeZoneID(wide, (int32_t)name.length, canonical, NAME_MAX_BYTES, &is_system,
                                &status);
    return has_slash && is_system;
}

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

// The zone's calendar, set to the instant's millisecond, under its lock. Ended with clock_leave.
static UCalendar *clock_enter(const Zone *zone, Instant instant)
{
    UErrorCode status = U_ZERO_ERROR;
    lock_take((Lock *)(uintptr_t)&zone->lock);
    ucal_setMillis(zone->calendar, (UDate)floor_divide(instant.us, 1000), &status);
    assert_that(U_SUCCESS(status));
    return zone->calendar;
}

static void clock_leave(const Zone *zone)
{
    lock_release((Lock *)(uintptr_t)&zone->lock);
}

static int64_t asked_offset_us(const Zone *zone, Instant instant)
{
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = clock_enter(zone, instant);
    int64_t    ms = ucal_get(calendar, UCAL_ZONE_OFFSET, &status);
    ms += ucal_get(calendar, UCAL_DST_OFFSET, &status);
    clock_leave(zone);
    assert_that(U_SUCCESS(status));
    return ms * 1000;
}

static bool transition_near(const Zone *zone, Instant instant, UTimeZoneTransitionType side,
                            Instant *at)
{
    UDate      ms;
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = clock_enter(zone, instant);
    bool       found = ucal_getTimeZoneTransitionDate(calendar, side, &ms, &status);
    clock_leave(zone);
    assert_that(U_SUCCESS(status));
    if (found)
        at->us = (int64_t)ms * 1000;
    return found;
}

// Some transitions change a name and leave the offset: they are none here.
static bool is_change(const Zone *zone, Instant at)
{
    return asked_offset_us(zone, at) != asked_offset_us(zone, (Instant){ at.us - 1 });
}

static bool asked_change_after(const Zone *zone, Instant instant, Instant *change)
{
    while (transition_near(zone, instant, UCAL_TZ_TRANSITION_NEXT, &instant))
        if (is_change(zone, instant)) {
            *change = instant;
            return true;
        }
    return false;
}

static Instant asked_change_before(const Zone *zone, Instant instant)
{
    Instant at = instant;
    do {
        bool found = transition_near(zone, at, UCAL_TZ_TRANSITION_PREVIOUS_INCLUSIVE, &instant);
        assert_that(found);  // the last change of the table, if none is later
        at.us = instant.us - 1;
    } while (!is_change(zone, instant));
    return instant;
}

static void table_fill(Zone *zone)
{
    Instant at = INSTANT_FIRST;
    zone->first_offset_us = asked_offset_us(zone, at);
    do {
        zone->is_complete = !asked_change_after(zone, at, &at);
        if (!zone->is_complete)
            vector_push(&zone->table, (OffsetChange){ at, asked_offset_us(zone, at) });
    } while (!zone->is_complete && at.us < TABLE_END.us);
}

static Zone *zone_open(Str name)
{
    UChar wide[NAME_MAX_BYTES] = { 0 };
    if (!is_known(name, wide))
        return NULL;
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = ucal_open(wide, (int32_t)name.length, "en", UCAL_GREGORIAN, &status);
    assert_that(U_SUCCESS(status));
    Zone *zone = memory_take(sizeof(Zone));
    for (size_t i = 0; i < name.length; i++)
        zone->name[i] = name.at[i];
    lock_open(&zone->lock);
    zone->calendar = calendar;
    table_fill(zone);
    return zone;
}

const Zone *zone_find(Str name)
{
    if (str_equal(name, STR("UTC")))
        return &utc;
    uint64_t found = 0;
    lock_take(&zones_lock);
    if (zones == NULL)
        zones = map_open();
    if (!map_find(zones, name, &found)) {
        found = (uint64_t)(uintptr_t)zone_open(name);
        if (found != 0)
            map_set(zones, name, found);
    }
    lock_release(&zones_lock);
    return (const Zone *)(uintptr_t)found;
}

// How many changes of the table are at or before the instant.
static size_t changes_until(const Zone *zone, Instant instant)
{
    size_t least = 0, most = zone->table.count;
    while (least < most) {
        size_t middle = (least + most) / 2;
        if (zone->table.at[middle].at.us <= instant.us)
            least = middle + 1;
        else
            most = middle;
    }
    return least;
}

static bool is_in_table(const Zone *zone, size_t changes)
{
    return zone->is_complete || changes < zone->table.count;
}

int64_t zone_offset_us(const Zone *zone, Instant instant)
{
    size_t changes = changes_until(zone, instant);
    if (!is_in_table(zone, changes))
        return asked_offset_us(zone, instant);
    return changes == 0 ? zone->first_offset_us : zone->table.at[changes - 1].offset_us;
}

bool zone_change_before(const Zone *zone, Instant instant, Instant *change)
{
    size_t changes = changes_until(zone, instant);
    if (changes == 0)
        return false;
    *change = is_in_table(zone, changes) ? zone->table.at[changes - 1].at
                                         : asked_change_before(zone, instant);
    return true;
}

bool zone_change_after(const Zone *zone, Instant instant, Instant *change)
{
    size_t changes = changes_until(zone, instant);
    if (changes < zone->table.count) {
        *change = zone->table.at[changes].at;
        return true;
    }
    if (zone->is_complete)
        return false;
    return asked_change_after(zone, instant, change);
}

// Only places that moved have such changes: they are history, and all in the table.
bool zone_skip_after(const Zone *zone, Instant instant, Instant *skip)
{
    for (size_t i = changes_until(zone, instant); i < zone->table.count; i++) {
        int64_t before_us = i == 0 ? zone->first_offset_us : zone->table.at[i - 1].offset_us;
        *skip = zone->table.at[i].at;
        if (zone->table.at[i].offset_us - before_us >= INSTANT_DAY_US)
            return true;
    }
    return false;
}

Local zone_local(const Zone *zone, Instant instant)
{
    int64_t us = instant.us + zone_offset_us(zone, instant);
    int64_t day = floor_divide(us, INSTANT_DAY_US);
    return (Local){ date_of_days(day), us - day * INSTANT_DAY_US };
}

// The wall clock as if it were UTC.
static int64_t wall_us(Local local)
{
    return date_days(local.date) * INSTANT_DAY_US + local.us;
}

// Boundaries do not lie before or behind all time.
static Instant bounded(Instant instant)
{
    return instant.us < INSTANT_FIRST.us ? INSTANT_FIRST
           : instant.us > INSTANT_END.us ? INSTANT_END
                                         : instant;
}

// Between two changes the wall clock runs evenly: local = UTC + offset. Beginning before any
// instant that could show the wanted time, the first stretch in which it is shown, or which begins
// past it, has the answer.
Instant zone_instant(const Zone *zone, Local local)
{
    int64_t wanted = wall_us(local);
    Instant from = { wanted - 2 * INSTANT_DAY_US };
    for (;;) {
        Instant shown = { wanted - zone_offset_us(zone, from) };
        Instant change;
        if (shown.us < from.us)
            return bounded(from);
        if (!zone_change_after(zone, from, &change) || shown.us < change.us)
            return bounded(shown);
        from = change;
    }
}

Instant zone_midnight(const Zone *zone, Date date)
{
    return zone_instant(zone, (Local){ date, 0 });
}
