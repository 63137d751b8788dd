// SPDX-License-Identifier: Apache-2.0
// Accounts: made by PUT, or projected from the names that usage has interned. The projection's
// position is stored with the rows it made, so a crash between two of them repeats nothing and
// loses nothing.
#include "base/assert.h"
#include "base/clock.h"
#include "catalog/catalog_inside.h"
#include "catalog/due.h"
#include "db/names.h"

enum { PROJECT_NAMES = 500, LOAD_PAGE = 5000, ZONES_MAX = 1000 };

enum {
    ACCOUNT_GET,
    ACCOUNT_ADD,
    ACCOUNT_SET,
    ACCOUNTS_AFTER,
    ACCOUNTS_LOAD,
    POSITION_GET,
    POSITION_ADD,
    POSITION_SET,
    SUBSCRIBED,
    ZONES_GET,
    ZONE_ADD,
    ACCOUNTS_OF,
    ZONED,
    MADE_ADD,
    MADE_FIRST,
    MADE_DROP,
    STATEMENTS
};

#define COLUMNS \
    "id, name, time_zone, currency, email, metadata, version, created_at, updated_at, billing"

static const Statement sql[STATEMENTS] = {
    [ACCOUNT_GET] = { "select " COLUMNS
                      " from account where tenant = ? and project = ? and id = ?" },
    [ACCOUNT_ADD] = { "insert into account (tenant, project, " COLUMNS ")"
                      " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ACCOUNT_SET] = { "update account set name = ?, time_zone = ?, currency = ?, email = ?, "
                      "metadata = ?, billing = ?,"
                      " version = version + 1, updated_at = ?"
                      " where tenant = ? and project = ? and id = ? and version = ?" },
    [ACCOUNTS_AFTER] = { "select " COLUMNS
                         " from account where tenant = ? and project = ? and id > ?"
                         " order by id limit ?" },
    [ACCOUNTS_LOAD] = { "select tenant, project, id from account"
                        " where (tenant, project, id) > (?, ?, ?)"
                        " order by tenant, project, id limit ?" },
    [POSITION_GET] = { "select position from projection where name = 'accounts'" },
    [POSITION_ADD] = { "insert into projection (name, position) values ('accounts', ?)" },
    [POSITION_SET] = { "update projection set position = ? where name = 'accounts' and position = "
                       "?" },
    [SUBSCRIBED] = { "select id from subscription"
                     " where tenant = ? and project = ? and account = ? limit 1" },
    [ZONES_GET] = { "select from_at, time_zone from account_zone"
                    " where tenant = ? and project = ? and account = ? order by number limit ?" },
    [ZONE_ADD] = { "insert into account_zone (tenant, project, account, number, from_at, time_zone)"
                   " values (?, ?, ?, ?, ?, ?)" },
    [ACCOUNTS_OF] = { "select " COLUMNS " from account where tenant = ? and project = ?"
                      " and id in " DB_NAMES },
    [ZONED] = { "select account from account_zone where tenant = ? and project = ?"
                " and account in " DB_NAMES " and number = 1" },
    [MADE_ADD] = { "insert into account_made (tenant, project, id) values (?, ?, ?)" },
    [MADE_FIRST] = { "select tenant, project, id from account_made"
                     " order by tenant, project, id limit ?" },
    [MADE_DROP] = { "delete from account_made where tenant = ? and project = ? and id = ?" },
};

const StatementTable catalog__account_table = { "accounts", sql, STATEMENTS };

static Account *account_read(Arena *arena, const DbRow *row)
{
    Account *account = arena_new(arena, Account);
    *account = (Account){
        .id = row_text(row, 0),
        .name = row_text(row, 1),
        .time_zone = row_text(row, 2),
        .currency = row_text(row, 3),
        .email = row_text(row, 4),
        .metadata = row_text(row, 5),
        .version = row_whole(row, 6),
        .created_at = { row_whole(row, 7) },
        .updated_at = { row_whole(row, 8) },
        .billing = row_text(row, 9),
    };
    return account;
}

Err *catalog__account_find(DbTx *tx, ProjectId project, Str id, Account **account)
{
    DbRow row;
    TRY(db_find(tx, &sql[ACCOUNT_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &row));
    *account = row.columns == NULL ? NULL : account_read(db_arena(tx), &row);
    return NULL;
}

static Err *account_add(DbTx *tx, ProjectId project, const Account *account, Instant now,
                        bool *added)
{
    return db_insert(tx, &sql[ACCOUNT_ADD],
                     DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account->id),
                               db_text(account->name), db_text(account->time_zone),
                               db_text(account->currency), db_text(account->email),
                               db_text(account->metadata), db_whole(1), db_whole(now.us),
                               db_whole(now.us), db_text(account->billing)),
                     added);
}

// ---- zones

static Err *zones_read(DbTx *tx, ProjectId project, const Account *account, AccountZones *zones)
{
    DbRows rows;
    TRY(db_rows(tx, &sql[ZONES_GET],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account->id),
                          db_whole(ZONES_MAX)),
                &rows));
    zones->count = rows.count == 0 ? 1 : rows.count;
    zones->at = arena_array(db_arena(tx), AccountZone, zones->count);
    zones->at[0] = (AccountZone){ INSTANT_FIRST, account->time_zone };
    for (size_t i = 0; i < rows.count; i++)
        zones->at[i] = (AccountZone){ { row_whole(&rows.at[i], 0) }, row_text(&rows.at[i], 1) };
    return NULL;
}

static Err *zone_add(DbTx *tx, ProjectId project, Str account, size_t number, AccountZone zone)
{
    return db_run(tx, &sql[ZONE_ADD],
                  DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(account),
                            db_whole((int64_t)number), db_whole(zone.from.us), db_text(zone.zone)),
                  NULL);
}

// Nothing was billed in the zone of an account without subscriptions, so that leaves no trace.
static Err *zone_change(DbTx *tx, const CatalogChange *change, const Account *before, Str zone)
{
    ProjectId    project = change->by->project.id;
    AccountZones zones;
    DbRow        subscribed;
    if (str_equal(before->time_zone, zone))
        return NULL;
    TRY(db_find(tx, &sql[SUBSCRIBED],
                DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(before->id)),
                &subscribed));
    if (subscribed.columns == NULL)
        return NULL;
    TRY(account_due_mark(tx, project, before->id));
    TRY(zones_read(tx, project, before, &zones));
    if (zones.count == ZONES_MAX)
        return refuse(db_arena(tx), ERR_FIELD_INVALID, STR("/timeZone"),
                      "an account's zone changes at most %d times", ZONES_MAX - 1);
    if (zones.count == 1)
        TRY(zone_add(tx, project, before->id, 1, zones.at[0]));
    Instant from = change->now;
    if (from.us <= zones.at[zones.count - 1].from.us)  // the clock went back
        from.us = zones.at[zones.count - 1].from.us + 1;
    return zone_add(tx, project, before->id, zones.count + 1, (AccountZone){ from, zone });
}

// ---- put

typedef struct AccountPut {
    const CatalogChange *change;
    const Account       *wanted;
    Account             *after;
} AccountPut;

static bool same_content(const Account *a, const Account *b)
{
    return str_equal(a->name, b->name) && str_equal(a->time_zone, b->time_zone) &&
           str_equal(a->currency, b->currency) && str_equal(a->email, b->email) &&
           str_equal(a->metadata, b->metadata) && str_equal(a->billing, b->billing);
}

static Err *account_change(DbTx *tx, const AccountPut *put, const Account *before)
{
    const Account *wanted = put->wanted;
    ProjectId      project = put->change->by->project.id;
    uint64_t       changed;
    bool           other;
    TRY(catalog__account_has_other_currency(tx, project, wanted, &other));
    if (other)
        return refuse(db_arena(tx), ERR_CURRENCY_MISMATCH, STR("/currency"),
                      "the account has a subscription in another currency than %.*s",
                      STR_ARG(wanted->currency));
    TRY(zone_change(tx, put->change, before, wanted->time_zone));
    TRY(db_run(tx, &sql[ACCOUNT_SET],
               DB_VALUES(db_text(wanted->name), db_text(wanted->time_zone),
                         db_text(wanted->currency), db_text(wanted->email),
                         db_text(wanted->metadata), db_text(wanted->billing),
                         db_whole(put->change->now.us), db_text(project.tenant),
                         db_text(project.id), db_text(wanted->id), db_whole(before->version)),
               &changed));
    assert_that(changed == 1);
    return NULL;
}

static Str account_text(Arena *arena, const Account *account)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    account_to_json(account, &out);
    return text_str(&text);
}

static Err *account_tell(DbTx *tx, ProjectId project, Str id)
{
    bool added;
    return db_insert(tx, &sql[MADE_ADD],
                     DB_VALUES(db_text(project.tenant), db_text(project.id), db_text(id)), &added);
}

// The row as it was; NULL when there was none: then it is there now. Another server may add it
// between the look and the insert.
static Err *before_find(DbTx *tx, const AccountPut *put, Account **before)
{
    ProjectId project = put->change->by->project.id;
    bool      added = false;
    TRY(catalog__account_find(tx, project, put->wanted->id, before));
    if (*before == NULL) {
        TRY(catalog__expect(put->change, db_arena(tx), 0));
        TRY(account_add(tx, project, put->wanted, put->change->now, &added));
        if (added)
            return put->change->catalog->tells ? account_tell(tx, project, put->wanted->id) : NULL;
        TRY(catalog__account_find(tx, project, put->wanted->id, before));
        assert_that(*before != NULL);
    }
    return catalog__expect(put->change, db_arena(tx), (*before)->version);
}

static Err *put_work(DbTx *tx, void *context)
{
    AccountPut *put = context;
    ProjectId   project = put->change->by->project.id;
    Account    *before;
    TRY(before_find(tx, put, &before));
    put->after = before;
    if (before != NULL && same_content(before, put->wanted))
        return NULL;
    if (before != NULL)
        TRY(account_change(tx, put, before));
    TRY(catalog__account_find(tx, project, put->wanted->id, &put->after));
    return catalog__audit(tx, put->change, "account.put", put->wanted->id,
                          account_text(db_arena(tx), put->after));
}

static void put_done(void *context)
{
    AccountPut *put = context;
    mirror_account_set(put->change->catalog->mirror, put->change->by->project.id.id,
                       put->after->id);
}

Err *catalog_account_put(const CatalogChange *change, const Account *account, Account **stored)
{
    AccountPut put = { .change = change, .wanted = account };
    uint64_t   names;
    TRY(catalog_accounts_catch_up(change->catalog, change->arena, &names));
    TRY(db_write(change->catalog->db, change->arena, (DbWrite){ put_work, put_done, &put }));
    *stored = put.after;
    return NULL;
}

// ---- reading

typedef struct AccountGet {
    ProjectId project;
    Str       id;
    Account  *found;
} AccountGet;

static Err *get_work(DbTx *tx, void *context)
{
    AccountGet *get = context;
    return catalog__account_find(tx, get->project, get->id, &get->found);
}

Err *catalog_account_get(Catalog *catalog, Arena *arena, ProjectId project, Str id,
                         Account **account)
{
    AccountGet get = { .project = project, .id = id };
    uint64_t   names;
    TRY(catalog_accounts_catch_up(catalog, arena, &names));
    TRY(db_read(catalog->db, arena, get_work, &get));
    if (get.found == NULL)
        return refuse(arena, ERR_ACCOUNT_NOT_FOUND, STR_NONE, "there is no account %.*s",
                      STR_ARG(id));
    *account = get.found;
    return NULL;
}

typedef struct ZonesGet {
    ProjectId    project;
    Str          id;
    AccountZones zones;
} ZonesGet;

static Err *zones_work(DbTx *tx, void *context)
{
    ZonesGet *get = context;
    Account  *account;
    TRY(catalog__account_find(tx, get->project, get->id, &account));
    if (account == NULL)
        return refuse(db_arena(tx), ERR_ACCOUNT_NOT_FOUND, STR_NONE, "there is no account %.*s",
                      STR_ARG(get->id));
    return zones_read(tx, get->project, account, &get->zones);
}

Err *catalog_account_zones(Catalog *catalog, Arena *arena, ProjectId project, Str account,
                           AccountZones *zones)
{
    ZonesGet get = { .project = project, .id = account };
    uint64_t names;
    TRY(catalog_accounts_catch_up(catalog, arena, &names));
    TRY(db_read(catalog->db, arena, zones_work, &get));
    *zones = get.zones;
    return NULL;
}

typedef struct AccountList {
    const CatalogPage *page;
    Account           *accounts;
    size_t             count;
} AccountList;

static Err *list_work(DbTx *tx, void *context)
{
    AccountList *list = context;
    DbRows       rows;
    TRY(db_rows(tx, &sql[ACCOUNTS_AFTER],
                DB_VALUES(db_text(list->page->project.tenant), db_text(list->page->project.id),
                          catalog__after(list->page->after), db_whole((int64_t)list->page->limit)),
                &rows));
    list->accounts = arena_array(db_arena(tx), Account, rows.count);
    list->count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        list->accounts[i] = *account_read(db_arena(tx), &rows.at[i]);
    return NULL;
}

Err *catalog_accounts(Catalog *catalog, Arena *arena, const CatalogPage *page, Account **accounts,
                      size_t *count)
{
    AccountList list = { .page = page };
    uint64_t    names;
    TRY(catalog_accounts_catch_up(catalog, arena, &names));
    TRY(db_read(catalog->db, arena, list_work, &list));
    *accounts = list.accounts;
    *count = list.count;
    return NULL;
}

// ---- many by their ids

typedef struct FilesGet {
    ProjectId    project;
    DbNames      names;
    AccountFile *files;
} FilesGet;

static AccountFile *file_of(const FilesGet *get, Str account)
{
    for (size_t i = 0; i < get->names.count; i++)
        if (str_equal(get->names.at[i], account))
            return &get->files[i];
    return NULL;
}

static Err *zones_of(DbTx *tx, const FilesGet *get)
{
    bool *zoned;
    TRY(db_names_found(tx, &sql[ZONED], get->names, &zoned));
    for (size_t i = 0; i < get->names.count; i++) {
        AccountFile *file = &get->files[i];
        if (file->account == NULL)
            continue;
        file->zones = (AccountZones){ arena_array(db_arena(tx), AccountZone, 1), 1 };
        file->zones.at[0] = (AccountZone){ INSTANT_FIRST, file->account->time_zone };
        if (zoned[i])
            TRY(zones_read(tx, get->project, file->account, &file->zones));
    }
    return NULL;
}

static Err *files_work(DbTx *tx, void *context)
{
    FilesGet *get = context;
    DbRows    rows;
    TRY(db_rows_of(tx, &sql[ACCOUNTS_OF], get->names, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        Account *account = account_read(db_arena(tx), &rows.at[i]);
        file_of(get, account->id)->account = account;
    }
    TRY(zones_of(tx, get));
    SubscriptionHistory *histories;
    size_t               count;
    TRY(catalog__histories_of(tx, get->names, &histories, &count));
    for (size_t i = 0; i < count; i++) {
        AccountHistories *of = &file_of(get, histories[i].first->account)->histories;
        if (of->count == 0)
            of->at = &histories[i];
        of->count++;
    }
    return NULL;
}

Err *catalog_account_files(Catalog *catalog, Arena *arena, const AccountIds *ids,
                           AccountFile *files)
{
    FilesGet get = { ids->project,
                     { ids->project.tenant, ids->project.id, ids->at, ids->count }, files };
    uint64_t names;
    TRY(catalog_accounts_catch_up(catalog, arena, &names));
    for (size_t i = 0; i < ids->count; i++)
        files[i] = (AccountFile){ 0 };
    return db_read(catalog->db, arena, files_work, &get);
}

// ---- the projection of names from usage

static Err *position_read(DbTx *tx, uint64_t *position, bool *stored)
{
    DbRow row;
    TRY(db_find(tx, &sql[POSITION_GET], (DbValues){ 0 }, &row));
    *stored = row.columns != NULL;
    *position = *stored ? (uint64_t)row_whole(&row, 0) : 0;
    return NULL;
}

Err *catalog__accounts_load(DbTx *tx, Catalog *catalog)
{
    bool   stored;
    Str    tenant = STR(""), project = STR(""), id = STR("");
    DbRows rows;
    do {
        TRY(db_rows(tx, &sql[ACCOUNTS_LOAD],
                    DB_VALUES(db_text(tenant), db_text(project), db_text(id), db_whole(LOAD_PAGE)),
                    &rows));
        for (size_t i = 0; i < rows.count; i++) {
            tenant = row_text(&rows.at[i], 0);
            project = row_text(&rows.at[i], 1);
            id = row_text(&rows.at[i], 2);
            mirror_account_set(catalog->mirror, project, id);
        }
    } while (rows.count == LOAD_PAGE);
    uint64_t position;
    TRY(position_read(tx, &position, &stored));
    atomic_store(&catalog->projected, position);
    return NULL;
}

typedef struct Name {
    Str project, account;
} Name;

typedef struct CatchUp {
    Catalog *catalog;
    uint64_t position;  // behind the last of `names`
    Name     names[PROJECT_NAMES];
    size_t   count;
} CatchUp;

static Err *names_add(DbTx *tx, const CatchUp *up)
{
    Instant now = { clock_now_us() };
    for (size_t i = 0; i < up->count; i++) {
        Account account = { .id = up->names[i].account, .metadata = STR("{}") };
        Project project;
        bool    added;
        if (!mirror_project_find(up->catalog->mirror, up->names[i].project, &project))
            return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                          "usage names a project %.*s that the books do not know",
                          STR_ARG(up->names[i].project));
        TRY(account_add(tx, project.id, &account, project_now(&project, now), &added));
    }
    return NULL;
}

static Err *catch_up_work(DbTx *tx, void *context)
{
    CatchUp      *up = context;
    AccountSource source = up->catalog->source;
    uint64_t      before, changed;
    bool          stored, added = true;
    TRY(position_read(tx, &before, &stored));
    for (up->count = 0; up->count < PROJECT_NAMES; up->count++) {
        Name *name = &up->names[up->count];
        if (!source.account(source.context, before + up->count, &name->project, &name->account))
            break;
    }
    up->position = before + up->count;
    if (up->count == 0)
        return NULL;
    TRY(names_add(tx, up));
    if (!stored)
        return db_insert(tx, &sql[POSITION_ADD], DB_VALUES(db_whole((int64_t)up->position)),
                         &added);
    TRY(db_run(tx, &sql[POSITION_SET],
               DB_VALUES(db_whole((int64_t)up->position), db_whole((int64_t)before)), &changed));
    assert_that(changed == 1);
    return NULL;
}

static void catch_up_done(void *context)
{
    CatchUp *up = context;
    for (size_t i = 0; i < up->count; i++)
        mirror_account_set(up->catalog->mirror, up->names[i].project, up->names[i].account);
    atomic_store(&up->catalog->projected, up->position);
}

// ---- accounts of servers that have no usage

typedef struct MadeTake {
    DbRows rows;
} MadeTake;

static Err *made_read(DbTx *tx, void *context)
{
    MadeTake *take = context;
    return db_rows(tx, &sql[MADE_FIRST], DB_VALUES(db_whole(PROJECT_NAMES)), &take->rows);
}

static Err *made_drop(DbTx *tx, void *context)
{
    const MadeTake *take = context;
    for (size_t i = 0; i < take->rows.count; i++) {
        const DbRow *row = &take->rows.at[i];
        TRY(db_run(tx, &sql[MADE_DROP],
                   DB_VALUES(db_text(row_text(row, 0)), db_text(row_text(row, 1)),
                             db_text(row_text(row, 2))),
                   NULL));
    }
    return NULL;
}

// In memory first: a note that stays is taken again, and does no harm.
Err *catalog__accounts_made_take(Catalog *catalog, Arena *arena)
{
    MadeTake take;
    do {
        TRY(db_read(catalog->db, arena, made_read, &take));
        for (size_t i = 0; i < take.rows.count; i++)
            mirror_account_set(catalog->mirror, row_text(&take.rows.at[i], 1),
                               row_text(&take.rows.at[i], 2));
        if (take.rows.count > 0)
            TRY(db_write(catalog->db, arena, (DbWrite){ .work = made_drop, .context = &take }));
    } while (take.rows.count == PROJECT_NAMES);
    return NULL;
}

Err *catalog_accounts_from(Catalog *catalog, Arena *arena, AccountSource source)
{
    uint64_t projected = atomic_load(&catalog->projected);
    Str      project, account;
    if (projected > 0 && !source.account(source.context, projected - 1, &project, &account))
        return refuse(
            arena, ERR_STORE_FAILED, STR_NONE,
            "the books know %llu accounts from usage and usage has fewer: they are not of one "
            "data directory, or usage was restored from an older backup than the books",
            (unsigned long long)projected);
    catalog->source = source;
    return NULL;
}

// True when the source has a name that is not in the books.
static bool is_behind(const Catalog *catalog)
{
    Str project, account;
    return catalog->source.account != NULL &&
           catalog->source.account(catalog->source.context, atomic_load(&catalog->projected),
                                   &project, &account);
}

Err *catalog_accounts_catch_up(Catalog *catalog, Arena *arena, uint64_t *names)
{
    *names = 0;
    if (!is_behind(catalog))
        return NULL;
    CatchUp *up = arena_new(arena, CatchUp);
    up->catalog = catalog;
    do {
        TRY(db_write(catalog->db, arena, (DbWrite){ catch_up_work, catch_up_done, up }));
        *names += up->count;
    } while (up->count == PROJECT_NAMES);
    return NULL;
}
