// SPDX-License-Identifier: Apache-2.0
// Invoices: made at the next boundary of an account or of single lines, finalized, paid, written
// off, voided, and read.
#include "api/cursor.h"
#include "api/idempotency.h"
#include "api/invoice_shape.h"
#include "api/money_body.h"
#include "api/page.h"
#include "api/routes.h"
#include "catalog/body.h"

enum { LINES_MAX = 1000, DESCRIPTION_BYTES = 500, METHOD_BYTES = 64, MEMO_BYTES = 1000 };

static IssueQuery query_of(const Request *request)
{
    Server *server = server_of(request);
    return (IssueQuery){ .books = server->books,
                         .catalog = server->catalog,
                         .partition = server->partition,
                         .project = project_of(request),
                         .now = now_of(request),
                         .who = money_who(request) };
}

// ---- one invoice as it is stored

typedef struct Shown {
    ProjectId      project;
    Str            id;
    IssuedInvoice *invoice;
    InvoiceExtras  extras;
} Shown;

static Err *extras_read(DbTx *tx, Shown *shown)
{
    TRY(issued_payments(tx, shown->invoice, shown->project, &shown->extras.payments,
                        &shown->extras.payment_count));
    return issued_document(tx, shown->project, shown->invoice, &shown->extras.document);
}

static Err *show_work(DbTx *tx, void *context)
{
    Shown *shown = context;
    TRY(issued_get(tx, shown->project, shown->id, &shown->invoice));
    return extras_read(tx, shown);
}

static Err *show(Request *request, Response *response, Str id)
{
    Shown shown = { .project = project_of(request), .id = id };
    TRY(db_read(server_of(request)->books, request->arena, show_work, &shown));
    JsonOut out = response_json(response);
    response_entity_tag(response, shown.invoice->version);
    invoice_row_to_json(shown.invoice, &shown.extras, request->arena, &out);
    return NULL;
}

static Err *invoice_get(Request *request, Response *response)
{
    return show(request, response, request_path(request, "id"));
}

// ---- lists

typedef struct Listed {
    IssuedPage     page;
    IssuedInvoice *invoices;
    size_t         count;
} Listed;

static Err *list_work(DbTx *tx, void *context)
{
    Listed *listed = context;
    return issued_list(tx, &listed->page, &listed->invoices, &listed->count);
}

static Err *invoice_list(Request *request, Response *response)
{
    Listed listed = { .page = { .project = project_of(request) } };
    Str    cursor, account = STR_NONE, state = STR_NONE;
    size_t limit;
    TRY(request_limit(request, &limit));
    request_query(request, "account", &account);
    request_query(request, "status", &state);
    Str list = str_print(request->arena, "invoices %.*s %.*s", STR_ARG(state), STR_ARG(account));
    listed.page.account = account;
    listed.page.state = state;
    listed.page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &listed.page.before));
    TRY(db_read(server_of(request)->books, request->arena, list_work, &listed));
    size_t  count = listed.count > limit ? limit : listed.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        invoice_row_to_json(&listed.invoices[i], NULL, request->arena, &out);
    response_list_end(&out, listed.count > limit
                                ? cursor_print(request->arena, list, listed.invoices[count - 1].id)
                                : STR_NONE);
    return NULL;
}

// ---- from a line to its events

// A place is the instant and the id of the last event.
static Err *place_read(const Request *request, Str place, LineEventsQuery *wanted)
{
    Str ts = str_cut(&place, ' ');
    wanted->after_unique_id = place;
    wanted->has_after = true;
    if (instant_parse(ts, &wanted->after_ts))
        return NULL;
    return refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                  "the cursor does not belong to this list");
}

static void line_event_to_json(const LineEvent *event, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "uniqueId", event->unique_id);
    json_string_member(out, "ts", instant_print(arena, event->ts));
    json_bool_member(out, "counted", event->counts);
    if (event->counts)
        json_string_member(out, "value", decimal_print(arena, event->value));
    else
        json_null_member(out, "value");
    json_string_member(out, "sequence", usage_sequence_print(arena, event->sequence));
    json_object_end(out);
}

static Err *line_events(Request *request, Response *response)
{
    IssueQuery      query = query_of(request);
    LineEventsQuery wanted = { .invoice = request_path(request, "id") };
    LineEvents      events;
    Str             cursor, place, number = request_path(request, "number");
    uint64_t        line;
    TRY(request_limit(request, &wanted.limit));
    if (!str_whole(number, INT32_MAX, &line))
        return refuse(request->arena, ERR_INVOICE_NOT_FOUND, STR_NONE, "a line has a number");
    wanted.number = (int64_t)line;
    Str list = str_print(request->arena, "events of %.*s %.*s", STR_ARG(wanted.invoice),
                         STR_ARG(number));
    if (request_query(request, "cursor", &cursor)) {
        TRY(cursor_parse(request->arena, cursor, list, &place));
        TRY(place_read(request, place, &wanted));
    }
    TRY(issued_line_events(request->arena, &query, &wanted, &events));
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < events.count; i++)
        line_event_to_json(&events.at[i], request->arena, &out);
    Str next = STR_NONE;
    if (events.has_more) {
        const LineEvent *last = &events.at[events.count - 1];
        place = str_print(request->arena, "%.*s %.*s",
                          STR_ARG(instant_print(request->arena, last->ts)),
                          STR_ARG(last->unique_id));
        next = cursor_print(request->arena, list, place);
    }
    response_list_end(&out, next);
    return NULL;
}

// ---- making

static Err *invoice_make(Request *request, Response *response)
{
    static const char *const members[] = { "currency", NULL };
    Faults         faults = { .arena = request->arena };
    IssueQuery     query = query_of(request);
    IssuedInvoice *invoice;
    Str            code = STR_NONE;
    Currency       currency;
    if (request->body.length > 0) {
        Json *body;
        TRY(request_json(request, &body));
        if (body_members(body, members, &faults))
            code = body_text(body, "currency", 3, &faults);
        if (code.at != NULL && !currency_find(code, &currency))
            faults_add(&faults, ERR_FIELD_INVALID, STR("/currency"),
                       "currency must be an ISO 4217 code in capitals");
    }
    if (faults.first != NULL)
        return faults.first;
    TRY(issue_due(request->arena, &query, request_path(request, "id"), code, &invoice));
    return show(request, response, invoice->id);
}

typedef struct OneOffMake {
    Request   *request;
    IssueQuery query;
    OneOff     one;
    Str        account;
    const Json *body;
    Arena     *arena;
} OneOffMake;

static void line_read(const OneOffMake *make, const Json *line, size_t place, OneOffLine *read,
                      Faults *faults)
{
    static const char *const members[] = { "description", "amount", "taxCategory", NULL };
    Faults one = { .arena = faults->arena };
    Money  amount = money_zero(make->one.currency);
    if (body_members(line, members, &one)) {
        read->description = body_text(line, "description", DESCRIPTION_BYTES, &one);
        read->category = body_text(line, "taxCategory", 128, &one);
        if (read->description.at == NULL && one.first == NULL)
            faults_add(&one, ERR_FIELD_REQUIRED, STR("/description"), "description is missing");
        if (read->category.at != NULL && !name_is_valid(read->category))
            faults_add(&one, ERR_FIELD_INVALID, STR("/taxCategory"), "taxCategory is a name");
        amount_from_json(line, "amount", AMOUNT_ANY, &amount, &one);
        read->amount = amount.minor;
    }
    for (const Err *fault = one.first; fault != NULL; fault = fault->next)
        faults_add(faults, fault->code,
                   str_print(faults->arena, "/lines/%zu%.*s", place, STR_ARG(fault->pointer)),
                   "%.*s", STR_ARG(fault->detail));
}

static void lines_read(OneOffMake *make, Faults *faults)
{
    const Json *lines = body_find(make->body, "lines");
    size_t      place = 0;
    if (lines == NULL || lines->kind != JSON_ARRAY || lines->count == 0 ||
        lines->count > LINES_MAX) {
        faults_add(faults, lines == NULL ? ERR_FIELD_REQUIRED : ERR_FIELD_INVALID, STR("/lines"),
                   "lines is a list of 1 to %d lines", LINES_MAX);
        return;
    }
    make->one.lines = arena_array(faults->arena, OneOffLine, lines->count);
    make->one.count = lines->count;
    for (const Json *line = lines->first; line != NULL; line = line->next, place++)
        line_read(make, line, place, &make->one.lines[place], faults);
}

// The account's currency when the body names none.
static void currency_read(OneOffMake *make, Faults *faults)
{
    Str code = body_text(make->body, "currency", 3, faults);
    if (code.at == NULL && make->one.account != NULL)
        code = make->one.account->currency;
    if (code.at == NULL)
        faults_add(faults, ERR_FIELD_REQUIRED, STR("/currency"), "currency is missing");
    else if (!currency_find(code, &make->one.currency))
        faults_add(faults, ERR_FIELD_INVALID, STR("/currency"),
                   "currency must be an ISO 4217 code in capitals");
}

static Err *one_off_prepare(Request *request, void *context)
{
    static const char *const members[] = { "account", "currency", "lines",
                                           "memo",    "poNumber", NULL };
    OneOffMake *make = context;
    Faults      faults = { .arena = request->arena };
    Json       *body;
    TRY(request_json(request, &body));
    make->body = body;
    if (!body_members(body, members, &faults))
        return faults.first;
    make->account = body_text(body, "account", 255, &faults);
    if (make->account.at == NULL && faults.first == NULL)
        faults_add(&faults, ERR_FIELD_REQUIRED, STR("/account"), "account is missing");
    if (faults.first != NULL)
        return faults.first;
    TRY(catalog_account_get(make->query.catalog, request->arena, make->query.project,
                            make->account, &make->one.account));
    currency_read(make, &faults);
    make->one.memo = body_text(body, "memo", MEMO_BYTES, &faults);
    make->one.po_number = body_text(body, "poNumber", 255, &faults);
    if (faults.first == NULL)
        lines_read(make, &faults);
    return faults.first;
}

static Err *one_off_work(DbTx *tx, void *context, Text *body)
{
    OneOffMake *make = context;
    Shown       shown = { .project = make->query.project };
    JsonOut     out = json_out(body);
    TRY(issue_one_off(tx, &make->query, &make->one, &shown.invoice));
    TRY(extras_read(tx, &shown));
    invoice_row_to_json(shown.invoice, &shown.extras, db_arena(tx), &out);
    return money_audit(tx, make->request, "invoice.make", shown.invoice->id);
}

static Err *one_off_make(Request *request, Response *response)
{
    OneOffMake make = { .request = request, .query = query_of(request) };
    return idempotent_write(request, response,
                            &(Idempotent){ .need = KEY_REQUIRED,
                                           .prepare = one_off_prepare,
                                           .work = one_off_work,
                                           .context = &make });
}

static Err *invoice_finalize(Request *request, Response *response)
{
    IssueQuery     query = query_of(request);
    IssuedInvoice *invoice;
    TRY(issue_finalize(request->arena, &query, request_path(request, "id"), &invoice));
    return show(request, response, invoice->id);
}

// ---- deeds

typedef Err *Deed(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice **invoice, bool *was_done);

typedef struct DeedDo {
    Request    *request;
    const char *action;  // in the audit trail
    InvoiceDeed deed;
    Deed       *what;
    Shown       shown;
} DeedDo;

static Err *deed_work(DbTx *tx, void *context)
{
    DeedDo *act = context;
    bool    was_done;
    TRY(act->what(tx, &act->deed, &act->shown.invoice, &was_done));
    if (!was_done)
        TRY(money_audit(tx, act->request, act->action, act->deed.id));
    return extras_read(tx, &act->shown);
}

static InvoiceDeed deed_of(const Request *request)
{
    return (InvoiceDeed){ project_of(request), request_path(request, "id"), now_of(request) };
}

static Err *deed_do(Response *response, DeedDo *act)
{
    Request *request = act->request;
    act->deed = deed_of(request);
    act->shown.project = act->deed.project;
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = deed_work, .context = act }));
    JsonOut out = response_json(response);
    response_entity_tag(response, act->shown.invoice->version);
    invoice_row_to_json(act->shown.invoice, &act->shown.extras, request->arena, &out);
    return NULL;
}

static Err *invoice_void(Request *request, Response *response)
{
    DeedDo act = { .request = request, .action = "invoice.void", .what = issue_void };
    return deed_do(response, &act);
}

static Err *invoice_write_off(Request *request, Response *response)
{
    DeedDo act = { .request = request, .action = "invoice.writeOff", .what = issue_write_off };
    return deed_do(response, &act);
}

// ---- payments

typedef struct PayDo {
    Request       *request;
    InvoiceDeed    deed;
    InvoicePayment payment;
    bool           has_amount;
    const Json    *body;
} PayDo;

// An amount is in the invoice's currency, so it is read when that is known.
static Err *payment_take(DbTx *tx, PayDo *act, IssuedInvoice **invoice)
{
    Faults         faults = { .arena = db_arena(tx) };
    InvoicePayment payment = act->payment;
    if (act->has_amount) {
        IssuedInvoice *row;
        TRY(issued_get(tx, act->deed.project, act->deed.id, &row));
        Money amount = money_zero(row->currency);
        amount_from_json(act->body, "amount", AMOUNT_ABOVE_ZERO, &amount, &faults);
        if (faults.first != NULL)
            return faults.first;
        payment.amount = amount.minor;
    }
    return issue_pay(tx, &act->deed, &payment, invoice);
}

static Err *pay_work(DbTx *tx, void *context, Text *body)
{
    PayDo  *act = context;
    Shown   shown = { .project = act->deed.project };
    JsonOut out = json_out(body);
    TRY(payment_take(tx, act, &shown.invoice));
    TRY(money_audit(tx, act->request, "invoice.pay", act->deed.id));
    TRY(extras_read(tx, &shown));
    invoice_row_to_json(shown.invoice, &shown.extras, db_arena(tx), &out);
    return NULL;
}

static Err *pay_prepare(Request *request, void *context)
{
    static const char *const members[] = { "amount", "method", "reference", "receivedAt", NULL };
    PayDo *act = context;
    Faults faults = { .arena = request->arena };
    Json  *body;
    TRY(request_json(request, &body));
    act->body = body;
    if (!body_members(body, members, &faults))
        return faults.first;
    act->has_amount = body_find(body, "amount") != NULL;
    act->payment = (InvoicePayment){ .method = body_text(body, "method", METHOD_BYTES, &faults),
                                     .received_at = now_of(request) };
    if (act->payment.method.at == NULL)
        act->payment.method = STR("external");
    if (!name_is_valid(act->payment.method))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/method"),
                   "method is a name, as bankTransfer");
    act->payment.reference = body_text(body, "reference", 255, &faults);
    body_instant(body, "receivedAt", &act->payment.received_at, &faults);
    return faults.first;
}

static Err *invoice_pay(Request *request, Response *response)
{
    PayDo act = { .request = request, .deed = deed_of(request) };
    return idempotent_write(request, response,
                            &(Idempotent){ .need = KEY_REQUIRED,
                                           .prepare = pay_prepare,
                                           .work = pay_work,
                                           .context = &act });
}

// ---- shapes and routes

static const Field make_fields[] = {
    MEMBER("currency", TEXT, .nullable = true, .least = 3, .most = 3, .pattern = "^[A-Z]{3}$",
           .doc = "ISO 4217; whichever is due first when absent."),
};
static const Shape make_shape =
    SHAPE("InvoiceNext", make_fields, .doc = "Which invoice of an account is wanted.");

static const Field one_off_line_fields[] = {
    MEMBER("description", TEXT, .required = true, .least = 1, .most = 500, .doc = "What it is."),
    MEMBER("amount", DECIMAL, .required = true,
           .doc = "In the currency, not 0; below 0 it is a deduction."),
    MEMBER("taxCategory", TEXT, .nullable = true, .least = 1, .most = 128,
           .doc = "Which of the account's tax rates it bears."),
};
static const Shape one_off_line_shape =
    SHAPE("OneOffLine", one_off_line_fields, .doc = "A line that no subscription has.");

static const Field one_off_fields[] = {
    MEMBER("account", TEXT, .required = true, .least = 1, .most = 255, .doc = "Who is billed."),
    MEMBER("currency", TEXT, .nullable = true, .least = 3, .most = 3, .pattern = "^[A-Z]{3}$",
           .doc = "ISO 4217; the account's when absent."),
    MEMBER("lines", ARRAY, .required = true, .shape = &one_off_line_shape, .least = 1,
           .most = LINES_MAX, .doc = "What is billed."),
    MEMBER("memo", TEXT, .nullable = true, .least = 1, .most = 1000,
           .doc = "A sentence on the invoice; the legal entity's when absent."),
    MEMBER("poNumber", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "The buyer's order; the account's when absent."),
};
static const Shape one_off_shape =
    SHAPE("OneOffInvoice", one_off_fields, .doc = "An invoice of single lines.");

static const Field pay_fields[] = {
    MEMBER("amount", DECIMAL, .nullable = true,
           .doc = "In the invoice's currency; what remains when absent. More becomes the "
                  "customer's balance."),
    MEMBER("method", TEXT, .nullable = true, .least = 1, .most = 64,
           .doc = "How it came: a name, external when absent."),
    MEMBER("reference", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "By which the payment is found elsewhere."),
    MEMBER("receivedAt", INSTANT, .nullable = true, .doc = "When; now when absent."),
};
static const Shape pay_shape =
    SHAPE("PaymentBody", pay_fields, .doc = "A payment that was made elsewhere.");

static const Field list_fields[] = { LIST_SHAPE("Invoices, newest first, without their documents.",
                                                &invoice_row_shape) };
static const Shape list_shape = SHAPE("InvoiceList", list_fields, .doc = "A page of invoices.");

static const Field event_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .doc = "The event's."),
    MEMBER("ts", INSTANT, .required = true, .doc = "When it happened."),
    MEMBER("counted", BOOL, .required = true, .doc = "False: it brought no number."),
    MEMBER("value", TEXT, .required = true, .nullable = true, .doc = "What it brought."),
    MEMBER("sequence", TEXT, .required = true, .doc = "Of the event."),
};
static const Shape event_shape =
    SHAPE("InvoiceLineEvent", event_fields, .doc = "An event that a line was made of.");
static const Field events_fields[] = { LIST_SHAPE("Events by time, then id.", &event_shape) };
static const Shape events_shape =
    SHAPE("InvoiceLineEventList", events_fields, .doc = "A page of a line's events.");
static const Parameter events_query[] = { PAGE_PARAMETERS };

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Only those of this account." },
    { .name = "status", .kind = PARAMETER_ENUM, .choices = invoice_state_names,
      .doc = "Only those in this state." },
};

const Route api_invoices_routes[] = {
    { .name = "makeInvoice",
      .method = METHOD_POST,
      .path = "/v1/accounts/{id}/invoices",
      .at = AT_OWNER_PERHAPS,
      .scope = "invoices:write",
      .takes = &make_shape,
      .body_optional = true,
      .gives = &invoice_row_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID, ERR_ACCOUNT_NOT_FOUND,
              ERR_TAX_RATE_NOT_FOUND, ERR_NOTHING_DUE, ERR_AMOUNT_TOO_LARGE),
      .handler = invoice_make,
      .doc = "The draft of the account's earliest boundary that is not billed, with the charges "
             "that wait; again rates it anew." },
    { .name = "makeOneOffInvoice",
      .method = METHOD_POST,
      .path = "/v1/invoices",
      .at = AT_OWNER_PERHAPS,
      .scope = "invoices:write",
      .takes = &one_off_shape,
      .gives = &invoice_row_shape,
      .status = 201,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE,
              ERR_ACCOUNT_NOT_FOUND, ERR_TAX_RATE_NOT_FOUND, ERR_AMOUNT_TOO_LARGE,
              IDEMPOTENCY_REFUSES),
      .handler = one_off_make,
      .doc = "A draft of single lines." },
    { .name = "listInvoices",
      .method = METHOD_GET,
      .path = "/v1/invoices",
      .scope = "invoices:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = invoice_list,
      .doc = "The project's invoices, newest first." },
    { .name = "getInvoice",
      .method = METHOD_GET,
      .path = "/v1/invoices/{id}",
      .scope = "invoices:read",
      .gives = &invoice_row_shape,
      REFUSES(ERR_INVOICE_NOT_FOUND),
      .handler = invoice_get,
      .doc = "One invoice with its document." },
    { .name = "listInvoiceLineEvents",
      .method = METHOD_GET,
      .path = "/v1/invoices/{id}/lines/{number}/events",
      .at = AT_OWNER_PERHAPS,
      .scope = "invoices:read",
      QUERY(events_query),
      .gives = &events_shape,
      REFUSES(ERR_CURSOR_INVALID, ERR_INVOICE_NOT_FOUND),
      .handler = line_events,
      .doc = "The events that a line counted: those up to the invoice's sequence." },
    { .name = "finalizeInvoice",
      .method = METHOD_POST,
      .path = "/v1/invoices/{id}/finalize",
      .at = AT_OWNER_PERHAPS,
      .scope = "invoices:write",
      .gives = &invoice_row_shape,
      REFUSES(ERR_INVOICE_NOT_FOUND, ERR_TAX_RATE_NOT_FOUND, ERR_NOTHING_DUE, ERR_INVOICE_STALE,
              ERR_INVOICE_STATE, ERR_LEDGER_MONTH_CLOSED, ERR_AMOUNT_TOO_LARGE),
      .handler = invoice_finalize,
      .doc = "Give a draft its number, draw credit, post it: it never changes again." },
    { .name = "voidInvoice",
      .method = METHOD_POST,
      .path = "/v1/invoices/{id}/void",
      .scope = "invoices:write",
      .gives = &invoice_row_shape,
      REFUSES(ERR_INVOICE_NOT_FOUND, ERR_INVOICE_STATE, ERR_INVOICE_HAS_PAYMENTS,
              ERR_LEDGER_MONTH_CLOSED),
      .handler = invoice_void,
      .doc = "Take an unpaid invoice back: credit returns, its period is to be billed again." },
    { .name = "writeOffInvoice",
      .method = METHOD_POST,
      .path = "/v1/invoices/{id}/writeOff",
      .scope = "invoices:write",
      .gives = &invoice_row_shape,
      REFUSES(ERR_INVOICE_NOT_FOUND, ERR_INVOICE_STATE, ERR_LEDGER_MONTH_CLOSED),
      .handler = invoice_write_off,
      .doc = "What remains of it will not be paid." },
    { .name = "payInvoice",
      .method = METHOD_POST,
      .path = "/v1/invoices/{id}/pay",
      .scope = "invoices:write",
      .takes = &pay_shape,
      .gives = &invoice_row_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP, ERR_INVOICE_NOT_FOUND,
              ERR_INVOICE_STATE, ERR_LEDGER_MONTH_CLOSED, IDEMPOTENCY_REFUSES),
      .handler = invoice_pay,
      .doc = "Record a payment that was made elsewhere." },
};
const size_t api_invoices_route_count = sizeof api_invoices_routes / sizeof *api_invoices_routes;
