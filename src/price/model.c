// SPDX-License-Identifier: Apache-2.0
// The table of price functions.
#include "price/model.h"

static const char *const flat_members[] = { "amount", "oneTime", NULL };
static const char *const per_unit_members[] = { "unitPrice", "allowNegative", NULL };
static const char *const tier_members[] = { "tiers", "flatFeeAtZero", NULL };
static const char *const package_members[] = { "packageSize", "packagePrice", NULL };
static const char *const percentage_members[] = {
    "ratePercent",  "perEventFee",  "freeEvents",    "freeAmount",
    "eventMinimum", "eventMaximum", "allowNegative", NULL,
};
static const char *const matrix_members[] = { "dimensions", "cells", "defaultUnitPrice", NULL };
static const char *const capacity_members[] = { "tiers", "alsoCounts", NULL };
static const char *const event_price_members[] = { "property", "allowNegative", NULL };
static const char *const formula_members[] = {
    "expression", "meters", "alsoCounts", "allowNegative", NULL,
};
static const char *const percent_of_members[] = { "charges", "ratePercent", NULL };

static const Model models[] = {
    { "flat", flat_members, TAKES_NONE, EVENTS_NOT, flat_read, flat_price },
    { "perUnit", per_unit_members, TAKES_METER_OR_QUANTITY, EVENTS_BY_TOTAL, per_unit_read,
      per_unit_price },
    { "graduated", tier_members, TAKES_METER_OR_QUANTITY, EVENTS_BY_TOTAL, tiers_read,
      graduated_price },
    { "volume", tier_members, TAKES_METER_OR_QUANTITY, EVENTS_NOT, tiers_read, volume_price },
    { "stairstep", tier_members, TAKES_METER_OR_QUANTITY, EVENTS_NOT, stairs_read,
      stairstep_price },
    { "package", package_members, TAKES_METER_OR_QUANTITY, EVENTS_BY_TOTAL, package_read,
      package_price },
    { "percentage", percentage_members, TAKES_METER, EVENTS_ONE_BY_ONE, percentage_read,
      percentage_price },
    { "graduatedPercentage", tier_members, TAKES_METER, EVENTS_BY_TOTAL, percent_tiers_read,
      graduated_price },
    { "matrix", matrix_members, TAKES_METER, EVENTS_NOT, matrix_read, matrix_price },
    { "capacity", capacity_members, TAKES_METERS, EVENTS_NOT, capacity_read, capacity_price },
    { "eventPrice", event_price_members, TAKES_METER, EVENTS_ONE_BY_ONE, event_price_read,
      event_price_price },
    { "formula", formula_members, TAKES_METERS, EVENTS_NOT, formula_read, formula_price },
    { "percentOf", percent_of_members, TAKES_CHARGES, EVENTS_NOT, percent_of_read,
      percent_of_price },
};

static bool is_listed(Str name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (str_equal(name, str_of(*list)))
            return true;
    return false;
}

const Model *model_find(Str name)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (str_equal(name, str_of(models[i].name)))
            return &models[i];
    return NULL;
}

Str model_names(Arena *arena)
{
    Text text = text_open(arena);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        text_print(&text, "%s%s", i == 0 ? "" : ", ", models[i].name);
    return text_str(&text);
}

bool model_member_known(Str name)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (is_listed(name, models[i].members))
            return true;
    return false;
}

void step_set_priced(Step *step, const Pricing *pricing, Rational amount)
{
    step_set_rational(step, pricing->arena, pricing->is_shared ? "price" : "amount", amount);
}

void step_set_rational(Step *step, Arena *arena, const char *member, Rational value)
{
    step_set(step, member, rational_print(arena, value));
}

void step_set_quantity(Step *step, Arena *arena, const char *member, Rational value)
{
    step_set(step, member, rational_print_quantity(arena, value));
}
