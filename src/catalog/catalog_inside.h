// What the files of the catalog share. Nobody outside includes this.
#pragma once

#include <stdatomic.h>

#include "audit/audit.h"
#include "catalog/catalog.h"
#include "catalog/mirror.h"
#include "catalog/plan_cache.h"
#include "db/names.h"

struct Catalog {
    Db              *db;
    Pepper           pepper;
    Mirror          *mirror;
    PlanCache       *plans;    // versions as they are
    PlanCache       *patched;  // and under phases and overrides
    bool             tells;      // of accounts that are made
    AccountSource    source;     // .account is NULL until catalog_accounts_from
    _Atomic uint64_t projected;  // names of the source that are in the books
};

// One table of statements for each file that has SQL.
extern const StatementTable catalog__project_table, catalog__meter_table, catalog__account_table,
    catalog__plan_table, catalog__subscription_table, catalog__log_table;

// PRECONDITION_FAILED unless the row's version (0: there is none) is the one the change expects.
Err *catalog__expect(const CatalogChange *change, Arena *arena, int64_t version) MUST_CHECK;
// The deed into the audit trail: {action "meter.put", its id, what it became as JSON or STR_NONE}.
Err *catalog__audit(DbTx *tx, const CatalogChange *change, const char *action, Str object,
                    Str detail) MUST_CHECK;

// Rows by their key, within a transaction; NULL when there is none.
Err *catalog__meter_find(DbTx *tx, ProjectId project, Str id, Meter **meter) MUST_CHECK;
Err *catalog__account_find(DbTx *tx, ProjectId project, Str id, Account **account) MUST_CHECK;
Err *catalog__plan_version_find(DbTx *tx, const PlanRef *ref, PlanVersion **version) MUST_CHECK;
Err *catalog__plan_version_at(DbTx *tx, const PlanRef *plan, Instant at,
                              PlanVersion **version) MUST_CHECK;
Err *catalog__plan_exists(DbTx *tx, const PlanRef *plan, bool *exists) MUST_CHECK;
// As catalog_plan_parsed.
Err *catalog__plan_parsed(DbTx *tx, Catalog *catalog, const PlanWanted *wanted,
                          const Plan **plan) MUST_CHECK;
// True when a published version prices the meter.
Err *catalog__meter_is_priced(DbTx *tx, ProjectId project, Str meter, bool *priced) MUST_CHECK;
bool catalog__meter_has_dimension(const Meter *meter, Str key);
// Adds PLAN_INVALID for a meter that is not there and for what is no dimension of it; the faults
// stand under `pointer`, the charge's.
Err *catalog__charge_check(DbTx *tx, ProjectId project, const Charge *charge, Str pointer,
                           Faults *faults) MUST_CHECK;
// A document that is to be published.
typedef struct PlanDraft {
    PlanRef ref;  // its number does not matter
    Str     document, currency;
} PlanDraft;
// What the document says by itself, and in each of its phases.
typedef struct CheckedPlans {
    Plan **at;
    size_t count;
} CheckedPlans;
// PLAN_INVALID with every fault.
Err *catalog__plan_check(DbTx *tx, const PlanDraft *draft, CheckedPlans *plans) MUST_CHECK;
// The meters that the plan reads are priced from now on.
Err *catalog__meters_note(DbTx *tx, const PlanRef *ref, const Plan *plan) MUST_CHECK;
// True when the account has a subscription in another currency.
Err *catalog__account_has_other_currency(DbTx *tx, ProjectId project, const Account *account,
                                         bool *has) MUST_CHECK;

Err *catalog__subscription_find(DbTx *tx, ProjectId project, Str id,
                                Subscription **subscription) MUST_CHECK;
typedef struct SubscriptionRows {
    Subscription *at;
    size_t        count;
} SubscriptionRows;
// All of an account, at most SUBSCRIPTIONS_OF_ACCOUNT_MAX.
Err *catalog__account_subscriptions(DbTx *tx, ProjectId project, Str account,
                                    SubscriptionRows *rows) MUST_CHECK;
enum { SUBSCRIPTIONS_OF_ACCOUNT_MAX = 10000 };
// The row after another entry of its log: its end, and that there is one change more.
Err *catalog__subscription_changed(DbTx *tx, ProjectId project,
                                   const Subscription *changed) MUST_CHECK;
// The row with its log.
Err *catalog__history_read(DbTx *tx, ProjectId project, const Subscription *row,
                           SubscriptionHistory *history) MUST_CHECK;
// All of those accounts, by account and id.
Err *catalog__histories_of(DbTx *tx, DbNames accounts, SubscriptionHistory **histories,
                           size_t *count) MUST_CHECK;
// SUBSCRIPTION_NOT_FOUND.
Err *catalog__history_get(DbTx *tx, ProjectId project, Str id,
                          SubscriptionHistory *history) MUST_CHECK;
// Checks what would follow from the entry (timeline_check.h) and fills its number and recorded_at.
Err *catalog__log_check(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                        SubscriptionChange *entry) MUST_CHECK;
// The same, and appends it, brings the row up to it, and notes the deed.
Err *catalog__log_append(DbTx *tx, const CatalogChange *change, const SubscriptionHistory *before,
                         SubscriptionChange *entry) MUST_CHECK;

// Filling the mirror at start, and again.
Err *catalog__projects_load(DbTx *tx, Mirror *mirror) MUST_CHECK;
Err *catalog__meters_load(DbTx *tx, Mirror *mirror) MUST_CHECK;
Err *catalog__accounts_load(DbTx *tx, Catalog *catalog) MUST_CHECK;
// Accounts that other servers made, into the mirror.
Err *catalog__accounts_made_take(Catalog *catalog, Arena *arena) MUST_CHECK;

// STR_NONE as the "after" of a list: before every id.
static inline DbValue catalog__after(Str after)
{
    return db_text(after.at == NULL ? STR("") : after);
}
