// An account: who is billed. Made by PUT, or by the first usage that names it.
#pragma once

#include "base/json.h"
#include "time/instant.h"

typedef struct Account {
    Str     id;         // 1..255 bytes of UTF-8 without controls
    Str     name;       // the texts may be STR_NONE
    Str     time_zone;  // IANA name; of its periods when the plan names none
    Str     currency;   // ISO 4217; a plan of another currency is refused
    Str     email;
    Str     metadata;  // JSON object of at most 50 texts, canonical
    Str     billing;   // as the buyer on invoices: catalog/party.h; or STR_NONE
    int64_t version;   // of the row, for ETag; 0 before it is stored
    Instant created_at, updated_at;
} Account;

// From the body of PUT /v1/accounts/{id}, with every fault collected; and to the answer.
Account *account_from_json(Arena *arena, const Json *body, Str id, Faults *faults);
void     account_to_json(const Account *account, JsonOut *out);
