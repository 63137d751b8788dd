// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_figures.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/int128.h"
#include "base/json.h"

void figures_add(Figures *figures, Figure figure)
{
    assert_that(figure.places >= 0 && figure.places <= 6);
    vector_push(&figures->rows, figure);
}

void figures_close(Figures *figures)
{
    vector_release(&figures->rows);
}

static int64_t power_of_ten(int places)
{
    int64_t power = 1;
    for (int i = 0; i < places; i++)
        power *= 10;
    return power;
}

int64_t figure_ratio(int64_t value, int64_t divisor, int places)
{
    if (divisor <= 0 || value <= 0)
        return 0;
    Int128 scaled = (Int128)value * power_of_ten(places);
    return (int64_t)((scaled + divisor / 2) / divisor);
}

static Str number_print(Arena *arena, const Figure *figure)
{
    int64_t     power = power_of_ten(figure->places);
    const char *sign = figure->value < 0 ? "-" : "";
    int64_t     size = figure->value < 0 ? -figure->value : figure->value;
    if (figure->places == 0)
        return str_print(arena, "%s%" PRId64, sign, size);
    return str_print(arena, "%s%" PRId64 ".%0*" PRId64, sign, size / power, figure->places,
                     size % power);
}

// 1234567.89 -> 1,234,567.89
static Str grouped(Arena *arena, Str number)
{
    Text   text = text_open(arena);
    size_t whole = 0;
    while (whole < number.length && number.at[whole] != '.')
        whole++;
    for (size_t i = 0; i < number.length; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0 && number.at[i - 1] != '-')
            text_add_char(&text, ',');
        text_add_char(&text, number.at[i]);
    }
    return text_str(&text);
}

void figures_print_table(const Figures *figures, FILE *to)
{
    AUTO(Arena) arena = arena_open();
    const char *section = "";
    for (size_t i = 0; i < figures->rows.count; i++) {
        const Figure *figure = &figures->rows.at[i];
        if (strcmp(section, figure->section) != 0)
            fprintf(to, "%s\n", figure->section);
        section = figure->section;
        Str number = grouped(arena, number_print(arena, figure));
        fprintf(to, "  %-52s %18.*s %s\n", figure->label, STR_ARG(number), figure->unit);
    }
}

void figures_print_json(const Figures *figures, Text *text)
{
    AUTO(Arena) arena = arena_open();
    const char *section = NULL;
    JsonOut     out = json_out(text);
    json_object(&out);
    for (size_t i = 0; i < figures->rows.count; i++) {
        const Figure *figure = &figures->rows.at[i];
        if (section == NULL || strcmp(section, figure->section) != 0) {
            if (section != NULL)
                json_object_end(&out);
            json_name(&out, str_of(figure->section));
            json_object(&out);
        }
        section = figure->section;
        json_raw_member(&out, figure->name, number_print(arena, figure));
    }
    if (section != NULL)
        json_object_end(&out);
    json_object_end(&out);
    text_add_char(text, '\n');
}

int figures_conclude(Figures *figures, const char *claim, bool as_json, const Err *failure)
{
    AUTO(Arena) arena = arena_open();
    Text  text = text_open(arena);
    FILE *talk = as_json ? stderr : stdout;
    figures_add(figures, (Figure){ "verdict", "valid", claim, "", failure == NULL, 0 });
    figures_print_json(figures, &text);
    if (as_json)
        fwrite(text.at, 1, text.length, stdout);
    else
        figures_print_table(figures, stdout);
    figures_close(figures);
    if (failure != NULL)
        fprintf(talk, "VOID: %.*s\n", STR_ARG(failure->detail));
    else
        fprintf(talk, "VALID\n");
    return failure == NULL ? 0 : 1;
}
