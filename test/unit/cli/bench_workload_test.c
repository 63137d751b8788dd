// SPDX-License-Identifier: Apache-2.0
// UB-1 is what it says it is, and its oracle agrees with a count of the rendered text itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "cli/bench_workload.h"
#include "time/instant.h"

enum { SLOTS = 200000, ACCOUNTS = 1000 };

static Workload *open_workload(Arena *arena, uint32_t accounts)
{
    WorkloadOptions options = { .seed = 7,
                                .accounts = accounts,
                                .base_ms = INT64_C(1781100131123) };
    return workload_open(arena, &options);
}

static Json *rendered(Arena *arena, const Workload *workload, uint64_t slot)
{
    char  text[WORKLOAD_EVENT_BYTES_MAX];
    char *end = workload_render(workload, slot, text);
    Json *root = NULL;
    assert_null(json_parse_copy(arena, (Str){ text, (size_t)(end - text) }, &root));
    return root;
}

static Str member(const Json *event, const char *name)
{
    const Json *found = json_find(event, str_of(name));
    assert_non_null(found);
    return found->text;
}

static void the_text_says_what_the_event_says(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Workload *workload = open_workload(arena, ACCOUNTS);
    for (uint64_t slot = 0; slot < 3000; slot++) {
        WorkloadEvent event = workload_event(workload, workload_origin(workload, slot));
        Json         *json = rendered(arena, workload, slot);
        Instant       ts;
        assert_int_equal(json->count, 5);
        assert_true(str_equal(member(json, "meter"), workload_meter(event.meter)));
        assert_true(str_equal(member(json, "account"), workload_account(arena, event.account)));
        assert_true(str_equal(member(json, "value"), str_print(arena, "%u", event.value)));
        assert_true(instant_parse(member(json, "ts"), &ts));
        assert_int_equal(ts.us, event.ts_ms * 1000);
        assert_true(
            str_equal(member(json, "uniqueId"), workload_unique_id(arena, workload, &event)));
    }
}

static void events_have_137_bytes_on_average(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    WorkloadTotals totals;
    workload_count(open_workload(arena, ACCOUNTS), SLOTS, &totals);
    assert_int_equal((totals.bytes + SLOTS / 2) / SLOTS, 137);
    workload_count_close(&totals);
}

static void shares_are_those_of_the_workload(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Workload *workload = open_workload(arena, ACCOUNTS);
    int64_t   base_ms = workload_base_ms(workload), oldest_ms = base_ms;
    int       repeats = 0, far = 0, late = 0;
    for (uint64_t slot = WORKLOAD_NEAR_SLOTS; slot < SLOTS; slot++) {
        uint64_t      origin = workload_origin(workload, slot);
        WorkloadEvent event = workload_event(workload, origin);
        assert_true(origin <= slot);
        repeats += origin < slot;
        far += slot - origin > 4 * WORKLOAD_NEAR_SLOTS;
        late += event.ts_ms < base_ms - 60000;
        oldest_ms = event.ts_ms < oldest_ms ? event.ts_ms : oldest_ms;
        assert_true(event.ts_ms <= base_ms);
        assert_true(event.value >= 1000 && event.value <= 9999);
    }
    assert_in_range(repeats, SLOTS * 49 / 1000, SLOTS * 53 / 1000);
    assert_in_range(far, SLOTS * 6 / 10000, SLOTS * 14 / 10000);
    assert_in_range(late, SLOTS * 18 / 1000, SLOTS * 22 / 1000);
    assert_true(oldest_ms > base_ms - WORKLOAD_LATE_DAYS * INSTANT_DAY_US / 1000);
    assert_true(oldest_ms < base_ms - (WORKLOAD_LATE_DAYS - 1) * INSTANT_DAY_US / 1000);
}

// The harmonic number of 1,000 is 7.4855: rank 1 has 13.36 %, rank 2 half of it, rank 10 a tenth.
static void accounts_follow_zipf(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    Workload *workload = open_workload(arena, ACCOUNTS);
    uint32_t *counts = arena_array(arena, uint32_t, ACCOUNTS);
    for (uint64_t slot = 0; slot < SLOTS; slot++)
        counts[workload_event(workload, slot).account]++;
    const struct {
        uint32_t rank, expected;
    } rows[] = { { 0, 26718 }, { 1, 13359 }, { 9, 2672 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t found = counts[workload_ranked(workload, rows[i].rank)];
        assert_in_range(found, rows[i].expected * 93 / 100, rows[i].expected * 107 / 100);
    }
}

static void every_account_has_one_rank(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    const uint32_t sizes[] = { 1, 2, 3, 8, 999, 100000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Workload *workload = open_workload(arena, sizes[i]);
        bool     *seen = arena_array(arena, bool, sizes[i]);
        for (uint32_t rank = 0; rank < sizes[i]; rank++) {
            uint32_t account = workload_ranked(workload, rank);
            assert_true(account < sizes[i] && !seen[account]);
            seen[account] = true;
        }
    }
}

// Counts from the text alone, with a table of ids, and compares cell by cell.
static void the_oracle_equals_a_count_of_the_text(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    AUTO(Arena) scratch = arena_open();
    enum { COUNTED = 20000 };
    Workload      *workload = open_workload(arena, ACCOUNTS);
    WorkloadTotals totals;
    WorkloadCell  *cells = arena_array(arena, WorkloadCell, ACCOUNTS * WORKLOAD_METERS);
    Map           *seen = map_open();
    for (uint64_t slot = 0; slot < COUNTED; slot++) {
        Json    *json = rendered(scratch, workload, slot);
        uint64_t account = 0, value = 0, meter = 0, known;
        if (map_find(seen, member(json, "uniqueId"), &known))
            continue;
        map_set(seen, member(json, "uniqueId"), slot);
        Str name = member(json, "account");
        assert_true(str_whole((Str){ name.at + 5, name.length - 5 }, ACCOUNTS - 1, &account));
        assert_true(str_whole(member(json, "value"), 9999, &value));
        while (!str_equal(workload_meter((uint32_t)meter), member(json, "meter")))
            meter++;
        cells[account * WORKLOAD_METERS + meter].events++;
        cells[account * WORKLOAD_METERS + meter].sum += value;
        arena_reset(scratch);
    }
    workload_count(workload, COUNTED, &totals);
    assert_int_equal(totals.distinct, map_count(seen));
    assert_memory_equal(totals.cells, cells, sizeof(WorkloadCell) * ACCOUNTS * WORKLOAD_METERS);
    workload_count_close(&totals);
    map_close(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_says_what_the_event_says),
        cmocka_unit_test(events_have_137_bytes_on_average),
        cmocka_unit_test(shares_are_those_of_the_workload),
        cmocka_unit_test(accounts_follow_zipf),
        cmocka_unit_test(every_account_has_one_rank),
        cmocka_unit_test(the_oracle_equals_a_count_of_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
