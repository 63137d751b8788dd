// Invoices before a period has ended: as soon as what its usage comes to so far, less what was
// billed of it, reaches the plan's invoiceThreshold. They hold only lines whose price never goes
// back on what was billed: usage of models that are priced event by event. Volume, minimums,
// true-up and all else are settled by the period's last invoice, which contains the rest.
#pragma once

#include "flow/bill/due.h"
#include "flow/invoice/issue.h"

// The lines, none when it is not reached; *since: the start of the period.
Err *issue_threshold(Arena *arena, Db *books, const DueQuery *query, DueLines *lines,
                     Instant *since) MUST_CHECK;

// The subscription is under a plan with a threshold at facts->known_at.
Err *issue_has_threshold(Arena *arena, const TimelineFacts *facts, bool *has) MUST_CHECK;
