// Text and bytes. A Str is borrowed: it points into memory that somebody else keeps alive, is not
// terminated, and may hold any byte. A Text is a growing buffer that ends with its arena.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct Str {
    const char *at;
    size_t      length;
} Str;

#define STR(literal) ((Str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal) { "" literal, sizeof(literal) - 1 }  // in static initializers
#define STR_NONE ((Str){ NULL, 0 })
// For printf-like calls: printf("%.*s", STR_ARG(name)).
#define STR_ARG(str) (int)(str).length, (str).at

Str  str_of(const char *terminated);  // NULL gives STR_NONE
bool str_equal(Str a, Str b);
int  str_compare(Str a, Str b);  // by bytes, the shorter first when one begins the other
bool str_starts(Str whole, Str start);
bool str_is_utf8(Str text);      // valid UTF-8, no surrogates
bool str_has_control(Str text);  // U+0000..U+001F, U+007F..U+009F
Str  str_copy(Arena *arena, Str from);
Str  str_print(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str  str_print_list(Arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
// "sum, count, min": texts for a person to read; the list ends with NULL.
Str  str_list(Arena *arena, const char *const *texts);
char *str_terminated(Arena *arena, Str from);  // a copy that ends with NUL, for libraries
Str  str_hex(Arena *arena, const void *bytes, size_t count);  // lower case

// A whole number written in decimal digits only. False when it is not one or is past the maximum.
bool str_whole(Str text, uint64_t maximum, uint64_t *number);

// Cuts `rest` at the first `separator`: answers what stands before it and leaves what stands
// behind.
Str str_cut(Str *rest, char separator);

// A buffer that grows. Its bytes are in the arena, or, made with text_open_own, its own.
typedef struct Text {
    Arena  *arena;  // NULL: the bytes are its own, text_close gives them back
    char   *at;
    size_t  length;
    size_t  room;
} Text;

Text text_open(Arena *arena);
Text text_open_own(void);
void text_close(Text *text);  // only needed after text_open_own
void text_clear(Text *text);  // keeps the room
char *text_reserve(Text *text, size_t bytes);  // room for that many more; write, then text_grow
void text_grow(Text *text, size_t bytes);
void text_add(Text *text, Str part);
void text_add_bytes(Text *text, const void *bytes, size_t count);
void text_add_char(Text *text, char byte);
void text_print(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str  text_str(const Text *text);  // borrowed until the next change
