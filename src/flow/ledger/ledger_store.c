// SPDX-License-Identifier: Apache-2.0
// Every statement of the ledger. They begin with tenant and project; lists go by key.
//
// SQLite plans without statistics, and would walk the whole ledger by its primary key for the few
// rows that are not sealed, or are of one account: `+id` keeps it from that, and `cross join` from
// beginning with the entries. To MariaDB both mean nothing.
#include "db/names.h"
#include "flow/ledger/ledger_inside.h"

#define PROJECT "tenant = ? and project = ?"
#define NAME "kind = ? and owner = ? and currency = ?"
// Legs of a page of transactions, which is cut first: planners then look each one's legs up.
#define LEGS(page) \
    "select t.id, e.kind, e.owner, e.amount, e.currency, e.effective_at" \
    " from (select tenant, project, id, position from ledger_transaction where " \
    PROJECT page ") t join ledger_entry e" \
    " on e.tenant = t.tenant and e.project = t.project and e.id = t.id"

// A page of one account's entries, which is cut first.
#define ENTRIES(page) \
    "select id, source, rule, at, effective_at, amount" \
    " from (select tenant t, project p, id i, amount from ledger_entry where " \
    PROJECT " and " NAME page ") found" \
    " join ledger_transaction on tenant = t and project = p and id = i"

// Transactions with their entries, beginning with the transactions.
#define ENTRIES_OF_SOME \
    " from ledger_transaction t cross join ledger_entry e" \
    " on e.tenant = t.tenant and e.project = t.project and e.id = t.id" \
    " where t.tenant = ? and t.project = ?"
// All accounts; customers of a kind are one, without a name. Between both stand their kinds.
#define TRIAL_BEGIN "select e.kind, case when e.kind in ("
#define TRIAL_END(which) \
    "'') then '' else e.owner end name, e.currency, sum(e.amount)" ENTRIES_OF_SOME which \
    " group by e.kind, name, e.currency order by e.kind, name, e.currency"
#define OF_ACCOUNT(text) "'" text "', "
#define OF_SHARED(text)
#define LEDGER_KIND(name, text, side, whose, doc) OF_##whose(text)
#define POSTING(name, text, doc)
#define LEG(posting, kind, side, doc)
#define ENTRIES_OF_BALANCE \
    " from ledger_entry e where e.tenant = b.tenant and e.project = b.project" \
    " and e.kind = b.kind and e.owner = b.owner and e.currency = b.currency"
// A page of accounts of one kind.
#define KIND(which) \
    "select e.owner, e.currency, sum(e.amount)" ENTRIES_OF_SOME \
    " and e.kind = ? and e.owner >= ? and (e.owner > ? or e.currency > ?)" which \
    " group by e.owner, e.currency order by e.owner, e.currency limit ?"

#define WHEN_4 " when ? then ? when ? then ? when ? then ? when ? then ?"
#define WHEN_32 WHEN_4 WHEN_4 WHEN_4 WHEN_4 WHEN_4 WHEN_4 WHEN_4 WHEN_4

_Static_assert((int)LEDGER_SEAL_TOGETHER == (int)DB_NAMES_COUNT, "what the statement takes");

const Statement ledger_sql[LEDGER_STATEMENTS] = {
    [LEDGER_TRANSACTION_ADD] = { "insert into ledger_transaction (tenant, project, id, source,"
                                 " rule, currency, at, effective_at, account, memo, content)"
                                 " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [LEDGER_TRANSACTION_BY_SOURCE] = { "select " LEDGER_COLUMNS " from ledger_transaction"
                                       " where " PROJECT " and source = ?" },
    [LEDGER_TRANSACTION_CONTENT] = { "select content from ledger_transaction where " PROJECT
                                     " and source = ?" },
    [LEDGER_TRANSACTIONS] = { "select " LEDGER_COLUMNS " from ledger_transaction where " PROJECT
                              " and id < ? order by id desc limit ?" },
    // A page from the index alone first, else the planner reads and sorts all of the account's.
    [LEDGER_TRANSACTIONS_OF] = { "select " LEDGER_COLUMNS " from (select tenant t, project p, id i"
                                 " from ledger_transaction where " PROJECT
                                 " and account = ? and id < ? order by id desc limit ?) found"
                                 " join ledger_transaction on tenant = t and project = p"
                                 " and id = i order by id desc" },
    [LEDGER_ENTRY_ADD] = { "insert into ledger_entry (tenant, project, kind, owner, currency, id,"
                           " amount, effective_at) values (?, ?, ?, ?, ?, ?, ?, ?)" },
    [LEDGER_ENTRIES_OF] = { "select kind, owner, amount from ledger_entry where " PROJECT
                            " and id = ? order by kind, owner" },
    [LEDGER_BALANCE_ADD] = { "insert into ledger_balance (tenant, project, kind, owner, currency,"
                             " amount) values (?, ?, ?, ?, ?, ?) {{ADD amount}}" },
    [LEDGER_BALANCE_GET] = { "select amount from ledger_balance where " PROJECT " and " NAME },
    [LEDGER_DAYS_SUM] = { "select coalesce(sum(amount), 0) from ledger_day where " PROJECT
                          " and " NAME " and day < ?" },
    [LEDGER_UNSEALED_SUM] = { "select coalesce(sum(e.amount), 0) from ledger_transaction t"
                              " cross join ledger_entry e on e.tenant = t.tenant"
                              " and e.project = t.project and e.id = t.id"
                              " where t.tenant = ? and t.project = ? and t.position is null"
                              " and e.kind = ? and e.owner = ? and e.currency = ?"
                              " and t.effective_at < ?" },
    [LEDGER_ENTRIES_SUM] = { "select coalesce(sum(amount), 0) from ledger_entry where " PROJECT
                             " and " NAME " and +id <= ?" },
    // In the order booked, which no index has: a page is cut from the account's entries first.
    [LEDGER_ENTRIES_AFTER] = { ENTRIES(" and +id > ? order by coalesce(id, '') limit ?")
                               " order by id" },
    // Behind an instant and an id: the plain bound is what finds the place in the index.
    [LEDGER_ENTRIES_SUM_UNTIL] = { "select coalesce(sum(amount), 0) from ledger_entry where "
                                   PROJECT " and " NAME " and effective_at >= ?"
                                   " and effective_at <= ? and (effective_at < ? or id <= ?)" },
    [LEDGER_ENTRIES_BETWEEN] = { ENTRIES(" and effective_at >= ? and (effective_at > ? or id > ?)"
                                         " and effective_at < ? order by effective_at, id limit ?")
                                 " order by effective_at, id" },
    [LEDGER_MONTH_GET] = { "select month from ledger_month where " PROJECT " and month = ?" },
    [LEDGER_MONTH_ADD] = { "insert into ledger_month (tenant, project, month) values (?, ?, ?)" },
    [LEDGER_MONTH_REMOVE] = { "delete from ledger_month where " PROJECT " and month = ?" },
    [LEDGER_MONTHS] = { "select month from ledger_month where " PROJECT " order by month" },
    [LEDGER_TRIAL_BALANCES] = { "select kind, '' name, currency, sum(amount) from ledger_balance"
                                " where " PROJECT " group by kind, currency"
                                " order by kind, currency" },
    [LEDGER_TRIAL_DAYS] = { "select kind, owner, currency, sum(amount) from ledger_day where "
                            PROJECT " and day < ? group by kind, owner, currency"
                            " order by kind, owner, currency" },
    [LEDGER_TRIAL_UNSEALED] = { TRIAL_BEGIN
#include "tbl/postings.def"
                                TRIAL_END(" and t.position is null and t.effective_at < ?") },
    [LEDGER_TRIAL_PART] = { TRIAL_BEGIN
#include "tbl/postings.def"
                            TRIAL_END(" and t.effective_at < ? and t.effective_at >= ?") },
    [LEDGER_CHAIN_GET] = { "select position, hash from ledger_chain where " PROJECT },
    [LEDGER_CHAIN_ADD] = { "insert into ledger_chain (tenant, project, position, hash)"
                           " values (?, ?, ?, ?)" },
    [LEDGER_CHAIN_MOVE] = { "update ledger_chain set position = ?, hash = ? where " PROJECT
                            " and position = ?" },
    [LEDGER_UNSEALED] = { "select id, content, currency, effective_at from ledger_transaction"
                          " where " PROJECT " and position is null and +id > ?"
                          " order by id limit ?" },
    [LEDGER_UNSEALED_LEGS] = { LEGS(" and position is null and +id > ? order by id limit ?")
                               " order by t.id, e.kind, e.owner" },
    // What the sealer takes. The ids are found in the index of positions alone: asked for whole
    // rows, or in the order of their ids, both engines begin with the first of the project. That
    // index has them in this order anyway; to ask for it would sort all that is not sealed, at each
    // step of a sealer that lags behind.
    [LEDGER_NEXT] = { "select id, content, effective_at from (select tenant t, project p, id i"
                      " from ledger_transaction where " PROJECT " and position is null"
                      " limit ?) found join ledger_transaction"
                      " on tenant = t and project = p and id = i order by id" },
    [LEDGER_LEGS_BETWEEN] = { "select id, kind, owner, amount, currency from ledger_entry where "
                              PROJECT " and id >= ? and id <= ? order by id" },
    // Positions by id, hashes by id, then the ids: a statement for each would cost an engine more
    // than the rows do.
    [LEDGER_SEAL] = { "update ledger_transaction set position = case id" WHEN_32 " end,"
                      " hash = case id" WHEN_32 " end where " PROJECT " and id in " DB_NAMES },
    [LEDGER_DAY_ADD] = { "insert into ledger_day (tenant, project, kind, owner, currency, day,"
                         " amount) values (?, ?, ?, ?, ?, ?, ?) {{ADD amount}}" },
    [LEDGER_SEALED] = { "select " LEDGER_COLUMNS ", content, hash from ledger_transaction where "
                        PROJECT " and position > ? order by position limit ?" },
    [LEDGER_SEALED_LEGS] = { LEGS(" and position > ? order by position limit ?")
                             " order by t.position, e.kind, e.owner" },
    // Behind an owner and a currency: the plain bound is what finds the place in the index.
    [LEDGER_BALANCES] = { "select owner, currency, amount from ledger_balance where " PROJECT
                          " and kind = ? and owner >= ? and (owner > ? or currency > ?)"
                          " order by owner, currency limit ?" },
    [LEDGER_BALANCE_KINDS] = { "select kind from ledger_balance where " PROJECT
                               " group by kind order by kind" },
    [LEDGER_DAYS] = { "select owner, currency, sum(amount) from ledger_day where " PROJECT
                      " and kind = ? and owner >= ? and (owner > ? or currency > ?) and day < ?"
                      " group by owner, currency order by owner, currency limit ?" },
    // Account by account, a range of the index each: grouped, a server would sort all of the kind.
    [LEDGER_BALANCES_UNTIL] = { "select owner, currency, (select sum(amount)" ENTRIES_OF_BALANCE
                                " and e.effective_at < ?) from ledger_balance b where " PROJECT
                                " and kind = ? and owner >= ? and (owner > ? or currency > ?)"
                                " and (select min(effective_at)" ENTRIES_OF_BALANCE ") < ?"
                                " order by owner, currency limit ?" },
    [LEDGER_TAIL] = { KIND(" and t.effective_at < ? and t.position is null") },
    [LEDGER_PART] = { KIND(" and t.effective_at < ? and t.effective_at >= ?") },
    [LEDGER_DAY_ROWS] = { "select kind, owner, currency, day, amount from ledger_day where "
                          PROJECT " and kind >= ? and (kind > ? or owner > ? or (owner = ?"
                          " and (currency > ? or (currency = ? and day > ?))))"
                          " order by kind, owner, currency, day limit ?" },
};

const StatementTable ledger_table = { "ledger", ledger_sql, LEDGER_STATEMENTS };
