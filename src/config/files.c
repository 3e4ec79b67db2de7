#include "config/files.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "config/grammar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVIRONMENT_PREFIX "POSTRIDER_"

static const struct variable {
	const char *name; /* behind the prefix */
	const char *path; /* of the option; NULL: listen, which is a list */
} variables[] = {
    {"SMARTHOST", "smarthost"},
    {"USER", "user"},
    {"PASSWORD_FILE", "password_file"},
    {"ROOT", "root"},
    {"HOSTNAME", "identity.hostname"},
    {"LISTEN", NULL},
};

#define VARIABLE_COUNT (sizeof(variables) / sizeof(variables[0]))

static struct source *
add_source(struct files *files, const char *name, char *text, size_t len)
{
	struct source *source =
	    source_new(name, (unsigned)files->count + 1, text, len);

	files->sources = memory_resize_array(
	    files->sources, files->count + 1, sizeof(struct source *));
	files->sources[files->count++] = source;
	return source;
}

/* The value of one of our variables; NULL where it is not set, or empty. */
static const char *
variable_value(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment != NULL && *environment != NULL; environment++) {
		const char *entry = *environment;

		if (strncmp(entry, ENVIRONMENT_PREFIX,
			strlen(ENVIRONMENT_PREFIX)) != 0)
			continue;
		entry += strlen(ENVIRONMENT_PREFIX);
		if (strncmp(entry, name, len) == 0 && entry[len] == '=' &&
		    entry[len + 1] != '\0')
			return entry + len + 1;
	}
	return NULL;
}

static bool
has_variables(char *const *environment)
{
	for (size_t i = 0; i < VARIABLE_COUNT; i++)
		if (variable_value(environment, variables[i].name) != NULL)
			return true;
	return false;
}

/* ---- files ---- */

/* False, and told, where the file is not to be trusted. */
static bool
check_mode(
    struct source *source, const struct stat *file, struct diagnose *diagnose)
{
	source->is_public = (file->st_mode & S_IROTH) != 0;
	if ((file->st_mode & S_IWOTH) == 0)
		return true;
	diagnose_error(diagnose, (struct source_place){source, 0, 1},
	    "everyone can write this file; run: chmod o-w %s", source->name);
	return false;
}

static bool
read_text(const char *path, struct buffer *text, struct stat *file,
    struct error *error)
{
	if (stat(path, file) != 0)
		return error_system(error, "%s", path);
	if (!S_ISREG(file->st_mode))
		return error_set(
		    error, ERROR_CONFIG, "%s is not a regular file", path);
	return file_read(AT_FDCWD, path, text, error);
}

static struct setting *
read_file(struct files *files, const char *path,
    const struct option_group *table, struct diagnose *diagnose)
{
	struct buffer text;
	struct stat file;
	struct error error;
	struct setting *root = NULL;

	buffer_init(&text, GRAMMAR_SIZE_MAX);
	if (!read_text(path, &text, &file, &error)) {
		diagnose_error(diagnose, (struct source_place){0}, "%s",
		    error_text(&error));
	} else {
		struct source *source =
		    add_source(files, path, buffer_to_text(&text), text.len);

		if (check_mode(source, &file, diagnose))
			root =
			    option_read(table, source, files->folder, diagnose);
	}
	buffer_clear_secret(&text);
	return root;
}

static int
is_conf(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	    bytes_has_suffix_nocase(bytes_of(entry->d_name), ".conf");
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes from, which may be NULL: then false. */
static bool
merge(struct setting *root, struct setting *from)
{
	if (from == NULL)
		return false;
	setting_merge(root, from);
	return true;
}

static bool
read_folder(struct files *files, struct setting *root,
    const struct option_group *table, struct diagnose *diagnose)
{
	struct dirent **entries;
	char *folder = memory_format("%s/conf.d", files->folder);
	int count = scandir(folder, &entries, is_conf, compare_names);
	bool good = count >= 0 || errno == ENOENT;

	if (!good)
		diagnose_error(diagnose, (struct source_place){0}, "%s: %s",
		    folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *path = memory_format("%s/%s", folder, entries[i]->d_name);

		if (!merge(root, read_file(files, path, table, diagnose)))
			good = false;
		free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(folder);
	return good;
}

/* ---- the environment ---- */

/* One door: a path is a unix socket, all else an address and a port. */
static void
add_listen(struct setting *list, struct bytes word, const struct source *source)
{
	struct setting cause = {
	    .place = {source, (size_t)(word.data - source->text), word.len},
	    .line = 1};
	struct setting *door =
	    setting_new_group(list->option, list->option->group);
	char *text = memory_copy(word);

	cause.name = cause.place;
	setting_set_cause(door, &cause);
	setting_put_text(door, text[0] == '/' ? "socket" : "tcp", text, &cause);
	setting_append(list, door);
	free(text);
}

/* "127.0.0.1:25,/run/smtp.sock" instead of all doors that files have. */
static void
read_listen(const struct source *source, const struct option_group *table,
    struct setting *root)
{
	struct setting *list = setting_new_list(option_find(table, "listen"));
	size_t at = 0;

	setting_set_cause(list,
	    &(struct setting){.place = {source, 0, source->len}, .line = 1});
	while (at < source->len) {
		size_t len = strcspn(source->text + at, ", \t");

		if (len > 0)
			add_listen(
			    list, bytes_make(source->text + at, len), source);
		at += len + 1;
	}
	setting_put(root, list);
}

static void
read_variable(struct files *files, const struct variable *variable,
    const char *value, const struct option_group *table,
    struct diagnose *diagnose, struct setting *root)
{
	char *name = memory_format("%s%s", ENVIRONMENT_PREFIX, variable->name);
	struct source *source =
	    add_source(files, name, memory_copy_text(value), strlen(value));

	if (variable->path == NULL)
		read_listen(source, table, root);
	else
		option_read_text(table, variable->path, source, files->folder,
		    diagnose, root);
	free(name);
}

static void
set_paths(struct files *files, const char *path)
{
	char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);

	files->path = here == NULL ? memory_copy_text(path)
				   : memory_format("%s/%s", here, path);
	struct bytes whole = bytes_of(files->path);
	size_t slash = bytes_last_index(whole, '/');
	files->folder = slash == 0 || slash == whole.len
	    ? memory_copy_text("/")
	    : memory_copy(bytes_first(whole, slash));
	free(here);
}

struct setting *
files_read(struct files *files, const char *path, char *const *environment,
    const struct option_group *table, struct diagnose *diagnose)
{
	struct setting *root = setting_new_group(NULL, table);
	bool good = true;

	*files = (struct files){0};
	set_paths(files, path);
	bool is_there = access(files->path, F_OK) == 0 || errno != ENOENT;
	if (is_there || !has_variables(environment))
		good =
		    merge(root, read_file(files, files->path, table, diagnose));
	if (!read_folder(files, root, table, diagnose))
		good = false;
	for (size_t i = 0; i < VARIABLE_COUNT; i++) {
		const char *value =
		    variable_value(environment, variables[i].name);

		if (value != NULL)
			read_variable(
			    files, &variables[i], value, table, diagnose, root);
	}
	if (good)
		return root;
	setting_free(root);
	return NULL;
}

void
files_forget(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		source_forget(files->sources[i]);
}

void
files_clear(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		source_free(files->sources[i]);
	free(files->sources);
	free(files->path);
	free(files->folder);
	*files = (struct files){0};
}
