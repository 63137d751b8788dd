// SPDX-License-Identifier: Apache-2.0
// Packs of credit, and buying one.
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "catalog/body.h"
#include "flow/ledger/pack.h"

enum { PRIORITY_MAX = 1000000, DAYS_MAX = 36525 };

typedef struct PackBody {
    Str         id, name, currency;
    Decimal     amount, price;
    int64_t     priority, valid_days;
    const Json *applies_to;
} PackBody;

static const Field body_fields[] = {
    FIELD(PackBody, id, "id", TEXT, .least = 1, .most = 128, .doc = "The one in the path."),
    FIELD(PackBody, name, "name", TEXT, .nullable = true, .least = 1, .most = 255,
          .doc = "For people."),
    FIELD(PackBody, currency, "currency", TEXT, .required = true, .least = 3, .most = 3,
          .doc = "ISO 4217."),
    FIELD(PackBody, amount, "amount", DECIMAL, .required = true, .doc = "The credit; above 0."),
    FIELD(PackBody, price, "price", DECIMAL, .required = true, .doc = "What it costs; 0 or more."),
    FIELD(PackBody, priority, "priority", WHOLE, .nullable = true, .least = -PRIORITY_MAX,
          .most = PRIORITY_MAX, .doc = "Low is drawn first; 0 when absent."),
    FIELD(PackBody, valid_days, "validDays", WHOLE, .nullable = true, .least = 1,
          .most = DAYS_MAX, .doc = "Days of 24 hours from buying; for ever when absent."),
    FIELD(PackBody, applies_to, "appliesTo", OBJECT, .nullable = true,
          .shape = &applies_to_shape, .doc = "Everything when absent."),
};
static const Shape body_shape = SHAPE("PackBody", body_fields, .doc = "Credit for a price.");

static void pack_to_json(const CreditPack *pack, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", pack->id);
    text_member(out, "name", pack->name);
    json_string_member(out, "currency", currency_code(&pack->currency));
    money_member(out, arena, "amount", (Money){ pack->amount, pack->currency });
    money_member(out, arena, "price", (Money){ pack->price, pack->currency });
    json_whole_member(out, "priority", pack->priority);
    if (pack->valid_days == 0)
        json_null_member(out, "validDays");
    else
        json_whole_member(out, "validDays", pack->valid_days);
    money_applies_to_write(&pack->applies_to, out);
    json_string_member(out, "updatedAt", instant_print(arena, pack->updated_at));
    json_object_end(out);
}

static Err *pack_of(Request *request, const PackBody *body, CreditPack *pack)
{
    Faults faults = { .arena = request->arena };
    Money  money;
    *pack = (CreditPack){ .id = request_path(request, "id"),
                          .name = body->name,
                          .priority = body->priority,
                          .valid_days = body->valid_days,
                          .updated_at = now_of(request) };
    if (!name_is_valid(pack->id) || (body->id.at != NULL && !str_equal(body->id, pack->id)))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/id"),
                   "a pack's id is the path's: a letter or digit, then up to 127 of A-Z a-z 0-9 . "
                   "_ : -");
    money_applies_to(&faults, body->applies_to, &pack->applies_to);
    if (money_currency(&faults, body->currency, &money.currency)) {
        pack->currency = money.currency;
        if (money_amount(&faults, "/amount", body->amount, &money))
            pack->amount = money.minor;
        if (money_amount(&faults, "/price", body->price, &money))
            pack->price = money.minor;
    }
    if (faults.first == NULL && pack->amount <= 0)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/amount"), "amount must be above 0");
    if (faults.first == NULL && pack->price < 0)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/price"), "price must not be below 0");
    return faults.first;
}

typedef struct PackDeed {
    Request    *request;
    CreditPack  pack;
    PackPage    page;
    CreditPack *found;
    size_t      count;
} PackDeed;

static Err *put_work(DbTx *tx, void *context)
{
    PackDeed  *deed = context;
    CreditPack wanted = deed->pack;
    TRY(pack_put(tx, project_of(deed->request), &wanted));
    deed->found = arena_new(db_arena(tx), CreditPack);
    *deed->found = wanted;
    return money_audit(tx, deed->request, "pack.put", wanted.id);
}

static Err *pack_answer(Request *request, Response *response, const CreditPack *pack)
{
    JsonOut out = response_json(response);
    response_entity_tag(response, pack->version);
    pack_to_json(pack, request->arena, &out);
    return NULL;
}

static Err *pack_put_one(Request *request, Response *response)
{
    PackBody body = { 0 };
    PackDeed deed = { .request = request };
    TRY(money_body(request, &body_shape, &body));
    TRY(pack_of(request, &body, &deed.pack));
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = put_work, .context = &deed }));
    return pack_answer(request, response, deed.found);
}

static Err *get_work(DbTx *tx, void *context)
{
    PackDeed *deed = context;
    return pack_get(tx, project_of(deed->request), request_path(deed->request, "id"),
                    &deed->pack);
}

static Err *pack_get_one(Request *request, Response *response)
{
    PackDeed deed = { .request = request };
    TRY(books_read(request, get_work, &deed));
    return pack_answer(request, response, &deed.pack);
}

static Err *list_work(DbTx *tx, void *context)
{
    PackDeed *deed = context;
    return packs(tx, &deed->page, &deed->found, &deed->count);
}

static Err *pack_list(Request *request, Response *response)
{
    CatalogPage page;
    PackDeed    deed = { .request = request };
    TRY(page_read(request, STR("packs"), &page));
    deed.page = (PackPage){ project_of(request), page.after, page.limit };
    TRY(books_read(request, list_work, &deed));
    size_t  count = page_rows(&page, deed.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        pack_to_json(&deed.found[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : deed.found[count - 1].id;
    response_list_end(&out, page_next(request, STR("packs"), &page, deed.count, last));
    return NULL;
}

// ---- buying

typedef struct BuyBody {
    Str account;
    int paid_by;
} BuyBody;

static const Field buy_fields[] = {
    FIELD(BuyBody, account, "account", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "Who gets the credit."),
    FIELD(BuyBody, paid_by, "paidBy", ENUM, .nullable = true, .choices = grant_payers,
          .doc = "external: money that came in elsewhere; the default."),
};
static const Shape buy_shape = SHAPE("PackPurchase", buy_fields, .doc = "Who buys a pack.");

typedef struct Buying {
    Request *request;
    BuyBody  body;
} Buying;

static Err *buy_work(DbTx *tx, void *context, Text *body)
{
    Buying    *buying = context;
    Request   *request = buying->request;
    JsonOut    out = json_out(body);
    CreditPack pack;
    TRY(pack_get(tx, project_of(request), request_path(request, "id"), &pack));
    StoredGrant grant = pack_grant(request->arena, &pack, buying->body.account, now_of(request));
    if (grant.grant.price > 0)
        grant.paid_by = grant_payer(buying->body.paid_by);
    TRY(credit_grant_add(tx, project_of(request), &grant));
    grant_to_json(&grant, request->arena, &out);
    return money_audit(tx, request, "pack.buy", grant.grant.id);
}

static Err *pack_buy(Request *request, Response *response)
{
    Buying buying = { .request = request };
    TRY(money_body(request, &buy_shape, &buying.body));
    TRY(money_account(request, buying.body.account));
    return idempotent_write(request, response,
                            &(Idempotent){ KEY_REQUIRED, NULL, buy_work, &buying, 0 });
}

// ---- routes

static const Field pack_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),
    MEMBER("name", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "The credit."),
    MEMBER("price", DECIMAL, .required = true, .doc = "What it costs."),
    MEMBER("priority", WHOLE, .required = true, .doc = "Low is drawn first."),
    MEMBER("validDays", WHOLE, .required = true, .nullable = true, .doc = "null: for ever."),
    MEMBER("appliesTo", OBJECT, .required = true, .nullable = true, .shape = &applies_to_shape,
           .doc = "null: everything."),
    MEMBER("updatedAt", INSTANT, .required = true, .doc = "When it changed last."),
};
static const Shape pack_shape = SHAPE("Pack", pack_fields, .doc = "Credit for a price.");
static const Field list_fields[] = { LIST_SHAPE("Packs by id.", &pack_shape) };
static const Shape list_shape = SHAPE("PackList", list_fields, .doc = "A page of packs.");
static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_packs_routes[] = {
    { .name = "putPack",
      .method = METHOD_PUT,
      .path = "/v1/packs/{id}",
      .scope = "credits:write",
      .takes = &body_shape,
      .gives = &pack_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE),
      .handler = pack_put_one,
      .doc = "Make or replace a pack; what was bought stays as it was." },
    { .name = "getPack",
      .method = METHOD_GET,
      .path = "/v1/packs/{id}",
      .scope = "credits:read",
      .gives = &pack_shape,
      REFUSES(ERR_PACK_NOT_FOUND),
      .handler = pack_get_one,
      .doc = "One pack." },
    { .name = "listPacks",
      .method = METHOD_GET,
      .path = "/v1/packs",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = pack_list,
      .doc = "The project's packs." },
    { .name = "buyPack",
      .method = METHOD_POST,
      .path = "/v1/packs/{id}/buy",
      .scope = "credits:write",
      .takes = &buy_shape,
      .gives = &grant_shape,
      .status = 201,
      REFUSES(IDEMPOTENCY_REFUSES, ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID,
              ERR_ACCOUNT_NOT_FOUND, ERR_PACK_NOT_FOUND, ERR_INSUFFICIENT_BALANCE),
      .handler = pack_buy,
      .doc = "Buy a pack for an account: its credit becomes a grant." },
};
const size_t api_packs_route_count = sizeof api_packs_routes / sizeof *api_packs_routes;
