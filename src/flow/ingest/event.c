// SPDX-License-Identifier: Apache-2.0
// The canonical bytes of an event and what is computed from them. Every variable part is counted,
// so that no two different events have the same bytes ("a-b" + "c" is not "a" + "b-c").
//
//   identity  counted project, counted unique_id
//   content   version byte, counted event, counted account, value as int128, counted properties
//   digest    content, counted unique_id, ts as 8 bytes big-endian
#include "flow/ingest/event.h"

#include "base/assert.h"
#include "base/bytes.h"

const char *outcome_name(Outcome outcome)
{
    static const char *const names[OUTCOME_COUNT] = {
        [OUTCOME_ACCEPTED] = "accepted",
        [OUTCOME_DUPLICATE] = "duplicate",
        [OUTCOME_CONFLICT] = "conflict",
        [OUTCOME_REJECTED] = "rejected",
    };
    assert_that(outcome < OUTCOME_COUNT);
    return names[outcome];
}

bool properties_next(Str canonical, size_t *offset, Property *property)
{
    if (*offset >= canonical.length)
        return false;
    Reader reader = reader_of((Str){ canonical.at + *offset, canonical.length - *offset });
    if (*offset == 0)
        reader_varint(&reader);
    Str     key = reader_counted(&reader);
    uint8_t kind = reader_u8(&reader);
    Str     text = reader_counted(&reader);
    if (reader.failed)
        return false;
    *property = (Property){ key, (PropertyKind)kind, text };
    *offset = canonical.length - reader_left(&reader);
    return true;
}

bool properties_find(Str canonical, Str key, Property *found)
{
    Property property;
    for (size_t offset = 0; properties_next(canonical, &offset, &property);) {
        int order = str_compare(property.key, key);
        if (order == 0)
            *found = property;
        if (order >= 0)
            return order == 0;
    }
    return false;
}

// Writes into a buffer that was made large enough.
static unsigned char *counted(unsigned char *at, Str part)
{
    at += bytes_put_varint(at, part.length);
    if (part.length > 0)
        memcpy(at, part.at, part.length);
    return at + part.length;
}

static unsigned char *int128(unsigned char *at, Int128 value)
{
    Uint128 rest = ((Uint128)value << 1) ^ (Uint128)(value >> 127);
    while (rest >= 0x80) {
        *at++ = (unsigned char)(rest | 0x80);
        rest >>= 7;
    }
    *at++ = (unsigned char)rest;
    return at;
}

enum { INT128_BYTES = 19, CANONICAL_USUAL = 1024 };

static Hash128 identity(const Event *event, Str project, const HashKey *key, unsigned char *buffer)
{
    unsigned char *end = counted(counted(buffer, project), event->unique_id);
    return hash_keyed(key, (Str){ (const char *)buffer, (size_t)(end - buffer) });
}

static unsigned char *content(unsigned char *at, const Event *event)
{
    *at++ = EVENT_FORM_VERSION;
    at = counted(at, event->event);
    at = counted(at, event->account);
    at = int128(at, event->value.e12);
    return counted(at, event->properties);
}

Hash128 event_id(Str project, Str unique_id, const HashKey *key)
{
    unsigned char buffer[CANONICAL_USUAL];
    const Event   event = { .unique_id = unique_id };
    assert_that(project.length + unique_id.length + 2 * VARINT_MAX <= sizeof buffer);
    return identity(&event, project, key, buffer);
}

void event_identify(Event *event, Str project, const HashKey *key)
{
    unsigned char  usual[CANONICAL_USUAL];
    unsigned char *buffer = usual;
    size_t         most =
        1 + 5 * VARINT_MAX + INT128_BYTES + 8 + project.length + event->event.length +
                  event->account.length + event->properties.length + event->unique_id.length;
    if (most > sizeof usual)
        buffer = memory_take(most);

    event->id = identity(event, project, key, buffer);
    unsigned char *end = content(buffer, event);
    event->fingerprint = hash_keyed(key, (Str){ (const char *)buffer, (size_t)(end - buffer) }).low;
    end = counted(end, event->unique_id);
    bytes_put_u64_be(end, (uint64_t)event->ts.us);
    end += 8;
    event->digest = digest_of((Str){ (const char *)buffer, (size_t)(end - buffer) });

    if (buffer != usual)
        memory_release(buffer);
}
