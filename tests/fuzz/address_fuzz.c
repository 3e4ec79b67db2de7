/*
 * Any octets as mailbox, path and pattern: what is accepted is what was
 * written, and is safe to write again.
 */
#include "smtp/address.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_accepted(struct bytes mailbox, bool bare, bool utf8)
{
	struct bytes local = address_local(mailbox);
	struct bytes domain = address_domain(mailbox);
	bool is_qualified = local.len < mailbox.len;

	assert(!bytes_has_control(mailbox));
	assert(bytes_is_utf8(mailbox));
	assert(utf8 || bytes_is_ascii(mailbox));
	assert(mailbox.len <= ADDRESS_MAILBOX_MAX);
	assert(local.len > 0 && local.len <= ADDRESS_LOCAL_MAX);
	assert(is_qualified ? domain.len > 0 : bare);
	assert(!is_qualified || local.len + 1 + domain.len == mailbox.len);
	assert(!is_qualified || domain.data[0] == '[' ||
	    address_is_domain(domain, utf8));
	assert(address_equal(mailbox, mailbox));
	assert(address_matches(mailbox, BYTES("*")));
	assert(!address_matches(mailbox, BYTES("<>")));
}

/* The same mailbox between brackets is a path. */
static void
check_path(struct bytes mailbox, bool bare, bool utf8)
{
	char *path = malloc(mailbox.len + 3);

	assert(path != NULL);
	path[0] = '<';
	memcpy(path + 1, mailbox.data, mailbox.len);
	memcpy(path + 1 + mailbox.len, "> ", 2);
	struct bytes input = bytes_make(path, mailbox.len + 3 - 1);
	struct bytes taken = BYTES_NONE;
	assert(address_take_path(&input, bare, utf8, &taken) == ADDRESS_OK);
	assert(bytes_equal(taken, mailbox));
	assert(bytes_is(bytes_first(input, 1), " ") || input.len == 0);
	free(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	bool bare = (data[0] & 1) != 0, utf8 = (data[0] & 2) != 0;
	struct bytes text = bytes_make(data + 1, size - 1);
	struct bytes rest = text, mailbox = BYTES("untouched");

	if (address_check(text, bare, utf8) == ADDRESS_OK) {
		check_accepted(text, bare, utf8);
		check_path(text, bare, utf8);
	}
	if (address_take_path(&rest, bare, utf8, &mailbox) != ADDRESS_OK) {
		assert(bytes_equal(rest, text));
		assert(bytes_is(mailbox, "untouched"));
	} else if (mailbox.len > 0) {
		bool postmaster = bytes_is_nocase(mailbox, "postmaster");
		check_accepted(mailbox, bare || postmaster, utf8);
		assert(rest.len < text.len);
	}

	/* Anything at all may be split, compared and matched. */
	struct bytes second = text;
	struct bytes first = bytes_cut(&second, '\n');
	assert(address_local(first).len <= first.len);
	assert(address_equal(first, second) == address_equal(second, first));
	(void)address_matches(first, second); /* only that it returns */
	return 0;
}
