/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots of histograms, and the maximum of an interval. */
#ifndef KTOP_HISTOGRAM_BPF_H
#define KTOP_HISTOGRAM_BPF_H

#include "ktop.bpf.h"

/* 1 where v exceeds `most`, for v below 2^63.  Not a comparison, and hidden from the
 * compiler, who would make one of it: a branch doubles the paths that the verifier walks. */
#define exceeds(v, most)                                                                           \
	({                                                                                         \
		u64 __rest = (most) - (v);                                                         \
		asm volatile("" : "+r"(__rest));                                                   \
		__rest >> 63;                                                                      \
	})

/* v, which is at most `mask` already: the compiler may know, but verifiers up to 6.1 or so lose
 * sight of it in arithmetic of 32 bits. */
#define bounded(v, mask)                                                                           \
	({                                                                                         \
		u64 __bounded = (v);                                                               \
		asm volatile("%0 &= " #mask : "+r"(__bounded));                                    \
		__bounded;                                                                         \
	})

static __always_inline u64 log2_u64(u64 v)
{
	u32 shift, r;

	v &= ~(1ULL << 63);
	r = exceeds(v, 0xffffffffULL) << 5;
	v >>= r;
	shift = exceeds(v, 0xffffULL) << 4;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0xffULL) << 3;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0xfULL) << 2;
	v >>= shift;
	r |= shift;
	shift = exceeds(v, 0x3ULL) << 1;
	v >>= shift;
	r |= shift;
	return bounded(r | v >> 1, 63);
}

/* Log-linear: 8 slots for each power of two (ktop.stats.log_linear_bounds). */
#define HIST_LINEAR_BITS 3
static __always_inline u64 log_linear_slot(u64 v, u32 slots)
{
	u64 exponent, slot;

	if (v < 1 << HIST_LINEAR_BITS)
		return v;
	exponent = log2_u64(v);
	slot = ((exponent - HIST_LINEAR_BITS + 1) << HIST_LINEAR_BITS) +
	       ((v >> (exponent - HIST_LINEAR_BITS)) & ((1 << HIST_LINEAR_BITS) - 1));
	slot = bounded(slot, 511);
	return slot < slots ? slot : slots - 1;
}

/* Plain log2 of ns in steps from 1.024 us up (ktop.stats.LOG2_BOUNDS_US), of what is in this
 * log-linear slot: the logarithm need not be found twice. */
#define LOG2_SLOTS 26
#define LOG2_FIRST_OCTAVE 7 /* its values, below 1.024 us, and all smaller ones */
static __always_inline u64 log2_slot_of(u64 log_linear)
{
	u64 octave = log_linear >> HIST_LINEAR_BITS;

	return (octave - LOG2_FIRST_OCTAVE) * exceeds(octave, LOG2_FIRST_OCTAVE);
}

/* The maximum within one interval, for counters that user space never resets:
 * one slot is written while the other, of the interval just ended, is read.
 * Concurrent writers may lose the larger value; readers take the highest
 * histogram slot as the lower bound. */
struct interval_max {
	u64 value[2];
	u32 epoch[2];
};

static __always_inline void update_max(struct interval_max *max, u64 value)
{
	u32 now = epoch, i = now & 1;

	if (max->epoch[i] != now) {
		max->epoch[i] = now;
		max->value[i] = value;
	} else if (value > max->value[i]) {
		max->value[i] = value;
	}
}

/* The maximum of the interval that the present read ends.  What came since the read began is in
 * the counters that are read now, so it is in this as well. */
static __always_inline u64 read_max(const struct interval_max *max)
{
	u32 now = epoch, i = now & 1;
	u64 ended = max->epoch[!i] == now - 1 ? max->value[!i] : 0;
	u64 since = max->epoch[i] == now ? max->value[i] : 0;

	return since > ended ? since : ended;
}

/* The same for a record written before the interval ends (at exit). */
static __always_inline u64 read_max_now(const struct interval_max *max)
{
	u32 now = epoch, i = now & 1;

	return max->epoch[i] == now ? max->value[i] : 0;
}

#endif
