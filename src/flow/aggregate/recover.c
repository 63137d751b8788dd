// SPDX-License-Identifier: Apache-2.0
// Coming back: first what the seals say of names, meters and outcomes, then the journal's records
// behind the sealed position, folded as they were the first time. A replay never validates; it
// drops an event whose id came earlier among the rows in memory (a local journal has no others: its
// writer had looked among the sealed ones).
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "flow/aggregate/partition_inside.h"
#include "flow/aggregate/seal_meta.h"

static Err *damaged(Arena *arena, const char *what, uint64_t number)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "%s %llu does not read", what,
                  (unsigned long long)number);
}

// A name that is known already must be the same.
static bool name_apply(Partition *partition, const RecordName *name)
{
    uint32_t count = names_count(partition->names, name->kind);
    if (name->number > count || name->name.length == 0)
        return false;
    if (name->number < count) {
        uint32_t parent;
        Str      known = names_text(partition->names, name->kind, name->number, &parent);
        return parent == name->parent && str_equal(known, name->name);
    }
    return names_add(partition->names, name->kind, name->parent, name->name) == name->number;
}

static bool fact_apply(Partition *partition, Reader *reader)
{
    AUTO(Arena) arena = arena_open();
    VoidFact fact;
    return void_fact_read(reader, arena, &fact) && voids_apply(partition->voids, &fact);
}

static Err *range_recover(Partition *partition, Arena *arena, StoreRange range)
{
    Str           bytes;
    SealMetaParts parts;
    RecordName    name;
    SealMeter     meter;
    TRY(usage_store_meta(partition->view, arena, range, &bytes));
    if (!seal_meta_split(bytes, &parts))
        return damaged(arena, "the seal", range.first_seal);
    while (reader_left(&parts.names) > 0)
        if (!record_read_name(&parts.names, &name) || !name_apply(partition, &name))
            return damaged(arena, "a name of the seal", range.first_seal);
    while (reader_left(&parts.meters) > 0) {
        if (!seal_meta_read_meter(&parts.meters, &meter))
            return damaged(arena, "a meter of the seal", range.first_seal);
        TRY(partition_meter_apply(partition, arena, &meter.meter, meter.sequence));
    }
    while (reader_left(&parts.voids) > 0)
        if (!fact_apply(partition, &parts.voids))
            return damaged(arena, "a void of the seal", range.first_seal);
    if (!outcomes_take(partition->outcomes, range.first_seal, parts.outcomes))
        return damaged(arena, "the outcomes of the seal", range.first_seal);
    return NULL;
}

static Err *seals_recover(Partition *partition, Arena *arena)
{
    size_t            count;
    const StoreRange *ranges = store_view_ranges(partition->view, &count);
    for (size_t i = 0; i < count; i++)
        if (!store_range_is_extra(ranges[i]))
            TRY(range_recover(partition, arena, ranges[i]));
    for (int kind = 0; kind < NAME_KINDS; kind++)
        partition->sealed_names[kind] = names_count(partition->names, (NameKind)kind);
    return NULL;
}

// Which streams have sealed events.
static Err *events_recover(Partition *partition, Arena *arena)
{
    size_t            count;
    const StoreRange *ranges = store_view_ranges(partition->view, &count);
    StoreCursor      *cursor = store_cursor_open(partition->view, STORE_EVENTS, STORE_SCAN_CACHED);
    for (uint32_t event = 0; event < names_count(partition->names, NAME_EVENT); event++) {
        char     prefix[8];
        uint32_t project;
        Str      suffix, value;
        names_text(partition->names, NAME_EVENT, event, &project);
        bytes_put_u32_be(prefix, project);
        bytes_put_u32_be(prefix + 4, event);
        for (size_t i = 0; i < count && !partition_event_seen(partition, event); i++) {
            if (store_range_is_extra(ranges[i]))
                continue;
            store_cursor_seek(cursor, ranges[i], (Str){ prefix, sizeof prefix }, STR_NONE);
            if (store_cursor_next(cursor, &suffix, &value))
                partition_event_note(partition, event);
        }
    }
    Err *err = store_cursor_failure(cursor, arena);
    store_cursor_close(cursor);
    return err;
}

typedef struct Replay {
    Partition *partition;
    Arena     *arena;   // of errors
    uint64_t   from;    // sequences below it are sealed
} Replay;

static Generation *generation_of(Partition *partition, uint64_t sequence)
{
    uint64_t    number = partition_seal_of(partition, sequence);
    Generation *generation = partition_generation(partition, number);
    return generation != NULL ? generation : partition_generation_add(partition, number);
}

static bool is_known(Partition *partition, Hash128 id)
{
    for (size_t i = 0; i < partition->unsealed.count; i++)
        if (generation_find(partition->unsealed.at[i].generation, id) != ROW_END)
            return true;
    return false;
}

static Err *amended_replay(const Replay *replay, const RecordRow *row)
{
    Partition *partition = replay->partition;
    VoidFact   fact = { .kind = FACT_AMEND, .sequence = partition->next_sequence,
                        .targets = &row->replaced, .count = 1 };
    if (row->replaced.sequence >= fact.sequence || !voids_apply(partition->voids, &fact))
        return damaged(replay->arena, "the journal's amendment", partition->next_sequence);
    return NULL;
}

static Err *event_replay(Replay *replay, Generation *generation, uint32_t index,
                         const RecordRow *row)
{
    Partition *partition = replay->partition;
    uint32_t   project;
    if (row->row.event >= names_count(partition->names, NAME_EVENT) ||
        row->row.account >= names_count(partition->names, NAME_ACCOUNT))
        return damaged(replay->arena, "the journal's event", partition->next_sequence);
    Event event = {
        .unique_id = row->unique_id,
        .event = names_text(partition->names, NAME_EVENT, row->row.event, &project),
        .account = names_text(partition->names, NAME_ACCOUNT, row->row.account, NULL),
        .value = row->row.value,
        .ts = row->row.ts,
        .ts_given = row->row.ts_given,
        .properties = row->properties,
    };
    event_identify(&event, names_text(partition->names, NAME_PROJECT, project, NULL),
                   &partition->options.key);
    partition_event_note(partition, row->row.event);
    if (row->amends)
        TRY(amended_replay(replay, row));
    if (row->amends)
        generation_put_amended(generation, index, &event, &row->row);
    else if (is_known(partition, event.id))
        generation_put_other(generation, index, ROW_NONE);
    else
        generation_put_event(generation, index, &event, &row->row);
    generation_fold(generation, index, &event.digest,
                    meters_of_event(partition->meters, row->row.event));
    return NULL;
}

static Err *row_replay(Replay *replay, const RecordRow *row)
{
    static const Digest nothing;
    Partition  *partition = replay->partition;
    uint64_t    sequence = partition->next_sequence;
    Generation *generation = generation_of(partition, sequence);
    uint32_t    index = partition_row_of(partition, sequence);
    if (row->kind == ROW_EVENT) {
        TRY(event_replay(replay, generation, index, row));
    } else {
        Reader fact = reader_of(row->fact);
        generation_put_other(generation, index, row->kind);
        if (row->kind == ROW_VOID && !fact_apply(partition, &fact))
            return damaged(replay->arena, "the journal's void", sequence);
        if (row->kind == ROW_METER)
            TRY(partition_meter_apply(partition, replay->arena, &row->meter, sequence));
        generation_fold(generation, index, &nothing, (ActivationList){ NULL, 0 });
    }
    partition->next_sequence++;
    partition->folded = partition->next_sequence;
    return NULL;
}

static Err *record_replay(void *context, const JournalRecord *record)
{
    Replay      *replay = context;
    Partition   *partition = replay->partition;
    RecordReader reader;
    RecordName   name;
    RecordRow    row;
    uint64_t     sequence = record->first;
    uint32_t     name_counts[NAME_KINDS];
    if (!record_open(&reader, record->payload))
        return damaged(replay->arena, "the journal's record", record->number);
    while (record_next_name(&reader, &name))
        if (!name_apply(partition, &name))
            return damaged(replay->arena, "a name in the journal's record", record->number);
    for (; record_next_row(&reader, &row); sequence++) {
        if (sequence < replay->from)
            continue;  // the record began in the generation that was sealed last
        if (sequence != partition->next_sequence)
            return damaged(replay->arena, "the order of the journal's record", record->number);
        TRY(row_replay(replay, &row));
    }
    Str outcomes = record_outcomes(&reader);
    if (record_failed(&reader) || sequence != record->next)
        return damaged(replay->arena, "the journal's record", record->number);
    if (record->first >= replay->from &&
        !outcomes_take(partition->outcomes, partition_seal_of(partition, record->first), outcomes))
        return damaged(replay->arena, "the outcomes of the journal's record", record->number);
    for (int kind = 0; kind < NAME_KINDS; kind++)
        name_counts[kind] = names_count(partition->names, (NameKind)kind);
    lock_take(&partition->state_lock);
    partition_mark_full(partition, name_counts);
    lock_release(&partition->state_lock);
    return NULL;
}

// A new partition begins with a record of one empty row, so that sequences count from 1.
static Err *genesis(Partition *partition, Arena *arena)
{
    RecordText record = { .names = text_open(arena), .rows = text_open(arena) };
    Text       before_names = text_open(arena), before_rows = text_open(arena);
    record_clear(&record, (Instant){ clock_now_us() });
    record_add_none(&record);
    record_heads(&record, &before_names, &before_rows);
    Str parts[] = { text_str(&before_names), text_str(&before_rows), text_str(&record.rows) };
    JournalEntry entry = { 0, 1, parts, sizeof parts / sizeof *parts };
    if (!partition->options.read_only)
        TRY(journal_append(partition->journal, arena, &entry));
    static const Digest nothing;
    Generation         *generation = generation_of(partition, 0);
    generation_put_other(generation, 0, ROW_NONE);
    generation_fold(generation, 0, &nothing, (ActivationList){ NULL, 0 });
    partition->next_sequence = partition->folded = 1;
    return NULL;
}

Err *partition_recover(Partition *partition, Arena *arena)
{
    int64_t began = clock_tick_us();
    TRY(seals_recover(partition, arena));
    TRY(events_recover(partition, arena));
    uint64_t from = store_view_sealed(partition->view) << partition->options.seal_bits;
    Replay   replay = { partition, arena, from };
    partition->next_sequence = partition->folded = from;
    TRY(journal_replay(partition->journal, arena, from, record_replay, &replay));
    if (partition->next_sequence == 0)
        TRY(genesis(partition, arena));
    log_line(LOG_INFO, "usage recovered sealed=%llu replayed=%llu ms=%lld",
             (unsigned long long)from, (unsigned long long)(partition->next_sequence - from),
             (long long)(clock_tick_us() - began) / 1000);
    return NULL;
}
