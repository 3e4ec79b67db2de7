#include "tools/smtp_command.h"

#include "tools/smtp_fetch.h"
#include "tools/smtp_probe.h"
#include "tools/smtp_sending.h"
#include "tools/smtp_talk.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define HELP_MAX ((size_t)64 * 1024)

#define LETTERS (SMTP_USE_LETTER | SMTP_USE_MAIL)

/* Arguments are counted behind the host. */
static const struct verb {
	const char *name;
	void (*run)(struct smtp_visit *visit);
	unsigned use;
	int arguments_min;
	int arguments_max;
	const char *usage;
	const char *summary;
	const char *help;
} verbs[] = {
    {"send", smtp_sending_send, LETTERS | SMTP_USE_TEST, 0, 0,
	"HOST -t TO [-f FROM] [-m FILE]", "send letters",
	"Without -m a test letter is sent, without -f it is from you.\n"
	"\n"
	"  postrider smtp send mx.example -t ops@example.net\n"
	"  postrider smtp send mx.example:587 --tls must --user me \\\n"
	"      -f me@example.net -t you@example.org -m letter.eml\n"
	"  postrider smtp send -d localhost -t root --quit-after rcpt\n"
	"  postrider smtp send /run/lmtp.sock --lmtp -t a@x,b@x -m a.eml -m "
	"b.eml\n"},
    {"msg", smtp_sending_message, LETTERS, 0, 0,
	"HOST [-m FILE] [-f FROM] [-t TO]",
	"send letters to whom their header says",
	"From Sender or From, to To, Cc and Bcc; Bcc is taken out.  Without\n"
	"-m the letter is standard input.\n"
	"\n"
	"  postrider smtp msg localhost <letter.eml\n"
	"  postrider smtp msg mx.example -m letter.eml -t only@example.org\n"},
    {"cmd", smtp_talk_commands, SMTP_USE_GREET, 1, INT_MAX,
	"HOST 'COMMAND'...|-", "say commands, print the replies",
	"Commands go out as they stand; - reads them from standard input, on\n"
	"a terminal with editing and history.  STARTTLS begins TLS, behind\n"
	"DATA comes the letter up to a lone dot, and AUTH asks for user and\n"
	"password where it is typed.\n"
	"\n"
	"  postrider smtp cmd mx.example 'ETRN rnd.example'\n"
	"  postrider smtp cmd -d mx.example --ehlo NOOP 'VRFY root'\n"
	"  postrider smtp cmd mx.example -\n"},
    {"etrn", smtp_talk_etrn, SMTP_USE_ETRN, 1, INT_MAX,
	"HOST NODE|@DOMAIN|#QUEUE...",
	"ask for the mail that waits for us (RFC 1985)",
	"  postrider smtp etrn mx.example rnd.example @example.org\n"},
    {"atrn", smtp_fetch_run, SMTP_USE_ATRN, 0, 1, "HOST [DOMAIN,...]",
	"fetch the mail that waits for us (RFC 2645)",
	"It goes to the local relay, or with --maildir into one, and only "
	"then\n"
	"is it taken.  Such servers listen on port 366 and want a login.\n"
	"\n"
	"  postrider smtp atrn mx.example rnd.example --auth /etc/mx.auth\n"},
    {"probe", smtp_probe_run, SMTP_USE_PROBE, 0, 0, "HOST",
	"what a server is and offers; sends no mail",
	"  postrider smtp probe mx.example\n"
	"  postrider smtp probe mx.example:465 --tls implicit\n"},
    {"ehlo", smtp_talk_ehlo, 0, 0, 1, "HOST [NAME]",
	"say EHLO, print the reply", "  postrider smtp ehlo mx.example\n"},
    {"helo", smtp_talk_helo, 0, 0, 1, "HOST [NAME]",
	"say HELO, print the reply", "  postrider smtp helo mx.example\n"},
    {"vrfy", smtp_talk_vrfy, 0, 1, INT_MAX, "HOST ADDRESS...",
	"is there such an address?",
	"  postrider smtp vrfy mx.example postmaster\n"},
    {"expn", smtp_talk_expn, 0, 1, INT_MAX, "HOST LIST...",
	"who is on the list?", "  postrider smtp expn mx.example staff\n"},
    {"help", smtp_talk_help, SMTP_USE_GREET, 0, 1, "HOST [WORD]",
	"the server's own help", "  postrider smtp help mx.example\n"},
    {"noop", smtp_talk_noop, SMTP_USE_GREET, 0, 1, "HOST [WORD]",
	"does it answer?", "  postrider smtp noop mx.example\n"},
    {"rset", smtp_talk_rset, SMTP_USE_GREET, 0, 0, "HOST", "does it answer?",
	"  postrider smtp rset mx.example\n"},
    {"mail", smtp_sending_mail, SMTP_USE_MAIL, 0, 1, "HOST [FROM]",
	"is the sender accepted? sends no mail",
	"  postrider smtp mail mx.example me@example.net\n"},
    {"rcpt", smtp_sending_rcpt, SMTP_USE_MAIL, 0, INT_MAX, "HOST TO...",
	"are recipients accepted? sends no mail",
	"  postrider smtp rcpt mx.example -f me@example.net ops@example.org\n"},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const char hosts[] =
    "HOST is NAME, NAME:PORT, ADDRESS, [ADDRESS]:PORT or /UNIX/SOCKET.\n";
static const char exits[] =
    "\n"
    "It exits with 0 where all is well, 3 some recipients refused, 64 usage,\n"
    "68 host not found, 69 refused, 75 try later, 76 no SMTP, 77 login, 78 "
    "TLS.\n";

/* ---- help ---- */

static int
explain_all(void)
{
	(void)printf("usage: postrider smtp VERB [OPTION...] HOST "
		     "[ARGUMENT...]\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		(void)printf("  %-6s %s\n", verbs[i].name, verbs[i].summary);
	(void)printf("\n%s%s"
		     "\n"
		     "examples:\n"
		     "  postrider smtp send mx.example -t ops@example.net\n"
		     "  postrider smtp probe mx.example\n"
		     "  postrider smtp cmd mx.example -\n"
		     "\n"
		     "postrider smtp VERB --help has the options.\n",
	    hosts, exits);
	return EX_OK;
}

static int
explain(const struct verb *verb)
{
	struct buffer text;

	buffer_init(&text, HELP_MAX);
	buffer_printf(&text,
	    "usage: postrider smtp %s [OPTION...] %s\n\n%s\n%s\n", verb->name,
	    verb->usage, verb->help, hosts);
	smtp_words_help(&text, verb->use);
	buffer_append_text(&text, exits);
	const int code = tool_print(&text);
	buffer_clear(&text);
	return code;
}

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* ---- running ---- */

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
tell_unknown(const struct tool *tool, const char *name)
{
	struct guess guess = guess_begin(name);

	for (size_t i = 0; i < VERB_COUNT; i++)
		guess_try(&guess, verbs[i].name);
	if (guess.best != NULL)
		return tool_usage(tool, "unknown verb %s, did you mean %s?",
		    name, guess.best);
	return tool_usage(
	    tool, "unknown verb %s; first the verb, then HOST", name);
}

static int
check_arguments(const struct tool *tool, const struct verb *verb,
    const struct smtp_words *words)
{
	if (words->host == NULL || words->host[0] == '\0')
		return tool_usage(
		    tool, "the server is missing: %s", verb->usage);
	if (words->argument_count < verb->arguments_min)
		return tool_usage(
		    tool, "an argument is missing: %s", verb->usage);
	if (words->argument_count > verb->arguments_max)
		return tool_usage(tool, "unexpected argument %s",
		    words->arguments[verb->arguments_max]);
	return EX_OK;
}

static int
visit(
    struct tool *tool, const struct verb *verb, const struct smtp_words *words)
{
	struct smtp_visit visit;
	char name[64];

	const int code = check_arguments(tool, verb, words);
	if (code != EX_OK)
		return code;
	(void)snprintf(name, sizeof(name), "postrider %s", tool->command);
	if (smtp_visit_begin(&visit, name, verb->name, words, tool->json))
		verb->run(&visit);
	return smtp_visit_end(&visit);
}

int
smtp_command(struct tool *tool, int argc, char **argv)
{
	const bool is_help = asks_for_help(argc, argv);
	struct smtp_words words;
	char name[32];
	int code = EX_USAGE;

	if (argc < 2 || (is_help && argv[1][0] == '-'))
		return is_help ? explain_all()
			       : tool_usage(tool, "the verb is missing");
	const struct verb *verb = find_verb(argv[1]);
	if (verb == NULL)
		return tell_unknown(tool, argv[1]);
	if (is_help)
		return explain(verb);
	(void)snprintf(name, sizeof(name), "smtp %s", verb->name);
	tool->command = name;
	if (smtp_words_read(tool, verb->use, argc - 1, argv + 1, &words))
		code = visit(tool, verb, &words);
	smtp_words_clear(&words);
	tool->command = "smtp";
	return code;
}
