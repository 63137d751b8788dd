// SPDX-License-Identifier: Apache-2.0
// Lines with coupons and taxes: priced as flat charges with discounts, then taxed.
#include "case.h"

#include "flow/ledger/draw.h"
#include "price/tax.h"

enum { LINES_MAX = 50, RATES_MAX = 20 };

// What an invoice came to; minor units of USD.
typedef struct Asked {
    Case    *test;
    TaxRate  rates[RATES_MAX];
    TaxSum   sums[RATES_MAX];
    size_t   rate_count;
    TaxLine  lines[LINES_MAX];
    Rational discounts[LINES_MAX];  // of each line, above 0
    size_t   count;
    int64_t  net, tax;
    const Json *bill;
} Asked;

static bool has_tag(const Json *line, const Json *wanted)
{
    const Json *tags = case_member(line, "tags");
    for (const Json *tag = tags == NULL ? NULL : tags->first; tag != NULL; tag = tag->next)
        for (const Json *only = wanted->first; only != NULL; only = only->next)
            if (str_equal(tag->text, only->text))
                return true;
    return false;
}

static void coupon_add(Case *test, Text *text, const Json *coupon, int number)
{
    const Json *only = case_member(coupon, "only_tags");
    int         place = 0;
    const char *comma = "";
    text_print(text, "%s{\"id\":\"d%d\",\"amount\":\"%.*s\"", number == 0 ? "" : ",", number,
               STR_ARG(case_text(coupon, "value")));
    if (only != NULL) {
        text_print(text, ",\"charges\":[");
        for (const Json *line = case_member(test->input, "lines")->first; line != NULL;
             line = line->next, place++)
            if (has_tag(line, only)) {
                text_print(text, "%s\"c%d\"", comma, place);
                comma = ",";
            }
        text_print(text, "]");
    }
    text_print(text, "}");
}

static Str request_of(Case *test)
{
    Text        text = text_open(test->arena);
    const Json *coupons = case_member(test->input, "coupons");
    int         number = 0;
    text_print(&text, "{\"plan\":{\"currency\":\"USD\",\"charges\":[");
    for (const Json *line = case_member(test->input, "lines")->first; line != NULL;
         line = line->next, number++)
        text_print(&text, "%s{\"id\":\"c%d\",\"model\":\"flat\",\"amount\":\"%.*s\"}",
                   number == 0 ? "" : ",", number, STR_ARG(case_text(line, "amount")));
    text_print(&text, "]");
    number = 0;
    if (coupons != NULL && coupons->first != NULL) {
        text_print(&text, ",\"discounts\":[");
        for (const Json *coupon = coupons->first; coupon != NULL; coupon = coupon->next)
            coupon_add(test, &text, coupon, number++);
        text_print(&text, "]");
    }
    text_print(&text, "},\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":"
                      "\"2026-07-01T00:00:00Z\"},\"usage\":{}}");
    return text_str(&text);
}

static size_t rate_of(Asked *asked, Str percent)
{
    size_t place = 0;
    while (place < asked->rate_count && !str_equal(asked->rates[place].id, percent))
        place++;
    if (place == asked->rate_count)
        asked->rates[asked->rate_count++] =
            (TaxRate){ percent, case_number(asked->test, percent), false };
    return place;
}

static int64_t minor_of(Case *test, Str amount)
{
    Rational number = rational_multiply(test->arena, case_number(test, amount),
                                        rational_whole(test->arena, 100));
    return number.above;
}

// The bill's line of charge "c{place}"; NULL: it came to nothing and is not there.
static const Json *billed_line(const Asked *asked, size_t place)
{
    Str         id = str_print(asked->test->arena, "c%zu", place);
    const Json *line = case_at(asked->bill, STR("/lines"))->first;
    while (line != NULL && !str_equal(case_text(line, "charge"), id))
        line = line->next;
    return line;
}

static void lines_take(Asked *asked)
{
    Case *test = asked->test;
    for (const Json *line = case_member(test->input, "lines")->first; line != NULL;
         line = line->next) {
        TaxLine    *taken = &asked->lines[asked->count];
        const Json *billed = billed_line(asked, asked->count);
        *taken = (TaxLine){ 0 };
        asked->discounts[asked->count++] =
            billed == NULL ? rational_zero()
                           : rational_negate(test->arena,
                                             case_number(test, case_text(billed, "discount")));
        if (billed != NULL)
            taken->amount.minor = minor_of(test, case_text(billed, "net"));
        for (const Json *percent = case_member(line, "tax_percents")->first; percent != NULL;
             percent = percent->next)
            taken->rates[taken->rate_count++] = rate_of(asked, percent->text);
        asked->net += taken->amount.minor;
    }
}

static Result sum_is(Asked *asked, const char *name, int64_t minor)
{
    Case *test = asked->test;
    Str   wanted = case_text(test->expected, name);
    if (wanted.at == NULL)
        return CASE_PASSED;
    return case_equal(test, name, case_number(test, wanted),
                      rational_ratio(test->arena, minor, 100));
}

static Result lines_are(Asked *asked)
{
    Case       *test = asked->test;
    Result      sum = CASE_PASSED;
    const Json *taxes = case_member(test->expected, "line_taxes");
    const Json *discounts = case_member(test->expected, "line_discounts");
    size_t      place = 0;
    for (const Json *tax = taxes == NULL ? NULL : taxes->first; tax != NULL; tax = tax->next)
        case_and(&sum, case_equal(test, "line tax", case_number(test, tax->text),
                                  rational_ratio(test->arena, asked->lines[place++].tax, 100)));
    place = 0;
    for (const Json *discount = discounts == NULL ? NULL : discounts->first; discount != NULL;
         discount = discount->next)
        case_and(&sum, case_equal(test, "line discount", case_number(test, discount->text),
                                  asked->discounts[place++]));
    return sum;
}

// What prepaid credit pays of nets and taxes, and what it leaves.
static Result prepaid_is(Asked *asked, int64_t *paid)
{
    Case       *test = asked->test;
    const Json *prepaid = case_member(test->input, "prepaid");
    const Json *after = case_member(test->expected, "prepaid_balances_after");
    CreditGrant grants[LINES_MAX];
    DrawLine    lines[LINES_MAX];
    int64_t     taxes[LINES_MAX];
    size_t      count = 0;
    Drawing     drawing;
    Result      sum = CASE_PASSED;
    *paid = 0;
    if (prepaid == NULL)
        return CASE_PASSED;
    for (const Json *row = prepaid->first; row != NULL; row = row->next, count++)
        grants[count] = (CreditGrant){ .id = str_print(test->arena, "g%zu", count),
                                       .timing = CREDIT_AFTER_TAX,
                                       .amount = minor_of(test, case_text(row, "balance")),
                                       .price = minor_of(test, case_text(row, "balance")),
                                       .effective_at = INSTANT_FIRST,
                                       .expires_at = INSTANT_END };
    for (size_t i = 0; i < asked->count; i++) {
        lines[i] = (DrawLine){ .net = asked->lines[i].net };
        taxes[i] = asked->lines[i].tax;
    }
    if (draw_begin(test->arena, (CreditGrants){ grants, count },
                   (DrawLines){ lines, asked->count }, &drawing) != NULL)
        return CASE_FAILED;
    draw_before_tax(&drawing);
    draw_after_tax(&drawing, taxes);
    *paid = draw_total(&drawing);
    size_t place = 0;
    for (const Json *left = after == NULL ? NULL : after->first; left != NULL; left = left->next)
        case_and(&sum,
                 case_equal(test, "prepaid balance after", case_number(test, left->text),
                            rational_ratio(test->arena, grant_left(&drawing.grants.at[place++]),
                                           100)));
    return sum;
}

static Result sums_are(Asked *asked)
{
    Case       *test = asked->test;
    Result      sum = lines_are(asked);
    int64_t     paid, credited = 0, total = asked->net + asked->tax;
    Rational    discount = rational_zero();
    const Json *notes = case_member(test->input, "credit_notes");
    for (size_t i = 0; i < asked->count; i++)
        discount = rational_add(test->arena, discount, asked->discounts[i]);
    for (const Json *note = notes == NULL ? NULL : notes->first; note != NULL; note = note->next)
        credited += minor_of(test, note->text);
    case_and(&sum, prepaid_is(asked, &paid));
    Str wanted = case_text(test->expected, "discount");
    if (wanted.at != NULL)
        case_and(&sum, case_equal(test, "discount", case_number(test, wanted), discount));
    Str subtotal = case_text(test->expected, "subtotal");
    if (subtotal.at != NULL)
        case_and(&sum, case_equal(test, "subtotal", case_number(test, subtotal),
                                  case_number(test, case_text(asked->bill, "subtotal"))));
    case_and(&sum, sum_is(asked, "tax", asked->tax));
    case_and(&sum, sum_is(asked, "total", total));
    case_and(&sum, sum_is(asked, "credit_notes", credited));
    case_and(&sum, sum_is(asked, "prepaid", paid));
    case_and(&sum, sum_is(asked, "due", total - credited - paid));
    return sum;
}

static Result invoice(Case *test)
{
    static const char *const known[] = { "tax_rounding", NULL };
    Str                      rounding = case_text(test->config, "tax_rounding");
    bool                     by_line = str_equal(rounding, STR("per_line"));
    const Json              *lines = case_member(test->input, "lines");
    if (!case_knows(test, known) || lines == NULL || lines->count > LINES_MAX ||
        (!by_line && !str_equal(rounding, STR("sum"))))
        return CASE_UNKNOWN;
    Asked asked = { .test = test };
    asked.bill = case_rate(test, request_of(test));
    if (asked.bill == NULL)
        return CASE_FAILED;
    lines_take(&asked);
    TaxQuery query = { .rounding = by_line ? TAX_BY_LINE_RATE : TAX_BY_INVOICE,
                       .rates = asked.rates,
                       .rate_count = asked.rate_count };
    if (tax_of(test->arena, &query, asked.lines, asked.count, asked.sums) != NULL)
        return CASE_FAILED;
    for (size_t i = 0; i < asked.rate_count; i++)
        asked.tax += asked.sums[i].tax;
    return sums_are(&asked);
}

Adapter adapter_invoices(Str model)
{
    return str_equal(model, STR("invoice")) ? invoice : NULL;
}
