#include "tools/status_text.h"

#include "base/bytes.h"
#include "tools/when.h"

#include <string.h>
#include <sys/param.h>

#define GREEN  "\033[32m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* ---- pieces ---- */

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static long long
number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* What would break a line or a terminal comes out as '?'. */
static void
append_shown(struct buffer *buffer, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		buffer_append_char(buffer, c < ' ' || c == 0x7f ? '?' : *text);
	}
}

static const char *
color_of(const char *state)
{
	static const struct {
		const char *state;
		const char *color;
	} colors[] = {{"ok", GREEN}, {"running", GREEN}, {"delivered", GREEN},
	    {"down", RED}, {"off", RED}, {"failed", RED}};

	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		if (strcmp(colors[i].state, state) == 0)
			return colors[i].color;
	return YELLOW;
}

static void
append_state(struct buffer *buffer, const struct status_style *style,
    const char *state, int width)
{
	if (style->color)
		buffer_append_text(buffer, color_of(state));
	buffer_printf(buffer, "%-*s", width, state);
	if (style->color)
		buffer_append_text(buffer, PLAIN);
}

/* Size as people say it: "1337", "64K", "3.5M". */
static void
append_size(struct buffer *buffer, long long bytes)
{
	static const char units[] = "KMGT";
	double size = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		buffer_printf(buffer, "%lld bytes", bytes);
		return;
	}
	for (size /= 1024; size >= 1024 && units[unit + 1] != '\0';
	     size /= 1024)
		unit++;
	buffer_printf(
	    buffer, size < 10 ? "%.1f%c" : "%.0f%c", size, units[unit]);
}

/* ", next try in 4m" where object has a time for key. */
static void
append_distance(struct buffer *buffer, const struct status_style *style,
    const char *words, const json_t *object, const char *key)
{
	int64_t at;

	if (!when_parse(json_string_value(json_object_get(object, key)), &at))
		return;
	buffer_append_text(buffer, words);
	when_append_distance(buffer, at, style->now_ms);
}

/* Cut the last line, which began at start, and end it. */
static void
end_line(struct buffer *buffer, const struct status_style *style, size_t start)
{
	struct bytes line = bytes_from(buffer_bytes(buffer), start);
	size_t column = 0;
	size_t i = 0;

	/* Characters count, colors do not. */
	while (style->columns > 0 && i < line.len && column < style->columns) {
		if (line.data[i] == '\033') {
			while (i < line.len && line.data[i] != 'm')
				i++;
			i++;
			continue;
		}
		size_t len = bytes_utf8_len(bytes_from(line, i));
		i += len > 0 ? len : 1;
		column++;
	}
	bool cut = style->columns > 0 && i < line.len;
	if (cut)
		buffer_truncate(buffer, start + i);
	while (buffer->len > start &&
	    buffer_bytes(buffer).data[buffer->len - 1] == ' ')
		buffer_truncate(buffer, buffer->len - 1);
	if (cut && style->color)
		buffer_append_text(buffer, PLAIN);
	buffer_append_char(buffer, '\n');
}

/* ---- the status ---- */

static void
append_head(const json_t *status, const struct status_style *style,
    struct buffer *buffer)
{
	int64_t started;

	buffer_printf(buffer, "postrider %s is ", text_of(status, "version"));
	append_state(buffer, style, text_of(status, "state"), 0);
	buffer_printf(buffer, ", pid %lld", number_of(status, "pid"));
	if (when_parse(text_of(status, "started_at"), &started)) {
		buffer_append_text(buffer, ", since ");
		when_append_local(buffer, started);
		buffer_append_text(buffer, " (");
		when_append_length(buffer, number_of(status, "uptime_ms"));
		buffer_append_char(buffer, ')');
	}
	buffer_append_char(buffer, '\n');
}

static void
append_queue(const json_t *queue, struct buffer *buffer)
{
	long long messages = number_of(queue, "messages");

	buffer_printf(buffer,
	    "\n%-12s%lld message%s: %lld waiting, %lld in flight, "
	    "%lld settling, %lld held; ",
	    "queue", messages, messages == 1 ? "" : "s",
	    number_of(queue, "waiting"), number_of(queue, "in_flight"),
	    number_of(queue, "settling"), number_of(queue, "held"));
	append_size(buffer, number_of(queue, "bytes"));
	buffer_append_text(buffer, " on disk\n");
}

static void
append_counters(const json_t *counters, struct buffer *buffer)
{
	buffer_printf(buffer,
	    "%-12saccepted %lld, delivered %lld, deferred %lld, bounced %lld, "
	    "rejected %lld\n",
	    "since start", number_of(counters, "accepted"),
	    number_of(counters, "delivered"), number_of(counters, "deferred"),
	    number_of(counters, "bounced"), number_of(counters, "rejected"));
	buffer_printf(buffer, "%-12sdrop files taken %lld, refused %lld", "",
	    number_of(counters, "drop_taken"),
	    number_of(counters, "drop_failed"));
	long long doubtful = number_of(counters, "duplicates_possible");
	if (doubtful > 0)
		buffer_printf(
		    buffer, "; possibly delivered twice %lld", doubtful);
	buffer_append_char(buffer, '\n');
}

/* The longest text for key in a list of objects, and one blank. */
static int
width_of(const json_t *list, const char *key)
{
	size_t width = 0;
	size_t i;
	json_t *object;

	json_array_foreach(list, i, object)
	{
		size_t len = strlen(text_of(object, key));

		width = MAX(width, len);
	}
	return (int)(width < 40 ? width : 40) + 1;
}

static void
append_upstream(const json_t *upstream, int width,
    const struct status_style *style, struct buffer *buffer)
{
	size_t start = buffer->len;

	buffer_printf(buffer, "  %-*s %-8s", width, text_of(upstream, "name"),
	    text_of(upstream, "transport"));
	append_state(buffer, style, text_of(upstream, "state"), 8);
	long long in_flight = number_of(upstream, "in_flight");
	if (in_flight > 0)
		buffer_printf(buffer, "%lld in flight  ", in_flight);
	append_shown(buffer, text_of(upstream, "reason"));
	append_distance(buffer, style, "; next try ", upstream, "next_try_at");
	end_line(buffer, style, start);
}

static void
append_upstreams(
    const json_t *list, const struct status_style *style, struct buffer *buffer)
{
	size_t i;
	json_t *upstream;

	if (json_array_size(list) == 0)
		return;
	buffer_append_text(buffer, "\nupstreams\n");
	json_array_foreach(list, i, upstream)
	    append_upstream(upstream, width_of(list, "name"), style, buffer);
}

static void
append_node(const json_t *node, int host_width, int node_width,
    const struct status_style *style, struct buffer *buffer)
{
	size_t start = buffer->len;
	const char *reply = text_of(node, "last_reply");
	long long failures = number_of(node, "failures");

	buffer_printf(buffer, "  %-*s %-*s ", host_width, text_of(node, "host"),
	    node_width, text_of(node, "node"));
	append_state(buffer, style, text_of(node, "state"), 8);
	append_distance(buffer, style, "succeeded ", node, "last_success_at");
	if (failures > 0)
		buffer_printf(buffer, "%lld failures in a row", failures);
	append_distance(buffer, style, ", next ", node, "next_at");
	if (reply[0] != '\0') {
		buffer_append_text(buffer, ": ");
		append_shown(buffer, reply);
	}
	end_line(buffer, style, start);
}

void
status_text_etrn(const json_t *status, const struct status_style *style,
    struct buffer *buffer)
{
	const json_t *list = json_object_get(status, "etrn");
	size_t i;
	json_t *node;

	json_array_foreach(list, i, node) append_node(node,
	    width_of(list, "host"), width_of(list, "node"), style, buffer);
}

/* One line for each text of the list, the name in front of the first. */
static void
append_texts(const char *name, const json_t *list,
    const struct status_style *style, struct buffer *buffer)
{
	size_t i;
	json_t *text;

	json_array_foreach(list, i, text)
	{
		size_t start = buffer->len;

		buffer_printf(buffer, "%-12s", i == 0 ? name : "");
		append_shown(buffer,
		    json_is_string(text) ? json_string_value(text) : "");
		end_line(buffer, style, start);
	}
}

void
status_text(const json_t *status, const struct status_style *style,
    struct buffer *buffer)
{
	const json_t *listeners = json_object_get(status, "listeners");
	const json_t *warnings = json_object_get(status, "warnings");

	append_head(status, style, buffer);
	append_queue(json_object_get(status, "queue"), buffer);
	append_counters(json_object_get(status, "counters"), buffer);
	append_upstreams(json_object_get(status, "upstreams"), style, buffer);
	if (json_array_size(json_object_get(status, "etrn")) > 0)
		buffer_append_text(buffer, "\nETRN\n");
	status_text_etrn(status, style, buffer);
	if (json_array_size(listeners) + json_array_size(warnings) > 0)
		buffer_append_char(buffer, '\n');
	append_texts("listening", listeners, style, buffer);
	append_texts("warning", warnings, style, buffer);
}

/* ---- one message ---- */

static void
append_field(struct buffer *buffer, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	buffer_printf(buffer, "  %-11s", name);
	append_shown(buffer, text);
	buffer_append_char(buffer, '\n');
}

static void
append_time(struct buffer *buffer, const struct status_style *style,
    const json_t *message, const char *key)
{
	int64_t at;

	if (!when_parse(text_of(message, key), &at))
		return;
	when_append_local(buffer, at);
	buffer_append_text(buffer, " (");
	when_append_distance(buffer, at, style->now_ms);
	buffer_append_char(buffer, ')');
}

static void
append_arrival(const json_t *message, const struct status_style *style,
    struct buffer *buffer)
{
	const json_t *uid = json_object_get(message, "uid");
	const char *client = text_of(message, "client");

	buffer_printf(buffer, "  %-11s", "arrived");
	append_time(buffer, style, message, "arrived_at");
	if (json_is_integer(uid))
		buffer_printf(buffer, " from uid %lld",
		    (long long)json_integer_value(uid));
	if (client[0] != '\0') {
		buffer_append_text(buffer, ", ");
		append_shown(buffer, client);
	}
	buffer_append_char(buffer, '\n');
}

static void
append_attempts(const json_t *message, const struct status_style *style,
    struct buffer *buffer)
{
	long long attempts = number_of(message, "attempts");
	long long doubtful = number_of(message, "in_doubt");

	buffer_printf(buffer, "  %-11s%lld", "attempts", attempts);
	if (attempts > 0) {
		buffer_append_text(buffer, ", the last ");
		append_time(buffer, style, message, "attempted_at");
	}
	buffer_append_char(buffer, '\n');
	if (doubtful > 0)
		buffer_printf(buffer,
		    "  %-11s%lld of them may have delivered it\n", "in doubt",
		    doubtful);
}

static void
append_recipient(const json_t *recipient, const struct status_style *style,
    struct buffer *buffer)
{
	const char *upstream = text_of(recipient, "upstream");

	buffer_printf(buffer, "  %-11s", "recipient");
	append_state(buffer, style, text_of(recipient, "state"), 10);
	append_shown(buffer, text_of(recipient, "address"));
	buffer_append_char(buffer, '\n');
	if (text_of(recipient, "reason")[0] == '\0')
		return;
	buffer_printf(
	    buffer, "  %-11s%-10s%s ", "", "", text_of(recipient, "status"));
	append_shown(buffer, text_of(recipient, "reason"));
	if (upstream[0] != '\0') {
		buffer_append_text(buffer, " (");
		append_shown(buffer, upstream);
		buffer_append_char(buffer, ')');
	}
	buffer_append_char(buffer, '\n');
}

static void
append_header(const char *header, struct buffer *buffer)
{
	struct bytes rest = bytes_of(header);

	if (rest.len > 0)
		buffer_append_char(buffer, '\n');
	while (rest.len > 0) {
		struct bytes line = bytes_trim(bytes_cut(&rest, '\n'));
		/* A fold stays visible. */
		bool folded = rest.len + line.len > 0 && line.len > 0 &&
		    line.data > header &&
		    (line.data[-1] == ' ' || line.data[-1] == '\t');

		buffer_append_text(buffer, folded ? "  |   " : "  | ");
		for (size_t i = 0; i < line.len; i++) {
			unsigned char c = (unsigned char)line.data[i];

			buffer_append_char(
			    buffer, c < ' ' || c == 0x7f ? '?' : line.data[i]);
		}
		buffer_append_char(buffer, '\n');
	}
}

void
status_text_message(const json_t *message, const struct status_style *style,
    struct buffer *buffer)
{
	const char *sender = text_of(message, "sender");
	size_t i;
	json_t *recipient;

	buffer_printf(buffer, "%s  ", text_of(message, "queue_id"));
	append_state(buffer, style, text_of(message, "state"), 0);
	if (strcmp(text_of(message, "state"), "waiting") == 0)
		append_distance(
		    buffer, style, ", next try ", message, "next_at");
	buffer_append_char(buffer, '\n');
	append_arrival(message, style, buffer);
	buffer_printf(buffer, "  %-11s%lld\n", "size",
	    number_of(message, "message_size"));
	append_field(
	    buffer, "sender", sender[0] != '\0' ? sender : "<> (a report)");
	append_field(buffer, "ENVID", text_of(message, "envelope_id"));
	append_attempts(message, style, buffer);
	json_array_foreach(json_object_get(message, "history"), i, recipient)
	    append_recipient(recipient, style, buffer);
	append_header(text_of(message, "header"), buffer);
}
