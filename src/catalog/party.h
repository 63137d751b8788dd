// Who is on an invoice, as bodies say it and as it is kept: the buyer's members of an account and
// the legal entity that sells. One canonical JSON object of the members that were given.
#pragma once

#include "base/json.h"

typedef enum PartyKind { PARTY_BUYER, PARTY_SELLER } PartyKind;

// The members of a body that are a party's, ends with NULL:
//   both    legalName, address {line1, line2, city, region, postalCode, country}, taxIds [texts],
//           taxRates [ids], netDays 0..365
//   buyer   taxStatus taxable|exempt|reverseCharge, poNumber
//   seller  taxRounding rate|line|lineRate|invoice, invoicePrefix, creditNotePrefix, memo
const char *const *party_members(PartyKind kind);

enum { PARTY_NAME_BYTES = 255, PARTY_RATES_MAX = 10, PARTY_TAX_IDS_MAX = 10, NET_DAYS_MAX = 365 };

// Reads those members of a body, with every fault collected; other members are not looked at.
// STR_NONE: none of them is there.
Str party_from_json(PartyKind kind, const Json *body, Faults *faults);

// Writes every member of the kind into an open object: what is not there as null.
void party_members_to_json(PartyKind kind, Str party, Arena *arena, JsonOut *out);
