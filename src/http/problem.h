// Refusals on the wire: RFC 9457 problem documents, and the page that explains each code.
#pragma once

#include "base/json.h"
#include "http/shape.h"

// {"type":"/problems/unknown_meter","title","status","detail","code","requestId"[,"errors":[...]]
// [, members]}. Several faults: the document tells the one whose code comes first in
// errors.def, and `errors` lists all. One fault with a pointer is listed too. `members` is empty or
// the text of further members, without braces. Answers the code told (for the status).
ErrCode problem_print(Text *body, const Err *err, Str request_id, Str members);

// {"code","title","status","retry","type"} of /problems/{code}.
void problem_page(JsonOut *out, ErrCode code);

extern const Shape problem_shape;       // of problem documents
extern const Shape problem_page_shape;  // of GET /problems/{code}
