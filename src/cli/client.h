// A client of a Toll server over HTTP: one connection, one call at a time, repeated while the
// server cannot be reached or says 503. Repeating is safe because what it sends carries ids of its
// own.
#pragma once

#include "base/error.h"
#include "base/json.h"

typedef struct ClientOptions {
    Str url;     // "http://127.0.0.1:8080", with or without a slash at the end
    Str key;     // API key; STR_NONE: none is sent
    int wait_s;  // how long a call is repeated before it is given up
} ClientOptions;

typedef struct Client Client;
Client *client_open(const ClientOptions *options);
void    client_close(Client *client);  // NULL is allowed
void    Client_leave(Client **client);

uint64_t client_repeats(const Client *client);  // how many calls were made again

typedef enum BodyCoding { BODY_PLAIN, BODY_GZIP } BodyCoding;

typedef struct Call {
    const char *method;   // "POST"
    Str         path;     // with query: "/v1/measurements?verbose=true"
    const char *media;    // of the body; NULL: application/json
    Str         body;     // STR_NONE: none
    BodyCoding  coding;   // how the body goes out
    const char *idempotency_key;  // NULL: none
} Call;

typedef struct Reply {
    int status;
    Str body;
} Reply;

// Any answer but a 503 is a success here. Refuses OUTCOME_UNKNOWN when none came in time.
Err *client_call(Client *client, Arena *arena, const Call *call, Reply *reply) MUST_CHECK;
// For calls that must succeed: a problem document becomes the refusal that it tells of. `answer`
// may be NULL.
Err *client_call_json(Client *client, Arena *arena, const Call *call,
    const Json **answer) MUST_CHECK;
