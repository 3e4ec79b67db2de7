/* What fsck found, for people. */
#include "message/message.h"
#include "message/printable.h"
#include "tools/queue_fsck.h"

#include <string.h>

#define NAME_MAX_SHOWN ((size_t)255)
/* Files of corrupt/ that are listed by name. */
#define KEPT_SHOWN ((size_t)10)

static const char *
plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void
append_sum(struct buffer *buffer, const struct fsck_sum *sum, const char *what)
{
	buffer_printf(buffer, "%llu %s", (unsigned long long)sum->count, what);
	if (sum->count > 0)
		buffer_printf(
		    buffer, " (%llu octets)", (unsigned long long)sum->bytes);
}

static void
append_name(struct buffer *buffer, const char *name)
{
	printable_append(buffer, bytes_of(name), NAME_MAX_SHOWN, true);
}

/* ---- what is there ---- */

static void
append_kept(struct buffer *buffer, const struct fsck *fsck)
{
	buffer_append_text(buffer, "corrupt   ");
	append_sum(buffer, &fsck->kept_sum, "in quarantine");
	buffer_append_char(buffer, '\n');
	for (size_t i = 0; i < fsck->kept_count && i < KEPT_SHOWN; i++) {
		buffer_printf(buffer, "          %12llu  ",
		    (unsigned long long)fsck->kept[i].bytes);
		append_name(buffer, fsck->kept[i].name);
		buffer_append_char(buffer, '\n');
	}
	if (fsck->kept_count > KEPT_SHOWN)
		buffer_printf(buffer, "          and %zu more\n",
		    fsck->kept_count - KEPT_SHOWN);
}

static void
append_sums(struct buffer *buffer, const struct fsck *fsck, const char *path)
{
	buffer_append_text(buffer, "queue     ");
	append_name(buffer, path);
	buffer_append_text(
	    buffer, fsck->is_live ? ", which may be changing\n" : "\n");
	buffer_append_text(buffer, "messages  ");
	append_sum(buffer, &fsck->waiting, "waiting");
	buffer_append_text(buffer, ", ");
	append_sum(buffer, &fsck->held, "held");
	buffer_append_text(buffer, "\nlarge     ");
	append_sum(buffer, &fsck->large, "in use");
	buffer_append_text(buffer, ", ");
	append_sum(buffer, &fsck->orphans, "of no message");
	buffer_append_char(buffer, '\n');
	append_kept(buffer, fsck);
	if (fsck->has_spare)
		buffer_printf(buffer, "spare     %llu octets\n",
		    (unsigned long long)fsck->spare_bytes);
}

static void
append_segment(
    struct buffer *buffer, const struct fsck_segment *segment, bool is_newest)
{
	uint64_t rest =
	    segment->bytes > segment->end ? segment->bytes - segment->end : 0;

	buffer_printf(buffer,
	    "%-20s  %10llu  %10llu  %11llu  %8llu  %8llu  %8llu  %s",
	    segment->name, (unsigned long long)segment->header.generation,
	    (unsigned long long)segment->header.first_unit,
	    (unsigned long long)segment->bytes,
	    (unsigned long long)segment->units,
	    (unsigned long long)segment->live,
	    (unsigned long long)(segment->messages - segment->live),
	    is_newest ? "newest" : "sealed");
	if (segment->has_summary)
		buffer_append_text(buffer, ", summary");
	if (segment->header.is_recycled)
		buffer_printf(buffer, ", recycled, %llu octets behind its end",
		    (unsigned long long)rest);
	buffer_append_char(buffer, '\n');
}

static void
append_segments(struct buffer *buffer, const struct fsck *fsck)
{
	if (fsck->segment_count == 0)
		return;
	buffer_printf(buffer, "\n%-20s  %10s  %10s  %11s  %8s  %8s  %8s  %s\n",
	    "segment", "generation", "first unit", "octets", "units", "live",
	    "ended", "state");
	for (size_t i = 0; i < fsck->segment_count; i++)
		append_segment(
		    buffer, &fsck->segments[i], i + 1 == fsck->segment_count);
}

/* ---- what is wrong ---- */

static void
append_where(struct buffer *buffer, const struct fsck_finding *finding)
{
	const char *separator = "";

	if (finding->file[0] != '\0') {
		append_name(buffer, finding->file);
		separator = ", ";
	}
	if (finding->segment != 0)
		buffer_printf(
		    buffer, " at %llu", (unsigned long long)finding->offset);
	if (finding->len > 0) {
		buffer_printf(buffer, "%s%llu octets", separator,
		    (unsigned long long)finding->len);
		separator = ", ";
	}
	if (finding->id != 0)
		buffer_printf(buffer, "%smessage %s", separator,
		    queue_id_of(finding->id).text);
	if (buffer->len > 0)
		buffer_append_text(buffer, ": ");
}

static void
append_finding(struct buffer *buffer, const struct fsck_finding *finding)
{
	struct buffer what, cost, advice;

	buffer_init(&what, SIZE_MAX);
	buffer_init(&cost, SIZE_MAX);
	buffer_init(&advice, SIZE_MAX);
	append_where(&what, finding);
	fsck_describe(finding, &what, &cost, &advice);
	buffer_printf(buffer, "\n%-9s ", fsck_gravity_name(finding->gravity));
	buffer_append(buffer, buffer_bytes(&what));
	buffer_append_text(buffer, "\n          lost: ");
	buffer_append(buffer, buffer_bytes(&cost));
	buffer_append_text(buffer, "\n          do:   ");
	buffer_append(buffer, buffer_bytes(&advice));
	buffer_append_char(buffer, '\n');
	buffer_clear(&what);
	buffer_clear(&cost);
	buffer_clear(&advice);
}

static void
append_verdict(struct buffer *buffer, const struct fsck *fsck)
{
	unsigned long long damage = fsck->gravities[FSCK_DAMAGE];
	unsigned long long doubtful = fsck->gravities[FSCK_DOUBTFUL];
	unsigned long long harmless = fsck->gravities[FSCK_HARMLESS];

	if (damage + doubtful + harmless == 0) {
		buffer_printf(buffer,
		    "\nclean: %zu segment%s, %llu unit%s, every check holds\n",
		    fsck->segment_count, plural(fsck->segment_count),
		    (unsigned long long)fsck->units, plural(fsck->units));
		return;
	}
	buffer_printf(buffer,
	    "\nfound: %llu damaged, %llu doubtful, %llu harmless\n", damage,
	    doubtful, harmless);
}

void
queue_fsck_text(
    const struct fsck *fsck, const char *path, struct buffer *buffer)
{
	append_sums(buffer, fsck, path);
	append_segments(buffer, fsck);
	for (size_t i = 0; i < fsck->finding_count; i++)
		append_finding(buffer, &fsck->findings[i]);
	append_verdict(buffer, fsck);
}
