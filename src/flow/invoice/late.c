// SPDX-License-Identifier: Apache-2.0
// Which closed periods are late, what lines of theirs correct, and what the finalizing transaction
// writes of both.
#include "flow/invoice/late_inside.h"

// ---- finding

typedef struct FindRead {
    const LateQuery *query;
    Late            *late;
} FindRead;

static Err *find_work(DbTx *tx, void *context)
{
    FindRead *read = context;
    return late_closed_of(tx, read->query, read->late);
}

// What moved before the first of the periods changes the level that it begins with.
static Err *before_add(Arena *arena, const LateQuery *query, const UsageMoved *before, Late *late)
{
    Timeline timeline;
    bool     looks;
    if (before->count == 0 || (late->count > 0 && late->at[0].closed.span.start.us ==
                                                      late->closed[0].span.start.us))
        return NULL;
    TRY(timeline_fold(arena, query->facts, &timeline));
    TRY(timeline_looks_back(arena, query->issue->catalog, &timeline, query->issue->project,
                            &looks));
    if (!looks)
        return NULL;
    for (size_t i = late->count; i > 0; i--)
        late->at[i] = late->at[i - 1];
    late->at[0] = (LatePeriod){ late->closed[0], *before };
    late->count++;
    return NULL;
}

Err *late_moved_of(Arena *arena, const LateQuery *query, Late *late)
{
    UsageClosed    *spans = arena_array(arena, UsageClosed, late->closed_count + 1);
    UsageMovedQuery wanted = { query->issue->project.id, query->account, spans,
                               late->closed_count + 1 };
    UsageMoved     *moved;
    if (late->closed_count == 0)
        return NULL;
    for (size_t i = 0; i < late->closed_count; i++)
        spans[i] = (UsageClosed){ late->closed[i].span.start, late->closed[i].span.end,
                                  late->closed[i].sequence };
    spans[late->closed_count] = (UsageClosed){ INSTANT_FIRST, late->closed[0].span.start,
                                               late->closed[0].sequence };
    TRY(usage_moved(query->moment, arena, &wanted, &moved));
    late->at = arena_array(arena, LatePeriod, late->closed_count);
    for (size_t i = 0; i < late->closed_count; i++)
        if (moved[i].count > 0)
            late->at[late->count++] = (LatePeriod){ late->closed[i], moved[i] };
    TRY(before_add(arena, query, &moved[late->closed_count], late));
    if (late->count > 0)
        late->since = late->at[0].closed.span.start;
    return NULL;
}

Err *late_find(Arena *arena, const LateQuery *query, Late *late)
{
    FindRead read = { query, late };
    TRY(db_read(query->issue->books, arena, find_work, &read));
    return late_moved_of(arena, query, late);
}

// ---- what a draft closes and settles

void late_closed_add(Arena *arena, IssueLate *late, const ClosedPeriod *closed)
{
    late->closed = arena_more(arena, late->closed, late->closed_count, &late->closed_room,
                              sizeof *late->closed);
    late->closed[late->closed_count++] = *closed;
}

void late_moved_add(Arena *arena, IssueLate *late, const LatePeriod *period)
{
    late->moved = arena_more(arena, late->moved, late->moved_count, &late->moved_room,
                             sizeof *late->moved);
    late->moved[late->moved_count++] = *period;
}

// ---- what a line corrects

typedef struct OriginsRead {
    LateRowsQuery wanted;
    LateRow      *rows;
    size_t        count;
} OriginsRead;

static Err *origins_work(DbTx *tx, void *context)
{
    OriginsRead *read = context;
    return late_rows(tx, &read->wanted, &read->rows, &read->count);
}

// The closed period that the service lies in; NULL: it was rated because another one changed, and
// nobody closed it within the horizon.
static const ClosedPeriod *period_of(const Late *late, Instant service)
{
    for (size_t i = 0; i < late->closed_count; i++)
        if (late->closed[i].span.start.us <= service.us &&
            service.us < late->closed[i].span.end.us)
            return &late->closed[i];
    return NULL;
}

static bool is_late(const LateOrigins *query, const IssueLine *line)
{
    return line->service.start.us < query->natural.us;
}

// It takes back what was billed: with the tax that was asked for it.
static bool takes_back(const IssueLine *line)
{
    return (Int128)line->amount.minor + line->discount.minor < 0;
}

static Err *origin_find(Arena *arena, const LateOrigins *query, const OriginsRead *read,
                        IssueLine *line)
{
    const ClosedPeriod *closed = period_of(query->late, line->service.start);
    LateOf             *of = arena_new(arena, LateOf);
    *of = (LateOf){ .period = line->service };
    line->taxed_as = of;
    if (is_late(query, line))
        line->of = of;
    if (closed != NULL) {
        of->period = closed->span;
        of->invoice = closed->invoice;
    }
    for (size_t i = 0; i < read->count && of->line == 0; i++) {
        const LateRow *row = &read->rows[i];
        Line           stored;
        TRY(issue_stored_line(arena, &row->row, line->amount.currency, &stored));
        if (!due_same_line(&stored, line->line))
            continue;
        *of = (LateOf){ row->invoice, row->row.number, of->period, row->row.boundary,
                        row->row.taxes, row->row.content };
    }
    return NULL;
}

Err *late_origins(Arena *arena, const LateOrigins *query, IssueLine *lines, size_t count)
{
    OriginsRead read = { .wanted = { query->project, query->subscription, INSTANT_END } };
    for (size_t i = 0; i < count; i++)
        if ((is_late(query, &lines[i]) || takes_back(&lines[i])) &&
            lines[i].service.start.us < read.wanted.from.us)
            read.wanted.from = lines[i].service.start;
    if (read.wanted.from.us == INSTANT_END.us)
        return NULL;
    TRY(db_read(query->books, arena, origins_work, &read));
    for (size_t i = 0; i < count; i++)
        if (is_late(query, &lines[i]) || takes_back(&lines[i]))
            TRY(origin_find(arena, query, &read, &lines[i]));
    return NULL;
}

// ---- finalizing

static void moves_write(JsonOut *out, const UsageMoved *moved)
{
    Arena *arena = out->text->arena;
    json_whole_member(out, "events", (int64_t)moved->count);
    json_name(out, STR("first"));
    json_array(out);
    for (size_t i = 0; i < moved->shown; i++) {
        const UsageMove *move = &moved->first[i];
        json_object(out);
        json_string_member(out, "uniqueId", move->unique_id);
        json_string_member(out, "change", str_of(move_kind_names[move->kind]));
        json_string_member(out, "ts", instant_print(arena, move->ts));
        json_string_member(out, "sequence", usage_sequence_print(arena, move->sequence));
        json_object_end(out);
    }
    json_array_end(out);
}

bool late_line_is_of(const IssueLine *line, const ClosedPeriod *closed)
{
    return line->of != NULL && str_equal(line->subscription, closed->subscription) &&
           closed->span.start.us <= line->service.start.us &&
           line->service.start.us < closed->span.end.us;
}

Instant late_line_boundary(const IssueDraft *draft, const IssueLine *line)
{
    if (line->of == NULL)
        return draft->boundary;
    return line->of->line != 0 ? line->of->boundary : line->of->period.end;
}

Str late_content(Arena *arena, const LatePeriod *period, const int64_t *lines, size_t count)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    moves_write(&out, &period->moved);
    json_name(&out, STR("lines"));
    json_array(&out);
    for (size_t i = 0; i < count; i++)
        json_whole(&out, lines[i]);
    json_array_end(&out);
    json_object_end(&out);
    return text_str(&text);
}

static Err *moved_record(DbTx *tx, const IssueDraft *draft, const LatePeriod *period, Str document)
{
    LateRecord record = { .account = draft->account,
                          .subscription = period->closed.subscription,
                          .period = period->closed.span,
                          .state = LATE_SETTLED,
                          .document = document,
                          .currency = draft->currency,
                          .from = period->closed.sequence,
                          .to = draft->late->sequence,
                          .created_at = draft->query->now };
    int64_t *lines = arena_array(db_arena(tx), int64_t, draft->count);
    size_t   count = 0;
    for (size_t i = 0; i < draft->count; i++) {
        const IssueLine *line = &draft->lines[i];
        if (!late_line_is_of(line, &period->closed))
            continue;
        lines[count++] = (int64_t)i + 1;
        if (__builtin_add_overflow(record.amount, line->amount.minor, &record.amount) ||
            __builtin_add_overflow(record.amount, line->discount.minor, &record.amount))
            return refuse(db_arena(tx), ERR_AMOUNT_TOO_LARGE, STR_NONE,
                          "late usage comes to more than 63 bits of minor units");
    }
    record.content = late_content(db_arena(tx), period, lines, count);
    return late_record_add(tx, draft->query->project, &record);
}

Err *late_finalize(DbTx *tx, const IssueDraft *draft, Str document)
{
    const IssueLate *late = draft->late;
    for (size_t i = 0; late != NULL && i < late->moved_count; i++)
        TRY(moved_record(tx, draft, &late->moved[i], document));
    for (size_t i = 0; late != NULL && i < late->closed_count; i++) {
        ClosedPeriod closed = late->closed[i];
        closed.sequence = late->sequence;
        if (closed.invoice.at == NULL)
            closed.invoice = document;
        TRY(late_closed_put(tx, draft->query->project, &closed));
    }
    return NULL;
}
