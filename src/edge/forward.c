// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface on one thread, which keeps the connections to the owner. A request
// belongs to that thread from forward_begin to request_finish; its arena holds all of it but the
// transfer's handle.
#include "edge/forward.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/thread.h"

enum { ANSWER_BYTES = 256 << 20, CONNECT_MS = 3000, ANSWER_MS = 120000, POLL_MS = 1000,
       OWNER_BYTES = 512 };

typedef struct Forward {
    Forwarder         *forwarder;
    Request           *request;
    Response          *response;
    CURL              *curl;
    struct curl_slist *headers;
    const char        *url;
    Str                owner;     // who is asked
    Str                answered;  // who answered
    Str                media;
    Err               *refusal;
    struct Forward    *next;
} Forward;

struct Forwarder {
    ForwardOptions options;
    CURLM         *multi;
    Thread         thread;
    Lock           lock;     // of what follows
    Forward       *waiting;  // not begun, newest first
    size_t         count;    // not finished
    bool           ends;
    char           url[OWNER_BYTES], owner[OWNER_BYTES];  // empty: there is none
};

static Err *unreachable(Arena *arena, const char *why)
{
    return refuse(arena, ERR_USAGE_OWNER_UNREACHABLE, STR_NONE,
                  "this needs usage, and the server that has it cannot be reached: %s", why);
}

// ---- the answer

static size_t body_take(char *at, size_t size, size_t count, void *context)
{
    Forward *forward = context;
    Text    *body = &forward->response->body;
    if (size * count > forward->forwarder->options.answer_bytes - body->length)
        return 0;
    text_add_bytes(body, at, size * count);
    return size * count;
}

// What is of one connection alone, and what the listener writes itself.
static bool is_own(const char *name)
{
    static const char *const names[] = { "Connection", "Keep-Alive",     "Transfer-Encoding",
                                         "Date",       "Content-Length", "Request-Id",
                                         "Trailer",    "Upgrade" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static Str trimmed(Str text)
{
    while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = (Str){ text.at + 1, text.length - 1 };
    while (text.length > 0 && strchr(" \t\r\n", text.at[text.length - 1]) != NULL)
        text.length--;
    return text;
}

static size_t header_take(char *at, size_t size, size_t count, void *context)
{
    Forward    *forward = context;
    Arena      *arena = forward->request->arena;
    Str         rest = { at, size * count };
    Str         line = rest;
    const char *name = str_terminated(arena, str_cut(&rest, ':'));
    Str         value = str_copy(arena, trimmed(rest));
    if (memchr(line.at, ':', line.length) == NULL || is_own(name))
        return size * count;
    if (strcasecmp(name, OWNER_HEADER) == 0)
        forward->answered = value;
    else if (strcasecmp(name, "Content-Type") == 0)
        forward->media = value;
    else if (forward->response->header_count < RESPONSE_HEADERS_MAX)
        response_header(forward->response, name, value);
    return size * count;
}

static bool has_no_effect(const Forward *forward)
{
    return forward->request->method == METHOD_GET;
}

// Of a transfer that came to no answer of the owner's. What libcurl sent on a connection that was
// lost it may have sent again, so only what it never sent at all is known to have had no effect.
static Err *failed(const Forward *forward, const char *why)
{
    long sent = 0;
    curl_easy_getinfo(forward->curl, CURLINFO_REQUEST_SIZE, &sent);
    if (has_no_effect(forward) || sent == 0)
        return unreachable(forward->request->arena, why);
    return refuse(forward->request->arena, ERR_OUTCOME_UNKNOWN, STR_NONE,
                  "the server that has the usage gave no answer: %s", why);
}

static Err *answer_read(Forward *forward, CURLcode code)
{
    Response *response = forward->response;
    long      status = 0;
    if (code != CURLE_OK)
        return failed(forward, curl_easy_strerror(code));
    if (!str_equal(forward->answered, forward->owner))
        return failed(forward, "another one is at its address");
    curl_easy_getinfo(forward->curl, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    if (forward->media.length > 0)
        response->media = str_terminated(forward->request->arena, forward->media);
    return NULL;
}

static void forward_end(Forward *forward, Err *refusal)
{
    Forwarder *forwarder = forward->forwarder;
    Response  *response = forward->response;
    forward->refusal = refusal;
    if (refusal != NULL) {
        text_clear(&response->body);
        response->header_count = 0;
        counter_add(METRIC_FORWARDS_FAILED, 1);
    }
    if (forward->curl != NULL)
        curl_easy_cleanup(forward->curl);
    curl_slist_free_all(forward->headers);
    lock_take(&forwarder->lock);
    forwarder->count--;
    lock_release(&forwarder->lock);
    request_finish(forward->request);
}

// ---- the request

static void header_add(Forward *forward, const char *name, Str value)
{
    if (value.at == NULL)
        return;
    Str line = str_print(forward->request->arena, "%s: %.*s", name, STR_ARG(value));
    struct curl_slist *headers = curl_slist_append(
        forward->headers, str_terminated(forward->request->arena, line));
    assert_that(headers != NULL);
    forward->headers = headers;
}

// Those that say something to a handler; the body goes out as it was decoded.
static void headers_take(Forward *forward)
{
    static const char *const names[] = { "Authorization", "Accept", "Idempotency-Key", "If-Match",
                                         "If-None-Match" };
    const Request *request = forward->request;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        header_add(forward, names[i], request_header(request, names[i]));
    header_add(forward, "X-Request-Id", request->id);
    if (request->media.length > 0)
        header_add(forward, "Content-Type", request->media);
    // Without these libcurl would say something of its own.
    if (request_header(request, "Accept").at == NULL)
        forward->headers = curl_slist_append(forward->headers, "Accept:");
    if (request->media.length == 0)
        forward->headers = curl_slist_append(forward->headers, "Content-Type:");
    forward->headers = curl_slist_append(forward->headers, "Expect:");
}

static void option(CURLcode code)
{
    assert_that(code == CURLE_OK);
}

static void body_give(const Forward *forward)
{
    const Request *request = forward->request;
    const char    *method = method_name(request->method);
    bool           has_body = request->method != METHOD_GET && request->method != METHOD_DELETE;
    if (has_body || request->body.length > 0) {
        option(curl_easy_setopt(forward->curl, CURLOPT_POST, 1L));
        option(curl_easy_setopt(forward->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)request->body.length));
        option(curl_easy_setopt(forward->curl, CURLOPT_POSTFIELDS,
                                request->body.length == 0 ? "" : request->body.at));
    }
    option(curl_easy_setopt(forward->curl, CURLOPT_CUSTOMREQUEST, method));
}

static bool transfer_make(Forward *forward)
{
    const ForwardOptions *options = &forward->forwarder->options;
    CURL                 *curl = forward->curl = curl_easy_init();
    if (curl == NULL)
        return false;
    option(curl_easy_setopt(curl, CURLOPT_PRIVATE, forward));
    option(curl_easy_setopt(curl, CURLOPT_URL, forward->url));
    option(curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L));
    option(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"));
    option(curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    option(curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"));
    option(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    option(curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms));
    option(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->answer_ms));
    option(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, forward->headers));
    option(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take));
    option(curl_easy_setopt(curl, CURLOPT_WRITEDATA, forward));
    option(curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take));
    option(curl_easy_setopt(curl, CURLOPT_HEADERDATA, forward));
    body_give(forward);
    return curl_multi_add_handle(forward->forwarder->multi, curl) == CURLM_OK;
}

// False: there is no owner.
static bool owner_read(Forward *forward)
{
    Forwarder *forwarder = forward->forwarder;
    Arena     *arena = forward->request->arena;
    lock_take(&forwarder->lock);
    bool is_there = forwarder->url[0] != 0;
    Str  url = str_copy(arena, str_of(forwarder->url));
    forward->owner = str_copy(arena, str_of(forwarder->owner));
    lock_release(&forwarder->lock);
    Str target = request_target(forward->request);
    Str whole = str_print(arena, "%.*s%.*s", STR_ARG(url), STR_ARG(target));
    forward->url = str_terminated(arena, whole);
    header_add(forward, FORWARDED_HEADER, forward->owner);
    return is_there;
}

static void forward_start(Forward *forward)
{
    counter_add(METRIC_FORWARDS, 1);
    if (!owner_read(forward))
        forward_end(forward, unreachable(forward->request->arena, "there is none now"));
    else if (!transfer_make(forward))
        forward_end(forward, unreachable(forward->request->arena, "no transfer can be made"));
}

// ---- the thread

// The waiting ones, oldest first.
static Forward *waiting_take(Forwarder *forwarder, bool *ends)
{
    Forward *ordered = NULL;
    lock_take(&forwarder->lock);
    for (Forward *at = forwarder->waiting, *next; at != NULL; at = next) {
        next = at->next;
        at->next = ordered;
        ordered = at;
    }
    forwarder->waiting = NULL;
    *ends = forwarder->ends;
    lock_release(&forwarder->lock);
    return ordered;
}

static void answers_take(Forwarder *forwarder)
{
    CURLMsg *message;
    int      left;
    while ((message = curl_multi_info_read(forwarder->multi, &left)) != NULL) {
        char    *private;
        CURL    *curl = message->easy_handle;
        CURLcode code = message->data.result;
        option(curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private));
        Forward *forward = (void *)private;
        curl_multi_remove_handle(forwarder->multi, curl);
        forward_end(forward, answer_read(forward, code));
    }
}

static void *forwarder_run(void *argument)
{
    Forwarder *forwarder = argument;
    bool       ends = false;
    while (!ends) {
        int running;
        for (Forward *at = waiting_take(forwarder, &ends), *next; at != NULL; at = next) {
            next = at->next;
            forward_start(at);
        }
        curl_multi_perform(forwarder->multi, &running);
        answers_take(forwarder);
        if (!ends)
            curl_multi_poll(forwarder->multi, NULL, 0, POLL_MS, NULL);
    }
    return NULL;
}

// ---- from the listener

static Err *forward_answer(Request *request, Response *response)
{
    const Forward *forward = request->state;
    (void)response;
    return forward->refusal;
}

Err *forward_begin(Forwarder *forwarder, Request *request, Response *response)
{
    Forward *forward = arena_new(request->arena, Forward);
    *forward = (Forward){ .forwarder = forwarder, .request = request, .response = response };
    lock_take(&forwarder->lock);
    bool is_full = forwarder->count == FORWARDS_MAX;
    forwarder->count += !is_full;
    lock_release(&forwarder->lock);
    if (is_full)
        return refuse(request->arena, ERR_QUEUE_FULL, STR_NONE,
                      "too many requests wait for the server that has the usage");
    headers_take(forward);
    request->state = forward;
    request_suspend(request, forward_answer);
    lock_take(&forwarder->lock);
    forward->next = forwarder->waiting;
    forwarder->waiting = forward;
    lock_release(&forwarder->lock);
    curl_multi_wakeup(forwarder->multi);
    return NULL;
}

void forwarder_owner_set(Forwarder *forwarder, Str url, Str owner)
{
    bool fits = url.length < OWNER_BYTES && owner.length < OWNER_BYTES;
    if (!fits)
        log_line(LOG_ERROR, "forward: the owner's address is too long");
    while (url.length > 0 && url.at[url.length - 1] == '/')
        url.length--;
    lock_take(&forwarder->lock);
    memset(forwarder->url, 0, OWNER_BYTES);
    memset(forwarder->owner, 0, OWNER_BYTES);
    if (fits && url.length > 0) {
        memcpy(forwarder->url, url.at, url.length);
        memcpy(forwarder->owner, owner.at, owner.length);
    }
    lock_release(&forwarder->lock);
}

Forwarder *forwarder_open(const ForwardOptions *options)
{
    Forwarder *forwarder = memory_take(sizeof *forwarder);
    forwarder->options = *options;
    if (options->answer_bytes == 0)
        forwarder->options.answer_bytes = ANSWER_BYTES;
    if (options->connect_ms == 0)
        forwarder->options.connect_ms = CONNECT_MS;
    if (options->answer_ms == 0)
        forwarder->options.answer_ms = ANSWER_MS;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    forwarder->multi = curl_multi_init();
    assert_that(forwarder->multi != NULL);
    lock_open(&forwarder->lock);
    thread_start(&forwarder->thread, "forward", forwarder_run, forwarder);
    return forwarder;
}

void forwarder_close(Forwarder *forwarder)
{
    if (forwarder == NULL)
        return;
    lock_take(&forwarder->lock);
    forwarder->ends = true;
    assert_that(forwarder->count == 0);
    lock_release(&forwarder->lock);
    curl_multi_wakeup(forwarder->multi);
    thread_join(&forwarder->thread);
    curl_multi_cleanup(forwarder->multi);
    lock_close(&forwarder->lock);
    memory_release(forwarder);
}
