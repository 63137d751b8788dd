// SPDX-License-Identifier: Apache-2.0
#include "api/server.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/clock.h"

static Str bearer_of(const Request *request)
{
    Str header = request_header(request, "Authorization");
    if (header.length < 7 || strncasecmp(header.at, "Bearer ", 7) != 0)
        return STR_NONE;
    Str token = { header.at + 7, header.length - 7 };
    while (token.length > 0 && token.at[0] == ' ')
        token = (Str){ token.at + 1, token.length - 1 };
    while (token.length > 0 && token.at[token.length - 1] == ' ')
        token.length--;
    return token;
}

Err *server_authorize(void *context, Request *request, const char *scope)
{
    Server    *server = context;
    Principal *principal = arena_new(request->arena, Principal);
    Scope      needed;
    assert_that(scope_find(str_of(scope), &needed));
    TRY(catalog_authenticate(server->catalog, request->arena, bearer_of(request),
                             (Instant){ clock_now_us() }, principal));
    if (!scope_held(principal->scopes, needed))
        return refuse(request->arena, ERR_FORBIDDEN, STR_NONE, "the key lacks the scope %s", scope);
    request->principal = principal;
    return NULL;
}

Err *server_forward(Request *request, Response *response)
{
    return forward_begin(server_of(request)->forwarder, request, response);
}

// "7" with its quotes -> 7. A tag that no row ever had matches none.
static Err *version_of(const Request *request, Str tag, int64_t *version)
{
    uint64_t number;
    bool     is_quoted = tag.length > 2 && tag.at[0] == '"' && tag.at[tag.length - 1] == '"';
    Str      digits = is_quoted ? (Str){ tag.at + 1, tag.length - 2 } : STR_NONE;
    if (!str_whole(digits, INT64_MAX, &number) || number == 0)
        return refuse(request->arena, ERR_PRECONDITION_FAILED, STR_NONE,
                      "If-Match holds no entity tag of this object");
    *version = (int64_t)number;
    return NULL;
}

Err *server_change(const Request *request, CatalogChange *change)
{
    int64_t expected = EXPECT_ANY;
    Str     match = request_header(request, "If-Match");
    if (match.length > 0 && !str_equal(match, STR("*")))
        TRY(version_of(request, match, &expected));
    if (str_equal(request_header(request, "If-None-Match"), STR("*")))
        expected = EXPECT_ABSENT;
    *change = (CatalogChange){ .catalog = server_of(request)->catalog,
                               .arena = request->arena,
                               .by = principal_of(request),
                               .now = now_of(request),
                               .expected = expected };
    return NULL;
}
