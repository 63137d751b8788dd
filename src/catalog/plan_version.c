// SPDX-License-Identifier: Apache-2.0
#include "catalog/plan_version.h"

void plan_version_to_json(const PlanVersion *version, JsonOut *out)
{
    AUTO(Arena) arena = arena_open();
    json_object(out);
    json_string_member(out, "id", version->plan);
    if (version->published)
        json_whole_member(out, "number", version->number);
    else
        json_null_member(out, "number");
    json_bool_member(out, "published", version->published);
    json_string_member(out, "currency", version->currency);
    if (version->published) {
        json_string_member(out, "effectiveFrom", instant_print(arena, version->effective_from));
        json_string_member(out, "publishedAt", instant_print(arena, version->published_at));
    } else {
        json_null_member(out, "effectiveFrom");
        json_null_member(out, "publishedAt");
    }
    json_raw_member(out, "document", version->document);
    json_object_end(out);
}
