// SPDX-License-Identifier: Apache-2.0
// Grants: credit that an account was given or bought.
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/random.h"

// ---- making one

typedef struct GrantBody {
    Str         account, currency, description;
    Decimal     amount, price;
    int         kind, timing, paid_by;
    int64_t     priority;
    Instant     effective_at, expires_at;
    const Json *applies_to;
} GrantBody;

enum { ABSENT = -1, PRIORITY_MAX = 1000000 };
#define NO_PRICE ((Decimal){ (Int128)1 << 126 })  // beyond what can be sent

static const char *const kinds[] = { "paid", "promotional", NULL };
static const char *const timings[] = { "beforeTax", "afterTax", NULL };

static const Field body_fields[] = {
    FIELD(GrantBody, account, "account", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "Whose wallet."),
    FIELD(GrantBody, amount, "amount", DECIMAL, .required = true, .doc = "Above 0."),
    FIELD(GrantBody, currency, "currency", TEXT, .required = true, .least = 3, .most = 3,
          .doc = "ISO 4217."),
    FIELD(GrantBody, kind, "kind", ENUM, .required = true, .choices = kinds,
          .doc = "Whether somebody paid."),
    FIELD(GrantBody, price, "price", DECIMAL, .nullable = true,
          .doc = "What was paid: the amount when absent; 0 of promotional ones."),
    FIELD(GrantBody, paid_by, "paidBy", ENUM, .choices = grant_payers, .nullable = true,
          .doc = "external: money that came in elsewhere; the default."),
    FIELD(GrantBody, priority, "priority", WHOLE, .nullable = true, .least = -PRIORITY_MAX,
          .most = PRIORITY_MAX, .doc = "Low is drawn first; 0 when absent."),
    FIELD(GrantBody, effective_at, "effectiveAt", INSTANT, .nullable = true,
          .doc = "It pays for usage from then on; now when absent."),
    FIELD(GrantBody, expires_at, "expiresAt", INSTANT, .nullable = true,
          .doc = "And until then; for ever when absent."),
    FIELD(GrantBody, applies_to, "appliesTo", OBJECT, .nullable = true,
          .shape = &applies_to_shape, .doc = "Everything when absent."),
    FIELD(GrantBody, timing, "creditTiming", ENUM, .choices = timings, .nullable = true,
          .doc = "promotional: beforeTax when absent; paid: afterTax."),
    FIELD(GrantBody, description, "description", TEXT, .nullable = true, .least = 1, .most = 500,
          .doc = "For people."),
};
static const Shape body_shape = SHAPE("GrantBody", body_fields, .doc = "Credit for an account.");

static void price_read(const GrantBody *body, Faults *faults, StoredGrant *stored)
{
    CreditGrant *grant = &stored->grant;
    Money        price = { 0, grant->currency };
    grant->price = grant->kind == GRANT_PAID ? grant->amount : 0;
    if (body->price.e12 < 0)
        faults_add(faults, ERR_FIELD_INVALID, STR("/price"), "price must not be below 0");
    else if (decimal_compare(body->price, NO_PRICE) != 0 &&
             money_amount(faults, "/price", body->price, &price))
        grant->price = price.minor;
    if (grant->kind == GRANT_PROMOTIONAL && grant->price > 0)
        faults_add(faults, ERR_FIELD_INVALID, STR("/price"), "nobody pays for promotional credit");
    stored->paid_by = grant->price == 0 ? PAID_BY_NOBODY : grant_payer(body->paid_by);
}

static Err *grant_of(Request *request, const GrantBody *body, StoredGrant *stored)
{
    Faults       faults = { .arena = request->arena };
    CreditGrant *grant = &stored->grant;
    Money        amount;
    *stored = (StoredGrant){ .state = GRANT_ACTIVE,
                             .origin = STR("grant"),
                             .description = body->description,
                             .created_at = now_of(request) };
    grant->id = random_id(request->arena, "grt_");
    grant->account = body->account;
    grant->kind = body->kind == 0 ? GRANT_PAID : GRANT_PROMOTIONAL;
    grant->priority = body->priority;
    grant->effective_at = body->effective_at;
    grant->expires_at = body->expires_at;
    grant->timing = body->timing == ABSENT ? (grant->kind == GRANT_PAID ? CREDIT_AFTER_TAX
                                                                        : CREDIT_BEFORE_TAX)
                                           : (CreditTiming)body->timing;
    money_applies_to(&faults, body->applies_to, &grant->applies_to);
    if (grant->expires_at.us <= grant->effective_at.us)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/expiresAt"),
                   "expiresAt must be behind effectiveAt");
    if (money_currency(&faults, body->currency, &amount.currency)) {
        grant->currency = amount.currency;
        if (money_amount(&faults, "/amount", body->amount, &amount)) {
            if (amount.minor <= 0)
                faults_add(&faults, ERR_FIELD_INVALID, STR("/amount"), "amount must be above 0");
            grant->amount = amount.minor;
        }
        price_read(body, &faults, stored);
    }
    return faults.first;
}

typedef struct Granting {
    Request    *request;
    StoredGrant grant;
} Granting;

static Err *grant_work(DbTx *tx, void *context, Text *body)
{
    Granting *granting = context;
    Request  *request = granting->request;
    JsonOut   out = json_out(body);
    TRY(credit_grant_add(tx, project_of(request), &granting->grant));
    grant_to_json(&granting->grant, request->arena, &out);
    return money_audit(tx, request, "grant.add", granting->grant.grant.id);
}

static Err *grant_post(Request *request, Response *response)
{
    Granting  granting = { .request = request };
    GrantBody body = { .price = NO_PRICE,
                       .timing = ABSENT,
                       .effective_at = now_of(request),
                       .expires_at = INSTANT_END };
    TRY(money_body(request, &body_shape, &body));
    TRY(grant_of(request, &body, &granting.grant));
    TRY(money_account(request, body.account));
    return idempotent_write(request, response,
                            &(Idempotent){ KEY_REQUIRED, NULL, grant_work, &granting, 0 });
}

// ---- revoking

typedef struct RevokeBody {
    int mode;
} RevokeBody;

static const char *const modes[] = { "forfeit", "refund", "refundToBalance", NULL };

static const Field revoke_fields[] = {
    FIELD(RevokeBody, mode, "mode", ENUM, .required = true, .choices = modes,
          .doc = "forfeit: what was paid for the rest is kept; refund: it left elsewhere; "
                 "refundToBalance: the customer's balance gets it."),
};
static const Shape revoke_shape = SHAPE("GrantRevoke", revoke_fields, .doc = "How it ends.");

typedef struct Revoking {
    Request    *request;
    GrantRevoke revoke;
} Revoking;

static Err *revoke_work(DbTx *tx, void *context, Text *body)
{
    Revoking   *revoking = context;
    Request    *request = revoking->request;
    JsonOut     out = json_out(body);
    StoredGrant grant;
    int64_t     value;
    TRY(credit_revoke(tx, &revoking->revoke, &value));
    TRY(credit_grant_get(tx, revoking->revoke.project, revoking->revoke.id, &grant));
    json_object(&out);
    json_name(&out, STR("grant"));
    grant_to_json(&grant, request->arena, &out);
    money_member(&out, request->arena, "value", (Money){ value, grant.grant.currency });
    json_object_end(&out);
    return money_audit(tx, request, "grant.revoke", revoking->revoke.id);
}

static Err *revoke_post(Request *request, Response *response)
{
    static const RevokeMode each[] = { REVOKE_FORFEIT, REVOKE_REFUND, REVOKE_REFUND_TO_BALANCE };
    RevokeBody              body = { 0 };
    Revoking                revoking = { .request = request };
    TRY(money_body(request, &revoke_shape, &body));
    revoking.revoke = (GrantRevoke){ project_of(request), request_path(request, "id"),
                                     each[body.mode], now_of(request) };
    return idempotent_write(request, response,
                            &(Idempotent){ KEY_OPTIONAL, NULL, revoke_work, &revoking, 0 });
}

// ---- reading

typedef struct GrantsRead {
    GrantPage    page;
    StoredGrant *grants;
    size_t       count;
} GrantsRead;

static Err *one_work(DbTx *tx, void *context)
{
    GrantsRead *read = context;
    read->grants = arena_new(db_arena(tx), StoredGrant);
    return credit_grant_get(tx, read->page.project, read->page.after, read->grants);
}

static Err *grant_get(Request *request, Response *response)
{
    GrantsRead read = { .page = { .project = project_of(request),
                                  .after = request_path(request, "id") } };
    TRY(books_read(request, one_work, &read));
    JsonOut out = response_json(response);
    grant_to_json(read.grants, request->arena, &out);
    return NULL;
}

static Err *list_work(DbTx *tx, void *context)
{
    GrantsRead *read = context;
    return credit_grants(tx, &read->page, &read->grants, &read->count);
}

static Err *grant_list(Request *request, Response *response)
{
    CatalogPage page;
    GrantsRead  read = { .page = { .project = project_of(request) } };
    request_query(request, "account", &read.page.account);
    Str list = str_print(request->arena, "grants of %.*s", STR_ARG(read.page.account));
    TRY(page_read(request, list, &page));
    read.page.after = page.after;
    read.page.limit = page.limit;
    TRY(books_read(request, list_work, &read));
    size_t  count = page_rows(&page, read.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        grant_to_json(&read.grants[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : read.grants[count - 1].grant.id;
    response_list_end(&out, page_next(request, list, &page, read.count, last));
    return NULL;
}

// ---- routes

static const Field revoked_fields[] = {
    MEMBER("grant", OBJECT, .required = true, .shape = &grant_shape, .doc = "As it is now."),
    MEMBER("value", DECIMAL, .required = true, .doc = "What was paid for what was left."),
};
static const Shape revoked_shape =
    SHAPE("RevokedGrant", revoked_fields, .doc = "What became of it.");

static const Field list_fields[] = { LIST_SHAPE("Grants by id.", &grant_shape) };
static const Shape list_shape = SHAPE("GrantList", list_fields, .doc = "A page of grants.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Of this account only." },
};

const Route api_grants_routes[] = {
    { .name = "createGrant",
      .method = METHOD_POST,
      .path = "/v1/grants",
      .scope = "credits:write",
      .takes = &body_shape,
      .gives = &grant_shape,
      .status = 201,
      REFUSES(IDEMPOTENCY_REFUSES, ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID,
              ERR_INVALID_VALUE, ERR_INVALID_TIMESTAMP, ERR_ACCOUNT_NOT_FOUND,
              ERR_INSUFFICIENT_BALANCE, ERR_LEDGER_MONTH_CLOSED, ERR_AMOUNT_TOO_LARGE),
      .handler = grant_post,
      .doc = "Give an account credit, paid for or not." },
    { .name = "getGrant",
      .method = METHOD_GET,
      .path = "/v1/grants/{id}",
      .scope = "credits:read",
      .gives = &grant_shape,
      REFUSES(ERR_GRANT_NOT_FOUND),
      .handler = grant_get,
      .doc = "One grant." },
    { .name = "listGrants",
      .method = METHOD_GET,
      .path = "/v1/grants",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = grant_list,
      .doc = "Grants, those that ended included." },
    { .name = "revokeGrant",
      .method = METHOD_POST,
      .path = "/v1/grants/{id}/revoke",
      .scope = "credits:write",
      .takes = &revoke_shape,
      .gives = &revoked_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_GRANT_NOT_FOUND,
              ERR_GRANT_ENDED),
      .handler = revoke_post,
      .doc = "End a grant now; usage until now can still be paid by what comes back to it." },
};
const size_t api_grants_route_count = sizeof api_grants_routes / sizeof *api_grants_routes;
