// SPDX-License-Identifier: Apache-2.0
// Which accounts are to be looked at, and when.
#include "catalog/due.h"

enum { DUE_ADD, DUE_MARK, DUE_SET, DUE_LIST, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [DUE_ADD] = { "insert into account_due (tenant, project, account, due_at, tries, version)"
                  " values (?, ?, ?, ?, 0, 1)" },
    [DUE_MARK] = { "update account_due set due_at = ?, tries = 0, version = version + 1"
                   " where tenant = ? and project = ? and account = ?" },
    [DUE_SET] = { "update account_due set due_at = ?, tries = ?"
                  " where tenant = ? and project = ? and account = ? and version = ?" },
    [DUE_LIST] = { "select account, due_at, tries, version from account_due"
                   " where tenant = ? and project = ? and due_at <= ? order by due_at, account"
                   " limit ?" },
};

const StatementTable catalog__due_table = { "accounts that are due", sql, STATEMENTS };

#define OF(project) db_text((project).tenant), db_text((project).id)

Err *account_due_mark(DbTx *tx, ProjectId project, Str account)
{
    DbValue  first = db_whole(INSTANT_FIRST.us);
    uint64_t changed;
    bool     added;
    TRY(db_run(tx, &sql[DUE_MARK], DB_VALUES(first, OF(project), db_text(account)), &changed));
    if (changed > 0)
        return NULL;
    TRY(db_insert(tx, &sql[DUE_ADD], DB_VALUES(OF(project), db_text(account), first), &added));
    return NULL;
}

Err *account_due_set(DbTx *tx, ProjectId project, const AccountDue *due)
{
    return db_run(tx, &sql[DUE_SET],
                  DB_VALUES(db_whole(due->at.us), db_whole(due->tries), OF(project),
                            db_text(due->account), db_whole(due->version)),
                  NULL);
}

Err *account_due_list(DbTx *tx, const AccountDuePage *page, AccountDue **dues, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[DUE_LIST],
                DB_VALUES(OF(page->project), db_whole(page->until.us),
                          db_whole((int64_t)page->limit)),
                &rows));
    *dues = arena_array(db_arena(tx), AccountDue, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*dues)[i] = (AccountDue){ .account = row_text(&rows.at[i], 0),
                                   .at = { row_whole(&rows.at[i], 1) },
                                   .tries = row_whole(&rows.at[i], 2),
                                   .version = row_whole(&rows.at[i], 3) };
    return NULL;
}
