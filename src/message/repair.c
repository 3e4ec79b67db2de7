#include "message/repair.h"

#include "message/header.h"
#include "message/transfer.h"

#include <string.h>

/* What may follow before a break: "=", two octets that get escaped, and the "="
 * of the break. */
#define UNBROKEN_MAX 8

/* Octets of the UTF-8 character that c begins; 1 for all else. */
static size_t
character_len(char c)
{
	unsigned char octet = (unsigned char)c;

	if (octet < 0xc2)
		return 1;
	return octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : 4;
}

/* Where c ends a line, or follows a CR that did, see to it: true. */
static bool
take_line_end(struct repair *repair, char c, struct buffer *output)
{
	bool ended = repair->after_cr && c == '\n';

	repair->after_cr = c == '\r';
	if (c != '\r' && c != '\n')
		return false;
	if (!ended)
		buffer_append_text(output, "\r\n");
	repair->column = 0;
	repair->escape_left = 0;
	return true;
}

void
repair_fold(
    struct repair *repair, struct bytes piece, bool mask, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];

		if (take_line_end(repair, c, output))
			continue;
		if (mask && ((unsigned char)c > 0x7f || c == '\0'))
			c = '?';
		if (repair->column + character_len(c) > HEADER_LINE_MAX) {
			buffer_append_text(output, "\r\n ");
			repair->column = 1;
		}
		buffer_append_char(output, c);
		repair->column++;
	}
}

/* "====" is no escape in an escape, or no break would be safe. */
static void
follow_escape(struct repair *repair, char c)
{
	if (repair->escape_left > 0)
		repair->escape_left--;
	else if (c == '=')
		repair->escape_left = 2;
}

void
repair_quoted(struct repair *repair, struct bytes piece, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];
		bool bad = (unsigned char)c > 0x7f || c == '\0';

		if (take_line_end(repair, c, output))
			continue;
		bool full = repair->column >= HEADER_LINE_MAX - UNBROKEN_MAX;
		if (full && repair->escape_left == 0) {
			buffer_append_text(output, "=\r\n");
			repair->column = 0;
		}
		if (bad)
			buffer_printf(output, "=%02X", (unsigned char)c);
		else
			buffer_append_char(output, c);
		repair->column += bad ? strlen("=XX") : 1;
		follow_escape(repair, c);
	}
}

void
repair_base64(struct repair *repair, struct bytes piece, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];

		if (take_line_end(repair, c, output) || c <= ' ' || c > '~')
			continue;
		if (repair->column == TRANSFER_LINE_MAX) {
			buffer_append_text(output, "\r\n");
			repair->column = 0;
		}
		buffer_append_char(output, c);
		repair->column++;
	}
}
