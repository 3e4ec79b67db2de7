#include "tools/sendmail_queue.h"

#include "config/config.h"
#include "control/control_client.h"
#include "message/message.h"
#include "smtp/address.h"

#include <stdlib.h>
#include <sysexits.h>

#define BODY_MAX ((size_t)2048)

const char *
sendmail_queue_path(void)
{
	const char *path = getenv("POSTRIDER_ADMIN_SOCKET");
	return path != NULL && path[0] != '\0' ? path : CONFIG_ADMIN_SOCKET;
}

static int
status_of(int http_status)
{
	if (http_status == 200)
		return EX_OK;
	if (http_status == 401 || http_status == 403)
		return EX_NOPERM;
	return http_status == 503 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

/* One request, and what came of it. */
static int
call(const struct control_client_request *request, control_client_fn *fn,
    void *ctx, struct error *error)
{
	int http_status = 0;
	char *text = NULL;

	if (!control_client_call(
		request, fn, ctx, &http_status, &text, error)) {
		(void)error_context(error, "%s", request->socket);
		return EX_UNAVAILABLE;
	}
	int status = status_of(http_status);
	if (status != EX_OK)
		(void)error_set(error, ERROR_DATA, "%s",
		    text != NULL ? text : "refused"); /* status tells */
	free(text);
	return status;
}

int
sendmail_queue_show(const char *path, int output, struct error *error)
{
	const struct control_client_request request = {
	    .socket = path,
	    .method = "GET",
	    .target = "/v1/mailq",
	    .body = BYTES_NONE,
	};

	return call(&request, control_client_copy, &output, error);
}

/* What is asked for, as the admin socket reads it.  False: it cannot be. */
static bool
write_request(const struct sendmail_options *options, struct buffer *body,
    const char **out_target, struct error *error)
{
	struct bytes text = bytes_of(options->flush_text);
	uint64_t id;

	*out_target = "/v1/flush";
	switch (options->flush) {
	case SENDMAIL_FLUSH_ALL:
		buffer_append_text(body, "{}");
		return true;
	case SENDMAIL_FLUSH_ID:
		if (!queue_id_parse(text, &id))
			return error_set(
			    error, ERROR_CONFIG, "-qI: not a queue id");
		*out_target = "/v1/queue/retry";
		buffer_printf(
		    body, "{\"ids\": [\"%s\"]}", queue_id_of(id).text);
		return true;
	case SENDMAIL_FLUSH_DOMAIN:
		if (bytes_contains(text, '@'))
			text = address_domain(text);
		if (!address_is_domain(text, false))
			return error_set(
			    error, ERROR_CONFIG, "-qR: not a domain");
		buffer_printf(body, "{\"domain\": \"%.*s\"}", BYTES_ARGS(text));
		return true;
	case SENDMAIL_FLUSH_SENDER:
		break;
	}
	return error_set(error, ERROR_CONFIG,
	    "-qS: one sender's mail alone cannot be tried yet, use -q or -qI");
}

int
sendmail_queue_flush(const char *path, const struct sendmail_options *options,
    struct error *error)
{
	struct control_client_request request = {
	    .socket = path,
	    .method = "POST",
	};
	struct buffer body;
	struct buffer answer;
	int status = EX_USAGE;

	buffer_init(&body, BODY_MAX);
	buffer_init(&answer, BODY_MAX);
	if (write_request(options, &body, &request.target, error)) {
		request.body = buffer_bytes(&body);
		status = call(&request, control_client_gather, &answer, error);
	}
	buffer_clear(&body);
	buffer_clear(&answer);
	return status;
}
