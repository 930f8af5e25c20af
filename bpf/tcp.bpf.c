/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP by connection: payload that the application sent and received, retransmitted
 * segments, smoothed round-trip time.  Each has a slot, which is found by the socket's own
 * storage, so it costs no hashing; a last record tells what was not read yet.
 */
#include "slots.bpf.h"
#include "storage.bpf.h"
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define TCP_RTO_MIN_NS 200000000ULL
#define TCP_RTO_MAX_NS 120000000000ULL

struct counters {
	u64 tx_bytes;
	u64 rx_bytes;
	u64 tx_calls; /* that sent anything */
	u64 rx_calls;
	u64 retrans;
};

struct connection {
	u64 cookie; /* slot_identity() */
	u64 start_ns;
	u64 cgroup;
	struct counters now;
	/* While nothing is answered, by CLOCK_MONOTONIC: */
	u64 stalled_ns; /* when the timer first sent again, as far as that was seen */
	u64 timeout_ns; /* when it last did ... */
	u64 due_ns;	/* ... and by when it does again, if nothing is answered until then */
	u64 rx_bytes;	/* at `timeout_ns`: with what comes later comes the answer */
	/* As of the last walk that found it open, by the same clock: */
	u64 walk;	 /* which one, 0: none */
	u64 rx_still_ns; /* since when the same byte waits to be taken, 0: none does ... */
	u64 tx_still_ns; /* ... and to be acknowledged */
	u32 rx_queue;
	u32 tx_queue;
	u32 taken;	  /* sequence numbers: of the next byte to be taken ... */
	u32 acknowledged; /* ... and to be acknowledged */
	u32 srtt_us;	  /* when the application last sent or received */
	u32 pid;
	u32 laddr[4]; /* IPv4 is mapped into IPv6 */
	u32 raddr[4];
	u16 lport; /* 0: addresses are still to be taken */
	u16 rport;
	u32 claimed; /* the epoch when its owner last sent or received, from 1 */
	char comm[TASK_COMM_LEN];
};
SLOTS(connections, struct connection);

/* Where a socket's connection is. */
struct place {
	u32 slot;
	u32 pad;
};
SOCKET_STORAGE(places, struct place);

/* The last record of a connection, so that short-lived ones count too. */
RING_BUFFER(closed, struct connection, 1 << 20);

/* Netlink's XFRM has the same protocol number, and raw sockets may have. */
static __always_inline bool is_tcp(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM &&
	       (family == AF_INET || family == AF_INET6);
}

static __always_inline void copy_address(u32 *to, const struct sock *sk, u32 v4,
					 const struct in6_addr *v6)
{
	if (read_field(sk, __sk_common.skc_family) == AF_INET6) {
		for (u32 i = 0; i < 4; i++)
			to[i] = read_field(v6, in6_u.u6_addr32[i]);
		return;
	}
	to[0] = to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = v4;
}

static __always_inline struct tcp_sock *tcp_of(const struct sock *sk)
{
	return has_task_storage() ? bpf_skc_to_tcp_sock((void *)sk) : (void *)sk;
}

/* A connection that is being asked for gets its port only after its state. */
static __always_inline void take_addresses(struct connection *connection, const struct sock *sk)
{
	const struct sock_common *common = &sk->__sk_common;
	struct tcp_sock *tcp = tcp_of(sk);

	copy_address(connection->laddr, sk, read_field(common, skc_rcv_saddr),
		     &common->skc_v6_rcv_saddr);
	copy_address(connection->raddr, sk, read_field(common, skc_daddr), &common->skc_v6_daddr);
	connection->rport = bpf_ntohs(read_field(common, skc_dport));
	/* skc_num is 0 once the socket is closed. */
	if (tcp)
		connection->lport = bpf_ntohs(read_field(tcp, inet_conn.icsk_inet.inet_sport));
}

/* Leaves a last record. */
static __always_inline void end_connection(struct place *place)
{
	struct connection *connection = find_slot(connections, place->slot);

	if (!connection)
		return;
	if (bpf_ringbuf_output(&closed, connection, sizeof(*connection), BPF_RB_NO_WAKEUP))
		count_lost(ring_full);
	give_back_slot(connections, place->slot, connection);
	place->slot = NO_SLOT;
}

/* Not at TCP_CLOSE: what has arrived can still be received then.  Before the others in this file,
 * so attached before them: a socket that closes meanwhile would keep its slot for ever. */
SEC("?tp_btf/tcp_destroy_sock")
int TASK_PROG(destroy__tp_btf, struct sock *sk)
{
	struct place *place = find_socket_value(places, sk);

	if (!place)
		return 0;
	end_connection(place);
	drop_socket_substitute(places, sk);
	return 0;
}

static __noinline struct place *make_place(const struct sock *sk)
{
	struct place new = {.slot = take_slot(connections)}, *place;
	struct connection *connection = find_slot(connections, new.slot);

	if (!connection) {
		count_lost(map_full);
		return NULL;
	}
	connection->cookie = slot_identity(new.slot);
	place = make_socket_value(places, sk, &new);
	if (place && place->slot == new.slot)
		return place;
	/* Another CPU was first, or there is no memory. */
	give_back_slot(connections, new.slot, connection);
	if (!place && has_task_storage())
		count_lost(no_storage);
	else if (!place)
		count_lost(map_full);
	return place;
}

static __always_inline struct connection *connection_of(const struct sock *sk)
{
	struct place *place = find_socket_value(places, sk);
	struct connection *connection;

	if (!place)
		place = make_place(sk);
	if (!place)
		return NULL;
	connection = find_slot(connections, place->slot);
	if (connection && !connection->lport)
		take_addresses(connection, sk);
	return connection;
}

static __always_inline void set_owner(struct connection *connection, struct task_struct *task)
{
	struct task_struct *leader = read_field(read_only(task), group_leader);

	connection->pid = read_field(leader, pid);
	connection->start_ns = read_field(leader, start_boottime);
	connection->cgroup = cgroup_of(leader);
	copy_comm(connection->comm, leader);
}

/*
 * A connection is its first user's for as long as that uses it, whoever else does.  Who lets an
 * interval pass handed it over: sshd does to whom logged in, inetd to the server.  The owner itself
 * can have moved to another cgroup.
 */
static __always_inline void follow_user(struct connection *connection)
{
	struct task_struct *leader = read_field(read_only(current_task()), group_leader);

	if (connection->claimed && read_field(leader, pid) == connection->pid)
		connection->cgroup = cgroup_of(leader);
	else if (connection->claimed && connection->claimed == epoch)
		return;
	else
		set_owner(connection, current_task());
	connection->claimed = epoch + 1;
}

/* For the process that sends or receives on it. */
static __always_inline struct connection *connection_in_use(struct sock *sk)
{
	struct connection *connection = connection_of(sk);
	struct tcp_sock *tcp = tcp_of(sk);

	if (!connection)
		return NULL;
	if (connection->claimed != epoch + 1)
		follow_user(connection);
	if (tcp)
		connection->srtt_us = read_field(tcp, srtt_us) >> 3;
	return connection;
}

static __always_inline int handle_send(struct sock *sk, int bytes)
{
	struct connection *connection;

	if (bytes <= 0 || !is_tcp(sk))
		return 0;
	connection = connection_in_use(sk);
	if (connection) {
		__sync_fetch_and_add(&connection->now.tx_bytes, bytes);
		__sync_fetch_and_add(&connection->now.tx_calls, 1);
	}
	return 0;
}

static __always_inline int handle_receive(struct sock *sk, int bytes, int flags)
{
	struct connection *connection;

	if (bytes <= 0 || !is_tcp(sk) || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	connection = connection_in_use(sk);
	if (connection) {
		__sync_fetch_and_add(&connection->now.rx_bytes, bytes);
		__sync_fetch_and_add(&connection->now.rx_calls, 1);
	}
	return 0;
}

/* 6.3, 6e6eda44b939: both; what they return, so neither failures nor partial sends mislead. */
SEC("?tp_btf/sock_send_length")
int TASK_PROG(send__tp_btf, struct sock *sk, int bytes, int flags)
{
	return handle_send(sk, bytes);
}

/* sendfile(2) had a function of its own until 6.5, dc97391e6610. */
SEC("?fexit/tcp_sendmsg")
int BPF_PROG(send__fexit__message, struct sock *sk, void *message, u64 size, int ret)
{
	return handle_send(sk, ret);
}

SEC("?fexit/tcp_sendpage")
int BPF_PROG(send__fexit__page, struct sock *sk, void *page, int offset, u64 size, int flags,
	     int ret)
{
	return handle_send(sk, ret);
}

SEC("?tp_btf/sock_recv_length")
int TASK_PROG(receive__tp_btf, struct sock *sk, int bytes, int flags)
{
	return handle_receive(sk, bytes, flags);
}

/* 5.19, ec095263a965: the argument `nonblock` went. */
SEC("?fexit/tcp_recvmsg")
int BPF_PROG(receive__fexit_nonblock, struct sock *sk, void *message, u64 size, int nonblock,
	     int flags, int *address_size, int ret)
{
	return handle_receive(sk, ret, flags);
}

SEC("?fexit/tcp_recvmsg")
int BPF_PROG(receive__fexit, struct sock *sk, void *message, u64 size, int flags, int *address_size,
	     int ret)
{
	return handle_receive(sk, ret, flags);
}

/* A socket can be used again for another connection: connect(2) to AF_UNSPEC ends the first. */
static __noinline int begin_anew(struct place *place)
{
	struct connection *connection;

	if (!place)
		return 0;
	end_connection(place);
	place->slot = take_slot(connections);
	connection = find_slot(connections, place->slot);
	if (connection)
		connection->cookie = slot_identity(place->slot);
	else
		count_lost(map_full);
	return 0;
}

/* connect(2) is in its caller's context: so a connection that never comes about has an owner. */
SEC("?tp_btf/inet_sock_set_state")
int TASK_PROG(connect__tp_btf, const struct sock *sk, int old, int new)
{
	struct connection *connection;
	struct place *place;

	if (new != TCP_SYN_SENT || !is_tcp(sk))
		return 0;
	place = find_socket_value(places, sk);
	if (place)
		begin_anew(place);
	connection = connection_of(sk);
	if (connection) {
		set_owner(connection, current_task());
		connection->lport = 0; /* it has none yet */
	}
	return 0;
}

/* That an answer came is seen only where it is payload, or by the next walk; so what is known is
 * when there was none: each time that the timer sends again.  It waits twice as long from time to
 * time. */
static __always_inline void follow_timeouts(struct connection *connection, const struct sock *sk)
{
	struct tcp_sock *tcp = tcp_of(sk);
	u32 timeouts = tcp ? read_field(tcp, inet_conn.icsk_retransmits) : 0;
	u64 now = bpf_ktime_get_ns(), wait = 0;

	if (timeouts < 2) {
		/* Not by the timer, or the first of a row, which makes most losses good. */
		connection->stalled_ns = connection->timeout_ns = now;
		connection->due_ns = 0;
		return;
	}
	if (connection->timeout_ns)
		wait = 2 * (now - connection->timeout_ns);
	else
		connection->stalled_ns = now;
	if (wait < TCP_RTO_MIN_NS << (timeouts & 15))
		wait = TCP_RTO_MIN_NS << (timeouts & 15);
	if (wait > TCP_RTO_MAX_NS)
		wait = TCP_RTO_MAX_NS;
	connection->timeout_ns = now;
	/* The kernel's timers come late by up to an eighth: kernel/time/timer.c. */
	connection->due_ns = now + wait + (wait >> 3);
	connection->rx_bytes = connection->now.rx_bytes;
}

static __always_inline int handle_retransmit(const struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = (void *)skb->cb;
	struct connection *connection;
	u16 segments;

	if (!is_tcp(sk))
		return 0;
	connection = connection_of(sk);
	segments = BPF_CORE_READ(cb, tcp_gso_segs);
	if (connection) {
		__sync_fetch_and_add(&connection->now.retrans, segments ?: 1);
		follow_timeouts(connection, sk);
	}
	return 0;
}

/* By 6.18 there is an error as well: it tells of failed attempts too. */
SEC("?tp_btf/tcp_retransmit_skb")
int TASK_PROG(retransmit__tp_btf_err, const struct sock *sk, const struct sk_buff *skb, int err)
{
	return err ? 0 : handle_retransmit(sk, skb);
}

SEC("?tp_btf/tcp_retransmit_skb")
int BPF_PROG(retransmit__tp_btf, const struct sock *sk, const struct sk_buff *skb)
{
	return handle_retransmit(sk, skb);
}

/* Of what arrived, how much nobody took yet; the peer's end takes a sequence number, too. */
static __always_inline u32 bytes_unread(const struct tcp_sock *tcp, u8 state)
{
	u32 unread = read_field(tcp, rcv_nxt) - read_field(tcp, copied_seq);
	bool has_ended =
		state != TCP_ESTABLISHED && state != TCP_FIN_WAIT1 && state != TCP_FIN_WAIT2;

	return (s32)unread > 0 ? unread - has_ended : 0;
}

/* Of what was handed over, how much the peer has not acknowledged; the own end is not counted, nor
 * is what asks for a connection. */
static __always_inline u32 bytes_unacknowledged(const struct tcp_sock *tcp, u8 state)
{
	u32 sent = read_field(tcp, write_seq) - read_field(tcp, snd_una);
	bool has_ended = state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT;

	return (s32)sent > 0 ? sent - has_ended : 0;
}

struct walk {
	u64 id;
};
RECORD(queues, struct walk);

static __always_inline void look_at_queues(struct connection *connection,
					   const struct tcp_sock *tcp, u8 state, u64 walk)
{
	u32 taken = read_field(tcp, copied_seq), acknowledged = read_field(tcp, snd_una);
	u64 now = bpf_ktime_get_ns();

	connection->rx_queue = bytes_unread(tcp, state);
	connection->tx_queue = bytes_unacknowledged(tcp, state);
	/* Once the peer has left, what nobody takes is in nobody's way. */
	if (!connection->rx_queue || state != TCP_ESTABLISHED)
		connection->rx_still_ns = 0;
	else if (!connection->rx_still_ns || connection->taken != taken)
		connection->rx_still_ns = now;
	if (!connection->tx_queue)
		connection->tx_still_ns = 0;
	else if (!connection->tx_still_ns || connection->acknowledged != acknowledged)
		connection->tx_still_ns = now;
	/* All was answered. */
	if (!connection->tx_queue && state != TCP_SYN_SENT)
		connection->due_ns = 0;
	connection->taken = taken;
	connection->acknowledged = acknowledged;
	connection->walk = walk;
}

/* What waits on the connections that processes have open.  Nothing happens on one that is stuck,
 * so no hook tells of it.  All that is put out is which walk it was, when it has come to its end.
 * The kernel holds each file for the 160 ns it is looked at: who closes it just then leaves its
 * release to the end of the walk.  5.11, 4f19cab76136: bpf_sock_from_file(). */
SEC("iter/task_file")
int queues__since_5_11(struct bpf_iter__task_file *ctx)
{
	struct walk walk = {.id = ctx->meta->session_id};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct connection *connection;
	struct socket *socket;
	struct tcp_sock *tcp;
	struct sock *sk;
	u8 state;

	if (!task || !file) {
		bpf_seq_write(ctx->meta->seq, &walk, sizeof(walk));
		return 0;
	}
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	if (!sk || !is_tcp(sk))
		return 0;
	state = read_field(&sk->__sk_common, skc_state);
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp || state == TCP_LISTEN || state == TCP_CLOSE)
		return 0;
	if (!find_socket_value(places, sk) && !bytes_unread(tcp, state) &&
	    !bytes_unacknowledged(tcp, state))
		return 0;
	connection = connection_of(sk);
	if (!connection)
		return 0;
	/* Until anybody uses it. */
	if (!connection->pid)
		set_owner(connection, task);
	look_at_queues(connection, tcp, state, walk.id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
