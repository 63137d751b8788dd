// SPDX-License-Identifier: Apache-2.0
// The row is read, and on a server locked, before it is changed; each change is a compare-and-set
// on the fence. Two that make the first row of a name meet on its key.
#include "base/clock.h"
#include "operation/lease.h"

enum { LEASE_GET, LEASE_ADD, LEASE_TAKE, LEASE_KEEP, LEASE_END, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [LEASE_GET] = { "select name, holder, address, note, fence, until_at from lease"
                    " where name = ?" },
    [LEASE_ADD] = { "insert into lease (name, holder, address, note, fence, until_at)"
                    " values (?, ?, ?, ?, 1, ?)" },
    [LEASE_TAKE] = { "update lease set holder = ?, address = ?, note = ?, fence = fence + 1,"
                     " until_at = ? where name = ? and fence = ?" },
    [LEASE_KEEP] = { "update lease set until_at = ?, address = ? where name = ? and fence = ?" },
    [LEASE_END] = { "update lease set until_at = 0 where name = ? and fence = ?" },
};

const StatementTable lease_table = { "leases", sql, STATEMENTS };

static Err *find(DbTx *tx, Str name, Lease **found)
{
    DbRow row;
    *found = NULL;
    TRY(db_find(tx, &sql[LEASE_GET], DB_VALUES(db_text(name)), &row));
    if (row.columns == NULL)
        return NULL;
    Lease *lease = *found = arena_new(db_arena(tx), Lease);
    *lease = (Lease){
        .name = row_text(&row, 0),
        .holder = row_text(&row, 1),
        .address = row_text(&row, 2),
        .note = row_text(&row, 3),
        .fence = row_whole(&row, 4),
        .until = { row_whole(&row, 5) },
    };
    return NULL;
}

static Instant end_of(int64_t now_us)
{
    return (Instant){ now_us + LEASE_S * INSTANT_SECOND_US };
}

// ---- taking

typedef struct Taking {
    Lease  *wanted;
    Lease  *other;
    int64_t now_us;
} Taking;

static Err *first_take(DbTx *tx, Taking *taking)
{
    Lease *wanted = taking->wanted;
    bool   added;
    TRY(db_insert(tx, &sql[LEASE_ADD],
                  DB_VALUES(db_text(wanted->name), db_text(wanted->holder),
                            db_text(wanted->address), db_text(wanted->note),
                            db_whole(wanted->until.us)),
                  &added));
    wanted->fence = 1;
    return added ? NULL : refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                                 "another server is taking the %.*s", STR_ARG(wanted->name));
}

static Err *take_work(DbTx *tx, void *context)
{
    Taking  *taking = context;
    Lease   *wanted = taking->wanted, *stored;
    uint64_t changed;
    taking->other = NULL;
    TRY(find(tx, wanted->name, &stored));
    wanted->until = end_of(taking->now_us);
    if (stored == NULL)
        return first_take(tx, taking);
    if (stored->until.us > taking->now_us && !str_equal(stored->holder, wanted->holder)) {
        taking->other = stored;
        return NULL;
    }
    wanted->fence = stored->fence + 1;
    TRY(db_run(tx, &sql[LEASE_TAKE],
               DB_VALUES(db_text(wanted->holder), db_text(wanted->address), db_text(wanted->note),
                         db_whole(wanted->until.us), db_text(wanted->name),
                         db_whole(stored->fence)),
               &changed));
    if (changed == 0)  // another one was faster
        taking->other = stored;
    return NULL;
}

Err *lease_take(Db *db, Arena *arena, Lease *wanted, Lease **other)
{
    Taking taking = { wanted, NULL, clock_now_us() };
    TRY(db_write(db, arena, (DbWrite){ .work = take_work, .context = &taking }));
    *other = taking.other;
    return NULL;
}

// ---- keeping and giving up

typedef struct Keeping {
    const Lease *mine;
    Instant      until;
    uint64_t     changed;
} Keeping;

static Err *keep_work(DbTx *tx, void *context)
{
    Keeping *keeping = context;
    return db_run(tx, &sql[LEASE_KEEP],
                  DB_VALUES(db_whole(keeping->until.us), db_text(keeping->mine->address),
                            db_text(keeping->mine->name), db_whole(keeping->mine->fence)),
                  &keeping->changed);
}

Err *lease_keep(Db *db, Arena *arena, Lease *mine, bool *kept)
{
    Keeping keeping = { mine, end_of(clock_now_us()), 0 };
    TRY(db_write(db, arena, (DbWrite){ .work = keep_work, .context = &keeping }));
    *kept = keeping.changed == 1;
    if (*kept)
        mine->until = keeping.until;
    return NULL;
}

Err *lease_check(DbTx *tx, const Lease *mine, bool *is_mine)
{
    Lease *stored;
    TRY(find(tx, mine->name, &stored));
    *is_mine = stored != NULL && stored->fence == mine->fence;
    return NULL;
}

static Err *end_work(DbTx *tx, void *context)
{
    const Lease *mine = context;
    return db_run(tx, &sql[LEASE_END], DB_VALUES(db_text(mine->name), db_whole(mine->fence)),
                  NULL);
}

Err *lease_give_up(Db *db, Arena *arena, const Lease *mine)
{
    Lease copy = *mine;
    return db_write(db, arena, (DbWrite){ .work = end_work, .context = &copy });
}

// ---- reading

typedef struct Finding {
    Str    name;
    Lease *found;
} Finding;

static Err *find_work(DbTx *tx, void *context)
{
    Finding *finding = context;
    return find(tx, finding->name, &finding->found);
}

Err *lease_find(Db *db, Arena *arena, Str name, Lease **found)
{
    Finding finding = { name, NULL };
    TRY(db_read(db, arena, find_work, &finding));
    *found = finding.found;
    return NULL;
}
