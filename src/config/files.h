/*
 * Where settings come from: the main file, the files *.conf of conf.d beside
 * it, and the environment; read in this order, each over what came before.
 */
#pragma once

#include "config/option.h"

#include <stddef.h>

struct files {
	struct source **sources; /* owned; what settings' places point into */
	size_t count;
	char *path;   /* of the main file, absolute */
	char *folder; /* that it is in */
};

/*
 * The merged tree, the caller's.  NULL, and told to diagnose, where a file
 * cannot be read or understood: then nothing more can be said.
 *
 * path          of the main file; it may be missing where the environment has
 *               one of our variables
 * environment   as environ, or NULL
 */
struct setting *files_read(struct files *files, const char *path,
    char *const *environment, const struct option_group *table,
    struct diagnose *diagnose);
/* The texts are not needed any more; names and lines are. */
void files_forget(struct files *files);
void files_clear(struct files *files);
