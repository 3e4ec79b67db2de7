#include "lib/loop_until.h"
#include "lib/watched.h"
#include "net/listener.h"
#include "net/socket_address.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own, and what was accepted. */
struct place {
	struct loop *loop;
	struct listener *listener;
	char folder[64];
	char path[80];
	int accepted;
	struct peer peer;
	bool pauses;
	bool frees;
	int descriptors;
	struct error error;
};

static void
take(int fd, const struct peer *peer, void *ctx)
{
	struct place *place = ctx;

	cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	cr_expect_neq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	place->accepted++;
	place->peer = *peer;
	close(fd);
	if (place->pauses)
		listener_pause(place->listener);
	if (place->frees) {
		listener_free(place->listener);
		place->listener = NULL;
	}
}

static void
place_init(struct place *place)
{
	*place = (struct place){.folder = "/tmp/listener-XXXXXX"};
	place->descriptors = open_descriptors();
	place->loop = loop_new();
	cr_assert_not_null(mkdtemp(place->folder));
	snprintf(
	    place->path, sizeof(place->path), "%s/smtp.sock", place->folder);
}

static void
place_clear(struct place *place)
{
	char lock[100];

	listener_free(place->listener);
	loop_free(place->loop);
	snprintf(lock, sizeof(lock), "%s/.smtp.sock.lock", place->folder);
	unlink(lock);
	unlink(place->path);
	cr_expect_eq(rmdir(place->folder), 0);
	cr_expect_eq(open_descriptors(), place->descriptors);
}

static bool
place_open(struct place *place, const char *address)
{
	return listener_open(place->loop, address, 0666, take, place,
	    &place->listener, &place->error);
}

/* A descriptor connected to address; -1 with errno. */
static int
connect_to(const char *text)
{
	struct socket_address address;
	struct error error;

	cr_assert(
	    socket_address_parse(text, &address, &error), "%s", error.text);
	int fd =
	    socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, socket_address_get(&address), address.len) == 0)
		return fd;
	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

static bool
has_accepted_one(void *ctx)
{
	struct place *place = ctx;

	return place->accepted >= 1;
}

static void
expect_accepting(struct place *place)
{
	int fd = connect_to(listener_address(place->listener));

	cr_assert_geq(fd, 0);
	place->accepted = 0;
	loop_until(place->loop, has_accepted_one, place);
	close(fd);
}

Test(listener, accepts_over_tcp_on_a_port_the_kernel_chose)
{
	struct place place;

	place_init(&place);
	cr_assert(place_open(&place, "127.0.0.1:0"), "%s", place.error.text);
	cr_expect_str_neq(listener_address(place.listener), "127.0.0.1:0");
	expect_accepting(&place);
	cr_expect_str_eq(place.peer.address, "127.0.0.1");
	cr_expect(place.peer.loopback);
	cr_expect_not(place.peer.local);
	cr_expect_neq(place.peer.port, 0);
	cr_expect(listener_fd_is(
	    listener_fd(place.listener), listener_address(place.listener)));
	cr_expect_not(
	    listener_fd_is(listener_fd(place.listener), "127.0.0.1:1"));
	place_clear(&place);
}

Test(listener, accepts_over_ipv6)
{
	struct place place;

	place_init(&place);
	if (place_open(&place, "[::1]:0")) {
		expect_accepting(&place);
		cr_expect_str_eq(place.peer.address, "::1");
		cr_expect(place.peer.loopback);
	} else {
		cr_expect(place.error.number == EADDRNOTAVAIL ||
			place.error.number == EAFNOSUPPORT,
		    "%s", place.error.text);
	}
	place_clear(&place);
}

Test(listener, accepts_over_a_unix_socket_of_the_mode_asked_for)
{
	struct place place;
	struct stat status;
	mode_t old = umask(0777);

	place_init(&place);
	chmod(place.folder, 0700);
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	umask(old);
	cr_assert_eq(lstat(place.path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0666);
	expect_accepting(&place);
	cr_expect(place.peer.local);
	cr_expect_eq(place.peer.uid, geteuid());
	cr_expect_str_eq(listener_address(place.listener), place.path);
	cr_expect(listener_fd_is(listener_fd(place.listener), place.path));
	cr_expect_not(listener_fd_is(listener_fd(place.listener), "/other"));
	cr_expect_not(
	    listener_fd_is(listener_fd(place.listener), "127.0.0.1:25"));
	cr_expect_not(listener_fd_is(STDIN_FILENO, place.path));
	listener_free(place.listener);
	place.listener = NULL;
	cr_expect_neq(access(place.path, F_OK), 0, "removed when freed");
	place_clear(&place);
}

Test(listener, keeps_the_path_for_its_heir)
{
	struct place place;
	struct listener *heir;

	place_init(&place);
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	int fd = dup(listener_fd(place.listener));
	listener_keep(place.listener);
	listener_free(place.listener);
	cr_assert(listener_inherit(
	    place.loop, fd, take, &place, &heir, &place.error));
	place.listener = heir;
	cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	cr_expect_str_eq(listener_address(heir), place.path);
	expect_accepting(&place);
	listener_free(heir);
	place.listener = NULL;
	cr_expect_eq(access(place.path, F_OK), 0, "it did not make it");
	place_clear(&place);
}

Test(listener, replaces_a_stale_socket_and_no_living_one)
{
	struct place place;
	struct listener *second = NULL;

	place_init(&place);
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	listener_keep(place.listener);
	listener_free(place.listener); /* as after kill -9 */
	place.listener = NULL;
	cr_assert(place_open(&place, place.path), "%s", place.error.text);

	cr_expect_not(listener_open(
	    place.loop, place.path, 0600, take, &place, &second, &place.error));
	cr_expect_null(second);
	cr_expect_eq(place.error.kind, ERROR_SYSTEM);
	cr_expect_eq(place.error.number, EADDRINUSE);
	expect_accepting(&place);
	place_clear(&place);
}

Test(listener, does_not_remove_what_is_no_socket_or_not_its_own)
{
	struct place place;

	place_init(&place);
	close(open(place.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_expect_not(place_open(&place, place.path));
	cr_expect_eq(place.error.kind, ERROR_CONFIG);
	cr_expect_eq(access(place.path, F_OK), 0);
	unlink(place.path);

	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	unlink(place.path);
	close(open(place.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	listener_free(place.listener);
	place.listener = NULL;
	cr_expect_eq(access(place.path, F_OK), 0);
	place_clear(&place);
}

Test(listener, gives_way_to_one_that_opens_the_same_path)
{
	struct place place;
	char lock[100];

	place_init(&place);
	snprintf(lock, sizeof(lock), "%s/.smtp.sock.lock", place.folder);
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_expect_not(place_open(&place, place.path));
	cr_expect_eq(place.error.number, EWOULDBLOCK);
	close(fd);
	cr_expect(place_open(&place, place.path), "%s", place.error.text);
	place_clear(&place);
}

struct row {
	const char *address;
	enum error_kind kind;
	int number;
};

Test(listener, says_what_is_wrong_with_an_address)
{
	static const struct row rows[] = {
	    {"", ERROR_CONFIG, 0},
	    {"smtp.sock", ERROR_CONFIG, 0},
	    {"localhost:25", ERROR_CONFIG, 0},
	    {"127.0.0.1", ERROR_CONFIG, 0},
	    {"127.0.0.1:", ERROR_CONFIG, 0},
	    {"127.0.0.1:65536", ERROR_CONFIG, 0},
	    {"127.0.0.1:-1", ERROR_CONFIG, 0},
	    {"127.0.0.1.1:25", ERROR_CONFIG, 0},
	    {"::1:25", ERROR_CONFIG, 0},
	    {"[127.0.0.1]:25", ERROR_CONFIG, 0},
	    {"[::1:25", ERROR_CONFIG, 0},
	    {"/proc/nothing/smtp.sock", ERROR_SYSTEM, ENOENT},
	    {"/a/path/that/is/longer/than/a/unix/socket/may/have/which/is/"
	     "one/hundred/and/seven/octets/and/not/one/more/than/that.sock",
		ERROR_CONFIG, 0},
	    {"192.0.2.1:2525", ERROR_SYSTEM, EADDRNOTAVAIL},
	};
	struct place place;

	place_init(&place);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_not(
		    place_open(&place, rows[i].address), "%s", rows[i].address);
		cr_expect_eq(place.error.kind, rows[i].kind, "%s: %s",
		    rows[i].address, place.error.text);
		cr_expect_eq(place.error.number, rows[i].number, "%s: %s",
		    rows[i].address, place.error.text);
	}
	cr_expect_not(listener_inherit(place.loop, STDIN_FILENO, take, &place,
	    &place.listener, &place.error));
	cr_expect_null(place.listener);
	place_clear(&place);
}

Test(listener, pauses_and_resumes)
{
	struct place place;
	int fds[3];

	place_init(&place);
	place.pauses = true;
	cr_assert(place_open(&place, "127.0.0.1:0"), "%s", place.error.text);
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(listener_address(place.listener));
	for (int i = 1; i <= 3; i++) {
		loop_until(place.loop, has_accepted_one, &place);
		loop_until_quiet(place.loop);
		cr_expect_eq(place.accepted, 1, "the rest waits");
		place.accepted = 0;
		listener_resume(place.listener);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	place_clear(&place);
}

Test(listener, may_be_freed_when_it_calls)
{
	struct place place;

	place_init(&place);
	place.frees = true;
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	int first = connect_to(place.path);
	int second = connect_to(place.path);
	loop_until(place.loop, has_accepted_one, &place);
	cr_expect_eq(place.accepted, 1);
	close(first);
	close(second);
	place_clear(&place);
}

Test(listener, accepts_many_at_once)
{
	struct place place;
	int fds[100];

	place_init(&place);
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	for (int i = 0; i < 100; i++)
		cr_assert_geq(fds[i] = connect_to(place.path), 0);
	while (place.accepted < 100)
		loop_until_quiet(place.loop);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	place_clear(&place);
}

static int64_t
cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

/* Threats: G5. */
Test(listener, waits_without_spinning_when_descriptors_are_used_up)
{
	struct place place;
	struct loop_timer end;
	struct rlimit old;

	skip_under_valgrind("it keeps descriptors of its own");
	place_init(&place);
	cr_assert(place_open(&place, place.path), "%s", place.error.text);
	int client = connect_to(place.path);
	getrlimit(RLIMIT_NOFILE, &old);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);

	int64_t cpu = cpu_ms();
	loop_timer_init(&end, place.loop, stop, place.loop);
	loop_timer_set(&end, clock_now().mono_ms + 300);
	loop_run(place.loop);
	cr_expect_eq(place.accepted, 0);
	cr_expect_lt(cpu_ms() - cpu, 100);

	setrlimit(RLIMIT_NOFILE, &old);
	loop_until(place.loop, has_accepted_one, &place);
	loop_timer_clear(&end);
	close(client);
	place_clear(&place);
}
