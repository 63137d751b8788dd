// SPDX-License-Identifier: Apache-2.0
// eventPrice, matrix, capacity, percentOf, formula and units of a charge's own: amounts, steps and
// refusals.
#include "asking.h"

static const Err *fault_at(const Err *err, const char *pointer)
{
    while (err != NULL && !str_equal(err->pointer, str_of(pointer)))
        err = err->next;
    return err;
}

static void check_refused(const char *charge, ErrCode code, const char *pointer)
{
    Text       out = text_open(arena);
    Err       *first = try_rate(request_text(plan_of(charge, ""), "{}", ""), &out);
    const Err *err = fault_at(first, pointer);
    if (err == NULL)
        fail_msg("no fault at %s in %s, but %.*s: %.*s", pointer, charge,
                 first == NULL ? 4 : (int)first->pointer.length,
                 first == NULL ? "none" : first->pointer.at,
                 first == NULL ? 0 : (int)first->detail.length,
                 first == NULL ? "" : first->detail.at);
    assert_int_equal(err->code, code);
}

static void test_each_event_brings_its_price(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"eventPrice\",\"property\":\"cost\""
                     "}",
                     ""),
             "{\"m\":[{\"quantity\":\"30\",\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\""
             "value\":\"10\",\"properties\":{\"cost\":\"0.101\"}},{\"ts\":\"2026-06-02T00:"
             "00:00Z\",\"value\":\"10\",\"properties\":{\"cost\":\"9.019\"}},{\"ts\":\"202"
             "6-06-03T00:00:00Z\",\"value\":\"10\"}]}]}",
             "");
    assert_at(bill, "/lines/0/exactAmount", "9.12");
    assert_at(bill, "/lines/0/usage", "30");
    assert_at(bill, "/lines/0/steps/0/op", "event");
    assert_at(bill, "/lines/0/steps/0/amount", "0.101");
    assert_at(bill, "/lines/0/steps/1/amount", "9.019");
    assert_at(bill, "/lines/0/steps/2/amount", "0");
}

static void test_a_negative_price_of_an_event(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"eventPrice\",\"property\":\"cost\""
                     ",\"allowNegative\":true}",
                     ""),
             "{\"m\":[{\"quantity\":\"30\",\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\""
             "value\":\"1\",\"properties\":{\"cost\":\"-2.5\"}},{\"ts\":\"2026-06-02T00:00"
             ":00Z\",\"value\":\"1\",\"properties\":{\"cost\":\"1\"}}]}]}",
             "");
    assert_at(bill, "/lines/0/amount", "-1.50");
}

static void test_a_matrix_prices_by_the_most_specific_cell(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                     "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"eu\"},\"unitPrice\":\"2\"},{"
                     "\"when\":{\"region\":\"eu\",\"size\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{"
                     "\"when\":{\"region\":\"us\"},\"unitPrice\":\"1\"}],\"defaultUnitPrice\":\"5"
                     "\"}",
                     ""),
             "{\"m\":[{\"group\":{\"region\":\"us\",\"team\":\"b\"},\"quantity\":10},{\"gr"
             "oup\":{\"region\":\"eu\",\"size\":\"xl\",\"team\":\"a\"},\"quantity\":4},{\""
             "group\":{\"region\":\"eu\",\"size\":\"s\",\"team\":\"b\"},\"quantity\":6},{"
             "\"group\":{\"team\":\"a\"},\"quantity\":1},{\"group\":{\"region\":\"eu\",\"s"
             "ize\":\"xl\",\"team\":\"a\"},\"quantity\":1}]}",
             "");
    assert_at(bill, "/lines/0/exactAmount", "42");
    assert_at(bill, "/lines/0/usage", "22");
    assert_at(bill, "/lines/0/quantity", "22");
    assert_at(bill, "/lines/0/steps/0/op", "cell");
    assert_at(bill, "/lines/0/steps/0/cell", "{}");
    assert_at(bill, "/lines/0/steps/0/unitPrice", "5");
    assert_at(bill, "/lines/0/steps/1/cell", "{\"region\":\"eu\",\"size\":\"s\"}");
    assert_at(bill, "/lines/0/steps/1/amount", "12");
    assert_at(bill, "/lines/0/steps/2/quantity", "5");
    assert_at(bill, "/lines/0/steps/2/unitPrice", "3");
    assert_at(bill, "/lines/0/steps/3/unitPrice", "1");
}

static void test_a_matrix_has_a_line_for_each_group(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"groupBy\":[\"team\"],\"included\":\"7\",\"meter\":\"m\",\"mo"
                     "del\":\"matrix\",\"dimensions\":[\"region\",\"size\"],\"cells\":[{\"when\":{"
                     "\"region\":\"eu\"},\"unitPrice\":\"2\"},{\"when\":{\"region\":\"eu\",\"size"
                     "\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{\"when\":{\"region\":\"us\"},\"unit"
                     "Price\":\"1\"}],\"defaultUnitPrice\":\"5\"}",
                     ""),
             "{\"m\":[{\"group\":{\"region\":\"us\",\"team\":\"b\"},\"quantity\":10},{\"gr"
             "oup\":{\"region\":\"eu\",\"size\":\"xl\",\"team\":\"a\"},\"quantity\":4},{\""
             "group\":{\"region\":\"eu\",\"size\":\"s\",\"team\":\"b\"},\"quantity\":6},{"
             "\"group\":{\"team\":\"a\"},\"quantity\":1},{\"group\":{\"region\":\"eu\",\"s"
             "ize\":\"xl\",\"team\":\"a\"},\"quantity\":1}]}",
             "");
    assert_at(bill, "/lines/0/group/team", "b");
    assert_at(bill, "/lines/0/usage", "16");
    assert_at(bill, "/lines/0/quantity", "15");
    assert_at(bill, "/lines/0/exactAmount", "20");
    assert_at(bill, "/lines/0/steps/0/included", "1");
}

static void test_what_is_free_per_group_of_a_matrix(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"groupBy\":[\"team\"],\"includedPerGroup\":\"2\",\"meter\":\""
                     "m\",\"model\":\"matrix\",\"dimensions\":[\"region\",\"size\"],\"cells\":[{\""
                     "when\":{\"region\":\"eu\"},\"unitPrice\":\"2\"},{\"when\":{\"region\":\"eu\""
                     ",\"size\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{\"when\":{\"region\":\"us\"}"
                     ",\"unitPrice\":\"1\"}],\"defaultUnitPrice\":\"5\"}",
                     ""),
             "{\"m\":[{\"group\":{\"region\":\"us\",\"team\":\"b\"},\"quantity\":10},{\"gr"
             "oup\":{\"region\":\"eu\",\"size\":\"xl\",\"team\":\"a\"},\"quantity\":4},{\""
             "group\":{\"region\":\"eu\",\"size\":\"s\",\"team\":\"b\"},\"quantity\":6},{"
             "\"group\":{\"team\":\"a\"},\"quantity\":1},{\"group\":{\"region\":\"eu\",\"s"
             "ize\":\"xl\",\"team\":\"a\"},\"quantity\":1}]}",
             "");
    assert_at(bill, "/lines/0/group/team", "a");
    assert_at(bill, "/lines/0/quantity", "4");
    assert_at(bill, "/lines/0/exactAmount", "12");
    assert_at(bill, "/lines/1/group/team", "b");
    assert_at(bill, "/lines/1/exactAmount", "18");
}

static void test_a_matrix_without_usage(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                     "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"eu\"},\"unitPrice\":\"2\"},{"
                     "\"when\":{\"region\":\"eu\",\"size\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{"
                     "\"when\":{\"region\":\"us\"},\"unitPrice\":\"1\"}],\"defaultUnitPrice\":\"5"
                     "\"}",
                     ""),
             "{}", "");
    assert_at(bill, "/lines/0/amount", "0.00");
    assert_at(bill, "/lines/0/usage", "0");
}

static void test_matrices_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"cells\":[{\"when\":{\"r"
                  "egion\":\"eu\"},\"unitPrice\":\"2\"},{\"when\":{\"region\":\"eu\",\"size\":["
                  "\"l\",\"xl\"]},\"unitPrice\":\"3\"},{\"when\":{\"region\":\"us\"},\"unitPric"
                  "e\":\"1\"}],\"defaultUnitPrice\":\"5\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/dimensions");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"a\",\"b"
                  "\",\"c\",\"d\",\"e\"],\"cells\":[{\"when\":{\"region\":\"eu\"},\"unitPrice\""
                  ":\"2\"},{\"when\":{\"region\":\"eu\",\"size\":[\"l\",\"xl\"]},\"unitPrice\":"
                  "\"3\"},{\"when\":{\"region\":\"us\"},\"unitPrice\":\"1\"}],\"defaultUnitPric"
                  "e\":\"5\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/dimensions");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"defaultUnitPrice\":\"5\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/cells");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[],\"defaultUnitPrice\":\"5\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/cells");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[\"x\"],\"defaultUnitPrice\":\"5\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/cells/0");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"eu\"},\"unitPrice\":\"2\"},{"
                  "\"when\":{\"region\":\"eu\",\"size\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{"
                  "\"when\":{\"region\":\"us\"},\"unitPrice\":\"1\"}]}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/defaultUnitPrice");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"zone\":\"x\"},\"unitPrice\":1}],\"defau"
                  "ltUnitPrice\":\"5\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/cells/0/when/zone");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":[]},\"unitPrice\":1}],\"defaul"
                  "tUnitPrice\":\"5\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/cells/0/when/region");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"x\"}}],\"defaultUnitPrice\":"
                  "\"5\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/cells/0/unitPrice");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"unitPrice\":1}],\"defaultUnitPrice\":\"5\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/cells/0/when");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"x\"},\"unitPrice\":1},{\"whe"
                  "n\":{\"size\":\"l\"},\"unitPrice\":2}],\"defaultUnitPrice\":\"5\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/cells/1/when");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"x\"},\"unitPrice\":1},{\"whe"
                  "n\":{\"region\":\"x\"},\"unitPrice\":2}],\"defaultUnitPrice\":\"5\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/cells/1/when");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"matrix\",\"dimensions\":[\"region"
                  "\",\"size\"],\"cells\":[{\"when\":{\"region\":\"eu\"},\"unitPrice\":\"2\"},{"
                  "\"when\":{\"region\":\"eu\",\"size\":[\"l\",\"xl\"]},\"unitPrice\":\"3\"},{"
                  "\"when\":{\"region\":\"us\"},\"unitPrice\":\"1\"}],\"defaultUnitPrice\":\"5"
                  "\",\"groupBy\":[\"size\"]}",
                  ERR_PLAN_INVALID, "/plan/charges/0/groupBy");
}

static void test_capacity_is_the_first_tier_in_which_all_fit(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *exact;
    } rows[] = {
        { "{\"u1\":\"100\",\"u2\":\"1001\"}", "20" },
        { "{\"u1\":\"100\",\"u2\":\"1000\",\"u3\":\"5000\"}", "10" },
        { "{\"u1\":\"100\",\"u2\":\"1001\",\"u3\":\"101\"}", "30" },
        { "{}", "10" },
        { "{\"u1\":\"200.000001\"}", "30" },
        { "{\"u1\":[{\"quantity\":\"60\"},{\"quantity\":\"41\"}]}", "20" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_at(
            rate(plan_of(
                     "{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"u1\":\"100\","
                     "\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"200\",\"u2\":\"200"
                     "0\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":null},\"amount\":"
                     "\"30\"}]}",
                     ""),
                 rows[i].usage, ""),
            "/lines/0/exactAmount", rows[i].exact);
}

static void test_capacity_tells_what_fits(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"u1\":\"100\","
                     "\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"200\",\"u2\":\"200"
                     "0\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":null},\"amount\":"
                     "\"30\"}]}",
                     ""),
             "{\"u1\":\"100\",\"u2\":\"1001\"}", "");
    assert_at(bill, "/lines/0/steps/1/op", "capacity");
    assert_at(bill, "/lines/0/steps/1/tier", "1");
    assert_at(bill, "/lines/0/steps/1/meter", "u2");
    assert_at(bill, "/lines/0/steps/1/quantity", "1001");
    assert_at(bill, "/lines/0/steps/1/limit", "2000");
    assert_at(bill, "/lines/0/steps/3/op", "flat");
    assert_at(bill, "/lines/0/steps/3/amount", "20");
    assert_at(bill, "/lines/0/steps/4/op", "round");
}

static void test_capacities_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"model\":\"capacity\"}", ERR_FIELD_REQUIRED,
                  "/plan/charges/0/tiers");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"meter\":\"m\",\"tiers\":[{\"limits\":"
                  "{\"u1\":\"100\",\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"20"
                  "0\",\"u2\":\"2000\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":n"
                  "ull},\"amount\":\"30\"}]}",
                  ERR_PLAN_INVALID, "/plan/charges/0");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"amount\":1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[\"x\",{\"amount\":1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers/0");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"a\":1}},{\"am"
                  "ount\":1}]}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/tiers/0/amount");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"amount\":1},{\"amount\":1"
                  "}]}",
                  ERR_PLAN_INVALID, "/plan/charges/0/tiers/0/limits");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"a\":1},\"amou"
                  "nt\":1},{\"limits\":{\"a\":2},\"amount\":1}]}",
                  ERR_PLAN_INVALID, "/plan/charges/0/tiers/1/limits");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"a b\":1},\"am"
                  "ount\":1},{\"amount\":1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers/0/limits/a b");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"a\":-1},\"amo"
                  "unt\":1},{\"amount\":1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers/0/limits/a");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"m0\":1,\"m1\""
                  ":1,\"m2\":1,\"m3\":1,\"m4\":1,\"m5\":1,\"m6\":1,\"m7\":1,\"m8\":1,\"m9\":1,"
                  "\"m10\":1,\"m11\":1,\"m12\":1,\"m13\":1,\"m14\":1,\"m15\":1,\"m16\":1},\"amo"
                  "unt\":1},{\"amount\":1}]}",
                  ERR_FIELD_INVALID, "/plan/charges/0/tiers/0/limits/m16");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"u1\":\"100\","
                  "\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"200\",\"u2\":\"200"
                  "0\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":null},\"amount\":"
                  "\"30\"}],\"timing\":\"advance\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/timing");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"u1\":\"100\","
                  "\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"200\",\"u2\":\"200"
                  "0\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":null},\"amount\":"
                  "\"30\"}],\"included\":1}",
                  ERR_PLAN_INVALID, "/plan/charges/0/included");
    check_refused("{\"id\":\"c\",\"model\":\"capacity\",\"tiers\":[{\"limits\":{\"u1\":\"100\","
                  "\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":\"200\",\"u2\":\"200"
                  "0\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1\":null},\"amount\":"
                  "\"30\"}]},{\"id\":\"d\",\"meter\":\"u2\",\"model\":\"perUnit\",\"unitPrice\""
                  ":1}",
                  ERR_PLAN_INVALID, "/plan/charges/0");
}

static void test_meters_of_several_charges_when_one_says_so(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"model\":\"capacity\",\"alsoCounts\":true,\"tiers\":[{\"limit"
                     "s\":{\"u1\":\"100\",\"u2\":\"1000\"},\"amount\":\"10\"},{\"limits\":{\"u1\":"
                     "\"200\",\"u2\":\"2000\",\"u3\":\"100\"},\"amount\":\"20\"},{\"limits\":{\"u1"
                     "\":null},\"amount\":\"30\"}]},{\"id\":\"d\",\"meter\":\"u2\",\"model\":\"per"
                     "Unit\",\"unitPrice\":1}",
                     ""),
             "{\"u2\":\"7\"}", "");
    assert_at(bill, "/lines/0/amount", "10.00");
    assert_at(bill, "/lines/1/amount", "7.00");
}

static void test_a_share_of_other_charges_before_discounts(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"fee\",\"model\":\"percentOf\",\"charges\":[\"a\",\"b\"],\"ratePerc"
                     "ent\":\"5\"},{\"id\":\"a\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice"
                     "\":\"1.005\"},{\"id\":\"b\",\"model\":\"flat\",\"amount\":\"499.00\"}",
                     ",\"discounts\":[{\"id\":\"d\",\"percent\":\"50\",\"charges\":[\"a\"]}]"),
             "{\"m\":\"3\"}", "");
    assert_at(bill, "/lines/0/charge", "fee");
    assert_at(bill, "/lines/0/exactAmount", "25.101");
    assert_at(bill, "/lines/0/amount", "25.10");
    assert_at(bill, "/lines/0/steps/0/op", "percent");
    assert_at(bill, "/lines/0/steps/0/base", "502.02");
    assert_at(bill, "/lines/0/kind", "fee");
    assert_at(bill, "/lines/1/discount", "-1.51");
    assert_at(bill, "/lines/2/amount", "499.00");
}

static void test_shares_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"ratePercent\":1}", ERR_FIELD_REQUIRED,
                  "/plan/charges/0/charges");
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"charges\":[\"a\"]},{\"id\":\"a\",\"m"
                  "eter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"1.005\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/ratePercent");
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"charges\":[\"zz\"],\"ratePercent\":1"
                  "}",
                  ERR_PLAN_INVALID, "/plan/charges/0/charges");
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"charges\":[\"p\"],\"ratePercent\":1}",
                  ERR_PLAN_INVALID, "/plan/charges/0/charges");
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"charges\":[\"a\"],\"ratePercent\":1,"
                  "\"prorate\":\"day\"},{\"id\":\"a\",\"meter\":\"m\",\"model\":\"perUnit\",\"u"
                  "nitPrice\":\"1.005\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/prorate");
    check_refused("{\"id\":\"p\",\"model\":\"percentOf\",\"charges\":[\"a\"],\"ratePercent\":1,"
                  "\"meter\":\"m\"},{\"id\":\"a\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitP"
                  "rice\":\"1.005\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0");
}

static void test_a_charge_in_units_of_its_own(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"graduated\",\"tiers\":[{\"upTo\":"
                     "\"100\",\"unitPrice\":\"1\",\"flatFee\":\"10\"},{\"unitPrice\":\"2\"}],\"pri"
                     "cingUnit\":\"credit\",\"conversionRate\":\"0.5\"}",
                     ""),
             "{\"m\":\"150\"}", "");
    assert_at(bill, "/lines/0/exactAmount", "105");
    assert_at(bill, "/lines/0/steps/0/price", "110");
    assert_at(bill, "/lines/0/steps/2/op", "convert");
    assert_at(bill, "/lines/0/steps/2/price", "210");
    assert_at(bill, "/lines/0/steps/2/pricingUnit", "credit");
    assert_at(bill, "/lines/0/steps/2/amount", "105");
}

static void test_units_of_its_own_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"pricin"
                  "gUnit\":\"credit\"}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/conversionRate");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"conver"
                  "sionRate\":1}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/pricingUnit");
    check_refused("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"conver"
                  "sionRate\":0,\"pricingUnit\":\"credit\"}",
                  ERR_FIELD_INVALID, "/plan/charges/0/conversionRate");
    check_refused("{\"id\":\"c\",\"quantity\":\"q\",\"model\":\"perUnit\",\"unitPrice\":1,\"con"
                  "versionRate\":1,\"pricingUnit\":\"credit\"}",
                  ERR_PLAN_INVALID, "/plan/charges/0/pricingUnit");
}

static void test_a_formula_over_two_meters(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"max(0, a - 10 * b) * 0.02\",\"model\":\"formu"
                     "la\",\"meters\":{\"a\":\"in\",\"b\":\"out\"}}",
                     ""),
             "{\"in\":\"1250\",\"out\":\"100\"}", "");
    assert_at(bill, "/lines/0/exactAmount", "5");
    assert_at(bill, "/lines/0/steps/0/op", "formula");
    assert_at(bill, "/lines/0/steps/0/name", "a");
    assert_at(bill, "/lines/0/steps/0/meter", "in");
    assert_at(bill, "/lines/0/steps/0/quantity", "1250");
    assert_at(bill, "/lines/0/steps/2/expression", "max(0, a - 10 * b) * 0.02");
    assert_at(bill, "/lines/0/steps/2/amount", "5");
}

static void test_a_division_by_zero_is_0_and_told(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"a / b + 3\",\"model\":\"formula\",\"meters\":"
                     "{\"a\":\"in\",\"b\":\"out\"}}",
                     ""),
             "{\"in\":\"5\"}", "");
    assert_at(bill, "/lines/0/exactAmount", "3");
    assert_at(bill, "/lines/0/steps/2/divisionsByZero", "1");
    assert_at(bill, "/lines/0/steps/3/amount", "3");
}

static void test_a_formula_below_0(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"0 - a\",\"model\":\"formula\",\"meters\":{\"a"
                     "\":\"in\",\"b\":\"out\"}}",
                     ""),
             "{\"in\":\"1250\",\"out\":\"100\"}", "");
    assert_at(bill, "/lines/0/amount", "0.00");
}

static void test_a_formula_below_0_when_it_may(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"0 - a\",\"allowNegative\":true,\"model\":\"fo"
                     "rmula\",\"meters\":{\"a\":\"in\",\"b\":\"out\"}}",
                     ""),
             "{\"in\":\"1250\",\"out\":\"100\"}", "");
    assert_at(bill, "/lines/0/amount", "-1250.00");
}

static void test_a_commitment_counts_a_formula(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"a\",\"model\":\"formula\",\"meters\":{\"a\":"
                     "\"in\",\"b\":\"out\"}}",
                     ",\"commitment\":{\"amount\":\"2000\",\"charges\":[\"c\"]}"),
             "{\"in\":\"1250\",\"out\":\"100\"}", "");
    assert_at(bill, "/lines/1/kind", "trueUp");
    assert_at(bill, "/lines/1/amount", "750.00");
}

static void test_a_minimum_of_a_formula(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"expression\":\"a / 3\",\"minimum\":\"500\",\"model\":\"formu"
                     "la\",\"meters\":{\"a\":\"in\",\"b\":\"out\"}}",
                     ""),
             "{\"in\":\"1250\",\"out\":\"100\"}", "");
    assert_at(bill, "/lines/0/exactAmount", "1250/3");
    assert_at(bill, "/lines/1/kind", "minimum");
    assert_at(bill, "/lines/1/amount", "83.33");
}

static void test_formulas_of_charges_that_are_refused(void **state)
{
    (void)state;
    check_refused("{\"id\":\"c\",\"expression\":\"a +\",\"model\":\"formula\",\"meters\":{\"a\""
                  ":\"in\",\"b\":\"out\"}}",
                  ERR_PLAN_INVALID, "/plan/charges/0/expression");
    check_refused("{\"id\":\"c\",\"expression\":\"a + c\",\"model\":\"formula\",\"meters\":{\"a"
                  "\":\"in\",\"b\":\"out\"}}",
                  ERR_PLAN_INVALID, "/plan/charges/0/expression");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"meters\":{\"a\":\"in\",\"b\":\"out\"}}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/expression");
    check_refused("{\"id\":\"c\",\"expression\":5,\"model\":\"formula\",\"meters\":{\"a\":\"in"
                  "\",\"b\":\"out\"}}",
                  ERR_FIELD_INVALID, "/plan/charges/0/expression");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\"}", ERR_FIELD_REQUIRED,
                  "/plan/charges/0/meters");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{}}",
                  ERR_FIELD_INVALID, "/plan/charges/0/meters");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{\"if\":"
                  "\"m\"}}",
                  ERR_FIELD_INVALID, "/plan/charges/0/meters/if");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{\"a\":"
                  "\"m\",\"b\":\"m\"}}",
                  ERR_PLAN_INVALID, "/plan/charges/0/meters/b");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{\"a\":"
                  "\"no good\"}}",
                  ERR_FIELD_INVALID, "/plan/charges/0/meters/a");
    check_refused("{\"id\":\"c\",\"model\":\"formula\",\"expression\":\"1\",\"meters\":{\"a\":n"
                  "ull}}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/meters/a");
    check_refused("{\"id\":\"c\",\"expression\":\"a\",\"model\":\"formula\",\"meters\":{\"a\":"
                  "\"in\",\"b\":\"out\"}},{\"id\":\"d\",\"model\":\"formula\",\"expression\":\""
                  "x\",\"meters\":{\"x\":\"out\"}}",
                  ERR_PLAN_INVALID, "/plan/charges/1");
}

static void check_events(const char *usage, ErrCode code, const char *pointer)
{
    Text out = text_open(arena);
    Err *err = try_rate(request_text(plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                                             "\"eventPrice\",\"property\":\"cost\"}",
                                             ""),
                                     usage, ""),
                        &out);
    assert_non_null(err);
    assert_int_equal(err->code, code);
    assert_string_equal(str_terminated(arena, err->pointer), pointer);
    assert_int_equal(out.length, 0);
}

static void test_events_are_asked_for(void **state)
{
    (void)state;
    check_events("{\"m\":\"5\"}", ERR_FIELD_REQUIRED, "/usage/m/events");
    check_events("{\"m\":[{\"quantity\":5}]}", ERR_FIELD_REQUIRED, "/usage/m/0/events");
    check_events("{\"m\":[{\"events\":5}]}", ERR_FIELD_INVALID, "/usage/m/0/events");
    check_events("{\"m\":[{\"events\":[5]}]}", ERR_FIELD_INVALID, "/usage/m/0/events/0");
    check_events("{\"m\":[{\"events\":[{\"value\":5}]}]}", ERR_FIELD_REQUIRED,
                 "/usage/m/0/events/0/ts");
    check_events("{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"colour\":1}]}]}",
                 ERR_UNKNOWN_MEMBER, "/usage/m/0/events/0/colour");
    check_events("{\"m\":[{\"events\":[{\"ts\":\"2026-06-01T00:00:00Z\",\"properties\":{"
                 "\"cost\":\"dear\"}}]}]}",
                 ERR_FIELD_INVALID, "/usage/m/0/events/0/properties/cost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_each_event_brings_its_price),
        test_of(test_a_negative_price_of_an_event),
        test_of(test_a_matrix_prices_by_the_most_specific_cell),
        test_of(test_a_matrix_has_a_line_for_each_group),
        test_of(test_what_is_free_per_group_of_a_matrix),
        test_of(test_a_matrix_without_usage),
        test_of(test_matrices_that_are_refused),
        test_of(test_capacity_is_the_first_tier_in_which_all_fit),
        test_of(test_capacity_tells_what_fits),
        test_of(test_capacities_that_are_refused),
        test_of(test_meters_of_several_charges_when_one_says_so),
        test_of(test_a_share_of_other_charges_before_discounts),
        test_of(test_shares_that_are_refused),
        test_of(test_a_charge_in_units_of_its_own),
        test_of(test_units_of_its_own_that_are_refused),
        test_of(test_a_formula_over_two_meters),
        test_of(test_a_division_by_zero_is_0_and_told),
        test_of(test_a_formula_below_0),
        test_of(test_a_formula_below_0_when_it_may),
        test_of(test_a_commitment_counts_a_formula),
        test_of(test_a_minimum_of_a_formula),
        test_of(test_formulas_of_charges_that_are_refused),
        test_of(test_events_are_asked_for),
    };
    return cmocka_run_group_tests_name("price/models", tests, NULL, NULL);
}
