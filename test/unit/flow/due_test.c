// SPDX-License-Identifier: Apache-2.0
// Invoices as differences: when, what, and that they always sum to the bills.
#include "flow/bill/due.c"

#include <stdio.h>

#include "lives.h"

#define FLAT(id, amount, more) \
    "{\"id\":\"" id "\",\"model\":\"flat\",\"amount\":" amount "" more "}"
#define PLAN(charges, more) "{\"currency\":\"USD\"" more ",\"charges\":[" charges "]}"
#define ADVANCE ",\"timing\":\"advance\""

static Life life;

static int begin(void **state)
{
    (void)state;
    life_begin(&life, "2026-06-01", PLAN(FLAT("a", "100", ADVANCE), ""));
    return 0;
}

static int end(void **state)
{
    (void)state;
    life_end(&life);
    return 0;
}

static DueQuery query_of(void)
{
    return (DueQuery){ .facts = &life.facts };
}

static void must(Err *err)
{
    if (err != NULL)
        fail_msg("%s: %.*s", err_name(err->code), STR_ARG(err->detail));
}

// "a 2026-06-01 -50.00, a 2026-06-16 100.00"
static const char *lines_told(const DueLines *lines)
{
    Text text = text_open(life.arena);
    for (size_t i = 0; i < lines->count; i++) {
        const Line *line = &lines->at[i];
        text_print(&text, "%s%.*s %s %.*s", i > 0 ? ", " : "",
                   STR_ARG(line->charge == NULL ? STR("-") : line->charge->id),
                   life_print(&life, line->period.start),
                   STR_ARG(money_print(life.arena, line_net(line))));
    }
    return str_terminated(life.arena, text_str(&text));
}

static const char *due_at(const char *at)
{
    DueLines lines;
    DueQuery query = query_of();
    must(due_now(life.arena, &query, life_at(at), &lines));
    return lines_told(&lines);
}

// Every instant after `after`, up to and with `until`.
static const char *instants_told(const char *after, const char *until)
{
    Text    text = text_open(life.arena);
    Instant at = life_at(after);
    bool    found = true;
    for (bool first = true;; first = false) {
        must(due_next(life.arena, &life.facts, at, &at, &found));
        if (!found || at.us > life_at(until).us)
            return str_terminated(life.arena, text_str(&text));
        text_print(&text, "%s%s", first ? "" : " ", life_print(&life, at));
    }
}

static SubscriptionChange *plan_change(const char *at, const char *plan, int64_t version)
{
    SubscriptionChange *change = life_change(&life, CHANGE_TERMS, at);
    change->plan = str_of(plan);
    change->plan_version = version;
    return change;
}

// ---- when

static void test_the_instants_of_a_life(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    SubscriptionChange *change = plan_change("2026-07-10", "q", 1);
    change->recorded_at = life_at("2026-07-20");
    life_change(&life, CHANGE_CANCEL, "2026-09-05")->recorded_at = life_at("2026-07-21");
    assert_string_equal(instants_told("2026-05-01", "2027-01-01"),
                        "2026-06-01 2026-07-01 2026-07-10 2026-07-20 2026-08-01 2026-09-01 "
                        "2026-09-05");
}

static void test_own_periods_and_trials_have_instants(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "2026-06-10",
               PLAN(FLAT("a", "1200", ADVANCE) "," FLAT(
                        "m", "10", ",\"period\":{\"every\":1,\"unit\":\"month\"}"),
                    ",\"period\":{\"unit\":\"year\"},\"trial\":{\"days\":14,\"charges\":[\"a\"]}"));
    assert_string_equal(instants_told("2026-06-10", "2026-08-15"),
                        "2026-06-24 2026-07-01 2026-08-01");
    assert_string_equal(due_at("2026-06-10"), "");
    assert_string_equal(due_at("2026-06-24"), "a 2026-06-24 627.95");  // 191 of 365 days
    assert_string_equal(due_at("2026-07-01"), "m 2026-06-10 7.00");
}

static void test_a_life_that_is_over_has_no_more(void **state)
{
    (void)state;
    life_change(&life, CHANGE_CANCEL, "2026-06-15");
    assert_string_equal(instants_told("2026-06-15", "2027-01-01"), "");
}

static void test_no_instant_is_behind_the_end_of_time(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "9999-11-05", PLAN(FLAT("a", "100", ADVANCE), ""));
    assert_string_equal(instants_told("9999-11-01", "9999-12-31"), "9999-11-05 9999-12-01");
}

// ---- what

static void test_an_upgrade(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    plan_change("2026-06-16", "q", 1);
    assert_string_equal(due_at("2026-06-01"), "a 2026-06-01 100.00");
    assert_string_equal(due_at("2026-06-16"), "a 2026-06-01 -50.00, a 2026-06-16 100.00");
    assert_string_equal(due_at("2026-07-01"), "a 2026-07-01 200.00");
}

static void test_upgraded_then_canceled_the_same_day(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    plan_change("2026-06-16T08:00:00Z", "q", 1);
    life_change(&life, CHANGE_CANCEL, "2026-06-16T17:00:00Z")->credits = true;
    assert_string_equal(due_at("2026-06-16T08:00:00Z"),
                        "a 2026-06-01 -50.00, a 2026-06-16T08:00:00Z 100.00");
    // The day of a change belongs to the new value: nothing of the new plan was used.
    assert_string_equal(due_at("2026-06-16T17:00:00Z"), "a 2026-06-16T08:00:00Z -100.00");
}

static void test_the_denominator_is_the_natural_period(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "2026-06-11", PLAN(FLAT("a", "300", ADVANCE), ""));
    life_plan(&life, "q/1", PLAN(FLAT("a", "600", ADVANCE), ""));
    plan_change("2026-06-16", "q", 1);
    life_change(&life, CHANGE_CANCEL, "2026-06-21")->credits = true;
    assert_string_equal(due_at("2026-06-11"), "a 2026-06-11 200.00");
    assert_string_equal(due_at("2026-06-16"), "a 2026-06-11 -150.00, a 2026-06-16 300.00");
    assert_string_equal(due_at("2026-06-21"), "a 2026-06-16 -200.00");
}

static void test_what_was_known_when(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    SubscriptionChange *change = plan_change("2026-06-16", "q", 1);
    change->recorded_at = life_at("2026-08-10");
    assert_string_equal(due_at("2026-07-01"), "a 2026-07-01 100.00");
    assert_string_equal(due_at("2026-08-01"), "a 2026-08-01 100.00");
    assert_string_equal(due_at("2026-08-10"), "a 2026-06-01 -50.00, a 2026-06-16 100.00, "
                                              "a 2026-07-01 100.00, a 2026-08-01 100.00");
    assert_string_equal(due_at("2026-09-01"), "a 2026-09-01 200.00");
}

static void test_a_change_to_come_is_billed_when_it_comes(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    SubscriptionChange *change = plan_change("2026-07-16", "q", 1);
    change->recorded_at = life_at("2026-06-10");
    assert_string_equal(due_at("2026-07-01"), "a 2026-07-01 48.39");  // 15 of 31 days
    assert_string_equal(due_at("2026-07-16"), "a 2026-07-16 103.23");
}

static void test_a_start_in_the_past_missed_its_invoices(void **state)
{
    (void)state;
    life.first.created_at = life_at("2026-08-10");
    life_change(&life, CHANGE_CANCEL, "2026-07-16")->recorded_at = life_at("2026-08-10");
    life.changes[0].credits = true;
    assert_string_equal(due_at("2026-06-01"), "a 2026-06-01 100.00");
    assert_string_equal(due_at("2026-07-01"), "a 2026-07-01 100.00");
    assert_string_equal(due_at("2026-08-10"), "a 2026-07-01 -51.61, a 2026-08-01 -100.00");
}

static void test_canceled_as_it_began(void **state)
{
    (void)state;
    life_change(&life, CHANGE_CANCEL, "2026-06-01")->recorded_at = life_at("2026-06-03");
    assert_string_equal(due_at("2026-06-03"), "a 2026-06-01 -100.00");
}

static void test_an_end_that_moves_out_again(void **state)
{
    (void)state;
    life.first.first_ends = true;
    life.first.first_ends_at = life_at("2026-06-16");
    SubscriptionChange *change = life_change(&life, CHANGE_END, "2026-06-16");
    change->recorded_at = life_at("2026-07-05");
    assert_string_equal(due_at("2026-06-01"), "a 2026-06-01 50.00");
    assert_string_equal(due_at("2026-07-05"), "a 2026-06-01 50.00, a 2026-07-01 100.00");
}

// What the books recorded is taken off, whatever rating the log would say; what lies before the
// periods that differ is not looked at.
static void test_what_was_invoiced_is_an_input(void **state)
{
    (void)state;
    DueLines earlier_lines, lines;
    DueQuery query = query_of();
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    plan_change("2026-07-16", "q", 1)->recorded_at = life_at("2026-07-16");
    must(due_earlier(life.arena, &query, life_at("2026-07-16"), &earlier_lines));
    assert_string_equal(lines_told(&earlier_lines), "a 2026-07-01 100.00");
    Line recorded[] = { earlier_lines.at[0], earlier_lines.at[0] };
    recorded[0].period.start = life_at("2026-06-01");
    recorded[1].amount.minor = 9000;
    recorded[1].discount.minor = -1000;
    must(due_lines(life.arena, &query, life_at("2026-07-16"),
                   &(DueLines){ recorded, 2 }, &lines));
    assert_string_equal(lines_told(&lines), "a 2026-07-01 -31.61, a 2026-07-16 103.23");
    assert_int_equal(lines.at[0].discount.minor, 1000);
}

// Lives whose increases of seats wait for the next boundary.
static void seats_begin(const char *starts)
{
    life_end(&life);
    life_begin(&life, starts,
               PLAN("{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\","
                    "\"unitPrice\":10,\"prorate\":\"none\"" ADVANCE
                    ",\"onIncrease\":\"nextInvoice\",\"onDecrease\":\"credit\"}", ""));
    life.first.quantities = STR("{\"seats\":\"4\"}");
}

static SubscriptionChange *seats_change(const char *at, const char *quantities)
{
    SubscriptionChange *change = life_change(&life, CHANGE_TERMS, at);
    change->quantities = str_of(quantities);
    return change;
}

static void test_an_increase_waits_for_the_boundary(void **state)
{
    (void)state;
    seats_begin("2026-06-01");
    seats_change("2026-06-10", "{\"seats\":\"7\"}");
    SubscriptionChange *terms = life_change(&life, CHANGE_TERMS, "2026-06-20");
    terms->has_overrides = true;
    terms->overrides = STR("{\"charges\":{\"s\":{\"unitPrice\":5}}}");
    assert_string_equal(due_at("2026-06-01"), "s 2026-06-01 40.00");
    assert_string_equal(due_at("2026-06-10"), "");
}

// What is changed before the start is due then, when no boundary was yet and nothing has begun.
static void test_changes_before_the_start(void **state)
{
    (void)state;
    seats_begin("2026-06-01");
    life.first.created_at = life_at("2026-05-01");
    seats_change("2026-05-10", "{\"seats\":\"5\"}");
    seats_change("2026-05-20", "{\"seats\":\"6\"}");
    assert_string_equal(instants_told("2026-05-01", "2026-06-02"),
                        "2026-05-10 2026-05-20 2026-06-01");
    assert_string_equal(due_at("2026-05-10"), "");
    assert_string_equal(due_at("2026-05-20"), "");
    assert_string_equal(due_at("2026-06-01"), "s 2026-06-01 60.00");
}

static void test_increases_of_a_life_that_was_over_for_a_while(void **state)
{
    (void)state;
    seats_begin("2026-06-01");
    SubscriptionChange *cancel = life_change(&life, CHANGE_CANCEL, "2026-06-01");
    cancel->recorded_at = life_at("2026-06-03");
    cancel->credits = true;
    life_change(&life, CHANGE_END, "2026-06-10");  // none any more
    seats_change("2026-06-12", "{\"seats\":\"5\"}");
    assert_string_equal(due_at("2026-06-03"), "s 2026-06-01 -40.00");
    assert_string_equal(due_at("2026-06-10"), "s 2026-06-01 40.00");
}

// What the increase was measured by, the state of the boundary, comes to more than fits.
static void test_a_boundary_that_cannot_be_rated(void **state)
{
    (void)state;
    DueLines lines, none = { 0 };
    DueQuery query = query_of();
    seats_begin("2026-06-01");
    life.first.quantities = STR("{\"seats\":\"1000000000000000000\"}");
    seats_change("2026-06-01", "{\"seats\":\"7\"}")->recorded_at = life_at("2026-06-10");
    Err *err = due_lines(life.arena, &query, life_at("2026-06-10"), &none, &lines);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    must(due_lines(life.arena, &query, life_at("2026-07-01"), &none, &lines));
    assert_string_equal(lines_told(&lines), "s 2026-06-01 70.00, s 2026-07-01 70.00");
}

static void test_what_is_recorded_later_is_not_looked_at(void **state)
{
    (void)state;
    life_plan(&life, "q/1", PLAN(FLAT("a", "200", ADVANCE), ""));
    plan_change("2026-06-16", "q", 1)->recorded_at = life_at("2026-08-10");
    life.facts.known_at = life_at("2026-08-01");
    assert_string_equal(due_at("2026-08-01"), "a 2026-08-01 100.00");
}

// Whichever plan cannot be read, nothing is due instead of something else.
static void test_plans_that_cannot_be_read(void **state)
{
    (void)state;
    seats_begin("2026-06-01");
    seats_change("2026-06-10", "{\"seats\":\"7\"}");
    seats_change("2026-06-20", "{\"seats\":\"9\"}");
    const char *told = due_at("2026-06-20");
    int64_t     calls = life.plan_calls;
    DueQuery    query = query_of();
    assert_true(calls > 5);
    for (life.refused = 1;; life.refused++) {
        DueLines lines;
        life.plan_calls = 0;
        Err *err = due_now(life.arena, &query, life_at("2026-06-20"), &lines);
        if (err == NULL) {
            assert_string_equal(lines_told(&lines), told);
            break;
        }
        assert_int_equal(err->code, ERR_STORE_FAILED);
    }
    assert_int_equal(life.refused, calls + 1);
    Currency currency;
    life.plan_calls = 0;
    life.refused = 1;
    Err *err = due_currency(life.arena, &life.facts, &currency);
    assert_true(err != NULL && err->code == ERR_STORE_FAILED);
}

static Line line_of(int64_t amount, int64_t discount, int64_t tax)
{
    Currency usd;
    assert_true(currency_find(STR("USD"), &usd));
    return (Line){ .amount = { amount, usd }, .discount = { discount, usd }, .tax = { tax, usd } };
}

static void test_differences_beyond_numbers(void **state)
{
    (void)state;
    for (int member = 0; member < 3; member++) {
        int64_t most[3] = { 0 }, one[3] = { 0 };
        most[member] = INT64_MAX;
        one[member] = -1;
        Line line = line_of(most[0], most[1], most[2]), billed = line_of(one[0], one[1], one[2]);
        Err *err = line_less(life.arena, &line, &billed);
        assert_non_null(err);
        assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    }
    for (int member = 0; member < 3; member++) {
        int64_t one[3] = { 0 };
        one[member] = 1;
        Line line = line_of(one[0], one[1], one[2]);
        assert_false(is_nothing(&line));
    }
}

static void refused_as_too_large(Err *err)
{
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

static void test_sums_beyond_numbers(void **state)
{
    (void)state;
    Line     most = line_of(INT64_MAX, 0, 0), one = line_of(-1, 0, 0);
    Line     least = line_of(INT64_MIN, 0, 0);
    DueLines rest, none = { 0 }, due = { &most, 1 }, billed = { &one, 1 }, gone = { &least, 1 };
    refused_as_too_large(due_lines_above(life.arena, &due, &billed, &rest));
    refused_as_too_large(lines_subtract(life.arena, &due, &billed, life_at("2026-07-01"), &rest));
    refused_as_too_large(lines_subtract(life.arena, &none, &gone, life_at("2026-07-01"), &rest));
}

static void test_lines_are_told_apart(void **state)
{
    static const Str eu[] = { STR_INIT("eu"), STR_INIT("a") };
    static const Str us[] = { STR_INIT("us"), STR_INIT("a") };
    Charge           calls = { .id = STR("calls"), .group_count = 1 };
    Charge           twice = { .id = STR("calls"), .group_count = 2 };
    Charge           fee = { .id = STR("fee") };
    Line             all = { .charge = &calls };
    Line others[] = { { .charge = &calls, .kind = LINE_MINIMUM },
                      { .charge = &calls, .period = { { 1 }, { 2 } } },
                      { .charge = NULL },
                      { .charge = &fee },
                      { .charge = &calls, .group = eu } };
    (void)state;
    assert_true(due_same_line(&all, &all));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(due_same_line(&all, &others[i]));
        assert_false(due_same_line(&others[i], &all));
        assert_true(due_same_line(&others[i], &others[i]));
    }
    Line grouped = { .charge = &calls, .group = eu }, other = { .charge = &calls, .group = us };
    Line by_two = { .charge = &twice, .group = eu };
    assert_false(due_same_line(&grouped, &other));
    assert_false(due_same_line(&grouped, &by_two));
}

// ---- whatever happens

static const char *const documents[] = {
    PLAN(FLAT("a", "100", ADVANCE) "," FLAT("b", "31", ""), ""),
    PLAN(FLAT("a", "77", ADVANCE ",\"prorate\":\"second\"") "," FLAT("b", "31", ""), ""),
    PLAN(FLAT("a", "55", ADVANCE ",\"prorate\":\"none\"")
         ",{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":7" ADVANCE "}",
         ",\"period\":{\"unit\":\"week\",\"anchor\":\"subscription\"}"),
    PLAN("{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":9" ADVANCE
         ",\"onIncrease\":\"nextInvoice\",\"onDecrease\":\"credit\"}," FLAT("b", "12", ""),
         ",\"discounts\":[{\"id\":\"d\",\"percent\":10,\"periods\":2}]"),
    PLAN(FLAT("y", "365", ADVANCE ",\"period\":{\"every\":1,\"unit\":\"month\"}")
         ",{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":3}",
         ",\"period\":{\"unit\":\"year\",\"anchor\":\"subscription\"},"
         "\"minimum\":{\"amount\":500}"),
    PLAN(FLAT("a", "90", ADVANCE)
         ",{\"id\":\"s\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":4" ADVANCE
         ",\"onIncrease\":\"nextPeriod\"},{\"id\":\"x\",\"model\":\"percentOf\","
         "\"charges\":[\"a\"],\"ratePercent\":10}",
         ",\"trial\":{\"days\":10,\"charges\":[\"a\"]},\"phases\":[{\"periods\":1,"
         "\"overrides\":{\"charges\":{\"a\":{\"amount\":40}}}}]"),
    PLAN(FLAT("a", "90", ADVANCE ",\"oneTime\":true") "," FLAT("b", "31", ""),
         ",\"trial\":{\"days\":20},\"maximum\":{\"amount\":80},"
         "\"timeZone\":\"Asia/Tokyo\""),
};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

static uint64_t seed;

static int64_t any(int64_t least, int64_t most)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return least + (int64_t)((seed >> 33) % (uint64_t)(most - least + 1));
}

static Instant day_of(int64_t day)
{
    return (Instant){ life_at("2026-06-01").us + day * INSTANT_DAY_US +
                      (any(0, 3) == 0 ? 7 * 3600 * INSTANT_SECOND_US : 0) };
}

static void life_make(void)
{
    static const char *const names[] = { "p/1", "p/2", "q/1", "r/1", "s/1" };
    int64_t first = any(0, DOCUMENTS - 1), known = any(0, 20);
    life_begin(&life, "2026-06-01", documents[first]);
    life.first.quantities = STR("{\"seats\":\"4\"}");
    life.first.created_at = day_of(known);
    for (int64_t i = 1; i < 5; i++)
        life_plan(&life, names[i], documents[any(0, DOCUMENTS - 1)]);
    if (any(0, 3) == 0)
        life.facts.project_zone = STR("America/New_York");
    if (any(0, 3) == 0)
        life_zone(&life, "2026-06-20", "Pacific/Auckland");
    for (int64_t i = any(1, 6); i > 0; i--) {
        SubscriptionChange *change = life_change(&life, CHANGE_TERMS, "2026-06-01");
        known += any(0, 12);
        change->recorded_at = day_of(known);
        if (change->recorded_at.us < life.first.created_at.us)
            change->recorded_at = life.first.created_at;
        if (change > life.changes && change->recorded_at.us < change[-1].recorded_at.us)
            change->recorded_at = change[-1].recorded_at;
        change->effective_at = day_of(any(0, 70));
        switch (any(0, 5)) {
        case 0:
        case 1: {
            Str name = str_of(names[any(0, 4)]);
            change->plan = str_cut(&name, '/');
            change->plan_version = name.at[0] - '0';
            break;
        }
        case 2: change->kind = CHANGE_PAUSE; break;
        case 3: change->kind = CHANGE_RESUME; break;
        case 4:
            change->kind = any(0, 2) == 0 ? CHANGE_CANCEL : CHANGE_RESUME;
            change->credits = any(0, 1) == 0;
            break;
        default:
            change->quantities =
                str_print(life.arena, "{\"seats\":\"%lld\"}", (long long)any(1, 9));
        }
    }
}

static void lines_sum(DueLines *sum, const DueLines *more)
{
    DueLines all = { arena_array(life.arena, Line, sum->count + more->count), sum->count };
    for (size_t i = 0; i < sum->count; i++)
        all.at[i] = sum->at[i];
    for (size_t i = 0; i < more->count; i++) {
        size_t k = 0;
        while (k < all.count && !due_same_line(&all.at[k], &more->at[i]))
            k++;
        if (k == all.count) {
            all.at[all.count++] = more->at[i];
            continue;
        }
        all.at[k].amount.minor += more->at[i].amount.minor;
        all.at[k].discount.minor += more->at[i].discount.minor;
        assert_true(line_net(&all.at[k]).minor >= 0);
    }
    *sum = all;
}

// Each invoice as it was made: boundaries and changes in their order, each knowing what was known.
static DueLines invoices_sum(Instant until)
{
    DueLines sum = { 0 };
    DueQuery query = query_of();
    Instant  at = { life.first.starts_at.us - 1 };
    bool     found;
    for (;;) {
        DueLines      lines;
        TimelineFacts known = life.facts;
        Instant       next = INSTANT_END, soonest = INSTANT_END;
        // What comes next is told by what is known; an entry of the log may come before it.
        for (size_t i = 0; i < known.history.count; i++) {
            Instant recorded = known.history.changes[i].recorded_at;
            if (recorded.us > at.us && recorded.us < soonest.us)
                soonest = recorded;
        }
        known.known_at = known_at(&life.facts, at);
        must(due_next(life.arena, &known, at, &next, &found));
        if (!found || soonest.us <= next.us) {
            next = soonest;
            found = false;
            for (size_t i = 0; i < life.facts.history.count; i++)
                found |= due_of_change(&life.facts.history.changes[i]).us == next.us;
            if (!found && next.us < INSTANT_END.us) {
                Timeline timeline;
                must(due_timeline(life.arena, &life.facts, next, &timeline));
                Around around = instants_around(&life.facts, &timeline, next);
                found = around.has_last && around.last.us == next.us;
            }
        }
        if (next.us > until.us)
            return sum;
        at = next;
        if (!found)
            continue;
        must(due_now(life.arena, &query, at, &lines));
        lines_sum(&sum, &lines);
    }
}

static int64_t net_of(const DueLines *lines, const Line *wanted)
{
    for (size_t i = 0; i < lines->count; i++)
        if (due_same_line(&lines->at[i], wanted))
            return line_net(&lines->at[i]).minor;
    return 0;
}

// The sum of what was invoiced up to the last instant is what the bills of all periods come to, for
// everything that is due by then.
static void bills_compare(const DueLines *sum, Instant until)
{
    Timeline timeline;
    DueLines due;
    DueQuery query = query_of();
    State    state = { .is_any = true, .at = until };
    must(due_timeline(life.arena, &life.facts, until, &timeline));
    state.timeline = timeline;
    must(lines_due(life.arena, &query, &state, life.first.starts_at, &due));
    for (size_t i = 0; i < due.count; i++)
        assert_int_equal(line_net(&due.at[i]).minor, net_of(sum, &due.at[i]));
    for (size_t i = 0; i < sum->count; i++)
        assert_int_equal(line_net(&sum->at[i]).minor, net_of(&due, &sum->at[i]));
}

static void test_the_invoices_sum_to_the_bills(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 500; round++) {
        seed = round;
        life_make();
        Instant until = life_at("2027-06-02");  // the longest period is over
        Timeline timeline = life_fold(&life);
        if (timeline.active.end.us < until.us)
            until = (Instant){ until.us + 1 };
        DueLines sum = invoices_sum(until);
        bills_compare(&sum, until);
        life_end(&life);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_instants_of_a_life),
        TEST(test_own_periods_and_trials_have_instants),
        TEST(test_a_life_that_is_over_has_no_more),
        TEST(test_no_instant_is_behind_the_end_of_time),
        TEST(test_an_upgrade),
        TEST(test_upgraded_then_canceled_the_same_day),
        TEST(test_the_denominator_is_the_natural_period),
        TEST(test_what_was_known_when),
        TEST(test_a_change_to_come_is_billed_when_it_comes),
        TEST(test_a_start_in_the_past_missed_its_invoices),
        TEST(test_canceled_as_it_began),
        TEST(test_an_end_that_moves_out_again),
        TEST(test_what_was_invoiced_is_an_input),
        TEST(test_an_increase_waits_for_the_boundary),
        TEST(test_changes_before_the_start),
        TEST(test_increases_of_a_life_that_was_over_for_a_while),
        TEST(test_a_boundary_that_cannot_be_rated),
        TEST(test_what_is_recorded_later_is_not_looked_at),
        TEST(test_plans_that_cannot_be_read),
        TEST(test_differences_beyond_numbers),
        TEST(test_sums_beyond_numbers),
        TEST(test_lines_are_told_apart),
        cmocka_unit_test(test_the_invoices_sum_to_the_bills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
