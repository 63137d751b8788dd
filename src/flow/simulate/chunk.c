// SPDX-License-Identifier: Apache-2.0
#include "flow/simulate/chunk.h"

enum { CHUNK_FORM = 1 };

// ---- writing

ChunkWriter chunk_writer_open(Arena *arena, size_t accounts)
{
    ChunkWriter writer = { .text = text_open(arena), .texts = map_open() };
    text_add_char(&writer.text, CHUNK_FORM);
    text_add_varint(&writer.text, accounts);
    return writer;
}

static void text_write(ChunkWriter *writer, Str text)
{
    uint64_t number;
    if (map_find(writer->texts, text, &number)) {
        text_add_varint(&writer->text, 1 + number);
        return;
    }
    map_set(writer->texts, text, map_count(writer->texts));
    text_add_varint(&writer->text, 0);
    text_add_counted(&writer->text, text);
}

static void line_write(ChunkWriter *writer, const RepricedLine *line)
{
    Text *text = &writer->text;
    text_write(writer, line->subscription);
    text_add_signed(text, line->period.start.us - writer->previous);
    text_add_varint(text, (uint64_t)(line->period.end.us - line->period.start.us));
    text_add_varint(text, line->kind);
    text_write(writer, line->charge);
    text_write(writer, line->group);
    text_write(writer, line->currency);
    text_add_signed(text, line->before);
    text_add_signed(text, line->after);
    writer->previous = line->period.start.us;
}

void chunk_write(ChunkWriter *writer, const RepricedAccount *account)
{
    text_write(writer, account->account);
    text_add_varint(&writer->text, account->warnings);
    text_write(writer, account->refusal);
    text_write(writer, account->detail);
    text_add_varint(&writer->text, account->count);
    for (size_t i = 0; i < account->count; i++)
        line_write(writer, &account->lines[i]);
}

Str chunk_writer_close(ChunkWriter *writer)
{
    map_close(writer->texts);
    return text_str(&writer->text);
}

// ---- reading

void chunk_reader_open(Arena *arena, Str content, ChunkReader *reader)
{
    *reader = (ChunkReader){ .arena = arena, .reader = reader_of(content) };
    if (reader_u8(&reader->reader) != CHUNK_FORM)
        reader->reader.failed = true;
    reader->left = reader_varint(&reader->reader);
}

static Str text_read(ChunkReader *reader)
{
    uint64_t number = reader_varint(&reader->reader);
    if (number > reader->texts.count)
        reader->reader.failed = true;
    if (reader->reader.failed)
        return STR("");
    if (number > 0)
        return reader->texts.at[number - 1];
    Str text = reader_counted(&reader->reader);
    vector_push(&reader->texts, text);
    return text;
}

static void line_read(ChunkReader *reader, RepricedLine *line)
{
    Reader *in = &reader->reader;
    line->subscription = text_read(reader);
    line->period.start.us = reader->previous + reader_signed(in);
    line->period.end.us = line->period.start.us + (int64_t)reader_varint(in);
    uint64_t kind = reader_varint(in);
    if (kind >= LINE_KIND_COUNT)
        in->failed = true;
    line->kind = in->failed ? LINE_USAGE : (LineKind)kind;
    line->charge = text_read(reader);
    line->group = text_read(reader);
    line->currency = text_read(reader);
    line->before = reader_signed(in);
    line->after = reader_signed(in);
    reader->previous = line->period.start.us;
}

bool chunk_read(ChunkReader *reader, RepricedAccount *account)
{
    Reader *in = &reader->reader;
    if (reader->left == 0 || in->failed)
        return false;
    reader->left--;
    *account = (RepricedAccount){ .account = text_read(reader) };
    account->warnings = (uint32_t)reader_varint(in);
    account->refusal = text_read(reader);
    account->detail = text_read(reader);
    uint64_t count = reader_varint(in);
    if (in->failed || count > reader_left(in)) {  // a line takes more than a byte
        in->failed = true;
        return false;
    }
    account->count = count;
    account->lines = arena_array(reader->arena, RepricedLine, count);
    for (size_t i = 0; i < count; i++)
        line_read(reader, &account->lines[i]);
    return !in->failed;
}

Err *chunk_reader_close(ChunkReader *reader)
{
    vector_release(&reader->texts);
    if (reader->reader.failed)
        return refuse(reader->arena, ERR_STORE_FAILED, STR_NONE,
                      "a stored piece of a simulation is damaged");
    return NULL;
}
