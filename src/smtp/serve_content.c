#include "smtp/serve_content.h"

#include "smtp/dot.h"

const struct serve_content_refusal serve_content_too_large = {
    552, "5.3.4", "Message exceeds the size limit"};
static const struct serve_content_refusal has_nul = {
    554, "5.6.0", "Message holds a NUL octet"};
static const struct serve_content_refusal has_bare_newline = {
    550, "5.6.0", "Message holds a CR or LF without the other"};

bool
serve_content_is_too_large(
    const struct smtp_server *server, uint64_t size_bytes)
{
	uint64_t max = server->options->message_size_max;

	return max > 0 && size_bytes > max;
}

/* What is wrong with the content read so far, or NULL. */
static const struct serve_content_refusal *
content_refusal(const struct smtp_server *server)
{
	if (serve_content_is_too_large(server, server->content_len))
		return &serve_content_too_large;
	if (server->decoder.saw_nul)
		return &has_nul;
	if (server->decoder.saw_bare &&
	    server->options->bare_newline == BARE_NEWLINE_REJECT)
		return &has_bare_newline;
	return NULL;
}

/* final: where LMTP has a reply for each recipient. */
void
serve_content_refuse(struct smtp_server *server,
    const struct serve_content_refusal *refusal, bool final)
{
	bool each = final && server->options->lmtp;
	unsigned replies = each ? server->recipients : 1;

	for (unsigned i = 0; i < replies; i++)
		serve_say(
		    server, refusal->code, refusal->enhanced, refusal->text);
	serve_abandon_transaction(server);
}

void
serve_content_begin(struct smtp_server *server, enum serve_reading reading)
{
	server->reading = (int)reading;
	server->stretch_len = 0;
	serve_wait(server, server->options->content_timeout_ms);
}

/* Whoever sends too little in the time of a stretch is not waited for. */
static void
count_stretch(struct smtp_server *server, size_t len)
{
	server->stretch_len += len;
	if (server->stretch_len < SMTP_SERVER_STRETCH)
		return;
	server->stretch_len = 0;
	serve_wait(server, server->options->content_timeout_ms);
}

/* Content that lies in the first used octets of input, or is static. */
static enum serve_step
give_content(struct smtp_server *server, struct bytes content, size_t used,
    struct smtp_server_event *event)
{
	count_stretch(server, used);
	server->content_len += content.len;
	if (content.len == 0 || content_refusal(server) != NULL) {
		buffer_consume(server->input, used);
		return SERVE_GO_ON;
	}
	server->used = used;
	event->kind = SMTP_SERVER_CONTENT;
	event->text = content;
	return SERVE_EVENT;
}

static enum serve_step
end_content(struct smtp_server *server, struct smtp_server_event *event)
{
	const struct serve_content_refusal *refusal = content_refusal(server);

	server->reading = SERVE_READ_COMMANDS;
	if (refusal != NULL) {
		serve_content_refuse(server, refusal, true);
		return SERVE_GO_ON;
	}
	server->answers_due = server->options->lmtp ? server->recipients : 1;
	(void)serve_ask(server, SMTP_SERVER_END, event); /* always an event */
	return SERVE_EVENT;
}

enum serve_step
serve_content_read_data(
    struct smtp_server *server, struct smtp_server_event *event)
{
	struct bytes input = buffer_bytes(server->input);
	struct bytes content = BYTES_NONE;
	bool end = false;

	if (input.len == 0)
		return SERVE_STUCK;
	size_t used = dot_decode(&server->decoder, input, true, &content, &end);
	if (!end)
		return give_content(server, content, used, event);
	buffer_consume(server->input, used);
	return end_content(server, event);
}

static enum serve_step
end_chunk(struct smtp_server *server, struct smtp_server_event *event)
{
	if (server->chunk_last) {
		struct bytes held = dot_decode_end(&server->decoder);
		return held.len > 0 ? give_content(server, held, 0, event)
				    : end_content(server, event);
	}
	server->reading = SERVE_READ_COMMANDS;
	const struct serve_content_refusal *refusal = content_refusal(server);
	if (refusal != NULL)
		serve_content_refuse(server, refusal, false);
	else
		serve_say(server, 250, "2.0.0", "Chunk received");
	return SERVE_GO_ON;
}

static struct bytes
chunk_input(const struct smtp_server *server)
{
	struct bytes input = buffer_bytes(server->input);

	return server->chunk_left < input.len
	    ? bytes_first(input, (size_t)server->chunk_left)
	    : input;
}

enum serve_step
serve_content_read_chunk(
    struct smtp_server *server, struct smtp_server_event *event)
{
	struct bytes input = chunk_input(server);
	struct bytes content = BYTES_NONE;
	bool end = false;

	if (server->chunk_left == 0)
		return end_chunk(server, event);
	if (input.len == 0)
		return SERVE_STUCK;
	size_t used =
	    dot_decode(&server->decoder, input, false, &content, &end);
	server->chunk_left -= used;
	return give_content(server, content, used, event);
}

enum serve_step
serve_content_read_waste(struct smtp_server *server)
{
	size_t len = chunk_input(server).len;

	if (server->chunk_left == 0) {
		server->reading = SERVE_READ_COMMANDS;
		serve_wait(server, server->options->command_timeout_ms);
		return SERVE_GO_ON;
	}
	if (len == 0)
		return SERVE_STUCK;
	buffer_consume(server->input, len);
	server->chunk_left -= len;
	count_stretch(server, len);
	return SERVE_GO_ON;
}
