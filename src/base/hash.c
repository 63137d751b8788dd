// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <sodium.h>
#include <xxhash.h>

#include "base/bytes.h"

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == sizeof(HashKey), "SipHash key");
_Static_assert(crypto_shorthash_siphashx24_BYTES == 16, "SipHash-2-4-128");

Hash128 hash_keyed(const HashKey *key, Str bytes)
{
    unsigned char out[16];
    crypto_shorthash_siphashx24(out, (const unsigned char *)bytes.at, bytes.length, key->bytes);
    return hash_read(out);
}

void hash_write(Hash128 hash, unsigned char bytes[16])
{
    bytes_put_u64_be(bytes, hash.high);
    bytes_put_u64_be(bytes + 8, hash.low);
}

Hash128 hash_read(const unsigned char bytes[16])
{
    return (Hash128){ bytes_u64_be(bytes), bytes_u64_be(bytes + 8) };
}

uint64_t hash_fast(Str bytes)
{
    return XXH3_64bits(bytes.at, bytes.length);
}

Digest digest_of(Str bytes)
{
    unsigned char out[32];
    crypto_generichash(out, sizeof out, (const unsigned char *)bytes.at, bytes.length, NULL, 0);
    return digest_read(out);
}

void digest_add(Digest *sum, const Digest *part)
{
    Uint128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (Uint128)sum->part[i] + part->part[i];
        sum->part[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

bool digest_equal(const Digest *a, const Digest *b)
{
    return memcmp(a->part, b->part, sizeof a->part) == 0;
}

void digest_write(const Digest *digest, unsigned char bytes[32])
{
    for (int i = 0; i < 4; i++)
        bytes_put_u64_be(bytes + 8 * i, digest->part[3 - i]);
}

Digest digest_read(const unsigned char bytes[32])
{
    Digest digest;
    for (int i = 0; i < 4; i++)
        digest.part[3 - i] = bytes_u64_be(bytes + 8 * i);
    return digest;
}
