#include "message/body.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

void
body_init(struct body *body)
{
	*body = (struct body){.fd = -1};
	buffer_init(&body->memory, SIZE_MAX);
}

void
body_clear(struct body *body)
{
	buffer_clear(&body->memory);
	if (body->owns_fd)
		(void)close(body->fd); /* synced with its commit, or given up */
	body_init(body);
}

void
body_set(struct body *body, struct bytes content)
{
	struct buffer copy;

	/* content may be a view of what body holds now. */
	buffer_init(&copy, SIZE_MAX);
	buffer_append(&copy, content);
	body_clear(body);
	body->memory = copy;
	body->len = content.len;
}

bool
body_read(const struct body *body, uint64_t offset, void *data, size_t len,
    size_t *out_len, struct error *error)
{
	uint64_t left = offset < body->len ? body->len - offset : 0;
	size_t wanted = (size_t)MIN(left, len);

	if (wanted > 0 && body->fd < 0) {
		struct bytes content = buffer_bytes(&body->memory);
		assert(content.len == body->len);
		memcpy(data, content.data + offset, wanted);
	} else if (wanted > 0 &&
	    !file_read_at(
		body->fd, data, wanted, body->offset + offset, error)) {
		return error_context(error, "message content");
	}
	*out_len = wanted;
	return true;
}

void
body_writer_init(struct body_writer *writer, int directory_fd, const char *name,
    uint64_t inline_limit)
{
	assert(name != NULL && strlen(name) < sizeof(writer->name));
	*writer = (struct body_writer){
	    .directory_fd = directory_fd,
	    .inline_limit = inline_limit,
	};
	body_init(&writer->body);
	(void)snprintf(writer->name, sizeof(writer->name), "%s", name);
}

static bool
open_file(struct body_writer *writer, struct error *error)
{
	if (writer->directory_fd < 0)
		return error_set(error, ERROR_LIMIT,
		    "message content is larger than %llu octets",
		    (unsigned long long)writer->inline_limit);

	int fd = openat(writer->directory_fd, writer->name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system(error, "create %s", writer->name);
	writer->body.fd = fd;
	writer->body.owns_fd = true;
	memcpy(writer->body.name, writer->name, sizeof(writer->name));
	return true;
}

/* From memory to the file. */
static bool
move_to_file(struct body_writer *writer, struct error *error)
{
	struct body *body = &writer->body;

	if (!open_file(writer, error))
		return false;
	if (!file_write_at(body->fd, buffer_bytes(&body->memory), 0, error))
		return error_context(error, "%s", body->name);
	buffer_clear(&body->memory);
	return true;
}

bool
body_writer_append(
    struct body_writer *writer, struct bytes content, struct error *error)
{
	struct body *body = &writer->body;
	bool fits = body->fd < 0 && body->len <= writer->inline_limit &&
	    content.len <= writer->inline_limit - body->len;

	if (fits) {
		buffer_append(&body->memory, content);
		body->len += content.len;
		return true;
	}
	if (body->fd < 0 && !move_to_file(writer, error))
		return false;
	if (!file_write_at(body->fd, content, body->len, error))
		return error_context(error, "%s", body->name);
	body->len += content.len;
	return true;
}

void
body_writer_take(struct body_writer *writer, struct body *out_body)
{
	*out_body = writer->body;
	body_init(&writer->body);
}

void
body_writer_cancel(struct body_writer *writer)
{
	/* Nothing but a stale file is left where this fails; start-up removes
	 * files that no message names. */
	if (writer->body.name[0] != '\0')
		(void)unlinkat(writer->directory_fd, writer->body.name, 0);
	body_clear(&writer->body);
}
