// SPDX-License-Identifier: Apache-2.0
// The form of a record: written here, read here, nowhere else.
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/journal_inside.h"

enum { AT_CHECK = 88 };
static const char MAGIC[8] = { 'T', 'o', 'l', 'l', 'J', 'r', 'n', '1' };

static uint64_t header_check(const unsigned char *header)
{
    return XXH3_64bits(header, AT_CHECK);
}

static void sum_begin(XXH3_state_t *sum, const unsigned char *header)
{
    XXH3_128bits_reset(sum);
    XXH3_128bits_update(sum, header, JOURNAL_AT_CHECKSUM);
}

static void sum_end(const XXH3_state_t *sum, unsigned char out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(sum));
    memcpy(out, canonical.digest, 16);
}

bool journal__header_read(const unsigned char *at, JournalHeader *header)
{
    if (memcmp(at, MAGIC, sizeof MAGIC) != 0 || bytes_u64_be(at + AT_CHECK) != header_check(at))
        return false;
    *header = (JournalHeader){
        .version = bytes_u32_be(at + 8), .partition = bytes_u32_be(at + 12),
        .identity = bytes_u64_be(at + 16), .number = bytes_u64_be(at + 24),
        .first = bytes_u64_be(at + 32), .next = bytes_u64_be(at + 40),
        .length = bytes_u64_be(at + 48), .previous = at + 56, .checksum = at + JOURNAL_AT_CHECKSUM,
    };
    return true;
}

void journal__header_write(const Journal *journal, const JournalHeader *header, const Str *parts,
                           size_t count, unsigned char at[JOURNAL_HEADER])
{
    memcpy(at, MAGIC, sizeof MAGIC);
    bytes_put_u32_be(at + 8, header->version);
    bytes_put_u32_be(at + 12, header->partition);
    bytes_put_u64_be(at + 16, header->identity);
    bytes_put_u64_be(at + 24, header->number);
    bytes_put_u64_be(at + 32, header->first);
    bytes_put_u64_be(at + 40, header->next);
    bytes_put_u64_be(at + 48, header->length);
    memcpy(at + 56, header->previous, 16);
    sum_begin(journal->sum, at);
    for (size_t i = 0; i < count; i++)
        XXH3_128bits_update(journal->sum, parts[i].at, parts[i].length);
    sum_end(journal->sum, at + JOURNAL_AT_CHECKSUM);
    bytes_put_u64_be(at + AT_CHECK, header_check(at));
}

bool journal__record_valid(Journal *journal, const unsigned char *at, uint64_t left,
                           JournalHeader *header)
{
    unsigned char sum[16];
    if (left < JOURNAL_HEADER || !journal__header_read(at, header)
        || header->length > left - JOURNAL_HEADER)
        return false;
    if (header->partition != journal->partition || header->version != JOURNAL_VERSION)
        return false;
    if (journal->identity != 0 && header->identity != journal->identity)
        return false;
    sum_begin(journal->sum, at);
    XXH3_128bits_update(journal->sum, at + JOURNAL_HEADER, (size_t)header->length);
    sum_end(journal->sum, sum);
    return memcmp(sum, header->checksum, sizeof sum) == 0;
}

// The oldest record that is left has nothing before it to be compared with.
bool journal__record_follows(const Journal *journal, const JournalHeader *header)
{
    if (header->first > header->next)
        return false;
    if (journal->number == 0)
        return header->number > 0;
    return header->number == journal->number + 1 && header->first == journal->next
           && memcmp(header->previous, journal->last_sum, 16) == 0;
}

void journal__record_accept(Journal *journal, Segment *segment, const JournalHeader *header)
{
    assert_that(journal__record_follows(journal, header));
    journal->identity = header->identity;
    journal->number = header->number;
    journal->next = header->next;
    memcpy(journal->last_sum, header->checksum, 16);
    // A record without sequences at `next` stands behind the seal that ends there.
    uint64_t until = header->first == header->next ? header->next + 1 : header->next;
    segment->keep_until = until > segment->keep_until ? until : segment->keep_until;
    segment->holds_records = true;
}
