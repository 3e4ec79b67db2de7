#include "config/config_folder.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/config_test.XXXXXX";

void
config_folder_enter(void)
{
	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(chdir(path), 0);
	(void)umask(022);
}

static void
remove_all(const char *folder)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		char *name = memory_format("%s/%s", folder, entry->d_name);

		if (unlink(name) != 0)
			remove_all(name);
		free(name);
	}
	(void)closedir(directory);
	(void)rmdir(folder);
}

void
config_folder_leave(void)
{
	cr_assert_eq(chdir("/"), 0);
	remove_all(path);
}

const char *
config_folder_path(void)
{
	return path;
}

void
config_folder_put(const char *name, const char *text, mode_t mode)
{
	if (strncmp(name, "conf.d/", strlen("conf.d/")) == 0)
		(void)mkdir("conf.d", 0755);
	(void)unlink(name); /* it may be one that we may not write */
	FILE *file = fopen(name, "w");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(name, mode), 0);
}

/* Without "/tmp/config_test.XXXXXX/". */
static char *
without_folder(struct bytes text)
{
	struct buffer shown;
	struct bytes folder = bytes_of(path);

	buffer_init(&shown, 1 << 20);
	while (text.len > 0) {
		size_t at = bytes_search(text, folder);

		buffer_append(&shown, bytes_first(text, at));
		text =
		    bytes_from(text, at == text.len ? at : at + folder.len + 1);
	}
	char *result = buffer_to_text(&shown);
	buffer_clear(&shown);
	return result;
}

char *
config_folder_load(char *const *environment, struct config **out_config)
{
	struct buffer said;

	buffer_init(&said, 1 << 20);
	*out_config = NULL;
	bool good =
	    config_load("postrider.conf", environment, out_config, &said);
	cr_assert_eq(good, *out_config != NULL);
	char *text = without_folder(buffer_bytes(&said));
	buffer_clear(&said);
	return text;
}
