/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process did, from its birth to its end, and how that reaches user space. */
#ifndef KTOP_PROCESS_BPF_H
#define KTOP_PROCESS_BPF_H

#include "storage.bpf.h"

/* Up to 6.3 task storage comes from kmalloc(), which may wake kswapd and so take the lock of a run
 * queue (6.4, 08a7ce384e33, has an allocator of BPF's own).  There a value is only found under such
 * a lock, and made before: at birth, and by the iterator for tasks older than the programs. */
static __always_inline bool is_made_before(void)
{
	return has_task_storage() && LINUX_KERNEL_VERSION < KERNEL_VERSION(6, 4, 0);
}

#define take_task_value(map, task) task_value(&map, &_##map, task, !is_made_before())

#define MADE_AT_BIRTH(make)                                                                        \
	SEC("?tp_btf/task_newtask")                                                                \
	int TASK_PROG(birth__tp_btf_before_6_4, struct task_struct *task)                          \
	{                                                                                          \
		make(task);                                                                        \
		return 0;                                                                          \
	}                                                                                          \
	_Static_assert(1, "")

/* For a family whose programs run under no such lock. */
static __always_inline void make_on_demand(struct task_struct *task)
{
}

/* A thread that executes a program becomes the leader, with the PID and the start of the one
 * before, which is gone by then, and task storage with it.  So as the other threads end, what the
 * process did (`bequeath` copies it) goes to that thread, whose own value has no use for it until
 * then. A substitute's value is known by PID and start. */
#define hand_over(map, task, leader, bequeath)                                                     \
	do {                                                                                       \
		struct task_struct *__heir;                                                        \
		typeof(map.value) __from, __to;                                                    \
                                                                                                   \
		if (!has_task_storage())                                                           \
			break;                                                                     \
		__heir = executing_thread(task);                                                   \
		if (!__heir || __heir == (leader))                                                 \
			break;                                                                     \
		__from = find_task_value(map, leader);                                             \
		if (!__from)                                                                       \
			break;                                                                     \
		__to = make_task_value(map, __heir);                                               \
		if (__to)                                                                          \
			bequeath(__from, __to);                                                    \
		else                                                                               \
			count_lost(no_storage);                                                    \
	} while (0)

/* `ended` in the value of a process. */
enum {
	ENDING = 1, /* a record of its end is being written */
	ENDED, /* ... and is in the ring buffer: the iterator has nothing to add once it is gone */
};

/* The counters of a process, `map` at its group leader, reach user space through an iterator, which
 * first does `prepare` to every task, and writes `otherwise` of a process without any: nothing
 * where that is NULL ... */
#define PROCESS_ITERATOR(map, prepare, otherwise)                                                  \
	RECORD(processes, struct process_record);                                                  \
	PROCESS_ITERATOR_VARIANT(processes, map, prepare, otherwise, fill_record)

#define PROCESS_ITERATOR_VARIANT(program, map, prepare, otherwise, fill)                           \
	SEC("iter/task")                                                                           \
	int program(struct bpf_iter__task *ctx)                                                    \
	{                                                                                          \
		struct task_struct *task = ctx->task;                                              \
		struct seq_file *seq = ctx->meta->seq;                                             \
		struct process_record record = {};                                                 \
		const typeof(*map.value) *value;                                                   \
                                                                                                   \
		barrier_var(seq); /* here, where but one path leads (see read_only) */             \
		if (!task)                                                                         \
			return 0;                                                                  \
		prepare(task);                                                                     \
		if (task->pid != task->tgid)                                                       \
			return 0;                                                                  \
		value = find_task_value(map, task) ?: (otherwise);                                 \
		if (!value || (value->ended == ENDED && is_gone(task)))                            \
			return 0;                                                                  \
		fill(&record, task, value, false);                                                 \
		bpf_seq_write(seq, &record, sizeof(record));                                       \
		return 0;                                                                          \
	}                                                                                          \
	_Static_assert(1, "")

/* ... and when it ends, so that short-lived ones count too, through the ring buffer `exits`.  On
 * 6.18 the hook comes before a process gives its memory back, which can take seconds: the iterator
 * goes on telling of it until it is gone.  Both write what the family's fill_record(record, task,
 * value, ended) makes of them.  The value is only marked: the kernel frees it with the task, for
 * less than it takes to delete it here.  Several threads can find their process dead, and the first
 * speaks for it; two on two CPUs at the same moment both do, and whoever reads it takes one. */
#define submit_exit(map, leader, process)                                                          \
	do {                                                                                       \
		struct process_record *__record;                                                   \
                                                                                                   \
		if ((process)->ended)                                                              \
			break;                                                                     \
		*(volatile u8 *)&(process)->ended = ENDING;                                        \
		__record = bpf_ringbuf_reserve(&exits, sizeof(*__record), 0);                      \
		if (__record) {                                                                    \
			fill_record(__record, leader, process, true);                              \
			bpf_ringbuf_submit(__record, BPF_RB_NO_WAKEUP);                            \
		} else {                                                                           \
			count_lost(ring_full);                                                     \
		}                                                                                  \
		*(volatile u8 *)&(process)->ended = ENDED;                                         \
		drop_substitute(map, leader);                                                      \
	} while (0)

#endif
