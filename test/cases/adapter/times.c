// SPDX-License-Identifier: Apache-2.0
// Calendars: periods, boundaries, days, parts of a period.
#include "case.h"
#include "money/rounding.h"
#include "time/period.h"

static bool zone_of(const Case *test, const Zone **zone)
{
    Str name = case_text(test->config, "time_zone");
    *zone = name.at == NULL ? zone_utc() : zone_find(name);
    return *zone != NULL;
}

// An instant, or a local date, which is its midnight.
static bool instant_of(const Zone *zone, Str text, Instant *instant)
{
    Date date;
    if (!date_parse(text, &date))
        return instant_parse(text, instant);
    *instant = zone_midnight(zone, date);
    return true;
}

static Result same_instant(Case *test, const char *what, const Zone *zone, Str wanted, Instant got)
{
    Instant instant;
    if (wanted.at == NULL)
        return CASE_PASSED;
    if (!instant_of(zone, wanted, &instant))
        return CASE_UNKNOWN;
    return case_same(test, what, instant_print(test->arena, instant),
                     instant_print(test->arena, got));
}

static bool interval_of(Str interval, Str count, PeriodRule *rule)
{
    uint64_t times = 1;
    if (count.at != NULL && !str_whole(count, 100, &times))
        return false;
    rule->every = (uint32_t)times;
    if (str_equal(interval, STR("half_year"))) {
        rule->every *= 6;
        rule->unit = PERIOD_MONTH;
        return true;
    }
    if (str_equal(interval, STR("30_days"))) {
        rule->every *= 30;
        rule->unit = PERIOD_DAY;
        return true;
    }
    return period_unit_find(interval, &rule->unit);
}

static Period period_before(const PeriodRule *rule, const Zone *zone, Instant start, Period period)
{
    return period_at(rule, zone, start, (Instant){ period.service.start.us - 1 });
}

// A rule over all time: calendar, or aligned to an anchor date.
static Result aligned_period(Case *test)
{
    const Zone *zone;
    Instant     time, always = { -INSTANT_DAY_US * 365 * 20 };
    PeriodRule  rule = { .anchor = ANCHOR_CALENDAR };
    Str         billed = case_text(test->config, "billed");
    bool        by_date = str_equal(case_text(test->config, "alignment"), STR("anniversary"));
    if (!zone_of(test, &zone) || !instant_of(zone, case_text(test->input, "billing_time"), &time) ||
        !interval_of(case_text(test->config, "interval"), STR_NONE, &rule))
        return CASE_UNKNOWN;
    if (by_date) {
        rule.anchor = ANCHOR_DATE;
        if (!date_parse(case_text(test->config, "anchor"), &rule.date))
            return CASE_UNKNOWN;
    }
    Period period = period_at(&rule, zone, always, time);
    if (str_equal(billed, STR("arrears")))
        period = period_before(&rule, zone, always, period);
    Result sum =
        same_instant(test, "start", zone, case_text(test->expected, "start"), period.service.start);
    case_and(&sum,
             same_instant(test, "end", zone, case_text(test->expected, "end"), period.service.end));
    return sum;
}

static bool day_rule(const Case *test, PeriodRule *rule)
{
    uint64_t day;
    Str      text = case_text(test->config, "billing_day");
    if (!interval_of(case_text(test->config, "interval"), STR_NONE, rule))
        return false;
    rule->anchor = ANCHOR_SUBSCRIPTION;
    if (text.at == NULL)
        return true;
    rule->anchor = ANCHOR_DAY_OF_MONTH;
    if (!str_whole(text, 31, &day))
        return false;
    rule->day = (uint8_t)day;
    return true;
}

// A billing day, from a first start on: what the invoice of a date is for.
static Result invoiced_period(Case *test)
{
    PeriodRule rule = { 0 };
    Instant    date, start;
    Str        first = case_text(test->config, "first_start");
    if (!day_rule(test, &rule) ||
        !instant_of(zone_utc(), case_text(test->input, "invoice_date"), &date))
        return CASE_UNKNOWN;
    // An advance invoice is for the period that begins on its date, whatever came before.
    if (!instant_of(zone_utc(), first, &start))
        start = date;
    Period period = period_at(&rule, zone_utc(), start, date);
    if (str_equal(case_text(test->config, "billed"), STR("arrears"))) {
        if (period.service.start.us == start.us)
            return CASE_UNKNOWN;
        period = period_before(&rule, zone_utc(), start, period);
    }
    Result sum = same_instant(test, "start", zone_utc(), case_text(test->expected, "start"),
                              period.service.start);
    case_and(&sum, same_instant(test, "end", zone_utc(), case_text(test->expected, "end"),
                                period.service.end));
    return sum;
}

static Result billed_period(Case *test)
{
    static const char *const known[] = { "interval",    "alignment",    "billed",
                                         "time_zone",   "anchor",       "first_start",
                                         "billing_day", "first_period", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    return case_member(test->config, "alignment") != NULL ? aligned_period(test)
                                                          : invoiced_period(test);
}

// A date before the start is asked of the first period.
static Result first_start_period(Case *test)
{
    PeriodRule rule = { 0 };
    Instant    at, start;
    if (!day_rule(test, &rule) || !instant_of(zone_utc(), case_text(test->input, "at"), &at) ||
        !instant_of(zone_utc(), case_text(test->config, "first_start"), &start))
        return CASE_UNKNOWN;
    Period period = period_at(&rule, zone_utc(), start, at.us < start.us ? start : at);
    Result sum = same_instant(test, "start", zone_utc(), case_text(test->expected, "start"),
                              period.service.start);
    case_and(&sum, same_instant(test, "end", zone_utc(), case_text(test->expected, "end"),
                                period.service.end));
    return sum;
}

// Anchored at an instant whose wall time is kept.
static bool instant_rule(const Case *test, PeriodRule *rule, const Zone **zone, Instant *anchor)
{
    rule->anchor = ANCHOR_SUBSCRIPTION_INSTANT;
    return zone_of(test, zone) && instant_of(*zone, case_text(test->config, "anchor"), anchor) &&
           interval_of(case_text(test->config, "interval"), case_text(test->config, "count"),
                       rule) &&
           period_rule_fault(rule) == NULL;
}

static Result containing_period(Case *test)
{
    static const char *const known[] = { "interval",    "count",       "anchor",       "time_zone",
                                         "first_start", "billing_day", "known_period", NULL };
    PeriodRule               rule = { 0 };
    const Zone              *zone;
    Instant                  anchor, at;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    if (case_member(test->config, "first_start") != NULL)
        return first_start_period(test);
    if (!instant_rule(test, &rule, &zone, &anchor) ||
        !instant_of(zone, case_text(test->input, "at"), &at))
        return CASE_UNKNOWN;
    Period period = period_at(&rule, zone, anchor, at);
    Result sum =
        same_instant(test, "start", zone, case_text(test->expected, "start"), period.service.start);
    case_and(&sum,
             same_instant(test, "end", zone, case_text(test->expected, "end"), period.service.end));
    return sum;
}

static Result elapsed_periods(Case *test)
{
    static const char *const known[] = { "interval", "first_start", "billing_day", NULL };
    PeriodRule               rule = { 0 };
    Instant                  at, start;
    if (!case_knows(test, known) || !day_rule(test, &rule) ||
        !instant_of(zone_utc(), case_text(test->input, "at"), &at) ||
        !instant_of(zone_utc(), case_text(test->config, "first_start"), &start))
        return CASE_UNKNOWN;
    int64_t index = at.us < start.us ? 0 : period_at(&rule, zone_utc(), start, at).index;
    return case_same(test, "count", case_text(test->expected, "count"),
                     str_print(test->arena, "%ld", index));
}

// How the period from `current_start` on is cut: by the anchor's row when it begins there, or
// lies before the first boundary of a subscription that ends; by months from its own when that is
// the anchor's day of the month; else by none of ours.
typedef struct Continued {
    PeriodRow row;
    Instant   current;
    bool      is_cut;
} Continued;

static bool begins_at(const PeriodRow *row, Instant instant)
{
    return period_boundary(row, period_place(row, instant)).us == instant.us;
}

static bool continued_of(const Case *test, Continued *continued)
{
    PeriodRule  rule = { 0 };
    const Zone *zone;
    Instant     anchor, current;
    if (!instant_rule(test, &rule, &zone, &anchor) ||
        !instant_of(zone, case_text(test->input, "current_start"), &current))
        return false;
    Local  local = zone_local(zone, anchor);
    bool   has_end = case_member(test->config, "subscription_end") != NULL;
    *continued = (Continued){ period_row(&rule, zone, local), current, true };
    if (begins_at(&continued->row, current) || (has_end && current.us < anchor.us))
        return true;
    rule.anchor = ANCHOR_DAY_OF_MONTH;
    rule.day = local.date.day;
    continued->is_cut = local.us == 0 && period_rule_fault(&rule) == NULL;
    if (continued->is_cut) {
        continued->row = period_row(&rule, zone, zone_local(zone, current));
        continued->is_cut = begins_at(&continued->row, current);
    }
    return true;
}

bool begins_off_its_anchor(const Case *test)
{
    Continued continued;
    return continued_of(test, &continued) && !continued.is_cut;
}

static Result next_boundary(Case *test)
{
    static const char *const known[] = { "interval",         "count", "anchor", "time_zone",
                                         "subscription_end", NULL };
    Continued                continued;
    Instant                  end;
    if (!case_knows(test, known) || !continued_of(test, &continued))
        return CASE_UNKNOWN;
    const PeriodRow *row = &continued.row;
    Instant next = period_boundary(row, period_place(row, continued.current) + 1);
    if (instant_of(row->zone, case_text(test->config, "subscription_end"), &end) &&
        end.us < next.us)
        next = end;
    return same_instant(test, "next", row->zone, case_text(test->expected, "next"), next);
}

// From the subscription's start on, cut at the anchor's day of the month.
static Result next_reset(Case *test)
{
    static const char *const known[] = { "interval",           "count",     "anchor",
                                         "subscription_start", "time_zone", NULL };
    PeriodRule               rule = { .anchor = ANCHOR_DATE };
    const Zone              *zone;
    Instant                  at, start, anchor;
    if (!case_knows(test, known) || !zone_of(test, &zone) ||
        !interval_of(case_text(test->config, "interval"), case_text(test->config, "count"),
                     &rule) ||
        !instant_of(zone, case_text(test->input, "at"), &at) ||
        !instant_of(zone, case_text(test->config, "anchor"), &anchor) ||
        !instant_of(zone, case_text(test->config, "subscription_start"), &start) ||
        at.us < start.us)
        return CASE_UNKNOWN;
    rule.date = zone_local(zone, anchor).date;
    return same_instant(test, "next", zone, case_text(test->expected, "next"),
                        period_at(&rule, zone, start, at).service.end);
}

// The first billing day on or after the start: where the stub ends.
static Result first_billing_date(Case *test)
{
    static const char *const known[] = { "interval", "billing_day", NULL };
    PeriodRule               rule = { 0 };
    Instant                  start;
    if (!case_knows(test, known) || !day_rule(test, &rule) ||
        !instant_of(zone_utc(), case_text(test->input, "start"), &start))
        return CASE_UNKNOWN;
    Period  first = period_at(&rule, zone_utc(), start, start);
    Instant date = first.full.start.us == start.us ? start : first.service.end;
    return same_instant(test, "date", zone_utc(), case_text(test->expected, "date"), date);
}

// So many periods on, or back.
static Result advance_periods(Case *test)
{
    static const char *const known[] = { "interval", NULL };
    PeriodRule               rule = { .anchor = ANCHOR_SUBSCRIPTION };
    Instant                  start;
    Decimal                  periods;
    if (!case_knows(test, known) ||
        !interval_of(case_text(test->config, "interval"), STR_NONE, &rule) ||
        !instant_of(zone_utc(), case_text(test->input, "start"), &start) ||
        !decimal_parse(case_text(test->input, "periods"), 4, &periods))
        return CASE_UNKNOWN;
    PeriodRow row = period_row(&rule, zone_utc(), zone_local(zone_utc(), start));
    int64_t   place = period_place(&row, start) + (int64_t)(periods.e12 / decimal_whole(1).e12);
    return same_instant(test, "date", zone_utc(), case_text(test->expected, "date"),
                        period_boundary(&row, place));
}

static Result window_start(Case *test, WindowUnit unit, const char *member)
{
    const Zone *zone;
    Instant     at;
    if (!zone_of(test, &zone) || !instant_of(zone, case_text(test->input, member), &at))
        return CASE_UNKNOWN;
    Span   span = window_at(unit, zone, at);
    Result sum = same_instant(test, "start", zone, case_text(test->expected, "start"), span.start);
    case_and(&sum, same_instant(test, "end", zone, case_text(test->expected, "end"), span.end));
    return sum;
}

static Result calendar_week_start(Case *test)
{
    static const char *const known[] = { "time_zone", NULL };
    return case_knows(test, known) ? window_start(test, WINDOW_WEEK, "at") : CASE_UNKNOWN;
}

static Result calendar_day_window(Case *test)
{
    static const char *const known[] = { "window", "time_zone", NULL };
    return case_knows(test, known) ? window_start(test, WINDOW_DAY, "time") : CASE_UNKNOWN;
}

static Result local_days_between(Case *test)
{
    static const char *const known[] = { "time_zone", NULL };
    const Zone              *zone;
    Instant                  start, end;
    if (!case_knows(test, known) || !zone_of(test, &zone) ||
        !instant_of(zone, case_text(test->input, "start"), &start) ||
        !instant_of(zone, case_text(test->input, "end"), &end))
        return CASE_UNKNOWN;
    int64_t days = date_days(zone_local(zone, end).date) - date_days(zone_local(zone, start).date);
    return case_same(test, "days", case_text(test->expected, "days"),
                     str_print(test->arena, "%ld", days));
}

// A flat fee for a part of its period.
static Result partial_period(Case *test)
{
    static const char *const known[] = { "price",    "day_count", "decimals", "time_zone",
                                         "currency", "proration", NULL };
    const Zone              *zone;
    Instant                  times[4];
    static const char *const names[] = { "period_start", "period_end", "billed_start",
                                         "billed_end" };
    Str                      currency = case_text(test->config, "currency"),
        count = case_text(test->config, "day_count");
    bool by_days = str_equal(count, STR("calendar days, range end exclusive"));
    if (!case_knows(test, known) || !zone_of(test, &zone) ||
        (!by_days && !str_equal(count, STR("elapsed time"))))
        return CASE_UNKNOWN;
    for (int i = 0; i < 4; i++)
        if (!instant_of(zone, case_text(test->input, names[i]), &times[i]))
            return CASE_UNKNOWN;
    if (times[2].us == times[3].us)  // nothing is billed: there is no bill to ask for
        return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                          rational_zero());
    Text text = text_open(test->arena);
    text_print(&text, "{\"plan\":{\"currency\":\"%.*s\",\"timeZone\":\"%.*s\",",
               STR_ARG(currency.at == NULL ? STR("USD") : currency), STR_ARG(zone_name(zone)));
    text_print(&text, "\"charges\":[{\"id\":\"c\",\"model\":\"flat\",\"amount\":\"%.*s\",",
               STR_ARG(case_text(test->config, "price")));
    text_print(&text, "\"prorate\":\"%s\"}]}", by_days ? "day" : "second");
    text_print(&text, ",\"period\":{\"start\":\"%.*s\",\"end\":\"%.*s\"}",
               STR_ARG(instant_print(test->arena, times[0])),
               STR_ARG(instant_print(test->arena, times[1])));
    text_print(&text, ",\"activeFrom\":\"%.*s\",\"activeTo\":\"%.*s\"}",
               STR_ARG(instant_print(test->arena, times[2])),
               STR_ARG(instant_print(test->arena, times[3])));
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, STR("/total"))->text));
}

static Result quantity_rounding(Case *test)
{
    static const char *const known[] = { "rounding", "decimals", NULL };
    Str      mode = case_text(test->config, "rounding"), text = case_text(test->config, "decimals");
    bool     negative = text.length > 0 && text.at[0] == '-';
    uint64_t places;
    Rounding rounding = str_equal(mode, STR("ceiling")) ? ROUND_UP
                        : str_equal(mode, STR("floor")) ? ROUND_DOWN
                                                        : ROUND_HALF_UP;
    Rational value = case_number(test, case_text(test->input, "value"));
    if (!case_knows(test, known) || rational_sign(value) < 0 ||
        !str_whole((Str){ text.at + negative, text.length - negative }, 18, &places))
        return CASE_UNKNOWN;
    return case_equal(
        test, "value", case_number(test, case_text(test->expected, "value")),
        rounding_places(test->arena, value, rounding, negative ? -(int)places : (int)places));
}

Adapter adapter_times(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "billed_period", billed_period },
        { "containing_period", containing_period },
        { "elapsed_periods", elapsed_periods },
        { "next_boundary", next_boundary },
        { "next_reset", next_reset },
        { "first_billing_date", first_billing_date },
        { "advance_periods", advance_periods },
        { "calendar_week_start", calendar_week_start },
        { "calendar_day_window", calendar_day_window },
        { "local_days_between", local_days_between },
        { "partial_period", partial_period },
        { "quantity_rounding", quantity_rounding },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
