// SPDX-License-Identifier: Apache-2.0
// Opening in order, and closing in the opposite one: data directory, books, catalog, usage,
// listener. The listener opens last, so whoever gets an answer gets it from a server that has
// recovered; it closes first, while the partition still finishes the requests that wait for it.
#include "cli/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "api/routes.h"
#include "api/server.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/config.h"
#include "cli/share.h"
#include "flow/run/run_walk.h"
#include "flow/simulate/simulate_run.h"
#include "ops/books.h"
#include "ops/scheduler.h"
#include "ops/sealer.h"

static const char usage[] =
    "toll serve --data DIR [--listen HOST:PORT] [--config FILE]\n"
    "toll serve --config FILE [--listen HOST:PORT]    usage = remote: without usage of its own\n";

static const int64_t DRAIN_US = 30 * INSTANT_SECOND_US;

typedef struct CommandLine {
    const char *file, *folder, *listen;
} CommandLine;

// Everything that a running server has open. NULL: not opened yet.
typedef struct Running {
    Arena    *arena;
    Config   *config;
    Share     share;
    Server    server;
    Router   *router;
    Listener *listener;

    Sealer               *sealer;
    Scheduler            *scheduler;
    SimulateParts         simulate;
    RunParts              run;
    OperationKind         kinds[3];
} Running;

static bool command_line_read(int argc, char **argv, CommandLine *line)
{
    *line = (CommandLine){ 0 };
    for (int i = 1; i < argc; i += 2) {
        const char **into = strcmp(argv[i], "--data") == 0     ? &line->folder
                            : strcmp(argv[i], "--listen") == 0 ? &line->listen
                            : strcmp(argv[i], "--config") == 0 ? &line->file
                                                               : NULL;
        if (into == NULL || i + 1 == argc) {
            fprintf(stderr, "toll serve: %s %s\n", argv[i],
                    into == NULL ? "is no option of it" : "needs a value");
            return false;
        }
        *into = argv[i + 1];
    }
    return true;
}

static Err *settings_read(Arena *arena, const CommandLine *line, Config **config)
{
    TRY(cli_config_load(arena, line->file, config));
    if (line->folder != NULL)
        TRY(config_set(*config, CONFIG_DATA, str_of(line->folder), SOURCE_FLAG));
    if (line->listen != NULL)
        TRY(config_set(*config, CONFIG_LISTEN, str_of(line->listen), SOURCE_FLAG));
    log_threshold((LogLevel)config_choice(*config, CONFIG_LOG_LEVEL));
    return NULL;
}

// ---- opening

static Err *running_books_open(Running *running)
{
    Server *server = &running->server;
    TRY(books_open(running->arena, running->share.books,
                   config_whole(running->config, CONFIG_BOOKS_READERS), &server->books));
    return catalog_open(running->arena, server->books, &running->share.pepper, &server->catalog);
}

// The catalog says which meters there are, the journal since when they count: putting one that is
// there already changes nothing, and one that a crash kept from the journal gets there now.
static Err *meters_put(Running *running)
{
    ProjectMeter *meters;
    size_t        count;
    Server       *server = &running->server;
    TRY(catalog_meters_all(server->catalog, running->arena, &meters, &count));
    for (size_t i = 0; i < count; i++)
        TRY(partition_meter_put(server->partition, running->arena, meters[i].project.id,
                                &meters[i].meter));
    return NULL;
}

static bool account_name(void *partition, uint64_t index, Str *project, Str *account)
{
    return partition_account(partition, index, project, account);
}

static Err *usage_open(Running *running)
{
    Server          *server = &running->server;
    const Config    *config = running->config;
    const DataDir   *dir = running->share.dir;
    PartitionOptions options = {
        .folder = dir->usage,
        .key = dir->identity,
        .seal_bits = dir->seal_bits,
        .queue_bytes = config_whole(config, CONFIG_USAGE_QUEUE_BYTES),
        .cache_bytes = config_whole(config, CONFIG_USAGE_CACHE_BYTES),
        .segment_bytes = config_whole(config, CONFIG_USAGE_SEGMENT_BYTES),
    };
    TRY(partition_open(running->arena, &options, &server->partition));
    TRY(meters_put(running));
    AccountSource names = { account_name, server->partition };
    return catalog_accounts_from(server->catalog, running->arena, names);
}

// What needs usage is done where the usage is.
static Err *operations_open(Running *running)
{
    Server *server = &running->server;
    running->simulate = (SimulateParts){ server->catalog, server->partition };
    running->run = (RunParts){ server->catalog, server->partition };
    running->kinds[0] = run_book_kind(&running->run);  // the only one without usage
    running->kinds[1] = run_kind(&running->run);
    running->kinds[2] = simulate_kind(&running->simulate);
    WorkerOptions options = { .db = server->books, .kinds = running->kinds,
                              .kind_count = running->share.is_remote ? 1 : 3,
                              .holder = running->share.holder };
    running->sealer = sealer_open(server->books, server->catalog, running->share.holder);
    TRY(worker_open(running->arena, &options, &server->worker));
    running->scheduler = scheduler_open(server->books, server->catalog, server->worker);
    return NULL;
}

static ServerLimits limits_of(const Config *config)
{
    PropertyLimits properties = {
        .count = (uint32_t)config_whole(config, CONFIG_LIMITS_PROPERTIES),
        .key_bytes = (uint32_t)config_whole(config, CONFIG_LIMITS_PROPERTY_KEY_BYTES),
        .text_bytes = (uint32_t)config_whole(config, CONFIG_LIMITS_PROPERTY_VALUE_BYTES),
    };
    int64_t future_s = (int64_t)config_whole(config, CONFIG_LIMITS_FUTURE_SECONDS);
    return (ServerLimits){ .future_us = future_s * INSTANT_SECOND_US,
                           .events = config_whole(config, CONFIG_LIMITS_EVENTS),
                           .void_events = config_whole(config, CONFIG_LIMITS_VOID_EVENTS),
                           .depth = (uint32_t)config_whole(config, CONFIG_LIMITS_JSON_DEPTH),
                           .properties = properties };
}

static Err *listen_open(Running *running)
{
    const Config   *config = running->config;
    uint32_t        request_ms = (uint32_t)config_whole(config, CONFIG_HTTP_REQUEST_SECONDS) * 1000;
    ListenerOptions options = {
        .listen = config_text(config, CONFIG_LISTEN),
        .threads = (uint32_t)config_whole(config, CONFIG_HTTP_THREADS),
        .workers = (uint32_t)config_whole(config, CONFIG_HTTP_WORKERS),
        .connections = (uint32_t)config_whole(config, CONFIG_HTTP_CONNECTIONS),
        .body_bytes = config_whole(config, CONFIG_LIMITS_BODY_BYTES),
        .bodies_bytes = config_whole(config, CONFIG_LIMITS_BODIES_BYTES),
        .body_ms = request_ms,
        .headers_ms = request_ms < 10000 ? request_ms : 10000,
        .idle_ms = (uint32_t)config_whole(config, CONFIG_HTTP_IDLE_SECONDS) * 1000,
        .router = running->router,
        .authorize = server_authorize,
        .context = &running->server,
    };
    share_listen(&running->share, &options);
    return listener_open(running->arena, &options, &running->listener);
}

// A connection takes a descriptor; the store and the journal need some too.
static void descriptors_allow(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_line(LOG_WARN, "serve: the limit of open files cannot be raised");
}

static Err *running_open(Running *running, const CommandLine *line)
{
    int64_t begun_us = clock_tick_us();
    TRY(settings_read(running->arena, line, &running->config));
    descriptors_allow();
    TRY(share_find(running->arena, running->config, &running->share));
    // Recovery can take a minute: a wrong address is told before it.
    TRY(listener_address_check(running->arena, config_text(running->config, CONFIG_LISTEN)));
    Text openapi = text_open(running->arena);
    api_openapi_print(&openapi);
    running->server.openapi = text_str(&openapi);
    running->server.identity = running->share.identity;
    running->server.limits = limits_of(running->config);
    running->router = api_router_open();
    TRY(running_books_open(running));
    TRY(share_begin(running->arena, &running->share, &running->server));
    if (!running->share.is_remote)
        TRY(usage_open(running));
    TRY(operations_open(running));
    running->server.is_ready = true;
    TRY(listen_open(running));
    TRY(share_announce(running->arena, &running->share, running->config, &running->server,
                       listener_port(running->listener)));
    log_line(LOG_INFO, "serve: listening on %.*s port=%u ready_ms=%lld",
             STR_ARG(config_text(running->config, CONFIG_LISTEN)), listener_port(running->listener),
             (long long)(clock_tick_us() - begun_us) / 1000);
    return NULL;
}

// ---- running and closing

// Accounts that usage made reach the books at the latest now; a refusal here is tried again in a
// second.
static void accounts_project(Running *running)
{
    uint64_t names;
    AUTO(Arena) arena = arena_open();
    Err *refusal = catalog_accounts_catch_up(running->server.catalog, arena, &names);
    if (refusal != NULL)
        log_line(LOG_ERROR, "serve: accounts of usage are not in the books: %.*s",
                 STR_ARG(refusal->detail));
}

static void wait_for_end(Running *running, const sigset_t *ends)
{
    struct timespec second = { .tv_sec = 1 };
    int             ended;
    while ((ended = sigtimedwait(ends, NULL, &second)) < 0)
        accounts_project(running);
    log_line(LOG_INFO, "serve: stopping signal=%d", ended);
}

static void running_close(Running *running)
{
    Server *server = &running->server;
    server->is_ready = false;
    if (running->listener != NULL) {
        listener_close(running->listener, DRAIN_US);
        accounts_project(running);  // so the books know whom usage named, if usage is lost
    }
    share_stop(&running->share);
    scheduler_close(running->scheduler);
    sealer_close(running->sealer);
    worker_close(server->worker);
    if (server->partition != NULL)
        partition_close(server->partition);
    share_end(&running->share);
    catalog_close(server->catalog);
    db_close(server->books);
    router_close(running->router);
    datadir_close(running->share.dir);
}

int cli_serve(int argc, char **argv)
{
    CommandLine line;
    if (cli_helped(argc, argv, usage))
        return 0;
    if (!command_line_read(argc, argv, &line)) {
        fputs(usage, stderr);
        return 2;
    }
    // Blocked before the first thread starts, so that only wait_for_end gets them.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);

    AUTO(Arena) arena = arena_open();
    Running running = { .arena = arena };
    Err    *err = running_open(&running, &line);
    if (err == NULL)
        wait_for_end(&running, &ends);
    else
        cli_tell(err);
    running_close(&running);
    if (err == NULL)
        log_line(LOG_INFO, "serve: stopped");
    return err == NULL ? 0 : 1;
}
