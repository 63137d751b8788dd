// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include <string.h>

#include "audit/audit.h"
#include "base/thread.h"

static const char FLAT[] = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"fee\",\"model\":\"flat\","
                           "\"amount\":\"10.00\"}]}";

static const char SEATS[] = "{\"currency\":\"USD\",\"charges\":[{\"id\":\"seats\",\"quantity\":"
                            "\"seats\",\"model\":\"perUnit\",\"unitPrice\":\"20.00\"}]}";

static Meter *put_meter(Place *place, const Principal *by, const char *id, const char *body)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, by);
    Meter *stored = NULL, *meter = meter_from_json(json_of(place, body), str_of(id), &faults);
    assert_null(faults.first);
    assert_null(catalog_meter_put(&change, meter, &stored));
    return stored;
}

static Err *put_account(Place *place, const char *id, const char *body, int64_t expected,
                        Account **stored)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, &place->by);
    Account *account = account_from_json(place->arena, json_of(place, body), str_of(id), &faults);
    assert_null(faults.first);
    change.expected = expected;
    return catalog_account_put(&change, account, stored);
}

static Err *put_plan(Place *place, const char *id, const char *document)
{
    CatalogChange change = change_by(place, &place->by);
    PlanVersion  *stored;
    return catalog_plan_put(&change, str_of(id), json_of(place, document), &stored);
}

static Err *publish(Place *place, const char *id, const char *from, PlanVersion **stored)
{
    CatalogChange change = change_by(place, &place->by);
    return catalog_plan_publish(&change, str_of(id), instant_of(from), stored);
}

static void plan_published(Place *place, const char *id, const char *document, const char *from)
{
    PlanVersion *version;
    assert_null(put_plan(place, id, document));
    assert_null(publish(place, id, from, &version));
}

static Err *subscribe(Place *place, const char *id, const char *body, Subscription **stored)
{
    Faults        faults = { .arena = place->arena };
    CatalogChange change = change_by(place, &place->by);
    Subscription *wanted =
        subscription_from_json(place->arena, json_of(place, body), str_of(id), &faults);
    assert_null(faults.first);
    SubscriptionHistory history;
    TRY(catalog_subscription_put(&change, wanted, &history));
    *stored = arena_copy(place->arena, history.first, sizeof **stored);
    return NULL;
}

// ---- keys

static void test_only_a_made_key_opens(void **state)
{
    Place    *place = *state;
    Principal who;
    Instant   now = { 1 };
    assert_true(str_equal(place->by.project.id.id, STR("default")));
    assert_true(str_equal(place->other.project.id.id, STR("elsewhere")));
    assert_int_equal(place->other.project.unknown_accounts, ACCOUNTS_REJECT);
    assert_int_equal(place->by.scopes.bits, SCOPES_ALL.bits);
    Str wellformed = key_make(place->arena, KEY_TEST);
    assert_refused(catalog_authenticate(place->catalog, place->arena, wellformed, now, &who),
                   ERR_UNAUTHENTICATED);
    assert_refused(catalog_authenticate(place->catalog, place->arena, STR(""), now, &who),
                   ERR_UNAUTHENTICATED);
    for (int i = 0; i < 3; i++) {  // found by its hash first, then by having been found
        assert_null(catalog_authenticate(place->catalog, place->arena, place->secret, now, &who));
        assert_true(str_equal(who.key_id, place->by.key_id));
        assert_null(
            catalog_authenticate(place->catalog, place->arena, place->other_secret, now, &who));
        assert_true(str_equal(who.key_id, place->other.key_id));
        assert_refused(catalog_authenticate(place->catalog, place->arena, wellformed, now, &who),
                       ERR_UNAUTHENTICATED);
    }
    place_stop(place);
    place_start(place);  // keys survive a restart
    assert_null(catalog_authenticate(place->catalog, place->arena, place->secret, now, &who));
    assert_true(str_equal(who.key_id, place->by.key_id));
}

static void test_a_key_ends_when_it_expires(void **state)
{
    Place    *place = *state;
    Principal who;
    Str       secret;
    Key       key = { .project = place->by.project.id,
                      .name = STR("short"),
                      .expires = true,
                      .expires_at = { 1000 },
                      .scopes = { 1u << SCOPE_USAGE_READ } };
    assert_null(catalog_key_make(place->catalog, place->arena, &key, KEY_LIVE, &secret));
    assert_null(catalog_authenticate(place->catalog, place->arena, secret, (Instant){ 999 }, &who));
    assert_int_equal(who.scopes.bits, 1u << SCOPE_USAGE_READ);
    assert_refused(
        catalog_authenticate(place->catalog, place->arena, secret, (Instant){ 1000 }, &who),
        ERR_UNAUTHENTICATED);
}

static void test_no_secret_is_in_the_books(void **state)
{
    Place *place = *state;
    if (books_are_served())
        skip();
    place_stop(place);
    FILE  *file = fopen(str_terminated(place->arena, place->dir->books), "rb");
    char  *bytes = arena_take(place->arena, 4 << 20);
    size_t length = fread(bytes, 1, 4 << 20, file);
    fclose(file);
    assert_true(length > 1000);
    assert_null(memmem(bytes, length, place->secret.at, place->secret.length));
    assert_null(memmem(bytes, length, place->secret.at + 10, 30));
    assert_non_null(memmem(bytes, length, place->by.key_id.at, place->by.key_id.length));
    place_start(place);
}

// ---- meters

static void test_an_event_is_known_while_a_meter_counts_it(void **state)
{
    Place        *place = *state;
    Str           project = STR("default");
    CatalogChange change = change_by(place, &place->by);
    assert_false(catalog_event_known(place->catalog, project, STR("calls")));
    put_meter(place, &place->by, "a", "{\"aggregation\":\"count\",\"event\":\"calls\"}");
    put_meter(place, &place->by, "b", "{\"aggregation\":\"sum\",\"event\":\"calls\"}");
    assert_true(catalog_event_known(place->catalog, project, STR("calls")));
    assert_false(catalog_event_known(place->catalog, project, STR("a")));
    assert_false(catalog_event_known(place->catalog, STR("elsewhere"), STR("calls")));
    assert_null(catalog_meter_remove(&change, STR("a")));
    assert_true(catalog_event_known(place->catalog, project, STR("calls")));
    put_meter(place, &place->by, "b", "{\"aggregation\":\"sum\",\"event\":\"others\"}");
    assert_false(catalog_event_known(place->catalog, project, STR("calls")));
    assert_true(catalog_event_known(place->catalog, project, STR("others")));
    place_stop(place);
    place_start(place);
    assert_true(catalog_event_known(place->catalog, project, STR("others")));
    assert_false(catalog_event_known(place->catalog, project, STR("calls")));
    change = change_by(place, &place->by);
    assert_null(catalog_meter_remove(&change, STR("b")));
    assert_false(catalog_event_known(place->catalog, project, STR("others")));
    assert_refused(catalog_meter_remove(&change, STR("b")), ERR_METER_NOT_FOUND);
}

static void test_the_same_meter_again_changes_nothing(void **state)
{
    Place *place = *state;
    assert_int_equal(put_meter(place, &place->by, "m", "{\"aggregation\":\"count\"}")->version, 1);
    assert_int_equal(
        put_meter(place, &place->by, "m", "{\"aggregation\":\"count\",\"unit\":null}")->version, 1);
    assert_int_equal(put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}")->version, 2);
}

static void test_versions_guard_changes(void **state)
{
    Place   *place = *state;
    Account *stored;
    assert_refused(put_account(place, "a", "{}", 1, &stored), ERR_PRECONDITION_FAILED);
    assert_null(put_account(place, "a", "{\"name\":\"one\"}", EXPECT_ABSENT, &stored));
    assert_refused(put_account(place, "a", "{\"name\":\"two\"}", EXPECT_ABSENT, &stored),
                   ERR_PRECONDITION_FAILED);
    assert_null(put_account(place, "a", "{\"name\":\"two\"}", 1, &stored));
    assert_int_equal(stored->version, 2);
    assert_refused(put_account(place, "a", "{\"name\":\"three\"}", 1, &stored),
                   ERR_PRECONDITION_FAILED);
    assert_true(str_equal(stored->name, STR("two")));
}

static const char METERED[] =
    "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\","
    "\"model\":\"perUnit\",\"unitPrice\":\"1\",\"filter\":{\"region\":[\"eu\"]},"
    "\"groupBy\":[\"model\"]}]}";

static void test_what_a_priced_meter_measures_cannot_change(void **state)
{
    Place                   *place = *state;
    CatalogChange            change = change_by(place, &place->by);
    Faults                   faults = { .arena = place->arena };
    Meter                   *stored;
    static const char *const refused[] = {
        "{\"aggregation\":\"count\",\"dimensions\":[\"model\",\"region\"]}",
        "{\"aggregation\":\"sum\",\"dimensions\":[\"model\"]}",
        "{\"aggregation\":\"sum\",\"property\":\"tokens\",\"dimensions\":[\"model\",\"region\"]}",
        "{\"aggregation\":\"sum\",\"event\":\"n\",\"dimensions\":[\"model\",\"region\"]}",
        "{\"aggregation\":\"sum\",\"filter\":{\"a\":[\"b\"]}}",
    };
    put_meter(place, &place->by, "m",
              "{\"aggregation\":\"sum\",\"dimensions\":[\"region\",\"model\"]}");
    plan_published(place, "p", METERED, "2026-01-01T00:00:00Z");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        Meter *meter = meter_from_json(json_of(place, refused[i]), STR("m"), &faults);
        assert_refused(catalog_meter_put(&change, meter, &stored), ERR_METER_IMMUTABLE);
    }
    stored =
        put_meter(place, &place->by, "m",
                  "{\"aggregation\":\"sum\",\"unit\":\"call\",\"dimensions\":[\"region\",\"model\","
                  "\"tier\"]}");
    assert_int_equal(stored->dimension_count, 3);
    assert_refused(catalog_meter_remove(&change, STR("m")), ERR_METER_IN_USE);
}

// ---- plans

static void test_a_plan_is_drafted_published_and_then_fixed(void **state)
{
    Place       *place = *state;
    PlanVersion *version, *again;
    ProjectId    project = place->by.project.id;
    assert_refused(publish(place, "p", "2026-01-01T00:00:00Z", &version), ERR_PLAN_NOT_FOUND);
    assert_null(put_plan(place, "p", FLAT));
    assert_null(catalog_plan_get(place->catalog, place->arena, project, STR("p"), &version));
    assert_false(version->published);
    assert_null(publish(place, "p", "2026-01-01T00:00:00Z", &version));
    assert_int_equal(version->number, 1);
    assert_true(str_equal(version->document, str_of(FLAT)));
    assert_null(publish(place, "p", "2026-01-01T00:00:00Z", &again));  // a retry
    assert_int_equal(again->number, 1);
    assert_refused(publish(place, "p", "2026-02-01T00:00:00Z", &again), ERR_PLAN_NO_DRAFT);
    assert_null(put_plan(place, "p", FLAT));
    assert_null(publish(place, "p", "2026-01-01T00:00:00Z", &again));  // the same written again
    assert_int_equal(again->number, 1);
    assert_refused(publish(place, "p", "2026-02-01T00:00:00Z", &again), ERR_PLAN_NO_DRAFT);
    assert_null(put_plan(place, "p", "{\"currency\":\"EUR\",\"charges\":[]}"));
    assert_refused(publish(place, "p", "2026-01-01T00:00:00Z", &again), ERR_EFFECTIVE_FROM_TAKEN);
    assert_null(publish(place, "p", "2026-02-01T00:00:00Z", &again));
    assert_int_equal(again->number, 2);
    assert_true(str_equal(again->currency, STR("EUR")));
    PlanRef ref = { project, STR("p"), 1 };
    assert_null(catalog_plan_version_get(place->catalog, place->arena, &ref, &version));
    assert_true(str_equal(version->document, str_of(FLAT)));
    ref.number = 3;
    assert_refused(catalog_plan_version_get(place->catalog, place->arena, &ref, &version),
                   ERR_PLAN_VERSION_NOT_FOUND);
}

static void test_publishing_checks_meters_and_dimensions(void **state)
{
    Place       *place = *state;
    PlanVersion *version;
    assert_null(put_plan(place, "p", METERED));
    Err *err = publish(place, "p", "2026-01-01T00:00:00Z", &version);
    assert_refused(err, ERR_PLAN_INVALID);
    assert_true(str_equal(err->pointer, STR("/charges/0/meter")));
    put_meter(place, &place->other, "m",
              "{\"aggregation\":\"sum\",\"dimensions\":[\"region\",\"model\"]}");
    err = publish(place, "p", "2026-01-01T00:00:00Z", &version);  // another project's meter is none
    assert_true(str_equal(err->pointer, STR("/charges/0/meter")));
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}");
    err = publish(place, "p", "2026-01-01T00:00:00Z", &version);
    assert_refused(err, ERR_PLAN_INVALID);
    assert_true(str_equal(err->pointer, STR("/charges/0/filter/region")));
    assert_true(str_equal(err->next->pointer, STR("/charges/0/groupBy")));
    assert_null(err->next->next);
    put_meter(place, &place->by, "m",
              "{\"aggregation\":\"sum\",\"dimensions\":[\"region\",\"model\"]}");
    assert_null(publish(place, "p", "2026-01-01T00:00:00Z", &version));
}

static void test_publishing_checks_the_meters_of_every_model(void **state)
{
    Place       *place = *state;
    PlanVersion *version;
    put_meter(place, &place->by, "m", "{\"aggregation\":\"max\"}");
    assert_null(put_plan(
        place, "p",
        "{\"currency\":\"USD\",\"charges\":[{\"id\":\"f\",\"model\":\"formula\",\"expression\":"
        "\"a\",\"meters\":{\"a\":\"n\"}},{\"id\":\"s\",\"meter\":\"m\",\"model\":\"percentage\","
        "\"ratePercent\":1,\"freeEvents\":1,\"alsoCounts\":true},{\"id\":\"x\",\"meter\":\"m\","
        "\"model\":\"matrix\",\"dimensions\":[\"d\"],\"cells\":[{\"when\":{\"d\":\"1\"},"
        "\"unitPrice\":1}],\"defaultUnitPrice\":1}]}"));
    Err *err = publish(place, "p", "2026-01-01T00:00:00Z", &version);
    assert_refused(err, ERR_PLAN_INVALID);
    assert_true(str_equal(err->pointer, STR("/charges/0")));
    assert_true(str_equal(err->next->pointer, STR("/charges/1/meter")));
    assert_true(str_equal(err->next->next->pointer, STR("/charges/2/dimensions")));
    assert_null(err->next->next->next);
    put_meter(place, &place->by, "n", "{\"aggregation\":\"count\"}");
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\",\"dimensions\":[\"d\"]}");
    assert_null(publish(place, "p", "2026-01-01T00:00:00Z", &version));
}

static void test_a_plan_that_cannot_be_priced_is_not_stored(void **state)
{
    Place       *place = *state;
    PlanVersion *version;
    assert_non_null(put_plan(place, "p", "{\"charges\":[]}"));
    assert_non_null(put_plan(place, "p", "[]"));
    assert_non_null(put_plan(place, "-p", FLAT));
    assert_refused(
        catalog_plan_get(place->catalog, place->arena, place->by.project.id, STR("p"), &version),
        ERR_PLAN_NOT_FOUND);
}

// ---- subscriptions

static void two_versions(Place *place)
{
    Account *account;
    plan_published(place, "p", FLAT, "2026-01-01T00:00:00Z");
    plan_published(place, "p", "{\"currency\":\"USD\",\"charges\":[]}", "2026-03-01T00:00:00Z");
    assert_null(put_account(place, "a", "{\"currency\":\"USD\"}", EXPECT_ANY, &account));
}

static void test_a_subscription_is_pinned_to_the_version_in_force(void **state)
{
    Place        *place = *state;
    Subscription *made;
    two_versions(place);
    assert_null(subscribe(
        place, "s1",
        "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-28T23:59:59.999999Z\"}", &made));
    assert_int_equal(made->plan_version, 1);
    assert_null(subscribe(
        place, "s2", "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-03-01T00:00:00Z\"}",
        &made));
    assert_int_equal(made->plan_version, 2);
    assert_null(subscribe(place, "s3",
                          "{\"account\":\"a\",\"plan\":\"p\",\"planVersion\":1,"
                          "\"startsAt\":\"2026-03-01T00:00:00Z\"}",
                          &made));
    assert_int_equal(made->plan_version, 1);
    plan_published(place, "p", "{\"currency\":\"USD\",\"charges\":[],\"name\":\"x\"}",
                   "2026-02-01T00:00:00Z");
    assert_null(catalog_subscription_get(place->catalog, place->arena, place->by.project.id,
                                         STR("s1"), &made));
    assert_int_equal(made->plan_version, 1);  // a later publication moves nobody
}

static void test_a_retry_is_the_same_and_other_terms_are_refused(void **state)
{
    static const char *const other[] = {
        "{\"account\":\"b\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\",\"quantities\":{"
        "\"seats\":5}}",
        "{\"account\":\"a\",\"plan\":\"q\",\"startsAt\":\"2026-02-01T00:00:00Z\",\"quantities\":{"
        "\"seats\":5}}",
        "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-02T00:00:00Z\",\"quantities\":{"
        "\"seats\":5}}",
        "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\",\"quantities\":{"
        "\"seats\":6}}",
        "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\"}",
        "{\"account\":\"a\",\"plan\":\"p\",\"planVersion\":2,\"startsAt\":\"2026-02-01T00:00:00Z\","
        "\"quantities\":{\"seats\":5}}",
    };
    Place        *place = *state;
    Subscription *made, *again;
    Account      *account;
    assert_null(put_account(place, "a", "{\"currency\":\"USD\"}", EXPECT_ANY, &account));
    plan_published(place, "p", SEATS, "2026-01-01T00:00:00Z");
    assert_null(subscribe(place, "s",
                          "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\","
                          "\"quantities\":{\"seats\":5}}",
                          &made));
    assert_true(str_equal(made->quantities, STR("{\"seats\":\"5\"}")));
    assert_null(
        subscribe(place, "s",
                  "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T01:00:00+01:00\","
                  "\"quantities\":{\"seats\":\"5.00\"},\"planVersion\":1}",
                  &again));
    assert_int_equal(again->version, 1);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_refused(subscribe(place, "s", other[i], &again), ERR_SUBSCRIPTION_IMMUTABLE);
    assert_null(subscribe(place, "s",
                          "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\","
                          "\"quantities\":{\"seats\":5},\"endsAt\":\"2026-04-01T00:00:00Z\"}",
                          &again));
    assert_int_equal(again->version, 2);
    assert_true(again->ends);
    assert_true(subscription_active(again, instant_of("2026-03-31T23:59:59.999999Z")));
    assert_false(subscription_active(again, instant_of("2026-04-01T00:00:00Z")));
}

static void test_what_cannot_be_subscribed(void **state)
{
    static const struct {
        const char *body;
        ErrCode     code;
    } bad[] = {
        { "{\"account\":\"x\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\"}",
          ERR_ACCOUNT_NOT_FOUND },
        { "{\"account\":\"a\",\"plan\":\"x\",\"startsAt\":\"2026-02-01T00:00:00Z\"}",
          ERR_PLAN_NOT_FOUND },
        { "{\"account\":\"a\",\"plan\":\"p\",\"planVersion\":9,\"startsAt\":\"2026-02-01T00:00:"
          "00Z\"}",
          ERR_PLAN_VERSION_NOT_FOUND },
        { "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2025-12-31T23:59:59Z\"}",
          ERR_PLAN_NOT_PUBLISHED },
        { "{\"account\":\"e\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\"}",
          ERR_CURRENCY_MISMATCH },
    };
    Place        *place = *state;
    Account      *account;
    Subscription *made;
    two_versions(place);
    assert_null(put_account(place, "e", "{\"currency\":\"EUR\"}", EXPECT_ANY, &account));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(subscribe(place, "s", bad[i].body, &made), bad[i].code);
    assert_refused(catalog_subscription_get(place->catalog, place->arena, place->by.project.id,
                                            STR("s"), &made),
                   ERR_SUBSCRIPTION_NOT_FOUND);
    assert_null(subscribe(
        place, "s", "{\"account\":\"a\",\"plan\":\"p\",\"startsAt\":\"2026-02-01T00:00:00Z\"}",
        &made));
    assert_refused(put_account(place, "a", "{\"currency\":\"EUR\"}", EXPECT_ANY, &account),
                   ERR_CURRENCY_MISMATCH);
}

static Err *claim(Place *place, const char *id, const char *plan, const char *starts,
                  const char *ends)
{
    Subscription *made;
    Text          text = text_open(place->arena);
    text_print(&text, "{\"account\":\"a\",\"plan\":\"%s\",\"startsAt\":\"%s\"", plan, starts);
    if (ends != NULL)
        text_print(&text, ",\"endsAt\":\"%s\"", ends);
    text_add_char(&text, '}');
    Str body = text_str(&text);
    return subscribe(place, id, str_terminated(place->arena, body), &made);
}

static void metered_plan(Place *place, const char *id, const char *more)
{
    Str document =
        str_print(place->arena,
                  "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"meter\":\"m\",\"model\":"
                  "\"perUnit\",\"unitPrice\":\"1\"%s}]}",
                  more);
    plan_published(place, id, str_terminated(place->arena, document), "2020-01-01T00:00:00Z");
}

static void test_usage_is_claimed_once(void **state)
{
    Place   *place = *state;
    Account *account;
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\",\"dimensions\":[\"region\"]}");
    assert_null(put_account(place, "a", "{}", EXPECT_ANY, &account));
    metered_plan(place, "all", "");
    metered_plan(place, "also", ",\"alsoCounts\":true");
    metered_plan(place, "eu", ",\"filter\":{\"region\":[\"eu\",\"uk\"]}");
    metered_plan(place, "us", ",\"filter\":{\"region\":[\"us\"]}");
    assert_null(claim(place, "s1", "all", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"));
    assert_refused(claim(place, "s2", "all", "2026-01-31T23:59:59.999999Z", NULL),
                   ERR_USAGE_CLAIMED_TWICE);
    assert_refused(claim(place, "s2", "eu", "2025-01-01T00:00:00Z", NULL), ERR_USAGE_CLAIMED_TWICE);
    assert_null(claim(place, "s2", "also", "2026-01-01T00:00:00Z", NULL));
    assert_null(claim(place, "s3", "eu", "2026-02-01T00:00:00Z", NULL));
    assert_null(claim(place, "s4", "us", "2026-02-01T00:00:00Z", NULL));  // other events
    assert_refused(claim(place, "s5", "us", "2026-03-01T00:00:00Z", NULL), ERR_USAGE_CLAIMED_TWICE);
    // Moving an end counts too.
    assert_refused(claim(place, "s1", "all", "2026-01-01T00:00:00Z", NULL),
                   ERR_USAGE_CLAIMED_TWICE);
    assert_null(claim(place, "s1", "all", "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z"));
}

static void test_a_charge_over_several_meters_claims_each(void **state)
{
    Place   *place = *state;
    Account *account;
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}");
    put_meter(place, &place->by, "n", "{\"aggregation\":\"sum\"}");
    assert_null(put_account(place, "a", "{}", EXPECT_ANY, &account));
    plan_published(place, "both",
                   "{\"currency\":\"USD\",\"charges\":[{\"id\":\"c\",\"model\":\"formula\","
                   "\"expression\":\"x / y\",\"meters\":{\"x\":\"n\",\"y\":\"m\"}}]}",
                   "2020-01-01T00:00:00Z");
    metered_plan(place, "one", "");
    metered_plan(place, "also", ",\"alsoCounts\":true");
    assert_null(claim(place, "s1", "both", "2026-01-01T00:00:00Z", NULL));
    assert_refused(claim(place, "s2", "one", "2026-01-01T00:00:00Z", NULL),
                   ERR_USAGE_CLAIMED_TWICE);
    assert_refused(claim(place, "s2", "both", "2026-01-01T00:00:00Z", NULL),
                   ERR_USAGE_CLAIMED_TWICE);
    assert_null(claim(place, "s2", "also", "2026-01-01T00:00:00Z", NULL));
}

// ---- tenancy

static void test_another_projects_objects_do_not_exist(void **state)
{
    Place        *place = *state;
    ProjectId     other = place->other.project.id;
    Meter        *meter;
    Account      *account;
    PlanVersion  *version;
    Subscription *subscription;
    size_t        count;
    CatalogChange change = change_by(place, &place->other);
    CatalogPage   page = { .project = other, .limit = 100, .plan = STR("p") };
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}");
    metered_plan(place, "p", "");
    assert_null(put_account(place, "a", "{}", EXPECT_ANY, &account));
    assert_null(claim(place, "s", "p", "2026-01-01T00:00:00Z", NULL));
    Catalog *catalog = place->catalog;
    Arena   *arena = place->arena;
    assert_refused(catalog_meter_get(catalog, arena, other, STR("m"), &meter), ERR_METER_NOT_FOUND);
    assert_refused(catalog_account_get(catalog, arena, other, STR("a"), &account),
                   ERR_ACCOUNT_NOT_FOUND);
    assert_refused(catalog_plan_get(catalog, arena, other, STR("p"), &version), ERR_PLAN_NOT_FOUND);
    PlanRef ref = { other, STR("p"), 1 };
    assert_refused(catalog_plan_version_get(catalog, arena, &ref, &version), ERR_PLAN_NOT_FOUND);
    assert_refused(catalog_subscription_get(catalog, arena, other, STR("s"), &subscription),
                   ERR_SUBSCRIPTION_NOT_FOUND);
    assert_refused(catalog_meter_remove(&change, STR("m")), ERR_METER_NOT_FOUND);
    assert_refused(catalog_plan_publish(&change, STR("p"), (Instant){ 0 }, &version),
                   ERR_PLAN_NOT_FOUND);
    assert_refused(catalog_plan_versions(catalog, arena, &page, &version, &count),
                   ERR_PLAN_NOT_FOUND);
    assert_null(catalog_meters(catalog, arena, &page, &meter, &count));
    assert_int_equal(count, 0);
    assert_null(catalog_accounts(catalog, arena, &page, &account, &count));
    assert_int_equal(count, 0);
    assert_null(catalog_plans(catalog, arena, &page, &version, &count));
    assert_int_equal(count, 0);
    assert_null(catalog_subscriptions(catalog, arena, &page, &subscription, &count));
    assert_int_equal(count, 0);
    // A project id with another tenant's is nothing either.
    ProjectId mixed = { other.tenant, place->by.project.id.id };
    assert_refused(catalog_meter_get(catalog, arena, mixed, STR("m"), &meter), ERR_METER_NOT_FOUND);
}

static void test_lists_page_over_everything_once(void **state)
{
    Place      *place = *state;
    CatalogPage page = { .project = place->by.project.id, .limit = 3 };
    for (int i = 0; i < 8; i++)
        put_meter(place, &place->by,
                  str_terminated(place->arena, str_print(place->arena, "m%d", 7 - i)),
                  "{\"aggregation\":\"count\"}");
    int seen = 0;
    for (size_t count = 3; count == 3;) {
        Meter *meters;
        assert_null(catalog_meters(place->catalog, place->arena, &page, &meters, &count));
        for (size_t i = 0; i < count; i++)
            assert_true(str_equal(meters[i].id, str_print(place->arena, "m%d", seen++)));
        page.after = count == 0 ? page.after : meters[count - 1].id;
    }
    assert_int_equal(seen, 8);
    ProjectMeter *all;
    size_t        count;
    put_meter(place, &place->other, "m1", "{\"aggregation\":\"sum\"}");
    assert_null(catalog_meters_all(place->catalog, place->arena, &all, &count));
    assert_int_equal(count, 9);
}

// ---- accounts from usage

typedef struct Names {
    size_t count;
} Names;

static bool name_at(void *context, uint64_t index, Str *project, Str *account)
{
    static char  texts[2000][32];
    const Names *names = context;
    if (index >= names->count)
        return false;
    snprintf(texts[index], sizeof texts[index], "acct%llu", (unsigned long long)index);
    *account = str_of(texts[index]);
    *project = index % 10 == 9 ? STR("elsewhere") : STR("default");
    return true;
}

static void test_accounts_that_usage_named_are_in_the_books(void **state)
{
    Place   *place = *state;
    Names    names = { 3 };
    Account *account;
    uint64_t went;
    assert_null(put_account(place, "acct1", "{\"name\":\"before\"}", EXPECT_ANY, &account));
    assert_null(
        catalog_accounts_from(place->catalog, place->arena, (AccountSource){ name_at, &names }));
    assert_null(catalog_account_get(place->catalog, place->arena, place->by.project.id,
                                    STR("acct2"), &account));
    assert_int_equal(account->version, 1);
    assert_true(catalog_account_known(place->catalog, STR("default"), STR("acct0")));
    assert_null(catalog_account_get(place->catalog, place->arena, place->by.project.id,
                                    STR("acct1"), &account));
    assert_true(str_equal(account->name, STR("before")));  // what was put stays
    names.count = 1234;
    assert_null(catalog_accounts_catch_up(place->catalog, place->arena, &went));
    assert_int_equal(went, 1231);
    assert_null(catalog_accounts_catch_up(place->catalog, place->arena, &went));
    assert_int_equal(went, 0);
    assert_true(catalog_account_known(place->catalog, STR("elsewhere"), STR("acct1229")));
    assert_false(catalog_account_known(place->catalog, STR("default"), STR("acct1229")));

    place_stop(place);
    place_start(place);
    assert_true(catalog_account_known(place->catalog, STR("default"), STR("acct1233")));
    names.count = 1240;
    assert_null(
        catalog_accounts_from(place->catalog, place->arena, (AccountSource){ name_at, &names }));
    assert_null(catalog_accounts_catch_up(place->catalog, place->arena, &went));
    assert_int_equal(went, 6);

    place_stop(place);
    place_start(place);
    names.count = 1239;  // usage from an older backup than the books
    assert_refused(
        catalog_accounts_from(place->catalog, place->arena, (AccountSource){ name_at, &names }),
        ERR_STORE_FAILED);
}

// ---- audit

static Err *verify_work(DbTx *tx, void *context)
{
    const ProjectId *project = &((const Principal *)context)->project.id;
    AuditPage        page = { project->tenant, project->id, .limit = 1 };
    int64_t          count;
    AuditEntry      *entries;
    size_t           found;
    TRY(audit_verify(tx, project->tenant, project->id, &count));
    assert_int_equal(count, 2 + 3);  // project and key, then three deeds
    TRY(audit_list(tx, &page, &entries, &found));
    assert_true(str_equal(entries[0].action, STR("account.put")));
    assert_true(str_starts(entries[0].who, STR("key:key_")));
    return NULL;
}

static void test_every_deed_is_in_the_audit_trail(void **state)
{
    Place   *place = *state;
    Account *account;
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}");
    put_meter(place, &place->by, "m", "{\"aggregation\":\"sum\"}");  // changed nothing: no entry
    assert_null(put_plan(place, "p", FLAT));
    assert_null(put_account(place, "a", "{}", EXPECT_ANY, &account));
    assert_refused(put_account(place, "a", "{\"name\":\"x\"}", 7, &account),
                   ERR_PRECONDITION_FAILED);
    assert_null(db_read(place->db, place->arena, verify_work, &place->by));
}

// ---- many threads

enum { THREADS = 4, ROUNDS = 40 };

typedef struct Worker {
    Thread thread;
    Place *place;
    int    number;
} Worker;

static void *worker_run(void *argument)
{
    Worker *worker = argument;
    Place   mine = *worker->place;
    mine.arena = arena_open();
    for (int i = 0; i < ROUNDS; i++) {
        Str    id = str_print(mine.arena, "w%d_%d", worker->number, i % 5);
        Meter *stored = NULL,
              meter = { .id = id,
                        .event = id,
                        .property = STR("value"),
                        .aggregation = i % 2 == 0 ? AGGREGATE_SUM : AGGREGATE_COUNT };
        CatalogChange change = change_by(&mine, &mine.by);
        if (catalog_meter_put(&change, &meter, &stored) != NULL ||
            !catalog_event_known(mine.catalog, STR("default"), id))
            return argument;
        if (i % 7 == 6 && (catalog_meter_remove(&change, id) != NULL ||
                           catalog_event_known(mine.catalog, STR("default"), id)))
            return argument;
    }
    arena_close(mine.arena);
    return NULL;
}

static void test_the_mirror_follows_the_books_under_many_writers(void **state)
{
    Place *place = *state;
    Worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker){ .place = place, .number = i };
        thread_start(&workers[i].thread, "worker", worker_run, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(workers[i].thread.id, &failed), 0);
        assert_null(failed);
    }
    ProjectMeter *all;
    size_t        count;
    assert_null(catalog_meters_all(place->catalog, place->arena, &all, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(catalog_event_known(place->catalog, STR("default"), all[i].meter.event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_made_key_opens),
        TEST(test_a_key_ends_when_it_expires),
        TEST(test_no_secret_is_in_the_books),
        TEST(test_an_event_is_known_while_a_meter_counts_it),
        TEST(test_the_same_meter_again_changes_nothing),
        TEST(test_versions_guard_changes),
        TEST(test_what_a_priced_meter_measures_cannot_change),
        TEST(test_a_plan_is_drafted_published_and_then_fixed),
        TEST(test_publishing_checks_meters_and_dimensions),
        TEST(test_publishing_checks_the_meters_of_every_model),
        TEST(test_a_plan_that_cannot_be_priced_is_not_stored),
        TEST(test_a_subscription_is_pinned_to_the_version_in_force),
        TEST(test_a_retry_is_the_same_and_other_terms_are_refused),
        TEST(test_what_cannot_be_subscribed),
        TEST(test_usage_is_claimed_once),
        TEST(test_a_charge_over_several_meters_claims_each),
        TEST(test_another_projects_objects_do_not_exist),
        TEST(test_lists_page_over_everything_once),
        TEST(test_accounts_that_usage_named_are_in_the_books),
        TEST(test_every_deed_is_in_the_audit_trail),
        TEST(test_the_mirror_follows_the_books_under_many_writers),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
