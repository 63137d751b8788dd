// SPDX-License-Identifier: Apache-2.0
// Decodes piece by piece into a growing buffer, so that a bomb is noticed when its output passes
// the limit, however small it is.
#include "http/coding.h"

#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"

enum { PIECE_BYTES = 64 * 1024, WINDOW_LOG_MAX = 23, GZIP_ONLY = 16 };

bool coding_find(Str header, Coding *coding)
{
    static const struct {
        const char *name;
        Coding      coding;
    } names[] = { { "identity", CODING_IDENTITY }, { "gzip", CODING_GZIP },
                  { "x-gzip", CODING_GZIP },       { "zstd", CODING_ZSTD } };
    if (header.length == 0) {
        *coding = CODING_IDENTITY;
        return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (header.length == strlen(names[i].name) &&
            strncasecmp(header.at, names[i].name, header.length) == 0) {
            *coding = names[i].coding;
            return true;
        }
    return false;
}

static Err *not_decodable(Arena *arena, const char *what)
{
    return refuse(arena, ERR_BODY_NOT_DECODABLE, STR_NONE, "%s", what);
}

static Err *too_large(Arena *arena, size_t limit)
{
    return refuse(arena, ERR_BODY_TOO_LARGE, STR_NONE,
                  "the decoded body is larger than %zu bytes", limit);
}

// How much may be written next: one byte past the limit tells that it is passed.
static size_t piece_room(const Text *out, size_t start, size_t limit)
{
    size_t left = limit + 1 - (out->length - start);
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

static Err *gzip_pieces(Arena *arena, z_stream *stream, size_t limit, Text *out)
{
    size_t start = out->length;
    for (;;) {
        size_t room = piece_room(out, start, limit);
        stream->next_out = (Bytef *)text_reserve(out, room);
        stream->avail_out = (uInt)room;
        int state = inflate(stream, Z_NO_FLUSH);
        text_grow(out, room - stream->avail_out);
        if (out->length - start > limit)
            return too_large(arena, limit);
        if (state == Z_STREAM_END && stream->avail_in == 0)
            return NULL;
        if (state == Z_STREAM_END)  // a gzip file may have several members
            state = inflateReset(stream);
        bool starved = state == Z_OK && stream->avail_in == 0 && stream->avail_out > 0;
        if (state == Z_BUF_ERROR || starved)
            return not_decodable(arena, "the gzip stream ends too early");
        if (state != Z_OK)
            return not_decodable(arena, "the gzip stream is damaged");
    }
}

static Err *gzip_decode(Arena *arena, Str body, size_t limit, Text *out)
{
    z_stream stream = { 0 };
    assert_that(inflateInit2(&stream, GZIP_ONLY + MAX_WBITS) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)body.at;
    stream.avail_in = (uInt)body.length;
    Err *refusal = gzip_pieces(arena, &stream, limit, out);
    inflateEnd(&stream);
    return refusal;
}

static Err *zstd_pieces(Arena *arena, ZSTD_DCtx *context, ZSTD_inBuffer *in, size_t limit,
                        Text *out)
{
    size_t start = out->length;
    for (;;) {
        size_t         room = piece_room(out, start, limit);
        ZSTD_outBuffer piece = { text_reserve(out, room), room, 0 };
        size_t         state = ZSTD_decompressStream(context, &piece, in);
        text_grow(out, piece.pos);
        if (ZSTD_isError(state))
            return not_decodable(arena, "the zstd stream is damaged or needs too large a window");
        if (out->length - start > limit)
            return too_large(arena, limit);
        if (state == 0 && in->pos == in->size)
            return NULL;
        if (state != 0 && in->pos == in->size && piece.pos < room)
            return not_decodable(arena, "the zstd stream ends too early");
    }
}

static Err *zstd_decode(Arena *arena, Str body, size_t limit, Text *out)
{
    ZSTD_DCtx    *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = { body.at, body.length, 0 };
    assert_that(context != NULL);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    Err *refusal = zstd_pieces(arena, context, &in, limit, out);
    ZSTD_freeDCtx(context);
    return refusal;
}

Err *coding_decode(Arena *arena, Coding coding, Str body, size_t limit, Text *out)
{
    if (body.length == 0 && coding != CODING_IDENTITY)
        return not_decodable(arena, "an empty body has no content coding");
    switch (coding) {
    case CODING_IDENTITY: text_add(out, body); return NULL;
    case CODING_GZIP: return gzip_decode(arena, body, limit, out);
    case CODING_ZSTD: return zstd_decode(arena, body, limit, out);
    }
    assert_failed("the coding is known", __FILE__, __LINE__);
}
