#include "tools/sendmail_options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char *const modes[] = {
    "submit", "session", "queue", "aliases", "flush", "explain"};

/* "mode=... i t v f=<..> F=.. N=.. R=.. V=.. u l qI=.. : operands". */
static void
describe(const struct sendmail_options *options, char *text, size_t size)
{
	static const char *const flushes[] = {"", "I=", "R=", "S="};
	static const char *const returns[] = {"", " R=full", " R=hdrs"};
	int len = snprintf(text, size, "%s%s%s%s", modes[options->mode],
	    options->ignore_dots ? " i" : "",
	    options->header_recipients ? " t" : "",
	    options->verbose ? " v" : "");
	char *end = text + size;

#define ADD(...)                                                               \
	(len += snprintf(                                                      \
	     text + len, (size_t)(end - text) - (size_t)len, __VA_ARGS__))
	if (options->sender != NULL)
		ADD(" f=<%s>", options->sender);
	if (options->name != NULL)
		ADD(" F=<%s>", options->name);
	if (options->notify != 0)
		ADD(" N=%u", options->notify);
	ADD("%s", returns[options->ret]);
	if (options->envelope_id != NULL)
		ADD(" V=%s", options->envelope_id);
	ADD("%s%s", options->utf8 ? " utf8" : "",
	    options->require_tls ? " tls" : "");
	if (options->mode == SENDMAIL_MODE_FLUSH)
		ADD(" %s%s", flushes[options->flush],
		    options->flush_text == NULL ? "" : options->flush_text);
	for (size_t i = 0; i < options->operand_count; i++)
		ADD("%s%s", i == 0 ? " : " : " ", options->operands[i]);
#undef ADD
}

#define WORDS_MAX 20

struct row {
	const char *name;
	const char *argv[WORDS_MAX];
	const char *expected; /* as describe(), or why it is refused */
	int status;
	const char *warning; /* of the first line, or NULL: none */
};

static const struct row rows[] = {
    /* Recorded on Debian 12: who calls, and how. */
    {"cron", {"sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"},
	"submit i F=<CronDaemon> : root", 0, NULL},
    {"cronie",
	{"sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "-f", "<>",
	    "root"},
	"submit i f=<<>> F=<CronDaemon> : root", 0, NULL},
    {"old vixie cron",
	{"sendmail", "-FCronDaemon", "-odi", "-oem", "-oi", "-or0s", "root"},
	"submit i F=<CronDaemon> : root", 0, NULL},
    {"systemd-cron", {"sendmail", "-i", "-B8BITMIME", "ops@x.example"},
	"submit i : ops@x.example", 0, NULL},
    {"at", {"sendmail", "-i", "ada"}, "submit i : ada", 0, NULL},
    {"anacron", {"sendmail", "-FAnacron", "-odi", "root"},
	"submit F=<Anacron> : root", 0, NULL},
    {"bsd-mailx", {"sendmail", "-i", "-t", "-f", "a@x.example", "-m", "-v"},
	"submit i t v f=<a@x.example>", 0, NULL},
    {"s-nail",
	{"sendmail", "-i", "-m", "-v", "-F", "Ada L", "-f", "a@x.example", "--",
	    "b@y.example", "c"},
	"submit i v f=<a@x.example> F=<Ada L> : b@y.example c", 0, NULL},
    {"mailutils", {"sendmail", "-oi", "-f", "ada@web1", "-t"},
	"submit i t f=<ada@web1>", 0, NULL},
    {"mutt",
	{"sendmail", "-oem", "-oi", "-f", "a@x.example", "-B8BITMIME", "-N",
	    "failure,delay", "-R", "hdrs", "--", "b@y.example"},
	"submit i f=<a@x.example> N=12 R=hdrs : b@y.example", 0, NULL},
    {"nmh -t", {"sendmail", "-t", "-i"}, "submit i t", 0, NULL},
    {"nmh -bs", {"sendmail", "-bs", "-odb", "-oem", "-om"}, "session", 0, NULL},
    {"git send-email", {"sendmail", "-f", "a@x", "-i", "b@y", "c@z"},
	"submit i f=<a@x> : b@y c@z", 0, NULL},
    {"PHP mail()", {"sendmail", "-t", "-i", "-fuser@x"},
	"submit i t f=<user@x>", 0, NULL},
    {"PHPMailer", {"sendmail", "-t", "-i", "-fme@x.org"},
	"submit i t f=<me@x.org>", 0, NULL},
    {"PHPMailer twice", {"sendmail", "-t", "-i", "-oi", "-fme@x.org", "-t"},
	"submit i t f=<me@x.org>", 0, NULL},
    {"nodemailer", {"sendmail", "-i", "-f", "me@x", "b@y", "c@z"},
	"submit i f=<me@x> : b@y c@z", 0, NULL},
    {"Rails", {"sendmail", "-i", "-f", "a", "--", "b@y"},
	"submit i f=<a> : b@y", 0, NULL},
    {"Perl Mail::Mailer", {"sendmail", "-t"}, "submit t", 0, NULL},
    {"Perl Email::Sender", {"sendmail", "-i", "-f", "from@x", "--", "b@y"},
	"submit i f=<from@x> : b@y", 0, NULL},
    {"logcheck", {"/sbin/sendmail", "-oi", "root"}, "submit i : root", 0, NULL},
    {"unattended-upgrades", {"/usr/sbin/sendmail", "-oi", "-t"}, "submit i t",
	0, NULL},
    {"cron-apt", {"sendmail", "-t", "-oi"}, "submit i t", 0, NULL},
    {"apt-listbugs", {"sendmail", "-t", "-odi"}, "submit t", 0, NULL},
    {"rkhunter", {"sendmail", "root@localhost"}, "submit : root@localhost", 0,
	NULL},
    {"reportbug",
	{"sendmail", "-f", "a@x", "-oi", "-oem", "submit@bugs.example", "b@y"},
	"submit i f=<a@x> : submit@bugs.example b@y", 0, NULL},
    {"fail2ban", {"sendmail", "-f", "<fail2ban@x>", "root@x"},
	"submit f=<<fail2ban@x>> : root@x", 0, NULL},
    {"symfony", {"sendmail", "-bs"}, "session", 0, NULL},
    {"Alpine", {"sendmail", "-bs", "-odb", "-oem"}, "session", 0, NULL},
    /* Forms. */
    {"combined flags", {"sendmail", "-it"}, "submit i t", 0, NULL},
    {"a value glued to combined flags", {"sendmail", "-itfa@b"},
	"submit i t f=<a@b>", 0, NULL},
    {"a value behind combined flags", {"sendmail", "-itf", "a@b", "c"},
	"submit i t f=<a@b> : c", 0, NULL},
    {"the last of several counts", {"sendmail", "-fa", "-rb", "-f", "c", "d"},
	"submit f=<c> : d", 0, NULL},
    {"an empty value", {"sendmail", "-f", "", "d"}, "submit f=<> : d", 0, NULL},
    {"a value that looks like a flag", {"sendmail", "-f", "-OX", "d"},
	"submit f=<-OX> : d", 0, NULL},
    {"an attached value is optional", {"sendmail", "-d", "-q"}, "flush ", 0,
	NULL},
    {"debugging", {"sendmail", "-d0-99.9", "-d", "a"}, "submit : a", 0, NULL},
    {"all that is passed over",
	{"sendmail", "-Ac", "-C", "/etc/x", "-c", "-D/tmp/x", "-em", "-G",
	    "-h5", "-LTag", "-mn", "-pESMTP:x", "-sUx", "-X", "/tmp/y", "a"},
	"submit : a", 0, NULL},
    {"no option behind an operand", {"sendmail", "a", "-bs", "--help"},
	"submit : a -bs --help", 0, NULL},
    {"no option behind --", {"sendmail", "--", "-bs"}, "submit : -bs", 0, NULL},
    {"options by name",
	{"sendmail", "-Osmtputf8=yes", "-O", "RequireTLS=1", "a"},
	"submit utf8 tls : a", 0, NULL},
    {"options by name that say no",
	{"sendmail", "-Osmtputf8=yes", "-OSMTPUTF8=no", "-oQ/tmp", "a"},
	"submit : a", 0, NULL},
    {"paths in options", {"sendmail", "-OQueueDirectory=/tmp", "-X/x.php", "a"},
	"submit : a", 0, NULL},
    {"dots by name", {"sendmail", "-OIgnoreDots", "a"}, "submit i : a", 0,
	NULL},
    {"DSN", {"sendmail", "-Nnever", "-Rfull", "-V", "id+1", "a"},
	"submit N=1 R=full V=id+1 : a", 0, NULL},
    {"DSN in capitals", {"sendmail", "-N", "SUCCESS, Failure", "a"},
	"submit N=6 : a", 0, NULL},
    /* Modes. */
    {"mailq", {"/usr/bin/mailq", "-v"}, "queue v", 0, NULL},
    {"sendmail -bp", {"sendmail", "-bp"}, "queue", 0, NULL},
    {"newaliases", {"newaliases"}, "aliases", 0, NULL},
    {"sendmail -bi", {"sendmail", "-bi"}, "aliases", 0, NULL},
    {"sendmail -I", {"sendmail", "-I"}, "aliases", 0, NULL},
    {"sendmail -bm", {"sendmail", "-bm", "a"}, "submit : a", 0, NULL},
    {"sendmail -bv", {"sendmail", "-bv", "a"}, "explain : a", 0, NULL},
    {"-q with an interval", {"sendmail", "-q30m"}, "flush ", 0, NULL},
    {"-qI", {"sendmail", "-qIabc"}, "flush I=abc", 0, NULL},
    {"-qR", {"sendmail", "-v", "-qRx.example"}, "flush v R=x.example", 0, NULL},
    {"-qS", {"sendmail", "-qSa@b"}, "flush S=a@b", 0, NULL},
    /* Warned of. */
    {"an unknown flag", {"sendmail", "-iZt", "a"}, "submit i t : a", 0,
	"option -Z is unknown and passed over"},
    {"an unknown word", {"sendmail", "--help", "a"}, "submit : a", 0,
	"option --help is unknown and passed over"},
    {"an unknown body", {"sendmail", "-B", "9BIT", "a"}, "submit : a", 0,
	"-B 9BIT: passed over"},
    /* Refused. */
    {"no value", {"sendmail", "-t", "-f"}, "option -f needs a value", EX_USAGE,
	NULL},
    {"-bd", {"sendmail", "-bd", "-q30m"},
	"-bd: the daemon is postriderd, started by its service", EX_USAGE,
	NULL},
    {"-be", {"sendmail", "-be", "${run{id}}"}, "-be: no such mode", EX_USAGE,
	NULL},
    {"-bt", {"sendmail", "-bt"}, "-bt: no such mode", EX_USAGE, NULL},
    {"-N", {"sendmail", "-N", "always", "a"},
	"-N always: say never, or some of success,failure,delay", EX_USAGE,
	NULL},
    {"-N never with more", {"sendmail", "-N", "delay,never", "a"},
	"-N delay,never: say never, or some of success,failure,delay", EX_USAGE,
	NULL},
    {"-N with nothing", {"sendmail", "-N", "", "a"},
	"-N : say never, or some of success,failure,delay", EX_USAGE, NULL},
    {"-R", {"sendmail", "-R", "some", "a"}, "-R some: say full or hdrs",
	EX_USAGE, NULL},
    {"-V with a control character", {"sendmail", "-V", "a\rb", "c"},
	"-V: an envelope id is 1 to 100 printable characters", EX_USAGE, NULL},
    {"-F with a line end", {"sendmail", "-F", "x\r\nBcc: y", "a"},
	"-F: control character in the name", EX_DATAERR, NULL},
    {"-qI without id", {"sendmail", "-qI"}, "-qI: needs a text behind it",
	EX_USAGE, NULL},
};

static int
count_words(const struct row *row)
{
	int count = 0;
	while (row->argv[count] != NULL)
		count++;
	return count;
}

Test(sendmail_options, reads_every_known_command_line)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct sendmail_options options;
		struct buffer warnings;
		struct error error = {0};
		char text[1024];
		char *argv[WORDS_MAX];

		memcpy(argv, row->argv, sizeof(argv));
		buffer_init(&warnings, 4096);
		int status = sendmail_options_read(
		    count_words(row), argv, &options, &warnings, &error);
		describe(&options, text, sizeof(text));
		cr_expect_eq(status, row->status, "%s: status %d, %s",
		    row->name, status, error_text(&error));
		cr_expect_str_eq(status == 0 ? text : error_text(&error),
		    row->expected, "%s: %s", row->name,
		    status == 0 ? text : error_text(&error));
		struct bytes rest = buffer_bytes(&warnings);
		struct bytes line = bytes_cut(&rest, '\n');
		cr_expect(bytes_is(line, row->warning ? row->warning : ""),
		    "%s: %.*s", row->name, BYTES_ARGS(line));
		buffer_clear(&warnings);
	}
}

Test(sendmail_options, bears_any_command_line)
{
	struct sendmail_options options;
	struct buffer warnings;
	struct error error;
	char *none[] = {NULL};
	char *bare[] = {(char[]){"sendmail"}, NULL};
	char *hyphen[] = {(char[]){"sendmail"}, (char[]){"-"}, NULL};
	static char flood[100000];
	char *unknown[] = {(char[]){"sendmail"}, flood, NULL};

	buffer_init(&warnings, 4096);
	cr_expect_eq(
	    sendmail_options_read(0, none, &options, &warnings, &error), 0);
	cr_expect_eq(options.operand_count, 0);
	cr_expect_eq(
	    sendmail_options_read(1, bare, &options, &warnings, &error), 0);
	cr_expect_eq(
	    sendmail_options_read(2, hyphen, &options, &warnings, &error), 0);
	cr_expect_eq(options.operand_count, 1);
	memset(flood, 'Z', sizeof(flood) - 1);
	flood[0] = '-';
	cr_expect_eq(
	    sendmail_options_read(2, unknown, &options, &warnings, &error), 0);
	buffer_clear(&warnings);
}
