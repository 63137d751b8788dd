// Content codings of request bodies: gzip and zstd, one at a time, never beyond the limit.
#pragma once

#include "base/error.h"

typedef enum Coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD } Coding;

// From a Content-Encoding header; STR_NONE is identity. False: another coding, or several.
bool coding_find(Str header, Coding *coding);

// Appends the decoded body to `out`, at most `limit` bytes of it: BODY_TOO_LARGE beyond, and
// BODY_NOT_DECODABLE for a damaged or cut stream, or a zstd window past 8 MiB.
Err *coding_decode(Arena *arena, Coding coding, Str body, size_t limit, Text *out) MUST_CHECK;
