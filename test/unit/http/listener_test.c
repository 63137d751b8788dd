// SPDX-License-Identifier: Apache-2.0
// The listener over real sockets: whole requests, refusals that wait for the body's end, content
// codings, suspended requests that other threads finish, and the drain.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "served.h"

static int fixture_open_narrow(void **state)
{
    return fixture_open_with(state, (ListenerOptions){ .bodies_bytes = 100 * 1024 });
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
        assert_true(str_equal(header_of(fixture, answer, "X-Extra"), STR("yes")));
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
    assert_true(str_equal(header_of(fixture, answer, "Content-Length"), STR("17")));
    assert_int_equal(answer.body.length, 0);
    close(wire);
}

static void test_post_runs_on_a_worker(void **state)
{
    Fixture   *fixture = *state;
    WireAnswer answer = post(fixture, "/echo", JSON_TYPE, STR("{\"a\":[1.0]}"));
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
    wire_send(wire, STR("POST /echo" HEAD JSON_TYPE
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
    wire_send(wire, STR("POST /echo" HEAD JSON_TYPE
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
    WireAnswer answer = ask(fixture, "GET /hello" HEAD "X-Request-Id: abc.1_2-3\r\n\r\n");
    assert_true(str_equal(header_of(fixture, answer, "Request-Id"), STR("abc.1_2-3")));
    answer = ask(fixture, "GET /hello" HEAD "X-Request-Id: a b\r\n\r\n");
    assert_int_equal(header_of(fixture, answer, "Request-Id").length, 32);
}

static void test_paths_are_decoded(void **state)
{
    Fixture *fixture = *state;
    holds(get(fixture, "/items/a%2Fb%20+%C3%A9").body, "\"a/b +\xc3\xa9\"");
    holds(get(fixture, "http://host/items/7").body, "\"7\"");
    is_problem(fixture, get(fixture, "/items/%ff"), 400, "parameter_invalid");
    is_problem(fixture, get(fixture, "/items/%00"), 400, "parameter_invalid");
    is_problem(fixture, get(fixture, "/items/%2"), 400, "parameter_invalid");
}

// ---- refusals

static void test_unknown_routes_and_methods(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, get(fixture, "/nothing"), 404, "route_not_found");
    is_problem(fixture, get(fixture, "/items"), 404, "route_not_found");
    is_problem(fixture, get(fixture, "/hello/"), 404, "route_not_found");
    WireAnswer answer = ask(fixture, "DELETE /hello" HEAD "\r\n");
    is_problem(fixture, answer, 405, "method_not_allowed");
    assert_true(str_equal(header_of(fixture, answer, "Allow"), STR("GET, HEAD")));
    is_problem(fixture, ask(fixture, "BREW /hello" HEAD "\r\n"), 405, "method_not_allowed");
}

static void test_unknown_parameter(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, get(fixture, "/hello?x=1"), 400, "unknown_parameter");
}

static void test_all_faults_are_listed(void **state)
{
    Fixture   *fixture = *state;
    WireAnswer answer = get(fixture, "/faulty");
    is_problem(fixture, answer, 400, "unknown_member");
    holds(answer.body, "\"errors\":[{\"pointer\":\"/b\",\"code\":\"field_invalid\"");
    holds(answer.body, "\"accepted\":0");
}

static void test_keys_are_asked_for(void **state)
{
    Fixture *fixture = *state;
    WireAnswer answer = post(fixture, "/guarded", JSON_TYPE, STR("[1]"));
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(str_equal(header_of(fixture, answer, "WWW-Authenticate"), STR("Bearer")));
    assert_false(answer.closed);
    answer = ask(fixture, "POST /guarded" HEAD JSON_TYPE "Content-Length: 65537\r\n\r\n");
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(answer.closed);
    answer = ask(fixture, "POST /guarded" HEAD JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    is_problem(fixture, answer, 401, "unauthenticated");
    assert_true(answer.closed);
    answer = post(fixture, "/guarded", JSON_TYPE "Authorization: Bearer reader\r\n", STR("[1]"));
    is_problem(fixture, answer, 403, "forbidden");
    assert_false(answer.closed);
    answer = post(fixture, "/guarded", JSON_TYPE "Authorization: Bearer good\r\n", STR("[1]"));
    assert_int_equal(answer.status, 201);
    assert_int_equal(fixture->handled, 1);
}

static void test_media_types(void **state)
{
    Fixture *fixture = *state;
    static const char *const wrong[] = { "", "Content-Type: text/plain\r\n",
                                         "Content-Type: application/json; charset=latin1\r\n" };
    for (size_t i = 0; i < 3; i++)
        is_problem(fixture, post(fixture, "/echo", wrong[i], STR("[1]")),
                   415, "unsupported_media_type");
    WireAnswer answer = post(fixture, "/echo",
                             "Content-Type: Application/JSON ; charset=\"UTF-8\"\r\n", STR("[1]"));
    assert_int_equal(answer.status, 201);
    answer = post(fixture, "/raw", "Content-Type: text/plain\r\n", STR("any"));
    assert_int_equal(answer.status, 200);
    assert_true(str_equal(header_of(fixture, answer, "Content-Type"), STR("text/plain")));
}

static void test_bad_json(void **state)
{
    Fixture *fixture = *state;
    is_problem(fixture, post(fixture, "/echo", JSON_TYPE, STR("{\"a\":01}")),
               400, "json_invalid");
    is_problem(fixture, post(fixture, "/echo", JSON_TYPE, STR("{\"a\":1,\"a\":2}")),
               400, "json_duplicate_member");
    is_problem(fixture, post(fixture, "/echo", JSON_TYPE, STR("")),
               400, "json_invalid");
}

// A refusal is answered behind the whole body, and the connection goes on.
static void test_refusals_wait_for_the_body(void **state)
{
    Fixture *fixture = *state;
    int      wire = wire_connect(fixture->port);
    char    *large = arena_take(fixture->arena, LIMIT);
    memset(large, 'x', LIMIT);
    Str whole = { large, LIMIT };
    wire_send(wire, wire_post(fixture->arena, "/nothing", JSON_TYPE, whole));
    is_problem(fixture, wire_answer(fixture->arena, wire), 404, "route_not_found");
    wire_send(wire, wire_post(fixture->arena, "/echo", "Content-Type: a/b\r\n", whole));
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
    WireAnswer answer = post(fixture, "/echo", JSON_TYPE, (Str){ digits, LIMIT });
    assert_int_equal(answer.status, 201);
    answer = post(fixture, "/echo", JSON_TYPE, (Str){ digits, LIMIT + 1 });
    is_problem(fixture, answer, 413, "body_too_large");
    assert_false(answer.closed);
    answer = ask(fixture, "POST /echo" HEAD JSON_TYPE
                          "Content-Length: 9223372036854775807\r\n\r\n1");
    is_problem(fixture, answer, 413, "body_too_large");
    int  wire = wire_connect(fixture->port);
    Text text = text_open(fixture->arena);
    text_print(&text, "POST /echo" HEAD JSON_TYPE
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
    is_problem(fixture, ask(fixture, "POST /echo" HEAD JSON_TYPE "\r\n"), 411, "length_required");
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
    assert_true(str_equal(header_of(fixture, answer, "Retry-After"), STR("1")));
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

#define GZIP JSON_TYPE "Content-Encoding: gzip\r\n"
#define ZSTD JSON_TYPE "Content-Encoding: zstd\r\n"

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
    Str      plain = STR("[1,2,3]");
    Str      packed[] = { gzip(fixture->arena, plain), zstd(fixture->arena, plain) };
    const char *const headers[] = { GZIP, JSON_TYPE "Content-Encoding: ZSTD\r\n" };
    for (size_t i = 0; i < 2; i++) {
        WireAnswer answer = post(fixture, "/echo", headers[i], packed[i]);
        assert_int_equal(answer.status, 201);
        assert_true(str_equal(answer.body, STR("[1,2,3]")));
        Str cut = { packed[i].at, packed[i].length - 3 };
        is_problem(fixture, post(fixture, "/echo", headers[i], cut),
                   400, "body_not_decodable");
        is_problem(fixture, post(fixture, "/echo", headers[i], STR("[1,2,3]")),
                   400, "body_not_decodable");
    }
    Text two = text_open(fixture->arena);
    text_add(&two, gzip(fixture->arena, STR("[1,")));
    text_add(&two, gzip(fixture->arena, STR("2]")));
    WireAnswer answer = post(fixture, "/echo", headers[0], text_str(&two));
    assert_true(str_equal(answer.body, STR("[1,2]")));
    text_add(&two, STR("garbage"));
    is_problem(fixture, post(fixture, "/echo", headers[0], text_str(&two)),
               400, "body_not_decodable");
}

static void test_other_codings_are_refused(void **state)
{
    Fixture *fixture = *state;
    static const char *const names[] = { "br", "deflate", "gzip, zstd", "gzip,gzip" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char headers[100];
        snprintf(headers, sizeof headers, JSON_TYPE "Content-Encoding: %s\r\n", names[i]);
        WireAnswer answer = post(fixture, "/echo", headers, STR("[1]"));
        is_problem(fixture, answer, 415, "unsupported_encoding");
        assert_true(str_equal(header_of(fixture, answer, "Accept-Encoding"), STR("gzip, zstd")));
    }
}

static void test_bombs(void **state)
{
    Fixture *fixture = *state;
    size_t   size = (size_t)64 << 20;
    char    *zeros = memory_take(size);
    Str      plain = { zeros, size };
    Str      packed[] = { gzip(fixture->arena, plain), zstd(fixture->arena, plain) };
    const char *const headers[] = { GZIP, ZSTD };
    memory_release(zeros);
    for (size_t i = 0; i < 2; i++) {
        assert_true(packed[i].length < LIMIT + 20000);
        Str bomb = { packed[i].at, packed[i].length < LIMIT ? packed[i].length : LIMIT };
        is_problem(fixture, post(fixture, "/echo", headers[i], bomb),
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
    is_problem(fixture, post(fixture, "/echo", ZSTD, (Str){ packed, out.pos }),
               400, "body_not_decodable");
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
    for (int i = 0; i < 5; i++) {
        int wire = wire_connect(fixture->port);
        Text requests = text_open(fixture->arena);
        for (int k = 0; k < 4; k++)
            text_add(&requests, wire_post(fixture->arena, k % 2 ? "/echo" : "/later", JSON_TYPE,
                                          STR("[1]")));
        wire_send(wire, text_str(&requests));
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
    assert_int_equal(get(fixture, "/hello").status, 200);
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
        TEST(test_suspended_request_is_answered),
        TEST(test_half_closed_connection_is_answered),
        TEST(test_client_that_left),
        TEST(test_drain_answers_what_was_begun),
        TEST(test_taken_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
