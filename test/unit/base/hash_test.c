// SPDX-License-Identifier: Apache-2.0
// The hashes are the published ones (their authors' test vectors), and digests add up modulo 2^256.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

static void keyed_is_siphash(void **state)
{
    (void)state;
    // github.com/veorq/SipHash, vectors.h, vectors_sip128: key 00..0f, inputs "" and 00
    static const unsigned char of_nothing[16] = {
        0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
        0x93,
    };
    static const unsigned char of_zero[16] = {
        0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
        0x45,
    };
    HashKey       key;
    unsigned char bytes[16];
    for (unsigned char i = 0; i < 16; i++)
        key.bytes[i] = i;
    hash_write(hash_keyed(&key, STR_NONE), bytes);
    assert_memory_equal(bytes, of_nothing, 16);
    hash_write(hash_keyed(&key, STR("\0")), bytes);
    assert_memory_equal(bytes, of_zero, 16);
    HashKey other = { { 1 } };
    assert_false(hash_equal(hash_keyed(&key, STR("id")), hash_keyed(&other, STR("id"))));
}

static void digest_is_blake2b(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    unsigned char bytes[32];
    Digest of_nothing = digest_of(STR_NONE), of_abc = digest_of(STR("abc"));
    digest_write(&of_nothing, bytes);
    assert_true(str_equal(str_hex(arena, bytes, 32), STR(
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8")));
    digest_write(&of_abc, bytes);
    assert_true(str_equal(str_hex(arena, bytes, 32), STR(
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")));
}

static void fast_is_xxh3(void **state)
{
    (void)state;
    assert_true(hash_fast(STR_NONE) == UINT64_C(0x2d06800538d394c2));
    assert_true(hash_fast(STR("a")) != hash_fast(STR("b")));
    assert_true(hash_fast(STR("a\0b")) != hash_fast(STR("a\0c")));
}

static int sign_of(int number)
{
    return (number > 0) - (number < 0);
}

static void written_hashes_sort_as_they_count(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(4);
    for (int i = 0; i < 5000; i++) {
        Hash128       a = { seeded_below(&seeded, 3) - 1, seeded_next(&seeded) };
        Hash128       b = { seeded_below(&seeded, 3) - 1, seeded_next(&seeded) };
        unsigned char one[16], two[16];
        hash_write(a, one);
        hash_write(b, two);
        int order = a.high != b.high ? (a.high < b.high ? -1 : 1)
                                     : (a.low < b.low ? -1 : a.low > b.low);
        assert_int_equal(sign_of(memcmp(one, two, 16)), order);
        assert_true(hash_equal(hash_read(one), a));
        assert_int_equal(hash_equal(a, b), order == 0);
    }
}

static Digest digest_at_random(Seeded *seeded)
{
    Digest digest;
    for (int i = 0; i < 4; i++) {
        digest.part[i] = seeded_next(seeded);
        if (seeded_below(seeded, 3) == 0)
            digest.part[i] = UINT64_MAX;
        else if (seeded_below(seeded, 3) == 0)
            digest.part[i] = 0;
    }
    return digest;
}

// By bytes from the end, as on paper.
static Digest added_on_paper(const Digest *a, const Digest *b)
{
    unsigned char one[32], two[32];
    unsigned      carry = 0;
    digest_write(a, one);
    digest_write(b, two);
    for (size_t i = 32; i > 0; i--) {
        carry += (unsigned)one[i - 1] + two[i - 1];
        one[i - 1] = (unsigned char)carry;
        carry >>= 8;
    }
    return digest_read(one);
}

static void digests_add_as_on_paper(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(5);
    for (int i = 0; i < 5000; i++) {
        Digest a = digest_at_random(&seeded), b = digest_at_random(&seeded), sum = a, other = b;
        Digest expected = added_on_paper(&a, &b);
        digest_add(&sum, &b);
        digest_add(&other, &a);
        assert_true(digest_equal(&sum, &expected) && digest_equal(&other, &expected));
        expected = added_on_paper(&a, &a);
        digest_add(&a, &a);  // to itself
        assert_true(digest_equal(&a, &expected));
    }
}

static void digests_wrap(void **state)
{
    (void)state;
    const Digest most = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    const Digest one = { { 1 } };
    Digest       sum = most;
    digest_add(&sum, &one);
    assert_true(digest_equal(&sum, &(Digest){ 0 }));
    digest_add(&sum, &most);
    assert_true(digest_equal(&sum, &most));
    assert_false(digest_equal(&sum, &one));
    unsigned char bytes[32];
    digest_write(&one, bytes);
    assert_int_equal(bytes[31], 1);
    assert_int_equal(bytes[0], 0);
}

static void a_sum_does_not_depend_on_order(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(6);
    Digest forth = { 0 }, back = { 0 }, parts[64];
    for (int i = 0; i < 64; i++)
        parts[i] = digest_at_random(&seeded);
    for (int i = 0; i < 64; i++) {
        digest_add(&forth, &parts[i]);
        digest_add(&back, &parts[63 - i]);
    }
    assert_true(digest_equal(&forth, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyed_is_siphash),
        cmocka_unit_test(digest_is_blake2b),
        cmocka_unit_test(fast_is_xxh3),
        cmocka_unit_test(written_hashes_sort_as_they_count),
        cmocka_unit_test(digests_add_as_on_paper),
        cmocka_unit_test(digests_wrap),
        cmocka_unit_test(a_sum_does_not_depend_on_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
