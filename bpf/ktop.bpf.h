/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every family shares: programs of tasks, maps by CPU, ring buffers, losses, names.  What the
 * loader knows by name is described in ktop/kernel/loader.py.
 */
#ifndef KTOP_BPF_H
#define KTOP_BPF_H

#include "kernel.bpf.h"

/* Counts the reads by user space; it grows just before each of them. */
volatile u32 epoch;

/* 7.0 has the programs of tracepoints preempted, and what is a CPU's own would have two writers.
 * So where a task can be preempted they begin with TASK_PROG in place of BPF_PROG: the
 * scheduler's and those of interrupts need not.  Events are still missed: a task that is preempted
 * just as its program ends keeps the others on that CPU from running it (recursion_misses). */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

static __always_inline void disable_preemption(int since)
{
	if (LINUX_KERNEL_VERSION >= since)
		bpf_preempt_disable();
}

static __always_inline void enable_preemption(int since)
{
	if (LINUX_KERNEL_VERSION >= since)
		bpf_preempt_enable();
}

#define PREEMPTED_SINCE KERNEL_VERSION(7, 0, 0)

#define TASK_PROG(name, args...)                                                                   \
	name(unsigned long long *ctx);                                                             \
	static __always_inline int __##name(unsigned long long *ctx);                              \
	int name(unsigned long long *ctx)                                                          \
	{                                                                                          \
		int result;                                                                        \
                                                                                                   \
		disable_preemption(PREEMPTED_SINCE);                                               \
		result = __##name(ctx);                                                            \
		enable_preemption(PREEMPTED_SINCE);                                                \
		return result;                                                                     \
	}                                                                                          \
	static __always_inline int BPF_PROG(__##name, args)

/* An array with one element a CPU (the loader sets max_entries), mapped into
 * user space: each CPU writes only its own, so no atomics.  The exception is
 * a hook that can interrupt itself on the same CPU. */
#define CPU_ARRAY(map, T)                                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, u32);                                                                  \
		__type(value, T);                                                                  \
	} map SEC(".maps")

/* Tells the loader which struct the records of a ring buffer or an iterator begin with. */
#define RECORD(name, T) T *__record_##name __attribute__((unused))

#define RING_BUFFER(map, T, bytes)                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, bytes);                                                        \
	} map SEC(".maps");                                                                        \
	RECORD(map, T)

/* What could not be kept; the loader adds up all CPUs and fields. */
struct lost {
	u64 ring_full;
	u64 map_full;
	u64 no_storage;
	u64 missed; /* what must have happened, but no program ran */
	u64 pad[4];
};
CPU_ARRAY(lost, struct lost);

#define this_cpu(map)                                                                              \
	({                                                                                         \
		u32 __cpu = bpf_get_smp_processor_id();                                            \
		bpf_map_lookup_elem(&map, &__cpu);                                                 \
	})

#define count_lost(field)                                                                          \
	do {                                                                                       \
		struct lost *__lost = this_cpu(lost);                                              \
		if (__lost)                                                                        \
			__sync_fetch_and_add(&__lost->field, 1);                                   \
	} while (0)

/* The name of a task with nothing after its end: neither a reserved record nor the
 * rest of a name that was longer before (kernels with strlcpy) is zero. */
static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	__builtin_memset(comm, 0, TASK_COMM_LEN);
	bpf_probe_read_kernel_str(comm, TASK_COMM_LEN, task->comm);
}

/* The same where time is short: from 5.17 on, 06c5088aeedc, names have nothing after their end.
 * A macro, for it knows how its arguments are aligned. */
#define copy_comm(to, task)                                                                        \
	do {                                                                                       \
		if (bpf_core_field_exists((task)->worker_private)) /* 5.17 as well */              \
			__builtin_memcpy(to, (task)->comm, TASK_COMM_LEN);                         \
		else                                                                               \
			read_comm(to, task);                                                       \
	} while (0)

#endif
