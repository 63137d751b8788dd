// What is declared: projects, keys, accounts, meters, plans, subscriptions. Kept in the books; what
// the hot path asks on every request is mirrored in memory and changes with the commit that changes
// it. Owns tables tenant, project, api_key, account, meter, plan, plan_version, plan_meter,
// subscription, subscription_change, account_zone, projection, account_made.
//
// All functions may be called from any thread. Objects of another project do not exist here: every
// lookup carries tenant and project.
#pragma once

#include "catalog/account.h"
#include "catalog/key.h"
#include "catalog/meter.h"
#include "catalog/plan_version.h"
#include "catalog/subscription.h"
#include "db/db.h"
#include "price/plan.h"

typedef struct Catalog Catalog;

// Statements of the catalog and of what it uses: for DbOptions.tables. Ends with NULL.
extern const StatementTable *const catalog_tables[];

Err *catalog_open(Arena *arena, Db *db, const Pepper *pepper, Catalog **catalog) MUST_CHECK;
void catalog_close(Catalog *catalog);  // before the Db; NULL is allowed

// ---- several servers on the same books

// Takes over what other servers changed of what is in memory: keys, projects and their clocks; with
// a source of accounts, also the accounts that servers without one made. To be called each second
// or so.
Err *catalog_refresh(Catalog *catalog, Arena *arena) MUST_CHECK;
// From now on accounts that are made here are noted for the server that has the usage.
void catalog_tell_accounts(Catalog *catalog);

// ---- memory only: cheap enough for every request

// UNAUTHENTICATED for anything but a valid key; the detail never says which part was wrong.
Err *catalog_authenticate(Catalog *catalog, Arena *arena, Str bearer, Instant now,
                          Principal *principal) MUST_CHECK;
bool catalog_event_known(Catalog *catalog, Str project, Str event);      // a meter counts it
bool catalog_account_known(Catalog *catalog, Str project, Str account);  // in the books

// ---- making projects and keys: `toll init`, tests

Err *catalog_tenant_make(Catalog *catalog, Arena *arena, Str name, Str *tenant) MUST_CHECK;
Err *catalog_project_make(Catalog *catalog, Arena *arena, const Project *project) MUST_CHECK;
Err *catalog_key_make(Catalog *catalog, Arena *arena, const Key *wanted, KeyMode mode,
                      Str *secret) MUST_CHECK;  // id, hash and created_at of `wanted` are not read

// ---- changing

// Who asks for a change, and which row it may replace.
typedef struct CatalogChange {
    Catalog         *catalog;
    Arena           *arena;
    const Principal *by;
    Instant          now;
    int64_t          expected;  // If-Match: the row's version; EXPECT_ANY; EXPECT_ABSENT: make only
} CatalogChange;
enum { EXPECT_ANY = -1, EXPECT_ABSENT = 0 };

// The clock of a test project stands at `to` from now on. PROJECT_IS_LIVE; CLOCK_GOES_BACK unless
// it was never set or stood before. To where it stands: harmless.
Err *catalog_clock_set(const CatalogChange *change, Instant to) MUST_CHECK;

// Each answers the row as it is stored. The same content again changes nothing, the version
// included. PRECONDITION_FAILED when the row is not the expected one.

// METER_IMMUTABLE: a published plan prices it, and more than unit or added dimensions would change.
Err *catalog_meter_put(const CatalogChange *change, const Meter *meter, Meter **stored) MUST_CHECK;
// METER_NOT_FOUND; METER_IN_USE when a published plan prices it. Whether its stream has counted
// events is the caller's to ask first.
Err *catalog_meter_remove(const CatalogChange *change, Str id) MUST_CHECK;

Err *catalog_account_put(const CatalogChange *change, const Account *account,
                         Account **stored) MUST_CHECK;

// Makes or replaces the draft. PLAN_INVALID with every fault the document has by itself.
Err *catalog_plan_put(const CatalogChange *change, Str id, const Json *document,
                      PlanVersion **stored) MUST_CHECK;
// PLAN_NOT_FOUND, PLAN_NO_DRAFT, EFFECTIVE_FROM_TAKEN; PLAN_INVALID also for a meter that does not
// exist and for a filter or group that is no dimension of its meter. The same draft published again
// from the same instant answers the version it became.
Err *catalog_plan_publish(const CatalogChange *change, Str id, Instant effective_from,
                          PlanVersion **stored) MUST_CHECK;

// ACCOUNT_NOT_FOUND, PLAN_NOT_FOUND, PLAN_VERSION_NOT_FOUND, PLAN_NOT_PUBLISHED, CURRENCY_MISMATCH,
// PLAN_INVALID and faults of a document (overrides and phases that do not fit), FIELD_REQUIRED and
// FIELD_INVALID (a quantity that the plan prices is missing, one that it does not price, a filter
// over what is no dimension), USAGE_CLAIMED_TWICE; SUBSCRIPTION_IMMUTABLE when it exists with other
// terms. Another endsAt is appended to its log: SUBSCRIPTION_CANCELED when it is canceled.
Err *catalog_subscription_put(const CatalogChange *change, const Subscription *subscription,
                              SubscriptionHistory *stored) MUST_CHECK;
// The same checks of a new one, and what it would be; nothing is stored. made->first is NULL where
// one of that id exists.
Err *catalog_subscription_check(const CatalogChange *change, const Subscription *subscription,
                                SubscriptionHistory *made) MUST_CHECK;

// Appends to the subscription's log. `wanted`: kind, effective_at, key and what the kind takes;
// `stored` is the entry with what follows from it (number, the plan's version). An entry of the
// same key and content is answered again and nothing is stored; `change->expected` is the row's
// version. SUBSCRIPTION_NOT_FOUND, CHANGE_CONFLICT (the key with other content),
// OUTSIDE_SUBSCRIPTION (before it starts, at or after its end), SUBSCRIPTION_CANCELED (at or after
// a cancellation),
// SUBSCRIPTION_PAUSED, SUBSCRIPTION_NOT_PAUSED, PLAN_NOT_FOUND, PLAN_VERSION_NOT_FOUND,
// PLAN_NOT_PUBLISHED, PLAN_INVALID (overrides that do not fit), FIELD_REQUIRED and FIELD_INVALID (a
// quantity that the plan prices is missing; one that it does not price), CURRENCY_MISMATCH,
// USAGE_CLAIMED_TWICE.
Err *catalog_subscription_change(const CatalogChange *change, Str id,
                                 const SubscriptionChange *wanted,
                                 SubscriptionChange **stored) MUST_CHECK;
// The same checks and the same answer; nothing is stored. An entry of the same key may be already:
// is_stored.
Err *catalog_subscription_change_check(const CatalogChange *change, Str id,
                                       const SubscriptionChange *wanted,
                                       SubscriptionChange **stored) MUST_CHECK;

// Moving subscriptions from one version of a plan to another. Doing it again moves nobody twice:
// who is on `to` by then is there already.
typedef struct Migration {
    Str     plan;
    int64_t from, to;
    bool    is_dry;  // everything is checked and answered, nothing is stored
} Migration;

typedef enum MigrationOutcome {
    MIGRATION_MOVED,
    MIGRATION_ALREADY,  // it is on `to` at that instant
    MIGRATION_REFUSED,  // it cannot be moved: `refusal`
    MIGRATION_OTHER     // it is on neither, or not active at that instant
} MigrationOutcome;
extern const char *const migration_outcome_names[];  // "moved", …; ends with NULL

typedef struct Migrating {
    Str                 subscription;
    Instant             at;  // from when on
    MigrationOutcome    outcome;
    SubscriptionChange *change;  // of MOVED, as it is or would be stored
    Err                *refusal;
} Migrating;

enum { MIGRATION_GROUP = 200 };  // subscriptions of one transaction
// Fills what follows from `subscription` and `at` of each, in transactions of MIGRATION_GROUP.
// PLAN_NOT_FOUND, PLAN_VERSION_NOT_FOUND, FIELD_INVALID (from and to are the same),
// CURRENCY_MISMATCH; SUBSCRIPTION_NOT_FOUND.
Err *catalog_subscriptions_migrate(const CatalogChange *change, const Migration *migration,
                                   Migrating *each, size_t count) MUST_CHECK;

// ---- reading: get refuses …_NOT_FOUND

// From memory. A principal's project exists; another is a broken promise.
Project catalog_project_get(Catalog *catalog, ProjectId project);

Err *catalog_meter_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                       Meter **meter) MUST_CHECK;
Err *catalog_account_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                         Account **account) MUST_CHECK;
// The draft, or the newest published version when there is no draft.
Err *catalog_plan_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                      PlanVersion **version) MUST_CHECK;
Err *catalog_subscription_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                              Subscription **subscription) MUST_CHECK;

// The row with its log, as of one moment. SUBSCRIPTION_NOT_FOUND.
Err *catalog_subscription_history(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                                  SubscriptionHistory *history) MUST_CHECK;

// The zones of an account, ascending; the first is from INSTANT_FIRST. A change while the account
// has subscriptions counts from when it was recorded; before that it replaces what was.
typedef struct AccountZone {
    Instant from;
    Str     zone;  // STR_NONE: the project's
} AccountZone;
typedef struct AccountZones {
    AccountZone *at;
    size_t       count;
} AccountZones;
Err *catalog_account_zones(Catalog *catalog, Arena *arena, ProjectId project, Str account,
                           AccountZones *zones) MUST_CHECK;

typedef struct PlanRef {
    ProjectId project;
    Str       plan;
    int64_t   number;  // PLAN_DRAFT for the draft
} PlanRef;
// PLAN_NOT_FOUND, PLAN_VERSION_NOT_FOUND.
Err *catalog_plan_version_get(Catalog *catalog, Arena *arena, const PlanRef *ref,
                              PlanVersion **version) MUST_CHECK;

// The plan that a published version says, with merge patches (of phases, of a subscription;
// STR_NONE is skipped) applied one after the other: price/patch.h. Kept by content and shared: it
// lives until catalog_close, or, once the cache is full, as long as the arena. PLAN_NOT_FOUND,
// PLAN_VERSION_NOT_FOUND; PLAN_INVALID and other faults of a document when a patch does not fit,
// with pointers into the patch: charges and discounts by id.
//
// Of a subscription's terms: phases of the plan's own are applied before its overrides, phases of
// its own after them.
typedef struct PlanWanted {
    PlanRef    ref;
    const Str *patches;
    size_t     patch_count;
} PlanWanted;
Err *catalog_plan_parsed(Catalog *catalog, Arena *arena, const PlanWanted *wanted,
                         const Plan **plan) MUST_CHECK;

// Lists go by id, ascending, behind `after` (STR_NONE: from the first). They answer up to `limit`
// rows.
typedef struct CatalogPage {
    ProjectId project;
    Str       after;
    size_t    limit;    // 1..1000
    Str       account;  // subscriptions of this account only; STR_NONE: of all
    Str       plan;     // versions of this plan; subscriptions that are, were or will be on it
} CatalogPage;

Err *catalog_meters(Catalog *catalog, Arena *arena, const CatalogPage *page, Meter **meters,
                    size_t *count) MUST_CHECK;
Err *catalog_accounts(Catalog *catalog, Arena *arena, const CatalogPage *page, Account **accounts,
                      size_t *count) MUST_CHECK;
Err *catalog_plans(Catalog *catalog, Arena *arena, const CatalogPage *page, PlanVersion **plans,
                   size_t *count) MUST_CHECK;  // of each what catalog_plan_get answers
Err *catalog_plan_versions(
    Catalog *catalog, Arena *arena, const CatalogPage *page, PlanVersion **versions,
    size_t *count) MUST_CHECK;  // published, by number; `after` is a number's text
Err *catalog_subscriptions(Catalog *catalog, Arena *arena, const CatalogPage *page,
                           Subscription **subscriptions, size_t *count) MUST_CHECK;
// The same with their logs, all as of one moment.
Err *catalog_histories(Catalog *catalog, Arena *arena, const CatalogPage *page,
                       SubscriptionHistory **histories, size_t *count) MUST_CHECK;
// All of an account, by id; none when there is no such account.
typedef struct AccountHistories {
    SubscriptionHistory *at;
    size_t               count;
} AccountHistories;
Err *catalog_account_histories(Catalog *catalog, Arena *arena, ProjectId project, Str account,
                               AccountHistories *histories) MUST_CHECK;

// What is known of an account, all as of one moment.
typedef struct AccountFile {
    Account         *account;  // NULL: there is none; then the rest is empty
    AccountZones     zones;
    AccountHistories histories;
} AccountFile;
typedef struct AccountIds {
    ProjectId  project;
    const Str *at;  // none is there twice
    size_t     count;
} AccountIds;
// Of many at once: files[i] of ids->at[i].
Err *catalog_account_files(Catalog *catalog, Arena *arena, const AccountIds *ids,
                           AccountFile *files) MUST_CHECK;

// Every meter of every project, for putting them into the partition at start.
typedef struct ProjectMeter {
    ProjectId project;
    Meter     meter;
} ProjectMeter;
Err *catalog_meters_all(Catalog *catalog, Arena *arena, ProjectMeter **meters,
                        size_t *count) MUST_CHECK;

// Every project, newest settings.
Err *catalog_projects(Catalog *catalog, Arena *arena, Project **projects, size_t *count) MUST_CHECK;

// ---- accounts that usage made

// The names that usage has interned, in their order: false past the end. (partition_account)
typedef struct AccountSource {
    bool (*account)(void *context, uint64_t index, Str *project, Str *account);
    void *context;
} AccountSource;

// With a source, a lookup or list of accounts first brings the books up to the names interned so
// far. Call once, before requests are served. STORE_FAILED: the books have seen more names than
// there are.
Err *catalog_accounts_from(Catalog *catalog, Arena *arena, AccountSource source) MUST_CHECK;
// Inserts rows for the names behind the stored position; answers how many names it went through.
Err *catalog_accounts_catch_up(Catalog *catalog, Arena *arena, uint64_t *names) MUST_CHECK;
