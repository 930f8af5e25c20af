/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of an iterator in arrays that user space maps. */
#ifndef KTOP_BATCH_BPF_H
#define KTOP_BATCH_BPF_H

#include "ktop.bpf.h"

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

#endif
