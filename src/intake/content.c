#include "intake/content.h"

#include "message/header.h"

/* Room for the stretch in which a header ends. */
#define CONTENT_SLACK ((size_t)64 * 1024)

void
content_begin(struct content *content, const struct content_options *options,
    struct message *message, const struct stamp_received *received)
{
	const struct admission_options *limits = options->admission->options;

	*content = (struct content){
	    .options = *options,
	    .message = message,
	    .received = *received,
	    .in_header = true,
	};
	buffer_init(&content->header, HEADER_SIZE_MAX + CONTENT_SLACK);
	body_writer_init(&content->writer, limits->large_directory_fd,
	    queue_id_of(message->id).text, limits->inline_limit);
}

static bool
reserve(struct content *content, size_t octets, struct error *error)
{
	/* What goes to a file of its own needs no memory. */
	if (content->writer.body.fd >= 0)
		return true;
	if (!admission_reserve(content->options.admission, octets))
		return error_set(error, ERROR_LIMIT,
		    "too much mail at once, try again later");
	content->reserved += octets;
	return true;
}

/* Our own fields, then the header, completed where it is a local one. */
static void
complete_header(
    struct content *content, struct bytes header, struct buffer *out)
{
	const struct rewrite_options *rewrite = content->options.rewrite;

	stamp_received(out, &content->received, content->message);
	if (!content->options.submission) {
		buffer_append(out, header);
		return;
	}
	struct stamp_submission submission = {
	    .hostname = rewrite->hostname,
	    .sender = content->message->envelope.sender,
	};
	stamp_submission(out, header, &submission, content->message);
	rewrite_header(rewrite, header, out);
}

/* Our header, and in all what has been gathered, as the writer shall have it.
 */
static void
join_header(struct content *content, struct bytes all, struct buffer *out)
{
	size_t len = header_len(all);
	struct bytes rest = bytes_from(all, len);

	content->hops = stamp_hops(bytes_first(all, len));
	complete_header(content, bytes_first(all, len), out);
	/* A body that follows without an empty line must not become header. */
	if (rest.len > 0 && !bytes_has_prefix(rest, "\r\n"))
		buffer_append_text(out, "\r\n");
	buffer_append(out, rest);
}

/* whole: its end has been seen, so that it can be completed. */
static bool
finish_header(struct content *content, bool whole, struct error *error)
{
	struct bytes all = buffer_bytes(&content->header);
	struct buffer out;

	content->in_header = false;
	buffer_init(&out, (size_t)4 * HEADER_SIZE_MAX);
	if (whole) {
		join_header(content, all, &out);
	} else {
		/* Longer than we look into one: passed on as it stands. */
		content->hops = stamp_hops(all);
		stamp_received(&out, &content->received, content->message);
		buffer_append(&out, all);
	}
	bool written = !out.overflowed ||
	    error_set(error, ERROR_LIMIT, "the header is too long");
	written = written &&
	    body_writer_append(&content->writer, buffer_bytes(&out), error);
	buffer_clear(&out);
	buffer_clear(&content->header);
	return written;
}

/* Does the empty line stand in the header, seen from octet from on? */
static bool
has_header_end(const struct content *content, size_t from)
{
	struct bytes all = buffer_bytes(&content->header);
	struct bytes fresh = bytes_from(all, from > 3 ? from - 3 : 0);

	return bytes_has_prefix(all, "\r\n") ||
	    bytes_search(fresh, BYTES("\r\n\r\n")) < fresh.len;
}

bool
content_append(
    struct content *content, struct bytes octets, struct error *error)
{
	if (!reserve(content, octets.len, error))
		return false;
	if (!content->in_header)
		return body_writer_append(&content->writer, octets, error);
	size_t before = content->header.len;
	struct bytes piece =
	    bytes_first(octets, HEADER_SIZE_MAX + CONTENT_SLACK - before);
	buffer_append(&content->header, piece);
	bool whole = has_header_end(content, before);
	if (!whole && content->header.len < HEADER_SIZE_MAX)
		return true;
	return finish_header(content, whole, error) &&
	    body_writer_append(
		&content->writer, bytes_from(octets, piece.len), error);
}

bool
content_finish(struct content *content, struct error *error)
{
	if (content->in_header && !finish_header(content, true, error))
		return false;
	body_writer_take(&content->writer, &content->message->body);
	return true;
}

bool
content_loops(const struct content *content)
{
	return content->hops >= content->options.admission->options->hops_max;
}

void
content_release(struct content *content)
{
	admission_release(content->options.admission, content->reserved);
	content->reserved = 0;
}

void
content_cancel(struct content *content)
{
	buffer_clear(&content->header);
	body_writer_cancel(&content->writer);
	content_release(content);
}
