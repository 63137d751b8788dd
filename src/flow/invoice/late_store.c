// SPDX-License-Identifier: Apache-2.0
// Rows of closed periods and of what was settled. A period's sequence goes back only when the
// document that brought it forward is voided: looking at usage again is harmless, missing it is
// not.
#include "base/assert.h"
#include "base/map.h"
#include "base/random.h"
#include "flow/invoice/late_inside.h"

enum {
    CLOSED_ADD,
    CLOSED_SET,
    CLOSED_BACK,
    CLOSED_LOOKED,
    CLOSED_OF,
    CLOSED_WITHIN,
    CLOSED_OF_ALL,
    RECORD_ADD,
    RECORDS,
    RECORDS_OF,
    RECORDS_FOR,
    RECORDS_VOID,
    LINES_SINCE,
    STATEMENTS
};

#define COLUMNS                                                                              \
    "id, account, subscription, period_start, period_end, document, state, sequence_from,"   \
    " sequence_to, currency, amount, content, created_at"
// The end of a period as long as it behind it: from there on the horizon counts, so that the
// invoice that comes next can correct it, however long its periods are.
#define PERIOD_LATEST "2 * period_end - period_start"
#define OF_PROJECT " where tenant = ? and project = ?"

static const Statement sql[STATEMENTS] = {
    [CLOSED_ADD] = { "insert into closed_period (tenant, project, subscription, period_start,"
                     " period_end, sequence, looked_at, invoice)"
                     " values (?, ?, ?, ?, ?, ?, ?, ?)" },
    [CLOSED_SET] = { "update closed_period set period_end = ?, sequence = ?, looked_at = ?,"
                     " invoice = ?"
                     OF_PROJECT " and subscription = ? and period_start = ?" },
    [CLOSED_LOOKED] = { "update closed_period set sequence = ?, looked_at = ?" OF_PROJECT
                        " and subscription = ? and period_start = ? and looked_at = ?" },
    [CLOSED_BACK] = { "update closed_period set sequence = ?, looked_at = ?" OF_PROJECT
                      " and subscription = ? and period_start = ? and sequence > ?" },
    [CLOSED_OF] = { "select period_start, period_end, sequence, looked_at, invoice"
                    " from closed_period"
                    OF_PROJECT " and subscription = ? and " PERIOD_LATEST " <= ?"
                    " order by period_start" },
    [CLOSED_WITHIN] = { "select c.period_start, c.period_end, c.sequence, c.looked_at, c.invoice,"
                        " s.late_usage, s.recompute_horizon_us from closed_period c"
                        " left join project_settings s"
                        " on s.tenant = c.tenant and s.project = c.project"
                        " where c.tenant = ? and c.project = ? and c.subscription = ?"
                        " and " PERIOD_LATEST " > ? - coalesce(s.recompute_horizon_us, ?)"
                        " order by c.period_start" },
    [CLOSED_OF_ALL] = { "select period_start, period_end, sequence, looked_at, invoice,"
                        " subscription from closed_period" OF_PROJECT " and subscription in "
                        DB_NAMES " order by subscription, period_start" },
    [RECORD_ADD] = { "insert into reconciliation (tenant, project, " COLUMNS ")"
                     " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [RECORDS] = { "select " COLUMNS " from reconciliation" OF_PROJECT
                  " and id < ? order by id desc limit ?" },
    [RECORDS_OF] = { "select " COLUMNS " from reconciliation" OF_PROJECT
                     " and account = ? and id < ? order by +id desc limit ?" },
    [RECORDS_FOR] = { "select " COLUMNS " from reconciliation" OF_PROJECT
                      " and document = ? and id < ? order by +id desc limit ?" },
    [RECORDS_VOID] = { "update reconciliation set state = 'void'" OF_PROJECT
                       " and document = ?" },
    [LINES_SINCE] = { "select invoice, number, boundary, service_start, amount, discount, net,"
                      " tax, revenue, taxes, content from invoice_line" OF_PROJECT
                      " and subscription = ? and service_start >= ? and counts = 1"
                      " and not exists (select 1 from credit_note n where n.tenant ="
                      " invoice_line.tenant and n.project = invoice_line.project"
                      " and n.id = invoice_line.invoice)"
                      " order by boundary, invoice, number" },
};

const StatementTable late_table = { "late usage", sql, STATEMENTS };

const char *const late_state_names[] = { "settled", "void", "open", NULL };

#define OF(project) db_text((project).tenant), db_text((project).id)

// ---- closed periods

static ClosedPeriod *closed_read(Arena *arena, const DbRows *rows, Str subscription)
{
    ClosedPeriod *closed = arena_array(arena, ClosedPeriod, rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        const DbRow *row = &rows->at[i];
        closed[i] = (ClosedPeriod){
            .subscription = subscription,
            .span = { { row_whole(row, 0) }, { row_whole(row, 1) } },
            .sequence = (uint64_t)row_whole(row, 2),
            .looked_at = (uint64_t)row_whole(row, 3),
            .invoice = row_text(row, 4),
            .row = CLOSED_IS_STORED,
        };
    }
    return closed;
}

Err *late_closed(DbTx *tx, const ClosedQuery *query, ClosedPeriod **closed, size_t *count)
{
    DbRows  rows;
    TRY(db_rows(tx, &sql[CLOSED_OF],
                DB_VALUES(OF(query->project), db_text(query->subscription),
                          db_whole(query->until.us)),
                &rows));
    *closed = closed_read(db_arena(tx), &rows, query->subscription);
    *count = rows.count;
    return NULL;
}

Err *late_closed_of(DbTx *tx, const LateQuery *query, Late *late)
{
    DbRows          rows;
    Instant         now = query->issue->now;
    ProjectSettings settings = project_settings_usual;
    *late = (Late){ .since = INSTANT_END, .horizon = now };
    TRY(db_rows(tx, &sql[CLOSED_WITHIN],
                DB_VALUES(OF(query->issue->project), db_text(query->subscription),
                          db_whole(now.us), db_whole(settings.recompute_horizon_us)),
                &rows));
    late->closed = closed_read(db_arena(tx), &rows, query->subscription);
    late->closed_count = rows.count;
    if (rows.count == 0)
        return NULL;
    if (!row_is_null(&rows.at[0], 5)) {
        settings.recompute_horizon_us = row_whole(&rows.at[0], 6);
        TRY(late_usage_read(db_arena(tx), row_text(&rows.at[0], 5), &settings.late_usage));
    }
    late->policy = settings.late_usage;
    late->horizon = instant_within((Instant){ now.us - settings.recompute_horizon_us });
    return NULL;
}

// PERIOD_LATEST of a row.
static int64_t period_latest(const DbRow *row)
{
    return 2 * row_whole(row, 1) - row_whole(row, 0);
}

// The rows of one subscription lie together, ascending.
static size_t late_take(Arena *arena, const DbRows *rows, size_t first, Late *late)
{
    Str    subscription = row_text(&rows->at[first], 5);
    size_t end = first;
    while (end < rows->count && str_equal(row_text(&rows->at[end], 5), subscription))
        end++;
    DbRows own = { .at = arena_array(arena, DbRow, end - first) };
    for (size_t i = first; i < end; i++)
        if (period_latest(&rows->at[i]) > late->horizon.us)
            own.at[own.count++] = rows->at[i];
    late->closed = closed_read(arena, &own, subscription);
    late->closed_count = own.count;
    return end;
}

Err *late_closed_of_all(DbTx *tx, const IssueQuery *query, const DbNames *names, Late *lates)
{
    ProjectSettings settings;
    DbRows          rows;
    TRY(project_settings_get(tx, query->project, &settings));
    Instant horizon =
        instant_within((Instant){ query->now.us - settings.recompute_horizon_us });
    for (size_t i = 0; i < names->count; i++)
        lates[i] = (Late){ .policy = settings.late_usage, .since = INSTANT_END,
                           .horizon = horizon };
    TRY(db_rows_of(tx, &sql[CLOSED_OF_ALL], *names, &rows));
    Map *places = map_open();
    for (size_t i = 0; i < names->count; i++)
        map_set(places, names->at[i], i);
    for (size_t row = 0; row < rows.count;) {
        uint64_t place;
        bool     is_there = map_find(places, row_text(&rows.at[row], 5), &place);
        assert_that(is_there);
        row = late_take(db_arena(tx), &rows, row, &lates[place]);
    }
    map_close(places);
    return NULL;
}

Err *late_closed_put(DbTx *tx, ProjectId project, const ClosedPeriod *closed)
{
    bool     added = false;
    DbValue  subscription = db_text(closed->subscription), invoice = db_text(closed->invoice);
    DbValue  start = db_whole(closed->span.start.us), end = db_whole(closed->span.end.us);
    DbValue  sequence = db_whole((int64_t)closed->sequence);
    DbValues whole = DB_VALUES(OF(project), subscription, start, end, sequence, sequence,
                               invoice);
    if (closed->row == CLOSED_IS_NEW)
        return db_later(tx, &sql[CLOSED_ADD], whole);
    if (closed->row == CLOSED_MAY_BE)
        TRY(db_insert(tx, &sql[CLOSED_ADD], whole, &added));
    if (added)
        return NULL;
    return db_later(tx, &sql[CLOSED_SET],
                    DB_VALUES(end, sequence, sequence, invoice, OF(project), subscription,
                              start));
}

Err *late_closed_looked(DbTx *tx, ProjectId project, const ClosedPeriod *before,
                        const ClosedPeriod *after)
{
    uint64_t changed;
    TRY(db_run(tx, &sql[CLOSED_LOOKED],
               DB_VALUES(db_whole((int64_t)after->sequence), db_whole((int64_t)after->looked_at),
                         OF(project), db_text(before->subscription),
                         db_whole(before->span.start.us), db_whole((int64_t)before->looked_at)),
               &changed));
    return changed == 1 ? NULL
                        : refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                                 "another request settles late usage of the subscription %.*s",
                                 STR_ARG(before->subscription));
}

// ---- lines

Err *late_rows(DbTx *tx, const LateRowsQuery *query, LateRow **lines, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[LINES_SINCE],
                DB_VALUES(OF(query->project), db_text(query->subscription),
                          db_whole(query->from.us)),
                &rows));
    *lines = arena_array(db_arena(tx), LateRow, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        const DbRow *row = &rows.at[i];
        (*lines)[i] = (LateRow){ row_text(row, 0),
                                 { .number = row_whole(row, 1),
                                   .subscription = query->subscription,
                                   .boundary = { row_whole(row, 2) },
                                   .service_start = { row_whole(row, 3) },
                                   .counts = true,
                                   .amount = row_whole(row, 4),
                                   .discount = row_whole(row, 5),
                                   .net = row_whole(row, 6),
                                   .tax = row_whole(row, 7),
                                   .revenue = row_text(row, 8),
                                   .taxes = row_text(row, 9),
                                   .content = row_text(row, 10) } };
    }
    return NULL;
}

// ---- records

static Err *record_read(DbTx *tx, const DbRow *row, LateRecord *record)
{
    *record = (LateRecord){
        .id = row_text(row, 0),
        .account = row_text(row, 1),
        .subscription = row_text(row, 2),
        .period = { { row_whole(row, 3) }, { row_whole(row, 4) } },
        .document = row_text(row, 5),
        .state = str_equal(row_text(row, 6), STR("void")) ? LATE_VOID : LATE_SETTLED,
        .from = (uint64_t)row_whole(row, 7),
        .to = (uint64_t)row_whole(row, 8),
        .amount = row_whole(row, 10),
        .content = row_text(row, 11),
        .created_at = { row_whole(row, 12) },
    };
    if (currency_find(row_text(row, 9), &record->currency))
        return NULL;
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE, "the record %.*s cannot be read",
                  STR_ARG(record->id));
}

Err *late_records(DbTx *tx, const LateRecordPage *page, LateRecord **records, size_t *count)
{
    DbRows  rows;
    DbValue before = db_text(page->before.at == NULL ? STR("~") : page->before);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->document.at != NULL)
        TRY(db_rows(tx, &sql[RECORDS_FOR],
                    DB_VALUES(OF(page->project), db_text(page->document), before, limit), &rows));
    else if (page->account.at != NULL)
        TRY(db_rows(tx, &sql[RECORDS_OF],
                    DB_VALUES(OF(page->project), db_text(page->account), before, limit), &rows));
    else
        TRY(db_rows(tx, &sql[RECORDS], DB_VALUES(OF(page->project), before, limit), &rows));
    *records = arena_array(db_arena(tx), LateRecord, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(record_read(tx, &rows.at[i], &(*records)[i]));
    return NULL;
}

Err *late_record_add(DbTx *tx, ProjectId project, const LateRecord *record)
{
    bool added;
    TRY(db_insert(tx, &sql[RECORD_ADD],
                  DB_VALUES(OF(project), db_text(random_id(db_arena(tx), "rec_")),
                            db_text(record->account), db_text(record->subscription),
                            db_whole(record->period.start.us), db_whole(record->period.end.us),
                            db_text(record->document),
                            db_text(str_of(late_state_names[record->state])),
                            db_whole((int64_t)record->from), db_whole((int64_t)record->to),
                            db_text(currency_code(&record->currency)), db_whole(record->amount),
                            db_text(record->content), db_whole(record->created_at.us)),
                  &added));
    assert_that(added);
    return NULL;
}

enum { RECORDS_MAX = 100000 };  // of one document

Err *late_reopen(DbTx *tx, ProjectId project, Str document)
{
    LateRecordPage page = { .project = project, .document = document, .limit = RECORDS_MAX };
    LateRecord    *records;
    size_t         count;
    uint64_t       changed;
    TRY(late_records(tx, &page, &records, &count));
    for (size_t i = 0; i < count; i++)
        TRY(db_run(tx, &sql[CLOSED_BACK],
                   DB_VALUES(db_whole((int64_t)records[i].from),
                             db_whole((int64_t)records[i].from), OF(project),
                             db_text(records[i].subscription),
                             db_whole(records[i].period.start.us),
                             db_whole((int64_t)records[i].from)),
                   &changed));
    if (count == 0)
        return NULL;
    return db_run(tx, &sql[RECORDS_VOID], DB_VALUES(OF(project), db_text(document)), &changed);
}
