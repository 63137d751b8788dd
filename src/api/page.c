// SPDX-License-Identifier: Apache-2.0
#include "api/page.h"

#include "api/cursor.h"

Err *page_read(const Request *request, Str list, CatalogPage *page)
{
    Str    cursor;
    size_t limit;
    TRY(request_limit(request, &limit));
    *page = (CatalogPage){ .project = project_of(request), .limit = limit + 1 };
    if (request_query(request, "cursor", &cursor))
        TRY(cursor_parse(request->arena, cursor, list, &page->after));
    return NULL;
}

size_t page_rows(const CatalogPage *page, size_t found)
{
    return found < page->limit ? found : page->limit - 1;
}

Str page_next(const Request *request, Str list, const CatalogPage *page, size_t found, Str last)
{
    return found < page->limit ? STR_NONE : cursor_print(request->arena, list, last);
}
