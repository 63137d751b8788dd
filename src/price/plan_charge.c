// SPDX-License-Identifier: Apache-2.0
// Reading one charge. Whatever a charge names and this version does not price is refused here.
#include <stdlib.h>

#include "price/patch.h"
#include "price/plan_inside.h"

static const char *const common_members[] = {
    "id",     "name",        "model", "meter",          "quantity", "timing", "prorate",
    "period", "taxCategory", "sku",   "revenueAccount", "metadata", NULL,
};

// What says nothing of the price: a change of these does not begin the charge anew.
static const char *const silent_members[] = { "name", "sku", "revenueAccount", "metadata", NULL };

// What only a charge on a quantity takes.
static const char *const quantity_members[] = { "onIncrease", "onDecrease", NULL };

// What only a charge on a meter, several meters or a quantity takes.
static const char *const bound_members[] = { "minimum", "maximum", NULL };

// What only a charge on a meter or a quantity takes.
static const char *const source_members[] = {
    "included", "divideBy", "multiplyBy", "roundQuantity", NULL,
};

// What only a charge on a meter takes.
static const char *const meter_members[] = {
    "filter",
    "groupBy",
    "alsoCounts",
    "includedPerGroup",
    "minimumPerGroup",
    "maximumPerGroup",
    "pricingUnit",
    "conversionRate",
    "bill",
    NULL,
};

static const char *const later_members[] = { "source", NULL };

static bool is_listed(Str name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (str_equal(name, str_of(*list)))
            return true;
    return false;
}

// The one fault of a member that does not belong: not here, not in this version, or nowhere.
static void member_check(Place place, const Charge *charge, Str name)
{
    if (is_listed(name, common_members) || is_listed(name, charge->model->members))
        return;
    if (is_listed(name, bound_members) && charge->source != SOURCE_NONE)
        return;
    if (is_listed(name, source_members) &&
        (charge->source == SOURCE_METER || charge->source == SOURCE_QUANTITY))
        return;
    if (is_listed(name, meter_members) && charge->source == SOURCE_METER)
        return;
    if (is_listed(name, quantity_members) && charge->source == SOURCE_QUANTITY)
        return;
    Place member = place_named(place, name);
    if (is_listed(name, bound_members) || is_listed(name, source_members) ||
        is_listed(name, meter_members) || is_listed(name, quantity_members) ||
        model_member_known(name))
        place_fault(member, ERR_PLAN_INVALID, "%.*s is not a member of a %s charge%s",
                    STR_ARG(name), charge->model->name,
                    charge->source == SOURCE_QUANTITY ? " on a quantity" : "");
    else if (is_listed(name, later_members))
        place_fault(member, ERR_PLAN_INVALID, "%.*s is not supported by this version",
                    STR_ARG(name));
    else
        place_fault(member, ERR_UNKNOWN_MEMBER, "%.*s is not a member here", STR_ARG(name));
}

static bool model_read(Place place, Charge *charge)
{
    Place model = place_member(place, "model");
    Str   name;
    if (!place_required(model) || !place_text(model, &name))
        return false;
    charge->model = model_find(name);
    if (charge->model == NULL)
        place_fault(model, ERR_PLAN_INVALID, "there is no model %.*s; there are %.*s",
                    STR_ARG(name), STR_ARG(model_names(model.faults->arena)));
    return charge->model != NULL;
}

static void source_read(Place place, Charge *charge)
{
    Place       meter = place_member(place, "meter"), quantity = place_member(place, "quantity");
    ModelSource takes = charge->model->source;
    charge->source = takes == TAKES_METERS ? SOURCE_METERS : SOURCE_NONE;
    if (place_id(meter, &charge->meter))
        charge->source = SOURCE_METER;
    else if (place_id(quantity, &charge->quantity))
        charge->source = SOURCE_QUANTITY;
    if (meter.json != NULL && quantity.json != NULL)
        place_fault(quantity, ERR_PLAN_INVALID, "a charge has a meter or a quantity, not both");
    bool has_source = meter.json != NULL || quantity.json != NULL;
    bool takes_source = takes == TAKES_METER_OR_QUANTITY || takes == TAKES_METER;
    if (!takes_source && has_source)
        place_fault(place, ERR_PLAN_INVALID, "a %s charge has neither meter nor quantity",
                    charge->model->name);
    if (takes_source && !has_source)
        place_fault(place, ERR_FIELD_REQUIRED, "a %s charge needs a meter%s", charge->model->name,
                    takes == TAKES_METER ? "" : " or a quantity");
    if (takes == TAKES_METER && quantity.json != NULL)
        place_fault(quantity, ERR_PLAN_INVALID, "a %s charge has a meter, not a quantity",
                    charge->model->name);
}

// A number, or {"perUnit":"seats","amount":"1000"}.
static void included_read(Place place, Included *included)
{
    static const char *const members[] = { "perUnit", "amount", NULL };
    if (place.json == NULL)
        return;
    if (place.json->kind != JSON_OBJECT) {
        included->given = place_not_negative(place, &included->amount);
        return;
    }
    place_members(place, members, NULL);
    Place per_unit = place_member(place, "perUnit"), amount = place_member(place, "amount");
    if (place_required(per_unit) && place_required(amount))
        included->given = place_id(per_unit, &included->per_unit) &&
                          place_not_negative(amount, &included->amount);
}

static void conversion_read(Place place, Charge *charge)
{
    Place divide = place_member(place, "divideBy"), multiply = place_member(place, "multiplyBy");
    if (place_positive(divide, &charge->factor))
        charge->conversion = CONVERT_DIVIDE;
    if (place_positive(multiply, &charge->factor))
        charge->conversion = CONVERT_MULTIPLY;
    if (divide.json != NULL && multiply.json != NULL)
        place_fault(multiply, ERR_PLAN_INVALID, "a charge has divideBy or multiplyBy, not both");
}

static void round_quantity_read(Place place, Charge *charge)
{
    static const char *const members[] = { "mode", "places", NULL };
    Str                      mode;
    uint64_t                 places = 0;
    if (!place_object(place))
        return;
    place_members(place, members, NULL);
    Place how = place_member(place, "mode");
    if (!place_required(how) || !place_text(how, &mode))
        return;
    charge->rounds_quantity = true;
    if (str_equal(mode, STR("up")))
        charge->quantity_rounding = ROUND_UP;
    else if (str_equal(mode, STR("down")))
        charge->quantity_rounding = ROUND_DOWN;
    else if (str_equal(mode, STR("nearest")))
        charge->quantity_rounding = ROUND_HALF_UP;
    else
        place_fault(how, ERR_FIELD_INVALID, "mode must be up, down or nearest");
    place_whole(place_member(place, "places"), 0, DECIMAL_PLACES, &places);
    charge->quantity_places = (int)places;
}

static void bounds_read(Place place, const char *least, const char *most, Optional *minimum,
                        Optional *maximum)
{
    plan_optional_read(place_member(place, least), minimum);
    plan_optional_read(place_member(place, most), maximum);
    if (minimum->given && maximum->given && rational_compare(minimum->value, maximum->value) > 0)
        place_fault(place_member(place, least), ERR_PLAN_INVALID, "%s is above %s", least, most);
}

// What is priced event by event has no quantity of which something is free or converted.
static void no_operators_check(Place place)
{
    static const char *const operators[] = { "included", "includedPerGroup", "divideBy",
                                             "multiplyBy", "roundQuantity" };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        Place member = place_member(place, operators[i]);
        if (member.json != NULL)
            place_fault(member, ERR_PLAN_INVALID, "%s does not go with prices event by event",
                        operators[i]);
    }
}

static void pricing_unit_read(Place place, Charge *charge)
{
    Place unit = place_member(place, "pricingUnit"), rate = place_member(place, "conversionRate");
    charge->conversion_rate = rational_one();
    place_id(unit, &charge->pricing_unit);
    place_positive(rate, &charge->conversion_rate);
    if (unit.json != NULL)
        place_required(rate);
    if (rate.json != NULL)
        place_required(unit);
}

static void operators_read(Place place, Charge *charge)
{
    included_read(place_member(place, "included"), &charge->included);
    included_read(place_member(place, "includedPerGroup"), &charge->included_per_group);
    if (charge->source == SOURCE_QUANTITY && charge->included.per_unit.at != NULL)
        place_fault(place_member(place, "included"), ERR_PLAN_INVALID,
                    "a quantity's own charge has a number of units free, not so many per unit");
    conversion_read(place, charge);
    pricing_unit_read(place, charge);
    round_quantity_read(place_member(place, "roundQuantity"), charge);
    bounds_read(place, "minimum", "maximum", &charge->minimum, &charge->maximum);
    bounds_read(place, "minimumPerGroup", "maximumPerGroup", &charge->minimum_per_group,
                &charge->maximum_per_group);
}

static void partition_members_read(Place place, Charge *charge)
{
    static const char *const per_group[] = { "includedPerGroup", "minimumPerGroup",
                                             "maximumPerGroup" };
    plan_filter_read(place_member(place, "filter"), &charge->filter);
    plan_groups_read(place_member(place, "groupBy"), &charge->group_by, &charge->group_count);
    place_bool(place_member(place, "alsoCounts"), &charge->also_counts);
    for (size_t i = 0; i < sizeof per_group / sizeof *per_group; i++) {
        Place member = place_member(place, per_group[i]);
        if (member.json != NULL && charge->group_count == 0)
            place_fault(member, ERR_PLAN_INVALID, "%s needs groupBy", per_group[i]);
    }
}

static int texts_compare(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

// groupBy and the matrix's own dimensions: no dimension is in both.
static void read_by_fill(Place place, Charge *charge)
{
    const PriceTerms *terms = &charge->terms;
    size_t            count = 0;
    charge->read_by =
        arena_array(place.faults->arena, Str, charge->group_count + terms->dimension_count + 1);
    for (size_t i = 0; i < charge->group_count; i++)
        charge->read_by[count++] = charge->group_by[i];
    for (size_t i = 0; i < terms->dimension_count; i++) {
        charge->read_by[count++] = terms->dimensions[i];
        for (size_t k = 0; k < charge->group_count; k++)
            if (str_equal(charge->group_by[k], terms->dimensions[i]))
                place_fault(place_member(place, "groupBy"), ERR_PLAN_INVALID,
                            "%.*s is in groupBy and in dimensions", STR_ARG(terms->dimensions[i]));
    }
    if (count > 1)
        qsort(charge->read_by, count, sizeof *charge->read_by, texts_compare);
    charge->read_count = count;
}

static void timing_read(Place place, Charge *charge)
{
    Place timing = place_member(place, "timing");
    Str   text;
    if (!place_text(timing, &text))
        return;
    if (str_equal(text, STR("advance")))
        charge->timing = TIMING_ADVANCE;
    else if (!str_equal(text, STR("arrears")))
        place_fault(timing, ERR_FIELD_INVALID, "timing must be arrears or advance");
    if (charge->timing == TIMING_ADVANCE &&
        (charge->source == SOURCE_METER || charge->source == SOURCE_METERS))
        place_fault(timing, ERR_PLAN_INVALID, "what a meter counts is billed in arrears");
}

// A one-time fee is not a price of time: it is whole unless the plan says how to share it.
static void prorate_read(Place place, Charge *charge)
{
    charge->prorate = charge->one_time ? PRORATE_NONE : PRORATE_DAY;
    Place prorate = place_member(place, "prorate");
    plan_prorate_read(prorate, &charge->prorate);
    if (prorate.json != NULL && charge->model->source == TAKES_CHARGES)
        place_fault(prorate, ERR_PLAN_INVALID,
                    "a %s charge shares what its charges come to, which is prorated already",
                    charge->model->name);
}

// When changes of a quantity in advance count.
static void changes_read(Place place, Charge *charge)
{
    Place rise = place_member(place, "onIncrease"), fall = place_member(place, "onDecrease");
    Str   text;
    charge->on_increase = COUNTS_NOW;
    charge->on_decrease = COUNTS_NEXT_PERIOD;
    if (place_text(rise, &text)) {
        if (str_equal(text, STR("nextInvoice")))
            charge->on_increase = COUNTS_NEXT_INVOICE;
        else if (str_equal(text, STR("nextPeriod")))
            charge->on_increase = COUNTS_NEXT_PERIOD;
        else if (!str_equal(text, STR("now")))
            place_fault(rise, ERR_FIELD_INVALID,
                        "onIncrease must be now, nextInvoice or nextPeriod");
    }
    if (place_text(fall, &text)) {
        if (str_equal(text, STR("credit")))
            charge->on_decrease = COUNTS_NOW;
        else if (!str_equal(text, STR("nextPeriod")))
            place_fault(fall, ERR_FIELD_INVALID, "onDecrease must be nextPeriod or credit");
    }
    if (charge->source == SOURCE_QUANTITY && charge->timing == TIMING_ARREARS &&
        (rise.json != NULL || fall.json != NULL))
        place_fault(rise.json != NULL ? rise : fall, ERR_PLAN_INVALID,
                    "in arrears every change counts from its instant on");
}

// What would take back what was posted, or depends on what comes later.
static void by_event_check(Place place, const Charge *charge)
{
    static const char *const refused[] = { "minimum", "maximum", "minimumPerGroup",
                                           "maximumPerGroup", "flatFeeAtZero" };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        Place member = place_member(place, refused[i]);
        if (member.json != NULL && member.json->kind != JSON_FALSE)
            place_fault(member, ERR_PLAN_INVALID, "%s does not go with bill event", refused[i]);
    }
    if (charge->included.given && place_member(place, "groupBy").json != NULL)
        place_fault(place_member(place, "included"), ERR_PLAN_INVALID,
                    "with bill event each group has its own units free: includedPerGroup");
    if (charge->included.per_unit.at != NULL || charge->included_per_group.per_unit.at != NULL)
        place_fault(place_member(place, charge->included.per_unit.at != NULL ? "included"
                                                                             : "includedPerGroup"),
                    ERR_PLAN_INVALID,
                    "with bill event the units free are a number: a quantity may change later");
}

static void bill_read(Place place, Charge *charge)
{
    Place bill = place_member(place, "bill");
    Str   text;
    if (!place_text(bill, &text) || str_equal(text, STR("period")))
        return;
    if (!str_equal(text, STR("event"))) {
        place_fault(bill, ERR_FIELD_INVALID, "bill must be period or event");
        return;
    }
    charge->by_event = true;
    charge->terms.needs_events = true;
    if (charge->model->by_event == EVENTS_NOT)
        place_fault(bill, ERR_PLAN_INVALID, "a %s charge is not billed event by event",
                    charge->model->name);
    if (charge->model->by_event == EVENTS_ONE_BY_ONE)
        no_operators_check(place);
    by_event_check(place, charge);
}

static void own_period_read(Place place, Charge *charge)
{
    Place period = place_member(place, "period");
    plan_length_read(period, &charge->period);
    if (period.json != NULL && charge->one_time)
        place_fault(period, ERR_PLAN_INVALID, "a fee that is due once has no period");
}

enum { METADATA_MEMBERS = 50, METADATA_KEY = 40, METADATA_VALUE = 500 };

static void metadata_read(Place place, Str *metadata)
{
    if (place.json == NULL || !place_object(place))
        return;
    bool fits = place.json->count <= METADATA_MEMBERS;
    for (const Json *member = place.json->first; member != NULL; member = member->next)
        fits &= member->kind == JSON_STRING && member->name.length > 0 &&
                member->name.length <= METADATA_KEY && member->text.length <= METADATA_VALUE;
    if (!fits)
        place_fault(place, ERR_FIELD_INVALID,
                    "metadata is an object of at most %d texts of at most %d bytes, under names "
                    "of 1 to %d",
                    METADATA_MEMBERS, METADATA_VALUE, METADATA_KEY);
    Text    text = text_open(place.faults->arena);
    JsonOut out = json_out(&text);
    json_value(&out, place.json);
    *metadata = text_str(&text);
}

static void books_read(Place place, Charge *charge)
{
    place_id(place_member(place, "taxCategory"), &charge->tax_category);
    place_text(place_member(place, "sku"), &charge->sku);
    place_id(place_member(place, "revenueAccount"), &charge->revenue_account);
    metadata_read(place_member(place, "metadata"), &charge->metadata);
}

static Str definition_of(Arena *arena, const Json *charge)
{
    Json *priced = arena_array(arena, Json, charge->count + 1), *last = NULL;
    priced[0] = (Json){ .kind = JSON_OBJECT };
    for (const Json *member = charge->first; member != NULL; member = member->next) {
        if (is_listed(member->name, silent_members))
            continue;
        Json *kept = &priced[++priced[0].count];
        *kept = *member;
        kept->next = NULL;
        if (last == NULL)
            priced[0].first = kept;
        else
            last->next = kept;
        last = kept;
    }
    return json_canonical(arena, &priced[0], STR_NONE);
}

void plan_charge_read(Place place, Charge *charge)
{
    if (!place_object(place))
        return;
    Place id = place_member(place, "id");
    if (place_required(id))
        place_id(id, &charge->id);
    place_text(place_member(place, "name"), &charge->name);
    books_read(place, charge);
    charge->terms.amount = charge->terms.unit_price = rational_zero();
    charge->terms.package_size = rational_one();
    charge->terms.package_price = rational_zero();
    charge->terms.rate_percent = charge->terms.per_event_fee = rational_zero();
    if (!model_read(place, charge))
        return;

    source_read(place, charge);
    for (const Json *member = place.json->first; member != NULL; member = member->next)
        member_check(place, charge, member->name);
    place_bool(place_member(place, "allowNegative"), &charge->allow_negative);
    place_bool(place_member(place, "oneTime"), &charge->one_time);
    charge->model->read(place, charge, &charge->terms);
    operators_read(place, charge);
    if (charge->terms.needs_events)
        no_operators_check(place);
    bill_read(place, charge);
    partition_members_read(place, charge);
    read_by_fill(place, charge);
    timing_read(place, charge);
    prorate_read(place, charge);
    changes_read(place, charge);
    own_period_read(place, charge);
    charge->definition = definition_of(place.faults->arena, place.json);
}
