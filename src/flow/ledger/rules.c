// SPDX-License-Identifier: Apache-2.0
// The chart of accounts and the posting rules, from their one table.
#include "base/json.h"
#include "flow/ledger/ledger.h"

typedef struct KindRow {
    const char *name, *doc;
    LedgerSide  side;
    LedgerWhose whose;
} KindRow;

typedef struct RuleRow {
    const char *name, *doc;
} RuleRow;

typedef struct LegRow {
    PostingRule rule;
    LedgerKind  kind;
    LedgerSide  side;
    const char *doc;
} LegRow;

#define LEDGER_KIND(name, text, side, whose, doc) \
    [LEDGER_##name] = { text, doc, LEDGER_##side, LEDGER_##whose },
#define POSTING(name, text, doc)
#define LEG(posting, kind, side, doc)
static const KindRow kinds[LEDGER_KIND_COUNT] = {
#include "tbl/postings.def"
};
#undef LEDGER_KIND
#undef POSTING
#define LEDGER_KIND(name, text, side, whose, doc)
#define POSTING(name, text, doc) [POSTING_##name] = { text, doc },
static const RuleRow rules[POSTING_COUNT] = {
#include "tbl/postings.def"
};
#undef POSTING
#undef LEG
#define POSTING(name, text, doc)
#define LEG(posting, kind, side, doc) \
    { POSTING_##posting, LEDGER_##kind, LEDGER_##side, doc },
static const LegRow legs[] = {
#include "tbl/postings.def"
};
#undef LEDGER_KIND
#undef POSTING
#undef LEG
enum { LEG_COUNT = sizeof legs / sizeof *legs };

const char *ledger_kind_name(LedgerKind kind)
{
    return kinds[kind].name;
}

bool ledger_kind_find(Str name, LedgerKind *kind)
{
    for (unsigned i = 0; i < LEDGER_KIND_COUNT; i++)
        if (str_equal(name, str_of(kinds[i].name))) {
            *kind = (LedgerKind)i;
            return true;
        }
    return false;
}

LedgerSide ledger_kind_side(LedgerKind kind)
{
    return kinds[kind].side;
}

LedgerWhose ledger_kind_whose(LedgerKind kind)
{
    return kinds[kind].whose;
}

const char *posting_name(PostingRule rule)
{
    return rules[rule].name;
}

bool posting_find(Str name, PostingRule *rule)
{
    for (unsigned i = 0; i < POSTING_COUNT; i++)
        if (str_equal(name, str_of(rules[i].name))) {
            *rule = (PostingRule)i;
            return true;
        }
    return false;
}

bool posting_allows(PostingRule rule, LedgerKind kind)
{
    for (size_t i = 0; i < LEG_COUNT; i++)
        if (legs[i].rule == rule && legs[i].kind == kind)
            return true;
    return rule == POSTING_REVERSAL;
}

static const char *side_name(LedgerSide side)
{
    return side == LEDGER_DEBIT ? "debit" : "credit";
}

static void rule_print(JsonOut *out, PostingRule rule)
{
    json_object(out);
    json_string_member(out, "posting", str_of(rules[rule].name));
    json_string_member(out, "meaning", str_of(rules[rule].doc));
    json_name(out, STR("legs"));
    json_array(out);
    for (size_t i = 0; i < LEG_COUNT; i++) {
        if (legs[i].rule != rule)
            continue;
        json_object(out);
        json_string_member(out, "account", str_of(kinds[legs[i].kind].name));
        json_string_member(out, "side", str_of(side_name(legs[i].side)));
        json_string_member(out, "amount", str_of(legs[i].doc));
        json_object_end(out);
    }
    json_array_end(out);
    json_object_end(out);
}

void ledger_rules_print(Text *text)
{
    JsonOut out = json_out(text);
    json_object(&out);
    json_name(&out, STR("accounts"));
    json_array(&out);
    for (size_t i = 0; i < LEDGER_KIND_COUNT; i++) {
        json_object(&out);
        json_string_member(&out, "account", str_of(kinds[i].name));
        json_string_member(&out, "normalSide", str_of(side_name(kinds[i].side)));
        json_bool_member(&out, "ofOneCustomer", kinds[i].whose == LEDGER_ACCOUNT);
        json_string_member(&out, "meaning", str_of(kinds[i].doc));
        json_object_end(&out);
    }
    json_array_end(&out);
    json_name(&out, STR("postings"));
    json_array(&out);
    for (unsigned i = 0; i < POSTING_COUNT; i++)
        rule_print(&out, (PostingRule)i);
    json_array_end(&out);
    json_object_end(&out);
}
