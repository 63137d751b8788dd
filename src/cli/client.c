// SPDX-License-Identifier: Apache-2.0
// libcurl's easy interface, one handle for all calls, so that the connection is kept.
#include "cli/client.h"

#include <curl/curl.h>
#include <poll.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/clock.h"

enum { CALL_S = 120, CONNECT_S = 5, PAUSE_FIRST_MS = 50, PAUSE_LONGEST_MS = 2000 };

struct Client {
    CURL    *curl;
    Arena   *arena;  // of the options
    Str      url, bearer;
    int      wait_s;
    uint64_t repeats;
};

Client *client_open(const ClientOptions *options)
{
    Client *client = memory_take(sizeof(Client));
    Str     url = options->url;
    while (url.length > 0 && url.at[url.length - 1] == '/')
        url.length--;
    client->arena = arena_open();
    client->url = str_copy(client->arena, url);
    client->bearer = STR_NONE;
    if (options->key.length > 0)
        client->bearer = str_print(client->arena, "Authorization: Bearer %.*s",
                                   STR_ARG(options->key));
    client->wait_s = options->wait_s;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    assert_that(client->curl != NULL);
    return client;
}

void client_close(Client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    arena_close(client->arena);
    memory_release(client);
}

void Client_leave(Client **client)
{
    client_close(*client);
}

uint64_t client_repeats(const Client *client)
{
    return client->repeats;
}

static Str gzip_of(Arena *arena, Str body)
{
    enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };
    z_stream stream = { 0 };
    assert_that(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                             Z_DEFAULT_STRATEGY) == Z_OK);
    uLong room = deflateBound(&stream, body.length);
    char *packed = arena_take(arena, room);
    char *plain = str_terminated(arena, body);  // zlib's input is not const
    stream.next_in = (Bytef *)plain;
    stream.avail_in = (uInt)body.length;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    assert_that(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    Str result = { packed, room - stream.avail_out };
    deflateEnd(&stream);
    return result;
}

static size_t answer_take(char *at, size_t size, size_t count, void *text)
{
    text_add_bytes(text, at, size * count);
    return size * count;
}

static struct curl_slist *headers_of(Client *client, Arena *arena, const Call *call)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    const char        *media = call->media == NULL ? "application/json" : call->media;
    if (client->bearer.length > 0)
        headers = curl_slist_append(headers, str_terminated(arena, client->bearer));
    if (call->body.at != NULL) {
        Str type = str_print(arena, "Content-Type: %s", media);
        headers = curl_slist_append(headers, str_terminated(arena, type));
    }
    if (call->body.at != NULL && call->coding == BODY_GZIP)
        headers = curl_slist_append(headers, "Content-Encoding: gzip");
    if (call->idempotency_key != NULL) {
        Str key = str_print(arena, "Idempotency-Key: %s", call->idempotency_key);
        headers = curl_slist_append(headers, str_terminated(arena, key));
    }
    return headers;
}

// What runs on this machine is reached directly, whatever proxy the environment names.
static bool is_loopback(Str url)
{
    static const char *const starts[] = { "http://127.", "http://localhost", "http://[::1]" };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (str_starts(url, str_of(starts[i])))
            return true;
    return false;
}

static void call_prepare(Client *client, Arena *arena, const Call *call, Str body)
{
    CURL *curl = client->curl;
    Str   url = str_print(arena, "%.*s%.*s", STR_ARG(client->url), STR_ARG(call->path));
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, str_terminated(arena, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (is_loopback(client->url))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_S);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    if (body.at != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.at);
    }
}

// What a next try might change. A server that cannot be found by name or a wrong URL stays so.
static bool may_pass(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
           code == CURLE_PARTIAL_FILE;
}

enum { STATUS_BUSY = 503 };

Err *client_call(Client *client, Arena *arena, const Call *call, Reply *reply)
{
    int64_t give_up_us = clock_tick_us() + (int64_t)client->wait_s * 1000000;
    int     pause_ms = PAUSE_FIRST_MS;
    Str     body = call->body;
    if (body.at != NULL && call->coding == BODY_GZIP)
        body = gzip_of(arena, body);
    struct curl_slist *headers = headers_of(client, arena, call);
    Text     answer;
    CURLcode code;
    long     status;
    for (;;) {
        answer = text_open(arena);
        status = 0;
        call_prepare(client, arena, call, body);
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &answer);
        code = curl_easy_perform(client->curl);
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
        bool again = code == CURLE_OK ? status == STATUS_BUSY : may_pass(code);
        if (!again || clock_tick_us() + pause_ms * 1000 >= give_up_us)
            break;
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : pause_ms * 2;
        client->repeats++;
    }
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return refuse(arena, ERR_OUTCOME_UNKNOWN, STR_NONE, "%s %.*s%.*s: %s", call->method,
                      STR_ARG(client->url), STR_ARG(call->path), curl_easy_strerror(code));
    *reply = (Reply){ (int)status, text_str(&answer) };
    return NULL;
}

static Str member_text(const Json *object, Str name)
{
    const Json *member = json_find(object, name);
    return member != NULL && member->kind == JSON_STRING ? member->text : STR_NONE;
}

// The refusal that a problem document tells of; INTERNAL when the answer is none.
static Err *refusal_of(Arena *arena, const Call *call, const Reply *reply)
{
    Json   *problem = NULL;
    ErrCode code = ERR_INTERNAL;
    Str     detail = reply->body;
    if (json_parse_copy(arena, reply->body, &problem) == NULL &&
        err_find(member_text(problem, STR("code")), &code))
        detail = member_text(problem, STR("detail"));
    if (detail.length == 0 && code != ERR_INTERNAL)
        detail = str_of(err_title(code));
    return refuse(arena, code, STR_NONE, "%s %.*s answered %d: %.*s", call->method,
                  STR_ARG(call->path), reply->status, STR_ARG(detail));
}

Err *client_call_json(Client *client, Arena *arena, const Call *call, const Json **answer)
{
    Reply reply;
    TRY(client_call(client, arena, call, &reply));
    if (reply.status < 200 || reply.status > 299)
        return refusal_of(arena, call, &reply);
    if (answer != NULL) {
        Json *root;
        TRY(json_parse_copy(arena, reply.body, &root));
        *answer = root;
    }
    return NULL;
}
