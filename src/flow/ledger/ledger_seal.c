// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/ledger_seal.h"

#include "base/bytes.h"
#include "base/map.h"
#include "flow/ledger/chain.h"
#include "flow/ledger/ledger_inside.h"

// A day's shared entries of one account.
typedef struct DayPart {
    const DbRow *leg;
    int64_t      day;  // UTC, since 1970
    int64_t      amount;
} DayPart;

enum { SEAL_WIDTH = 5, DAY_WIDTH = 7 };
enum { LEG_KIND = 1, LEG_OWNER = 2, LEG_AMOUNT = 3, LEG_CURRENCY = 4, LEG_EFFECTIVE_AT = 5 };

// What one step adds. It is made on a reader's view: what is committed does not change, and another
// sealer would have moved the chain.
typedef struct Seal {
    ProjectId project;
    Map      *names;  // of account and day -> place in days
    DayPart  *days;
    size_t    day_count;
    int64_t  before, position;  // of the last in the chain
    Digest   hash;
    DbValue *sealed;  // SEAL_WIDTH for each of `count`
    size_t   count;
} Seal;

static Err *chain_read(DbTx *tx, Seal *seal)
{
    DbRow row;
    TRY(db_find(tx, &ledger_sql[LEDGER_CHAIN_GET],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id)), &row));
    seal->before = seal->position = row.columns == NULL ? 0 : row_whole(&row, 0);
    seal->hash = row.columns == NULL ? (Digest){ 0 } : chain_hash_read(row_blob(&row, 1));
    return NULL;
}

static DbValue hash_value(Arena *arena, const Digest *hash)
{
    unsigned char *bytes = arena_array(arena, unsigned char, LEDGER_CONTENT_BYTES);
    digest_write(hash, bytes);
    return db_blob(bytes, LEDGER_CONTENT_BYTES);
}

static void one_seal(Arena *arena, Seal *seal, const DbRow *row)
{
    DbValue *set = seal->sealed + SEAL_WIDTH * seal->count++;
    seal->position++;
    seal->hash = chain_next(arena, &seal->hash, seal->position, row_blob(row, 1));
    set[0] = db_whole(seal->position);
    set[1] = hash_value(arena, &seal->hash);
    set[2] = db_text(seal->project.tenant);
    set[3] = db_text(seal->project.id);
    set[4] = db_text(row_text(row, 0));
}

static Err *leg_add(Arena *arena, Seal *seal, const DbRow *leg)
{
    LedgerKind kind;
    uint64_t   place;
    int64_t    day = chain_day((Instant){ row_whole(leg, LEG_EFFECTIVE_AT) });
    TRY(ledger_kind_read(arena, row_text(leg, LEG_KIND), &kind));
    if (ledger_kind_whose(kind) == LEDGER_ACCOUNT)
        return NULL;
    Str name = str_print(arena, "%d %lld %.*s %.*s", (int)kind, (long long)day,
                         STR_ARG(row_text(leg, LEG_CURRENCY)), STR_ARG(row_text(leg, LEG_OWNER)));
    if (!map_find(seal->names, name, &place)) {
        place = seal->day_count++;
        map_set(seal->names, name, place);
        seal->days[place] = (DayPart){ leg, day, 0 };
    }
    int64_t *amount = &seal->days[place].amount;
    if (__builtin_add_overflow(*amount, row_whole(leg, LEG_AMOUNT), amount))
        return ledger_too_large(arena);
    return NULL;
}

static Err *make_work(DbTx *tx, void *context)
{
    Seal   *seal = context;
    DbValue tenant = db_text(seal->project.tenant), project = db_text(seal->project.id);
    DbRows  rows, legs;
    TRY(chain_read(tx, seal));
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED],
                DB_VALUES(tenant, project, db_text(STR("")), db_whole(LEDGER_SEAL_MAX)), &rows));
    if (rows.count == 0)
        return NULL;
    seal->sealed = arena_array(db_arena(tx), DbValue, SEAL_WIDTH * rows.count);
    for (size_t i = 0; i < rows.count; i++)
        one_seal(db_arena(tx), seal, &rows.at[i]);
    TRY(db_rows(tx, &ledger_sql[LEDGER_UNSEALED_LEGS],
                DB_VALUES(tenant, project, db_text(STR("")), db_whole(LEDGER_SEAL_MAX)), &legs));
    seal->days = arena_array(db_arena(tx), DayPart, legs.count);
    for (size_t i = 0; i < legs.count; i++)
        TRY(leg_add(db_arena(tx), seal, &legs.at[i]));
    return NULL;
}

// First of all, because the row of the chain is what two sealers meet on.
static Err *chain_move(DbTx *tx, const Seal *seal)
{
    DbValue  tenant = db_text(seal->project.tenant), project = db_text(seal->project.id);
    DbValue  position = db_whole(seal->position), hash = hash_value(db_arena(tx), &seal->hash);
    uint64_t changed = 0;
    bool     added = false;
    if (seal->before == 0)
        TRY(db_insert(tx, &ledger_sql[LEDGER_CHAIN_ADD], DB_VALUES(tenant, project, position, hash),
                      &added));
    else
        TRY(db_run(tx, &ledger_sql[LEDGER_CHAIN_MOVE],
                   DB_VALUES(position, hash, tenant, project, db_whole(seal->before)), &changed));
    return added || changed == 1 ? NULL
                                 : refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                                          "another process is sealing the ledger");
}

static Err *days_add(DbTx *tx, const Seal *seal)
{
    DbValue *values = arena_array(db_arena(tx), DbValue, DAY_WIDTH * seal->day_count);
    for (size_t i = 0; i < seal->day_count; i++) {
        const DayPart *part = &seal->days[i];
        DbValue       *set = values + DAY_WIDTH * i;
        set[0] = db_text(seal->project.tenant);
        set[1] = db_text(seal->project.id);
        set[2] = db_text(row_text(part->leg, LEG_KIND));
        set[3] = db_text(row_text(part->leg, LEG_OWNER));
        set[4] = db_text(row_text(part->leg, LEG_CURRENCY));
        set[5] = db_whole(part->day);
        set[6] = db_whole(part->amount);
    }
    return db_run_many(tx, &ledger_sql[LEDGER_DAY_ADD],
                       (DbSets){ values, DAY_WIDTH, seal->day_count }, NULL);
}

static Err *seal_work(DbTx *tx, void *context)
{
    const Seal *seal = context;
    TRY(chain_move(tx, seal));
    TRY(db_run_many(tx, &ledger_sql[LEDGER_SEAL],
                    (DbSets){ seal->sealed, SEAL_WIDTH, seal->count }, NULL));
    return days_add(tx, seal);
}

static Err *step(Db *db, Arena *arena, Seal *seal)
{
    TRY(db_read(db, arena, make_work, seal));
    return seal->count == 0
               ? NULL
               : db_write(db, arena, (DbWrite){ .work = seal_work, .context = seal });
}

Err *ledger_seal(Db *db, Arena *arena, ProjectId project, size_t *sealed)
{
    AUTO(Arena) own = arena_open();  // a long tail is sealed in many steps
    Seal seal = { .project = project, .names = map_open() };
    Err *err = step(db, own, &seal);
    map_close(seal.names);
    if (err != NULL)
        return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    *sealed = seal.count;
    return NULL;
}
