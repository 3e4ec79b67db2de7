/*
 * Who logs in, and the password: out of a file, a descriptor, or asked for on
 * the terminal.  Never an argument, which everyone could read.
 */
#pragma once

#include "base/error.h"
#include "tools/smtp_words.h"

#include <stdbool.h>

/*
 * out_user, out_password  owned by the caller, who releases them by
 *                         smtp_secrets_forget(); NULL where nobody logs in
 *
 * False: ERROR_CONFIG where what was said makes no sense or a file is wrong.
 */
bool smtp_secrets_read(const struct smtp_words *words, char **out_user,
    char **out_password, struct error *error) MUST_USE;
/* A line of the terminal, unseen; NULL where there is no terminal. */
char *smtp_secrets_ask(const char *prompt);
/* Overwrite and free; NULL does nothing. */
void smtp_secrets_forget(char *text);
