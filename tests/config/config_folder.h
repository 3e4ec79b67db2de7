/* A folder with a postrider.conf of a test's own, and what loading it says. */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <sys/types.h>

/* Make the folder and enter it; for .init and .fini of a suite. */
void config_folder_enter(void);
void config_folder_leave(void);
const char *config_folder_path(void);

/* name may be in conf.d. */
void config_folder_put(const char *name, const char *text, mode_t mode);
/*
 * Load postrider.conf.  The text of what it says, the caller's to free, with
 * the folder's path left out; *out_config is NULL where it is refused.
 */
char *config_folder_load(char *const *environment, struct config **out_config);
