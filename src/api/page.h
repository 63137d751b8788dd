// Pages of the catalog's lists: limit and cursor of a request, and the end of its answer.
#pragma once

#include "api/server.h"

// The query parameters that every list takes.
#define PAGE_PARAMETERS \
    { .name = "limit", \
      .kind = PARAMETER_WHOLE, \
      .doc = "Rows of a page: 1 to 1000, 20 when absent." }, \
    { \
        .name = "cursor", .kind = PARAMETER_TEXT, .doc = "nextCursor of the page before." \
    }

// Two members of a list's shape; `data` stands between them in the answer.
#define LIST_SHAPE(title, rows) \
    MEMBER("object", TEXT, .required = true, .doc = "Always \"list\"."), \
        MEMBER("data", ARRAY, .required = true, .shape = (rows), .doc = title), \
        MEMBER("nextCursor", TEXT, .required = true, .nullable = true, \
               .doc = "Where the next page begins; null on the last.")

// `list` says which list this is, filters included. The page asks for one row more than the limit,
// so that its end shows whether there is a next page.
Err *page_read(const Request *request, Str list, CatalogPage *page) MUST_CHECK;
// How many of the rows found belong to the answer.
size_t page_rows(const CatalogPage *page, size_t found);
// The cursor behind the last row of the answer, or STR_NONE when nothing follows.
Str page_next(const Request *request, Str list, const CatalogPage *page, size_t found, Str last);
