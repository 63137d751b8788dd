// SPDX-License-Identifier: Apache-2.0
#include "cli/usage_sender.h"

static Err *count_get(Arena *arena, const Json *answer, Str name, uint64_t *count)
{
    const Json *member = json_find(answer, name);
    if (member == NULL || !str_whole(member->text, UINT64_MAX, count))
        return refuse(arena, ERR_INTERNAL, STR_NONE, "the server's answer has no count \"%.*s\"",
                      STR_ARG(name));
    return NULL;
}

static Str text_of(const Json *object, Str name)
{
    const Json *member = json_find(object, name);
    return member != NULL && member->kind == JSON_STRING ? member->text : STR_NONE;
}

static void result_tell(UsageSender *sender, const Json *result)
{
    NotTaken    what = { .outcome = OUTCOME_REJECTED };
    const Json *index = json_find(result, STR("index"));
    Str         outcome = text_of(result, STR("outcome"));
    if (str_equal(outcome, str_of(outcome_name(OUTCOME_CONFLICT))))
        what.outcome = OUTCOME_CONFLICT;
    else if (!str_equal(outcome, str_of(outcome_name(OUTCOME_REJECTED))))
        return;
    if (index == NULL || !str_whole(index->text, UINT32_MAX, &what.index))
        return;
    what.index += sender->events;
    what.unique_id = text_of(result, STR("uniqueId"));
    what.code = text_of(result, STR("code"));
    what.detail = text_of(result, STR("detail"));
    sender->not_taken(sender->context, &what);
}

Err *usage_send(UsageSender *sender, Arena *arena, Str lines, size_t count)
{
    static const char *const names[OUTCOME_COUNT] = {
        [OUTCOME_ACCEPTED] = "accepted",
        [OUTCOME_DUPLICATE] = "duplicates",
        [OUTCOME_CONFLICT] = "conflicts",
        [OUTCOME_REJECTED] = "rejected",
    };
    Call call = { .method = "POST",
                  .path = STR("/v1/measurements"),
                  .media = "application/x-ndjson",
                  .body = lines,
                  .coding = sender->coding };
    const Json *answer;
    uint64_t    counts[OUTCOME_COUNT];
    TRY(client_call_json(sender->client, arena, &call, &answer));
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        TRY(count_get(arena, answer, str_of(names[i]), &counts[i]));

    const Json *results = json_find(answer, STR("results"));
    if (sender->not_taken != NULL && results != NULL)
        for (const Json *result = results->first; result != NULL; result = result->next)
            result_tell(sender, result);
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        sender->counts[i] += counts[i];
    sender->requests++;
    sender->events += count;
    return NULL;
}
