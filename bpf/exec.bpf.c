/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are started: by whom, with which arguments, how they end; on demand, what fails. */
#include "storage.bpf.h"
#include "syscall.bpf.h"

#define ARGS_MAX 4096 /* a power of two */

enum kind {
	EXEC,
	FAILED,
	REPLACED,
	EXIT,
};

/* Who executes, and whose child that is: at that time, for the parent may not outlive it. */
struct caller {
	u64 cgroup;
	u64 parent_start_ns;
	u32 ppid;
	u32 uid;
	char comm[TASK_COMM_LEN];
	char parent_comm[TASK_COMM_LEN];
};

struct event {
	u64 start_ns; /* of the process, since boot */
	u64 exec_ns;  /* with the PID, which exec this speaks of */
	u64 end_ns;   /* REPLACED and EXIT */
	u32 pid;
	s32 code; /* EXIT: as in wait(2); FAILED: -errno */
	struct caller caller;
	u8 kind;
	u8 truncated;
	u8 unread; /* the arguments could not be read */
	u8 pad[5];
	/* EXEC: the arguments as in /proc/PID/cmdline; FAILED: the path */
};
RING_BUFFER(events, struct event, 1 << 20);

struct scratch {
	struct event event;
	char args[ARGS_MAX];
};

/* Too long for the stack.  Used with preemption off, so one a CPU will do. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Of a process, known by its group leader: its last exec, of which the end is to be told. */
struct mark {
	u64 exec_ns;
	struct caller caller;
	u8 truncated;
	u8 pad[7];
};

/* More than are shown.  Not task storage: for two looks in a process's life that costs more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct task_key);
	__type(value, struct mark);
} _marks SEC(".maps");

static __always_inline struct scratch *take_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline void fill_event(struct event *event, struct task_struct *task, u8 kind)
{
	event->start_ns = read_field(read_only(task), group_leader, start_boottime);
	event->end_ns = 0;
	event->pid = read_field(task, tgid);
	event->code = 0;
	event->kind = kind;
	event->unread = 0;
}

/* `task` is the current one.  What it was itself before is no parent: neither of a shell's exec. */
static __always_inline void fill_caller(struct caller *caller, struct task_struct *task)
{
	struct task_struct *parent = read_field(read_only(task), real_parent, group_leader);

	caller->cgroup = cgroup_of(task);
	caller->uid = bpf_get_current_uid_gid();
	copy_comm(caller->comm, task);
	caller->ppid = read_field(parent, tgid);
	caller->parent_start_ns = read_field(parent, start_boottime);
	copy_comm(caller->parent_comm, parent);
}

static __always_inline void send(const void *record, u64 size)
{
	if (bpf_ringbuf_output(&events, (void *)record, size, BPF_RB_NO_WAKEUP))
		count_lost(ring_full);
}

/* Tells of the exec that `mark` is of that it is over. */
static __always_inline void send_end(struct task_struct *task, const struct mark *mark, u8 kind,
				     s32 code, u64 now)
{
	struct event event = {};

	fill_event(&event, task, kind);
	event.exec_ns = mark->exec_ns;
	event.end_ns = now;
	event.caller = mark->caller;
	event.truncated = mark->truncated;
	event.code = code;
	send(&event, sizeof(event));
}

/* The new stack has them in one piece, just written and so resident. */
static __always_inline u32 read_args(struct scratch *record, struct task_struct *task)
{
	struct mm_struct *mm = read_only(task)->mm;
	u64 start, size;

	record->event.truncated = 0;
	if (!mm)
		return 0;
	start = mm->arg_start;
	size = mm->arg_end - start;
	if (size > ARGS_MAX) {
		record->event.truncated = 1;
		size = ARGS_MAX;
	}
	if (bpf_probe_read_user(record->args, size, (void *)start)) {
		record->event.unread = 1;
		return 0;
	}
	return size;
}

SEC("?tp_btf/sched_process_exec")
int TASK_PROG(exec__tp_btf, struct task_struct *task)
{
	struct scratch *record = take_scratch();
	u64 now = bpf_ktime_get_boot_ns();
	struct mark *replaced, mark = {.exec_ns = now};
	struct task_key key;
	u32 size;

	if (!record)
		return 0;
	/* exec has made the calling thread the leader, whichever it was, with the old one's PID and
	 * start. */
	fill_task_key(&key, task);
	replaced = bpf_map_lookup_elem(&_marks, &key);
	if (replaced)
		send_end(task, replaced, REPLACED, 0, now);

	fill_event(&record->event, task, EXEC);
	fill_caller(&record->event.caller, task);
	record->event.exec_ns = now;
	size = read_args(record, task);
	if (size <= ARGS_MAX) /* for the verifier */
		send(record, sizeof(record->event) + size);

	mark.caller = record->event.caller;
	mark.truncated = record->event.truncated;
	if (bpf_map_update_elem(&_marks, &key, &mark, BPF_ANY))
		count_lost(map_full); /* its end will not be told */
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int TASK_PROG(exit__tp_btf, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct task_key key;
	struct mark *mark;

	if (!is_group_dead(task))
		return 0;
	fill_task_key(&key, leader);
	mark = bpf_map_lookup_elem(&_marks, &key);
	if (!mark)
		return 0;
	send_end(leader, mark, EXIT, wait_status(leader), bpf_ktime_get_boot_ns());
	bpf_map_delete_elem(&_marks, &key);
	return 0;
}

static __always_inline void send_failed(struct task_struct *task, const char *path, long error)
{
	struct scratch *record = take_scratch();
	long size;

	if (!record)
		return;
	fill_event(&record->event, task, FAILED);
	fill_caller(&record->event.caller, task);
	record->event.exec_ns = bpf_ktime_get_boot_ns();
	record->event.code = error;
	record->event.truncated = 0;
	size = bpf_probe_read_user_str(record->args, ARGS_MAX, path);
	if (size < 0) {
		record->event.unread = 1;
		size = 0;
	}
	if (size <= ARGS_MAX)
		send(record, sizeof(record->event) + size);
}

/* Slows every system call of every process while it is attached, so preemption is off
 * for few of them only.  6.13, a363d27cdbc2, has such programs preempted. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(failed__tp_btf, struct pt_regs *regs, long ret)
{
	struct task_struct *task;
	const char *path;

	if (ret >= 0)
		return 0;
	task = current_task();
	path = exec_path(task, regs);
	if (!path)
		return 0;
	disable_preemption(KERNEL_VERSION(6, 13, 0));
	send_failed(task, path, ret);
	enable_preemption(KERNEL_VERSION(6, 13, 0));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
