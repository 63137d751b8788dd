// SPDX-License-Identifier: Apache-2.0
// A range's own bytes: what was put in comes out, those of several ranges follow each other in
// order, and damaged ones add nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/seal_meta.h"

// Part number i of a fold: i names, i meters and one text of outcomes.
static SealMeta part_of(Arena *arena, uint32_t i)
{
    SealMeta meta = seal_meta_open(arena);
    for (uint32_t k = 0; k < i; k++) {
        RecordName name = { NAME_ACCOUNT, i, k, str_print(arena, "acc%u.%u", i, k) };
        SealMeter  meter = { UINT64_MAX - k,
                             { i, k, UINT32_MAX, k % 2 == 0, k % 3 == 0,
                               str_print(arena, "{\"id\":\"m%u\"}", k) } };
        record_write_name(&meta.names, &name);
        seal_meta_add_meter(&meta, &meter);
    }
    text_print(&meta.voids, "(%u)", i);
    text_print(&meta.outcomes, "<%u>", i);
    return meta;
}

static Str bytes_of(Arena *arena, const SealMeta *meta)
{
    Text bytes = text_open(arena);
    seal_meta_write(meta, &bytes);
    return text_str(&bytes);
}

static void check_part(Arena *arena, uint32_t i, Reader *names, Reader *meters)
{
    for (uint32_t k = 0; k < i; k++) {
        RecordName name;
        SealMeter  meter;
        assert_true(record_read_name(names, &name));
        assert_true(name.kind == NAME_ACCOUNT && name.parent == i && name.number == k);
        assert_true(str_equal(name.name, str_print(arena, "acc%u.%u", i, k)));
        assert_true(seal_meta_read_meter(meters, &meter));
        assert_true(meter.sequence == UINT64_MAX - k && meter.meter.project == i);
        assert_true(meter.meter.event == k && meter.meter.number == UINT32_MAX);
        assert_int_equal(meter.meter.is_removal, k % 2 == 0);
        assert_int_equal(meter.meter.is_fresh, k % 3 == 0);
        assert_true(str_equal(meter.meter.definition, str_print(arena, "{\"id\":\"m%u\"}", k)));
    }
}

static void ranges_follow_each_other(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    SealMeta all = seal_meta_open(arena);
    SealMetaParts parts;
    for (uint32_t i = 0; i < 16; i++) {
        SealMeta part = part_of(arena, i);
        assert_true(seal_meta_append(&all, bytes_of(arena, &part)));
    }
    assert_true(seal_meta_split(bytes_of(arena, &all), &parts));
    for (uint32_t i = 0; i < 16; i++)
        check_part(arena, i, &parts.names, &parts.meters);
    assert_true(reader_done(&parts.names) && reader_done(&parts.meters));
    assert_true(str_equal(reader_bytes(&parts.voids, reader_left(&parts.voids)),
                          STR("(0)(1)(2)(3)(4)(5)(6)(7)(8)(9)(10)(11)(12)(13)(14)(15)")));
    assert_true(str_equal(parts.outcomes,
                          STR("<0><1><2><3><4><5><6><7><8><9><10><11><12><13><14><15>")));
}

static void folding_folded_ranges_gives_the_same(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    SealMeta at_once = seal_meta_open(arena), left = seal_meta_open(arena);
    SealMeta right = seal_meta_open(arena), both = seal_meta_open(arena);
    for (uint32_t i = 0; i < 6; i++) {
        SealMeta part = part_of(arena, i);
        Str      bytes = bytes_of(arena, &part);
        assert_true(seal_meta_append(&at_once, bytes));
        assert_true(seal_meta_append(i < 4 ? &left : &right, bytes));
    }
    assert_true(seal_meta_append(&both, bytes_of(arena, &left)));
    assert_true(seal_meta_append(&both, bytes_of(arena, &right)));
    assert_true(str_equal(bytes_of(arena, &at_once), bytes_of(arena, &both)));
}

static void damaged_bytes_add_nothing(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    SealMeta part = part_of(arena, 3), into = part_of(arena, 2);
    Str      bytes = bytes_of(arena, &part), before = bytes_of(arena, &into);
    for (size_t cut = 0; cut < bytes.length - part.outcomes.length; cut++) {
        assert_false(seal_meta_append(&into, (Str){ bytes.at, cut }));
        assert_true(str_equal(before, bytes_of(arena, &into)));
    }
    char *other = arena_copy(arena, bytes.at, bytes.length);
    other[0] = 3;
    assert_false(seal_meta_append(&into, (Str){ other, bytes.length }));
    assert_false(seal_meta_append(&into, STR_NONE));
}

// As they were written before there were voids.
static void bytes_of_version_1_are_read(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    SealMeta      part = part_of(arena, 3);
    SealMetaParts parts;
    Text          old = text_open(arena);
    text_add_char(&old, 1);
    text_add_counted(&old, text_str(&part.names));
    text_add_counted(&old, text_str(&part.meters));
    text_add(&old, text_str(&part.outcomes));
    assert_true(seal_meta_split(text_str(&old), &parts));
    check_part(arena, 3, &parts.names, &parts.meters);
    assert_true(reader_done(&parts.voids));
    assert_true(str_equal(parts.outcomes, STR("<3>")));
}

static void cut_meters_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    SealMeta part = part_of(arena, 1);
    Str      bytes = text_str(&part.meters);
    for (size_t cut = 0; cut < bytes.length; cut++) {
        Reader    reader = reader_of((Str){ bytes.at, cut });
        SealMeter meter;
        assert_false(seal_meta_read_meter(&reader, &meter));
        RecordName name;
        reader = reader_of((Str){ part.names.at, cut < part.names.length ? cut : 0 });
        assert_false(record_read_name(&reader, &name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_each_other),
        cmocka_unit_test(folding_folded_ranges_gives_the_same),
        cmocka_unit_test(damaged_bytes_add_nothing),
        cmocka_unit_test(bytes_of_version_1_are_read),
        cmocka_unit_test(cut_meters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
