// SPDX-License-Identifier: Apache-2.0
// One-off charges that wait for an invoice: the next draft of their account and currency shows
// them, finalizing it takes them, and when it is voided they wait again.
#include "base/assert.h"
#include "flow/invoice/issue_inside.h"
#include "flow/ledger/charge.h"

enum { CHARGES_MAX = 1000 };  // of one invoice; more wait for the one after

Err *issue_charges_add(DbTx *tx, IssueDraft *draft)
{
    CreditWallet   wallet = { draft->query->project, draft->account, draft->currency };
    AccountCharge *waiting;
    size_t         count;
    if (draft->facts != NULL && !draft->facts->has_charges)
        return NULL;
    size_t taken = draft->ahead == NULL ? 0 : draft->ahead->charges;
    TRY(charges_waiting(tx, &wallet, taken + CHARGES_MAX, &waiting, &count));
    taken = taken < count ? taken : count;
    waiting += taken;
    count -= taken;
    IssueLine *lines = arena_array(db_arena(tx), IssueLine, draft->count + count);
    for (size_t i = 0; i < draft->count; i++)
        lines[i] = draft->lines[i];
    for (size_t i = 0; i < count; i++)
        lines[draft->count + i] = (IssueLine){
            .subscription = STR(""),
            .revenue = STR("charge"),
            .charge_id = waiting[i].id,
            .service = { waiting[i].at, waiting[i].at },
            .description =
                waiting[i].description.at == NULL ? waiting[i].key : waiting[i].description,
            .amount = waiting[i].amount,
            .discount = money_zero(draft->currency),
        };
    draft->lines = lines;
    draft->count += count;
    return NULL;
}

Err *issue_charges_take(DbTx *tx, const IssueDraft *draft, Str invoice)
{
    for (size_t i = 0; i < draft->count; i++) {
        bool taken;
        if (draft->lines[i].charge_id.at == NULL)
            continue;
        TRY(charge_take(tx, draft->query->project, draft->lines[i].charge_id, invoice, &taken));
        assert_that(taken);  // it waited, in this transaction
    }
    return NULL;
}

Err *issue_charges_release(DbTx *tx, ProjectId project, const IssueLineRow *rows, size_t count,
                           Str invoice)
{
    for (size_t i = 0; i < count; i++) {
        Json *content;
        TRY(json_parse_stored(db_arena(tx), rows[i].content, &content));
        const Json *id = json_find(content, STR("chargeId"));
        if (id != NULL)
            TRY(charge_release(tx, project, id->text, invoice));
    }
    return NULL;
}
