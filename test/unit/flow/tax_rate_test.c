// SPDX-License-Identifier: Apache-2.0
// Rates of tax as a body says them: what is refused names its member, what is kept compares as
// text.
#include "flow/invoice/tax_rate.h"

#include "in_arena.h"

static StoredTaxRate *rate_of(const char *body, const char *id, Faults *faults)
{
    Json *json;
    assert_null(json_parse_copy(arena, str_of(body), &json));
    *faults = (Faults){ .arena = arena };
    return tax_rate_from_json(arena, json, str_of(id), faults);
}

static void assert_refused(const char *body, const char *pointer, ErrCode code)
{
    Faults faults;
    rate_of(body, "vat", &faults);
    if (faults.count != 1)
        fail_msg("%zu faults in %s", faults.count, body);
    assert_int_equal(faults.first->code, code);
    assert_text(faults.first->pointer, pointer);
}

static const char *names_of(size_t count)
{
    Text text = text_open(arena);
    text_print(&text, "{\"percent\":1,\"categories\":[");
    for (size_t i = 0; i < count; i++)
        text_print(&text, "%s\"c%zu\"", i > 0 ? "," : "", i);
    text_print(&text, "]}");
    return str_terminated(arena, text_str(&text));
}

static void test_a_rate_is_kept_as_it_was_said(void **state)
{
    Faults         faults;
    StoredTaxRate *rate = rate_of("{\"percent\":\"7.50\",\"inclusive\":true,\"name\":\"VAT\","
                                  "\"categories\":[\"books\"],\"jurisdiction\":\"DE\"}",
                                  "vat", &faults);
    (void)state;
    assert_null(faults.first);
    assert_text(rate->percent_text, "7.5");
    assert_true(rate->inclusive);
    assert_text(rate->definition, "{\"name\":\"VAT\",\"percent\":\"7.5\",\"inclusive\":true,"
                                  "\"jurisdiction\":\"DE\",\"categories\":[\"books\"]}");
    assert_true(tax_rate_is_for(rate, STR("books")));
    assert_false(tax_rate_is_for(rate, STR("pens")));
    assert_false(tax_rate_is_for(rate, STR_NONE));
}

static void test_what_is_absent_has_a_meaning(void **state)
{
    Faults         faults;
    StoredTaxRate *rate = rate_of("{\"percent\":100}", "vat", &faults);
    (void)state;
    assert_null(faults.first);
    assert_text(rate->name, "vat");
    assert_false(rate->inclusive);
    assert_true(rate->effective_from.us == INSTANT_FIRST.us);
    assert_true(tax_rate_is_for(rate, STR_NONE));
    assert_true(tax_rate_is_for(rate, STR("books")));
    assert_false(rate_of("{\"percent\":0,\"inclusive\":false}", "vat", &faults)->inclusive);
    assert_null(faults.first);
    assert_int_equal(rate_of(names_of(50), "vat", &faults)->category_count, 50);
    assert_null(faults.first);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_refused("{}", "/percent", ERR_FIELD_REQUIRED);
    assert_refused("{\"percent\":true}", "/percent", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":\"much\"}", "/percent", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":\"-0.01\"}", "/percent", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":100.01}", "/percent", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"inclusive\":1}", "/inclusive", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"categories\":\"books\"}", "/categories", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"categories\":[]}", "/categories", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"categories\":[1,\"a\"]}", "/categories", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"categories\":[\"a b\"]}", "/categories", ERR_FIELD_INVALID);
    assert_refused(names_of(51), "/categories", ERR_FIELD_INVALID);
    assert_refused("{\"percent\":1,\"effectiveFrom\":\"soon\"}", "/effectiveFrom",
                   ERR_INVALID_TIMESTAMP);
    assert_refused("{\"rate\":1,\"percent\":1}", "/rate", ERR_UNKNOWN_MEMBER);
    assert_refused("{\"id\":\"gst\",\"percent\":1}", "/id", ERR_FIELD_INVALID);
    Faults faults;
    rate_of("[]", "vat", &faults);
    assert_int_equal(faults.count, 1);
    rate_of("{\"percent\":1}", "a b", &faults);
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.first->code, ERR_PARAMETER_INVALID);
}

static void test_a_rate_on_the_wire(void **state)
{
    Faults  faults;
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    (void)state;
    tax_rate_to_json(rate_of("{\"percent\":1}", "vat", &faults), arena, &out);
    assert_text(text_str(&text), "{\"id\":\"vat\",\"name\":\"vat\",\"percent\":\"1\","
                                 "\"inclusive\":false,"
                                 "\"jurisdiction\":null,\"categories\":[],\"effectiveFrom\":null}");
    text_clear(&text);
    out = json_out(&text);
    tax_rate_to_json(rate_of("{\"percent\":1,\"jurisdiction\":\"DE\",\"categories\":[\"a\"],"
                             "\"effectiveFrom\":\"2027-01-01T00:00:00Z\"}",
                             "vat", &faults),
                     arena, &out);
    assert_text(text_str(&text), "{\"id\":\"vat\",\"name\":\"vat\",\"percent\":\"1\","
                                 "\"inclusive\":false,"
                                 "\"jurisdiction\":\"DE\",\"categories\":[\"a\"],"
                                 "\"effectiveFrom\":\"2027-01-01T00:00:00Z\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_a_rate_is_kept_as_it_was_said),
        test_of(test_what_is_absent_has_a_meaning),
        test_of(test_what_is_refused),
        test_of(test_a_rate_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
