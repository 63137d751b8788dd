// SPDX-License-Identifier: Apache-2.0
// Corrections of balances and wallets, and packs, on both engines.
#include "flow/ledger/adjustment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "books.h"
#include "flow/ledger/pack.h"

static const StatementTable *const tables[] = { &ledger_table, &credit_table, &adjustment_table,
                                                &pack_table, NULL };

typedef struct Place {
    Arena    *arena;
    char      folder[64];
    Str       books;
    Db       *db;
    ProjectId project;
    Currency  usd;
    int       count;
} Place;

static int place_open(void **state)
{
    Place *place = memory_take(sizeof *place);
    place->arena = arena_open();
    snprintf(place->folder, sizeof place->folder, "/tmp/toll_adjustment_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->books = books_make(place->arena, place->folder);
    DbOptions options = { .place = place->books, .migrations = db_migrations(), .tables = tables };
    assert_null(db_open(place->arena, &options, &place->db));
    place->project = (ProjectId){ STR("tenant"), STR("project") };
    assert_true(currency_find(STR("USD"), &place->usd));
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

static Err *done(Place *place, DbWork work, void *context)
{
    return db_write(place->db, place->arena, (DbWrite){ .work = work, .context = context });
}

// ---- adjustments

typedef struct Adjusting {
    Place         *place;
    Adjustment     adjustment;
    AdjustmentPage page;
    Adjustment    *found;
    size_t         count;
    LedgerName     name;
    int64_t        minor;
    int            drifts;
} Adjusting;

static Err *add_work(DbTx *tx, void *context)
{
    Adjusting *adjusting = context;
    return adjustment_add(tx, adjusting->place->project, &adjusting->adjustment);
}

static Err *adjust(Place *place, AdjustmentTarget target, int64_t amount)
{
    Adjusting adjusting = {
        .place = place,
        .adjustment = { .id = str_print(place->arena, "adj_%d", place->count++),
                        .account = STR("acme"),
                        .amount = { amount, place->usd },
                        .target = target,
                        .reason_code = STR("goodwill"),
                        .who = STR("key:k"),
                        .at = { 20000 * INSTANT_DAY_US } },
    };
    return done(place, add_work, &adjusting);
}

static Err *balance_work(DbTx *tx, void *context)
{
    Adjusting *adjusting = context;
    return ledger_balance(tx, adjusting->place->project, &adjusting->name, &adjusting->minor);
}

static int64_t posted(Place *place, LedgerKind kind, const char *owner)
{
    Adjusting adjusting = { .place = place, .name = { kind, str_of(owner), place->usd } };
    assert_null(done(place, balance_work, &adjusting));
    return adjusting.minor;
}

static void drift_take(void *context, Str what)
{
    (void)what;
    ((Adjusting *)context)->drifts++;
}

static Err *verify_work(DbTx *tx, void *context)
{
    Adjusting   *adjusting = context;
    CreditReport report = { .tell = drift_take, .context = adjusting };
    return credit_verify(tx, adjusting->place->project, &report);
}

static Err *list_work(DbTx *tx, void *context)
{
    Adjusting *adjusting = context;
    return adjustments(tx, &adjusting->page, &adjusting->found, &adjusting->count);
}

static size_t listed(Place *place, const char *account)
{
    Adjusting adjusting = { .place = place,
                            .page = { place->project, str_of(account), STR_NONE, 100 } };
    assert_null(done(place, list_work, &adjusting));
    for (size_t i = 0; i < adjusting.count; i++)
        assert_true(str_equal(adjusting.found[i].reason_code, STR("goodwill")));
    return adjusting.count;
}

static void test_a_balance_goes_both_ways(void **state)
{
    Place *place = *state;
    assert_null(adjust(place, ADJUST_CUSTOMER_BALANCE, 500));
    assert_int_equal(posted(place, LEDGER_CUSTOMER_BALANCE, "acme"), -500);
    assert_int_equal(posted(place, LEDGER_REVENUE, "goodwill"), 500);
    Err *err = adjust(place, ADJUST_CUSTOMER_BALANCE, -501);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_INSUFFICIENT_BALANCE);
    assert_null(adjust(place, ADJUST_CUSTOMER_BALANCE, -500));
    assert_int_equal(posted(place, LEDGER_REVENUE, "goodwill"), 0);
    assert_int_equal(listed(place, NULL), 2);  // a refusal leaves nothing
    assert_int_equal(listed(place, "acme"), 2);
    assert_int_equal(listed(place, "other"), 0);
}

static void test_a_wallet_goes_both_ways(void **state)
{
    Place    *place = *state;
    Adjusting proof = { .place = place };
    assert_null(adjust(place, ADJUST_WALLET, 500));
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -500);
    assert_null(adjust(place, ADJUST_WALLET, -200));
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -300);
    assert_int_equal(posted(place, LEDGER_REVENUE, "goodwill"), 300);
    Err *err = adjust(place, ADJUST_WALLET, -301);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_INSUFFICIENT_BALANCE);
    assert_null(done(place, verify_work, &proof));
    assert_int_equal(proof.drifts, 0);
}

// ---- what was taken comes back

typedef struct Backing {
    CreditRestore wanted;
    int64_t       restored;
} Backing;

static Err *restore_work(DbTx *tx, void *context)
{
    Backing *backing = context;
    return credit_restore(tx, &backing->wanted, &backing->restored);
}

static Err *undo_work(DbTx *tx, void *context)
{
    Backing *backing = context;
    return credit_restore_undo(tx, &backing->wanted);
}

static void test_what_came_back_is_taken_again_once(void **state)
{
    Place  *place = *state;
    Instant at = { 20000 * INSTANT_DAY_US };
    Backing backing = { { .wallet = { place->project, STR("acme"), place->usd },
                          .of = STR("adjustment:adj_1"), .source = STR("note:1"),
                          .amount = 150, .at = at, .effective_at = at }, 0 };
    assert_null(adjust(place, ADJUST_WALLET, 500));
    assert_null(adjust(place, ADJUST_WALLET, -200));
    assert_null(done(place, restore_work, &backing));
    assert_int_equal(backing.restored, 150);
    assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -450);
    for (int times = 0; times < 2; times++) {
        assert_null(done(place, undo_work, &backing));
        assert_int_equal(posted(place, LEDGER_WALLET, "acme"), -300);
    }
}

// ---- packs

typedef struct Packing {
    Place      *place;
    CreditPack  pack;
    Str         id;
    CreditPack *found;
    size_t      count;
} Packing;

static Err *put_work(DbTx *tx, void *context)
{
    Packing *packing = context;
    return pack_put(tx, packing->place->project, &packing->pack);
}

static Err *get_work(DbTx *tx, void *context)
{
    Packing *packing = context;
    return pack_get(tx, packing->place->project, packing->id, &packing->pack);
}

static Err *packs_work(DbTx *tx, void *context)
{
    Packing *packing = context;
    PackPage page = { packing->place->project, STR_NONE, 10 };
    return packs(tx, &page, &packing->found, &packing->count);
}

static void test_packs(void **state)
{
    Place     *place = *state;
    static Str calls[] = { STR_INIT("calls") };
    Packing    packing = { .place = place,
                           .id = STR("starter"),
                           .pack = { .id = STR("starter"),
                                     .name = STR("Starter"),
                                     .currency = place->usd,
                                     .amount = 10000,
                                     .price = 9000,
                                     .valid_days = 30,
                                     .applies_to = { .meters = { calls, 1 } } } };
    Err       *err = done(place, get_work, &packing);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_PACK_NOT_FOUND);
    assert_null(done(place, put_work, &packing));
    assert_int_equal(packing.pack.version, 1);
    assert_null(done(place, put_work, &packing));  // the same changes nothing
    assert_int_equal(packing.pack.version, 1);
    packing.pack.price = 0;
    packing.pack.valid_days = 0;
    packing.pack.applies_to = (AppliesTo){ 0 };
    assert_null(done(place, put_work, &packing));
    assert_int_equal(packing.pack.version, 2);
    assert_null(done(place, get_work, &packing));
    assert_int_equal(packing.pack.applies_to.meters.count, 0);
    assert_null(done(place, packs_work, &packing));
    assert_int_equal(packing.count, 1);
    StoredGrant grant = pack_grant(place->arena, &packing.pack, STR("acme"), (Instant){ 0 });
    assert_int_equal(grant.grant.kind, GRANT_PROMOTIONAL);
    assert_int_equal(grant.grant.expires_at.us, INSTANT_END.us);
    packing.pack.price = 1;
    packing.pack.valid_days = 2;
    grant = pack_grant(place->arena, &packing.pack, STR("acme"), (Instant){ 0 });
    assert_int_equal(grant.paid_by, PAID_EXTERNALLY);
    assert_int_equal(grant.grant.expires_at.us, 2 * INSTANT_DAY_US);
}

#define test_on(function) cmocka_unit_test_setup_teardown(function, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_on(test_a_balance_goes_both_ways),
        test_on(test_a_wallet_goes_both_ways),
        test_on(test_what_came_back_is_taken_again_once),
        test_on(test_packs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
