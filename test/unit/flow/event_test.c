// SPDX-License-Identifier: Apache-2.0
// The canonical forms: what is equal, what differs, and that no two contents share their bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/json.h"
#include "flow/ingest/event.h"
#include "flow/ingest/measurement.h"
#include "flow/ingest/properties.h"

static const HashKey test_key = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };

static Err *properties_try(Arena *arena, const char *json, Str *canonical)
{
    Json *root = NULL;
    assert_null(json_parse_copy(arena, str_of(json), &root));
    PropertySource source = { root, STR_NONE, STR("/properties"), PROPERTY_LIMITS };
    return properties_from_json(arena, source, canonical);
}

static Str properties_of(Arena *arena, const char *json)
{
    Str canonical = STR_NONE;
    assert_null(properties_try(arena, json, &canonical));
    return canonical;
}

static void assert_text(Str text, const char *expected)
{
    AUTO(Arena) arena = arena_open();
    assert_string_equal(str_terminated(arena, text), expected);
}

static void numbers_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *written, *canonical;
    } rows[] = {
        { "1", "1" },         { "1.0", "1" },          { "10e-1", "1" },      { "0.1e1", "1" },
        { "1E0", "1" },       { "100e-2", "1" },       { "-0", "0" },         { "0", "0" },
        { "0.000", "0" },     { "-0.0e99", "0" },
        { "0e999999999999999999999999999999999999999999", "0" },
        { "-1.50", "-1.5" },  { "25e-3", "0.025" },    { "1.25", "1.25" },    { "1e3", "1000" },
        { "1000", "1000" },   { "1e40", "10000000000000000000000000000000000000000" },
        { "1e41", "1e41" },   { "120e400", "12e401" }, { "1e400", "1e400" },  { "0.1e401", "1e400"
            },
        { "1e-41", "0.00000000000000000000000000000000000000001" },
        { "1e-42", "1e-42" }, { "1.5e-400", "15e-401" },
        { "10e99999999999999999999999999999999999", "1e100000000000000000000000000000000000" },
        { "1e100000000000000000000000000000000000", "1e100000000000000000000000000000000000" },
        { "12345678901234567890123456789012345678901234567890.10",
          "12345678901234567890123456789012345678901234567890.1" },
        { "-7E+2", "-700" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        assert_text(properties_number(arena, str_of(rows[i].written)), rows[i].canonical);
        // The canonical spelling is canonical itself.
        assert_text(properties_number(arena, str_of(rows[i].canonical)), rows[i].canonical);
    }
}

static void equal_properties_have_equal_bytes(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}" },
        { "{\"a\":1}", "{\"a\":1.000}" },
        { "{\"a\":\"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}" },
        { "{\"\\u0061\":true}", "{ \"a\" : true }" },
        { "{\"a\":{\"x\":1,\"y\":[1,2]}}", "{\"a\":{\"y\":[1.0,20e-1],\"x\":1}}" },
        { "{\"a\":[ ]}", "{\"a\":[]}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        assert_true(str_equal(properties_of(arena, rows[i][0]), properties_of(arena, rows[i][1])));
    }
}

static void different_properties_have_different_bytes(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{\"a\":1}", "{\"a\":\"1\"}" },         { "{\"a\":null}", "{\"a\":\"null\"}" },
        { "{\"a\":true}", "{\"a\":\"true\"}" },   { "{\"a\":[]}", "{\"a\":\"[]\"}" },
        { "{\"a\":{}}", "{\"a\":[]}" },           { "{\"a\":null}", "{}" },
        { "{\"a\":\"\"}", "{}" },                 { "{\"ab\":\"c\"}", "{\"a\":\"bc\"}" },
        { "{\"a\":\"1\",\"b\":\"\"}", "{\"a\":\"1\"}" },
        { "{\"a\":[1,2]}", "{\"a\":[2,1]}" },     { "{\"a\":[\"1\"]}", "{\"a\":[1]}" },
        { "{\"a\":1e400}", "{\"a\":1e401}" },     { "{\"a\":-1}", "{\"a\":1}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        assert_false(str_equal(properties_of(arena, rows[i][0]), properties_of(arena, rows[i][1])));
    }
}

static void no_properties_are_an_empty_form(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    assert_int_equal(properties_of(arena, "{}").length, 0);
    Property property;
    size_t   offset = 0;
    assert_false(properties_next(STR_NONE, &offset, &property));
    assert_false(properties_find(STR_NONE, STR("a"), &property));
}

static void properties_are_found_and_walked_in_order(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str form = properties_of(arena, "{\"zone\":\"b\",\"size\":2.50,\"on\":true,\"gone\":null,"
        "\"tags\":[1.0,\"x\"]}");
    static const struct {
        const char  *key, *text;
        PropertyKind kind;
    } expected[] = {
        { "gone", "null", PROPERTY_NULL },  { "on", "true", PROPERTY_BOOL },
        { "size", "2.5", PROPERTY_NUMBER }, { "tags", "[1,\"x\"]", PROPERTY_JSON },
        { "zone", "b", PROPERTY_STRING },
    };
    Property property;
    size_t   offset = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(properties_next(form, &offset, &property));
        assert_text(property.key, expected[i].key);
        assert_text(property.text, expected[i].text);
        assert_int_equal(property.kind, expected[i].kind);
        assert_true(properties_find(form, str_of(expected[i].key), &property));
        assert_text(property.text, expected[i].text);
    }
    assert_false(properties_next(form, &offset, &property));
    assert_false(properties_find(form, STR("a"), &property));
    assert_false(properties_find(form, STR("goner"), &property));
    assert_false(properties_find(form, STR("zz"), &property));
}

static void properties_go_back_to_json(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str     form = properties_of(arena, "{\"b\":\"q\\\"\",\"a\":1.0,\"d\":[{\"y\":2,\"x\":1}],"
        "\"c\":null,\"e\":1e400}");
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    properties_to_json(form, &out);
    assert_text(text_str(&text),
                "{\"a\":1,\"b\":\"q\\\"\",\"c\":null,\"d\":[{\"x\":1,\"y\":2}],\"e\":1e400}");
    assert_true(str_equal(form, properties_of(arena, str_terminated(arena, text_str(&text)))));
}

static Str many_properties(Arena *arena, int count)
{
    Text text = text_open(arena);
    for (int i = 0; i < count; i++)
        text_print(&text, "%s\"p%d\":%d", i == 0 ? "{" : ",", count - i, i);
    text_add_char(&text, '}');
    return text_str(&text);
}

enum { COUNT = 64, KEY_BYTES = 128, TEXT_BYTES = 1024 };

static void limits_of_properties(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Str   form;
    char *fits = str_terminated(arena, many_properties(arena, COUNT));
    char *over = str_terminated(arena, many_properties(arena, COUNT + 1));
    assert_null(properties_try(arena, fits, &form));
    assert_int_equal(properties_try(arena, over, &form)->code, ERR_TOO_MANY_PROPERTIES);

    char letters[TEXT_BYTES + 2];
    memset(letters, 'k', sizeof letters);
    Str text = str_print(arena, "{\"%.*s\":1}", KEY_BYTES, letters);
    assert_null(properties_try(arena, str_terminated(arena, text), &form));
    text = str_print(arena, "{\"%.*s\":1}", KEY_BYTES + 1, letters);
    Err *err = properties_try(arena, str_terminated(arena, text), &form);
    assert_int_equal(err->code, ERR_FIELD_INVALID);

    text = str_print(arena, "{\"a/b~\":\"%.*s\"}", TEXT_BYTES, letters);
    assert_null(properties_try(arena, str_terminated(arena, text), &form));
    text = str_print(arena, "{\"a/b~\":\"%.*s\"}", TEXT_BYTES + 1, letters);
    err = properties_try(arena, str_terminated(arena, text), &form);
    assert_int_equal(err->code, ERR_FIELD_INVALID);
    assert_text(err->pointer, "/properties/a~1b~0");
}

static Event event_like(const char *event, const char *account, int64_t value, const char *id)
{
    Event made = { .event = str_of(event), .account = str_of(account), .unique_id = str_of(id),
                   .value = decimal_whole(value), .ts = { 1781100131000000 } };
    event_identify(&made, STR("prj"), &test_key);
    return made;
}

// An id of another project, or cut elsewhere, is another identity.
static void identity_is_of_project_and_id(void **state)
{
    (void)state;
    Event one = event_like("m", "a", 1, "evt");
    Event same = event_like("n", "b", 2, "evt");
    assert_true(hash_equal(one.id, same.id));
    assert_false(hash_equal(one.id, event_like("m", "a", 1, "evt2").id));

    Event cut = one;
    cut.unique_id = STR("jevt");
    event_identify(&cut, STR("pr"), &test_key);
    assert_false(hash_equal(one.id, cut.id));

    HashKey other_key = { { 9 } };
    Event   other = one;
    event_identify(&other, STR("prj"), &other_key);
    assert_false(hash_equal(one.id, other.id));
    assert_true(digest_equal(&one.digest, &other.digest));
    assert_true(one.fingerprint != other.fingerprint);
}

static void fingerprint_is_of_content_without_ts(void **state)
{
    (void)state;
    Event one = event_like("m", "a", 1, "x");
    Event later = one;
    later.ts.us++;
    event_identify(&later, STR("prj"), &test_key);
    assert_true(one.fingerprint == later.fingerprint);
    assert_false(digest_equal(&one.digest, &later.digest));

    assert_true(one.fingerprint == event_like("m", "a", 1, "y").fingerprint);
    Event id = event_like("m", "a", 1, "y");
    assert_false(digest_equal(&one.digest, &id.digest));
    assert_true(one.fingerprint != event_like("n", "a", 1, "x").fingerprint);
    assert_true(one.fingerprint != event_like("m", "b", 1, "x").fingerprint);
    assert_true(one.fingerprint != event_like("m", "a", -1, "x").fingerprint);
    assert_true(event_like("ab", "c", 1, "x").fingerprint !=
                event_like("a", "bc", 1, "x").fingerprint);
}

// Version 1 is written down: these numbers may never change.
static void form_version_one_is_fixed(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Event event = event_like("compute.gpu_seconds", "acct_meridian", 4815, "evt_8f3a");
    event.properties = properties_of(arena, "{\"region\":\"eu-1\"}");
    event_identify(&event, STR("prj"), &test_key);
    unsigned char content[128];
    size_t        length = 0;
    content[length++] = 1;
    length += bytes_put_varint(content + length, 19);
    memcpy(content + length, "compute.gpu_seconds", 19);
    length += 19;
    length += bytes_put_varint(content + length, 13);
    memcpy(content + length, "acct_meridian", 13);
    length += 13;
    length += bytes_put_varint(content + length, 2 * UINT64_C(4815000000000000));
    static const unsigned char form[] = "\x0e\x01\x06region\x01\x04" "eu-1";
    memcpy(content + length, form, sizeof form - 1);
    length += sizeof form - 1;
    Str bytes = { (char *)content, length };
    assert_true(event.fingerprint == hash_keyed(&test_key, bytes).low);
    memcpy(content + length, "\x08" "evt_8f3a", 9);
    bytes_put_u64_be(content + length + 9, 1781100131000000);
    Digest digest = digest_of((Str){ (char *)content, length + 17 });
    assert_true(digest_equal(&digest, &event.digest));
    assert_true(hash_equal(event.id, hash_keyed(&test_key, STR("\x03prj\x08" "evt_8f3a"))));
}

static void large_content_is_identified_too(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    char letters[1001] = { 0 };
    memset(letters, 'v', 1000);
    Str   text = str_print(arena, "{\"a\":\"%s\",\"b\":\"%s\"}", letters, letters);
    Event event = event_like("m", "a", 1, "x");
    event.properties = properties_of(arena, str_terminated(arena, text));
    event_identify(&event, STR("prj"), &test_key);
    uint64_t before = event.fingerprint;
    letters[999] = 'w';
    text = str_print(arena, "{\"a\":\"%s\",\"b\":\"%s\"}", letters, letters);
    event.properties = properties_of(arena, str_terminated(arena, text));
    event_identify(&event, STR("prj"), &test_key);
    assert_true(event.fingerprint != before);
}

static void outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(outcome_name(OUTCOME_ACCEPTED), "accepted");
    assert_string_equal(outcome_name(OUTCOME_DUPLICATE), "duplicate");
    assert_string_equal(outcome_name(OUTCOME_CONFLICT), "conflict");
    assert_string_equal(outcome_name(OUTCOME_REJECTED), "rejected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(equal_properties_have_equal_bytes),
        cmocka_unit_test(different_properties_have_different_bytes),
        cmocka_unit_test(no_properties_are_an_empty_form),
        cmocka_unit_test(properties_are_found_and_walked_in_order),
        cmocka_unit_test(properties_go_back_to_json),
        cmocka_unit_test(limits_of_properties),
        cmocka_unit_test(identity_is_of_project_and_id),
        cmocka_unit_test(fingerprint_is_of_content_without_ts),
        cmocka_unit_test(form_version_one_is_fixed),
        cmocka_unit_test(large_content_is_identified_too),
        cmocka_unit_test(outcomes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
