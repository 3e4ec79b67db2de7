/* A folder of a test's own. */
#pragma once

/* Its path; the caller gives it back with scratch_folder_remove(). */
char *scratch_folder_new(void);
/* With all that is in it. */
void scratch_folder_remove(char *path);
