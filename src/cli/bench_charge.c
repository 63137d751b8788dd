// SPDX-License-Identifier: Apache-2.0
// One thread a connection, one request in flight on each, keep-alive: a charge is counted when its
// 201 has come. Then the server is killed, started again, and every account must have as many
// charges as were acknowledged, and a wallet what they left; else the run is void.
#include "cli/bench_charge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/thread.h"
#include "cli/bench_figures.h"
#include "cli/bench_folder.h"
#include "cli/bench_option.h"
#include "cli/bench_target.h"
#include "cli/config.h"

const char BENCH_CHARGE_USAGE[] =
    "usage: toll bench charge [options]\n"
    "One-off charges through a server of its own, acknowledged when they are durable.\n"
    "  --charges N        1..100000000 (100000)\n"
    "  --connections N    1..1000 (64)\n"
    "  --accounts N       one after the other, 1..1000000 (1000)\n"
    "  --wallet           paid from credit at once (each waits for an invoice)\n"
    "  --workers N        http.workers of the server, 1..256 (its default)\n"
    "  --data DIR         where the temporary data directory is made (TMPDIR or /var/tmp)\n"
    "  --json             figures as JSON on stdout\n";

enum { START_S = 60, ANSWER_BYTES = 16384, PAGE = 1000, CENTS = 1 };

typedef struct Options {
    uint64_t    charges, connections, accounts, workers;
    bool        wallet, json, wrong;
    const char *parent;
} Options;

typedef struct Bench {
    const Options    *options;
    Target            target;
    _Atomic(uint64_t) next;
    _Atomic(uint64_t) acknowledged;
    atomic_bool       has_failed;
    int64_t           elapsed_us;
} Bench;

// ---- options

static const struct option OPTIONS[] = {
    { "charges", required_argument, NULL, 'n' },  { "connections", required_argument, NULL, 'c' },
    { "accounts", required_argument, NULL, 'a' }, { "wallet", no_argument, NULL, 'w' },
    { "workers", required_argument, NULL, 'W' },  { "data", required_argument, NULL, 'D' },
    { "json", no_argument, NULL, 'j' },           { NULL, 0, NULL, 0 },
};

static Options options_read(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    Options     options = { .charges = 100000,
                            .connections = 64,
                            .accounts = 1000,
                            .parent = folder != NULL ? folder : "/var/tmp" };
    optind = 1;
    for (int letter; (letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (letter) {
        case 'n': options.charges = bench_number(&options.wrong, 1, 100000000); break;
        case 'c': options.connections = bench_number(&options.wrong, 1, 1000); break;
        case 'a': options.accounts = bench_number(&options.wrong, 1, 1000000); break;
        case 'w': options.wallet = true; break;
        case 'W': options.workers = bench_number(&options.wrong, 1, 256); break;
        case 'D': options.parent = optarg; break;
        case 'j': options.json = true; break;
        default: options.wrong = true; break;
        }
    options.wrong = options.wrong || optind < argc;
    return options;
}

// ---- a connection

typedef struct Caller {
    const Bench *bench;
    int          socket;
    char         answer[ANSWER_BYTES];
    size_t       length;
    int          status;
} Caller;

static bool caller_open(Caller *caller, const Bench *bench)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)bench->target.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                yes = 1;
    caller->bench = bench;
    caller->socket = socket(AF_INET, SOCK_STREAM, 0);
    return caller->socket >= 0 &&
           setsockopt(caller->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
           connect(caller->socket, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool all_sent(int socket, Str bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(socket, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = (Str){ bytes.at + sent, bytes.length - (size_t)sent };
    }
    return true;
}

// The length of the answer, head and body; 0 while the head is not there.
static size_t answer_length(const Caller *caller)
{
    const char *end = memmem(caller->answer, caller->length, "\r\n\r\n", 4);
    uint64_t    body = 0;
    if (end == NULL)
        return 0;
    const char *field = memmem(caller->answer, (size_t)(end - caller->answer),
                               "Content-Length: ", 16);
    if (field != NULL) {
        Str rest = { field + 16, (size_t)(end + 2 - field - 16) };
        if (!str_whole(str_cut(&rest, '\r'), ANSWER_BYTES, &body))
            return 0;
    }
    return (size_t)(end - caller->answer) + 4 + (size_t)body;
}

// Sends one request and waits for its answer.
static bool call(Caller *caller, Str request)
{
    size_t whole = 0;
    caller->length = 0;
    if (!all_sent(caller->socket, request))
        return false;
    while (whole == 0 || caller->length < whole) {
        ssize_t got = recv(caller->socket, caller->answer + caller->length,
                           sizeof caller->answer - caller->length, 0);
        if (got <= 0)
            return false;
        caller->length += (size_t)got;
        whole = answer_length(caller);
    }
    caller->status = 100 * (caller->answer[9] - '0') + 10 * (caller->answer[10] - '0') +
                     (caller->answer[11] - '0');
    return true;
}

typedef struct Wanted {
    const char *method, *path;
    Str         key;  // Idempotency-Key; STR_NONE: none
    Str         body;
} Wanted;

static Str request_of(Arena *arena, const Bench *bench, const Wanted *wanted)
{
    Str key = wanted->key.at == NULL
                  ? STR("")
                  : str_print(arena, "Idempotency-Key: %.*s\r\n", STR_ARG(wanted->key));
    return str_print(arena,
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %.*s\r\n%.*s"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
                     wanted->method, wanted->path, STR_ARG(bench->target.key), STR_ARG(key),
                     wanted->body.length, STR_ARG(wanted->body));
}

// ---- accounts, and their credit

static uint64_t charges_of(const Options *options, uint64_t account)
{
    return options->charges / options->accounts +
           (account < options->charges % options->accounts ? 1 : 0);
}

static Err *account_make(Arena *arena, const Bench *bench, Caller *caller, uint64_t account)
{
    Str    path = str_print(arena, "/v1/accounts/a%llu", (unsigned long long)account);
    Wanted put = { "PUT", path.at, STR_NONE, STR("{}") };
    Wanted grant = { "POST", "/v1/grants", path,
                     str_print(arena,
                               "{\"account\":\"a%llu\",\"kind\":\"paid\",\"currency\":\"USD\","
                               "\"amount\":\"%llu\"}", (unsigned long long)account,
                               (unsigned long long)charges_of(bench->options, account) + 1) };
    if (!call(caller, request_of(arena, bench, &put)) || caller->status != 200 ||
        (bench->options->wallet &&
         (!call(caller, request_of(arena, bench, &grant)) || caller->status != 201)))
        return refuse(arena, ERR_INTERNAL, STR_NONE, "account %llu could not be made: %.*s",
                      (unsigned long long)account, (int)caller->length, caller->answer);
    return NULL;
}

typedef struct Maker {
    Bench            *bench;
    _Atomic(uint64_t) *next;
    Thread            thread;
} Maker;

static void *maker_run(void *context)
{
    Maker  *maker = context;
    Caller *caller = memory_take(sizeof *caller);
    AUTO(Arena) arena = arena_open();
    bool     is_well = caller_open(caller, maker->bench);
    uint64_t account;
    while (is_well && (account = (*maker->next)++) < maker->bench->options->accounts) {
        arena_reset(arena);
        Err *err = account_make(arena, maker->bench, caller, account);
        if (err != NULL)
            fprintf(stderr, "toll bench: %.*s\n", STR_ARG(err->detail));
        is_well = err == NULL;
    }
    if (!is_well)
        atomic_store(&maker->bench->has_failed, true);
    close(caller->socket);
    memory_release(caller);
    return NULL;
}

// ---- the load

static Str charge_of(Arena *arena, const Bench *bench, uint64_t place)
{
    Wanted wanted = {
        "POST", "/v1/charges", STR_NONE,
        str_print(arena,
                  "{\"account\":\"a%llu\",\"amount\":\"0.0%d\",\"currency\":\"USD\","
                  "\"chargeKey\":\"c%llu\",\"collect\":\"%s\"}",
                  (unsigned long long)(place % bench->options->accounts), CENTS,
                  (unsigned long long)place, bench->options->wallet ? "wallet" : "invoice"),
    };
    return request_of(arena, bench, &wanted);
}

static void *charger_run(void *context)
{
    Maker  *charger = context;
    Caller *caller = memory_take(sizeof *caller);
    Bench  *bench = charger->bench;
    AUTO(Arena) arena = arena_open();
    bool     is_well = caller_open(caller, bench);
    uint64_t place;
    while (is_well && (place = (*charger->next)++) < bench->options->charges) {
        arena_reset(arena);
        is_well = call(caller, charge_of(arena, bench, place)) && caller->status == 201;
        if (is_well)
            bench->acknowledged++;
        else
            fprintf(stderr, "toll bench: charge %llu: %.*s\n", (unsigned long long)place,
                    (int)caller->length, caller->answer);
    }
    if (!is_well)
        atomic_store(&bench->has_failed, true);
    close(caller->socket);
    memory_release(caller);
    return NULL;
}

static Err *all_run(Arena *arena, Bench *bench, void *(*run)(void *))
{
    size_t count = (size_t)bench->options->connections;
    Maker *makers = memory_take(count * sizeof *makers);
    bench->next = 0;
    int64_t began = clock_tick_us();
    for (size_t i = 0; i < count; i++) {
        makers[i] = (Maker){ .bench = bench, .next = &bench->next };
        thread_start(&makers[i].thread, "caller", run, &makers[i]);
    }
    for (size_t i = 0; i < count; i++)
        thread_join(&makers[i].thread);
    bench->elapsed_us = clock_tick_us() - began;
    memory_release(makers);
    return atomic_load(&bench->has_failed)
               ? refuse(arena, ERR_INTERNAL, STR_NONE, "a request failed")
               : NULL;
}

// ---- the proof, behind a crash

static Err *account_check(Bench *bench, Arena *arena, uint64_t account)
{
    uint64_t    found = 0, expected = charges_of(bench->options, account);
    Str         cursor = STR_NONE;
    const Json *page, *next;
    do {
        Str path = str_print(arena, "/v1/accounts/a%llu/charges?limit=%d%s%.*s",
                             (unsigned long long)account, PAGE,
                             cursor.at == NULL ? "" : "&cursor=", STR_ARG(cursor));
        TRY(target_get_json(&bench->target, arena, path, &page));
        found += json_find(page, STR("data"))->count;
        next = json_find(page, STR("nextCursor"));
        cursor = next->kind == JSON_NULL ? STR_NONE : next->text;
    } while (cursor.at != NULL);
    if (found != expected)
        return refuse(arena, ERR_INTERNAL, STR_NONE,
                      "account a%llu has %llu charges, %llu were acknowledged",
                      (unsigned long long)account, (unsigned long long)found,
                      (unsigned long long)expected);
    return NULL;
}

static Err *wallet_check(Bench *bench, Arena *arena, uint64_t account)
{
    const Json *wallet;
    uint64_t    cents = 100 * (charges_of(bench->options, account) + 1) -
                     CENTS * charges_of(bench->options, account);
    Str wanted = str_print(arena, "%llu.%02d", (unsigned long long)cents / 100, (int)(cents % 100));
    TRY(target_get_json(&bench->target, arena,
                        str_print(arena, "/v1/accounts/a%llu/wallet", (unsigned long long)account),
                        &wallet));
    const Json *balances = json_find(wallet, STR("balances"));
    if (balances->count == 1 &&
        str_equal(json_find(balances->first, STR("available"))->text, wanted))
        return NULL;
    return refuse(arena, ERR_INTERNAL, STR_NONE, "the wallet of a%llu should hold %.*s",
                  (unsigned long long)account, STR_ARG(wanted));
}

static Err *prove(Bench *bench, Arena *arena)
{
    target_kill(&bench->target);
    TRY(target_start(&bench->target, START_S));
    for (uint64_t account = 0; account < bench->options->accounts; account++) {
        AUTO(Arena) mine = arena_open();
        Err *err = account_check(bench, mine, account);
        if (err == NULL && bench->options->wallet)
            err = wallet_check(bench, mine, account);
        if (err != NULL)
            return refuse(arena, ERR_INTERNAL, STR_NONE, "%.*s", STR_ARG(err->detail));
    }
    return target_stop(&bench->target);
}

// ---- the whole

static void figures_tell(const Bench *bench, const Options *options)
{
    Figures figures = { 0 };
    int64_t count = (int64_t)bench->acknowledged;
    figures_add(&figures, (Figure){ "charge", "charges", "charges acknowledged", "", count, 0 });
    figures_add(&figures, (Figure){ "charge", "chargesPerSecond", "a second", "/s",
                                    figure_ratio(count * 1000000, bench->elapsed_us, 0), 0 });
    figures_add(&figures, (Figure){ "charge", "elapsedMs", "elapsed", "ms",
                                    bench->elapsed_us / 1000, 0 });
    if (options->json) {
        Text text = text_open_own();
        figures_print_json(&figures, &text);
        printf("%.*s\n", STR_ARG(text_str(&text)));
        text_close(&text);
    } else {
        figures_print_table(&figures, stdout);
    }
    figures_close(&figures);
}

static Err *run(Arena *arena, Bench *bench, Str folder)
{
    TRY(target_open(arena, folder, &bench->target));
    TRY(target_start(&bench->target, START_S));
    TRY(all_run(arena, bench, maker_run));
    TRY(all_run(arena, bench, charger_run));
    return prove(bench, arena);
}

static Err *run_in_folder(Arena *arena, Bench *bench)
{
    uint64_t workers = bench->options->workers;
    Str      folder;
    if (workers > 0)  // else as many as a server has that was told nothing
        setenv("TOLL_HTTP_WORKERS",
               str_terminated(arena, str_print(arena, "%llu", (unsigned long long)workers)), 1);
    TRY(bench_folder_make(arena, str_of(bench->options->parent), "toll-bench-charge", &folder));
    Err *err = run(arena, bench, str_print(arena, "%.*s/data", STR_ARG(folder)));
    target_close(&bench->target);
    bench_folder_remove(folder);
    return err;
}

int bench_charge(int argc, char **argv)
{
    if (cli_helped(argc, argv, BENCH_CHARGE_USAGE))
        return 0;
    Options options = options_read(argc, argv);
    if (options.wrong) {
        fputs(BENCH_CHARGE_USAGE, stderr);
        return 2;
    }
    AUTO(Arena) arena = arena_open();
    Bench *bench = arena_new(arena, Bench);
    bench->options = &options;
    Err *err = run_in_folder(arena, bench);
    if (err == NULL)
        figures_tell(bench, &options);
    else
        fprintf(stderr, "toll bench: the run is void: %.*s\n", STR_ARG(err->detail));
    return err == NULL ? 0 : 1;
}
