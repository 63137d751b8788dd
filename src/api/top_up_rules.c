// SPDX-License-Identifier: Apache-2.0
// Rules for wallets that run low, what they asked for, and completing that with credit.
#include "api/grant_shape.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/random.h"
#include "catalog/body.h"
#include "flow/ledger/top_up.h"

// ---- rules

typedef struct RuleBody {
    Str     id, account, currency;
    Decimal threshold, amount, target;
    bool    enabled;
} RuleBody;

static const Field body_fields[] = {
    FIELD(RuleBody, id, "id", TEXT, .least = 1, .most = 128, .doc = "The one in the path."),
    FIELD(RuleBody, account, "account", TEXT, .required = true, .least = 1, .most = 255,
          .doc = "Whose wallet; it stays."),
    FIELD(RuleBody, currency, "currency", TEXT, .required = true, .least = 3, .most = 3,
          .doc = "ISO 4217; it stays."),
    FIELD(RuleBody, threshold, "threshold", DECIMAL, .required = true,
          .doc = "More is wanted when less than this is available; above 0."),
    FIELD(RuleBody, amount, "amount", DECIMAL, .nullable = true, .doc = "So much; or target."),
    FIELD(RuleBody, target, "target", DECIMAL, .nullable = true,
          .doc = "Up to this, which is at or above threshold; or amount."),
    FIELD(RuleBody, enabled, "enabled", BOOL, .nullable = true, .doc = "true when absent."),
};
static const Shape body_shape =
    SHAPE("TopUpRuleBody", body_fields, .doc = "When a wallet wants more credit.");

static void amount_of(Faults *faults, const char *pointer, Decimal amount, Money *money)
{
    if (money_amount(faults, pointer, amount, money) && money->minor < 0)
        faults_add(faults, ERR_FIELD_INVALID, str_of(pointer), "it must not be below 0");
}

static Err *rule_of(Request *request, const RuleBody *body, TopUpRule *rule)
{
    Faults faults = { .arena = request->arena };
    Money  threshold = { 0 }, amount = { 0 }, target = { 0 };
    *rule = (TopUpRule){ .id = request_path(request, "id"),
                         .account = body->account,
                         .enabled = body->enabled,
                         .updated_at = now_of(request) };
    if (!name_is_valid(rule->id) || (body->id.at != NULL && !str_equal(body->id, rule->id)))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/id"),
                   "a rule's id is the path's: a letter or digit, then up to 127 of A-Z a-z 0-9 . "
                   "_ : -");
    if (money_currency(&faults, body->currency, &rule->currency)) {
        threshold.currency = amount.currency = target.currency = rule->currency;
        amount_of(&faults, "/threshold", body->threshold, &threshold);
        amount_of(&faults, "/amount", body->amount, &amount);
        amount_of(&faults, "/target", body->target, &target);
    }
    if (faults.first == NULL && threshold.minor == 0)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/threshold"), "threshold must be above 0");
    if (faults.first == NULL && (amount.minor == 0) == (target.minor == 0))
        faults_add(&faults, ERR_FIELD_INVALID, STR("/amount"),
                   "one of amount and target must be above 0");
    if (faults.first == NULL && target.minor > 0 && target.minor < threshold.minor)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/target"),
                   "target must not be below threshold");
    rule->threshold = threshold.minor;
    rule->amount = amount.minor;
    rule->target = target.minor;
    return faults.first;
}

static void rule_to_json(const TopUpRule *rule, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", rule->id);
    json_string_member(out, "account", rule->account);
    json_string_member(out, "currency", currency_code(&rule->currency));
    money_member(out, arena, "threshold", (Money){ rule->threshold, rule->currency });
    if (rule->amount == 0)
        json_null_member(out, "amount");
    else
        money_member(out, arena, "amount", (Money){ rule->amount, rule->currency });
    if (rule->target == 0)
        json_null_member(out, "target");
    else
        money_member(out, arena, "target", (Money){ rule->target, rule->currency });
    json_bool_member(out, "enabled", rule->enabled);
    json_string_member(out, "updatedAt", instant_print(arena, rule->updated_at));
    json_object_end(out);
}

typedef struct RuleDeed {
    Request   *request;
    TopUpRule  wanted, rule;
    TopUpPage  page;
    TopUpRule *rules;
    TopUp     *found;
    size_t     count;
} RuleDeed;

static Err *put_work(DbTx *tx, void *context)
{
    RuleDeed *deed = context;
    deed->rule = deed->wanted;
    TRY(top_up_rule_put(tx, project_of(deed->request), &deed->rule));
    return money_audit(tx, deed->request, "topUpRule.put", deed->wanted.id);
}

static Err *rule_answer(Request *request, Response *response, const TopUpRule *rule)
{
    JsonOut out = response_json(response);
    response_entity_tag(response, rule->version);
    rule_to_json(rule, request->arena, &out);
    return NULL;
}

static Err *rule_put(Request *request, Response *response)
{
    RuleBody body = { .enabled = true };
    RuleDeed deed = { .request = request };
    TRY(money_body(request, &body_shape, &body));
    TRY(rule_of(request, &body, &deed.wanted));
    TRY(money_account(request, body.account));
    TRY(db_write(server_of(request)->books, request->arena,
                 (DbWrite){ .work = put_work, .context = &deed }));
    return rule_answer(request, response, &deed.rule);
}

static Err *get_work(DbTx *tx, void *context)
{
    RuleDeed *deed = context;
    return top_up_rule_get(tx, project_of(deed->request), request_path(deed->request, "id"),
                           &deed->rule);
}

static Err *rule_get(Request *request, Response *response)
{
    RuleDeed deed = { .request = request };
    TRY(books_read(request, get_work, &deed));
    return rule_answer(request, response, &deed.rule);
}

// ---- lists

static Err *list_read(RuleDeed *deed, const char *what, DbWork work, CatalogPage *page, Str *list)
{
    Request *request = deed->request;
    deed->page.project = project_of(request);
    request_query(request, "account", &deed->page.account);
    *list = str_print(request->arena, "%s of %.*s", what, STR_ARG(deed->page.account));
    TRY(page_read(request, *list, page));
    deed->page.after = page->after;
    deed->page.limit = page->limit;
    return books_read(request, work, deed);
}

static Err *rules_work(DbTx *tx, void *context)
{
    RuleDeed *deed = context;
    return top_up_rules(tx, &deed->page, &deed->rules, &deed->count);
}

static Err *rule_list(Request *request, Response *response)
{
    RuleDeed    deed = { .request = request };
    CatalogPage page;
    Str         list;
    TRY(list_read(&deed, "top-up rules", rules_work, &page, &list));
    size_t  count = page_rows(&page, deed.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        rule_to_json(&deed.rules[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : deed.rules[count - 1].id;
    response_list_end(&out, page_next(request, list, &page, deed.count, last));
    return NULL;
}

static void top_up_to_json(const TopUp *top_up, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", top_up->id);
    json_string_member(out, "rule", top_up->rule);
    json_string_member(out, "account", top_up->account);
    json_string_member(out, "currency", currency_code(&top_up->currency));
    money_member(out, arena, "amount", (Money){ top_up->amount, top_up->currency });
    money_member(out, arena, "available", (Money){ top_up->available, top_up->currency });
    json_string_member(out, "state", top_up->is_pending ? STR("pending") : STR("completed"));
    json_string_member(out, "at", instant_print(arena, top_up->at));
    json_object_end(out);
}

static Err *top_ups_work(DbTx *tx, void *context)
{
    RuleDeed *deed = context;
    return top_ups(tx, &deed->page, &deed->found, &deed->count);
}

static Err *top_up_list(Request *request, Response *response)
{
    RuleDeed    deed = { .request = request };
    CatalogPage page;
    Str         list;
    TRY(list_read(&deed, "top-ups", top_ups_work, &page, &list));
    size_t  count = page_rows(&page, deed.count);
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        top_up_to_json(&deed.found[i], request->arena, &out);
    Str last = count == 0 ? STR_NONE : deed.found[count - 1].id;
    response_list_end(&out, page_next(request, list, &page, deed.count, last));
    return NULL;
}

// ---- completing

static StoredGrant grant_of(Request *request, const TopUp *top_up)
{
    return (StoredGrant){ .grant = { .id = random_id(request->arena, "grt_"),
                                     .account = top_up->account,
                                     .currency = top_up->currency,
                                     .kind = GRANT_PAID,
                                     .timing = CREDIT_AFTER_TAX,
                                     .amount = top_up->amount,
                                     .price = top_up->amount,
                                     .effective_at = now_of(request),
                                     .expires_at = INSTANT_END },
                          .paid_by = PAID_EXTERNALLY,
                          .origin = str_print(request->arena, "topUp:%.*s", STR_ARG(top_up->id)),
                          .created_at = now_of(request) };
}

static Err *complete_work(DbTx *tx, void *context, Text *body)
{
    Request *request = context;
    JsonOut  out = json_out(body);
    Str      id = request_path(request, "id");
    TopUp    top_up;
    bool     completed;
    TRY(top_up_complete(tx, project_of(request), id, &top_up, &completed));
    if (!completed)
        return refuse(db_arena(tx), ERR_TOP_UP_COMPLETED, STR_NONE,
                      "top-up %.*s was completed before", STR_ARG(id));
    StoredGrant grant = grant_of(request, &top_up);
    TRY(credit_grant_add(tx, project_of(request), &grant));
    grant_to_json(&grant, request->arena, &out);
    return money_audit(tx, request, "topUp.complete", id);
}

static Err *top_up_complete_one(Request *request, Response *response)
{
    return idempotent_write(request, response,
                            &(Idempotent){ KEY_OPTIONAL, NULL, complete_work, request, 0 });
}

// ---- shapes and routes

static const Field rule_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose wallet."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("threshold", DECIMAL, .required = true, .doc = "Below which more is wanted."),
    MEMBER("amount", DECIMAL, .required = true, .nullable = true, .doc = "null: up to target."),
    MEMBER("target", DECIMAL, .required = true, .nullable = true, .doc = "null: amount."),
    MEMBER("enabled", BOOL, .required = true, .doc = "Whether it is looked at."),
    MEMBER("updatedAt", INSTANT, .required = true, .doc = "When it changed last."),
};
static const Shape rule_shape =
    SHAPE("TopUpRule", rule_fields, .doc = "When a wallet wants more credit.");
static const Field rules_fields[] = { LIST_SHAPE("Rules by id.", &rule_shape) };
static const Shape rules_shape = SHAPE("TopUpRuleList", rules_fields, .doc = "A page of rules.");

static const char *const states[] = { "pending", "completed", NULL };
static const Field       top_up_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "top_ and 26 characters, ordered by time."),
    MEMBER("rule", TEXT, .required = true, .doc = "Which rule asked."),
    MEMBER("account", TEXT, .required = true, .doc = "Whose wallet."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "What is wanted."),
    MEMBER("available", DECIMAL, .required = true, .doc = "What there was when it was asked."),
    MEMBER("state", ENUM, .required = true, .choices = states, .doc = "pending: not paid yet."),
    MEMBER("at", INSTANT, .required = true, .doc = "When it was asked."),
};
static const Shape top_up_shape = SHAPE("TopUp", top_up_fields, .doc = "A request for credit.");
static const Field top_ups_fields[] = { LIST_SHAPE("Top-ups by id.", &top_up_shape) };
static const Shape top_ups_shape = SHAPE("TopUpList", top_ups_fields, .doc = "A page of top-ups.");

static const Parameter list_query[] = {
    PAGE_PARAMETERS,
    { .name = "account", .kind = PARAMETER_TEXT, .doc = "Of this account only." },
};

const Route api_top_up_rules_routes[] = {
    { .name = "putTopUpRule",
      .method = METHOD_PUT,
      .path = "/v1/topUpRules/{id}",
      .scope = "credits:write",
      .takes = &body_shape,
      .gives = &rule_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_INVALID_VALUE,
              ERR_ACCOUNT_NOT_FOUND),
      .handler = rule_put,
      .doc = "Make or replace a rule; it is looked at when the wallet pays." },
    { .name = "getTopUpRule",
      .method = METHOD_GET,
      .path = "/v1/topUpRules/{id}",
      .scope = "credits:read",
      .gives = &rule_shape,
      REFUSES(ERR_TOP_UP_RULE_NOT_FOUND),
      .handler = rule_get,
      .doc = "One rule." },
    { .name = "listTopUpRules",
      .method = METHOD_GET,
      .path = "/v1/topUpRules",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &rules_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = rule_list,
      .doc = "The project's rules." },
    { .name = "listTopUps",
      .method = METHOD_GET,
      .path = "/v1/topUps",
      .scope = "credits:read",
      QUERY(list_query),
      .gives = &top_ups_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = top_up_list,
      .doc = "What rules asked for; a rule has one pending at most." },
    { .name = "completeTopUp",
      .method = METHOD_POST,
      .path = "/v1/topUps/{id}/complete",
      .scope = "credits:write",
      .gives = &grant_shape,
      .status = 201,
      REFUSES(ERR_TOP_UP_NOT_FOUND, ERR_TOP_UP_COMPLETED),
      .handler = top_up_complete_one,
      .doc = "The money for it came in: it becomes a grant." },
};
const size_t api_top_up_rules_route_count =
    sizeof api_top_up_rules_routes / sizeof *api_top_up_rules_routes;
