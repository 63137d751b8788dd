// SPDX-License-Identifier: Apache-2.0
// Plan documents: what is read, and what is refused, with the pointer of the member at fault.
#include "asking.h"
#include "price/model.h"
#include "price/plan.h"

static Plan *parse(const char *text, Faults *faults)
{
    *faults = (Faults){ .arena = arena };
    return plan_from_json(json_of(str_of(text)), STR(""), STR_NONE, faults);
}

static Plan *good(const char *text)
{
    Faults faults;
    Plan  *plan = parse(text, &faults);
    if (plan == NULL)
        fail_msg("%.*s: %.*s", STR_ARG(faults.first->pointer), STR_ARG(faults.first->detail));
    return plan;
}

static void test_the_documented_plan(void **state)
{
    (void)state;
    Plan *plan =
        good("{\"id\":\"scale_2026\",\"name\":\"Scale\",\"currency\":\"USD\",\"rounding\":"
             "\"halfUp\",\"timeZone\":null,"
             "\"period\":{\"every\":1,\"unit\":\"month\",\"anchor\":\"calendar\"},\"charges\":["
             "{\"id\":\"api\",\"name\":\"API "
             "requests\",\"meter\":\"api.requests\",\"model\":\"graduated\",\"tiers\":["
             "{\"upTo\":\"1000000\",\"unitPrice\":\"0.0009\"},{\"upTo\":\"50000000\",\"unitPrice\":"
             "\"0.0006\"},"
             "{\"unitPrice\":\"0.0004\"}]},"
             "{\"id\":\"gpu\",\"meter\":\"compute.gpu_seconds\",\"model\":\"perUnit\","
             "\"unitPrice\":\"0.0021\"},"
             "{\"id\":\"platform\",\"model\":\"flat\",\"amount\":\"499.00\",\"timing\":\"advance\","
             "\"prorate\":\"day\"},"
             "{\"id\":\"seats\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":\"20."
             "00\",\"timing\":\"advance\","
             "\"prorate\":\"second\"}],\"minimum\":{\"amount\":\"100.00\"},"
             "\"commitment\":{\"amount\":\"10000.00\",\"discountPercent\":\"18\"},"
             "\"discounts\":[{\"id\":\"launch\",\"percent\":\"10\",\"charges\":[\"api\"],"
             "\"periods\":3}],"
             "\"includedCredits\":{\"amount\":\"50.00\"}}");
    assert_int_equal(plan->charge_count, 4);
    assert_int_equal(plan->charges[0].source, SOURCE_METER);
    assert_int_equal(plan->charges[0].terms.tier_count, 3);
    assert_string_equal(plan->charges[1].model->name, "perUnit");
    assert_int_equal(plan->charges[2].timing, TIMING_ADVANCE);
    assert_int_equal(plan->charges[3].prorate, PRORATE_SECOND);
    assert_int_equal(plan->charges[3].source, SOURCE_QUANTITY);
    assert_int_equal(plan->discounts[0].periods, 3);
    assert_true(plan->commitment.true_up);
    assert_null(plan->time_zone.at);
    assert_true(str_equal(charge_description(&plan->charges[1]), STR("gpu")));
    assert_null(plan_charge(plan, STR("none")));
}

static void test_period_rules(void **state)
{
    (void)state;
    static const struct {
        const char  *period;
        PeriodAnchor anchor;
        PeriodUnit   unit;
    } rows[] = {
        { "{\"unit\":\"month\"}", ANCHOR_CALENDAR, PERIOD_MONTH },
        { "{\"unit\":\"week\",\"every\":2,\"anchor\":\"subscription\"}", ANCHOR_SUBSCRIPTION,
          PERIOD_WEEK },
        { "{\"unit\":\"day\",\"every\":28,\"anchor\":\"2026-04-06\"}", ANCHOR_DATE, PERIOD_DAY },
        { "{\"unit\":\"quarter\",\"anchor\":31}", ANCHOR_DAY_OF_MONTH, PERIOD_QUARTER },
        { "{\"unit\":\"year\",\"anchor\":\"subscriptionInstant\"}", ANCHOR_SUBSCRIPTION_INSTANT,
          PERIOD_YEAR },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Plan *plan = good(
            plan_of("", str_terminated(arena, str_print(arena, ",\"period\":%s", rows[i].period))));
        assert_int_equal(plan->period.anchor, rows[i].anchor);
        assert_int_equal(plan->period.unit, rows[i].unit);
    }
}

static const Err *fault_at(const Faults *faults, const char *pointer)
{
    const Err *err = faults->first;
    while (err != NULL && !str_equal(err->pointer, str_of(pointer)))
        err = err->next;
    return err;
}

static void check_fault(const char *text, ErrCode code, const char *pointer)
{
    Faults faults;
    assert_null(parse(text, &faults));
    const Err *err = fault_at(&faults, pointer);
    if (err == NULL)
        fail_msg("no fault at %s in %s, but at %.*s: %.*s", pointer, text,
                 STR_ARG(faults.first->pointer), STR_ARG(faults.first->detail));
    assert_int_equal(err->code, code);
    assert_true(err->detail.length > 0);
}

static void check_charge(const char *members, ErrCode code, const char *pointer)
{
    Str charge = str_print(arena, "{\"id\":\"c\",%s}", members);
    check_fault(plan_of(str_terminated(arena, charge), ""), code, pointer);
}

#define PER_UNIT "\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1"
#define TIERED(tiers) "\"meter\":\"m\",\"model\":\"graduated\",\"tiers\":" tiers

static void test_charges_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { "\"meter\":\"m\"", ERR_FIELD_REQUIRED, "/charges/0/model" },
        { "\"model\":\"magic\"", ERR_PLAN_INVALID, "/charges/0/model" },
        { "\"model\":\"percentage\",\"ratePercent\":1", ERR_FIELD_REQUIRED, "/charges/0" },
        { "\"model\":\"percentage\",\"quantity\":\"q\",\"ratePercent\":1", ERR_PLAN_INVALID,
          "/charges/0/quantity" },
        { "\"model\":\"perUnit\",\"unitPrice\":1", ERR_FIELD_REQUIRED, "/charges/0" },
        { PER_UNIT ",\"quantity\":\"q\"", ERR_PLAN_INVALID, "/charges/0/quantity" },
        { "\"model\":\"flat\",\"amount\":1,\"meter\":\"m\"", ERR_PLAN_INVALID, "/charges/0" },
        { "\"model\":\"flat\"", ERR_FIELD_REQUIRED, "/charges/0/amount" },
        { "\"model\":\"flat\",\"amount\":-1", ERR_FIELD_INVALID, "/charges/0/amount" },
        { "\"model\":\"flat\",\"amount\":1,\"included\":2", ERR_PLAN_INVALID,
          "/charges/0/included" },
        { "\"model\":\"flat\",\"amount\":1,\"tiers\":[]", ERR_PLAN_INVALID, "/charges/0/tiers" },
        { "\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"-1\"", ERR_FIELD_INVALID,
          "/charges/0/unitPrice" },
        { "\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"1,5\"", ERR_FIELD_INVALID,
          "/charges/0/unitPrice" },
        { "\"meter\":\"no good\",\"model\":\"perUnit\",\"unitPrice\":1", ERR_FIELD_INVALID,
          "/charges/0/meter" },
        { PER_UNIT ",\"amount\":5", ERR_PLAN_INVALID, "/charges/0/amount" },
        { PER_UNIT ",\"period\":{\"unit\":\"week\"}", ERR_PLAN_INVALID, "/charges/0/period" },
        { PER_UNIT ",\"bill\":\"later\"", ERR_FIELD_INVALID, "/charges/0/bill" },
        { PER_UNIT ",\"pricingUnit\":\"credit\"", ERR_FIELD_REQUIRED, "/charges/0/conversionRate" },
        { PER_UNIT ",\"colour\":\"red\"", ERR_UNKNOWN_MEMBER, "/charges/0/colour" },
        { PER_UNIT ",\"timing\":\"advance\"", ERR_PLAN_INVALID, "/charges/0/timing" },
        { PER_UNIT ",\"timing\":\"later\"", ERR_FIELD_INVALID, "/charges/0/timing" },
        { PER_UNIT ",\"prorate\":\"hour\"", ERR_FIELD_INVALID, "/charges/0/prorate" },
        { PER_UNIT ",\"divideBy\":0", ERR_FIELD_INVALID, "/charges/0/divideBy" },
        { PER_UNIT ",\"divideBy\":2,\"multiplyBy\":2", ERR_PLAN_INVALID, "/charges/0/multiplyBy" },
        { PER_UNIT ",\"roundQuantity\":{\"mode\":\"ceil\"}", ERR_FIELD_INVALID,
          "/charges/0/roundQuantity/mode" },
        { PER_UNIT ",\"roundQuantity\":{\"mode\":\"up\",\"places\":13}", ERR_FIELD_INVALID,
          "/charges/0/roundQuantity/places" },
        { PER_UNIT ",\"includedPerGroup\":2", ERR_PLAN_INVALID, "/charges/0/includedPerGroup" },
        { PER_UNIT ",\"included\":{\"perUnit\":\"seats\"}", ERR_FIELD_REQUIRED,
          "/charges/0/included/amount" },
        { PER_UNIT ",\"minimum\":10,\"maximum\":5", ERR_PLAN_INVALID, "/charges/0/minimum" },
        { PER_UNIT ",\"filter\":[]", ERR_FIELD_INVALID, "/charges/0/filter" },
        { PER_UNIT ",\"filter\":{\"a\":\"b\"}", ERR_FIELD_INVALID, "/charges/0/filter/a" },
        { PER_UNIT ",\"filter\":{\"a\":[]}", ERR_FIELD_INVALID, "/charges/0/filter/a" },
        { PER_UNIT ",\"filter\":{\"a/b\":[null]}", ERR_FIELD_INVALID, "/charges/0/filter/a~1b/0" },
        { PER_UNIT ",\"groupBy\":[]", ERR_FIELD_INVALID, "/charges/0/groupBy" },
        { PER_UNIT ",\"groupBy\":[\"a\",\"a\"]", ERR_FIELD_INVALID, "/charges/0/groupBy" },
        { PER_UNIT ",\"oneTime\":true", ERR_PLAN_INVALID, "/charges/0/oneTime" },
        { "\"quantity\":\"q\",\"model\":\"perUnit\",\"unitPrice\":1,\"groupBy\":[\"a\"]",
          ERR_PLAN_INVALID, "/charges/0/groupBy" },
        { "\"quantity\":\"q\",\"model\":\"perUnit\",\"unitPrice\":1,\"onDecrease\":\"credit\"",
          ERR_PLAN_INVALID, "/charges/0/onDecrease" },
        { "\"meter\":\"m\",\"model\":\"package\",\"packageSize\":0,\"packagePrice\":1",
          ERR_FIELD_INVALID, "/charges/0/packageSize" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_charge(rows[i].members, rows[i].code, rows[i].pointer);
}

static void test_tiers_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { TIERED("[]"), ERR_FIELD_INVALID, "/charges/0/tiers" },
        { TIERED("[{\"upTo\":5,\"unitPrice\":1}]"), ERR_PLAN_INVALID, "/charges/0/tiers/0/upTo" },
        { TIERED("[{\"unitPrice\":1},{\"unitPrice\":2}]"), ERR_PLAN_INVALID,
          "/charges/0/tiers/0/upTo" },
        { TIERED("[{\"upTo\":5,\"unitPrice\":1},{\"upTo\":5,\"unitPrice\":1},{\"unitPrice\":2}]"),
          ERR_PLAN_INVALID, "/charges/0/tiers/1/upTo" },
        { TIERED("[{\"upTo\":0,\"unitPrice\":1},{\"unitPrice\":2}]"), ERR_FIELD_INVALID,
          "/charges/0/tiers/0/upTo" },
        { TIERED("[{}]"), ERR_PLAN_INVALID, "/charges/0/tiers/0" },
        { TIERED("[{\"packageSize\":5}]"), ERR_PLAN_INVALID, "/charges/0/tiers/0" },
        { TIERED("[{\"packageSize\":5,\"packagePrice\":1,\"unitPrice\":1}]"), ERR_PLAN_INVALID,
          "/charges/0/tiers/0" },
        { TIERED("[{\"unitPrice\":-1}]"), ERR_FIELD_INVALID, "/charges/0/tiers/0/unitPrice" },
        { TIERED("[{\"unitPrice\":1,\"firstUnit\":1}]"), ERR_UNKNOWN_MEMBER,
          "/charges/0/tiers/0/firstUnit" },
        { TIERED("[7]"), ERR_FIELD_INVALID, "/charges/0/tiers/0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_charge(rows[i].members, rows[i].code, rows[i].pointer);
}

static void test_plans_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { ",\"rounding\":\"bankers\"", ERR_FIELD_INVALID, "/rounding" },
        { ",\"timeZone\":\"Mars/Olympus\"", ERR_FIELD_INVALID, "/timeZone" },
        { ",\"period\":{\"unit\":\"month\",\"every\":5}", ERR_PLAN_INVALID, "/period" },
        { ",\"period\":{\"unit\":\"fortnight\"}", ERR_FIELD_INVALID, "/period/unit" },
        { ",\"period\":{\"unit\":\"month\",\"anchor\":32}", ERR_FIELD_INVALID, "/period/anchor" },
        { ",\"period\":{\"unit\":\"month\",\"anchor\":\"2026-02-30\"}", ERR_FIELD_INVALID,
          "/period/anchor" },
        { ",\"period\":{}", ERR_FIELD_REQUIRED, "/period/unit" },
        { ",\"phases\":[{\"periods\":0}]", ERR_FIELD_INVALID, "/phases/0/periods" },
        { ",\"trial\":{\"days\":0}", ERR_FIELD_INVALID, "/trial/days" },
        { ",\"invoiceThreshold\":{\"amount\":0}", ERR_PLAN_INVALID, "/invoiceThreshold" },
        { ",\"taxCategory\":\"x y\"", ERR_FIELD_INVALID, "/taxCategory" },
        { ",\"metadata\":{}", ERR_PLAN_INVALID, "/metadata" },
        { ",\"nonsense\":1", ERR_UNKNOWN_MEMBER, "/nonsense" },
        { ",\"minimum\":{}", ERR_FIELD_REQUIRED, "/minimum/amount" },
        { ",\"minimum\":{\"amount\":9},\"maximum\":{\"amount\":8}", ERR_PLAN_INVALID, "/minimum" },
        { ",\"discounts\":[{\"id\":\"a\"}]", ERR_PLAN_INVALID, "/discounts/0" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":10,\"amount\":1}]", ERR_PLAN_INVALID,
          "/discounts/0" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":101}]", ERR_FIELD_INVALID,
          "/discounts/0/percent" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":0}]", ERR_FIELD_INVALID,
          "/discounts/0/percent" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":1,\"charges\":[\"zz\"]}]", ERR_PLAN_INVALID,
          "/discounts/0/charges" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":1},{\"id\":\"a\",\"percent\":1}]",
          ERR_PLAN_INVALID, "/discounts/1/id" },
        { ",\"discounts\":[{\"id\":\"a\",\"percent\":1,\"startsAt\":\"soon\"}]", ERR_FIELD_INVALID,
          "/discounts/0/startsAt" },
        { ",\"commitment\":{}", ERR_FIELD_REQUIRED, "/commitment/amount" },
        { ",\"commitment\":{\"amount\":0}", ERR_FIELD_INVALID, "/commitment/amount" },
        { ",\"commitment\":{\"amount\":1,\"discountPercent\":100}", ERR_FIELD_INVALID,
          "/commitment/discountPercent" },
        { ",\"commitment\":{\"amount\":1,\"term\":{\"every\":12,\"unit\":\"week\"}}",
          ERR_PLAN_INVALID, "/commitment/term" },
        { ",\"commitment\":{\"amount\":1,\"charges\":[\"fee\"]}", ERR_PLAN_INVALID,
          "/commitment/charges" },
        { ",\"includedCredits\":7", ERR_FIELD_INVALID, "/includedCredits" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":1}", rows[i].more),
                    rows[i].code, rows[i].pointer);
    check_fault("[]", ERR_FIELD_INVALID, "");
    check_fault("{\"charges\":[]}", ERR_FIELD_REQUIRED, "/currency");
    check_fault("{\"currency\":\"usd\",\"charges\":[]}", ERR_FIELD_INVALID, "/currency");
    check_fault("{\"currency\":\"USD\"}", ERR_FIELD_REQUIRED, "/charges");
    check_fault(plan_of("{\"id\":\"a\",\"model\":\"flat\",\"amount\":1},{\"id\":\"a\",\"model\":"
                        "\"flat\",\"amount\":1}",
                        ""),
                ERR_PLAN_INVALID, "/charges/1/id");
}

static void test_every_fault_is_told_at_once(void **state)
{
    (void)state;
    Faults faults;
    assert_null(parse("{\"currency\":\"nope\",\"x\":1,\"charges\":[{\"id\":\"a "
                      "b\",\"model\":\"flat\",\"amount\":\"x\"},{}]}",
                      &faults));
    assert_int_equal(faults.count, 6);
    assert_non_null(fault_at(&faults, "/currency"));
    assert_non_null(fault_at(&faults, "/x"));
    assert_non_null(fault_at(&faults, "/charges/0/id"));
    assert_non_null(fault_at(&faults, "/charges/0/amount"));
    assert_non_null(fault_at(&faults, "/charges/1/id"));
    assert_non_null(fault_at(&faults, "/charges/1/model"));
}

static void test_the_id_is_that_of_the_path(void **state)
{
    (void)state;
    Faults faults = { .arena = arena };
    Json  *document = json_of(STR("{\"id\":\"other\",\"currency\":\"USD\",\"charges\":[]}"));
    assert_null(plan_from_json(document, STR(""), STR("mine"), &faults));
    assert_non_null(fault_at(&faults, "/id"));
    faults = (Faults){ .arena = arena };
    document = json_of(STR("{\"currency\":\"USD\",\"charges\":[]}"));
    Plan *plan = plan_from_json(document, STR(""), STR("mine"), &faults);
    assert_true(str_equal(plan->id, STR("mine")));
    document = json_of(STR("{\"id\":\"mine\",\"currency\":\"USD\",\"charges\":[]}"));
    assert_non_null(plan_from_json(document, STR(""), STR("mine"), &faults));
}

// ---- sharing a meter out

#define ON(id, more) "{\"id\":\"" id "\"," PER_UNIT more "}"

static void test_partitions_that_are_decided(void **state)
{
    (void)state;
    Plan *plan = good(plan_of(
        ON("rest", "") "," ON("eu", ",\"filter\":{\"r\":[\"eu\",\"us\"]}") "," ON(
            "euOnly",
            ",\"filter\":{\"r\":[\"eu\"]}") "," ON("also",
                                                   ",\"alsoCounts\":true") "," ON("ap",
                                                                                  ",\"filter\":{"
                                                                                  "\"r\":[\"ap\"]"
                                                                                  "}"),
        ""));
    assert_int_equal(plan->charges[0].except_count, 3);
    assert_int_equal(plan->charges[1].except_count, 1);
    assert_int_equal(plan->charges[2].except_count, 0);
    assert_int_equal(plan->charges[3].except_count, 0);
    // Two that overlap are decided when a third is more specific than both where they do.
    good(plan_of(
        ON("a", ",\"filter\":{\"r\":[\"eu\"]}") "," ON("b", ",\"filter\":{\"s\":[\"big\"]}") "," ON(
            "both", ",\"filter\":{\"r\":[\"eu\"],\"s\":[\"big\"]}"),
        ""));
    // Other meters do not meet.
    good(plan_of(
        ON("a", "") ",{\"id\":\"b\",\"meter\":\"other\",\"model\":\"perUnit\",\"unitPrice\":1}",
        ""));
}

static void test_partitions_that_are_not_decided_are_refused(void **state)
{
    (void)state;
    check_fault(plan_of(ON("a", "") "," ON("b", ""), ""), ERR_PLAN_INVALID, "/charges/1/filter");
    check_fault(plan_of(ON("a", ",\"filter\":{\"r\":[\"eu\"]}") "," ON(
                            "b", ",\"filter\":{\"s\":[\"big\"]}"),
                        ""),
                ERR_PLAN_INVALID, "/charges/1/filter");
    check_fault(plan_of(ON("a", ",\"filter\":{\"r\":[\"eu\",\"us\"]}") "," ON(
                            "b", ",\"filter\":{\"r\":[\"us\",\"ap\"]}"),
                        ""),
                ERR_PLAN_INVALID, "/charges/1/filter");
    check_fault(plan_of(ON("a", ",\"filter\":{\"r\":[\"eu\",\"us\"]}") "," ON(
                            "b", ",\"filter\":{\"r\":[\"us\",\"eu\"]}"),
                        ""),
                ERR_PLAN_INVALID, "/charges/1/filter");
}

static void test_filters(void **state)
{
    (void)state;
    Plan *plan = good(
        plan_of(ON("a", ",\"filter\":{\"z\":[true],\"r\":[\"us\",\"eu\",\"us\"],\"n\":[7]}"), ""));
    const ChargeFilter *filter = &plan->charges[0].filter;
    assert_int_equal(filter->count, 3);
    assert_true(str_equal(filter->terms[0].key, STR("n")));
    assert_int_equal(filter->terms[1].count, 2);
    NamedText matching[] = { { STR("r"), STR("eu") },
                             { STR("n"), STR("7") },
                             { STR("z"), STR("true") } };
    NamedText absent[] = { { STR("r"), STR("eu") },
                           { STR("n"), STR_NONE },
                           { STR("z"), STR("true") } };
    assert_true(filter_matches(filter, matching, 3));
    assert_false(filter_matches(filter, matching, 2));
    assert_false(filter_matches(filter, absent, 3));
}

static void test_the_stored_text_is_the_authors_without_whitespace(void **state)
{
    (void)state;
    Json *document = json_of(STR("{ \"currency\" : \"USD\",\n \"charges\" : [ {\"id\":\"c\", "
                                 "\"model\":\"flat\",\"amount\": 1.50 } ] }"));
    Str   text = plan_text(arena, document);
    assert_true(str_equal(text, STR("{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":"
                                    "\"flat\",\"amount\":1.50}]}")));
    Plan *plan;
    assert_null(plan_from_text(arena, text, &plan));
    assert_int_equal(plan->charge_count, 1);
    Err *err = plan_from_text(arena, STR("{"), &plan);
    assert_int_equal(err->code, ERR_JSON_INVALID);
    err = plan_from_text(arena, STR("{}"), &plan);
    assert_int_equal(err->code, ERR_STORE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_the_documented_plan),
        test_of(test_period_rules),
        test_of(test_charges_that_are_refused),
        test_of(test_tiers_that_are_refused),
        test_of(test_plans_that_are_refused),
        test_of(test_every_fault_is_told_at_once),
        test_of(test_the_id_is_that_of_the_path),
        test_of(test_partitions_that_are_decided),
        test_of(test_partitions_that_are_not_decided_are_refused),
        test_of(test_filters),
        test_of(test_the_stored_text_is_the_authors_without_whitespace),
    };
    return cmocka_run_group_tests_name("price/plan", tests, NULL, NULL);
}
