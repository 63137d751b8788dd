// SPDX-License-Identifier: Apache-2.0
// The table of price functions, and the names that the documents reserve for later ones.
#include "price/model.h"

static const char *const flat_members[] = { "amount", "oneTime", NULL };
static const char *const per_unit_members[] = { "unitPrice", "allowNegative", NULL };
static const char *const tier_members[] = { "tiers", "flatFeeAtZero", NULL };
static const char *const package_members[] = { "packageSize", "packagePrice", NULL };

static const Model models[] = {
    { "flat", flat_members, false, flat_read, flat_price },
    { "perUnit", per_unit_members, true, per_unit_read, per_unit_price },
    { "graduated", tier_members, true, tiers_read, graduated_price },
    { "volume", tier_members, true, tiers_read, volume_price },
    { "package", package_members, true, package_read, package_price },
};

static const char *const planned[] = {
    "stairstep",  "percentage", "graduatedPercentage", "matrix", "capacity",
    "eventPrice", "formula",    "percentOf",           NULL,
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

bool model_is_planned(Str name)
{
    return is_listed(name, planned);
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
