/* The customer's seed page (rows 0.1 to 0.6 of the protocol's list). */
#include "lib/library_scene.h"

#include <stdio.h>

static const char *const rnd[] = {"rnd@onego.ru", NULL};

/* Nine lines of cp1251 with LF: 270 octets, 279 with CRLF. */
static const char letter[] =
    "From: Student <student@mail.ru>\n"
    "To: rnd@onego.ru\n"
    "Subject: \xcf\xf0\xe8\xe2\xe5\xf2 \xe8\xe7 \xf3\xed\xe8\xe2\xe5\xf0\n"
    "MIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=windows-1251\n"
    "Content-Transfer-Encoding: 8bit\n"
    "X-Mailer: a script for the lesson on mail programs\n"
    "\n"
    "\xc7\xe4\xf0\xe0\xe2\xf1\xf2\xe2\xf3\xe9\xf2\xe5, \xec\xe8\xf0! "
    "..........................\n";

#define ONEGO GREETING EHLO_OF("S:250-SIZE\nS:250-8BITMIME\nS:250-ETRN\n")

/* Rows 0.1, 0.2 and 0.4: the verbs of Python 2 where asked for, the size on the
 * wire and not of the file, 8 bits declared. */
Test(seed, row_0_1_verbs_0_2_size_0_4_eight_bits)
{
	const struct smtp_options options = {.verbs = SMTP_VERB_SEED};
	struct library_scene scene;

	cr_assert_eq(strlen(letter), 270);
	library_scene_init(&scene,
	    ONEGO "C:mail FROM:<student@mail.ru> size=279 BODY=8BITMIME\r\n"
		  "S:250 2.1.0 ok\nC:rcpt TO:<rnd@onego.ru>\r\nS:250 2.1.5 ok\n"
		  "C:data\r\nS:354 go\nD\nS:250 2.0.0 ok\n",
	    &options);
	cr_expect_eq(smtp_sendmail(scene.session, "student@mail.ru", rnd,
			 letter, strlen(letter), 1, NULL, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
}

static size_t
count_bare(const char *text)
{
	size_t count = 0;

	for (size_t i = 0; text[i] != '\0'; i++)
		count += text[i] == '\n' && (i == 0 || text[i - 1] != '\r');
	return count;
}

/* Row 0.3: bare line ends go out only where they are asked for. */
Test(seed, row_0_3_line_ends)
{
	static const struct {
		int raw_eol;
		int fix_eol;
		size_t bare;
		const char *size;
	} rows[] = {
	    {0, 0, 0, "size=279"},
	    {0, 1, 0, "size=279"},
	    {1, 1, 0, "size=279"},
	    {1, 0, 9, "size=270"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct smtp_options options = {
		    .raw_eol = rows[i].raw_eol};
		const struct script_options where = {
		    .allowed = rows[i].bare > 0 ? ~0U : 0};
		struct library_scene scene;
		library_scene_begin(&scene,
		    ONEGO "C:mail\nS:250 ok\nC:rcpt\nS:250 ok\nC:data\n"
			  "S:354 go\nD\nS:250 ok\n",
		    &options, &where);
		cr_assert_eq(smtp_connect(scene.session,
				 script_server_host(scene.server), NULL),
		    SMTP_OK);
		cr_expect_eq(
		    smtp_sendmail(scene.session, "student@mail.ru", rnd, letter,
			strlen(letter), rows[i].fix_eol, NULL, NULL),
		    SMTP_OK);
		const char *heard = library_scene_heard(&scene);
		cr_expect_eq(count_bare(heard), rows[i].bare, "%zu", i);
		cr_expect_not_null(strstr(heard, rows[i].size), "%zu", i);
		library_scene_clear(&scene);
	}
}

static void
keep_line(void *arg, const char *line)
{
	char *all = arg;
	const size_t len = strlen(all);

	(void)snprintf(all + len, 4096 - len, "%s\n", line);
}

/* Rows 0.5 and 0.6: docmd() never greets, and the blank of the page's "' 354"
 * is a slip of the page. */
Test(seed, row_0_5_no_blank_0_6_etrn_without_ehlo)
{
	static char all[4096];
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:ETRN rnd.abcde.ru\r\n"
		     "S:250 2.0.0 Queuing for node rnd.abcde.ru started\n"
		     "C:data\r\nS:354 Enter mail\nD\nS:250 ok\n",
	    NULL);
	smtp_set_debug(scene.session, 1, keep_line, all);
	cr_expect_eq(
	    smtp_docmd(scene.session, "ETRN rnd.abcde.ru", NULL), SMTP_OK);
	cr_expect_eq(smtp_data(scene.session, "x\n", 2, 1), SMTP_OK);
	const char *etrn =
	    "send: 'ETRN rnd.abcde.ru\\r\\n'\n"
	    "reply: '250 2.0.0 Queuing for node rnd.abcde.ru started\\r\\n'\n"
	    "reply: retcode (250); Msg: 2.0.0 Queuing for node rnd.abcde.ru "
	    "started\n";
	cr_expect_eq(strncmp(all, etrn, strlen(etrn)), 0, "%s", all);
	cr_expect_not_null(strstr(all, "reply: '354 Enter mail\\r\\n'\n"));
	library_scene_clear(&scene);
}

/* Row 15: what smtplib's "with" does at its end, in two calls: QUIT, where a
 * reply other than 221 and a lost connection can be told; and free, which is
 * silent. */
Test(seed, row_15_with)
{
	static const struct {
		const char *quit;
		int err;
		int code;
	} rows[] = {
	    {"C:quit\nS:221 bye\n", SMTP_OK, 221},
	    {"C:quit\nS:421 later\n", SMTP_OK, 421},
	    {"C:quit\nS:500 what\n", SMTP_OK, 500},
	    {"C:quit\nX\n", SMTP_E_DISCONNECTED, -1},
	};
	char script[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct library_scene scene;
		(void)snprintf(
		    script, sizeof(script), GREETING "%s", rows[i].quit);
		library_scene_init(&scene, script, NULL);
		cr_expect_eq(smtp_quit(scene.session), rows[i].err, "%zu", i);
		cr_expect_eq(
		    smtp_last_code(scene.session), rows[i].code, "%zu", i);
		cr_expect_not(smtp_connected(scene.session));
		library_scene_clear(&scene);
	}
}
