/*
 * What leaves: whatever the content, CRLF alone ends a line, dots are doubled,
 * and 8 bits are declared or converted (threats: A20 to A23).
 */
#include "base/buffer.h"
#include "lib/hostile_acts.h"
#include "lib/hostile_scene.h"
#include "lib/wire_watch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000

static const char *const one[] = {"a@y", NULL};

struct row {
	const char *name;
	struct bytes content;
	struct bytes lines; /* as they go out, without doubled dots and end */
};

#define ROW(name, content, lines)                                              \
	{                                                                      \
		name, {content, sizeof(content) - 1},                          \
		{                                                              \
			lines, sizeof(lines) - 1                               \
		}                                                              \
	}
#define EVIL "MAIL FROM:<smuggled@evil.example>"

static const struct row rows[] = {
    ROW("nothing", "", ""),
    ROW("LF", "a\nb\n", "a\r\nb\r\n"),
    ROW("CRLF", "a\r\nb\r\n", "a\r\nb\r\n"),
    ROW("CR", "a\rb\r", "a\r\nb\r\n"),
    ROW("no end", "a", "a\r\n"),
    ROW("CR CR LF", "a\r\r\nb\n", "a\r\n\r\nb\r\n"),
    ROW("LF CR", "a\n\rb\n", "a\r\n\r\nb\r\n"),
    ROW("a dot", ".", ".\r\n"),
    ROW("two", "..\n", "..\r\n"),
    ROW("a dot first", ".x\n", ".x\r\n"),
    ROW("a dot later", "x.\n.x\n", "x.\r\n.x\r\n"),
    ROW("A1", "a\n.\n" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A2", "a\n.\r\n" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A3", "a\r\n.\n" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A4", "a\n.\r" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A5", "a\r.\n" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A6", "a\r.\r" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A7", "a\r.\r\n" EVIL, "a\r\n.\r\n" EVIL "\r\n"),
    ROW("A8", "a\r\n.\r", "a\r\n.\r\n"),
    ROW("A9", "a\r\n\0.\r\n" EVIL, "a\r\n\0.\r\n" EVIL "\r\n"),
    ROW("A10", "a\r\n.\0\r\n" EVIL, "a\r\n.\0\r\n" EVIL "\r\n"),
    ROW("A11", "a\r\n.\r\r\n" EVIL, "a\r\n.\r\n\r\n" EVIL "\r\n"),
    ROW("A12", "a\r\r\n.\r\r\n" EVIL, "a\r\n\r\n.\r\n\r\n" EVIL "\r\n"),
    ROW("A13", "a\r\r\n.\r\n" EVIL, "a\r\n\r\n.\r\n" EVIL "\r\n"),
    ROW("A14", "a\n\n.\r\n" EVIL, "a\r\n\r\n.\r\n" EVIL "\r\n"),
    ROW("A15", "a\r\n. \r\n .\r\n.\x0b\r\n", "a\r\n. \r\n .\r\n.\x0b\r\n"),
    ROW("A20", "a\r\n.\r\n" EVIL "\r\n.\r\n", "a\r\n.\r\n" EVIL "\r\n.\r\n"),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* lines as they stand on the wire. */
static void
stuff(struct buffer *wire, struct bytes lines, bool is_chunked)
{
	char last = '\n';

	for (size_t i = 0; i < lines.len; i++) {
		if (last == '\n' && lines.data[i] == '.' && !is_chunked)
			buffer_append_char(wire, '.');
		last = lines.data[i];
		buffer_append_char(wire, last);
	}
	if (!is_chunked)
		buffer_append_text(wire, ".\r\n");
}

/* ---- one session ---- */

struct source {
	struct bytes rest;
	size_t piece;
};

static int64_t
read_pieces(void *arg, void *buf, size_t cap)
{
	struct source *source = arg;
	struct bytes piece = bytes_first(source->rest, source->piece);

	piece = bytes_first(piece, cap);
	memcpy(buf, piece.data, piece.len);
	source->rest = bytes_from(source->rest, piece.len);
	return (int64_t)piece.len;
}

struct way {
	enum hostile_channel channel;
	bool is_chunked;
	bool is_raw;  /* fix_eol 0, but not raw_eol: it makes no difference */
	size_t piece; /* of a function; 0: in memory */
};

static void
check(const struct hostile_scene *scene, const struct row *row, struct way way)
{
	const struct hostile_options where = {
	    .channel = way.channel,
	    .certificate = scene->certificate,
	    .keywords = way.is_chunked ? "CHUNKING\nSIZE" : "SIZE",
	};
	struct smtp_options options = hostile_scene_options(scene, way.channel);
	struct source source = {row->content, way.piece};
	struct buffer wire;
	int err = SMTP_OK;

	options.chunking = way.is_chunked;
	struct hostile_server *server = hostile_server_new(&where);
	struct smtp *session = smtp_new(&options);
	(void)smtp_set_timeout(session, PATIENCE_MS);
	cr_assert_eq(
	    smtp_connect(session, hostile_server_host(server), NULL), SMTP_OK);
	if (way.piece > 0)
		err = smtp_sendmail_fn(session, "x@y", one, read_pieces,
		    &source, 0, 0, NULL, NULL);
	else
		err = smtp_sendmail(session, "x@y", one, row->content.data,
		    row->content.len, !way.is_raw, NULL, NULL);
	cr_expect_eq(err, SMTP_OK, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->name);
	cr_expect_eq(smtp_quit(session), SMTP_OK, "%s", row->name);
	smtp_free(session);
	hostile_server_join(server);
	buffer_init(&wire, 4 * row->content.len + 1024);
	stuff(&wire, row->lines, way.is_chunked);
	const struct bytes content = hostile_server_content(server);
	cr_expect(bytes_equal(content, buffer_bytes(&wire)), "%s: \"%.*s\"",
	    row->name, BYTES_ARGS(bytes_first(content, 200)));
	cr_expect_eq(hostile_server_taken(server), 1, "%s", row->name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", row->name,
	    hostile_server_faults(server));
	hostile_server_free(server);
	buffer_clear(&wire);
}

Test(outgoing, has_no_line_end_but_CRLF)
{
	static const size_t pieces[] = {0, 1, 2, 3, 1000};
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (size_t i = 0; i < ROWS; i++)
		for (unsigned j = 0; j < 2 * HOSTILE_CHANNEL_COUNT; j++)
			for (size_t k = 0; k < 5; k++)
				check(&scene, &rows[i],
				    (struct way){(enum hostile_channel)(j / 2),
					j % 2 == 1, k % 2 == 1, pieces[k]});
	hostile_scene_clear(&scene);
}

/* What looks like the end lies across each border of a stretch. */
Test(outgoing, is_the_same_wherever_it_is_cut)
{
	static const char mark[] = "\r\n.\r\n" EVIL "\n.\n";
	static const char wired[] = "\r\n.\r\n" EVIL "\r\n.\r\n";
	static const size_t borders[] = {4096, 16384, 65536, 131072};
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (size_t i = 0; i < 4; i++)
		for (size_t before = borders[i] - 8; before <= borders[i] + 2;
		     before++) {
			struct buffer content;
			struct buffer lines;
			buffer_init(&content, (size_t)1024 * 1024);
			buffer_init(&lines, (size_t)1024 * 1024);
			for (size_t j = 0; j < before; j++) {
				const char *text = j % 64 == 62 ? "\r"
				    : j % 64 == 63              ? "\n"
								: "x";
				buffer_append_text(&content, text);
				buffer_append_text(&lines, text);
			}
			/* A lone CR or LF at the seam would be another. */
			const bool is_seam = before % 64 >= 63;
			buffer_append_text(&content, is_seam ? "\n" : "");
			buffer_append_text(&lines, is_seam ? "\n" : "");
			buffer_append_text(&content, mark);
			buffer_append_text(&lines, wired);
			const struct row row = {"a border",
			    buffer_bytes(&content), buffer_bytes(&lines)};
			check(&scene, &row, (struct way){.is_chunked = false});
			check(&scene, &row, (struct way){.is_chunked = true});
			buffer_clear(&content);
			buffer_clear(&lines);
		}
	hostile_scene_clear(&scene);
}

/* ---- A22: chunks that are not taken ---- */

static const struct chunk_row {
	struct hostile_act act;
	int err;
	enum smtp_class cls;
	enum smtp_stage stage;
	bool is_open;
} chunk_rows[] = {
    {{"550", "A22", .says = {"550 5.7.1 no\r\n", 14}, .nth = 1}, SMTP_E_DATA,
	SMTP_C_PERM, SMTP_S_BODY, true},
    {{"552 later", "A22", .says = {"552 5.3.4 no\r\n", 14}, .nth = 2},
	SMTP_E_DATA, SMTP_C_PERM, SMTP_S_BODY, true},
    {{"452", "A22", .says = {"452 4.3.1 no\r\n", 14}}, SMTP_E_DATA, SMTP_C_TEMP,
	SMTP_S_BODY, true},
    {{"503", "A22", .says = {"503 5.5.1 no\r\n", 14}}, SMTP_E_DATA, SMTP_C_PERM,
	SMTP_S_BODY, true},
    {{"354", "A22", .says = {"354 go\r\n", 8}}, SMTP_E_PROTO, SMTP_C_TEMP,
	SMTP_S_BODY, false},
    {{"421", "A22", .says = {"421 4.3.2 bye\r\n", 15}}, SMTP_E_DATA,
	SMTP_C_TEMP, SMTP_S_BODY, false},
    {{"nonsense", "A22", .says = {"hello\r\n", 7}}, SMTP_E_PROTO, SMTP_C_TEMP,
	SMTP_S_BODY, false},
    {{"closed", "A22", .says = {"", 0}, .then = HOSTILE_CLOSE},
	SMTP_E_DISCONNECTED, SMTP_C_TEMP, SMTP_S_BODY, false},
    {{"reset", "A22", .says = {"", 0}, .then = HOSTILE_RESET},
	SMTP_E_DISCONNECTED, SMTP_C_TEMP, SMTP_S_BODY, false},
};

static void
check_chunks(const struct hostile_scene *scene, const struct chunk_row *row,
    enum hostile_channel channel, const char *keywords)
{
	const struct hostile_options where = {.act = &row->act,
	    .stage = HOSTILE_CONTENT,
	    .channel = channel,
	    .certificate = scene->certificate,
	    .keywords = keywords};
	struct smtp_options options = hostile_scene_options(scene, channel);
	static char content[400 * 1024];
	const char *name = row->act.name;

	memset(content, 'x', sizeof(content));
	for (size_t i = 63; i < sizeof(content); i += 64)
		content[i] = '\n';
	options.chunking = 1;
	struct hostile_server *server = hostile_server_new(&where);
	struct smtp *session = smtp_new(&options);
	(void)smtp_set_timeout(session, PATIENCE_MS);
	cr_assert_eq(
	    smtp_connect(session, hostile_server_host(server), NULL), SMTP_OK);
	const int err = smtp_sendmail(
	    session, "x@y", one, content, sizeof(content), 1, NULL, NULL);
	cr_expect_eq(
	    err, row->err, "%s: %d %s", name, err, smtp_last_errmsg(session));
	cr_expect_eq(smtp_last_class(session), row->cls, "%s: %d", name,
	    (int)smtp_last_class(session));
	cr_expect_eq(smtp_last_stage(session), row->stage, "%s: %d", name,
	    (int)smtp_last_stage(session));
	cr_expect_eq((bool)smtp_connected(session), row->is_open, "%s", name);
	if (smtp_connected(session)) {
		cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", name);
		cr_expect_eq(smtp_quit(session), SMTP_OK, "%s", name);
	}
	smtp_free(session);
	hostile_server_join(server);
	cr_expect_eq(hostile_server_taken(server), 0, "%s", name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", name,
	    hostile_server_faults(server));
	hostile_server_free(server);
}

Test(outgoing, ends_where_a_chunk_is_not_taken)
{
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (size_t i = 0; i < sizeof(chunk_rows) / sizeof(chunk_rows[0]); i++)
		for (unsigned j = 0; j < HOSTILE_CHANNEL_COUNT; j++) {
			const enum hostile_channel channel =
			    (enum hostile_channel)j;
			check_chunks(
			    &scene, &chunk_rows[i], channel, "CHUNKING");
			check_chunks(&scene, &chunk_rows[i], channel,
			    "CHUNKING\nPIPELINING");
		}
	hostile_scene_clear(&scene);
}

/* ---- A23: 8 bits ---- */

#define MIME                                                                   \
	"MIME-Version: 1.0\nContent-Type: text/plain; charset=latin1\n"        \
	"Content-Transfer-Encoding: 8bit\n\n"

static const struct bit_row {
	const char *name;
	const char *keywords;
	const char *content;
	bool converts;
	int err;
	bool is_8bit; /* on the wire */
} bit_rows[] = {
    {"declared", "8BITMIME", MIME "\xe9\n", false, SMTP_OK, true},
    {"declared, though it may convert", "8BITMIME", MIME "\xe9\n", true,
	SMTP_OK, true},
    {"not offered", "SIZE", MIME "\xe9\n", false, SMTP_E_NOTSUPP, false},
    {"not offered, chunks", "CHUNKING", MIME "\xe9\n", false, SMTP_E_NOTSUPP,
	false},
    {"converted", "SIZE", MIME "\xe9\n", true, SMTP_OK, false},
    {"converted, chunks", "CHUNKING", MIME "\xe9\n", true, SMTP_OK, false},
    {"in the header", "SIZE", "Subject: \xe9\n\nx\n", false, SMTP_E_NOTSUPP,
	false},
    {"signed: not to be touched", "SIZE",
	"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b;\n"
	" micalg=sha1; protocol=\"application/pgp-signature\"\n\n"
	"--b\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\n"
	"\xe9\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n",
	true, SMTP_E_NOTSUPP, false},
};

static void
check_bits(const struct hostile_scene *scene, const struct bit_row *row,
    enum hostile_channel channel, bool is_old)
{
	static const struct hostile_act old = {
	    "no EHLO", "A23", .says = {"500 what?\r\n", 11}};
	const struct hostile_options where = {.act = is_old ? &old : NULL,
	    .stage = HOSTILE_EHLO,
	    .channel = channel,
	    .certificate = scene->certificate,
	    .keywords = row->keywords};
	struct smtp_options options = hostile_scene_options(scene, channel);
	/* HELO offers nothing. */
	const bool fails = is_old && !row->converts;
	const int wanted = fails ? SMTP_E_NOTSUPP : row->err;

	options.chunking = 1;
	options.convert_8bit = row->converts;
	struct hostile_server *server = hostile_server_new(&where);
	struct smtp *session = smtp_new(&options);
	(void)smtp_set_timeout(session, PATIENCE_MS);
	cr_assert_eq(
	    smtp_connect(session, hostile_server_host(server), NULL), SMTP_OK);
	const int err = smtp_sendmail(session, "x@y", one, row->content,
	    strlen(row->content), 1, NULL, NULL);
	cr_expect_eq(err, wanted, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	if (wanted != SMTP_OK)
		cr_expect_eq(smtp_last_class(session), SMTP_C_PERM);
	cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->name);
	cr_expect_eq(smtp_quit(session), SMTP_OK, "%s", row->name);
	smtp_free(session);
	hostile_server_join(server);
	const struct bytes heard = hostile_server_heard(server);
	cr_expect_eq(
	    bytes_is_ascii(heard), !row->is_8bit || is_old, "%s", row->name);
	if (wanted != SMTP_OK)
		cr_expect_eq(bytes_search(heard, BYTES("mail from")), heard.len,
		    "%s", row->name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", row->name,
	    hostile_server_faults(server));
	hostile_server_free(server);
}

Test(outgoing, declares_its_8_bits_or_has_none)
{
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (size_t i = 0; i < sizeof(bit_rows) / sizeof(bit_rows[0]); i++)
		for (unsigned j = 0; j < HOSTILE_CHANNEL_COUNT; j++) {
			const enum hostile_channel channel =
			    (enum hostile_channel)j;
			check_bits(&scene, &bit_rows[i], channel, false);
			/* Within STARTTLS there is no HELO. */
			if (channel != HOSTILE_TLS_STARTED)
				check_bits(&scene, &bit_rows[i], channel, true);
		}
	hostile_scene_clear(&scene);
}
