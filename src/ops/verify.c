// SPDX-License-Identifier: Apache-2.0
#include "ops/verify.h"

#include "audit/audit.h"
#include "flow/ledger/credit.h"
#include "flow/ledger/ledger_seal.h"

typedef struct AuditCheck {
    ProjectId project;
    int64_t   entries;
} AuditCheck;

static Err *audit_work(DbTx *tx, void *context)
{
    AuditCheck *check = context;
    return audit_verify(tx, check->project.tenant, check->project.id, &check->entries);
}

static void tell(VerifyReport *report, Str drift)
{
    if (report->usage.drifts++ < RECOUNT_TOLD)
        report->usage.tell(report->usage.context, drift);
}

static Err *audit_check(Db *books, Catalog *catalog, Arena *arena, VerifyReport *report)
{
    Project *projects;
    size_t   count;
    TRY(catalog_projects(catalog, arena, &projects, &count));
    for (size_t i = 0; i < count; i++) {
        AuditCheck check = { .project = projects[i].id };
        Err       *err = db_read(books, arena, audit_work, &check);
        if (err != NULL)
            tell(report, str_print(arena, "audit log of project %.*s: %.*s",
                                   STR_ARG(projects[i].id.id), STR_ARG(err->detail)));
        report->audit_entries += (uint64_t)check.entries;
    }
    report->projects = count;
    return NULL;
}

typedef struct LedgerTold {
    VerifyReport *report;
    Arena        *arena;
    Str           project;
} LedgerTold;

static void ledger_tell(void *context, Str drift)
{
    LedgerTold *told = context;
    tell(told->report, str_print(told->arena, "project %.*s: %.*s", STR_ARG(told->project),
                                 STR_ARG(drift)));
}

typedef struct CreditCheck {
    ProjectId    project;
    CreditReport report;
} CreditCheck;

static Err *credit_work(DbTx *tx, void *context)
{
    CreditCheck *check = context;
    return credit_verify(tx, check->project, &check->report);
}

static Err *ledger_check(Db *books, Catalog *catalog, Arena *arena, VerifyReport *report)
{
    Project *projects;
    size_t   count;
    TRY(catalog_projects(catalog, arena, &projects, &count));
    for (size_t i = 0; i < count; i++) {
        LedgerTold   told = { report, arena, projects[i].id.id };
        LedgerReport ledger = { .tell = ledger_tell, .context = &told };
        TRY(ledger_verify(books, arena, projects[i].id, &ledger));
        CreditCheck credit = { projects[i].id, { .tell = ledger_tell, .context = &told } };
        TRY(db_read(books, arena, credit_work, &credit));
        report->ledger_transactions += ledger.transactions + ledger.unsealed;
    }
    return NULL;
}

// A meter that the catalog has and the journal has not is what a crash between the two leaves: the
// next start puts it. That is no drift; a meter that measures otherwise than it says would be.
static Err *meters_check(Catalog *catalog, Partition *partition, Arena *arena, VerifyReport *report)
{
    ProjectMeter *meters;
    size_t        count;
    TRY(catalog_meters_all(catalog, arena, &meters, &count));
    for (size_t i = 0; i < count; i++)
        if (partition_meter_differs(partition, arena, meters[i].project.id, &meters[i].meter))
            tell(report, str_print(arena, "meter \"%.*s\" is folded by another definition than the "
                                   "catalog's", STR_ARG(meters[i].meter.id)));
    report->meters = count;
    return NULL;
}

Err *verify_all(Db *books, Catalog *catalog, Partition *partition, Arena *arena,
                VerifyReport *report)
{
    report->sequence = partition_sequence(partition);
    TRY(audit_check(books, catalog, arena, report));
    TRY(ledger_check(books, catalog, arena, report));
    TRY(meters_check(catalog, partition, arena, report));
    return partition_recount(partition, arena, &report->usage);
}
