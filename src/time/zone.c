// SPDX-License-Identifier: Apache-2.0
// Zones through ICU's C interface. A UCalendar is not made for threads, so each zone has a lock
// around its own; a lookup takes well under a microsecond, and the event path does not need any.
// Nothing but offsets and their changes is asked of ICU: dates are counted here, in the proleptic
// calendar.
#include "time/zone.h"

#include <unicode/ucal.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/thread.h"

enum { NAME_MAX_BYTES = 64 };

struct Zone {
    char       name[NAME_MAX_BYTES];
    bool       is_utc;
    Lock       lock;
    UCalendar *calendar;
};

static Lock zones_lock = PTHREAD_MUTEX_INITIALIZER;
static Map *zones;  // name -> Zone *, for the process's lifetime

static const Zone utc = { .name = "UTC", .is_utc = true };

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

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

// The zone's calendar, set to the instant's millisecond, under its lock. Ended with calendar_leave.
static UCalendar *calendar_enter(const Zone *zone, Instant instant)
{
    UErrorCode status = U_ZERO_ERROR;
    lock_take((Lock *)(uintptr_t)&zone->lock);
    ucal_setMillis(zone->calendar, (UDate)floor_divide(instant.us, 1000), &status);
    assert_that(U_SUCCESS(status));
    return zone->calendar;
}

static void calendar_leave(const Zone *zone)
{
    lock_release((Lock *)(uintptr_t)&zone->lock);
}

int64_t zone_offset_us(const Zone *zone, Instant instant)
{
    if (zone->is_utc)
        return 0;
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = calendar_enter(zone, instant);
    int64_t    ms = ucal_get(calendar, UCAL_ZONE_OFFSET, &status);
    ms += ucal_get(calendar, UCAL_DST_OFFSET, &status);
    calendar_leave(zone);
    assert_that(U_SUCCESS(status));
    return ms * 1000;
}

static bool change_near(const Zone *zone, Instant instant, UTimeZoneTransitionType side,
                        Instant *change)
{
    if (zone->is_utc)
        return false;
    UDate      ms;
    UErrorCode status = U_ZERO_ERROR;
    UCalendar *calendar = calendar_enter(zone, instant);
    bool       found = ucal_getTimeZoneTransitionDate(calendar, side, &ms, &status);
    calendar_leave(zone);
    assert_that(U_SUCCESS(status));
    if (found)
        change->us = (int64_t)ms * 1000;
    return found;
}

bool zone_change_before(const Zone *zone, Instant instant, Instant *change)
{
    return change_near(zone, instant, UCAL_TZ_TRANSITION_PREVIOUS_INCLUSIVE, change);
}

bool zone_change_after(const Zone *zone, Instant instant, Instant *change)
{
    return change_near(zone, instant, UCAL_TZ_TRANSITION_NEXT, change);
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
    if (zone->is_utc)
        return bounded((Instant){ wanted });

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
