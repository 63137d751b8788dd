// SPDX-License-Identifier: Apache-2.0
// Decimals as text and as 128-bit fixed point. The number that is kept is exactly the number that
// was written, or the text is refused. On the path of every event: one pass, no division while
// parsing.
#include "money/decimal.h"

#include "base/assert.h"
#include "base/digits.h"

enum {
    FAST_DIGITS = 18,          // so many always fit uint64
    MANTISSA_DIGITS = 36,      // DECIMAL_WHOLE_DIGITS + DECIMAL_PLACES
    EXPONENT_MAX = 1000000000  // beyond, no run of zeros in a body can bring it back
};

static Uint128 power_of_ten(int exponent)  // 0..36
{
    if (exponent <= DIGITS_POWER_MAX)
        return (Uint128)digits_power(exponent);
    return (Uint128)digits_power(DIGITS_POWER_MAX) *
           (Uint128)digits_power(exponent - DIGITS_POWER_MAX);
}

// The significant digits of a number: number = mantissa x 10^exponent, mantissa without trailing
// zeros.
typedef struct Digits {
    Uint128 mantissa;
    int     count;  // digits of the mantissa
    int64_t zeros;  // read behind it, not yet multiplied in
    int64_t exponent;
    bool    too_many;
} Digits;

static void digits_flush_zeros(Digits *digits)
{
    if (digits->count + digits->zeros >= MANTISSA_DIGITS) {
        digits->too_many = true;
        return;
    }
    digits->mantissa *= power_of_ten((int)digits->zeros);
    digits->count += (int)digits->zeros;
    digits->zeros = 0;
}

static void digits_take(Digits *digits, unsigned digit)
{
    if (digit == 0) {
        digits->zeros += digits->count > 0;
        return;
    }
    if (digits->zeros > 0)
        digits_flush_zeros(digits);
    if (digits->too_many || digits->count == MANTISSA_DIGITS) {
        digits->too_many = true;
        return;
    }
    digits->mantissa = digits->count < FAST_DIGITS ? (uint64_t)digits->mantissa * 10 + digit
                                                   : digits->mantissa * 10 + digit;
    digits->count++;
}

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

// "e+12" behind the digits. NULL: not an exponent.
static const char *exponent_read(const char *at, const char *end, int64_t *exponent)
{
    bool    negative = at < end && *at == '-';
    int64_t size = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (!is_digit(at, end))
        return NULL;
    for (; is_digit(at, end); at++)
        if (size < EXPONENT_MAX)
            size = size * 10 + (*at - '0');
    *exponent += negative ? -size : size;
    return at;
}

// The unsigned part in JSON's grammar: no leading zero, no bare point. False: not a number.
static bool digits_read(const char *at, const char *end, Digits *digits)
{
    if (!is_digit(at, end))
        return false;
    if (*at == '0' && is_digit(at + 1, end))
        return false;
    for (; is_digit(at, end); at++)
        digits_take(digits, (unsigned)(*at - '0'));
    if (at < end && *at == '.') {
        at++;
        if (!is_digit(at, end))
            return false;
        for (; is_digit(at, end); at++) {
            digits_take(digits, (unsigned)(*at - '0'));
            digits->exponent--;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E'))
        at = exponent_read(at + 1, end, &digits->exponent);
    return at == end;
}

bool decimal_parse(Str text, int whole_digits, Decimal *number)
{
    const char *at = text.at;
    const char *end = text.at + text.length;
    bool        negative = at < end && *at == '-';
    Digits      digits = { 0 };
    if (!digits_read(at + negative, end, &digits) || digits.too_many)
        return false;
    if (digits.count == 0) {
        *number = (Decimal){ 0 };
        return true;
    }

    int64_t exponent = digits.exponent + digits.zeros;
    if (exponent < -DECIMAL_PLACES || digits.count + exponent > whole_digits)
        return false;
    Int128 e12 = (Int128)(digits.mantissa * power_of_ten((int)exponent + DECIMAL_PLACES));
    number->e12 = negative ? -e12 : e12;
    return true;
}

bool decimal_is_number(Str text)
{
    Digits digits = { 0 };
    bool   negative = text.length > 0 && text.at[0] == '-';
    return digits_read(text.at + negative, text.at + text.length, &digits);
}

Decimal decimal_whole(int64_t number)
{
    return (Decimal){ (Int128)number * digits_power(DECIMAL_PLACES) };
}

bool decimal_add(Decimal a, Decimal b, Decimal *sum)
{
    Int128 result;
    if (__builtin_add_overflow(a.e12, b.e12, &result))
        return false;
    sum->e12 = result;
    return true;
}

bool decimal_subtract(Decimal a, Decimal b, Decimal *rest)
{
    Int128 result;
    if (__builtin_sub_overflow(a.e12, b.e12, &result))
        return false;
    rest->e12 = result;
    return true;
}

int decimal_compare(Decimal a, Decimal b)
{
    return (a.e12 > b.e12) - (a.e12 < b.e12);
}

int decimal_sign(Decimal number)
{
    return (number.e12 > 0) - (number.e12 < 0);
}

static Uint128 size_of(Int128 number)
{
    return number < 0 ? -(Uint128)number : (Uint128)number;
}

Str decimal_print(Arena *arena, Decimal number)
{
    char  room[48];
    char *end = room + sizeof room;
    char *at = digits_point_backwards(end, size_of(number.e12), DECIMAL_PLACES);
    if (number.e12 < 0)
        *--at = '-';
    return str_copy(arena, (Str){ at, (size_t)(end - at) });
}

Decimal decimal_average(Decimal sum, uint64_t count)
{
    assert_that(count > 0);
    Uint128 size = size_of(sum.e12);
    Uint128 average = size / count;
    Uint128 rest2 = 2 * (size % count);
    if (rest2 > count || (rest2 == count && (average & 1) != 0))
        average++;
    return (Decimal){ sum.e12 < 0 ? -(Int128)average : (Int128)average };
}
