/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP by connection: payload that the application sent and received, retransmitted
 * segments, smoothed round-trip time.  It is kept with the socket, so it costs no
 * hashing, and goes with it; a last record tells what was not read yet.
 */
#include "batch.bpf.h"
#include "storage.bpf.h"
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define TCP_SYN_SENT 2
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000

struct counters {
	u64 tx_bytes;
	u64 rx_bytes;
	u64 retrans;
};

struct connection {
	struct counters now;
	struct counters seen; /* when it was last read */
	u64 start_ns;
	u64 cookie; /* where the kernel's own cannot be had: when this was made */
	u32 pid;
	u32 claimed; /* by the process that first sent or received */
	char comm[TASK_COMM_LEN];
};
SOCKET_STORAGE(sockets, struct connection);

/* Only of connections that did something since they were last read. */
struct connection_record {
	u64 cookie;
	u64 start_ns;
	struct counters now;
	struct counters seen;
	u32 srtt_us;
	u32 pid;
	u32 laddr[4]; /* IPv4 is mapped into IPv6 */
	u32 raddr[4];
	u16 lport;
	u16 rport;
	char comm[TASK_COMM_LEN];
	u32 pad;
};

/* The last record of a connection, so that short-lived ones count too. */
RING_BUFFER(closed, struct connection_record, 1 << 21);

/* Netlink's XFRM has the same protocol number, and raw sockets may have. */
static __always_inline bool is_tcp(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM &&
	       (family == AF_INET || family == AF_INET6);
}

static __always_inline struct connection *connection_of(const struct sock *sk)
{
	struct connection *connection = make_socket_value(sockets, sk);

	if (!connection)
		count_lost(no_storage);
	else if (!has_task_storage() && !connection->cookie)
		connection->cookie = bpf_ktime_get_ns();
	return connection;
}

static __always_inline void set_owner(struct connection *connection)
{
	struct task_struct *leader = read_field(current_task(), group_leader);

	connection->pid = read_field(leader, pid);
	connection->start_ns = read_field(leader, start_boottime);
	copy_comm(connection->comm, leader);
}

static __always_inline struct connection *claimed_connection_of(struct sock *sk)
{
	struct connection *connection = connection_of(sk);

	if (connection && !connection->claimed) {
		set_owner(connection);
		connection->claimed = 1;
	}
	return connection;
}

static __always_inline int handle_send(struct sock *sk, int bytes)
{
	struct connection *connection;

	if (bytes <= 0 || !is_tcp(sk))
		return 0;
	connection = claimed_connection_of(sk);
	if (connection)
		__sync_fetch_and_add(&connection->now.tx_bytes, bytes);
	return 0;
}

static __always_inline int handle_receive(struct sock *sk, int bytes, int flags)
{
	struct connection *connection;

	if (bytes <= 0 || !is_tcp(sk) || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	connection = claimed_connection_of(sk);
	if (connection)
		__sync_fetch_and_add(&connection->now.rx_bytes, bytes);
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

/* connect(2) is in its caller's context: so a connection that never comes about has an owner. */
SEC("?tp_btf/inet_sock_set_state")
int TASK_PROG(connect__tp_btf, const struct sock *sk, int old, int new)
{
	struct connection *connection;

	if (new != TCP_SYN_SENT || !is_tcp(sk))
		return 0;
	connection = connection_of(sk);
	if (connection) {
		set_owner(connection);
		connection->claimed = 0;
	}
	return 0;
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
	if (connection)
		__sync_fetch_and_add(&connection->now.retrans, segments ?: 1);
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

static __always_inline bool is_seen(const struct connection *connection)
{
	return connection->now.tx_bytes == connection->seen.tx_bytes &&
	       connection->now.rx_bytes == connection->seen.rx_bytes &&
	       connection->now.retrans == connection->seen.retrans;
}

static __always_inline void copy_address(u32 *to, struct sock *sk, u32 v4, struct in6_addr *v6)
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

/* The cookie is the caller's: not everyone can ask for it. */
static __always_inline void fill_record(struct connection_record *record, struct sock *sk,
					struct connection *connection)
{
	struct sock_common *common = &sk->__sk_common;
	struct tcp_sock *tcp = has_task_storage() ? bpf_skc_to_tcp_sock(sk) : (void *)sk;

	record->start_ns = connection->start_ns;
	record->now = connection->now;
	record->seen = connection->seen;
	record->pid = connection->pid;
	__builtin_memcpy(record->comm, connection->comm, TASK_COMM_LEN);
	copy_address(record->laddr, sk, read_field(common, skc_rcv_saddr),
		     &common->skc_v6_rcv_saddr);
	copy_address(record->raddr, sk, read_field(common, skc_daddr), &common->skc_v6_daddr);
	record->rport = bpf_ntohs(read_field(common, skc_dport));
	record->pad = 0;
	record->lport = 0;
	record->srtt_us = 0;
	if (tcp) {
		/* skc_num is 0 once the socket is closed. */
		record->lport = bpf_ntohs(read_field(tcp, inet_conn.icsk_inet.inet_sport));
		record->srtt_us = read_field(tcp, srtt_us) >> 3;
	}
}

/* Not at TCP_CLOSE: what has arrived can still be received then. */
SEC("?tp_btf/tcp_destroy_sock")
int TASK_PROG(destroy__tp_btf, struct sock *sk)
{
	struct connection_record *record;
	struct connection *connection = find_socket_value(sockets, sk);

	if (!connection)
		return 0;
	if (!is_seen(connection)) {
		record = bpf_ringbuf_reserve(&closed, sizeof(*record), 0);
		if (record) {
			record->cookie =
				has_task_storage() ? bpf_get_socket_cookie(sk) : connection->cookie;
			fill_record(record, sk, connection);
			connection->seen = record->now;
			bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
		} else {
			count_lost(ring_full);
		}
	}
	if (!has_task_storage())
		drop_socket_value(sockets, sk);
	return 0;
}

BATCH(connections, struct connection_record);

/* Returns what the iterator has to. */
static __always_inline int store(struct sock *sk, struct connection *connection, u64 cookie)
{
	struct connection_record *record = next_record(connections);

	if (!record)
		return 1;
	record->cookie = cookie;
	fill_record(record, sk, connection);
	record_done(connections);
	connection->seen = record->now;
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int connections(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct connection *connection = ctx->value;
	struct sock *sk = ctx->sk;

	if (!sk || !connection || is_seen(connection))
		return 0;
	return store(sk, connection, bpf_get_socket_cookie(sk));
}

/* Of the hash that stands in for socket storage. */
SEC("iter/bpf_map_elem")
int connections__substitute(struct bpf_iter__bpf_map_elem *ctx)
{
	struct connection *connection = ctx->value;
	u64 *key = ctx->key;

	if (!key || !connection || is_seen(connection))
		return 0;
	return store((struct sock *)*key, connection, connection->cookie);
}

char LICENSE[] SEC("license") = "GPL";
