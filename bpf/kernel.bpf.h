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

/* Alike on all kernels: what is looked for among the kernel's types costs half a ms each. */
struct list_head {
	struct list_head *next;
};

struct in6_addr {
	union {
		u32 u6_addr32[4];
	} in6_u;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int nr_threads;
	struct list_head thread_head;
	u64 sum_sched_runtime; /* of threads that ended */
	unsigned int flags;
	int group_exit_code;
	struct task_struct *group_exec_task;
};

struct signal_struct___before_5_17 {
	struct task_struct *group_exit_task;
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

struct kernfs_node {
	u64 id; /* 5.5, 67c0496e87d1: was a union */
};

struct cgroup_root {
	int hierarchy_id; /* 0 is version 2 */
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	char comm[TASK_COMM_LEN];
	unsigned int __state;
	unsigned int on_cpu; /* int before 7.2 or so; where there is more than one CPU */
	struct sched_entity se;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct list_head thread_node;
	struct signal_struct *signal;
	struct thread_info thread_info;
	void *stack;
	struct mm_struct *mm;
	struct files_struct *files;
	struct css_set *cgroups;
	void *sighand; /* NULL once its CPU time is in that of all that ended */
	int exit_state;
	int exit_code;
	u64 self_exec_id;     /* 5.7, d1e7fd6462ca: was u32 */
	void *worker_private; /* 5.17, e32cf5dfbe22: was set_child_tid */
	int *set_child_tid;
	struct task_io_accounting ioac;
	struct io_uring_task *io_uring; /* of those that used it */
	u64 start_boottime;		/* 5.5, cf25e24db61c: was real_start_time */
};

struct io_ring_ctx {
	unsigned int cached_sq_head; /* how many requests it took in */
};

struct io_uring_task {
	const struct io_ring_ctx *last; /* that the task itself handed requests to */
};

struct task_struct___before_5_14 {
	long state; /* 5.14, 2f064a59a11f: now unsigned int __state */
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
	unsigned long flags;
	struct {
		struct {
			void *rb_node;
		} rb_root;
	} i_mmap;
};

typedef struct {
	unsigned long f;
} memdesc_flags_t;

struct folio {
	memdesc_flags_t flags; /* 6.18, 53fbef56e07d: was unsigned long */
	struct address_space *mapping;
	unsigned long index;
	unsigned int _nr_pages; /* 6.16, 4996fc547f5b: was _folio_nr_pages */
};

struct folio___before_6_18 {
	unsigned long flags;
	unsigned int _folio_nr_pages;
};

/* Where there are no folios, before 5.16. */
struct page {
	unsigned long flags;
	struct address_space *mapping;
	unsigned long index;
	unsigned int compound_nr; /* in the second page of a compound one */
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
	struct gendisk *disk; /* 5.15, d152c682f03c: was request.rq_disk */
};

struct blkcg {
	struct cgroup_subsys_state css;
};

struct blkcg_gq {
	struct blkcg *blkcg;
};

struct bio {
	struct bio *bi_next;
	struct blkcg_gq *bi_blkg; /* where I/O can be limited by cgroup (CONFIG_BLK_CGROUP) */
};

struct file {
	struct address_space *f_mapping;
};

struct kiocb {
	struct file *ki_filp;
	s64 ki_pos;
};

struct blk_mq_hw_ctx {
	unsigned int queue_num;
};

struct request {
	struct request_queue *q;
	struct bio *bio;
	struct blk_mq_hw_ctx *mq_hctx;
	u32 cmd_flags;
	int tag;
	int internal_tag;
	unsigned int __data_len;
	void *part; /* NULL in requests that the disk's statistics (queue/iostats) leave out */
	u64 start_time_ns;
	u64 io_start_time_ns;
};

struct request___before_5_15 {
	struct gendisk *rq_disk;
};

struct kthread {
	void *data;
};

struct worker {
	char desc[32]; /* WORKER_DESC_LEN; was 24 before 6.10 */
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_family;
	unsigned char skc_state;
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
	u8 icsk_retransmits; /* in a row, by the timer and without an answer */
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 srtt_us; /* eighths */
	u32 rcv_nxt;
	u32 copied_seq;
	u32 write_seq;
	u32 snd_una;
};

struct socket {
	struct sock *sk;
};

struct sk_buff {
	char cb[48];
};

struct tcp_skb_cb {
	u16 tcp_gso_segs;
};

struct seq_file;

#pragma clang attribute pop

extern int LINUX_KERNEL_VERSION __kconfig;

/* To read a pointer from what a program is given: the same, but no more than readable.  Otherwise
 * the verifier asks whether that pointer is trusted too, on every path that gets there, by
 * searching the types of the whole kernel for several names: 4 ms each time on 6.18
 * (btf_nested_type_is_trusted, from 6.4 on; 6.2, a35b9af4ec2c, has the cast). */
extern void *bpf_rdonly_cast(const void *obj, u32 type) __ksym __weak;

#define READ_ONLY_SINCE KERNEL_VERSION(6, 4, 0)

#define read_only(pointer)                                                                         \
	({                                                                                         \
		typeof(pointer) __pointer = (pointer);                                             \
		if (LINUX_KERNEL_VERSION >= READ_ONLY_SINCE)                                       \
			__pointer = bpf_rdonly_cast(__pointer,                                     \
						    bpf_core_type_id_kernel(typeof(*__pointer)));  \
		__pointer;                                                                         \
	})

/* 5.11, 4cf1bc1f1045: state can be kept with a task. */
static __always_inline bool has_task_storage(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_storage_get);
}

/* Before 5.11, 3ca1032ab7ab, it is a mere address: its fields are to be had by read_field(). */
static __always_inline struct task_struct *current_task(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf();
	return (void *)bpf_get_current_task();
}

/* A field, direct where the verifier knows what it is of; else as any address. */
#define read_field(from, ...)                                                                      \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)               \
		 ? ___apply(FIELD_OF, ___narg(__VA_ARGS__))(from, __VA_ARGS__)                     \
		 : BPF_CORE_READ(from, __VA_ARGS__))
#define FIELD_OF1(from, a) ((from)->a)
#define FIELD_OF2(from, a, b) ((from)->a->b)
#define FIELD_OF3(from, a, b, c) ((from)->a->b->c)
#define FIELD_OF4(from, a, b, c, d) ((from)->a->b->c->d)

/* Of version 2, which gives each an id that no other gets: 1 is the root; 0: without cgroups. */
static __always_inline u64 cgroup_of(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->cgroups))
		return 0;
	return read_field(read_only(task), cgroups, dfl_cgrp, kn, id);
}

/* The one that a bio is for; 0 where the kernel does not say, or means one of version 1. */
static __always_inline u64 cgroup_of_bio(const struct bio *bio)
{
	struct cgroup *cgroup;

	if (!bio || !bpf_core_field_exists(bio->bi_blkg))
		return 0;
	cgroup = BPF_CORE_READ(bio, bi_blkg, blkcg, css.cgroup);
	if (!cgroup || BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	return BPF_CORE_READ(cgroup, kn, id);
}

/* A task that is switched from could go on. */
static __always_inline bool is_runnable(struct task_struct *prev)
{
	struct task_struct___before_5_14 *old = (void *)prev;

	if (bpf_core_field_exists(old->state))
		return old->state == 0;
	return prev->__state == 0;
}

/* The last thread of its process is exiting: do_exit() has already taken it off. */
static __always_inline bool is_group_dead(struct task_struct *task)
{
	return read_field(read_only(task), signal, live.counter) == 0;
}

/* The thread that executes a program, for which all others of the process `task` is of must end;
 * before 5.17 perhaps one that writes a core dump. */
static __always_inline struct task_struct *executing_thread(struct task_struct *task)
{
	struct signal_struct___before_5_17 *old = (void *)task->signal;

	if (bpf_core_field_exists(old->group_exit_task))
		return old->group_exit_task;
	return task->signal->group_exec_task;
}

/* Nothing of the process runs any more: its only thread is a zombie, or was one. */
static __always_inline bool is_gone(struct task_struct *leader)
{
	struct signal_struct *signal = read_only(leader)->signal;

	return leader->exit_state && signal->nr_threads <= 1;
}

#define PF_EXITING 0x4

#define SIGNAL_GROUP_EXIT 4

/* What wait(2) will say of the process that `leader` leads (as wait_task_zombie()). */
static __always_inline int wait_status(struct task_struct *leader)
{
	struct signal_struct *signal = read_only(leader)->signal;

	if (signal->flags & SIGNAL_GROUP_EXIT)
		return signal->group_exit_code;
	return leader->exit_code;
}

enum mapping_flags {
	AS_UNEVICTABLE = 3,
	AS_FOLIO_ORDER_MIN = 16,
};

#define HUGETLBFS_MAGIC 0x958458f6

/* Pages that are no cache of anything, though those of a regular file: hugetlbfs, memfd_secret(2),
 * the memory of KVM's confidential guests. */
static __always_inline bool is_memory(struct address_space *mapping, struct inode *inode)
{
	return mapping->flags >> bpf_core_enum_value(enum mapping_flags, AS_UNEVICTABLE) & 1 ||
	       inode->i_sb->s_magic == HUGETLBFS_MAGIC;
}

/* Whether any process maps the file. */
static __always_inline bool is_mapped(struct address_space *mapping)
{
	return BPF_CORE_READ(mapping, i_mmap.rb_root.rb_node) != NULL;
}

/* How many pages beyond its first the smallest folio of a file has: more than none where a file
 * system's blocks are larger than a page (6.12). */
static __always_inline u64 least_folio(struct address_space *mapping)
{
	u64 order;

	if (!bpf_core_enum_value_exists(enum mapping_flags, AS_FOLIO_ORDER_MIN))
		return 0;
	order = mapping->flags >> bpf_core_enum_value(enum mapping_flags, AS_FOLIO_ORDER_MIN) & 31;
	return (1ULL << order) - 1;
}

enum pageflags {
	PG_head = 6,
};

/* Pages of a folio; before 5.16 of a page, compound or not. */
static __always_inline u64 folio_pages(struct folio *folio)
{
	struct folio___before_6_18 *old = (void *)folio;
	struct page *page = (void *)folio;
	unsigned long flags;

	if (bpf_core_field_exists(folio->flags.f))
		flags = folio->flags.f;
	else if (bpf_core_type_exists(struct folio))
		flags = old->flags;
	else
		flags = page->flags;
	if (!(flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1))
		return 1;
	if (bpf_core_field_exists(folio->_nr_pages))
		return folio->_nr_pages;
	if (bpf_core_field_exists(old->_folio_nr_pages))
		return old->_folio_nr_pages;
	return BPF_CORE_READ(page + 1, compound_nr);
}

static __always_inline struct address_space *folio_mapping(struct folio *folio)
{
	if (bpf_core_type_exists(struct folio))
		return folio->mapping;
	return ((struct page *)folio)->mapping;
}

static __always_inline u64 folio_index(struct folio *folio)
{
	if (bpf_core_type_exists(struct folio))
		return folio->index;
	return ((struct page *)folio)->index;
}

/* What a kernel thread keeps of itself; of no other task. */
static __always_inline struct kthread *kthread_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->worker_private))
		return read_field(task, worker_private);
	return (struct kthread *)read_field(task, set_child_tid);
}

static __always_inline struct gendisk *disk_of(struct request *rq)
{
	struct request___before_5_15 *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return old->rq_disk;
	return read_only(rq)->q->disk;
}

#endif
