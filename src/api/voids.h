// Corrections of usage over HTTP: what the handlers of voids.c and voids_amend.c share. Inside of
// api/ only.
#pragma once

#include "api/server.h"
#include "flow/aggregate/corrections.h"

// An entry in the project's audit: "usage.void", the void's id, why, what came of it. The deed
// itself is durable already.
typedef struct CorrectionNote {
    const char *action;
    Str         object, reason, detail;
} CorrectionNote;
Err *correction_note(const Request *request, const CorrectionNote *note) MUST_CHECK;

// voids_amend.c
Err *measurements_amend(Request *request, Response *response);
extern const Shape amend_body_shape, amend_answer_shape;
