// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "time/instant.h"

enum { DIFFERENCES_SHOWN = 20 };

typedef struct Compare {
    Target  *target;
    Check   *check;
    Str      range;  // "from=...&to=..." around every event
    uint64_t differences;
} Compare;

Err *check_declare(Target *target)
{
    for (uint32_t meter = 0; meter < WORKLOAD_METERS; meter++) {
        Str name = workload_meter(meter);
        Str path = str_print(target->arena, "/v1/meters/%.*s", STR_ARG(name));
        Str body = str_print(target->arena,
                             "{\"event\":\"%.*s\",\"aggregation\":\"sum\",\"property\":\"value\"}",
                             STR_ARG(name));
        TRY(target_put(target, target->arena, path, body));
    }
    return NULL;
}

static void differ(Compare *compare, Str what, Str expected, Str found)
{
    compare->differences++;
    if (compare->differences <= DIFFERENCES_SHOWN)
        fprintf(stderr, "DIFFERS %.*s: expected %.*s, found %.*s\n", STR_ARG(what),
                STR_ARG(expected), STR_ARG(found));
}

static void expect(Compare *compare, Arena *arena, Str what, uint64_t expected, const Json *found)
{
    Str wanted = str_print(arena, "%" PRIu64, expected);
    compare->check->reads++;
    if (found == NULL)
        differ(compare, what, wanted, STR("nothing"));
    else if (!str_equal(wanted, found->text))
        differ(compare, what, wanted, found->text);
}

static Err *compare_usage(Compare *compare, Str meter, Str account, WorkloadCell cell)
{
    AUTO(Arena) arena = arena_open();
    Str who = account.length == 0 ? STR_NONE : str_print(arena, "&account=%.*s", STR_ARG(account));
    Str path = str_print(arena, "/v1/usage?meter=%.*s&%.*s&window=total%.*s", STR_ARG(meter),
                         STR_ARG(compare->range), STR_ARG(who));
    const Json *answer;
    Err        *refusal = target_get_json(compare->target, arena, path, &answer);
    if (refusal != NULL)
        return refuse(compare->target->arena, ERR_INTERNAL, STR_NONE, "%.*s",
                      STR_ARG(refusal->detail));
    const Json *rows = json_find(answer, STR("data"));
    const Json *row = rows == NULL ? NULL : rows->first;
    Str         sum = str_print(arena, "sum of %.*s %.*s", STR_ARG(meter), STR_ARG(account));
    Str         events = str_print(arena, "events of %.*s %.*s", STR_ARG(meter), STR_ARG(account));
    expect(compare, arena, sum, cell.sum, row == NULL ? NULL : json_find(row, STR("value")));
    expect(compare, arena, events, cell.events, row == NULL ? NULL : json_find(row, STR("events")));
    return NULL;
}

static Err *compare_meters(Compare *compare)
{
    for (uint32_t meter = 0; meter < WORKLOAD_METERS; meter++)
        TRY(compare_usage(compare, workload_meter(meter), STR_NONE,
                          compare->check->totals->meters[meter]));
    return NULL;
}

static Err *compare_account(Compare *compare, uint32_t account)
{
    Str name = workload_account(compare->target->arena, account);
    for (uint32_t meter = 0; meter < WORKLOAD_METERS; meter++) {
        uint64_t cell = (uint64_t)account * WORKLOAD_METERS + meter;
        TRY(compare_usage(compare, workload_meter(meter), name,
                          compare->check->totals->cells[cell]));
    }
    return NULL;
}

static Err *compare_accounts(Compare *compare)
{
    const Workload *workload = compare->check->workload;
    uint32_t        accounts = workload_accounts(workload);
    uint32_t sample = compare->check->accounts < accounts ? compare->check->accounts : accounts;
    Seeded   seeded = seeded_of(compare->check->totals->slots);
    for (uint32_t i = 0; i < sample; i++) {
        bool     frequent = i < (sample + 1) / 2;
        uint32_t rank = frequent ? i : (uint32_t)seeded_below(&seeded, accounts);
        TRY(compare_account(compare, workload_ranked(workload, rank)));
    }
    return NULL;
}

static uint64_t outcomes_sum(const Json *rows, Str name)
{
    uint64_t sum = 0;
    for (const Json *row = rows == NULL ? NULL : rows->first; row != NULL; row = row->next) {
        const Json *count = json_find(row, name);
        uint64_t    number = 0;
        if (count != NULL && str_whole(count->text, UINT64_MAX, &number))
            sum += number;
    }
    return sum;
}

static Err *compare_outcomes(Compare *compare)
{
    Arena      *arena = compare->target->arena;
    Instant     from = { compare->check->started_us / (3600 * INSTANT_SECOND_US) * 3600 *
                         INSTANT_SECOND_US };
    Instant     to = { from.us + INSTANT_DAY_US };
    const Json *answer;
    TRY(target_get_json(compare->target, arena,
                        str_print(arena, "/v1/measurements/outcomes?from=%.*s&to=%.*s&window=hour",
                                  STR_ARG(instant_print(arena, from)),
                                  STR_ARG(instant_print(arena, to))),
                        &answer));
    const Json *rows = json_find(answer, STR("data"));
    const Str   names[] = { STR("accepted"), STR("duplicates"), STR("conflicts"), STR("rejected") };
    uint64_t    wanted[] = { compare->check->totals->distinct, compare->check->duplicates, 0, 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t found = outcomes_sum(rows, names[i]);
        compare->check->reads++;
        if (found != wanted[i])
            differ(compare, str_print(arena, "outcomes %.*s", STR_ARG(names[i])),
                   str_print(arena, "%" PRIu64, wanted[i]), str_print(arena, "%" PRIu64, found));
    }
    return NULL;
}

Err *check_run(Target *target, Check *check)
{
    int64_t base_us = workload_base_ms(check->workload) * 1000;
    Instant from = { base_us - (WORKLOAD_LATE_DAYS + 1) * INSTANT_DAY_US };
    Instant to = { base_us + INSTANT_DAY_US };
    Compare compare = {
        .target = target,
        .check = check,
        .range = str_print(target->arena, "from=%.*s&to=%.*s",
                           STR_ARG(instant_print(target->arena, from)),
                           STR_ARG(instant_print(target->arena, to))),
    };
    int64_t start_us = clock_tick_us();
    check->reads = 0;
    TRY(compare_meters(&compare));
    TRY(compare_accounts(&compare));
    if (check->duplicates != UINT64_MAX)
        TRY(compare_outcomes(&compare));
    check->reads_us = clock_tick_us() - start_us;
    if (compare.differences > 0)
        return refuse(target->arena, ERR_INTERNAL, STR_NONE,
                      "%" PRIu64 " of %" PRIu64 " totals differ", compare.differences,
                      check->reads);
    return NULL;
}
