// SPDX-License-Identifier: Apache-2.0
// Accounts: whom usage is billed to. Usage makes them too; PUT gives them a name, a zone, a
// currency.
#include "api/page.h"
#include "api/party_shape.h"
#include "api/routes.h"

static void account_answer(Response *response, const Account *account)
{
    JsonOut out = response_json(response);
    response_entity_tag(response, account->version);
    account_to_json(account, &out);
}

static Err *account_put(Request *request, Response *response)
{
    Faults        faults = { .arena = request->arena };
    CatalogChange change;
    Json         *body;
    Account      *stored;
    TRY(request_json(request, &body));
    Account *account =
        account_from_json(request->arena, body, request_path(request, "id"), &faults);
    if (faults.first != NULL)
        return faults.first;
    TRY(server_change(request, &change));
    TRY(catalog_account_put(&change, account, &stored));
    account_answer(response, stored);
    return NULL;
}

static Err *account_get(Request *request, Response *response)
{
    Account *account;
    TRY(catalog_account_get(server_of(request)->catalog, request->arena, project_of(request),
                            request_path(request, "id"), &account));
    account_answer(response, account);
    return NULL;
}

static Err *account_list(Request *request, Response *response)
{
    CatalogPage page;
    Account    *accounts;
    size_t      found;
    TRY(page_read(request, STR("accounts"), &page));
    TRY(catalog_accounts(server_of(request)->catalog, request->arena, &page, &accounts, &found));
    size_t  count = page_rows(&page, found);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        account_to_json(&accounts[i], &out);
    Str last = count == 0 ? STR_NONE : accounts[count - 1].id;
    response_list_end(&out, page_next(request, STR("accounts"), &page, found, last));
    return NULL;
}

// ---- shapes and routes

static const char *const tax_statuses[] = { "taxable", "exempt", "reverseCharge", NULL };

static const Field body_fields[] = {
    MEMBER("id", TEXT, .least = 1, .most = 255, .doc = "The id in the path, when it is given."),
    MEMBER("name", TEXT, .nullable = true, .least = 1, .most = 255, .doc = "For people."),
    MEMBER("timeZone", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "IANA name: the zone of its periods, where the plan names none."),
    MEMBER("currency", TEXT, .nullable = true, .least = 3, .most = 3, .pattern = "^[A-Z]{3}$",
           .doc = "ISO 4217; plans in another currency are refused."),
    MEMBER("email", TEXT, .nullable = true, .least = 3, .most = 254, .doc = "Where to write to."),
    MEMBER("metadata", MAP, .nullable = true, .of = KIND_TEXT,
           .doc = "At most 50 texts of the caller's own."),
    MEMBER("legalName", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "As it stands on invoices; the name when absent."),
    MEMBER("address", OBJECT, .nullable = true, .shape = &party_address_shape,
           .doc = "As it stands on invoices."),
    MEMBER("taxIds", ARRAY, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Its tax numbers, as they stand on invoices."),
    MEMBER("taxRates", ARRAY, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Ids of tax rates; those of the legal entity when absent."),
    MEMBER("netDays", WHOLE, .nullable = true, .most = 365,
           .doc = "Days from an invoice to when it is due; the legal entity's, else 0."),
    MEMBER("taxStatus", ENUM, .nullable = true, .choices = tax_statuses,
           .doc = "taxable when absent; the others bear no tax."),
    MEMBER("poNumber", TEXT, .nullable = true, .least = 1, .most = 255,
           .doc = "The buyer's order, as it stands on invoices."),
};
static const Shape body_shape =
    SHAPE("AccountBody", body_fields, .doc = "An account; what is absent is taken away.");

static const Field account_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),
    MEMBER("name", TEXT, .required = true, .nullable = true, .doc = "For people."),
    MEMBER("timeZone", TEXT, .required = true, .nullable = true, .doc = "IANA name."),
    MEMBER("currency", TEXT, .required = true, .nullable = true, .doc = "ISO 4217."),
    MEMBER("email", TEXT, .required = true, .nullable = true, .doc = "Where to write to."),
    MEMBER("metadata", MAP, .required = true, .of = KIND_TEXT, .doc = "The caller's own."),
    MEMBER("legalName", TEXT, .required = true, .nullable = true, .least = 1, .most = 255,
           .doc = "As it stands on invoices; the name when absent."),
    MEMBER("address", OBJECT, .required = true, .nullable = true, .shape = &party_address_shape,
           .doc = "As it stands on invoices."),
    MEMBER("taxIds", ARRAY, .required = true, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Its tax numbers, as they stand on invoices."),
    MEMBER("taxRates", ARRAY, .required = true, .nullable = true, .of = KIND_TEXT, .most = 10,
           .doc = "Ids of tax rates; those of the legal entity when absent."),
    MEMBER("netDays", WHOLE, .required = true, .nullable = true, .most = 365,
           .doc = "Days from an invoice to when it is due; the legal entity's, else 0."),
    MEMBER("taxStatus", ENUM, .required = true, .nullable = true, .choices = tax_statuses,
           .doc = "taxable when absent; the others bear no tax."),
    MEMBER("poNumber", TEXT, .required = true, .nullable = true, .least = 1, .most = 255,
           .doc = "The buyer's order, as it stands on invoices."),
    MEMBER("createdAt", INSTANT, .required = true, .doc = "When the row was made."),
    MEMBER("updatedAt", INSTANT, .required = true, .doc = "When it changed last."),
};
static const Shape account_shape =
    SHAPE("Account", account_fields, .doc = "Whom usage is billed to.");

static const Field list_fields[] = { LIST_SHAPE("Accounts by id.", &account_shape) };
static const Shape list_shape = SHAPE("AccountList", list_fields, .doc = "A page of accounts.");

static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_accounts_routes[] = {
    { .name = "putAccount",
      .method = METHOD_PUT,
      .path = "/v1/accounts/{id}",
      .scope = "catalog:write",
      .takes = &body_shape,
      .gives = &account_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID, ERR_CURRENCY_MISMATCH,
              ERR_PRECONDITION_FAILED),
      .handler = account_put,
      .doc = "Make or replace an account." },
    { .name = "getAccount",
      .method = METHOD_GET,
      .path = "/v1/accounts/{id}",
      .scope = "catalog:read",
      .gives = &account_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND),
      .handler = account_get,
      .doc = "One account." },
    { .name = "listAccounts",
      .method = METHOD_GET,
      .path = "/v1/accounts",
      .scope = "catalog:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = account_list,
      .doc = "The project's accounts, those that usage made included." },
};
const size_t api_accounts_route_count = sizeof api_accounts_routes / sizeof *api_accounts_routes;
