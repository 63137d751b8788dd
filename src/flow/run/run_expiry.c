// SPDX-License-Identifier: Apache-2.0
// Credit whose time is over. A grant still pays for what was used while it was in force, so nothing
// is taken before every period that began by then is billed; a later run comes back to it.
#include "flow/invoice/issue_next.h"
#include "flow/ledger/charge.h"
#include "flow/ledger/credit.h"
#include "flow/run/run_kinds.h"

static bool has_account(const RunAccounts *accounts, Str account)
{
    for (size_t i = accounts->count; i > 0; i--)
        if (str_equal(accounts->at[i - 1], account))
            return true;
    return false;
}

// Pages are of grants by id: an account may be on more than one.
Err *run_expiry_accounts(DbTx *tx, const BillingRun *run, size_t limit, RunAccounts *accounts)
{
    ExpiringGrants wanted = { run->project, run->at, run->walked, limit };
    CreditGrants   grants;
    TRY(credit_expiring(tx, &wanted, &grants));
    *accounts = (RunAccounts){ .at = arena_array(db_arena(tx), Str, grants.count),
                               .walked = run->walked,
                               .is_last = grants.count < limit };
    for (size_t i = 0; i < grants.count; i++) {
        accounts->walked = grants.at[i].id;
        if (!has_account(accounts, grants.at[i].account))
            accounts->at[accounts->count++] = grants.at[i].account;
    }
    return NULL;
}

// ---- one account

typedef struct Expiring {
    const RunOne *one;
    StoredGrant  *grants;
    size_t        count;
} Expiring;

static Err *grants_work(DbTx *tx, void *context)
{
    Expiring *expiring = context;
    GrantPage page = { .project = expiring->one->query->project,
                       .account = expiring->one->account,
                       .only_active = true,
                       .limit = INT32_MAX };
    return credit_grants(tx, &page, &expiring->grants, &expiring->count);
}

typedef struct Waiting {
    CreditWallet wallet;
    Instant      before;
    bool         has;
} Waiting;

static Err *waiting_work(DbTx *tx, void *context)
{
    Waiting       *waiting = context;
    AccountCharge *oldest;
    size_t         count;
    TRY(charges_waiting(tx, &waiting->wallet, 1, &oldest, &count));
    waiting->has = count > 0 && oldest[0].at.us < waiting->before.us;
    return NULL;
}

// Everything that it may pay is billed.
static Err *grant_is_done(Arena *arena, const RunOne *one, const CreditGrant *grant, bool *is_done)
{
    Waiting    waiting = { .wallet = { one->query->project, one->account, grant->currency },
                           .before = grant->expires_at };
    IssueFinalQuery final = { one->query, one->account, grant->currency, grant->expires_at };
    TRY(db_read(one->query->books, arena, waiting_work, &waiting));
    *is_done = false;
    return waiting.has ? NULL : issue_is_final(arena, &final, is_done);
}

typedef struct Expiry {
    const RunOne      *one;
    const CreditGrant *grant;
} Expiry;

static Err *expire_work(DbTx *tx, void *context)
{
    const Expiry      *expiry = context;
    const CreditGrant *grant = expiry->grant;
    const RunOne      *one = expiry->one;
    bool               expired;
    TRY(credit_expire(tx, one->query->project, grant->id, one->until, &expired));
    if (!expired)
        return NULL;
    RunItem item = { .account = one->account,
                     .currency = currency_code(&grant->currency),
                     .boundary = grant->expires_at };
    return run_item_done(tx, one->work, &item);
}

static Err *grant_expire(Arena *arena, const RunOne *one, const CreditGrant *grant)
{
    Expiry expiry = { one, grant };
    bool   is_done;
    if (grant->expires_at.us > one->until.us)
        return NULL;
    TRY(grant_is_done(arena, one, grant, &is_done));
    if (!is_done)
        return NULL;
    return db_write(one->query->books, arena,
                    (DbWrite){ .work = expire_work, .context = &expiry });
}

Err *run_expiry_account(Arena *arena, const RunOne *one)
{
    Expiring expiring = { .one = one };
    TRY(db_read(one->query->books, arena, grants_work, &expiring));
    for (size_t i = 0; i < expiring.count; i++)
        TRY(grant_expire(arena, one, &expiring.grants[i].grant));
    return NULL;
}
