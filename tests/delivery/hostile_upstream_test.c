/*
 * Deliveries to upstreams that are hostile, or broken: each act of
 * hostile_acts.h.  Threat I7: no fault of the upstream's bounces a mail, and
 * nothing counts as delivered that was not taken.
 */
#include "base/log.h"
#include "lib/delivery_world.h"
#include "lib/hostile_acts.h"
#include "lib/hostile_scene.h"
#include "lib/loop_until.h"
#include "lib/script_server.h"
#include "lib/wire_watch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_MS     40
#define BIG          ((size_t)8 * 1024 * 1024)
#define LOG_LINE_MAX 2048
#define LOG_MAX      ((size_t)1024 * 1024)

#define TAKEN    "a@y delivered 2.\nb@y delivered 2.\n"
#define UPSTREAM "upstream failed\na@y untried\nb@y untried\n"
#define AGAIN    "a@y waiting 4.\nb@y waiting 4.\n"
#define GIVEN_UP "a@y failed 5.\nb@y failed 5.\n"
#define DOUBT    "in doubt\n" AGAIN

struct run {
	const struct hostile_act *act;
	enum hostile_stage stage;
	enum hostile_channel channel;
	bool is_pipelined;
	char name[160];
};

/* ---- what is wanted: I7, the table ---- */

static const char *
by_code(const struct run *run)
{
	const int code = run->act->code;
	const bool is_setting = code >= 530 && code <= 538;

	if (run->stage == HOSTILE_MAIL && (is_setting || code == 421) &&
	    run->act->more.data == NULL)
		return UPSTREAM;
	return code / 100 == 5 && !is_setting ? GIVEN_UP : AGAIN;
}

/* No reply, or none that means something. */
static const char *
by_silence(const struct run *run)
{
	const bool is_told =
	    run->act->says.data == NULL || run->act->then == HOSTILE_FLUSH;

	if (run->stage == HOSTILE_MAIL && !is_told)
		return UPSTREAM;
	return run->stage == HOSTILE_END ? DOUBT : AGAIN;
}

static const char *
while_mailing(const struct run *run)
{
	switch (run->act->expects) {
	case HOSTILE_FINE:
	case HOSTILE_FINE_CUT:
		return TAKEN;
	case HOSTILE_REFUSED:
	case HOSTILE_SHUT:
		return by_code(run);
	case HOSTILE_DESYNC:
		return run->stage == HOSTILE_END ? TAKEN : AGAIN;
	case HOSTILE_NONSENSE:
	case HOSTILE_CUT_OFF:
	case HOSTILE_LATE:
	case HOSTILE_BAD_TLS:
	case HOSTILE_MISSING:
		return by_silence(run);
	}
	return TAKEN;
}

/* HELO is tried where EHLO is not known; and any 2yz greets. */
static bool
is_good_enough(const struct run *run)
{
	const int code = run->act->code;

	return (run->stage == HOSTILE_EHLO && code == 500) ||
	    (run->stage == HOSTILE_GREETING && code / 100 == 2);
}

static const char *
find_wanted(const struct run *run)
{
	const bool is_fine = run->act->expects <= HOSTILE_FINE_CUT;

	if (run->stage >= HOSTILE_MAIL)
		return while_mailing(run);
	return is_fine || is_good_enough(run) ? TAKEN : UPSTREAM;
}

/* ---- what comes ---- */

/* Of a status only the class. */
static char *
short_outcome(struct delivery_try *try)
{
	struct bytes rest = bytes_of(delivery_world_outcome(try));
	struct buffer text;

	buffer_init(&text, 4096);
	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		const size_t dot = bytes_index(line, '.');
		buffer_append(&text, bytes_first(line, dot + 1));
		buffer_append_char(&text, '\n');
	}
	char *copy = buffer_to_text(&text);
	buffer_clear(&text);
	return copy;
}

static void
set_limits(const struct run *run, int64_t *limits)
{
	static const enum smtp_phase phases[HOSTILE_STAGE_COUNT] = {
	    [HOSTILE_GREETING] = SMTP_PHASE_GREETING,
	    [HOSTILE_CLEAR_EHLO] = SMTP_PHASE_EHLO,
	    [HOSTILE_EHLO] = SMTP_PHASE_EHLO,
	    [HOSTILE_HELO] = SMTP_PHASE_HELO,
	    [HOSTILE_STARTTLS] = SMTP_PHASE_STARTTLS,
	    [HOSTILE_HANDSHAKE] = SMTP_PHASE_TLS,
	    [HOSTILE_AUTH] = SMTP_PHASE_AUTH,
	    [HOSTILE_CANCEL] = SMTP_PHASE_AUTH,
	    [HOSTILE_MAIL] = SMTP_PHASE_MAIL,
	    [HOSTILE_RCPT] = SMTP_PHASE_RCPT,
	    [HOSTILE_DATA] = SMTP_PHASE_DATA,
	    [HOSTILE_CONTENT] = SMTP_PHASE_CONTENT,
	    [HOSTILE_END] = SMTP_PHASE_END,
	};

	if (run->act->expects != HOSTILE_LATE)
		return;
	limits[phases[run->stage]] = SHORT_MS;
	if (run->act->then == HOSTILE_FLUSH)
		limits[SMTP_PHASE_RCPT] = SHORT_MS;
	if (run->act->more.data != NULL)
		for (int phase = SMTP_PHASE_EHLO; phase <= SMTP_PHASE_MAIL;
		     phase++)
			limits[phase] = 10 * SHORT_MS;
}

static void
open_world(struct delivery_world *world, const struct hostile_scene *scene,
    const struct run *run, const char *host)
{
	static const enum upstream_tls ways[HOSTILE_CHANNEL_COUNT] = {
	    [HOSTILE_PLAIN] = UPSTREAM_TLS_NONE,
	    [HOSTILE_TLS_STARTED] = UPSTREAM_TLS_STARTTLS,
	    [HOSTILE_TLS_IMPLICIT] = UPSTREAM_TLS_IMPLICIT,
	};

	delivery_world_init(world);
	world->options.port =
	    (unsigned)strtoul(strchr(host, ':') + 1, NULL, 10);
	world->options.pipelining = run->is_pipelined;
	world->options.tls = ways[run->channel];
	world->options.tls_options = (struct tls_client_options){
	    .ca = tls_authority_path(scene->authority),
	    .version_min = 12,
	};
	if (run->stage == HOSTILE_AUTH || run->stage == HOSTILE_CANCEL) {
		world->options.user = "u";
		world->options.password = HOSTILE_PASSWORD;
		world->options.auth_in_clear = run->channel == HOSTILE_PLAIN;
	}
	set_limits(run, world->options.timeout_ms);
	delivery_world_open(world);
}

static void
check_try(struct delivery_try *try, const char *wanted, const struct run *run)
{
	delivery_world_wait(try);
	char *outcome = short_outcome(try);
	cr_expect_str_eq(outcome, wanted, "%s: %s, not %s: %s", run->name,
	    outcome, wanted, try->result.reason);
	if (strcmp(wanted, UPSTREAM) == 0)
		cr_expect_neq(try->result.reason[0], '\0', "%s", run->name);
	for (const char *p = try->result.reason; *p != '\0'; p++)
		cr_expect(*p >= ' ' && *p <= '~', "%s: octet %02x", run->name,
		    (unsigned char)*p);
	free(outcome);
}

/* I10: what a peer says stays within its line, and can be shown anywhere. */
static void
check_log(struct buffer *log, const char *wanted, const struct run *run)
{
	struct bytes rest = buffer_bytes(log);

	cr_expect(rest.len > 0 || strcmp(wanted, UPSTREAM) == 0, "%s: no log",
	    run->name);

	while (rest.len > 0) {
		const struct bytes line = bytes_cut(&rest, '\n');
		bool is_printable = line.len <= LOG_LINE_MAX &&
		    !bytes_has_control(line) && bytes_is_ascii(line);
		cr_expect(is_printable, "%s: log: %.*s", run->name,
		    BYTES_ARGS(bytes_first(line, 100)));
	}
	cr_expect_not(log->overflowed, "%s", run->name);
	buffer_empty(log);
}

static void
check_server(
    struct hostile_server *server, const char *wanted, const struct run *run)
{
	const bool is_taken = strcmp(wanted, TAKEN) == 0;

	hostile_server_join(server);
	cr_expect_eq(hostile_server_taken(server) > 0, is_taken, "%s: taken %u",
	    run->name, hostile_server_taken(server));
	cr_expect_leq(hostile_server_taken(server), 1, "%s", run->name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", run->name,
	    hostile_server_faults(server));
	if (run->channel != HOSTILE_PLAIN)
		hostile_expect_secret(hostile_server_clear(server), run->name);
}

/* So large, for what happens in the midst, that it cannot be on its way. */
static char *
content_of(const struct run *run)
{
	static const char line[] = "a line of the content\r\n";
	const size_t len = strlen(line);
	const size_t count = run->stage == HOSTILE_CONTENT ? BIG / len : 1;
	char *content = malloc(count * len + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(content + i * len, line, len + 1);
	return content;
}

static void
try_run(const struct hostile_scene *scene, struct run *run, struct buffer *log)
{
	const char *wanted = find_wanted(run);
	const bool is_shy = strcmp(run->act->threat, "I11") == 0;
	struct hostile_options where = {
	    .act = run->act,
	    .stage = run->stage,
	    .channel = run->channel,
	    .certificate = scene->certificate,
	    .keywords = "PIPELINING\nSIZE 100000000\n8BITMIME\nAUTH PLAIN",
	    /* Sessions that idle are closed with the world. */
	    .allowed = WIRE_FAULT_BIT(WIRE_NO_QUIT),
	};
	struct delivery_world world;

	(void)snprintf(run->name, sizeof(run->name), "%s, %s, %s%s",
	    run->act->name, hostile_stage_name(run->stage),
	    hostile_channel_name(run->channel),
	    run->is_pipelined ? ", pipelined" : "");
	const int descriptors = open_descriptors();
	struct hostile_server *server = hostile_server_new(&where);
	open_world(&world, scene, run, hostile_server_host(server));
	char *content = content_of(run);
	check_try(delivery_world_try(&world, "a@y b@y", content), wanted, run);
	/* I11: the next one is not pipelined. */
	if (is_shy && run->is_pipelined) {
		check_try(
		    delivery_world_try(&world, "a@y b@y", content), TAKEN, run);
		wanted = TAKEN;
	}
	free(content);
	delivery_world_clear(&world);
	check_server(server, wanted, run);
	check_log(log, wanted, run);
	hostile_server_free(server);
	cr_expect_eq(open_descriptors(), descriptors, "%s", run->name);
}

static bool
is_run(const struct run *run)
{
	const struct hostile_act *act = run->act;
	const bool is_shy = strcmp(act->threat, "I11") == 0;

	if (!hostile_act_fits(act, run->stage, run->channel))
		return false;
	if (is_shy)
		return run->is_pipelined;
	/* The limits alone take their time. */
	return act->expects != HOSTILE_LATE || !run->is_pipelined;
}

static void
try_stages(enum hostile_stage first, enum hostile_stage last)
{
	struct hostile_scene scene;
	struct buffer log;

	buffer_init(&log, LOG_MAX);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_DEBUG, "test", &log);
	hostile_scene_init(&scene);
	for (enum hostile_stage stage = first; stage <= last; stage++)
		for (const struct hostile_act *act = hostile_acts;
		     act->name != NULL; act++)
			for (unsigned i = 0; i < 2 * HOSTILE_CHANNEL_COUNT;
			     i++) {
				struct run run = {act, stage,
				    (enum hostile_channel)(i / 2), i % 2 == 1,
				    ""};
				if (is_run(&run))
					try_run(&scene, &run, &log);
			}
	hostile_scene_clear(&scene);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_INFO, "test", NULL);
	buffer_clear(&log);
}

Test(hostile_upstream, from_the_greeting_to_EHLO)
{
	try_stages(HOSTILE_GREETING, HOSTILE_HELO);
}

Test(hostile_upstream, at_STARTTLS_and_AUTH)
{
	try_stages(HOSTILE_STARTTLS, HOSTILE_CANCEL);
}

Test(hostile_upstream, at_MAIL_and_RCPT)
{
	try_stages(HOSTILE_MAIL, HOSTILE_RCPT);
}

Test(hostile_upstream, at_DATA_and_in_the_content)
{
	try_stages(HOSTILE_DATA, HOSTILE_CONTENT);
}

Test(hostile_upstream, behind_the_dot)
{
	try_stages(HOSTILE_END, HOSTILE_END);
}

/* I5: also of a server that takes the rest of it as fast as it can. */
Test(hostile_upstream, never_delivers_by_a_reply_in_the_midst)
{
	static const char script[] =
	    "S:220 mx\nC:EHLO\nS:250 mx\nC:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\n"
	    "C:RCPT\nS:250 ok\nC:DATA\nS:354 go\nB65536\nS:250 ok\n";
	static const struct hostile_act act = {.expects = HOSTILE_NONSENSE};
	const struct run big = {.act = &act, .stage = HOSTILE_CONTENT};
	struct script_server *server = script_server_new(script, NULL);
	struct hostile_scene scene;
	struct delivery_world world;

	hostile_scene_init(&scene);
	open_world(&world, &scene, &big, script_server_host(server));
	char *content = content_of(&big);
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y", content);
	delivery_world_wait(try);
	char *outcome = short_outcome(try);
	cr_expect_str_eq(outcome, AGAIN, "%s: %s", outcome, try->result.reason);
	free(outcome);
	free(content);
	delivery_world_clear(&world);
	hostile_scene_clear(&scene);
	script_server_free(server);
}
