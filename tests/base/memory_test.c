#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Larger than any address space; volatile hides it from the compiler. */
static volatile size_t far_too_much = SIZE_MAX / 2;

static bool
is_zero(const char *memory, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (memory[i] != 0)
			return false;
	}
	return true;
}

Test(memory, is_zeroed)
{
	for (size_t size = 1; size <= 1 << 16; size *= 16) {
		char *used = memory_new(size);
		memset(used, 'x', size);
		free(used);

		char *one = memory_new(size);
		char *many = memory_array(size, 3);
		cr_expect(is_zero(one, size), "%zu octets", size);
		cr_expect(is_zero(many, size * 3), "%zu times 3", size);
		free(many);
		free(one);
	}
}

Test(memory, of_no_size_has_an_address)
{
	void *rows[] = {memory_new(0), memory_array(0, 8), memory_array(8, 0),
	    memory_resize(NULL, 0), memory_resize_array(NULL, 0, 8),
	    memory_resize(memory_new(8), 0)};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_not_null(rows[i], "row %zu", i);
		free(rows[i]);
	}
}

Test(memory, keeps_its_content_when_resized)
{
	char *memory = memory_copy_text("postrider");

	memory = memory_resize(memory, 100000);
	cr_expect_str_eq(memory, "postrider");
	memory = memory_resize_array(memory, 5, 2);
	cr_expect_str_eq(memory, "postrider");
	free(memory);
}

Test(memory, copies_are_ended_and_keep_a_nul)
{
	char *copy = memory_copy(bytes_first(BYTES("a\0bc"), 3));
	char *empty = memory_copy(BYTES_NONE);
	char *of_null = memory_copy_text(NULL);

	cr_expect_eq(memcmp(copy, "a\0b\0", 4), 0);
	cr_expect_str_eq(empty, "");
	cr_expect_str_eq(of_null, "");
	free(of_null);
	free(empty);
	free(copy);
}

Test(memory, is_formatted)
{
	char *text = memory_format("%s %d", "port", 25);
	char *empty = memory_format("%s", "");
	char *large = memory_format("%*d", 100000, 7);

	cr_expect_str_eq(text, "port 25");
	cr_expect_str_eq(empty, "");
	cr_expect_eq(strlen(large), 100000);
	free(large);
	free(empty);
	free(text);
}

Test(memory, of_a_secret_is_overwritten)
{
	char secret[] = "hunter2";

	secret_clear(secret, 4);
	cr_expect_eq(memcmp(secret, "\0\0\0\0er2", 8), 0);
	secret_clear(NULL, 0);
}

static void
allocate(void)
{
	(void)memory_new(far_too_much);
}

static void
allocate_array(void)
{
	(void)memory_array(far_too_much, 4);
}

static void
resize_array(void)
{
	(void)memory_resize_array(NULL, far_too_much, 4);
}

Test(memory, that_is_out_ends_the_process)
{
	static const struct {
		const char *name;
		void (*act)(void);
	} rows[] = {
	    {"new", allocate},
	    {"array", allocate_array},
	    {"resize", resize_array},
	};

	/* Under a sanitizer it is not abort() that ends it. */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0) {
			(void)close(STDERR_FILENO);
			rows[i].act();
			_exit(0);
		}
		cr_expect_eq(waitpid(pid, &status, 0), pid);
		cr_expect_neq(status, 0, "%s", rows[i].name);
	}
}
