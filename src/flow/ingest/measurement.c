// SPDX-License-Identifier: Apache-2.0
// The members of an object are first assigned to roles by the dialect's table of names, then each
// role is checked by the same rules whatever the dialect. The first fault in precedence stays.
#include "flow/ingest/measurement.h"

#include "base/assert.h"
#include "base/hash.h"

typedef enum Role {
    ROLE_EVENT, ROLE_ACCOUNT, ROLE_VALUE, ROLE_TS, ROLE_ID, ROLE_PROPERTIES,
    ROLE_SOURCE, ROLE_VERSION, ROLE_DATA, ROLE_DATA_BASE64, ROLE_COUNT
} Role;

typedef struct RoleName {
    Str  name;
    Role role;
} RoleName;

typedef struct DialectRow {
    const RoleName *names;  // the first of a role is the one that a refusal asks for
    size_t          count;
    enum { UNKNOWN_REFUSED, UNKNOWN_IGNORED } unknown;
    enum { NULL_IS_VALUE, NULL_IS_ABSENT } null;
} DialectRow;

// STR() is a compound literal, which gcc does not take in a static table.
#define ROLE_NAME(literal, its_role) { { literal, sizeof(literal) - 1 }, its_role }

static const RoleName toll_names[] = {
    ROLE_NAME("meter", ROLE_EVENT),     ROLE_NAME("account", ROLE_ACCOUNT),
    ROLE_NAME("value", ROLE_VALUE),     ROLE_NAME("ts", ROLE_TS),
    ROLE_NAME("uniqueId", ROLE_ID),     ROLE_NAME("properties", ROLE_PROPERTIES),
};

static const RoleName alias_names[] = {
    ROLE_NAME("meter", ROLE_EVENT),     ROLE_NAME("tenantId", ROLE_ACCOUNT),
    ROLE_NAME("account", ROLE_ACCOUNT), ROLE_NAME("quantity", ROLE_VALUE),
    ROLE_NAME("value", ROLE_VALUE),     ROLE_NAME("ts", ROLE_TS),
    ROLE_NAME("idempotency_key", ROLE_ID), ROLE_NAME("uniqueId", ROLE_ID),
    ROLE_NAME("properties", ROLE_PROPERTIES),
};

static const RoleName cloudevent_names[] = {
    ROLE_NAME("type", ROLE_EVENT),      ROLE_NAME("subject", ROLE_ACCOUNT),
    ROLE_NAME("time", ROLE_TS),         ROLE_NAME("id", ROLE_ID),
    ROLE_NAME("source", ROLE_SOURCE),   ROLE_NAME("specversion", ROLE_VERSION),
    ROLE_NAME("data", ROLE_DATA),       ROLE_NAME("data_base64", ROLE_DATA_BASE64),
};

#define ROWS(names) names, sizeof(names) / sizeof *(names)
static const DialectRow dialects[] = {
    [DIALECT_TOLL] = { ROWS(toll_names), UNKNOWN_REFUSED, NULL_IS_VALUE },
    [DIALECT_ALIAS] = { ROWS(alias_names), UNKNOWN_REFUSED, NULL_IS_VALUE },
    [DIALECT_CLOUDEVENT] = { ROWS(cloudevent_names), UNKNOWN_IGNORED, NULL_IS_ABSENT },
};

// One event on its way.
typedef struct Reading {
    const MeasurementReader *reader;
    const DialectRow        *dialect;
    const Json              *at[ROLE_COUNT];
    Event                   *event;
} Reading;

static void fault(Reading *reading, Err *err)
{
    Err *before = reading->event->refusal;
    if (before == NULL || err->code < before->code)
        reading->event->refusal = err;
}

static Str pointer_of(const Reading *reading, Str name)
{
    return str_print(reading->reader->arena, "/%.*s", STR_ARG(name));
}

static void fault_at(Reading *reading, ErrCode code, const Json *member, const char *rule)
{
    Arena *arena = reading->reader->arena;
    fault(reading, refuse(arena, code, pointer_of(reading, member->name), "%.*s %s",
                          STR_ARG(member->name), rule));
}

static void fault_missing(Reading *reading, Role role)
{
    Arena *arena = reading->reader->arena;
    for (size_t i = 0; i < reading->dialect->count; i++) {
        const RoleName *row = &reading->dialect->names[i];
        if (row->role == role) {
            fault(reading, refuse(arena, ERR_FIELD_REQUIRED, pointer_of(reading, row->name),
                                  "%.*s is required", STR_ARG(row->name)));
            return;
        }
    }
    assert_that(false);  // every role that can be missing has a name
}

// What a caller is told of a name that is not known: as much as a name may be long.
static void fault_unknown(Reading *reading, const Json *member)
{
    Arena *arena = reading->reader->arena;
    Str    name = member->name;
    if (name.length > EVENT_NAME_BYTES)
        name = STR("...");
    fault(reading, refuse(arena, ERR_UNKNOWN_MEMBER, pointer_of(reading, name),
                          "the member %.*s is not known", STR_ARG(name)));
}

static const RoleName *role_find(const DialectRow *dialect, Str name)
{
    for (size_t i = 0; i < dialect->count; i++)
        if (str_equal(dialect->names[i].name, name))
            return &dialect->names[i];
    return NULL;
}

static void roles_assign(Reading *reading, const Json *object)
{
    for (const Json *member = object->first; member != NULL; member = member->next) {
        const RoleName *row = role_find(reading->dialect, member->name);
        if (row == NULL) {
            if (reading->dialect->unknown == UNKNOWN_REFUSED)
                fault_unknown(reading, member);
            continue;
        }
        if (member->kind == JSON_NULL && reading->dialect->null == NULL_IS_ABSENT)
            continue;
        if (reading->at[row->role] != NULL)
            fault_at(reading, ERR_FIELD_INVALID, member, "says again what another member says");
        reading->at[row->role] = member;
    }
}

static bool is_id(Str text)
{
    return text.length >= 1 && text.length <= EVENT_ID_BYTES && !str_has_control(text);
}

static bool is_name(Str text)
{
    if (text.length < 1 || text.length > EVENT_NAME_BYTES)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9');
        bool mark = byte == '.' || byte == '_' || byte == ':' || byte == '-';
        if (!plain && (!mark || i == 0))
            return false;
    }
    return true;
}

// The place of a name in the request's memory. Names that share one are asked for again.
static MeasurementName *place_of(MeasurementName *names, Str name)
{
    size_t place = name.length * 31;
    if (name.length > 0)
        place += (unsigned char)name.at[0] + 7U * (unsigned char)name.at[name.length - 1];
    return &names[place % MEASUREMENT_NAMES];
}

#define NO_FAULT ERR_COUNT

// Only names that passed is_name are remembered, so that one that is there need not pass again.
static ErrCode event_judge(const MeasurementReader *reader, Str name)
{
    MeasurementName *seen = place_of(reader->names->events, name);
    if (seen->name.at == NULL || !str_equal(seen->name, name)) {
        if (!is_name(name))
            return ERR_FIELD_INVALID;
        *seen = (MeasurementName){ name, reader->rules->event_known(reader->rules->context, name) };
    }
    return seen->known ? NO_FAULT : ERR_UNKNOWN_METER;
}

static ErrCode account_judge(const MeasurementReader *reader, Str name)
{
    if (!is_id(name))
        return ERR_FIELD_INVALID;
    if (reader->rules->account_known == NULL)
        return NO_FAULT;
    MeasurementName *seen = place_of(reader->names->accounts, name);
    if (seen->name.at == NULL || !str_equal(seen->name, name))
        *seen = (MeasurementName){ name, reader->rules->account_known(reader->rules->context,
            name) };
    return seen->known ? NO_FAULT : ERR_UNKNOWN_ACCOUNT;
}

static void event_read(Reading *reading)
{
    const Json *member = reading->at[ROLE_EVENT];
    if (member == NULL) {
        fault_missing(reading, ROLE_EVENT);
        return;
    }
    ErrCode code = ERR_FIELD_INVALID;
    if (member->kind == JSON_STRING)
        code = event_judge(reading->reader, member->text);
    if (code == ERR_FIELD_INVALID)
        fault_at(reading, code, member, "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : - "
                                        "and begin with a letter or digit");
    else if (code == ERR_UNKNOWN_METER)
        fault(reading, refuse(reading->reader->arena, code, pointer_of(reading, member->name),
                              "no meter counts the event %.*s: PUT /v1/meters/{id} declares one",
                              STR_ARG(member->text)));
    else
        reading->event->event = member->text;
}

#define ID_RULE "must be 1 to 255 bytes of text without control characters"

static void account_read(Reading *reading)
{
    const Json *member = reading->at[ROLE_ACCOUNT];
    if (member == NULL) {
        fault_missing(reading, ROLE_ACCOUNT);
        return;
    }
    ErrCode code = ERR_FIELD_INVALID;
    if (member->kind == JSON_STRING)
        code = account_judge(reading->reader, member->text);
    if (code == ERR_FIELD_INVALID)
        fault_at(reading, code, member, ID_RULE);
    else if (code == ERR_UNKNOWN_ACCOUNT)
        fault(reading, refuse(reading->reader->arena, code, pointer_of(reading, member->name),
                              "there is no account %.*s", STR_ARG(member->text)));
    else
        reading->event->account = member->text;
}

static void value_read(Reading *reading, const Json *member)
{
    if (member == NULL) {
        reading->event->value = decimal_whole(1);
        return;
    }
    bool has_text = member->kind == JSON_NUMBER || member->kind == JSON_STRING;
    if (has_text && decimal_parse(member->text, DECIMAL_EVENT_DIGITS, &reading->event->value))
        return;
    bool of_data = reading->reader->dialect == DIALECT_CLOUDEVENT;
    fault(reading, refuse(reading->reader->arena, ERR_INVALID_VALUE,
                          of_data ? STR("/data/value") : pointer_of(reading, member->name),
                          "%.*s must be a decimal with at most 15 digits before "
                          "and 12 after the point", STR_ARG(member->name)));
}

static void ts_read(Reading *reading)
{
    const Json        *member = reading->at[ROLE_TS];
    const IngestRules *rules = reading->reader->rules;
    Event             *event = reading->event;
    event->ts = rules->now;
    if (member == NULL)
        return;
    event->ts_given = true;
    if (member->kind != JSON_STRING || !instant_parse(member->text, &event->ts)) {
        fault_at(reading, ERR_INVALID_TIMESTAMP, member,
                 "must be an RFC 3339 instant such as 2026-06-10T14:02:11Z");
        return;
    }
    if (event->ts.us - rules->now.us > rules->future_us)
        fault_at(reading, ERR_TIMESTAMP_IN_FUTURE, member,
                 "is too far ahead of the server's clock");
    if (rules->horizon_us > 0 && rules->now.us - event->ts.us > rules->horizon_us)
        fault_at(reading, ERR_TIMESTAMP_TOO_OLD, member, "is older than the project accepts");
}

static void id_read(Reading *reading)
{
    const Json *member = reading->at[ROLE_ID];
    Str         header = reading->reader->rules->header_key;
    if (member == NULL && reading->reader->dialect == DIALECT_ALIAS && header.at != NULL) {
        if (is_id(header) && str_is_utf8(header))
            reading->event->unique_id = header;
        else
            fault(reading, refuse(reading->reader->arena, ERR_FIELD_INVALID, STR_NONE,
                                  "the Idempotency-Key header " ID_RULE));
    } else if (member == NULL) {
        fault_missing(reading, ROLE_ID);
    } else if (member->kind != JSON_STRING || !is_id(member->text)) {
        fault_at(reading, ERR_FIELD_INVALID, member, ID_RULE);
    } else {
        reading->event->unique_id = member->text;
    }
}

// Every byte but A-Za-z0-9._~- as %XX, so that the first "|" is where the source ends.
static void percent_add(Text *out, Str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '~' ||
                     byte == '-';
        if (plain) {
            text_add_char(out, (char)byte);
        } else {
            text_add_char(out, '%');
            text_add_char(out, digits[byte >> 4]);
            text_add_char(out, digits[byte & 15]);
        }
    }
}

static bool text_is_given(Reading *reading, Role role)
{
    const Json *member = reading->at[role];
    if (member == NULL)
        fault_missing(reading, role);
    else if (member->kind != JSON_STRING || !is_id(member->text))
        fault_at(reading, ERR_FIELD_INVALID, member, ID_RULE);
    else
        return true;
    return false;
}

static void cloudevent_id_read(Reading *reading)
{
    bool has_id = text_is_given(reading, ROLE_ID);
    bool has_source = text_is_given(reading, ROLE_SOURCE);
    if (!has_id || !has_source)
        return;
    Text id = text_open(reading->reader->arena);
    percent_add(&id, reading->at[ROLE_SOURCE]->text);
    text_add_char(&id, '|');
    text_add(&id, reading->at[ROLE_ID]->text);
    if (is_id(text_str(&id)))
        reading->event->unique_id = text_str(&id);
    else
        fault_at(reading, ERR_FIELD_INVALID, reading->at[ROLE_ID],
                 "with the percent-encoded source and \"|\" before it must have at most 255 bytes");
}

static void cloudevent_version_check(Reading *reading)
{
    const Json *member = reading->at[ROLE_VERSION];
    if (member == NULL)
        fault_missing(reading, ROLE_VERSION);
    else if (member->kind != JSON_STRING || !str_equal(member->text, STR("1.0")))
        fault_at(reading, ERR_FIELD_INVALID, member, "must be \"1.0\"");
}

static void properties_read(Reading *reading, const Json *member, Str except)
{
    if (member == NULL)
        return;
    if (member->kind != JSON_OBJECT) {
        fault_at(reading, ERR_FIELD_INVALID, member, "must be an object");
        return;
    }
    bool           of_data = reading->reader->dialect == DIALECT_CLOUDEVENT;
    PropertyLimits limits = reading->reader->rules->properties;
    if (limits.count == 0 && limits.key_bytes == 0 && limits.text_bytes == 0)
        limits = PROPERTY_LIMITS;
    PropertySource source = { member, except, of_data ? STR("/data") : STR("/properties"), limits };
    Err *err = properties_from_json(reading->reader->arena, source, &reading->event->properties);
    if (err != NULL)
        fault(reading, err);
}

static void cloudevent_data_read(Reading *reading)
{
    const Json *data = reading->at[ROLE_DATA];
    if (reading->at[ROLE_DATA_BASE64] != NULL)
        fault_at(reading, ERR_FIELD_INVALID, reading->at[ROLE_DATA_BASE64],
                 "is not accepted: data must be JSON");
    value_read(reading, data == NULL ? NULL : json_find(data, STR("value")));
    properties_read(reading, data, STR("value"));
}

static void members_read(Reading *reading)
{
    event_read(reading);
    account_read(reading);
    ts_read(reading);
    if (reading->reader->dialect == DIALECT_CLOUDEVENT) {
        cloudevent_version_check(reading);
        cloudevent_id_read(reading);
        cloudevent_data_read(reading);
    } else {
        id_read(reading);
        value_read(reading, reading->at[ROLE_VALUE]);
        properties_read(reading, reading->at[ROLE_PROPERTIES], STR_NONE);
    }
}

void measurement_read(const MeasurementReader *reader, const Json *object, Event *event)
{
    const IngestRules *rules = reader->rules;
    *event = (Event){ .index = event->index };
    if (object->kind != JSON_OBJECT) {
        event->refusal = refuse(reader->arena, ERR_FIELD_INVALID, STR_NONE,
                                "an event must be an object");
        return;
    }

    Reading reading = { .reader = reader, .dialect = &dialects[reader->dialect], .event = event };
    roles_assign(&reading, object);
    members_read(&reading);

    if (event->refusal == NULL)
        event_identify(event, rules->project, &rules->key);
}
