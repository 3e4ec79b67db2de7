#include "smtp/dialogue.h"

#include <criterion/criterion.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#define EHLO                                                                   \
	"O: open\n"                                                            \
	"S: 220 mx.example ESMTP\n"                                            \
	"C: EHLO me.example\n"
#define QUIT_AND(over)                                                         \
	"C: QUIT\n"                                                            \
	"S: 221 bye\n"                                                         \
	"E: OVER " over "\n"
/* Up to the login. */
#define AUTH(mechanisms) EHLO "S: 250-mx\nS: 250 AUTH " mechanisms "\n"
#define READY            "E: READY\n"

#define IN_TLS  .security = SMTP_SECURITY_PRESENT
#define NEEDED  .security = SMTP_SECURITY_REQUIRED
#define TRIED   .security = SMTP_SECURITY_OPPORTUNISTIC
#define STUDENT .user = "student", .password = "secret"

/* 400 octets: in base64 too long for the command line. */
#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONG    HUNDRED HUNDRED HUNDRED HUNDRED
static const struct dialogue hellos[] = {
    {.name = "EHLO", .text = EHLO "S: 250 mx\n" READY},
    {.name = "a greeting of many lines",
	.text = "O: open\nS: 220-mx\nS: 220-hello\nS: 220 there\nC: EHLO "
		"me.example\n"
		"S: 250-mx\nS: 250-SIZE 1000\nS: 250 PIPELINING\n" READY},
    {.name = "any 2yz is good",
	.text = "O: open\nS: 250 mx\nC: EHLO me.example\nS: 220 mx\n" READY},
    {.name = "554 instead of a greeting",
	.text = "O: open\nS: 554 5.3.2 no mail here\n" QUIT_AND(
	    "greeting 554 5.3.2")},
    {.name = "4yz instead of a greeting",
	.text = "O: open\nS: 450 later\n" QUIT_AND("greeting 450")},
    {.name = "421 instead of a greeting",
	.text = "O: open\nS: 421 4.3.2 full\nE: OVER greeting 421 4.3.2\n"},
    {.name = "354 instead of a greeting",
	.text = "O: open\nS: 354 go\nE: OVER greeting malformed\n"},
    {.name = "no greeting, but nonsense",
	.text =
	    "O: open\nS: SSH-2.0-OpenSSH_9.2\nE: OVER greeting malformed\n"},
    {.name = "EHLO is unknown: HELO",
	.text = EHLO "S: 500 what?\nC: HELO me.example\nS: 250 mx\n" READY},
    {.name = "EHLO is not implemented: HELO",
	.text = EHLO "S: 502 no\nC: HELO me.example\nS: 250 mx\n" READY},
    {.name = "HELO is refused, too",
	.text = EHLO
	"S: 502 no\nC: HELO me.example\nS: 550 no\n" QUIT_AND("HELO 550")},
    {.name = "EHLO is refused",
	.text = EHLO "S: 550 5.7.1 not you\n" QUIT_AND("EHLO 550 5.7.1")},
    {.name = "EHLO is refused for now",
	.text = EHLO "S: 451 no\n" QUIT_AND("EHLO 451")},
    {.name = "421 to EHLO", .text = EHLO "S: 421 bye\nE: OVER EHLO 421\n"},
    {.name = "QUIT is not answered, but the connection closed",
	.text = EHLO "S: 550 no\nC: QUIT\nO: eof\nE: OVER EHLO 550\n"},
    {.name = "QUIT is not answered in time",
	.text = EHLO
	"S: 550 no\nC: QUIT\nO: wait 9999\nO: wait 1\nE: OVER EHLO 550\n"},
    {.name = "QUIT is answered by nonsense",
	.text = EHLO "S: 550 no\nC: QUIT\nS: ???\nE: OVER EHLO 550\n"},
    {.name = "LMTP",
	.text = "O: open\nS: 220 mx\nC: LHLO me.example\nS: 250 mx\n" READY,
	.options = {.lmtp = true}},
    {.name = "LMTP knows no HELO",
	.text = "O: open\nS: 220 mx\nC: LHLO me.example\nS: 500 no\n" QUIT_AND(
	    "EHLO 500"),
	.options = {.lmtp = true}},
    {.name = "an address literal",
	.text = "O: open\nS: 220 mx\nC: EHLO [192.0.2.1]\nS: 250 mx\n" READY,
	.options = {.hello = "[192.0.2.1]"}},
};

static const struct dialogue handshakes[] = {
    {.name = "STARTTLS, and all is said again",
	.text =
	    EHLO "S: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\nC: STARTTLS\n"
		 "S: 220 go\nE: START_TLS\nO: tls\nC: EHLO me.example\n"
		 "S: 250 mx\n" READY,
	.options = {NEEDED}},
    {.name = "STARTTLS is not offered, but needed",
	.text = EHLO "S: 250 mx\n" QUIT_AND("STARTTLS not offered 454 4.7.0"),
	.options = {NEEDED}},
    {.name = "HELO offers none, but it is needed",
	.text = EHLO "S: 500 no\nC: HELO me.example\nS: 250 mx\n" QUIT_AND(
	    "STARTTLS not offered 454 4.7.0"),
	.options = {NEEDED}},
    {.name = "STARTTLS is not offered, but not needed",
	.text = EHLO "S: 250 mx\n" READY,
	.options = {TRIED}},
    {.name = "STARTTLS is not wanted",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\n" READY},
    {.name = "TLS is there already",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\n" READY,
	.options = {IN_TLS}},
    {.name = "STARTTLS is refused, but needed",
	.text = EHLO
	"S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 no\n" QUIT_AND(
	    "STARTTLS 454 4.7.0"),
	.options = {NEEDED}},
    {.name = "STARTTLS is refused, but not needed",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
		     "S: 454 4.7.0 no\n" READY,
	.options = {TRIED}},
    {.name = "STARTTLS is refused for ever, but not needed",
	.text =
	    EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 501 no\n" READY,
	.options = {TRIED}},
    {.name = "421 to STARTTLS",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 421 no\n"
		     "E: OVER STARTTLS 421\n",
	.options = {TRIED}},
    {.name = "I2: plaintext behind the 220",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
		     "S: 220 go\nS: 250-evil\nS: 250 AUTH PLAIN\n"
		     "E: START_TLS\nE: OVER STARTTLS malformed\n",
	.options = {NEEDED, STUDENT}},
    {.name = "I2: one octet behind the 220",
	.text =
	    EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
		 "S: 220 go\nB: 2\nE: START_TLS\nE: OVER STARTTLS malformed\n",
	.options = {TRIED}},
    {.name = "I2: plaintext during the handshake",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
		     "S: 220 go\nE: START_TLS\nS: 250 evil\n"
		     "E: OVER STARTTLS malformed\nO: tls\n",
	.options = {NEEDED}},
    {.name = "the handshake fails",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
		     "E: START_TLS\nO: fail TLS handshake\n"
		     "E: OVER TLS handshake failed\nO: tls\n",
	.options = {NEEDED}},
    {.name = "the connection ends in the handshake",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
		     "E: START_TLS\nO: eof\nE: OVER TLS handshake closed\n",
	.options = {NEEDED}},
    {.name = "the handshake takes too long",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
		     "E: START_TLS\nO: wait 59999\nO: wait 1\n"
		     "E: OVER TLS handshake timed out\n",
	.options = {NEEDED}},
    {.name = "what was offered in clear is forgotten",
	.text = EHLO "S: 250-mx\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\n"
		     "C: STARTTLS\nS: 220 go\nE: START_TLS\nO: tls\n"
		     "C: EHLO me.example\nS: 502 no\nC: HELO me.example\n"
		     "S: 250 mx\n" QUIT_AND("AUTH not offered 454 4.7.0"),
	.options = {NEEDED, STUDENT}},
    {.name = "STARTTLS offered again within TLS is not taken",
	.text = EHLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
		     "E: START_TLS\nO: tls\nC: EHLO me.example\n"
		     "S: 250-mx\nS: 250 STARTTLS\n" READY,
	.options = {NEEDED}},
};

static const struct dialogue logins[] = {
    {.name = "PLAIN",
	.text = AUTH("LOGIN PLAIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				    "S: 235 2.7.0 welcome\n" READY,
	.options = {IN_TLS, STUDENT}},
    {.name = "LOGIN",
	.text =
	    AUTH("LOGIN") "C: AUTH LOGIN c3R1ZGVudA==\nS: 334 UGFzc3dvcmQ6\n"
			  "C: c2VjcmV0\nS: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT}},
    {.name = "CRAM-MD5 has no initial response",
	.text = AUTH(
	    "CRAM-MD5") "C: AUTH CRAM-MD5\n"
			"S: 334 "
			"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZ"
			"XQ+\n"
			"C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\n"
			"S: 235 welcome\n" READY,
	.options = {.user = "tim", .password = "tanstaaftanstaaf"}},
    {.name = "an initial response waits where told so",
	.text = AUTH("PLAIN") "C: AUTH PLAIN\nS: 334 go on\n"
			      "C: AHN0dWRlbnQAc2VjcmV0\nS: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT, .no_initial_response = true}},
    {.name = "LOGIN where an initial response waits",
	.text = AUTH("LOGIN") "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n"
			      "C: c3R1ZGVudA==\nS: 334 UGFzc3dvcmQ6\n"
			      "C: c2VjcmV0\nS: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT, .no_initial_response = true}},
    {.name = "an initial response too long for the line waits",
	.text = AUTH("PLAIN") "C: AUTH PLAIN\nS: 334 \n"
			      "C: AHUAMDEyMzQ1Njc4OTAxMjM0NTY3ODkw*\n"
			      "S: 235 welcome\n" READY,
	.options = {IN_TLS, .user = "u", .password = LONG}},
    {.name = "an empty initial response",
	.text = AUTH("EXTERNAL") "C: AUTH EXTERNAL =\nS: 235 welcome\n" READY,
	.options = {IN_TLS, .user = ""}},
    {.name = "the verb's case does not change AUTH",
	.text = "O: open\nS: 220 mx\nC: ehlo me.example\nS: 250-mx\nS: 250 "
		"AUTH PLAIN\n"
		"C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\nS: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT, .verbs = SMTP_VERBS_LOWER}},
    {.name = "the next mechanism where one is refused",
	.text =
	    AUTH("PLAIN LOGIN CRAM-MD5") "C: AUTH CRAM-MD5\nS: 504 not now\n"
					 "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
					 "S: 535 5.7.8 no\n"
					 "C: AUTH LOGIN c3R1ZGVudA==\n"
					 "S: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\n"
					 "S: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT}},
    {.name = "all mechanisms are refused",
	.text =
	    AUTH("PLAIN LOGIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				"S: 535 5.7.8 no\nC: AUTH LOGIN c3R1ZGVudA==\n"
				"S: 534 5.7.9 no\n" QUIT_AND("AUTH 534 5.7.9"),
	.options = {IN_TLS, STUDENT}},
    {.name = "503 says that we are in already: no other mechanism",
	.text =
	    AUTH("PLAIN LOGIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				"S: 503 5.5.1 in\n" QUIT_AND("AUTH 503 5.5.1"),
	.options = {IN_TLS, STUDENT}},
    {.name = "a temporary failure, too, is for the next one",
	.text = AUTH("PLAIN LOGIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				    "S: 454 4.7.0 later\n"
				    "C: AUTH LOGIN c3R1ZGVudA==\n"
				    "S: 454 4.7.0 later\n" QUIT_AND(
					"AUTH 454 4.7.0"),
	.options = {IN_TLS, STUDENT}},
    {.name = "421 to AUTH",
	.text = AUTH("PLAIN LOGIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				    "S: 421 later\nE: OVER AUTH 421\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "no password in clear",
	.text = AUTH("PLAIN LOGIN") QUIT_AND("AUTH not offered 454 4.7.0"),
	.options = {STUDENT}},
    {.name = "no password in clear where TLS was refused",
	.text =
	    EHLO "S: 250-mx\nS: 250-STARTTLS\nS: 250 AUTH PLAIN\nC: STARTTLS\n"
		 "S: 454 no\n" QUIT_AND("AUTH not offered 454 4.7.0"),
	.options = {TRIED, STUDENT}},
    {.name = "a password in clear where told so",
	.text = AUTH("PLAIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
			      "S: 235 welcome\n" READY,
	.options = {STUDENT, .auth_in_clear = true}},
    {.name = "a password after STARTTLS",
	.text =
	    EHLO "S: 250-mx\nS: 250-AUTH LOGIN\nS: 250 STARTTLS\nC: STARTTLS\n"
		 "S: 220 go\nE: START_TLS\nO: tls\nC: EHLO me.example\n"
		 "S: 250-mx\nS: 250 AUTH PLAIN\n"
		 "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\nS: 235 welcome\n" READY,
	.options = {NEEDED, STUDENT}},
    {.name = "no mechanism of ours",
	.text = AUTH("NTLM GSSAPI") QUIT_AND("AUTH not offered 454 4.7.0"),
	.options = {IN_TLS, STUDENT}},
    {.name = "no AUTH at all",
	.text = EHLO "S: 250 mx\n" QUIT_AND("AUTH not offered 454 4.7.0"),
	.options = {IN_TLS, STUDENT}},
    {.name = "only what is allowed",
	.text = AUTH("PLAIN LOGIN") "C: AUTH LOGIN c3R1ZGVudA==\n"
				    "S: 535 no\n" QUIT_AND("AUTH 535"),
	.options = {IN_TLS, STUDENT, .mechanisms = "CRAM-MD5 LOGIN"}},
    {.name = "XOAUTH2, refused with its reasons",
	.text = AUTH("XOAUTH2") "C: AUTH XOAUTH2 "
				"dXNlcj1zdHVkZW50AWF1dGg9QmVhcmVyIHNlY3JldAEB\n"
				"S: 334 eyJzdGF0dXMiOiI0MDEifQ==\nC: \n"
				"S: 535 5.7.8 no\n" QUIT_AND("AUTH 535 5.7.8"),
	.options = {IN_TLS, STUDENT, .mechanisms = "XOAUTH2"}},
    {.name = "I8: a challenge that is no base64",
	.text =
	    AUTH("CRAM-MD5") "C: AUTH CRAM-MD5\nS: 334 ???\nC: *\n"
			     "S: 501 5.7.0 cancelled\n" QUIT_AND(
				 "AUTH 501 5.7.0: challenge not understood*"),
	.options = {IN_TLS, STUDENT},
	.with_texts = true},
    {.name = "I8: a challenge of several lines",
	.text = AUTH(
	    "CRAM-MD5") "C: AUTH CRAM-MD5\nS: 334-PDE4\nS: 334 OTYu\nC: *\n"
			"S: 501 cancelled\n" QUIT_AND("AUTH 501"),
	.options = {IN_TLS, STUDENT}},
    {.name = "I8: after a bad challenge the next mechanism",
	.text = AUTH("CRAM-MD5 PLAIN") "C: AUTH CRAM-MD5\nS: 334 ???\nC: *\n"
				       "S: 501 cancelled\n"
				       "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\n"
				       "S: 235 welcome\n" READY,
	.options = {IN_TLS, STUDENT}},
    {.name = "I8: a challenge after the cancellation",
	.text =
	    AUTH("CRAM-MD5") "C: AUTH CRAM-MD5\nS: 334 ???\nC: *\nS: 334 ???\n"
			     "E: OVER AUTH malformed\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "I8: success after the cancellation",
	.text =
	    AUTH("CRAM-MD5") "C: AUTH CRAM-MD5\nS: 334 ???\nC: *\nS: 235 well\n"
			     "E: OVER AUTH malformed\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "I8: challenges without end",
	.text =
	    AUTH("PLAIN") "C: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\nS: 334 \nC: *\n"
			  "S: 501 cancelled\n" QUIT_AND("AUTH 501"),
	.options = {IN_TLS, STUDENT}},
    {.name = "SCRAM without the server's proof",
	.text = AUTH("SCRAM-SHA-256 PLAIN") "C: AUTH SCRAM-SHA-256 biws*\n"
					    "S: 235 welcome\n"
					    "E: OVER AUTH malformed\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "a name that a mechanism cannot carry: the next",
	.text = AUTH("SCRAM-SHA-256 PLAIN") "C: AUTH PLAIN AP8Ac2VjcmV0\n"
					    "S: 235 welcome\n" READY,
	.options = {IN_TLS, .user = "\xff", .password = "secret"}},
    {.name = "the channel's binding is used where it is known",
	.text = AUTH(
	    "SCRAM-SHA-256 SCRAM-SHA-256-PLUS") "C: AUTH SCRAM-SHA-256-PLUS "
						"cD10bHMtZXhwb3J0ZXIs*\n"
						"S: 535 no\nC: AUTH "
						"SCRAM-SHA-256 biws*\n"
						"S: 454 no\n" QUIT_AND(
						    "AUTH 454"),
	.options = {IN_TLS, STUDENT},
	.binding = {"0123456789", 10}},
    {.name = "a channel that could be bound to, and a server that does not",
	.text = AUTH("SCRAM-SHA-256") "C: AUTH SCRAM-SHA-256 biws*\n"
				      "S: 454 no\n" QUIT_AND("AUTH 454"),
	.options = {IN_TLS, STUDENT},
	.binding = {"0123456789", 10}},
};

static void
check_all(const struct dialogue *dialogues, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dialogue_check(&dialogues[i]);
}

#define CHECK_ALL(dialogues)                                                   \
	check_all(dialogues, sizeof(dialogues) / sizeof(dialogues[0]))

Test(smtp_opening, says_hello)
{
	CHECK_ALL(hellos);
}

Test(smtp_opening, starts_tls)
{
	CHECK_ALL(handshakes);
}

Test(smtp_opening, logs_in)
{
	CHECK_ALL(logins);
}

Test(smtp_opening, gives_up_a_response_too_long_for_any_line)
{
	char token[9600 + 1];
	struct dialogue dialogue = {.name = "a token of 9600 octets",
	    .text = AUTH("XOAUTH2") "C: AUTH XOAUTH2\nS: 334 \nC: *\n"
				    "S: 501 cancelled\n" QUIT_AND("AUTH 501"),
	    .options = {IN_TLS, .user = "u", .mechanisms = "XOAUTH2",
		.no_initial_response = true}};

	memset(token, 'x', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	dialogue.options.password = token;
	dialogue_check(&dialogue);
}

static const struct dialogue steps[] = {
    {.name = "one step at a time",
	.text =
	    "O: start greeting\nS: 554 no\nE: REPLY greeting 554\n"
	    "O: start EHLO\nC: EHLO me.example\nS: 500 no\nE: REPLY EHLO 500\n"
	    "O: start HELO\nC: HELO me.example\nS: 250 mx\nE: REPLY HELO 250\n"
	    "O: start RSET\nC: RSET\nS: 250 ok\nE: REPLY RSET 250\n"
	    "O: quit\nC: QUIT\nS: 221 bye\nE: REPLY QUIT 221\nE: OVER QUIT "
	    "221\n"},
    {.name = "STARTTLS alone",
	.text =
	    "O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
	    "O: start STARTTLS\nC: STARTTLS\nS: 220 go\nE: START_TLS\nO: tls\n"
	    "O: start EHLO\nC: EHLO me.example\nS: 250 mx\nE: REPLY EHLO "
	    "250\n"},
    {.name = "STARTTLS alone, refused",
	.text =
	    "O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
	    "O: start STARTTLS\nC: STARTTLS\nS: 454 no\nE: REPLY STARTTLS 454\n"
	    "O: start EHLO\nC: EHLO me.example\nS: 250 mx\nE: REPLY EHLO 250\n",
	.options = {TRIED}},
    {.name = "AUTH alone",
	.text = "O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
		"O: start EHLO\nC: EHLO me.example\nS: 250-mx\n"
		"S: 250 AUTH PLAIN LOGIN\nE: REPLY EHLO 250\n"
		"O: start AUTH\nC: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\nS: 535 no\n"
		"C: AUTH LOGIN c3R1ZGVudA==\nS: 535 no\nE: REPLY AUTH 535\n"
		"O: start AUTH\nC: AUTH PLAIN AHN0dWRlbnQAc2VjcmV0\nS: 235 ok\n"
		"E: REPLY AUTH 235\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "AUTH alone, not offered",
	.text = "O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
		"O: start AUTH\nE: REPLY AUTH not offered 454 4.7.0\n",
	.options = {IN_TLS, STUDENT}},
    {.name = "421 to a step",
	.text = "O: start greeting\nS: 421 no\nE: REPLY greeting 421\n"
		"E: OVER greeting 421\n"},
    {.name = "a login led by the caller",
	.text =
	    "O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
	    "O: secret AUTH LOGIN c3R1ZGVudA==\nC: AUTH LOGIN c3R1ZGVudA==\n"
	    "S: 334 UGFzc3dvcmQ6\nE: REPLY command 334\n"
	    "O: secret c2VjcmV0\nC: c2VjcmV0\nS: 235 ok\nE: REPLY command "
	    "235\n"},
};

Test(smtp_opening, goes_step_by_step)
{
	CHECK_ALL(steps);
}

Test(smtp_opening, traces_whole_lines)
{
	static const struct dialogue dialogue = {.name = "trace of a login",
	    .text = "O: open\n"
		    "S: 220-mx\n"
		    "S: 220 hi\n"
		    "T: got 220-mx\\r\\n\n"
		    "T: got 220 hi\\r\\n\n"
		    "T: sent EHLO me.example\\r\\n\n"
		    "C: EHLO me.example\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "T: got 250-mx\\r\\n\n"
		    "T: got 250 AUTH LOGIN\\r\\n\n"
		    "T: sent secret AUTH LOGIN c3R1ZGVudA==\\r\\n\n"
		    "C: AUTH LOGIN c3R1ZGVudA==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "T: got 334 UGFzc3dvcmQ6\\r\\n\n"
		    "T: sent secret c2VjcmV0\\r\\n\n"
		    "C: c2VjcmV0\n"
		    "S: 235 welcome\n"
		    "T: got 235 welcome\\r\\n\n" READY "O: secret AUTH x\n"
		    "T: sent secret AUTH x\\r\\n\n"
		    "C: AUTH x\n"
		    "S: 503 no\n"
		    "T: got 503 no\\r\\n\n"
		    "E: REPLY command 503\n"
		    "O: quit\n"
		    "T: sent QUIT\\r\\n\n"
		    "C: QUIT\n",
	    .options = {IN_TLS, STUDENT},
	    .with_trace = true};

	dialogue_check(&dialogue);
}

/* ---- SCRAM, with the other side of libgsasl ---- */

static int
serve_password(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	(void)library;
	if (property != GSASL_PASSWORD)
		return GSASL_NO_CALLBACK;
	gsasl_property_set(session, GSASL_PASSWORD, "secret");
	return GSASL_OK;
}

/* The client's line as a NUL-ended string without its CRLF; it has left. */
static void
take_line(struct dialogue_player *player, char *line, size_t size)
{
	struct bytes log = buffer_bytes(player->log);
	const size_t start = bytes_last_index(
	    bytes_first(log, log.len > 0 ? log.len - 1 : 0), '\n');

	log = bytes_trim(bytes_from(log, start < log.len ? start + 1 : 0));
	cr_assert(bytes_has_prefix(log, "C:"), "%.*s", BYTES_ARGS(log));
	log = bytes_trim(bytes_from(log, strlen("C:")));
	cr_assert_lt(log.len, size);
	memcpy(line, log.data, log.len);
	line[log.len] = '\0';
}

static void
say(struct dialogue_player *player, const char *code, const char *text)
{
	struct buffer reply;

	buffer_init(&reply, 4096);
	buffer_printf(&reply, "%s %s\r\n", code, text);
	dialogue_feed(player, buffer_bytes(&reply));
	buffer_clear(&reply);
}

/* The log of a login, the server's proof being wrong where told so. */
static void
log_in_by_scram(struct buffer *log, bool spoil_proof)
{
	static const struct dialogue dialogue = {.options = {STUDENT}};
	static const char mechanism[] = "SCRAM-SHA-256";
	struct dialogue_player player;
	char line[1024];
	Gsasl *library = NULL;
	Gsasl_session *session = NULL;
	int status = GSASL_NEEDS_MORE;

	dialogue_init(&player, &dialogue, log);
	cr_assert_eq(gsasl_init(&library), GSASL_OK);
	gsasl_callback_set(library, serve_password);
	cr_assert_eq(
	    gsasl_server_start(library, mechanism, &session), GSASL_OK);
	dialogue_order(&player, BYTES("open"));
	say(&player, "220", "mx");
	say(&player, "250-mx\r\n250", "AUTH PLAIN SCRAM-SHA-256");
	take_line(&player, line, sizeof(line));
	cr_assert(bytes_has_prefix(bytes_of(line), "AUTH SCRAM-SHA-256 "));
	memmove(line, line + strlen("AUTH SCRAM-SHA-256 "),
	    strlen(line + strlen("AUTH SCRAM-SHA-256 ")) + 1);
	while (status == GSASL_NEEDS_MORE) {
		char *challenge = NULL;
		status = gsasl_step64(session, line, &challenge);
		cr_assert(status == GSASL_OK || status == GSASL_NEEDS_MORE);
		if (spoil_proof && status == GSASL_OK)
			challenge[4] = challenge[4] == 'A' ? 'B' : 'A';
		say(&player, "334", challenge);
		gsasl_free(challenge);
		if (status == GSASL_NEEDS_MORE)
			take_line(&player, line, sizeof(line));
	}
	if (!spoil_proof)
		say(&player, "235", "welcome");
	gsasl_finish(session);
	gsasl_done(library);
	dialogue_clear(&player);
}

Test(smtp_opening, logs_in_by_scram)
{
	struct buffer log;

	buffer_init(&log, 16384);
	log_in_by_scram(&log, false);
	cr_expect(
	    bytes_has_suffix_nocase(buffer_bytes(&log), "C: \nE: READY\n"),
	    "%.*s", BYTES_ARGS(buffer_bytes(&log)));
	buffer_clear(&log);
}

Test(smtp_opening, leaves_a_server_that_does_not_know_the_password)
{
	struct buffer log;

	buffer_init(&log, 16384);
	log_in_by_scram(&log, true);
	cr_expect(bytes_has_suffix_nocase(
		      buffer_bytes(&log), "E: OVER AUTH malformed\n"),
	    "%.*s", BYTES_ARGS(buffer_bytes(&log)));
	buffer_clear(&log);
}
