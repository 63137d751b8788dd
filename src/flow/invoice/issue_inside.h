// Between the files of flow/invoice/issue.
#pragma once

#include "db/names.h"
#include "flow/invoice/bill_draw.h"
#include "flow/invoice/issue.h"
#include "flow/invoice/revenue_item.h"
#include "flow/invoice/issue_batch.h"
#include "flow/ledger/credit.h"
#include "price/tax.h"

typedef struct IssueLineRow IssueLineRow;
typedef struct LateOf LateOf;
typedef struct IssueLate IssueLate;

// A line before it is stored.
typedef struct IssueLine {
    Str         subscription;  // "": of none
    Str         revenue;       // its account in the ledger: "plan/charge", or what the charge says
    Str         category;      // of tax; STR_NONE: none
    Str         sku, metadata; // of its charge; STR_NONE: none
    Str         charge;        // STR_NONE: of the plan, or of none
    Str         charge_id;     // of a one-off charge; STR_NONE: it is none
    Texts       meters;        // that its charge reads
    bool        in_advance;    // its charge is invoiced before the service
    Span        service;
    Str         time_zone;   // that cut it; STR_NONE: none did
    Str         description;
    Money       amount, discount;
    const Line *line;  // NULL: of no subscription
    DrawTable  *until;  // A(t) where the account's grants begin or end; NULL: in proportion to time
    const LateOf *of;   // what it corrects of a closed period; NULL: nothing (late_inside.h)
    const LateOf *taxed_as;  // the same, or what it takes back: its taxes are that one's; or NULL
} IssueLine;

// How far a subscription was billed when its part was rated.
typedef struct IssueProgress {
    Str     subscription;
    bool    is_stored;
    Instant until;
} IssueProgress;

typedef struct IssueAhead IssueAhead;
typedef struct IssueKnown IssueKnown;

// What an invoice is made of, rated: pure from here on but for rates, credit and balance.
typedef struct IssueDraft {
    const IssueQuery *query;
    InvoiceKind    kind;
    Str            account;
    Currency       currency;
    Instant        boundary;
    Str            buyer, buyer_name;  // party of the account, its name
    Str            time_zone;          // of the account; STR_NONE: the project's
    Str            usual_currency;     // of the account; STR_NONE: none
    Str            memo, po_number;    // of a one-off; STR_NONE: those of the parties
    Str            sequence;           // STR_NONE: nothing was measured
    IssueLine     *lines;
    size_t         count;
    IssueProgress *parts;
    size_t         part_count;
    IssueFacts    *facts;  // NULL: its transaction is of this invoice alone
    bool           is_last;  // once it is an invoice no boundary is left up to what was wanted
    const IssueAhead *ahead;  // NULL: it is made for real
    IssueLate     *late;   // periods that it closes, and settles; NULL: none (late_inside.h)
} IssueDraft;

// ---- rating: issue_rate.c

typedef struct IssueWanted {
    Str account;
    Str currency;  // STR_NONE: whichever is first
    IssueAhead *ahead;  // NULL: it is made for real
    const IssueKnown *known;  // NULL: nothing was read ahead
    bool              has_until;
    Instant           until;  // boundaries behind it are not looked at
    bool              with_thresholds;  // when no boundary has anything
} IssueWanted;

// The account's earliest boundary up to now (of a preview: up to any time) with lines that were not
// billed, of one currency. *found is false: there is none.
Err *issue_rate(Arena *arena, const IssueQuery *query, const IssueWanted *wanted,
                IssueDraft *draft, bool *found) MUST_CHECK;

// The same; under the policy creditNote what fell of closed periods is credited before.
Err *issue_rate_settled(Arena *arena, const IssueQuery *query, const IssueWanted *wanted,
                        IssueDraft *draft, bool *found) MUST_CHECK;

// What late usage of an account comes to by itself, where it is to be credited at once: a draft of
// each subscription, whose lines correct closed periods. There may be none.
Err *issue_rate_closed(Arena *arena, const IssueQuery *query, Str account, IssueDraft **drafts,
                       size_t *count) MUST_CHECK;

// A stored line as one of a bill: what makes it the same line, and what was billed.
Err *issue_stored_line(Arena *arena, const IssueLineRow *row, Currency currency,
                       Line *line) MUST_CHECK;

// What the log says is due at an instant of the subscription with a change in memory, whatever the
// books say was billed.
Err *issue_rate_at(Arena *arena, const IssueQuery *query, const IssueWanted *wanted, Instant at,
                   IssueDraft *draft) MUST_CHECK;

// A line of a bill as one of an invoice. The timeline is folded from the facts.
IssueLine issue_line_of(Arena *arena, const TimelineFacts *facts, const Timeline *timeline,
                        const Line *line);

// What was read of an account before it is rated, with those of others: issue_batch_store.c
struct IssueKnown {
    const AccountFile *file;  // of an account that there is
    IssueProgress     *parts;  // of its subscriptions, in their order
    struct Late       *lates;  // of each: closed periods (late.h)
    struct IssueKnownLines *lines;  // of each
    bool               has_grants;
};
// The place of a subscription in both.
size_t issue_known_part(const IssueKnown *known, Str subscription);
// known[i] of ids->at[i]; where `file` says that there is no account nothing else is said.
Err *issue_known_read(Arena *arena, const IssueQuery *query, const AccountIds *ids,
                      IssueKnown *known) MUST_CHECK;

// ---- one-off charges that wait: issue_charges.c

// Puts them behind the lines of a draft, in the transaction's arena.
Err *issue_charges_add(DbTx *tx, IssueDraft *draft) MUST_CHECK;
Err *issue_charges_take(DbTx *tx, const IssueDraft *draft, Str invoice) MUST_CHECK;

// ---- pricing: issue_price.c

typedef struct IssuePriced {
    const IssueDraft *draft;
    const Json       *seller;  // party of the legal entity; NULL: it says nothing
    const Json       *buyer;   // of the account; NULL: it says nothing
    int64_t           net_days;  // 0 when it is not said
    StoredTaxRate    *stored;  // rates that its lines bear
    TaxQuery          tax;
    TaxSum           *sums;    // of each rate
    TaxLine          *lines;
    Drawing           drawing; // of credit
    bool              has_drawing;
    int64_t           subtotal, discounts, included, taxes;
    int64_t           total, to_balance, credits;
    struct LateRestore *restores;  // credit that goes back to the wallet, by invoice it had paid
    size_t            restore_count;
    int64_t           restored;  // in all: due, beside what the lines come to
    bool              is_taxable;
} IssuePriced;

// Rates at the boundary, credits that would be drawn (locked in a write transaction), totals.
Err *issue_price(DbTx *tx, const IssueDraft *draft, IssuePriced *priced) MUST_CHECK;
// Taxes alone, before any credit: for issue_line_earned.
Err *issue_price_taxes(DbTx *tx, const IssueDraft *draft, IssuePriced *priced) MUST_CHECK;
// What stands around the lines, and what stands in line `number` (from 0).
Str issue_head(Arena *arena, const IssuePriced *priced);
Str issue_line_content(Arena *arena, const IssuePriced *priced, size_t number);
Str issue_line_taxes(Arena *arena, const IssuePriced *priced, size_t number);
// A text of the seller; STR_NONE: not said.
Str issue_seller_text(const IssuePriced *priced, const char *name);

// ---- posting: issue_post.c

// A line's amount without the taxes that are in it: what is earned with it.
int64_t issue_line_earned(const IssuePriced *priced, size_t number);
// The ledger's posts of an invoice whose row has total, credits and number: also what of the
// customer's balance it uses, into the row.
Err *issue_post(DbTx *tx, const IssuePriced *priced, IssuedInvoice *row) MUST_CHECK;
// What of a balance pays what is owed; a balance below 0 pays nothing.
int64_t issue_balance_used(int64_t balance, int64_t owed);

// ---- whose revenue, and when: issue_revenue.c

typedef struct IssueLineRow IssueLineRow;  // below

typedef struct IssueLegs {
    LedgerLeg *at;
    size_t     count;
} IssueLegs;
// Legs of one account are one; there must be room for it.
void issue_leg_add(IssueLegs *legs, LedgerKind kind, Str owner, int64_t amount);

// What of its account is accrued or deferred; nothing when it has no line of a bill.
Err *issue_revenue_read(DbTx *tx, const IssueDraft *draft, RevenueItems *items) MUST_CHECK;
// Legs of revenue, deferred and unbilled, and what becomes of the items. Room for one of each line
// and item, and two more.
void issue_revenue_legs(Arena *arena, const IssuePriced *priced, Str invoice, RevenueItems *items,
                        IssueLegs *legs);
// The other way round, of one that becomes void and whose lines count no more: added to the legs.
Err *issue_revenue_undo(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                        IssueLegs *legs) MUST_CHECK;
// `net` of a line is credited: what was not earned is taken from what is deferred, which changes
// the items. Room for two legs.
Err *issue_revenue_credit(DbTx *tx, const IssueLineRow *row, int64_t net, RevenueItems *items,
                          IssueLegs *legs) MUST_CHECK;
// What makes a stored line of a bill an item of that side.
Err *issue_revenue_key(Arena *arena, const IssueLineRow *row, RevenueSide side,
                       RevenueKey *key) MUST_CHECK;
// What of its fees in advance is not earned yet, up to `amount`, is earned no more. And back.
Err *issue_revenue_write_off(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                             int64_t amount, int64_t *deferred) MUST_CHECK;
Err *issue_revenue_write_back(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                              int64_t deferred, IssueLegs *legs) MUST_CHECK;

// ---- finalizing: issue.c

typedef struct IssueFinal {
    const IssueQuery *query;
    IssueDraft        rated;
    IssueDraft        draft;  // with all of its lines
    IssuePriced       priced;
    IssuedInvoice    *read;   // as it was when the draft was rated
    IssuedInvoice    *row;
    IssueLineRow     *lines;   // of the row, as many as the draft has
    bool              is_new;  // the row is not stored yet
} IssueFinal;

// What there is to do once the rows and what was rated are known. Several have facts of one batch;
// one alone has none.
Err *issue_finals_do(DbTx *tx, IssueFinal *const *finals, size_t count) MUST_CHECK;
// A row of the draft that is not stored yet, without an id.
IssuedInvoice *issue_row_of(Arena *arena, const IssueDraft *draft);

// ---- rows: issue_store.c

struct IssueLineRow {
    int64_t number;  // from 1
    Str     subscription, revenue, taxes, content;
    Instant boundary, service_start;
    bool    counts;
    int64_t amount, discount, net, tax;
};

// Rows of what was priced, and the document that an invoice with such rows is: issue.c.
IssueLineRow *issue_rows(Arena *arena, const IssuePriced *priced, bool counts);
Str issue_document(Arena *arena, const IssuedInvoice *invoice, const IssueLineRow *rows,
                   size_t count);

// The slot of the draft of an account and currency; other invoices have their id.
Str  issue_draft_slot(Arena *arena, Str account, Currency currency);
Err *issue_row_by_slot(DbTx *tx, ProjectId project, Str slot, IssuedInvoice **row) MUST_CHECK;
Err *issue_row_find(DbTx *tx, ProjectId project, Str id, IssuedInvoice **row) MUST_CHECK;
// STORE_BUSY, before the transaction ends: somebody made one of that slot.
Err *issue_row_add(DbTx *tx, ProjectId project, Str slot, const IssuedInvoice *row) MUST_CHECK;
// Replaces what may change, of the version that was read. STORE_BUSY: it is another by now.
Err *issue_row_set(DbTx *tx, ProjectId project, Str slot, IssuedInvoice *row) MUST_CHECK;
Err *issue_lines_replace(DbTx *tx, ProjectId project, Str invoice, const IssueLineRow *rows,
                         size_t count) MUST_CHECK;
// Of an invoice that has none.
Err *issue_lines_add(DbTx *tx, ProjectId project, Str invoice, const IssueLineRow *rows,
                     size_t count) MUST_CHECK;
Err *issue_lines_free(DbTx *tx, ProjectId project, Str invoice) MUST_CHECK;  // they count no more
Err *issue_lines_read(DbTx *tx, ProjectId project, Str invoice, IssueLineRow **rows,
                      size_t *count) MUST_CHECK;
// Lines that count, of invoices at `until` or before, of service from `from` on.
typedef struct IssueBilled {
    ProjectId project;
    Str       subscription;
    Instant   from, until;
    const IssueAhead *ahead;  // NULL: only what is stored
    const struct IssueKnownLines *known;  // NULL: they are read
} IssueBilled;
Err *issue_lines_billed(DbTx *tx, const IssueBilled *wanted, IssueLineRow **rows,
                        size_t *count) MUST_CHECK;
// Those of one subscription that were read ahead: all of service from `from` on.
typedef struct IssueKnownLines {
    Instant       from;
    IssueLineRow *at;
    size_t        count;
} IssueKnownLines;
// Of many subscriptions, with one bound; lines[i] of names->at[i].
Err *issue_lines_of_all(DbTx *tx, const DbNames *names, Instant from,
                        IssueKnownLines *lines) MUST_CHECK;
// NULL: what is wanted was not read ahead.
const IssueKnownLines *issue_known_lines(const IssueKnown *known, const IssueBilled *wanted);
void issue_known_rows(Arena *arena, const IssueBilled *wanted, IssueLineRow **rows, size_t *count);
// What they come to, line by line of the bills: issue_rate.c.
Err *issue_billed_lines(Arena *arena, Db *books, const IssueBilled *wanted, Currency currency,
                        DueLines *lines) MUST_CHECK;

// ---- invoices that are not made yet: issue_preview.c

// How far a subscription will be billed then.
typedef struct AheadPart {
    Str     subscription;
    Instant until;
    bool    is_by_log;  // what its invoices contained is rated from the log
} AheadPart;

// What a preview has beyond the books: a change in memory, and what the invoices before it will
// have taken, as if they were made.
struct IssueAhead {
    UsageMoment         *moment;
    Instant              from;     // up to here invoices are overdue
    bool                 is_by_log;  // all parts are
    const TimelineFacts *instead;  // of its subscription; NULL: none
    AheadPart           *parts;
    size_t               part_count, part_room;
    IssueLineRow        *rows;
    size_t               row_count;
    GrantDraw           *draws;
    size_t               draw_count;
    struct LateRestore  *restores;  // credit that goes back to the wallet (late_inside.h)
    size_t               restore_count;
    size_t               charges;  // of those that wait
    int64_t              balance;  // what the customer's balance gets, less what it pays
};

// Where the search for a subscription's next invoice begins: where it is billed up to, by the books
// or by the invoices before.
Err *issue_ahead_part(Arena *arena, IssueAhead *ahead, const TimelineFacts *facts,
                      const IssueProgress *progress, AheadPart *part) MUST_CHECK;
// Rows of a subscription's invoices before, behind those of the books.
void issue_ahead_rows(Arena *arena, const IssueBilled *wanted, IssueLineRow **rows, size_t *count);
// The wallet's active grants, with what the invoices before give back and without what they draw;
// those that are used up then are none. NULL: no invoices before.
Err *issue_ahead_grants(DbTx *tx, const IssueAhead *ahead, const CreditWallet *wallet,
                        CreditGrants *grants) MUST_CHECK;
// What the invoices before give back of an invoice's draw.
int64_t issue_ahead_restored(const IssueAhead *ahead, Str invoice);

Err *issue_progress_get(DbTx *tx, ProjectId project, Str subscription,
                        IssueProgress *progress) MUST_CHECK;
// STORE_BUSY, before the transaction ends: it is not what `before` says any more.
Err *issue_progress_move(DbTx *tx, ProjectId project, const IssueProgress *before,
                         Instant until) MUST_CHECK;
Err *issue_progress_back(DbTx *tx, ProjectId project, Str subscription, Instant until) MUST_CHECK;
// The next number of a series, from 1, without gaps.
Err *issue_number(DbTx *tx, ProjectId project, Str series, int64_t *number) MUST_CHECK;
// The next ones at once: `first` and those behind it.
Err *issue_numbers(DbTx *tx, ProjectId project, Str series, int64_t count,
                   int64_t *first) MUST_CHECK;
Err *issue_payment_add(DbTx *tx, ProjectId project, Str invoice, const InvoicePayment *payment,
                       Instant now) MUST_CHECK;

// Charges on those lines wait again.
Err *issue_charges_release(DbTx *tx, ProjectId project, const IssueLineRow *rows, size_t count,
                           Str invoice) MUST_CHECK;

// Stores the row; nothing remains: it is paid.
Err *issue_settle(DbTx *tx, const InvoiceDeed *deed, IssuedInvoice *row) MUST_CHECK;
