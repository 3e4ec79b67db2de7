#include "intake/content.h"

#include "message/dropfile.h"
#include "message/header.h"

#include <errno.h>

/* Room for the stretch in which a header ends. */
#define CONTENT_SLACK ((size_t)64 * 1024)
/* Of a header with our fields, and domains put into it. */
#define CONTENT_HEADER_MAX ((size_t)4 * HEADER_SIZE_MAX)
/* Room for the fields that we mostly add. */
#define CONTENT_FIELDS ((size_t)1024)

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

/* ---- memory and disk ---- */

static bool
is_in_file(const struct content *content)
{
	return content->writer.body.fd >= 0;
}

static bool
reserve(struct content *content, size_t octets, struct error *error)
{
	/* What goes to a file of its own needs no memory. */
	if (is_in_file(content))
		return true;
	if (!admission_reserve(content->options.admission, octets))
		return error_set(error, ERROR_LIMIT,
		    "too much mail at once, try again later");
	content->reserved += octets;
	return true;
}

static bool
write_body(struct content *content, struct bytes octets, struct error *error)
{
	bool written = body_writer_append(&content->writer, octets, error);
	bool full = !written && error->kind == ERROR_SYSTEM &&
	    (error->number == ENOSPC || error->number == EDQUOT);

	/* It was moved there, out of memory. */
	if (written && is_in_file(content))
		content_release(content);
	if (full)
		error->kind = ERROR_LIMIT;
	return written;
}

/* ---- the header ---- */

/* Append header as it shall be sent, behind what we add to it. */
static void
complete_header(
    struct content *content, struct bytes header, struct buffer *out)
{
	const struct rewrite_options *rewrite = content->options.rewrite;
	const struct stamp_submission submission = {
	    .hostname = rewrite->hostname,
	    .sender = content->message->envelope.sender,
	};

	if (!content->options.submission) {
		buffer_append(out, header);
		return;
	}
	stamp_submission(out, header, &submission, content->message);
	rewrite_header(rewrite, header, out);
}

static void
strip_header(struct content *content, struct bytes header, struct buffer *out)
{
	struct buffer stripped;

	if (!content->options.strip) {
		complete_header(content, header, out);
		return;
	}
	buffer_init(&stripped, CONTENT_HEADER_MAX);
	dropfile_strip(&stripped, header);
	complete_header(content, buffer_bytes(&stripped), out);
	buffer_clear(&stripped);
}

/* Append header, which is whole, completed; rest is what follows it. */
static void
join_header(struct content *content, struct bytes header, struct bytes rest,
    struct buffer *out)
{
	strip_header(content, header, out);
	/* A body that follows without an empty line must not become header;
	 * what strangers relay is theirs, but for our own fields above it. */
	bool ours = content->options.submission || header.len == 0;
	if (ours && !bytes_has_prefix(rest, "\r\n"))
		buffer_append_text(out, "\r\n");
}

/* Longer than we look into one: as it stands. */
static bool
pass_header(struct content *content, struct bytes header, struct buffer *out,
    struct error *error)
{
	if (content->options.strip)
		return error_set(error, ERROR_DATA,
		    "the header is longer than %zu octets",
		    (size_t)HEADER_SIZE_MAX);
	buffer_append(out, header);
	return true;
}

/* all: the content up to now, as far as it was gathered.  whole: the header's
 * end is in it, so that it can be completed. */
static bool
finish_header(
    struct content *content, struct bytes all, bool whole, struct error *error)
{
	size_t len = whole ? header_len(all) : all.len;
	struct bytes header = bytes_first(all, len);
	struct bytes rest = bytes_from(all, len);
	struct buffer out;
	bool ok = true;

	content->in_header = false;
	content->hops = stamp_hops(header);
	buffer_init(&out, CONTENT_HEADER_MAX);
	(void)buffer_reserve(&out, header.len + CONTENT_FIELDS); /* fits */
	stamp_received(&out, &content->received, content->message);
	size_t own = out.len;
	if (whole)
		join_header(content, header, rest, &out);
	else
		ok = pass_header(content, header, &out, error);
	if (ok && out.overflowed) {
		/* So many addresses with so long an origin. */
		buffer_truncate(&out, own);
		out.overflowed = false;
		ok = pass_header(content, header, &out, error);
	}
	ok = ok && write_body(content, buffer_bytes(&out), error) &&
	    write_body(content, rest, error);
	buffer_clear(&out);
	buffer_clear(&content->header);
	return ok;
}

/* Does the empty line stand in all, seen from octet from on? */
static bool
has_header_end(struct bytes all, size_t from)
{
	struct bytes fresh = bytes_from(all, from > 3 ? from - 3 : 0);

	return bytes_has_prefix(all, "\r\n") ||
	    bytes_search(fresh, BYTES("\r\n\r\n")) < fresh.len;
}

/* What has come of the content, up to piece; *out_whole: the header's end is in
 * it.  Mostly that is all in one piece, and needs no copy. */
static struct bytes
gather(struct content *content, struct bytes piece, bool *out_whole)
{
	size_t before = content->header.len;

	*out_whole = before == 0 && has_header_end(piece, 0);
	if (*out_whole)
		return piece;
	buffer_append(&content->header, piece);
	struct bytes all = buffer_bytes(&content->header);
	*out_whole = has_header_end(all, before);
	return all;
}

/* ---- from the first octet to the last ---- */

bool
content_append(
    struct content *content, struct bytes octets, struct error *error)
{
	bool whole = false;

	if (!reserve(content, octets.len, error))
		return false;
	if (!content->in_header)
		return write_body(content, octets, error);
	struct bytes piece = bytes_first(
	    octets, HEADER_SIZE_MAX + CONTENT_SLACK - content->header.len);
	struct bytes all = gather(content, piece, &whole);
	if (!whole && all.len < HEADER_SIZE_MAX)
		return true;
	return finish_header(content, all, whole, error) &&
	    write_body(content, bytes_from(octets, piece.len), error);
}

bool
content_finish(struct content *content, struct error *error)
{
	if (content->in_header &&
	    !finish_header(
		content, buffer_bytes(&content->header), true, error))
		return false;
	body_writer_take(&content->writer, &content->message->body);
	content->finished = true;
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
	/* Taken back, so that its file is removed. */
	if (content->finished) {
		content->writer.body = content->message->body;
		body_init(&content->message->body);
	}
	body_writer_cancel(&content->writer);
	content_release(content);
}
