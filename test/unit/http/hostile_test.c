// SPDX-License-Identifier: Apache-2.0
// The listener against bytes that no well-behaved client sends, and against clients that send
// slowly or never: every one is refused or cut, nothing of it reaches a handler, and the next
// request is answered.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

static int fixture_open_slow(void **state)
{
    return fixture_open_with(state, (ListenerOptions){ .headers_ms = 200, .body_ms = 600,
                                                       .body_grace_ms = 200, .body_rate = 100000,
                                                       .idle_ms = 300 });
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
        "Content-Length: 3\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n",
        "Content-Length: 3\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n",
        "Content-Length: 3\r\nIdempotency-Key: a\r\nidempotency-key: a\r\n",
        "Content-Length: 3\r\nIf-Match: \"1\"\r\nIf-Match: \"2\"\r\n",
        "Content-Length: 3\r\nIf-None-Match: *\r\nIf-None-Match: *\r\n",
        "Content-Length: 3\r\nAuthorization: a\r\nAuthorization: b\r\n",
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
                 "POST /echo" HEAD JSON_TYPE "%s\r\n[1]GET /hello HTTP/1.1\r\n\r\n",
                 heads[i]);
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
        "GET /he llo HTTP/1.1\r\nHost: x\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        WireAnswer answer = ask(fixture, requests[i]);
        if (answer.status != 0 && answer.status != 400 && answer.status != 404 &&
            answer.status != 505)
            fail_msg("%d for %s", answer.status, requests[i]);
    }
    assert_int_equal(get(fixture, "/hello").status, 200);
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
    assert_int_equal(get(fixture, "/hello").status, 200);
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
    wire_send(wire, STR("POST /echo" HEAD JSON_TYPE "Content-Length: 60000\r\n\r\n"));
    while (wire_send(wire, STR("1")))
        usleep(20000);
    close(wire);
    wire = wire_connect(fixture->port);
    wire_send(wire, STR("POST /echo" HEAD JSON_TYPE "Content-Length: 60000\r\n\r\n1"));
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

int main(void)
{
#define TEST_WITH(name, open) cmocka_unit_test_setup_teardown(name, open, fixture_close)
#define TEST(name) TEST_WITH(name, fixture_open)
    const struct CMUnitTest tests[] = {
        TEST(test_smuggling_is_refused),
        TEST(test_bad_request_lines),
        TEST(test_huge_headers),
        TEST_WITH(test_slow_headers_are_cut, fixture_open_slow),
        TEST_WITH(test_dripping_body_is_cut, fixture_open_slow),
        TEST_WITH(test_refusal_is_told_to_a_slow_client, fixture_open_slow),
        TEST_WITH(test_idle_connections_are_closed, fixture_open_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
