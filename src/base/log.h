// What the operator reads: one line an event on stderr, key=value after the message.
// Never a secret, never a whole body.
#pragma once

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

void log_threshold(LogLevel least);  // default LOG_INFO
void log_line(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));
