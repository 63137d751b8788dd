// SPDX-License-Identifier: Apache-2.0
// The system calls behind a journal. Every answer below zero is -errno.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal.h"

static int file_open(void *context, const char *path)
{
    (void)context;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return file < 0 ? -errno : file;
}

static void file_close(void *context, int file)
{
    (void)context;
    close(file);  // nothing rests on it: what counts was synced
}

static int64_t file_size(void *context, int file)
{
    (void)context;
    struct stat stat;
    return fstat(file, &stat) != 0 ? -errno : stat.st_size;
}

static ssize_t file_pread(void *context, int file, void *at, size_t bytes, uint64_t offset)
{
    (void)context;
    ssize_t got = pread(file, at, bytes, (off_t)offset);
    return got < 0 ? -errno : got;
}

static ssize_t file_pwritev(void *context, int file, const struct iovec *parts, int count,
                            uint64_t offset)
{
    (void)context;
    ssize_t done = pwritev(file, parts, count, (off_t)offset);
    return done < 0 ? -errno : done;
}

static int file_sync(void *context, int file)
{
    (void)context;
    return fdatasync(file) != 0 ? -errno : 0;
}

static int folder_sync(void *context, const char *path)
{
    (void)context;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    int failed = fsync(folder) != 0 ? -errno : 0;
    close(folder);
    return failed;
}

static int file_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to) != 0 ? -errno : 0;
}

static int file_remove(void *context, const char *path)
{
    (void)context;
    return unlink(path) != 0 ? -errno : 0;
}

// A new folder's own name must be durable before what is in it can be.
static int folder_make(const char *path)
{
    char parent[4096];
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    snprintf(parent, sizeof parent, "%s/..", path);
    return folder_sync(NULL, parent);
}

static int folder_list(void *context, const char *path, void (*each)(void *to, const char *name),
                       void *to)
{
    (void)context;
    int failed = folder_make(path);
    if (failed != 0)
        return failed;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL; errno = 0)
        each(to, entry->d_name);
    failed = -errno;
    closedir(folder);
    return failed;
}

const JournalIo *journal_io_files(void)
{
    static const JournalIo files = {
        .open = file_open, .close = file_close, .size = file_size, .pread = file_pread,
        .pwritev = file_pwritev, .sync = file_sync, .sync_folder = folder_sync,
        .rename = file_rename, .remove = file_remove, .list = folder_list,
    };
    return &files;
}
