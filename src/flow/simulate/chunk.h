// The stored form of so many accounts' results. Equal results are equal bytes. Layout, version 1:
//
//   version byte, varint accounts; of each account:
//     text id, varint warnings, text refusal, text detail, varint lines; of each line:
//       text subscription, signed start - start of the line before, varint length of the period,
//       varint kind, text charge, text group, text currency, signed before, signed after
//   a text: varint 0 and the counted bytes at its first use in the chunk, else 1 + the number of
//   that first use
#pragma once

#include "base/bytes.h"
#include "base/map.h"
#include "base/vector.h"
#include "price/bill.h"

// What may be odd about an account's result.
typedef enum RepriceWarning {
    WARN_NO_SUBSCRIPTION,   // left out, or priced as if it had one
    WARN_COUNTED_TWICE,     // several subscriptions repriced by one plan at the same time
    WARN_REFUSED,           // could not be priced; nothing of it is in the totals
    WARN_PERIOD_RUNS,       // the last period had not ended
    WARN_PERIODS_DIFFER,    // both sides cut time differently
    WARN_CURRENCIES_DIFFER,
    REPRICE_WARNINGS
} RepriceWarning;

// One line of an account, both sides. Amounts are net of discounts, before tax and credits.
typedef struct RepricedLine {
    Str      subscription;  // "" of an account that has none
    Span     period;        // of the bill
    LineKind kind;
    Str      charge;  // id; "" of the plan itself
    Str      group;   // {"region":"eu-1"}, or ""
    Str      currency;
    int64_t  before, after;  // minor units
} RepricedLine;

typedef struct RepricedAccount {
    Str           account;
    uint32_t      warnings;  // 1 << RepriceWarning
    Str           refusal;   // WARN_REFUSED: the problem's code; else ""
    Str           detail;
    RepricedLine *lines;  // by subscription, period, charge, kind, group; none that is 0 twice
    size_t        count;
} RepricedAccount;

// Borrowed from and kept in the arena.
typedef struct ChunkWriter {
    Text    text;
    Map    *texts;
    int64_t previous;  // start of the line before
} ChunkWriter;

ChunkWriter chunk_writer_open(Arena *arena, size_t accounts);
void        chunk_write(ChunkWriter *writer, const RepricedAccount *account);
Str         chunk_writer_close(ChunkWriter *writer);

typedef struct ChunkReader {
    Arena      *arena;
    Reader      reader;
    size_t      left;  // accounts
    int64_t     previous;
    VECTOR(Str) texts;
} ChunkReader;

void chunk_reader_open(Arena *arena, Str content, ChunkReader *reader);
// False behind the last, or when the content is damaged: chunk_reader_close tells. Borrows from the
// content; lines are in the arena.
bool chunk_read(ChunkReader *reader, RepricedAccount *account);
Err *chunk_reader_close(ChunkReader *reader) MUST_CHECK;  // STORE_FAILED: it was damaged
