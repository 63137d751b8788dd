// A numeric case: numbers in, numbers out, and how it is asked of the code under test. An adapter
// says "unknown" for what it has no word for; it never computes an expectation itself.
#pragma once

#include "base/json.h"
#include "money/rational.h"

typedef enum Result { CASE_PASSED, CASE_DECLINED, CASE_UNKNOWN, CASE_FAILED, RESULT_COUNT } Result;

typedef struct Case {
    Arena      *arena;
    Str         id, model;
    const Json *config, *input, *expected;
    Str         why;  // what differed, when it failed
} Case;

typedef Result (*Adapter)(Case *test);

Adapter adapter_prices(Str model);  // prices.c; NULL: not there
Adapter adapter_shares(Str model);  // shares.c
Adapter adapter_slices(Str model);  // slices.c
Adapter adapter_parts(Str model);   // parts.c
Adapter adapter_times(Str model);   // times.c
Adapter adapter_usage(Str model);   // usage.c
Adapter adapter_credits(Str model); // credits.c
Adapter adapter_invoices(Str model);  // invoices.c

// Why Toll does not offer what the case asks for; NULL: it is not declined. declined.c
const char *declined(const Case *test);
// A period whose start is no boundary of its anchor's, of a next_boundary case. times.c
bool begins_off_its_anchor(const Case *test);

// Why grants of a grant_draw_down case draw otherwise than Toll's; NULL: they do not. credits.c
const char *grants_draw_otherwise(const Case *test);

// ---- reading a case: STR_NONE and false when absent

Str         case_text(const Json *object, const char *name);  // of a text or number
const Json *case_member(const Json *object, const char *name);
bool        case_true(const Json *object, const char *name);

// True when the config has no member but these. Ends with NULL.
bool case_knows(const Case *test, const char *const *members);

// ---- comparing

Result case_same(Case *test, const char *what, Str wanted, Str got);  // as texts
Result case_equal(Case *test, const char *what, Rational wanted, Rational got);
// True when it passed; keeps the first failure.
bool case_and(Result *sum, Result part);

// ---- asking for a price

// A request of June 2026 with one metered charge "c" of these members, on meter "m".
Str case_request(Case *test, Str charge, Str quantity);
// The exact amount of its first line is `expected.amount`.
Result case_exact_amount(Case *test, Str charge, Str quantity);
// ,"ours":"value" when the config has `theirs`; no comma behind {.
void case_member_add(Text *text, const Json *from, const char *theirs, const char *ours);
// "model":…,"tiers":[…] of config.tiers
Str case_tiers(Case *test, const char *model);
// The same of tiers of blocks; all: each tier prices its own blocks, else the top one all.
Str case_blocks(Case *test, const Json *tiers, bool all);

// Prices a request by the core. NULL: it was refused, and `why` says so.
const Json *case_rate(Case *test, Str request);
// A member of the answer by JSON pointer without escapes. NULL: none.
const Json *case_at(const Json *json, Str pointer);

Rational case_number(Case *test, Str text);
