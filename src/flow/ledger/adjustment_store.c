// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "flow/ledger/adjustment.h"

#define PROJECT "tenant = ? and project = ?"
#define COLUMNS "id, account, currency, target, amount, reason_code, note, who, at"

enum { ADJUSTMENT_ADD, ADJUSTMENTS, ADJUSTMENTS_OF, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [ADJUSTMENT_ADD] = { "insert into adjustment (tenant, project, " COLUMNS ")"
                         " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ADJUSTMENTS] = { "select " COLUMNS " from adjustment where " PROJECT
                      " and id > ? order by id limit ?" },
    [ADJUSTMENTS_OF] = { "select " COLUMNS " from adjustment where " PROJECT
                         " and account = ? and id > ? order by +id limit ?" },
};

const StatementTable adjustment_table = { "adjustments", sql, STATEMENTS };

const char *const adjustment_targets[] = { "customerBalance", "wallet", NULL };

// ---- the deed

static Err *too_little(DbTx *tx, const Adjustment *adjustment, int64_t has)
{
    Money left = { has, adjustment->amount.currency };
    return refuse(db_arena(tx), ERR_INSUFFICIENT_BALANCE, STR("/amount"),
                  "the %s is %.*s %s", adjustment_targets[adjustment->target],
                  STR_ARG(money_print(db_arena(tx), left)), left.currency.code);
}

static Err *balance_adjust(DbTx *tx, ProjectId project, const Adjustment *adjustment)
{
    int64_t    amount = adjustment->amount.minor, balance;
    bool       posted;
    LedgerName name = { LEDGER_CUSTOMER_BALANCE, adjustment->account, adjustment->amount.currency };
    LedgerLeg  legs[] = { { LEDGER_CUSTOMER_BALANCE, adjustment->account, -amount },
                          { LEDGER_REVENUE, adjustment->reason_code, amount } };
    LedgerPost post = { .project = project,
                        .rule = POSTING_ADJUSTMENT,
                        .source = str_print(db_arena(tx), "adjustment:%.*s",
                                            STR_ARG(adjustment->id)),
                        .currency = adjustment->amount.currency,
                        .at = adjustment->at,
                        .effective_at = adjustment->at,
                        .account = adjustment->account,
                        .memo = adjustment->note,
                        .legs = legs,
                        .count = 2 };
    TRY(ledger_balance(tx, project, &name, &balance));  // a credit: below 0
    if (amount < 0 && -balance < -amount)
        return too_little(tx, adjustment, -balance);
    return ledger_post(tx, &post, &posted);
}

static Err *wallet_give(DbTx *tx, ProjectId project, const Adjustment *adjustment)
{
    Arena      *arena = db_arena(tx);
    StoredGrant grant = { .grant = { .id = random_id(arena, "grt_"),
                                     .account = adjustment->account,
                                     .currency = adjustment->amount.currency,
                                     .kind = GRANT_PAID,
                                     .timing = CREDIT_AFTER_TAX,
                                     .amount = adjustment->amount.minor,
                                     .price = adjustment->amount.minor,
                                     .effective_at = adjustment->at,
                                     .expires_at = INSTANT_END },
                          .paid_by = PAID_BY_US,
                          .reason = adjustment->reason_code,
                          .origin = str_print(arena, "adjustment:%.*s", STR_ARG(adjustment->id)),
                          .description = adjustment->note,
                          .created_at = adjustment->at };
    return credit_grant_add(tx, project, &grant);
}

static Err *wallet_take(DbTx *tx, ProjectId project, const Adjustment *adjustment)
{
    CreditGrants grants;
    Drawing      drawing;
    int64_t      drawn;
    DrawLine     line = { .service = { adjustment->at, adjustment->at },
                          .net = -adjustment->amount.minor };
    CreditUse    use = { .wallet = { project, adjustment->account, adjustment->amount.currency },
                         .source = str_print(db_arena(tx), "adjustment:%.*s",
                                             STR_ARG(adjustment->id)),
                         .rule = POSTING_ADJUSTMENT,
                         .revenue = adjustment->reason_code,
                         .at = adjustment->at,
                         .effective_at = adjustment->at };
    TRY(credit_grants_active(tx, &use.wallet, &grants));
    TRY(draw_begin(db_arena(tx), grants, (DrawLines){ &line, 1 }, &drawing));
    draw_before_tax(&drawing);
    draw_after_tax(&drawing, NULL);
    if (draw_total(&drawing) < line.net)
        return too_little(tx, adjustment, draw_total(&drawing));
    return credit_draw(tx, &use, &drawing, &drawn);
}

static Err *row_add(DbTx *tx, ProjectId project, const Adjustment *adjustment)
{
    return db_run(tx, &sql[ADJUSTMENT_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(adjustment->id),
                            db_text(adjustment->account),
                            db_text(currency_code(&adjustment->amount.currency)),
                            db_text(str_of(adjustment_targets[adjustment->target])),
                            db_whole(adjustment->amount.minor), db_text(adjustment->reason_code),
                            db_text(adjustment->note), db_text(adjustment->who),
                            db_whole(adjustment->at.us)),
                  NULL);
}

Err *adjustment_add(DbTx *tx, ProjectId project, const Adjustment *adjustment)
{
    TRY(row_add(tx, project, adjustment));
    if (adjustment->target == ADJUST_CUSTOMER_BALANCE)
        return balance_adjust(tx, project, adjustment);
    return adjustment->amount.minor > 0 ? wallet_give(tx, project, adjustment)
                                        : wallet_take(tx, project, adjustment);
}

// ---- reading

static Err *row_read(Arena *arena, const DbRow *row, Adjustment *adjustment)
{
    bool is_wallet = str_equal(row_text(row, 3), str_of(adjustment_targets[ADJUST_WALLET]));
    *adjustment = (Adjustment){ .id = row_text(row, 0),
                                .account = row_text(row, 1),
                                .amount = { .minor = row_whole(row, 4) },
                                .target = is_wallet ? ADJUST_WALLET : ADJUST_CUSTOMER_BALANCE,
                                .reason_code = row_text(row, 5),
                                .note = row_text(row, 6),
                                .who = row_text(row, 7),
                                .at = { row_whole(row, 8) } };
    if (!currency_find(row_text(row, 2), &adjustment->amount.currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "an adjustment is in no currency");
    return NULL;
}

Err *adjustments(DbTx *tx, const AdjustmentPage *page, Adjustment **found, size_t *count)
{
    DbRows  rows;
    DbValue tenant = db_text(page->project.tenant), project = db_text(page->project.id);
    DbValue after = db_text(page->after.at == NULL ? STR("") : page->after);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->account.at == NULL)
        TRY(db_rows(tx, &sql[ADJUSTMENTS], DB_VALUES(tenant, project, after, limit), &rows));
    else
        TRY(db_rows(tx, &sql[ADJUSTMENTS_OF],
                    DB_VALUES(tenant, project, db_text(page->account), after, limit), &rows));
    *found = arena_array(db_arena(tx), Adjustment, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_read(db_arena(tx), &rows.at[i], &(*found)[i]));
    return NULL;
}
