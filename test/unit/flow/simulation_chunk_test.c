// SPDX-License-Identifier: Apache-2.0
// The stored form of results, their sums, and the table for spreadsheets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/simulate/report.h"

static RepricedLine random_line(Seeded *seeded, Arena *arena)
{
    int64_t start = (int64_t)seeded_below(seeded, 1000000) - 500000;
    return (RepricedLine){
        .subscription = str_print(arena, "s%d", (int)seeded_below(seeded, 3)),
        .period = { { start }, { start + 1 + (int64_t)seeded_below(seeded, 1000) } },
        .kind = (LineKind)seeded_below(seeded, LINE_KIND_COUNT),
        .charge = seeded_below(seeded, 4) == 0 ? STR("") : STR("api"),
        .group = seeded_below(seeded, 2) == 0 ? STR("") : STR("{\"region\":\"eu\"}"),
        .currency = seeded_below(seeded, 5) == 0 ? STR("JPY") : STR("USD"),
        .before = (int64_t)seeded_next(seeded) >> (1 + seeded_below(seeded, 62)),
        .after = (int64_t)seeded_next(seeded) >> (1 + seeded_below(seeded, 62)),
    };
}

static RepricedAccount random_account(Seeded *seeded, Arena *arena, size_t number)
{
    RepricedAccount account = { .account = str_print(arena, "account %zu", number),
                                .warnings = (uint32_t)seeded_below(seeded, 64),
                                .refusal = STR(""), .detail = STR(""),
                                .count = seeded_below(seeded, 6) };
    account.lines = arena_array(arena, RepricedLine, account.count);
    for (size_t i = 0; i < account.count; i++)
        account.lines[i] = random_line(seeded, arena);
    return account;
}

static void lines_equal(const RepricedLine *a, const RepricedLine *b)
{
    assert_true(str_equal(a->subscription, b->subscription));
    assert_int_equal(a->period.start.us, b->period.start.us);
    assert_int_equal(a->period.end.us, b->period.end.us);
    assert_int_equal(a->kind, b->kind);
    assert_true(str_equal(a->charge, b->charge));
    assert_true(str_equal(a->group, b->group));
    assert_true(str_equal(a->currency, b->currency));
    assert_int_equal(a->before, b->before);
    assert_int_equal(a->after, b->after);
}

static Str written(Arena *arena, const RepricedAccount *accounts, size_t count)
{
    ChunkWriter writer = chunk_writer_open(arena, count);
    for (size_t i = 0; i < count; i++)
        chunk_write(&writer, &accounts[i]);
    return chunk_writer_close(&writer);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(7);
    AUTO(Arena) arena = arena_open();
    for (size_t count = 0; count < 40; count++) {
        RepricedAccount *accounts = arena_array(arena, RepricedAccount, count), account;
        for (size_t i = 0; i < count; i++)
            accounts[i] = random_account(&seeded, arena, i);
        Str         content = written(arena, accounts, count);
        ChunkReader reader;
        chunk_reader_open(arena, content, &reader);
        for (size_t i = 0; i < count; i++) {
            assert_true(chunk_read(&reader, &account));
            assert_true(str_equal(account.account, accounts[i].account));
            assert_int_equal(account.warnings, accounts[i].warnings);
            assert_int_equal(account.count, accounts[i].count);
            for (size_t k = 0; k < account.count; k++)
                lines_equal(&account.lines[k], &accounts[i].lines[k]);
        }
        assert_false(chunk_read(&reader, &account));
        assert_null(chunk_reader_close(&reader));
        assert_true(str_equal(content, written(arena, accounts, count)));
    }
}

// Cut anywhere or with a byte changed: refused, or read as something, but never past its end.
static void damage_is_refused(void **state)
{
    (void)state;
    Seeded          seeded = seeded_of(8);
    AUTO(Arena) arena = arena_open();
    RepricedAccount accounts[5], account;
    for (size_t i = 0; i < 5; i++)
        accounts[i] = random_account(&seeded, arena, i);
    Str content = written(arena, accounts, 5);
    for (size_t cut = 0; cut < content.length; cut++) {
        ChunkReader reader;
        chunk_reader_open(arena, str_copy(arena, (Str){ content.at, cut }), &reader);
        while (chunk_read(&reader, &account))
            ;
        Err *err = chunk_reader_close(&reader);
        assert_true(err != NULL && err->code == ERR_STORE_FAILED);
    }
    for (size_t at = 0; at < content.length; at++) {
        char       *changed = arena_copy(arena, content.at, content.length);
        ChunkReader reader;
        changed[at] = (char)(changed[at] ^ (1 + (int)seeded_below(&seeded, 255)));
        chunk_reader_open(arena, (Str){ changed, content.length }, &reader);
        while (chunk_read(&reader, &account))
            ;
        Err *err = chunk_reader_close(&reader);
        assert_true(err == NULL || err->code == ERR_STORE_FAILED);
    }
}

static Str csv_of(Arena *arena, const char *account, const char *group)
{
    Text         csv = text_open(arena);
    RepricedLine line = { .subscription = STR("sub"), .period = { { 0 }, { 86400000000 } },
                          .charge = STR("api"), .group = str_of(group), .currency = STR("USD"),
                          .before = 1050, .after = -5 };
    RepricedAccount one = { .account = str_of(account), .lines = &line, .count = 1 };
    assert_null(report_account_csv(&one, &csv));
    return text_str(&csv);
}

static void a_table_for_spreadsheets(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    static const char rest[] = "1970-01-01T00:00:00Z,1970-01-02T00:00:00Z,api,usage";
    Str plain = str_print(arena, "acct,sub,%s,,USD,10.50,-0.05,-10.55\r\n", rest);
    assert_true(str_equal(csv_of(arena, "acct", ""), plain));
    Str quoted = str_print(
        arena, "\"a,b\",sub,%s,\"{\"\"r\"\":\"\"eu\"\"}\",USD,10.50,-0.05,-10.55\r\n", rest);
    assert_true(str_equal(csv_of(arena, "a,b", "{\"r\":\"eu\"}"), quoted));
    const char *formulas[] = { "=1+1", "+1", "-1", "@x", "\tx", "\rx" };
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        Str row = csv_of(arena, formulas[i], "");
        assert_true(row.at[0] == '\'' || (row.at[0] == '"' && row.at[1] == '\''));
    }
    assert_true(str_starts(csv_of(arena, "say \"hi\"\r\n", ""), STR("\"say \"\"hi\"\"\r\n\",sub")));
}

// ---- sums

static RepricedAccount account_with(Arena *arena, const char *name, int64_t before, int64_t after)
{
    RepricedLine *line = arena_new(arena, RepricedLine);
    *line = (RepricedLine){ .subscription = STR("s"), .charge = STR("api"), .group = STR(""),
                            .currency = STR("USD"), .before = before, .after = after };
    return (RepricedAccount){ .account = str_of(name), .refusal = STR(""), .detail = STR(""),
                              .lines = line, .count = 1 };
}

static Str sums_of(Arena *arena, const RepricedAccount *accounts, size_t count)
{
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    Totals *totals = totals_open(arena);
    for (size_t i = 0; i < count; i++)
        assert_null(totals_add(totals, &accounts[i]));
    totals_to_json(totals, &out);
    totals_close(totals);
    return text_str(&text);
}

static void holds(Str text, const char *part)
{
    if (memmem(text.at, text.length, part, strlen(part)) == NULL)
        fail_msg("%s is not in %.*s", part, STR_ARG(text));
}

static void winners_and_losers(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    RepricedAccount accounts[] = {
        account_with(arena, "halved", 1000, 500),  account_with(arena, "same", 700, 700),
        account_with(arena, "tenth", 1000, 1100),  account_with(arena, "new", 0, 30),
        account_with(arena, "doubled", 400, 800),  account_with(arena, "less", 1000, 999),
        account_with(arena, "credit", -100, -150),
    };
    Str sums = sums_of(arena, accounts, sizeof accounts / sizeof *accounts);
    holds(sums, "\"accounts\":7,\"priced\":7");
    holds(sums, "\"before\":\"40.00\",\"after\":\"39.79\",\"delta\":\"-0.21\",\"accounts\":7,"
                "\"winners\":3,\"losers\":3,\"unchanged\":1,\"fromNothing\":1");
    holds(sums, "\"topWinners\":[{\"account\":\"halved\"");
    holds(sums, "\"topLosers\":[{\"account\":\"doubled\",\"before\":\"4.00\",\"after\":\"8.00\","
                "\"delta\":\"4.00\"},{\"account\":\"tenth\"");
    holds(sums, "{\"fromPercent\":\"-50\",\"toPercent\":\"-20\",\"accounts\":1}");
    holds(sums, "{\"fromPercent\":\"-5\",\"toPercent\":\"0\",\"accounts\":1}");
    holds(sums, "{\"fromPercent\":\"10\",\"toPercent\":\"20\",\"accounts\":1}");
    holds(sums, "{\"fromPercent\":\"50\",\"toPercent\":null,\"accounts\":2}");  // credit: by half
    holds(sums, "{\"charge\":\"api\",\"kind\":\"usage\",\"currency\":\"USD\",\"before\":\"40.00\"");
}

static void sums_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    RepricedAccount large = account_with(arena, "large", INT64_MAX - 1, 0);
    Totals         *totals = totals_open(arena);
    assert_null(totals_add(totals, &large));
    Err *err = totals_add(totals, &large);
    assert_true(err != NULL && err->code == ERR_AMOUNT_TOO_LARGE);
    totals_close(totals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_table_for_spreadsheets),
        cmocka_unit_test(winners_and_losers),
        cmocka_unit_test(sums_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
