// SPDX-License-Identifier: Apache-2.0
#include "catalog/key.h"

#include <sodium.h>
#include <string.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/random.h"

enum { RANDOM_LETTERS = 30, CHECKSUM_LETTERS = 6, BASE = 62 };

static const char letters[BASE + 1] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const char *const prefixes[] = { [KEY_LIVE] = "toll_live_", [KEY_TEST] = "toll_test_" };
enum { PREFIX_LETTERS = 10, SECRET_LETTERS = PREFIX_LETTERS + RANDOM_LETTERS + CHECKSUM_LETTERS };

// CRC-32 of what stands before it, as six digits in base 62 (62^6 > 2^32), the highest first.
static void checksum_write(Str before, char digits[CHECKSUM_LETTERS])
{
    unsigned long sum = crc32(0, (const unsigned char *)before.at, (unsigned)before.length);
    for (int i = CHECKSUM_LETTERS; i > 0; i--) {
        digits[i - 1] = letters[sum % BASE];
        sum /= BASE;
    }
}

// Bytes above the largest multiple of 62 are thrown away, so every letter is equally likely.
static char random_letter(void)
{
    unsigned char byte;
    do
        random_bytes(&byte, 1);
    while (byte >= 256 / BASE * BASE);
    return letters[byte % BASE];
}

Str key_make(Arena *arena, KeyMode mode)
{
    char *at = arena_take(arena, SECRET_LETTERS);
    assert_that(strlen(prefixes[mode]) == PREFIX_LETTERS);
    memcpy(at, prefixes[mode], PREFIX_LETTERS);
    for (size_t i = 0; i < RANDOM_LETTERS; i++)
        at[PREFIX_LETTERS + i] = random_letter();
    Str before = { at, PREFIX_LETTERS + RANDOM_LETTERS };
    checksum_write(before, at + before.length);
    return (Str){ at, SECRET_LETTERS };
}

static bool is_letter(char letter)
{
    return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= 'a' && letter <= 'z');
}

bool key_is_wellformed(Str secret)
{
    char digits[CHECKSUM_LETTERS];
    if (secret.length != SECRET_LETTERS || !(str_starts(secret, str_of(prefixes[KEY_LIVE])) ||
                                             str_starts(secret, str_of(prefixes[KEY_TEST]))))
        return false;
    for (size_t i = PREFIX_LETTERS; i < SECRET_LETTERS; i++)
        if (!is_letter(secret.at[i]))
            return false;
    Str before = { secret.at, SECRET_LETTERS - CHECKSUM_LETTERS };
    checksum_write(before, digits);
    return memcmp(digits, secret.at + before.length, sizeof digits) == 0;
}

KeyHash key_hash(Str secret, const Pepper *pepper)
{
    KeyHash hash;
    int code = crypto_generichash(hash.bytes, sizeof hash.bytes, (const unsigned char *)secret.at,
                                  secret.length, pepper->bytes, sizeof pepper->bytes);
    assert_that(code == 0);
    return hash;
}
