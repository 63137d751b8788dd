// Rates of tax, dated, and the legal entity that sells: what an invoice takes from the project.
// Owns tables tax_rate, legal_entity.
#pragma once

#include "base/json.h"
#include "catalog/project.h"
#include "db/db.h"
#include "money/rational.h"

// A version of a rate: from effective_from on, until that of the next.
typedef struct StoredTaxRate {
    Str        id;
    Str        name;
    Str        percent_text;
    Rational   percent;       // 0..100
    bool       inclusive;     // amounts contain it
    Str        jurisdiction;  // STR_NONE: not said
    const Str *categories;    // of charges it is for (taxCategory)
    size_t     category_count;  // 0: of all
    Str        definition;    // canonical JSON of all that
    Instant    effective_from, created_at;
} StoredTaxRate;

// From the body of PUT /v1/taxRates/{id}, every fault collected. Without effectiveFrom: from
// always.
StoredTaxRate *tax_rate_from_json(Arena *arena, const Json *body, Str id, Faults *faults);
void           tax_rate_to_json(const StoredTaxRate *rate, Arena *arena, JsonOut *out);

bool tax_rate_is_for(const StoredTaxRate *rate, Str category);  // STR_NONE: of no category

// Adds a version; the same again is harmless. TAX_RATE_IMMUTABLE: another stands at that instant.
Err *tax_rate_put(DbTx *tx, ProjectId project, const StoredTaxRate *rate) MUST_CHECK;

// The version that counts at `at`. TAX_RATE_NOT_FOUND.
Err *tax_rate_at(DbTx *tx, ProjectId project, Str id, Instant at, StoredTaxRate **rate) MUST_CHECK;
// All versions, by id and instant, behind (after_id, after_from).
typedef struct TaxRatePage {
    ProjectId project;
    Str       after_id;  // STR_NONE: from the first
    Instant   after_from;
    size_t    limit;
} TaxRatePage;
Err *tax_rates(DbTx *tx, const TaxRatePage *page, StoredTaxRate **rates, size_t *count) MUST_CHECK;

// catalog/party.h; STR_NONE: none was said.
Err *legal_entity_get(DbTx *tx, ProjectId project, Str *party) MUST_CHECK;
Err *legal_entity_put(DbTx *tx, ProjectId project, Str party, Instant now) MUST_CHECK;

extern const StatementTable tax_rate_table;
