// Expressions over named values, exact:
//   comparison   sum [ < | <= | > | >= | == | != sum ]     1 when it holds, else 0
//   sum          product { + | - product }
//   product      sign { * | / sign }
//   sign         [ - ] sign | number | name | ( comparison ) | function ( comparison , … )
// Functions: min and max of 1 to 16, ceil, floor, round (half away from zero) of 1, if(condition,
// then, else), where anything but 0 holds and only what is chosen is worked out. A division by
// zero gives 0.
#pragma once

#include "money/rational.h"

enum { FORMULA_BYTES_MAX = 1000, FORMULA_DEPTH_MAX = 32, FORMULA_PARTS_MAX = 16 };

typedef struct Formula Formula;

typedef struct FormulaFault {
    size_t at;   // in the text, from 0
    Str    what; // a sentence without its end
} FormulaFault;

// NULL and a fault: it does not parse, or names something that is not among `names`.
Formula *formula_parse(Arena *arena, Str text, const Str *names, size_t count, FormulaFault *fault);

// values: of each name. *by_zero counts the divisions by zero.
Rational formula_value(Arena *arena, const Formula *formula, const Rational *values,
                       size_t *by_zero);

// A letter, then up to 63 letters, digits and _, and not the name of a function.
bool formula_takes_name(Str name);
