// A listener with a few routes, and what its tests ask of answers. Included once, after cmocka.h.
#pragma once

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
      .takes = &any_shape, .gives = &any_shape, .handler = later,
      .doc = "Answers the body later." },
    { .name = "faulty", .method = METHOD_GET, .path = "/faulty", .handler = faulty,
      .doc = "Refuses." },
    { .name = "item", .method = METHOD_GET, .path = "/items/{id}", .gives = &any_shape,
      .handler = path_echo, .doc = "Answers its id." },
    { .name = "guarded", .method = METHOD_POST, .path = "/guarded", .scope = "things:write",
      .takes = &any_shape, .gives = &any_shape, .status = 201, .handler = echo,
      .doc = "Needs a key." },
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

static inline WireAnswer ask(Fixture *fixture, const char *request)
{
    return wire_ask(fixture->arena, fixture->port, str_of(request));
}

static inline WireAnswer post(Fixture *fixture, const char *path, const char *headers, Str body)
{
    return wire_ask(fixture->arena, fixture->port, wire_post(fixture->arena, path, headers, body));
}

static inline WireAnswer get(Fixture *fixture, const char *target)
{
    return wire_ask(fixture->arena, fixture->port,
                    str_print(fixture->arena, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target));
}

static inline Str header_of(Fixture *fixture, WireAnswer answer, const char *name)
{
    return wire_header(fixture->arena, answer.head, name);
}

#define HEAD " HTTP/1.1\r\nHost: x\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"

static inline void holds(Str text, const char *part)
{
    if (memmem(text.at, text.length, part, strlen(part)) == NULL)
        fail_msg("\"%s\" is not in: %.*s", part, STR_ARG(text));
}

static inline void is_problem(Fixture *fixture, WireAnswer answer, int status, const char *code)
{
    if (answer.status != status)
        fail_msg("status %d, not %d: %.*s", answer.status, status, STR_ARG(answer.body));
    assert_true(str_equal(header_of(fixture, answer, "Content-Type"),
                          STR("application/problem+json")));
    Str   id = header_of(fixture, answer, "Request-Id");
    Json *root;
    assert_true(id.length > 0);
    assert_null(json_parse_copy(fixture->arena, answer.body, &root));
    assert_true(str_equal(json_find(root, STR("code"))->text, str_of(code)));
    assert_true(str_equal(json_find(root, STR("requestId"))->text, id));
    static const char *const members[] = { "type", "title", "status", "detail" };
    for (size_t i = 0; i < 4; i++)
        assert_non_null(json_find(root, str_of(members[i])));
}
