/* What findings are called, how grave they are, and what they mean. */
#include "message/message.h"
#include "queue/fsck_private.h"
#include "queue/record.h"

#include <assert.h>

/* cost: what is lost.  advice: what to do. */
struct meaning {
	const char *name;
	enum fsck_gravity gravity;
	const char *what;
	const char *cost;
	const char *advice;
};

#define KEPT_BY_START                                                          \
	"start the daemon, which keeps the octets in corrupt/ and goes on"

static const struct meaning meanings[FSCK_KINDS] = {
    [FSCK_EMPTY] = {"empty", FSCK_DOUBTFUL, "there is no segment",
	"all mail, unless this queue was never used",
	"look for the segments, <number>.log, before the daemon starts anew"},
    [FSCK_HEADLESS] = {"headless", FSCK_DAMAGE,
	"both copies of its header are damaged", "all messages in it",
	"restore it from a backup; a start moves it to corrupt/"},
    [FSCK_FOREIGN] = {"foreign", FSCK_DAMAGE, "it is of another queue format",
	"nothing yet; what is said of other segments may be wrong",
	"use the version of postrider that wrote it; a start refuses this "
	"queue"},
    [FSCK_STRANGER] = {"stranger", FSCK_DAMAGE,
	"it does not follow the segment before it: a copy, or of another queue",
	"what it alone holds", "a start moves it to corrupt/"},
    [FSCK_HEADER_COPY] = {"header_copy", FSCK_HARMLESS,
	"one of the two copies of its header is damaged",
	"nothing: the other one is good", "check the disk"},
    [FSCK_UNITS] = {"units", FSCK_DAMAGE, "damaged or missing",
	"the messages in these units; messages that ended in them come back "
	"and are sent again",
	KEPT_BY_START},
    [FSCK_TORN] = {"torn", FSCK_DOUBTFUL,
	"torn: a commit that was under way, or damage",
	"nothing that was promised, if it was a commit under way",
	KEPT_BY_START},
    [FSCK_CONTENT] = {"content", FSCK_DAMAGE, "the content is damaged",
	"this message", "start the daemon, which keeps it in corrupt/"},
    [FSCK_OLD_CONTENT] = {"old_content", FSCK_HARMLESS,
	"the content of a message that has ended, or was copied, is damaged",
	"nothing", "check the disk"},
    [FSCK_FILLING] = {"filling", FSCK_HARMLESS,
	"octets between units are not 0", "nothing", "check the disk"},
    [FSCK_MESSAGE] = {"message", FSCK_DAMAGE, "it cannot be read",
	"this message", "start the daemon, which keeps it in corrupt/"},
    [FSCK_LOST] = {"lost", FSCK_DAMAGE,
	"attempts are recorded here, but the message is not there",
	"this message, unless its end was lost",
	"look for older segments that are gone"},
    [FSCK_LARGE] = {"large", FSCK_DAMAGE, "the content is missing or damaged",
	"this message",
	"restore the file from a backup, or start the daemon, which gives "
	"the message up"},
    [FSCK_ORPHAN] = {"orphan", FSCK_HARMLESS, "it belongs to no message",
	"nothing, unless the message was damaged",
	"a start removes it, or, after damage, moves it to corrupt/"},
    [FSCK_MISSING] = {"missing", FSCK_DAMAGE, "segments are gone",
	"all messages in them",
	"look for them, or restore them from a backup, before the daemon "
	"goes on without them"},
    [FSCK_NO_FILE] = {"no_file", FSCK_DAMAGE, "it is no regular file",
	"nothing by itself; what should be there is not",
	"a start moves it to corrupt/"},
    [FSCK_SHARED] = {"shared", FSCK_DAMAGE,
	"others may write to it, or it belongs to another user than the queue",
	"nothing yet; but nothing in it can be trusted",
	"look who did that, then chown and chmod it; a start refuses this "
	"queue"},
    [FSCK_SUMMARY] = {"summary", FSCK_HARMLESS, "the summary does not count",
	"nothing: a start reads the segment instead", "delete it"},
};

const char *
fsck_kind_name(enum fsck_kind kind)
{
	return meanings[kind].name;
}

enum fsck_gravity
fsck_gravity_of(enum fsck_kind kind)
{
	return meanings[kind].gravity;
}

const char *
fsck_gravity_name(enum fsck_gravity gravity)
{
	switch (gravity) {
	case FSCK_HARMLESS:
		return "harmless";
	case FSCK_DOUBTFUL:
		return "doubtful";
	case FSCK_DAMAGE:
		break;
	}
	return "damage";
}

static void
append_units(struct buffer *what, const struct fsck_finding *finding)
{
	unsigned long long first = finding->first_unit;

	if (finding->units == 1)
		buffer_printf(what, "unit %llu: ", first);
	else if (finding->units > 1)
		buffer_printf(what, "units %llu to %llu: ", first,
		    first + finding->units - 1);
}

void
fsck_describe(const struct fsck_finding *finding, struct buffer *what,
    struct buffer *cost, struct buffer *advice)
{
	const struct meaning *meaning = &meanings[finding->kind];

	assert(meaning->name != NULL);
	if (finding->kind == FSCK_UNITS || finding->kind == FSCK_TORN)
		append_units(what, finding);
	buffer_append_text(what, meaning->what);
	if (finding->kind == FSCK_FOREIGN)
		buffer_printf(what, " (%u; this program reads %d)",
		    (unsigned)finding->version, RECORD_VERSION);
	if (finding->detail != NULL)
		buffer_printf(what, ": %s", finding->detail);
	buffer_append_text(cost,
	    finding->is_summed ? "what is told of its messages, and no more: "
				 "the summary knows what was there"
			       : meaning->cost);
	buffer_append_text(advice,
	    finding->is_summed ? "start the daemon, and leave the summary alone"
		: finding->is_kept ? "nothing: a start has told of it, and "
				     "corrupt/ has what is left"
				   : meaning->advice);
}
