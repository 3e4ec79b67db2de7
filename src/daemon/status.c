#include "daemon/status.h"

#include "daemon/daemon_private.h"
#include "daemon/version.h"

#include <stdio.h>
#include <unistd.h>

static void
write_queue(struct json_writer *json, const struct ledger *ledger)
{
	json_writer_object(json, "queue");
	json_writer_number(
	    json, "waiting", (int64_t)ledger_count(ledger, LEDGER_WAITING));
	json_writer_number(
	    json, "in_flight", (int64_t)ledger_count(ledger, LEDGER_IN_FLIGHT));
	json_writer_number(
	    json, "settling", (int64_t)ledger_count(ledger, LEDGER_SETTLING));
	json_writer_number(
	    json, "held", (int64_t)ledger_count(ledger, LEDGER_HELD));
	json_writer_number(json, "messages", (int64_t)ledger_size(ledger));
	json_writer_number(
	    json, "bytes", (int64_t)ledger_segment_bytes(ledger));
	json_writer_end(json);
}

static void
write_counters(struct json_writer *json, const struct daemon *daemon)
{
	const struct dispatch_counters *counters =
	    dispatch_counters(daemon->dispatch);
	const struct drop_intake *drop = doors_drop(daemon->doors);
	const struct {
		const char *name;
		unsigned long value;
	} rows[] = {
	    {"accepted", counters->accepted},
	    {"delivered", counters->delivered},
	    {"deferred", counters->deferred},
	    {"bounced", counters->bounced},
	    {"duplicates_possible", counters->in_doubt},
	    {"rejected", doors_rejected(daemon->doors)},
	    {"drop_taken", drop == NULL ? 0 : drop_intake_taken(drop)},
	    {"drop_failed", drop == NULL ? 0 : drop_intake_failed(drop)},
	};

	json_writer_object(json, "counters");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_writer_number(json, rows[i].name, (int64_t)rows[i].value);
	json_writer_end(json);
}

static int64_t
wall_of(int64_t mono_ms, struct clock_time now)
{
	if (mono_ms == CLOCK_NEVER)
		return 0;
	return now.wall_ms + (mono_ms - now.mono_ms);
}

static const char *
transport_name(enum upstream_transport transport)
{
	switch (transport) {
	case UPSTREAM_SMTP:
		return "smtp";
	case UPSTREAM_LMTP:
		return "lmtp";
	case UPSTREAM_MAILDIR:
		return "maildir";
	}
	return "";
}

static void
write_upstream(struct json_writer *json, const struct daemon *daemon,
    unsigned upstream, struct clock_time now)
{
	const struct breaker *breaker =
	    dispatch_breaker(daemon->dispatch, upstream);
	bool down = breaker->open_until != 0;

	json_writer_object(json, NULL);
	json_writer_text(
	    json, "name", daemon->wiring->upstream_names[upstream]);
	json_writer_text(json, "transport",
	    transport_name(daemon->wiring->upstreams[upstream].transport));
	json_writer_text(json, "state",
	    down                   ? "down"
		: breaker->untried ? "untried"
				   : "ok");
	json_writer_text(json, "reason", down ? breaker->reason : NULL);
	json_writer_time(
	    json, "next_try_at", down ? wall_of(breaker->open_until, now) : 0);
	json_writer_number(json, "in_flight", breaker->in_flight);
	json_writer_end(json);
}

static const char *
etrn_state_name(const struct etrn_node *node)
{
	if (node->state == ETRN_OFF)
		return "off";
	return node->failures > 0 ? "waiting" : "ok";
}

static void
write_etrn(struct json_writer *json, const struct daemon *daemon,
    struct clock_time now)
{
	const struct etrn_node *node;
	const char *host;

	json_writer_array(json, "etrn");
	for (size_t i = 0;
	     (node = etrn_poller_node(daemon->poller, i, &host)) != NULL; i++) {
		json_writer_object(json, NULL);
		json_writer_text(json, "host", host);
		json_writer_text(json, "node", node->node);
		json_writer_text(json, "state", etrn_state_name(node));
		json_writer_text(json, "last_reply", node->last_reply);
		json_writer_time(
		    json, "last_success_at", node->last_success_at);
		json_writer_number(json, "failures", node->failures);
		json_writer_number(json, "count", (int64_t)node->count);
		json_writer_time(json, "next_at", wall_of(node->next_at, now));
		json_writer_end(json);
	}
	json_writer_end(json);
}

static void
write_recording(struct json_writer *json, const struct dispatch *dispatch)
{
	const char *problem = dispatch_recording_problem(dispatch);
	char text[640];

	if (problem[0] == '\0')
		return;
	(void)snprintf(text, sizeof(text),
	    "%zu outcomes cannot be recorded, and nothing is delivered until "
	    "they can: %s",
	    dispatch_unrecorded(dispatch), problem); /* fits */
	json_writer_text(json, NULL, text);
}

static void
write_lists(struct json_writer *json, const struct daemon *daemon,
    struct clock_time now)
{
	const struct config_texts *warnings = &daemon->config->warnings;
	const char *address;

	json_writer_array(json, "upstreams");
	for (unsigned i = 0; i < daemon->wiring->upstream_count; i++)
		write_upstream(json, daemon, i, now);
	json_writer_end(json);
	write_etrn(json, daemon, now);
	json_writer_array(json, "listeners");
	for (size_t i = 0; (address = doors_address(daemon->doors, i)) != NULL;
	     i++)
		json_writer_text(json, NULL, address);
	json_writer_end(json);
	json_writer_array(json, "warnings");
	for (size_t i = 0; i < warnings->count; i++)
		json_writer_text(json, NULL, warnings->texts[i]);
	write_recording(json, daemon->dispatch);
	if (daemon->wiring->upstream_count == 0)
		json_writer_text(json, NULL,
		    "no upstream is configured: mail is queued and stays");
	json_writer_end(json);
}

void
status_write(const struct daemon *daemon, struct json_writer *json)
{
	struct clock_time now = loop_now(daemon->loop);

	json_writer_text(json, "version", VERSION_TEXT);
	json_writer_number(json, "pid", getpid());
	json_writer_text(json, "state",
	    daemon->state == DAEMON_RUNNING ? "running" : "draining");
	json_writer_time(json, "started_at", daemon->started.wall_ms);
	json_writer_number(
	    json, "uptime_ms", now.mono_ms - daemon->started.mono_ms);
	write_queue(json, dispatch_ledger(daemon->dispatch));
	write_counters(json, daemon);
	write_lists(json, daemon, now);
}
