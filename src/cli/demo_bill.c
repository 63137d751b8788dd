// SPDX-License-Identifier: Apache-2.0
#include "cli/demo_bill.h"

#include <string.h>

// A line's amount stands under the amounts of the steps before it.
enum { NAME_WIDTH = 24, QUANTITY_WIDTH = 13, LINE_AMOUNT_WIDTH = 30, AMOUNT_WIDTH = 18 };

Str demo_bill_text(const Json *object, const char *member)
{
    const Json *found = json_find(object, str_of(member));
    bool        has_text =
        found != NULL && (found->kind == JSON_STRING || found->kind == JSON_NUMBER);
    return has_text ? found->text : STR_NONE;
}

Str digits_grouped(Arena *arena, Str number)
{
    Text   out = text_open(arena);
    size_t at = number.length > 0 && number.at[0] == '-' ? 1 : 0;
    size_t end = at;
    while (end < number.length && number.at[end] >= '0' && number.at[end] <= '9')
        end++;
    text_add_bytes(&out, number.at, at);
    for (size_t i = at; i < end; i++) {
        if (i > at && (end - i) % 3 == 0)
            text_add_char(&out, ',');
        text_add_char(&out, number.at[i]);
    }
    text_add_bytes(&out, number.at + end, number.length - end);
    return text_str(&out);
}

static Str grouped_member(Arena *arena, const Json *object, const char *member)
{
    return digits_grouped(arena, demo_bill_text(object, member));
}

// What the steps of the demo's plan say in words; any other step as its members stand.
static void step_print(Arena *arena, const Json *step, Text *out)
{
    Str op = demo_bill_text(step, "op");
    Str quantity = grouped_member(arena, step, "quantity");
    Str price = demo_bill_text(step, "unitPrice");
    Str amount = grouped_member(arena, step, "amount");
    if (str_equal(op, STR("tier")) && price.length > 0) {
        Str up_to = grouped_member(arena, step, "upTo");
        Str name = up_to.length == 0 ? STR("the rest")
                                     : str_print(arena, "up to %.*s", STR_ARG(up_to));
        text_print(out, "    %-18.*s %14.*s x %-10.*s %*.*s\n", STR_ARG(name), STR_ARG(quantity),
                   STR_ARG(price), AMOUNT_WIDTH, STR_ARG(amount));
    } else if (str_equal(op, STR("unit"))) {
        text_print(out, "    %-18s %14.*s x %-10.*s %*.*s\n", "each", STR_ARG(quantity),
                   STR_ARG(price), AMOUNT_WIDTH, STR_ARG(amount));
    } else if (str_equal(op, STR("round"))) {
        text_print(out, "    %-18s %14.*s   %-10.*s %*.*s\n", "rounded once",
                   STR_ARG(grouped_member(arena, step, "exact")),
                   STR_ARG(demo_bill_text(step, "mode")), AMOUNT_WIDTH, STR_ARG(amount));
    } else {
        text_print(out, "    %.*s", STR_ARG(op));
        for (const Json *member = step->first; member != NULL; member = member->next)
            if (!str_equal(member->name, STR("op")))
                text_print(out, "  %.*s %.*s", STR_ARG(member->name), STR_ARG(member->text));
        text_add_char(out, '\n');
    }
}

static void line_print(Arena *arena, const Json *line, Str currency, Text *out)
{
    const Json *steps = json_find(line, STR("steps"));
    text_print(out, "\n%-*.*s %*.*s %*.*s %.*s\n", NAME_WIDTH,
               STR_ARG(demo_bill_text(line, "description")), QUANTITY_WIDTH,
               STR_ARG(grouped_member(arena, line, "usage")), LINE_AMOUNT_WIDTH,
               STR_ARG(grouped_member(arena, line, "amount")), STR_ARG(currency));
    Str events = grouped_member(arena, line, "events");
    Str digest = demo_bill_text(line, "digest");
    if (steps != NULL)
        for (const Json *step = steps->first; step != NULL; step = step->next)
            step_print(arena, step, out);
    if (digest.length > 16)
        text_print(out, "    of %.*s events, digest %.16s...\n", STR_ARG(events), digest.at);
}

void demo_totals_print(const Json *bill, Text *out)
{
    AUTO(Arena) arena = arena_open();
    Str currency = demo_bill_text(bill, "currency");
    static const char *const members[] = { "subtotal", "discounts", "tax", "credits", "total",
                                           "amountDue" };
    text_print(out, "\n");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        text_print(out, "%-*s %*s %*.*s %.*s\n", NAME_WIDTH, members[i], QUANTITY_WIDTH, "",
                   LINE_AMOUNT_WIDTH, STR_ARG(grouped_member(arena, bill, members[i])),
                   STR_ARG(currency));
}

void demo_bill_print(const Json *bill, Text *out)
{
    AUTO(Arena) arena = arena_open();
    const Json *period = json_find(bill, STR("period"));
    const Json *lines = json_find(bill, STR("lines"));
    Str         currency = demo_bill_text(bill, "currency");
    text_print(out, "Bill of %.*s, %.*s to %.*s\n", STR_ARG(demo_bill_text(bill, "account")),
               STR_ARG(demo_bill_text(period, "start")), STR_ARG(demo_bill_text(period, "end")));
    if (lines != NULL)
        for (const Json *line = lines->first; line != NULL; line = line->next)
            line_print(arena, line, currency, out);
    demo_totals_print(bill, out);
}

const Json *demo_bill_line(const Json *bill, Str charge)
{
    const Json *lines = json_find(bill, STR("lines"));
    if (lines == NULL)
        return NULL;
    for (const Json *line = lines->first; line != NULL; line = line->next)
        if (str_equal(demo_bill_text(line, "charge"), charge))
            return line;
    return NULL;
}
