// SPDX-License-Identifier: Apache-2.0
#include "ops/books.h"

#include "audit/answered.h"
#include "base/assert.h"
#include "catalog/catalog.h"
#include "flow/invoice/credit_note.h"
#include "flow/invoice/issue_waiting.h"
#include "flow/invoice/late.h"
#include "flow/invoice/revenue_item.h"
#include "flow/ledger/adjustment.h"
#include "flow/ledger/charge.h"
#include "flow/ledger/ledger.h"
#include "flow/ledger/pack.h"
#include "flow/ledger/top_up.h"
#include "flow/run/run.h"
#include "flow/simulate/simulation.h"
#include "operation/lease.h"
#include "operation/operation.h"

static const StatementTable *const others[] = {
    &tax_rate_table, &late_table, &issue_table, &issue_batch_table, &issue_waiting_table,
    &credit_note_table,
    &operation_table, &simulation_table, &ledger_table, &answered_table,
    &credit_table, &charge_table, &top_up_table, &pack_table,
    &adjustment_table, &run_table, &revenue_item_table,
    &lease_table,
};
enum { OTHERS = sizeof others / sizeof *others, TABLES_MAX = 32 };

Err *books_open(Arena *arena, Str place, size_t readers, Db **books)
{
    // A Db keeps what it was given as long as it is open.
    static const StatementTable *tables[TABLES_MAX];
    size_t                       count = 0;
    for (; catalog_tables[count] != NULL; count++) {
        assert_that(count + OTHERS + 1 < TABLES_MAX);
        tables[count] = catalog_tables[count];
    }
    for (size_t i = 0; i < OTHERS; i++)
        tables[count + i] = others[i];
    DbOptions options = {
        .place = place, .migrations = db_migrations(), .tables = tables, .readers = readers
    };
    return db_open(arena, &options, books);
}
