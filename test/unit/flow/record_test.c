// SPDX-License-Identifier: Apache-2.0
// A journal record comes back as it was written. Cut short anywhere or changed in any byte it is
// never read wild: what is read before the damage is what was written, and the failure is told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/record.h"

enum { NAMES = 5, ROWS = 12 };
static const Instant base = { INT64_C(1781049600000000) };

typedef struct Content {
    RecordName names[NAMES];
    RecordRow  rows[ROWS];
    size_t     name_count, row_count;
} Content;

static Str text_at_random(Arena *arena, Seeded *seeded, size_t least, size_t most)
{
    size_t length = least + seeded_below(seeded, most - least + 1);
    char  *at = arena_take(arena, length);
    for (size_t i = 0; i < length; i++)
        at[i] = (char)seeded_next(seeded);
    return (Str){ at, length };
}

static uint32_t number_at_random(Seeded *seeded)
{
    return (uint32_t)(seeded_next(seeded) >> (32 + seeded_below(seeded, 32)));
}

static Instant instant_at_random(Seeded *seeded)
{
    switch (seeded_below(seeded, 4)) {
    case 0: return INSTANT_FIRST;
    case 1: return (Instant){ INSTANT_END.us - 1 };
    case 2: return (Instant){ -(int64_t)seeded_below(seeded, 1000000) };
    default: return (Instant){ base.us + (int64_t)seeded_below(seeded, 1000000) };
    }
}

// Of a revert, as void_fact_write writes it.
static Str fact_at_random(Arena *arena, Seeded *seeded)
{
    Text     bytes = text_open(arena);
    VoidFact fact = { .kind = FACT_REVERT, .sequence = seeded_next(seeded),
                      .number = number_at_random(seeded), .at = instant_at_random(seeded) };
    void_fact_write(&fact, &bytes);
    return text_str(&bytes);
}

static RecordRow row_at_random(Arena *arena, Seeded *seeded)
{
    RecordRow row = { .kind = (RowKind)seeded_below(seeded, 4) };
    if (row.kind == ROW_EVENT) {
        row.amends = seeded_below(seeded, 3) == 0;
        row.row.ts_given = seeded_below(seeded, 2) == 0;
        row.row.event = number_at_random(seeded);
        row.row.account = number_at_random(seeded);
        row.row.ts = instant_at_random(seeded);
        row.row.received = instant_at_random(seeded);
        row.row.value.e12 = (Int128)seeded_next(seeded) * (int64_t)seeded_next(seeded);
        row.unique_id = text_at_random(arena, seeded, 1, UINT8_MAX);
        row.properties = text_at_random(arena, seeded, 0, 300);
        if (row.amends)
            row.replaced = (VoidTarget){ seeded_next(seeded), instant_at_random(seeded),
                                         row.row.event, row.row.account };
    } else if (row.kind == ROW_METER) {
        row.meter.project = number_at_random(seeded);
        row.meter.event = number_at_random(seeded);
        row.meter.number = number_at_random(seeded);
        row.meter.is_removal = seeded_below(seeded, 2) == 0;
        row.meter.is_fresh = seeded_below(seeded, 2) == 0;
        row.meter.definition = text_at_random(arena, seeded, 0, 300);
    } else if (row.kind == ROW_VOID) {
        row.fact = fact_at_random(arena, seeded);
    }
    return row;
}

static void content_make(Arena *arena, Seeded *seeded, Content *content)
{
    content->name_count = seeded_below(seeded, NAMES + 1);
    content->row_count = seeded_below(seeded, ROWS + 1);
    for (size_t i = 0; i < content->name_count; i++)
        content->names[i] = (RecordName){ (NameKind)seeded_below(seeded, NAME_KINDS),
                                          number_at_random(seeded), number_at_random(seeded),
                                          text_at_random(arena, seeded, 1, 128) };
    for (size_t i = 0; i < content->row_count; i++)
        content->rows[i] = row_at_random(arena, seeded);
}

static void row_add(RecordText *record, const RecordRow *row)
{
    Event event = {
        .unique_id = row->unique_id,
        .properties = row->properties,
        .value = row->row.value,
        .ts = row->row.ts,
        .ts_given = row->row.ts_given,
    };
    switch (row->kind) {
    case ROW_EVENT:
        if (row->amends)
            record_add_amended(record, &row->row, &event, &row->replaced);
        else
            record_add_event(record, &row->row, &event);
        break;
    case ROW_VOID: {
        AUTO(Arena) arena = arena_open();
        Reader   reader = reader_of(row->fact);
        VoidFact fact;
        assert_true(void_fact_read(&reader, arena, &fact));
        record_add_void(record, &fact);
        break;
    }
    case ROW_METER: record_add_meter(record, &row->meter); break;
    case ROW_NONE: record_add_none(record); break;
    }
}

// The bytes of the record; `outcomes` stand at its end.
static Str written(Arena *arena, const Content *content, Str outcomes)
{
    RecordText record = { .names = text_open(arena), .rows = text_open(arena) };
    Text       bytes = text_open(arena), before_rows = text_open(arena);
    record_clear(&record, base);
    for (size_t i = 0; i < content->name_count; i++)
        record_add_name(&record, &content->names[i]);
    for (size_t i = 0; i < content->row_count; i++)
        row_add(&record, &content->rows[i]);
    assert_int_equal(record.name_count, content->name_count);
    assert_int_equal(record.row_count, content->row_count);
    record_heads(&record, &bytes, &before_rows);
    text_add(&bytes, text_str(&record.names));
    text_add(&bytes, text_str(&before_rows));
    text_add(&bytes, text_str(&record.rows));
    text_add(&bytes, outcomes);
    return text_str(&bytes);
}

static bool same_name(const RecordName *a, const RecordName *b)
{
    return a->kind == b->kind && a->parent == b->parent && a->number == b->number &&
           str_equal(a->name, b->name);
}

static bool same_row(const RecordRow *a, const RecordRow *b)
{
    const Row         *one = &a->row, *two = &b->row;
    const RecordMeter *left = &a->meter, *right = &b->meter;
    return a->kind == b->kind && one->ts_given == two->ts_given && one->event == two->event &&
           one->account == two->account && one->ts.us == two->ts.us &&
           one->received.us == two->received.us && one->value.e12 == two->value.e12 &&
           a->amends == b->amends && a->replaced.sequence == b->replaced.sequence &&
           a->replaced.ts.us == b->replaced.ts.us && a->replaced.event == b->replaced.event &&
           a->replaced.account == b->replaced.account && str_equal(a->fact, b->fact) &&
           str_equal(a->unique_id, b->unique_id) && str_equal(a->properties, b->properties) &&
           left->project == right->project && left->event == right->event &&
           left->number == right->number && left->is_removal == right->is_removal &&
           left->is_fresh == right->is_fresh && str_equal(left->definition, right->definition);
}

// Reads all of it; what is read must be what was written. True when all of it was there.
static bool reads_as(Str bytes, const Content *content, Str *outcomes)
{
    RecordReader reader;
    RecordName   name;
    RecordRow    row;
    size_t       names = 0, rows = 0;
    if (!record_open(&reader, bytes))
        return false;
    while (record_next_name(&reader, &name))
        assert_true(names < content->name_count && same_name(&name, &content->names[names++]));
    while (record_next_row(&reader, &row))
        assert_true(rows < content->row_count && same_row(&row, &content->rows[rows++]));
    *outcomes = record_outcomes(&reader);
    assert_true(record_failed(&reader) ||
                (names == content->name_count && rows == content->row_count));
    return !record_failed(&reader);
}

static void records_come_back_or_are_refused(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(61);
    for (int round = 0; round < 60; round++) {
        AUTO(Arena) arena = arena_open();
        Content content;
        Str     outcomes, wanted = text_at_random(arena, &seeded, 0, 20);
        content_make(arena, &seeded, &content);
        Str bytes = written(arena, &content, wanted);
        assert_true(reads_as(bytes, &content, &outcomes));
        assert_true(str_equal(outcomes, wanted));
        for (size_t cut = 0; cut < bytes.length - wanted.length; cut++)
            assert_false(reads_as((Str){ bytes.at, cut }, &content, &outcomes));
    }
}

// The bytes are a block of their own, so that a sanitizer sees a step past them.
static void read_damaged(Str bytes)
{
    char        *at = memory_take(bytes.length);
    RecordReader reader;
    RecordName   name;
    RecordRow    row;
    memcpy(at, bytes.at, bytes.length);
    if (record_open(&reader, (Str){ at, bytes.length })) {
        while (record_next_name(&reader, &name))
            assert_true(name.kind < NAME_KINDS);
        while (record_next_row(&reader, &row))
            assert_true(row.kind != ROW_EVENT ||
                        (row.unique_id.length > 0 && row.unique_id.length <= UINT8_MAX));
        assert_true(record_outcomes(&reader).length <= bytes.length);
    }
    memory_release(at);
}

static void changed_bytes_are_never_read_wild(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(62);
    for (int round = 0; round < 3000; round++) {
        AUTO(Arena) arena = arena_open();
        Content content;
        content_make(arena, &seeded, &content);
        Str   bytes = written(arena, &content, STR_NONE);
        char *at = arena_copy(arena, bytes.at, bytes.length);
        for (uint64_t left = 1 + seeded_below(&seeded, 3); left > 0; left--)
            at[seeded_below(&seeded, bytes.length)] = (char)seeded_next(&seeded);
        read_damaged((Str){ at, bytes.length });
    }
}

// One event whose moments lie beyond what can be counted.
static void impossible_moments_are_damage(void **state)
{
    (void)state;
    static const int64_t moments[][3] = {
        { INT64_MAX, 1, 0 }, { INT64_MAX, 0, 1 }, { INT64_MIN, -1, 0 }, { INT64_MIN, 0, -1 },
        { 1, INT64_MAX, 0 }, { -1, 0, INT64_MIN },
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        AUTO(Arena) arena = arena_open();
        Text         bytes = text_open(arena);
        RecordReader reader;
        RecordRow    row;
        text_add(&bytes, STR("\x01\x00\x01"));  // form, no names, one row
        text_add_signed(&bytes, moments[i][0]);
        text_add(&bytes, STR("\x01\x00\x00\x00"));  // event, no flags, numbers
        text_add_signed(&bytes, moments[i][1]);
        text_add_signed(&bytes, moments[i][2]);
        text_add(&bytes, STR("\x00\x01" "a\x00"));
        assert_true(record_open(&reader, text_str(&bytes)));
        assert_false(record_next_row(&reader, &row));
        assert_true(record_failed(&reader));
    }
}

static void unknown_forms_and_kinds_are_refused(void **state)
{
    (void)state;
    RecordReader reader;
    RecordName   name;
    RecordRow    row;
    assert_false(record_open(&reader, STR_NONE));
    assert_false(record_open(&reader, STR("\x02\x00\x00\x00")));
    assert_true(record_open(&reader, STR("\x01\x00\x00\x00")));
    assert_false(record_next_name(&reader, &name));
    assert_false(record_next_row(&reader, &row));
    assert_false(record_failed(&reader));
    assert_true(record_open(&reader, STR("\x01\x01\x03\x00\x00\x01" "a\x00\x00")));
    assert_false(record_next_name(&reader, &name));
    assert_true(record_failed(&reader));
    assert_true(record_open(&reader, STR("\x01\x00\x01\x00\x03")));
    assert_false(record_next_row(&reader, &row));
    assert_true(record_failed(&reader));
}

static void an_id_is_1_to_255_bytes(void **state)
{
    (void)state;
    char id[300];
    memset(id, 'i', sizeof id);
    for (size_t length = 0; length < sizeof id; length++) {
        AUTO(Arena) arena = arena_open();
        Content content = { .row_count = 1 };
        RecordReader reader;
        RecordRow    row;
        content.rows[0] = (RecordRow){ .kind = ROW_EVENT, .unique_id = { id, length } };
        assert_true(record_open(&reader, written(arena, &content, STR_NONE)));
        bool fits = length >= 1 && length <= UINT8_MAX;
        assert_int_equal(record_next_row(&reader, &row), fits);
        assert_int_equal(record_failed(&reader), !fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_or_are_refused),
        cmocka_unit_test(changed_bytes_are_never_read_wild),
        cmocka_unit_test(impossible_moments_are_damage),
        cmocka_unit_test(unknown_forms_and_kinds_are_refused),
        cmocka_unit_test(an_id_is_1_to_255_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
