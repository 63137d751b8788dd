// SPDX-License-Identifier: Apache-2.0
#include "price/step.h"

#include <string.h>

#include "base/assert.h"

typedef struct StepRow {
    const char *op;
    const char *meaning;
    const char *members[STEP_MEMBERS_MAX + 1];  // ends with NULL
} StepRow;

static const StepRow rows[STEP_OP_COUNT] = {
    [STEP_INCLUDED] = { "included",
                        "result = quantity - included, not below 0; included = what was free here",
                        { "quantity", "included", "result" } },
    [STEP_MULTIPLY] = { "multiply",
                        "result = quantity x factor",
                        { "quantity", "factor", "result" } },
    [STEP_DIVIDE] = { "divide",
                      "result = quantity / divisor",
                      { "quantity", "divisor", "result" } },
    [STEP_ROUND_QUANTITY] = { "roundQuantity",
                              "result = quantity rounded to that many places; up is away from zero",
                              { "quantity", "mode", "places", "result" } },
    [STEP_FLAT] = { "flat", "the amount as the plan says", { "amount", "price" } },
    [STEP_UNIT] = { "unit",
                    "amount = quantity x unitPrice",
                    { "quantity", "unitPrice", "amount", "price" } },
    [STEP_TIER] = { "tier",
                    "amount = min(quantity x unitPrice, or x ratePercent / 100, or packages x "
                    "packagePrice, cap) + flatFee; "
                    "quantity = the units of this tier (volume: all); no upTo: the last",
                    { "upTo", "quantity", "unitPrice", "ratePercent", "packageSize", "packages",
                      "packagePrice", "cap", "flatFee", "amount", "price" } },
    [STEP_PACKAGE] = { "package",
                       "amount = packages x packagePrice, packages = quantity / packageSize, "
                       "started ones count",
                       { "quantity", "packageSize", "packages", "packagePrice", "amount",
                         "price" } },
    [STEP_STAIR] = { "stair",
                     "amount = flatFee of the tier that holds the quantity; no upTo: the last",
                     { "upTo", "quantity", "flatFee", "amount", "price" } },
    [STEP_PERCENT] = { "percent",
                       "amount = ratePercent of quantity - free; of base, what the charges it "
                       "names come to before discounts",
                       { "quantity", "free", "base", "ratePercent", "amount", "price" } },
    [STEP_EVENT] = { "event",
                     "one event, by time: amount = ratePercent of value - free, + perEventFee, "
                     "held between minimum and maximum, or nothing when all of it is free; or the "
                     "price that it carries; with `due`: amount = due x perEventFee, due = events "
                     "that are not free; with `events` alone: so many more events together",
                     { "ts", "uniqueId", "events", "due", "value", "free", "ratePercent",
                       "perEventFee", "minimum", "maximum", "amount", "price" } },
    [STEP_CELL] = { "cell",
                    "amount = quantity of the group x the unitPrice of its cell",
                    { "cell", "quantity", "unitPrice", "amount", "price" } },
    [STEP_CAPACITY] = { "capacity",
                        "the meter fits into that tier, counted from 0; no limit: any quantity "
                        "does; the amount follows",
                        { "tier", "meter", "quantity", "limit" } },
    [STEP_FORMULA] = { "formula",
                       "a name and what its meter counted; then amount = the expression over "
                       "them, in which divisionsByZero gave 0",
                       { "name", "meter", "quantity", "divisionsByZero", "expression",
                         "amount" } },
    [STEP_CONVERT] = { "convert",
                       "amount = price in the pricing unit, which is what the steps before it "
                       "come to, x conversionRate",
                       { "price", "pricingUnit", "conversionRate", "amount" } },
    [STEP_SEGMENT] = { "segment",
                       "amount = share of what the steps before it came to, which end with price "
                       "instead of amount; share = the part of the full period from `from` to "
                       "`to`",
                       { "from", "to", "price", "share", "amount" } },
    [STEP_FLOOR_AT_ZERO] = { "floorAtZero", "a charge below 0 is 0", { "exact", "amount" } },
    [STEP_TRIAL] = { "trial", "nothing is due in a trial", { "exact", "amount" } },
    [STEP_BILLED] = { "billed",
                      "of an invoice: earlier ones of the period contained `billed` (and took "
                      "`discount` off); amount = what is left to bill, below 0: what is credited",
                      { "billed", "discount", "amount" } },
    [STEP_ROUND] = { "round",
                     "amount = the sum of the amounts above, rounded to the minor unit",
                     { "exact", "mode", "amount" } },
    [STEP_DISCOUNT] = { "discount",
                        "discount = percent of base, or amount, rounded; base = what was left of "
                        "the "
                        "lines it is for; share = this line's part by largest remainder",
                        { "id", "percent", "amount", "base", "discount", "share" } },
    [STEP_MINIMUM] = { "minimum",
                       "amount = minimum - counted",
                       { "minimum", "counted", "amount" } },
    [STEP_MAXIMUM] = { "maximum",
                       "discount = counted - maximum; share = this line's part by largest "
                       "remainder",
                       { "maximum", "counted", "discount", "share" } },
    [STEP_COMMITMENT] = { "commitment",
                          "discount = discountPercent of the metered lines (list), or, with an "
                          "overageFactor, of list - overage, rounded; overage = before + list - "
                          "commitment / (1 - discountPercent / 100), at most list; before = list "
                          "of the term's earlier periods; share = this line's part",
                          { "commitment", "before", "list", "discountPercent", "overage",
                            "discount", "share" } },
    [STEP_OVERAGE] = { "overage",
                       "amount = overage x (overageFactor - 1): its list price is in the lines; "
                       "discount = overage x (1 - overageFactor), rounded, and this line's share",
                       { "overage", "overageFactor", "amount", "discount", "share" } },
    [STEP_TRUE_UP] = { "trueUp",
                       "amount = commitment - counted, over the whole term when it has one",
                       { "commitment", "counted", "amount" } },
};

Step *steps_add(Steps *steps, Arena *arena, StepOp op)
{
    assert_that(op < STEP_OP_COUNT);
    Step *step = arena_new(arena, Step);
    step->op = op;
    if (steps->first == NULL)
        steps->end = &steps->first;
    *steps->end = step;
    steps->end = &step->next;
    steps->count++;
    return step;
}

void step_set(Step *step, const char *member, Str value)
{
    const char *const *members = rows[step->op].members;
    size_t             place = 0;
    while (strcmp(members[place], member) != 0) {
        place++;
        assert_that(members[place] != NULL);
    }
    step->values[place] = value;
}

void steps_to_json(const Steps *steps, JsonOut *out)
{
    json_array(out);
    for (const Step *step = steps->first; step != NULL; step = step->next) {
        json_object(out);
        json_string_member(out, "op", str_of(rows[step->op].op));
        for (size_t i = 0; i < STEP_MEMBERS_MAX && rows[step->op].members[i] != NULL; i++)
            if (step->values[i].at != NULL)
                json_string_member(out, rows[step->op].members[i], step->values[i]);
        json_object_end(out);
    }
    json_array_end(out);
}

void price_steps_print(Text *text)
{
    JsonOut out = json_out(text);
    json_array(&out);
    for (size_t op = 0; op < STEP_OP_COUNT; op++) {
        json_object(&out);
        json_string_member(&out, "op", str_of(rows[op].op));
        json_name(&out, STR("members"));
        json_array(&out);
        for (size_t i = 0; rows[op].members[i] != NULL; i++)
            json_string(&out, str_of(rows[op].members[i]));
        json_array_end(&out);
        json_string_member(&out, "meaning", str_of(rows[op].meaning));
        json_object_end(&out);
    }
    json_array_end(&out);
}
