// Threads, locks and a bounded queue of pointers. Starting a thread never fails (the process ends
// when the system has none). Names show in top -H and in the per-stage CPU table of `toll bench`.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Thread {
    pthread_t id;
    bool      started;
} Thread;

void thread_start(Thread *thread, const char *name, void *(*run)(void *), void *argument);
void thread_join(Thread *thread);  // nothing when it was not started

typedef pthread_mutex_t Lock;
void lock_open(Lock *lock);
void lock_close(Lock *lock);
void lock_take(Lock *lock);
void lock_release(Lock *lock);

typedef pthread_cond_t Signal;
void signal_open(Signal *signal);
void signal_close(Signal *signal);
void signal_wait(Signal *signal, Lock *lock);
bool signal_wait_us(Signal *signal, Lock *lock, int64_t timeout_us);  // false: timed out
void signal_one(Signal *signal);
void signal_all(Signal *signal);

// First in, first out; many writers, many readers.
typedef struct Queue Queue;
Queue *queue_open(size_t room);
void   queue_close(Queue *queue);              // must be empty
bool   queue_put(Queue *queue, void *item);    // false when full or stopped
void  *queue_take(Queue *queue);               // waits; NULL once stopped and empty
void   queue_stop(Queue *queue);               // wakes all readers
size_t queue_count(Queue *queue);
