// One partition of usage: the owner of its journal, its ids, its cells, and of the threads that
// turn requests into durable verdicts.
//
//   HTTP thread:  partition_submit -> probe sealed ids -> queue
//   sequencer:    verdict per event -> journal record
//   committer:    one write, one sync -> fold into the active generation -> done()
//   sealer:       a full generation -> sorted files -> the usage store
//
// Nothing is answered before the sync of the commit that was open when it got its verdict. A failed
// write or sync latches the partition: every submit answers JOURNAL_FAILED until the process
// restarts.
#pragma once

#include "base/json.h"
#include "catalog/meter.h"
#include "flow/ingest/event.h"

typedef struct Partition Partition;

typedef struct PartitionOptions {
    Str      folder;        // <data directory>/usage
    HashKey  key;           // of the identity hash; part of the data directory
    uint32_t seal_bits;     // a seal is 2^seal_bits events: 20; fixed when the directory is made
    size_t   queue_bytes;   // 64 MiB; beyond: QUEUE_FULL
    size_t   cache_bytes;   // of the usage store; 0: its default
    uint64_t segment_bytes; // of the journal; 0: its default
    bool     read_only;     // for `toll verify`: recovers, starts no thread, takes no submission
} PartitionOptions;

// What one event got. `stored` says what the id holds when it was there before.
typedef struct Verdict {
    Outcome  outcome;
    ErrCode  code;          // why, when rejected or conflicting
    uint64_t sequence;      // of the stored event, 0 when there is none
    bool     voided;        // the stored event is void
} Verdict;

// A request on its way. The caller fills the first part and keeps all of it alive until done() is
// called, on another thread; done() must not block.
typedef struct Submission {
    Str      project;       // id text
    Event   *events;        // refusal != NULL: rejected already, only counted
    size_t   count;
    bool     atomic;        // any conflict or rejection: nothing is stored
    Instant  received;
    size_t   bytes;         // counted against queue_bytes
    void   (*done)(struct Submission *submission);
    void    *context;

    Verdict *verdicts;      // count of them, taken by the caller, filled by the partition
    Err     *failure;       // set instead of verdicts when nothing was decided
    size_t   counts[OUTCOME_COUNT];
    struct PartitionProbe *probe;     // the partition's own
    struct Submission     *next;
} Submission;

// Opens, recovers (replays what is not sealed) and starts the threads. Refuses STORE_FAILED with
// the damaged range when the journal is not whole.
Err *partition_open(Arena *arena, const PartitionOptions *options,
                    Partition **partition) MUST_CHECK;
// Stops taking submissions, commits what is queued, answers it, stops the threads.
void partition_close(Partition *partition);

// Takes the submission or refuses it at once (QUEUE_FULL, SEALING_BEHIND, JOURNAL_FAILED,
// NOT_READY).
Err *partition_submit(Partition *partition, Arena *arena, Submission *submission) MUST_CHECK;

// NULL while all is well; else why /readyz must say no.
Err *partition_health(Partition *partition, Arena *arena);

// Starts counting for a meter from the next event on, durable when it returns; earlier events are
// folded in behind, and reads scan until that is done. The same definition again changes nothing;
// other `dimensions` fold the history again. Meters are part of the journal: a replay knows them.
Err *partition_meter_put(Partition *partition, Arena *arena, Str project,
                         const Meter *meter) MUST_CHECK;
Err *partition_meter_remove(Partition *partition, Arena *arena, Str project, Str meter) MUST_CHECK;

// True when the meter is active with another definition than this one.
bool partition_meter_differs(Partition *partition, Arena *arena, Str project, const Meter *meter);

uint64_t partition_sequence(Partition *partition);  // of the last durable event; 0: none

// Accounts in the order in which durable usage first named them: index 0, 1, ... For the projection
// into the books. False past the end. Names live as long as the partition.
bool partition_account(Partition *partition, uint64_t index, Str *project, Str *account);
