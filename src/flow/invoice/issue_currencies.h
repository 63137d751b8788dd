// The currencies that an account has invoices in.
#pragma once

#include "flow/invoice/issue.h"

// Those of its subscriptions and of charges that wait, each once, by code.
Err *issue_currencies(Arena *arena, const IssueQuery *query, Str account, Currency **currencies,
                      size_t *count) MUST_CHECK;
