// SPDX-License-Identifier: Apache-2.0
// A split-block Bloom filter. `high` of an id picks the block (so ids in ascending order walk
// through memory in order), 48 bits of `low` pick a bit in each of its eight words. Words are only
// ever or-ed, by one writer at a time and with plain relaxed stores, so a reader beside sees each
// bit or does not yet. The invariant: once filter_add has returned, no bit of the id is ever
// missing.
#include "store/id_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/thread.h"

enum { WORDS = 8, BLOCK_BYTES = 64, IDS_A_BLOCK = 32, GENERATIONS_MAX = 26, AT_ONCE = 32,
       HUGE_PAGE = 2 << 20, COPY_WORDS = 8192 };

typedef struct Block {
    _Atomic uint64_t words[WORDS];
} Block;
_Static_assert(sizeof(Block) == BLOCK_BYTES, "a block is a cache line");

typedef struct Generation {
    void    *memory;
    Block   *blocks;
    uint64_t block_count;
    uint64_t room;   // ids
    uint64_t count;  // ids added; under the lock
} Generation;

struct IdFilter {
    unsigned         first_bits;
    Generation       generations[GENERATIONS_MAX];
    _Atomic uint32_t used;  // generations that readers must ask
    Lock             adding;
};

static void generation_open(Generation *generation, unsigned bits)
{
    generation->room = (uint64_t)1 << bits;
    generation->block_count = generation->room / IDS_A_BLOCK;
    size_t bytes = (size_t)generation->block_count * BLOCK_BYTES;
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : BLOCK_BYTES;
    generation->memory = memory_take(bytes + align);
    generation->blocks = (Block *)(((uintptr_t)generation->memory + align - 1) / align * align);
    if (bytes >= HUGE_PAGE)
        madvise(generation->blocks, bytes, MADV_HUGEPAGE);  // fewer TLB misses; fine without
}

static uint64_t block_of(const Generation *generation, Hash128 id)
{
    return (uint64_t)(((Uint128)id.high * generation->block_count) >> 64);
}

static uint64_t bit_of(Hash128 id, int word)
{
    return (uint64_t)1 << (id.low >> (6 * word) & 63);
}

static void block_add(Block *block, Hash128 id)
{
    for (int word = 0; word < WORDS; word++) {
        uint64_t now = atomic_load_explicit(&block->words[word], memory_order_relaxed);
        uint64_t bit = bit_of(id, word);
        if ((now & bit) == 0)
            atomic_store_explicit(&block->words[word], now | bit, memory_order_relaxed);
    }
}

static bool block_has(const Block *block, Hash128 id)
{
    uint64_t missing = 0;
    for (int word = 0; word < WORDS; word++)
        missing |=
            ~atomic_load_explicit(&block->words[word], memory_order_relaxed) & bit_of(id, word);
    return missing == 0;
}

IdFilter *id_filter_open(unsigned first_bits)
{
    unsigned bits = first_bits == 0 ? ID_FILTER_FIRST_BITS : first_bits;
    assert_that(bits >= 10 && bits <= 30);
    IdFilter *filter = memory_take(sizeof(IdFilter));
    filter->first_bits = bits;
    lock_open(&filter->adding);
    generation_open(&filter->generations[0], bits);
    filter->used = 1;
    return filter;
}

void id_filter_close(IdFilter *filter)
{
    if (filter == NULL)
        return;
    for (uint32_t i = 0; i < filter->used; i++)
        memory_release(filter->generations[i].memory);
    lock_close(&filter->adding);
    memory_release(filter);
}

// The generation that takes the next id, a new one when the last is full.
static Generation *generation_open_for_add(IdFilter *filter)
{
    uint32_t    used = filter->used;
    Generation *last = &filter->generations[used - 1];
    if (last->count < last->room)
        return last;
    assert_that(used < GENERATIONS_MAX);
    generation_open(&filter->generations[used], filter->first_bits + used);
    atomic_store_explicit(&filter->used, used + 1, memory_order_release);
    return &filter->generations[used];
}

void id_filter_add(IdFilter *filter, const Hash128 *ids, size_t count)
{
    lock_take(&filter->adding);
    for (size_t done = 0; done < count;) {
        Generation *generation = generation_open_for_add(filter);
        uint64_t    left = generation->room - generation->count;
        size_t      piece = count - done < AT_ONCE ? count - done : AT_ONCE;
        piece = piece < left ? piece : (size_t)left;
        for (size_t i = 0; i < piece; i++)
            __builtin_prefetch(&generation->blocks[block_of(generation, ids[done + i])], 1);
        for (size_t i = 0; i < piece; i++)
            block_add(&generation->blocks[block_of(generation, ids[done + i])], ids[done + i]);
        generation->count += piece;
        done += piece;
    }
    lock_release(&filter->adding);
}

void id_filter_maybe(const IdFilter *filter, const Hash128 *ids, size_t count, bool *maybe)
{
    uint32_t used = atomic_load_explicit(&filter->used, memory_order_acquire);
    memset(maybe, 0, count * sizeof *maybe);
    for (size_t done = 0; done < count; done += AT_ONCE) {
        size_t piece = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (uint32_t g = 0; g < used; g++) {
            const Generation *generation = &filter->generations[g];
            for (size_t i = 0; i < piece; i++)
                __builtin_prefetch(&generation->blocks[block_of(generation, ids[done + i])], 0);
            for (size_t i = 0; i < piece; i++)
                maybe[done + i] |= block_has(
                    &generation->blocks[block_of(generation, ids[done + i])], ids[done + i]);
        }
    }
}

uint64_t id_filter_count(const IdFilter *filter)
{
    uint64_t count = 0;
    Lock *adding = (Lock *)(uintptr_t)&filter->adding;  // a reader of counts stops adders shortly
    lock_take(adding);
    for (uint32_t i = 0; i < filter->used; i++)
        count += filter->generations[i].count;
    lock_release(adding);
    return count;
}

uint64_t id_filter_bytes(const IdFilter *filter)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < filter->used; i++)
        bytes += filter->generations[i].block_count * BLOCK_BYTES;
    return bytes;
}

// ---- the file: header, the blocks of each generation as they are in memory, XXH3-64 of all before
//   0 magic[8]  8 first_bits u32  12 generations u32  16 mark u64  24 count u64 of the last
//   generation

enum { FILE_HEADER = 32 };
static const char MAGIC[8] = { 'T', 'o', 'l', 'l', 'F', 'l', 't', '1' };

typedef struct Stream {
    int           file;
    XXH3_state_t *sum;
    bool          failed;
} Stream;

static void stream_write(Stream *stream, const void *bytes, size_t count)
{
    const char *at = bytes;
    XXH3_64bits_update(stream->sum, bytes, count);
    while (count > 0 && !stream->failed) {
        ssize_t done = write(stream->file, at, count);
        if (done < 0 && errno == EINTR)
            continue;
        stream->failed = done <= 0;
        at += done > 0 ? done : 0;
        count -= done > 0 ? (size_t)done : 0;
    }
}

static void stream_read(Stream *stream, void *bytes, size_t count)
{
    char *at = bytes;
    for (size_t left = count; left > 0 && !stream->failed;) {
        ssize_t got = read(stream->file, at, left);
        if (got < 0 && errno == EINTR)
            continue;
        stream->failed = got <= 0;
        at += got > 0 ? got : 0;
        left -= got > 0 ? (size_t)got : 0;
    }
    if (!stream->failed)
        XXH3_64bits_update(stream->sum, bytes, count);
}

// Others may add meanwhile: what is hashed and written is one copy.
static void generation_write(Stream *stream, const Generation *generation)
{
    uint64_t  copy[COPY_WORDS];
    uint64_t *to = copy;
    for (uint64_t block = 0; block < generation->block_count; block++) {
        for (int word = 0; word < WORDS; word++)
            *to++ =
                atomic_load_explicit(&generation->blocks[block].words[word], memory_order_relaxed);
        if (to == copy + COPY_WORDS || block + 1 == generation->block_count) {
            stream_write(stream, copy, (size_t)(to - copy) * sizeof *copy);
            to = copy;
        }
    }
}

static void filter_write(const IdFilter *filter, Stream *stream, uint64_t mark)
{
    unsigned char header[FILE_HEADER] = { 0 };
    unsigned char sum[8];
    Lock         *adding = (Lock *)(uintptr_t)&filter->adding;
    lock_take(adding);
    uint32_t used = filter->used;
    uint64_t count = filter->generations[used - 1].count;
    lock_release(adding);
    memcpy(header, MAGIC, sizeof MAGIC);
    bytes_put_u32_be(header + 8, filter->first_bits);
    bytes_put_u32_be(header + 12, used);
    bytes_put_u64_be(header + 16, mark);
    bytes_put_u64_be(header + 24, count);
    stream_write(stream, header, sizeof header);
    for (uint32_t i = 0; i < used; i++)
        generation_write(stream, &filter->generations[i]);
    bytes_put_u64_be(sum, XXH3_64bits_digest(stream->sum));
    stream_write(stream, sum, sizeof sum);
}

static XXH3_state_t *sum_open(void)
{
    XXH3_state_t *sum = XXH3_createState();
    assert_that(sum != NULL);
    XXH3_64bits_reset(sum);
    return sum;
}

Err *id_filter_save(const IdFilter *filter, Arena *arena, Str path, uint64_t mark)
{
    char  *final = str_terminated(arena, path);
    char  *beside = str_terminated(arena, str_print(arena, "%.*s.new", STR_ARG(path)));
    Stream stream = { .file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
    if (stream.file < 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the id filter cannot be saved: %s",
                      strerror(errno));
    stream.sum = sum_open();
    filter_write(filter, &stream, mark);
    XXH3_freeState(stream.sum);
    stream.failed = stream.failed || fdatasync(stream.file) != 0;
    stream.failed = close(stream.file) != 0 || stream.failed;
    if (stream.failed || rename(beside, final) != 0) {
        Err *err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "the id filter cannot be saved: %s",
                          strerror(errno));
        unlink(beside);
        return err;
    }
    return NULL;
}

static IdFilter *filter_read(Stream *stream, uint64_t file_bytes, uint64_t *mark)
{
    unsigned char header[FILE_HEADER];
    stream_read(stream, header, sizeof header);
    if (stream->failed || memcmp(header, MAGIC, sizeof MAGIC) != 0)
        return NULL;
    uint32_t bits = bytes_u32_be(header + 8), used = bytes_u32_be(header + 12);
    if (bits < 10 || bits > 30 || used == 0 || used > GENERATIONS_MAX || bits + used > 48)
        return NULL;
    uint64_t blocks = (((uint64_t)1 << used) - 1) * (((uint64_t)1 << bits) / IDS_A_BLOCK);
    if (file_bytes != FILE_HEADER + blocks * BLOCK_BYTES + 8)
        return NULL;
    IdFilter *filter = id_filter_open(bits);
    for (uint32_t i = 0; i < used; i++) {
        Generation *generation = &filter->generations[i];
        if (i > 0)
            generation_open(generation, bits + i);
        filter->used = i + 1;
        stream_read(stream, generation->blocks, (size_t)generation->block_count * BLOCK_BYTES);
        generation->count = generation->room;
    }
    filter->generations[used - 1].count = bytes_u64_be(header + 24);
    uint64_t      expected = XXH3_64bits_digest(stream->sum);
    unsigned char sum[8];
    stream_read(stream, sum, sizeof sum);
    if (stream->failed || bytes_u64_be(sum) != expected) {
        id_filter_close(filter);
        return NULL;
    }
    *mark = bytes_u64_be(header + 16);
    return filter;
}

void id_filter_load(Str path, IdFilter **filter, uint64_t *mark)
{
    AUTO(Arena) arena = arena_open();
    *filter = NULL;
    Stream stream = { .file = open(str_terminated(arena, path), O_RDONLY | O_CLOEXEC) };
    if (stream.file < 0)
        return;
    off_t bytes = lseek(stream.file, 0, SEEK_END);
    if (bytes > 0 && lseek(stream.file, 0, SEEK_SET) == 0) {
        stream.sum = sum_open();
        *filter = filter_read(&stream, (uint64_t)bytes, mark);
        XXH3_freeState(stream.sum);
    }
    close(stream.file);
    if (*filter == NULL)
        log_line(LOG_WARN, "the id filter is damaged and is built again file=%.*s", STR_ARG(path));
}
