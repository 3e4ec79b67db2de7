#include "smtp/reply.h"

#include <assert.h>
#include <stddef.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reply-line = 3DIGIT [ ("-" / SP) text ] CRLF, the first digit 2 to 5.
 * 0 where line has another form.
 */
static int
line_code(struct bytes line)
{
	const char *p = line.data;

	if (line.len < 3 || p[0] < '2' || p[0] > '5')
		return 0;
	if (!is_digit(p[1]) || !is_digit(p[2]))
		return 0;
	if (line.len > 3 && p[3] != '-' && p[3] != ' ')
		return 0;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

static struct bytes
without_line_end(struct bytes line)
{
	size_t len = line.len - 1;

	if (len > 0 && line.data[len - 1] == '\r')
		len--;
	return bytes_first(line, len);
}

/* line is whole, its end included. */
static enum reply_progress
read_line(struct reply_reader *reader, struct bytes line)
{
	const struct bytes content = without_line_end(line);
	const int code = line_code(content);
	const bool is_last = content.len <= 3 || content.data[3] == ' ';

	if (code == 0 || (reader->code != 0 && code != reader->code))
		return REPLY_MALFORMED;
	if (reader->lines >= REPLY_LINES_MAX)
		return REPLY_MALFORMED;
	if (reader->lines > 0)
		buffer_append_char(&reader->text, '\n');
	buffer_append(&reader->text, bytes_trim(bytes_from(content, 4)));
	if (reader->text.overflowed)
		return REPLY_MALFORMED;
	reader->code = code;
	reader->lines++;
	return is_last ? REPLY_FINISHED : REPLY_UNFINISHED;
}

/* Octets that the first line may have. */
static size_t
line_max(struct bytes input)
{
	return bytes_is(bytes_first(input, 3), "334") ? REPLY_CHALLENGE_MAX
						      : REPLY_LINE_MAX;
}

/* The octets of the first line with its end; 0 where the end has not come. */
static size_t
line_size(struct bytes input)
{
	const struct bytes front = bytes_first(input, line_max(input));
	const size_t len = bytes_index(front, '\n');

	return len == front.len ? 0 : len + 1;
}

/* The text of a finished reply lives until now: see reply.h. */
static void
start_over(struct reply_reader *reader)
{
	buffer_empty(&reader->text);
	reader->code = 0;
	reader->lines = 0;
	reader->finished = false;
}

static struct reply
finish(struct reply_reader *reader)
{
	const struct bytes text = buffer_bytes(&reader->text);

	reader->finished = true;
	return (struct reply){
	    .code = reader->code,
	    .enhanced = reply_enhanced(reader->code, text),
	    .text = text,
	};
}

void
reply_reader_init(struct reply_reader *reader)
{
	*reader = (struct reply_reader){0};
	buffer_init(&reader->text, REPLY_SIZE_MAX);
}

void
reply_reader_clear(struct reply_reader *reader)
{
	buffer_clear(&reader->text);
	start_over(reader);
}

enum reply_progress
reply_read(
    struct reply_reader *reader, struct buffer *input, struct reply *out_reply)
{
	if (reader->finished)
		start_over(reader);
	for (;;) {
		const struct bytes octets = buffer_bytes(input);
		const size_t size = line_size(octets);
		if (size == 0)
			return octets.len < line_max(octets) ? REPLY_UNFINISHED
							     : REPLY_MALFORMED;

		const struct bytes line = bytes_first(octets, size);
		const enum reply_progress progress = read_line(reader, line);
		if (progress == REPLY_MALFORMED)
			return REPLY_MALFORMED;
		if (reader->on_line != NULL)
			reader->on_line(line, reader->ctx);
		buffer_consume(input, size);
		if (progress == REPLY_FINISHED) {
			*out_reply = finish(reader);
			return REPLY_FINISHED;
		}
	}
}

bool
reply_is_begun(const struct reply_reader *reader)
{
	return reader->lines > 0 && !reader->finished;
}

/* "." 1*3DIGIT at *at, which is moved behind it. */
static bool
take_part(struct bytes text, size_t *at)
{
	size_t i = *at;

	if (i >= text.len || text.data[i] != '.')
		return false;
	i++;
	const size_t start = i;
	while (i < text.len && i - start < 3 && is_digit(text.data[i]))
		i++;
	*at = i;
	return i > start;
}

/*
 * status-code = class "." subject "." detail
 * class       = "2" / "4" / "5"
 */
struct bytes
reply_enhanced(int code, struct bytes text)
{
	const int class = code / 100;
	size_t at = 1;

	if (class != 2 && class != 4 && class != 5)
		return BYTES_NONE;
	if (text.len == 0 || text.data[0] != '0' + class)
		return BYTES_NONE;
	if (!take_part(text, &at) || !take_part(text, &at))
		return BYTES_NONE;
	if (at < text.len && text.data[at] != ' ' && text.data[at] != '\n')
		return BYTES_NONE;
	return bytes_first(text, at);
}

/* What a line cannot hold, and what is not ASCII, is a "?". */
static void
append_shown(struct buffer *output, struct bytes text)
{
	char *room = buffer_reserve(output, text.len);

	if (room == NULL)
		return;
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];
		room[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	buffer_commit(output, text.len);
}

void
reply_write(
    struct buffer *output, int code, const char *enhanced, const char *text)
{
	assert(code >= 200 && code <= 599);
	const char begin[] = {(char)('0' + code / 100),
	    (char)('0' + code / 10 % 10), (char)('0' + code % 10), ' '};

	buffer_append(output, bytes_make(begin, sizeof(begin)));
	if (enhanced[0] != '\0') {
		buffer_append_text(output, enhanced);
		buffer_append_char(output, ' ');
	}
	append_shown(output, bytes_of(text));
	buffer_append_text(output, "\r\n");
}
