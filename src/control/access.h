/*
 * Who may read and who may change: a caller is what the kernel says of the
 * other end of a unix socket (SO_PEERCRED, SO_PEERGROUPS).
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACCESS_GROUPS_MAX 64

struct access_caller {
	uid_t uid;
	gid_t groups[ACCESS_GROUPS_MAX]; /* the primary one first */
	size_t group_count;
};

/* Users and groups that were found for names. */
struct access_list {
	uid_t *users;
	size_t user_count;
	gid_t *groups;
	size_t group_count;
};

/* False where fd is no connected unix socket. */
bool access_identify(int fd, struct access_caller *out_caller);

/*
 * Look names up (a group, else a user); role says what for, in the warning
 * about an unknown one, a line each.  Blocks: for the start only.
 */
void access_list_init(struct access_list *list, char *const *names,
    size_t count, const char *role, struct buffer *warnings);
void access_list_clear(struct access_list *list);
bool access_list_has(
    const struct access_list *list, const struct access_caller *caller);
