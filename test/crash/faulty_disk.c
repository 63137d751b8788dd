// SPDX-License-Identifier: Apache-2.0
// A disk that fails on demand: preloaded into the server, it stands between the process and the
// calls that write and sync files. What is to fail is an order in a file that the test and this
// library map: the n-th call of a kind on a path that contains a text fails, tears or is cut short.
// Without an order every call goes through, and sockets and other paths always do.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CALL_PWRITEV = 1, CALL_SYNC = 2, CALL_WRITE = 4 };
enum { FAIL, TEAR, CUT_SHORT };  // TEAR: `keep` bytes are written and the answer is an error
enum { PARTS = 1024, SECTOR = 512 };

// faults.py writes it with the same layout.
typedef struct Order {
    _Atomic uint32_t armed;
    uint32_t         calls, how, error, keep;
    uint32_t         stays;         // every later call fails, too
    _Atomic int32_t  pass;          // matching calls that still go through
    _Atomic uint32_t hits;
    char             path[96];
} Order;

static Order *order;

__attribute__((constructor)) static void order_map(void)
{
    const char *name = getenv("FAULTY_DISK");
    int         file = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return;
    void *at = mmap(NULL, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    order = at == MAP_FAILED ? NULL : at;
}

static int path_matches(int file)
{
    char    link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, order->path) != NULL;
}

// Is this the call that the order means?
static int is_hit(uint32_t call, int file)
{
    int before = errno;
    if (order == NULL || !order->armed || (order->calls & call) == 0 || !path_matches(file)) {
        errno = before;
        return 0;
    }
    int32_t left = atomic_fetch_sub(&order->pass, 1);
    errno = before;
    if (left > 0 || (left < 0 && !order->stays))
        return 0;
    atomic_fetch_add(&order->hits, 1);
    return 1;
}

static int fail(void)
{
    errno = (int)order->error;
    return -1;
}

static ssize_t write_parts(int file, const struct iovec *parts, int count, off_t offset)
{
    return syscall(SYS_pwritev, file, parts, count, offset, 0);
}

// The first `keep` bytes alone, of a torn write whole sectors.
static ssize_t write_some(int file, const struct iovec *parts, int count, off_t offset)
{
    struct iovec some[PARTS];
    size_t       total = 0, left = order->keep;
    int          used = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (left >= total)
        left = order->how == TEAR ? (total - 1) / SECTOR * SECTOR : total - 1;
    for (int i = 0; i < count && left > 0 && used < PARTS; i++) {
        some[used] = parts[i];
        if (some[used].iov_len > left)
            some[used].iov_len = left;
        left -= some[used++].iov_len;
    }
    return used == 0 ? 0 : write_parts(file, some, used, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    if (!is_hit(CALL_PWRITEV, file))
        return write_parts(file, parts, count, offset);
    if (order->how == FAIL)
        return fail();
    ssize_t done = write_some(file, parts, count, offset);
    return order->how == TEAR ? fail() : done;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset)
{
    return is_hit(CALL_WRITE, file) ? fail() : syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t write(int file, const void *bytes, size_t count)
{
    return is_hit(CALL_WRITE, file) ? fail() : syscall(SYS_write, file, bytes, count);
}

int fdatasync(int file)
{
    return is_hit(CALL_SYNC, file) ? fail() : (int)syscall(SYS_fdatasync, file);
}

int fsync(int file)
{
    return is_hit(CALL_SYNC, file) ? fail() : (int)syscall(SYS_fsync, file);
}
