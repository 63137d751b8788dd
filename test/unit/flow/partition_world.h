// A partition under test and everything that was ever sent to it, as a list: what was stored, from
// when to when it did not count, which voids there are.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "base/vector.h"
#include "flow/aggregate/corrections.h"
#include "flow/aggregate/recount.h"
#include "flow/submit.h"

enum { ACCOUNTS = 5, HOURS = 24 * 40 };

// From when to when an event did not count.
typedef struct Gone {
    uint64_t from, until;  // sequences, [from, until); SEQUENCE_NEWEST: for good
} Gone;
enum { GONE_MOST = 8 };

typedef struct Known {
    uint64_t sequence;
    char     id[24], account[8], region[8];  // region "" : absent
    bool     has_amount;                     // the property "amount"
    int      amount;
    int      value;
    int64_t  ts;
    Gone     gone[GONE_MOST];
    size_t   gone_count;
    bool     is_replaced;
} Known;

typedef struct KnownVoid {
    char     id[40];
    uint64_t sequence;
    bool     is_reverted;
} KnownVoid;

typedef struct World {
    Partition    *partition;
    char          folder[64];
    uint32_t      seal_bits;
    Seeded        seeded;
    size_t        made;   // ids given out
    bool          has_meters;
    VECTOR(Known) known;
    VECTOR(KnownVoid) voids;
} World;

static inline uint64_t below(World *world, uint64_t limit)
{
    return seeded_below(&world->seeded, limit);
}

static inline void world_open(World *world)
{
    AUTO(Arena) arena = arena_open();
    PartitionOptions options = {
        .folder = str_of(world->folder),
        .key = { { 7 } },
        .seal_bits = world->seal_bits,
        .queue_bytes = 64 << 20,
        .cache_bytes = 1 << 20,
        .segment_bytes = 1 << 20,
    };
    Err *err = partition_open(arena, &options, &world->partition);
    if (err != NULL)
        fail_msg("open: %.*s", STR_ARG(err->detail));
}

static inline World *world_new(uint32_t seal_bits, uint64_t seed)
{
    World *world = memory_take(sizeof(World));
    world->seal_bits = seal_bits;
    world->seeded = seeded_of(seed);
    snprintf(world->folder, sizeof world->folder, "/tmp/toll-partition-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    log_threshold(LOG_WARN);
    world_open(world);
    return world;
}

static inline void world_close(World *world)
{
    char command[128];
    partition_close(world->partition);
    snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
    assert_int_equal(system(command), 0);
    vector_release(&world->known);
    vector_release(&world->voids);
    memory_release(world);
}

// ---- submitting, and waiting for the verdicts

static inline void submit(World *world, Submission *submission)
{
    AUTO(Arena) arena = arena_open();
    assert_null(submit_and_wait(world->partition, arena, submission, 1000));
}

static inline Str properties_of(Arena *arena, const Known *known)
{
    Text text = text_open(arena);
    char number[16];
    int  length = snprintf(number, sizeof number, "%d", known->amount);
    text_add_varint(&text, (uint64_t)(known->has_amount + (known->region[0] != 0)));
    if (known->has_amount) {
        text_add_counted(&text, STR("amount"));
        text_add_char(&text, PROPERTY_NUMBER);
        text_add_counted(&text, (Str){ number, (size_t)length });
    }
    if (known->region[0] != 0) {
        text_add_counted(&text, STR("region"));
        text_add_char(&text, PROPERTY_STRING);
        text_add_counted(&text, str_of(known->region));
    }
    return str_copy(arena, text_str(&text));
}

static inline Event event_of(Arena *arena, const Known *known)
{
    Event event = {
        .unique_id = str_copy(arena, str_of(known->id)),
        .event = STR("calls"),
        .account = str_copy(arena, str_of(known->account)),
        .value = decimal_whole(known->value),
        .ts = { known->ts },
        .ts_given = true,
        .properties = properties_of(arena, known),
    };
    static const HashKey key = { { 7 } };
    event_identify(&event, STR("prj"), &key);
    return event;
}

static inline Known random_known(World *world, size_t number)
{
    static const char *const regions[] = { "", "eu", "us", "ap" };
    Known known = {
        .has_amount = below(world, 4) > 0,
        .amount = (int)below(world, 1000) - 100,
        .value = (int)below(world, 50),
        .ts = (int64_t)below(world, HOURS) * 3600000000 + (int64_t)below(world, 3600000000),
    };
    snprintf(known.id, sizeof known.id, "e%zu", number);
    snprintf(known.account, sizeof known.account, "a%u", (unsigned)below(world, ACCOUNTS));
    snprintf(known.region, sizeof known.region, "%s", regions[below(world, 4)]);
    return known;
}

static inline bool is_gone(const Known *known, uint64_t as_of)
{
    for (size_t i = 0; i < known->gone_count; i++)
        if (known->gone[i].from <= as_of &&
            (as_of < known->gone[i].until || known->gone[i].until == SEQUENCE_NEWEST))
            return true;
    return false;
}

// The newest content of a random id.
static inline const Known *known_any(World *world)
{
    const Known *known;
    do
        known = &world->known.at[below(world, world->known.count)];
    while (known->is_replaced);
    return known;
}
