// SPDX-License-Identifier: Apache-2.0
// Subscriptions: an account on a plan. The caller's id makes a retry the same one.
#include "api/page.h"
#include "api/routes.h"
#include "api/subscription_shape.h"
#include "flow/invoice/change_preview.h"

enum { BODY_DEPTH = 24 };  // overrides of a plan document, in phases

static void subscription_answer(const Request *request, Response *response,
                                const SubscriptionHistory *history)
{
    JsonOut out = response_json(response);
    response_entity_tag(response, history->first->version);
    subscription_to_json(history, now_of(request), &out);
}

// A bill that cannot be told would be met when it is too late.
static Err *quantities_try(Request *request, const CatalogChange *change,
                           const Subscription *wanted)
{
    Server             *server = server_of(request);
    SubscriptionHistory made;
    OpenBillQuery       query = { .catalog = server->catalog,
                                  .partition = server->partition,
                                  .project = project_of(request),
                                  .as_of = SEQUENCE_NEWEST,
                                  .rated_at = change->now };
    if (wanted->quantities.length <= 2)  // none
        return NULL;
    TRY(catalog_subscription_check(change, wanted, &made));
    return made.first == NULL ? NULL : bill_check_subscription(request->arena, &query, &made);
}

static Err *subscription_put(Request *request, Response *response)
{
    Faults        faults = { .arena = request->arena };
    CatalogChange change;
    Json         *body;
    SubscriptionHistory stored;
    TRY(request_json_deep(request, BODY_DEPTH, &body));
    Subscription *wanted =
        subscription_from_json(request->arena, body, request_path(request, "id"), &faults);
    if (faults.first != NULL)
        return faults.first;
    TRY(server_change(request, &change));
    TRY(quantities_try(request, &change, wanted));
    TRY(catalog_subscription_put(&change, wanted, &stored));
    subscription_answer(request, response, &stored);
    return NULL;
}

static Err *subscription_get(Request *request, Response *response)
{
    SubscriptionHistory history;
    TRY(catalog_subscription_history(server_of(request)->catalog, request->arena,
                                     project_of(request), request_path(request, "id"), &history));
    subscription_answer(request, response, &history);
    return NULL;
}

static Err *subscription_list(Request *request, Response *response)
{
    CatalogPage          page;
    SubscriptionHistory *histories;
    size_t               found;
    Str                  account = STR_NONE;
    request_query(request, "account", &account);
    Str list = account.at == NULL
                   ? STR("subscriptions")
                   : str_print(request->arena, "subscriptions of %.*s", STR_ARG(account));
    TRY(page_read(request, list, &page));
    page.account = account;
    TRY(catalog_histories(server_of(request)->catalog, request->arena, &page, &histories, &found));
    size_t  count = page_rows(&page, found);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        subscription_to_json(&histories[i], now_of(request), &out);
    Str last = count == 0 ? STR_NONE : histories[count - 1].first->id;
    response_list_end(&out, page_next(request, list, &page, found, last));
    return NULL;
}

// ---- shapes and routes

static const Field body_fields[] = {
    MEMBER("id", TEXT, .least = 1, .most = 255, .doc = "The id in the path, when it is given."),
    MEMBER("account", TEXT, .required = true, .least = 1, .most = 255, .doc = "Who is billed."),
    MEMBER("plan", TEXT, .required = true, .least = 1, .most = 255, .doc = "What it is billed by."),
    MEMBER("planVersion", WHOLE, .nullable = true, .least = 1,
           .doc = "The version in force at startsAt when absent."),
    MEMBER("startsAt", INSTANT, .required = true,
           .doc = "Its first instant; it may lie in the past."),
    MEMBER("endsAt", INSTANT, .nullable = true, .doc = "The instant at which it is over."),
    MEMBER("quantities", MAP, .nullable = true, .of = KIND_JSON,
           .doc = "Named quantities that the plan prices: {\"seats\":5}; decimals, not negative."),
    MEMBER("overrides", JSON, .nullable = true,
           .doc = "A merge patch (RFC 7396) of the plan's document, with charges and discounts as "
                  "objects by id."),
    MEMBER("phases", ARRAY, .nullable = true, .of = KIND_JSON,
           .doc = "Other terms for its first periods, in place of the plan's own: {periods or "
                  "until, planVersion?, overrides?}, applied after overrides."),
    MEMBER("usageFilter", MAP, .nullable = true, .of = KIND_JSON,
           .doc = "{\"region\":[\"eu-1\"]}: only such events are its own."),
};
static const Shape body_shape =
    SHAPE("SubscriptionBody", body_fields, .doc = "The terms of a subscription.");

static const Field list_fields[] = { LIST_SHAPE("Subscriptions by id.", &subscription_shape) };
static const Shape list_shape =
    SHAPE("SubscriptionList", list_fields, .doc = "A page of subscriptions.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Only those of this account." },
};

const Route api_subscriptions_routes[] = {
    { .name = "putSubscription",
      .method = METHOD_PUT,
      .path = "/v1/subscriptions/{id}",
      .scope = "catalog:write",
      .takes = &body_shape,
      .gives = &subscription_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE,
              ERR_INVALID_TIMESTAMP, ERR_ACCOUNT_NOT_FOUND, ERR_PLAN_NOT_FOUND,
              ERR_PLAN_VERSION_NOT_FOUND, ERR_PLAN_NOT_PUBLISHED, ERR_PLAN_INVALID,
              ERR_SUBSCRIPTION_IMMUTABLE, ERR_SUBSCRIPTION_CANCELED, ERR_USAGE_CLAIMED_TWICE,
              ERR_CURRENCY_MISMATCH, ERR_AMOUNT_TOO_LARGE, ERR_PRECONDITION_FAILED),
      .handler = subscription_put,
      .doc = "Subscribe an account to a plan, or move the end of it." },
    { .name = "getSubscription",
      .method = METHOD_GET,
      .path = "/v1/subscriptions/{id}",
      .scope = "catalog:read",
      .gives = &subscription_shape,
      REFUSES(ERR_SUBSCRIPTION_NOT_FOUND),
      .handler = subscription_get,
      .doc = "One subscription." },
    { .name = "listSubscriptions",
      .method = METHOD_GET,
      .path = "/v1/subscriptions",
      .scope = "catalog:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = subscription_list,
      .doc = "The project's subscriptions." },
};
const size_t api_subscriptions_route_count =
    sizeof api_subscriptions_routes / sizeof *api_subscriptions_routes;
