// Shapes: tables that say what a JSON object holds. One table decodes a flat body into a struct,
// refuses what does not fit with a pointer to the member, and prints its OpenAPI schema. Shapes of
// answers, and of bodies that a parser of their own reads, only document.
#pragma once

#include <stddef.h>

#include "base/json.h"
#include "money/decimal.h"
#include "time/instant.h"

typedef enum FieldKind {
    KIND_TEXT,     // Str
    KIND_WHOLE,    // int64_t
    KIND_DECIMAL,  // Decimal; enters as number or string, leaves as string
    KIND_INSTANT,  // Instant; RFC 3339
    KIND_BOOL,     // bool
    KIND_ENUM,     // int: index into choices
    KIND_ARRAY,    // const Json *: its elements are for the caller to read
    KIND_OBJECT,   // const Json *
    KIND_MAP,      // const Json *: an object with any names, values of one kind
    KIND_JSON,     // const Json *: any value
} FieldKind;

struct Shape;

typedef struct Field {
    const char         *name;      // in JSON
    FieldKind           kind;
    size_t              offset;
    bool                required;  // in bodies: must be there; in answers: always there
    bool                nullable;
    int64_t             least;     // bytes of a text, value of a whole number, elements of an array
    int64_t             most;      // 0: no limit
    const char         *pattern;   // ECMA 262, documented only; the decoder checks least and most
    const char *const  *choices;   // of an enum, ended by NULL
    const struct Shape *shape;     // of an object, of elements of an array, of values of a map
    FieldKind           of;        // elements or values when shape is NULL
    const char         *doc;
} Field;

typedef struct Shape {
    const char                *name;      // of the OpenAPI component, PascalCase, unique
    const Field               *fields;
    size_t                     count;
    const struct Shape        *elements;  // not NULL: an array of these; no fields
    const struct Shape *const *one_of;    // not NULL: any of these, ended by NULL; no fields
    bool                       open;      // further members are allowed
    const char                *doc;
} Shape;

#define KIND_TYPE_TEXT    Str
#define KIND_TYPE_WHOLE   int64_t
#define KIND_TYPE_DECIMAL Decimal
#define KIND_TYPE_INSTANT Instant
#define KIND_TYPE_BOOL    bool
#define KIND_TYPE_ENUM    int
#define KIND_TYPE_ARRAY   const Json *
#define KIND_TYPE_OBJECT  const Json *
#define KIND_TYPE_MAP     const Json *
#define KIND_TYPE_JSON    const Json *

// FIELD(Adjustment, amount, "amount", DECIMAL, .required = true, .doc = "..."): a wrong kind for
// the member does not compile.
#define FIELD(T, member, json, KIND, ...)                                        \
    { .name = (json), .offset = offsetof(T, member),                             \
      .kind = _Generic(((T *)0)->member, KIND_TYPE_##KIND: KIND_##KIND), __VA_ARGS__ }
// A member that is only documented.
#define MEMBER(json, KIND, ...) { .name = (json), .kind = KIND_##KIND, __VA_ARGS__ }

// static const Shape grant_shape = SHAPE("Grant", grant_fields, .doc = "...");
#define SHAPE(title, table, ...)                                                 \
    { .name = (title), .fields = (table), .count = sizeof(table) / sizeof *(table), __VA_ARGS__ }

// Fills the struct at `into` from the object. Absent members are left as they were. Every fault is
// collected: UNKNOWN_MEMBER, FIELD_REQUIRED, FIELD_INVALID, INVALID_VALUE, INVALID_TIMESTAMP.
void shape_decode(const Shape *shape, const Json *object, void *into, Faults *faults);

// The JSON Schema (2020-12) of the shape; nested shapes as "#/components/schemas/Name".
void shape_schema(const Shape *shape, JsonOut *out);
