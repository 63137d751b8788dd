// What the usage store needs to know to fold sixteen ranges into one: cells of one key add up,
// small event blocks of one account and day join, counts of changes add up, and the ranges' own
// bytes follow each other. Pure: the same ranges give the same rows.
#pragma once

#include "flow/aggregate/names.h"
#include "store/usage_store.h"

typedef struct Merge Merge;

Merge     *merge_open(const HashKey *key, Names *names);
void       merge_close(Merge *merge);
// The names are recovered, or never will be: whoever waits for them goes on.
void       merge_names_ready(Merge *merge);
StoreHooks merge_hooks(Merge *merge);
