// Figures on their way out: one list, printed as a table for people or as JSON for programs.
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "base/vector.h"

typedef struct Figure {
    const char *section;  // "load"; figures of one section stand together
    const char *name;     // in JSON: "eventsPerSecond"
    const char *label;    // for people
    const char *unit;     // for people, may be ""
    int64_t     value;    // times 10^places
    int         places;
} Figure;

typedef struct Figures {
    VECTOR(Figure) rows;
} Figures;

// The texts must live as long as the figures.
void figures_add(Figures *figures, Figure figure);
void figures_close(Figures *figures);

void figures_print_table(const Figures *figures, FILE *to);
// {"load":{"eventsPerSecond":1234567,...},...}
void figures_print_json(const Figures *figures, Text *text);

// The end of a run: the figures with a verdict about `claim`, on stdout as a table or as JSON, then
// VALID, or VOID and why. Closes them and answers the exit code. failure: NULL when it holds.
int figures_conclude(Figures *figures, const char *claim, bool as_json, const Err *failure);

// value * 10^places / divisor, rounded half up; 0 when the divisor is 0. For non-negative numbers.
int64_t figure_ratio(int64_t value, int64_t divisor, int places);
