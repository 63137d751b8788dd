// One account on both sides. First its timelines, so that what will be asked of usage is known for
// many accounts at once; then the bills.
#pragma once

#include "flow/bill/period_bill.h"
#include "flow/simulate/chunk.h"
#include "flow/simulate/roster.h"

// What all accounts of a simulation share. One for each thread: plans of documents are kept here.
typedef struct Repricing Repricing;

typedef struct RepriceFacts {
    Catalog                 *catalog;
    const Simulation        *simulation;
    const SimulationRequest *request;
    Str                      project_zone;
} RepriceFacts;

Repricing *repricing_open(Arena *arena, const RepriceFacts *facts);
void       repricing_close(Repricing *repricing);

// One subscription; a side that is not there has no terms.
typedef struct RepricePair {
    Timeline before, after;
} RepricePair;

typedef struct RepriceAccount {
    const RosterEntry *entry;
    RepricePair       *pairs;
    size_t             count;
    uint32_t           warnings;
    Err               *refusal;  // it cannot be priced
} RepriceAccount;

// STORE_FAILED and its like are refused; what is wrong with this account alone is its refusal.
Err *reprice_prepare(Repricing *repricing, Arena *arena, const RosterEntry *entry,
                     RepriceAccount *account) MUST_CHECK;

// The windows of the periods that reprice_price will bill, in no order.
typedef struct RepriceWindows {
    VECTOR(UsageWindow) at;
} RepriceWindows;
void reprice_windows(const Repricing *repricing, const RepriceAccount *account,
                     RepriceWindows *windows);

Err *reprice_price(Repricing *repricing, Arena *arena, UsageMoment *moment,
                   const RepriceAccount *account, RepricedAccount *repriced) MUST_CHECK;
