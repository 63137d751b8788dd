// SPDX-License-Identifier: Apache-2.0
// A commitment: so much is due for the metered lines, at a discount. With d the discount, list
// usage of amount / (1 - d) is covered by it.
//   10,000 at 18 %, list 23,168.52: all of it discounted -> 18,998.19
//   with overageFactor 1: 10,000 + (23,168.52 - 12,195.12...) = 20,973.40
// With a term the amount is that of the term: what its earlier periods counted is given, and what
// is missing is due in its last one.
#include "price/price_inside.h"

typedef struct Committed {
    Picked          picked;
    Rational        amount;  // committed, of this period or of the term
    Rational        list;    // what the metered lines come to
    CommitmentCount before;  // what the term counted earlier
    Rational        off;     // the discount, exact
    Rational        overage; // list price of what is beyond the commitment; 0 without a factor
} Committed;

static Picked pick_metered(Rating *rating)
{
    const Commitment *commitment = &rating->plan->commitment;
    Picked            picked = picked_none(rating, rating->count);
    for (size_t i = 0; i < rating->count; i++) {
        const Line *line = &rating->lines[i];
        if (line->kind != LINE_USAGE)
            continue;
        if (commitment->charge_count == 0 ||
            names_charge(commitment->charges, commitment->charge_count, line->charge))
            pick_line(rating, &picked, i);
    }
    return picked;
}

static void amount_fill(Rating *rating, Committed *committed)
{
    const PlanAmount   *amount = &rating->plan->commitment.amount;
    const TermProgress *term = &rating->inputs->term;
    if (rating->plan->commitment.term.every == 0) {
        committed->amount = prorated_amount(rating, amount);
        committed->before = commitment_count_none(rating->plan->currency);
        return;
    }
    Rational share = share_of(rating, amount->prorate, term->full, term->service);
    committed->amount = rational_multiply(rating->arena, amount->amount, share);
    committed->before = term->before;
}

static Committed committed_of(Rating *rating, const Picked *picked)
{
    Arena            *arena = rating->arena;
    const Commitment *commitment = &rating->plan->commitment;
    Rational          percent = commitment->discount_percent;
    Committed         committed = { .picked = *picked, .overage = rational_zero() };
    amount_fill(rating, &committed);
    committed.list = rational_greatest(money_exact(arena, picked->sum), rational_zero());
    Rational kept =
        rational_subtract(arena, rational_one(), percent_of(arena, rational_one(), percent));
    Rational covered = rational_subtract(arena, rational_divide(arena, committed.amount, kept),
                                         committed.before.list);
    covered = rational_greatest(covered, rational_zero());
    if (commitment->overage_factor.given && rational_compare(committed.list, covered) > 0)
        committed.overage = rational_subtract(arena, committed.list, covered);
    committed.off =
        percent_of(arena, rational_subtract(arena, committed.list, committed.overage), percent);
    return committed;
}

static void discount_take(Rating *rating, const Committed *committed)
{
    Arena *arena = rating->arena;
    Money  off = rating_round_part(rating, committed->off);
    Step   told = { .op = STEP_COMMITMENT };
    step_set_rational(&told, arena, "commitment", committed->amount);
    if (rational_sign(committed->before.list) > 0)
        step_set_rational(&told, arena, "before", committed->before.list);
    step_set_rational(&told, arena, "list", committed->list);
    step_set_rational(&told, arena, "discountPercent", rating->plan->commitment.discount_percent);
    if (rational_sign(committed->overage) > 0)
        step_set_rational(&told, arena, "overage", committed->overage);
    step_set(&told, "discount", money_print(arena, off));
    take_off(rating, &committed->picked, off, &told);
}

// The list price of the overage is in the lines: a factor below 1 takes off them, one above 1 is a
// line of its own.
static void overage_take(Rating *rating, Rational overage, Rational less)
{
    Arena *arena = rating->arena;
    Picked picked = pick_metered(rating);
    Money  off = rating_round_part(rating, less);
    Step   told = { .op = STEP_OVERAGE };
    if (money_compare(off, picked.left) > 0)
        off = picked.left;
    step_set_rational(&told, arena, "overage", overage);
    step_set_rational(&told, arena, "overageFactor", rating->plan->commitment.overage_factor.value);
    step_set(&told, "discount", money_print(arena, off));
    take_off(rating, &picked, off, &told);
}

static Err *overage_line(Rating *rating, Rational overage, Rational more)
{
    Arena *arena = rating->arena;
    Line  *line = rating_line(rating, LINE_OVERAGE, NULL);
    Step  *step = steps_add(&line->steps, arena, STEP_OVERAGE);
    line->description = STR("Overage");
    step_set_rational(step, arena, "overage", overage);
    step_set_rational(step, arena, "overageFactor", rating->plan->commitment.overage_factor.value);
    step_set_rational(step, arena, "amount", more);
    return line_finish(rating, line, more);
}

static Err *overage_apply(Rating *rating, Rational overage)
{
    Arena   *arena = rating->arena;
    Rational factor = rating->plan->commitment.overage_factor.value;
    Rational more =
        rational_multiply(arena, overage, rational_subtract(arena, factor, rational_one()));
    if (rational_sign(more) > 0)
        return overage_line(rating, overage, more);
    overage_take(rating, overage, rational_negate(arena, more));
    return NULL;
}

// What the term has counted up to and with this period.
static Err *count_up(Rating *rating, const Committed *committed, Money net)
{
    CommitmentCount *count = &rating->commitment;
    count->list = rational_add(rating->arena, committed->before.list, committed->list);
    if (!money_add(committed->before.net, net, &count->net))
        return rating_too_large(rating, STR("the commitment"));
    return NULL;
}

// Whether what is missing is due in this bill.
static bool is_settled(const Rating *rating)
{
    const Commitment *commitment = &rating->plan->commitment;
    bool              ends = commitment->term.every == 0 || rating->inputs->term.ends_here;
    return commitment->true_up && ends && plan_is_over(rating);
}

Err *commitment_apply(Rating *rating)
{
    Line      like = { .description = STR("Commitment, true-up") };
    Picked    picked = pick_metered(rating);
    Committed committed = committed_of(rating, &picked);
    discount_take(rating, &committed);
    if (rational_sign(committed.overage) > 0)
        TRY(overage_apply(rating, committed.overage));
    picked = pick_metered(rating);
    TRY(count_up(rating, &committed, picked.sum));
    if (!is_settled(rating))
        return NULL;
    return missing_line(rating, STEP_TRUE_UP, &like, committed.amount, rating->commitment.net);
}
