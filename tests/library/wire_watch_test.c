/* Does the watch that the other tests rely on see anything? */
#include "lib/wire_watch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *name;
	/* Lines of "S text", "C text", "c text" (no CRLF behind it), "T": TLS,
	 * "X": the client closes. */
	const char *session;
	unsigned faults;
};

#define OPEN    "S 220 mx\nC EHLO x\n"
#define NOTHING OPEN "S 250 mx\n"
#define GROUPS  OPEN "S 250-mx\nS 250 PIPELINING\n"
#define MAIL    "C MAIL FROM:<x@y>\nS 250 ok\n"
#define RCPT    "C RCPT TO:<a@y>\nS 250 ok\n"
#define DATA    NOTHING MAIL RCPT "C DATA\nS 354 go\n"
#define END     "C .\nS 250 ok\nC QUIT\nS 221 bye\nX\n"
#define BIT(x)  WIRE_FAULT_BIT(WIRE_##x)
#define X50     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500    X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

static const struct row rows[] = {
    {"a good session", DATA "C Subject: x\nC \nC ..\nC ..x\n" END, 0},
    {"a good group",
	GROUPS "C MAIL FROM:<x@y>\nC RCPT TO:<a@y>\nC DATA\nS 250 ok\n"
	       "S 250 ok\nS 354 go\nC hi\n" END,
	0},
    {"a good group, refused",
	GROUPS "C MAIL FROM:<x@y>\nC RCPT TO:<a@y>\nC DATA\nS 250 ok\n"
	       "S 550 no\nS 354 go\n" END,
	0},
    {"chunks",
	OPEN "S 250-mx\nS 250 CHUNKING\n" MAIL RCPT
	     "C BDAT 6 LAST\nC a\nC .\nS 250 ok\nC QUIT\nS 221 bye\nX\n",
	0},
    {"TLS",
	OPEN "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\nC EHLO x\n"
	     "S 250 mx\nC QUIT\nS 221 bye\nX\n",
	0},
    {"a handshake",
	OPEN "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\n"
	     "c \x16\x03\rMAIL\nT\nC EHLO x\nS 250 mx\nC QUIT\nS 221 bye\n"
	     "X\n",
	0},
    {"a handshake that fails",
	OPEN "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\n"
	     "c \x16\x03\rMAIL\nX\n",
	0},
    {"a login",
	OPEN "S 250-mx\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 x\nC MAIL\n"
	     "S 235 ok\nC QUIT\nS 221 bye\nX\n",
	0},

    {"LF in a command", NOTHING "c NOOP\n", BIT(BARE_NEWLINE)},
    {"CR in a command", NOTHING "C NO\rOP\n", BIT(BARE_NEWLINE)},
    {"LF in content", DATA "c a\n" END, BIT(BARE_NEWLINE)},
    {"CR in content", DATA "C a\rb\n" END, BIT(BARE_NEWLINE)},
    {"a dot", DATA "C a\nC .b\n" END, BIT(UNSTUFFED_DOT)},
    {"a dot at the beginning", DATA "C .b\n" END, BIT(UNSTUFFED_DOT)},
    {"1000 octets", DATA "C " X500 X500 "\n" END, BIT(LONG_LINE)},
    {"500 octets", DATA "C " X500 "\n" END, 0},
    {"a long command", NOTHING "C NOOP " X500 X50 "\n", BIT(LONG_COMMAND)},
    {"a long MAIL", NOTHING "C MAIL FROM:<" X500 "@y>\n", BIT(LONG_COMMAND)},
    {"a long RCPT that may be",
	OPEN "S 250-mx\nS 250 DSN\n" MAIL "C RCPT TO:<a@y> ORCPT=rfc822;" X500
	     "\n",
	0},
    {"before the greeting", "C EHLO x\n", BIT(OUT_OF_TURN)},
    {"no group", NOTHING "C MAIL FROM:<x@y>\nC RCPT TO:<a@y>\n",
	BIT(OUT_OF_TURN) | BIT(BEHIND_REFUSAL)},
    {"behind DATA in a group",
	GROUPS "C MAIL FROM:<x@y>\nC RCPT TO:<a@y>\nC DATA\nC hi\n",
	BIT(OUT_OF_TURN)},
    {"behind the dot", DATA "C hi\nC .\nC MAIL FROM:<b@y>\n", BIT(OUT_OF_TURN)},
    {"in clear behind STARTTLS",
	OPEN "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nC EHLO x\n",
	BIT(OUT_OF_TURN)},
    {"MAIL twice", NOTHING MAIL MAIL, BIT(OUT_OF_TURN)},
    {"MAIL refused", NOTHING "C MAIL FROM:<x@y>\nS 550 no\n" RCPT,
	BIT(BEHIND_REFUSAL)},
    {"all RCPT refused",
	NOTHING MAIL "C RCPT TO:<a@y>\nS 550 no\nC DATA\nS 503 no\n",
	BIT(BEHIND_REFUSAL)},
    {"content though all was refused",
	GROUPS "C MAIL FROM:<x@y>\nC RCPT TO:<a@y>\nC DATA\nS 250 ok\n"
	       "S 550 no\nS 354 go\nC hi\n" END,
	BIT(BEHIND_REFUSAL)},
    {"SIZE", NOTHING "C MAIL FROM:<x@y> SIZE=1\n", BIT(NOT_OFFERED)},
    {"SIZE of before TLS",
	OPEN "S 250-mx\nS 250-SIZE\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\n"
	     "C EHLO x\nS 250 mx\nC MAIL FROM:<x@y> SIZE=1\n",
	BIT(NOT_OFFERED)},
    {"NOTIFY", NOTHING MAIL "C RCPT TO:<a@y> NOTIFY=NEVER\n", BIT(NOT_OFFERED)},
    {"a parameter of nobody's", NOTHING "C MAIL FROM:<x@y> X=1\n",
	BIT(NOT_OFFERED)},
    {"STARTTLS", NOTHING "C STARTTLS\n", BIT(NOT_OFFERED)},
    {"8 bits", DATA "C \xe9\n" END, BIT(UNDECLARED_8BIT)},
    {"8 bits, declared",
	OPEN "S 250-mx\nS 250 8BITMIME\nC MAIL FROM:<x@y> BODY=8BITMIME\n"
	     "S 250 ok\n" RCPT "C DATA\nS 354 go\nC \xe9\n" END,
	0},
    {"no QUIT", NOTHING "X\n", BIT(NO_QUIT)},
    {"no QUIT behind 421", NOTHING "C NOOP\nS 421 bye\nX\n", 0},
    {"no QUIT behind nonsense", NOTHING "C NOOP\nS hello\nX\n", 0},
    {"no QUIT where nothing came", NOTHING "C NOOP\nX\n", 0},
};

static void
play(struct wire_watch *watch, struct bytes session)
{
	while (session.len > 0) {
		const struct bytes line = bytes_cut(&session, '\n');
		const struct bytes text = bytes_from(line, 2);
		switch (line.len > 0 ? line.data[0] : 'c') {
		case 'S':
			wire_watch_said(watch, text);
			wire_watch_said(watch, BYTES("\r\n"));
			break;
		case 'T':
			wire_watch_secured(watch);
			break;
		case 'X':
			wire_watch_closed(watch, true);
			break;
		case 'C':
			wire_watch_sent(watch, text);
			wire_watch_sent(watch, BYTES("\r\n"));
			break;
		default:
			wire_watch_sent(watch, text);
			wire_watch_sent(watch, BYTES("\n"));
		}
	}
}

static void
check(const struct row *row, unsigned allowed, unsigned faults)
{
	struct wire_watch *watch = wire_watch_new(allowed);

	play(watch, bytes_of(row->session));
	char *text = wire_watch_text(watch);
	cr_expect_eq(wire_watch_faults(watch), faults, "%s: %x, not %x: %s",
	    row->name, wire_watch_faults(watch), faults, text);
	cr_expect_eq(text[0] == '\0', faults == 0, "%s: %s", row->name, text);
	free(text);
	wire_watch_free(watch);
}

Test(wire_watch, notes_each_fault_and_no_other)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(&rows[i], 0, rows[i].faults);
		check(&rows[i], rows[i].faults, 0);
	}
}
