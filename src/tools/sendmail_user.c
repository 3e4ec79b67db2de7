#include "tools/sendmail_user.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "smtp/address.h"

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_LIMIT ((size_t)1024)

static void
append_capital(struct buffer *name, const char *login)
{
	char first = login[0];

	if (first == '\0')
		return;
	bool lower = first >= 'a' && first <= 'z';
	buffer_append_char(name, lower ? (char)(first - 'a' + 'A') : first);
	buffer_append_text(name, login + 1);
}

char *
sendmail_user_name(const char *gecos, const char *login)
{
	struct bytes rest = bytes_of(gecos);
	struct bytes field = bytes_cut(&rest, ',');
	struct buffer name;

	buffer_init(&name, NAME_LIMIT);
	for (size_t i = 0; i < field.len; i++) {
		if (field.data[i] == '&')
			append_capital(&name, login);
		else
			buffer_append_char(&name, field.data[i]);
	}
	char *text = buffer_to_text(&name);
	buffer_clear(&name);
	return text;
}

void
sendmail_user_find(struct sendmail_user *out_user)
{
	const struct passwd *user = getpwuid(getuid());

	if (user == NULL ||
	    address_check(bytes_of(user->pw_name), true, true) != ADDRESS_OK) {
		out_user->login =
		    memory_format("uid%lu", (unsigned long)getuid());
		out_user->name = memory_copy_text("");
		return;
	}
	out_user->login = memory_copy_text(user->pw_name);
	out_user->name = sendmail_user_name(user->pw_gecos, user->pw_name);
}

void
sendmail_user_clear(struct sendmail_user *user)
{
	free(user->login);
	free(user->name);
	*user = (struct sendmail_user){0};
}
