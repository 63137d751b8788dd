// Local hours, days, weeks (from Monday) and months of a zone. Windows of one unit follow each
// other without gap or overlap, whatever the clocks do: a day may have 23, 24 or 25 hours, an hour
// that the clocks repeat is two windows.
#pragma once

#include "time/zone.h"

typedef enum WindowUnit {
    WINDOW_HOUR,
    WINDOW_DAY,
    WINDOW_WEEK,
    WINDOW_MONTH,
    WINDOW_UNIT_COUNT
} WindowUnit;

typedef struct Span {
    Instant start, end;  // [start, end)
} Span;

bool        window_unit_find(Str name, WindowUnit *unit);

// The window that holds the instant; behind all time, the last one. The next one is
// window_at(unit, zone, span.end).
Span window_at(WindowUnit unit, const Zone *zone, Instant instant);
