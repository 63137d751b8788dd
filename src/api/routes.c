// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

#include "http/openapi.h"

#ifndef TOLL_VERSION
#define TOLL_VERSION "0.0.0"
#endif

#define LIST(name) { api_##name##_routes, api_##name##_route_count }

Router *api_router_open(void)
{
    const RouteList lists[] = {
        LIST(measurements), LIST(usage),
#if __has_include("api/meters.c")
        LIST(meters),
#endif
#if __has_include("api/accounts.c")
        LIST(accounts),
#endif
#if __has_include("api/plans.c")
        LIST(plans),
#endif
#if __has_include("api/subscriptions.c")
        LIST(subscriptions),
#endif
#if __has_include("api/rate.c")
        LIST(rate),
#endif
#if __has_include("api/bills.c")
        LIST(bills),
#endif
        LIST(operations),
    };
    return router_open(lists, sizeof lists / sizeof *lists);
}

void api_openapi_print(Text *text)
{
    static const char about[] =
        "Exact usage billing. Decimals leave as strings and enter as strings or numbers; times are "
        "RFC 3339 and leave in UTC; refusals are RFC 9457 problem documents.";
    Router     *router = api_router_open();
    OpenapiHead head = { STR("Toll"), STR(TOLL_VERSION), str_of(about) };
    openapi_print(router, &head, text);
    text_add_char(text, '\n');
    router_close(router);
}
