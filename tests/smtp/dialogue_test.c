#include "smtp/dialogue.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)4 * 1024 * 1024)

static const char *const event_names[] = {
    [SMTP_CLIENT_READY] = "READY",
    [SMTP_CLIENT_START_TLS] = "START_TLS",
    [SMTP_CLIENT_WANT_CONTENT] = "WANT_CONTENT",
    [SMTP_CLIENT_RECIPIENT] = "RECIPIENT",
    [SMTP_CLIENT_DONE] = "DONE",
    [SMTP_CLIENT_REPLY] = "REPLY",
    [SMTP_CLIENT_OVER] = "OVER",
};

static const char *const kind_names[] = {
    [SMTP_REPLIED] = "",
    [SMTP_CLOSED] = " closed",
    [SMTP_TIMED_OUT] = " timed out",
    [SMTP_MALFORMED] = " malformed",
    [SMTP_NOT_OFFERED] = " not offered",
    [SMTP_FAILED] = " failed",
};

static size_t
message_number(const struct dialogue_player *player,
    const struct smtp_client_message *message)
{
	size_t i = 0;

	while (message != &player->dialogue->messages[i].message)
		i++;
	return i + 1;
}

/* ---- telling ---- */

static void
tell_outcome(struct dialogue_player *player, const struct smtp_outcome *outcome)
{
	struct buffer *log = player->log;

	buffer_printf(log, " %s%s", smtp_phase_name(outcome->phase),
	    kind_names[outcome->kind]);
	if (outcome->code != 0)
		buffer_printf(log, " %d", outcome->code);
	if (outcome->enhanced.len > 0)
		buffer_printf(log, " %.*s", BYTES_ARGS(outcome->enhanced));
	if (outcome->in_doubt)
		buffer_append_text(log, ", in doubt");
	cr_expect_gt(outcome->text.len, 0, "an outcome without a text");
	if (player->dialogue->with_texts) {
		buffer_append_text(log, ": ");
		transcript_escape(log, outcome->text);
	}
}

static void
tell_event(
    struct dialogue_player *player, const struct smtp_client_event *event)
{
	const bool has_outcome = event->kind == SMTP_CLIENT_RECIPIENT ||
	    event->kind == SMTP_CLIENT_DONE ||
	    event->kind == SMTP_CLIENT_REPLY || event->kind == SMTP_CLIENT_OVER;

	buffer_printf(player->log, "E: %s", event_names[event->kind]);
	if (event->message != NULL)
		buffer_printf(player->log, " %zu",
		    message_number(player, event->message));
	if (event->kind == SMTP_CLIENT_RECIPIENT)
		buffer_printf(player->log, ".%zu", event->recipient);
	if (has_outcome)
		tell_outcome(player, &event->outcome);
	buffer_append_char(player->log, '\n');
}

static void
tell_trace(bool sent, struct bytes octets, bool secret, void *ctx)
{
	struct dialogue_player *player = ctx;

	buffer_printf(player->log, "T: %s%s ", sent ? "sent" : "got",
	    secret ? " secret" : "");
	transcript_escape(player->log, octets);
	buffer_append_char(player->log, '\n');
}

/* All output leaves, and is told line by line. */
static void
write_out(struct dialogue_player *player)
{
	struct bytes rest = buffer_bytes(&player->output);

	while (rest.len > 0) {
		const size_t end = bytes_search(rest, BYTES("\r\n"));
		const bool is_line = end < rest.len;
		buffer_append_text(player->log, is_line ? "C: " : "P: ");
		transcript_escape(player->log, bytes_first(rest, end));
		buffer_append_char(player->log, '\n');
		rest = bytes_from(rest, is_line ? end + 2 : end);
	}
	buffer_empty(&player->output);
}

/* ---- driving ---- */

/* Bare content is the first message's. */
static void
give_content(
    struct dialogue_player *player, const struct smtp_client_message *message)
{
	const size_t index =
	    message != NULL ? message_number(player, message) - 1 : 0;
	const struct dialogue_message *source =
	    &player->dialogue->messages[index];
	const struct bytes rest =
	    bytes_from(bytes_of(source->content), player->given[index]);
	const struct bytes stretch =
	    bytes_first(rest, source->stretch > 0 ? source->stretch : rest.len);

	player->given[index] += stretch.len;
	smtp_client_content(
	    player->client, stretch, stretch.len == rest.len, player->now);
}

static void
take_events(struct dialogue_player *player)
{
	struct smtp_client_event event;

	while (smtp_client_next(player->client, player->now, &event)) {
		const bool is_request = event.kind == SMTP_CLIENT_WANT_CONTENT;
		if (!is_request || player->dialogue->with_requests)
			tell_event(player, &event);
		if (is_request)
			give_content(player, event.message);
	}
}

static void
settle(struct dialogue_player *player)
{
	take_events(player);
	while (player->output.len > 0) {
		write_out(player);
		take_events(player);
	}
}

/* What the client says to a turn leaves only behind it, so that it does not
 * matter where the turn is cut. */
void
dialogue_feed(struct dialogue_player *player, struct bytes turn)
{
	while (turn.len > 0) {
		const size_t len = transcript_piece(&player->cuts, turn.len);
		buffer_append(&player->input, bytes_first(turn, len));
		turn = bytes_from(turn, len);
		take_events(player);
	}
	settle(player);
}

static enum smtp_phase
find_phase(struct bytes name)
{
	unsigned i = 0;

	while (i < SMTP_PHASE_COUNT &&
	    !bytes_is(name, smtp_phase_name((enum smtp_phase)i)))
		i++;
	cr_assert_lt(i, SMTP_PHASE_COUNT, "no phase %.*s", BYTES_ARGS(name));
	return (enum smtp_phase)i;
}

static unsigned
number(struct bytes text)
{
	unsigned long long value = 0;

	cr_assert(bytes_to_u64(text, 100000000, &value));
	return (unsigned)value;
}

static void
do_open(struct dialogue_player *player, struct bytes rest)
{
	(void)rest;
	smtp_client_open(player->client, player->now);
}

static void
do_start(struct dialogue_player *player, struct bytes rest)
{
	smtp_client_start(player->client, find_phase(rest), player->now);
}

static void
do_start_content(struct dialogue_player *player, struct bytes rest)
{
	player->given[0] = 0;
	smtp_client_start_content(player->client, number(rest), player->now);
}

static void
do_send(struct dialogue_player *player, struct bytes rest)
{
	const size_t index = number(rest) - 1;

	cr_assert(smtp_client_can_send(player->client));
	player->given[index] = 0;
	smtp_client_send(player->client,
	    &player->dialogue->messages[index].message, player->now);
}

static void
do_command(struct dialogue_player *player, struct bytes rest)
{
	cr_expect(smtp_client_command(player->client, rest, player->now));
}

static void
do_secret(struct dialogue_player *player, struct bytes rest)
{
	cr_expect(
	    smtp_client_secret_command(player->client, rest, player->now));
}

static void
do_write(struct dialogue_player *player, struct bytes rest)
{
	smtp_client_write(player->client, rest);
	smtp_client_write(player->client, BYTES("\r\n"));
}

static void
do_expect(struct dialogue_player *player, struct bytes rest)
{
	(void)rest;
	smtp_client_expect(player->client, player->now);
}

static void
do_quit(struct dialogue_player *player, struct bytes rest)
{
	(void)rest;
	smtp_client_quit(player->client, player->now);
}

static void
do_tls(struct dialogue_player *player, struct bytes rest)
{
	(void)rest;
	smtp_client_tls_started(player->client, player->now);
}

static void
do_eof(struct dialogue_player *player, struct bytes rest)
{
	smtp_client_eof(player->client, rest);
}

static void
do_fail(struct dialogue_player *player, struct bytes rest)
{
	smtp_client_fail(player->client, find_phase(rest), BYTES("as told"));
}

static void
do_wait(struct dialogue_player *player, struct bytes rest)
{
	player->now += number(rest);
}

static const struct {
	const char *verb;
	void (*run)(struct dialogue_player *player, struct bytes rest);
} orders[] = {
    {"open", do_open},
    {"start", do_start},
    {"start-content", do_start_content},
    {"send", do_send},
    {"command", do_command},
    {"secret", do_secret},
    {"write", do_write},
    {"expect", do_expect},
    {"quit", do_quit},
    {"tls", do_tls},
    {"eof", do_eof},
    {"fail", do_fail},
    {"wait", do_wait},
};

void
dialogue_order(struct dialogue_player *player, struct bytes line)
{
	const size_t count = sizeof(orders) / sizeof(orders[0]);
	const struct bytes verb = bytes_cut(&line, ' ');
	size_t i = 0;

	while (i < count && !bytes_is(verb, orders[i].verb))
		i++;
	cr_assert_lt(i, count, "no order %.*s", BYTES_ARGS(verb));
	orders[i].run(player, line);
	settle(player);
}

void
dialogue_init(struct dialogue_player *player, const struct dialogue *dialogue,
    struct buffer *log)
{
	*player = (struct dialogue_player){
	    .dialogue = dialogue,
	    .options = dialogue->options,
	    .log = log,
	    .cuts = {TRANSCRIPT_WHOLE, 0},
	    .now = 1000,
	};
	if (player->options.hello == NULL)
		player->options.hello = "me.example";
	if (dialogue->with_trace) {
		player->options.trace = tell_trace;
		player->options.trace_ctx = player;
	}
	buffer_init(&player->input, INPUT_MAX);
	buffer_init(&player->output, SMTP_CLIENT_OUTPUT_MAX);
	player->client =
	    smtp_client_new(&player->options, &player->input, &player->output);
	if (dialogue->binding.len > 0)
		smtp_client_set_channel_binding(
		    player->client, dialogue->binding, BYTES_NONE);
}

void
dialogue_clear(struct dialogue_player *player)
{
	smtp_client_free(player->client);
	buffer_clear(&player->input);
	buffer_clear(&player->output);
}

static bool
is_server_line(char kind)
{
	return kind == 'S' || kind == 'B';
}

/* Server lines that stand together make one turn. */
static void
run(const char *text, struct transcript_cuts *cuts, struct buffer *log,
    void *ctx)
{
	struct dialogue_player player;
	struct buffer turn;
	struct bytes rest = bytes_of(text);
	struct transcript_line line;

	dialogue_init(&player, ctx, log);
	player.cuts = *cuts;
	buffer_init(&turn, INPUT_MAX);
	while (transcript_next(&rest, &line)) {
		if (is_server_line(line.kind)) {
			transcript_unescape(&turn, line.text);
			if (line.kind == 'S')
				buffer_append_text(&turn, "\r\n");
			continue;
		}
		dialogue_feed(&player, buffer_bytes(&turn));
		buffer_empty(&turn);
		if (line.kind == 'O')
			dialogue_order(&player, line.text);
	}
	dialogue_feed(&player, buffer_bytes(&turn));
	buffer_clear(&turn);
	dialogue_clear(&player);
}

void
dialogue_check(const struct dialogue *dialogue)
{
	struct dialogue copy = *dialogue;

	transcript_check(dialogue->name, dialogue->text, "CPET", run, &copy);
}
