// SPDX-License-Identifier: Apache-2.0
#include "flow/simulate/report.h"

static const char *const warning_words[REPRICE_WARNINGS] = {
    [WARN_NO_SUBSCRIPTION] = "no_subscription", [WARN_COUNTED_TWICE] = "usage_counted_twice",
    [WARN_REFUSED] = "not_priced",              [WARN_PERIOD_RUNS] = "period_runs",
    [WARN_PERIODS_DIFFER] = "periods_differ",   [WARN_CURRENCIES_DIFFER] = "currencies_differ",
};

static Err *currency_read(Arena *arena, Str code, Currency *currency)
{
    if (!currency_find(code, currency))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored currency is damaged");
    return NULL;
}

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.length == 0)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

// ---- JSON

static Err *sums_write(const RepricedAccount *account, JsonOut *out)
{
    AccountSum *sums;
    size_t      count;
    TRY(account_sums(out->text->arena, account, &sums, &count));
    json_name(out, STR("totals"));
    json_array(out);
    for (size_t i = 0; i < count; i++) {
        json_object(out);
        json_string_member(out, "currency", currency_code(&sums[i].currency));
        amounts_to_json(sums[i].currency, sums[i].before, sums[i].after, out);
        json_object_end(out);
    }
    json_array_end(out);
    return NULL;
}

static void period_write(Span period, JsonOut *out)
{
    Arena *arena = out->text->arena;
    json_name(out, STR("period"));
    json_object(out);
    json_string_member(out, "start", instant_print(arena, period.start));
    json_string_member(out, "end", instant_print(arena, period.end));
    json_object_end(out);
}

static Err *line_write(const RepricedLine *line, JsonOut *out)
{
    Currency currency;
    TRY(currency_read(out->text->arena, line->currency, &currency));
    json_object(out);
    text_or_null(out, "subscription", line->subscription);
    period_write(line->period, out);
    text_or_null(out, "charge", line->charge);
    json_string_member(out, "kind", str_of(line_kind_words[line->kind]));
    if (line->group.length == 0)
        json_null_member(out, "group");
    else
        json_raw_member(out, "group", line->group);
    json_string_member(out, "currency", line->currency);
    amounts_to_json(currency, line->before, line->after, out);
    json_object_end(out);
    return NULL;
}

static void warnings_write(const RepricedAccount *account, JsonOut *out)
{
    json_name(out, STR("warnings"));
    json_array(out);
    for (int i = 0; i < REPRICE_WARNINGS; i++)
        if ((account->warnings >> i & 1) != 0)
            json_string(out, str_of(warning_words[i]));
    json_array_end(out);
}

static void problem_write(const RepricedAccount *account, JsonOut *out)
{
    if (account->refusal.length == 0) {
        json_null_member(out, "problem");
        return;
    }
    json_name(out, STR("problem"));
    json_object(out);
    json_string_member(out, "code", account->refusal);
    json_string_member(out, "detail", account->detail);
    json_object_end(out);
}

Err *report_account_json(const RepricedAccount *account, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "account", account->account);
    TRY(sums_write(account, out));
    json_name(out, STR("lines"));
    json_array(out);
    for (size_t i = 0; i < account->count; i++)
        TRY(line_write(&account->lines[i], out));
    json_array_end(out);
    warnings_write(account, out);
    problem_write(account, out);
    json_object_end(out);
    return NULL;
}

// ---- CSV

static bool is_formula(Str text)
{
    static const char begins[] = "=+-@\t\r";
    for (size_t i = 0; text.length > 0 && i < sizeof begins - 1; i++)
        if (text.at[0] == begins[i])
            return true;
    return false;
}

static bool needs_quotes(Str text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] == '"' || text.at[i] == ',' || text.at[i] == '\r' || text.at[i] == '\n')
            return true;
    return text.length > 0 && (text.at[0] == ' ' || text.at[text.length - 1] == ' ');
}

// A text of the customer's.
static void csv_text(Text *csv, Str text)
{
    bool quotes = needs_quotes(text);
    if (quotes)
        text_add_char(csv, '"');
    if (is_formula(text))
        text_add_char(csv, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"')
            text_add_char(csv, '"');
        text_add_char(csv, text.at[i]);
    }
    if (quotes)
        text_add_char(csv, '"');
    text_add_char(csv, ',');
}

// Ours: digits, words.
static void csv_word(Text *csv, Str word)
{
    text_add(csv, word);
    text_add_char(csv, ',');
}

void report_csv_head(Text *csv)
{
    text_add(csv, STR("account,subscription,periodStart,periodEnd,charge,kind,group,currency,"
                      "before,after,delta\r\n"));
}

static Err *csv_line(Arena *arena, const RepricedAccount *account, const RepricedLine *line,
                     Text *csv)
{
    Money before = { .minor = line->before }, after = { .minor = line->after }, delta;
    TRY(currency_read(arena, line->currency, &before.currency));
    after.currency = before.currency;
    if (!money_subtract(after, before, &delta))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "a stored amount is damaged");
    csv_text(csv, account->account);
    csv_text(csv, line->subscription);
    csv_word(csv, instant_print(arena, line->period.start));
    csv_word(csv, instant_print(arena, line->period.end));
    csv_text(csv, line->charge);
    csv_word(csv, str_of(line_kind_words[line->kind]));
    csv_text(csv, line->group);
    csv_word(csv, line->currency);
    csv_word(csv, money_print(arena, before));
    csv_word(csv, money_print(arena, after));
    text_add(csv, money_print(arena, delta));
    text_add(csv, STR("\r\n"));
    return NULL;
}

Err *report_account_csv(const RepricedAccount *account, Text *csv)
{
    for (size_t i = 0; i < account->count; i++)
        TRY(csv_line(csv->arena, account, &account->lines[i], csv));
    return NULL;
}

// ---- walking

// Accounts of one chunk, from walk->index on. *ended: it has no more.
static Err *chunk_walk(ReportWalk *walk, Arena *arena, Str content, bool *ended)
{
    ChunkReader     reader;
    RepricedAccount account;
    Err            *err = NULL;
    int64_t         place = 0;
    *ended = true;
    chunk_reader_open(arena, content, &reader);
    while (err == NULL && chunk_read(&reader, &account)) {
        if (place++ < walk->index)
            continue;
        *ended = walk->limit > 0;
        if (!*ended)
            break;
        err = walk->take(walk->context, &account);
        walk->index++;
        walk->limit--;
    }
    Err *damaged = chunk_reader_close(&reader);
    return err == NULL ? damaged : err;
}

Err *report_walk(ReportWalk *walk, Arena *arena, bool *more)
{
    bool ended = true;
    *more = false;
    while (ended) {
        SimulationChunk chunk;
        TRY(simulation_chunk_get(walk->db, arena, walk->simulation, walk->chunk, &chunk));
        if (chunk.content.at == NULL)
            return NULL;
        TRY(chunk_walk(walk, arena, chunk.content, &ended));
        if (ended) {
            walk->chunk++;
            walk->index = 0;
        }
    }
    *more = true;
    return NULL;
}
