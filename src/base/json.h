// JSON in (json_in.cc, over simdjson On-Demand) and out (json_out.c, text building, nothing else).
// Numbers keep their text in both directions: no double ever touches a value.
#pragma once

#include "base/error.h"

// ---- in

typedef enum JsonKind {
    JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
} JsonKind;

typedef struct Json {
    JsonKind     kind;
    uint32_t     count;  // members or elements
    Str          name;   // the member's name within its object, unescaped; STR_NONE in an array
    Str          text;   // a string, unescaped; a number, exactly as written
    struct Json *first;  // of an array or object, in document order
    struct Json *next;
} Json;

// A parser may be used again and again by one thread; it keeps simdjson's buffers.
typedef struct JsonParser JsonParser;
JsonParser *json_parser_open(void);
void        json_parser_close(JsonParser *parser);

// simdjson reads past the end: whoever fills a buffer to be parsed leaves this many bytes behind
// it.
enum { JSON_PADDING = 64 };

typedef struct JsonLimits {
    uint32_t depth;  // 16 where nothing else is said
} JsonLimits;

// Parses one whole document: UTF-8, number grammar, duplicate members (after unescaping), depth and
// trailing text are all checked. `text.at` must be followed by JSON_PADDING readable bytes. The
// tree is in the arena; its strings may point into `text`, which must live as long. Refuses with
// JSON_INVALID, JSON_TOO_DEEP or JSON_DUPLICATE_MEMBER, pointer and offset in detail.
Err *json_parse(JsonParser *parser, Arena *arena, Str text, JsonLimits limits,
                Json **root) MUST_CHECK;

// The same for text without padding: copies it first. For files, plans and other rare input.
Err *json_parse_copy(Arena *arena, Str text, Json **root) MUST_CHECK;
// The same for what Toll wrote: that it cannot be read is STORE_FAILED, nobody's request.
Err *json_parse_stored(Arena *arena, Str text, Json **root) MUST_CHECK;

const Json *json_find(const Json *object, Str name);  // NULL when absent or not an object
Str json_text(const Json *object, const char *name);  // a string; STR_NONE: there is none

// ---- out

// Writes one JSON value into a Text, with commas and quotes where they belong. Names and strings
// must be UTF-8. Between json_object and json_end come json_name + value pairs.
typedef struct JsonOut {
    Text *text;
    bool  needs_comma;
} JsonOut;

JsonOut json_out(Text *text);
void json_object(JsonOut *out);
void json_array(JsonOut *out);
void json_object_end(JsonOut *out);
void json_array_end(JsonOut *out);
void json_name(JsonOut *out, Str name);
void json_string(JsonOut *out, Str value);
void json_whole(JsonOut *out, int64_t value);
void json_bool(JsonOut *out, bool value);
void json_null(JsonOut *out);
void json_raw(JsonOut *out, Str json);            // a value that is JSON text already
void json_value(JsonOut *out, const Json *tree);  // writes a parsed tree back, numbers as they were

// "name":value in one call.
void json_string_member(JsonOut *out, const char *name, Str value);
void json_whole_member(JsonOut *out, const char *name, int64_t value);
void json_bool_member(JsonOut *out, const char *name, bool value);
void json_null_member(JsonOut *out, const char *name);
void json_raw_member(JsonOut *out, const char *name, Str json);
