// SPDX-License-Identifier: Apache-2.0
// The life of one request. libmicrohttpd calls exchange_access for the headers, for each piece of
// body, at the end of the body, and again when a suspended connection was resumed.
//
// Invariant: a refusal found before the body's end waits until the body has been read and thrown
// away, because an answer in mid-upload cuts the connection; only large bodies without a
// credential, those far above the size limit and requests that are not well-formed are cut.
#include "http/exchange.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "http/problem.h"

enum { SPARE_MAX = 1024, BODY_FIRST_BYTES = 16 * 1024, BODY_KEPT_BYTES = 256 * 1024,
       PIECE_BYTES = 64 * 1024 };

// ---- beginning and end

static Exchange *exchange_take(HttpThread *thread)
{
    Exchange *exchange = thread->spare;
    if (exchange == NULL) {
        exchange = memory_take(sizeof(Exchange));
        exchange->request.arena = arena_open();
        exchange->thread = thread;
        return exchange;
    }
    thread->spare = exchange->next;
    thread->spare_count--;
    return exchange;
}

void exchange_release(Exchange *exchange)
{
    arena_close(exchange->request.arena);
    text_close(&exchange->received);
    text_close(&exchange->decoded);
    memory_release(exchange);
}

static void buffer_rest(Text *text)
{
    if (text->room > BODY_KEPT_BYTES)
        text_close(text);
    text_clear(text);
}

static void exchange_put_back(Exchange *exchange)
{
    HttpThread *thread = exchange->thread;
    if (thread->spare_count == SPARE_MAX) {
        exchange_release(exchange);
        return;
    }
    Arena *arena = exchange->request.arena;
    Text   received = exchange->received, decoded = exchange->decoded;
    buffer_rest(&received);
    buffer_rest(&decoded);
    arena_reset(arena);
    *exchange = (Exchange){ .thread = thread, .received = received, .decoded = decoded,
                            .next = thread->spare };
    exchange->request.arena = arena;
    thread->spare = exchange;
    thread->spare_count++;
}

static Str id_make(HttpThread *thread, Arena *arena)
{
    uint64_t parts[2] = { seeded_next(&thread->ids), seeded_next(&thread->ids) };
    return str_hex(arena, parts, sizeof parts);
}

void *exchange_begin(void *closure, const char *target, struct MHD_Connection *connection)
{
    HttpThread *thread = closure;
    Exchange   *exchange = exchange_take(thread);
    Arena      *arena = exchange->request.arena;
    exchange->connection = connection;
    exchange->peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                         ->socket_context;
    exchange->peer->exchange = exchange;
    exchange->target = str_copy(arena, str_of(target));
    exchange->begin_tick_us = clock_tick_us();
    exchange->request.exchange = exchange;
    exchange->request.server = thread->listener->options.context;
    exchange->request.id = id_make(thread, arena);
    exchange->response.arena = arena;
    exchange->response.body = text_open(arena);
    exchange->response.members = text_open(arena);
    thread->open++;
    return exchange;
}

// ---- the body

// Counts the buffers against what all bodies may take together. False: that would be too much.
static bool body_count(Exchange *exchange, size_t bytes)
{
    Listener *listener = exchange->thread->listener;
    if (bytes <= exchange->counted)
        return true;
    size_t more = bytes - exchange->counted;
    if (atomic_fetch_add(&listener->bodies_bytes, more) + more > listener->options.bodies_bytes) {
        atomic_fetch_sub(&listener->bodies_bytes, more);
        return false;
    }
    exchange->counted = bytes;
    counter_add(METRIC_HTTP_BODY_BYTES, (int64_t)more);
    return true;
}

static void body_forget(Exchange *exchange)
{
    text_clear(&exchange->received);
    atomic_fetch_sub(&exchange->thread->listener->bodies_bytes, exchange->counted);
    counter_add(METRIC_HTTP_BODY_BYTES, -(int64_t)exchange->counted);
    exchange->counted = 0;
}

static Err *too_much_waiting(Exchange *exchange)
{
    return refuse(exchange->request.arena, ERR_QUEUE_FULL, STR_NONE,
                  "too many request bodies are in memory");
}

// The first piece of a small body takes its whole announced length at once.
static Err *body_add(Exchange *exchange, Str piece)
{
    Text  *body = &exchange->received;
    size_t limit = exchange->thread->listener->options.body_bytes;
    if (body->length + piece.length > limit)
        return refuse(exchange->request.arena, ERR_BODY_TOO_LARGE, STR_NONE,
                      "the body is larger than %zu bytes", limit);
    size_t wanted = body->length + piece.length;
    if (exchange->announced > wanted && exchange->announced <= BODY_FIRST_BYTES)
        wanted = (size_t)exchange->announced;
    if (!body_count(exchange, wanted))
        return too_much_waiting(exchange);
    text_reserve(body, wanted - body->length + JSON_PADDING);
    text_add(body, piece);
    return NULL;
}

static void body_receive(Exchange *exchange, Str piece)
{
    exchange->received_bytes += piece.length;
    if (exchange->refusal == NULL && exchange->request.route != NULL &&
        (exchange->request.route->takes != NULL || exchange->request.route->other_count > 0))
        exchange->refusal = body_add(exchange, piece);
    if (exchange->refusal != NULL)
        body_forget(exchange);
}

static Err *body_decode(Exchange *exchange)
{
    Request *request = &exchange->request;
    request->body = text_str(&exchange->received);
    request->received = (Instant){ clock_now_us() };
    if (exchange->coding == CODING_IDENTITY) {
        text_reserve(&exchange->received, JSON_PADDING);
        request->body = text_str(&exchange->received);
        return NULL;
    }
    size_t limit = exchange->thread->listener->options.body_bytes;
    TRY(coding_decode(request->arena, exchange->coding, request->body, limit, &exchange->decoded));
    if (!body_count(exchange, exchange->received.length + exchange->decoded.length))
        return too_much_waiting(exchange);
    text_reserve(&exchange->decoded, JSON_PADDING);
    request->body = text_str(&exchange->decoded);
    return NULL;
}

void exchange_completed(void *closure, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode reason)
{
    HttpThread *thread = closure;
    Exchange   *exchange = *state;
    (void)connection;
    (void)reason;
    if (exchange == NULL)
        return;
    assert_that(exchange->stage != STAGE_WORKING);
    *state = NULL;
    thread->open--;
    exchange->peer->exchange = NULL;
    exchange->peer->looked_at = false;
    exchange->peer->idle_tick_us = clock_tick_us();
    body_forget(exchange);
    exchange_put_back(exchange);
}

// ---- answers

static void refusal_write(Exchange *exchange, Err *refusal)
{
    Response *response = &exchange->response;
    text_clear(&response->body);
    response->header_count = 0;
    response->media = "application/problem+json";
    ErrCode code = problem_print(&response->body, refusal, exchange->request.id,
                                 text_str(&response->members));
    response->status = err_status(code);
    if (err_again(code) != AGAIN_NEVER)
        response_header(response, "Retry-After", STR("1"));
    if (code == ERR_UNAUTHENTICATED)
        response_header(response, "WWW-Authenticate", STR("Bearer"));
    if (code == ERR_UNSUPPORTED_ENCODING)
        response_header(response, "Accept-Encoding", STR("gzip, zstd"));
    if (exchange->allow.length > 0)
        response_header(response, "Allow", exchange->allow);
    counter_add(METRIC_HTTP_REFUSALS, 1);
}

static void header_put(Exchange *exchange, struct MHD_Response *answer, const char *name, Str value)
{
    char *terminated = str_terminated(exchange->request.arena, value);
    if (MHD_add_response_header(answer, name, terminated) != MHD_YES)
        log_line(LOG_WARN, "http: header not sent name=%s", name);
}

static void response_complete(Exchange *exchange)
{
    Response    *response = &exchange->response;
    const Route *route = exchange->request.route;
    if (exchange->refusal != NULL) {
        refusal_write(exchange, exchange->refusal);
        return;
    }
    if (response->status == 0)
        response->status = route->status == 0 ? 200 : route->status;
    if (response->media == NULL)
        response->media = route->gives_media == NULL ? "application/json" : route->gives_media;
}

// The connection is suspended once the daemon has run, not here: inside the callback libmicrohttpd
// leaves the connection in a state that reads from the socket on resumption, and drops the answer
// when the client has shut down its sending side. Another thread may have the exchange meanwhile,
// but what it finishes is resumed only by this thread, after that.
static void suspend(Exchange *exchange)
{
    HttpThread *thread = exchange->thread;
    thread->working++;
    exchange->next_suspending = thread->suspending;
    thread->suspending = exchange;
}

// A worker makes the next piece of the body.
static ssize_t piece_ask(Exchange *exchange)
{
    exchange->stage = STAGE_WORKING;
    if (!queue_put(exchange->thread->listener->work, exchange)) {
        exchange->stage = STAGE_ANSWERED;
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    suspend(exchange);
    return 0;
}

static ssize_t piece_next(void *closure, uint64_t position, char *to, size_t room)
{
    Exchange *exchange = closure;
    Response *response = &exchange->response;
    (void)position;
    if (exchange->stage == STAGE_WORKING)  // asked again before it is suspended
        return 0;
    size_t left = response->body.length - exchange->piece_sent;
    if (exchange->refusal != NULL)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (left == 0)
        return exchange->pieces_ended ? MHD_CONTENT_READER_END_OF_STREAM : piece_ask(exchange);
    size_t count = left < room ? left : room;
    memcpy(to, response->body.at + exchange->piece_sent, count);
    exchange->piece_sent += count;
    exchange->answer_tick_us = clock_tick_us();
    return (ssize_t)count;
}

static struct MHD_Response *answer_make(Exchange *exchange)
{
    Response *response = &exchange->response;
    if (exchange->refusal != NULL)
        response->more = NULL;
    if (response->more != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, piece_next,
                                                 exchange, NULL);
    return MHD_create_response_from_buffer(response->body.length, response->body.at,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_send(Exchange *exchange)
{
    Response *response = &exchange->response;
    response_complete(exchange);
    exchange->stage = STAGE_ANSWERED;
    exchange->answer_tick_us = clock_tick_us();
    counter_add(METRIC_HTTP_REQUESTS, 1);
    struct MHD_Response *answer = answer_make(exchange);
    if (answer == NULL)
        return MHD_NO;
    if (response->body.length > 0)
        header_put(exchange, answer, "Content-Type", str_of(response->media));
    header_put(exchange, answer, "Request-Id", exchange->request.id);
    for (size_t i = 0; i < response->header_count; i++)
        header_put(exchange, answer, response->headers[i].name, response->headers[i].value);
    if (request_header(&exchange->request, FORWARDED_HEADER).at != NULL &&
        exchange->thread->listener->options.owner.length > 0)
        header_put(exchange, answer, OWNER_HEADER, exchange->thread->listener->options.owner);
    if (exchange->thread->listener->quiesced || exchange->refuse_now)
        header_put(exchange, answer, "Connection", STR("close"));
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned)response->status, answer);
    MHD_destroy_response(answer);
    return result;
}

Str exchange_refusal_bytes(Exchange *exchange, Err *refusal)
{
    refusal_write(exchange, refusal);
    Response *response = &exchange->response;
    return str_print(exchange->request.arena,
                     "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
                     "Request-Id: %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                     response->status, MHD_get_reason_phrase_for((unsigned)response->status),
                     STR_ARG(exchange->request.id), response->body.length,
                     STR_ARG(text_str(&response->body)));
}

// ---- the work

// Anybody may push; the owning thread takes all at once. Only the push onto an empty list wakes it.
static void finished_push(Exchange *exchange)
{
    HttpThread *thread = exchange->thread;
    atomic_fetch_add(&thread->pushing, 1);
    Exchange *head = atomic_load_explicit(&thread->finished, memory_order_relaxed);
    do {
        exchange->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&thread->finished, &head, exchange,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL) {
        uint64_t one = 1;
        assert_that(write(thread->wake, &one, sizeof one) == sizeof one);
    }
    atomic_fetch_sub(&thread->pushing, 1);
}

void request_suspend(Request *request, Handler *then)
{
    Exchange *exchange = request->exchange;
    assert_that((request->route->runs == RUNS_ON_HTTP_THREAD || exchange->forwarded) &&
                !exchange->suspended);
    exchange->suspended = true;
    exchange->then = then;
}

void request_finish(Request *request)
{
    finished_push(request->exchange);
}

// The request itself, or the next piece of its answer.
void exchange_work(Exchange *exchange, JsonParser *parser)
{
    Response *response = &exchange->response;
    exchange->request.parser = parser;
    if (exchange->answer_tick_us > 0) {
        text_clear(&response->body);
        exchange->piece_sent = 0;
        exchange->refusal =
            response->more(&exchange->request, response, &exchange->pieces_ended);
        finished_push(exchange);
        return;
    }
    exchange->refusal = exchange->request.route->handler(&exchange->request, &exchange->response);
    finished_push(exchange);
}

static enum MHD_Result work_on_thread(Exchange *exchange)
{
    Request *request = &exchange->request;
    request->parser = exchange->thread->parser;
    exchange->stage = STAGE_WORKING;
    Err *refusal = request->route->handler(request, &exchange->response);
    if (refusal == NULL && exchange->suspended) {
        suspend(exchange);
        return MHD_YES;
    }
    exchange->refusal = refusal;
    return answer_send(exchange);
}

static enum MHD_Result work_on_worker(Exchange *exchange)
{
    exchange->stage = STAGE_WORKING;
    suspend(exchange);
    if (!queue_put(exchange->thread->listener->work, exchange)) {
        exchange->refusal = refuse(exchange->request.arena, ERR_QUEUE_FULL, STR_NONE,
                                   "too many requests are waiting for a worker");
        finished_push(exchange);
    }
    return MHD_YES;
}

// To the owner, from the beginning: what a handler has written so far is forgotten.
static enum MHD_Result forward_begin(Exchange *exchange)
{
    Response *response = &exchange->response;
    text_clear(&response->body);
    text_clear(&response->members);
    *response = (Response){
        .arena = response->arena, .body = response->body, .members = response->members
    };
    exchange->forwarded = true;
    exchange->stage = STAGE_WORKING;
    exchange->refusal = exchange->thread->listener->options.forward(&exchange->request, response);
    if (exchange->refusal != NULL)
        return answer_send(exchange);
    suspend(exchange);
    return MHD_YES;
}

static bool is_elsewhere(const Exchange *exchange)
{
    const ListenerOptions *options = &exchange->thread->listener->options;
    return options->forward != NULL && !exchange->forwarded && exchange->refusal != NULL &&
           exchange->refusal->code == options->elsewhere;
}

static enum MHD_Result work_begin(Exchange *exchange)
{
    if (exchange->refusal == NULL)
        exchange->refusal = body_decode(exchange);
    if (exchange->refusal != NULL)
        return answer_send(exchange);
    if (exchange->request.route->at == AT_OWNER &&
        exchange->thread->listener->options.forward != NULL)
        return forward_begin(exchange);
    return exchange->request.route->runs == RUNS_ON_WORKER ? work_on_worker(exchange)
                                                           : work_on_thread(exchange);
}

static enum MHD_Result work_finished(Exchange *exchange)
{
    if (is_elsewhere(exchange))
        return forward_begin(exchange);
    if (exchange->then != NULL && exchange->refusal == NULL)
        exchange->refusal = exchange->then(&exchange->request, &exchange->response);
    return answer_send(exchange);
}

enum MHD_Result exchange_access(void *thread, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **state)
{
    Exchange *exchange = *state;
    (void)thread;
    (void)connection;
    (void)url;
    switch (exchange->stage) {
    case STAGE_HEADERS:
        headers_check(exchange, str_of(method), version);
        exchange->stage = STAGE_BODY;
        exchange->body_tick_us = clock_tick_us();
        return exchange->refuse_now ? answer_send(exchange) : MHD_YES;
    case STAGE_BODY:
        if (*upload_size == 0)
            return work_begin(exchange);
        body_receive(exchange, (Str){ upload, *upload_size });
        *upload_size = 0;
        return MHD_YES;
    case STAGE_FINISHED: return work_finished(exchange);
    case STAGE_WORKING:
    case STAGE_ANSWERED: return MHD_YES;
    }
    assert_failed("the exchange has a stage", __FILE__, __LINE__);
}

Str request_target(const Request *request)
{
    const Exchange *exchange = request->exchange;
    if (exchange == NULL || request->path.at < exchange->target.at ||
        request->path.at >= exchange->target.at + exchange->target.length)
        return request->path;
    const char *end = exchange->target.at + exchange->target.length;
    return (Str){ request->path.at, (size_t)(end - request->path.at) };
}

Str request_header(const Request *request, const char *name)
{
    if (request->exchange == NULL)
        return STR_NONE;
    struct MHD_Connection *connection = request->exchange->connection;
    return str_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}
