// SPDX-License-Identifier: Apache-2.0
// Late usage of closed periods: what was settled, by which document and why; and what waits.
#include "api/cursor.h"
#include "api/money_body.h"
#include "api/page.h"
#include "api/routes.h"
#include "flow/invoice/late.h"

static Err *record_to_json(const LateRecord *record, Arena *arena, JsonOut *out)
{
    Json *content;
    TRY(json_parse_stored(arena, record->content, &content));
    json_object(out);
    text_member(out, "id", record->id);
    json_string_member(out, "account", record->account);
    json_string_member(out, "subscription", record->subscription);
    json_name(out, STR("period"));
    json_object(out);
    json_string_member(out, "start", instant_print(arena, record->period.start));
    json_string_member(out, "end", instant_print(arena, record->period.end));
    json_object_end(out);
    json_string_member(out, "state", str_of(late_state_names[record->state]));
    json_string_member(out, "document", record->document);
    json_string_member(out, "currency", currency_code(&record->currency));
    text_member(out, "amount",
                record->state == LATE_OPEN
                    ? STR_NONE
                    : money_print(arena, (Money){ record->amount, record->currency }));
    json_string_member(out, "from", usage_sequence_print(arena, record->from));
    json_string_member(out, "to", usage_sequence_print(arena, record->to));
    for (const Json *member = content->first; member != NULL; member = member->next) {
        json_name(out, member->name);
        json_value(out, member);
    }
    json_string_member(out, "createdAt", instant_print(arena, record->created_at));
    json_object_end(out);
    return NULL;
}

// ---- what was settled

typedef struct Listed {
    LateRecordPage page;
    LateRecord    *records;
    size_t         count;
} Listed;

static Err *list_work(DbTx *tx, void *context)
{
    Listed *listed = context;
    return late_records(tx, &listed->page, &listed->records, &listed->count);
}

static Err *settled_list(Request *request, Response *response, Listed *listed)
{
    Str    cursor;
    size_t limit;
    Str    list = str_print(request->arena, "reconciliation %.*s %.*s",
                            STR_ARG(listed->page.account), STR_ARG(listed->page.document));
    TRY(request_limit(request, &limit));
    listed->page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &listed->page.before));
    TRY(db_read(server_of(request)->books, request->arena, list_work, listed));
    size_t  count = listed->count > limit ? limit : listed->count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        TRY(record_to_json(&listed->records[i], request->arena, &out));
    response_list_end(&out, listed->count > limit
                                ? cursor_print(request->arena, list, listed->records[count - 1].id)
                                : STR_NONE);
    return NULL;
}

// ---- what waits

static Err *account_write(const Request *request, Str account, JsonOut *out)
{
    Server     *server = server_of(request);
    IssueQuery  query = { server->books,       server->catalog,  server->partition,
                          project_of(request), now_of(request), STR_NONE };
    LateRecord *records;
    size_t      count;
    TRY(late_open(request->arena, &query, account, &records, &count));
    for (size_t i = 0; i < count; i++)
        TRY(record_to_json(&records[i], request->arena, out));
    return NULL;
}

// A page is of accounts, because only looking tells which of them have something.
static Err *open_list(Request *request, Response *response, Str account)
{
    static const Str list = STR_INIT("reconciliation open");
    CatalogPage page = { .project = project_of(request) };
    Account    *accounts;
    Str         cursor;
    size_t      count = 0, limit;
    TRY(request_limit(request, &limit));
    page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &page.after));
    if (account.at != NULL)
        TRY(money_account(request, account));
    else
        TRY(catalog_accounts(server_of(request)->catalog, request->arena, &page, &accounts,
                             &count));
    JsonOut out = response_list_begin(response);
    if (account.at != NULL)
        TRY(account_write(request, account, &out));
    for (size_t i = 0; i < count && i < limit; i++)
        TRY(account_write(request, accounts[i].id, &out));
    response_list_end(&out, count > limit
                                ? cursor_print(request->arena, list, accounts[limit - 1].id)
                                : STR_NONE);
    return NULL;
}

static Err *reconciliation_list(Request *request, Response *response)
{
    Listed listed = { .page = { .project = project_of(request) } };
    Str    state;
    request_query(request, "account", &listed.page.account);
    request_query(request, "document", &listed.page.document);
    if (!request_query(request, "state", &state))
        return settled_list(request, response, &listed);
    if (!str_equal(state, STR("open")))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR("state"),
                      "state is open, or absent");
    return open_list(request, response, listed.page.account);
}

// ---- shapes and routes

static const char *const changes[] = { "added", "taken", "returned", NULL };
static const char *const states[] = { "settled", "void", "open", NULL };

static const Field change_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .doc = "The event's id."),
    MEMBER("change", ENUM, .required = true, .choices = changes,
           .doc = "added: it came. taken: it was voided or replaced. returned: its void was "
                  "reverted."),
    MEMBER("ts", INSTANT, .required = true, .doc = "When it happened."),
    MEMBER("sequence", TEXT, .required = true, .doc = "From which on bills count it so."),
};
static const Shape change_shape =
    SHAPE("ReconciliationChange", change_fields, .doc = "An event that changed a closed period.");

static const Field period_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "Its first instant."),
    MEMBER("end", INSTANT, .required = true, .doc = "The first behind it."),
};
static const Shape period_shape =
    SHAPE("ReconciliationPeriod", period_fields, .doc = "A billing period that was closed.");

static const Field record_fields[] = {
    MEMBER("id", TEXT, .required = true, .nullable = true, .doc = "rec_…; null while it waits."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose."),
    MEMBER("subscription", TEXT, .required = true, .doc = "Of which."),
    MEMBER("period", OBJECT, .required = true, .shape = &period_shape, .doc = "Which."),
    MEMBER("state", ENUM, .required = true, .choices = states,
           .doc = "settled: the document says it. void: that was voided, so it waits again. open: "
                  "it waits."),
    MEMBER("document", TEXT, .required = true,
           .doc = "The invoice or credit note; while it waits the invoice that closed the period."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("amount", TEXT, .required = true, .nullable = true,
           .doc = "What it came to, without tax that is not in amounts; null while it waits."),
    MEMBER("from", TEXT, .required = true, .doc = "The period was billed up to this sequence."),
    MEMBER("to", TEXT, .required = true, .doc = "And is now up to this one."),
    MEMBER("events", WHOLE, .required = true, .doc = "How many changed."),
    MEMBER("first", ARRAY, .required = true, .shape = &change_shape,
           .doc = "Up to 20 of them, those with the lowest sequences."),
    MEMBER("lines", ARRAY, .required = true, .of = KIND_WHOLE,
           .doc = "Of the document; of a credit note those of its invoice."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When it was settled; or now."),
};
static const Shape record_shape =
    SHAPE("Reconciliation", record_fields,
          .doc = "What changed in a closed period, why, and what came of it.");

static const Field list_fields[] = { LIST_SHAPE("Newest first.", &record_shape) };
static const Shape list_shape =
    SHAPE("ReconciliationList", list_fields, .doc = "A page of records.");

static const Parameter list_query[] = {
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Of this one; all when absent." },
    { .name = "document", .kind = PARAMETER_TEXT, .doc = "What it settled." },
    { .name = "state", .kind = PARAMETER_TEXT,
      .doc = "open: what waits now, in pages of accounts. Absent: what was settled." },
    PAGE_PARAMETERS,
};

const Route api_reconciliation_routes[] = {
    { .name = "listReconciliation",
      .method = METHOD_GET,
      .path = "/v1/reconciliation",
      .scope = "invoices:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID, ERR_PARAMETER_INVALID, ERR_ACCOUNT_NOT_FOUND),
      .handler = reconciliation_list,
      .doc = "Late usage of closed periods: what was settled, or what waits." },
};
const size_t api_reconciliation_route_count =
    sizeof api_reconciliation_routes / sizeof *api_reconciliation_routes;
