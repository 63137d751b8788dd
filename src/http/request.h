// One request and its answer, as handlers see them. A handler reads the request, refuses or fills
// the response, and never touches a socket. Everything a request takes lives in its arena and is
// gone when its answer has been sent.
#pragma once

#include "base/json.h"
#include "time/instant.h"

typedef enum Method {
    METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_COUNT
} Method;  // HEAD is answered as GET, without its body
const char *method_name(Method method);  // "GET"

enum { PATH_PARAMETERS_MAX = 4, QUERY_PARAMETERS_MAX = 32, RESPONSE_HEADERS_MAX = 8 };

struct Route;
struct Exchange;

typedef struct QueryValue {
    Str name, value;  // percent-decoded UTF-8
} QueryValue;

typedef struct Request {
    Arena              *arena;
    void               *server;     // the context given to listener_open
    void               *principal;  // set by the authorize hook; NULL on open routes
    const struct Route *route;
    Method              method;
    Str                 path;       // as sent, without the query
    Str                 id;         // Request-Id of the answer
    Str                 media;      // of the body, lower case, no parameters; or STR_NONE
    Str                 body;       // decoded (gzip, zstd), JSON_PADDING readable bytes behind it
    Instant             received;   // when its last byte arrived
    JsonParser         *parser;     // of the thread that runs the handler
    QueryValue          query[QUERY_PARAMETERS_MAX];
    size_t              query_count;
    Str                 path_values[PATH_PARAMETERS_MAX];  // in the order of the {names}, decoded
    void               *state;      // free for a handler that suspends
    struct Exchange    *exchange;   // the listener's own
} Request;

typedef struct ResponseHeader {
    const char *name;
    Str         value;
} ResponseHeader;

typedef struct Response {
    Arena         *arena;
    int            status;      // the route's own unless set
    const char    *media;       // "application/json" unless set
    Text           body;
    Text           members;     // of a refusal: further members of its problem document
    ResponseHeader headers[RESPONSE_HEADERS_MAX];
    size_t         header_count;
    // A body that is too long to be made at once: the handler makes its first piece and sets this.
    // Then it is called on a worker, with an empty body, until it says that it has ended; what it
    // refuses cuts the connection, so that nobody takes a part for the whole.
    Err *(*more)(Request *request, struct Response *response, bool *ended);
    void *more_state;
} Response;

// NULL: the response is complete (or the request was suspended). Else the refusal becomes a problem
// document, and what was written into response->body is dropped.
typedef Err *Handler(Request *request, Response *response);

// ---- reading a request

// The value of {name} in the route's path; the name must be there.
Str  request_path(const Request *request, const char *name);
// False when the query has no such parameter. Names that the route does not declare were refused
// before.
bool request_query(const Request *request, const char *name, Str *value);
// A header's value, or STR_NONE. Only on the thread that runs the handler, before it suspends.
Str  request_header(const Request *request, const char *name);

// These leave *value as it was when the parameter is absent, and refuse PARAMETER_INVALID.
Err *request_query_whole(const Request *request, const char *name, uint64_t least, uint64_t most,
                         uint64_t *value) MUST_CHECK;
Err *request_query_instant(const Request *request, const char *name, Instant *value) MUST_CHECK;
Err *request_query_bool(const Request *request, const char *name, bool *value) MUST_CHECK;
// `limit` of a list: 1..1000, 20 when absent.
Err *request_limit(const Request *request, size_t *limit) MUST_CHECK;

// Path and query as sent.
Str  request_target(const Request *request);

// The body as JSON (depth 16).
Err *request_json(Request *request, Json **root) MUST_CHECK;
// The same for documents that nest deeper than events do.
Err *request_json_deep(Request *request, uint32_t depth, Json **root) MUST_CHECK;

// ---- writing a response

// JSON into the body: JsonOut out = response_json(response);
JsonOut response_json(Response *response);
// value is borrowed until the answer is sent (the request's arena); no control characters.
void response_header(Response *response, const char *name, Str value);
// ETag: "version"; answers the tag with its quotes.
Str  response_entity_tag(Response *response, int64_t version);
// {"object":"list","data":[ ... ],"nextCursor":...}
JsonOut response_list_begin(Response *response);
void    response_list_end(JsonOut *out, Str next_cursor);  // STR_NONE: null
// Further members for the problem document of the refusal that the handler is about to return.
JsonOut response_problem_members(Response *response);

// ---- answering later

// Headers of a forwarded request and of its answer: which owner it is meant for, and who answered.
#define FORWARDED_HEADER "Toll-Forwarded"
#define OWNER_HEADER "Toll-Owner"

// Only in a handler of a route that runs on the HTTP thread, and in `forward`: it returns NULL
// after this, and nothing is answered until request_finish. Then `then` runs on the HTTP thread to
// write the answer (it may not suspend again).
void request_suspend(Request *request, Handler *then);
// From any thread, once, after request_suspend; must not be followed by any use of the request.
void request_finish(Request *request);
