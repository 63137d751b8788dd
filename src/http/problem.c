// SPDX-License-Identifier: Apache-2.0
#include "http/problem.h"

static const Field fault_fields[] = {
    MEMBER("pointer", TEXT, .required = true, .doc = "JSON pointer of the member at fault."),
    MEMBER("code", TEXT, .required = true, .doc = "Stable name of the fault."),
    MEMBER("detail", TEXT, .required = true, .doc = "One sentence about this fault."),
};
static const Shape fault_shape = SHAPE("Fault", fault_fields, .doc = "One fault of a request.");

static const Field problem_fields[] = {
    MEMBER("type", TEXT, .required = true, .doc = "Address of the page that explains the code."),
    MEMBER("title", TEXT, .required = true, .doc = "What the code means."),
    MEMBER("status", WHOLE, .required = true, .doc = "The HTTP status."),
    MEMBER("detail", TEXT, .required = true, .doc = "What is wrong with this request."),
    MEMBER("code", TEXT, .required = true, .doc = "Stable name of the problem."),
    MEMBER("requestId", TEXT, .required = true, .doc = "The Request-Id of the answer."),
    MEMBER("errors", ARRAY, .shape = &fault_shape, .doc = "All faults found, in document order."),
};
const Shape problem_shape = SHAPE("Problem", problem_fields, .open = true,
                                  .doc = "A refusal: an RFC 9457 problem document.");

static const char *const retry_words[] = { "never", "later", "same_key", NULL };

static const Field page_fields[] = {
    MEMBER("type", TEXT, .required = true, .doc = "The address of this page."),
    MEMBER("code", TEXT, .required = true, .doc = "Stable name of the problem."),
    MEMBER("title", TEXT, .required = true, .doc = "What it means."),
    MEMBER("status", WHOLE, .required = true, .doc = "The HTTP status."),
    MEMBER("retry", ENUM, .required = true, .choices = retry_words,
           .doc = "Whether repeating can help: never, later, or with the same key to learn the "
                  "outcome."),
};
const Shape problem_page_shape = SHAPE("ProblemPage", page_fields,
                                       .doc = "What a problem code means.");

static void type_member(JsonOut *out, ErrCode code)
{
    json_name(out, STR("type"));
    json_raw(out, STR("\"/problems/"));
    text_add(out->text, str_of(err_name(code)));
    text_add_char(out->text, '"');
}

static void faults_print(JsonOut *out, const Err *first)
{
    json_name(out, STR("errors"));
    json_array(out);
    for (const Err *err = first; err != NULL; err = err->next) {
        json_object(out);
        json_string_member(out, "pointer", err->pointer);
        json_string_member(out, "code", str_of(err_name(err->code)));
        json_string_member(out, "detail", err->detail);
        json_object_end(out);
    }
    json_array_end(out);
}

ErrCode problem_print(Text *body, const Err *err, Str request_id, Str members)
{
    const Err *told = err;
    for (const Err *other = err->next; other != NULL; other = other->next)
        if (other->code < told->code)
            told = other;
    JsonOut out = json_out(body);
    json_object(&out);
    type_member(&out, told->code);
    json_string_member(&out, "title", str_of(err_title(told->code)));
    json_whole_member(&out, "status", err_status(told->code));
    json_string_member(&out, "detail", told->detail);
    json_string_member(&out, "code", str_of(err_name(told->code)));
    json_string_member(&out, "requestId", request_id);
    if (err->next != NULL || err->pointer.length > 0)
        faults_print(&out, err);
    if (members.length > 0)
        json_raw(&out, members);
    json_object_end(&out);
    return told->code;
}

void problem_page(JsonOut *out, ErrCode code)
{
    json_object(out);
    type_member(out, code);
    json_string_member(out, "code", str_of(err_name(code)));
    json_string_member(out, "title", str_of(err_title(code)));
    json_whole_member(out, "status", err_status(code));
    json_string_member(out, "retry", str_of(retry_words[err_again(code)]));
    json_object_end(out);
}
