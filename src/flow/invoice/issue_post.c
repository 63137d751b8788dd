// SPDX-License-Identifier: Apache-2.0
// What an invoice that becomes final posts: the invoice itself, the credit that it draws, the
// customer's balance that it uses. Each under a source of its own, in the finalizing transaction.
#include "base/assert.h"
#include "flow/invoice/late_inside.h"
#include "flow/ledger/credit.h"
#include "flow/ledger/top_up.h"

int64_t issue_line_earned(const IssuePriced *priced, size_t number)
{
    const IssueLine *line = &priced->draft->lines[number];
    const TaxLine   *taxed = &priced->lines[number];
    return line->amount.minor + line->discount.minor - (taxed->amount.minor - taxed->net);
}

static LedgerPost post_of(DbTx *tx, const IssueDraft *draft, const IssuedInvoice *row,
                          PostingRule rule, const char *what)
{
    return (LedgerPost){ .project = draft->query->project,
                         .rule = rule,
                         .source = str_print(db_arena(tx), "invoice:%.*s%s", STR_ARG(row->id),
                                             what),
                         .currency = row->currency,
                         .at = draft->query->now,
                         .effective_at = draft->query->now,
                         .account = row->account,
                         .memo = row->number };
}

static Err *invoice_post(DbTx *tx, const IssuePriced *priced, const IssuedInvoice *row)
{
    const IssueDraft *draft = priced->draft;
    LedgerPost        post = post_of(tx, draft, row, POSTING_INVOICE, "");
    IssueLegs         legs = { 0 };
    RevenueItems      items;
    TRY(issue_revenue_read(tx, draft, &items));
    legs.at = arena_array(db_arena(tx), LedgerLeg,
                          draft->count + items.count + priced->tax.rate_count + 4);
    issue_leg_add(&legs, LEDGER_RECEIVABLE, draft->account,
                  priced->total - priced->restored);
    issue_leg_add(&legs, LEDGER_CUSTOMER_BALANCE, draft->account, -priced->to_balance);
    issue_revenue_legs(db_arena(tx), priced, row->id, &items, &legs);
    for (size_t i = 0; i < priced->tax.rate_count; i++)
        issue_leg_add(&legs, LEDGER_TAX, priced->stored[i].id, -priced->sums[i].tax);
    post.legs = legs.at;
    post.count = legs.count;
    TRY(revenue_items_write(tx, &items));
    return issue_post_put(tx, draft->facts, &post);
}

static Err *credit_use(DbTx *tx, const IssuePriced *priced, const IssuedInvoice *row)
{
    const IssueDraft *draft = priced->draft;
    LedgerPost        post;
    CreditUse use = { .wallet = { draft->query->project, draft->account, draft->currency },
                      .source = str_print(db_arena(tx), "invoice:%.*s:credit", STR_ARG(row->id)),
                      .rule = POSTING_CREDIT_DRAW,
                      .at = draft->query->now,
                      .effective_at = draft->query->now,
                      .post = &post };
    int64_t drawn;
    if (priced->credits == 0)
        return NULL;
    TRY(credit_draw(tx, &use, &priced->drawing, &drawn));
    assert_that(drawn == priced->credits);
    TRY(issue_post_put(tx, draft->facts, &post));
    int64_t left = grants_available(priced->drawing.grants, use.at);
    return top_up_check(tx, &use.wallet, left, use.at);
}

int64_t issue_balance_used(int64_t balance, int64_t owed)
{
    int64_t used = balance < owed ? balance : owed;
    return used > 0 ? used : 0;
}

// The customer's balance pays what it can.
static Err *balance_use(DbTx *tx, const IssueDraft *draft, IssuedInvoice *row)
{
    TRY(issue_batch_post(tx, draft->facts));
    LedgerName name = { LEDGER_CUSTOMER_BALANCE, row->account, row->currency };
    int64_t    owed = row->total - row->credits, balance;
    bool       posted;
    TRY(ledger_balance(tx, draft->query->project, &name, &balance));
    int64_t used = issue_balance_used(-balance, owed);
    if (used == 0)
        return NULL;
    LedgerLeg  legs[] = { { LEDGER_CUSTOMER_BALANCE, row->account, used },
                          { LEDGER_RECEIVABLE, row->account, -used } };
    LedgerPost post = post_of(tx, draft, row, POSTING_BALANCE_USE, ":balance");
    post.legs = legs;
    post.count = 2;
    row->balance_used = used;
    return ledger_post(tx, &post, &posted);
}

Err *issue_post(DbTx *tx, const IssuePriced *priced, IssuedInvoice *row)
{
    TRY(invoice_post(tx, priced, row));
    TRY(credit_use(tx, priced, row));
    TRY(late_restores_post(tx, priced, row->id));
    const IssueFacts *facts = priced->draft->facts;
    bool has_balance = facts == NULL || facts->has_balance || priced->to_balance != 0;
    return has_balance ? balance_use(tx, priced->draft, row) : NULL;
}
