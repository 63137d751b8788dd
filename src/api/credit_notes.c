// SPDX-License-Identifier: Apache-2.0
// Credit notes: lines of a final invoice, taken back.
#include "api/cursor.h"
#include "api/idempotency.h"
#include "api/invoice_shape.h"
#include "api/money_body.h"
#include "api/page.h"
#include "api/routes.h"
#include "catalog/body.h"
#include "flow/invoice/credit_note.h"

enum { LINES_MAX = 1000, METHOD_BYTES = 64, MEMO_BYTES = 1000 };

static void amount_member(JsonOut *out, Arena *arena, const CreditNote *note, const char *name,
                          int64_t minor)
{
    json_string_member(out, name, money_print(arena, (Money){ minor, note->currency }));
}

static void note_to_json(const CreditNote *note, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", note->id);
    json_string_member(out, "number", note->number);
    json_string_member(out, "invoice", note->invoice);
    json_string_member(out, "account", note->account);
    json_string_member(out, "currency", currency_code(&note->currency));
    json_string_member(out, "reasonCode", note->reason_code);
    json_string_member(out, "apply", str_of(credit_apply_names[note->apply]));
    text_member(out, "method", note->method);
    text_member(out, "memo", note->memo);
    json_name(out, STR("lines"));
    json_array(out);
    for (size_t i = 0; i < note->count; i++) {
        json_object(out);
        json_whole_member(out, "line", note->lines[i].line);
        amount_member(out, arena, note, "amount", note->lines[i].net);
        amount_member(out, arena, note, "tax", note->lines[i].tax);
        json_object_end(out);
    }
    json_array_end(out);
    amount_member(out, arena, note, "net", note->net);
    amount_member(out, arena, note, "tax", note->tax);
    amount_member(out, arena, note, "total", note->total);
    amount_member(out, arena, note, "creditsRestored", note->restored);
    json_string_member(out, "createdAt", instant_print(arena, note->created_at));
    json_object_end(out);
}

// ---- making

typedef struct NoteMake {
    Request    *request;
    InvoiceDeed deed;
    CreditNote  note;
    const Json *lines;  // NULL: all that is left
} NoteMake;

// Amounts are in the invoice's currency, so they are read when that is known.
static Err *lines_read(DbTx *tx, NoteMake *make, CreditNote *note)
{
    static const char *const members[] = { "line", "amount", NULL };
    Faults                   faults = { .arena = db_arena(tx) };
    IssuedInvoice           *invoice;
    if (make->lines == NULL)
        return NULL;
    TRY(issued_get(tx, make->deed.project, make->note.invoice, &invoice));
    note->lines = arena_array(db_arena(tx), CreditNoteLine, make->lines->count);
    for (const Json *line = make->lines->first; line != NULL; line = line->next) {
        Faults      one = { .arena = db_arena(tx) };
        Money       amount = money_zero(invoice->currency);
        uint64_t    number = 0;
        const Json *which = body_members(line, members, &one) ? body_find(line, "line") : NULL;
        if (one.first == NULL && (which == NULL || which->kind != JSON_NUMBER ||
                                  !str_whole(which->text, INT32_MAX, &number)))
            faults_add(&one, which == NULL ? ERR_FIELD_REQUIRED : ERR_FIELD_INVALID, STR("/line"),
                       "line is the number of a line of the invoice");
        if (one.first == NULL)
            amount_from_json(line, "amount", AMOUNT_ANY, &amount, &one);
        for (const Err *fault = one.first; fault != NULL; fault = fault->next)
            faults_add(&faults, fault->code,
                       str_print(db_arena(tx), "/lines/%zu%.*s", note->count,
                                 STR_ARG(fault->pointer)),
                       "%.*s", STR_ARG(fault->detail));
        note->lines[note->count++] = (CreditNoteLine){ (int64_t)number, amount.minor, 0 };
    }
    return faults.first;
}

static Err *make_work(DbTx *tx, void *context, Text *body)
{
    NoteMake  *make = context;
    CreditNote note = make->note;
    JsonOut    out = json_out(body);
    TRY(lines_read(tx, make, &note));
    TRY(credit_note_make(tx, &make->deed, &note));
    note_to_json(&note, db_arena(tx), &out);
    return money_audit(tx, make->request, "creditNote.make", note.id);
}

static void apply_read(const Json *body, CreditNote *note, Faults *faults)
{
    Str apply = body_text(body, "apply", 16, faults);
    int place = 0;
    note->apply = CREDIT_TO_INVOICE;
    while (apply.at != NULL && credit_apply_names[place] != NULL &&
           !str_equal(apply, str_of(credit_apply_names[place])))
        place++;
    if (credit_apply_names[place] == NULL)
        faults_add(faults, ERR_FIELD_INVALID, STR("/apply"),
                   "apply is invoice, balance or refund");
    else
        note->apply = (CreditApply)place;
    note->method = body_text(body, "method", METHOD_BYTES, faults);
    if (note->method.at == NULL && note->apply == CREDIT_REFUND)
        note->method = STR("external");
    if (note->method.at != NULL &&
        (note->apply != CREDIT_REFUND || !name_is_valid(note->method)))
        faults_add(faults, ERR_FIELD_INVALID, STR("/method"),
                   "method is a name, of a refund only");
}

static Err *make_prepare(Request *request, void *context)
{
    static const char *const members[] = { "invoice", "reasonCode", "lines", "apply",
                                           "method",  "memo",       NULL };
    NoteMake   *make = context;
    CreditNote *note = &make->note;
    Faults      faults = { .arena = request->arena };
    Json       *body;
    TRY(request_json(request, &body));
    if (!body_members(body, members, &faults))
        return faults.first;
    note->invoice = body_text(body, "invoice", 64, &faults);
    note->reason_code = body_text(body, "reasonCode", 128, &faults);
    note->memo = body_text(body, "memo", MEMO_BYTES, &faults);
    if (note->invoice.at == NULL && faults.first == NULL)
        faults_add(&faults, ERR_FIELD_REQUIRED, STR("/invoice"), "invoice is missing");
    if (note->reason_code.at == NULL && faults.first == NULL)
        faults_add(&faults, ERR_FIELD_REQUIRED, STR("/reasonCode"), "reasonCode is missing");
    if (note->reason_code.at != NULL && !name_is_valid(note->reason_code))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/reasonCode"), "reasonCode is a name");
    apply_read(body, note, &faults);
    make->lines = body_find(body, "lines");
    if (make->lines != NULL && (make->lines->kind != JSON_ARRAY || make->lines->count == 0 ||
                                make->lines->count > LINES_MAX))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/lines"), "lines is a list of 1 to %d lines",
                   LINES_MAX);
    return faults.first;
}

static Err *note_make(Request *request, Response *response)
{
    NoteMake make = { .request = request,
                      .deed = { .project = project_of(request), .now = now_of(request) } };
    return idempotent_write(request, response,
                            &(Idempotent){ .need = KEY_REQUIRED,
                                           .prepare = make_prepare,
                                           .work = make_work,
                                           .context = &make });
}

// ---- reading

typedef struct NoteGet {
    ProjectId  project;
    Str        id;
    CreditNote note;
} NoteGet;

static Err *get_work(DbTx *tx, void *context)
{
    NoteGet *get = context;
    return credit_note_get(tx, get->project, get->id, &get->note);
}

static Err *note_get(Request *request, Response *response)
{
    NoteGet get = { .project = project_of(request), .id = request_path(request, "id") };
    TRY(db_read(server_of(request)->books, request->arena, get_work, &get));
    JsonOut out = response_json(response);
    note_to_json(&get.note, request->arena, &out);
    return NULL;
}

typedef struct NoteList {
    CreditNotePage page;
    CreditNote    *notes;
    size_t         count;
} NoteList;

static Err *list_work(DbTx *tx, void *context)
{
    NoteList *list = context;
    return credit_notes(tx, &list->page, &list->notes, &list->count);
}

static Err *note_list(Request *request, Response *response)
{
    NoteList read = { .page = { .project = project_of(request) } };
    Str      cursor, invoice = STR_NONE;
    size_t   limit;
    TRY(request_limit(request, &limit));
    request_query(request, "invoice", &invoice);
    Str list = str_print(request->arena, "creditNotes %.*s", STR_ARG(invoice));
    read.page.invoice = invoice;
    read.page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &read.page.before));
    TRY(db_read(server_of(request)->books, request->arena, list_work, &read));
    size_t  count = read.count > limit ? limit : read.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        note_to_json(&read.notes[i], request->arena, &out);
    response_list_end(&out, read.count > limit
                                ? cursor_print(request->arena, list, read.notes[count - 1].id)
                                : STR_NONE);
    return NULL;
}

// ---- shapes and routes

static const Field body_line_fields[] = {
    MEMBER("line", WHOLE, .required = true, .least = 1, .doc = "The number of an invoice's line."),
    MEMBER("amount", DECIMAL, .required = true,
           .doc = "Of its net, before tax; at most what is left of it."),
};
static const Shape body_line_shape =
    SHAPE("CreditNoteLineBody", body_line_fields, .doc = "What of a line is credited.");

static const Field body_fields[] = {
    MEMBER("invoice", TEXT, .required = true, .least = 1, .most = 64, .doc = "A final invoice."),
    MEMBER("reasonCode", TEXT, .required = true, .least = 1, .most = 128, .doc = "A name."),
    MEMBER("lines", ARRAY, .nullable = true, .shape = &body_line_shape, .least = 1,
           .most = LINES_MAX, .doc = "All that is left of every line when absent."),
    MEMBER("apply", ENUM, .nullable = true, .choices = credit_apply_names,
           .doc = "Where what does not go back to the wallet goes. invoice (usual) lowers what "
                  "remains of it; balance goes to the customer's balance; refund was paid back "
                  "elsewhere, of what was paid."),
    MEMBER("method", TEXT, .nullable = true, .least = 1, .most = 64,
           .doc = "Of a refund: a name, external when absent."),
    MEMBER("memo", TEXT, .nullable = true, .least = 1, .most = 1000, .doc = "A sentence on it."),
};
static const Shape body_shape =
    SHAPE("CreditNoteBody", body_fields, .doc = "What of an invoice is taken back.");

static const Field line_fields[] = {
    MEMBER("line", WHOLE, .required = true, .doc = "The number of an invoice's line."),
    MEMBER("amount", TEXT, .required = true, .doc = "Net."),
    MEMBER("tax", TEXT, .required = true,
           .doc = "The tax of all that was credited of the line, less what was credited of it."),
};
static const Shape line_shape = SHAPE("CreditNoteLine", line_fields, .doc = "A credited line.");

static const Field note_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "cn_ and 26 characters, ordered by time."),
    MEMBER("number", TEXT, .required = true, .doc = "Without gaps within its prefix."),
    MEMBER("invoice", TEXT, .required = true, .doc = "What it credits."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("reasonCode", TEXT, .required = true, .doc = "Why."),
    MEMBER("apply", ENUM, .required = true, .choices = credit_apply_names, .doc = "Where to."),
    MEMBER("method", TEXT, .required = true, .nullable = true, .doc = "Of a refund."),
    MEMBER("memo", TEXT, .required = true, .nullable = true, .doc = "A sentence on it."),
    MEMBER("lines", ARRAY, .required = true, .shape = &line_shape, .doc = "By number."),
    MEMBER("net", TEXT, .required = true, .doc = "Before tax."),
    MEMBER("tax", TEXT, .required = true, .doc = "All of it."),
    MEMBER("total", TEXT, .required = true, .doc = "net + tax."),
    MEMBER("creditsRestored", TEXT, .required = true,
           .doc = "Of the total, first: what credit had paid of the invoice, to the wallet again. "
                  "The rest goes where it is applied to."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When it was made."),
};
static const Shape note_shape = SHAPE("CreditNote", note_fields, .doc = "A credit note.");

static const Field list_fields[] = { LIST_SHAPE("Credit notes, newest first.", &note_shape) };
static const Shape list_shape =
    SHAPE("CreditNoteList", list_fields, .doc = "A page of credit notes.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "invoice", .kind = PARAMETER_TEXT, .doc = "Only those of this invoice." },
};

const Route api_credit_notes_routes[] = {
    { .name = "makeCreditNote",
      .method = METHOD_POST,
      .path = "/v1/creditNotes",
      .scope = "invoices:write",
      .takes = &body_shape,
      .gives = &note_shape,
      .status = 201,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE,
              ERR_INVOICE_NOT_FOUND, ERR_INVOICE_STATE, ERR_LEDGER_MONTH_CLOSED,
              IDEMPOTENCY_REFUSES),
      .handler = note_make,
      .doc = "Take back lines of a final invoice, with exactly their tax." },
    { .name = "getCreditNote",
      .method = METHOD_GET,
      .path = "/v1/creditNotes/{id}",
      .scope = "invoices:read",
      .gives = &note_shape,
      REFUSES(ERR_CREDIT_NOTE_NOT_FOUND),
      .handler = note_get,
      .doc = "One credit note." },
    { .name = "listCreditNotes",
      .method = METHOD_GET,
      .path = "/v1/creditNotes",
      .scope = "invoices:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = note_list,
      .doc = "The project's credit notes, newest first." },
};
const size_t api_credit_notes_route_count =
    sizeof api_credit_notes_routes / sizeof *api_credit_notes_routes;
