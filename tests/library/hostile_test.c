/*
 * The library against servers that are hostile, or broken: each act of
 * hostile_acts.h at each stage, in clear, behind STARTTLS and in implicit TLS,
 * with and without PIPELINING.
 */
#include "base/buffer.h"
#include "lib/hostile_acts.h"
#include "lib/hostile_scene.h"
#include "lib/loop_until.h"
#include "lib/wire_watch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000
#define SHORT_MS    40
/* Where the same limit is that of a handshake, too. */
#define HANDSHAKE_MS 400
#define BIG          ((size_t)8 * 1024 * 1024)
/* Whatever a server says. */
#define MEMORY_MAX ((size_t)8 * 1024 * 1024)

struct run {
	const struct hostile_act *act;
	enum hostile_stage stage;
	enum hostile_channel channel;
	bool is_pipelined;
	bool is_chunked; /* BDAT */
	char name[160];
};

/* What is to come of a run. */
struct wanted {
	int err;
	enum smtp_class cls;
	enum smtp_stage stage;
	int code;           /* 0: any */
	bool is_stage_open; /* that stage, or a later one */
	bool is_open;       /* still connected */
	bool in_doubt;
	bool is_taken;
	int noop;
};

static const enum smtp_stage stages[HOSTILE_STAGE_COUNT] = {
    [HOSTILE_GREETING] = SMTP_S_GREETING,
    [HOSTILE_CLEAR_EHLO] = SMTP_S_EHLO,
    [HOSTILE_EHLO] = SMTP_S_EHLO,
    [HOSTILE_HELO] = SMTP_S_EHLO,
    [HOSTILE_STARTTLS] = SMTP_S_STARTTLS,
    [HOSTILE_HANDSHAKE] = SMTP_S_STARTTLS,
    [HOSTILE_AUTH] = SMTP_S_AUTH,
    [HOSTILE_CANCEL] = SMTP_S_AUTH,
    [HOSTILE_MAIL] = SMTP_S_MAIL,
    [HOSTILE_RCPT] = SMTP_S_RCPT,
    [HOSTILE_DATA] = SMTP_S_DATA,
    [HOSTILE_CONTENT] = SMTP_S_BODY,
    [HOSTILE_END] = SMTP_S_DOT,
    [HOSTILE_RSET] = SMTP_S_MAIL, /* what it is for is told */
    [HOSTILE_OTHER] = SMTP_S_DOT,
    [HOSTILE_QUIT] = SMTP_S_DOT,
};

/* ---- what is wanted ---- */

static enum smtp_class
class_at(enum smtp_stage stage)
{
	return stage <= SMTP_S_STARTTLS ? SMTP_C_CONN : SMTP_C_TEMP;
}

static const struct wanted fine = {SMTP_OK, SMTP_C_OK, SMTP_S_DOT,
    .is_open = true, .is_taken = true, .noop = SMTP_OK};

/* The content, in a chunk, is sent with the envelope. */
static bool
goes_along(const struct run *run)
{
	return run->is_chunked && run->is_pipelined &&
	    (run->stage == HOSTILE_MAIL || run->stage == HOSTILE_RCPT);
}

static struct wanted
broken(int err, const struct run *run)
{
	const bool is_first = run->stage == HOSTILE_HANDSHAKE &&
	    run->channel == HOSTILE_TLS_IMPLICIT;
	const enum smtp_stage stage =
	    is_first ? SMTP_S_CONNECT : stages[run->stage];

	return (struct wanted){
	    .err = err,
	    .cls = class_at(stage),
	    .stage = stage,
	    .code = -1,
	    .in_doubt = run->stage == HOSTILE_END || goes_along(run),
	};
}

static int
err_of_refusal(enum hostile_stage stage)
{
	switch (stages[stage]) {
	case SMTP_S_GREETING:
		return SMTP_E_CONNECT;
	case SMTP_S_EHLO:
		return SMTP_E_HELO;
	case SMTP_S_AUTH:
		return SMTP_E_AUTH;
	case SMTP_S_MAIL:
		return SMTP_E_SENDER;
	case SMTP_S_RCPT:
		return SMTP_E_RECIPIENTS;
	case SMTP_S_DATA:
	case SMTP_S_BODY:
	case SMTP_S_DOT:
		return SMTP_E_DATA;
	case SMTP_S_CONNECT:
	case SMTP_S_STARTTLS:
	case SMTP_S_RSET:
	case SMTP_S_QUIT:
	case SMTP_S_CMD:
		break;
	}
	return SMTP_E_RESPONSE;
}

static const struct wanted no_starttls = {
    SMTP_E_NOTSUPP, SMTP_C_CONN, SMTP_S_STARTTLS, .is_open = true};
static const struct wanted no_auth = {
    SMTP_E_NOMECH, SMTP_C_TEMP, SMTP_S_AUTH, .is_open = true};

/* I7, the table: what a code means where. */
static struct wanted
refused(const struct run *run)
{
	const int code = run->act->code;
	const bool is_setting = code >= 530 && code <= 538;
	struct wanted wanted = broken(err_of_refusal(run->stage), run);

	/* HELO is the next thing tried. */
	if (run->stage == HOSTILE_CLEAR_EHLO)
		return no_starttls;
	if (run->stage == HOSTILE_EHLO && run->channel != HOSTILE_TLS_STARTED)
		return fine;
	wanted.code = code;
	wanted.in_doubt = false;
	wanted.is_open = run->stage != HOSTILE_GREETING;
	if (wanted.stage > SMTP_S_AUTH && code / 100 == 5 && !is_setting)
		wanted.cls = SMTP_C_PERM;
	return wanted;
}

static struct wanted
shut(const struct run *run)
{
	struct wanted wanted = broken(err_of_refusal(run->stage), run);

	wanted.code = run->act->code;
	wanted.in_doubt = false;
	/* It came behind the reply: the next order meets it. */
	if (run->act->more.data != NULL) {
		wanted.err = run->stage == HOSTILE_MAIL ? SMTP_E_RECIPIENTS
							: SMTP_E_SENDER;
		wanted.cls = SMTP_C_TEMP;
		wanted.is_stage_open = true;
	}
	return wanted;
}

static struct wanted
out_of_step(const struct run *run)
{
	struct wanted wanted = broken(SMTP_E_PROTO, run);

	wanted.is_stage_open = true;
	wanted.in_doubt = goes_along(run);
	if (run->stage == HOSTILE_END) {
		wanted = fine;
		wanted.noop = SMTP_E_PROTO;
	}
	return wanted;
}

/* The usual reply was given: it is a later one that is missed. */
static struct wanted
behind_a_reply(struct wanted wanted, const struct run *run)
{
	wanted.is_stage_open =
	    run->act->says.data == NULL || run->act->then == HOSTILE_FLUSH;
	return wanted;
}

static struct wanted
by_expectation(const struct run *run)
{
	struct wanted wanted = fine;

	switch (run->act->expects) {
	case HOSTILE_FINE:
		return fine;
	case HOSTILE_FINE_CUT:
		wanted.noop = SMTP_E_DISCONNECTED;
		return wanted;
	case HOSTILE_NONSENSE:
		return broken(SMTP_E_PROTO, run);
	case HOSTILE_DESYNC:
		return out_of_step(run);
	case HOSTILE_CUT_OFF:
		return behind_a_reply(broken(SMTP_E_DISCONNECTED, run), run);
	case HOSTILE_LATE:
		return behind_a_reply(broken(SMTP_E_TIMEOUT, run), run);
	case HOSTILE_REFUSED:
		return refused(run);
	case HOSTILE_SHUT:
		return shut(run);
	case HOSTILE_BAD_TLS:
		return broken(SMTP_E_TLS, run);
	case HOSTILE_MISSING:
		return run->stage == HOSTILE_AUTH ? no_auth : no_starttls;
	}
	return fine;
}

static struct wanted
find_wanted(const struct run *run)
{
	struct wanted wanted = by_expectation(run);

	/* What went wrong first is told, not what the RSET met. */
	if (run->stage == HOSTILE_RSET) {
		wanted.err = SMTP_E_SENDER;
		wanted.cls = SMTP_C_PERM;
		wanted.code = 550;
		wanted.in_doubt = false;
	} else if (run->stage == HOSTILE_OTHER || run->stage == HOSTILE_QUIT) {
		const int err = wanted.err;
		wanted = fine;
		if (run->stage == HOSTILE_OTHER &&
		    run->act->expects != HOSTILE_SHUT)
			wanted.noop = err;
	}
	return wanted;
}

/* ---- what comes ---- */

static void
set_limits(const struct run *run, struct smtp_options *options)
{
	const bool is_shared =
	    (run->stage == HOSTILE_OTHER || run->stage == HOSTILE_RSET) &&
	    run->channel != HOSTILE_PLAIN;
	int64_t *const limits[HOSTILE_STAGE_COUNT] = {
	    [HOSTILE_GREETING] = &options->t_greeting,
	    [HOSTILE_CLEAR_EHLO] = &options->t_ehlo,
	    [HOSTILE_EHLO] = &options->t_ehlo,
	    [HOSTILE_HELO] = &options->t_ehlo,
	    [HOSTILE_STARTTLS] = &options->t_other,
	    [HOSTILE_HANDSHAKE] = &options->t_other,
	    [HOSTILE_AUTH] = &options->t_auth,
	    [HOSTILE_CANCEL] = &options->t_auth,
	    [HOSTILE_MAIL] = &options->t_mail,
	    [HOSTILE_RCPT] = &options->t_rcpt,
	    [HOSTILE_DATA] = &options->t_data,
	    [HOSTILE_CONTENT] = &options->t_block,
	    [HOSTILE_END] = &options->t_dot,
	    [HOSTILE_RSET] = &options->t_other,
	    [HOSTILE_OTHER] = &options->t_other,
	    [HOSTILE_QUIT] = &options->t_quit,
	};

	for (size_t i = 0; i < HOSTILE_STAGE_COUNT; i++)
		*limits[i] = PATIENCE_MS;
	options->t_connect = PATIENCE_MS;
	if (run->act->expects != HOSTILE_LATE)
		return;
	*limits[run->stage] = is_shared ? HANDSHAKE_MS : SHORT_MS;
	if (run->act->then == HOSTILE_FLUSH) {
		options->t_mail = PATIENCE_MS;
		options->t_rcpt = SHORT_MS;
	}
	/* It is the next order that waits for ever. */
	if (run->act->more.data != NULL)
		for (size_t i = 0; i < HOSTILE_STAGE_COUNT; i++)
			*limits[i] = HANDSHAKE_MS;
}

static int
send_mail(struct smtp *session, const struct run *run)
{
	static const char *const to[] = {"a@y", "b@y", NULL};
	const bool is_big = run->stage == HOSTILE_CONTENT;
	char *content = NULL;
	size_t len = 0;

	if (is_big) {
		len = BIG;
		content = malloc(len);
		memset(content, 'x', len);
		for (size_t i = 63; i < len; i += 64)
			content[i] = '\n';
	}
	const int err = smtp_sendmail(session, "x@y", to,
	    is_big ? content : "Hi\n.\n", is_big ? len : 5, 1, NULL, NULL);
	free(content);
	return err;
}

static int
open_and_send(struct smtp *session, const char *host, const struct run *run)
{
	const bool logs_in =
	    run->stage == HOSTILE_AUTH || run->stage == HOSTILE_CANCEL;
	int err = smtp_open(session, host, NULL);

	if (err == SMTP_OK && logs_in)
		err = smtp_login(session, "u", HOSTILE_PASSWORD, 1);
	return err == SMTP_OK ? send_mail(session, run) : err;
}

/* One line that can be printed anywhere, and not without end. */
static void
check_words(const struct smtp *session, const struct run *run)
{
	const char *why = smtp_last_errmsg(session);

	cr_expect(
	    strlen(why) <= 1200, "%s: %zu octets", run->name, strlen(why));
	for (const char *p = why; *p != '\0'; p++)
		if (*p < ' ' || *p > '~') {
			cr_expect(false, "%s: octet %02x in \"%.80s\"",
			    run->name, (unsigned char)*p, why);
			return;
		}
}

static void
check_result(const struct smtp *session, int err, const struct wanted *wanted,
    const struct run *run)
{
	const char *why = smtp_last_errmsg(session);
	const bool in_doubt = strstr(why, "may have been delivered") != NULL;
	const enum smtp_stage stage = smtp_last_stage(session);
	const enum smtp_class cls = smtp_last_class(session);

	cr_expect_eq(err, wanted->err, "%s: err %d, not %d: %.200s", run->name,
	    err, wanted->err, why);
	cr_expect_eq((int)cls,
	    wanted->is_stage_open ? (int)class_at(stage) : (int)wanted->cls,
	    "%s: class %d: %.200s", run->name, (int)cls, why);
	if (wanted->is_stage_open)
		cr_expect_geq((int)stage, (int)wanted->stage, "%s: stage %d",
		    run->name, (int)stage);
	else
		cr_expect_eq((int)stage, (int)wanted->stage, "%s: stage %d",
		    run->name, (int)stage);
	if (wanted->code != 0)
		cr_expect_eq(smtp_last_code(session), wanted->code,
		    "%s: code %d", run->name, smtp_last_code(session));
	cr_expect_eq(in_doubt, wanted->in_doubt, "%s: in doubt: %d: %.200s",
	    run->name, in_doubt, why);
	/* A cut behind the reply may be seen or not. */
	if (run->act->expects != HOSTILE_FINE_CUT)
		cr_expect_eq((bool)smtp_connected(session), wanted->is_open,
		    "%s: open: %d", run->name, smtp_connected(session));
	check_words(session, run);
	if (err != SMTP_OK)
		cr_expect_neq(why[0], '\0', "%s: no words", run->name);
}

static void
check_results(const struct smtp *session, const struct wanted *wanted,
    const struct run *run)
{
	for (size_t i = 0; i < smtp_nresults(session); i++) {
		const struct smtp_result *result = smtp_result_at(session, i);
		const enum smtp_class cls = wanted->is_stage_open
		    ? class_at(smtp_last_stage(session))
		    : wanted->cls;
		cr_expect_eq(result->cls, cls, "%s: recipient %zu: %d %.80s",
		    run->name, i, result->code, result->text);
	}
}

/* What the session is good for then. */
static void
check_rest(
    struct smtp *session, const struct wanted *wanted, const struct run *run)
{
	if (!smtp_connected(session))
		return;
	const int err = smtp_noop(session);
	cr_expect_eq(err, wanted->noop, "%s: NOOP: %d %.200s", run->name, err,
	    smtp_last_errmsg(session));
	if (smtp_connected(session))
		(void)smtp_quit(session);
	cr_expect_not(smtp_connected(session), "%s", run->name);
}

static void
check_server(struct hostile_server *server, const struct wanted *wanted,
    const struct run *run)
{
	hostile_server_join(server);
	const bool has_tls = run->channel != HOSTILE_PLAIN;
	const bool is_taken = hostile_server_taken(server) > 0;
	const struct bytes clear = hostile_server_clear(server);

	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", run->name,
	    hostile_server_faults(server));
	if (!wanted->in_doubt)
		cr_expect_eq(
		    is_taken, wanted->is_taken, "%s: taken", run->name);
	if (hostile_server_ends(server) > 0 && wanted->cls != SMTP_C_PERM &&
	    wanted->code <= 0 && !wanted->in_doubt)
		cr_expect(
		    is_taken, "%s: neither taken nor in doubt", run->name);
	if (has_tls)
		hostile_expect_secret(clear, run->name);
}

/* smtp_open() is as smtplib where the greeting is not 220; the others are what
 * a wire_watch cannot see. */
static bool
closes_at_once(const struct run *run)
{
	return run->stage == HOSTILE_GREETING ||
	    run->stage == HOSTILE_HANDSHAKE || run->stage == HOSTILE_AUTH;
}

static const char *
keywords_of(const struct run *run)
{
#define USUAL "SIZE 100000000\n8BITMIME\nAUTH PLAIN"
	if (run->is_chunked)
		return run->is_pipelined ? "CHUNKING\nPIPELINING\n" USUAL
					 : "CHUNKING\n" USUAL;
	return run->is_pipelined ? "PIPELINING\n" USUAL : USUAL;
}

static void
try_run(const struct hostile_scene *scene, struct run *run)
{
	const struct wanted wanted = find_wanted(run);
	struct hostile_options where = {
	    .act = run->act,
	    .stage = run->stage,
	    .channel = run->channel,
	    .certificate = scene->certificate,
	    .keywords = keywords_of(run),
	    .refuses_mail = run->stage == HOSTILE_RSET,
	    .allowed = closes_at_once(run) ? WIRE_FAULT_BIT(WIRE_NO_QUIT) : 0,
	};
	struct smtp_options options =
	    hostile_scene_options(scene, run->channel);

	(void)snprintf(run->name, sizeof(run->name), "%s, %s, %s%s%s",
	    run->act->name, hostile_stage_name(run->stage),
	    hostile_channel_name(run->channel),
	    run->is_pipelined ? ", pipelined" : "",
	    run->is_chunked ? ", in chunks" : "");
	set_limits(run, &options);
	options.chunking = run->is_chunked;
	const int descriptors = open_descriptors();
	const size_t memory = hostile_memory_mark();
	struct hostile_server *server = hostile_server_new(&where);
	struct smtp *session = smtp_new(&options);
	const int err =
	    open_and_send(session, hostile_server_host(server), run);
	check_result(session, err, &wanted, run);
	if (smtp_nresults(session) > 0)
		check_results(session, &wanted, run);
	check_rest(session, &wanted, run);
	hostile_expect_memory(memory,
	    MEMORY_MAX + (run->stage == HOSTILE_CONTENT ? BIG : 0), run->name);
	smtp_free(session);
	check_server(server, &wanted, run);
	hostile_server_free(server);
	cr_expect_eq(open_descriptors(), descriptors, "%s", run->name);
}

/* Some mean nothing there. */
static bool
is_run(const struct run *run)
{
	const struct hostile_act *act = run->act;

	if (!hostile_act_fits(act, run->stage, run->channel))
		return false;
	/* It may come before the connection is seen to be there. */
	if (run->stage == HOSTILE_GREETING && act->then == HOSTILE_RESET &&
	    run->channel != HOSTILE_TLS_IMPLICIT)
		return false;
	/* The limits alone take their time. */
	if (act->expects == HOSTILE_LATE && run->is_pipelined)
		return false;
	/* Chunks matter where there is content, and are one reply. */
	if (run->is_chunked &&
	    (HOSTILE_BIT(run->stage) &
		(HOSTILE_BIT(HOSTILE_MAIL) | HOSTILE_BIT(HOSTILE_RCPT) |
		    HOSTILE_BIT(HOSTILE_END))) == 0)
		return false;
	/* It is taken for the reply to the chunk: nobody can tell. */
	if (goes_along(run) && act->expects == HOSTILE_DESYNC)
		return false;
	return act->keywords == NULL ||
	    (!run->is_pipelined && !run->is_chunked);
}

static void
try_stage(struct hostile_scene *scene, enum hostile_stage stage)
{
	for (const struct hostile_act *act = hostile_acts; act->name != NULL;
	     act++)
		for (unsigned i = 0; i < 4 * HOSTILE_CHANNEL_COUNT; i++) {
			struct run run = {act, stage,
			    (enum hostile_channel)(i / 4), i % 2 == 1,
			    i / 2 % 2 == 1, ""};
			if (is_run(&run))
				try_run(scene, &run);
		}
}

static void
try_stages(enum hostile_stage first, enum hostile_stage last)
{
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (enum hostile_stage stage = first; stage <= last; stage++)
		try_stage(&scene, stage);
	hostile_scene_clear(&scene);
}

Test(hostile, at_the_greeting)
{
	try_stages(HOSTILE_GREETING, HOSTILE_GREETING);
}

Test(hostile, at_EHLO)
{
	try_stages(HOSTILE_CLEAR_EHLO, HOSTILE_HELO);
}

Test(hostile, at_STARTTLS)
{
	try_stages(HOSTILE_STARTTLS, HOSTILE_HANDSHAKE);
}

Test(hostile, at_AUTH)
{
	try_stages(HOSTILE_AUTH, HOSTILE_CANCEL);
}

Test(hostile, at_MAIL_and_RCPT)
{
	try_stages(HOSTILE_MAIL, HOSTILE_RCPT);
}

Test(hostile, at_DATA_and_in_the_content)
{
	try_stages(HOSTILE_DATA, HOSTILE_CONTENT);
}

Test(hostile, behind_the_dot)
{
	try_stages(HOSTILE_END, HOSTILE_END);
}

Test(hostile, between_mails)
{
	try_stages(HOSTILE_RSET, HOSTILE_QUIT);
}
