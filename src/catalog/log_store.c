// SPDX-License-Identifier: Apache-2.0
// The log of a subscription: rows that are appended and never changed. An entry is stored only
// after the whole timeline that follows from it was found priceable and in nobody's way.
#include "base/assert.h"
#include "catalog/change_rules.h"
#include "catalog/due.h"
#include "catalog/timeline_check.h"

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
        .is_stored = true,
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

static Str change_text(Arena *arena, const SubscriptionChange *change)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    change_to_json(change, &out);
    return text_str(&text);
}

// A pause and an end that comes earlier leave every price and every claim as they were.
static Err *follow_check(DbTx *tx, const TimelineCheck *check)
{
    switch (check->history->changes[check->history->count - 1].kind) {
    case CHANGE_CANCEL:
    case CHANGE_PAUSE:
    case CHANGE_RESUME: return NULL;
    case CHANGE_TERMS:
    case CHANGE_MIGRATE:
    case CHANGE_END: return timeline_check(tx, check);
    case CHANGE_KINDS: break;
    }
    assert_that(false);
    return NULL;
}

// The entry as it would be stored, checked with all that follows from it.
// Entries may count from the past: no invoice is final yet. Once there are final ones, those that
// cover entry->effective_at or a later instant refuse here, for every kind of entry.
Err *catalog__log_check(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                        SubscriptionChange *entry)
{
    if (before->count == SUBSCRIPTION_CHANGES_MAX)
        return refuse(db_arena(tx), ERR_FIELD_INVALID, STR_NONE,
                      "a subscription changes at most %d times", SUBSCRIPTION_CHANGES_MAX);
    entry->number = (int64_t)before->count + 1;
    entry->recorded_at = recorded_after(before, change->now);
    SubscriptionHistory after = history_with(db_arena(tx), before, entry);
    return follow_check(tx, &(TimelineCheck){ change, &after, entry->effective_at,
                                              entry->quantities });
}

static Err *entry_store(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                        const SubscriptionChange *entry)
{
    ProjectId           project = change->by->project.id;
    Subscription        row = *before->first;
    SubscriptionHistory after = history_with(db_arena(tx), before, entry);
    row.ends = subscription_end(&after, &row.ends_at);
    TRY(timeline_meters_note(tx, &(TimelineCheck){ .change = change, .history = &after }));
    TRY(log_add(tx, project, row.id, entry));
    TRY(account_due_mark(tx, project, row.account));
    TRY(catalog__subscription_changed(tx, project, &row));
    return catalog__audit(tx, change, "subscription.change", row.id,
                          change_text(db_arena(tx), entry));
}

Err *catalog__log_append(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                         SubscriptionChange *entry)
{
    TRY(catalog__log_check(tx, change, before, entry));
    TRY(entry_store(tx, change, before, entry));
    entry->is_stored = true;
    return NULL;
}

// ---- changing

typedef struct LogChange {
    const CatalogChange      *change;
    Str                       id;
    const SubscriptionChange *wanted;
    SubscriptionChange       *entry;
    bool                      is_stored;  // by an earlier request of the same key
} LogChange;

Err *catalog__history_get(DbTx *tx, ProjectId project, Str id, SubscriptionHistory *history)
{
    Subscription *row;
    TRY(catalog__subscription_find(tx, project, id, &row));
    if (row == NULL)
        return refuse(db_arena(tx), ERR_SUBSCRIPTION_NOT_FOUND, STR_NONE,
                      "there is no subscription %.*s", STR_ARG(id));
    return catalog__history_read(tx, project, row, history);
}

// An earlier request of the same key: answered again, or refused when it said something else.
static Err *key_find(Arena *arena, LogChange *log, const SubscriptionHistory *before)
{
    const SubscriptionChange *wanted = log->wanted;
    for (size_t i = 0; wanted->key.at != NULL && i < before->count; i++) {
        if (!str_equal(before->changes[i].key, wanted->key))
            continue;
        if (!change_asks_same(wanted, &before->changes[i]))
            return refuse(arena, ERR_CHANGE_CONFLICT, STR("/changeId"),
                          "change %lld of subscription %.*s was made under this changeId with "
                          "other content",
                          (long long)before->changes[i].number, STR_ARG(before->first->id));
        log->entry = arena_copy(arena, &before->changes[i], sizeof before->changes[i]);
        log->is_stored = true;
    }
    return NULL;
}

static Err *change_prepare(DbTx *tx, LogChange *log, SubscriptionHistory *before)
{
    const CatalogChange *change = log->change;
    TRY(catalog__history_get(tx, change->by->project.id, log->id, before));
    TRY(key_find(db_arena(tx), log, before));
    if (log->is_stored)
        return NULL;
    TRY(catalog__expect(change, db_arena(tx), before->first->version));
    log->entry = arena_copy(db_arena(tx), log->wanted, sizeof *log->wanted);
    return change_rules(tx, change, before, log->entry);
}

static Err *change_work(DbTx *tx, void *context)
{
    LogChange          *log = context;
    SubscriptionHistory before;
    log->is_stored = false;
    TRY(change_prepare(tx, log, &before));
    return log->is_stored ? NULL : catalog__log_append(tx, log->change, &before, log->entry);
}

static Err *check_work(DbTx *tx, void *context)
{
    LogChange          *log = context;
    SubscriptionHistory before;
    log->is_stored = false;
    TRY(change_prepare(tx, log, &before));
    return log->is_stored ? NULL : catalog__log_check(tx, log->change, &before, log->entry);
}

Err *catalog_subscription_change(const CatalogChange *change, Str id,
                                 const SubscriptionChange *wanted, SubscriptionChange **stored)
{
    LogChange log = { .change = change, .id = id, .wanted = wanted };
    TRY(db_write(change->catalog->db, change->arena,
                 (DbWrite){ .work = change_work, .context = &log }));
    *stored = log.entry;
    return NULL;
}

Err *catalog_subscription_change_check(const CatalogChange *change, Str id,
                                       const SubscriptionChange *wanted,
                                       SubscriptionChange **stored)
{
    LogChange log = { .change = change, .id = id, .wanted = wanted };
    TRY(db_read(change->catalog->db, change->arena, check_work, &log));
    *stored = log.entry;
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
    LogGet *get = context;
    return catalog__history_get(tx, get->project, get->id, &get->history);
}

Err *catalog_subscription_history(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                                  SubscriptionHistory *history)
{
    LogGet get = { .project = project, .id = id };
    TRY(db_read(catalog->db, arena, get_work, &get));
    *history = get.history;
    return NULL;
}
