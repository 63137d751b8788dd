// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static _Atomic LogLevel threshold = LOG_INFO;

void log_threshold(LogLevel least)
{
    threshold = least;
}

// A message may quote what came from outside: it must not begin a line or steer a terminal.
static void controls_blank(char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        Str two = { at + i, i + 1 < length ? 2 : 1 };
        if (str_has_control((Str){ two.at, 1 }))
            at[i] = ' ';
        else if ((unsigned char)at[i] == 0xc2 && str_has_control(two))
            at[i] = at[i + 1] = ' ';
    }
}

// One write per line, so that lines of several threads do not mix.
void log_line(LogLevel level, const char *format, ...)
{
    static const char *names[] = { "debug", "info", "warn", "error" };
    if (level < threshold)
        return;
    struct timespec now;
    struct tm       utc;
    char            line[2048];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    length += (size_t)snprintf(line + length, sizeof line - length, ".%03ldZ %s ",
                               now.tv_nsec / 1000000, names[level]);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    va_end(arguments);
    length += more < 0 ? 0 : (size_t)more;
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    controls_blank(line, length);
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;  // nowhere to complain to
}
