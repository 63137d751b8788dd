// SPDX-License-Identifier: Apache-2.0
// Rows of credit notes: only ever added.
#include "base/assert.h"
#include "flow/invoice/credit_note.h"

enum {
    NOTE_ADD, NOTE_GET, NOTES, NOTES_OF, LINE_ADD, LINES, LINES_OF, LINES_BY_HAND, ANY, STATEMENTS
};

#define COLUMNS "id, invoice, account, number, net, tax, total, head, created_at"

#define FOUND                                                                      \
    "select net from (select tenant t, project p, credit_note n, line l"             \
    " from credit_note_line where tenant = ? and project = ? and invoice = ?"        \
    " and line = ?) found join credit_note_line on tenant = t and project = p"       \
    " and credit_note = n and line = l"

static const Statement sql[STATEMENTS] = {
    [NOTE_ADD] = { "insert into credit_note (tenant, project, " COLUMNS ")"
                   " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [NOTE_GET] = { "select " COLUMNS " from credit_note"
                   " where tenant = ? and project = ? and id = ?" },
    [NOTES] = { "select " COLUMNS " from credit_note where tenant = ? and project = ? and id < ?"
                " order by id desc limit ?" },
    [NOTES_OF] = { "select " COLUMNS " from credit_note where tenant = ? and project = ?"
                   " and invoice = ? and id < ? order by +id desc limit ?" },
    [LINE_ADD] = { "insert into credit_note_line"
                   " (tenant, project, credit_note, invoice, line, net, tax)"
                   " values (?, ?, ?, ?, ?, ?, ?)" },
    [LINES] = { "select line, net, tax from credit_note_line"
                " where tenant = ? and project = ? and credit_note = ? order by line" },
    // From the index alone first; else SQLite takes the primary key, all notes of the project.
    [LINES_OF] = { FOUND },
    // One for late usage has rows of its own among the lines that count as billed.
    [LINES_BY_HAND] = { FOUND " where not exists (select 1 from invoice_line o where o.tenant = t"
                        " and o.project = p and o.invoice = n)" },
    [ANY] = { "select id from credit_note"
              " where tenant = ? and project = ? and invoice = ? limit 1" },
};

const StatementTable credit_note_table = { "credit notes", sql, STATEMENTS };

#define OF(project) db_text((project).tenant), db_text((project).id)

// What has no column of its own.
static Str head_of(Arena *arena, const CreditNote *note)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    json_string_member(&out, "currency", currency_code(&note->currency));
    json_string_member(&out, "reasonCode", note->reason_code);
    json_string_member(&out, "apply", str_of(credit_apply_names[note->apply]));
    if (note->method.at != NULL)
        json_string_member(&out, "method", note->method);
    if (note->memo.at != NULL)
        json_string_member(&out, "memo", note->memo);
    if (note->restored != 0)
        json_string_member(&out, "restored", str_print(arena, "%lld", (long long)note->restored));
    json_object_end(&out);
    return text_str(&text);
}

Err *credit_note_add(DbTx *tx, ProjectId project, const CreditNote *note)
{
    bool added;
    TRY(db_insert(tx, &sql[NOTE_ADD],
                  DB_VALUES(OF(project), db_text(note->id), db_text(note->invoice),
                            db_text(note->account), db_text(note->number), db_whole(note->net),
                            db_whole(note->tax), db_whole(note->total),
                            db_text(head_of(db_arena(tx), note)),
                            db_whole(note->created_at.us)),
                  &added));
    assert_that(added);
    for (size_t i = 0; i < note->count; i++) {
        TRY(db_insert(tx, &sql[LINE_ADD],
                      DB_VALUES(OF(project), db_text(note->id), db_text(note->invoice),
                                db_whole(note->lines[i].line), db_whole(note->lines[i].net),
                                db_whole(note->lines[i].tax)),
                      &added));
        assert_that(added);
    }
    return NULL;
}

static Err *head_read(DbTx *tx, Str head, CreditNote *note)
{
    Json    *object;
    uint64_t restored = 0;
    TRY(json_parse_stored(db_arena(tx), head, &object));
    note->reason_code = json_text(object, "reasonCode");
    note->method = json_text(object, "method");
    note->memo = json_text(object, "memo");
    Str apply = json_text(object, "apply");
    while (credit_apply_names[note->apply] != NULL &&
           !str_equal(apply, str_of(credit_apply_names[note->apply])))
        note->apply++;
    Str minor = json_text(object, "restored");
    if (credit_apply_names[note->apply] == NULL ||
        (minor.at != NULL && !str_whole(minor, INT64_MAX, &restored)) ||
        !currency_find(json_text(object, "currency"), &note->currency))
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                      "the credit note %.*s cannot be read", STR_ARG(note->id));
    note->restored = (int64_t)restored;
    return NULL;
}

static Err *note_read(DbTx *tx, ProjectId project, const DbRow *row, CreditNote *note)
{
    DbRows lines;
    *note = (CreditNote){ .id = row_text(row, 0),
                          .invoice = row_text(row, 1),
                          .account = row_text(row, 2),
                          .number = row_text(row, 3),
                          .net = row_whole(row, 4),
                          .tax = row_whole(row, 5),
                          .total = row_whole(row, 6),
                          .created_at = { row_whole(row, 8) } };
    TRY(head_read(tx, row_text(row, 7), note));
    TRY(db_rows(tx, &sql[LINES], DB_VALUES(OF(project), db_text(note->id)), &lines));
    note->lines = arena_array(db_arena(tx), CreditNoteLine, lines.count);
    for (; note->count < lines.count; note->count++) {
        const DbRow *line = &lines.at[note->count];
        note->lines[note->count] =
            (CreditNoteLine){ row_whole(line, 0), row_whole(line, 1), row_whole(line, 2) };
    }
    return NULL;
}

Err *credit_note_get(DbTx *tx, ProjectId project, Str id, CreditNote *note)
{
    DbRow row;
    TRY(db_find(tx, &sql[NOTE_GET], DB_VALUES(OF(project), db_text(id)), &row));
    if (row.columns == NULL)
        return refuse(db_arena(tx), ERR_CREDIT_NOTE_NOT_FOUND, STR_NONE,
                      "there is no credit note %.*s", STR_ARG(id));
    return note_read(tx, project, &row, note);
}

Err *credit_notes(DbTx *tx, const CreditNotePage *page, CreditNote **notes, size_t *count)
{
    DbRows  rows;
    DbValue before = db_text(page->before.at == NULL ? STR("~") : page->before);
    DbValue limit = db_whole((int64_t)page->limit);
    if (page->invoice.at != NULL)
        TRY(db_rows(tx, &sql[NOTES_OF],
                    DB_VALUES(OF(page->project), db_text(page->invoice), before, limit), &rows));
    else
        TRY(db_rows(tx, &sql[NOTES], DB_VALUES(OF(page->project), before, limit), &rows));
    *notes = arena_array(db_arena(tx), CreditNote, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        TRY(note_read(tx, page->project, &rows.at[i], &(*notes)[i]));
    return NULL;
}

// Few: summed here, where both engines have the same numbers.
static Err *nets_sum(DbTx *tx, const Statement *statement, DbValues values, int64_t *net)
{
    DbRows rows;
    *net = 0;
    TRY(db_rows(tx, statement, values, &rows));
    for (size_t i = 0; i < rows.count; i++)
        *net += row_whole(&rows.at[i], 0);
    return NULL;
}

Err *credit_note_credited(DbTx *tx, ProjectId project, Str invoice, int64_t line, int64_t *net)
{
    return nets_sum(tx, &sql[LINES_OF], DB_VALUES(OF(project), db_text(invoice), db_whole(line)),
                    net);
}

Err *credit_note_by_hand(DbTx *tx, ProjectId project, Str invoice, int64_t line, int64_t *net)
{
    return nets_sum(tx, &sql[LINES_BY_HAND],
                    DB_VALUES(OF(project), db_text(invoice), db_whole(line)), net);
}

Err *credit_note_any(DbTx *tx, ProjectId project, Str invoice, bool *any)
{
    DbRow row;
    TRY(db_find(tx, &sql[ANY], DB_VALUES(OF(project), db_text(invoice)), &row));
    *any = row.columns != NULL;
    return NULL;
}
