#include "message/transfer.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const char *const names[] = {
    [TRANSFER_7BIT] = "7bit",
    [TRANSFER_8BIT] = "8bit",
    [TRANSFER_BINARY] = "binary",
    [TRANSFER_QUOTED_PRINTABLE] = "quoted-printable",
    [TRANSFER_BASE64] = "base64",
    [TRANSFER_OTHER] = "?",
};

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum transfer_encoding
transfer_find(struct bytes name)
{
	if (name.len == 0)
		return TRANSFER_7BIT;
	for (int i = TRANSFER_7BIT; i < TRANSFER_OTHER; i++) {
		if (bytes_is_nocase(name, names[i]))
			return (enum transfer_encoding)i;
	}
	return TRANSFER_OTHER;
}

const char *
transfer_name(enum transfer_encoding encoding)
{
	return names[encoding];
}

void
transfer_init(struct transfer_encoder *encoder, enum transfer_encoding encoding)
{
	assert(encoding == TRANSFER_QUOTED_PRINTABLE ||
	    encoding == TRANSFER_BASE64);
	*encoder = (struct transfer_encoder){.encoding = encoding};
}

/* ---- base64 ---- */

/* Append the four digits of up to three octets. */
static void
append_group(struct buffer *output, const char *octets, size_t len)
{
	const unsigned char *in = (const unsigned char *)octets;
	uint32_t bits = (uint32_t)in[0] << 16;
	char group[4];

	bits |= len > 1 ? (uint32_t)in[1] << 8 : 0;
	bits |= len > 2 ? (uint32_t)in[2] : 0;
	for (size_t i = 0; i < sizeof(group); i++)
		group[i] = base64_digits[bits >> (18 - 6 * i) & 0x3f];
	if (len < 3)
		group[3] = '=';
	if (len < 2)
		group[2] = '=';
	buffer_append(output, bytes_make(group, sizeof(group)));
}

void
transfer_base64(struct buffer *output, struct bytes octets)
{
	for (; octets.len > 0; octets = bytes_from(octets, 3))
		append_group(
		    output, octets.data, octets.len < 3 ? octets.len : 3);
}

static void
base64_group(struct transfer_encoder *encoder, struct buffer *output)
{
	append_group(output, encoder->held, encoder->held_len);
	encoder->held_len = 0;
	encoder->column += 4;
	if (encoder->column == TRANSFER_LINE_MAX) {
		buffer_append_text(output, "\r\n");
		encoder->column = 0;
	}
}

static void
base64_octet(struct transfer_encoder *encoder, char c, struct buffer *output)
{
	encoder->held[encoder->held_len] = c;
	encoder->held_len++;
	if (encoder->held_len == 3)
		base64_group(encoder, output);
}

/* ---- quoted-printable ---- */

/* Append a character's form, behind a soft break where the line is full. */
static void
qp_append(
    struct transfer_encoder *encoder, struct bytes form, struct buffer *output)
{
	/* One column stays free for the '=' of a soft break. */
	if (encoder->column + form.len > TRANSFER_LINE_MAX - 1) {
		buffer_append_text(output, "=\r\n");
		encoder->column = 0;
	}
	buffer_append(output, form);
	encoder->column += form.len;
}

static void
qp_escaped(struct transfer_encoder *encoder, char c, struct buffer *output)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned octet = (unsigned char)c;
	char form[] = {'=', hex[octet >> 4], hex[octet & 15]};

	qp_append(encoder, bytes_make(form, sizeof(form)), output);
}

/*
 * Beside what must be: a dot and "From " at the start of a line, which relays
 * and mailboxes are known to spoil.
 */
static bool
qp_must_escape(const struct transfer_encoder *encoder, char c)
{
	if (c == '\t' || c == ' ')
		return false;
	if (c < 0x21 || c > 0x7e || c == '=')
		return true;
	return encoder->column == 0 && (c == '.' || c == 'F');
}

static void
qp_plain(struct transfer_encoder *encoder, char c, struct buffer *output)
{
	if (qp_must_escape(encoder, c))
		qp_escaped(encoder, c, output);
	else
		qp_append(encoder, bytes_make(&c, 1), output);
}

/*
 * Held is what the next octet decides on: a blank (plain, unless the line ends
 * behind it), a CR (a line end, if LF follows), or a blank and a CR.
 */
static void
qp_release(
    struct transfer_encoder *encoder, bool at_line_end, struct buffer *output)
{
	for (size_t i = 0; i < encoder->held_len; i++) {
		char c = encoder->held[i];
		bool end_follows = i + 1 == encoder->held_len
		    ? at_line_end
		    : encoder->held[i + 1] == '\r' && at_line_end;
		if (c == '\r' && at_line_end)
			continue;
		if (end_follows)
			qp_escaped(encoder, c, output);
		else
			qp_plain(encoder, c, output);
	}
	encoder->held_len = 0;
}

static void
qp_octet(struct transfer_encoder *encoder, char c, struct buffer *output)
{
	bool after_cr = encoder->held_len > 0 &&
	    encoder->held[encoder->held_len - 1] == '\r';

	if (after_cr && c == '\n') {
		qp_release(encoder, true, output);
		buffer_append_text(output, "\r\n");
		encoder->column = 0;
		return;
	}
	bool cr_behind_blank = c == '\r' && encoder->held_len == 1 && !after_cr;
	if (!cr_behind_blank)
		qp_release(encoder, false, output);
	if (c == ' ' || c == '\t' || c == '\r') {
		encoder->held[encoder->held_len] = c;
		encoder->held_len++;
		return;
	}
	qp_plain(encoder, c, output);
}

/* ---- both ---- */

void
transfer_append(struct transfer_encoder *encoder, struct bytes content,
    struct buffer *output)
{
	bool base64 = encoder->encoding == TRANSFER_BASE64;

	for (size_t i = 0; i < content.len; i++) {
		if (base64)
			base64_octet(encoder, content.data[i], output);
		else
			qp_octet(encoder, content.data[i], output);
	}
}

void
transfer_end(struct transfer_encoder *encoder, struct buffer *output)
{
	if (encoder->encoding == TRANSFER_QUOTED_PRINTABLE) {
		/* A blank at the very end is at the end of a line, too. */
		qp_release(encoder,
		    encoder->held_len == 1 && encoder->held[0] != '\r', output);
		return;
	}
	if (encoder->held_len > 0)
		base64_group(encoder, output);
	if (encoder->column > 0)
		buffer_append_text(output, "\r\n");
	encoder->column = 0;
}
