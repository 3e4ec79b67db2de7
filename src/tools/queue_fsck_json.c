/* What fsck found, for programs. */
#include "message/message.h"
#include "tools/queue_fsck.h"

static void
write_sum(struct json_writer *json, const char *key, const struct fsck_sum *sum)
{
	json_writer_object(json, key);
	json_writer_number(json, "count", (int64_t)sum->count);
	json_writer_number(json, "bytes", (int64_t)sum->bytes);
	json_writer_end(json);
}

static void
write_segment(struct json_writer *json, const struct fsck_segment *segment,
    bool is_newest)
{
	json_writer_object(json, NULL);
	json_writer_text(json, "file", segment->name);
	json_writer_number(
	    json, "generation", (int64_t)segment->header.generation);
	json_writer_number(
	    json, "first_unit", (int64_t)segment->header.first_unit);
	json_writer_number(json, "bytes", (int64_t)segment->bytes);
	json_writer_number(json, "end", (int64_t)segment->end);
	json_writer_number(json, "units", (int64_t)segment->units);
	json_writer_number(json, "live", (int64_t)segment->live);
	json_writer_number(
	    json, "ended", (int64_t)(segment->messages - segment->live));
	json_writer_bool(json, "sealed", !is_newest);
	json_writer_bool(json, "recycled", segment->header.is_recycled);
	json_writer_bool(json, "summary", segment->has_summary);
	json_writer_end(json);
}

static void
write_words(struct json_writer *json, const struct fsck_finding *finding)
{
	struct buffer what, cost, advice;

	buffer_init(&what, SIZE_MAX);
	buffer_init(&cost, SIZE_MAX);
	buffer_init(&advice, SIZE_MAX);
	fsck_describe(finding, &what, &cost, &advice);
	json_writer_bytes(json, "what", buffer_bytes(&what));
	json_writer_bytes(json, "lost", buffer_bytes(&cost));
	json_writer_bytes(json, "advice", buffer_bytes(&advice));
	buffer_clear(&what);
	buffer_clear(&cost);
	buffer_clear(&advice);
}

static void
write_finding(struct json_writer *json, const struct fsck_finding *finding)
{
	const char *id =
	    finding->id == 0 ? NULL : queue_id_of(finding->id).text;

	json_writer_object(json, NULL);
	json_writer_text(json, "kind", fsck_kind_name(finding->kind));
	json_writer_text(json, "gravity", fsck_gravity_name(finding->gravity));
	json_writer_text(json, "file", finding->file);
	json_writer_number(json, "generation", (int64_t)finding->segment);
	json_writer_number(json, "offset", (int64_t)finding->offset);
	json_writer_number(json, "bytes", (int64_t)finding->len);
	json_writer_number(json, "first_unit", (int64_t)finding->first_unit);
	json_writer_number(json, "units", (int64_t)finding->units);
	json_writer_text(json, "queue_id", id);
	json_writer_bool(json, "kept", finding->is_kept);
	write_words(json, finding);
	json_writer_end(json);
}

static void
write_lists(struct json_writer *json, const struct fsck *fsck)
{
	json_writer_array(json, "segments");
	for (size_t i = 0; i < fsck->segment_count; i++)
		write_segment(
		    json, &fsck->segments[i], i + 1 == fsck->segment_count);
	json_writer_end(json);
	json_writer_array(json, "corrupt");
	for (size_t i = 0; i < fsck->kept_count; i++) {
		json_writer_object(json, NULL);
		json_writer_text(json, "file", fsck->kept[i].name);
		json_writer_number(json, "bytes", (int64_t)fsck->kept[i].bytes);
		json_writer_end(json);
	}
	json_writer_end(json);
	json_writer_array(json, "findings");
	for (size_t i = 0; i < fsck->finding_count; i++)
		write_finding(json, &fsck->findings[i]);
	json_writer_end(json);
}

void
queue_fsck_json(
    const struct fsck *fsck, const char *path, struct buffer *buffer)
{
	struct json_writer json;

	json_writer_init(&json, buffer);
	json_writer_object(&json, NULL);
	json_writer_text(&json, "directory", path);
	json_writer_bool(&json, "live", fsck->is_live);
	write_sum(&json, "waiting", &fsck->waiting);
	write_sum(&json, "held", &fsck->held);
	write_sum(&json, "large", &fsck->large);
	write_sum(&json, "orphans", &fsck->orphans);
	json_writer_number(&json, "units", (int64_t)fsck->units);
	if (fsck->has_spare)
		json_writer_number(
		    &json, "spare_bytes", (int64_t)fsck->spare_bytes);
	for (int i = 0; i < FSCK_GRAVITIES; i++)
		json_writer_number(&json,
		    fsck_gravity_name((enum fsck_gravity)i),
		    (int64_t)fsck->gravities[i]);
	write_lists(&json, fsck);
	json_writer_end_line(&json);
}
