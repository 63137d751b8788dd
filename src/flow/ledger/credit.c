// SPDX-License-Identifier: Apache-2.0
// What happens to grants. Grants are moved first, by id, then the ledger is posted: the order in
// which rows are locked.
#include "flow/ledger/credit.h"

#include "base/assert.h"
#include "base/random.h"
#include "flow/ledger/credit_inside.h"

// Owners of shared accounts.
static const Str external = STR_INIT("external"), credit = STR_INIT("credit");

// A grant with nothing left is used up; it stays in force.
static GrantState state_left(const CreditGrant *grant, int64_t drawn)
{
    return drawn == grant->amount ? GRANT_USED : GRANT_ACTIVE;
}

// ---- granting

// The customer's balance may pay what it has, no more. Customers' balances are credits: below 0.
static Err *balance_check(DbTx *tx, ProjectId project, const CreditGrant *grant)
{
    LedgerName name = { LEDGER_CUSTOMER_BALANCE, grant->account, grant->currency };
    int64_t    balance;
    TRY(ledger_balance(tx, project, &name, &balance));
    if (-balance >= grant->price)
        return NULL;
    Money has = { -balance, grant->currency };
    return refuse(db_arena(tx), ERR_INSUFFICIENT_BALANCE, STR_NONE,
                  "the customer's balance is %.*s %s",
                  STR_ARG(money_print(db_arena(tx), has)), grant->currency.code);
}

static LedgerLeg price_leg(const StoredGrant *stored)
{
    const CreditGrant *grant = &stored->grant;
    if (stored->paid_by == PAID_BY_US)
        return (LedgerLeg){ LEDGER_REVENUE, stored->reason, grant->price };
    if (stored->paid_by == PAID_BY_CUSTOMER_BALANCE)
        return (LedgerLeg){ LEDGER_CUSTOMER_BALANCE, grant->account, grant->price };
    return (LedgerLeg){ LEDGER_CASH, external, grant->price };
}

static Err *price_post(DbTx *tx, ProjectId project, const StoredGrant *stored)
{
    const CreditGrant *grant = &stored->grant;
    LedgerLeg legs[] = { price_leg(stored), { LEDGER_WALLET, grant->account, -grant->price } };
    bool      posted;
    LedgerPost post = {
        .project = project,
        .rule = stored->paid_by == PAID_BY_US ? POSTING_ADJUSTMENT : POSTING_CREDIT_GRANT,
        .source = str_print(db_arena(tx), "grant:%.*s", STR_ARG(grant->id)),
        .currency = grant->currency,
        .at = stored->created_at,
        .effective_at = stored->created_at,
        .account = grant->account,
        .memo = stored->description,
        .legs = legs,
        .count = 2,
    };
    return ledger_post(tx, &post, &posted);
}

Err *credit_grant_add(DbTx *tx, ProjectId project, const StoredGrant *grant)
{
    CreditGrant gone = grant->grant;
    int64_t     cost;
    CreditMove  move = { .project = project,
                         .before = &gone,
                         .amount = grant->grant.amount,
                         .state = GRANT_ACTIVE,
                         .expires_at = grant->grant.expires_at,
                         .kind = ENTRY_GRANT,
                         .source = str_print(db_arena(tx), "grant:%.*s", STR_ARG(gone.id)),
                         .at = grant->created_at };
    assert_that((gone.price == 0) == (grant->paid_by == PAID_BY_NOBODY));
    gone.drawn = gone.amount;  // the row begins empty; its first entry fills it
    if (grant->paid_by == PAID_BY_CUSTOMER_BALANCE)
        TRY(balance_check(tx, project, &grant->grant));
    TRY(credit_row_add(tx, project, grant));
    TRY(credit_move(tx, &move, &cost));
    return price_post(tx, project, grant);
}

// ---- drawing

static CreditEntryKind entry_of(PostingRule rule)
{
    if (rule == POSTING_CHARGE)
        return ENTRY_CHARGE;
    return rule == POSTING_ADJUSTMENT ? ENTRY_ADJUSTMENT : ENTRY_DRAW;
}

// An adjustment takes away what nobody paid for without a trace in the ledger: it was never there.
static Err *draw_post(DbTx *tx, const CreditUse *use, int64_t amount, int64_t cost)
{
    enum { LEGS = 3 };
    const CreditWallet *wallet = &use->wallet;
    bool                is_adjustment = use->rule == POSTING_ADJUSTMENT, posted;
    LedgerKind          against = use->rule == POSTING_CREDIT_DRAW ? LEDGER_RECEIVABLE
                                                                   : LEDGER_REVENUE;
    const LedgerLeg     legs[LEGS] = {
        { LEDGER_WALLET, wallet->account, cost },
        { against, against == LEDGER_REVENUE ? use->revenue : wallet->account,
          is_adjustment ? -cost : -amount },
        { LEDGER_PROMOTION, credit, amount - cost },
    };
    LedgerPost post = { .project = wallet->project,
                        .rule = use->rule,
                        .source = str_print(db_arena(tx), "draw:%.*s", STR_ARG(use->source)),
                        .currency = wallet->currency,
                        .at = use->at,
                        .effective_at = use->effective_at,
                        .account = wallet->account,
                        .legs = arena_copy(db_arena(tx), legs, sizeof legs),
                        .count = is_adjustment ? 2 : LEGS };
    if (use->post == NULL)
        return ledger_post(tx, &post, &posted);
    *use->post = post;
    return NULL;
}

static const CreditGrant *grant_of(const Drawing *drawing, Str id)
{
    size_t place = 0;
    while (!str_equal(drawing->grants.at[place].id, id))
        place++;
    return &drawing->grants.at[place];
}

Err *credit_draw(DbTx *tx, const CreditUse *use, const Drawing *drawing, int64_t *drawn)
{
    GrantDraw *draws;
    size_t     count;
    int64_t    amount = 0, all = 0, cost;
    assert_that(use->source.length <= CREDIT_SOURCE_BYTES);
    draw_by_grant(drawing, &draws, &count);
    for (size_t i = 0; i < count; i++) {
        const CreditGrant *after = grant_of(drawing, draws[i].grant);
        CreditGrant        before = *after;
        before.drawn -= draws[i].amount;
        CreditMove move = { .project = use->wallet.project,
                            .before = &before,
                            .amount = -draws[i].amount,
                            .state = state_left(after, after->drawn),
                            .expires_at = after->expires_at,
                            .kind = entry_of(use->rule),
                            .source = use->source,
                            .at = use->at };
        TRY(credit_move(tx, &move, &cost));
        amount += draws[i].amount;
        all -= cost;
    }
    if (amount > 0)
        TRY(draw_post(tx, use, amount, all));
    *drawn = amount;
    return NULL;
}

// ---- restoring

static Err *restore_post(DbTx *tx, const CreditRestore *wanted, int64_t amount, int64_t cost)
{
    const CreditWallet *wallet = &wanted->wallet;
    bool                posted;
    LedgerLeg           legs[] = { { LEDGER_RECEIVABLE, wallet->account, amount },
                                   { LEDGER_WALLET, wallet->account, -cost },
                                   { LEDGER_PROMOTION, credit, cost - amount } };
    LedgerPost          post = {
        .project = wallet->project,
        .rule = POSTING_CREDIT_RESTORE,
        .source = str_print(db_arena(tx), "restore:%.*s", STR_ARG(wanted->source)),
        .currency = wallet->currency,
        .at = wanted->at,
        .effective_at = wanted->effective_at,
        .account = wallet->account,
        .legs = legs,
        .count = 3,
    };
    return ledger_post(tx, &post, &posted);
}

// Into the order of the draw.
static void back_place(CreditBack *parts, size_t count, const CreditBack *part)
{
    for (; count > 0 && grant_compare(&parts[count - 1].grant, &part->grant) > 0; count--)
        parts[count] = parts[count - 1];
    parts[count] = *part;
}

Err *credit_restore_parts(DbTx *tx, const CreditRestore *wanted, CreditBack **parts, size_t *count)
{
    CreditDrawn *drawn;  // by grant: so their rows are locked
    int64_t      left = wanted->amount;
    TRY(credit_drawn_of(tx, &wanted->wallet, wanted->of, &drawn, count));
    *parts = arena_array(db_arena(tx), CreditBack, *count);
    for (size_t i = 0; i < *count; i++) {
        StoredGrant *grant;
        TRY(credit_row_find(tx, wanted->wallet.project, drawn[i].grant, &grant));
        if (grant == NULL)
            return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                          "a draw is of a grant that is not there");
        CreditBack part = { grant->grant, drawn[i].amount - drawn[i].restored };
        back_place(*parts, i, &part);
    }
    for (size_t i = *count; i > 0; i--) {
        CreditBack *part = &(*parts)[i - 1];
        part->amount = part->amount < left ? part->amount : left;
        left -= part->amount;
    }
    return NULL;
}

static Err *restore_one(DbTx *tx, const CreditRestore *wanted, const CreditBack *part,
                        int64_t *cost)
{
    CreditMove move = {
        .project = wanted->wallet.project,
        .before = &part->grant,
        .amount = part->amount,
        .state = GRANT_ACTIVE,
        .expires_at = part->grant.expires_at,
        .kind = ENTRY_RESTORE,
        .source = str_print(db_arena(tx), "%.*s|%.*s", STR_ARG(wanted->of),
                            STR_ARG(wanted->source)),
        .at = wanted->at,
    };
    return credit_move(tx, &move, cost);
}

Err *credit_restore(DbTx *tx, const CreditRestore *wanted, int64_t *restored)
{
    CreditBack *parts;
    size_t      count;
    int64_t     costs = 0, cost;
    assert_that(wanted->source.length <= CREDIT_SOURCE_BYTES);
    TRY(credit_restore_parts(tx, wanted, &parts, &count));
    *restored = 0;
    for (size_t i = count; i > 0; i--) {
        const CreditBack *part = &parts[i - 1];
        if (part->amount == 0)
            continue;
        TRY(restore_one(tx, wanted, part, &cost));
        *restored += part->amount;
        costs += cost;
    }
    return *restored == 0 ? NULL : restore_post(tx, wanted, *restored, costs);
}

Err *credit_draw_left(DbTx *tx, const CreditWallet *wallet, Str of, int64_t *left)
{
    CreditDrawn *drawn;
    size_t       count;
    TRY(credit_drawn_of(tx, wallet, of, &drawn, &count));
    *left = 0;
    for (size_t i = 0; i < count; i++)
        *left += drawn[i].amount - drawn[i].restored;
    return NULL;
}

static Err *undo_one(DbTx *tx, const CreditRestore *done, const CreditDrawn *entry, int64_t *cost)
{
    ProjectId    project = done->wallet.project;
    StoredGrant *grant;
    // The entry is a restore: what is drawn of it is below 0, and so is what was undone already.
    CreditMove move = { .project = project,
                        .amount = entry->amount - entry->restored,
                        .kind = ENTRY_RESTORE,
                        .source = str_print(db_arena(tx), "%.*s|%.*s|undo", STR_ARG(done->of),
                                            STR_ARG(done->source)),
                        .at = done->at };
    *cost = 0;
    if (move.amount == 0)
        return NULL;
    TRY(credit_row_find(tx, project, entry->grant, &grant));
    if (grant == NULL || grant->state != GRANT_ACTIVE || grant_left(&grant->grant) < -move.amount)
        return refuse(db_arena(tx), ERR_INVOICE_HAS_PAYMENTS, STR_NONE,
                      "what the invoice gave back to the grant %.*s was used since",
                      STR_ARG(entry->grant));
    move.before = &grant->grant;
    move.state = state_left(&grant->grant, grant->grant.drawn - move.amount);
    move.expires_at = grant->grant.expires_at;
    return credit_move(tx, &move, cost);
}

Err *credit_restore_undo(DbTx *tx, const CreditRestore *done)
{
    CreditRestore back = *done;
    CreditDrawn  *entries;
    size_t        count;
    int64_t       amount = 0, costs = 0, cost;
    Str entry = str_print(db_arena(tx), "%.*s|%.*s", STR_ARG(done->of), STR_ARG(done->source));
    TRY(credit_drawn_of(tx, &done->wallet, entry, &entries, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(undo_one(tx, done, &entries[i], &cost));
        amount += entries[i].amount - entries[i].restored;
        costs += cost;
    }
    back.source = str_print(db_arena(tx), "%.*s:undo", STR_ARG(done->source));
    return amount == 0 ? NULL : restore_post(tx, &back, amount, costs);
}

// ---- ends

static Err *grant_find(DbTx *tx, ProjectId project, Str id, StoredGrant **grant)
{
    TRY(credit_row_find(tx, project, id, grant));
    if (*grant == NULL)
        return refuse(db_arena(tx), ERR_GRANT_NOT_FOUND, STR_NONE, "there is no grant %.*s",
                      STR_ARG(id));
    return NULL;
}

Err *credit_grant_get(DbTx *tx, ProjectId project, Str id, StoredGrant *grant)
{
    StoredGrant *found;
    TRY(grant_find(tx, project, id, &found));
    *grant = *found;
    return NULL;
}

// How a grant ends, and where what was paid for the rest of it goes.
typedef struct GrantEnd {
    ProjectId          project;
    const CreditGrant *grant;
    CreditEntryKind    kind;
    GrantState         state;
    LedgerLeg          to;  // its amount is not read
    Instant            at;
} GrantEnd;

static Err *end_post(DbTx *tx, const GrantEnd *end, Str source, int64_t value)
{
    const CreditGrant *grant = end->grant;
    bool               posted;
    LedgerLeg          legs[] = { { LEDGER_WALLET, grant->account, value }, end->to };
    LedgerPost         post = {
        .project = end->project,
        .rule = end->kind == ENTRY_EXPIRY ? POSTING_CREDIT_EXPIRY : POSTING_CREDIT_REVOKE,
        .source = source,
        .currency = grant->currency,
        .at = end->at,
        .effective_at = end->at,
        .account = grant->account,
        .legs = legs,
        .count = 2,
    };
    legs[1].amount = -value;
    return ledger_post(tx, &post, &posted);
}

static Err *grant_end(DbTx *tx, const GrantEnd *end, int64_t *value)
{
    const CreditGrant *grant = end->grant;
    Instant            expires = grant->expires_at;
    if (expires.us > end->at.us)
        expires = end->at;  // what is restored later pays only for what was used until now
    // A grant may end again, when a restore has brought it back, and at the same instant.
    Str source = str_print(db_arena(tx), "%s:%.*s:%.*s", credit_entry_kinds[end->kind],
                           STR_ARG(grant->id), STR_ARG(random_id(db_arena(tx), "")));
    int64_t    cost;
    CreditMove move = { .project = end->project,
                        .before = grant,
                        .amount = -grant_left(grant),
                        .state = end->state,
                        .expires_at = expires,
                        .kind = end->kind,
                        .source = source,
                        .at = end->at };
    TRY(credit_move(tx, &move, &cost));
    *value = -cost;
    return end_post(tx, end, source, -cost);
}

Err *credit_revoke(DbTx *tx, const GrantRevoke *revoke, int64_t *value)
{
    StoredGrant *stored;
    TRY(grant_find(tx, revoke->project, revoke->id, &stored));
    if (stored->state == GRANT_EXPIRED || stored->state == GRANT_REVOKED)
        return refuse(db_arena(tx), ERR_GRANT_ENDED, STR_NONE, "grant %.*s is %s",
                      STR_ARG(revoke->id), grant_state_name(stored->state));
    GrantEnd end = { .project = revoke->project,
                     .grant = &stored->grant,
                     .kind = ENTRY_REVOKE,
                     .state = GRANT_REVOKED,
                     .to = { .kind = LEDGER_BREAKAGE, .owner = credit },
                     .at = revoke->at };
    if (revoke->mode == REVOKE_REFUND)
        end.to = (LedgerLeg){ .kind = LEDGER_CASH, .owner = external };
    else if (revoke->mode == REVOKE_REFUND_TO_BALANCE)
        end.to = (LedgerLeg){ .kind = LEDGER_CUSTOMER_BALANCE, .owner = stored->grant.account };
    return grant_end(tx, &end, value);
}

Err *credit_expire(DbTx *tx, ProjectId project, Str id, Instant at, bool *expired)
{
    StoredGrant *stored;
    int64_t      value;
    TRY(grant_find(tx, project, id, &stored));
    *expired = stored->state == GRANT_ACTIVE && stored->grant.expires_at.us <= at.us;
    if (!*expired)
        return NULL;
    GrantEnd end = { .project = project,
                     .grant = &stored->grant,
                     .kind = ENTRY_EXPIRY,
                     .state = GRANT_EXPIRED,
                     .to = { .kind = LEDGER_BREAKAGE, .owner = credit },
                     .at = at };
    return grant_end(tx, &end, &value);
}
