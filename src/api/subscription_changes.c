// SPDX-License-Identifier: Apache-2.0
// Changes of a subscription's life. Each is an entry of its log; with dryRun the answer is the same
// and nothing is stored.
#include "api/bill_shape.h"
#include "api/invoice_shape.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/subscription_shape.h"
#include "catalog/body.h"
#include "catalog/phases.h"
#include "flow/invoice/change_preview.h"
#include "price/patch.h"

enum { BODY_DEPTH = 24, VERSION_MAX = 1000000000 };

// One change that is asked for.
typedef struct Asking {
    Request           *request;
    const Json        *body;
    Faults             faults;
    OpenBillQuery      open;
    SubscriptionChange change;
    bool               is_dry;
} Asking;

// ---- members

static void bool_read(Asking *asking, const char *name, bool *value)
{
    place_bool(place_member(place_of(&asking->faults, asking->body, STR("")), name), value);
}

// One of two words: *second is whether it is the second.
static void choice_read(Asking *asking, const char *name, const char *const words[2], bool *second)
{
    const Json *member = body_find(asking->body, name);
    if (member == NULL)
        return;
    *second = member->kind == JSON_STRING && str_equal(member->text, str_of(words[1]));
    if (!*second && (member->kind != JSON_STRING || !str_equal(member->text, str_of(words[0]))))
        faults_add(&asking->faults, ERR_FIELD_INVALID,
                   pointer_of(asking->faults.arena, STR(""), str_of(name)), "%s is %s or %s", name,
                   words[0], words[1]);
}

// An instant, "now" (also when absent) or "periodEnd".
static Err *when_read(Asking *asking, const char *name)
{
    const Json *member = body_find(asking->body, name);
    bool        is_text = member != NULL && member->kind == JSON_STRING;
    Str         id = request_path(asking->request, "id");
    asking->change.effective_at = asking->open.rated_at;
    if (member == NULL || (is_text && str_equal(member->text, STR("now"))))
        return NULL;
    if (is_text && str_equal(member->text, STR("periodEnd")))
        return bill_period_end(asking->request->arena, &asking->open, id,
                               &asking->change.effective_at);
    if (!is_text || !instant_parse(member->text, &asking->change.effective_at))
        faults_add(&asking->faults, ERR_INVALID_TIMESTAMP,
                   pointer_of(asking->faults.arena, STR(""), str_of(name)),
                   "%s must be \"now\", \"periodEnd\" or an RFC 3339 instant", name);
    return NULL;
}

static void version_read(Asking *asking)
{
    uint64_t version = 0;
    place_whole(place_member(place_of(&asking->faults, asking->body, STR("")), "planVersion"), 1,
                VERSION_MAX, &version);
    asking->change.plan_version = (int64_t)version;
}

static void overrides_take(Asking *asking)
{
    const Json *member = json_find(asking->body, STR("overrides"));
    asking->change.has_overrides = member != NULL;
    if (member != NULL)
        overrides_read(place_of(&asking->faults, member, STR("/overrides")),
                       &asking->change.overrides);
}

// By what a repetition of a changeId is known: which route, and what was sent.
static Str asked_text(const Asking *asking)
{
    Arena *arena = asking->request->arena;
    Json   asked = { .kind = JSON_OBJECT };
    Json **end = &asked.first;
    for (const Json *member = asking->body->first; member != NULL; member = member->next) {
        if (str_equal(member->name, STR("dryRun")) || str_equal(member->name, STR("changeId")))
            continue;
        *end = arena_copy(arena, member, sizeof *member);
        (*end)->next = NULL;
        end = &(*end)->next;
        asked.count++;
    }
    return str_print(arena, "%s %.*s", change_kind_names[asking->change.kind],
                     STR_ARG(json_canonical(arena, &asked, STR_NONE)));
}

// ---- asking

// `ratedAt` makes a past or future "now", for dry runs only.
static Err *now_read(Asking *asking)
{
    Request *request = asking->request;
    Str      text;
    bool     is_given = request_query(request, "ratedAt", &text);
    TRY(request_query_instant(request, "ratedAt", &asking->open.rated_at));
    if (is_given && !asking->is_dry)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "ratedAt is for dry runs: a change becomes known when it is made");
    asking->open.at = asking->open.rated_at;
    return NULL;
}

static Err *asking_begin(Request *request, const char *const *members, ChangeKind kind,
                         Asking *asking)
{
    Server *server = server_of(request);
    Json   *body;
    *asking = (Asking){ .request = request,
                        .faults = { .arena = request->arena },
                        .open = { .catalog = server->catalog,
                                  .partition = server->partition,
                                  .project = project_of(request),
                                  .as_of = SEQUENCE_NEWEST,
                                  .rated_at = now_of(request) },
                        .change = { .kind = kind } };
    TRY(request_json_deep(request, BODY_DEPTH, &body));
    asking->body = body;
    if (!body_members(body, members, &asking->faults))
        return asking->faults.first;
    bool_read(asking, "dryRun", &asking->is_dry);
    asking->change.key = body_text(body, "changeId", CHANGE_KEY_BYTES, &asking->faults);
    asking->change.asked = asked_text(asking);
    return now_read(asking);
}

// What is refused is not stored: the bill that a change leads to is made first.
static Err *change_try(const Asking *asking, const CatalogChange *change, Str id)
{
    SubscriptionChange *tried;
    if (asking->change.kind != CHANGE_TERMS && asking->change.kind != CHANGE_RESUME)
        return NULL;  // others only make it smaller
    TRY(catalog_subscription_change_check(change, id, &asking->change, &tried));
    ChangeQuery query = { .open = &asking->open, .subscription = id, .change = tried };
    return tried->is_stored ? NULL : bill_check_change(asking->request->arena, &query);
}

static bool reads_bills(const Request *request)
{
    Scope scope;
    bool  is_one = scope_find(STR("bills:read"), &scope);
    return is_one && scope_held(principal_of(request)->scopes, scope);
}

static Err *asking_end(Asking *asking, Response *response)
{
    Str                 id = request_path(asking->request, "id");
    CatalogChange       change;
    SubscriptionChange *stored;
    if (asking->faults.first != NULL)
        return asking->faults.first;
    TRY(server_change(asking->request, &change));
    change.now = asking->open.rated_at;
    TRY(change_try(asking, &change, id));
    if (asking->is_dry)
        TRY(catalog_subscription_change_check(&change, id, &asking->change, &stored));
    else
        TRY(catalog_subscription_change(&change, id, &asking->change, &stored));
    ChangeQuery query = { .open = &asking->open,
                          .subscription = id,
                          .change = stored,
                          .is_stored = stored->is_stored,
                          .books = server_of(asking->request)->books,
                          .shows_bills = reads_bills(asking->request) };
    return change_write(asking->request->arena, &query, &response->body);
}

static Err *subscription_change(Request *request, Response *response)
{
    static const char *const members[] = { "quantities", "plan", "planVersion", "overrides",
                                           "effectiveAt", "changeId", "dryRun", NULL };
    Asking asking;
    TRY(asking_begin(request, members, CHANGE_TERMS, &asking));
    const Json *quantities = body_find(asking.body, "quantities");
    if (quantities != NULL)
        asking.change.quantities = quantities_from_json(quantities, &asking.faults);
    asking.change.plan = body_text(asking.body, "plan", 255, &asking.faults);
    version_read(&asking);
    overrides_take(&asking);
    bool names_none = quantities == NULL ||
                      (quantities->kind == JSON_OBJECT && quantities->first == NULL);
    if (names_none && body_find(asking.body, "plan") == NULL &&
        body_find(asking.body, "planVersion") == NULL && !asking.change.has_overrides)
        faults_add(&asking.faults, ERR_FIELD_REQUIRED, STR(""),
                   "a change has quantities, plan, planVersion or overrides");
    TRY(when_read(&asking, "effectiveAt"));
    return asking_end(&asking, response);
}

static Err *subscription_cancel(Request *request, Response *response)
{
    static const char *const members[] = { "at", "credit", "changeId", "dryRun", NULL };
    static const char *const words[] = { "prorated", "none" };
    bool                     is_none = false;
    Asking                   asking;
    TRY(asking_begin(request, members, CHANGE_CANCEL, &asking));
    choice_read(&asking, "credit", words, &is_none);
    asking.change.credits = !is_none;
    TRY(when_read(&asking, "at"));
    return asking_end(&asking, response);
}

static Err *subscription_pause(Request *request, Response *response)
{
    static const char *const members[] = { "at", "usage", "changeId", "dryRun", NULL };
    static const char *const words[] = { "billed", "free" };
    Asking                   asking;
    TRY(asking_begin(request, members, CHANGE_PAUSE, &asking));
    choice_read(&asking, "usage", words, &asking.change.usage_free);
    TRY(when_read(&asking, "at"));
    return asking_end(&asking, response);
}

static Err *subscription_resume(Request *request, Response *response)
{
    static const char *const members[] = { "at", "changeId", "dryRun", NULL };
    Asking                   asking;
    TRY(asking_begin(request, members, CHANGE_RESUME, &asking));
    TRY(when_read(&asking, "at"));
    return asking_end(&asking, response);
}

// ---- shapes and routes

#define AT_DOC "An instant, \"now\" (also when absent) or \"periodEnd\"."
#define HOW_MEMBERS                                                                            \
    MEMBER("changeId", TEXT, .nullable = true, .least = 1, .most = CHANGE_KEY_BYTES,           \
           .doc = "The caller's id of the change: the same again is the same change."),        \
        MEMBER("dryRun", BOOL, .nullable = true,                                               \
               .doc = "Answers what would be, and stores nothing.")

static const Field change_fields[] = {
    MEMBER("quantities", MAP, .nullable = true, .of = KIND_JSON, .doc = "Those that change."),
    MEMBER("plan", TEXT, .nullable = true, .least = 1, .most = 255, .doc = "Another plan."),
    MEMBER("planVersion", WHOLE, .nullable = true, .least = 1,
           .doc = "Of that plan, else of the same; of another plan the one in force when absent."),
    MEMBER("overrides", OBJECT, .nullable = true, .shape = &plan_patch_shape,
           .doc = "In place of those before; null: none."),
    MEMBER("effectiveAt", TEXT, .nullable = true, .doc = AT_DOC),
    HOW_MEMBERS,
};
static const Shape change_shape =
    SHAPE("ChangeBody", change_fields, .doc = "Other terms from an instant on.");

static const char *const credit_choices[] = { "prorated", "none", NULL };
static const Field       cancel_fields[] = {
    MEMBER("at", TEXT, .nullable = true, .doc = AT_DOC),
    MEMBER("credit", ENUM, .nullable = true, .choices = credit_choices,
                 .doc = "What was billed in advance: credited for the rest (when absent), or not."),
    HOW_MEMBERS,
};
static const Shape cancel_shape =
    SHAPE("CancelBody", cancel_fields, .doc = "When a subscription ends.");

static const char *const usage_choices[] = { "billed", "free", NULL };
static const Field       pause_fields[] = {
    MEMBER("at", TEXT, .nullable = true, .doc = AT_DOC),
    MEMBER("usage", ENUM, .nullable = true, .choices = usage_choices,
                 .doc = "Usage until it is resumed: billed (when absent), or free."),
    HOW_MEMBERS,
};
static const Shape pause_shape =
    SHAPE("PauseBody", pause_fields, .doc = "From when on no fees run.");

static const Field resume_fields[] = {
    MEMBER("at", TEXT, .nullable = true, .doc = AT_DOC),
    HOW_MEMBERS,
};
static const Shape resume_shape =
    SHAPE("ResumeBody", resume_fields, .doc = "From when on fees run again.");

#define NOT_SHOWN " Null without the scope bills:read, and where it cannot be told."

static const Field answer_fields[] = {
    MEMBER("subscription", OBJECT, .required = true, .shape = &subscription_now_shape,
           .doc = "With the change."),
    MEMBER("change", OBJECT, .required = true, .shape = &subscription_change_shape,
           .doc = "The entry of the log."),
    MEMBER("invoice", OBJECT, .required = true, .nullable = true, .shape = &invoice_shape,
           .doc = "Of the account, at the change: what it makes due." NOT_SHOWN),
    MEMBER("upcomingInvoice", OBJECT, .required = true, .nullable = true, .shape = &invoice_shape,
           .doc = "The account's next invoice in that currency behind now; null: none." NOT_SHOWN),
    MEMBER("bill", OBJECT, .required = true, .nullable = true, .shape = &bill_open_shape,
           .doc = "Of the period that holds the change; null: none does." NOT_SHOWN),
};
static const Shape answer_shape =
    SHAPE("ChangeAnswer", answer_fields, .doc = "A change and what it comes to.");

static const Parameter change_query[] = {
    { .name = "ratedAt", .kind = PARAMETER_INSTANT, .doc = "What counts as now, in a dry run." },
};

#define REFUSES_OF_CHANGES                                                                     \
    ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP, ERR_SUBSCRIPTION_NOT_FOUND,  \
        ERR_OUTSIDE_SUBSCRIPTION, ERR_SUBSCRIPTION_CANCELED, ERR_CHANGE_CONFLICT,              \
        ERR_PRECONDITION_FAILED

const Route api_subscription_changes_routes[] = {
    { .name = "changeSubscription",
      .method = METHOD_POST,
      .path = "/v1/subscriptions/{id}/change",
      .at = AT_OWNER_PERHAPS,
      .scope = "catalog:write",
      QUERY(change_query),
      .takes = &change_shape,
      .gives = &answer_shape,
      REFUSES(REFUSES_OF_CHANGES, ERR_FIELD_REQUIRED, ERR_INVALID_VALUE, ERR_PLAN_NOT_FOUND,
              ERR_PLAN_VERSION_NOT_FOUND, ERR_PLAN_NOT_PUBLISHED, ERR_PLAN_INVALID,
              ERR_CURRENCY_MISMATCH, ERR_USAGE_CLAIMED_TWICE, ERR_AMOUNT_TOO_LARGE),
      .handler = subscription_change,
      .doc = "Other quantities, another plan, version or overrides from an instant on." },
    { .name = "cancelSubscription",
      .method = METHOD_POST,
      .path = "/v1/subscriptions/{id}/cancel",
      .at = AT_OWNER_PERHAPS,
      .scope = "catalog:write",
      QUERY(change_query),
      .takes = &cancel_shape,
      .gives = &answer_shape,
      REFUSES(REFUSES_OF_CHANGES),
      .handler = subscription_cancel,
      .doc = "End a subscription." },
    { .name = "pauseSubscription",
      .method = METHOD_POST,
      .path = "/v1/subscriptions/{id}/pause",
      .at = AT_OWNER_PERHAPS,
      .scope = "catalog:write",
      QUERY(change_query),
      .takes = &pause_shape,
      .gives = &answer_shape,
      REFUSES(REFUSES_OF_CHANGES, ERR_SUBSCRIPTION_PAUSED),
      .handler = subscription_pause,
      .doc = "Stop the fees of a subscription for a while." },
    { .name = "resumeSubscription",
      .method = METHOD_POST,
      .path = "/v1/subscriptions/{id}/resume",
      .at = AT_OWNER_PERHAPS,
      .scope = "catalog:write",
      QUERY(change_query),
      .takes = &resume_shape,
      .gives = &answer_shape,
      REFUSES(REFUSES_OF_CHANGES, ERR_SUBSCRIPTION_NOT_PAUSED, ERR_AMOUNT_TOO_LARGE),
      .handler = subscription_resume,
      .doc = "Let the fees of a paused subscription run again." },
};
const size_t api_subscription_changes_route_count =
    sizeof api_subscription_changes_routes / sizeof *api_subscription_changes_routes;
