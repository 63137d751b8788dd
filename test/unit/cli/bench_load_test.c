// SPDX-License-Identifier: Apache-2.0
// The generator against a small server in this process that reads every byte it gets: what was
// counted is what was answered, a 503 is repeated with the same events, and a broken server voids
// the run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/map.h"
#include "base/thread.h"
#include "cli/bench_load.h"

enum { PEERS_MAX = 16, BODY_MAX = 1 << 20 };

typedef enum Behaviour {
    HONEST,
    SPLITS_ANSWERS,
    BUSY_ONCE,
    ANSWERS_500,
    CLOSES,
    COUNTS_WRONG,
    LONG_ANSWERS
} Behaviour;

// One thread a connection; all share the table of ids.
typedef struct Server {
    int       listener;
    int       port;
    Behaviour behaviour;
    Lock      lock;
    Map      *ids;
    uint64_t  requests, accepted, duplicates;
    Thread    acceptor;
    Thread    peers[PEERS_MAX];
    int       fds[PEERS_MAX];
    size_t    peer_count;
} Server;

static bool read_until_body(int fd, char *text, size_t *length, size_t *body, size_t *whole)
{
    *length = 0;
    for (;;) {
        ssize_t got = recv(fd, text + *length, BODY_MAX - *length, 0);
        if (got <= 0)
            return false;
        *length += (size_t)got;
        const char *end = memmem(text, *length, "\r\n\r\n", 4);
        if (end == NULL)
            continue;
        const char *said = memmem(text, *length, "Content-Length: ", 16);
        assert_that(said != NULL && said < end);
        Str      rest = { said + 16, (size_t)(end - said) - 16 };
        uint64_t bytes = 0;
        assert_that(str_whole(str_cut(&rest, '\r'), BODY_MAX / 2, &bytes));
        *body = (size_t)(end - text) + 4;
        *whole = *body + bytes;
        return true;
    }
}

static void count_events(Server *server, Str body, uint64_t counts[2])
{
    AUTO(Arena) arena = arena_open();
    Json *root = NULL;
    assert_that(json_parse_copy(arena, body, &root) == NULL);
    const Json *event = root->kind == JSON_ARRAY ? root->first : root;
    for (; event != NULL; event = event->next) {
        uint64_t known;
        Str      id = json_find(event, STR("uniqueId"))->text;
        bool     repeated = map_find(server->ids, id, &known);
        map_set(server->ids, id, 1);
        counts[repeated]++;
    }
    server->accepted += counts[0];
    server->duplicates += counts[1];
}

static Str answer(Server *server, Arena *arena, Str body)
{
    uint64_t counts[2] = { 0, 0 };
    uint64_t request = server->requests++;
    if (server->behaviour == BUSY_ONCE && request == 2)
        return STR("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}");
    if (server->behaviour == ANSWERS_500 && request == 2)
        return STR("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}");
    count_events(server, body, counts);
    if (server->behaviour == COUNTS_WRONG && request == 2)
        counts[0]--;
    bool single = body.at[0] == '{';
    int  padding = server->behaviour == LONG_ANSWERS ? 300000 : 0;
    Str  text = single ? str_print(arena, "{\"outcome\":\"%s\",\"uniqueId\":\"x\"}",
                                  counts[0] ? "accepted" : "duplicate")
                       : str_print(arena,
                                   "{\"accepted\":%d,\"duplicates\":%d,\"conflicts\":0,"
                                    "\"rejected\":0,\"results\":[\"%*s\"]}",
                                   (int)counts[0], (int)counts[1], padding, "");
    return str_print(arena, "HTTP/1.1 202 Accepted\r\nX: y\r\ncontent-length: %zu\r\n\r\n%.*s",
                     text.length, STR_ARG(text));
}

static void send_answer(const Server *server, int fd, Str text)
{
    size_t step = server->behaviour == SPLITS_ANSWERS ? 7 : text.length;
    for (size_t from = 0; from < text.length; from += step) {
        size_t left = text.length - from;
        for (size_t part = left < step ? left : step, sent = 0; sent < part;) {
            ssize_t took = send(fd, text.at + from + sent, part - sent, MSG_NOSIGNAL);
            if (took < 0)
                return;
            sent += (size_t)took;
        }
    }
}

typedef struct PeerTask {
    Server *server;
    int     fd;
} PeerTask;

static void *peer_serve(void *argument)
{
    PeerTask *task = argument;
    Server   *server = task->server;
    char     *text = memory_take(BODY_MAX);
    size_t    length, body, whole;
    while (read_until_body(task->fd, text, &length, &body, &whole)) {
        while (length < whole) {
            ssize_t got = recv(task->fd, text + length, whole - length, 0);
            if (got <= 0)
                break;
            length += (size_t)got;
        }
        if (length != whole)
            break;
        AUTO(Arena) arena = arena_open();
        lock_take(&server->lock);
        bool closes = server->behaviour == CLOSES && server->requests == 2;
        Str  said = answer(server, arena, (Str){ text + body, whole - body });
        lock_release(&server->lock);
        if (closes)
            break;
        send_answer(server, task->fd, said);
    }
    shutdown(task->fd, SHUT_RDWR);
    memory_release(text);
    memory_release(task);
    return NULL;
}

static void *peers_accept(void *argument)
{
    Server *server = argument;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        PeerTask *task = memory_take(sizeof *task);
        *task = (PeerTask){ server, fd };
        server->fds[server->peer_count] = fd;
        thread_start(&server->peers[server->peer_count++], "peer", peer_serve, task);
    }
}

static void server_open(Server *server, Behaviour behaviour)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          length = sizeof address;
    *server = (Server){ .behaviour = behaviour, .ids = map_open() };
    lock_open(&server->lock);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(server->listener, PEERS_MAX), 0);
    server->port = ntohs(address.sin_port);
    thread_start(&server->acceptor, "acceptor", peers_accept, server);
}

static void server_close(Server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    thread_join(&server->acceptor);
    for (size_t i = 0; i < server->peer_count; i++) {
        shutdown(server->fds[i], SHUT_RDWR);
        thread_join(&server->peers[i]);
        close(server->fds[i]);
    }
    close(server->listener);
    lock_close(&server->lock);
    map_close(server->ids);
}

static LoadOptions options_for(Arena *arena, const Server *server)
{
    WorkloadOptions workload = { .seed = 1, .accounts = 100, .base_ms = INT64_C(1781100131123) };
    return (LoadOptions){
        .workload = workload_open(arena, &workload),
        .port = server->port,
        .key = STR("toll_live_key"),
        .events = 5050,
        .batch = 100,
        .connections = 4,
        .patience_us = 60000000,
        .quiet = true,
    };
}

// Runs and compares what the generator counted with the oracle and with the server.
static void run_and_compare(Behaviour behaviour, uint64_t rate, uint32_t batch, LoadForm form)
{
    AUTO(Arena) arena = arena_open();
    static Server     server;
    static LoadResult result;
    WorkloadTotals    totals;
    server_open(&server, behaviour);
    LoadOptions options = options_for(arena, &server);
    options.rate = rate;
    options.batch = batch;
    options.form = form;
    Err *failure = load_run(arena, &options, &result);
    server_close(&server);
    assert_null(failure);
    workload_count(options.workload, options.events, &totals);
    assert_int_equal(result.events, options.events);
    assert_int_equal(result.requests, (options.events + batch - 1) / batch);
    assert_int_equal(result.latency.count, result.requests);
    assert_int_equal(result.accepted, totals.distinct);
    assert_int_equal(result.duplicates, options.events - totals.distinct);
    assert_int_equal(result.conflicts + result.rejected, 0);
    assert_int_equal(result.refused_503, behaviour == BUSY_ONCE ? 1 : 0);
    assert_int_equal(server.accepted, totals.distinct);
    workload_count_close(&totals);
}

static void batches_arrive_whole(void **state)
{
    (void)state;
    run_and_compare(HONEST, 0, 100, LOAD_ARRAYS);
    run_and_compare(HONEST, 0, 2000, LOAD_ARRAYS);
    run_and_compare(HONEST, 0, 1, LOAD_ARRAYS);
}

static void single_objects_arrive(void **state)
{
    (void)state;
    run_and_compare(HONEST, 0, 1, LOAD_OBJECTS);
}

static void answers_in_pieces_are_put_together(void **state)
{
    (void)state;
    run_and_compare(SPLITS_ANSWERS, 0, 100, LOAD_ARRAYS);
}

static void answers_larger_than_any_buffer_are_skipped(void **state)
{
    (void)state;
    run_and_compare(LONG_ANSWERS, 0, 500, LOAD_ARRAYS);
}

static void a_503_is_repeated_with_the_same_events(void **state)
{
    (void)state;
    run_and_compare(BUSY_ONCE, 0, 100, LOAD_ARRAYS);
}

static void open_loop_sends_every_event_once(void **state)
{
    (void)state;
    run_and_compare(HONEST, 50000, 100, LOAD_ARRAYS);
}

static void resends_are_all_duplicates(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    static Server     server;
    static LoadResult result;
    server_open(&server, HONEST);
    LoadOptions options = options_for(arena, &server);
    Err        *first = load_run(arena, &options, &result);
    options.order = LOAD_RESENDS;
    options.first_slot = options.events;
    options.events = 3000;
    Err *second = load_run(arena, &options, &result);
    server_close(&server);
    assert_null(first);
    assert_null(second);
    assert_int_equal(result.duplicates, 3000);
    assert_int_equal(result.accepted, 0);
}

static void expect_failure(Behaviour behaviour, const char *words)
{
    AUTO(Arena) arena = arena_open();
    static Server     server;
    static LoadResult result;
    server_open(&server, behaviour);
    LoadOptions options = options_for(arena, &server);
    Err        *failure = load_run(arena, &options, &result);
    server_close(&server);
    assert_non_null(failure);
    assert_non_null(memmem(failure->detail.at, failure->detail.length, words, strlen(words)));
    assert_true(result.events < options.events);
}

static void an_answer_that_is_no_verdict_fails_the_run(void **state)
{
    (void)state;
    expect_failure(ANSWERS_500, "answer 500 is no verdict");
    expect_failure(COUNTS_WRONG, "answer 202 is no verdict");
}

static void a_closed_connection_fails_the_run(void **state)
{
    (void)state;
    expect_failure(CLOSES, "the server closed a connection");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_arrive_whole),
        cmocka_unit_test(single_objects_arrive),
        cmocka_unit_test(answers_in_pieces_are_put_together),
        cmocka_unit_test(answers_larger_than_any_buffer_are_skipped),
        cmocka_unit_test(a_503_is_repeated_with_the_same_events),
        cmocka_unit_test(open_loop_sends_every_event_once),
        cmocka_unit_test(resends_are_all_duplicates),
        cmocka_unit_test(an_answer_that_is_no_verdict_fails_the_run),
        cmocka_unit_test(a_closed_connection_fails_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
