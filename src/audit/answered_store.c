// SPDX-License-Identifier: Apache-2.0
// One row a key. An answer that is too old is as good as none: the next one of its key replaces it.
#include "audit/answered.h"

#include "base/assert.h"

enum { ANSWERED_GET, ANSWERED_ADD, ANSWERED_REMOVE, ANSWERED_OLD, STATEMENTS };

static const Statement sql[STATEMENTS] = {
    [ANSWERED_GET] = { "select request, at, status, body from answered"
                       " where tenant = ? and project = ? and request_key = ?" },
    [ANSWERED_ADD] = { "insert into answered (tenant, project, request_key, request, at, status,"
                       " body) values (?, ?, ?, ?, ?, ?, ?)" },
    [ANSWERED_REMOVE] = { "delete from answered where tenant = ? and project = ?"
                          " and request_key = ? and at < ?" },
    [ANSWERED_OLD] = { "select tenant, project, request_key from answered where at < ?"
                       " order by at limit ?" },
};

const StatementTable answered_table = { "answered", sql, STATEMENTS };

enum { DIGEST_BYTES = 32 };

static int64_t kept_since(Instant now)
{
    return now.us - ANSWERED_DAYS * INSTANT_DAY_US;
}

Err *answered_find(DbTx *tx, const Answered *wanted, Answered **found)
{
    DbRow row;
    TRY(db_find(tx, &sql[ANSWERED_GET],
                DB_VALUES(db_text(wanted->tenant), db_text(wanted->project), db_text(wanted->key)),
                &row));
    *found = NULL;
    if (row.columns == NULL || row_whole(&row, 1) < kept_since(wanted->at))
        return NULL;
    Str digest = row_blob(&row, 0);
    if (digest.length != DIGEST_BYTES)
        return refuse(db_arena(tx), ERR_STORE_FAILED, STR_NONE,
                      "the digest of an answered request is damaged");
    *found = arena_new(db_arena(tx), Answered);
    **found = *wanted;
    (*found)->request = digest_read((const unsigned char *)digest.at);
    (*found)->at = (Instant){ row_whole(&row, 1) };
    (*found)->status = row_whole(&row, 2);
    (*found)->body = row_text(&row, 3);
    return NULL;
}

Err *answered_add(DbTx *tx, const Answered *answer, bool *added)
{
    unsigned char digest[DIGEST_BYTES];
    DbValue       tenant = db_text(answer->tenant), project = db_text(answer->project);
    DbValue       key = db_text(answer->key);
    assert_that(answer->key.length > 0 && answer->key.length <= ANSWERED_KEY_BYTES);
    digest_write(&answer->request, digest);
    DbValues row = DB_VALUES(tenant, project, key, db_blob(digest, sizeof digest),
                             db_whole(answer->at.us), db_whole(answer->status),
                             db_text(answer->body));
    TRY(db_insert(tx, &sql[ANSWERED_ADD], row, added));
    if (*added)
        return NULL;
    TRY(db_run(tx, &sql[ANSWERED_REMOVE],
               DB_VALUES(tenant, project, key, db_whole(kept_since(answer->at))), NULL));
    return db_insert(tx, &sql[ANSWERED_ADD], row, added);
}

Err *answered_sweep(DbTx *tx, Instant now, size_t limit, size_t *removed)
{
    DbRows   rows;
    DbValue  since = db_whole(kept_since(now));
    uint64_t changed, all = 0;
    TRY(db_rows(tx, &sql[ANSWERED_OLD], DB_VALUES(since, db_whole((int64_t)limit)), &rows));
    for (size_t i = 0; i < rows.count; i++) {
        TRY(db_run(tx, &sql[ANSWERED_REMOVE],
                   DB_VALUES(db_text(row_text(&rows.at[i], 0)), db_text(row_text(&rows.at[i], 1)),
                             db_text(row_text(&rows.at[i], 2)), since),
                   &changed));
        all += changed;
    }
    *removed = all;
    return NULL;
}
