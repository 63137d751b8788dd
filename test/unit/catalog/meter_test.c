// SPDX-License-Identifier: Apache-2.0
#include "place.h"

typedef struct Bad {
    const char *body;
    ErrCode     code;
    const char *pointer;
} Bad;

static Str text_of_meter(Arena *arena, const Meter *meter)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    meter_to_json(meter, &out);
    return text_str(&text);
}

static Meter *meter_from(Arena *arena, const char *text, const char *id, Faults *faults)
{
    Json *root = NULL;
    assert_null(json_parse_copy(arena, str_of(text), &root));
    *faults = (Faults){ .arena = arena };
    return meter_from_json(root, str_of(id), faults);
}

static void test_equal_meters_are_equal_text(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Faults faults;
    Meter *one =
        meter_from(arena,
                   "{\"unit\":\"token\",\"aggregation\":\"sum\",\"filter\":{\"b\":[\"2\",\"1\"],"
                   "\"a\":[\"x\"]},\"exclude\":[{\"t\":[\"z\"]},{\"s\":[\"y\",\"a\"]}],"
                   "\"dimensions\":[\"region\",\"model\"]}",
                   "m", &faults);
    assert_null(faults.first);
    Meter *two = meter_from(
        arena,
        "{\"id\":\"m\",\"event\":\"m\",\"property\":\"value\",\"dimensions\":[\"model\","
        "\"region\"],\"exclude\":[{\"s\":[\"a\",\"y\"]},{\"t\":[\"z\"]}],\"filter\":"
        "{\"a\":[\"x\"],\"b\":[\"1\",\"2\"]},\"aggregation\":\"sum\",\"unit\":\"token\"}",
        "m", &faults);
    assert_null(faults.first);
    Str text = text_of_meter(arena, one);
    assert_true(str_equal(text, text_of_meter(arena, two)));
    assert_true(str_equal(
        text,
        STR("{\"id\":\"m\",\"event\":\"m\",\"aggregation\":\"sum\",\"property\":\"value\","
            "\"filter\":{\"a\":[\"x\"],\"b\":[\"1\",\"2\"]},\"exclude\":[{\"s\":[\"a\",\"y\"]},"
            "{\"t\":[\"z\"]}],\"dimensions\":[\"model\",\"region\"],\"unit\":\"token\"}")));
    Meter *back = meter_from(arena, str_terminated(arena, text), "m", &faults);
    assert_null(faults.first);
    assert_true(str_equal(text, text_of_meter(arena, back)));
}

static void test_bad_meters_name_the_member(void **state)
{
    (void)state;
    static const Bad bad[] = {
        { "[]", ERR_FIELD_INVALID, "" },
        { "{}", ERR_FIELD_REQUIRED, "/aggregation" },
        { "{\"aggregation\":\"median\"}", ERR_FIELD_INVALID, "/aggregation" },
        { "{\"aggregation\":1}", ERR_FIELD_INVALID, "/aggregation" },
        { "{\"aggregation\":\"sum\",\"colour\":1}", ERR_UNKNOWN_MEMBER, "/colour" },
        { "{\"aggregation\":\"sum\",\"id\":\"other\"}", ERR_FIELD_INVALID, "/id" },
        { "{\"aggregation\":\"sum\",\"event\":\"-x\"}", ERR_FIELD_INVALID, "/event" },
        { "{\"aggregation\":\"sum\",\"property\":\"\"}", ERR_FIELD_INVALID, "/property" },
        { "{\"aggregation\":\"sum\",\"unit\":7}", ERR_FIELD_INVALID, "/unit" },
        { "{\"aggregation\":\"sum\",\"filter\":[]}", ERR_FIELD_INVALID, "/filter" },
        { "{\"aggregation\":\"sum\",\"filter\":{\"a/b\":\"c\"}}", ERR_FIELD_INVALID,
          "/filter/a~1b" },
        { "{\"aggregation\":\"sum\",\"filter\":{\"a\":[]}}", ERR_FIELD_INVALID, "/filter/a" },
        { "{\"aggregation\":\"sum\",\"filter\":{\"a\":[1]}}", ERR_FIELD_INVALID, "/filter/a/0" },
        { "{\"aggregation\":\"sum\",\"filter\":{\"a\":[\"x\",\"x\"]}}", ERR_FIELD_INVALID,
          "/filter/a" },
        { "{\"aggregation\":\"sum\",\"exclude\":{}}", ERR_FIELD_INVALID, "/exclude" },
        { "{\"aggregation\":\"sum\",\"exclude\":[{}]}", ERR_FIELD_INVALID, "/exclude/0" },
        { "{\"aggregation\":\"sum\",\"exclude\":[{\"a\":[\"x\"]},{\"b\":1}]}", ERR_FIELD_INVALID,
          "/exclude/1/b" },
        { "{\"aggregation\":\"sum\",\"dimensions\":\"a\"}", ERR_FIELD_INVALID, "/dimensions" },
        { "{\"aggregation\":\"sum\",\"dimensions\":[\"a\",\"\"]}", ERR_FIELD_INVALID,
          "/dimensions/1" },
        { "{\"aggregation\":\"sum\",\"dimensions\":[\"a\",\"a\"]}", ERR_FIELD_INVALID,
          "/dimensions" },
        { "{\"aggregation\":\"percentile\"}", ERR_FIELD_REQUIRED, "/percentile" },
        { "{\"aggregation\":\"percentile\",\"percentile\":-1}", ERR_FIELD_INVALID, "/percentile" },
        { "{\"aggregation\":\"percentile\",\"percentile\":true}", ERR_FIELD_INVALID,
          "/percentile" },
        { "{\"aggregation\":\"latest\",\"input\":\"level\"}", ERR_FIELD_INVALID, "/input" },
        { "{\"aggregation\":\"sum\",\"window\":{\"unit\":\"day\","
          "\"aggregation\":\"timeWeighted\"}}",
          ERR_FIELD_INVALID, "/window/aggregation" },
        { "{\"aggregation\":\"sum\",\"window\":{\"aggregation\":\"max\"}}", ERR_FIELD_REQUIRED,
          "/window/unit" },
        { "{\"aggregation\":\"uniqueCount\",\"operationProperty\":7}", ERR_FIELD_INVALID,
          "/operationProperty" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(Arena) arena = arena_open();
        Faults faults;
        meter_from(arena, bad[i].body, "m", &faults);
        assert_non_null(faults.first);
        assert_string_equal(err_name(faults.first->code), err_name(bad[i].code));
        assert_string_equal(str_terminated(arena, faults.first->pointer), bad[i].pointer);
    }
}

// What comes back is what was declared, with what goes without saying, and nothing else.
static void test_members_of_some_aggregations(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "\"timeWeighted\"", ",\"input\":\"level\",\"per\":\"second\"" },
        { "\"timeWeighted\",\"per\":\"period\",\"input\":\"change\"",
          ",\"input\":\"change\",\"per\":\"period\"" },
        { "\"percentile\",\"percentile\":95.50", ",\"percentile\":\"95.5\"" },
        { "\"percentile\",\"percentile\":\"1e2\"", ",\"percentile\":\"100\"" },
        { "\"sum\",\"carryOver\":true", ",\"carryOver\":true" },
        { "\"sum\",\"carryOver\":false,\"percentile\":null,\"window\":null", "" },
        { "\"uniqueCount\",\"operationProperty\":\"op\",\"carryOver\":true",
          ",\"carryOver\":true,\"operationProperty\":\"op\"" },
        { "\"sum\",\"window\":{\"aggregation\":\"percentile\",\"unit\":\"hour\"},"
          "\"percentile\":95",
          ",\"percentile\":\"95\",\"window\":{\"unit\":\"hour\",\"aggregation\":\"percentile\"}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Faults faults;
        Meter *meter = meter_from(
            arena, str_print(arena, "{\"aggregation\":%s}", rows[i][0]).at, "m", &faults);
        assert_null(faults.first);
        Str text = text_of_meter(arena, meter);
        Str tail = str_print(arena, "\"unit\":null%s}", rows[i][1]);
        assert_true(text.length > tail.length);
        assert_string_equal(
            str_terminated(arena, (Str){ text.at + text.length - tail.length, tail.length }),
            tail.at);
        Meter *back = meter_from(arena, str_terminated(arena, text), "m", &faults);
        assert_null(faults.first);
        assert_true(str_equal(text, text_of_meter(arena, back)));
    }
}

static void test_what_cells_keep(void **state)
{
    (void)state;
    Meter gauge = { .aggregation = AGGREGATE_TIME_WEIGHTED }, changes = gauge;
    changes.input = INPUT_CHANGE;
    assert_int_equal(meter_kept(&gauge), AGGREGATE_LATEST);
    assert_int_equal(meter_kept(&changes), AGGREGATE_SUM);
    assert_int_equal(meter_kept(&(Meter){ .aggregation = AGGREGATE_PERCENTILE }),
                     AGGREGATE_COUNT);
    assert_int_equal(meter_kept(&(Meter){ .aggregation = AGGREGATE_MAX }), AGGREGATE_MAX);
    assert_true(meter_sums_events(&(Meter){ .aggregation = AGGREGATE_SUM }));
    assert_false(meter_sums_events(&(Meter){ .aggregation = AGGREGATE_SUM, .carries = true }));
    assert_false(meter_sums_events(&(Meter){ .aggregation = AGGREGATE_SUM, .has_window = true }));
    assert_true(meter_sums_events(&(Meter){ .aggregation = AGGREGATE_COUNT }));
    assert_false(meter_sums_events(&(Meter){ .aggregation = AGGREGATE_MAX }));
}

static void test_all_faults_are_told_at_once(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Faults faults;
    meter_from(arena, "{\"aggregation\":\"median\",\"unit\":7,\"dimensions\":\"region\",\"x\":1}",
               "-m", &faults);
    assert_int_equal(faults.count, 5);
}

static void test_ids_of_meters_are_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "0", "compute.gpu_seconds", "A:b-c_d.e" };
    static const char *const bad[] = { "", "-a", ".a", "_a", "a b", "a/b", "\xc3\xa4" };
    AUTO(Arena) arena = arena_open();
    Faults faults;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        meter_from(arena, "{\"aggregation\":\"count\"}", good[i], &faults);
        assert_null(faults.first);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        meter_from(arena, "{\"aggregation\":\"count\"}", bad[i], &faults);
        assert_non_null(faults.first);
    }
    char longest[130] = { 0 };
    for (int i = 0; i < 128; i++)
        longest[i] = 'm';
    meter_from(arena, "{\"aggregation\":\"count\"}", longest, &faults);
    assert_null(faults.first);
    longest[128] = 'm';
    meter_from(arena, "{\"aggregation\":\"count\"}", longest, &faults);
    assert_non_null(faults.first);
}

static void test_a_meter_may_bring_its_own_id(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Faults faults = { .arena = arena };
    Json  *root = NULL;
    assert_null(json_parse_copy(arena, STR("{\"id\":\"own\",\"aggregation\":\"count\"}"), &root));
    Meter *meter = meter_from_json(root, STR_NONE, &faults);
    assert_null(faults.first);
    assert_true(str_equal(meter->id, STR("own")) && str_equal(meter->event, STR("own")));
    assert_null(json_parse_copy(arena, STR("{\"aggregation\":\"count\"}"), &root));
    meter_from_json(root, STR_NONE, &faults);
    assert_non_null(faults.first);
}

static void test_every_aggregation_has_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < AGGREGATION_COUNT; i++) {
        Aggregation found;
        assert_true(aggregation_find(str_of(aggregation_name((Aggregation)i)), &found));
        assert_int_equal(found, i);
    }
    Aggregation none;
    assert_false(aggregation_find(STR("SUM"), &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_meters_are_equal_text),
        cmocka_unit_test(test_bad_meters_name_the_member),
        cmocka_unit_test(test_members_of_some_aggregations),
        cmocka_unit_test(test_what_cells_keep),
        cmocka_unit_test(test_all_faults_are_told_at_once),
        cmocka_unit_test(test_ids_of_meters_are_names),
        cmocka_unit_test(test_a_meter_may_bring_its_own_id),
        cmocka_unit_test(test_every_aggregation_has_its_name),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
