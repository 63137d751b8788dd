// SPDX-License-Identifier: Apache-2.0
// A whole partition against a list in memory: random events with duplicates, conflicts and late
// ones, meters before and after them, tiny seals and folds, reads of any window as of any sequence,
// voids, reverts and amendments, closing and opening in between. Whatever way a number is read, it
// is the number the list gives.
#include "flow/aggregate/moved.h"
#include "flow/partition_world.h"

// A batch of new events with some of the old among them, unchanged or changed.
static void send_batch(World *world, size_t count)
{
    AUTO(Arena) arena = arena_open();
    Event     *events = arena_array(arena, Event, count);
    Known     *sent = arena_array(arena, Known, count);
    Outcome   *expected = arena_array(arena, Outcome, count);
    bool      *was_gone = arena_array(arena, bool, count);
    Submission submission = {
        .project = STR("prj"),
        .events = events,
        .count = count,
        .received = { 1000 },
        .bytes = 100 * count,
        .verdicts = arena_array(arena, Verdict, count),
    };
    for (size_t i = 0; i < count; i++) {
        sent[i] = random_known(world, world->made++);
        expected[i] = OUTCOME_ACCEPTED;
        if (world->known.count > 0 && below(world, 5) == 0) {
            sent[i] = *known_any(world);
            was_gone[i] = is_gone(&sent[i], SEQUENCE_NEWEST);
            expected[i] = OUTCOME_DUPLICATE;
            if (below(world, 2) == 0) {
                sent[i].value++;
                expected[i] = OUTCOME_CONFLICT;
            }
        }
        events[i] = event_of(arena, &sent[i]);
        events[i].index = (uint32_t)i;
    }
    submit(world, &submission);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(submission.verdicts[i].outcome, expected[i]);
        assert_int_equal(submission.verdicts[i].voided, was_gone[i]);
        sent[i].sequence = submission.verdicts[i].sequence;
        if (expected[i] == OUTCOME_ACCEPTED)
            vector_push(&world->known, sent[i]);
    }
}

// ---- meters

static Str        eu_values[] = { STR_INIT("eu") };
static FilterTerm eu_term = { STR_INIT("region"), eu_values, 1 };
static Str        region[] = { STR_INIT("region") };

static Meter meter_of(const char *id, Aggregation aggregation, const char *property)
{
    return (Meter){
        .id = str_of(id), .event = STR("calls"), .aggregation = aggregation,
        .property = str_of(property), .dimensions = region, .dimension_count = 1,
    };
}

static const struct {
    const char *id;
    Aggregation aggregation;
    const char *property;
} meters[] = {
    { "sum", AGGREGATE_SUM, "amount" },       { "count", AGGREGATE_COUNT, "value" },
    { "min", AGGREGATE_MIN, "amount" },       { "max", AGGREGATE_MAX, "value" },
    { "average", AGGREGATE_AVERAGE, "amount" }, { "latest", AGGREGATE_LATEST, "amount" },
    { "unique", AGGREGATE_UNIQUE_COUNT, "amount" },
};

static void put_meters(World *world)
{
    AUTO(Arena) arena = arena_open();
    world->has_meters = true;
    for (size_t i = 0; i < sizeof meters / sizeof *meters; i++) {
        Meter meter = meter_of(meters[i].id, meters[i].aggregation, meters[i].property);
        assert_null(partition_meter_put(world->partition, arena, STR("prj"), &meter));
        assert_null(partition_meter_put(world->partition, arena, STR("prj"), &meter));
    }
    Meter eu = meter_of("eu", AGGREGATE_SUM, "value");
    eu.filter = (Filter){ &eu_term, 1 };
    assert_null(partition_meter_put(world->partition, arena, STR("prj"), &eu));
}

// ---- the same from the list

typedef struct Wanted {
    Aggregation aggregation;
    bool        of_value;     // else of the property "amount"
    bool        only_eu;      // the meter's own filter
    const char *account;      // NULL: all
    const char *group;        // NULL: all; "": absent
    uint64_t    as_of;
    UsageWindow window;
} Wanted;

static bool known_wanted(const Known *known, const Wanted *wanted)
{
    return known->sequence <= wanted->as_of && !is_gone(known, wanted->as_of) &&
           known->ts >= wanted->window.start.us && known->ts < wanted->window.end.us &&
           (wanted->account == NULL || strcmp(wanted->account, known->account) == 0) &&
           (wanted->group == NULL || strcmp(wanted->group, known->region) == 0) &&
           (!wanted->only_eu || strcmp(known->region, "eu") == 0);
}

static bool later(const Known *a, const Known *b)
{
    return a->ts != b->ts ? a->ts > b->ts : strcmp(a->id, b->id) > 0;
}

static void group_check(const World *world, const Wanted *wanted, const UsageGroup *group)
{
    uint64_t     events = 0, counted = 0, unique = 0;
    int64_t      sum = 0, least = INT64_MAX, most = INT64_MIN;
    const Known *latest = NULL;
    static bool  seen[4000];
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < world->known.count; i++) {
        const Known *known = &world->known.at[i];
        if (!known_wanted(known, wanted))
            continue;
        int64_t value = wanted->of_value ? known->value : known->amount;
        events++;
        if (!wanted->of_value && !known->has_amount && wanted->aggregation != AGGREGATE_COUNT)
            continue;
        counted++;
        sum += value;
        least = value < least ? value : least;
        most = value > most ? value : most;
        latest = latest == NULL || later(known, latest) ? known : latest;
        unique += !seen[value + 1000];
        seen[value + 1000] = true;
    }
    assert_int_equal(group->events, events);
    assert_int_equal(group->counted, counted);
    int64_t expected = 0;
    switch (wanted->aggregation) {
    case AGGREGATE_SUM: expected = sum; break;
    case AGGREGATE_COUNT: expected = (int64_t)counted; break;
    case AGGREGATE_UNIQUE_COUNT: expected = (int64_t)unique; break;
    case AGGREGATE_MIN: expected = counted == 0 ? 0 : least; break;
    case AGGREGATE_MAX: expected = counted == 0 ? 0 : most; break;
    case AGGREGATE_LATEST: expected = latest == NULL ? 0 : latest->amount; break;
    case AGGREGATE_AVERAGE:
        assert_true(decimal_compare(group->sum, decimal_whole(sum)) == 0);
        return;
    case AGGREGATE_TIME_WEIGHTED:
    case AGGREGATE_PERCENTILE:
    case AGGREGATION_COUNT: fail();
    }
    assert_true(decimal_compare(group->value, decimal_whole(expected)) == 0);
}

static int64_t random_instant(World *world)
{
    int64_t hour = (int64_t)below(world, HOURS + 2) - 1;
    switch (below(world, 3)) {
    case 0: return hour / 24 * 86400000000;
    case 1: return hour * 3600000000;
    default: return hour * 3600000000 + (int64_t)below(world, 3600000000);
    }
}

static void check_read(World *world)
{
    AUTO(Arena) arena = arena_open();
    static const char *const accounts[] = { "a0", "a1", "a2", "a3", "a4", "nobody", NULL };
    size_t       which = below(world, sizeof meters / sizeof *meters + 1);
    bool         only_eu = which == sizeof meters / sizeof *meters;
    UsageWindow  windows[4];
    UsageAnswer  answers[4];
    int64_t      edges[5];
    UsageMoment *moment;
    uint64_t     newest = partition_sequence(world->partition);
    uint64_t     as_of = below(world, 2) == 0 ? SEQUENCE_NEWEST : below(world, newest + 1);
    Wanted       wanted = {
              .aggregation = only_eu ? AGGREGATE_SUM : meters[which].aggregation,
              .of_value = only_eu || strcmp(meters[which].property, "value") == 0,
              .only_eu = only_eu,
              .account = accounts[below(world, 7)],
              .as_of = as_of,
    };
    for (int i = 0; i < 5; i++)
        edges[i] = random_instant(world);
    for (int i = 1; i < 5; i++)
        for (int k = i; k > 0 && edges[k - 1] > edges[k]; k--) {
            int64_t moved = edges[k];
            edges[k] = edges[k - 1];
            edges[k - 1] = moved;
        }
    for (int i = 0; i < 4; i++)
        windows[i] = (UsageWindow){ { edges[i] }, { edges[i + 1] } };
    bool       grouped = below(world, 2) == 0;
    UsageQuery query = {
        .project = STR("prj"),
        .meter = str_of(only_eu ? "eu" : meters[which].id),
        .account = str_of(wanted.account),
        .group_by = region,
        .group_count = grouped ? 1 : 0,
        .windows = windows,
        .window_count = 4,
    };
    assert_null(usage_moment_open(world->partition, arena, as_of, &moment));
    Err *err = usage_read(moment, arena, &query, answers);
    if (err != NULL)
        fail_msg("read: %.*s", STR_ARG(err->detail));
    usage_moment_close(moment);
    for (int i = 0; i < 4; i++) {
        wanted.window = windows[i];
        for (size_t k = 0; k < answers[i].count; k++) {
            const UsageGroup *group = &answers[i].groups[k];
            char              name[8] = "";
            if (grouped && group->values[0].at != NULL)
                snprintf(name, sizeof name, "%.*s", STR_ARG(group->values[0]));
            wanted.group = grouped ? name : NULL;
            group_check(world, &wanted, group);
        }
    }
}

static void check_events(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    const Known *known = known_any(world);
    UsageEvent  *event;
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    assert_null(usage_event_find(moment, arena, STR("prj"), str_of(known->id), &event));
    assert_non_null(event);
    assert_int_equal(event->sequence, known->sequence);
    assert_int_equal(event->ts.us, known->ts);
    assert_int_equal(event->voided, is_gone(known, SEQUENCE_NEWEST));
    assert_true(str_equal(event->account, str_of(known->account)));
    assert_null(usage_event_find(moment, arena, STR("prj"), STR("never"), &event));
    assert_null(event);

    UsageEventsQuery query = {
        .project = STR("prj"), .account = str_of(known->account), .from = { -1 },
        .to = { INT64_C(86400000000) * 400 }, .limit = 7,
    };
    size_t         seen = 0, expected = 0;
    UsageEventList page;
    int64_t        before = INT64_MAX;
    do {
        assert_null(usage_events(moment, arena, &query, &page));
        for (size_t i = 0; i < page.count; i++) {
            assert_true(page.at[i].ts.us <= before);
            before = page.at[i].ts.us;
        }
        seen += page.count;
        query.has_after = page.count > 0;
        query.after_ts = page.count > 0 ? page.at[page.count - 1].ts : (Instant){ 0 };
        query.after_unique_id = page.count > 0 ? page.at[page.count - 1].unique_id : STR_NONE;
    } while (page.has_more);
    for (size_t i = 0; i < world->known.count; i++)
        expected += strcmp(world->known.at[i].account, known->account) == 0 &&
                    !world->known.at[i].is_replaced;
    assert_int_equal(seen, expected);
    usage_moment_close(moment);
}

// What an id held as of an earlier sequence.
static void check_event_as_of(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    UsageEvent  *event;
    const Known *wanted = NULL, *any = known_any(world);
    uint64_t     as_of = below(world, partition_sequence(world->partition) + 1);
    for (size_t i = 0; i < world->known.count; i++)
        if (strcmp(world->known.at[i].id, any->id) == 0 && world->known.at[i].sequence <= as_of)
            wanted = &world->known.at[i];
    assert_null(usage_moment_open(world->partition, arena, as_of, &moment));
    assert_null(usage_event_find(moment, arena, STR("prj"), str_of(any->id), &event));
    assert_int_equal(event == NULL, wanted == NULL);
    if (event != NULL) {
        assert_int_equal(event->sequence, wanted->sequence);
        assert_int_equal(event->ts.us, wanted->ts);
        assert_int_equal(event->voided, is_gone(wanted, as_of));
    }
    usage_moment_close(moment);
}

// ---- corrections

static void gone_since(Known *known, uint64_t sequence)
{
    assert_true(known->gone_count < GONE_MOST);
    known->gone[known->gone_count++] = (Gone){ sequence, SEQUENCE_NEWEST };
}

static void void_remember(World *world, const Void *made)
{
    KnownVoid remembered = { .sequence = made->sequence };
    snprintf(remembered.id, sizeof remembered.id, "%.*s", STR_ARG(made->id));
    vector_push(&world->voids, remembered);
}

// Everything, with the set gone for the sake of argument, or as it is (NULL).
static Digest digest_without(World *world, Arena *arena, const VoidSet *set)
{
    UsageMoment *moment;
    UsageWindow  all = { { -HOURS }, { 2 * HOURS * INT64_C(3600000000) } };
    UsageQuery   query = { .project = STR("prj"), .meter = STR("count"), .windows = &all,
                           .window_count = 1 };
    UsageAnswer  answer;
    if (!world->has_meters)
        return (Digest){ { 0 } };
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    if (set != NULL)
        usage_moment_without(moment, set);
    assert_null(usage_read(moment, arena, &query, &answer));
    usage_moment_close(moment);
    return answer.groups[0].digest;
}

// Some ids, or what a filter holds for.
static void send_void(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    VoidSet     *set;
    Void        *made;
    bool         by_ids = below(world, 2) == 0;
    const Known *any = known_any(world);
    Str          ids[4];
    VoidFilter   filter = { .project = STR("prj"), .account = str_of(any->account),
                            .from = { any->ts }, .to = { any->ts + 30 * INT64_C(3600000000) },
                            .most = VOID_EVENTS_MAX };
    size_t       expected = 0;
    for (size_t i = 0; i < 4; i++)
        ids[i] = str_copy(arena, str_of(i == 0 ? any->id : known_any(world)->id));
    if (below(world, 2) == 0)
        filter.properties = (Filter){ &eu_term, 1 };
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    if (by_ids)
        assert_null(usage_choose_ids(moment, arena, &(VoidIds){ STR("prj"), ids, 4 }, &set));
    else
        assert_null(usage_choose(moment, arena, &filter, &set));
    usage_moment_close(moment);
    Digest expected_digest = digest_without(world, arena, set);
    assert_null(partition_void(world->partition, arena, &(VoidOrder){ .set = set }, &made));
    Digest digest = digest_without(world, arena, NULL);
    assert_true(digest_equal(&digest, &expected_digest));
    for (size_t i = 0; i < world->known.count; i++) {
        Known *known = &world->known.at[i];
        bool   by_filter = strcmp(known->account, any->account) == 0 &&
                         known->ts >= filter.from.us && known->ts < filter.to.us &&
                         (filter.properties.count == 0 || strcmp(known->region, "eu") == 0);
        bool   by_id = false;
        for (size_t k = 0; k < 4; k++)
            by_id = by_id || str_equal(ids[k], str_of(known->id));
        if (!(by_ids ? by_id : by_filter) || is_gone(known, SEQUENCE_NEWEST))
            continue;
        expected++;
        assert_non_null(made);
        gone_since(known, made->sequence);
    }
    assert_int_equal(expected, made == NULL ? 0 : made->count);
    assert_int_equal(expected, void_set_count(set));
    if (made != NULL)
        void_remember(world, made);
}

static void send_revert(World *world)
{
    AUTO(Arena) arena = arena_open();
    Void *reverted;
    if (world->voids.count == 0)
        return;
    KnownVoid *any = &world->voids.at[below(world, world->voids.count)];
    assert_null(partition_void_revert(world->partition, arena, STR("prj"), str_of(any->id),
                                      &reverted));
    assert_true(reverted->is_reverted && reverted->reverted > any->sequence);
    for (size_t i = 0; i < world->known.count && !any->is_reverted; i++) {
        Known *known = &world->known.at[i];
        for (size_t k = 0; k < known->gone_count; k++)
            if (known->gone[k].from == any->sequence)
                known->gone[k].until = reverted->reverted;
    }
    any->is_reverted = true;
}

// Other content under two known ids, or the same two again.
static void send_amend(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    Amendment    changes[2];
    Known        changed[2];
    size_t       count = 0;
    for (int i = 0; i < 2; i++) {
        const Known *any = known_any(world);
        if (any->gone_count == GONE_MOST || (count == 1 && strcmp(any->id, changed[0].id) == 0))
            continue;
        changed[count] = *any;
        changed[count].value++;
        changed[count].ts += (int64_t)below(world, 3) * 1800000000;
        changed[count++].gone_count = 0;
    }
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    for (size_t i = 0; i < count; i++) {
        UsageEvent *of;
        assert_null(usage_event_find(moment, arena, STR("prj"), str_of(changed[i].id), &of));
        changes[i] = (Amendment){ event_of(arena, &changed[i]), of };
    }
    Amendments amendments = { .project = STR("prj"), .at = changes, .count = count };
    assert_null(partition_amend(world->partition, arena, &amendments));
    usage_moment_close(moment);
    for (size_t i = 0; i < count; i++) {
        changed[i].sequence = amendments.sequence - count + 1 + i;
        for (size_t k = 0; k < world->known.count; k++) {
            Known *known = &world->known.at[k];
            if (strcmp(known->id, changed[i].id) != 0 || known->is_replaced)
                continue;
            known->is_replaced = true;
            gone_since(known, changed[i].sequence);
        }
        vector_push(&world->known, changed[i]);
    }
    if (count > 0)
        assert_int_equal(partition_amend(world->partition, arena, &amendments)->code,
                         ERR_STORE_BUSY);
}

static void send_correction(World *world)
{
    switch (below(world, 4)) {
    case 0: send_revert(world); return;
    case 1: send_amend(world); return;
    default: send_void(world); return;
    }
}

// What of one event changed behind a sequence, up to the newest.
static uint64_t moves_of(const Known *known, const UsageClosed *closed, uint64_t *newest)
{
    uint64_t count = known->sequence > closed->since;
    if (known->ts < closed->start.us || known->ts >= closed->end.us)
        return 0;
    if (known->sequence > closed->since && known->sequence > *newest)
        *newest = known->sequence;
    for (size_t i = 0; i < known->gone_count; i++) {
        uint64_t until = known->gone[i].until == SEQUENCE_NEWEST ? 0 : known->gone[i].until;
        uint64_t last = until > known->gone[i].from ? until : known->gone[i].from;
        count += (uint64_t)(known->gone[i].from > closed->since) + (until > closed->since);
        if (last > closed->since && last > *newest)
            *newest = last;
    }
    return count;
}

// Spans with sequences of their own: what changed in them behind those.
static void check_moved(World *world)
{
    AUTO(Arena) arena = arena_open();
    UsageMoment *moment;
    UsageMoved  *moved;
    UsageClosed  closed[4];
    const Known *any = known_any(world);
    UsageMovedQuery query = { STR("prj"), str_of(any->account), closed, 4 };
    assert_null(usage_moment_open(world->partition, arena, SEQUENCE_NEWEST, &moment));
    for (size_t i = 0; i < 4; i++) {
        int64_t start = (int64_t)below(world, HOURS) * INT64_C(3600000000);
        closed[i] = (UsageClosed){ { start },
                                   { start + (int64_t)below(world, 20 * 24) * INT64_C(3600000000) },
                                   below(world, usage_moment_sequence(moment) + 1) };
    }
    assert_null(usage_moved(moment, arena, &query, &moved));
    for (size_t i = 0; i < 4; i++) {
        uint64_t count = 0, newest = 0;
        for (size_t k = 0; k < world->known.count; k++)
            if (strcmp(world->known.at[k].account, any->account) == 0)
                count += moves_of(&world->known.at[k], &closed[i], &newest);
        assert_int_equal(moved[i].count, count);
        assert_int_equal(moved[i].newest, newest);
        assert_int_equal(moved[i].shown, count < USAGE_MOVES_SHOWN ? count : USAGE_MOVES_SHOWN);
        for (size_t k = 0; k < moved[i].shown; k++) {
            assert_true(moved[i].first[k].unique_id.length > 0);
            assert_true(moved[i].first[k].sequence > closed[i].since);
            assert_true(k == 0 || moved[i].first[k - 1].sequence <= moved[i].first[k].sequence);
        }
    }
    query.account = STR("nobody");
    assert_null(usage_moved(moment, arena, &query, &moved));
    assert_int_equal(moved[0].count, 0);
    query.project = STR("none");
    assert_null(usage_moved(moment, arena, &query, &moved));
    assert_int_equal(moved[3].count, 0);
    usage_moment_close(moment);
}

static void check_voids(World *world)
{
    AUTO(Arena) arena = arena_open();
    VoidPage page = { .project = STR("prj"), .limit = 3 };
    VoidList list;
    size_t   seen = 0;
    do {
        list = usage_voids(world->partition, arena, &page);
        for (size_t i = 0; i < list.count; i++) {
            const KnownVoid *known = &world->voids.at[world->voids.count - 1 - seen++];
            Void            *found;
            assert_true(str_equal(list.at[i].id, str_of(known->id)));
            assert_int_equal(list.at[i].sequence, known->sequence);
            assert_int_equal(list.at[i].is_reverted, known->is_reverted);
            assert_null(usage_void_find(world->partition, arena, STR("prj"), list.at[i].id,
                                        &found));
            assert_int_equal(found->count, list.at[i].count);
        }
        page.has_before = list.count > 0;
        page.before = list.count > 0 ? list.at[list.count - 1].sequence : 0;
    } while (list.has_more);
    assert_int_equal(seen, world->voids.count);
}

static void tell_drift(void *context, Str text)
{
    (void)context;
    fail_msg("%.*s", STR_ARG(text));
}

static void check_recount(World *world)
{
    AUTO(Arena) arena = arena_open();
    Recount recount = { .tell = tell_drift };
    Err    *err = partition_recount(world->partition, arena, &recount);
    if (err != NULL)
        fail_msg("recount: %.*s", STR_ARG(err->detail));
    assert_int_equal(recount.drifts, 0);
}

static void reopen(World *world)
{
    partition_close(world->partition);
    world_open(world);
}

static void run_history(uint32_t seal_bits, uint64_t seed, int turns)
{
    World *world = world_new(seal_bits, seed);
    int    meters_at = (int)below(world, (uint64_t)turns / 2);
    for (int turn = 0; turn < turns; turn++) {
        if (turn == meters_at)
            put_meters(world);
        send_batch(world, 1 + below(world, 60));
        send_correction(world);
        if (turn < meters_at)
            continue;
        for (int i = 0; i < 6; i++)
            check_read(world);
        check_events(world);
        check_event_as_of(world);
        check_voids(world);
        check_moved(world);
        if (below(world, 8) == 0)
            reopen(world);
    }
    reopen(world);
    check_recount(world);
    world_close(world);
}

static void reads_equal_a_list_of_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        run_history(4 + (uint32_t)seed % 3, seed, 50);
}

static void reads_of_unsealed_events_equal_a_list(void **state)
{
    (void)state;
    run_history(16, 99, 40);
}

static void an_atomic_request_stores_all_or_nothing(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    World  *world = world_new(6, 5);
    Known   known[3];
    Event   events[3];
    Verdict verdicts[3];
    for (size_t i = 0; i < 3; i++) {
        known[i] = random_known(world, i);
        events[i] = event_of(arena, &known[i]);
    }
    known[2] = known[0];
    known[2].value++;
    events[2] = event_of(arena, &known[2]);
    Submission submission = {
        .project = STR("prj"), .events = events, .count = 3, .atomic = true, .bytes = 1,
        .verdicts = verdicts,
    };
    submit(world, &submission);
    assert_int_equal(submission.counts[OUTCOME_ACCEPTED], 0);
    assert_int_equal(partition_sequence(world->partition), 0);
    submission = (Submission){
        .project = STR("prj"), .events = events, .count = 2, .atomic = true, .bytes = 1,
        .verdicts = verdicts,
    };
    submit(world, &submission);
    assert_int_equal(submission.counts[OUTCOME_ACCEPTED], 2);
    world_close(world);
}

// A request that is longer than several seals, sent right behind another: the seals that are
// finished while it is being decided must not be forgotten before its last event.
static void ids_sealed_during_a_long_request_are_still_known(void **state)
{
    enum { ROUNDS = 150, FIRST = 48, LONG = 100 };
    (void)state;
    World *world = world_new(4, 11);
    for (int round = 0; round < ROUNDS; round++) {
        AUTO(Arena) arena = arena_open();
        Known     *known = arena_array(arena, Known, LONG);
        Event     *events = arena_array(arena, Event, LONG);
        Submission submission = {
            .project = STR("prj"), .events = events, .count = FIRST, .bytes = 1,
            .verdicts = arena_array(arena, Verdict, LONG),
        };
        for (size_t i = 0; i < LONG; i++) {
            known[i] = random_known(world, world->made++);
            events[i] = event_of(arena, &known[i]);
        }
        submit(world, &submission);
        for (size_t i = LONG - FIRST; i < LONG; i++)
            events[i] = event_of(arena, &known[i - (LONG - FIRST)]);
        for (size_t i = 0; i < LONG - FIRST; i++) {
            known[i] = random_known(world, world->made++);
            events[i] = event_of(arena, &known[i]);
        }
        submission = (Submission){
            .project = STR("prj"), .events = events, .count = LONG, .bytes = 1,
            .verdicts = submission.verdicts,
        };
        submit(world, &submission);
        assert_int_equal(submission.counts[OUTCOME_ACCEPTED], LONG - FIRST);
        assert_int_equal(submission.counts[OUTCOME_DUPLICATE], FIRST);
    }
    check_recount(world);
    world_close(world);
}

static void outcomes_survive(void **state)
{
    (void)state;
    AUTO(Arena) arena = arena_open();
    World *world = world_new(5, 8);
    for (int i = 0; i < 20; i++)
        send_batch(world, 30);
    OutcomeQuery query = { STR("prj"), 0, 1 };
    OutcomeHours before = usage_outcomes(world->partition, arena, &query);
    assert_int_equal(before.count, 1);
    assert_int_equal(before.at[0].counts[OUTCOME_ACCEPTED], world->known.count);
    reopen(world);
    OutcomeHours after = usage_outcomes(world->partition, arena, &query);
    assert_int_equal(after.count, 1);
    for (int k = 0; k < OUTCOME_COUNT; k++)
        assert_int_equal(before.at[0].counts[k], after.at[0].counts[k]);
    assert_true(usage_refusals(world->partition, arena, STR("prj"), 10).count > 0);
    world_close(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_atomic_request_stores_all_or_nothing),
        cmocka_unit_test(outcomes_survive),
        cmocka_unit_test(ids_sealed_during_a_long_request_are_still_known),
        cmocka_unit_test(reads_of_unsealed_events_equal_a_list),
        cmocka_unit_test(reads_equal_a_list_of_everything),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
