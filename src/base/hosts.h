/*
 * What /etc/hosts says of names: lines of an address and the names it has,
 * blanks between, "#" before a comment.
 */
#pragma once

#include "base/bytes.h"

/* The first name with a dot on a line that name is on, too; a view of hosts,
 * the text of the file.  Empty where there is none. */
struct bytes hosts_dotted_name(struct bytes hosts, const char *name);
