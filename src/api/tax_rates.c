// SPDX-License-Identifier: Apache-2.0
// Rates of tax, dated, and the legal entity that sells.
#include "api/cursor.h"
#include "api/page.h"
#include "api/party_shape.h"
#include "api/routes.h"
#include "audit/audit.h"
#include "catalog/body.h"
#include "catalog/party.h"
#include "flow/invoice/tax_rate.h"
#include "price/tax.h"

// Who did it, into the audit trail, in the transaction of the deed.
static Err *deed_note(DbTx *tx, const Request *request, const char *action, Str object,
                      Str detail)
{
    const Principal *by = principal_of(request);
    AuditEntry       entry = { .tenant = by->project.id.tenant,
                               .project = by->project.id.id,
                               .at = now_of(request),
                               .who = str_print(db_arena(tx), "key:%.*s", STR_ARG(by->key_id)),
                               .action = str_of(action),
                               .object = object,
                               .detail = detail };
    return audit_add(tx, &entry);
}

typedef struct RateWork {
    const Request *request;
    StoredTaxRate *rate;
    Str            id;
    Instant        at;
    TaxRatePage    page;
    StoredTaxRate *rates;
    size_t         count;
} RateWork;

static Err *put_work(DbTx *tx, void *context)
{
    RateWork *work = context;
    TRY(tax_rate_put(tx, project_of(work->request), work->rate));
    return deed_note(tx, work->request, "taxRate.put", work->rate->id, work->rate->definition);
}

static Err *tax_rate_make(Request *request, Response *response)
{
    Faults   faults = { .arena = request->arena };
    RateWork work = { .request = request };
    Json    *body;
    TRY(request_json(request, &body));
    work.rate = tax_rate_from_json(request->arena, body, request_path(request, "id"), &faults);
    if (faults.first != NULL)
        return faults.first;
    work.rate->created_at = now_of(request);
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = put_work, .context = &work }));
    JsonOut out = response_json(response);
    tax_rate_to_json(work.rate, request->arena, &out);
    return NULL;
}

static Err *get_work(DbTx *tx, void *context)
{
    RateWork *work = context;
    return tax_rate_at(tx, project_of(work->request), work->id, work->at, &work->rate);
}

static Err *tax_rate_get(Request *request, Response *response)
{
    RateWork work = { .request = request, .id = request_path(request, "id"),
                      .at = now_of(request) };
    TRY(request_query_instant(request, "at", &work.at));
    TRY(db_read(server_of(request)->books, request->arena, get_work, &work));
    JsonOut out = response_json(response);
    tax_rate_to_json(work.rate, request->arena, &out);
    return NULL;
}

static Err *list_work(DbTx *tx, void *context)
{
    RateWork *work = context;
    return tax_rates(tx, &work->page, &work->rates, &work->count);
}

// A place is the instant and the id of the last row.
static Err *place_read(const Request *request, Str place, TaxRatePage *page)
{
    Str from = str_cut(&place, ' ');
    page->after_id = place;
    if (str_equal(from, STR("always")))
        page->after_from = INSTANT_FIRST;
    else if (!instant_parse(from, &page->after_from))
        return refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                      "the cursor does not belong to this list");
    return NULL;
}

static Str place_print(Arena *arena, const StoredTaxRate *last)
{
    Str from = last->effective_from.us == INSTANT_FIRST.us
                   ? STR("always")
                   : instant_print(arena, last->effective_from);
    return cursor_print(arena, STR("taxRates"),
                        str_print(arena, "%.*s %.*s", STR_ARG(from), STR_ARG(last->id)));
}

static Err *tax_rate_list(Request *request, Response *response)
{
    RateWork work = { .request = request, .page = { .project = project_of(request) } };
    Str      cursor, place;
    size_t   limit;
    TRY(request_limit(request, &limit));
    work.page.limit = limit + 1;
    if (request_query(request, "cursor", &cursor)) {
        TRY(cursor_parse(request->arena, cursor, STR("taxRates"), &place));
        TRY(place_read(request, place, &work.page));
    }
    TRY(db_read(server_of(request)->books, request->arena, list_work, &work));
    size_t  count = work.count > limit ? limit : work.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        tax_rate_to_json(&work.rates[i], request->arena, &out);
    response_list_end(&out, work.count > limit
                                ? place_print(request->arena, &work.rates[count - 1])
                                : STR_NONE);
    return NULL;
}

// ---- the legal entity

typedef struct EntityWork {
    const Request *request;
    Str            party;
} EntityWork;

static Err *entity_put_work(DbTx *tx, void *context)
{
    EntityWork *work = context;
    TRY(legal_entity_put(tx, project_of(work->request), work->party, now_of(work->request)));
    return deed_note(tx, work->request, "legalEntity.put", STR("legalEntity"), work->party);
}

static Err *entity_get_work(DbTx *tx, void *context)
{
    EntityWork *work = context;
    return legal_entity_get(tx, project_of(work->request), &work->party);
}

static void entity_answer(const Request *request, Response *response, Str party)
{
    JsonOut out = response_json(response);
    json_object(&out);
    party_members_to_json(PARTY_SELLER, party, request->arena, &out);
    json_object_end(&out);
}

static Err *entity_put(Request *request, Response *response)
{
    Faults     faults = { .arena = request->arena };
    EntityWork work = { .request = request };
    Json      *body;
    TRY(request_json(request, &body));
    if (body_members(body, party_members(PARTY_SELLER), &faults))
        work.party = party_from_json(PARTY_SELLER, body, &faults);
    if (faults.first != NULL)
        return faults.first;
    if (work.party.at == NULL)
        work.party = STR("{}");
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = entity_put_work, .context = &work }));
    entity_answer(request, response, work.party);
    return NULL;
}

static Err *entity_get(Request *request, Response *response)
{
    EntityWork work = { .request = request };
    TRY(db_read(server_of(request)->books, request->arena, entity_get_work, &work));
    entity_answer(request, response, work.party);
    return NULL;
}

// ---- shapes and routes

static const Field rate_body_fields[] = {
    MEMBER("id", TEXT, .least = 1, .most = 128, .doc = "The id in the path, when it is given."),
    MEMBER("name", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "As it stands on invoices; the id when absent."),
    MEMBER("percent", DECIMAL, .required = true, .doc = "0 to 100."),
    MEMBER("inclusive", BOOL, .nullable = true,
           .doc = "Amounts contain the tax; false when absent."),
    MEMBER("jurisdiction", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "Whose tax it is."),
    MEMBER("categories", ARRAY, .nullable = true, .of = KIND_TEXT, .least = 1, .most = 50,
           .doc = "Of charges (taxCategory) that bear it; all when absent."),
    MEMBER("effectiveFrom", INSTANT, .nullable = true,
           .doc = "From when on this version counts; always when absent."),
};
static const Shape rate_body_shape =
    SHAPE("TaxRateBody", rate_body_fields, .doc = "A version of a tax rate.");

static const Field rate_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),
    MEMBER("name", TEXT, .required = true, .doc = "As it stands on invoices."),
    MEMBER("percent", TEXT, .required = true, .doc = "0 to 100."),
    MEMBER("inclusive", BOOL, .required = true, .doc = "Amounts contain the tax."),
    MEMBER("jurisdiction", TEXT, .required = true, .nullable = true, .doc = "Whose tax it is."),
    MEMBER("categories", ARRAY, .required = true, .of = KIND_TEXT, .doc = "None: all."),
    MEMBER("effectiveFrom", INSTANT, .required = true, .nullable = true, .doc = "Null: always."),
};
static const Shape rate_shape = SHAPE("TaxRate", rate_fields, .doc = "A version of a tax rate.");

static const Field list_fields[] = { LIST_SHAPE("Versions by id and instant.", &rate_shape) };
static const Shape list_shape = SHAPE("TaxRateList", list_fields, .doc = "A page of tax rates.");

static const Field entity_fields[] = {
    MEMBER("legalName", TEXT, .nullable = true, .least = 1, .most = 255, .doc = "Who sells."),
    MEMBER("address", OBJECT, .nullable = true, .shape = &party_address_shape, .doc = "Where."),
    MEMBER("taxIds", ARRAY, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Its tax numbers."),
    MEMBER("taxRates", ARRAY, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Ids of rates for accounts that name none."),
    MEMBER("netDays", WHOLE, .nullable = true, .most = 365,
           .doc = "Days until an invoice is due, for accounts that name none."),
    MEMBER("taxRounding", ENUM, .nullable = true, .choices = tax_rounding_names,
           .doc = "What is rounded together: a rate's sum (usual), a line's, each, the invoice's."),
    MEMBER("invoicePrefix", TEXT, .nullable = true, .least = 1, .most = 32,
           .doc = "Before an invoice's number; each has a series of its own. INV- when absent."),
    MEMBER("creditNotePrefix", TEXT, .nullable = true, .least = 1, .most = 32,
           .doc = "Before a credit note's number. CN- when absent."),
    MEMBER("memo", TEXT, .nullable = true, .least = 1, .most = 1000,
           .doc = "A sentence on every invoice."),
};
static const Shape entity_shape =
    SHAPE("LegalEntity", entity_fields, .doc = "Who sells; what is absent is taken away.");

static const Parameter get_query[] = {
    { .name = "at", .kind = PARAMETER_INSTANT, .doc = "The version that counts then; now." },
};
static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_tax_rates_routes[] = {
    { .name = "putTaxRate",
      .method = METHOD_PUT,
      .path = "/v1/taxRates/{id}",
      .scope = "invoices:write",
      .takes = &rate_body_shape,
      .gives = &rate_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP,
              ERR_TAX_RATE_IMMUTABLE),
      .handler = tax_rate_make,
      .doc = "Add a version of a tax rate." },
    { .name = "getTaxRate",
      .method = METHOD_GET,
      .path = "/v1/taxRates/{id}",
      .scope = "invoices:read",
      QUERY(get_query),
      .gives = &rate_shape,
      REFUSES(ERR_TAX_RATE_NOT_FOUND),
      .handler = tax_rate_get,
      .doc = "The version that counts at an instant." },
    { .name = "listTaxRates",
      .method = METHOD_GET,
      .path = "/v1/taxRates",
      .scope = "invoices:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = tax_rate_list,
      .doc = "The project's tax rates, every version." },
    { .name = "putLegalEntity",
      .method = METHOD_PUT,
      .path = "/v1/legalEntity",
      .scope = "invoices:write",
      .takes = &entity_shape,
      .gives = &entity_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID),
      .handler = entity_put,
      .doc = "Who sells, as it stands on invoices from now on." },
    { .name = "getLegalEntity",
      .method = METHOD_GET,
      .path = "/v1/legalEntity",
      .scope = "invoices:read",
      .gives = &entity_shape,
      .handler = entity_get,
      .doc = "Who sells." },
};
const size_t api_tax_rates_route_count =
    sizeof api_tax_rates_routes / sizeof *api_tax_rates_routes;
