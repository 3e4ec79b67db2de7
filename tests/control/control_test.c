/* The server and the client on a real unix socket: the server's loop is the
 * test's own, the client blocks in a thread. */
#include "base/memory.h"
#include "control/control_client.h"
#include "control/control_server.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/control_test.XXXXXX";
static char *socket_path;
static int listening_fd;
static struct loop *loop;
static struct control_server *server;
static struct control_request *waiting; /* of GET /wait */
static bool cancelled;
static size_t ends; /* of streams */

/* ---- resources ---- */

static void
get_hello(struct control_request *request, void *ctx)
{
	struct json_writer *json = control_request_json(request);
	const char *name = control_request_query(request, "name");

	json_writer_text(json, "hello", name);
	json_writer_text(json, "ctx", ctx);
	json_writer_number(json, "uid", (int64_t)control_request_uid(request));
	json_writer_bool(json, "writer", control_request_can_write(request));
	control_reply(request);
}

static void
get_part(struct control_request *request, void *ctx)
{
	(void)ctx;
	json_writer_bytes(control_request_json(request), "part",
	    control_request_part(request));
	control_reply(request);
}

static void
post_words(struct control_request *request, void *ctx)
{
	const char *domain;
	const char *const *ids;
	size_t count;
	bool all;

	(void)ctx;
	if (!control_request_text(request, "domain", &domain) ||
	    !control_request_bool(request, "all", &all) ||
	    !control_request_texts(request, "ids", &ids, &count))
		return;
	struct json_writer *json = control_request_json(request);
	json_writer_text(json, "domain", domain);
	json_writer_bool(json, "all", all);
	json_writer_bool(json, "has_ids", ids != NULL);
	json_writer_number(json, "count", (int64_t)count);
	json_writer_text(json, "last", count > 0 ? ids[count - 1] : NULL);
	control_reply(request);
}

static void
on_cancel(void *ctx)
{
	*(bool *)ctx = true;
	waiting = NULL;
}

static void
get_wait(struct control_request *request, void *ctx)
{
	(void)ctx;
	waiting = request;
	control_on_cancel(request, on_cancel, &cancelled);
}

struct counting {
	size_t line;
	size_t lines;
	size_t each; /* lines in a piece */
	enum control_more end;
};

static enum control_more
count_on(struct buffer *out, void *ctx)
{
	struct counting *counting = ctx;

	for (size_t i = 0; i < counting->each; i++) {
		if (counting->line == counting->lines)
			return counting->end;
		buffer_printf(out, "{\"line\":%zu}\n", counting->line++);
	}
	return CONTROL_MORE_FOLLOWS;
}

static void
end_count(void *ctx)
{
	free(ctx);
	ends++;
}

static void
get_count(struct control_request *request, void *ctx)
{
	struct counting *counting = memory_new(sizeof(*counting));
	const char *lines = control_request_query(request, "lines");
	const char *each = control_request_query(request, "each");

	(void)ctx;
	counting->lines = strtoul(lines, NULL, 10);
	counting->each = strtoul(each, NULL, 10);
	counting->end = control_request_query(request, "cut") != NULL
	    ? CONTROL_MORE_CUT
	    : CONTROL_MORE_LAST;
	control_stream(
	    request, "application/x-ndjson", count_on, end_count, counting);
}

static void
get_failure(struct control_request *request, void *ctx)
{
	(void)ctx;
	json_writer_text(control_request_json(request), "half", "said");
	control_fail(request, 409, "it is \"%s\"", "so");
}

static void
get_large(struct control_request *request, void *ctx)
{
	char *text = memory_new(4096);

	(void)ctx;
	memset(text, 'x', 4095);
	struct json_writer *json = control_request_json(request);
	for (int i = 0; i < 17000; i++)
		json_writer_text(json, "large", text);
	free(text);
	control_reply(request);
}

static const struct control_resource resources[] = {
    {"GET", "/hello", CONTROL_ANYONE, get_hello},
    {"GET", "/part/:name", CONTROL_READER, get_part},
    {"GET", "/part/:name/x", CONTROL_READER, get_part},
    {"POST", "/words", CONTROL_WRITER, post_words},
    {"GET", "/wait", CONTROL_ANYONE, get_wait},
    {"GET", "/count", CONTROL_ANYONE, get_count},
    {"GET", "/failure", CONTROL_ANYONE, get_failure},
    {"GET", "/large", CONTROL_ANYONE, get_large},
};

/* ---- the two ends ---- */

static void
listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, strlen(path));
	listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(listening_fd, 0);
	cr_assert_eq(bind(listening_fd, (const struct sockaddr *)&address,
			 sizeof(address)),
	    0);
	cr_assert_eq(listen(listening_fd, 64), 0);
	cr_assert_eq(chmod(path, 0666), 0);
}

static void
begin(void)
{
	struct error error;
	struct buffer warnings;
	char *readers[] = {(char[]){"no-such-group"}, (char[]){"nogroup"}};
	char context[] = "context";
	static char kept[sizeof(context)];

	memcpy(kept, context, sizeof(context));
	struct control_server_options options = {resources,
	    sizeof(resources) / sizeof(resources[0]), kept, readers, 2, NULL,
	    0};
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chmod(folder, 0755), 0);
	socket_path = memory_format("%s/admin.sock", folder);
	listen_at(socket_path);
	loop = loop_new();
	buffer_init(&warnings, 4096);
	cr_assert(control_server_new(
	    loop, listening_fd, &options, &warnings, &server, &error));
	cr_expect(bytes_is(buffer_bytes(&warnings),
	    "no group or user is called no-such-group: nobody is one of the "
	    "readers by it\n"));
	buffer_clear(&warnings);
}

static void
finish(void)
{
	control_server_free(server);
	loop_free(loop);
	(void)close(listening_fd);
	(void)unlink(socket_path);
	(void)rmdir(folder);
	free(socket_path);
}

TestSuite(control, .init = begin, .fini = finish);

struct call {
	struct control_client_request request;
	control_client_fn *fn; /* NULL: gather */
	struct buffer body;
	int status;
	char *problem;
	struct error error;
	bool good;
	bool done;
};

static void *
run_call(void *ctx)
{
	struct call *call = ctx;

	call->good = control_client_call(&call->request,
	    call->fn != NULL ? call->fn : control_client_gather, &call->body,
	    &call->status, &call->problem, &call->error);
	__atomic_store_n(&call->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool
is_done(void *ctx)
{
	const struct call *call = ctx;

	return __atomic_load_n(&call->done, __ATOMIC_SEQ_CST);
}

static pthread_t
start_call(
    struct call *call, const char *method, const char *target, const char *body)
{
	pthread_t thread;

	*call = (struct call){.request = {.socket = socket_path,
				  .method = method,
				  .target = target,
				  .body = bytes_of(body)}};
	buffer_init(&call->body, 1 << 26);
	cr_assert_eq(pthread_create(&thread, NULL, run_call, call), 0);
	return thread;
}

static void
call_through(
    struct call *call, const char *method, const char *target, const char *body)
{
	pthread_t thread = start_call(call, method, target, body);

	loop_until(loop, is_done, call);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void
end_call(struct call *call)
{
	buffer_clear(&call->body);
	free(call->problem);
}

static const struct {
	const char *method;
	const char *target;
	const char *body;
	int status;
	const char *expected; /* the body, or the problem */
} rows[] = {
    {"GET", "/hello?name=J%c3%b6rg", "", 200,
	"{\"hello\":\"J\xc3\xb6rg\",\"ctx\":\"context\",\"uid\":UID,"
	"\"writer\":true}\n"},
    {"GET", "/part/4bXkzM2wQ1t", "", 200, "{\"part\":\"4bXkzM2wQ1t\"}\n"},
    {"GET", "/part/a%2Fb/x", "", 200, "{\"part\":\"a/b\"}\n"},
    {"POST", "/words", "", 200,
	"{\"domain\":null,\"all\":false,\"has_ids\":false,\"count\":0,"
	"\"last\":null}\n"},
    {"POST", "/words", "{\"all\":true,\"domain\":\"x.example\"}", 200,
	"{\"domain\":\"x.example\",\"all\":true,\"has_ids\":false,"
	"\"count\":0,\"last\":null}\n"},
    {"POST", "/words", "{\"ids\":[\"a\",\"b\"]}", 200,
	"{\"domain\":null,\"all\":false,\"has_ids\":true,\"count\":2,"
	"\"last\":\"b\"}\n"},
    {"POST", "/words", "{\"ids\":[\"a\",5]}", 400,
	"'ids' must be an array of texts"},
    {"POST", "/words", "{\"ids\":\"a\"}", 400,
	"'ids' must be an array of texts"},
    {"POST", "/words", "{\"all\":1}", 400, "'all' must be true or false"},
    {"POST", "/words", "{\"domain\":null}", 400, "'domain' must be a text"},
    {"POST", "/words", "[]", 400, "the body must be a JSON object"},
    {"POST", "/words", "{", 400, NULL},
    {"POST", "/words", "{\"a\":1,\"a\":2}", 400, NULL},
    {"GET", "/words", "", 405, "GET is not for /words"},
    {"GET", "/nowhere", "", 404, "there is no /nowhere"},
    {"GET", "/failure", "", 409, "it is \"so\""},
    {"GET", "/large", "", 500, "the answer is too large"},
    {"GET", "no-path", "", 400, "malformed target"},
};

Test(control, answers_what_is_asked)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct call call;
		char uid[16];

		call_through(
		    &call, rows[i].method, rows[i].target, rows[i].body);
		cr_assert(call.good, "%s: %s", rows[i].target,
		    error_text(&call.error));
		cr_expect_eq(call.status, rows[i].status, "%s %s: %d",
		    rows[i].target, rows[i].body, call.status);
		char *said = call.problem != NULL
		    ? memory_copy_text(call.problem)
		    : buffer_to_text(&call.body);
		(void)snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
		const char *place = rows[i].expected == NULL
		    ? NULL
		    : strstr(rows[i].expected, "UID");
		char *expected = rows[i].expected == NULL ? NULL
		    : place == NULL
		    ? memory_copy_text(rows[i].expected)
		    : memory_format("%.*s%s%s", (int)(place - rows[i].expected),
			  rows[i].expected, uid, place + strlen("UID"));
		if (expected != NULL)
			cr_expect_str_eq(said, expected);
		free(expected);
		free(said);
		end_call(&call);
	}
}

static void
expect_lines(struct bytes text, size_t lines)
{
	size_t count = 0;

	for (; text.len > 0; count++) {
		char *expected = memory_format("{\"line\":%zu}", count);
		struct bytes line = bytes_cut(&text, '\n');

		cr_assert(bytes_is(line, expected), "%.*s", BYTES_ARGS(line));
		free(expected);
	}
	cr_expect_eq(count, lines, "%zu of %zu", count, lines);
}

Test(control, streams_without_an_end_in_memory)
{
	static const struct {
		const char *target;
		size_t lines;
	} streams[] = {
	    {"/count?lines=0&each=1", 0},
	    {"/count?lines=1&each=1", 1},
	    {"/count?lines=1000&each=1", 1000},
	    {"/count?lines=300000&each=300000", 300000},
	    {"/count?lines=1000000&each=4000", 1000000},
	};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct call call;

		ends = 0;
		call_through(&call, "GET", streams[i].target, "");
		cr_assert(call.good, "%s", error_text(&call.error));
		cr_expect_eq(call.status, 200);
		expect_lines(buffer_bytes(&call.body), streams[i].lines);
		cr_expect_eq(ends, 1);
		end_call(&call);
	}
}

Test(control, lets_the_caller_see_that_a_stream_was_cut)
{
	static const char *const targets[] = {
	    "/count?lines=0&each=1&cut=yes",
	    "/count?lines=1&each=1&cut=yes",
	    "/count?lines=100000&each=4000&cut=yes",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct call call;

		ends = 0;
		call_through(&call, "GET", targets[i], "");
		cr_assert_not(call.good, "%s", targets[i]);
		cr_expect_eq(call.error.kind, ERROR_CLOSED, "%s: %s",
		    targets[i], error_text(&call.error));
		cr_expect_eq(ends, 1);
		end_call(&call);
	}
}

static bool
enough(struct bytes piece, void *ctx)
{
	(void)piece;
	(void)ctx;
	return false;
}

static bool
has_ended(void *ctx)
{
	(void)ctx;
	return ends == 1;
}

Test(control, ends_a_stream_that_nobody_reads_on)
{
	pthread_t thread;
	struct call call = {.request = {.socket = socket_path,
				.method = "GET",
				.target = "/count?lines=100000000&each=1000"},
	    .fn = enough};

	ends = 0;
	cr_assert_eq(pthread_create(&thread, NULL, run_call, &call), 0);
	loop_until(loop, has_ended, NULL);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect(call.good, "%s", error_text(&call.error));
	end_call(&call);
}

static bool
is_waiting(void *ctx)
{
	(void)ctx;
	return waiting != NULL;
}

Test(control, lets_a_resource_answer_later)
{
	struct call call;
	pthread_t thread = start_call(&call, "GET", "/wait", "");

	loop_until(loop, is_waiting, NULL);
	json_writer_text(control_request_json(waiting), "late", "yes");
	control_reply(waiting);
	loop_until(loop, is_done, &call);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect(bytes_is(buffer_bytes(&call.body), "{\"late\":\"yes\"}\n"));
	end_call(&call);
}

/* ---- by hand, without the client ---- */

static int
open_raw(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, socket_path, strlen(socket_path));
	cr_assert_geq(fd, 0);
	cr_assert_eq(
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return fd;
}

/* All that comes until the end; the caller frees it. */
static char *
read_raw(int fd)
{
	char *text = memory_new(8192);
	size_t len = 0;

	for (;;) {
		ssize_t got = recv(fd, text + len, 8191 - len, MSG_DONTWAIT);

		if (got > 0)
			len += (size_t)got;
		else if (got == 0 || errno != EAGAIN)
			return text;
		else
			loop_until_quiet(loop);
	}
}

Test(control, tells_the_resource_that_the_caller_has_gone)
{
	int fd = open_raw("GET /wait HTTP/1.1\r\n\r\n");

	cancelled = false;
	loop_until(loop, is_waiting, NULL);
	(void)close(fd);
	loop_until_set(loop, &cancelled);
	cr_expect(cancelled);
}

Test(control, cancels_what_is_open_at_its_end)
{
	int fd = open_raw("GET /wait HTTP/1.1\r\n\r\n");

	cancelled = false;
	loop_until(loop, is_waiting, NULL);
	control_server_free(server);
	server = NULL;
	cr_expect(cancelled);
	(void)close(fd);
}

Test(control, closes_after_one_answer)
{
	int fd = open_raw("GET /part/a HTTP/1.1\r\n\r\n"
			  "GET /part/b HTTP/1.1\r\n\r\n");
	char *text = read_raw(fd);

	cr_expect_str_eq(text,
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/json\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: close\r\n"
	    "Content-Length: 13\r\n"
	    "\r\n"
	    "{\"part\":\"a\"}\n");
	free(text);
	(void)close(fd);
}

Test(control, sends_no_chunks_to_http_1_0)
{
	int fd = open_raw("GET /count?lines=2&each=1 HTTP/1.0\r\n\r\n");
	char *text = read_raw(fd);

	cr_expect_str_eq(text,
	    "HTTP/1.1 200 OK\r\n"
	    "Content-Type: application/x-ndjson\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "{\"line\":0}\n{\"line\":1}\n");
	free(text);
	(void)close(fd);
}

Test(control, refuses_what_is_no_http)
{
	int fd = open_raw("EHLO me\r\n\r\n");
	char *text = read_raw(fd);

	cr_expect_not_null(strstr(text, "HTTP/1.1 400 Bad Request\r\n"));
	cr_expect_not_null(
	    strstr(text, "\r\n\r\n{\"error\":\"this is not HTTP\"}\n"));
	free(text);
	(void)close(fd);
}

/* ---- who may ---- */

/* A child that became nobody calls; what it heard, through a pipe. */
static pid_t
call_as_nobody(const char *target, gid_t group, int *out_fd)
{
	int ends_of_pipe[2];

	cr_assert_eq(pipe(ends_of_pipe), 0);
	pid_t child = fork();
	if (child == 0) {
		int status = 0;
		char *problem = NULL;
		struct error error;
		struct control_client_request request = {
		    .socket = socket_path, .method = "GET", .target = target};

		if (setgroups(0, NULL) != 0 || setgid(group) != 0 ||
		    setuid(65534) != 0)
			_exit(1);
		bool good = control_client_call(&request, control_client_copy,
		    &ends_of_pipe[1], &status, &problem, &error);
		if (!good)
			dprintf(ends_of_pipe[1], "%s", error_text(&error));
		if (problem != NULL)
			dprintf(ends_of_pipe[1], "%d %s", status, problem);
		_exit(0);
	}
	(void)close(ends_of_pipe[1]);
	*out_fd = ends_of_pipe[0];
	return child;
}

static void
expect_as_nobody(const char *target, gid_t group, const char *expected)
{
	int fd;
	char text[4096] = "";
	size_t len = 0;

	(void)call_as_nobody(target, group, &fd);
	for (;;) {
		loop_until_quiet(loop);
		struct timeval soon = {0, 1000};
		fd_set set;

		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, &soon) <= 0)
			continue;
		ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	(void)close(fd);
	cr_expect_str_eq(text, expected);
}

Test(control, shows_others_only_what_is_for_anyone)
{
	if (geteuid() != 0)
		cr_skip_test("only root can call as somebody else");
	gid_t nogroup = 65534;

	expect_as_nobody("/hello?name=x", 100,
	    "{\"hello\":\"x\",\"ctx\":\"context\",\"uid\":65534,"
	    "\"writer\":false}\n");
	expect_as_nobody("/part/a", 100,
	    "403 not permitted: this is for readers only (admin.readers in "
	    "postrider.conf)");
	expect_as_nobody("/part/a", nogroup, "{\"part\":\"a\"}\n");
	expect_as_nobody("/words", nogroup, "405 GET is not for /words");
}

/* ---- the client alone ---- */

Test(control_client, says_why_the_daemon_can_not_be_reached)
{
	struct control_client_request request = {
	    .socket = "/does/not/exist.sock", .method = "GET", .target = "/"};
	int status;
	char *problem;
	struct error error;

	cr_expect_not(control_client_call(
	    &request, control_client_gather, NULL, &status, &problem, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(error.number, ENOENT);
	cr_expect_str_eq(error_text(&error),
	    "/does/not/exist.sock: No such file or directory");
}

Test(control_client, escapes_for_targets)
{
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	control_client_escape(&buffer, BYTES("a-b_c.d~9 /?&\xc3"));
	cr_expect(bytes_is(buffer_bytes(&buffer), "a-b_c.d~9%20%2F%3F%26%C3"));
	buffer_clear(&buffer);
}

/* What a server might say, and what becomes of it. */
static const struct {
	const char *answer;
	enum error_kind kind; /* ERROR_NONE: good */
	int status;
	const char *body; /* or the problem */
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ERROR_NONE, 200, "hi"},
    {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", ERROR_NONE, 200, "hi"},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", ERROR_NONE, 200, "to the end"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n",
	ERROR_NONE, 200, "hi yo"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
	ERROR_CLOSED, 0, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\nhi\r\n",
	ERROR_DATA, 0, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", ERROR_CLOSED, 0, NULL},
    {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ERROR_NONE, 503,
	"the daemon answers 503"},
    {"220 ESMTP\r\n", ERROR_DATA, 0, NULL},
    {"", ERROR_CLOSED, 0, NULL},
};

static void *
say(void *ctx)
{
	const char *text = ctx;
	int fd = accept(listening_fd, NULL, NULL);

	cr_assert_geq(fd, 0);
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	/* Until the client has hung up. */
	char rest[1024];
	while (recv(fd, rest, sizeof(rest), 0) > 0)
		;
	(void)close(fd);
	return NULL;
}

static void
begin_listening(void)
{
	cr_assert_not_null(mkdtemp(folder));
	socket_path = memory_format("%s/admin.sock", folder);
	listen_at(socket_path);
}

static void
finish_listening(void)
{
	(void)close(listening_fd);
	(void)unlink(socket_path);
	(void)rmdir(folder);
	free(socket_path);
}

Test(control_client, reads_what_a_server_may_say, .init = begin_listening,
    .fini = finish_listening)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct call call = {
		    .request = {
			.socket = socket_path, .method = "GET", .target = "/"}};
		char *text = memory_copy_text(answers[i].answer);
		pthread_t thread;

		buffer_init(&call.body, 4096);
		cr_assert_eq(pthread_create(&thread, NULL, say, text), 0);
		(void)run_call(&call);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_expect_eq(
		    call.good, answers[i].kind == ERROR_NONE, "%s", text);
		if (!call.good)
			cr_expect_eq(call.error.kind, answers[i].kind, "%s: %s",
			    text, error_text(&call.error));
		else if (call.problem != NULL)
			cr_expect_str_eq(call.problem, answers[i].body);
		else
			cr_expect(bytes_is(
			    buffer_bytes(&call.body), answers[i].body));
		if (call.good)
			cr_expect_eq(call.status, answers[i].status);
		end_call(&call);
		free(text);
	}
}

/* Hang up on the next caller, who has said something that is not read. */
static void
hang_up(void)
{
	char octet;
	int fd = accept(listening_fd, NULL, NULL);

	cr_assert_geq(fd, 0);
	cr_assert_eq(recv(fd, &octet, 1, MSG_PEEK), 1);
	(void)close(fd);
}

static void *
hang_up_and_say(void *ctx)
{
	hang_up();
	hang_up();
	return say(ctx);
}

static void *
hang_up_on_all(void *ctx)
{
	for (int i = 0; i < 3; i++)
		hang_up();
	return ctx;
}

static const struct {
	void *(*server)(void *);
	bool good;
} reloads[] = {{hang_up_and_say, true}, {hang_up_on_all, false}};

Test(control_client, asks_again_where_it_was_not_read, .init = begin_listening,
    .fini = finish_listening)
{
	char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

	for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
		struct call call = {.request = {.socket = socket_path,
					.method = "POST",
					.target = "/",
					.body = BYTES("{}")}};
		pthread_t thread;

		buffer_init(&call.body, 4096);
		cr_assert_eq(
		    pthread_create(&thread, NULL, reloads[i].server, text), 0);
		(void)run_call(&call);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_expect_eq(call.good, reloads[i].good, "%zu", i);
		if (call.good)
			cr_expect(bytes_is(buffer_bytes(&call.body), "hi"));
		else
			cr_expect_eq(call.error.number, ECONNRESET);
		end_call(&call);
	}
}
