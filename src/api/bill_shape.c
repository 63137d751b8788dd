// SPDX-License-Identifier: Apache-2.0
#include "api/bill_shape.h"

static const Field period_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "First instant."),
    MEMBER("end", INSTANT, .required = true, .doc = "End, which is not part of it."),
};
static const Shape period_shape = SHAPE("Period", period_fields, .doc = "[start, end).");

static const Field step_fields[] = {
    MEMBER("op", TEXT, .required = true, .doc = "Operator; `toll print steps` lists them."),
};
static const Shape step_shape = SHAPE("Step", step_fields, .open = true,
                                      .doc = "One step of a line's arithmetic.");

static const char *const line_kinds[] = {
    "usage", "fee", "quantity", "minimum", "trueUp", "overage", NULL,
};

#define LINE_HEAD                                                                                  \
    MEMBER("charge", TEXT, .required = true, .nullable = true, .doc = "The plan's charge."),       \
    MEMBER("description", TEXT, .required = true, .doc = "Its name."),                             \
    MEMBER("kind", ENUM, .required = true, .choices = line_kinds, .doc = "What kind of line."),    \
    MEMBER("group", MAP, .required = true, .nullable = true, .of = KIND_JSON,                      \
           .doc = "Property values of a grouped charge.")
#define LINE_AMOUNTS                                                                               \
    MEMBER("period", OBJECT, .required = true, .shape = &period_shape, .doc = "Service period."),  \
    MEMBER("usage", DECIMAL, .required = true, .nullable = true, .doc = "What was measured."),     \
    MEMBER("quantity", DECIMAL, .required = true, .nullable = true,                                \
           .doc = "After the quantity operators."),                                                \
    MEMBER("exactAmount", TEXT, .required = true,                                                  \
           .doc = "Before rounding: a decimal, or p/q when it does not end."),                     \
    MEMBER("amount", DECIMAL, .required = true, .doc = "Rounded once, before discounts."),         \
    MEMBER("discount", DECIMAL, .required = true, .doc = "Zero or below."),                        \
    MEMBER("net", DECIMAL, .required = true, .doc = "amount + discount."),                         \
    MEMBER("tax", DECIMAL, .required = true, .doc = "Tax on net."),                                \
    MEMBER("provisional", BOOL, .required = true,                                                  \
           .doc = "True while the period may still change it."),                                   \
    MEMBER("steps", ARRAY, .required = true, .shape = &step_shape, .doc = "The arithmetic.")

static const Field posted_fields[] = {
    MEMBER("uniqueId", TEXT, .required = true, .nullable = true, .doc = "The event's id."),
    MEMBER("ts", INSTANT, .required = true, .doc = "When it happened."),
    MEMBER("amount", DECIMAL, .required = true, .doc = "What it adds to the line."),
};
static const Shape posted_shape =
    SHAPE("PostedEvent", posted_fields, .doc = "An event of a charge billed event by event.");

static const Field rated_line_fields[] = {
    LINE_HEAD,
    LINE_AMOUNTS,
    MEMBER("posted", ARRAY, .shape = &posted_shape,
           .doc = "With bill event: its events by time; their amounts sum to the line's."),
};
static const Shape rated_line_shape =
    SHAPE("RatedLine", rated_line_fields, .doc = "A line that proves itself.");

static const Field line_fields[] = {
    LINE_HEAD,
    LINE_AMOUNTS,
    MEMBER("planVersion", WHOLE, .required = true, .doc = "Version that priced it."),
    MEMBER("events", WHOLE, .required = true, .doc = "How many events it counts."),
    MEMBER("digest", TEXT, .required = true, .nullable = true,
           .doc = "Order-independent hash of those events, in hex."),
};
static const Shape line_shape = SHAPE("BillLine", line_fields, .doc = "A line of an open bill.");

#define TOTALS                                                                                     \
    MEMBER("currency", TEXT, .required = true, .doc = "ISO 4217."),                                \
    MEMBER("period", OBJECT, .required = true, .shape = &period_shape, .doc = "Billing period."),  \
    MEMBER("subtotal", DECIMAL, .required = true, .doc = "Sum of amounts."),                       \
    MEMBER("discounts", DECIMAL, .required = true, .doc = "Sum of discounts."),                    \
    MEMBER("tax", DECIMAL, .required = true, .doc = "Sum of taxes."),                              \
    MEMBER("credits", DECIMAL, .required = true, .doc = "Zero or below."),                         \
    MEMBER("total", DECIMAL, .required = true, .doc = "subtotal + discounts + tax."),              \
    MEMBER("accrued", DECIMAL, .required = true, .doc = "total without provisional lines."),       \
    MEMBER("amountDue", DECIMAL, .required = true, .doc = "total + credits.")

static const Field rated_fields[] = {
    TOTALS,
    MEMBER("lines", ARRAY, .required = true, .shape = &rated_line_shape, .doc = "In plan order."),
};
const Shape bill_rated_shape = SHAPE("RatedBill", rated_fields, .doc = "Priced, not stored.");

static const Field open_fields[] = {
    TOTALS,
    MEMBER("lines", ARRAY, .required = true, .shape = &line_shape, .doc = "In plan order."),
    MEMBER("subscription", TEXT, .required = true, .doc = "Whose bill it is."),
    MEMBER("account", TEXT, .required = true, .doc = "The subscription's account."),
    MEMBER("sequence", TEXT, .required = true, .doc = "Events up to here count."),
    MEMBER("ratedAt", INSTANT, .required = true, .doc = "What counted as now."),
};
const Shape bill_open_shape =
    SHAPE("Bill", open_fields, .doc = "The bill of a period, exact at this moment.");

static const Field account_fields[] = {
    MEMBER("data", ARRAY, .required = true, .shape = &bill_open_shape,
           .doc = "A bill for each subscription, by id."),
    MEMBER("amountDue", MAP, .required = true, .of = KIND_DECIMAL, .doc = "Sum by currency."),
};
const Shape bill_account_shape =
    SHAPE("AccountBill", account_fields, .doc = "All open bills of an account.");
