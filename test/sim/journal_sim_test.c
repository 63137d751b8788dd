// SPDX-License-Identifier: Apache-2.0
// Histories of the journal under faults: appends, releases, starts, with a failing, torn, short,
// lost or crashing call at a random place (inside a start too), then death of the process or loss
// of power. Checked against a list of what was acknowledged: nothing of it is ever missing, changed
// or out of order; at most the one commit that failed may be there as well.
//   journal_sim_test            1,500 histories
//   SEED=n journal_sim_test     only that one
//   N=n journal_sim_test        that many
#include <inttypes.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/log.h"
#include "disk.h"

enum { SEGMENT = 4096, RECORDS = 400, LIVES = 12, HISTORIES = 1500 };

typedef struct Record {
    uint64_t first, next, seed;
    size_t   length;
} Record;

typedef struct History {
    Arena     *arena;
    Disk      *disk;
    JournalIo  io;
    Journal   *journal;
    Seeded     seeded;
    uint64_t   seed;
    Record     records[RECORDS + 2];  // by number; [count + 1] may be one whose commit failed
    uint64_t   count;                 // acknowledged
    bool       pending;
    uint64_t   sealed;
    uint64_t   expected;              // number of the next record that a replay must give
} History;

static uint64_t fired[DISK_FAULTS], starts, lost_power;

static void check(const History *history, bool fact, const char *what)
{
    if (!fact)
        fail_msg("SEED=%" PRIu64 ": %s", history->seed, what);
}

static Str payload_of(Arena *arena, const Record *record)
{
    char  *at = arena_take(arena, record->length + 1);
    Seeded seeded = seeded_of(record->seed);
    for (size_t i = 0; i < record->length; i++)
        at[i] = (char)(1 + seeded_below(&seeded, 255));
    return (Str){ at, record->length };
}

static bool wanted(const Record *record, uint64_t from)
{
    return record->first == record->next ? record->first >= from : record->next > from;
}

static Err *see(void *context, const JournalRecord *seen)
{
    History *history = context;
    uint64_t last = history->count + history->pending;
    while (history->expected <= last
           && !wanted(&history->records[history->expected], history->sealed))
        history->expected++;
    check(history, seen->number == history->expected, "a record is missing or out of order");
    check(history, seen->number <= last, "a record that was never appended");
    const Record *record = &history->records[seen->number];
    check(history, seen->first == record->first && seen->next == record->next, "other sequences");
    check(history, str_equal(seen->payload, payload_of(history->arena, record)), "another payload");
    history->expected++;
    return NULL;
}

static Err *start(History *history)
{
    JournalOptions options = { .folder = STR("j"), .partition = 1, .segment_bytes = SEGMENT,
                               .io = &history->io, .one_thread = true };
    history->expected = 1;
    history->journal = NULL;
    starts++;
    TRY(journal_open(history->arena, &options, &history->journal));
    return journal_replay(history->journal, history->arena, history->sealed, see, history);
}

// The record whose commit failed is there now, or never will be.
static void settle(History *history)
{
    uint64_t last = journal_last_number(history->journal);
    check(history, last == history->count || (history->pending && last == history->count + 1),
          "the newest record is not the newest");
    uint64_t expected = history->expected;
    while (expected <= last && !wanted(&history->records[expected], history->sealed))
        expected++;
    check(history, expected == last + 1, "acknowledged records were not given");
    history->count = last;
    history->pending = false;
}

static void append(History *history)
{
    uint64_t n = history->count + 1;
    Record  *record = &history->records[n];
    uint64_t next = history->records[history->count].next;
    *record =
        (Record){ .first = next,
                  .next = next + seeded_below(&history->seeded, 4),
                  .seed = seeded_next(&history->seeded),
                  .length = (size_t)seeded_below(&history->seeded, n % 9 == 0 ? 9000 : 1500) };
    Str whole = payload_of(history->arena, record);
    Str parts[2] = { { whole.at, whole.length / 2 },
                     { whole.at + whole.length / 2, whole.length - whole.length / 2 } };
    JournalEntry entry = { record->first, record->next, parts, 2 };
    Err         *err = journal_append(history->journal, history->arena, &entry);
    if (err == NULL) {
        history->count++;
        return;
    }
    check(history, err->code == ERR_JOURNAL_FAILED, "another error");
    history->pending = true;
    check(history, journal_append(history->journal, history->arena, &entry) != NULL,
          "an append after a failure");
}

static void work(History *history)
{
    uint64_t steps = 1 + seeded_below(&history->seeded, 25);
    for (uint64_t i = 0; i < steps && history->count < RECORDS && !history->pending; i++) {
        append(history);
        if (!history->pending && seeded_below(&history->seeded, 5) == 0) {
            uint64_t newest = history->records[history->count].next;
            history->sealed += seeded_below(&history->seeded, newest - history->sealed + 1);
            journal_release(history->journal, history->sealed);
        }
    }
}

static void choose_fault(History *history)
{
    history->disk->fault = (DiskFault)(1 + seeded_below(&history->seeded, DISK_FAULTS - 1));
    history->disk->fault_at = history->disk->calls + 1 + seeded_below(&history->seeded, 60);
}

static void die(History *history)
{
    journal_close(history->journal);
    history->journal = NULL;
    if (seeded_below(&history->seeded, 2) == 0) {
        disk_process_dies(history->disk);
    } else {
        disk_power_loss(history->disk);
        lost_power++;
    }
}

// A start without a fault always succeeds; one with a fault may be refused, and then changes
// nothing that matters.
static void life(History *history)
{
    if (seeded_below(&history->seeded, 3) > 0)
        choose_fault(history);
    uint64_t before = history->disk->fired[history->disk->fault];
    Err     *err = start(history);
    if (err != NULL) {
        uint64_t failed = history->disk->fired[history->disk->fault];
        check(history, failed > before, str_terminated(history->arena, err->detail));
        die(history);
        history->disk->fault_at = 0;
        err = start(history);
        if (err != NULL)
            check(history, false, str_terminated(history->arena, err->detail));
    }
    settle(history);
    work(history);
    die(history);
}

static void run_history(uint64_t seed)
{
    History *history = memory_take(sizeof(History));
    history->seed = seed;
    history->seeded = seeded_of(seed);
    history->arena = arena_open();
    history->disk = disk_open_new(seed * 31);
    history->io = disk_io(history->disk);
    history->records[0].next = seeded_below(&history->seeded, 2);
    for (int i = 0;
         i < LIVES && history->count < RECORDS && history->disk->file_count < DISK_FILES - 40; i++)
        life(history);
    for (int fault = 0; fault < DISK_FAULTS; fault++)
        fired[fault] += history->disk->fired[fault];
    disk_release(history->disk);
    arena_close(history->arena);
    memory_release(history);
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t    number = otherwise;
    if (text != NULL)
        assert_true(str_whole(str_of(text), UINT64_MAX, &number));
    return number;
}

static void no_history_loses_what_was_acknowledged(void **state)
{
    (void)state;
    uint64_t seed = environment("SEED", 0), histories = environment("N", HISTORIES);
    log_threshold(LOG_ERROR + 1);
    if (seed != 0) {
        run_history(seed);
        return;
    }
    for (uint64_t n = 1; n <= histories; n++)
        run_history(n);
    print_message("           %" PRIu64 " starts, %" PRIu64 " losses of power; EIO %" PRIu64
                  ", ENOSPC %" PRIu64 ", short %" PRIu64 ", torn %" PRIu64 ", lost sync %" PRIu64
                  ", crash %" PRIu64 "\n",
                  starts, lost_power, fired[DISK_EIO], fired[DISK_ENOSPC], fired[DISK_SHORT],
                  fired[DISK_TORN], fired[DISK_LOST_SYNC], fired[DISK_CRASH]);
    for (int fault = DISK_EIO; fault < DISK_FAULTS; fault++)
        assert_true(fired[fault] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_history_loses_what_was_acknowledged) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
