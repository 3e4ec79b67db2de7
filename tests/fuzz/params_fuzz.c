/*
 * Any octets as parameters: what is accepted means the same when it is written
 * and read again, and holds nothing that ends a line.
 */
#include "smtp/params.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_problem(struct params_problem problem)
{
	assert(
	    problem.code == 501 || problem.code == 504 || problem.code == 555);
	assert(problem.enhanced[0] == '5' && problem.text[0] != '\0');
}

static void
check_decodes(struct bytes xtext)
{
	struct buffer decoded, again;

	buffer_init(&decoded, (size_t)1 << 20);
	buffer_init(&again, (size_t)1 << 20);
	assert(xtext_decode(&decoded, xtext));
	assert(!bytes_has_control(buffer_bytes(&decoded)));
	xtext_append(&again, buffer_bytes(&decoded));
	buffer_empty(&decoded);
	assert(xtext_decode(&decoded, buffer_bytes(&again)));
	buffer_clear(&decoded);
	buffer_clear(&again);
}

static void
check_mail(struct bytes text, unsigned allowed)
{
	struct mail_params first, second;
	struct buffer written, again;
	struct params_problem problem = params_read_mail(text, allowed, &first);

	if (problem.code != 0) {
		check_problem(problem);
		return;
	}
	buffer_init(&written, (size_t)1 << 20);
	buffer_init(&again, (size_t)1 << 20);
	params_write_mail(&written, &first, allowed);
	struct bytes once = buffer_bytes(&written);
	assert(!bytes_has_control(once));
	assert(params_read_mail(once, allowed, &second).code == 0);
	params_write_mail(&again, &second, allowed);
	assert(bytes_equal(once, buffer_bytes(&again)));
	assert(first.has_size == second.has_size && first.utf8 == second.utf8);
	check_decodes(first.envelope_id);
	check_decodes(first.auth);
	buffer_clear(&written);
	buffer_clear(&again);
}

static void
check_rcpt(struct bytes text, unsigned allowed)
{
	struct rcpt_params first, second;
	struct buffer written;
	struct params_problem problem = params_read_rcpt(text, allowed, &first);

	if (problem.code != 0) {
		check_problem(problem);
		return;
	}
	buffer_init(&written, (size_t)1 << 20);
	params_write_rcpt(&written, &first, allowed);
	struct bytes once = buffer_bytes(&written);
	assert(!bytes_has_control(once));
	assert(params_read_rcpt(once, allowed, &second).code == 0);
	assert(first.notify == second.notify);
	assert(bytes_equal(first.original, second.original));
	buffer_clear(&written);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	unsigned allowed = data[0] == 0 ? ~0U : data[0] * 0x01010101U;
	struct bytes text = bytes_make(data + 1, size - 1);
	struct buffer decoded;

	check_mail(text, allowed);
	check_rcpt(text, allowed);
	buffer_init(&decoded, (size_t)1 << 20);
	if (xtext_decode(&decoded, text))
		check_decodes(text);
	buffer_clear(&decoded);
	return 0;
}
