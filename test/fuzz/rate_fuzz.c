// SPDX-License-Identifier: Apache-2.0
// Any JSON as a request for a price, and its `patch` on its plan: never a broken promise, and the
// equations of a bill hold to the minor unit: net = amount + discount of each line, subtotal and
// discounts are the sums, total = subtotal + discounts, the postings of a line are its amount.
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "price/patch.h"
#include "price/plan.h"
#include "price/rate_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum { INPUT_MAX = 20000 };

static Rational number(Arena *arena, const Json *object, const char *name)
{
    Rational value;
    bool     read = rational_parse(arena, json_find(object, str_of(name))->text, &value);
    assert_that(read);
    return value;
}

static void sum_check(Arena *arena, const Json *object, const char *sum, Rational wanted)
{
    assert_that(rational_compare(number(arena, object, sum), wanted) == 0);
}

static void posted_check(Arena *arena, const Json *line)
{
    const Json *posted = json_find(line, STR("posted"));
    Rational    sum = rational_zero();
    if (posted == NULL)
        return;
    for (const Json *event = posted->first; event != NULL; event = event->next)
        sum = rational_add(arena, sum, number(arena, event, "amount"));
    sum_check(arena, line, "amount", sum);
}

static void bill_check(Arena *arena, const Json *bill)
{
    Rational subtotal = rational_zero(), discounts = rational_zero();
    for (const Json *line = json_find(bill, STR("lines"))->first; line != NULL; line = line->next) {
        Rational amount = number(arena, line, "amount"), off = number(arena, line, "discount");
        sum_check(arena, line, "net", rational_add(arena, amount, off));
        posted_check(arena, line);
        subtotal = rational_add(arena, subtotal, amount);
        discounts = rational_add(arena, discounts, off);
        assert_that(rational_sign(off) <= 0);
    }
    sum_check(arena, bill, "subtotal", subtotal);
    sum_check(arena, bill, "discounts", discounts);
    sum_check(arena, bill, "total", rational_add(arena, subtotal, discounts));
}

static void patch_check(Arena *arena, const Json *body)
{
    Faults      faults = { .arena = arena };
    const Json *plan = json_find(body, STR("plan")), *patch = json_find(body, STR("patch"));
    if (plan == NULL || plan->kind != JSON_OBJECT || patch == NULL)
        return;
    const Json *changed = plan_patch(arena, plan, patch, STR("/patch"), &faults);
    assert_that((changed == NULL) == (faults.first != NULL));
    if (changed == NULL)
        return;
    plan_from_json(changed, STR("/patch"), STR_NONE, &faults);
    // a patch twice is the patch once
    const Json *again = plan_patch(arena, changed, patch, STR("/patch"), &faults);
    assert_that(str_equal(json_canonical(arena, changed, STR_NONE),
                          json_canonical(arena, again, STR_NONE)));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    AUTO(Arena) arena = arena_open();
    Text  out = text_open(arena);
    Json *body, *bill;
    if (size > INPUT_MAX ||
        json_parse_copy(arena, (Str){ (const char *)input, size }, &body) != NULL)
        return 0;
    patch_check(arena, body);
    if (rate_request(arena, body, &out) != NULL) {
        assert_that(out.length == 0);
        return 0;
    }
    Err *err = json_parse_copy(arena, text_str(&out), &bill);
    assert_that(err == NULL);
    bill_check(arena, bill);
    return 0;
}
