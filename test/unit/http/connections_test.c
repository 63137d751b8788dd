// SPDX-License-Identifier: Apache-2.0
// No connection may ever be left without its answer, however many there are: one request after the
// other on 1, 100 and 1,000 connections, and on 100 beside 4,000 idle ones, every request suspended
// and finished in groups by another thread, as a commit does. Prints how many requests a second
// that were.
//
// PATIENCE_MS is a watchdog for connections that are forgotten, not a measure of speed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/vector.h"
#include "http/listener.h"
#include "wire.h"

enum { PATIENCE_MS = 20000, ROUNDS_MS = 1200, GROUP_MAX = 4096 };

typedef struct Committer {
    Queue *queue;
    Thread thread;
} Committer;

static Err *answer(Request *request, Response *response)
{
    text_add(&response->body, request->body);
    return NULL;
}

static Err *take(Request *request, Response *response)
{
    (void)response;
    request_suspend(request, answer);
    if (!queue_put(((Committer *)request->server)->queue, request))
        return refuse(request->arena, ERR_QUEUE_FULL, STR_NONE, "no room");
    return NULL;
}

// Waits a little after the first of a group, as a sync would take, then finishes all that came
// meanwhile.
static void *commit(void *argument)
{
    Committer *committer = argument;
    Request   *group[GROUP_MAX];
    while ((group[0] = queue_take(committer->queue)) != NULL) {
        usleep(100);
        size_t count = 1, more = queue_count(committer->queue);
        while (count < GROUP_MAX && more-- > 0)
            group[count++] = queue_take(committer->queue);
        for (size_t i = 0; i < count; i++)
            request_finish(group[i]);
    }
    return NULL;
}

static const Shape any_shape = { .name = "Any", .open = true };
static const Route routes[] = {
    { .name = "take", .method = METHOD_POST, .path = "/take", .runs = RUNS_ON_HTTP_THREAD,
      .takes = &any_shape, .gives = &any_shape, .handler = take, .doc = "Answers after a commit." },
};

static Err *authorize(void *context, Request *request, const char *scope)
{
    (void)context;
    (void)request;
    (void)scope;
    return NULL;
}

// ---- the client: one thread, one epoll

static const char REQUEST[] = "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                              "Content-Length: 17\r\n\r\n{\"value\":\"12345\"}";
static const char END[] = "{\"value\":\"12345\"}";

typedef struct Wire {
    int     socket;
    int64_t sent_us;
    size_t  got;      // bytes of the answer so far
    char    tail[17]; // its last bytes
    bool    waiting;
} Wire;

static void ask(Wire *wire)
{
    ssize_t sent = send(wire->socket, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL);
    assert_int_equal(sent, sizeof REQUEST - 1);
    wire->sent_us = clock_tick_us();
    wire->got = 0;
    wire->waiting = true;
}

// True when the answer is whole: it ends with the body, and is no longer read.
static bool hear(Wire *wire)
{
    char    bytes[4096];
    ssize_t got = recv(wire->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0)
        return false;
    size_t count = (size_t)got, kept = sizeof wire->tail;
    if (count >= kept) {
        memcpy(wire->tail, bytes + count - kept, kept);
    } else {
        memmove(wire->tail, wire->tail + count, kept - count);
        memcpy(wire->tail + kept - count, bytes, count);
    }
    wire->got += count;
    return wire->got > kept && memcmp(wire->tail, END, kept) == 0;
}

static void check_none_forgotten(const Wire *wires, size_t count, int64_t now)
{
    for (size_t i = 0; i < count; i++)
        if (wires[i].waiting && now - wires[i].sent_us > PATIENCE_MS * INT64_C(1000))
            fail_msg("connection %zu of %zu is without an answer", i, count);
}

// Sends on every connection, and again after each answer until the time is over; then waits for
// all.
static uint64_t converse(Wire *wires, size_t count, int poll)
{
    uint64_t answers = 0;
    size_t   open = count;
    int64_t  until = clock_tick_us() + ROUNDS_MS * INT64_C(1000), looked = 0;
    for (size_t i = 0; i < count; i++)
        ask(&wires[i]);
    while (open > 0) {
        struct epoll_event events[256];
        int     ready = epoll_wait(poll, events, 256, 100);
        int64_t now = clock_tick_us();
        for (int i = 0; i < ready; i++) {
            Wire *wire = events[i].data.ptr;
            if (!hear(wire))
                continue;
            answers++;
            wire->waiting = false;
            if (now < until)
                ask(wire);
            else
                open--;
        }
        if (now - looked > 100000) {
            check_none_forgotten(wires, count, now);
            looked = now;
        }
    }
    return answers;
}

static void run(size_t count, size_t idle)
{
    Arena    *arena = arena_open();
    Router   *router = router_open(&(RouteList){ routes, 1 }, 1);
    Committer committer = { .queue = queue_open(100000) };
    Listener *listener;
    thread_start(&committer.thread, "commit", commit, &committer);
    ListenerOptions options = { .listen = STR("127.0.0.1:0"), .router = router,
                                .authorize = authorize, .context = &committer,
                                .connections = 20000 };
    assert_null(listener_open(arena, &options, &listener));

    Wire *wires = memory_take(count * sizeof *wires);
    int  *idles = memory_take(idle * sizeof *idles), poll = epoll_create1(0);
    for (size_t i = 0; i < idle; i++)
        assert_true((idles[i] = wire_connect(listener_port(listener))) >= 0);
    for (size_t i = 0; i < count; i++) {
        assert_true((wires[i].socket = wire_connect(listener_port(listener))) >= 0);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &wires[i] };
        assert_int_equal(epoll_ctl(poll, EPOLL_CTL_ADD, wires[i].socket, &event), 0);
    }
    int64_t  begun = clock_tick_us();
    uint64_t answers = converse(wires, count, poll);
    printf("%zu connections beside %zu idle: %llu answers, %.0f a second\n", count, idle,
           (unsigned long long)answers, (double)answers * 1e6 / (double)(clock_tick_us() - begun));
    assert_true(answers >= count);

    for (size_t i = 0; i < count; i++)
        close(wires[i].socket);
    for (size_t i = 0; i < idle; i++)
        close(idles[i]);
    close(poll);
    listener_close(listener, 10000000);
    queue_stop(committer.queue);
    thread_join(&committer.thread);
    queue_close(committer.queue);
    memory_release(wires);
    memory_release(idles);
    router_close(router);
    arena_close(arena);
}

static void test_one_connection(void **state)
{
    (void)state;
    run(1, 0);
}

static void test_hundred_connections(void **state)
{
    (void)state;
    run(100, 0);
}

static void test_thousand_connections(void **state)
{
    (void)state;
    run(1000, 0);
}

static void test_beside_idle_connections(void **state)
{
    struct rlimit files;
    (void)state;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 8500) {
        print_message("the limit of %llu open files is too low\n",
                      (unsigned long long)files.rlim_cur);
        skip();
    }
    run(100, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_hundred_connections),
        cmocka_unit_test(test_thousand_connections),
        cmocka_unit_test(test_beside_idle_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
