// SPDX-License-Identifier: Apache-2.0
// What the books say was billed, as lines of bills: those of one key are one, so that what is due
// is held against all that was billed for it.
#include "flow/invoice/issue_inside.h"

#include <stdlib.h>

// A line of the books and what it is known by.
typedef struct Stored {
    Str  key;
    Line line;
} Stored;

static int by_key(const void *a, const void *b)
{
    return str_compare(((const Stored *)a)->key, ((const Stored *)b)->key);
}

static Err *unreadable(Arena *arena, Str subscription)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "an invoice line of %.*s cannot be read",
                  STR_ARG(subscription));
}

static Str member_print(Arena *arena, const Json *content, const char *name)
{
    const Json *member = json_find(content, str_of(name));
    Text        text = text_open(arena);
    JsonOut     out = json_out(&text);
    if (member != NULL)
        json_value(&out, member);
    return member == NULL ? STR_NONE : text_str(&text);
}

// Only what makes it the same line, and what it shows when it is gone.
static void charge_read(Arena *arena, const Json *content, Line *line)
{
    const Json *group = json_find(content, STR("group"));
    Charge     *charge = arena_new(arena, Charge);
    line->charge = charge;
    charge->id = json_text(content, "charge");
    charge->name = line->description;
    charge->sku = json_text(content, "sku");
    charge->metadata = member_print(arena, content, "metadata");
    if (group == NULL || group->kind != JSON_OBJECT)
        return;
    Str *names = arena_array(arena, Str, group->count);
    Str *values = arena_array(arena, Str, group->count);
    for (const Json *member = group->first; member != NULL; member = member->next) {
        names[charge->group_count] = member->name;
        values[charge->group_count++] = member->kind == JSON_STRING ? member->text : STR_NONE;
    }
    charge->group_by = names;
    line->group = values;
}

static Err *stored_read(Arena *arena, const IssueLineRow *row, Currency currency, Stored *stored)
{
    Json       *content;
    const Json *period;
    Line       *line = &stored->line;
    TRY(json_parse_stored(arena, row->content, &content));
    *line = (Line){ .description = json_text(content, "description"),
                    .usage = rational_zero(),
                    .quantity = rational_zero(),
                    .exact = rational_zero(),
                    .amount = { row->amount, currency },
                    .discount = { row->discount, currency },
                    .tax = money_zero(currency) };
    period = json_find(content, STR("period"));
    if (!line_kind_find(json_text(content, "kind"), &line->kind) || period == NULL ||
        !instant_parse(json_text(period, "start"), &line->period.start) ||
        !instant_parse(json_text(period, "end"), &line->period.end))
        return unreadable(arena, row->subscription);
    if (json_text(content, "charge").at != NULL)
        charge_read(arena, content, line);
    stored->key = str_print(arena, "%d\n%lld\n%.*s\n%.*s", (int)line->kind,
                            (long long)line->period.start.us, STR_ARG(json_text(content, "charge")),
                            STR_ARG(member_print(arena, content, "group")));
    return NULL;
}

Err *issue_stored_line(Arena *arena, const IssueLineRow *row, Currency currency, Line *line)
{
    Stored stored;
    TRY(stored_read(arena, row, currency, &stored));
    *line = stored.line;
    return NULL;
}

// Lines of one key are one: what was billed for it in all.
static Err *billed_sum(Arena *arena, const IssueLineRow *rows, size_t count, Currency currency,
                       DueLines *lines)
{
    Stored *stored = arena_array(arena, Stored, count);
    *lines = (DueLines){ arena_array(arena, Line, count), 0 };
    for (size_t i = 0; i < count; i++)
        TRY(stored_read(arena, &rows[i], currency, &stored[i]));
    if (count > 1)
        qsort(stored, count, sizeof *stored, by_key);
    for (size_t i = 0; i < count; i++) {
        Line *last = lines->count == 0 ? NULL : &lines->at[lines->count - 1];
        bool  is_same = i > 0 && str_equal(stored[i].key, stored[i - 1].key);
        if (!is_same)
            lines->at[lines->count++] = stored[i].line;
        else if (!money_add(last->amount, stored[i].line.amount, &last->amount) ||
                 !money_add(last->discount, stored[i].line.discount, &last->discount))
            return unreadable(arena, rows[i].subscription);
    }
    return NULL;
}

typedef struct BilledRead {
    IssueBilled   wanted;
    IssueLineRow *rows;
    size_t        count;
} BilledRead;

static Err *billed_work(DbTx *tx, void *context)
{
    BilledRead *read = context;
    return issue_lines_billed(tx, &read->wanted, &read->rows, &read->count);
}

Err *issue_billed_lines(Arena *arena, Db *books, const IssueBilled *wanted, Currency currency,
                        DueLines *lines)
{
    BilledRead read = { .wanted = *wanted };
    if (wanted->known != NULL)
        issue_known_rows(arena, wanted, &read.rows, &read.count);
    else
        TRY(db_read(books, arena, billed_work, &read));
    if (wanted->ahead != NULL)
        issue_ahead_rows(arena, wanted, &read.rows, &read.count);
    return billed_sum(arena, read.rows, read.count, currency, lines);
}
