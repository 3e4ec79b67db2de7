/*
 * sendmail run as a process of its own, with an SMTP intake to talk to, or
 * none, and a drop directory.
 */
#pragma once

#include "lib/intake_scene.h"
#include "net/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sendmail_scene {
	struct intake_scene intake;
	struct listener *listener; /* NULL: nobody listens */
	char socket[128];
	char drop[128];
	char admin[128]; /* where an admin socket would be */
	char login[64];  /* of who runs the test; his name is "Me" */

	/* Of the last run. */
	int status;   /* exit status; 128 + signal where it was killed */
	char *output; /* stdout and stderr, texts of the scene's */
	char *errors;

	mode_t dropped_mode; /* of the file sendmail_scene_dropped() found */
};

void sendmail_scene_init(struct sendmail_scene *scene);
void sendmail_scene_clear(struct sendmail_scene *scene);
/* Nobody listens any more; what was accepted stays. */
void sendmail_scene_stop(struct sendmail_scene *scene);

/* What the child does instead of sendmail_run(), or before it. */
typedef void sendmail_scene_fn(void);

/*
 * Run sendmail with a command line (words between blanks; '' is an empty one,
 * quotes hold blanks together) and input on its standard input.  prepare: run
 * in the child first, or NULL.
 */
void sendmail_scene_run(struct sendmail_scene *scene, const char *command_line,
    struct bytes input, sendmail_scene_fn *prepare);

/* "sender>recipient,recipient" of message index, or "". */
const char *sendmail_scene_envelope(
    const struct sendmail_scene *scene, size_t index);
/* The only file of the drop directory that is not hidden, a text of the
 * caller's; NULL where there is none.  Hidden ones fail the test. */
char *sendmail_scene_dropped(struct sendmail_scene *scene);
/* How many there are. */
size_t sendmail_scene_dropped_files(const struct sendmail_scene *scene);
