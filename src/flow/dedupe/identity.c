// SPDX-License-Identifier: Apache-2.0
// The rule of "same event", in one place for the sequencer, for replays and for probes of sealed
// ids.
#include "flow/dedupe/identity.h"

#include "base/bytes.h"

Outcome identity_compare(const Identity *stored, const Event *sent)
{
    if (stored->fingerprint != sent->fingerprint)
        return OUTCOME_CONFLICT;
    if (stored->ts_given && sent->ts_given && stored->ts.us != sent->ts.us)
        return OUTCOME_CONFLICT;
    return OUTCOME_DUPLICATE;
}

void identity_write(const Identity *identity, Text *value)
{
    unsigned char fingerprint[8];
    bytes_put_u64_be(fingerprint, identity->fingerprint);
    text_add_varint(value, identity->sequence);
    text_add_bytes(value, fingerprint, sizeof fingerprint);
    text_add_char(value, identity->ts_given ? 1 : 0);
    text_add_signed(value, identity->ts.us);
    text_add_varint(value, identity->event);
    text_add_varint(value, identity->account);
}

bool identity_read(Str value, Identity *identity)
{
    Reader reader = reader_of(value);
    identity->sequence = reader_varint(&reader);
    Str fingerprint = reader_bytes(&reader, 8);
    identity->fingerprint = fingerprint.at == NULL ? 0 : bytes_u64_be(fingerprint.at);
    identity->ts_given = reader_u8(&reader) == 1;
    identity->ts.us = reader_signed(&reader);
    identity->event = (uint32_t)reader_varint(&reader);
    identity->account = (uint32_t)reader_varint(&reader);
    return reader_done(&reader) && identity->sequence > 0;
}
