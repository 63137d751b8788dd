// What bodies about money share: currencies and amounts in, amounts out, the account they are
// about, and the deed in the audit trail.
#pragma once

#include "api/server.h"
#include "flow/ledger/draw.h"
#include "http/shape.h"
#include "money/money.h"

// Every fault is collected. `pointer`: of the member.
bool money_currency(Faults *faults, Str code, Currency *currency);
// Exact in the currency's minor units: FIELD_INVALID for more places, and for what is beyond them.
bool money_amount(Faults *faults, const char *pointer, Decimal amount, Money *money);
// {"charges":[…],"meters":[…]}; NULL leaves it as it is.
void money_applies_to(Faults *faults, const Json *json, AppliesTo *to);
void money_applies_to_write(const AppliesTo *to, JsonOut *out);

// ACCOUNT_NOT_FOUND unless the project has it.
Err *money_account(Request *request, Str account) MUST_CHECK;

// The body decoded by the shape, every fault refused.
Err *money_body(Request *request, const Shape *shape, void *into) MUST_CHECK;

// Who asks: "key:key_01J…".
Str  money_who(const Request *request);
Err *money_audit(DbTx *tx, const Request *request, const char *action, Str object) MUST_CHECK;

void money_member(JsonOut *out, Arena *arena, const char *name, Money amount);
void text_member(JsonOut *out, const char *name, Str text);  // STR_NONE: null
void end_member(JsonOut *out, Arena *arena, const char *name, Instant end);  // INSTANT_END: null

extern const Shape applies_to_shape;
