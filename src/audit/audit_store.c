// SPDX-License-Identifier: Apache-2.0
// hash(n) = BLAKE2b-256 of hash(n - 1) and the entry in a counted form; hash(0) is 32 zero bytes.
// The number is in it too, so that entries cannot trade places.
#include "audit/audit.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"

enum { HASH_BYTES = 32, VERIFY_PAGE = 500 };

enum { ENTRY_ADD, ENTRY_LAST, ENTRIES_BELOW, ENTRIES_ABOVE, AUDIT_STATEMENTS };

#define COLUMNS "number, at, who, action, object, reason, detail, hash"

static const Statement audit_sql[AUDIT_STATEMENTS] = {
    [ENTRY_ADD] = { "insert into audit_entry (tenant, project, " COLUMNS ")"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" },
    [ENTRY_LAST] = { "select number, hash from audit_entry where tenant = ? and project = ?"
                     " order by number desc limit 1" },
    [ENTRIES_BELOW] = { "select " COLUMNS " from audit_entry where tenant = ? and project = ?"
                        " and number < ? order by number desc limit ?" },
    [ENTRIES_ABOVE] = { "select " COLUMNS " from audit_entry where tenant = ? and project = ?"
                        " and number > ? order by number limit ?" },
};

const StatementTable audit_table = { "audit", audit_sql, AUDIT_STATEMENTS };

// A text that is absent differs from one that is empty.
static void add_optional(Text *form, Str text)
{
    text_add_char(form, text.at == NULL ? 0 : 1);
    text_add_counted(form, text);
}

static void entry_hash(Arena *arena, const AuditEntry *entry, Str before,
                       unsigned char hash[HASH_BYTES])
{
    Text form = text_open(arena);
    text_add_counted(&form, before);
    text_add_counted(&form, entry->tenant);
    text_add_counted(&form, entry->project);
    text_add_signed(&form, entry->number);
    text_add_signed(&form, entry->at.us);
    text_add_counted(&form, entry->who);
    text_add_counted(&form, entry->action);
    text_add_counted(&form, entry->object);
    add_optional(&form, entry->reason);
    add_optional(&form, entry->detail);
    Digest digest = digest_of(text_str(&form));
    digest_write(&digest, hash);
}

static Str hash_zero(Arena *arena)
{
    return (Str){ arena_take(arena, HASH_BYTES), HASH_BYTES };
}

static AuditEntry entry_read(const DbRow *row, Str tenant, Str project)
{
    return (AuditEntry){
        .tenant = tenant,
        .project = project,
        .number = row_whole(row, 0),
        .at = { row_whole(row, 1) },
        .who = row_text(row, 2),
        .action = row_text(row, 3),
        .object = row_text(row, 4),
        .reason = row_text(row, 5),
        .detail = row_text(row, 6),
    };
}

static Err *last_once(DbTx *tx, const AuditEntry *entry, DbRow *last)
{
    return db_find(tx, &audit_sql[ENTRY_LAST],
                   DB_VALUES(db_text(entry->tenant), db_text(entry->project)), last);
}

// On a server the row is locked by the look; while it waited for that, another process may have
// added behind it.
static Err *last_find(DbTx *tx, const AuditEntry *entry, DbRow *last)
{
    DbRow before;
    TRY(last_once(tx, entry, last));
    bool is_same = !db_is_again(tx) || last->columns == NULL;
    while (!is_same) {
        before = *last;
        TRY(last_once(tx, entry, last));
        is_same = row_whole(last, 0) == row_whole(&before, 0);
    }
    return NULL;
}

Err *audit_add(DbTx *tx, const AuditEntry *wanted)
{
    AuditEntry    entry = *wanted;
    unsigned char hash[HASH_BYTES];
    DbRow         last;
    assert_that(entry.who.length > 0 && entry.action.length > 0);
    TRY(last_find(tx, &entry, &last));
    bool found = last.columns != NULL;
    entry.number = found ? row_whole(&last, 0) + 1 : 1;
    entry_hash(db_arena(tx), &entry, found ? row_blob(&last, 1) : hash_zero(db_arena(tx)), hash);
    return db_run(tx, &audit_sql[ENTRY_ADD],
                  DB_VALUES(db_text(entry.tenant), db_text(entry.project), db_whole(entry.number),
                            db_whole(entry.at.us), db_text(entry.who), db_text(entry.action),
                            db_text(entry.object), db_text(entry.reason), db_text(entry.detail),
                            db_blob(hash, sizeof hash)),
                  NULL);
}

Err *audit_list(DbTx *tx, const AuditPage *page, AuditEntry **entries, size_t *count)
{
    DbRows  rows;
    int64_t before = page->before == 0 ? INT64_MAX : page->before;
    TRY(db_rows(tx, &audit_sql[ENTRIES_BELOW],
                DB_VALUES(db_text(page->tenant), db_text(page->project), db_whole(before),
                          db_whole((int64_t)page->limit)),
                &rows));
    *entries = arena_array(db_arena(tx), AuditEntry, rows.count);
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        (*entries)[i] = entry_read(&rows.at[i], page->tenant, page->project);
    return NULL;
}

Err *audit_verify(DbTx *tx, Str tenant, Str project, int64_t *count)
{
    Str     before = hash_zero(db_arena(tx));
    int64_t number = 0;
    DbRows  rows;
    do {
        TRY(db_rows(
            tx, &audit_sql[ENTRIES_ABOVE],
            DB_VALUES(db_text(tenant), db_text(project), db_whole(number), db_whole(VERIFY_PAGE)),
            &rows));
        for (size_t i = 0; i < rows.count; i++) {
            unsigned char hash[HASH_BYTES];
            AuditEntry    entry = entry_read(&rows.at[i], tenant, project);
            entry_hash(db_arena(tx), &entry, before, hash);
            before = row_blob(&rows.at[i], 7);
            if (entry.number != ++number || !str_equal(before, (Str){ (char *)hash, sizeof hash }))
                return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                              "the audit trail of project %.*s does not hold at entry %lld",
                              STR_ARG(project), (long long)number);
        }
    } while (rows.count == VERIFY_PAGE);
    *count = number;
    return NULL;
}
