// SPDX-License-Identifier: Apache-2.0
// Reading a plan document. A plan that is answered can be priced: everything it names exists within
// it, and every event of a meter goes to one charge.
#include "price/plan.h"

#include "price/plan_inside.h"

static const char *const plan_members[] = {
    "id",        "name",    "currency", "rounding",   "timeZone",        "period", "charges",
    "discounts", "minimum", "maximum",  "commitment", "includedCredits",
    "trial",     "phases",  "taxCategory", "invoiceThreshold", NULL,
};

static const char *const later_members[] = { "metadata", NULL };

void plan_optional_read(Place place, Optional *amount)
{
    static const char *const members[] = { "amount", NULL };
    if (place.json == NULL)
        return;
    if (place.json->kind != JSON_OBJECT) {
        amount->given = place_not_negative(place, &amount->value);
        return;
    }
    place_members(place, members, NULL);
    Place inner = place_member(place, "amount");
    if (place_required(inner))
        amount->given = place_not_negative(inner, &amount->value);
}

void plan_prorate_read(Place place, Prorate *prorate)
{
    Str text;
    if (!place_text(place, &text))
        return;
    if (str_equal(text, STR("second")))
        *prorate = PRORATE_SECOND;
    else if (str_equal(text, STR("none")))
        *prorate = PRORATE_NONE;
    else if (str_equal(text, STR("day")))
        *prorate = PRORATE_DAY;
    else
        place_fault(place, ERR_FIELD_INVALID, "prorate must be day, second or none");
}

static void amount_members_read(Place place, PlanAmount *amount)
{
    Place inner = place_member(place, "amount");
    if (place_required(inner))
        amount->given = place_not_negative(inner, &amount->amount);
    amount->prorate = PRORATE_DAY;
    plan_prorate_read(place_member(place, "prorate"), &amount->prorate);
}

static void plan_amount_read(Place place, PlanAmount *amount)
{
    static const char *const members[] = { "amount", "prorate", NULL };
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    amount_members_read(place, amount);
}

void plan_charge_ids_read(Place place, Str **ids, size_t *count)
{
    if (!place_array(place, 1, PLAN_CHARGES_MAX))
        return;
    Str   *read = arena_array(place.faults->arena, Str, place.json->count);
    size_t index = 0;
    for (const Json *id = place.json->first; id != NULL; id = id->next, index++) {
        Place element = place_element(place, id, index);
        if (!place_id(element, &read[index]))
            return;
        for (size_t i = 0; i < index; i++)
            if (str_equal(read[i], read[index]))
                place_fault(element, ERR_FIELD_INVALID, "charge %.*s is named twice",
                            STR_ARG(read[index]));
    }
    *ids = read;
    *count = index;
}

static void anchor_read(Place place, PeriodRule *rule)
{
    uint64_t day;
    Str      text;
    rule->anchor = ANCHOR_CALENDAR;
    if (place.json == NULL)
        return;
    if (place.json->kind == JSON_NUMBER) {
        rule->anchor = ANCHOR_DAY_OF_MONTH;
        if (place_whole(place, 1, 31, &day))
            rule->day = (uint8_t)day;
        return;
    }
    if (!place_text(place, &text))
        return;
    if (str_equal(text, STR("subscription")))
        rule->anchor = ANCHOR_SUBSCRIPTION;
    else if (str_equal(text, STR("subscriptionInstant")))
        rule->anchor = ANCHOR_SUBSCRIPTION_INSTANT;
    else if (date_parse(text, &rule->date))
        rule->anchor = ANCHOR_DATE;
    else if (!str_equal(text, STR("calendar")))
        place_fault(place, ERR_FIELD_INVALID,
                    "anchor must be calendar, subscription, subscriptionInstant, a date or a day "
                    "of the month");
}

void plan_period_read(Place place, PeriodRule *rule)
{
    static const char *const members[] = { "every", "unit", "anchor", NULL };
    uint64_t                 every = 1;
    Str                      unit;
    *rule = (PeriodRule){ .every = 1, .unit = PERIOD_MONTH, .anchor = ANCHOR_CALENDAR };
    if (!place_object(place))
        return;
    size_t faults = place.faults->count;
    place_members(place, members, NULL);
    place_whole(place_member(place, "every"), 1, PERIOD_EVERY_MAX, &every);
    rule->every = (uint32_t)every;
    Place unit_place = place_member(place, "unit");
    if (place_required(unit_place) && place_text(unit_place, &unit) &&
        !period_unit_find(unit, &rule->unit))
        place_fault(unit_place, ERR_FIELD_INVALID,
                    "unit must be day, week, month, quarter or year");
    anchor_read(place_member(place, "anchor"), rule);
    const char *fault = place.faults->count == faults ? period_rule_fault(rule) : NULL;
    if (fault != NULL)
        place_fault(place, ERR_PLAN_INVALID, "%s", fault);
}

static void percent_read(Place place, Optional *percent)
{
    percent->given = place_positive(place, &percent->value);
    if (percent->given &&
        rational_compare(percent->value, rational_whole(place.faults->arena, 100)) > 0)
        place_fault(place, ERR_FIELD_INVALID, "a discount is at most 100 percent");
}

void plan_discount_read(Place place, Discount *discount)
{
    static const char *const members[] = { "id",      "percent",  "amount", "charges",
                                           "periods", "startsAt", NULL };
    uint64_t                 periods = 0;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place id = place_member(place, "id"), percent = place_member(place, "percent");
    Place amount = place_member(place, "amount");
    if (place_required(id))
        place_id(id, &discount->id);
    percent_read(percent, &discount->percent);
    discount->amount.given = place_positive(amount, &discount->amount.value);
    if ((percent.json == NULL) == (amount.json == NULL))
        place_fault(place, ERR_PLAN_INVALID, "a discount has percent or amount");
    plan_charge_ids_read(place_member(place, "charges"), &discount->charges,
                         &discount->charge_count);
    place_whole(place_member(place, "periods"), 1, 10000, &periods);
    discount->periods = (uint32_t)periods;
    discount->has_start = place_instant(place_member(place, "startsAt"), &discount->starts_at);
}

void plan_commitment_read(Place place, Commitment *commitment)
{
    static const char *const members[] = { "amount",        "prorate", "discountPercent", "charges",
                                           "overageFactor", "trueUp",  "term",            NULL };
    commitment->discount_percent = rational_zero();
    commitment->true_up = true;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place percent = place_member(place, "discountPercent");
    plan_length_read(place_member(place, "term"), &commitment->term);
    amount_members_read(place, &commitment->amount);
    if (commitment->amount.given && rational_sign(commitment->amount.amount) == 0)
        place_fault(place_member(place, "amount"), ERR_FIELD_INVALID, "amount must be above 0");
    if (place_not_negative(percent, &commitment->discount_percent) &&
        rational_compare(commitment->discount_percent, rational_whole(place.faults->arena, 100)) >=
            0)
        place_fault(percent, ERR_FIELD_INVALID, "discountPercent must be below 100");
    commitment->overage_factor.given =
        place_not_negative(place_member(place, "overageFactor"), &commitment->overage_factor.value);
    place_bool(place_member(place, "trueUp"), &commitment->true_up);
    plan_charge_ids_read(place_member(place, "charges"), &commitment->charges,
                         &commitment->charge_count);
}

static void heading_read(Place place, Str id, Plan *plan)
{
    Str   text;
    Place named = place_member(place, "id"), currency = place_member(place, "currency");
    Place rounding = place_member(place, "rounding"), zone = place_member(place, "timeZone");
    plan->id = id;
    if (place_id(named, &plan->id) && id.at != NULL && !str_equal(id, plan->id))
        place_fault(named, ERR_FIELD_INVALID, "id must be that of the path, %.*s, or absent",
                    STR_ARG(id));
    place_text(place_member(place, "name"), &plan->name);
    place_id(place_member(place, "taxCategory"), &plan->tax_category);
    if (place_required(currency) && place_text(currency, &text) &&
        !currency_find(text, &plan->currency))
        place_fault(currency, ERR_FIELD_INVALID,
                    "currency must be a code of ISO 4217 that is in use");
    plan->rounding = ROUND_HALF_UP;
    if (place_text(rounding, &text) && !rounding_find(text, &plan->rounding))
        place_fault(rounding, ERR_FIELD_INVALID, "rounding must be halfUp, halfEven, up or down");
    if (place_text(zone, &plan->time_zone) && zone_find(plan->time_zone) == NULL)
        place_fault(zone, ERR_FIELD_INVALID, "timeZone must be UTC or a name of the IANA database");
    plan_period_read(place_member(place, "period"), &plan->period);
}

static void charges_read(Place place, Plan *plan)
{
    if (!place_required(place) || !place_array(place, 0, PLAN_CHARGES_MAX))
        return;
    size_t index = 0;
    plan->charges = arena_array(place.faults->arena, Charge, place.json->count);
    plan->charge_count = place.json->count;
    for (const Json *charge = place.json->first; charge != NULL; charge = charge->next, index++) {
        Place element = place_element(place, charge, index);
        plan_charge_read(element, &plan->charges[index]);
        for (size_t i = 0; i < index && plan->charges[index].id.at != NULL; i++)
            if (str_equal(plan->charges[i].id, plan->charges[index].id))
                place_fault(place_member(element, "id"), ERR_PLAN_INVALID,
                            "charge %.*s is there twice", STR_ARG(plan->charges[index].id));
    }
}

static void discounts_read(Place place, Plan *plan)
{
    if (!place_array(place, 0, PLAN_DISCOUNTS_MAX))
        return;
    size_t index = 0;
    plan->discounts = arena_array(place.faults->arena, Discount, place.json->count);
    plan->discount_count = place.json->count;
    for (const Json *discount = place.json->first; discount != NULL;
         discount = discount->next, index++) {
        Place element = place_element(place, discount, index);
        plan_discount_read(element, &plan->discounts[index]);
        for (size_t i = 0; i < index && plan->discounts[index].id.at != NULL; i++)
            if (str_equal(plan->discounts[i].id, plan->discounts[index].id))
                place_fault(place_member(element, "id"), ERR_PLAN_INVALID,
                            "discount %.*s is there twice", STR_ARG(plan->discounts[index].id));
    }
}

static void charges_exist(Place place, const Plan *plan, const Str *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (plan_charge(plan, ids[i]) == NULL)
            place_fault(place, ERR_PLAN_INVALID, "the plan has no charge %.*s", STR_ARG(ids[i]));
}

// What percentOf names is there, and is not percentOf itself: no share is of a share.
static void shares_check(Place charges, const Plan *plan)
{
    for (size_t i = 0; i < plan->charge_count; i++) {
        const Charge *charge = &plan->charges[i];
        Place         named = place_member(place_element(charges, NULL, i), "charges");
        charges_exist(named, plan, charge->terms.charges, charge->terms.charge_count);
        for (size_t k = 0; k < charge->terms.charge_count; k++) {
            const Charge *other = plan_charge(plan, charge->terms.charges[k]);
            if (other != NULL && other->model->source == TAKES_CHARGES)
                place_fault(named, ERR_PLAN_INVALID, "charge %.*s is a share of charges itself",
                            STR_ARG(other->id));
        }
    }
}

// A charge's own period divides the plan's, and the plan's a term.
static void lengths_check(Place place, const Plan *plan)
{
    const PeriodLength *term = &plan->commitment.term;
    PeriodRule          whole = { .every = term->every, .unit = term->unit };
    Place               charges = place_member(place, "charges");
    for (size_t i = 0; i < plan->charge_count; i++) {
        PeriodLength own = plan->charges[i].period;
        if (own.every > 0 && !period_divides(&plan->period, own))
            place_fault(place_member(place_element(charges, NULL, i), "period"), ERR_PLAN_INVALID,
                        "the plan's period is not a whole number of the charge's");
    }
    if (term->every > 0 &&
        !period_divides(&whole, (PeriodLength){ plan->period.every, plan->period.unit }))
        place_fault(place_member(place_member(place, "commitment"), "term"), ERR_PLAN_INVALID,
                    "a term is a whole number of the plan's periods");
}

// What one part of the document says about another.
static void references_check(Place place, const Plan *plan)
{
    lengths_check(place, plan);
    charges_exist(place_member(place_member(place, "trial"), "charges"), plan, plan->trial.charges,
                  plan->trial.charge_count);
    Place discounts = place_member(place, "discounts"),
          commitment = place_member(place, "commitment");
    Place committed = place_member(commitment, "charges");
    for (size_t i = 0; i < plan->discount_count; i++)
        charges_exist(place_member(place_element(discounts, NULL, i), "charges"), plan,
                      plan->discounts[i].charges, plan->discounts[i].charge_count);
    shares_check(place_member(place, "charges"), plan);
    charges_exist(committed, plan, plan->commitment.charges, plan->commitment.charge_count);
    for (size_t i = 0; i < plan->commitment.charge_count; i++) {
        const Charge *charge = plan_charge(plan, plan->commitment.charges[i]);
        if (charge != NULL && charge_meter_count(charge) == 0)
            place_fault(committed, ERR_PLAN_INVALID,
                        "charge %.*s has no meter, so it cannot count toward a commitment",
                        STR_ARG(charge->id));
    }
    if (plan->minimum.given && plan->maximum.given &&
        rational_compare(plan->minimum.amount, plan->maximum.amount) > 0)
        place_fault(place_member(place, "minimum"), ERR_PLAN_INVALID, "minimum is above maximum");
}

static void plan_threshold_read(Place place, Plan *plan)
{
    plan_optional_read(place, &plan->invoice_threshold);
    if (plan->invoice_threshold.given && rational_sign(plan->invoice_threshold.value) == 0)
        place_fault(place, ERR_PLAN_INVALID, "invoiceThreshold must be above 0");
}

Plan *plan_from_json(const Json *document, Str base, Str id, Faults *faults)
{
    Place  place = place_of(faults, document, base);
    size_t before = faults->count;
    Plan  *plan = arena_new(faults->arena, Plan);
    if (!place_object(place))
        return NULL;
    place_members(place, plan_members, later_members);
    for (size_t i = 0; later_members[i] != NULL; i++)
        if (place_member(place, later_members[i]).json != NULL)
            place_fault(place_member(place, later_members[i]), ERR_PLAN_INVALID,
                        "%s is not supported by this version", later_members[i]);
    heading_read(place, id, plan);
    charges_read(place_member(place, "charges"), plan);
    discounts_read(place_member(place, "discounts"), plan);
    plan_amount_read(place_member(place, "minimum"), &plan->minimum);
    plan_amount_read(place_member(place, "maximum"), &plan->maximum);
    plan_commitment_read(place_member(place, "commitment"), &plan->commitment);
    plan_amount_read(place_member(place, "includedCredits"), &plan->included_credits);
    plan_threshold_read(place_member(place, "invoiceThreshold"), plan);
    plan_trial_read(place_member(place, "trial"), &plan->trial);
    if (faults->count > before)
        return NULL;

    references_check(place, plan);
    plan_partition(place_member(place, "charges"), plan);
    if (faults->count == before)
        plan_phases_read(place_member(place, "phases"), document, &plan->phases);
    return faults->count > before ? NULL : plan;
}

Err *plan_from_text(Arena *arena, Str text, Plan **plan)
{
    Json  *document;
    Faults faults = { .arena = arena };
    TRY(json_parse_copy(arena, text, &document));
    Plan *read = plan_from_json(document, STR(""), STR_NONE, &faults);
    if (read == NULL)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored plan cannot be read: %.*s",
                      STR_ARG(faults.first->detail));
    *plan = read;
    return NULL;
}

Str plan_text(Arena *arena, const Json *document)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_value(&out, document);
    return text_str(&text);
}

const Charge *plan_charge(const Plan *plan, Str id)
{
    for (size_t i = 0; i < plan->charge_count; i++)
        if (str_equal(plan->charges[i].id, id))
            return &plan->charges[i];
    return NULL;
}

size_t charge_meter_count(const Charge *charge)
{
    switch (charge->source) {
    case SOURCE_METER:
        return 1;
    case SOURCE_METERS:
        return charge->terms.meter_count;
    case SOURCE_QUANTITY:
    case SOURCE_NONE:
        break;
    }
    return 0;
}

Str charge_meter(const Charge *charge, size_t index)
{
    return charge->source == SOURCE_METERS ? charge->terms.meters[index] : charge->meter;
}

bool charge_reads(const Charge *charge, Str meter)
{
    for (size_t i = 0; i < charge_meter_count(charge); i++)
        if (str_equal(charge_meter(charge, i), meter))
            return true;
    return false;
}

static bool filters_same(const ChargeFilter *a, const ChargeFilter *b)
{
    return filter_within(a, b) && filter_within(b, a);
}

static bool leaves_out(const Charge *charge, const ChargeFilter *filter)
{
    for (size_t i = 0; i < charge->except_count; i++)
        if (filters_same(&charge->except[i], filter))
            return true;
    return false;
}

bool charge_same(const Charge *a, const Charge *b)
{
    bool same = str_equal(a->definition, b->definition) && a->except_count == b->except_count;
    for (size_t i = 0; same && i < a->except_count; i++)
        same = leaves_out(b, &a->except[i]);
    return same;
}

Str charge_description(const Charge *charge)
{
    return charge->name.at == NULL ? charge->id : charge->name;
}
