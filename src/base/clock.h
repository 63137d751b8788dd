// Where the time comes from. Pure code takes instants as values; only the edge asks a clock.
#pragma once

#include <stdint.h>

int64_t clock_now_us(void);   // microseconds since 1970-01-01T00:00:00Z
int64_t clock_tick_us(void);  // monotonic, for durations and deadlines
int64_t clock_cpu_us(void);   // CPU time this thread has used
