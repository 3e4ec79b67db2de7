/*
 * fsck against queues that the journal has made: undamaged ones, and damaged in
 * every way.  The journal itself is the oracle: what a start finds is what fsck
 * says, and fsck changes nothing.
 *
 * POSTRIDER_MUTATIONS=N in the environment: so many (4,000).
 */
#include "base/memory.h"
#include "lib/queue_damage.h"
#include "queue/fsck.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a disk that nothing may be written to ---- */

static const struct disk *under; /* the fake's own face */

static int
strict_open(
    void *ctx, int directory_fd, const char *name, int flags, mode_t mode)
{
	cr_assert_eq(flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND),
	    O_RDONLY, "%s is opened for writing", name);
	return under->open(ctx, directory_fd, name, flags, mode);
}

/* All that could change anything is not there at all. */
static struct disk
strict(struct fake_disk *fake)
{
	under = fake_disk_face(fake);
	return (struct disk){
	    .ctx = under->ctx,
	    .open = strict_open,
	    .close = under->close,
	    .read = under->read,
	    .size = under->size,
	    .list = under->list,
	    .lock = under->lock,
	};
}

static struct fsck *
look(struct fake_disk *fake, const struct disk *disk)
{
	struct fsck_options options = {.disk = disk, .path = "queue"};
	uint64_t before = fake_disk_hash(fake);
	size_t open = fake_disk_open_count(fake);
	struct fsck *fsck;
	struct error error;

	cr_assert(fsck_run(&options, &fsck, &error), "%s", error_text(&error));
	cr_assert_eq(fake_disk_hash(fake), before, "the queue has changed");
	cr_assert_geq(fake_disk_open_count(fake), open);
	return fsck;
}

static bool
has(const struct fsck *fsck, enum fsck_kind kind, uint64_t id)
{
	for (size_t i = 0; i < fsck->finding_count; i++) {
		if (fsck->findings[i].kind == kind &&
		    (id == 0 || fsck->findings[i].id == id))
			return true;
	}
	return false;
}

/* All findings in one line, for a failure; valid until the next call. */
static const char *
told(const struct fsck *fsck)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < fsck->finding_count && len < sizeof(text); i++) {
		const struct fsck_finding *finding = &fsck->findings[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s %s %llu+%llu units %llu+%llu id %llu; ",
		    fsck_kind_name(finding->kind), finding->file,
		    (unsigned long long)finding->offset,
		    (unsigned long long)finding->len,
		    (unsigned long long)finding->first_unit,
		    (unsigned long long)finding->units,
		    (unsigned long long)finding->id);
	}
	return text;
}

/* ---- what is there ---- */

static const char *const scripts[] = {
    "",
    "a1",
    "a9 p4 f9",
    "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h",
    "a9 a9 a9 f9 f9 d a9 a9 f9 f9 f9 d a9 r a9 f5 d m m m d a9 p9 h l l b",
    "a9 a9 f9 f9 d a9 a9 f9 f9 d a9 a9 f9 f9 d x d r a5 l h",
};

static void
check_messages(struct world *world, const struct fsck *fsck)
{
	struct fsck_sum sums[2] = {{0, 0}, {0, 0}};
	const struct ledger_entry *entry = ledger_after(world->ledger, 0);

	for (; entry != NULL; entry = ledger_after(world->ledger, entry->id)) {
		const struct ledger_entry *found =
		    ledger_find(fsck->ledger, entry->id);
		cr_assert_neq(found, NULL);
		cr_assert_eq(found->place.segment, entry->place.segment);
		cr_assert_eq(found->place.offset, entry->place.offset);
		cr_assert_eq(
		    found->progress_place.offset, entry->progress_place.offset);
		struct fsck_sum *sum = &sums[found->state == LEDGER_HELD];
		sum->count++;
		sum->bytes += entry->size;
	}
	cr_assert_eq(ledger_size(fsck->ledger), ledger_size(world->ledger));
	cr_assert_eq(fsck->waiting.count, sums[0].count);
	cr_assert_eq(fsck->waiting.bytes, sums[0].bytes);
	cr_assert_eq(fsck->held.count, sums[1].count);
	cr_assert_eq(fsck->held.bytes, sums[1].bytes);
}

static void
check_segments(struct world *world, const struct fsck *fsck)
{
	uint64_t live = 0;
	uint64_t units = 0;

	cr_assert_eq(fsck->segment_count, ledger_segment_count(world->ledger));
	for (size_t i = 0; i < fsck->segment_count; i++) {
		const struct fsck_segment *segment = &fsck->segments[i];
		cr_assert_leq(segment->end, segment->bytes);
		cr_assert_leq(segment->live, segment->messages);
		live += segment->live;
		units += segment->units;
	}
	cr_assert_eq(live, ledger_size(world->ledger));
	cr_assert_eq(units, fsck->units);
	cr_assert_eq(fsck->segments[fsck->segment_count - 1].end,
	    journal_current_bytes(world->journal));
}

Test(fsck, finds_nothing_wrong_and_everything_there)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct world world;

		world_init(&world, fake_disk_new());
		cr_assert(world_start(&world));
		cr_assert(world_run(&world, scripts[i]));
		struct fake_disk *fake = fake_disk_after_kill(world.fake);
		struct disk disk = strict(fake);
		struct fsck *fsck = look(fake, &disk);
		cr_assert_eq(
		    fsck->finding_count, 0, "%s: %s", scripts[i], told(fsck));
		check_messages(&world, fsck);
		check_segments(&world, fsck);
		fsck_free(fsck);
		cr_assert_eq(fake_disk_open_count(fake), 0);
		fake_disk_free(fake);
		world_clear(&world);
	}
}

/* ---- what is damaged ---- */

static uint64_t
unit_number(const struct world *before, const struct queue_map *map,
    struct queue_stretch unit)
{
	struct bytes file =
	    fake_disk_get(before->fake, map->files[unit.file].path);
	uint64_t number;

	/* record.h */
	memcpy(&number, file.data + unit.from + 16, sizeof(number));
	return le64toh(number);
}

/* It speaks of that unit, or of all that is behind some place. */
static bool
speaks_of(const struct fsck_finding *finding, struct queue_stretch unit,
    uint64_t number)
{
	switch (finding->kind) {
	case FSCK_HEADLESS:
	case FSCK_STRANGER:
		return true;
	case FSCK_TORN:
		return finding->units == 0 ? finding->offset < unit.to
					   : number >= finding->first_unit;
	case FSCK_UNITS:
		return number >= finding->first_unit &&
		    number - finding->first_unit < finding->units;
	case FSCK_CONTENT:
	case FSCK_OLD_CONTENT:
	case FSCK_FILLING:
		return finding->offset < unit.to &&
		    unit.from < finding->offset + finding->len;
	case FSCK_EMPTY:
	case FSCK_FOREIGN:
	case FSCK_HEADER_COPY:
	case FSCK_MESSAGE:
	case FSCK_LOST:
	case FSCK_LARGE:
	case FSCK_ORPHAN:
		break;
	}
	return false;
}

static bool
is_told(const struct fsck *fsck, const char *name, struct queue_stretch unit,
    uint64_t number)
{
	for (size_t i = 0; i < fsck->finding_count; i++) {
		if (strcmp(fsck->findings[i].file, name) == 0 &&
		    speaks_of(&fsck->findings[i], unit, number))
			return true;
	}
	return false;
}

/* A queue before and after. */
struct damaged {
	struct world *before;
	struct fake_disk *fake;
	const struct queue_map *map; /* of before */
	const struct fsck *fsck;     /* of fake */
	uint64_t seed;
};

static bool
differs(const struct damaged *damaged, struct queue_stretch stretch)
{
	const char *path = damaged->map->files[stretch.file].path;
	size_t len = stretch.to - stretch.from;

	return !bytes_equal(
	    bytes_first(bytes_from(fake_disk_get(damaged->before->fake, path),
			    stretch.from),
		len),
	    bytes_first(
		bytes_from(fake_disk_get(damaged->fake, path), stretch.from),
		len));
}

static bool
is_hit_silently(const struct damaged *damaged, struct place place)
{
	const struct queue_map *map = damaged->map;
	struct queue_stretch unit = queue_map_unit(map, damaged->before, place);

	return place.segment != 0 && differs(damaged, unit) &&
	    !is_told(damaged->fsck, strchr(map->files[unit.file].path, '/') + 1,
		unit, unit_number(damaged->before, map, unit));
}

/* A message is told of where its unit, its progress or its large body is not
 * what it was. */
static void
judge(const struct damaged *damaged, const struct ledger_entry *entry)
{
	const struct fsck *fsck = damaged->fsck;
	unsigned long long seed = damaged->seed;
	unsigned long long id = entry->id;

	cr_assert(!is_hit_silently(damaged, entry->place),
	    "seed %llu: message %llu was hit: %s", seed, id, told(fsck));
	cr_assert(!is_hit_silently(damaged, entry->progress_place),
	    "seed %llu: the progress of %llu was hit: %s", seed, id,
	    told(fsck));
	bool is_there = ledger_find(fsck->ledger, id) != NULL;
	cr_assert(!entry->is_large ||
		!differs(damaged, queue_map_large(damaged->map, id)) ||
		!is_there || has(fsck, FSCK_LARGE, id),
	    "seed %llu: the large body of %llu was hit", seed, id);
	cr_assert(is_there ||
		fsck->gravities[FSCK_DAMAGE] + fsck->gravities[FSCK_DOUBTFUL] >
		    0,
	    "seed %llu: message %llu is lost", seed, id);
}

static bool
is_damaged(const struct fsck *fsck, uint64_t id)
{
	return has(fsck, FSCK_CONTENT, id) || has(fsck, FSCK_MESSAGE, id) ||
	    has(fsck, FSCK_LARGE, id);
}

/* What a start makes of the same disk. */
static void
compare(struct world *after, const struct fsck *fsck, uint64_t seed)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct world_message *facts = &after->messages[i];
		char text[128] = "";
		enum world_state state = world_examine(after, facts, text);
		bool is_here = ledger_find(fsck->ledger, facts->id) != NULL;
		cr_assert_eq(is_here, state != WORLD_ABSENT,
		    "seed %llu: message %llu: %s", (unsigned long long)seed,
		    (unsigned long long)facts->id, text);
		cr_assert(!is_here ||
			(state == WORLD_DAMAGED) == is_damaged(fsck, facts->id),
		    "seed %llu: message %llu: %s", (unsigned long long)seed,
		    (unsigned long long)facts->id, text);
	}
	bool is_grave =
	    fsck->gravities[FSCK_DAMAGE] + fsck->gravities[FSCK_DOUBTFUL] > 0;
	cr_assert(after->problems == 0 || is_grave,
	    "seed %llu: a start tells of %s", (unsigned long long)seed,
	    after->problem);
}

static void
mutate(struct world *world, const struct queue_map *map, uint64_t seed)
{
	struct fake_disk *fake = fake_disk_after_kill(world->fake);
	uint64_t whole = fake_disk_hash(fake);
	struct queue_damage damage;
	struct world after;

	queue_damage_do(&damage, map, fake, seed);
	struct disk disk = strict(fake);
	struct fsck *fsck = look(fake, &disk);
	struct damaged damaged = {world, fake, map, fsck, seed};
	cr_assert(fake_disk_hash(fake) != whole || fsck->finding_count == 0,
	    "seed %llu: %s", (unsigned long long)seed, told(fsck));
	/* Two at once can make the end of the log look like a clean one. */
	const struct ledger_entry *entry = ledger_after(world->ledger, 0);
	for (; damage.mutations == 1 && entry != NULL;
	     entry = ledger_after(world->ledger, entry->id))
		judge(&damaged, entry);
	world_copy(&after, world, fake_disk_after_kill(fake));
	cr_assert(world_start(&after));
	compare(&after, fsck, seed);
	fsck_free(fsck);
	fake_disk_free(fake);
	world_clear(&after);
}

Test(fsck, tells_of_every_message_that_is_hit)
{
	const char *text = getenv("POSTRIDER_MUTATIONS");
	size_t count = text == NULL ? 4000 : strtoul(text, NULL, 10);
	struct queue_map map = {.count = 0};
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, scripts[3]));
	queue_map_init(&map, world.fake);
	for (uint64_t seed = 1; seed <= count; seed++)
		mutate(&world, &map, seed);
	world_clear(&world);
}

/* ---- one kind after the other ---- */

/* A queue of three segments and a large body, at rest. */
static struct fake_disk *
queue_at_rest(void)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h"));
	struct fake_disk *fake = fake_disk_after_kill(world.fake);
	world_clear(&world);
	return fake;
}

/* The segment's file, oldest first; valid until the next change. */
static const char *
segment_path(struct fake_disk *fake, size_t index)
{
	static char path[64];
	char *names = fake_disk_names(fake, "queue");
	struct bytes rest = bytes_of(names);
	size_t seen = 0;

	for (;;) {
		cr_assert_gt(rest.len, 0);
		struct bytes name = bytes_cut(&rest, ' ');
		if (bytes_has_suffix_nocase(name, ".log") && seen++ == index) {
			(void)snprintf(
			    path, sizeof(path), "queue/%.*s", BYTES_ARGS(name));
			break;
		}
	}
	free(names);
	return path;
}

static void
flip(struct fake_disk *fake, const char *path, size_t at)
{
	struct bytes content = fake_disk_get(fake, path);
	char *data = memory_copy(content);

	cr_assert_lt(at, content.len);
	data[at] ^= 1;
	fake_disk_put(fake, path, bytes_make(data, content.len));
	free(data);
}

static void
flip_version(struct fake_disk *fake)
{
	struct segment_header header;
	uint32_t version;
	const char *path = segment_path(fake, 1);
	struct bytes content = fake_disk_get(fake, path);
	char *data = memory_copy(content);

	cr_assert_eq(
	    segment_header_decode(
		bytes_first(content, SEGMENT_HEADER_LEN), &header, &version),
	    SEGMENT_HEADER_VALID);
	/* A header that is whole, of numbers that are none of ours. */
	header.first_unit = 0;
	segment_header_encode(&header, data);
	fake_disk_put(fake, path, bytes_make(data, content.len));
	free(data);
}

static void
flip_header_copy(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), 2048 + 20);
}

static void
flip_both_copies(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 1), 20);
	flip(fake, segment_path(fake, 1), 2048 + 20);
}

static void
copy_segment(struct fake_disk *fake)
{
	struct bytes content = fake_disk_get(fake, segment_path(fake, 0));
	char *data = memory_copy(content);

	fake_disk_put(
	    fake, "queue/00000000000000ff.log", bytes_make(data, content.len));
	free(data);
}

static void
remove_segment(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, segment_path(fake, 1)));
}

static void
remove_oldest(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, segment_path(fake, 0)));
}

static void
remove_all_segments(struct fake_disk *fake)
{
	for (;;) {
		char *names = fake_disk_names(fake, "queue");
		bool is_left = strstr(names, ".log") != NULL;
		free(names);
		if (!is_left)
			break;
		cr_assert(fake_disk_remove(fake, segment_path(fake, 0)));
	}
}

/* The path of a large body; valid until the next call. */
static const char *
large_path(struct fake_disk *fake)
{
	static char path[64];
	char *names = fake_disk_names(fake, "queue/large");
	struct bytes rest = bytes_of(names);
	struct bytes name = bytes_cut(&rest, ' ');

	cr_assert_gt(name.len, 0);
	(void)snprintf(
	    path, sizeof(path), "queue/large/%.*s", BYTES_ARGS(name));
	free(names);
	return path;
}

static void
remove_large(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, large_path(fake)));
}

static void
flip_large(struct fake_disk *fake)
{
	flip(fake, large_path(fake), 700);
}

static void
cut_large(struct fake_disk *fake)
{
	const char *path = large_path(fake);
	char *data = memory_copy(fake_disk_get(fake, path));

	fake_disk_put(fake, path, bytes_make(data, 700));
	free(data);
}

static void
add_orphan(struct fake_disk *fake)
{
	fake_disk_put(fake, "queue/large/0000000ZZZZ", BYTES("orphan"));
}

/* Of a message that is in the queue, and not in the newest segment. */
static void
flip_content(struct fake_disk *fake)
{
	struct disk disk = strict(fake);
	struct fsck *fsck = look(fake, &disk);
	const struct ledger_entry *entry = ledger_after(fsck->ledger, 0);

	while (entry != NULL && (entry->is_large || entry->place.segment != 1))
		entry = ledger_after(fsck->ledger, entry->id);
	cr_assert_neq(entry, NULL);
	size_t at = entry->place.offset + entry->place.len + 3;
	fsck_free(fsck);
	flip(fake, segment_path(fake, 0), at);
}

/* Of one that has ended: the first there was. */
static void
flip_old_content(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), SEGMENT_HEADER_LEN + 250);
}

static void
flip_unit(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), SEGMENT_HEADER_LEN + 20);
}

/* In the middle of the last unit. */
static void
cut_newest(struct fake_disk *fake)
{
	struct disk disk = strict(fake);
	struct fsck *fsck = look(fake, &disk);
	size_t newest = fsck->segment_count - 1;
	size_t end = fsck->segments[newest].end;

	fsck_free(fsck);
	const char *path = segment_path(fake, newest);
	char *data = memory_copy(fake_disk_get(fake, path));
	fake_disk_put(fake, path, bytes_make(data, end - 8));
	free(data);
}

static const struct {
	const char *name;
	void (*damage)(struct fake_disk *fake);
	enum fsck_kind kind;
	enum fsck_gravity gravity;
} kinds[] = {
    {"another format", flip_version, FSCK_FOREIGN, FSCK_DAMAGE},
    {"one copy of a header", flip_header_copy, FSCK_HEADER_COPY, FSCK_HARMLESS},
    {"both copies of a header", flip_both_copies, FSCK_HEADLESS, FSCK_DAMAGE},
    {"a segment twice", copy_segment, FSCK_STRANGER, FSCK_DAMAGE},
    {"a segment missing", remove_segment, FSCK_UNITS, FSCK_DAMAGE},
    {"the oldest missing", remove_oldest, FSCK_LOST, FSCK_DAMAGE},
    {"all missing", remove_all_segments, FSCK_EMPTY, FSCK_DOUBTFUL},
    {"a large body missing", remove_large, FSCK_LARGE, FSCK_DAMAGE},
    {"a large body altered", flip_large, FSCK_LARGE, FSCK_DAMAGE},
    {"a large body cut", cut_large, FSCK_LARGE, FSCK_DAMAGE},
    {"an orphan", add_orphan, FSCK_ORPHAN, FSCK_HARMLESS},
    {"a content", flip_content, FSCK_CONTENT, FSCK_DAMAGE},
    {"a content that is over", flip_old_content, FSCK_OLD_CONTENT,
	FSCK_HARMLESS},
    {"a unit", flip_unit, FSCK_UNITS, FSCK_DAMAGE},
    {"the end", cut_newest, FSCK_TORN, FSCK_DOUBTFUL},
};

Test(fsck, tells_what_it_is_and_how_grave)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fake_disk *fake = queue_at_rest();
		kinds[i].damage(fake);
		struct disk disk = strict(fake);
		struct fsck *fsck = look(fake, &disk);
		cr_assert(has(fsck, kinds[i].kind, 0), "%s: %s", kinds[i].name,
		    told(fsck));
		cr_assert_gt(
		    fsck->gravities[kinds[i].gravity], 0, "%s", kinds[i].name);
		cr_assert(kinds[i].gravity == FSCK_DAMAGE ||
			fsck->gravities[FSCK_DAMAGE] == 0,
		    "%s: %s", kinds[i].name, told(fsck));
		fsck_free(fsck);
		fake_disk_free(fake);
	}
}

Test(fsck, has_words_for_every_kind)
{
	for (int kind = 0; kind < FSCK_KINDS; kind++) {
		struct fsck_finding finding = {.kind = (enum fsck_kind)kind};
		struct buffer what, cost, advice;

		buffer_init(&what, 4096);
		buffer_init(&cost, 4096);
		buffer_init(&advice, 4096);
		fsck_describe(&finding, &what, &cost, &advice);
		cr_assert(what.len > 0 && cost.len > 0 && advice.len > 0);
		cr_assert_gt(strlen(fsck_kind_name(finding.kind)), 0);
		buffer_clear(&what);
		buffer_clear(&cost);
		buffer_clear(&advice);
	}
}

/* ---- what is no queue, or busy ---- */

static void
expect_failure(struct fake_disk *fake, const char *path, bool is_live,
    enum error_kind kind, int number)
{
	struct disk disk = strict(fake);
	struct fsck_options options = {
	    .disk = &disk, .path = path, .is_live = is_live};
	struct fsck *fsck;
	struct error error;

	cr_assert(!fsck_run(&options, &fsck, &error));
	cr_assert_eq(error.kind, kind, "%s", error_text(&error));
	cr_assert_eq(error.number, number, "%s", error_text(&error));
}

Test(fsck, keeps_off_a_queue_that_is_in_use)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, "a3"));
	expect_failure(world.fake, "queue", false, ERROR_SYSTEM, EWOULDBLOCK);

	/* But it may look. */
	struct disk disk = strict(world.fake);
	struct fsck_options options = {
	    .disk = &disk, .path = "queue", .is_live = true};
	struct fsck *fsck;
	cr_assert(fsck_run(&options, &fsck, &world.error));
	cr_assert_eq(fsck->waiting.count, 3);
	fsck_free(fsck);
	cr_assert(world_run(&world, "a3"));
	world_clear(&world);
}

Test(fsck, says_that_there_is_no_queue)
{
	struct fake_disk *fake = fake_disk_new();

	fake_disk_put(fake, "else/other.log", BYTES("hello"));
	expect_failure(fake, "nowhere", false, ERROR_SYSTEM, ENOENT);
	expect_failure(fake, "else", false, ERROR_DATA, 0);
	fake_disk_free(fake);
}

Test(fsck, lists_what_a_start_has_put_aside)
{
	struct fake_disk *fake = queue_at_rest();
	struct world world;

	flip_unit(fake);
	world_init(&world, fake);
	cr_assert(world_start(&world));
	cr_assert_eq(world.problems, 1);
	world_stop(&world);
	struct disk disk = strict(fake);
	struct fsck *fsck = look(fake, &disk);
	cr_assert_eq(fsck->kept_count, 1);
	cr_assert_eq(fsck->finding_count, 1, "%s", told(fsck));
	cr_assert_eq(fsck->kept[0].bytes, fsck->findings[0].len);
	cr_assert(fsck->findings[0].is_kept);
	fsck_free(fsck);
	world_clear(&world);
}

/* Asking may fail anywhere: then that is told, and nothing stays open but what
 * body_clear() closes past the fake. */
Test(fsck, hides_no_failed_call)
{
	struct fake_disk *fake = queue_at_rest();
	struct disk disk = strict(fake);
	struct fsck_options options = {.disk = &disk, .path = "queue"};
	size_t calls = fake_disk_calls(fake);
	struct fsck *fsck = look(fake, &disk);

	fsck_free(fsck);
	calls = fake_disk_calls(fake) - calls;
	cr_assert_gt(calls, 100);
	for (size_t i = 0; i < calls; i++) {
		size_t open = fake_disk_open_count(fake);
		struct error error;
		fake_disk_plan(fake, i, FAKE_ERROR, EACCES);
		if (fsck_run(&options, &fsck, &error)) {
			cr_assert_gt(fsck->finding_count, 0, "call %zu", i);
			fsck_free(fsck);
		}
		cr_assert_leq(
		    fake_disk_open_count(fake), open + 1, "call %zu", i);
	}
	fake_disk_free(fake);
}
