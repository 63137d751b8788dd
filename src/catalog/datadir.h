// The data directory: made once by `toll init`, opened and locked by one process at a time.
//
//   FORMAT        version, seal bits, creation; written last, so a directory that has it is whole
//   keys          identity hash key and pepper, 0600; part of every backup
//   books.sqlite  the books, unless they are on a server
//   usage/        journal and usage store
//
// Files that are not Toll's are left alone.
#pragma once

#include "base/hash.h"
#include "catalog/key.h"

typedef struct DataDir {
    Str      folder;
    Str      books;      // path of the database, or its address
    bool     is_served;  // the books are on a server
    Str      usage;      // path of the usage folder
    HashKey  identity;   // of uniqueIds
    Pepper   pepper;     // of API keys
    uint32_t seal_bits;  // a seal is 2^seal_bits events
    Instant  created;
    int      lock;  // file descriptor that holds the lock
} DataDir;

typedef struct DataDirOptions {
    Str      folder;
    Str      books;      // STR_NONE or empty: a file; else the address of a server's database
    uint32_t seal_bits;  // 4..24
    Instant  now;
} DataDirOptions;
enum { SEAL_BITS_LEAST = 4, SEAL_BITS_USUAL = 20, SEAL_BITS_MOST = 24 };

// Makes folder (0700), keys and usage/. STORE_FAILED when it holds a Toll already, or a file by a
// name that Toll uses. The caller fills the books and then calls datadir_finish; nothing opens it
// before.
Err *datadir_begin(Arena *arena, const DataDirOptions *options, DataDir **dir) MUST_CHECK;
Err *datadir_finish(Arena *arena, DataDir *dir) MUST_CHECK;  // writes FORMAT, synced

// STORE_FAILED: not a Toll, of a newer format, or without one of its parts. STORE_BUSY: another
// process has it open. `books`: as it was made, STR_NONE or empty for a file; FIELD_INVALID when it
// was not made so.
Err *datadir_open(Arena *arena, Str folder, Str books, DataDir **dir) MUST_CHECK;
// Names this directory on this machine as long as it is up: who opens it again by that name knows
// that nobody of that name has it open any more.
Err *datadir_place(Arena *arena, const DataDir *dir, Str *place) MUST_CHECK;
// The keys of a data directory from a copy of its file `keys`, for a server that has none.
typedef struct DirectoryKeys {
    HashKey identity;
    Pepper  pepper;
} DirectoryKeys;
Err *datadir_keys(Arena *arena, Str path, DirectoryKeys *keys) MUST_CHECK;
void datadir_close(DataDir *dir);  // gives the lock back; NULL is allowed
