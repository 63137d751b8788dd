// SPDX-License-Identifier: Apache-2.0
// One-off charges: known for ever by account and key, so a repetition needs nothing else.
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "flow/invoice/bill_draw.h"
#include "flow/ledger/charge.h"

// ---- making one

typedef struct ChargeBody {
    Str     account, currency, description, key;
    Decimal amount;
    int     collect;
} ChargeBody;

#define CHARGE_FIELDS                                                                           \
    FIELD(ChargeBody, amount, "amount", DECIMAL, .required = true, .doc = "Above 0."),          \
        FIELD(ChargeBody, currency, "currency", TEXT, .required = true, .least = 3, .most = 3,  \
              .doc = "ISO 4217."),                                                              \
        FIELD(ChargeBody, description, "description", TEXT, .nullable = true, .least = 1,       \
              .most = 500, .doc = "What the customer reads."),                                  \
        FIELD(ChargeBody, collect, "collect", ENUM, .choices = charge_collects,                 \
              .nullable = true,                                                                 \
              .doc = "wallet: now, from credit, all of it or nothing; invoice, the default: the " \
                     "next invoice takes it.")

static const Field body_fields[] = {
    FIELD(ChargeBody, account, "account", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "Who pays."),
    CHARGE_FIELDS,
    FIELD(ChargeBody, key, "chargeKey", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "The caller's name for it, unique in the account for ever."),
};
static const Shape body_shape = SHAPE("ChargeBody", body_fields, .doc = "A one-off amount.");

// The words of /ingest/usage.
typedef struct IngestBody {
    ChargeBody charge;
    Str        tenant;
} IngestBody;

static const Field ingest_fields[] = {
    FIELD(IngestBody, tenant, "tenantId", TEXT, .least = 1, .most = 255,
          .doc = "The account, by its older name."),
    FIELD(IngestBody, charge.account, "account", TEXT, .least = 1, .most = 255, .doc = "Who pays."),
    CHARGE_FIELDS,
    FIELD(IngestBody, charge.key, "idempotency_key", TEXT, .least = 1, .most = 255,
          .doc = "The chargeKey; the Idempotency-Key header serves as well."),
};
static const Shape ingest_shape =
    SHAPE("ChargeEvent", ingest_fields, .doc = "A one-off amount in the words of /ingest/usage.");

typedef struct Charging {
    ChargeWanted  wanted;
    CreditGrants  grants;
    OpenDraws     open;
    AccountCharge charge;
    bool          added;
} Charging;

static void charge_to_json(const AccountCharge *charge, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", charge->id);
    json_string_member(out, "account", charge->account);
    json_string_member(out, "chargeKey", charge->key);
    money_member(out, arena, "amount", charge->amount);
    json_string_member(out, "currency", currency_code(&charge->amount.currency));
    text_member(out, "description", charge->description);
    json_string_member(out, "collect", str_of(charge_collects[charge->collect]));
    json_string_member(out, "at", instant_print(arena, charge->at));
    text_member(out, "invoice", charge->invoice);
    json_object_end(out);
}

static Err *charge_work(DbTx *tx, void *context)
{
    Charging *charging = context;
    return charge_add(tx, &charging->wanted, &charging->charge, &charging->added);
}

static CreditWallet wallet_of(const Charging *charging)
{
    return (CreditWallet){ charging->wanted.project, charging->wanted.charge.account,
                           charging->wanted.charge.amount.currency };
}

static Err *grants_work(DbTx *tx, void *context)
{
    Charging    *charging = context;
    CreditWallet wallet = wallet_of(charging);
    return credit_grants_active(tx, &wallet, &charging->grants);
}

typedef struct TaxesRead {
    const Charging *charging;
    const Drawing  *drawing;
    int64_t        *taxes;
} TaxesRead;

static Err *taxes_work(DbTx *tx, void *context)
{
    TaxesRead *read = context;
    return open_draw_taxes(tx, &read->charging->open, wallet_of(read->charging).currency,
                           read->drawing, &read->taxes);
}

// What grants begin or end within open periods needs bills up to then: rated here, and kept, so
// that the writer finds them. So are the taxes of those bills.
static Err *open_rate(Request *request, Charging *charging)
{
    Drawing   drawing;
    TaxesRead read = { charging, &drawing, NULL };
    if (charging->wanted.open.count == 0)
        return NULL;
    TRY(draw_begin(request->arena, charging->grants, charging->wanted.open, &drawing));
    draw_before_tax(&drawing);
    TRY(books_read(request, taxes_work, &read));
    charging->wanted.open_taxes = read.taxes;
    return NULL;
}

static Err *charge_write(Request *request, Charging *charging)
{
    TRY(open_rate(request, charging));
    return db_write(server_of(request)->books, request->arena,
                    (DbWrite){ .work = charge_work, .context = charging });
}

static Err *charge_collect(Request *request, Charging *charging)
{
    Server        *server = server_of(request);
    AccountCharge *charge = &charging->wanted.charge;
    OpenDrawQuery  query = { .open = { .catalog = server->catalog,
                                       .partition = server->partition,
                                       .project = project_of(request),
                                       .at = now_of(request),
                                       .as_of = SEQUENCE_NEWEST,
                                       .rated_at = now_of(request) },
                             .books = server->books,
                             .since = INSTANT_END };
    if (charge->collect != COLLECT_WALLET)
        return charge_write(request, charging);
    TRY(books_read(request, grants_work, charging));
    for (size_t i = 0; i < charging->grants.count; i++)
        if (charging->grants.at[i].effective_at.us < query.since.us)
            query.since = charging->grants.at[i].effective_at;
    TRY(bill_draw_open(request->arena, &query, charge->account, &charging->open));
    charging->wanted.open = open_draw_of(&charging->open, charge->amount.currency);
    Err *err = charge_write(request, charging);
    bill_draw_close(&charging->open);
    return err;
}

static Err *charge_make(Request *request, Response *response, const ChargeBody *body)
{
    Faults         faults = { .arena = request->arena };
    Charging       charging = { .wanted = { .project = project_of(request) } };
    AccountCharge *charge = &charging.wanted.charge;
    *charge = (AccountCharge){ .account = body->account,
                               .key = body->key,
                               .description = body->description,
                               .collect = body->collect == 0 ? COLLECT_INVOICE : COLLECT_WALLET,
                               .at = now_of(request) };
    if (money_currency(&faults, body->currency, &charge->amount.currency) &&
        money_amount(&faults, "/amount", body->amount, &charge->amount) &&
        charge->amount.minor <= 0)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/amount"), "amount must be above 0");
    if (faults.first != NULL)
        return faults.first;
    TRY(money_account(request, body->account));
    TRY(charge_collect(request, &charging));
    JsonOut out = response_json(response);
    charge_to_json(&charging.charge, request->arena, &out);
    response->status = charging.added ? 201 : 200;
    return NULL;
}

static Err *charge_post(Request *request, Response *response)
{
    ChargeBody body = { 0 };
    TRY(money_body(request, &body_shape, &body));
    return charge_make(request, response, &body);
}

static Err *charge_ingest(Request *request, Response *response)
{
    IngestBody body = { 0 };
    Str        key = request_header(request, "Idempotency-Key");
    Faults     faults = { .arena = request->arena };
    TRY(money_body(request, &ingest_shape, &body));
    if (body.charge.account.at == NULL)
        body.charge.account = body.tenant;
    if (body.charge.key.at == NULL)
        body.charge.key = key;
    if (body.charge.account.at == NULL)
        faults_add(&faults, ERR_FIELD_REQUIRED, STR("/account"), "account is required");
    else if (body.tenant.at != NULL && !str_equal(body.charge.account, body.tenant))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/tenantId"),
                   "tenantId and account name two accounts");
    if (body.charge.key.at == NULL || body.charge.key.length == 0)
        faults_add(&faults, ERR_FIELD_REQUIRED, STR("/idempotency_key"),
                   "idempotency_key is required, here or as a header");
    else if (body.charge.key.length > 255 || !str_is_utf8(body.charge.key) ||
             str_has_control(body.charge.key))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/idempotency_key"),
                   "idempotency_key must be 1 to 255 bytes of text");
    return faults.first != NULL ? faults.first : charge_make(request, response, &body.charge);
}

// ---- reading

typedef struct ChargesRead {
    ChargePage     page;
    Str            key;
    AccountCharge *found;
    size_t         count;
} ChargesRead;

static Err *one_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    CreditWallet wallet = { .project = read->page.project, .account = read->page.account };
    read->found = arena_new(db_arena(tx), AccountCharge);
    return charge_get(tx, &wallet, read->key, read->found);
}

static Err *charge_get_one(Request *request, Response *response)
{
    ChargesRead read = { .page = { .project = project_of(request),
                                   .account = request_path(request, "id") },
                         .key = request_path(request, "chargeKey") };
    TRY(money_account(request, read.page.account));
    TRY(books_read(request, one_work, &read));
    JsonOut out = response_json(response);
    charge_to_json(read.found, request->arena, &out);
    return NULL;
}

static Err *list_work(DbTx *tx, void *context)
{
    ChargesRead *read = context;
    return charges(tx, &read->page, &read->found, &read->count);
}

static Err *charge_list(Request *request, Response *response)
{
    CatalogPage page;
    ChargesRead read = { .page = { .project = project_of(request),
                                   .account = request_path(request, "id") } };
    Str list = str_print(request->arena, "charges of %.*s", STR_ARG(read.page.account));
    TRY(money_account(request, read.page.account));
    TRY(page_read(request, list, &page));
    read.page.after = page.after;
    read.page.limit = page.limit;
    TRY(books_read(request, list_work, &read));
    size_t  count = page_rows(&page, read.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        charge_to_json(&read.found[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : read.found[count - 1].key;
    response_list_end(&out, page_next(request, list, &page, read.count, last));
    return NULL;
}

// ---- routes

static const Field charge_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "chg_ and 26 characters, ordered by time."),
    MEMBER("account", TEXT, .required = true, .doc = "Who pays."),
    MEMBER("chargeKey", TEXT, .required = true, .doc = "The caller's name for it."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "With the currency's places."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("description", TEXT, .required = true, .nullable = true, .doc = "For the customer."),
    MEMBER("collect", ENUM, .required = true, .choices = charge_collects, .doc = "How."),
    MEMBER("at", INSTANT, .required = true, .doc = "When it was made."),
    MEMBER("invoice", TEXT, .required = true, .nullable = true,
           .doc = "Which has it; null: none yet, or the wallet paid."),
};
static const Shape charge_shape =
    SHAPE("AccountCharge", charge_fields, .doc = "A one-off amount.");

static const Field list_fields[] = { LIST_SHAPE("Charges by key.", &charge_shape) };
static const Shape list_shape =
    SHAPE("AccountChargeList", list_fields, .doc = "A page of charges.");
static const Parameter list_query[] = { PAGE_PARAMETERS };

#define CHARGE_REFUSES                                                                        \
    ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE,             \
        ERR_ACCOUNT_NOT_FOUND, ERR_CHARGE_CONFLICT, ERR_INSUFFICIENT_BALANCE

const Route api_charges_routes[] = {
    { .name = "createCharge",
      .method = METHOD_POST,
      .path = "/v1/charges",
      .at = AT_OWNER_PERHAPS,
      .scope = "charges:write",
      .takes = &body_shape,
      .gives = &charge_shape,
      .status = 201,
      .status_also = 200,
      REFUSES(CHARGE_REFUSES),
      .handler = charge_post,
      .doc = "Charge a one-off amount; 200 when the same charge was made before." },
    { .name = "ingestCharge",
      .method = METHOD_POST,
      .path = "/ingest/charge",
      .at = AT_OWNER_PERHAPS,
      .scope = "charges:write",
      .takes = &ingest_shape,
      .gives = &charge_shape,
      .status = 201,
      .status_also = 200,
      REFUSES(CHARGE_REFUSES),
      .handler = charge_ingest,
      .doc = "Charge a one-off amount, in other words." },
    { .name = "getCharge",
      .method = METHOD_GET,
      .path = "/v1/accounts/{id}/charges/{chargeKey}",
      .scope = "charges:read",
      .gives = &charge_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_CHARGE_NOT_FOUND),
      .handler = charge_get_one,
      .doc = "One charge." },
    { .name = "listCharges",
      .method = METHOD_GET,
      .path = "/v1/accounts/{id}/charges",
      .scope = "charges:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_CURSOR_INVALID),
      .handler = charge_list,
      .doc = "An account's charges." },
};
const size_t api_charges_route_count = sizeof api_charges_routes / sizeof *api_charges_routes;
