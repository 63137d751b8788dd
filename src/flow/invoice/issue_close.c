// SPDX-License-Identifier: Apache-2.0
// Drafts that are made and finalized at once, of many accounts in one transaction. What refuses is
// done again alone.
#include "base/random.h"
#include "flow/invoice/issue_inside.h"
#include "flow/invoice/issue_waiting.h"

// One account that has something due.
typedef struct Closing {
    IssueClosed *closed;
    Str          slot;
    IssueFinal   final;
} Closing;

typedef struct Batch {
    const IssueClose *close;
    const IssueQuery *query;
    Closing         **at;
    size_t            count;
} Batch;

// The draft's row, when there is one, becomes the invoice.
static Err *row_take(DbTx *tx, Closing *closing)
{
    IssueFinal       *final = &closing->final;
    const IssueDraft *draft = &final->rated;
    final->row = NULL;
    if (draft->facts == NULL || draft->facts->has_draft)
        TRY(issue_row_by_slot(tx, final->query->project, closing->slot, &final->row));
    final->is_new = final->row == NULL;
    if (final->is_new) {
        final->row = issue_row_of(db_arena(tx), draft);
        final->row->id = random_id(db_arena(tx), "inv_");
        final->row->version = 1;
    }
    final->row->boundary = draft->boundary;
    return NULL;
}

static Err *facts_read(DbTx *tx, const Batch *batch)
{
    Arena        *arena = db_arena(tx);
    IssueBatch   *together = arena_new(arena, IssueBatch);
    IssueFacts   *facts = arena_array(arena, IssueFacts, batch->count);
    IssueAccount *accounts = arena_array(arena, IssueAccount, batch->count);
    *together = (IssueBatch){ .project = batch->query->project };
    for (size_t i = 0; i < batch->count; i++)
        accounts[i] = (IssueAccount){ batch->at[i]->final.rated.account, batch->at[i]->slot };
    TRY(issue_batch_read(tx, together, accounts, batch->count, facts));
    for (size_t i = 0; i < batch->count; i++)
        batch->at[i]->final.rated.facts = &facts[i];
    return NULL;
}

static Err *batch_work(DbTx *tx, void *context)
{
    const Batch    *batch = context;
    IssueFinal    **finals = arena_array(db_arena(tx), IssueFinal *, batch->count);
    IssuedInvoice **rows = arena_array(db_arena(tx), IssuedInvoice *, batch->count);
    if (batch->count == 1)
        batch->at[0]->final.rated.facts = NULL;
    else
        TRY(facts_read(tx, batch));
    for (size_t i = 0; i < batch->count; i++) {
        TRY(row_take(tx, batch->at[i]));
        finals[i] = &batch->at[i]->final;
        rows[i] = finals[i]->row;
    }
    TRY(issue_finals_do(tx, finals, batch->count));
    return batch->close->also(tx, batch->close->context, rows, batch->count);
}

// Charges that wait in another currency, or were too many for the invoice, are due by themselves.
// What cannot be read now is met when the account is looked at again.
static bool has_waiting(Arena *arena, const Batch *batch, const IssueDraft *made)
{
    WaitingQuery   wanted = { batch->query, made->account, STR_NONE, made->time_zone };
    WaitingCharges waiting;
    bool           found;
    if (made->facts != NULL && !made->facts->has_charges)
        return false;
    return issue_waiting(arena, &wanted, &waiting, &found) != NULL ||
           (found && waiting.due.us <= batch->close->until.us);
}

static Err *batch_write(Arena *arena, Batch *batch)
{
    TRY(db_write(batch->query->books, arena, (DbWrite){ .work = batch_work, .context = batch }));
    for (size_t i = 0; i < batch->count; i++) {
        IssueClosed      *closed = batch->at[i]->closed;
        const IssueDraft *made = &batch->at[i]->final.rated;
        closed->invoice = batch->at[i]->final.row;
        closed->is_last = made->is_last && !has_waiting(arena, batch, made);
    }
    return NULL;
}

// *due is false: nothing is.
static Err *one_rate(Arena *arena, const Batch *batch, const IssueKnown *known, Closing *closing,
                     bool *due)
{
    IssueWanted wanted = { .account = closing->closed->account,
                           .currency = closing->closed->currency,
                           .known = known,
                           .has_until = true,
                           .until = batch->close->until,
                           .with_thresholds = batch->close->with_thresholds };
    closing->final.query = batch->query;
    IssueDraft *rated = &closing->final.rated;
    TRY(issue_rate_settled(arena, batch->query, &wanted, rated, due));
    *due = *due && (wanted.with_thresholds || rated->boundary.us <= batch->close->until.us);
    if (*due)
        closing->slot = issue_draft_slot(arena, rated->account, rated->currency);
    return NULL;
}

// Rated anew, because what was rated may be what was refused.
static Err *alone_once(Arena *arena, const Batch *batch, IssueClosed *closed)
{
    Closing  closing = { .closed = closed };
    Closing *only = &closing;
    Batch    own = { batch->close, batch->query, &only, 1 };
    bool     due;
    TRY(one_rate(arena, batch, NULL, &closing, &due));
    return due ? batch_write(arena, &own) : NULL;
}

static void alone(Arena *arena, const Batch *batch, IssueClosed *closed)
{
    int tries = 0;
    do
        closed->why = alone_once(arena, batch, closed);
    while (db_goes_again(closed->why, &tries));
}

// Nobody knows what was stored, or nothing more may be.
static bool is_last(const Err *err)
{
    return err->code == ERR_OUTCOME_UNKNOWN || err->code == ERR_OPERATION_CANCELED;
}

// NULL: nothing, and each is read for itself. A failure of the books is met again there, account by
// account.
static const IssueKnown *known_read(Arena *arena, const IssueQuery *query,
                                    const IssueClosed *closed, size_t count)
{
    IssueKnown *known = arena_array(arena, IssueKnown, count);
    Str        *accounts = arena_array(arena, Str, count);
    AccountIds  ids = { query->project, accounts, count };
    for (size_t i = 0; i < count; i++)
        accounts[i] = closed[i].account;
    if (count < 2 || issue_known_read(arena, query, &ids, known) != NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (known[i].file->account == NULL)
            return NULL;
    return known;
}

void issue_close(Arena *arena, const IssueQuery *query, const IssueClose *close,
                 IssueClosed *closed, size_t count)
{
    Closing *closings = arena_array(arena, Closing, count);
    Batch    batch = { close, query, arena_array(arena, Closing *, count), 0 };
    const IssueKnown *known = known_read(arena, query, closed, count);
    for (size_t i = 0; i < count; i++) {
        bool due;
        closed[i].invoice = NULL;
        closed[i].is_last = false;
        closings[i] = (Closing){ .closed = &closed[i] };
        closed[i].why =
            one_rate(arena, &batch, known == NULL ? NULL : &known[i], &closings[i], &due);
        if (closed[i].why == NULL && due)
            batch.at[batch.count++] = &closings[i];
        else if (closed[i].why != NULL && closed[i].why->code == ERR_STORE_BUSY)
            alone(arena, &batch, &closed[i]);
    }
    Err *err = batch.count == 0 ? NULL : batch_write(arena, &batch);
    if (err == NULL)
        return;
    for (size_t i = 0; i < batch.count; i++)
        if (is_last(err))
            batch.at[i]->closed->why = err;
        else
            alone(arena, &batch, batch.at[i]->closed);
}
