#include "lib/hostile_acts.h"

#define SAYS(text) .says = {text, sizeof(text) - 1}
#define MORE(text) .more = {text, sizeof(text) - 1}
#define SILENTLY   SAYS("")
#define BIT(stage) HOSTILE_BIT(HOSTILE_##stage)

/* Where the client waits for a reply before the mail is over... */
#define MAILING (BIT(MAIL) | BIT(RCPT) | BIT(DATA) | BIT(END))
#define OPENING                                                                \
	(BIT(GREETING) | BIT(CLEAR_EHLO) | BIT(EHLO) | BIT(STARTTLS) |         \
	    BIT(AUTH))
#define REPLIES (OPENING | MAILING)
/* ... and wherever it does. */
#define EVERY (REPLIES | BIT(RSET) | BIT(OTHER) | BIT(QUIT))

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1K X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64
#define ALL_OCTETS                                                             \
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"     \
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"     \
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]"     \
	"^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"                                \
	"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"     \
	"\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f"     \
	"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"     \
	"\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf"     \
	"\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf"     \
	"\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"     \
	"\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef"     \
	"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"

/* A row of one line, where that says all. */
#define NONSENSE(name, text)                                                   \
	{                                                                      \
		name, "I1", EVERY, HOSTILE_ANY, SAYS(text),                    \
		    .expects = HOSTILE_NONSENSE                                \
	}
#define CODE(name, stages, code_, text)                                        \
	{                                                                      \
		name, "I7", stages, HOSTILE_ANY, SAYS(#code_ text "\r\n"),     \
		    .expects = HOSTILE_REFUSED, .code = code_                  \
	}
#define OFFER(name, text)                                                      \
	{                                                                      \
		name, "I9", BIT(EHLO), HOSTILE_ANY, .keywords = text,          \
						    .expects = HOSTILE_FINE    \
	}

const struct hostile_act hostile_acts[] = {
    {"nothing amiss", "-", BIT(GREETING), HOSTILE_ANY, .expects = HOSTILE_FINE},

    /* I1: what is no reply */
    {"endless lines", "I1", EVERY, HOSTILE_ANY, SAYS("250-more\r\n"),
	.times = 400000, .expects = HOSTILE_NONSENSE},
    {"endless lines of another code", "I1", EVERY, HOSTILE_ANY,
	SAYS("550-no\r\n"), .times = 400000, .expects = HOSTILE_NONSENSE},
    {"a line of 2 MB", "I1", EVERY, HOSTILE_ANY, SAYS("250-" X64),
	.times = 30000, MORE("\r\n250 ok\r\n"), .expects = HOSTILE_NONSENSE},
    {"100 KB without LF", "I1", EVERY, HOSTILE_ANY, SAYS(X64), .times = 1600,
	.then = HOSTILE_CLOSE, .expects = HOSTILE_NONSENSE},
    {"8 KB without LF, cut", "I1", EVERY, HOSTILE_ANY, SAYS("250-" X64),
	.times = 120, .then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"CR for LF, cut", "I1", EVERY, HOSTILE_ANY, SAYS("250 ok\r250 ok\r"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    NONSENSE("25", "25\r\n"),
    NONSENSE("2", "2\r\n"),
    NONSENSE("an empty line", "\r\n"),
    NONSENSE("LF", "\n"),
    NONSENSE("a long number", "99999999999999999999 x\r\n"),
    NONSENSE("hello", "hello\r\n"),
    NONSENSE("no blank", "250ok\r\n"),
    NONSENSE("a letter", "25x ok\r\n"),
    NONSENSE("a letter first", "x50 ok\r\n"),
    NONSENSE("000", "000 x\r\n"),
    NONSENSE("150", "150 x\r\n"),
    NONSENSE("600", "600 x\r\n"),
    NONSENSE("a sign", "+25 x\r\n"),
    NONSENSE("minus", "-25 x\r\n"),
    NONSENSE("a blank before", " 250 ok\r\n"),
    NONSENSE("a tab behind", "250\tok\r\n"),
    NONSENSE("hexadecimal", "0x2 ok\r\n"),
    NONSENSE(
	"full-width digits", "\xef\xbc\x92\xef\xbc\x95\xef\xbc\x90 ok\r\n"),
    NONSENSE("NUL", "\0\0\0\0\r\n"),
    NONSENSE("NUL behind the code", "250\0 ok\r\n"),
    NONSENSE("NUL within the code", "2\0 50 ok\r\n"),
    NONSENSE("UTF-16",
	"\xff\xfe"
	"2\0"
	"5\0"
	"0\0"
	"\r\0\n"),
    NONSENSE("all octets", ALL_OCTETS "\r\n"),
    NONSENSE("mixed codes", "250-a\r\n550 b\r\n"),
    NONSENSE("mixed codes, worse first", "550-a\r\n250 b\r\n"),
    NONSENSE("a line between that is none", "250-a\r\nb\r\n250 c\r\n"),
    NONSENSE("HTTP", "HTTP/1.1 200 OK\r\n\r\n"),

    /* I2: something lies behind the 220 */
    {"replies behind STARTTLS", "I2", BIT(STARTTLS), HOSTILE_STARTED,
	MORE("250-evil\r\n250 AUTH PLAIN\r\n"), .expects = HOSTILE_DESYNC},
    {"another 220", "I2", BIT(STARTTLS), HOSTILE_STARTED, MORE("220 go\r\n"),
	.expects = HOSTILE_DESYNC},
    {"an octet behind STARTTLS", "I2", BIT(STARTTLS), HOSTILE_STARTED,
	MORE("2"), .expects = HOSTILE_DESYNC},
    {"what looks like TLS", "I2", BIT(STARTTLS), HOSTILE_STARTED,
	MORE("\x16\x03\x03\x00\x05hello"), .expects = HOSTILE_DESYNC},
    {"plaintext for a handshake", "I2", BIT(HANDSHAKE),
	HOSTILE_STARTED | HOSTILE_IMPLICIT,
	SAYS("250-evil\r\n250 AUTH PLAIN\r\n"), .then = HOSTILE_HANG,
	.expects = HOSTILE_BAD_TLS},

    /* I3: no TLS for you */
    {"STARTTLS not offered", "I3", BIT(CLEAR_EHLO), HOSTILE_STARTED,
	SAYS("250-mx\r\n250-AUTH PLAIN\r\n250 SIZE\r\n"),
	.expects = HOSTILE_MISSING},
    {"STARTTLS under another name", "I3", BIT(CLEAR_EHLO), HOSTILE_STARTED,
	SAYS("250-mx\r\n250-XSTARTTLS\r\n250-STARTTLSX\r\n250 AUTH PLAIN\r\n"),
	.expects = HOSTILE_MISSING},
    {"STARTTLS in the name", "I3", BIT(CLEAR_EHLO), HOSTILE_STARTED,
	SAYS("250-STARTTLS\r\n250 AUTH PLAIN\r\n"), .expects = HOSTILE_MISSING},
    {"STARTTLS in small letters", "I3", BIT(CLEAR_EHLO), HOSTILE_STARTED,
	SAYS("250-mx\r\n250 starttls\r\n"), .expects = HOSTILE_FINE},
    {"EHLO not known", "I3", BIT(CLEAR_EHLO), HOSTILE_STARTED,
	SAYS("502 what?\r\n"), .expects = HOSTILE_MISSING},
    {"454 to STARTTLS", "I3", BIT(STARTTLS), HOSTILE_STARTED,
	SAYS("454 4.7.0 later\r\n"), .expects = HOSTILE_REFUSED, .code = 454},
    {"501 to STARTTLS", "I3", BIT(STARTTLS), HOSTILE_STARTED,
	SAYS("501 5.5.4 no\r\n"), .expects = HOSTILE_REFUSED, .code = 501},
    {"TLS is active, it says", "I3", BIT(STARTTLS), HOSTILE_STARTED,
	SAYS("503 5.5.1 already\r\n"), .expects = HOSTILE_REFUSED, .code = 503},
    {"354 to STARTTLS", "I3", BIT(STARTTLS), HOSTILE_STARTED,
	SAYS("354 go\r\n"), .expects = HOSTILE_NONSENSE},
    {"goes on in clear", "I3", BIT(HANDSHAKE), HOSTILE_STARTED,
	SAYS("220 mx.example ESMTP\r\n"), .then = HOSTILE_HANG,
	.expects = HOSTILE_BAD_TLS},
    {"PREAUTH", "I3", BIT(GREETING), HOSTILE_ANY,
	SAYS("235 2.7.0 you are logged in\r\n"), .expects = HOSTILE_SHUT,
	.code = 235},
    {"EHLO refused within TLS", "I3", BIT(EHLO), HOSTILE_STARTED,
	SAYS("550 5.7.1 no\r\n"), .expects = HOSTILE_REFUSED, .code = 550},

    /* I4: replies to nothing */
    {"replies too many", "I4",
	BIT(GREETING) | BIT(CLEAR_EHLO) | BIT(EHLO) | BIT(AUTH) | BIT(DATA),
	HOSTILE_ANY, MORE("250 ok\r\n250 ok\r\n354 go\r\n"),
	.expects = HOSTILE_DESYNC},
    {"a reply too many", "I4",
	BIT(GREETING) | BIT(CLEAR_EHLO) | BIT(EHLO) | BIT(AUTH) | MAILING,
	HOSTILE_ANY, MORE("250 ok\r\n"), .nth = 1, .expects = HOSTILE_DESYNC},
    {"half a reply too many", "I4",
	BIT(GREETING) | BIT(CLEAR_EHLO) | BIT(EHLO) | BIT(AUTH), HOSTILE_ANY,
	MORE("250-"), .then = HOSTILE_HANG, .expects = HOSTILE_LATE},
    {"421 behind the reply", "I4", BIT(EHLO) | BIT(MAIL), HOSTILE_ANY,
	MORE("421 4.3.2 bye\r\n"), .then = HOSTILE_CLOSE,
	.expects = HOSTILE_SHUT, .code = 421},

    /* I5: accepted before it was sent */
    {"accepted with the 354", "I5", BIT(DATA), HOSTILE_ANY,
	SAYS("354 go\r\n250 accepted\r\n"), .expects = HOSTILE_DESYNC},
    {"accepted in the midst", "I5", BIT(CONTENT), HOSTILE_ANY,
	SAYS("250 accepted\r\n"), .then = HOSTILE_HANG,
	.expects = HOSTILE_NONSENSE},
    {"accepted and closed in the midst", "I5", BIT(CONTENT), HOSTILE_ANY,
	SAYS("250 accepted\r\n"), .then = HOSTILE_NOTIFY,
	.expects = HOSTILE_DESYNC},
    {"refused in the midst", "I5", BIT(CONTENT), HOSTILE_ANY,
	SAYS("552 5.3.4 enough\r\n"), .then = HOSTILE_HANG,
	.expects = HOSTILE_NONSENSE},
    {"421 in the midst", "I5", BIT(CONTENT), HOSTILE_ANY,
	SAYS("421 4.3.2 bye\r\n"), .then = HOSTILE_HANG,
	.expects = HOSTILE_SHUT, .code = 421},

    /* I6: the end comes too early */
    {"closed", "I6", EVERY | BIT(CONTENT), HOSTILE_ANY, SILENTLY,
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"reset", "I6", EVERY | BIT(CONTENT), HOSTILE_ANY, SILENTLY,
	.then = HOSTILE_RESET, .expects = HOSTILE_CUT_OFF},
    {"25, reset", "I6", EVERY, HOSTILE_ANY, SAYS("25"), .then = HOSTILE_RESET,
	.expects = HOSTILE_CUT_OFF},
    {"250, closed", "I6", EVERY, HOSTILE_ANY, SAYS("250"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"the first line, closed", "I6", EVERY, HOSTILE_ANY, SAYS("250-ok\r\n"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"silence", "I6", EVERY | BIT(HANDSHAKE), HOSTILE_ANY, SILENTLY,
	.then = HOSTILE_HANG, .expects = HOSTILE_LATE},
    {"drops of an octet", "I6", EVERY, HOSTILE_ANY, SAYS("250-"),
	.then = HOSTILE_DRIP, .expects = HOSTILE_LATE},

    /* I7: codes */
    {"421", "I7", EVERY, HOSTILE_ANY, SAYS("421 4.3.2 bye\r\n"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_SHUT, .code = 421},
    {"421, and stays", "I7", EVERY, HOSTILE_ANY, SAYS("421 4.3.2 bye\r\n"),
	.expects = HOSTILE_SHUT, .code = 421},
    CODE("450", REPLIES, 450, " 4.2.0 later"),
    CODE("451 without more", REPLIES, 451, ""),
    CODE("452", REPLIES, 452, " 4.3.1 full"),
    CODE("499", REPLIES, 499, " later"),
    CODE("500", REPLIES, 500, " what?"),
    CODE("550", REPLIES, 550, " 5.7.1 no"),
    CODE("552", REPLIES, 552, " too much"),
    CODE("554", REPLIES, 554, " 5.0.0 no"),
    CODE("599", REPLIES, 599, " no"),
    CODE("530", MAILING, 530, " 5.7.0 log in"),
    CODE("535", MAILING, 535, " 5.7.8 log in"),
    CODE("550 2.0.0", MAILING, 550, " 2.0.0 which?"),
    CODE("450 5.1.1", MAILING, 450, " 5.1.1 which?"),
    {"250 to DATA", "I7", BIT(DATA), HOSTILE_ANY, SAYS("250 ok\r\n"),
	.expects = HOSTILE_NONSENSE},
    {"220 to DATA", "I7", BIT(DATA), HOSTILE_ANY, SAYS("220 ok\r\n"),
	.expects = HOSTILE_NONSENSE},
    {"354 where nothing is asked", "I7",
	EVERY & ~(BIT(DATA) | BIT(AUTH) | BIT(OTHER) | BIT(QUIT)), HOSTILE_ANY,
	SAYS("354 go\r\n"), .expects = HOSTILE_NONSENSE},
    {"250 and a strange text", "I7",
	BIT(EHLO) | BIT(MAIL) | BIT(RCPT) | BIT(END), HOSTILE_ANY,
	SAYS("250 5.7.1 no\r\n"), .expects = HOSTILE_FINE},
    {"299", "I7", BIT(EHLO) | BIT(MAIL) | BIT(RCPT) | BIT(END), HOSTILE_ANY,
	SAYS("299\r\n"), .expects = HOSTILE_FINE},

    /* I8: logins */
    {"334 for ever", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("334 bG9vcA==\r\n"),
	.expects = HOSTILE_REFUSED, .code = 501},
    {"334 for ever, LOGIN", "I8", BIT(AUTH), HOSTILE_ANY,
	SAYS("334 VXNlcm5hbWU6\r\n"), .keywords = "AUTH LOGIN",
	.expects = HOSTILE_REFUSED, .code = 501},
    {"334 though cancelled", "I8", BIT(CANCEL), HOSTILE_ANY,
	SAYS("334 bG9vcA==\r\n"), .expects = HOSTILE_NONSENSE},
    {"no base64", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("334 !!!\r\n"),
	.keywords = "AUTH CRAM-MD5", .expects = HOSTILE_REFUSED, .code = 501},
    {"half a base64", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("334 bG9\r\n"),
	.keywords = "AUTH CRAM-MD5", .expects = HOSTILE_REFUSED, .code = 501},
    {"no challenge of SCRAM", "I8", BIT(AUTH), HOSTILE_ANY,
	SAYS("334 cj1hLHM9YixpPTE=\r\n"), .keywords = "AUTH SCRAM-SHA-256",
	.expects = HOSTILE_REFUSED, .code = 501},
    {"in without SCRAM's proof", "I8", BIT(AUTH), HOSTILE_ANY,
	SAYS("235 in\r\n"), .keywords = "AUTH SCRAM-SHA-256",
	.expects = HOSTILE_NONSENSE},
    {"a challenge of 6 KB", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("334 " X64),
	.times = 90, MORE("\r\n"), .keywords = "AUTH LOGIN",
	.expects = HOSTILE_REFUSED, .code = 501},
    {"a challenge of 1.5 MB", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("334 " X64),
	.times = 24000, MORE("\r\n"), .keywords = "AUTH LOGIN",
	.expects = HOSTILE_NONSENSE},
    {"535", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("535 5.7.8 wrong\r\n"),
	.expects = HOSTILE_REFUSED, .code = 535},
    {"454", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("454 4.7.0 later\r\n"),
	.expects = HOSTILE_REFUSED, .code = 454},
    {"538", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("538 5.7.11 TLS first\r\n"),
	.expects = HOSTILE_REFUSED, .code = 538},
    {"432", "I8", BIT(AUTH), HOSTILE_ANY, SAYS("432 4.7.12 change\r\n"),
	.expects = HOSTILE_REFUSED, .code = 432},
    {"3.5 KB of mechanisms", "I8", BIT(AUTH), HOSTILE_ANY,
	.keywords =
	    "AUTH " X1K X1K X1K X64 X64 X64 X64 X64 X64 X64 X64 " PLAIN",
	.expects = HOSTILE_FINE},
    {"many mechanisms", "I8", BIT(AUTH), HOSTILE_ANY,
	.keywords = "AUTH M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15 "
		    "M16 M17 M18 M19 M20 M21 M22 M23 M24 M25 M26 M27 M28 M29 "
		    "PLAIN",
	.expects = HOSTILE_FINE},
    {"no mechanism of ours", "I8", BIT(AUTH), HOSTILE_ANY,
	.keywords = "AUTH NTLM", .expects = HOSTILE_MISSING},
    {"AUTH =", "I9", BIT(AUTH), HOSTILE_ANY,
	.keywords = "AUTH =", .expects = HOSTILE_MISSING},
    {"AUTH=PLAIN", "I9", BIT(AUTH), HOSTILE_ANY, .keywords = "AUTH=PLAIN",
	.expects = HOSTILE_FINE},

    /* I9: what is offered */
    OFFER("SIZE overflows", "SIZE 99999999999999999999999"),
    OFFER("SIZE of 2^64", "SIZE 18446744073709551616"),
    OFFER("SIZE less than nothing", "SIZE -1"),
    OFFER("SIZE 0", "SIZE 0"),
    OFFER("SIZE alone", "SIZE"),
    OFFER("SIZE of words", "SIZE many octets"),
    OFFER("SIZE=", "SIZE=100"),
    OFFER("SIZE twice", "SIZE 1\nSIZE 100000000"),
    OFFER("AUTH without any", "AUTH"),
    OFFER("AUTH=LOGIN", "AUTH=LOGIN"),
    OFFER("LIMITS of nothing", "LIMITS RCPTMAX=0 MAILMAX=0"),
    OFFER("LIMITS that overflow",
	"LIMITS RCPTMAX=99999999999999999999 MAILMAX=-1 RCPTDOMAINMAX=x"),
    OFFER("keywords that are none", "-X\n=\n*\n \nx_y\n\x1b[2J\n\xff\n%n"),
    OFFER("a keyword of 3 KB", X1K X1K X1K),
    {"1000 keywords", "I9", BIT(EHLO), HOSTILE_ANY,
	SAYS("250-X-KEYWORD and some more of it\r\n"), .times = 1000,
	MORE("250 HELP\r\n"), .expects = HOSTILE_FINE},
    {"1000 times AUTH", "I9", BIT(EHLO), HOSTILE_ANY,
	SAYS("250-AUTH PLAIN LOGIN CRAM-MD5\r\n"), .times = 1000,
	MORE("250 HELP\r\n"), .expects = HOSTILE_FINE},

    /* I10: texts */
    {"ESC", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550 \x1b[2J\x1b]0;x\x07 no\r\n"), .expects = HOSTILE_REFUSED,
	.code = 550},
    {"CR and NUL within", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550 a\rb\0c\x7f\r\n"), .expects = HOSTILE_REFUSED, .code = 550},
    {"bidi", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550 \xe2\x80\xae evil \xe2\x81\xa6 \xe2\x80\xa8\r\n"),
	.expects = HOSTILE_REFUSED, .code = 550},
    {"no UTF-8", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550 \xff\xc0\xaf\xed\xa0\x80\r\n"), .expects = HOSTILE_REFUSED,
	.code = 550},
    {"a format", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550 %n%s%n%s%999999999d\r\n"), .expects = HOSTILE_REFUSED,
	.code = 550},
    {"300 KB", "I10", MAILING | BIT(GREETING), HOSTILE_ANY,
	SAYS("550-" X64 X64 X64 X64 X64 X64 X64 X64 "\r\n"), .times = 600,
	MORE("550 no\r\n"), .expects = HOSTILE_REFUSED, .code = 550},

    /* I11: PIPELINING that is not */
    {"reads only the first command", "I11", BIT(MAIL), HOSTILE_ANY,
	.then = HOSTILE_FLUSH, .keywords = "PIPELINING",
	.expects = HOSTILE_LATE},
    {"closes where commands follow", "I11", BIT(MAIL), HOSTILE_ANY,
	.then = HOSTILE_SHY, .keywords = "PIPELINING",
	.expects = HOSTILE_CUT_OFF},
    {"one reply for all", "I11", BIT(MAIL), HOSTILE_ANY,
	SAYS("250 all of it\r\n"), .then = HOSTILE_FLUSH,
	.keywords = "PIPELINING", .expects = HOSTILE_LATE},

    /* I13: cut, before the line's end and behind */
    {"cut before CRLF", "I13", BIT(END), HOSTILE_ANY, SAYS("250 taken"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"ended before CRLF", "I13", BIT(END), HOSTILE_ANY, SAYS("250 taken"),
	.then = HOSTILE_NOTIFY, .expects = HOSTILE_CUT_OFF},
    {"cut before LF", "I13", BIT(END), HOSTILE_ANY, SAYS("250 taken\r"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_CUT_OFF},
    {"cut between lines", "I13", BIT(END), HOSTILE_ANY,
	SAYS("250-taken\r\n250"), .then = HOSTILE_CLOSE,
	.expects = HOSTILE_CUT_OFF},
    {"cut behind CRLF", "I13", BIT(END), HOSTILE_ANY, .then = HOSTILE_CLOSE,
	.expects = HOSTILE_FINE_CUT},
    {"ended behind CRLF", "I13", BIT(END), HOSTILE_ANY, .then = HOSTILE_NOTIFY,
	.expects = HOSTILE_FINE_CUT},
    {"reset behind CRLF", "I13", BIT(END), HOSTILE_ANY, .then = HOSTILE_RESET,
	.expects = HOSTILE_FINE_CUT},
    {"cut behind LF", "I13", BIT(END), HOSTILE_ANY, SAYS("250 taken\n"),
	.then = HOSTILE_CLOSE, .expects = HOSTILE_FINE_CUT},
    {.name = NULL},
};

const char *
hostile_stage_name(enum hostile_stage stage)
{
	static const char *const names[HOSTILE_STAGE_COUNT] = {
	    [HOSTILE_GREETING] = "greeting",
	    [HOSTILE_CLEAR_EHLO] = "first EHLO",
	    [HOSTILE_EHLO] = "EHLO",
	    [HOSTILE_HELO] = "HELO",
	    [HOSTILE_STARTTLS] = "STARTTLS",
	    [HOSTILE_HANDSHAKE] = "handshake",
	    [HOSTILE_AUTH] = "AUTH",
	    [HOSTILE_CANCEL] = "*",
	    [HOSTILE_MAIL] = "MAIL",
	    [HOSTILE_RCPT] = "RCPT",
	    [HOSTILE_DATA] = "DATA",
	    [HOSTILE_CONTENT] = "content",
	    [HOSTILE_END] = "end",
	    [HOSTILE_RSET] = "RSET",
	    [HOSTILE_OTHER] = "NOOP",
	    [HOSTILE_QUIT] = "QUIT",
	};

	return names[stage];
}

const char *
hostile_channel_name(enum hostile_channel channel)
{
	static const char *const names[HOSTILE_CHANNEL_COUNT] = {
	    [HOSTILE_PLAIN] = "in clear",
	    [HOSTILE_TLS_STARTED] = "STARTTLS",
	    [HOSTILE_TLS_IMPLICIT] = "implicit TLS",
	};

	return names[channel];
}

bool
hostile_act_fits(const struct hostile_act *act, enum hostile_stage stage,
    enum hostile_channel channel)
{
	const unsigned of_starttls = BIT(CLEAR_EHLO) | BIT(STARTTLS);
	const bool has_starttls = channel == HOSTILE_TLS_STARTED;
	const bool has_tls = channel != HOSTILE_PLAIN;
	const unsigned bit = HOSTILE_BIT(stage);

	if ((act->stages & bit) == 0 || (act->channels & (1U << channel)) == 0)
		return false;
	if ((bit & of_starttls) != 0)
		return has_starttls;
	return stage != HOSTILE_HANDSHAKE || has_tls;
}
