// SPDX-License-Identifier: Apache-2.0
// Borrowed text and growing text: what is UTF-8, what is a control character, what is a number, and
// that every byte that went in comes out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"

static void comparing_goes_by_bytes(void **state)
{
    (void)state;
    static const Str ascending[] = {
        STR_INIT(""), STR_INIT("\0"), STR_INIT("\0\0"), STR_INIT("\0a"), STR_INIT("A"),
        STR_INIT("a"), STR_INIT("aa"), STR_INIT("ab"), STR_INIT("b"), STR_INIT("\x80"),
        STR_INIT("\xff"),
    };
    size_t count = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            int order = str_compare(ascending[i], ascending[k]);
            assert_int_equal(order < 0, i < k);
            assert_int_equal(order == 0, i == k);
            assert_int_equal(str_equal(ascending[i], ascending[k]), i == k);
        }
    assert_true(str_equal(STR_NONE, STR("")));
    assert_int_equal(str_compare(STR_NONE, STR("")), 0);
    assert_null(str_of(NULL).at);
    assert_true(str_equal(str_of("abc"), STR("abc")));
    assert_true(str_starts(STR("abc"), STR("")) && str_starts(STR("abc"), STR("abc")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_false(str_starts(STR("abc"), STR("b")) || str_starts(STR("ab"), STR("abc")));
}

static size_t encode(uint32_t point, unsigned char bytes[4])
{
    static const uint32_t ends[] = { 0x80, 0x800, 0x10000, 0x110000 };
    static const unsigned char marks[] = { 0, 0xc0, 0xe0, 0xf0 };
    size_t length = 1;
    while (point >= ends[length - 1])
        length++;
    for (size_t i = length; i > 1; i--) {
        bytes[i - 1] = (unsigned char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (unsigned char)(marks[length - 1] | point);
    return length;
}

// Each code point by itself, and each of its beginnings.
static void every_code_point_is_known(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        unsigned char bytes[4];
        Str  text = { (char *)bytes, encode(point, bytes) };
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
        bool is_control = point < 0x20 || (point >= 0x7f && point <= 0x9f);
        if (str_is_utf8(text) == is_surrogate || str_has_control(text) != is_control)
            fail_msg("U+%04X is judged wrongly", point);
        for (size_t cut = 1; cut < text.length; cut++)
            if (str_is_utf8((Str){ text.at, cut }) || str_is_utf8((Str){ text.at + cut, 1 }))
                fail_msg("a part of U+%04X passes", point);
    }
}

static void every_pair_of_bytes_is_known(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            char bytes[2] = { (char)first, (char)second };
            bool is_ascii = first < 0x80 && second < 0x80;
            bool is_pair = first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
            assert_int_equal(str_is_utf8((Str){ bytes, 2 }), is_ascii || is_pair);
        }
}

static void what_is_no_utf8_is_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "a\xe2\x82", "\xe2\x28\xa1",
        "\xf0\x90\x28\xbc", "\xf0\x90\x8c\x28", "\xc3(", "ok\xc3\xa9\xff",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(str_is_utf8(str_of(wrong[i])));
    assert_true(str_is_utf8(STR_NONE));
    assert_true(str_is_utf8(STR("a\0b \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")));
}

static void controls_are_found_anywhere(void **state)
{
    (void)state;
    static const Str with[] = {
        STR_INIT("\0"), STR_INIT("a\tb"), STR_INIT("ab\n"), STR_INIT("\x7f"), STR_INIT("a\x1f"),
        STR_INIT("\xc2\x80"), STR_INIT("x\xc2\x85y"), STR_INIT("x\xc2\x9f"),
    };
    static const Str without[] = {
        STR_INIT(""), STR_INIT(" ~"), STR_INIT("\xc2\xa0"), STR_INIT("\xc3\x80"),
        STR_INIT("\xe2\x82\xac"), STR_INIT("\xe0\xa2\x80"), STR_INIT("x\xc2"),
    };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        assert_true(str_has_control(with[i]));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(str_has_control(without[i]));
    assert_false(str_has_control(STR_NONE));
}

static void whole_numbers_are_digits_up_to_the_maximum(void **state)
{
    (void)state;
    uint64_t number = 0;
    static const char *const wrong[] = {
        "", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x10", "a", "18446744073709551616",
        "99999999999999999999", "184467440737095516150",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(str_whole(str_of(wrong[i]), UINT64_MAX, &number));
    assert_false(str_whole(STR_NONE, UINT64_MAX, &number));
    assert_true(str_whole(STR("0"), 0, &number) && number == 0);
    assert_true(str_whole(STR("1000"), 1000, &number) && number == 1000);
    assert_false(str_whole(STR("1001"), 1000, &number));
    assert_true(str_whole(STR("18446744073709551615"), UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
}

static void cutting_gives_every_part(void **state)
{
    (void)state;
    Str rest = STR("a,bc,,d");
    assert_true(str_equal(str_cut(&rest, ','), STR("a")));
    assert_true(str_equal(str_cut(&rest, ','), STR("bc")));
    assert_true(str_equal(str_cut(&rest, ','), STR("")));
    assert_true(str_equal(str_cut(&rest, ','), STR("d")));
    assert_null(rest.at);
    assert_int_equal(str_cut(&rest, ',').length, 0);
    rest = STR("a,");
    assert_true(str_equal(str_cut(&rest, ','), STR("a")));
    assert_int_equal(rest.length, 0);
    assert_non_null(rest.at);
}

static void copies_and_prints(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char from[] = "text";
    Str  copy = str_copy(arena, str_of(from));
    from[0] = 'X';
    assert_true(str_equal(copy, STR("text")));
    assert_int_equal(str_copy(arena, STR_NONE).length, 0);
    assert_string_equal(str_terminated(arena, (Str){ "abcdef", 3 }), "abc");
    assert_string_equal(str_terminated(arena, STR_NONE), "");
    assert_true(str_equal(str_print(arena, "%d/%.*s", -7, STR_ARG(copy)), STR("-7/text")));
    assert_int_equal(str_print(arena, "%5000d", 1).length, 5000);
    assert_true(str_equal(str_hex(arena, "\x00\x7f\x80\xff", 4), STR("007f80ff")));
    assert_int_equal(str_hex(arena, "", 0).length, 0);
}

static void add_piece(Text *text, Seeded *seeded, char *expected, size_t *length)
{
    char   piece[600];
    size_t count = seeded_below(seeded, sizeof piece);
    for (size_t i = 0; i < count; i++)
        piece[i] = (char)(1 + seeded_below(seeded, 255));
    switch (seeded_below(seeded, 4)) {
    case 0: text_add(text, (Str){ piece, count }); break;
    case 1: text_print(text, "%.*s", (int)count, piece); break;
    case 2:
        memcpy(text_reserve(text, sizeof piece), piece, count);
        text_grow(text, count);
        break;
    default:
        for (size_t i = 0; i < count; i++)
            text_add_char(text, piece[i]);
    }
    memcpy(expected + *length, piece, count);
    *length += count;
}

static void check_growing(Text *text)
{
    Seeded seeded = seeded_of(11);
    char   expected[200 * 600];
    size_t length = 0;
    for (int i = 0; i < 200; i++) {
        add_piece(text, &seeded, expected, &length);
        assert_true(text->room >= text->length);
    }
    assert_true(str_equal(text_str(text), (Str){ expected, length }));
    size_t room = text->room;
    text_clear(text);
    assert_int_equal(text->length, 0);
    assert_int_equal(text->room, room);
    text_add(text, STR("again"));
    text_add(text, STR_NONE);
    assert_true(str_equal(text_str(text), STR("again")));
    text_close(text);
    assert_int_equal(text->length + text->room, 0);
}

static void texts_grow_in_an_arena_and_by_themselves(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text in_arena = text_open(arena), own = text_open_own();
    assert_int_equal(text_str(&own).length, 0);
    check_growing(&in_arena);
    check_growing(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_goes_by_bytes),
        cmocka_unit_test(every_code_point_is_known),
        cmocka_unit_test(every_pair_of_bytes_is_known),
        cmocka_unit_test(what_is_no_utf8_is_found),
        cmocka_unit_test(controls_are_found_anywhere),
        cmocka_unit_test(whole_numbers_are_digits_up_to_the_maximum),
        cmocka_unit_test(cutting_gives_every_part),
        cmocka_unit_test(copies_and_prints),
        cmocka_unit_test(texts_grow_in_an_arena_and_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
