/*
 * Servers that are hard to reach, and TLS that is only welcome (threats: I14,
 * I3): the next address, an end in time, and no password in clear.
 */
#include "lib/dns_server.h"
#include "lib/hostile_acts.h"
#include "lib/hostile_scene.h"
#include "lib/loop_until.h"
#include "lib/smtp_session.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 20000
/* Longer than any limit set here, shorter than what a resolver waits. */
#define GUARD_MS 5000

static const char *const one[] = {"a@y", NULL};

/* ---- names and addresses ---- */

static const struct dns_server_row names[] = {
    {.name = "one.example", .a = {"127.0.0.1"}},
    {.name = "dead.example", .a = {"127.0.0.2", "127.0.0.3", "127.0.0.4"}},
    {.name = "some.example", .a = {"127.0.0.2", "127.0.0.3", "127.0.0.1"}},
    {.name = "both.example", .a = {"127.0.0.1"}, .aaaa = {"::1"}},
    {.name = "alias.example", .alias_of = "some.example"},
    {.name = "empty.example"},
    {.name = "fails.example", .manner = DNS_SERVER_FAILS},
    {.name = "lies.example", .manner = DNS_SERVER_LIES, .a = {"127.0.0.1"}},
    {.name = NULL},
};

static const struct {
	const char *name;
	int err;
} reaches[] = {
    {"one.example", SMTP_OK},
    {"some.example", SMTP_OK},
    {"both.example", SMTP_OK},
    {"alias.example", SMTP_OK},
    {"lies.example", SMTP_OK},
    {"dead.example", SMTP_E_OS},
    {"empty.example", SMTP_E_RESOLVE},
    {"fails.example", SMTP_E_RESOLVE},
    {"nobody.example", SMTP_E_RESOLVE},
};

/* A session that asks our name server. */
static struct smtp *
session_new(struct dns_server *dns, const struct smtp_options *options)
{
	struct smtp *session = smtp_new(options);
	struct error error;

	(void)smtp_set_timeout(session, PATIENCE_MS);
	cr_assert(resolver_new(session->loop, dns_server_address(dns),
		      &session->resolver, &error),
	    "%s", error_text(&error));
	return session;
}

Test(reach, goes_on_to_the_next_address)
{
	const struct hostile_options where = {.keywords = "SIZE"};
	struct dns_server *dns = dns_server_new(names);
	struct hostile_server *server = hostile_server_new(&where);
	const char *port = strchr(hostile_server_host(server), ':') + 1;
	unsigned taken = 0;

	for (size_t i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
		struct smtp *session = session_new(dns, NULL);
		int err = smtp_connect(session, reaches[i].name, port);
		cr_expect_eq(err, reaches[i].err, "%s: %d %s", reaches[i].name,
		    err, smtp_last_errmsg(session));
		if (err == SMTP_OK) {
			err = smtp_sendmail(
			    session, "x@y", one, "Hi\n", 3, 1, NULL, NULL);
			cr_expect_eq(err, SMTP_OK, "%s", reaches[i].name);
			(void)smtp_quit(session);
			taken++;
		} else {
			cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
			cr_expect_eq(smtp_last_stage(session), SMTP_S_CONNECT);
			cr_expect_neq(smtp_last_errmsg(session)[0], '\0');
		}
		smtp_free(session);
	}
	hostile_server_join(server);
	cr_expect_eq(hostile_server_taken(server), taken);
	cr_expect_str_empty(hostile_server_faults(server));
	hostile_server_free(server);
	dns_server_free(dns);
}

/* ---- TLS that is welcome ---- */

static const struct welcome {
	const char *name;
	enum hostile_stage stage;
	struct bytes says;
	int login; /* with PLAIN, before the mail */
} welcomes[] = {
    {"not offered", HOSTILE_CLEAR_EHLO, {"250-mx\r\n250 AUTH PLAIN\r\n", 24},
	SMTP_E_NOMECH},
    {"454", HOSTILE_STARTTLS, {"454 4.7.0 later\r\n", 17}, SMTP_E_NOMECH},
    {"501", HOSTILE_STARTTLS, {"501 5.5.4 no\r\n", 14}, SMTP_E_NOMECH},
    {"as it should be", HOSTILE_QUIT, {"221 bye\r\n", 9}, SMTP_OK},
};

static void
try_welcome(const struct hostile_scene *scene, const struct welcome *row)
{
	const struct hostile_act act = {.name = row->name, .says = row->says};
	const struct hostile_options where = {.act = &act,
	    .stage = row->stage,
	    .channel = HOSTILE_TLS_STARTED,
	    .certificate = scene->certificate,
	    .keywords = "SIZE\nAUTH PLAIN"};
	struct smtp_options options =
	    hostile_scene_options(scene, HOSTILE_TLS_STARTED);

	options.tls = SMTP_TLS_MAY;
	struct hostile_server *server = hostile_server_new(&where);
	struct smtp *session = smtp_new(&options);
	(void)smtp_set_timeout(session, PATIENCE_MS);
	cr_assert_eq(
	    smtp_connect(session, hostile_server_host(server), NULL), SMTP_OK);
	int err = smtp_login(session, "u", HOSTILE_PASSWORD, 1);
	cr_expect_eq(err, row->login, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	err = smtp_sendmail(session, "x@y", one, "Hi\n", 3, 1, NULL, NULL);
	cr_expect_eq(err, SMTP_OK, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_quit(session), SMTP_OK, "%s", row->name);
	smtp_free(session);
	hostile_server_join(server);
	const struct bytes clear = hostile_server_clear(server);
	cr_expect_eq(
	    bytes_search(clear, BYTES("AUTH")), clear.len, "%s", row->name);
	cr_expect_eq(hostile_server_taken(server), 1, "%s", row->name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", row->name,
	    hostile_server_faults(server));
	hostile_server_free(server);
}

Test(reach, shows_no_password_where_TLS_is_only_welcome)
{
	struct hostile_scene scene;

	hostile_scene_init(&scene);
	for (size_t i = 0; i < sizeof(welcomes) / sizeof(welcomes[0]); i++)
		try_welcome(&scene, &welcomes[i]);
	hostile_scene_clear(&scene);
}

/* ---- time ---- */

static const struct dns_server_row silent[] = {
    {.name = "silent.example", .manner = DNS_SERVER_IS_SILENT},
    {.name = NULL},
};

Test(reach, does_not_wait_for_a_name_server_for_ever)
{
	static const struct smtp_options limits[] = {
	    {.t_session = 100}, {.t_connect = 100}};
	struct dns_server *dns = dns_server_new(silent);

	for (size_t i = 0; i < 2; i++) {
		struct smtp *session = smtp_new(&limits[i]);
		struct error error;
		cr_assert(resolver_new(session->loop, dns_server_address(dns),
			      &session->resolver, &error),
		    "%s", error_text(&error));
		const int64_t begin = smtp_link_now(session);
		const int err = smtp_connect(session, "silent.example", "25");
		cr_expect(err == SMTP_E_TIMEOUT || err == SMTP_E_RESOLVE,
		    "%zu: %d", i, err);
		cr_expect_lt(smtp_link_now(session) - begin, GUARD_MS,
		    "%zu: %s", i, smtp_last_errmsg(session));
		cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
		smtp_free(session);
	}
	dns_server_free(dns);
}
