// API keys: toll_live_ or toll_test_, 30 random base62 characters (178 bits) and a checksum of 6,
// so that a mistyped or leaked key is recognised without asking anybody. Only a keyed hash is kept:
// who reads the books cannot make a key, and who has no pepper cannot test a guess.
#pragma once

#include "catalog/project.h"
#include "catalog/scope.h"

typedef enum KeyMode { KEY_LIVE, KEY_TEST } KeyMode;

typedef struct Pepper {
    unsigned char bytes[32];
} Pepper;

typedef struct KeyHash {
    unsigned char bytes[32];
} KeyHash;

Str     key_make(Arena *arena, KeyMode mode);        // the secret, to be shown once
bool    key_is_wellformed(Str secret);               // prefix, letters, checksum
KeyHash key_hash(Str secret, const Pepper *pepper);  // BLAKE2b-256 keyed with the pepper

// A stored key, without its secret.
typedef struct Key {
    ProjectId project;
    Str       id;  // key_ + 26 characters
    Str       name;
    KeyHash   hash;
    ScopeSet  scopes;
    bool      expires;
    Instant   expires_at;
    Instant   created_at;
} Key;

// Who asks: what a valid bearer stands for. Its texts live as long as the catalog.
typedef struct Principal {
    Project  project;  // with its settings at the moment of asking
    Str      key_id;
    ScopeSet scopes;
} Principal;
