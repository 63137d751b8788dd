// The process's metrics: one atomic number for each row of tbl/metrics.def.
#pragma once

#include "base/text.h"

typedef enum Metric {
#define METRIC(name, kind, unit, help) METRIC_##name,
#include "tbl/metrics.def"
#undef METRIC
    METRIC_COUNT
} Metric;

void    counter_add(Metric metric, int64_t more);  // a gauge may go down
void    counter_set(Metric metric, int64_t value);
int64_t counter_get(Metric metric);

// The OpenMetrics exposition of all of them, `# EOF` included.
void counter_print(Text *text);
