/*
 * The processes of the demo recording: each does, for real and in small, what its name says.
 *
 * The role is the name it is started under; make_recording.py keeps copies of
 * this program as postgres, backup, api-server ...  Every process ends with its
 * parent, and by itself after LIFETIME_S.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIFETIME_S 150
#define KIB 1024
#define PAGE_BYTES (8 * KIB)
#define NOINLINE __attribute__((noinline))

static volatile uint64_t sink;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* -- what the CPU is used for -- */

static void mix(uint64_t rounds)
{
	uint64_t hash = sink | 1;

	while (rounds--) {
		hash ^= hash << 13;
		hash ^= hash >> 7;
		hash ^= hash << 17;
	}
	sink = hash;
}

static void sleep_us(unsigned int us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&pause, NULL);
}

static unsigned int chance(unsigned int below)
{
	static __thread unsigned int state;

	if (!state)
		state = (unsigned int)getpid() * 2654435761u ^ (unsigned int)(uintptr_t)&state;
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

/* -- postgres: reads pages of a table, most of them cached, and makes each change durable -- */

static NOINLINE void scan_page(int table, char *page, off_t number)
{
	if (pread(table, page, PAGE_BYTES, number * PAGE_BYTES) < 0)
		fail("table");
	mix(1500);
}

static NOINLINE void execute_query(int table, char *page, unsigned int pages)
{
	unsigned int first = chance(pages - 24);

	/* Now and then a part of the table that nobody has asked for since long. */
	if (!chance(8))
		posix_fadvise(table, (off_t)first * PAGE_BYTES, 24 * PAGE_BYTES,
			      POSIX_FADV_DONTNEED);
	for (unsigned int i = 0; i < 24; i++)
		scan_page(table, page, first + i);
}

static NOINLINE void flush_wal(int wal, const char *page, unsigned int record)
{
	if (pwrite(wal, page, PAGE_BYTES, (off_t)(record % 1024) * PAGE_BYTES) < 0 ||
	    fdatasync(wal))
		fail("wal");
}

static NOINLINE void checkpoint(int table, const char *page, unsigned int pages)
{
	for (int i = 0; i < 64; i++)
		if (pwrite(table, page, PAGE_BYTES, (off_t)chance(pages) * PAGE_BYTES) < 0)
			fail("checkpoint");
}

static void postgres(int argc, char **argv)
{
	/* postgres TABLE WAL, or postgres TABLE: the checkpointer */
	char page[PAGE_BYTES] __attribute__((aligned(4096))) = "page";
	int table = open(argv[1], O_RDWR), wal = argc > 2 ? open(argv[2], O_RDWR) : 0;
	struct stat info;

	if (table < 0 || wal < 0 || fstat(table, &info))
		fail(argv[1]);
	for (unsigned int n = 0;; n++) {
		if (argc > 2) {
			execute_query(table, page, info.st_size / PAGE_BYTES);
			flush_wal(wal, page, n);
			sleep_us(4000 + chance(4000));
		} else {
			checkpoint(table, page, info.st_size / PAGE_BYTES);
			sleep_us(400000);
		}
	}
}

/* -- backup: reads a big file past the page cache, with many requests in flight -- */

#define BLOCK (256 * KIB)

static const char *backup_file;

static NOINLINE void checksum(const char *block)
{
	for (int i = 0; i < 64; i++)
		sink ^= (unsigned char)block[i * 4096];
	mix(20000);
}

static NOINLINE void *copy_blocks(void *unused)
{
	static uint64_t next;
	int file = open(backup_file, O_RDONLY | O_DIRECT);
	off_t size = lseek(file, 0, SEEK_END);
	char *block;

	if (file < 0 || posix_memalign((void **)&block, 4096, BLOCK))
		fail(backup_file);
	for (;;) {
		off_t at = (off_t)__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) * BLOCK % size;

		if (pread(file, block, BLOCK, at) < 0)
			fail("backup");
		checksum(block);
	}
	return unused;
}

static void backup(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	backup_file = argv[1];
	for (int i = 0; i < 11; i++)
		if (pthread_create(&thread, NULL, copy_blocks, NULL))
			fail("thread");
	copy_blocks(NULL);
}

/* -- report: reads a file from its beginning to its end through the page cache -- */

static void report(int argc, char **argv)
{
	static char block[128 * KIB];
	int file = open(argv[1], O_RDONLY);
	ssize_t got;

	(void)argc;
	if (file < 0)
		fail(argv[1]);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	while ((got = read(file, block, sizeof(block))) > 0) {
		mix(2000);
		sleep_us(12000);
	}
}

/* -- TCP: servers that answer each message, clients that send the next when it is answered -- */

static struct sockaddr_in6 address(const char *host, const char *port)
{
	struct sockaddr_in6 where = {.sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET6, host, &where.sin6_addr) != 1)
		fail(host);
	return where;
}

static bool receive(int peer, char *buffer, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t more = recv(peer, buffer + got, size - got, 0);

		if (more <= 0)
			return false;
		got += (size_t)more;
	}
	return true;
}

static size_t request_bytes, reply_bytes;
static uint64_t work;
static unsigned int pause_us;

static NOINLINE void render_page(void)
{
	mix(work);
}

static NOINLINE void *serve_client(void *argument)
{
	static __thread char buffer[64 * KIB];
	int peer = (int)(intptr_t)argument;

	while (receive(peer, buffer, request_bytes)) {
		render_page();
		if (send(peer, buffer, reply_bytes, MSG_NOSIGNAL) < 0)
			break;
	}
	close(peer);
	return NULL;
}

static int listener(const char *port)
{
	struct sockaddr_in6 where = address("::", port);
	int one = 1, none = 0, server = socket(AF_INET6, SOCK_STREAM, 0);

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof(none));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(server, (struct sockaddr *)&where, sizeof(where)) || listen(server, 16))
		fail("listen");
	return server;
}

static void server(int argc, char **argv)
{
	/* NAME PORT REQUEST_BYTES REPLY_BYTES WORK */
	int door = listener(argv[1]);
	pthread_t thread;

	(void)argc;
	request_bytes = strtoul(argv[2], NULL, 10);
	reply_bytes = strtoul(argv[3], NULL, 10);
	work = strtoull(argv[4], NULL, 10);
	for (;;) {
		int peer = accept(door, NULL, NULL);

		if (peer >= 0 &&
		    pthread_create(&thread, NULL, serve_client, (void *)(intptr_t)peer))
			fail("thread");
	}
}

static struct sockaddr_in6 there;

static NOINLINE void *ask(void *unused)
{
	static __thread char buffer[64 * KIB];
	int one = 1, peer = socket(AF_INET6, SOCK_STREAM, 0);

	if (connect(peer, (struct sockaddr *)&there, sizeof(there)))
		fail("connect");
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	do {
		sleep_us(pause_us);
		if (send(peer, buffer, request_bytes, MSG_NOSIGNAL) < 0)
			break;
	} while (receive(peer, buffer, reply_bytes));
	return unused;
}

static void client(int argc, char **argv)
{
	/* NAME HOST PORT REQUEST_BYTES REPLY_BYTES PAUSE_US CONNECTIONS */
	pthread_t thread;

	(void)argc;
	there = address(argv[1], argv[2]);
	request_bytes = strtoul(argv[3], NULL, 10);
	reply_bytes = strtoul(argv[4], NULL, 10);
	pause_us = (unsigned int)atoi(argv[5]);
	for (int i = 1; i < atoi(argv[6]); i++)
		if (pthread_create(&thread, NULL, ask, NULL))
			fail("thread");
	ask(NULL);
}

/* -- walsender and replica: a stream over a line that is too thin for it -- */

static void walsender(int argc, char **argv)
{
	static char record[32 * KIB];
	int door = listener(argv[1]);

	(void)argc;
	/* It fills the queue until something is lost, whatever this host is used to. */
	setsockopt(door, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	for (;;) {
		int peer = accept(door, NULL, NULL);

		while (peer >= 0 && send(peer, record, sizeof(record), MSG_NOSIGNAL) >= 0)
			sleep_us(20000);
		close(peer);
	}
}

static void replica(int argc, char **argv)
{
	static char buffer[64 * KIB];
	int peer = socket(AF_INET6, SOCK_STREAM, 0);

	(void)argc;
	there = address(argv[1], argv[2]);
	if (connect(peer, (struct sockaddr *)&there, sizeof(there)))
		fail("connect");
	while (recv(peer, buffer, sizeof(buffer), 0) > 0)
		;
}

/* -- hog: uses all the CPU it gets -- */

static NOINLINE void resize_image(void)
{
	mix(1000000);
}

static void hog(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (;;)
		resize_image();
}

/* -- cron: starts what its lines say, one after the other; words are split at '|' -- */

static void run_line(char *line)
{
	char *words[16], *rest = NULL;
	int count = 0;
	pid_t child;

	for (char *word = strtok_r(line, "|", &rest); word && count < 15;
	     word = strtok_r(NULL, "|", &rest))
		words[count++] = word;
	words[count] = NULL;
	child = fork();
	if (!child) {
		execv(words[0], words);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void cron(int argc, char **argv)
{
	char line[256];

	for (int next = 1;; next = next % (argc - 1) + 1) {
		snprintf(line, sizeof(line), "%s", argv[next]);
		run_line(line);
		sleep_us(700000);
	}
}

static const struct {
	const char *name;
	void (*play)(int argc, char **argv);
} roles[] = {
	{"postgres", postgres},
	{"backup", backup},
	{"report", report},
	{"api-server", server},
	{"session-cache", server},
	{"frontend", client},
	{"chatty-client", client},
	{"walsender", walsender},
	{"replica", replica},
	{"hog", hog},
	{"cron", cron},
};

int main(int argc, char **argv)
{
	const char *name = basename(argv[0]);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFETIME_S);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(name, roles[i].name))
			roles[i].play(argc, argv);
	return 0;
}
