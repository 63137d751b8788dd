// SPDX-License-Identifier: Apache-2.0
// Plans: a draft that PUT replaces, and published versions that never change.
#include "api/page.h"
#include "api/routes.h"
#include "price/plan_diff.h"

enum { DOCUMENT_DEPTH = 16 };

static Err *plan_put(Request *request, Response *response)
{
    CatalogChange change;
    Json         *document;
    PlanVersion  *stored;
    TRY(request_json_deep(request, DOCUMENT_DEPTH, &document));
    TRY(server_change(request, &change));
    TRY(catalog_plan_put(&change, request_path(request, "id"), document, &stored));
    response_entity_tag(response, stored->version);
    JsonOut out = response_json(response);
    plan_version_to_json(stored, &out);
    return NULL;
}

static Err *plan_get(Request *request, Response *response)
{
    PlanVersion *version;
    TRY(catalog_plan_get(server_of(request)->catalog, request->arena, project_of(request),
                         request_path(request, "id"), &version));
    response_entity_tag(response, version->version);
    JsonOut out = response_json(response);
    plan_version_to_json(version, &out);
    return NULL;
}

static void versions_answer(Response *response, const PlanVersion *versions, size_t count, Str next)
{
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < count; i++)
        plan_version_to_json(&versions[i], &out);
    response_list_end(&out, next);
}

static Err *plan_list(Request *request, Response *response)
{
    CatalogPage  page;
    PlanVersion *plans;
    size_t       found;
    TRY(page_read(request, STR("plans"), &page));
    TRY(catalog_plans(server_of(request)->catalog, request->arena, &page, &plans, &found));
    size_t count = page_rows(&page, found);
    Str    last = count == 0 ? STR_NONE : plans[count - 1].plan;
    versions_answer(response, plans, count, page_next(request, STR("plans"), &page, found, last));
    return NULL;
}

static Err *versions_list(Request *request, Response *response)
{
    CatalogPage  page;
    PlanVersion *versions;
    size_t       found;
    Str          plan = request_path(request, "id"), last = STR_NONE;
    Str          list = str_print(request->arena, "versions of %.*s", STR_ARG(plan));
    TRY(page_read(request, list, &page));
    page.plan = plan;
    TRY(catalog_plan_versions(server_of(request)->catalog, request->arena, &page, &versions,
                              &found));
    size_t count = page_rows(&page, found);
    if (count > 0)
        last = str_print(request->arena, "%lld", (long long)versions[count - 1].number);
    versions_answer(response, versions, count, page_next(request, list, &page, found, last));
    return NULL;
}

static Err *number_read(Request *request, Str text, int64_t *number)
{
    uint64_t whole;
    if (!str_whole(text, INT32_MAX, &whole) || whole == 0)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "a version's number is a whole number from 1");
    *number = (int64_t)whole;
    return NULL;
}

static Err *version_get(Request *request, Response *response)
{
    PlanRef      ref = { .project = project_of(request), .plan = request_path(request, "id") };
    PlanVersion *version;
    TRY(number_read(request, request_path(request, "number"), &ref.number));
    TRY(catalog_plan_version_get(server_of(request)->catalog, request->arena, &ref, &version));
    JsonOut out = response_json(response);
    plan_version_to_json(version, &out);
    return NULL;
}

// ---- what two versions differ in

// A version's number, "draft", or when absent the version before `number`.
static Err *against_read(Request *request, int64_t number, int64_t *against)
{
    Str text;
    *against = PLAN_DRAFT;
    if (request_query(request, "against", &text))
        return str_equal(text, STR("draft")) ? NULL : number_read(request, text, against);
    if (number == 1)
        return refuse(request->arena, ERR_PARAMETER_INVALID, STR_NONE,
                      "there is no version before the first: say against which it is told apart");
    *against = number - 1;
    return NULL;
}

static Err *document_get(Request *request, int64_t number, Json **document)
{
    PlanRef      ref = { project_of(request), request_path(request, "id"), number };
    PlanVersion *version;
    TRY(catalog_plan_version_get(server_of(request)->catalog, request->arena, &ref, &version));
    return json_parse_copy(request->arena, version->document, document);
}

static Err *version_diff(Request *request, Response *response)
{
    int64_t number = 0, against = 0;
    Json   *before, *after;
    TRY(number_read(request, request_path(request, "number"), &number));
    TRY(against_read(request, number, &against));
    TRY(document_get(request, against, &before));
    TRY(document_get(request, number, &after));
    JsonOut out = response_json(response);
    json_object(&out);
    json_string_member(&out, "plan", request_path(request, "id"));
    json_whole_member(&out, "number", number);
    if (against == PLAN_DRAFT)
        json_null_member(&out, "against");
    else
        json_whole_member(&out, "against", against);
    json_name(&out, STR("diff"));
    plan_diff_to_json(request->arena, before, after, &out);
    json_object_end(&out);
    return NULL;
}

// ---- publishing

typedef struct PublishBody {
    Instant effective_from;
} PublishBody;

static const Field publish_fields[] = {
    FIELD(PublishBody, effective_from, "effectiveFrom", INSTANT,
          .doc = "From when the version is in force, past or future; now when absent. Send it, so "
                 "that a retry is known as one."),
};
static const Shape publish_shape =
    SHAPE("PublishBody", publish_fields, .doc = "How a draft is published.");

static Err *plan_publish(Request *request, Response *response)
{
    Faults        faults = { .arena = request->arena };
    PublishBody   wanted = { .effective_from = now_of(request) };
    CatalogChange change;
    Json         *body;
    PlanVersion  *stored;
    if (request->body.length > 0) {
        TRY(request_json(request, &body));
        shape_decode(&publish_shape, body, &wanted, &faults);
        if (faults.first != NULL)
            return faults.first;
    }
    TRY(server_change(request, &change));
    TRY(catalog_plan_publish(&change, request_path(request, "id"), wanted.effective_from, &stored));
    JsonOut out = response_json(response);
    plan_version_to_json(stored, &out);
    return NULL;
}

// ---- shapes and routes

// What each member means is the plan's own matter: docs/guide and price/plan.h.
static const Shape document_shape = {
    .name = "PlanDocument",
    .open = true,
    .doc = "A plan document: id, name, currency, rounding, timeZone, period, charges, discounts, "
           "minimum, "
           "maximum, commitment, includedCredits, invoiceThreshold. "
           "Members that are not priced are refused.",
};

static const Field version_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The plan's id."),
    MEMBER("number", WHOLE, .required = true, .nullable = true,
           .doc = "1, 2, ...; null for the draft."),
    MEMBER("published", BOOL, .required = true, .doc = "A published version never changes."),
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),
    MEMBER("effectiveFrom", INSTANT, .required = true, .nullable = true,
           .doc = "From when it is in force."),
    MEMBER("publishedAt", INSTANT, .required = true, .nullable = true,
           .doc = "When it was published."),
    MEMBER("document", OBJECT, .required = true, .shape = &document_shape,
           .doc = "As its author wrote it."),
};
static const Shape version_shape =
    SHAPE("PlanVersion", version_fields, .doc = "The draft or a version of a plan.");

#define IDS(json, text) MEMBER(json, ARRAY, .required = true, .of = KIND_TEXT, .doc = (text))
static const Field diff_ids_fields[] = {
    IDS("added", "Only in this version."),
    IDS("removed", "Only in the other."),
    IDS("changed", "In both, not the same."),
};
static const Shape diff_ids_shape =
    SHAPE("PlanDiffIds", diff_ids_fields, .doc = "Ids of charges or discounts.");

static const Field diff_change_fields[] = {
    MEMBER("pointer", TEXT, .required = true,
           .doc = "Of the member: charges and discounts by id, /charges/api/tiers/0/unitPrice."),
    MEMBER("before", JSON, .doc = "In the other version; absent: not there."),
    MEMBER("after", JSON, .doc = "In this version; absent: not there."),
};
static const Shape diff_change_shape =
    SHAPE("PlanDiffChange", diff_change_fields, .doc = "One member that is not the same.");

static const Field diff_fields[] = {
    MEMBER("charges", OBJECT, .required = true, .shape = &diff_ids_shape, .doc = "Of charges."),
    MEMBER("discounts", OBJECT, .required = true, .shape = &diff_ids_shape, .doc = "Of discounts."),
    MEMBER("changes", ARRAY, .required = true, .shape = &diff_change_shape,
           .doc = "Every member that is not the same."),
};
static const Shape diff_shape =
    SHAPE("PlanDiff", diff_fields, .doc = "What two plan documents differ in.");

static const Field version_diff_fields[] = {
    MEMBER("plan", TEXT, .required = true, .doc = "The plan's id."),
    MEMBER("number", WHOLE, .required = true, .doc = "This version."),
    MEMBER("against", WHOLE, .required = true, .nullable = true,
           .doc = "The other version; null: the draft."),
    MEMBER("diff", OBJECT, .required = true, .shape = &diff_shape, .doc = "From it to this one."),
};
static const Shape version_diff_shape =
    SHAPE("PlanVersionDiff", version_diff_fields, .doc = "What two versions of a plan differ in.");

static const Parameter diff_query[] = {
    { .name = "against", .kind = PARAMETER_TEXT,
      .doc = "The number of another version, or draft; the version before when absent." },
};

static const Field list_fields[] = { LIST_SHAPE("Plans by id, or versions by number.",
                                                &version_shape) };
static const Shape list_shape =
    SHAPE("PlanVersionList", list_fields, .doc = "A page of plans or versions.");

static const Parameter list_query[] = { PAGE_PARAMETERS };

const Route api_plans_routes[] = {
    { .name = "putPlan",
      .method = METHOD_PUT,
      .path = "/v1/plans/{id}",
      .scope = "catalog:write",
      .takes = &document_shape,
      .gives = &version_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_PLAN_INVALID,
              ERR_PRECONDITION_FAILED),
      .handler = plan_put,
      .doc = "Make or replace the plan's draft." },
    { .name = "publishPlan",
      .method = METHOD_POST,
      .path = "/v1/plans/{id}/publish",
      .scope = "catalog:write",
      .takes = &publish_shape,
      .body_optional = true,
      .gives = &version_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_INVALID, ERR_INVALID_TIMESTAMP, ERR_PLAN_NOT_FOUND,
              ERR_PLAN_INVALID, ERR_PLAN_NO_DRAFT, ERR_EFFECTIVE_FROM_TAKEN,
              ERR_PRECONDITION_FAILED),
      .handler = plan_publish,
      .doc = "Make the draft the plan's next version, for good." },
    { .name = "getPlan",
      .method = METHOD_GET,
      .path = "/v1/plans/{id}",
      .scope = "catalog:read",
      .gives = &version_shape,
      REFUSES(ERR_PLAN_NOT_FOUND),
      .handler = plan_get,
      .doc = "The plan's draft, or its newest version when there is no draft." },
    { .name = "listPlans",
      .method = METHOD_GET,
      .path = "/v1/plans",
      .scope = "catalog:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = plan_list,
      .doc = "The project's plans: of each its draft, or its newest version." },
    { .name = "listPlanVersions",
      .method = METHOD_GET,
      .path = "/v1/plans/{id}/versions",
      .scope = "catalog:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID, ERR_PLAN_NOT_FOUND),
      .handler = versions_list,
      .doc = "The plan's published versions." },
    { .name = "getPlanVersion",
      .method = METHOD_GET,
      .path = "/v1/plans/{id}/versions/{number}",
      .scope = "catalog:read",
      .gives = &version_shape,
      REFUSES(ERR_PLAN_NOT_FOUND, ERR_PLAN_VERSION_NOT_FOUND),
      .handler = version_get,
      .doc = "One published version." },
    { .name = "diffPlanVersions",
      .method = METHOD_GET,
      .path = "/v1/plans/{id}/versions/{number}/diff",
      .scope = "catalog:read",
      QUERY(diff_query),
      .gives = &version_diff_shape,
      REFUSES(ERR_PLAN_NOT_FOUND, ERR_PLAN_VERSION_NOT_FOUND),
      .handler = version_diff,
      .doc = "What a version changed, charge by charge and member by member." },
};
const size_t api_plans_route_count = sizeof api_plans_routes / sizeof *api_plans_routes;
