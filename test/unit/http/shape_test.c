// SPDX-License-Identifier: Apache-2.0
// One table decodes, refuses with pointers, and prints a schema; problem documents; and the OpenAPI
// document of a small interface, read back as JSON.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/openapi.h"
#include "http/problem.h"

enum { MANY = 13 };  // more members than are told

typedef struct Thing {
    Str         name;
    int64_t     size;
    Decimal     price;
    Instant     at;
    bool        is_new;
    int         colour;
    const Json *parts;
    const Json *rest;
} Thing;

static const char *const colours[] = { "red", "green", NULL };
static const Field part_fields[] = { MEMBER("id", TEXT, .required = true) };
static const Shape part_shape = SHAPE("Part", part_fields, .doc = "A part.");
static const Field thing_fields[] = {
    FIELD(Thing, name, "name", TEXT, .required = true, .least = 1, .most = 5, .doc = "Its name."),
    FIELD(Thing, size, "size", WHOLE, .least = -3, .most = 10),
    FIELD(Thing, price, "price", DECIMAL, .nullable = true),
    FIELD(Thing, at, "at", INSTANT, .doc = "When."),
    FIELD(Thing, is_new, "isNew", BOOL, .doc = "Whether."),
    FIELD(Thing, colour, "colour", ENUM, .choices = colours),
    FIELD(Thing, parts, "parts", ARRAY, .most = 2, .shape = &part_shape),
    FIELD(Thing, rest, "rest", MAP, .of = KIND_DECIMAL),
};
static const Shape thing_shape = SHAPE("Thing", thing_fields, .doc = "A thing.");

static int arena_setup(void **state)
{
    *state = arena_open();
    return 0;
}

static int arena_teardown(void **state)
{
    arena_close(*state);
    return 0;
}

static Err *decode(Arena *arena, const char *text, Thing *thing)
{
    Json  *root;
    Faults faults = { .arena = arena };
    assert_null(json_parse_copy(arena, str_of(text), &root));
    shape_decode(&thing_shape, root, thing, &faults);
    return faults.first;
}

static void test_decodes(void **state)
{
    Thing thing = { .colour = 7 };
    assert_null(decode(*state,
                       "{\"name\":\"bolt\",\"size\":-3,\"price\":\"1.50\",\"isNew\":true,"
                       "\"at\":\"2026-06-10T00:00:00Z\",\"colour\":\"green\",\"parts\":[1],"
                       "\"rest\":{}}", &thing));
    assert_true(str_equal(thing.name, STR("bolt")));
    assert_int_equal(thing.size, -3);
    assert_true(str_equal(decimal_print(*state, thing.price), STR("1.5")));
    assert_int_equal(thing.at.us, INT64_C(1781049600000000));
    assert_true(thing.is_new);
    assert_int_equal(thing.colour, 1);
    assert_int_equal(thing.parts->count, 1);
    assert_int_equal(thing.rest->kind, JSON_OBJECT);
}

static void test_absent_members_stay(void **state)
{
    Thing thing = { .size = 9, .colour = 7 };
    assert_null(decode(*state, "{\"name\":\"bolt\",\"price\":null}", &thing));
    assert_int_equal(thing.size, 9);
    assert_int_equal(thing.colour, 7);
}

static void test_every_fault_is_told(void **state)
{
    static const struct {
        const char *text, *pointer;
        ErrCode     code;
    } wrong[] = {
        { "{}", "/name", ERR_FIELD_REQUIRED },
        { "[]", "", ERR_FIELD_INVALID },
        { "{\"name\":1}", "/name", ERR_FIELD_INVALID },
        { "{\"name\":null}", "/name", ERR_FIELD_INVALID },
        { "{\"name\":\"\"}", "/name", ERR_FIELD_INVALID },
        { "{\"name\":\"toolong\"}", "/name", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"x~y/z\":1}", "/x~0y~1z", ERR_UNKNOWN_MEMBER },
        { "{\"name\":\"a\",\"size\":1.0}", "/size", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"size\":\"1\"}", "/size", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"size\":-4}", "/size", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"size\":11}", "/size", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"size\":99999999999999999999}", "/size", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"price\":\"x\"}", "/price", ERR_INVALID_VALUE },
        { "{\"name\":\"a\",\"price\":true}", "/price", ERR_INVALID_VALUE },
        { "{\"name\":\"a\",\"at\":5}", "/at", ERR_INVALID_TIMESTAMP },
        { "{\"name\":\"a\",\"isNew\":1}", "/isNew", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"colour\":\"blue\"}", "/colour", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"colour\":1}", "/colour", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"parts\":{}}", "/parts", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"parts\":[1,2,3]}", "/parts", ERR_FIELD_INVALID },
        { "{\"name\":\"a\",\"rest\":[]}", "/rest", ERR_FIELD_INVALID },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Thing thing = { 0 };
        Err  *fault = decode(*state, wrong[i].text, &thing);
        assert_non_null(fault);
        assert_int_equal(fault->code, wrong[i].code);
        assert_true(str_equal(fault->pointer, str_of(wrong[i].pointer)));
        assert_null(fault->next);
    }
    Thing thing = { 0 };
    Err  *faults = decode(*state, "{\"size\":\"x\",\"nope\":1}", &thing);
    assert_non_null(faults->next->next);
    assert_null(faults->next->next->next);
}

// What is wrong is told with what would be right.
static void test_faults_say_what_may_stand_there(void **state)
{
    static const char *const told[][2] = {
        { "{\"name\":\"a\",\"colour\":\"blue\"}", "colour must be one of red, green" },
        { "{\"name\":\"a\",\"color\":\"red\"}",
          "color is not a member of Thing: it may have name, size, price, at, isNew, colour, "
          "parts, rest" },
        { "{\"name\":\"a\",\"price\":\"-12345678901234567890123456\"}",
          "price is too large or too fine: at most 24 digits before the point and 12 behind" },
        { "{\"name\":\"a\",\"price\":1e-13}",
          "price is too large or too fine: at most 24 digits before the point and 12 behind" },
        { "{\"name\":\"a\",\"price\":\"1.\"}",
          "price must be a decimal number or its text" },
        { "{\"name\":\"a\",\"price\":\"\"}",
          "price must be a decimal number or its text" },
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        Thing thing = { 0 };
        Err  *fault = decode(*state, told[i][0], &thing);
        assert_true(str_equal(fault->detail, str_of(told[i][1])));
    }
    Field many[MANY];
    for (size_t i = 0; i < MANY; i++)
        many[i] = (Field)MEMBER("x", JSON);
    const Shape wide = SHAPE("Wide", many);
    Faults faults = { .arena = *state };
    Json  *root;
    assert_null(json_parse_copy(*state, STR("{\"y\":1}"), &root));
    shape_decode(&wide, root, &(Thing){ 0 }, &faults);
    assert_true(str_equal(faults.first->detail, STR("y is not a member of Wide")));
}

static void test_schema(void **state)
{
    Text    text = text_open(*state);
    JsonOut out = json_out(&text);
    shape_schema(&thing_shape, &out);
    assert_true(str_equal(text_str(&text), STR(
        "{\"description\":\"A thing.\",\"type\":\"object\",\"properties\":{"
        "\"name\":{\"description\":\"Its name.\",\"type\":\"string\",\"minLength\":1,"
        "\"maxLength\":5},"
        "\"size\":{\"type\":\"integer\",\"minimum\":-3,\"maximum\":10},"
        "\"price\":{\"type\":[\"string\",\"null\"],"
        "\"pattern\":\"^-?[0-9]+(\\\\.[0-9]+)?([eE][+-]?[0-9]+)?$\"},"
        "\"at\":{\"description\":\"When.\",\"type\":\"string\",\"format\":\"date-time\"},"
        "\"isNew\":{\"description\":\"Whether.\",\"type\":\"boolean\"},"
        "\"colour\":{\"type\":\"string\",\"enum\":[\"red\",\"green\"]},"
        "\"parts\":{\"type\":\"array\",\"maxItems\":2,"
        "\"items\":{\"$ref\":\"#/components/schemas/Part\"}},"
        "\"rest\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\","
        "\"pattern\":\"^-?[0-9]+(\\\\.[0-9]+)?([eE][+-]?[0-9]+)?$\"}}},"
        "\"required\":[\"name\"],\"additionalProperties\":false}")));
}

static void test_problem_tells_the_first_in_precedence(void **state)
{
    Faults faults = { .arena = *state };
    Text   text = text_open(*state);
    faults_add(&faults, ERR_FIELD_INVALID, STR("/b"), "b is wrong");
    faults_add(&faults, ERR_UNKNOWN_MEMBER, STR("/a"), "a is unknown");
    ErrCode told = problem_print(&text, faults.first, STR("id1"), STR("\"more\":1"));
    assert_int_equal(told, ERR_UNKNOWN_MEMBER);
    assert_true(str_equal(text_str(&text), STR(
        "{\"type\":\"/problems/unknown_member\","
        "\"title\":\"an object has a member that is not known\","
        "\"status\":400,\"detail\":\"a is unknown\","
        "\"code\":\"unknown_member\",\"requestId\":\"id1\","
        "\"errors\":[{\"pointer\":\"/b\",\"code\":\"field_invalid\",\"detail\":\"b is wrong\"},"
        "{\"pointer\":\"/a\",\"code\":\"unknown_member\","
        "\"detail\":\"a is unknown\"}],\"more\":1}")));
}

static void test_every_code_has_a_page(void **state)
{
    for (int code = 0; code < ERR_COUNT; code++) {
        Text    text = text_open(*state);
        JsonOut out = json_out(&text);
        Json   *root;
        problem_page(&out, (ErrCode)code);
        assert_null(json_parse_copy(*state, text_str(&text), &root));
        assert_true(str_equal(json_find(root, STR("code"))->text, str_of(err_name((ErrCode)code))));
    }
}

static Err *nothing(Request *request, Response *response)
{
    (void)request;
    (void)response;
    return NULL;
}

static const Json *at(const Json *root, const char *path)
{
    Str rest = str_of(path);
    while (root != NULL && rest.length > 0)
        root = json_find(root, str_cut(&rest, ' '));
    return root;
}

static const Route routes[] = {
    { .name = "putThing", .method = METHOD_PUT, .path = "/things/{id}", .scope = "things:write",
      .takes = &thing_shape, .gives = &thing_shape, .status_also = 201,
      REFUSES(ERR_PRECONDITION_FAILED), .handler = nothing, .doc = "Puts." },
    { .name = "getThing", .method = METHOD_GET, .path = "/things/{id}", .gives = &thing_shape,
      .handler = nothing, .doc = "Gets." },
    { .name = "text", .method = METHOD_GET, .path = "/text", .gives_media = "text/plain",
      .handler = nothing, .doc = "Text." },
};

static void test_openapi(void **state)
{
    Router     *router = router_open(&(RouteList){ routes, 3 }, 1);
    OpenapiHead head = { STR("T"), STR("1"), STR("d") };
    Text        text = text_open(*state);
    Json       *root;
    openapi_print(router, &head, &text);
    router_close(router);
    assert_null(json_parse_copy(*state, text_str(&text), &root));
    assert_int_equal(at(root, "paths")->count, 2);
    const Json *put = at(root, "paths /things/{id} put");
    assert_true(str_equal(at(put, "operationId")->text, STR("putThing")));
    assert_true(str_equal(at(put, "parameters")->first->first->text, STR("id")));
    assert_non_null(at(put, "responses 200 content application/json"));
    assert_non_null(at(put, "responses 201 content application/json"));
    const Json *codes = at(put, "responses 412 x-codes");
    assert_true(str_equal(codes->first->text, STR("precondition_failed")));
    assert_non_null(at(put, "responses 413 content application/problem+json"));
    assert_non_null(at(put, "responses 401"));
    assert_null(at(root, "paths /things/{id} get responses 401"));
    assert_non_null(at(root, "paths /text get responses 200 content text/plain"));
    assert_non_null(at(root, "components schemas Part"));
    assert_non_null(at(root, "components schemas Problem"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_decodes),
        TEST(test_absent_members_stay),
        TEST(test_every_fault_is_told),
        TEST(test_faults_say_what_may_stand_there),
        TEST(test_schema),
        TEST(test_problem_tells_the_first_in_precedence),
        TEST(test_every_code_has_a_page),
        TEST(test_openapi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
