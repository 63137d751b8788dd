// SPDX-License-Identifier: Apache-2.0
// A file to batches of lines. NDJSON is sent as it is read, so its size does not matter; an array
// is read whole and sent element by element as lines, numbers as they were written.
#include "cli/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/config.h"
#include "cli/usage_sender.h"

enum { READ_BYTES = 256 * 1024, BATCH_BYTES = 4 * 1024 * 1024, BATCH_MOST = 10000, SHOWN_MOST =
    10 };

typedef struct Options {
    const char *file, *url, *key;
    uint64_t    batch, wait_s;
    bool        json;
    BodyCoding  coding;
} Options;

// Lines on their way to the server.
typedef struct Feed {
    UsageSender sender;
    Arena      *arena;  // of one batch
    Text        lines;
    size_t      count, batch;
    uint64_t    shown;
} Feed;

static void refused_show(void *context, const NotTaken *what)
{
    Feed *feed = context;
    if (feed->shown++ >= SHOWN_MOST)
        return;
    fprintf(stderr, "event %" PRIu64, what->index + 1);
    if (what->unique_id.length > 0)
        fprintf(stderr, " (%.*s)", STR_ARG(what->unique_id));
    fprintf(stderr, ": %s: %.*s: %.*s\n", outcome_name(what->outcome), STR_ARG(what->code),
            STR_ARG(what->detail));
}

static Err *feed_flush(Feed *feed)
{
    if (feed->count == 0)
        return NULL;
    arena_reset(feed->arena);
    TRY(usage_send(&feed->sender, feed->arena, text_str(&feed->lines), feed->count));
    text_clear(&feed->lines);
    feed->count = 0;
    return NULL;
}

static bool is_blank(Str line)
{
    for (size_t i = 0; i < line.length; i++)
        if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r' && line.at[i] != '\n')
            return false;
    return true;
}

static Err *feed_line(Feed *feed, Str line)
{
    if (is_blank(line))
        return NULL;
    if (feed->lines.length + line.length > BATCH_BYTES)
        TRY(feed_flush(feed));
    text_add(&feed->lines, line);
    text_add_char(&feed->lines, '\n');
    feed->count++;
    return feed->count < feed->batch ? NULL : feed_flush(feed);
}

// ---- input

typedef struct Input {
    int  fd;
    Text text;  // read and not used yet
    bool ended;
} Input;

static Err *input_more(Arena *arena, Input *input)
{
    char   *at = text_reserve(&input->text, READ_BYTES);
    ssize_t got = read(input->fd, at, READ_BYTES);
    if (got < 0 && errno != EINTR)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "cannot read: %s", strerror(errno));
    if (got > 0)
        text_grow(&input->text, (size_t)got);
    input->ended = got == 0;
    return NULL;
}

static Err *lines_feed(Arena *arena, Feed *feed, Input *input)
{
    for (;;) {
        Str rest = text_str(&input->text);
        while (rest.length > 0 && memchr(rest.at, '\n', rest.length) != NULL)
            TRY(feed_line(feed, str_cut(&rest, '\n')));
        if (input->ended)
            return feed_line(feed, rest);
        if (rest.length > 0)
            memmove(input->text.at, rest.at, rest.length);
        input->text.length = rest.length;
        TRY(input_more(arena, input));
    }
}

static Err *array_feed(Arena *arena, Feed *feed, Input *input)
{
    while (!input->ended)
        TRY(input_more(arena, input));
    Json *root;
    Text  line = text_open(arena);
    TRY(json_parse_copy(arena, text_str(&input->text), &root));
    for (const Json *element = root->first; element != NULL; element = element->next) {
        JsonOut out = json_out(&line);
        text_clear(&line);
        json_value(&out, element);
        TRY(feed_line(feed, text_str(&line)));
    }
    return NULL;
}

static Err *input_feed(Arena *arena, Feed *feed, Input *input)
{
    while (!input->ended && is_blank(text_str(&input->text)))
        TRY(input_more(arena, input));
    size_t first = 0;
    while (first < input->text.length && is_blank((Str){ input->text.at + first, 1 }))
        first++;
    char begin = first < input->text.length ? input->text.at[first] : '{';
    if (begin != '{' && begin != '[')
        return refuse(arena, ERR_JSON_INVALID, STR_NONE,
                      "the file is no usage: it must be JSON, one object a line or one array");
    TRY(begin == '[' ? array_feed(arena, feed, input) : lines_feed(arena, feed, input));
    return feed_flush(feed);
}

// ---- the command

static const char usage_text[] =
    "toll ingest -f FILE|- [--url URL] [--key KEY] [--batch N] [--wait SECONDS] [--plain] "
    "[--json]\n"
    "  FILE   JSON: one event a line, or one array\n"
    "  URL    else TOLL_URL, else http://127.0.0.1:8080\n"
    "  KEY    else TOLL_KEY, which no list of processes shows\n";

static bool options_whole(const Options *options)
{
    if (options->file == NULL)
        fputs("toll ingest: -f FILE is required\n", stderr);
    if (options->key == NULL)
        fputs("toll ingest: a key is required, as --key or in TOLL_KEY\n", stderr);
    return options->file != NULL && options->key != NULL;
}

static bool options_read(int argc, char **argv, Options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        Str         number = str_of(next);
        bool        is_fine = next != NULL;
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
            continue;
        } else if (strcmp(argv[i], "--plain") == 0) {
            options->coding = BODY_PLAIN;
            continue;
        } else if (strcmp(argv[i], "-f") == 0) {
            options->file = next;
        } else if (strcmp(argv[i], "--url") == 0) {
            options->url = next;
        } else if (strcmp(argv[i], "--key") == 0) {
            options->key = next;
        } else if (strcmp(argv[i], "--batch") == 0) {
            is_fine = str_whole(number, BATCH_MOST, &options->batch) && options->batch > 0;
        } else if (strcmp(argv[i], "--wait") == 0) {
            is_fine = str_whole(number, 86400, &options->wait_s);
        } else {
            is_fine = false;
        }
        if (!is_fine) {
            fprintf(stderr, "toll ingest: not understood: %s %s\n", argv[i], next ? next : "");
            return false;
        }
        i++;
    }
    return options_whole(options);
}

static void counts_print(const Options *options, const Feed *feed, int64_t took_us)
{
    const UsageSender *sender = &feed->sender;
    uint64_t           repeats = client_repeats(sender->client);
    if (!options->json) {
        for (size_t i = 0; i < OUTCOME_COUNT; i++)
            printf("%-10s %12" PRIu64 "\n", outcome_name((Outcome)i), sender->counts[i]);
        fprintf(stderr, "%" PRIu64 " events in %" PRIu64 " requests, %" PRIu64 " repeated, %" PRId64
                " ms\n", sender->events, sender->requests, repeats, took_us / 1000);
        return;
    }
    AUTO(Arena) arena = arena_open();
    Text    text = text_open(arena);
    JsonOut out = json_out(&text);
    json_object(&out);
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        json_whole_member(&out, outcome_name((Outcome)i), (int64_t)sender->counts[i]);
    json_whole_member(&out, "events", (int64_t)sender->events);
    json_whole_member(&out, "requests", (int64_t)sender->requests);
    json_whole_member(&out, "repeats", (int64_t)repeats);
    json_object_end(&out);
    printf("%.*s\n", STR_ARG(text_str(&text)));
}

static int file_send(const Options *options, Input *input)
{
    AUTO(Arena) arena = arena_open();
    ClientOptions reach = { str_of(options->url), str_of(options->key), (int)options->wait_s };
    AUTO(Client) client = client_open(&reach);
    Feed feed = { .sender = { .client = client, .coding = options->coding,
                              .not_taken = refused_show },
                  .arena = arena_open(), .batch = options->batch, .lines = text_open_own() };
    feed.sender.context = &feed;
    int64_t start_us = clock_tick_us();
    Err    *err = input_feed(arena, &feed, input);
    if (err != NULL)
        fprintf(stderr, "toll ingest: after %" PRIu64 " events: %.*s\n", feed.sender.events,
                STR_ARG(err->detail));
    if (feed.shown > SHOWN_MOST)
        fprintf(stderr, "... and %" PRIu64 " more\n", feed.shown - SHOWN_MOST);
    counts_print(options, &feed, clock_tick_us() - start_us);
    uint64_t refused = feed.sender.counts[OUTCOME_CONFLICT] + feed.sender.counts[OUTCOME_REJECTED];
    text_close(&feed.lines);
    arena_close(feed.arena);
    return err != NULL || refused > 0;
}

int cli_ingest(int argc, char **argv)
{
    Options options = { .url = getenv("TOLL_URL"), .key = getenv("TOLL_KEY"), .batch = 1000,
                        .wait_s = 30, .coding = BODY_GZIP };
    if (options.url == NULL)
        options.url = "http://127.0.0.1:8080";
    if (cli_helped(argc, argv, usage_text))
        return 0;
    if (!options_read(argc, argv, &options)) {
        fputs(usage_text, stderr);
        return 2;
    }

    bool  is_stdin = strcmp(options.file, "-") == 0;
    Input input = { .fd = is_stdin ? STDIN_FILENO : open(options.file, O_RDONLY | O_CLOEXEC),
                    .text = text_open_own() };
    if (input.fd < 0) {
        fprintf(stderr, "toll ingest: cannot open %s: %s\n", options.file, strerror(errno));
        return 1;
    }
    int result = file_send(&options, &input);
    text_close(&input.text);
    if (!is_stdin)
        close(input.fd);
    return result;
}
