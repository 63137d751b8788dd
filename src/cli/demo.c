// SPDX-License-Identifier: Apache-2.0
// The demo proves itself: the generator knows what every line must become, and the bill's three
// lines are known: 38,114,200 requests -> 900 + 37,114,200 x 0.0006 = 23,168.52; 912,448 s x 0.0021
// = 1,916.1408 -> 1,916.14; 1,204,001 GB h x 0.00009 = 108.36009 -> 108.36.
#include "cli/demo.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/bench_folder.h"
#include "cli/bench_target.h"
#include "cli/config.h"
#include "cli/demo_bill.h"
#include "cli/demo_books.h"
#include "cli/demo_usage.h"
#include "cli/usage_sender.h"
#include "time/window.h"

enum { BATCH = 500, LOST_ANSWER_EVERY = 40, START_S = 30, CALL_WAIT_S = 30, REASONS_MAX = 16 };

static const char PLAN[] =
    "{\"name\":\"Demo 2026\",\"currency\":\"USD\",\"rounding\":\"halfUp\","
    "\"period\":{\"every\":1,\"unit\":\"month\",\"anchor\":\"calendar\"},\"charges\":["
    "{\"id\":\"api\",\"name\":\"api.requests\",\"meter\":\"api.requests\",\"model\":\"graduated\","
    "\"tiers\":[{\"upTo\":\"1000000\",\"unitPrice\":\"0.0009\"},"
    "{\"upTo\":\"50000000\",\"unitPrice\":\"0.0006\"},{\"unitPrice\":\"0.0004\"}]},"
    "{\"id\":\"gpu\",\"name\":\"compute.gpu_seconds\",\"meter\":\"compute.gpu_seconds\","
    "\"model\":\"perUnit\",\"unitPrice\":\"0.0021\"},"
    "{\"id\":\"storage\",\"name\":\"storage.gb_hours\",\"meter\":\"storage.gb_hours\","
    "\"model\":\"perUnit\",\"unitPrice\":\"0.00009\"}]}";

// What the bill of acct_meridian must say.
static const struct {
    const char *charge, *usage, *amount;
} proof[] = {
    { "api", "38114200", "23168.52" },
    { "gpu", "912448", "1916.14" },
    { "storage", "1204001", "108.36" },
};
enum { PROOF_COUNT = sizeof proof / sizeof *proof };

// Of its invoice: 25,193.02 - 500.00 of credit = 24,693.02; VAT 4,938.604 -> 4,938.60.
static const char AMOUNT_DUE[] = "29631.62";

typedef struct Reason {
    Str      code, detail;  // the detail of the first
    uint64_t count;
} Reason;

typedef struct Demo {
    Arena   *arena;   // of the whole run
    Str      folder;  // temporary; holds the data directory and the server's log
    Target   target;
    Client  *client;
    Instant  start, end;  // the month
    UsageSender sender;
    uint64_t expected[OUTCOME_COUNT];
    Reason   reasons[REASONS_MAX];
    size_t   reason_count;
    int64_t  took_us;
    const Json *bill;
    Str      bill_path;
    DemoBooks books;
    bool     keep, json;
} Demo;

static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
}

static Err *stopped(Arena *arena)
{
    return is_stopped ? refuse(arena, ERR_INTERNAL, STR_NONE, "stopped") : NULL;
}

// ---- the stage

static Err *folder_make(Demo *demo)
{
    const char *base = getenv("TMPDIR");
    Str         parent = base == NULL ? STR("/tmp") : str_of(base);
    return bench_folder_make(demo->arena, parent, "toll-demo", &demo->folder);
}

static void month_choose(Demo *demo)
{
    const Zone *utc = zone_utc();
    Span        current = window_at(WINDOW_MONTH, utc, (Instant){ clock_now_us() });
    Span        last = window_at(WINDOW_MONTH, utc, (Instant){ current.start.us - 1 });
    demo->start = last.start;
    demo->end = last.end;
}

static Err *server_start(Demo *demo)
{
    Str data = str_print(demo->arena, "%.*s/data", STR_ARG(demo->folder));
    TRY(target_open(demo->arena, data, &demo->target));
    TRY(target_start(&demo->target, START_S));
    Str url = str_print(demo->arena, "http://127.0.0.1:%d", demo->target.port);
    demo->client = client_open(&(ClientOptions){ url, demo->target.key, CALL_WAIT_S });
    fprintf(stderr, "server    %.*s on %.*s\n", STR_ARG(url), STR_ARG(data));
    return NULL;
}

static Err *put(Demo *demo, Str path, Str body)
{
    Call call = { .method = "PUT", .path = path, .body = body };
    return client_call_json(demo->client, demo->arena, &call, NULL);
}

static Err *catalog_declare(Demo *demo)
{
    Arena *arena = demo->arena;
    Str    start = instant_print(arena, demo->start);
    for (size_t i = 0; i < DEMO_METERS; i++)
        TRY(put(demo, str_print(arena, "/v1/meters/%s", demo_meters[i].id),
                str_print(arena, "{\"event\":\"%s\",\"aggregation\":\"sum\",\"unit\":\"%s\"}",
                          demo_meters[i].id, demo_meters[i].unit)));
    TRY(put(demo, STR("/v1/plans/demo_2026"), str_of(PLAN)));
    Call publish = { .method = "POST",
                     .path = STR("/v1/plans/demo_2026/publish"),
                     .body = str_print(arena, "{\"effectiveFrom\":\"%.*s\"}", STR_ARG(start)) };
    TRY(client_call_json(demo->client, arena, &publish, NULL));
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++) {
        const char *account = demo_accounts[i];
        const char *name = account + strlen("acct_");
        TRY(put(demo, str_print(arena, "/v1/accounts/%s", account),
                str_print(arena, "{\"name\":\"%s\",\"currency\":\"USD\"}", name)));
        TRY(put(demo, str_print(arena, "/v1/subscriptions/sub_%s", name),
                str_print(arena, "{\"account\":\"%s\",\"plan\":\"demo_2026\","
                    "\"startsAt\":\"%.*s\"}",
                          account, STR_ARG(start))));
    }
    fprintf(stderr, "declared  %d meters, plan demo_2026, %d accounts with a subscription each\n",
            DEMO_METERS, DEMO_ACCOUNTS);
    return NULL;
}

// ---- usage

static void reason_count(void *context, const NotTaken *what)
{
    Demo  *demo = context;
    size_t i = 0;
    while (i < demo->reason_count && !str_equal(demo->reasons[i].code, what->code))
        i++;
    if (i == REASONS_MAX)
        return;
    if (i == demo->reason_count) {
        demo->reasons[i].code = str_copy(demo->arena, what->code);
        demo->reasons[i].detail = str_copy(demo->arena, what->detail);
        demo->reason_count++;
    }
    demo->reasons[i].count++;
}

static void progress_show(const Demo *demo, size_t sent, size_t count)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    bool is_last = sent == count;
    if (!is_terminal && !is_last)
        return;
    AUTO(Arena) arena = arena_open();
    Str done = digits_grouped(arena, str_print(arena, "%" PRIu64, demo->sender.events));
    fprintf(stderr, "%ssent      %.*s events, %zu %%%s", is_terminal ? "\r" : "", STR_ARG(done),
            sent * 100 / count, is_last ? "\n" : "");
}

// Every so many batches the answer "gets lost", and the same batch is sent again: what was accepted
// the first time is a duplicate now, the rest is refused again.
static Err *batch_send(Demo *demo, Arena *arena, Str lines, const size_t outcomes[OUTCOME_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        demo->expected[i] += outcomes[i];
        count += outcomes[i];
    }
    TRY(usage_send(&demo->sender, arena, lines, count));
    if (demo->sender.requests % LOST_ANSWER_EVERY != 0)
        return NULL;
    demo->expected[OUTCOME_DUPLICATE] += outcomes[OUTCOME_ACCEPTED] + outcomes[OUTCOME_DUPLICATE];
    demo->expected[OUTCOME_CONFLICT] += outcomes[OUTCOME_CONFLICT];
    demo->expected[OUTCOME_REJECTED] += outcomes[OUTCOME_REJECTED];
    return usage_send(&demo->sender, arena, lines, count);
}

static Err *usage_send_all(Demo *demo)
{
    AUTO(Arena) arena = arena_open();
    AUTO(DemoUsage) usage = demo_usage_open(demo->start, demo->end);
    size_t  count = demo_usage_count(usage);
    int64_t start_us = clock_tick_us();
    demo->sender = (UsageSender){ .client = demo->client, .coding = BODY_PLAIN,
                                  .not_taken = reason_count, .context = demo };
    for (size_t i = 0; i < count;) {
        TRY(stopped(demo->arena));
        Text   lines = text_open(arena);
        size_t outcomes[OUTCOME_COUNT] = { 0 };
        for (size_t end = i + BATCH; i < count && i < end; i++)
            outcomes[demo_usage_line(usage, i, &lines)]++;
        Err *err = batch_send(demo, arena, text_str(&lines), outcomes);
        if (err != NULL)
            return refuse(demo->arena, err->code, STR_NONE, "%.*s", STR_ARG(err->detail));
        arena_reset(arena);
        progress_show(demo, i, count);
    }
    demo->took_us = clock_tick_us() - start_us;
    return NULL;
}

// ---- what came of it

static Err *bill_read(Demo *demo)
{
    Instant middle = { demo->start.us + (demo->end.us - demo->start.us) / 2 };
    demo->bill_path = str_print(demo->arena, "/v1/subscriptions/sub_meridian/bill?at=%.*s",
                                STR_ARG(instant_print(demo->arena, middle)));
    Call call = { .method = "GET", .path = demo->bill_path };
    return client_call_json(demo->client, demo->arena, &call, &demo->bill);
}

static Err *verdicts_check(const Demo *demo)
{
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        if (demo->sender.counts[i] != demo->expected[i])
            return refuse(demo->arena, ERR_INTERNAL, STR_NONE,
                          "%" PRIu64 " events are %s, but %" PRIu64 " must be",
                          demo->sender.counts[i], outcome_name((Outcome)i), demo->expected[i]);
    return NULL;
}

static Err *bill_check(const Demo *demo)
{
    for (size_t i = 0; i < PROOF_COUNT; i++) {
        const Json *line = demo_bill_line(demo->bill, str_of(proof[i].charge));
        Str         usage = demo_bill_text(line, "usage"), amount = demo_bill_text(line, "amount");
        if (!str_equal(usage, str_of(proof[i].usage)) || !str_equal(amount,
            str_of(proof[i].amount)))
            return refuse(demo->arena, ERR_INTERNAL, STR_NONE,
                          "charge %s is %.*s -> %.*s, but must be %s -> %s", proof[i].charge,
                          STR_ARG(usage), STR_ARG(amount), proof[i].usage, proof[i].amount);
    }
    return NULL;
}

static int64_t events_a_second(const Demo *demo)
{
    return demo->took_us == 0 ? 0 : (int64_t)demo->sender.events * 1000000 / demo->took_us;
}

static Str count_print(Arena *arena, uint64_t count)
{
    return digits_grouped(arena, str_print(arena, "%" PRIu64, count));
}

static void verdicts_print(const Demo *demo, Text *out)
{
    Arena *arena = demo->arena;
    text_print(out, "\nA month of usage: 2 %% of the events come late, 3 %% come twice,"
        " 0.1 %% are broken,\n"
                    "and every %dth batch is sent again, as after an answer that got lost.\n"
                    "\nVerdicts\n", LOST_ANSWER_EVERY);
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        text_print(out, "  %-12s %12.*s\n", outcome_name((Outcome)i),
                   STR_ARG(count_print(arena, demo->sender.counts[i])));
    text_print(out, "\nNot taken, by reason\n");
    for (size_t i = 0; i < demo->reason_count; i++)
        text_print(out, "  %-18.*s %6" PRIu64 "  %.*s\n", STR_ARG(demo->reasons[i].code),
                   demo->reasons[i].count, STR_ARG(demo->reasons[i].detail));
    text_print(out, "\n%.*s events/s over one connection in batches of %d,"
        " every answer durable\n\n",
               STR_ARG(count_print(arena, (uint64_t)events_a_second(demo))), BATCH);
}

static void further_print(const Demo *demo, Text *out)
{
    text_print(out, "\nTo look further\n");
    if (!demo->keep) {
        text_print(out, "  toll demo --keep    leaves the data there and says how to ask it\n");
        return;
    }
    Str path = demo->bill_path;
    text_print(out, "  toll serve --data %.*s --listen 127.0.0.1:8080 &\n",
               STR_ARG(demo->target.folder));
    text_print(out, "  export TOLL_KEY=%.*s\n", STR_ARG(demo->target.key));
    static const char *const paths[] = {
        "/v1/measurements?account=acct_meridian&limit=5",
        "/v1/measurements/rejections",
        "/v1/subscriptions",
        "/v1/invoices",
        "/v1/ledger/transactions?limit=5",
    };
    static const char curl[] = "  curl -s -H \"Authorization: Bearer $TOLL_KEY\" "
                               "'http://127.0.0.1:8080";
    text_print(out, "%s%.*s'\n", curl, STR_ARG(path));
    text_print(out, "%s/v1/usage?meter=api.requests&account=acct_meridian&from=%.*s&to=%.*s"
                    "&window=day'\n", curl, STR_ARG(instant_print(demo->arena, demo->start)),
               STR_ARG(instant_print(demo->arena, demo->end)));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        text_print(out, "%s%s'\n", curl, paths[i]);
    text_print(out, "%s/v1/invoices/%.*s/pdf' > invoice.pdf\n", curl,
               STR_ARG(demo_bill_text(demo->books.invoice, "id")));
}

static void json_print(const Demo *demo, Text *text)
{
    JsonOut out = json_out(text);
    json_object(&out);
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        json_whole_member(&out, outcome_name((Outcome)i), (int64_t)demo->sender.counts[i]);
    json_whole_member(&out, "events", (int64_t)demo->sender.events);
    json_whole_member(&out, "eventsPerSecond", events_a_second(demo));
    json_name(&out, STR("bill"));
    json_value(&out, demo->bill);
    demo_books_to_json(&demo->books, &out);
    if (demo->keep) {
        json_string_member(&out, "data", demo->target.folder);
        json_string_member(&out, "apiKey", demo->target.key);
    }
    json_object_end(&out);
    text_add_char(text, '\n');
}

static void result_print(const Demo *demo)
{
    Text out = text_open(demo->arena);
    if (demo->json) {
        json_print(demo, &out);
    } else {
        verdicts_print(demo, &out);
        demo_bill_print(demo->bill, &out);
        demo_books_print(&demo->books, &out);
        further_print(demo, &out);
    }
    fwrite(out.at, 1, out.length, stdout);
    fflush(stdout);
}

static Err *demo_run(Demo *demo)
{
    month_choose(demo);
    TRY(folder_make(demo));
    TRY(server_start(demo));
    TRY(stopped(demo->arena));
    TRY(catalog_declare(demo));
    TRY(usage_send_all(demo));
    TRY(bill_read(demo));
    TRY(demo_books_close(demo->client, demo->arena, demo->start, "acct_meridian", &demo->books));
    TRY(target_stop(&demo->target));
    result_print(demo);
    TRY(verdicts_check(demo));
    TRY(bill_check(demo));
    return demo_books_check(demo->arena, &demo->books, AMOUNT_DUE);
}

static void folder_remove(const Demo *demo)
{
    if (demo->folder.length == 0)
        return;
    if (!bench_folder_remove(demo->folder))
        fprintf(stderr, "toll demo: cannot remove all of %.*s\n", STR_ARG(demo->folder));
}

static bool options_read(int argc, char **argv, Demo *demo)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--keep") == 0)
            demo->keep = true;
        else if (strcmp(argv[i], "--json") == 0)
            demo->json = true;
        else
            return false;
    }
    return true;
}

int cli_demo(int argc, char **argv)
{
    static const char usage[] = "toll demo [--keep] [--json]\n";
    AUTO(Arena) arena = arena_open();
    Demo demo = { .arena = arena };
    if (cli_helped(argc, argv, usage))
        return 0;
    if (!options_read(argc, argv, &demo)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    Err *err = demo_run(&demo);
    if (err != NULL) {
        fprintf(stderr, "toll demo: %.*s\n", STR_ARG(err->detail));
        if (demo.target.arena != NULL && !is_stopped)
            fprintf(stderr, "%.*s", STR_ARG(target_log_end(&demo.target)));
    }
    client_close(demo.client);
    target_close(&demo.target);
    if (!demo.keep)
        folder_remove(&demo);
    return err == NULL ? 0 : 1;
}
