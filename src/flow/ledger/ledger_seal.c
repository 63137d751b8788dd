// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/ledger_seal.h"

#include "base/bytes.h"
#include "base/map.h"
#include "base/vector.h"
#include "flow/ledger/chain.h"
#include "flow/ledger/ledger_inside.h"

// A day's entries of one shared account, or of all customers of a kind.
typedef struct DayPart {
    const DbRow *leg;    // one of them
    Str          owner;  // empty: all customers
    int64_t      day;  // UTC, since 1970
    int64_t      amount;
} DayPart;

enum { DAY_WIDTH = 7 };
enum { NEXT_ID, NEXT_CONTENT, NEXT_EFFECTIVE_AT };
enum { LEG_ID, LEG_KIND, LEG_OWNER, LEG_AMOUNT, LEG_CURRENCY };
// Ids begin with their time. Legs are read by ranges of ids; those that are alike up to here are of
// the same half minute, so that one that was left behind long ago does not make a range of all that
// was sealed since.
enum { ALIKE_BYTES = 11, RANGE_MAX = 1000 };

typedef struct Sealed {
    DbValue id, position, hash;
} Sealed;

// What one step adds. It is made on a reader's view: what is committed does not change, and another
// sealer would have moved the chain.
typedef struct Seal {
    ProjectId project;
    Map      *names;  // of account and day -> place in days
    VECTOR(DayPart) days;
    int64_t  before, position;  // of the last in the chain
    Digest   hash;
    Sealed  *sealed;
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
    seal->position++;
    seal->hash = chain_next(arena, &seal->hash, seal->position, row_blob(row, NEXT_CONTENT));
    seal->sealed[seal->count++] = (Sealed){ db_text(row_text(row, NEXT_ID)),
                                            db_whole(seal->position),
                                            hash_value(arena, &seal->hash) };
}

static Err *leg_add(Arena *arena, Seal *seal, const DbRow *leg, Instant effective_at)
{
    LedgerKind kind;
    uint64_t   place;
    int64_t    day = chain_day(effective_at);
    TRY(ledger_kind_read(arena, row_text(leg, LEG_KIND), &kind));
    bool is_shared = ledger_kind_whose(kind) == LEDGER_SHARED;
    Str  owner = is_shared ? row_text(leg, LEG_OWNER) : STR("");
    Str  name = str_print(arena, "%d %lld %.*s %.*s", (int)kind, (long long)day,
                          STR_ARG(row_text(leg, LEG_CURRENCY)), STR_ARG(owner));
    if (!map_find(seal->names, name, &place)) {
        place = seal->days.count;
        map_set(seal->names, name, place);
        vector_push(&seal->days, (DayPart){ leg, owner, day, 0 });
    }
    int64_t *amount = &seal->days.at[place].amount;
    if (__builtin_add_overflow(*amount, row_whole(leg, LEG_AMOUNT), amount))
        return ledger_too_large(arena);
    return NULL;
}

static bool is_alike(Str a, Str b)
{
    return a.length > ALIKE_BYTES && b.length > ALIKE_BYTES &&
           str_equal((Str){ a.at, ALIKE_BYTES }, (Str){ b.at, ALIKE_BYTES });
}

// From `from` on, how many transactions are read in one range.
static size_t range_cut(const DbRows *rows, size_t from)
{
    size_t end = from + 1;
    while (end < rows->count && end - from < RANGE_MAX &&
           is_alike(row_text(&rows->at[from], NEXT_ID), row_text(&rows->at[end], NEXT_ID)))
        end++;
    return end - from;
}

// Between them may be legs of what was sealed before.
static Err *range_add(DbTx *tx, Seal *seal, const DbRow *first, size_t count)
{
    DbRows legs;
    size_t at = 0;
    TRY(db_rows(tx, &ledger_sql[LEDGER_LEGS_BETWEEN],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id),
                          db_text(row_text(first, NEXT_ID)),
                          db_text(row_text(first + count - 1, NEXT_ID))),
                &legs));
    for (size_t i = 0; i < legs.count; i++) {
        Str id = row_text(&legs.at[i], LEG_ID);
        while (str_compare(row_text(first + at, NEXT_ID), id) < 0)
            at++;
        if (str_equal(row_text(first + at, NEXT_ID), id))
            TRY(leg_add(db_arena(tx), seal, &legs.at[i],
                        (Instant){ row_whole(first + at, NEXT_EFFECTIVE_AT) }));
    }
    return NULL;
}

static Err *make_work(DbTx *tx, void *context)
{
    Seal  *seal = context;
    DbRows rows;
    TRY(chain_read(tx, seal));
    TRY(db_rows(tx, &ledger_sql[LEDGER_NEXT],
                DB_VALUES(db_text(seal->project.tenant), db_text(seal->project.id),
                          db_whole(LEDGER_SEAL_MAX)),
                &rows));
    if (rows.count == 0)
        return NULL;
    seal->sealed = arena_array(db_arena(tx), Sealed, rows.count);
    for (size_t i = 0; i < rows.count; i++)
        one_seal(db_arena(tx), seal, &rows.at[i]);
    for (size_t from = 0, count; from < rows.count; from += count) {
        count = range_cut(&rows, from);
        TRY(range_add(tx, seal, &rows.at[from], count));
    }
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
    DbValue *values = arena_array(db_arena(tx), DbValue, DAY_WIDTH * seal->days.count);
    for (size_t i = 0; i < seal->days.count; i++) {
        const DayPart *part = &seal->days.at[i];
        DbValue       *set = values + DAY_WIDTH * i;
        set[0] = db_text(seal->project.tenant);
        set[1] = db_text(seal->project.id);
        set[2] = db_text(row_text(part->leg, LEG_KIND));
        set[3] = db_text(part->owner);
        set[4] = db_text(row_text(part->leg, LEG_CURRENCY));
        set[5] = db_whole(part->day);
        set[6] = db_whole(part->amount);
    }
    return db_run_many(tx, &ledger_sql[LEDGER_DAY_ADD],
                       (DbSets){ values, DAY_WIDTH, seal->days.count }, NULL);
}

// Some, from `first` on; behind the last of all, it is said again.
static Err *some_seal(DbTx *tx, const Seal *seal, size_t first)
{
    enum { EACH = LEDGER_SEAL_TOGETHER, NAMES = 4 * EACH + 2, WIDTH = NAMES + EACH };
    DbValue values[WIDTH];
    values[NAMES - 2] = db_text(seal->project.tenant);
    values[NAMES - 1] = db_text(seal->project.id);
    for (size_t i = 0; i < EACH; i++) {
        size_t        last = seal->count - 1;
        const Sealed *sealed = &seal->sealed[first + i < last ? first + i : last];
        values[2 * i] = values[2 * EACH + 2 * i] = values[NAMES + i] = sealed->id;
        values[2 * i + 1] = sealed->position;
        values[2 * EACH + 2 * i + 1] = sealed->hash;
    }
    return db_run(tx, &ledger_sql[LEDGER_SEAL], (DbValues){ values, WIDTH }, NULL);
}

static Err *seal_work(DbTx *tx, void *context)
{
    const Seal *seal = context;
    TRY(chain_move(tx, seal));
    for (size_t first = 0; first < seal->count; first += LEDGER_SEAL_TOGETHER)
        TRY(some_seal(tx, seal, first));
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
    vector_release(&seal.days);
    if (err != NULL)
        return refuse(arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    *sealed = seal.count;
    return NULL;
}
