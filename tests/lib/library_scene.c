#include "lib/library_scene.h"

#include "lib/loop_until.h"
#include "lib/wire_watch.h"

void
library_scene_begin(struct library_scene *scene, const char *script,
    const struct smtp_options *options,
    const struct script_options *server_options)
{
	struct script_options where = {0};

	if (server_options != NULL)
		where = *server_options;
	/* Line ends as they are were asked for. */
	if (options != NULL && options->raw_eol)
		where.allowed |= WIRE_FAULT_BIT(WIRE_BARE_NEWLINE);
	scene->descriptors = open_descriptors();
	scene->server = script_server_new(script, &where);
	scene->session = smtp_new(options);
	cr_assert_not_null(scene->session);
}

void
library_scene_init(struct library_scene *scene, const char *script,
    const struct smtp_options *options)
{
	library_scene_begin(scene, script, options, NULL);
	const int err = smtp_connect(
	    scene->session, script_server_host(scene->server), NULL);
	cr_assert_eq(
	    err, SMTP_OK, "%d %s", err, smtp_last_errmsg(scene->session));
}

const char *
library_scene_heard(struct library_scene *scene)
{
	smtp_close(scene->session);
	return script_server_join(scene->server);
}

void
library_scene_clear(struct library_scene *scene)
{
	smtp_free(scene->session);
	script_server_free(scene->server);
	cr_expect_eq(open_descriptors(), scene->descriptors);
}
