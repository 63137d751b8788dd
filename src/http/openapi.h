// The OpenAPI 3.1 document, printed from routes, shapes and errors.def.
#pragma once

#include "http/router.h"

typedef struct OpenapiHead {
    Str title, version, doc;
} OpenapiHead;

void openapi_print(const Router *router, const OpenapiHead *head, Text *text);
