// How a project bills: settings that the whole of it shares. One row; what was never said is the
// default. Owns table project_settings.
#pragma once

#include "catalog/project.h"
#include "db/db.h"

// What becomes of usage that arrives, or is taken away, when its period was billed.
typedef enum LateUsage {
    LATE_NEXT_INVOICE,  // the difference stands on the next invoice
    LATE_CREDIT_NOTE,   // what falls is credited at once, what rises stands on the next invoice
    LATE_REOPEN,        // nothing by itself: the period is listed, an operator bills it again
    LATE_USAGE_COUNT
} LateUsage;
extern const char *const late_usage_names[];  // "nextInvoice", …; ends with NULL

// Who starts the runs that bill.
typedef enum BillingMode {
    BILLING_MANUAL,     // whoever asks for one: nothing final is made by itself
    BILLING_AUTOMATIC,  // the scheduler, when something is due
    BILLING_MODE_COUNT
} BillingMode;
extern const char *const billing_mode_names[];  // "manual", …; ends with NULL

typedef struct ProjectSettings {
    BillingMode billing;
    int64_t   close_buffer_us;       // a run closes a boundary only so long after it
    LateUsage late_usage;
    int64_t   recompute_horizon_us;  // and a period's length after its end it is not billed again
} ProjectSettings;

extern const ProjectSettings project_settings_usual;  // what holds until something is said

// A stored name. STORE_FAILED.
Err *late_usage_read(Arena *arena, Str name, LateUsage *rule) MUST_CHECK;

enum { CLOSE_BUFFER_SECONDS_MAX = 30 * 86400, RECOMPUTE_HORIZON_DAYS_MAX = 3660 };

Err *project_settings_get(DbTx *tx, ProjectId project, ProjectSettings *settings) MUST_CHECK;
Err *project_settings_put(DbTx *tx, ProjectId project, const ProjectSettings *settings) MUST_CHECK;
// The same in a transaction of its own.
Err *project_settings_read(Db *db, Arena *arena, ProjectId project,
                           ProjectSettings *settings) MUST_CHECK;

extern const StatementTable catalog__settings_table;
