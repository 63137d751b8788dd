// SPDX-License-Identifier: Apache-2.0
// A tree of path segments made once from the rows. Each node has literal children and at most one
// that takes any segment; literals are tried first. A path has at most SEGMENTS_MAX segments, so
// the walk back from a literal that led nowhere is short.
#include "http/router.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/vector.h"

// A "+" that is not escaped arrives as a space.
#define INSTANT_RULE "an RFC 3339 instant such as 2026-06-10T14:02:11Z, with any + written %2B"

enum { SEGMENTS_MAX = 8, CHILDREN_MAX = 48 };

typedef struct Node {
    Str           literal;
    struct Node  *children[CHILDREN_MAX];
    size_t        child_count;
    struct Node  *any;  // {name}
    const Route  *routes[METHOD_COUNT];
} Node;

struct Router {
    Arena *arena;
    Node  *root;
    VECTOR(const Route *) routes;
};

typedef struct Segments {
    Str    at[SEGMENTS_MAX];
    size_t count;
} Segments;

// "/v1/meters" -> "v1", "meters". False: too many, or it does not begin with a slash.
static bool segments_cut(Str path, Segments *segments)
{
    segments->count = 0;
    if (path.length == 0 || path.at[0] != '/')
        return false;
    const char *at = path.at + 1;
    const char *end = path.at + path.length;
    for (;;) {
        const char *slash = at == end ? NULL : memchr(at, '/', (size_t)(end - at));
        const char *stop = slash == NULL ? end : slash;
        if (segments->count == SEGMENTS_MAX)
            return false;
        segments->at[segments->count++] = (Str){ at, (size_t)(stop - at) };
        if (slash == NULL)
            return true;
        at = slash + 1;
    }
}

static Node *child_find(const Node *node, Str literal)
{
    for (size_t i = 0; i < node->child_count; i++)
        if (str_equal(node->children[i]->literal, literal))
            return node->children[i];
    return NULL;
}

static Node *child_get(Router *router, Node *node, Str segment)
{
    if (segment.length > 0 && segment.at[0] == '{') {
        if (node->any == NULL)
            node->any = arena_new(router->arena, Node);
        return node->any;
    }
    Node *child = child_find(node, segment);
    if (child == NULL) {
        assert_that(node->child_count < CHILDREN_MAX);
        child = node->children[node->child_count++] = arena_new(router->arena, Node);
        child->literal = segment;
    }
    return child;
}

static void route_add(Router *router, const Route *route)
{
    Segments segments;
    size_t   parameters = 0;
    assert_that(route->name != NULL && route->handler != NULL && route->doc != NULL);
    assert_that(route->method < METHOD_COUNT && segments_cut(str_of(route->path), &segments));
    for (size_t i = 0; i < router->routes.count; i++)
        assert_that(strcmp(router->routes.at[i]->name, route->name) != 0);
    Node *node = router->root;
    for (size_t i = 0; i < segments.count; i++) {
        parameters += segments.at[i].length > 0 && segments.at[i].at[0] == '{';
        node = child_get(router, node, segments.at[i]);
    }
    assert_that(parameters <= PATH_PARAMETERS_MAX && route->query_count <= QUERY_PARAMETERS_MAX);
    assert_that(node->routes[route->method] == NULL);
    node->routes[route->method] = route;
    vector_push(&router->routes, route);
}

Router *router_open(const RouteList *lists, size_t count)
{
    Router *router = memory_take(sizeof(Router));
    router->arena = arena_open();
    router->root = arena_new(router->arena, Node);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lists[i].count; k++)
            route_add(router, &lists[i].routes[k]);
    return router;
}

void router_close(Router *router)
{
    if (router == NULL)
        return;
    vector_release(&router->routes);
    arena_close(router->arena);
    memory_release(router);
}

size_t router_count(const Router *router)
{
    return router->routes.count;
}

const Route *router_route(const Router *router, size_t index)
{
    assert_that(index < router->routes.count);
    return router->routes.at[index];
}

static bool has_route(const Node *node)
{
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (node->routes[i] != NULL)
            return true;
    return false;
}

// The recursion is as deep as a path has segments: at most SEGMENTS_MAX.
static const Node *walk(const Node *node, const Segments *segments, size_t index)
{
    if (index == segments->count)
        return has_route(node) ? node : NULL;
    const Node *child = child_find(node, segments->at[index]);
    const Node *found = child == NULL ? NULL : walk(child, segments, index + 1);
    if (found == NULL && node->any != NULL && segments->at[index].length > 0)
        found = walk(node->any, segments, index + 1);
    return found;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    int letter = digit | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool is_plain(Str text, Plus plus)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] == '%' || (unsigned char)text.at[i] >= 0x7f ||
            (plus == PLUS_IS_SPACE && text.at[i] == '+'))
            return false;
    return true;
}

bool percent_decode(Arena *arena, Str text, Plus plus, Str *decoded)
{
    if (is_plain(text, plus)) {
        *decoded = text;
        return true;
    }
    char  *to = arena_take(arena, text.length);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte == '%') {
            int high = i + 2 < text.length ? hex_value(text.at[i + 1]) : -1;
            int low = i + 2 < text.length ? hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            byte = (char)(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus == PLUS_IS_SPACE) {
            byte = ' ';
        }
        to[length++] = byte;
    }
    *decoded = (Str){ to, length };
    return str_is_utf8(*decoded);
}

static bool method_find(Str name, Method *method)
{
    if (str_equal(name, STR("HEAD"))) {
        *method = METHOD_GET;
        return true;
    }
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (str_equal(name, str_of(method_name((Method)i)))) {
            *method = (Method)i;
            return true;
        }
    return false;
}

static Str methods_of(Arena *arena, const Node *node)
{
    Text text = text_open(arena);
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (node->routes[i] != NULL)
            text_print(&text, "%s%s%s", text.length > 0 ? ", " : "", method_name((Method)i),
                       i == METHOD_GET ? ", HEAD" : "");
    return text_str(&text);
}

static Err *path_values(Request *request, const Segments *segments)
{
    Segments names;
    size_t   count = 0;
    if (strchr(request->route->path, '{') == NULL)
        return NULL;
    segments_cut(str_of(request->route->path), &names);
    for (size_t i = 0; i < names.count; i++) {
        if (names.at[i].length == 0 || names.at[i].at[0] != '{')
            continue;
        Str *value = &request->path_values[count++];
        if (!percent_decode(request->arena, segments->at[i], PLUS_IS_PLUS, value))
            return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                          "the path does not decode to UTF-8 text");
    }
    return NULL;
}

Err *router_find(const Router *router, Request *request, Str method, Str *allow)
{
    Segments    segments;
    const Node *node = segments_cut(request->path, &segments) ? walk(router->root, &segments, 0)
                                                              : NULL;
    if (node == NULL)
        return refuse(request->arena, ERR_ROUTE_NOT_FOUND, STR_NONE,
                      "there is nothing at this path; /docs lists the routes");
    if (!method_find(method, &request->method) || node->routes[request->method] == NULL) {
        *allow = methods_of(request->arena, node);
        return refuse(request->arena, ERR_METHOD_NOT_ALLOWED, STR_NONE, "this path takes %.*s",
                      STR_ARG(*allow));
    }
    request->route = node->routes[request->method];
    return path_values(request, &segments);
}

static const Parameter *parameter_find(const Route *route, Str name)
{
    for (size_t i = 0; i < route->query_count; i++)
        if (str_equal(str_of(route->query[i].name), name))
            return &route->query[i];
    return NULL;
}

static Str parameters_of(Arena *arena, const Route *route)
{
    Text text = text_open(arena);
    for (size_t i = 0; i < route->query_count; i++)
        text_print(&text, "%s%s", i > 0 ? ", " : "", route->query[i].name);
    return route->query_count > 0 ? text_str(&text) : STR("none");
}

static Str choices_of(Arena *arena, const Parameter *parameter)
{
    Text text = text_open(arena);
    for (size_t i = 0; parameter->choices[i] != NULL; i++)
        text_print(&text, "%s%s", i > 0 ? ", " : "one of ", parameter->choices[i]);
    return text_str(&text);
}

static bool is_choice(const Parameter *parameter, Str value)
{
    for (size_t i = 0; parameter->choices[i] != NULL; i++)
        if (str_equal(str_of(parameter->choices[i]), value))
            return true;
    return false;
}

static Err *parameter_invalid(Request *request, const Parameter *parameter, Str what)
{
    return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "%s must be %.*s",
                  parameter->name, STR_ARG(what));
}

static Err *parameter_check(Request *request, const Parameter *parameter, Str value)
{
    uint64_t number;
    Instant  instant;
    switch (parameter->kind) {
    case PARAMETER_TEXT: return NULL;
    case PARAMETER_WHOLE:
        return str_whole(value, INT64_MAX, &number)
                   ? NULL : parameter_invalid(request, parameter, STR("a whole number"));
    case PARAMETER_INSTANT:
        return instant_parse(value, &instant)
                   ? NULL : parameter_invalid(request, parameter, STR(INSTANT_RULE));
    case PARAMETER_BOOL:
        return str_equal(value, STR("true")) || str_equal(value, STR("false"))
                   ? NULL : parameter_invalid(request, parameter, STR("true or false"));
    case PARAMETER_ENUM:
        return is_choice(parameter, value)
                   ? NULL
                   : parameter_invalid(request, parameter, choices_of(request->arena, parameter));
    }
    assert_failed("the parameter has a kind", parameter->name, 0);
}

static Err *query_part(Request *request, Str part)
{
    Str name = str_cut(&part, '=');
    Str value = part;
    if (!percent_decode(request->arena, name, PLUS_IS_SPACE, &name) ||
        !percent_decode(request->arena, value, PLUS_IS_SPACE, &value))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "the query does not decode to UTF-8 text");
    const Parameter *parameter = parameter_find(request->route, name);
    if (parameter == NULL)
        return refuse(request->arena, ERR_UNKNOWN_PARAMETER, STR_NONE,
                      "%.*s is no parameter of this route; it takes %.*s", STR_ARG(name),
                      STR_ARG(parameters_of(request->arena, request->route)));
    Str other;
    if (request_query(request, parameter->name, &other))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "%s is given twice",
                      parameter->name);
    TRY(parameter_check(request, parameter, value));
    request->query[request->query_count++] = (QueryValue){ name, value };
    return NULL;
}

Err *router_query(Request *request, Str query)
{
    while (query.length > 0) {
        Str part = str_cut(&query, '&');
        if (part.length > 0)
            TRY(query_part(request, part));
    }
    for (size_t i = 0; i < request->route->query_count; i++) {
        const Parameter *parameter = &request->route->query[i];
        Str              value;
        if (parameter->required && !request_query(request, parameter->name, &value))
            return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "%s is required",
                          parameter->name);
    }
    return NULL;
}
