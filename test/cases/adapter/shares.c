// SPDX-License-Identifier: Apache-2.0
// Shares, prices that events carry, several meters, units of a charge's own.
#include "case.h"

#define JUNE "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}"

// ---- event by event

// A request whose charge has these members and whose meter counted these events, a second apart.
static Str events_request(Case *test, Str charge, const Json *amounts)
{
    Text text = text_open(test->arena);
    int  second = 0;
    text_print(&text,
               "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\","
               "%.*s}]}," JUNE ",\"usage\":{\"m\":[{\"events\":[",
               STR_ARG(charge));
    for (const Json *amount = amounts->first; amount != NULL; amount = amount->next, second++)
        text_print(&text,
                   "%s{\"ts\":\"2026-06-01T%02d:%02d:%02dZ\",\"uniqueId\":\"%06d\",\"value\":"
                   "\"%.*s\"}",
                   second == 0 ? "" : ",", second / 3600 % 24, second / 60 % 60, second % 60,
                   second, STR_ARG(amount->text));
    text_print(&text, "]}]}}");
    return text_str(&text);
}

static Str percentage_of(Case *test)
{
    Text text = text_open(test->arena);
    text_print(&text, "\"model\":\"percentage\"");
    case_member_add(&text, test->config, "rate_percent", "ratePercent");
    case_member_add(&text, test->config, "fixed_fee_per_event", "perEventFee");
    case_member_add(&text, test->config, "free_amount", "freeAmount");
    case_member_add(&text, test->config, "min_per_event", "eventMinimum");
    case_member_add(&text, test->config, "max_per_event", "eventMaximum");
    Str free = case_text(test->config, "free_events");
    if (free.at != NULL)
        text_print(&text, ",\"freeEvents\":%.*s", STR_ARG(free));
    return text_str(&text);
}

// What a step of that operator comes to; 0 when there is none.
static Rational step_amount(Case *test, const Json *bill, Str op)
{
    const Json *step = case_at(bill, STR("/lines/0/steps"))->first;
    while (step != NULL && !str_equal(case_text(step, "op"), op))
        step = step->next;
    return step == NULL ? rational_zero() : case_number(test, case_text(step, "amount"));
}

static Result percentage(Case *test)
{
    static const char *const known[] = {
        "rate_percent",  "fixed_fee_per_event", "free_events", "free_amount",
        "min_per_event", "max_per_event",       NULL
    };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    const Json *amounts = case_member(test->input, "event_amounts");
    const Json *bill = case_rate(test, events_request(test, percentage_of(test), amounts));
    Str         part = case_text(test->expected, "percentage_part");
    Str         fees = case_text(test->expected, "fixed_part");
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
    if (part.at != NULL)
        case_and(&sum, case_equal(test, "percentage part", case_number(test, part),
                                  step_amount(test, bill, STR("percent"))));
    if (fees.at != NULL)
        case_and(&sum, case_equal(test, "fixed part", case_number(test, fees),
                                  step_amount(test, bill, STR("event"))));
    return sum;
}

// Each event with the amount that it carries.
static Result event_priced(Case *test)
{
    static const char *const known[] = { "rounding", NULL };
    Str                      rounding = case_text(test->config, "rounding");
    bool                     rounds = rounding.at != NULL;
    Text                     text = text_open(test->arena);
    int                      second = 0;
    if (!case_knows(test, known) || (rounds && !str_equal(rounding, STR("2 decimals"))))
        return CASE_UNKNOWN;
    text_print(&text, "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\","
                      "\"model\":\"eventPrice\",\"property\":\"amount\"}]}," JUNE
                      ",\"usage\":{\"m\":[{\"events\":[");
    for (const Json *event = case_member(test->input, "events")->first; event != NULL;
         event = event->next)
        text_print(&text,
                   "%s{\"ts\":\"2026-06-01T00:00:%02dZ\",\"value\":\"%.*s\",\"properties\":{"
                   "\"amount\":\"%.*s\"}}",
                   second == 0 ? "" : ",", second % 60, STR_ARG(case_text(event, "quantity")),
                   STR_ARG(case_text(event, "amount"))),
            second++;
    text_print(&text, "]}]}}");
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    Str pointer = rounds ? STR("/lines/0/amount") : STR("/lines/0/exactAmount");
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, pointer)->text));
}

// ---- tiers of shares

static Result graduated_percentage(Case *test)
{
    static const char *const known[] = { "tiers", "flat_fee_when_zero", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    return case_exact_amount(test, case_tiers(test, "graduatedPercentage"),
                             case_text(test->input, "quantity"));
}

// One tier's share: below and above it nothing is taken.
static Result graduated_percentage_one_tier(Case *test)
{
    static const char *const known[] = { "above", "up_to", "rate_percent", "flat_fee", NULL };
    Str                      above = case_text(test->config, "above");
    Text                     text = text_open(test->arena);
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text, "\"model\":\"graduatedPercentage\",\"tiers\":[");
    if (!str_equal(above, STR("0")))
        text_print(&text, "{\"upTo\":\"%.*s\",\"ratePercent\":\"0\"},", STR_ARG(above));
    text_add_char(&text, '{');
    case_member_add(&text, test->config, "up_to", "upTo");
    case_member_add(&text, test->config, "rate_percent", "ratePercent");
    case_member_add(&text, test->config, "flat_fee", "flatFee");
    text_print(&text,
               case_text(test->config, "up_to").at == NULL ? "}]" : "},{\"ratePercent\":\"0\"}]");
    return case_exact_amount(test, text_str(&text), case_text(test->input, "quantity"));
}

// ---- units of a charge's own

static Result per_unit_in_pricing_unit(Case *test)
{
    static const char *const known[] = { "unit_price", "conversion_rate", NULL };
    Text                     text = text_open(test->arena);
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text, "\"model\":\"perUnit\",\"pricingUnit\":\"credit\"");
    case_member_add(&text, test->config, "unit_price", "unitPrice");
    case_member_add(&text, test->config, "conversion_rate", "conversionRate");
    const Json *bill =
        case_rate(test, case_request(test, text_str(&text), case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
    case_and(&sum,
             case_equal(test, "in units",
                        case_number(test, case_text(test->expected, "pricing_unit_amount")),
                        case_number(test, case_at(bill, STR("/lines/0/steps/1/price"))->text)));
    return sum;
}

// ---- several meters

static void quantities_add(Case *test, Text *text)
{
    text_print(text, "]}," JUNE ",\"usage\":{");
    for (const Json *row = case_member(test->input, "quantities")->first; row != NULL;
         row = row->next)
        text_print(text, "\"%.*s\":\"%.*s\"%s", STR_ARG(row->name), STR_ARG(row->text),
                   row->next == NULL ? "" : ",");
    text_print(text, "}}");
}

// Beyond the last tier nothing is told, so an open one at 0 follows it when it has a limit.
static Result capacity_tiers(Case *test)
{
    static const char *const known[] = { "tiers", NULL };
    Text                     text = text_open(test->arena);
    JsonOut                  out = json_out(&text);
    bool                     is_open = true;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text, "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":"
                      "\"capacity\",\"tiers\":[");
    for (const Json *tier = case_member(test->config, "tiers")->first; tier != NULL;
         tier = tier->next) {
        const Json *limits = case_member(tier, "limits");
        is_open = true;
        for (const Json *limit = limits->first; limit != NULL; limit = limit->next)
            is_open &= limit->kind == JSON_NULL;
        text_print(&text, "{\"amount\":\"%.*s\",\"limits\":", STR_ARG(case_text(tier, "price")));
        out.needs_comma = false;
        json_value(&out, limits);
        text_print(&text, "}%s", tier->next == NULL ? "" : ",");
    }
    text_print(&text, "%s]}", is_open ? "" : ",{\"amount\":\"0\"}");
    quantities_add(test, &text);
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, STR("/total"))->text));
}

// The amounts of the tiers of a unit, as the steps of its line tell them.
static Result unit_amounts(Case *test, const Json *bill, Str unit)
{
    const Json *wanted = json_find(test->expected, unit);
    const Json *line = case_at(bill, STR("/lines"))->first;
    Result      sum = CASE_PASSED;
    while (line != NULL && !str_equal(case_text(line, "charge"), unit))
        line = line->next;
    if (wanted == NULL || line == NULL)
        return CASE_PASSED;
    const Json *step = case_member(line, "steps")->first;
    for (const Json *amount = wanted->first; amount != NULL && step != NULL;
         amount = amount->next, step = step->next)
        case_and(&sum, case_equal(test, "tier", case_number(test, amount->text),
                                  case_number(test, case_text(step, "amount"))));
    return sum;
}

// A charge for each unit, on a meter of its name.
static Result block_tiers_two_units(Case *test)
{
    static const char *const known[] = { "mode", "units", NULL };
    const Json              *units = case_member(test->config, "units");
    Text                     text = text_open(test->arena);
    bool                     all = str_equal(case_text(test->config, "mode"), STR("all_tiers"));
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text, "{\"plan\":{\"currency\":\"USD\",\"charges\":[");
    for (const Json *unit = units->first; unit != NULL; unit = unit->next)
        text_print(&text, "%s{\"id\":\"%.*s\",\"meter\":\"%.*s\",%.*s}",
                   unit == units->first ? "" : ",", STR_ARG(unit->name), STR_ARG(unit->name),
                   STR_ARG(case_blocks(test, unit, all)));
    quantities_add(test, &text);
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/total"))->text));
    for (const Json *unit = units->first; unit != NULL; unit = unit->next)
        case_and(&sum, unit_amounts(test, bill, unit->name));
    return sum;
}

Adapter adapter_shares(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "percentage", percentage },
        { "percentage_single_event", percentage },
        { "event_priced", event_priced },
        { "graduated_percentage", graduated_percentage },
        { "graduated_percentage_one_tier", graduated_percentage_one_tier },
        { "per_unit_in_pricing_unit", per_unit_in_pricing_unit },
        { "capacity_tiers", capacity_tiers },
        { "block_tiers_two_units", block_tiers_two_units },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
