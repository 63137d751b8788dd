// SPDX-License-Identifier: Apache-2.0
#include "flow/aggregate/outcomes.h"

#include <stdlib.h>

#include "base/thread.h"
#include "base/vector.h"

#define PENDING UINT64_MAX

typedef struct Kept {
    uint64_t generation;
    Str      project;
    Refusal  refusal;
    char    *text;  // owns the two texts of the refusal
} Kept;

struct Outcomes {
    Lock          lock;
    Arena        *names;    // of projects
    VECTOR(Tally) tallies;  // one for each (generation, project, hour)
    VECTOR(Tally) unsure;   // part of those: not durable yet, unseen by readers
    VECTOR(Kept)  kept;     // oldest first
};

Outcomes *outcomes_open(void)
{
    Outcomes *outcomes = memory_take(sizeof(Outcomes));
    lock_open(&outcomes->lock);
    outcomes->names = arena_open();
    return outcomes;
}

void outcomes_close(Outcomes *outcomes)
{
    if (outcomes == NULL)
        return;
    for (size_t i = 0; i < outcomes->kept.count; i++)
        memory_release(outcomes->kept.at[i].text);
    vector_release(&outcomes->kept);
    vector_release(&outcomes->tallies);
    vector_release(&outcomes->unsure);
    arena_close(outcomes->names);
    lock_close(&outcomes->lock);
    memory_release(outcomes);
}

// The name as it is kept: borrowed from an earlier tally of the project, or copied.
static Str project_kept(Outcomes *outcomes, Str project)
{
    for (size_t i = outcomes->tallies.count; i > 0; i--)
        if (str_equal(outcomes->tallies.at[i - 1].project, project))
            return outcomes->tallies.at[i - 1].project;
    return str_copy(outcomes->names, project);
}

static void tally_add(Outcomes *outcomes, const Tally *more)
{
    Tally *tally = NULL;
    for (size_t i = outcomes->tallies.count; i > 0 && tally == NULL; i--) {
        Tally *old = &outcomes->tallies.at[i - 1];
        if (old->generation == more->generation && old->hour == more->hour &&
            str_equal(old->project, more->project))
            tally = old;
    }
    if (tally == NULL) {
        Str   project = project_kept(outcomes, more->project);
        Tally empty = { more->generation, project, more->hour, { 0 } };
        vector_push(&outcomes->tallies, empty);
        tally = &outcomes->tallies.at[outcomes->tallies.count - 1];
    }
    for (int i = 0; i < OUTCOME_COUNT; i++)
        tally->counts[i] += more->counts[i];
}

void outcomes_add(Outcomes *outcomes, Str project, Instant received,
                  const size_t counts[OUTCOME_COUNT])
{
    Tally more = { PENDING, project, instant_utc_hour(received), { 0 } };
    for (int i = 0; i < OUTCOME_COUNT; i++)
        more.counts[i] = counts[i];
    lock_take(&outcomes->lock);
    tally_add(outcomes, &more);
    more.project = project_kept(outcomes, project);
    vector_push(&outcomes->unsure, more);
    lock_release(&outcomes->lock);
}

void outcomes_settle(Outcomes *outcomes)
{
    lock_take(&outcomes->lock);
    outcomes->unsure.count = 0;
    lock_release(&outcomes->lock);
}

static void kept_add(Outcomes *outcomes, const Kept *kept)
{
    Kept   copy = *kept;
    size_t id = kept->refusal.unique_id.length, detail = kept->refusal.detail.length;
    copy.project = project_kept(outcomes, kept->project);
    copy.text = memory_take(id + detail);
    if (id > 0)
        memcpy(copy.text, kept->refusal.unique_id.at, id);
    if (detail > 0)
        memcpy(copy.text + id, kept->refusal.detail.at, detail);
    copy.refusal.unique_id = (Str){ copy.text, id };
    copy.refusal.detail = (Str){ copy.text + id, detail };
    vector_push(&outcomes->kept, copy);
    size_t of_project = 0;
    for (size_t i = 0; i < outcomes->kept.count; i++)
        of_project += str_equal(outcomes->kept.at[i].project, copy.project);
    for (size_t i = 0; of_project > REFUSALS_KEPT; i++) {
        if (!str_equal(outcomes->kept.at[i].project, copy.project))
            continue;
        memory_release(outcomes->kept.at[i].text);
        memmove(&outcomes->kept.at[i], &outcomes->kept.at[i + 1],
                (outcomes->kept.count - i - 1) * sizeof(Kept));
        outcomes->kept.count--;
        break;
    }
}

void outcomes_refuse(Outcomes *outcomes, Str project, const Refusal *refusal)
{
    Kept kept = { PENDING, project, *refusal, NULL };
    lock_take(&outcomes->lock);
    kept_add(outcomes, &kept);
    lock_release(&outcomes->lock);
}

bool outcomes_are_pending(Outcomes *outcomes)
{
    bool pending = false;
    lock_take(&outcomes->lock);
    for (size_t i = outcomes->tallies.count; i > 0 && !pending; i--)
        pending = outcomes->tallies.at[i - 1].generation == PENDING;
    lock_release(&outcomes->lock);
    return pending;
}

// One part: generation's tallies, then its newest refusals. Parts may follow each other.
static void part_write(const Outcomes *outcomes, uint64_t generation, Text *bytes)
{
    size_t tallies = 0, kept = 0;
    for (size_t i = 0; i < outcomes->tallies.count; i++)
        tallies += outcomes->tallies.at[i].generation == generation;
    for (size_t i = 0; i < outcomes->kept.count; i++)
        kept += outcomes->kept.at[i].generation == generation;
    size_t skipped = kept > REFUSALS_RECORDED ? kept - REFUSALS_RECORDED : 0;

    text_add_varint(bytes, tallies);
    for (size_t i = 0; i < outcomes->tallies.count; i++) {
        const Tally *tally = &outcomes->tallies.at[i];
        if (tally->generation != generation)
            continue;
        text_add_counted(bytes, tally->project);
        text_add_signed(bytes, tally->hour);
        for (int k = 0; k < OUTCOME_COUNT; k++)
            text_add_varint(bytes, tally->counts[k]);
    }
    text_add_varint(bytes, kept - skipped);
    for (size_t i = 0; i < outcomes->kept.count; i++) {
        const Kept *one = &outcomes->kept.at[i];
        if (one->generation != generation)
            continue;
        if (skipped > 0) {
            skipped--;
            continue;
        }
        text_add_counted(bytes, one->project);
        text_add_signed(bytes, one->refusal.at.us);
        text_add_char(bytes, (char)one->refusal.outcome);
        text_add_counted(bytes, str_of(err_name(one->refusal.code)));
        text_add_counted(bytes, one->refusal.unique_id);
        text_add_counted(bytes, one->refusal.detail);
    }
}

void outcomes_of(Outcomes *outcomes, uint64_t generation, Text *bytes)
{
    lock_take(&outcomes->lock);
    part_write(outcomes, generation, bytes);
    lock_release(&outcomes->lock);
}

// Moves what is pending under the generation; a tally may meet one that is there already.
static void pending_move(Outcomes *outcomes, uint64_t generation)
{
    size_t left = 0;
    for (size_t i = 0; i < outcomes->kept.count; i++)
        if (outcomes->kept.at[i].generation == PENDING)
            outcomes->kept.at[i].generation = generation;
    VECTOR(Tally) moved = { 0 };
    for (size_t i = 0; i < outcomes->tallies.count; i++) {
        if (outcomes->tallies.at[i].generation == PENDING)
            vector_push(&moved, outcomes->tallies.at[i]);
        else
            outcomes->tallies.at[left++] = outcomes->tallies.at[i];
    }
    outcomes->tallies.count = left;
    for (size_t i = 0; i < moved.count; i++) {
        moved.at[i].generation = generation;
        tally_add(outcomes, &moved.at[i]);
    }
    vector_release(&moved);
}

void outcomes_record(Outcomes *outcomes, uint64_t generation, Text *bytes)
{
    lock_take(&outcomes->lock);
    part_write(outcomes, PENDING, bytes);
    pending_move(outcomes, generation);
    lock_release(&outcomes->lock);
}

static bool tally_take(Outcomes *outcomes, uint64_t generation, Reader *reader)
{
    Tally tally = { .generation = generation };
    tally.project = reader_counted(reader);
    tally.hour = reader_signed(reader);
    for (int k = 0; k < OUTCOME_COUNT; k++)
        tally.counts[k] = reader_varint(reader);
    if (!reader->failed)
        tally_add(outcomes, &tally);
    return !reader->failed;
}

static bool refusal_take(Outcomes *outcomes, uint64_t generation, Reader *reader)
{
    Kept kept = { .generation = generation };
    kept.project = reader_counted(reader);
    kept.refusal.at.us = reader_signed(reader);
    uint8_t outcome = reader_u8(reader);
    Str     code = reader_counted(reader);
    kept.refusal.unique_id = reader_counted(reader);
    kept.refusal.detail = reader_counted(reader);
    if (reader->failed || outcome >= OUTCOME_COUNT)
        return false;
    kept.refusal.outcome = (Outcome)outcome;
    if (!err_find(code, &kept.refusal.code))
        kept.refusal.code = ERR_INTERNAL;  // written by a version that knew more reasons
    kept_add(outcomes, &kept);
    return true;
}

static bool parts_take(Outcomes *outcomes, uint64_t generation, Reader *reader)
{
    while (reader_left(reader) > 0) {
        for (uint64_t left = reader_varint(reader); left > 0; left--)
            if (!tally_take(outcomes, generation, reader))
                return false;
        for (uint64_t left = reader_varint(reader); left > 0; left--)
            if (!refusal_take(outcomes, generation, reader))
                return false;
    }
    return !reader->failed;
}

bool outcomes_take(Outcomes *outcomes, uint64_t generation, Str bytes)
{
    Reader reader = reader_of(bytes);
    lock_take(&outcomes->lock);
    bool whole = parts_take(outcomes, generation, &reader);
    lock_release(&outcomes->lock);
    return whole;
}

static int hour_order(const void *a, const void *b)
{
    const OutcomeHour *left = a, *right = b;
    return left->hour < right->hour ? -1 : left->hour > right->hour;
}

static bool is_asked_for(const OutcomeQuery *query, const Tally *tally)
{
    return tally->hour >= query->from && tally->hour < query->to &&
           str_equal(tally->project, query->project);
}

// What is not durable yet is taken off again, and an hour that had nothing else goes.
static size_t unsure_take_off(const Outcomes *outcomes, const OutcomeQuery *query,
                              OutcomeHour *list, size_t found)
{
    size_t left = 0;
    for (size_t i = 0; i < outcomes->unsure.count; i++) {
        const Tally *tally = &outcomes->unsure.at[i];
        for (size_t at = 0; at < found && is_asked_for(query, tally); at++)
            for (int k = 0; k < OUTCOME_COUNT && list[at].hour == tally->hour; k++)
                list[at].counts[k] -= tally->counts[k];
    }
    for (size_t at = 0; at < found; at++) {
        uint64_t verdicts = 0;
        for (int k = 0; k < OUTCOME_COUNT; k++)
            verdicts += list[at].counts[k];
        if (verdicts > 0)
            list[left++] = list[at];
    }
    return left;
}

OutcomeHours outcomes_hours(Outcomes *outcomes, Arena *arena, const OutcomeQuery *query)
{
    size_t found = 0;
    lock_take(&outcomes->lock);
    OutcomeHour *list = arena_array(arena, OutcomeHour, outcomes->tallies.count);
    for (size_t i = 0; i < outcomes->tallies.count; i++) {
        const Tally *tally = &outcomes->tallies.at[i];
        size_t       at = 0;
        if (!is_asked_for(query, tally))
            continue;
        while (at < found && list[at].hour != tally->hour)
            at++;
        if (at == found)
            list[found++].hour = tally->hour;
        for (int k = 0; k < OUTCOME_COUNT; k++)
            list[at].counts[k] += tally->counts[k];
    }
    found = unsure_take_off(outcomes, query, list, found);
    lock_release(&outcomes->lock);
    qsort(list, found, sizeof *list, hour_order);
    return (OutcomeHours){ list, found };
}

Refusals outcomes_refusals(Outcomes *outcomes, Arena *arena, Str project, size_t limit)
{
    size_t   found = 0;
    Refusal *list = arena_array(arena, Refusal, limit);
    lock_take(&outcomes->lock);
    for (size_t i = outcomes->kept.count; i > 0 && found < limit; i--) {
        const Kept *kept = &outcomes->kept.at[i - 1];
        if (!str_equal(kept->project, project))
            continue;
        list[found] = kept->refusal;
        list[found].unique_id = str_copy(arena, kept->refusal.unique_id);
        list[found].detail = str_copy(arena, kept->refusal.detail);
        found++;
    }
    lock_release(&outcomes->lock);
    return (Refusals){ list, found };
}
