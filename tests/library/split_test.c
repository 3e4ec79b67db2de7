/* One mail in several transactions (RFC 5321 4.5.3.1.8 and .10, RFC 9422), and
 * content that is needed more than once. */
#include "base/buffer.h"
#include "lib/library_scene.h"
#include "lib/scratch_folder.h"
#include "lib/wire_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OK        "S:250 ok\n"
#define MAIL      "C:mail from:<x@y>\n" OK
#define RCPT(who) "C:rcpt to:<" who ">\n"
#define DATA      "C:data\nS:354 go\nD\n"
#define SENT      DATA OK
#define NOOP      "C:noop\nS:250 ok\n"
#define START     GREETING EHLO MAIL
#define LIMITS(l) GREETING EHLO_OF("S:250-LIMITS " l "\n")

struct row {
	const char *name;
	const char *script;
	const char *to[6];
	int err;
	/* "250 250 552": the code of each recipient. */
	const char *codes;
	const char *classes;
	struct smtp_options options;
};

/* ---- a source that gives lines once, or again where it is told ---- */

struct source {
	size_t left;
	size_t all;
	int rewinds;
};

#define LINE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\n"

static int64_t
read_lines(void *arg, void *buf, size_t cap)
{
	struct source *source = arg;

	if (buf == NULL) {
		source->left = source->all;
		source->rewinds++;
		return 0;
	}
	size_t len = source->left < cap ? source->left : cap;
	for (size_t i = 0; i < len; i++)
		((char *)buf)[i] =
		    LINE[(source->all - source->left + i) % (sizeof(LINE) - 1)];
	source->left -= len;
	return (int64_t)len;
}

static void
check_results(const struct row *row, const struct smtp *session)
{
	char codes[64] = "";
	char classes[8] = "";

	for (size_t i = 0; i < smtp_nresults(session); i++) {
		const struct smtp_result *result = smtp_result_at(session, i);
		cr_expect_str_eq(result->addr, row->to[i], "%s", row->name);
		(void)snprintf(codes + strlen(codes),
		    sizeof(codes) - strlen(codes), "%s%d", i > 0 ? " " : "",
		    result->code);
		classes[i] = "OTPC"[result->cls];
	}
	cr_expect_str_eq(codes, row->codes, "%s: %s", row->name, codes);
	cr_expect_str_eq(classes, row->classes, "%s: %s", row->name, classes);
}

static void
check(const struct row *row)
{
	struct library_scene scene;

	library_scene_init(&scene, row->script, &row->options);
	struct smtp *session = scene.session;
	cr_expect_eq(
	    smtp_sendmail(session, "x@y", row->to, "Hi\n", 3, 1, NULL, NULL),
	    row->err, "%s: %s", row->name, smtp_last_errmsg(session));
	check_results(row, session);
	if (row->err == SMTP_OK) {
		cr_expect_eq(smtp_last_code(session), 250, "%s", row->name);
		cr_expect_eq(smtp_last_class(session), SMTP_C_OK);
		cr_expect_str_eq(smtp_last_errmsg(session), "");
	}
	if (smtp_connected(session))
		cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->name);
	library_scene_clear(&scene);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i]);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

/* Row 4.5.3.1.10 of 4.1: 452, or 552 of old, behind one that was accepted. */
Test(split, sends_those_that_were_too_many_at_once)
{
	static const struct row rows[] = {
	    {"452",
		START RCPT("a@y") OK RCPT("b@y") "S:452 4.5.3 full\n" RCPT(
		    "c@y") "S:452 4.5.3 full\n" SENT MAIL RCPT("b@y")
		    OK RCPT("c@y") OK SENT NOOP,
		{"a@y", "b@y", "c@y"}, SMTP_OK, "250 250 250", "OOO", {0}},
	    {"552, and one refused",
		START RCPT("a@y") OK RCPT("b@y") "S:552 full\n" RCPT(
		    "c@y") "S:550 no\n" SENT MAIL RCPT("b@y") OK SENT NOOP,
		{"a@y", "b@y", "c@y"}, SMTP_OK, "250 250 550", "OOP", {0}},
	    {"one by one",
		START RCPT("a@y") OK RCPT("b@y") "S:452 no\n" RCPT(
		    "c@y") "S:452 no\n" SENT MAIL RCPT("b@y")
		    OK RCPT("c@y") "S:452 no\n" SENT MAIL RCPT("c@y")
			OK SENT NOOP,
		{"a@y", "b@y", "c@y"}, SMTP_OK, "250 250 250", "OOO", {0}},
	    {"a box that is full stays so",
		START RCPT("a@y")
		    OK RCPT("b@y") "S:552 5.2.2 full\n" SENT MAIL RCPT(
			"b@y") "S:552 5.2.2 full\n" NOOP,
		{"a@y", "b@y"}, SMTP_OK, "250 552", "OP", {0}},
	    {"452 before any was accepted",
		START RCPT("a@y") "S:452 no\n" RCPT("b@y") OK SENT NOOP,
		{"a@y", "b@y"}, SMTP_OK, "452 250", "TO", {0}},
	    {"the message is refused for those that were accepted",
		START RCPT("a@y")
		    OK RCPT("b@y") "S:452 no\n" DATA
				   "S:554 no\nC:rset\nS:250 ok\n" NOOP,
		{"a@y", "b@y"}, SMTP_E_DATA, "554 452", "PT", {0}},
	    {"the second message is refused",
		START RCPT("a@y") OK RCPT("b@y") "S:452 no\n" SENT MAIL RCPT(
		    "b@y") OK DATA "S:451 no\n" NOOP,
		{"a@y", "b@y"}, SMTP_OK, "250 451", "OT", {0}},
	    {"the connection is lost between",
		START RCPT("a@y") OK RCPT("b@y") "S:452 no\n" SENT
						 "C:mail from:<x@y>\nX\n",
		{"a@y", "b@y"}, SMTP_E_DISCONNECTED, "250 0", "OT", {0}},
	};

	CHECK(rows);
}

/* RFC 9422. */
Test(split, keeps_to_what_the_server_says_it_takes)
{
	static const struct row rows[] = {
	    {"RCPTMAX",
		LIMITS("RCPTMAX=2") MAIL RCPT("a@y") OK RCPT("b@y")
		    OK SENT MAIL RCPT("c@y") OK RCPT("d@y")
			OK SENT MAIL RCPT("e@y") OK SENT NOOP,
		{"a@y", "b@y", "c@y", "d@y", "e@y"}, SMTP_OK,
		"250 250 250 250 250", "OOOOO", {0}},
	    {"RCPTMAX, all of the first refused",
		LIMITS("RCPTMAX=1")
		    MAIL RCPT("a@y") "S:550 no\nC:rset\n" OK MAIL RCPT("b@y")
			OK SENT NOOP,
		{"a@y", "b@y"}, SMTP_OK, "550 250", "PO", {0}},
	    {"RCPTDOMAINMAX",
		LIMITS("RCPTDOMAINMAX=1") MAIL RCPT("a@y") OK RCPT("c@Y")
		    OK SENT MAIL RCPT("b@z") OK SENT NOOP,
		{"a@y", "b@z", "c@Y"}, SMTP_OK, "250 250 250", "OOO", {0}},
	    {"MAILMAX",
		LIMITS("RCPTMAX=1 MAILMAX=2") MAIL RCPT("a@y")
		    OK SENT MAIL RCPT("b@y") OK SENT NOOP,
		{"a@y", "b@y", "c@y"}, SMTP_OK, "250 250 452", "OOT", {0}},
	    {"MAIL is refused, for all",
		LIMITS("RCPTMAX=1") "C:mail\nS:550 no\nC:rset\n" OK NOOP,
		{"a@y", "b@y"}, SMTP_E_SENDER, "550 550", "PP", {0}},
	    {"the first message is refused, for all",
		LIMITS("RCPTMAX=1") MAIL RCPT("a@y") OK DATA
		"S:554 5.7.1 spam\nC:rset\n" OK NOOP,
		{"a@y", "b@y"}, SMTP_E_DATA, "554 554", "PP", {0}},
	};

	CHECK(rows);
}

/* Row 4.5.3.1.8 of 4.1. */
Test(split, sends_to_a_hundred_at_a_time)
{
	char addresses[250][16];
	const char *to[251] = {NULL};
	struct library_scene scene;
	struct buffer script;

	buffer_init(&script, (size_t)1 << 20);
	buffer_append_text(&script, GREETING EHLO_OF("S:250-PIPELINING\n"));
	for (size_t i = 0; i < 250; i++) {
		(void)snprintf(addresses[i], sizeof(addresses[i]), "r%zu@y", i);
		to[i] = addresses[i];
	}
	for (size_t i = 0; i < 250; i += 100) {
		const size_t count = i + 100 < 250 ? 100 : 250 - i;
		buffer_append_text(&script, "C:mail\n");
		for (size_t j = 0; j < count; j++)
			buffer_printf(&script, "C:rcpt to:<r%zu@y>\n", i + j);
		buffer_append_text(&script, "C:data\n" OK);
		for (size_t j = 0; j < count; j++)
			buffer_append_text(&script, OK);
		buffer_append_text(&script, "S:354 go\nD\n" OK);
	}
	char *text = buffer_to_text(&script);
	library_scene_init(&scene, text, NULL);
	cr_expect_eq(
	    smtp_sendmail(scene.session, "x@y", to, "Hi\n", 3, 1, NULL, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	for (size_t i = 0; i < 250; i++) {
		const struct smtp_result *result =
		    smtp_result_at(scene.session, i);
		cr_expect_eq(result->cls, SMTP_C_OK);
		cr_expect_eq(result->stage, SMTP_S_DOT);
	}
	library_scene_clear(&scene);
	buffer_clear(&script);
	free(text);
}

/* Row 70. */
Test(split, has_a_reply_for_each_in_LMTP)
{
	static const struct row rows[] = {
	    {"452 at RCPT",
		GREETING "C:lhlo \nS:250 x\n" MAIL RCPT("a@y")
		    OK RCPT("b@y") "S:452 no\n" RCPT("c@y") OK DATA
		"S:250 a\nS:550 c\n" MAIL RCPT("b@y") OK DATA "S:250 b\n" NOOP,
		{"a@y", "b@y", "c@y"}, SMTP_OK, "250 250 550", "OOP",
		{.lmtp = 1}},
	};

	CHECK(rows);
}

/* ---- content out of a function, twice ---- */

static const char *const two[] = {"a@y", "b@y", NULL};

#define TWICE                                                                  \
	LIMITS("RCPTMAX=1") MAIL RCPT("a@y") OK SENT MAIL RCPT("b@y") OK SENT

static size_t
count_lines(const char *heard)
{
	size_t count = 0;

	for (const char *p = strstr(heard, "9abcd\r\n"); p != NULL;
	     p = strstr(p + 1, "9abcd\r\n"))
		count++;
	return count;
}

Test(split, reads_a_function_once_and_keeps_it_or_rewinds_it)
{
	static const struct {
		int flags;
		int rewinds;
	} rows[] = {{0, 0}, {SMTP_SEND_REWIND, 1}};

	for (size_t i = 0; i < 2; i++) {
		const size_t all = 4000 * (sizeof(LINE) - 1);
		struct source source = {.left = all, .all = all};
		struct library_scene scene;
		library_scene_init(&scene, TWICE, NULL);
		cr_expect_eq(
		    smtp_sendmail_fn(scene.session, "x@y", two, read_lines,
			&source, 0, rows[i].flags, NULL, NULL),
		    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
		cr_expect_eq(source.rewinds, rows[i].rewinds);
		cr_expect_eq(
		    count_lines(library_scene_heard(&scene)), 2 * 4000);
		library_scene_clear(&scene);
	}
}

/* 64 KiB of lines, and the rest. */
#define CHUNK "C:bdat 66576\nB66576\n"
#define REST  "C:bdat 29424 LAST\nB29424\n"
#define CHUNKS                                                                 \
	"C:mail\nC:rcpt\nC:rcpt\n" CHUNK OK OK "S:452 no\n" OK REST OK         \
	"C:mail\nC:rcpt to:<b@y>\n" CHUNK OK OK OK REST OK

/* A first chunk leaves before the replies to RCPT are known. */
Test(split, keeps_what_left_in_a_chunk_already)
{
	const size_t all = 1500 * (sizeof(LINE) - 1);
	struct source source = {.left = all, .all = all};
	const struct smtp_options options = {.chunking = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-CHUNKING\nS:250-PIPELINING\n") CHUNKS,
	    &options);
	const int err = smtp_sendmail_fn(
	    scene.session, "x@y", two, read_lines, &source, 0, 0, NULL, NULL);
	cr_expect_eq(err, SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
}

Test(split, tells_where_content_cannot_be_read_again)
{
	const size_t all = 100 * (sizeof(LINE) - 1);
	struct source source = {.left = all, .all = all};
	struct library_scene scene;

	setenv("TMPDIR", "/nonexistent", 1);
	library_scene_init(
	    &scene, LIMITS("RCPTMAX=1") MAIL RCPT("a@y") OK SENT NOOP, NULL);
	cr_expect_eq(smtp_sendmail_fn(scene.session, "x@y", two, read_lines,
			 &source, 0, 0, NULL, NULL),
	    SMTP_OK);
	cr_expect_eq(smtp_result_at(scene.session, 0)->cls, SMTP_C_OK);
	cr_expect_eq(smtp_result_at(scene.session, 1)->cls, SMTP_C_TEMP);
	cr_expect_str_eq(smtp_result_at(scene.session, 1)->text,
	    "the message cannot be read again");
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* ---- 8 bits out of a function ---- */

struct letter {
	const char *head;
	size_t head_left;
	size_t lines_left;
	bool fails;
};

static int64_t
read_letter(void *arg, void *buf, size_t cap)
{
	static const char line[] = "gr\xc3\xbc\xc3\x9f\n";
	struct letter *letter = arg;

	if (letter->head_left == 0 && letter->lines_left > 0) {
		letter->lines_left--;
		letter->head = line;
		letter->head_left = sizeof(line) - 1;
	}
	if (letter->head_left == 0)
		return letter->fails ? -1 : 0;
	const size_t len = letter->head_left < cap ? letter->head_left : cap;
	memcpy(buf, letter->head, len);
	letter->head += len;
	letter->head_left -= len;
	return (int64_t)len;
}

static struct letter
letter_of(const char *head, size_t lines)
{
	return (struct letter){
	    .head = head, .head_left = strlen(head), .lines_left = lines};
}

#define TEXT                                                                   \
	"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"         \
	"Content-Transfer-Encoding: 8bit\n\n"

static int
send_letter(struct smtp *session, struct letter *letter)
{
	static const char *const one[] = {"a@y", NULL};

	return smtp_sendmail_fn(session, "x@y", one, read_letter, letter, 12345,
	    SMTP_SEND_8BIT, NULL, NULL);
}

/* RFC 6152 3, and RFC 1870: SIZE is that of the conversion. */
Test(split, converts_what_comes_out_of_a_function)
{
	const struct smtp_options options = {.convert_8bit = 1};
	struct letter letter = letter_of(TEXT, 20000);
	struct library_scene scene;
	unsigned long long size = 0;

	library_scene_init(&scene,
	    GREETING EHLO_OF(
		"S:250-SIZE\n") "C:mail from:<x@y> size=\n" OK RCPT("a@y")
		OK SENT,
	    &options);
	cr_expect_eq(send_letter(scene.session, &letter), SMTP_OK, "%s",
	    smtp_last_errmsg(scene.session));
	const char *heard = library_scene_heard(&scene);
	const char *said = strstr(heard, "size=");
	cr_assert_eq(sscanf(said, "size=%llu", &size), 1);
	const char *content = strstr(heard, "data\r\n") + strlen("data\r\n");
	const char *end = strstr(content, "\r\n.\r\n");
	cr_assert_not_null(end);
	cr_expect_eq((size_t)(end + 2 - content), size, "%llu", size);
	for (const char *p = content; p < end; p++)
		cr_assert_lt((unsigned char)*p, 0x80);
	cr_expect_not_null(strstr(content, "base64"));
	library_scene_clear(&scene);
}

/* Row 6152 of 4.3: what is signed stays as it is, and is refused with 5.6.3. */
Test(split, leaves_alone_what_is_signed)
{
	const struct smtp_options options = {.convert_8bit = 1};
	struct letter letter = letter_of(
	    "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n"
	    "--b\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\n",
	    3);
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO NOOP, &options);
	cr_expect_eq(send_letter(scene.session, &letter), SMTP_E_NOTSUPP);
	cr_expect_str_eq(smtp_last_enh(scene.session), "5.6.3");
	cr_expect_eq(smtp_result_at(scene.session, 0)->code, 554);
	cr_expect_eq(smtp_result_at(scene.session, 0)->cls, SMTP_C_PERM);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

Test(split, says_where_it_cannot_read_what_is_to_be_converted)
{
	const struct smtp_options options = {.convert_8bit = 1};
	struct letter letter = letter_of(TEXT, 3);
	struct library_scene scene;

	letter.fails = true;
	library_scene_init(&scene, GREETING EHLO NOOP, &options);
	cr_expect_eq(send_letter(scene.session, &letter), SMTP_E_OS);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_TEMP);
	setenv("TMPDIR", "/nonexistent", 1);
	letter = letter_of(TEXT, 3);
	cr_expect_eq(send_letter(scene.session, &letter), SMTP_E_OS);
	cr_expect_not_null(
	    strstr(smtp_last_errmsg(scene.session), "/nonexistent"));
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* -1: as smtplib (row 0.4). */
Test(split, sends_8_bits_undeclared_where_told)
{
	const struct smtp_options options = {.convert_8bit = -1};
	const struct script_options where = {
	    .allowed = WIRE_FAULT_BIT(WIRE_UNDECLARED_8BIT)};
	struct letter letter = letter_of(TEXT, 1);
	struct library_scene scene;

	library_scene_begin(
	    &scene, START RCPT("a@y") OK SENT, &options, &where);
	cr_expect_eq(
	    smtp_connect(scene.session, script_server_host(scene.server), NULL),
	    SMTP_OK);
	cr_expect_eq(send_letter(scene.session, &letter), SMTP_OK);
	cr_expect_not_null(
	    strstr(library_scene_heard(&scene), "gr\xc3\xbc\xc3\x9f\r\n"));
	library_scene_clear(&scene);
}

/* Nothing is left behind, in whatever folder. */
Test(split, leaves_no_file_behind)
{
	const size_t all = 100 * (sizeof(LINE) - 1);
	struct source source = {.left = all, .all = all};
	struct library_scene scene;
	char *folder = scratch_folder_new();

	setenv("TMPDIR", folder, 1);
	library_scene_init(&scene, TWICE, NULL);
	cr_expect_eq(smtp_sendmail_fn(scene.session, "x@y", two, read_lines,
			 &source, 0, 0, NULL, NULL),
	    SMTP_OK);
	cr_expect_eq(rmdir(folder), 0, "it is empty");
	library_scene_clear(&scene);
	free(folder);
}
