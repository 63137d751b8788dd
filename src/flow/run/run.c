// SPDX-License-Identifier: Apache-2.0
// Runs and their items on the wire.
#include "flow/run/run.h"

static void text_or_null(JsonOut *out, const char *name, Str text)
{
    if (text.at == NULL)
        json_null_member(out, name);
    else
        json_string_member(out, name, text);
}

static void instant_or_null(JsonOut *out, Arena *arena, const char *name, bool is_there,
                            Instant instant)
{
    text_or_null(out, name, is_there ? instant_print(arena, instant) : STR_NONE);
}

static void error_member(JsonOut *out, Str code, Str detail)
{
    if (code.at == NULL) {
        json_null_member(out, "error");
        return;
    }
    json_name(out, STR("error"));
    json_object(out);
    json_string_member(out, "code", code);
    json_string_member(out, "detail", detail);
    json_object_end(out);
}

void run_to_json(const BillingRun *run, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", run->id);
    json_string_member(out, "kind", str_of(run_kind_names[run->kind]));
    json_string_member(out, "at", instant_print(arena, run->at));
    json_string_member(out, "status", str_of(operation_status_name(run->status)));
    json_string_member(out, "operation", run->operation);
    json_whole_member(out, "attempt", run->attempt);
    json_whole_member(out, "accounts", run->accounts);
    json_bool_member(out, "isWalked", run->is_walked);
    json_whole_member(out, "invoices", run->invoices);
    json_whole_member(out, "failed", run->failed);
    error_member(out, run->error_code, run->error_detail);
    json_string_member(out, "createdAt", instant_print(arena, run->created_at));
    instant_or_null(out, arena, "startedAt", run->has_started, run->started_at);
    instant_or_null(out, arena, "endedAt", run->has_ended, run->ended_at);
    json_object_end(out);
}

void run_item_to_json(const RunItem *item, Arena *arena, JsonOut *out)
{
    json_object(out);
    json_whole_member(out, "number", item->number);
    json_string_member(out, "status", str_of(run_item_state_names[item->state]));
    text_or_null(out, "account", item->account.length == 0 ? STR_NONE : item->account);
    text_or_null(out, "currency", item->currency);
    instant_or_null(out, arena, "at", item->currency.at != NULL, item->boundary);
    text_or_null(out, "invoice", item->invoice);
    json_whole_member(out, "attempt", item->attempt);
    error_member(out, item->error_code, item->error_detail);
    json_object_end(out);
}
