// Routes: one row says everything about an endpoint. From it come dispatch, authentication, the
// checks of query and body, the metrics and the OpenAPI document.
#pragma once

#include "http/request.h"
#include "http/shape.h"

typedef enum RouteRuns {
    RUNS_ON_WORKER,       // may block: reads the store or the books
    RUNS_ON_HTTP_THREAD,  // never blocks; may suspend
} RouteRuns;

// Where a route can be answered when several servers share one database and one of them owns what
// is in no database. A server that is not the owner forwards to it.
typedef enum RouteAt {
    AT_ANY,            // by any server
    AT_OWNER_PERHAPS,  // it depends: the handler refuses with ListenerOptions.elsewhere
    AT_OWNER           // by the owner alone: the handler does not run elsewhere
} RouteAt;

typedef enum ParameterKind {
    PARAMETER_TEXT, PARAMETER_WHOLE, PARAMETER_INSTANT, PARAMETER_BOOL, PARAMETER_ENUM
} ParameterKind;

typedef struct Parameter {
    const char        *name;
    ParameterKind      kind;
    bool               required;  // PARAMETER_INVALID when it is absent
    const char *const *choices;   // of an enum, ended by NULL; other values are refused
    const char        *doc;
} Parameter;

// A body of another media type than application/json.
typedef struct Body {
    const char  *media;
    const Shape *shape;  // NULL: text
} Body;

typedef struct Route {
    const char      *name;        // operationId: "putMeter"
    Method           method;
    const char      *path;        // "/v1/plans/{id}/versions/{number}"
    const char      *scope;       // NULL: open to everybody
    RouteRuns        runs;
    RouteAt          at;
    const Parameter *query;
    size_t           query_count;
    const Shape     *takes;       // JSON body; NULL with other == NULL: none is read
    const Body      *other;       // further media types, other_count of them
    size_t           other_count;
    bool             body_optional;  // an empty body is allowed
    const Shape     *gives;       // NULL with gives_media == NULL: no body
    const char      *gives_media; // NULL: application/json
    const char      *gives_also;  // another media type of the same success, text; or NULL
    int              status;      // 200 when 0
    int              status_also; // another success with the same shape (201), or 0
    const ErrCode   *refuses;     // beyond what every such route can refuse
    size_t           refuse_count;
    const char      *doc;         // one sentence
    Handler         *handler;
} Route;

#define QUERY(table) .query = (table), .query_count = sizeof(table) / sizeof *(table)
#define OTHER(table) .other = (table), .other_count = sizeof(table) / sizeof *(table)
#define REFUSES(...)                                                             \
    .refuses = (const ErrCode[]){ __VA_ARGS__ },                                 \
    .refuse_count = sizeof((const ErrCode[]){ __VA_ARGS__ }) / sizeof(ErrCode)

typedef struct RouteList {
    const Route *routes;
    size_t       count;
} RouteList;

typedef struct Router Router;

// Checks the rows (duplicate names and paths, unknown kinds) and stops the process on a bad one.
// The rows must outlive the router.
Router *router_open(const RouteList *lists, size_t count);
void    router_close(Router *router);

// Finds the route and fills request->route, path_values and query. Refuses ROUTE_NOT_FOUND,
// METHOD_NOT_ALLOWED (with `allow` set to the methods that exist, "GET, PUT"), PARAMETER_INVALID
// for a path that does not decode. Literal segments win over {names}.
Err *router_find(const Router *router, Request *request, Str method, Str *allow) MUST_CHECK;
// Splits and checks the query of a found route: UNKNOWN_PARAMETER, PARAMETER_INVALID.
Err *router_query(Request *request, Str query) MUST_CHECK;

size_t       router_count(const Router *router);
const Route *router_route(const Router *router, size_t index);  // in the order given

// %41 -> A. False: broken escapes, a NUL, or not UTF-8. plus_is_space: in queries.
typedef enum Plus { PLUS_IS_PLUS, PLUS_IS_SPACE } Plus;
bool percent_decode(Arena *arena, Str text, Plus plus, Str *decoded);
