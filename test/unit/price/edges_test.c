// SPDX-License-Identifier: Apache-2.0
// What the other tests of price leave out: documents and requests with a value of another kind at
// every place, and bills of more lines than a list begins with.
#include "asking.h"

#define FLAT "{\"id\":\"f\",\"model\":\"flat\",\"amount\":1}"
#define UNIT "\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1"
#define CHARGE(members) "{\"id\":\"c\"," members "}"

static void check_fault(Str request, const char *pointer)
{
    Text out = text_open(arena);
    Err *first = try_rate(request, &out), *err = first;
    while (err != NULL && !str_equal(err->pointer, str_of(pointer)))
        err = err->next;
    if (err == NULL)
        fail_msg("no fault at %s in %.*s, but %.*s", pointer, STR_ARG(request),
                 first == NULL ? 4 : (int)first->pointer.length,
                 first == NULL ? "none" : first->pointer.at);
    assert_true(err->detail.length > 0);
    assert_int_equal(out.length, 0);
}

#define LONG_40  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_200 LONG_40 LONG_40 LONG_40 LONG_40 LONG_40

static void test_charges_with_other_values(void **state)
{
    (void)state;
    static const struct {
        const char *charge, *pointer;
    } rows[] = {
        { "5", "/plan/charges/0" },
        { CHARGE("\"model\":7"), "/plan/charges/0/model" },
        { CHARGE("\"model\":\"\""), "/plan/charges/0/model" },
        { CHARGE("\"model\":\"a\\u0001\""), "/plan/charges/0/model" },
        { CHARGE(UNIT ",\"roundQuantity\":{}"), "/plan/charges/0/roundQuantity/mode" },
        { CHARGE(UNIT ",\"roundQuantity\":{\"mode\":1}"), "/plan/charges/0/roundQuantity/mode" },
        { CHARGE(UNIT ",\"alsoCounts\":\"yes\""), "/plan/charges/0/alsoCounts" },
        { CHARGE(UNIT ",\"groupBy\":[7]"), "/plan/charges/0/groupBy/0" },
        { CHARGE(UNIT ",\"sku\":7"), "/plan/charges/0/sku" },
        { CHARGE(UNIT ",\"revenueAccount\":\"a b\""), "/plan/charges/0/revenueAccount" },
        { CHARGE(UNIT ",\"metadata\":7"), "/plan/charges/0/metadata" },
        { CHARGE(UNIT ",\"metadata\":{\"a\":7}"), "/plan/charges/0/metadata" },
        { CHARGE(UNIT ",\"metadata\":{\"\":\"a\"}"), "/plan/charges/0/metadata" },
        { CHARGE(UNIT ",\"metadata\":{\"" LONG_40 "1\":\"a\"}"), "/plan/charges/0/metadata" },
        { CHARGE(UNIT ",\"metadata\":{\"a\":\"" LONG_200 LONG_200 LONG_40 LONG_40 LONG_40 "\"}"),
          "/plan/charges/0/metadata" },
        { CHARGE(UNIT ",\"filter\":{\"a\":[[]]}"), "/plan/charges/0/filter/a/0" },
        { CHARGE(UNIT ",\"a~b/c\":1"), "/plan/charges/0/a~0b~1c" },
        { CHARGE(UNIT ",\"minimum\":{}"), "/plan/charges/0/minimum/amount" },
        { CHARGE(UNIT ",\"minimum\":{\"amount\":1,\"colour\":1}"),
          "/plan/charges/0/minimum/colour" },
        { CHARGE(UNIT ",\"included\":{\"amount\":1}"), "/plan/charges/0/included/perUnit" },
        { CHARGE(UNIT ",\"included\":{\"perUnit\":\"-\",\"amount\":1}"),
          "/plan/charges/0/included/perUnit" },
        { CHARGE("\"quantity\":\"s\",\"model\":\"perUnit\",\"unitPrice\":1,\"included\":{"
                 "\"perUnit\":\"s\",\"amount\":1}"),
          "/plan/charges/0/included" },
        { CHARGE("\"meter\":7,\"model\":\"perUnit\",\"unitPrice\":1"), "/plan/charges/0/meter" },
        { CHARGE("\"meter\":\"\",\"model\":\"perUnit\",\"unitPrice\":1"), "/plan/charges/0/meter" },
        { CHARGE("\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":[]"),
          "/plan/charges/0/unitPrice" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduated\",\"tiers\":7"), "/plan/charges/0/tiers" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduated\",\"tiers\":[7]"),
          "/plan/charges/0/tiers/0" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"1\",\"meters\":7"),
          "/plan/charges/0/meters" },
        { CHARGE("\"model\":\"capacity\",\"tiers\":[{\"amount\":1,\"limits\":7},{\"amount\":1}]"),
          "/plan/charges/0/tiers/0/limits" },
        { FLAT ",{\"id\":\"p\",\"model\":\"percentOf\",\"ratePercent\":1,\"charges\":[7]}",
          "/plan/charges/1/charges/0" },
        { FLAT ",{\"id\":\"p\",\"model\":\"percentOf\",\"ratePercent\":1,\"charges\":[\"f\","
               "\"f\"]}",
          "/plan/charges/1/charges/1" },
        { CHARGE("\"model\":\"flat\",\"amount\":1,\"minimum\":1"), "/plan/charges/0/minimum" },
        { CHARGE("\"model\":\"flat\",\"amount\":1,\"onIncrease\":\"now\""),
          "/plan/charges/0/onIncrease" },
        { CHARGE(UNIT ",\"source\":\"m\""), "/plan/charges/0/source" },
        { CHARGE(UNIT ",\"included\":{\"perUnit\":\"s\",\"amount\":-1}"),
          "/plan/charges/0/included/amount" },
        { CHARGE("\"meter\":\"m{\",\"model\":\"perUnit\",\"unitPrice\":1"),
          "/plan/charges/0/meter" },
        { CHARGE("\"meter\":\"m[\",\"model\":\"perUnit\",\"unitPrice\":1"),
          "/plan/charges/0/meter" },
        { CHARGE("\"meter\":\"-m\",\"model\":\"perUnit\",\"unitPrice\":1"),
          "/plan/charges/0/meter" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(request_text(plan_of(rows[i].charge, ""), "{}", ""), rows[i].pointer);
}

static void test_models_with_other_values(void **state)
{
    (void)state;
    static const struct {
        const char *charge, *pointer;
    } rows[] = {
        { CHARGE("\"meter\":\"m\",\"model\":\"perUnit\""), "/plan/charges/0/unitPrice" },
        { CHARGE("\"meter\":\"m\",\"model\":\"package\",\"packagePrice\":1"),
          "/plan/charges/0/packageSize" },
        { CHARGE("\"meter\":\"m\",\"model\":\"package\",\"packageSize\":1"),
          "/plan/charges/0/packagePrice" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduated\""), "/plan/charges/0/tiers" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{}]"),
          "/plan/charges/0/tiers/0" },
        { CHARGE(UNIT ",\"period\":{\"unit\":7}"), "/plan/charges/0/period/unit" },
        { CHARGE(UNIT ",\"bill\":7"), "/plan/charges/0/bill" },
        { CHARGE("\"model\":\"matrix\",\"meter\":\"m\",\"dimensions\":[\"a\"],\"cells\":[{"
                 "\"when\":{\"a\":null},\"unitPrice\":1}],\"defaultUnitPrice\":1"),
          "/plan/charges/0/cells/0/when/a" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"1\",\"meters\":{}"),
          "/plan/charges/0/meters" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"a{b\",\"meters\":{\"a\":\"m\"}"),
          "/plan/charges/0/expression" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"[\",\"meters\":{\"a\":\"m\"}"),
          "/plan/charges/0/expression" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"1\",\"meters\":{\"{\":\"m\"}"),
          "/plan/charges/0/meters/{" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(request_text(plan_of(rows[i].charge, ""), "{}", ""), rows[i].pointer);
}

static void test_a_filter_has_at_most_16_keys_of_any_scalar(void **state)
{
    (void)state;
    Text keys = text_open(arena);
    for (int i = 0; i < 17; i++)
        text_print(&keys, "%s\"k%d\":[false]", i == 0 ? "" : ",", i);
    Str charge = str_print(arena, CHARGE(UNIT ",\"filter\":{%.*s}"), STR_ARG(text_str(&keys)));
    check_fault(request_text(plan_of(str_terminated(arena, charge), ""), "{}", ""),
                "/plan/charges/0/filter");
    const Json *bill =
        rate(plan_of(CHARGE(UNIT ",\"filter\":{\"live\":[false]}"), ""),
             "{\"m\":[{\"group\":{\"live\":\"false\"},\"quantity\":2},{\"quantity\":5}]}", "");
    assert_at(bill, "/lines/0/amount", "2.00");
}

static void test_a_more_specific_charge_may_stand_first(void **state)
{
    (void)state;
    const Json *bill = rate(
        plan_of("{\"id\":\"eu\"," UNIT ",\"filter\":{\"r\":[\"eu\"]}},{\"id\":\"rest\"," UNIT "}",
                ""),
        "{\"m\":[{\"group\":{\"r\":\"eu\"},\"quantity\":2},{\"quantity\":5}]}", "");
    assert_at(bill, "/lines/0/amount", "2.00");
    assert_at(bill, "/lines/1/amount", "5.00");
}

static void test_plans_with_other_values(void **state)
{
    (void)state;
    static const struct {
        const char *more, *pointer;
    } rows[] = {
        { ",\"period\":{\"unit\":\"month\",\"anchor\":[]}", "/plan/period/anchor" },
        { ",\"period\":{\"unit\":7}", "/plan/period/unit" },
        { ",\"discounts\":[7]", "/plan/discounts/0" },
        { ",\"discounts\":[{\"percent\":1},{\"percent\":1}]", "/plan/discounts/0/id" },
        { ",\"commitment\":{\"amount\":1,\"charges\":[\"f\"]}", "/plan/commitment/charges" },
        { ",\"commitment\":{\"amount\":1,\"charges\":[\"none\"]}", "/plan/commitment/charges" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(request_text(plan_of(FLAT, rows[i].more), "{}", ""), rows[i].pointer);
    check_fault(request_text("{\"currency\":7,\"charges\":[]}", "{}", ""), "/plan/currency");
    check_fault(STR("{\"usage\":{\"m\":1}}"), "/plan");
    check_fault(STR("{\"usage\":{\"m\":1}}"), "/period");
    check_fault(STR("{\"period\":7}"), "/period");
    check_fault(STR("{\"period\":{\"end\":\"2026-07-01T00:00:00Z\"}}"), "/period/start");
    check_fault(STR("{\"period\":{\"start\":7,\"end\":\"2026-07-01T00:00:00Z\"}}"),
                "/period/start");
    check_fault(STR("{\"period\":{\"start\":\"2026-07-01T00:00:00Z\",\"end\":7}}"), "/period/end");
    check_fault(request_text("{\"currency\":\"USD\",\"charges\":7}", "{}", ""), "/plan/charges");
}

static void test_usage_and_quantities_with_other_values(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *more, *pointer;
    } rows[] = {
        { "{\"m\":[{\"quantity\":1,\"group\":{\"a\":7}}]}", "", "/usage/m/0/group/a" },
        { "{\"m\":[7]}", "", "/usage/m/0" },
        { "{\"m\":{}}", "", "/usage/m" },
        { "{}", ",\"quantities\":{\"s\":{}}", "/quantities/s" },
        { "{}", ",\"quantities\":{\"s\":[7]}", "/quantities/s/0" },
        { "{}", ",\"quantities\":{\"s\":[{\"value\":1}]}", "/quantities/s/0/from" },
        { "{}", ",\"quantities\":{\"s\":[{\"from\":\"x\",\"value\":1}]}", "/quantities/s/0/from" },
        { "{}", ",\"quantities\":{\"s\":[{\"from\":\"2026-06-01T00:00:00Z\",\"value\":-1}]}",
          "/quantities/s/0/value" },
        { "{}", ",\"activeTo\":7", "/activeTo" },
        { "{}", ",\"dueOnly\":7", "/dueOnly" },
        { "{}", ",\"quantities\":{\"s\":[{\"from\":\"2026-06-01T00:00:00Z\"}]}",
          "/quantities/s/0/value" },
        { "{\"{\":1}", "", "/usage/{" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(request_text(plan_of(CHARGE(UNIT), ""), rows[i].usage, rows[i].more),
                    rows[i].pointer);
    const Json *bill =
        rate(plan_of(CHARGE(UNIT), ""), "{\"m\":null}", ",\"quantities\":{\"s\":null,\"t\":1}");
    assert_at(bill, "/total", "0.00");
}

static void test_events_with_other_values(void **state)
{
    (void)state;
    static const struct {
        const char *event, *pointer;
    } rows[] = {
        { "7", "/usage/m/0/events/0" },
        { "{\"ts\":\"today\"}", "/usage/m/0/events/0/ts" },
        { "{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":\"x\"}", "/usage/m/0/events/0/value" },
        { "{\"ts\":\"2026-06-01T00:00:00Z\",\"properties\":7}", "/usage/m/0/events/0/properties" },
        { "{\"ts\":\"2026-06-01T00:00:00Z\",\"uniqueId\":7}", "/usage/m/0/events/0/uniqueId" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Str usage = str_print(arena, "{\"m\":[{\"events\":[%s]}]}", rows[i].event);
        check_fault(request_text(plan_of(CHARGE(UNIT), ""), str_terminated(arena, usage), ""),
                    rows[i].pointer);
    }
}

// A list of so many elements of a request is longer than its limit.
static Str list_of(const char *element, size_t count)
{
    Text text = text_open(arena);
    text_add_char(&text, '[');
    for (size_t i = 0; i < count; i++)
        text_print(&text, "%s%s", i == 0 ? "" : ",", element);
    text_add_char(&text, ']');
    return text_str(&text);
}

static void test_lists_that_are_too_long(void **state)
{
    (void)state;
    char *usage =
        str_terminated(arena, str_print(arena, "{\"m\":%.*s}", STR_ARG(list_of("1", 100001))));
    check_fault(request_text(plan_of(CHARGE(UNIT), ""), usage, ""), "/usage/m");
    char *more = str_terminated(
        arena, str_print(arena, ",\"quantities\":{\"s\":%.*s}", STR_ARG(list_of("1", 10001))));
    check_fault(request_text(plan_of(CHARGE(UNIT), ""), "{}", more), "/quantities/s");
    Str meters =
        str_print(arena, "{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{");
    Text text = text_open(arena);
    text_add(&text, meters);
    for (int i = 0; i < 17; i++)
        text_print(&text, "%s\"a%d\":\"m%d\"", i == 0 ? "" : ",", i, i);
    text_add(&text, STR("}}"));
    check_fault(request_text(plan_of(str_terminated(arena, text_str(&text)), ""), "{}", ""),
                "/plan/charges/0/meters");
    char *name =
        str_terminated(arena, str_print(arena, "{\"id\":\"c\",\"name\":\"%0300d\"," UNIT "}", 1));
    check_fault(request_text(plan_of(name, ""), "{}", ""), "/plan/charges/0/name");
    char *id = str_terminated(arena, str_print(arena, "{\"id\":\"%0129d\"," UNIT "}", 1));
    check_fault(request_text(plan_of(id, ""), "{}", ""), "/plan/charges/0/id");
}

// Fifty faults are told; twelve charges that all take the same events would be 66.
static void test_faults_are_told_up_to_a_number(void **state)
{
    (void)state;
    Text   charges = text_open(arena);
    Text   out = text_open(arena);
    size_t count = 0;
    for (int i = 0; i < 12; i++)
        text_print(&charges, "%s{\"id\":\"c%d\"," UNIT "}", i == 0 ? "" : ",", i);
    Err *err = try_rate(
        request_text(plan_of(str_terminated(arena, text_str(&charges)), ""), "{}", ""), &out);
    for (; err != NULL; err = err->next)
        count++;
    assert_int_equal(count, FAULTS_MAX);
}

static void test_what_may_be_said_or_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *charge, *more, *usage, *total;
    } rows[] = {
        { CHARGE(UNIT ",\"timing\":\"arrears\",\"bill\":\"period\""), "", "{\"m\":2}", "2.00" },
        { "{\"id\":\"a.b_c:d-9Z\"," UNIT "}", "", "{\"m\":2}", "2.00" },
        { CHARGE(UNIT), ",\"minimum\":{\"amount\":1},\"maximum\":{\"amount\":3}", "{\"m\":9}",
          "3.00" },
        { CHARGE(UNIT ",\"groupBy\":[\"a\"]"), "", "{}", "0.00" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduated\",\"bill\":\"event\",\"flatFeeAtZero\":"
                 "false,\"tiers\":[{\"upTo\":1,\"flatFee\":2},{\"unitPrice\":1}]"),
          "", "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":2}]}]}", "3.00" },
        { CHARGE("\"meter\":\"m\",\"model\":\"graduatedPercentage\",\"tiers\":[{\"flatFee\":2}]"),
          "", "{\"m\":2}", "2.00" },
        { CHARGE("\"model\":\"matrix\",\"meter\":\"m\",\"dimensions\":[\"a\",\"b\"],\"cells\":[{"
                 "\"when\":{\"a\":\"x\",\"b\":\"y\"},\"unitPrice\":5},{\"when\":{\"a\":\"x\"},"
                 "\"unitPrice\":3}],\"defaultUnitPrice\":1"),
          "", "{\"m\":[{\"group\":{\"a\":\"x\",\"b\":\"y\"},\"quantity\":1}]}", "5.00" },
        { CHARGE("\"meter\":\"m\",\"model\":\"percentage\",\"ratePercent\":50,\"eventMaximum\":1"),
          "", "{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":4}]}]}", "1.00" },
        { CHARGE("\"model\":\"formula\",\"expression\":\"a\",\"meters\":{\"a\":\"m\"},\"period\":{"
                 "\"unit\":\"month\"}"),
          ",\"trial\":{\"days\":5}",
          "{\"m\":[{\"quantity\":3,\"at\":\"2026-06-01T00:00:00Z\"},{\"quantity\":4,\"at\":"
          "\"2026-06-09T00:00:00Z\"}]}",
          "4.00" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Json *bill = rate(plan_of(rows[i].charge, rows[i].more), rows[i].usage, "");
        assert_at(bill, "/total", rows[i].total);
    }
}

static void test_times_at_the_edge(void **state)
{
    (void)state;
    // a period without a midnight is shared by seconds
    const Json *bill =
        rate_text(STR("{\"plan\":{\"currency\":\"USD\",\"charges\":[" FLAT "]},\"period\":{"
                      "\"start\":\"2026-06-01T01:00:00Z\",\"end\":\"2026-06-01T03:00:00Z\"},"
                      "\"activeTo\":\"2026-06-01T02:00:00Z\"}"));
    assert_at(bill, "/total", "0.50");
    // an end that is not within the period, and changes behind it
    bill =
        rate(plan_of("{\"id\":\"s\",\"quantity\":\"t\",\"model\":\"perUnit\",\"unitPrice\":1}", ""),
             "{}",
             ",\"activeTo\":\"2026-08-01T00:00:00Z\",\"quantities\":{\"s\":1,\"t\":[{\"from\":"
             "\"2026-05-01T00:00:00Z\",\"value\":2},{\"from\":\"2026-07-01T00:00:00Z\",\"value\":"
             "3}]}");
    assert_at(bill, "/total", "2.00");
}

#define BOTH(id, filter) ",{\"id\":\"" id "\",\"filter\":" filter "," UNIT "}"
#define TWO "{\"id\":\"a\",\"filter\":{\"x\":[\"1\"]}," UNIT "}" BOTH("b", "{\"y\":[\"1\"]}")

static void test_overlaps_that_a_third_charge_does_not_decide(void **state)
{
    (void)state;
    static const char *const thirds[] = {
        ",{\"id\":\"c\",\"filter\":{\"x\":[\"1\"],\"y\":[\"1\"]},\"meter\":\"n\",\"model\":"
        "\"perUnit\","
        "\"unitPrice\":1}",
        BOTH("c", "{\"x\":[\"2\"]}"),
        BOTH("c", "{\"x\":[\"1\",\"2\"],\"y\":[\"1\"]}"),
        BOTH("c", "{\"x\":[\"1\"],\"y\":[\"1\",\"2\"]}"),
        ",{\"id\":\"c\"," UNIT "}",
    };
    for (size_t i = 0; i < sizeof thirds / sizeof *thirds; i++)
        check_fault(
            request_text(plan_of(str_terminated(arena, str_print(arena, TWO "%s", thirds[i])), ""),
                         "{}", ""),
            "/plan/charges/1/filter");
    rate(plan_of(TWO BOTH("c", "{\"x\":[\"1\"],\"y\":[\"1\"]}"), ""), "{}", "");
    // one over several meters, and one beside it that takes no event away
    rate(plan_of(
             "{\"id\":\"f\",\"model\":\"formula\",\"expression\":\"a\",\"meters\":{\"a\":\"m\"}},"
             "{\"id\":\"u\",\"alsoCounts\":true," UNIT "}",
             ""),
         "{}", "");
}

static void test_more_lines_than_a_list_begins_with(void **state)
{
    (void)state;
    Text charges = text_open(arena);
    for (int i = 0; i < 40; i++)
        text_print(&charges, "{\"id\":\"f%d\",\"model\":\"flat\",\"amount\":%d},", i, i + 1);
    text_print(&charges, FLAT);
    const Json *bill = rate(plan_of(str_terminated(arena, text_str(&charges)), ""), "{}", "");
    assert_int_equal(at(bill, "/lines")->count, 41);
    assert_at(bill, "/lines/39/amount", "40.00");
    assert_at(bill, "/total", "821.00");
}

#define HUGE "{\"id\":\"%s\",\"model\":\"flat\",\"amount\":\"90000000000000000\"}"

static void test_amounts_beyond_63_bits_are_refused(void **state)
{
    (void)state;
    static const char *const more[] = {
        ",{\"id\":\"p\",\"model\":\"percentOf\",\"ratePercent\":1,\"charges\":[\"a\",\"b\"]}",
        ",{\"id\":\"p\",\"model\":\"percentOf\",\"ratePercent\":200,\"charges\":[\"a\"]}",
        ",{\"id\":\"p\",\"model\":\"formula\",\"expression\":\"99999999999999999999\","
        "\"meters\":{\"a\":\"m\"}}",
        ",{\"id\":\"p\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"d\"],\"cells\":[{"
        "\"when\":{\"d\":\"x\"},\"unitPrice\":1}],\"defaultUnitPrice\":\"99999999999999999999\"}",
        ",{\"id\":\"p\",\"model\":\"flat\",\"amount\":\"99999999999999999999\"}",
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        Text out = text_open(arena);
        Str  charges = str_print(arena, HUGE "," HUGE "%s", "a", "b", more[i]);
        Err *err = try_rate(request_text(plan_of(str_terminated(arena, charges), ""),
                                         i == 3 ? "{\"m\":[{\"quantity\":1}]}" : "{}", ""),
                            &out);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
        assert_int_equal(out.length, 0);
    }
}

static void test_events_without_ids_have_an_order_of_their_own(void **state)
{
    (void)state;
#define TIED(value, cost)                                                                          \
    "{\"ts\":\"2026-06-01T00:00:00Z\",\"value\":" value ",\"properties\":{\"cost\":" cost "}}"
    static const char *const orders[] = {
        "{\"m\":[{\"events\":[" TIED("2", "9") "," TIED("1", "5") "," TIED("2", "3") "]}]}",
        "{\"m\":[{\"events\":[" TIED("2", "3") "," TIED("2", "9") "," TIED("1", "5") "]}]}",
    };
    for (size_t i = 0; i < 2; i++) {
        const Json *bill = rate(plan_of(CHARGE("\"meter\":\"m\",\"model\":\"eventPrice\","
                                               "\"property\":\"cost\""),
                                        ""),
                                orders[i], "");
        assert_at(bill, "/lines/0/steps/0/amount", "5");
        assert_at(bill, "/lines/0/steps/1/amount", "3");
        assert_at(bill, "/lines/0/steps/2/amount", "9");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_charges_with_other_values),
        test_of(test_models_with_other_values),
        test_of(test_a_filter_has_at_most_16_keys_of_any_scalar),
        test_of(test_a_more_specific_charge_may_stand_first),
        test_of(test_plans_with_other_values),
        test_of(test_usage_and_quantities_with_other_values),
        test_of(test_events_with_other_values),
        test_of(test_lists_that_are_too_long),
        test_of(test_faults_are_told_up_to_a_number),
        test_of(test_what_may_be_said_or_left_out),
        test_of(test_times_at_the_edge),
        test_of(test_overlaps_that_a_third_charge_does_not_decide),
        test_of(test_more_lines_than_a_list_begins_with),
        test_of(test_amounts_beyond_63_bits_are_refused),
        test_of(test_events_without_ids_have_an_order_of_their_own),
    };
    return cmocka_run_group_tests_name("price/edges", tests, NULL, NULL);
}
