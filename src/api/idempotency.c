// SPDX-License-Identifier: Apache-2.0
// The answer is stored where the effect is, so a crash leaves both or neither. Who finds the row
// of his key replays; two at the same moment are told apart in memory, and, on two servers, by the
// row's key.
#include "api/idempotency.h"

#include "audit/answered.h"
#include "base/bytes.h"
#include "base/thread.h"

enum { SWEEP_EVERY = 1000, SWEEP_ROWS = 2000 };

// ---- keys that are being worked on

typedef struct Running {
    const Answered *of;
    struct Running *next;
} Running;

static Lock     running_lock = PTHREAD_MUTEX_INITIALIZER;
static Running *running_first;

static bool same_key(const Answered *a, const Answered *b)
{
    return str_equal(a->key, b->key) && str_equal(a->project, b->project) &&
           str_equal(a->tenant, b->tenant);
}

static Err *running_begin(Arena *arena, Running *mine)
{
    bool is_taken = false;
    lock_take(&running_lock);
    for (const Running *at = running_first; at != NULL && !is_taken; at = at->next)
        is_taken = same_key(at->of, mine->of);
    if (!is_taken) {
        mine->next = running_first;
        running_first = mine;
    }
    lock_release(&running_lock);
    return is_taken ? refuse(arena, ERR_IDEMPOTENCY_KEY_RUNNING, STR_NONE,
                             "another request with this Idempotency-Key is being worked on")
                    : NULL;
}

static void running_end(const Running *mine)
{
    lock_take(&running_lock);
    Running **at = &running_first;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    lock_release(&running_lock);
}

// ---- the key

static Err *key_read(const Request *request, KeyNeed need, Str *key)
{
    *key = request_header(request, "Idempotency-Key");
    if (key->at == NULL && need == KEY_REQUIRED)
        return refuse(request->arena, ERR_IDEMPOTENCY_KEY_REQUIRED, STR_NONE,
                      "send an Idempotency-Key header, so that a repetition does nothing twice");
    if (key->at != NULL && (key->length == 0 || key->length > ANSWERED_KEY_BYTES ||
                            !str_is_utf8(*key) || str_has_control(*key)))
        return refuse(request->arena, ERR_IDEMPOTENCY_KEY_INVALID, STR_NONE,
                      "Idempotency-Key must be 1 to %d bytes of text", ANSWERED_KEY_BYTES);
    return NULL;
}

// Method, path and the body by its tokens: white space does not make another request.
static Err *request_digest(Request *request, Digest *digest)
{
    Text  form = text_open(request->arena), content = text_open(request->arena);
    Json *body;
    if (request->body.length > 0) {
        JsonOut out = json_out(&content);
        TRY(request_json(request, &body));
        json_value(&out, body);
    }
    text_add_counted(&form, str_of(method_name(request->method)));
    text_add_counted(&form, request->path);
    text_add_counted(&form, text_str(&content));
    *digest = digest_of(text_str(&form));
    return NULL;
}

// ---- the transaction

typedef struct KeyedWrite {
    const Idempotent *wanted;
    Answered          answer;    // key.at is NULL: without a key
    Text             *body;      // of the response
    Answered         *replayed;  // NULL: the work was done
} KeyedWrite;

static Err *find(DbTx *tx, KeyedWrite *write)
{
    TRY(answered_find(tx, &write->answer, &write->replayed));
    if (write->replayed != NULL &&
        !digest_equal(&write->replayed->request, &write->answer.request))
        return refuse(db_arena(tx), ERR_IDEMPOTENCY_KEY_REUSED, STR_NONE,
                      "this Idempotency-Key came with another request before");
    return NULL;
}

static Err *find_work(DbTx *tx, void *context)
{
    return find(tx, context);
}

static Err *write_work(DbTx *tx, void *context)
{
    KeyedWrite *write = context;
    bool        added = true;
    write->replayed = NULL;
    text_clear(write->body);
    if (write->answer.key.at == NULL)
        return write->wanted->work(tx, write->wanted->context, write->body);
    TRY(find(tx, write));
    if (write->replayed != NULL)
        return NULL;
    TRY(write->wanted->work(tx, write->wanted->context, write->body));
    write->answer.body = text_str(write->body);
    TRY(answered_add(tx, &write->answer, &added));
    return added ? NULL : db_met(tx, ERR_IDEMPOTENCY_KEY_RUNNING,
                                 "another server is working on this Idempotency-Key");
}

static void replay(const KeyedWrite *write, Response *response)
{
    text_clear(&response->body);
    text_add(&response->body, write->replayed->body);
    response->status = (int)write->replayed->status;
    response_header(response, "Idempotent-Replayed", STR("true"));
}

typedef struct Sweep {
    Instant now;
    size_t  removed;
} Sweep;

static Err *sweep_work(DbTx *tx, void *context)
{
    Sweep *sweep = context;
    return answered_sweep(tx, sweep->now, SWEEP_ROWS, &sweep->removed);
}

// Now and then somebody takes away what is too old; that it fails is nobody's business but the
// next one's.
static void sweep(Request *request)
{
    static _Atomic unsigned count;
    Sweep                   swept = { .now = request->received };
    if (count++ % SWEEP_EVERY != 0)
        return;
    Err *err = db_write(server_of(request)->books, request->arena,
                        (DbWrite){ .work = sweep_work, .context = &swept });
    (void)err;
}

static Err *prepare(Request *request, KeyedWrite *write)
{
    if (write->wanted->prepare == NULL)
        return NULL;
    if (write->answer.key.at != NULL)
        TRY(db_read(server_of(request)->books, request->arena, find_work, write));
    return write->replayed != NULL ? NULL
                                   : write->wanted->prepare(request, write->wanted->context);
}

static Err *write_once(Request *request, Response *response, KeyedWrite *write)
{
    TRY(prepare(request, write));
    if (write->replayed == NULL)
        TRY(db_write(server_of(request)->books, request->arena,
                     (DbWrite){ .work = write_work, .context = write }));
    if (write->replayed != NULL)
        replay(write, response);
    else if (write->wanted->status != 0)
        response->status = write->wanted->status;
    return NULL;
}

Err *idempotent_write(Request *request, Response *response, const Idempotent *wanted)
{
    KeyedWrite write = { .wanted = wanted, .body = &response->body };
    Running    mine = { .of = &write.answer };
    ProjectId  project = project_of(request);
    TRY(key_read(request, wanted->need, &write.answer.key));
    if (write.answer.key.at == NULL)
        return write_once(request, response, &write);
    write.answer.tenant = project.tenant;
    write.answer.project = project.id;
    write.answer.at = request->received;
    write.answer.status = wanted->status != 0           ? wanted->status
                          : request->route->status != 0 ? request->route->status
                                                        : 200;
    TRY(request_digest(request, &write.answer.request));
    TRY(running_begin(request->arena, &mine));
    Err *err = write_once(request, response, &write);
    running_end(&mine);
    if (err == NULL)
        sweep(request);
    return err;
}
