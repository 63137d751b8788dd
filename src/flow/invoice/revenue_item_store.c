// SPDX-License-Identifier: Apache-2.0
// Every statement on what is accrued and deferred. All of an account's are taken together, behind
// the progress of its subscriptions, so that two writers meet in one order.
#include "base/assert.h"
#include "flow/invoice/revenue_item.h"

enum { ITEMS, ITEM_ADD, ITEM_SET, ITEM_REMOVE, PROGRESS_GET, PROGRESS_ADD, PROGRESS_SET,
       STATEMENTS };

#define COLUMNS \
    "item, side, subscription, currency, revenue, service_start, service_end, amount, earned," \
    " base, base_at, earned_until"

static const Statement sql[STATEMENTS] = {
    [ITEMS] = { "select " COLUMNS " from revenue_item where tenant = ? and project = ?"
                " and account = ? and invoice = ? order by item" },
    [ITEM_ADD] = { "insert into revenue_item (tenant, project, account, invoice, " COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ITEM_SET] = { "update revenue_item set invoice = ?, revenue = ?, service_end = ?, amount = ?,"
                   " earned = ?, base = ?, base_at = ?, earned_until = ? where tenant = ?"
                   " and project = ? and account = ? and invoice = ? and item = ?" },
    [ITEM_REMOVE] = { "delete from revenue_item where tenant = ? and project = ?"
                      " and account = ? and invoice = ? and item = ?" },
    [PROGRESS_GET] = { "select accrued_until, posts from revenue_progress"
                       " where tenant = ? and project = ? and account = ?" },
    [PROGRESS_ADD] = { "insert into revenue_progress (tenant, project, account, accrued_until,"
                       " posts) values (?, ?, ?, ?, ?)" },
    [PROGRESS_SET] = { "update revenue_progress set accrued_until = ?, posts = ?"
                       " where tenant = ? and project = ? and account = ?" },
};

const StatementTable revenue_item_table = { "revenue items", sql, STATEMENTS };

static const char *const side_names[REVENUE_SIDE_COUNT] = {
    [REVENUE_ACCRUED] = "accrued",
    [REVENUE_DEFERRED] = "deferred",
};

#define OF(project) db_text((project).tenant), db_text((project).id)

// ---- reading

static Err *item_read(DbTx *tx, const DbRow *row, Str invoice, RevenueItem *item)
{
    *item = (RevenueItem){
        .item = row_text(row, 0),
        .side = str_equal(row_text(row, 1), STR("accrued")) ? REVENUE_ACCRUED : REVENUE_DEFERRED,
        .invoice = invoice,
        .was = invoice,
        .subscription = row_text(row, 2),
        .revenue = row_text(row, 4),
        .service = { { row_whole(row, 5) }, { row_whole(row, 6) } },
        .amount = row_whole(row, 7),
        .earned = row_whole(row, 8),
        .base = row_whole(row, 9),
        .base_at = { row_whole(row, 10) },
        .earned_until = { row_whole(row, 11) },
        .is_stored = true,
    };
    if (!currency_find(row_text(row, 3), &item->currency))
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                      "what is accrued or deferred has no currency");
    return NULL;
}

Err *revenue_items_of(DbTx *tx, ProjectId project, Str account, Str invoice, RevenueItems *items)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[ITEMS], DB_VALUES(OF(project), db_text(account), db_text(invoice)),
                &rows));
    *items = (RevenueItems){ .project = project,
                             .account = account,
                             .at = arena_array(db_arena(tx), RevenueItem, rows.count),
                             .count = rows.count,
                             .room = rows.count };
    for (size_t i = 0; i < rows.count; i++)
        TRY(item_read(tx, &rows.at[i], invoice, &items->at[i]));
    return NULL;
}

Err *revenue_items_read(DbTx *tx, ProjectId project, Str account, RevenueItems *items)
{
    return revenue_items_of(tx, project, account, STR(""), items);
}

// ---- writing

static bool is_over(const RevenueItem *item)
{
    return item->invoice.length == 0 &&
           (item->side == REVENUE_ACCRUED ? item->amount == 0 : item->amount == item->earned);
}

static Err *item_add(DbTx *tx, const RevenueItems *items, const RevenueItem *item)
{
    return db_later(tx, &sql[ITEM_ADD],
                    DB_VALUES(OF(items->project), db_text(items->account), db_text(item->invoice),
                              db_text(item->item), db_text(str_of(side_names[item->side])),
                              db_text(item->subscription),
                              db_text(currency_code(&item->currency)), db_text(item->revenue),
                              db_whole(item->service.start.us), db_whole(item->service.end.us),
                              db_whole(item->amount), db_whole(item->earned),
                              db_whole(item->base), db_whole(item->base_at.us),
                              db_whole(item->earned_until.us)));
}

static Err *item_set(DbTx *tx, const RevenueItems *items, const RevenueItem *item)
{
    return db_later(tx, &sql[ITEM_SET],
                    DB_VALUES(db_text(item->invoice), db_text(item->revenue),
                              db_whole(item->service.end.us), db_whole(item->amount),
                              db_whole(item->earned), db_whole(item->base),
                              db_whole(item->base_at.us), db_whole(item->earned_until.us),
                              OF(items->project), db_text(items->account), db_text(item->was),
                              db_text(item->item)));
}

static Err *item_remove(DbTx *tx, const RevenueItems *items, const RevenueItem *item)
{
    uint64_t removed;
    return db_run(tx, &sql[ITEM_REMOVE],
                  DB_VALUES(OF(items->project), db_text(items->account), db_text(item->was),
                            db_text(item->item)),
                  &removed);
}

Err *revenue_items_write(DbTx *tx, const RevenueItems *items)
{
    for (size_t i = 0; i < items->count; i++) {
        const RevenueItem *item = &items->at[i];
        if (!item->is_changed || (is_over(item) && !item->is_stored))
            continue;
        if (is_over(item))
            TRY(item_remove(tx, items, item));
        else if (item->is_stored)
            TRY(item_set(tx, items, item));
        else
            TRY(item_add(tx, items, item));
    }
    return NULL;
}

// ---- progress

Err *revenue_progress_get(DbTx *tx, ProjectId project, Str account, RevenueProgress *progress)
{
    DbRow row;
    TRY(db_find(tx, &sql[PROGRESS_GET], DB_VALUES(OF(project), db_text(account)), &row));
    *progress = (RevenueProgress){ .until = INSTANT_FIRST };
    if (row.columns != NULL)
        *progress = (RevenueProgress){ true, { row_whole(&row, 0) }, row_whole(&row, 1) };
    return NULL;
}

Err *revenue_progress_set(DbTx *tx, ProjectId project, Str account,
                          const RevenueProgress *progress)
{
    if (!progress->is_stored)
        return db_later(tx, &sql[PROGRESS_ADD],
                        DB_VALUES(OF(project), db_text(account), db_whole(progress->until.us),
                                  db_whole(progress->posts)));
    return db_later(tx, &sql[PROGRESS_SET],
                    DB_VALUES(db_whole(progress->until.us), db_whole(progress->posts),
                              OF(project), db_text(account)));
}
