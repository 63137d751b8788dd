// SPDX-License-Identifier: Apache-2.0
// What waits of an account, currency by currency.
#include "flow/invoice/issue_waiting.h"

enum { WAITING, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [WAITING] = { "select currency, min(at) from charge where tenant = ? and project = ?"
                  " and account = ? and collect = 'invoice' and invoice is null"
                  " group by currency order by currency" },
};

const StatementTable issue_waiting_table = { "charges that wait", sql, STATEMENTS };

static Instant month_end(const Zone *zone, Instant at)
{
    Date date = zone_local(zone, at).date;
    return zone_midnight(zone, date_in_month(date_months(date) + 1, 1));
}

Err *issue_waiting(Arena *arena, const WaitingQuery *query, WaitingCharges *waiting, bool *found)
{
    const IssueQuery *issue = query->issue;
    ProjectId         project = issue->project;
    DbRows            rows;
    *found = false;
    TRY(db_read_one(issue->books, arena, &sql[WAITING],
                    DB_VALUES(db_text(project.tenant), db_text(project.id),
                              db_text(query->account)),
                    &rows));
    if (rows.count == 0)
        return NULL;
    Str         name = query->time_zone.at != NULL
                           ? query->time_zone
                           : catalog_project_get(issue->catalog, project).time_zone;
    const Zone *zone = zone_find(name);
    for (size_t i = 0; i < rows.count; i++) {
        Str     code = row_text(&rows.at[i], 0);
        Instant due = month_end(zone, (Instant){ row_whole(&rows.at[i], 1) });
        if (query->currency.at != NULL && !str_equal(code, query->currency))
            continue;
        if (*found && due.us >= waiting->due.us)
            continue;
        if (!currency_find(code, &waiting->currency))
            return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a charge has no currency");
        *found = true;
        waiting->due = due;
    }
    return NULL;
}
