// SPDX-License-Identifier: Apache-2.0
#include "money/fraction.h"

static void *limbs_resize(void *at, size_t before, size_t bytes)
{
    (void)before;
    return memory_resize(at, bytes);
}

static void limbs_release(void *at, size_t bytes)
{
    (void)bytes;
    memory_release(at);
}

__attribute__((constructor)) static void limbs_from_base(void)
{
    mp_set_memory_functions(memory_take, limbs_resize, limbs_release);
}

static void whole_set(mpz_t whole, Int128 number)
{
    Uint128  size = number < 0 ? -(Uint128)number : (Uint128)number;
    uint64_t halves[2] = { (uint64_t)size, (uint64_t)(size >> 64) };
    mpz_import(whole, 2, -1, sizeof *halves, 0, 0, halves);
    if (number < 0)
        mpz_neg(whole, whole);
}

static __mpz_struct whole_keep(Arena *arena, mpz_srcptr number)
{
    size_t       limbs = mpz_size(number);
    __mpz_struct kept = *number;
    kept._mp_alloc = 0;
    kept._mp_d = arena_copy(arena, number->_mp_d, limbs * sizeof(mp_limb_t));
    return kept;
}

// At most INT64_MAX in size, so that its negative fits too.
static bool is_small(mpz_srcptr number)
{
    return mpz_cmpabs_ui(number, INT64_MAX) <= 0;
}

Rational fraction_keep(Arena *arena, mpq_t computed)
{
    Rational kept = { 0 };
    mpz_ptr  above = mpq_numref(computed), below = mpq_denref(computed);
    if (is_small(above) && is_small(below)) {
        kept = (Rational){ mpz_get_si(above), mpz_get_si(below), NULL };
    } else {
        struct Fraction *fraction = arena_new(arena, struct Fraction);
        fraction->ratio = (__mpq_struct){ whole_keep(arena, above), whole_keep(arena, below) };
        kept.big = fraction;
    }
    mpq_clear(computed);
    return kept;
}

mpq_srcptr fraction_view(const Rational *number, FractionView *room)
{
    if (number->big != NULL)
        return &number->big->ratio;
    int64_t above = number->above;
    room->limbs[0] = (mp_limb_t)(above < 0 ? -above : above);
    room->limbs[1] = (mp_limb_t)number->below;
    mpz_roinit_n(mpq_numref(&room->ratio), &room->limbs[0], above < 0 ? -1 : 1);
    mpz_roinit_n(mpq_denref(&room->ratio), &room->limbs[1], 1);
    return &room->ratio;
}

Rational fraction_of(Arena *arena, Int128 above, Int128 below)
{
    if (above >= -INT64_MAX && above <= INT64_MAX && below <= INT64_MAX)
        return (Rational){ (int64_t)above, (int64_t)below, NULL };
    mpq_t ratio;
    mpq_init(ratio);
    whole_set(mpq_numref(ratio), above);
    whole_set(mpq_denref(ratio), below);
    return fraction_keep(arena, ratio);
}

Rational fraction_copy(Arena *arena, Rational number)
{
    FractionView room;
    mpq_t        copy;
    mpq_init(copy);
    mpq_set(copy, fraction_view(&number, &room));
    return fraction_keep(arena, copy);
}

static Rational combined(Arena *arena, Rational a, Rational b,
                         void (*operation)(mpq_ptr, mpq_srcptr, mpq_srcptr))
{
    FractionView left, right;
    mpq_t        result;
    mpq_init(result);
    operation(result, fraction_view(&a, &left), fraction_view(&b, &right));
    return fraction_keep(arena, result);
}

Rational fraction_add(Arena *arena, Rational a, Rational b)
{
    return combined(arena, a, b, mpq_add);
}

Rational fraction_subtract(Arena *arena, Rational a, Rational b)
{
    return combined(arena, a, b, mpq_sub);
}

Rational fraction_multiply(Arena *arena, Rational a, Rational b)
{
    return combined(arena, a, b, mpq_mul);
}

Rational fraction_divide(Arena *arena, Rational a, Rational b)
{
    return combined(arena, a, b, mpq_div);
}

Rational fraction_floor(Arena *arena, Rational number)
{
    FractionView room;
    mpq_srcptr   ratio = fraction_view(&number, &room);
    mpq_t        whole;
    mpq_init(whole);
    mpz_fdiv_q(mpq_numref(whole), mpq_numref(ratio), mpq_denref(ratio));
    return fraction_keep(arena, whole);
}

Rational fraction_ceiling(Arena *arena, Rational number)
{
    FractionView room;
    mpq_srcptr   ratio = fraction_view(&number, &room);
    mpq_t        whole;
    mpq_init(whole);
    mpz_cdiv_q(mpq_numref(whole), mpq_numref(ratio), mpq_denref(ratio));
    return fraction_keep(arena, whole);
}

int fraction_compare(Rational a, Rational b)
{
    FractionView left, right;
    int          order = mpq_cmp(fraction_view(&a, &left), fraction_view(&b, &right));
    return (order > 0) - (order < 0);
}

int fraction_sign(Rational number)
{
    FractionView room;
    return mpq_sgn(fraction_view(&number, &room));
}

static Str whole_print(Arena *arena, mpz_srcptr number)
{
    char *at = arena_take(arena, mpz_sizeinbase(number, 10) + 2);
    mpz_get_str(at, 10, number);
    return str_of(at);
}

// How many places the decimal has when it ends: the denominator is 2^a x 5^b, then max(a, b).
static bool places_needed(mpq_srcptr fraction, unsigned long *places)
{
    mpz_t rest, prime;
    mpz_init(rest);
    mpz_init_set_ui(prime, 2);
    unsigned long twos = mpz_remove(rest, mpq_denref(fraction), prime);
    mpz_set_ui(prime, 5);
    unsigned long fives = mpz_remove(rest, rest, prime);
    bool          ends = mpz_cmp_ui(rest, 1) == 0;
    mpz_clear(rest);
    mpz_clear(prime);
    *places = twos > fives ? twos : fives;
    return ends;
}

// scaled / 10^places as text. `scaled` has no trailing zero unless places is 0.
static Str point_print(Arena *arena, mpz_srcptr scaled, unsigned long places)
{
    Str  digits = whole_print(arena, scaled);
    bool negative = digits.at[0] == '-';
    Text text = text_open(arena);
    if (places == 0)
        return digits;
    if (negative) {
        text_add_char(&text, '-');
        digits = (Str){ digits.at + 1, digits.length - 1 };
    }
    if (digits.length <= places) {
        text_add(&text, STR("0."));
        for (unsigned long i = digits.length; i < places; i++)
            text_add_char(&text, '0');
        text_add(&text, digits);
        return text_str(&text);
    }
    size_t whole = digits.length - places;
    text_add_bytes(&text, digits.at, whole);
    text_add_char(&text, '.');
    text_add_bytes(&text, digits.at + whole, places);
    return text_str(&text);
}

Str fraction_print(Arena *arena, Rational number)
{
    FractionView  room;
    mpq_srcptr    ratio = fraction_view(&number, &room);
    unsigned long places;
    if (!places_needed(ratio, &places)) {
        Str above = whole_print(arena, mpq_numref(ratio));
        Str below = whole_print(arena, mpq_denref(ratio));
        return str_print(arena, "%.*s/%.*s", STR_ARG(above), STR_ARG(below));
    }
    mpz_t scaled;
    mpz_init(scaled);
    mpz_ui_pow_ui(scaled, 10, places);
    mpz_mul(scaled, scaled, mpq_numref(ratio));
    mpz_divexact(scaled, scaled, mpq_denref(ratio));
    Str text = point_print(arena, scaled, places);
    mpz_clear(scaled);
    return text;
}

// round(|x| * 10^12) half up, with the sign of x.
static Rational twelve_places(Arena *arena, mpq_srcptr ratio)
{
    mpq_t rounded;
    mpz_t divisor;
    mpq_init(rounded);
    mpz_init(divisor);
    mpz_ui_pow_ui(mpq_numref(rounded), 10, DECIMAL_PLACES);
    mpz_mul(mpq_numref(rounded), mpq_numref(rounded), mpq_numref(ratio));
    mpz_abs(mpq_numref(rounded), mpq_numref(rounded));
    mpz_mul_2exp(mpq_numref(rounded), mpq_numref(rounded), 1);
    mpz_add(mpq_numref(rounded), mpq_numref(rounded), mpq_denref(ratio));
    mpz_mul_2exp(divisor, mpq_denref(ratio), 1);
    mpz_fdiv_q(mpq_numref(rounded), mpq_numref(rounded), divisor);
    if (mpq_sgn(ratio) < 0)
        mpz_neg(mpq_numref(rounded), mpq_numref(rounded));
    mpz_ui_pow_ui(mpq_denref(rounded), 10, DECIMAL_PLACES);
    mpz_clear(divisor);
    mpq_canonicalize(rounded);
    return fraction_keep(arena, rounded);
}

Str fraction_print_quantity(Arena *arena, Rational number)
{
    FractionView  room;
    mpq_srcptr    ratio = fraction_view(&number, &room);
    unsigned long places;
    if (!places_needed(ratio, &places))
        number = twelve_places(arena, ratio);
    return fraction_print(arena, number);
}

enum { RATIO_DIGITS_MAX = 200 };

// Whole numbers in plain digits, as rational_print writes them.
static bool whole_parse(Arena *arena, Str text, mpz_t number)
{
    Str digits = text;
    if (digits.length > 0 && digits.at[0] == '-')
        digits = (Str){ digits.at + 1, digits.length - 1 };
    if (digits.length == 0 || digits.length > RATIO_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.length; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
    return mpz_set_str(number, str_terminated(arena, text), 10) == 0;
}

bool fraction_parse(Arena *arena, Str text, Rational *number)
{
    mpq_t ratio;
    Str   below = text;
    Str   above = str_cut(&below, '/');
    mpq_init(ratio);
    if (below.at == NULL || !whole_parse(arena, above, mpq_numref(ratio)) ||
        !whole_parse(arena, below, mpq_denref(ratio)) || mpz_sgn(mpq_denref(ratio)) <= 0) {
        mpq_clear(ratio);
        return false;
    }
    mpq_canonicalize(ratio);
    *number = fraction_keep(arena, ratio);
    return true;
}
