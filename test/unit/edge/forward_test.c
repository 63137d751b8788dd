// SPDX-License-Identifier: Apache-2.0
// Two listeners with the same routes: one is the owner, the other forwards. And owners that are not
// there, are somebody else, or die in the middle.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../http/wire.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"
#include "edge/forward.h"
#include "http/listener.h"

typedef struct Side {
    Forwarder *forwarder;  // NULL: the owner
    Listener  *listener;
    uint16_t   port;
} Side;

typedef struct Pair {
    Arena  *arena;
    Router *router;
    Side    owner, other;
} Pair;

static const Side *side_of(const Request *request)
{
    return request->server;
}

static Err *here(Request *request, Response *response)
{
    text_print(&response->body, "%s", side_of(request)->forwarder == NULL ? "owner" : "other");
    return NULL;
}

// Everything of a request that a handler may look at.
static Err *told(Request *request, Response *response)
{
    static const char *const names[] = { "Idempotency-Key", "If-Match", "Accept", "X-Secret" };
    Str                      value = STR_NONE;
    request_query(request, "q", &value);
    text_print(&response->body, "%s %.*s q=%.*s %.*s", method_name(request->method),
               STR_ARG(request_path(request, "id")), STR_ARG(value), STR_ARG(request->body));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        text_print(&response->body, " [%.*s]", STR_ARG(request_header(request, names[i])));
    response_header(response, "ETag", STR("\"7\""));
    response->status = 202;
    return NULL;
}

static Err *perhaps(Request *request, Response *response)
{
    text_add(&response->body, STR("a beginning that is forgotten"));
    response_header(response, "X-First", STR("1"));
    if (side_of(request)->forwarder != NULL)
        return refuse(request->arena, ERR_USAGE_OWNER_UNREACHABLE, STR_NONE, "not here");
    text_clear(&response->body);
    text_add(&response->body, STR("the owner's"));
    return NULL;
}

static Err *refused(Request *request, Response *response)
{
    (void)response;
    return refuse(request->arena, ERR_EVENT_CONFLICT, STR_NONE, "as asked");
}

static const Shape     any_shape = { .name = "Any", .open = true };
static const Parameter query[] = { { .name = "q", .kind = PARAMETER_TEXT, .doc = "Anything." } };

#define TEXT .gives_media = "text/plain"
static const Route routes[] = {
    { .name = "any", .method = METHOD_GET, .path = "/any", TEXT, .handler = here, .doc = "Any." },
    { .name = "owned", .method = METHOD_GET, .path = "/owned", TEXT, .at = AT_OWNER,
      .handler = here, .doc = "The owner's." },
    { .name = "told", .method = METHOD_POST, .path = "/told/{id}", TEXT, .at = AT_OWNER,
      .takes = &any_shape, .body_optional = true, QUERY(query), .handler = told,
      .doc = "Tells." },
    { .name = "gone", .method = METHOD_DELETE, .path = "/told/{id}", TEXT, .at = AT_OWNER,
      QUERY(query), .handler = told, .doc = "Tells." },
    { .name = "perhaps", .method = METHOD_GET, .path = "/perhaps", TEXT, .at = AT_OWNER_PERHAPS,
      .handler = perhaps, .doc = "It depends." },
    { .name = "refused", .method = METHOD_GET, .path = "/refused", TEXT, .at = AT_OWNER,
      .runs = RUNS_ON_HTTP_THREAD, .handler = refused, .doc = "Refuses." },
};

static Err *authorize(void *context, Request *request, const char *scope)
{
    (void)context;
    (void)request;
    (void)scope;
    return NULL;
}

static Err *forward(Request *request, Response *response)
{
    return forward_begin(side_of(request)->forwarder, request, response);
}

static void side_open(Pair *pair, Side *side, Str owner)
{
    ListenerOptions options = { .listen = STR("127.0.0.1:0"),
                                .router = pair->router,
                                .authorize = authorize,
                                .context = side,
                                .forward = side->forwarder == NULL ? NULL : forward,
                                .elsewhere = ERR_USAGE_OWNER_UNREACHABLE,
                                .owner = owner };
    assert_null(listener_open(pair->arena, &options, &side->listener));
    side->port = listener_port(side->listener);
}

static Str address(Pair *pair, uint16_t port)
{
    return str_print(pair->arena, "http://127.0.0.1:%u/", port);
}

static int pair_open(void **state)
{
    Pair *pair = memory_take(sizeof *pair);
    pair->arena = arena_open();
    pair->router = router_open(&(RouteList){ routes, sizeof routes / sizeof *routes }, 1);
    pair->other.forwarder =
        forwarder_open(&(ForwardOptions){ .answer_bytes = 1000, .answer_ms = 60000 });
    side_open(pair, &pair->owner, STR("5"));
    side_open(pair, &pair->other, STR_NONE);
    forwarder_owner_set(pair->other.forwarder, address(pair, pair->owner.port), STR("5"));
    *state = pair;
    return 0;
}

static int pair_close(void **state)
{
    Pair *pair = *state;
    listener_close(pair->other.listener, 1000000);
    forwarder_close(pair->other.forwarder);
    if (pair->owner.listener != NULL)
        listener_close(pair->owner.listener, 1000000);
    router_close(pair->router);
    arena_close(pair->arena);
    memory_release(pair);
    return 0;
}

static WireAnswer ask(Pair *pair, const char *line, const char *headers)
{
    return wire_ask(pair->arena, pair->other.port,
                    str_print(pair->arena, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers));
}

static WireAnswer get(Pair *pair, const char *target)
{
    return ask(pair, str_terminated(pair->arena, str_print(pair->arena, "GET %s", target)), "");
}

static bool holds(Str text, const char *part)
{
    return memmem(text.at, text.length, part, strlen(part)) != NULL;
}

static void is_refused(WireAnswer answer, const char *code)
{
    assert_int_equal(answer.status, 503);
    assert_true(holds(answer.body, code));
}

static void each_is_answered_where_it_must_be(void **state)
{
    Pair *pair = *state;
    assert_true(str_equal(get(pair, "/any").body, STR("other")));
    assert_true(str_equal(get(pair, "/owned").body, STR("owner")));
    WireAnswer answer = get(pair, "/perhaps");
    assert_int_equal(answer.status, 200);
    assert_true(str_equal(answer.body, STR("the owner's")));
    assert_false(holds(answer.head, "X-First: 1\r\nX-First"));
    WireAnswer conflict = get(pair, "/refused");
    assert_int_equal(conflict.status, 409);
    assert_true(holds(conflict.head, "application/problem+json"));
    assert_true(holds(conflict.body, "event_conflict"));
}

static void the_whole_request_goes_through(void **state)
{
    Pair      *pair = *state;
    WireAnswer answer = wire_ask(
        pair->arena, pair->other.port,
        wire_post(pair->arena, "/told/a%2Fb?q=x%20y",
                  "Content-Type: application/json\r\nIdempotency-Key: k1\r\nIf-Match: \"3\"\r\n"
                  "Accept: text/plain\r\nX-Secret: s\r\nX-Request-Id: mine\r\n",
                  STR("{\"a\":1}")));
    assert_int_equal(answer.status, 202);
    assert_true(str_equal(answer.body,
                          STR("POST a/b q=x y {\"a\":1} [k1] [\"3\"] [text/plain] []")));
    assert_true(holds(answer.head, "ETag: \"7\""));
    assert_true(holds(answer.head, "Request-Id: mine"));
    assert_false(holds(answer.head, "Toll-Owner"));
    answer = ask(pair, "DELETE /told/c", "");
    assert_true(str_equal(answer.body, STR("DELETE c q=  [] [] [] []")));
    answer = ask(pair, "POST /told/d", "");
    assert_true(str_equal(answer.body, STR("POST d q=  [] [] [] []")));
    answer = ask(pair, "DELETE http://there/told/e?q=1", "");
    assert_true(str_equal(answer.body, STR("DELETE e q=1  [] [] [] []")));
}

static void who_is_not_the_owner_is_not_heard(void **state)
{
    Pair *pair = *state;
    Str   at = address(pair, pair->owner.port);
    forwarder_owner_set(pair->other.forwarder, at, STR("6"));  // it was replaced
    is_refused(get(pair, "/owned"), "usage_owner_unreachable");
    is_refused(wire_ask(pair->arena, pair->other.port,
                        wire_post(pair->arena, "/told/a", "Content-Type: application/json\r\n",
                                  STR("1"))),
               "outcome_unknown");
    forwarder_owner_set(pair->other.forwarder, STR_NONE, STR_NONE);
    is_refused(get(pair, "/owned"), "there is none now");
    Text long_one = text_open(pair->arena);
    for (int i = 0; i < 600; i++)
        text_add_char(&long_one, 'a');
    forwarder_owner_set(pair->other.forwarder, text_str(&long_one), STR("5"));
    is_refused(get(pair, "/owned"), "there is none now");
    forwarder_owner_set(pair->other.forwarder, address(pair, pair->other.port), STR("5"));
    is_refused(get(pair, "/owned"), "usage_owner_unreachable");  // never forwarded on
    forwarder_owner_set(pair->other.forwarder, at, STR("5"));
    assert_int_equal(get(pair, "/owned").status, 200);
}

static void an_owner_that_is_gone(void **state)
{
    Pair *pair = *state;
    assert_int_equal(get(pair, "/owned").status, 200);
    listener_close(pair->owner.listener, 1000000);
    pair->owner.listener = NULL;
    is_refused(get(pair, "/owned"), "usage_owner_unreachable");
    is_refused(wire_ask(pair->arena, pair->other.port,
                        wire_post(pair->arena, "/told/a", "Content-Type: application/json\r\n",
                                  STR("1"))),
               "usage_owner_unreachable");
    assert_int_equal(get(pair, "/any").status, 200);
}

// An owner that takes requests and says what it is told to, then hangs up.
typedef struct Liar {
    int         socket;
    uint16_t    port;
    const char *says;
    Thread      thread;
} Liar;

static void *liar_run(void *argument)
{
    Liar *liar = argument;
    int   one;
    char  taken[4096];
    while ((one = accept(liar->socket, NULL, NULL)) >= 0) {
        if (recv(one, taken, sizeof taken, 0) > 0)
            send(one, liar->says, strlen(liar->says), MSG_NOSIGNAL);
        close(one);
    }
    return NULL;
}

static void liar_open(Liar *liar, const char *says)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          length = sizeof at;
    liar->says = says;
    liar->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(liar->socket, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(liar->socket, 8), 0);
    assert_int_equal(getsockname(liar->socket, (struct sockaddr *)&at, &length), 0);
    liar->port = ntohs(at.sin_port);
    thread_start(&liar->thread, "liar", liar_run, liar);
}

static void liar_close(Liar *liar)
{
    shutdown(liar->socket, SHUT_RDWR);
    thread_join(&liar->thread);
    close(liar->socket);
}

static void no_answer_is_no_answer(void **state)
{
    static const char *const lies[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nToll-Owner: 5\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",  // a stranger
        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nToll-Owner: 5\r\n\r\n",
    };
    Pair *pair = *state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        Liar liar = { 0 };
        liar_open(&liar, lies[i]);
        forwarder_owner_set(pair->other.forwarder, address(pair, liar.port), STR("5"));
        is_refused(get(pair, "/owned"), "usage_owner_unreachable");
        is_refused(ask(pair, "POST /told/a", "Content-Length: 0\r\n"), "outcome_unknown");
        is_refused(ask(pair, "DELETE /told/a", ""), "outcome_unknown");
        liar_close(&liar);
    }
}

// More than is allowed, without saying so first.
static void an_answer_that_is_too_large_is_none(void **state)
{
    Pair *pair = *state;
    Text  lie = text_open(pair->arena);
    Liar  liar = { 0 };
    text_add(&lie, STR("HTTP/1.1 200 OK\r\nToll-Owner: 5\r\n\r\n"));
    for (int i = 0; i < 1001; i++)
        text_add_char(&lie, 'a');
    liar_open(&liar, str_terminated(pair->arena, text_str(&lie)));
    forwarder_owner_set(pair->other.forwarder, address(pair, liar.port), STR("5"));
    is_refused(get(pair, "/owned"), "usage_owner_unreachable");
    liar_close(&liar);
}

static void *ask_often(void *argument)
{
    Pair *pair = argument;
    AUTO(Arena) arena = arena_open();
    for (int i = 0; i < 50; i++) {
        WireAnswer answer = wire_ask(arena, pair->other.port,
                                     STR("GET /owned HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_that(answer.status == 200 && str_equal(answer.body, STR("owner")));
    }
    return NULL;
}

static void many_at_once(void **state)
{
    Pair  *pair = *state;
    Thread threads[8] = { 0 };
    for (size_t i = 0; i < 8; i++)
        thread_start(&threads[i], "asker", ask_often, pair);
    for (size_t i = 0; i < 8; i++)
        thread_join(&threads[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_open, pair_close)
    log_threshold(LOG_ERROR);
    forwarder_close(NULL);
    const struct CMUnitTest tests[] = {
        TEST(each_is_answered_where_it_must_be),
        TEST(the_whole_request_goes_through),
        TEST(who_is_not_the_owner_is_not_heard),
        TEST(an_owner_that_is_gone),
        TEST(no_answer_is_no_answer),
        TEST(an_answer_that_is_too_large_is_none),
        TEST(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
