/*
 * What the disk can do at best: append groups of records to one file, fdatasync
 * behind each group.
 *
 *   append DIRECTORY GROUP [SIZE [SECONDS]]
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long
number(const char *text)
{
	unsigned long long value;

	if (!bytes_to_u64(bytes_of(text), UINT32_MAX, &value) || value == 0) {
		(void)fprintf(stderr, "append: no number: %s\n", text);
		exit(1);
	}
	return (unsigned long)value;
}

int
main(int argc, char **argv)
{
	if (argc < 3) {
		(void)fprintf(
		    stderr, "usage: append DIRECTORY GROUP [SIZE [SECONDS]]\n");
		return 1;
	}
	unsigned long group = number(argv[2]);
	unsigned long size = argc > 3 ? number(argv[3]) : 4096;
	int64_t most = (argc > 4 ? (int64_t)number(argv[4]) : 1) * CLOCK_SECOND;
	char *records = memory_array(group, size);
	char *path = memory_format("%s/append.tmp", argv[1]);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(path);

	int64_t begin = clock_now().mono_ms;
	unsigned long done = 0;
	memset(records, 'x', group * size);
	while (clock_now().mono_ms - begin < most) {
		if (write(fd, records, group * size) != (ssize_t)(group * size))
			fail("write");
		if (fdatasync(fd) != 0)
			fail("fdatasync");
		done += group;
	}
	int64_t took = clock_now().mono_ms - begin;
	(void)printf(
	    "%.0f\n", (double)done * 1000 / (double)took); /* to a pipe */
	if (unlink(path) != 0)
		fail(path);
	free(path);
	free(records);
	return 0;
}
