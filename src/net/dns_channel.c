#include "net/dns_channel.h"

#include "base/memory.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"
/* Of the first attempt at one server; c-ares doubles it each round. */
#define ATTEMPT_WAIT_MS 2000
#define ATTEMPTS        3

/* A socket of c-ares. */
struct watch {
	LIST_ENTRY(watch) entry;
	struct dns_channel *channel;
	struct event event;
	int fd;
};

LIST_HEAD(watch_list, watch);

struct dns_channel {
	struct loop *loop;
	ares_channel ares;
	char *servers;        /* NULL: of resolv.conf */
	struct timespec read; /* when resolv.conf had changed last */
	struct loop_timer timer;
	struct watch_list watches;
};

/* After everything that may have changed what c-ares waits for. */
static void
set_timer(struct dns_channel *channel)
{
	struct timeval wait;

	if (ares_timeout(channel->ares, NULL, &wait) == NULL) {
		loop_timer_set(&channel->timer, CLOCK_NEVER);
		return;
	}
	int64_t wait_ms =
	    (int64_t)wait.tv_sec * CLOCK_SECOND + wait.tv_usec / 1000 + 1;
	loop_timer_set(
	    &channel->timer, loop_now(channel->loop).mono_ms + wait_ms);
}

static void
time_passed(void *ctx)
{
	struct dns_channel *channel = ctx;

	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(channel);
}

/* The watch may be gone after the call: see socket_state(). */
static void
socket_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *watch = ctx;
	struct dns_channel *channel = watch->channel;

	ares_process_fd(channel->ares,
	    (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	set_timer(channel);
}

static struct watch *
watch_find(struct dns_channel *channel, int fd)
{
	struct watch *watch = LIST_FIRST(&channel->watches);

	while (watch != NULL && watch->fd != fd)
		watch = LIST_NEXT(watch, entry);
	return watch;
}

static void
watch_remove(struct watch *watch)
{
	event_del(&watch->event);
	LIST_REMOVE(watch, entry);
	free(watch);
}

static void
watch_add(struct dns_channel *channel, int fd, int readable, int writable)
{
	struct watch *watch = memory_new(sizeof(*watch));
	int what =
	    EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	watch->channel = channel;
	watch->fd = fd;
	event_assign(&watch->event, loop_base(channel->loop), fd, (short)what,
	    socket_ready, watch);
	/* Where it cannot be watched the query's own time-out comes. */
	(void)event_add(&watch->event, NULL);
	LIST_INSERT_HEAD(&channel->watches, watch, entry);
}

static void
socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *channel = ctx;
	struct watch *watch = watch_find(channel, fd);

	if (watch != NULL)
		watch_remove(watch);
	if (readable || writable)
		watch_add(channel, fd, readable, writable);
}

/* c-ares needs no ares_library_init() but on Windows. */
static bool
open_channel(struct dns_channel *channel, struct error *error)
{
	static char hosts_then_dns[] = "fb";
	struct ares_options options = {
	    .timeout = ATTEMPT_WAIT_MS,
	    .tries = ATTEMPTS,
	    .lookups = hosts_then_dns,
	    .sock_state_cb = socket_state,
	    .sock_state_cb_data = channel,
	};
	int status = ares_init_options(&channel->ares, &options,
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS)
		return error_set(error, ERROR_RESOLVE, "resolver: %s",
		    ares_strerror(status));
	if (channel->servers == NULL)
		return true;
	status = ares_set_servers_ports_csv(channel->ares, channel->servers);
	if (status == ARES_SUCCESS)
		return true;
	ares_destroy(channel->ares);
	return error_set(error, ERROR_CONFIG, "name servers %s: %s",
	    channel->servers, ares_strerror(status));
}

static struct timespec
resolv_conf_changed_at(void)
{
	struct stat status;

	if (stat(RESOLV_CONF, &status) != 0)
		return (struct timespec){0};
	return status.st_mtim;
}

bool
dns_channel_new(struct loop *loop, const char *servers,
    struct dns_channel **out_channel, struct error *error)
{
	struct dns_channel *channel = memory_new(sizeof(*channel));

	channel->loop = loop;
	channel->servers = servers != NULL ? memory_copy_text(servers) : NULL;
	channel->read = resolv_conf_changed_at();
	LIST_INIT(&channel->watches);
	loop_timer_init(&channel->timer, loop, time_passed, channel);
	if (!open_channel(channel, error)) {
		free(channel->servers);
		free(channel);
		return false;
	}
	*out_channel = channel;
	return true;
}

void
dns_channel_free(struct dns_channel *channel)
{
	if (channel == NULL)
		return;
	ares_destroy(channel->ares);
	loop_timer_clear(&channel->timer);
	free(channel->servers);
	free(channel);
}

void
dns_channel_follow(struct dns_channel *channel)
{
	ares_channel old = channel->ares;
	struct error ignored;

	if (channel->servers != NULL)
		return;
	struct timespec changed = resolv_conf_changed_at();
	if (changed.tv_sec == channel->read.tv_sec &&
	    changed.tv_nsec == channel->read.tv_nsec)
		return;
	channel->read = changed;
	if (open_channel(channel, &ignored))
		ares_destroy(old);
	else
		channel->ares = old; /* better than none */
}

void
dns_channel_ask(struct dns_channel *channel, const char *host,
    ares_addrinfo_callback fn, void *ctx)
{
	static const struct ares_addrinfo_hints hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	ares_getaddrinfo(channel->ares, host, NULL, &hints, fn, ctx);
	set_timer(channel);
}
