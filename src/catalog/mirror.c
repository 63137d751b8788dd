// SPDX-License-Identifier: Apache-2.0
#include "catalog/mirror.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/random.h"
#include "base/vector.h"

enum { ID_BYTES = 255 };

struct Mirror {
    pthread_rwlock_t lock;  // readers never wait for readers
    Arena           *texts;
    VECTOR(Project) projects;
    VECTOR(Key) keys;
    Map    *project_of_id;
    Map    *key_of_hash;
    Map    *key_of_secret;    // by a keyed hash of the secret
    HashKey secret_key;       // of that hash, random
    Map    *meters_of_event;  // project, NUL, event -> how many
    Map    *accounts;         // project, NUL, account
};

static void read_begin(Mirror *mirror)
{
    assert_that(pthread_rwlock_rdlock(&mirror->lock) == 0);
}

static void write_begin(Mirror *mirror)
{
    assert_that(pthread_rwlock_wrlock(&mirror->lock) == 0);
}

static void end(Mirror *mirror)
{
    assert_that(pthread_rwlock_unlock(&mirror->lock) == 0);
}

// Project and name in one key; neither holds a NUL. Longer than any stored name: an empty key.
typedef struct PairKey {
    char   at[2 * ID_BYTES + 1];
    size_t length;
} PairKey;

static Str pair_key(PairKey *key, Str project, Str name)
{
    if (project.length > ID_BYTES || name.length > ID_BYTES)
        return STR("");
    memcpy(key->at, project.at, project.length);
    key->at[project.length] = 0;
    if (name.length > 0)
        memcpy(key->at + project.length + 1, name.at, name.length);
    key->length = project.length + 1 + name.length;
    return (Str){ key->at, key->length };
}

Mirror *mirror_open(void)
{
    Mirror *mirror = memory_take(sizeof *mirror);
    assert_that(pthread_rwlock_init(&mirror->lock, NULL) == 0);
    mirror->texts = arena_open();
    mirror->project_of_id = map_open();
    mirror->key_of_hash = map_open();
    mirror->key_of_secret = map_open();
    random_bytes(mirror->secret_key.bytes, sizeof mirror->secret_key.bytes);
    mirror->meters_of_event = map_open();
    mirror->accounts = map_open();
    return mirror;
}

void mirror_close(Mirror *mirror)
{
    if (mirror == NULL)
        return;
    map_close(mirror->project_of_id);
    map_close(mirror->key_of_hash);
    map_close(mirror->key_of_secret);
    map_close(mirror->meters_of_event);
    map_close(mirror->accounts);
    vector_release(&mirror->projects);
    vector_release(&mirror->keys);
    arena_close(mirror->texts);
    pthread_rwlock_destroy(&mirror->lock);
    memory_release(mirror);
}

static ProjectId project_id_copy(Mirror *mirror, ProjectId id)
{
    return (ProjectId){ str_copy(mirror->texts, id.tenant), str_copy(mirror->texts, id.id) };
}

// Settings and clocks are written by different transactions: the later clock is the newer one.
static void clock_keep(const Project *before, Project *project)
{
    if (before->has_clock && (!project->has_clock || project->clock.us < before->clock.us)) {
        project->has_clock = true;
        project->clock = before->clock;
    }
}

static bool same_project(const Project *a, const Project *b)
{
    return a->version == b->version && a->mode == b->mode && a->has_clock == b->has_clock &&
           a->clock.us == b->clock.us && a->unknown_accounts == b->unknown_accounts &&
           a->horizon_us == b->horizon_us && str_equal(a->name, b->name) &&
           str_equal(a->time_zone, b->time_zone) && str_equal(a->id.tenant, b->id.tenant);
}

// Read again and again, so what is the same takes no memory.
static bool is_as_before(Mirror *mirror, const Project *project)
{
    Project before;
    return mirror_project_find(mirror, project->id.id, &before) && same_project(&before, project);
}

void mirror_project_set(Mirror *mirror, const Project *project)
{
    uint64_t place;
    if (is_as_before(mirror, project))
        return;
    write_begin(mirror);
    Project copy = *project;
    copy.id = project_id_copy(mirror, project->id);
    copy.name = str_copy(mirror->texts, project->name);
    copy.time_zone = str_copy(mirror->texts, project->time_zone);
    if (map_find(mirror->project_of_id, copy.id.id, &place)) {
        clock_keep(&mirror->projects.at[place], &copy);
        mirror->projects.at[place] = copy;
    } else {
        map_set(mirror->project_of_id, copy.id.id, mirror->projects.count);
        vector_push(&mirror->projects, copy);
    }
    end(mirror);
}

void mirror_clock_raise(Mirror *mirror, Str project, Instant to)
{
    uint64_t place;
    write_begin(mirror);
    if (map_find(mirror->project_of_id, project, &place)) {
        Project raised = mirror->projects.at[place];
        raised.has_clock = true;
        raised.clock = to;
        clock_keep(&mirror->projects.at[place], &raised);
        mirror->projects.at[place] = raised;
    }
    end(mirror);
}

static Str hash_str(const KeyHash *hash)
{
    return (Str){ (const char *)hash->bytes, sizeof hash->bytes };
}

static bool same_key(const Key *a, const Key *b)
{
    return a->scopes.bits == b->scopes.bits && a->expires == b->expires &&
           a->expires_at.us == b->expires_at.us && str_equal(a->id, b->id) &&
           str_equal(a->name, b->name) && str_equal(a->project.id, b->project.id) &&
           str_equal(a->project.tenant, b->project.tenant);
}

void mirror_key_set(Mirror *mirror, const Key *key)
{
    uint64_t place;
    Key      before;
    if (mirror_key_find(mirror, &key->hash, &before) && same_key(&before, key))
        return;
    write_begin(mirror);
    Key copy = *key;
    copy.project = project_id_copy(mirror, key->project);
    copy.id = str_copy(mirror->texts, key->id);
    copy.name = str_copy(mirror->texts, key->name);
    if (map_find(mirror->key_of_hash, hash_str(&key->hash), &place)) {
        mirror->keys.at[place] = copy;
    } else {
        map_set(mirror->key_of_hash, hash_str(&key->hash), mirror->keys.count);
        vector_push(&mirror->keys, copy);
    }
    end(mirror);
}

void mirror_keys_keep(Mirror *mirror, const Key *keys, size_t count)
{
    Map     *kept = map_open();
    uint64_t place;
    for (size_t i = 0; i < count; i++)
        map_set(kept, hash_str(&keys[i].hash), i);
    write_begin(mirror);
    for (size_t i = 0; i < mirror->keys.count; i++)
        if (!map_find(kept, hash_str(&mirror->keys.at[i].hash), &place)) {
            mirror->keys.at[i].expires = true;
            mirror->keys.at[i].expires_at = (Instant){ INT64_MIN };
        }
    end(mirror);
    map_close(kept);
}

void mirror_event_add(Mirror *mirror, Str project, Str event, int64_t more)
{
    PairKey  key;
    uint64_t count = 0;
    write_begin(mirror);
    Str pair = pair_key(&key, project, event);
    map_find(mirror->meters_of_event, pair, &count);
    assert_that(more >= 0 || count >= (uint64_t)-more);
    map_set(mirror->meters_of_event, pair, count + (uint64_t)more);
    end(mirror);
}

void mirror_account_set(Mirror *mirror, Str project, Str account)
{
    PairKey key;
    write_begin(mirror);
    map_set(mirror->accounts, pair_key(&key, project, account), 1);
    end(mirror);
}

bool mirror_project_find(Mirror *mirror, Str id, Project *project)
{
    uint64_t place;
    read_begin(mirror);
    bool found = map_find(mirror->project_of_id, id, &place);
    if (found)
        *project = mirror->projects.at[place];
    end(mirror);
    return found;
}

bool mirror_key_find(Mirror *mirror, const KeyHash *hash, Key *key)
{
    uint64_t place;
    read_begin(mirror);
    bool found = map_find(mirror->key_of_hash, hash_str(hash), &place);
    if (found)
        *key = mirror->keys.at[place];
    end(mirror);
    return found && sodium_memcmp(key->hash.bytes, hash->bytes, sizeof hash->bytes) == 0;
}

typedef struct SecretTag {
    unsigned char bytes[16];
} SecretTag;

static SecretTag tag_of(const Mirror *mirror, Str secret)
{
    SecretTag tag;
    hash_write(hash_keyed(&mirror->secret_key, secret), tag.bytes);
    return tag;
}

static Str tag_str(const SecretTag *tag)
{
    return (Str){ (const char *)tag->bytes, sizeof tag->bytes };
}

bool mirror_secret_find(Mirror *mirror, Str secret, Key *key)
{
    SecretTag tag = tag_of(mirror, secret);
    uint64_t  place;
    read_begin(mirror);
    bool found = map_find(mirror->key_of_secret, tag_str(&tag), &place);
    if (found)
        *key = mirror->keys.at[place];
    end(mirror);
    return found;
}

void mirror_secret_note(Mirror *mirror, Str secret, const KeyHash *hash)
{
    SecretTag tag = tag_of(mirror, secret);
    uint64_t  place;
    write_begin(mirror);
    if (map_find(mirror->key_of_hash, hash_str(hash), &place))
        map_set(mirror->key_of_secret, tag_str(&tag), place);
    end(mirror);
}

static bool pair_known(Mirror *mirror, const Map *map, Str project, Str name)
{
    PairKey  key;
    uint64_t count = 0;
    Str      pair = pair_key(&key, project, name);
    read_begin(mirror);
    map_find(map, pair, &count);
    end(mirror);
    return count > 0;
}

bool mirror_event_known(Mirror *mirror, Str project, Str event)
{
    return pair_known(mirror, mirror->meters_of_event, project, event);
}

bool mirror_account_known(Mirror *mirror, Str project, Str account)
{
    return pair_known(mirror, mirror->accounts, project, account);
}
