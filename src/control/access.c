#include "control/access.h"

#include "base/memory.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool
access_identify(int fd, struct access_caller *out_caller)
{
	struct access_caller caller = {0};
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    peer.uid == (uid_t)-1)
		return false;
	caller.uid = peer.uid;
	caller.groups[0] = peer.gid;
	caller.group_count = 1;
	size = sizeof(caller.groups) - sizeof(caller.groups[0]);
	/* Who is in more groups than fit has only his primary one here. */
	if (getsockopt(
		fd, SOL_SOCKET, SO_PEERGROUPS, &caller.groups[1], &size) == 0)
		caller.group_count += size / sizeof(caller.groups[0]);
	*out_caller = caller;
	return true;
}

static void
add_user(struct access_list *list, uid_t user)
{
	list->users = memory_resize_array(
	    list->users, list->user_count + 1, sizeof(*list->users));
	list->users[list->user_count++] = user;
}

static void
add_group(struct access_list *list, gid_t group)
{
	list->groups = memory_resize_array(
	    list->groups, list->group_count + 1, sizeof(*list->groups));
	list->groups[list->group_count++] = group;
}

void
access_list_init(struct access_list *list, char *const *names, size_t count,
    const char *role, struct buffer *warnings)
{
	*list = (struct access_list){0};
	for (size_t i = 0; i < count; i++) {
		const struct group *group = getgrnam(names[i]);
		const struct passwd *user =
		    group == NULL ? getpwnam(names[i]) : NULL;

		if (group != NULL)
			add_group(list, group->gr_gid);
		else if (user != NULL)
			add_user(list, user->pw_uid);
		else
			buffer_printf(warnings,
			    "no group or user is called %s: nobody is one of "
			    "the %s by it\n",
			    names[i], role);
	}
}

void
access_list_clear(struct access_list *list)
{
	free(list->users);
	free(list->groups);
	*list = (struct access_list){0};
}

bool
access_list_has(
    const struct access_list *list, const struct access_caller *caller)
{
	for (size_t i = 0; i < list->user_count; i++)
		if (list->users[i] == caller->uid)
			return true;
	for (size_t i = 0; i < list->group_count; i++)
		for (size_t j = 0; j < caller->group_count; j++)
			if (list->groups[i] == caller->groups[j])
				return true;
	return false;
}
