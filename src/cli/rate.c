// SPDX-License-Identifier: Apache-2.0
// The pricing core from the command line: two files in, a bill out, nothing kept.
#include "cli/rate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/config.h"
#include "price/rate_request.h"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024, EXIT_FINE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static const char usage_text[] =
    "usage: toll rate --plan FILE --usage FILE\n"
    "  --plan FILE   the plan document\n"
    "  --usage FILE  "
    "{\"period\":{\"start\",\"end\"},\"usage\":{meter:quantity},\"quantities\"?,\"activeFrom\"?,\n"
    "                \"activeTo\"?}; a meter's quantity may be a list of\n"
    "                {\"group\":{dimension:value},\"quantity\"} or "
    "{\"events\":[{\"ts\",\"value\"}]}\n"
    "FILE may be - for standard input, once. Prints the bill as JSON.\n";

typedef struct Options {
    const char *plan;
    const char *usage;
} Options;

// False: not as the usage says.
static bool options_read(int argc, char **argv, Options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            continue;  // there is no other form
        const char **value = strcmp(argv[i], "--plan") == 0    ? &options->plan
                             : strcmp(argv[i], "--usage") == 0 ? &options->usage
                                                               : NULL;
        if (value == NULL || *value != NULL || i + 1 == argc)
            return false;
        *value = argv[++i];
    }
    if (options->plan == NULL || options->usage == NULL)
        return false;
    return strcmp(options->plan, "-") != 0 || strcmp(options->usage, "-") != 0;
}

static Err *file_read(Arena *arena, const char *path, Str *content)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    Text  text = text_open(arena);
    if (file == NULL)
        return refuse(arena, ERR_PARAMETER_INVALID, STR_NONE, "%s: %s", path, strerror(errno));
    for (;;) {
        enum { PIECE = 65536 };
        size_t got = fread(text_reserve(&text, PIECE), 1, PIECE, file);
        text_grow(&text, got);
        if (got == 0 || text.length > FILE_BYTES_MAX)
            break;
    }
    bool failed = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    if (failed)
        return refuse(arena, ERR_PARAMETER_INVALID, STR_NONE, "%s cannot be read", path);
    if (text.length > FILE_BYTES_MAX)
        return refuse(arena, ERR_BODY_TOO_LARGE, STR_NONE, "%s is larger than %d bytes", path,
                      FILE_BYTES_MAX);
    *content = text_str(&text);
    return NULL;
}

static Err *document_read(Arena *arena, const char *path, Json **document)
{
    Str text;
    TRY(file_read(arena, path, &text));
    return json_parse_copy(arena, text, document);
}

// The members of the usage file, with the plan among them: the body of POST /v1/rate.
static Err *body_make(Arena *arena, const Options *options, Json **body)
{
    Json *plan, *usage;
    TRY(document_read(arena, options->plan, &plan));
    TRY(document_read(arena, options->usage, &usage));
    if (usage->kind != JSON_OBJECT)
        return refuse(arena, ERR_FIELD_INVALID, STR(""), "the usage file must hold an object");
    if (json_find(usage, STR("plan")) != NULL)
        return refuse(arena, ERR_UNKNOWN_MEMBER, STR("/plan"), "the plan is given with --plan");
    plan->name = STR("plan");
    plan->next = usage->first;
    usage->first = plan;
    usage->count++;
    *body = usage;
    return NULL;
}

static void refusal_print(const Err *err)
{
    for (; err != NULL; err = err->next)
        fprintf(stderr, "toll rate: %s%s%.*s: %.*s\n", err_name(err->code),
                err->pointer.length > 0 ? " at " : "", STR_ARG(err->pointer), STR_ARG(err->detail));
}

int cli_rate(int argc, char **argv)
{
    Options options = { 0 };
    if (cli_helped(argc, argv, usage_text))
        return 0;
    if (!options_read(argc, argv, &options)) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    AUTO(Arena) arena = arena_open();
    Text        bill = text_open(arena);
    Json       *body = NULL;
    Err        *err = body_make(arena, &options, &body);
    if (err == NULL)
        err = rate_request(arena, body, &bill);
    if (err != NULL) {
        refusal_print(err);
        return EXIT_REFUSED;
    }
    fwrite(bill.at, 1, bill.length, stdout);
    fputc('\n', stdout);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_REFUSED;
}
