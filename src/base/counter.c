// SPDX-License-Identifier: Apache-2.0
#include "base/counter.h"

#include <inttypes.h>
#include <stdatomic.h>

typedef enum MetricKind { COUNTER, GAUGE } MetricKind;

typedef struct MetricRow {
    const char *name;  // EVENTS_ACCEPTED, printed as toll_events_accepted
    MetricKind  kind;
    const char *unit;
    const char *help;
} MetricRow;

static const MetricRow rows[METRIC_COUNT] = {
#define METRIC(name, kind, unit, help) { #name, kind, unit, help },
#include "tbl/metrics.def"
#undef METRIC
};

static _Atomic int64_t values[METRIC_COUNT];

void counter_add(Metric metric, int64_t more)
{
    atomic_fetch_add_explicit(&values[metric], more, memory_order_relaxed);
}

void counter_set(Metric metric, int64_t value)
{
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

int64_t counter_get(Metric metric)
{
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

static void name_print(Text *text, const char *name)
{
    text_add(text, STR("toll_"));
    for (; *name != 0; name++)
        text_add_char(text, *name == '_' ? '_' : (char)(*name - 'A' + 'a'));
}

void counter_print(Text *text)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const MetricRow *row = &rows[i];
        text_add(text, STR("# TYPE "));
        name_print(text, row->name);
        text_print(text, " %s\n", row->kind == COUNTER ? "counter" : "gauge");
        if (row->unit[0] != 0) {
            text_add(text, STR("# UNIT "));
            name_print(text, row->name);
            text_print(text, " %s\n", row->unit);
        }
        text_add(text, STR("# HELP "));
        name_print(text, row->name);
        text_print(text, " %s\n", row->help);
        name_print(text, row->name);
        text_print(text, "%s %" PRId64 "\n", row->kind == COUNTER ? "_total" : "",
                   counter_get((Metric)i));
    }
    text_add(text, STR("# EOF\n"));
}
