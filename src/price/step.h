// Steps: the arithmetic of a line, in order, replayable by hand. The operators and the members of
// each are one table, from which steps are written and the reference is printed.
#pragma once

#include "base/json.h"

typedef enum StepOp {
    STEP_INCLUDED,
    STEP_MULTIPLY,
    STEP_DIVIDE,
    STEP_ROUND_QUANTITY,
    STEP_FLAT,
    STEP_UNIT,
    STEP_TIER,
    STEP_PACKAGE,
    STEP_STAIR,
    STEP_PERCENT,
    STEP_EVENT,
    STEP_CELL,
    STEP_CAPACITY,
    STEP_FORMULA,
    STEP_CONVERT,
    STEP_SEGMENT,
    STEP_FLOOR_AT_ZERO,
    STEP_TRIAL,
    STEP_BILLED,
    STEP_ROUND,
    STEP_DISCOUNT,
    STEP_MINIMUM,
    STEP_MAXIMUM,
    STEP_COMMITMENT,
    STEP_OVERAGE,
    STEP_TRUE_UP,
    STEP_OP_COUNT
} StepOp;

enum { STEP_MEMBERS_MAX = 12 };

typedef struct Step {
    StepOp       op;
    Str          values[STEP_MEMBERS_MAX];  // in the order of the table; .at == NULL: left out
    struct Step *next;
} Step;

typedef struct Steps {
    Step  *first;
    Step **end;
    size_t count;
} Steps;

Step *steps_add(Steps *steps, Arena *arena, StepOp op);
void  step_set(Step *step, const char *member, Str value);  // the table has that member
void  steps_to_json(const Steps *steps, JsonOut *out);

// The table as JSON: [{"op":"tier","members":["upTo",…],"meaning":"…"}, …].
void price_steps_print(Text *text);
