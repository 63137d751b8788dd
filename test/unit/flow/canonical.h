// Properties of test events, written straight in their canonical form (flow/ingest/event.h).
#pragma once

#include "base/bytes.h"
#include "flow/ingest/event.h"

// The properties must be in ascending order of key.
static inline Str canonical_of(Arena *arena, const Property *properties, size_t count)
{
    Text text = text_open(arena);
    if (count == 0)
        return STR_NONE;
    text_add_varint(&text, count);
    for (size_t i = 0; i < count; i++) {
        text_add_counted(&text, properties[i].key);
        text_add_char(&text, (char)properties[i].kind);
        text_add_counted(&text, properties[i].text);
    }
    return text_str(&text);
}
