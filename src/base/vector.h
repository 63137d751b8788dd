// A growing array of any type, on its own memory: VECTOR(Tier) tiers = { 0 };
// vector_push(&tiers, tier); tiers.at[i]; tiers.count; vector_release(&tiers).
// Elements move when it grows: keep indexes, not pointers.
#pragma once

#include "base/arena.h"

#define VECTOR(T)      \
    struct {           \
        T     *at;     \
        size_t count;  \
        size_t room;   \
    }

#define vector_reserve(vector, wanted)                                                      \
    do {                                                                                    \
        if ((vector)->room < (wanted)) {                                                    \
            size_t room_ = (vector)->room < 8 ? 16 : 2 * (vector)->room;                    \
            (vector)->room = room_ < (wanted) ? (wanted) : room_;                           \
            (vector)->at = memory_resize((vector)->at, (vector)->room * sizeof *(vector)->at); \
        }                                                                                   \
    } while (0)

#define vector_push(vector, ...)                        \
    do {                                                \
        vector_reserve((vector), (vector)->count + 1);  \
        (vector)->at[(vector)->count++] = __VA_ARGS__;  \
    } while (0)

#define vector_release(vector)            \
    do {                                  \
        memory_release((vector)->at);     \
        (vector)->at = NULL;              \
        (vector)->count = (vector)->room = 0; \
    } while (0)
