// Memory with the lifetime of a request or a job: taken piece by piece, given back at once.
// Taking never fails: when the machine has no memory left the process ends (input is bounded at the
// edge and every write can be repeated, so that is safe). Everything taken is zeroed.
// An arena belongs to one thread at a time.
#pragma once

#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_open(void);
void   arena_close(Arena *arena);  // NULL is allowed
void   arena_reset(Arena *arena);  // gives back all but the first chunk; what was taken is gone
// One more, for another thread: it ends when this one is reset or closed, and not by itself.
Arena *arena_beside(Arena *arena);

void *arena_take(Arena *arena, size_t bytes);  // aligned for any type
void *arena_copy(Arena *arena, const void *from, size_t bytes);
// Where an array whose `count` elements of `bytes` each may fill its room has room for one more: it
// doubles, and what is in it is copied. The old place stays as it is.
void *arena_more(Arena *arena, void *at, size_t count, size_t *room, size_t bytes);

#define arena_new(arena, T) ((T *)arena_take((arena), sizeof(T)))
#define arena_array(arena, T, count) ((T *)arena_take((arena), sizeof(T) * (size_t)(count)))

size_t arena_bytes(const Arena *arena);  // held from the system

// The process's own lifetime and long-lived growing tables. The only place where malloc appears.
void *memory_take(size_t bytes);                    // zeroed; ends the process when there is none
void *memory_resize(void *at, size_t bytes);        // what is new is not zeroed
void  memory_release(void *at);                     // NULL is allowed

// Said once, at the start of a process: memory of arenas that are closed is kept for the next ones,
// up to 16 MB of each of the system's pools. To give it back to the system and to ask for it again
// costs more than what most jobs do with it.
void memory_keep(void);

// Large tables that are met at random: zeroed, untouched pages cost nothing, in huge pages where
// the system has them (a miss of the page table costs as much as a miss of the cache).
void *memory_map(size_t bytes);
void  memory_unmap(void *at, size_t bytes);  // NULL is allowed

// AUTO(Arena) arena = arena_open();  closes it on every way out of the block.
void Arena_leave(Arena **arena);
#define AUTO(T) __attribute__((cleanup(T##_leave))) T *
