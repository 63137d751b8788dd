// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

typedef struct ErrRow {
    const char *name;
    int         status;
    ErrAgain    again;
    const char *title;
} ErrRow;

static const ErrRow rows[ERR_COUNT] = {
#define ERR(name, http, again, text) { #name, http, AGAIN_##again, text },
#include "tbl/errors.def"
#undef ERR
};

// The names as they go over the wire, made once from the rows: UNKNOWN_METER -> unknown_meter.
static char wire_names[ERR_COUNT][40];

__attribute__((constructor)) static void wire_names_make(void)
{
    for (size_t i = 0; i < ERR_COUNT; i++) {
        assert_that(strlen(rows[i].name) < sizeof wire_names[i]);
        for (size_t k = 0; rows[i].name[k] != 0; k++) {
            char letter = rows[i].name[k];
            wire_names[i][k] = letter >= 'A' && letter <= 'Z' ? (char)(letter + 'a' - 'A') : letter;
        }
    }
}

const char *err_name(ErrCode code)
{
    assert_that(code < ERR_COUNT);
    return wire_names[code];
}

const char *err_title(ErrCode code)
{
    assert_that(code < ERR_COUNT);
    return rows[code].title;
}

int err_status(ErrCode code)
{
    assert_that(code < ERR_COUNT);
    return rows[code].status;
}

ErrAgain err_again(ErrCode code)
{
    assert_that(code < ERR_COUNT);
    return rows[code].again;
}

bool err_find(Str name, ErrCode *code)
{
    for (size_t i = 0; i < ERR_COUNT; i++)
        if (str_equal(name, str_of(wire_names[i]))) {
            *code = (ErrCode)i;
            return true;
        }
    return false;
}

Err *refuse(Arena *arena, ErrCode code, Str pointer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Err *err = arena_new(arena, Err);
    err->code = code;
    err->pointer = str_copy(arena, pointer);
    err->detail = str_print_list(arena, format, arguments);
    va_end(arguments);
    return err;
}

void faults_add_err(Faults *faults, Err *err)
{
    while (err != NULL && faults->count < FAULTS_MAX) {
        if (faults->last == NULL)
            faults->first = err;
        else
            faults->last->next = err;
        faults->last = err;
        faults->count++;
        err = err->next;
    }
    if (faults->last != NULL)
        faults->last->next = NULL;
}

void faults_add(Faults *faults, ErrCode code, Str pointer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Err *err = arena_new(faults->arena, Err);
    err->code = code;
    err->pointer = str_copy(faults->arena, pointer);
    err->detail = str_print_list(faults->arena, format, arguments);
    va_end(arguments);
    faults_add_err(faults, err);
}
