// SPDX-License-Identifier: Apache-2.0
// Parts of a period, and parts of a sum: what is left of a period at a change, shares of what is
// free and of quantities, and what each event adds.
#include "base/assert.h"
#include "case.h"
#include "money/rounding.h"
#include "price/price.h"

// A line of less than half a cent is left out: what is asked for as a number costs so much each.
enum { UNIT = 1000000 };

#define JUNE "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}"

// A local date, or an instant.
static bool instant_of(Str text, Instant *instant)
{
    Date date;
    if (!date_parse(text, &date))
        return instant_parse(text, instant);
    *instant = zone_midnight(zone_utc(), date);
    return true;
}

static Result number_is(Case *test, const char *member, Rational got)
{
    Str wanted = case_text(test->expected, member);
    return wanted.at == NULL ? CASE_PASSED
                             : case_equal(test, member, case_number(test, wanted), got);
}

static bool has_text(Case *test, const char *member, const char *wanted)
{
    return str_equal(case_text(test->config, member), str_of(wanted));
}

// config.decimals as a number of places.
static int decimals_of(Case *test)
{
    uint64_t places = 0;
    bool     read = str_whole(case_text(test->config, "decimals"), DECIMAL_PLACES, &places);
    assert_that(read);
    return (int)places;
}

// ---- what is left of a period

// From a change to the end of a period.
typedef struct Rest {
    Span    period;
    Instant change;
} Rest;

// What a price for so many costs from the change on, as a line in cents. False: it was refused.
static bool rest_price(Case *test, const Rest *rest, Str price, Str quantity, Rational *amount)
{
    *amount = rational_zero();
    if (rest->change.us >= rest->period.end.us)
        return true;
    const Json *bill = case_rate(
        test,
        str_print(test->arena,
                  "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"quantity\":\"q\","
                  "\"model\":\"perUnit\",\"unitPrice\":\"%.*s\",\"timing\":\"advance\"}]},"
                  "\"period\":{\"start\":\"%.*s\",\"end\":\"%.*s\"},\"activeFrom\":\"%.*s\","
                  "\"quantities\":{\"q\":\"%.*s\"}}",
                  STR_ARG(price), STR_ARG(instant_print(test->arena, rest->period.start)),
                  STR_ARG(instant_print(test->arena, rest->period.end)),
                  STR_ARG(instant_print(test->arena, rest->change)), STR_ARG(quantity)));
    if (bill != NULL)
        *amount = case_number(test, case_at(bill, STR("/total"))->text);
    return bill != NULL;
}

// The period, half-open also where the case names its last day, and the change.
static bool change_of(Case *test, Rest *rest)
{
    if (!has_text(test, "day_count", "calendar days") ||
        !instant_of(case_text(test->input, "period_start"), &rest->period.start) ||
        !instant_of(case_text(test->input, "period_end"), &rest->period.end) ||
        !instant_of(case_text(test->input, "change_date"), &rest->change))
        return false;
    if (case_true(test->config, "period_end_counts"))
        rest->period.end.us += INSTANT_DAY_US;
    return decimals_of(test) == 2;
}

static const char *const change_members[] = { "day_count", "period_end_counts", "decimals",
                                              "rounding", NULL };

// The old for the rest of the period is credited, the new for the rest is charged.
static Result plan_or_quantity_change(Case *test)
{
    Rest     rest;
    Str      old = case_text(test->input, "old_price"), new = case_text(test->input, "new_price");
    Rational credit = rational_zero(), charge = rational_zero();
    if (!case_knows(test, change_members) || !change_of(test, &rest))
        return CASE_UNKNOWN;
    if (old.at != NULL &&
        !rest_price(test, &rest, old, case_text(test->input, "old_quantity"), &credit))
        return CASE_FAILED;
    if (new.at != NULL &&
        !rest_price(test, &rest, new, case_text(test->input, "new_quantity"), &charge))
        return CASE_FAILED;
    Result sum = number_is(test, "credit", credit);
    case_and(&sum, number_is(test, "charge", charge));
    case_and(&sum, number_is(test, "net", rational_subtract(test->arena, charge, credit)));
    return sum;
}

// The lines of several changes at once, one after the other.
typedef struct Changes {
    Case       *test;
    Rest        rest;
    const Json *wanted; // the line that comes next
    Rational    net;
    Result      result;
} Changes;

static void line_add(Changes *changes, Str price, bool is_credit)
{
    Case    *test = changes->test;
    Rational amount;
    if (!rest_price(test, &changes->rest, price, STR("1"), &amount)) {
        changes->result = CASE_FAILED;
        return;
    }
    if (is_credit)
        amount = rational_negate(test->arena, amount);
    changes->net = rational_add(test->arena, changes->net, amount);
    if (changes->wanted == NULL)
        return;
    case_and(&changes->result,
             case_equal(test, "line", case_number(test, changes->wanted->text), amount));
    changes->wanted = changes->wanted->next;
}

static const Json *first_of(const Json *object, const char *name)
{
    const Json *list = case_member(object, name);
    return list == NULL ? NULL : list->first;
}

static Result plan_change_many(Case *test)
{
    Changes changes = { .test = test, .net = rational_zero(), .result = CASE_PASSED };
    if (!case_knows(test, change_members) || !change_of(test, &changes.rest))
        return CASE_UNKNOWN;
    changes.wanted = first_of(test->expected, "lines");
    for (const Json *one = first_of(test->input, "changed"); one != NULL; one = one->next) {
        line_add(&changes, case_text(one, "old"), true);
        line_add(&changes, case_text(one, "new"), false);
    }
    for (const Json *one = first_of(test->input, "removed"); one != NULL; one = one->next)
        line_add(&changes, one->text, true);
    for (const Json *one = first_of(test->input, "added"); one != NULL; one = one->next)
        line_add(&changes, one->text, false);
    case_and(&changes.result, number_is(test, "net", changes.net));
    return changes.result;
}

// What was billed for an item and what it costs now, as one line: a bill less the one before it.
static Result netted_lines(Case *test)
{
    static const char *const known[] = { "rule", NULL };
    Rational                 credit = case_number(test, case_text(test->input, "credit"));
    Str      before = rational_print(test->arena, rational_negate(test->arena, credit));
    Str      now = case_text(test->input, "charge");
    Rational totals[2];
    if (!case_knows(test, known) || rational_sign(credit) > 0)
        return CASE_UNKNOWN;
    for (size_t i = 0; i < 2; i++) {
        Str         amount = i == 0 ? before : now;
        const Json *bill =
            case_rate(test, str_print(test->arena,
                                      "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\","
                                      "\"model\":\"flat\",\"amount\":\"%.*s\"}]}," JUNE "}",
                                      STR_ARG(amount)));
        if (bill == NULL)
            return CASE_FAILED;
        totals[i] = case_number(test, case_at(bill, STR("/total"))->text);
    }
    return number_is(test, "net", rational_subtract(test->arena, totals[1], totals[0]));
}

// ---- shares

// The natural month: as the case names it, or that which begins (ends) where the stretch does.
static bool month_of(Case *test, Span stretch, Span *full)
{
    const Json *named = first_of(test->config, "full_period");
    if (named != NULL)
        return instant_of(named->text, &full->start) && instant_of(named->next->text, &full->end);
    bool    is_trailing = has_text(test, "side", "trailing");
    Instant known = is_trailing ? stretch.start : stretch.end;
    Date    date = zone_local(zone_utc(), known).date;
    Date    other = date_in_month(date_months(date) + (is_trailing ? 1 : -1), date.day);
    Instant there = zone_midnight(zone_utc(), other);
    *full = is_trailing ? (Span){ known, there } : (Span){ there, known };
    return true;
}

// The part of a month that a stretch takes, which may be longer than the month: the exact price of
// it when the month costs a million.
static Result period_fraction(Case *test)
{
    static const char *const known[] = { "side",     "interval",    "day_count",
                                         "decimals", "full_period", NULL };
    PriceInputs              inputs = { .zone = zone_utc() };
    ChargeUsage              none = { 0 };
    Faults                   faults = { .arena = test->arena };
    Json                    *document;
    Bill                     bill;
    if (!case_knows(test, known) || !has_text(test, "interval", "month") ||
        !has_text(test, "day_count", "calendar days") ||
        !instant_of(case_text(test->input, "start"), &inputs.service.start) ||
        !instant_of(case_text(test->input, "end"), &inputs.service.end) ||
        !month_of(test, inputs.service, &inputs.full))
        return CASE_UNKNOWN;
    Err *err = json_parse_copy(test->arena,
                               STR("{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":"
                                   "\"flat\",\"amount\":1000000}]}"),
                               &document);
    assert_that(err == NULL);
    Plan *plan = plan_from_json(document, STR(""), STR_NONE, &faults);
    inputs.start = inputs.service.start;
    inputs.at = inputs.service.end;
    inputs.parts = price_parts_whole(test->arena, plan, &none, inputs.service, inputs.full);
    err = price_bill(test->arena, plan, &inputs, &bill);
    assert_that(err == NULL);
    Rational exact = bill.count == 0 ? rational_zero() : bill.lines[0].exact;
    exact = rational_divide(test->arena, exact, rational_whole(test->arena, UNIT));
    return number_is(test, "fraction",
                     rounding_places(test->arena, exact, ROUND_HALF_UP, decimals_of(test)));
}

// Units that are free, from the change to the end of the period.
static Result prorated_credits(Case *test)
{
    static const char *const known[] = { "day_count", "decimals", NULL };
    if (!case_knows(test, known) || !has_text(test, "day_count", "elapsed seconds"))
        return CASE_UNKNOWN;
    const Json *bill = case_rate(
        test, str_print(test->arena,
                        "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":"
                        "\"m\",\"model\":\"perUnit\",\"unitPrice\":1,\"prorate\":\"second\","
                        "\"included\":\"%.*s\"}]},\"period\":{\"start\":\"%.*s\",\"end\":\"%.*s\"},"
                        "\"activeFrom\":\"%.*s\",\"usage\":{\"m\":\"999999999999\"}}",
                        STR_ARG(case_text(test->input, "credits")),
                        STR_ARG(case_text(test->input, "period_start")),
                        STR_ARG(case_text(test->input, "period_end")),
                        STR_ARG(case_text(test->input, "change_time"))));
    if (bill == NULL)
        return CASE_FAILED;
    Rational free = case_number(test, case_at(bill, STR("/lines/0/steps/0/included"))->text);
    return number_is(test, "credits",
                     rounding_places(test->arena, free, ROUND_HALF_UP, decimals_of(test)));
}

// Quantities that were each held for the last days of a period: units times their part of it.
static Result prorated_quantity(Case *test)
{
    static const char *const known[] = { "period_days", "rounding", "decimals", NULL };
    Text                     charges = text_open(test->arena), held = text_open(test->arena);
    Instant                  start = { 1767225600 * INSTANT_SECOND_US };
    uint64_t                 days, active;
    int                      place = 0;
    if (!case_knows(test, known) || !has_text(test, "rounding", "up") ||
        !str_whole(case_text(test->config, "period_days"), 3660, &days))
        return CASE_UNKNOWN;
    for (const Json *one = first_of(test->input, "quantities"); one != NULL;
         one = one->next, place++) {
        if (!str_whole(case_text(one, "active_days"), days, &active))
            return CASE_UNKNOWN;
        Instant from = { start.us + (int64_t)(days - active) * INSTANT_DAY_US };
        text_print(&charges,
                   "%s{\"id\":\"c%d\",\"quantity\":\"q%d\",\"model\":\"perUnit\",\"unitPrice\":%d}",
                   place == 0 ? "" : ",", place, place, UNIT);
        text_print(&held, "%s\"q%d\":[{\"from\":\"%.*s\",\"value\":\"%.*s\"}]",
                   place == 0 ? "" : ",", place, STR_ARG(instant_print(test->arena, from)),
                   STR_ARG(case_text(one, "value")));
    }
    Instant     end = { start.us + (int64_t)days * INSTANT_DAY_US };
    const Json *bill = case_rate(
        test, str_print(test->arena,
                        "{\"plan\":{\"currency\":\"USD\",\"charges\":[%.*s]},\"period\":{"
                        "\"start\":\"%.*s\",\"end\":\"%.*s\"},\"quantities\":{%.*s}}",
                        STR_ARG(text_str(&charges)), STR_ARG(instant_print(test->arena, start)),
                        STR_ARG(instant_print(test->arena, end)), STR_ARG(text_str(&held))));
    if (bill == NULL)
        return CASE_FAILED;
    Rational sum = rational_zero();
    for (const Json *line = case_at(bill, STR("/lines"))->first; line != NULL; line = line->next)
        sum = rational_add(test->arena, sum, case_number(test, case_text(line, "exactAmount")));
    sum = rational_divide(test->arena, sum, rational_whole(test->arena, UNIT));
    return number_is(test, "quantity",
                     rounding_places(test->arena, sum, ROUND_UP, decimals_of(test)));
}

// ---- what each event adds

// The charge of the model that the case's begins with; "" when it has no word for it.
static Str charge_of(Case *test)
{
    static const char *const known[] = { "tiers",         "flat_fee_when_zero",
                                         "unit_price",    "package_size",
                                         "package_price", "free_units",
                                         "rounding",      NULL };
    Text                     text = text_open(test->arena);
    if (!case_knows(test, known))
        return STR("");
    if (str_equal(test->model, STR("graduated_per_event")))
        return case_tiers(test, "graduated");
    if (str_equal(test->model, STR("per_unit_per_event")))
        text_print(&text, "\"model\":\"perUnit\"");
    else if (has_text(test, "rounding", "up"))
        text_print(&text, "\"model\":\"package\"");
    else
        return STR("");
    case_member_add(&text, test->config, "unit_price", "unitPrice");
    case_member_add(&text, test->config, "package_size", "packageSize");
    case_member_add(&text, test->config, "package_price", "packagePrice");
    case_member_add(&text, test->config, "free_units", "included");
    return text_str(&text);
}

// The charge billed by event, with the first `count` of the case's events.
static const Json *rate_events(Case *test, Str charge, size_t count)
{
    Text        text = text_open(test->arena);
    const Json *quantity = first_of(test->input, "event_quantities");
    text_print(&text,
               "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\","
               "\"bill\":\"event\",%.*s}]}," JUNE ",\"usage\":{\"m\":[{\"events\":[",
               STR_ARG(charge));
    for (size_t i = 0; i < count; i++, quantity = quantity->next)
        text_print(&text,
                   "%s{\"ts\":\"2026-06-01T00:00:00Z\",\"uniqueId\":\"%06zu\",\"value\":"
                   "\"%.*s\"}",
                   i == 0 ? "" : ",", i, STR_ARG(quantity->text));
    text_print(&text, "]}]}}");
    return case_rate(test, text_str(&text));
}

// What an event adds exactly, and, where that is whole cents, what it is posted at.
static Result per_event(Case *test)
{
    Rational before = rational_zero();
    Result   sum = CASE_PASSED;
    Str      charge = charge_of(test);
    size_t   count = 0;
    bool     is_cents = true;
    if (charge.length == 0)
        return CASE_UNKNOWN;
    const Json *wanted = first_of(test->expected, "event_amounts");
    for (; wanted != NULL; wanted = wanted->next) {
        const Json *bill = rate_events(test, charge, ++count);
        if (bill == NULL)
            return CASE_FAILED;
        Rational total = case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text);
        Str      posted = case_text(
                 case_at(bill, str_print(test->arena, "/lines/0/posted/%zu", count - 1)), "amount");
        Rational amount = case_number(test, wanted->text);
        case_and(&sum,
                 case_equal(test, "added", amount, rational_subtract(test->arena, total, before)));
        is_cents &=
            rational_compare(total, rounding_places(test->arena, total, ROUND_HALF_UP, 2)) == 0;
        if (is_cents)
            case_and(&sum, case_equal(test, "posted", amount, case_number(test, posted)));
        before = total;
    }
    return sum;
}

Adapter adapter_parts(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "plan_or_quantity_change", plan_or_quantity_change },
        { "plan_change_many", plan_change_many },
        { "netted_lines", netted_lines },
        { "period_fraction", period_fraction },
        { "prorated_credits", prorated_credits },
        { "prorated_quantity", prorated_quantity },
        { "graduated_per_event", per_event },
        { "package_per_event", per_event },
        { "per_unit_per_event", per_event },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
