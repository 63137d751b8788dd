// SPDX-License-Identifier: Apache-2.0
#include "cli/share.h"

#include <string.h>

#include "base/log.h"
#include "base/random.h"

static Err *remote_find(Arena *arena, const Config *config, Share *share)
{
    Str           keys_file = config_text(config, CONFIG_KEYS);
    DirectoryKeys keys;
    share->books = config_text(config, CONFIG_BOOKS);
    if (config_text(config, CONFIG_DATA).length > 0)
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE,
                      "with usage = remote there is no data directory: leave --data out");
    if (share->books.length == 0 || keys_file.length == 0)
        return refuse(arena, ERR_FIELD_REQUIRED, STR_NONE,
                      "with usage = remote the settings books and keys are required");
    TRY(datadir_keys(arena, keys_file, &keys));
    share->pepper = keys.pepper;
    share->identity = keys.identity;
    share->holder = random_id(arena, "srv_");
    return NULL;
}

Err *share_find(Arena *arena, const Config *config, Share *share)
{
    share->is_remote = config_choice(config, CONFIG_USAGE) != 0;
    if (share->is_remote)
        return remote_find(arena, config, share);
    if (config_text(config, CONFIG_DATA).length == 0)
        return refuse(arena, ERR_FIELD_REQUIRED, STR_NONE,
                      "--data or the setting data is required");
    TRY(datadir_open(arena, config_text(config, CONFIG_DATA), config_text(config, CONFIG_BOOKS),
                     &share->dir));
    share->books = share->dir->books;
    share->pepper = share->dir->pepper;
    share->identity = share->dir->identity;
    return share->dir->is_served ? datadir_place(arena, share->dir, &share->holder) : NULL;
}

static Err *pepper_check(Arena *arena, const Share *share, Db *books)
{
    Lease *lease;
    TRY(lease_find(books, arena, STR(USAGE_LEASE), &lease));
    if (lease == NULL || str_equal(lease->note, owner_pepper_check(arena, &share->pepper)))
        return NULL;
    return refuse(arena, ERR_FIELD_INVALID, STR_NONE,
                  "the setting keys names the keys of another data directory than the one that "
                  "has the usage of these books");
}

Err *share_begin(Arena *arena, Share *share, Server *server)
{
    ForwardOptions options = { 0 };
    if (!share->is_remote && share->holder.at != NULL)
        return owner_take(arena, server->books, share->holder, &share->pepper, &share->owner);
    if (!share->is_remote)
        return NULL;
    TRY(pepper_check(arena, share, server->books));
    catalog_tell_accounts(server->catalog);
    server->forwarder = share->forwarder = forwarder_open(&options);
    return NULL;
}

void share_listen(const Share *share, ListenerOptions *options)
{
    options->elsewhere = ERR_USAGE_OWNER_UNREACHABLE;
    options->forward = share->is_remote ? server_forward : NULL;
    options->owner = share->owner == NULL ? STR_NONE : owner_name(share->owner);
}

// "0.0.0.0:8080" is no address for others.
static bool is_everywhere(Str listen)
{
    return str_starts(listen, STR("0.0.0.0:")) || str_starts(listen, STR("[::]:"));
}

static Str address_of(Arena *arena, const Config *config, uint16_t port)
{
    Str advertise = config_text(config, CONFIG_ADVERTISE);
    Str listen = config_text(config, CONFIG_LISTEN);
    if (advertise.length > 0)
        return advertise;
    if (is_everywhere(listen))
        log_line(LOG_WARN, "serve: other servers cannot reach this one at %.*s: set advertise",
                 STR_ARG(listen));
    const char *colon = memrchr(listen.at, ':', listen.length);
    size_t      host = colon == NULL ? listen.length : (size_t)(colon - listen.at);
    return str_print(arena, "http://%.*s:%u", (int)host, listen.at, port);
}

Err *share_announce(Arena *arena, Share *share, const Config *config, Server *server,
                    uint16_t port)
{
    WatchOptions options = { server->books, server->catalog, share->forwarder };
    if (share->owner != NULL)
        TRY(owner_announce(share->owner, arena, address_of(arena, config, port)));
    return share->holder.at == NULL ? NULL : watch_open(arena, &options, &share->watch);
}

void share_stop(Share *share)
{
    watch_close(share->watch);
    forwarder_close(share->forwarder);
}

void share_end(Share *share)
{
    owner_give_up(share->owner);
}
