#include "base/clock.h"
#include "control/json_writer.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static char *
taken(struct buffer *buffer)
{
	char *text = buffer_to_text(buffer);

	buffer_clear(buffer);
	return text;
}

Test(json_writer, puts_commas_and_brackets_in_their_places)
{
	struct buffer buffer;
	struct json_writer json;

	buffer_init(&buffer, 4096);
	json_writer_init(&json, &buffer);
	json_writer_object(&json, NULL);
	json_writer_text(&json, "a", "b");
	json_writer_number(&json, "n", -5);
	json_writer_array(&json, "list");
	json_writer_end(&json);
	json_writer_array(&json, "more");
	json_writer_object(&json, NULL);
	json_writer_end(&json);
	json_writer_object(&json, NULL);
	json_writer_bool(&json, "t", true);
	json_writer_null(&json, "nil");
	json_writer_end(&json);
	json_writer_text(&json, NULL, NULL);
	json_writer_end_line(&json);
	json_writer_object(&json, NULL);
	json_writer_time(&json, "at", 1795413120123);
	json_writer_time(&json, "never", CLOCK_NEVER);
	json_writer_time(&json, "none", 0);
	json_writer_end_line(&json);
	char *text = taken(&buffer);
	cr_expect_str_eq(text,
	    "{\"a\":\"b\",\"n\":-5,\"list\":[],\"more\":[{},"
	    "{\"t\":true,\"nil\":null},null]}\n"
	    "{\"at\":\"2026-11-23T05:52:00.123Z\",\"never\":null,"
	    "\"none\":null}\n");
	free(text);
}

Test(json_writer, escapes_every_octet)
{
	const struct {
		struct bytes text;
		const char *expected;
	} rows[] = {
	    {BYTES(""), "\"\""},
	    {BYTES("a\"b\\c"), "\"a\\\"b\\\\c\""},
	    {BYTES("\n\r\t\x01\x1f\x7f"), "\"\\n\\r\\t\\u0001\\u001f\\u007f\""},
	    {BYTES("a\0b"), "\"a\\u0000b\""},
	    {BYTES("\xc3\xb6\xe2\x82\xac\xf0\x9f\x93\xa8"),
		"\"\xc3\xb6\xe2\x82\xac\xf0\x9f\x93\xa8\""},
	    {BYTES("x\xffy\xc3"), "\"x\xef\xbf\xbdy\xef\xbf\xbd\""},
	    {BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer buffer;
		struct json_writer json;

		buffer_init(&buffer, 4096);
		json_writer_init(&json, &buffer);
		json_writer_bytes(&json, NULL, rows[i].text);
		char *text = taken(&buffer);
		cr_expect_str_eq(text, rows[i].expected);
		free(text);
	}
}
