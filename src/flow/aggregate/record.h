// What a journal record of a partition holds: facts that are resolved already, so that a replay
// never validates. Layout, version 1:
//
//   version byte
//   names:    varint count; each: kind byte, varint parent, varint number, counted name
//   rows:     varint count, signed received_us of the record; each: kind byte, then
//             EVENT  flags (1: ts given, 2: replaces another), varint event, varint account,
//                    signed ts - received of the record, signed received - received of the record,
//                    int128 value (10^-12), counted unique id, counted canonical properties; when
//                    it replaces another: varint sequence of that, signed ts of that - its own
//             METER  flags (1: removed, 2: no event of the stream came before), varint project,
//                    varint event, varint activation number, counted definition
//             VOID   a void or a revert: counted fact (void_facts.h)
//             NONE   nothing
//   outcomes: the rest, as outcomes.h writes it
#pragma once

#include "base/bytes.h"
#include "flow/aggregate/generation.h"
#include "flow/aggregate/names.h"
#include "flow/aggregate/void_facts.h"

// A record under construction.
typedef struct RecordText {
    Text     names, rows;
    uint32_t name_count, row_count;
    Instant  base;  // received of the record
} RecordText;

typedef struct RecordName {
    NameKind kind;
    uint32_t parent, number;
    Str      name;
} RecordName;

typedef struct RecordMeter {
    uint32_t project, event, number;
    bool     is_removal, is_fresh;
    Str      definition;
} RecordMeter;

void record_clear(RecordText *record, Instant base);
void record_add_name(RecordText *record, const RecordName *name);
void record_add_event(RecordText *record, const Row *numbers, const Event *event);
// The same for one that replaces another of its id, stream and account.
void record_add_amended(RecordText *record, const Row *numbers, const Event *event,
                        const VoidTarget *replaced);
void record_add_meter(RecordText *record, const RecordMeter *meter);
void record_add_void(RecordText *record, const VoidFact *fact);
void record_add_none(RecordText *record);
// The bytes that stand before names, and between names and rows; outcomes come last.
void record_heads(const RecordText *record, Text *before_names, Text *before_rows);

// Reading one back: names first, then rows, then the rest.
typedef struct RecordReader {
    Reader   reader;
    uint64_t names, rows;  // still to come
    Instant  base;
} RecordReader;

typedef struct RecordRow {
    RowKind     kind;
    Row         row;       // of an event: kind, ts_given, numbers, ts, received, value
    Str         unique_id, properties;
    RecordMeter meter;
    bool        amends;    // an event: it replaces `replaced`
    VoidTarget  replaced;
    Str         fact;      // of kind VOID
} RecordRow;

bool record_open(RecordReader *reader, Str payload);
bool record_next_name(RecordReader *reader, RecordName *name);  // false: no more, or failed
bool record_next_row(RecordReader *reader, RecordRow *row);     // after the names
Str  record_outcomes(RecordReader *reader);                     // after the rows
bool record_failed(const RecordReader *reader);

// Names alone, as a seal keeps them.
void record_write_name(Text *text, const RecordName *name);
bool record_read_name(Reader *reader, RecordName *name);
