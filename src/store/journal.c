// SPDX-License-Identifier: Apache-2.0
// Opening, appending, releasing. What stands behind the newest record is zeros, always. The
// invariant: a sector that was synced with an acknowledged record in it is never given other bytes
// while its segment has a name, and no older record can be taken for a newer one, because numbers,
// chain and the journal's identity must fit.
#include "store/journal.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "store/journal_inside.h"

enum { PARTS_AT_ONCE = 1000, ZEROS = 1 << 20, PAGE = 4096 };
_Static_assert(PARTS_AT_ONCE <= IOV_MAX, "parts of one write");

// ---- opening

typedef struct Found {
    Journal *journal;
    VECTOR(uint64_t) names;
} Found;

// Spares of an earlier process may be half zeroed: they go.
static void found_name(void *to, const char *text)
{
    Found           *found = to;
    const JournalIo *io = found->journal->io;
    char             path[JOURNAL_PATH];
    uint64_t         name;
    if (journal__name_parse(text, &name)) {
        vector_push(&found->names, name);
    } else if (strncmp(text, "spare-", 6) == 0) {
        snprintf(path, sizeof path, "%s/%.255s", found->journal->folder, text);
        io->remove(io->context, path);
    }
}

static void sort_names(uint64_t *at, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && at[j - 1] > at[j]; j--) {
            uint64_t swap = at[j];
            at[j] = at[j - 1];
            at[j - 1] = swap;
        }
}

static Err *segment_open(Journal *journal, Arena *arena, uint64_t name)
{
    const JournalIo *io = journal->io;
    char             path[JOURNAL_PATH];
    size_t           count = journal->segments.count;
    if (count > 0 && journal->segments.at[count - 1].name + 1 != name)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "journal segments %016" PRIx64 " to %016" PRIx64 " are missing",
                      journal->segments.at[count - 1].name + 1, name - 1);
    journal__segment_path(journal, name, path);
    int file = io->open(io->context, path);
    if (file < 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "journal segment %016" PRIx64
                      " cannot be opened: %s", name, strerror(-file));
    int64_t bytes = io->size(io->context, file);
    if (bytes <= 0 || bytes % PAGE != 0) {
        io->close(io->context, file);
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "journal segment %016" PRIx64
                      " has %" PRId64 " bytes, which no segment has", name, bytes);
    }
    vector_push(&journal->segments,
                ((Segment){ .name = name, .file = file, .bytes = (uint64_t)bytes }));
    return NULL;
}

static Err *segments_open(Journal *journal, Arena *arena)
{
    Found found = { .journal = journal };
    Err  *err = NULL;
    int   failed = journal->io->list(journal->io->context, journal->folder, found_name, &found);
    if (failed != 0)
        err = refuse(arena, ERR_STORE_FAILED, STR_NONE, "the journal's folder cannot be read: %s",
                     strerror(-failed));
    sort_names(found.names.at, found.names.count);
    for (size_t i = 0; i < found.names.count && err == NULL; i++)
        err = segment_open(journal, arena, found.names.at[i]);
    vector_release(&found.names);
    return err;
}

static char *text_own(Str from)
{
    char *text = memory_take(from.length + 1);
    memcpy(text, from.at, from.length);
    return text;
}

// ---- appending

static Err *latch(Journal *journal, Arena *arena, const char *step, int failed)
{
    atomic_store(&journal->failed, true);
    log_line(LOG_ERROR, "journal failed; ingest stops until a restart step=%s why=\"%s\"", step,
             strerror(-failed));
    return journal_health(journal, arena);
}

// The header, the parts, zeros to the end of the last sector: one write, unless the parts are very
// many.
static int record_write(Journal *journal, int file, unsigned char *header, const Str *parts,
                        size_t count)
{
    struct iovec pieces[PARTS_AT_ONCE];
    uint64_t     at = journal->end, bytes = JOURNAL_HEADER;
    int          used = 0;
    pieces[used++] = (struct iovec){ header, JOURNAL_HEADER };
    for (size_t i = 0; i <= count; i++) {
        bool   last = i == count;
        void  *from = last ? (void *)journal->zeros : (void *)(uintptr_t)parts[i].at;
        size_t length = last ? (size_t)(journal__sectors(bytes) - bytes) : parts[i].length;
        if (length > 0)
            pieces[used++] = (struct iovec){ from, length };
        bytes += length;
        if (used < PARTS_AT_ONCE && !last)
            continue;
        int failed = journal__write(journal->io, file, pieces, used, at);
        if (failed != 0)
            return failed;
        at = journal->end + bytes;
        used = 0;
    }
    return 0;
}

// The newest segment's file, with room for `extent` more bytes; 0 or -errno.
static int segment_with_room(Journal *journal, uint64_t extent, int *file)
{
    lock_take(&journal->lock);
    size_t count = journal->segments.count;
    bool   fits = count > 0 && journal->end + extent <= journal->segments.at[count - 1].bytes;
    lock_release(&journal->lock);
    if (!fits) {
        int failed = journal__segment_begin(journal, (extent + PAGE - 1) / PAGE * PAGE);
        if (failed != 0)
            return failed;
    }
    lock_take(&journal->lock);
    *file = journal->segments.at[journal->segments.count - 1].file;
    lock_release(&journal->lock);
    return 0;
}

static void record_done(Journal *journal, const unsigned char *written, uint64_t extent)
{
    JournalHeader header;
    assert_that(journal__header_read(written, &header));
    lock_take(&journal->lock);
    journal__record_accept(journal, &journal->segments.at[journal->segments.count - 1], &header);
    lock_release(&journal->lock);
    journal->end += extent;
    counter_add(METRIC_JOURNAL_COMMITS, 1);
    counter_add(METRIC_JOURNAL_BYTES, (int64_t)extent);
}

// ---- releasing

// A segment may go when a younger one holds records, all its own are sealed, and all before it are
// gone.
static bool oldest_may_go(const Journal *journal, uint64_t sealed)
{
    if (journal->segments.count == 0 || journal->segments.at[0].keep_until > sealed)
        return false;
    for (size_t i = 1; i < journal->segments.count; i++)
        if (journal->segments.at[i].holds_records)
            return true;
    return false;
}

// ---- the public part

Err *journal_open(Arena *arena, const JournalOptions *options, Journal **journal)
{
    uint64_t bytes = options->segment_bytes == 0 ? JOURNAL_SEGMENT_BYTES : options->segment_bytes;
    assert_that(bytes % PAGE == 0);
    if (options->folder.length > JOURNAL_PATH - 300)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the journal's folder name is too long");
    Journal *made = memory_take(sizeof(Journal));
    made->io = options->io == NULL ? journal_io_files() : options->io;
    made->folder = text_own(options->folder);
    made->partition = options->partition;
    made->segment_bytes = bytes;
    made->one_thread = options->one_thread;
    made->zeros = memory_take(ZEROS);
    made->sum = XXH3_createState();
    assert_that(made->sum != NULL);
    lock_open(&made->lock);
    signal_open(&made->work);
    Err *err = segments_open(made, arena);
    if (err != NULL) {
        journal_close(made);
        return err;
    }
    *journal = made;
    return NULL;
}

void journal_close(Journal *journal)
{
    if (journal == NULL)
        return;
    const JournalIo *io = journal->io;
    lock_take(&journal->lock);
    journal->stopping = true;
    signal_all(&journal->work);
    lock_release(&journal->lock);
    thread_join(&journal->keeper);
    for (size_t i = 0; i < journal->segments.count; i++)
        io->close(io->context, journal->segments.at[i].file);
    for (size_t i = 0; i < journal->retired.count; i++)
        io->close(io->context, journal->retired.at[i].file);
    for (size_t i = 0; i < journal->spares.count; i++)
        io->close(io->context, journal->spares.at[i].file);
    vector_release(&journal->segments);
    vector_release(&journal->retired);
    vector_release(&journal->spares);
    signal_close(&journal->work);
    lock_close(&journal->lock);
    XXH3_freeState(journal->sum);
    memory_release(journal->zeros);
    memory_release(journal->folder);
    memory_release(journal);
}

uint64_t journal_last_number(const Journal *journal)
{
    return journal->number;
}

uint64_t journal_last_next(const Journal *journal)
{
    return journal->next;
}

Err *journal_health(Journal *journal, Arena *arena)
{
    if (!journal->failed)
        return NULL;
    return refuse(arena, ERR_JOURNAL_FAILED, STR_NONE,
                  "a write or a sync of the journal has failed");
}

void journal_release(Journal *journal, uint64_t sealed)
{
    assert_that(journal->replayed);
    lock_take(&journal->lock);
    while (oldest_may_go(journal, sealed)) {
        vector_push(&journal->retired, journal->segments.at[0]);
        memmove(journal->segments.at, journal->segments.at + 1,
                --journal->segments.count * sizeof(Segment));
    }
    signal_one(&journal->work);
    lock_release(&journal->lock);
    while (journal->one_thread && journal__keep_step(journal))
        continue;
}

Err *journal_append(Journal *journal, Arena *arena, const JournalEntry *entry)
{
    assert_that(journal->replayed && entry->first <= entry->next);
    assert_that(journal->number == 0 || entry->first == journal->next);
    TRY(journal_health(journal, arena));

    unsigned char bytes[JOURNAL_HEADER];
    JournalHeader header = { .version = JOURNAL_VERSION, .partition = journal->partition,
                             .identity = journal->identity, .number = journal->number + 1,
                             .first = entry->first, .next = entry->next,
                             .previous = journal->last_sum };
    for (size_t i = 0; i < entry->count; i++)
        header.length += entry->parts[i].length;
    journal__header_write(journal, &header, entry->parts, entry->count, bytes);

    uint64_t extent = journal__sectors(JOURNAL_HEADER + header.length);
    int      file;
    int      failed = segment_with_room(journal, extent, &file);
    if (failed != 0)
        return latch(journal, arena, "segment", failed);
    failed = record_write(journal, file, bytes, entry->parts, entry->count);
    if (failed != 0)
        return latch(journal, arena, "write", failed);
    int64_t began = clock_tick_us();
    failed = journal->io->sync(journal->io->context, file);
    if (failed != 0)
        return latch(journal, arena, "sync", failed);
    counter_add(METRIC_JOURNAL_SYNC_MICROSECONDS, clock_tick_us() - began);
    record_done(journal, bytes, extent);
    return NULL;
}
