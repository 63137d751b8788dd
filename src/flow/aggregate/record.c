// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/record.h"

#include "base/assert.h"

enum { RECORD_FORM = 1, TS_GIVEN = 1, AMENDS = 2, METER_REMOVED = 1, METER_FRESH = 2 };

void record_clear(RecordText *record, Instant base)
{
    text_clear(&record->names);
    text_clear(&record->rows);
    record->name_count = record->row_count = 0;
    record->base = base;
}

void record_write_name(Text *text, const RecordName *name)
{
    text_add_char(text, (char)name->kind);
    text_add_varint(text, name->parent);
    text_add_varint(text, name->number);
    text_add_counted(text, name->name);
}

bool record_read_name(Reader *reader, RecordName *name)
{
    uint8_t kind = reader_u8(reader);
    name->kind = (NameKind)kind;
    name->parent = (uint32_t)reader_varint(reader);
    name->number = (uint32_t)reader_varint(reader);
    name->name = reader_counted(reader);
    if (kind >= NAME_KINDS)
        reader->failed = true;
    return !reader->failed;
}

void record_add_name(RecordText *record, const RecordName *name)
{
    record_write_name(&record->names, name);
    record->name_count++;
}

static void event_write(RecordText *record, const Row *numbers, const Event *event, int flags)
{
    Text *rows = &record->rows;
    record->row_count++;
    text_add_char(rows, ROW_EVENT);
    text_add_char(rows, (char)(flags | (event->ts_given ? TS_GIVEN : 0)));
    text_add_varint(rows, numbers->event);
    text_add_varint(rows, numbers->account);
    text_add_signed(rows, event->ts.us - record->base.us);
    text_add_signed(rows, numbers->received.us - record->base.us);
    text_add_int128(rows, event->value.e12);
    text_add_counted(rows, event->unique_id);
    text_add_counted(rows, event->properties);
}

void record_add_event(RecordText *record, const Row *numbers, const Event *event)
{
    event_write(record, numbers, event, 0);
}

void record_add_amended(RecordText *record, const Row *numbers, const Event *event,
                        const VoidTarget *replaced)
{
    event_write(record, numbers, event, AMENDS);
    text_add_varint(&record->rows, replaced->sequence);
    text_add_signed(&record->rows, replaced->ts.us - event->ts.us);
}

void record_add_void(RecordText *record, const VoidFact *fact)
{
    Text bytes = text_open_own();
    void_fact_write(fact, &bytes);
    record->row_count++;
    text_add_char(&record->rows, ROW_VOID);
    text_add_counted(&record->rows, text_str(&bytes));
    text_close(&bytes);
}

void record_add_meter(RecordText *record, const RecordMeter *meter)
{
    Text *rows = &record->rows;
    record->row_count++;
    text_add_char(rows, ROW_METER);
    text_add_char(rows, (char)((meter->is_removal ? METER_REMOVED : 0) |
                               (meter->is_fresh ? METER_FRESH : 0)));
    text_add_varint(rows, meter->project);
    text_add_varint(rows, meter->event);
    text_add_varint(rows, meter->number);
    text_add_counted(rows, meter->definition);
}

void record_add_none(RecordText *record)
{
    record->row_count++;
    text_add_char(&record->rows, ROW_NONE);
}

void record_heads(const RecordText *record, Text *before_names, Text *before_rows)
{
    text_add_char(before_names, RECORD_FORM);
    text_add_varint(before_names, record->name_count);
    text_add_varint(before_rows, record->row_count);
    text_add_signed(before_rows, record->base.us);
}

bool record_open(RecordReader *reader, Str payload)
{
    *reader = (RecordReader){ .reader = reader_of(payload) };
    if (reader_u8(&reader->reader) != RECORD_FORM)
        reader->reader.failed = true;
    reader->names = reader_varint(&reader->reader);
    if (reader->names == 0 && !reader->reader.failed) {
        reader->rows = reader_varint(&reader->reader);
        reader->base.us = reader_signed(&reader->reader);
    }
    return !reader->reader.failed;
}

bool record_next_name(RecordReader *reader, RecordName *name)
{
    if (reader->names == 0 || reader->reader.failed)
        return false;
    reader->names--;
    bool whole = record_read_name(&reader->reader, name);
    if (reader->names == 0 && whole) {
        reader->rows = reader_varint(&reader->reader);
        reader->base.us = reader_signed(&reader->reader);
    }
    return whole;
}

// No writer makes a moment that cannot be counted; damage may.
static Instant moment_read(RecordReader *reader)
{
    Instant moment;
    if (__builtin_add_overflow(reader->base.us, reader_signed(&reader->reader), &moment.us))
        reader->reader.failed = true;
    return moment;
}

static void event_read(RecordReader *reader, RecordRow *row)
{
    Reader *bytes = &reader->reader;
    row->row.kind = ROW_EVENT;
    uint8_t flags = reader_u8(bytes);
    row->row.ts_given = (flags & TS_GIVEN) != 0;
    row->amends = (flags & AMENDS) != 0;
    row->row.event = (uint32_t)reader_varint(bytes);
    row->row.account = (uint32_t)reader_varint(bytes);
    row->row.ts = moment_read(reader);
    row->row.received = moment_read(reader);
    row->row.value.e12 = reader_int128(bytes);
    row->unique_id = reader_counted(bytes);
    row->properties = reader_counted(bytes);
    if (row->unique_id.length == 0 || row->unique_id.length > UINT8_MAX)
        bytes->failed = true;
    if (!row->amends)
        return;
    row->replaced = (VoidTarget){ .sequence = reader_varint(bytes), .event = row->row.event,
                                  .account = row->row.account };
    if (__builtin_add_overflow(row->row.ts.us, reader_signed(bytes), &row->replaced.ts.us))
        bytes->failed = true;
}

static void meter_read(Reader *bytes, RecordMeter *meter)
{
    uint8_t flags = reader_u8(bytes);
    meter->is_removal = (flags & METER_REMOVED) != 0;
    meter->is_fresh = (flags & METER_FRESH) != 0;
    meter->project = (uint32_t)reader_varint(bytes);
    meter->event = (uint32_t)reader_varint(bytes);
    meter->number = (uint32_t)reader_varint(bytes);
    meter->definition = reader_counted(bytes);
}

bool record_next_row(RecordReader *reader, RecordRow *row)
{
    assert_that(reader->names == 0 || reader->reader.failed);
    if (reader->rows == 0 || reader->reader.failed)
        return false;
    reader->rows--;
    *row = (RecordRow){ 0 };
    uint8_t kind = reader_u8(&reader->reader);
    row->kind = (RowKind)kind;
    if (kind == ROW_EVENT)
        event_read(reader, row);
    else if (kind == ROW_METER)
        meter_read(&reader->reader, &row->meter);
    else if (kind == ROW_VOID)
        row->fact = reader_counted(&reader->reader);
    else if (kind != ROW_NONE)
        reader->reader.failed = true;
    return !reader->reader.failed;
}

Str record_outcomes(RecordReader *reader)
{
    return reader_bytes(&reader->reader, reader_left(&reader->reader));
}

bool record_failed(const RecordReader *reader)
{
    return reader->reader.failed;
}
