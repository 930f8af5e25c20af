/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run-queue latency: from runnable (woken, or preempted) to running. */
#include "histogram.bpf.h"
#include "process.bpf.h"

#define SLOTS 264 /* log-linear in ns, up to 2^35 ns = 34 s */

struct latency {
	u64 slots[SLOTS];
};
CPU_ARRAY(latency, struct latency);

#define RUNS 1 /* a time that no wait begins at */

/* Of a thread: since when it could run, and how long it had run by then; RUNS from when it got a
 * CPU, 0 before anything is known.  The rest is of a process, at its group leader: most processes
 * are their leader alone, and so have one entry. */
struct waits {
	u64 since;
	u64 ran_ns;
	u64 total_ns;
	struct interval_max max;
	u32 slots[LOG2_SLOTS];
	u8 ended;
};
TASK_STORAGE(waits, struct waits);

struct process_record {
	u64 start_ns;
	u64 cgroup;
	u64 wait_ns;
	u64 max_ns;
	u64 ran_ns;
	u32 pid;
	char comm[TASK_COMM_LEN];
	u32 slots[LOG2_SLOTS];
};

/* The last records of a process, so that short-lived ones count too. */
RING_BUFFER(exits, struct process_record, 1 << 20);

static __always_inline struct waits *waits_of(struct task_struct *task)
{
	struct waits *value;

	if (is_over(task))
		return find_task_value(waits, task);
	value = take_task_value(waits, task);
	if (!value)
		count_lost(no_storage);
	return value;
}

/* Of every thread. */
static __always_inline void make_before(struct task_struct *task)
{
	if (is_made_before() && !make_task_value(waits, task))
		count_lost(no_storage);
}
MADE_AT_BIRTH(make_before);

/* Of every thread that the iterator meets.  Who got a CPU before the programs came, and keeps it,
 * waits for none: such a process has no value yet, and the next read is to tell of it even if it
 * sleeps by then.  All others wait before they run. */
static __always_inline void make_for_reading(struct task_struct *task)
{
	make_before(task);
	if (!is_made_before() && is_runnable(task) && !task->exit_state)
		waits_of(task->group_leader);
}

/* In virtual machines a program is not run at times (block.bpf.c), and nothing tells: a wait would
 * begin before the thread ran and slept.  What it has run in all does not grow while it waits. */
static __always_inline bool still_waits(struct waits *thread, struct task_struct *task)
{
	return thread->since > RUNS && thread->ran_ns == task->se.sum_exec_runtime;
}

static __always_inline void begin_wait(struct waits *thread, struct task_struct *task, u64 now)
{
	thread->since = now;
	thread->ran_ns = task->se.sum_exec_runtime;
}

static __always_inline int handle_wakeup(struct task_struct *task)
{
	struct waits *thread;

	/* Woken before it slept it goes on, and waits for nothing. */
	if (bpf_core_field_exists(task->on_cpu) && task->on_cpu)
		return 0;
	thread = waits_of(task);
	/* Preempted on its way to sleep, and woken before it got there, it waits all the time. */
	if (thread && !still_waits(thread, task))
		begin_wait(thread, task, bpf_ktime_get_ns());
	return 0;
}

static __always_inline void mark_preempted(struct task_struct *task, u64 now)
{
	struct waits *thread = waits_of(task);

	if (!thread)
		return;
	if (thread->since > RUNS) /* it got a CPU, and no program ran */
		count_lost(missed);
	begin_wait(thread, task, now);
}

static __always_inline void fill_waits(struct process_record *record, struct task_struct *task,
				       const struct waits *waits, bool ended)
{
	record->start_ns = task->start_boottime;
	record->cgroup = cgroup_of(task);
	record->pid = task->tgid;
	copy_comm(record->comm, task);
	record->wait_ns = waits->total_ns;
	record->max_ns = ended ? read_max_now(&waits->max) : read_max(&waits->max);
	__builtin_memcpy(record->slots, waits->slots, sizeof(record->slots));
}

/* A process that leaves its CPU for the last time, with what it did after its exit hook.  Where
 * that is another thread than the first, the first may be freed by now, and a part of an interval
 * is not told. */
static __noinline int submit_last(struct task_struct *task)
{
	struct signal_struct *signal;
	struct process_record *record;
	struct waits *process;

	if (!task || task != read_only(task)->group_leader || !is_group_dead(task) ||
	    !is_gone(task))
		return 0;
	process = find_task_value(waits, task);
	if (!process || process->ended != ENDED)
		return 0;
	record = bpf_ringbuf_reserve(&exits, sizeof(*record), 0);
	if (!record) {
		count_lost(ring_full);
		return 0;
	}
	fill_waits(record, task, process, true);
	signal = read_only(task)->signal;
	record->ran_ns = signal->sum_sched_runtime;
	if (read_only(task)->sighand)
		record->ran_ns += task->se.sum_exec_runtime;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int handle_switch(struct task_struct *prev, struct task_struct *next,
					 bool preempted)
{
	struct task_struct *leader = next->group_leader;
	struct waits *thread, *process;
	struct latency *histogram;
	u64 now = 0, wait, slot;

	barrier_var(leader); /* here, where but one path leads (see read_only) */
	/* PID 0 is always runnable and waits for nothing. */
	if (preempted && prev->pid) {
		now = bpf_ktime_get_ns();
		mark_preempted(prev, now);
	}
	if (!preempted && prev->exit_state)
		submit_last(prev);
	if (!next->pid)
		return 0;
	thread = find_task_value(waits, next);
	if (!thread || !thread->since)
		return 0;
	if (!still_waits(thread, next)) { /* likewise, when it was woken or preempted */
		thread->since = RUNS;
		count_lost(missed);
		return 0;
	}
	if (!now)
		now = bpf_ktime_get_ns();
	wait = now - thread->since;
	thread->since = RUNS;
	if ((s64)wait < 0) /* clocks of two CPUs */
		wait = 0;

	slot = log_linear_slot(wait, SLOTS);
	histogram = this_cpu(latency);
	if (histogram && slot < SLOTS)
		histogram->slots[slot]++;
	process = thread;
	if (leader != next) {
		/* Past exit_notify() the leader may have been freed. */
		if (next->exit_state)
			return 0;
		process = waits_of(leader);
	}
	if (!process)
		return 0;
	slot = log2_slot_of(slot);
	/* Threads of one process run on several CPUs at once. */
	__sync_fetch_and_add(&process->total_ns, wait);
	if (slot < LOG2_SLOTS)
		__sync_fetch_and_add(&process->slots[slot], 1);
	update_max(&process->max, wait);
	return 0;
}

SEC("?tp_btf/sched_wakeup")
int BPF_PROG(wakeup__tp_btf, struct task_struct *task)
{
	return handle_wakeup(task);
}

SEC("?tp_btf/sched_wakeup_new")
int BPF_PROG(wakeup_new__tp_btf, struct task_struct *task)
{
	return handle_wakeup(task);
}

/* 5.18, fa2c3254d7cf: prev_state came in as the last argument.  Up to 6.13, 8feb053d5319, it is
 * what the task had wanted before a signal kept it from sleeping. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(switch__tp_btf_state, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	/* Preempted on its way to sleep, a task stays on the run queue, whatever its state says. */
	return handle_switch(prev, next, preempt || prev_state == 0 || is_runnable(prev));
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(switch__tp_btf, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return handle_switch(prev, next, preempt || is_runnable(prev));
}

#define THREADS_MAX (1 << 16)
#define UNROLLED_MAX 32 /* as many take the verifier 3 ms */

/* On the way through the threads of a process. */
struct ran {
	struct list_head *head, *node;
	u64 ended_ns; /* of the threads that ended before */
	u64 ns;
};

static __always_inline struct ran begin_ran(struct task_struct *task)
{
	struct signal_struct *signal = read_only(task)->signal;
	struct ran ran = {
		.head = (void *)signal + bpf_core_field_offset(signal->thread_head),
		.node = BPF_CORE_READ(signal, thread_head.next),
		.ended_ns = BPF_CORE_READ(signal, sum_sched_runtime),
	};

	ran.ns = ran.ended_ns;
	return ran;
}

/* ~0 where a thread ended on the way: what it ran, maybe for days, can be missing. */
static __always_inline u64 end_ran(struct task_struct *task, const struct ran *ran)
{
	struct signal_struct *signal = read_only(task)->signal;

	return BPF_CORE_READ(signal, sum_sched_runtime) == ran->ended_ns ? ran->ns : ~0ULL;
}

static long add_thread(u64 index, struct ran *ran)
{
	struct task_struct *thread = NULL;
	struct list_head *node = ran->node;
	u64 ns = 0;

	if (node == ran->head)
		return 1;
	thread = (void *)node - bpf_core_field_offset(thread->thread_node);
	bpf_core_read(&ns, sizeof(ns), &thread->se.sum_exec_runtime);
	ran->ns += ns;
	ran->node = BPF_CORE_READ(node, next);
	return 0;
}

/* What all threads of the process have run, those that are running to their CPU's last tick; ~0
 * where that cannot be told, and of more threads than these. */
static __always_inline void fill_record(struct process_record *record, struct task_struct *task,
					const struct waits *waits, bool ended)
{
	struct ran ran = begin_ran(task);

	fill_waits(record, task, waits, ended);
	record->ran_ns = ~0ULL;
	for (u32 i = 0; i < UNROLLED_MAX; i++) {
		if (add_thread(i, &ran)) {
			record->ran_ns = ended ? ran.ns : end_ran(task, &ran);
			break;
		}
	}
}

/* 5.17, e6f2dd0f8067. */
static __always_inline void fill_by_loop(struct process_record *record, struct task_struct *task,
					 const struct waits *waits, bool ended)
{
	struct ran ran = begin_ran(task);

	fill_waits(record, task, waits, ended);
	bpf_loop(THREADS_MAX, add_thread, &ran, 0);
	record->ran_ns = end_ran(task, &ran);
}

static __always_inline void bequeath(const struct waits *from, struct waits *to)
{
	to->total_ns = from->total_ns;
	to->max = from->max;
	__builtin_memcpy(to->slots, from->slots, sizeof(to->slots));
}

SEC("?tp_btf/sched_process_exit")
int TASK_PROG(exit__tp_btf, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct waits *process;

	if (task != leader)
		drop_substitute(waits, task);
	if (!is_group_dead(task)) {
		hand_over(waits, task, leader, bequeath);
		return 0;
	}
	process = find_task_value(waits, leader);
	if (process)
		submit_exit(waits, leader, process);
	return 0;
}

/* Whether this read is the first, and is to tell of every process: one without a value does not run
 * until it has one. */
volatile u32 anew;
static const struct waits no_waits;
RECORD(processes, struct process_record);
PROCESS_ITERATOR_VARIANT(processes__loop, waits, make_for_reading, anew ? &no_waits : NULL,
			 fill_by_loop);
PROCESS_ITERATOR_VARIANT(processes__unrolled, waits, make_for_reading, anew ? &no_waits : NULL,
			 fill_record);

char LICENSE[] SEC("license") = "GPL";
