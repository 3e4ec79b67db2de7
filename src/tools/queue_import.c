#include "tools/queue_import.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "control/json_writer.h"
#include "message/parcel.h"
#include "tools/queue_file.h"
#include "tools/queue_import_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

extern char **environ;

struct import {
	struct tool *tool;
	const struct queue_words *words;
	struct queue_import_session *session;
	size_t taken, failed;
	int worst;    /* exit code so far */
	bool is_over; /* nobody takes anything any more */
};

/* ---- what became of each ---- */

static void
print_json(const char *file, const char *result, const char *text)
{
	struct json_writer json;
	struct buffer line;

	buffer_init(&line, SIZE_MAX);
	json_writer_init(&json, &line);
	json_writer_object(&json, NULL);
	json_writer_text(&json, "file", file);
	json_writer_text(&json, "result", result);
	json_writer_text(&json, "text", text);
	json_writer_end_line(&json);
	(void)fwrite(line.memory + line.start, 1, line.len, stdout);
	buffer_clear(&line);
}

static void
fail(struct import *import, const char *file, const char *text, int code)
{
	import->failed++;
	if (import->worst == EX_OK)
		import->worst = code;
	if (import->tool->json)
		print_json(file, "failed", text);
	else
		(void)fprintf(stderr, "postrider: %s: %s\n", file, text);
}

static void
succeed(struct import *import, const char *file, const char *text)
{
	import->taken++;
	if (import->tool->json)
		print_json(file, "taken", text);
	else
		(void)printf("%s: %s\n", file, text);
	/* What has been taken is told, whatever comes. */
	(void)fflush(stdout);
}

/* ---- one file ---- */

/* Shown as in the arguments. */
static char *
path_of(const char *folder, const char *name)
{
	if (folder == NULL)
		return memory_copy_text(name);
	size_t len = strlen(folder);
	bool has_slash = len > 0 && folder[len - 1] == '/';
	return memory_format("%s%s%s", folder, has_slash ? "" : "/", name);
}

static void
remove_file(
    struct import *import, int directory_fd, const char *name, const char *path)
{
	struct error error;

	if (unlinkat(directory_fd, name, 0) == 0)
		return;
	(void)error_system(&error, "taken, but it can not be removed");
	fail(import, path, error_text(&error), EX_IOERR);
}

static void
send_message(struct import *import, int directory_fd, const char *name,
    const char *path, const struct envelope *envelope, struct bytes content)
{
	char *text = NULL;

	switch (queue_import_session_send(
	    import->session, envelope, content, &text)) {
	case QUEUE_IMPORT_TAKEN:
		succeed(import, path, text);
		if (import->words->remove)
			remove_file(import, directory_fd, name, path);
		break;
	case QUEUE_IMPORT_LATER:
		fail(import, path, text, EX_TEMPFAIL);
		break;
	case QUEUE_IMPORT_REFUSED:
		fail(import, path, text, EX_UNAVAILABLE);
		break;
	case QUEUE_IMPORT_NOBODY:
		fail(import, path, text, EX_UNAVAILABLE);
		import->is_over = true;
		break;
	}
	free(text);
}

static bool
check(const struct import *import, struct bytes bytes,
    struct envelope *envelope, struct bytes *out_content, struct error *error)
{
	struct parcel parcel;

	if (!parcel_read(bytes, envelope, &parcel, error))
		return false;
	struct bytes content = bytes_from(bytes, parcel.content_from);
	if (!queue_file_content_is(content, parcel.id, parcel.check))
		return error_set(
		    error, ERROR_DATA, "the content is not what was exported");
	if (parcel.is_held && !import->words->release)
		return error_set(error, ERROR_DATA,
		    "it was on hold; --release hands it over all the same");
	*out_content = content;
	return true;
}

static void
import_file(struct import *import, int directory_fd, const char *folder,
    const char *name)
{
	char *path = path_of(folder, name);
	struct queue_file_map map = {.bytes = BYTES_NONE};
	struct envelope envelope;
	struct bytes content;
	struct error error;

	envelope_init(&envelope);
	if (!queue_file_map(directory_fd, name, &map, &error))
		fail(import, path, error_text(&error),
		    error.kind == ERROR_DATA ? EX_DATAERR : EX_NOINPUT);
	else if (!check(import, map.bytes, &envelope, &content, &error))
		fail(import, path, error_text(&error), EX_DATAERR);
	else
		send_message(
		    import, directory_fd, name, path, &envelope, content);
	envelope_clear(&envelope);
	queue_file_unmap(&map);
	free(path);
}

/* ---- a directory of them ---- */

static int
is_message(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	    bytes_has_suffix_nocase(bytes_of(entry->d_name), QUEUE_FILE_SUFFIX);
}

/* In the order of their names, which is that of their arrival. */
static void
import_folder(struct import *import, const char *folder)
{
	struct dirent **entries = NULL;
	struct error error;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	int count =
	    fd < 0 ? -1 : scandirat(fd, ".", &entries, is_message, alphasort);
	if (count < 0) {
		(void)error_system(&error, "open");
		fail(import, folder, error_text(&error), EX_NOINPUT);
	}
	for (int i = 0; i < count; i++) {
		if (!import->is_over)
			import_file(import, fd, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (fd >= 0)
		(void)close(fd); /* only read */
}

static bool
is_folder(const char *path)
{
	struct stat facts;

	return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* ---- the command ---- */

/* The first door that is a socket and speaks SMTP; else the usual one. */
static char *
find_smtp(const struct tool *tool)
{
	struct buffer diagnostics;
	struct config *config;
	const char *path = CONFIG_SMTP_SOCKET;

	buffer_init(&diagnostics, SIZE_MAX);
	bool is_loaded =
	    config_load(tool->config_file, environ, &config, &diagnostics);
	for (size_t i = is_loaded ? config->listen_count : 0; i-- > 0;) {
		if (config->listens[i].socket[0] != '\0' &&
		    config->listens[i].protocol == CONFIG_PROTOCOL_SMTP)
			path = config->listens[i].socket;
	}
	char *copy = memory_copy_text(path);
	if (is_loaded)
		config_free(config);
	buffer_clear(&diagnostics);
	return copy;
}

static int
finish(const struct import *import)
{
	if (!import->tool->json && import->taken + import->failed > 1)
		(void)printf("%zu message%s taken, %zu not\n", import->taken,
		    import->taken == 1 ? "" : "s", import->failed);
	if (import->taken + import->failed == 0) {
		(void)fprintf(stderr, "postrider: there is no file *%s\n",
		    QUEUE_FILE_SUFFIX);
		return TOOL_NOTHING;
	}
	return import->worst;
}

int
queue_import(struct tool *tool, const struct queue_words *words)
{
	if (words->id_count == 0)
		return tool_usage(
		    tool, "which files? postrider queue import FILE... or DIR");
	char *socket = words->smtp != NULL ? memory_copy_text(words->smtp)
					   : find_smtp(tool);
	struct import import = {
	    .tool = tool,
	    .words = words,
	    .session = queue_import_session_new(socket),
	};

	for (int i = 0; i < words->id_count && !import.is_over; i++) {
		if (is_folder(words->ids[i]))
			import_folder(&import, words->ids[i]);
		else
			import_file(&import, AT_FDCWD, NULL, words->ids[i]);
	}
	queue_import_session_free(import.session);
	free(socket);
	return finish(&import);
}
