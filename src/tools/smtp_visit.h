/*
 * A visit to a server: the session as the command line wants it, from
 * connecting to QUIT, with its trace and its report.
 */
#pragma once

#include "lib/postrider/smtp.h"
#include "tools/smtp_report.h"
#include "tools/smtp_wishes.h"
#include "tools/smtp_words.h"

#include <stdbool.h>

struct smtp_visit {
	const struct smtp_words *words; /* borrowed */
	smtp *session;                  /* owned */
	struct smtp_report report;
	struct smtp_wishes wishes;
	char *user;     /* owned, secret; NULL: no login */
	char *password; /* the same */
};

/*
 * name, verb and words are borrowed.  False: it cannot be so, which was told,
 * and smtp_visit_end() is all that is left to do.
 */
bool smtp_visit_begin(struct smtp_visit *visit, const char *name,
    const char *verb, const struct smtp_words *words, bool json);
/* Connect, and read the greeting, which must be 220; the same. */
bool smtp_visit_connect(struct smtp_visit *visit);
/* EHLO, STARTTLS and AUTH, as far as they are wanted; the same. */
bool smtp_visit_greet(struct smtp_visit *visit);
/* Was it asked for: --ehlo, or what is said behind it? */
bool smtp_visit_wants_greeting(const struct smtp_visit *visit);
/* QUIT, and release everything; the exit code. */
int smtp_visit_end(struct smtp_visit *visit);

/* err is what a call returned: true where it is SMTP_OK, else it is told. */
bool smtp_visit_check(struct smtp_visit *visit, int err);
