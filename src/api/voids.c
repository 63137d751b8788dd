// SPDX-License-Identifier: Apache-2.0
// Voids: events taken away by id or by filter, first for the sake of argument, then for good, and
// brought back. The token of a dry run says what was chosen and how; whoever sends it gets exactly
// that set or a refusal, and sent again it answers the void that it made.
#include "api/voids.h"

#include "api/cursor.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/bytes.h"
#include "catalog/body.h"
#include "flow/bill/affected_bills.h"

enum { BODY_DEPTH = 6, DIGEST_BYTES = 16 };

// What a request asks for.
typedef struct VoidRequest {
    const Json *choice;    // the object that holds uniqueIds or filter
    Str         token;     // STR_NONE: none
    Hash128     digest;    // of the set that the token stands for
    Str         reason;
    bool        is_dry_run;
} VoidRequest;

// ---- audit

static Err *note_write(DbTx *tx, void *context)
{
    return audit_add(tx, context);
}

Err *correction_note(const Request *request, const CorrectionNote *note)
{
    const Principal *principal = principal_of(request);
    AuditEntry       entry = {
              .tenant = principal->project.id.tenant,
              .project = principal->project.id.id,
              .at = now_of(request),
              .who = str_print(request->arena, "key:%.*s", STR_ARG(principal->key_id)),
              .action = str_of(note->action),
              .object = note->object,
              .reason = note->reason,
              .detail = note->detail,
    };
    return db_write(server_of(request)->books, request->arena,
                    (DbWrite){ .work = note_write, .context = &entry });
}

// ---- reading the body

static const char *const choice_members[] = { "uniqueIds", "filter", "token", "reason", "dryRun",
                                              NULL };
static const char *const filter_members[] = { "account", "event", "from", "to", "properties",
                                              NULL };

static void token_read(const Request *request, const Json *body, VoidRequest *wanted,
                       Faults *faults)
{
    const Json *token = body_find(body, "token");
    Json       *choice;
    Str         place;
    if (token == NULL)
        return;
    Err *err = NULL;
    if (token->kind != JSON_STRING ||
        (err = cursor_parse(request->arena, token->text, STR("void"), &place)) != NULL ||
        place.length < DIGEST_BYTES ||
        (err = json_parse_copy(request->arena,
                               (Str){ place.at + DIGEST_BYTES, place.length - DIGEST_BYTES },
                               &choice)) != NULL) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/token"),
                   "token must be one that a dry run answered");
        return;
    }
    wanted->token = token->text;
    wanted->digest = hash_read((const unsigned char *)place.at);
    wanted->choice = choice;
}

static bool bool_read(const Json *body, const char *name, Faults *faults)
{
    const Json *member = body_find(body, name);
    if (member != NULL && member->kind != JSON_TRUE && member->kind != JSON_FALSE)
        faults_add(faults, ERR_FIELD_INVALID, pointer_of(faults->arena, STR(""), str_of(name)),
                   "%s must be true or false", name);
    return member != NULL && member->kind == JSON_TRUE;
}

static Err *void_request_read(Request *request, VoidRequest *wanted)
{
    Faults faults = { .arena = request->arena };
    Json  *body;
    TRY(request_json_deep(request, BODY_DEPTH, &body));
    if (!body_members(body, choice_members, &faults))
        return faults.first;
    *wanted = (VoidRequest){ .choice = body };
    wanted->reason = body_text(body, "reason", VOID_REASON_BYTES, &faults);
    wanted->is_dry_run = bool_read(body, "dryRun", &faults);
    token_read(request, body, wanted, &faults);
    int ways = (body_find(body, "uniqueIds") != NULL) + (body_find(body, "filter") != NULL) +
               (body_find(body, "token") != NULL);
    if (ways != 1)
        faults_add(&faults, ways == 0 ? ERR_FIELD_REQUIRED : ERR_FIELD_INVALID, STR(""),
                   "one of uniqueIds, filter and token says what to void");
    if (wanted->is_dry_run && wanted->token.at != NULL)
        faults_add(&faults, ERR_FIELD_INVALID, STR("/dryRun"),
                   "the token is what a dry run answered: send it without dryRun");
    return faults.first;
}

static void ids_read(const Request *request, const Json *list, VoidIds *ids, Faults *faults)
{
    size_t most = server_of(request)->limits.events;
    if (list->kind != JSON_ARRAY || list->count == 0 || list->count > most) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/uniqueIds"),
                   "uniqueIds is a list of 1 to %zu ids", most);
        return;
    }
    Str *at = arena_array(request->arena, Str, list->count);
    for (const Json *id = list->first; id != NULL; id = id->next) {
        if (id->kind != JSON_STRING || !foreign_id_is_valid(id->text))
            faults_add(faults, ERR_FIELD_INVALID,
                       pointer_at(request->arena, STR("/uniqueIds"), ids->count),
                       "a uniqueId is 1 to 255 bytes of text without control characters");
        at[ids->count++] = id->text;
    }
    ids->at = at;
}

static bool text_of(Arena *arena, const Json *value, Str *text)
{
    switch (value->kind) {
    case JSON_STRING: *text = value->text; return true;
    case JSON_NUMBER: *text = properties_number(arena, value->text); return true;
    case JSON_TRUE: *text = STR("true"); return true;
    case JSON_FALSE: *text = STR("false"); return true;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return false;
}

// A text that the property must have, or a list of those it may have.
static void term_read(const Json *member, FilterTerm *term, Faults *faults)
{
    Arena *arena = faults->arena;
    bool   is_list = member->kind == JSON_ARRAY;
    size_t most = is_list ? member->count : 1;
    bool   fits = most >= 1 && most <= METER_FILTER_VALUES_MAX;
    *term = (FilterTerm){ .key = member->name, .values = arena_array(arena, Str, fits ? most : 1) };
    for (const Json *at = is_list ? member->first : member; fits && at != NULL;
         at = is_list ? at->next : NULL)
        fits = text_of(arena, at, &term->values[term->count++]);
    if (!fits)
        faults_add(faults, ERR_FIELD_INVALID,
                   pointer_of(arena, STR("/filter/properties"), member->name),
                   "a property is asked for by a text, or by a list of 1 to %d texts",
                   METER_FILTER_VALUES_MAX);
}

static void properties_read(const Json *object, Filter *filter, Faults *faults)
{
    if (object->kind != JSON_OBJECT || object->count > VOID_TERMS_MAX) {
        faults_add(faults, ERR_FIELD_INVALID, STR("/filter/properties"),
                   "properties is an object of at most %d properties", VOID_TERMS_MAX);
        return;
    }
    filter->terms = arena_array(faults->arena, FilterTerm, object->count);
    for (const Json *member = object->first; member != NULL; member = member->next)
        term_read(member, &filter->terms[filter->count++], faults);
}

// The pointers of body_text and its like begin at the object they read.
static void faults_under(Faults *faults, Err *first, Str parent)
{
    Err *err = first == NULL ? faults->first : first->next;
    for (; err != NULL; err = err->next)
        err->pointer = str_print(faults->arena, "%.*s%.*s", STR_ARG(parent), STR_ARG(err->pointer));
}

static void filter_read(const Request *request, const Json *object, VoidFilter *filter,
                        Faults *faults)
{
    Err        *before = faults->last;
    const Json *properties;
    *filter = (VoidFilter){ .project = project_of(request).id, .from = INSTANT_FIRST,
                            .to = INSTANT_END, .most = server_of(request)->limits.void_events };
    if (!body_members(object, filter_members, faults)) {
        faults_under(faults, before, STR("/filter"));
        return;
    }
    filter->account = body_text(object, "account", 255, faults);
    filter->event = body_text(object, "event", 128, faults);
    if (body_find(object, "from") != NULL)
        body_instant(object, "from", &filter->from, faults);
    if (body_find(object, "to") != NULL)
        body_instant(object, "to", &filter->to, faults);
    if (filter->account.at == NULL && filter->event.at == NULL && faults->last == before)
        faults_add(faults, ERR_FIELD_REQUIRED, STR(""), "account or event is required");
    if (filter->from.us >= filter->to.us)
        faults_add(faults, ERR_FIELD_INVALID, STR("/to"), "to must be after from");
    faults_under(faults, before, STR("/filter"));
    properties = body_find(object, "properties");
    if (properties != NULL)
        properties_read(properties, &filter->properties, faults);
}

// The events as they are at the moment.
static Err *set_choose(const Request *request, const Json *choice, UsageMoment *moment,
                       VoidSet **set)
{
    Faults      faults = { .arena = request->arena };
    const Json *list = body_find(choice, "uniqueIds"), *object = body_find(choice, "filter");
    VoidIds     ids = { .project = project_of(request).id };
    VoidFilter  filter;
    if (list != NULL)
        ids_read(request, list, &ids, &faults);
    else
        filter_read(request, object, &filter, &faults);
    if (faults.first != NULL)
        return faults.first;
    if (list != NULL)
        return usage_choose_ids(moment, request->arena, &ids, set);
    return usage_choose(moment, request->arena, &filter, set);
}

// ---- the answers

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

// What a void came to, or would.
typedef struct Effect {
    Str      id, token;  // STR_NONE: none
    size_t   count;
    uint64_t upto;
    uint64_t sequence;   // 0: nothing was done
    AffectedBills bills;
} Effect;

static void bill_print(JsonOut *out, const AffectedBill *bill)
{
    Arena *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "subscription", bill->subscription);
    json_string_member(out, "account", bill->account);
    json_name(out, STR("period"));
    json_object(out);
    json_string_member(out, "start", instant_print(arena, bill->period.start));
    json_string_member(out, "end", instant_print(arena, bill->period.end));
    json_object_end(out);
    json_string_member(out, "currency", bill->currency);
    text_or_null(out, "before", bill->has_before ? money_print(arena, bill->before) : STR_NONE);
    text_or_null(out, "after", bill->has_after ? money_print(arena, bill->after) : STR_NONE);
    json_object_end(out);
}

static void effect_print(JsonOut *out, const Effect *effect)
{
    Arena *arena = out->text->arena;
    json_object(out);
    text_or_null(out, "id", effect->id);
    json_whole_member(out, "count", (int64_t)effect->count);
    json_string_member(out, "uptoSequence", usage_sequence_print(arena, effect->upto));
    text_or_null(out, "sequence",
                 effect->sequence == 0 ? STR_NONE : usage_sequence_print(arena, effect->sequence));
    text_or_null(out, "token", effect->token);
    json_name(out, STR("bills"));
    json_array(out);
    for (size_t i = 0; i < effect->bills.count; i++)
        bill_print(out, &effect->bills.at[i]);
    json_array_end(out);
    json_whole_member(out, "accountsLeftOut", (int64_t)effect->bills.left_out);
    json_object_end(out);
}

static void void_print(JsonOut *out, const Void *shown)
{
    Arena *arena = out->text->arena;
    json_object(out);
    json_string_member(out, "id", shown->id);
    json_string_member(out, "at", instant_print(arena, shown->at));
    json_whole_member(out, "count", (int64_t)shown->count);
    text_or_null(out, "reason", shown->reason.length == 0 ? STR_NONE : shown->reason);
    json_string_member(out, "uptoSequence", usage_sequence_print(arena, shown->upto));
    json_string_member(out, "sequence", usage_sequence_print(arena, shown->sequence));
    json_bool_member(out, "reverted", shown->is_reverted);
    text_or_null(out, "revertedAt",
                 shown->is_reverted ? instant_print(arena, shown->reverted_at) : STR_NONE);
    json_object_end(out);
}

// ---- what it does to bills

// The two moments that bills are compared at.
typedef struct Sides {
    uint64_t       before, after;  // sequences
    const VoidSet *without;        // of the second moment, for the sake of argument; or NULL
} Sides;

static Err *sides_compare(Request *request, const VoidSet *set, UsageMoment *moments[2],
                          AffectedBills *bills)
{
    AffectedQuery query = { .catalog = server_of(request)->catalog,
                            .project = project_of(request),
                            .before = moments[0], .after = moments[1],
                            .rated_at = now_of(request) };
    query.accounts = void_set_instants(set, request->arena, &query.account_count);
    return bill_affected(request->arena, &query, bills);
}

static Err *bills_compare(Request *request, const VoidSet *set, const Sides *sides,
                          AffectedBills *bills)
{
    Partition   *partition = server_of(request)->partition;
    UsageMoment *moments[2] = { NULL, NULL };
    TRY(usage_moment_open(partition, request->arena, sides->before, &moments[0]));
    Err *err = usage_moment_open(partition, request->arena, sides->after, &moments[1]);
    if (err == NULL && sides->without != NULL)
        usage_moment_without(moments[1], sides->without);
    if (err == NULL)
        err = sides_compare(request, set, moments, bills);
    usage_moment_close(moments[0]);
    usage_moment_close(moments[1]);
    return err;
}

// Of a void that was made.
static Err *effect_bills(Request *request, UsageMoment *moment, Effect *effect)
{
    VoidSet *set;
    Sides    sides = { effect->sequence - 1, effect->sequence, NULL };
    TRY(usage_choose_void(moment, request->arena, project_of(request).id, effect->id, &set));
    return bills_compare(request, set, &sides, &effect->bills);
}

static Err *made_bills(Request *request, Effect *effect)
{
    UsageMoment *moment;
    TRY(usage_moment_open(server_of(request)->partition, request->arena, SEQUENCE_NEWEST, &moment));
    Err *err = effect_bills(request, moment, effect);
    usage_moment_close(moment);
    return err;
}

// ---- voiding

static Str token_print(Arena *arena, const VoidRequest *wanted, const VoidSet *set)
{
    unsigned char digest[DIGEST_BYTES];
    Text          place = text_open(arena);
    JsonOut       out = json_out(&place);
    hash_write(void_set_digest(set), digest);
    text_add_bytes(&place, digest, sizeof digest);
    json_object(&out);
    for (const Json *member = wanted->choice->first; member != NULL; member = member->next)
        if (str_equal(member->name, STR("uniqueIds")) || str_equal(member->name, STR("filter"))) {
            json_name(&out, member->name);
            json_value(&out, member);
        }
    json_object_end(&out);
    return cursor_print(arena, STR("void"), text_str(&place));
}

// Names the void that a token made.
static Hash128 key_of(const Request *request, const VoidRequest *wanted)
{
    if (wanted->token.at == NULL)
        return (Hash128){ 0, 0 };
    Text text = text_open(request->arena);
    text_add_counted(&text, project_of(request).tenant);
    text_add_counted(&text, project_of(request).id);
    text_add(&text, wanted->token);
    return hash_keyed(&server_of(request)->identity, text_str(&text));
}

static Err *void_note(const Request *request, const char *action, const Void *made)
{
    CorrectionNote note = {
        .action = action,
        .object = made->id,
        .reason = made->reason.length == 0 ? STR_NONE : made->reason,
        .detail = str_print(request->arena, "{\"count\":%zu,\"sequence\":\"%.*s\"}", made->count,
                            STR_ARG(usage_sequence_print(request->arena, made->sequence))),
    };
    return correction_note(request, &note);
}

static Effect effect_of(const Void *made)
{
    return (Effect){ .id = made->id, .count = made->count, .upto = made->upto,
                     .sequence = made->sequence };
}

static Err *set_void(Request *request, const VoidRequest *wanted, const VoidSet *set,
                     Effect *effect)
{
    VoidOrder order = { .set = set, .reason = wanted->reason, .key = key_of(request, wanted),
                        .is_exact = wanted->token.at != NULL };
    Void     *made;
    if (order.is_exact && !hash_equal(void_set_digest(set), wanted->digest))
        return refuse(request->arena, ERR_VOID_TOKEN_STALE, STR_NONE, "since the dry run events "
                      "came, or were corrected: the set is another one now");
    TRY(partition_void(server_of(request)->partition, request->arena, &order, &made));
    if (made == NULL)
        return NULL;
    *effect = effect_of(made);
    return void_note(request, "usage.void", made);
}

// Into `effect`, at a moment.
static Err *moment_void(Request *request, const VoidRequest *wanted, UsageMoment *moment,
                        Effect *effect)
{
    VoidSet *set;
    TRY(set_choose(request, wanted->choice, moment, &set));
    effect->upto = usage_moment_sequence(moment);
    if (!wanted->is_dry_run)
        return set_void(request, wanted, set, effect);
    Sides sides = { effect->upto, effect->upto, set };
    effect->count = void_set_count(set);
    effect->token = token_print(request->arena, wanted, set);
    return bills_compare(request, set, &sides, &effect->bills);
}

static Err *measurements_void(Request *request, Response *response)
{
    Server      *server = server_of(request);
    VoidRequest  wanted;
    UsageMoment *moment;
    Effect       effect = { 0 };
    Void        *made = NULL;
    TRY(void_request_read(request, &wanted));
    if (wanted.token.at != NULL)
        made = usage_void_of_key(server->partition, request->arena, key_of(request, &wanted));
    if (made != NULL) {
        effect = effect_of(made);
    } else {
        TRY(usage_moment_open(server->partition, request->arena, SEQUENCE_NEWEST, &moment));
        Err *err = moment_void(request, &wanted, moment, &effect);
        usage_moment_close(moment);
        if (err != NULL)
            return err;
    }
    if (effect.sequence != 0)
        TRY(made_bills(request, &effect));
    JsonOut out = response_json(response);
    effect_print(&out, &effect);
    return NULL;
}

// ---- reading and reverting

static Err *void_get(Request *request, Response *response)
{
    Void *found;
    TRY(usage_void_find(server_of(request)->partition, request->arena, project_of(request).id,
                        request_path(request, "id"), &found));
    JsonOut out = response_json(response);
    void_print(&out, found);
    return NULL;
}

static Err *void_list(Request *request, Response *response)
{
    static const Str filters = STR_INIT("voids");
    VoidPage page = { .project = project_of(request).id };
    Str      cursor, place, next = STR_NONE;
    TRY(request_limit(request, &page.limit));
    if (request_query(request, "cursor", &cursor)) {
        TRY(cursor_parse(request->arena, cursor, filters, &place));
        Reader reader = reader_of(place);
        page.has_before = true;
        page.before = reader_varint(&reader);
    }
    VoidList list = usage_voids(server_of(request)->partition, request->arena, &page);
    if (list.has_more) {
        Text behind = text_open(request->arena);
        text_add_varint(&behind, list.at[list.count - 1].sequence);
        next = cursor_print(request->arena, filters, text_str(&behind));
    }
    JsonOut out = response_list_begin(response);
    for (size_t i = 0; i < list.count; i++)
        void_print(&out, &list.at[i]);
    response_list_end(&out, next);
    return NULL;
}

static Err *void_revert(Request *request, Response *response)
{
    Partition *partition = server_of(request)->partition;
    Str        project = project_of(request).id, id = request_path(request, "id");
    Void      *before, *reverted;
    TRY(usage_void_find(partition, request->arena, project, id, &before));
    TRY(partition_void_revert(partition, request->arena, project, id, &reverted));
    if (!before->is_reverted)
        TRY(void_note(request, "usage.revert", reverted));
    JsonOut out = response_json(response);
    void_print(&out, reverted);
    return NULL;
}

// ---- shapes and routes

static const Field void_filter_fields[] = {
    MEMBER("account", TEXT, .least = 1, .most = 255, .nullable = true,
           .doc = "Events of this account. It or `event` is required."),
    MEMBER("event", TEXT, .least = 1, .most = 128, .nullable = true,
           .doc = "Events of this stream."),
    MEMBER("from", INSTANT, .nullable = true, .doc = "ts at or after this."),
    MEMBER("to", INSTANT, .nullable = true, .doc = "ts before this."),
    MEMBER("properties", MAP, .of = KIND_JSON, .nullable = true,
           .doc = "Each property with the text it must have, or a list of those it may have."),
};
static const Shape void_filter_shape = SHAPE("VoidFilter", void_filter_fields,
                                             .doc = "Which events: all of it must hold.");

static const Field void_body_fields[] = {
    MEMBER("uniqueIds", ARRAY, .of = KIND_TEXT, .nullable = true,
           .doc = "The events, by id: at most 10,000."),
    MEMBER("filter", OBJECT, .shape = &void_filter_shape, .nullable = true,
           .doc = "Or all events that this holds for: at most 1,000,000."),
    MEMBER("token", TEXT, .nullable = true,
           .doc = "Or exactly those that a dry run answered this token for."),
    MEMBER("reason", TEXT, .least = 1, .most = VOID_REASON_BYTES, .nullable = true,
           .doc = "For people, and the audit."),
    MEMBER("dryRun", BOOL, .nullable = true, .doc = "Tell what would be voided, and do nothing."),
};
static const Shape void_body_shape = SHAPE("VoidBody", void_body_fields,
                                           .doc = "What to take away.");

static const Field period_fields[] = {
    MEMBER("start", INSTANT, .required = true, .doc = "Its first instant."),
    MEMBER("end", INSTANT, .required = true, .doc = "The first instant behind it."),
};
static const Shape period_shape = SHAPE("BillPeriod", period_fields, .doc = "A billing period.");

static const Field affected_fields[] = {
    MEMBER("subscription", TEXT, .required = true, .doc = "Whose bill."),
    MEMBER("account", TEXT, .required = true, .doc = "Who pays it."),
    MEMBER("period", OBJECT, .required = true, .shape = &period_shape,
           .doc = "One that holds such events, or looks back to them."),
    MEMBER("currency", TEXT, .required = true, .doc = "Of both amounts."),
    MEMBER("before", DECIMAL, .required = true, .nullable = true,
           .doc = "Its total with the events; null when it cannot be rated."),
    MEMBER("after", DECIMAL, .required = true, .nullable = true,
           .doc = "Its total without them; null when it cannot be rated."),
};
static const Shape affected_shape = SHAPE("AffectedBill", affected_fields,
                                          .doc = "A bill whose total is another one.");

static const Field effect_fields[] = {
    MEMBER("id", TEXT, .required = true, .nullable = true,
           .doc = "The void; null when nothing was left to void, and for a dry run."),
    MEMBER("count", WHOLE, .required = true, .doc = "Events that it takes away."),
    MEMBER("uptoSequence", TEXT, .required = true,
           .doc = "Events that arrived behind this were not looked at."),
    MEMBER("sequence", TEXT, .required = true, .nullable = true,
           .doc = "Usage read as of this, or newer, does not count the events."),
    MEMBER("token", TEXT, .required = true, .nullable = true,
           .doc = "Of a dry run: sent back, it voids exactly these events."),
    MEMBER("bills", ARRAY, .required = true, .shape = &affected_shape,
           .doc = "Bills whose totals change: of the periods that hold the events, and of later "
                  "ones that look back to them; at most 1,000 periods are rated."),
    MEMBER("accountsLeftOut", WHOLE, .required = true,
           .doc = "Accounts with such events that are not among them, or not with all of their "
                  "bills, for that reason."),
};
static const Shape effect_shape = SHAPE("VoidEffect", effect_fields,
                                        .doc = "What a void takes away.");

static const Field void_fields[] = {
    MEMBER("id", TEXT, .required = true, .doc = "The void."),
    MEMBER("at", INSTANT, .required = true, .doc = "When it was made."),
    MEMBER("count", WHOLE, .required = true, .doc = "Events that it took away."),
    MEMBER("reason", TEXT, .required = true, .nullable = true, .doc = "As given."),
    MEMBER("uptoSequence", TEXT, .required = true,
           .doc = "Events that arrived behind this were not looked at."),
    MEMBER("sequence", TEXT, .required = true,
           .doc = "Usage read as of this, or newer, does not count the events."),
    MEMBER("reverted", BOOL, .required = true, .doc = "Whether its events count again."),
    MEMBER("revertedAt", INSTANT, .required = true, .nullable = true, .doc = "Since when."),
};
static const Shape void_shape = SHAPE("Void", void_fields, .doc = "Events that were taken away.");

static const Field list_fields[] = { LIST_SHAPE("Voids, newest first.", &void_shape) };
static const Shape list_shape = SHAPE("VoidList", list_fields, .doc = "A page of voids.");

static const Parameter list_query[] = { PAGE_PARAMETERS };

#define WRITE_REFUSES ERR_QUEUE_FULL, ERR_JOURNAL_FAILED, ERR_NOT_READY, ERR_STORE_FAILED

const Route api_voids_routes[] = {
    { .name = "voidMeasurements",
      .method = METHOD_POST,
      .path = "/v1/measurements/void",
      .at = AT_OWNER,
      .scope = "usage:correct",
      .takes = &void_body_shape,
      .gives = &effect_shape,
      REFUSES(ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID, ERR_EVENT_NOT_FOUND,
              ERR_VOID_TOO_LARGE, ERR_VOID_TOKEN_STALE, WRITE_REFUSES),
      .handler = measurements_void,
      .doc = "Take events away, by id or by filter; with dryRun, tell what that would do." },
    { .name = "amendMeasurements",
      .method = METHOD_POST,
      .path = "/v1/measurements/amend",
      .at = AT_OWNER,
      .scope = "usage:correct",
      .takes = &amend_body_shape,
      .gives = &amend_answer_shape,
      REFUSES(ERR_TOO_MANY_EVENTS, ERR_UNKNOWN_MEMBER, ERR_FIELD_REQUIRED, ERR_FIELD_INVALID,
              ERR_INVALID_VALUE, ERR_INVALID_TIMESTAMP, ERR_TIMESTAMP_IN_FUTURE,
              ERR_TIMESTAMP_TOO_OLD, ERR_EVENT_NOT_FOUND, ERR_TOO_MANY_PROPERTIES, ERR_STORE_BUSY,
              ERR_SEALING_BEHIND, WRITE_REFUSES),
      .handler = measurements_amend,
      .doc = "Replace value, ts or properties of stored events under their ids: all of them or "
             "none." },
    { .name = "listVoids",
      .method = METHOD_GET,
      .path = "/v1/voids",
      .at = AT_OWNER,
      .scope = "usage:read",
      QUERY(list_query),
      .gives = &list_shape,
      REFUSES(ERR_CURSOR_INVALID),
      .handler = void_list,
      .doc = "The project's voids, newest first." },
    { .name = "getVoid",
      .method = METHOD_GET,
      .path = "/v1/voids/{id}",
      .at = AT_OWNER,
      .scope = "usage:read",
      .gives = &void_shape,
      REFUSES(ERR_VOID_NOT_FOUND),
      .handler = void_get,
      .doc = "One void." },
    { .name = "revertVoid",
      .method = METHOD_POST,
      .path = "/v1/voids/{id}/revert",
      .at = AT_OWNER,
      .scope = "usage:correct",
      .gives = &void_shape,
      REFUSES(ERR_VOID_NOT_FOUND, WRITE_REFUSES),
      .handler = void_revert,
      .doc = "Let the events of a void count again, but for those that another void holds or that "
             "were amended." },
};
const size_t api_voids_route_count = sizeof api_voids_routes / sizeof *api_voids_routes;
