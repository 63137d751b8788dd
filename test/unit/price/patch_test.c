// SPDX-License-Identifier: Apache-2.0
// Merge patches of plan documents, and what makes two definitions equal.
#include "asking.h"
#include "price/patch.h"
#include "price/plan.h"
#include "price/plan_diff.h"

static Str text_of(const Json *json)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_value(&out, json);
    return text_str(&text);
}

static void check(const char *document, const char *patch, const char *wanted)
{
    Faults      faults = { .arena = arena };
    const Json *made = plan_patch(arena, json_of(str_of(document)), json_of(str_of(patch)),
                                  STR("/overrides"), &faults);
    assert_non_null(made);
    assert_string_equal(str_terminated(arena, text_of(made)), wanted);
}

// The examples of RFC 7396, appendix A, that have objects on both sides.
static void test_the_examples_of_the_rfc(void **state)
{
    (void)state;
    check("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    check("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
    check("{\"a\":\"b\"}", "{\"a\":null}", "{}");
    check("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    check("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    check("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
    check("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
    check("{\"a\":{\"b\":\"c\",\"d\":1}}", "{\"a\":{\"b\":null}}", "{\"a\":{\"d\":1}}");
    check("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    check("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
    check("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
    check("{\"a\":\"foo\"}", "{\"a\":{\"b\":1,\"c\":null}}", "{\"a\":{\"b\":1}}");
    check("{\"a\":\"b\"}", "{\"x\":null}", "{\"a\":\"b\"}");
}

static void test_lists_by_id(void **state)
{
    (void)state;
    static const char plan[] =
        "{\"charges\":[{\"id\":\"a\",\"x\":1},{\"id\":\"b\",\"y\":{\"z\":2}}]"
        ",\"discounts\":[{\"id\":\"d\",\"percent\":1}]}";
    check(plan, "{\"charges\":{\"b\":{\"y\":{\"w\":3}}}}",
          "{\"charges\":[{\"id\":\"a\",\"x\":1},{\"id\":\"b\",\"y\":{\"z\":2,\"w\":3}}],"
          "\"discounts\":[{\"id\":\"d\",\"percent\":1}]}");
    check(plan,
          "{\"charges\":{\"a\":null,\"n\":{\"x\":null,\"v\":4}},\"discounts\":{\"d\":{\"id\":"
          "\"d\",\"percent\":2},\"gone\":null}}",
          "{\"charges\":[{\"id\":\"b\",\"y\":{\"z\":2}},{\"id\":\"n\",\"v\":4}],"
          "\"discounts\":[{\"id\":\"d\",\"percent\":2}]}");
    check(plan, "{\"discounts\":null,\"charges\":{\"n\":{\"id\":\"n\",\"v\":4}}}",
          "{\"charges\":[{\"id\":\"a\",\"x\":1},{\"id\":\"b\",\"y\":{\"z\":2}},{\"id\":\"n\",\"v\":"
          "4}]}");
    check("{\"charges\":7}", "{\"charges\":{\"n\":{\"v\":4}},\"discounts\":{\"e\":{\"p\":1}}}",
          "{\"charges\":[{\"id\":\"n\",\"v\":4}],\"discounts\":[{\"id\":\"e\",\"p\":1}]}");
    check("{\"charges\":[7,{\"id\":8}]}", "{\"charges\":{}}", "{\"charges\":[7,{\"id\":8}]}");
}

static void test_patches_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *pointer;
    } rows[] = {
        { "[]", "/overrides" },
        { "{\"charges\":[]}", "/overrides/charges" },
        { "{\"discounts\":3}", "/overrides/discounts" },
        { "{\"charges\":{\"a/b\":7}}", "/overrides/charges/a~1b" },
        { "{\"charges\":{\"a\":{\"id\":\"b\"}}}", "/overrides/charges/a/id" },
        { "{\"charges\":{\"a\":{\"id\":7}}}", "/overrides/charges/a/id" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Faults faults = { .arena = arena };
        assert_null(plan_patch(arena, json_of(STR("{}")), json_of(str_of(rows[i].patch)),
                               STR("/overrides"), &faults));
        assert_int_equal(faults.first->code, ERR_FIELD_INVALID);
        assert_string_equal(str_terminated(arena, faults.first->pointer), rows[i].pointer);
    }
    Faults faults = { .arena = arena };
    assert_null(plan_patch(arena, json_of(STR("{}")), NULL, STR("/overrides"), &faults));
    assert_int_equal(faults.first->code, ERR_FIELD_REQUIRED);
}

static void test_the_document_is_left_as_it_was(void **state)
{
    (void)state;
    Faults      faults = { .arena = arena };
    const Json *document = json_of(STR("{\"charges\":[{\"id\":\"a\",\"x\":{\"y\":1}}],\"z\":[1]}"));
    Str         before = text_of(document);
    const Json *patch = json_of(STR("{\"charges\":{\"a\":{\"x\":{\"y\":2}},\"b\":{}},\"z\":null}"));
    assert_non_null(plan_patch(arena, document, patch, STR(""), &faults));
    assert_true(str_equal(before, text_of(document)));
}

static void test_canonical_text(void **state)
{
    (void)state;
    static const struct {
        const char *document, *wanted;
    } rows[] = {
        { "{\"b\":1,\"a\":{\"d\":[{\"f\":1,\"e\":null}],\"c\":true}}",
          "{\"a\":{\"c\":true,\"d\":[{\"e\":null,\"f\":1}]},\"b\":1}" },
        { "{\"name\":\"x\",\"a\":{\"name\":\"y\"}}", "{\"a\":{\"name\":\"y\"}}" },
        { "{\"\":1,\"a\":0.50}", "{\"\":1,\"a\":0.50}" },
        { "[\"x\",false]", "[\"x\",false]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(
            str_terminated(arena,
                           json_canonical(arena, json_of(str_of(rows[i].document)), STR("name"))),
            rows[i].wanted);
    assert_string_equal(
        str_terminated(arena, json_canonical(arena, json_of(STR("{\"\":1}")), STR_NONE)),
        "{\"\":1}");
}

static const Charge *charge_of(const char *charges)
{
    Faults faults = { .arena = arena };
    Plan  *plan = plan_from_json(json_of(str_of(plan_of(charges, ""))), STR(""), STR_NONE, &faults);
    assert_non_null(plan);
    return plan->charges;
}

#define API "{\"id\":\"api\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1}"
#define EU(region, id)                                                                             \
    ",{\"id\":\"" id "\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"filter\":{"       \
    "\"region\":[\"" region "\"]}}"

static void test_when_charges_are_the_same(void **state)
{
    (void)state;
    const Charge *api = charge_of(API);
    assert_true(
        charge_same(api, charge_of("{\"name\":\"A\",\"unitPrice\":1,\"id\":\"api\",\"model\":"
                                   "\"perUnit\",\"meter\":\"m\"}")));
    assert_false(charge_same(api, charge_of("{\"id\":\"api\",\"meter\":\"m\",\"model\":\"perUnit\","
                                            "\"unitPrice\":2}")));
    // the same words, but another charge takes other events away
    const Charge *less = charge_of(API EU("eu", "eu"));
    assert_false(charge_same(api, less));
    assert_false(charge_same(less, charge_of(API EU("us", "eu"))));
    assert_true(charge_same(less, charge_of(API EU("eu", "other"))));
    assert_false(charge_same(less, charge_of(API EU("eu\",\"us", "eu"))));
}

static void check_diff(const char *before, const char *after, const char *wanted)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    plan_diff_to_json(arena, json_of(str_of(before)), json_of(str_of(after)), &out);
    assert_string_equal(str_terminated(arena, text_str(&text)), wanted);
}

#define SUMMARY(added, removed, changed)                                                           \
    "{\"added\":[" added "],\"removed\":[" removed "],\"changed\":[" changed "]}"
#define DIFF(charges, discounts, changes)                                                          \
    "{\"charges\":" charges ",\"discounts\":" discounts ",\"changes\":[" changes "]}"
#define NOTHING SUMMARY("", "", "")

static void test_what_two_documents_differ_in(void **state)
{
    (void)state;
    check_diff("{}", "{}", DIFF(NOTHING, NOTHING, ""));
    check_diff("{\"name\":\"A\",\"x\":[1,2],\"gone\":true}",
               "{\"new\":null,\"name\":\"B\",\"x\":[1,3,4]}",
               DIFF(NOTHING, NOTHING,
                    "{\"pointer\":\"/name\",\"before\":\"A\",\"after\":\"B\"},"
                    "{\"pointer\":\"/x/1\",\"before\":2,\"after\":3},"
                    "{\"pointer\":\"/x/2\",\"after\":4},"
                    "{\"pointer\":\"/gone\",\"before\":true},"
                    "{\"pointer\":\"/new\",\"after\":null}"));
    check_diff("{\"x\":[1,2]}", "{\"x\":[1]}",
               DIFF(NOTHING, NOTHING, "{\"pointer\":\"/x/1\",\"before\":2}"));
    check_diff("{\"charges\":[{\"x\":1}]}", "{\"charges\":[{\"x\":1}]}",
               DIFF(NOTHING, NOTHING, ""));
    // the order of charges is no difference
    check_diff(
        "{\"charges\":[{\"id\":\"a\"},{\"id\":\"b\",\"x\":{\"y\":1}},{\"id\":\"c\"}]}",
        "{\"charges\":[{\"id\":\"n\"},{\"x\":{\"y\":\"1\",\"z\":2},\"id\":\"b\"},{\"id\":\"a\"}]"
        ",\"discounts\":[{\"id\":\"d\"}]}",
        DIFF(SUMMARY("\"n\"", "\"c\"", "\"b\""), SUMMARY("\"d\"", "", ""),
             "{\"pointer\":\"/charges/b/x/y\",\"before\":1,\"after\":\"1\"},"
             "{\"pointer\":\"/charges/b/x/z\",\"after\":2},"
             "{\"pointer\":\"/charges/c\",\"before\":{\"id\":\"c\"}},"
             "{\"pointer\":\"/charges/n\",\"after\":{\"id\":\"n\"}},"
             "{\"pointer\":\"/discounts/d\",\"after\":{\"id\":\"d\"}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_the_examples_of_the_rfc),
        test_of(test_lists_by_id),
        test_of(test_patches_that_are_refused),
        test_of(test_the_document_is_left_as_it_was),
        test_of(test_canonical_text),
        test_of(test_when_charges_are_the_same),
        test_of(test_what_two_documents_differ_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
