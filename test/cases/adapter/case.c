// SPDX-License-Identifier: Apache-2.0
#include "case.h"

#include "base/assert.h"
#include "price/rate_request.h"

const Json *case_member(const Json *object, const char *name)
{
    const Json *found = object == NULL ? NULL : json_find(object, str_of(name));
    return found == NULL || found->kind == JSON_NULL ? NULL : found;
}

Str case_text(const Json *object, const char *name)
{
    const Json *found = case_member(object, name);
    return found == NULL ? STR_NONE : found->text;
}

bool case_true(const Json *object, const char *name)
{
    const Json *found = case_member(object, name);
    return found != NULL && found->kind == JSON_TRUE;
}

bool case_knows(const Case *test, const char *const *members)
{
    for (const Json *member = test->config->first; member != NULL; member = member->next) {
        const char *const *known = members;
        while (*known != NULL && !str_equal(member->name, str_of(*known)))
            known++;
        if (*known == NULL)
            return false;
    }
    return true;
}

static Result differs(Case *test, const char *what, Str wanted, Str got)
{
    test->why =
        str_print(test->arena, "%s: wanted %.*s, got %.*s", what, STR_ARG(wanted), STR_ARG(got));
    return CASE_FAILED;
}

Result case_same(Case *test, const char *what, Str wanted, Str got)
{
    return str_equal(wanted, got) ? CASE_PASSED : differs(test, what, wanted, got);
}

Result case_equal(Case *test, const char *what, Rational wanted, Rational got)
{
    if (rational_compare(wanted, got) == 0)
        return CASE_PASSED;
    return differs(test, what, rational_print(test->arena, wanted),
                   rational_print(test->arena, got));
}

bool case_and(Result *sum, Result part)
{
    if (*sum == CASE_PASSED)
        *sum = part;
    return *sum == CASE_PASSED;
}

const Json *case_rate(Case *test, Str request)
{
    Json *body, *bill;
    Text  out = text_open(test->arena);
    Err  *err = json_parse_copy(test->arena, request, &body);
    if (err == NULL)
        err = rate_request(test->arena, body, &out);
    if (err != NULL) {
        test->why = str_print(test->arena, "refused: %.*s: %.*s", STR_ARG(err->pointer),
                              STR_ARG(err->detail));
        return NULL;
    }
    err = json_parse_copy(test->arena, text_str(&out), &bill);
    assert_that(err == NULL);
    return bill;
}

const Json *case_at(const Json *json, Str pointer)
{
    if (pointer.length == 0 || pointer.at[0] != '/')
        return NULL;
    Str rest = { pointer.at + 1, pointer.length - 1 };
    while (json != NULL && rest.length > 0) {
        Str      name = str_cut(&rest, '/');
        uint64_t index;
        if (json->kind != JSON_ARRAY) {
            json = json_find(json, name);
            continue;
        }
        json = str_whole(name, 1000000, &index) ? json->first : NULL;
        while (json != NULL && index-- > 0)
            json = json->next;
    }
    return json;
}

Rational case_number(Case *test, Str text)
{
    Rational number = rational_zero();
    bool     read = rational_parse(test->arena, text, &number);
    assert_that(read);
    return number;
}
