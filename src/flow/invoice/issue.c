// SPDX-License-Identifier: Apache-2.0
// Drafts, finalizing, and what an invoice says. Rating goes before the transaction; the row's
// version and how far each subscription was billed are compared in it, so what was rated is what
// is stored.
#include "flow/invoice/issue.h"

#include "audit/audit.h"
#include "base/random.h"
#include "base/thread.h"
#include "flow/invoice/late_inside.h"

const char *const invoice_kind_names[] = { "billing", "oneOff", NULL };
const char *const invoice_state_names[] = { "draft",         "finalized", "paid",
                                            "uncollectible", "void",      NULL };

int64_t invoice_remaining(const IssuedInvoice *invoice)
{
    if (invoice->state != INVOICE_FINALIZED && invoice->state != INVOICE_UNCOLLECTIBLE)
        return 0;
    return invoice->total - invoice->credits - invoice->balance_used - invoice->paid -
           invoice->credited;
}

Err *issued_get(DbTx *tx, ProjectId project, Str id, IssuedInvoice **invoice)
{
    TRY(issue_row_find(tx, project, id, invoice));
    if (*invoice == NULL)
        return refuse(db_arena(tx), ERR_INVOICE_NOT_FOUND, STR_NONE, "there is no invoice %.*s",
                      STR_ARG(id));
    return NULL;
}

// ---- what it says

static void amount_member(JsonOut *out, Arena *arena, const IssuedInvoice *invoice,
                          const char *name, int64_t minor)
{
    json_string_member(out, name, money_print(arena, (Money){ minor, invoice->currency }));
}

static void instant_member(JsonOut *out, Arena *arena, const char *name, bool is_there,
                           Instant instant)
{
    if (is_there)
        json_string_member(out, name, instant_print(arena, instant));
    else
        json_null_member(out, name);
}

static void text_member(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

static void heading(const IssuedInvoice *invoice, Arena *arena, JsonOut *out)
{
    text_member(out, "id", invoice->id);
    text_member(out, "number", invoice->number);
    json_string_member(out, "kind", str_of(invoice_kind_names[invoice->kind]));
    json_string_member(out, "account", invoice->account);
    json_string_member(out, "currency", currency_code(&invoice->currency));
    json_string_member(out, "at", instant_print(arena, invoice->boundary));
    instant_member(out, arena, "issuedAt", invoice->is_issued, invoice->issued_at);
    instant_member(out, arena, "dueAt", invoice->is_issued, invoice->due_at);
}

// The members of the head stand behind those of the heading.
static void head_members(Str head, JsonOut *out)
{
    text_add_char(out->text, ',');
    text_add(out->text, (Str){ head.at + 1, head.length - 2 });
}

Str issue_document(Arena *arena, const IssuedInvoice *invoice, const IssueLineRow *rows,
                   size_t count)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    int64_t due = invoice->total - invoice->credits - invoice->balance_used;
    json_object(&out);
    heading(invoice, arena, &out);
    head_members(invoice->head, &out);
    amount_member(&out, arena, invoice, "balanceUsed", -invoice->balance_used);
    amount_member(&out, arena, invoice, "amountDue", due);
    json_name(&out, STR("lines"));
    json_array(&out);
    for (size_t i = 0; i < count; i++)
        json_raw(&out, rows[i].content);
    json_array_end(&out);
    json_object_end(&out);
    return text_str(&text);
}

static Err *damaged(Arena *arena, const IssuedInvoice *invoice)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "the invoice %.*s cannot be read",
                  STR_ARG(invoice->id));
}

// What is stored stands in the document as it is: it is an object with as many lines, each one too.
static Err *document_check(Arena *arena, const IssuedInvoice *invoice, Str document, size_t count)
{
    Json *root;
    TRY(json_parse_stored(arena, document, &root));
    const Json *lines = json_find(root, STR("lines"));
    bool        is_whole = lines->count == count;
    for (const Json *line = lines->first; line != NULL; line = line->next)
        is_whole &= line->kind == JSON_OBJECT;
    return is_whole ? NULL : damaged(arena, invoice);
}

Err *issued_document(DbTx *tx, ProjectId project, const IssuedInvoice *invoice, Str *document)
{
    IssueLineRow *rows;
    size_t        count;
    TRY(issue_lines_read(tx, project, invoice->id, &rows, &count));
    if (invoice->head.length <= sizeof "{}" - 1)
        return damaged(db_arena(tx), invoice);
    *document = issue_document(db_arena(tx), invoice, rows, count);
    return document_check(db_arena(tx), invoice, *document, count);
}

static Str digest_text(Arena *arena, Str document)
{
    unsigned char bytes[32];
    Digest        digest = digest_of(document);
    digest_write(&digest, bytes);
    return str_hex(arena, bytes, sizeof bytes);
}

// ---- rows of what was priced

IssueLineRow *issue_rows(Arena *arena, const IssuePriced *priced, bool counts)
{
    const IssueDraft *draft = priced->draft;
    IssueLineRow     *rows = arena_array(arena, IssueLineRow, draft->count);
    for (size_t i = 0; i < draft->count; i++)
        rows[i] = (IssueLineRow){ .number = (int64_t)i + 1,
                                  .subscription = draft->lines[i].subscription,
                                  .revenue = draft->lines[i].revenue,
                                  .taxes = issue_line_taxes(arena, priced, i),
                                  .content = issue_line_content(arena, priced, i),
                                  .boundary = late_line_boundary(draft, &draft->lines[i]),
                                  .service_start = draft->lines[i].service.start,
                                  .counts = counts && draft->kind == INVOICE_BILLING,
                                  .amount = draft->lines[i].amount.minor,
                                  .discount = draft->lines[i].discount.minor,
                                  .net = issue_line_earned(priced, i),
                                  .tax = priced->lines[i].tax };
    return rows;
}

// ---- drafts

// Fills the row of a draft and stores it with its lines; a new one gets an id.
static Err *draft_store(DbTx *tx, const IssueDraft *draft, Str slot, IssuedInvoice *row)
{
    Arena      *arena = db_arena(tx);
    ProjectId   project = draft->query->project;
    IssuePriced priced;
    TRY(issue_price(tx, draft, &priced));
    row->boundary = draft->boundary;
    row->total = priced.total;
    row->credits = priced.credits;
    row->head = issue_head(arena, &priced);
    if (row->id.at == NULL) {
        row->id = random_id(arena, "inv_");
        row->version = 1;
        TRY(issue_row_add(tx, project, slot.at == NULL ? row->id : slot, row));
    } else {
        TRY(issue_row_set(tx, project, slot, row));
    }
    return issue_lines_replace(tx, project, row->id, issue_rows(arena, &priced, false),
                               draft->count);
}

IssuedInvoice *issue_row_of(Arena *arena, const IssueDraft *draft)
{
    IssuedInvoice *row = arena_new(arena, IssuedInvoice);
    *row = (IssuedInvoice){ .kind = draft->kind,
                            .account = draft->account,
                            .currency = draft->currency,
                            .created_at = draft->query->now };
    return row;
}

typedef struct DraftWrite {
    const IssueDraft *draft;
    IssuedInvoice    *row;
} DraftWrite;

static Err *nothing_due(Arena *arena, Str account)
{
    return refuse(arena, ERR_NOTHING_DUE, STR_NONE,
                  "the account %.*s has no boundary before now at which something is due that was "
                  "not billed, and no charge that waits",
                  STR_ARG(account));
}

static Err *draft_work(DbTx *tx, void *context)
{
    DraftWrite *write = context;
    IssueDraft  draft = *write->draft;
    Str         slot = issue_draft_slot(db_arena(tx), draft.account, draft.currency);
    TRY(issue_charges_add(tx, &draft));
    if (draft.count == 0)
        return nothing_due(db_arena(tx), draft.account);
    TRY(issue_row_by_slot(tx, draft.query->project, slot, &write->row));
    if (write->row == NULL)
        write->row = issue_row_of(db_arena(tx), &draft);
    return draft_store(tx, &draft, slot, write->row);
}

// Without anything of a subscription: charges that wait, now.
static Err *charges_only(Arena *arena, const IssueWanted *wanted, IssueDraft *draft)
{
    Str code = wanted->currency.at != NULL ? wanted->currency : draft->usual_currency;
    if (!currency_find(code, &draft->currency))
        return nothing_due(arena, draft->account);
    draft->boundary = draft->query->now;
    return NULL;
}

Err *issue_due(Arena *arena, const IssueQuery *query, Str account, Str currency,
               IssuedInvoice **invoice)
{
    IssueDraft  draft;
    IssueWanted wanted = { .account = account, .currency = currency };
    DraftWrite  write = { .draft = &draft };
    bool        found;
    TRY(issue_rate_settled(arena, query, &wanted, &draft, &found));
    if (!found)
        TRY(charges_only(arena, &wanted, &draft));
    TRY(db_write(query->books, arena, (DbWrite){ .work = draft_work, .context = &write }));
    *invoice = write.row;
    return NULL;
}

Err *issue_one_off(DbTx *tx, const IssueQuery *query, const OneOff *one, IssuedInvoice **invoice)
{
    Arena     *arena = db_arena(tx);
    IssueDraft draft = { .query = query,
                         .kind = INVOICE_ONE_OFF,
                         .account = one->account->id,
                         .currency = one->currency,
                         .boundary = query->now,
                         .buyer = one->account->billing,
                         .buyer_name = one->account->name,
                         .time_zone = one->account->time_zone,
                         .memo = one->memo,
                         .po_number = one->po_number,
                         .lines = arena_array(arena, IssueLine, one->count),
                         .count = one->count };
    for (size_t i = 0; i < one->count; i++)
        draft.lines[i] = (IssueLine){ .subscription = STR(""),
                                      .revenue = STR("oneOff"),
                                      .category = one->lines[i].category,
                                      .service = { query->now, query->now },
                                      .description = one->lines[i].description,
                                      .amount = { one->lines[i].amount, one->currency },
                                      .discount = money_zero(one->currency) };
    *invoice = issue_row_of(arena, &draft);
    return draft_store(tx, &draft, STR_NONE, *invoice);
}

// ---- finalizing

// The lines of a one-off draft, out of its rows.
static Err *one_off_read(DbTx *tx, const IssuedInvoice *row, IssueDraft *draft)
{
    Arena        *arena = db_arena(tx);
    IssueLineRow *rows;
    Json         *head;
    TRY(issue_lines_read(tx, draft->query->project, row->id, &rows, &draft->count));
    TRY(json_parse_stored(arena, row->head, &head));
    draft->memo = json_text(head, "memo");
    draft->po_number = json_text(head, "poNumber");
    draft->lines = arena_array(arena, IssueLine, draft->count);
    for (size_t i = 0; i < draft->count; i++) {
        Json *content;
        TRY(json_parse_stored(arena, rows[i].content, &content));
        draft->lines[i] = (IssueLine){ .subscription = STR(""),
                                       .revenue = rows[i].revenue,
                                       .category = json_text(content, "taxCategory"),
                                       .service = { rows[i].service_start,
                                                    rows[i].service_start },
                                       .description = json_text(content, "description"),
                                       .amount = { rows[i].amount, row->currency },
                                       .discount = { rows[i].discount, row->currency } };
    }
    return NULL;
}

static Err *number_take(DbTx *tx, IssueFinal *final, const IssuePriced *priced)
{
    Str     prefix = issue_seller_text(priced, "invoicePrefix");
    int64_t number;
    if (prefix.at == NULL)
        prefix = STR("INV-");
    TRY(issue_number_of(tx, final->query->project, final->draft.facts,
                        str_print(db_arena(tx), "invoice:%.*s", STR_ARG(prefix)), &number));
    final->row->number =
        str_print(db_arena(tx), "%.*s%06lld", STR_ARG(prefix), (long long)number);
    return NULL;
}

// What the row and its lines say: nothing of it asks the books.
static void row_write(Arena *arena, IssueFinal *final)
{
    const IssuePriced *priced = &final->priced;
    IssuedInvoice     *row = final->row;
    row->state = row->total - row->credits - row->balance_used == 0 ? INVOICE_PAID
                                                                     : INVOICE_FINALIZED;
    row->head = issue_head(arena, priced);
    row->is_issued = true;
    row->issued_at = final->query->now;
    row->due_at =
        instant_within((Instant){ row->issued_at.us + priced->net_days * INSTANT_DAY_US });
    row->is_paid = row->state == INVOICE_PAID;
    row->paid_at = row->issued_at;
    final->lines = issue_rows(arena, priced, true);
    row->digest =
        digest_text(arena, issue_document(arena, row, final->lines, final->draft.count));
}

static Err *row_store(DbTx *tx, IssueFinal *final)
{
    ProjectId      project = final->query->project;
    IssuedInvoice *row = final->row;
    if (final->is_new) {
        TRY(issue_lines_add(tx, project, row->id, final->lines, final->draft.count));
        return issue_row_add(tx, project, row->id, row);
    }
    TRY(issue_lines_replace(tx, project, row->id, final->lines, final->draft.count));
    return issue_row_set(tx, project, row->id, row);
}

// Who made it final, into the audit trail.
static Err *final_note(DbTx *tx, const IssueFinal *final)
{
    AuditEntry entry = { .tenant = final->query->project.tenant,
                         .project = final->query->project.id,
                         .at = final->query->now,
                         .who = final->query->who,
                         .action = STR("invoice.finalize"),
                         .object = final->row->id };
    return entry.who.at == NULL ? NULL : audit_add(tx, &entry);
}

// All lines of the draft: a one-off's out of its rows, else what was rated and charges that wait.
static Err *lines_complete(DbTx *tx, IssueFinal *final)
{
    final->draft = final->rated;
    if (final->row->kind == INVOICE_ONE_OFF)
        return one_off_read(tx, final->row, &final->draft);
    TRY(issue_charges_add(tx, &final->draft));
    if (final->draft.count == 0)
        return nothing_due(db_arena(tx), final->row->account);
    return issue_charges_take(tx, &final->draft, final->row->id);
}

// Reads, and locks what credit and charges need.
static Err *final_price(DbTx *tx, IssueFinal *final)
{
    TRY(lines_complete(tx, final));
    TRY(issue_price(tx, &final->draft, &final->priced));
    final->row->total = final->priced.total;
    final->row->credits = final->priced.credits;
    return NULL;
}

static Err *progress_move(DbTx *tx, const IssueFinal *final)
{
    const IssueDraft *draft = &final->draft;
    for (size_t i = 0; i < draft->part_count; i++)
        TRY(issue_progress_move(tx, final->query->project, &draft->parts[i], draft->boundary));
    return NULL;
}

static Err *final_post(DbTx *tx, IssueFinal *final)
{
    TRY(number_take(tx, final, &final->priced));
    return issue_post(tx, &final->priced, final->row);
}

typedef struct Rows {
    IssueFinal *const *finals;
    size_t             count;
    Arena             *arena;
} Rows;

static void *rows_write(void *argument)
{
    const Rows *rows = argument;
    for (size_t i = 0; i < rows->count; i++)
        row_write(rows->arena, rows->finals[i]);
    return NULL;
}

// Rows of many are written while the books take what they post: their texts are as much work.
static Err *posts_and_rows(DbTx *tx, IssueFinal *const *finals, size_t count)
{
    IssueFacts *facts = finals[0]->rated.facts;
    Rows        rows = { finals, count, db_arena(tx) };
    Thread      thread = { .started = false };
    if (facts == NULL) {
        rows_write(&rows);
        return NULL;
    }
    rows.arena = arena_beside(db_arena(tx));
    thread_start(&thread, "rows", rows_write, &rows);
    Err *err = issue_batch_post(tx, facts);
    thread_join(&thread);
    return err;
}

// Each step for all of them before the next one, so that what they ask of the books, and write,
// goes together.
Err *issue_finals_do(DbTx *tx, IssueFinal *const *finals, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(final_price(tx, finals[i]));
    for (size_t i = 0; i < count; i++)
        TRY(final_post(tx, finals[i]));
    TRY(posts_and_rows(tx, finals, count));
    for (size_t i = 0; i < count; i++) {
        TRY(progress_move(tx, finals[i]));
        TRY(row_store(tx, finals[i]));
        TRY(late_finalize(tx, &finals[i]->draft, finals[i]->row->id));
        TRY(final_note(tx, finals[i]));
    }
    return NULL;
}

static Err *finalize_work(DbTx *tx, void *context)
{
    IssueFinal *final = context;
    TRY(issued_get(tx, final->query->project, final->read->id, &final->row));
    if (final->row->version != final->read->version)
        return refuse(db_arena(tx), ERR_STORE_BUSY, STR_NONE,
                      "another request changed the invoice %.*s", STR_ARG(final->row->id));
    return issue_finals_do(tx, &final, 1);
}

typedef struct RowRead {
    ProjectId      project;
    Str            id;
    IssuedInvoice *row;
} RowRead;

static Err *row_work(DbTx *tx, void *context)
{
    RowRead *read = context;
    return issued_get(tx, read->project, read->id, &read->row);
}

// Rates the draft again; it must still be what is next.
static Err *draft_rate(Arena *arena, IssueFinal *final)
{
    const IssuedInvoice *row = final->read;
    Account             *account;
    bool                 found = true;
    if (row->kind == INVOICE_ONE_OFF) {
        TRY(catalog_account_get(final->query->catalog, arena, final->query->project, row->account,
                                &account));
        final->rated = (IssueDraft){ .query = final->query,
                                     .kind = row->kind,
                                     .account = row->account,
                                     .currency = row->currency,
                                     .boundary = row->boundary,
                                     .buyer = account->billing,
                                     .buyer_name = account->name,
                                     .time_zone = account->time_zone };
        return NULL;
    }
    IssueWanted wanted = { .account = row->account, .currency = currency_code(&row->currency) };
    TRY(issue_rate_settled(arena, final->query, &wanted, &final->rated, &found));
    if (final->rated.part_count == 0) {  // charges alone
        final->rated.currency = row->currency;
        final->rated.boundary = row->boundary;
        return NULL;
    }
    if (final->rated.boundary.us != row->boundary.us)
        return refuse(arena, ERR_INVOICE_STALE, STR_NONE,
                      "the draft %.*s is not the next invoice of its account any more",
                      STR_ARG(row->id));
    return NULL;
}

static Err *finalize_once(Arena *arena, const IssueQuery *query, Str id, IssuedInvoice **invoice)
{
    RowRead  read = { .project = query->project, .id = id };
    IssueFinal final = { .query = query };
    TRY(db_read(query->books, arena, row_work, &read));
    *invoice = read.row;
    if (read.row->state == INVOICE_VOID)
        return refuse(arena, ERR_INVOICE_STATE, STR_NONE, "the invoice %.*s is void", STR_ARG(id));
    if (read.row->state != INVOICE_DRAFT)
        return NULL;
    final.read = read.row;
    TRY(draft_rate(arena, &final));
    TRY(db_write(query->books, arena, (DbWrite){ .work = finalize_work, .context = &final }));
    *invoice = final.row;
    return NULL;
}

Err *issue_finalize(Arena *arena, const IssueQuery *query, Str id, IssuedInvoice **invoice)
{
    int  tries = 0;
    Err *err;
    do
        err = finalize_once(arena, query, id, invoice);
    while (db_goes_again(err, &tries));
    // Stale, or final by now: another request may have been faster.
    if (err != NULL && err->code == ERR_INVOICE_STALE)
        err = finalize_once(arena, query, id, invoice);
    return err;
}
