// The inside of a partition, for the files of this folder alone.
//
//   partition.c   open, close, submit, meters
//   sequencer.c   verdicts, records
//   committer.c   write, sync, fold, answer
//   correct.c     voids, reverts, amendments
//   recover.c     seals' own bytes and the journal's tail
//   seal.c        a full generation to the store
//   folder.c      behind: folds of ranges, backfills
//   moment.c ...  reading
//
// Locks, in the order in which they may be taken together: queue_lock, then state_lock. The names,
// the outcomes and the voids have their own, taken last.
#pragma once

#include <stdatomic.h>

#include "base/thread.h"
#include "base/vector.h"
#include "flow/aggregate/names.h"
#include "flow/aggregate/outcomes.h"
#include "flow/aggregate/record.h"
#include "flow/aggregate/voids.h"
#include "store/journal.h"
#include "store/usage_store.h"

// A change of meters on its way through the sequencer, so that it has a place among the events.
typedef struct MeterWork {
    Str  id, event;
    Str  definition;   // canonical JSON; unused when it is a removal
    bool is_removal;
    bool is_needless;  // answered: nothing to do
} MeterWork;

// A correction on its way through the sequencer; corrections.h says what is asked.
typedef struct CorrectionWork {
    VoidFact    fact;      // kind, and what is known of it; a void's targets, whole
    bool        is_exact;  // a target that is void by now: VOID_TOKEN_STALE
    Event      *events;    // of an amend
    VoidTarget *replaced;
    size_t      count;     // of events
    // The answer.
    ErrCode     refused;   // ERR_COUNT: not refused
    bool        is_needless;
    uint32_t    number;    // of the void
    uint64_t    sequence;  // the last of it
} CorrectionWork;

// What an HTTP thread found out for the sequencer.
typedef struct PartitionProbe {
    uint64_t   sealed;     // seals that were looked at; newer ids are in memory
    Identity  *found;      // one for each event; sequence 0: not in those seals
    uint32_t  *by_id;      // event indexes in ascending order of id
    uint32_t   project;    // numbers, or NAME_NONE when not named yet
    uint32_t  *events;
    uint32_t  *accounts;
    MeterWork *meter;      // instead of events
    CorrectionWork *correction;  // the same
} PartitionProbe;

// The waiting submissions of one project.
typedef struct ProjectQueue {
    Str                  project;
    Submission          *first, *last;
    struct ProjectQueue *next;  // ring of those that have any
} ProjectQueue;

// One journal record and the submissions that wait for it.
typedef struct Commit {
    RecordText  text;
    uint64_t    first, next;  // sequences
    Submission *submissions, *last;
    uint32_t    name_counts[NAME_KINDS];  // when it was closed
    bool        writes;       // false: nothing to make durable, only to answer in order
} Commit;

// A generation that is not sealed, and the names known when it was complete.
typedef struct Unsealed {
    Generation *generation;
    bool        is_full;      // all rows folded: it may be sealed
    uint32_t    name_counts[NAME_KINDS];
} Unsealed;

enum { GENERATIONS_WAITING_MAX = 2,      // full ones behind the active one: beyond, SEALING_BEHIND
       UNSEALED_FREE = 1 << 16,          // rows that may be unsealed, whatever a seal's size
       COMMIT_BYTES = 4 << 20, STORE_RUNS_MAX = 256, OUTCOMES_FLUSH_US = 1000000 };

struct Partition {
    Arena           *arena;       // of its own options and errors at open
    PartitionOptions options;
    Journal         *journal;
    UsageStore      *store;
    Names           *names;
    Outcomes        *outcomes;
    struct Merge    *merge;       // what the store's folds need to know

    // Submissions on their way to the sequencer.
    Lock          queue_lock;
    Signal        queue_changed;  // a submission came, the committer is free, or stopping
    ProjectQueue *ring;           // the next project to serve, or NULL
    VECTOR(ProjectQueue *) projects;
    size_t        queue_bytes;
    bool          stopping;
    Commit       *commit_ready;   // handed to the committer
    bool          committer_busy;
    Signal        commit_changed;
    Commit        commits[2];

    // The sequencer's own.
    Commit  *open;
    uint64_t next_sequence;
    int64_t  flushed_us;          // last record, by the monotonic clock
    VECTOR(Generation *) known;   // in memory, oldest first; as of known_epoch
    uint64_t known_epoch;
    VECTOR(bool) event_seen;      // by event number: has any event of it been accepted?

    // What readers see.
    Lock          state_lock;
    Signal        state_changed;  // a generation is full, a seal is in, or stopping
    Meters       *meters;
    Voids        *voids;          // has its own lock, taken last
    StoreView    *view;
    VECTOR(Unsealed) unsealed;    // oldest first; the last is active
    VECTOR(Generation *) dropped;  // no longer needed here: for the sealer to give back
    Generation   *spare;          // an emptied one, for the next to be made of
    Generation   *retired;        // the newest sealed one: probes from before its seal need its ids
    atomic_size_t generations;     // unsealed ones
    atomic_uint_least64_t epoch;  // rises when the list of generations changes
    uint64_t      folded;         // sequences below it are folded and visible
    uint32_t      sealed_names[NAME_KINDS];  // how many the seals hold; the sealer's
    atomic_bool   seal_stopping;
    atomic_bool   latched;        // the journal or the store failed
    atomic_uint   accounts;       // names of accounts that are durable

    Thread sequencer, committer, sealer, folder;
};

// ---- shared pieces

uint64_t partition_seal_of(const Partition *partition, uint64_t sequence);
uint32_t partition_row_of(const Partition *partition, uint64_t sequence);
// state_lock held:
Generation *partition_generation(Partition *partition, uint64_t number);      // NULL: not unsealed
Generation *partition_generation_add(Partition *partition, uint64_t number);  // the next one
void        partition_mark_full(Partition *partition, const uint32_t name_counts[NAME_KINDS]);

void        partition_view_refresh(Partition *partition);  // the store's newest view

// Applies a row of kind METER to the registry. Takes state_lock.
Err *partition_meter_apply(Partition *partition, Arena *arena, const RecordMeter *meter,
                           uint64_t sequence) MUST_CHECK;
// Ingest stops: every submission is JOURNAL_FAILED until the process restarts.
void partition_latch(Partition *partition, const Err *err);

// The sequencer's, or a recovery's: has the stream any event? Note that it has.
bool partition_event_seen(const Partition *partition, uint32_t event);
void partition_event_note(Partition *partition, uint32_t event);

// Looks the submission's ids up among the sealed ones, at the newest view.
Err *partition_probe_ids(Partition *partition, Arena *arena, Submission *submission) MUST_CHECK;

// The sequencer's: the generation of a sequence that is being put; the next one is made when the
// last is full.
Generation *sequencer_generation(Partition *partition, uint64_t sequence);
// Decides a correction: its rows, its record, its retractions, or why not.
void sequencer_correct(Partition *partition, const Submission *submission);

void *sequencer_run(void *partition);
void *committer_run(void *partition);
void *sealer_run(void *partition);
void *folder_run(void *partition);

// SEALING_BEHIND when no more rows should come for now.
Err *partition_seal_is_behind(Partition *partition, Arena *arena) MUST_CHECK;

// Waits until the work is durable, or refused. The submission's project and probe are filled.
Err *partition_submit_wait(Partition *partition, Arena *arena, Submission *submission) MUST_CHECK;

Err *partition_recover(Partition *partition, Arena *arena) MUST_CHECK;
