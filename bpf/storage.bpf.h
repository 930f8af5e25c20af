/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State kept with tasks and sockets, and what stands in for it on kernels that cannot. */
#ifndef KTOP_STORAGE_BPF_H
#define KTOP_STORAGE_BPF_H

#include "ktop.bpf.h"

/* What a value in a hash map is made from. */
static const u64 nothing[32];

#define SUBSTITUTE_ENTRIES 16384

/* Before 5.11 tracing programs cannot keep state with a task: there an LRU hash
 * stands in, `_map`, keyed by what identifies a task for ever.  The loader
 * creates one of the two. */
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

static __always_inline void fill_task_key(struct task_key *key, struct task_struct *task)
{
	key->start_ns = read_field(task, start_boottime);
	key->pid = read_field(task, pid);
	key->pad = 0;
}

static __always_inline void *substitute_value(void *substitute, const void *key, bool make)
{
	void *value = bpf_map_lookup_elem(substitute, key);

	if (value || !make)
		return value;
	bpf_map_update_elem(substitute, key, nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(substitute, key);
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
	return substitute_value(substitute, &key, make);
}

/* The value of `task` in a map of TASK_STORAGE, NULL when there is none ... */
#define find_task_value(map, task) task_value(&map, &_##map, task, false)
/* ... or not even room for one. */
#define make_task_value(map, task) task_value(&map, &_##map, task, true)

/* `task` is past its exit hook, or just before: there a substitute's entry is only found, for one
 * made anew would stay. */
static __always_inline bool is_over(struct task_struct *task)
{
	if (has_task_storage() || !(read_field(task, flags) & PF_EXITING))
		return false;
	return read_field(task, pid) != read_field(task, tgid) || is_group_dead(task);
}

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

/* Likewise of sockets, which are known by their address while they live.  A hash that is not LRU
 * stands in: the end of every socket is seen, and what is kept of it may be to be given back. */
#define SOCKET_STORAGE(map, T)                                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE);                                             \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, T);                                                                  \
	} map SEC(".maps");                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, SUBSTITUTE_ENTRIES);                                           \
		__type(key, u64);                                                                  \
		__type(value, T);                                                                  \
	} _##map SEC(".maps")

static __always_inline void *find_value_of_socket(void *storage, void *substitute,
						  const struct sock *sk)
{
	u64 key = (u64)sk;

	if (has_task_storage())
		return bpf_sk_storage_get(storage, (void *)sk, 0, 0);
	return bpf_map_lookup_elem(substitute, &key);
}

static __always_inline void *make_value_of_socket(void *storage, void *substitute,
						  const struct sock *sk, void *value)
{
	u64 key = (u64)sk;
	void *made;

	if (!has_task_storage()) {
		bpf_map_update_elem(substitute, &key, value, BPF_NOEXIST);
		return bpf_map_lookup_elem(substitute, &key);
	}
	made = bpf_sk_storage_get(storage, (void *)sk, value, BPF_LOCAL_STORAGE_GET_F_CREATE);
	/* Of two CPUs that make it at once one is refused, and then it is there. */
	return made ?: bpf_sk_storage_get(storage, (void *)sk, 0, 0);
}

/* The value of `sk` in a map of SOCKET_STORAGE, NULL when there is none ... */
#define find_socket_value(map, sk) find_value_of_socket(&map, &_##map, sk)
/* ... made as a copy of `from` where it was not there; NULL without memory. */
#define make_socket_value(map, sk, from) make_value_of_socket(&map, &_##map, sk, from)

static __always_inline void drop_socket(void *substitute, const struct sock *sk)
{
	u64 key = (u64)sk;

	if (!has_task_storage())
		bpf_map_delete_elem(substitute, &key);
}
/* Socket storage goes with the socket. */
#define drop_socket_substitute(map, sk) drop_socket(&_##map, sk)

#endif
