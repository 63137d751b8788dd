// SPDX-License-Identifier: Apache-2.0
// The one rule of "same event", and what is kept under an id for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "flow/dedupe/identity.h"

static void only_sent_moments_are_compared(void **state)
{
    (void)state;
    static const struct {
        bool    stored_given, sent_given, same_ts, same_content;
        Outcome outcome;
    } rows[] = {
        { true, true, true, true, OUTCOME_DUPLICATE },
        { true, true, false, true, OUTCOME_CONFLICT },
        { true, false, false, true, OUTCOME_DUPLICATE },
        { false, true, false, true, OUTCOME_DUPLICATE },
        { false, false, false, true, OUTCOME_DUPLICATE },
        { false, false, true, true, OUTCOME_DUPLICATE },
        { true, true, true, false, OUTCOME_CONFLICT },
        { true, false, true, false, OUTCOME_CONFLICT },
        { false, true, true, false, OUTCOME_CONFLICT },
        { false, false, true, false, OUTCOME_CONFLICT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Identity stored = { .sequence = 1, .fingerprint = 7, .ts = { 100 },
                            .ts_given = rows[i].stored_given };
        Event sent = { .fingerprint = rows[i].same_content ? 7 : 8,
                       .ts = { rows[i].same_ts ? 100 : 101 }, .ts_given = rows[i].sent_given };
        assert_int_equal(identity_compare(&stored, &sent), rows[i].outcome);
    }
}

static void assert_comes_back(const Identity *identity)
{
    AUTO(Arena) arena = arena_open();
    Text     text = text_open(arena);
    Identity back;
    identity_write(identity, &text);
    Str bytes = text_str(&text);
    assert_true(identity_read(bytes, &back));
    assert_true(back.sequence == identity->sequence);
    assert_true(back.fingerprint == identity->fingerprint);
    assert_true(back.ts.us == identity->ts.us && back.ts_given == identity->ts_given);
    assert_true(back.event == identity->event && back.account == identity->account);
    Reader reader = reader_of(bytes);
    assert_true(reader_varint(&reader) == identity->sequence);
    for (size_t cut = 0; cut < bytes.length; cut++)
        assert_false(identity_read((Str){ bytes.at, cut }, &back));
    text_add_char(&text, 0);
    assert_false(identity_read(text_str(&text), &back));
}

static void identities_come_back_whole_or_not_at_all(void **state)
{
    (void)state;
    static const Identity identities[] = {
        { .sequence = 1 },
        { .sequence = 127, .fingerprint = 1, .ts = { -1 }, .event = 127, .account = 128 },
        { UINT64_MAX, UINT64_MAX, { INT64_MIN }, true, UINT32_MAX, UINT32_MAX },
        { UINT64_MAX, 0, { INT64_MAX }, false, 0, UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof identities / sizeof *identities; i++)
        assert_comes_back(&identities[i]);
}

static void there_is_no_sequence_zero(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Text     text = text_open(arena);
    Identity none = { .fingerprint = 5 }, back;
    identity_write(&none, &text);
    assert_false(identity_read(text_str(&text), &back));
    assert_false(identity_read(STR_NONE, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_sent_moments_are_compared),
        cmocka_unit_test(identities_come_back_whole_or_not_at_all),
        cmocka_unit_test(there_is_no_sequence_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
