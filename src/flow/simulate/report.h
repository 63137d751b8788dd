// The results of accounts for people and programs: as JSON, and as CSV (RFC 4180, CRLF) in which a
// text that a spreadsheet would take for a formula begins with an apostrophe.
#pragma once

#include "flow/simulate/totals.h"
#include "flow/simulate/simulation.h"

// {"account","totals":[…],"lines":[…],"warnings":[…],"problem"}
Err *report_account_json(const RepricedAccount *account, JsonOut *out) MUST_CHECK;

void report_csv_head(Text *csv);
// A row for each line.
Err *report_account_csv(const RepricedAccount *account, Text *csv) MUST_CHECK;

// Accounts of a result from a place on, in the order of the roster.
typedef struct ReportWalk {
    Db               *db;
    const Simulation *simulation;
    int64_t           chunk, index;  // of the next account; moves on
    size_t            limit;         // accounts
    Err *(*take)(void *context, const RepricedAccount *account);
    void *context;
} ReportWalk;
// *more: there are further ones behind the limit. What the take refuses, STORE_FAILED.
Err *report_walk(ReportWalk *walk, Arena *arena, bool *more) MUST_CHECK;
