// Grants on the wire.
#pragma once

#include "api/idempotency.h"
#include "api/money_body.h"
#include "flow/ledger/credit.h"

void grant_to_json(const StoredGrant *grant, Arena *arena, JsonOut *out);

extern const Shape       grant_shape;
extern const char *const grant_payers[];  // that a request may name; ends with NULL
enum { PAYER_EXTERNAL, PAYER_BALANCE };
GrantPaidBy grant_payer(int choice);

// A read of the books, with the request's arena.
Err *books_read(Request *request, DbWork work, void *context) MUST_CHECK;
