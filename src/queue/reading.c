#include "queue/reading.h"

#include "queue/facts.h"

static bool
read_facts(struct reading *reading, struct error *error)
{
	switch (reading->head.type) {
	case RECORD_MESSAGE:
		return facts_read_envelope(
		    reading->head.facts, &reading->envelope, error);
	case RECORD_PROGRESS:
		return facts_read_progress(
		    reading->head.facts, &reading->progress, error);
	case RECORD_FINISHED:
		return true;
	}
	return false;
}

bool
reading_take(struct bytes heads, struct reading *readings, size_t *out_count)
{
	struct record_cursor cursor = {0};
	struct record_head head;
	struct error ignored;
	bool is_malformed = false;

	*out_count = 0;
	while (record_next(heads, &cursor, &head, &is_malformed)) {
		if (*out_count == UNIT_RECORDS_MAX)
			return false;
		struct reading *reading = &readings[(*out_count)++];
		*reading = (struct reading){.head = head};
		if (head.type == RECORD_MESSAGE)
			envelope_init(&reading->envelope);
		if (!read_facts(reading, &ignored))
			return false;
	}
	return !is_malformed;
}

void
reading_clear(struct reading *readings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		envelope_clear(&readings[i].envelope);
		progress_clear(&readings[i].progress);
	}
}
