/*
 * EHLO keywords: whatever the text, what is kept keeps its form.
 *
 * Input: the text of an EHLO reply.
 */
#include "smtp/extensions.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_mechanisms(const struct extensions *read)
{
	struct bytes rest = bytes_of(read->mechanisms);

	assert(read->mechanisms_len < sizeof(read->mechanisms));
	assert(strlen(read->mechanisms) == read->mechanisms_len);
	while (rest.len > 0) {
		const struct bytes name = bytes_cut(&rest, ' ');
		char text[21] = "";
		assert(name.len > 0 && name.len <= 20);
		memcpy(text, name.data, name.len);
		assert(extensions_has_mechanism(read, text));
		for (size_t i = 0; i < name.len; i++)
			assert(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
				   name.data[i]) != NULL);
		/* None twice. */
		for (struct bytes more = rest; more.len > 0;)
			assert(!bytes_equal(bytes_cut(&more, ' '), name));
	}
}

static bool
is_within(struct bytes part, struct bytes whole)
{
	return part.len == 0 ||
	    (part.data >= whole.data &&
		part.data + part.len <= whole.data + whole.len);
}

/* Every extension offered stands on a line of its own. */
static void
check_lines(const struct extensions *read, struct bytes text)
{
	struct bytes rest = extensions_lines(text);
	struct bytes keyword, parameters;
	unsigned seen = 0;

	while (extensions_next_line(&rest, &keyword, &parameters)) {
		const enum extension extension = extension_find(keyword);
		assert(keyword.len > 0 && is_within(keyword, text));
		assert(is_within(parameters, text));
		if (extension != EXTENSION_COUNT)
			seen |= EXTENSION_BIT(extension);
	}
	assert(seen == read->offered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bytes text = bytes_make(data, size);
	struct extensions read;

	extensions_read(&read, text);
	assert(read.esmtp);
	check_mechanisms(&read);
	check_lines(&read, text);
	return 0;
}
