// The three hashes and what each is for.
//   Hash128  SipHash-2-4-128, keyed: identity of an event. An attacker without the key cannot make
//            two ids meet. The key is part of the data directory and of every backup.
//   Digest   BLAKE2b-256, no key: content that anybody can recompute. Digests of events are added
//            modulo 2^256, so the digest of a set does not depend on order and can be subtracted.
//   fast     XXH3-64, no key: hash tables of trusted text and checksums of stored blocks.
#pragma once

#include "base/text.h"

typedef struct HashKey {
    unsigned char bytes[16];
} HashKey;

typedef struct Hash128 {
    uint64_t high, low;  // sorts as (high, low)
} Hash128;

typedef struct Digest {
    uint64_t part[4];  // part[0] is the least significant
} Digest;

Hash128 hash_keyed(const HashKey *key, Str bytes);
static inline bool hash_equal(Hash128 a, Hash128 b)
{
    return a.high == b.high && a.low == b.low;
}
static inline int hash_compare(Hash128 a, Hash128 b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}
void    hash_write(Hash128 hash, unsigned char bytes[16]);  // big-endian, sorts as the hash does
Hash128 hash_read(const unsigned char bytes[16]);

uint64_t hash_fast(Str bytes);

Digest digest_of(Str bytes);
void   digest_add(Digest *sum, const Digest *part);
bool   digest_equal(const Digest *a, const Digest *b);
void   digest_write(const Digest *digest, unsigned char bytes[32]);  // big-endian
Digest digest_read(const unsigned char bytes[32]);
