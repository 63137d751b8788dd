// SPDX-License-Identifier: Apache-2.0
#include "catalog/party.h"

#include "base/assert.h"
#include "catalog/body.h"
#include "price/patch.h"
#include "price/tax.h"

static const char *const buyer_members[] = { "legalName", "address",   "taxIds",   "taxRates",
                                             "netDays",   "taxStatus", "poNumber", NULL };
static const char *const seller_members[] = {
    "legalName",   "address",       "taxIds",           "taxRates", "netDays",
    "taxRounding", "invoicePrefix", "creditNotePrefix", "memo",     NULL
};
static const char *const address_members[] = { "line1",  "line2",      "city",
                                               "region", "postalCode", "country", NULL };

enum { ADDRESS_BYTES = 255, PREFIX_BYTES = 32, MEMO_BYTES = 1000 };

const char *const *party_members(PartyKind kind)
{
    return kind == PARTY_BUYER ? buyer_members : seller_members;
}

// ---- reading

static bool is_address_member(Str name)
{
    for (const char *const *member = address_members; *member != NULL; member++)
        if (str_equal(name, str_of(*member)))
            return true;
    return false;
}

static void address_check(const Json *body, Faults *faults)
{
    const Json *address = body_find(body, "address");
    if (address == NULL)
        return;
    if (address->kind != JSON_OBJECT) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/address"), "address is an object of texts");
        return;
    }
    for (const Json *member = address->first; member != NULL; member = member->next) {
        Str pointer = pointer_of(faults->arena, STR("/address"), member->name);
        if (!is_address_member(member->name))
            faults_add(faults, ERR_UNKNOWN_MEMBER, pointer, "an address has no such member");
        else if (member->kind != JSON_STRING || member->text.length > ADDRESS_BYTES ||
                 str_has_control(member->text))
            faults_add(faults, ERR_FIELD_INVALID, pointer, "a text of at most %d bytes",
                       ADDRESS_BYTES);
    }
}

static void texts_check(const Json *body, const char *name, size_t most, Faults *faults)
{
    const Json *list = body_find(body, name);
    Str         pointer = str_print(faults->arena, "/%s", name);
    if (list == NULL)
        return;
    if (list->kind != JSON_ARRAY || list->count > most) {
        faults_add(faults, ERR_FIELD_INVALID, pointer, "%s is a list of at most %zu texts", name,
                   most);
        return;
    }
    size_t place = 0;
    for (const Json *text = list->first; text != NULL; text = text->next, place++) {
        bool is_twice = false;
        for (const Json *before = list->first; before != text; before = before->next)
            is_twice = is_twice || str_equal(before->text, text->text);
        if (text->kind != JSON_STRING || text->text.length < 1 ||
            text->text.length > PARTY_NAME_BYTES || str_has_control(text->text) || is_twice)
            faults_add(faults, ERR_FIELD_INVALID, pointer_at(faults->arena, pointer, place),
                       "a text of 1 to %d bytes, none twice", PARTY_NAME_BYTES);
    }
}

static void choice_check(const Json *body, const char *name, const char *const *choices,
                         Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member == NULL)
        return;
    for (size_t i = 0; member->kind == JSON_STRING && choices[i] != NULL; i++)
        if (str_equal(member->text, str_of(choices[i])))
            return;
    faults_add(faults, ERR_FIELD_INVALID, str_print(faults->arena, "/%s", name),
               "%s must be one of %.*s", name, STR_ARG(str_list(faults->arena, choices)));
}

static void days_check(const Json *body, Faults *faults)
{
    const Json *days = body_find(body, "netDays");
    uint64_t    number;
    if (days != NULL &&
        (days->kind != JSON_NUMBER || !str_whole(days->text, NET_DAYS_MAX, &number)))
        faults_add(faults, ERR_FIELD_INVALID, STR("/netDays"),
                   "netDays is a whole number of at most %d", NET_DAYS_MAX);
}

static void members_check(PartyKind kind, const Json *body, Faults *faults)
{
    static const char *const statuses[] = { "taxable", "exempt", "reverseCharge", NULL };
    body_text(body, "legalName", PARTY_NAME_BYTES, faults);
    address_check(body, faults);
    texts_check(body, "taxIds", PARTY_TAX_IDS_MAX, faults);
    texts_check(body, "taxRates", PARTY_RATES_MAX, faults);
    days_check(body, faults);
    if (kind == PARTY_BUYER) {
        choice_check(body, "taxStatus", statuses, faults);
        body_text(body, "poNumber", PARTY_NAME_BYTES, faults);
    } else {
        choice_check(body, "taxRounding", tax_rounding_names, faults);
        body_text(body, "invoicePrefix", PREFIX_BYTES, faults);
        body_text(body, "creditNotePrefix", PREFIX_BYTES, faults);
        body_text(body, "memo", MEMO_BYTES, faults);
    }
}

Str party_from_json(PartyKind kind, const Json *body, Faults *faults)
{
    Text    text = text_open(faults->arena);
    JsonOut out = json_out(&text);
    bool    is_empty = true;
    members_check(kind, body, faults);
    json_object(&out);
    for (const char *const *name = party_members(kind); *name != NULL; name++) {
        const Json *member = body_find(body, *name);
        if (member == NULL)
            continue;
        json_raw_member(&out, *name, json_canonical(faults->arena, member, STR_NONE));
        is_empty = false;
    }
    json_object_end(&out);
    return is_empty ? STR_NONE : text_str(&text);
}

// ---- writing

void party_members_to_json(PartyKind kind, Str party, Arena *arena, JsonOut *out)
{
    Json *stored = NULL;
    if (party.at != NULL) {
        Err *err = json_parse_copy(arena, party, &stored);
        assert_that(err == NULL);
    }
    for (const char *const *name = party_members(kind); *name != NULL; name++) {
        const Json *member = stored == NULL ? NULL : json_find(stored, str_of(*name));
        json_name(out, str_of(*name));
        if (member == NULL)
            json_null(out);
        else
            json_value(out, member);
    }
}
