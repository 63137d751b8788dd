// SPDX-License-Identifier: Apache-2.0
// Open bills and the next invoice, computed on request and exact to the last acknowledged event.
#include "api/bill_shape.h"
#include "api/invoice_shape.h"
#include "api/routes.h"
#include "api/server.h"
#include "flow/bill/bill_open.h"
#include "flow/invoice/upcoming.h"

static Err *query_read(Request *request, OpenBillQuery *query)
{
    Server *server = server_of(request);
    Str     as_of;
    *query = (OpenBillQuery){
        .catalog = server->catalog,
        .partition = server->partition,
        .project = project_of(request),
        .as_of = SEQUENCE_NEWEST,
        .rated_at = now_of(request),
    };
    TRY(request_query_instant(request, "ratedAt", &query->rated_at));
    query->at = query->rated_at;
    TRY(request_query_instant(request, "at", &query->at));
    if (request_query(request, "asOf", &as_of))
        TRY(usage_sequence_parse(request->arena, as_of, &query->as_of));
    return NULL;
}

static Err *subscription_bill(Request *request, Response *response)
{
    OpenBillQuery query;
    TRY(query_read(request, &query));
    return bill_open_subscription(request->arena, &query, request_path(request, "id"),
                                  &response->body);
}

static Err *account_bill(Request *request, Response *response)
{
    OpenBillQuery query;
    TRY(query_read(request, &query));
    return bill_open_account(request->arena, &query, request_path(request, "id"), &response->body);
}

static Err *upcoming_invoice(Request *request, Response *response)
{
    OpenBillQuery query;
    TRY(query_read(request, &query));
    UpcomingQuery wanted = { .open = &query,
                             .books = server_of(request)->books,
                             .account = request_path(request, "id") };
    return upcoming_write(request->arena, &wanted, &response->body);
}

static const Parameter bill_query[] = {
    { .name = "at", .kind = PARAMETER_INSTANT,
      .doc = "A moment of the period asked for; ratedAt when absent." },
    { .name = "asOf", .kind = PARAMETER_TEXT,
      .doc = "A sequence of an earlier answer: later events do not count." },
    { .name = "ratedAt", .kind = PARAMETER_INSTANT,
      .doc = "What counts as now: changes recorded later are not known." },
};

static const Parameter invoice_query[] = {
    { .name = "asOf", .kind = PARAMETER_TEXT,
      .doc = "A sequence of an earlier answer: later events do not count." },
    { .name = "ratedAt", .kind = PARAMETER_INSTANT,
      .doc = "What counts as now: changes recorded later are not known." },
};

const Route api_bills_routes[] = {
    {
        .name = "getSubscriptionBill",
        .method = METHOD_GET,
        .path = "/v1/subscriptions/{id}/bill",
        .at = AT_OWNER_PERHAPS,
        .scope = "bills:read",
        QUERY(bill_query),
        .gives = &bill_open_shape,
        REFUSES(ERR_SUBSCRIPTION_NOT_FOUND, ERR_OUTSIDE_SUBSCRIPTION, ERR_AMOUNT_TOO_LARGE),
        .doc = "The bill of the period that holds `at`, exact at this moment.",
        .handler = subscription_bill,
    },
    {
        .name = "getAccountBill",
        .method = METHOD_GET,
        .path = "/v1/accounts/{id}/bill",
        .at = AT_OWNER_PERHAPS,
        .scope = "bills:read",
        QUERY(bill_query),
        .gives = &bill_account_shape,
        REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_AMOUNT_TOO_LARGE),
        .doc = "All open bills of an account, read at one moment.",
        .handler = account_bill,
    },
    {
        .name = "getUpcomingInvoice",
        .method = METHOD_GET,
        .path = "/v1/accounts/{id}/upcomingInvoice",
        .at = AT_OWNER_PERHAPS,
        .scope = "bills:read",
        QUERY(invoice_query),
        .gives = &upcoming_invoice_shape,
        REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_TAX_RATE_NOT_FOUND, ERR_AMOUNT_TOO_LARGE),
        .doc = "What is due at the account's next boundary in each currency, if nothing more "
               "happens.",
        .handler = upcoming_invoice,
    },
};
const size_t api_bills_route_count = sizeof api_bills_routes / sizeof *api_bills_routes;
