// SPDX-License-Identifier: Apache-2.0
// The listener over real sockets: whole requests, refusals that wait for the body's end, hostile ones, slow ones,
// suspended ones that other threads finish, and the drain.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/thread.h"
#include "http/listener.h"
#include "wire.h"

enum { LIMIT = 64 * 1024 };

typedef struct Fixture {
    Arena    *arena;
    Router   *router;
    Listener *listener;
    uint16_t  port;
    Queue    *later;      // suspended requests
    Thread    finisher;
    atomic_int handled;
    atomic_bool hold;     // the finisher waits while this is set
} Fixture;

static Err *hello(Request *request, Response *response)
{
    (void)request;
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "hello", STR("world"));
    json_object_end(&out);
    response_header(response, "X-Extra", STR("yes"));
    return NULL;
}

static Err *echo(Request *request, Response *response)
{
    Json *root;
    ((Fixture *)request->server)->handled++;
    TRY(request_json(request, &root));
    JsonOut out = response_json(response);
    json_value(&out, root);
    return NULL;
}

static Err *raw(Request *request, Response *response)
{
    ((Fixture *)request->server)->handled++;
    text_add(&response->body, request->body);
    return NULL;
}

static Err *later_done(Request *request, Response *response)
{
    if (str_equal(request->body, STR("\"refuse\"")))
        return refuse(request->arena, ERR_EVENT_CONFLICT, STR_NONE, "as asked");
    text_add(&response->body, request->body);
    return NULL;
}

static Err *later(Request *request, Response *response)
{
    Fixture *fixture = request->server;
    (void)response;
    fixture->handled++;
    request_suspend(request, later_done);
    if (str_equal(request->body, STR("\"not\"")) || !queue_put(fixture->later, request))
        return refuse(request->arena, ERR_QUEUE_FULL, STR_NONE, "no room");
    return NULL;
}

static Err *faulty(Request *request, Response *response)
{
    Faults faults = { .arena = request->arena };
    faults_add(&faults, ERR_FIELD_INVALID, STR("/b"), "b must be larger");
    faults_add(&faults, ERR_UNKNOWN_MEMBER, STR("/a"), "a is not a member");
    JsonOut out = response_problem_members(response);
    json_whole_member(&out, "accepted", 0);
    return faults.first;
}

static Err *path_echo(Request *request, Response *response)
{
    JsonOut out = response_json(response);
    json_string(&out, request_path(request, "id"));
    return NULL;
}

static const Shape any_shape = { .name = "Any", .open = true };
static const Body  text_bodies[] = { { "text/plain", NULL } };

static const Route routes[] = {
    { .name = "hello", .method = METHOD_GET, .path = "/hello", .runs = RUNS_ON_HTTP_THREAD,
      .gives = &any_shape, .handler = hello, .doc = "Says hello." },
    { .name = "echo", .method = METHOD_POST, .path = "/echo", .takes = &any_shape,
      .gives = &any_shape, .status = 201, .handler = echo, .doc = "Answers the body." },
    { .name = "raw", .method = METHOD_POST, .path = "/raw", OTHER(text_bodies),
      .gives_media = "text/plain", .handler = raw, .doc = "Answers the body as it is." },
    { .name = "later", .method = METHOD_POST, .path = "/later", .runs = RUNS_ON_HTTP_THREAD,
      .takes = &any_shape, .gives = &any_shape, .handler = later, .doc = "Answers the body later." },
    { .name = "faulty", .method = METHOD_GET, .path = "/faulty", .handler = faulty, .doc = "Refuses." },
    { .name = "item", .method = METHOD_GET, .path = "/items/{id}", .gives = &any_shape,
      .handler = path_echo, .doc = "Answers its id." },
    { .name = "guarded", .method = METHOD_POST, .path = "/guarded", .scope = "things:write",
      .takes = &any_shape, .gives = &any_shape, .status = 201, .handler = echo, .doc = "Needs a key." },
};

static Err *authorize(void *context, Request *request, const char *scope)
{
    Str header = request_header(request, "Authorization");
    (void)context;
    assert_string_equal(scope, "things:write");
    if (str_equal(header, STR("Bearer reader")))
        return refuse(request->arena, ERR_FORBIDDEN, STR_NONE, "the key lacks %s", scope);
    if (!str_equal(header, STR("Bearer good")))
        return refuse(request->arena, ERR_UNAUTHENTICATED, STR_NONE, "send a key");
    return NULL;
}

static void *finish_all(void *argument)
{
    Fixture *fixture = argument;
    Request *request;
    while ((request = queue_take(fixture->later)) != NULL) {
        while (fixture->hold)
            usleep(1000);
        request_finish(request);
    }
    return NULL;
}

static int fixture_open_with(void **state, ListenerOptions options)
{
    Fixture *fixture = memory_take(sizeof *fixture);
    fixture->arena = arena_open();
    fixture->router = router_open(&(RouteList){ routes, sizeof routes / sizeof *routes }, 1);
    fixture->later = queue_open(4096);
    thread_start(&fixture->finisher, "finisher", finish_all, fixture);
    options.listen = STR("127.0.0.1:0");
    options.router = fixture->router;
    options.authorize = authorize;
    options.context = fixture;
    Err *refusal = listener_open(fixture->arena, &options, &fixture->listener);
    assert_null(refusal);
    fixture->port = listener_port(fixture->listener);
    *state = fixture;
    return 0;
}

static int fixture_open(void **state)
{
    return fixture_open_with(state, (ListenerOptions){ .body_bytes = LIMIT });
}

static int fixture_open_slow(void **state)
{
    return fixture_open_with(state, (ListenerOptions){ .headers_ms = 200, .body_ms = 600,
                                                       .body_grace_ms = 200, .body_rate = 100000,
                                                       .idle_ms = 300 });
}

static int fixture_open_narrow(void **state)
{
    return fixture_open_with(state, (ListenerOptions){ .bodies_bytes = 100 * 1024 });
}

static int fixture_close(void **state)
{
    Fixture *fixture = *state;
    if (fixture->listener != NULL)
        listener_close(fixture->listener, 1000000);
    queue_stop(fixture->later);
    thread_join(&fixture->finisher);
    queue_close(fixture->later);
    router_close(fixture->router);
    arena_close(fixture->arena);
    memory_release(fixture);
    assert_int_equal(counter_get(METRIC_HTTP_BODY_BYTES), 0);
    assert_int_equal(counter_get(METRIC_HTTP_CONNECTIONS), 0);
    return 0;
}

static WireAnswer ask(Fixture *fixture, const char *request)
{
    return wire_ask(fixture->arena, fixture->port, str_of(request));
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static void holds(Str text, const char *part)
{
    if (memmem(text.at, text.length, part, strlen(part)) == NULL)
        fail_msg("\"%s\" is not in: %.*s", part, STR_ARG(text));
}

static void is_problem(Fixture *fixture, WireAnswer answer, int status, const char *code)
{
    if (answer.status != status)
        fail_msg("status %d, not %d: %.*s", answer.status, status, STR_ARG(answer.body));
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Content-Type"),
                          STR("application/problem+json")));
    Str   id = wire_header(fixture->arena, answer.head, "Request-Id");
    Json *root;
    assert_true(id.length > 0);
    assert_null(json_parse_copy(fixture->arena, answer.body, &root));
    assert_true(str_equal(json_find(root, STR("code"))->text, str_of(code)));
    assert_true(str_equal(json_find(root, STR("requestId"))->text, id));
    static const char *const members[] = { "type", "title", "status", "detail" };
    for (size_t i = 0; i < 4; i++)
        assert_non_null(json_find(root, str_of(members[i])));
}

// ---- plain requests

static void test_answers_and_keeps_the_connection(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    for (int i = 0; i < 3; i++) {
        wire_send(wire, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
        WireAnswer answer = wire_answer(fixture->arena, wire);
        assert_int_equal(answer.status, 200);
        assert_true(str_equal(answer.body, STR("{\"hello\":\"world\"}")));
        assert_true(str_equal(wire_header(fixture->arena, answer.head, "X-Extra"), STR("yes")));
        assert_false(answer.closed);
    }
    close(wire);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    Text     text = text_open(fixture->arena);
    for (int i = 0; i < 20; i++)
        text_print(&text, "GET /items/%d HTTP/1.1\r\nHost: x\r\n%s\r\n", i,
                   i == 19 ? "Connection: close\r\n" : "");
    wire_send(wire, text_str(&text));
    Text all = text_open(fixture->arena);
    wire_fill(wire, &all, SIZE_MAX);
    *text_reserve(&all, 1) = 0;
    const char *at = all.at;
    for (int i = 0; i < 20; i++) {
        char body[32];
        snprintf(body, sizeof body, "\r\n\r\n\"%d\"", i);
        at = strstr(at, body);
        assert_non_null(at);
    }
    close(wire);
}

static void test_head_has_no_body(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    WireAnswer answer = wire_answer_to(fixture->arena, wire, false);
    assert_int_equal(answer.status, 200);
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Content-Length"), STR("17")));
    assert_int_equal(answer.body.length, 0);
    close(wire);
}

static void test_post_runs_on_a_worker(void **state)
{
    Fixture   *fixture = *state;
    WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE, STR("{\"a\":[1.0]}")));
    assert_int_equal(answer.status, 201);
    assert_true(str_equal(answer.body, STR("{\"a\":[1.0]}")));
}

static void test_body_in_pieces_and_chunks(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    Str      whole = wire_post(fixture->arena, "/echo", JSON_TYPE, STR("{\"piece\":\"by piece\"}"));
    for (size_t i = 0; i < whole.length; i++)
        assert_true(wire_send(wire, (Str){ whole.at + i, 1 }));
    assert_int_equal(wire_answer(fixture->arena, wire).status, 201);
    wire_send(wire, STR("POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                        "Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\n\r\n"));
    WireAnswer answer = wire_answer(fixture->arena, wire);
    assert_int_equal(answer.status, 201);
    assert_true(str_equal(answer.body, STR("[1,2]")));
    close(wire);
}

static void test_expect_continue(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                        "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    Text interim = text_open(fixture->arena);
    assert_true(wire_fill(wire, &interim, 25));
    holds(text_str(&interim), "100 Continue");
    wire_send(wire, STR("[1]"));
    assert_int_equal(wire_answer(fixture->arena, wire).status, 201);
    close(wire);
}

static void test_request_id(void **state)
{
    Fixture   *fixture = *state;
    WireAnswer answer = ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc.1_2-3\r\n\r\n");
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Request-Id"), STR("abc.1_2-3")));
    answer = ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n");
    assert_int_equal(wire_header(fixture->arena, answer.head, "Request-Id").length, 32);
}

static void test_paths_are_decoded(void **state)
{
    Fixture *fixture = *state;
    holds(ask(fixture, "GET /items/a%2Fb%20+%C3%A9 HTTP/1.1\r\nHost: x\r\n\r\n").body, "\"a/b +\xc3\xa9\"");
    holds(ask(fixture, "GET http://host/items/7 HTTP/1.1\r\nHost: x\r\n\r\n").body, "\"7\"");
    is_problem(fixture, ask(fixture, "GET /items/%ff HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "parameter_invalid");
    is_problem(fixture, ask(fixture, "GET /items/%00 HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "parameter_invalid");
    is_problem(fixture, ask(fixture, "GET /items/%2 HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "parameter_invalid");
}

// ---- refusals

static void test_unknown_routes_and_methods(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, ask(fixture, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), 404, "route_not_found");
    is_problem(fixture, ask(fixture, "GET /items HTTP/1.1\r\nHost: x\r\n\r\n"), 404, "route_not_found");
    is_problem(fixture, ask(fixture, "GET /hello/ HTTP/1.1\r\nHost: x\r\n\r\n"), 404, "route_not_found");
    WireAnswer answer = ask(fixture, "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    is_problem(fixture, answer, 405, "method_not_allowed");
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Allow"), STR("GET, HEAD")));
    is_problem(fixture, ask(fixture, "BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 405, "method_not_allowed");
}

static void test_unknown_parameter(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, ask(fixture, "GET /hello?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "unknown_parameter");
}

static void test_all_faults_are_listed(void **state)
{
    Fixture   *fixture = *state;
    WireAnswer answer = ask(fixture, "GET /faulty HTTP/1.1\r\nHost: x\r\n\r\n");
    is_problem(fixture, answer, 400, "unknown_member");
    holds(answer.body, "\"errors\":[{\"pointer\":\"/b\",\"code\":\"field_invalid\"");
    holds(answer.body, "\"accepted\":0");
}

static void test_keys_are_asked_for(void **state)
{
    Fixture *fixture = *state;
    WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/guarded", JSON_TYPE, STR("[1]")));
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "WWW-Authenticate"), STR("Bearer")));
    assert_false(answer.closed);
    answer = ask(fixture, "POST /guarded HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "Content-Length: 65537\r\n\r\n");
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(answer.closed);
    answer = ask(fixture, "POST /guarded HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(answer.closed);
    answer = wire_ask(fixture->arena, fixture->port,
                      wire_post(fixture->arena, "/guarded",
                                JSON_TYPE "Authorization: Bearer reader\r\n", STR("[1]")));
    is_problem(fixture, answer, 403, "forbidden");
    assert_false(answer.closed);
    answer = wire_ask(fixture->arena, fixture->port,
                      wire_post(fixture->arena, "/guarded",
                                JSON_TYPE "Authorization: Bearer good\r\n", STR("[1]")));
    assert_int_equal(answer.status, 201);
    assert_int_equal(fixture->handled, 1);
}

static void test_media_types(void **state)
{
    Fixture *fixture = *state;
    static const char *const wrong[] = { "", "Content-Type: text/plain\r\n",
                                         "Content-Type: application/json; charset=latin1\r\n" };
    for (size_t i = 0; i < 3; i++)
        is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", wrong[i], STR("[1]"))),
                   415, "unsupported_media_type");
    WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo",
                                           "Content-Type: Application/JSON ; charset=\"UTF-8\"\r\n", STR("[1]")));
    assert_int_equal(answer.status, 201);
    answer = wire_ask(fixture->arena, fixture->port,
                      wire_post(fixture->arena, "/raw", "Content-Type: text/plain\r\n", STR("any")));
    assert_int_equal(answer.status, 200);
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Content-Type"), STR("text/plain")));
}

static void test_bad_json(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE, STR("{\"a\":01}"))),
               400, "json_invalid");
    is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE, STR("{\"a\":1,\"a\":2}"))),
               400, "json_duplicate_member");
    is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE, STR(""))),
               400, "json_invalid");
}

// A refusal is answered behind the whole body, and the connection goes on.
static void test_refusals_wait_for_the_body(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    char    *large = arena_take(fixture->arena, LIMIT);
    memset(large, 'x', LIMIT);
    wire_send(wire, wire_post(fixture->arena, "/nothing", JSON_TYPE, (Str){ large, LIMIT }));
    is_problem(fixture, wire_answer(fixture->arena, wire), 404, "route_not_found");
    wire_send(wire, wire_post(fixture->arena, "/echo", "Content-Type: a/b\r\n", (Str){ large, LIMIT }));
    is_problem(fixture, wire_answer(fixture->arena, wire), 415, "unsupported_media_type");
    wire_send(wire, wire_post(fixture->arena, "/echo", JSON_TYPE, STR("[1]")));
    assert_int_equal(wire_answer(fixture->arena, wire).status, 201);
    close(wire);
    assert_int_equal(fixture->handled, 1);
}

static void test_body_limit(void **state)
{
    Fixture *fixture = *state;
    char    *digits = arena_take(fixture->arena, 2 * LIMIT);
    memset(digits, '1', 2 * LIMIT);
    WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE, (Str){ digits, LIMIT }));
    assert_int_equal(answer.status, 201);
    answer = wire_ask(fixture->arena, fixture->port,
                      wire_post(fixture->arena, "/echo", JSON_TYPE, (Str){ digits, LIMIT + 1 }));
    is_problem(fixture, answer, 413, "body_too_large");
    assert_false(answer.closed);
    answer = ask(fixture, "POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                          "Content-Length: 9223372036854775807\r\n\r\n1");
    is_problem(fixture, answer, 413, "body_too_large");
    int  wire = wire_connect(fixture->port);
    Text text = text_open(fixture->arena);
    text_print(&text, "POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                      "Transfer-Encoding: chunked\r\n\r\n%x\r\n", 2 * LIMIT);
    text_add_bytes(&text, digits, 2 * LIMIT);
    text_add(&text, STR("\r\n0\r\n\r\n"));
    wire_send(wire, text_str(&text));
    is_problem(fixture, wire_answer(fixture->arena, wire), 413, "body_too_large");
    close(wire);
}

static void test_length_required(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, ask(fixture, "POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "\r\n"), 411, "length_required");
}

static void test_all_bodies_together_are_limited(void **state)
{
    Fixture *fixture = *state;
    enum { SIZE = 60 * 1024 };
    char *digits = arena_take(fixture->arena, SIZE);
    memset(digits, '1', SIZE);
    Str request = wire_post(fixture->arena, "/echo", JSON_TYPE, (Str){ digits, SIZE });
    int first = wire_connect(fixture->port), second = wire_connect(fixture->port);
    wire_send(first, (Str){ request.at, request.length - 1 });
    while (counter_get(METRIC_HTTP_BODY_BYTES) < SIZE - 1)
        usleep(1000);
    wire_send(second, request);
    WireAnswer answer = wire_answer(fixture->arena, second);
    is_problem(fixture, answer, 503, "queue_full");
    assert_true(str_equal(wire_header(fixture->arena, answer.head, "Retry-After"), STR("1")));
    wire_send(first, STR("1"));
    assert_int_equal(wire_answer(fixture->arena, first).status, 201);
    close(first);
    while (counter_get(METRIC_HTTP_BODY_BYTES) > 0)
        usleep(1000);
    wire_send(second, request);
    assert_int_equal(wire_answer(fixture->arena, second).status, 201);
    close(second);
}

// ---- content codings

static Str gzip(Arena *arena, Str plain)
{
    z_stream stream = { 0 };
    size_t   room = plain.length + 1000;
    char    *to = arena_take(arena, room);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)plain.at;
    stream.avail_in = (uInt)plain.length;
    stream.next_out = (Bytef *)to;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    Str packed = { to, room - stream.avail_out };
    deflateEnd(&stream);
    return packed;
}

static Str zstd(Arena *arena, Str plain)
{
    size_t room = ZSTD_compressBound(plain.length);
    char  *to = arena_take(arena, room);
    return (Str){ to, ZSTD_compress(to, room, plain.at, plain.length, 3) };
}

static void test_codings_are_decoded(void **state)
{
    Fixture *fixture = *state;
    Str      packed[] = { gzip(fixture->arena, STR("[1,2,3]")), zstd(fixture->arena, STR("[1,2,3]")) };
    const char *const headers[] = { JSON_TYPE "Content-Encoding: gzip\r\n", JSON_TYPE "Content-Encoding: ZSTD\r\n" };
    for (size_t i = 0; i < 2; i++) {
        WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", headers[i], packed[i]));
        assert_int_equal(answer.status, 201);
        assert_true(str_equal(answer.body, STR("[1,2,3]")));
        Str cut = { packed[i].at, packed[i].length - 3 };
        is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", headers[i], cut)),
                   400, "body_not_decodable");
        is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", headers[i], STR("[1,2,3]"))),
                   400, "body_not_decodable");
    }
    Text two = text_open(fixture->arena);
    text_add(&two, gzip(fixture->arena, STR("[1,")));
    text_add(&two, gzip(fixture->arena, STR("2]")));
    WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", headers[0], text_str(&two)));
    assert_true(str_equal(answer.body, STR("[1,2]")));
    text_add(&two, STR("garbage"));
    is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", headers[0], text_str(&two))),
               400, "body_not_decodable");
}

static void test_other_codings_are_refused(void **state)
{
    Fixture *fixture = *state;
    static const char *const names[] = { "br", "deflate", "gzip, zstd", "gzip,gzip" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char headers[100];
        snprintf(headers, sizeof headers, JSON_TYPE "Content-Encoding: %s\r\n", names[i]);
        WireAnswer answer = wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", headers, STR("[1]")));
        is_problem(fixture, answer, 415, "unsupported_encoding");
        assert_true(str_equal(wire_header(fixture->arena, answer.head, "Accept-Encoding"), STR("gzip, zstd")));
    }
}

static void test_bombs(void **state)
{
    Fixture *fixture = *state;
    size_t   size = (size_t)64 << 20;
    char    *zeros = memory_take(size);
    Str      packed[] = { gzip(fixture->arena, (Str){ zeros, size }), zstd(fixture->arena, (Str){ zeros, size }) };
    const char *const headers[] = { JSON_TYPE "Content-Encoding: gzip\r\n", JSON_TYPE "Content-Encoding: zstd\r\n" };
    memory_release(zeros);
    for (size_t i = 0; i < 2; i++) {
        assert_true(packed[i].length < LIMIT + 20000);
        Str bomb = { packed[i].at, packed[i].length < LIMIT ? packed[i].length : LIMIT };
        is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                     wire_post(fixture->arena, "/echo", headers[i], bomb)),
                   413, "body_too_large");
    }
}

static void test_zstd_window_is_limited(void **state)
{
    Fixture   *fixture = *state;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 25);
    char           packed[1000];
    ZSTD_inBuffer  in = { "[1,2,3]", 7, 0 };
    ZSTD_outBuffer out = { packed, sizeof packed, 0 };
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    is_problem(fixture, wire_ask(fixture->arena, fixture->port,
                                 wire_post(fixture->arena, "/echo", JSON_TYPE "Content-Encoding: zstd\r\n",
                                           (Str){ packed, out.pos })),
               400, "body_not_decodable");
}

// ---- hostile framing

static void test_smuggling_is_refused(void **state)
{
    Fixture *fixture = *state;
    static const char *const heads[] = {
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 3\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 3\r\n",
        "Transfer-Enc: chunked\r\n oding\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nX: a\r\n b\r\n",
        "Content-Length: 3\r\nX: a\rTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nX\r: a\r\n",
        "Content-Length: 3\r\nX: a\x01\r\n",
        "Content-Length: 3\r\n\x80X: a\r\n",
        "Content-Length: 3\r\nHost: y\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 3\r\nno colon\r\n",
        "Content-Length: 3\r\n: empty\r\n",
        "Content-Length: 3\n",
        "Content-Length: 3\nX: a\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char request[400];
        snprintf(request, sizeof request,
                 "POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "%s\r\n[1]GET /hello HTTP/1.1\r\n\r\n", heads[i]);
        WireAnswer answer = ask(fixture, request);
        if (answer.status != 400 || !answer.closed)
            fail_msg("%d for %s: %.*s", answer.status, heads[i], STR_ARG(answer.body));
    }
    assert_int_equal(fixture->handled, 0);
}

static void test_bad_request_lines(void **state)
{
    Fixture *fixture = *state;
    static const char *const requests[] = {
        "GET /hello\r\n\r\n", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", "\x01\x02\x03\r\n\r\n",
        "GET /he llo HTTP/1.1\r\nHost: x\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        WireAnswer answer = ask(fixture, requests[i]);
        if (answer.status != 0 && answer.status != 400 && answer.status != 404 && answer.status != 505)
            fail_msg("%d for %s", answer.status, requests[i]);
    }
    assert_int_equal(ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

static void test_huge_headers(void **state)
{
    Fixture *fixture = *state;
    Text     text = text_open(fixture->arena);
    text_add(&text, STR("GET /hello HTTP/1.1\r\nHost: x\r\nX: "));
    for (int i = 0; i < 100000; i++)
        text_add_char(&text, 'a');
    text_add(&text, STR("\r\n\r\n"));
    int wire = wire_connect(fixture->port);
    wire_send(wire, text_str(&text));
    WireAnswer answer = wire_answer(fixture->arena, wire);
    assert_true(answer.status == 431 || answer.status == 0);
    close(wire);
    assert_int_equal(ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

// ---- slow clients

static void test_slow_headers_are_cut(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("GET /hello HTTP/1.1\r\nHost: x\r\n"));
    WireAnswer answer = wire_answer(fixture->arena, wire);
    is_problem(fixture, answer, 408, "request_timeout");
    assert_true(answer.closed);
    close(wire);
}

// A byte now and then does not help: the deadline is absolute, and there is a least rate.
static void test_dripping_body_is_cut(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "Content-Length: 60000\r\n\r\n"));
    while (wire_send(wire, STR("1")))
        usleep(20000);
    close(wire);
    wire = wire_connect(fixture->port);
    wire_send(wire, STR("POST /echo HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "Content-Length: 60000\r\n\r\n1"));
    is_problem(fixture, wire_answer(fixture->arena, wire), 408, "request_timeout");
    close(wire);
    assert_int_equal(fixture->handled, 0);
}

// A refusal that waits for the body's end is told when the body never ends.
static void test_refusal_is_told_to_a_slow_client(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n1"));
    is_problem(fixture, wire_answer(fixture->arena, wire), 404, "route_not_found");
    close(wire);
}

static void test_idle_connections_are_closed(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    wire_send(wire, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(wire_answer(fixture->arena, wire).status, 200);
    assert_int_equal(wire_answer(fixture->arena, wire).status, 0);
    close(wire);
    wire = wire_connect(fixture->port);
    assert_int_equal(wire_answer(fixture->arena, wire).status, 0);
    close(wire);
}

// ---- suspended requests

static void test_suspended_request_is_answered(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    for (int i = 0; i < 200; i++) {
        wire_send(wire, wire_post(fixture->arena, "/later", JSON_TYPE, STR("[\"later\"]")));
        WireAnswer answer = wire_answer(fixture->arena, wire);
        assert_int_equal(answer.status, 200);
        assert_true(str_equal(answer.body, STR("[\"later\"]")));
    }
    wire_send(wire, wire_post(fixture->arena, "/later", JSON_TYPE, STR("\"refuse\"")));
    is_problem(fixture, wire_answer(fixture->arena, wire), 409, "event_conflict");
    wire_send(wire, wire_post(fixture->arena, "/later", JSON_TYPE, STR("\"not\"")));
    is_problem(fixture, wire_answer(fixture->arena, wire), 503, "queue_full");
    close(wire);
}

// A client may shut down its sending side as soon as it has sent all.
static void test_half_closed_connection_is_answered(void **state)
{
    Fixture *fixture = *state;
    for (int i = 0; i < 50; i++) {
        int wire = wire_connect(fixture->port);
        for (int k = 0; k < 4; k++)
            wire_send(wire, wire_post(fixture->arena, k % 2 ? "/echo" : "/later", JSON_TYPE, STR("[1]")));
        shutdown(wire, SHUT_WR);
        Text all = text_open(fixture->arena);
        wire_fill(wire, &all, SIZE_MAX);
        *text_reserve(&all, 1) = 0;
        int answers = 0;
        for (const char *at = all.at; (at = strstr(at, "\r\n\r\n[1]")) != NULL; at++)
            answers++;
        assert_int_equal(answers, 4);
        close(wire);
    }
}

// The client is gone when the answer comes.
static void test_client_that_left(void **state)
{
    Fixture *fixture = *state;
    fixture->hold = true;
    for (int i = 0; i < 20; i++) {
        int wire = wire_connect(fixture->port);
        wire_send(wire, wire_post(fixture->arena, "/later", JSON_TYPE, STR("[1]")));
        while (fixture->handled <= i)
            usleep(1000);
        close(wire);
    }
    fixture->hold = false;
    assert_int_equal(ask(fixture, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

// ---- the drain

static void *close_listener(void *argument)
{
    Fixture *fixture = argument;
    listener_close(fixture->listener, 10000000);
    fixture->listener = NULL;
    return NULL;
}

static void test_drain_answers_what_was_begun(void **state)
{
    Fixture *fixture = *state;
    int      wires[10];
    int      idle = wire_connect(fixture->port);
    wire_send(idle, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(wire_answer(fixture->arena, idle).status, 200);
    fixture->hold = true;
    for (int i = 0; i < 10; i++) {
        wires[i] = wire_connect(fixture->port);
        wire_send(wires[i], wire_post(fixture->arena, "/later", JSON_TYPE, STR("[1]")));
    }
    while (fixture->handled < 10)
        usleep(1000);
    listener_quiesce(fixture->listener);
    int late;
    while ((late = wire_connect(fixture->port)) >= 0) {
        close(late);
        usleep(1000);
    }
    Thread closing = { 0 };
    thread_start(&closing, "closing", close_listener, fixture);
    usleep(50000);
    assert_non_null(fixture->listener);
    fixture->hold = false;
    for (int i = 0; i < 10; i++) {
        WireAnswer answer = wire_answer(fixture->arena, wires[i]);
        assert_int_equal(answer.status, 200);
        assert_true(answer.closed);
        close(wires[i]);
    }
    thread_join(&closing);
    assert_int_equal(wire_answer(fixture->arena, idle).status, 0);
    close(idle);
}

static void test_taken_address_is_refused(void **state)
{
    Fixture        *fixture = *state;
    Listener       *other;
    ListenerOptions options = { .router = fixture->router, .authorize = authorize };
    options.listen = str_print(fixture->arena, "127.0.0.1:%u", fixture->port);
    Err *refusal = listener_open(fixture->arena, &options, &other);
    assert_non_null(refusal);
    static const char *const wrong[] = { "127.0.0.1", ":1", "127.0.0.1:x", "127.0.0.1:70000", "" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.listen = str_of(wrong[i]);
        assert_non_null(listener_open(fixture->arena, &options, &other));
    }
}

int main(void)
{
#define TEST_WITH(name, open) cmocka_unit_test_setup_teardown(name, open, fixture_close)
#define TEST(name) TEST_WITH(name, fixture_open)
    const struct CMUnitTest tests[] = {
        TEST(test_answers_and_keeps_the_connection),
        TEST(test_pipelined_requests_are_answered_in_order),
        TEST(test_head_has_no_body),
        TEST(test_post_runs_on_a_worker),
        TEST(test_body_in_pieces_and_chunks),
        TEST(test_expect_continue),
        TEST(test_request_id),
        TEST(test_paths_are_decoded),
        TEST(test_unknown_routes_and_methods),
        TEST(test_unknown_parameter),
        TEST(test_all_faults_are_listed),
        TEST(test_keys_are_asked_for),
        TEST(test_media_types),
        TEST(test_bad_json),
        TEST(test_refusals_wait_for_the_body),
        TEST(test_body_limit),
        TEST(test_length_required),
        TEST_WITH(test_all_bodies_together_are_limited, fixture_open_narrow),
        TEST(test_codings_are_decoded),
        TEST(test_other_codings_are_refused),
        TEST(test_bombs),
        TEST(test_zstd_window_is_limited),
        TEST(test_smuggling_is_refused),
        TEST(test_bad_request_lines),
        TEST(test_huge_headers),
        TEST_WITH(test_slow_headers_are_cut, fixture_open_slow),
        TEST_WITH(test_dripping_body_is_cut, fixture_open_slow),
        TEST_WITH(test_refusal_is_told_to_a_slow_client, fixture_open_slow),
        TEST_WITH(test_idle_connections_are_closed, fixture_open_slow),
        TEST(test_suspended_request_is_answered),
        TEST(test_half_closed_connection_is_answered),
        TEST(test_client_that_left),
        TEST(test_drain_answers_what_was_begun),
        TEST(test_taken_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
