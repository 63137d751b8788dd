// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "in_arena.h"

// Instants are days, for short.
static Instant day(int64_t number)
{
    return (Instant){ number * INSTANT_DAY_US };
}

static CreditGrant grant_of(const char *id, GrantKind kind, int64_t amount)
{
    CreditGrant grant = { .id = str_of(id),
                          .kind = kind,
                          .timing = kind == GRANT_PAID ? CREDIT_AFTER_TAX : CREDIT_BEFORE_TAX,
                          .amount = amount,
                          .price = kind == GRANT_PAID ? amount : 0,
                          .effective_at = day(0),
                          .expires_at = INSTANT_END };
    assert_true(currency_find(STR("USD"), &grant.currency));
    return grant;
}

static CreditGrant paid(const char *id, int64_t amount)
{
    return grant_of(id, GRANT_PAID, amount);
}

static CreditGrant promo(const char *id, int64_t amount)
{
    return grant_of(id, GRANT_PROMOTIONAL, amount);
}

static DrawLine line_of(int64_t net, int64_t from, int64_t to)
{
    return (DrawLine){ .charge = STR("c"), .service = { day(from), day(to) }, .net = net };
}

static void draw(CreditGrant *grants, size_t grant_count, const DrawLine *lines,
                 size_t line_count, Drawing *drawing)
{
    assert_null(draw_begin(arena, (CreditGrants){ grants, grant_count },
                           (DrawLines){ lines, line_count }, drawing));
    draw_before_tax(drawing);
}

static int64_t drawn_of(const Drawing *drawing, const char *id)
{
    for (size_t i = 0; i < drawing->grants.count; i++)
        if (str_equal(drawing->grants.at[i].id, str_of(id)))
            return drawing->grants.at[i].drawn;
    fail();
    return 0;
}

static void test_costs_sum_to_the_price(void **state)
{
    CreditGrant grant = paid("g", 10000);
    (void)state;
    grant.price = 9000;
    assert_int_equal(grant_cost(&grant, 5000), 4500);
    grant.amount = 3;
    grant.price = 100;
    assert_int_equal(grant_cost(&grant, 1), 33);
    assert_int_equal(grant_cost(&grant, 2), 67);
    assert_int_equal(grant_cost(&grant, 3), 100);
    grant.amount = grant.price = INT64_MAX;
    assert_int_equal(grant_cost(&grant, INT64_MAX), INT64_MAX);
    assert_int_equal(grant_cost(&grant, INT64_MAX - 1), INT64_MAX - 1);
}

static void test_what_grants_in_force_have(void **state)
{
    (void)state;
    CreditGrant grants[] = { grant_of("a", GRANT_PAID, 700), grant_of("b", GRANT_PAID, 50),
                             grant_of("c", GRANT_PAID, 9) };
    Instant     at = { 10 };
    for (size_t i = 0; i < 3; i++) {
        grants[i].effective_at = (Instant){ 0 };
        grants[i].expires_at = INSTANT_END;
    }
    grants[2].expires_at = at;  // over
    grants[0].drawn = 300;
    assert_int_equal(grants_available((CreditGrants){ grants, 3 }, at), 450);
    grants[0].amount = grants[1].amount = INT64_MAX;
    assert_true(grants_available((CreditGrants){ grants, 3 }, at) == INT64_MAX);
}

static void test_the_order_of_grants(void **state)
{
    CreditGrant grants[6];
    for (size_t i = 0; i < 6; i++)
        grants[i] = paid("paid", 10);
    grants[0].id = STR("z");  // all else equal: by id
    grants[1].id = STR("first");
    grants[1].priority = -1;
    grants[2].id = STR("soon");
    grants[2].expires_at = day(5);
    grants[3] = promo("promotional", 10);
    grants[4].id = STR("earlier");
    grants[4].effective_at = day(-1);
    grants[5].id = STR("a");
    static const char *const wanted[] = { "first", "soon", "promotional", "earlier", "a", "z" };
    (void)state;
    grants_sort((CreditGrants){ grants, 6 });
    for (size_t i = 0; i < 6; i++)
        assert_true(str_equal(grants[i].id, str_of(wanted[i])));
}

// Peers drained a wallet across currencies, or left a cent due though the wallet was full: here a
// Drawing is of one currency, and what covers everything pays everything.
static void test_a_full_wallet_leaves_no_cent(void **state)
{
    (void)state;
    CreditGrant grants[] = { promo("p", 333), paid("q", 9999) };
    DrawLine    lines[] = { line_of(1001, 0, 30), line_of(99, 0, 30), line_of(7, 3, 11) };
    int64_t     taxes[] = { 127, 19, 1 };
    Drawing     drawing;
    draw(grants, 2, lines, 3, &drawing);
    assert_int_equal(draw_total(&drawing), 333);
    draw_after_tax(&drawing, taxes);
    assert_int_equal(draw_total(&drawing), 1001 + 99 + 7 + 127 + 19 + 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(draw_of_line(&drawing, i), lines[i].net + taxes[i]);
}

static void test_what_was_used_before_and_after_is_not_paid(void **state)
{
    (void)state;
    CreditGrant grants[] = { paid("g", 1000) };
    DrawLine    lines[] = { line_of(300, 0, 30) };
    Drawing     drawing;
    grants[0].timing = CREDIT_BEFORE_TAX;
    grants[0].effective_at = day(10);
    grants[0].expires_at = day(15);
    draw(grants, 1, lines, 1, &drawing);
    assert_int_equal(draw_total(&drawing), 50);
}

// Two grants of the same ten days: what one paid the other does not pay again.
static void test_a_stretch_is_paid_once(void **state)
{
    (void)state;
    CreditGrant grants[] = { promo("a", 80), promo("b", 80),
                             promo("c", 1000) };
    DrawLine    lines[] = { line_of(300, 0, 30) };
    Drawing     drawing;
    grants[0].expires_at = grants[1].expires_at = day(10);
    grants[2].effective_at = day(20);
    draw(grants, 3, lines, 1, &drawing);
    assert_int_equal(drawn_of(&drawing, "a"), 80);
    assert_int_equal(drawn_of(&drawing, "b"), 20);
    assert_int_equal(drawn_of(&drawing, "c"), 100);
}

// The first unit costs 100, the next 20 together nothing more, then the price falls by 40: volume
// tiers do that.
static Err *falling(void *context, Arena *into, Instant t, int64_t *net)
{
    (void)context;
    (void)into;
    *net = t.us < day(10).us ? 100 : t.us < day(20).us ? 120 : 60;
    return NULL;
}

static void test_a_price_that_falls(void **state)
{
    (void)state;
    CreditGrant grants[] = { promo("a", 500), promo("b", 500) };
    DrawLine    lines[] = { line_of(60, 0, 30) };
    Drawing     drawing;
    lines[0].so_far = falling;
    grants[0].expires_at = day(10);     // 120, but the line is 60
    grants[1].effective_at = day(20);   // nothing rises there any more
    draw(grants, 2, lines, 1, &drawing);
    assert_int_equal(drawn_of(&drawing, "a"), 60);
    assert_int_equal(drawn_of(&drawing, "b"), 0);
}

static void test_an_instant_is_in_force_or_not(void **state)
{
    (void)state;
    CreditGrant grants[] = { promo("a", 5), promo("b", 5) };
    DrawLine    lines[] = { line_of(7, 10, 10) };
    Drawing     drawing;
    grants[0].expires_at = day(10);
    grants[1].effective_at = day(10);
    draw(grants, 2, lines, 1, &drawing);
    assert_int_equal(drawn_of(&drawing, "a"), 0);
    assert_int_equal(drawn_of(&drawing, "b"), 5);
}

static void test_charges_and_meters(void **state)
{
    (void)state;
    static const Str fee[] = { STR_INIT("fee") }, calls[] = { STR_INIT("calls") };
    CreditGrant      grants[] = { promo("a", 100), promo("b", 100),
                                  promo("c", 15) };
    DrawLine         lines[] = { line_of(10, 0, 1), line_of(20, 0, 1), line_of(30, 0, 1),
                                 line_of(-5, 0, 1) };
    Drawing          drawing;
    GrantDraw       *draws;
    size_t           count;
    lines[0].charge = STR("fee");
    lines[1].meters = (Texts){ calls, 1 };
    lines[2].charge = STR_NONE;  // a minimum
    grants[0].applies_to.charges = (Texts){ fee, 1 };
    grants[1].applies_to.meters = (Texts){ calls, 1 };
    draw(grants, 3, lines, 4, &drawing);
    draw_by_grant(&drawing, &draws, &count);
    assert_int_equal(count, 3);
    assert_int_equal(draws[0].amount, 10);
    assert_int_equal(draws[1].amount, 20);
    assert_int_equal(draws[2].amount, 15);
    assert_int_equal(draws[2].cost, 0);
    assert_int_equal(draw_of_line(&drawing, 2), 15);
    assert_int_equal(draw_of_line(&drawing, 3), 0);
}

static void test_tax_follows_the_part_that_is_paid(void **state)
{
    (void)state;
    CreditGrant grants[] = { paid("a", 1000) };
    DrawLine    lines[] = { line_of(300, 0, 30) };
    int64_t     taxes[] = { 60 };
    Drawing     drawing;
    grants[0].expires_at = day(10);
    draw(grants, 1, lines, 1, &drawing);
    assert_int_equal(drawing.draw_count, 0);
    draw_after_tax(&drawing, taxes);
    assert_int_equal(drawing.draw_count, 1);
    assert_int_equal(drawing.draws[0].net, 100);
    assert_int_equal(drawing.draws[0].tax, 20);
}

// ---- any grants and lines: the bound of the contract, grant by grant

static Err *steps(void *context, Arena *into, Instant t, int64_t *net)
{
    const int64_t *at = context;
    (void)into;
    *net = at[t.us / INSTANT_DAY_US];
    return NULL;
}

enum { DAYS = 12, GRANTS = 5, LINES = 3, ROUNDS = 3000 };

static int64_t worth(const DrawLine *line, const CreditGrant *grant)
{
    const int64_t *at = line->context;
    int64_t        from = grant->effective_at.us / INSTANT_DAY_US;
    int64_t        to = grant->expires_at.us / INSTANT_DAY_US;
    from = from < 0 ? 0 : from > DAYS ? DAYS : from;
    to = to > DAYS ? DAYS : to;
    return to <= from ? 0 : at[to] - (from == 0 ? 0 : at[from]);
}

static Err *no_bill(void *context, Arena *in, Instant t, int64_t *net)
{
    (void)context;
    (void)t;
    (void)net;
    return refuse(in, ERR_STORE_FAILED, STR_NONE, "no bill");
}

// Far below 0 on the first day, all of it on the second.
static Err *far_down(void *context, Arena *in, Instant t, int64_t *net)
{
    (void)context;
    (void)in;
    (void)t;
    *net = INT64_MIN;
    return NULL;
}

static void test_a_part_that_is_refused_or_beyond_numbers(void **state)
{
    CreditGrant grants[] = { promo("g", 10) };
    DrawLine    line = line_of(10, 0, 2);
    Drawing     drawing;
    (void)state;
    grants[0].expires_at = day(1);
    line.so_far = no_bill;
    Err *err = draw_begin(arena, (CreditGrants){ grants, 1 }, (DrawLines){ &line, 1 }, &drawing);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    line.so_far = far_down;
    err = draw_begin(arena, (CreditGrants){ grants, 1 }, (DrawLines){ &line, 1 }, &drawing);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
}

// A line that credit before tax paid for has no net that its tax could lie on.
static void test_nothing_is_left_to_pay(void **state)
{
    CreditGrant grants[] = { promo("a", 10), paid("b", 10), paid("c", 10) };
    DrawLine    lines[] = { line_of(10, 0, 2), line_of(0, 0, 2) };
    int64_t     taxes[] = { 2, 0 };
    Drawing     drawing;
    (void)state;
    draw(grants, 3, lines, 2, &drawing);
    assert_int_equal(drawn_of(&drawing, "a"), 10);
    draw_after_tax(&drawing, taxes);
    assert_int_equal(drawn_of(&drawing, "b"), 0);
    assert_int_equal(drawn_of(&drawing, "c"), 0);
    assert_int_equal(draw_total(&drawing), 10);
}

// Credit that is in force on the day of which nothing is due pays nothing; tax alone is paid too.
static void test_tax_without_net(void **state)
{
    CreditGrant grants[] = { promo("a", 4), paid("b", 10) };
    DrawLine    line = line_of(4, 0, 2);
    int64_t     tax = 1;
    Drawing     drawing;
    (void)state;
    grants[0].timing = CREDIT_AFTER_TAX;
    draw(grants, 2, &line, 1, &drawing);
    draw_after_tax(&drawing, &tax);
    assert_int_equal(drawn_of(&drawing, "a"), 4);
    assert_int_equal(drawn_of(&drawing, "b"), 1);
    assert_int_equal(draw_of_line(&drawing, 0), 5);
}

static void check_bounds(const Drawing *drawing)
{
    for (size_t i = 0; i < drawing->draw_count; i++) {
        const Draw *draw = &drawing->draws[i];
        int64_t     bound = worth(&drawing->lines.at[draw->line], &drawing->grants.at[draw->grant]);
        assert_true(draw->net > 0 && draw->net <= bound);
    }
    for (size_t i = 0; i < drawing->lines.count; i++)
        assert_true(draw_of_line(drawing, i) == 0 ||
                    draw_of_line(drawing, i) <= drawing->lines.at[i].net);
    for (size_t i = 0; i < drawing->grants.count; i++)
        assert_true(grant_left(&drawing->grants.at[i]) >= 0);
}

static void test_random_grants_keep_their_bounds(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(20260610);
    for (int round = 0; round < ROUNDS; round++) {
        static const char *const ids[GRANTS] = { "a", "b", "c", "d", "e" };
        CreditGrant              grants[GRANTS];
        DrawLine                 lines[LINES];
        int64_t                  at[LINES][DAYS + 1];
        Drawing                  drawing;
        for (size_t i = 0; i < GRANTS; i++) {
            grants[i] = promo(ids[i], 1 + (int64_t)seeded_below(&seeded, 90));
            grants[i].effective_at = day((int64_t)seeded_below(&seeded, DAYS + 2) - 1);
            grants[i].expires_at = day(grants[i].effective_at.us / INSTANT_DAY_US + 1 +
                                       (int64_t)seeded_below(&seeded, DAYS));
        }
        for (size_t i = 0; i < LINES; i++) {
            at[i][0] = 0;
            for (size_t d = 1; d <= DAYS; d++)
                at[i][d] = at[i][d - 1] + (int64_t)seeded_below(&seeded, 20) - 4;
            lines[i] = line_of(at[i][DAYS], 0, DAYS);
            lines[i].so_far = steps;
            lines[i].context = at[i];
        }
        draw(grants, GRANTS, lines, LINES, &drawing);
        check_bounds(&drawing);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_costs_sum_to_the_price),
        test_of(test_what_grants_in_force_have),
        test_of(test_the_order_of_grants),
        test_of(test_a_full_wallet_leaves_no_cent),
        test_of(test_what_was_used_before_and_after_is_not_paid),
        test_of(test_a_stretch_is_paid_once),
        test_of(test_a_price_that_falls),
        test_of(test_an_instant_is_in_force_or_not),
        test_of(test_charges_and_meters),
        test_of(test_tax_follows_the_part_that_is_paid),
        test_of(test_a_part_that_is_refused_or_beyond_numbers),
        test_of(test_nothing_is_left_to_pay),
        test_of(test_tax_without_net),
        test_of(test_random_grants_keep_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
