// SPDX-License-Identifier: Apache-2.0
// Adjustments: somebody corrects a balance, and says why.
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/random.h"
#include "flow/ledger/adjustment.h"

typedef struct AdjustmentBody {
    Str     account, currency, reason_code, note;
    Decimal amount;
    int     target;
} AdjustmentBody;

static const Field body_fields[] = {
    FIELD(AdjustmentBody, account, "account", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "Whose balance."),
    FIELD(AdjustmentBody, amount, "amount", DECIMAL, .required = true,
          .doc = "Above 0: to the customer; below: from him."),
    FIELD(AdjustmentBody, currency, "currency", TEXT, .required = true, .least = 3, .most = 3,
          .doc = "ISO 4217."),
    FIELD(AdjustmentBody, target, "target", ENUM, .required = true, .choices = adjustment_targets,
          .doc = "customerBalance: used first on the next invoice; wallet: as credit."),
    FIELD(AdjustmentBody, reason_code, "reasonCode", TEXT, .required = true, .least = 1,
          .most = 64, .doc = "For the books: revenue is adjusted under this name."),
    FIELD(AdjustmentBody, note, "note", TEXT, .nullable = true, .least = 1, .most = 500,
          .doc = "For people."),
};
static const Shape body_shape =
    SHAPE("AdjustmentBody", body_fields, .doc = "A correction of a balance.");

static void adjustment_to_json(const Adjustment *adjustment, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", adjustment->id);
    json_string_member(out, "account", adjustment->account);
    money_member(out, arena, "amount", adjustment->amount);
    json_string_member(out, "currency", currency_code(&adjustment->amount.currency));
    json_string_member(out, "target", str_of(adjustment_targets[adjustment->target]));
    json_string_member(out, "reasonCode", adjustment->reason_code);
    text_member(out, "note", adjustment->note);
    json_string_member(out, "who", adjustment->who);
    json_string_member(out, "at", instant_print(arena, adjustment->at));
    json_object_end(out);
}

typedef struct Adjusting {
    Request   *request;
    Adjustment adjustment;
} Adjusting;

static Err *adjust_work(DbTx *tx, void *context, Text *body)
{
    Adjusting *adjusting = context;
    Request   *request = adjusting->request;
    JsonOut    out = json_out(body);
    TRY(adjustment_add(tx, project_of(request), &adjusting->adjustment));
    adjustment_to_json(&adjusting->adjustment, request->arena, &out);
    return money_audit(tx, request, "adjustment.add", adjusting->adjustment.id);
}

static Err *adjustment_post(Request *request, Response *response)
{
    AdjustmentBody body = { 0 };
    Faults         faults = { .arena = request->arena };
    Adjusting      adjusting = { .request = request };
    Adjustment    *adjustment = &adjusting.adjustment;
    TRY(money_body(request, &body_shape, &body));
    *adjustment = (Adjustment){ .id = random_id(request->arena, "adj_"),
                                .account = body.account,
                                .target = body.target == 0 ? ADJUST_CUSTOMER_BALANCE
                                                           : ADJUST_WALLET,
                                .reason_code = body.reason_code,
                                .note = body.note,
                                .who = money_who(request),
                                .at = now_of(request) };
    if (money_currency(&faults, body.currency, &adjustment->amount.currency) &&
        money_amount(&faults, "/amount", body.amount, &adjustment->amount) &&
        adjustment->amount.minor == 0)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/amount"), "amount must not be 0");
    if (faults.first != NULL)
        return faults.first;
    TRY(money_account(request, body.account));
    return idempotent_write(request, response,
                            &(Idempotent){ KEY_REQUIRED, NULL, adjust_work, &adjusting, 0 });
}

// ---- reading

typedef struct AdjustmentsRead {
    AdjustmentPage page;
    Adjustment    *found;
    size_t         count;
} AdjustmentsRead;

static Err *list_work(DbTx *tx, void *context)
{
    AdjustmentsRead *read = context;
    return adjustments(tx, &read->page, &read->found, &read->count);
}

static Err *adjustment_list(Request *request, Response *response)
{
    CatalogPage     page;
    AdjustmentsRead read = { .page = { .project = project_of(request) } };
    request_query(request, "account", &read.page.account);
    Str list = str_print(request->arena, "adjustments of %.*s", STR_ARG(read.page.account));
    TRY(page_read(request, list, &page));
    read.page.after = page.after;
    read.page.limit = page.limit;
    TRY(books_read(request, list_work, &read));
    size_t  count = page_rows(&page, read.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        adjustment_to_json(&read.found[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : read.found[count - 1].id;
    response_list_end(&out, page_next(request, list, &page, read.count, last));
    return NULL;
}

// ---- routes

static const Field adjustment_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "adj_ and 26 characters, ordered by time."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose balance."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "Above 0: to the customer."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("target", ENUM, .required = true, .choices = adjustment_targets, .doc = "What changed."),
    MEMBER("reasonCode", TEXT, .required = true, .doc = "Why, for the books."),
    MEMBER("note", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("who", TEXT, .required = true, .doc = "Whose key asked for it."),
    MEMBER("at", INSTANT, .required = true, .doc = "When."),
};
static const Shape adjustment_shape =
    SHAPE("Adjustment", adjustment_fields, .doc = "A correction of a balance.");

static const Field list_fields[] = { LIST_SHAPE("Adjustments by id.", &adjustment_shape) };
static const Shape list_shape =
    SHAPE("AdjustmentList", list_fields, .doc = "A page of adjustments.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Of this account only." },
};

const Route api_adjustments_routes[] = {
    { .name = "createAdjustment",
      .method = METHOD_POST,
      .path = "/v1/adjustments",
      .scope = "credits:write",
      .takes = &body_shape,
      .gives = &adjustment_shape,
      .status = 201,
      REFUSES(IDEMPOTENCY_REFUSES, ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID,
              ERR_INVALID_VALUE, ERR_ACCOUNT_NOT_FOUND, ERR_INSUFFICIENT_BALANCE),
      .handler = adjustment_post,
      .doc = "Correct a customer's balance or wallet, with a reason." },
    { .name = "listAdjustments",
      .method = METHOD_GET,
      .path = "/v1/adjustments",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = adjustment_list,
      .doc = "What was corrected." },
};
const size_t api_adjustments_route_count =
    sizeof api_adjustments_routes / sizeof *api_adjustments_routes;
