// SPDX-License-Identifier: Apache-2.0
// The index of retractions against a list of them: states, chains of replacements, what a question
// gets, and that the bytes of any cut of it make the same index again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "flow/aggregate/voids.h"

#define HOUR (INT64_C(3600) * INSTANT_SECOND_US)

enum { EVENTS = 300, TURNS = 200, STREAMS = 3, NEVER = 0 };

typedef struct Known {
    VoidTarget place;
    uint64_t   replaced;  // by the event of this sequence
} Known;

typedef struct KnownVoid {
    uint64_t sequence, reverted;
    bool     holds[EVENTS + TURNS];
} KnownVoid;

typedef struct World {
    Seeded     seeded;
    Voids     *voids;
    uint64_t   sequence;            // the last one given
    Known      known[EVENTS + TURNS];
    size_t     count;
    KnownVoid *made;
    size_t     made_count;
} World;

static uint64_t below(World *world, uint64_t limit)
{
    return seeded_below(&world->seeded, limit);
}

static VoidTarget place_at_random(World *world)
{
    return (VoidTarget){ .sequence = ++world->sequence,
                         .ts = { (int64_t)below(world, 50) * HOUR / 2 - 10 * HOUR },
                         .event = (uint32_t)below(world, STREAMS),
                         .account = (uint32_t)below(world, STREAMS) };
}

static World *world_new(uint64_t seed)
{
    World *world = memory_take(sizeof(World));
    world->seeded = seeded_of(seed);
    world->voids = voids_open();
    world->made = memory_take(TURNS * sizeof(KnownVoid));
    for (; world->count < EVENTS; world->count++)
        world->known[world->count].place = place_at_random(world);
    return world;
}

static void world_close(World *world)
{
    voids_close(world->voids);
    memory_release(world->made);
    memory_release(world);
}

// ---- the same slowly

static VoidState state_slowly(const World *world, size_t index, uint64_t as_of)
{
    uint64_t replaced = world->known[index].replaced;
    if (replaced != NEVER && replaced <= as_of)
        return EVENT_IS_REPLACED;
    for (size_t i = 0; i < world->made_count; i++) {
        const KnownVoid *made = &world->made[i];
        if (made->holds[index] && made->sequence <= as_of &&
            (made->reverted == NEVER || made->reverted > as_of))
            return EVENT_IS_VOID;
    }
    return EVENT_COUNTS;
}

// ---- facts

static void void_some(World *world)
{
    AUTO(Arena) arena = arena_open();
    VoidTarget *targets = arena_array(arena, VoidTarget, EVENTS + TURNS);
    KnownVoid  *made = &world->made[world->made_count];
    VoidFact    fact = { .kind = FACT_VOID, .number = (uint32_t)world->made_count, .project = 4,
                         .at = { 77 }, .reason = STR("why"), .targets = targets,
                         .upto = world->sequence,
                         .key = { 9, world->made_count } };
    fact.id = str_print(arena, "void_%zu", world->made_count);
    uint64_t one_in = 1 + below(world, 60);
    for (size_t i = 0; i < world->count; i++)
        if (below(world, one_in) == 0 && state_slowly(world, i, UINT64_MAX) == EVENT_COUNTS) {
            targets[fact.count++] = world->known[i].place;
            made->holds[i] = true;
        }
    if (fact.count == 0)
        return;
    fact.sequence = made->sequence = ++world->sequence;
    assert_true(voids_apply(world->voids, &fact));
    world->made_count++;
}

static void revert_one(World *world)
{
    if (world->made_count == 0)
        return;
    size_t     index = below(world, world->made_count);
    KnownVoid *made = &world->made[index];
    VoidFact   fact = { .kind = FACT_REVERT, .sequence = world->sequence + 1,
                        .number = (uint32_t)index, .at = { 78 } };
    bool       first = made->reverted == NEVER;
    assert_int_equal(voids_apply(world->voids, &fact), first);
    if (first)
        made->reverted = ++world->sequence;
}

static void amend_one(World *world)
{
    size_t     index = below(world, world->count);
    Known     *known = &world->known[index], *added = &world->known[world->count];
    VoidTarget target = known->place;
    if (known->replaced != NEVER)
        return;
    *added = (Known){ .place = place_at_random(world) };
    added->place.event = target.event;
    added->place.account = target.account;
    known->replaced = added->place.sequence;
    world->count++;
    VoidFact fact = { .kind = FACT_AMEND, .sequence = known->replaced, .targets = &target,
                      .count = 1 };
    assert_true(voids_apply(world->voids, &fact));
}

// ---- checks

static const Known *known_of(const World *world, uint64_t sequence)
{
    for (size_t i = 0; i < world->count; i++)
        if (world->known[i].place.sequence == sequence)
            return &world->known[i];
    fail_msg("no event has the sequence");
    return NULL;
}

static void check_states(World *world, Voids *voids)
{
    for (int i = 0; i < 100; i++) {
        size_t   index = below(world, world->count);
        uint64_t sequence = world->known[index].place.sequence;
        uint64_t as_of = below(world, 3) == 0 ? UINT64_MAX : below(world, world->sequence + 2);
        assert_int_equal(voids_state(voids, sequence, as_of), state_slowly(world, index, as_of));
        VoidTarget target;
        uint64_t   newest = sequence, replaced = world->known[index].replaced;
        if (replaced != NEVER) {
            assert_true(voids_replaced(voids, replaced, &target));
            assert_int_equal(target.sequence, sequence);
            assert_int_equal(target.ts.us, world->known[index].place.ts.us);
        }
        for (uint64_t next = replaced; next != NEVER; next = known_of(world, next)->replaced)
            newest = next;
        assert_int_equal(voids_newest(voids, sequence, UINT64_MAX), newest);
        assert_int_equal(voids_newest(voids, sequence, replaced), sequence);
    }
}

static bool in_hours(const Voided *voided, int64_t hour)
{
    for (size_t i = 0; i < voided->hours.count; i++)
        if (voided->hours.at[i] == hour)
            return true;
    return false;
}

static void check_question(World *world, Voids *voids)
{
    Voided       voided = { 0 };
    int64_t      from = (int64_t)below(world, 50) * HOUR / 2 - 12 * HOUR;
    VoidQuestion question = {
        .event = (uint32_t)below(world, STREAMS),
        .account = below(world, 3) == 0 ? UINT32_MAX : (uint32_t)below(world, STREAMS),
        .sequence = below(world, 2) == 0 ? UINT64_MAX : below(world, world->sequence + 1),
        .from = { from }, .to = { from + (int64_t)below(world, 20) * HOUR / 3 },
    };
    voids_collect(voids, &question, &voided);
    voids_collect(voids, &question, &voided);  // twice is once
    voided_order(&voided);
    for (size_t i = 1; i < voided.hours.count; i++)
        assert_true(voided.hours.at[i - 1] < voided.hours.at[i]);
    for (size_t i = 0; i < world->count; i++) {
        const VoidTarget *place = &world->known[i].place;
        bool is_asked = place->event == question.event && place->ts.us >= question.from.us &&
                        place->ts.us < question.to.us &&
                        (question.account == UINT32_MAX || place->account == question.account);
        bool is_gone = state_slowly(world, i, question.sequence) != EVENT_COUNTS;
        if (is_asked && is_gone)
            assert_true(in_hours(&voided, instant_utc_hour(place->ts)));
        if (is_asked || !is_gone)
            assert_int_equal(voided_holds(&voided, place->sequence), is_asked && is_gone);
    }
    voided_release(&voided);
}

static void check_heads(const World *world, Voids *voids)
{
    AUTO(Arena) arena = arena_open();
    VoidHead    head;
    VoidTarget *targets;
    assert_int_equal(voids_count(voids), world->made_count);
    for (uint32_t i = 0; i < world->made_count; i++) {
        size_t holds = 0;
        for (size_t k = 0; k < world->count; k++)
            holds += world->made[i].holds[k];
        assert_true(voids_find(voids, 4, str_print(arena, "void_%u", i), &head));
        assert_false(voids_find(voids, 5, head.id, &head));
        assert_int_equal(head.count, holds);
        assert_int_equal(head.sequence, world->made[i].sequence);
        assert_int_equal(head.reverted, world->made[i].reverted);
        assert_true(str_equal(head.reason, STR("why")));
        assert_true(voids_find_key(voids, (Hash128){ 9, i }, &head));
        assert_int_equal(head.number, i);
        assert_int_equal(voids_targets(voids, i, arena, &targets), holds);
        for (size_t k = 0, at = 0; k < world->count; k++)
            if (world->made[i].holds[k])
                assert_int_equal(targets[at++].sequence, world->known[k].place.sequence);
    }
    assert_false(voids_get(voids, (uint32_t)world->made_count, &head));
    assert_false(voids_find_key(voids, (Hash128){ 0, 0 }, &head));
}

// Written as seals of some length do, and read back.
static Voids *copy_of(World *world)
{
    AUTO(Arena) arena = arena_open();
    Voids   *copy = voids_open();
    uint64_t length = 1 + below(world, 100);
    size_t   sequences = 0;
    for (uint64_t first = 0; first <= world->sequence; first += length) {
        Text     bytes = text_open(arena);
        VoidFact fact;
        voids_write(world->voids, first, first + length, &bytes);
        Reader reader = reader_of(text_str(&bytes));
        while (reader_left(&reader) > 0) {
            assert_true(void_fact_read(&reader, arena, &fact));
            assert_true(fact.sequence >= first && fact.sequence < first + length);
            assert_true(voids_apply(copy, &fact));
        }
        sequences += voids_sequences(world->voids, first, first + length);
    }
    size_t reverts = 0;
    for (size_t i = 0; i < world->made_count; i++)
        reverts += world->made[i].reverted != NEVER;
    assert_int_equal(sequences, world->made_count + reverts);
    return copy;
}

static void check_all(World *world, Voids *voids)
{
    check_states(world, voids);
    for (int i = 0; i < 20; i++)
        check_question(world, voids);
    check_heads(world, voids);
}

static void check_counts(const World *world)
{
    size_t     found = 0;
    VoidTarget said;
    for (size_t i = 0; i < world->count; i++) {
        size_t rows = voids_of_event(world->voids, world->known[i].place.sequence, &said);
        found += rows;
        if (rows > 0)
            assert_int_equal(said.ts.us, world->known[i].place.ts.us);
    }
    assert_int_equal(voids_of_events(world->voids, 0, UINT64_MAX), found);
    assert_int_equal(voids_of_events(world->voids, 0, 100) +
                         voids_of_events(world->voids, 100, UINT64_MAX), found);
}

static void an_index_answers_as_a_list_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        World *world = world_new(seed);
        assert_true(voids_are_none(world->voids));
        check_all(world, world->voids);
        for (int turn = 0; turn < TURNS; turn++) {
            switch (below(world, 5)) {
            case 0: void_some(world); break;
            case 1: revert_one(world); break;
            default: amend_one(world); break;
            }
        }
        assert_false(voids_are_none(world->voids));
        check_all(world, world->voids);
        check_counts(world);
        Voids *copy = copy_of(world);
        check_all(world, copy);
        voids_close(copy);
        world_close(world);
    }
}

// ---- what does not follow

static void facts_that_do_not_follow_are_refused(void **state)
{
    (void)state;
    Voids     *voids = voids_open();
    VoidTarget target = { 5, { 0 }, 0, 0 };
    VoidFact   made = { .kind = FACT_VOID, .sequence = 10, .id = STR("v"), .targets = &target,
                        .count = 1 };
    VoidFact   revert = { .kind = FACT_REVERT, .sequence = 10 };
    VoidFact   amend = { .kind = FACT_AMEND, .sequence = 10, .targets = &target, .count = 1 };
    assert_false(voids_apply(voids, &revert));  // of no void
    made.number = 1;
    assert_false(voids_apply(voids, &made));    // the first is number 0
    made.number = 0;
    assert_true(voids_apply(voids, &made));
    assert_false(voids_apply(voids, &made));
    assert_false(voids_apply(voids, &revert));  // not behind its void
    assert_false(voids_apply(voids, &amend));
    revert.sequence = 11;
    assert_true(voids_apply(voids, &revert));
    revert.sequence = 12;
    assert_false(voids_apply(voids, &revert));  // once
    voids_close(voids);
    voids_close(NULL);
}

// ---- bytes

static void damaged_facts_are_refused(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    VoidTarget targets[] = { { 3, { -5 * HOUR }, 1, 70000 }, { 9, { HOUR }, 0, 2 },
                             { 400, { -HOUR }, 5, UINT32_MAX - 1 } };
    VoidFact   facts[] = {
        { .kind = FACT_VOID, .sequence = 500, .number = 3, .project = 2, .upto = 499, .at = { 8 },
          .id = STR("void_1"), .reason = STR(""), .key = { 1, 2 }, .targets = targets, .count = 3 },
        { .kind = FACT_AMEND, .sequence = 500, .targets = targets, .count = 1 },
        { .kind = FACT_REVERT, .sequence = 501, .number = 7, .at = { -1 } },
    };
    for (size_t i = 0; i < 3; i++) {
        Text     bytes = text_open(arena);
        VoidFact read;
        void_fact_write(&facts[i], &bytes);
        Reader whole = reader_of(text_str(&bytes));
        assert_true(void_fact_read(&whole, arena, &read) && reader_done(&whole));
        for (size_t cut = 0; cut < bytes.length; cut++) {
            Reader reader = reader_of((Str){ bytes.at, cut });
            assert_false(void_fact_read(&reader, arena, &read));
        }
    }
    Text     bytes = text_open(arena);
    VoidFact read;
    void_fact_write(&facts[0], &bytes);
    Reader reader = reader_of(text_str(&bytes));
    assert_true(void_fact_read(&reader, arena, &read) && reader_done(&reader));
    assert_true(read.count == 3 && read.number == 3 && read.project == 2 && read.upto == 499);
    assert_true(read.at.us == 8 && str_equal(read.id, STR("void_1")) && read.key.low == 2);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(&read.targets[i], &targets[i], sizeof *targets);
}

static void changed_bytes_are_never_read_wild(void **state)
{
    (void)state;
    Seeded seeded = seeded_of(71);
    for (int round = 0; round < 5000; round++) {
        AUTO(Arena) arena = arena_open();
        VoidTarget targets[20];
        VoidFact   read, fact = { .kind = FACT_VOID, .sequence = 5000, .id = STR("v"),
                                  .targets = targets, .count = 20 };
        for (uint32_t i = 0; i < 20; i++)
            targets[i] = (VoidTarget){ 10 * i + 1, { (int64_t)seeded_below(&seeded, 1000) }, i, i };
        Text bytes = text_open(arena);
        void_fact_write(&fact, &bytes);
        char *at = memory_take(bytes.length);  // a block of its own: a step past it is seen
        memcpy(at, bytes.at, bytes.length);
        for (uint64_t left = 1 + seeded_below(&seeded, 3); left > 0; left--)
            at[seeded_below(&seeded, bytes.length)] = (char)seeded_next(&seeded);
        Reader reader = reader_of((Str){ at, bytes.length });
        if (void_fact_read(&reader, arena, &read))
            for (size_t i = 0; i < read.count; i++)
                assert_true(read.targets[i].sequence < read.sequence);
        memory_release(at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_answers_as_a_list_does),
        cmocka_unit_test(facts_that_do_not_follow_are_refused),
        cmocka_unit_test(damaged_facts_are_refused),
        cmocka_unit_test(changed_bytes_are_never_read_wild),
    };
    return cmocka_run_group_tests_name("voids", tests, NULL, NULL);
}
