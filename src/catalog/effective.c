// SPDX-License-Identifier: Apache-2.0
// Effective plans: a published version with the patches of a phase and of a subscription.
// Everything that goes in is immutable, so what comes out is kept by its content.
#include "catalog/body.h"
#include "catalog/catalog_inside.h"
#include "price/patch.h"

typedef struct Reading {
    DbTx             *tx;
    Catalog          *catalog;
    const PlanWanted *wanted;
} Reading;

// Ids are without controls and JSON texts without NUL, so no two of these are alike.
static Str key_of(Arena *arena, const PlanWanted *wanted)
{
    Text key = text_open(arena);
    text_add(&key, wanted->ref.project.id);
    text_add_char(&key, 0);
    text_add(&key, wanted->ref.plan);
    text_print(&key, "%c%lld", 0, (long long)wanted->ref.number);
    for (size_t i = 0; i < wanted->patch_count; i++)
        if (wanted->patches[i].at != NULL) {
            text_add_char(&key, 0);
            text_add(&key, wanted->patches[i]);
        }
    return text_str(&key);
}

static bool is_patched(const PlanWanted *wanted)
{
    for (size_t i = 0; i < wanted->patch_count; i++)
        if (wanted->patches[i].at != NULL)
            return true;
    return false;
}

// Versions by themselves are few and used by everybody: what is patched for one does not crowd them
// out.
static PlanCache *cache_of(const Catalog *catalog, const PlanWanted *wanted)
{
    return is_patched(wanted) ? catalog->patched : catalog->plans;
}

static Err *patches_apply(Arena *arena, const PlanWanted *wanted, const Json **document)
{
    Faults faults = { .arena = arena };
    for (size_t i = 0; i < wanted->patch_count; i++) {
        Json *patch;
        if (wanted->patches[i].at == NULL)
            continue;
        TRY(json_parse_copy(arena, wanted->patches[i], &patch));
        *document = plan_patch(arena, *document, patch, STR(""), &faults);
        if (*document == NULL)
            return faults.first;
    }
    return NULL;
}

// Charges and discounts of a patch have names where those of a document have places:
// "/charges/0/unitPrice" is the patch's "/charges/api/unitPrice".
static Str pointer_by_id(Arena *arena, const Json *document, Str pointer)
{
    uint64_t    place;
    Str         rest = pointer, none = str_cut(&rest, '/'), name = str_cut(&rest, '/');
    Str         index = str_cut(&rest, '/');
    const Json *list = json_find(document, name);
    if (none.length > 0 || list == NULL || list->kind != JSON_ARRAY ||
        !str_whole(index, UINT32_MAX, &place))
        return pointer;
    const Json *element = list->first;
    while (element != NULL && place-- > 0)
        element = element->next;
    const Json *id = element == NULL ? NULL : json_find(element, STR("id"));
    if (id == NULL || id->kind != JSON_STRING)
        return pointer;
    Str named = pointer_of(arena, pointer_of(arena, STR(""), name), id->text);
    return rest.length == 0 ? named
                            : str_print(arena, "%.*s/%.*s", STR_ARG(named), STR_ARG(rest));
}

static Err *plan_read(Arena *arena, const PlanVersion *version, const PlanWanted *wanted,
                      Plan **plan)
{
    Faults      faults = { .arena = arena };
    Json       *parsed;
    const Json *document;
    if (!is_patched(wanted))
        return plan_from_text(arena, version->document, plan);
    TRY(json_parse_copy(arena, version->document, &parsed));
    document = parsed;
    TRY(patches_apply(arena, wanted, &document));
    *plan = plan_from_json(document, STR(""), STR_NONE, &faults);
    for (Err *fault = faults.first; fault != NULL; fault = fault->next)
        fault->pointer = pointer_by_id(arena, document, fault->pointer);
    return faults.first;
}

static Err *version_get(Reading reading, PlanVersion **version)
{
    const PlanRef *ref = &reading.wanted->ref;
    bool           exists;
    TRY(catalog__plan_exists(reading.tx, ref, &exists));
    if (!exists)
        return refuse(db_arena(reading.tx), ERR_PLAN_NOT_FOUND, STR("/plan"),
                      "there is no plan %.*s", STR_ARG(ref->plan));
    TRY(catalog__plan_version_find(reading.tx, ref, version));
    if (*version == NULL || !(*version)->published)
        return refuse(db_arena(reading.tx), ERR_PLAN_VERSION_NOT_FOUND, STR("/planVersion"),
                      "plan %.*s has no version %lld", STR_ARG(ref->plan), (long long)ref->number);
    return NULL;
}

// In an arena of its own, for the cache; else in the caller's.
static Err *plan_make(Reading reading, Str key, const Plan **plan)
{
    Arena       *arena = arena_open();
    PlanVersion *version;
    Plan        *made;
    Err         *err = version_get(reading, &version);
    if (err == NULL && plan_read(arena, version, reading.wanted, &made) == NULL) {
        *plan = plan_cache_keep(cache_of(reading.catalog, reading.wanted), key, arena, made);
        if (*plan != NULL)
            return NULL;
    }
    arena_close(arena);
    TRY(err);
    TRY(plan_read(db_arena(reading.tx), version, reading.wanted, &made));
    *plan = made;
    return NULL;
}

Err *catalog__plan_parsed(DbTx *tx, Catalog *catalog, const PlanWanted *wanted, const Plan **plan)
{
    Str key = key_of(db_arena(tx), wanted);
    *plan = plan_cache_find(cache_of(catalog, wanted), key);
    return *plan != NULL ? NULL : plan_make((Reading){ tx, catalog, wanted }, key, plan);
}

typedef struct PlanGet {
    Catalog          *catalog;
    const PlanWanted *wanted;
    const Plan       *plan;
} PlanGet;

static Err *get_work(DbTx *tx, void *context)
{
    PlanGet *get = context;
    return catalog__plan_parsed(tx, get->catalog, get->wanted, &get->plan);
}

Err *catalog_plan_parsed(Catalog *catalog, Arena *arena, const PlanWanted *wanted,
                         const Plan **plan)
{
    PlanGet get = { catalog, wanted,
                    plan_cache_find(cache_of(catalog, wanted), key_of(arena, wanted)) };
    if (get.plan == NULL)
        TRY(db_read(catalog->db, arena, get_work, &get));
    *plan = get.plan;
    return NULL;
}
