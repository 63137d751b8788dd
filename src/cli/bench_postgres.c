// SPDX-License-Identifier: Apache-2.0
// PostgreSQL through its own programs (initdb, postgres, psql), so that Toll links nothing for a
// baseline. Every child dies with its parent.
#include "cli/bench_postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "cli/bench_folder.h"

enum { START_MS = 30000, POLL_MS = 20, ANSWER_BYTES = 256 };

static const char PROGRAMS[] = "/usr/lib/postgresql/*/bin/initdb";

static const char TABLE[] =
    "create table event (project integer not null, id text not null, meter text not null,"
    " account text not null, value bigint not null, ts bigint not null, primary key (project, id))";

typedef struct Cluster {
    Arena            *arena;
    PostgresBaseline *baseline;
    Str               programs;  // folder of initdb and postgres
    Str               folder;
    char             *log;
    uid_t             user;  // to run as; 0: as the caller
    gid_t             group;
    pid_t             server;
} Cluster;

bool postgres_baseline_is_possible(void)
{
    glob_t found;
    bool   possible = glob(PROGRAMS, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (possible)
        globfree(&found);
    return possible;
}

static Str programs_find(Arena *arena)
{
    glob_t found;
    Str    newest = STR_NONE;
    if (glob(PROGRAMS, 0, NULL, &found) != 0)
        return STR_NONE;
    newest = str_copy(arena, str_of(found.gl_pathv[found.gl_pathc - 1]));
    newest.length -= strlen("/initdb");
    globfree(&found);
    return newest;
}

// Only in a child: gives up root, if it has it, and becomes the program.
_Noreturn static void become(const Cluster *cluster, char *const arguments[], int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open(cluster->log, O_WRONLY | O_APPEND | O_CREAT, 0600);
    dup2(out >= 0 ? out : log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (cluster->user != 0 &&
        (setgroups(0, NULL) != 0 || setgid(cluster->group) != 0 || setuid(cluster->user) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(arguments[0], arguments);
    _exit(127);
}

static pid_t program_start(const Cluster *cluster, char *const arguments[], int out)
{
    pid_t pid = fork();
    if (pid == 0)
        become(cluster, arguments, out);
    return pid;
}

static bool program_run(const Cluster *cluster, char *const arguments[])
{
    int   status = 1;
    pid_t pid = program_start(cluster, arguments, -1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static char *path_in(const Cluster *cluster, Str folder, const char *name)
{
    return str_terminated(cluster->arena,
                          str_print(cluster->arena, "%.*s/%s", STR_ARG(folder), name));
}

static char *text(const Cluster *cluster, const char *from)
{
    return str_terminated(cluster->arena, str_of(from));
}

// psql against the cluster with one option and its argument (-c "select ...", -f file).
static pid_t psql_start(const Cluster *cluster, const char *option, const char *argument, int out)
{
    char *const arguments[] = {
        text(cluster, "/usr/bin/psql"),
        text(cluster, "-XqtA"),
        text(cluster, "-vON_ERROR_STOP=1"),
        text(cluster, "-h"),
        str_terminated(cluster->arena, cluster->folder),
        text(cluster, "-U"),
        text(cluster, "bench"),
        text(cluster, "-d"),
        text(cluster, "postgres"),
        text(cluster, option),
        text(cluster, argument),
        NULL,
    };
    return program_start(cluster, arguments, out);
}

static bool ended_well(pid_t pid)
{
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool query_number(const Cluster *cluster, const char *sql, uint64_t *number)
{
    char answer[ANSWER_BYTES];
    int  pipes[2];
    assert_that(pipe2(pipes, O_CLOEXEC) == 0);
    pid_t pid = psql_start(cluster, "-c", sql, pipes[1]);
    close(pipes[1]);
    ssize_t got = read(pipes[0], answer, sizeof answer);
    close(pipes[0]);
    if (!ended_well(pid) || got <= 0)
        return false;
    Str rest = { answer, (size_t)got };
    return str_whole(str_cut(&rest, '\n'), UINT64_MAX, number);
}

static bool folder_make(Cluster *cluster)
{
    Str parent = cluster->baseline->parent;
    if (bench_folder_make(cluster->arena, parent, "toll-bench-postgres", &cluster->folder) != NULL)
        return false;
    cluster->log = path_in(cluster, cluster->folder, "log");
    if (geteuid() != 0)
        return true;
    const struct passwd *user = getpwnam("postgres");
    if (user == NULL)
        return false;
    cluster->user = user->pw_uid;
    cluster->group = user->pw_gid;
    return chown(str_terminated(cluster->arena, cluster->folder), user->pw_uid,
                 user->pw_gid) == 0;
}

static bool cluster_start(Cluster *cluster)
{
    char *data = path_in(cluster, cluster->folder, "data");
    char *initdb = path_in(cluster, cluster->programs, "initdb");
    char *postgres = path_in(cluster, cluster->programs, "postgres");
    char *sockets = str_terminated(cluster->arena, cluster->folder);
    if (!program_run(cluster, (char *[]){ initdb, text(cluster, "-D"), data, text(cluster, "-A"),
                                          text(cluster, "trust"), text(cluster, "-U"),
                                          text(cluster, "bench"), NULL }))
        return false;
    char *const arguments[] = {
        postgres,
        text(cluster, "-D"),
        data,
        text(cluster, "-k"),
        sockets,
        text(cluster, "-h"),
        text(cluster, ""),
        text(cluster, "-cshared_buffers=1GB"),
        text(cluster, "-cmax_wal_size=4GB"),
        NULL,
    };
    cluster->server = program_start(cluster, arguments, -1);
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += POLL_MS) {
        uint64_t one = 0;
        if (query_number(cluster, "select 1", &one) && one == 1)
            return ended_well(psql_start(cluster, "-c", TABLE, -1));
        poll(NULL, 0, POLL_MS);
    }
    return false;
}

// SIGINT: PostgreSQL's fast shutdown.
static void cluster_stop(Cluster *cluster)
{
    if (cluster->server <= 0)
        return;
    kill(cluster->server, SIGINT);
    waitpid(cluster->server, NULL, 0);
    cluster->server = 0;
}

// One array literal a column: PostgreSQL parses that several times faster than rows of values.
static void insert_print(Cluster *cluster, uint64_t slot, uint64_t end, FILE *to)
{
    static const char *const types[] = { "text", "text", "text", "bigint", "bigint" };
    const Workload          *workload = cluster->baseline->workload;
    AUTO(Arena) arena = arena_open();
    Text columns[5];
    for (size_t i = 0; i < 5; i++)
        columns[i] = text_open(arena);
    for (; slot < end; slot++) {
        WorkloadEvent event = workload_event(workload, workload_origin(workload, slot));
        text_add(&columns[0], workload_unique_id(arena, workload, &event));
        text_add(&columns[1], workload_meter(event.meter));
        text_add(&columns[2], workload_account(arena, event.account));
        text_print(&columns[3], "%u", event.value);
        text_print(&columns[4], "%lld", (long long)event.ts_ms);
        for (size_t i = 0; i < 5 && slot + 1 < end; i++)
            text_add_char(&columns[i], ',');
    }
    fputs("insert into event select 1, * from unnest(", to);
    for (size_t i = 0; i < 5; i++)
        fprintf(to, "%s'{%.*s}'::%s[]", i == 0 ? "" : ",", STR_ARG(text_str(&columns[i])),
                types[i]);
    fputs(") on conflict do nothing;\n", to);
}

// Each client gets a run of neighbouring slots, so that near repetitions meet in one client and two
// transactions seldom wait for each other.
static char *script_write(Cluster *cluster, uint32_t client)
{
    const PostgresBaseline *baseline = cluster->baseline;
    uint64_t                slot = baseline->events * client / baseline->clients;
    uint64_t                end = baseline->events * (client + 1) / baseline->clients;
    Str                     name = str_print(cluster->arena, "%u.sql", client);
    char *path = path_in(cluster, cluster->folder, str_terminated(cluster->arena, name));
    FILE *to = fopen(path, "w");
    if (to == NULL)
        return NULL;
    while (slot < end) {
        uint64_t next = slot + baseline->batch < end ? slot + baseline->batch : end;
        insert_print(cluster, slot, next, to);
        slot = next;
    }
    bool well = fclose(to) == 0 && (cluster->user == 0 || chown(path, cluster->user, 0) == 0);
    return well ? path : NULL;
}

static bool clients_run(Cluster *cluster)
{
    PostgresBaseline *baseline = cluster->baseline;
    char             *scripts[POSTGRES_CLIENTS_MAX];
    pid_t             clients[POSTGRES_CLIENTS_MAX];
    bool              well = true;
    for (uint32_t i = 0; i < baseline->clients; i++) {
        scripts[i] = script_write(cluster, i);
        if (scripts[i] == NULL)
            return false;
    }
    int64_t start_us = clock_tick_us();
    for (uint32_t i = 0; i < baseline->clients; i++)
        clients[i] = psql_start(cluster, "-f", scripts[i], -1);
    for (uint32_t i = 0; i < baseline->clients; i++)
        well = ended_well(clients[i]) && well;
    baseline->elapsed_us = clock_tick_us() - start_us;
    return well;
}

static Err *measure(Cluster *cluster)
{
    PostgresBaseline *baseline = cluster->baseline;
    WorkloadTotals    totals;
    uint64_t          rows = 0, bytes = 0;
    if (!folder_make(cluster) || !cluster_start(cluster))
        return refuse(cluster->arena, ERR_INTERNAL, STR_NONE, "PostgreSQL does not start");
    if (!clients_run(cluster) || !query_number(cluster, "select count(*) from event", &rows) ||
        !query_number(cluster, "select pg_total_relation_size('event')", &bytes))
        return refuse(cluster->arena, ERR_INTERNAL, STR_NONE, "PostgreSQL refused a statement");
    workload_count(baseline->workload, baseline->events, &totals);
    workload_count_close(&totals);
    baseline->disk_bytes = (int64_t)bytes;
    if (rows != totals.distinct)
        return refuse(cluster->arena, ERR_INTERNAL, STR_NONE,
                      "PostgreSQL holds %llu events, not %llu", (unsigned long long)rows,
                      (unsigned long long)totals.distinct);
    return NULL;
}

Err *postgres_baseline_run(Arena *arena, PostgresBaseline *baseline)
{
    assert_that(baseline->clients >= 1 && baseline->clients <= POSTGRES_CLIENTS_MAX);
    Cluster cluster = { .arena = arena, .baseline = baseline, .programs = programs_find(arena) };
    Err    *failure = measure(&cluster);
    cluster_stop(&cluster);
    if (cluster.folder.length > 0)
        bench_folder_remove(cluster.folder);
    return failure;
}
