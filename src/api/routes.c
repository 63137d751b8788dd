// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

#include "base/version.h"
#include "http/openapi.h"

#define LIST(name) { api_##name##_routes, api_##name##_route_count }

Router *api_router_open(void)
{
    const RouteList lists[] = {
        LIST(tax_rates), LIST(invoices), LIST(credit_notes), LIST(documents),
        LIST(measurements), LIST(voids), LIST(usage), LIST(meters), LIST(accounts), LIST(plans),
        LIST(migrations), LIST(subscriptions), LIST(subscription_changes), LIST(rate), LIST(bills),
        LIST(unbilled), LIST(settings), LIST(reconciliation), LIST(operations),
        LIST(operations_api), LIST(simulations), LIST(runs), LIST(test_clock), LIST(ledger),
        LIST(grants), LIST(packs), LIST(wallets), LIST(adjustments), LIST(top_up_rules),
        LIST(charges),
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
