/*
 * Who may come in, and with how much: limits over all doors in, and the values
 * that every way in needs.
 */
#pragma once

#include "base/table.h"
#include "intake/door.h"
#include "net/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed for ever. */
struct admission_options {
	const char *hostname;
	const char *origin;               /* domain of bare addresses */
	const char *root;                 /* who gets root's mail, or NULL */
	const char *const *relay_domains; /* accepted from strangers */
	size_t relay_domain_count;
	uint64_t message_size_max;
	unsigned recipients_max;
	unsigned connections_max;
	unsigned connections_per_user_max; /* for one uid, or one address */
	size_t hops_max;                   /* Received fields */
	uint64_t memory_max;    /* content held in memory, all sessions */
	uint64_t inline_limit;  /* content of one message held in memory */
	int large_directory_fd; /* where larger content goes */
	const struct door *door;
};

struct admission {
	const struct admission_options *options;
	unsigned connections;
	struct table users; /* struct admission_user, by name */
	uint64_t memory;    /* octets reserved */
	unsigned long
	    rejected; /* for the status: recipients, messages, clients */
};

void admission_init(
    struct admission *admission, const struct admission_options *options);
void admission_clear(struct admission *admission);

/*
 * A connection of peer begins: NULL, or why it may not (text for a 421).  Each
 * success is paired with one admission_leave().
 */
const char *admission_enter(
    struct admission *admission, const struct peer *peer);
void admission_leave(struct admission *admission, const struct peer *peer);

/* Reserve octets of content in memory; false: none left now (452 4.3.1). */
bool admission_reserve(struct admission *admission, uint64_t octets);
void admission_release(struct admission *admission, uint64_t octets);

/* May a stranger send to this domain? */
bool admission_relays(const struct admission *admission, struct bytes domain);
