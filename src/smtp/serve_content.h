/*
 * A server session's content, by DATA or BDAT: its limits, what is refused at
 * its end, and how long it may take.  Private to the server, as serve.h.
 */
#pragma once

#include "smtp/serve.h"

/* Why a message is refused once it is there. */
struct serve_content_refusal {
	int code;
	const char *enhanced;
	const char *text;
};
extern const struct serve_content_refusal serve_content_too_large;

bool serve_content_is_too_large(
    const struct smtp_server *server, uint64_t size_bytes);
/* final: at the end of the message, where LMTP replies for each recipient. */
void serve_content_refuse(struct smtp_server *server,
    const struct serve_content_refusal *refusal, bool final);

/* From here on input is content (or waste, which is thrown away). */
void serve_content_begin(
    struct smtp_server *server, enum serve_reading reading);
/* One for each kind of reading. */
enum serve_step serve_content_read_data(
    struct smtp_server *server, struct smtp_server_event *event);
enum serve_step serve_content_read_chunk(
    struct smtp_server *server, struct smtp_server_event *event);
enum serve_step serve_content_read_waste(struct smtp_server *server);
