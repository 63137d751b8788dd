// What the hot path asks of the catalog on every request, in memory: keys, projects, which events
// are metered, which accounts exist. Filled at start, changed on the writer's thread after each
// commit, in the order of commits. Any number of threads read beside that.
#pragma once

#include "catalog/key.h"

typedef struct Mirror Mirror;

Mirror *mirror_open(void);
void    mirror_close(Mirror *mirror);

// Texts are copied and live as long as the mirror.
void mirror_project_set(Mirror *mirror, const Project *project);
// A test project's clock, when it is later than it was.
void mirror_clock_raise(Mirror *mirror, Str project, Instant to);
void mirror_key_set(Mirror *mirror, const Key *key);
// All keys there are; one that is not among them is valid no longer.
void mirror_keys_keep(Mirror *mirror, const Key *keys, size_t count);
// One meter more (1) or less (-1) that counts the event.
void mirror_event_add(Mirror *mirror, Str project, Str event, int64_t more);
void mirror_account_set(Mirror *mirror, Str project, Str account);

bool mirror_project_find(Mirror *mirror, Str id, Project *project);
bool mirror_key_find(Mirror *mirror, const KeyHash *hash, Key *key);
// The same for a secret that was found once before, several times as fast: by SipHash-2-4-128 under
// a key that was drawn for this process and is never told. False: it was not found before.
bool mirror_secret_find(Mirror *mirror, Str secret, Key *key);
void mirror_secret_note(Mirror *mirror, Str secret, const KeyHash *hash);
bool mirror_event_known(Mirror *mirror, Str project, Str event);
bool mirror_account_known(Mirror *mirror, Str project, Str account);
