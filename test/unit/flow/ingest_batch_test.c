// SPDX-License-Identifier: Apache-2.0
// Bodies: what is refused as a whole and what only as one event, in every form.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "flow/ingest/batch.h"

static int asked;

static bool event_known(void *context, Str event)
{
    (void)context;
    asked++;
    return !str_equal(event, STR("unknown"));
}

static Err *batch_of(Arena *arena, BatchForm form, Str body, Batch *batch)
{
    IngestRules rules = { .project = STR("prj"), .now = { INT64_C(1781100000000000) },
                          .future_us = INGEST_FUTURE_US, .events_max = 100,
                          .header_key = STR("header"), .event_known = event_known };
    JsonParser *parser = json_parser_open();
    char       *padded = arena_take(arena, body.length + JSON_PADDING);
    if (body.length > 0)
        memcpy(padded, body.at, body.length);
    BatchSource source = { parser, arena, form, { padded, body.length } };
    Err *err = batch_read(&source, &rules, batch);
    json_parser_close(parser);
    return err;
}

static Batch batch_fine(Arena *arena, BatchForm form, Str body)
{
    Batch batch = { 0 };
    Err  *err = batch_of(arena, form, body, &batch);
    if (err != NULL)
        fail_msg("refused: %s: %.*s", err_name(err->code), STR_ARG(err->detail));
    for (size_t i = 0; i < batch.count; i++)
        assert_int_equal(batch.events[i].index, i);
    return batch;
}

static void assert_refused(BatchForm form, Str body, ErrCode code)
{
    AUTO(Arena) arena = arena_open();
    Batch batch;
    Err  *err = batch_of(arena, form, body, &batch);
    if (err == NULL)
        fail_msg("not refused: %.*s", STR_ARG(body));
    assert_int_equal(err->code, code);
}

static void assert_text(Str text, const char *expected)
{
    AUTO(Arena) arena = arena_open();
    assert_string_equal(str_terminated(arena, text), expected);
}

#define ONE "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"1\"}"
#define TWO "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"2\"}"
#define BAD "{\"meter\":\"unknown\",\"account\":\"a\",\"uniqueId\":\"3\"}"
#define ALIAS "{\"meter\":\"m\",\"tenantId\":\"a\",\"quantity\":2}"
#define CE "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"s\",\"id\":\"1\"," \
           "\"subject\":\"a\"}"

static void media_types(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        BatchForm   form;
    } rows[] = {
        { "", BATCH_JSON },
        { "application/json", BATCH_JSON },
        { "Application/JSON ; charset=utf-8", BATCH_JSON },
        { "application/x-ndjson", BATCH_LINES },
        { "application/cloudevents+json;charset=UTF-8", BATCH_CLOUDEVENT },
        { "application/cloudevents-batch+json", BATCH_CLOUDEVENTS },
    };
    BatchForm form;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(batch_form_find(str_of(rows[i].type), &form));
        assert_int_equal(form, rows[i].form);
    }
    assert_true(batch_form_find(STR_NONE, &form));
    assert_false(batch_form_find(STR("text/plain"), &form));
    assert_false(batch_form_find(STR("application/jso"), &form));
    assert_false(batch_form_find(STR("application/cloudevents+xml"), &form));
}

static void one_object_is_single(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Batch batch = batch_fine(arena, BATCH_JSON, STR(" " ONE "\n"));
    assert_true(batch.single);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.refused, 0);
    assert_text(batch.events[0].unique_id, "1");
}

static void array_keeps_its_order_and_refuses_one_by_one(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    asked = 0;
    Batch batch = batch_fine(arena, BATCH_JSON, STR("[" ONE "," BAD ",5,null,[]," TWO "]"));
    assert_false(batch.single);
    assert_int_equal(batch.count, 6);
    assert_int_equal(batch.refused, 4);
    assert_text(batch.events[0].unique_id, "1");
    assert_int_equal(batch.events[1].refusal->code, ERR_UNKNOWN_METER);
    assert_text(batch.events[1].unique_id, "3");
    assert_int_equal(batch.events[2].refusal->code, ERR_FIELD_INVALID);
    assert_int_equal(batch.events[4].refusal->code, ERR_FIELD_INVALID);
    assert_null(batch.events[5].refusal);
    assert_text(batch.events[5].unique_id, "2");
    assert_int_equal(asked, 2);
}

static void empty_array_is_a_batch_of_nothing(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    assert_int_equal(batch_fine(arena, BATCH_JSON, STR("[]")).count, 0);
    assert_int_equal(batch_fine(arena, BATCH_CLOUDEVENTS, STR("[]")).count, 0);
    assert_int_equal(batch_fine(arena, BATCH_LINES, STR("")).count, 0);
    assert_int_equal(batch_fine(arena, BATCH_LINES, STR("\n \r\n\n")).count, 0);
}

static void scalar_is_one_rejected_event(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Batch batch = batch_fine(arena, BATCH_JSON, STR("\"text\""));
    assert_true(batch.single);
    assert_int_equal(batch.refused, 1);
}

static void whole_body_is_refused(void **state)
{
    (void)state;
    assert_refused(BATCH_JSON, STR(""), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("   "), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[" ONE "," ONE), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[" ONE ",]"), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR(ONE ONE), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[" ONE "] x"), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[{\"value\":NaN}]"), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[{\"value\":01}]"), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[{\"account\":\"\xff\"}]"), ERR_JSON_INVALID);
    assert_refused(BATCH_JSON, STR("[{\"a\":1,\"a\":1}]"), ERR_JSON_DUPLICATE_MEMBER);
    assert_refused(BATCH_JSON, STR("[{\"a\":1,\"\\u0061\":1}]"), ERR_JSON_DUPLICATE_MEMBER);
    assert_refused(BATCH_JSON, STR("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), ERR_JSON_TOO_DEEP);
}

static void forms_want_their_shape(void **state)
{
    (void)state;
    assert_refused(BATCH_CLOUDEVENT, STR("[" CE "]"), ERR_FIELD_INVALID);
    assert_refused(BATCH_CLOUDEVENTS, STR(CE), ERR_FIELD_INVALID);
    assert_refused(BATCH_ALIAS, STR("[]"), ERR_FIELD_INVALID);
    assert_refused(BATCH_ALIASES, STR("{}"), ERR_FIELD_INVALID);
}

static void lines_stand_alone(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Batch batch = batch_fine(arena, BATCH_LINES,
                             STR(ONE "\r\n\n{\"meter\":\n" BAD "\n["
                                 ONE "]\n{\"a\":1,\"a\":2}\n\xff\n"
                                 "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n" TWO));
    assert_int_equal(batch.count, 8);
    assert_int_equal(batch.refused, 6);
    assert_null(batch.events[0].refusal);
    assert_int_equal(batch.events[1].refusal->code, ERR_JSON_INVALID);
    assert_int_equal(batch.events[2].refusal->code, ERR_UNKNOWN_METER);
    assert_int_equal(batch.events[3].refusal->code, ERR_FIELD_INVALID);
    assert_int_equal(batch.events[4].refusal->code, ERR_JSON_DUPLICATE_MEMBER);
    assert_int_equal(batch.events[5].refusal->code, ERR_JSON_INVALID);
    assert_int_equal(batch.events[6].refusal->code, ERR_JSON_TOO_DEEP);
    assert_null(batch.events[7].refusal);
    assert_text(batch.events[0].unique_id, "1");
    assert_text(batch.events[7].unique_id, "2");
    assert_false(batch.single);
}

static Str repeated(Arena *arena, const char *before, const char *between, const char *after,
    int count)
{
    Text text = text_open(arena);
    text_add(&text, str_of(before));
    for (int i = 0; i < count; i++) {
        text_add(&text, i == 0 ? STR_NONE : str_of(between));
        text_add(&text, STR(ONE));
    }
    text_add(&text, str_of(after));
    return text_str(&text);
}

static void too_many_events(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    assert_int_equal(batch_fine(arena, BATCH_JSON, repeated(arena, "[", ",", "]", 100)).count, 100);
    assert_int_equal(batch_fine(arena, BATCH_LINES, repeated(arena, "", "\n", "\n", 100)).count,
        100);
    assert_refused(BATCH_JSON, repeated(arena, "[", ",", "]", 101), ERR_TOO_MANY_EVENTS);
    assert_refused(BATCH_LINES, repeated(arena, "", "\n", "", 101), ERR_TOO_MANY_EVENTS);
}

static void cloudevents(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Batch batch = batch_fine(arena, BATCH_CLOUDEVENT, STR(CE));
    assert_true(batch.single);
    assert_text(batch.events[0].unique_id, "s|1");
    batch = batch_fine(arena, BATCH_CLOUDEVENTS, STR("[" CE ",{}]"));
    assert_false(batch.single);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.refused, 1);
}

// The header names a single event only: a batch would give one id to all.
static void aliases(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Batch batch = batch_fine(arena, BATCH_ALIAS, STR(ALIAS));
    assert_true(batch.single);
    assert_null(batch.events[0].refusal);
    assert_text(batch.events[0].unique_id, "header");
    batch = batch_fine(arena, BATCH_ALIASES, STR("[" ALIAS ",{\"meter\":\"m\",\"tenantId\":\"a\","
        "\"idempotency_key\":\"k\"}]"));
    assert_false(batch.single);
    assert_int_equal(batch.events[0].refusal->code, ERR_FIELD_REQUIRED);
    assert_null(batch.events[1].refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_types),
        cmocka_unit_test(one_object_is_single),
        cmocka_unit_test(array_keeps_its_order_and_refuses_one_by_one),
        cmocka_unit_test(empty_array_is_a_batch_of_nothing),
        cmocka_unit_test(scalar_is_one_rejected_event),
        cmocka_unit_test(whole_body_is_refused),
        cmocka_unit_test(forms_want_their_shape),
        cmocka_unit_test(lines_stand_alone),
        cmocka_unit_test(too_many_events),
        cmocka_unit_test(cloudevents),
        cmocka_unit_test(aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
