// SPDX-License-Identifier: Apache-2.0
// RFC 3339 text to microseconds and back, without a calendar library: this is on the path of every
// event.
#include "time/instant.h"

#include "base/digits.h"
#include "time/zone.h"

// Exactly `count` digits. -1: not digits.
static int digits_at(const char *at, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

// "14:02:11" at eight bytes; seconds since midnight, -1: not a time of day.
static int64_t clock_at(const char *at)
{
    int hour = digits_at(at, 2), minute = digits_at(at + 3, 2), second = digits_at(at + 6, 2);
    if (at[2] != ':' || at[5] != ':' || hour < 0 || minute < 0 || second < 0)
        return -1;
    if (hour > 23 || minute > 59 || second > 59)
        return -1;
    return hour * 3600 + minute * 60 + second;
}

// ".123456000" if there is one: cut off the text (not empty), answered in microseconds. -1: not a
// fraction.
static int64_t fraction_cut(Str *text)
{
    if (text->at[0] != '.')
        return 0;
    int64_t us = 0;
    size_t  digits = 0;
    for (size_t i = 1; i < text->length && text->at[i] >= '0' && text->at[i] <= '9';
         i++, digits++) {
        if (digits >= 9 || (digits >= 6 && text->at[i] != '0'))
            return -1;
        if (digits < 6)
            us = us * 10 + (text->at[i] - '0');
    }
    if (digits == 0)
        return -1;
    for (size_t i = digits; i < 6; i++)
        us *= 10;
    *text = (Str){ text->at + 1 + digits, text->length - 1 - digits };
    return us;
}

// "Z", "z", "+05:30". False: none of them.
static bool offset_read(Str text, int64_t *seconds)
{
    if (text.length == 1 && (text.at[0] == 'Z' || text.at[0] == 'z')) {
        *seconds = 0;
        return true;
    }
    if (text.length != 6 || (text.at[0] != '+' && text.at[0] != '-') || text.at[3] != ':')
        return false;
    int hours = digits_at(text.at + 1, 2), minutes = digits_at(text.at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    int64_t size = hours * 3600 + minutes * 60;
    *seconds = text.at[0] == '-' ? -size : size;
    return true;
}

bool instant_parse(Str text, Instant *instant)
{
    enum { FRONT = 19 };  // "2026-06-10T14:02:11"
    if (text.length <= FRONT || (text.at[10] != 'T' && text.at[10] != 't'))
        return false;
    Date date;
    if (!date_parse((Str){ text.at, 10 }, &date))
        return false;
    int64_t seconds = clock_at(text.at + 11);
    Str     rest = { text.at + FRONT, text.length - FRONT };
    int64_t us = fraction_cut(&rest);
    int64_t offset;
    if (seconds < 0 || us < 0 || !offset_read(rest, &offset))
        return false;

    int64_t sum = (date_days(date) * 86400 + seconds - offset) * INSTANT_SECOND_US + us;
    if (sum < INSTANT_FIRST.us || sum >= INSTANT_END.us)
        return false;
    instant->us = sum;
    return true;
}

Instant instant_within(Instant instant)
{
    if (instant.us < INSTANT_FIRST.us)
        return INSTANT_FIRST;
    return instant.us < INSTANT_END.us ? instant : (Instant){ INSTANT_END.us - 1 };
}

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

int64_t instant_utc_hour(Instant instant)
{
    return floor_divide(instant.us, 3600 * INSTANT_SECOND_US);
}

int64_t instant_utc_day(Instant instant)
{
    return floor_divide(instant.us, INSTANT_DAY_US);
}

// "T14:02:11.5Z", written backwards.
static char *clock_backwards(char *at, uint64_t us)
{
    uint64_t second = us / 1000000, fraction = us % 1000000;
    *--at = 'Z';
    if (fraction != 0) {
        int places = 6;
        for (; fraction % 10 == 0; places--)
            fraction /= 10;
        at = digits_fixed_backwards(at, fraction, places);
        *--at = '.';
    }
    at = digits_fixed_backwards(at, second % 60, 2);
    *--at = ':';
    at = digits_fixed_backwards(at, second / 60 % 60, 2);
    *--at = ':';
    at = digits_fixed_backwards(at, second / 3600, 2);
    *--at = 'T';
    return at;
}

Str instant_print(Arena *arena, Instant instant)
{
    instant = instant_within(instant);
    int64_t day = instant_utc_day(instant);
    char    room[32];
    char   *end = room + sizeof room;
    char   *at = clock_backwards(end, (uint64_t)(instant.us - day * INSTANT_DAY_US));
    Text    text = text_open(arena);
    text_add(&text, date_print(arena, date_of_days(day)));
    text_add_bytes(&text, at, (size_t)(end - at));
    return text_str(&text);
}
