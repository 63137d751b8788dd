// SPDX-License-Identifier: Apache-2.0
#include "catalog/account.h"

#include "catalog/body.h"
#include "catalog/party.h"
#include "money/currency.h"
#include "time/zone.h"

enum {
    NAME_BYTES = 255,
    EMAIL_BYTES = 254,
    METADATA_MEMBERS = 50,
    METADATA_KEY = 40,
    METADATA_VALUE = 500
};

static const char *const members[] = {
    "id",      "name",   "timeZone", "currency", "email",     "metadata", "legalName",
    "address", "taxIds", "taxRates", "netDays",  "taxStatus", "poNumber", NULL,
};

static void metadata_check(const Json *object, Faults *faults)
{
    if (object->kind != JSON_OBJECT || object->count > METADATA_MEMBERS) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/metadata"),
                   "metadata is an object of at most %d texts", METADATA_MEMBERS);
        return;
    }
    for (const Json *member = object->first; member != NULL; member = member->next)
        if (member->kind != JSON_STRING || member->name.length < 1 ||
            member->name.length > METADATA_KEY || member->text.length > METADATA_VALUE)
            faults_add(faults, ERR_FIELD_INVALID,
                       pointer_of(faults->arena, STR("/metadata"), member->name),
                       "metadata holds texts of at most %d bytes under names of 1 to %d",
                       METADATA_VALUE, METADATA_KEY);
}

// Names ascending, so that equal metadata is equal text.
static Str metadata_text(Arena *arena, const Json *object)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    size_t  count = object == NULL ? 0 : object->count;
    Str    *names = arena_array(arena, Str, count);
    size_t  place = 0;
    for (const Json *member = count == 0 ? NULL : object->first; member != NULL;
         member = member->next)
        names[place++] = member->name;
    texts_sort(names, count);
    json_object(&out);
    for (size_t i = 0; i < count; i++) {
        json_name(&out, names[i]);
        json_value(&out, json_find(object, names[i]));
    }
    json_object_end(&out);
    return text_str(&text);
}

static void texts_check(const Account *account, Faults *faults)
{
    Currency currency;
    if (account->time_zone.at != NULL && zone_find(account->time_zone) == NULL)
        faults_add(faults, ERR_FIELD_INVALID, STR("/timeZone"),
                   "timeZone must be UTC or a name of the IANA database such as Europe/Berlin");
    if (account->currency.at != NULL && !currency_find(account->currency, &currency))
        faults_add(faults, ERR_FIELD_INVALID, STR("/currency"),
                   "currency must be an ISO 4217 code in capitals");
    if (account->email.at != NULL) {
        Str rest = account->email;
        Str local = str_cut(&rest, '@');
        if (local.length == 0 || rest.length == 0)
            faults_add(faults, ERR_FIELD_INVALID, STR("/email"),
                       "email must be an address with an @");
    }
}

Account *account_from_json(Arena *arena, const Json *body, Str id, Faults *faults)
{
    Account *account = arena_new(arena, Account);
    account->id = id;
    if (!foreign_id_is_valid(id))
        faults_add(faults, ERR_PARAMETER_INVALID, STR_NONE,
                   "an account's id has 1 to 255 bytes of UTF-8 without control characters");
    if (!body_members(body, members, faults))
        return account;
    body_id(body, id, faults);
    account->name = body_text(body, "name", NAME_BYTES, faults);
    account->time_zone = body_text(body, "timeZone", NAME_BYTES, faults);
    account->currency = body_text(body, "currency", 3, faults);
    account->email = body_text(body, "email", EMAIL_BYTES, faults);
    texts_check(account, faults);
    account->billing = party_from_json(PARTY_BUYER, body, faults);
    const Json *metadata = body_find(body, "metadata");
    if (metadata != NULL)
        metadata_check(metadata, faults);
    account->metadata =
        metadata_text(arena, metadata != NULL && metadata->kind == JSON_OBJECT ? metadata : NULL);
    return account;
}

static void optional_member(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

void account_to_json(const Account *account, JsonOut *out)
{
    AUTO(Arena) arena = arena_open();
    json_object(out);
    json_string_member(out, "id", account->id);
    optional_member(out, "name", account->name);
    optional_member(out, "timeZone", account->time_zone);
    optional_member(out, "currency", account->currency);
    optional_member(out, "email", account->email);
    json_raw_member(out, "metadata", account->metadata);
    party_members_to_json(PARTY_BUYER, account->billing, arena, out);
    json_string_member(out, "createdAt", instant_print(arena, account->created_at));
    json_string_member(out, "updatedAt", instant_print(arena, account->updated_at));
    json_object_end(out);
}
