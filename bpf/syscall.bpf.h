/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which system call a task is in, and with which arguments. */
#ifndef KTOP_SYSCALL_BPF_H
#define KTOP_SYSCALL_BPF_H

#include "kernel.bpf.h"

/* The present system call is a 32-bit program's. */
static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return read_field(task, thread_info.status) & 2; /* TS_COMPAT */
#else
	return read_field(task, thread_info.flags) & 1 << 22; /* TIF_32BIT */
#endif
}

/* The path that execve(2) or execveat(2) was called with, 32-bit callers' too; NULL of any other
 * call.  In user space: raw tracepoints of system calls see all of them. */
static __always_inline const char *exec_path(struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	if (is_compat(task))
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
	bool compat = is_compat(task);

	if (regs->syscallno == (compat ? 11 : 221))
		return (void *)regs->orig_x0;
	if (regs->syscallno == (compat ? 387 : 281))
		return (void *)regs->regs[1];
#endif
	return NULL;
}

/* read(2) and its like that the task has ended; 0 where the kernel does not count them. */
static __always_inline u64 read_calls(struct task_struct *task)
{
	return bpf_core_field_exists(task->ioac.syscr) ? read_field(task, ioac.syscr) : 0;
}

/* 5.15, dd6e10fbd9fb.  Before, the registers are where they are on every kernel: at the stack's
 * end. */
static __always_inline bool has_task_pt_regs(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs);
}

#define THREAD_SIZE 16384 /* x86-64, and arm64 with pages of 4 KiB */
static __always_inline struct pt_regs *user_regs(struct task_struct *task)
{
	if (has_task_pt_regs())
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return read_field(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* A field of user_regs(). */
#define user_reg(regs, field) (has_task_pt_regs() ? (regs)->field : BPF_CORE_READ(regs, field))

#define IOVECS_MAX 16

/* The bytes that there is room for in `count` buffers of user space; 0 for more than IOVECS_MAX. On
 * its own, so that the verifier comes here once. */
__noinline u64 room_of(u64 iovecs, u64 count)
{
	struct {
		u64 base, length;
	} buffers[IOVECS_MAX] = {};
	u64 room = 0;

	if (count > IOVECS_MAX ||
	    bpf_probe_read_user(buffers, count * sizeof(buffers[0]), (void *)iovecs))
		return 0;
	for (u32 i = 0; i < IOVECS_MAX; i++)
		room += buffers[i].length;
	return room;
}

/* The bytes that read(2), pread64(2), readv(2), preadv(2) or preadv2(2) was called with; 0 in any
 * other call, of 32-bit ones, and where it has very many buffers. */
static __always_inline u64 read_size(struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	u64 number = user_reg(regs, orig_ax);

	if (is_compat(task))
		return 0;
	if (number == 0 || number == 17)
		return user_reg(regs, dx);
	if (number == 19 || number == 295 || number == 327)
		return room_of(user_reg(regs, si), user_reg(regs, dx));
#elif defined(__TARGET_ARCH_arm64)
	s32 number = user_reg(regs, syscallno);

	if (is_compat(task))
		return 0;
	if (number == 63 || number == 67)
		return user_reg(regs, regs[2]);
	if (number == 65 || number == 69 || number == 286)
		return room_of(user_reg(regs, regs[1]), user_reg(regs, regs[2]));
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
	u32 number = user_reg(regs, orig_ax);

	if ((s32)number == -1)
		return NO_CALL;
	if (is_compat(task))
		switch (number) {
		case 4: case 181: case 146: case 334: case 379: case 324:
		case 92: case 93: case 193: case 194:
			return CALL_WRITE;
		case 187: case 239: case 313: case 377: case 426: case 248:
			return CALL_EITHER;
		default:
			return CALL_READ;
		}
	switch (number) {
	case 1: case 18: case 20: case 296: case 328: case 285: case 76: case 77:
		return CALL_WRITE;
	case 40: case 275: case 326: case 426: case 209:
		return CALL_EITHER;
	}
#elif defined(__TARGET_ARCH_arm64)
	s32 number = user_reg(regs, syscallno);

	if (number == -1)
		return NO_CALL;
	if (is_compat(task))
		switch (number) {
		case 4: case 181: case 146: case 362: case 393: case 352:
		case 92: case 93: case 193: case 194:
			return CALL_WRITE;
		case 187: case 239: case 340: case 391: case 426: case 246:
			return CALL_EITHER;
		default:
			return CALL_READ;
		}
	switch (number) {
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
