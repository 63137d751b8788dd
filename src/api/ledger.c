// SPDX-License-Identifier: Apache-2.0
// The ledger, to read: accounts, statements, transactions, the trial balance, the proof; and the
// months that take no entry any more. Amounts are debits above zero and credits below, everywhere.
#include "api/cursor.h"
#include "api/ledger_shape.h"
#include "api/money_body.h"
#include "api/page.h"
#include "api/routes.h"
#include "audit/audit.h"
#include "flow/ledger/ledger_seal.h"

// Of a request: 10 s on a slow machine. What is longer is for `toll verify`.
enum { VERIFIED_MAX = 250000, DRIFTS_TOLD = 100 };

// ---- what is asked for

static Err *kind_read(const Request *request, Str name, LedgerKind *kind)
{
    if (ledger_kind_find(name, kind))
        return NULL;
    return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                  "kind: the ledger has no accounts of that kind");
}

static Err *currency_query(const Request *request, Currency *currency)
{
    Str code;
    if (request_query(request, "currency", &code) && currency_find(code, currency))
        return NULL;
    return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                  "currency must be the three capitals of a currency");
}

// An instant of the query that may be absent: *found is NULL then.
static Err *instant_query(const Request *request, const char *name, Instant *at,
                          const Instant **found)
{
    Str text;
    TRY(request_query_instant(request, name, at));
    *found = request_query(request, name, &text) ? at : NULL;
    return NULL;
}

// For the filters of a cursor.
static Str instant_or_none(Arena *arena, const Instant *at)
{
    return at == NULL ? STR("-") : instant_print(arena, *at);
}

// ---- accounts

typedef struct Accounts {
    LedgerAccountsPage page;
    LedgerKind         kind;
    Instant            until;
    LedgerName         after;
    Str                list;
    LedgerSum         *at;
    size_t             count;
} Accounts;

static Err *accounts_work(DbTx *tx, void *context)
{
    Accounts *accounts = context;
    return ledger_accounts(tx, &accounts->page, &accounts->at, &accounts->count);
}

// A place is kind, currency and owner: the owner comes last because it may hold anything.
static Err *after_read(const Request *request, Str place, LedgerName *after)
{
    Str  kind = str_cut(&place, ' '), currency = str_cut(&place, ' ');
    bool is_read =
        ledger_kind_find(kind, &after->kind) && currency_find(currency, &after->currency);
    after->owner = place;
    return is_read ? NULL
                   : refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                            "the cursor does not belong to this list");
}

static Str after_print(Arena *arena, const LedgerSum *last)
{
    return str_print(arena, "%s %.*s %.*s", ledger_kind_name(last->kind),
                     STR_ARG(currency_code(&last->currency)), STR_ARG(last->owner));
}

static Err *accounts_read(const Request *request, Accounts *accounts)
{
    Str    kind = STR_NONE, owner = STR_NONE, cursor, place;
    size_t limit;
    TRY(request_limit(request, &limit));
    *accounts = (Accounts){ .page = { .project = project_of(request), .limit = limit + 1 } };
    if (request_query(request, "kind", &kind)) {
        TRY(kind_read(request, kind, &accounts->kind));
        accounts->page.kind = &accounts->kind;
    }
    if (request_query(request, "owner", &owner))
        accounts->page.owner = owner;
    TRY(instant_query(request, "at", &accounts->until, &accounts->page.until));
    accounts->list = str_print(request->arena, "ledger accounts %.*s %.*s %.*s", STR_ARG(kind),
                               STR_ARG(instant_or_none(request->arena, accounts->page.until)),
                               STR_ARG(owner));
    if (!request_query(request, "cursor", &cursor))
        return NULL;
    TRY(cursor_parse(request->arena, cursor, accounts->list, &place));
    accounts->page.after = &accounts->after;
    return after_read(request, place, &accounts->after);
}

static Err *accounts_get(Request *request, Response *response)
{
    Accounts accounts;
    TRY(accounts_read(request, &accounts));
    TRY(db_read(server_of(request)->books, request->arena, accounts_work, &accounts));
    size_t  limit = accounts.page.limit - 1;
    size_t  count = accounts.count > limit ? limit : accounts.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        ledger_sum_to_json(&accounts.at[i], &out);
    response_list_end(&out, accounts.count > limit
                                ? cursor_print(request->arena, accounts.list,
                                               after_print(request->arena, &accounts.at[count - 1]))
                                : STR_NONE);
    return NULL;
}

// ---- a statement

typedef struct Stating {
    LedgerStatementQuery query;
    LedgerSpan           span;
    Str                  list;
    LedgerStatement      found;
} Stating;

static Err *statement_work(DbTx *tx, void *context)
{
    Stating *stating = context;
    return ledger_statement(tx, &stating->query, &stating->found);
}

// Of one end alone the other is as far as instants go.
static Err *span_read(const Request *request, Stating *stating)
{
    const Instant *from, *to;
    stating->span = (LedgerSpan){ INSTANT_FIRST, INSTANT_END };
    TRY(instant_query(request, "from", &stating->span.from, &from));
    TRY(instant_query(request, "to", &stating->span.to, &to));
    if (from != NULL && to != NULL && from->us >= to->us)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE, "from must be before to");
    stating->query.span = from == NULL && to == NULL ? NULL : &stating->span;
    const LedgerName *name = &stating->query.name;
    stating->list = str_print(request->arena, "ledger statement %s %.*s %.*s %.*s %.*s",
                              ledger_kind_name(name->kind),
                              STR_ARG(currency_code(&name->currency)),
                              STR_ARG(instant_or_none(request->arena, from)),
                              STR_ARG(instant_or_none(request->arena, to)), STR_ARG(name->owner));
    return NULL;
}

// A place is when the last entry counts, when that is what orders them, and its transaction.
static Str place_print(Arena *arena, const Stating *stating)
{
    const LedgerEntry *last = &stating->found.at[stating->found.count - 1];
    return stating->query.span == NULL
               ? last->transaction
               : str_print(arena, "%.*s %.*s", STR_ARG(instant_print(arena, last->effective_at)),
                           STR_ARG(last->transaction));
}

static Err *place_read(const Request *request, Str place, Stating *stating)
{
    if (stating->query.span != NULL && !instant_parse(str_cut(&place, ' '), &stating->span.from))
        return refuse(request->arena, ERR_CURSOR_INVALID, STR_NONE,
                      "the cursor does not belong to this list");
    stating->query.after = place;
    return NULL;
}

static Err *statement_read(const Request *request, Stating *stating)
{
    LedgerStatementQuery *query = &stating->query;
    Str                   cursor, place;
    *query = (LedgerStatementQuery){ .project = project_of(request),
                                     .name.owner = request_path(request, "owner") };
    TRY(kind_read(request, request_path(request, "kind"), &query->name.kind));
    TRY(currency_query(request, &query->name.currency));
    TRY(request_limit(request, &query->limit));
    TRY(span_read(request, stating));
    if (!request_query(request, "cursor", &cursor))
        return NULL;
    TRY(cursor_parse(request->arena, cursor, stating->list, &place));
    return place_read(request, place, stating);
}

static Err *statement_get(Request *request, Response *response)
{
    Stating           stating;
    const LedgerName *name = &stating.query.name;
    TRY(statement_read(request, &stating));
    TRY(db_read(server_of(request)->books, request->arena, statement_work, &stating));
    const LedgerStatement *found = &stating.found;
    if (found->count == 0 && ledger_kind_whose(name->kind) == LEDGER_ACCOUNT)
        TRY(money_account(request, name->owner));
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "kind", str_of(ledger_kind_name(name->kind)));
    json_string_member(&out, "owner", name->owner);
    json_string_member(&out, "currency", currency_code(&name->currency));
    json_string_member(&out, "normalSide", ledger_kind_side(name->kind) == LEDGER_DEBIT
                                               ? STR("debit")
                                               : STR("credit"));
    ledger_amount_member(&out, "opening", found->opening, name->currency);
    ledger_amount_member(&out, "closing", found->closing, name->currency);
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < found->count; i++)
        ledger_entry_to_json(&found->at[i], name->currency, &out);
    json_array_end(&out);
    if (found->has_more)
        json_string_member(&out, "nextCursor",
                           cursor_print(request->arena, stating.list,
                                        place_print(request->arena, &stating)));
    else
        json_null_member(&out, "nextCursor");
    json_object_end(&out);
    return NULL;
}

// ---- transactions

typedef struct Transactions {
    LedgerPage         page;
    Str                source;
    LedgerTransaction *at;
    size_t             count;
} Transactions;

static Err *transactions_work(DbTx *tx, void *context)
{
    Transactions *transactions = context;
    return ledger_transactions(tx, &transactions->page, &transactions->at, &transactions->count);
}

static Err *transactions_get(Request *request, Response *response)
{
    Transactions asked = { .page = { .project = project_of(request) } };
    size_t       limit;
    Str          account, cursor;
    TRY(request_limit(request, &limit));
    asked.page.limit = limit + 1;
    if (request_query(request, "account", &account))
        asked.page.account = account;
    Str list = str_print(request->arena, "ledger transactions %.*s", STR_ARG(asked.page.account));
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &asked.page.before));
    TRY(db_read(server_of(request)->books, request->arena, transactions_work, &asked));
    size_t  count = asked.count > limit ? limit : asked.count;
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        ledger_transaction_to_json(&asked.at[i], &out);
    response_list_end(&out, asked.count > limit
                                ? cursor_print(request->arena, list, asked.at[count - 1].id)
                                : STR_NONE);
    return NULL;
}

static Err *transaction_work(DbTx *tx, void *context)
{
    Transactions *asked = context;
    return ledger_transaction_find(tx, asked->page.project, asked->source, &asked->at);
}

static Err *transaction_get(Request *request, Response *response)
{
    Transactions asked = { .page = { .project = project_of(request) },
                           .source = request_path(request, "source") };
    TRY(db_read(server_of(request)->books, request->arena, transaction_work, &asked));
    if (asked.at == NULL)
        return refuse(request->arena, ERR_LEDGER_NOT_FOUND, STR_NONE,
                      "there is no ledger transaction of %.*s", STR_ARG(asked.source));
    JsonOut out = response_json(response);
    ledger_transaction_to_json(asked.at, &out);
    return NULL;
}

// ---- the trial balance

typedef struct Total {
    Currency currency;
    int64_t  debit, credit;
} Total;

typedef struct Balancing {
    ProjectId      project;
    Instant        at;
    const Instant *until;  // NULL: of all
    LedgerSum     *sums;
    size_t         count;
    Total         *totals;
    size_t         total_count;
} Balancing;

static Err *trial_work(DbTx *tx, void *context)
{
    Balancing *trial = context;
    if (trial->until != NULL)
        return ledger_trial_balance_until(tx, trial->project, *trial->until, &trial->sums,
                                          &trial->count);
    return ledger_trial_balance(tx, trial->project, &trial->sums, &trial->count);
}

static Err *total_add(Arena *arena, Balancing *trial, const LedgerSum *sum)
{
    size_t place = 0;
    while (place < trial->total_count &&
           !currency_equal(trial->totals[place].currency, sum->currency))
        place++;
    if (place == trial->total_count)
        trial->totals[trial->total_count++] = (Total){ .currency = sum->currency };
    Total   *total = &trial->totals[place];
    int64_t *side = sum->minor > 0 ? &total->debit : &total->credit;
    if (__builtin_add_overflow(*side, sum->minor, side))
        return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                      "a total of the trial balance is beyond 63 bits of minor units");
    return NULL;
}

static void total_to_json(const Total *total, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "currency", currency_code(&total->currency));
    ledger_amount_member(out, "debit", total->debit, total->currency);
    ledger_amount_member(out, "credit", total->credit, total->currency);
    ledger_amount_member(out, "difference", total->debit + total->credit, total->currency);
    json_object_end(out);
}

static Err *trial_get(Request *request, Response *response)
{
    Balancing trial = { .project = project_of(request) };
    TRY(instant_query(request, "at", &trial.at, &trial.until));
    TRY(db_read(server_of(request)->books, request->arena, trial_work, &trial));
    trial.totals = arena_array(request->arena, Total, trial.count);
    for (size_t i = 0; i < trial.count; i++)
        TRY(total_add(request->arena, &trial, &trial.sums[i]));
    JsonOut out = response_json(response);
    json_object(&out);
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < trial.count; i++)
        ledger_sum_to_json(&trial.sums[i], &out);
    json_array_end(&out);
    json_name(&out, STR("totals"));
    json_array(&out);
    for (size_t i = 0; i < trial.total_count; i++)
        total_to_json(&trial.totals[i], &out);
    json_array_end(&out);
    json_object_end(&out);
    return NULL;
}

// ---- the proof

typedef struct Proving {
    Arena    *arena;
    ProjectId project;
    int64_t   length;
    Str       told[DRIFTS_TOLD];
    size_t    count;
} Proving;

static Err *length_work(DbTx *tx, void *context)
{
    Proving *proving = context;
    return ledger_chain_length(tx, proving->project, &proving->length);
}

static void drift_take(void *context, Str drift)
{
    Proving *proving = context;
    if (proving->count < DRIFTS_TOLD)
        proving->told[proving->count++] = str_copy(proving->arena, drift);
}

static Err *proof_get(Request *request, Response *response)
{
    Proving     *proving = arena_new(request->arena, Proving);
    LedgerReport report = { .tell = drift_take, .context = proving };
    Db          *books = server_of(request)->books;
    proving->arena = request->arena;
    proving->project = project_of(request);
    TRY(db_read(books, request->arena, length_work, proving));
    if (proving->length > VERIFIED_MAX)
        return refuse(request->arena, ERR_LEDGER_TOO_LONG, STR_NONE,
                      "the ledger has %lld transactions and a request proves at most %d; run toll "
                      "verify", (long long)proving->length, VERIFIED_MAX);
    TRY(ledger_verify(books, request->arena, proving->project, &report));
    JsonOut out = response_json(response);
    json_object(&out);
    json_bool_member(&out, "clean", report.drifts == 0);
    json_whole_member(&out, "transactions", (int64_t)report.transactions);
    json_whole_member(&out, "unsealed", (int64_t)report.unsealed);
    json_whole_member(&out, "driftCount", (int64_t)report.drifts);
    json_name(&out, STR("drifts"));
    json_array(&out);
    for (size_t i = 0; i < proving->count; i++)
        json_string(&out, proving->told[i]);
    json_array_end(&out);
    json_object_end(&out);
    return NULL;
}

// ---- months

typedef struct Closing {
    const Request *request;
    Str            month;
    bool           is_closed;
    Str           *months;
    size_t         count;
} Closing;

static Err *months_work(DbTx *tx, void *context)
{
    Closing *closing = context;
    return ledger_months_closed(tx, project_of(closing->request), &closing->months,
                                &closing->count);
}

static Err *months_get(Request *request, Response *response)
{
    Closing closing = { .request = request };
    TRY(db_read(server_of(request)->books, request->arena, months_work, &closing));
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < closing.count; i++)
        ledger_month_to_json(closing.months[i], true, &out);
    response_list_end(&out, STR_NONE);
    return NULL;
}

static Err *closing_work(DbTx *tx, void *context)
{
    const Closing   *closing = context;
    const Principal *by = principal_of(closing->request);
    bool             changed;
    TRY(ledger_month_close(tx, by->project.id, closing->month, closing->is_closed, &changed));
    if (!changed)
        return NULL;
    return audit_add(
        tx, &(AuditEntry){
                .tenant = by->project.id.tenant,
                .project = by->project.id.id,
                .at = now_of(closing->request),
                .who = str_print(db_arena(tx), "key:%.*s", STR_ARG(by->key_id)),
                .action = closing->is_closed ? STR("ledgerMonth.close") : STR("ledgerMonth.open"),
                .object = closing->month });
}

static Err *month_set(Request *request, Response *response, bool is_closed)
{
    Closing closing = { request, request_path(request, "month"), is_closed, NULL, 0 };
    if (!ledger_month_is(closing.month))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "month must be a year and a month: 2026-11");
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = closing_work, .context = &closing }));
    JsonOut out = response_json(response);
    ledger_month_to_json(closing.month, is_closed, &out);
    return NULL;
}

// Of a month that runs, the next invoice or payment would be refused.
static Err *month_close(Request *request, Response *response)
{
    Str month = request_path(request, "month");
    Str now = instant_print(request->arena, now_of(request));
    if (ledger_month_is(month) && str_compare(month, (Str){ now.at, month.length }) >= 0)
        return refuse(request->arena, ERR_LEDGER_MONTH_NOT_OVER, STR_NONE,
                      "by the project's clock it is %.*s: only a month that is over (UTC) can be "
                      "closed", STR_ARG(now));
    return month_set(request, response, true);
}

static Err *month_open(Request *request, Response *response)
{
    return month_set(request, response, false);
}

// ---- routes

#define AT_PARAMETER \
    { \
        .name = "at", .kind = PARAMETER_INSTANT, \
        .doc = "Of the entries whose effectiveAt is before it; absent: of all." \
    }

static const Parameter accounts_query[] = {
    { .name = "kind", .kind = PARAMETER_TEXT, .doc = "Of the chart of accounts; absent: all." },
    { .name = "owner", .kind = PARAMETER_TEXT, .doc = "Of this customer or name; absent: all." },
    AT_PARAMETER,
    PAGE_PARAMETERS
};
static const Parameter statement_query[] = {
    { .name = "currency", .kind = PARAMETER_TEXT, .required = true, .doc = "ISO 4217." },
    { .name = "from", .kind = PARAMETER_INSTANT,
      .doc = "Entries whose effectiveAt is not before it, in that order." },
    { .name = "to", .kind = PARAMETER_INSTANT,
      .doc = "Entries whose effectiveAt is before it, in that order." },
    PAGE_PARAMETERS
};
static const Parameter trial_query[] = { AT_PARAMETER };
static const Parameter transactions_query[] = {
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Of this customer; absent: all." },
    PAGE_PARAMETERS
};

const Route api_ledger_routes[] = {
    { .name = "listLedgerAccounts",
      .method = METHOD_GET,
      .path = "/v1/ledger/accounts",
      .scope = "ledger:read",
      QUERY(accounts_query),
      .gives = &ledger_account_list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = accounts_get,
      .doc = "Accounts of the ledger that have an entry, with their balances at this moment, or as "
             "of an instant." },
    { .name = "getLedgerStatement",
      .method = METHOD_GET,
      .path = "/v1/ledger/accounts/{kind}/{owner}/statement",
      .scope = "ledger:read",
      QUERY(statement_query),
      .gives = &ledger_statement_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_CURSOR_INVALID, ERR_AMOUNT_TOO_LARGE),
      .handler = statement_get,
      .doc = "The entries of one account, all in the order booked or those of a span of time by "
             "effectiveAt, from opening to closing balance." },
    { .name = "listLedgerTransactions",
      .method = METHOD_GET,
      .path = "/v1/ledger/transactions",
      .scope = "ledger:read",
      QUERY(transactions_query),
      .gives = &ledger_transaction_list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = transactions_get,
      .doc = "Postings with their entries, newest first." },
    { .name = "getLedgerTransaction",
      .method = METHOD_GET,
      .path = "/v1/ledger/transactions/{source}",
      .scope = "ledger:read",
      .gives = &ledger_transaction_shape,
      REFUSES(ERR_LEDGER_NOT_FOUND),
      .handler = transaction_get,
      .doc = "The posting of one source." },
    { .name = "getLedgerTrialBalance",
      .method = METHOD_GET,
      .path = "/v1/ledger/trialBalance",
      .scope = "ledger:read",
      QUERY(trial_query),
      .gives = &ledger_trial_shape,
      REFUSES(ERR_AMOUNT_TOO_LARGE),
      .handler = trial_get,
      .doc = "What every account comes to, at this moment or as of an instant; zero in each "
             "currency." },
    { .name = "verifyLedger",
      .method = METHOD_GET,
      .path = "/v1/ledger/verify",
      .scope = "ledger:read",
      .gives = &ledger_proof_shape,
      REFUSES(ERR_LEDGER_TOO_LONG),
      .handler = proof_get,
      .doc = "Recompute the hash chain, every transaction and every balance from the entries." },
    { .name = "listLedgerMonths",
      .method = METHOD_GET,
      .path = "/v1/ledger/months",
      .scope = "ledger:read",
      .gives = &ledger_month_list_shape,
      .handler = months_get,
      .doc = "The accounting months that are closed." },
    { .name = "closeLedgerMonth",
      .method = METHOD_POST,
      .path = "/v1/ledger/months/{month}/close",
      .scope = "ledger:write",
      .gives = &ledger_month_shape,
      REFUSES(ERR_LEDGER_MONTH_NOT_OVER),
      .handler = month_close,
      .doc = "From now on no entry may be effective in this month, which must be over (UTC)." },
    { .name = "openLedgerMonth",
      .method = METHOD_POST,
      .path = "/v1/ledger/months/{month}/open",
      .scope = "ledger:write",
      .gives = &ledger_month_shape,
      .handler = month_open,
      .doc = "A closed month takes entries again." },
};
const size_t api_ledger_route_count = sizeof api_ledger_routes / sizeof *api_ledger_routes;
