// SPDX-License-Identifier: Apache-2.0
// Finding routes, decoding paths, checking queries.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/router.h"

static Err *nothing(Request *request, Response *response)
{
    (void)request;
    (void)response;
    return NULL;
}

static const char *const colours[] = { "red", "green", NULL };
static const Parameter parameters[] = {
    { .name = "text", .kind = PARAMETER_TEXT },
    { .name = "whole", .kind = PARAMETER_WHOLE },
    { .name = "at", .kind = PARAMETER_INSTANT },
    { .name = "yes", .kind = PARAMETER_BOOL },
    { .name = "colour", .kind = PARAMETER_ENUM, .choices = colours },
};
static const Parameter required[] = {
    { .name = "needed", .kind = PARAMETER_TEXT, .required = true },
};

#define ROUTE(id, verb, where) \
    .name = (id), .method = (verb), .path = (where), .handler = nothing, .doc = ""
static const Route routes[] = {
    { ROUTE("list", METHOD_GET, "/v1/things"), QUERY(parameters) },
    { ROUTE("make", METHOD_POST, "/v1/things") },
    { ROUTE("get", METHOD_GET, "/v1/things/{id}") },
    { ROUTE("put", METHOD_PUT, "/v1/things/{id}") },
    { ROUTE("outcomes", METHOD_GET, "/v1/things/outcomes") },
    { ROUTE("part", METHOD_GET, "/v1/things/{id}/parts/{number}") },
    { ROUTE("special", METHOD_GET, "/v1/things/special/other") },
    { ROUTE("strict", METHOD_GET, "/strict"), QUERY(required) },
};

typedef struct Fixture {
    Arena  *arena;
    Router *router;
} Fixture;

static int fixture_open(void **state)
{
    Fixture *fixture = memory_take(sizeof *fixture);
    fixture->arena = arena_open();
    fixture->router = router_open(&(RouteList){ routes, sizeof routes / sizeof *routes }, 1);
    *state = fixture;
    return 0;
}

static int fixture_close(void **state)
{
    Fixture *fixture = *state;
    router_close(fixture->router);
    arena_close(fixture->arena);
    memory_release(fixture);
    return 0;
}

static Err *find(Fixture *fixture, const char *method, const char *path, Request *request)
{
    Str allow = STR_NONE;
    *request = (Request){ .arena = fixture->arena, .path = str_of(path) };
    Err *refusal = router_find(fixture->router, request, str_of(method), &allow);
    if (refusal != NULL && refusal->code == ERR_METHOD_NOT_ALLOWED)
        assert_true(allow.length > 0);
    return refusal;
}

static void finds(Fixture *fixture, const char *method, const char *path, const char *name)
{
    Request request;
    assert_null(find(fixture, method, path, &request));
    assert_string_equal(request.route->name, name);
}

static void refuses(Fixture *fixture, const char *method, const char *path, ErrCode code)
{
    Request request;
    Err    *refusal = find(fixture, method, path, &request);
    assert_non_null(refusal);
    assert_int_equal(refusal->code, code);
}

static void test_finds_by_path_and_method(void **state)
{
    finds(*state, "GET", "/v1/things", "list");
    finds(*state, "HEAD", "/v1/things", "list");
    finds(*state, "POST", "/v1/things", "make");
    finds(*state, "PUT", "/v1/things/x", "put");
}

static void test_literals_win_over_parameters(void **state)
{
    finds(*state, "GET", "/v1/things/outcomes", "outcomes");
    finds(*state, "GET", "/v1/things/outcome", "get");
    finds(*state, "GET", "/v1/things/special/other", "special");
    // A literal that leads nowhere gives way.
    finds(*state, "GET", "/v1/things/special/parts/1", "part");
    finds(*state, "GET", "/v1/things/special", "get");
}

static void test_refuses_what_is_not_there(void **state)
{
    static const char *const paths[] = {
        "", "v1/things", "/", "/v1", "/v1/", "/v1/things/", "/v1/things//parts/1", "/V1/things",
        "/v1/things/x/parts", "/v1/things/x/parts/1/", "/a/b/c/d/e/f/g/h/i/j",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        refuses(*state, "GET", paths[i], ERR_ROUTE_NOT_FOUND);
    refuses(*state, "DELETE", "/v1/things", ERR_METHOD_NOT_ALLOWED);
    refuses(*state, "get", "/v1/things", ERR_METHOD_NOT_ALLOWED);
    refuses(*state, "POST", "/v1/things/outcomes", ERR_METHOD_NOT_ALLOWED);
}

static void test_path_values_are_decoded(void **state)
{
    Request request;
    assert_null(find(*state, "GET", "/v1/things/a%2Fb/parts/%E2%82%AC+1", &request));
    assert_true(str_equal(request_path(&request, "id"), STR("a/b")));
    assert_true(str_equal(request_path(&request, "number"), STR("\xe2\x82\xac+1")));
    static const char *const wrong[] = { "/v1/things/%",   "/v1/things/%4",  "/v1/things/%zz",
                                         "/v1/things/%00", "/v1/things/%ff", "/v1/things/%c3%28" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuses(*state, "GET", wrong[i], ERR_PARAMETER_INVALID);
}

static Err *query(Fixture *fixture, const char *path, const char *text, Request *request)
{
    assert_null(find(fixture, "GET", path, request));
    return router_query(request, str_of(text));
}

static void test_query_is_split_and_decoded(void **state)
{
    Request  request;
    Str      text;
    uint64_t whole = 7;
    Instant  at = { 0 };
    bool     yes = false;
    assert_null(query(*state, "/v1/things",
                      "text=a+b%26c%3D&&whole=42&at=2026-06-10T00%3A00%3A00Z&yes=true&colour=green",
                      &request));
    assert_true(request_query(&request, "text", &text));
    assert_true(str_equal(text, STR("a b&c=")));
    assert_null(request_query_whole(&request, "whole", 1, 42, &whole));
    assert_int_equal(whole, 42);
    assert_non_null(request_query_whole(&request, "whole", 1, 41, &whole));
    assert_non_null(request_query_whole(&request, "whole", 43, 50, &whole));
    assert_null(request_query_instant(&request, "at", &at));
    assert_int_equal(at.us, INT64_C(1781049600000000));
    assert_null(request_query_bool(&request, "yes", &yes));
    assert_true(yes);
    assert_false(request_query(&request, "none", &text));
    size_t limit;
    assert_null(request_limit(&request, &limit));
    assert_int_equal(limit, 20);
}

static void test_query_is_checked(void **state)
{
    static const struct {
        const char *text;
        ErrCode     code;
    } wrong[] = {
        { "unknown=1", ERR_UNKNOWN_PARAMETER },       { "=1", ERR_UNKNOWN_PARAMETER },
        { "text=1&text=2", ERR_PARAMETER_INVALID },   { "text=%zz", ERR_PARAMETER_INVALID },
        { "whole=", ERR_PARAMETER_INVALID },          { "whole=-1", ERR_PARAMETER_INVALID },
        { "whole=1.5", ERR_PARAMETER_INVALID },       { "at=yesterday", ERR_PARAMETER_INVALID },
        { "yes=1", ERR_PARAMETER_INVALID },           { "colour=blue", ERR_PARAMETER_INVALID },
        { "whole=99999999999999999999", ERR_PARAMETER_INVALID },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Request request;
        Err    *refusal = query(*state, "/v1/things", wrong[i].text, &request);
        assert_non_null(refusal);
        assert_int_equal(refusal->code, wrong[i].code);
    }
}

static void tells(Fixture *fixture, const char *text, const char *detail)
{
    Request request;
    Err    *refusal = query(fixture, "/v1/things", text, &request);
    assert_non_null(refusal);
    assert_string_equal(str_terminated(fixture->arena, refusal->detail), detail);
}

static void test_a_wrong_query_is_told_the_right_one(void **state)
{
    tells(*state, "color=red",
          "color is no parameter of this route; it takes text, whole, at, yes, colour");
    tells(*state, "colour=blue", "colour must be one of red, green");
    tells(*state, "at=2026-06-10T14:02:11+02:00",
          "at must be an RFC 3339 instant such as 2026-06-10T14:02:11Z, with any + written %2B");
}

static void test_required_parameters(void **state)
{
    Request request;
    assert_non_null(query(*state, "/strict", "", &request));
    assert_null(query(*state, "/strict", "needed=", &request));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_finds_by_path_and_method),
        TEST(test_literals_win_over_parameters),
        TEST(test_refuses_what_is_not_there),
        TEST(test_path_values_are_decoded),
        TEST(test_query_is_split_and_decoded),
        TEST(test_query_is_checked),
        TEST(test_a_wrong_query_is_told_the_right_one),
        TEST(test_required_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
