// SPDX-License-Identifier: Apache-2.0
// The journal on a disk in memory: what was acknowledged is given back, exactly, or the start is
// refused.
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>

#include "../../sim/disk.h"
#include "base/log.h"
#include "base/text.h"

enum { SEGMENT = 8192, RECORDS_MAX = 4096 };

typedef struct Bench {
    Arena     *arena;
    Disk      *disk;
    JournalIo  io;
    Journal   *journal;
} Bench;

typedef struct Seen {
    Arena   *arena;
    size_t   count;
    uint64_t number[RECORDS_MAX], first[RECORDS_MAX], next[RECORDS_MAX];
    Str      payload[RECORDS_MAX];
} Seen;

static Err *see(void *context, const JournalRecord *record)
{
    Seen *seen = context;
    assert_true(seen->count < RECORDS_MAX);
    size_t i = seen->count++;
    seen->number[i] = record->number;
    seen->first[i] = record->first;
    seen->next[i] = record->next;
    seen->payload[i] = str_copy(seen->arena, record->payload);
    return NULL;
}

// Nonzero bytes, so that no sector of a payload is zeros.
static Str payload_of(Arena *arena, uint64_t number, size_t length)
{
    char *at = arena_take(arena, length + 1);
    Seeded seeded = seeded_of(number);
    for (size_t i = 0; i < length; i++)
        at[i] = (char)(1 + seeded_below(&seeded, 255));
    return (Str){ at, length };
}

static size_t length_of(uint64_t number)
{
    return (size_t)(number * 397 % 2500);
}

static Bench bench_open(void)
{
    Bench bench = { .arena = arena_open(), .disk = disk_open_new(1) };
    log_threshold(LOG_ERROR + 1);
    return bench;
}

static Err *start(Bench *bench, uint64_t from, Seen *seen)
{
    bench->io = disk_io(bench->disk);
    JournalOptions options = { .folder = STR("j"), .partition = 3, .segment_bytes = SEGMENT,
                               .io = &bench->io, .one_thread = true };
    *seen = (Seen){ .arena = bench->arena };
    bench->journal = NULL;
    TRY(journal_open(bench->arena, &options, &bench->journal));
    return journal_replay(bench->journal, bench->arena, from, see, seen);
}

static void stop(Bench *bench)
{
    journal_close(bench->journal);
    bench->journal = NULL;
}

static void bench_close(Bench *bench)
{
    stop(bench);
    disk_release(bench->disk);
    arena_close(bench->arena);
}

// Record n brings the sequences [10 n, 10 n + 10).
static Err *append(Bench *bench, uint64_t number)
{
    Str whole = payload_of(bench->arena, number, length_of(number));
    size_t cut = whole.length / 3;
    Str parts[3] = { { whole.at, cut },
                     { whole.at + cut, 0 },
                     { whole.at + cut, whole.length - cut } };
    return journal_append(bench->journal, bench->arena,
                          &(JournalEntry){ 10 * number, 10 * number + 10, parts, 3 });
}

static void append_all(Bench *bench, uint64_t from, uint64_t end)
{
    for (uint64_t n = from; n < end; n++)
        assert_null(append(bench, n));
}

static void assert_seen(Bench *bench, const Seen *seen, uint64_t first, uint64_t end)
{
    assert_int_equal(seen->count, end - first);
    for (size_t i = 0; i < seen->count; i++) {
        uint64_t n = first + i;
        assert_int_equal(seen->number[i], n);
        assert_int_equal(seen->first[i], 10 * n);
        assert_int_equal(seen->next[i], 10 * n + 10);
        assert_true(str_equal(seen->payload[i], payload_of(bench->arena, n, length_of(n))));
    }
}

static void gives_back_what_was_appended(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    assert_int_equal(seen->count, 0);
    append_all(&bench, 1, 40);
    stop(&bench);
    assert_null(start(&bench, 0, seen));
    assert_seen(&bench, seen, 1, 40);
    assert_int_equal(journal_last_number(bench.journal), 39);
    assert_int_equal(journal_last_next(bench.journal), 400);
    append_all(&bench, 40, 60);
    stop(&bench);
    assert_null(start(&bench, 500, seen));
    assert_seen(&bench, seen, 50, 60);
    bench_close(&bench);
}

static void gives_records_without_sequences_behind_the_position(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    Str   note = STR("note");
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 3);
    assert_null(journal_append(bench.journal, bench.arena, &(JournalEntry){ 30, 30, &note, 1 }));
    journal_release(bench.journal, 30);
    stop(&bench);
    assert_null(start(&bench, 30, seen));
    assert_int_equal(seen->count, 1);
    assert_true(str_equal(seen->payload[0], note));
    stop(&bench);
    assert_null(start(&bench, 20, seen));
    assert_int_equal(seen->count, 2);
    bench_close(&bench);
}

static void a_record_larger_than_a_segment_has_its_own(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    Str   large = payload_of(bench.arena, 77, 5 * SEGMENT);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 4);
    assert_null(journal_append(bench.journal, bench.arena, &(JournalEntry){ 40, 50, &large, 1 }));
    append_all(&bench, 5, 9);
    stop(&bench);
    assert_null(start(&bench, 0, seen));
    assert_int_equal(seen->count, 8);
    assert_true(str_equal(seen->payload[3], large));
    bench_close(&bench);
}

static void very_many_parts_are_one_record(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    Str   parts[3333];
    Str   whole = payload_of(bench.arena, 5, 3333);
    for (size_t i = 0; i < 3333; i++)
        parts[i] = (Str){ whole.at + i, 1 };
    assert_null(start(&bench, 0, seen));
    assert_null(journal_append(bench.journal, bench.arena, &(JournalEntry){ 10, 20, parts, 3333 }));
    stop(&bench);
    assert_null(start(&bench, 0, seen));
    assert_true(str_equal(seen->payload[0], whole));
    bench_close(&bench);
}

static size_t names_count(const Disk *disk, const char *ending)
{
    size_t count = 0;
    for (size_t i = 0; i < disk->now.count; i++)
        count += disk->now.names[i].file >= 0 && strstr(disk->now.names[i].name, ending) != NULL;
    return count;
}

// Released segments come back zeroed: what was in them never returns.
static void released_segments_are_used_again(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    for (uint64_t n = 1; n < 300; n++) {
        assert_null(append(&bench, n));
        if (n % 7 == 0)
            journal_release(bench.journal, 10 * n - 20);
        assert_true(names_count(bench.disk, ".journal") < 10);
    }
    assert_true(bench.disk->file_count < 40);
    stop(&bench);
    assert_null(start(&bench, 2980, seen));
    assert_seen(&bench, seen, 298, 300);
    stop(&bench);
    // Sequences that were released are not there, and that is said.
    Err *err = start(&bench, 10, seen);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    bench_close(&bench);
}

static void the_newest_record_survives_a_release(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 50);
    journal_release(bench.journal, 1000000);
    stop(&bench);
    assert_null(start(&bench, 500, seen));
    assert_int_equal(seen->count, 0);
    assert_int_equal(journal_last_number(bench.journal), 49);
    append_all(&bench, 50, 55);
    stop(&bench);
    Err *err = start(&bench, 551, seen);  // sealed past the journal's end: another history
    assert_non_null(err);
    bench_close(&bench);
}

// ---- damage

static DiskFile *file_named(Disk *disk, const char *name)
{
    DiskName *found = disk_name(&disk->now, name);
    assert_non_null(found);
    return &disk->files[found->file];
}

// Every bit of a small journal, one at a time: either the start is refused, or every record is
// given back as it was. Nothing is ever lost or changed in silence, the newest record included.
static void no_flipped_bit_loses_a_record(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 16);
    stop(&bench);
    Disk  *whole = bench.disk;
    size_t refused = 0, harmless = 0;
    for (int f = 0; f < whole->file_count; f++) {
        for (uint64_t at = 0; at < whole->files[f].size; at++) {
            bench.disk = disk_copy(whole);
            bench.disk->files[f].now[at] ^= (unsigned char)(1 << at % 8);
            AUTO(Arena) arena = arena_open();
            Bench once = { .arena = arena, .disk = bench.disk };
            Err  *err = start(&once, 0, seen);
            if (err == NULL)
                assert_seen(&once, seen, 1, 16);
            else
                assert_int_equal(err->code, ERR_STORE_FAILED);
            refused += err != NULL;
            harmless += err == NULL;
            stop(&once);
            disk_release(bench.disk);
        }
    }
    bench.disk = whole;
    assert_true(refused > 15 * 96);
    assert_true(harmless > 0);  // padding and spare segments
    bench_close(&bench);
}

static void damage_is_named(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 12);
    stop(&bench);
    file_named(bench.disk, "0000000000000001.journal")->now[600] ^= 1;
    Err *err = start(&bench, 0, seen);
    assert_non_null(err);
    assert_non_null(strstr(str_terminated(bench.arena, err->detail), "segment 0000000000000001"));
    assert_non_null(strstr(str_terminated(bench.arena, err->detail), "record 2"));
    bench_close(&bench);
}

static void a_missing_segment_is_refused(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 40);
    stop(&bench);
    assert_true(names_count(bench.disk, ".journal") > 3);
    disk_remove(bench.disk, "0000000000000002.journal");
    Err *err = start(&bench, 0, seen);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_STORE_FAILED);
    stop(&bench);
    disk_remove(bench.disk, "0000000000000001.journal");  // now the oldest are missing
    assert_non_null(start(&bench, 0, seen));
    bench_close(&bench);
}

static void another_partition_is_refused(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 3);
    stop(&bench);
    JournalOptions options = { .folder = STR("j"), .partition = 4, .segment_bytes = SEGMENT,
                               .io = &bench.io, .one_thread = true };
    assert_null(journal_open(bench.arena, &options, &bench.journal));
    assert_non_null(journal_replay(bench.journal, bench.arena, 0, see, seen));
    bench_close(&bench);
}

// A client may send bytes that look like a record. Lying in a torn record, they must not stop the
// start.
static void a_record_inside_a_payload_is_not_a_record(void **state)
{
    (void)state;
    Bench other = bench_open();
    Seen *seen = arena_new(other.arena, Seen);
    assert_null(start(&other, 0, seen));
    append_all(&other, 1, 9);
    stop(&other);
    Bench bench = bench_open();
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 2);
    unsigned char *foreign = file_named(other.disk, "0000000000000001.journal")->now;
    Str parts[2] = { payload_of(bench.arena, 1, 512 - 96), { (char *)foreign, 4096 } };
    bench.disk->fault_at = bench.disk->calls + 1;
    bench.disk->fault = DISK_TORN;
    bench.disk->seeded = seeded_of(11);
    JournalEntry entry = { 20, 30, parts, 2 };
    assert_non_null(journal_append(bench.journal, bench.arena, &entry));
    // The torn write lacks its first sector but has all the others.
    DiskFile *file = file_named(bench.disk, "0000000000000001.journal");
    memcpy(file->now + 1536, foreign, 4096);
    memset(file->now + 1024, 0, 512);
    stop(&bench);
    assert_null(start(&bench, 0, seen));
    assert_seen(&bench, seen, 1, 2);
    bench_close(&bench);
    bench_close(&other);
}

// ---- failing calls

static void fails_for_good(DiskFault fault, uint64_t call)
{
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 5);
    bench.disk->fault_at = bench.disk->calls + call;
    bench.disk->fault = fault;
    uint64_t acknowledged = 4;
    Err     *err = NULL;
    while (err == NULL && acknowledged < 100)
        if ((err = append(&bench, acknowledged + 1)) == NULL)
            acknowledged++;
    assert_non_null(err);
    assert_int_equal(err->code, ERR_JOURNAL_FAILED);
    uint64_t calls = bench.disk->calls;
    for (int i = 0; i < 3; i++)
        assert_int_equal(append(&bench, acknowledged + 1)->code, ERR_JOURNAL_FAILED);
    assert_int_equal(bench.disk->calls, calls);  // it does not even try
    assert_int_equal(journal_health(bench.journal, bench.arena)->code, ERR_JOURNAL_FAILED);
    stop(&bench);
    bench.disk->crashed = false;
    assert_null(start(&bench, 0, seen));
    assert_true(seen->count == acknowledged || seen->count == acknowledged + 1);
    assert_seen(&bench, seen, 1, seen->count + 1);
    bench_close(&bench);
}

static void any_failure_latches(void **state)
{
    (void)state;
    for (uint64_t call = 1; call < 40; call++) {
        fails_for_good(DISK_EIO, call);
        fails_for_good(DISK_ENOSPC, call);
        fails_for_good(DISK_CRASH, call);
    }
}

static void a_short_write_is_continued(void **state)
{
    (void)state;
    for (uint64_t call = 1; call < 30; call++) {
        Bench bench = bench_open();
        Seen *seen = arena_new(bench.arena, Seen);
        bench.disk->fault_at = call;
        bench.disk->fault = DISK_SHORT;
        assert_null(start(&bench, 0, seen));
        append_all(&bench, 1, 20);
        stop(&bench);
        assert_null(start(&bench, 0, seen));
        assert_seen(&bench, seen, 1, 20);
        bench_close(&bench);
    }
}

// After a failed sync the system may hold pages that the disk never got and call them clean. A
// record found so counts after the restart, so it must then survive a power loss.
static void a_record_of_a_failed_sync_is_written_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 60; seed++) {
        Bench bench = bench_open();
        Seen *seen = arena_new(bench.arena, Seen);
        bench.disk->seeded = seeded_of(seed);
        assert_null(start(&bench, 0, seen));
        append_all(&bench, 1, 4);
        bench.disk->fault_at = bench.disk->calls + 2;
        bench.disk->fault = DISK_LOST_SYNC;
        assert_non_null(append(&bench, 4));
        stop(&bench);
        assert_null(start(&bench, 0, seen));
        size_t counts = seen->count;
        assert_int_equal(counts, 4);  // the system still shows it
        stop(&bench);
        disk_power_loss(bench.disk);
        assert_null(start(&bench, 0, seen));
        assert_seen(&bench, seen, 1, counts + 1);
        bench_close(&bench);
    }
}

// ---- power loss

typedef struct Subset {
    uint64_t kept;
    uint64_t asked;
} Subset;

static bool subset_keeps(void *context, uint64_t which)
{
    Subset *subset = context;
    subset->asked = which + 1 > subset->asked ? which + 1 : subset->asked;
    return which >= 64 || (subset->kept >> which & 1) != 0;
}

// All subsets of the sectors of a commit that was under way: the start always succeeds, all that
// was acknowledged is there, and the commit is there as a whole or not at all.
static void every_torn_commit_is_cut(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 4);
    bench.disk->fault_at = bench.disk->calls + 2;  // its sync
    bench.disk->fault = DISK_CRASH;
    Str long_one = payload_of(bench.arena, 4, 4700);
    JournalEntry entry = { 40, 50, &long_one, 1 };
    assert_non_null(journal_append(bench.journal, bench.arena, &entry));
    stop(&bench);
    Disk  *whole = bench.disk;
    size_t with = 0;
    Subset all = { .kept = 0 };
    for (uint64_t kept = 0; kept < 1024; kept++) {
        AUTO(Arena) arena = arena_open();
        Bench once = { .arena = arena, .disk = disk_copy(whole) };
        Subset subset = { .kept = kept };
        disk_power_loss_by(once.disk, subset_keeps, &subset);
        all.asked = subset.asked;
        assert_null(start(&once, 0, seen));
        assert_true(seen->count == 3 || (seen->count == 4 && kept == 1023));
        with += seen->count == 4;
        seen->count = 3;
        assert_seen(&once, seen, 1, 4);
        stop(&once);
        disk_release(once.disk);
    }
    assert_int_equal(all.asked, 10);  // sectors of the commit: 96 + 4700 bytes
    assert_int_equal(with, 1);
    bench.disk = whole;
    bench_close(&bench);
}

static void a_cut_tail_takes_new_records(void **state)
{
    (void)state;
    Bench bench = bench_open();
    Seen *seen = arena_new(bench.arena, Seen);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 1, 4);
    Str long_one = payload_of(bench.arena, 4, 3000);
    bench.disk->fault_at = bench.disk->calls + 2;
    bench.disk->fault = DISK_CRASH;
    JournalEntry entry = { 40, 50, &long_one, 1 };
    assert_non_null(journal_append(bench.journal, bench.arena, &entry));
    stop(&bench);
    Subset subset = { .kept = 0x15 };
    disk_power_loss_by(bench.disk, subset_keeps, &subset);
    assert_null(start(&bench, 0, seen));
    append_all(&bench, 4, 30);
    stop(&bench);
    assert_null(start(&bench, 0, seen));
    assert_seen(&bench, seen, 1, 30);
    bench_close(&bench);
}

// ---- real files, and the thread that prepares segments

static void real_files_and_the_keeper(void **state)
{
    (void)state;
    char           folder[] = "/tmp/toll-journal-XXXXXX", command[64];
    JournalOptions options = { .folder = str_of(mkdtemp(folder)),
                               .partition = 3,
                               .segment_bytes = SEGMENT };
    Bench          bench = { .arena = arena_open() };
    Seen          *seen = arena_new(bench.arena, Seen);
    *seen = (Seen){ .arena = bench.arena };
    assert_null(journal_open(bench.arena, &options, &bench.journal));
    assert_null(journal_replay(bench.journal, bench.arena, 0, see, seen));
    for (uint64_t n = 1; n < 400; n++) {
        assert_null(append(&bench, n));
        if (n % 5 == 0)
            journal_release(bench.journal, 10 * n - 30);
        assert_null(journal_health(bench.journal, bench.arena));
    }
    stop(&bench);
    assert_null(journal_open(bench.arena, &options, &bench.journal));
    assert_null(journal_replay(bench.journal, bench.arena, 3950, see, seen));
    assert_seen(&bench, seen, 395, 400);
    append_all(&bench, 400, 410);
    stop(&bench);
    arena_close(bench.arena);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_appended),
        cmocka_unit_test(gives_records_without_sequences_behind_the_position),
        cmocka_unit_test(a_record_larger_than_a_segment_has_its_own),
        cmocka_unit_test(very_many_parts_are_one_record),
        cmocka_unit_test(released_segments_are_used_again),
        cmocka_unit_test(the_newest_record_survives_a_release),
        cmocka_unit_test(no_flipped_bit_loses_a_record),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(another_partition_is_refused),
        cmocka_unit_test(a_record_inside_a_payload_is_not_a_record),
        cmocka_unit_test(any_failure_latches),
        cmocka_unit_test(a_short_write_is_continued),
        cmocka_unit_test(a_record_of_a_failed_sync_is_written_again),
        cmocka_unit_test(every_torn_commit_is_cut),
        cmocka_unit_test(a_cut_tail_takes_new_records),
        cmocka_unit_test(real_files_and_the_keeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
