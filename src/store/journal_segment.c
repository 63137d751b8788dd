// SPDX-License-Identifier: Apache-2.0
// Segments and their spares. A segment gets its name only when it is all zeros, and loses it before
// it is zeroed again, oldest first, each step made durable before the next: so after any crash the
// names are without a gap and what stands in a named segment was written under that name.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/journal_inside.h"

enum { SPARES = 2, ZEROS = 1 << 20, RETRY_US = 1000000 };

void journal__segment_path(const Journal *journal, uint64_t name, char path[JOURNAL_PATH])
{
    snprintf(path, JOURNAL_PATH, "%s/%016" PRIx64 ".journal", journal->folder, name);
}

static void spare_path(const Journal *journal, uint64_t name, char path[JOURNAL_PATH])
{
    snprintf(path, JOURNAL_PATH, "%s/spare-%" PRIx64, journal->folder, name);
}

bool journal__name_parse(const char *text, uint64_t *name)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 16; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *name = value;
    return strcmp(text + 16, ".journal") == 0;
}

// A short answer is continued: the system may write less than was asked for.
int journal__write(const JournalIo *io, int file, struct iovec *parts, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t done = io->pwritev(io->context, file, parts, count, offset);
        if (done == -EINTR)
            continue;
        if (done <= 0)
            return done == 0 ? -EIO : (int)done;
        offset += (uint64_t)done;
        size_t left = (size_t)done;
        for (; count > 0 && left >= parts->iov_len; parts++, count--)
            left -= parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

int journal__read(const JournalIo *io, int file, unsigned char *at, uint64_t bytes)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t got = io->pread(io->context, file, at + done, (size_t)(bytes - done), done);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? -EIO : (int)got;
        done += (uint64_t)got;
    }
    return 0;
}

// Synced piece by piece, so that a commit beside it never waits for a whole segment of zeros.
int journal__write_zeros(Journal *journal, int file, uint64_t from, uint64_t to)
{
    int failed = 0;
    do {
        uint64_t     piece = to - from < ZEROS ? to - from : ZEROS;
        struct iovec part = { journal->zeros, (size_t)piece };
        if (piece > 0)
            failed = journal__write(journal->io, file, &part, 1, from);
        if (failed == 0)
            failed = journal->io->sync(journal->io->context, file);
        from += piece;
    } while (from < to && failed == 0);
    return failed;
}

static uint64_t spare_name(Journal *journal)
{
    lock_take(&journal->lock);
    uint64_t name = journal->next_spare++;
    lock_release(&journal->lock);
    return name;
}

// An empty file under a spare name. One that is not empty was left by an earlier process, whose
// removal failed: what is in it must not come back.
static int spare_open(Journal *journal, Spare *spare)
{
    const JournalIo *io = journal->io;
    char             path[JOURNAL_PATH];
    for (;;) {
        spare->name = spare_name(journal);
        spare_path(journal, spare->name, path);
        spare->file = io->open(io->context, path);
        if (spare->file < 0)
            return spare->file;
        int64_t bytes = io->size(io->context, spare->file);
        if (bytes == 0)
            return 0;
        io->close(io->context, spare->file);
        if (bytes < 0)
            return (int)bytes;
    }
}

static int spare_make(Journal *journal, uint64_t bytes, Spare *spare)
{
    const JournalIo *io = journal->io;
    char             path[JOURNAL_PATH];
    int              failed = spare_open(journal, spare);
    if (failed != 0)
        return failed;
    spare_path(journal, spare->name, path);
    failed = journal__write_zeros(journal, spare->file, 0, bytes);
    if (failed != 0) {
        io->close(io->context, spare->file);
        io->remove(io->context, path);
    }
    return failed;
}

static void spare_keep(Journal *journal, Spare spare)
{
    lock_take(&journal->lock);
    vector_push(&journal->spares, spare);
    lock_release(&journal->lock);
}

static bool spare_take(Journal *journal, Spare *spare)
{
    lock_take(&journal->lock);
    bool have = journal->spares.count > 0;
    if (have)
        *spare = journal->spares.at[--journal->spares.count];
    signal_one(&journal->work);
    lock_release(&journal->lock);
    return have;
}

static int rename_durably(Journal *journal, const char *from, const char *to)
{
    const JournalIo *io = journal->io;
    int              failed = io->rename(io->context, from, to);
    return failed != 0 ? failed : io->sync_folder(io->context, journal->folder);
}

// After a failed rename the next older name may still be there after a crash, so no younger one may
// go: retiring stops for this process, and the folder only grows.
static int segment_retire(Journal *journal, Segment segment, size_t spares)
{
    const JournalIo *io = journal->io;
    char             from[JOURNAL_PATH], to[JOURNAL_PATH];
    Spare            spare = { .name = spare_name(journal), .file = segment.file };
    journal__segment_path(journal, segment.name, from);
    spare_path(journal, spare.name, to);
    int failed = rename_durably(journal, from, to);
    if (failed != 0) {
        lock_take(&journal->lock);
        journal->retire_stopped = true;
        lock_release(&journal->lock);
        io->close(io->context, segment.file);
        return failed;
    }
    bool wanted = spares < SPARES && segment.bytes == journal->segment_bytes;
    if (wanted)
        failed = journal__write_zeros(journal, segment.file, 0, segment.bytes);
    if (wanted && failed == 0) {
        spare_keep(journal, spare);
        return 0;
    }
    io->close(io->context, segment.file);
    io->remove(io->context, to);
    return failed;
}

static bool retired_take(Journal *journal, Segment *segment, size_t *spares)
{
    lock_take(&journal->lock);
    *spares = journal->spares.count;
    bool have = journal->retired.count > 0 && !journal->retire_stopped;
    if (have) {
        *segment = journal->retired.at[0];
        memmove(journal->retired.at, journal->retired.at + 1,
                --journal->retired.count * sizeof(Segment));
    }
    lock_release(&journal->lock);
    return have;
}

bool journal__keep_step(Journal *journal)
{
    Segment segment;
    Spare   spare;
    size_t  spares;
    int     failed;
    if (retired_take(journal, &segment, &spares)) {
        failed = segment_retire(journal, segment, spares);
    } else if (spares < SPARES) {
        failed = spare_make(journal, journal->segment_bytes, &spare);
        if (failed == 0)
            spare_keep(journal, spare);
    } else {
        return false;
    }
    if (failed != 0)
        log_line(LOG_WARN, "journal: a segment could not be prepared errno=%d", -failed);
    return failed == 0;
}

void *journal__keeper_run(void *argument)
{
    Journal *journal = argument;
    lock_take(&journal->lock);
    while (!journal->stopping) {
        lock_release(&journal->lock);
        bool more = journal__keep_step(journal);
        lock_take(&journal->lock);
        if (!more && !journal->stopping)
            signal_wait_us(&journal->work, &journal->lock, RETRY_US);
    }
    lock_release(&journal->lock);
    return NULL;
}

int journal__segment_begin(Journal *journal, uint64_t bytes)
{
    Spare spare;
    char  from[JOURNAL_PATH], to[JOURNAL_PATH];
    bool  common = bytes <= journal->segment_bytes;
    bytes = common ? journal->segment_bytes : bytes;
    if (!common || !spare_take(journal, &spare)) {
        int failed = spare_make(journal, bytes, &spare);
        if (failed != 0)
            return failed;
    }
    lock_take(&journal->lock);
    size_t   count = journal->segments.count;
    uint64_t name = count == 0 ? 1 : journal->segments.at[count - 1].name + 1;
    lock_release(&journal->lock);
    spare_path(journal, spare.name, from);
    journal__segment_path(journal, name, to);
    int failed = rename_durably(journal, from, to);
    if (failed != 0) {
        journal->io->close(journal->io->context, spare.file);
        return failed;
    }
    lock_take(&journal->lock);
    vector_push(&journal->segments,
                ((Segment){ .name = name, .file = spare.file, .bytes = bytes }));
    lock_release(&journal->lock);
    journal->end = 0;
    return 0;
}
