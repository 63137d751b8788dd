// SPDX-License-Identifier: Apache-2.0
// Every rule of the wire contract about one measurement, a row each: what is taken and how it is
// understood, what is refused and with which code and pointer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "flow/ingest/measurement.h"
#include "flow/ingest/properties.h"

#define NOW_US INT64_C(1781100000000000)  // 2026-06-10T14:00:00Z

static int asked;

static bool event_known(void *context, Str event)
{
    (void)context;
    asked++;
    return str_equal(event, STR("m")) || str_equal(event, STR("compute.gpu_seconds"));
}

static bool account_known(void *context, Str account)
{
    (void)context;
    return str_equal(account, STR("a"));
}

static IngestRules rules_usual(void)
{
    return (IngestRules){ .project = STR("prj"), .key = { { 7 } }, .now = { NOW_US },
                          .future_us = INGEST_FUTURE_US, .events_max = INGEST_EVENTS_MAX,
                          .event_known = event_known };
}

static Event read_with(Arena *arena, const IngestRules *rules, Dialect dialect, const char *json)
{
    MeasurementNames  names = { 0 };
    MeasurementReader reader = { arena, rules, dialect, &names };
    Json             *root = NULL;
    Event             event = { .index = 3 };
    assert_null(json_parse_copy(arena, str_of(json), &root));
    measurement_read(&reader, root, &event);
    assert_int_equal(event.index, 3);
    return event;
}

static Event read_usual(Arena *arena, Dialect dialect, const char *json)
{
    IngestRules rules = rules_usual();
    return read_with(arena, &rules, dialect, json);
}

static void assert_text(Str text, const char *expected)
{
    AUTO(Arena) arena = arena_open();
    assert_string_equal(str_terminated(arena, text), expected);
}

static void assert_accepted(const Event *event)
{
    if (event->refusal != NULL)
        fail_msg("refused: %s: %.*s", err_name(event->refusal->code),
                 STR_ARG(event->refusal->detail));
}

static void seed_event_is_read(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Event event = read_usual(arena, DIALECT_TOLL,
        "{\"meter\":\"compute.gpu_seconds\",\"account\":\"acct_meridian\",\"value\":4815,"
        "\"ts\":\"2026-06-10T14:02:11Z\",\"uniqueId\":\"evt_8f3a\","
        "\"properties\":{\"region\":\"eu-1\"}}");
    assert_accepted(&event);
    assert_text(event.event, "compute.gpu_seconds");
    assert_text(event.account, "acct_meridian");
    assert_text(event.unique_id, "evt_8f3a");
    assert_true(event.value.e12 == decimal_whole(4815).e12);
    assert_true(event.ts.us == NOW_US + 131 * INSTANT_SECOND_US);
    assert_true(event.ts_given);
    Property region;
    assert_true(properties_find(event.properties, STR("region"), &region));
    assert_text(region.text, "eu-1");

    Event same = event;
    HashKey key = { { 7 } };
    event_identify(&same, STR("prj"), &key);
    assert_true(hash_equal(same.id, event.id) && same.fingerprint == event.fingerprint);
}

static void value_and_ts_have_defaults(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Event event = read_usual(arena, DIALECT_TOLL, "{\"meter\":\"m\",\"account\":\"a\","
        "\"uniqueId\":\"u\"}");
    assert_accepted(&event);
    assert_true(event.value.e12 == decimal_whole(1).e12);
    assert_true(event.ts.us == NOW_US);
    assert_false(event.ts_given);
    assert_int_equal(event.properties.length, 0);
}

typedef struct Pair {
    const char *first, *second;
} Pair;

static Event read_members(Arena *arena, const char *members)
{
    Str json = str_print(arena, "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"u\"%s%s}",
                         members[0] == 0 ? "" : ",", members);
    return read_usual(arena, DIALECT_TOLL, str_terminated(arena, json));
}

static void equal_meanings_have_one_fingerprint(void **state)
{
    (void)state;
    static const Pair rows[] = {
        { "\"value\":1", "" },
        { "\"value\":1", "\"value\":1.0" },
        { "\"value\":1", "\"value\":\"1.00\"" },
        { "\"value\":1", "\"value\":10e-1" },
        { "\"value\":0", "\"value\":-0" },
        { "\"value\":1000", "\"value\":1E3" },
        { "\"value\":0.000000000001", "\"value\":1e-12" },
        { "\"properties\":{}", "" },
        { "\"properties\":{\"a\":1,\"b\":2}", "\"properties\":{\"b\":2.0,\"a\":1}" },
        { "\"ts\":\"2026-06-10T14:00:00Z\"", "" },
        { "\"ts\":\"2026-06-10T14:00:00Z\"", "\"ts\":\"2026-06-10T16:00:00.000+02:00\"" },
        { "\"ts\":\"2026-06-10T14:00:00Z\"", "\"ts\":\"2026-06-10T13:00:00Z\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Event first = read_members(arena, rows[i].first);
        Event second = read_members(arena, rows[i].second);
        assert_accepted(&first);
        assert_accepted(&second);
        assert_true(first.fingerprint == second.fingerprint);
    }
}

static void different_meanings_have_other_fingerprints(void **state)
{
    (void)state;
    static const Pair rows[] = {
        { "\"value\":1", "\"value\":2" },
        { "\"value\":1", "\"value\":-1" },
        { "\"value\":1", "\"value\":1.000000000001" },
        { "\"properties\":{\"a\":1}", "" },
        { "\"properties\":{\"a\":1}", "\"properties\":{\"a\":\"1\"}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Event first = read_members(arena, rows[i].first);
        Event second = read_members(arena, rows[i].second);
        assert_accepted(&first);
        assert_accepted(&second);
        assert_true(first.fingerprint != second.fingerprint);
        assert_true(hash_equal(first.id, second.id));
    }
}

static void properties_never_reject_by_meaning(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "null", "\"\"", "true", "1e999999999999999999999999", "{\"deep\":[1,{\"x\":null}]}",
        "[]", "\"line\\nbreak \\u0000\"", "-0.0", "\"NaN\"",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Str   member = str_print(arena, "\"properties\":{\"p\":%s,\"\":1}", rows[i]);
        Event event = read_members(arena, str_terminated(arena, member));
        assert_accepted(&event);
    }
}

typedef struct RefusalRow {
    const char *json;
    ErrCode     code;
    const char *pointer;
} RefusalRow;

static void assert_refusals(Dialect dialect, const RefusalRow *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(Arena) arena = arena_open();
        Event event = read_usual(arena, dialect, rows[i].json);
        if (event.refusal == NULL)
            fail_msg("not refused: %s", rows[i].json);
        if (event.refusal->code != rows[i].code)
            fail_msg("%s instead of %s: %s", err_name(event.refusal->code), err_name(rows[i].code),
                     rows[i].json);
        assert_text(event.refusal->pointer, rows[i].pointer);
        assert_true(event.refusal->detail.length > 0);
    }
}
#define ASSERT_REFUSALS(dialect, rows) assert_refusals(dialect, rows, sizeof(rows) / sizeof *(rows))

#define BASE "\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"u\""
#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

static void toll_refusals(void **state)
{
    (void)state;
    static const RefusalRow rows[] = {
        { "5", ERR_FIELD_INVALID, "" },
        { "null", ERR_FIELD_INVALID, "" },
        { "[]", ERR_FIELD_INVALID, "" },
        { "\"text\"", ERR_FIELD_INVALID, "" },
        { "{}", ERR_FIELD_REQUIRED, "/meter" },
        { "{" BASE ",\"colour\":1}", ERR_UNKNOWN_MEMBER, "/colour" },
        { "{" BASE ",\"unique_id\":\"x\"}", ERR_UNKNOWN_MEMBER, "/unique_id" },
        { "{" BASE ",\"Value\":1}", ERR_UNKNOWN_MEMBER, "/Value" },
        { "{" BASE ",\"tenantId\":\"a\"}", ERR_UNKNOWN_MEMBER, "/tenantId" },
        { "{\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_REQUIRED, "/meter" },
        { "{\"meter\":\"m\",\"uniqueId\":\"u\"}", ERR_FIELD_REQUIRED, "/account" },
        { "{\"meter\":\"m\",\"account\":\"a\"}", ERR_FIELD_REQUIRED, "/uniqueId" },
        { "{\"meter\":\"other\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_UNKNOWN_METER,
            "/meter" },
        { "{\"meter\":\"\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/meter" },
        { "{\"meter\":\".m\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/meter" },
        { "{\"meter\":\"a b\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/meter" },
        { "{\"meter\":\"x" X128 "\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID,
            "/meter" },
        { "{\"meter\":1,\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/meter" },
        { "{\"meter\":\"m\",\"account\":\"\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/account" },
        { "{\"meter\":\"m\",\"account\":\"a\\n\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID,
            "/account" },
        { "{\"meter\":\"m\",\"account\":\"" X128 X128 "\",\"uniqueId\":\"u\"}", ERR_FIELD_INVALID,
            "/account" },
        { "{\"meter\":\"m\",\"account\":7,\"uniqueId\":\"u\"}", ERR_FIELD_INVALID, "/account" },
        { "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"\"}", ERR_FIELD_INVALID, "/uniqueId" },
        { "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":12}", ERR_FIELD_INVALID, "/uniqueId" },
        { "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":null}", ERR_FIELD_INVALID, "/uniqueId" },
        { "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"u\\u007f\"}", ERR_FIELD_INVALID,
            "/uniqueId" },
        { "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"" X128 X128 "\"}", ERR_FIELD_INVALID,
            "/uniqueId" },
        { "{" BASE ",\"value\":null}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":true}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":[1]}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"NaN\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"Infinity\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\" 1\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"+1\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"000.5\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"ten\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":\"0x10\"}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":1000000000000000}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":1e15}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":1e999999999999}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"value\":0.0000000000001}", ERR_INVALID_VALUE, "/value" },
        { "{" BASE ",\"ts\":null}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":1781100000}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":\"\"}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":\"2026-06-10\"}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":\"2026-06-10T14:00:00\"}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":\"2026-02-30T14:00:00Z\"}", ERR_INVALID_TIMESTAMP, "/ts" },
        { "{" BASE ",\"ts\":\"2026-06-10T14:05:00.000001Z\"}", ERR_TIMESTAMP_IN_FUTURE, "/ts" },
        { "{" BASE ",\"ts\":\"9999-12-31T23:59:59Z\"}", ERR_TIMESTAMP_IN_FUTURE, "/ts" },
        { "{" BASE ",\"properties\":[]}", ERR_FIELD_INVALID, "/properties" },
        { "{" BASE ",\"properties\":\"region\"}", ERR_FIELD_INVALID, "/properties" },
        { "{" BASE ",\"properties\":null}", ERR_FIELD_INVALID, "/properties" },
        { "{" BASE ",\"properties\":{\"x" X128 "\":1}}", ERR_FIELD_INVALID, "/properties/x"
            X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx" },
    };
    ASSERT_REFUSALS(DIALECT_TOLL, rows);
}

// What is at the limits is taken.
static void toll_limits_are_taken(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\""
        X128 X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx\"}",
        "{\"meter\":\"m\",\"account\":\"" X128 X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx\","
        "\"uniqueId\":\"u\"}",
        "{\"meter\":\"m\",\"account\":\"\xf0\x9f\x98\x80 \xc3\xa9\","
        "\"uniqueId\":\"\\ud83d\\ude00\"}",
        "{" BASE ",\"value\":999999999999999.999999999999}",
        "{" BASE ",\"value\":-999999999999999.999999999999}",
        "{" BASE ",\"ts\":\"2026-06-10T14:05:00Z\"}",
        "{" BASE ",\"ts\":\"0001-01-01T00:00:00Z\"}",
        "{" BASE ",\"ts\":\"2026-06-10t14:00:00.123456-00:00\"}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(Arena) arena = arena_open();
        Event event = read_usual(arena, DIALECT_TOLL, rows[i]);
        assert_accepted(&event);
    }
}

static void first_fault_in_precedence_is_told(void **state)
{
    (void)state;
    static const RefusalRow rows[] = {
        { "{\"meter\":\"no\",\"value\":null,\"ts\":1,\"colour\":2}", ERR_UNKNOWN_MEMBER, "/colour"
            },
        { "{\"meter\":\"no\",\"value\":null,\"ts\":1,\"account\":\"a\"}", ERR_FIELD_REQUIRED,
            "/uniqueId" },
        { "{\"meter\":\"no\",\"account\":\"a\",\"uniqueId\":\"u\",\"value\":null,\"ts\":1}",
          ERR_INVALID_VALUE, "/value" },
        { "{\"meter\":\"no\",\"account\":\"a\",\"uniqueId\":\"u\",\"ts\":1}",
            ERR_INVALID_TIMESTAMP, "/ts" },
        { "{\"meter\":\"no\",\"account\":\"a\",\"uniqueId\":\"u\"}", ERR_UNKNOWN_METER, "/meter" },
    };
    ASSERT_REFUSALS(DIALECT_TOLL, rows);
}

static void refused_event_keeps_its_valid_id(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Event event = read_usual(arena, DIALECT_TOLL, "{\"uniqueId\":\"evt_9\",\"meter\":\"no\","
        "\"account\":\"a\"}");
    assert_non_null(event.refusal);
    assert_text(event.unique_id, "evt_9");
    event = read_usual(arena, DIALECT_TOLL, "{\"uniqueId\":\"\\n\",\"meter\":\"m\","
        "\"account\":\"a\"}");
    assert_int_equal(event.unique_id.length, 0);
}

static void project_rules_are_checked(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IngestRules rules = rules_usual();
    rules.account_known = account_known;
    rules.horizon_us = 3600 * INSTANT_SECOND_US;
    Event event = read_with(arena, &rules, DIALECT_TOLL,
                            "{" BASE ",\"ts\":\"2026-06-10T13:00:00Z\"}");
    assert_accepted(&event);
    event = read_with(arena, &rules, DIALECT_TOLL, "{" BASE ","
        "\"ts\":\"2026-06-10T12:59:59.999999Z\"}");
    assert_int_equal(event.refusal->code, ERR_TIMESTAMP_TOO_OLD);
    assert_text(event.refusal->pointer, "/ts");
    event = read_with(arena, &rules, DIALECT_TOLL,
                      "{\"meter\":\"m\",\"account\":\"b\",\"uniqueId\":\"u\"}");
    assert_int_equal(event.refusal->code, ERR_UNKNOWN_ACCOUNT);
    assert_text(event.refusal->pointer, "/account");
}

static void limits_can_be_set(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IngestRules rules = rules_usual();
    rules.properties = (PropertyLimits){ .count = 1, .key_bytes = 2, .text_bytes = 3 };
    Event event = read_with(arena, &rules, DIALECT_TOLL, "{" BASE ",\"properties\":{\"ab\":123}}");
    assert_accepted(&event);
    event = read_with(arena, &rules, DIALECT_TOLL, "{" BASE ",\"properties\":{\"a\":1,\"b\":1}}");
    assert_int_equal(event.refusal->code, ERR_TOO_MANY_PROPERTIES);
    event = read_with(arena, &rules, DIALECT_TOLL, "{" BASE ",\"properties\":{\"abc\":1}}");
    assert_int_equal(event.refusal->code, ERR_FIELD_INVALID);
    event = read_with(arena, &rules, DIALECT_TOLL, "{" BASE ",\"properties\":{\"a\":1234}}");
    assert_int_equal(event.refusal->code, ERR_FIELD_INVALID);
}

static void names_are_asked_for_once(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IngestRules       rules = rules_usual();
    MeasurementNames  names = { 0 };
    MeasurementReader reader = { arena, &rules, DIALECT_TOLL, &names };
    Json             *root = NULL;
    Event             event = { 0 };
    assert_null(json_parse_copy(arena, STR("{" BASE "}"), &root));
    asked = 0;
    for (int i = 0; i < 10; i++)
        measurement_read(&reader, root, &event);
    assert_int_equal(asked, 1);
    assert_accepted(&event);
}

static void aliases_are_read(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"meter\":\"m\",\"tenantId\":\"a\",\"idempotency_key\":\"u\",\"quantity\":5}",
        "{\"meter\":\"m\",\"account\":\"a\",\"idempotency_key\":\"u\",\"value\":\"5.0\"}",
        "{\"meter\":\"m\",\"account\":\"a\",\"uniqueId\":\"u\",\"value\":5,\"properties\":{}}",
    };
    AUTO(Arena) arena = arena_open();
    Event first = read_usual(arena, DIALECT_ALIAS, rows[0]);
    assert_accepted(&first);
    assert_true(first.value.e12 == decimal_whole(5).e12);
    for (size_t i = 1; i < sizeof rows / sizeof *rows; i++) {
        Event event = read_usual(arena, DIALECT_ALIAS, rows[i]);
        assert_accepted(&event);
        assert_true(hash_equal(event.id, first.id) && event.fingerprint == first.fingerprint);
    }
    Event toll = read_usual(arena, DIALECT_TOLL, "{" BASE ",\"value\":5}");
    assert_true(hash_equal(toll.id, first.id) && toll.fingerprint == first.fingerprint);
}

static void alias_refusals(void **state)
{
    (void)state;
    static const RefusalRow rows[] = {
        { "{\"meter\":\"m\",\"tenantId\":\"a\",\"account\":\"a\",\"idempotency_key\":\"u\"}",
            ERR_FIELD_INVALID, "/account" },
        { "{\"meter\":\"m\",\"tenantId\":\"a\",\"idempotency_key\":\"u\",\"value\":1,"
            "\"quantity\":1}", ERR_FIELD_INVALID, "/quantity" },
        { "{\"meter\":\"m\",\"tenantId\":\"a\"}", ERR_FIELD_REQUIRED, "/idempotency_key" },
        { "{\"meter\":\"m\",\"idempotency_key\":\"u\"}", ERR_FIELD_REQUIRED, "/tenantId" },
        { "{\"meter\":\"m\",\"tenantId\":\"a\",\"idempotency_key\":\"u\",\"quantity\":\"x\"}",
            ERR_INVALID_VALUE, "/quantity" },
        { "{\"meter\":\"m\",\"tenantId\":\"a\",\"idempotency_key\":\"u\",\"amount\":1}",
            ERR_UNKNOWN_MEMBER, "/amount" },
    };
    ASSERT_REFUSALS(DIALECT_ALIAS, rows);
}

static void header_is_the_id_of_an_alias_without_one(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    IngestRules rules = rules_usual();
    rules.header_key = STR("from header");
    Event event = read_with(arena, &rules, DIALECT_ALIAS, "{\"meter\":\"m\",\"tenantId\":\"a\"}");
    assert_accepted(&event);
    assert_text(event.unique_id, "from header");
    event = read_with(arena, &rules, DIALECT_ALIAS, "{\"meter\":\"m\",\"tenantId\":\"a\","
        "\"idempotency_key\":\"u\"}");
    assert_text(event.unique_id, "u");
    rules.header_key = STR("\xff");
    event = read_with(arena, &rules, DIALECT_ALIAS, "{\"meter\":\"m\",\"tenantId\":\"a\"}");
    assert_int_equal(event.refusal->code, ERR_FIELD_INVALID);
    event = read_with(arena, &rules, DIALECT_TOLL, "{\"meter\":\"m\",\"account\":\"a\"}");
    assert_int_equal(event.refusal->code, ERR_FIELD_REQUIRED);
}

#define CE "\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"/s\",\"id\":\"1\",\"subject\":\"a\""

static void cloudevents_are_read(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Event event = read_usual(arena, DIALECT_CLOUDEVENT,
        "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"https://a.b/c d|~_-\",\"id\":\"x|y\","
        "\"subject\":\"a\","
        "\"time\":\"2026-06-10T13:00:00Z\",\"traceparent\":\"00-1\","
        "\"datacontenttype\":\"application/json\","
        "\"data\":{\"value\":\"2.5\",\"region\":\"eu\",\"n\":1.0}}");
    assert_accepted(&event);
    assert_text(event.unique_id, "https%3A%2F%2Fa.b%2Fc%20d%7C~_-|x|y");
    assert_text(event.event, "m");
    assert_text(event.account, "a");
    assert_true(event.value.e12 == INT64_C(2500000000000));
    assert_true(event.ts_given && event.ts.us == NOW_US - 3600 * INSTANT_SECOND_US);
    Property property;
    assert_true(properties_find(event.properties, STR("region"), &property));
    assert_true(properties_find(event.properties, STR("n"), &property));
    assert_text(property.text, "1");
    assert_false(properties_find(event.properties, STR("value"), &property));
}

// Attributes that are null are absent; data may be absent; a source "a-b" with id "c" is not "a"
// with "b-c".
static void cloudevents_may_leave_out(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{" CE "}", "{" CE ",\"data\":null}", "{" CE ",\"data\":{}}", "{" CE ",\"time\":null}",
        "{" CE ",\"data\":{\"value\":1},\"ext\":null,\"dataschema\":\"x\"}",
    };
    AUTO(Arena) arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Event event = read_usual(arena, DIALECT_CLOUDEVENT, rows[i]);
        assert_accepted(&event);
        assert_text(event.unique_id, "%2Fs|1");
        assert_true(event.value.e12 == decimal_whole(1).e12);
        assert_int_equal(event.properties.length, 0);
        assert_false(event.ts_given);
    }
}

static void cloudevent_refusals(void **state)
{
    (void)state;
    static const RefusalRow rows[] = {
        { "{}", ERR_FIELD_REQUIRED, "/type" },
        { "{\"type\":\"m\",\"source\":\"/s\",\"id\":\"1\",\"subject\":\"a\"}", ERR_FIELD_REQUIRED,
            "/specversion" },
        { "{\"specversion\":\"0.3\",\"type\":\"m\",\"source\":\"/s\",\"id\":\"1\","
            "\"subject\":\"a\"}", ERR_FIELD_INVALID, "/specversion" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"id\":\"1\",\"subject\":\"a\"}",
            ERR_FIELD_REQUIRED, "/source" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"\",\"id\":\"1\","
            "\"subject\":\"a\"}", ERR_FIELD_INVALID, "/source" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"/s\",\"subject\":\"a\"}",
            ERR_FIELD_REQUIRED, "/id" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"/s\",\"id\":\"\","
            "\"subject\":\"a\"}", ERR_FIELD_INVALID, "/id" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"/s\",\"id\":\"1\"}",
            ERR_FIELD_REQUIRED, "/subject" },
        { "{\"specversion\":\"1.0\",\"type\":\"m\",\"source\":\"" X128 "/\",\"id\":\""
            X128 "\",\"subject\":\"a\"}", ERR_FIELD_INVALID, "/id" },
        { "{\"specversion\":\"1.0\",\"type\":\"n\",\"source\":\"/s\",\"id\":\"1\","
            "\"subject\":\"a\"}", ERR_UNKNOWN_METER, "/type" },
        { "{" CE ",\"data\":\"text\"}", ERR_FIELD_INVALID, "/data" },
        { "{" CE ",\"data\":[1]}", ERR_FIELD_INVALID, "/data" },
        { "{" CE ",\"data_base64\":\"AA==\"}", ERR_FIELD_INVALID, "/data_base64" },
        { "{" CE ",\"data\":{\"value\":null}}", ERR_INVALID_VALUE, "/data/value" },
        { "{" CE ",\"data\":{\"value\":\"x\"}}", ERR_INVALID_VALUE, "/data/value" },
        { "{" CE ",\"data\":{\"x" X128 "\":1}}", ERR_FIELD_INVALID, "/data/x"
            X16 X16 X16 X16 X16 X16 X16 "xxxxxxxxxxxxxxx" },
        { "{" CE ",\"time\":\"yesterday\"}", ERR_INVALID_TIMESTAMP, "/time" },
    };
    ASSERT_REFUSALS(DIALECT_CLOUDEVENT, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_event_is_read),
        cmocka_unit_test(value_and_ts_have_defaults),
        cmocka_unit_test(equal_meanings_have_one_fingerprint),
        cmocka_unit_test(different_meanings_have_other_fingerprints),
        cmocka_unit_test(properties_never_reject_by_meaning),
        cmocka_unit_test(toll_refusals),
        cmocka_unit_test(toll_limits_are_taken),
        cmocka_unit_test(first_fault_in_precedence_is_told),
        cmocka_unit_test(refused_event_keeps_its_valid_id),
        cmocka_unit_test(project_rules_are_checked),
        cmocka_unit_test(limits_can_be_set),
        cmocka_unit_test(names_are_asked_for_once),
        cmocka_unit_test(aliases_are_read),
        cmocka_unit_test(alias_refusals),
        cmocka_unit_test(header_is_the_id_of_an_alias_without_one),
        cmocka_unit_test(cloudevents_are_read),
        cmocka_unit_test(cloudevents_may_leave_out),
        cmocka_unit_test(cloudevent_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
