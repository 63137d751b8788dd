// The append-only file in which everything acknowledged stands: the only thing that must be right.
// It knows bytes; what a payload means is its caller's.
//
// A journal is a folder of segments, zeroed before use so that a commit is one write and one sync
// of data alone. A record starts at a multiple of 512 bytes, so the sectors of an acknowledged
// record are never written again. Records carry a number (1, 2, ...), the range of sequences
// [first, next) that they brought, an XXH3-128 checksum over header and payload, and the checksum
// of the record before.
//
// Threads: one appends, another may release, any may ask for health.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include "base/error.h"

typedef struct Journal Journal;

// The system calls a journal makes, so that a test can stand between. Answers below zero are
// -errno.
typedef struct JournalIo {
    void   *context;
    int     (*open)(void *context, const char *path);  // read and write, made when absent
    void    (*close)(void *context, int file);
    int64_t (*size)(void *context, int file);
    ssize_t (*pread)(void *context, int file, void *at, size_t bytes, uint64_t offset);
    ssize_t (*pwritev)(void *context, int file, const struct iovec *parts, int count,
                       uint64_t offset);
    int     (*sync)(void *context, int file);          // its bytes, and its size when that changed
    int     (*sync_folder)(void *context, const char *path);  // which names exist
    int     (*rename)(void *context, const char *from, const char *to);
    int     (*remove)(void *context, const char *path);
    int (*list)(void *context, const char *folder, void (*each)(void *to, const char *name),
                void *to);
} JournalIo;

const JournalIo *journal_io_files(void);  // the real ones

enum { JOURNAL_SEGMENT_BYTES = 64 << 20, JOURNAL_SECTOR = 512 };

typedef struct JournalOptions {
    Str              folder;         // made when absent
    uint32_t         partition;      // in every record; another one's records are refused
    uint64_t         segment_bytes;  // a multiple of 4096; 0: JOURNAL_SEGMENT_BYTES
    const JournalIo *io;             // NULL: real files
    bool one_thread;  // no thread of its own: spare segments are made when one is needed
} JournalOptions;

typedef struct JournalRecord {
    uint64_t number;       // 1, 2, ... without a gap
    uint64_t first, next;  // sequences [first, next); equal when it brought none
    Str      payload;      // borrowed until the callback returns
} JournalRecord;

// Finds the segments. STORE_FAILED when one is missing in the middle or the folder cannot be read.
Err *journal_open(Arena *arena, const JournalOptions *options, Journal **journal) MUST_CHECK;
void journal_close(Journal *journal);  // NULL is allowed

// Reads everything, checks the chain, and gives in order every record that reaches past
// from_sequence (next > from_sequence) and every one without sequences that stands at or behind it
// (first == next >= from_sequence). Must be called once, before the first append. `take` may
// refuse; that refusal is answered.
//   A torn tail (a commit whose sync never returned) is cut: zeroed, and logged.
//   STORE_FAILED names segment, bytes and record when something that was durable is damaged: a
//   valid record stands behind a bad one, or the last one is changed in a way that no torn write
//   leaves (a torn write leaves whole sectors of zeros); also when the oldest record begins behind
//   from_sequence, or the newest ends before it.
Err *journal_replay(Journal *journal, Arena *arena, uint64_t from_sequence,
                    Err *(*take)(void *context, const JournalRecord *record),
                    void *context) MUST_CHECK;

// The newest record's number and next sequence; zeros when there is none.
uint64_t journal_last_number(const Journal *journal);
uint64_t journal_last_next(const Journal *journal);

// Durable when it returns NULL. `first` of the entry must be journal_last_next (any value for the
// first record). Any failure latches: this and every later append is JOURNAL_FAILED until the
// process restarts. A record whose append failed may be found at the next start: repeat requests by
// their ids.
typedef struct JournalEntry {
    uint64_t   first, next;  // sequences [first, next)
    const Str *parts;        // the payload, put together in order
    size_t     count;
} JournalEntry;

Err *journal_append(Journal *journal, Arena *arena, const JournalEntry *entry) MUST_CHECK;

// Everything below `sealed` is kept elsewhere: segments with only such records are zeroed and used
// again. The one that holds the newest record stays. A record without sequences at `sealed` itself
// stands behind it and is kept.
void journal_release(Journal *journal, uint64_t sealed);

// NULL while all is well, else the JOURNAL_FAILED that appends answer.
Err *journal_health(Journal *journal, Arena *arena);
