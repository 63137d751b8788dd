// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic LogLevel threshold = LOG_INFO;

void log_threshold(LogLevel least)
{
    threshold = least;
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
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;  // nowhere to complain to
}
