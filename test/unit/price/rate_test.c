// SPDX-License-Identifier: Apache-2.0
// Prices: one request, one line, one amount; and what the steps say about it.
#include "asking.h"
#include "price/step.h"

#define TIERS                                                                                      \
    "\"tiers\":[{\"upTo\":\"1000000\",\"unitPrice\":\"0.0009\"},"                                  \
    "{\"upTo\":\"50000000\",\"unitPrice\":\"0.0006\"},{\"unitPrice\":\"0.0004\"}]"
#define DEMO                                                                                       \
    "{\"id\":\"demo_2026\",\"currency\":\"USD\",\"charges\":["                                     \
    "{\"id\":\"api\",\"name\":\"API "                                                              \
    "requests\",\"meter\":\"api.requests\",\"model\":\"graduated\"," TIERS "},"                    \
    "{\"id\":\"gpu\",\"meter\":\"compute.gpu_seconds\",\"model\":\"perUnit\",\"unitPrice\":\"0."   \
    "0021\"},"                                                                                     \
    "{\"id\":\"storage\",\"meter\":\"storage.gb_hours\",\"model\":\"perUnit\",\"unitPrice\":0."    \
    "00009}]}"

static void test_the_demo_bill(void **state)
{
    (void)state;
    const Json *bill = rate(DEMO,
                            "{\"api.requests\":\"38114200\",\"compute.gpu_seconds\":912448,"
                            "\"storage.gb_hours\":\"1204001\"}",
                            "");
    assert_at(bill, "/lines/0/amount", "23168.52");
    assert_at(bill, "/lines/0/exactAmount", "23168.52");
    assert_at(bill, "/lines/0/description", "API requests");
    assert_at(bill, "/lines/0/steps/0/op", "tier");
    assert_at(bill, "/lines/0/steps/0/amount", "900");
    assert_at(bill, "/lines/0/steps/1/quantity", "37114200");
    assert_at(bill, "/lines/0/steps/1/amount", "22268.52");
    assert_at(bill, "/lines/0/steps/2/op", "round");
    assert_at(bill, "/lines/1/exactAmount", "1916.1408");
    assert_at(bill, "/lines/1/amount", "1916.14");
    assert_at(bill, "/lines/2/exactAmount", "108.36009");
    assert_at(bill, "/lines/2/amount", "108.36");
    assert_at(bill, "/total", "25193.02");
    assert_at(bill, "/accrued", "25193.02");
    assert_int_equal(at(bill, "/lines")->count, 3);
}

typedef struct Row {
    const char *charge, *quantity, *exact, *amount;
} Row;

static void check_rows(const Row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *charge = str_terminated(
            arena, str_print(arena, "{\"id\":\"c\",\"meter\":\"m\",%s}", rows[i].charge));
        char *usage = str_terminated(arena, str_print(arena, "{\"m\":\"%s\"}", rows[i].quantity));
        const Json *bill = rate(plan_of(charge, ""), usage, "");
        assert_at(bill, "/lines/0/exactAmount", rows[i].exact);
        assert_at(bill, "/lines/0/amount", rows[i].amount);
    }
}
#define CHECK(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

static void test_per_unit(void **state)
{
    (void)state;
    static const Row rows[] = {
        { "\"model\":\"perUnit\",\"unitPrice\":\"0.067\"", "55", "3.685", "3.69" },
        { "\"model\":\"perUnit\",\"unitPrice\":\"0.067\"", "0", "0", "0.00" },
        { "\"model\":\"perUnit\",\"unitPrice\":\"0.067\"", "-5", "0", "0.00" },
        { "\"model\":\"perUnit\",\"unitPrice\":\"0.067\",\"allowNegative\":true", "-55", "-3.685",
          "-3.69" },
        { "\"model\":\"perUnit\",\"unitPrice\":\"-1\",\"allowNegative\":true", "2", "-2", "-2.00" },
        { "\"model\":\"perUnit\",\"unitPrice\":\"1e-12\"", "5000000000", "0.005", "0.01" },
    };
    CHECK(rows);
}

static void test_volume_prices_99_5_units_of_tiers_at_100(void **state)
{
    (void)state;
#define VOLUME                                                                                     \
    "\"model\":\"volume\",\"tiers\":[{\"upTo\":\"100\",\"unitPrice\":\"2\",\"flatFee\":\"1\"},{"   \
    "\"unitPrice\":\"1\"}]"
    static const Row rows[] = {
        { VOLUME, "99.5", "200", "200.00" },
        { VOLUME, "100", "201", "201.00" },
        { VOLUME, "100.5", "100.5", "100.50" },
        { VOLUME, "100.000000000001", "100.000000000001", "100.00" },
        { VOLUME, "0", "0", "0.00" },
        { VOLUME ",\"flatFeeAtZero\":true", "0", "1", "1.00" },
        { VOLUME, "-3", "0", "0.00" },
        { VOLUME, "0.25", "1.5", "1.50" },
    };
    CHECK(rows);
}

static void test_volume_reprices_everything_at_the_next_tier(void **state)
{
    (void)state;
#define REPRICE                                                                                    \
    "\"model\":\"volume\",\"tiers\":[{\"upTo\":\"15\",\"unitPrice\":\"10\"},{\"unitPrice\":\"5\"}" \
    "]"
    static const Row rows[] = { { REPRICE, "15", "150", "150.00" },
                                { REPRICE, "16", "80", "80.00" } };
    CHECK(rows);
}

static void test_graduated_prices_each_tier_by_itself(void **state)
{
    (void)state;
#define GRADUATED                                                                                  \
    "\"model\":\"graduated\",\"tiers\":[{\"upTo\":\"10\",\"unitPrice\":\"10\",\"flatFee\":\"2\"}," \
    "{\"upTo\":20,\"unitPrice\":\"5\",\"flatFee\":\"3\"},{\"unitPrice\":\"5\",\"flatFee\":\"3\"}]"
#define CAPPED                                                                                     \
    "\"model\":\"graduated\",\"tiers\":[{\"upTo\":\"10\",\"unitPrice\":\"1\",\"cap\":\"7.5\","     \
    "\"flatFee\":\"2\"},"                                                                          \
    "{\"packageSize\":\"5\",\"packagePrice\":\"3\"}]"
    static const Row rows[] = {
        { GRADUATED, "21", "163", "163.00" },
        { GRADUATED, "10", "102", "102.00" },
        { GRADUATED, "10.1", "105.5", "105.50" },
        { GRADUATED, "0", "0", "0.00" },
        { GRADUATED ",\"flatFeeAtZero\":true", "0", "2", "2.00" },
        { GRADUATED, "-1", "0", "0.00" },
        { CAPPED, "5", "7", "7.00" },
        { CAPPED, "9", "9.5", "9.50" },
        { CAPPED, "10.1", "12.5", "12.50" },
        { CAPPED, "20.5", "18.5", "18.50" },
    };
    CHECK(rows);
}

static void test_a_started_package_counts(void **state)
{
    (void)state;
#define PACKAGE "\"model\":\"package\",\"packageSize\":\"10\",\"packagePrice\":\"100\""
    static const Row rows[] = {
        { PACKAGE, "0", "0", "0.00" },
        { PACKAGE, "0.1", "100", "100.00" },
        { PACKAGE, "10", "100", "100.00" },
        { PACKAGE, "121", "1300", "1300.00" },
        { PACKAGE ",\"included\":\"10\"", "121", "1200", "1200.00" },
        { PACKAGE ",\"included\":\"200\"", "121", "0", "0.00" },
        { PACKAGE, "-15", "0", "0.00" },
    };
    CHECK(rows);
}

static void test_operators_apply_in_their_order(void **state)
{
    (void)state;
#define ONE "\"model\":\"perUnit\",\"unitPrice\":\"1\""
    static const Row rows[] = {
        { ONE ",\"included\":\"5\"", "12", "7", "7.00" },
        { ONE ",\"included\":\"5\"", "3", "0", "0.00" },
        { ONE ",\"included\":\"5\",\"allowNegative\":true", "-3", "-3", "-3.00" },
        { ONE ",\"divideBy\":\"1000\"", "1247", "1.247", "1.25" },
        { ONE ",\"divideBy\":\"3\"", "1", "1/3", "0.33" },
        { ONE ",\"multiplyBy\":\"1.5\"", "4.2", "6.3", "6.30" },
        { ONE ",\"divideBy\":\"1000\",\"roundQuantity\":{\"mode\":\"up\"}", "1247", "2", "2.00" },
        { ONE ",\"divideBy\":\"1000\",\"roundQuantity\":{\"mode\":\"down\"}", "1999", "1", "1.00" },
        { ONE ",\"divideBy\":\"1000\",\"roundQuantity\":{\"mode\":\"nearest\",\"places\":1}",
          "1250", "1.3", "1.30" },
        { ONE ",\"included\":\"250\",\"divideBy\":\"1000\",\"roundQuantity\":{\"mode\":\"up\","
              "\"places\":0}",
          "1250", "1", "1.00" },
    };
    CHECK(rows);
    const Json *bill = rate(
        plan_of("{\"id\":\"c\",\"meter\":\"m\"," ONE ",\"divideBy\":\"3\"}", ""), "{\"m\":1}", "");
    assert_at(bill, "/lines/0/quantity", "0.333333333333");
    assert_at(bill, "/lines/0/usage", "1");
    assert_at(bill, "/lines/0/steps/0/op", "divide");
    assert_at(bill, "/lines/0/steps/0/divisor", "3");
}

static void test_negative_usage_shows_floor_at_zero(void **state)
{
    (void)state;
    const Json *bill =
        rate(plan_of("{\"id\":\"c\",\"meter\":\"m\"," ONE "}", ""), "{\"m\":\"-2.5\"}", "");
    assert_at(bill, "/lines/0/usage", "-2.5");
    assert_at(bill, "/lines/0/steps/0/amount", "-2.5");
    assert_at(bill, "/lines/0/steps/1/op", "floorAtZero");
    assert_at(bill, "/lines/0/steps/1/exact", "-2.5");
    assert_at(bill, "/lines/0/steps/2/amount", "0.00");
}

static void test_rounding_and_places_are_the_plans(void **state)
{
    (void)state;
    static const struct {
        const char *currency, *rounding, *amount;
    } rows[] = {
        { "USD", "halfUp", "0.13" },  { "USD", "halfEven", "0.12" }, { "USD", "up", "0.13" },
        { "USD", "down", "0.12" },    { "JPY", "halfUp", "0" },      { "JPY", "up", "1" },
        { "KWD", "halfUp", "0.125" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *plan = str_terminated(
            arena, str_print(arena,
                             "{\"currency\":\"%s\",\"rounding\":\"%s\",\"charges\":[{\"id\":\"c\","
                             "\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"0.125\"}]}",
                             rows[i].currency, rows[i].rounding));
        assert_at(rate(plan, "{\"m\":\"1\"}", ""), "/lines/0/amount", rows[i].amount);
    }
}

static void test_61_cents_for_14_of_28_days_are_31_cents(void **state)
{
    (void)state;
    static const char request[] =
        "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"fee\",\"model\":\"flat\","
        "\"amount\":\"0.61\"}]},"
        "\"period\":{\"start\":\"2026-02-01T00:00:00Z\",\"end\":\"2026-03-01T00:00:00Z\"},"
        "\"activeFrom\":\"2026-02-15T00:00:00Z\"}";
    const Json *bill = rate_text(str_of(request));
    assert_at(bill, "/lines/0/exactAmount", "0.305");
    assert_at(bill, "/lines/0/amount", "0.31");
    assert_at(bill, "/lines/0/steps/1/op", "segment");
    assert_at(bill, "/lines/0/steps/1/share", "0.5");
    assert_at(bill, "/period/start", "2026-02-15T00:00:00Z");
}

#define FEE(more) plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":\"30\"" more "}", "")

static void test_a_flat_fee_follows_the_time_it_is_for(void **state)
{
    (void)state;
    assert_at(rate(FEE(""), "{}", ",\"activeFrom\":\"2026-06-21T18:00:00Z\""), "/total", "10.00");
    assert_at(
        rate(FEE(",\"prorate\":\"second\""), "{}", ",\"activeFrom\":\"2026-06-21T12:00:00Z\""),
        "/total", "9.50");
    assert_at(rate(FEE(",\"prorate\":\"none\""), "{}", ",\"activeFrom\":\"2026-06-21T12:00:00Z\""),
              "/total", "30.00");
    assert_at(rate(FEE(""), "{}", ",\"activeTo\":\"2026-06-11T12:00:00Z\""), "/total", "10.00");
    assert_at(rate(FEE(",\"oneTime\":true"), "{}", ",\"activeFrom\":\"2026-06-21T18:00:00Z\""),
              "/total", "30.00");
    assert_at(rate(FEE(",\"oneTime\":true"), "{}", ",\"activeFrom\":\"2026-05-21T18:00:00Z\""),
              "/total", "0.00");
    assert_int_equal(
        at(rate(FEE(",\"oneTime\":true"), "{}", ",\"activeFrom\":\"2026-05-21T18:00:00Z\""),
           "/lines")
            ->count,
        0);
}

static void test_days_are_local_days(void **state)
{
    (void)state;
    char             *plan = plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":\"30\"}",
                                     ",\"timeZone\":\"Pacific/Tongatapu\"");
    static const char period[] =
        "\"period\":{\"start\":\"2026-05-31T11:00:00Z\",\"end\":\"2026-06-30T11:00:00Z\"}";
    const Json *bill = rate_text(
        str_print(arena, "{\"plan\":%s,%s,\"activeFrom\":\"2026-06-20T11:00:00Z\"}", plan, period));
    assert_at(bill, "/total", "10.00");
    bill = rate_text(
        str_print(arena, "{\"plan\":%s,%s,\"activeFrom\":\"2026-06-20T10:59:59Z\"}", plan, period));
    assert_at(bill, "/total", "11.00");
}

#define SEATS(more)                                                                                \
    plan_of(                                                                                       \
        "{\"id\":\"seats\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":\"30\"" more \
        "}",                                                                                       \
        "")
#define CHANGES                                                                                    \
    ",\"quantities\":{\"seats\":[{\"from\":\"2026-05-01T00:00:00Z\",\"value\":5},"                 \
    "{\"from\":\"2026-06-11T08:00:00Z\",\"value\":\"8\"},{\"from\":\"2026-06-21T00:00:00Z\","      \
    "\"value\":\"2\"}]}"

static void test_a_quantity_is_priced_by_segment(void **state)
{
    (void)state;
    // 5 x 30 x 10/30 + 8 x 30 x 10/30 + 2 x 30 x 10/30
    const Json *bill = rate(SEATS(""), "{}", CHANGES);
    assert_at(bill, "/total", "150.00");
    assert_at(bill, "/lines/0/kind", "quantity");
    assert_at(bill, "/lines/0/steps/1/share", "1/3");
    // In advance a decrease counts from the next period on: 5 x 10 days, 8 x 20 days.
    assert_at(rate(SEATS(",\"timing\":\"advance\""), "{}", CHANGES), "/total", "210.00");
    // Without proration the highest quantity is due.
    assert_at(rate(SEATS(",\"prorate\":\"none\""), "{}", CHANGES), "/total", "240.00");
    assert_at(rate(SEATS(""), "{}", ",\"quantities\":{\"seats\":\"7\"}"), "/total", "210.00");
    assert_at(rate(SEATS(",\"included\":\"2\""), "{}", ",\"quantities\":{\"seats\":\"7\"}"),
              "/total", "150.00");
}

static void test_of_several_changes_in_one_day_the_last_counts(void **state)
{
    (void)state;
    const Json *bill =
        rate(SEATS(",\"timing\":\"advance\""), "{}",
             ",\"quantities\":{\"seats\":[{\"from\":\"2026-06-01T00:00:00Z\",\"value\":5},"
             "{\"from\":\"2026-06-16T08:00:00Z\",\"value\":500},{\"from\":\"2026-06-16T09:00:00Z\","
             "\"value\":5}]}");
    assert_at(bill, "/total", "150.00");
    assert_int_equal(at(bill, "/lines/0/steps")->count, 2);
}

static void test_tier_fees_of_a_quantity_are_due_once_for_the_highest_tier(void **state)
{
    (void)state;
    char *plan = plan_of(
        "{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"graduated\",\"tiers\":[{\"upTo\":\"5\","
        "\"unitPrice\":\"3\",\"flatFee\":\"10\"},{\"unitPrice\":\"3\",\"flatFee\":\"100\"}]}",
        "");
    // (15 + 24 + 6) / 3 + fees of both tiers, whole
    assert_at(rate(plan, "{}", CHANGES), "/total", "125.00");
}

static void test_included_units_are_prorated_and_usage_is_not(void **state)
{
    (void)state;
    char *plan = plan_of("{\"id\":\"c\",\"meter\":\"m\"," ONE ",\"included\":\"90\"}", "");
    assert_at(rate(plan, "{\"m\":\"100\"}", ",\"activeFrom\":\"2026-06-21T00:00:00Z\""), "/total",
              "70.00");
    char *per_seat = plan_of("{\"id\":\"c\",\"meter\":\"m\"," ONE
                             ",\"included\":{\"perUnit\":\"seats\",\"amount\":\"3\"}}",
                             "");
    assert_at(rate(per_seat, "{\"m\":\"100\"}", ",\"quantities\":{\"seats\":10}"), "/total",
              "70.00");
    assert_at(rate(per_seat, "{\"m\":\"100\"}", CHANGES), "/total", "85.00");
}

static void test_groups_are_lines_in_key_order_and_share_what_is_included(void **state)
{
    (void)state;
    char *plan = plan_of(
        "{\"id\":\"c\",\"meter\":\"m\"," ONE ",\"groupBy\":[\"region\"],\"included\":\"15\"}", "");
    const Json *bill = rate(plan,
                            "{\"m\":[{\"group\":{\"region\":\"us\"},\"quantity\":\"10\"},"
                            "{\"group\":{\"region\":\"eu\"},\"quantity\":\"4\"},{\"group\":{"
                            "\"region\":\"eu\"},\"quantity\":6},"
                            "{\"quantity\":\"2\"}]}",
                            "");
    assert_int_equal(at(bill, "/lines")->count, 1);
    assert_at(bill, "/lines/0/group/region", "us");
    assert_at(bill, "/total", "7.00");
    char *each = plan_of("{\"id\":\"c\",\"meter\":\"m\"," ONE
                         ",\"groupBy\":[\"region\"],\"includedPerGroup\":\"1\"}",
                         "");
    bill = rate(each,
                "{\"m\":[{\"group\":{\"region\":\"us\"},\"quantity\":\"10\"},"
                "{\"group\":{\"region\":\"eu\"},\"quantity\":\"4\"},{\"quantity\":\"2\"}]}",
                "");
    assert_int_equal(at(bill, "/lines/0/group/region")->kind, JSON_NULL);
    assert_at(bill, "/lines/1/group/region", "eu");
    assert_at(bill, "/lines/2/amount", "9.00");
    assert_at(bill, "/total", "13.00");
}

static void test_overlapping_filters_bill_an_event_once(void **state)
{
    (void)state;
#define SHARE(id, price, more)                                                                     \
    "{\"id\":\"" id "\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"" price "\"" more "}"
    char *plan = plan_of(
        SHARE("rest", "1", "") "," SHARE(
            "eu", "10",
            ",\"filter\":{\"region\":[\"eu\",\"us\"]}") "," SHARE("euBig", "100",
                                                                  ",\"filter\":{\"region\":["
                                                                  "\"eu\"],\"size\":[\"big\"]"
                                                                  "}") "," SHARE("all", "1000",
                                                                                 ",\"alsoCoun"
                                                                                 "ts\":true"),
        "");
    const Json *bill =
        rate(plan,
             "{\"m\":[{\"group\":{\"region\":\"eu\",\"size\":\"big\"},\"quantity\":1},"
             "{\"group\":{\"region\":\"eu\",\"size\":\"small\"},\"quantity\":1},"
             "{\"group\":{\"region\":\"us\"},\"quantity\":1},{\"group\":{\"region\":\"ap\"},"
             "\"quantity\":1},"
             "{\"group\":{\"region\":null,\"size\":\"big\"},\"quantity\":1}]}",
             "");
    assert_at(bill, "/lines/0/amount", "2.00");
    assert_at(bill, "/lines/1/amount", "20.00");
    assert_at(bill, "/lines/2/amount", "100.00");
    assert_at(bill, "/lines/3/amount", "5000.00");
}

static void test_a_metered_charge_has_a_line_others_only_when_not_0(void **state)
{
    (void)state;
    char *plan = plan_of(
        "{\"id\":\"c\",\"meter\":\"m\"," ONE "},{\"id\":\"f\",\"model\":\"flat\",\"amount\":\"0\"},"
        "{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":\"1\"}",
        "");
    const Json *bill = rate(plan, "{}", ",\"quantities\":{\"seats\":0}");
    assert_int_equal(at(bill, "/lines")->count, 1);
    assert_at(bill, "/lines/0/charge", "c");
    assert_at(bill, "/lines/0/usage", "0");
}

static void test_an_amount_that_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    char *plan = plan_of("{\"id\":\"c\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":"
                         "\"100000000000000000000\"}",
                         "");
    Text  out = text_open(arena);
    Err  *err = try_rate(request_text(plan, "{\"m\":\"1000\"}", ""), &out);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    assert_int_equal(out.length, 0);
}

static void check_refused(const char *request, ErrCode code, const char *pointer)
{
    Text out = text_open(arena);
    Err *err = try_rate(str_of(request), &out);
    assert_non_null(err);
    assert_int_equal(err->code, code);
    assert_string_equal(str_terminated(arena, err->pointer), pointer);
    assert_int_equal(out.length, 0);
}

static void test_requests_that_are_refused(void **state)
{
    (void)state;
#define PERIOD "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}"
#define SEATED                                                                                     \
    "\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"s\",\"quantity\":\"seats\",\"model\":"  \
    "\"perUnit\",\"unitPrice\":1}]}"
#define METERED                                                                                    \
    "\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"s\",\"meter\":\"m\",\"model\":"         \
    "\"perUnit\",\"unitPrice\":1}]}"
    check_refused("[]", ERR_FIELD_INVALID, "");
    check_refused("{" PERIOD "}", ERR_FIELD_REQUIRED, "/plan");
    check_refused("{" METERED "}", ERR_FIELD_REQUIRED, "/period");
    check_refused("{" METERED "," PERIOD ",\"usages\":{}}", ERR_UNKNOWN_MEMBER, "/usages");
    check_refused("{" METERED "," PERIOD ",\"usage\":{\"n\":1}}", ERR_FIELD_INVALID, "/usage/n");
    check_refused("{" METERED "," PERIOD ",\"usage\":{\"m\":\"x\"}}", ERR_FIELD_INVALID,
                  "/usage/m");
    check_refused("{" METERED "," PERIOD ",\"usage\":{\"m\":[{\"group\":{}}]}}", ERR_FIELD_REQUIRED,
                  "/usage/m/0/quantity");
    check_refused("{" METERED "," PERIOD ",\"usage\":{\"m\":[{\"quantity\":1,\"events\":[{}]}]}}",
                  ERR_FIELD_REQUIRED, "/usage/m/0/events/0/ts");
    check_refused("{" SEATED "," PERIOD "}", ERR_FIELD_REQUIRED, "/quantities/seats");
    check_refused("{" SEATED "," PERIOD ",\"quantities\":{\"seats\":-1}}", ERR_FIELD_INVALID,
                  "/quantities/seats");
    check_refused("{" SEATED "," PERIOD
                  ",\"quantities\":{\"seats\":[{\"from\":\"2026-06-02T00:00:00Z\",\"value\":1},"
                  "{\"from\":\"2026-06-02T00:00:00Z\",\"value\":2}]}}",
                  ERR_FIELD_INVALID, "/quantities/seats/1/from");
    check_refused(
        "{" METERED
        ",\"period\":{\"start\":\"2026-07-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}}",
        ERR_FIELD_INVALID, "/period");
    check_refused("{" METERED "," PERIOD ",\"activeTo\":\"2026-05-01T00:00:00Z\"}",
                  ERR_FIELD_INVALID, "");
    check_refused("{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"s\"}]}," PERIOD "}",
                  ERR_FIELD_REQUIRED, "/plan/charges/0/model");
}

static void test_the_table_of_steps_prints(void **state)
{
    (void)state;
    Text text = text_open(arena);
    price_steps_print(&text);
    const Json *table = json_of(text_str(&text));
    assert_int_equal(table->count, STEP_OP_COUNT);
    for (const Json *row = table->first; row != NULL; row = row->next) {
        assert_true(at(row, "/op")->text.length > 0 && at(row, "/meaning")->text.length > 0);
        assert_true(at(row, "/members")->count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_the_demo_bill),
        test_of(test_per_unit),
        test_of(test_volume_prices_99_5_units_of_tiers_at_100),
        test_of(test_volume_reprices_everything_at_the_next_tier),
        test_of(test_graduated_prices_each_tier_by_itself),
        test_of(test_a_started_package_counts),
        test_of(test_operators_apply_in_their_order),
        test_of(test_negative_usage_shows_floor_at_zero),
        test_of(test_rounding_and_places_are_the_plans),
        test_of(test_61_cents_for_14_of_28_days_are_31_cents),
        test_of(test_a_flat_fee_follows_the_time_it_is_for),
        test_of(test_days_are_local_days),
        test_of(test_a_quantity_is_priced_by_segment),
        test_of(test_of_several_changes_in_one_day_the_last_counts),
        test_of(test_tier_fees_of_a_quantity_are_due_once_for_the_highest_tier),
        test_of(test_included_units_are_prorated_and_usage_is_not),
        test_of(test_groups_are_lines_in_key_order_and_share_what_is_included),
        test_of(test_overlapping_filters_bill_an_event_once),
        test_of(test_a_metered_charge_has_a_line_others_only_when_not_0),
        test_of(test_an_amount_that_cannot_be_kept_is_refused),
        test_of(test_requests_that_are_refused),
        test_of(test_the_table_of_steps_prints),
    };
    return cmocka_run_group_tests_name("price/rate", tests, NULL, NULL);
}
