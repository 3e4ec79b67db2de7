#include "smtp/serve_command.h"

#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/extensions.h"
#include "smtp/reply.h"
#include "smtp/serve.h"
#include "smtp/serve_content.h"

#include <string.h>

/* True: out_event is set. */
typedef bool action_fn(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event);
typedef bool offered_fn(const struct smtp_server *server);

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_OPTIONAL,
	ARGUMENT_REQUIRED,
	ARGUMENT_UTF8, /* required; the action looks at octets over 0x7f */
	ARGUMENT_RAW   /* the action looks at all octets */
};

enum door {
	DOOR_BOTH,
	DOOR_SMTP,
	DOOR_LMTP
};

/* What is left out is allowed everywhere and always, and takes no argument. */
struct row {
	action_fn *act;
	offered_fn *offered; /* 502 where not */
	enum door door;      /* 500 at the other */
	enum argument argument;
	unsigned phases;       /* where it is allowed; 503 elsewhere */
	const char *misplaced; /* the text of that 503 */
	bool ends_group;       /* nothing may be pipelined behind it */
};

/* Anything that cannot break out of the places such a name is written to. */
static bool
is_client_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (strchr(" ()<>,;\"\\", name.data[i]) != NULL)
			return false;
	}
	return name.len > 0 && name.len <= ADDRESS_DOMAIN_MAX;
}

static bool
greet(struct smtp_server *server, struct bytes name, bool extended,
    struct smtp_server_event *event)
{
	serve_end_transaction(server); /* HELLO says so, too */
	buffer_empty(&server->hello);
	buffer_append(&server->hello, name);
	server->extended = extended;
	server->phase = SERVE_GREETED;
	serve_wait(server, server->options->command_timeout_ms);
	event->kind = SMTP_SERVER_HELLO;
	event->text = buffer_bytes(&server->hello);
	return true;
}

static bool
act_helo(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	if (!is_client_name(argument))
		return serve_refuse(
		    server, 501, "5.5.4", "That is no host name");
	reply_write(server->output, 250, "", server->options->hostname);
	return greet(server, argument, false, event);
}

static bool
offers_starttls(const struct smtp_server *server)
{
	return server->options->starttls && !server->secure;
}

static bool
offers_etrn(const struct smtp_server *server)
{
	return server->options->etrn;
}

static bool
offers_nothing(const struct smtp_server *server)
{
	(void)server; /* the form of offered_fn */
	return false;
}

static void
write_keyword(struct smtp_server *server, enum extension extension)
{
	buffer_printf(server->output, "250-%s\r\n", extension_name(extension));
}

static void
write_extensions(struct smtp_server *server)
{
	const struct smtp_server_options *options = server->options;

	buffer_printf(server->output, "250-%s\r\n", options->hostname);
	write_keyword(server, EXTENSION_PIPELINING);
	buffer_printf(server->output, "250-%s %llu\r\n",
	    extension_name(EXTENSION_SIZE),
	    (unsigned long long)options->message_size_max);
	write_keyword(server, EXTENSION_8BITMIME);
	write_keyword(server, EXTENSION_SMTPUTF8);
	write_keyword(server, EXTENSION_DSN);
	write_keyword(server, EXTENSION_ENHANCEDSTATUSCODES);
	write_keyword(server, EXTENSION_CHUNKING);
	if (offers_starttls(server))
		write_keyword(server, EXTENSION_STARTTLS);
	if (offers_etrn(server))
		write_keyword(server, EXTENSION_ETRN);
	if (options->recipients_max > 0)
		buffer_printf(server->output, "250-%s RCPTMAX=%u\r\n",
		    extension_name(EXTENSION_LIMITS), options->recipients_max);
	reply_write(server->output, 250, "", extension_name(EXTENSION_HELP));
}

/* Of MAIL and RCPT. */
static unsigned
allowed_params(const struct smtp_server *server)
{
	return server->extended ? EXTENSION_BIT(EXTENSION_SIZE) |
		EXTENSION_BIT(EXTENSION_8BITMIME) |
		EXTENSION_BIT(EXTENSION_SMTPUTF8) | EXTENSION_BIT(EXTENSION_DSN)
				: 0;
}

static bool
act_ehlo(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	if (!is_client_name(argument))
		return serve_refuse(
		    server, 501, "5.5.4", "That is no host name");
	write_extensions(server);
	return greet(server, argument, true, event);
}

static struct bytes
without_leading_blanks(struct bytes text)
{
	while (text.len > 0 && text.data[0] == ' ')
		text = bytes_from(text, 1);
	return text;
}

/* "FROM:" or "TO:", and blanks behind it, which many clients send. */
static bool
take_introducer(struct bytes *argument, const char *introducer)
{
	if (!bytes_has_prefix_nocase(*argument, introducer))
		return false;
	*argument =
	    without_leading_blanks(bytes_from(*argument, strlen(introducer)));
	return true;
}

static bool
refuse_address(struct smtp_server *server, enum address_problem problem,
    const char *enhanced)
{
	if (problem == ADDRESS_NEEDS_UTF8)
		return serve_refuse(
		    server, 553, "5.6.7", "This address needs SMTPUTF8");
	if (problem == ADDRESS_TOO_LONG)
		return serve_refuse(server, 501, enhanced, "Address too long");
	return serve_refuse(server, 501, enhanced, "Bad address syntax");
}

static bool
act_mail(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	if (!take_introducer(&argument, "FROM:"))
		return serve_refuse(
		    server, 501, "5.5.4", "Say MAIL FROM:<address>");
	/* SMTPUTF8 stands behind the address it is for. */
	enum address_problem problem = address_take_path(
	    &argument, !server->options->qualified_only, true, &event->text);
	if (problem != ADDRESS_OK)
		return refuse_address(server, problem, "5.1.7");

	struct params_problem bad =
	    params_read_mail(argument, allowed_params(server), &event->mail);
	if (bad.code != 0)
		return serve_refuse(server, bad.code, bad.enhanced, bad.text);
	if (!event->mail.utf8 && !bytes_is_ascii(event->text))
		return refuse_address(server, ADDRESS_NEEDS_UTF8, "");
	if (serve_content_is_too_large(server, event->mail.size_bytes)) {
		serve_say(server, serve_content_too_large.code,
		    serve_content_too_large.enhanced,
		    serve_content_too_large.text);
		return false;
	}
	server->utf8 = event->mail.utf8;
	return serve_ask(server, SMTP_SERVER_MAIL, event);
}

static bool
act_rcpt(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	unsigned max = server->options->recipients_max;

	if (!take_introducer(&argument, "TO:"))
		return serve_refuse(
		    server, 501, "5.5.4", "Say RCPT TO:<address>");
	enum address_problem problem = address_take_path(&argument,
	    !server->options->qualified_only, server->utf8, &event->text);
	if (problem == ADDRESS_OK && event->text.len == 0)
		problem = ADDRESS_SYNTAX; /* "<>" is for senders */
	if (problem != ADDRESS_OK)
		return refuse_address(server, problem, "5.1.3");

	struct params_problem bad =
	    params_read_rcpt(argument, allowed_params(server), &event->rcpt);
	if (bad.code != 0)
		return serve_refuse(server, bad.code, bad.enhanced, bad.text);
	if (max > 0 && server->recipients >= max) {
		serve_say(server, 452, "4.5.3", "Too many recipients");
		return false;
	}
	return serve_ask(server, SMTP_SERVER_RCPT, event);
}

static bool
act_data(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* none */
	return serve_ask(server, SMTP_SERVER_DATA, event);
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] */
static bool
read_chunk_size(struct smtp_server *server, struct bytes argument)
{
	unsigned long long size = 0;
	struct bytes marker = argument;
	struct bytes number = bytes_cut(&marker, ' ');

	marker = without_leading_blanks(marker);
	server->chunk_last = bytes_is_nocase(marker, "LAST");
	if (marker.len > 0 && !server->chunk_last)
		return false;
	if (!bytes_to_u64(number, UINT64_MAX, &size))
		return false;
	server->chunk_left = size;
	return true;
}

/*
 * The octets of a refused chunk come all the same, in every phase; the reply
 * does not wait for them, since nothing they are would change it.
 */
static bool
act_bdat(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	uint64_t max = server->options->message_size_max;

	if (!read_chunk_size(server, argument))
		return serve_refuse_and_close(
		    server, 501, "5.5.4", "BDAT without a size");
	if ((server->phase & (SERVE_RECIPIENT | SERVE_CHUNKS)) == 0) {
		(void)serve_refuse(server, 503, "5.5.1", "No valid recipient");
		serve_content_begin(server, SERVE_READ_WASTE);
		return false;
	}
	if (max > 0 &&
	    (server->content_len > max ||
		server->chunk_left > max - server->content_len)) {
		serve_content_refuse(
		    server, &serve_content_too_large, server->chunk_last);
		serve_content_begin(server, SERVE_READ_WASTE);
		return false;
	}
	if (server->phase == SERVE_CHUNKS) {
		serve_content_begin(server, SERVE_READ_CHUNK);
		return false;
	}
	server->chunked = true;
	return serve_ask(server, SMTP_SERVER_DATA, event);
}

static bool
act_rset(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* none */
	(void)event;
	serve_abandon_transaction(server);
	serve_say(server, 250, "2.0.0", "Ok");
	return false;
}

static bool
act_noop(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* anything (RFC 5321 4.1.1.9) */
	(void)event;
	serve_say(server, 250, "2.0.0", "Ok");
	return false;
}

static bool
act_quit(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* none */
	(void)event;
	serve_say(server, 221, "2.0.0", "Bye");
	serve_end_session(server, "QUIT");
	return false;
}

static bool
act_vrfy(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* not even looked up: RFC 5321 7.3 */
	(void)event;
	serve_say(server, 252, "2.5.2", "Send mail to it to find out");
	return false;
}

static bool
act_etrn(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	if (!address_is_domain(argument, false))
		return serve_refuse(server, 501, "5.5.4", "Say ETRN domain");
	event->text = argument;
	return serve_ask(server, SMTP_SERVER_ETRN, event);
}

static bool
act_starttls(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* none */
	serve_say(server, 220, "2.0.0", "Ready to start TLS");
	server->phase = SERVE_TLS;
	event->kind = SMTP_SERVER_START_TLS;
	return true;
}

static bool
act_http(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* an attack on us by way of a browser */
	(void)event;
	return serve_refuse_and_close(
	    server, 500, "5.5.1", "HTTP is not spoken here");
}

static action_fn act_help; /* reads the table below */

/* Verbs without a row are unknown. */
static const struct row rows[COMMAND_UNKNOWN + 1] = {
    [COMMAND_HELO] = {.act = act_helo,
	.door = DOOR_SMTP,
	.argument = ARGUMENT_REQUIRED},
    [COMMAND_EHLO] = {.act = act_ehlo,
	.door = DOOR_SMTP,
	.argument = ARGUMENT_REQUIRED},
    [COMMAND_LHLO] = {.act = act_ehlo,
	.door = DOOR_LMTP,
	.argument = ARGUMENT_REQUIRED},
    [COMMAND_MAIL] = {.act = act_mail,
	.argument = ARGUMENT_UTF8,
	.phases = SERVE_GREETED,
	.misplaced = "Greet first, and one transaction at a time"},
    [COMMAND_RCPT] = {.act = act_rcpt,
	.argument = ARGUMENT_UTF8,
	.phases = SERVE_MAIL | SERVE_RECIPIENT,
	.misplaced = "MAIL comes first, and content last"},
    [COMMAND_DATA] = {.act = act_data,
	.phases = SERVE_RECIPIENT,
	.misplaced = "Recipients come first, and no BDAT before",
	.ends_group = true},
    [COMMAND_BDAT] = {.act = act_bdat, .argument = ARGUMENT_RAW},
    [COMMAND_RSET] = {.act = act_rset},
    [COMMAND_NOOP] = {.act = act_noop, .argument = ARGUMENT_OPTIONAL},
    [COMMAND_QUIT] = {.act = act_quit},
    [COMMAND_HELP] = {.act = act_help, .argument = ARGUMENT_OPTIONAL},
    [COMMAND_VRFY] = {.act = act_vrfy, .argument = ARGUMENT_UTF8},
    [COMMAND_EXPN] = {.offered = offers_nothing},
    [COMMAND_ETRN] = {.act = act_etrn,
	.offered = offers_etrn,
	.argument = ARGUMENT_REQUIRED,
	.phases = SERVE_GREETED,
	.misplaced = "Greet first, and not within a transaction"},
    [COMMAND_STARTTLS] = {.act = act_starttls,
	.offered = offers_starttls,
	.phases = SERVE_GREETED,
	.misplaced = "Greet first, and not within a transaction",
	.ends_group = true},
    [COMMAND_AUTH] = {.offered = offers_nothing},
    [COMMAND_OBSOLETE] = {.offered = offers_nothing},
    [COMMAND_HTTP] = {.act = act_http, .argument = ARGUMENT_RAW},
};

static bool
is_at_this_door(const struct smtp_server *server, const struct row *row)
{
	enum door other = server->options->lmtp ? DOOR_SMTP : DOOR_LMTP;
	bool is_known = row->act != NULL || row->offered != NULL;

	return is_known && row->door != other;
}

static bool
is_offered(const struct smtp_server *server, const struct row *row)
{
	return row->offered == NULL || row->offered(server);
}

static bool
act_help(struct smtp_server *server, struct bytes argument,
    struct smtp_server_event *event)
{
	(void)argument; /* no topics */
	(void)event;
	buffer_append_text(server->output, "214-2.0.0 Commands:");
	for (int verb = 0; verb < COMMAND_OBSOLETE; verb++) {
		if (is_at_this_door(server, &rows[verb]) &&
		    is_offered(server, &rows[verb]))
			buffer_printf(server->output, " %s",
			    command_name((enum command_verb)verb));
	}
	buffer_append_text(server->output, "\r\n");
	serve_say(server, 214, "2.0.0", "See RFC 5321");
	return false;
}

/* NULL, or what is wrong with the argument whatever it means. */
static const char *
argument_problem(enum argument rule, struct bytes argument)
{
	if (rule == ARGUMENT_RAW)
		return NULL;
	if (bytes_has_control(argument))
		return "Control character in command";
	if (rule != ARGUMENT_UTF8 && !bytes_is_ascii(argument))
		return "Only ASCII is allowed here";
	if (rule == ARGUMENT_NONE && argument.len > 0)
		return "No argument is allowed here";
	if ((rule == ARGUMENT_REQUIRED || rule == ARGUMENT_UTF8) &&
	    argument.len == 0)
		return "An argument is missing";
	return NULL;
}

bool
serve_command_run(struct smtp_server *server, struct smtp_server_event *event)
{
	struct bytes line = buffer_bytes(&server->line);
	struct command command = command_read(line);
	const struct row *row = &rows[command.verb];

	if (line.len == 0)
		return serve_refuse(server, 500, "5.5.2", "Empty command");
	if (!is_at_this_door(server, row))
		return serve_refuse(server, 500, "5.5.1", "Unknown command");
	if (!is_offered(server, row))
		return serve_refuse(server, 502, "5.5.1", "Not implemented");
	if (row->ends_group && server->input->len > 0)
		return serve_refuse_and_close(server, 503, "5.5.0",
		    "Input behind a command that must be waited for");
	const char *problem = argument_problem(row->argument, command.argument);
	if (problem != NULL)
		return serve_refuse(server, 501, "5.5.4", problem);
	if (row->phases != 0 && (row->phases & (unsigned)server->phase) == 0)
		return serve_refuse(server, 503, "5.5.1", row->misplaced);
	return row->act(server, command.argument, event);
}
