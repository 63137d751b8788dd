// SPDX-License-Identifier: Apache-2.0
// Wallets: what is there, and what the open bills will leave of it, exact at the moment of reading.
//   available = posted - notInForce - expectedDraw - holds, in each currency
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "flow/invoice/bill_draw.h"
#include "time/instant.h"

enum { GRANTS_PAGE = 1000 };

typedef struct Wallet {
    Request     *request;
    Str          account;
    OpenDraws    open;
    StoredGrant *grants;  // active, by id
    size_t       count;
    int64_t     *expected;  // of each, what open bills will draw
    Currency    *currencies;
    size_t       currency_count;
} Wallet;

static Err *grants_work(DbTx *tx, void *context)
{
    Wallet      *wallet = context;
    GrantPage    page = { .project = project_of(wallet->request), .account = wallet->account,
                          .only_active = true, .limit = GRANTS_PAGE };
    StoredGrant *rows;
    size_t       found;
    wallet->count = 0;
    wallet->grants = NULL;
    do {
        TRY(credit_grants(tx, &page, &rows, &found));
        StoredGrant *all = arena_array(db_arena(tx), StoredGrant, wallet->count + found);
        for (size_t i = 0; i < wallet->count; i++)
            all[i] = wallet->grants[i];
        for (size_t i = 0; i < found; i++)
            all[wallet->count + i] = rows[i];
        wallet->grants = all;
        wallet->count += found;
        if (found > 0)
            page.after = rows[found - 1].grant.id;
    } while (found == page.limit);
    return NULL;
}

// The currencies of the grants, by code.
static void currencies_take(Wallet *wallet)
{
    Arena *arena = wallet->request->arena;
    wallet->currencies = arena_array(arena, Currency, wallet->count);
    for (size_t i = 0; i < wallet->count; i++) {
        Currency currency = wallet->grants[i].grant.currency;
        size_t   place = 0;
        while (place < wallet->currency_count &&
               str_compare(currency_code(&wallet->currencies[place]),
                           currency_code(&currency)) < 0)
            place++;
        if (place < wallet->currency_count &&
            currency_equal(wallet->currencies[place], currency))
            continue;
        for (size_t k = wallet->currency_count++; k > place; k--)
            wallet->currencies[k] = wallet->currencies[k - 1];
        wallet->currencies[place] = currency;
    }
}

typedef struct TaxesRead {
    const Wallet  *wallet;
    Currency       currency;
    const Drawing *drawing;
    int64_t       *taxes;
} TaxesRead;

static Err *taxes_work(DbTx *tx, void *context)
{
    TaxesRead *read = context;
    return open_draw_taxes(tx, &read->wallet->open, read->currency, read->drawing, &read->taxes);
}

// What the open bills of one currency will draw of each grant.
static Err *expect(Wallet *wallet, Currency currency)
{
    Arena       *arena = wallet->request->arena;
    CreditGrants grants = { arena_array(arena, CreditGrant, wallet->count), 0 };
    size_t      *places = arena_array(arena, size_t, wallet->count);
    Drawing      drawing;
    for (size_t i = 0; i < wallet->count; i++)
        if (currency_equal(wallet->grants[i].grant.currency, currency)) {
            places[grants.count] = i;
            grants.at[grants.count++] = wallet->grants[i].grant;
        }
    TRY(draw_begin(arena, grants, open_draw_of(&wallet->open, currency), &drawing));
    draw_before_tax(&drawing);
    TaxesRead read = { wallet, currency, &drawing, NULL };
    TRY(books_read(wallet->request, taxes_work, &read));
    draw_after_tax(&drawing, read.taxes);
    draw_reserve(&drawing, grants);
    for (size_t i = 0; i < grants.count; i++)
        wallet->expected[places[i]] = grants.at[i].reserved;
    return NULL;
}

// ---- the answer

static Err *sum_add(Arena *arena, int64_t *sum, int64_t more)
{
    if (!__builtin_add_overflow(*sum, more, sum))
        return NULL;
    return refuse(arena, ERR_AMOUNT_TOO_LARGE, STR_NONE,
                  "the wallet holds more than 63 bits of minor units");
}

static Err *balance_write(const Wallet *wallet, Currency currency, JsonOut *out)
{
    Arena  *arena = wallet->request->arena;
    Instant now = now_of(wallet->request);
    int64_t posted = 0, outside = 0, expected = 0;
    for (size_t i = 0; i < wallet->count; i++) {
        const CreditGrant *grant = &wallet->grants[i].grant;
        if (!currency_equal(grant->currency, currency))
            continue;
        TRY(sum_add(arena, &posted, grant_left(grant)));
        if (grant_in_force(grant, now))
            expected += wallet->expected[i];
        else
            outside += grant_left(grant);
    }
    json_object(out);
    json_string_member(out, "currency", currency_code(&currency));
    money_member(out, arena, "posted", (Money){ posted, currency });
    money_member(out, arena, "notInForce", (Money){ outside, currency });
    money_member(out, arena, "expectedDraw", (Money){ expected, currency });
    money_member(out, arena, "holds", (Money){ 0, currency });
    money_member(out, arena, "available", (Money){ posted - outside - expected, currency });
    json_object_end(out);
    return NULL;
}

static Err *wallet_write(Wallet *wallet, Response *response)
{
    Arena  *arena = wallet->request->arena;
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "account", wallet->account);
    json_string_member(&out, "ratedAt", instant_print(arena, now_of(wallet->request)));
    json_name(&out, STR("balances"));
    json_array(&out);
    for (size_t i = 0; i < wallet->currency_count; i++)
        TRY(balance_write(wallet, wallet->currencies[i], &out));
    json_array_end(&out);
    json_name(&out, STR("grants"));
    json_array(&out);
    for (size_t i = 0; i < wallet->count; i++)
        grant_to_json(&wallet->grants[i], arena, &out);
    json_array_end(&out);
    json_object_end(&out);
    return NULL;
}

// Nothing before the first of the grants is paid.
static Err *open_read(Wallet *wallet)
{
    Request      *request = wallet->request;
    Server       *server = server_of(request);
    OpenDrawQuery query = { .open = { .catalog = server->catalog,
                                      .partition = server->partition,
                                      .project = project_of(request),
                                      .at = now_of(request),
                                      .as_of = SEQUENCE_NEWEST,
                                      .rated_at = now_of(request) },
                            .books = server->books,
                            .since = INSTANT_END };
    for (size_t i = 0; i < wallet->count; i++)
        if (wallet->grants[i].grant.effective_at.us < query.since.us)
            query.since = wallet->grants[i].grant.effective_at;
    return bill_draw_open(request->arena, &query, wallet->account, &wallet->open);
}

static Err *wallet_read(Wallet *wallet, Response *response)
{
    wallet->expected = arena_array(wallet->request->arena, int64_t, wallet->count);
    currencies_take(wallet);
    for (size_t i = 0; i < wallet->currency_count; i++)
        TRY(expect(wallet, wallet->currencies[i]));
    return wallet_write(wallet, response);
}

static Err *wallet_get(Request *request, Response *response)
{
    Wallet wallet = { .request = request, .account = request_path(request, "id") };
    TRY(money_account(request, wallet.account));
    TRY(books_read(request, grants_work, &wallet));
    TRY(open_read(&wallet));
    Err *err = wallet_read(&wallet, response);
    bill_draw_close(&wallet.open);
    return err;
}

// ---- entries

typedef struct EntriesRead {
    CreditEntryPage page;
    CreditEntry    *entries;
    size_t          count;
} EntriesRead;

static Err *entries_work(DbTx *tx, void *context)
{
    EntriesRead *read = context;
    return credit_entries(tx, &read->page, &read->entries, &read->count);
}

static void entry_to_json(const CreditEntry *entry, Currency currency, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", entry->id);
    json_string_member(out, "grant", entry->grant);
    json_string_member(out, "kind", entry->kind);
    json_string_member(out, "source", entry->source);
    money_member(out, arena, "amount", (Money){ entry->amount, currency });
    money_member(out, arena, "cost", (Money){ entry->cost, currency });
    json_string_member(out, "at", instant_print(arena, entry->at));
    json_object_end(out);
}

static Err *entries_get(Request *request, Response *response)
{
    CatalogPage page;
    Str         code = STR_NONE;
    EntriesRead read = { .page = { .wallet = { .project = project_of(request),
                                               .account = request_path(request, "id") } } };
    request_query(request, "currency", &code);
    if (!currency_find(code, &read.page.wallet.currency))
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "currency must be a code of ISO 4217 that is in use");
    TRY(money_account(request, read.page.wallet.account));
    Str list = str_print(request->arena, "wallet %.*s %.*s", STR_ARG(code),
                         STR_ARG(read.page.wallet.account));
    TRY(page_read(request, list, &page));
    read.page.before = page.after;
    read.page.limit = page.limit;
    TRY(books_read(request, entries_work, &read));
    size_t  count = page_rows(&page, read.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        entry_to_json(&read.entries[i], read.page.wallet.currency, request->arena, &out);
    Str last = count == 0 ? STR_NONE : read.entries[count - 1].id;
    response_list_end(&out, page_next(request, list, &page, read.count, last));
    return NULL;
}

// ---- shapes and routes

static const Field balance_fields[] = {
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("posted", DECIMAL, .required = true, .doc = "What remains of all active grants."),
    MEMBER("notInForce", DECIMAL, .required = true,
           .doc = "Of those that begin later, and of those that only pay for usage before now."),
    MEMBER("expectedDraw", DECIMAL, .required = true,
           .doc = "What the bills so far and charges that wait will draw of the others."),
    MEMBER("holds", DECIMAL, .required = true, .doc = "Kept for payments that were announced."),
    MEMBER("available", DECIMAL, .required = true,
           .doc = "posted - notInForce - expectedDraw - holds."),
};
static const Shape balance_shape =
    SHAPE("WalletBalance", balance_fields, .doc = "A wallet in one currency.");

static const Field wallet_fields[] = {
    MEMBER("account", TEXT, .required = true, .doc = "The account's id."),
    MEMBER("ratedAt", INSTANT, .required = true, .doc = "What counted as now."),
    MEMBER("balances", ARRAY, .required = true, .shape = &balance_shape, .doc = "By currency."),
    MEMBER("grants", ARRAY, .required = true, .shape = &grant_shape, .doc = "Active ones, by id."),
};
static const Shape wallet_shape = SHAPE("Wallet", wallet_fields, .doc = "An account's credit.");

static const char *const entry_kinds[] = { "grant",   "draw",   "charge", "adjustment",
                                           "restore", "expiry", "revoke", NULL };

static const Field entry_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "cre_ and 26 characters, ordered by time."),
    MEMBER("grant", TEXT, .required = true, .doc = "The grant that changed."),
    MEMBER("kind", ENUM, .required = true, .choices = entry_kinds, .doc = "What happened."),
    MEMBER("source", TEXT, .required = true, .doc = "What caused it."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "Above 0 it came, below it went."),
    MEMBER("cost", DECIMAL, .required = true, .doc = "What was paid for that part."),
    MEMBER("at", INSTANT, .required = true, .doc = "When it was booked."),
};
static const Shape entry_shape = SHAPE("WalletEntry", entry_fields, .doc = "A change of a grant.");

static const Field list_fields[] = { LIST_SHAPE("Entries, newest first.", &entry_shape) };
static const Shape list_shape =
    SHAPE("WalletEntryList", list_fields, .doc = "A page of entries; all sum to what is posted.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "currency", .kind = PARAMETER_TEXT, .required = true, .doc = "Of the wallet." },
};

const Route api_wallets_routes[] = {
    { .name = "getWallet",
      .method = METHOD_GET,
      .path = "/v1/accounts/{id}/wallet",
      .at = AT_OWNER_PERHAPS,
      .scope = "credits:read",
      .gives = &wallet_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND),
      .handler = wallet_get,
      .doc = "What credit an account has, and what of it is available now." },
    { .name = "listWalletEntries",
      .method = METHOD_GET,
      .path = "/v1/accounts/{id}/wallet/entries",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_ACCOUNT_NOT_FOUND, ERR_CURSOR_INVALID),
      .handler = entries_get,
      .doc = "Every change of an account's credit in a currency." },
};
const size_t api_wallets_route_count = sizeof api_wallets_routes / sizeof *api_wallets_routes;
