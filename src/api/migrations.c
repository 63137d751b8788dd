// SPDX-License-Identifier: Apache-2.0
// Migrations: subscriptions of one version of a plan move to another, a page of them at a time. A
// page that is asked for again moves nobody twice, so a client goes on where it was cut off.
#include "api/page.h"
#include "api/routes.h"
#include "base/vector.h"
#include "catalog/terms.h"
#include "flow/invoice/change_preview.h"
#include "price/place.h"

enum { ACCOUNTS_MAX = 1000, VERSION_MAX = 1000000000 };

typedef enum MigrationMoment { AT_PERIOD_END, AT_NOW, AT_INSTANT } MigrationMoment;

typedef struct Moving {
    Request        *request;
    Migration       migration;
    MigrationMoment moment;
    Instant         at;        // AT_INSTANT
    const Json     *accounts;  // array; NULL: all
    CatalogPage     page;
    OpenBillQuery   open;
    VECTOR(Migrating) each;    // released by the handler
} Moving;

// ---- the body

static void moment_read(Place place, Moving *moving)
{
    moving->moment = AT_INSTANT;
    if (!place_required(place))
        return;
    if (place.json->kind == JSON_STRING && str_equal(place.json->text, STR("periodEnd")))
        moving->moment = AT_PERIOD_END;
    else if (place.json->kind == JSON_STRING && str_equal(place.json->text, STR("now")))
        moving->moment = AT_NOW;
    else if (place.json->kind != JSON_STRING || !instant_parse(place.json->text, &moving->at))
        place_fault(place, ERR_INVALID_TIMESTAMP,
                    "at must be \"periodEnd\", \"now\" or an RFC 3339 instant");
}

static void account_read(Place element, const Json *first)
{
    Str account;
    if (!place_text(element, &account))
        return;
    for (const Json *earlier = first; earlier != element.json; earlier = earlier->next)
        if (str_equal(earlier->text, account)) {
            place_fault(element, ERR_FIELD_INVALID, "account %.*s is named twice",
                        STR_ARG(account));
            return;
        }
}

static void accounts_read(Place place, Moving *moving)
{
    size_t index = 0;
    bool   is_all = place.json != NULL && place.json->kind == JSON_STRING &&
                  str_equal(place.json->text, STR("all"));
    if (!place_required(place) || is_all || !place_array(place, 1, ACCOUNTS_MAX))
        return;
    moving->accounts = place.json;
    for (const Json *json = place.json->first; json != NULL; json = json->next)
        account_read(place_element(place, json, index++), place.json->first);
}

static void version_read(Place place, int64_t *number)
{
    uint64_t whole = 0;
    if (place_required(place))
        place_whole(place, 1, VERSION_MAX, &whole);
    *number = (int64_t)whole;
}

static Err *body_read(Moving *moving)
{
    static const char *const members[] = { "from", "to", "at", "accounts", "dryRun", NULL };
    Request                 *request = moving->request;
    Faults                   faults = { .arena = request->arena };
    Json                    *body;
    TRY(request_json(request, &body));
    Place place = place_of(&faults, body, STR(""));
    if (place_object(place)) {
        place_members(place, members, NULL);
        version_read(place_member(place, "from"), &moving->migration.from);
        version_read(place_member(place, "to"), &moving->migration.to);
        moment_read(place_member(place, "at"), moving);
        accounts_read(place_member(place, "accounts"), moving);
        place_bool(place_member(place, "dryRun"), &moving->migration.is_dry);
    }
    return faults.first;
}

// ---- who, and from when on

// One that has not begun moves from its first instant on.
static Err *moment_of(const Moving *moving, const SubscriptionHistory *history, Instant *at)
{
    Instant starts_at = history->first->starts_at, now = now_of(moving->request), end;
    bool    ends = subscription_end(history, &end);
    *at = moving->moment == AT_INSTANT ? moving->at : now;
    if (at->us < starts_at.us) {
        *at = starts_at;
        return NULL;
    }
    if (moving->moment != AT_PERIOD_END || (ends && end.us <= now.us))
        return NULL;
    return bill_period_end(moving->request->arena, &moving->open, history->first->id, at);
}

static Err *rows_add(Moving *moving, const SubscriptionHistory *histories, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Migrating one = { .subscription = histories[i].first->id };
        TRY(moment_of(moving, &histories[i], &one.at));
        vector_push(&moving->each, one);
    }
    return NULL;
}

static Err *account_add(Moving *moving, Str account)
{
    Server              *server = server_of(moving->request);
    SubscriptionHistory *histories;
    Account             *row;
    size_t               count;
    CatalogPage          page = { .project = moving->page.project,
                                  .limit = moving->page.limit,
                                  .account = account };
    TRY(catalog_account_get(server->catalog, moving->request->arena, page.project, account, &row));
    do {
        TRY(catalog_histories(server->catalog, moving->request->arena, &page, &histories, &count));
        TRY(rows_add(moving, histories, count));
        if (count > 0)
            page.after = histories[count - 1].first->id;
    } while (count == page.limit);
    return NULL;
}

// Named accounts are done at once; else a page of those that were ever on the plan.
static Err *candidates_add(Moving *moving, Str list, Str *next)
{
    Request             *request = moving->request;
    SubscriptionHistory *histories;
    size_t               found;
    *next = STR_NONE;
    if (moving->accounts != NULL) {
        for (const Json *json = moving->accounts->first; json != NULL; json = json->next)
            TRY(account_add(moving, json->text));
        return NULL;
    }
    TRY(catalog_histories(server_of(request)->catalog, request->arena, &moving->page, &histories,
                          &found));
    size_t count = page_rows(&moving->page, found);
    TRY(rows_add(moving, histories, count));
    if (count > 0)
        *next = page_next(request, list, &moving->page, found, histories[count - 1].first->id);
    return NULL;
}

// ---- the answer

static Err *preview_write(const Moving *moving, const Migrating *one, JsonOut *out)
{
    Arena        *arena = moving->request->arena;
    ChangePreview preview;
    ChangeQuery   query = { .open = &moving->open,
                            .subscription = one->subscription,
                            .change = one->change };
    TRY(bill_preview_change(arena, &query, &preview));
    if (preview.has_before)
        json_string_member(out, "before", money_print(arena, preview.before.total));
    else
        json_null_member(out, "before");
    if (preview.has_after)
        json_string_member(out, "after", money_print(arena, preview.after.total));
    else
        json_null_member(out, "after");
    return NULL;
}

static Err *one_write(const Moving *moving, const Migrating *one, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "subscription", one->subscription);
    json_string_member(out, "outcome", str_of(migration_outcome_names[one->outcome]));
    json_string_member(out, "at", instant_print(moving->request->arena, one->at));
    if (one->outcome == MIGRATION_MOVED && moving->migration.is_dry)
        TRY(preview_write(moving, one, out));
    if (one->outcome == MIGRATION_REFUSED) {
        json_string_member(out, "code", str_of(err_name(one->refusal->code)));
        json_string_member(out, "detail", one->refusal->detail);
    }
    json_object_end(out);
    return NULL;
}

static void counts_write(const Moving *moving, JsonOut *out)
{
    int64_t counts[MIGRATION_OTHER + 1] = { 0 };
    for (size_t i = 0; i < moving->each.count; i++)
        counts[moving->each.at[i].outcome]++;
    for (int i = 0; i < MIGRATION_OTHER; i++)
        json_whole_member(out, migration_outcome_names[i], counts[i]);
}

static Err *answer(const Moving *moving, Response *response, Str next)
{
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "plan", moving->migration.plan);
    json_whole_member(&out, "from", moving->migration.from);
    json_whole_member(&out, "to", moving->migration.to);
    json_bool_member(&out, "dryRun", moving->migration.is_dry);
    counts_write(moving, &out);
    json_name(&out, STR("data"));
    json_array(&out);
    for (size_t i = 0; i < moving->each.count; i++)
        if (moving->each.at[i].outcome != MIGRATION_OTHER)
            TRY(one_write(moving, &moving->each.at[i], &out));
    json_array_end(&out);
    if (next.at == NULL)
        json_null_member(&out, "nextCursor");
    else
        json_string_member(&out, "nextCursor", next);
    json_object_end(&out);
    return NULL;
}

static Err *migrate(Moving *moving, Response *response)
{
    Request      *request = moving->request;
    CatalogChange change;
    Str           next;
    Str list = str_print(request->arena, "migration of %.*s", STR_ARG(moving->migration.plan));
    TRY(body_read(moving));
    TRY(page_read(request, list, &moving->page));
    moving->page.plan = moving->migration.plan;
    TRY(server_change(request, &change));
    change.expected = EXPECT_ANY;
    TRY(catalog_subscriptions_migrate(&change, &moving->migration, NULL, 0));
    TRY(candidates_add(moving, list, &next));
    TRY(catalog_subscriptions_migrate(&change, &moving->migration, moving->each.at,
                                      moving->each.count));
    return answer(moving, response, next);
}

static Err *plan_migrate(Request *request, Response *response)
{
    Server *server = server_of(request);
    Moving  moving = { .request = request,
                       .migration = { .plan = request_path(request, "id") },
                       .open = { .catalog = server->catalog,
                                 .partition = server->partition,
                                 .project = project_of(request),
                                 .at = now_of(request),
                                 .as_of = SEQUENCE_NEWEST,
                                 .rated_at = now_of(request) } };
    size_t  before = response->body.length;
    Err    *err = migrate(&moving, response);
    if (err != NULL)
        response->body.length = before;
    vector_release(&moving.each);
    return err;
}

// ---- shapes and routes

static const Field body_fields[] = {
    MEMBER("from", WHOLE, .required = true, .least = 1, .doc = "The version that is left."),
    MEMBER("to", WHOLE, .required = true, .least = 1, .doc = "The version that is moved to."),
    MEMBER("at", TEXT, .required = true,
           .doc = "periodEnd: each when its running period ends; now; or an instant."),
    MEMBER("accounts", JSON, .required = true,
           .doc = "\"all\", or an array of at most 1000 accounts, which are done at once."),
    MEMBER("dryRun", BOOL, .nullable = true,
           .doc = "Answers who would move and what that comes to, and stores nothing."),
};
static const Shape body_shape = SHAPE("MigrationBody", body_fields, .doc = "Who moves, and when.");

static const char *const outcomes[] = { "moved", "already", "refused", NULL };

static const Field moved_fields[] = {
    MEMBER("subscription", TEXT, .required = true, .doc = "Its id."),
    MEMBER("outcome", ENUM, .required = true, .choices = outcomes,
           .doc = "already: it is on that version by then."),
    MEMBER("at", INSTANT, .required = true, .doc = "From when on."),
    MEMBER("before", TEXT, .nullable = true,
           .doc = "In a dry run: the total of the period that holds the move, without it."),
    MEMBER("after", TEXT, .nullable = true, .doc = "The same with it."),
    MEMBER("code", TEXT, .doc = "Why it is refused."),
    MEMBER("detail", TEXT, .doc = "The same in a sentence."),
};
static const Shape moved_shape =
    SHAPE("MigratedSubscription", moved_fields, .doc = "What became of one subscription.");

static const Field answer_fields[] = {
    MEMBER("plan", TEXT, .required = true, .doc = "The plan's id."),
    MEMBER("from", WHOLE, .required = true, .doc = "The version that is left."),
    MEMBER("to", WHOLE, .required = true, .doc = "The version that is moved to."),
    MEMBER("dryRun", BOOL, .required = true, .doc = "Whether nothing was stored."),
    MEMBER("moved", WHOLE, .required = true, .doc = "How many of this page moved, or would."),
    MEMBER("already", WHOLE, .required = true, .doc = "How many are on that version by then."),
    MEMBER("refused", WHOLE, .required = true, .doc = "How many cannot be moved."),
    MEMBER("data", ARRAY, .required = true, .shape = &moved_shape,
           .doc = "By subscription; who is on neither version is left out."),
    MEMBER("nextCursor", TEXT, .required = true, .nullable = true,
           .doc = "Ask again with it for the next page; null on the last."),
};
static const Shape answer_shape =
    SHAPE("MigrationAnswer", answer_fields, .doc = "A page of subscriptions that move.");

static const Parameter page_query[] = { PAGE_PARAMETERS };

const Route api_migrations_routes[] = {
    { .name = "migratePlan",
      .method = METHOD_POST,
      .path = "/v1/plans/{id}/migrations",
      .at = AT_OWNER_PERHAPS,
      .scope = "catalog:write",
      QUERY(page_query),
      .takes = &body_shape,
      .gives = &answer_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP,
              ERR_CURSOR_INVALID, ERR_PLAN_NOT_FOUND, ERR_PLAN_VERSION_NOT_FOUND,
              ERR_ACCOUNT_NOT_FOUND, ERR_CURRENCY_MISMATCH),
      .handler = plan_migrate,
      .doc = "Move subscriptions from one version of a plan to another, a page at a time. Asked "
             "again, nobody moves twice." },
};
const size_t api_migrations_route_count =
    sizeof api_migrations_routes / sizeof *api_migrations_routes;
