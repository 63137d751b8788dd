// SPDX-License-Identifier: Apache-2.0
// What can be known from a request's headers: whether it is well-formed (two parties that read one
// request differently are how requests are smuggled), where it goes, who sends it, what its body
// is.
//
// libmicrohttpd 0.9.75 glues a folded header line onto the *name* of the header before it, takes
// spaces into names, lets lone carriage returns stand in values, ends a value at a NUL byte, ends
// all headers at a line with an empty name, and uses the first of several Content-Lengths. Its
// names and values point into its read buffer, where it has put NULs over colons and line ends. So:
// every name must be a token, every value free of controls, and each must begin exactly where a
// well-formed line before it ended.
#include <string.h>
#include <strings.h>

#include "http/exchange.h"

// A client that is answered in mid-upload may never see the answer. So a body without a credential
// is read and thrown away up to STRANGER_BYTES, one with it up to OVERSIZE_READ times the limit.
enum { STRANGER_BYTES = 64 * 1024, OVERSIZE_READ = 4 };

enum { LINE_END = 2 };  // CR and LF

// What one reader takes from the first and another from the last is sent once at most.
enum { ONCE_COUNT = 7 };
static const char *const once[ONCE_COUNT] = { "Content-Length", "Content-Type", "Host",
                                              "Authorization", "Idempotency-Key", "If-Match",
                                              "If-None-Match" };

typedef struct HeaderScan {
    bool        malformed;
    const char *next;  // where the next name must begin
    unsigned    seen[ONCE_COUNT], codings;
    bool        chunked;
    Str         length;
} HeaderScan;

static bool is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool is_token(const char *at, size_t length)
{
    static const char *const marks = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < length; i++)
        if (!is_alphanumeric(at[i]) && (at[i] == 0 || strchr(marks, at[i]) == NULL))
            return false;
    return length > 0;
}

static bool is_value(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
            return false;
    return true;
}

// One line of the read buffer: name, colon (now NUL), white space, value.
static bool is_one_line(const char *name, size_t name_size, const char *value)
{
    const char *at = name + name_size + 1;
    if (value < at || value - at > 4096)
        return false;
    while (at < value && (*at == ' ' || *at == '\t'))
        at++;
    return at == value;
}

static enum MHD_Result header_scan(void *closure, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    HeaderScan *scan = closure;
    (void)kind;
    if (value == NULL || name != scan->next || !is_token(name, name_size) ||
        !is_value(value, value_size) || !is_one_line(name, name_size, value)) {
        scan->malformed = true;
        return MHD_NO;
    }
    scan->next = value + value_size + LINE_END;
    for (size_t i = 0; i < ONCE_COUNT; i++)
        scan->seen[i] += strcasecmp(name, once[i]) == 0;
    if (strcasecmp(name, "Content-Length") == 0)
        scan->length = (Str){ value, value_size };
    else if (strcasecmp(name, "Transfer-Encoding") == 0)
        scan->codings++, scan->chunked = strcasecmp(value, "chunked") == 0;
    return MHD_YES;
}

static Err *malformed(Exchange *exchange, const char *what)
{
    exchange->refuse_now = true;
    return refuse(exchange->request.arena, ERR_REQUEST_MALFORMED, STR_NONE, "%s", what);
}

// Two line ends of CR and LF each stand behind the last header.
static bool ends_empty(const char *end)
{
    return end[-2] == 0 && end[-1] == 0 && end[0] == 0 && end[1] == 0;
}

static Err *framing_check(Exchange *exchange, const char *version)
{
    HeaderScan scan = { .next = version + strlen(version) + LINE_END };
    int        count = MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND,
                                                   header_scan, &scan);
    if (scan.malformed || (count > 0 && !ends_empty(scan.next)) ||
        !is_value(exchange->target.at, exchange->target.length))
        return malformed(exchange, "a header line or the request line is not well-formed");
    for (size_t i = 0; i < ONCE_COUNT; i++)
        if (scan.seen[i] > 1) {
            exchange->refuse_now = true;
            return refuse(exchange->request.arena, ERR_REQUEST_MALFORMED, STR_NONE,
                          "the request has several %s headers", once[i]);
        }
    bool has_length = scan.length.at != NULL;
    if (scan.codings > 1 || (scan.codings == 1 && !scan.chunked))
        return malformed(exchange, "the only Transfer-Encoding taken is chunked");
    if (scan.codings == 1 && has_length)
        return malformed(exchange, "the request has both Content-Length and Transfer-Encoding");
    exchange->announced = 0;
    if (has_length && !str_whole(scan.length, INT64_MAX, &exchange->announced))
        return malformed(exchange, "the Content-Length is no number");
    exchange->has_body = scan.chunked || exchange->announced > 0;
    return NULL;
}

static bool is_request_id(Str id)
{
    for (size_t i = 0; i < id.length; i++)
        if (!is_alphanumeric(id.at[i]) && id.at[i] != '.' && id.at[i] != '_' && id.at[i] != '-')
            return false;
    return id.length >= 1 && id.length <= 128;
}

static void request_id_choose(Exchange *exchange)
{
    Str sent = request_header(&exchange->request, "X-Request-Id");
    if (is_request_id(sent))
        exchange->request.id = str_copy(exchange->request.arena, sent);
}

// "application/JSON; charset=utf-8" -> "application/json". False: another charset.
static bool media_read(Request *request)
{
    Str rest = request_header(request, "Content-Type");
    Str media = str_cut(&rest, ';');
    while (media.length > 0 && media.at[media.length - 1] == ' ')
        media.length--;
    char *lower = arena_take(request->arena, media.length);
    for (size_t i = 0; i < media.length; i++) {
        char byte = media.at[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    request->media = (Str){ lower, media.length };
    while (rest.length > 0) {
        Str part = str_cut(&rest, ';');
        while (part.length > 0 && part.at[0] == ' ')
            part = (Str){ part.at + 1, part.length - 1 };
        if (part.length < 8 || strncasecmp(part.at, "charset=", 8) != 0)
            continue;
        Str charset = { part.at + 8, part.length - 8 };
        bool plain = charset.length == 5 && strncasecmp(charset.at, "utf-8", 5) == 0;
        bool quoted = charset.length == 7 && strncasecmp(charset.at, "\"utf-8\"", 7) == 0;
        if (!plain && !quoted)
            return false;
    }
    return true;
}

static bool media_taken(const Route *route, Str media)
{
    if (route->takes != NULL && str_equal(media, STR("application/json")))
        return true;
    for (size_t i = 0; i < route->other_count; i++)
        if (str_equal(media, str_of(route->other[i].media)))
            return true;
    return false;
}

static Err *body_check(Exchange *exchange)
{
    Request     *request = &exchange->request;
    const Route *route = request->route;
    if (route->takes == NULL && route->other_count == 0)
        return NULL;
    bool no_length = !exchange->has_body && request_header(request, "Content-Length").at == NULL;
    if (no_length && !route->body_optional)
        return refuse(request->arena, ERR_LENGTH_REQUIRED, STR_NONE,
                      "this route takes a body: send Content-Length or chunked encoding");
    if (!exchange->has_body && route->body_optional)
        return NULL;
    if (!media_read(request) || !media_taken(route, request->media))
        return refuse(request->arena, ERR_UNSUPPORTED_MEDIA_TYPE, STR_NONE,
                      "this route does not take the content type \"%.*s\"",
                      STR_ARG(request->media));
    if (!coding_find(request_header(request, "Content-Encoding"), &exchange->coding))
        return refuse(request->arena, ERR_UNSUPPORTED_ENCODING, STR_NONE,
                      "the only content encodings are gzip and zstd, one at a time");
    return NULL;
}

// Path and query from the target, which may also be a whole address ("http://host/path?query").
static Str target_split(Exchange *exchange)
{
    Str target = exchange->target;
    if (str_starts(target, STR("http://")) || str_starts(target, STR("https://"))) {
        size_t scheme = target.at[4] == 's' ? 8 : 7;
        Str    rest = { target.at + scheme, target.length - scheme };
        const char *slash = memchr(rest.at, '/', rest.length);
        target = slash == NULL ? STR("/")
                               : (Str){ slash, rest.length - (size_t)(slash - rest.at) };
    }
    exchange->request.path = str_cut(&target, '?');
    return target;
}

// What was forwarded is answered by the owner that it was meant for, or not at all: it is never
// forwarded on.
static Err *owner_check(Exchange *exchange)
{
    const ListenerOptions *options = &exchange->thread->listener->options;
    Str meant = request_header(&exchange->request, FORWARDED_HEADER);
    if (meant.at == NULL || (options->owner.length > 0 && str_equal(meant, options->owner)))
        return NULL;
    return refuse(exchange->request.arena, options->elsewhere, STR_NONE,
                  "the request was forwarded to a server that is not, or no longer, the owner");
}

static Err *route_check(Exchange *exchange, Str method)
{
    Request         *request = &exchange->request;
    ListenerOptions *options = &exchange->thread->listener->options;
    Str              query = target_split(exchange);
    TRY(router_find(options->router, request, method, &exchange->allow));
    if (request->route->scope != NULL) {
        Err *refusal = options->authorize(options->context, request, request->route->scope);
        exchange->refuse_now = refusal != NULL && refusal->code == ERR_UNAUTHENTICATED &&
                               exchange->has_body &&
                               (exchange->announced == 0 || exchange->announced > STRANGER_BYTES);
        if (refusal != NULL)
            return refusal;
    }
    TRY(owner_check(exchange));
    TRY(body_check(exchange));
    return router_query(request, query);
}

void headers_check(Exchange *exchange, Str method, const char *version)
{
    size_t limit = exchange->thread->listener->options.body_bytes;
    request_id_choose(exchange);
    exchange->refusal = framing_check(exchange, version);
    if (exchange->refusal == NULL)
        exchange->refusal = route_check(exchange, method);
    if (exchange->announced <= limit)
        return;
    exchange->refuse_now = exchange->refuse_now || exchange->announced / OVERSIZE_READ > limit;
    if (exchange->refusal == NULL)
        exchange->refusal = refuse(exchange->request.arena, ERR_BODY_TOO_LARGE, STR_NONE,
                                   "the body is larger than %zu bytes", limit);
}
