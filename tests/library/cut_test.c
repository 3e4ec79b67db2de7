/*
 * The connection ends at every octet of a session, in both directions: in
 * clear, within TLS behind STARTTLS, within implicit TLS; and at octets of what
 * TLS makes of it.
 */
#include "lib/cut_relay.h"
#include "lib/hostile_scene.h"
#include "lib/library_scene.h"

#include <stdio.h>

#define LETTER                                                                 \
	"C:mail\nS:250 ok\nC:rcpt\nS:250 ok\nC:data\nS:354 go\nD\n"            \
	"S:250 taken\nC:quit\nS:221 bye\n"
#define PLAIN "S:220 mx\nC:ehlo\nS:250-mx\nS:250 SIZE\n" LETTER
#define STARTED                                                                \
	"S:220 mx\nC:ehlo\nS:250-mx\nS:250 STARTTLS\nC:STARTTLS\nS:220 go\n"   \
	"T\nC:ehlo\nS:250-mx\nS:250 SIZE\n" LETTER

/* What the server says up to where something changes; from one to the next a
 * cut means the same. */
enum point {
	POINT_GREETED, /* a mail is begun now */
	POINT_ASKED,   /* 354 */
	POINT_TAKEN,
	POINT_COUNT
};

struct channel {
	const char *name;
	const char *script;
	const char *said; /* all that the server says */
	enum hostile_channel channel;
};

static const struct channel channels[] = {
    {"in clear", PLAIN,
	"220 mx\r\n250-mx\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n354 go\r\n"
	"250 taken\r\n221 bye\r\n",
	HOSTILE_PLAIN},
    {"STARTTLS", STARTED,
	"220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n250-mx\r\n250 SIZE\r\n"
	"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n221 bye\r\n",
	HOSTILE_TLS_STARTED},
    {"implicit TLS", "T\n" PLAIN,
	"220 mx\r\n250-mx\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n354 go\r\n"
	"250 taken\r\n221 bye\r\n",
	HOSTILE_TLS_IMPLICIT},
};

#define CHANNELS (sizeof(channels) / sizeof(channels[0]))

static size_t
said_until(const struct channel *channel, enum point point)
{
	static const char *const marks[POINT_COUNT] = {
	    [POINT_GREETED] = "250 SIZE\r\n",
	    [POINT_ASKED] = "354 go\r\n",
	    [POINT_TAKEN] = "250 taken\r\n",
	};
	const char *found = strstr(channel->said, marks[point]);

	return (size_t)(found - channel->said) + strlen(marks[point]);
}

/* ---- one session ---- */

struct outcome {
	int err;
	enum smtp_class cls;
	enum smtp_stage stage;
	bool in_doubt;
	bool is_told; /* in words, where it failed */
};

static int
send_letter(struct smtp *session, const char *host)
{
	static const char *const to[] = {"a@y", NULL};
	const int err = smtp_connect(session, host, NULL);

	if (err != SMTP_OK)
		return err;
	return smtp_sendmail(session, "x@y", to, "hi\n.\n", 5, 1, NULL, NULL);
}

static struct outcome
outcome_of(struct smtp *session, const char *host)
{
	struct outcome outcome = {.err = send_letter(session, host)};
	const char *why = smtp_last_errmsg(session);

	outcome.cls = smtp_last_class(session);
	outcome.stage = smtp_last_stage(session);
	outcome.in_doubt = strstr(why, "may have been delivered") != NULL;
	outcome.is_told = why[0] != '\0';
	if (outcome.err == SMTP_OK)
		(void)smtp_quit(session);
	return outcome;
}

static struct outcome
run(const struct hostile_scene *hostile, const struct channel *channel,
    struct script_options server, struct library_scene *scene)
{
	const struct smtp_options options =
	    hostile_scene_options(hostile, channel->channel);

	server.certificate = hostile->certificate;
	server.is_strict = true;
	library_scene_begin(scene, channel->script, &options, &server);
	return outcome_of(scene->session, script_server_host(scene->server));
}

/* Whatever the cut: never a refusal, never silent. */
static void
check_failure(const struct outcome *outcome, const char *name, size_t at)
{
	cr_expect_neq(outcome->cls, SMTP_C_OK, "%s, %zu", name, at);
	cr_expect_neq(outcome->cls, SMTP_C_PERM, "%s, %zu", name, at);
	cr_expect(outcome->is_told, "%s, %zu", name, at);
	cr_expect(
	    outcome->err == SMTP_E_DISCONNECTED || outcome->err == SMTP_E_TLS,
	    "%s, %zu: err %d", name, at, outcome->err);
	cr_expect_eq(outcome->cls,
	    outcome->stage <= SMTP_S_STARTTLS ? SMTP_C_CONN : SMTP_C_TEMP,
	    "%s, %zu: class %d at stage %d", name, at, (int)outcome->cls,
	    (int)outcome->stage);
	if (outcome->in_doubt)
		cr_expect_eq(outcome->stage, SMTP_S_DOT, "%s, %zu: stage %d",
		    name, at, (int)outcome->stage);
}

/* ---- what the server says ---- */

/* Behind the last octet of a reply the next command may be met by the end
 * before the reply is read: both are right. */
static bool
is_end_of_line(const struct channel *channel, size_t at)
{
	return at > 0 && channel->said[at - 1] == '\n';
}

static void
check_said(
    const struct channel *channel, const struct outcome *outcome, size_t max)
{
	const size_t taken = said_until(channel, POINT_TAKEN);
	const bool is_edge = is_end_of_line(channel, max);

	if (max > taken || (max == taken && outcome->err == SMTP_OK)) {
		cr_expect_eq(outcome->err, SMTP_OK, "%s, %zu: %d",
		    channel->name, max, outcome->err);
		return;
	}
	check_failure(outcome, channel->name, max);
	/* 354 was said: all of the content goes out at once. */
	if (max > said_until(channel, POINT_ASKED))
		cr_expect(outcome->in_doubt, "%s, %zu", channel->name, max);
	if (max < said_until(channel, POINT_ASKED))
		cr_expect_not(outcome->in_doubt, "%s, %zu", channel->name, max);
	if (!is_edge)
		cr_expect_eq(outcome->cls,
		    max > said_until(channel, POINT_GREETED) ? SMTP_C_TEMP
							     : SMTP_C_CONN,
		    "%s, %zu: %d", channel->name, max, (int)outcome->cls);
}

Test(cut, of_what_the_server_says_loses_and_doubles_nothing)
{
	struct hostile_scene hostile;

	hostile_scene_init(&hostile);
	for (size_t i = 0; i < CHANNELS; i++)
		for (size_t max = 1; max <= strlen(channels[i].said); max++) {
			struct library_scene scene;
			const struct outcome outcome = run(&hostile,
			    &channels[i],
			    (struct script_options){.says_max = max}, &scene);
			check_said(&channels[i], &outcome, max);
			library_scene_clear(&scene);
		}
	hostile_scene_clear(&hostile);
}

/* ---- what the server hears ---- */

Test(cut, of_what_the_server_hears_is_never_success)
{
	struct hostile_scene hostile;

	hostile_scene_init(&hostile);
	for (size_t i = 0; i < CHANNELS; i++) {
		struct library_scene scene;
		/* How long it is, and where QUIT begins. */
		(void)run(
		    &hostile, &channels[i], (struct script_options){0}, &scene);
		const size_t taken =
		    strlen(library_scene_heard(&scene)) - strlen("quit\r\n");
		library_scene_clear(&scene);
		cr_assert_gt(taken, 60);
		for (size_t max = 1; max <= taken; max++) {
			const struct outcome outcome = run(&hostile,
			    &channels[i],
			    (struct script_options){.reads_max = max}, &scene);
			cr_expect_neq(outcome.err, SMTP_OK, "%s, %zu",
			    channels[i].name, max);
			check_failure(&outcome, channels[i].name, max);
			/* The whole content was read. */
			if (max == taken)
				cr_expect(
				    outcome.in_doubt, "%s", channels[i].name);
			library_scene_clear(&scene);
		}
	}
	hostile_scene_clear(&hostile);
}

/* ---- octets of TLS ---- */

/* Every octet of the last records, which say what is in doubt; of the rest
 * each so many. */
#define STRIDE 3
#define TAIL   160

/* A session through relay, which is cut after max octets (0: not). */
static struct outcome
run_relayed(const struct hostile_scene *hostile, const struct channel *channel,
    enum cut_way way, size_t max, size_t *out_passed, bool *out_taken)
{
	const struct smtp_options options =
	    hostile_scene_options(hostile, channel->channel);
	const struct script_options server = {
	    .certificate = hostile->certificate,
	    .is_cut = true,
	    .is_strict = true};
	struct library_scene scene;

	library_scene_begin(&scene, channel->script, &options, &server);
	struct cut_relay *relay =
	    cut_relay_new(script_server_host(scene.server), way, max);
	const struct outcome outcome =
	    outcome_of(scene.session, cut_relay_host(relay));
	smtp_close(scene.session);
	*out_passed = cut_relay_free(relay);
	*out_taken =
	    strstr(script_server_join(scene.server), "\r\n.\r\n") != NULL;
	library_scene_clear(&scene);
	return outcome;
}

static void
check_relayed(
    const struct outcome *outcome, bool is_read, const char *name, size_t max)
{
	if (outcome->err == SMTP_OK) {
		cr_expect(is_read, "%s, %zu: taken by nobody", name, max);
		return;
	}
	check_failure(outcome, name, max);
	/* What the server has read may be delivered. */
	if (is_read)
		cr_expect(outcome->in_doubt, "%s, %zu", name, max);
}

static void
cut_ciphertext(const struct hostile_scene *hostile,
    const struct channel *channel, enum cut_way way)
{
	size_t passed = 0;
	size_t whole = 0;
	size_t failures = 0;
	bool is_read = false;

	struct outcome outcome =
	    run_relayed(hostile, channel, way, 0, &whole, &is_read);
	cr_assert_eq(outcome.err, SMTP_OK, "%s", channel->name);
	cr_assert_gt(whole, 2 * TAIL);
	for (size_t max = 1; max < whole;
	     max += max + TAIL + STRIDE < whole ? STRIDE : 1) {
		outcome =
		    run_relayed(hostile, channel, way, max, &passed, &is_read);
		failures += outcome.err != SMTP_OK;
		check_relayed(&outcome, is_read, channel->name, max);
	}
	cr_expect_gt(
	    failures, whole / STRIDE / 2, "%s: %zu", channel->name, failures);
}

Test(cut, of_ciphertext_to_the_client)
{
	struct hostile_scene hostile;

	hostile_scene_init(&hostile);
	for (size_t i = 1; i < CHANNELS; i++)
		cut_ciphertext(&hostile, &channels[i], CUT_TO_CLIENT);
	hostile_scene_clear(&hostile);
}

Test(cut, of_ciphertext_to_the_server)
{
	struct hostile_scene hostile;

	hostile_scene_init(&hostile);
	for (size_t i = 1; i < CHANNELS; i++)
		cut_ciphertext(&hostile, &channels[i], CUT_TO_SERVER);
	hostile_scene_clear(&hostile);
}
