// The month's end of the demo: credit and a tax rate, a run that bills everybody, and the books
// after it.
#pragma once

#include "cli/client.h"
#include "time/instant.h"

// Answers of the server.
typedef struct DemoBooks {
    const Json *run;
    const Json *invoice;        // of the account, with its document
    const Json *trial_balance;
    const Json *proof;
} DemoBooks;

// `start`: of the month that is closed; `account` has a subscription since.
Err *demo_books_close(Client *client, Arena *arena, Instant start, const char *account,
                      DemoBooks *books) MUST_CHECK;

// INTERNAL when the invoice is not of that amount, or the books do not prove themselves.
Err *demo_books_check(Arena *arena, const DemoBooks *books, const char *amount_due) MUST_CHECK;

void demo_books_print(const DemoBooks *books, Text *out);
void demo_books_to_json(const DemoBooks *books, JsonOut *out);  // members
