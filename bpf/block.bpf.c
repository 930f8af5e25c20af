/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block I/O by the process that submitted it.  A request is remembered when its
 * first bio comes in, in the context of the submitter, and charged when it is
 * complete.  Later bios merged into it, of whatever process, count as the first's.
 */
#include "histogram.bpf.h"

#define SLOTS 264 /* log-linear in ns, up to 2^35 ns = 34 s */
#define DISK_NAME_LEN 32
#define PF_WQ_WORKER 0x00000020

#define REQ_OP_MASK 0xff
enum req_op {
	REQ_OP_READ = 0,
	REQ_OP_FLUSH = 2,
	REQ_OP_DISCARD = 3,
	REQ_OP_SECURE_ERASE = 5,
	REQ_OP_OF_DRIVERS = 32, /* and on */
};

/* What completed on one CPU, whoever submitted it. */
struct totals {
	u64 flushes;
	u64 discards;
	u64 issuers_made; /* entries of `issuers`: those it has no more were evicted */
	u64 unplaced;	  /* no room among them */
	u64 pad[3];
	u64 slots[SLOTS];
};
CPU_ARRAY(totals, struct totals);

/* Who submitted a request; `request` is 0 while there is none. */
struct submission {
	u64 request;
	u64 start_ns;
	u64 cgroup;
	u32 pid;
	u32 pad;
	char comm[TASK_COMM_LEN];
};

#define SUBMISSION_BITS 14
#define SUBMISSIONS (1 << SUBMISSION_BITS)
#define WAYS 8

/* In flight, placed by tag: a hash map by pointer costs 110 ns more an I/O (measured). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SUBMISSIONS);
	__type(key, u32);
	__type(value, struct submission);
} _in_flight SEC(".maps");

struct issuer_key {
	u64 start_ns;
	u32 pid;
	u32 dev;
};

struct issuer {
	u64 read_ops;
	u64 write_ops;
	u64 read_bytes;
	u64 write_bytes;
	u64 total_ns;
	u64 queue_ns;
	u64 unqueued_ops; /* those of which `queue_ns` is not known */
	u64 errors;
	u64 cgroup;
	struct interval_max max;
	char comm[TASK_COMM_LEN];
	char disk[DISK_NAME_LEN];
	u32 slots[LOG2_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096); /* who did I/O long ago stays, and is read each time */
	__type(key, struct issuer_key);
	__type(value, struct issuer);
} issuers SEC(".maps");

static __always_inline bool is_read(u32 op)
{
	return op == REQ_OP_READ;
}

static __always_inline bool is_discard(u32 op)
{
	return op == REQ_OP_DISCARD || op == REQ_OP_SECURE_ERASE;
}

/* As op_is_write(), and /proc/diskstats; the numbers of some are not the same on all kernels. */
static __always_inline bool is_write(u32 op)
{
	return op & 1 && !is_discard(op) && op < REQ_OP_OF_DRIVERS;
}

static __always_inline u32 disk_number(struct request *rq)
{
	struct gendisk *disk = disk_of(rq);

	return disk->major << 20 | disk->first_minor;
}

/* A hash of what is a request's own while it is in flight.  The scheduler's tag lasts as long as
 * the request, the driver's only while issued. */
static __always_inline u32 first_place(struct request *rq, u32 dev)
{
	u32 tag = rq->internal_tag >= 0 ? rq->internal_tag : rq->tag;
	u32 own = tag + (read_only(rq)->mq_hctx->queue_num << 10) + dev * 0x85ebca6b;

	return own * 0x9e3779b1 >> (32 - SUBMISSION_BITS);
}

/*
 * The place of a request in flight or, where `or_free`, one that it can take.
 * Half full, two of a thousand have no room (simulated, of 128 queues).  Two CPUs
 * that take one place at the same instant lose one request; too rare to lock for.
 */
static __always_inline struct submission *find_submission(struct request *rq, u32 first,
							  bool or_free)
{
	for (u32 i = 0; i < WAYS; i++) {
		u32 place = (first ^ i) & (SUBMISSIONS - 1);
		struct submission *submission = bpf_map_lookup_elem(&_in_flight, &place);

		if (!submission)
			return NULL;
		if (submission->request == (u64)rq || (or_free && !submission->request))
			return submission;
	}
	return NULL;
}

static __noinline struct issuer *make_issuer(const struct issuer_key *key, struct request *rq,
					     struct totals *host)
{
	struct issuer *issuer, new = {};

	bpf_probe_read_kernel_str(new.disk, sizeof(new.disk), disk_of(rq)->disk_name);
	/* Another CPU may be first: -EEXIST, and its element is as good. */
	if (!bpf_map_update_elem(&issuers, key, &new, BPF_NOEXIST))
		__sync_fetch_and_add(&host->issuers_made, 1);
	issuer = bpf_map_lookup_elem(&issuers, key);
	if (!issuer)
		__sync_fetch_and_add(&host->unplaced, 1);
	return issuer;
}

/* When it was submitted; 0 where that is not kept: what stands there, from 6.13 on, is of a request
 * before. */
static __always_inline u64 submitted_ns(struct request *rq)
{
	return read_only(rq)->part ? rq->start_time_ns : 0;
}

#define UNKNOWN (~0ULL)

/*
 * Time in the device.  The kernel stamps the issue for its own statistics (wbt,
 * iocost, bfq, kyber), of a plugged batch with the time that the batch began;
 * queues without them only have the time of submission, or UNKNOWN.  A program on
 * block_rq_issue would be exact, and cost as much as one of these two.
 */
static __always_inline u64 device_ns(struct request *rq)
{
	u64 since = rq->io_start_time_ns ?: submitted_ns(rq);
	s64 spent = bpf_ktime_get_ns() - since;

	if (!since)
		return UNKNOWN;
	return spent > 0 ? spent : 0;
}

/* Time between the two, in the scheduler's queue: what a disk takes for others. */
static __always_inline void charge_queue(struct issuer *issuer, struct request *rq)
{
	u64 since = submitted_ns(rq), until = rq->io_start_time_ns;

	if (!since || !until)
		__sync_fetch_and_add(&issuer->unqueued_ops, 1);
	else if (until > since) /* else a batch began before it */
		__sync_fetch_and_add(&issuer->queue_ns, until - since);
}

static __always_inline void charge(struct issuer *issuer, bool read, u32 bytes, bool whole)
{
	if (read) {
		__sync_fetch_and_add(&issuer->read_bytes, bytes);
		__sync_fetch_and_add(&issuer->read_ops, whole);
	} else {
		__sync_fetch_and_add(&issuer->write_bytes, bytes);
		__sync_fetch_and_add(&issuer->write_ops, whole);
	}
}

static __always_inline void charge_time(struct issuer *issuer, u64 ns, u64 slot)
{
	if (slot < LOG2_SLOTS)
		__sync_fetch_and_add(&issuer->slots[slot], 1);
	__sync_fetch_and_add(&issuer->total_ns, ns);
	update_max(&issuer->max, ns);
}

static __always_inline int handle_complete(struct request *rq, bool failed, u32 bytes)
{
	u32 op = rq->cmd_flags & REQ_OP_MASK, first;
	struct totals *host = this_cpu(totals);
	struct submission *submission;
	struct issuer_key key = {};
	struct issuer *issuer;
	u64 ns = UNKNOWN, slot = 0;
	bool whole;

	key.dev = disk_number(rq);
	first = first_place(rq, key.dev);
	if (!host)
		return 0;
	if (op == REQ_OP_FLUSH)
		__sync_fetch_and_add(&host->flushes, 1);
	if (is_discard(op))
		__sync_fetch_and_add(&host->discards, 1);
	/* A write with a flush completes once more, with nothing, when that has ended. */
	if (!bytes || (!is_read(op) && !is_write(op)))
		return 0;
	submission = find_submission(rq, first, false);
	if (!submission) /* submitted before this program was there */
		return 0;
	whole = bytes >= rq->__data_len; /* drivers may complete a request in parts */
	if (whole)
		ns = device_ns(rq);
	if (ns != UNKNOWN) {
		slot = log_linear_slot(ns, SLOTS);
		if (slot < SLOTS)
			__sync_fetch_and_add(&host->slots[slot], 1);
	}
	key.pid = submission->pid;
	key.start_ns = submission->start_ns;
	issuer = bpf_map_lookup_elem(&issuers, &key);
	if (!issuer)
		issuer = make_issuer(&key, rq, host);
	if (issuer) {
		issuer->cgroup = submission->cgroup;
		__builtin_memcpy(issuer->comm, submission->comm, TASK_COMM_LEN);
		charge(issuer, is_read(op), bytes, whole);
		if (ns != UNKNOWN) {
			charge_time(issuer, ns, log2_slot_of(slot));
			charge_queue(issuer, rq);
		}
		if (failed)
			__sync_fetch_and_add(&issuer->errors, 1);
	}
	if (whole)
		submission->request = 0;
	return 0;
}

/* A request that was merged into another never completes. */
static __always_inline int handle_merge(struct request *rq)
{
	struct submission *submission =
		find_submission(rq, first_place(rq, disk_number(rq)), false);

	if (submission)
		submission->request = 0;
	return 0;
}

SEC("?tp_btf/block_rq_merge")
int TASK_PROG(merge__tp_btf, struct request *rq)
{
	return handle_merge(rq);
}

/* The second argument was an errno until 5.16; 0 is well in both.  Before the others in this file,
 * so attached before them: requests that complete meanwhile would look as if they never had. */
SEC("?tp_btf/block_rq_complete")
int TASK_PROG(complete__tp_btf, struct request *rq, u32 error, u32 bytes)
{
	return handle_complete(rq, error != 0, bytes);
}

static __always_inline bool is_flusher(const char *desc)
{
	for (u32 i = 0; i < sizeof("flush-") - 1; i++)
		if (desc[i] != "flush-"[i])
			return false;
	return true;
}

/*
 * I/O of a workqueue is somebody's, but nobody knows whose; at most of which cgroup: of dirty
 * pages, and of what a limit held up (blk_throtl_dispatch_work_fn()).  Its workers are all pid 0
 * and named after the queue; `(writeback)` is that of dirty pages.
 */
static __noinline int submit_by_worker(struct submission *submission, struct task_struct *task,
				       const struct bio *bio)
{
	char desc[TASK_COMM_LEN] __attribute__((aligned(8))) = "kworker", *comm;
	struct kthread *kthread;
	struct worker *worker;
	u64 length;

	if (!submission || !task)
		return 0;
	kthread = kthread_of(task);
	worker = BPF_CORE_READ(kthread, data);
	/* "flush-" and the device in wb_workfn(), everywhere else the queue's name. */
	bpf_probe_read_kernel_str(desc, sizeof(desc) - 2, worker->desc);
	if (is_flusher(desc))
		__builtin_memcpy(desc, "writeback", sizeof("writeback"));
	submission->pid = 0;
	submission->cgroup = cgroup_of_bio(bio) ?: cgroup_of(task);
	/* Tells the queues apart, and for whom they work. */
	submission->start_ns = *(u64 *)desc + submission->cgroup * 0x9e3779b97f4a7c15;
	comm = submission->comm;
	/* What stood there before may be longer. */
	__builtin_memset(comm, 0, TASK_COMM_LEN);
	comm[0] = '(';
	length = bpf_probe_read_kernel_str(comm + 1, TASK_COMM_LEN - 2, desc);
	/* Verifiers before 6.15 look at each use of a register alone. */
	barrier_var(length);
	if (length < TASK_COMM_LEN - 1) {
		comm[length] = ')';
		comm[length + 1] = 0;
	}
	return 0;
}

/* Either the request is known or its first bio. */
static __always_inline int set_submitter(struct submission *submission, struct request *rq,
					 const struct bio *bio)
{
	struct task_struct *task = current_task();

	if (read_field(task, flags) & PF_WQ_WORKER)
		return submit_by_worker(submission, task, rq ? read_only(rq)->bio : bio);
	task = read_field(task, group_leader);
	submission->pid = read_field(task, pid);
	submission->start_ns = read_field(task, start_boottime);
	submission->cgroup = cgroup_of(task);
	copy_comm(submission->comm, task);
	return 0;
}

/* A flush is a write of nothing until it is split off (blk_insert_flush()). */
static __always_inline bool moves_data(struct request *rq)
{
	u32 op = rq->cmd_flags & REQ_OP_MASK;

	return (is_read(op) || is_write(op)) && rq->__data_len;
}

static __always_inline struct submission *make_submission(struct request *rq)
{
	struct submission *submission = find_submission(rq, first_place(rq, disk_number(rq)), true);

	if (!submission) {
		count_lost(map_full);
		return NULL;
	}
	/* Its last use never ended?  Seen on 6.18 in a virtual machine: while one task of the
	 * hypervisor's agent ran no program did, in interrupts neither, and no miss was counted. */
	if (submission->request)
		count_lost(missed);
	submission->request = (u64)rq;
	return submission;
}

static __always_inline int handle_start(struct request *rq)
{
	struct submission *submission = moves_data(rq) ? make_submission(rq) : NULL;

	return submission ? set_submitter(submission, rq, NULL) : 0;
}

/* 6.5, 5a80bd075f3b: the one hook in the submitter's context that has the request. */
SEC("?tp_btf/block_io_start")
int TASK_PROG(start__tp_btf, struct request *rq)
{
	return handle_start(rq);
}

/* The same, inlined from 5.17 on (450b7879e345). */
SEC("?fentry/blk_account_io_start")
int BPF_PROG(start__fentry, struct request *rq)
{
	return handle_start(rq);
}

/*
 * Between those two nothing tells of a request in its submitter's context; but
 * of the bio that it is made for.  When it is issued, that bio is still its
 * first, but for those that were merged in front of it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SUBMISSIONS);
	__type(key, u64);
	__type(value, struct submission);
} _bios SEC(".maps");

#define FRONT_MERGES_MAX 8

static __always_inline int handle_bio(struct bio *bio)
{
	struct submission submission = {};
	u64 key = (u64)bio;

	set_submitter(&submission, NULL, bio);
	if (bpf_map_update_elem(&_bios, &key, &submission, BPF_ANY))
		count_lost(map_full);
	return 0;
}

static __always_inline int handle_issue(struct request *rq)
{
	struct bio *bio = moves_data(rq) ? rq->bio : NULL;
	struct submission *by_bio, *submission;
	u64 key;

	for (u32 i = 0; i < FRONT_MERGES_MAX && bio; i++) {
		key = (u64)bio;
		by_bio = bpf_map_lookup_elem(&_bios, &key);
		if (by_bio) {
			submission = make_submission(rq);
			if (submission) {
				submission->pid = by_bio->pid;
				submission->start_ns = by_bio->start_ns;
				submission->cgroup = by_bio->cgroup;
				__builtin_memcpy(submission->comm, by_bio->comm, TASK_COMM_LEN);
			}
			bpf_map_delete_elem(&_bios, &key);
			return 0;
		}
		bio = bio->bi_next;
	}
	return 0;
}

/* 5.11, e8a676d61c07: the queue and the direction were arguments as well. */
SEC("?tp_btf/block_getrq")
int BPF_PROG(start__getrq_queue__bio, struct request_queue *q, struct bio *bio, int rw)
{
	return rw < 0 ? 0 : handle_bio(bio);
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(start__getrq_queue__issue, struct request *rq)
{
	return handle_issue(rq);
}

SEC("?tp_btf/block_getrq")
int BPF_PROG(start__getrq__bio, struct bio *bio)
{
	return handle_bio(bio);
}

SEC("?tp_btf/block_rq_issue")
int BPF_PROG(start__getrq__issue, struct request *rq)
{
	return handle_issue(rq);
}

char LICENSE[] SEC("license") = "GPL";
