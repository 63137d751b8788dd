// SPDX-License-Identifier: Apache-2.0
// From a line of an invoice to the events that it counted: the line's charge, group and service,
// read again at the invoice's sequence.
#include <stdlib.h>

#include "flow/invoice/issue_inside.h"

// ---- the line, out of the books

typedef struct LineRead {
    ProjectId      project;
    Str            invoice;
    int64_t        number;
    IssuedInvoice *row;
    Json          *head, *content;
    Str            subscription;
} LineRead;

static Err *line_work(DbTx *tx, void *context)
{
    LineRead     *read = context;
    IssueLineRow *rows;
    size_t        count;
    TRY(issued_get(tx, read->project, read->invoice, &read->row));
    TRY(issue_lines_read(tx, read->project, read->invoice, &rows, &count));
    if (read->number < 1 || (uint64_t)read->number > count)
        return refuse(db_arena(tx), ERR_INVOICE_NOT_FOUND, STR_NONE,
                      "the invoice %.*s has no line %lld", STR_ARG(read->invoice),
                      (long long)read->number);
    read->subscription = rows[read->number - 1].subscription;
    TRY(json_parse_stored(db_arena(tx), rows[read->number - 1].content, &read->content));
    return json_parse_stored(db_arena(tx), read->row->head, &read->head);
}

// What is looked for.
typedef struct Wanted {
    const Charge *charge;  // NULL: the line measures nothing
    const Json   *group;   // NULL: no groups
    Span          service;
    ChargeFilter  own;
    UsageWindow  *holes;
    size_t        hole_count;
} Wanted;

static void holes_take(Arena *arena, const Timeline *timeline, Wanted *wanted)
{
    wanted->holes = arena_array(arena, UsageWindow, timeline->pause_count);
    for (size_t i = 0; i < timeline->pause_count; i++)
        if (timeline->pauses[i].usage_free)
            wanted->holes[wanted->hole_count++] = (UsageWindow){
                timeline->pauses[i].span.start, timeline->pauses[i].span.end
            };
}

static Err *unreadable(Arena *arena)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "an invoice line cannot be read");
}

// The charge as the last term of the line's service defines it: the one that priced it.
static Err *wanted_read(Arena *arena, const IssueQuery *query, const LineRead *line,
                        Wanted *wanted)
{
    TimelineFacts facts;
    Timeline      timeline;
    const Json   *period = json_find(line->content, STR("period"));
    Str           id = json_text(line->content, "charge");
    *wanted = (Wanted){ .group = json_find(line->content, STR("group")) };
    if (line->subscription.length == 0 || id.at == NULL)
        return NULL;
    TRY(timeline_facts(arena, query->catalog, query->project, line->subscription, &facts));
    if (!instant_parse(json_text(line->head, "ratedAt"), &facts.known_at) ||
        !instant_parse(json_text(period, "start"), &wanted->service.start) ||
        !instant_parse(json_text(period, "end"), &wanted->service.end))
        return unreadable(arena);
    TRY(timeline_fold(arena, &facts, &timeline));
    for (size_t i = 0; i < timeline.term_count; i++)
        if (timeline.terms[i].span.start.us < wanted->service.end.us &&
            wanted->service.start.us < timeline.terms[i].span.end.us)
            wanted->charge = plan_charge(timeline.terms[i].plan, id);
    wanted->own = timeline.usage_filter;
    holes_take(arena, &timeline, wanted);
    return NULL;
}

// ---- events, the first `limit` behind a place

typedef struct Take {
    Arena                 *arena;
    const LineEventsQuery *query;
    const Wanted          *wanted;
    LineEvents            *events;
    size_t                 room;  // twice the limit and more: sorted and cut when it is full
} Take;

static int event_compare(const void *a, const void *b)
{
    const LineEvent *left = a, *right = b;
    if (left->ts.us != right->ts.us)
        return left->ts.us < right->ts.us ? -1 : 1;
    int order = str_compare(left->unique_id, right->unique_id);
    return order != 0 ? order : (left->sequence > right->sequence) -
                                    (left->sequence < right->sequence);
}

static bool is_behind(const LineEventsQuery *query, const Event *event)
{
    if (!query->has_after || event->ts.us > query->after_ts.us)
        return true;
    return event->ts.us == query->after_ts.us &&
           str_compare(event->unique_id, query->after_unique_id) > 0;
}

static bool is_of_group(const Wanted *wanted, const UsageMeasure *measure)
{
    if (wanted->group == NULL || wanted->group->kind != JSON_OBJECT)
        return true;
    for (const Json *member = wanted->group->first; member != NULL; member = member->next)
        for (size_t i = 0; i < wanted->charge->read_count; i++) {
            bool is_absent = measure->group[i].at == NULL;
            if (!str_equal(wanted->charge->read_by[i], member->name))
                continue;
            if (is_absent != (member->kind == JSON_NULL) ||
                (!is_absent && !str_equal(measure->group[i], member->text)))
                return false;
        }
    return true;
}

static void events_cut(Take *take)
{
    LineEvents *events = take->events;
    if (events->count > 1)
        qsort(events->at, events->count, sizeof *events->at, event_compare);
    if (events->count > take->query->limit) {
        events->count = take->query->limit;
        events->has_more = true;
    }
}

static void event_take(void *context, const UsageMeasure *measure)
{
    Take        *take = context;
    const Event *event = measure->event;
    if (!is_behind(take->query, event) || !is_of_group(take->wanted, measure))
        return;
    if (take->events->count == take->room)
        events_cut(take);
    take->events->at[take->events->count++] =
        (LineEvent){ .ts = event->ts,
                     .unique_id = str_copy(take->arena, event->unique_id),
                     .value = measure->value,
                     .counts = measure->counts,
                     .sequence = measure->sequence };
}

static Err *events_read(Arena *arena, const IssueQuery *query, const LineRead *line, Take *take)
{
    RateQuery rated = { .catalog = query->catalog,
                        .project = query->project,
                        .account = line->row->account,
                        .own = take->wanted->own,
                        .holes = take->wanted->holes,
                        .hole_count = take->wanted->hole_count,
                        .until = line->row->boundary };
    uint64_t  sequence;
    if (usage_sequence_parse(arena, json_text(line->head, "sequence"), &sequence) != NULL)
        return unreadable(arena);
    TRY(usage_moment_open(query->partition, arena, sequence, &rated.moment));
    Err *err = rate_scan(arena, &rated, take->wanted->charge, take->wanted->service,
                         (UsageTake){ event_take, take });
    usage_moment_close(rated.moment);
    return err;
}

Err *issued_line_events(Arena *arena, const IssueQuery *query, const LineEventsQuery *wanted,
                        LineEvents *events)
{
    LineRead line = { .project = query->project,
                      .invoice = wanted->invoice,
                      .number = wanted->number };
    Wanted   what;
    Take     take = { arena, wanted, &what, events, 2 * wanted->limit + 100 };
    *events = (LineEvents){ .at = arena_array(arena, LineEvent, take.room) };
    TRY(db_read(query->books, arena, line_work, &line));
    TRY(wanted_read(arena, query, &line, &what));
    if (what.charge == NULL || charge_meter_count(what.charge) == 0)
        return NULL;
    TRY(events_read(arena, query, &line, &take));
    events_cut(&take);
    return NULL;
}
