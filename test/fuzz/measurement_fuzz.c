// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request body in any form: never a wild read, and every event that is taken keeps
// the promises of its header: limits, canonical properties, a block that gives it back. The first
// byte chooses the form, the rest is the body.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "flow/ingest/batch.h"
#include "flow/ingest/event_block.h"
#include "flow/ingest/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static bool event_known(void *context, Str event)
{
    (void)context;
    return event.at[0] != 'z';
}

static void properties_check(Arena *arena, Str canonical)
{
    Property property;
    Str      before = STR_NONE;
    size_t   count = 0;
    for (size_t offset = 0; properties_next(canonical, &offset, &property); count++) {
        assert_that(count == 0 || str_compare(before, property.key) < 0);
        assert_that(property.key.length <= PROPERTY_LIMITS.key_bytes);
        assert_that(property.text.length <= PROPERTY_LIMITS.text_bytes);
        before = property.key;
    }
    assert_that(count <= PROPERTY_LIMITS.count && (count > 0) == (canonical.length > 0));

    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    Json   *root = NULL;
    Str     again = STR_NONE;
    properties_to_json(canonical, &out);
    assert_that(json_parse_copy(arena, text_str(&text), &root) == NULL);
    PropertySource source = { root, STR_NONE, STR("/properties"), PROPERTY_LIMITS };
    assert_that(properties_from_json(arena, source, &again) == NULL);
    assert_that(str_equal(again, canonical));
}

static void block_check(Arena *arena, const Event *event)
{
    BlockRow  row = { 1, event->unique_id, event->value, event->ts, { 1781100000000000 },
                      event->ts_given, event->properties };
    BlockRow *back = NULL;
    size_t    count = 0;
    Text      block = text_open(arena);
    event_block_encode(&row, 1, &block);
    assert_that(event_block_decode(arena, text_str(&block), &back, &count) == NULL && count == 1);
    assert_that(str_equal(back->unique_id, row.unique_id) && back->value.e12 == row.value.e12);
    assert_that(back->ts.us == row.ts.us && str_equal(back->properties, row.properties));
}

static void event_check(Arena *arena, const Event *event)
{
    assert_that(event->unique_id.length <= EVENT_ID_BYTES && str_is_utf8(event->unique_id));
    assert_that(!str_has_control(event->unique_id));
    if (event->refusal != NULL) {
        assert_that(str_is_utf8(event->refusal->pointer) && str_is_utf8(event->refusal->detail));
        return;
    }
    assert_that(event->unique_id.length >= 1 && event->account.length >= 1);
    assert_that(event->event.length >= 1 && event->event.length <= EVENT_NAME_BYTES);
    properties_check(arena, event->properties);
    block_check(arena, event);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(Arena) arena = arena_open();
    IngestRules rules = { .project = STR("prj"), .now = { 1781100000000000 },
                          .future_us = INGEST_FUTURE_US, .events_max = 1000,
                          .event_known = event_known };
    JsonParser *parser = json_parser_open();
    char       *padded = arena_take(arena, size - 1 + JSON_PADDING);
    memcpy(padded, input + 1, size - 1);
    BatchSource source = { parser, arena, (BatchForm)(input[0] % 6), { padded, size - 1 } };
    Batch batch;
    if (batch_read(&source, &rules, &batch) == NULL)
        for (size_t i = 0; i < batch.count; i++)
            event_check(arena, &batch.events[i]);

    // The same bytes as a sealed block.
    BlockRow *rows = NULL;
    size_t    count = 0;
    if (event_block_decode(arena, (Str){ padded, size - 1 }, &rows, &count) == NULL)
        for (size_t i = 0; i < count; i++)
            assert_that(rows[i].unique_id.length >= 1 && rows[i].unique_id.length <= 255);
    json_parser_close(parser);
    return 0;
}
