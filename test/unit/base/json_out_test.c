// SPDX-License-Identifier: Apache-2.0
// What is written is JSON: commas and quotes where they belong, every text comes back as it was,
// numbers keep their digits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"

static void assert_written(const Text *text, const char *expected)
{
    AUTO(Arena) arena = arena_open();
    assert_string_equal(str_terminated(arena, text_str(text)), expected);
}

static void commas_stand_between(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    json_name(&out, STR("empty"));
    json_array(&out);
    json_array_end(&out);
    json_name(&out, STR("list"));
    json_array(&out);
    json_whole(&out, 1);
    json_object(&out);
    json_object_end(&out);
    json_array(&out);
    json_null(&out);
    json_bool(&out, true);
    json_array_end(&out);
    json_bool(&out, false);
    json_raw(&out, STR("1.50"));
    json_array_end(&out);
    json_string_member(&out, "s", STR("x"));
    json_whole_member(&out, "n", -1);
    json_bool_member(&out, "b", true);
    json_null_member(&out, "z");
    json_raw_member(&out, "r", STR("[2]"));
    json_object_end(&out);
    assert_written(&text, "{\"empty\":[],\"list\":[1,{},[null,true],false,1.50],"
                          "\"s\":\"x\",\"n\":-1,\"b\":true,\"z\":null,\"r\":[2]}");
}

static void whole_numbers_keep_every_digit(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_array(&out);
    json_whole(&out, INT64_MIN);
    json_whole(&out, 0);
    json_whole(&out, INT64_MAX);
    json_array_end(&out);
    assert_written(&text, "[-9223372036854775808,0,9223372036854775807]");
}

// A string and a name, written and read again.
static void assert_comes_back(Str value)
{
    AUTO(Arena) arena = arena_open();
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    Json   *root;
    json_object(&out);
    json_name(&out, value);
    json_string(&out, value);
    json_object_end(&out);
    for (size_t i = 0; i < text.length; i++)
        assert_true((unsigned char)text.at[i] >= 0x20 && text.at[i] != 0x7f);
    assert_null(json_parse_copy(arena, text_str(&text), &root));
    assert_int_equal(root->count, 1);
    assert_true(str_equal(root->first->name, value));
    assert_true(str_equal(root->first->text, value));
}

static void every_character_comes_back(void **state)
{
    (void)state;
    for (int byte = 0; byte < 0x80; byte++) {
        char text[3] = { 'a', (char)byte, 'b' };
        assert_comes_back((Str){ text, 3 });
        assert_comes_back((Str){ text + 1, 1 });
    }
    assert_comes_back(STR(""));
    assert_comes_back(STR("\\\"\\\\/\b\f\n\r\t\0"));
    assert_comes_back(STR("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\x85 \xe2\x80\xa8"));
    assert_comes_back(STR("</script> & \\u0041"));
}

// Eight bytes are looked at together, and what is left.
static void every_character_comes_back_at_every_place(void **state)
{
    (void)state;
    char text[20];
    for (int byte = 0; byte < 0x80; byte++)
        for (size_t length = 1; length <= sizeof text; length++)
            for (size_t place = 0; place < length; place++) {
                memset(text, 'x', sizeof text);
                text[place] = (char)byte;
                assert_comes_back((Str){ text, length });
            }
}

static void random_texts_come_back(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\"", "\\", "\n", "\x01", "\x7f", "a", "plain text", "\xc3\xa9", "\xf0\x9f\x98\x80", "/",
    };
    Seeded seeded = seeded_of(8);
    for (int round = 0; round < 300; round++) {
        AUTO(Arena) arena = arena_open();
        Text text = text_open(arena);
        for (uint64_t left = seeded_below(&seeded, 40); left > 0; left--)
            text_add(&text, str_of(parts[seeded_below(&seeded, 10)]));
        assert_comes_back(text_str(&text));
    }
}

static void escapes_are_the_short_ones(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_string(&out, STR("a\"b\\c\nd\0e\x1f\x7f"));
    assert_written(&text, "\"a\\\"b\\\\c\\nd\\u0000e\\u001f\\u007f\"");
}

static void a_parsed_tree_is_written_as_it_was(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{}", "[]", "null", "true", "false", "\"x\"", "-0.10e+05", "1234567890123456789012345.600",
        "[[],{},[[]]]", "{\"b\":1,\"a\":[1.0,1,10e-1,\"1\"],\"\":{\"x\":null}}",
        "[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        AUTO(Arena) arena = arena_open();
        Text    text = text_open(arena);
        JsonOut out = json_out(&text);
        Json   *root;
        assert_null(json_parse_copy(arena, str_of(documents[i]), &root));
        json_value(&out, root);
        assert_written(&text, documents[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between),
        cmocka_unit_test(whole_numbers_keep_every_digit),
        cmocka_unit_test(every_character_comes_back),
        cmocka_unit_test(every_character_comes_back_at_every_place),
        cmocka_unit_test(random_texts_come_back),
        cmocka_unit_test(escapes_are_the_short_ones),
        cmocka_unit_test(a_parsed_tree_is_written_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
