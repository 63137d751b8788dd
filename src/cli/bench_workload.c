// SPDX-License-Identifier: Apache-2.0
// UB-1 rendered for about 20 ns an event: the generator shares its cores with the server it
// measures, so every nanosecond here is taken from the figure. Nothing is kept between calls: a
// slot's event comes from mixing its number, its text from a template of its meter with digits put
// in place.
#include "cli/bench_workload.h"

#include <string.h>

#include "base/assert.h"
#include "base/int128.h"
#include "time/instant.h"

#define MS_A_DAY (INSTANT_DAY_US / 1000)

// One slot of Walker's alias table (as built by Vose, 1991): keeps its own account or gives way.
typedef struct AliasSlot {
    uint32_t keep_below;  // of 2^32
    uint32_t alias;
    uint32_t own;
} AliasSlot;

typedef struct Template {
    char     text[WORKLOAD_EVENT_BYTES_MAX];
    uint32_t length;
    uint32_t tail;  // where the account begins; what follows has the same shape for every meter
} Template;

enum { DATE_BYTES = 11 };  // "2026-06-10T"

struct Workload {
    WorkloadOptions options;
    uint64_t        slot_key, content_key, id_key;
    AliasSlot      *aliases;
    uint32_t       *ranked;
    Template        templates[WORKLOAD_METERS];
    char    dates[WORKLOAD_LATE_DAYS + 2][DATE_BYTES];  // of the base's day and those before
    int64_t base_day;
    char    pairs[100][2];
    char    hex[256][2];
};

// Places behind the account's first byte.
enum {
    AT_ACCOUNT_DIGITS = 5,
    AT_VALUE = WORKLOAD_ACCOUNT_BYTES + 10,
    AT_TS = AT_VALUE + 4 + 7,
    AT_ID = AT_TS + WORKLOAD_TS_BYTES + 14,
    AT_ID_DIGITS = AT_ID + 8,
    AT_END = AT_ID + WORKLOAD_ID_BYTES + 2,
};

static const char *const METER_NAMES[WORKLOAD_METERS] = {
    "api.requests",
    "compute.gpu_seconds",
    "storage.gb_hours",
    "network.egress_gb",
};

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits, so different
// origins have different ids without a check.
static inline uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

// A number below the limit from 32 random bits.
static inline uint32_t below(uint64_t bits_32, uint32_t limit)
{
    return (uint32_t)(((bits_32 & 0xffffffff) * limit) >> 32);
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Ranks are spread over the account names, so that frequent accounts are not neighbours in key
// order.
static void ranks_build(Workload *workload, Arena *arena)
{
    uint64_t accounts = workload->options.accounts;
    uint64_t stride = accounts * 5 / 8 + 1;
    while (greatest_divisor(stride, accounts) != 1)
        stride++;
    workload->ranked = arena_array(arena, uint32_t, accounts);
    for (uint64_t rank = 0; rank < accounts; rank++)
        workload->ranked[rank] = (uint32_t)((rank + 1) * stride % accounts);
}

// Whole numbers throughout: weight(rank) = 2^40 / (rank + 1), scaled by the count of accounts so
// that the mean weight is the sum of all weights.
static void aliases_build(Workload *workload, Arena *arena)
{
    uint32_t  accounts = workload->options.accounts;
    uint64_t *left = arena_array(arena, uint64_t, accounts);
    uint32_t *small = arena_array(arena, uint32_t, accounts);
    uint32_t *large = arena_array(arena, uint32_t, accounts);
    uint64_t  mean = 0;
    for (uint32_t rank = 0; rank < accounts; rank++) {
        uint64_t weight = (UINT64_C(1) << 40) / (rank + 1);
        left[rank] = weight * accounts;
        mean += weight;
    }
    uint32_t smalls = 0, larges = 0;
    for (uint32_t rank = 0; rank < accounts; rank++) {
        if (left[rank] < mean)
            small[smalls++] = rank;
        else
            large[larges++] = rank;
    }
    workload->aliases = arena_array(arena, AliasSlot, accounts);
    for (uint32_t rank = 0; rank < accounts; rank++) {
        uint32_t account = workload->ranked[rank];
        workload->aliases[rank] = (AliasSlot){ UINT32_MAX, account, account };
    }
    while (smalls > 0 && larges > 0) {
        uint32_t   poor = small[--smalls], rich = large[larges - 1];
        AliasSlot *slot = &workload->aliases[poor];
        slot->keep_below = (uint32_t)(((Uint128)left[poor] << 32) / mean);
        slot->alias = workload->ranked[rich];
        left[rich] -= mean - left[poor];
        if (left[rich] < mean) {
            larges--;
            small[smalls++] = rich;
        }
    }
}

static void digits_build(Workload *workload)
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 100; i++) {
        workload->pairs[i][0] = (char)('0' + i / 10);
        workload->pairs[i][1] = (char)('0' + i % 10);
    }
    for (int i = 0; i < 256; i++) {
        workload->hex[i][0] = hex[i >> 4];
        workload->hex[i][1] = hex[i & 15];
    }
}

static void templates_build(Workload *workload, Arena *arena)
{
    for (uint32_t meter = 0; meter < WORKLOAD_METERS; meter++) {
        Str before = str_print(arena, "{\"meter\":\"%s\",\"account\":\"", METER_NAMES[meter]);
        Str whole = str_print(
            arena,
            "%.*sacct_00000000\",\"value\":1000,\"ts\":\"2026-01-01T00:00:00.000Z\","
            "\"uniqueId\":\"evt_%04x0000000000000000\"}",
            STR_ARG(before), (unsigned)(mix(workload->id_key) & 0xffff));
        Template *template = &workload->templates[meter];
        assert_that(whole.length == before.length + AT_END);
        assert_that(whole.length <= sizeof template->text);
        memcpy(template->text, whole.at, whole.length);
        template->length = (uint32_t)whole.length;
        template->tail = (uint32_t)before.length;
    }
}

static void dates_build(Workload *workload, Arena *arena)
{
    workload->base_day = instant_utc_day((Instant){ workload->options.base_ms * 1000 });
    for (int64_t back = 0; back < WORKLOAD_LATE_DAYS + 2; back++) {
        Instant day = { (workload->base_day - back) * INSTANT_DAY_US };
        Str     text = instant_print(arena, day);
        assert_that(text.length >= DATE_BYTES);
        memcpy(workload->dates[back], text.at, DATE_BYTES);
    }
}

Workload *workload_open(Arena *arena, const WorkloadOptions *options)
{
    assert_that(options->accounts >= 1 && options->accounts <= WORKLOAD_ACCOUNTS_MAX);
    assert_that(options->base_ms > MS_A_DAY * (WORKLOAD_LATE_DAYS + 2));
    Workload *workload = arena_new(arena, Workload);
    workload->options = *options;
    workload->slot_key = mix(options->seed * 3 + 1);
    workload->content_key = mix(options->seed * 3 + 2);
    workload->id_key = mix(options->seed * 3 + 3);
    ranks_build(workload, arena);
    aliases_build(workload, arena);
    digits_build(workload);
    templates_build(workload, arena);
    dates_build(workload, arena);
    return workload;
}

Str workload_meter(uint32_t meter)
{
    assert_that(meter < WORKLOAD_METERS);
    return str_of(METER_NAMES[meter]);
}

Str workload_account(Arena *arena, uint32_t account)
{
    return str_print(arena, "acct_%08u", account);
}

uint32_t workload_accounts(const Workload *workload)
{
    return workload->options.accounts;
}

int64_t workload_base_ms(const Workload *workload)
{
    return workload->options.base_ms;
}

uint32_t workload_ranked(const Workload *workload, uint32_t rank)
{
    assert_that(rank < workload->options.accounts);
    return workload->ranked[rank];
}

// Of 1,000 slots one repeats any before it and 50 repeat a near one. A repeated slot may itself be
// a repetition; slots only point backwards, so the walk ends, almost always after one step.
uint64_t workload_origin(const Workload *workload, uint64_t slot)
{
    for (;;) {
        uint64_t bits = mix(slot + workload->slot_key);
        uint32_t draw = below(bits, 1000);
        if (draw >= 51)
            return slot;
        if (draw == 50) {
            if (slot == 0)
                return slot;
            slot = (uint64_t)(((Uint128)mix(bits) * slot) >> 64);
        } else {
            uint64_t back = 1 + below(bits >> 32, WORKLOAD_NEAR_SLOTS);
            if (back > slot)
                return slot;
            slot -= back;
        }
    }
}

// Which slot of the alias table an origin's account comes from.
static inline const AliasSlot *alias_of(const Workload *workload, uint64_t first)
{
    return &workload->aliases[below(first >> 32, workload->options.accounts)];
}

WorkloadEvent workload_event(const Workload *workload, uint64_t origin)
{
    uint64_t         first = mix(origin + workload->content_key);
    uint64_t         second = mix(first ^ 0x9e3779b97f4a7c15);
    const AliasSlot *slot = alias_of(workload, first);
    bool             late = below(second >> 32, 100) < 2;
    uint32_t         range_ms = late ? WORKLOAD_LATE_DAYS * (uint32_t)MS_A_DAY : 60000;
    return (WorkloadEvent){
        .meter = (uint32_t)second & 3,
        .account = (uint32_t)first < slot->keep_below ? slot->own : slot->alias,
        .value = 1000 + (uint32_t)(((second >> 2 & 0xffff) * 9000) >> 16),
        .ts_ms = workload->options.base_ms - below(second * 0x9e3779b97f4a7c15 >> 32, range_ms),
        .id = mix(origin + workload->id_key),
    };
}

void workload_prefetch(const Workload *workload, uint64_t slot)
{
    __builtin_prefetch(alias_of(workload, mix(slot + workload->content_key)));
}

Str workload_unique_id(Arena *arena, const Workload *workload, const WorkloadEvent *event)
{
    const Template *template = &workload->templates[event->meter];
    return str_print(arena, "%.*s%016llx", AT_ID_DIGITS - AT_ID,
                     template->text + template->tail + AT_ID, (unsigned long long)event->id);
}

static inline void put_pair(const Workload *workload, char *to, uint32_t number)
{
    memcpy(to, workload->pairs[number], 2);
}

static inline void put_four(const Workload *workload, char *to, uint32_t number)
{
    put_pair(workload, to, number / 100);
    put_pair(workload, to + 2, number % 100);
}

static void put_instant(const Workload *workload, char *to, int64_t ts_ms)
{
    int64_t  day = ts_ms / MS_A_DAY;
    uint32_t ms = (uint32_t)(ts_ms - day * MS_A_DAY);
    uint32_t second = ms / 1000, fraction = ms % 1000;
    memcpy(to, workload->dates[workload->base_day - day], DATE_BYTES);
    put_pair(workload, to + 11, second / 3600);
    put_pair(workload, to + 14, second / 60 % 60);
    put_pair(workload, to + 17, second % 60);
    to[20] = (char)('0' + fraction / 100);
    put_pair(workload, to + 21, fraction % 100);
}

char *workload_render(const Workload *workload, uint64_t slot, char *to)
{
    WorkloadEvent event = workload_event(workload, workload_origin(workload, slot));
    const Template *template = &workload->templates[event.meter];
    memcpy(to, template->text, sizeof template->text);
    char *tail = to + template->tail;
    put_four(workload, tail + AT_ACCOUNT_DIGITS, event.account / 10000);
    put_four(workload, tail + AT_ACCOUNT_DIGITS + 4, event.account % 10000);
    put_four(workload, tail + AT_VALUE, event.value);
    put_instant(workload, tail + AT_TS, event.ts_ms);
    for (int i = 0; i < 8; i++)
        memcpy(tail + AT_ID_DIGITS + 2 * i, workload->hex[event.id >> (56 - 8 * i) & 0xff], 2);
    return to + template->length;
}

void workload_count(const Workload *workload, uint64_t slots, WorkloadTotals *totals)
{
    unsigned char *seen = memory_take(slots / 8 + 1);
    *totals = (WorkloadTotals){ .slots = slots };
    totals->cells = memory_take(sizeof(WorkloadCell) * WORKLOAD_METERS *
                                workload->options.accounts);
    for (uint64_t slot = 0; slot < slots; slot++) {
        uint64_t      origin = workload_origin(workload, slot);
        WorkloadEvent event = workload_event(workload, origin);
        assert_that(origin <= slot);
        totals->bytes += workload->templates[event.meter].length;
        if (seen[origin / 8] & 1u << origin % 8)
            continue;
        seen[origin / 8] |= (unsigned char)(1u << origin % 8);
        WorkloadCell *cell =
            &totals->cells[event.account * (uint64_t)WORKLOAD_METERS + event.meter];
        cell->events++;
        cell->sum += event.value;
        totals->meters[event.meter].events++;
        totals->meters[event.meter].sum += event.value;
        totals->distinct++;
    }
    memory_release(seen);
}

void workload_count_close(WorkloadTotals *totals)
{
    memory_release(totals->cells);
    totals->cells = NULL;
}
