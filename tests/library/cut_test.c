/* The connection ends at every octet of a session, in both directions. */
#include "lib/library_scene.h"
#include "lib/tls_authority.h"

#include <stdio.h>

#define SESSION                                                                \
	"S:220 mx\nC:ehlo\nS:250-mx\nS:250 SIZE\nC:mail\nS:250 ok\nC:rcpt\n"   \
	"S:250 ok\nC:data\nS:354 go\nD\nS:250 taken\nC:quit\nS:221 bye\n"

/* What came of one session. */
struct outcome {
	int connected;
	int sent;
	enum smtp_class cls;
	bool is_sure; /* not: it may have been taken */
};

static struct outcome
run(struct library_scene *scene, const struct script_options *server)
{
	static const char *const to[] = {"a@y", NULL};
	struct outcome outcome = {.sent = SMTP_E_DISCONNECTED, .is_sure = true};

	library_scene_begin(scene, SESSION, NULL, server);
	struct smtp *session = scene->session;
	outcome.connected =
	    smtp_connect(session, script_server_host(scene->server), NULL);
	outcome.cls = smtp_last_class(session);
	if (outcome.connected != SMTP_OK)
		return outcome;
	outcome.sent =
	    smtp_sendmail(session, "x@y", to, "hi\n.\n", 5, 1, NULL, NULL);
	outcome.cls = smtp_last_class(session);
	outcome.is_sure = strstr(smtp_last_errmsg(session),
			      "may have been delivered") == NULL;
	if (outcome.sent == SMTP_OK)
		(void)smtp_quit(session);
	return outcome;
}

/* Octets of SESSION that the server says up to and with text. */
static size_t
said_until(const char *text)
{
	static const char all[] =
	    "220 mx\r\n250-mx\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n354 go\r\n"
	    "250 taken\r\n221 bye\r\n";

	return (size_t)(strstr(all, text) - all) + strlen(text);
}

Test(cut, of_what_the_server_says_loses_and_doubles_nothing)
{
	const size_t taken = said_until("250 taken\r\n");
	const size_t greeted = said_until("250 SIZE\r\n");
	const size_t asked = said_until("354 go\r\n");

	for (size_t max = 1; max <= said_until("221 bye\r\n"); max++) {
		const struct script_options cut = {.says_max = max};
		struct library_scene scene;
		const struct outcome outcome = run(&scene, &cut);
		const int wanted = max >= taken ? SMTP_OK : SMTP_E_DISCONNECTED;
		const enum smtp_class cls = max >= taken ? SMTP_C_OK
		    : max >= greeted                     ? SMTP_C_TEMP
							 : SMTP_C_CONN;
		const bool is_near = max == taken || max == asked ||
		    max == greeted || max == said_until("220 mx\r\n") ||
		    max == said_until("250 ok\r\n") ||
		    max == said_until("250 ok\r\n250 ok\r\n");
		/* A reset may overtake the last reply. */
		if (is_near && outcome.sent != wanted)
			cr_expect_eq(outcome.sent, SMTP_E_DISCONNECTED,
			    "%zu: %d", max, outcome.sent);
		else
			cr_expect_eq(
			    outcome.sent, wanted, "%zu: %d", max, outcome.sent);
		if (outcome.sent == wanted && !is_near)
			cr_expect_eq(
			    outcome.cls, cls, "%zu: %d", max, outcome.cls);
		if (outcome.sent != SMTP_OK && max > asked)
			cr_expect_not(outcome.is_sure, "%zu", max);
		if (max < asked)
			cr_expect(outcome.is_sure, "%zu", max);
		library_scene_clear(&scene);
	}
}

Test(cut, of_what_the_server_hears_is_never_success)
{
	struct library_scene scene;
	size_t taken = 0;

	/* How long it is, and where QUIT begins. */
	(void)run(&scene, NULL);
	taken = strlen(library_scene_heard(&scene)) - strlen("quit\r\n");
	library_scene_clear(&scene);
	for (size_t max = 1; max <= taken; max++) {
		const struct script_options cut = {.reads_max = max};
		const struct outcome outcome = run(&scene, &cut);
		cr_expect_neq(outcome.sent, SMTP_OK, "%zu", max);
		cr_expect_neq(outcome.cls, SMTP_C_OK, "%zu", max);
		cr_expect_neq(outcome.cls, SMTP_C_PERM, "%zu", max);
		library_scene_clear(&scene);
	}
}
