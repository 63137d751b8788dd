// SPDX-License-Identifier: Apache-2.0
// A side is a subscription whose plan may be replaced: then the changes of plan and overrides in
// its log do not count, what is left of the log does, and flow/bill folds and bills it like any
// other.
#include "flow/simulate/reprice.h"

#include <stdlib.h>

#include "base/assert.h"
#include "catalog/terms.h"
#include "price/patch.h"

// A document with the patch of a phase.
typedef struct PatchedPlan {
    Str         patch;
    const Plan *plan;
} PatchedPlan;

typedef struct Side {
    Repricing            *repricing;
    const SimulationSide *wanted;
    PlanSource            plans;
    VECTOR(PatchedPlan)   patched;
} Side;

struct Repricing {
    Arena       *arena;  // for as long as it lives
    RepriceFacts facts;
    Side         before, after;
    Str          quantities;  // JSON object of the request
};

// ---- where plans come from

static Err *plan_stored(void *context, Arena *arena, const PlanWanted *wanted, const Plan **plan)
{
    const Side *side = context;
    return catalog_plan_parsed(side->repricing->facts.catalog, arena, wanted, plan);
}

static Err *plan_patched(Side *side, const Json *document, Str patch, const Plan **plan)
{
    Arena      *arena = side->repricing->arena;
    Faults      faults = { .arena = arena };
    Json       *parsed;
    TRY(json_parse_copy(arena, patch, &parsed));
    const Json *merged = plan_patch(arena, document, parsed, STR("/overrides"), &faults);
    *plan = merged == NULL ? NULL : plan_from_json(merged, STR(""), STR_NONE, &faults);
    return *plan == NULL ? faults.first : NULL;
}

// The document itself, or with the overrides of one of its phases.
static Err *plan_given(void *context, Arena *arena, const PlanWanted *wanted, const Plan **plan)
{
    Side       *side = context;
    PatchedPlan made = { STR_NONE, NULL };
    for (size_t i = 0; i < wanted->patch_count; i++)
        if (wanted->patches[i].at != NULL)
            made.patch = wanted->patches[i];
    if (made.patch.at == NULL) {
        *plan = side->wanted->plan;
        return NULL;
    }
    for (size_t i = 0; i < side->patched.count; i++)
        if (str_equal(side->patched.at[i].patch, made.patch)) {
            *plan = side->patched.at[i].plan;
            return NULL;
        }
    Err *err = plan_patched(side, side->wanted->document, made.patch, &made.plan);
    if (err != NULL)
        return refuse(arena, ERR_PLAN_INVALID, STR_NONE, "a phase does not fit its plan: %.*s",
                      STR_ARG(err->detail));
    made.patch = str_copy(side->repricing->arena, made.patch);
    vector_push(&side->patched, made);
    *plan = made.plan;
    return NULL;
}

static void side_open(Repricing *repricing, Side *side, const SimulationSide *wanted)
{
    side->repricing = repricing;
    side->wanted = wanted;
    side->plans.plan = wanted->kind == SIDE_DOCUMENT ? plan_given : plan_stored;
    side->plans.context = side;
}

Repricing *repricing_open(Arena *arena, const RepriceFacts *facts)
{
    Repricing *repricing = arena_new(arena, Repricing);
    Text       quantities = text_open(arena);
    JsonOut    out = json_out(&quantities);
    repricing->arena = arena;
    repricing->facts = *facts;
    side_open(repricing, &repricing->before, &facts->request->before);
    side_open(repricing, &repricing->after, &facts->request->after);
    if (facts->request->quantities != NULL)
        json_value(&out, facts->request->quantities);
    else
        text_add(&quantities, STR("{}"));
    repricing->quantities = text_str(&quantities);
    return repricing;
}

void repricing_close(Repricing *repricing)
{
    vector_release(&repricing->before.patched);
    vector_release(&repricing->after.patched);
}

// ---- timelines

typedef struct Facts {
    Repricing          *repricing;
    Arena              *arena;
    const RosterEntry  *entry;
    SubscriptionHistory history;
    AccountZones        zones;
} Facts;

static Err *timeline_of(const Facts *facts, Side *side, SubscriptionHistory history,
                        Timeline *timeline)
{
    const RepriceFacts *shared = &facts->repricing->facts;
    TimelineFacts       wanted = { .project = shared->simulation->project,
                                   .history = history,
                                   .known_at = shared->simulation->rated_at,
                                   .zones = facts->zones.at,
                                   .zone_count = facts->zones.count,
                                   .project_zone = shared->project_zone,
                                   .plans = side->plans };
    return timeline_fold(facts->arena, &wanted, timeline);
}

// The log without changes of plan and overrides, which do not fit another plan.
static SubscriptionHistory history_without_plans(const Facts *facts, const Subscription *first)
{
    SubscriptionChange *kept =
        arena_array(facts->arena, SubscriptionChange, facts->history.count);
    for (size_t i = 0; i < facts->history.count; i++) {
        kept[i] = facts->history.changes[i];
        kept[i].plan = kept[i].overrides = STR_NONE;
        kept[i].plan_version = 0;
        kept[i].has_overrides = false;
        if (kept[i].kind == CHANGE_MIGRATE)
            kept[i].kind = CHANGE_TERMS;
    }
    return (SubscriptionHistory){ first, kept, facts->history.count };
}

// The subscription as it is, or all its life under the side's plan.
static Err *side_timeline(const Facts *facts, Side *side, Timeline *timeline)
{
    const SimulationSide *wanted = side->wanted;
    Subscription         *first = arena_new(facts->arena, Subscription);
    if (wanted->kind == SIDE_CURRENT)
        return timeline_of(facts, side, facts->history, timeline);
    *first = *facts->history.first;
    first->plan = wanted->plan_id.at == NULL ? STR("simulated") : wanted->plan_id;
    first->plan_version = wanted->kind == SIDE_VERSION ? wanted->version : 1;
    first->overrides = first->phases = STR_NONE;
    first->quantities =
        quantities_merge(facts->arena, facts->repricing->quantities, first->quantities);
    return timeline_of(facts, side, history_without_plans(facts, first), timeline);
}

static bool spans_meet(Span a, Span b)
{
    return a.start.us < b.end.us && b.start.us < a.end.us;
}

static Span range_of(const Repricing *repricing)
{
    return (Span){ repricing->facts.request->from, repricing->facts.request->to };
}

static bool is_on_plan(const Timeline *timeline, Str plan, Span range)
{
    for (size_t i = 0; i < timeline->term_count; i++)
        if (str_equal(timeline->terms[i].plan_id, plan) &&
            spans_meet(timeline->terms[i].span, range))
            return true;
    return false;
}

// *wanted: is it one that is repriced?
static Err *is_replaced(const Facts *facts, bool *wanted)
{
    Repricing *repricing = facts->repricing;
    Str        plan = repricing->facts.request->replaces;
    Side       current = { .repricing = repricing, .plans = { plan_stored, &current } };
    Timeline   timeline;
    *wanted = true;
    if (plan.at == NULL)
        return NULL;
    TRY(timeline_of(facts, &current, facts->history, &timeline));
    *wanted = is_on_plan(&timeline, plan, range_of(repricing));
    return NULL;
}

static Err *pair_add(const Facts *facts, RepriceAccount *account)
{
    Repricing   *repricing = facts->repricing;
    RepricePair *pair = &account->pairs[account->count];
    TRY(side_timeline(facts, &repricing->before, &pair->before));
    TRY(side_timeline(facts, &repricing->after, &pair->after));
    if (!spans_meet(pair->after.active, range_of(repricing)))
        return NULL;
    for (size_t i = 0; i < account->count; i++)
        if (spans_meet(account->pairs[i].after.active, pair->after.active))
            account->warnings |= 1U << WARN_COUNTED_TWICE;
    account->count++;
    return NULL;
}

static Err *subscription_prepare(Facts *facts, const Subscription *row, RepriceAccount *account)
{
    const RepriceFacts *shared = &facts->repricing->facts;
    bool                wanted;
    facts->history = (SubscriptionHistory){ row, NULL, 0 };
    if (row->changes > 0)
        TRY(catalog_subscription_history(shared->catalog, facts->arena, shared->simulation->project,
                                         row->id, &facts->history));
    TRY(is_replaced(facts, &wanted));
    return wanted ? pair_add(facts, account) : NULL;
}

// As if it had one from the beginning of the range on.
static Err *made_up_prepare(Facts *facts, RepriceAccount *account)
{
    const SimulationRequest *request = facts->repricing->facts.request;
    Subscription            *made = arena_new(facts->arena, Subscription);
    account->warnings |= 1U << WARN_NO_SUBSCRIPTION;
    if (request->before.kind == SIDE_CURRENT || request->replaces.at != NULL)
        return NULL;
    *made = (Subscription){ .id = STR(""),
                            .account = facts->entry->account,
                            .plan = STR("simulated"),
                            .plan_version = 1,
                            .starts_at = request->from,
                            .quantities = STR("{}"),
                            .created_at = request->from };
    facts->history = (SubscriptionHistory){ made, NULL, 0 };
    return pair_add(facts, account);
}

static Err *account_prepare(Facts *facts, RepriceAccount *account)
{
    const RepriceFacts *shared = &facts->repricing->facts;
    size_t              count = 1;
    TRY(catalog_account_zones(shared->catalog, facts->arena, shared->simulation->project,
                              facts->entry->account, &facts->zones));
    for (const Subscription *row = facts->entry->first; row != NULL; row = roster_next(row))
        count++;
    account->pairs = arena_array(facts->arena, RepricePair, count);
    for (const Subscription *row = facts->entry->first; row != NULL; row = roster_next(row))
        TRY(subscription_prepare(facts, row, account));
    return account->count == 0 ? made_up_prepare(facts, account) : NULL;
}

// What the account's own facts cause; the rest is a defect or the disk's.
static bool is_its_own(const Err *err)
{
    return err_status(err->code) < 500;
}

Err *reprice_prepare(Repricing *repricing, Arena *arena, const RosterEntry *entry,
                     RepriceAccount *account)
{
    Facts facts = { .repricing = repricing, .arena = arena, .entry = entry };
    *account = (RepriceAccount){ .entry = entry };
    Err *err = account_prepare(&facts, account);
    if (err == NULL || !is_its_own(err))
        return err;
    account->refusal = err;
    account->count = 0;
    return NULL;
}

// ---- periods

// The first instant from which a period may begin that counts.
static Instant periods_begin(const Repricing *repricing, const Timeline *timeline)
{
    Instant from = repricing->facts.request->from;
    if (timeline->active.start.us >= from.us)
        return timeline->active.start;
    if (timeline->active.end.us <= from.us)
        return timeline->active.end;
    Period period = timeline_period(timeline, from);
    return period.service.start.us < from.us ? period.service.end : from;
}

// The next period that begins in the range and not after T; *at moves behind it. False: none.
static bool period_next(const Repricing *repricing, const Timeline *timeline, Instant *at,
                        Period *period)
{
    const RepriceFacts *facts = &repricing->facts;
    if (timeline->term_count == 0 || at->us >= timeline->active.end.us ||
        at->us >= facts->request->to.us || at->us >= facts->simulation->rated_at.us)
        return false;
    *period = timeline_period(timeline, *at);
    assert_that(period->service.end.us > at->us);
    *at = period->service.end;
    return true;
}

static void side_windows(const Repricing *repricing, const Timeline *timeline,
                         RepriceWindows *windows)
{
    Period period;
    if (timeline->term_count == 0)
        return;
    for (Instant at = periods_begin(repricing, timeline);
         period_next(repricing, timeline, &at, &period);) {
        UsageWindow window = { period.service.start, period.service.end };
        vector_push(&windows->at, window);
    }
}

void reprice_windows(const Repricing *repricing, const RepriceAccount *account,
                     RepriceWindows *windows)
{
    for (size_t i = 0; i < account->count; i++) {
        side_windows(repricing, &account->pairs[i].before, windows);
        side_windows(repricing, &account->pairs[i].after, windows);
    }
}

// ---- bills

typedef enum SideName { SIDE_BEFORE, SIDE_AFTER } SideName;

typedef struct Pricing {
    Repricing   *repricing;
    Arena       *arena;
    UsageMoment *moment;
    Str          subscription;
    uint32_t     warnings;
    VECTOR(RepricedLine) lines;
} Pricing;

static Str group_text(Arena *arena, const Line *line)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    if (line->group == NULL || line->charge == NULL || line->charge->group_count == 0)
        return STR("");
    json_object(&out);
    for (size_t i = 0; i < line->charge->group_count; i++) {
        json_name(&out, line->charge->group_by[i]);
        if (line->group[i].at == NULL)
            json_null(&out);
        else
            json_string(&out, line->group[i]);
    }
    json_object_end(&out);
    return text_str(&text);
}

static void line_add(Pricing *pricing, const Bill *bill, const Line *line, SideName side)
{
    int64_t net = line_net(line).minor;
    RepricedLine priced = {
        .subscription = pricing->subscription,
        .period = bill->period,
        .kind = line->kind,
        .charge = line->charge == NULL ? STR("") : line->charge->id,
        .group = group_text(pricing->arena, line),
        .currency = str_copy(pricing->arena, currency_code(&bill->currency)),
        .before = side == SIDE_BEFORE ? net : 0,
        .after = side == SIDE_AFTER ? net : 0,
    };
    vector_push(&pricing->lines, priced);
}

static Err *period_price(Pricing *pricing, const Timeline *timeline, const Period *period,
                         SideName side)
{
    const RepriceFacts *facts = &pricing->repricing->facts;
    Bill                bill;
    PeriodQuery         query = { .catalog = facts->catalog,
                                  .moment = pricing->moment,
                                  .project = facts->simulation->project,
                                  .timeline = timeline,
                                  .at = facts->simulation->rated_at,
                                  .lines = LINES_ALL };
    TRY(period_bill(pricing->arena, &query, period, &bill));
    bill.period = period->service;
    for (size_t i = 0; i < bill.count; i++)
        line_add(pricing, &bill, &bill.lines[i], side);
    if (period->service.end.us > facts->simulation->rated_at.us)
        pricing->warnings |= 1U << WARN_PERIOD_RUNS;
    return NULL;
}

static Err *side_price(Pricing *pricing, const Timeline *timeline, SideName side)
{
    Period period;
    if (timeline->term_count == 0)
        return NULL;
    for (Instant at = periods_begin(pricing->repricing, timeline);
         period_next(pricing->repricing, timeline, &at, &period);)
        TRY(period_price(pricing, timeline, &period, side));
    return NULL;
}

static bool periods_differ(const Repricing *repricing, const RepricePair *pair)
{
    Period  before, after;
    Instant at_before = periods_begin(repricing, &pair->before);
    Instant at_after = periods_begin(repricing, &pair->after);
    bool    has_before, has_after;
    do {
        has_before = period_next(repricing, &pair->before, &at_before, &before);
        has_after = period_next(repricing, &pair->after, &at_after, &after);
        if (has_before != has_after || (has_before && at_before.us != at_after.us))
            return true;
    } while (has_before);
    return false;
}

static bool currencies_differ(const RepricePair *pair)
{
    return pair->before.term_count > 0 && pair->after.term_count > 0 &&
           !currency_equal(pair->before.terms[pair->before.term_count - 1].plan->currency,
                           pair->after.terms[pair->after.term_count - 1].plan->currency);
}

static Err *pair_price(Pricing *pricing, const RepricePair *pair)
{
    const Timeline *any = pair->before.term_count > 0 ? &pair->before : &pair->after;
    pricing->subscription = any->subscription->id;
    TRY(side_price(pricing, &pair->before, SIDE_BEFORE));
    TRY(side_price(pricing, &pair->after, SIDE_AFTER));
    if (periods_differ(pricing->repricing, pair))
        pricing->warnings |= 1U << WARN_PERIODS_DIFFER;
    if (currencies_differ(pair))
        pricing->warnings |= 1U << WARN_CURRENCIES_DIFFER;
    return NULL;
}

// ---- lines of both sides as one

static int instants_order(Instant a, Instant b)
{
    return (a.us > b.us) - (a.us < b.us);
}

static int by_key(const void *a, const void *b)
{
    const RepricedLine *left = a, *right = b;
    int                 order = str_compare(left->subscription, right->subscription);
    if (order == 0)
        order = instants_order(left->period.start, right->period.start);
    if (order == 0)
        order = instants_order(left->period.end, right->period.end);
    if (order == 0)
        order = str_compare(left->charge, right->charge);
    if (order == 0)
        order = (int)left->kind - (int)right->kind;
    if (order == 0)
        order = str_compare(left->group, right->group);
    return order != 0 ? order : str_compare(left->currency, right->currency);
}

static Err *lines_join(Pricing *pricing, RepricedAccount *repriced)
{
    RepricedLine *lines = pricing->lines.at;
    size_t        kept = 0;
    bool          overflows = false;
    if (pricing->lines.count > 1)
        qsort(lines, pricing->lines.count, sizeof *lines, by_key);
    for (size_t i = 0; i < pricing->lines.count; i++) {
        RepricedLine line = lines[i];
        while (i + 1 < pricing->lines.count && by_key(&line, &lines[i + 1]) == 0) {
            i++;
            overflows |= __builtin_add_overflow(line.before, lines[i].before, &line.before);
            overflows |= __builtin_add_overflow(line.after, lines[i].after, &line.after);
        }
        if (line.before != 0 || line.after != 0)
            lines[kept++] = line;
    }
    repriced->lines = arena_copy(pricing->arena, lines, kept * sizeof *lines);
    repriced->count = kept;
    if (overflows)
        return refuse(pricing->arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "amounts of one line add up to more than 63 bits of minor units");
    return NULL;
}

static Err *pairs_price(Pricing *pricing, const RepriceAccount *account,
                        RepricedAccount *repriced)
{
    for (size_t i = 0; i < account->count; i++)
        TRY(pair_price(pricing, &account->pairs[i]));
    return lines_join(pricing, repriced);
}

static void refused(const RepriceAccount *account, const Err *err, RepricedAccount *repriced)
{
    *repriced = (RepricedAccount){ .account = account->entry->account,
                                   .warnings = 1U << WARN_REFUSED,
                                   .refusal = str_of(err_name(err->code)),
                                   .detail = err->detail };
}

Err *reprice_price(Repricing *repricing, Arena *arena, UsageMoment *moment,
                   const RepriceAccount *account, RepricedAccount *repriced)
{
    Pricing pricing = { .repricing = repricing,
                        .arena = arena,
                        .moment = moment,
                        .warnings = account->warnings };
    Err *err = account->refusal;
    *repriced = (RepricedAccount){ .account = account->entry->account,
                                   .refusal = STR(""),
                                   .detail = STR("") };
    if (err == NULL)
        err = pairs_price(&pricing, account, repriced);
    repriced->warnings = pricing.warnings;
    vector_release(&pricing.lines);
    if (err == NULL)
        return NULL;
    if (!is_its_own(err))
        return err;
    refused(account, err, repriced);
    return NULL;
}
