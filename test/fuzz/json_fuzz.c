// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: never a wild read, and what is taken can be written and read again as the same
// text. What stands behind the text must not matter.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static Json *parse(Arena *arena, JsonParser *parser, Str text, char behind)
{
    Json *root = NULL;
    char *padded = arena_take(arena, text.length + JSON_PADDING);
    memset(padded, behind, text.length + JSON_PADDING);
    if (text.length > 0)
        memcpy(padded, text.at, text.length);
    Str  copy = { padded, text.length };
    Err *refusal = json_parse(parser, arena, copy, (JsonLimits){ 16 }, &root);
    assert_that((refusal == NULL) == (root != NULL));
    return root;
}

static Str print(Arena *arena, const Json *root)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_value(&out, root);
    return text_str(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    AUTO(Arena) arena = arena_open();
    JsonParser *parser = json_parser_open();
    Str         text = { (const char *)input, size };
    Json       *root = parse(arena, parser, text, 0);
    Json       *other = parse(arena, parser, text, '"');
    assert_that((root == NULL) == (other == NULL));
    if (root != NULL) {
        assert_that(str_is_utf8(text));
        Str   printed = print(arena, root);
        Json *again = parse(arena, parser, printed, ']');
        assert_that(again != NULL && str_equal(print(arena, again), printed));
        assert_that(str_equal(print(arena, other), printed));
    }
    json_parser_close(parser);
    return 0;
}
