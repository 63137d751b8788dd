// SPDX-License-Identifier: Apache-2.0
// What Toll deliberately does not offer, by model and config, with the reason. Never by a case's
// id.
#include "case.h"

typedef struct Declined {
    const char *model;
    const char *member; // of the config; NULL: the whole model
    const char *value;  // its text; NULL: whatever it is
    const char *reason;
} Declined;

static const Declined rows[] = {
    { "prorated_graduated", NULL, NULL,
      "tiers price what was used: usage and the bounds of its tiers are never prorated" },
    { "event_priced", "zero_units_means_zero", NULL,
      "the price that an event carries is due whatever quantity stands beside it" },
    { "period_fraction", "day_count", "months of 30 days", "a month has the days it has" },
    { "credit_cap", NULL, NULL,
      "a credit is the difference of two bills, so none is beyond what was charged: there is no "
      "computed one to cap" },
    { "per_unit_per_event", "negative_event", NULL,
      "what an event takes back is posted as taken back, so that postings sum to the line" },
    { "unique_per_event", "rule", NULL,
      "a posting is the rise of the price of what counts; it does not follow a running maximum" },
    { "prorated_sum", NULL, NULL,
      "usage is never prorated; what lasts is a gauge, whose level counts for as long as it held" },
    { "prorated_unique_count", NULL, NULL,
      "usage is never prorated; what lasts is a gauge, whose level counts for as long as it held" },
    { "prorated_event_values", NULL, NULL,
      "usage is never prorated; what lasts is a gauge, whose level counts for as long as it held" },
    { "running_total", NULL, NULL,
      "a meter counts all of its events; free ones are taken off by the price, in its steps" },
    { "position_in_ties", "order", "time, then ingestion time, then id",
      "ties go by time and id, never by arrival, so that a bill does not depend on it" },
    { "invoice", "line_discount_decimals", NULL,
      "a line's share of a discount is whole minor units, so that lines sum to their invoice" },
    { "grant_draw_down", "preserve_overage", NULL,
      "a grant does not start over: what is left of it stays until it expires" },
    { "coupon", "currency", NULL,
      "a discount stands in a plan and is in the plan's currency; there is none in another" },
    { "coupon_over_lines", "decimals_of_shares", NULL,
      "a line's share of a discount is whole minor units, so that lines sum to their invoice" },
    { "windowed_sum", "window", "minute", "windows are local hours, days, weeks and months" },
};

static bool has_value(const Json *member, const char *value)
{
    if (value == NULL)
        return true;
    if (member->kind == JSON_TRUE)
        return str_equal(str_of(value), STR("true"));
    return str_equal(member->text, str_of(value));
}

const char *declined(const Case *test)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Json *member =
            rows[i].member == NULL ? NULL : case_member(test->config, rows[i].member);
        if (!str_equal(test->model, str_of(rows[i].model)))
            continue;
        if (rows[i].member == NULL || (member != NULL && has_value(member, rows[i].value)))
            return rows[i].reason;
    }
    if (str_equal(test->model, STR("grant_draw_down")))
        return grants_draw_otherwise(test);
    if (str_equal(test->model, STR("coupon")) &&
        case_member(test->input, "coupon_used_before") != NULL)
        return "a discount is the same in each of its periods; what is used up is a grant";
    if (str_equal(test->model, STR("next_boundary")) && begins_off_its_anchor(test))
        return "a period that begins off its anchor's row ends at the row's next boundary, however "
               "near: a stub";
    return NULL;
}
