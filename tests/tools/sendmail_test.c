/* sendmail as a whole: who it says to whom what, and how it ends. */
#include "base/log.h"
#include "base/memory.h"
#include "lib/sendmail_scene.h"
#include "lib/watched.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static struct sendmail_scene scene;
static struct buffer log_lines;

static void
begin(void)
{
	buffer_init(&log_lines, 1 << 20);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_DEBUG, "test", &log_lines);
	sendmail_scene_init(&scene);
}

static void
end(void)
{
	sendmail_scene_clear(&scene);
	buffer_clear(&log_lines);
}

TestSuite(sendmail, .init = begin, .fini = end);

static void
run(const char *command_line, const char *input)
{
	sendmail_scene_run(&scene, command_line, bytes_of(input), NULL);
}

static char *
content(size_t index)
{
	return fake_door_content(&scene.intake.fake, index);
}

/* text with the caller's login for "$LOGIN"; valid until the next call. */
static const char *
expand(const char *text)
{
	static char expanded[4096];
	const char *mark = strstr(text, "$LOGIN");

	if (mark == NULL)
		return text;
	(void)snprintf(expanded, sizeof(expanded), "%.*s%s%s",
	    (int)(mark - text), text, scene.login, mark + strlen("$LOGIN"));
	return expanded;
}

static void
expect_envelope(const char *name, size_t index, const char *expected)
{
	const char *envelope = sendmail_scene_envelope(&scene, index);
	cr_expect_str_eq(envelope, expand(expected), "%s: %s", name, envelope);
}

static void
expect_has(const char *name, const char *text, const char *expected)
{
	cr_expect(strstr(text, expand(expected)) != NULL, "%s: %s", name, text);
}

/* ---- accepted: the envelope, and what is in the content ---- */

static const struct {
	const char *name;
	const char *command_line;
	const char *input;
	const char *envelope;
	const char *has; /* in the content; NULL: not asked */
	const char *lacks;
} accepted[] = {
    {"cron", "sendmail -FCronDaemon -i -B8BITMIME -oem root",
	"From: root (Cron Daemon)\nTo: root\nSubject: s\n\nout\n.\nput\n",
	"$LOGIN@example.org>admin@example.net",
	"From: root@example.org (Cron Daemon)\r\nTo: root@example.org\r\n",
	"CronDaemon"},
    {"cronie", "sendmail -FCronDaemon -i -B8BITMIME -oem -f <> root",
	"From: \"(Cron Daemon)\" <root>\nTo: root\n\nx\n", ">admin@example.net",
	"From: \"(Cron Daemon)\" <root@example.org>\r\n", NULL},
    {"at", "sendmail -i ada", "Subject: Output of your job\nTo: ada\n\nx\n",
	"$LOGIN@example.org>ada@example.org",
	"From: Me <$LOGIN@example.org>\r\n", NULL},
    {"anacron, a lone dot without -i", "sendmail -FAnacron -odi root",
	"From: Anacron <root>\nTo: root\n\na\n.\nb\n",
	"$LOGIN@example.org>admin@example.net", "\r\n\r\na\r\n.\r\nb\r\n",
	NULL},
    {"mdadm, sudo: -t without -i", "sendmail -t",
	"To: root\nFrom: mdadm monitoring <root>\n\n.\n..\n.x\n",
	"$LOGIN@example.org>admin@example.net", "\r\n\r\n.\r\n..\r\n.x\r\n",
	NULL},
    {"mutt", "sendmail -oem -oi -f a@x.example -B8BITMIME -- b@y.example",
	"From: A <a@x.example>\nTo: b@y.example\n\nx\n",
	"a@x.example>b@y.example", NULL, NULL},
    {"mailutils, our short name", "sendmail -oi -f ada@mail -t",
	"To: b@y.example\n\nx\n", "ada@example.org>b@y.example",
	"From: Me <ada@example.org>\r\n", NULL},
    {"PHP, CRLF", "sendmail -t -i -fuser@x.example",
	"To: b@y.example\r\nSubject: s\r\n\r\na\r\nb\r\n",
	"user@x.example>b@y.example", "\r\n\r\na\r\nb\r\n", "\r\r"},
    {"mixed line ends", "sendmail -i b", "Subject: s\r\n\na\rb\nc\r\n\r\n",
	"$LOGIN@example.org>b@example.org", "\r\n\r\na\r\nb\r\nc\r\n\r\n",
	"\r\r"},
    {"nodemailer keeps Bcc in the header",
	"sendmail -i -f me@x.example b@y.example c@z.example",
	"To: b@y.example\r\nBcc: c@z.example\r\n\r\nx\r\n",
	"me@x.example>b@y.example,c@z.example", NULL, "Bcc"},
    {"-t and operands are united", "sendmail -t c@z.example b@y.example",
	"To: b@y.example\nBcc: d@w.example\n\nx\n",
	"$LOGIN@example.org>c@z.example,b@y.example,d@w.example", NULL, "d@w"},
    {"Resent fields", "sendmail -t",
	"To: b@y.example\nResent-To: c@z.example\n\nx\n",
	"$LOGIN@example.org>c@z.example", "To: b@y.example\r\n", NULL},
    {"a mbox line", "sendmail b", "From a Mon Nov 23 05:52:00 2026\nTo: b\n\n",
	"$LOGIN@example.org>b@example.org", NULL, "From a"},
    {"Return-Path", "sendmail b", "Return-Path: <x@y>\nTo: b\n\nx\n",
	"$LOGIN@example.org>b@example.org", NULL, "Return-Path"},
    {"-F for a missing From", "sendmail -F 'Ada L.' b", "To: b\n\nx\n",
	"$LOGIN@example.org>b@example.org",
	"From: \"Ada L.\" <$LOGIN@example.org>\r\n", NULL},
    {"-F with From there", "sendmail -F Ada b", "From: c@x.example\n\nx\n",
	"$LOGIN@example.org>b@example.org", "From: c@x.example\r\n", "Ada"},
    {"-f '' is the null sender", "sendmail -f '' b", "To: b\n\nx\n",
	">b@example.org", "From: Me <$LOGIN@example.org>\r\n", NULL},
    {"a sender that begins with a hyphen", "sendmail -f -OX b", "\nx\n",
	"-OX@example.org>b@example.org", NULL, NULL},
    {"an operand behind operands", "sendmail b -bs --help", "\nx\n",
	"$LOGIN@example.org>b@example.org,-bs@example.org,--help@example.org",
	NULL, NULL},
    {"nothing at all", "sendmail b", "", "$LOGIN@example.org>b@example.org",
	"From: Me <$LOGIN@example.org>\r\n", NULL},
    {"a body alone", "sendmail b", "no header here\n",
	"$LOGIN@example.org>b@example.org", "\r\n\r\nno header here\r\n", NULL},
    {"no line end at the end", "sendmail b", "To: b\n\nx",
	"$LOGIN@example.org>b@example.org", "\r\n\r\nx\r\n", NULL},
    {"UTF-8 addresses", "sendmail b\xc3\xa4@y.example", "\nx\n",
	"$LOGIN@example.org>b\xc3\xa4@y.example", NULL, NULL},
};

Test(sendmail, hands_over_what_programs_send)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		run(accepted[i].command_line, accepted[i].input);
		cr_expect_eq(scene.status, EX_OK, "%s: %d", accepted[i].name,
		    scene.status);
		cr_expect_str_eq(
		    scene.errors, "", "%s: %s", accepted[i].name, scene.errors);
		cr_expect_str_eq(
		    scene.output, "", "%s: %s", accepted[i].name, scene.output);
		cr_assert_eq(scene.intake.fake.count, i + 1, "%s: no message",
		    accepted[i].name);
		expect_envelope(accepted[i].name, i, accepted[i].envelope);
		char *text = content(i);
		if (accepted[i].has != NULL)
			expect_has(accepted[i].name, text, accepted[i].has);
		if (accepted[i].lacks != NULL)
			cr_expect(strstr(text, accepted[i].lacks) == NULL,
			    "%s: %s", accepted[i].name, text);
		free(text);
	}
}

Test(sendmail, passes_on_what_is_asked_of_reports)
{
	run("sendmail -i -f a@x.example -N failure,delay -R hdrs -V id+1 b c",
	    "Subject: gr\xc3\xbc\xc3\x9f\x65\n\nx\n");
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	const struct envelope *envelope =
	    &scene.intake.fake.letters[0].message->envelope;
	cr_expect_eq(envelope->ret, MAIL_RETURN_HEADERS);
	cr_expect_str_eq(envelope->id, "id+2B1");
	cr_expect_eq(envelope->body, MAIL_BODY_8BITMIME);
	cr_expect_eq(envelope->uid, getuid());
	cr_expect_eq(envelope->recipients[0].notify, 12);
	cr_expect_eq(envelope->recipients[1].notify, 12);
	cr_expect_not(envelope->utf8);
}

Test(sendmail, asks_for_smtputf8_where_it_is_told_to)
{
	run("sendmail -O smtputf8=yes b", "Subject: s\n\nx\n");
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	cr_expect(scene.intake.fake.letters[0].message->envelope.utf8);
}

Test(sendmail, shows_the_answer_when_asked)
{
	run("sendmail -v b", "\nx\n");
	cr_expect_eq(scene.status, EX_OK);
	cr_expect_str_eq(scene.output, "2.0.0 accepted as 00000000001\n", "%s",
	    scene.output);
}

static struct bytes
large_content(size_t size)
{
	static const char line[] =
	    "0123456789abcdef0123456789abcdef012345678\n";
	char *text = memory_array(size, 1);

	memcpy(text, "S: s\n\n", 6);
	for (size_t at = 6; at < size; at += sizeof(line) - 1) {
		size_t left = size - at;
		memcpy(text + at, line,
		    left < sizeof(line) - 1 ? left : sizeof(line) - 1);
	}
	return bytes_make(text, size);
}

Test(sendmail, hands_over_large_mail)
{
	struct bytes input = large_content(9 << 20);

	sendmail_scene_run(&scene, "sendmail -i b", input, NULL);
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	const struct body *body = &scene.intake.fake.letters[0].message->body;
	cr_expect_gt(body->len, input.len);
	cr_expect_geq(body->fd, 0);
	free((void *)(uintptr_t)input.data);
}

Test(sendmail, splits_many_recipients)
{
	struct buffer line;

	buffer_init(&line, 65536);
	buffer_append_text(&line, "To: ");
	for (int i = 0; i < 250; i++)
		buffer_printf(&line, "%sr%d@x.example", i == 0 ? "" : ",", i);
	buffer_append_text(&line, "\n\nx\n");
	sendmail_scene_run(&scene, "sendmail -t", buffer_bytes(&line), NULL);
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	cr_assert_eq(scene.intake.fake.count, 3);
	size_t count = 0;
	for (size_t i = 0; i < 3; i++)
		count += scene.intake.fake.letters[i]
			     .message->envelope.recipient_count;
	cr_expect_eq(count, 250);
	buffer_clear(&line);
}

Test(sendmail, encodes_nul_octets)
{
	static const char input[] = "Subject: s\n\na\0b\n";

	sendmail_scene_run(
	    &scene, "sendmail b", bytes_make(input, sizeof(input) - 1), NULL);
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = content(0);
	cr_expect(
	    strstr(text, "Content-Transfer-Encoding: ") != NULL, "%s", text);
	free(text);
}

/* ---- refused ---- */

static const struct {
	const char *name;
	const char *command_line;
	const char *input;
	int status;
	const char *error; /* the first line begins so */
	size_t messages;
} refused[] = {
    {"no recipients", "sendmail", "x\n", EX_NOINPUT,
	"sendmail: no recipients: name them, or use -t\n", 0},
    {"none in the header", "sendmail -t", "Subject: s\n\nx\n", EX_NOINPUT,
	"sendmail: no recipients in the header\n", 0},
    {"a bad recipient alone", "sendmail 'a b'", "\nx\n", EX_DATAERR,
	"sendmail: not an address: a b\nsendmail: no recipient is left\n", 0},
    {"a bad recipient among others", "sendmail 'a b' c", "\nx\n", EX_DATAERR,
	"sendmail: not an address: a b\n", 1},
    {"a bad recipient in the header", "sendmail -t", "To: a@@b, c\n\nx\n",
	EX_DATAERR, "sendmail: not an address: a@@b\n", 1},
    {"an unbalanced header", "sendmail -t", "To: \"a <a@x>, c\n\nx\n",
	EX_DATAERR, "sendmail: To: unbalanced quotes or brackets: \"a", 0},
    {"a bad sender", "sendmail -f 'a b' c", "\nx\n", EX_DATAERR,
	"sendmail: the sender is not an address: a b\n", 0},
    {"an injected sender", "sendmail -f 'a\r\nRCPT TO:<x@y>' c", "\nx\n",
	EX_DATAERR, "sendmail: control character in the sender", 0},
    {"an injected name", "sendmail -F 'a\r\nBcc: x@y' c", "\nx\n", EX_DATAERR,
	"sendmail: -F: control character in the name\n", 0},
    {"a bad option", "sendmail -R some c", "\nx\n", EX_USAGE,
	"sendmail: -R some: say full or hdrs\n", 0},
    {"-bd", "sendmail -bd", "", EX_USAGE,
	"sendmail: -bd: the daemon is postriderd", 0},
    {"-bv", "sendmail -bv a@x", "", EX_UNAVAILABLE,
	"sendmail: -bv: this version", 0},
    {"mailq without a daemon", "mailq", "", EX_UNAVAILABLE, "sendmail: ", 0},
    {"-q without a daemon", "sendmail -q", "", EX_UNAVAILABLE, "sendmail: ", 0},
    {"-qS", "sendmail -qSa@x", "", EX_USAGE, "sendmail: -qS: ", 0},
    {"-qR with rubbish", "sendmail -qR'\"'", "", EX_USAGE,
	"sendmail: -qR: not a domain\n", 0},
    {"-qI with rubbish", "sendmail -qI'\"'", "", EX_USAGE,
	"sendmail: -qI: not a queue id\n", 0},
};

Test(sendmail, says_why_not)
{
	size_t messages = 0;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		run(refused[i].command_line, refused[i].input);
		cr_expect_eq(scene.status, refused[i].status, "%s: %d",
		    refused[i].name, scene.status);
		cr_expect_eq(strncmp(scene.errors, refused[i].error,
				 strlen(refused[i].error)),
		    0, "%s: %s", refused[i].name, scene.errors);
		messages += refused[i].messages;
		cr_expect_eq(
		    scene.intake.fake.count, messages, "%s", refused[i].name);
		cr_expect_null(sendmail_scene_dropped(&scene));
	}
}

Test(sendmail, goes_on_at_an_unknown_flag)
{
	run("sendmail -Z b", "\nx\n");
	cr_expect_eq(scene.status, EX_OK);
	cr_expect_str_eq(
	    scene.errors, "sendmail: option -Z is unknown and passed over\n");
	cr_expect_eq(scene.intake.fake.count, 1);
}

Test(sendmail, has_no_aliases_to_rebuild)
{
	run("newaliases", "");
	cr_expect_eq(scene.status, EX_OK);
	cr_expect_str_eq(scene.output,
	    "nothing to rebuild: this version of postrider reads no alias "
	    "file\n");
}

Test(sendmail, does_not_drop_what_the_daemon_refuses)
{
	static const struct {
		enum door_answer room;
		enum door_answer answer;
		const char *error;
	} rows[] = {
	    {DOOR_DISK_FULL, DOOR_TAKEN, "sendmail: message refused: 452"},
	    {DOOR_TAKEN, DOOR_DISK_FULL, "sendmail: message refused: 452"},
	    {DOOR_TAKEN, DOOR_DISK_FAILED, "sendmail: message refused: 451"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scene.intake.fake.room = rows[i].room;
		scene.intake.fake.answer = rows[i].answer;
		run("sendmail a b", "\nx\n");
		cr_expect_eq(
		    scene.status, EX_TEMPFAIL, "row %zu: %d", i, scene.status);
		cr_expect_eq(
		    strncmp(scene.errors, rows[i].error, strlen(rows[i].error)),
		    0, "%s", scene.errors);
		cr_expect_null(sendmail_scene_dropped(&scene));
	}
}

Test(sendmail, tells_of_a_recipient_that_is_refused)
{
	static const char *const domains[] = {"x.example"};

	scene.intake.options.trusted = false;
	scene.intake.admission_options.relay_domains = domains;
	scene.intake.admission_options.relay_domain_count = 1;
	run("sendmail a@x.example b@y.example", "\nx\n");
	cr_expect_eq(scene.status, EX_UNAVAILABLE, "%d", scene.status);
	cr_expect_eq(strncmp(scene.errors,
			 "sendmail: b@y.example refused: 550 5.7.1 ", 40),
	    0, "%s", scene.errors);
	expect_envelope(
	    "a refused recipient", 0, "$LOGIN@example.org>a@x.example");
	run("sendmail b@y.example c@y.example", "\nx\n");
	cr_expect_eq(scene.status, EX_UNAVAILABLE);
	cr_expect_eq(scene.intake.fake.count, 1);
}

Test(sendmail, tells_that_mail_is_too_large)
{
	struct bytes input = large_content(12 << 20);

	sendmail_scene_run(&scene, "sendmail -i b", input, NULL);
	cr_expect_eq(scene.status, EX_UNAVAILABLE, "%d", scene.status);
	cr_expect_eq(
	    strncmp(scene.errors, "sendmail: message refused: 552", 30), 0,
	    "%s", scene.errors);
	free((void *)(uintptr_t)input.data);
}

/* ---- the drop directory ---- */

Test(sendmail, drops_mail_where_nobody_listens)
{
	sendmail_scene_stop(&scene);
	setenv("TZ", "UTC", 1);
	run("sendmail -f a@x.example -N never -R full -V id=1 b 'C "
	    "<c@z.example>'",
	    "Date: d\nBcc: d@w\n\nna\xc3\xafve\n.\n");
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = sendmail_scene_dropped(&scene);
	cr_expect_str_eq(text,
	    "X-Sender: <a@x.example> BODY=8BITMIME RET=FULL ENVID=id+3D1\r\n"
	    "X-Receiver: <b> NOTIFY=NEVER\r\n"
	    "X-Receiver: <c@z.example> NOTIFY=NEVER\r\n"
	    "Date: d\r\n"
	    "From: Me <a@x.example>\r\n"
	    "\r\n"
	    "na\xc3\xafve\r\n.\r\n",
	    "%s", text);
	free(text);
}

Test(sendmail, drops_several_files_for_many_recipients)
{
	struct buffer line;

	sendmail_scene_stop(&scene);
	buffer_init(&line, 65536);
	buffer_append_text(&line, "Bcc: ");
	for (int i = 0; i < 1100; i++)
		buffer_printf(
		    &line, "%sr%d@x.example", i == 0 ? "" : ",\n ", i);
	buffer_append_text(&line, "\n\nx\n");
	sendmail_scene_run(&scene, "sendmail -t", buffer_bytes(&line), NULL);
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	cr_expect_eq(sendmail_scene_dropped_files(&scene), 3);
	buffer_clear(&line);
}

Test(sendmail, dates_what_it_drops)
{
	sendmail_scene_stop(&scene);
	run("sendmail b", "\nx\n");
	char *text = sendmail_scene_dropped(&scene);
	cr_assert_not_null(text);
	cr_expect(
	    strstr(text, "X-Receiver: <b>\r\nDate: ") != NULL, "%s", text);
	free(text);
}

Test(sendmail, drops_mail_while_the_daemon_shuts_down)
{
	smtp_intake_shut(scene.intake.intake);
	run("sendmail b", "\nx\n");
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = sendmail_scene_dropped(&scene);
	cr_assert_not_null(text);
	free(text);
}

Test(sendmail, drops_mail_when_the_door_is_closed)
{
	scene.intake.fake.answer = DOOR_CLOSED;
	run("sendmail b", "\nx\n");
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = sendmail_scene_dropped(&scene);
	cr_assert_not_null(text);
	free(text);
}

Test(sendmail, fails_where_it_cannot_drop)
{
	sendmail_scene_stop(&scene);
	cr_assert_eq(chmod(scene.drop, 0777), 0);
	run("sendmail b", "\nx\n");
	cr_expect_eq(scene.status, EX_CONFIG, "%d", scene.status);
	cr_expect(strstr(scene.errors, "mode 0777, must be 3733") != NULL, "%s",
	    scene.errors);
	cr_assert_eq(rmdir(scene.drop), 0);
	run("sendmail b", "\nx\n");
	cr_expect_eq(scene.status, EX_TEMPFAIL, "%d", scene.status);
	cr_expect(
	    strstr(scene.errors, "no daemon") != NULL, "%s", scene.errors);
}

static void
forbid_files(void)
{
	const struct rlimit none = {0, 0};

	(void)signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
}

Test(sendmail, leaves_no_file_behind_that_it_could_not_write)
{
	sendmail_scene_stop(&scene);
	sendmail_scene_run(&scene, "sendmail b", BYTES("\nx\n"), forbid_files);
	cr_expect_eq(
	    scene.status, EX_TEMPFAIL, "%d %s", scene.status, scene.errors);
	cr_expect_null(sendmail_scene_dropped(&scene));
}

static void
set_umask(void)
{
	umask(0777);
}

Test(sendmail, gives_its_file_the_right_mode_whatever_the_umask)
{
	sendmail_scene_stop(&scene);
	sendmail_scene_run(&scene, "sendmail b", BYTES("\nx\n"), set_umask);
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = sendmail_scene_dropped(&scene);
	cr_assert_not_null(text);
	free(text);
	cr_expect_eq(scene.dropped_mode, 0640, "%o", scene.dropped_mode);
}

static void
forbid_descriptors(void)
{
	const struct rlimit none = {3, 3};
	setrlimit(RLIMIT_NOFILE, &none);
}

Test(sendmail, fails_for_now_without_descriptors)
{
	skip_under_valgrind("it keeps descriptors of its own");
	sendmail_scene_run(
	    &scene, "sendmail b", BYTES("\nx\n"), forbid_descriptors);
	cr_expect_eq(
	    scene.status, EX_TEMPFAIL, "%d %s", scene.status, scene.errors);
	cr_expect_null(sendmail_scene_dropped(&scene));
}

static void
take_a_directory_as_input(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	dup2(fd, STDIN_FILENO);
}

Test(sendmail, sends_nothing_when_reading_fails)
{
	sendmail_scene_run(
	    &scene, "sendmail b", BYTES(""), take_a_directory_as_input);
	cr_expect_eq(scene.status, EX_IOERR, "%d", scene.status);
	cr_expect_eq(scene.intake.fake.count, 0);
}

static void
take_a_slow_socket_as_input(void)
{
	int pair[2];

	(void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	if (fork() == 0) {
		static const char *const pieces[] = {
		    "Subj", "ect: s\r", "\n\r\nbo", "dy\r\n.\r", "\nend\r\n"};
		close(pair[0]);
		for (size_t i = 0; i < 5; i++) {
			(void)!write(pair[1], pieces[i], strlen(pieces[i]));
			usleep(2000);
		}
		_exit(0);
	}
	close(pair[1]);
	dup2(pair[0], STDIN_FILENO);
}

Test(sendmail, waits_for_input_that_is_non_blocking)
{
	sendmail_scene_run(
	    &scene, "sendmail b", BYTES(""), take_a_slow_socket_as_input);
	cr_assert_eq(scene.status, EX_OK, "%s", scene.errors);
	char *text = content(0);
	cr_expect(
	    strstr(text, "\r\n\r\nbody\r\n.\r\nend\r\n") != NULL, "%s", text);
	free(text);
}

/* ---- -bs ---- */

Test(sendmail, carries_smtp_with_the_callers_identity)
{
	run("sendmail -bs",
	    "EHLO c\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 6 LAST\r\nS: s\r\n"
	    "QUIT\r\n");
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	cr_expect_eq(strncmp(scene.output, "220 mail.example", 16), 0, "%s",
	    scene.output);
	cr_expect(strstr(scene.output, "\r\n221 ") != NULL, "%s", scene.output);
	cr_assert_eq(scene.intake.fake.count, 1);
	cr_expect_eq(
	    scene.intake.fake.letters[0].message->envelope.uid, getuid());
}

Test(sendmail, ends_a_session_with_its_input)
{
	run("sendmail -bs", "EHLO c\r\n");
	cr_expect_eq(scene.status, EX_OK, "%s", scene.errors);
	cr_expect(strstr(scene.output, "\r\n250 ") != NULL, "%s", scene.output);
}

Test(sendmail, says_421_where_there_is_no_session_to_carry)
{
	sendmail_scene_stop(&scene);
	run("sendmail -bs", "EHLO c\r\n");
	cr_expect_eq(scene.status, EX_TEMPFAIL);
	cr_expect_str_eq(
	    scene.output, "421 4.3.2 postrider is not running\r\n");
}
