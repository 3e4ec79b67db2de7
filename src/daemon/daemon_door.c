/* The door of intake/door.h: what intake asks of the daemon. */
#include "base/memory.h"
#include "daemon/daemon_private.h"

#include <stdlib.h>

static uint64_t
door_take_id(void *ctx)
{
	struct daemon *daemon = ctx;

	return dispatch_take_id(
	    daemon->dispatch, loop_now(daemon->loop).wall_ms);
}

static enum door_answer
door_ask(uint64_t size_bytes, void *ctx)
{
	const struct daemon *daemon = ctx;

	if (daemon->state == DAEMON_CLOSING)
		return DOOR_CLOSED;
	return dispatch_ask(daemon->dispatch, size_bytes);
}

static void
door_submit(struct message *message, struct receipt *receipt, void *ctx)
{
	struct daemon *daemon = ctx;

	dispatch_submit(daemon->dispatch, message, receipt);
	daemon_pump(daemon);
}

static void
door_cancel(struct receipt *receipt, void *ctx)
{
	struct daemon *daemon = ctx;

	dispatch_cancel(daemon->dispatch, receipt);
}

/* "x.example" for "x.example" and "@x.example". */
static bool
is_relay_domain(const struct daemon *daemon, struct bytes domain)
{
	const struct config_texts *domains = &daemon->config->relay_domains;

	if (bytes_has_prefix(domain, "@"))
		domain = bytes_from(domain, 1);
	for (size_t i = 0; i < domains->count; i++)
		if (bytes_is_nocase(domain, domains->texts[i]))
			return true;
	return false;
}

static long
door_flush_domain(struct bytes domain, void *ctx)
{
	struct daemon *daemon = ctx;

	if (!is_relay_domain(daemon, domain))
		return -1;
	char *name = memory_copy(domain);
	dispatch_do(
	    daemon->dispatch, DISPATCH_RETRY, NULL, 0, name, NULL, NULL);
	free(name);
	daemon_pump(daemon);
	return 0;
}

void
daemon_make_door(struct daemon *daemon)
{
	daemon->door = (struct door){
	    .take_id = door_take_id,
	    .ask = door_ask,
	    .submit = door_submit,
	    .cancel = door_cancel,
	    .flush_domain = door_flush_domain,
	    .ctx = daemon,
	};
}
