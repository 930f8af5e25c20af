/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On-CPU stacks.  Every sample is a record of its own rather than a count by
 * stack id: stack maps lose the samples whose stacks collide, and must be
 * emptied while they are written to.
 */
#include "ktop.bpf.h"

#define FRAMES_MAX 127 /* PERF_MAX_STACK_DEPTH, the kernel's default limit */
#define STACK_MAX (FRAMES_MAX * sizeof(u64))

struct sample {
	u64 start_ns; /* of the process, since boot */
	u64 cgroup;
	u64 exec_id; /* changes with the address space */
	u32 pid;
	s32 kernel_bytes; /* or -errno */
	s32 user_bytes;	  /* or -errno */
	char comm[TASK_COMM_LEN];
	/* the addresses of both, innermost first */
};
RING_BUFFER(samples, struct sample, 1 << 20);

struct scratch {
	struct sample sample;
	char stacks[2 * STACK_MAX];
};

/* Too long for the stack.  Programs of perf events never interrupt each other (bpf_prog_active). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

SEC("?perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task(), *leader;
	u32 zero = 0;
	struct scratch *record;
	long kernel, user;

	/* Idle; not every event can be told to leave it out. */
	if (!read_field(task, pid))
		return 0;
	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!record)
		return 0;
	leader = read_field(task, group_leader);
	record->sample.pid = read_field(task, tgid);
	record->sample.start_ns = read_field(leader, start_boottime);
	record->sample.cgroup = cgroup_of(leader);
	record->sample.exec_id = read_field(task, self_exec_id);
	read_comm(record->sample.comm, leader);

	kernel = bpf_get_stack(ctx, record->stacks, STACK_MAX, 0);
	record->sample.kernel_bytes = kernel;
	if (kernel < 0 || kernel > STACK_MAX)
		kernel = 0;
	user = bpf_get_stack(ctx, record->stacks + kernel, STACK_MAX, BPF_F_USER_STACK);
	record->sample.user_bytes = user;
	if (user < 0 || user > STACK_MAX)
		user = 0;
	if (bpf_ringbuf_output(&samples, record, sizeof(record->sample) + kernel + user,
			       BPF_RB_NO_WAKEUP))
		count_lost(ring_full);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
