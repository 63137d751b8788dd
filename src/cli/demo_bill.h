// A bill as people read it: lines, the steps that prove them, totals.
#pragma once

#include "base/json.h"

// "38114200.5" -> "38,114,200.5".
Str digits_grouped(Arena *arena, Str number);

// `bill` is the answer of GET /v1/subscriptions/{id}/bill.
void demo_bill_print(const Json *bill, Text *out);

// The sums alone, of a bill or of an invoice's document.
void demo_totals_print(const Json *bill, Text *out);

// The line of that charge, or NULL.
const Json *demo_bill_line(const Json *bill, Str charge);
Str         demo_bill_text(const Json *object, const char *member);  // STR_NONE when it is no text
