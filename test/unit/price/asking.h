// What the tests of price share: a request in, parts of the answer by JSON pointer.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "price/rate_request.h"

static Arena *arena;

static inline int arena_begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static inline int arena_end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

#define test_of(function) cmocka_unit_test_setup_teardown(function, arena_begin, arena_end)

static inline Json *json_of(Str text)
{
    Json *root = NULL;
    Err  *err = json_parse_copy(arena, text, &root);
    if (err != NULL)
        fail_msg("not JSON: %.*s in %.*s", STR_ARG(err->detail), STR_ARG(text));
    return root;
}

// The value at a pointer without escapes: "/lines/0/amount". NULL: there is none.
static inline const Json *at(const Json *json, const char *pointer)
{
    Str rest = str_of(pointer + 1);
    while (json != NULL && rest.length > 0) {
        Str      name = str_cut(&rest, '/');
        uint64_t index;
        if (json->kind == JSON_ARRAY && str_whole(name, 1000000, &index)) {
            json = json->first;
            while (json != NULL && index-- > 0)
                json = json->next;
        } else {
            json = json_find(json, name);
        }
    }
    return json;
}

#define assert_at(json, pointer, wanted)                                                           \
    do {                                                                                           \
        const Json *value_ = at((json), (pointer));                                                \
        assert_non_null(value_);                                                                   \
        assert_string_equal(str_terminated(arena, value_->text), (wanted));                        \
    } while (0)

static inline Err *try_rate(Str request, Text *out)
{
    return rate_request(arena, json_of(request), out);
}

// A request of June 2026 in UTC; `plan` and `more` are JSON, `more` begins with a comma or is
// empty.
static inline Str request_text(const char *plan, const char *usage, const char *more)
{
    return str_print(arena,
                     "{\"plan\":%s,\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":"
                     "\"2026-07-01T00:00:00Z\"},\"usage\":%s%s}",
                     plan, usage, more);
}

static inline const Json *rate_text(Str request)
{
    Text out = text_open(arena);
    Err *err = try_rate(request, &out);
    if (err != NULL)
        fail_msg("%s at %.*s: %.*s", err_name(err->code), STR_ARG(err->pointer),
                 STR_ARG(err->detail));
    return json_of(text_str(&out));
}

static inline const Json *rate(const char *plan, const char *usage, const char *more)
{
    return rate_text(request_text(plan, usage, more));
}

// A plan in USD of these charges; `more` as above.
static inline char *plan_of(const char *charges, const char *more)
{
    return str_terminated(
        arena, str_print(arena, "{\"currency\":\"USD\",\"charges\":[%s]%s}", charges, more));
}
