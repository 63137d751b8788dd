// A moment: microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#pragma once

#include "base/text.h"

typedef struct Instant {
    int64_t us;
} Instant;

#define INSTANT_SECOND_US INT64_C(1000000)
// 0001-01-01T00:00:00Z, and the end of the year 9999: the end of time, so every period and window
// ends there at the latest. No text can name it: it prints as the microsecond before.
#define INSTANT_FIRST ((Instant){ INT64_C(-62135596800) * INSTANT_SECOND_US })
#define INSTANT_END ((Instant){ INT64_C(253402300800) * INSTANT_SECOND_US })
#define INSTANT_DAY_US (INT64_C(86400) * INSTANT_SECOND_US)

// RFC 3339: any offset, up to nine fraction digits of which those past the sixth must be zero,
// upper or lower case T and Z, no leap second. False: not such a text.
bool instant_parse(Str text, Instant *instant);

static inline Instant instant_earlier(Instant a, Instant b)
{
    return a.us < b.us ? a : b;
}

static inline Instant instant_later(Instant a, Instant b)
{
    return a.us > b.us ? a : b;
}

// The nearest instant of those years.
Instant instant_within(Instant instant);

// "2026-06-10T14:02:11Z", with up to six fraction digits, trailing zeros left out.
Str instant_print(Arena *arena, Instant instant);

// Floors, also before 1970.
int64_t instant_utc_hour(Instant instant);  // hours since 1970
int64_t instant_utc_day(Instant instant);   // days since 1970
