#include "smtp/smtp_outcome.h"

#include <string.h>

/* Room for a text that is not given back between outcomes. */
#define KEPT_CAPACITY ((size_t)4096)

void
smtp_outcome_keep(
    struct smtp_kept_outcome *kept, const struct smtp_outcome *outcome)
{
	const struct bytes enhanced =
	    bytes_first(outcome->enhanced, sizeof(kept->enhanced));

	if (kept->text.capacity > KEPT_CAPACITY)
		buffer_clear(&kept->text);
	kept->text.limit = REPLY_SIZE_MAX;
	buffer_empty(&kept->text);
	buffer_append(&kept->text, outcome->text);
	memcpy(kept->enhanced, enhanced.data, enhanced.len);
	kept->outcome = *outcome;
	kept->outcome.enhanced = bytes_make(kept->enhanced, enhanced.len);
	kept->outcome.text = buffer_bytes(&kept->text);
	kept->is_set = true;
}

void
smtp_outcome_drop(struct smtp_kept_outcome *kept)
{
	buffer_clear(&kept->text);
	kept->is_set = false;
}

struct smtp_outcome
smtp_outcome_replied(enum smtp_phase phase, const struct reply *reply)
{
	return (struct smtp_outcome){
	    .kind = SMTP_REPLIED,
	    .phase = phase,
	    .code = reply->code,
	    .enhanced = reply->enhanced,
	    .text = reply->text.len > 0 ? reply->text : BYTES("(no text)"),
	};
}

struct smtp_outcome
smtp_outcome_not_offered(
    enum smtp_phase phase, int code, const char *enhanced, const char *text)
{
	return (struct smtp_outcome){
	    .kind = SMTP_NOT_OFFERED,
	    .phase = phase,
	    .code = code,
	    .enhanced = bytes_of(enhanced),
	    .text = bytes_of(text),
	};
}
