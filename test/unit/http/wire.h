// A client for tests that writes any bytes it is told to, also those no well-behaved client sends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

enum { WIRE_PATIENCE_MS = 30000 };  // how long an answer may take before the test gives up

typedef struct WireAnswer {
    int  status;   // 0: the connection ended without an answer
    Str  head;     // status line and headers
    Str  body;
    bool closed;   // the server closed the connection behind it
} WireAnswer;

static inline int wire_connect(uint16_t port)
{
    int                made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(made, (struct sockaddr *)&address, sizeof address) == 0)
        return made;
    close(made);
    return -1;
}

// False when the server closed the connection meanwhile.
static inline bool wire_send(int wire, Str bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(wire, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = (Str){ bytes.at + sent, bytes.length - (size_t)sent };
    }
    return true;
}

// Reads until `text` holds `wanted` bytes; false at the end of the connection or of patience.
static inline bool wire_fill(int wire, Text *text, size_t wanted)
{
    while (text->length < wanted) {
        struct pollfd ready = { .fd = wire, .events = POLLIN };
        if (poll(&ready, 1, WIRE_PATIENCE_MS) <= 0)
            return false;
        ssize_t got = recv(wire, text_reserve(text, 4096), 4096, 0);
        if (got <= 0)
            return false;
        text_grow(text, (size_t)got);
    }
    return true;
}

static inline Str wire_header(Arena *arena, Str head, const char *name)
{
    Str wanted = str_print(arena, "%s: ", name);
    while (head.length > 0) {
        Str line = str_cut(&head, '\n');
        if (line.length <= wanted.length || strncasecmp(line.at, wanted.at, wanted.length) != 0)
            continue;
        return (Str){ line.at + wanted.length, line.length - wanted.length - 1 };
    }
    return STR_NONE;
}

// Reads one answer. A 100 Continue before it is skipped. `has_body`: false after HEAD.
static inline WireAnswer wire_answer_to(Arena *arena, int wire, bool has_body)
{
    WireAnswer answer = { 0 };
    Text       text = text_open(arena);
    char      *end;
    for (;;) {
        if (!wire_fill(wire, &text, text.length + 1)) {
            answer.closed = true;
            return answer;
        }
        *text_reserve(&text, 1) = 0;
        end = strstr(text.at, "\r\n\r\n");
        if (end != NULL && strncmp(text.at, "HTTP/1.1 100", 12) == 0) {
            size_t skipped = (size_t)(end + 4 - text.at);
            memmove(text.at, end + 4, text.length - skipped);
            text.length -= skipped;
            *text_reserve(&text, 1) = 0;
            end = text.length == 0 ? NULL : strstr(text.at, "\r\n\r\n");
        }
        if (end != NULL)
            break;
    }
    size_t   head = (size_t)(end + 4 - text.at);
    uint64_t length = 0;
    str_whole(wire_header(arena, (Str){ text.at, head }, "Content-Length"), 1 << 30, &length);
    if (!has_body)
        length = 0;
    answer.closed = !wire_fill(wire, &text, head + length);
    answer.head = (Str){ text.at, head };
    answer.body = (Str){ text.at + head, text.length - head };
    answer.status = (text.at[9] - '0') * 100 + (text.at[10] - '0') * 10 + text.at[11] - '0';
    if (strstr(str_terminated(arena, answer.head), "onnection: close") != NULL)
        answer.closed = true;
    return answer;
}

static inline WireAnswer wire_answer(Arena *arena, int wire)
{
    return wire_answer_to(arena, wire, true);
}

// Connects, sends, reads one answer, closes.
static inline WireAnswer wire_ask(Arena *arena, uint16_t port, Str request)
{
    int        wire = wire_connect(port);
    WireAnswer answer = { 0 };
    if (wire < 0)
        return answer;
    wire_send(wire, request);
    answer = wire_answer(arena, wire);
    close(wire);
    return answer;
}

static inline Str wire_post(Arena *arena, const char *path, const char *headers, Str body)
{
    Text text = text_open(arena);
    text_print(&text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", path,
               body.length, headers);
    text_add(&text, body);
    return text_str(&text);
}
