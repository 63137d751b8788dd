// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/moment.h"

#include "base/assert.h"
#include "base/counter.h"

// The cells of one account in one generation, with where its streams begin.
typedef struct CopiedStream {
    uint32_t event, newest_row;
} CopiedStream;

typedef struct CopiedGeneration {
    HourCell     *cells;
    size_t        cell_count;
    CopiedStream *streams;
    size_t        stream_count;
} CopiedGeneration;

// An answer that was given before: the same question has the same.
typedef struct KnownPieces {
    const Activation   *activation;
    MomentPiece        *pieces;
    struct KnownPieces *next;
} KnownPieces;

struct MomentAccount {
    KnownPieces      *known;
    uint32_t          account;
    CopiedGeneration *generations;
    MomentAccount    *next;
};

static void moment_drop(UsageMoment *moment)
{
    for (size_t i = 0; i < moment->generations.count; i++)
        generation_release(moment->generations.at[i]);
    moment->generations.count = 0;
    store_view_release(moment->view);
    moment->view = NULL;
}

// state_lock held. A view may be newer than the list of generations by a seal that is not published
// yet; what is in the view is not taken from memory.
static void moment_take(UsageMoment *moment)
{
    Partition *partition = moment->partition;
    moment_drop(moment);
    moment->view = store_view_keep(partition->view);
    for (size_t i = 0; i < partition->unsealed.count; i++) {
        Generation *generation = partition->unsealed.at[i].generation;
        if (generation_number(generation) < store_view_sealed(moment->view))
            continue;
        generation_retain(generation);
        vector_push(&moment->generations, generation);
    }
    moment->sequence = partition->folded - 1;
}

Err *usage_moment_open(Partition *partition, Arena *arena, uint64_t as_of, UsageMoment **out)
{
    if (partition == NULL)
        return refuse(arena, ERR_USAGE_OWNER_UNREACHABLE, STR_NONE,
                      "this server has no usage of its own");
    UsageMoment *moment = arena_new(arena, UsageMoment);
    moment->partition = partition;
    moment->arena = arena;
    counter_add(METRIC_READS, 1);
    lock_take(&partition->state_lock);
    moment_take(moment);
    lock_release(&partition->state_lock);
    if (as_of != SEQUENCE_NEWEST) {
        if (as_of > moment->sequence) {
            usage_moment_close(moment);
            return refuse(arena, ERR_PARAMETER_INVALID, STR("asOf"), "asOf is past the newest "
                          "sequence");
        }
        moment->sequence = as_of;
        moment->is_fixed = true;
    }
    *out = moment;
    return NULL;
}

void usage_moment_close(UsageMoment *moment)
{
    if (moment == NULL)
        return;
    moment_drop(moment);
    voids_close(moment->without);
    vector_release(&moment->generations);
}

uint64_t usage_moment_sequence(const UsageMoment *moment)
{
    return moment->sequence;
}

Str usage_sequence_print(Arena *arena, uint64_t sequence)
{
    return str_print(arena, "p0.%llu", (unsigned long long)sequence);
}

Err *usage_sequence_parse(Arena *arena, Str text, uint64_t *sequence)
{
    Str rest = text;
    if (!str_equal(str_cut(&rest, '.'), STR("p0")) || !str_whole(rest, INT64_MAX, sequence))
        return refuse(arena, ERR_PARAMETER_INVALID, STR("asOf"), "asOf must be a sequence that an "
                      "earlier answer gave");
    return NULL;
}

// state_lock held.
static void stream_copy(UsageMoment *moment, CopiedGeneration *copy, const Generation *generation,
                        const Stream *stream)
{
    size_t count = 0;
    for (uint32_t i = stream->newest_cell; i != ROW_END; i = generation_cell(generation, i)->next)
        count++;
    HourCell *cells = arena_array(moment->arena, HourCell, copy->cell_count + count);
    for (size_t i = 0; i < copy->cell_count; i++)
        cells[i] = copy->cells[i];
    for (uint32_t i = stream->newest_cell; i != ROW_END; i = generation_cell(generation, i)->next)
        cells[copy->cell_count++] = *generation_cell(generation, i);
    copy->cells = cells;
    copy->streams[copy->stream_count++] = (CopiedStream){ stream->event, stream->newest_row };
}

// state_lock held. All streams of the account, so that later reads of the moment agree with this
// one.
static void generation_copy(UsageMoment *moment, uint32_t project, uint32_t account, size_t index)
{
    Partition        *partition = moment->partition;
    const Generation *generation = moment->generations.at[index];
    CopiedGeneration *copy = &moment->accounts->generations[index];
    uint32_t          events = names_count(partition->names, NAME_EVENT);
    copy->streams = arena_array(moment->arena, CopiedStream, events);
    for (uint32_t event = 0; event < events; event++) {
        uint32_t parent;
        names_text(partition->names, NAME_EVENT, event, &parent);
        const Stream *stream =
            parent == project ? generation_stream(generation, event, account) : NULL;
        if (stream != NULL)
            stream_copy(moment, copy, generation, stream);
    }
}

static MomentAccount *account_of(UsageMoment *moment, uint32_t project, uint32_t account)
{
    for (MomentAccount *at = moment->accounts; at != NULL; at = at->next)
        if (at->account == account)
            return at;
    MomentAccount *copied = arena_new(moment->arena, MomentAccount);
    lock_take(&moment->partition->state_lock);
    if (!moment->is_fixed)
        moment_take(moment);
    moment->is_fixed = true;
    copied->account = account;
    copied->generations =
        arena_array(moment->arena, CopiedGeneration, moment->generations.count);
    copied->next = moment->accounts;
    moment->accounts = copied;
    for (size_t i = 0; i < moment->generations.count; i++)
        generation_copy(moment, project, account, i);
    lock_release(&moment->partition->state_lock);
    return copied;
}

static MomentPiece piece_of_account(const UsageMoment *moment, const MomentQuestion *question,
                                    const MomentAccount *copied, size_t index)
{
    const CopiedGeneration *copy = &copied->generations[index];
    MomentPiece             piece = {
                    .generation = moment->generations.at[index],
                    .newest_row = ROW_END,
                    .cells = arena_array(moment->arena, HourCell, copy->cell_count),
    };
    for (size_t i = 0; i < copy->stream_count; i++)
        if (copy->streams[i].event == question->activation->event)
            piece.newest_row = copy->streams[i].newest_row;
    for (size_t i = 0; i < copy->cell_count; i++)
        if (copy->cells[i].meter == question->activation->number)
            piece.cells[piece.cell_count++] = copy->cells[i];
    return piece;
}

// All accounts: the meter's cells of the whole generation. state_lock held.
static MomentPiece piece_of_all(const UsageMoment *moment, const MomentQuestion *question,
                                size_t index)
{
    const Generation *generation = moment->generations.at[index];
    MomentPiece       piece = {
              .generation = generation,
              .newest_row = ROW_END,
              .rows = generation_folded(generation),
    };
    VECTOR(HourCell) cells = { 0 };
    for (uint32_t i = 0; i < generation_cell_count(generation); i++)
        if (generation_cell(generation, i)->meter == question->activation->number)
            vector_push(&cells, *generation_cell(generation, i));
    piece.cells = arena_copy(moment->arena, cells.at, cells.count * sizeof(HourCell));
    piece.cell_count = cells.count;
    vector_release(&cells);
    return piece;
}

static MomentPiece *pieces_of_account(UsageMoment *moment, const MomentQuestion *question)
{
    MomentAccount *copied = account_of(moment, question->activation->project, question->account);
    for (const KnownPieces *at = copied->known; at != NULL; at = at->next)
        if (at->activation == question->activation)
            return at->pieces;
    KnownPieces *made = arena_new(moment->arena, KnownPieces);
    made->activation = question->activation;
    made->pieces = arena_array(moment->arena, MomentPiece, moment->generations.count);
    for (size_t i = 0; i < moment->generations.count; i++)
        made->pieces[i] = piece_of_account(moment, question, copied, i);
    made->next = copied->known;
    copied->known = made;
    return made->pieces;
}

static MomentPiece *pieces_of_all(UsageMoment *moment, const MomentQuestion *question)
{
    lock_take(&moment->partition->state_lock);
    if (!moment->is_fixed)
        moment_take(moment);
    moment->is_fixed = true;
    MomentPiece *pieces = arena_array(moment->arena, MomentPiece, moment->generations.count);
    for (size_t i = 0; i < moment->generations.count; i++)
        pieces[i] = piece_of_all(moment, question, i);
    lock_release(&moment->partition->state_lock);
    return pieces;
}

MomentPiece *moment_pieces(UsageMoment *moment, const MomentQuestion *question, size_t *count)
{
    bool         is_all = question->account == NAME_NONE;
    MomentPiece *pieces = is_all ? pieces_of_all(moment, question)
                                 : pieces_of_account(moment, question);
    *count = moment->generations.count;
    return pieces;
}

void moment_event(const UsageMoment *moment, const Row *row, Event *event)
{
    Names   *names = moment->partition->names;
    uint32_t project;
    *event = (Event){
        .unique_id = row_unique_id(row),
        .event = names_text(names, NAME_EVENT, row->event, &project),
        .account = names_text(names, NAME_ACCOUNT, row->account, NULL),
        .value = row->value,
        .ts = row->ts,
        .ts_given = row->ts_given,
        .properties = row_properties(row),
    };
    event_identify(event, names_text(names, NAME_PROJECT, project, NULL),
                   &moment->partition->options.key);
}

Voided moment_voided(const UsageMoment *moment, const MomentQuestion *question, MomentRange range)
{
    Voided       voided = { 0 };
    VoidQuestion asked = { question->activation->event, question->account, moment->sequence,
                           range.from, range.to };
    voids_collect(moment->partition->voids, &asked, &voided);
    if (moment->without != NULL)
        voids_collect(moment->without, &asked, &voided);
    voided_order(&voided);
    return voided;
}
