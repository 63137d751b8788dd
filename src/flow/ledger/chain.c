// SPDX-License-Identifier: Apache-2.0
#include "flow/ledger/chain.h"

#include "base/bytes.h"

enum { HASH_BYTES = 32 };

Digest chain_next(Arena *arena, const Digest *before, int64_t position, Str content)
{
    unsigned char hash[HASH_BYTES];
    Text          form = text_open(arena);
    digest_write(before, hash);
    text_add_counted(&form, (Str){ (const char *)hash, sizeof hash });
    text_add_signed(&form, position);
    text_add_counted(&form, content);
    return digest_of(text_str(&form));
}

Digest chain_hash_read(Str bytes)
{
    if (bytes.length != HASH_BYTES)
        return (Digest){ 0 };
    return digest_read((const unsigned char *)bytes.at);
}

int64_t chain_day(Instant at)
{
    int64_t day = at.us / INSTANT_DAY_US;
    return at.us % INSTANT_DAY_US < 0 ? day - 1 : day;
}
