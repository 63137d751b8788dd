// SPDX-License-Identifier: Apache-2.0
// Credit over lines and over time, coupons as discounts, credit notes, and what an account owes by
// the ledger. Amounts are minor units of USD.
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "flow/ledger/draw.h"
#include "flow/ledger/ledger.h"
#include "money/rounding.h"
#include "price/tax.h"

enum { EACH_MAX = 32 };

static int64_t minor_of(Case *test, Str amount)
{
    Currency usd;
    Money    money;
    assert_that(currency_find(STR("USD"), &usd));
    assert_that(rounding_money(case_number(test, amount), usd, ROUND_HALF_UP, &money));
    return money.minor;
}

static Result amount_is(Case *test, const char *what, Str wanted, int64_t minor)
{
    if (wanted.at == NULL)
        return CASE_PASSED;
    return case_equal(test, what, case_number(test, wanted),
                      rational_ratio(test->arena, minor, 100));
}

static Instant instant_of(const Json *object, const char *name, Instant otherwise)
{
    Str text = case_text(object, name);
    if (text.at != NULL)
        assert_that(instant_parse(text, &otherwise));
    return otherwise;
}

// ---- grants and lines

typedef struct Asked {
    CreditGrant grants[EACH_MAX];
    size_t      grant_count;
    DrawLine    lines[EACH_MAX];
    size_t      line_count;
    Drawing     drawing;
} Asked;

// A grant that was made behind the others.
static CreditGrant *grant_add(Asked *asked, Str id, int64_t amount)
{
    CreditGrant *grant = &asked->grants[asked->grant_count];
    *grant = (CreditGrant){ .id = id,
                            .kind = GRANT_PROMOTIONAL,
                            .timing = CREDIT_BEFORE_TAX,
                            .amount = amount,
                            .effective_at = { (int64_t)asked->grant_count++ },
                            .expires_at = INSTANT_END };
    return grant;
}

static void line_add(Asked *asked, int64_t net)
{
    Instant now = { INSTANT_DAY_US };
    asked->lines[asked->line_count++] = (DrawLine){ .service = { now, now }, .net = net };
}

static bool draw(Case *test, Asked *asked)
{
    Err *err = draw_begin(test->arena, (CreditGrants){ asked->grants, asked->grant_count },
                          (DrawLines){ asked->lines, asked->line_count }, &asked->drawing);
    if (err != NULL)
        return false;
    draw_before_tax(&asked->drawing);
    draw_after_tax(&asked->drawing, NULL);
    return true;
}

static int64_t left_of(const Asked *asked, Str id)
{
    const CreditGrants *grants = &asked->drawing.grants;
    size_t              place = 0;
    while (!str_equal(grants->at[place].id, id))
        place++;
    return grant_left(&grants->at[place]);
}

// ---- usage over time

static bool has_recurrence(const Json *grants)
{
    for (const Json *grant = grants->first; grant != NULL; grant = grant->next)
        if (case_member(grant, "recurrence") != NULL)
            return true;
    return false;
}

// Usage that no grant was in force for and that one which begins later is to pay.
static bool pays_for_earlier(const Case *test, const Json *grants)
{
    Instant     until = instant_of(test->input, "until", INSTANT_END);
    const Json *usage = case_member(test->input, "usage");
    for (const Json *event = usage->first; event != NULL; event = event->next)
        for (const Json *grant = grants->first; grant != NULL; grant = grant->next) {
            Instant at = instant_of(event, "time", INSTANT_FIRST);
            Instant begins = instant_of(grant, "effective_at", INSTANT_FIRST);
            if (at.us < begins.us && begins.us < until.us)
                return true;
        }
    return false;
}

const char *grants_draw_otherwise(const Case *test)
{
    const Json *grants = case_member(test->config, "grants");
    if (has_recurrence(grants))
        return "a grant is given once; what comes again each period is the plan's includedCredits";
    if (pays_for_earlier(test, grants))
        return "a grant pays for what was used while it was in force, never for what was before";
    return NULL;
}

static Err *used_until(void *context, Arena *arena, Instant t, int64_t *net)
{
    Case   *test = context;
    Instant from = instant_of(test->input, "from", INSTANT_FIRST);
    (void)arena;
    *net = 0;
    for (const Json *event = case_member(test->input, "usage")->first; event != NULL;
         event = event->next) {
        Instant at = instant_of(event, "time", INSTANT_FIRST);
        if (from.us <= at.us && at.us < t.us)
            *net += minor_of(test, case_text(event, "value"));
    }
    return NULL;
}

static void dated_grants_add(Case *test, Asked *asked)
{
    const Json *balances = case_member(test->input, "balances");
    for (const Json *row = case_member(test->config, "grants")->first; row != NULL;
         row = row->next) {
        Str          id = case_text(row, "id");
        CreditGrant *grant = grant_add(asked, id, minor_of(test, case_text(row, "amount")));
        grant->drawn =
            grant->amount - minor_of(test, case_text(balances, str_terminated(test->arena, id)));
        grant->priority = minor_of(test, case_text(row, "priority"));
        grant->effective_at = instant_of(row, "effective_at", INSTANT_FIRST);
        Instant removed = instant_of(row, "removed_at", INSTANT_END);
        grant->expires_at = instant_of(row, "expires_at", INSTANT_END);
        if (removed.us < grant->expires_at.us)
            grant->expires_at = removed;
    }
}

static Result grant_draw_down(Case *test)
{
    static const char *const known[] = { "grants", NULL };
    Instant                  until = instant_of(test->input, "until", INSTANT_END);
    Asked                    asked = { .line_count = 1 };
    Result                   sum = CASE_PASSED;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    dated_grants_add(test, &asked);
    asked.lines[0] = (DrawLine){ .service = { instant_of(test->input, "from", until), until },
                                 .so_far = used_until,
                                 .context = test };
    assert_that(used_until(test, test->arena, until, &asked.lines[0].net) == NULL);
    if (!draw(test, &asked))
        return CASE_FAILED;
    for (size_t i = 0; i < asked.drawing.grants.count; i++) {
        const CreditGrant *grant = &asked.drawing.grants.at[i];
        Str wanted = case_text(case_member(test->expected, "balances"),
                               str_terminated(test->arena, grant->id));
        int64_t left = grant_in_force(grant, until) ? grant_left(grant) : 0;
        case_and(&sum, amount_is(test, "balance", wanted, left));
    }
    case_and(&sum, amount_is(test, "overage", case_text(test->expected, "overage"),
                             asked.lines[0].net - draw_of_line(&asked.drawing, 0)));
    return sum;
}

// ---- lines, lots, wallets

static Texts own_charge(Case *test, size_t number)
{
    Str *name = arena_new(test->arena, Str);
    *name = str_print(test->arena, "line%zu", number);
    return (Texts){ name, 1 };
}

// What was credited to a line before is a grant that only that line may draw, and does first.
static void earlier_credits_add(Case *test, Asked *asked)
{
    const Json *before = case_member(test->input, "already_credited");
    size_t      number = 0;
    for (const Json *row = before == NULL ? NULL : before->first; row != NULL; row = row->next) {
        CreditGrant *grant = grant_add(asked, STR("before"), minor_of(test, row->text));
        grant->applies_to.charges = own_charge(test, number);
        asked->lines[number].charge = *grant->applies_to.charges.at;
        number++;
    }
}

static int64_t credited_before(const Asked *asked, size_t line)
{
    int64_t sum = 0;
    for (size_t i = 0; i < asked->drawing.draw_count; i++) {
        const Draw *one = &asked->drawing.draws[i];
        if (one->line == line &&
            str_equal(asked->drawing.grants.at[one->grant].id, STR("before")))
            sum += one->net;
    }
    return sum;
}

static Result credits_over_lines(Case *test)
{
    static const char *const known[] = { "order", NULL };
    Asked                    asked = { 0 };
    Result                   sum = CASE_PASSED;
    size_t                   place = 0;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    for (const Json *row = case_member(test->input, "line_amounts")->first; row != NULL;
         row = row->next)
        line_add(&asked, minor_of(test, row->text));
    earlier_credits_add(test, &asked);
    for (const Json *row = case_member(test->input, "credits")->first; row != NULL;
         row = row->next)
        grant_add(&asked, STR("credit"), minor_of(test, row->text));
    if (!draw(test, &asked))
        return CASE_FAILED;
    const Json *payable = case_member(test->expected, "payable")->first;
    for (const Json *row = case_member(test->expected, "credited")->first; row != NULL;
         row = row->next, payable = payable->next, place++) {
        int64_t drawn = draw_of_line(&asked.drawing, place);
        case_and(&sum, amount_is(test, "credited", row->text,
                                 drawn - credited_before(&asked, place)));
        case_and(&sum, amount_is(test, "payable", payable->text, asked.lines[place].net - drawn));
    }
    return sum;
}

static void allowed_take(Case *test, const Json *allowed, CreditGrant *grant)
{
    Str   *names = arena_array(test->arena, Str, allowed == NULL ? 0 : allowed->count);
    size_t count = 0;
    for (const Json *row = allowed == NULL ? NULL : allowed->first; row != NULL; row = row->next)
        names[count++] = row->text;
    grant->applies_to.charges = (Texts){ names, count };
}

static Result wallets_to_invoice(Case *test)
{
    static const char *const known[] = { "order", "wallets", NULL };
    Asked                    asked = { 0 };
    Result                   sum = CASE_PASSED;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    for (const Json *row = case_member(test->config, "wallets")->first; row != NULL;
         row = row->next) {
        CreditGrant *grant = grant_add(&asked, case_text(row, "id"),
                                       minor_of(test, case_text(row, "balance")));
        grant->priority = minor_of(test, case_text(row, "priority"));
        allowed_take(test, case_member(row, "allowed"), grant);
    }
    for (const Json *row = case_member(test->input, "lines")->first; row != NULL;
         row = row->next) {
        line_add(&asked, minor_of(test, case_text(row, "amount")));
        asked.lines[asked.line_count - 1].charge = case_text(row, "kind");
    }
    if (!draw(test, &asked))
        return CASE_FAILED;
    for (const Json *row = case_member(test->expected, "balances_after")->first; row != NULL;
         row = row->next)
        case_and(&sum, amount_is(test, "balance", row->text, left_of(&asked, row->name)));
    case_and(&sum, amount_is(test, "used", case_text(test->expected, "total_used"),
                             draw_total(&asked.drawing)));
    return sum;
}

static Result credit_lots(Case *test)
{
    static const char *const known[] = { "order", NULL };
    Asked                    asked = { 0 };
    Result                   sum = CASE_PASSED;
    bool wants_error = case_text(test->expected, "error").at != NULL;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    for (const Json *row = case_member(test->input, "lots")->first; row != NULL; row = row->next) {
        CreditGrant *grant = grant_add(&asked, case_text(row, "id"),
                                       minor_of(test, case_text(row, "remaining")));
        grant->priority = minor_of(test, case_text(row, "priority"));
        grant->effective_at.us = minor_of(test, case_text(row, "age_rank"));
        bool is_paid = str_equal(case_text(row, "kind"), STR("purchased"));
        grant->kind = is_paid ? GRANT_PAID : GRANT_PROMOTIONAL;
        grant->timing = CREDIT_AFTER_TAX;
    }
    line_add(&asked, minor_of(test, case_text(test->input, "consume")));
    if (!draw(test, &asked))
        return CASE_FAILED;
    for (const Json *row = case_member(test->expected, "remaining")->first; row != NULL;
         row = row->next)
        case_and(&sum, amount_is(test, "remaining", row->text, left_of(&asked, row->name)));
    bool is_short = draw_total(&asked.drawing) < asked.lines[0].net;
    case_and(&sum, case_same(test, "error", wants_error ? STR("short") : STR("enough"),
                             is_short ? STR("short") : STR("enough")));
    return sum;
}

// ---- coupons: discounts of a plan

#define JUNE "\"period\":{\"start\":\"2026-06-01T00:00:00Z\",\"end\":\"2026-07-01T00:00:00Z\"}"

static void coupon_write(Text *text, const Json *coupon, int number, Str periods)
{
    bool is_percent = str_equal(case_text(coupon, "kind"), STR("percent"));
    text_print(text, "%s{\"id\":\"d%d\",\"%s\":\"%.*s\"", number == 0 ? "" : ",", number,
               is_percent ? "percent" : "amount", STR_ARG(case_text(coupon, "value")));
    if (periods.at != NULL && !str_equal(periods, STR("forever")))
        text_print(text, ",\"periods\":%.*s", STR_ARG(periods));
    text_print(text, "}");
}

static void flat_lines_write(Text *text, const Json *lines, Str amount)
{
    int number = 0;
    if (lines == NULL)
        text_print(text, "{\"id\":\"c\",\"model\":\"flat\",\"amount\":\"%.*s\"}", STR_ARG(amount));
    for (const Json *line = lines == NULL ? NULL : lines->first; line != NULL; line = line->next)
        text_print(text, "%s{\"id\":\"c%d\",\"model\":\"flat\",\"amount\":\"%.*s\"}",
                   number == 0 ? "" : ",", number, STR_ARG(line->text)), number++;
}

// June of a subscription that began so many months before.
static Str coupons_request(Case *test, Str coupons, const char *lines, int months)
{
    Text text = text_open(test->arena);
    text_print(&text, "{\"plan\":{\"currency\":\"USD\",\"charges\":[");
    flat_lines_write(&text, case_member(test->input, lines), case_text(test->input, "amount"));
    text_print(&text, "],\"discounts\":[%.*s]}," JUNE ",\"activeFrom\":\"2026-%02d-01T00:00:00Z\","
                      "\"usage\":{}}", STR_ARG(coupons), 6 - months);
    return text_str(&text);
}

static Rational discounts_of(Case *test, const Json *bill)
{
    return rational_negate(test->arena, case_number(test, case_at(bill, STR("/discounts"))->text));
}

// A coupon for so many more periods discounts each of them, and the one behind them not.
static Result periods_left(Case *test, Str coupons, Str after)
{
    for (int month = 1; after.at != NULL && month <= 5; month++) {
        bool        is_left = month <= after.at[0] - '0';
        const Json *bill = case_rate(test, coupons_request(test, coupons, "lines", month));
        if (bill == NULL || is_left != (rational_sign(discounts_of(test, bill)) > 0))
            return CASE_FAILED;
    }
    return CASE_PASSED;
}

static Result coupon(Case *test)
{
    static const char *const known[] = { "kind", "value", "decimals", "periods_left", NULL };
    Text                     coupons = text_open(test->arena);
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    coupon_write(&coupons, test->config, 0, case_text(test->config, "periods_left"));
    const Json *bill =
        case_rate(test, coupons_request(test, text_str(&coupons), "lines", 0));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "discount",
                            case_number(test, case_text(test->expected, "discount")),
                            discounts_of(test, bill));
    case_and(&sum, periods_left(test, text_str(&coupons),
                                case_text(test->expected, "periods_left_after")));
    return sum;
}

static Result coupons_in_sequence(Case *test)
{
    static const char *const known[] = { "coupons", "order", "decimals", NULL };
    Text                     coupons = text_open(test->arena);
    int                      number = 0;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    for (const Json *row = case_member(test->config, "coupons")->first; row != NULL;
         row = row->next)
        coupon_write(&coupons, row, number++, STR_NONE);
    const Json *bill =
        case_rate(test, coupons_request(test, text_str(&coupons), "lines", 0));
    if (bill == NULL)
        return CASE_FAILED;
    Result sum = case_equal(test, "discount",
                            case_number(test, case_text(test->expected, "discount")),
                            discounts_of(test, bill));
    case_and(&sum, case_equal(test, "remaining",
                              case_number(test, case_text(test->expected, "remaining")),
                              case_number(test, case_at(bill, STR("/total"))->text)));
    return sum;
}

static Result discount_over_lines(Case *test)
{
    static const char *const known[] = { "method", NULL };
    Result                   sum = CASE_PASSED;
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    Str discount = str_print(test->arena, "{\"id\":\"d\",\"amount\":\"%.*s\"}",
                             STR_ARG(case_text(test->input, "discount")));
    const Json *bill = case_rate(test, coupons_request(test, discount, "line_amounts", 0));
    if (bill == NULL)
        return CASE_FAILED;
    const Json *line = case_at(bill, STR("/lines"))->first;
    for (const Json *net = case_member(test->expected, "net")->first; net != NULL;
         net = net->next, line = line->next)
        case_and(&sum, case_equal(test, "net", case_number(test, net->text),
                                  case_number(test, case_text(line, "net"))));
    return sum;
}

// ---- credit notes: the tax of a part

static int64_t tax_on(Case *test, int64_t net)
{
    TaxRate  rate = { STR("r"), case_number(test, case_text(test->config, "tax_percent")), false };
    TaxLine  line = { .amount = { .minor = net }, .rate_count = 1 };
    TaxQuery query = { .rounding = TAX_BY_RATE, .rates = &rate, .rate_count = 1 };
    TaxSum   sum;
    assert_that(currency_find(STR("USD"), &query.currency));
    line.amount.currency = query.currency;
    assert_that(tax_of(test->arena, &query, &line, 1, &sum) == NULL);
    return sum.tax;
}

static Result credit_note(Case *test)
{
    static const char *const known[] = { "tax_percent", "rounding", NULL };
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    Rational whole = case_number(test, case_text(test->input, "line_amount"));
    Rational part = rational_multiply(
        test->arena, whole, case_number(test, case_text(test->input, "credited_share")));
    Money    net;
    Currency usd;
    int64_t  all = minor_of(test, case_text(test->input, "line_amount"));
    assert_that(currency_find(STR("USD"), &usd));
    assert_that(rounding_money(part, usd, ROUND_HALF_UP, &net));
    int64_t tax = tax_on(test, net.minor), all_tax = tax_on(test, all);
    Result  sum = amount_is(test, "subtotal", case_text(test->expected, "subtotal"), net.minor);
    case_and(&sum, amount_is(test, "tax", case_text(test->expected, "tax"), tax));
    case_and(&sum, amount_is(test, "total", case_text(test->expected, "total"), net.minor + tax));
    case_and(&sum, amount_is(test, "invoice tax", case_text(test->expected, "invoice_tax"),
                             all_tax));
    case_and(&sum, amount_is(test, "invoice total", case_text(test->expected, "invoice_total"),
                             all + all_tax));
    return sum;
}

// ---- what an account owes, by the ledger

typedef struct Owing {
    Case    *test;
    Currency usd;
    int      posts;
    int64_t  receivable, balance;
} Owing;

static Err *post(DbTx *tx, Owing *owing, PostingRule rule, LedgerKind against, int64_t amount)
{
    bool       posted;
    LedgerLeg  legs[] = { { LEDGER_RECEIVABLE, STR("acme"), amount },
                          { against, STR("any"), -amount } };
    LedgerPost one = { .project = { STR("t"), STR("p") },
                       .rule = rule,
                       .source = str_print(db_arena(tx), "post:%d", owing->posts++),
                       .currency = owing->usd,
                       .account = STR("acme"),
                       .legs = legs,
                       .count = 2 };
    return ledger_post(tx, &one, &posted);
}

static Err *owing_work(DbTx *tx, void *context)
{
    Owing       *owing = context;
    Case        *test = owing->test;
    ProjectId    project = { STR("t"), STR("p") };
    LedgerName   name = { LEDGER_RECEIVABLE, STR("acme"), owing->usd };
    for (const Json *item = case_member(test->input, "items")->first; item != NULL;
         item = item->next)
        TRY(post(tx, owing, POSTING_INVOICE, LEDGER_REVENUE, minor_of(test, item->text)));
    TRY(post(tx, owing, POSTING_PAYMENT, LEDGER_CASH,
             -minor_of(test, case_text(test->input, "paid"))));
    TRY(post(tx, owing, POSTING_REFUND, LEDGER_CASH,
             minor_of(test, case_text(test->input, "refunded"))));
    TRY(post(tx, owing, POSTING_CREDIT_NOTE, LEDGER_REVENUE,
             -minor_of(test, case_text(test->input, "credited"))));
    TRY(ledger_balance(tx, project, &name, &owing->receivable));
    name.kind = LEDGER_CUSTOMER_BALANCE;
    return ledger_balance(tx, project, &name, &owing->balance);
}

static Result account_balance(Case *test)
{
    static const StatementTable *const tables[] = { &ledger_table, NULL };
    static const char *const           known[] = { "sign", NULL };
    Owing                              owing = { .test = test };
    Db                                *db;
    char                               folder[] = "/tmp/toll_cases_XXXXXX";
    if (!case_knows(test, known))
        return CASE_UNKNOWN;
    log_threshold(LOG_WARN);
    assert_that(currency_find(STR("USD"), &owing.usd) && mkdtemp(folder) != NULL);
    Str       path = str_print(test->arena, "%s/books.sqlite", folder);
    DbOptions options = { .place = path, .migrations = db_migrations(), .tables = tables };
    Err      *err = db_open(test->arena, &options, &db);
    if (err == NULL) {
        err = db_write(db, test->arena, (DbWrite){ .work = owing_work, .context = &owing });
        db_close(db);
    }
    unlink(str_terminated(test->arena, path));
    rmdir(folder);
    if (err != NULL)
        return CASE_FAILED;
    Result sum = amount_is(test, "balance", case_text(test->expected, "balance"),
                           owing.receivable);
    case_and(&sum, amount_is(test, "credit balance", case_text(test->expected, "credit_balance"),
                             -owing.balance));
    return sum;
}

Adapter adapter_credits(Str model)
{
    static const struct {
        const char *model;
        Adapter     adapter;
    } rows[] = {
        { "grant_draw_down", grant_draw_down },
        { "credits_over_lines", credits_over_lines },
        { "wallets_to_invoice", wallets_to_invoice },
        { "credit_lots", credit_lots },
        { "coupon", coupon },
        { "coupons_in_sequence", coupons_in_sequence },
        { "discount_over_lines", discount_over_lines },
        { "credit_note", credit_note },
        { "account_balance", account_balance },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(model, str_of(rows[i].model)))
            return rows[i].adapter;
    return NULL;
}
