// SPDX-License-Identifier: Apache-2.0
// Recomputes the ledger from its entries. What the entries give is kept by account of the ledger in
// memory, and compared with the rows that are kept beside them.
#include "base/assert.h"
#include "base/map.h"
#include "flow/ledger/chain.h"
#include "flow/ledger/ledger_inside.h"
#include "flow/ledger/ledger_seal.h"

enum { PAGE = 500, ROOM_FIRST = 16 };

// What the entries of one account give: all of them, and those in the chain.
typedef enum Part { OF_ALL, OF_SEALED, PART_COUNT } Part;
typedef struct Amounts {
    Int128 of[PART_COUNT];
} Amounts;

typedef struct Walk {
    ProjectId     project;
    LedgerReport *report;
    int64_t       position;
    Digest        hash;
    Map          *names;  // "kind owner currency" -> place in amounts; SEPARATOR between
    Amounts      *amounts;
    size_t        count, room;
    size_t        read;
} Walk;

static const char SEPARATOR = '\n';

static void drift(Walk *walk, Str what)
{
    walk->report->drifts++;
    walk->report->tell(walk->report->context, what);
}

static size_t place_of(Walk *walk, Arena *arena, Str kind, Str owner, Str currency)
{
    uint64_t place;
    Str      name = str_print(arena, "%.*s%c%.*s%c%.*s", STR_ARG(kind), SEPARATOR, STR_ARG(owner),
                              SEPARATOR, STR_ARG(currency));
    if (map_find(walk->names, name, &place))
        return place;
    if (walk->count == walk->room) {
        walk->room = 2 * walk->room + ROOM_FIRST;
        walk->amounts = memory_resize(walk->amounts, walk->room * sizeof *walk->amounts);
    }
    map_set(walk->names, name, walk->count);
    walk->amounts[walk->count] = (Amounts){ 0 };
    return walk->count++;
}

// ---- transactions

static void transaction_add(Walk *walk, Arena *arena, const LedgerTransaction *one)
{
    Int128 sum = 0;
    for (size_t i = 0; i < one->count; i++) {
        const LedgerLeg *leg = &one->legs[i];
        size_t place = place_of(walk, arena, str_of(ledger_kind_name(leg->kind)), leg->owner,
                                currency_code(&one->currency));
        walk->amounts[place].of[OF_ALL] += leg->amount;
        if (one->position > 0)
            walk->amounts[place].of[OF_SEALED] += leg->amount;
        sum += leg->amount;
    }
    if (sum != 0)
        drift(walk, str_print(arena, "ledger transaction %.*s does not sum to zero",
                              STR_ARG(one->id)));
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
        LedgerTransaction one = { .id = row_text(&rows.at[i], 0) };
        TRY(ledger_currency_read(db_arena(tx), row_text(&rows.at[i], 2), &one.currency));
        TRY(ledger_legs_next(tx, &legs, one.id, &one.legs, &one.count));
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

typedef struct Kept {
    Str     kind, owner, currency;
    int64_t minor;
} Kept;

static void kept_check(Walk *walk, Arena *arena, const Kept *kept, Part part)
{
    size_t  place = place_of(walk, arena, kept->kind, kept->owner, kept->currency);
    Int128 *wanted = &walk->amounts[place].of[part];
    if (*wanted != kept->minor)
        drift(walk, str_print(arena, "the %.*s of %.*s in %.*s is kept as %lld and its entries "
                              "differ", STR_ARG(kept->kind), STR_ARG(kept->owner),
                              STR_ARG(kept->currency), (long long)kept->minor));
    *wanted = 0;
}

// Amounts that no row was there for.
static void rest_check(Walk *walk, Arena *arena, Part part, LedgerWhose whose)
{
    for (size_t i = 0; i < walk->count; i++) {
        Str        name = map_key(walk->names, i), rest = name;
        LedgerKind kind = LEDGER_KIND_COUNT;
        if (walk->amounts[i].of[part] == 0)
            continue;
        assert_that(ledger_kind_find(str_cut(&rest, SEPARATOR), &kind));  // it is of an entry
        if (ledger_kind_whose(kind) == whose)
            drift(walk, str_print(arena, "no balance is kept of %.*s", STR_ARG(name)));
    }
}

static void currencies_check(Walk *walk, Arena *arena)
{
    Map    *codes = map_open();
    Int128 *sums = arena_array(arena, Int128, walk->count);
    for (size_t i = 0; i < walk->count; i++) {
        Str      name = map_key(walk->names, i);
        Str      code = { name.at + name.length - 3, 3 };
        uint64_t place;
        if (!map_find(codes, code, &place)) {
            place = map_count(codes);
            map_set(codes, code, place);
        }
        sums[place] += walk->amounts[i].of[OF_ALL];
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
            Kept kept = { name, owner, currency, row_whole(&rows.at[i], 2) };
            kept_check(walk, db_arena(tx), &kept, OF_ALL);
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

static Err *balances_check(DbTx *tx, Walk *walk)
{
    DbRows rows;
    TRY(kinds_check(tx, walk));
    TRY(db_rows(tx, &ledger_sql[LEDGER_TRIAL_DAYS],
                DB_VALUES(db_text(walk->project.tenant), db_text(walk->project.id)), &rows));
    for (size_t i = 0; i < rows.count; i++) {
        const DbRow *row = &rows.at[i];
        Kept kept = { row_text(row, 0), row_text(row, 1), row_text(row, 2), row_whole(row, 3) };
        kept_check(walk, db_arena(tx), &kept, OF_SEALED);
    }
    rest_check(walk, db_arena(tx), OF_ALL, LEDGER_ACCOUNT);
    rest_check(walk, db_arena(tx), OF_SEALED, LEDGER_SHARED);
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
    Walk walk = { .project = project, .report = report, .names = map_open() };
    Err *err = walk_all(db, &walk);
    if (err == NULL)
        err = db_read(db, arena, rest_work, &walk);
    else
        err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "the ledger cannot be read");
    map_close(walk.names);
    memory_release(walk.amounts);
    return err;
}
