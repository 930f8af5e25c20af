/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page cache in pages: asked for by reads, brought in, dirtied.  Events
 * would mislead: one folio can be 512 pages, and one event a part of a request.
 */
#include "process.bpf.h"
#include "syscall.bpf.h"

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define S_IFMT 0170000
#define S_IFREG 0100000

const volatile u64 page_size = 4096;

struct counters {
	u64 accesses;  /* asked for by reads */
	u64 read_in;   /* brought in by reads, readahead and advice */
	u64 mapped_in; /* brought in by faults on mapped files */
	u64 write_in;  /* made for writes */
	u64 mixed_in;  /* brought in by calls that read and write */
	u64 mixed_out; /* of these and of read_in, what was dirtied next, so made for writes */
	u64 dirtied;
	u64 pad;
};
CPU_ARRAY(host, struct counters);

/* A read that needs several looks at the cache, each for all that is left of it. */
struct read {
	u64 mapping;
	u64 last;
	u64 index;
	u64 calls;
};

/* Where reads of io_uring's were that wait for pages while their thread is at others. */
struct waiting_read {
	u64 mapping;
	u64 last;
	u64 tid;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct waiting_read);
	__type(value, u64);
} _waiting SEC(".maps");

/* Pages of a block device: the data of a read from it, or metadata that a file
 * system needs on its way.  The look at the cache that follows tells. */
struct pending {
	u64 mapping;
	u64 pages;
};

/* Counters of a process, at its group leader; the rest is each thread's own. */
struct use {
	struct counters counters;
	struct read read;
	struct pending pending;
	u64 added; /* the last folio of read_in or mixed_in, while no read was seen to look at it */
	u32 waiting; /* its reads in `_waiting`, or more */
	bool waits;  /* for pages of `read` that it brought in since */
	u8 ended;
};
TASK_STORAGE(uses, struct use);

struct process_record {
	u64 start_ns;
	u64 cgroup;
	u64 accesses;
	u64 read_in;
	u64 mapped_in;
	u64 write_in;
	u64 mixed_in;
	u64 mixed_out;
	u64 dirtied;
	u32 pid;
	char comm[TASK_COMM_LEN];
	u32 pad;
};

/* The last record of a process, so that short-lived ones count too. */
RING_BUFFER(exits, struct process_record, 1 << 18);

static __always_inline bool is_regular(struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFREG;
}

static __always_inline struct use *use_of(struct task_struct *task)
{
	struct use *use;

	if (is_over(task))
		return find_task_value(uses, task);
	use = make_task_value(uses, task);
	if (!use)
		count_lost(no_storage);
	return use;
}

/* Page-cache operations run in task context, so a CPU's own counters need no
 * atomics; those of a process do, for its threads. */
#define count(who, thread, field, n)                                                               \
	do {                                                                                       \
		struct counters *__host = this_cpu(host);                                          \
		struct use *__process = thread;                                                    \
		if (__host)                                                                        \
			__host->field += n;                                                        \
		if ((who).leader != (who).task)                                                    \
			__process = use_of((who).leader);                                          \
		if (__process)                                                                     \
			__sync_fetch_and_add(&__process->counters.field, n);                       \
	} while (0)

/* Looked for once: each time costs the verifier milliseconds (see read_only). */
struct who {
	struct task_struct *task, *leader;
};

static __always_inline struct who current_who(void)
{
	struct task_struct *task = current_task();
	struct who who = {task, read_field(task, group_leader)};

	return who;
}

enum look {
	LOOK_ON,   /* goes on with the read of the one before, which counted it whole */
	LOOK_NEXT, /* begins a read where the last one ended */
	LOOK_AFRESH,
};

static __always_inline bool is_rest_of(const struct read *read, u64 mapping, u64 index, u64 last)
{
	return read->mapping == mapping && read->last == last && read->index < index;
}

/* What io_uring keeps of the task; NULL for most, which never used it. */
static __always_inline struct io_uring_task *uring_of(struct task_struct *task)
{
	return bpf_core_field_exists(task->io_uring) ? read_field(read_only(task), io_uring) : NULL;
}

/* What io_uring took in from the task, reads among it, which are in no count of calls. */
static __always_inline u64 uring_requests(struct io_uring_task *uring)
{
	/* On arm64 following NULL takes a fault. */
	if (!uring || !bpf_core_field_exists(uring->last->cached_sq_head))
		return 0;
	return read_field(uring, last, cached_sq_head);
}

#define PAGEVEC_SIZE 31 /* folios that one look takes at most */

/* The last read may not have ended: pages came in for it since, or it needs more looks. */
static __always_inline bool could_not_end(const struct use *thread)
{
	return thread->waits || thread->read.last - thread->read.index >= PAGEVEC_SIZE;
}

static __always_inline void set_aside(struct use *thread, struct task_struct *task)
{
	struct read *read = &thread->read;
	struct waiting_read key = {read->mapping, read->last, read_field(task, pid)};

	bpf_map_update_elem(&_waiting, &key, &read->index, BPF_ANY);
	thread->waiting++;
}

/* Whether this is the rest of a read that was set aside. */
static __always_inline bool is_resumed(struct use *thread, struct task_struct *task, u64 mapping,
				       u64 index, u64 last)
{
	struct waiting_read key = {mapping, last, read_field(task, pid)};
	u64 *before = bpf_map_lookup_elem(&_waiting, &key);
	bool resumed;

	if (!before)
		return false;
	resumed = *before < index;
	bpf_map_delete_elem(&_waiting, &key);
	thread->waiting--;
	return resumed;
}

/* Two reads can ask for the same end, so they are told apart by how many there were.  Of io_uring's
 * others can be asked for before one goes on, which only one that could not end does. */
static __always_inline enum look look_of(struct use *thread, struct task_struct *task, u64 mapping,
					 u64 index, u64 last)
{
	struct read *read = &thread->read;
	struct io_uring_task *uring = uring_of(task);
	u64 calls = read_calls(task) + uring_requests(uring);
	bool is_rest = is_rest_of(read, mapping, index, last);
	bool may_go_on = could_not_end(thread);
	bool is_left = !is_rest && may_go_on;
	enum look look = LOOK_AFRESH;

	if (is_rest && read->calls == calls)
		look = LOOK_ON;
	else if (read->mapping == mapping && index - read->last <= 1)
		look = LOOK_NEXT;
	/* io_uring goes on with a read once its pages are there, in whatever call the thread is
	 * then. */
	if (look != LOOK_ON && (may_go_on || thread->waiting) && uring &&
	    !read_size(task, user_regs(task))) {
		if (is_left)
			set_aside(thread, task);
		if ((is_rest && may_go_on) ||
		    (thread->waiting && is_resumed(thread, task, mapping, index, last)))
			look = LOOK_ON;
	}
	read->mapping = mapping;
	read->last = last;
	read->index = index;
	read->calls = calls;
	thread->waits = false;
	return look;
}

/* Whether the registers are of a call of its own.  Those of io_uring's workers, which from 5.12 on
 * are threads of the process, are what their maker was in. */
static __always_inline bool is_in_call(struct task_struct *task)
{
	return !(read_field(task, flags) & (PF_KTHREAD | PF_IO_WORKER));
}

/* Where the read began: the kernel tells nothing of pages that it serves while the next
 * one is still being read in, so the first that it tells can be one further on. */
static __always_inline u64 first_index(struct task_struct *task, struct address_space *mapping,
				       u64 index, u64 last)
{
	u64 size, pages;

	if (!is_in_call(task))
		return index;
	size = read_size(task, user_regs(task));
	if ((last - index + 1) * page_size >= size)
		return index;
	/* Reads that exceed a device are cut short, those that exceed a file are not. */
	if (!is_regular(mapping->host) && (last + 1) * page_size >= mapping->host->i_size)
		return index;
	pages = (size + page_size - 1) / page_size;
	return pages <= last + 1 ? last + 1 - pages : index;
}

/* Where the read ends: the kernel rounds it up to what the file system's blocks are. */
static __always_inline u64 last_index(struct task_struct *task, struct address_space *mapping,
				      u64 index, u64 last)
{
	u64 rounded = least_folio(mapping), size, end;

	if (!rounded || !is_in_call(task))
		return last;
	size = read_size(task, user_regs(task));
	end = index + (size - 1) / page_size;
	return size && end < last && last - end <= rounded ? end : last;
}

/* Pages from `index` to `last`, or to the end of the file, which a request may exceed. */
static __always_inline u64 pages_asked_for(struct address_space *mapping, u64 index, u64 last)
{
	u64 size = mapping->host->i_size;

	if (last * page_size >= size) {
		if (index * page_size >= size)
			return 0;
		last = (size - 1) / page_size;
	}
	return last - index + 1;
}

/* What a read brought in of a device's own pages is its data, now that it looks for it. */
static __always_inline void settle_pending(struct who who, struct use *thread,
					   struct address_space *mapping)
{
	if (!thread->pending.pages)
		return;
	if (thread->pending.mapping == (u64)mapping)
		count(who, thread, read_in, thread->pending.pages);
	thread->pending.pages = 0;
}

/* 6.12.  Comes after all pages are there, also those that were read for it. */
SEC("?tp_btf/mm_filemap_get_pages")
int TASK_PROG(access__tp_btf, struct address_space *mapping, unsigned long index,
	      unsigned long last)
{
	struct who who = current_who();
	struct use *thread = use_of(who.task);
	enum look look;
	u64 pages;

	mapping = read_only(mapping);
	if (!thread)
		return 0;
	settle_pending(who, thread, mapping);
	thread->added = 0; /* it was for this read */
	look = look_of(thread, who.task, (u64)mapping, index, last);
	if (look == LOOK_ON)
		return 0;
	if (look == LOOK_AFRESH)
		index = first_index(who.task, mapping, index, last);
	last = last_index(who.task, mapping, index, last);
	pages = pages_asked_for(mapping, index, last);
	count(who, thread, accesses, pages);
	return 0;
}

/* The read has ended at `end`: the pages that its bytes stand in. */
static __always_inline int handle_read(struct file *file, u64 end, s64 bytes)
{
	struct who who = current_who();
	struct use *thread = use_of(who.task);
	u64 pages;

	if (!thread)
		return 0;
	settle_pending(who, thread, file->f_mapping);
	thread->added = 0;
	if (bytes <= 0)
		return 0;
	pages = (end - 1) / page_size - (end - bytes) / page_size + 1;
	count(who, thread, accesses, pages);
	return 0;
}

/* splice(2) and sendfile(2) look at the cache themselves from 6.5 on. */
SEC("?fexit/filemap_read")
int BPF_PROG(access__fexit_splice__read, struct kiocb *iocb, void *iter, s64 before, s64 ret)
{
	return handle_read(iocb->ki_filp, iocb->ki_pos, ret - before);
}

SEC("?fexit/filemap_splice_read")
int BPF_PROG(access__fexit_splice__splice, struct file *file, s64 *position, void *pipe, u64 size,
	     u32 flags, s64 ret)
{
	s64 end = 0;

	bpf_probe_read_kernel(&end, sizeof(end), position);
	return handle_read(file, end, ret);
}

/* 5.12, 87fa0f3eb267. */
SEC("?fexit/filemap_read")
int BPF_PROG(access__fexit, struct kiocb *iocb, void *iter, s64 before, s64 ret)
{
	return handle_read(iocb->ki_filp, iocb->ki_pos, ret - before);
}

SEC("?fexit/generic_file_buffered_read")
int BPF_PROG(access__fexit_buffered, struct kiocb *iocb, void *iter, s64 before, s64 ret)
{
	return handle_read(iocb->ki_filp, iocb->ki_pos, ret - before);
}

static __always_inline void add_pending(struct use *thread, u64 mapping, u64 pages)
{
	if (thread->pending.mapping != mapping)
		thread->pending.pages = 0;
	thread->pending.mapping = mapping;
	thread->pending.pages += pages;
}

/* The read that the thread looked for last has to wait for these pages. */
static __always_inline void note_wait(struct use *thread, u64 mapping, u64 index, u64 pages)
{
	struct read *read = &thread->read;

	if (read->mapping == mapping && read->index < index + pages && index <= read->last)
		thread->waits = true;
}

SEC("?tp_btf/mm_filemap_add_to_page_cache")
int TASK_PROG(add__tp_btf, struct folio *folio)
{
	struct who who = current_who();
	struct task_struct *task = who.task; /* BPF_CORE_READ would look for `who` in the kernel */
	struct address_space *mapping = folio_mapping(folio);
	struct inode *inode = mapping->host;
	struct use *thread = use_of(task);
	u64 pages = folio_pages(folio);
	enum file_call call = CALL_EITHER;

	if (!thread)
		return 0;
	if (!is_regular(inode)) {
		add_pending(thread, (u64)mapping, pages);
		return 0;
	}
	if (is_memory(mapping, inode))
		return 0;
	note_wait(thread, (u64)mapping, folio_index(folio), pages);
	if (is_in_call(task))
		call = file_call(task, user_regs(task));
	/* In no call either are who dumps core and, back from an interrupt, a thread that goes on
	 * with a read of io_uring's. */
	if (call == NO_CALL && !is_mapped(mapping))
		call = CALL_EITHER;
	switch (call) {
	case CALL_READ: /* or a write that no call of the task's own asked for */
		thread->added = (u64)folio;
		count(who, thread, read_in, pages);
		break;
	case CALL_WRITE:
		count(who, thread, write_in, pages);
		break;
	case CALL_EITHER:
		thread->added = (u64)folio;
		count(who, thread, mixed_in, pages);
		break;
	case NO_CALL:
		count(who, thread, mapped_in, pages);
		break;
	}
	return 0;
}

static __always_inline int handle_dirty(struct folio *folio)
{
	struct who who = current_who();
	struct use *thread = use_of(who.task);
	u64 pages = folio_pages(folio);

	count(who, thread, dirtied, pages);
	if (thread && thread->added == (u64)folio) {
		thread->added = 0;
		count(who, thread, mixed_out, pages);
	}
	return 0;
}

/* 5.18, 203a31516616: was writeback_dirty_page. */
SEC("?tp_btf/writeback_dirty_folio")
int TASK_PROG(dirty__tp_btf, struct folio *folio)
{
	return handle_dirty(folio);
}

SEC("?tp_btf/writeback_dirty_page")
int BPF_PROG(dirty__tp_btf_page, struct page *page)
{
	return handle_dirty((struct folio *)page);
}

static __always_inline void fill_record(struct process_record *record, struct task_struct *task,
					const struct use *use, bool ended)
{
	const struct counters *counters = &use->counters;

	record->start_ns = task->start_boottime;
	record->cgroup = cgroup_of(task);
	record->pid = task->tgid;
	record->pad = 0;
	copy_comm(record->comm, task);
	record->accesses = counters->accesses;
	record->read_in = counters->read_in;
	record->mapped_in = counters->mapped_in;
	record->write_in = counters->write_in;
	record->mixed_in = counters->mixed_in;
	record->mixed_out = counters->mixed_out;
	record->dirtied = counters->dirtied;
}

static __always_inline void bequeath(const struct use *from, struct use *to)
{
	to->counters = from->counters;
}

SEC("?tp_btf/sched_process_exit")
int TASK_PROG(exit__tp_btf, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct use *process;

	if (task != leader)
		drop_substitute(uses, task);
	if (!is_group_dead(task)) {
		hand_over(uses, task, leader, bequeath);
		return 0;
	}
	process = find_task_value(uses, leader);
	if (process)
		submit_exit(uses, leader, process);
	return 0;
}

PROCESS_ITERATOR(uses, make_on_demand, NULL);

char LICENSE[] SEC("license") = "GPL";
