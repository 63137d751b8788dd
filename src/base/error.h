// Refusals: the fault of the caller or of the world, never of Toll. A function that can refuse
// answers Err *, NULL is success, and fills its outputs only on success. The error lives in the
// arena it was made in. Rows and their HTTP status are in tbl/errors.def, in order of precedence.
#pragma once

#include "base/text.h"

typedef enum ErrCode {
#define ERR(name, http, again, text) ERR_##name,
#include "tbl/errors.def"
#undef ERR
    ERR_COUNT
} ErrCode;

// Whether repeating the request can help: never, later, or with the same key to learn the outcome.
typedef enum ErrAgain { AGAIN_NEVER, AGAIN_LATER, AGAIN_SAME_KEY } ErrAgain;

typedef struct Err {
    ErrCode     code;
    Str         pointer;  // JSON pointer of the member at fault ("/tiers/0/upTo"), or STR_NONE
    Str         detail;   // one sentence: lower case, names the field and the limit, no internals
    struct Err *next;     // further faults of the same request, in document order
} Err;

#define MUST_CHECK __attribute__((warn_unused_result))

const char *err_name(ErrCode code);    // as on the wire: "unknown_meter"
const char *err_title(ErrCode code);
int         err_status(ErrCode code);  // HTTP
ErrAgain    err_again(ErrCode code);
bool        err_find(Str name, ErrCode *code);

// refuse(arena, ERR_FIELD_INVALID, STR("/limit"), "limit must be between 1 and %d", 1000)
Err *refuse(Arena *arena, ErrCode code, Str pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Collects faults so that a document is refused with all of them. Empty: first == NULL.
typedef struct Faults {
    Arena *arena;
    Err   *first;
    Err   *last;
    size_t count;  // at most FAULTS_MAX are kept
} Faults;
enum { FAULTS_MAX = 50 };

void faults_add(Faults *faults, ErrCode code, Str pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void faults_add_err(Faults *faults, Err *err);

#define TRY(call)                       \
    do {                                \
        Err *refusal_ = (call);         \
        if (refusal_ != NULL)           \
            return refusal_;            \
    } while (0)
