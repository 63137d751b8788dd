// A generation: the events of one future seal, in memory: rows in order of sequence, their ids, and
// the cells folded from them. The sequencer puts rows, the committer folds them once they are
// durable (under the partition's state lock), readers follow chains that only contain folded rows.
#pragma once

#include "flow/aggregate/cell.h"
#include "flow/aggregate/meters.h"
#include "flow/dedupe/id_table.h"
#include "flow/dedupe/identity.h"

typedef enum RowKind {
    ROW_NONE,   // a sequence without content (the first of a partition, or dropped by a replay)
    ROW_EVENT,
    ROW_METER,  // an activation or a removal
    ROW_VOID,   // a void or its revert
} RowKind;

#define ROW_END UINT32_MAX

typedef struct Row {
    Hash128     id;
    Decimal     value;
    uint64_t    fingerprint;
    Instant     ts, received;
    const char *text;               // the unique id, then the canonical properties
    uint32_t    properties_length;
    uint32_t    event, account;     // the partition's numbers
    uint32_t    previous;           // row of the same stream folded before, or ROW_END
    uint32_t    stream;             // its stream, in order of first use; filled by the fold
    uint8_t     unique_id_length;
    uint8_t     kind;               // RowKind
    bool        ts_given;
} Row;

static inline Str row_unique_id(const Row *row)
{
    return (Str){ row->text, row->unique_id_length };
}

static inline Str row_properties(const Row *row)
{
    return (Str){ row->text + row->unique_id_length, row->properties_length };
}

// The cells of a generation are hours; days are made from them when they are read or sealed.
typedef struct HourCell {
    uint64_t hash;
    int64_t  hour;     // UTC hours since 1970
    uint32_t meter;    // activation number
    uint32_t account;
    uint32_t next;     // cell of the same stream, or ROW_END
    Str      dimensions;
    Cell     cell;
} HourCell;

// What one account did under one event name.
typedef struct Stream {
    uint32_t event, account;
    uint32_t newest_row;   // ROW_END: none
    uint32_t newest_cell;  // ROW_END: none
    uint32_t rows;
} Stream;

typedef struct Generation Generation;

// `before`: the generation before it, or NULL; its tables tell how large this one's will be, so
// that they need not grow while requests wait.
Generation *generation_open(uint64_t number, uint32_t seal_bits, const Generation *before);
void        generation_retain(Generation *generation);   // one more owner
void        generation_release(Generation *generation);  // the last owner frees it
// Instead of release: the last owner gets it back, emptied and with its memory, to be begun again
// as another generation; the others get NULL.
Generation *generation_recycle(Generation *generation);
void        generation_begin(Generation *generation, uint64_t number);
// Touches the memory of one that was just opened, so that its rows need not wait for pages.
void        generation_warm(Generation *generation);

uint64_t   generation_number(const Generation *generation);
uint32_t   generation_room(const Generation *generation);       // rows in a full one
const Row *generation_row(const Generation *generation, uint32_t index);

// The ids, for verdicts.
void     generation_prefetch(const Generation *generation, Hash128 id);
uint32_t generation_find(const Generation *generation, Hash128 id);  // row, or ROW_END
void     generation_identity(const Generation *generation, uint32_t index, Identity *identity);

// Sequencer: writes the row and its id. Rows are put in order.
void generation_put_event(Generation *generation, uint32_t index, const Event *event,
                          const Row *numbers /* event, account, received */);
// The same for one whose id is there already, in this generation or an older one: from now on the
// id answers this row.
void generation_put_amended(Generation *generation, uint32_t index, const Event *event,
                            const Row *numbers);
void generation_put_other(Generation *generation, uint32_t index, RowKind kind);

// Committer, under the state lock: links the row and folds it into the cells of `meters`.
void generation_fold(Generation *generation, uint32_t index, const Digest *digest,
                     ActivationList meters);
// Brings near what folding the row will touch, step by step: each needs what the one before
// brought.
typedef enum PrefetchStep { PREFETCH_SLOT, PREFETCH_STREAM, PREFETCH_CELL } PrefetchStep;
void generation_prefetch_fold(const Generation *generation, uint32_t index, PrefetchStep step);

// Readers, under the state lock or once the generation is full: what is folded.
const Stream   *generation_stream(const Generation *generation, uint32_t event, uint32_t account);
const Stream   *generation_streams(const Generation *generation, uint32_t *count);  // by first use
const HourCell *generation_cell(const Generation *generation, uint32_t index);
uint32_t        generation_cell_count(const Generation *generation);
uint32_t        generation_folded(const Generation *generation);  // rows
