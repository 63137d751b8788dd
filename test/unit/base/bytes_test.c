// SPDX-License-Identifier: Apache-2.0
// Stored forms: numbers come back from the smallest to the largest, keys sort as they count, and a
// reader of damaged bytes fails for good without leaving them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"

#define INT128_MAX ((Int128)(~(Uint128)0 >> 1))
#define INT128_MIN (-INT128_MAX - 1)

// Numbers around every power of two.
static uint64_t edge(unsigned bit, int64_t offset)
{
    return (bit == 64 ? 0 : UINT64_C(1) << bit) + (uint64_t)offset;
}

static void keys_come_back_and_sort(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(2);
    for (int i = 0; i < 20000; i++) {
        unsigned char a[8], b[8];
        uint64_t one = seeded_next(&seeded) >> seeded_below(&seeded, 64);
        uint64_t two = seeded_below(&seeded, 4) == 0 ? one : seeded_next(&seeded) >> 3;
        bytes_put_u64_be(a, one);
        bytes_put_u64_be(b, two);
        assert_true(bytes_u64_be(a) == one);
        int order = memcmp(a, b, 8);
        assert_true((order < 0) == (one < two) && (order == 0) == (one == two));
        bytes_put_u32_be(a, (uint32_t)one);
        assert_true(bytes_u32_be(a) == (uint32_t)one);
        bytes_put_u16_be(a, (uint16_t)one);
        assert_true(bytes_u16_be(a) == (uint16_t)one);
    }
    unsigned char bytes[4];
    bytes_put_u32_be(bytes, 0x01020304);
    assert_memory_equal(bytes, "\1\2\3\4", 4);
}

static void assert_refused(Str bytes, bool wide)
{
    Reader reader = reader_of(bytes);
    bool   is_zero = wide ? reader_int128(&reader) == 0 : reader_varint(&reader) == 0;
    assert_true(is_zero && reader.failed);
    assert_false(reader_done(&reader));
}

static void varints_come_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++)
        for (int64_t offset = -1; offset <= 1; offset++) {
            unsigned char bytes[VARINT_MAX];
            uint64_t      value = edge(bit, offset);
            size_t        length = bytes_put_varint(bytes, value), bits = 0;
            while (bits < 64 && value >> bits != 0)
                bits++;
            assert_int_equal(length, bits == 0 ? 1 : (bits + 6) / 7);
            Reader reader = reader_of((Str){ (char *)bytes, length });
            assert_true(reader_varint(&reader) == value);
            assert_true(reader_done(&reader));
            for (size_t cut = 0; cut < length; cut++)
                assert_refused((Str){ (char *)bytes, cut }, false);
        }
}

static void varints_past_64_bits_are_refused(void **state)
{
    (void)state;
    assert_refused(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), false);
    assert_refused(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), false);
    assert_refused(STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00"), false);
    assert_refused(STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), false);
}

static void signed_numbers_near_zero_are_small(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 0, -1, 1, -2, 2, -3 };
    for (uint64_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_true(bytes_zigzag(numbers[i]) == i);
        assert_true(bytes_unzigzag(i) == numbers[i]);
    }
    assert_true(bytes_zigzag(INT64_MAX) == UINT64_MAX - 1);
    assert_true(bytes_zigzag(INT64_MIN) == UINT64_MAX);
    AUTO(Arena) arena = arena_open();
    for (unsigned bit = 0; bit <= 64; bit++)
        for (int64_t offset = -1; offset <= 1; offset++) {
            int64_t value = (int64_t)edge(bit, offset);
            Text    text = text_open(arena);
            text_add_signed(&text, value);
            Reader reader = reader_of(text_str(&text));
            assert_true(reader_signed(&reader) == value && reader_done(&reader));
            assert_true(bytes_unzigzag(bytes_zigzag(value)) == value);
        }
}

static void assert_int128_comes_back(Arena *arena, Int128 value)
{
    Text text = text_open(arena);
    text_add_int128(&text, value);
    Str bytes = text_str(&text);
    assert_true(bytes.length >= 1 && bytes.length <= 19);
    Reader reader = reader_of(bytes);
    assert_true(reader_int128(&reader) == value);
    assert_true(reader_done(&reader));
    for (size_t cut = 0; cut < bytes.length; cut++)
        assert_refused((Str){ bytes.at, cut }, true);
}

static void int128_comes_back(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    for (unsigned bit = 0; bit < 127; bit++)
        for (int offset = -1; offset <= 1; offset++) {
            assert_int128_comes_back(arena, ((Int128)1 << bit) + offset);
            assert_int128_comes_back(arena, -((Int128)1 << bit) + offset);
        }
    assert_int128_comes_back(arena, 0);
    assert_int128_comes_back(arena, INT128_MAX);
    assert_int128_comes_back(arena, INT128_MIN);
#define EIGHTEEN "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    assert_refused(STR(EIGHTEEN "\x04"), true);
    assert_refused(STR(EIGHTEEN "\x83\x00"), true);
    assert_refused(STR(EIGHTEEN EIGHTEEN), true);
    Reader lowest = reader_of(STR(EIGHTEEN "\x03"));
    assert_true(reader_int128(&lowest) == INT128_MIN && reader_done(&lowest));
}

static void counted_bytes_stay_within(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text text = text_open(arena);
    text_add_counted(&text, STR(""));
    text_add_counted(&text, STR("a\0b"));
    Reader reader = reader_of(text_str(&text));
    Str    empty = reader_counted(&reader);
    assert_true(empty.length == 0 && empty.at != NULL);
    assert_true(str_equal(reader_counted(&reader), STR("a\0b")));
    assert_true(reader_done(&reader));
    static const Str wrong[] = {
        STR_INIT(""), STR_INIT("\x01"), STR_INIT("\x05" "abcd"), STR_INIT("\x80"),
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "abc"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reader = reader_of(wrong[i]);
        assert_int_equal(reader_counted(&reader).length, 0);
        assert_true(reader.failed);
    }
}

static void a_failed_reader_answers_zero_for_good(void **state)
{
    (void)state;
    Reader reader = reader_of(STR("\x05" "abcd"));
    assert_null(reader_bytes(&reader, 6).at);
    assert_true(reader.failed);
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader_varint(&reader) == 0 && reader_signed(&reader) == 0);
    assert_true(reader_int128(&reader) == 0);
    assert_int_equal(reader_counted(&reader).length, 0);
    assert_false(reader_done(&reader));
    reader = reader_of(STR_NONE);
    assert_true(reader_done(&reader));
    assert_int_equal(reader_bytes(&reader, 0).length, 0);
    assert_true(reader_done(&reader));
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.failed);
}

static void read_something(Reader *reader, Seeded *seeded)
{
    switch (seeded_below(seeded, 6)) {
    case 0: (void)reader_u8(reader); break;
    case 1: (void)reader_varint(reader); break;
    case 2: (void)reader_signed(reader); break;
    case 3: (void)reader_int128(reader); break;
    case 4: (void)reader_bytes(reader, seeded_below(seeded, 20)); break;
    default: (void)reader_counted(reader); break;
    }
}

// The bytes are a block of their own, so that a sanitizer sees a step past them.
static void random_bytes_are_never_left(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(3);
    for (int round = 0; round < 3000; round++) {
        size_t length = seeded_below(&seeded, 60);
        char  *bytes = memory_take(length);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)(seeded_next(&seeded) | (seeded_below(&seeded, 2) << 7));
        Reader reader = reader_of((Str){ bytes, length });
        for (int i = 0; i < 20; i++) {
            bool had_failed = reader.failed;
            read_something(&reader, &seeded);
            assert_true(reader_left(&reader) <= length);
            assert_true(reader.failed || !had_failed);
            assert_true(!reader.failed || reader_left(&reader) == 0);
        }
        memory_release(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_back_and_sort),
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varints_past_64_bits_are_refused),
        cmocka_unit_test(signed_numbers_near_zero_are_small),
        cmocka_unit_test(int128_comes_back),
        cmocka_unit_test(counted_bytes_stay_within),
        cmocka_unit_test(a_failed_reader_answers_zero_for_good),
        cmocka_unit_test(random_bytes_are_never_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
