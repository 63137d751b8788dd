// RocksDB behind a C interface: what Toll uses of it and nothing more. Only src/store includes
// this. There is no write-ahead log and nothing is ever put row by row: all rows come in sorted
// files, and one call takes in the files of all families at once, durable and atomic.
//
// Functions that can fail answer false and a reason of at most ROCKS_REASON bytes, NUL included.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ROCKS_REASON = 256, ROCKS_FAMILIES = 5 };

typedef struct Rocks       Rocks;
typedef struct RocksFile   RocksFile;    // a sorted file being written
typedef struct RocksCursor RocksCursor;

// Borrowed bytes; at == NULL: absent.
typedef struct RocksBytes {
    const char *at;
    size_t      length;
} RocksBytes;

// How a family's files are made; index in the array given to rocks_open is its number.
typedef enum RocksKind {
    ROCKS_SCANNED,  // disjoint files in the last level, large zstd blocks, no compaction
    ROCKS_PROBED    // overlapping runs of random keys, a Bloom filter a file, universal compaction
} RocksKind;

typedef struct RocksFamily {
    const char *name;
    RocksKind   kind;
} RocksFamily;

typedef struct RocksOptions {
    const char        *folder;
    const RocksFamily *families;  // ROCKS_FAMILIES of them
    size_t             cache_bytes;
    int                threads;
} RocksOptions;

bool rocks_open(const RocksOptions *options, Rocks **rocks, char *reason);
void rocks_close(Rocks *rocks);

// Keys in strictly ascending order; rocks_file_finish syncs the file. Close always.
bool rocks_file_open(Rocks *rocks, int family, const char *path, RocksFile **file, char *reason);
bool     rocks_file_put(RocksFile *file, RocksBytes key, RocksBytes value, char *reason);
uint64_t rocks_file_bytes(const RocksFile *file);
bool     rocks_file_finish(RocksFile *file, char *reason);
void     rocks_file_close(RocksFile *file);

// All the files or none. They are moved: `paths` are gone afterwards. Files of a ROCKS_SCANNED
// family must overlap nothing. One call at a time. After false it has not happened for this
// process; at the next open it may have, as after a crash in the midst of it.
typedef struct RocksIngest {
    int         family;
    const char *path;
} RocksIngest;
bool rocks_ingest(Rocks *rocks, const RocksIngest *files, size_t count, char *reason);

// Drops the files whose keys all lie in [from, to).
bool rocks_drop(Rocks *rocks, int family, RocksBytes from, RocksBytes to, char *reason);

// Keys ascending. Calls found(to, index, value) for each that exists; value is borrowed meanwhile.
typedef struct RocksLookup {
    int               family;
    const RocksBytes *keys;
    size_t            count;
    void (*found)(void *to, size_t index, RocksBytes value);
    void             *to;
} RocksLookup;
bool rocks_find(Rocks *rocks, const RocksLookup *lookup, char *reason);

typedef enum RocksScan { ROCKS_CACHED, ROCKS_ONCE } RocksScan;
RocksCursor *rocks_cursor_open(Rocks *rocks, int family, RocksScan scan);
void         rocks_cursor_close(RocksCursor *cursor);
void         rocks_cursor_seek(RocksCursor *cursor, RocksBytes key);
bool         rocks_cursor_valid(RocksCursor *cursor);
RocksBytes   rocks_cursor_key(RocksCursor *cursor);    // borrowed until it moves
RocksBytes   rocks_cursor_value(RocksCursor *cursor);
void         rocks_cursor_next(RocksCursor *cursor);
bool         rocks_cursor_failed(RocksCursor *cursor, char *reason);

// Every key of every file, file by file: keys of one file ascend, equal keys of several files come
// several times. Faster than a cursor, which merges the files. Stops when take answers false.
bool rocks_each_key(Rocks *rocks, int family, bool (*take)(void *to, RocksBytes key), void *to,
                    char *reason);

unsigned rocks_runs(Rocks *rocks, int family);   // sorted runs: files of level 0 and levels in use
unsigned rocks_files(Rocks *rocks, int family);
uint64_t rocks_bytes(Rocks *rocks);
bool     rocks_checkpoint(Rocks *rocks, const char *folder, char *reason);

#ifdef __cplusplus
}
#endif
