#include "config/hostname.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "config/endpoint.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)256 * 1024)

static struct bytes
next_word(struct bytes *line)
{
	struct bytes trimmed = bytes_trim(*line);
	size_t len = 0;

	while (len < trimmed.len && trimmed.data[len] != ' ' &&
	    trimmed.data[len] != '\t')
		len++;
	*line = bytes_from(trimmed, len);
	return bytes_first(trimmed, len);
}

/* The first dotted name of a line of /etc/hosts, where name is on it too. */
static struct bytes
dotted_name(struct bytes line, const char *name)
{
	struct bytes dotted = BYTES_NONE;
	bool found = false;

	line = bytes_cut(&line, '#');
	(void)next_word(&line); /* the address */
	for (struct bytes word = next_word(&line); word.len > 0;
	     word = next_word(&line)) {
		if (bytes_is_nocase(word, name))
			found = true;
		if (dotted.len == 0 && bytes_contains(word, '.') &&
		    endpoint_is_host(word))
			dotted = word;
	}
	return found ? dotted : BYTES_NONE;
}

char *
hostname_qualified(const char *system_name, struct bytes hosts)
{
	if (strchr(system_name, '.') != NULL)
		return memory_copy_text(system_name);
	while (hosts.len > 0) {
		struct bytes dotted =
		    dotted_name(bytes_cut(&hosts, '\n'), system_name);

		if (dotted.len > 0)
			return memory_copy(dotted);
	}
	return memory_copy_text(system_name);
}

char *
hostname_own(void)
{
	char name[256] = "";
	struct buffer hosts;
	struct error error;

	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		memcpy(name, "localhost", sizeof("localhost"));
	buffer_init(&hosts, FILE_SIZE_MAX);
	/* Without the file the name just stays short. */
	(void)!file_read(AT_FDCWD, "/etc/hosts", &hosts, &error);
	char *own = hostname_qualified(name, buffer_bytes(&hosts));
	buffer_clear(&hosts);
	return own;
}

char *
hostname_mailname(void)
{
	struct buffer text;
	struct error error;
	char *name = NULL;

	buffer_init(&text, FILE_SIZE_MAX);
	if (file_read(AT_FDCWD, "/etc/mailname", &text, &error)) {
		struct bytes rest = buffer_bytes(&text);
		struct bytes line = bytes_trim(bytes_cut(&rest, '\n'));

		if (endpoint_is_host(line))
			name = memory_copy(line);
	}
	buffer_clear(&text);
	return name;
}
