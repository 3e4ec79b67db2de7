/* Which upstream takes a message now, and which routes are closed. */
#include "base/log.h"
#include "daemon/dispatch_private.h"

#include <assert.h>

static const struct route_table *
routes_of(const struct dispatch *dispatch)
{
	return &dispatch->options.settle->routes;
}

static bool
upstream_allows(const struct dispatch *dispatch, unsigned upstream, int64_t now)
{
	return breaker_allows(&dispatch->breakers[upstream],
	    dispatch->options.upstream_limits[upstream], now);
}

bool
dispatch_find_upstream(const struct dispatch *dispatch, uint16_t route,
    int64_t now, unsigned *out_upstream)
{
	if (route >= routes_of(dispatch)->count)
		return false;

	const struct route_rule *rule = &routes_of(dispatch)->rules[route];
	for (size_t i = 0; i < rule->upstream_count; i++)
		if (upstream_allows(dispatch, rule->upstreams[i], now)) {
			*out_upstream = rule->upstreams[i];
			return true;
		}
	return false;
}

uint16_t
dispatch_first_route(
    const struct dispatch *dispatch, const struct envelope *envelope)
{
	return route_find(routes_of(dispatch), bytes_of(envelope->sender),
	    bytes_of(envelope->recipients[0].address));
}

bool
dispatch_has_many_routes(
    const struct dispatch *dispatch, const struct envelope *envelope)
{
	const struct route_table *routes = routes_of(dispatch);
	struct bytes sender = bytes_of(envelope->sender);

	if (envelope->recipient_count < 2 || routes->count < 2)
		return false;
	uint16_t first = dispatch_first_route(dispatch, envelope);
	for (size_t i = 1; i < envelope->recipient_count; i++)
		if (route_find(routes, sender,
			bytes_of(envelope->recipients[i].address)) != first)
			return true;
	return false;
}

/* ---- open and closed ---- */

static int64_t
next_reopening(const struct dispatch *dispatch, int64_t now)
{
	int64_t reopen_at = CLOCK_NEVER;

	for (size_t i = 0; i < dispatch->options.upstream_count; i++) {
		int64_t at = breaker_next_try(&dispatch->breakers[i]);
		if (at > now && at < reopen_at)
			reopen_at = at;
	}
	return reopen_at;
}

void
dispatch_refresh_routes(struct dispatch *dispatch, int64_t now)
{
	struct schedule *schedule = ledger_schedule(dispatch->ledger);
	size_t count = routes_of(dispatch)->count;
	unsigned upstream;

	for (size_t i = 0; i < count; i++)
		if (dispatch_find_upstream(
			dispatch, (uint16_t)i, now, &upstream))
			schedule_open_route(schedule, (uint16_t)i);
		else
			schedule_close_route(schedule, (uint16_t)i);
	/* The lane of those that no route takes. */
	schedule_close_route(schedule, (uint16_t)count);
	dispatch->reopen_at = next_reopening(dispatch, now);
}

/* After a change of one upstream's health, which allowed before said. */
static void
refresh_if_changed(
    struct dispatch *dispatch, unsigned upstream, bool before, int64_t now)
{
	if (before != upstream_allows(dispatch, upstream, now))
		dispatch_refresh_routes(dispatch, now);
}

void
dispatch_reset_upstreams(struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->options.upstream_count; i++)
		breaker_reset(&dispatch->breakers[i]);
	/* The time does not matter: what was reset is open at all times. */
	dispatch_refresh_routes(dispatch, 0);
}

const char *
dispatch_route_reason(const struct dispatch *dispatch, uint16_t route)
{
	if (route >= routes_of(dispatch)->count)
		return "no upstream is configured for its recipients";

	const struct route_rule *rule = &routes_of(dispatch)->rules[route];
	for (size_t i = 0; i < rule->upstream_count; i++)
		if (dispatch->breakers[rule->upstreams[i]].open_until == 0)
			return "";
	return dispatch->breakers[rule->upstreams[0]].reason;
}

/* ---- attempts ---- */

void
dispatch_upstream_started(
    struct dispatch *dispatch, unsigned upstream, int64_t now)
{
	breaker_started(&dispatch->breakers[upstream]);
	refresh_if_changed(dispatch, upstream, true, now);
}

static void
upstream_failed(struct dispatch *dispatch, unsigned upstream,
    const char *reason, struct clock_time now)
{
	struct breaker *breaker = &dispatch->breakers[upstream];

	if (breaker->open_until == 0)
		log_warning("upstream %s is down: %s",
		    dispatch->options.upstream_names[upstream], reason);
	breaker_failed(breaker, reason, now.mono_ms, now.wall_ms,
	    dispatch->options.random(dispatch->options.random_ctx));
	/* Its time has changed even where it was closed before. */
	dispatch_refresh_routes(dispatch, now.mono_ms);
}

void
dispatch_judge_upstream(
    struct dispatch *dispatch, const struct order *order, struct clock_time now)
{
	unsigned upstream = order->upstream;
	struct breaker *breaker = &dispatch->breakers[upstream];
	bool before = upstream_allows(dispatch, upstream, now.mono_ms);
	bool was_open = breaker->open_until != 0;

	if (order->result == ORDER_UPSTREAM_FAILED) {
		upstream_failed(dispatch, upstream, order->failure, now);
		return;
	}
	if (order->result == ORDER_DONE)
		breaker_succeeded(breaker);
	else
		breaker_ended(breaker);
	if (was_open && breaker->open_until == 0)
		log_info("upstream %s is back",
		    dispatch->options.upstream_names[upstream]);
	refresh_if_changed(dispatch, upstream, before, now.mono_ms);
}

const struct breaker *
dispatch_breaker(const struct dispatch *dispatch, unsigned upstream)
{
	assert(upstream < dispatch->options.upstream_count);
	return &dispatch->breakers[upstream];
}

void
dispatch_upstream_fails(struct dispatch *dispatch, unsigned upstream,
    const char *reason, struct clock_time now)
{
	breaker_started(&dispatch->breakers[upstream]);
	upstream_failed(dispatch, upstream, reason, now);
}
