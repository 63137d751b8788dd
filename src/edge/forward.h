// Requests that only the owner of the usage can answer, passed on to it whole by HTTP and answered
// with what it says. One thread carries all of them at once, so an owner that hangs holds up nobody
// who does not need it. Whoever forwards decides nothing and keeps nothing.
//
// An answer counts only when it names the owner that was asked (OWNER_HEADER); so neither a
// stranger at its address nor an owner that was replaced answers for it. Refuses, with
// request_finish:
//   USAGE_OWNER_UNREACHABLE  there is no owner, or it cannot be reached, and nothing was sent to it
//                            that could have an effect
//   OUTCOME_UNKNOWN          something was sent that is no GET, and no answer came
#pragma once

#include "http/request.h"

typedef struct Forwarder Forwarder;

enum { FORWARDS_MAX = 1000 };  // at a time; beyond it QUEUE_FULL

typedef struct ForwardOptions {
    size_t answer_bytes;  // largest answer that is passed on; 0: 256 MiB
    int    connect_ms;    // 0: 3000
    int    answer_ms;     // for the whole of it; 0: 120000
} ForwardOptions;

Forwarder *forwarder_open(const ForwardOptions *options);
// After the listener, when nothing is under way any more; NULL is allowed.
void forwarder_close(Forwarder *forwarder);

// Whom to ask from now on. url: "http://10.0.0.1:8080"; STR_NONE: nobody. owner: its OWNER_HEADER.
void forwarder_owner_set(Forwarder *forwarder, Str url, Str owner);

// Suspends the request; from ListenerOptions.forward.
Err *forward_begin(Forwarder *forwarder, Request *request, Response *response) MUST_CHECK;
