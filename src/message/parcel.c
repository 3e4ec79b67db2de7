#include "message/parcel.h"

#include "message/dropfile.h"
#include "message/header.h"
#include "smtp/params.h"

#include <assert.h>

#define FIELD_NAME  "X-Postrider"
#define ALL_OFFERED UINT32_MAX
#define CHECK_LEN   16

/* ---- writing ---- */

static void
write_sender(struct buffer *buffer, const struct envelope *envelope)
{
	struct mail_params params = envelope_mail_params(envelope);

	buffer_printf(buffer, "X-Sender: <%s>", envelope->sender);
	params_write_mail(buffer, &params, ALL_OFFERED);
	buffer_append_text(buffer, "\r\n");
}

static void
write_receiver(struct buffer *buffer, const struct recipient *recipient)
{
	struct rcpt_params params = envelope_rcpt_params(recipient);

	buffer_printf(buffer, "X-Receiver: <%s>", recipient->address);
	params_write_rcpt(buffer, &params, ALL_OFFERED);
	buffer_append_text(buffer, "\r\n");
}

void
parcel_write(struct buffer *buffer, const struct message *message)
{
	const struct envelope *envelope = &message->envelope;
	const struct progress *progress = &message->progress;

	assert(progress->recipient_count == envelope->recipient_count);
	write_sender(buffer, envelope);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (progress->recipients[i].state == RECIPIENT_WAITING)
			write_receiver(buffer, &envelope->recipients[i]);
	}
	buffer_printf(buffer,
	    FIELD_NAME ": id=%s arrived=%lld size=%llu check=%016llx%s\r\n",
	    queue_id_of(message->id).text, (long long)envelope->arrived_at,
	    (unsigned long long)message->body.len,
	    (unsigned long long)message->check, progress->held ? " held" : "");
}

/* ---- reading ---- */

/* What a word of the line may say, and what was said. */
struct words {
	struct parcel parcel;
	bool has_id, has_arrived, has_size, has_check;
};

static bool
read_number(struct bytes text, uint64_t *out_number)
{
	unsigned long long number;

	if (!bytes_to_u64(text, INT64_MAX, &number))
		return false;
	*out_number = number;
	return true;
}

static bool
read_check(struct bytes text, uint64_t *out_check)
{
	uint64_t check = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_digit = c >= '0' && c <= '9';
		if (!is_digit && !(c >= 'a' && c <= 'f'))
			return false;
		check =
		    check << 4 | (unsigned)(is_digit ? c - '0' : c - 'a' + 10);
	}
	*out_check = check;
	return text.len == CHECK_LEN;
}

/* False: the value is malformed. */
static bool
read_word(struct words *words, struct bytes word)
{
	struct bytes value = word;
	struct bytes name = bytes_cut(&value, '=');
	uint64_t arrived;

	if (bytes_is(name, "id"))
		return words->has_id = queue_id_parse(value, &words->parcel.id);
	if (bytes_is(name, "size"))
		return words->has_size =
			   read_number(value, &words->parcel.size);
	if (bytes_is(name, "check"))
		return words->has_check =
			   read_check(value, &words->parcel.check);
	if (bytes_is(name, "arrived")) {
		words->has_arrived = read_number(value, &arrived);
		if (words->has_arrived)
			words->parcel.arrived_at = (int64_t)arrived;
		return words->has_arrived;
	}
	if (bytes_is(word, "held"))
		words->parcel.is_held = true;
	return true;
}

static bool
read_words(struct bytes text, struct words *words, struct error *error)
{
	while (text.len > 0) {
		struct bytes word = bytes_cut(&text, ' ');
		if (!read_word(words, word))
			return error_set(error, ERROR_DATA, "no %.*s",
			    BYTES_ARGS(
				bytes_first(word, bytes_index(word, '='))));
	}
	if (words->has_id && words->has_arrived && words->has_size &&
	    words->has_check)
		return true;
	return error_set(error, ERROR_DATA, "%s is missing",
	    !words->has_id            ? "id"
		: !words->has_arrived ? "arrived"
		: !words->has_size    ? "size"
				      : "check");
}

static bool
read_own_line(struct bytes rest, struct words *words, struct error *error)
{
	struct header_field field;

	if (!header_next(&rest, &field) ||
	    !bytes_is_nocase(field.name, FIELD_NAME))
		return error_set(error, ERROR_DATA,
		    "there is no " FIELD_NAME
		    " line, so this was not exported from a queue");
	if (!read_words(bytes_trim(field.value), words, error))
		return error_context(error, FIELD_NAME);
	words->parcel.content_from = field.raw.len;
	return true;
}

bool
parcel_read(struct bytes file, struct envelope *envelope,
    struct parcel *out_parcel, struct error *error)
{
	struct dropfile lines;
	struct words words = {.has_id = false};

	if (!dropfile_read_envelope(file, envelope, &lines, error))
		return false;
	if (!lines.has_envelope)
		return error_set(
		    error, ERROR_DATA, "line 1: there is no X-Receiver line");
	struct bytes rest = bytes_from(file, lines.content_from);
	if (!read_own_line(rest, &words, error))
		return error_context(error, "line %zu", lines.lines);
	size_t len = rest.len - words.parcel.content_from;
	words.parcel.content_from += lines.content_from;
	if (len != words.parcel.size)
		return error_set(error, ERROR_DATA,
		    "it has %zu octets of content, and should have %llu: it "
		    "was cut or changed",
		    len, (unsigned long long)words.parcel.size);
	*out_parcel = words.parcel;
	return true;
}
