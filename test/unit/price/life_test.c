// SPDX-License-Identifier: Apache-2.0
// What depends on a subscription's life: trials, phases, own periods, pauses, quantities that
// change, terms of a commitment, what is due at an instant, and bills of several terms.
#include "asking.h"
#include "price/price.h"

#define SEATS "{\"id\":\"seats\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":30"
#define FLAT "{\"id\":\"fee\",\"model\":\"flat\",\"amount\":30"
#define API "{\"id\":\"api\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1"

// Seats of June: 10 from its start, then those changes.
#define HELD(changes)                                                                              \
    ",\"quantities\":{\"seats\":[{\"from\":\"2026-06-01T00:00:00Z\",\"value\":10}" changes "]}"
#define TO(day, value) ",{\"from\":\"2026-06-" day "T00:00:00Z\",\"value\":" value "}"

static void check_total(const char *plan, const char *usage, const char *more, const char *total)
{
    const Json *bill = rate(plan, usage, more);
    assert_at(bill, "/total", total);
}

static void check_fault(const char *plan, const char *usage, const char *more, ErrCode code,
                        const char *pointer)
{
    Text       out = text_open(arena);
    const Err *err = try_rate(request_text(plan, usage, more), &out);
    while (err != NULL && !str_equal(err->pointer, str_of(pointer)))
        err = err->next;
    if (err == NULL)
        fail_msg("no fault at %s in %s %s", pointer, plan, more);
    assert_int_equal(err->code, code);
}

// ---- quantities

// 30 days at 30: a seat costs 1 a day.
static void test_changes_of_seats_in_advance(void **state)
{
    (void)state;
    static const struct {
        const char *charge, *more, *total;
    } rows[] = {
        { ",\"timing\":\"advance\"", HELD(TO("16", "12")), "330.00" }, // 10 x 30 + 2 x 15
        { ",\"timing\":\"advance\",\"onIncrease\":\"now\"", HELD(TO("16", "12")), "330.00" },
        { ",\"timing\":\"advance\",\"onIncrease\":\"nextInvoice\"", HELD(TO("16", "12")),
          "330.00" },
        { ",\"timing\":\"advance\",\"onIncrease\":\"nextPeriod\"", HELD(TO("16", "12")), "300.00" },
        { ",\"timing\":\"advance\"", HELD(TO("16", "8")), "300.00" },
        { ",\"timing\":\"advance\",\"onDecrease\":\"nextPeriod\"", HELD(TO("16", "8")), "300.00" },
        { ",\"timing\":\"advance\",\"onDecrease\":\"credit\"", HELD(TO("16", "8")), "270.00" },
        // up and down again: the rise is paid until the end, or for as long as it was held
        { ",\"timing\":\"advance\"", HELD(TO("11", "12") TO("21", "10")), "340.00" },
        { ",\"timing\":\"advance\",\"onDecrease\":\"credit\"", HELD(TO("11", "12") TO("21", "10")),
          "320.00" },
        // down, then up to less than before: nothing rises above what is paid
        { ",\"timing\":\"advance\"", HELD(TO("11", "5") TO("21", "9")), "300.00" },
        { ",\"timing\":\"advance\",\"onIncrease\":\"nextPeriod\",\"onDecrease\":\"credit\"",
          HELD(TO("11", "5") TO("21", "9")), "200.00" }, // 10 x 10 + 5 x 20
        { ",\"timing\":\"advance\",\"onIncrease\":\"nextPeriod\"",
          HELD(TO("11", "5") TO("21", "9")), "300.00" },
        { ",\"timing\":\"advance\",\"prorate\":\"none\"", HELD(TO("11", "12") TO("21", "11")),
          "360.00" },
        { ",\"timing\":\"advance\",\"prorate\":\"none\",\"onIncrease\":\"nextPeriod\"",
          HELD(TO("11", "12")), "300.00" },
        { "", HELD(TO("16", "8")), "270.00" }, // in arrears as held
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_total(
            plan_of(str_terminated(arena, str_print(arena, SEATS "%s}", rows[i].charge)), ""), "{}",
            rows[i].more, rows[i].total);
}

static void test_changes_of_seats_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *charge;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { SEATS ",\"timing\":\"advance\",\"onIncrease\":\"later\"}", ERR_FIELD_INVALID,
          "/plan/charges/0/onIncrease" },
        { SEATS ",\"timing\":\"advance\",\"onDecrease\":\"now\"}", ERR_FIELD_INVALID,
          "/plan/charges/0/onDecrease" },
        { SEATS ",\"onDecrease\":\"credit\"}", ERR_PLAN_INVALID, "/plan/charges/0/onDecrease" },
        { SEATS ",\"onIncrease\":\"now\"}", ERR_PLAN_INVALID, "/plan/charges/0/onIncrease" },
        { FLAT ",\"onIncrease\":\"now\"}", ERR_PLAN_INVALID, "/plan/charges/0/onIncrease" },
        { API ",\"onDecrease\":\"credit\"}", ERR_PLAN_INVALID, "/plan/charges/0/onDecrease" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(plan_of(rows[i].charge, ""), "{}", HELD(""), rows[i].code, rows[i].pointer);
}

// ---- pauses

#define PAUSE(from, to)                                                                            \
    ",\"pauses\":[{\"start\":\"2026-06-" from "T00:00:00Z\",\"end\":\"2026-" to "T00:00:00Z\"}]"

static void test_a_pause_is_in_no_share(void **state)
{
    (void)state;
    static const char *const prorates[] = { "day", "second" };
    for (size_t i = 0; i < 2; i++) {
        char *fee =
            str_terminated(arena, str_print(arena, FLAT ",\"prorate\":\"%s\"}", prorates[i]));
        char *seats =
            str_terminated(arena, str_print(arena, SEATS ",\"prorate\":\"%s\"}", prorates[i]));
        check_total(plan_of(fee, ""), "{}", PAUSE("11", "06-21"), "20.00");
        check_total(plan_of(fee, ""), "{}", PAUSE("21", "08-01"), "20.00");
        check_total(plan_of(fee, ""), "{}", PAUSE("01", "07-01"), "0.00");
        check_total(plan_of(seats, ""), "{}", PAUSE("11", "06-21") HELD(TO("16", "20")), "300.00");
    }
    check_total(plan_of(FLAT ",\"prorate\":\"none\"}", ""), "{}", PAUSE("11", "06-21"), "30.00");
    check_total(plan_of(FLAT ",\"prorate\":\"none\"}", ""), "{}", PAUSE("01", "07-01"), "0.00");
    check_total(plan_of(API "}", ",\"minimum\":{\"amount\":60}"), "{\"m\":5}", PAUSE("11", "06-21"),
                "40.00");
    check_total(plan_of(API ",\"included\":30}", ""), "{\"m\":50}", PAUSE("11", "06-21"), "30.00");
}

static void test_two_pauses_and_one_outside(void **state)
{
    (void)state;
    check_total(
        plan_of(FLAT "}", ""), "{}",
        ",\"pauses\":[{\"start\":\"2026-05-02T00:00:00Z\",\"end\":\"2026-05-05T00:00:00Z\"},"
        "{\"start\":\"2026-05-28T00:00:00Z\",\"end\":\"2026-06-03T00:00:00Z\"},"
        "{\"start\":\"2026-06-10T12:00:00Z\",\"end\":\"2026-06-12T06:00:00Z\"}]",
        "26.00");
}

static void test_pauses_that_are_refused(void **state)
{
    (void)state;
    char *plan = plan_of(FLAT "}", "");
    check_fault(plan, "{}", ",\"pauses\":[{\"start\":\"2026-06-02T00:00:00Z\"}]",
                ERR_FIELD_REQUIRED, "/pauses/0/end");
    check_fault(plan, "{}", ",\"pauses\":7", ERR_FIELD_INVALID, "/pauses");
    check_fault(plan, "{}",
                ",\"pauses\":[{\"start\":\"2026-06-02T00:00:00Z\",\"end\":\"2026-06-05T00:00:00Z\"}"
                ",{\"start\":\"2026-06-04T00:00:00Z\",\"end\":\"2026-06-06T00:00:00Z\"}]",
                ERR_FIELD_INVALID, "/pauses/1");
}

// ---- trials

static void test_a_trial_of_every_charge(void **state)
{
    (void)state;
    // ten days free: 20/30 of the fee and of the minimum; usage counts from the eleventh on
    char       *plan = plan_of(FLAT "}," API "}", ",\"trial\":{\"days\":10}");
    const Json *bill = rate(plan,
                            "{\"m\":[{\"quantity\":7,\"at\":\"2026-06-10T23:59:59Z\"},"
                            "{\"quantity\":5,\"at\":\"2026-06-11T00:00:00Z\"}]}",
                            "");
    assert_at(bill, "/total", "25.00");
    assert_int_equal(at(bill, "/lines")->count, 3);
    assert_at(bill, "/lines/0/amount", "20.00");
    assert_at(bill, "/lines/0/period/start", "2026-06-11T00:00:00Z");
    assert_at(bill, "/lines/1/amount", "0.00");
    assert_at(bill, "/lines/1/usage", "7");
    assert_at(bill, "/lines/1/period/end", "2026-06-11T00:00:00Z");
    assert_at(bill, "/lines/1/steps/1/op", "trial");
    assert_at(bill, "/lines/1/steps/1/exact", "7");
    assert_at(bill, "/lines/1/steps/1/amount", "0");
    assert_at(bill, "/lines/2/amount", "5.00");
    check_total(plan_of(API "}", ",\"trial\":{\"days\":10},\"minimum\":{\"amount\":60}"), "{}", "",
                "40.00");
    check_total(plan_of(API "}", ",\"trial\":{\"days\":90},\"minimum\":{\"amount\":60}"), "{}", "",
                "0.00");
}

static void test_a_trial_of_one_charge(void **state)
{
    (void)state;
    char *plan = plan_of(FLAT "}," API ",\"minimum\":30}",
                         ",\"trial\":{\"days\":10,\"charges\":[\"api\"]},\"minimum\":{\"amount\":"
                         "60}");
    // 30 of the fee, 20 of 30 for the charge's minimum, the plan's minimum is whole
    const Json *bill = rate(plan, "{}", "");
    assert_at(bill, "/total", "60.00");
    assert_at(bill, "/lines/0/amount", "30.00");
    assert_at(bill, "/lines/3/amount", "20.00");
    assert_at(bill, "/lines/4/amount", "10.00");
}

static void test_a_trial_begins_with_the_subscription(void **state)
{
    (void)state;
    char *plan = plan_of(FLAT "}", ",\"trial\":{\"days\":20}");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-05-22T00:00:00Z\"", "20.00");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-04-22T00:00:00Z\"", "30.00");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-06-06T00:00:00Z\"", "5.00");
}

static void test_usage_of_several_parts_says_when(void **state)
{
    (void)state;
    char *plan = plan_of(API "}", ",\"trial\":{\"days\":10}");
    check_fault(plan, "{\"m\":7}", "", ERR_FIELD_REQUIRED, "/usage/m");
    check_fault(plan, "{\"m\":[{\"quantity\":7}]}", "", ERR_FIELD_REQUIRED, "/usage/m/0");
    check_fault(plan, "{\"m\":[{\"quantity\":7,\"at\":\"noon\"}]}", "", ERR_FIELD_INVALID,
                "/usage/m/0/at");
    check_total(plan,
                "{\"m\":[{\"events\":[{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":3},"
                "{\"ts\":\"2026-06-12T00:00:00Z\",\"value\":4}]},"
                "{\"events\":[{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":3}]}]}",
                "", "4.00");
    check_total(
        plan_of("{\"id\":\"f\",\"model\":\"formula\",\"expression\":\"a\",\"meters\":{\"a\":"
                "\"m\"}}",
                ",\"trial\":{\"days\":10}"),
        "{\"m\":[{\"events\":[{\"ts\":\"2026-06-02T00:00:00Z\",\"value\":3},"
        "{\"ts\":\"2026-06-12T00:00:00Z\",\"value\":4}]}]}",
        "", "4.00");
}

static void test_trials_that_are_refused(void **state)
{
    (void)state;
    check_fault(plan_of(FLAT "}", ",\"trial\":{}"), "{}", "", ERR_FIELD_REQUIRED,
                "/plan/trial/days");
    check_fault(plan_of(FLAT "}", ",\"trial\":7"), "{}", "", ERR_FIELD_INVALID, "/plan/trial");
    check_fault(plan_of(FLAT "}", ",\"trial\":{\"days\":3651}"), "{}", "", ERR_FIELD_INVALID,
                "/plan/trial/days");
    check_fault(plan_of(FLAT "}", ",\"trial\":{\"days\":3,\"charges\":[\"x\"]}"), "{}", "",
                ERR_PLAN_INVALID, "/plan/trial/charges");
}

// ---- a charge's own period

static Str year_request(const char *plan, const char *usage, const char *more)
{
    return str_print(arena,
                     "{\"plan\":%s,\"period\":{\"start\":\"2026-01-01T00:00:00Z\",\"end\":"
                     "\"2027-01-01T00:00:00Z\"},\"usage\":%s%s}",
                     plan, usage, more);
}

#define YEARLY ",\"period\":{\"unit\":\"year\"}"

static void test_a_yearly_plan_with_usage_by_the_month(void **state)
{
    (void)state;
    char *plan =
        plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":1200,\"timing\":\"advance\"}"
                ",{\"id\":\"api\",\"meter\":\"m\",\"model\":\"graduated\",\"period\":{"
                "\"unit\":\"month\"},\"tiers\":[{\"upTo\":10,\"unitPrice\":1},{"
                "\"unitPrice\":2}]}",
                YEARLY);
    const Json *bill =
        rate_text(year_request(plan,
                               "{\"m\":[{\"quantity\":15,\"at\":\"2026-01-31T23:00:00Z\"},"
                               "{\"quantity\":15,\"at\":\"2026-02-01T00:00:00Z\"}]}",
                               ""));
    assert_int_equal(at(bill, "/lines")->count, 13);
    assert_at(bill, "/lines/1/amount", "20.00");
    assert_at(bill, "/lines/2/amount", "20.00"); // the tiers begin again
    assert_at(bill, "/lines/2/period/start", "2026-02-01T00:00:00Z");
    assert_at(bill, "/lines/2/period/end", "2026-03-01T00:00:00Z");
    assert_at(bill, "/total", "1240.00");
}

static void test_an_own_period_has_shares_of_its_own(void **state)
{
    (void)state;
    char *plan = plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":30,\"period\":{\"unit\":"
                         "\"quarter\"}}",
                         YEARLY);
    // from 16 February: 44 days of the first quarter's 90, then three quarters
    const Json *bill =
        rate_text(year_request(plan, "{}", ",\"activeFrom\":\"2026-02-16T00:00:00Z\""));
    assert_int_equal(at(bill, "/lines")->count, 4);
    assert_at(bill, "/lines/0/exactAmount", "44/3");
    assert_at(bill, "/lines/3/amount", "30.00");
}

static void test_a_minimum_is_of_each_own_period(void **state)
{
    (void)state;
    char *plan = plan_of("{\"id\":\"api\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":1,"
                         "\"minimum\":10,\"maximum\":20,\"period\":{\"every\":6,\"unit\":\"month\"}"
                         "}",
                         YEARLY);
    const Json *bill = rate_text(year_request(
        plan,
        "{\"m\":[{\"quantity\":4,\"at\":\"2026-03-01T00:00:00Z\"},{\"quantity\":50,\"at\":"
        "\"2026-08-01T00:00:00Z\"}]}",
        ""));
    assert_at(bill, "/total", "30.00");
    assert_at(bill, "/lines/1/kind", "minimum");
    assert_at(bill, "/lines/1/period/end", "2026-07-01T00:00:00Z");
    assert_at(bill, "/lines/2/discount", "-30.00");
}

static void test_a_share_of_charges_by_the_month(void **state)
{
    (void)state;
    char *plan =
        plan_of("{\"id\":\"fee\",\"model\":\"flat\",\"amount\":10,\"period\":{\"unit\":"
                "\"month\"}},{\"id\":\"tip\",\"model\":\"percentOf\",\"charges\":[\"fee\"],"
                "\"ratePercent\":10,\"period\":{\"unit\":\"quarter\"}}",
                YEARLY);
    const Json *bill = rate_text(year_request(plan, "{}", ""));
    assert_int_equal(at(bill, "/lines")->count, 16);
    assert_at(bill, "/lines/12/amount", "3.00");
    assert_at(bill, "/total", "132.00");
}

static void test_own_periods_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *charge;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { ",\"period\":{\"unit\":\"day\"}", ERR_PLAN_INVALID, "/plan/charges/0/period" },
        { ",\"period\":{\"unit\":\"month\",\"every\":5}", ERR_PLAN_INVALID,
          "/plan/charges/0/period" },
        { ",\"period\":{\"unit\":\"moon\"}", ERR_FIELD_INVALID, "/plan/charges/0/period/unit" },
        { ",\"period\":{}", ERR_FIELD_REQUIRED, "/plan/charges/0/period/unit" },
        { ",\"period\":{\"unit\":\"month\",\"every\":0}", ERR_FIELD_INVALID,
          "/plan/charges/0/period/every" },
        { ",\"period\":7", ERR_FIELD_INVALID, "/plan/charges/0/period" },
        { ",\"period\":{\"unit\":\"month\",\"anchor\":1}", ERR_UNKNOWN_MEMBER,
          "/plan/charges/0/period/anchor" },
        { ",\"oneTime\":true,\"period\":{\"unit\":\"month\"}", ERR_PLAN_INVALID,
          "/plan/charges/0/period" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(
            plan_of(str_terminated(arena, str_print(arena, FLAT "%s}", rows[i].charge)), YEARLY),
            "{}", "", rows[i].code, rows[i].pointer);
}

// ---- phases

static void test_phases_change_the_plan(void **state)
{
    (void)state;
    char *plan = plan_of(
        FLAT "}",
        ",\"phases\":[{\"periods\":2,\"overrides\":{\"charges\":{\"fee\":{\"amount\":10}}}},"
        "{\"until\":\"2026-06-15T00:00:00Z\",\"overrides\":{\"charges\":{\"fee\":{\"amount\":20},"
        "\"extra\":{\"model\":\"flat\",\"amount\":1}}}},{\"periods\":1}]");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-06-01T00:00:00Z\"", "10.00");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-05-20T00:00:00Z\"", "10.00");
    check_total(plan, "{}", ",\"activeFrom\":\"2026-04-20T00:00:00Z\"", "21.00");
    check_total(plan, "{}", ",\"activeFrom\":\"2020-04-20T00:00:00Z\"", "21.00");
    // the third phase has no overrides, and behind it is the plan itself
    char *past = plan_of(
        FLAT "}", ",\"phases\":[{\"until\":\"2026-05-01T00:00:00Z\",\"overrides\":{\"charges\":{"
                  "\"fee\":null}}"
                  "},{\"periods\":2},{\"overrides\":{\"charges\":{\"fee\":{\"amount\":5}}}}]");
    check_total(past, "{}", ",\"activeFrom\":\"2026-04-01T00:00:00Z\"", "30.00");
    check_total(past, "{}", ",\"activeFrom\":\"2026-06-01T00:00:00Z\"", "30.00");
    check_total(plan_of(FLAT "}", ",\"phases\":[{\"periods\":1},{\"overrides\":{\"charges\":{"
                                  "\"fee\":{\"amount\":5}}}}]"),
                "{}", ",\"activeFrom\":\"2026-01-01T00:00:00Z\"", "5.00");
}

// What is left of a period in which a phase ends is the next phase's first.
static void test_a_phase_that_ends_within_a_period(void **state)
{
    (void)state;
    static const struct {
        const char *phases, *from, *total;
    } rows[] = {
        { "{\"until\":\"2026-05-15T00:00:00Z\"},{\"periods\":1},", "2026-04-01", "5.00" },
        { "{\"until\":\"2026-05-15T00:00:00Z\"},{\"periods\":2},", "2026-04-01", "30.00" },
        { "{\"until\":\"2026-06-15T00:00:00Z\"},", "2026-04-01", "30.00" },
        { "{\"until\":\"2026-06-01T00:00:00Z\"},", "2026-04-01", "5.00" },
        { "{\"periods\":3},{\"until\":\"2026-04-20T00:00:00Z\"},", "2026-02-01", "5.00" },
        { "{\"periods\":3},{\"until\":\"2026-04-20T00:00:00Z\"},{\"periods\":2},", "2026-02-01",
          "30.00" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *more =
            str_terminated(arena, str_print(arena,
                                            ",\"phases\":[%s{\"overrides\":{\"charges\":{\"fee\":{"
                                            "\"amount\":5}}}}]",
                                            rows[i].phases));
        char *from = str_terminated(
            arena, str_print(arena, ",\"activeFrom\":\"%sT00:00:00Z\"", rows[i].from));
        check_total(plan_of(FLAT "}", more), "{}", from, rows[i].total);
    }
}

static void test_phases_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *phases;
        ErrCode     code;
        const char *pointer;
    } rows[] = {
        { "[]", ERR_FIELD_INVALID, "/plan/phases" },
        { "[7]", ERR_FIELD_INVALID, "/plan/phases/0" },
        { "[{},{\"periods\":1}]", ERR_PLAN_INVALID, "/plan/phases/0" },
        { "[{\"periods\":1,\"until\":\"2026-06-15T00:00:00Z\"}]", ERR_PLAN_INVALID,
          "/plan/phases/0" },
        { "[{\"colour\":1}]", ERR_UNKNOWN_MEMBER, "/plan/phases/0/colour" },
        { "[{\"planVersion\":0}]", ERR_FIELD_INVALID, "/plan/phases/0/planVersion" },
        { "[{\"planVersion\":2}]", ERR_FIELD_INVALID, "/plan/phases" },
        { "[{\"overrides\":7}]", ERR_FIELD_INVALID, "/plan/phases/0/overrides" },
        { "[{\"overrides\":{\"currency\":\"EUR\"}}]", ERR_PLAN_INVALID,
          "/plan/phases/0/overrides/currency" },
        { "[{\"overrides\":{\"period\":{\"unit\":\"year\"}}}]", ERR_PLAN_INVALID,
          "/plan/phases/0/overrides/period" },
        { "[{\"overrides\":{\"timeZone\":null}}]", ERR_PLAN_INVALID,
          "/plan/phases/0/overrides/timeZone" },
        { "[{\"overrides\":{\"phases\":null}}]", ERR_PLAN_INVALID,
          "/plan/phases/0/overrides/phases" },
        { "[{\"overrides\":{\"charges\":{\"fee\":{\"amount\":-1}}}}]", ERR_FIELD_INVALID,
          "/plan/phases/0/overrides/charges/0/amount" },
        { "[{\"overrides\":{\"charges\":[]}}]", ERR_FIELD_INVALID,
          "/plan/phases/0/overrides/charges" },
        { "[{\"planVersion\":2,\"overrides\":{\"charges\":{\"fee\":{\"amount\":-1}}}}]",
          ERR_FIELD_INVALID, "/plan/phases" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_fault(plan_of(FLAT "}", str_terminated(arena, str_print(arena, ",\"phases\":%s",
                                                                      rows[i].phases))),
                    "{}", "", rows[i].code, rows[i].pointer);
}

static void test_phases_of_a_subscription(void **state)
{
    (void)state;
    Faults faults = { .arena = arena };
    Phases phases;
    Json  *list = json_of(STR("[{\"periods\":3,\"planVersion\":4},{}]"));
    assert_true(phases_from_json(list, NULL, STR("/phases"), &faults, &phases));
    assert_int_equal(phases.count, 2);
    assert_int_equal(phases.at[0].plan_version, 4);
    assert_null(phases.at[0].overrides);
    Json *overrides = json_of(STR("[{\"overrides\":{\"charges\":{\"fee\":{\"amount\":-1}}}}]"));
    assert_true(phases_from_json(overrides, NULL, STR("/phases"), &faults, &phases));
    assert_non_null(phases.at[0].overrides);
    Json *bad = json_of(STR("[{\"periods\":3},{\"until\":7}]"));
    assert_false(phases_from_json(bad, NULL, STR("/phases"), &faults, &phases));
    assert_true(str_equal(faults.first->pointer, STR("/phases/1/until")));
}

// ---- terms of a commitment

#define TERM                                                                                       \
    ",\"commitment\":{\"amount\":120,\"discountPercent\":10,\"term\":{\"every\":3,\"unit\":"       \
    "\"month\"}}"
#define BEFORE(list, net) ",\"committed\":{\"list\":" list ",\"net\":" net "}"

static void test_a_term_is_trued_up_at_its_end(void **state)
{
    (void)state;
    char *plan = plan_of(API "}", TERM);
    // the first of three periods: discounted, nothing else
    const Json *bill = rate(plan, "{\"m\":50}", "");
    assert_at(bill, "/total", "45.00");
    assert_int_equal(at(bill, "/lines")->count, 1);
    // the last: 45 + 9 + 27 were billed, 39 are missing
    bill = rate(plan, "{\"m\":30}", ",\"activeFrom\":\"2026-04-01T00:00:00Z\"" BEFORE("60", "54"));
    assert_at(bill, "/lines/0/net", "27.00");
    assert_at(bill, "/lines/0/steps/2/before", "60");
    assert_at(bill, "/lines/1/kind", "trueUp");
    assert_at(bill, "/lines/1/steps/0/counted", "81.00");
    assert_at(bill, "/lines/1/amount", "39.00");
    // one that ends within the term settles its own part of it: 61 of 91 days
    bill = rate(plan, "{}",
                ",\"activeFrom\":\"2026-05-01T00:00:00Z\",\"activeTo\":\"2026-06-16T00:00:00Z\"");
    assert_at(bill, "/lines/1/exactAmount", "60");
}

static void test_overage_counts_from_the_whole_term(void **state)
{
    (void)state;
    char *plan = plan_of(
        API "}", ",\"commitment\":{\"amount\":90,\"discountPercent\":10,\"overageFactor\":2,"
                 "\"term\":{\"every\":1,\"unit\":\"quarter\"}}");
    // 100 of list are covered, 80 are gone: 20 discounted, 30 at twice their price
    const Json *bill =
        rate(plan, "{\"m\":50}", ",\"activeFrom\":\"2026-05-01T00:00:00Z\"" BEFORE("80", "72"));
    assert_at(bill, "/lines/0/net", "48.00");
    assert_at(bill, "/lines/1/amount", "30.00");
    bill =
        rate(plan, "{\"m\":50}", ",\"activeFrom\":\"2026-05-01T00:00:00Z\"" BEFORE("180", "172"));
    assert_at(bill, "/total", "100.00");
}

static void test_terms_that_are_refused(void **state)
{
    (void)state;
    char *plan = plan_of(API "}", TERM), *other = plan_of(API "}", "");
    check_fault(other, "{}", BEFORE("1", "1"), ERR_FIELD_INVALID, "/committed");
    check_fault(plan, "{}", ",\"committed\":{\"list\":1}", ERR_FIELD_REQUIRED, "/committed/net");
    check_fault(plan, "{}", BEFORE("-1", "1"), ERR_FIELD_INVALID, "/committed/list");
    check_fault(plan, "{}", BEFORE("1", "99999999999999999999"), ERR_FIELD_INVALID,
                "/committed/net");
    check_fault(plan, "{}", ",\"committed\":{\"net\":1}", ERR_FIELD_REQUIRED, "/committed/list");
    check_fault(plan, "{}", BEFORE("1", "\"x\""), ERR_FIELD_INVALID, "/committed/net");
    check_fault(plan, "{}", ",\"committed\":3", ERR_FIELD_INVALID, "/committed");
    check_fault(plan_of(API "}", ",\"commitment\":{\"amount\":1,\"term\":{\"every\":5,\"unit\":"
                                 "\"week\"}}"),
                "{}", "", ERR_PLAN_INVALID, "/plan/commitment/term");
}

// ---- what is due

#define DUE(day) ",\"dueOnly\":true,\"at\":\"2026-06-" day "T00:00:00Z\""

static void test_what_is_due_at_an_instant(void **state)
{
    (void)state;
    char       *plan = plan_of(SEATS ",\"timing\":\"advance\"}," FLAT "}," API "}",
                               ",\"minimum\":{\"amount\":1000},\"discounts\":[{\"id\":\"d\","
                                     "\"percent\":10}]");
    const Json *bill = rate(plan, "{\"m\":5}", DUE("01") HELD(TO("16", "12")));
    assert_int_equal(at(bill, "/lines")->count, 1);
    assert_at(bill, "/total", "270.00");
    bill = rate(plan, "{\"m\":5}", DUE("16") HELD(TO("16", "12")));
    assert_at(bill, "/total", "297.00");
    bill = rate(plan, "{\"m\":5}",
                ",\"dueOnly\":true,\"at\":\"2026-07-01T00:00:00Z\"" HELD(TO("16", "12")));
    assert_int_equal(at(bill, "/lines")->count, 4);
    assert_at(bill, "/total", "1000.00");
}

static void test_nothing_is_due_yet(void **state)
{
    (void)state;
    check_total(plan_of(API ",\"groupBy\":[\"a\"],\"minimumPerGroup\":2}", ""), "{}", DUE("15"),
                "0.00");
    check_total(plan_of(API ",\"groupBy\":[\"a\"],\"minimumPerGroup\":2}", ""), "{}", "", "0.00");
}

static void test_a_term_is_settled_when_it_is_over(void **state)
{
    (void)state;
    char *plan = plan_of(API "}", ",\"commitment\":{\"amount\":50}");
    check_total(plan, "{}", DUE("30"), "0.00");
    check_total(plan, "{}", "", "50.00");
}

// ---- several bills as one

static void test_bills_of_two_terms(void **state)
{
    (void)state;
    Faults faults = { .arena = arena };
    Plan *plan = plan_from_json(json_of(str_of(plan_of(FLAT "}", ""))), STR(""), STR_NONE, &faults);
    Instant     june = { 1780272000 * INSTANT_SECOND_US };
    Span        full = { june, { june.us + 30 * INSTANT_DAY_US } };
    Instant     middle = { june.us + 10 * INSTANT_DAY_US };
    Span        terms[] = { { full.start, middle }, { middle, full.end } };
    ChargeUsage none = { 0 };
    Bill        bills[2], joined;
    for (size_t i = 0; i < 2; i++) {
        PriceInputs inputs = {
            .service = terms[i], .full = full, .at = full.end, .start = june, .zone = zone_utc()
        };
        inputs.parts = price_parts_whole(arena, plan, &none, terms[i], full);
        assert_null(price_bill(arena, plan, &inputs, &bills[i]));
    }
    assert_null(bills_join(arena, bills, 2, &joined));
    assert_int_equal(joined.count, 2);
    assert_int_equal(joined.total.minor, 3000);
    assert_int_equal(joined.lines[0].amount.minor, 1000);
    assert_int_equal(joined.period.start.us, full.start.us);
    assert_int_equal(joined.period.end.us, full.end.us);
    bills[0].total.minor = bills[1].total.minor = INT64_MAX;
    Err *err = bills_join(arena, bills, 2, &joined);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_changes_of_seats_in_advance),
        test_of(test_changes_of_seats_that_are_refused),
        test_of(test_a_pause_is_in_no_share),
        test_of(test_two_pauses_and_one_outside),
        test_of(test_pauses_that_are_refused),
        test_of(test_a_trial_of_every_charge),
        test_of(test_a_trial_of_one_charge),
        test_of(test_a_trial_begins_with_the_subscription),
        test_of(test_usage_of_several_parts_says_when),
        test_of(test_trials_that_are_refused),
        test_of(test_a_yearly_plan_with_usage_by_the_month),
        test_of(test_an_own_period_has_shares_of_its_own),
        test_of(test_a_minimum_is_of_each_own_period),
        test_of(test_a_share_of_charges_by_the_month),
        test_of(test_own_periods_that_are_refused),
        test_of(test_phases_change_the_plan),
        test_of(test_a_phase_that_ends_within_a_period),
        test_of(test_phases_that_are_refused),
        test_of(test_phases_of_a_subscription),
        test_of(test_a_term_is_trued_up_at_its_end),
        test_of(test_overage_counts_from_the_whole_term),
        test_of(test_terms_that_are_refused),
        test_of(test_what_is_due_at_an_instant),
        test_of(test_nothing_is_due_yet),
        test_of(test_a_term_is_settled_when_it_is_over),
        test_of(test_bills_of_two_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
