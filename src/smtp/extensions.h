/*
 * EHLO keywords: the table of extensions we know, and what one server offers.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum extension {
	EXTENSION_PIPELINING,
	EXTENSION_SIZE,
	EXTENSION_8BITMIME,
	EXTENSION_SMTPUTF8,
	EXTENSION_CHUNKING,
	EXTENSION_BINARYMIME,
	EXTENSION_DSN,
	EXTENSION_ENHANCEDSTATUSCODES,
	EXTENSION_STARTTLS,
	EXTENSION_AUTH,
	EXTENSION_ETRN,
	EXTENSION_ATRN,
	EXTENSION_LIMITS,
	EXTENSION_DELIVERBY,
	EXTENSION_FUTURERELEASE,
	EXTENSION_REQUIRETLS,
	EXTENSION_MT_PRIORITY,
	EXTENSION_VRFY,
	EXTENSION_EXPN,
	EXTENSION_HELP,
	EXTENSION_COUNT
};

#define EXTENSION_BIT(extension) (1U << (unsigned)(extension))

const char *extension_name(enum extension extension);
/* EXTENSION_COUNT where the keyword is none we know. Without case. */
enum extension extension_find(struct bytes keyword);

/* What a server said in its EHLO reply. */
struct extensions {
	bool esmtp;        /* the greeting was answered by EHLO, not HELO */
	unsigned offered;  /* EXTENSION_BIT()s */
	uint64_t size_max; /* SIZE; 0: none told, or past 2^64 */
	unsigned mechanisms_len;
	/* AUTH, upper case, one blank between, all lines added up, none twice;
	 * what finds no room is left out */
	char mechanisms[512];
	uint64_t recipients_max;        /* LIMITS RCPTMAX; 0: none told */
	uint64_t messages_max;          /* LIMITS MAILMAX; 0: none told */
	uint64_t recipient_domains_max; /* LIMITS RCPTDOMAINMAX; 0: none told */
	uint64_t by_min_s;   /* DELIVERBY, the least BY=n;R; 0: none told */
	uint64_t hold_max_s; /* FUTURERELEASE; 0: none told */
	int64_t
	    hold_until_ms; /* the same as a time, wall clock; 0: none told */
};

/*
 * Read an EHLO reply's text: lines joined by '\n', the first (the server's
 * name) left out.  Junk lines are ignored; "AUTH=X" counts as "AUTH X"; of a
 * keyword said twice the last counts.
 */
void extensions_read(struct extensions *extensions, struct bytes reply_text);
bool extensions_has(
    const struct extensions *extensions, enum extension extension);
/* Is name (without case) among the mechanisms? */
bool extensions_has_mechanism(
    const struct extensions *extensions, const char *name);

/*
 * Walk the keyword lines of an EHLO reply's text, known or not: start with
 * *rest = extensions_lines(text).  False at the end.  Both views are of the
 * text; parameters are without blanks at their ends.
 */
struct bytes extensions_lines(struct bytes reply_text);
bool extensions_next_line(struct bytes *rest, struct bytes *out_keyword,
    struct bytes *out_parameters);
