#include "config/hostname.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hosts.h"
#include "base/memory.h"
#include "config/endpoint.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)256 * 1024)

char *
hostname_qualified(const char *system_name, struct bytes hosts)
{
	if (strchr(system_name, '.') != NULL)
		return memory_copy_text(system_name);

	const struct bytes dotted = hosts_dotted_name(hosts, system_name);
	return endpoint_is_host(dotted) ? memory_copy(dotted)
					: memory_copy_text(system_name);
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
