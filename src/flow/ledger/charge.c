// SPDX-License-Identifier: Apache-2.0
// The row's key decides who stores a charge; only he draws. A drawing that does not pay all of it
// refuses, and the row goes with it.
#include "flow/ledger/charge.h"

#include "base/assert.h"
#include "base/random.h"
#include "catalog/due.h"
#include "flow/ledger/charge_inside.h"
#include "flow/ledger/top_up.h"

static bool same_text(Str a, Str b)
{
    return (a.at == NULL) == (b.at == NULL) && str_equal(a, b);
}

static Err *repeated(DbTx *tx, const CreditWallet *wallet, const AccountCharge *wanted,
                     AccountCharge *stored)
{
    TRY(charge_get(tx, wallet, wanted->key, stored));
    if (stored->amount.minor == wanted->amount.minor && stored->collect == wanted->collect &&
        currency_equal(stored->amount.currency, wanted->amount.currency) &&
        same_text(stored->description, wanted->description))
        return NULL;
    return refuse(db_arena(tx), ERR_CHARGE_CONFLICT, STR("/chargeKey"),
                  "charge %.*s of account %.*s has other content", STR_ARG(wanted->key),
                  STR_ARG(wanted->account));
}

// What is less than the charge is all that there is for it: grants may be kept to other charges.
static Err *pay_check(DbTx *tx, const AccountCharge *charge, int64_t paid)
{
    if (paid == charge->amount.minor)
        return NULL;
    Money left = { paid, charge->amount.currency };
    return refuse(db_arena(tx), ERR_INSUFFICIENT_BALANCE, STR("/amount"),
                  "%.*s %s is available for one-off charges",
                  STR_ARG(money_print(db_arena(tx), left)), left.currency.code);
}

static Err *wallet_pay(DbTx *tx, const CreditWallet *wallet, const ChargeWanted *wanted,
                       const AccountCharge *charge)
{
    CreditGrants grants;
    Drawing      open, drawing;
    int64_t      drawn;
    DrawLine     line = { .service = { charge->at, charge->at }, .net = charge->amount.minor };
    CreditUse    use = { .wallet = *wallet,
                         .source = charge->id,
                         .rule = POSTING_CHARGE,
                         .revenue = STR("charge"),
                         .at = charge->at,
                         .effective_at = charge->at };
    TRY(credit_grants_active(tx, wallet, &grants));
    if (wanted->open.count > 0) {
        TRY(draw_begin(db_arena(tx), grants, wanted->open, &open));
        draw_before_tax(&open);
        draw_after_tax(&open, wanted->open_taxes);
        draw_reserve(&open, grants);
    }
    TRY(draw_begin(db_arena(tx), grants, (DrawLines){ &line, 1 }, &drawing));
    draw_before_tax(&drawing);
    draw_after_tax(&drawing, NULL);
    TRY(pay_check(tx, charge, draw_total(&drawing)));
    TRY(credit_draw(tx, &use, &drawing, &drawn));
    return top_up_check(tx, wallet, grants_available(drawing.grants, charge->at), charge->at);
}

Err *charge_add(DbTx *tx, const ChargeWanted *wanted, AccountCharge *charge, bool *added)
{
    CreditWallet wallet = { .project = wanted->project,
                            .account = wanted->charge.account,
                            .currency = wanted->charge.amount.currency };
    *charge = wanted->charge;
    assert_that(charge->amount.minor > 0);
    charge->id = random_id(db_arena(tx), "chg_");
    charge->invoice = STR_NONE;
    TRY(charge_row_add(tx, wanted->project, charge, added));
    if (!*added)
        return repeated(tx, &wallet, &wanted->charge, charge);
    return charge->collect == COLLECT_WALLET
               ? wallet_pay(tx, &wallet, wanted, charge)
               : account_due_mark(tx, wanted->project, charge->account);
}
