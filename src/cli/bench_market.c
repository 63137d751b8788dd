// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_market.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "flow/simulate/simulation.h"
#include "ops/books.h"

enum { BATCH = 1000, IN_FLIGHT = 24, SUBSCRIBERS = 64, ACCOUNT_DIGITS = 8 };

static const char now_plan[] =
    "{\"currency\":\"USD\",\"charges\":["
    "{\"id\":\"a\",\"meter\":\"m0\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"1000\",\"unitPrice\":\"0.02\"},{\"upTo\":\"5000\",\"unitPrice\":\"0.015\"},"
    "{\"unitPrice\":\"0.01\"}]},"
    "{\"id\":\"b\",\"meter\":\"m1\",\"model\":\"perUnit\",\"unitPrice\":\"0.0035\"},"
    "{\"id\":\"c\",\"meter\":\"m2\",\"model\":\"volume\",\"tiers\":["
    "{\"upTo\":\"2000\",\"unitPrice\":\"0.01\"},{\"unitPrice\":\"0.008\"}]},"
    "{\"id\":\"d\",\"meter\":\"m3\",\"model\":\"package\",\"packageSize\":\"100\","
    "\"packagePrice\":\"0.25\"}],"
    "\"commitment\":{\"amount\":\"25.00\",\"discountPercent\":\"10\"}}";

static const char next_plan[] =
    "{\"currency\":\"USD\",\"charges\":["
    "{\"id\":\"a\",\"meter\":\"m0\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"2000\",\"unitPrice\":\"0.018\"},{\"unitPrice\":\"0.012\"}]},"
    "{\"id\":\"b\",\"meter\":\"m1\",\"model\":\"perUnit\",\"unitPrice\":\"0.004\"},"
    "{\"id\":\"c\",\"meter\":\"m2\",\"model\":\"graduated\",\"tiers\":["
    "{\"upTo\":\"3000\",\"unitPrice\":\"0.009\"},{\"unitPrice\":\"0.007\"}]},"
    "{\"id\":\"d\",\"meter\":\"m3\",\"model\":\"package\",\"packageSize\":\"250\","
    "\"packagePrice\":\"0.55\"}],"
    "\"commitment\":{\"amount\":\"20.00\",\"discountPercent\":\"5\"}}";

Str market_next_plan(void)
{
    return str_of(next_plan);
}

Instant market_month(uint32_t month)
{
    static const char *const starts[] = {
        "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z",
        "2025-04-01T00:00:00Z", "2025-05-01T00:00:00Z", "2025-06-01T00:00:00Z",
        "2025-07-01T00:00:00Z", "2025-08-01T00:00:00Z", "2025-09-01T00:00:00Z",
        "2025-10-01T00:00:00Z", "2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    };
    Instant at;
    assert_that(month <= MARKET_MONTHS_MAX && instant_parse(str_of(starts[month]), &at));
    return at;
}

Str market_account(Arena *arena, uint64_t account)
{
    return str_print(arena, "acct_%0*llu", ACCOUNT_DIGITS, (unsigned long long)account);
}

bool market_account_find(Str name, uint64_t *account)
{
    Str digits = { name.at + 5, name.length - 5 };
    return str_starts(name, STR("acct_")) && str_whole(digits, UINT32_MAX, account);
}

// ---- the oracle: whole numbers of hundredths of a cent

static int64_t cents(int64_t hundredths)
{
    return (hundredths + 50) / 100;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// What units behind `from` and up to `to` there are of q.
static int64_t between(int64_t q, int64_t from, int64_t to)
{
    return q <= from ? 0 : least(q, to) - from;
}

static int64_t committed(int64_t list, int64_t percent, int64_t amount)
{
    int64_t net = list - (list * percent + 50) / 100;
    return net < amount ? amount : net;
}

static int64_t now_month(const uint64_t *used)
{
    int64_t a = (int64_t)used[0], b = (int64_t)used[1], c = (int64_t)used[2], d = (int64_t)used[3];
    int64_t list = cents(200 * between(a, 0, 1000) + 150 * between(a, 1000, 5000) +
                         100 * between(a, 5000, INT64_MAX));
    list += cents(35 * b) + cents(c <= 2000 ? 100 * c : 80 * c) + (d + 99) / 100 * 25;
    return committed(list, 10, 2500);
}

static int64_t next_month(const uint64_t *used)
{
    int64_t a = (int64_t)used[0], b = (int64_t)used[1], c = (int64_t)used[2], d = (int64_t)used[3];
    int64_t list = cents(180 * between(a, 0, 2000) + 120 * between(a, 2000, INT64_MAX));
    list += cents(40 * b) + cents(90 * between(c, 0, 3000) + 70 * between(c, 3000, INT64_MAX));
    return committed(list + (d + 249) / 250 * 55, 5, 2000);
}

MarketSum market_sum(const Market *market, uint64_t account)
{
    MarketSum sum = { 0 };
    for (uint32_t month = 0; month < market->options.months; month++) {
        size_t at = (account * market->options.months + month) * MARKET_METERS;
        sum.now += now_month(market->used + at);
        sum.next += next_month(market->used + at);
    }
    return sum;
}

// ---- opening

static Err *project_make(Market *market)
{
    Project project = { .id = { .id = STR("bench") }, .name = STR("bench"),
                        .time_zone = STR("UTC"), .unknown_accounts = ACCOUNTS_CREATE };
    Key     key = { .name = STR("bench"), .scopes = SCOPES_ALL };
    Str     secret;
    TRY(catalog_tenant_make(market->catalog, market->arena, STR("bench"), &project.id.tenant));
    TRY(catalog_project_make(market->catalog, market->arena, &project));
    key.project = project.id;
    TRY(catalog_key_make(market->catalog, market->arena, &key, KEY_TEST, &secret));
    return catalog_authenticate(market->catalog, market->arena, secret,
                                (Instant){ clock_now_us() }, &market->by);
}

static CatalogChange change_of(const Market *market, Arena *arena)
{
    return (CatalogChange){ .catalog = market->catalog, .arena = arena, .by = &market->by,
                            .now = { clock_now_us() }, .expected = EXPECT_ANY };
}

static Err *meter_make(Market *market, uint32_t number)
{
    CatalogChange change = change_of(market, market->arena);
    Faults        faults = { .arena = market->arena };
    Str           id = str_print(market->arena, "m%u", number);
    Json         *body;
    Meter        *stored;
    TRY(json_parse_copy(market->arena, STR("{\"aggregation\":\"sum\"}"), &body));
    Meter *meter = meter_from_json(body, id, &faults);
    if (meter == NULL)
        return faults.first;
    TRY(catalog_meter_put(&change, meter, &stored));
    return partition_meter_put(market->partition, market->arena, market->by.project.id.id, stored);
}

static Err *plan_make(Market *market)
{
    CatalogChange change = change_of(market, market->arena);
    Json         *document;
    PlanVersion  *stored;
    TRY(json_parse_copy(market->arena, str_of(now_plan), &document));
    TRY(catalog_plan_put(&change, STR("now"), document, &stored));
    return catalog_plan_publish(&change, STR("now"), market_month(0), &stored);
}

static bool account_name(void *partition, uint64_t index, Str *project, Str *account)
{
    return partition_account(partition, index, project, account);
}

static Err *market_books_open(Market *market)
{
    TRY(books_open(market->arena, market->dir->books, 4, &market->books));
    return catalog_open(market->arena, market->books, &market->dir->pepper, &market->catalog);
}

static Err *usage_open(Market *market)
{
    PartitionOptions options = { .folder = market->dir->usage, .key = market->dir->identity,
                                 .seal_bits = market->options.seal_bits,
                                 .queue_bytes = 64 << 20 };
    TRY(partition_open(market->arena, &options, &market->partition));
    AccountSource names = { account_name, market->partition };
    return catalog_accounts_from(market->catalog, market->arena, names);
}

Err *market_open(Arena *arena, const MarketOptions *options, Market *market)
{
    DataDirOptions wanted = { .folder = options->folder, .books = options->books,
                              .seal_bits = options->seal_bits,
                              .now = { clock_now_us() } };
    *market = (Market){ .options = *options, .arena = arena };
    market->used = memory_map(options->accounts * options->months * MARKET_METERS *
                              sizeof(uint64_t));
    TRY(datadir_begin(arena, &wanted, &market->dir));
    TRY(market_books_open(market));
    TRY(usage_open(market));
    TRY(datadir_finish(arena, market->dir));
    TRY(project_make(market));
    for (uint32_t i = 0; i < MARKET_METERS; i++)
        TRY(meter_make(market, i));
    return plan_make(market);
}

void market_close(Market *market)
{
    if (market->partition != NULL)
        partition_close(market->partition);
    catalog_close(market->catalog);
    db_close(market->books);
    if (market->dir != NULL)
        datadir_close(market->dir);
    memory_unmap(market->used, market->options.accounts * market->options.months * MARKET_METERS *
                                   sizeof(uint64_t));
}

// ---- usage

// Batches on their way; each has its arena until its verdicts are there.
typedef struct Sending {
    Market  *market;
    Lock     lock;
    Signal   signal;
    uint32_t in_flight;
    uint64_t accepted;
    Err     *failure;
    Seeded   seeded;
    uint64_t next;  // event
} Sending;

typedef struct Batch {
    Submission submission;
    Arena     *arena;
    Sending   *sending;
} Batch;

static void batch_done(Submission *submission)
{
    Batch   *batch = submission->context;
    Sending *sending = batch->sending;
    lock_take(&sending->lock);
    sending->in_flight--;
    sending->accepted += submission->counts[OUTCOME_ACCEPTED];
    if (submission->failure != NULL && sending->failure == NULL)
        sending->failure = refuse(sending->market->arena, submission->failure->code, STR_NONE,
                                  "%.*s", STR_ARG(submission->failure->detail));
    signal_one(&sending->signal);
    lock_release(&sending->lock);
    arena_close(batch->arena);
}

static uint32_t month_of(const Market *market, Instant at)
{
    uint32_t month = 0;
    while (month + 1 < market->options.months && at.us >= market_month(month + 1).us)
        month++;
    return month;
}

// The first events name every account once, so that all of them are there.
static void event_make(Sending *sending, Arena *arena, Event *event)
{
    const MarketOptions *options = &sending->market->options;
    uint64_t             number = sending->next++;
    int64_t              first = market_month(0).us;
    int64_t              span = market_month(options->months).us - first;
    uint64_t account = number < options->accounts
                           ? number
                           : seeded_below(&sending->seeded, options->accounts);
    uint64_t meter = seeded_below(&sending->seeded, MARKET_METERS);
    uint64_t value = 1 + seeded_below(&sending->seeded, 400);
    *event = (Event){
        .unique_id = str_print(arena, "evt_%016llx",
                               (unsigned long long)(number * UINT64_C(0x9E3779B97F4A7C15))),
        .event = str_print(arena, "m%llu", (unsigned long long)meter),
        .account = market_account(arena, account),
        .value = decimal_whole((int64_t)value),
        .ts = { first + (int64_t)((Int128)span * (Int128)number / (Int128)options->events) },
        .ts_given = true,
        .properties = STR(""),
    };
    event_identify(event, sending->market->by.project.id.id, &sending->market->dir->identity);
    size_t at = (account * options->months + month_of(sending->market, event->ts)) * MARKET_METERS;
    sending->market->used[at + meter] += value;
}

static Batch *batch_make(Sending *sending, size_t count)
{
    Arena *arena = arena_open();
    Batch *batch = arena_new(arena, Batch);
    Event *events = arena_array(arena, Event, count);
    for (size_t i = 0; i < count; i++) {
        event_make(sending, arena, &events[i]);
        events[i].index = (uint32_t)i;
    }
    batch->arena = arena;
    batch->sending = sending;
    batch->submission = (Submission){
        .project = sending->market->by.project.id.id,
        .events = events,
        .count = count,
        .received = { clock_now_us() },
        .bytes = count * 200,
        .done = batch_done,
        .context = batch,
        .verdicts = arena_array(arena, Verdict, count),
    };
    return batch;
}

// Waits for room, and once more when the partition is busy.
static Err *batch_send(Sending *sending, Batch *batch)
{
    lock_take(&sending->lock);
    while (sending->in_flight >= IN_FLIGHT)
        signal_wait(&sending->signal, &sending->lock);
    sending->in_flight++;
    Err *failure = sending->failure;
    lock_release(&sending->lock);
    if (failure != NULL)
        return failure;
    for (;;) {
        Err *err = partition_submit(sending->market->partition, batch->arena, &batch->submission);
        if (err == NULL || err_again(err->code) != AGAIN_LATER)
            return err;
        lock_take(&sending->lock);
        signal_wait_us(&sending->signal, &sending->lock, 2000);
        lock_release(&sending->lock);
    }
}

static Err *sending_run(Sending *sending)
{
    const MarketOptions *options = &sending->market->options;
    while (sending->next < options->events) {
        uint64_t left = options->events - sending->next;
        Batch   *batch = batch_make(sending, left < BATCH ? left : BATCH);
        TRY(batch_send(sending, batch));
    }
    lock_take(&sending->lock);
    while (sending->in_flight > 0)
        signal_wait(&sending->signal, &sending->lock);
    lock_release(&sending->lock);
    if (sending->failure != NULL)
        return sending->failure;
    if (sending->accepted != options->events)
        return refuse(sending->market->arena, ERR_INTERNAL, STR_NONE,
                      "%llu of %llu events were accepted", (unsigned long long)sending->accepted,
                      (unsigned long long)options->events);
    return NULL;
}

Err *market_use(Market *market)
{
    Sending sending = { .market = market, .seeded = seeded_of(market->options.seed) };
    lock_open(&sending.lock);
    signal_open(&sending.signal);
    Err *err = sending_run(&sending);
    signal_close(&sending.signal);
    lock_close(&sending.lock);
    return err;
}

// ---- subscriptions

typedef struct Subscribing {
    Market              *market;
    atomic_uint_fast64_t next;
    Lock                 lock;
    Err                 *failure;
} Subscribing;

static Err *subscribe(Market *market, uint64_t account)
{
    AUTO(Arena) arena = arena_open();
    CatalogChange change = change_of(market, arena);
    SubscriptionHistory stored;
    Str           name = market_account(arena, account);
    Subscription  wanted = { .id = name, .account = name, .plan = STR("now"),
                             .starts_at = market_month(0), .quantities = STR("{}") };
    Err *err = catalog_subscription_put(&change, &wanted, &stored);
    return err == NULL ? NULL
                       : refuse(market->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
}

static void *subscribe_all(void *argument)
{
    Subscribing *subscribing = argument;
    Market      *market = subscribing->market;
    for (;;) {
        uint64_t account = atomic_fetch_add(&subscribing->next, 1);
        if (account >= market->options.accounts)
            return NULL;
        Err *err = subscribe(market, account);
        if (err == NULL)
            continue;
        lock_take(&subscribing->lock);
        subscribing->failure = err;
        lock_release(&subscribing->lock);
        return NULL;
    }
}

// From many threads, so that the books take many in one transaction.
Err *market_subscribe(Market *market)
{
    Subscribing subscribing = { .market = market };
    Thread      threads[SUBSCRIBERS] = { 0 };
    lock_open(&subscribing.lock);
    for (size_t i = 0; i < SUBSCRIBERS; i++)
        thread_start(&threads[i], "subscribe", subscribe_all, &subscribing);
    for (size_t i = 0; i < SUBSCRIBERS; i++)
        thread_join(&threads[i]);
    lock_close(&subscribing.lock);
    return subscribing.failure;
}
