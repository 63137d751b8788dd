// SPDX-License-Identifier: Apache-2.0
// The log of a subscription: rows that are appended and never changed. An entry is stored only
// after the whole timeline that follows from it was found priceable and in nobody's way.
#include "base/assert.h"
#include "catalog/catalog_inside.h"
#include "catalog/terms.h"

enum { LOG_GET, LOG_ADD, STATEMENTS };

#define COLUMNS \
    "number, kind, effective_at, recorded_at, change_key, plan, plan_version, from_version," \
    " quantities, has_overrides, overrides, usage_free, credits, ends_at, asked"

static const Statement sql[STATEMENTS] = {
    [LOG_GET] = { "select " COLUMNS " from subscription_change"
                  " where tenant = ? and project = ? and subscription = ?"
                  " order by number limit ?" },
    [LOG_ADD] = { "insert into subscription_change (tenant, project, subscription, " COLUMNS ")"
                  " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
};

const StatementTable catalog__log_table = { "subscription changes", sql, STATEMENTS };

// ---- rows

static bool kind_find(Str name, ChangeKind *kind)
{
    for (int i = 0; i < CHANGE_KINDS; i++)
        if (str_equal(name, str_of(change_kind_names[i]))) {
            *kind = (ChangeKind)i;
            return true;
        }
    return false;
}

static int64_t whole_or_zero(const DbRow *row, size_t column)
{
    return row_is_null(row, column) ? 0 : row_whole(row, column);
}

static bool change_read(const DbRow *row, SubscriptionChange *change)
{
    *change = (SubscriptionChange){
        .number = row_whole(row, 0),
        .effective_at = { row_whole(row, 2) },
        .recorded_at = { row_whole(row, 3) },
        .key = row_text(row, 4),
        .plan = row_text(row, 5),
        .plan_version = whole_or_zero(row, 6),
        .from_version = whole_or_zero(row, 7),
        .quantities = row_text(row, 8),
        .has_overrides = row_whole(row, 9) != 0,
        .overrides = row_text(row, 10),
        .usage_free = row_whole(row, 11) != 0,
        .credits = row_whole(row, 12) != 0,
        .ends = !row_is_null(row, 13),
        .ends_at = { whole_or_zero(row, 13) },
        .asked = row_text(row, 14),
    };
    return kind_find(row_text(row, 1), &change->kind);
}

static Err *log_read(DbTx *tx, ProjectId project, Str id, SubscriptionChange **changes,
                     size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[LOG_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id),
                          db_whole(SUBSCRIPTION_CHANGES_MAX)),
                &rows));
    *changes = arena_array(db_arena(tx), SubscriptionChange, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        if (!change_read(&rows.at[i], &(*changes)[i]))
            return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                          "a change of subscription %.*s cannot be read", STR_ARG(id));
    return NULL;
}

Err *catalog__history_read(DbTx *tx, ProjectId project, const Subscription *row,
                           SubscriptionHistory *history)
{
    SubscriptionChange *changes = NULL;
    size_t              count = 0;
    if (row->changes > 0)
        TRY(log_read(tx, project, row->id, &changes, &count));
    *history = (SubscriptionHistory){ row, changes, count };
    return NULL;
}

static DbValue whole_or_null(int64_t whole)
{
    return whole == 0 ? db_null() : db_whole(whole);
}

static Err *log_add(DbTx *tx, ProjectId project, Str id, const SubscriptionChange *entry)
{
    DbValue end = entry->ends ? db_whole(entry->ends_at.us) : db_null();
    return db_run(tx, &sql[LOG_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id),
                            db_whole(entry->number),
                            db_text(str_of(change_kind_names[entry->kind])),
                            db_whole(entry->effective_at.us), db_whole(entry->recorded_at.us),
                            db_text(entry->key), db_text(entry->plan),
                            whole_or_null(entry->plan_version), whole_or_null(entry->from_version),
                            db_text(entry->quantities), db_whole(entry->has_overrides),
                            db_text(entry->overrides), db_whole(entry->usage_free),
                            db_whole(entry->credits), end, db_text(entry->asked)),
                  NULL);
}

static SubscriptionHistory history_with(Arena *arena, const SubscriptionHistory *before,
                                        const SubscriptionChange *entry)
{
    SubscriptionChange *changes = arena_array(arena, SubscriptionChange, before->count + 1);
    for (size_t i = 0; i < before->count; i++)
        changes[i] = before->changes[i];
    changes[before->count] = *entry;
    return (SubscriptionHistory){ before->first, changes, before->count + 1 };
}

// The clock may go back; what is known at an instant is still the first entries of the log.
static Instant recorded_after(const SubscriptionHistory *before, Instant now)
{
    if (before->count > 0 && before->changes[before->count - 1].recorded_at.us > now.us)
        return before->changes[before->count - 1].recorded_at;
    return now;
}

static SubscriptionChange entry_of(const SubscriptionHistory *before,
                                   const SubscriptionChange *wanted, Instant now)
{
    SubscriptionChange entry = *wanted;
    entry.number = (int64_t)before->count + 1;
    entry.recorded_at = recorded_after(before, now);
    return entry;
}

static Str change_text(Arena *arena, const SubscriptionChange *change)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    change_to_json(change, &out);
    return text_str(&text);
}

Err *catalog__log_append(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                         const SubscriptionChange *wanted, SubscriptionChange **stored)
{
    Arena              *arena = db_arena(tx);
    ProjectId           project = change->by->project.id;
    SubscriptionChange *entry = arena_new(arena, SubscriptionChange);
    Subscription        row = *before->first;
    *entry = entry_of(before, wanted, change->now);
    SubscriptionHistory after = history_with(arena, before, entry);
    row.ends = subscription_end(&after, &row.ends_at);
    TRY(log_add(tx, project, row.id, entry));
    TRY(catalog__subscription_changed(tx, project, &row));
    *stored = entry;
    return catalog__audit(tx, change, "subscription.change", row.id, change_text(arena, entry));
}

// ---- changing

typedef struct LogChange {
    const CatalogChange      *change;
    Str                       id;
    const SubscriptionChange *wanted;
    SubscriptionChange       *stored;
} LogChange;

static Err *outside(Arena *arena, const SubscriptionHistory *history, Instant at)
{
    bool is_canceled = subscription_cancellation(history) != NULL;
    return refuse(arena, is_canceled ? ERR_SUBSCRIPTION_CANCELED : ERR_OUTSIDE_SUBSCRIPTION,
                  STR("/effectiveAt"), "subscription %.*s is over at %.*s",
                  STR_ARG(history->first->id), STR_ARG(instant_print(arena, at)));
}

static Err *instant_check(Arena *arena, const SubscriptionHistory *history, Instant at)
{
    Instant end;
    if (at.us < history->first->starts_at.us)
        return refuse(arena, ERR_OUTSIDE_SUBSCRIPTION, STR("/effectiveAt"),
                      "subscription %.*s begins at %.*s", STR_ARG(history->first->id),
                      STR_ARG(instant_print(arena, history->first->starts_at)));
    if (subscription_end(history, &end) && at.us >= end.us)
        return outside(arena, history, at);
    return NULL;
}

// The subscription with its log, and the checks of a change.
static Err *change_prepare(DbTx *tx, LogChange *log, SubscriptionHistory *before)
{
    Subscription *row;
    TRY(catalog__subscription_find(tx, log->change->by->project.id, log->id, &row));
    if (row == NULL)
        return refuse(db_arena(tx), ERR_SUBSCRIPTION_NOT_FOUND, STR_NONE,
                      "there is no subscription %.*s", STR_ARG(log->id));
    TRY(catalog__expect(log->change, db_arena(tx), row->version));
    TRY(catalog__history_read(tx, log->change->by->project.id, row, before));
    return instant_check(db_arena(tx), before, log->wanted->effective_at);
}

static Err *change_work(DbTx *tx, void *context)
{
    LogChange          *log = context;
    SubscriptionHistory before;
    TRY(change_prepare(tx, log, &before));
    return catalog__log_append(tx, log->change, &before, log->wanted, &log->stored);
}

static Err *check_work(DbTx *tx, void *context)
{
    LogChange          *log = context;
    SubscriptionHistory before;
    TRY(change_prepare(tx, log, &before));
    log->stored = arena_new(db_arena(tx), SubscriptionChange);
    *log->stored = entry_of(&before, log->wanted, log->change->now);
    return NULL;
}

Err *catalog_subscription_change(const CatalogChange *change, Str id,
                                 const SubscriptionChange *wanted, SubscriptionChange **stored)
{
    LogChange log = { .change = change, .id = id, .wanted = wanted };
    TRY(db_write(change->catalog->db, change->arena,
                 (DbWrite){ .work = change_work, .context = &log }));
    *stored = log.stored;
    return NULL;
}

Err *catalog_subscription_change_check(const CatalogChange *change, Str id,
                                       const SubscriptionChange *wanted,
                                       SubscriptionChange **stored)
{
    LogChange log = { .change = change, .id = id, .wanted = wanted };
    TRY(db_read(change->catalog->db, change->arena, check_work, &log));
    *stored = log.stored;
    return NULL;
}

// ---- reading

typedef struct LogGet {
    ProjectId           project;
    Str                 id;
    SubscriptionHistory history;
} LogGet;

static Err *get_work(DbTx *tx, void *context)
{
    LogGet       *get = context;
    Subscription *row;
    TRY(catalog__subscription_find(tx, get->project, get->id, &row));
    if (row == NULL)
        return refuse(db_arena(tx), ERR_SUBSCRIPTION_NOT_FOUND, STR_NONE,
                      "there is no subscription %.*s", STR_ARG(get->id));
    return catalog__history_read(tx, get->project, row, &get->history);
}

Err *catalog_subscription_history(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                                  SubscriptionHistory *history)
{
    LogGet get = { .project = project, .id = id };
    TRY(db_read(catalog->db, arena, get_work, &get));
    *history = get.history;
    return NULL;
}
