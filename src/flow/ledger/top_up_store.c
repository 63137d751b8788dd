// SPDX-License-Identifier: Apache-2.0
// Rules and what they asked for. A pending top-up has its rule in pending_of, which is unique: of
// two who find the wallet low at once, one makes the row.
#include "base/assert.h"
#include "base/random.h"
#include "flow/ledger/top_up.h"

#define PROJECT "tenant = ? and project = ?"
#define COLUMNS "id, account, currency, threshold, amount, target, enabled, version, updated_at"
#define TOP_UP_COLUMNS "id, rule, account, currency, amount, available, state, at"

enum { RULES_OF_WALLET_MAX = 100 };

enum {
    RULE_GET, RULE_ADD, RULE_SET, RULES, RULES_OF, RULES_OF_WALLET, TOP_UP_ADD, TOP_UP_GET,
    TOP_UPS, TOP_UPS_OF, TOP_UP_COMPLETE, STATEMENTS
};

// From an index alone first: SQLite, which plans without statistics, would go through all rules of
// the project by their key.
#define RULES_FOUND(what)                                                       \
    "select " COLUMNS " from (select tenant t, project p, id i from top_up_rule" \
    " where " PROJECT what ") found"                                            \
    " join top_up_rule on tenant = t and project = p and id = i"

static const Statement sql[STATEMENTS] = {
    [RULE_GET] = { "select " COLUMNS " from top_up_rule where " PROJECT " and id = ?" },
    [RULE_ADD] = { "insert into top_up_rule (tenant, project, " COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [RULE_SET] = { "update top_up_rule set threshold = ?, amount = ?, target = ?, enabled = ?,"
                   " version = version + 1, updated_at = ? where " PROJECT " and id = ?" },
    [RULES] = { "select " COLUMNS " from top_up_rule where " PROJECT
                " and id > ? order by id limit ?" },
    [RULES_OF] = { RULES_FOUND(" and account = ? and +id > ? order by +id limit ?")
                   " order by id" },
    [RULES_OF_WALLET] = { RULES_FOUND(" and account = ? and currency = ?")
                          " where threshold > ? and enabled = 1 order by id limit ?" },
    [TOP_UP_ADD] = { "insert into top_up (tenant, project, pending_of, " TOP_UP_COLUMNS ")"
                     " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [TOP_UP_GET] = { "select " TOP_UP_COLUMNS " from top_up where " PROJECT " and id = ?" },
    [TOP_UPS] = { "select " TOP_UP_COLUMNS " from top_up where " PROJECT
                  " and id > ? order by id limit ?" },
    [TOP_UPS_OF] = { "select " TOP_UP_COLUMNS " from top_up where " PROJECT
                     " and account = ? and id > ? order by +id limit ?" },
    [TOP_UP_COMPLETE] = { "update top_up set state = 'completed', pending_of = null where " PROJECT
                          " and id = ? and state = 'pending'" },
};

const StatementTable top_up_table = { "top-ups", sql, STATEMENTS };

// ---- rules

static Err *rule_read(Arena *arena, const DbRow *row, TopUpRule *rule)
{
    *rule = (TopUpRule){ .id = row_text(row, 0),
                         .account = row_text(row, 1),
                         .threshold = row_whole(row, 3),
                         .amount = row_whole(row, 4),
                         .target = row_whole(row, 5),
                         .enabled = row_whole(row, 6) != 0,
                         .version = row_whole(row, 7),
                         .updated_at = { row_whole(row, 8) } };
    if (!currency_find(row_text(row, 2), &rule->currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a top-up rule is in no currency");
    return NULL;
}

static Err *rule_find(DbTx *tx, ProjectId project, Str id, TopUpRule *rule)
{
    DbRow row;
    TRY(db_find(tx, &sql[RULE_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *rule = (TopUpRule){ 0 };
    return row.columns == NULL ? NULL : rule_read(db_arena(tx), &row, rule);
}

Err *top_up_rule_get(DbTx *tx, ProjectId project, Str id, TopUpRule *rule)
{
    TopUpRule found;
    TRY(rule_find(tx, project, id, &found));
    if (found.version == 0)
        return refuse(db_arena(tx), ERR_TOP_UP_RULE_NOT_FOUND, STR_NONE,
                      "there is no top-up rule %.*s", STR_ARG(id));
    *rule = found;
    return NULL;
}

static Err *rule_change(DbTx *tx, ProjectId project, const TopUpRule *before,
                        const TopUpRule *rule)
{
    if (!str_equal(before->account, rule->account))
        return refuse(db_arena(tx), ERR_FIELD_INVALID, STR("/account"),
                      "the rule is of another account; make another rule");
    if (!currency_equal(before->currency, rule->currency))
        return refuse(db_arena(tx), ERR_FIELD_INVALID, STR("/currency"),
                      "the rule is in another currency; make another rule");
    if (before->threshold == rule->threshold && before->amount == rule->amount &&
        before->target == rule->target && before->enabled == rule->enabled)
        return NULL;
    return db_run(tx, &sql[RULE_SET],
                  DB_VALUES(db_whole(rule->threshold), db_whole(rule->amount),
                            db_whole(rule->target), db_whole(rule->enabled),
                            db_whole(rule->updated_at.us), db_text(project.tenant),
                            db_text(project.id), db_text(rule->id)),
                  NULL);
}

Err *top_up_rule_put(DbTx *tx, ProjectId project, TopUpRule *rule)
{
    TopUpRule before;
    TRY(rule_find(tx, project, rule->id, &before));
    if (before.version > 0)
        TRY(rule_change(tx, project, &before, rule));
    else
        TRY(db_run(tx, &sql[RULE_ADD],
                   DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(rule->id),
                             db_text(rule->account), db_text(currency_code(&rule->currency)),
                             db_whole(rule->threshold), db_whole(rule->amount),
                             db_whole(rule->target), db_whole(rule->enabled), db_whole(1),
                             db_whole(rule->updated_at.us)),
                   NULL));
    return rule_find(tx, project, rule->id, rule);
}

static Err *page_rows_read(DbTx *tx, const TopUpPage *page, size_t all, size_t of, DbRows *rows)
{
    DbValue tenant = db_text(page->project.tenant), project = db_text(page->project.id);
    DbValue after = db_text(page->after.at == NULL ? STR("") : page->after);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->account.at == NULL)
        return db_rows(tx, &sql[all], DB_VALUES(tenant, project, after, limit), rows);
    return db_rows(tx, &sql[of],
                   DB_VALUES(tenant, project, db_text(page->account), after, limit), rows);
}

Err *top_up_rules(DbTx *tx, const TopUpPage *page, TopUpRule **rules, size_t *count)
{
    DbRows rows;
    TRY(page_rows_read(tx, page, RULES, RULES_OF, &rows));
    *rules = arena_array(db_arena(tx), TopUpRule, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(rule_read(db_arena(tx), &rows.at[i], &(*rules)[i]));
    return NULL;
}

// ---- top-ups

static Err *pending_add(DbTx *tx, const CreditWallet *wallet, const TopUpRule *rule,
                        const TopUp *wanted)
{
    bool added;
    return db_insert(tx, &sql[TOP_UP_ADD],
                     DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                               db_text(rule->id), db_text(random_id(db_arena(tx), "top_")),
                               db_text(rule->id), db_text(wallet->account),
                               db_text(currency_code(&wallet->currency)),
                               db_whole(wanted->amount), db_whole(wanted->available),
                               db_text(STR("pending")), db_whole(wanted->at.us)),
                     &added);
}

Err *top_up_check(DbTx *tx, const CreditWallet *wallet, int64_t available, Instant at)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[RULES_OF_WALLET],
                DB_VALUES(db_text(wallet->project.tenant), db_text(wallet->project.id),
                          db_text(wallet->account), db_text(currency_code(&wallet->currency)),
                          db_whole(available), db_whole(RULES_OF_WALLET_MAX)),
                &rows));
    for (size_t i = 0; i < rows.count; i++) {
        TopUpRule rule;
        Err *err = rule_read(db_arena(tx), &rows.at[i], &rule);
        assert_that(err == NULL);  // its currency is the wallet's
        TopUp wanted = { .amount = rule.amount, .available = available, .at = at };
        if (wanted.amount == 0 && __builtin_sub_overflow(rule.target, available, &wanted.amount))
            return refuse(db_arena(tx), ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "a top-up is beyond 63 bits of minor units");
        TRY(pending_add(tx, wallet, &rule, &wanted));
    }
    return NULL;
}

static Err *top_up_read(Arena *arena, const DbRow *row, TopUp *top_up)
{
    *top_up = (TopUp){ .id = row_text(row, 0),
                       .rule = row_text(row, 1),
                       .account = row_text(row, 2),
                       .amount = row_whole(row, 4),
                       .available = row_whole(row, 5),
                       .is_pending = str_equal(row_text(row, 6), STR("pending")),
                       .at = { row_whole(row, 7) } };
    if (!currency_find(row_text(row, 3), &top_up->currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a top-up is in no currency");
    return NULL;
}

Err *top_ups(DbTx *tx, const TopUpPage *page, TopUp **found, size_t *count)
{
    DbRows rows;
    TRY(page_rows_read(tx, page, TOP_UPS, TOP_UPS_OF, &rows));
    *found = arena_array(db_arena(tx), TopUp, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(top_up_read(db_arena(tx), &rows.at[i], &(*found)[i]));
    return NULL;
}

Err *top_up_complete(DbTx *tx, ProjectId project, Str id, TopUp *top_up, bool *completed)
{
    DbRow    row;
    uint64_t changed;
    DbValues values = DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id));
    TRY(db_find(tx, &sql[TOP_UP_GET], values, &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_TOP_UP_NOT_FOUND, STR_NONE, "there is no top-up %.*s",
                      STR_ARG(id));
    TRY(top_up_read(db_arena(tx), &row, top_up));
    TRY(db_run(tx, &sql[TOP_UP_COMPLETE], values, &changed));
    *completed = changed == 1;
    return NULL;
}
