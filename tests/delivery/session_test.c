#include "lib/delivery_world.h"
#include "lib/loop_until.h"
#include "lib/scratch_folder.h"
#include "lib/tls_authority.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTENT "Subject: x\r\n\r\nhello\r\n"
#define TAKEN   "a@y delivered 2.0.0\n"
#define FAILED  "upstream failed\na@y untried\n"

/* The server has a certificate for names; the client believes the authority. */
static struct tls_authority *
use_tls(struct delivery_world *world, enum upstream_tls tls, const char *names)
{
	struct tls_authority *authority = tls_authority_new();

	world->fake_options.certificate =
	    tls_authority_issue_for(authority, names);
	world->fake_options.implicit_tls = tls == UPSTREAM_TLS_IMPLICIT;
	world->options.tls = tls;
	world->options.tls_options = (struct tls_client_options){
	    .ca = tls_authority_path(authority),
	    .version_min = 12,
	};
	return authority;
}

/* ---- TLS ---- */

static const struct tls_row {
	enum upstream_tls tls;
	const char *names;    /* of the certificate */
	const char *tls_name; /* wanted */
	const char *outcome;
} tls_rows[] = {
    {UPSTREAM_TLS_STARTTLS, "IP:127.0.0.1", NULL, TAKEN},
    {UPSTREAM_TLS_STARTTLS, "DNS:mx.example", "mx.example", TAKEN},
    {UPSTREAM_TLS_STARTTLS, "DNS:other.example", "mx.example", FAILED},
    {UPSTREAM_TLS_IMPLICIT, "IP:127.0.0.1", NULL, TAKEN},
    {UPSTREAM_TLS_IMPLICIT, "IP:127.0.0.2", NULL, FAILED},
    {UPSTREAM_TLS_OPPORTUNISTIC, "IP:127.0.0.1", NULL, TAKEN},
};

Test(session, is_secured_or_fails)
{
	for (size_t i = 0; i < sizeof(tls_rows) / sizeof(tls_rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		struct tls_authority *authority =
		    use_tls(&world, tls_rows[i].tls, tls_rows[i].names);
		world.options.tls_name = tls_rows[i].tls_name;
		world.fake_options.mechanisms = "PLAIN";
		world.options.user = "u";
		world.options.password = "p";
		delivery_world_open(&world);
		struct delivery_try *try =
		    delivery_world_try(&world, "a@y", CONTENT);
		delivery_world_expect(try, tls_rows[i].outcome);
		/* No credentials, no mail before the certificate is good. */
		if (strcmp(tls_rows[i].outcome, FAILED) == 0) {
			const char *said = fake_upstream_transcript(world.fake);
			cr_expect_null(
			    strstr(said, "AUTH"), "%zu: %s", i, said);
			cr_expect_null(
			    strstr(said, "MAIL"), "%zu: %s", i, said);
			cr_expect_not_null(strstr(try->result.reason, "TLS"),
			    "%zu: %s", i, try->result.reason);
		}
		delivery_world_clear(&world);
		tls_authority_free(authority);
	}
}

Test(session, never_goes_on_in_clear_where_TLS_is_required)
{
	static const struct {
		enum fake_stage stage;
		const char *reply; /* NULL: it is not even offered */
	} rows[] = {
	    {FAKE_STARTTLS, NULL},
	    {FAKE_STARTTLS, "454 4.7.0 not now"},
	    {FAKE_STARTTLS, "501 5.5.4 no"},
	    {FAKE_STARTTLS, "cut"},
	    {FAKE_STARTTLS, "220 go\r\n250-evil\r\n250 AUTH PLAIN"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		struct tls_authority *authority =
		    use_tls(&world, UPSTREAM_TLS_STARTTLS, "IP:127.0.0.1");
		world.fake_options.mechanisms = "PLAIN";
		world.options.user = "u";
		world.options.password = "p";
		if (rows[i].reply == NULL)
			world.fake_options.certificate = NULL;
		delivery_world_open(&world);
		if (rows[i].reply != NULL)
			fake_upstream_say(
			    world.fake, rows[i].stage, rows[i].reply);
		struct delivery_try *try =
		    delivery_world_try(&world, "a@y", CONTENT);
		delivery_world_expect(try, FAILED);
		const char *said = fake_upstream_transcript(world.fake);
		cr_expect_null(strstr(said, "AUTH"), "%zu: %s", i, said);
		cr_expect_null(strstr(said, "MAIL"), "%zu: %s", i, said);
		delivery_world_clear(&world);
		tls_authority_free(authority);
	}
}

Test(session, goes_on_in_clear_where_TLS_is_only_welcome)
{
	static const struct {
		const char *names; /* NULL: STARTTLS is not offered */
		const char *reply;
		unsigned sessions;
	} rows[] = {
	    {NULL, NULL, 1},
	    {"IP:127.0.0.1", "454 4.7.0 not now", 2},
	    {"IP:127.0.0.9", NULL, 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		struct tls_authority *authority =
		    use_tls(&world, UPSTREAM_TLS_OPPORTUNISTIC,
			rows[i].names != NULL ? rows[i].names : "IP:127.0.0.1");
		if (rows[i].names == NULL)
			world.fake_options.certificate = NULL;
		delivery_world_open(&world);
		if (rows[i].reply != NULL)
			fake_upstream_say(
			    world.fake, FAKE_STARTTLS, rows[i].reply);
		delivery_world_expect(
		    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
		cr_expect_leq(fake_upstream_sessions(world.fake),
		    rows[i].sessions, "%zu", i);
		delivery_world_clear(&world);
		tls_authority_free(authority);
	}
}

Test(session, cannot_be_made_without_its_files)
{
	struct loop *loop = loop_new();
	const struct upstream_options options = {
	    .name = "main",
	    .host = "127.0.0.1",
	    .tls = UPSTREAM_TLS_STARTTLS,
	    .tls_options = {.ca = "/nowhere/ca.pem", .version_min = 12},
	};
	struct delivery *delivery = NULL;
	struct error error;

	cr_expect_not(delivery_new(loop, &options, 1, &delivery, &error));
	cr_expect_not_null(
	    strstr(error_text(&error), "upstream main: "), "%s", error.text);
	cr_expect_not_null(strstr(error_text(&error), "/nowhere/ca.pem"));
	cr_expect_null(delivery);
	loop_free(loop);
}

/* ---- AUTH ---- */

static const struct auth_row {
	const char *offered;
	const char *allowed;
	bool in_clear;
	const char *reply;
	const char *outcome;
	const char *said; /* part of the transcript */
} auth_rows[] = {
    {"PLAIN LOGIN", NULL, true, NULL, TAKEN, "1 AUTH PLAIN AHUAcA=="},
    {"PLAIN LOGIN", "LOGIN", true, NULL, TAKEN, "1 cA=="},
    {"LOGIN", NULL, true, NULL, TAKEN, "1 AUTH LOGIN"},
    {"PLAIN", NULL, true, "535 5.7.8 wrong", FAILED, "1 AUTH PLAIN"},
    {"PLAIN", NULL, true, "454 4.7.0 later", FAILED, "1 AUTH PLAIN"},
    {"PLAIN", NULL, true, "421 4.3.2 bye", FAILED, "1 AUTH PLAIN"},
    {"PLAIN", NULL, true, "cut", FAILED, "1 AUTH PLAIN"},
    {"PLAIN", NULL, true, "garbage", FAILED, "1 AUTH PLAIN"},
    {"PLAIN", NULL, false, NULL, FAILED, "1 EHLO"},
    {"NTLM", NULL, true, NULL, FAILED, "1 EHLO"},
    {NULL, NULL, true, NULL, FAILED, "1 EHLO"},
};

Test(session, logs_in_or_fails)
{
	for (size_t i = 0; i < sizeof(auth_rows) / sizeof(auth_rows[0]); i++) {
		const struct auth_row *row = &auth_rows[i];
		struct delivery_world world;
		delivery_world_init(&world);
		world.fake_options.mechanisms = row->offered;
		world.options.user = "u";
		world.options.password = "p";
		world.options.mechanisms = row->allowed;
		world.options.auth_in_clear = row->in_clear;
		delivery_world_open(&world);
		if (row->reply != NULL)
			fake_upstream_say(world.fake, FAKE_AUTH, row->reply);
		struct delivery_try *try =
		    delivery_world_try(&world, "a@y", CONTENT);
		delivery_world_wait(try);
		cr_expect_str_eq(delivery_world_outcome(try), row->outcome,
		    "%zu: %s", i, try->result.reason);
		const char *said = fake_upstream_transcript(world.fake);
		cr_expect_not_null(strstr(said, row->said), "%zu: %s", i, said);
		if (strcmp(row->outcome, FAILED) == 0)
			cr_expect_null(strstr(said, "MAIL"), "%zu", i);
		delivery_world_clear(&world);
	}
}

/* I8: no storm of logins against a lock-out. */
Test(session, with_a_wrong_password_is_tried_once_for_all)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.mechanisms = "PLAIN";
	world.options.user = "u";
	world.options.password = "p";
	world.options.auth_in_clear = true;
	world.options.connections = 10;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_AUTH, "535 5.7.8 wrong");
	for (int i = 0; i < 20; i++)
		(void)delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_wait_all(&world);
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_AUTH), 1);
	for (size_t i = 0; i < world.try_count; i++) {
		cr_expect(world.tries[i].result.upstream_failed);
		cr_expect_str_eq(world.tries[i].result.reason,
		    "535 5.7.8 wrong (in reply to AUTH)");
	}
	delivery_world_clear(&world);
}

/* ---- where to ---- */

Test(session, goes_to_a_unix_socket)
{
	struct delivery_world world;
	char *folder = scratch_folder_new();
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/lmtp", folder);
	delivery_world_init(&world);
	world.fake_options.socket = path;
	world.fake_options.lmtp = true;
	world.options.transport = UPSTREAM_LMTP;
	world.options.host = NULL;
	world.options.socket = path;
	world.options.tls = UPSTREAM_TLS_STARTTLS; /* means nothing here */
	delivery_world_open(&world);
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(try, TAKEN);
	cr_expect_not_null(strstr(try->result.remote, path));
	fake_upstream_close(world.fake);
	fake_upstream_cut(world.fake);
	struct delivery_try *second =
	    delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(second, FAILED);
	delivery_world_clear(&world);
	scratch_folder_remove(folder);
}

Test(session, comes_from_the_address_it_is_told)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.source = "127.0.0.2";
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	delivery_world_clear(&world);

	delivery_world_init(&world);
	world.options.source = "192.0.2.1"; /* not ours */
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), FAILED);
	delivery_world_clear(&world);
}

Test(session, speaks_HELO_to_an_old_server)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO, "502 what?");
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_HELO), 1);
	cr_expect_str_eq(fake_upstream_message(world.fake, 0)->mail,
	    "MAIL FROM:<from@x.example>");
	delivery_world_clear(&world);
}

/* However the server drips, a message does not take for ever. */
Test(session, ends_where_the_server_is_too_slow)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.order_ms = 20;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_END, "hang");
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(try, "in doubt\na@y waiting 4.4.2\n");
	cr_expect_not_null(
	    strstr(try->message->progress.recipients[0].reason, "too slow"));
	/* An idle session is not under its spell. */
	fake_upstream_forget_rules(world.fake);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	loop_until_quiet(world.loop);
	cr_expect_eq(fake_upstream_open(world.fake), 1);
	delivery_world_clear(&world);
}
