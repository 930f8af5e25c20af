/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel types that the programs touch, and nothing more of them: CO-RE
 * relocates every access by name, so neither order nor completeness matters.
 * Every difference between kernels is here, in one accessor each.
 */
#ifndef KTOP_KERNEL_BPF_H
#define KTOP_KERNEL_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)
#define TASK_COMM_LEN 16
#define IRQ_NONE 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
	struct task_struct *group_exec_task; /* 5.17, 60700e38fb68: was group_exit_task */
};

struct thread_info {
	unsigned long flags;
	u32 status; /* x86 */
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bx;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
#endif

struct task_io_accounting {
	u64 syscr;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	char comm[TASK_COMM_LEN];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	struct thread_info thread_info;
	struct mm_struct *mm;
	int exit_code;
	u64 self_exec_id;     /* 5.7, d1e7fd6462ca: was u32 */
	void *worker_private; /* 5.17: was set_child_tid */
	struct task_io_accounting ioac;
	u64 start_boottime; /* 5.5, cf25e24db61c: was real_start_time */
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	s64 i_size;
};

struct address_space {
	struct inode *host;
};

typedef struct {
	unsigned long f;
} memdesc_flags_t;

struct folio {
	memdesc_flags_t flags; /* 6.18, 53fbef56e07d: was unsigned long */
	struct address_space *mapping;
	unsigned int _nr_pages;
};

struct irqaction {
	const char *name;
};

struct gendisk {
	int major;
	int first_minor;
	char disk_name[32];
};

struct request_queue {
	struct gendisk *disk; /* was request.rq_disk in 5.10 */
};

struct blk_mq_hw_ctx {
	unsigned int queue_num;
};

struct request {
	struct request_queue *q;
	struct blk_mq_hw_ctx *mq_hctx;
	u32 cmd_flags;
	int tag;
	int internal_tag;
	unsigned int __data_len;
	u64 start_time_ns;
	u64 io_start_time_ns;
};

struct kthread {
	void *data;
};

struct worker {
	char desc[32]; /* WORKER_DESC_LEN; was 24 before 6.10 */
};

struct in6_addr {
	union {
		u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	u16 sk_type;
};

struct inet_sock {
	u16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 srtt_us; /* eighths */
};

struct sk_buff {
	char cb[48];
};

struct tcp_skb_cb {
	u16 tcp_gso_segs;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

/* The last thread of its process is exiting: do_exit() has already taken it off. */
static __always_inline bool is_group_dead(struct task_struct *task)
{
	return BPF_CORE_READ(task, signal, live.counter) == 0;
}

/* A thread calls exec and waits for the others, the leader too, to go (de_thread()). */
static __always_inline bool is_exec_waiting(struct task_struct *task)
{
	return bpf_core_field_exists(task->signal->group_exec_task) &&
	       BPF_CORE_READ(task, signal, group_exec_task);
}

/* What wait(2) will say of the process that `leader` leads (as wait_task_zombie()). */
#define SIGNAL_GROUP_EXIT 4
static __always_inline int wait_status(struct task_struct *leader)
{
	if (BPF_CORE_READ(leader, signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(leader, signal, group_exit_code);
	return leader->exit_code;
}

/* The path that execve(2) or execveat(2) was called with, 32-bit callers' too; NULL of any other
 * call.  In user space: raw tracepoints of system calls see all of them. */
static __always_inline const char *exec_path(struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	if (task->thread_info.status & 2) /* TS_COMPAT */
		switch ((u32)regs->orig_ax) {
		case 11:
			return (void *)(u64)(u32)regs->bx;
		case 358:
			return (void *)(u64)(u32)regs->cx;
		default:
			return NULL;
		}
	switch (regs->orig_ax) {
	case 59:
		return (void *)regs->di;
	case 322:
		return (void *)regs->si;
	}
#elif defined(__TARGET_ARCH_arm64)
	bool compat = task->thread_info.flags & 1 << 22; /* TIF_32BIT */

	if (regs->syscallno == (compat ? 11 : 221))
		return (void *)regs->orig_x0;
	if (regs->syscallno == (compat ? 387 : 281))
		return (void *)regs->regs[1];
#endif
	return NULL;
}

enum pageflags {
	PG_head = 6,
};

/* Pages of a folio. */
static __always_inline u64 folio_pages(struct folio *folio)
{
	if (!(folio->flags.f >> bpf_core_enum_value(enum pageflags, PG_head) & 1))
		return 1;
	return folio->_nr_pages;
}

/* read(2) and its like that the task has ended; 0 where the kernel does not count them. */
static __always_inline u64 read_calls(struct task_struct *task)
{
	return bpf_core_field_exists(task->ioac.syscr) ? task->ioac.syscr : 0;
}

/* The bytes that read(2) or pread64(2) was called with; 0 in any other call and of 32-bit ones. */
static __always_inline u64 read_size(struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	if ((regs->orig_ax == 0 || regs->orig_ax == 17) && !(task->thread_info.status & 2))
		return regs->dx;
#elif defined(__TARGET_ARCH_arm64)
	if ((regs->syscallno == 63 || regs->syscallno == 67) &&
	    !(task->thread_info.flags & 1 << 22)) /* TIF_32BIT */
		return regs->regs[2];
#endif
	return 0;
}

/* What a task does to the file whose pages it brings into memory. */
enum file_call {
	CALL_READ, /* or anything that is not below */
	CALL_WRITE,
	CALL_EITHER, /* sendfile, splice, copy_file_range, io_uring_enter, io_submit */
	NO_CALL,     /* a fault */
};

/* clang-format off */
/* The numbers are of write, pwrite64, writev, pwritev, pwritev2, fallocate, truncate, ftruncate
 * (32-bit: and the 64-bit sizes of these), then those of CALL_EITHER. */
static __always_inline enum file_call file_call(struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	if ((s32)regs->orig_ax == -1)
		return NO_CALL;
	if (task->thread_info.status & 2) /* TS_COMPAT */
		switch ((u32)regs->orig_ax) {
		case 4: case 181: case 146: case 334: case 379: case 324:
		case 92: case 93: case 193: case 194:
			return CALL_WRITE;
		case 187: case 239: case 313: case 377: case 426: case 248:
			return CALL_EITHER;
		default:
			return CALL_READ;
		}
	switch ((u32)regs->orig_ax) {
	case 1: case 18: case 20: case 296: case 328: case 285: case 76: case 77:
		return CALL_WRITE;
	case 40: case 275: case 326: case 426: case 209:
		return CALL_EITHER;
	}
#elif defined(__TARGET_ARCH_arm64)
	if (regs->syscallno == -1)
		return NO_CALL;
	if (task->thread_info.flags & 1 << 22) /* TIF_32BIT */
		switch (regs->syscallno) {
		case 4: case 181: case 146: case 362: case 393: case 352:
		case 92: case 93: case 193: case 194:
			return CALL_WRITE;
		case 187: case 239: case 340: case 391: case 426: case 246:
			return CALL_EITHER;
		default:
			return CALL_READ;
		}
	switch (regs->syscallno) {
	case 64: case 68: case 66: case 70: case 287: case 47: case 45: case 46:
		return CALL_WRITE;
	case 71: case 76: case 285: case 426: case 2:
		return CALL_EITHER;
	}
#endif
	return CALL_READ;
}
/* clang-format on */

#endif
