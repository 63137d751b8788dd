// SPDX-License-Identifier: Apache-2.0
#include "api/subscription_shape.h"

#include "catalog/subscription.h"

// A merge patch means what the plan document means: docs/guide/plans.md.
const Shape plan_patch_shape = {
    .name = "PlanPatch",
    .open = true,
    .doc = "A merge patch (RFC 7396) of a plan document, in which charges and discounts are "
           "objects by id: {\"charges\":{\"api\":{\"unitPrice\":\"0.002\"},\"old\":null}}.",
};

#define TERMS_MEMBERS                                                                              \
    MEMBER("plan", TEXT, .required = true, .doc = "The plan's id."),                               \
        MEMBER("planVersion", WHOLE, .required = true, .doc = "The version it is pinned to."),     \
        MEMBER("quantities", MAP, .required = true, .of = KIND_DECIMAL,                            \
               .doc = "Named quantities."),                                                        \
        MEMBER("overrides", OBJECT, .required = true, .nullable = true,                            \
               .shape = &plan_patch_shape,                                                         \
               .doc = "What this subscription's plan says otherwise."),                            \
        MEMBER("phases", ARRAY, .required = true, .nullable = true, .of = KIND_JSON,               \
               .doc = "Other terms for its first periods, in place of the plan's own phases.")

static const Field terms_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "From when these terms count."),
    MEMBER("end", INSTANT, .required = true, .nullable = true, .doc = "Until when; null: open."),
    TERMS_MEMBERS,
};
static const Shape terms_shape =
    SHAPE("SubscriptionTerms", terms_fields, .doc = "Terms that count for a while.");

static const char *const credit_choices[] = { "prorated", "none", NULL };
static const char *const usage_choices[] = { "billed", "free", NULL };

static const Field change_fields[] = {
    MEMBER("number", WHOLE, .required = true, .doc = "1, 2, ... in the order of recording."),
    MEMBER("kind", ENUM, .required = true, .choices = change_kind_names, .doc = "What changed."),
    MEMBER("effectiveAt", INSTANT, .required = true, .doc = "From when it counts."),
    MEMBER("recordedAt", INSTANT, .required = true, .doc = "When it became known."),
    MEMBER("plan", TEXT, .doc = "The plan from then on, when that changed."),
    MEMBER("planVersion", WHOLE, .doc = "Its version."),
    MEMBER("quantities", MAP, .of = KIND_DECIMAL, .doc = "Those that changed."),
    MEMBER("overrides", OBJECT, .nullable = true, .shape = &plan_patch_shape,
           .doc = "Those from then on, when they changed; null: none."),
    MEMBER("credit", ENUM, .choices = credit_choices,
           .doc = "Of a cancellation: what becomes of what was billed ahead."),
    MEMBER("usage", ENUM, .choices = usage_choices,
           .doc = "Of a pause: what becomes of its usage."),
    MEMBER("endsAt", INSTANT, .nullable = true, .doc = "The new end, when PUT moved it."),
    MEMBER("changeId", TEXT, .doc = "The caller's id of the change."),
};
const Shape subscription_change_shape =
    SHAPE("SubscriptionChange", change_fields, .doc = "An entry of a subscription's log.");

#define NOW_MEMBERS                                                                                \
    MEMBER("id", TEXT, .required = true, .doc = "The caller's id."),                               \
        MEMBER("account", TEXT, .required = true, .doc = "Who is billed."),                        \
        MEMBER("status", ENUM, .required = true, .choices = subscription_status_names,             \
               .doc = "What it is at this moment."),                                               \
        MEMBER("startsAt", INSTANT, .required = true, .doc = "Its first instant."),                \
        MEMBER("endsAt", INSTANT, .required = true, .nullable = true,                              \
               .doc = "When it is over; null: open."),                                             \
        TERMS_MEMBERS,                                                                             \
        MEMBER("usageFilter", MAP, .required = true, .nullable = true, .of = KIND_ARRAY,           \
               .doc = "Only events of these dimensions are its own."),                             \
        MEMBER("createdAt", INSTANT, .required = true, .doc = "When the row was made.")

static const Field now_fields[] = { NOW_MEMBERS };
const Shape        subscription_now_shape =
    SHAPE("SubscriptionNow", now_fields,
          .doc = "A subscription with the terms that count at this moment. All of its terms and "
                 "its log: GET /v1/subscriptions/{id}.");

static const Field subscription_fields[] = {
    NOW_MEMBERS,
    MEMBER("terms", ARRAY, .required = true, .shape = &terms_shape,
           .doc = "What counts from when to when, what is still to come included."),
    MEMBER("changes", ARRAY, .required = true, .shape = &subscription_change_shape,
           .doc = "Every change since it was made, in the order of recording."),
};
const Shape subscription_shape =
    SHAPE("Subscription", subscription_fields,
          .doc = "An account on a plan. plan, planVersion, quantities, overrides and phases are "
                 "those that count at this moment.");
