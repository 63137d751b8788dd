// SPDX-License-Identifier: Apache-2.0
// What is taken is zeroed, aligned, nobody else's, and gone with its arena; vectors keep their
// elements while they grow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/vector.h"

enum { ALIGNED_TO = 16 };

static bool all_are(const unsigned char *at, size_t bytes, unsigned char wanted)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != wanted)
            return false;
    return true;
}

typedef struct Piece {
    unsigned char *at;
    size_t         bytes;
} Piece;

static Piece piece_take(Arena *arena, Seeded *seeded, unsigned char mark)
{
    size_t bytes = seeded_below(seeded, seeded_below(seeded, 20) == 0 ? 100000 : 200);
    Piece  piece = { arena_take(arena, bytes), bytes };
    assert_non_null(piece.at);
    assert_int_equal((uintptr_t)piece.at % ALIGNED_TO, 0);
    assert_true(all_are(piece.at, bytes, 0));
    memset(piece.at, mark, bytes);
    return piece;
}

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Seeded seeded = seeded_of(1);
    size_t first = arena_bytes(arena);
    for (int round = 0; round < 5; round++) {
        Piece pieces[250];
        for (size_t i = 0; i < 250; i++)
            pieces[i] = piece_take(arena, &seeded, (unsigned char)(i + 1));
        for (size_t i = 0; i < 250; i++)
            assert_true(all_are(pieces[i].at, pieces[i].bytes, (unsigned char)(i + 1)));
        assert_true(arena_bytes(arena) > first);
        arena_reset(arena);
        assert_int_equal(arena_bytes(arena), first);
    }
}

static void a_piece_may_be_larger_than_any_chunk(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    enum { LARGE = 5 << 20 };
    unsigned char *before = arena_take(arena, 8);
    unsigned char *large = arena_take(arena, LARGE);
    unsigned char *after = arena_take(arena, 8);
    memset(large, 7, LARGE);
    assert_true(all_are(before, 8, 0) && all_are(after, 8, 0));
    assert_true(arena_bytes(arena) >= LARGE);
}

static void one_beside_ends_with_its_own(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    size_t         bytes = arena_bytes(arena);
    Arena         *first = arena_beside(arena), *second = arena_beside(arena);
    unsigned char *at = arena_take(first, 1 << 20);
    assert_true(all_are(at, 1 << 20, 0));
    assert_true(all_are(arena_take(arena_beside(second), 100), 100, 0));
    assert_int_equal(arena_bytes(arena), bytes);
    arena_reset(arena);
    assert_true(all_are(arena_take(arena_beside(arena), 100), 100, 0));
}

static void copies_are_equal_and_their_own(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char  from[] = "a copy";
    char *copy = arena_copy(arena, from, sizeof from);
    from[0] = 'X';
    assert_string_equal(copy, "a copy");
    assert_non_null(arena_copy(arena, NULL, 0));
    uint64_t *numbers = arena_array(arena, uint64_t, 3);
    assert_true(numbers[0] == 0 && numbers[1] == 0 && numbers[2] == 0);
    arena_close(NULL);
}

static void memory_grows_with_its_content(void **state)
{
    (void)state;
    unsigned char *at = memory_take(100);
    assert_true(all_are(at, 100, 0));
    memset(at, 9, 100);
    at = memory_resize(at, 100000);
    assert_true(all_are(at, 100, 9));
    at = memory_resize(at, 10);
    assert_true(all_are(at, 10, 9));
    memory_release(at);
    memory_release(NULL);
    void *nothing = memory_take(0);
    assert_non_null(nothing);
    memory_release(nothing);
}

static void a_mapping_is_zeroed_from_end_to_end(void **state)
{
    (void)state;
    size_t sizes[] = { 1, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 7 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *at = memory_map(sizes[i]);
        assert_int_equal(at[0], 0);
        assert_int_equal(at[sizes[i] / 2], 0);
        assert_int_equal(at[sizes[i] - 1], 0);
        at[0] = at[sizes[i] - 1] = 1;
        memory_unmap(at, sizes[i]);
    }
    memory_unmap(NULL, 100);
}

static void vectors_keep_their_elements(void **state)
{
    (void)state;
    typedef struct Pair { uint32_t a; uint64_t b; } Pair;
    VECTOR(Pair) pairs = { 0 };
    for (uint32_t i = 0; i < 10000; i++) {
        vector_push(&pairs, (Pair){ i, UINT64_MAX - i });
        assert_true(pairs.room >= pairs.count);
    }
    assert_int_equal(pairs.count, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_true(pairs.at[i].a == i && pairs.at[i].b == UINT64_MAX - i);
    vector_reserve(&pairs, 100000);
    assert_true(pairs.room >= 100000);
    assert_true(pairs.at[9999].a == 9999);
    vector_release(&pairs);
    assert_null(pairs.at);
    assert_int_equal(pairs.count + pairs.room, 0);
}

static void arrays_grow_with_what_is_in_them(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    uint64_t   *at = NULL, *first = NULL;
    size_t      room = 0, moves = 0;
    for (size_t i = 0; i < 1000; i++) {
        uint64_t *was = at;
        at = arena_more(arena, at, i, &room, sizeof *at);
        assert_true(room > i);
        moves += at != was;
        at[i] = i;
        if (i == 0)
            first = at;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_true(at[i] == i);
    assert_true(moves < 10);
    assert_ptr_not_equal(at, first);
    assert_int_equal(first[3], 3);  // where it was
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_piece_may_be_larger_than_any_chunk),
        cmocka_unit_test(one_beside_ends_with_its_own),
        cmocka_unit_test(copies_are_equal_and_their_own),
        cmocka_unit_test(memory_grows_with_its_content),
        cmocka_unit_test(a_mapping_is_zeroed_from_end_to_end),
        cmocka_unit_test(vectors_keep_their_elements),
        cmocka_unit_test(arrays_grow_with_what_is_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
