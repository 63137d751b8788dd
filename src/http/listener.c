// SPDX-License-Identifier: Apache-2.0
// Sockets, threads, deadlines and the drain.
//
// libmicrohttpd runs in external epoll mode: its own threads lose wakeups when connections are
// suspended and resumed. Each HTTP thread waits on its daemon's epoll and on an eventfd; whoever
// finishes a request pushes it to the owning thread and wakes it; the thread resumes the connection
// and runs the daemon. Invariant: a daemon and its connections are only ever touched by their own
// thread.
#include "http/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "http/exchange.h"

enum { WORK_ROOM = 4096, BACKLOG = 1024, SWEEP_MS = 1000, DRAIN_LOOK_MS = 5 };

// ---- sweeping: deadlines and the least rate

// Answers on the bare socket and shuts it down. Possible only while libmicrohttpd has sent nothing
// of an answer; it notices the shutdown and completes the exchange.
static void peer_cut(Peer *peer, Err *refusal)
{
    peer->cut = true;
    if (refusal != NULL) {
        Str bytes = exchange_refusal_bytes(peer->exchange, refusal);
        if (send(peer->socket, bytes.at, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            log_line(LOG_DEBUG, "http: refusal not sent errno=%d", errno);
    }
    shutdown(peer->socket, SHUT_RDWR);
}

static bool body_is_late(const Exchange *exchange, const ListenerOptions *options, int64_t now)
{
    int64_t took_ms = (now - exchange->body_tick_us) / 1000;
    if (took_ms > options->body_ms)
        return true;
    uint64_t least = options->body_rate * (uint64_t)took_ms / 1000;
    return took_ms > options->body_grace_ms && exchange->received_bytes < least;
}

// libmicrohttpd reads until a piece is short and waits for the next edge. The end of the client
// that came together with the last bytes it sent makes no further one, so it is looked for here.
static bool has_left(const Peer *peer)
{
    char byte;
    return recv(peer->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// One look is enough: what comes later makes an edge.
static void idle_sweep(Peer *peer, const ListenerOptions *options, int64_t now)
{
    bool is_gone = !peer->looked_at && has_left(peer);
    peer->looked_at = true;
    if (is_gone || now - peer->idle_tick_us > options->idle_ms * INT64_C(1000))
        peer_cut(peer, NULL);
}

static void reading_sweep(Peer *peer, bool is_late)
{
    Exchange *exchange = peer->exchange;
    Err      *refusal = exchange->refusal;
    if (has_left(peer)) {
        peer_cut(peer, NULL);
        return;
    }
    if (!is_late)
        return;
    if (refusal == NULL)
        refusal = refuse(exchange->request.arena, ERR_REQUEST_TIMEOUT, STR_NONE,
                         "the request arrived too slowly");
    peer_cut(peer, refusal);
}

static void peer_sweep(Peer *peer, const ListenerOptions *options, int64_t now)
{
    const Exchange *exchange = peer->exchange;
    if (exchange == NULL) {
        idle_sweep(peer, options, now);
        return;
    }
    switch (exchange->stage) {
    case STAGE_HEADERS:
        reading_sweep(peer, now - exchange->begin_tick_us > options->headers_ms * INT64_C(1000));
        return;
    case STAGE_BODY: reading_sweep(peer, body_is_late(exchange, options, now)); return;
    case STAGE_WORKING:
    case STAGE_FINISHED: return;
    case STAGE_ANSWERED:
        if (now - exchange->answer_tick_us > options->body_ms * INT64_C(1000))
            peer_cut(peer, NULL);
        return;
    }
}

static void sweep(HttpThread *thread, int64_t now)
{
    for (Peer *peer = thread->peers; peer != NULL; peer = peer->after)
        if (!peer->cut)
            peer_sweep(peer, &thread->listener->options, now);
}

// ---- connections

static void peer_add(HttpThread *thread, struct MHD_Connection *connection, void **context)
{
    Peer *peer = memory_take(sizeof(Peer));
    peer->connection = connection;
    peer->socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    peer->idle_tick_us = clock_tick_us();
    peer->after = thread->peers;
    if (thread->peers != NULL)
        thread->peers->before = peer;
    thread->peers = peer;
    *context = peer;
}

static void peer_remove(HttpThread *thread, Peer *peer)
{
    if (peer->before == NULL)
        thread->peers = peer->after;
    else
        peer->before->after = peer->after;
    if (peer->after != NULL)
        peer->after->before = peer->before;
    memory_release(peer);
}

static void connection_notify(void *closure, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
    bool started = code == MHD_CONNECTION_NOTIFY_STARTED;
    counter_add(METRIC_HTTP_CONNECTIONS, started ? 1 : -1);
    if (started)
        peer_add(closure, connection, context);
    else
        peer_remove(closure, *context);
}

// ---- the threads

static void finished_resume(HttpThread *thread)
{
    Exchange *list = atomic_exchange_explicit(&thread->finished, NULL, memory_order_acquire);
    while (list != NULL) {
        Exchange *exchange = list;
        list = exchange->next;
        bool in_pieces = exchange->response.more != NULL && exchange->answer_tick_us > 0;
        exchange->stage = in_pieces ? STAGE_ANSWERED : STAGE_FINISHED;
        thread->working--;
        MHD_resume_connection(exchange->connection);
    }
}

static void suspend_all(HttpThread *thread)
{
    while (thread->suspending != NULL) {
        Exchange *exchange = thread->suspending;
        thread->suspending = exchange->next_suspending;
        MHD_suspend_connection(exchange->connection);
    }
}

static void quiesce(HttpThread *thread)
{
    int socket = MHD_quiesce_daemon(thread->daemon);
    assert_that(socket == thread->listen_socket);
    close(socket);
    thread->listen_socket = -1;
}

static bool may_stop(const HttpThread *thread, int64_t now)
{
    const Listener *listener = thread->listener;
    return listener->stopping && thread->working == 0 &&
           (thread->open == 0 || now >= listener->stop_tick_us);
}

static int wait_ms(HttpThread *thread, int64_t sweep_tick_us, int64_t now)
{
    MHD_UNSIGNED_LONG_LONG pending_ms;
    if (MHD_get_timeout(thread->daemon, &pending_ms) == MHD_YES && pending_ms == 0)
        return 0;
    if (thread->listener->stopping)
        return DRAIN_LOOK_MS;
    return sweep_tick_us <= now ? 0 : (int)((sweep_tick_us - now) / 1000) + 1;
}

static void *http_thread_run(void *argument)
{
    HttpThread *thread = argument;
    Listener   *listener = thread->listener;
    int64_t     now = clock_tick_us();
    int64_t     sweep_tick_us = now + listener->sweep_us;
    while (!may_stop(thread, now)) {
        struct epoll_event events[2];
        int count = epoll_wait(thread->poll, events, 2, wait_ms(thread, sweep_tick_us, now));
        for (int i = 0; i < count; i++) {
            uint64_t wakes;
            if (events[i].data.fd == thread->wake &&
                read(thread->wake, &wakes, sizeof wakes) < 0)
                log_line(LOG_DEBUG, "http: wake without a count errno=%d", errno);
        }
        finished_resume(thread);
        MHD_run(thread->daemon);
        suspend_all(thread);
        now = clock_tick_us();
        if (now >= sweep_tick_us) {
            sweep(thread, now);
            sweep_tick_us = now + listener->sweep_us;
        }
        if (listener->quiesced && thread->listen_socket >= 0)
            quiesce(thread);
    }
    MHD_stop_daemon(thread->daemon);
    return NULL;
}

static void *worker_run(void *argument)
{
    Listener   *listener = argument;
    JsonParser *parser = json_parser_open();
    Exchange   *exchange;
    while ((exchange = queue_take(listener->work)) != NULL)
        exchange_work(exchange, parser);
    json_parser_close(parser);
    return NULL;
}

// ---- opening

static int socket_listen(const struct addrinfo *address, int reuse_port)
{
    int one = 1;
    int made = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return -1;
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse_port)
        setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(made, address->ai_addr, address->ai_addrlen) == 0 && listen(made, BACKLOG) == 0)
        return made;
    int reason = errno;
    close(made);
    errno = reason;
    return -1;
}

// "127.0.0.1:8080" or "[::1]:8080".
static bool address_split(Arena *arena, Str listen, char **host, char **port)
{
    size_t colon = listen.length;
    while (colon > 0 && listen.at[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    Str name = { listen.at, colon - 1 };
    if (name.length > 1 && name.at[0] == '[' && name.at[name.length - 1] == ']')
        name = (Str){ name.at + 1, name.length - 2 };
    uint64_t number;
    Str      digits = { listen.at + colon, listen.length - colon };
    *host = str_terminated(arena, name);
    *port = str_terminated(arena, digits);
    return name.length > 0 && str_whole(digits, 65535, &number);
}

static void port_set(struct addrinfo *address, uint16_t port)
{
    if (address->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address->ai_addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address->ai_addr)->sin_port = htons(port);
}

static uint16_t port_of(int listening)
{
    struct sockaddr_storage bound;
    socklen_t               size = sizeof bound;
    assert_that(getsockname(listening, (struct sockaddr *)&bound, &size) == 0);
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)(void *)&bound)->sin_port);
}

// The kernel shares connections out among sockets that all ask for SO_REUSEPORT, also those of
// another server of the same user. So a first socket that does not ask finds out whether the port
// is free.
static bool sockets_open(Listener *listener, struct addrinfo *address)
{
    int probe = socket_listen(address, 0);
    if (probe < 0)
        return false;
    listener->port = port_of(probe);
    close(probe);
    port_set(address, listener->port);
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        listener->threads[i].listen_socket = socket_listen(address, 1);
        if (listener->threads[i].listen_socket < 0)
            return false;
    }
    return true;
}

static Err *cannot_listen(Arena *arena, Str listen, const char *why)
{
    return refuse(arena, ERR_FIELD_INVALID, STR_NONE, "cannot listen on %.*s: %s", STR_ARG(listen),
                  why);
}

static Err *address_find(Arena *arena, Str listen, struct addrinfo **addresses)
{
    char *host, *port;
    if (!address_split(arena, listen, &host, &port))
        return cannot_listen(arena, listen, "it must be HOST:PORT");
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    int             failed = getaddrinfo(host, port, &hints, addresses);
    return failed == 0 ? NULL : cannot_listen(arena, listen, gai_strerror(failed));
}

static Err *listen_all(Arena *arena, Listener *listener)
{
    Str              listen = listener->options.listen;
    struct addrinfo *addresses;
    TRY(address_find(arena, listen, &addresses));
    bool opened = sockets_open(listener, addresses);
    int  reason = errno;
    freeaddrinfo(addresses);
    return opened ? NULL : cannot_listen(arena, listen, strerror(reason));
}

static void poll_add(HttpThread *thread, int descriptor)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = descriptor };
    assert_that(epoll_ctl(thread->poll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

static void http_thread_open(HttpThread *thread)
{
    const ListenerOptions *options = &thread->listener->options;
    uint64_t               seed;
    random_bytes(&seed, sizeof seed);
    thread->ids = seeded_of(seed);
    thread->parser = json_parser_open();
    thread->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    thread->poll = epoll_create1(EPOLL_CLOEXEC);
    assert_that(thread->wake >= 0 && thread->poll >= 0);
    thread->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, exchange_access, thread,
        MHD_OPTION_LISTEN_SOCKET, thread->listen_socket,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(options->connections / options->threads),
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, thread,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, thread,
        MHD_OPTION_NOTIFY_CONNECTION, connection_notify, thread, MHD_OPTION_END);
    assert_that(thread->daemon != NULL);
    poll_add(thread, thread->wake);
    poll_add(thread, MHD_get_daemon_info(thread->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
}

static void defaults_set(ListenerOptions *options)
{
#define DEFAULT(member, value) options->member = options->member == 0 ? (value) : options->member
    DEFAULT(threads, 2);
    DEFAULT(workers, 4);
    DEFAULT(connections, 16384);
    DEFAULT(body_bytes, (size_t)16 << 20);
    DEFAULT(bodies_bytes, (size_t)256 << 20);
    DEFAULT(headers_ms, 10000);
    DEFAULT(body_ms, 60000);
    DEFAULT(body_rate, 1024);
    DEFAULT(body_grace_ms, 5000);
    DEFAULT(idle_ms, 75000);
#undef DEFAULT
}

// A quarter of the shortest deadline, at most SWEEP_MS, at least 10 ms.
static int64_t sweep_interval_us(const ListenerOptions *options)
{
    uint32_t shortest = options->headers_ms;
    shortest = options->body_grace_ms < shortest ? options->body_grace_ms : shortest;
    shortest = options->body_ms < shortest ? options->body_ms : shortest;
    shortest = options->idle_ms < shortest ? options->idle_ms : shortest;
    int64_t quarter = shortest / 4 < 10 ? 10 : shortest / 4;
    return (quarter > SWEEP_MS ? SWEEP_MS : quarter) * 1000;
}

static void listener_free(Listener *listener)
{
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        HttpThread *thread = &listener->threads[i];
        if (thread->listen_socket >= 0)
            close(thread->listen_socket);
        if (thread->daemon != NULL) {
            close(thread->wake);
            close(thread->poll);
            json_parser_close(thread->parser);
        }
        while (thread->spare != NULL) {
            Exchange *exchange = thread->spare;
            thread->spare = exchange->next;
            exchange_release(exchange);
        }
    }
    queue_close(listener->work);
    memory_release(listener->threads);
    memory_release(listener->workers);
    memory_release(listener);
}

static void threads_start(Listener *listener)
{
    char name[24];
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        http_thread_open(&listener->threads[i]);
        snprintf(name, sizeof name, "http-%u", i);
        thread_start(&listener->threads[i].thread, name, http_thread_run, &listener->threads[i]);
    }
    for (uint32_t i = 0; i < listener->options.workers; i++) {
        snprintf(name, sizeof name, "worker-%u", i);
        thread_start(&listener->workers[i], name, worker_run, listener);
    }
}

Err *listener_address_read(Arena *arena, Str listen)
{
    struct addrinfo *addresses;
    TRY(address_find(arena, listen, &addresses));
    freeaddrinfo(addresses);
    return NULL;
}

Err *listener_address_check(Arena *arena, Str listen)
{
    struct addrinfo *addresses;
    TRY(address_find(arena, listen, &addresses));
    int probe = socket_listen(addresses, 0);
    int reason = errno;
    freeaddrinfo(addresses);
    if (probe < 0)
        return cannot_listen(arena, listen, strerror(reason));
    close(probe);
    return NULL;
}

Err *listener_open(Arena *arena, const ListenerOptions *options, Listener **opened)
{
    Listener *listener = memory_take(sizeof(Listener));
    listener->options = *options;
    defaults_set(&listener->options);
    listener->sweep_us = sweep_interval_us(&listener->options);
    listener->threads = memory_take(listener->options.threads * sizeof(HttpThread));
    listener->workers = memory_take(listener->options.workers * sizeof(Thread));
    listener->work = queue_open(WORK_ROOM);
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        listener->threads[i].listener = listener;
        listener->threads[i].listen_socket = -1;
    }
    Err *refusal = listen_all(arena, listener);
    if (refusal != NULL) {
        listener_free(listener);
        return refusal;
    }
    threads_start(listener);
    *opened = listener;
    return NULL;
}

uint16_t listener_port(const Listener *listener)
{
    return listener->port;
}

static void wake_all(Listener *listener)
{
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        uint64_t one = 1;
        assert_that(write(listener->threads[i].wake, &one, sizeof one) == sizeof one);
    }
}

void listener_quiesce(Listener *listener)
{
    listener->quiesced = true;
    wake_all(listener);
}

void listener_close(Listener *listener, int64_t patience_us)
{
    listener_quiesce(listener);
    listener->stop_tick_us = clock_tick_us() + patience_us;
    listener->stopping = true;
    wake_all(listener);
    for (uint32_t i = 0; i < listener->options.threads; i++) {
        HttpThread *thread = &listener->threads[i];
        thread_join(&thread->thread);
        while (thread->pushing > 0)
            sched_yield();
    }
    queue_stop(listener->work);
    for (uint32_t i = 0; i < listener->options.workers; i++)
        thread_join(&listener->workers[i]);
    listener_free(listener);
}
