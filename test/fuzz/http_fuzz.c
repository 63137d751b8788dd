// SPDX-License-Identifier: Apache-2.0
// Any bytes sent to a listener: it neither falls over nor forgets the connection, every answer is
// one that HTTP knows, and a handler sees only bodies that are JSON. The client sends all, shuts
// down its side, and reads to the end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "http/listener.h"

enum { PATIENCE_MS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static Err *later(Request *request, Response *response)
{
    text_add(&response->body, request->body);
    return NULL;
}

static Err *at_once(Request *request, Response *response)
{
    (void)response;
    request_suspend(request, later);
    request_finish(request);
    return NULL;
}

static Err *echo(Request *request, Response *response)
{
    Json *root;
    TRY(request_json(request, &root));
    JsonOut out = response_json(response);
    json_value(&out, root);
    return NULL;
}

static const Shape     any_shape = { .name = "Any", .open = true };
static const Parameter query[] = { { .name = "n", .kind = PARAMETER_WHOLE } };
static const Route     routes[] = {
    { .name = "at_once", .method = METHOD_POST, .path = "/later", .runs = RUNS_ON_HTTP_THREAD,
      .takes = &any_shape, .gives = &any_shape, .handler = at_once, .doc = "Suspends." },
    { .name = "echo", .method = METHOD_POST, .path = "/echo/{id}", .takes = &any_shape,
      .gives = &any_shape, QUERY(query), .handler = echo, .doc = "Echoes." },
    { .name = "get", .method = METHOD_GET, .path = "/", .gives = &any_shape, .handler = later,
      .runs = RUNS_ON_HTTP_THREAD, .doc = "Nothing." },
};

static Err *authorize(void *context, Request *request, const char *scope)
{
    (void)context;
    (void)request;
    (void)scope;
    return NULL;
}

// One for the whole run; it ends with the process.
static uint16_t port_get(void)
{
    static Listener *listener;
    if (listener == NULL) {
        AUTO(Arena) arena = arena_open();
        Router         *router = router_open(&(RouteList){ routes, 3 }, 1);
        ListenerOptions options = { .listen = STR("127.0.0.1:0"), .threads = 1, .workers = 1,
                                    .body_bytes = 4096, .headers_ms = 40, .idle_ms = 40,
                                    .router = router, .authorize = authorize };
        Err *refusal = listener_open(arena, &options, &listener);
        assert_that(refusal == NULL);
    }
    return listener_port(listener);
}

static void statuses_check(Str all)
{
    static const Str begin = { "HTTP/1.1 ", 9 };
    if (all.length < 12)
        return;
    assert_that(str_starts(all, begin));
    Str      digits = { all.at + 9, 3 };
    uint64_t status;
    assert_that(str_whole(digits, 599, &status) && status >= 100 && status != 500);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    int                made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_get()),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger      at_once_gone = { .l_onoff = 1 };  // no ports left waiting behind many runs
    assert_that(connect(made, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(made, SOL_SOCKET, SO_LINGER, &at_once_gone, sizeof at_once_gone);
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(made, input + sent, size - sent, MSG_NOSIGNAL);
        if (more <= 0)
            break;
        sent += (size_t)more;
    }
    shutdown(made, SHUT_WR);
    AUTO(Arena) arena = arena_open();
    Text all = text_open(arena);
    for (;;) {
        struct pollfd ready = { .fd = made, .events = POLLIN };
        int got_ready = poll(&ready, 1, PATIENCE_MS);
        if (got_ready < 0 && errno == EINTR)  // libFuzzer's own clock
            continue;
        assert_that(got_ready == 1);
        ssize_t got = recv(made, text_reserve(&all, 4096), 4096, 0);
        if (got <= 0)
            break;
        text_grow(&all, (size_t)got);
    }
    close(made);
    statuses_check(text_str(&all));
    return 0;
}
