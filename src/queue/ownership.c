#include "queue/ownership.h"

#define OTHERS_WRITE 022U

static bool
is_writable(const struct disk_facts *facts)
{
	return (facts->mode & OTHERS_WRITE) != 0;
}

bool
ownership_is_shared(const struct disk_facts *facts, uid_t owner)
{
	return facts->owner != owner || is_writable(facts);
}

bool
ownership_check(const struct disk_facts *facts, uid_t owner, const char *path,
    const char *name, struct error *error)
{
	const char *separator = name[0] == '\0' ? "" : "/";

	if (facts->owner != owner)
		return error_set(error, ERROR_CONFIG,
		    "%s%s%s belongs to uid %lu, not to uid %lu, who runs the "
		    "daemon: chown %lu %s%s%s",
		    path, separator, name, (unsigned long)facts->owner,
		    (unsigned long)owner, (unsigned long)owner, path, separator,
		    name);
	if (is_writable(facts))
		return error_set(error, ERROR_CONFIG,
		    "%s%s%s has mode %04o, so that others may write to it: "
		    "chmod go-w %s%s%s",
		    path, separator, name, (unsigned)facts->mode, path,
		    separator, name);
	return true;
}
