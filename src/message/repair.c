#include "message/repair.h"

#include "message/header.h"
#include "message/transfer.h"

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

void
repair_fold(
    struct repair *repair, struct bytes piece, bool mask, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];
		bool line_end = c == '\r' || c == '\n';

		if (mask && ((unsigned char)c > 0x7f || c == '\0'))
			c = '?';
		if (!line_end &&
		    repair->column + character_len(c) > HEADER_LINE_MAX) {
			buffer_append_text(output, "\r\n ");
			repair->column = 1;
		}
		buffer_append_char(output, c);
		repair->column = line_end ? 0 : repair->column + 1;
	}
}

void
repair_quoted(struct repair *repair, struct bytes piece, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = (unsigned char)piece.data[i];

		if (c == '\r' || c == '\n') {
			buffer_append_char(output, (char)c);
			repair->column = 0;
			repair->escape_left = 0;
			continue;
		}
		bool full = repair->column >= HEADER_LINE_MAX - UNBROKEN_MAX;
		if (full && repair->escape_left == 0) {
			buffer_append_text(output, "=\r\n");
			repair->column = 0;
		}
		size_t before = output->len;
		if (c > 0x7f || c == '\0')
			buffer_printf(output, "=%02X", c);
		else
			buffer_append_char(output, (char)c);
		repair->column += output->len - before;
		/* "====" is no escape in an escape, or no break would be safe.
		 */
		if (repair->escape_left > 0)
			repair->escape_left--;
		else if (c == '=')
			repair->escape_left = 2;
	}
}

void
repair_base64(struct repair *repair, struct bytes piece, struct buffer *output)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];
		bool line_end = c == '\r' || c == '\n';

		if (!line_end && (c <= ' ' || c > '~'))
			continue;
		if (!line_end && repair->column == TRANSFER_LINE_MAX) {
			buffer_append_text(output, "\r\n");
			repair->column = 0;
		}
		buffer_append_char(output, c);
		repair->column = line_end ? 0 : repair->column + 1;
	}
}
