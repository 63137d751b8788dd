// SPDX-License-Identifier: Apache-2.0
// What is JSON and what is not, by lists; that numbers and strings keep their text; the limits; and
// that a document made at random comes back as it was written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"

typedef struct Fixture {
    Arena      *arena;
    JsonParser *parser;
} Fixture;

static int fixture_open(void **state)
{
    Fixture *fixture = memory_take(sizeof *fixture);
    fixture->arena = arena_open();
    fixture->parser = json_parser_open();
    *state = fixture;
    return 0;
}

static int fixture_close(void **state)
{
    Fixture *fixture = *state;
    json_parser_close(fixture->parser);
    arena_close(fixture->arena);
    memory_release(fixture);
    return 0;
}

// Behind the text stand bytes that would continue it, because a parser must not look there.
static Err *parse(Fixture *fixture, Str text, Json **root)
{
    char *padded = arena_take(fixture->arena, text.length + JSON_PADDING);
    memset(padded + text.length, '7', JSON_PADDING);
    memcpy(padded, text.at, text.length);
    return json_parse(fixture->parser, fixture->arena, (Str){ padded, text.length },
                      (JsonLimits){ 16 }, root);
}

static const char *const accepted[] = {
    "0", "-0", "1e5", "1E+5", "1e-05", "-1.25", "0.0", "123456789012345678901234567890.5e400",
    "true",
    "false", "null", "\"\"", " \t\r\n[ ] \n", "{}", "[1,2,3]", "[[],{},[{}]]",
    "{\"a\":{\"b\":[null]}}",
    "\"\\u00e9\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "\"\\ud83d\\ude00\"", "\"\xc3\xa9\"", "\"\\u0000\"",
    "{\"\":1}", "{\"a\":1,\"A\":2}", "[\"[\",\"]\",\"{\",\":\"]", "[-0.0e-0]", "\"\x7f\"",
    "[1 , 2\n,\t3 ]", "{ \"a\" : 1 , \"b\" : \"x\" }", "\"a\\\\\"",
};

static const char *const refused[] = {
    "", " ", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "-", "--1", "1.e5", "0x10", "1_000",
    "1a", "0.1.2",
    "NaN", "nan", "Infinity", "-Infinity", "tru", "truex", "nul", "True", "nulll", "[", "]", "{",
    "}",
    "[1", "[1,", "[,1]", "[1,]", "[1 2]", "[1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}",
    "{\"a\":1]",
    "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{a:1}", "{1:2}", "{null:1}", "{\"a\":1:2}", "[1:2]",
    "1 2", "{}{}",
    "[]x", "x", "\"", "\"abc", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\\x\"", "\"\\\"", "\"\\u12\"",
    "\"\\u12g4\"", "\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"", "\"\\ud83d\\ud83d\"",
    "\"\\ude00\"",
    "\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
    "\xef\xbb\xbf{}", "'a'",
    "[1]/**/", "//\n1", "\"a\"\"b\"", "\"a\"b", "1\"a\"", "[\"a\"\"b\"]", "[true false]",
    "[1,,2]", ",",
    ":", "\\", "[\"a\\\"]", "true\"x\"", "{\"a\":1}}", "[[]", "-true", "\f1", "\v1", "\302\2401",
};

static void test_accepts_every_json_text(void **state)
{
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        Json *root = NULL;
        Err  *refusal = parse(*state, str_of(accepted[i]), &root);
        if (refusal != NULL)
            fail_msg("%s: %.*s", accepted[i], STR_ARG(refusal->detail));
        assert_non_null(root);
    }
}

static void test_refuses_everything_else(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        Json *root = NULL;
        Err  *refusal = parse(*state, str_of(refused[i]), &root);
        if (refusal == NULL)
            fail_msg("taken for JSON: %s", refused[i]);
        assert_int_equal(refusal->code, ERR_JSON_INVALID);
        assert_null(root);
    }
}

static void test_refuses_nul_bytes(void **state)
{
    Json *root;
    assert_non_null(parse(*state, STR("1\0"), &root));
    assert_non_null(parse(*state, STR("\0"), &root));
    assert_non_null(parse(*state, STR("[1,\0 2]"), &root));
    assert_non_null(parse(*state, STR("\"a\0b\""), &root));
}

static void text_is(const Json *value, const char *text)
{
    assert_int_equal(value->text.length, strlen(text));
    assert_memory_equal(value->text.at, text, value->text.length);
}

static void test_numbers_keep_their_text(void **state)
{
    static const char *const numbers[] = { "1.00", "-0", "1E+05", "0.1000000000000000000000000001",
                                           "99999999999999999999999999999999" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        Json *root;
        assert_null(parse(*state, str_of(numbers[i]), &root));
        assert_int_equal(root->kind, JSON_NUMBER);
        text_is(root, numbers[i]);
    }
}

static void test_strings_are_unescaped(void **state)
{
    Json *root;
    Str   escaped = STR("[\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\n\",\"plain\"]");
    assert_null(parse(*state, escaped, &root));
    text_is(root->first, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n");
    text_is(root->first->next, "plain");
}

static void test_members_in_document_order(void **state)
{
    Json *root;
    assert_null(parse(*state, STR("{\"b\":1,\"a\":[true,null],\"\\u0063\":\"x\"}"), &root));
    assert_int_equal(root->count, 3);
    assert_true(str_equal(root->first->name, STR("b")));
    assert_true(str_equal(root->first->next->name, STR("a")));
    assert_int_equal(root->first->next->count, 2);
    text_is(json_find(root, STR("c")), "x");
    assert_null(json_find(root, STR("d")));
    assert_null(json_find(root->first, STR("b")));
    assert_true(str_equal(json_text(root, "c"), STR("x")));
    assert_null(json_text(root, "b").at);
    assert_null(json_text(root, "d").at);
    assert_null(json_text(NULL, "c").at);
}

static void test_refuses_duplicate_members(void **state)
{
    static const char *const texts[] = { "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"\\u0061\":3}",
                                         "[{\"x\":{\"\":1,\"\":2}}]" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Json *root;
        Err  *refusal = parse(*state, str_of(texts[i]), &root);
        assert_non_null(refusal);
        assert_int_equal(refusal->code, ERR_JSON_DUPLICATE_MEMBER);
    }
}

static void test_a_duplicate_is_named_at_its_place(void **state)
{
    Json *root;
    Err  *refusal = parse(*state, STR("{\"a\":[1,{\"b/c\":2,\"b/c\":3,\"d\":4}]}"), &root);
    assert_non_null(refusal);
    assert_true(str_equal(refusal->pointer, STR("/a/1/b~1c")));
    assert_true(str_equal(refusal->detail,
                          STR("b/c is there twice in the object that ends at byte 30")));
}

// Beyond 16 members another way of finding them is taken.
static void test_refuses_duplicates_in_large_objects(void **state)
{
    Fixture *fixture = *state;
    for (int repeated = 0; repeated < 2; repeated++) {
        Text text = text_open(fixture->arena);
        text_add_char(&text, '{');
        for (int i = 0; i < 500; i++)
            text_print(&text, "%s\"k%d\":%d", i == 0 ? "" : ",", i == 499 && repeated ? 7 : i, i);
        text_add_char(&text, '}');
        Json *root;
        Err  *refusal = parse(fixture, text_str(&text), &root);
        assert_int_equal(refusal != NULL, repeated);
        if (refusal != NULL)
            assert_int_equal(refusal->code, ERR_JSON_DUPLICATE_MEMBER);
    }
}

static Str nested(Arena *arena, int depth)
{
    Text text = text_open(arena);
    for (int i = 0; i < depth; i++)
        text_add(&text, i % 2 ? STR("{\"a\":") : STR("["));
    text_add_char(&text, '1');
    for (int i = depth - 1; i >= 0; i--)
        text_add_char(&text, i % 2 ? '}' : ']');
    return text_str(&text);
}

static void test_depth_is_limited(void **state)
{
    Fixture *fixture = *state;
    Json    *root;
    assert_null(parse(fixture, nested(fixture->arena, 16), &root));
    Err *refusal = parse(fixture, nested(fixture->arena, 17), &root);
    assert_non_null(refusal);
    assert_int_equal(refusal->code, ERR_JSON_TOO_DEEP);
    refusal = parse(fixture, nested(fixture->arena, 100000), &root);
    assert_int_equal(refusal->code, ERR_JSON_TOO_DEEP);
}

static void test_refusal_points_to_the_place(void **state)
{
    Json *root;
    Err  *refusal = parse(*state, STR("{\"a\":[1,{\"b/c\":01}]}"), &root);
    assert_non_null(refusal);
    assert_true(str_equal(refusal->pointer, STR("/a/1/b~1c")));
    assert_true(str_equal(refusal->detail, STR("no valid number at byte 15")));
}

static void test_large_text_then_small(void **state)
{
    Fixture *fixture = *state;
    Text     text = text_open(fixture->arena);
    text_add_char(&text, '[');
    for (int i = 0; i < 1000000; i++)
        text_print(&text, "%s%d", i == 0 ? "" : ",", i);
    text_add_char(&text, ']');
    Json *root;
    assert_null(parse(fixture, text_str(&text), &root));
    assert_int_equal(root->count, 1000000);
    assert_null(parse(fixture, STR("[1]"), &root));
    assert_int_equal(root->count, 1);
}

static void write_random(Seeded *seeded, JsonOut *out, int depth)
{
    switch (seeded_below(seeded, depth < 6 ? 7 : 5)) {
    case 0: json_null(out); return;
    case 1: json_bool(out, seeded_below(seeded, 2) == 1); return;
    case 2: json_whole(out, (int64_t)seeded_next(seeded)); return;
    case 3: json_raw(out, STR("-0.50e+07")); return;
    case 4: {
        char   bytes[24];
        size_t length = seeded_below(seeded, sizeof bytes);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)seeded_below(seeded, 128);
        json_string(out, (Str){ bytes, length });
        return;
    }
    case 5:
        json_array(out);
        for (uint64_t i = seeded_below(seeded, 6); i > 0; i--)
            write_random(seeded, out, depth + 1);
        json_array_end(out);
        return;
    default:
        json_object(out);
        for (uint64_t i = seeded_below(seeded, 40); i > 0; i--) {
            char   name[8] = "n\"\\\n";
            name[4] = (char)('0' + i % 10);
            name[5] = (char)('0' + i / 10);
            json_name(out, (Str){ name, 6 });
            write_random(seeded, out, depth + 5);
        }
        json_object_end(out);
    }
}

static void test_random_documents_come_back(void **state)
{
    Fixture *fixture = *state;
    Seeded   seeded = seeded_of(20261120);
    for (int i = 0; i < 2000; i++) {
        arena_reset(fixture->arena);
        Text    text = text_open(fixture->arena), again = text_open(fixture->arena);
        JsonOut out = json_out(&text), back = json_out(&again);
        json_array(&out);
        write_random(&seeded, &out, 0);
        json_array_end(&out);
        Json *root = NULL;
        Err  *refusal = parse(fixture, text_str(&text), &root);
        if (refusal != NULL)
            fail_msg("%.*s: %.*s", STR_ARG(text_str(&text)), STR_ARG(refusal->detail));
        json_value(&back, root);
        assert_true(str_equal(text_str(&text), text_str(&again)));
    }
}

// A document cut anywhere is refused, and one with any byte changed never crashes the parser.
static void test_cut_and_changed_documents(void **state)
{
    Fixture *fixture = *state;
    Str whole = STR("{\"meter\":\"m\",\"v\":[1.5e3,true,null,\"\\u00e9\\ud83d\\ude00\"],"
                    "\"o\":{\"a\":-0}}");
    for (size_t length = 0; length < whole.length; length++) {
        Json *root;
        assert_non_null(parse(fixture, (Str){ whole.at, length }, &root));
    }
    size_t taken = 0;
    for (size_t i = 0; i < whole.length; i++)
        for (int byte = 0; byte < 256; byte++) {
            arena_reset(fixture->arena);
            char *changed = arena_copy(fixture->arena, whole.at, whole.length);
            changed[i] = (char)byte;
            Json *root;
            taken += parse(fixture, (Str){ changed, whole.length }, &root) == NULL;
        }
    assert_true(taken > whole.length && taken < whole.length * 256);
}

static void test_copy_needs_no_padding(void **state)
{
    Fixture *fixture = *state;
    Json    *root;
    assert_null(json_parse_copy(fixture->arena, nested(fixture->arena, 30), &root));
    assert_non_null(json_parse_copy(fixture->arena, STR_NONE, &root));
    assert_null(json_parse_stored(fixture->arena, STR("{}"), &root));
    Err *err = json_parse_stored(fixture->arena, STR("{"), &root);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_accepts_every_json_text),
        TEST(test_refuses_everything_else),
        TEST(test_refuses_nul_bytes),
        TEST(test_numbers_keep_their_text),
        TEST(test_strings_are_unescaped),
        TEST(test_members_in_document_order),
        TEST(test_refuses_duplicate_members),
        TEST(test_a_duplicate_is_named_at_its_place),
        TEST(test_refuses_duplicates_in_large_objects),
        TEST(test_depth_is_limited),
        TEST(test_refusal_points_to_the_place),
        TEST(test_large_text_then_small),
        TEST(test_random_documents_come_back),
        TEST(test_cut_and_changed_documents),
        TEST(test_copy_needs_no_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
