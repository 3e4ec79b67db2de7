/* Content that a server need not take: lines of more than 998 octets (RFC 5321
 * 4.5.3.1.6).  They are converted, or refused, unless the caller wants them as
 * they are. */
#include "base/buffer.h"
#include "base/memory.h"
#include "lib/library_scene.h"
#include "lib/wire_watch.h"

#include <stdlib.h>

#define OK       "S:250 ok\n"
#define SENT     "C:mail from:<x@y>\r\n" OK TO_DATA
#define DECLARED "C:mail from:<x@y> BODY=8BITMIME\r\n" OK TO_DATA
#define TO_DATA  "C:rcpt to:<a@y>\n" OK "C:data\nS:354 go\nD\n" OK
#define NOOP     "C:noop\nS:250 ok\n"
#define EIGHT    EHLO_OF("S:250-8BITMIME\n")

#define TYPE  "Content-Type: text/plain; charset=utf-8\n"
#define MIME  "MIME-Version: 1.0\n" TYPE "Content-Transfer-Encoding: 8bit\n"
#define GREEN "gr\xc3\xbcn\n"
#define SIGNED                                                                 \
	"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n"    \
	"--b\n\n"

static const char *const one[] = {"a@y", NULL};

/* A letter is head, a line of len octets that ends in blank and x, and tail. */
struct letter {
	const char *head;
	size_t len;
	const char *tail;
};

static void
write_letter(struct buffer *text, const struct letter *letter)
{
	buffer_init(text, (size_t)1024 * 1024);
	buffer_append_text(text, letter->head);
	for (size_t i = 0; i < letter->len; i++)
		buffer_append_char(text, i % 50 == 48 ? ' ' : 'x');
	buffer_append_char(text, '\n');
	buffer_append_text(text, letter->tail);
}

struct row {
	const char *name;
	int convert_8bit;
	int flags; /* of the function */
	struct letter letter;
	const char *script; /* behind the greeting */
	int err;
	const char *heard; /* part of what the server hears */
};

/* ---- out of memory, and out of a function ---- */

static int64_t
read_letter(void *arg, void *buf, size_t cap)
{
	struct bytes *rest = arg;
	const struct bytes piece = bytes_first(*rest, cap);

	memcpy(buf, piece.data, piece.len);
	*rest = bytes_from(*rest, piece.len);
	return (int64_t)piece.len;
}

static int
send_letter(struct smtp *session, const struct row *row, struct bytes letter,
    bool is_function)
{
	const int flags =
	    row->flags | (bytes_is_ascii(letter) ? 0 : SMTP_SEND_8BIT);

	if (is_function)
		return smtp_sendmail_fn(session, "x@y", one, read_letter,
		    &letter, 0, flags, NULL, NULL);
	return smtp_sendmail(session, "x@y", one, letter.data, letter.len,
	    (row->flags & SMTP_SEND_RAW) == 0, NULL, NULL);
}

static void
check_refusal(const struct row *row, struct smtp *session)
{
	const struct smtp_result *result = smtp_result_at(session, 0);

	cr_expect_str_eq(smtp_last_enh(session), "5.6.3", "%s", row->name);
	cr_expect_eq(smtp_last_code(session), 554, "%s", row->name);
	cr_expect_eq(result->cls, SMTP_C_PERM, "%s", row->name);
	cr_expect_str_eq(result->enh, "5.6.3", "%s", row->name);
}

static void
check(const struct row *row, bool is_function)
{
	const struct smtp_options options = {.convert_8bit = row->convert_8bit,
	    .raw_eol = (row->flags & SMTP_SEND_RAW) != 0};
	const bool is_as_it_is = row->convert_8bit < 0 || options.raw_eol;
	const struct script_options where = {
	    .allowed = is_as_it_is ? WIRE_FAULT_BIT(WIRE_LONG_LINE) : 0,
	    .is_strict = true};
	struct library_scene scene;
	struct buffer text;

	char *script = memory_format("%s%s", GREETING, row->script);
	write_letter(&text, &row->letter);
	library_scene_begin(&scene, script, &options, &where);
	struct smtp *session = scene.session;
	cr_assert_eq(
	    smtp_connect(session, script_server_host(scene.server), NULL),
	    SMTP_OK);
	cr_expect_eq(
	    send_letter(session, row, buffer_bytes(&text), is_function),
	    row->err, "%s: %s", row->name, smtp_last_errmsg(session));
	if (row->err != SMTP_OK)
		check_refusal(row, session);
	cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->name);
	const char *heard = library_scene_heard(&scene);
	cr_expect_not_null(
	    strstr(heard, row->heard), "%s: %s", row->name, heard);
	library_scene_clear(&scene);
	buffer_clear(&text);
	free(script);
}

#define QP     "\r\nContent-Transfer-Encoding: quoted-printable\r\n"
#define BASE64 "\r\nContent-Transfer-Encoding: base64\r\n"
#define LONG   SMTP_SEND_LONG

Test(fit, lines_of_any_length_are_made)
{
	static const struct row rows[] = {
	    {"998 octets", 0, 0, {"a: b\n\n", 998, ""}, EHLO SENT NOOP, SMTP_OK,
		"xxx\r\n.\r\n"},
	    {"converted", 1, LONG, {"a: b\n\n", 999, ""}, EHLO SENT NOOP,
		SMTP_OK, QP},
	    {"in base64", 2, LONG, {"a: b\n\n", 999, ""}, EHLO SENT NOOP,
		SMTP_OK, BASE64},
	    {"100 KB", 3, LONG, {"a: b\n\n", 100000, "c\n"}, EHLO SENT NOOP,
		SMTP_OK, QP},
	    {"8 bits, too", 1, LONG, {MIME "\n" GREEN, 999, ""}, EHLO SENT NOOP,
		SMTP_OK, "Content-Transfer-Encoding: "},
	    {"8 bits, too, where they may", 1, LONG, {MIME "\n" GREEN, 999, ""},
		EIGHT SENT NOOP, SMTP_OK, QP},
	    {"a header alone, 8 bits behind", 1, LONG,
		{MIME "Subject: ", 2000, "\n" GREEN}, EIGHT DECLARED NOOP,
		SMTP_OK, "8bit\r\nSubject: x"},
	    {"a header alone, 8 bits stay", 1, LONG,
		{MIME "Subject: ", 2000, "\n" GREEN}, EIGHT DECLARED NOOP,
		SMTP_OK, "\r\n\r\ngr\xc3\xbcn\r\n.\r\n"},
	    {"refused", 0, LONG, {"a: b\n\n", 999, ""}, EHLO NOOP,
		SMTP_E_NOTSUPP, "noop"},
	    {"refused, declared or not", 0, LONG, {MIME "\n" GREEN, 999, ""},
		EIGHT NOOP, SMTP_E_NOTSUPP, "noop"},
	    {"signed", 1, LONG, {SIGNED, 999, "--b--\n"}, EHLO NOOP,
		SMTP_E_NOTSUPP, "noop"},
	    {"as smtplib", -1, LONG, {"a: b\n\n", 1000, "c\n"}, EHLO SENT NOOP,
		SMTP_OK, "x x\r\nc\r\n.\r\n"},
	    {"as smtplib, unsaid", -1, 0, {"a: b\n\n", 1000, "c\n"},
		EHLO SENT NOOP, SMTP_OK, "x x\r\nc\r\n.\r\n"},
	    {"raw", 1, SMTP_SEND_RAW, {"a: b\n\n", 1000, "c\r\n"},
		EHLO SENT NOOP, SMTP_OK, "x x\nc\r\n.\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(&rows[i], false);
		check(&rows[i], true);
	}
}

/* RFC 3030: lines are no matter of BINARYMIME. */
Test(fit, lines_of_BINARYMIME_stay_as_they_are)
{
	static const char *const binary[] = {"BODY=BINARYMIME", NULL};
	const struct letter letter = {"a: b\n\n", 5000, ""};
	struct library_scene scene;
	struct buffer text;

	write_letter(&text, &letter);
	library_scene_init(&scene,
	    GREETING EHLO_OF(
		"S:250-CHUNKING\nS:250-BINARYMIME\n") "C:mail "
						      "from:<x@y> "
						      "BODY=BINARYMIME\n" OK
						      "C:rcpt \n" OK
						      "C:bdat 5007 "
						      "LAST\r\nB5007\n" OK,
	    NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one,
			 buffer_bytes(&text).data, text.len, 1, binary, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
	buffer_clear(&text);
}

/* A function's line that nobody spoke of: the message never ends, so that no
 * server takes it. */
Test(fit, lines_that_come_unsaid_end_the_session)
{
	static const struct {
		size_t before; /* lines */
		size_t len;
	} rows[] = {{0, 999}, {5000, 999}, {0, 200000}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct letter letter = {"", rows[i].len, ""};
		struct library_scene scene;
		struct buffer head, text;
		buffer_init(&head, (size_t)1024 * 1024);
		for (size_t line = 0; line < rows[i].before; line++)
			buffer_append_text(&head, "a line of some length\n");
		write_letter(&text, &letter);
		buffer_append(&head, buffer_bytes(&text));
		struct bytes rest = buffer_bytes(&head);
		library_scene_init(&scene, GREETING EHLO SENT, NULL);
		struct smtp *session = scene.session;
		cr_expect_eq(smtp_sendmail_fn(session, "x@y", one, read_letter,
				 &rest, 0, 0, NULL, NULL),
		    SMTP_E_INVAL, "%s", smtp_last_errmsg(session));
		cr_expect_eq(smtp_last_class(session), SMTP_C_PERM);
		cr_expect_eq(smtp_result_at(session, 0)->cls, SMTP_C_PERM);
		cr_expect_not_null(strstr(smtp_last_errmsg(session),
		    "998 octets, and SMTP_SEND_LONG"));
		cr_expect_not(smtp_connected(session));
		cr_expect_null(
		    strstr(library_scene_heard(&scene), "\r\n.\r\n"));
		library_scene_clear(&scene);
		buffer_clear(&text);
		buffer_clear(&head);
	}
}
