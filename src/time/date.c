// SPDX-License-Identifier: Apache-2.0
// Dates of the proleptic Gregorian calendar. Days are counted from 1970-01-01; the arithmetic
// follows the 400-year cycle of 146,097 days, with years that begin in March so that the leap day
// comes last.
#include "base/assert.h"
#include "base/digits.h"
#include "time/zone.h"

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

int64_t date_days(Date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t cycle = floor_divide(year, 400);
    int64_t year_of_cycle = year - cycle * 400;
    int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int64_t day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 +
                           day_of_year;
    return cycle * 146097 + day_of_cycle - 719468;
}

Date date_of_days(int64_t days)
{
    days += 719468;
    int64_t cycle = floor_divide(days, 146097);
    int64_t day_of_cycle = days - cycle * 146097;
    int64_t year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    int64_t day_of_year = day_of_cycle -
                          (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    int64_t month = (5 * day_of_year + 2) / 153;  // 0 is March
    int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    int64_t year = year_of_cycle + cycle * 400 + (month >= 10);
    return (Date){ (int32_t)year, (uint8_t)(month < 10 ? month + 3 : month - 9), (uint8_t)day };
}

int date_month_days(int32_t year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool                 leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    assert_that(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && leap);
}

int64_t date_months(Date date)
{
    return (int64_t)date.year * 12 + date.month - 1;
}

Date date_in_month(int64_t months, int day)
{
    int32_t year = (int32_t)floor_divide(months, 12);
    int     month = (int)(months - (int64_t)year * 12) + 1;
    int     last = date_month_days(year, month);
    return (Date){ year, (uint8_t)month, (uint8_t)(day < last ? day : last) };
}

static bool digits_cut(Str *text, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        if (text->length == 0 || text->at[0] < '0' || text->at[0] > '9')
            return false;
        *number = *number * 10 + (text->at[0] - '0');
        *text = (Str){ text->at + 1, text->length - 1 };
    }
    return true;
}

static bool dash_cut(Str *text)
{
    if (text->length == 0 || text->at[0] != '-')
        return false;
    *text = (Str){ text->at + 1, text->length - 1 };
    return true;
}

bool date_parse(Str text, Date *date)
{
    int year, month, day;
    if (!digits_cut(&text, 4, &year) || !dash_cut(&text) || !digits_cut(&text, 2, &month) ||
        !dash_cut(&text) || !digits_cut(&text, 2, &day) || text.length != 0)
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > date_month_days(year, month))
        return false;
    *date = (Date){ year, (uint8_t)month, (uint8_t)day };
    return true;
}

Str date_print(Arena *arena, Date date)
{
    char  room[10];
    char *at = digits_fixed_backwards(room + sizeof room, date.day, 2);
    *--at = '-';
    at = digits_fixed_backwards(at, date.month, 2);
    *--at = '-';
    digits_fixed_backwards(at, (uint64_t)date.year, 4);
    return str_copy(arena, (Str){ room, sizeof room });
}
