// SPDX-License-Identifier: Apache-2.0
// Control calls go through libcurl, one handle for the whole run; the load itself does not
// (bench_load.c). The child dies with its parent (PR_SET_PDEATHSIG), so a bench that is stopped
// leaves no server behind.
#include "cli/bench_target.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

enum { POLL_MS = 2, STOP_S = 60, CALL_S = 120, LOG_END_BYTES = 2000 };

static const char OWN_PATH[] = "/proc/self/exe";

// Runs this binary with the arguments; stdout goes to `out`, stderr to `err`.
static pid_t spawn(char *const arguments[], int out, int err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(OWN_PATH, arguments);
    _exit(127);
}

static Text read_all(Arena *arena, int fd)
{
    Text text = text_open(arena);
    for (;;) {
        char   *at = text_reserve(&text, 4096);
        ssize_t got = read(fd, at, 4096);
        if (got <= 0)
            return text;
        text_grow(&text, (size_t)got);
    }
}

static Err *init_run(Target *target, Str *printed)
{
    int pipes[2];
    assert_that(pipe2(pipes, O_CLOEXEC) == 0);
    char *folder = str_terminated(target->arena, target->folder);
    char  name[] = "toll", verb[] = "init", option[] = "--data", json[] = "--json";
    pid_t pid = spawn((char *[]){ name, verb, option, folder, json, NULL }, pipes[1],
                      STDERR_FILENO);
    close(pipes[1]);
    Text out = read_all(target->arena, pipes[0]);
    close(pipes[0]);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return refuse(target->arena, ERR_INTERNAL, STR_NONE, "toll init failed (status %d)",
                      status);
    *printed = text_str(&out);
    return NULL;
}

Err *target_open(Arena *arena, Str folder, Target *target)
{
    *target = (Target){ .arena = arena, .folder = folder };
    target->log = str_print(arena, "%.*s.log", STR_ARG(folder));
    Str printed;
    TRY(init_run(target, &printed));
    Json *root;
    TRY(json_parse_copy(arena, printed, &root));
    const Json *key = json_find(root, STR("apiKey"));
    if (key == NULL || key->kind != JSON_STRING)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "toll init printed no apiKey");
    target->key = key->text;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    target->curl = curl_easy_init();
    assert_that(target->curl != NULL);
    return NULL;
}

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          length = sizeof address;
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_that(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
    assert_that(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool has_ended(Target *target)
{
    if (target->pid > 0 && waitpid(target->pid, NULL, WNOHANG) == target->pid)
        target->pid = 0;
    return target->pid == 0;
}

// ---- calls

static size_t answer_take(char *at, size_t size, size_t count, void *text)
{
    text_add_bytes(text, at, size * count);
    return size * count;
}

static Err *call(Target *target, Arena *arena, Str path, const Str *body, Str *answer)
{
    CURL *curl = target->curl;
    Text  text = text_open(arena);
    char *url = str_terminated(
        arena, str_print(arena, "http://127.0.0.1:%d%.*s", target->port, STR_ARG(path)));
    Str bearer = str_print(arena, "Authorization: Bearer %.*s", STR_ARG(target->key));
    struct curl_slist *headers = curl_slist_append(NULL, str_terminated(arena, bearer));
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_S);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->at);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->length);
    }
    long     status = 0;
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return refuse(arena, ERR_NOT_READY, STR_NONE, "%.*s: %s", STR_ARG(path),
                      curl_easy_strerror(code));
    if (status < 200 || status > 299)
        return refuse(arena, ERR_INTERNAL, STR_NONE, "%.*s answered %ld: %.*s", STR_ARG(path),
                      status, STR_ARG(text_str(&text)));
    *answer = text_str(&text);
    return NULL;
}

Err *target_get(Target *target, Arena *arena, Str path, Str *answer)
{
    return call(target, arena, path, NULL, answer);
}

Err *target_get_json(Target *target, Arena *arena, Str path, const Json **answer)
{
    Str   text;
    Json *root;
    TRY(call(target, arena, path, NULL, &text));
    TRY(json_parse_copy(arena, text, &root));
    *answer = root;
    return NULL;
}

Err *target_put(Target *target, Arena *arena, Str path, Str body)
{
    Str answer;
    return call(target, arena, path, &body, &answer);
}

// ---- life

static bool is_ready(Target *target)
{
    AUTO(Arena) arena = arena_open();
    Str answer;
    return target_get(target, arena, STR("/readyz"), &answer) == NULL;
}

Err *target_start(Target *target, int wait_s)
{
    assert_that(target->pid == 0);
    target->port = free_port();
    char *folder = str_terminated(target->arena, target->folder);
    char *listen = str_terminated(target->arena,
                                  str_print(target->arena, "127.0.0.1:%d", target->port));
    char  name[] = "toll", verb[] = "serve", data[] = "--data", at[] = "--listen";
    int   log = open(str_terminated(target->arena, target->log),
                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return refuse(target->arena, ERR_INTERNAL, STR_NONE, "cannot write the server's log");
    int64_t start_us = clock_tick_us();
    target->pid = spawn((char *[]){ name, verb, data, folder, at, listen, NULL }, log, log);
    close(log);
    assert_that(target->pid > 0);
    while (clock_tick_us() - start_us < (int64_t)wait_s * 1000000) {
        if (has_ended(target))
            return refuse(target->arena, ERR_NOT_READY, STR_NONE, "the server ended at once");
        if (is_ready(target)) {
            target->ready_us = clock_tick_us() - start_us;
            return NULL;
        }
        poll(NULL, 0, POLL_MS);
    }
    return refuse(target->arena, ERR_NOT_READY, STR_NONE, "the server was not ready after %d s",
                  wait_s);
}

Err *target_stop(Target *target)
{
    int     status = 0;
    int64_t start_us = clock_tick_us();
    kill(target->pid, SIGTERM);
    while (waitpid(target->pid, &status, WNOHANG) == 0) {
        if (clock_tick_us() - start_us > STOP_S * INT64_C(1000000)) {
            target_kill(target);
            return refuse(target->arena, ERR_INTERNAL, STR_NONE, "the server did not stop in %d s",
                          STOP_S);
        }
        poll(NULL, 0, POLL_MS);
    }
    target->pid = 0;
    if (status != 0)
        return refuse(target->arena, ERR_INTERNAL, STR_NONE, "the server stopped with status %d",
                      status);
    return NULL;
}

Str target_log_end(Target *target)
{
    int fd = open(str_terminated(target->arena, target->log), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return STR_NONE;
    off_t size = lseek(fd, 0, SEEK_END);
    lseek(fd, size > LOG_END_BYTES ? size - LOG_END_BYTES : 0, SEEK_SET);
    Text text = read_all(target->arena, fd);
    close(fd);
    return text_str(&text);
}

void target_kill(Target *target)
{
    if (target->pid == 0)
        return;
    kill(target->pid, SIGKILL);
    waitpid(target->pid, NULL, 0);
    target->pid = 0;
}

void target_close(Target *target)
{
    target_kill(target);
    if (target->curl != NULL)
        curl_easy_cleanup(target->curl);
    target->curl = NULL;
}
