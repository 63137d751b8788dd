// SPDX-License-Identifier: Apache-2.0
// Costs that matter: one send, one recv and a share of one epoll_wait a request, about 20 ns an
// event for its text. Bodies are rendered into one buffer that stays in the cache; only what the
// kernel did not take at once is kept with its connection. Answers are read into one buffer; only
// the front of an answer (head and counts) is kept, the list of results behind it is skipped by its
// length.
#include "cli/bench_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/int128.h"

enum {
    FRONT_BYTES = 2048,  // head of an answer and the first members of its body
    COUNTS_BYTES = 256,  // of a body, in which the counts stand
    HEADER_ROOM = 512,
    READ_BYTES = 1 << 18,
    WAKES = 256,
    PREFETCH_AHEAD = 8,
    PROGRESS_US = 2000000,
    WATCH_US = 500000,
};

typedef enum PeerState { PEER_IDLE, PEER_ASKING, PEER_LATER } PeerState;

typedef struct Peer {
    int       fd;
    PeerState state;
    bool      wants_write;
    uint64_t  first;  // position of the request's first event in the run
    uint32_t  count;
    int64_t   since_us;  // from when the latency counts
    int64_t   sent_us;
    int64_t   again_us;  // PEER_LATER: when to repeat
    Text      rest;      // what the kernel has not taken yet
    size_t    rest_from;
    size_t    front_length;
    size_t    body_left;  // bytes of the answer still to come behind the front
    bool      head_known;
    int       status;
    int64_t   retry_us;
    size_t    body_from;  // in the front
    char      front[FRONT_BYTES];
} Peer;

typedef struct Load {
    const LoadOptions *options;
    LoadResult        *result;
    Arena             *arena;
    Err               *failure;
    int                epoll;
    Peer              *peers;
    uint32_t          *idle;  // open loop: indexes of peers without a request
    uint32_t           idle_count;
    uint32_t           busy;   // peers asking or waiting to ask again
    uint32_t           later;  // of them, waiting to ask again
    uint64_t           next;   // position of the next event to send
    uint64_t           random_state;
    int64_t            start_us;
    char              *body;  // HEADER_ROOM bytes before it are for the header
    char              *incoming;
    char               header[HEADER_ROOM];
    size_t             header_length;
} Load;

static void fail(Load *load, const char *what, uint64_t number)
{
    if (load->failure == NULL)
        load->failure = refuse(load->arena, ERR_INTERNAL, STR_NONE, "%s (%llu)", what,
                               (unsigned long long)number);
}

// ---- sending

static uint64_t resend_slot(const Load *load, uint64_t position)
{
    uint64_t z = (position + load->random_state) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93;
    z ^= z >> 32;
    return (uint64_t)(((Uint128)z * load->options->first_slot) >> 64);
}

static uint64_t slot_at(const Load *load, uint64_t position)
{
    const LoadOptions *options = load->options;
    return options->order == LOAD_FORWARD ? options->first_slot + position
                                          : resend_slot(load, position);
}

static size_t body_render(Load *load, const Peer *peer)
{
    const LoadOptions *options = load->options;
    char              *to = load->body;
    if (options->form == LOAD_ARRAYS)
        *to++ = '[';
    for (uint32_t i = 0; i < peer->count; i++) {
        uint64_t position = peer->first + i;
        workload_prefetch(options->workload, slot_at(load, position + PREFETCH_AHEAD));
        if (i > 0)
            *to++ = ',';
        to = workload_render(options->workload, slot_at(load, position), to);
    }
    if (options->form == LOAD_ARRAYS)
        *to++ = ']';
    return (size_t)(to - load->body);
}

// The header is written backwards from the body's first byte, so that both leave in one piece.
static Str request_render(Load *load, const Peer *peer)
{
    size_t length = body_render(load, peer);
    char  *at = load->body;
    at -= 4;
    memcpy(at, "\r\n\r\n", 4);
    for (size_t left = length; left > 0; left /= 10)
        *--at = (char)('0' + left % 10);
    at -= load->header_length;
    memcpy(at, load->header, load->header_length);
    return (Str){ at, (size_t)(load->body - at) + length };
}

static void watch(Load *load, Peer *peer, bool wants_write)
{
    if (peer->wants_write == wants_write)
        return;
    struct epoll_event event = {
        .events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0),
        .data.u32 = (uint32_t)(peer - load->peers),
    };
    assert_that(epoll_ctl(load->epoll, EPOLL_CTL_MOD, peer->fd, &event) == 0);
    peer->wants_write = wants_write;
}

static void peer_send(Load *load, Peer *peer, int64_t now_us)
{
    Str request = request_render(load, peer);
    peer->state = PEER_ASKING;
    peer->sent_us = now_us;
    peer->front_length = 0;
    peer->head_known = false;
    ssize_t sent = send(peer->fd, request.at, request.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        fail(load, "a connection broke while a request was sent", (uint64_t)errno);
        return;
    }
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    load->result->bytes_sent += request.length;
    if (taken == request.length)
        return;
    text_clear(&peer->rest);
    text_add_bytes(&peer->rest, request.at + taken, request.length - taken);
    peer->rest_from = 0;
    watch(load, peer, true);
}

static void peer_send_rest(Load *load, Peer *peer)
{
    size_t  left = peer->rest.length - peer->rest_from;
    ssize_t sent = send(peer->fd, peer->rest.at + peer->rest_from, left,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        fail(load, "a connection broke while a request was sent", (uint64_t)errno);
        return;
    }
    peer->rest_from += sent < 0 ? 0 : (size_t)sent;
    if (peer->rest_from == peer->rest.length)
        watch(load, peer, false);
}

// When the batch that begins at this position is due in open loop.
static int64_t due_us(const Load *load, uint64_t position)
{
    Uint128 since = (Uint128)position * 1000000 / load->options->rate;
    return load->start_us + (int64_t)since;
}

static bool peer_ask_next(Load *load, Peer *peer, int64_t now_us)
{
    const LoadOptions *options = load->options;
    if (load->next >= options->events)
        return false;
    uint64_t left = options->events - load->next;
    peer->first = load->next;
    peer->count = left < options->batch ? (uint32_t)left : options->batch;
    peer->since_us = options->rate == 0 ? now_us : due_us(load, peer->first);
    load->next += peer->count;
    load->busy++;
    peer_send(load, peer, now_us);
    return true;
}

// ---- receiving

// The number behind `name` in the text; false when the name is not there.
static bool number_behind(Str text, Str name, uint64_t *number)
{
    const char *at = memmem(text.at, text.length, name.at, name.length);
    if (at == NULL)
        return false;
    const char *end = text.at + text.length;
    uint64_t    value = 0;
    at += name.length;
    while (at < end && *at == ' ')
        at++;
    const char *digits = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *number = value;
    return at > digits;
}

static bool header_number(Str head, const char *name, uint64_t *number)
{
    size_t length = strlen(name);
    for (Str rest = head; rest.length > 0;) {
        Str line = str_cut(&rest, '\n');
        if (line.length > length && strncasecmp(line.at, name, length) == 0)
            return number_behind((Str){ line.at + length, line.length - length }, STR(""), number);
    }
    return false;
}

// Reads the head once it is whole. False: more must come, or the run has failed.
static bool head_read(Load *load, Peer *peer)
{
    const char *end = memmem(peer->front, peer->front_length, "\r\n\r\n", 4);
    if (end == NULL) {
        if (peer->front_length == FRONT_BYTES)
            fail(load, "an answer's head is too long", FRONT_BYTES);
        return false;
    }
    Str      head = { peer->front, (size_t)(end - peer->front) + 2 };
    uint64_t status = 0, length = 0, retry_s = 1;
    if (!number_behind(head, STR("HTTP/1.1 "), &status) ||
        !header_number(head, "content-length:", &length)) {
        fail(load, "an answer has no status or no length", status);
        return false;
    }
    header_number(head, "retry-after:", &retry_s);
    peer->status = (int)status;
    peer->retry_us = (int64_t)retry_s * 1000000;
    peer->body_from = head.length + 2;
    peer->body_left = length;
    peer->head_known = true;
    return true;
}

static bool object_verdict(LoadResult *result, Str body, int status)
{
    static const Str accepted = { "\"outcome\":\"accepted\"", 20 };
    static const Str duplicate = { "\"outcome\":\"duplicate\"", 21 };
    if (status == 409)
        result->conflicts++;
    else if (status == 422)
        result->rejected++;
    else if (status == 202 && memmem(body.at, body.length, accepted.at, accepted.length) != NULL)
        result->accepted++;
    else if (status == 202 && memmem(body.at, body.length, duplicate.at, duplicate.length) != NULL)
        result->duplicates++;
    else
        return false;
    return true;
}

static bool array_verdict(LoadResult *result, Str body, int status, uint32_t count)
{
    uint64_t accepted, duplicates, conflicts, rejected;
    if (status != 202 || !number_behind(body, STR("\"accepted\":"), &accepted) ||
        !number_behind(body, STR("\"duplicates\":"), &duplicates) ||
        !number_behind(body, STR("\"conflicts\":"), &conflicts) ||
        !number_behind(body, STR("\"rejected\":"), &rejected) ||
        accepted + duplicates + conflicts + rejected != count)
        return false;
    result->accepted += accepted;
    result->duplicates += duplicates;
    result->conflicts += conflicts;
    result->rejected += rejected;
    return true;
}

static void peer_answered(Load *load, Peer *peer, int64_t now_us)
{
    LoadResult *result = load->result;
    Str         body = { peer->front + peer->body_from, peer->front_length - peer->body_from };
    if (peer->status == 503) {
        result->refused_503++;
        peer->state = PEER_LATER;
        peer->again_us = now_us + peer->retry_us;
        load->later++;
        return;
    }
    bool known = load->options->form == LOAD_OBJECTS
                     ? object_verdict(result, body, peer->status)
                     : array_verdict(result, body, peer->status, peer->count);
    if (!known) {
        load->failure = refuse(load->arena, ERR_INTERNAL, STR_NONE, "answer %d is no verdict: %.*s",
                               peer->status, STR_ARG(body));
        return;
    }
    result->requests++;
    result->events += peer->count;
    histogram_add(&result->latency, now_us - peer->since_us);
    peer->state = PEER_IDLE;
    load->busy--;
    if (load->options->rate > 0 || !peer_ask_next(load, peer, now_us))
        load->idle[load->idle_count++] = (uint32_t)(peer - load->peers);
}

// Takes bytes of an answer. One request is in flight, so nothing may follow the answer.
static void peer_take(Load *load, Peer *peer, const char *at, size_t length, int64_t now_us)
{
    if (peer->state != PEER_ASKING) {
        fail(load, "bytes came that nobody asked for", length);
        return;
    }
    size_t kept = 0;
    if (!peer->head_known) {
        size_t room = FRONT_BYTES - peer->front_length;
        kept = length < room ? length : room;
        memcpy(peer->front + peer->front_length, at, kept);
        peer->front_length += kept;
        if (!head_read(load, peer))
            return;
        size_t in_front = peer->front_length - peer->body_from;
        if (in_front > peer->body_left) {
            fail(load, "an answer is longer than it says", in_front);
            return;
        }
        peer->body_left -= in_front;
    } else if (peer->front_length - peer->body_from < COUNTS_BYTES) {
        size_t room = FRONT_BYTES - peer->front_length;
        kept = length < room ? length : room;
        kept = kept < peer->body_left ? kept : peer->body_left;
        memcpy(peer->front + peer->front_length, at, kept);
        peer->front_length += kept;
        peer->body_left -= kept;
    }
    if (length - kept > peer->body_left) {
        fail(load, "an answer is longer than it says", length);
        return;
    }
    peer->body_left -= length - kept;
    if (peer->body_left == 0)
        peer_answered(load, peer, now_us);
}

static void peer_receive(Load *load, Peer *peer, int64_t now_us)
{
    ssize_t got = recv(peer->fd, load->incoming, READ_BYTES, MSG_DONTWAIT);
    if (got > 0) {
        load->result->bytes_received += (uint64_t)got;
        peer_take(load, peer, load->incoming, (size_t)got, now_us);
    } else if (got == 0) {
        fail(load, "the server closed a connection", peer->first);
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(load, "a connection broke", (uint64_t)errno);
    }
}

// ---- the run

static void header_build(Load *load)
{
    static const char  format[] = "POST /v1/measurements HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                  "Authorization: Bearer %.*s\r\n"
                                  "Content-Type: application/json\r\nContent-Length: ";
    const LoadOptions *options = load->options;
    int                length = snprintf(load->header, sizeof load->header, format, options->port,
                                         STR_ARG(options->key));
    assert_that(length > 0 && length < HEADER_ROOM - 32);
    load->header_length = (size_t)length;
}

static bool peer_connect(Load *load, Peer *peer)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)load->options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer->rest = text_open_own();
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail(load, "no connection to the server", (uint64_t)errno);
        return false;
    }
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);  // without BBR's pacing timers
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(peer - load->peers) };
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, peer->fd, &event) == 0;
}

static void load_open(Load *load)
{
    const LoadOptions *options = load->options;
    assert_that(options->batch >= 1 && options->connections >= 1);
    assert_that(options->form == LOAD_ARRAYS || options->batch == 1);
    assert_that(options->order == LOAD_FORWARD || options->first_slot > 0);
    size_t body_bytes = (size_t)options->batch * (WORKLOAD_EVENT_BYTES_MAX + 1) + 2;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->peers = arena_array(load->arena, Peer, options->connections);
    load->idle = arena_array(load->arena, uint32_t, options->connections);
    load->body = (char *)arena_take(load->arena, HEADER_ROOM + body_bytes) + HEADER_ROOM;
    load->incoming = arena_take(load->arena, READ_BYTES);
    load->random_state = options->first_slot;
    header_build(load);
    for (uint32_t i = 0; i < options->connections; i++)
        load->peers[i].fd = -1;
    for (uint32_t i = 0; i < options->connections && load->failure == NULL; i++) {
        if (!peer_connect(load, &load->peers[i]))
            return;
        load->idle[load->idle_count++] = i;
    }
}

static void load_close(Load *load)
{
    for (uint32_t i = 0; i < load->options->connections; i++) {
        text_close(&load->peers[i].rest);
        if (load->peers[i].fd >= 0)
            close(load->peers[i].fd);
    }
    close(load->epoll);
}

// Gives idle connections what is due. Answers how long nothing more will be due, in microseconds.
static int64_t idle_ask(Load *load, int64_t now_us)
{
    const LoadOptions *options = load->options;
    while (load->idle_count > 0 && load->next < options->events && load->failure == NULL) {
        int64_t wait_us = options->rate == 0 ? 0 : due_us(load, load->next) - now_us;
        if (wait_us > 0)
            return wait_us;
        peer_ask_next(load, &load->peers[load->idle[--load->idle_count]], now_us);
    }
    return WATCH_US;
}

// Repeats what was put off and looks for answers that are overdue.
static void peers_watch(Load *load, int64_t now_us)
{
    for (uint32_t i = 0; i < load->options->connections; i++) {
        Peer *peer = &load->peers[i];
        if (peer->state == PEER_LATER && peer->again_us <= now_us) {
            load->later--;
            peer_send(load, peer, now_us);
        } else if (peer->state == PEER_ASKING &&
                   now_us - peer->sent_us > load->options->patience_us) {
            fail(load, "a request stayed unanswered, microseconds",
                 (uint64_t)(now_us - peer->sent_us));
        }
    }
}

static void progress_print(const Load *load, int64_t now_us)
{
    uint64_t events = load->result->events;
    int64_t  passed_us = now_us - load->start_us;
    uint64_t rate = passed_us > 0 ? (uint64_t)((Uint128)events * 1000000 / (uint64_t)passed_us) : 0;
    fprintf(stderr, "  %6lld s  %12llu events  %10llu/s\n", (long long)(passed_us / 1000000),
            (unsigned long long)events, (unsigned long long)rate);
}

static void wakes_serve(Load *load, int64_t wait_us)
{
    struct epoll_event wakes[WAKES];
    struct timespec    wait = { wait_us / 1000000, wait_us % 1000000 * 1000 };
    int                count = epoll_pwait2(load->epoll, wakes, WAKES, &wait, NULL);
    int64_t            now_us = clock_tick_us();
    for (int i = 0; i < count && load->failure == NULL; i++) {
        Peer *peer = &load->peers[wakes[i].data.u32];
        if (wakes[i].events & EPOLLOUT)
            peer_send_rest(load, peer);
        if (wakes[i].events & ~(uint32_t)EPOLLOUT)
            peer_receive(load, peer, i == 0 ? now_us : clock_tick_us());
    }
}

static void load_loop(Load *load)
{
    int64_t watched_us = load->start_us, told_us = load->start_us;
    for (;;) {
        int64_t now_us = clock_tick_us();
        int64_t wait_us = idle_ask(load, now_us);
        if (load->failure != NULL || (load->busy == 0 && load->next >= load->options->events))
            return;
        if (now_us - watched_us > (load->later > 0 ? 10000 : WATCH_US)) {
            watched_us = now_us;
            peers_watch(load, now_us);
        }
        if (!load->options->quiet && now_us - told_us >= PROGRESS_US) {
            told_us = now_us;
            progress_print(load, now_us);
        }
        wakes_serve(load, load->later > 0 && wait_us > 10000 ? 10000 : wait_us);
    }
}

Err *load_run(Arena *arena, const LoadOptions *options, LoadResult *result)
{
    *result = (LoadResult){ 0 };
    Load *load = arena_new(arena, Load);
    *load = (Load){ .options = options, .result = result, .arena = arena };
    load_open(load);
    int64_t cpu_us = clock_cpu_us();
    load->start_us = clock_tick_us();
    if (load->failure == NULL)
        load_loop(load);
    result->elapsed_us = clock_tick_us() - load->start_us;
    result->cpu_us = clock_cpu_us() - cpu_us;
    load_close(load);
    return load->failure;
}
