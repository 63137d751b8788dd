// SPDX-License-Identifier: Apache-2.0
// FORMAT is written last and by a rename, so a directory has it whole or not at all; it is also
// what is locked. Nothing that is there is ever overwritten.
#include "catalog/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/assert.h"
#include "base/random.h"

// What the process makes from now on, the books and usage files too, is for its owner alone.
enum { OWNER_ALONE = 0077 };

enum { FORMAT_VERSION = 1, FILE_BYTES_MAX = 4096 };

static const char *const places[] = { "file", "server" };  // of the books, by is_served

static Err *failed(Arena *arena, const char *doing, Str path)
{
    return refuse(arena, ERR_STORE_FAILED, STR_NONE, "cannot %s %.*s: %s", doing, STR_ARG(path),
                  strerror(errno));
}

static Str path_in(Arena *arena, Str folder, const char *name)
{
    return str_print(arena, "%.*s/%s", STR_ARG(folder), name);
}

static bool exists(Arena *arena, Str path)
{
    struct stat found;
    return lstat(str_terminated(arena, path), &found) == 0;
}

static Err *folder_sync(Arena *arena, Str folder)
{
    int file = open(str_terminated(arena, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return failed(arena, "open", folder);
    bool synced = fsync(file) == 0;
    close(file);
    return synced ? NULL : failed(arena, "sync", folder);
}

static Err *folder_make(Arena *arena, Str path)
{
    struct stat found;
    char       *name = str_terminated(arena, path);
    if (mkdir(name, 0700) == 0)
        return NULL;
    if (errno == EEXIST && stat(name, &found) == 0 && S_ISDIR(found.st_mode))
        return NULL;
    return failed(arena, "make the folder", path);
}

// A new file with that content, synced; STORE_FAILED when there is one.
static Err *file_make(Arena *arena, Str path, Str content)
{
    int file = open(str_terminated(arena, path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return failed(arena, "make", path);
    bool written = write(file, content.at, content.length) == (ssize_t)content.length;
    bool synced = written && fsync(file) == 0;
    close(file);
    return synced ? NULL : failed(arena, "write", path);
}

static Err *file_read(Arena *arena, Str path, Str *content)
{
    int file = open(str_terminated(arena, path), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return failed(arena, "open", path);
    char   *at = arena_take(arena, FILE_BYTES_MAX);
    ssize_t length = read(file, at, FILE_BYTES_MAX);
    close(file);
    if (length < 0)
        return failed(arena, "read", path);
    *content = (Str){ at, (size_t)length };
    return NULL;
}

// The value on the line "name value"; STR_NONE when there is none.
static Str line_value(Str content, const char *name)
{
    while (content.length > 0) {
        Str line = str_cut(&content, '\n');
        if (str_equal(str_cut(&line, ' '), str_of(name)))
            return line;
    }
    return STR_NONE;
}

static bool hex_read(Str text, unsigned char *bytes, size_t count)
{
    size_t length = 0;
    return text.length == 2 * count &&
           sodium_hex2bin(bytes, count, text.at, text.length, NULL, &length, NULL) == 0 &&
           length == count;
}

static DataDir *dir_new(Arena *arena, Str folder, Str books)
{
    DataDir *dir = arena_new(arena, DataDir);
    dir->folder = str_copy(arena, folder);
    dir->is_served = books.length > 0;
    dir->books = dir->is_served ? str_copy(arena, books) : path_in(arena, folder, "books.sqlite");
    dir->usage = path_in(arena, folder, "usage");
    dir->lock = -1;
    return dir;
}

// ---- making

static Err *names_are_free(Arena *arena, Str folder)
{
    static const char *const names[] = { "keys", "books.sqlite", "books.sqlite-wal", "usage" };
    if (exists(arena, path_in(arena, folder, "FORMAT")))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "%.*s holds a Toll already",
                      STR_ARG(folder));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (exists(arena, path_in(arena, folder, names[i])))
            return refuse(
                arena, ERR_STORE_FAILED, STR_NONE,
                "%.*s holds a file named %s and no FORMAT: it is not Toll's, or was left by an "
                "init that did not finish; remove it or choose another folder",
                STR_ARG(folder), names[i]);
    return NULL;
}

static Err *keys_make(Arena *arena, DataDir *dir)
{
    random_bytes(dir->identity.bytes, sizeof dir->identity.bytes);
    random_bytes(dir->pepper.bytes, sizeof dir->pepper.bytes);
    Str identity = str_hex(arena, dir->identity.bytes, sizeof dir->identity.bytes);
    Str pepper = str_hex(arena, dir->pepper.bytes, sizeof dir->pepper.bytes);
    return file_make(
        arena, path_in(arena, dir->folder, "keys"),
        str_print(arena, "identity %.*s\npepper %.*s\n", STR_ARG(identity), STR_ARG(pepper)));
}

Err *datadir_begin(Arena *arena, const DataDirOptions *options, DataDir **made)
{
    assert_that(options->seal_bits >= SEAL_BITS_LEAST && options->seal_bits <= SEAL_BITS_MOST);
    DataDir *dir = dir_new(arena, options->folder, options->books);
    umask(OWNER_ALONE);
    TRY(folder_make(arena, dir->folder));
    TRY(names_are_free(arena, dir->folder));
    TRY(keys_make(arena, dir));
    TRY(folder_make(arena, dir->usage));
    dir->seal_bits = options->seal_bits;
    dir->created = options->now;
    *made = dir;
    return NULL;
}

Err *datadir_finish(Arena *arena, DataDir *dir)
{
    Str created = instant_print(arena, dir->created);
    Str path = path_in(arena, dir->folder, "FORMAT"),
        before = path_in(arena, dir->folder, "FORMAT.new");
    TRY(file_make(arena, before,
                  str_print(arena, "toll %d\nsealBits %u\ncreated %.*s\nbooks %s\n", FORMAT_VERSION,
                            dir->seal_bits, STR_ARG(created), places[dir->is_served])));
    TRY(folder_sync(arena, dir->folder));
    if (rename(str_terminated(arena, before), str_terminated(arena, path)) != 0)
        return failed(arena, "make", path);
    return folder_sync(arena, dir->folder);
}

// ---- opening

static Err *format_read(Arena *arena, DataDir *dir, Str content)
{
    uint64_t version, bits;
    if (!str_whole(line_value(content, "toll"), UINT32_MAX, &version) || version == 0)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "%.*s/FORMAT is not Toll's",
                      STR_ARG(dir->folder));
    if (version > FORMAT_VERSION)
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "%.*s has format %llu and this Toll knows formats up to %d",
                      STR_ARG(dir->folder), (unsigned long long)version, FORMAT_VERSION);
    if (!str_whole(line_value(content, "sealBits"), SEAL_BITS_MOST, &bits) ||
        bits < SEAL_BITS_LEAST || !instant_parse(line_value(content, "created"), &dir->created))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE, "%.*s/FORMAT is damaged",
                      STR_ARG(dir->folder));
    if (!str_equal(line_value(content, "books"), str_of(places[dir->is_served])))
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE,
                      dir->is_served
                          ? "%.*s has its books in a file of its own: leave the setting books empty"
                          : "%.*s has its books on a server: the setting books must say where",
                      STR_ARG(dir->folder));
    dir->seal_bits = (uint32_t)bits;
    return NULL;
}

Err *datadir_keys(Arena *arena, Str path, DirectoryKeys *keys)
{
    Str content;
    TRY(file_read(arena, path, &content));
    if (!hex_read(line_value(content, "identity"), keys->identity.bytes,
                  sizeof keys->identity.bytes) ||
        !hex_read(line_value(content, "pepper"), keys->pepper.bytes, sizeof keys->pepper.bytes))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "%.*s is damaged; restore it from a backup", STR_ARG(path));
    return NULL;
}

static Err *keys_read(Arena *arena, DataDir *dir)
{
    DirectoryKeys keys;
    TRY(datadir_keys(arena, path_in(arena, dir->folder, "keys"), &keys));
    dir->identity = keys.identity;
    dir->pepper = keys.pepper;
    return NULL;
}

static Err *lock_get(Arena *arena, DataDir *dir)
{
    Str path = path_in(arena, dir->folder, "FORMAT");
    if (!exists(arena, path))
        return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                      "%.*s is not a data directory; make one with: toll init --data %.*s",
                      STR_ARG(dir->folder), STR_ARG(dir->folder));
    dir->lock = open(str_terminated(arena, path), O_RDONLY | O_CLOEXEC);
    if (dir->lock < 0)
        return failed(arena, "open", path);
    if (flock(dir->lock, LOCK_EX | LOCK_NB) != 0)
        return refuse(arena, ERR_STORE_BUSY, STR_NONE,
                      "another process has %.*s open: stop it first", STR_ARG(dir->folder));
    return NULL;
}

// A directory that has its FORMAT is whole, so what is missing was lost, and is not made anew.
static Err *part_find(Arena *arena, const DataDir *dir, Str path)
{
    if (exists(arena, path))
        return NULL;
    return refuse(arena, ERR_STORE_FAILED, STR_NONE,
                  "%.*s is missing: restore the whole directory %.*s from a backup",
                  STR_ARG(path), STR_ARG(dir->folder));
}

static Err *dir_read(Arena *arena, DataDir *dir)
{
    Str content;
    TRY(lock_get(arena, dir));
    TRY(file_read(arena, path_in(arena, dir->folder, "FORMAT"), &content));
    TRY(format_read(arena, dir, content));
    TRY(part_find(arena, dir, path_in(arena, dir->folder, "keys")));
    if (!dir->is_served)
        TRY(part_find(arena, dir, dir->books));
    TRY(part_find(arena, dir, dir->usage));
    return keys_read(arena, dir);
}

Err *datadir_open(Arena *arena, Str folder, Str books, DataDir **opened)
{
    DataDir *dir = dir_new(arena, folder, books);
    umask(OWNER_ALONE);
    Err *err = dir_read(arena, dir);
    if (err != NULL) {
        datadir_close(dir);
        return err;
    }
    *opened = dir;
    return NULL;
}

// The lock is of the file, so a name that says which file it is, and since when the machine has
// been up, is enough.
Err *datadir_place(Arena *arena, const DataDir *dir, Str *place)
{
    struct stat found;
    Str         boot;
    TRY(file_read(arena, STR("/proc/sys/kernel/random/boot_id"), &boot));
    if (fstat(dir->lock, &found) != 0)
        return failed(arena, "look at", dir->folder);
    Str id = str_cut(&boot, '\n');
    *place = str_print(arena, "%.*s:%llx:%llx", STR_ARG(id), (unsigned long long)found.st_dev,
                       (unsigned long long)found.st_ino);
    return NULL;
}

void datadir_close(DataDir *dir)
{
    if (dir == NULL || dir->lock < 0)
        return;
    close(dir->lock);
    dir->lock = -1;
}
