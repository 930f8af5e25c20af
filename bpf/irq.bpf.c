/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hard interrupts: time in the handlers of each line, and in x86's system vectors.  On arm64 the
 * timer is a line like any other, and so are the interrupts between processors. */
#include "histogram.bpf.h"

#define LINES 128 /* handlers that one CPU can tell apart, a power of two */
#define PROBES 16
#define SLOTS 18 /* log2 from 256 ns up to 16.8 ms and above */
#define NAME_LEN 40

/* Of x86.  In the order of VECTORS in ktop/panes/hardirqs.py. */
enum vector {
	LOCAL_TIMER,
	RESCHEDULE,
	CALL_FUNCTION,
	CALL_FUNCTION_SINGLE,
	IRQ_WORK,
	VECTORS,
};

/* One handler on one CPU: two cache lines.  How often it ran is the sum of its slots. */
struct line {
	u64 action;
	u32 irq;
	u32 pad;
	u64 handled_ns;
	u64 futile_ns; /* of calls for the interrupt of another device on a shared line */
	struct interval_max max;
	u32 slots[SLOTS];
};

/* What one CPU did.  The lines are an open-addressed hash by IRQ: numbers go
 * into the thousands on large hosts, but each CPU serves few of them. */
struct interrupts {
	u64 entered; /* since when a handler runs, 0: none does */
	u64 outer;   /* since when one runs that called it, or that it interrupted */
	u64 reason;  /* arm64: what the other processor wants, a string; 0 in other interrupts */
	u64 pad[13];
	struct line lines[LINES + VECTORS];
};
CPU_ARRAY(interrupts, struct interrupts);

struct name_key {
	u64 action;
	u32 irq;
	u32 pad;
};

struct name {
	char text[NAME_LEN];
	u64 is_ipi; /* of arm64: the text is what it is for */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Lines of a host with 24 disks and 128 CPUs: 3,096.  More by ktop/kernel/expected.py. */
	__uint(max_entries, 4096);
	__type(key, struct name_key);
	__type(value, struct name);
} names SEC(".maps");

static __always_inline void remember_name(u32 irq, struct irqaction *action, u64 reason)
{
	struct name_key key = {.action = (u64)action, .irq = irq};
	struct name name = {.is_ipi = reason != 0};

	bpf_probe_read_kernel_str(name.text, sizeof(name.text),
				  reason ? (void *)reason : BPF_CORE_READ(action, name));
	/* Without room the line has no name, but all its figures. */
	bpf_map_update_elem(&names, &key, &name, BPF_ANY);
}

static __noinline struct line *place_line(struct interrupts *cpu, u32 irq, struct irqaction *action)
{
	if (!cpu || !action)
		return NULL;
	for (u32 i = 0; i < PROBES; i++) {
		struct line *line = &cpu->lines[(irq + i) & (LINES - 1)];

		if (line->action == (u64)action && line->irq == irq)
			return line;
		if (!line->action) {
			line->irq = irq;
			line->action = (u64)action;
			remember_name(irq, action, cpu->reason);
			return line;
		}
	}
	count_lost(map_full);
	return NULL;
}

/* A driver that is loaded anew brings a new action, so a name is never another's.  The first place
 * is looked at apart: with the search in line every interrupt took 18 ns more (measured). */
static __always_inline struct line *find_line(struct interrupts *cpu, u32 irq,
					      struct irqaction *action)
{
	struct line *line = &cpu->lines[irq & (LINES - 1)];

	if (line->action == (u64)action && line->irq == irq)
		return line;
	return place_line(cpu, irq, action);
}

static __always_inline int handle_entry(void)
{
	struct interrupts *cpu = this_cpu(interrupts);

	if (cpu) {
#if defined(__TARGET_ARCH_arm64)
		cpu->reason = 0;
#endif
		cpu->outer = cpu->entered;
		cpu->entered = bpf_ktime_get_ns();
	}
	return 0;
}

#define NEVER (~0ULL)
#define LONGEST (1ULL << 33) /* the kernel calls 10 s without a timer a lockup */

/* Handlers run with interrupts off; but that of a controller calls others (vmd, pinctrl-amd), and
 * arm64's pseudo-NMIs come in between.  Their time is not the outer one's.  NEVER without a start
 * (entered before the programs were attached), when there is nothing to count, and with one whose
 * end no program saw. */
static __always_inline u64 time_inside(struct interrupts *cpu)
{
	u64 entered = cpu->entered, outer = cpu->outer, ns;

	if (!entered)
		return NEVER;
	ns = bpf_ktime_get_ns() - entered;
	cpu->entered = outer ? outer + ns : 0;
	cpu->outer = 0;
	return ns < LONGEST ? ns : NEVER;
}

static __always_inline void add_handled(struct line *line, u64 ns)
{
	u64 slot = log2_u64(ns >> 7);

	if (slot >= SLOTS)
		slot = SLOTS - 1;
	line->slots[slot]++;
	line->handled_ns += ns;
	update_max(&line->max, ns);
}

/* Programs are attached in the order of this file: an entry whose exit nobody sees would be taken
 * for one that others nest in, and an exit before the reason would name a line without it. */
SEC("?tp_btf/irq_handler_exit")
int BPF_PROG(exit__tp_btf, int irq, struct irqaction *action, int ret)
{
	struct interrupts *cpu = this_cpu(interrupts);
	struct line *line;
	u64 ns;

	if (!cpu)
		return 0;
	ns = time_inside(cpu);
	if (ns == NEVER)
		return 0;
	line = find_line(cpu, irq, action);
	if (!line)
		return 0;
	/* On a shared line every handler is called, whichever device it was. */
	if (ret == IRQ_NONE)
		line->futile_ns += ns;
	else
		add_handled(line, ns);
	return 0;
}

#if defined(__TARGET_ARCH_arm64)
/* 5.10, 56afcd3dbd19: within the handler of an interrupt, whose action is called "IPI" whatever
 * it is for. */
SEC("?tp_btf/ipi_entry")
int BPF_PROG(reason__tp_btf, const char *reason)
{
	struct interrupts *cpu = this_cpu(interrupts);

	if (cpu)
		cpu->reason = (u64)reason;
	return 0;
}
#endif

SEC("?tp_btf/irq_handler_entry")
int entry__tp_btf(void *ctx)
{
	return handle_entry();
}

#if defined(__TARGET_ARCH_x86)
static __always_inline int handle_vector_exit(enum vector vector)
{
	struct interrupts *cpu = this_cpu(interrupts);
	u64 ns;

	if (!cpu)
		return 0;
	ns = time_inside(cpu);
	if (ns != NEVER)
		add_handled(&cpu->lines[LINES + vector], ns);
	return 0;
}

#define SYSTEM_VECTOR(name, vector)                                                                \
	SEC("?tp_btf/" #name "_exit")                                                              \
	int name##_exit__tp_btf(void *ctx)                                                         \
	{                                                                                          \
		return handle_vector_exit(vector);                                                 \
	}                                                                                          \
	SEC("?tp_btf/" #name "_entry")                                                             \
	int name##_entry__tp_btf(void *ctx)                                                        \
	{                                                                                          \
		return handle_entry();                                                             \
	}

SYSTEM_VECTOR(local_timer, LOCAL_TIMER)
SYSTEM_VECTOR(reschedule, RESCHEDULE)
SYSTEM_VECTOR(call_function, CALL_FUNCTION)
SYSTEM_VECTOR(call_function_single, CALL_FUNCTION_SINGLE)
SYSTEM_VECTOR(irq_work, IRQ_WORK)
#endif

char LICENSE[] SEC("license") = "GPL";
