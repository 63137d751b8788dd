// What the files of the journal share: its state, the form of a record, its segments.
#pragma once

#include <stdatomic.h>
#include <xxhash.h>

#include "base/thread.h"
#include "base/vector.h"
#include "store/journal.h"

// A record's first 96 bytes, big-endian:
//   0 magic[8]  8 version u32  12 partition u32  16 journal u64  24 number u64  32 first u64  40
//   next u64 48 length u64  56 previous[16]  72 checksum[16] of 0..71 and the payload  88 check u64
//   of 0..87
// `journal` is drawn when the journal begins, so that bytes sent by a client cannot pass for a
// record. `check` guards the header alone: it tells a damaged length from a torn payload.
enum { JOURNAL_HEADER = 96, JOURNAL_AT_CHECKSUM = 72, JOURNAL_VERSION = 1, JOURNAL_PATH = 1024 };

typedef struct JournalHeader {
    uint32_t version, partition;
    uint64_t identity, number, first, next, length;
    const unsigned char *previous, *checksum;
} JournalHeader;

typedef struct Segment {
    uint64_t name;           // only grows
    int      file;
    uint64_t bytes;
    bool     holds_records;
    uint64_t keep_until;     // may be released once sealed reaches it
} Segment;

typedef struct Spare {
    uint64_t name;
    int      file;
} Spare;

struct Journal {
    const JournalIo *io;
    char            *folder;
    uint32_t         partition;
    uint64_t         segment_bytes;
    unsigned char   *zeros;
    XXH3_state_t    *sum;
    bool             replayed, one_thread;
    _Atomic bool     failed;

    // Of the newest record.
    uint64_t         identity;
    _Atomic uint64_t number, next;
    unsigned char    last_sum[16];
    uint64_t         end;  // of it, in the newest segment

    // Under the lock. A retired segment and a spare belong to whoever took it off its list.
    Lock   lock;
    Signal work;
    VECTOR(Segment) segments;  // oldest first; only the appender adds, only the releaser takes off
    VECTOR(Segment) retired;   // oldest first; to be zeroed
    VECTOR(Spare) spares;
    uint64_t next_spare;
    Thread   keeper;
    bool     stopping, retire_stopped;
};

static inline uint64_t journal__sectors(uint64_t bytes)
{
    return (bytes + JOURNAL_SECTOR - 1) / JOURNAL_SECTOR * JOURNAL_SECTOR;
}

// Records. `valid`: a whole record of this journal stands at `at`, `left` bytes before its
// segment's end; `follows`: it is the next of the chain; `accept`: it now is the newest.
bool journal__header_read(const unsigned char *at, JournalHeader *header);
void journal__header_write(const Journal *journal, const JournalHeader *header, const Str *parts,
                           size_t count, unsigned char at[JOURNAL_HEADER]);
bool journal__record_valid(Journal *journal, const unsigned char *at, uint64_t left,
                           JournalHeader *header);
bool journal__record_follows(const Journal *journal, const JournalHeader *header);
void journal__record_accept(Journal *journal, Segment *segment, const JournalHeader *header);

// Whole reads and writes: 0 or -errno. write_zeros syncs.
int journal__write(const JournalIo *io, int file, struct iovec *parts, int count, uint64_t offset);
int journal__read(const JournalIo *io, int file, unsigned char *at, uint64_t bytes);
int journal__write_zeros(Journal *journal, int file, uint64_t from, uint64_t to);

// Segments. `begin` makes the newest one, of at least `bytes`; 0 or -errno. `keep_step` does one
// piece of retiring and of making spares; false when there was none or it failed.
bool  journal__name_parse(const char *text, uint64_t *name);
void  journal__segment_path(const Journal *journal, uint64_t name, char path[JOURNAL_PATH]);
int   journal__segment_begin(Journal *journal, uint64_t bytes);
bool  journal__keep_step(Journal *journal);
void *journal__keeper_run(void *journal);
