// One request on its way through the listener: headers, body, work, answer. Inside of http/ only.
//
//   STAGE_HEADERS   the request line has arrived
//   STAGE_BODY      headers are checked; the body is read, or discarded after a refusal
//   STAGE_WORKING   the connection is suspended; a worker or somebody outside has the request
//   STAGE_FINISHED  back on its HTTP thread, to be answered when the connection is resumed
//   STAGE_ANSWERED  the answer is being sent
//
// An exchange belongs to its HTTP thread, but for STAGE_WORKING.
#pragma once

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/random.h"
#include "base/thread.h"
#include "http/coding.h"
#include "http/listener.h"

typedef enum Stage {
    STAGE_HEADERS, STAGE_BODY, STAGE_WORKING, STAGE_FINISHED, STAGE_ANSWERED
} Stage;

struct Exchange;

// A connection, so that the sweeper finds those that have no request.
typedef struct Peer {
    struct MHD_Connection *connection;
    int                    socket;
    struct Exchange       *exchange;  // NULL between requests
    int64_t                idle_tick_us;
    bool                   cut;       // shut down by the sweeper
    bool                   looked_at; // by the sweeper, since it became idle
    struct Peer           *before, *after;
} Peer;

typedef struct HttpThread {
    struct Listener   *listener;
    struct MHD_Daemon *daemon;
    Thread             thread;
    int                listen_socket;  // -1 after quiesce
    int                wake;           // eventfd
    int                poll;           // epoll: wake and the daemon's own epoll
    JsonParser        *parser;
    Seeded             ids;            // of requests
    Peer              *peers;
    struct Exchange   *spare;          // kept for the next requests
    size_t             spare_count;
    struct Exchange   *suspending;     // to be suspended when the daemon has run
    size_t             working;        // in STAGE_WORKING or waiting to be resumed
    size_t             open;           // exchanges begun and not completed
    _Atomic(struct Exchange *) finished;  // pushed by anybody, taken by the thread
    atomic_size_t      pushing;        // who is between pushing and waking: awaited before closing
} HttpThread;

struct Listener {
    ListenerOptions options;
    uint16_t        port;
    HttpThread     *threads;
    Thread         *workers;
    Queue          *work;
    atomic_size_t   bodies_bytes;
    atomic_bool     quiesced;
    atomic_bool     stopping;
    int64_t         stop_tick_us;   // written before `stopping`
    int64_t         sweep_us;       // between two looks at all connections
};

typedef struct Exchange {
    Request                request;
    Response               response;
    HttpThread            *thread;
    Peer                  *peer;
    struct MHD_Connection *connection;
    Stage                  stage;
    Err                   *refusal;
    bool                   refuse_now;   // at the headers: the rest of the body is not read
    bool                   suspended;    // request_suspend was called
    bool                   forwarded;    // to the owner
    Handler               *then;
    size_t                 piece_sent;   // of a body in pieces: bytes of the one at hand
    bool                   pieces_ended;
    Str                    target;       // as sent: path and query
    Str                    allow;        // for METHOD_NOT_ALLOWED
    Coding                 coding;
    bool                   has_body;
    uint64_t               announced;    // Content-Length
    Text                   received;     // the body as sent
    Text                   decoded;
    uint64_t               received_bytes;  // the discarded too
    size_t                 counted;      // of bodies_bytes
    int64_t                begin_tick_us, body_tick_us, answer_tick_us;
    struct Exchange       *next;         // in `spare` or `finished`
    struct Exchange       *next_suspending;
} Exchange;

// libmicrohttpd's callbacks; `thread` is their closure.
void           *exchange_begin(void *thread, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_access(void *thread, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **state);
void            exchange_completed(void *thread, struct MHD_Connection *connection, void **state,
                                   enum MHD_RequestTerminationCode reason);
void            exchange_release(Exchange *exchange);  // for good

// Runs the handler of an exchange on a worker and hands it back.
void exchange_work(Exchange *exchange, JsonParser *parser);

// The whole answer of a refusal as bytes on the wire, for connections that are cut.
Str exchange_refusal_bytes(Exchange *exchange, Err *refusal);

// Checks the headers and fills the request (headers.c). Sets refusal and refuse_now. `version` is
// where libmicrohttpd's read buffer holds it.
void headers_check(Exchange *exchange, Str method, const char *version);
