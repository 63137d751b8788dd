// SPDX-License-Identifier: Apache-2.0
// POST /v1/rate: the pricing core over HTTP. It stores nothing and reads nothing that is stored.
#include "api/bill_shape.h"
#include "api/routes.h"
#include "price/rate_request.h"

enum { RATE_DEPTH = 24 };  // a plan inside a request nests deeper than an event

static Err *rate_post(Request *request, Response *response)
{
    Json *body;
    TRY(request_json_deep(request, RATE_DEPTH, &body));
    return rate_request(request->arena, body, &response->body);
}

static const Field period_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "First instant of the period."),
    MEMBER("end", INSTANT, .required = true, .doc = "Its end, which is not part of it."),
};
static const Shape period_shape = SHAPE("RatePeriod", period_fields, .doc = "[start, end).");

static const Field committed_fields[] = {
    MEMBER("list", DECIMAL, .required = true, .doc = "At list prices."),
    MEMBER("net", DECIMAL, .required = true, .doc = "As billed, without a true-up."),
};
static const Shape committed_shape =
    SHAPE("RateCommitted", committed_fields, .doc = "Progress of a commitment's term.");

static const Field request_fields[] = {
    MEMBER("plan", JSON, .required = true, .doc = "A plan document."),
    MEMBER("period", OBJECT, .required = true, .shape = &period_shape, .doc = "What is billed."),
    MEMBER("usage", MAP, .of = KIND_JSON, .nullable = true,
           .doc = "By meter: a quantity, or a list of {group, quantity, events, at}."),
    MEMBER("quantities", MAP, .of = KIND_JSON, .nullable = true,
           .doc = "By name: a quantity, or a list of {from, value}."),
    MEMBER("activeFrom", INSTANT, .nullable = true,
           .doc = "When the subscription began, if within the period."),
    MEMBER("activeTo", INSTANT, .nullable = true, .doc = "When it ended, if within the period."),
    MEMBER("at", INSTANT, .nullable = true,
           .doc = "What counts as now; the end of the period when absent."),
    MEMBER("pauses", ARRAY, .shape = &period_shape, .nullable = true,
           .doc = "In which no fee, quantity or amount of the plan runs."),
    MEMBER("dueOnly", BOOL, .nullable = true,
           .doc = "Leaves out what is not due at that instant, before discounts."),
    MEMBER("committed", OBJECT, .shape = &committed_shape, .nullable = true,
           .doc = "What the earlier periods of the commitment's term counted."),
};
static const Shape request_shape =
    SHAPE("RateRequest", request_fields, .doc = "Usage to be priced by a plan.");

const Route api_rate_routes[] = {
    {
        .name = "rate",
        .method = METHOD_POST,
        .path = "/v1/rate",
        .scope = "catalog:read",
        .takes = &request_shape,
        .gives = &bill_rated_shape,
        REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_PLAN_INVALID,
                ERR_AMOUNT_TOO_LARGE),
        .doc = "Price usage by a plan document; nothing is stored.",
        .handler = rate_post,
    },
};
const size_t api_rate_route_count = sizeof api_rate_routes / sizeof *api_rate_routes;
