// SPDX-License-Identifier: Apache-2.0
// Recomputes the ledger from its entries. What the entries give is kept by account of the ledger in
// memory, and compared with the rows that are kept beside them.
#include "base/assert.h"
#include "base/map.h"
#include "flow/ledger/chain.h"
#include "flow/ledger/ledger_inside.h"
#include "flow/ledger/ledger_seal.h"

enum { PAGE = 500, ROOM_FIRST = 16 };
enum { LEG_EFFECTIVE_AT = 5 };

// What entries give, by name: an account, or an account's sealed day. Words of a name are SEPARATOR
// apart: "kind owner currency", or "kind owner currency day" where customers have no owner.
typedef struct Tally {
    Map    *names;  // -> place in amounts
    Int128 *amounts;
    size_t  room;
} Tally;

typedef struct Walk {
    ProjectId     project;
    LedgerReport *report;
    int64_t       position;
    Digest        hash;
    Tally         accounts, days;
    size_t        read;
} Walk;

static const char SEPARATOR = '\n';

static void drift(Walk *walk, Str what)
{
    walk->report->drifts++;
    walk->report->tell(walk->report->context, what);
}

static Int128 *amount_of(Tally *tally, Str name)
{
    uint64_t place;
    if (map_find(tally->names, name, &place))
        return &tally->amounts[place];
    place = map_count(tally->names);
    if (place == tally->room) {
        tally->room = 2 * tally->room + ROOM_FIRST;
        tally->amounts = memory_resize(tally->amounts, tally->room * sizeof *tally->amounts);
    }
    map_set(tally->names, name, place);
    tally->amounts[place] = 0;
    return &tally->amounts[place];
}

static void tally_close(Tally *tally)
{
    map_close(tally->names);
    memory_release(tally->amounts);
}

static Str account_name(Arena *arena, Str kind, Str owner, Str currency)
{
    return str_print(arena, "%.*s%c%.*s%c%.*s", STR_ARG(kind), SEPARATOR, STR_ARG(owner), SEPARATOR,
                     STR_ARG(currency));
}

static Str day_name(Arena *arena, Str account, int64_t day)
{
    return str_print(arena, "%.*s%c%lld", STR_ARG(account), SEPARATOR, (long long)day);
}

// ---- transactions

static void transaction_add(Walk *walk, Arena *arena, const LedgerTransaction *one)
{
    Int128 sum = 0;
    for (size_t i = 0; i < one->count; i++) {
        const LedgerLeg *leg = &one->legs[i];
        Str              kind = str_of(ledger_kind_name(leg->kind));
        Str              currency = currency_code(&one->currency);
        bool             is_shared = ledger_kind_whose(leg->kind) == LEDGER_SHARED;
        Str              account = account_name(arena, kind, leg->owner, currency);
        Str              kept =
            account_name(arena, kind, is_shared ? leg->owner : STR(""), currency);
        *amount_of(&walk->accounts, account) += leg->amount;
        if (one->position > 0)
            *amount_of(&walk->days, day_name(arena, kept, chain_day(one->effective_at))) +=
                leg->amount;
        sum += leg->amount;
    }
    if (sum != 0)
        drift(walk, str_print(arena, "ledger transaction %.*s does not sum to zero",
                              STR_ARG(one->id)));
}

// Its legs are those from `first` on: balances as of an instant go by what stands beside them.
static void instants_check(Walk *walk, Arena *arena, const LedgerTransaction *one,
                           const LedgerLegRows *legs, size_t first)
{
    for (size_t i = first; i < legs->next; i++)
        if (row_whole(&legs->rows.at[i], LEG_EFFECTIVE_AT) != one->effective_at.us) {
            drift(walk, str_print(arena, "an entry of ledger transaction %.*s does not count when "
                                  "it does", STR_ARG(one->id)));
            return;
        }
}

static bool content_fits(Arena *arena, const LedgerTransaction *one, Str stored)
{
    unsigned char content[LEDGER_CONTENT_BYTES];
    Digest        digest = ledger_content(arena, one);
    digest_write(&digest, content);
    return str_equal(stored, (Str){ (const char *)content, sizeof content });
}

static Err *sealed_check(DbTx *tx, Walk *walk, const DbRow *row, LedgerLegRows *legs)
{
    Arena            *arena = db_arena(tx);
    LedgerTransaction one;
    Str               content = row_blob(row, LEDGER_COLUMN_COUNT);
    size_t            first = legs->next;
    TRY(ledger_row_read(arena, row, &one));
    TRY(ledger_legs_next(tx, legs, one.id, &one.legs, &one.count));
    if (one.position != walk->position + 1)
        drift(walk, str_print(arena, "the ledger's chain has no transaction %lld",
                              (long long)walk->position + 1));
    walk->position = one.position;
    walk->hash = chain_next(arena, &walk->hash, one.position, content);
    Digest stored = chain_hash_read(row_blob(row, LEDGER_COLUMN_COUNT + 1));
    if (!content_fits(arena, &one, content) || !digest_equal(&walk->hash, &stored)) {
        drift(walk, str_print(arena, "ledger transaction %.*s was changed after it was sealed",
                              STR_ARG(one.id)));
        walk->hash = stored;
    }
    instants_check(walk, arena, &one, legs, first);
    transaction_add(walk, arena, &one);
    walk->report->transactions++;
    return NULL;
}

static Err *sealed_page(DbTx *tx, void *context)
{
    Walk         *walk = context;
    DbRows        rows;
    LedgerLegRows legs = { .next = 0 };
    DbValue       tenant = db_text(walk->project.tenant), project = db_text(walk->project.id);
    DbValue       after = db_whole(walk->position);
    TRY(db_rows(tx, &ledger_sql[LEDGER_SEALED],
                DB_VALUES(tenant, project, after, db_whole(PAGE)), &rows));
    walk->read = rows.count;
    if (rows.count == 0)
        return NULL;
    TRY(db_rows(tx, &ledger_sql[LEDGER_SEALED_LEGS],
                DB_VALUES(tenant, project, after, db_whole(PAGE)), &legs.rows));
    for (size_t i = 0; i < rows.count; i++)
        TRY(sealed_check(tx, walk, &rows.at[i], &legs));
    return NULL;
}

static Err *tail_page(DbTx *tx, Walk *walk, Str *after)
{
    DbRows        rows;
    LedgerLegRows legs = { .next = 0 };
    DbValue       tenant = db_text(walk->project.tenant), project = db_text(walk->project.id);
    DbValue       from = db_text(*after);
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED],
                DB_VALUES(tenant, project, from, db_whole(PAGE)), &rows));
    walk->read = rows.count;
    if (rows.count == 0)
        return NULL;
    *after = row_text(&rows.at[rows.count - 1], 0);
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED_LEGS],
                DB_VALUES(tenant, project, from, db_whole(PAGE)), &legs.rows));
    for (size_t i = 0; i < rows.count; i++) {
        LedgerTransaction one = { .id = row_text(&rows.at[i], 0),
                                  .effective_at = { row_whole(&rows.at[i], 3) } };
        size_t            first = legs.next;
        TRY(ledger_currency_read(db_arena(tx), row_text(&rows.at[i], 2), &one.currency));
        TRY(ledger_legs_next(tx, &legs, one.id, &one.legs, &one.count));
        instants_check(walk, db_arena(tx), &one, &legs, first);
        transaction_add(walk, db_arena(tx), &one);
    }
    walk->report->unsealed += rows.count;
    return NULL;
}

// The rest, and everything that is kept beside it, on one view.
static Err *tail_add(DbTx *tx, Walk *walk)
{
    Str after = STR("");
    do
        TRY(tail_page(tx, walk, &after));
    while (walk->read == PAGE);
    return NULL;
}

// ---- what is kept beside the entries

// Tells a name in words.
static Str words_of(Arena *arena, Str name)
{
    char *words = arena_copy(arena, name.at, name.length);
    for (size_t i = 0; i < name.length; i++)
        if (words[i] == SEPARATOR)
            words[i] = ' ';
    return (Str){ words, name.length };
}

static void kept_check(Walk *walk, Arena *arena, Tally *tally, Str name, int64_t minor)
{
    Int128 *wanted = amount_of(tally, name);
    if (*wanted != minor)
        drift(walk, str_print(arena, "%.*s is kept as %lld and its entries differ",
                              STR_ARG(words_of(arena, name)), (long long)minor));
    *wanted = 0;
}

// Amounts that no row was there for; of shared accounts none is kept but that of their days.
static void rest_check(Walk *walk, Arena *arena, const Tally *tally)
{
    for (size_t i = 0; i < map_count(tally->names); i++) {
        Str        name = map_key(tally->names, i), rest = name;
        LedgerKind kind = LEDGER_KIND_COUNT;
        if (tally->amounts[i] == 0)
            continue;
        assert_that(ledger_kind_find(str_cut(&rest, SEPARATOR), &kind));  // it is of an entry
        if (tally == &walk->days || ledger_kind_whose(kind) == LEDGER_ACCOUNT)
            drift(walk, str_print(arena, "no balance is kept of %.*s",
                                  STR_ARG(words_of(arena, name))));
    }
}

static void currencies_check(Walk *walk, Arena *arena)
{
    Map    *codes = map_open();
    size_t  count = map_count(walk->accounts.names);
    Int128 *sums = arena_array(arena, Int128, count);
    for (size_t i = 0; i < count; i++) {
        Str      name = map_key(walk->accounts.names, i);
        Str      code = { name.at + name.length - 3, 3 };
        uint64_t place;
        if (!map_find(codes, code, &place)) {
            place = map_count(codes);
            map_set(codes, code, place);
        }
        sums[place] += walk->accounts.amounts[i];
    }
    for (size_t i = 0; i < map_count(codes); i++)
        if (sums[i] != 0)
            drift(walk, str_print(arena, "the trial balance in %.*s is not zero",
                                  STR_ARG(map_key(codes, i))));
    map_close(codes);
}

static Err *kind_check(DbTx *tx, Walk *walk, LedgerKind kind)
{
    DbValue tenant = db_text(walk->project.tenant), project = db_text(walk->project.id);
    Str     name = str_of(ledger_kind_name(kind)), owner = STR(""), currency = STR("");
    DbRows  rows;
    do {
        TRY(db_rows(tx, &ledger_sql[LEDGER_BALANCES],
                    DB_VALUES(tenant, project, db_text(name), db_text(owner), db_text(owner),
                              db_text(currency), db_whole(PAGE)),
                    &rows));
        for (size_t i = 0; i < rows.count; i++) {
            owner = row_text(&rows.at[i], 0);
            currency = row_text(&rows.at[i], 1);
            kept_check(walk, db_arena(tx), &walk->accounts,
                       account_name(db_arena(tx), name, owner, currency),
                       row_whole(&rows.at[i], 2));
        }
    } while (rows.count == PAGE);
    return NULL;
}

// A balance of another kind than a customer's accounts have is nobody's.
static Err *kinds_check(DbTx *tx, Walk *walk)
{
    DbRows rows;
    TRY(db_rows(tx, &ledger_sql[LEDGER_BALANCE_KINDS],
                DB_VALUES(db_text(walk->project.tenant), db_text(walk->project.id)), &rows));
    for (size_t i = 0; i < rows.count; i++) {
        LedgerKind kind;
        Str        name = row_text(&rows.at[i], 0);
        if (ledger_kind_find(name, &kind) && ledger_kind_whose(kind) == LEDGER_ACCOUNT)
            TRY(kind_check(tx, walk, kind));
        else
            drift(walk, str_print(db_arena(tx), "a balance is kept of %.*s, which has none",
                                  STR_ARG(name)));
    }
    return NULL;
}

static Err *days_check(DbTx *tx, Walk *walk)
{
    DbValue tenant = db_text(walk->project.tenant), project = db_text(walk->project.id);
    Str     kind = STR(""), owner = STR(""), currency = STR("");
    int64_t day = INT64_MIN;
    DbRows  rows;
    do {
        DbValue of_kind = db_text(kind), of_owner = db_text(owner), in = db_text(currency);
        TRY(db_rows(tx, &ledger_sql[LEDGER_DAY_ROWS],
                    DB_VALUES(tenant, project, of_kind, of_kind, of_owner, of_owner, in, in,
                              db_whole(day), db_whole(PAGE)),
                    &rows));
        for (size_t i = 0; i < rows.count; i++) {
            const DbRow *row = &rows.at[i];
            kind = row_text(row, 0);
            owner = row_text(row, 1);
            currency = row_text(row, 2);
            day = row_whole(row, 3);
            Str account = account_name(db_arena(tx), kind, owner, currency);
            kept_check(walk, db_arena(tx), &walk->days, day_name(db_arena(tx), account, day),
                       row_whole(row, 4));
        }
    } while (rows.count == PAGE);
    return NULL;
}

static Err *balances_check(DbTx *tx, Walk *walk)
{
    TRY(kinds_check(tx, walk));
    TRY(days_check(tx, walk));
    rest_check(walk, db_arena(tx), &walk->accounts);
    rest_check(walk, db_arena(tx), &walk->days);
    return NULL;
}

static Err *rest_work(DbTx *tx, void *context)
{
    Walk *walk = context;
    do  // what was sealed since the last page
        TRY(sealed_page(tx, walk));
    while (walk->read == PAGE);
    TRY(tail_add(tx, walk));
    currencies_check(walk, db_arena(tx));
    return balances_check(tx, walk);
}

static Err *walk_all(Db *db, Walk *walk)
{
    Err *err = NULL;
    do {
        AUTO(Arena) page = arena_open();
        err = db_read(db, page, sealed_page, walk);
    } while (err == NULL && walk->read == PAGE);
    return err;
}

Err *ledger_verify(Db *db, Arena *arena, ProjectId project, LedgerReport *report)
{
    Walk walk = { .project = project,
                  .report = report,
                  .accounts.names = map_open(),
                  .days.names = map_open() };
    Err *err = walk_all(db, &walk);
    if (err == NULL)
        err = db_read(db, arena, rest_work, &walk);
    else
        err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "the ledger cannot be read");
    tally_close(&walk.accounts);
    tally_close(&walk.days);
    return err;
}
