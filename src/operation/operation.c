// SPDX-License-Identifier: Apache-2.0
// An operation as the wire contract shows it.
#include "operation/operation.h"

#include "base/assert.h"

static const char *const names[OPERATION_STATUS_COUNT] = {
    [OPERATION_QUEUED] = "queued",       [OPERATION_RUNNING] = "running",
    [OPERATION_SUCCEEDED] = "succeeded", [OPERATION_FAILED] = "failed",
    [OPERATION_CANCELED] = "canceled",
};

const char *operation_status_name(OperationStatus status)
{
    assert_that(status < OPERATION_STATUS_COUNT);
    return names[status];
}

static void instant_member(JsonOut *out, const char *name, bool given, Instant at)
{
    Arena *arena = out->text->arena;
    if (given)
        json_string_member(out, name, instant_print(arena, at));
    else
        json_null_member(out, name);
}

static void error_member(const Operation *operation, JsonOut *out)
{
    if (operation->error_code.at == NULL) {
        json_null_member(out, "error");
        return;
    }
    json_name(out, STR("error"));
    json_object(out);
    json_string_member(out, "code", operation->error_code);
    json_string_member(out, "detail", operation->error_detail);
    json_object_end(out);
}

void operation_to_json(const Operation *operation, JsonOut *out)
{
    json_object(out);
    json_string_member(out, "id", operation->id);
    json_string_member(out, "kind", operation->kind);
    json_string_member(out, "status", str_of(operation_status_name(operation->status)));
    json_name(out, STR("progress"));
    json_object(out);
    json_whole_member(out, "done", operation->done);
    json_whole_member(out, "total", operation->total);
    json_object_end(out);
    json_string_member(out, "result", operation->result);
    error_member(operation, out);
    instant_member(out, "createdAt", true, operation->created_at);
    instant_member(out, "startedAt", operation->has_started, operation->started_at);
    instant_member(out, "endedAt", operation->has_ended, operation->ended_at);
    json_object_end(out);
}
