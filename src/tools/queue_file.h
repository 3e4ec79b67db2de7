/*
 * A message on its way into a file of its own (message/parcel.h): under a
 * temporary name, sealed, that is, checked against what the queue knows of its
 * content, then synced and given its name.  No file is ever overwritten.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "message/message.h"
#include "queue/record.h"

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_FILE_SUFFIX ".eml"

struct queue_file {
	int directory_fd; /* borrowed */
	int fd;
	const struct message *message; /* borrowed */
	struct record_check *check;    /* owned: of the content so far */
	uint64_t size;                 /* of the content so far */
};

/* "<queue id>.eml" */
struct queue_file_name {
	char text[QUEUE_ID_LEN + sizeof(QUEUE_FILE_SUFFIX)];
};
struct queue_file_name queue_file_name_of(const struct message *message);

/* Begin, and write what stands in front of the content. */
bool queue_file_begin(struct queue_file *file, int directory_fd,
    const struct message *message, struct error *error) MUST_USE;
/* After a failure only queue_file_cancel() is left. */
bool queue_file_append(struct queue_file *file, struct bytes content,
    struct error *error) MUST_USE;
/*
 * Behind the last of the content.  ERROR_DATA: it is not that of message; then
 * it is over, and no trace is left.
 */
bool queue_file_seal(struct queue_file *file, struct error *error) MUST_USE;
/* Make the sealed file durable; else its whole file system is synced. */
bool queue_file_sync(struct queue_file *file, struct error *error) MUST_USE;
/*
 * Give the durable file its name; in any case it is over then.  The name is
 * durable when the directory has been synced.
 *
 * ERROR_SYSTEM with EEXIST: there is one of that name.
 */
bool queue_file_end(struct queue_file *file, struct error *error) MUST_USE;
/* No trace is left. */
void queue_file_cancel(struct queue_file *file);

/* Whether the file is there already, whole, and of the same message. */
bool queue_file_is_there(int directory_fd, const struct message *message);
/* Make that file durable; its name is when the directory has been synced. */
bool queue_file_sync_present(int directory_fd, const struct message *message,
    struct error *error) MUST_USE;
/* Whether content is what check was made of, for the message id. */
bool queue_file_content_is(struct bytes content, uint64_t id, uint64_t check);

/* A file in memory, read only, of a size that fits. */
struct queue_file_map {
	struct bytes bytes;
	void *memory; /* owned */
};
/* A regular file; ERROR_DATA where it is none. */
bool queue_file_map(int directory_fd, const char *name,
    struct queue_file_map *out_map, struct error *error) MUST_USE;
void queue_file_unmap(struct queue_file_map *map);
