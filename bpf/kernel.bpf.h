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

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	char comm[TASK_COMM_LEN];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	u64 start_boottime; /* 5.5, cf25e24db61c: was real_start_time */
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

#pragma clang attribute pop

/* The last thread of its process is exiting: do_exit() has already taken it off. */
static __always_inline bool is_group_dead(struct task_struct *task)
{
	return BPF_CORE_READ(task, signal, live.counter) == 0;
}

#endif
