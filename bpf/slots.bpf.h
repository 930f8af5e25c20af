/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes and goes, each in a slot of arrays that user space maps and reads in place. */
#ifndef KTOP_SLOTS_BPF_H
#define KTOP_SLOTS_BPF_H

#include "ktop.bpf.h"

/* No iterator reads it: those over socket storage and other maps may write to it, and hosts under
 * lockdown can refuse them.  Values begin with what identifies them for ever, 0 while a slot is
 * free; a free one is all zero.  The reader makes the arrays, as many as are needed, and has their
 * slots among the free ones: in runs, for each is a system call. */
struct slot_run {
	u32 first;
	u32 more; /* behind it */
};

/* Of the number of a slot; the rest is the number of its array (ktop/kernel/slots.py). */
#define SLOT_BITS 12
#define NO_SLOT (~0U)
#define MOST_ARRAYS 64 /* a power of two */

#define MOST_SLOTS (1 << 17)
#define SLOTS(name, T)                                                                             \
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
	} name SEC(".maps");                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_STACK);                                                  \
		__uint(max_entries, MOST_SLOTS);                                                   \
		__uint(key_size, 0);                                                               \
		__uint(value_size, sizeof(struct slot_run));                                       \
	} name##_free SEC(".maps");                                                                \
	u32 name##_used[MOST_ARRAYS]; /* not 0: a slot of it was ever taken */                     \
	_Static_assert(sizeof(T) % 8 == 0, "the kernel would put gaps between them");              \
	RECORD(name, T)

static __always_inline void *slot_value(void *slots, u32 slot)
{
	u32 array = slot >> SLOT_BITS, at = slot & ((1 << SLOT_BITS) - 1);
	void *values = bpf_map_lookup_elem(slots, &array);

	return values ? bpf_map_lookup_elem(values, &at) : NULL;
}

/* NULL, too, of NO_SLOT. */
#define find_slot(name, slot) slot_value(&name, slot)

/* NO_SLOT where there is none left. */
static __always_inline u32 take_free_slot(void *free, u32 *used)
{
	struct slot_run run, rest;

	if (bpf_map_pop_elem(free, &run))
		return NO_SLOT;
	if (run.more) {
		/* Meanwhile another CPU takes of the next run. */
		rest.first = run.first + 1;
		rest.more = run.more - 1;
		bpf_map_push_elem(free, &rest, BPF_ANY);
	}
	used[(run.first >> SLOT_BITS) % MOST_ARRAYS] = 1;
	return run.first;
}

#define take_slot(name) take_free_slot(&name##_free, name##_used)

/* Takes the value away before the number is free, and what identifies it before all else: what a
 * reader copied meanwhile it takes for gone. */
#define give_back_slot(name, slot, value)                                                          \
	do {                                                                                       \
		struct slot_run __run = {.first = (slot)};                                         \
		*(volatile u64 *)(value) = 0;                                                      \
		barrier();                                                                         \
		__builtin_memset(value, 0, sizeof(*(value)));                                      \
		bpf_map_push_elem(&name##_free, &__run, BPF_ANY);                                  \
	} while (0)

/* Never used again: a slot is not taken twice within a microsecond. */
static __always_inline u64 slot_identity(u32 slot)
{
	return bpf_ktime_get_boot_ns() >> 10 << 20 | slot;
}

#endif
