/*
 * Who runs sendmail, as the system's list of users has it: for the sender and
 * for From.  The daemon knows by itself which uid it hears.
 */
#pragma once

struct sendmail_user {
	char *login; /* a local part; "uid1000" where the user has no name */
	char *name;  /* what people call him; may be "" */
};

/* Looks the user up; both texts are the caller's until _clear. */
void sendmail_user_find(struct sendmail_user *out_user);
void sendmail_user_clear(struct sendmail_user *user);
/*
 * The name that a GECOS field ("Ada & Sons,Room 1,,") means for login: up to
 * the first comma, with login, its first letter capital, for each "&".
 */
char *sendmail_user_name(const char *gecos, const char *login);
