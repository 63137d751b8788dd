// SPDX-License-Identifier: Apache-2.0
// Rows of tax rates are only ever added; the legal entity is one row that is replaced.
#include "base/assert.h"
#include "flow/invoice/tax_rate.h"

enum { RATE_ADD, RATE_EXACT, RATE_AT, RATES_AFTER, ENTITY_GET, ENTITY_ADD, ENTITY_SET, STATEMENTS };

#define COLUMNS "id, effective_from, definition, created_at"

static const Statement sql[STATEMENTS] = {
    [RATE_ADD] = { "insert into tax_rate (tenant, project, " COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?)" },
    [RATE_EXACT] = { "select " COLUMNS " from tax_rate"
                     " where tenant = ? and project = ? and id = ? and effective_from = ?" },
    [RATE_AT] = { "select " COLUMNS " from tax_rate"
                  " where tenant = ? and project = ? and id = ? and effective_from <= ?"
                  " order by effective_from desc limit 1" },
    [RATES_AFTER] = { "select " COLUMNS " from tax_rate"
                      " where tenant = ? and project = ?"
                      " and (id > ? or (id = ? and effective_from > ?))"
                      " order by id, effective_from limit ?" },
    [ENTITY_GET] = { "select definition from legal_entity where tenant = ? and project = ?" },
    [ENTITY_ADD] = { "insert into legal_entity (tenant, project, definition, updated_at)"
                     " values (?, ?, ?, ?)" },
    [ENTITY_SET] = { "update legal_entity set definition = ?, updated_at = ?"
                     " where tenant = ? and project = ?" },
};

const StatementTable tax_rate_table = { "tax rates", sql, STATEMENTS };

static Err *rate_read(DbTx *tx, const DbRow *row, StoredTaxRate *rate)
{
    Arena *arena = db_arena(tx);
    Faults faults = { .arena = arena };
    Json  *body;
    TRY(json_parse_stored(arena, row_text(row, 2), &body));
    *rate = *tax_rate_from_json(arena, body, row_text(row, 0), &faults);
    if (faults.first != NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the tax rate %.*s cannot be read",
                      STR_ARG(row_text(row, 0)));
    rate->effective_from = (Instant){ row_whole(row, 1) };
    rate->created_at = (Instant){ row_whole(row, 3) };
    return NULL;
}

Err *tax_rate_put(DbTx *tx, ProjectId project, const StoredTaxRate *rate)
{
    bool  added;
    DbRow row;
    TRY(db_insert(tx, &sql[RATE_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(rate->id),
                            db_whole(rate->effective_from.us), db_text(rate->definition),
                            db_whole(rate->created_at.us)),
                  &added));
    if (added)
        return NULL;
    TRY(db_find(tx, &sql[RATE_EXACT],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(rate->id),
                          db_whole(rate->effective_from.us)),
                &row));
    assert_that(row.columns != NULL);  // no row is ever taken away
    if (str_equal(row_text(&row, 2), rate->definition))
        return NULL;
    return refuse(db_arena(tx), ERR_TAX_RATE_IMMUTABLE, STR_NONE,
                  "another version of %.*s counts from that instant: give a later effectiveFrom",
                  STR_ARG(rate->id));
}

Err *tax_rate_at(DbTx *tx, ProjectId project, Str id, Instant at, StoredTaxRate **rate)
{
    DbRow row;
    TRY(db_find(tx, &sql[RATE_AT],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id),
                          db_whole(at.us)),
                &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_TAX_RATE_NOT_FOUND, STR_NONE,
                      "there is no tax rate %.*s at that time", STR_ARG(id));
    *rate = arena_new(db_arena(tx), StoredTaxRate);
    return rate_read(tx, &row, *rate);
}

Err *tax_rates(DbTx *tx, const TaxRatePage *page, StoredTaxRate **rates, size_t *count)
{
    DbRows rows;
    Str    after = page->after_id.at == NULL ? STR("") : page->after_id;
    TRY(db_rows(tx, &sql[RATES_AFTER],
                DB_VALUES(db_text(page->project.tenant), db_text(page->project.id),
                          db_text(after), db_text(after), db_whole(page->after_from.us),
                          db_whole((int64_t)page->limit)),
                &rows));
    *rates = arena_array(db_arena(tx), StoredTaxRate, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(rate_read(tx, &rows.at[i], &(*rates)[i]));
    return NULL;
}

Err *legal_entity_get(DbTx *tx, ProjectId project, Str *party)
{
    DbRow row;
    TRY(db_find(tx, &sql[ENTITY_GET], DB_VALUES(db_text(project.tenant), db_text(project.id)),
                &row));
    *party = row.columns == NULL ? STR_NONE : row_text(&row, 0);
    return NULL;
}

Err *legal_entity_put(DbTx *tx, ProjectId project, Str party, Instant now)
{
    bool     added;
    uint64_t changed;
    TRY(db_insert(tx, &sql[ENTITY_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(party),
                            db_whole(now.us)),
                  &added));
    if (added)
        return NULL;
    TRY(db_run(tx, &sql[ENTITY_SET],
               DB_VALUES(db_text(party), db_whole(now.us), db_text(project.tenant),
                         db_text(project.id)),
               &changed));
    assert_that(changed == 1);
    return NULL;
}
