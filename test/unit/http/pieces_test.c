// SPDX-License-Identifier: Apache-2.0
// Answers that are made piece by piece while they are sent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/listener.h"
#include "wire.h"

enum { PIECES = 400, PIECE_LINES = 300 };

typedef struct Fixture {
    Arena    *arena;
    Router   *router;
    Listener *listener;
    uint16_t  port;
} Fixture;

static void lines_add(Text *body, uint64_t piece)
{
    for (uint64_t i = 0; i < PIECE_LINES; i++)
        text_print(body, "piece %llu line %llu\n", (unsigned long long)piece,
                   (unsigned long long)i);
}

static Err *piece_more(Request *request, Response *response, bool *ended)
{
    uint64_t *piece = response->more_state;
    Str       path = request->path;
    *piece += 1;
    if (*piece == 7 && str_equal(path, STR("/broken")))
        return refuse(request->arena, ERR_STORE_FAILED, STR_NONE, "as asked");
    if (*piece % 3 != 0)  // some are empty
        lines_add(&response->body, *piece);
    *ended = *piece == PIECES;
    return NULL;
}

static Err *pieces(Request *request, Response *response)
{
    if (str_equal(request->path, STR("/none")))
        return refuse(request->arena, ERR_EVENT_NOT_FOUND, STR_NONE, "as asked");
    response->more = piece_more;
    response->more_state = arena_new(request->arena, uint64_t);
    lines_add(&response->body, 0);
    return NULL;
}

static const Route routes[] = {
    { .name = "whole", .method = METHOD_GET, .path = "/whole", .gives_media = "text/plain",
      .doc = "A long answer.", .handler = pieces },
    { .name = "broken", .method = METHOD_GET, .path = "/broken", .gives_media = "text/plain",
      .doc = "One that breaks off.", .handler = pieces },
    { .name = "none", .method = METHOD_GET, .path = "/none", .gives_media = "text/plain",
      REFUSES(ERR_EVENT_NOT_FOUND), .doc = "One that is refused.", .handler = pieces },
};

static Err *anybody(void *context, Request *request, const char *scope)
{
    (void)context;
    (void)request;
    (void)scope;
    return NULL;
}

static int fixture_open(void **state)
{
    Arena          *arena = arena_open();
    Fixture        *fixture = arena_new(arena, Fixture);
    RouteList       list = { routes, sizeof routes / sizeof *routes };
    ListenerOptions options = { .listen = STR("127.0.0.1:0"), .threads = 1, .workers = 2,
                                .authorize = anybody };
    fixture->arena = arena;
    fixture->router = router_open(&list, 1);
    options.router = fixture->router;
    options.context = fixture;
    assert_null(listener_open(arena, &options, &fixture->listener));
    fixture->port = listener_port(fixture->listener);
    *state = fixture;
    return 0;
}

static int fixture_close(void **state)
{
    Fixture *fixture = *state;
    listener_close(fixture->listener, 5000000);
    router_close(fixture->router);
    arena_close(fixture->arena);
    return 0;
}

// Everything until the server closes.
static Str ask(Fixture *fixture, const char *path)
{
    Text text = text_open(fixture->arena);
    int  wire = wire_connect(fixture->port);
    wire_send(wire, str_print(fixture->arena, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                              path));
    while (wire_fill(wire, &text, text.length + 1))
        ;
    close(wire);
    return text_str(&text);
}

// The body of a chunked answer; *whole: it has its last chunk.
static Str unchunk(Arena *arena, Str answer, bool *whole)
{
    Text  body = text_open(arena);
    char *all = str_terminated(arena, answer), *at = strstr(all, "\r\n\r\n");
    assert_non_null(strstr(all, "Transfer-Encoding: chunked"));
    assert_non_null(at);
    at += 4;
    *whole = false;
    while (at < all + answer.length) {
        unsigned size;
        int      digits;
        assert_int_equal(sscanf(at, "%x%n", &size, &digits), 1);
        at += digits + 2;
        *whole = size == 0;
        if (size == 0 || at + size > all + answer.length)
            break;
        text_add_bytes(&body, at, size);
        at += size + 2;
    }
    return text_str(&body);
}

static void all_pieces_come_in_order(void **state)
{
    Fixture *fixture = *state;
    Text     wanted = text_open(fixture->arena);
    for (uint64_t i = 0; i <= PIECES; i++)
        if (i == 0 || i % 3 != 0)
            lines_add(&wanted, i);
    for (int turn = 0; turn < 3; turn++) {
        bool whole;
        Str  body = unchunk(fixture->arena, ask(fixture, "GET /whole"), &whole);
        assert_true(whole);
        assert_int_equal(body.length, wanted.length);
        assert_true(str_equal(body, text_str(&wanted)));
    }
}

static void what_breaks_off_has_no_end(void **state)
{
    Fixture *fixture = *state;
    bool     whole;
    Str      body = unchunk(fixture->arena, ask(fixture, "GET /broken"), &whole);
    assert_false(whole);
    assert_true(str_starts(body, STR("piece 0 line 0\n")));
}

static void a_refusal_has_no_pieces(void **state)
{
    Fixture *fixture = *state;
    Str      answer = ask(fixture, "GET /none");
    assert_true(str_starts(answer, STR("HTTP/1.1 404")));
    assert_non_null(strstr(str_terminated(fixture->arena, answer), "event_not_found"));
}

static void head_has_none_either(void **state)
{
    Fixture *fixture = *state;
    char    *answer = str_terminated(fixture->arena, ask(fixture, "HEAD /whole"));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_null(strstr(answer, "piece"));
}

// Who leaves in the midst harms nobody.
static void a_client_that_leaves(void **state)
{
    Fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        int  wire = wire_connect(fixture->port);
        Text text = text_open(fixture->arena);
        wire_send(wire, STR("GET /whole HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(wire_fill(wire, &text, 100));
        close(wire);
    }
    all_pieces_come_in_order(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(all_pieces_come_in_order), TEST(what_breaks_off_has_no_end),
        TEST(a_refusal_has_no_pieces),  TEST(head_has_none_either),
        TEST(a_client_that_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
