/* Connections and replies, as smtplib has them and better. */
#include "lib/dns_server.h"
#include "lib/library_scene.h"
#include "lib/scratch_folder.h"
#include "lib/smtp_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What comes of connecting and one NOOP. */
struct row {
	const char *name;
	const char *script;
	int connected; /* the result of smtp_connect() */
	int err;       /* that of smtp_noop() behind it */
	int code;      /* of the last of them */
	enum smtp_class cls;
	const char *text;
};

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		const struct smtp_options options = {.t_other = 10000};
		struct library_scene scene;
		library_scene_begin(&scene, row->script, &options, NULL);
		struct smtp *session = scene.session;
		int err = smtp_connect(
		    session, script_server_host(scene.server), NULL);
		/* A reset may overtake the news of the connection. */
		const bool is_early = row->script[0] == 'Z' &&
		    err == SMTP_E_OS && smtp_last_errno(session) == ECONNRESET;
		cr_expect(err == row->connected || is_early,
		    "%s: connect %d %s", row->name, err,
		    smtp_last_errmsg(session));
		if (err == SMTP_OK && smtp_last_code(session) == 220) {
			err = smtp_noop(session);
			cr_expect_eq(err, row->err, "%s: %d %s", row->name, err,
			    smtp_last_errmsg(session));
		}
		cr_expect_eq(smtp_last_code(session), row->code, "%s: %d",
		    row->name, smtp_last_code(session));
		cr_expect_eq(smtp_last_class(session), row->cls, "%s: %d",
		    row->name, (int)smtp_last_class(session));
		if (row->text != NULL)
			cr_expect_str_eq(smtp_last_text(session, NULL),
			    row->text, "%s", row->name);
		library_scene_clear(&scene);
	}
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

/* Row 1. */
Test(connection, tells_the_greeting_whatever_it_says)
{
	static const struct row rows[] = {
	    {"220", GREETING "C:noop\nS:250 ok\n", 0, 0, 250, SMTP_C_OK, "ok"},
	    {"554", "S:554 no\n", 0, 0, 554, SMTP_C_CONN, "no"},
	    {"421", "S:421 later\nX\n", 0, 0, 421, SMTP_C_CONN, "later"},
	    {"nothing", "X\n", SMTP_E_DISCONNECTED, 0, -1, SMTP_C_CONN, ""},
	    {"a reset", "Z\n", SMTP_E_DISCONNECTED, 0, -1, SMTP_C_CONN, NULL},
	    {"HTTP", "S:HTTP/1.1 400 Bad\n", SMTP_E_PROTO, 0, -1, SMTP_C_CONN,
		NULL},
	};

	CHECK(rows);
}

/* Rows 7, 8, 9. */
Test(connection, reads_replies_of_any_form_and_nothing_else)
{
#define NOOP(reply) GREETING "C:noop\n" reply
	static const struct row rows[] = {
	    {"lines", NOOP("S:250-one\nS:250- two \nS:250 three\n"), 0, 0, 250,
		SMTP_C_OK, "one\ntwo\nthree"},
	    {"bare LF", NOOP("R:250-one\\n250 two\\n"), 0, 0, 250, SMTP_C_OK,
		"one\ntwo"},
	    {"no text", NOOP("S:250\n"), 0, 0, 250, SMTP_C_OK, NULL},
	    {"temporary", NOOP("S:450 later\n"), 0, 0, 450, SMTP_C_TEMP,
		"later"},
	    {"permanent", NOOP("S:550 5.7.1 no\n"), 0, 0, 550, SMTP_C_PERM,
		"5.7.1 no"},
	    {"unknown code", NOOP("S:299 odd\n"), 0, 0, 299, SMTP_C_OK, "odd"},
	    {"no code", NOOP("S:hello\n"), 0, SMTP_E_PROTO, -1, SMTP_C_TEMP,
		NULL},
	    {"a blank", NOOP("S: 25 x\n"), 0, SMTP_E_PROTO, -1, SMTP_C_TEMP,
		NULL},
	    {"a sign", NOOP("S:+25 x\n"), 0, SMTP_E_PROTO, -1, SMTP_C_TEMP,
		NULL},
	    {"codes that differ", NOOP("S:250-a\nS:550 b\n"), 0, SMTP_E_PROTO,
		-1, SMTP_C_TEMP, NULL},
	    {"an incomplete line", NOOP("R:250 ok\nX\n"), 0,
		SMTP_E_DISCONNECTED, -1, SMTP_C_TEMP, ""},
	    {"an incomplete reply", NOOP("S:250-ok\nX\n"), 0,
		SMTP_E_DISCONNECTED, -1, SMTP_C_TEMP, ""},
	    {"NUL", NOOP("R:\\0\\0\\0\\0\\r\\n"), 0, SMTP_E_PROTO, -1,
		SMTP_C_TEMP, NULL},
	};

	CHECK(rows);
}

/* A script of lines that never end the reply. */
static char *
endless(const char *line, size_t count)
{
	const size_t len = strlen(line);
	const char *start = GREETING "C:noop\n";
	char *script = malloc(strlen(start) + count * len + 1);

	memcpy(script, start, strlen(start) + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(script + strlen(start) + i * len, line, len + 1);
	return script;
}

/* Row 7. */
Test(connection, bounds_lines_and_replies)
{
	char *lines = endless("S:250-more\n", SMTP_MAXREPLY + 1);
	char *line = endless("R:250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
	    SMTP_MAXLINE / 40);
	const struct row rows[] = {
	    {"endless lines", lines, 0, SMTP_E_PROTO, -1, SMTP_C_TEMP, NULL},
	    {"an endless line", line, 0, SMTP_E_PROTO, -1, SMTP_C_TEMP, NULL},
	};

	CHECK(rows);
	free(lines);
	free(line);
}

/* Row 72. */
Test(connection, is_refused_or_not_found)
{
	struct library_scene scene;
	char host[64];

	/* A port that was just closed. */
	library_scene_begin(&scene, "X\n", NULL, NULL);
	(void)snprintf(
	    host, sizeof(host), "%s", script_server_host(scene.server));
	script_server_free(scene.server);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_connect(session, host, NULL), SMTP_E_OS);
	cr_expect_eq(smtp_last_errno(session), ECONNREFUSED);
	cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
	cr_expect_eq(smtp_last_stage(session), SMTP_S_CONNECT);
	cr_expect_eq(smtp_connect(session, "/nowhere/at/all", NULL), SMTP_E_OS);
	cr_expect_eq(smtp_last_errno(session), ENOENT);
	cr_expect_not(smtp_connected(session));
	cr_expect_eq(smtp_fd(session), -1);
	smtp_free(session);
}

/* Row 2. */
Test(connection, takes_hosts_apart_as_people_write_them)
{
	static const struct {
		const char *host;
		const char *service;
		int err;
		int number;
	} rows[] = {
	    {"127.0.0.1:x", NULL, SMTP_E_OS, EINVAL},
	    {"127.0.0.1:", NULL, SMTP_E_OS, EINVAL},
	    {"127.0.0.1:0", NULL, SMTP_E_OS, ECONNREFUSED},
	    {"127.0.0.1", "0", SMTP_E_OS, ECONNREFUSED},
	    {"127.0.0.1:1", NULL, SMTP_E_OS, ECONNREFUSED},
	    {"[127.0.0.1]:1", NULL, SMTP_E_OS, ECONNREFUSED},
	    {"127.0.0.1", "1", SMTP_E_OS, ECONNREFUSED},
	    {"127.0.0.1", "nothing", SMTP_E_OS, EINVAL},
	    {"127.0.0.1:70000", NULL, SMTP_E_OS, EINVAL},
	};
	struct smtp *session = smtp_new(NULL);

	smtp_set_default_port(session, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int err =
		    smtp_connect(session, rows[i].host, rows[i].service);
		cr_expect_eq(err, rows[i].err, "%s: %d %s", rows[i].host, err,
		    smtp_last_errmsg(session));
		cr_expect_eq(smtp_last_errno(session), rows[i].number, "%s: %s",
		    rows[i].host, smtp_last_errmsg(session));
	}
	smtp_free(session);
}

/* Row 1. */
Test(connection, opens_with_220_alone)
{
	struct library_scene scene;

	library_scene_begin(&scene, "S:554 5.3.2 go away\n", NULL, NULL);
	cr_expect_eq(
	    smtp_open(scene.session, script_server_host(scene.server), NULL),
	    SMTP_E_CONNECT);
	cr_expect_eq(smtp_last_code(scene.session), 554);
	cr_expect_str_eq(smtp_last_enh(scene.session), "5.3.2");
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_CONN);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* Row 2. */
Test(connection, goes_to_a_unix_socket_or_on_a_descriptor_too)
{
	char *folder = scratch_folder_new();
	char path[128];
	struct library_scene scene;
	int ends[2];

	(void)snprintf(path, sizeof(path), "%s/smtp", folder);
	const struct script_options where = {.socket = path};
	library_scene_begin(&scene, GREETING QUIT, NULL, &where);
	cr_expect_eq(smtp_connect(scene.session, path, NULL), SMTP_OK);
	cr_expect(smtp_fd(scene.session) >= 0);
	cr_expect_eq(smtp_quit(scene.session), SMTP_OK);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(write(ends[1], "220 hi\r\n", 8), 8);
	cr_expect_eq(smtp_attach_fd(scene.session, ends[0]), SMTP_OK);
	cr_expect_eq(smtp_last_code(scene.session), 220);
	smtp_close(scene.session);
	close(ends[1]);
	library_scene_clear(&scene);
	scratch_folder_remove(folder);
}

Test(connection, needs_a_descriptor_that_is_a_stream)
{
	struct smtp *session = smtp_new(NULL);
	const int null = open("/dev/null", O_RDWR);
	int datagrams[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
	const struct {
		int fd;
		int number;
	} rows[] = {
	    {-1, EBADF},
	    {null, ENOTSOCK},
	    {datagrams[0], EPROTOTYPE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(
		    smtp_attach_fd(session, rows[i].fd), SMTP_E_OS, "%zu", i);
		cr_expect_eq(smtp_last_errno(session), rows[i].number,
		    "%zu: %s", i, smtp_last_errmsg(session));
		cr_expect_neq(smtp_last_errmsg(session)[0], '\0');
		cr_expect_not(smtp_connected(session));
	}
	/* They stay the caller's. */
	cr_expect_eq(close(null), 0);
	cr_expect_eq(close(datagrams[0]), 0);
	close(datagrams[1]);
	smtp_free(session);
}

/* Row 5. */
Test(connection, binds_the_source_address)
{
	const struct smtp_options bad = {.source_address = "nonsense"};
	const struct smtp_options here = {.source_address = "127.0.0.2:0"};
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct library_scene scene;

	cr_expect_null(smtp_new(&bad));
	library_scene_init(&scene, GREETING, &here);
	cr_assert_eq(
	    getsockname(smtp_fd(scene.session), (struct sockaddr *)&own, &len),
	    0);
	const unsigned char *octets = (const unsigned char *)&own;
	cr_expect_eq(octets[7], 2, "127.0.0.%d", octets[7]);
	library_scene_clear(&scene);
}

/* Row 4. */
Test(connection, refuses_a_timeout_of_nothing)
{
	struct smtp *session = smtp_new(NULL);

	cr_expect_eq(smtp_set_timeout(session, 0), SMTP_E_INVAL);
	cr_expect_eq(smtp_get_timeout(session), 0);
	cr_expect_eq(smtp_set_timeout(session, -1), SMTP_OK);
	cr_expect_eq(smtp_set_timeout(session, 1500), SMTP_OK);
	cr_expect_eq(smtp_get_timeout(session), 1500);
	smtp_free(session);
}

/* Rows 4, 72. */
Test(connection, waits_no_longer_than_it_was_told)
{
	static const struct {
		const char *name;
		const char *script;
		struct smtp_options options;
		int connected;
	} rows[] = {
	    {"greeting", "H\n", {.t_greeting = 50}, SMTP_E_TIMEOUT},
	    {"reply", GREETING "C:noop\nH\n", {.t_other = 50}, SMTP_OK},
	    {"session", GREETING "C:noop\nR:250-x\n", {.t_session = 80},
		SMTP_OK},
	    {"reply, the session however long", GREETING "C:noop\nH\n",
		{.t_session = INT64_MAX, .t_other = 50}, SMTP_OK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct library_scene scene;
		library_scene_begin(
		    &scene, rows[i].script, &rows[i].options, NULL);
		const int err = smtp_connect(
		    scene.session, script_server_host(scene.server), NULL);
		cr_expect_eq(
		    err, rows[i].connected, "%s: %d", rows[i].name, err);
		if (err == SMTP_OK)
			cr_expect_eq(smtp_noop(scene.session), SMTP_E_TIMEOUT,
			    "%s", rows[i].name);
		cr_expect_not(smtp_connected(scene.session));
		library_scene_clear(&scene);
	}
}

/* Row 4: also where octets go out as they are, and nobody reads them. */
Test(connection, waits_no_longer_for_octets_to_leave)
{
	const size_t len = (size_t)32 * 1024 * 1024;
	char *octets = calloc(1, len);
	struct smtp *session = smtp_new(NULL);
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(write(ends[1], "220 hi\r\n", 8), 8);
	cr_assert_eq(smtp_attach_fd(session, ends[0]), SMTP_OK);
	cr_expect_eq(smtp_set_timeout(session, 50), SMTP_OK);
	cr_expect_eq(smtp_send(session, octets, len), SMTP_E_TIMEOUT);
	cr_expect_not(smtp_connected(session));
	smtp_free(session);
	close(ends[1]);
	free(octets);
}

/* Row 10. */
Test(connection, needs_to_be_there_for_every_call)
{
	static const char *const to[] = {"a@y", NULL};
	struct smtp *session = smtp_new(NULL);

	cr_expect_eq(smtp_noop(session), SMTP_E_DISCONNECTED);
	cr_expect_str_eq(
	    smtp_last_errmsg(session), "please run smtp_connect() first");
	cr_expect_eq(smtp_send(session, "x", 1), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_getreply(session), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_quit(session), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_login(session, "u", "p", 1), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_sendmail(session, "x@y", to, "x", 1, 1, NULL, NULL),
	    SMTP_E_DISCONNECTED);
	smtp_close(session);
	smtp_free(session);
}

/* Row 14. */
Test(connection, keeps_what_EHLO_said_when_closed_and_forgets_it_at_QUIT)
{
	struct library_scene scene;

	library_scene_init(
	    &scene, GREETING EHLO_OF("S:250-SIZE 10\n") QUIT, NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
	cr_expect(smtp_does_esmtp(scene.session));
	cr_expect_eq(smtp_quit(scene.session), SMTP_OK);
	cr_expect_not(smtp_does_esmtp(scene.session));
	cr_expect_null(smtp_ehlo_resp(scene.session));
	library_scene_clear(&scene);

	library_scene_init(&scene, GREETING EHLO_OF("S:250-SIZE 10\n"), NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
	smtp_close(scene.session);
	cr_expect_not(smtp_connected(scene.session));
	cr_expect(smtp_has_extn(scene.session, "size"));
	library_scene_clear(&scene);
}

static void
keep_line(void *arg, const char *line)
{
	char *all = arg;
	const size_t len = strlen(all);

	(void)snprintf(all + len, 4096 - len, "%s\n", line);
}

/* Row 13. */
Test(connection, shows_what_passes_as_smtplib_does)
{
	static char all[4096];
	struct library_scene scene;

	library_scene_begin(&scene,
	    GREETING EHLO_OF("S:250-AUTH PLAIN\n") "C:AUTH PLAIN "
						   "AHUAcA==\nS:235 in\n"
						   "C:data\nS:354 go\nD\n"
						   "S:250 2.0.0 taken\n",
	    &(struct smtp_options){
		.auth_in_clear = 1, .local_hostname = "me.example"},
	    NULL);
	smtp_set_debug(scene.session, 1, keep_line, all);
	cr_expect_eq(
	    smtp_connect(scene.session, script_server_host(scene.server), NULL),
	    SMTP_OK);
	cr_expect_eq(smtp_login(scene.session, "u", "p", 1), SMTP_OK);
	cr_expect_eq(smtp_data(scene.session, "\xe9'\n", 3, 1), SMTP_OK);
	const char *port = strchr(script_server_host(scene.server), ':') + 1;
	char connect[80];
	(void)snprintf(connect, sizeof(connect),
	    "connect: to ('127.0.0.1', %s) None\n", port);
	cr_assert_eq(strncmp(all, connect, strlen(connect)), 0, "%s", all);
	cr_expect_str_eq(all + strlen(connect),
	    "reply: '220 mx.example\\r\\n'\n"
	    "reply: retcode (220); Msg: mx.example\n"
	    "send: 'ehlo me.example\\r\\n'\n"
	    "reply: '250-mx.example\\r\\n'\n"
	    "reply: '250-AUTH PLAIN\\r\\n'\n"
	    "reply: '250 HELP\\r\\n'\n"
	    "reply: retcode (250); Msg: mx.example\\nAUTH PLAIN\\nHELP\n"
	    "send: 'AUTH PLAIN ***\\r\\n'\n"
	    "reply: '235 in\\r\\n'\n"
	    "reply: retcode (235); Msg: in\n"
	    "send: 'data\\r\\n'\n"
	    "reply: '354 go\\r\\n'\n"
	    "reply: retcode (354); Msg: go\n"
	    "data: (354, 'go')\n"
	    "send: \"\\xe9'\\r\\n.\\r\\n\"\n"
	    "reply: '250 2.0.0 taken\\r\\n'\n"
	    "reply: retcode (250); Msg: 2.0.0 taken\n"
	    "data: (250, '2.0.0 taken')\n");
	library_scene_clear(&scene);
}

/* Row 13: level 2 has the time, 3 the secrets. */
Test(connection, shows_the_time_and_secrets_where_asked)
{
	static const struct {
		int level;
		const char *auth;
	} rows[] = {
	    {1, "send: 'AUTH PLAIN ***\\r\\n'\n"},
	    {2, " send: 'AUTH PLAIN ***\\r\\n'\n"},
	    {3, " send: 'AUTH PLAIN AHUAcA==\\r\\n'\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char all[4096];
		struct library_scene scene;
		int hours, minutes, seconds, ms;
		all[0] = '\0';
		library_scene_init(&scene,
		    GREETING EHLO_OF("S:250-AUTH PLAIN\n") "C:AUTH PLAIN "
							   "AHUAcA==\nS:235 "
							   "in\n",
		    &(struct smtp_options){.auth_in_clear = 1});
		smtp_set_debug(scene.session, rows[i].level, keep_line, all);
		cr_expect_eq(smtp_login(scene.session, "u", "p", 1), SMTP_OK);
		cr_expect_not_null(strstr(all, rows[i].auth), "%s", all);
		cr_expect_eq(sscanf(all, "%2d:%2d:%2d.%3d send: ", &hours,
				 &minutes, &seconds, &ms) == 4,
		    rows[i].level >= 2, "%s", all);
		library_scene_clear(&scene);
	}
}

/* Row 13: Better than smtplib, which shows them. */
Test(connection, hides_secrets_that_are_said_by_hand)
{
	static char all[4096];
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:AUTH LOGIN\nS:334 VXNlcg==\nC:dQ==\nS:334 UGFzcw==\n"
		     "C:cA==\nS:535 no\nC:auth plain AHUAcA==\nS:535 no\n"
		     "C:AUTH X\nS:334 \nC:*\nS:501 ok\n",
	    NULL);
	smtp_set_debug(scene.session, 1, keep_line, all);
	cr_expect_eq(smtp_docmd(scene.session, "AUTH", "LOGIN"), SMTP_OK);
	cr_expect_eq(smtp_docmd(scene.session, "dQ==", NULL), SMTP_OK);
	cr_expect_eq(smtp_putcmd(scene.session, "cA==", NULL), SMTP_OK);
	cr_expect_eq(smtp_getreply(scene.session), SMTP_OK);
	cr_expect_eq(
	    smtp_docmd(scene.session, "auth plain AHUAcA==", NULL), SMTP_OK);
	cr_expect_eq(smtp_docmd(scene.session, "AUTH", "X"), SMTP_OK);
	cr_expect_eq(smtp_docmd(scene.session, "*", NULL), SMTP_OK);
	cr_expect_str_eq(all,
	    "send: 'AUTH LOGIN\\r\\n'\n"
	    "reply: '334 VXNlcg==\\r\\n'\n"
	    "reply: retcode (334); Msg: VXNlcg==\n"
	    "send: '***\\r\\n'\n"
	    "reply: '334 UGFzcw==\\r\\n'\n"
	    "reply: retcode (334); Msg: UGFzcw==\n"
	    "send: '***\\r\\n'\n"
	    "reply: '535 no\\r\\n'\n"
	    "reply: retcode (535); Msg: no\n"
	    "send: 'auth plain ***\\r\\n'\n"
	    "reply: '535 no\\r\\n'\n"
	    "reply: retcode (535); Msg: no\n"
	    "send: 'AUTH X\\r\\n'\n"
	    "reply: '334 \\r\\n'\n"
	    "reply: retcode (334); Msg: \n"
	    "send: '*\\r\\n'\n"
	    "reply: '501 ok\\r\\n'\n"
	    "reply: retcode (501); Msg: ok\n");
	library_scene_clear(&scene);
}

/* However the octets of a login are cut, or put together. */
Test(connection, hides_secrets_in_octets_that_are_sent_as_they_are)
{
	static const char *const pieces[] = {"NOOP\r\nAUTH PLAIN c2VjcmV0\r\n",
	    "AUTH ", "PLAIN c2VjcmV0\r\n", "AU", "TH PLAIN c2V", "jcmV0",
	    "\r\n", " \tAUTH PLAIN c2VjcmV0\r\n"};
	static char all[4096];
	struct library_scene scene;

	library_scene_init(&scene, GREETING, NULL);
	smtp_set_debug(scene.session, 1, keep_line, all);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		cr_expect_eq(
		    smtp_send(scene.session, pieces[i], strlen(pieces[i])),
		    SMTP_OK);
	cr_expect_null(strstr(all, "c2V"), "%s", all);
	cr_expect_null(strstr(all, "jcm"), "%s", all);
	cr_expect_eq(smtp_send(scene.session, "NOOP\r\n", 6), SMTP_OK);
	cr_expect_not_null(strstr(all, "send: 'NOOP\\r\\n'\n"), "%s", all);
	library_scene_clear(&scene);
}

/* Row 13: "data:" stands behind the replies to DATA and to the content. */
Test(connection, calls_the_same_replies_data_where_it_pipelines)
{
	static const char *const to[] = {"a@y", NULL};
	static char all[4096];
	struct library_scene scene;
	char datas[512] = "";

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-PIPELINING\n") "C:mail\nC:rcpt\nC:data\n"
						   "S:250 1\nS:250 2\n"
						   "S:354 3\nD\nS:250 4\n"
						   "C:noop\nS:250 5\n",
	    NULL);
	smtp_set_debug(scene.session, 1, keep_line, all);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", to, "data\r\n", 6, 1,
			 NULL, NULL),
	    SMTP_OK);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	for (const char *p = strstr(all, "data: ("); p != NULL;
	     p = strstr(p + 1, "data: ("))
		(void)snprintf(datas + strlen(datas),
		    sizeof(datas) - strlen(datas), "%.16s", p);
	cr_expect_str_eq(datas, "data: (354, '3')data: (250, '4')", "%s", all);
	library_scene_clear(&scene);
}

/* ---- whom to believe ---- */

/* A file of certificates that is none is told before anything is said. */
Test(connection, believes_nobody_by_a_file_that_is_none)
{
	struct smtp_options options = {.size = sizeof(options),
	    .tls = SMTP_TLS_IMPLICIT,
	    .tls_ca = "/nonexistent/ca.pem"};
	struct library_scene scene;

	library_scene_begin(&scene, "H\n", &options, NULL);
	cr_expect_eq(
	    smtp_connect(scene.session, script_server_host(scene.server), NULL),
	    SMTP_E_TLS);
	cr_expect_not_null(
	    strstr(smtp_last_errmsg(scene.session), "/nonexistent/ca.pem"));
	library_scene_clear(&scene);
}

/* Rows 2 and 3: the default ports, and hosts of every form; the trace tells
 * where it goes before it is refused. */
Test(connection, goes_to_the_port_that_belongs_to_it)
{
	static const struct {
		const char *host;
		const char *service;
		struct smtp_options options;
		const char *where;
	} rows[] = {
	    {"127.0.0.1", NULL, {0}, "('127.0.0.1', 25)"},
	    {"127.0.0.1", NULL, {.tls = SMTP_TLS_IMPLICIT},
		"('127.0.0.1', 465)"},
	    {"127.0.0.1", NULL, {.lmtp = 1}, "('127.0.0.1', 2003)"},
	    {"127.0.0.1", "odmr", {0}, "('127.0.0.1', 366)"},
	    {"127.0.0.1", "submission", {0}, "('127.0.0.1', 587)"},
	    {"127.0.0.1:26", NULL, {.lmtp = 1}, "('127.0.0.1', 26)"},
	    {"127.0.0.1", "27", {0}, "('127.0.0.1', 27)"},
	    {"::1", NULL, {0}, "('::1', 25)"},
	    {"[::1]", NULL, {0}, "('::1', 25)"},
	    {"[::1]:28", NULL, {0}, "('::1', 28)"},
	    {"::1", "29", {0}, "('::1', 29)"},
	    {"2001:db8::1:30", "1", {.t_connect = 1}, "('2001:db8::1:30', 1)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char all[4096];
		struct smtp *session = smtp_new(&rows[i].options);
		all[0] = '\0';
		smtp_set_debug(session, 1, keep_line, all);
		/* Whether somebody answers there is not the question. */
		(void)smtp_connect(session, rows[i].host, rows[i].service);
		cr_expect_not_null(
		    strstr(all, rows[i].where), "%s: %s", rows[i].host, all);
		smtp_free(session);
	}
}

/* Row 4: t_session bounds all, and the name server's silence with it. */
Test(connection, waits_for_a_name_no_longer_than_the_session_may_take)
{
	static const struct dns_server_row names[] = {
	    {.name = "mx.example", .manner = DNS_SERVER_IS_SILENT},
	    {.name = NULL},
	};
	const struct smtp_options options[] = {
	    {.t_session = 100}, {.t_connect = 100}};
	struct dns_server *dns = dns_server_new(names);
	struct error error;

	for (size_t i = 0; i < 2; i++) {
		struct smtp *session = smtp_new(&options[i]);
		/* Else resolv.conf would say whom to ask. */
		cr_assert(resolver_new(session->loop, dns_server_address(dns),
		    &session->resolver, &error));
		for (int j = 0; j < 2; j++) {
			cr_expect_eq(smtp_connect(session, "mx.example", NULL),
			    SMTP_E_TIMEOUT);
			cr_expect_eq(smtp_last_stage(session), SMTP_S_CONNECT);
			cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
		}
		smtp_free(session);
	}
	cr_expect_gt(dns_server_asked(dns), 0);
	dns_server_free(dns);
}
