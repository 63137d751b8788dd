// SPDX-License-Identifier: Apache-2.0
// Whose revenue an invoice's lines are, and when: what of them was accrued before, what is earned
// now, what is deferred. Legs of the ledger and revenue items change together, so the balances of
// unbilled:{account} and deferred:{account} are always what the items say.
#include "base/assert.h"
#include "flow/invoice/issue_inside.h"

// ---- legs

void issue_leg_add(IssueLegs *legs, LedgerKind kind, Str owner, int64_t amount)
{
    for (size_t i = 0; i < legs->count; i++)
        if (legs->at[i].kind == kind && str_equal(legs->at[i].owner, owner)) {
            legs->at[i].amount += amount;
            return;
        }
    legs->at[legs->count++] = (LedgerLeg){ kind, owner, amount };
}

// `amount` of a line is taken from revenue (debit), but for what moves what is deferred.
static void line_legs(IssueLegs *legs, Str account, const IssueLineRow *row, int64_t amount,
                      int64_t moved)
{
    issue_leg_add(legs, LEDGER_DEFERRED, account, -moved);
    issue_leg_add(legs, LEDGER_REVENUE, row->revenue, amount + moved);
}

// ---- an invoice that becomes final

static bool is_of_bill(const IssueLine *line)
{
    return line->line != NULL;
}

Err *issue_revenue_read(DbTx *tx, const IssueDraft *draft, RevenueItems *items)
{
    size_t of_bills = 0;
    *items = (RevenueItems){ .project = draft->query->project, .account = draft->account };
    for (size_t i = 0; i < draft->count; i++)
        of_bills += is_of_bill(&draft->lines[i]);
    if (of_bills == 0 || (draft->facts != NULL && !draft->facts->has_revenue))
        return NULL;
    return revenue_items_read(tx, draft->query->project, draft->account, items);
}

static Str item_name(Arena *arena, const IssueLine *line, RevenueSide side)
{
    RevenueKey key = { side, line->subscription, line->line->kind, line->charge,
                       line->service.start };
    return revenue_item_name(arena, &key);
}

// How much of a line's net is not earned yet, or takes back what was not.
static int64_t line_defer(Arena *arena, const IssueDraft *draft, const IssueLine *line,
                          int64_t net, RevenueItems *items)
{
    bool begins = line->in_advance && net > 0 && line->service.end.us > draft->query->now.us;
    if (!is_of_bill(line) || (items->count == 0 && !begins))
        return 0;
    RevenueItem  wanted = { .item = item_name(arena, line, REVENUE_DEFERRED),
                            .side = REVENUE_DEFERRED,
                            .invoice = STR(""),
                            .subscription = line->subscription,
                            .currency = draft->currency,
                            .revenue = line->revenue,
                            .service = line->service };
    RevenueItem *item = revenue_item_find(items, wanted.item);
    if (item == NULL && begins)
        item = revenue_item_add(arena, items, &wanted);
    return item == NULL ? 0 : revenue_item_change(item, net, line->service.end);
}

static bool bills(Arena *arena, const IssueDraft *draft, const RevenueItem *item)
{
    for (size_t i = 0; i < draft->part_count; i++)
        if (str_equal(draft->parts[i].subscription, item->subscription) &&
            item->service.end.us <= draft->boundary.us)
            return true;
    for (size_t i = 0; i < draft->count; i++) {
        const IssueLine *line = &draft->lines[i];
        if (is_of_bill(line) && str_equal(line->subscription, item->subscription) &&
            str_equal(item_name(arena, line, REVENUE_ACCRUED), item->item))
            return true;
    }
    return false;
}

void issue_revenue_legs(Arena *arena, const IssuePriced *priced, Str invoice, RevenueItems *items,
                        IssueLegs *legs)
{
    const IssueDraft *draft = priced->draft;
    for (size_t i = 0; i < items->count; i++) {
        RevenueItem *item = &items->at[i];
        if (item->side != REVENUE_ACCRUED || !bills(arena, draft, item))
            continue;
        issue_leg_add(legs, LEDGER_UNBILLED, draft->account, -item->amount);
        issue_leg_add(legs, LEDGER_REVENUE, item->revenue, item->amount);
        item->invoice = invoice;
        item->is_changed = true;
    }
    for (size_t i = 0; i < draft->count; i++) {
        const IssueLine *line = &draft->lines[i];
        int64_t          net = issue_line_earned(priced, i);
        int64_t          deferred = line_defer(arena, draft, line, net, items);
        issue_leg_add(legs, LEDGER_DEFERRED, draft->account, -deferred);
        issue_leg_add(legs, LEDGER_REVENUE, line->revenue, deferred - net);
    }
}

// ---- a line that is stored

typedef struct Stored {
    RevenueKey key;  // of what is deferred
    Span       period;
} Stored;

static Str text_of(const Json *object, const char *name)
{
    const Json *member = json_find(object, str_of(name));
    return member == NULL || member->kind != JSON_STRING ? STR_NONE : member->text;
}

static bool is_stored_of_bill(const IssueLineRow *row)
{
    return row->subscription.length > 0;
}

// A line of a bill. STORE_FAILED: it cannot be read.
static Err *stored_read(Arena *arena, const IssueLineRow *row, Stored *stored)
{
    Json *content;
    assert_that(is_stored_of_bill(row));
    TRY(json_parse_stored(arena, row->content, &content));
    const Json *period = json_find(content, STR("period"));
    *stored = (Stored){ .key = { .side = REVENUE_DEFERRED,
                                 .subscription = row->subscription,
                                 .charge = text_of(content, "charge"),
                                 .start = row->service_start } };
    bool is_read = line_kind_find(text_of(content, "kind"), &stored->key.kind) && period != NULL &&
                   instant_parse(text_of(period, "start"), &stored->period.start) &&
                   instant_parse(text_of(period, "end"), &stored->period.end);
    return is_read ? NULL
                   : refuse(arena, ERR_STORE_FAILED, STR_NONE,
                            "a line of the subscription %.*s cannot be read",
                            STR_ARG(row->subscription));
}

Err *issue_revenue_key(Arena *arena, const IssueLineRow *row, RevenueSide side, RevenueKey *key)
{
    Stored stored;
    TRY(stored_read(arena, row, &stored));
    *key = stored.key;
    key->side = side;
    return NULL;
}

// The id of a charge is never empty; that of none is.
static bool same_item(const Stored *a, const Stored *b)
{
    return a->key.kind == b->key.kind && a->key.start.us == b->key.start.us &&
           str_equal(a->key.charge, b->key.charge);
}

typedef struct Undoing {
    DbTx                *tx;
    const InvoiceDeed   *deed;
    const IssuedInvoice *invoice;
    RevenueItems         items;
} Undoing;

// Where the service of a line ends by what is still billed of it; its own end when nothing is.
static Err *end_of(const Undoing *undoing, const Stored *line, Instant *end)
{
    DbTx         *tx = undoing->tx;
    IssueBilled   wanted = { .project = undoing->deed->project,
                             .subscription = line->key.subscription,
                             .from = line->key.start,
                             .until = INSTANT_END };
    IssueLineRow *rows;
    size_t        count;
    *end = line->period.end;
    TRY(issue_lines_billed(tx, &wanted, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        Stored other;
        TRY(stored_read(db_arena(tx), &rows[i], &other));
        if (same_item(&other, line))
            *end = other.period.end;
    }
    return NULL;
}

// A fee that comes back: from today on it is earned by the day again.
static RevenueItem *item_again(Undoing *undoing, const IssueLineRow *row, const Stored *line,
                               Instant end)
{
    Arena      *arena = db_arena(undoing->tx);
    Instant     now = undoing->deed->now;
    RevenueItem wanted = { .item = revenue_item_name(arena, &line->key),
                           .side = REVENUE_DEFERRED,
                           .invoice = STR(""),
                           .subscription = row->subscription,
                           .currency = undoing->invoice->currency,
                           .revenue = row->revenue,
                           .service = { row->service_start, end } };
    RevenueItem *item = revenue_item_find(&undoing->items, wanted.item);
    if (item != NULL || end.us <= now.us)
        return item;
    item = revenue_item_add(arena, &undoing->items, &wanted);
    if (now.us > item->base_at.us)
        item->base_at = item->earned_until = now;
    return item;
}

// ---- a void invoice

// Takes `net` of a line back (below 0: gives it back). *moved: what that does to what is deferred.
static Err *line_undo(Undoing *undoing, const IssueLineRow *row, int64_t net, int64_t *moved)
{
    Stored  line;
    Instant end;
    *moved = 0;
    if (!is_stored_of_bill(row) || (net >= 0 && undoing->items.count == 0))
        return NULL;
    TRY(stored_read(db_arena(undoing->tx), row, &line));
    if (net < 0) {
        TRY(end_of(undoing, &line, &end));
        RevenueItem *item = item_again(undoing, row, &line, end);
        *moved = item == NULL ? 0 : revenue_item_change(item, -net, end);
        return NULL;
    }
    RevenueItem *item = revenue_item_find(&undoing->items,
                                          revenue_item_name(db_arena(undoing->tx), &line.key));
    *moved = item == NULL ? 0 : revenue_item_change(item, -net, item->service.end);
    return NULL;
}

// What was accrued waits for its invoice again.
static Err *accrued_restore(Undoing *undoing, const RevenueItems *billed, IssueLegs *legs)
{
    for (size_t i = 0; i < billed->count; i++) {
        RevenueItem *item = &billed->at[i];
        RevenueItem *open = revenue_item_find(&undoing->items, item->item);
        issue_leg_add(legs, LEDGER_UNBILLED, undoing->invoice->account, item->amount);
        issue_leg_add(legs, LEDGER_REVENUE, item->revenue, -item->amount);
        item->invoice = STR("");
        item->is_changed = true;
        if (open == NULL)
            continue;
        open->amount += item->amount;
        open->is_changed = true;
        item->amount = 0;
    }
    return revenue_items_write(undoing->tx, billed);
}

Err *issue_revenue_undo(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                        IssueLegs *legs)
{
    Undoing       undoing = { .tx = tx, .deed = deed, .invoice = invoice };
    RevenueItems  billed;
    IssueLineRow *rows;
    size_t        count;
    TRY(issue_lines_read(tx, deed->project, invoice->id, &rows, &count));
    TRY(revenue_items_read(tx, deed->project, invoice->account, &undoing.items));
    TRY(revenue_items_of(tx, deed->project, invoice->account, invoice->id, &billed));
    LedgerLeg *more = arena_array(db_arena(tx), LedgerLeg,
                                  legs->count + count + billed.count + 2);
    for (size_t i = 0; i < legs->count; i++)
        more[i] = legs->at[i];
    legs->at = more;
    for (size_t i = 0; i < count; i++) {
        int64_t moved;
        TRY(line_undo(&undoing, &rows[i], rows[i].net, &moved));
        line_legs(legs, invoice->account, &rows[i], rows[i].net, moved);
    }
    TRY(accrued_restore(&undoing, &billed, legs));
    return revenue_items_write(tx, &undoing.items);
}

// ---- a credit note

Err *issue_revenue_credit(DbTx *tx, const IssueLineRow *row, int64_t net, RevenueItems *items,
                          IssueLegs *legs)
{
    int64_t moved = 0;
    if (is_stored_of_bill(row) && net > 0 && items->count > 0) {
        Stored line;
        TRY(stored_read(db_arena(tx), row, &line));
        RevenueItem *item =
            revenue_item_find(items, revenue_item_name(db_arena(tx), &line.key));
        moved = item == NULL ? 0 : revenue_item_change(item, -net, item->service.end);
    }
    line_legs(legs, items->account, row, net, moved);
    return NULL;
}

// ---- a write-off

Err *issue_revenue_write_off(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                             int64_t amount, int64_t *deferred)
{
    Undoing       undoing = { .tx = tx, .deed = deed, .invoice = invoice };
    IssueLineRow *rows;
    size_t        count;
    *deferred = 0;
    TRY(revenue_items_read(tx, deed->project, invoice->account, &undoing.items));
    if (undoing.items.count == 0)
        return NULL;
    TRY(issue_lines_read(tx, deed->project, invoice->id, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        int64_t left = amount - *deferred, moved;
        if (rows[i].net <= 0)
            continue;
        TRY(line_undo(&undoing, &rows[i], rows[i].net < left ? rows[i].net : left, &moved));
        *deferred -= moved;
    }
    return revenue_items_write(tx, &undoing.items);
}

// Fees that reach behind the invoice's boundary first: most of it was theirs.
static Err *lines_write_back(Undoing *undoing, const IssueLineRow *rows, size_t count,
                             IssueLegs *legs, int64_t *deferred)
{
    Instant boundary = undoing->invoice->boundary;
    for (size_t i = 0; *deferred > 0; i++) {
        assert_that(i < 2 * count);  // it was taken from these lines
        const IssueLineRow *row = &rows[i % count];
        Stored              line;
        int64_t             part = row->net < *deferred ? row->net : *deferred, moved = 0;
        if (!is_stored_of_bill(row) || part <= 0)
            continue;
        TRY(stored_read(db_arena(undoing->tx), row, &line));
        if ((line.period.end.us > boundary.us) != (i < count))
            continue;
        RevenueItem *item = item_again(undoing, row, &line, line.period.end);
        if (item != NULL)
            moved = revenue_item_change(item, part, item->service.end);
        line_legs(legs, undoing->invoice->account, row, -part, moved);
        *deferred -= part;
    }
    return NULL;
}

Err *issue_revenue_write_back(DbTx *tx, const InvoiceDeed *deed, const IssuedInvoice *invoice,
                              int64_t deferred, IssueLegs *legs)
{
    Undoing       undoing = { .tx = tx, .deed = deed, .invoice = invoice };
    IssueLineRow *rows;
    size_t        count;
    TRY(issue_lines_read(tx, deed->project, invoice->id, &rows, &count));
    TRY(revenue_items_read(tx, deed->project, invoice->account, &undoing.items));
    LedgerLeg *more = arena_array(db_arena(tx), LedgerLeg, legs->count + count + 1);
    for (size_t i = 0; i < legs->count; i++)
        more[i] = legs->at[i];
    legs->at = more;
    TRY(lines_write_back(&undoing, rows, count, legs, &deferred));
    return revenue_items_write(tx, &undoing.items);
}
