// What `toll bench simulate` simulates: accounts with a subscription each, in a data directory of
// its own, and so much usage of four meters over some months, sent in order of time through the
// partition. What each account used is counted beside, and priced by arithmetic of its own.
#pragma once

#include "catalog/catalog.h"
#include "catalog/datadir.h"
#include "flow/aggregate/usage.h"
#include "operation/operation.h"

enum { MARKET_METERS = 4, MARKET_MONTHS_MAX = 12 };

typedef struct MarketOptions {
    Str      folder;  // an empty one
    Str      books;   // as DataDirOptions has it: STR_NONE: a file
    uint64_t accounts, events, seed;
    uint32_t months;  // from 2025-01-01T00:00:00Z on
    uint32_t seal_bits;
} MarketOptions;

typedef struct Market {
    MarketOptions options;
    Arena        *arena;
    DataDir      *dir;
    Db           *books;
    Catalog      *catalog;
    Partition    *partition;
    Principal     by;
    uint64_t     *used;  // [(account * months + month) * MARKET_METERS + meter]
} Market;

// Everything but usage: directory, books, meters, plans "now" (published) and accounts' names.
Err *market_open(Arena *arena, const MarketOptions *options, Market *market) MUST_CHECK;
void market_close(Market *market);

Err *market_use(Market *market) MUST_CHECK;        // all events, acknowledged
Err *market_subscribe(Market *market) MUST_CHECK;  // every account, to "now"

Instant market_month(uint32_t month);  // its first instant; market_month(months) is the end
Str     market_account(Arena *arena, uint64_t account);
bool    market_account_find(Str name, uint64_t *account);
Str     market_next_plan(void);  // the document that is tried

// What the oracle says an account pays over all months, in cents.
typedef struct MarketSum {
    int64_t now, next;
} MarketSum;
MarketSum market_sum(const Market *market, uint64_t account);
