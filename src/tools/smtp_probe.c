#include "tools/smtp_probe.h"

#include "base/clock.h"
#include "tools/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define TEXT_MAX ((size_t)256 * 1024)
/* Where the explanations begin. */
#define COLUMN 28

/* lost: what we cannot do without it; NULL: we do not need it. */
static const struct row {
	const char *name; /* as smtp_extn_at() has it */
	const char *means;
	const char *lost;
} rows[] = {
    {"size", "tells how large a letter may be (RFC 1870)",
	"a letter that is too large is refused only when all of it is there"},
    {"pipelining", "several commands in one go (RFC 2920)",
	"each recipient costs a round trip"},
    {"8bitmime", "8-bit text goes as it is (RFC 6152)",
	"8-bit letters are converted, and signatures over them break"},
    {"smtputf8", "addresses of any script (RFC 6531)",
	"letters to and from such addresses come back"},
    {"dsn", "reports of delivery when asked for (RFC 3461)",
	"NOTIFY, RET and ENVID are dropped"},
    {"enhancedstatuscodes", "exact codes as 5.1.1 (RFC 2034)",
	"bounces say less"},
    {"starttls", "TLS on this port (RFC 3207)",
	"everybody on the way can read the mail"},
    {"auth", "login (RFC 4954)", NULL},
    {"chunking", "BDAT, letters by length (RFC 3030)", NULL},
    {"binarymime", "letters of any octets (RFC 3030)", NULL},
    {"etrn", "asking for waiting mail (RFC 1985)", NULL},
    {"atrn", "fetching mail on demand (RFC 2645)", NULL},
    {"deliverby", "a time to deliver by (RFC 2852)", NULL},
    {"futurerelease", "holding a letter back (RFC 4865)", NULL},
    {"mt-priority", "urgent and less urgent letters (RFC 6710)", NULL},
    {"requiretls", "verified TLS all the way (RFC 8689)", NULL},
    {"limits", "how much a session takes (RFC 9422)", NULL},
    {"vrfy", "asking for an address", NULL},
    {"expn", "asking who is on a list", NULL},
    {"help", "help", NULL},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct row *
find_row(const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* ---- what is printed ---- */

static void
append_name(struct buffer *text, const char *name)
{
	for (; *name != '\0'; name++)
		buffer_append_char(text,
		    *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A')
						 : *name);
}

static void
pad(struct buffer *text, size_t from)
{
	while (text->len - from < COLUMN)
		buffer_append_char(text, ' ');
}

static void
append_size(struct buffer *text, const char *parameters)
{
	unsigned long long octets = 0;

	if (!bytes_to_u64(
		bytes_of(parameters), (unsigned long long)-1, &octets) ||
	    octets == 0)
		buffer_append_text(text, "; no limit is told");
	else if (octets < 1024 * 1024)
		buffer_printf(text, "; up to %llu KiB", octets / 1024);
	else
		buffer_printf(text, "; up to %llu MiB", octets / (1024 * 1024));
}

static void
append_extension(struct buffer *text, const smtp *session, const char *name)
{
	const struct row *row = find_row(name);
	const char *parameters = smtp_extn(session, name);
	const size_t from = text->len;

	buffer_append_text(text, "  ");
	append_name(text, name);
	if (parameters[0] != '\0')
		buffer_append_char(text, ' ');
	smtp_report_shown(text, bytes_of(parameters));
	if (text->len - from >= COLUMN)
		buffer_append_text(text, "  ");
	pad(text, from);
	buffer_append_text(text, row != NULL ? row->means : "not known to us");
	if (strcmp(name, "size") == 0)
		append_size(text, parameters);
	buffer_append_char(text, '\n');
}

static void
append_extensions(struct buffer *text, const smtp *session)
{
	const char *name = NULL;
	size_t count = 0;

	buffer_append_text(text, "offers\n");
	for (; (name = smtp_extn_at(session, count)) != NULL; count++)
		append_extension(text, session, name);
	if (!smtp_does_esmtp(session))
		buffer_append_text(text, "  nothing: EHLO is refused\n");
	else if (count == 0)
		buffer_append_text(text, "  nothing\n");
}

static void
append_missing(struct buffer *text, const smtp *session, bool offers_tls)
{
	size_t count = 0;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const bool is_there = smtp_has_extn(session, rows[i].name) ||
		    (offers_tls && strcmp(rows[i].name, "starttls") == 0);
		if (rows[i].lost == NULL || is_there)
			continue;
		if (count++ == 0)
			buffer_append_text(text, "lacks\n");
		const size_t from = text->len;
		buffer_append_text(text, "  ");
		append_name(text, rows[i].name);
		pad(text, from);
		buffer_printf(text, "%s\n", rows[i].lost);
	}
}

static void
append_tls(struct buffer *text, smtp *session)
{
	smtp_tls_facts facts;

	if (smtp_tls_info(session, &facts) != SMTP_OK) {
		buffer_append_text(text, "TLS     none\n");
		return;
	}
	buffer_printf(text,
	    "TLS     %s, %s\n  certificate for %s\n  of %s\n  "
	    "by %s\n  ",
	    facts.version, facts.cipher,
	    facts.names[0] != '\0' ? facts.names : "no name at all",
	    facts.subject, facts.issuer);
	buffer_append_text(text, "until ");
	when_append_local(text, facts.not_after * CLOCK_SECOND);
	buffer_append_text(text, ", ");
	when_append_distance(
	    text, facts.not_after * CLOCK_SECOND, clock_now().wall_ms);
	buffer_printf(text, "\n  %s%s\n",
	    facts.trusted ? "trusted" : "not trusted: ", facts.problem);
}

static void
append_name_of_server(struct buffer *text, const smtp *session)
{
	const char *reply = smtp_does_esmtp(session) ? smtp_ehlo_resp(session)
						     : smtp_helo_resp(session);
	struct bytes rest = bytes_of(reply);

	buffer_append_text(text, "server  ");
	smtp_report_shown(text, bytes_cut(&rest, '\n'));
	buffer_append_char(text, '\n');
}

/* ---- the visit ---- */

/* EHLO and, where need be, HELO; what is offered without TLS. */
static bool
look_before_tls(struct smtp_visit *visit, bool *out_offers_tls)
{
	smtp *session = visit->session;

	(void)smtp_set_tls(session, SMTP_TLS_OFF, NULL, visit->words->tls_name);
	if (!smtp_visit_check(visit, smtp_ehlo_or_helo(session)))
		return false;
	*out_offers_tls = smtp_has_extn(session, "starttls") != 0;
	return true;
}

/* STARTTLS, where it was offered and nobody says no; EHLO again. */
static bool
look_within_tls(struct smtp_visit *visit)
{
	const bool must = visit->words->tls == SMTP_TLS_WORD_MUST;

	(void)smtp_set_tls(visit->session, must ? SMTP_TLS_MUST : SMTP_TLS_MAY,
	    NULL, visit->words->tls_name);
	return smtp_visit_check(visit, smtp_ehlo_or_helo(visit->session));
}

static void
print(struct smtp_visit *visit, bool offers_tls)
{
	struct buffer text;

	if (visit->report.json)
		return;
	buffer_init(&text, TEXT_MAX);
	append_name_of_server(&text, visit->session);
	append_tls(&text, visit->session);
	append_extensions(&text, visit->session);
	append_missing(&text, visit->session, offers_tls);
	smtp_report_code(&visit->report, tool_print(&text));
	buffer_clear(&text);
}

void
smtp_probe_run(struct smtp_visit *visit)
{
	const int tls = visit->words->tls;
	bool offers_tls = false;

	if (!smtp_visit_connect(visit) || !look_before_tls(visit, &offers_tls))
		return;
	const bool wants_tls = tls == SMTP_TLS_WORD_MUST ||
	    (offers_tls && tls != SMTP_TLS_WORD_OFF);
	if (!wants_tls || look_within_tls(visit))
		print(visit, offers_tls || tls == SMTP_TLS_WORD_IMPLICIT);
}
