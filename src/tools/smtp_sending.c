#include "tools/smtp_sending.h"

#include "base/memory.h"
#include "message/header.h"
#include "tools/smtp_delivery.h"
#include "tools/smtp_envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Of a test letter: an argument has less. */
#define TEST_MAX ((size_t)16 * 1024 * 1024)

/* ---- before connecting ---- */

static bool
check_file(struct smtp_visit *visit, const char *name)
{
	struct stat file;

	errno = 0;
	if (access(name, R_OK) == 0 && stat(name, &file) == 0 &&
	    S_ISDIR(file.st_mode))
		errno = EISDIR;
	if (errno == 0)
		return true;
	smtp_report_fault(
	    &visit->report, EX_USAGE, "-m %s: %s", name, strerror(errno));
	return false;
}

static bool
check_letters(struct smtp_visit *visit)
{
	const struct smtp_list *letters = &visit->words->letters;
	size_t inputs = 0;

	for (size_t i = 0; i < letters->count; i++) {
		const char *name = letters->items[i];
		const bool is_input = strcmp(name, "-") == 0;

		inputs += is_input;
		if (inputs > 1) {
			smtp_report_fault(&visit->report, EX_USAGE,
			    "-m -: standard input is there but once");
			return false;
		}
		if (!is_input && !check_file(visit, name))
			return false;
	}
	return true;
}

static bool
check_recipients(struct smtp_visit *visit, const char *const *to)
{
	if (to != NULL && to[0] != NULL)
		return true;
	smtp_report_fault(&visit->report, EX_USAGE, "to whom? say -t ADDRESS");
	return false;
}

/* Connected and greeted, and --quit-after is further on. */
static bool
is_open(struct smtp_visit *visit)
{
	const int stop = visit->words->stop;

	return smtp_visit_connect(visit) && stop != SMTP_STOP_CONNECT &&
	    smtp_visit_greet(visit) && stop != SMTP_STOP_EHLO;
}

/* Where the sender is not said: who calls, at this host; to be freed. */
static char *
sender_of(const struct smtp_words *words)
{
	if (words->from != NULL)
		return memory_copy_text(words->from);
	if (words->helo != NULL)
		return smtp_letter_sender(words->helo);
	char *hostname = smtp_default_hostname();
	char *sender = smtp_letter_sender(hostname);
	smtp_free_str(hostname);
	return sender;
}

/* ---- letters ---- */

typedef void letter_fn(struct smtp_visit *visit, const char *from,
    const char *name, const struct smtp_letter *letter);

static void
with_letter(
    struct smtp_visit *visit, const char *from, const char *name, letter_fn *fn)
{
	struct smtp_letter letter;
	struct error error;

	if (smtp_letter_open(name, &letter, &error))
		fn(visit, from, name, &letter);
	else
		smtp_delivery_fault(visit, name, "%s", error_text(&error));
	smtp_letter_close(&letter);
}

static void
with_letters(struct smtp_visit *visit, const char *from, letter_fn *fn)
{
	const struct smtp_list *letters = &visit->words->letters;

	for (size_t i = 0; i < letters->count; i++) {
		/* --quit-after data has left. */
		if (visit->words->stop == SMTP_STOP_DATA &&
		    !smtp_connected(visit->session))
			return;
		with_letter(visit, from, letters->items[i], fn);
	}
}

static void
send_letter(struct smtp_visit *visit, const char *from, const char *name,
    const struct smtp_letter *letter)
{
	const struct smtp_delivery delivery = {
	    .name = name,
	    .is_one_of_several = visit->words->letters.count > 1,
	    .from = from,
	    .to = smtp_list_get(&visit->words->to),
	    .letter = letter,
	};

	smtp_delivery_send(visit, &delivery);
}

static void
send_test(struct smtp_visit *visit, const char *from)
{
	struct buffer content;
	struct error error;

	buffer_init(&content, TEST_MAX);
	if (smtp_letter_make(visit->words, from, &content, &error)) {
		const struct smtp_letter letter =
		    smtp_letter_of(buffer_bytes(&content));
		send_letter(visit, from, "test letter", &letter);
	} else {
		smtp_report_fault(
		    &visit->report, EX_USAGE, "%s", error_text(&error));
	}
	buffer_clear(&content);
}

static void
send_all(struct smtp_visit *visit, const char *from)
{
	if (visit->words->stop != SMTP_STOP_NEVER)
		smtp_envelope_say(visit, from, smtp_list_get(&visit->words->to),
		    (enum smtp_stop)visit->words->stop);
	else if (visit->words->letters.count == 0)
		send_test(visit, from);
	else
		with_letters(visit, from, send_letter);
}

void
smtp_sending_send(struct smtp_visit *visit)
{
	const int stop = visit->words->stop;
	const bool needs_to = stop == SMTP_STOP_NEVER || stop >= SMTP_STOP_RCPT;

	if (!check_letters(visit) ||
	    (needs_to &&
		!check_recipients(visit, smtp_list_get(&visit->words->to))))
		return;
	char *from = sender_of(visit->words);
	if (is_open(visit))
		send_all(visit, from);
	free(from);
}

/* ---- msg ---- */

/* Octets of a leading line "From a@b Mon Nov ...", which is no field. */
static size_t
mbox_line_len(struct bytes content)
{
	return bytes_has_prefix(content, "From ") && header_len(content) == 0
	    ? bytes_index(content, '\n') + 1
	    : 0;
}

/* The envelope is in the header, and that in the head; NULL, told: not so. */
static smtp_msg *
prepare(struct smtp_visit *visit, const char *from, const char *name,
    const struct smtp_letter *letter)
{
	const struct bytes head =
	    bytes_from(letter->head, mbox_line_len(letter->head));
	smtp_msg *message = NULL;

	if (letter->rest.fd >= 0 && header_len(head) == head.len)
		smtp_delivery_fault(visit, name,
		    "%s: its header is larger than %zu KiB; send takes it",
		    name, SMTP_LETTER_HEAD_MAX / 1024);
	else if (smtp_prepare(head.data, head.len, from,
		     smtp_list_get(&visit->words->to), &message) != SMTP_OK)
		smtp_delivery_fault(visit, name,
		    "%s: no envelope in its header: it has no From or Sender "
		    "(say -f), an address that is none, or is resent twice",
		    name);
	return message;
}

static void
send_prepared(struct smtp_visit *visit, const struct smtp_delivery *delivery)
{
	const int stop = visit->words->stop;

	if (delivery->to[0] == NULL)
		smtp_delivery_fault(visit, delivery->name,
		    "%s: to whom? say -t ADDRESS", delivery->name);
	else if (stop != SMTP_STOP_NEVER)
		smtp_envelope_say(
		    visit, delivery->from, delivery->to, (enum smtp_stop)stop);
	else
		smtp_delivery_send(visit, delivery);
}

static void
send_message(struct smtp_visit *visit, const char *from, const char *name,
    const struct smtp_letter *letter)
{
	smtp_msg *message = prepare(visit, from, name, letter);
	struct smtp_letter prepared = *letter;
	size_t len = 0;

	if (message == NULL)
		return;
	const void *data = smtp_msg_data(message, &len);
	prepared.head = bytes_make(data, len);
	const struct smtp_delivery delivery = {
	    .name = name,
	    .is_one_of_several = visit->words->letters.count > 1,
	    .from = smtp_msg_from(message),
	    .to = smtp_msg_to(message),
	    .letter = &prepared,
	    .is_international = smtp_msg_international(message) != 0,
	};
	send_prepared(visit, &delivery);
	smtp_msg_free(message);
}

void
smtp_sending_message(struct smtp_visit *visit)
{
	const char *from = visit->words->from;

	if (!check_letters(visit) || !is_open(visit))
		return;
	if (visit->words->letters.count > 0)
		with_letters(visit, from, send_message);
	else
		with_letter(visit, from, "-", send_message);
}

/* ---- mail, rcpt ---- */

void
smtp_sending_mail(struct smtp_visit *visit)
{
	const struct smtp_words *words = visit->words;
	char *from = words->argument_count > 0
	    ? memory_copy_text(words->arguments[0])
	    : sender_of(words);

	if (is_open(visit))
		smtp_envelope_say(visit, from, NULL, SMTP_STOP_MAIL);
	free(from);
}

void
smtp_sending_rcpt(struct smtp_visit *visit)
{
	const struct smtp_words *words = visit->words;
	struct smtp_list to = {0};
	char *from = sender_of(words);

	for (size_t i = 0; i < words->to.count; i++)
		smtp_list_add(&to, bytes_of(words->to.items[i]));
	for (int i = 0; i < words->argument_count; i++)
		smtp_list_add(&to, bytes_of(words->arguments[i]));
	if (check_recipients(visit, smtp_list_get(&to)) && is_open(visit))
		smtp_envelope_say(
		    visit, from, smtp_list_get(&to), SMTP_STOP_RCPT);
	smtp_list_clear(&to);
	free(from);
}
