#include "smtp/server_player.h"
#include "smtp/smtp_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(serve_command, keeps_to_the_order)
{
	static const struct server_player_row rows[] = {
	    {"B2 RCPT before MAIL", "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"},
	    {"B2 DATA before MAIL", "C: DATA\nW:\nS: 503 5.5.1 *\n"},
	    {"B2 DATA without a recipient",
		"C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
		"C: RCPT TO:<x@y>\nE: RCPT <x@y>\nA: 550 5.1.1 No such user\n"
		"S: 550 5.1.1 No such user\n"
		"C: DATA\nW:\nS: 503 5.5.1 *\n"},
	    {"B2 MAIL twice: the first is kept",
		"C: MAIL FROM:<a@b>\nE: MAIL <a@b>\nS: 250 2.1.0 Sender ok\n"
		"C: MAIL FROM:<x@y>\nS: 503 5.5.1 *\n"
		"C: RCPT TO:<c@d>\nE: RCPT <c@d>\nS: 250 2.1.5 Recipient ok\n"},
	    {"a refused MAIL begins nothing",
		"C: MAIL FROM:<a@b>\nE: MAIL <a@b>\nA: 451 4.3.0 Later\n"
		"S: 451 4.3.0 Later\n"
		"C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"B3 RSET",
		ENVELOPE "C: RSET\nS: 250 2.0.0 Ok\nE: RESET\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"RSET of nothing", "C: RSET\nS: 250 2.0.0 Ok\n"},
	    {"B3 EHLO",
		ENVELOPE "C: EHLO y\nS: 250 HELP\nE: HELLO y\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"B3 HELO",
		ENVELOPE "C: HELO y\nS: 250 mx.example\nE: HELLO y\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"RCPT behind the dot",
		ENVELOPE DATA "C: .\nE: END\n" QUEUED
			      "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"DATA refused by the caller",
		ENVELOPE "C: DATA\nE: DATA\nA: 452 4.3.1 No room\nW:\n"
			 "S: 452 4.3.1 No room\nE: RESET\n" ENVELOPE},
	    {"END refused by the caller",
		ENVELOPE DATA "C: .\nE: END\nA: 451 4.3.0 No disk\n"
			      "S: 451 4.3.0 No disk\n" ENVELOPE},
	    {"QUIT in a transaction",
		ENVELOPE "C: QUIT\nS: 221 2.0.0 Bye\nE: RESET\n"
			 "E: CLOSE QUIT\n"},
	    {"nothing behind QUIT", QUIT "C: NOOP\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_command, answers_simple_ones_before_ehlo)
{
	server_player_check("before EHLO",
	    "S: 220 mx.example ESMTP *\n"
	    "C: NOOP\nS: 250 2.0.0 Ok\n"
	    "C: noop something\nS: 250 2.0.0 Ok\n"
	    "C: HELP\nS: 214 2.0.0 *\n"
	    "C: HELP MAIL\nS: 214 2.0.0 *\n"
	    "C: VRFY root\nS: 252 2.5.2 *\n"
	    "C: VRFY\nS: 501 5.5.4 *\n"
	    "C: EXPN root\nS: 502 5.5.1 *\n"
	    "C: RSET\nS: 250 2.0.0 Ok\n"
	    "C: MAIL FROM:<a@b>\nS: 503 5.5.1 *\n"
	    "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"
	    "C: DATA\nW:\nS: 503 5.5.1 *\n" QUIT,
	    &server_player_options);
}

Test(serve_command, refuses_what_it_does_not_know)
{
	static const struct server_player_row rows[] = {
	    {"an empty line", "C: \nS: 500 5.5.2 *\n"},
	    {"an unknown verb", "C: FROBNICATE\nS: 500 5.5.1 *\n"},
	    {"a leading blank", "R: \\x20NOOP\\r\\n\nS: 500 5.5.1 *\n"},
	    {"obsolete ones",
		"C: SEND FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: SOML FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: SAML FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: TURN\nS: 502 5.5.1 *\n"},
	    {"B1 STARTTLS where there is none",
		"R: STARTTLS\\r\\nMAIL FROM:<>\\r\\n\n"
		"S: 502 5.5.1 *\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"},
	    {"B7 AUTH where there is none",
		"C: AUTH PLAIN AGEAYg==\nS: 502 5.5.1 *\n"
		"C: AUTH LOGIN\nS: 502 5.5.1 *\n"
		"C: AUTH \\xff\nS: 502 5.5.1 *\n"},
	    {"B9 what proxies say",
		"C: XCLIENT NAME=x\nS: 500 5.5.1 *\n"
		"C: XFORWARD NAME=x\nS: 500 5.5.1 *\n"
		"C: PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nS: 500 5.5.1 *\n"
		"R: \\r\\n\\r\\n\\0\\r\\nQUIT\\n!\\x11\\0\\x0c\\r\\n\n"
		"S: 500 5.5.2 *\nS: 500 5.5.2 *\nS: 500 5.5.1 *\n"
		"S: 221 2.0.0 Bye\nE: CLOSE QUIT\n"},
	    {"B11 ETRN where there is none", "C: ETRN x\nS: 502 5.5.1 *\n"},
	    {"ATRN, LHLO",
		"C: ATRN x\nS: 500 5.5.1 *\nC: LHLO x\nS: 500 5.5.1 *\n"},
	    {"arguments that must not be",
		"C: RSET x\nS: 501 5.5.4 *\nC: QUIT x\nS: 501 5.5.4 *\n"
		"C: DATA x\nW:\nS: 501 5.5.4 *\n"},
	    {"verbs without case, and blanks behind",
		"C: nOoP\nS: 250 2.0.0 Ok\nR: RSET  \\r\\n\nS: 250 2.0.0 Ok\n"},
	    {"lines that end in LF",
		"R: NOOP\\nNOOP\\n\nS: 250 2.0.0 Ok\n"
		"S: 250 2.0.0 Ok\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_command, looks_at_the_clients_name)
{
	static const struct server_player_row rows[] = {
	    {"EHLO alone", "C: EHLO\nS: 501 5.5.4 *\n"},
	    {"HELO alone", "C: HELO\nS: 501 5.5.4 *\n"},
	    {"an address",
		"C: EHLO [IPv6:::1]\nS: 250 HELP\n"
		"E: HELLO [IPv6:::1]\n"},
	    {"no real domain", "C: EHLO my_pc\nS: 250 HELP\nE: HELLO my_pc\n"},
	    {"two words", "C: EHLO a b\nS: 501 5.5.4 *\n"},
	    {"what breaks out of Received",
		"C: EHLO a(b)\nS: 501 5.5.4 *\nC: EHLO a;b\nS: 501 5.5.4 *\n"
		"C: EHLO \\x22a\\x22\nS: 501 5.5.4 *\n"},
	    {"B5 octets that are no text",
		"C: EHLO \\xff\nS: 501 5.5.4 *\nC: EHLO a\\x1b[2J\n"
		"S: 501 5.5.4 *\nC: EHLO a\\0\nS: 501 5.5.4 *\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_command, refuses_odd_octets_without_echo)
{
	/* log_output() asserts that replies are printable. */
	static const struct server_player_row rows[] = {
	    {"B5 NUL", "C: NOOP a\\0b\nS: 501 5.5.4 *\n"},
	    {"B5 8-bit", "C: NOOP \\x80\\xff\nS: 501 5.5.4 *\n"},
	    {"B5 ESC", "C: HELP \\x1b[1m\nS: 501 5.5.4 *\n"},
	    {"B5 a lone CR", "R: NOOP a\\rb\\r\\n\nS: 501 5.5.4 *\n"},
	    {"B5 two CRs", "R: NOOP a\\r\\r\\n\nS: 501 5.5.4 *\n"},
	    {"B5 in a path", "C: MAIL FROM:<a\\x1b@b>\nS: 501 5.5.4 *\n"},
	    {"B5 VRFY", "C: VRFY \\x07\nS: 501 5.5.4 *\n"},
	    {"B5 in the verb", "C: NO\\0OP\nS: 500 5.5.1 *\n"},
	    {"C2 CR in a parameter",
		"C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
		"R: RCPT TO:<x@y> NOTIFY=NEVER\\rX\\r\\n\nS: 501 5.5.4 *\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_command, closes_on_http)
{
	static const struct server_player_row rows[] = {
	    {"B10 POST",
		"C: POST / HTTP/1.1\nC: Host: x\nC: \nC: MAIL FROM:<a@b>\n"
		"S: 500 5.5.1 *\nE: CLOSE *\n"},
	    {"B10 GET",
		"C: GET /\\xff\\0 HTTP/1.1\n"
		"S: 500 5.5.1 *\nE: CLOSE *\n"},
	    {"B10 later on",
		ENVELOPE "C: options * HTTP/1.1\nS: 500 5.5.1 *\n"
			 "E: RESET\nE: CLOSE *\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
	server_player_check("B10 at the first line",
	    "S: 220 *\nC: PUT /x HTTP/1.0\nC: \nC: EHLO x\n"
	    "S: 500 5.5.1 *\nE: CLOSE *\n",
	    &server_player_options);
}

Test(serve_command, takes_senders_as_they_are)
{
	static const struct {
		const char *name, *sent, *seen; /* seen NULL: refused */
		const char *reply;
	} rows[] = {
	    {"null", "<>", "<>", NULL},
	    {"C7 quoted", "<\"john doe\"@x>", "<\"john doe\"@x>", NULL},
	    {"C7 escapes", "<\"a\\x5c\\x22b\"@c>", "<\"a\\x5c\"b\"@c>", NULL},
	    {"C8 a source route is dropped", "<@a,@b:u@d>", "<u@d>", NULL},
	    {"C9 percent", "<u%h@d>", "<u%h@d>", NULL},
	    {"C9 bang", "<h!u@d>", "<h!u@d>", NULL},
	    {"C9 two at signs", "<u@d@e>", NULL, "501 5.1.7 *"},
	    {"C10 literals", "<a@[127.0.0.1]>", "<a@[127.0.0.1]>", NULL},
	    {"C13 A-labels", "<a@xn--bcher-kva.example>",
		"<a@xn--bcher-kva.example>", NULL},
	    {"C15 a dash in front", "<-a@b>", "<-a@b>", NULL},
	    {"C5 shell words", "<`id`@x>", "<`id`@x>", NULL},
	    {"C5 a pipe", "<|cmd@x>", "<|cmd@x>", NULL},
	    {"C5 a path", "</etc/passwd@x>", "</etc/passwd@x>", NULL},
	    {"C5 expansion", "<${run{id}}@x>", "<${run{id}}@x>", NULL},
	    {"C5 substitution", "<$(id)@x>", NULL, "501 5.1.7 *"},
	    {"C5 a script", "<;for i in 0 1;do read r;done;sh;exit 0;@>", NULL,
		"501 5.1.7 *"},
	    {"C6 a bad local part alone", "<bad local>", NULL, "501 5.1.7 *"},
	    {"an end missing", "<a@x", NULL, "501 5.1.7 *"},
	    {"C14 no brackets", "a@x", NULL, "501 5.1.7 *"},
	    {"C12 UTF-8 undeclared", "<\\xc3\\xbc@x>", NULL, "553 5.6.7 *"},
	    {"C12 no UTF-8", "<\\xc0\\xaf@x>", NULL, "501 5.1.7 *"},
	    {"C1 a line end inside", "<a\\r@x>", NULL, "501 5.5.4 *"},
	    {"C16 a blank", " <a@b>", "<a@b>", NULL},
	    {"C16 two blanks", "  <a@b>", "<a@b>", NULL},
	    {"C16 a tab", "\\t<a@b>", NULL, "501 5.5.4 *"},
	    {"bare", "<root>", "<root>", NULL},
	    {"C2 text behind", "<x@y>%0d%0aDATA", NULL, "501 5.5.4 *"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = NULL;
		int len = rows[i].seen == NULL
		    ? asprintf(&text,
			  "R: mail from:%s\\r\\n\nS: %s\n"
			  "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n",
			  rows[i].sent, rows[i].reply)
		    : asprintf(&text,
			  "R: mail from:%s\\r\\n\n"
			  "E: MAIL %s\nS: 250 2.1.0 Sender ok\n",
			  rows[i].sent, rows[i].seen);
		cr_assert(len > 0);
		server_player_check_rows(
		    &(struct server_player_row){rows[i].name, text}, 1,
		    &server_player_options);
		free(text);
	}
}

Test(serve_command, takes_recipients_as_they_are)
{
	static const struct server_player_row rows[] = {
	    {"C14 <>", SENDER "C: RCPT TO:<>\nS: 501 5.1.3 *\n"},
	    {"C14 no brackets",
		SENDER "C: RCPT TO:postmaster\nS: 501 5.1.3 *\n"},
	    {"C14 postmaster",
		SENDER "C: RCPT TO:<Postmaster>\nE: RCPT <Postmaster>\n" TAKEN},
	    {"C16 FROM for TO", SENDER "C: RCPT FROM:<a@b>\nS: 501 5.5.4 *\n"},
	    {"no argument", SENDER "C: RCPT\nS: 501 5.5.4 *\n"},
	    {"C12 UTF-8",
		SENDER "C: RCPT TO:<\\xc3\\xbc@x>\n"
		       "S: 553 5.6.7 *\n"},
	    {"C11 too long",
		SENDER "C: RCPT TO:<"
		       "12345678901234567890123456789012345678901234567890"
		       "123456789012345@x>\nS: 501 5.1.3 *\n"},
	    {"G2 more than the limit",
		SENDER "C: RCPT TO:<a@b>\nE: RCPT <a@b>\n" TAKEN
		       "C: RCPT TO:<c@d>\nE: RCPT <c@d>\nA: 550 5.1.1 No\n"
		       "S: 550 5.1.1 No\n"
		       "C: RCPT TO:<e@f>\nE: RCPT <e@f>\n" TAKEN
		       "C: RCPT TO:<g@h>\nE: RCPT <g@h>\n" TAKEN
		       "C: RCPT TO:<i@j>\nS: 452 4.5.3 *\n"
		       "C: RCPT TO:<k@l>\nS: 452 4.5.3 *\n" DATA
		       "C: .\nE: END\n" QUEUED},
	};
	static const struct server_player_row bare = {"qualified only",
	    SENDER "C: RCPT TO:<root>\nS: 501 5.1.3 *\n"
		   "C: RCPT TO:<postmaster>\nE: RCPT <postmaster>\n" TAKEN};
	struct smtp_server_options strict = server_player_options;

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
	strict.qualified_only = true;
	server_player_check_rows(&bare, 1, &strict);
}

Test(serve_command, reads_parameters)
{
	static const struct server_player_row rows[] = {
	    {"all of MAIL",
		"C: MAIL FROM:<a@b> body=8bitmime size=100 smtputf8 "
		"RET=HDRS ENVID=QQ+2B1\n"
		"E: MAIL <a@b> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS "
		"ENVID=QQ+2B1\nS: 250 2.1.0 Sender ok\n"},
	    {"all of RCPT",
		SENDER
		"C: RCPT TO:<a@b> NOTIFY=success,DELAY "
		"ORCPT=rfc822;a@b\n"
		"E: RCPT <a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b\n" TAKEN},
	    {"D6 SIZE over the limit",
		"C: MAIL FROM:<a@b> SIZE=101\nS: 552 5.3.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=18446744073709551615\n"
		"S: 552 5.3.4 *\n"
		"C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"},
	    {"D6 no SIZE",
		"C: MAIL FROM:<a@b> SIZE=18446744073709551616\n"
		"S: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=-1\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=1e9\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=\nS: 501 5.5.4 *\n"},
	    {"C3 control characters in xtext",
		"C: MAIL FROM:<> ENVID=a+0Ab\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<> AUTH=a+0Ab\nS: 555 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> ORCPT=rfc822;a+0D+0Ab\nS: 501 5.5.4 *\n"},
	    {"C4 nonsense",
		"C: MAIL FROM:<x> A=\\x22\nS: 555 5.5.4 *\n"
		"C: MAIL FROM:<x> =A\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<x>SIZE=1\nS: 501 5.5.4 *\n"},
	    {"not offered",
		"C: MAIL FROM:<x> BODY=BINARYMIME\nS: 504 5.5.4 *\n"
		"C: MAIL FROM:<x> REQUIRETLS\nS: 555 5.5.4 *\n"
		"C: MAIL FROM:<x> HOLDFOR=9\nS: 555 5.5.4 *\n"},
	    {"none behind HELO",
		"C: HELO x\nS: 250 mx.example\nE: HELLO x\n"
		"C: MAIL FROM:<a@b> SIZE=10\nS: 555 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> NOTIFY=NEVER\nS: 555 5.5.4 *\n"},
	    {"DSN's rules",
		"C: MAIL FROM:<x> RET=FULL RET=FULL\nS: 501 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> NOTIFY=NEVER,DELAY\nS: 501 5.5.4 *\n"
		"C: RCPT TO:<a@b> ORCPT=a@b\nS: 501 5.5.4 *\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_command, takes_utf8_where_declared)
{
	static const struct server_player_row rows[] = {
	    {"C12 with SMTPUTF8",
		"C: MAIL FROM:<\\xc3\\xbc@\\xc3\\xa4.example> SMTPUTF8\n"
		"E: MAIL <\\xc3\\xbc@\\xc3\\xa4.example> SMTPUTF8\n"
		"S: 250 2.1.0 Sender ok\n"
		"C: RCPT TO:<\\xc3\\xb6@x>\nE: RCPT <\\xc3\\xb6@x>\n" TAKEN},
	    {"C12 overlong, surrogates, LS",
		"C: MAIL FROM:<\\xc0\\xaf@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<\\xed\\xa0\\x80@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<\\xe2\\x80\\xa8@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<a@x> SMTPUTF8=1\nS: 501 5.5.4 *\n"},
	    {"C12 it ends with the transaction",
		"C: MAIL FROM:<> SMTPUTF8\nE: MAIL <> SMTPUTF8\n"
		"S: 250 2.1.0 Sender ok\nC: RSET\nS: 250 2.0.0 Ok\nE: "
		"RESET\n" SENDER "C: RCPT TO:<\\xc3\\xb6@x>\nS: 553 5.6.7 *\n"},
	    {"it ends where MAIL is refused",
		"C: MAIL FROM:<> SMTPUTF8\nE: MAIL <> SMTPUTF8\n"
		"A: 451 4.3.0 No\nS: 451 4.3.0 No\n" SENDER
		"C: RCPT TO:<\\xc3\\xb6@x>\nS: 553 5.6.7 *\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

/* The whole output for what comes in. */
static void
expect_output(const char *name, const struct smtp_server_options *options,
    bool secure, const char *sent, const char *expected)
{
	struct server_player_session session;

	server_player_open(&session, options);
	session.server.secure = secure;
	server_player_say(&session, sent);
	cr_expect(bytes_is(buffer_bytes(&session.output), expected), "%s: %.*s",
	    name, BYTES_ARGS(buffer_bytes(&session.output)));
	server_player_close(&session);
}

Test(serve_command, offers_what_it_does)
{
	struct smtp_server_options options = server_player_options;

#define ALWAYS                                                                 \
	"250-8BITMIME\r\n250-SMTPUTF8\r\n"                                     \
	"250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"
	expect_output("plain", &options, false, "EHLO x\r\n",
	    "220 mx.example ESMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100\r\n" ALWAYS
	    "250-LIMITS RCPTMAX=3\r\n250 HELP\r\n");
	options.starttls = options.etrn = options.lmtp = true;
	options.recipients_max = 0;
	options.message_size_max = 0;
	expect_output("LMTP, all", &options, false, "LHLO x\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n" ALWAYS
	    "250-STARTTLS\r\n250-ETRN\r\n250 HELP\r\n");
	expect_output("within TLS", &options, true, "LHLO x\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n" ALWAYS
	    "250-ETRN\r\n250 HELP\r\n");
}

Test(serve_command, lists_its_commands)
{
	struct smtp_server_options options = server_player_options;

	expect_output("SMTP", &options, false, "HELP\r\n",
	    "220 mx.example ESMTP postrider\r\n"
	    "214-2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT "
	    "HELP VRFY\r\n214 2.0.0 See RFC 5321\r\n");
	options.lmtp = options.etrn = options.starttls = true;
	expect_output("LMTP", &options, false, "HELP\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "214-2.0.0 Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT "
	    "HELP VRFY ETRN STARTTLS\r\n214 2.0.0 See RFC 5321\r\n");
}

Test(serve_command, does_etrn_where_offered)
{
	static const struct server_player_row rows[] = {
	    {"B11 a domain",
		"C: ETRN rnd.abcde.ru\nE: ETRN rnd.abcde.ru\n"
		"S: 250 2.0.0 Started\n"},
	    {"B11 refused by policy",
		"C: ETRN x\nE: ETRN x\nA: 459 4.7.1 Not you\n"
		"S: 459 4.7.1 Not you\n"},
	    {"B11 other forms",
		"C: ETRN @x\nS: 501 5.5.4 *\nC: ETRN #q\nS: 501 5.5.4 *\n"
		"C: ETRN\nS: 501 5.5.4 *\nC: ETRN a..b\nS: 501 5.5.4 *\n"
		"C: ETRN a b\nS: 501 5.5.4 *\n"},
	    {"within a transaction", ENVELOPE "C: ETRN x\nS: 503 5.5.1 *\n"},
	};
	struct smtp_server_options options = server_player_options;

	options.etrn = true;
	server_player_check_rows(rows, COUNT(rows), &options);
	server_player_check(
	    "before EHLO", "S: 220 *\nC: ETRN x\nS: 503 5.5.1 *\n", &options);
}

Test(serve_command, starts_tls_where_offered)
{
	static const struct server_player_row rows[] = {
	    {"all is forgotten",
		"C: STARTTLS\nW:\nS: 220 2.0.0 *\nE: START_TLS\n"
		"C: MAIL FROM:<>\nS: 503 5.5.1 *\n"
		"C: EHLO y\nS: 250 HELP\nE: HELLO y\n"
		"C: STARTTLS\nW:\nS: 502 5.5.1 *\n" ENVELOPE},
	    {"an argument", "C: STARTTLS now\nW:\nS: 501 5.5.4 *\n"},
	    {"within a transaction",
		ENVELOPE "C: STARTTLS\nW:\nS: 503 5.5.1 *\n"},
	};
	struct smtp_server_options options = server_player_options;

	options.starttls = true;
	server_player_check_rows(rows, COUNT(rows), &options);
	server_player_check("before EHLO",
	    "S: 220 *\nC: STARTTLS\nW:\nS: 503 5.5.1 *\n", &options);
}

Test(serve_command, closes_on_plaintext_behind_starttls)
{
	struct smtp_server_options options = server_player_options;

	options.starttls = true;
	expect_output("B1", &options, false,
	    "HELO x\r\nSTARTTLS\r\nMAIL FROM:<>\r\n",
	    "220 mx.example ESMTP postrider\r\n250 mx.example\r\n"
	    "503 5.5.0 Input behind a command that must be waited for\r\n");
}
