// SPDX-License-Identifier: Apache-2.0
// An account's books against each other, read as of one moment. Invoice by invoice: what it posted,
// what was paid of it. Then what it owes and has, currency by currency: the ledger's balance
// against the invoices that remain, the grants that are left, what is accrued and deferred.
#include "flow/invoice/revenue_item.h"
#include "flow/ledger/credit.h"
#include "flow/run/run_kinds.h"

enum { PAGE = 500, TOLD_MAX = 10 };

// Of one currency.
typedef struct Sums {
    Currency currency;
    int64_t  remaining;  // of invoices
    int64_t  credit;     // what was paid for what is left of grants
    int64_t  accrued, deferred;
} Sums;

typedef struct Reconcile {
    const RunOne *one;
    DbTx         *tx;
    Sums         *sums;
    size_t        count;
    Text          told;
    size_t        differences;
} Reconcile;

static void tell(Reconcile *reconcile, Str what)
{
    if (reconcile->differences++ >= TOLD_MAX)
        return;
    if (reconcile->told.length > 0)
        text_add(&reconcile->told, STR("; "));
    text_add(&reconcile->told, what);
}

// Good until another currency is asked for.
static Sums *sums_of(Reconcile *reconcile, Currency currency)
{
    size_t count = reconcile->count;
    for (size_t i = 0; i < count; i++)
        if (currency_equal(reconcile->sums[i].currency, currency))
            return &reconcile->sums[i];
    Sums *more = arena_array(db_arena(reconcile->tx), Sums, count + 1);
    for (size_t i = 0; i < count; i++)
        more[i] = reconcile->sums[i];
    more[count] = (Sums){ .currency = currency };
    reconcile->sums = more;
    reconcile->count++;
    return &more[count];
}

// ---- invoices

static Err *amount_add(Reconcile *reconcile, int64_t more, int64_t *sum)
{
    if (!__builtin_add_overflow(*sum, more, sum))
        return NULL;
    return refuse(db_arena(reconcile->tx), ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the sum of account %.*s is too large", STR_ARG(reconcile->one->account));
}

// What the transaction debits (credits: below zero) the account's own.
static int64_t leg_of(const LedgerTransaction *transaction, LedgerKind kind)
{
    int64_t sum = 0;
    for (size_t i = 0; transaction != NULL && i < transaction->count; i++)
        if (transaction->legs[i].kind == kind)
            sum += transaction->legs[i].amount;
    return sum;
}

// Whether credit that it gave back to the wallet is so much: that is posted by the wallet.
static Err *is_restored(Arena *arena, const IssuedInvoice *invoice, int64_t amount, bool *is_so)
{
    Json *head;
    TRY(json_parse_stored(arena, invoice->head, &head));
    const Json *told = json_find(head, STR("creditsRestored"));
    Str         text = money_print(arena, (Money){ amount, invoice->currency });
    *is_so = told == NULL ? amount == 0 : str_equal(told->text, text);
    return NULL;
}

static Err *posting_check(Reconcile *reconcile, const IssuedInvoice *invoice)
{
    Arena             *arena = db_arena(reconcile->tx);
    bool               is_so;
    ProjectId          project = reconcile->one->query->project;
    LedgerTransaction *posted, *undone;
    Str source = str_print(arena, "invoice:%.*s", STR_ARG(invoice->id));
    TRY(ledger_transaction_find(reconcile->tx, project, source, &posted));
    int64_t receivable = leg_of(posted, LEDGER_RECEIVABLE);
    TRY(is_restored(arena, invoice, invoice->total - receivable, &is_so));
    if (!is_so)
        tell(reconcile, str_print(arena, "invoice %.*s comes to %lld and posted %lld",
                                  STR_ARG(invoice->id), (long long)invoice->total,
                                  (long long)receivable));
    source = str_print(arena, "invoice:%.*s:void", STR_ARG(invoice->id));
    TRY(ledger_transaction_find(reconcile->tx, project, source, &undone));
    int64_t undoing = leg_of(undone, LEDGER_RECEIVABLE);
    int64_t wanted = invoice->state == INVOICE_VOID ? -receivable : 0;
    if (undoing != wanted)
        tell(reconcile, str_print(arena, "the void of invoice %.*s posted %lld, not %lld",
                                  STR_ARG(invoice->id), (long long)undoing, (long long)wanted));
    return NULL;
}

static Err *payments_check(Reconcile *reconcile, const IssuedInvoice *invoice)
{
    ProjectId       project = reconcile->one->query->project;
    InvoicePayment *payments;
    size_t          count;
    int64_t         paid = 0;
    TRY(issued_payments(reconcile->tx, invoice, project, &payments, &count));
    for (size_t i = 0; i < count; i++)
        TRY(amount_add(reconcile, payments[i].amount, &paid));
    if (paid < invoice->paid)  // what is more is the customer's balance
        tell(reconcile, str_print(db_arena(reconcile->tx),
                                  "invoice %.*s says that %lld is paid, its payments %lld",
                                  STR_ARG(invoice->id), (long long)invoice->paid,
                                  (long long)paid));
    return NULL;
}

static Err *invoice_check(Reconcile *reconcile, const IssuedInvoice *invoice)
{
    if (!invoice->is_issued)  // a draft, or one that became void
        return NULL;
    Sums *sums = sums_of(reconcile, invoice->currency);
    if (invoice->state == INVOICE_FINALIZED)
        TRY(amount_add(reconcile, invoice_remaining(invoice), &sums->remaining));
    TRY(posting_check(reconcile, invoice));
    return payments_check(reconcile, invoice);
}

static Err *invoices_check(Reconcile *reconcile)
{
    IssuedPage     page = { .project = reconcile->one->query->project,
                            .account = reconcile->one->account,
                            .limit = PAGE };
    IssuedInvoice *invoices;
    size_t         count;
    do {
        TRY(issued_list(reconcile->tx, &page, &invoices, &count));
        for (size_t i = 0; i < count; i++)
            TRY(invoice_check(reconcile, &invoices[i]));
        if (count > 0)
            page.before = invoices[count - 1].id;
    } while (count == PAGE);
    return NULL;
}

// ---- grants

static Err *grants_check(Reconcile *reconcile)
{
    GrantPage    page = { .project = reconcile->one->query->project,
                          .account = reconcile->one->account,
                          .limit = PAGE };
    StoredGrant *grants;
    size_t       count;
    do {
        TRY(credit_grants(reconcile->tx, &page, &grants, &count));
        for (size_t i = 0; i < count; i++) {
            const CreditGrant *grant = &grants[i].grant;
            Sums              *sums = sums_of(reconcile, grant->currency);
            TRY(amount_add(reconcile, grant->price - grant_cost(grant, grant->drawn),
                           &sums->credit));
        }
        if (count > 0)
            page.after = grants[count - 1].grant.id;
    } while (count == PAGE);
    return NULL;
}

// ---- revenue that is not of the day of its invoice

static Err *revenue_check(Reconcile *reconcile)
{
    RevenueItems items;
    TRY(revenue_items_read(reconcile->tx, reconcile->one->query->project, reconcile->one->account,
                           &items));
    for (size_t i = 0; i < items.count; i++) {
        const RevenueItem *item = &items.at[i];
        Sums              *sums = sums_of(reconcile, item->currency);
        TRY(amount_add(reconcile, item->amount - item->earned,
                       item->side == REVENUE_ACCRUED ? &sums->accrued : &sums->deferred));
    }
    return NULL;
}

// ---- the ledger

// What each kind's balance is held against.
static const char *const against[LEDGER_KIND_COUNT] = {
    [LEDGER_RECEIVABLE] = "invoices",
    [LEDGER_WALLET] = "grants",
    [LEDGER_UNBILLED] = "what is accrued",
    [LEDGER_DEFERRED] = "what is not earned",
};

static Err *balance_check(Reconcile *reconcile, LedgerKind kind, Currency currency, int64_t wanted)
{
    LedgerName name = { kind, reconcile->one->account, currency };
    int64_t    minor;
    TRY(ledger_balance(reconcile->tx, reconcile->one->query->project, &name, &minor));
    if (minor != wanted)
        tell(reconcile, str_print(db_arena(reconcile->tx),
                                  "%s is %lld %.*s in the ledger, by %s it is %lld",
                                  ledger_kind_name(kind), (long long)minor,
                                  STR_ARG(currency_code(&currency)),
                                  against[kind], (long long)wanted));
    return NULL;
}

static Err *ledger_check(Reconcile *reconcile)
{
    for (size_t i = 0; i < reconcile->count; i++) {
        const Sums *sums = &reconcile->sums[i];
        TRY(balance_check(reconcile, LEDGER_RECEIVABLE, sums->currency, sums->remaining));
        TRY(balance_check(reconcile, LEDGER_WALLET, sums->currency, -sums->credit));
        TRY(balance_check(reconcile, LEDGER_UNBILLED, sums->currency, sums->accrued));
        TRY(balance_check(reconcile, LEDGER_DEFERRED, sums->currency, -sums->deferred));
    }
    return NULL;
}

static Err *reconcile_work(DbTx *tx, void *context)
{
    Reconcile *reconcile = context;
    reconcile->tx = tx;
    TRY(invoices_check(reconcile));
    TRY(grants_check(reconcile));
    TRY(revenue_check(reconcile));
    return ledger_check(reconcile);
}

Err *run_reconcile_account(Arena *arena, const RunOne *one)
{
    Reconcile reconcile = { .one = one, .told = text_open(arena) };
    TRY(db_read(one->query->books, arena, reconcile_work, &reconcile));
    if (reconcile.differences == 0)
        return NULL;
    return refuse(arena, ERR_BOOKS_DIFFER, STR_NONE, "%.*s", STR_ARG(text_str(&reconcile.told)));
}
