/* Content on disk where the disk is full, and functions that give up. */
#include "lib/library_scene.h"
#include "lib/smtp_content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define OK        "S:250 ok\n"
#define MAIL      "C:mail from:<x@y>\n" OK
#define RCPT(who) "C:rcpt to:<" who ">\n" OK
#define NOOP      "C:noop\nS:250 ok\n"

static const char *const two[] = {"a@y", "b@y", NULL};

#define LINE     "gr\xc3\xbcn, gr\xc3\xbcn, gr\xc3\xbcn\n"
#define LINE_LEN (sizeof(LINE) - 1)

struct source {
	size_t left;         /* octets */
	struct smtp *closes; /* or NULL */
};

static int64_t
read_lines(void *arg, void *buf, size_t cap)
{
	struct source *source = arg;
	size_t len = 0;

	for (; source->left > 0 && len < cap; source->left--)
		((char *)buf)[len++] =
		    LINE[LINE_LEN - 1 - (source->left - 1) % LINE_LEN];
	if (source->closes != NULL)
		smtp_close(source->closes);
	return (int64_t)len;
}

static int
send_lines(struct smtp *session, size_t lines, bool closes)
{
	struct source source = {
	    .left = lines * LINE_LEN, .closes = closes ? session : NULL};

	return smtp_sendmail_fn(session, "x@y", two, read_lines, &source, 0,
	    SMTP_SEND_8BIT, NULL, NULL);
}

/* As on a full disk: who gets it now does not need the file, but there is no
 * second time. */
Test(spool, that_is_full_keeps_nobody_from_his_mail)
{
	struct source source = {.left = 20000 * LINE_LEN};
	struct smtp_content content;
	struct bytes stretch = BYTES_NONE;
	bool is_last = false;
	size_t len = 0;
	struct error error;

	smtp_content_of_function(
	    &content, read_lines, &source, 0, SMTP_SEND_8BIT);
	cr_assert(smtp_content_keep(&content, &error));
	const int unwritable = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(dup2(unwritable, content.spool.fd), content.spool.fd);
	while (!is_last) {
		cr_assert(
		    smtp_content_next(&content, &stretch, &is_last, &error));
		len += stretch.len;
	}
	cr_expect_eq(len, 20000 * LINE_LEN);
	cr_expect_not(smtp_content_restart(&content));
	smtp_content_clear(&content);
	close(unwritable);
}

Test(spool, may_be_nowhere)
{
	const struct smtp_options options = {.convert_8bit = 1};
	struct library_scene scene;

	setenv("TMPDIR", "/nonexistent", 1);
	library_scene_init(&scene, GREETING EHLO NOOP, &options);
	cr_expect_eq(send_lines(scene.session, 10, false), SMTP_E_OS);
	cr_expect_eq(smtp_last_errno(scene.session), ENOENT);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* A message that its source gives up has no end. */
Test(spool, is_not_needed_where_the_source_closes)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-8BITMIME\n") MAIL RCPT("a@y")
		RCPT("b@y") "C:data\nS:354 go\nD\n",
	    NULL);
	cr_expect_eq(
	    send_lines(scene.session, 20000, true), SMTP_E_DISCONNECTED);
	cr_expect_not(smtp_connected(scene.session));
	cr_expect_neq(smtp_last_class(scene.session), SMTP_C_OK);
	for (size_t i = 0; i < 2; i++)
		cr_expect_neq(
		    smtp_result_at(scene.session, i)->stage, SMTP_S_DOT);
	cr_expect_null(strstr(library_scene_heard(&scene), "\r\n.\r\n"));
	library_scene_clear(&scene);
}
