// SPDX-License-Identifier: Apache-2.0
// Every statement on invoices. What changes a row names the version that was read of it.
#include "base/assert.h"
#include "base/map.h"
#include "db/names.h"
#include "flow/invoice/issue_inside.h"

enum {
    ROW_GET,
    ROW_BY_SLOT,
    ROW_ADD,
    ROW_SET,
    ROWS,
    ROWS_OF,
    ROWS_IN,
    ROWS_OF_IN,
    LINE_ADD,
    LINES_REMOVE,
    LINES_FREE,
    LINES,
    LINES_BILLED,
    LINES_OF_ALL,
    PROGRESS_GET,
    PROGRESS_ADD,
    PROGRESS_SET,
    PROGRESS_BACK,
    SERIES_GET,
    SERIES_ADD,
    SERIES_SET,
    PAYMENT_ADD,
    PAYMENTS,
    STATEMENTS
};

#define COLUMNS \
    "id, kind, state, account, currency, boundary, number, total, credits, balance_used, paid," \
    " credited, written_off, head, digest, version, created_at, issued_at, due_at, paid_at," \
    " voided_at"
#define LINE_COLUMNS \
    "number, subscription, boundary, service_start, counts, amount, discount, net, tax, revenue," \
    " taxes, content"

// A page from an index alone, then its rows. SQLite plans without statistics and would else go
// through all invoices of the project by their key.
#define PAGE_OF(what) \
    "select " COLUMNS " from (select tenant t, project p, id i from invoice" \
    " where tenant = ? and project = ? and " what " and id < ? order by id desc limit ?) found" \
    " join invoice on tenant = t and project = p and id = i order by id desc"

static const Statement sql[STATEMENTS] = {
    [ROW_GET] = { "select " COLUMNS " from invoice where tenant = ? and project = ? and id = ?" },
    [ROW_BY_SLOT] = { "select " COLUMNS " from invoice"
                      " where tenant = ? and project = ? and slot = ?" },
    [ROW_ADD] = { "insert into invoice (tenant, project, slot, " COLUMNS ")"
                  " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                  " ?, ?, 1, ?, ?, ?, ?, ?)" },
    [ROW_SET] = { "update invoice set slot = ?, state = ?, boundary = ?, number = ?, total = ?,"
                  " credits = ?, balance_used = ?, paid = ?, credited = ?, written_off = ?,"
                  " head = ?, digest = ?, version = version + 1, issued_at = ?, due_at = ?,"
                  " paid_at = ?, voided_at = ?"
                  " where tenant = ? and project = ? and id = ? and version = ?" },
    [ROWS] = { "select " COLUMNS " from invoice where tenant = ? and project = ? and id < ?"
               " order by id desc limit ?" },
    [ROWS_OF] = { PAGE_OF("account = ?") },
    [ROWS_IN] = { PAGE_OF("state = ?") },
    [ROWS_OF_IN] = { "select " COLUMNS " from (select tenant t, project p, id i from invoice"
                     " where tenant = ? and project = ? and account = ? and id < ?) found"
                     " join invoice on tenant = t and project = p and id = i"
                     " where +state = ? order by +id desc limit ?" },
    [LINE_ADD] = { "insert into invoice_line (tenant, project, invoice, " LINE_COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [LINES_REMOVE] = { "delete from invoice_line"
                       " where tenant = ? and project = ? and invoice = ?" },
    [LINES_FREE] = { "update invoice_line set counts = 0"
                     " where tenant = ? and project = ? and invoice = ?" },
    [LINES] = { "select " LINE_COLUMNS " from invoice_line"
                " where tenant = ? and project = ? and invoice = ? order by number" },
    [LINES_BILLED] = { "select " LINE_COLUMNS " from invoice_line"
                       " where tenant = ? and project = ? and subscription = ?"
                       " and service_start >= ? and boundary <= ? and counts = 1"
                       " order by boundary, invoice, number" },
    // In the order of the index of services, which SQLite takes no other way.
    [LINES_OF_ALL] = { "select " LINE_COLUMNS " from invoice_line"
                       " where tenant = ? and project = ? and subscription in " DB_NAMES
                       " and service_start >= ? and +counts = 1"
                       " order by subscription, service_start, invoice, number" },
    [PROGRESS_GET] = { "select issued_until from invoice_progress"
                       " where tenant = ? and project = ? and subscription = ?" },
    [PROGRESS_ADD] = { "insert into invoice_progress (tenant, project, subscription, issued_until)"
                       " values (?, ?, ?, ?)" },
    [PROGRESS_SET] = { "update invoice_progress set issued_until = ? where tenant = ?"
                       " and project = ? and subscription = ? and issued_until = ?" },
    [PROGRESS_BACK] = { "update invoice_progress set issued_until = ? where tenant = ?"
                        " and project = ? and subscription = ? and issued_until > ?" },
    [SERIES_GET] = { "select next_number from document_series"
                     " where tenant = ? and project = ? and series = ?" },
    [SERIES_ADD] = { "insert into document_series (tenant, project, series, next_number)"
                     " values (?, ?, ?, ?)" },
    [SERIES_SET] = { "update document_series set next_number = next_number + ?"
                     " where tenant = ? and project = ? and series = ?" },
    [PAYMENT_ADD] = { "insert into invoice_payment (tenant, project, invoice, id, amount, method,"
                      " reference, received_at, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [PAYMENTS] = { "select id, amount, method, reference, received_at from invoice_payment"
                   " where tenant = ? and project = ? and invoice = ? order by id" },
};

const StatementTable issue_table = { "invoices", sql, STATEMENTS };

#define OF(project) db_text((project).tenant), db_text((project).id)

// ---- invoices

static Err *choice_read(DbTx *tx, Str text, const char *const *names, int *choice)
{
    for (*choice = 0; names[*choice] != NULL; (*choice)++)
        if (str_equal(text, str_of(names[*choice])))
            return NULL;
    return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                  "an invoice of the books says %.*s, which this Toll does not know",
                  STR_ARG(text));
}

static bool instant_column(const DbRow *row, size_t column, Instant *instant)
{
    bool is_there = !row_is_null(row, column);
    *instant = (Instant){ is_there ? row_whole(row, column) : 0 };
    return is_there;
}

static Err *row_read(DbTx *tx, const DbRow *row, IssuedInvoice *invoice)
{
    Instant due;
    int     kind, state;
    *invoice = (IssuedInvoice){
        .id = row_text(row, 0),
        .account = row_text(row, 3),
        .boundary = { row_whole(row, 5) },
        .number = row_text(row, 6),
        .total = row_whole(row, 7),
        .credits = row_whole(row, 8),
        .balance_used = row_whole(row, 9),
        .paid = row_whole(row, 10),
        .credited = row_whole(row, 11),
        .written_off = row_whole(row, 12),
        .head = row_text(row, 13),
        .digest = row_text(row, 14),
        .version = row_whole(row, 15),
        .created_at = { row_whole(row, 16) },
    };
    TRY(choice_read(tx, row_text(row, 1), invoice_kind_names, &kind));
    TRY(choice_read(tx, row_text(row, 2), invoice_state_names, &state));
    if (!currency_find(row_text(row, 4), &invoice->currency))
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE, "an invoice has no currency");
    invoice->kind = (InvoiceKind)kind;
    invoice->state = (InvoiceState)state;
    invoice->is_issued = instant_column(row, 17, &invoice->issued_at);
    if (instant_column(row, 18, &due))
        invoice->due_at = due;
    invoice->is_paid = instant_column(row, 19, &invoice->paid_at);
    invoice->is_void = instant_column(row, 20, &invoice->voided_at);
    return NULL;
}

static Err *found(DbTx *tx, const DbRow *row, IssuedInvoice **invoice)
{
    *invoice = NULL;
    if (row->columns == NULL)
        return NULL;
    *invoice = arena_new(db_arena(tx), IssuedInvoice);
    return row_read(tx, row, *invoice);
}

Str issue_draft_slot(Arena *arena, Str account, Currency currency)
{
    unsigned char bytes[32];
    Digest        digest = digest_of(
        str_print(arena, "%.*s\n%.*s", STR_ARG(currency_code(&currency)), STR_ARG(account)));
    digest_write(&digest, bytes);
    return str_print(arena, "draft:%.*s", STR_ARG(str_hex(arena, bytes, sizeof bytes)));
}

Err *issue_row_by_slot(DbTx *tx, ProjectId project, Str slot, IssuedInvoice **invoice)
{
    DbRow row;
    TRY(db_find(tx, &sql[ROW_BY_SLOT], DB_VALUES(OF(project), db_text(slot)), &row));
    return found(tx, &row, invoice);
}

Err *issue_row_find(DbTx *tx, ProjectId project, Str id, IssuedInvoice **invoice)
{
    DbRow row;
    TRY(db_find(tx, &sql[ROW_GET], DB_VALUES(OF(project), db_text(id)), &row));
    return found(tx, &row, invoice);
}

static DbValue instant_value(bool is_there, Instant instant)
{
    return is_there ? db_whole(instant.us) : db_null();
}

Err *issue_row_add(DbTx *tx, ProjectId project, Str slot, const IssuedInvoice *row)
{
    return db_later(tx, &sql[ROW_ADD],
                    DB_VALUES(OF(project), db_text(slot), db_text(row->id),
                              db_text(str_of(invoice_kind_names[row->kind])),
                              db_text(str_of(invoice_state_names[row->state])),
                              db_text(row->account), db_text(currency_code(&row->currency)),
                              db_whole(row->boundary.us), db_text(row->number),
                              db_whole(row->total), db_whole(row->credits),
                              db_whole(row->balance_used), db_whole(row->paid),
                              db_whole(row->credited), db_whole(row->written_off),
                              db_text(row->head), db_text(row->digest),
                              db_whole(row->created_at.us),
                              instant_value(row->is_issued, row->issued_at),
                              instant_value(row->is_issued, row->due_at),
                              instant_value(row->is_paid, row->paid_at),
                              instant_value(row->is_void, row->voided_at)));
}

Err *issue_row_set(DbTx *tx, ProjectId project, Str slot, IssuedInvoice *row)
{
    uint64_t changed;
    TRY(db_run(tx, &sql[ROW_SET],
               DB_VALUES(db_text(slot), db_text(str_of(invoice_state_names[row->state])),
                         db_whole(row->boundary.us), db_text(row->number), db_whole(row->total),
                         db_whole(row->credits), db_whole(row->balance_used),
                         db_whole(row->paid), db_whole(row->credited),
                         db_whole(row->written_off), db_text(row->head), db_text(row->digest),
                         instant_value(row->is_issued, row->issued_at),
                         instant_value(row->is_issued, row->due_at),
                         instant_value(row->is_paid, row->paid_at),
                         instant_value(row->is_void, row->voided_at), OF(project),
                         db_text(row->id), db_whole(row->version)),
               &changed));
    if (changed != 1)
        return refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                      "another request changed the invoice %.*s", STR_ARG(row->id));
    row->version++;
    return NULL;
}

Err *issued_list(DbTx *tx, const IssuedPage *page, IssuedInvoice **invoices, size_t *count)
{
    DbRows  rows;
    DbValue before = db_text(page->before.at == NULL ? STR("~") : page->before);
    DbValue limit = db_whole((int64_t)page->limit);
    DbValue account = db_text(page->account), state = db_text(page->state);
    if (page->account.at != NULL && page->state.at != NULL)
        TRY(db_rows(tx, &sql[ROWS_OF_IN],
                    DB_VALUES(OF(page->project), account, before, state, limit), &rows));
    else if (page->account.at != NULL)
        TRY(db_rows(tx, &sql[ROWS_OF], DB_VALUES(OF(page->project), account, before, limit),
                    &rows));
    else if (page->state.at != NULL)
        TRY(db_rows(tx, &sql[ROWS_IN], DB_VALUES(OF(page->project), state, before, limit), &rows));
    else
        TRY(db_rows(tx, &sql[ROWS], DB_VALUES(OF(page->project), before, limit), &rows));
    *invoices = arena_array(db_arena(tx), IssuedInvoice, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(row_read(tx, &rows.at[i], &(*invoices)[i]));
    return NULL;
}

// ---- lines

static IssueLineRow line_read(const DbRow *row)
{
    return (IssueLineRow){
        .number = row_whole(row, 0),
        .subscription = row_text(row, 1),
        .boundary = { row_whole(row, 2) },
        .service_start = { row_whole(row, 3) },
        .counts = row_whole(row, 4) != 0,
        .amount = row_whole(row, 5),
        .discount = row_whole(row, 6),
        .net = row_whole(row, 7),
        .tax = row_whole(row, 8),
        .revenue = row_text(row, 9),
        .taxes = row_text(row, 10),
        .content = row_text(row, 11),
    };
}

static void lines_take(DbTx *tx, const DbRows *rows, IssueLineRow **lines, size_t *count)
{
    *lines = arena_array(db_arena(tx), IssueLineRow, rows->count);
    *count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        (*lines)[i] = line_read(&rows->at[i]);
}

Err *issue_lines_add(DbTx *tx, ProjectId project, Str invoice, const IssueLineRow *rows,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const IssueLineRow *row = &rows[i];
        TRY(db_later(tx, &sql[LINE_ADD],
                     DB_VALUES(OF(project), db_text(invoice), db_whole(row->number),
                               db_text(row->subscription), db_whole(row->boundary.us),
                               db_whole(row->service_start.us), db_whole(row->counts ? 1 : 0),
                               db_whole(row->amount), db_whole(row->discount),
                               db_whole(row->net), db_whole(row->tax), db_text(row->revenue),
                               db_text(row->taxes), db_text(row->content))));
    }
    return NULL;
}

Err *issue_lines_replace(DbTx *tx, ProjectId project, Str invoice, const IssueLineRow *rows,
                         size_t count)
{
    uint64_t removed;
    TRY(db_run(tx, &sql[LINES_REMOVE], DB_VALUES(OF(project), db_text(invoice)), &removed));
    return issue_lines_add(tx, project, invoice, rows, count);
}

Err *issue_lines_free(DbTx *tx, ProjectId project, Str invoice)
{
    uint64_t changed;
    return db_run(tx, &sql[LINES_FREE], DB_VALUES(OF(project), db_text(invoice)), &changed);
}

Err *issue_lines_read(DbTx *tx, ProjectId project, Str invoice, IssueLineRow **lines,
                      size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[LINES], DB_VALUES(OF(project), db_text(invoice)), &rows));
    lines_take(tx, &rows, lines, count);
    return NULL;
}

Err *issue_lines_billed(DbTx *tx, const IssueBilled *wanted, IssueLineRow **lines, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[LINES_BILLED],
                DB_VALUES(OF(wanted->project), db_text(wanted->subscription),
                          db_whole(wanted->from.us), db_whole(wanted->until.us)),
                &rows));
    lines_take(tx, &rows, lines, count);
    return NULL;
}

// By their boundaries, as they are read one by one; else as they are.
static void lines_sort(IssueKnownLines *lines)
{
    for (size_t i = 1; i < lines->count; i++) {
        IssueLineRow row = lines->at[i];
        size_t       at = i;
        for (; at > 0 && lines->at[at - 1].boundary.us > row.boundary.us; at--)
            lines->at[at] = lines->at[at - 1];
        lines->at[at] = row;
    }
}

// The rows of one subscription lie together.
static void lines_share(const DbNames *names, IssueLineRow *all, size_t count,
                        IssueKnownLines *lines)
{
    Map *places = map_open();
    for (size_t i = 0; i < names->count; i++)
        map_set(places, names->at[i], i);
    for (size_t i = 0; i < count; i++) {
        uint64_t place;
        bool     is_there = map_find(places, all[i].subscription, &place);
        assert_that(is_there);
        if (lines[place].count++ == 0)
            lines[place].at = &all[i];
    }
    map_close(places);
}

Err *issue_lines_of_all(DbTx *tx, const DbNames *names, Instant from, IssueKnownLines *lines)
{
    DbRows        rows;
    IssueLineRow *all;
    size_t        count;
    TRY(db_rows_behind(tx, &sql[LINES_OF_ALL], *names, db_whole(from.us), &rows));
    lines_take(tx, &rows, &all, &count);
    for (size_t i = 0; i < names->count; i++)
        lines[i] = (IssueKnownLines){ .from = from };
    lines_share(names, all, count, lines);
    for (size_t i = 0; i < names->count; i++)
        lines_sort(&lines[i]);
    return NULL;
}

// ---- progress and numbers

Err *issue_progress_get(DbTx *tx, ProjectId project, Str subscription, IssueProgress *progress)
{
    DbRow row;
    TRY(db_find(tx, &sql[PROGRESS_GET], DB_VALUES(OF(project), db_text(subscription)), &row));
    *progress = (IssueProgress){ subscription, row.columns != NULL, INSTANT_FIRST };
    if (progress->is_stored)
        progress->until = (Instant){ row_whole(&row, 0) };
    return NULL;
}

Err *issue_progress_move(DbTx *tx, ProjectId project, const IssueProgress *before, Instant until)
{
    if (before->is_stored)
        return db_later(tx, &sql[PROGRESS_SET],
                        DB_VALUES(db_whole(until.us), OF(project), db_text(before->subscription),
                                  db_whole(before->until.us)));
    return db_later(tx, &sql[PROGRESS_ADD],
                    DB_VALUES(OF(project), db_text(before->subscription), db_whole(until.us)));
}

Err *issue_progress_back(DbTx *tx, ProjectId project, Str subscription, Instant until)
{
    uint64_t changed;
    return db_run(tx, &sql[PROGRESS_BACK],
                  DB_VALUES(db_whole(until.us), OF(project), db_text(subscription),
                            db_whole(until.us)),
                  &changed);
}

Err *issue_numbers(DbTx *tx, ProjectId project, Str series, int64_t count, int64_t *first)
{
    uint64_t changed;
    bool     added;
    DbRow    row;
    TRY(db_insert(tx, &sql[SERIES_ADD], DB_VALUES(OF(project), db_text(series), db_whole(1)),
                  &added));
    TRY(db_run(tx, &sql[SERIES_SET], DB_VALUES(db_whole(count), OF(project), db_text(series)),
               &changed));
    assert_that(changed == 1);
    TRY(db_find(tx, &sql[SERIES_GET], DB_VALUES(OF(project), db_text(series)), &row));
    *first = row_whole(&row, 0) - count;
    return NULL;
}

Err *issue_number(DbTx *tx, ProjectId project, Str series, int64_t *number)
{
    return issue_numbers(tx, project, series, 1, number);
}

// ---- payments

Err *issue_payment_add(DbTx *tx, ProjectId project, Str invoice, const InvoicePayment *payment,
                       Instant now)
{
    bool added;
    TRY(db_insert(tx, &sql[PAYMENT_ADD],
                  DB_VALUES(OF(project), db_text(invoice), db_text(payment->id),
                            db_whole(payment->amount), db_text(payment->method),
                            db_text(payment->reference), db_whole(payment->received_at.us),
                            db_whole(now.us)),
                  &added));
    assert_that(added);
    return NULL;
}

Err *issued_payments(DbTx *tx, const IssuedInvoice *of, ProjectId project,
                     InvoicePayment **payments, size_t *count)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[PAYMENTS], DB_VALUES(OF(project), db_text(of->id)), &rows));
    *payments = arena_array(db_arena(tx), InvoicePayment, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*payments)[i] = (InvoicePayment){ .id = row_text(&rows.at[i], 0),
                                           .amount = row_whole(&rows.at[i], 1),
                                           .method = row_text(&rows.at[i], 2),
                                           .reference = row_text(&rows.at[i], 3),
                                           .received_at = { row_whole(&rows.at[i], 4) } };
    return NULL;
}
