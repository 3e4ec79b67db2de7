/*
 * The configuration: any text either loads, or is refused with an error.  The
 * grammar of ours must take no text that libconfig does not.
 */
#include "base/buffer.h"
#include "base/memory.h"
#include "config/config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/config_fuzz.XXXXXX";
static char *path;

static void
remove_folder(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
	free(path);
}

static void
make_folder(void)
{
	if (path != NULL)
		return;
	assert(mkdtemp(folder) != NULL);
	path = memory_format("%s/postrider.conf", folder);
	(void)atexit(remove_folder);
}

static void
put_file(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	assert(close(fd) == 0);
}

/* What was understood is shown, and what is shown is understood the same. */
static void
show_twice(struct config *config)
{
	struct buffer shown;
	struct buffer said;
	struct config *again;

	buffer_init(&shown, 1 << 24);
	buffer_init(&said, 1 << 24);
	config_show(config, true, &shown);
	bool secret = bytes_search(buffer_bytes(&shown), BYTES("\"***")) <
	    buffer_bytes(&shown).len;
	put_file((const uint8_t *)buffer_bytes(&shown).data, shown.len);
	bool good = config_load(path, NULL, &again, &said);
	if (!good && !secret)
		fprintf(stderr, "%.*s\n", BYTES_ARGS(buffer_bytes(&said)));
	assert(good || secret);
	if (good) {
		assert(again->upstream_count == config->upstream_count);
		assert(again->route_count == config->route_count);
		config_free(again);
	}
	buffer_clear(&shown);
	buffer_clear(&said);
}

/* Something is said, and none of it in libconfig's own words.  Lines of the
 * source are shown indented. */
static void
check_words(struct bytes said)
{
	assert(bytes_search(said, BYTES("error: ")) < said.len);
	while (said.len > 0) {
		struct bytes line = bytes_cut(&said, '\n');

		assert(bytes_has_prefix(line, " ") ||
		    !bytes_has_suffix_nocase(line, "error: syntax error"));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config;
	struct buffer said;

	make_folder();
	put_file(data, size);
	buffer_init(&said, 1 << 24);
	if (config_load(path, NULL, &config, &said)) {
		show_twice(config);
		config_free(config);
	} else
		check_words(buffer_bytes(&said));
	buffer_clear(&said);
	return 0;
}
