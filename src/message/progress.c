#include "message/progress.h"

#include "base/memory.h"
#include "message/printable.h"

#include <assert.h>
#include <stdlib.h>

#define TEXT_MAX ((size_t)1024)

void
progress_init(struct progress *progress, size_t recipient_count)
{
	*progress = (struct progress){
	    .recipients = memory_array(
		recipient_count, sizeof(struct recipient_progress)),
	    .recipient_count = recipient_count,
	};
}

static void
clear_texts(struct recipient_progress *recipient)
{
	free(recipient->status);
	free(recipient->reason);
	free(recipient->upstream);
	recipient->status = NULL;
	recipient->reason = NULL;
	recipient->upstream = NULL;
}

void
progress_clear(struct progress *progress)
{
	for (size_t i = 0; i < progress->recipient_count; i++)
		clear_texts(&progress->recipients[i]);
	free(progress->recipients);
	*progress = (struct progress){0};
}

static char *
copy_of(const char *text)
{
	return text == NULL ? NULL : memory_copy_text(text);
}

void
progress_copy(struct progress *to, const struct progress *from)
{
	struct progress copy = *from;

	assert(to != from);
	copy.recipients = memory_array(
	    from->recipient_count, sizeof(struct recipient_progress));
	for (size_t i = 0; i < from->recipient_count; i++) {
		const struct recipient_progress *source = &from->recipients[i];
		copy.recipients[i] = (struct recipient_progress){
		    .state = source->state,
		    .status = copy_of(source->status),
		    .reason = copy_of(source->reason),
		    .upstream = copy_of(source->upstream),
		};
	}
	progress_clear(to);
	*to = copy;
}

static char *
text_of(struct bytes text)
{
	return text.len == 0 ? NULL : printable_copy(text, TEXT_MAX, true);
}

void
progress_set(struct progress *progress, size_t recipient,
    enum recipient_state state, struct bytes status, struct bytes reason,
    struct bytes upstream)
{
	assert(recipient < progress->recipient_count);
	struct recipient_progress *entry = &progress->recipients[recipient];
	/* The new texts may be views of the old ones. */
	struct recipient_progress old = *entry;

	*entry = (struct recipient_progress){
	    .state = state,
	    .status = text_of(status),
	    .reason = text_of(reason),
	    .upstream = text_of(upstream),
	};
	clear_texts(&old);
}

size_t
progress_count(const struct progress *progress, enum recipient_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < progress->recipient_count; i++)
		count += progress->recipients[i].state == state;
	return count;
}

bool
progress_is_finished(const struct progress *progress)
{
	return progress_count(progress, RECIPIENT_WAITING) == 0;
}
