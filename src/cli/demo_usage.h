// A month of usage, the same every time: events of a dozen accounts in three meters whose totals
// are fixed, and what real senders do to them: events that come late, twice, again in other words,
// with changed content under the same id, and broken ones. It knows what every one of them must
// become.
#pragma once

#include "base/hash.h"
#include "base/text.h"
#include "flow/ingest/event.h"

enum { DEMO_ACCOUNTS = 12, DEMO_METERS = 3 };

typedef struct DemoMeter {
    const char *id, *unit;
    int         places;  // decimal places of its values
} DemoMeter;
extern const DemoMeter   demo_meters[DEMO_METERS];
extern const char *const demo_accounts[DEMO_ACCOUNTS];  // the first is acct_meridian

typedef struct DemoUsage DemoUsage;

// The month is [start, end).
DemoUsage *demo_usage_open(Instant start, Instant end);
void       demo_usage_close(DemoUsage *usage);  // NULL is allowed
void       DemoUsage_leave(DemoUsage **usage);

// How many lines there are to send, and line number `index` of them in the order of sending: adds
// one NDJSON line and answers what it must become.
size_t  demo_usage_count(const DemoUsage *usage);
Outcome demo_usage_line(const DemoUsage *usage, size_t index, Text *line);
