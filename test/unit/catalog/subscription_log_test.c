// SPDX-License-Identifier: Apache-2.0
// The log of a subscription: which changes it takes, what the terms are afterwards, and that it is
// the same after a restart.
#include "place.h"

#include <string.h>

#include "base/thread.h"
#include "catalog/terms.h"

#define SEAT(price) \
    "{\"id\":\"seats\",\"quantity\":\"seats\",\"model\":\"perUnit\",\"unitPrice\":\"" price "\"}"
#define PLAN(...) "{\"currency\":\"USD\",\"charges\":[" __VA_ARGS__ "]}"

static void publish(Place *place, const char *id, const char *document, const char *from)
{
    CatalogChange change = change_by(place, &place->by);
    PlanVersion  *stored;
    assert_null(catalog_plan_put(&change, str_of(id), json_of(place, document), &stored));
    assert_null(catalog_plan_publish(&change, str_of(id), instant_of(from), &stored));
}

static void account_put(Place *place, const char *body)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, &place->by);
    Account *stored, *account = account_from_json(place->arena, json_of(place, body), STR("a"),
                                                  &faults);
    assert_null(faults.first);
    assert_null(catalog_account_put(&change, account, &stored));
}

static Err *subscribe(Place *place, const char *id, const char *more)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, &place->by);
    SubscriptionHistory stored;
    const char   *body = str_terminated(
        place->arena, str_print(place->arena,
                                "{\"account\":\"a\",\"startsAt\":\"2026-02-01T00:00:00Z\",%s}",
                                more));
    Subscription *wanted =
        subscription_from_json(place->arena, json_of(place, body), str_of(id), &faults);
    assert_null(faults.first);
    return catalog_subscription_put(&change, wanted, &stored);
}

// Plan p sells seats, version 2 of it dearer; q the same and a fee; e is in euros.
static void stock(Place *place)
{
    account_put(place, "{}");
    publish(place, "p", PLAN(SEAT("20")), "2026-01-01T00:00:00Z");
    publish(place, "p", PLAN(SEAT("25")), "2026-04-01T00:00:00Z");
    publish(place, "q", PLAN(SEAT("30") ",{\"id\":\"fee\",\"model\":\"flat\",\"amount\":\"5\"}"),
            "2026-01-01T00:00:00Z");
    publish(place, "e", "{\"currency\":\"EUR\",\"charges\":[]}", "2026-01-01T00:00:00Z");
    assert_null(subscribe(place, "s", "\"plan\":\"p\",\"quantities\":{\"seats\":5}"));
}

static Err *make(Place *place, SubscriptionChange wanted, SubscriptionChange **stored)
{
    CatalogChange change = change_by(place, &place->by);
    return catalog_subscription_change(&change, STR("s"), &wanted, stored);
}

static SubscriptionChange at(ChangeKind kind, const char *instant)
{
    return (SubscriptionChange){ .kind = kind, .effective_at = instant_of(instant) };
}

static SubscriptionChange seats(const char *instant, const char *quantities)
{
    SubscriptionChange change = at(CHANGE_TERMS, instant);
    change.quantities = str_of(quantities);
    return change;
}

static SubscriptionChange to_plan(const char *instant, const char *plan, int64_t version)
{
    SubscriptionChange change = at(CHANGE_TERMS, instant);
    change.plan = str_of(plan);
    change.plan_version = version;
    return change;
}

static SubscriptionHistory history_of(Place *place)
{
    SubscriptionHistory history;
    assert_null(catalog_subscription_history(place->catalog, place->arena, place->by.project.id,
                                             STR("s"), &history));
    return history;
}

// "2026-02-01 p1 {"seats":"5"}; 2026-03-01 …": each stretch, and the end.
static const char *timeline(Place *place)
{
    SubscriptionHistory history = history_of(place);
    SubscriptionTerms  *terms;
    size_t              count = subscription_terms(place->arena, &history, &terms);
    Text                text = text_open(place->arena);
    for (size_t i = 0; i < count; i++) {
        Str start = instant_print(place->arena, terms[i].start);
        text_print(&text, "%.*s %.*s%lld %.*s", 10, start.at, STR_ARG(terms[i].plan),
                   (long long)terms[i].plan_version, STR_ARG(terms[i].quantities));
        if (terms[i].overrides.at != NULL)
            text_print(&text, " %.*s", STR_ARG(terms[i].overrides));
        text_add(&text, STR("; "));
        if (i + 1 < count)
            assert_true(terms[i].ends && terms[i].end.us == terms[i + 1].start.us);
    }
    if (count > 0 && terms[count - 1].ends)
        text_print(&text, "%.*s", 10, instant_print(place->arena, terms[count - 1].end).at);
    return str_terminated(place->arena, text_str(&text));
}

static void refused(Place *place, SubscriptionChange wanted, ErrCode code)
{
    SubscriptionChange *stored;
    CatalogChange       change = change_by(place, &place->by);
    size_t              before = history_of(place).count;
    assert_refused(catalog_subscription_change_check(&change, STR("s"), &wanted, &stored), code);
    assert_refused(make(place, wanted, &stored), code);
    assert_int_equal(history_of(place).count, before);
}

// ---- terms

static void test_changes_count_from_when_they_are_effective(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    stock(place);
    assert_string_equal(timeline(place), "2026-02-01 p1 {\"seats\":\"5\"}; ");
    assert_null(make(place, to_plan("2026-05-01T00:00:00Z", "q", 0), &stored));
    assert_int_equal(stored->number, 1);
    assert_int_equal(stored->plan_version, 1);
    assert_null(make(place, seats("2026-03-01T00:00:00Z", "{\"seats\":\"7\"}"), &stored));
    assert_null(make(place, seats("2026-03-01T00:00:00Z", "{\"seats\":\"8\"}"), &stored));
    assert_int_equal(stored->number, 3);
    const char *after = "2026-02-01 p1 {\"seats\":\"5\"}; 2026-03-01 p1 {\"seats\":\"8\"}; "
                        "2026-05-01 q1 {\"seats\":\"8\"}; ";
    assert_string_equal(timeline(place), after);
    place_stop(place);
    place_start(place);
    assert_string_equal(timeline(place), after);
    assert_int_equal(history_of(place).first->version, 4);
}

static void test_a_change_from_the_start_leaves_no_stretch_before_it(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    stock(place);
    assert_null(make(place, seats("2026-02-01T00:00:00Z", "{\"seats\":\"1\"}"), &stored));
    assert_string_equal(timeline(place), "2026-02-01 p1 {\"seats\":\"1\"}; ");
    assert_true(str_equal(history_of(place).first->quantities, STR("{\"seats\":\"5\"}")));
}

static void test_overrides_end_with_the_plan_they_were_made_for(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    SubscriptionChange  ours = at(CHANGE_TERMS, "2026-03-01T00:00:00Z");
    stock(place);
    ours.has_overrides = true;
    ours.overrides = STR("{\"charges\":{\"seats\":{\"unitPrice\":\"15\"}}}");
    assert_null(make(place, ours, &stored));
    assert_null(make(place, to_plan("2026-04-01T00:00:00Z", "p", 2), &stored));
    assert_false(stored->has_overrides);  // another version of the plan keeps them
    assert_null(make(place, to_plan("2026-05-01T00:00:00Z", "q", 1), &stored));
    assert_true(stored->has_overrides);
    assert_string_equal(timeline(place),
                        "2026-02-01 p1 {\"seats\":\"5\"}; 2026-03-01 p1 {\"seats\":\"5\"} "
                        "{\"charges\":{\"seats\":{\"unitPrice\":\"15\"}}}; 2026-04-01 p2 "
                        "{\"seats\":\"5\"} {\"charges\":{\"seats\":{\"unitPrice\":\"15\"}}}; "
                        "2026-05-01 q1 {\"seats\":\"5\"}; ");
}

static void test_the_plan_it_is_on_keeps_its_version_unless_one_is_named(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, wanted = to_plan("2026-05-01T00:00:00Z", "p", 0);
    stock(place);
    wanted.quantities = STR("{\"seats\":\"6\"}");
    assert_null(make(place, wanted, &stored));
    assert_null(stored->plan.at);
    assert_null(make(place, to_plan("2026-06-01T00:00:00Z", "q", 0), &stored));
    assert_null(make(place, to_plan("2026-07-01T00:00:00Z", "p", 0), &stored));  // in force by then
    assert_int_equal(stored->plan_version, 2);
    SubscriptionChange back = at(CHANGE_TERMS, "2026-08-01T00:00:00Z");
    back.plan_version = 1;
    assert_null(make(place, back, &stored));
    assert_true(str_equal(stored->plan, STR("p")));
    assert_string_equal(timeline(place),
                        "2026-02-01 p1 {\"seats\":\"5\"}; 2026-05-01 p1 {\"seats\":\"6\"}; "
                        "2026-06-01 q1 {\"seats\":\"6\"}; 2026-07-01 p2 {\"seats\":\"6\"}; "
                        "2026-08-01 p1 {\"seats\":\"6\"}; ");
}

static void test_what_a_change_cannot_be(void **state)
{
    Place             *place = *state;
    SubscriptionChange misfit = at(CHANGE_TERMS, "2026-03-01T00:00:00Z");
    SubscriptionChange nothing = misfit;
    stock(place);
    misfit.has_overrides = true;
    misfit.overrides = STR("{\"charges\":{\"seats\":{\"unitPrice\":\"x\"}}}");
    refused(place, nothing, ERR_FIELD_REQUIRED);
    refused(place, misfit, ERR_FIELD_INVALID);
    refused(place, seats("2026-01-31T23:59:59Z", "{\"seats\":\"1\"}"), ERR_OUTSIDE_SUBSCRIPTION);
    refused(place, seats("2026-03-01T00:00:00Z", "{\"chairs\":\"1\"}"), ERR_FIELD_INVALID);
    refused(place, to_plan("2026-03-01T00:00:00Z", "x", 0), ERR_PLAN_NOT_FOUND);
    refused(place, to_plan("2026-03-01T00:00:00Z", "q", 9), ERR_PLAN_VERSION_NOT_FOUND);
    refused(place, to_plan("2026-03-01T00:00:00Z", "e", 0), ERR_CURRENCY_MISMATCH);
    publish(place, "late", PLAN(""), "2027-01-01T00:00:00Z");
    refused(place, to_plan("2026-03-01T00:00:00Z", "late", 0), ERR_PLAN_NOT_PUBLISHED);
    publish(place, "desks",
            PLAN("{\"id\":\"d\",\"quantity\":\"desks\",\"model\":\"perUnit\",\"unitPrice\":\"1\"}"),
            "2026-01-01T00:00:00Z");
    refused(place, to_plan("2026-03-01T00:00:00Z", "desks", 0), ERR_FIELD_REQUIRED);
    assert_refused(catalog_subscription_change(&(CatalogChange){ place->catalog, place->arena,
                                                                 &place->by, { 0 }, EXPECT_ANY },
                                               STR("none"), &nothing,
                                               &(SubscriptionChange *){ NULL }),
                   ERR_SUBSCRIPTION_NOT_FOUND);
}

static void test_what_is_to_come_must_still_fit(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, later = at(CHANGE_TERMS, "2026-06-01T00:00:00Z");
    stock(place);
    later.has_overrides = true;
    later.overrides = STR("{\"charges\":{\"fee\":{\"amount\":\"4\"}}}");
    refused(place, later, ERR_FIELD_REQUIRED);  // p has no fee to change
    assert_null(make(place, to_plan("2026-05-01T00:00:00Z", "q", 0), &stored));
    assert_null(make(place, later, &stored));
    refused(place, to_plan("2026-05-15T00:00:00Z", "p", 1), ERR_FIELD_REQUIRED);
}

// ---- keys and versions

static void test_the_same_change_again_is_the_same(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, wanted = seats("2026-03-01T00:00:00Z", "{\"seats\":\"7\"}");
    stock(place);
    wanted.key = STR("k1");
    CatalogChange change = change_by(place, &place->by);
    assert_null(catalog_subscription_change_check(&change, STR("s"), &wanted, &stored));
    assert_false(stored->is_stored);
    for (int i = 0; i < 2; i++) {
        assert_null(make(place, wanted, &stored));
        assert_int_equal(stored->number, 1);
        assert_true(stored->is_stored);
    }
    assert_null(catalog_subscription_change_check(&change, STR("s"), &wanted, &stored));
    assert_true(stored->is_stored);
    wanted.quantities = STR("{\"seats\":\"9\"}");
    refused(place, wanted, ERR_CHANGE_CONFLICT);
    wanted.key = STR("k2");
    wanted.asked = STR("{\"at\":\"now\"}");
    assert_null(make(place, wanted, &stored));
    wanted.effective_at = instant_of("2026-03-02T00:00:00Z");  // "now" is later now
    assert_null(make(place, wanted, &stored));
    assert_int_equal(stored->number, 2);
    assert_true(stored->effective_at.us == instant_of("2026-03-01T00:00:00Z").us);
    wanted.asked = STR("{\"at\":\"periodEnd\"}");
    refused(place, wanted, ERR_CHANGE_CONFLICT);
    SubscriptionChange cancel = at(CHANGE_CANCEL, "2026-03-01T00:00:00Z");
    cancel.key = STR("k1");
    refused(place, cancel, ERR_CHANGE_CONFLICT);
}

static void test_a_change_asks_for_the_version_it_knows(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, wanted = seats("2026-03-01T00:00:00Z", "{\"seats\":\"7\"}");
    CatalogChange       change = change_by(place, &place->by);
    stock(place);
    change.expected = 2;
    assert_refused(catalog_subscription_change(&change, STR("s"), &wanted, &stored),
                   ERR_PRECONDITION_FAILED);
    change.expected = 1;
    wanted.key = STR("k");
    assert_null(catalog_subscription_change(&change, STR("s"), &wanted, &stored));
    assert_null(catalog_subscription_change(&change, STR("s"), &wanted, &stored));  // a retry
}

static void test_a_check_stores_nothing(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, wanted = to_plan("2026-03-01T00:00:00Z", "q", 0);
    CatalogChange       change = change_by(place, &place->by);
    stock(place);
    assert_null(catalog_subscription_change_check(&change, STR("s"), &wanted, &stored));
    assert_int_equal(stored->number, 1);
    assert_int_equal(stored->plan_version, 1);
    assert_int_equal(history_of(place).count, 0);
}

static void test_what_was_known_is_a_beginning_of_the_log(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, wanted = seats("2026-03-01T00:00:00Z", "{\"seats\":\"7\"}");
    CatalogChange       change = change_by(place, &place->by);
    static const int64_t clock[] = { 2000, 1000, 3000 };  // goes back once
    static const size_t  known[][2] = { { 1999, 0 }, { 2000, 2 }, { 2999, 2 }, { 3000, 3 } };
    stock(place);
    for (size_t i = 0; i < 3; i++) {
        change.now.us = clock[i];
        assert_null(catalog_subscription_change(&change, STR("s"), &wanted, &stored));
    }
    SubscriptionHistory history = history_of(place);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(subscription_known(&history, (Instant){ (int64_t)known[i][0] }),
                         known[i][1]);
}

// ---- end, pause

static void test_a_cancellation_ends_it(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, cancel = at(CHANGE_CANCEL, "2026-04-01T00:00:00Z");
    stock(place);
    cancel.credits = true;
    assert_null(make(place, cancel, &stored));
    assert_null(make(place, seats("2026-03-01T00:00:00Z", "{\"seats\":\"7\"}"), &stored));
    assert_string_equal(
        timeline(place),
        "2026-02-01 p1 {\"seats\":\"5\"}; 2026-03-01 p1 {\"seats\":\"7\"}; 2026-04-01");
    refused(place, seats("2026-04-01T00:00:00Z", "{\"seats\":\"8\"}"), ERR_SUBSCRIPTION_CANCELED);
    refused(place, cancel, ERR_SUBSCRIPTION_CANCELED);
    assert_refused(subscribe(place, "s",
                             "\"plan\":\"p\",\"quantities\":{\"seats\":5},"
                             "\"endsAt\":\"2026-05-01T00:00:00Z\""),
                   ERR_SUBSCRIPTION_CANCELED);
    assert_null(subscribe(place, "s", "\"plan\":\"p\",\"quantities\":{\"seats\":5}"));  // a retry
    cancel.effective_at = instant_of("2026-03-15T00:00:00Z");
    cancel.credits = false;
    assert_null(make(place, cancel, &stored));  // earlier than meant before
    SubscriptionHistory history = history_of(place);
    assert_false(subscription_cancellation(&history)->credits);
    assert_true(history.first->ends);
    assert_true(history.first->ends_at.us == cancel.effective_at.us);
    assert_false(history.first->first_ends);
}

static void test_what_comes_after_the_end_counts_when_the_end_moves(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    stock(place);
    assert_null(make(place, seats("2026-05-01T00:00:00Z", "{\"seats\":\"7\"}"), &stored));
    assert_null(subscribe(place, "s",
                          "\"plan\":\"p\",\"quantities\":{\"seats\":5},"
                          "\"endsAt\":\"2026-04-01T00:00:00Z\""));
    assert_string_equal(timeline(place), "2026-02-01 p1 {\"seats\":\"5\"}; 2026-04-01");
    refused(place, at(CHANGE_PAUSE, "2026-04-01T00:00:00Z"), ERR_OUTSIDE_SUBSCRIPTION);
    assert_null(subscribe(place, "s", "\"plan\":\"p\",\"quantities\":{\"seats\":5}"));
    assert_string_equal(timeline(place),
                        "2026-02-01 p1 {\"seats\":\"5\"}; 2026-05-01 p1 {\"seats\":\"7\"}; ");
}

static void test_pauses_and_resumptions_take_turns(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored, pause = at(CHANGE_PAUSE, "2026-03-01T00:00:00Z");
    stock(place);
    refused(place, at(CHANGE_RESUME, "2026-03-01T00:00:00Z"), ERR_SUBSCRIPTION_NOT_PAUSED);
    pause.usage_free = true;
    assert_null(make(place, pause, &stored));
    refused(place, at(CHANGE_PAUSE, "2026-03-02T00:00:00Z"), ERR_SUBSCRIPTION_PAUSED);
    refused(place, at(CHANGE_PAUSE, "2026-02-02T00:00:00Z"), ERR_SUBSCRIPTION_PAUSED);
    refused(place, at(CHANGE_RESUME, "2026-02-02T00:00:00Z"), ERR_SUBSCRIPTION_NOT_PAUSED);
    assert_null(make(place, at(CHANGE_RESUME, "2026-04-01T00:00:00Z"), &stored));
    refused(place, at(CHANGE_RESUME, "2026-04-02T00:00:00Z"), ERR_SUBSCRIPTION_NOT_PAUSED);
    assert_null(make(place, at(CHANGE_PAUSE, "2026-04-01T00:00:00Z"), &stored));
    SubscriptionHistory history = history_of(place);
    static const struct {
        const char        *at;
        SubscriptionStatus status;
    } seen[] = {
        { "2026-01-01T00:00:00Z", SUBSCRIPTION_FUTURE },
        { "2026-02-28T00:00:00Z", SUBSCRIPTION_ACTIVE },
        { "2026-03-01T00:00:00Z", SUBSCRIPTION_PAUSED },
        { "2026-03-31T00:00:00Z", SUBSCRIPTION_PAUSED },
        { "2026-04-01T00:00:00Z", SUBSCRIPTION_PAUSED },  // resumed, and paused again at once
    };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        assert_int_equal(subscription_status(&history, instant_of(seen[i].at)), seen[i].status);
    assert_true(subscription_pause_at(&history, instant_of("2026-03-05T00:00:00Z"))->usage_free);
}

// ---- usage that two would bill

static void test_claims_are_compared_over_the_whole_timeline(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    CatalogChange       change = change_by(place, &place->by);
    Faults              faults = { .arena = place->arena };
    Meter              *meter;
    stock(place);
    assert_null(catalog_meter_put(
        &change,
        meter_from_json(json_of(place, "{\"aggregation\":\"sum\",\"event\":\"calls\"}"),
                        STR("calls"), &faults),
        &meter));
    publish(place, "m",
            PLAN("{\"id\":\"c\",\"meter\":\"calls\",\"model\":\"perUnit\",\"unitPrice\":\"1\"}"),
            "2026-01-01T00:00:00Z");
    assert_null(make(place, to_plan("2026-03-01T00:00:00Z", "m", 0), &stored));
    assert_null(make(place, to_plan("2026-04-01T00:00:00Z", "p", 0), &stored));
    assert_refused(subscribe(place, "t", "\"plan\":\"m\""), ERR_USAGE_CLAIMED_TWICE);
    assert_null(subscribe(place, "t", "\"plan\":\"m\",\"endsAt\":\"2026-03-01T00:00:00Z\""));
    refused(place, to_plan("2026-02-15T00:00:00Z", "m", 0), ERR_USAGE_CLAIMED_TWICE);
}

// ---- migrations

// Plan w: version 2 has a charge `extra`, for seats.
static void plan_w(Place *place)
{
    publish(place, "w", PLAN(SEAT("20")), "2026-01-01T00:00:00Z");
    publish(place, "w",
            PLAN(SEAT("20") ",{\"id\":\"extra\",\"quantity\":\"seats\",\"model\":\"perUnit\","
                            "\"unitPrice\":\"1\"}"),
            "2026-04-01T00:00:00Z");
}

static void moved(Place *place, Migrating *each, size_t count, bool is_dry)
{
    CatalogChange change = change_by(place, &place->by);
    Migration     migration = { STR("w"), 1, 2, is_dry };
    for (size_t i = 0; i < count; i++)
        each[i].at = instant_of("2026-05-01T00:00:00Z");
    assert_null(catalog_subscriptions_migrate(&change, &migration, each, count));
}

// More than one transaction's worth. One of them has a flat `extra` of its own, which would be half
// one charge and half the other.
static void test_many_move_and_one_that_cannot_holds_up_nobody(void **state)
{
    enum { PEOPLE = MIGRATION_GROUP + 20, ODD = 7 };
    static const char usual[] = "\"plan\":\"w\",\"quantities\":{\"seats\":1}";
    static const char odd[] = "\"plan\":\"w\",\"quantities\":{\"seats\":1},\"overrides\":{"
                              "\"charges\":{\"extra\":{\"model\":\"flat\",\"amount\":\"1\"}}}";
    Place    *place = *state;
    Migrating each[PEOPLE] = { 0 };
    stock(place);
    plan_w(place);
    for (size_t i = 0; i < PEOPLE; i++) {
        char *id = str_terminated(place->arena, str_print(place->arena, "m%zu", i));
        each[i].subscription = str_of(id);
        assert_null(subscribe(place, id, i == ODD ? odd : usual));
    }
    for (int round = 0; round < 3; round++) {
        moved(place, each, PEOPLE, round == 0);
        for (size_t i = 0; i < PEOPLE; i++)
            assert_int_equal(each[i].outcome, i == ODD    ? MIGRATION_REFUSED
                                              : round < 2 ? MIGRATION_MOVED
                                                          : MIGRATION_ALREADY);
        assert_non_null(each[ODD].refusal);
        assert_true(str_starts(each[ODD].refusal->pointer, STR("/overrides/charges/extra")));
        if (round < 2)
            assert_int_equal(each[PEOPLE - 1].change->is_stored, round == 1);
    }
}

static void test_who_is_elsewhere_is_not_moved(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    Migrating           one = { .subscription = STR("s") };
    stock(place);
    plan_w(place);
    moved(place, &one, 1, false);
    assert_int_equal(one.outcome, MIGRATION_OTHER);  // on plan p
    assert_null(make(place, to_plan("2026-05-01T00:00:00Z", "w", 1), &stored));
    assert_null(make(place, at(CHANGE_CANCEL, "2026-05-01T00:00:00.000001Z"), &stored));
    moved(place, &one, 1, true);
    assert_int_equal(one.outcome, MIGRATION_MOVED);
    assert_null(make(place, at(CHANGE_CANCEL, "2026-05-01T00:00:00Z"), &stored));
    moved(place, &one, 1, false);
    assert_int_equal(one.outcome, MIGRATION_OTHER);  // over by then
}

// What was to come by a migration does not undo a change of plan that is told of later.
static void test_a_move_gives_way_to_a_change_of_plan_before_it(void **state)
{
    Place              *place = *state;
    SubscriptionChange *stored;
    Migrating           one = { .subscription = STR("s") };
    stock(place);
    plan_w(place);
    assert_null(make(place, to_plan("2026-03-01T00:00:00Z", "w", 1), &stored));
    moved(place, &one, 1, false);
    assert_int_equal(one.outcome, MIGRATION_MOVED);
    assert_null(make(place, to_plan("2026-04-15T00:00:00Z", "q", 0), &stored));
    assert_string_equal(timeline(place),
                        "2026-02-01 p1 {\"seats\":\"5\"}; 2026-03-01 w1 {\"seats\":\"5\"}; "
                        "2026-04-15 q1 {\"seats\":\"5\"}; ");
}

// ---- zones

static void zones_are(Place *place, const char *wanted)
{
    AccountZones zones;
    Text         text = text_open(place->arena);
    assert_null(catalog_account_zones(place->catalog, place->arena, place->by.project.id, STR("a"),
                                      &zones));
    for (size_t i = 0; i < zones.count; i++)
        text_print(&text, "%lld %.*s; ", (long long)zones.at[i].from.us,
                   STR_ARG(zones.at[i].zone));
    assert_string_equal(str_terminated(place->arena, text_str(&text)), wanted);
}

static void zone_put(Place *place, const char *body, int64_t now)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, &place->by);
    Account *stored, *account = account_from_json(place->arena, json_of(place, body), STR("a"),
                                                  &faults);
    change.now.us = now;
    assert_null(catalog_account_put(&change, account, &stored));
}

static void test_zones_are_kept_from_when_there_is_something_to_bill(void **state)
{
    Place *place = *state;
    zone_put(place, "{}", 1);
    zone_put(place, "{\"timeZone\":\"Asia/Tokyo\"}", 2);
    zones_are(place, "-62135596800000000 Asia/Tokyo; ");
    publish(place, "f", PLAN(""), "2026-01-01T00:00:00Z");
    assert_null(subscribe(place, "s", "\"plan\":\"f\""));
    zone_put(place, "{\"timeZone\":\"Asia/Tokyo\",\"name\":\"x\"}", 3);
    zones_are(place, "-62135596800000000 Asia/Tokyo; ");
    zone_put(place, "{\"timeZone\":\"Europe/Berlin\"}", 4);
    zone_put(place, "{}", 5);
    zone_put(place, "{\"timeZone\":\"UTC\"}", 5);  // at once
    zones_are(place, "-62135596800000000 Asia/Tokyo; 4 Europe/Berlin; 5 ; 6 UTC; ");
    assert_refused(catalog_account_zones(place->catalog, place->arena, place->by.project.id,
                                         STR("b"), &(AccountZones){ 0 }),
                   ERR_ACCOUNT_NOT_FOUND);
}

// ---- effective plans

typedef struct Asking {
    Place      *place;
    Thread      thread;
    const Plan *plans[8];
} Asking;

static void *ask(void *argument)
{
    Asking *asking = argument;
    AUTO(Arena) arena = arena_open();
    for (size_t i = 0; i < 8; i++) {
        Str patch = str_print(arena, "{\"charges\":{\"seats\":{\"unitPrice\":\"%zu\"}}}", i);
        PlanWanted wanted = { { asking->place->by.project.id, STR("p"), 1 }, &patch, 1 };
        assert_null(catalog_plan_parsed(asking->place->catalog, arena, &wanted, &asking->plans[i]));
    }
    return NULL;
}

// Their arenas are gone, the plans are still there, and each is there once.
static void test_threads_share_effective_plans(void **state)
{
    Place *place = *state;
    Asking asking[4] = { 0 };
    stock(place);
    for (size_t i = 0; i < 4; i++) {
        asking[i].place = place;
        thread_start(&asking[i].thread, "ask", ask, &asking[i]);
    }
    for (size_t i = 0; i < 4; i++)
        thread_join(&asking[i].thread);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 8; k++) {
            assert_ptr_equal(asking[i].plans[k], asking[0].plans[k]);
            assert_true(str_equal(asking[i].plans[k]->charges[0].id, STR("seats")));
        }
}

static void test_effective_plans_are_kept_by_content(void **state)
{
    Place      *place = *state;
    const Plan *plain, *again, *ours, *ours_again;
    Str         patch = STR("{\"charges\":{\"seats\":{\"unitPrice\":\"15\"}}}");
    PlanWanted  wanted = { .ref = { place->by.project.id, STR("p"), 1 } };
    PlanWanted  patched = { wanted.ref, (const Str[]){ STR_NONE, patch }, 2 };
    stock(place);
    assert_null(catalog_plan_parsed(place->catalog, place->arena, &wanted, &plain));
    assert_null(catalog_plan_parsed(place->catalog, place->arena, &wanted, &again));
    assert_null(catalog_plan_parsed(place->catalog, place->arena, &patched, &ours));
    assert_null(catalog_plan_parsed(place->catalog, place->arena, &patched, &ours_again));
    assert_ptr_equal(plain, again);
    assert_ptr_equal(ours, ours_again);
    assert_ptr_not_equal(plain, ours);
    assert_true(str_equal(plain->charges[0].id, ours->charges[0].id));
    assert_false(str_equal(plain->charges[0].definition, ours->charges[0].definition));
    patched.patches = (const Str[]){ patch, STR("{\"charges\":{\"seats\":{\"amount\":\"1\"}}}") };
    Err *err = catalog_plan_parsed(place->catalog, place->arena, &patched, &ours);
    assert_non_null(err);
    assert_true(str_starts(err->pointer, STR("/charges/seats")));
    wanted.ref.number = 3;
    assert_refused(catalog_plan_parsed(place->catalog, place->arena, &wanted, &plain),
                   ERR_PLAN_VERSION_NOT_FOUND);
    wanted.ref.plan = STR("none");
    assert_refused(catalog_plan_parsed(place->catalog, place->arena, &wanted, &plain),
                   ERR_PLAN_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_changes_count_from_when_they_are_effective),
        TEST(test_a_change_from_the_start_leaves_no_stretch_before_it),
        TEST(test_overrides_end_with_the_plan_they_were_made_for),
        TEST(test_the_plan_it_is_on_keeps_its_version_unless_one_is_named),
        TEST(test_what_a_change_cannot_be),
        TEST(test_what_is_to_come_must_still_fit),
        TEST(test_the_same_change_again_is_the_same),
        TEST(test_a_change_asks_for_the_version_it_knows),
        TEST(test_a_check_stores_nothing),
        TEST(test_what_was_known_is_a_beginning_of_the_log),
        TEST(test_a_cancellation_ends_it),
        TEST(test_what_comes_after_the_end_counts_when_the_end_moves),
        TEST(test_pauses_and_resumptions_take_turns),
        TEST(test_claims_are_compared_over_the_whole_timeline),
        TEST(test_many_move_and_one_that_cannot_holds_up_nobody),
        TEST(test_who_is_elsewhere_is_not_moved),
        TEST(test_a_move_gives_way_to_a_change_of_plan_before_it),
        TEST(test_threads_share_effective_plans),
        TEST(test_zones_are_kept_from_when_there_is_something_to_bill),
        TEST(test_effective_plans_are_kept_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
