// SPDX-License-Identifier: Apache-2.0
// Reading the journal at start. It ends at the first record that is not the next; the question is
// whether that is an end or damage. It is damage when anything proves that a record stood there:
//   * a valid younger record behind, in this segment or a later one;
//   * a later segment at all, while this one's tail is not zeros;
//   * bytes that no torn write leaves. A segment is zeroed before use and a disk writes whole
//     sectors, so a torn record has a sector of zeros where it has not the right bytes.
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/random.h"
#include "store/journal_inside.h"

typedef struct Replay {
    Journal *journal;
    Arena   *arena;
    uint64_t from;
    Err   *(*take)(void *context, const JournalRecord *record);
    void    *context;
    unsigned char *bytes;   // of the segment being read
    uint64_t room;
    bool     began;         // the oldest record was seen
    bool     stopped;
    bool     stopped_clean;  // only zeros stand behind
    size_t   stop_segment;  // index
    uint64_t stop_at;
    uint64_t newest_at;     // where the newest record begins, when it is in stop_segment
} Replay;

static bool all_zero(const unsigned char *at, uint64_t bytes)
{
    return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, (size_t)bytes - 1) == 0);
}

static Err *damaged(Replay *replay, uint64_t segment, uint64_t from, uint64_t to, const char *why)
{
    uint64_t number = replay->journal->number + 1;
    log_line(LOG_ERROR, "journal damaged segment=%016" PRIx64 " bytes=%" PRIu64 "..%" PRIu64
             " record=%" PRIu64 " why=\"%s\"", segment, from, to, number, why);
    return refuse(replay->arena, ERR_STORE_FAILED, STR_NONE,
                  "the journal is damaged in segment %016" PRIx64 ", bytes %" PRIu64 " to %" PRIu64
                  ", from record %" PRIu64 " on: %s", segment, from, to, number, why);
}

static Err *segment_load(Replay *replay, const Segment *segment)
{
    if (replay->room < segment->bytes) {
        replay->room = segment->bytes;
        replay->bytes = memory_resize(replay->bytes, (size_t)replay->room);
    }
    int failed = journal__read(replay->journal->io, segment->file, replay->bytes, segment->bytes);
    if (failed == 0)
        return NULL;
    return refuse(replay->arena, ERR_STORE_FAILED, STR_NONE,
                  "journal segment %016" PRIx64 " cannot be read: %s", segment->name,
                  strerror(-failed));
}

// The loaded segment must hold no valid younger record at or behind `from`.
static Err *refuse_later(Replay *replay, const Segment *segment, uint64_t from)
{
    Journal       *journal = replay->journal;
    const Segment *stop = &journal->segments.at[replay->stop_segment];
    JournalHeader  header;
    for (uint64_t at = from; at < segment->bytes; at += JOURNAL_SECTOR) {
        if (!journal__record_valid(journal, replay->bytes + at, segment->bytes - at, &header))
            continue;
        if (header.number <= journal->number)
            continue;
        log_line(LOG_ERROR, "journal: valid record=%" PRIu64 " stands at segment=%016" PRIx64
                 " byte=%" PRIu64, header.number, segment->name, at);
        return damaged(replay, stop->name, replay->stop_at, segment == stop ? at : stop->bytes,
                       "valid records stand behind");
    }
    return NULL;
}

// The loaded segment's bytes from `at` on: what a torn write leaves, or damage?
static Err *refuse_untorn(Replay *replay, const Segment *segment, uint64_t at)
{
    Journal             *journal = replay->journal;
    const unsigned char *bytes = replay->bytes + at;
    uint64_t             left = segment->bytes - at;
    JournalHeader        header;
    if (left == 0 || all_zero(bytes, JOURNAL_SECTOR))
        return NULL;
    if (!journal__header_read(bytes, &header))
        return damaged(replay, segment->name, at, at + JOURNAL_SECTOR,
                       "the newest record's header is changed");
    bool ours = header.version == JOURNAL_VERSION && header.partition == journal->partition
                && (journal->identity == 0 || header.identity == journal->identity);
    if (!ours || header.length > left - JOURNAL_HEADER
        || !journal__record_follows(journal, &header))
        return damaged(replay, segment->name, at, at + JOURNAL_SECTOR,
                       "the record is not this journal's next");
    uint64_t extent = journal__sectors(JOURNAL_HEADER + header.length);
    for (uint64_t sector = JOURNAL_SECTOR; sector < extent; sector += JOURNAL_SECTOR)
        if (all_zero(bytes + sector, JOURNAL_SECTOR))
            return NULL;
    return damaged(replay, segment->name, at, at + extent, "the newest record is changed");
}

static Err *record_give(Replay *replay, const JournalHeader *header, const unsigned char *payload)
{
    if (!replay->began && header->number > 1 && header->first > replay->from)
        return refuse(replay->arena, ERR_STORE_FAILED, STR_NONE,
                      "the journal begins at sequence %" PRIu64
                      ", behind the sealed position %" PRIu64,
                      header->first, replay->from);
    replay->began = true;
    bool wanted = header->first == header->next ? header->first >= replay->from
                                                : header->next > replay->from;
    JournalRecord record = { header->number, header->first, header->next,
                             { (const char *)payload, (size_t)header->length } };
    return wanted ? replay->take(replay->context, &record) : NULL;
}

// Gives the loaded segment's records up to the first that is not the next, and judges what is
// there.
static Err *segment_replay(Replay *replay, size_t index)
{
    Journal      *journal = replay->journal;
    Segment      *segment = &journal->segments.at[index];
    JournalHeader header;
    uint64_t      at = 0;
    replay->newest_at = 0;
    while (journal__record_valid(journal, replay->bytes + at, segment->bytes - at, &header)
           && journal__record_follows(journal, &header)) {
        journal__record_accept(journal, segment, &header);
        TRY(record_give(replay, &header, replay->bytes + at + JOURNAL_HEADER));
        replay->newest_at = at;
        at += journal__sectors(JOURNAL_HEADER + header.length);
    }
    replay->stopped = true;
    replay->stop_segment = index;
    replay->stop_at = at;
    replay->stopped_clean = all_zero(replay->bytes + at, segment->bytes - at);
    if (replay->stopped_clean)
        return NULL;
    TRY(refuse_later(replay, segment, at));
    return refuse_untorn(replay, segment, at);
}

static bool continues(Replay *replay, const Segment *segment)
{
    JournalHeader header;
    return journal__record_valid(replay->journal, replay->bytes, segment->bytes, &header)
           && journal__record_follows(replay->journal, &header);
}

static Err *replay_segments(Replay *replay)
{
    Journal *journal = replay->journal;
    for (size_t i = 0; i < journal->segments.count; i++) {
        Segment *segment = &journal->segments.at[i];
        TRY(segment_load(replay, segment));
        if (replay->stopped && !continues(replay, segment)) {
            const Segment *stop = &journal->segments.at[replay->stop_segment];
            TRY(refuse_later(replay, segment, 0));
            if (!replay->stopped_clean)
                return damaged(replay, stop->name, replay->stop_at, stop->bytes,
                               "a later segment exists");
        }
        TRY(segment_replay(replay, i));
    }
    return NULL;
}

// Writes the newest record once more, the same bytes, before it counts: its commit may have ended
// in a failed sync, after which the system can hold a page that the disk never got and call it
// clean.
static int write_newest_again(Replay *replay, const Segment *segment)
{
    if (!segment->holds_records)
        return 0;
    struct iovec part = { replay->bytes + replay->newest_at,
                          (size_t)(replay->stop_at - replay->newest_at) };
    return journal__write(replay->journal->io, segment->file, &part, 1, replay->newest_at);
}

// The newest segment is still loaded. Behind its newest record come zeros again.
static Err *cut_tail(Replay *replay)
{
    Journal *journal = replay->journal;
    Segment *segment = &journal->segments.at[replay->stop_segment];
    assert_that(replay->stop_segment + 1 == journal->segments.count);
    if (!replay->stopped_clean)
        log_line(LOG_WARN,
                 "journal: a torn tail is cut segment=%016" PRIx64 " byte=%" PRIu64
                 " after_record=%" PRIu64,
                 segment->name, replay->stop_at, (uint64_t)journal->number);
    int failed = write_newest_again(replay, segment);
    if (failed == 0)  // the process may have died between naming a segment and syncing the name
        failed = journal->io->sync_folder(journal->io->context, journal->folder);
    if (failed == 0)
        failed = journal__write_zeros(journal, segment->file, replay->stop_at,
                                      replay->stopped_clean ? replay->stop_at : segment->bytes);
    if (failed == 0)
        return NULL;
    return refuse(replay->arena, ERR_STORE_FAILED, STR_NONE,
                  "the journal's end cannot be written: %s", strerror(-failed));
}

static Err *replay_all(Replay *replay)
{
    Journal *journal = replay->journal;
    TRY(replay_segments(replay));
    if (journal->next < replay->from)
        return refuse(replay->arena, ERR_STORE_FAILED, STR_NONE,
                      "the journal ends at sequence %" PRIu64
                      ", before the sealed position %" PRIu64,
                      (uint64_t)journal->next, replay->from);
    if (replay->stopped)
        TRY(cut_tail(replay));
    journal->end = replay->stop_at;
    while (journal->identity == 0)
        random_bytes(&journal->identity, sizeof journal->identity);
    return NULL;
}

Err *journal_replay(Journal *journal, Arena *arena, uint64_t from_sequence,
                    Err *(*take)(void *context, const JournalRecord *record), void *context)
{
    assert_that(!journal->replayed);
    Replay replay = { .journal = journal, .arena = arena, .from = from_sequence, .take = take,
                      .context = context };
    Err *err = replay_all(&replay);
    memory_release(replay.bytes);
    if (err != NULL)
        return err;
    journal->replayed = true;
    if (!journal->one_thread)
        thread_start(&journal->keeper, "journal-spare", journal__keeper_run, journal);
    return NULL;
}
