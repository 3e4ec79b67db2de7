#include "message/transfer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QP  TRANSFER_QUOTED_PRINTABLE
#define B64 TRANSFER_BASE64

#define A25 "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define A75 A25 A25 A25

/* As BYTES, for static tables. */
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static const struct row {
	const char *name;
	enum transfer_encoding encoding;
	struct bytes content;
	const char *expected;
} rows[] = {
    {"empty", QP, TEXT(""), ""},
    {"plain", QP, TEXT("hello\r\n"), "hello\r\n"},
    {"without a line end", QP, TEXT("hello"), "hello"},
    {"8bit and equals", QP, TEXT("k\xc3\xb6=\r\n"), "k=C3=B6=3D\r\n"},
    {"NUL and controls", QP, TEXT("\0\x1b\x7f"), "=00=1B=7F"},
    {"blank at a line's end", QP, TEXT("a \r\nb\t\r\n"), "a=20\r\nb=09\r\n"},
    {"blanks at a line's end", QP, TEXT("a  \r\n"), "a =20\r\n"},
    {"blank at the very end", QP, TEXT("a "), "a=20"},
    {"blanks within", QP, TEXT("a  b\tc"), "a  b\tc"},
    {"lone CR and LF", QP, TEXT("a\rb\nc"), "a=0Db=0Ac"},
    {"lone CR at the end", QP, TEXT("a \r"), "a =0D"},
    {"CR CR LF", QP, TEXT("a\r\r\n"), "a=0D\r\n"},
    {"a dot and From", QP, TEXT(".\r\nFrom x\r\n"), "=2E\r\n=46rom x\r\n"},
    {"a full line", QP, TEXT(A75), A75},
    {"a soft break", QP, TEXT(A75 "bc"), A75 "=\r\nbc"},
    {"no break within =XX", QP, TEXT(A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa\xff"),
	A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa=\r\n=FF"},
    {"base64 of nothing", B64, TEXT(""), ""},
    {"base64 of one", B64, TEXT("f"), "Zg==\r\n"},
    {"base64 of two", B64, TEXT("fo"), "Zm8=\r\n"},
    {"base64 of three", B64, TEXT("foo"), "Zm9v\r\n"},
    {"base64 of high octets", B64, TEXT("\xff\xfe\xfd\xfc"), "//79/A==\r\n"},
    {"a full line of base64", B64,
	TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW"
	"Fh"
	"YWFh\r\n"},
    {"and one more", B64,
	TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
	"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW"
	"Fh"
	"YWFh\r\nYg==\r\n"},
};

static void
encode(struct buffer *output, enum transfer_encoding encoding,
    struct bytes content, size_t step)
{
	struct transfer_encoder encoder;

	transfer_init(&encoder, encoding);
	while (content.len > 0) {
		transfer_append(&encoder, bytes_first(content, step), output);
		content = bytes_from(content, step);
	}
	transfer_end(&encoder, output);
}

Test(transfer, encodes_however_it_is_cut)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 90; step += step < 3 ? 1 : 29) {
			struct buffer output;
			buffer_init(&output, 1000);
			encode(
			    &output, rows[i].encoding, rows[i].content, step);
			cr_expect(
			    bytes_is(buffer_bytes(&output), rows[i].expected),
			    "%s by %zu: \"%.*s\"", rows[i].name, step,
			    BYTES_ARGS(buffer_bytes(&output)));
			buffer_clear(&output);
		}
	}
}

static int
hex_of(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* A decoder to check against, of what the encoder writes only. */
static void
decode_quoted(struct buffer *output, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '=') {
			buffer_append_char(output, text.data[i]);
			continue;
		}
		if (text.data[i + 1] != '\r')
			buffer_append_char(output,
			    (char)(hex_of(text.data[i + 1]) << 4 |
				hex_of(text.data[i + 2])));
		i += 2;
	}
}

static void
expect_lines_fit(struct bytes text, unsigned seed)
{
	while (text.len > 0) {
		struct bytes line = bytes_cut(&text, '\n');
		cr_assert_leq(line.len, TRANSFER_LINE_MAX + 1, "seed %u", seed);
	}
}

Test(transfer, loses_nothing_in_quoted_printable)
{
	unsigned seed = (unsigned)time(NULL);
	static const char alphabet[] = "a =.F\t\r\n\xc3\xb6\0xyz";
	srand(seed);

	for (int round = 0; round < 3000; round++) {
		char content[300];
		size_t len = (size_t)rand() % sizeof(content);
		struct buffer encoded;
		struct buffer decoded;
		for (size_t i = 0; i < len; i++)
			content[i] =
			    alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		buffer_init(&encoded, 10000);
		buffer_init(&decoded, 10000);
		encode(&encoded, QP, bytes_make(content, len),
		    (size_t)rand() % 40 + 1);
		decode_quoted(&decoded, buffer_bytes(&encoded));
		cr_assert(bytes_equal(
			      buffer_bytes(&decoded), bytes_make(content, len)),
		    "seed %u", seed);
		cr_assert(bytes_is_ascii(buffer_bytes(&encoded)));
		expect_lines_fit(buffer_bytes(&encoded), seed);
		buffer_clear(&encoded);
		buffer_clear(&decoded);
	}
}

Test(transfer, knows_the_encodings)
{
	cr_expect_eq(transfer_find(BYTES("Base64")), TRANSFER_BASE64);
	cr_expect_eq(transfer_find(BYTES("8BIT")), TRANSFER_8BIT);
	cr_expect_eq(transfer_find(BYTES_NONE), TRANSFER_7BIT);
	cr_expect_eq(transfer_find(BYTES("x-uuencode")), TRANSFER_OTHER);
	cr_expect_str_eq(transfer_name(QP), "quoted-printable");
}

Test(transfer, writes_base64_in_one_line)
{
	struct buffer output;

	buffer_init(&output, 100);
	transfer_base64(&output, BYTES("\0user\0password"));
	cr_expect(bytes_is(buffer_bytes(&output), "AHVzZXIAcGFzc3dvcmQ="));
	buffer_clear(&output);
}
