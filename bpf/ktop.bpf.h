/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every family shares: maps by CPU, look-up-or-insert, histogram slots,
 * the maximum of an interval.  What the loader knows by name is described in
 * ktop/kernel/loader.py.
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
extern int LINUX_KERNEL_VERSION __kconfig;

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

/* Before 5.11 tracing programs cannot keep state with a task: there an LRU hash
 * stands in, `_map`, keyed by what identifies a task for ever.  The loader
 * creates one of the two. */
#define SUBSTITUTE_ENTRIES 16384
#define TASK_STORAGE(map, T)                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                           \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, T);                                                                  \
	} map SEC(".maps");                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                               \
		__uint(max_entries, SUBSTITUTE_ENTRIES);                                           \
		__type(key, struct task_key);                                                      \
		__type(value, T);                                                                  \
	} _##map SEC(".maps");                                                                     \
	_Static_assert(sizeof(T) <= sizeof(nothing), "larger than what it is made from")

struct task_key {
	u64 start_ns;
	u32 pid;
	u32 pad;
};

/* What a value in a hash map is made from. */
static const u64 nothing[32];

/* Likewise of sockets, which are known by their address while they live.  The loader
 * has the family's iter/bpf_sk_storage_map program, or iter/bpf_map_elem, walk it: the sockets of
 * all network namespaces, where iter/tcp sees only those of the reader's. */
#define SOCKET_STORAGE(map, T)                                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE);                                             \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, T);                                                                  \
	} map SEC(".maps");                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                               \
		__uint(max_entries, SUBSTITUTE_ENTRIES);                                           \
		__type(key, u64);                                                                  \
		__type(value, T);                                                                  \
	} _##map SEC(".maps");                                                                     \
	_Static_assert(sizeof(T) <= sizeof(nothing), "larger than what it is made from")

/* Tells the loader which struct the records of a ring buffer or an iterator begin with. */
#define RECORD(name, T) T *__record_##name __attribute__((unused))

/* What the iterator `name` yields, in arrays that the reader makes: more of them when all are
 * full.  Not through bpf_seq_write: after each 32 KiB of that the kernel looks for its place in
 * socket storage from the head of the list, and there are only as many lists as CPUs.
 * next_record(name) is where a record goes, and once record_done(name) it counts.  NULL: there is
 * no room.  The program then returns 1, the reader takes all, and the kernel comes again with the
 * same object. */
#define BATCH(name, T)                                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, 1);                                                            \
		__type(key, u32);                                                                  \
		__array(                                                                           \
			values, struct {                                                           \
				__uint(type, BPF_MAP_TYPE_ARRAY);                                  \
				__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);               \
				__uint(max_entries, 1);                                            \
				__uint(key_size, sizeof(u32));                                     \
				__uint(value_size, sizeof(T));                                     \
			});                                                                        \
	} name##_batch SEC(".maps");                                                               \
	volatile u32 name##_portion; /* the array in use */                                        \
	volatile u32 name##_filled;  /* so much of it */                                           \
	_Static_assert(sizeof(T) % 8 == 0, "the kernel would put gaps between them");              \
	RECORD(name, T)

static __always_inline void *find_record(void *batch, u32 portion, u32 at)
{
	void *records = bpf_map_lookup_elem(batch, &portion);

	return records ? bpf_map_lookup_elem(records, &at) : NULL;
}

#define next_record(name)                                                                          \
	({                                                                                         \
		void *__record = find_record(&name##_batch, name##_portion, name##_filled);        \
		if (!__record && name##_filled) {                                                  \
			name##_portion++;                                                          \
			name##_filled = 0;                                                         \
			__record = find_record(&name##_batch, name##_portion, 0);                  \
		}                                                                                  \
		__record;                                                                          \
	})

#define record_done(name)                                                                          \
	do {                                                                                       \
		barrier();                                                                         \
		name##_filled++;                                                                   \
	} while (0)

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

static __always_inline void fill_task_key(struct task_key *key, struct task_struct *task)
{
	key->start_ns = read_field(task, start_boottime);
	key->pid = read_field(task, pid);
	key->pad = 0;
}

static __always_inline void *task_value(void *storage, void *substitute, struct task_struct *task,
					bool make)
{
	struct task_key key;
	void *value;

	if (has_task_storage()) {
		value = bpf_task_storage_get(storage, task, 0,
					     make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
		/* Of two CPUs that make it at once one is refused, and then it is there. */
		if (!value && make)
			value = bpf_task_storage_get(storage, task, 0,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);
		return value;
	}
	fill_task_key(&key, task);
	value = bpf_map_lookup_elem(substitute, &key);
	if (value || !make)
		return value;
	bpf_map_update_elem(substitute, &key, nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(substitute, &key);
}

/* The value of `task` in a map of TASK_STORAGE, NULL when there is none ... */
#define find_task_value(map, task) task_value(&map, &_##map, task, false)
/* ... or not even room for one. */
#define make_task_value(map, task) task_value(&map, &_##map, task, true)

/* Up to 6.3 task storage comes from kmalloc(), which may wake kswapd: under the lock of a run queue
 * that can be this very lock (6.4, 08a7ce384e33, has an allocator of BPF's own).  So there a value
 * is only found under it, and made before: at birth, and by the iterator for those older than that.
 */
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

static __always_inline void *socket_value(void *storage, void *substitute, const struct sock *sk,
					  bool make)
{
	u64 key = (u64)sk;
	void *value;

	if (has_task_storage()) {
		value = bpf_sk_storage_get(storage, (void *)sk, 0,
					   make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
		if (!value && make)
			value = bpf_sk_storage_get(storage, (void *)sk, 0,
						   BPF_LOCAL_STORAGE_GET_F_CREATE);
		return value;
	}
	value = bpf_map_lookup_elem(substitute, &key);
	if (value || !make)
		return value;
	bpf_map_update_elem(substitute, &key, nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(substitute, &key);
}

/* The same for a map of SOCKET_STORAGE. */
#define find_socket_value(map, sk) socket_value(&map, &_##map, sk, false)
#define make_socket_value(map, sk) socket_value(&map, &_##map, sk, true)

static __always_inline void drop_value(void *substitute, struct task_struct *task)
{
	struct task_key key;

	if (has_task_storage())
		return;
	fill_task_key(&key, task);
	bpf_map_delete_elem(substitute, &key);
}
/* Task storage goes with the task. */
#define drop_substitute(map, task) drop_value(&_##map, task)

/* `ended` in the value of a process. */
enum {
	ENDING = 1, /* its last record is being written */
	ENDED,	    /* ... and is in the ring buffer: the iterator has nothing to add */
};

/* The counters of a process, `map` at its group leader, reach user space through an iterator, which
 * first does `prepare` to every task ... */
#define PROCESS_ITERATOR(map, prepare)                                                             \
	RECORD(processes, struct process_record);                                                  \
	SEC("iter/task")                                                                           \
	int processes(struct bpf_iter__task *ctx)                                                  \
	{                                                                                          \
		struct task_struct *task = ctx->task;                                              \
		struct process_record record = {};                                                 \
		typeof(map.value) value;                                                           \
                                                                                                   \
		if (!task)                                                                         \
			return 0;                                                                  \
		prepare(task);                                                                     \
		if (task->pid != task->tgid)                                                       \
			return 0;                                                                  \
		value = find_task_value(map, task);                                                \
		if (!value || value->ended == ENDED)                                               \
			return 0;                                                                  \
		fill_record(&record, task, value, false);                                          \
		bpf_seq_write(ctx->meta->seq, &record, sizeof(record));                            \
		return 0;                                                                          \
	}                                                                                          \
	_Static_assert(1, "")

/* ... and for the last time when it ends, so that short-lived ones count too, through the ring
 * buffer `exits`.  Both write what the family's fill_record(record, task, value, ended) makes of
 * them.  The value is only marked: the kernel frees it with the task, for less than it takes to
 * delete it here.  Several threads can find their process dead, and the first speaks for it;
 * two on two CPUs at the same moment both do, and whoever reads it takes one. */
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

static __always_inline void drop_socket(void *substitute, const struct sock *sk)
{
	u64 key = (u64)sk;

	bpf_map_delete_elem(substitute, &key);
}
/* Socket storage goes with the socket. */
#define drop_socket_value(map, sk) drop_socket(&_##map, sk)

/* 1 where v exceeds `most`, for v below 2^63.  Not a comparison, and hidden from the
 * compiler, who would make one of it: a branch doubles the paths that the verifier walks. */
#define exceeds(v, most)                                                                           \
	({                                                                                         \
		u64 __rest = (most) - (v);                                                         \
		asm volatile("" : "+r"(__rest));                                                   \
		__rest >> 63;                                                                      \
	})

/* v, which is at most `mask` already: the compiler may know, but verifiers up to 6.1 or so lose
 * sight of it in arithmetic of 32 bits. */
#define bounded(v, mask)                                                                           \
	({                                                                                         \
		u64 __bounded = (v);                                                               \
		asm volatile("%0 &= " #mask : "+r"(__bounded));                                    \
		__bounded;                                                                         \
	})

static __always_inline u64 log2_u64(u64 v)
{
	u32 shift, r;

	v &= ~(1ULL << 63);
	r = exceeds(v, 0xffffffffULL) << 5;
	v >>= r;
	shift = exceeds(v, 0xffffULL) << 4;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0xffULL) << 3;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0xfULL) << 2;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0x3ULL) << 1;
	v >>= shift;
	r |= shift;
	return bounded(r | v >> 1, 63);
}

/* Log-linear: 8 slots for each power of two (ktop.stats.log_linear_bounds). */
#define HIST_LINEAR_BITS 3
static __always_inline u64 log_linear_slot(u64 v, u32 slots)
{
	u64 exponent, slot;

	if (v < 1 << HIST_LINEAR_BITS)
		return v;
	exponent = log2_u64(v);
	slot = ((exponent - HIST_LINEAR_BITS + 1) << HIST_LINEAR_BITS) +
	       ((v >> (exponent - HIST_LINEAR_BITS)) & ((1 << HIST_LINEAR_BITS) - 1));
	slot = bounded(slot, 511);
	return slot < slots ? slot : slots - 1;
}

/* Plain log2 of ns in steps from 1.024 us up (ktop.stats.log2_bounds with unit 1 / 0.512). */
#define LOG2_SLOTS 26
static __always_inline u64 log2_slot(u64 ns)
{
	u64 slot = log2_u64(ns >> 9);

	return slot < LOG2_SLOTS ? slot : LOG2_SLOTS - 1;
}

/* The maximum within one interval, for counters that user space never resets:
 * one slot is written while the other, of the interval just ended, is read.
 * Concurrent writers may lose the larger value; readers take the highest
 * histogram slot as the lower bound. */
struct interval_max {
	u64 value[2];
	u32 epoch[2];
};

static __always_inline void update_max(struct interval_max *max, u64 value)
{
	u32 now = epoch, i = now & 1;

	if (max->epoch[i] != now) {
		max->epoch[i] = now;
		max->value[i] = value;
	} else if (value > max->value[i]) {
		max->value[i] = value;
	}
}

/* The maximum of the interval that the present read ends. */
static __always_inline u64 read_max(const struct interval_max *max)
{
	u32 ended = epoch - 1, i = ended & 1;

	return max->epoch[i] == ended ? max->value[i] : 0;
}

/* The same for a record written before the interval ends (at exit). */
static __always_inline u64 read_max_now(const struct interval_max *max)
{
	u32 now = epoch, i = now & 1;

	return max->epoch[i] == now ? max->value[i] : 0;
}

#endif
