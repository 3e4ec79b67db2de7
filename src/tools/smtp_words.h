/*
 * The command line of postrider smtp: the table of its options, and what was
 * said.  Nothing here reads or writes anything.
 */
#pragma once

#include "base/buffer.h"
#include "tools/smtp_list.h"
#include "tools/tool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which verbs an option is for, as bits. */
enum smtp_use {
	SMTP_USE_ALL = 1U << 0,
	SMTP_USE_LETTER = 1U << 1, /* sends letters: send, msg */
	SMTP_USE_MAIL = 1U << 2,   /* says MAIL: those, mail, rcpt */
	SMTP_USE_GREET = 1U << 3,  /* EHLO may be left out: cmd and the like */
	SMTP_USE_ETRN = 1U << 4,
	SMTP_USE_ATRN = 1U << 5,
	SMTP_USE_PROBE = 1U << 7,
	SMTP_USE_TEST = 1U << 6 /* makes a letter by itself: send */
};

/* In the order of the words of the option's row. */
enum smtp_stop {
	SMTP_STOP_NEVER,
	SMTP_STOP_CONNECT,
	SMTP_STOP_EHLO,
	SMTP_STOP_MAIL,
	SMTP_STOP_RCPT,
	SMTP_STOP_DATA
};
enum smtp_tls_word {
	SMTP_TLS_WORD_NONE, /* off; with a login must */
	SMTP_TLS_WORD_OFF,
	SMTP_TLS_WORD_MAY,
	SMTP_TLS_WORD_MUST,
	SMTP_TLS_WORD_IMPLICIT
};
enum smtp_to8 {
	SMTP_TO8_NONE, /* whichever is shorter */
	SMTP_TO8_KEEP,
	SMTP_TO8_QP,
	SMTP_TO8_BASE64
};
enum smtp_compat {
	SMTP_COMPAT_NONE,
	SMTP_COMPAT_SMTPLIB2
};

/* Texts are borrowed from argv; NULL: not said. */
struct smtp_words {
	unsigned use; /* enum smtp_use */
	const char *host;
	char **arguments; /* behind the host */
	int argument_count;

	unsigned trace; /* how many d's */
	bool trace_short;
	const char *helo;
	const char *source;
	int64_t timeout_ms; /* 0: the defaults */
	int tls;            /* enum smtp_tls_word */
	const char *ca;
	const char *tls_name;
	const char *auth;
	const char *user;
	int64_t pass_fd; /* -1: none */
	const char *mechanism;
	bool no_initial;
	bool auth_in_clear;
	bool lmtp;
	bool greets; /* --ehlo */
	bool pipelines;
	bool no_pipelining;
	bool chunks;

	const char *from;
	struct smtp_list to; /* cut at commas */
	struct smtp_list letters;
	struct smtp_list headers;
	const char *body;
	struct smtp_list mail_options;
	struct smtp_list rcpt_options;
	const char *ret;
	const char *envelope_id;
	const char *notify;
	const char *original;
	const char *by;
	const char *hold;
	const char *priority;
	bool require_tls;
	bool raw;
	int to8;    /* enum smtp_to8 */
	int verbs;  /* 0: not said; else 1 + enum smtp_case */
	int stop;   /* enum smtp_stop */
	int compat; /* enum smtp_compat */
	bool force;
	const char *maildir;
};

/*
 * Take options out of argv[1] and beyond; what is left, host first, is in
 * out_words.  False where something is wrong, which has been told: exit with
 * EX_USAGE.  out_words is to be cleared in any case.
 *
 * use  which options there are: enum smtp_use
 */
bool smtp_words_read(struct tool *tool, unsigned use, int argc, char **argv,
    struct smtp_words *out_words);
void smtp_words_clear(struct smtp_words *words);
/* A line for each option. */
void smtp_words_help(struct buffer *buffer, unsigned use);
