// SPDX-License-Identifier: Apache-2.0
#include "api/money_body.h"

#include "audit/audit.h"
#include "base/digits.h"

enum { APPLIES_TO_MAX = 100 };

bool money_currency(Faults *faults, Str code, Currency *currency)
{
    if (currency_find(code, currency))
        return true;
    if (code.at != NULL)
        faults_add(faults, ERR_FIELD_INVALID, STR("/currency"),
                   "currency must be a code of ISO 4217 that is in use");
    return false;
}

bool money_amount(Faults *faults, const char *pointer, Decimal amount, Money *money)
{
    Int128 unit = digits_power(DECIMAL_PLACES - money->currency.places);
    Int128 minor = amount.e12 / unit;
    if (amount.e12 % unit != 0)
        faults_add(faults, ERR_FIELD_INVALID, str_of(pointer),
                   "an amount in %s has at most %d places", money->currency.code,
                   money->currency.places);
    else if (minor > INT64_MAX / 4 || minor < INT64_MIN / 4)
        faults_add(faults, ERR_FIELD_INVALID, str_of(pointer), "the amount is too large");
    else {
        money->minor = (int64_t)minor;
        return true;
    }
    return false;
}

// ---- what a grant applies to

static void texts_read(Faults *faults, const Json *list, Str pointer, Texts *texts)
{
    if (list == NULL || list->kind == JSON_NULL)
        return;
    if (list->kind != JSON_ARRAY || list->count == 0 || list->count > APPLIES_TO_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, pointer, "a list of 1 to %d ids", APPLIES_TO_MAX);
        return;
    }
    Str   *at = arena_array(faults->arena, Str, list->count);
    size_t count = 0;
    for (const Json *row = list->first; row != NULL; row = row->next) {
        if (row->kind != JSON_STRING || row->text.length == 0 || row->text.length > 128) {
            faults_add(faults, ERR_FIELD_INVALID, pointer, "an id is a text of 1 to 128 bytes");
            return;
        }
        at[count++] = row->text;
    }
    *texts = (Texts){ at, count };
}

void money_applies_to(Faults *faults, const Json *json, AppliesTo *to)
{
    if (json == NULL || json->kind == JSON_NULL)
        return;
    for (const Json *member = json->first; member != NULL; member = member->next)
        if (!str_equal(member->name, STR("charges")) && !str_equal(member->name, STR("meters")))
            faults_add(faults, ERR_UNKNOWN_MEMBER, STR("/appliesTo"),
                       "appliesTo holds charges and meters");
    texts_read(faults, json_find(json, STR("charges")), STR("/appliesTo/charges"), &to->charges);
    texts_read(faults, json_find(json, STR("meters")), STR("/appliesTo/meters"), &to->meters);
}

static void texts_write(JsonOut *out, const char *name, const Texts *texts)
{
    json_name(out, str_of(name));
    json_array(out);
    for (size_t i = 0; i < texts->count; i++)
        json_string(out, texts->at[i]);
    json_array_end(out);
}

void money_applies_to_write(const AppliesTo *to, JsonOut *out)
{
    json_name(out, STR("appliesTo"));
    if (to->charges.count == 0 && to->meters.count == 0) {
        json_null(out);
        return;
    }
    json_object(out);
    texts_write(out, "charges", &to->charges);
    texts_write(out, "meters", &to->meters);
    json_object_end(out);
}

static const Field applies_to_fields[] = {
    MEMBER("charges", ARRAY, .of = KIND_TEXT, .doc = "Ids of charges: up to 100."),
    MEMBER("meters", ARRAY, .of = KIND_TEXT, .doc = "Ids of meters: up to 100."),
};
const Shape applies_to_shape = SHAPE("AppliesTo", applies_to_fields,
                                     .doc = "Lines of these charges, and of these meters.");

// ---- requests

Err *money_account(Request *request, Str account)
{
    Catalog *catalog = server_of(request)->catalog;
    Account *row;
    if (catalog_account_known(catalog, project_of(request).id, account))
        return NULL;
    return catalog_account_get(catalog, request->arena, project_of(request), account, &row);
}

Err *money_body(Request *request, const Shape *shape, void *into)
{
    Faults faults = { .arena = request->arena };
    Json  *body;
    TRY(request_json(request, &body));
    shape_decode(shape, body, into, &faults);
    return faults.first;
}

Str money_who(const Request *request)
{
    return str_print(request->arena, "key:%.*s", STR_ARG(principal_of(request)->key_id));
}

Err *money_audit(DbTx *tx, const Request *request, const char *action, Str object)
{
    ProjectId  project = project_of(request);
    AuditEntry entry = { .tenant = project.tenant,
                         .project = project.id,
                         .at = now_of(request),
                         .who = money_who(request),
                         .action = str_of(action),
                         .object = object,
                         .detail = request->body.length == 0 ? STR_NONE : request->body };
    return audit_add(tx, &entry);
}

// ---- answers

void money_member(JsonOut *out, Arena *arena, const char *name, Money amount)
{
    json_string_member(out, name, money_print(arena, amount));
}

void text_member(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

void end_member(JsonOut *out, Arena *arena, const char *name, Instant end)
{
    if (end.us == INSTANT_END.us)
        json_null_member(out, name);
    else
        json_string_member(out, name, instant_print(arena, end));
}
