// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <time.h>

#include "base/arena.h"
#include "base/assert.h"

void thread_start(Thread *thread, const char *name, void *(*run)(void *), void *argument)
{
    assert_that(!thread->started);
    assert_that(pthread_create(&thread->id, NULL, run, argument) == 0);
    pthread_setname_np(thread->id, name);
    thread->started = true;
}

void thread_join(Thread *thread)
{
    if (!thread->started)
        return;
    assert_that(pthread_join(thread->id, NULL) == 0);
    thread->started = false;
}

void lock_open(Lock *lock)
{
    assert_that(pthread_mutex_init(lock, NULL) == 0);
}

void lock_close(Lock *lock)
{
    assert_that(pthread_mutex_destroy(lock) == 0);
}

void lock_take(Lock *lock)
{
    assert_that(pthread_mutex_lock(lock) == 0);
}

void lock_release(Lock *lock)
{
    assert_that(pthread_mutex_unlock(lock) == 0);
}

void signal_open(Signal *signal)
{
    pthread_condattr_t attributes;
    assert_that(pthread_condattr_init(&attributes) == 0);
    assert_that(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    assert_that(pthread_cond_init(signal, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void signal_close(Signal *signal)
{
    assert_that(pthread_cond_destroy(signal) == 0);
}

void signal_wait(Signal *signal, Lock *lock)
{
    assert_that(pthread_cond_wait(signal, lock) == 0);
}

bool signal_wait_us(Signal *signal, Lock *lock, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (timeout_us % 1000000) * 1000;
    until.tv_sec += timeout_us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return pthread_cond_timedwait(signal, lock, &until) == 0;
}

void signal_one(Signal *signal)
{
    pthread_cond_signal(signal);
}

void signal_all(Signal *signal)
{
    pthread_cond_broadcast(signal);
}

struct Queue {
    Lock   lock;
    Signal arrived;
    bool   stopped;
    size_t room, first, count;
    void  *items[];
};

Queue *queue_open(size_t room)
{
    Queue *queue = memory_take(sizeof(Queue) + room * sizeof(void *));
    queue->room = room;
    lock_open(&queue->lock);
    signal_open(&queue->arrived);
    return queue;
}

void queue_close(Queue *queue)
{
    if (queue == NULL)
        return;
    assert_that(queue->count == 0);
    signal_close(&queue->arrived);
    lock_close(&queue->lock);
    memory_release(queue);
}

bool queue_put(Queue *queue, void *item)
{
    lock_take(&queue->lock);
    bool fits = queue->count < queue->room && !queue->stopped;
    if (fits) {
        queue->items[(queue->first + queue->count) % queue->room] = item;
        queue->count++;
        signal_one(&queue->arrived);
    }
    lock_release(&queue->lock);
    return fits;
}

void *queue_take(Queue *queue)
{
    void *item = NULL;
    lock_take(&queue->lock);
    while (queue->count == 0 && !queue->stopped)
        signal_wait(&queue->arrived, &queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->room;
        queue->count--;
    }
    lock_release(&queue->lock);
    return item;
}

void queue_stop(Queue *queue)
{
    lock_take(&queue->lock);
    queue->stopped = true;
    signal_all(&queue->arrived);
    lock_release(&queue->lock);
}

size_t queue_count(Queue *queue)
{
    lock_take(&queue->lock);
    size_t count = queue->count;
    lock_release(&queue->lock);
    return count;
}
