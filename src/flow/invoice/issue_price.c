// SPDX-License-Identifier: Apache-2.0
// From lines to what is owed: credits before tax, taxes, credits after tax, and the texts that are
// kept of it.
//   total - toBalance = subtotal + discounts + tax - taxIncluded + creditsRestored
#include "flow/invoice/late_inside.h"

#include <string.h>

#include "base/assert.h"
#include "money/split.h"

enum { NET_DAYS_MAX = 3650 };

static Err *too_large(Arena *arena)
{
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the invoice comes to more than 63 bits of minor units");
}

// ---- parties

// The buyer's, else the seller's.
static const Json *either(const IssuePriced *priced, const char *name)
{
    const Json *member = json_find(priced->buyer, str_of(name));
    return member != NULL ? member : json_find(priced->seller, str_of(name));
}

Str issue_seller_text(const IssuePriced *priced, const char *name)
{
    const Json *member = json_find(priced->seller, str_of(name));
    return member == NULL ? STR_NONE : member->text;
}

static Err *party_read(Arena *arena, Str party, const Json **object)
{
    Json *read;
    *object = NULL;
    if (party.at == NULL)
        return NULL;
    TRY(json_parse_stored(arena, party, &read));
    *object = read;
    return NULL;
}

// The parties, and what they say of how an invoice is made.
static Err *parties_read(DbTx *tx, const IssueDraft *draft, IssuePriced *priced)
{
    Arena   *arena = db_arena(tx);
    Str      seller;
    uint64_t days = 0;
    TRY(issue_seller(tx, draft->query->project, draft->facts, &seller));
    TRY(party_read(arena, seller, &priced->seller));
    TRY(party_read(arena, draft->buyer, &priced->buyer));
    const Json *rounding = json_find(priced->seller, STR("taxRounding"));
    const Json *net_days = either(priced, "netDays");
    if ((rounding != NULL && !tax_rounding_find(rounding->text, &priced->tax.rounding)) ||
        (net_days != NULL && !str_whole(net_days->text, NET_DAYS_MAX, &days)))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a party of invoices cannot be read");
    priced->net_days = (int64_t)days;
    return NULL;
}

// ---- rates

// Its place among the rates of the invoice: a version of a rate stands there once.
static size_t rate_place(IssuePriced *priced, TaxRate *rates, const StoredTaxRate *rate)
{
    for (size_t i = 0; i < priced->tax.rate_count; i++)
        if (str_equal(priced->stored[i].id, rate->id) &&
            priced->stored[i].effective_from.us == rate->effective_from.us)
            return i;
    priced->stored[priced->tax.rate_count] = *rate;
    rates[priced->tax.rate_count] = (TaxRate){ rate->id, rate->percent, rate->inclusive };
    return priced->tax.rate_count++;
}

// A line that corrects another one, or takes it back, bears the rates that that one bore.
static bool has_own_rates(const IssueLine *line)
{
    return line->taxed_as != NULL && line->taxed_as->taxes.at != NULL;
}

// Whether the corrected line says that it bore this version (line_taxes writes it).
static bool bore(Arena *arena, const LateOf *of, const StoredTaxRate *rate)
{
    Str said = str_print(arena, "{\"rate\":\"%.*s\",\"percent\":\"%.*s\",\"inclusive\":%s,",
                         STR_ARG(rate->id), STR_ARG(rate->percent_text),
                         rate->inclusive ? "true" : "false");
    return memmem(of->content.at, of->content.length, said.at, said.length) != NULL;
}

// The newest that the line can have borne. Not what counted at its boundary: a version may have
// been added since with an earlier effectiveFrom.
static Err *own_rate_find(DbTx *tx, const IssueDraft *draft, size_t number, Str id,
                          StoredTaxRate **rate)
{
    Instant at = INSTANT_END;
    do {
        TRY(tax_rate_at(tx, draft->query->project, id, at, rate));
        at.us = (*rate)->effective_from.us - 1;
    } while (!bore(db_arena(tx), draft->lines[number].taxed_as, *rate));
    return NULL;
}

static Err *own_rates_read(DbTx *tx, IssuePriced *priced, TaxRate *rates, size_t number)
{
    const IssueDraft *draft = priced->draft;
    TaxLine          *line = &priced->lines[number];
    Json             *taxes;
    TRY(json_parse_stored(db_arena(tx), draft->lines[number].taxed_as->taxes, &taxes));
    for (const Json *member = taxes->first; member != NULL; member = member->next) {
        StoredTaxRate *rate;
        assert_that(line->rate_count < TAX_RATES_OF_LINE_MAX);
        TRY(own_rate_find(tx, draft, number, member->name, &rate));
        line->rates[line->rate_count++] = rate_place(priced, rates, rate);
    }
    return NULL;
}

// Those of the account, for lines of its own category.
static Err *usual_rates_read(DbTx *tx, IssuePriced *priced, TaxRate *rates, const Json *ids)
{
    const IssueDraft *draft = priced->draft;
    for (const Json *id = ids == NULL ? NULL : ids->first; id != NULL; id = id->next) {
        const StoredTaxRate *rate;
        IssueRateWanted      wanted = { draft->query->project, id->text, draft->boundary };
        TRY(issue_tax_rate(tx, draft->facts, &wanted, &rate));
        size_t place = rate_place(priced, rates, rate);
        for (size_t i = 0; i < draft->count; i++) {
            TaxLine *line = &priced->lines[i];
            if (!has_own_rates(&draft->lines[i]) &&
                tax_rate_is_for(rate, draft->lines[i].category))
                line->rates[line->rate_count++] = place;
        }
    }
    return NULL;
}

static Err *rates_read(DbTx *tx, IssuePriced *priced)
{
    Arena            *arena = db_arena(tx);
    const IssueDraft *draft = priced->draft;
    const Json       *status = json_find(priced->buyer, STR("taxStatus"));
    const Json       *ids = either(priced, "taxRates");
    size_t            most = ids == NULL ? 0 : ids->count;
    priced->is_taxable = status == NULL || str_equal(status->text, STR("taxable"));
    priced->tax.currency = draft->currency;
    priced->lines = arena_array(arena, TaxLine, draft->count);
    for (size_t i = 0; i < draft->count; i++) {
        priced->lines[i] = (TaxLine){ 0 };
        most += has_own_rates(&draft->lines[i]) ? TAX_RATES_OF_LINE_MAX : 0;
    }
    TaxRate *rates = arena_array(arena, TaxRate, most);
    priced->stored = arena_array(arena, StoredTaxRate, most);
    if (priced->is_taxable)
        TRY(usual_rates_read(tx, priced, rates, ids));
    for (size_t i = 0; i < draft->count; i++)
        if (has_own_rates(&draft->lines[i]))
            TRY(own_rates_read(tx, priced, rates, i));
    priced->tax.rates = rates;
    return NULL;
}

static bool lines_begin(Arena *arena, IssuePriced *priced)
{
    const IssueDraft *draft = priced->draft;
    priced->sums = arena_array(arena, TaxSum, priced->tax.rate_count);
    for (size_t i = 0; i < draft->count; i++) {
        TaxLine *line = &priced->lines[i];
        if (!money_add(draft->lines[i].amount, draft->lines[i].discount, &line->amount) ||
            __builtin_add_overflow(priced->subtotal, draft->lines[i].amount.minor,
                                   &priced->subtotal) ||
            __builtin_add_overflow(priced->discounts, draft->lines[i].discount.minor,
                                   &priced->discounts))
            return false;
    }
    return true;
}

// ---- credit

// What is below zero is taken off what is above, so that credit pays no more than is owed. False:
// nothing is owed.
static bool amounts_offset(Arena *arena, Currency currency, int64_t *amounts, size_t count)
{
    Money  *weights = arena_array(arena, Money, count);
    Money  *parts = arena_array(arena, Money, count);
    int64_t above = 0, below = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t amount = amounts[i];
        weights[i] = (Money){ amount > 0 ? amount : 0, currency };
        if (__builtin_add_overflow(amount > 0 ? above : below, amount,
                                   amount > 0 ? &above : &below))
            return false;
    }
    if (above <= -below)
        return false;
    if (below < 0)
        split_by_weight((Money){ -below, currency }, weights, count, parts);
    for (size_t i = 0; i < count; i++)
        amounts[i] = weights[i].minor - (below < 0 ? parts[i].minor : 0);
    return true;
}

static Err *drawing_begin(DbTx *tx, IssuePriced *priced)
{
    Arena            *arena = db_arena(tx);
    const IssueDraft *draft = priced->draft;
    CreditWallet      wallet = { draft->query->project, draft->account, draft->currency };
    CreditGrants      grants;
    int64_t          *nets = arena_array(arena, int64_t, draft->count);
    DrawLine         *lines = arena_array(arena, DrawLine, draft->count);
    for (size_t i = 0; i < draft->count; i++)
        nets[i] = priced->lines[i].amount.minor;
    if (!amounts_offset(arena, draft->currency, nets, draft->count))
        return NULL;
    if (draft->facts != NULL && !draft->facts->has_grants)
        return NULL;
    TRY(issue_ahead_grants(tx, draft->ahead, &wallet, &grants));
    for (size_t i = 0; i < draft->count; i++)
        lines[i] = (DrawLine){ .charge = draft->lines[i].charge,
                               .meters = draft->lines[i].meters,
                               .service = draft->lines[i].service,
                               .net = nets[i],
                               .so_far = draft->lines[i].until == NULL ? NULL : draw_table_until,
                               .context = draft->lines[i].until };
    TRY(draw_begin(arena, grants, (DrawLines){ lines, draft->count }, &priced->drawing));
    priced->has_drawing = true;
    draw_before_tax(&priced->drawing);
    return NULL;
}

// Tax is of what credits before tax leave.
static Err *taxes_fill(DbTx *tx, IssuePriced *priced)
{
    size_t   count = priced->draft->count;
    TaxLine *lines = priced->lines;
    for (size_t i = 0; i < count && priced->has_drawing; i++)
        lines[i].amount.minor -= draw_of_line(&priced->drawing, i);
    return tax_of(db_arena(tx), &priced->tax, lines, count, priced->sums);
}

// Of a line's tax what is not in its amount.
static int64_t tax_added(const IssuePriced *priced, size_t number)
{
    const TaxLine *line = &priced->lines[number];
    return line->tax - (line->amount.minor - line->net);
}

static bool totals_fill(IssuePriced *priced)
{
    int64_t net = 0;
    for (size_t i = 0; i < priced->draft->count; i++) {
        const TaxLine *line = &priced->lines[i];
        int64_t        included = line->amount.minor - line->net;
        if (__builtin_add_overflow(priced->taxes, line->tax, &priced->taxes) ||
            __builtin_add_overflow(priced->included, included, &priced->included))
            return false;
    }
    if (__builtin_add_overflow(priced->subtotal, priced->discounts, &net) ||
        __builtin_add_overflow(net, priced->taxes - priced->included, &net) ||
        __builtin_add_overflow(net, priced->restored, &net) || net == INT64_MIN)
        return false;
    priced->total = net > 0 ? net : 0;
    priced->to_balance = net < 0 ? -net : 0;
    return true;
}

static void drawing_end(Arena *arena, IssuePriced *priced)
{
    size_t   count = priced->draft->count;
    int64_t *taxes = arena_array(arena, int64_t, count);
    if (!priced->has_drawing)
        return;
    for (size_t i = 0; i < count; i++)
        taxes[i] = tax_added(priced, i);
    if (!amounts_offset(arena, priced->draft->currency, taxes, count))
        taxes = NULL;
    draw_after_tax(&priced->drawing, taxes);
    priced->credits = draw_total(&priced->drawing);
    // Taxes may come to less than nothing where nets do not: what was drawn beyond stays theirs.
    if (priced->credits > priced->total) {
        priced->to_balance += priced->credits - priced->total;
        priced->total = priced->credits;
    }
}

Err *issue_price(DbTx *tx, const IssueDraft *draft, IssuePriced *priced)
{
    *priced = (IssuePriced){ .draft = draft };
    TRY(parties_read(tx, draft, priced));
    TRY(rates_read(tx, priced));
    if (!lines_begin(db_arena(tx), priced))
        return too_large(db_arena(tx));
    TRY(drawing_begin(tx, priced));
    TRY(taxes_fill(tx, priced));
    TRY(late_restores(tx, priced));
    if (!totals_fill(priced))
        return too_large(db_arena(tx));
    drawing_end(db_arena(tx), priced);
    return NULL;
}

Err *issue_price_taxes(DbTx *tx, const IssueDraft *draft, IssuePriced *priced)
{
    *priced = (IssuePriced){ .draft = draft };
    TRY(parties_read(tx, draft, priced));
    TRY(rates_read(tx, priced));
    if (!lines_begin(db_arena(tx), priced))
        return too_large(db_arena(tx));
    return taxes_fill(tx, priced);
}

// ---- texts

typedef struct Writing {
    Arena             *arena;
    const IssuePriced *priced;
    JsonOut            out;
} Writing;

static void amount_member(Writing *to, const char *name, int64_t minor)
{
    json_string_member(&to->out, name,
                       money_print(to->arena, (Money){ minor, to->priced->draft->currency }));
}

static void text_member(Writing *to, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(&to->out, name);
    else
        json_string_member(&to->out, name, text);
}

static void party_member(Writing *to, const char *name, const Json *party, Str fallback)
{
    static const char *const shown[] = { "address", "taxIds" };
    const Json *legal = json_find(party, STR("legalName"));
    json_name(&to->out, str_of(name));
    json_object(&to->out);
    text_member(to, "name", legal != NULL ? legal->text : fallback);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const Json *member = json_find(party, str_of(shown[i]));
        json_name(&to->out, str_of(shown[i]));
        if (member == NULL)
            json_null(&to->out);
        else
            json_value(&to->out, member);
    }
    json_object_end(&to->out);
}

static void rates_member(Writing *to)
{
    const IssuePriced *priced = to->priced;
    json_name(&to->out, STR("taxes"));
    json_array(&to->out);
    for (size_t i = 0; i < priced->tax.rate_count; i++) {
        const StoredTaxRate *rate = &priced->stored[i];
        json_object(&to->out);
        json_string_member(&to->out, "rate", rate->id);
        json_string_member(&to->out, "name", rate->name);
        json_string_member(&to->out, "percent", rate->percent_text);
        json_bool_member(&to->out, "inclusive", rate->inclusive);
        text_member(to, "jurisdiction", rate->jurisdiction);
        amount_member(to, "net", priced->sums[i].net);
        amount_member(to, "tax", priced->sums[i].tax);
        json_object_end(&to->out);
    }
    json_array_end(&to->out);
}

static Str tax_status(const IssuePriced *priced)
{
    const Json *status = json_find(priced->buyer, STR("taxStatus"));
    return status == NULL ? STR("taxable") : status->text;
}

static Str time_zone(const IssueDraft *draft)
{
    const IssueQuery *query = draft->query;
    return draft->time_zone.at != NULL
               ? draft->time_zone
               : catalog_project_get(query->catalog, query->project).time_zone;
}

Str issue_head(Arena *arena, const IssuePriced *priced)
{
    const IssueDraft *draft = priced->draft;
    Text              text = text_open(arena);
    Writing           to = { arena, priced, json_out(&text) };
    const Json       *order = json_find(priced->buyer, STR("poNumber"));
    Str memo = draft->memo.at != NULL ? draft->memo : issue_seller_text(priced, "memo");
    Str po_number = draft->po_number.at != NULL || order == NULL ? draft->po_number : order->text;
    json_object(&to.out);
    party_member(&to, "seller", priced->seller, STR_NONE);
    party_member(&to, "buyer", priced->buyer,
                 draft->buyer_name.at == NULL ? draft->account : draft->buyer_name);
    json_string_member(&to.out, "timeZone", time_zone(draft));
    text_member(&to, "poNumber", po_number);
    text_member(&to, "memo", memo);
    json_string_member(&to.out, "taxStatus", tax_status(priced));
    json_string_member(&to.out, "taxRounding",
                       str_of(tax_rounding_names[priced->tax.rounding]));
    rates_member(&to);
    amount_member(&to, "subtotal", priced->subtotal);
    amount_member(&to, "discounts", priced->discounts);
    amount_member(&to, "taxIncluded", priced->included);
    amount_member(&to, "tax", priced->taxes);
    amount_member(&to, "creditsRestored", priced->restored);
    amount_member(&to, "total", priced->total);
    amount_member(&to, "toBalance", priced->to_balance);
    amount_member(&to, "credits", -priced->credits);
    text_member(&to, "sequence", draft->sequence);
    json_string_member(&to.out, "ratedAt", instant_print(arena, draft->query->now));
    json_object_end(&to.out);
    return text_str(&text);
}

static void one_off_members(Writing *to, const IssueLine *line, int64_t tax)
{
    json_null_member(&to->out, "charge");
    json_string_member(&to->out, "description", line->description);
    json_string_member(&to->out, "kind",
                       line->charge_id.at == NULL ? STR("oneOff") : STR("charge"));
    if (line->charge_id.at != NULL)
        json_string_member(&to->out, "chargeId", line->charge_id);
    json_null_member(&to->out, "group");
    json_name(&to->out, STR("period"));
    json_object(&to->out);
    json_string_member(&to->out, "start", instant_print(to->arena, line->service.start));
    json_string_member(&to->out, "end", instant_print(to->arena, line->service.end));
    json_object_end(&to->out);
    amount_member(to, "amount", line->amount.minor);
    amount_member(to, "discount", line->discount.minor);
    amount_member(to, "net", line->amount.minor + line->discount.minor);
    amount_member(to, "tax", tax);
}

static void line_taxes(Writing *to, size_t number)
{
    const TaxLine *line = &to->priced->lines[number];
    json_name(&to->out, STR("taxes"));
    json_array(&to->out);
    for (size_t i = 0; i < line->rate_count; i++) {
        const StoredTaxRate *rate = &to->priced->stored[line->rates[i]];
        json_object(&to->out);
        json_string_member(&to->out, "rate", rate->id);
        json_string_member(&to->out, "percent", rate->percent_text);
        json_bool_member(&to->out, "inclusive", rate->inclusive);
        amount_member(to, "tax", line->taxes[i]);
        json_object_end(&to->out);
    }
    json_array_end(&to->out);
}

// The line of another invoice that it corrects, and the period that was closed.
static void of_member(Writing *to, const LateOf *of)
{
    json_name(&to->out, STR("of"));
    json_object(&to->out);
    text_member(to, "invoice", of->invoice);
    if (of->line == 0)
        json_null_member(&to->out, "line");
    else
        json_whole_member(&to->out, "line", of->line);
    json_name(&to->out, STR("period"));
    json_object(&to->out);
    json_string_member(&to->out, "start", instant_print(to->arena, of->period.start));
    json_string_member(&to->out, "end", instant_print(to->arena, of->period.end));
    json_object_end(&to->out);
    json_object_end(&to->out);
}

Str issue_line_content(Arena *arena, const IssuePriced *priced, size_t number)
{
    static const BillFrame frame = { .has_events = true };
    const IssueLine       *line = &priced->draft->lines[number];
    int64_t                tax = priced->lines[number].tax;
    Text                   text = text_open(arena);
    Writing                to = { arena, priced, json_out(&text) };
    json_object(&to.out);
    json_whole_member(&to.out, "number", (int64_t)number + 1);
    text_member(&to, "subscription",
                line->subscription.length == 0 ? STR_NONE : line->subscription);
    text_member(&to, "timeZone", line->time_zone);
    text_member(&to, "taxCategory", line->category);
    text_member(&to, "sku", line->sku);
    json_raw_member(&to.out, "metadata", line->metadata.at == NULL ? STR("{}") : line->metadata);
    line_taxes(&to, number);
    if (line->line == NULL) {
        one_off_members(&to, line, tax);
    } else {
        Line shown = *line->line;
        shown.tax.minor = tax;
        line_members_to_json(&shown, &frame, arena, &to.out);
        if (line->of != NULL)
            of_member(&to, line->of);
    }
    json_object_end(&to.out);
    return text_str(&text);
}

Str issue_line_taxes(Arena *arena, const IssuePriced *priced, size_t number)
{
    const TaxLine *line = &priced->lines[number];
    Text           text = text_open(arena);
    JsonOut        out = json_out(&text);
    json_object(&out);
    for (size_t i = 0; i < line->rate_count; i++) {
        json_name(&out, priced->stored[line->rates[i]].id);
        json_whole(&out, line->taxes[i]);
    }
    json_object_end(&out);
    return text_str(&text);
}
