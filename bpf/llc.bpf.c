/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Last-level cache by process: counters of each CPU, read whenever it changes
 * tasks.  Exact, where sampling charges the wrong task and finds more misses
 * than references.
 */
#include "process.bpf.h"

/* The loader puts every CPU's counter in. */
#define PERF_EVENTS(map)                                                                           \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                                       \
		__uint(max_entries, 1);                                                            \
		__type(key, u32);                                                                  \
		__type(value, u32);                                                                \
	} map SEC(".maps")

PERF_EVENTS(references);
PERF_EVENTS(misses);

/* What was counted since the last look, in which time, and for how much of it the counter had
 * to make room for another. */
struct usage {
	u64 references;
	u64 misses;
	u64 on_ns;
	u64 references_off_ns;
	u64 misses_off_ns;
};

struct cpu {
	struct bpf_perf_event_value references;
	struct bpf_perf_event_value misses;
	struct usage all;
	u64 unattributed; /* references: idle, and tasks that are all but gone */
	u64 busy;
	u64 pad[3];
};
CPU_ARRAY(cpus, struct cpu);

/* Of a process, at its group leader. */
struct process {
	struct usage usage;
	u8 ended;
};
TASK_STORAGE(usages, struct process);

struct process_record {
	u64 start_ns;
	u64 cgroup;
	u64 references;
	u64 misses;
	u64 on_ns;
	u64 references_off_ns;
	u64 misses_off_ns;
	u32 pid;
	char comm[TASK_COMM_LEN];
};

/* The last record of a process, so that short-lived ones count too. */
RING_BUFFER(exits, struct process_record, 1 << 19);

/* What was counted on this CPU since the last time; false when that is not known. */
static __always_inline bool take_usage(struct cpu *cpu, struct usage *usage)
{
	struct bpf_perf_event_value now[2];
	u64 on_ns;
	bool known;

	if (bpf_perf_event_read_value(&references, BPF_F_CURRENT_CPU, &now[0], sizeof(now[0])) ||
	    bpf_perf_event_read_value(&misses, BPF_F_CURRENT_CPU, &now[1], sizeof(now[1])))
		return false;
	/* Not at the first look, nor when the events were closed and opened again. */
	known = cpu->references.enabled && now[0].enabled >= cpu->references.enabled &&
		now[0].counter >= cpu->references.counter &&
		now[1].enabled >= cpu->misses.enabled && now[1].counter >= cpu->misses.counter;
	usage->references = now[0].counter - cpu->references.counter;
	usage->misses = now[1].counter - cpu->misses.counter;
	usage->on_ns = now[0].enabled - cpu->references.enabled;
	usage->references_off_ns = usage->on_ns - (now[0].running - cpu->references.running);
	on_ns = now[1].enabled - cpu->misses.enabled;
	usage->misses_off_ns = on_ns - (now[1].running - cpu->misses.running);
	cpu->references = now[0];
	cpu->misses = now[1];
	return known;
}

/* Finds the process that `task` is charged to, NULL for the idle task and after a process's end;
 * true where there should be one and is no room.  A task that is first switched from when it is
 * exiting makes the value like any other.  One that has let go of its files, which do_exit() does
 * right after the exit hook, only finds it: made anew it would stay. */
static __always_inline bool lacks_process(struct task_struct *task, struct process **process)
{
	struct task_struct *leader = read_field(task, group_leader);

	*process = NULL;
	if (!read_field(task, pid))
		return false;
	/* Past exit_notify() another thread's leader may have been freed. */
	if (leader != task && read_field(task, exit_state))
		return false;
	if (read_field(task, flags) & PF_EXITING && !read_field(read_only(task), files)) {
		*process = find_task_value(usages, leader);
		return false;
	}
	*process = take_task_value(usages, leader);
	return !*process;
}

/* Of every process. */
static __always_inline void make_before(struct task_struct *task)
{
	if (is_made_before() && task->group_leader == task && !make_task_value(usages, task))
		count_lost(no_storage);
}
MADE_AT_BIRTH(make_before);

/* Charges what was counted on this CPU since the last time. */
static __always_inline void charge(struct cpu *cpu, struct process *process)
{
	struct usage new, *usage;

	if (!take_usage(cpu, &new))
		return;
	cpu->all.references += new.references;
	cpu->all.misses += new.misses;
	cpu->all.on_ns += new.on_ns;
	cpu->all.references_off_ns += new.references_off_ns;
	cpu->all.misses_off_ns += new.misses_off_ns;
	if (!process || process->ended) {
		cpu->unattributed += new.references;
		return;
	}
	usage = &process->usage;
	/* Threads of one process run on several CPUs at once. */
	__sync_fetch_and_add(&usage->references, new.references);
	__sync_fetch_and_add(&usage->misses, new.misses);
	__sync_fetch_and_add(&usage->on_ns, new.on_ns);
	if (new.references_off_ns)
		__sync_fetch_and_add(&usage->references_off_ns, new.references_off_ns);
	if (new.misses_off_ns)
		__sync_fetch_and_add(&usage->misses_off_ns, new.misses_off_ns);
}

/* Nothing interrupts this: the run queue is locked. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(switch__tp_btf, bool preempt, struct task_struct *prev)
{
	struct cpu *cpu = this_cpu(cpus);
	struct process *process;

	if (!cpu)
		return 0;
	if (lacks_process(prev, &process))
		count_lost(no_storage);
	charge(cpu, process);
	return 0;
}

/* Some times a second: a task that never gives way is charged too. */
SEC("?perf_event")
int flush(void *ctx)
{
	struct cpu *cpu = this_cpu(cpus);
	struct process *process;

	if (!cpu || cpu->busy)
		return 0;
	/* Where this interrupts task storage it is refused (5.13, bc235cdb423a): what was counted
	 * stays for the switch. */
	if (!lacks_process(current_task(), &process))
		charge(cpu, process);
	return 0;
}

static __always_inline void fill_record(struct process_record *record, struct task_struct *task,
					const struct process *process, bool ended)
{
	const struct usage *usage = &process->usage;

	record->start_ns = task->start_boottime;
	record->cgroup = cgroup_of(task);
	record->pid = task->tgid;
	copy_comm(record->comm, task);
	record->references = usage->references;
	record->misses = usage->misses;
	record->on_ns = usage->on_ns;
	record->references_off_ns = usage->references_off_ns;
	record->misses_off_ns = usage->misses_off_ns;
}

static __always_inline void bequeath(const struct process *from, struct process *to)
{
	to->usage = from->usage;
}

SEC("?tp_btf/sched_process_exit")
int TASK_PROG(exit__tp_btf, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct cpu *cpu = this_cpu(cpus);
	struct process *process;

	if (!cpu)
		return 0;
	/* Also of a thread that is not the last: when it is switched from, its leader is not to be
	 * found any more.  Interrupts are on here, and flush is one. */
	*(volatile u64 *)&cpu->busy = 1;
	process = make_task_value(usages, leader);
	charge(cpu, process);
	*(volatile u64 *)&cpu->busy = 0;
	if (!process)
		count_lost(no_storage);
	else if (is_group_dead(task))
		submit_exit(usages, leader, process);
	else
		hand_over(usages, task, leader, bequeath);
	return 0;
}

PROCESS_ITERATOR(usages, make_before, NULL);

char LICENSE[] SEC("license") = "GPL";
