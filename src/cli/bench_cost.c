// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_cost.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

enum { FOLDER_DEPTH_MAX = 8, PATH_BYTES = 1024, SETTLE_STEP_MS = 50, SETTLE_STEPS = 10 };

static bool file_read(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, to, room - 1);
    close(fd);
    if (got < 0)
        return false;
    to[got] = '\0';
    return true;
}

// The word with that number (0 = first) of a line of numbers, as a number; 0 when there is none.
static int64_t word_number(const char *line, int word)
{
    Str rest = str_of(line), part = STR_NONE;
    for (int i = 0; i <= word; i++)
        part = str_cut(&rest, ' ');
    uint64_t number = 0;
    while (part.length > 0 && (part.at[part.length - 1] < '0' || part.at[part.length - 1] > '9'))
        part.length--;
    return str_whole(part, INT64_MAX, &number) ? (int64_t)number : 0;
}

static void stage_add(Cost *cost, const char *name, int64_t cpu_ns)
{
    char   cut[COST_NAME_BYTES];
    size_t length = strcspn(name, "\n");
    while (length > 1 && strchr("0123456789-#", name[length - 1]) != NULL)
        length--;
    snprintf(cut, sizeof cut, "%.*s", (int)length, name);
    for (size_t i = 0; i < cost->stage_count; i++) {
        CostStage *stage = &cost->stages[i];
        if (strcmp(stage->name, cut) == 0) {
            stage->cpu_ns += cpu_ns;
            stage->threads++;
            return;
        }
    }
    if (cost->stage_count == COST_STAGES_MAX)
        return;
    CostStage *stage = &cost->stages[cost->stage_count++];
    memcpy(stage->name, cut, sizeof cut);
    stage->cpu_ns = cpu_ns;
    stage->threads = 1;
}

static void threads_read(pid_t pid, Cost *cost)
{
    char path[PATH_BYTES], name[64], schedule[128];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
        bool known = file_read(path, name, sizeof name);
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
        if (known && file_read(path, schedule, sizeof schedule))
            stage_add(cost, name, word_number(schedule, 0));
    }
    closedir(tasks);
}

// Words of /proc/pid/stat are counted behind the command's ")": utime is the 12th, stime the 13th.
static bool process_read(pid_t pid, Cost *cost)
{
    char path[PATH_BYTES], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!file_read(path, line, sizeof line))
        return false;
    const char *behind = strrchr(line, ')');
    if (behind == NULL)
        return false;
    int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
    cost->user_us = word_number(behind + 2, 11) * tick_us;
    cost->system_us = word_number(behind + 2, 12) * tick_us;
    return true;
}

bool cost_read(pid_t pid, Cost *cost)
{
    *cost = (Cost){ .at_us = clock_tick_us() };
    if (!process_read(pid, cost))
        return false;
    threads_read(pid, cost);
    return true;
}

static const CostStage *stage_find(const Cost *cost, const char *name)
{
    for (size_t i = 0; i < cost->stage_count; i++)
        if (strcmp(cost->stages[i].name, name) == 0)
            return &cost->stages[i];
    return NULL;
}

Cost cost_between(const Cost *before, const Cost *after)
{
    Cost used = *after;
    used.user_us -= before->user_us;
    used.system_us -= before->system_us;
    for (size_t i = 0; i < used.stage_count; i++) {
        const CostStage *earlier = stage_find(before, used.stages[i].name);
        if (earlier != NULL)
            used.stages[i].cpu_ns -= earlier->cpu_ns;
    }
    for (size_t i = 1; i < used.stage_count; i++) {
        CostStage stage = used.stages[i];
        size_t    to = i;
        for (; to > 0 && used.stages[to - 1].cpu_ns < stage.cpu_ns; to--)
            used.stages[to] = used.stages[to - 1];
        used.stages[to] = stage;
    }
    return used;
}

// A line of /proc/pid/status such as "VmRSS:  123 kB", in bytes.
static int64_t status_bytes(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    if (at == NULL)
        return 0;
    int64_t kib = 0;
    for (at += strlen(name); *at != '\0' && *at != '\n'; at++)
        if (*at >= '0' && *at <= '9')
            kib = kib * 10 + (*at - '0');
    return kib * 1024;
}

bool cost_memory(pid_t pid, CostMemory *memory)
{
    char path[PATH_BYTES], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!file_read(path, status, sizeof status))
        return false;
    *memory = (CostMemory){
        .resident_bytes = status_bytes(status, "VmRSS:"),
        .peak_bytes = status_bytes(status, "VmHWM:"),
        .anonymous_bytes = status_bytes(status, "RssAnon:"),
    };
    return true;
}

static int64_t *disk_part(CostDisk *disk, const char *path)
{
    if (strstr(path, "journal") != NULL && strstr(path, "books") == NULL)
        return &disk->journal_bytes;
    if (strstr(path, "books") != NULL)
        return &disk->books_bytes;
    if (strstr(path, "usage") != NULL)
        return &disk->store_bytes;
    return &disk->other_bytes;
}

// At most FOLDER_DEPTH_MAX deep. The first `root` bytes of each path are not judged.
static void folder_add(CostDisk *disk, const char *path, size_t root, int depth)
{
    DIR *folder = depth > FOLDER_DEPTH_MAX ? NULL : opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char        inner[PATH_BYTES];
        struct stat facts;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int length = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (length >= PATH_BYTES || lstat(inner, &facts) != 0)
            continue;
        *disk_part(disk, inner + root) += facts.st_blocks * 512;
        if (S_ISDIR(facts.st_mode))
            folder_add(disk, inner, root, depth + 1);
    }
    closedir(folder);
}

CostDisk cost_disk(Str folder)
{
    AUTO(Arena) arena = arena_open();
    CostDisk disk = { 0 };
    folder_add(&disk, str_terminated(arena, folder), folder.length, 0);
    return disk;
}

int64_t cost_settle(pid_t pid, int wait_s)
{
    Cost    ring[SETTLE_STEPS];
    int64_t start_us = clock_tick_us();
    for (int step = 0; clock_tick_us() - start_us < (int64_t)wait_s * 1000000; step++) {
        Cost *oldest = &ring[step % SETTLE_STEPS];
        Cost  now = { .at_us = clock_tick_us() };
        if (!process_read(pid, &now))
            return 0;
        if (step >= SETTLE_STEPS) {
            int64_t used_us = now.user_us + now.system_us - oldest->user_us - oldest->system_us;
            if (used_us * 50 <= now.at_us - oldest->at_us)
                return oldest->at_us;
        }
        *oldest = now;
        poll(NULL, 0, SETTLE_STEP_MS);
    }
    return 0;
}
