// SPDX-License-Identifier: Apache-2.0
// Wallets on both engines: what is posted, what comes back, and that no writer loses another's
// draw. Every test ends with the proof: grants = entries = ledger.
#include "flow/ledger/credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "base/thread.h"
#include "books.h"
#include "catalog/due.h"
#include "flow/ledger/charge.h"
#include "flow/ledger/ledger_seal.h"
#include "flow/ledger/top_up.h"

enum { FORGE_LEFT, FORGE_COST, FORGERIES };
static const Statement forgery_sql[FORGERIES] = {
    [FORGE_LEFT] = { "update credit_grant set drawn = drawn + 1 where project = ?" },
    [FORGE_COST] = { "update ledger_balance set amount = amount + 1 where project = ?"
                     " and kind = 'wallet'" },
};
static const StatementTable        forgery_table = { "forgeries", forgery_sql, FORGERIES };
static const StatementTable *const tables[] = { &ledger_table, &credit_table,  &charge_table,
                                                &top_up_table, &forgery_table,
                                                &catalog__due_table, NULL };

typedef struct Place {
    Arena       *arena;
    char         folder[64];
    Str          books;
    Db          *db;
    CreditWallet wallet;  // of "acme" in USD
    Currency     eur;
} Place;

static Db *books_of(Place *place)
{
    Db        *db;
    DbOptions  options = { .place = place->books, .migrations = db_migrations(),
                           .tables = tables };
    Err       *err = db_open(place->arena, &options, &db);
    if (err != NULL)
        fail_msg("%s", str_terminated(place->arena, err->detail));
    return db;
}

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_credit_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    place->db = books_of(place);
    place->wallet = (CreditWallet){ { STR("tenant"), STR("project") }, STR("acme"), { "", 0 } };
    assert_true(currency_find(STR("USD"), &place->wallet.currency));
    assert_true(currency_find(STR("EUR"), &place->eur));
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    Place *place = *state;
    char   path[128];
    db_close(place->db);
    snprintf(path, sizeof path, "%s/books.sqlite", place->folder);
    unlink(path);
    rmdir(place->folder);
    books_end(place->arena, place->books);
    arena_close(place->arena);
    memory_release(place);
    return 0;
}

static Instant day(int64_t number)
{
    return (Instant){ (20000 + number) * INSTANT_DAY_US };
}

static void work_on(Place *place, DbWork work, void *context)
{
    Err *err = db_write(place->db, place->arena, (DbWrite){ .work = work, .context = context });
    if (err != NULL)
        fail_msg("%s", str_terminated(place->arena, err->detail));
}

static void refused_work(Place *place, DbWork work, void *context, ErrCode code)
{
    Err *err = db_write(place->db, place->arena, (DbWrite){ .work = work, .context = context });
    assert_non_null(err);
    assert_int_equal(err->code, code);
}

// ---- grants

typedef struct Granting {
    Place      *place;
    StoredGrant grant;
} Granting;

static Err *grant_work(DbTx *tx, void *context)
{
    Granting *granting = context;
    return credit_grant_add(tx, granting->place->wallet.project, &granting->grant);
}

static StoredGrant grant_of(Place *place, const char *id, int64_t amount, int64_t price)
{
    GrantKind kind = price > 0 ? GRANT_PAID : GRANT_PROMOTIONAL;
    return (StoredGrant){ .grant = { .id = str_of(id),
                                     .account = place->wallet.account,
                                     .currency = place->wallet.currency,
                                     .kind = kind,
                                     .timing = CREDIT_AFTER_TAX,
                                     .amount = amount,
                                     .price = price,
                                     .effective_at = day(0),
                                     .expires_at = INSTANT_END },
                          .paid_by = price > 0 ? PAID_EXTERNALLY : PAID_BY_NOBODY,
                          .origin = STR("grant"),
                          .created_at = day(0) };
}

static void grant_add(Place *place, StoredGrant grant)
{
    Granting granting = { place, grant };
    work_on(place, grant_work, &granting);
}

typedef struct Got {
    Place      *place;
    Str         id;
    StoredGrant grant;
} Got;

static Err *get_work(DbTx *tx, void *context)
{
    Got *got = context;
    return credit_grant_get(tx, got->place->wallet.project, got->id, &got->grant);
}

static StoredGrant grant_get(Place *place, const char *id)
{
    Got got = { .place = place, .id = str_of(id) };
    assert_null(db_read(place->db, place->arena, get_work, &got));
    return got.grant;
}

static int64_t left_of(Place *place, const char *id)
{
    StoredGrant grant = grant_get(place, id);
    return grant_left(&grant.grant);
}

// ---- the ledger beside them

typedef struct Balance {
    Place     *place;
    LedgerName name;
    int64_t    minor;
} Balance;

static Err *balance_work(DbTx *tx, void *context)
{
    Balance *balance = context;
    return ledger_balance(tx, balance->place->wallet.project, &balance->name, &balance->minor);
}

static int64_t posted(Place *place, LedgerKind kind, const char *owner)
{
    Balance balance = { place, { kind, str_of(owner), place->wallet.currency }, 0 };
    assert_null(db_read(place->db, place->arena, balance_work, &balance));
    return balance.minor;
}

static void take_drift(void *context, Str what)
{
    (void)what;
    ++*(int *)context;
}

typedef struct Proof {
    Place       *place;
    CreditReport report;
} Proof;

static Err *verify_work(DbTx *tx, void *context)
{
    Proof *proof = context;
    return credit_verify(tx, proof->place->wallet.project, &proof->report);
}

static int drifts(Place *place)
{
    int          told = 0;
    Proof        proof = { place, { .tell = take_drift, .context = &told } };
    LedgerReport ledger = { .tell = take_drift, .context = &told };
    size_t       sealed;
    assert_null(db_read(place->db, place->arena, verify_work, &proof));
    assert_null(ledger_seal(place->db, place->arena, place->wallet.project, &sealed));
    assert_null(ledger_verify(place->db, place->arena, place->wallet.project, &ledger));
    return told;
}

// ---- draws

typedef struct Drawn {
    Place   *place;
    Str      source;
    DrawLine line;
    int64_t  drawn;
} Drawn;

static Err *draw_work(DbTx *tx, void *context)
{
    Drawn       *wanted = context;
    CreditGrants grants;
    Drawing      drawing;
    CreditUse    use = { .wallet = wanted->place->wallet,
                         .source = wanted->source,
                         .rule = POSTING_CREDIT_DRAW,
                         .at = day(1),
                         .effective_at = day(1) };
    TRY(credit_grants_active(tx, &use.wallet, &grants));
    TRY(draw_begin(db_arena(tx), grants, (DrawLines){ &wanted->line, 1 }, &drawing));
    draw_before_tax(&drawing);
    draw_after_tax(&drawing, NULL);
    return credit_draw(tx, &use, &drawing, &wanted->drawn);
}

static int64_t draw(Place *place, const char *source, int64_t net)
{
    Drawn drawn = { place, str_of(source), { .service = { day(1), day(2) }, .net = net }, 0 };
    work_on(place, draw_work, &drawn);
    return drawn.drawn;
}

typedef struct Restored {
    CreditRestore wanted;
    int64_t       restored;
} Restored;

// Foreseen as it is done, grant by grant.
static Err *restore_work(DbTx *tx, void *context)
{
    Restored   *restored = context;
    CreditBack *parts;
    size_t      count;
    int64_t     foreseen = 0;
    TRY(credit_restore_parts(tx, &restored->wanted, &parts, &count));
    TRY(credit_restore(tx, &restored->wanted, &restored->restored));
    for (size_t i = 0; i < count; i++) {
        StoredGrant after;
        TRY(credit_grant_get(tx, restored->wanted.wallet.project, parts[i].grant.id, &after));
        assert_int_equal(after.grant.drawn, parts[i].grant.drawn - parts[i].amount);
        foreseen += parts[i].amount;
    }
    assert_int_equal(foreseen, restored->restored);
    return NULL;
}

static int64_t restore(Place *place, const char *of, const char *source, int64_t amount)
{
    Restored restored = {
        { place->wallet, str_of(of), str_of(source), amount, day(3), day(3) }, 0
    };
    work_on(place, restore_work, &restored);
    return restored.restored;
}

static void test_a_pack_of_100_for_90(void **state)
{
    Place *place = *state;
    grant_add(place, grant_of(place, "g", 10000, 9000));
    assert_int_equal(posted(place, LEDGER_CASH, "external"), 9000);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -9000);
    assert_int_equal(draw(place, "invoice:1", 5000), 5000);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -4500);
    assert_int_equal(posted(place, LEDGER_PROMOTION, "credit"), 500);
    assert_int_equal(posted(place, LEDGER_RECEIVABLE, "acme"), -5000);
    assert_int_equal(draw(place, "invoice:2", 7000), 5000);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), 0);
    assert_int_equal(grant_get(place, "g").state, GRANT_USED);
    assert_int_equal(draw(place, "invoice:3", 1), 0);
    assert_int_equal(drifts(place), 0);
}

static void test_a_draw_comes_back(void **state)
{
    Place      *place = *state;
    StoredGrant second = grant_of(place, "b", 1000, 0), third = grant_of(place, "y", 100, 0);
    second.grant.priority = 1;
    third.grant.priority = 2;
    grant_add(place, grant_of(place, "z", 300, 100));
    grant_add(place, second);
    grant_add(place, third);
    assert_int_equal(draw(place, "invoice:1", 1350), 1350);
    assert_int_equal(left_of(place, "y"), 50);
    assert_int_equal(restore(place, "invoice:1", "note:0", 50), 50);  // the last drawn first
    assert_int_equal(restore(place, "invoice:1", "note:1", 450), 450);
    assert_int_equal(left_of(place, "y"), 100);
    assert_int_equal(left_of(place, "b"), 450);
    assert_int_equal(restore(place, "invoice:1", "void:1", INT64_MAX), 850);
    assert_int_equal(left_of(place, "z"), 300);
    assert_int_equal(restore(place, "invoice:1", "void:2", INT64_MAX), 0);
    assert_int_equal(restore(place, "invoice:none", "void:3", INT64_MAX), 0);
    assert_int_equal(posted(place, LEDGER_RECEIVABLE, "acme"), 0);
    assert_int_equal(posted(place, LEDGER_PROMOTION, "credit"), 0);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -100);
    assert_int_equal(drifts(place), 0);
}

// ---- ends

typedef struct Ending {
    Place      *place;
    GrantRevoke revoke;
    int64_t     value;
    bool        expired;
} Ending;

static Err *expire_work(DbTx *tx, void *context)
{
    Ending *ending = context;
    return credit_expire(tx, ending->place->wallet.project, ending->revoke.id, ending->revoke.at,
                         &ending->expired);
}

static bool expire(Place *place, const char *id, Instant at)
{
    Ending ending = { .place = place, .revoke = { .id = str_of(id), .at = at } };
    work_on(place, expire_work, &ending);
    return ending.expired;
}

static Err *expiring_work(DbTx *tx, void *context)
{
    Ending        *ending = context;
    CreditGrants   grants;
    ExpiringGrants wanted = { ending->place->wallet.project, ending->revoke.at, STR_NONE, 10 };
    TRY(credit_expiring(tx, &wanted, &grants));
    ending->value = (int64_t)grants.count;
    return NULL;
}

static int64_t expiring(Place *place, Instant at)
{
    Ending ending = { .place = place, .revoke = { .at = at } };
    work_on(place, expiring_work, &ending);
    return ending.value;
}

static void test_credit_expires_once(void **state)
{
    Place      *place = *state;
    StoredGrant paid = grant_of(place, "paid", 1000, 500);
    StoredGrant free = grant_of(place, "free", 1000, 0);
    paid.grant.expires_at = free.grant.expires_at = day(5);
    free.grant.priority = 1;
    grant_add(place, paid);
    grant_add(place, free);
    draw(place, "invoice:1", 400);
    assert_int_equal(expiring(place, (Instant){ day(5).us - 1 }), 0);
    assert_int_equal(expiring(place, day(5)), 2);
    assert_false(expire(place, "paid", (Instant){ day(5).us - 1 }));
    assert_true(expire(place, "paid", day(5)));
    assert_false(expire(place, "paid", day(6)));
    assert_true(expire(place, "free", day(5)));
    Ending none = { .place = place, .revoke = { .id = STR("none"), .at = day(5) } };
    refused_work(place, expire_work, &none, ERR_GRANT_NOT_FOUND);
    assert_int_equal(posted(place, LEDGER_BREAKAGE, "credit"), -300);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), 0);
    assert_int_equal(grant_get(place, "paid").state, GRANT_EXPIRED);
    // The invoice is void: the credit pays again what was used in time, and then expires again.
    assert_int_equal(restore(place, "invoice:1", "void:1", INT64_MAX), 400);
    assert_int_equal(draw(place, "invoice:2", 150), 150);
    assert_true(expire(place, "paid", day(7)));
    assert_int_equal(posted(place, LEDGER_BREAKAGE, "credit"), -425);
    assert_int_equal(drifts(place), 0);
}

static Err *revoke_work(DbTx *tx, void *context)
{
    Ending *ending = context;
    return credit_revoke(tx, &ending->revoke, &ending->value);
}

static int64_t end_grant(Place *place, const char *id, RevokeMode mode)
{
    Ending ending = { .revoke = { place->wallet.project, str_of(id), mode, day(4) } };
    work_on(place, revoke_work, &ending);
    return ending.value;
}

static void test_grants_are_revoked(void **state)
{
    Place *place = *state;
    Ending again = { .revoke = { place->wallet.project, STR("a"), REVOKE_FORFEIT, day(4) } };
    grant_add(place, grant_of(place, "a", 100, 90));
    grant_add(place, grant_of(place, "b", 100, 90));
    grant_add(place, grant_of(place, "c", 100, 90));
    draw(place, "invoice:1", 50);
    assert_int_equal(end_grant(place, "a", REVOKE_REFUND), 45);
    assert_int_equal(end_grant(place, "b", REVOKE_REFUND_TO_BALANCE), 90);
    assert_int_equal(end_grant(place, "c", REVOKE_FORFEIT), 90);
    assert_int_equal(posted(place, LEDGER_CASH, "external"), 270 - 45);
    assert_int_equal(posted(place, LEDGER_CUSTOMER_BALANCE, "acme"), -90);
    assert_int_equal(posted(place, LEDGER_BREAKAGE, "credit"), -90);
    refused_work(place, revoke_work, &again, ERR_GRANT_ENDED);
    again.revoke.id = STR("none");
    refused_work(place, revoke_work, &again, ERR_GRANT_NOT_FOUND);
    // What comes back to a revoked grant pays nothing that was used later.
    assert_int_equal(restore(place, "invoice:1", "void:1", INT64_MAX), 50);
    assert_int_equal(grant_get(place, "a").grant.expires_at.us, day(4).us);
    assert_int_equal(drifts(place), 0);
}

static void test_the_balance_pays_what_it_has(void **state)
{
    Place   *place = *state;
    Granting granting = { place, grant_of(place, "x", 100, 90) };
    grant_add(place, grant_of(place, "a", 100, 90));
    end_grant(place, "a", REVOKE_REFUND_TO_BALANCE);
    granting.grant.paid_by = PAID_BY_CUSTOMER_BALANCE;
    granting.grant.grant.price = 91;
    refused_work(place, grant_work, &granting, ERR_INSUFFICIENT_BALANCE);
    granting.grant.grant.price = 90;
    work_on(place, grant_work, &granting);
    assert_int_equal(posted(place, LEDGER_CUSTOMER_BALANCE, "acme"), 0);
    assert_int_equal(drifts(place), 0);
}

// ---- charges

typedef struct Charging {
    ChargeWanted  wanted;
    AccountCharge charge;
    bool          added;
} Charging;

static Err *charge_work(DbTx *tx, void *context)
{
    Charging *charging = context;
    return charge_add(tx, &charging->wanted, &charging->charge, &charging->added);
}

static Charging charging_of(Place *place, const char *key, int64_t amount, ChargeCollect collect)
{
    return (Charging){ .wanted = { .project = place->wallet.project,
                                   .charge = { .account = place->wallet.account,
                                               .key = str_of(key),
                                               .amount = { amount, place->wallet.currency },
                                               .collect = collect,
                                               .at = day(1) } } };
}

static void test_a_charge_is_known_for_ever(void **state)
{
    Place   *place = *state;
    Charging charging = charging_of(place, "k", 700, COLLECT_WALLET);
    grant_add(place, grant_of(place, "g", 1000, 1000));
    work_on(place, charge_work, &charging);
    assert_true(charging.added);
    Str id = charging.charge.id;
    work_on(place, charge_work, &charging);
    assert_false(charging.added);
    assert_true(str_equal(charging.charge.id, id));
    assert_int_equal(left_of(place, "g"), 300);
    charging.wanted.charge.amount.minor = 701;
    refused_work(place, charge_work, &charging, ERR_CHARGE_CONFLICT);
    charging = charging_of(place, "k", 700, COLLECT_INVOICE);
    refused_work(place, charge_work, &charging, ERR_CHARGE_CONFLICT);
    charging = charging_of(place, "k", 700, COLLECT_WALLET);
    charging.wanted.charge.description = STR("other");
    refused_work(place, charge_work, &charging, ERR_CHARGE_CONFLICT);
    charging = charging_of(place, "other", 301, COLLECT_WALLET);
    refused_work(place, charge_work, &charging, ERR_INSUFFICIENT_BALANCE);
    charging.wanted.charge.amount.minor = 300;  // the refusal did not use up the key
    work_on(place, charge_work, &charging);
    assert_int_equal(posted(place, LEDGER_REVENUE, "charge"), -1000);
    assert_int_equal(drifts(place), 0);
}

// Peers drained a wallet across currencies.
static void test_a_wallet_is_of_one_currency(void **state)
{
    Place   *place = *state;
    Charging charging = charging_of(place, "k", 1, COLLECT_WALLET);
    grant_add(place, grant_of(place, "g", 1000, 1000));
    charging.wanted.charge.amount.currency = place->eur;
    refused_work(place, charge_work, &charging, ERR_INSUFFICIENT_BALANCE);
    assert_int_equal(left_of(place, "g"), 1000);
}

static void test_open_bills_come_first(void **state)
{
    Place     *place = *state;
    static Str fee[] = { STR_INIT("fee") };
    DrawLine   open[] = { { .charge = STR("fee"), .service = { day(0), day(1) }, .net = 600 } };
    Charging   charging = charging_of(place, "k", 401, COLLECT_WALLET);
    grant_add(place, grant_of(place, "g", 1000, 0));
    charging.wanted.open = (DrawLines){ open, 1 };
    refused_work(place, charge_work, &charging, ERR_INSUFFICIENT_BALANCE);
    charging.wanted.charge.amount.minor = 400;
    work_on(place, charge_work, &charging);
    assert_int_equal(left_of(place, "g"), 600);
    // What only the fee may use, the charge leaves; so the open bill does not need the rest.
    StoredGrant only = grant_of(place, "only", 500, 0);
    only.grant.applies_to.charges = (Texts){ fee, 1 };
    only.grant.priority = -1;
    grant_add(place, only);
    charging.wanted.charge.key = STR("l");
    charging.wanted.charge.amount.minor = 501;
    refused_work(place, charge_work, &charging, ERR_INSUFFICIENT_BALANCE);
    charging.wanted.charge.amount.minor = 500;
    work_on(place, charge_work, &charging);
    assert_int_equal(left_of(place, "g"), 100);
    assert_int_equal(left_of(place, "only"), 500);
    assert_int_equal(drifts(place), 0);
}

typedef struct Waiting {
    Place         *place;
    Str            invoice;
    AccountCharge *found;
    size_t         count;
    bool           taken;
} Waiting;

static Err *waiting_work(DbTx *tx, void *context)
{
    Waiting *waiting = context;
    return charges_waiting(tx, &waiting->place->wallet, 10, &waiting->found, &waiting->count);
}

static Err *take_work(DbTx *tx, void *context)
{
    Waiting *waiting = context;
    TRY(waiting_work(tx, context));
    return charge_take(tx, waiting->place->wallet.project, waiting->found[0].id, waiting->invoice,
                       &waiting->taken);
}

static Err *release_work(DbTx *tx, void *context)
{
    Waiting *waiting = context;
    return charge_release(tx, waiting->place->wallet.project, waiting->found[0].id,
                          waiting->invoice);
}

static void test_charges_wait_for_one_invoice(void **state)
{
    Place   *place = *state;
    Charging one = charging_of(place, "1", 100, COLLECT_INVOICE);
    Charging two = charging_of(place, "2", 200, COLLECT_INVOICE);
    Waiting  waiting = { .place = place, .invoice = STR("inv_1") };
    work_on(place, charge_work, &one);
    work_on(place, charge_work, &two);
    work_on(place, take_work, &waiting);
    assert_true(waiting.taken);
    assert_int_equal(waiting.count, 2);
    assert_int_equal(waiting.found[0].amount.minor + waiting.found[1].amount.minor, 300);
    Waiting mine = waiting;
    work_on(place, waiting_work, &waiting);
    assert_int_equal(waiting.count, 1);
    work_on(place, release_work, &mine);
    work_on(place, waiting_work, &waiting);
    assert_int_equal(waiting.count, 2);
}

// ---- top-ups

typedef struct Rules {
    Place    *place;
    TopUpRule rule;
    TopUp    *found;
    size_t    count;
    bool      completed;
} Rules;

static Err *rule_work(DbTx *tx, void *context)
{
    Rules *rules = context;
    return top_up_rule_put(tx, rules->place->wallet.project, &rules->rule);
}

static Err *top_ups_work(DbTx *tx, void *context)
{
    Rules     *rules = context;
    TopUpPage page = { .project = rules->place->wallet.project, .limit = 10 };
    return top_ups(tx, &page, &rules->found, &rules->count);
}

static Err *complete_work(DbTx *tx, void *context)
{
    Rules *rules = context;
    TopUp  top_up;
    return top_up_complete(tx, rules->place->wallet.project, rules->found[0].id, &top_up,
                           &rules->completed);
}

static void test_a_low_wallet_asks_once(void **state)
{
    Place   *place = *state;
    Rules    rules = { .place = place,
                       .rule = { .id = STR("r"),
                                 .account = place->wallet.account,
                                 .currency = place->wallet.currency,
                                 .threshold = 500,
                                 .target = 2000,
                                 .enabled = true } };
    Charging charging = charging_of(place, "1", 500, COLLECT_WALLET);
    grant_add(place, grant_of(place, "g", 1000, 1000));
    work_on(place, rule_work, &rules);
    work_on(place, charge_work, &charging);
    work_on(place, top_ups_work, &rules);
    assert_int_equal(rules.count, 0);
    charging = charging_of(place, "2", 10, COLLECT_WALLET);
    work_on(place, charge_work, &charging);
    charging = charging_of(place, "3", 10, COLLECT_WALLET);
    work_on(place, charge_work, &charging);
    work_on(place, top_ups_work, &rules);
    assert_int_equal(rules.count, 1);
    assert_int_equal(rules.found[0].amount, 2000 - 490);
    work_on(place, complete_work, &rules);
    assert_true(rules.completed);
    work_on(place, complete_work, &rules);
    assert_false(rules.completed);
}

static Err *far_below_work(DbTx *tx, void *context)
{
    const Rules *rules = context;
    return top_up_check(tx, &rules->place->wallet, INT64_MIN, day(1));
}

static void test_a_top_up_beyond_numbers(void **state)
{
    Place *place = *state;
    Rules  rules = { .place = place,
                    .rule = { .id = STR("r"),
                              .account = place->wallet.account,
                              .currency = place->wallet.currency,
                              .threshold = 1,
                              .target = 1,
                              .enabled = true } };
    work_on(place, rule_work, &rules);
    refused_work(place, far_below_work, &rules, ERR_AMOUNT_TOO_LARGE);
    work_on(place, top_ups_work, &rules);
    assert_int_equal(rules.count, 0);
}

// ---- six writers on one wallet

enum { WRITERS = 6, EACH = 60, FUNDS = 250 };

typedef struct Writer {
    Place *place;
    Db    *db;
    int    number;
    int    paid, refused;
    Thread thread;
} Writer;

static void *writer_run(void *context)
{
    Writer *writer = context;
    AUTO(Arena) arena = arena_open();
    for (int i = 0; i < EACH; i++) {
        Str      key = str_print(arena, "%d-%d", writer->number, i);
        Charging charging = charging_of(writer->place, "", 1, COLLECT_WALLET);
        charging.wanted.charge.key = key;
        Err *err = db_write(writer->db, arena, (DbWrite){ .work = charge_work,
                                                          .context = &charging });
        if (err == NULL)
            writer->paid++;
        else if (err->code == ERR_INSUFFICIENT_BALANCE)
            writer->refused++;
    }
    return NULL;
}

static void test_six_writers_on_one_wallet(void **state)
{
    Place *place = *state;
    Writer writers[WRITERS];
    int    paid = 0, refused = 0;
    grant_add(place, grant_of(place, "a", 100, 50));
    grant_add(place, grant_of(place, "b", FUNDS - 100, 0));
    for (int i = 0; i < WRITERS; i++) {
        // Served books have several servers; a file has one process.
        Db *db = books_are_served() ? books_of(place) : place->db;
        writers[i] = (Writer){ .place = place, .db = db, .number = i };
    }
    for (int i = 0; i < WRITERS; i++)
        thread_start(&writers[i].thread, "writer", writer_run, &writers[i]);
    for (int i = 0; i < WRITERS; i++) {
        thread_join(&writers[i].thread);
        if (books_are_served())
            db_close(writers[i].db);
        paid += writers[i].paid;
        refused += writers[i].refused;
    }
    assert_int_equal(paid, FUNDS);
    assert_int_equal(refused, WRITERS * EACH - FUNDS);
    assert_int_equal(left_of(place, "a") + left_of(place, "b"), 0);
    assert_int_equal(posted(place, LEDGER_REVENUE, "charge"), -FUNDS);
    assert_int_equal(drifts(place), 0);
}

// ---- lists, and what is not so

static Err *lists_work(DbTx *tx, void *context)
{
    Place          *place = context;
    GrantPage       page = { .project = place->wallet.project, .limit = 10 };
    CreditEntryPage entries = { .wallet = place->wallet, .limit = 10 };
    StoredGrant    *grants;
    CreditEntry    *found;
    size_t          count;
    TRY(credit_grants(tx, &page, &grants, &count));
    assert_int_equal(count, 2);
    page.account = place->wallet.account;
    TRY(credit_grants(tx, &page, &grants, &count));
    assert_int_equal(count, 2);
    page.only_active = true;
    TRY(credit_grants(tx, &page, &grants, &count));
    assert_int_equal(count, 1);
    assert_int_equal(grants[0].grant.applies_to.meters.count, 1);
    TRY(credit_entries(tx, &entries, &found, &count));
    assert_int_equal(count, 3);
    assert_int_equal(found[0].amount + found[1].amount + found[2].amount, 40);
    return NULL;
}

static void test_lists(void **state)
{
    Place      *place = *state;
    static Str  calls[] = { STR_INIT("calls") };
    StoredGrant narrow = grant_of(place, "narrow", 40, 0);
    narrow.grant.applies_to.meters = (Texts){ calls, 1 };
    grant_add(place, grant_of(place, "wide", 60, 0));
    grant_add(place, narrow);
    assert_int_equal(draw(place, "invoice:1", 100), 60);
    assert_null(db_read(place->db, place->arena, lists_work, place));
}

static int forged;

static Err *forge_work(DbTx *tx, void *context)
{
    (void)context;
    return db_run(tx, &forgery_sql[forged], DB_VALUES(db_text(STR("project"))), NULL);
}

// Peers show a balance that is not the sum of its transactions.
static void test_what_does_not_sum_is_told(void **state)
{
    Place *place = *state;
    grant_add(place, grant_of(place, "g", 1000, 1000));
    draw(place, "invoice:1", 1);
    assert_int_equal(drifts(place), 0);
    for (forged = 0; forged < FORGERIES; forged++) {
        work_on(place, forge_work, NULL);
        assert_true(drifts(place) > 0);
    }
}

#define test_on(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_on(test_a_pack_of_100_for_90),
        test_on(test_a_draw_comes_back),
        test_on(test_credit_expires_once),
        test_on(test_grants_are_revoked),
        test_on(test_the_balance_pays_what_it_has),
        test_on(test_a_charge_is_known_for_ever),
        test_on(test_a_wallet_is_of_one_currency),
        test_on(test_open_bills_come_first),
        test_on(test_charges_wait_for_one_invoice),
        test_on(test_a_low_wallet_asks_once),
        test_on(test_a_top_up_beyond_numbers),
        test_on(test_six_writers_on_one_wallet),
        test_on(test_lists),
        test_on(test_what_does_not_sum_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
