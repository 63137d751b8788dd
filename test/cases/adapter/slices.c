// SPDX-License-Identifier: Apache-2.0
// Slices of a period: what was counted by then is rated as a whole, and a slice is what that comes
// to beyond the rating before it. Inside of the period its minimum and its fees are provisional.
#include "case.h"

// One rating on the way: what was counted by then, and whether the period ends with it.
typedef struct Rated {
    Rational amount, discounts, topup, total;
} Rated;

static const char *const slice_members[] = {
    "unit_price",         "multiplier", "tiers",          "package_size",   "package_price",
    "free_units",         "rounding",   "minimum_amount", "maximum_amount", "percent_discount",
    "flat_fee_when_zero", NULL
};

// The charge of the model that the case's begins with. "" when there is none.
static Str charge_of(Case *test, Str base)
{
    Text text = text_open(test->arena);
    if (str_equal(base, STR("graduated")) || str_equal(base, STR("volume")))
        text_add(&text, case_tiers(test, str_terminated(test->arena, base)));
    else if (str_equal(base, STR("per_unit")) || str_equal(base, STR("cost_multiplier")))
        text_print(&text, "\"model\":\"perUnit\",\"allowNegative\":true");
    else if (str_equal(base, STR("package")) &&
             str_equal(case_text(test->config, "rounding"), STR("up")))
        text_print(&text, "\"model\":\"package\"");
    else
        return STR("");
    case_member_add(&text, test->config, "unit_price", "unitPrice");
    case_member_add(&text, test->config, "multiplier", "unitPrice");
    case_member_add(&text, test->config, "package_size", "packageSize");
    case_member_add(&text, test->config, "package_price", "packagePrice");
    case_member_add(&text, test->config, "free_units", "included");
    case_member_add(&text, test->config, "minimum_amount", "minimum");
    case_member_add(&text, test->config, "maximum_amount", "maximum");
    return text_str(&text);
}

static Rational sum_of(Case *test, const Json *bill, const char *kind, const char *member)
{
    Rational sum = rational_zero();
    for (const Json *line = case_at(bill, STR("/lines"))->first; line != NULL; line = line->next)
        if (str_equal(case_text(line, "kind"), str_of(kind)))
            sum = rational_add(test->arena, sum, case_number(test, case_text(line, member)));
    return sum;
}

// A volume's price is known at the end of its period: before that nothing of it is due. False: it
// was refused.
static bool rate(Case *test, Str charge, Rational quantity, bool ends, Rated *rated)
{
    Str  percent = case_text(test->config, "percent_discount");
    Text text = text_open(test->arena);
    text_print(&text,
               "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",%.*s}]",
               STR_ARG(charge));
    if (percent.at != NULL)
        text_print(&text, ",\"discounts\":[{\"id\":\"d\",\"percent\":\"%.*s\"}]", STR_ARG(percent));
    text_print(&text,
               "},\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"},"
               "\"at\":\"2026-%sT00:00:00Z\",\"dueOnly\":%s,\"usage\":{\"m\":\"%.*s\"}}",
               ends ? "07-01" : "06-15",
               str_equal(test->model, STR("volume_split")) ? "true" : "false",
               STR_ARG(rational_print(test->arena, quantity)));
    const Json *bill = case_rate(test, text_str(&text));
    if (bill == NULL)
        return false;
    rated->amount = sum_of(test, bill, "usage", "amount");
    rated->discounts = rational_negate(test->arena, sum_of(test, bill, "usage", "discount"));
    rated->topup = ends ? sum_of(test, bill, "minimum", "amount") : rational_zero();
    rated->total = case_number(test, case_at(bill, STR("/accrued"))->text);
    return true;
}

static Rated beyond(Arena *arena, const Rated *rated, const Rated *before)
{
    return (Rated){ rational_subtract(arena, rated->amount, before->amount),
                    rational_subtract(arena, rated->discounts, before->discounts),
                    rational_subtract(arena, rated->topup, before->topup),
                    rational_subtract(arena, rated->total, before->total) };
}

static Rated nothing(void)
{
    return (Rated){ rational_zero(), rational_zero(), rational_zero(), rational_zero() };
}

static Result is_wanted(Case *test, const char *what, Str wanted, Rational got)
{
    return wanted.at == NULL ? CASE_PASSED : case_equal(test, what, case_number(test, wanted), got);
}

static Str base_of(Str model, Str before, Str behind)
{
    return (Str){ model.at + before.length, model.length - before.length - behind.length };
}

// One slice behind what was counted before it. Before the first event nothing was rated.
static Result split(Case *test)
{
    Str      charge = charge_of(test, base_of(test->model, STR(""), STR("_split")));
    Str      slice = case_text(test->input, "slice");
    Rational prior = case_number(test, case_text(test->input, "prior_quantity"));
    Rational all =
        rational_add(test->arena, prior, case_number(test, case_text(test->input, "quantity")));
    Rated rated, before = nothing();
    bool  is_middle = str_equal(slice, STR("middle"));
    if (!case_knows(test, slice_members) || charge.length == 0)
        return CASE_UNKNOWN;
    if (rational_sign(prior) != 0 && !rate(test, charge, prior, false, &before))
        return CASE_FAILED;
    if (!rate(test, charge, all, !is_middle, &rated))
        return CASE_FAILED;
    rated = beyond(test->arena, &rated, &before);
    Result sum = is_wanted(test, "amount", case_text(test->expected, "amount"), rated.amount);
    case_and(&sum,
             is_wanted(test, "discounts", case_text(test->expected, "discounts"), rated.discounts));
    case_and(&sum,
             is_wanted(test, "top-up", case_text(test->expected, "minimum_topup"), rated.topup));
    case_and(&sum, is_wanted(test, "total", case_text(test->expected, "total"), rated.total));
    return sum;
}

static const Json *element(const Json *object, const char *name, size_t index)
{
    const Json *row = case_member(object, name);
    row = row == NULL ? NULL : row->first;
    while (row != NULL && index-- > 0)
        row = row->next;
    return row;
}

static Result slice_is(Case *test, size_t index, const Rated *rated)
{
    const struct {
        const char *name;
        Rational    got;
    } rows[] = { { "slice_amounts", rated->amount },
                 { "slice_discounts", rated->discounts },
                 { "slice_minimum_topups", rated->topup },
                 { "slice_totals", rated->total } };
    Result sum = CASE_PASSED;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Json *wanted = element(test->expected, rows[i].name, index);
        if (wanted != NULL)
            case_and(&sum, is_wanted(test, rows[i].name, wanted->text, rows[i].got));
    }
    return sum;
}

// What was counted by each of several moments, the last at the end of the period.
static Result cumulative(Case *test)
{
    Str    charge = charge_of(test, base_of(test->model, STR("cumulative_rerating_"), STR("")));
    Rated  before = nothing();
    Result sum = CASE_PASSED;
    size_t index = 0;
    if (!case_knows(test, slice_members) || charge.length == 0)
        return CASE_UNKNOWN;
    const Json *quantity = case_member(test->input, "cumulative_quantities")->first;
    for (; quantity != NULL; quantity = quantity->next, index++) {
        Rated rated;
        if (!rate(test, charge, case_number(test, quantity->text), quantity->next == NULL, &rated))
            return CASE_FAILED;
        Rated slice = beyond(test->arena, &rated, &before);
        case_and(&sum, slice_is(test, index, &slice));
        before = rated;
    }
    return sum;
}

// A fee in advance or arrears, asked for in the first, a middle or the last slice.
static Result flat_split(Case *test)
{
    static const char *const known[] = { "flat_amount", "billed_in", NULL };
    static const char *const days[] = { "06-10", "06-20", "07-01" };
    Str                      slice = case_text(test->input, "slice");
    Rational                 dues[3];
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    for (size_t i = 0; i < 3; i++) {
        const Json *bill = case_rate(
            test,
            str_print(test->arena,
                      "{\"plan\":{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":"
                      "\"flat\",\"amount\":\"%.*s\",\"timing\":\"%.*s\"}]},\"period\":{\"start\":"
                      "\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"},\"at\":"
                      "\"2026-%sT00:00:00Z\"}",
                      STR_ARG(case_text(test->config, "flat_amount")),
                      STR_ARG(case_text(test->config, "billed_in")), days[i]));
        if (bill == NULL)
            return CASE_FAILED;
        dues[i] = case_number(test, case_at(bill, STR("/accrued"))->text);
    }
    Rational got = str_equal(slice, STR("whole"))   ? dues[2]
                   : str_equal(slice, STR("first")) ? dues[0]
                   : str_equal(slice, STR("middle"))
                       ? rational_subtract(test->arena, dues[1], dues[0])
                       : rational_subtract(test->arena, dues[2], dues[1]);
    return is_wanted(test, "total", case_text(test->expected, "total"), got);
}

Adapter adapter_slices(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "flat_split", flat_split },
        { "per_unit_split", split },
        { "cost_multiplier_split", split },
        { "package_split", split },
        { "graduated_split", split },
        { "volume_split", split },
        { "cumulative_rerating_per_unit", cumulative },
        { "cumulative_rerating_cost_multiplier", cumulative },
        { "cumulative_rerating_package", cumulative },
        { "cumulative_rerating_graduated", cumulative },
        { "cumulative_rerating_volume", cumulative },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
