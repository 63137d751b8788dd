// SPDX-License-Identifier: Apache-2.0
// Which closed periods are late, what a line corrects, and credit that goes back first: over books,
// usage and meters that say what the test wants.
#include "lives.h"

#include "catalog/catalog.h"
#include "flow/aggregate/moved.h"
#include "flow/ledger/credit.h"

static Life  life;
static bool  meter_is_refused, moved_is_refused;
static Meter meters[] = { { .id = STR_INIT("plain"), .aggregation = AGGREGATE_SUM },
                          { .id = STR_INIT("level"), .aggregation = AGGREGATE_TIME_WEIGHTED } };
static size_t   meters_asked;
static uint64_t moves[4];  // of the closed periods, and of what lies before the first
static int64_t  draw_left;
static Str      undone[4];
static size_t   undone_count;

static Err *refused(Arena *arena)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "refused by the test");
}

static Err *test_meter(Catalog *catalog, Arena *arena, ProjectId project, Str id, Meter **meter)
{
    (void)catalog;
    (void)project;
    meters_asked++;
    *meter = &meters[str_equal(id, STR("level"))];
    return meter_is_refused ? refused(arena) : NULL;
}

static Err *test_moved(UsageMoment *moment, Arena *arena, const UsageMovedQuery *query,
                       UsageMoved **moved)
{
    (void)moment;
    *moved = arena_array(arena, UsageMoved, query->count);
    for (size_t i = 0; i < query->count; i++)
        (*moved)[i].count = moves[i];
    return moved_is_refused ? refused(arena) : NULL;
}

// Books without any row.
static Err *test_read(Db *db, Arena *arena, DbWork work, void *context)
{
    (void)db;
    (void)arena;
    (void)work;
    (void)context;
    return NULL;
}

static Arena *test_arena(const DbTx *tx)
{
    (void)tx;
    return life.arena;
}

static Err *test_draw_left(DbTx *tx, const CreditWallet *wallet, Str of, int64_t *left)
{
    (void)tx;
    (void)wallet;
    (void)of;
    *left = draw_left;
    return NULL;
}

static Err *test_undo(DbTx *tx, const CreditRestore *done)
{
    (void)tx;
    undone[undone_count++] = done->of;
    return NULL;
}

#define catalog_meter_get test_meter
#define usage_moved test_moved
#define db_read test_read
#define db_arena test_arena
#define credit_draw_left test_draw_left
#define credit_restore_undo test_undo
#include "flow/bill/timeline_read.c"
#include "flow/invoice/late.c"
#include "flow/invoice/late_restore.c"

#define PER_UNIT(id, meters) \
    "{\"id\":\"" id "\",\"model\":\"perUnit\",\"unitPrice\":1," meters "}"
#define PLAN(charges) "{\"currency\":\"USD\",\"charges\":[" charges "]}"

static const char looking_back[] = PLAN(
    PER_UNIT("a", "\"meter\":\"plain\"") "," PER_UNIT("b", "\"meter\":\"level\""));

static int begin(void **state)
{
    (void)state;
    life_begin(&life, "2026-06-01", looking_back);
    meter_is_refused = moved_is_refused = false;
    memset(moves, 0, sizeof moves);
    undone_count = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    life_end(&life);
    return 0;
}

static Instant month(int64_t number)
{
    char text[16];
    snprintf(text, sizeof text, "2026-%02d-01", (int)number);
    return life_at(text);
}

// June, July and August are closed.
static Late closed_months(void)
{
    Late late = { .closed = arena_array(life.arena, ClosedPeriod, 3), .closed_count = 3 };
    for (int64_t i = 0; i < 3; i++)
        late.closed[i] = (ClosedPeriod){ .span = { month(6 + i), month(7 + i) },
                                         .invoice = str_print(life.arena, "inv_%d", (int)i) };
    return late;
}

static Err *moved_of(Late *late)
{
    IssueQuery issue = { 0 };
    LateQuery  query = { .issue = &issue, .facts = &life.facts };
    *late = closed_months();
    return late_moved_of(life.arena, &query, late);
}

// "6 8": the months that are late.
static const char *late_told(void)
{
    Late late;
    Text text = text_open(life.arena);
    assert_null(moved_of(&late));
    for (size_t i = 0; i < late.count; i++)
        for (int64_t number = 6; number < 9; number++)
            if (late.at[i].closed.span.start.us == month(number).us)
                text_print(&text, "%s%d", i > 0 ? " " : "", (int)number);
    if (late.count > 0)
        assert_int_equal(late.since.us, late.at[0].closed.span.start.us);
    return str_terminated(life.arena, text_str(&text));
}

// ---- which periods

static void test_what_moved_in_a_period_is_late(void **state)
{
    (void)state;
    assert_string_equal(late_told(), "");
    moves[1] = 1;
    assert_string_equal(late_told(), "7");
    moves[0] = 2;
    assert_string_equal(late_told(), "6 7");
}

// What a level was before the first period is what that begins with.
static void test_what_moved_before_counts_where_a_meter_looks_back(void **state)
{
    (void)state;
    moves[3] = 1;
    assert_string_equal(late_told(), "6");
    moves[1] = moves[2] = 1;
    assert_string_equal(late_told(), "6 7 8");
    moves[0] = 1;  // it is late by itself
    assert_string_equal(late_told(), "6 7 8");
    moves[0] = 0;
    life_end(&life);
    life_begin(&life, "2026-06-01", PLAN(PER_UNIT("a", "\"meter\":\"plain\"")));
    assert_string_equal(late_told(), "7 8");
}

static void test_the_first_meter_that_looks_back_is_enough(void **state)
{
    (void)state;
    life_end(&life);
    life_begin(&life, "2026-06-01",
               PLAN("{\"id\":\"x\",\"model\":\"formula\","
                    "\"meters\":{\"l\":\"level\",\"p\":\"plain\"},\"expression\":\"l + p\"}"));
    moves[3] = 1;
    meters_asked = 0;
    assert_string_equal(late_told(), "6");
    assert_int_equal(meters_asked, 1);
}

static void refused_with(ErrCode code)
{
    Late late;
    Err *err = moved_of(&late);
    assert_non_null(err);
    assert_int_equal(err->code, code);
}

static void test_what_cannot_be_read(void **state)
{
    (void)state;
    moves[3] = 1;
    moved_is_refused = true;
    refused_with(ERR_STORE_FAILED);
    moved_is_refused = false;
    meter_is_refused = true;
    refused_with(ERR_STORE_FAILED);
    meter_is_refused = false;
    life.first.plan_version = 9;
    refused_with(ERR_PLAN_VERSION_NOT_FOUND);
}

// ---- what a line corrects

static IssueLine line_at(int64_t number, int64_t amount)
{
    Currency usd;
    assert_true(currency_find(STR("USD"), &usd));
    return (IssueLine){ .subscription = STR("sub"),
                        .service = { month(number), month(number + 1) },
                        .amount = { amount, usd },
                        .discount = { 0, usd } };
}

// May was rated because June changed, and nobody closed it within the horizon.
static void test_a_line_of_a_period_that_nobody_closed(void **state)
{
    (void)state;
    Late        late = closed_months();
    LateOrigins origins = { .natural = month(8), .late = &late };
    IssueLine   lines[] = { line_at(5, 100), line_at(7, 100), line_at(8, 100) };
    assert_null(late_origins(life.arena, &origins, lines, 3));
    assert_null(lines[0].of->invoice.at);
    assert_int_equal(lines[0].of->period.start.us, month(5).us);
    assert_int_equal(lines[0].of->period.end.us, month(6).us);
    assert_true(str_equal(lines[1].of->invoice, STR("inv_1")));
    assert_int_equal(lines[1].of->line, 0);
    assert_null(lines[2].of);  // not late
}

static void test_lines_of_a_period_beyond_numbers(void **state)
{
    (void)state;
    LateOf       of = { 0 };
    ClosedPeriod june = { .subscription = STR("sub"), .span = { month(6), month(7) } };
    LatePeriod   period = { .closed = june };
    IssueLate    late = { .moved = &period, .moved_count = 1 };
    IssueQuery   query = { 0 };
    for (int64_t place = 0; place < 2; place++) {
        IssueLine  lines[] = { line_at(6, INT64_MAX), line_at(6, 1 - place) };
        IssueDraft draft = { .query = &query, .late = &late, .lines = lines, .count = 2 };
        lines[0].of = lines[1].of = &of;
        lines[1].discount.minor = place;
        Err *err = late_finalize(NULL, &draft, STR("inv"));
        assert_non_null(err);
        assert_int_equal(err->code, ERR_AMOUNT_TOO_LARGE);
    }
}

// ---- credit that had paid

static void priced_of(IssueDraft *draft, IssuePriced *priced)
{
    *priced = (IssuePriced){ .draft = draft,
                             .lines = arena_array(life.arena, TaxLine, draft->count) };
    for (size_t i = 0; i < draft->count; i++) {
        priced->lines[i].amount = draft->lines[i].amount;
        priced->lines[i].net = draft->lines[i].amount.minor;
    }
}

static void test_each_invoice_gives_back_what_fell_of_it(void **state)
{
    (void)state;
    LateOf      ofs[] = { { .invoice = STR("a") }, { .invoice = STR("b") }, { .line = 0 } };
    IssueLine   lines[] = { line_at(6, -300), line_at(7, -500), line_at(6, -100), line_at(5, -900),
                            line_at(8, 100) };
    IssueQuery  query = { 0 };
    IssueDraft  draft = { .query = &query, .lines = lines, .count = 5 };
    IssuePriced priced;
    lines[0].of = lines[2].of = &ofs[0];
    lines[1].of = &ofs[1];
    lines[3].of = &ofs[2];  // of no invoice: nobody's credit had paid it
    priced_of(&draft, &priced);
    draw_left = 450;
    assert_null(late_restores(NULL, &priced));
    assert_int_equal(priced.restore_count, 2);
    assert_int_equal(priced.restores[0].amount, 400);
    assert_true(str_equal(priced.restores[1].invoice, STR("b")));
    assert_int_equal(priced.restores[1].amount, 450);  // all that is left of its draw
    assert_int_equal(priced.restored, 850);
}

static void test_only_lines_that_correct_an_invoice_are_undone(void **state)
{
    (void)state;
    IssueLineRow rows[] = { { .content = STR("{}") },
                            { .content = STR("{\"of\":{\"invoice\":null}}") },
                            { .content = STR("{\"of\":{\"invoice\":\"a\"}}") } };
    LateUndo     undo = { .document = STR("inv"), .rows = rows, .count = 3 };
    assert_null(late_restores_undo(NULL, &undo));
    assert_int_equal(undone_count, 1);
    assert_true(str_equal(undone[0], late_draw_source(life.arena, STR("a"))));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_moved_in_a_period_is_late),
        TEST(test_what_moved_before_counts_where_a_meter_looks_back),
        TEST(test_the_first_meter_that_looks_back_is_enough),
        TEST(test_what_cannot_be_read),
        TEST(test_a_line_of_a_period_that_nobody_closed),
        TEST(test_lines_of_a_period_beyond_numbers),
        TEST(test_each_invoice_gives_back_what_fell_of_it),
        TEST(test_only_lines_that_correct_an_invoice_are_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
