// SPDX-License-Identifier: Apache-2.0
// Prices: a case becomes a plan document and usage, goes through the pricing core, and its line is
// compared.
#include "case.h"
#include "money/rounding.h"
#include "time/zone.h"

#define JUNE "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}"

Str case_request(Case *test, Str charge, Str quantity)
{
    return str_print(
        test->arena,
        "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",%.*s}]}," JUNE
        ",\"usage\":{\"m\":\"%.*s\"}}",
        STR_ARG(charge), STR_ARG(quantity));
}

Result case_exact_amount(Case *test, Str charge, Str quantity)
{
    const Json *bill = case_rate(test, case_request(test, charge, quantity));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
}

static Result per_unit(Case *test)
{
    static const char *const known[] = { "unit_price", "rounding", NULL };
    Str                      rounding = case_text(test->config, "rounding");
    if (!case_knows(test, known) ||
        (rounding.at != NULL && !str_equal(rounding, STR("2 decimals"))))
        return CASE_UNKNOWN;
    Str charge = str_print(test->arena, "\"model\":\"perUnit\",\"unitPrice\":\"%.*s\"",
                           STR_ARG(case_text(test->config, "unit_price")));
    return case_exact_amount(test, charge, case_text(test->input, "quantity"));
}

void case_member_add(Text *text, const Json *from, const char *theirs, const char *ours)
{
    Str value = case_text(from, theirs);
    if (value.at != NULL)
        text_print(text, "%s\"%s\":\"%.*s\"", text->at[text->length - 1] == '{' ? "" : ",", ours,
                   STR_ARG(value));
}

Str case_tiers(Case *test, const char *model)
{
    Text text = text_open(test->arena);
    text_print(&text, "\"model\":\"%s\",\"flatFeeAtZero\":%s,\"tiers\":[", model,
               case_true(test->config, "flat_fee_when_zero") ? "true" : "false");
    for (const Json *tier = case_member(test->config, "tiers")->first; tier != NULL;
         tier = tier->next) {
        text_add_char(&text, '{');
        case_member_add(&text, tier, "up_to", "upTo");
        case_member_add(&text, tier, "unit_price", "unitPrice");
        case_member_add(&text, tier, "rate_percent", "ratePercent");
        case_member_add(&text, tier, "flat_fee", "flatFee");
        case_member_add(&text, tier, "tier_cap", "cap");
        text_add(&text, tier->next == NULL ? STR("}]") : STR("},"));
    }
    return text_str(&text);
}

// The amounts of the tiers, as the steps tell them. `steps` is the array.
static Result tier_amounts(Case *test, const Json *steps)
{
    const Json *wanted = case_member(test->expected, "tier_amounts");
    const Json *step = steps->first;
    Result      sum = CASE_PASSED;
    if (wanted == NULL)
        return CASE_PASSED;
    for (const Json *amount = wanted->first; amount != NULL;
         amount = amount->next, step = step->next) {
        if (step == NULL || !str_equal(case_text(step, "op"), STR("tier")))
            return case_same(test, "tiers", amount->text, STR("none"));
        case_and(&sum, case_equal(test, "tier", case_number(test, amount->text),
                                  case_number(test, case_text(step, "amount"))));
    }
    return sum;
}

static Result tiered(Case *test, const char *model)
{
    static const char *const known[] = { "tiers", "flat_fee_when_zero", NULL };
    Result                   sum = CASE_PASSED;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    const Json *bill = case_rate(
        test, case_request(test, case_tiers(test, model), case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    case_and(&sum,
             case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                        case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text)));
    case_and(&sum, tier_amounts(test, case_at(bill, STR("/lines/0/steps"))));
    return sum;
}

static Result graduated(Case *test)
{
    return tiered(test, "graduated");
}

static Result volume(Case *test)
{
    return tiered(test, "volume");
}

// One tier's share: below it units are free, so the whole is its share.
static Result graduated_one_tier(Case *test)
{
    static const char *const known[] = { "above", "up_to", "unit_price", "flat_fee", NULL };
    Str                      above = case_text(test->config, "above");
    Text                     text = text_open(test->arena);
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text, "\"model\":\"graduated\",\"tiers\":[");
    if (!str_equal(above, STR("0")))
        text_print(&text, "{\"upTo\":\"%.*s\",\"unitPrice\":\"0\"},", STR_ARG(above));
    text_add_char(&text, '{');
    case_member_add(&text, test->config, "up_to", "upTo");
    case_member_add(&text, test->config, "unit_price", "unitPrice");
    case_member_add(&text, test->config, "flat_fee", "flatFee");
    text_print(&text, case_text(test->config, "up_to").at == NULL ? "}]"
                                                                   : "},{\"unitPrice\":\"0\"}]");
    return case_exact_amount(test, text_str(&text), case_text(test->input, "quantity"));
}

// Only full packages count: a division rounded down.
static Result package_down(Case *test)
{
    Str charge = str_print(test->arena,
                           "\"model\":\"perUnit\",\"divideBy\":\"%.*s\",\"unitPrice\":\"%.*s\","
                           "\"included\":\"%.*s\",\"roundQuantity\":{\"mode\":\"down\"}",
                           STR_ARG(case_text(test->config, "package_size")),
                           STR_ARG(case_text(test->config, "package_price")),
                           STR_ARG(case_text(test->config, "free_units")));
    return case_exact_amount(test, charge, case_text(test->input, "quantity"));
}

static Result package(Case *test)
{
    static const char *const known[] = { "package_size", "package_price", "free_units", "rounding",
                                         NULL };
    Str rounding = case_text(test->config, "rounding");
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    if (str_equal(rounding, STR("down")))
        return package_down(test);
    if (!str_equal(rounding, STR("up")))
        return CASE_UNKNOWN;
    Str charge = str_print(test->arena,
                           "\"model\":\"package\",\"packageSize\":\"%.*s\",\"packagePrice\":\"%.*"
                           "s\",\"included\":\"%.*s\"",
                           STR_ARG(case_text(test->config, "package_size")),
                           STR_ARG(case_text(test->config, "package_price")),
                           STR_ARG(case_text(test->config, "free_units")));
    return case_exact_amount(test, charge, case_text(test->input, "quantity"));
}

// Packages at a price of 1 are their count.
static Result package_count(Case *test)
{
    static const char *const known[] = { "package_size", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    Str         charge = str_print(test->arena,
                                   "\"model\":\"package\",\"packageSize\":\"%.*s\","
                                           "\"packagePrice\":\"1\"",
                                   STR_ARG(case_text(test->config, "package_size")));
    const Json *bill =
        case_rate(test, case_request(test, charge, case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "packages", case_number(test, case_text(test->expected, "packages")),
                      case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
}

// Blocks: packages inside tiers; a tier ends after so many blocks, and the last goes on.
Str case_blocks(Case *test, const Json *tiers, bool all)
{
    Rational top = rational_zero();
    Text     text = text_open(test->arena);
    text_print(&text, "\"model\":\"%s\",\"tiers\":[", all ? "graduated" : "volume");
    for (const Json *tier = tiers->first; tier != NULL; tier = tier->next) {
        Rational units =
            rational_multiply(test->arena, case_number(test, case_text(tier, "block_size")),
                              case_number(test, case_text(tier, "max_blocks")));
        top = rational_add(test->arena, top, units);
        text_add_char(&text, '{');
        case_member_add(&text, tier, "block_size", "packageSize");
        case_member_add(&text, tier, "block_price", "packagePrice");
        if (tier->next != NULL)
            text_print(&text, ",\"upTo\":\"%.*s\"", STR_ARG(rational_print(test->arena, top)));
        text_add(&text, tier->next == NULL ? STR("}]") : STR("},"));
    }
    return text_str(&text);
}

static Result block_tiers(Case *test)
{
    static const char *const known[] = { "mode", "tiers", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    bool        all = str_equal(case_text(test->config, "mode"), STR("all_tiers"));
    Str         blocks = case_blocks(test, case_member(test->config, "tiers"), all);
    const Json *bill =
        case_rate(test, case_request(test, blocks, case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
    if (all)
        case_and(&sum, tier_amounts(test, case_at(bill, STR("/lines/0/steps"))));
    return sum;
}

// divideBy or multiplyBy, then roundQuantity. "" when the config has a word that is not known.
static Str conversion_of(Case *test, const Json *config)
{
    static const char *const modes[][2] = { { "ceiling", "up" },
                                            { "floor", "down" },
                                            { "half_up", "nearest" } };
    bool                     divides = str_equal(case_text(config, "operation"), STR("divide"));
    Str                      rounding = case_text(config, "rounding");
    Str operation = str_print(test->arena, "\"%s\":\"%.*s\"", divides ? "divideBy" : "multiplyBy",
                              STR_ARG(case_text(config, "factor")));
    if (str_equal(rounding, STR("none")))
        return operation;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (str_equal(rounding, str_of(modes[i][0])))
            return str_print(
                test->arena, "%.*s,\"roundQuantity\":{\"mode\":\"%s\",\"places\":%.*s}",
                STR_ARG(operation), modes[i][1], STR_ARG(case_text(config, "decimals")));
    return STR("");
}

static Result unit_conversion(Case *test)
{
    static const char *const known[] = { "operation", "factor", "rounding", "decimals", NULL };
    Str                      conversion = conversion_of(test, test->config);
    if (!case_knows(test, known) || conversion.length == 0)
        return CASE_UNKNOWN;
    Str         charge = str_print(test->arena, "\"model\":\"perUnit\",\"unitPrice\":\"1\",%.*s",
                                   STR_ARG(conversion));
    const Json *bill =
        case_rate(test, case_request(test, charge, case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum =
        case_equal(test, "billed", case_number(test, case_text(test->expected, "billed_quantity")),
                   case_number(test, case_at(bill, STR("/lines/0/quantity"))->text));
    Str converted = case_text(test->expected, "converted_quantity");
    if (converted.at != NULL)
        case_and(&sum, case_equal(
                           test, "converted", case_number(test, converted),
                           case_number(test, case_at(bill, STR("/lines/0/steps/0/result"))->text)));
    return sum;
}

static Result graduated_converted(Case *test)
{
    static const char *const known[] = { "conversion", "tiers", "flat_fee_when_zero", NULL };
    const Json              *config = case_member(test->config, "conversion");
    Str                      conversion = config == NULL ? STR("") : conversion_of(test, config);
    if (!case_knows(test, known) || conversion.length == 0)
        return CASE_UNKNOWN;
    Str         charge = str_print(test->arena, "%.*s,%.*s", STR_ARG(case_tiers(test, "graduated")),
                                   STR_ARG(conversion));
    const Json *bill =
        case_rate(test, case_request(test, charge, case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
    case_and(&sum, case_equal(test, "billed",
                              case_number(test, case_text(test->expected, "billed_quantity")),
                              case_number(test, case_at(bill, STR("/lines/0/quantity"))->text)));
    return sum;
}

static Result currency_rounding(Case *test)
{
    static const char *const known[] = { "currency", "decimals", NULL };
    Currency                 currency;
    Money                    money;
    Rational                 exact = case_number(test, case_text(test->input, "amount"));
    if (!case_knows(test, known) || !currency_find(case_text(test->config, "currency"), &currency))
        return CASE_UNKNOWN;
    if (!rounding_money(exact, currency, ROUND_HALF_UP, &money))
        return case_same(test, "amount", case_text(test->expected, "amount"), STR("too large"));
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      money_exact(test->arena, money));
}

// Its own price for each property set, another for the rest.
static Result filtered_price(Case *test)
{
    static const char *const known[] = { "default_unit_price", "filters", NULL };
    Text                     text = text_open(test->arena);
    JsonOut                  out = json_out(&text);
    int                      index = 0;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    text_print(&text,
               "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\","
               "\"model\":\"perUnit\","
               "\"unitPrice\":\"%.*s\"}",
               STR_ARG(case_text(test->config, "default_unit_price")));
    for (const Json *row = case_member(test->config, "filters")->first; row != NULL;
         row = row->next) {
        text_print(&text,
                   ",{\"id\":\"f%d\",\"meter\":\"m\",\"model\":\"perUnit\",\"unitPrice\":\"%.*s\","
                   "\"filter\":",
                   index++, STR_ARG(case_text(row, "unit_price")));
        out.needs_comma = false;
        json_value(&out, case_member(row, "match"));
        text_add_char(&text, '}');
    }
    text_print(&text, "]}," JUNE ",\"usage\":{\"m\":[");
    for (const Json *event = case_member(test->input, "events")->first; event != NULL;
         event = event->next) {
        text_print(&text,
                   "{\"quantity\":\"%.*s\",\"group\":", STR_ARG(case_text(event, "quantity")));
        out.needs_comma = false;
        json_value(&out, case_member(event, "properties"));
        text_add(&text, event->next == NULL ? STR("}") : STR("},"));
    }
    text_print(&text, "]}}");
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, STR("/total"))->text));
}

// A period of `period_days` from 2026-01-01 on, of which `active_days` count; `plan` is the rest of
// the plan, `used` the quantity at a price of 1.
static const Json *part_of_period(Case *test, Str plan, Str used)
{
    int64_t  first = date_days((Date){ 2026, 1, 1 });
    uint64_t days, active;
    if (!str_whole(case_text(test->input, "period_days"), 10000, &days) ||
        !str_whole(case_text(test->input, "active_days"), days, &active) || active == 0)
        return NULL;
    Str end = date_print(test->arena, date_of_days(first + (int64_t)days));
    Str until = date_print(test->arena, date_of_days(first + (int64_t)active));
    return case_rate(
        test,
        str_print(
            test->arena,
            "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
            "\"perUnit\",\"unitPrice\":1%.*s,\"period\":{\"start\":\"2026-01-01T00:00:00Z\","
            "\"end\":"
            "\"%.*sT00:00:00Z\"},\"usage\":{\"m\":\"%.*s\"},\"activeTo\":\"%.*sT00:00:00Z\"}",
            STR_ARG(plan), STR_ARG(end), STR_ARG(used), STR_ARG(until)));
}

static Result minimum_true_up(Case *test)
{
    static const char *const known[] = { "minimum_amount", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    Str         plan = str_print(test->arena, ",\"minimum\":\"%.*s\"}]}",
                                 STR_ARG(case_text(test->config, "minimum_amount")));
    const Json *bill = part_of_period(test, plan, case_text(test->input, "used_amount"));
    if (bill == NULL)
        return test->why.at == NULL ? CASE_UNKNOWN : CASE_FAILED;
    const Json *line = case_at(bill, STR("/lines/1/amount"));
    return case_equal(test, "true-up", case_number(test, case_text(test->expected, "true_up")),
                      line == NULL ? rational_zero() : case_number(test, line->text));
}

static Result commitment_proration(Case *test)
{
    static const char *const known[] = { "commitment_amount", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    Str         plan = str_print(test->arena, "}],\"commitment\":{\"amount\":\"%.*s\"}}",
                                 STR_ARG(case_text(test->config, "commitment_amount")));
    const Json *bill = part_of_period(test, plan, STR("0"));
    if (bill == NULL)
        return test->why.at == NULL ? CASE_UNKNOWN : CASE_FAILED;
    return case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                      case_number(test, case_at(bill, STR("/total"))->text));
}

static Result per_unit_converted(Case *test)
{
    static const char *const known[] = { "unit_price", "conversion", NULL };
    const Json              *config = case_member(test->config, "conversion");
    Str                      conversion = config == NULL ? STR("") : conversion_of(test, config);
    if (!case_knows(test, known) || (config != NULL && conversion.length == 0))
        return CASE_UNKNOWN;
    Str charge = str_print(test->arena, "\"model\":\"perUnit\",\"unitPrice\":\"%.*s\"%s%.*s",
                           STR_ARG(case_text(test->config, "unit_price")),
                           config == NULL ? "" : ",", STR_ARG(conversion));
    const Json *bill =
        case_rate(test, case_request(test, charge, case_text(test->input, "quantity")));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "amount", case_number(test, case_text(test->expected, "amount")),
                            case_number(test, case_at(bill, STR("/lines/0/exactAmount"))->text));
    case_and(&sum, case_equal(test, "billed",
                              case_number(test, case_text(test->expected, "billed_quantity")),
                              case_number(test, case_at(bill, STR("/lines/0/quantity"))->text)));
    return sum;
}

// Seats whose every rise is paid in full: what an invoice after each change would ask for.
static Result seats_in_advance(Case *test)
{
    static const char *const known[] = { "unit_price", "prorated", "refund_on_decrease", NULL };
    Text                     changes = text_open(test->arena);
    Rational                 before = rational_zero();
    Result                   sum = CASE_PASSED;
    int                      day = 1;
    const Json              *wanted = case_member(test->expected, "invoiced")->first;
    if (!case_knows(test, known) || case_true(test->config, "prorated") ||
        case_true(test->config, "refund_on_decrease"))
        return CASE_UNKNOWN;
    const Json *value = case_member(test->input, "quantities_in_time")->first;
    for (; value != NULL && wanted != NULL; value = value->next, wanted = wanted->next) {
        text_print(&changes, "%s{\"from\":\"2026-06-%02dT00:00:00Z\",\"value\":\"%.*s\"}",
                   day == 1 ? "" : ",", day, STR_ARG(value->text));
        day++;
        const Json *bill = case_rate(
            test,
            str_print(test->arena,
                      "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"quantity\":"
                      "\"seats\",\"model\":\"perUnit\","
                      "\"unitPrice\":\"%.*s\",\"timing\":\"advance\",\"prorate\":\"none\"}]}," JUNE
                      ",\"quantities\":{\"seats\":[%.*s]}}",
                      STR_ARG(case_text(test->config, "unit_price")), STR_ARG(text_str(&changes))));
        if (bill == NULL)
            return CASE_FAILED;
        Rational total = case_number(test, case_at(bill, STR("/total"))->text);
        case_and(&sum, case_equal(test, "invoiced", case_number(test, wanted->text),
                                  rational_subtract(test->arena, total, before)));
        before = total;
    }
    return sum;
}

// Our own cases: a whole request, and pointers into the bill with the texts that must be there.
static Result rate_pointers(Case *test)
{
    Text    text = text_open(test->arena);
    JsonOut out = json_out(&text);
    Result  sum = CASE_PASSED;
    json_value(&out, test->input);
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return CASE_FAILED;
    for (const Json *wanted = test->expected->first; wanted != NULL; wanted = wanted->next) {
        const Json *got = case_at(bill, wanted->name);
        case_and(&sum, case_same(test, str_terminated(test->arena, wanted->name), wanted->text,
                                 got == NULL ? STR("nothing") : got->text));
    }
    return sum;
}

Adapter adapter_prices(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "per_unit", per_unit },
        { "graduated", graduated },
        { "volume", volume },
        { "graduated_one_tier", graduated_one_tier },
        { "package", package },
        { "package_count", package_count },
        { "block_tiers", block_tiers },
        { "unit_conversion", unit_conversion },
        { "graduated_converted", graduated_converted },
        { "currency_rounding", currency_rounding },
        { "filtered_price", filtered_price },
        { "minimum_true_up", minimum_true_up },
        { "commitment_proration", commitment_proration },
        { "per_unit_converted", per_unit_converted },
        { "seats_in_advance", seats_in_advance },
        { "rate", rate_pointers },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
