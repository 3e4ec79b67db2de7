#include "smtp/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RANDOM_RUNS 30
#define LOG_MAX     ((size_t)16 * 1024 * 1024)

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = strchr(digits, c);

	cr_assert(c != '\0' && found != NULL, "bad \\x escape");
	return (int)(found - digits);
}

/* The octet of the escape at the front of *text, which is taken. */
static char
take_escape(struct bytes *text)
{
	static const char letters[] = "rnt0\\", octets[] = "\r\n\t\0\\";

	cr_assert(text->len >= 2, "a lone backslash");
	char letter = text->data[1];
	const char *found = strchr(letters, letter);
	if (letter != 'x') {
		cr_assert_not_null(found, "unknown escape \\%c", letter);
		*text = bytes_from(*text, 2);
		return octets[found - letters];
	}
	cr_assert(text->len >= 4, "\\x without two digits");
	int octet = hex_digit(text->data[2]) * 16 + hex_digit(text->data[3]);
	*text = bytes_from(*text, 4);
	return (char)octet;
}

bool
transcript_next(struct bytes *rest, struct transcript_line *out_line)
{
	while (rest->len > 0) {
		struct bytes line = bytes_trim(bytes_cut(rest, '\n'));
		if (line.len == 0)
			continue;
		cr_assert(line.len >= 2 && line.data[1] == ':',
		    "no transcript line: %.*s", BYTES_ARGS(line));
		*out_line = (struct transcript_line){
		    line.data[0], bytes_from(line, strlen("K: "))};
		return true;
	}
	return false;
}

void
transcript_unescape(struct buffer *buffer, struct bytes text)
{
	while (text.len > 0) {
		size_t plain = bytes_index(text, '\\');
		buffer_append(buffer, bytes_first(text, plain));
		text = bytes_from(text, plain);
		if (text.len > 0)
			buffer_append_char(buffer, take_escape(&text));
	}
}

void
transcript_escape(struct buffer *buffer, struct bytes octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		char c = octets.data[i];
		if (c == '\r')
			buffer_append_text(buffer, "\\r");
		else if (c == '\n')
			buffer_append_text(buffer, "\\n");
		else if (c >= ' ' && c <= '~' && c != '\\')
			buffer_append_char(buffer, c);
		else
			buffer_printf(buffer, "\\x%02x", (unsigned char)c);
	}
}

size_t
transcript_piece(struct transcript_cuts *cuts, size_t left)
{
	switch (cuts->cutting) {
	case TRANSCRIPT_WHOLE:
		return left;
	case TRANSCRIPT_BYTES:
		return 1;
	case TRANSCRIPT_RANDOM:
		break;
	}
	cuts->seed = cuts->seed * 1103515245U + 12345U;
	/* Small and large pieces alike. */
	unsigned scale = (cuts->seed >> 16) % 12U;
	size_t piece = 1 + ((cuts->seed >> 20) % (1U << scale));
	return piece < left ? piece : left;
}

static bool
line_matches(struct bytes expected, struct bytes actual)
{
	if (expected.len == 0 || expected.data[expected.len - 1] != '*')
		return bytes_equal(expected, actual);
	expected.len--;
	return bytes_equal(expected, bytes_first(actual, expected.len));
}

static bool
log_matches(struct bytes expected, struct bytes actual)
{
	while (expected.len > 0 && actual.len > 0) {
		struct bytes wanted = bytes_cut(&expected, '\n');
		if (!line_matches(wanted, bytes_cut(&actual, '\n')))
			return false;
	}
	return expected.len == actual.len;
}

static void
expected_log(struct buffer *log, const char *text, const char *kinds)
{
	struct bytes rest = bytes_of(text);
	struct transcript_line line;

	while (transcript_next(&rest, &line)) {
		if (strchr(kinds, line.kind) == NULL)
			continue;
		buffer_printf(log, "%c: ", line.kind);
		buffer_append(log, line.text);
		buffer_append_char(log, '\n');
	}
}

static void
check_once(const char *name, const char *text, const char *kinds,
    struct transcript_cuts cuts, transcript_run_fn *run, void *ctx)
{
	static const char *const ways[] = {"whole", "byte by byte", "cut"};
	unsigned seed = cuts.seed;
	struct buffer expected, actual;

	buffer_init(&expected, LOG_MAX);
	buffer_init(&actual, LOG_MAX);
	expected_log(&expected, text, kinds);
	run(text, &cuts, &actual, ctx);
	cr_assert(log_matches(buffer_bytes(&expected), buffer_bytes(&actual)),
	    "%s, %s with TRANSCRIPT_SEED=%u\nexpected:\n%.*s\ngot:\n%.*s", name,
	    ways[cuts.cutting], seed,
	    BYTES_ARGS(bytes_first(buffer_bytes(&expected), 8000)),
	    BYTES_ARGS(bytes_first(buffer_bytes(&actual), 8000)));
	buffer_clear(&expected);
	buffer_clear(&actual);
}

static unsigned
first_seed(void)
{
	const char *given = getenv("TRANSCRIPT_SEED");
	struct timespec now;

	if (given != NULL)
		return (unsigned)strtoul(given, NULL, 10);
	(void)clock_gettime(CLOCK_REALTIME, &now); /* any number will do */
	return (unsigned)now.tv_nsec;
}

void
transcript_check(const char *name, const char *text, const char *kinds,
    transcript_run_fn *run, void *ctx)
{
	struct transcript_cuts cuts = {TRANSCRIPT_WHOLE, first_seed()};
	unsigned seed = cuts.seed;

	check_once(name, text, kinds, cuts, run, ctx);
	cuts.cutting = TRANSCRIPT_BYTES;
	check_once(name, text, kinds, cuts, run, ctx);
	cuts.cutting = TRANSCRIPT_RANDOM;
	for (unsigned i = 0; i < RANDOM_RUNS; i++) {
		cuts.seed = seed + i;
		check_once(name, text, kinds, cuts, run, ctx);
	}
}

Test(transcript, reads_lines_and_escapes)
{
	struct bytes rest = bytes_of("  C: a\\r\\x41\\\\\n\n\tS: \n");
	struct transcript_line line;
	struct buffer octets;

	buffer_init(&octets, 100);
	cr_assert(transcript_next(&rest, &line));
	cr_assert_eq(line.kind, 'C');
	transcript_unescape(&octets, line.text);
	cr_assert(bytes_is(buffer_bytes(&octets), "a\rA\\"));
	cr_assert(transcript_next(&rest, &line));
	cr_assert_eq(line.kind, 'S');
	cr_assert_eq(line.text.len, 0);
	cr_assert_not(transcript_next(&rest, &line));
	buffer_clear(&octets);
}

Test(transcript, escapes_what_is_not_printable)
{
	struct buffer text;

	buffer_init(&text, 100);
	transcript_escape(&text, bytes_make("a\r\n\0\xff\\", 6));
	cr_assert(bytes_is(buffer_bytes(&text), "a\\r\\n\\x00\\xff\\x5c"));
	buffer_clear(&text);
}

/* Logs how many octets came, whatever the cuts. */
static void
count_octets(const char *text, struct transcript_cuts *cuts, struct buffer *log,
    void *ctx)
{
	size_t octets = 0;
	unsigned *runs = ctx;

	for (size_t left = strlen(text); left > 0;) {
		size_t piece = transcript_piece(cuts, left);
		cr_assert(piece > 0 && piece <= left);
		left -= piece;
		octets += piece;
	}
	++*runs;
	buffer_printf(log, "S: %zu octets\n", octets);
}

Test(transcript, is_run_in_many_cuts)
{
	unsigned runs = 0;

	transcript_check(
	    "count", "C: 0123456789\nS: 25 oct*\n", "S", count_octets, &runs);
	cr_assert_eq(runs, RANDOM_RUNS + 2);
}
