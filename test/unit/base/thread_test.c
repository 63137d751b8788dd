// SPDX-License-Identifier: Apache-2.0
// The queue gives every item to exactly one reader, in order, refuses when it is full or stopped,
// and a stop wakes whoever waits, after what is left has been taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/thread.h"

static void first_in_is_first_out(void **state)
{
    (void)state;
    int    items[10];
    Queue *queue = queue_open(4);
    for (int i = 0; i < 4; i++)
        assert_true(queue_put(queue, &items[i]));
    assert_false(queue_put(queue, &items[4]));
    assert_int_equal(queue_count(queue), 4);
    for (int i = 0; i < 6; i++) {  // around the end of its room
        assert_ptr_equal(queue_take(queue), &items[i]);
        assert_true(queue_put(queue, &items[i + 4]));
        assert_int_equal(queue_count(queue), 4);
    }
    for (int i = 6; i < 10; i++)
        assert_ptr_equal(queue_take(queue), &items[i]);
    assert_int_equal(queue_count(queue), 0);
    queue_close(queue);
    queue_close(NULL);
}

static void a_stopped_queue_is_emptied_first(void **state)
{
    (void)state;
    int    items[2];
    Queue *queue = queue_open(4);
    assert_true(queue_put(queue, &items[0]));
    assert_true(queue_put(queue, &items[1]));
    queue_stop(queue);
    assert_false(queue_put(queue, &items[0]));
    assert_ptr_equal(queue_take(queue), &items[0]);
    assert_ptr_equal(queue_take(queue), &items[1]);
    assert_null(queue_take(queue));
    assert_null(queue_take(queue));
    queue_close(queue);
}

static void a_queue_without_room_takes_nothing(void **state)
{
    (void)state;
    int    item;
    Queue *queue = queue_open(0);
    assert_false(queue_put(queue, &item));
    queue_stop(queue);
    assert_null(queue_take(queue));
    queue_close(queue);
}

enum { READERS = 3, WRITERS = 3, EACH = 2000 };

typedef struct Work {
    Queue      *queue;
    atomic_uint met[WRITERS * EACH];
    unsigned    items[WRITERS * EACH];
    atomic_uint writers;
    atomic_bool out_of_order;
} Work;

static void *write_items(void *argument)
{
    Work    *work = argument;
    unsigned first = atomic_fetch_add(&work->writers, 1) * EACH;
    for (unsigned i = first; i < first + EACH; i++) {
        work->items[i] = i;
        while (!queue_put(work->queue, &work->items[i]))
            sched_yield();
    }
    return NULL;
}

// One reader meets the items of one writer in the order in which they were put.
static void *read_items(void *argument)
{
    Work     *work = argument;
    unsigned  next[WRITERS] = { 0 };
    for (unsigned *item = queue_take(work->queue); item != NULL; item = queue_take(work->queue)) {
        unsigned writer = *item / EACH, place = *item % EACH;
        if (place < next[writer])
            work->out_of_order = true;
        next[writer] = place + 1;
        atomic_fetch_add(&work->met[*item], 1);
    }
    return NULL;
}

static void many_threads_share_every_item_once(void **state)
{
    (void)state;
    Work  *work = memory_take(sizeof(Work));
    Thread readers[READERS] = { 0 }, writers[WRITERS] = { 0 };
    work->queue = queue_open(16);
    for (int i = 0; i < READERS; i++)
        thread_start(&readers[i], "reader", read_items, work);
    for (int i = 0; i < WRITERS; i++)
        thread_start(&writers[i], "writer", write_items, work);
    for (int i = 0; i < WRITERS; i++)
        thread_join(&writers[i]);
    queue_stop(work->queue);
    for (int i = 0; i < READERS; i++)
        thread_join(&readers[i]);
    for (unsigned i = 0; i < WRITERS * EACH; i++)
        assert_int_equal(work->met[i], 1);
    assert_false(work->out_of_order);
    queue_close(work->queue);
    memory_release(work);
}

typedef struct Gate {
    Lock   lock;
    Signal opened;
    bool   is_open;
    int    passed;
} Gate;

static void *pass_gate(void *argument)
{
    Gate *gate = argument;
    lock_take(&gate->lock);
    while (!gate->is_open)
        signal_wait(&gate->opened, &gate->lock);
    gate->passed++;
    lock_release(&gate->lock);
    return NULL;
}

static void a_signal_to_all_wakes_all(void **state)
{
    (void)state;
    Gate   gate = { 0 };
    Thread threads[4] = { 0 };
    lock_open(&gate.lock);
    signal_open(&gate.opened);
    for (int i = 0; i < 4; i++)
        thread_start(&threads[i], "gate", pass_gate, &gate);
    lock_take(&gate.lock);
    assert_int_equal(gate.passed, 0);
    gate.is_open = true;
    signal_all(&gate.opened);
    lock_release(&gate.lock);
    for (int i = 0; i < 4; i++)
        thread_join(&threads[i]);
    assert_int_equal(gate.passed, 4);
    signal_close(&gate.opened);
    lock_close(&gate.lock);
}

static void *open_gate(void *argument)
{
    Gate *gate = argument;
    lock_take(&gate->lock);
    gate->is_open = true;
    signal_one(&gate->opened);
    lock_release(&gate->lock);
    return NULL;
}

static void waiting_for_a_time_ends_either_way(void **state)
{
    (void)state;
    Gate   gate = { 0 };
    Thread thread = { 0 };
    lock_open(&gate.lock);
    signal_open(&gate.opened);
    lock_take(&gate.lock);
    assert_false(signal_wait_us(&gate.opened, &gate.lock, 0));
    assert_false(signal_wait_us(&gate.opened, &gate.lock, -5000000));
    while (signal_wait_us(&gate.opened, &gate.lock, 1000))
        continue;  // woken for no reason: ask again, nobody signals
    thread_start(&thread, "opener", open_gate, &gate);
    while (!gate.is_open)
        signal_wait_us(&gate.opened, &gate.lock, INT64_C(3600) * 1000000);
    lock_release(&gate.lock);
    thread_join(&thread);
    thread_join(&thread);  // nothing when it was not started, or was joined
    assert_false(thread.started);
    signal_close(&gate.opened);
    lock_close(&gate.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out),
        cmocka_unit_test(a_stopped_queue_is_emptied_first),
        cmocka_unit_test(a_queue_without_room_takes_nothing),
        cmocka_unit_test(many_threads_share_every_item_once),
        cmocka_unit_test(a_signal_to_all_wakes_all),
        cmocka_unit_test(waiting_for_a_time_ends_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
