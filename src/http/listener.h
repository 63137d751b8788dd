// The HTTP/1.1 server: takes connections, reads whole requests within limits, runs the routes'
// handlers and sends their answers. Knows nothing of billing.
//
// Each HTTP thread owns one libmicrohttpd daemon in external epoll mode, its connections and the
// requests on them. Handlers that may block run on worker threads while their connection is
// suspended.
#pragma once

#include "http/openapi.h"
#include "http/router.h"

typedef struct Listener Listener;

// Checks the credential of a request whose headers have arrived (request_header works) against
// the scope of its route, and sets request->principal. UNAUTHENTICATED or FORBIDDEN.
typedef Err *Authorize(void *context, Request *request, const char *scope);

typedef struct ListenerOptions {
    Str           listen;            // "127.0.0.1:8080", "[::1]:0"; port 0: any free one
    uint32_t      threads;           // 2
    uint32_t      workers;           // 4
    uint32_t      connections;       // 16384, in all
    size_t        body_bytes;        // 16 MiB, of one body, also after decompression
    size_t        bodies_bytes;      // 256 MiB, of all bodies being read or worked on
    uint32_t      headers_ms;        // 10000: from the request line to the end of the headers
    uint32_t      body_ms;           // 60000: from the headers to the end of the body
    uint32_t      body_rate;         // 1024 bytes a second at least, after body_grace_ms
    uint32_t      body_grace_ms;     // 5000
    uint32_t      idle_ms;           // 75000: between requests
    const Router *router;
    Authorize    *authorize;
    // Of a server that is not the owner (RouteAt): called on the HTTP thread with the whole
    // request, must suspend it. NULL: this is the owner.
    Handler      *forward;
    ErrCode       elsewhere;         // the refusal that says that only the owner can answer
    Str           owner;             // who this is to those that forward; STR_NONE: nobody
    void         *context;           // request->server
} ListenerOptions;

// Zero members mean the defaults above. Refuses FIELD_INVALID for an address that cannot be
// listened on.
Err *listener_open(Arena *arena, const ListenerOptions *options, Listener **listener) MUST_CHECK;

// FIELD_INVALID for a text that is no address.
Err *listener_address_read(Arena *arena, Str listen) MUST_CHECK;
// FIELD_INVALID for an address that cannot be listened on now: for a caller with long work to do
// before it opens.
Err *listener_address_check(Arena *arena, Str listen) MUST_CHECK;

uint16_t listener_port(const Listener *listener);

// First step of a drain: no more connections are taken; requests that come on open ones are still
// answered, with Connection: close.
void listener_quiesce(Listener *listener);
// Waits until every request begun has been answered, at most this long, then stops the threads. All
// suspended requests must finish: keep what finishes them running until this returns.
void listener_close(Listener *listener, int64_t patience_us);
