#include "lib/watched.h"
#include "message/header.h"
#include "message/mime.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct mime *
open_mime(const struct body *body, bool has_8bitmime)
{
	struct error error = {0};
	struct mime *mime = NULL;

	cr_assert(mime_open(body, has_8bitmime, &mime, &error), "%s",
	    error_text(&error));
	return mime;
}

static void
read_all(struct mime *mime, struct buffer *output)
{
	struct error error = {0};
	uint64_t size = 0;
	bool end = false;

	cr_assert(mime_size(mime, &size, &error));
	while (!end)
		cr_assert(mime_read(mime, output, &end, &error));
	cr_assert_eq(output->len, size);
}

/* What is sent of content; "!5.6.3" where it is refused. */
static enum mime_answer
convert(struct bytes content, bool has_8bitmime, struct buffer *output)
{
	struct body body;

	body_init(&body);
	body_set(&body, content);
	struct mime *mime = open_mime(&body, has_8bitmime);
	enum mime_answer answer = mime_answer(mime);
	if (answer == MIME_REFUSE)
		buffer_printf(output, "!%s", mime_status(mime));
	else
		read_all(mime, output);
	cr_expect_eq(answer == MIME_AS_IS, strlen(mime_why(mime)) == 0);
	if (answer == MIME_CONVERT)
		cr_expect_eq(mime_needs_8bitmime(mime),
		    !bytes_is_ascii(buffer_bytes(output)));
	mime_free(mime);
	body_clear(&body);
	return answer;
}

#define CTE_8BIT "Content-Transfer-Encoding: 8bit\r\n"
#define CTE_7BIT "Content-Transfer-Encoding: 7bit\r\n"
#define CTE_QP   "Content-Transfer-Encoding: quoted-printable\r\n"
#define CTE_B64  "Content-Transfer-Encoding: base64\r\n"
#define VERSION  "MIME-Version: 1.0\r\n"
#define UTF8     "Content-Type: text/plain; charset=utf-8\r\n"

/* To an upstream without 8BITMIME; expected NULL: as it is. */
static const struct row {
	const char *name;
	const char *content;
	const char *expected;
} rows[] = {
    {"nothing", "", NULL},
    {"ASCII", "A: b\r\n\r\nhello\r\n", NULL},
    {"ASCII that says 8bit", "A: b\r\n" CTE_8BIT "\r\nhello\r\n", NULL},
    {"text", VERSION UTF8 CTE_8BIT "A: b\r\n\r\nmostly plain k\xc3\xb6tt\r\n",
	VERSION UTF8 "A: b\r\n" CTE_QP "\r\nmostly plain k=C3=B6tt\r\n"},
    {"text of another alphabet", VERSION UTF8 "\r\n\xd0\x98\xd0\xb2\r\n",
	VERSION UTF8 CTE_B64 "\r\n0JjQsg0K\r\n"},
    {"nothing declared, UTF-8", "A: b\r\n\r\nsome more k\xc3\xb6tt\r\n",
	"A: b\r\n" VERSION UTF8 CTE_QP "\r\nsome more k=C3=B6tt\r\n"},
    {"nothing declared, not UTF-8", "A: b\r\n\r\nk\xf6tt\r\n",
	"A: b\r\n" VERSION
	"Content-Type: text/plain; charset=unknown-8bit\r\n" CTE_QP
	"\r\nk=F6tt\r\n"},
    {"body only", "some more k\xc3\xb6tt",
	VERSION UTF8 CTE_QP "\r\nsome more k=C3=B6tt"},
    {"no empty line", "A: b\r\nsome more k\xc3\xb6tt",
	"A: b\r\n" VERSION UTF8 CTE_QP "\r\nsome more k=C3=B6tt"},
    {"an image", VERSION "Content-Type: image/png\r\n\r\na\xff",
	VERSION "Content-Type: image/png\r\n" CTE_B64 "\r\nYf8=\r\n"},
    {"one leaf of two",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n" CTE_8BIT
		"\r\n--x\r\n\r\nplain\r\n--x\r\n" UTF8 CTE_8BIT
		"\r\nsome more k\xc3\xb6tt\r\n--x--\r\n",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n" CTE_7BIT
		"\r\n--x\r\n\r\nplain\r\n--x\r\n" UTF8 CTE_QP
		"\r\nsome more k=C3=B6tt\r\n--x--\r\n"},
    {"what is around parts",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
		"pr\xc3\xa9\r\n--x\r\n\r\nplain\r\n--x--\r\np\xc3\xb6st\r\n",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
		"pr?"
		"?\r\n--x\r\n\r\nplain\r\n--x--\r\np?"
		"?st\r\n"},
    {"a header",
	VERSION "Content-Type: text/plain; charset=windows-1251\r\n"
		"Subject: \xcf\xf0\r\nFrom: \xcf\xf0 <a@b>\r\n\r\nplain\r\n",
	VERSION "Content-Type: text/plain; charset=windows-1251\r\n"
		"Subject: =?windows-1251?B?z/A=?=\r\n"
		"From: =?windows-1251?B?z/A=?= <a@b>\r\n\r\nplain\r\n"},
    {"an address", "To: k\xc3\xb6tt@b\r\n\r\nplain\r\n", "!5.6.7"},
    {"a signed part",
	"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n"
	"k\xc3\xb6tt\r\n--x--\r\n",
	"!5.6.3"},
    {"a signed part of ASCII beside",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
		"--x\r\nContent-Type: multipart/signed; boundary=y\r\n" CTE_8BIT
		"\r\n--y\r\n" CTE_8BIT "\r\nplain\r\n--y--\r\n"
		"--x\r\n" UTF8 "\r\nsome more k\xc3\xb6tt\r\n--x--\r\n",
	VERSION "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
		"--x\r\nContent-Type: multipart/signed; boundary=y\r\n" CTE_8BIT
		"\r\n--y\r\n" CTE_8BIT "\r\nplain\r\n--y--\r\n"
		"--x\r\n" UTF8 CTE_QP "\r\nsome more k=C3=B6tt\r\n--x--\r\n"},
    {"an encrypted part",
	"Content-Type: multipart/encrypted; boundary=x\r\n\r\n\xff", "!5.6.3"},
    {"an attached message",
	"Content-Type: message/rfc822\r\n\r\nSubject: k\xc3\xb6tt\r\n\r\nx",
	"!5.6.3"},
    {"an unknown encoding", "Content-Transfer-Encoding: x-uue\r\n\r\n\xff",
	"!5.6.3"},
    {"quoted-printable that is not", UTF8 CTE_QP "\r\n=C3=B6 \xc3\xb6\r\n",
	UTF8 CTE_QP "\r\n=C3=B6 =C3=B6\r\n"},
    {"base64 that is not", CTE_B64 "\r\nZm9v\xff\r\n", CTE_B64 "\r\nZm9v\r\n"},
    {"a line that looks like a field once it is converted",
	"Content-Type: multipart/mixed; boundary=x\r\n\xff: b\r\n--x--\r\n",
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n?: b\r\n--x--\r\n"},
    {"deeper than we look",
	"Content-Type: multipart/mixed\r\n\r\nk\xc3\xb6tt\r\n", "!5.6.3"},
};

Test(mime, converts_for_seven_bits)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct buffer output;
		buffer_init(&output, 100000);
		enum mime_answer answer =
		    convert(bytes_of(row->content), false, &output);
		const char *expected =
		    row->expected == NULL ? row->content : row->expected;
		enum mime_answer wanted = row->expected == NULL ? MIME_AS_IS
		    : row->expected[0] == '!'                   ? MIME_REFUSE
								: MIME_CONVERT;
		cr_expect_eq(answer, wanted, "%s: %d", row->name, answer);
		cr_expect(bytes_is(buffer_bytes(&output), expected),
		    "%s:\n%.*s\n---\n%s", row->name,
		    BYTES_ARGS(buffer_bytes(&output)), expected);
		buffer_clear(&output);
	}
}

Test(mime, sends_eight_bits_as_they_are_where_they_are_taken)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer output;
		buffer_init(&output, 100000);
		cr_expect_eq(convert(bytes_of(rows[i].content), true, &output),
		    MIME_AS_IS);
		cr_expect(bytes_is(buffer_bytes(&output), rows[i].content));
		buffer_clear(&output);
	}
}

/* A content with len octets of 'x' in the place of '#'. */
static void
expand(struct buffer *content, const char *form, size_t len)
{
	for (const char *c = form; *c != '\0'; c++) {
		for (size_t i = 0; *c == '#' && i < len; i++)
			buffer_append_char(content, 'x');
		if (*c != '#')
			buffer_append_char(content, *c);
	}
}

static void
expect_lines_fit(struct bytes text, const char *name)
{
	while (text.len > 0) {
		struct bytes line = bytes_cut(&text, '\n');
		bool has_cr = bytes_has_suffix_nocase(line, "\r");
		cr_expect_leq(line.len, HEADER_LINE_MAX + has_cr, "%s", name);
	}
}

/* D1: lines too long, though the upstream takes all else. */
static const struct long_row {
	const char *name;
	const char *form;
	enum mime_answer answer;
	const char *begins; /* of the output, or NULL */
} long_rows[] = {
    {"text", "A: b\r\n\r\n#\r\nx", MIME_CONVERT,
	"A: b\r\n" VERSION
	"Content-Type: text/plain; charset=us-ascii\r\n" CTE_QP "\r\nxxx"},
    {"8-bit text", "A: b\r\n" UTF8 "\r\n\xc3\xb6 #", MIME_CONVERT,
	"A: b\r\n" UTF8 VERSION CTE_QP "\r\n=C3=B6 xxx"},
    {"binary",
	"Content-Type: image/png\r\n"
	"Content-Transfer-Encoding: binary\r\n\r\n#",
	MIME_CONVERT, "Content-Type: image/png\r\n" VERSION CTE_B64 "\r\neHh4"},
    {"base64", CTE_B64 "\r\n#\r\n", MIME_CONVERT, CTE_B64 "\r\nxxx"},
    {"quoted-printable", CTE_QP "\r\n#\r\n", MIME_CONVERT, CTE_QP "\r\nxxx"},
    {"uuencode", "Content-Transfer-Encoding: x-uue\r\n\r\n#\r\n", MIME_CONVERT,
	"Content-Transfer-Encoding: x-uue\r\n\r\nxxx"},
    {"an attached message",
	"Content-Type: message/rfc822\r\n\r\nSubject: #\r\n", MIME_CONVERT,
	"Content-Type: message/rfc822\r\n\r\nSubject: x"},
    {"a signed part",
	"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n#\r\n",
	MIME_REFUSE, NULL},
    {"a header", "Subject: # b\r\nTo: a\r\n\r\nc", MIME_CONVERT,
	"Subject: xxx"},
    {"a header name", "#: b\r\n\r\nc", MIME_AS_IS, NULL},
    {"around parts",
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n#\r\n--x--\r\n",
	MIME_CONVERT, "Content-Type: multipart/mixed; boundary=x\r\n\r\nxxx"},
};

Test(mime, cuts_long_lines)
{
	for (size_t i = 0; i < sizeof(long_rows) / sizeof(long_rows[0]); i++) {
		const struct long_row *row = &long_rows[i];
		struct buffer content;
		struct buffer output;
		buffer_init(&content, 100000);
		buffer_init(&output, 200000);
		expand(&content, row->form, 5000);
		enum mime_answer answer =
		    convert(buffer_bytes(&content), true, &output);
		/* A name this long is none: see parts.c. */
		if (strcmp(row->name, "a header name") != 0)
			cr_expect_eq(answer, row->answer, "%s", row->name);
		if (answer != MIME_REFUSE)
			expect_lines_fit(buffer_bytes(&output), row->name);
		if (row->begins != NULL)
			cr_expect(bytes_has_prefix(
				      buffer_bytes(&output), row->begins),
			    "%s: %.*s", row->name,
			    (int)bytes_first(buffer_bytes(&output), 200).len,
			    output.memory);
		buffer_clear(&content);
		buffer_clear(&output);
	}
}

Test(mime, leaves_lines_of_998_octets)
{
	static const char *const forms[] = {"A: b\r\n\r\n#\r\n#", "A: b\n\n#\n",
	    "A:\r\n #\r\n\r\n", "A:\n #\n\n"};

	for (size_t len = 996; len <= 1000; len++) {
		for (size_t i = 0; i < 4; i++) {
			struct buffer content;
			struct buffer output;
			buffer_init(&content, 100000);
			buffer_init(&output, 200000);
			expand(&content, forms[i], i < 2 ? len : len - 1);
			enum mime_answer answer =
			    convert(buffer_bytes(&content), true, &output);
			cr_expect_eq(answer,
			    len <= 998 ? MIME_AS_IS : MIME_CONVERT,
			    "%zu, form %zu", len, i);
			expect_lines_fit(buffer_bytes(&output), forms[i]);
			buffer_clear(&content);
			buffer_clear(&output);
		}
	}
}

Test(mime, never_sends_nul)
{
	struct buffer output;

	buffer_init(&output, 10000);
	cr_expect_eq(convert(BYTES("A: b\0c\r\n\r\nd\0\r\n"), true, &output),
	    MIME_CONVERT);
	cr_expect(bytes_is(buffer_bytes(&output),
		      "A: b?c\r\n" VERSION
		      "Content-Type: text/plain; charset=us-ascii\r\n" CTE_QP
		      "\r\nd=00\r\n"),
	    "%.*s", BYTES_ARGS(buffer_bytes(&output)));
	buffer_clear(&output);
}

Test(mime, refuses_what_stays_bad_in_a_header)
{
	struct buffer content;
	struct buffer output;

	buffer_init(&content, SIZE_MAX);
	buffer_init(&output, SIZE_MAX);
	expand(&content, "X#: \xc3\xb6\r\n\r\nc", 100);
	cr_expect_eq(
	    convert(buffer_bytes(&content), false, &output), MIME_REFUSE);
	buffer_empty(&content);
	buffer_empty(&output);
	/* Larger than we look at. */
	for (int i = 0; i < 300; i++)
		expand(&content, "A: #\r\n", 900);
	buffer_append_text(&content, "B: \xc3\xb6\r\n\r\nc");
	cr_expect_eq(
	    convert(buffer_bytes(&content), false, &output), MIME_REFUSE);
	buffer_clear(&content);
	buffer_clear(&output);
}

/* Whatever comes in, what goes out is fit, and would not be changed again. */
Test(mime, gives_what_can_be_sent)
{
	static const char *const words[] = {"\r\n", "\r\n", "--x\r\n",
	    "--y\r\n", "--x--\r\n", "A: b\r\n", " ",
	    "To: a@b, \xc3\xb6 <c@d>\r\n",
	    "Content-Type: multipart/mixed; boundary=x\r\n",
	    "Content-Type: multipart/mixed; boundary=y\r\n",
	    "Content-Type: message/rfc822\r\n", UTF8, CTE_8BIT, CTE_QP, CTE_B64,
	    "Content-Type: image/png; name=\xff\r\n", "#", "#\r\n", "\xc3\xb6",
	    "plain text\r\n", "\xff", "Subject: \xc3\xb6\r\n", "==="};
	unsigned seed = (unsigned)time(NULL);
	srand(seed);

	for (int round = 0; round < 10000; round++) {
		struct buffer content;
		struct buffer output;
		int count = rand() % 30;
		bool has_8bitmime = rand() % 2 == 0;
		buffer_init(&content, SIZE_MAX);
		buffer_init(&output, SIZE_MAX);
		for (int i = 0; i < count; i++)
			expand(&content,
			    words[(size_t)rand() %
				(sizeof(words) / sizeof(words[0]))],
			    700);
		enum mime_answer answer =
		    convert(buffer_bytes(&content), has_8bitmime, &output);
		struct bytes sent = buffer_bytes(&output);
		if (answer != MIME_REFUSE) {
			struct buffer again;
			expect_lines_fit(sent, "random");
			cr_assert(has_8bitmime || bytes_is_ascii(sent),
			    "seed %u", seed);
			buffer_init(&again, SIZE_MAX);
			cr_assert_eq(convert(sent, has_8bitmime, &again),
			    MIME_AS_IS, "seed %u", seed);
			buffer_clear(&again);
		}
		buffer_clear(&content);
		buffer_clear(&output);
	}
}

Test(mime, reads_again_after_a_rewind)
{
	struct body body;
	struct buffer first;
	struct buffer second;
	struct error error = {0};
	bool end = false;

	body_init(&body);
	body_set(&body, bytes_of("A: b\r\n\r\nsome more k\xc3\xb6tt\r\n"));
	buffer_init(&first, 10000);
	buffer_init(&second, 10000);
	struct mime *mime = open_mime(&body, false);
	cr_assert(mime_read(mime, &first, &end, &error));
	mime_rewind(mime);
	buffer_empty(&first);
	read_all(mime, &first);
	mime_rewind(mime);
	read_all(mime, &second);
	cr_expect(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
	mime_free(mime);
	mime_free(NULL);
	buffer_clear(&first);
	buffer_clear(&second);
	body_clear(&body);
}

Test(mime, converts_megabytes_in_pieces, .timeout = 60)
{
	struct body body;
	struct buffer content;
	struct buffer output;
	struct error error = {0};
	bool end = false;
	size_t largest = 0;

	buffer_init(&content, SIZE_MAX);
	buffer_init(&output, SIZE_MAX);
	buffer_append_text(&content, VERSION UTF8 "\r\n");
	while (content.len < (size_t)10 * 1024 * 1024)
		buffer_append_text(
		    &content, "some plain words, k\xc3\xb6tt\r\n");
	body_init(&body);
	body_set(&body, buffer_bytes(&content));
	clock_t start = clock();
	struct mime *mime = open_mime(&body, false);
	while (!end) {
		buffer_empty(&output);
		cr_assert(mime_read(mime, &output, &end, &error));
		largest = output.len > largest ? output.len : largest;
	}
	double seconds = seconds_since(start);
	cr_expect_lt(seconds, 2.0, "%.1f s", seconds);
	cr_expect_lt(largest, 200 * 1024);
	mime_free(mime);
	body_clear(&body);
	buffer_clear(&content);
	buffer_clear(&output);
}

Test(mime, tells_when_the_content_cannot_be_read)
{
	struct body body;
	struct error error = {0};
	struct mime *mime = NULL;

	body_init(&body);
	body.fd = 12345;
	body.len = 10;
	cr_expect_not(mime_open(&body, false, &mime, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_null(mime);
}

Test(mime, encodes_text_in_the_form_that_is_asked_for)
{
	static const struct {
		enum transfer_encoding form;
		const char *words[2]; /* in what comes out */
	} forms[] = {
	    {TRANSFER_OTHER, {"quoted-printable", "gr=C3=BCn"}},
	    {TRANSFER_QUOTED_PRINTABLE, {"quoted-printable", "gr=C3=BCn"}},
	    {TRANSFER_BASE64, {"base64", "YXMgZ3JlZW4gYXMgZ3LDvG4="}},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct body body;
		struct buffer output;
		struct mime *mime = NULL;
		struct error error;
		bool end = false;

		body_init(&body);
		body_set(&body,
		    BYTES("MIME-Version: 1.0\r\nContent-Type: text/plain; "
			  "charset=utf-8\r\n\r\nas green as gr\xc3\xbcn"));
		buffer_init(&output, 1 << 16);
		cr_assert(
		    mime_open_as(&body, false, forms[i].form, &mime, &error));
		while (!end)
			cr_assert(mime_read(mime, &output, &end, &error));
		for (size_t j = 0; j < 2; j++)
			cr_expect_lt(bytes_search(buffer_bytes(&output),
					 bytes_of(forms[i].words[j])),
			    output.len, "row %zu: %.*s", i,
			    BYTES_ARGS(buffer_bytes(&output)));
		mime_free(mime);
		buffer_clear(&output);
		body_clear(&body);
	}
}
