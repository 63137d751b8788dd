// SPDX-License-Identifier: Apache-2.0
// The proof, from the command line: on a data directory that no server has open.
#include "cli/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "catalog/datadir.h"
#include "cli/config.h"
#include "ops/books.h"
#include "ops/verify.h"

static const char usage_text[] = "usage: toll verify --data DIR [--json] [--config FILE]\n";

// What is open while verifying. NULL: not opened yet.
typedef struct Opened {
    Arena     *arena;
    DataDir   *dir;
    Db        *books;
    Catalog   *catalog;
    Partition *partition;
} Opened;

static void tell_drift(void *context, Str drift)
{
    (void)context;
    fprintf(stderr, "toll: drift: %.*s\n", STR_ARG(drift));
}

static bool account_name(void *partition, uint64_t index, Str *project, Str *account)
{
    return partition_account(partition, index, project, account);
}

static Err *open_all(Opened *opened, const char *folder, const char *file)
{
    Arena  *arena = opened->arena;
    Config *config;
    TRY(cli_config_load(arena, file, &config));
    TRY(datadir_open(arena, str_of(folder), config_text(config, CONFIG_BOOKS), &opened->dir));
    PartitionOptions usage = {
        .folder = opened->dir->usage,
        .key = opened->dir->identity,
        .seal_bits = opened->dir->seal_bits,
        .read_only = true,
    };
    TRY(books_open(arena, opened->dir->books, 0, &opened->books));
    TRY(catalog_open(arena, opened->books, &opened->dir->pepper, &opened->catalog));
    TRY(partition_open(arena, &usage, &opened->partition));
    // Refused when usage has fewer accounts than the books know from it: a journal that is gone
    // looks like one that has not begun.
    AccountSource names = { account_name, opened->partition };
    return catalog_accounts_from(opened->catalog, arena, names);
}

static void close_all(Opened *opened)
{
    partition_close(opened->partition);
    catalog_close(opened->catalog);
    db_close(opened->books);
    datadir_close(opened->dir);
}

static void report_print(const VerifyReport *report, Arena *arena)
{
    const Recount *usage = &report->usage;
    Text           text = text_open(arena);
    JsonOut        out = json_out(&text);
    json_object(&out);
    json_bool_member(&out, "clean", usage->drifts == 0);
    json_whole_member(&out, "drifts", (int64_t)usage->drifts);
    json_whole_member(&out, "sequence", (int64_t)report->sequence);
    json_whole_member(&out, "sealedEvents", (int64_t)usage->events);
    json_whole_member(&out, "ids", (int64_t)usage->ids);
    json_whole_member(&out, "cells", (int64_t)usage->cells);
    json_whole_member(&out, "ranges", (int64_t)usage->ranges);
    json_whole_member(&out, "projects", (int64_t)report->projects);
    json_whole_member(&out, "meters", (int64_t)report->meters);
    json_whole_member(&out, "auditEntries", (int64_t)report->audit_entries);
    json_whole_member(&out, "ledgerTransactions", (int64_t)report->ledger_transactions);
    json_object_end(&out);
    printf("%.*s\n", STR_ARG(text_str(&text)));
}

static void report_tell(const VerifyReport *report)
{
    const Recount *usage = &report->usage;
    printf("sequence %" PRIu64 ", of which sealed: %" PRIu64 " events, %" PRIu64 " ids, %" PRIu64
           " cells in %" PRIu64 " ranges\n", report->sequence, usage->events, usage->ids,
           usage->cells, usage->ranges);
    printf("%" PRIu64 " projects, %" PRIu64 " meters, %" PRIu64 " audit entries, %" PRIu64
           " ledger transactions\n",
           report->projects, report->meters, report->audit_entries, report->ledger_transactions);
    if (usage->drifts == 0)
        printf("clean: everything derived is what its events give\n");
    else
        printf("NOT clean: %" PRIu64 " differences\n", usage->drifts);
}

int cli_verify(int argc, char **argv)
{
    const char *folder = NULL, *file = NULL;
    bool        as_json = false;
    if (cli_helped(argc, argv, usage_text))
        return 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc) {
            folder = argv[++i];
        } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else {
            folder = NULL;
            break;
        }
    }
    if (folder == NULL) {
        fputs(usage_text, stderr);
        return 2;
    }
    log_threshold(LOG_WARN);
    AUTO(Arena) arena = arena_open();
    Opened       opened = { .arena = arena };
    VerifyReport report = { .usage = { .tell = tell_drift } };
    Err         *err = open_all(&opened, folder, file);
    if (err == NULL)
        err = verify_all(opened.books, opened.catalog, opened.partition, arena, &report);
    close_all(&opened);
    if (err != NULL) {
        cli_tell(err);
        return 1;
    }
    if (as_json)
        report_print(&report, arena);
    else
        report_tell(&report);
    return report.usage.drifts == 0 ? 0 : 1;
}
