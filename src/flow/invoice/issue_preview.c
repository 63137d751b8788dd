// SPDX-License-Identifier: Apache-2.0
// Invoices before they are made. Those of an account and currency are made in memory one after the
// other with the functions that make them for real, each with what those before it leave of credit,
// balance and charges; so what is shown is what is billed. Nothing is stored.
#include "base/assert.h"
#include "flow/invoice/issue_waiting.h"
#include "flow/invoice/late_inside.h"

// Of a subscription; beyond that what they contained is told from the log. Of a search.
enum { OVERDUE_MAX = 16, STEPS_MAX = 64 };

// ---- what the invoices before leave

// Whether more is overdue than is made in memory: the search begins behind it then.
static Err *overdue_count(Arena *arena, const IssueAhead *ahead, const TimelineFacts *facts,
                          AheadPart *part)
{
    Instant at = part->until;
    bool    found = true, is_too_much = ahead->is_by_log;
    for (int count = 0; !is_too_much && found && at.us <= ahead->from.us; count++) {
        TRY(due_next(arena, facts, at, &at, &found));
        is_too_much = count == OVERDUE_MAX;
    }
    if (is_too_much) {
        part->is_by_log = true;
        part->until = ahead->from;
    }
    return NULL;
}

static AheadPart *part_find(const IssueAhead *ahead, Str subscription)
{
    for (size_t i = 0; i < ahead->part_count; i++)
        if (str_equal(ahead->parts[i].subscription, subscription))
            return &ahead->parts[i];
    return NULL;
}

static void part_add(Arena *arena, IssueAhead *ahead, const AheadPart *part)
{
    if (ahead->part_count == ahead->part_room) {
        size_t     room = ahead->part_room == 0 ? 4 : 2 * ahead->part_room;
        AheadPart *more = arena_array(arena, AheadPart, room);
        for (size_t i = 0; i < ahead->part_count; i++)
            more[i] = ahead->parts[i];
        ahead->parts = more;
        ahead->part_room = room;
    }
    ahead->parts[ahead->part_count++] = *part;
}

Err *issue_ahead_part(Arena *arena, IssueAhead *ahead, const TimelineFacts *facts,
                      const IssueProgress *progress, AheadPart *part)
{
    const AheadPart *known = part_find(ahead, progress->subscription);
    if (known != NULL) {
        *part = *known;
        return NULL;
    }
    *part = (AheadPart){ .subscription = progress->subscription,
                         .until = instant_earlier(progress->until, ahead->from),
                         .is_by_log = !progress->is_stored };
    TRY(overdue_count(arena, ahead, facts, part));
    part_add(arena, ahead, part);
    return NULL;
}

static bool row_is_of(const IssueLineRow *row, const IssueBilled *wanted)
{
    bool is_of = str_equal(row->subscription, wanted->subscription) &&
                 row->service_start.us >= wanted->from.us;
    assert_that(!is_of || row->boundary.us <= wanted->until.us);  // of an invoice before
    return is_of;
}

void issue_ahead_rows(Arena *arena, const IssueBilled *wanted, IssueLineRow **rows, size_t *count)
{
    const IssueAhead *ahead = wanted->ahead;
    IssueLineRow     *all = arena_array(arena, IssueLineRow, *count + ahead->row_count);
    size_t            known = 0;
    for (; known < *count; known++)
        all[known] = (*rows)[known];
    for (size_t i = 0; i < ahead->row_count; i++)
        if (row_is_of(&ahead->rows[i], wanted))
            all[known++] = ahead->rows[i];
    *rows = all;
    *count = known;
}

static int64_t reserve(const IssueAhead *ahead, CreditGrant *grant)
{
    for (size_t i = 0; i < ahead->draw_count; i++)
        if (str_equal(grant->id, ahead->draws[i].grant))
            grant->reserved += ahead->draws[i].amount;
    return grant_left(grant);
}

int64_t issue_ahead_restored(const IssueAhead *ahead, Str invoice)
{
    int64_t sum = 0;
    for (size_t i = 0; i < ahead->restore_count; i++)
        if (str_equal(ahead->restores[i].invoice, invoice))
            sum += ahead->restores[i].amount;
    return sum;
}

// One that was used up, or has expired, is active again.
static CreditGrant *grant_back(Arena *arena, CreditGrants *grants, const CreditGrant *grant)
{
    for (size_t i = 0; i < grants->count; i++)
        if (str_equal(grants->at[i].id, grant->id))
            return &grants->at[i];
    CreditGrant *more = arena_array(arena, CreditGrant, grants->count + 1);
    for (size_t i = 0; i < grants->count; i++)
        more[i] = grants->at[i];
    more[grants->count] = *grant;
    grants->at = more;
    return &more[grants->count++];
}

static Err *restores_add(DbTx *tx, const IssueAhead *ahead, const CreditWallet *wallet,
                         CreditGrants *grants)
{
    for (size_t i = 0; i < ahead->restore_count; i++) {
        const LateRestore *one = &ahead->restores[i];
        CreditRestore      wanted = { .wallet = *wallet,
                                      .of = late_draw_source(db_arena(tx), one->invoice),
                                      .amount = one->amount };
        CreditBack        *parts;
        size_t             count;
        TRY(credit_restore_parts(tx, &wanted, &parts, &count));
        for (size_t k = 0; k < count; k++)
            if (parts[k].amount > 0)
                grant_back(db_arena(tx), grants, &parts[k].grant)->drawn -= parts[k].amount;
    }
    return NULL;
}

Err *issue_ahead_grants(DbTx *tx, const IssueAhead *ahead, const CreditWallet *wallet,
                        CreditGrants *grants)
{
    size_t kept = 0;
    TRY(credit_grants_active(tx, wallet, grants));
    if (ahead == NULL)
        return NULL;
    TRY(restores_add(tx, ahead, wallet, grants));
    for (size_t i = 0; i < grants->count; i++)
        if (reserve(ahead, &grants->at[i]) > 0)
            grants->at[kept++] = grants->at[i];
    grants->count = kept;
    return NULL;
}

// ---- one invoice

typedef struct Made {
    IssueDraft    draft;
    bool          takes_charges;
    IssuePriced   priced;
    IssueLineRow *rows;
    int64_t       balance_used;
    Str           document;  // STR_NONE: nothing is on it
} Made;

// As issue_post.c uses it, behind what the invoice itself gives to it.
static Err *balance_share(DbTx *tx, Made *made)
{
    const IssueDraft *draft = &made->draft;
    LedgerName        name = { LEDGER_CUSTOMER_BALANCE, draft->account, draft->currency };
    int64_t           owed = made->priced.total - made->priced.credits, balance;
    TRY(ledger_balance(tx, draft->query->project, &name, &balance));
    balance = -balance + made->priced.to_balance + draft->ahead->balance;
    made->balance_used = issue_balance_used(balance, owed);
    return NULL;
}

static Err *made_work(DbTx *tx, void *context)
{
    Made  *made = context;
    Arena *arena = db_arena(tx);
    if (made->takes_charges)
        TRY(issue_charges_add(tx, &made->draft));
    if (made->takes_charges && made->draft.count == 0)
        return NULL;
    TRY(issue_price(tx, &made->draft, &made->priced));
    TRY(balance_share(tx, made));
    IssuedInvoice row = { .kind = made->draft.kind,
                          .account = made->draft.account,
                          .currency = made->draft.currency,
                          .boundary = made->draft.boundary,
                          .total = made->priced.total,
                          .credits = made->priced.credits,
                          .balance_used = made->balance_used,
                          .head = issue_head(arena, &made->priced) };
    made->rows = issue_rows(arena, &made->priced, true);
    made->document = issue_document(arena, &row, made->rows, made->draft.count);
    return NULL;
}

// ---- taking it off for those behind it

static void rows_take(Arena *arena, IssueAhead *ahead, const Made *made)
{
    size_t        count = made->draft.count;
    IssueLineRow *all = arena_array(arena, IssueLineRow, ahead->row_count + count);
    for (size_t i = 0; i < ahead->row_count; i++)
        all[i] = ahead->rows[i];
    for (size_t i = 0; i < count; i++)
        all[ahead->row_count + i] = made->rows[i];
    ahead->rows = all;
    ahead->row_count += count;
}

static void draws_take(Arena *arena, IssueAhead *ahead, const Made *made)
{
    GrantDraw *draws;
    size_t     count;
    if (!made->priced.has_drawing)
        return;
    draw_by_grant(&made->priced.drawing, &draws, &count);
    GrantDraw *all = arena_array(arena, GrantDraw, ahead->draw_count + count);
    for (size_t i = 0; i < ahead->draw_count; i++)
        all[i] = ahead->draws[i];
    for (size_t i = 0; i < count; i++)
        all[ahead->draw_count + i] = draws[i];
    ahead->draws = all;
    ahead->draw_count += count;
}

// An invoice is there once: what is given back of its draw is of one amount.
static void restore_take(Arena *arena, IssueAhead *ahead, const LateRestore *restore)
{
    for (size_t i = 0; i < ahead->restore_count; i++)
        if (str_equal(ahead->restores[i].invoice, restore->invoice)) {
            ahead->restores[i].amount += restore->amount;
            return;
        }
    LateRestore *all = arena_array(arena, LateRestore, ahead->restore_count + 1);
    for (size_t i = 0; i < ahead->restore_count; i++)
        all[i] = ahead->restores[i];
    all[ahead->restore_count++] = *restore;
    ahead->restores = all;
}

// What the books have of it is not taken off again.
static bool is_in_books(const IssueDraft *draft)
{
    for (size_t i = 0; i < draft->part_count; i++)
        if (draft->parts[i].until.us >= draft->boundary.us)
            return true;
    return false;
}

static void made_take(Arena *arena, IssueAhead *ahead, const Made *made)
{
    const IssueDraft *draft = &made->draft;
    for (size_t i = 0; i < draft->part_count; i++)
        part_find(ahead, draft->parts[i].subscription)->until = draft->boundary;
    if (is_in_books(draft))
        return;
    rows_take(arena, ahead, made);
    draws_take(arena, ahead, made);
    for (size_t i = 0; i < made->priced.restore_count; i++)
        restore_take(arena, ahead, &made->priced.restores[i]);
    for (size_t i = 0; i < draft->count; i++)
        ahead->charges += draft->lines[i].charge_id.at != NULL;
    ahead->balance += made->priced.to_balance - made->balance_used;
}

// ---- one after the other

typedef struct Previewing {
    Arena                   *arena;
    const IssuePreviewQuery *query;
    IssueAhead               ahead;
    IssuePreview             shown;
    bool                     is_done;
} Previewing;

static IssueWanted wanted_of(Previewing *previewing)
{
    return (IssueWanted){ .account = previewing->query->account,
                          .currency = currency_code(&previewing->query->currency),
                          .ahead = &previewing->ahead };
}

static Err *made_read(const Previewing *previewing, Made *made)
{
    return db_read(previewing->query->issue->books, previewing->arena, made_work, made);
}

// When the month of charges that wait ends, unless an invoice before has taken them. *found is
// false: none waits.
static Err *waiting_due(const Previewing *previewing, const IssueDraft *draft, Instant *due,
                        bool *found)
{
    WaitingQuery   wanted = { previewing->query->issue, previewing->query->account,
                              currency_code(&previewing->query->currency), draft->time_zone };
    WaitingCharges waiting = { .due = INSTANT_END };
    *found = false;
    if (previewing->ahead.charges == 0)
        TRY(issue_waiting(previewing->arena, &wanted, &waiting, found));
    *due = waiting.due;
    return NULL;
}

// Nothing of a subscription comes any more: charges that wait are due now, or since their month
// ended.
static Err *charges_only(Previewing *previewing, Made *made)
{
    IssuePreview *shown = &previewing->shown;
    Instant       due;
    bool          found;
    previewing->is_done = true;
    if (shown->next.at != NULL)
        return NULL;
    TRY(waiting_due(previewing, &made->draft, &due, &found));
    made->draft.currency = previewing->query->currency;
    made->draft.boundary = instant_earlier(due, previewing->query->issue->now);
    TRY(made_read(previewing, made));
    shown->next = made->document;
    return NULL;
}

// What nothing is overdue with, and whose month ends before the boundary, is billed by itself: the
// draft becomes that one. What was found is found again behind it.
static Err *charges_first(const Previewing *previewing, IssueDraft *draft)
{
    Instant due;
    bool    found;
    if (draft->boundary.us <= previewing->query->issue->now.us)
        return NULL;
    TRY(waiting_due(previewing, draft, &due, &found));
    if (!found || due.us >= draft->boundary.us)
        return NULL;
    draft->boundary = due;
    draft->count = draft->part_count = 0;
    return NULL;
}

static Err *step_take(Previewing *previewing, Made *made)
{
    const IssuePreviewQuery *query = previewing->query;
    const Instant           *at = query->at;
    TRY(charges_first(previewing, &made->draft));
    Instant boundary = made->draft.boundary;
    bool    is_behind = boundary.us > query->issue->now.us;
    if (is_in_books(&made->draft) && boundary.us == query->issue->now.us) {
        made->draft.count = 0;  // one was made at this very instant: the rest is on the next one
        made->takes_charges = false;
    }
    TRY(made_read(previewing, made));
    if (at != NULL && boundary.us == at->us)
        previewing->shown.at = made->document;
    if (is_behind && previewing->shown.next.at == NULL)
        previewing->shown.next = made->document;
    previewing->is_done = is_behind && (at == NULL || boundary.us >= at->us);
    made_take(previewing->arena, &previewing->ahead, made);
    return NULL;
}

static Err *steps_take(Previewing *previewing)
{
    for (int steps = 0; steps < STEPS_MAX && !previewing->is_done; steps++) {
        Made        made = { .takes_charges = true };
        IssueWanted wanted = wanted_of(previewing);
        bool        found;
        TRY(issue_rate(previewing->arena, previewing->query->issue, &wanted, &made.draft, &found));
        TRY(found ? step_take(previewing, &made) : charges_only(previewing, &made));
    }
    return NULL;
}

static void previewing_begin(Arena *arena, const IssuePreviewQuery *query, Previewing *previewing)
{
    Instant from = query->issue->now;
    if (query->at != NULL && query->at->us <= from.us)
        from.us = query->at->us - 1;
    *previewing = (Previewing){ .arena = arena,
                                .query = query,
                                .ahead = { .moment = query->moment,
                                           .from = from,
                                           .instead = query->instead } };
}

// An instant at which no invoice was made: nothing is due then, or it is too far away, and the log
// tells what is.
static Err *at_by_log(Previewing *previewing)
{
    const IssuePreviewQuery *query = previewing->query;
    Made                     made = { 0 };
    IssueWanted              wanted = wanted_of(previewing);
    if (query->at == NULL || previewing->shown.at.at != NULL)
        return NULL;
    IssueAhead fresh = { .moment = query->moment, .instead = query->instead };
    wanted.ahead = &fresh;
    TRY(issue_rate_at(previewing->arena, query->issue, &wanted, *query->at, &made.draft));
    if (previewing->is_done)
        made.draft.count = 0;
    TRY(made_read(previewing, &made));
    previewing->shown.at = made.document;
    return NULL;
}

static Err *preview_once(Arena *arena, const IssuePreviewQuery *query, IssuePreview *preview)
{
    Previewing previewing;
    bool       is_by_log = false, is_too_much;
    do {
        previewing_begin(arena, query, &previewing);
        previewing.ahead.is_by_log = is_by_log;
        TRY(steps_take(&previewing));
        is_too_much = previewing.shown.next.at == NULL && !previewing.is_done;
        is_by_log = !is_by_log;
    } while (is_by_log && is_too_much);
    TRY(at_by_log(&previewing));
    *preview = previewing.shown;
    return NULL;
}

Err *issue_preview(Arena *arena, const IssuePreviewQuery *query, IssuePreview *preview)
{
    int  tries = 0;
    Err *err;
    do
        err = preview_once(arena, query, preview);
    while (db_goes_again(err, &tries));  // a grant came in between
    return err;
}
