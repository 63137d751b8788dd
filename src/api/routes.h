// The routes of every resource. A resource file defines its own table and its size, and is listed
// here.
#pragma once

#include "http/router.h"

// In api/<resource>.c:
//   const Route  api_meters_routes[] = { ... };
//   const size_t api_meters_route_count = sizeof api_meters_routes / sizeof *api_meters_routes;
#define API_RESOURCE(name)                      \
    extern const Route  api_##name##_routes[];  \
    extern const size_t api_##name##_route_count;

API_RESOURCE(tax_rates)
API_RESOURCE(invoices)
API_RESOURCE(credit_notes)
API_RESOURCE(documents)
API_RESOURCE(measurements)
API_RESOURCE(voids)
API_RESOURCE(usage)
API_RESOURCE(operations)
API_RESOURCE(operations_api)
API_RESOURCE(simulations)
API_RESOURCE(runs)
API_RESOURCE(test_clock)
API_RESOURCE(meters)
API_RESOURCE(accounts)
API_RESOURCE(plans)
API_RESOURCE(migrations)
API_RESOURCE(subscriptions)
API_RESOURCE(subscription_changes)
API_RESOURCE(rate)
API_RESOURCE(bills)
API_RESOURCE(unbilled)
API_RESOURCE(settings)
API_RESOURCE(reconciliation)
API_RESOURCE(ledger)
API_RESOURCE(grants)
API_RESOURCE(packs)
API_RESOURCE(wallets)
API_RESOURCE(adjustments)
API_RESOURCE(top_up_rules)
API_RESOURCE(charges)

#undef API_RESOURCE

// All of them. Ended with router_close.
Router *api_router_open(void);
// The OpenAPI document of all of them.
void api_openapi_print(Text *text);
