// SPDX-License-Identifier: Apache-2.0
// Accounts and subscriptions of a whole project come by pages, of chosen accounts one by one. What
// the books learned after T is left out.
#include "flow/simulate/roster.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/vector.h"

enum { PAGE_ROWS = 1000 };

// A subscription with its place in its account's list.
typedef struct Kept {
    Subscription subscription;  // first, so that one is the other
    struct Kept *next;
} Kept;

typedef struct Reading {
    Arena              *arena;
    const RosterSource *source;
    Map                *numbers;  // account -> place among those that usage named
    VECTOR(RosterEntry) entries;
} Reading;

const Subscription *roster_next(const Subscription *subscription)
{
    const Kept *kept = (const Kept *)subscription;
    return kept->next == NULL ? NULL : &kept->next->subscription;
}

static ProjectId project_of(const Reading *reading)
{
    return reading->source->simulation->project;
}

static void numbers_read(Reading *reading)
{
    Str project, account;
    for (uint64_t i = 0; i < reading->source->simulation->names; i++)
        if (partition_account(reading->source->partition, i, &project, &account) &&
            str_equal(project, project_of(reading).id))
            map_set(reading->numbers, account, i);
}

// ---- accounts

static void account_take(Reading *reading, const Account *account)
{
    uint64_t number = ROSTER_UNNAMED;
    bool     is_named = map_find(reading->numbers, account->id, &number);
    if (!is_named && account->created_at.us > reading->source->simulation->rated_at.us)
        return;
    RosterEntry entry = { .number = number, .account = str_copy(reading->arena, account->id) };
    vector_push(&reading->entries, entry);
}

static Err *accounts_all(Reading *reading)
{
    CatalogPage page = { .project = project_of(reading), .limit = PAGE_ROWS };
    for (size_t count = PAGE_ROWS; count == PAGE_ROWS;) {
        Account *accounts;
        AUTO(Arena) arena = arena_open();
        Err *err = catalog_accounts(reading->source->catalog, arena, &page, &accounts, &count);
        if (err != NULL)
            return refuse(reading->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        for (size_t i = 0; i < count; i++)
            account_take(reading, &accounts[i]);
        if (count > 0)
            page.after = str_copy(reading->arena, accounts[count - 1].id);
    }
    return NULL;
}

static Err *accounts_chosen(Reading *reading)
{
    const SimulationRequest *request = reading->source->request;
    for (size_t i = 0; i < request->account_count; i++) {
        Account *account;
        TRY(catalog_account_get(reading->source->catalog, reading->arena, project_of(reading),
                                request->accounts[i], &account));
        account_take(reading, account);
    }
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const RosterEntry *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return str_compare(left->account, right->account);
}

// ---- subscriptions

static Str text_keep(Arena *arena, Str text)
{
    return text.at == NULL ? STR_NONE : str_copy(arena, text);
}

// Rows of an account come by id, so the newest goes behind the others.
static void subscription_keep(Reading *reading, RosterEntry *entry, const Subscription *row)
{
    Arena *arena = reading->arena;
    Kept  *kept = arena_new(arena, Kept);
    if (row->created_at.us > reading->source->simulation->rated_at.us)
        return;
    kept->subscription = *row;
    kept->subscription.id = str_copy(arena, row->id);
    kept->subscription.account = entry->account;
    kept->subscription.plan = str_copy(arena, row->plan);
    kept->subscription.quantities = text_keep(arena, row->quantities);
    kept->subscription.overrides = text_keep(arena, row->overrides);
    kept->subscription.phases = text_keep(arena, row->phases);
    kept->subscription.usage_filter = text_keep(arena, row->usage_filter);
    if (entry->first == NULL) {
        entry->first = &kept->subscription;
        return;
    }
    const Subscription *last = entry->first;
    for (const Subscription *next; (next = roster_next(last)) != NULL;)
        last = next;
    ((Kept *)(uintptr_t)last)->next = kept;
}

static Err *subscriptions_page(Reading *reading, CatalogPage *page, const Map *places,
                               size_t *count)
{
    Subscription *rows;
    uint64_t      place;
    AUTO(Arena) arena = arena_open();
    Err *err = catalog_subscriptions(reading->source->catalog, arena, page, &rows, count);
    if (err != NULL)
        return refuse(reading->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
    for (size_t i = 0; i < *count; i++)
        if (map_find(places, rows[i].account, &place))
            subscription_keep(reading, &reading->entries.at[place], &rows[i]);
    if (*count > 0)
        page->after = str_copy(reading->arena, rows[*count - 1].id);
    return NULL;
}

static Err *subscriptions_pages(Reading *reading, Str account, const Map *places)
{
    CatalogPage page = { .project = project_of(reading), .limit = PAGE_ROWS, .account = account };
    for (size_t count = PAGE_ROWS; count == PAGE_ROWS;)
        TRY(subscriptions_page(reading, &page, places, &count));
    return NULL;
}

static Err *subscriptions_read(Reading *reading)
{
    Map *places = map_open();
    Err *err = NULL;
    for (size_t i = 0; i < reading->entries.count; i++)
        map_set(places, reading->entries.at[i].account, i);
    if (reading->source->request->all_accounts)
        err = subscriptions_pages(reading, STR_NONE, places);
    else
        for (size_t i = 0; err == NULL && i < reading->entries.count; i++)
            err = subscriptions_pages(reading, reading->entries.at[i].account, places);
    map_close(places);
    return err;
}

Err *roster_read(Arena *arena, const RosterSource *source, Roster *roster)
{
    Reading reading = { .arena = arena, .source = source, .numbers = map_open() };
    numbers_read(&reading);
    Err *err = source->request->all_accounts ? accounts_all(&reading) : accounts_chosen(&reading);
    map_close(reading.numbers);
    if (err == NULL && reading.entries.count > 0)
        qsort(reading.entries.at, reading.entries.count, sizeof(RosterEntry), by_number);
    if (err == NULL)
        err = subscriptions_read(&reading);
    size_t count = reading.entries.count;
    *roster = (Roster){
        .at = arena_copy(arena, reading.entries.at, count * sizeof(RosterEntry)),
        .count = count,
        .project_zone = catalog_project_get(source->catalog, source->simulation->project).time_zone,
    };
    vector_release(&reading.entries);
    return err;
}
