// A disk in memory for tests of the journal: it forgets on power loss what was not synced, sector
// by sector and name by name, fails any call on demand, and keeps count of the faults that fired.
// One thread, one seed: the same calls give the same disk.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "base/vector.h"
#include "store/journal.h"

enum { DISK_SECTOR = 512, DISK_FILES = 256, DISK_NAME = 128, DISK_NAME_CHANGES = 512 };

typedef struct DiskFile {
    unsigned char *now;      // what a reader sees
    unsigned char *durable;  // what a power loss leaves for sure
    uint64_t       size, durable_size, room;
    bool          *dirty;    // sectors that differ in `now` and were not synced
} DiskFile;

// The folder as a list of names; a change is durable once the folder was synced, and until then a
// power loss keeps any prefix of the changes, as a journaling file system does.
typedef struct DiskName {
    char name[DISK_NAME];
    int  file;  // -1: gone
} DiskName;

typedef struct DiskFolder {
    DiskName names[DISK_FILES];
    size_t   count;
} DiskFolder;

typedef struct DiskChange {
    char from[DISK_NAME];  // "" for a new file
    char to[DISK_NAME];    // "" for a removal
    int  file;
} DiskChange;

typedef enum DiskFault {
    DISK_OK, DISK_EIO, DISK_ENOSPC, DISK_SHORT, DISK_TORN, DISK_LOST_SYNC, DISK_CRASH, DISK_FAULTS
} DiskFault;

typedef struct Disk {
    DiskFile   files[DISK_FILES];
    int        file_count;
    DiskFolder now, durable;
    DiskChange changes[DISK_NAME_CHANGES];
    size_t     change_count;
    uint64_t   calls;     // changing ones: writes, syncs, names
    uint64_t   fault_at;  // the call that fails; 0: none
    DiskFault  fault;
    bool       crashed;   // every call fails from here on
    uint64_t   fired[DISK_FAULTS];
    Seeded     seeded;
} Disk;

static inline const char *disk_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static inline DiskName *disk_name(DiskFolder *folder, const char *name)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->names[i].file >= 0 && strcmp(folder->names[i].name, name) == 0)
            return &folder->names[i];
    return NULL;
}

static inline void disk_apply(DiskFolder *folder, const DiskChange *change)
{
    DiskName *from = change->from[0] == 0 ? NULL : disk_name(folder, change->from);
    DiskName *to = change->to[0] == 0 ? NULL : disk_name(folder, change->to);
    if (from != NULL)
        from->file = -1;
    if (change->to[0] == 0)
        return;
    for (size_t i = 0; to == NULL && i < folder->count; i++)
        if (folder->names[i].file < 0)
            to = &folder->names[i];
    if (to == NULL) {
        assert_that(folder->count < DISK_FILES);
        to = &folder->names[folder->count++];
    }
    snprintf(to->name, DISK_NAME, "%s", change->to);
    to->file = change->file;
}

static inline void disk_change(Disk *disk, const char *from, const char *to, int file)
{
    assert_that(disk->change_count < DISK_NAME_CHANGES);
    DiskChange *change = &disk->changes[disk->change_count++];
    snprintf(change->from, DISK_NAME, "%s", from);
    snprintf(change->to, DISK_NAME, "%s", to);
    change->file = file;
    disk_apply(&disk->now, change);
}

// Which fault this changing call gets.
static inline DiskFault disk_call(Disk *disk)
{
    if (disk->crashed)
        return DISK_EIO;
    disk->calls++;
    if (disk->calls != disk->fault_at)
        return DISK_OK;
    disk->fired[disk->fault]++;
    disk->crashed = disk->fault == DISK_CRASH;
    return disk->fault;
}

static inline int disk_open(void *context, const char *path)
{
    Disk     *disk = context;
    DiskName *name = disk_name(&disk->now, disk_base(path));
    if (name != NULL)
        return name->file;
    DiskFault fault = disk_call(disk);
    if (fault != DISK_OK && fault != DISK_SHORT && fault != DISK_TORN && fault != DISK_LOST_SYNC)
        return fault == DISK_ENOSPC ? -ENOSPC : -EIO;
    assert_that(disk->file_count < DISK_FILES);
    disk_change(disk, "", disk_base(path), disk->file_count);
    return disk->file_count++;
}

static inline void disk_close(void *context, int file)
{
    (void)context;
    (void)file;
}

static inline int64_t disk_size(void *context, int file)
{
    return (int64_t)((Disk *)context)->files[file].size;
}

static inline ssize_t disk_pread(void *context, int handle, void *at, size_t bytes, uint64_t offset)
{
    DiskFile *file = &((Disk *)context)->files[handle];
    if (offset >= file->size)
        return 0;
    size_t got = bytes < file->size - offset ? bytes : (size_t)(file->size - offset);
    got = got > 4096 ? got - got % 512 / 2 : got;  // answers may be short
    memcpy(at, file->now + offset, got);
    return (ssize_t)got;
}

static inline void disk_room(DiskFile *file, uint64_t wanted)
{
    if (wanted <= file->room)
        return;
    uint64_t room = (wanted + 65535) / 65536 * 65536;
    file->now = memory_resize(file->now, (size_t)room);
    file->durable = memory_resize(file->durable, (size_t)room);
    file->dirty = memory_resize(file->dirty, (size_t)(room / DISK_SECTOR));
    memset(file->now + file->room, 0, (size_t)(room - file->room));
    memset(file->durable + file->room, 0, (size_t)(room - file->room));
    memset(file->dirty + file->room / DISK_SECTOR, 0, (size_t)((room - file->room) / DISK_SECTOR));
    file->room = room;
}

static inline void disk_write(DiskFile *file, uint64_t offset, const void *bytes, size_t count)
{
    disk_room(file, offset + count);
    memcpy(file->now + offset, bytes, count);
    for (uint64_t s = offset / DISK_SECTOR; s * DISK_SECTOR < offset + count; s++)
        file->dirty[s] = true;
    if (offset + count > file->size)
        file->size = offset + count;
}

static inline ssize_t disk_pwritev(void *context, int handle, const struct iovec *parts, int count,
                                   uint64_t offset)
{
    Disk     *disk = context;
    DiskFault fault = disk_call(disk);
    if (fault == DISK_EIO)
        return -EIO;
    if (fault == DISK_ENOSPC)
        return -ENOSPC;
    uint64_t total = 0, done = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    uint64_t limit = total;
    if (fault == DISK_SHORT || fault == DISK_TORN || fault == DISK_CRASH)
        limit = seeded_below(&disk->seeded, total + 1);
    if (fault == DISK_TORN || fault == DISK_CRASH)
        limit -= limit % DISK_SECTOR;  // the system copies page by page
    if (fault == DISK_SHORT && limit == 0)
        limit = 1;
    for (int i = 0; i < count && done < limit; i++) {
        size_t piece = parts[i].iov_len < limit - done ? parts[i].iov_len : (size_t)(limit - done);
        disk_write(&disk->files[handle], offset + done, parts[i].iov_base, piece);
        done += piece;
    }
    return fault == DISK_TORN || fault == DISK_CRASH ? -EIO : (ssize_t)done;
}

static inline void disk_make_durable(DiskFile *file)
{
    for (uint64_t s = 0; s * DISK_SECTOR < file->size; s++)
        if (file->dirty[s]) {
            memcpy(file->durable + s * DISK_SECTOR, file->now + s * DISK_SECTOR, DISK_SECTOR);
            file->dirty[s] = false;
        }
    file->durable_size = file->size;
}

static inline int disk_sync(void *context, int handle)
{
    Disk     *disk = context;
    DiskFile *file = &disk->files[handle];
    DiskFault fault = disk_call(disk);
    if (fault == DISK_OK || fault == DISK_SHORT) {
        disk_make_durable(file);
        return 0;
    }
    // As Linux does: the pages count as clean from now on, though the disk never got some of them.
    if (fault == DISK_LOST_SYNC || fault == DISK_TORN)
        for (uint64_t s = 0; s * DISK_SECTOR < file->size; s++)
            file->dirty[s] = file->dirty[s] && seeded_below(&disk->seeded, 2) == 0;
    return fault == DISK_ENOSPC ? -ENOSPC : -EIO;
}

static inline int disk_sync_folder(void *context, const char *path)
{
    Disk *disk = context;
    (void)path;
    DiskFault fault = disk_call(disk);
    if (fault != DISK_OK && fault != DISK_SHORT)
        return -EIO;
    disk->durable = disk->now;
    disk->change_count = 0;
    return 0;
}

static inline int disk_rename(void *context, const char *from, const char *to)
{
    Disk     *disk = context;
    DiskName *name = disk_name(&disk->now, disk_base(from));
    DiskFault fault = disk_call(disk);
    if (fault != DISK_OK && fault != DISK_SHORT)
        return -EIO;
    if (name == NULL)
        return -ENOENT;
    disk_change(disk, disk_base(from), disk_base(to), name->file);
    return 0;
}

static inline int disk_remove(void *context, const char *path)
{
    Disk     *disk = context;
    DiskName *name = disk_name(&disk->now, disk_base(path));
    DiskFault fault = disk_call(disk);
    if (fault != DISK_OK && fault != DISK_SHORT)
        return -EIO;
    if (name == NULL)
        return -ENOENT;
    disk_change(disk, disk_base(path), "", -1);
    return 0;
}

static inline int disk_list(void *context, const char *folder,
                            void (*each)(void *to, const char *name), void *to)
{
    Disk *disk = context;
    (void)folder;
    VECTOR(DiskName) names = { 0 };
    for (size_t i = 0; i < disk->now.count; i++)
        if (disk->now.names[i].file >= 0)
            vector_push(&names, disk->now.names[i]);
    for (size_t i = 0; i < names.count; i++)
        each(to, names.at[i].name);
    vector_release(&names);
    return 0;
}

static inline JournalIo disk_io(Disk *disk)
{
    return (JournalIo){ .context = disk,
                        .open = disk_open,
                        .close = disk_close,
                        .size = disk_size,
                        .pread = disk_pread,
                        .pwritev = disk_pwritev,
                        .sync = disk_sync,
                        .sync_folder = disk_sync_folder,
                        .rename = disk_rename,
                        .remove = disk_remove,
                        .list = disk_list };
}

static inline Disk *disk_open_new(uint64_t seed)
{
    Disk *disk = memory_take(sizeof(Disk));
    disk->seeded = seeded_of(seed);
    return disk;
}

static inline void disk_file_release(DiskFile *file)
{
    memory_release(file->now);
    memory_release(file->durable);
    memory_release(file->dirty);
    *file = (DiskFile){ 0 };
}

static inline void disk_release(Disk *disk)
{
    for (int i = 0; i < disk->file_count; i++)
        disk_file_release(&disk->files[i]);
    memory_release(disk);
}

static inline void *disk_bytes_copy(const void *from, uint64_t bytes)
{
    void *to = memory_take((size_t)bytes);
    if (bytes > 0)
        memcpy(to, from, (size_t)bytes);
    return to;
}

static inline Disk *disk_copy(const Disk *from)
{
    Disk *disk = memory_take(sizeof(Disk));
    *disk = *from;
    for (int i = 0; i < disk->file_count; i++) {
        DiskFile *file = &disk->files[i];
        file->now = disk_bytes_copy(file->now, file->room);
        file->durable = disk_bytes_copy(file->durable, file->room);
        file->dirty = disk_bytes_copy(file->dirty, file->room / DISK_SECTOR);
    }
    return disk;
}

// Whether an unsynced sector reached the disk before the power went: asked for each, in order.
typedef bool (*DiskChoice)(void *context, uint64_t which);

static inline void disk_power_loss_by(Disk *disk, DiskChoice kept, void *context)
{
    uint64_t which = 0;
    for (int i = 0; i < disk->file_count; i++) {
        DiskFile *file = &disk->files[i];
        for (uint64_t s = 0; s * DISK_SECTOR < file->size; s++) {
            bool arrives = file->dirty[s] && kept(context, which);
            which += file->dirty[s];
            if (arrives)
                memcpy(file->durable + s * DISK_SECTOR, file->now + s * DISK_SECTOR, DISK_SECTOR);
            file->dirty[s] = false;
        }
        // A file keeps its old size or gets the new one; the segments are sized before they are
        // named.
        if (file->size != file->durable_size && !kept(context, which++))
            file->size = file->durable_size;
        file->durable_size = file->size;
        if (file->room > 0)
            memcpy(file->now, file->durable, (size_t)file->room);
    }
    size_t names = 0;
    while (names < disk->change_count && kept(context, which++))
        disk_apply(&disk->durable, &disk->changes[names++]);
    disk->now = disk->durable;
    disk->change_count = 0;
    disk->crashed = false;
    disk->fault_at = 0;
}

static inline bool disk_any(void *context, uint64_t which)
{
    (void)which;
    return seeded_below(context, 2) == 0;
}

static inline void disk_power_loss(Disk *disk)
{
    disk_power_loss_by(disk, disk_any, &disk->seeded);
}

// The process dies, the system does not: what was written is there, synced or not.
static inline void disk_process_dies(Disk *disk)
{
    disk->crashed = false;
    disk->fault_at = 0;
}
