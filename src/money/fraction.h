// Inside money: the fractions that 64 bits do not hold, over GMP, and the arithmetic that takes any
// size. A result is computed in GMP's own memory, which base gives and takes back, and its digits
// are copied into the arena; so no value has an owner to forget.
#pragma once

#include <gmp.h>

#include "money/rational.h"

struct Fraction {
    __mpq_struct ratio;  // in lowest terms; limbs in the arena
};

// A Rational of any size as GMP reads it; the room holds what is small, and lives as long as the
// view.
typedef struct FractionView {
    mp_limb_t    limbs[2];
    __mpq_struct ratio;
} FractionView;

mpq_srcptr fraction_view(const Rational *number, FractionView *room);

// Into the arena (and into 64 bits, when it fits), and clears what was computed.
Rational fraction_keep(Arena *arena, mpq_t computed);

// above / below, in lowest terms already, below > 0.
Rational fraction_of(Arena *arena, Int128 above, Int128 below);
// above / below brought to lowest terms; below > 0.
Rational fraction_lowest(Arena *arena, Int128 above, int64_t below);

// What rational.h says, for any size; rational.c comes here when 64 bits do not hold an operand.
Rational fraction_add(Arena *arena, Rational a, Rational b);
Rational fraction_subtract(Arena *arena, Rational a, Rational b);
Rational fraction_multiply(Arena *arena, Rational a, Rational b);
Rational fraction_divide(Arena *arena, Rational a, Rational b);
Rational fraction_floor(Arena *arena, Rational number);
Rational fraction_ceiling(Arena *arena, Rational number);
Rational fraction_copy(Arena *arena, Rational number);
int      fraction_compare(Rational a, Rational b);
int      fraction_sign(Rational number);
Str      fraction_print(Arena *arena, Rational number);
Str      fraction_print_quantity(Arena *arena, Rational number);
// "p/q" of whole numbers of at most 200 digits. False: not that.
bool     fraction_parse(Arena *arena, Str text, Rational *number);
