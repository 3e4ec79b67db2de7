#include "intake/admission.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One uid, or one address, and its connections. */
struct admission_user {
	char name[80];
	unsigned connections;
};

static struct bytes
user_key(const void *element)
{
	const struct admission_user *user = element;
	return bytes_of(user->name);
}

void
admission_init(
    struct admission *admission, const struct admission_options *options)
{
	*admission = (struct admission){.options = options};
	table_init(&admission->users, user_key);
}

void
admission_clear(struct admission *admission)
{
	size_t cursor = 0;
	struct admission_user *user;

	while ((user = table_next(&admission->users, &cursor)) != NULL)
		free(user);
	table_clear(&admission->users);
}

static void
user_name(const struct peer *peer, char *name, size_t size)
{
	if (peer->local)
		(void)snprintf(
		    name, size, "uid %lu", (unsigned long)peer->uid); /* fits */
	else
		(void)snprintf(name, size, "%s", peer->address); /* fits */
}

static struct admission_user *
find_user(struct admission *admission, const struct peer *peer)
{
	struct admission_user *user = memory_new(sizeof(*user));
	user_name(peer, user->name, sizeof(user->name));

	struct admission_user *known =
	    table_find(&admission->users, bytes_of(user->name));
	if (known != NULL) {
		free(user);
		return known;
	}
	table_insert(&admission->users, user);
	return user;
}

/* The administrator and the daemon's own tools are never locked out. */
static bool
is_exempt(const struct peer *peer)
{
	return peer->local && peer->uid == 0;
}

const char *
admission_enter(struct admission *admission, const struct peer *peer)
{
	const struct admission_options *options = admission->options;

	if (admission->connections >= options->connections_max) {
		admission->rejected++;
		return "too many connections, try again later";
	}
	struct admission_user *user = find_user(admission, peer);
	if (user->connections >= options->connections_per_user_max &&
	    !is_exempt(peer)) {
		admission->rejected++;
		return "too many connections of yours, try again later";
	}
	user->connections++;
	admission->connections++;
	return NULL;
}

void
admission_leave(struct admission *admission, const struct peer *peer)
{
	struct admission_user *user = find_user(admission, peer);

	assert(user->connections > 0);
	assert(admission->connections > 0);
	admission->connections--;
	user->connections--;
	if (user->connections == 0) {
		(void)table_remove(
		    &admission->users, bytes_of(user->name)); /* it is user */
		free(user);
	}
}

bool
admission_reserve(struct admission *admission, uint64_t octets)
{
	if (octets > admission->options->memory_max - admission->memory)
		return false;
	admission->memory += octets;
	return true;
}

void
admission_release(struct admission *admission, uint64_t octets)
{
	assert(octets <= admission->memory);
	admission->memory -= octets;
}

bool
admission_relays(const struct admission *admission, struct bytes domain)
{
	const struct admission_options *options = admission->options;

	for (size_t i = 0; i < options->relay_domain_count; i++)
		if (bytes_is_nocase(domain, options->relay_domains[i]))
			return true;
	return false;
}
