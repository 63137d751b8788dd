// SPDX-License-Identifier: Apache-2.0
#include "flow/simulate/totals.h"

#include "base/int128.h"

const char *const line_kind_words[LINE_KIND_COUNT] = {
    [LINE_USAGE] = "usage",     [LINE_FEE] = "fee",         [LINE_QUANTITY] = "quantity",
    [LINE_MINIMUM] = "minimum", [LINE_TRUE_UP] = "trueUp",  [LINE_OVERAGE] = "overage",
};

// Steps of relative change, in percent: below the first bound, from each to the next, from the last
// on. No change at all has a place of its own.
static const int bounds[] = { -50, -20, -10, -5, 0, 5, 10, 20, 50 };
enum { BOUNDS = sizeof bounds / sizeof *bounds, STEPS = BOUNDS + 1 };

typedef struct TopAccount {
    Str     account;
    int64_t before, after, delta;
} TopAccount;

// Sorted, the largest change first.
typedef struct Top {
    TopAccount at[TOTALS_TOP];
    size_t     count;
} Top;

typedef struct CurrencyTotal {
    Currency currency;
    int64_t  before, after;
    uint64_t accounts, winners, losers, unchanged, from_nothing;
    uint64_t steps[STEPS];
    Top      winning, losing;
} CurrencyTotal;

typedef struct ChargeTotal {
    Currency currency;
    Str      charge;
    LineKind kind;
    int64_t  before, after;
} ChargeTotal;

typedef struct WarningTotal {
    uint64_t count;
    Str      examples[TOTALS_EXAMPLES];
    Str      detail;  // of the first refusal
} WarningTotal;

struct Totals {
    Arena       *arena;
    uint64_t     accounts, priced;
    WarningTotal warnings[REPRICE_WARNINGS];
    VECTOR(CurrencyTotal) currencies;
    VECTOR(ChargeTotal)   charges;
};

Totals *totals_open(Arena *arena)
{
    Totals *totals = arena_new(arena, Totals);
    totals->arena = arena;
    return totals;
}

void totals_close(Totals *totals)
{
    vector_release(&totals->currencies);
    vector_release(&totals->charges);
}

// ---- adding

static Err *too_large(Arena *arena)
{
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "amounts add up to more than 63 bits of minor units");
}

static bool sums(int64_t *before, int64_t *after, int64_t more_before, int64_t more_after)
{
    int64_t delta;
    return !__builtin_add_overflow(*before, more_before, before) &&
           !__builtin_add_overflow(*after, more_after, after) &&
           !__builtin_sub_overflow(*after, *before, &delta);
}

Err *account_sums(Arena *arena, const RepricedAccount *account, AccountSum **out, size_t *count)
{
    AccountSum *made = arena_array(arena, AccountSum, account->count);
    size_t      used = 0;
    for (size_t i = 0; i < account->count; i++) {
        const RepricedLine *line = &account->lines[i];
        Currency            currency;
        size_t              place = 0;
        if (used > 0 && str_equal(line->currency, currency_code(&made[0].currency)))
            currency = made[0].currency;
        else if (!currency_find(line->currency, &currency))
            return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored currency is damaged");
        while (place < used && str_compare(currency_code(&made[place].currency),
                                           currency_code(&currency)) < 0)
            place++;
        if (place == used || !currency_equal(made[place].currency, currency)) {
            for (size_t k = used++; k > place; k--)
                made[k] = made[k - 1];
            made[place] = (AccountSum){ .currency = currency };
        }
        if (!sums(&made[place].before, &made[place].after, line->before, line->after))
            return too_large(arena);
    }
    *out = made;
    *count = used;
    return NULL;
}

static CurrencyTotal *currency_total(Totals *totals, Currency currency)
{
    size_t place = 0;
    while (place < totals->currencies.count &&
           str_compare(currency_code(&totals->currencies.at[place].currency),
                       currency_code(&currency)) < 0)
        place++;
    CurrencyTotal made = { .currency = currency };
    if (place < totals->currencies.count &&
        currency_equal(totals->currencies.at[place].currency, currency))
        return &totals->currencies.at[place];
    vector_push(&totals->currencies, made);
    for (size_t i = totals->currencies.count - 1; i > place; i--)
        totals->currencies.at[i] = totals->currencies.at[i - 1];
    totals->currencies.at[place] = made;
    return &totals->currencies.at[place];
}

static int charge_order(const ChargeTotal *a, const ChargeTotal *b)
{
    int order = str_compare(currency_code(&a->currency), currency_code(&b->currency));
    if (order == 0)
        order = str_compare(a->charge, b->charge);
    return order != 0 ? order : (int)a->kind - (int)b->kind;
}

static ChargeTotal *charge_total(Totals *totals, const ChargeTotal *wanted)
{
    size_t low = 0, high = totals->charges.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (charge_order(&totals->charges.at[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < totals->charges.count && charge_order(&totals->charges.at[low], wanted) == 0)
        return &totals->charges.at[low];
    ChargeTotal made = *wanted;
    made.charge = str_copy(totals->arena, wanted->charge);
    vector_push(&totals->charges, made);
    for (size_t i = totals->charges.count - 1; i > low; i--)
        totals->charges.at[i] = totals->charges.at[i - 1];
    totals->charges.at[low] = made;
    return &totals->charges.at[low];
}

static int64_t size_of(int64_t delta)
{
    return delta < 0 ? -delta : delta;
}

// Ties stay in the order of the roster.
static void top_take(Arena *arena, Top *top, const TopAccount *wanted)
{
    size_t place = top->count;
    while (place > 0 && size_of(top->at[place - 1].delta) < size_of(wanted->delta))
        place--;
    if (place == TOTALS_TOP)
        return;
    if (top->count < TOTALS_TOP)
        top->count++;
    for (size_t i = top->count - 1; i > place; i--)
        top->at[i] = top->at[i - 1];
    top->at[place] = *wanted;
    top->at[place].account = str_copy(arena, wanted->account);
}

// delta / before < bound / 100, for before != 0.
static bool is_below(const AccountSum *sum, int bound)
{
    Int128 delta = (Int128)sum->after - sum->before;
    Int128 left = delta * 100, right = (Int128)bound * sum->before;
    return sum->before > 0 ? left < right : left > right;
}

static size_t step_of(const AccountSum *sum)
{
    size_t step = 0;
    while (step < BOUNDS && !is_below(sum, bounds[step]))
        step++;
    return step;
}

static Err *sum_take(Totals *totals, const RepricedAccount *account, const AccountSum *sum)
{
    CurrencyTotal *total = currency_total(totals, sum->currency);
    TopAccount     one = { account->account, sum->before, sum->after, sum->after - sum->before };
    if (!sums(&total->before, &total->after, sum->before, sum->after))
        return too_large(totals->arena);
    total->accounts++;
    if (one.delta == 0) {
        total->unchanged++;
        return NULL;
    }
    if (one.delta < 0)
        total->winners++;
    else
        total->losers++;
    top_take(totals->arena, one.delta < 0 ? &total->winning : &total->losing, &one);
    if (sum->before == 0)
        total->from_nothing++;
    else
        total->steps[step_of(sum)]++;
    return NULL;
}

static void warnings_take(Totals *totals, const RepricedAccount *account)
{
    for (int i = 0; i < REPRICE_WARNINGS; i++) {
        WarningTotal *warning = &totals->warnings[i];
        if ((account->warnings >> i & 1) == 0)
            continue;
        if (warning->count == 0 && i == WARN_REFUSED)
            warning->detail = str_copy(totals->arena, account->detail);
        if (warning->count < TOTALS_EXAMPLES)
            warning->examples[warning->count] = str_copy(totals->arena, account->account);
        warning->count++;
    }
}

Err *totals_add(Totals *totals, const RepricedAccount *account)
{
    AUTO(Arena) arena = arena_open();
    AccountSum *made;
    size_t      count;
    Err        *err = account_sums(arena, account, &made, &count);
    if (err != NULL)
        return refuse(totals->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    totals->accounts++;
    totals->priced += (account->warnings >> WARN_REFUSED & 1) == 0;
    warnings_take(totals, account);
    for (size_t i = 0; i < count; i++)
        TRY(sum_take(totals, account, &made[i]));
    for (size_t i = 0; i < account->count; i++) {
        const RepricedLine *line = &account->lines[i];
        ChargeTotal         wanted = { .charge = line->charge, .kind = line->kind };
        size_t              place = 0;
        while (!str_equal(currency_code(&made[place].currency), line->currency))
            place++;
        wanted.currency = made[place].currency;
        ChargeTotal *total = charge_total(totals, &wanted);
        if (!sums(&total->before, &total->after, line->before, line->after))
            return too_large(totals->arena);
    }
    return NULL;
}

// ---- writing

static void amount_member(JsonOut *out, const char *name, Currency currency, int64_t minor)
{
    Money amount = { minor, currency };
    json_string_member(out, name, money_print(out->text->arena, amount));
}

void amounts_to_json(Currency currency, int64_t before, int64_t after, JsonOut *out)
{
    amount_member(out, "before", currency, before);
    amount_member(out, "after", currency, after);
    amount_member(out, "delta", currency, after - before);
}

static void top_write(const Top *top, Currency currency, const char *name, JsonOut *out)
{
    json_name(out, str_of(name));
    json_array(out);
    for (size_t i = 0; i < top->count; i++) {
        json_object(out);
        json_string_member(out, "account", top->at[i].account);
        amounts_to_json(currency, top->at[i].before, top->at[i].after, out);
        json_object_end(out);
    }
    json_array_end(out);
}

static void bound_member(JsonOut *out, const char *name, bool given, int bound)
{
    if (given)
        json_string_member(out, name, str_print(out->text->arena, "%d", bound));
    else
        json_null_member(out, name);
}

// [fromPercent, toPercent); accounts without any change are not in it.
static void histogram_write(const CurrencyTotal *total, JsonOut *out)
{
    json_name(out, STR("histogram"));
    json_array(out);
    for (size_t i = 0; i < STEPS; i++) {
        json_object(out);
        bound_member(out, "fromPercent", i > 0, i > 0 ? bounds[i - 1] : 0);
        bound_member(out, "toPercent", i < BOUNDS, i < BOUNDS ? bounds[i] : 0);
        json_whole_member(out, "accounts", (int64_t)total->steps[i]);
        json_object_end(out);
    }
    json_array_end(out);
}

static void currency_write(const CurrencyTotal *total, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "currency", currency_code(&total->currency));
    amounts_to_json(total->currency, total->before, total->after, out);
    json_whole_member(out, "accounts", (int64_t)total->accounts);
    json_whole_member(out, "winners", (int64_t)total->winners);
    json_whole_member(out, "losers", (int64_t)total->losers);
    json_whole_member(out, "unchanged", (int64_t)total->unchanged);
    json_whole_member(out, "fromNothing", (int64_t)total->from_nothing);
    top_write(&total->winning, total->currency, "topWinners", out);
    top_write(&total->losing, total->currency, "topLosers", out);
    histogram_write(total, out);
    json_object_end(out);
}

static void charge_write(const ChargeTotal *total, JsonOut *out)
{
    json_object(out);
    if (total->charge.length == 0)
        json_null_member(out, "charge");
    else
        json_string_member(out, "charge", total->charge);
    json_string_member(out, "kind", str_of(line_kind_words[total->kind]));
    json_string_member(out, "currency", currency_code(&total->currency));
    amounts_to_json(total->currency, total->before, total->after, out);
    json_object_end(out);
}

typedef struct WarningText {
    const char *code, *detail;
} WarningText;

static const WarningText warning_texts[REPRICE_WARNINGS] = {
    [WARN_NO_SUBSCRIPTION] = { "no_subscription",
                               "no subscription to be priced anew in the range: left out against "
                               "current, else priced as if there was one from its beginning on" },
    [WARN_COUNTED_TWICE] = { "usage_counted_twice",
                             "several subscriptions were priced by the same plan at the same time; "
                             "replaces picks those of one plan" },
    [WARN_REFUSED] = { "not_priced", "could not be priced and is in no total: " },
    [WARN_PERIOD_RUNS] = { "period_runs", "the last period had not ended at ratedAt" },
    [WARN_PERIODS_DIFFER] = { "periods_differ",
                              "the billing periods of both sides are not the same; each counts "
                              "those of its own that begin in the range" },
    [WARN_CURRENCIES_DIFFER] = { "currencies_differ",
                                 "both sides are in different currencies; each counts in its own" },
};

static void warning_write(const WarningTotal *warning, const WarningText *text, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "code", str_of(text->code));
    json_string_member(out, "detail",
                       str_print(out->text->arena, "%s%.*s", text->detail,
                                 STR_ARG(warning->detail)));
    json_whole_member(out, "accounts", (int64_t)warning->count);
    json_name(out, STR("examples"));
    json_array(out);
    for (size_t i = 0; i < TOTALS_EXAMPLES && i < warning->count; i++)
        json_string(out, warning->examples[i]);
    json_array_end(out);
    json_object_end(out);
}

void totals_to_json(const Totals *totals, JsonOut *out)
{
    json_object(out);
    json_whole_member(out, "accounts", (int64_t)totals->accounts);
    json_whole_member(out, "priced", (int64_t)totals->priced);
    json_name(out, STR("totals"));
    json_array(out);
    for (size_t i = 0; i < totals->currencies.count; i++)
        currency_write(&totals->currencies.at[i], out);
    json_array_end(out);
    json_name(out, STR("charges"));
    json_array(out);
    for (size_t i = 0; i < totals->charges.count; i++)
        charge_write(&totals->charges.at[i], out);
    json_array_end(out);
    json_name(out, STR("warnings"));
    json_array(out);
    for (int i = 0; i < REPRICE_WARNINGS; i++)
        if (totals->warnings[i].count > 0)
            warning_write(&totals->warnings[i], &warning_texts[i], out);
    json_array_end(out);
    json_object_end(out);
}
