// SPDX-License-Identifier: Apache-2.0
// A list of chunks that double in size up to a limit; the newest is filled from the front.
#include "base/arena.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20, ALIGNMENT = 16 };

typedef struct Chunk {
    struct Chunk *before;
    size_t        size;  // of bytes
    size_t        used;
    size_t        padding;
    unsigned char bytes[];
} Chunk;

struct Arena {
    Chunk *newest;
    size_t held;
    Arena *beside;  // those that end with it
    Arena *next;    // of those beside another one
};

void *memory_take(size_t bytes)
{
    void *at = calloc(1, bytes == 0 ? 1 : bytes);
    if (at == NULL) {
        fprintf(stderr, "toll: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    return at;
}

void *memory_resize(void *at, size_t bytes)
{
    void *moved = realloc(at, bytes == 0 ? 1 : bytes);
    if (moved == NULL) {
        fprintf(stderr, "toll: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    return moved;
}

void memory_release(void *at)
{
    free(at);
}

void memory_keep(void)
{
    enum { KEPT = 16 << 20, MAPPED_ALONE = 2 * LARGEST_CHUNK };
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_MMAP_THRESHOLD, MAPPED_ALONE);
}

enum { HUGE_PAGE = 2 << 20 };

// The mapping begins at a huge page's border, or the kernel could not use one there.
void *memory_map(size_t bytes)
{
    size_t wanted = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    char  *at = mmap(NULL, wanted + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
    if (at == MAP_FAILED) {
        fprintf(stderr, "toll: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    size_t before = (HUGE_PAGE - (uintptr_t)at % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(at, before);
    munmap(at + before + wanted, HUGE_PAGE - before);
    madvise(at + before, wanted, MADV_HUGEPAGE);  // advice only: small pages serve as well
    return at + before;
}

void memory_unmap(void *at, size_t bytes)
{
    if (at != NULL)
        munmap(at, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
}

static Chunk *chunk_add(Arena *arena, size_t size)
{
    Chunk *chunk = memory_resize(NULL, sizeof(Chunk) + size);
    chunk->before = arena->newest;
    chunk->size = size;
    chunk->used = 0;
    arena->newest = chunk;
    arena->held += sizeof(Chunk) + size;
    return chunk;
}

Arena *arena_open(void)
{
    Arena *arena = memory_take(sizeof(Arena));
    chunk_add(arena, FIRST_CHUNK - sizeof(Chunk));
    return arena;
}

Arena *arena_beside(Arena *arena)
{
    Arena *made = arena_open();
    made->next = arena->beside;
    arena->beside = made;
    return made;
}

void arena_reset(Arena *arena)
{
    while (arena->beside != NULL) {
        Arena *ended = arena->beside;
        arena->beside = ended->next;
        arena_close(ended);
    }
    while (arena->newest->before != NULL) {
        Chunk *chunk = arena->newest;
        arena->newest = chunk->before;
        arena->held -= sizeof(Chunk) + chunk->size;
        memory_release(chunk);
    }
    arena->newest->used = 0;
}

void arena_close(Arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    memory_release(arena->newest);
    memory_release(arena);
}

void Arena_leave(Arena **arena)
{
    arena_close(*arena);
}

void *arena_take(Arena *arena, size_t bytes)
{
    assert_that(bytes <= SIZE_MAX / 4);
    size_t wanted = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Chunk *chunk = arena->newest;
    if (chunk->size - chunk->used < wanted) {
        size_t size = 2 * (chunk->size + sizeof(Chunk));
        size = size > LARGEST_CHUNK ? LARGEST_CHUNK : size;
        size -= sizeof(Chunk);
        chunk = chunk_add(arena, wanted > size ? wanted : size);
    }
    void *at = chunk->bytes + chunk->used;
    chunk->used += wanted;
    return memset(at, 0, wanted);
}

void *arena_copy(Arena *arena, const void *from, size_t bytes)
{
    void *at = arena_take(arena, bytes);
    return bytes == 0 ? at : memcpy(at, from, bytes);
}

void *arena_more(Arena *arena, void *at, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return at;
    *room = 2 * count + 4;
    void *more = arena_take(arena, *room * bytes);
    return count == 0 ? more : memcpy(more, at, count * bytes);
}

size_t arena_bytes(const Arena *arena)
{
    return arena->held;
}
