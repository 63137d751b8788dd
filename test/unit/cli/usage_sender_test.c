// SPDX-License-Identifier: Apache-2.0
// The client against a server that answers what the test says, one request after the other: busy,
// gone in the middle, then well. What is sent again is the same bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/usage_sender.h"

enum { ANSWERS_MAX = 8, REQUEST_MAX = 65536 };

// An answer of NULL closes the connection without a word.
typedef struct Script {
    const char *answers[ANSWERS_MAX];
    size_t      count;
    int         listener, port;
    Str         requests[ANSWERS_MAX];  // head and body of each
    Arena      *arena;
    pthread_t   thread;
} Script;

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    size_t      length = 0;
    if (at == NULL)
        return 0;
    for (at = strchr(at, ':') + 1; *at == ' ' || (*at >= '0' && *at <= '9'); at++)
        length = *at == ' ' ? length : length * 10 + (size_t)(*at - '0');
    return length;
}

// False when the peer closed before a request came.
static bool request_take(int connection, Script *script, size_t number)
{
    char  *bytes = arena_take(script->arena, REQUEST_MAX + 1);
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(connection, bytes + length, REQUEST_MAX - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        bytes[length] = 0;
        const char *end = strstr(bytes, "\r\n\r\n");
        if (end != NULL && length >= (size_t)(end - bytes) + 4 + content_length(bytes))
            break;
    }
    script->requests[number] = (Str){ bytes, length };
    return true;
}

static void *serve(void *context)
{
    Script *script = context;
    int     connection = -1;
    for (size_t i = 0; i < script->count;) {
        if (connection < 0)
            connection = accept(script->listener, NULL, NULL);
        if (connection < 0)
            return NULL;
        bool is_there = request_take(connection, script, i);
        const char *answer = is_there ? script->answers[i++] : NULL;
        if (answer != NULL)
            send(connection, answer, strlen(answer), MSG_NOSIGNAL);
        // libcurl itself repeats on a kept connection that closes: the next one is a new one.
        if (answer == NULL || strstr(answer, "Connection: close") != NULL) {
            close(connection);
            connection = -1;
        }
    }
    close(connection);
    return NULL;
}

static void script_start(Script *script)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    while (script->count < ANSWERS_MAX && script->answers[script->count] != NULL)
        script->count++;
    for (size_t i = 0; i < script->count; i++)
        if (script->answers[i][0] == 0)
            script->answers[i] = NULL;
    script->arena = arena_open();
    script->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(script->listener, 8), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &length), 0);
    script->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&script->thread, NULL, serve, script), 0);
}

static void script_end(Script *script)
{
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    arena_close(script->arena);
}

static Client *client_to(const Script *script, Arena *arena, int wait_s)
{
    ClientOptions options = { str_print(arena, "http://127.0.0.1:%d/", script->port),
                              STR("toll_test_key"), wait_s };
    return client_open(&options);
}

static Str body_of(Str request)
{
    const char *end = memmem(request.at, request.length, "\r\n\r\n", 4);
    assert_non_null(end);
    size_t head = (size_t)(end - request.at) + 4;
    return (Str){ request.at + head, request.length - head };
}

#define TAKEN "HTTP/1.1 202 Accepted\r\nContent-Length: 197\r\n\r\n"                           \
    "{\"accepted\":1,\"duplicates\":0,\"conflicts\":1,\"rejected\":1,\"results\":["              \
    "{\"index\":1,\"uniqueId\":\"b\",\"outcome\":\"conflict\",\"code\":\"event_conflict\"},"     \
    "{\"index\":2,\"outcome\":\"rejected\",\"code\":\"x\",\"detail\":\"y\"}]}"
#define BUSY "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define GONE ""

typedef struct Seen {
    size_t   count;
    uint64_t indexes[4];
    Outcome  outcomes[4];
} Seen;

static void not_taken(void *context, const NotTaken *what)
{
    Seen *seen = context;
    assert_true(seen->count < 4);
    seen->indexes[seen->count] = what->index;
    seen->outcomes[seen->count++] = what->outcome;
}

static void batch_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Script script = { .answers = { BUSY, GONE, TAKEN, TAKEN } };
    script_start(&script);
    AUTO(Client) client = client_to(&script, arena, 60);
    Seen        seen = { 0 };
    UsageSender sender = { .client = client, .not_taken = not_taken, .context = &seen };
    Err *err = usage_send(&sender, arena, STR("one\ntwo\nthree\n"), 3);
    if (err != NULL)
        fail_msg("%.*s", STR_ARG(err->detail));
    assert_int_equal(client_repeats(client), 2);
    assert_null(usage_send(&sender, arena, STR("four\nfive\nsix\n"), 3));
    assert_int_equal(sender.requests, 2);
    assert_int_equal(sender.events, 6);
    assert_int_equal(sender.counts[OUTCOME_ACCEPTED], 2);
    assert_int_equal(sender.counts[OUTCOME_DUPLICATE], 0);
    assert_int_equal(sender.counts[OUTCOME_CONFLICT], 2);
    assert_int_equal(sender.counts[OUTCOME_REJECTED], 2);
    static const uint64_t indexes[] = { 1, 2, 4, 5 };
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(seen.indexes[i], indexes[i]);
        assert_int_equal(seen.outcomes[i], i % 2 == 0 ? OUTCOME_CONFLICT : OUTCOME_REJECTED);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_equal(body_of(script.requests[i]), STR("one\ntwo\nthree\n")));
        assert_non_null(strstr(script.requests[i].at, "POST /v1/measurements HTTP/1.1"));
        assert_non_null(strstr(script.requests[i].at, "Authorization: Bearer toll_test_key"));
        assert_non_null(strstr(script.requests[i].at, "Content-Type: application/x-ndjson"));
    }
    script_end(&script);
}

static void problem_becomes_its_refusal(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Script script = { .answers = {
        "HTTP/1.1 413 Large\r\nContent-Length: 47\r\n\r\n"
        "{\"code\":\"too_many_events\",\"detail\":\"at most 5\"}",
        "HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops" } };
    script_start(&script);
    AUTO(Client) client = client_to(&script, arena, 60);
    UsageSender sender = { .client = client, .coding = BODY_GZIP };
    Err *err = usage_send(&sender, arena, STR("one\n"), 1);
    assert_int_equal(err->code, ERR_TOO_MANY_EVENTS);
    assert_non_null(memmem(err->detail.at, err->detail.length, "at most 5", 9));
    assert_int_equal(usage_send(&sender, arena, STR("one\n"), 1)->code, ERR_INTERNAL);
    assert_int_equal(sender.requests, 0);
    assert_int_equal(sender.events, 0);
    assert_non_null(strstr(script.requests[0].at, "Content-Encoding: gzip"));
    assert_true(str_starts(body_of(script.requests[0]), STR("\x1f\x8b")));
    script_end(&script);
}

static void nobody_there_is_an_unknown_outcome(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Script script = { .answers = { GONE } };
    script_start(&script);
    AUTO(Client) client = client_to(&script, arena, 0);
    Reply reply;
    Call  call = { .method = "GET", .path = STR("/readyz") };
    assert_int_equal(client_call(client, arena, &call, &reply)->code, ERR_OUTCOME_UNKNOWN);
    script_end(&script);
    assert_int_equal(client_call(client, arena, &call, &reply)->code, ERR_OUTCOME_UNKNOWN);
    assert_int_equal(client_repeats(client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_is_repeated_until_it_is_answered),
        cmocka_unit_test(problem_becomes_its_refusal),
        cmocka_unit_test(nobody_there_is_an_unknown_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
