// Time zones of the IANA database, through ICU. A zone lives as long as the process and may be used
// by any number of threads. Local dates are proleptic Gregorian, as RFC 3339 writes them.
#pragma once

#include "time/instant.h"

typedef struct Zone Zone;

// "UTC", or an IANA name with a slash ("America/New_York"). NULL: no such zone.
const Zone *zone_find(Str name);
const Zone *zone_utc(void);
Str         zone_name(const Zone *zone);

typedef struct Date {
    int32_t year;
    uint8_t month;  // 1..12
    uint8_t day;    // 1..31
} Date;

typedef struct Local {
    Date    date;
    int64_t us;  // since local midnight: 0 .. one day, by the wall clock
} Local;

int64_t zone_offset_us(const Zone *zone, Instant instant);  // local = UTC + offset
Local   zone_local(const Zone *zone, Instant instant);

// The first instant at which the zone's wall clock shows that time or a later one: the earlier of
// two when clocks go back, the moment of the change when clocks jump over it. Between INSTANT_FIRST
// and INSTANT_END, whatever the local time.
Instant zone_instant(const Zone *zone, Local local);
Instant zone_midnight(const Zone *zone, Date date);

// The last change of the zone's offset at or before the instant, the first after it. False: none.
bool zone_change_before(const Zone *zone, Instant instant, Instant *change);
bool zone_change_after(const Zone *zone, Instant instant, Instant *change);

// The first change after the instant by which clocks jump over a day or more: a place that moved
// over the date line. False: none.
bool zone_skip_after(const Zone *zone, Instant instant, Instant *skip);

int64_t date_days(Date date);  // since 1970-01-01
Date    date_of_days(int64_t days);
int     date_month_days(int32_t year, int month);
int64_t date_months(Date date);  // year * 12 + month - 1
// That month (as date_months counts) and day, a day past the end of the month being its last.
Date date_in_month(int64_t months, int day);
bool date_parse(Str text, Date *date);  // "2026-04-06"
Str  date_print(Arena *arena, Date date);  // of years 0 to 9999
