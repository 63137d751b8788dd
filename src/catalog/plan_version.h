// A plan's versions. Number 0 is the draft, which PUT replaces; publishing gives it the next number
// and an instant from which it is in force, and from then on it never changes. What a document
// means is price/plan.h's matter; here it is text.
#pragma once

#include "base/json.h"
#include "time/instant.h"

enum { PLAN_DRAFT = 0 };

typedef struct PlanVersion {
    Str     plan;      // id
    int64_t number;    // PLAN_DRAFT, or 1, 2, …
    Str     document;  // canonical JSON text
    Str     currency;  // of the document
    bool    published;
    Instant effective_from;  // when published
    Instant published_at;
    int64_t version;  // of the draft, for ETag; a published one stays as it is
} PlanVersion;

void plan_version_to_json(const PlanVersion *version, JsonOut *out);
