#include "lib/journal_world.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LARGE_LEN ((size_t)1500)
#define GROUP_MAX 16
#define TEXT_LEN  ((size_t)128)

/* ---- messages, made from their ids alone ---- */

static struct body
make_body(uint64_t id, size_t size)
{
	char line[64];
	struct body body;
	struct buffer content;

	buffer_init(&content, SIZE_MAX);
	while (content.len < size) {
		int len = snprintf(line, sizeof(line), "%llu:%zu\r\n",
		    (unsigned long long)id, content.len);
		buffer_append(&content, bytes_make(line, (size_t)len));
	}
	body_init(&body);
	body_set(&body, bytes_first(buffer_bytes(&content), size));
	buffer_clear(&content);
	return body;
}

static struct message *
make_message(const struct world_message *facts)
{
	struct message *message = message_new();
	char address[64];

	message->id = facts->id;
	(void)snprintf(address, sizeof(address), "s%llu@a.example",
	    (unsigned long long)facts->id);
	envelope_set_sender(&message->envelope, bytes_of(address));
	for (uint64_t i = 0; i <= facts->id % 3; i++) {
		(void)snprintf(address, sizeof(address), "r%llu@b.example",
		    (unsigned long long)(facts->id + i));
		envelope_add_recipient(&message->envelope, bytes_of(address));
	}
	message->envelope.arrived_at = (int64_t)facts->id;
	message->envelope.drop_key = facts->drop_key;
	body_clear(&message->body);
	message->body = make_body(facts->id, facts->size);
	return message;
}

static bool
envelopes_are_equal(const struct envelope *a, const struct envelope *b)
{
	if (strcmp(a->sender, b->sender) != 0 ||
	    a->recipient_count != b->recipient_count ||
	    a->arrived_at != b->arrived_at || a->drop_key != b->drop_key)
		return false;
	for (size_t i = 0; i < a->recipient_count; i++) {
		if (strcmp(a->recipients[i].address,
			b->recipients[i].address) != 0)
			return false;
	}
	return true;
}

static void
make_progress(struct progress *progress, const struct world_message *facts,
    unsigned attempts, bool held)
{
	char reason[64];

	(void)snprintf(reason, sizeof(reason), "attempt %u of %llu", attempts,
	    (unsigned long long)facts->id);
	progress_init(progress, facts->id % 3 + 1);
	progress->attempts = attempts;
	progress->held = held;
	progress_set(progress, 0, RECIPIENT_WAITING, BYTES("4.2.0"),
	    bytes_of(reason), BYTES("main"));
}

/* ---- the world ---- */

void
world_init(struct world *world, struct fake_disk *fake)
{
	memset(world, 0, sizeof(*world));
	world->fake = fake;
}

void
world_stop(struct world *world)
{
	journal_free(world->journal);
	ledger_free(world->ledger);
	world->journal = NULL;
	world->ledger = NULL;
}

void
world_clear(struct world *world)
{
	world_stop(world);
	fake_disk_free(world->fake);
}

void
world_copy(struct world *to, const struct world *from, struct fake_disk *fake)
{
	*to = *from;
	to->fake = fake;
	to->journal = NULL;
	to->ledger = NULL;
}

static void
on_message(struct ledger *ledger, const struct journal_fact *fact)
{
	struct ledger_entry *entry = ledger_find(ledger, fact->id);

	if (entry != NULL) {
		ledger_set_place(ledger, entry, fact->place);
		return;
	}
	entry = ledger_add(
	    ledger, fact->id, fact->place, fact->size, fact->is_large, 0);
	ledger_wait(ledger, entry, 0, 0, 0);
}

static void
on_progress(struct ledger *ledger, const struct journal_fact *fact)
{
	struct ledger_entry *entry = ledger_find(ledger, fact->id);

	if (entry == NULL)
		return;
	ledger_set_progress_place(ledger, entry, fact->place);
	entry->attempts = (uint16_t)fact->progress->attempts;
}

/* What a start tells must not hang on summaries. */
static void
note_fact(struct world *world, const struct journal_fact *fact)
{
	const uint64_t facts[] = {
	    world->facts,
	    fact->kind,
	    fact->id,
	    fact->segment.number,
	    fact->place.segment,
	    fact->place.offset,
	    fact->place.len,
	    fact->size,
	    fact->envelope == NULL ? 0 : fact->envelope->recipient_count,
	    fact->envelope == NULL ? 0 : fact->envelope->drop_key,
	    fact->progress == NULL ? 0 : fact->progress->attempts,
	    fact->progress == NULL ? 0 : fact->progress->held,
	};

	world->facts = XXH3_64bits(facts, sizeof(facts));
}

static void
on_fact(const struct journal_fact *fact, void *ctx)
{
	struct world *world = ctx;
	struct ledger_entry *entry;

	if (fact->kind != JOURNAL_PROBLEM)
		note_fact(world, fact);

	switch (fact->kind) {
	case JOURNAL_SEGMENT:
		ledger_set_segment(world->ledger, fact->segment, fact->bytes);
		break;
	case JOURNAL_MESSAGE:
		world->is_drop_known[fact->envelope->drop_key] = true;
		on_message(world->ledger, fact);
		break;
	case JOURNAL_PROGRESS:
		on_progress(world->ledger, fact);
		break;
	case JOURNAL_FINISHED:
		entry = ledger_find(world->ledger, fact->id);
		if (entry != NULL)
			ledger_remove(world->ledger, entry);
		break;
	case JOURNAL_PROBLEM:
		world->problems++;
		world->gone += strstr(fact->text, " gone: ") != NULL;
		(void)snprintf(
		    world->problem, sizeof(world->problem), "%s", fact->text);
		break;
	}
}

static bool
is_live(uint64_t id, void *ctx)
{
	struct world *world = ctx;
	return ledger_find(world->ledger, id) != NULL;
}

bool
world_start(struct world *world)
{
	struct journal_options options = {
	    .disk = fake_disk_face(world->fake),
	    .path = "queue",
	    .segment_size = WORLD_SEGMENT_SIZE,
	    .free_floor = world->free_floor,
	    .reserve = world->reserve > 0 ? world->reserve : WORLD_SEGMENT_SIZE,
	};
	size_t removed;

	world->ledger = ledger_new();
	world->problems = 0;
	world->gone = 0;
	world->facts = 0;
	memset(world->is_drop_known, 0, sizeof(world->is_drop_known));
	if (!journal_open(&options, on_fact, world, &world->journal,
		&world->report, &world->error) ||
	    !journal_remove_orphans(
		world->journal, is_live, world, &removed, &world->error)) {
		world_stop(world);
		return false;
	}
	ledger_raise_id(world->ledger, world->report.highest_id);
	/* Time has gone on, too: what was in doubt does not get its id again.
	 */
	if (world->count > 0)
		ledger_raise_id(
		    world->ledger, world->messages[world->count - 1].id);
	ledger_set_segment(world->ledger, journal_current(world->journal),
	    journal_current_bytes(world->journal));
	return true;
}

/* ---- steps ---- */

static struct world_message *
find_facts(struct world *world, uint64_t id)
{
	for (size_t i = 0; i < world->count; i++) {
		if (world->messages[i].id == id)
			return &world->messages[i];
	}
	return NULL;
}

static struct world_message *
new_facts(struct world *world, size_t size)
{
	assert(world->count < WORLD_MESSAGES_MAX);
	struct world_message *facts = &world->messages[world->count++];

	*facts = (struct world_message){
	    .id = ledger_new_id(world->ledger, 1), .size = size};
	return facts;
}

/* What one unit of a group is about. */
struct part {
	struct unit unit;
	struct message *made;     /* owned: a new message, or NULL */
	struct progress progress; /* owned */
	struct world_message *accepts;
	struct world_message *tries;
	struct world_message *finishes;
	unsigned attempts;
	bool is_move;
};

struct group {
	struct part parts[GROUP_MAX];
	size_t count;
};

static struct part *
new_part(struct group *group)
{
	assert(group->count < GROUP_MAX);
	struct part *part = &group->parts[group->count++];

	memset(part, 0, sizeof(*part));
	unit_init(&part->unit);
	return part;
}

/* It may be on disk from now on. */
static void
announce(struct part *part)
{
	if (part->accepts != NULL && !part->is_move)
		part->accepts->accepted = WORLD_MAYBE;
	if (part->tries != NULL)
		part->tries->attempts_maybe = part->attempts;
	if (part->finishes != NULL && part->finishes->finished != WORLD_YES)
		part->finishes->finished = WORLD_MAYBE;
}

static void
settle_failed(struct part *part)
{
	if (part->accepts != NULL && !part->is_move)
		part->accepts->accepted = WORLD_REFUSED;
	/* Progress and end may be there all the same: they stay in doubt. */
}

static void
settle_finish(struct world *world, struct part *part)
{
	struct world_message *facts = part->finishes;
	struct ledger_entry *entry = ledger_find(world->ledger, facts->id);
	struct error ignored;

	facts->finished = WORLD_YES;
	facts->finished_at = part->unit.place;
	if (entry != NULL)
		ledger_remove(world->ledger, entry);
	if (facts->is_large &&
	    !journal_remove_large(world->journal, facts->id, &ignored))
		return; /* an orphan */
}

static void
settle_committed(struct world *world, struct part *part)
{
	struct ledger *ledger = world->ledger;
	const struct unit *unit = &part->unit;
	struct ledger_entry *entry;

	if (part->accepts != NULL && part->is_move) {
		entry = ledger_find(ledger, part->accepts->id);
		ledger_set_place(ledger, entry, unit->place);
	} else if (part->accepts != NULL) {
		struct world_message *facts = part->accepts;
		facts->accepted = WORLD_YES;
		entry = ledger_add(ledger, facts->id, unit->place, facts->size,
		    facts->is_large, (uint32_t)facts->id);
		ledger_wait(ledger, entry, 0, 0, 0);
	}
	if (part->tries != NULL) {
		part->tries->attempts = part->attempts;
		entry = ledger_find(ledger, part->tries->id);
		ledger_set_progress_place(ledger, entry, unit->place);
		entry->attempts = (uint16_t)part->attempts;
	}
	if (part->finishes != NULL)
		settle_finish(world, part);
}

static void
clear_group(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		message_free(group->parts[i].made);
		progress_clear(&group->parts[i].progress);
	}
}

/* Clears group. */
static bool
commit(struct world *world, struct group *group)
{
	struct unit *units[GROUP_MAX];

	for (size_t i = 0; i < group->count; i++) {
		units[i] = &group->parts[i].unit;
		announce(&group->parts[i]);
	}
	bool goes_on = group->count == 0 ||
	    journal_commit(world->journal, units, group->count, &world->error);
	bool is_dead = fake_disk_is_dead(world->fake);
	ledger_set_segment(world->ledger, journal_current(world->journal),
	    journal_current_bytes(world->journal));
	for (size_t i = 0; i < group->count; i++) {
		if (group->parts[i].unit.is_committed)
			settle_committed(world, &group->parts[i]);
		else if (!is_dead)
			settle_failed(&group->parts[i]);
	}
	clear_group(group);
	return goes_on && !is_dead;
}

static void
add_accept(struct group *group, struct world_message *facts)
{
	struct part *part = new_part(group);

	part->made = make_message(facts);
	part->accepts = facts;
	part->unit.needs_room = true;
	unit_add(&part->unit, record_message(part->made));
}

static bool
step_accept(struct world *world, size_t count)
{
	struct group group = {.count = 0};

	for (size_t i = 0; i < count; i++) {
		size_t size = 40 + (world->count * 377) % 900;
		add_accept(&group, new_facts(world, size));
	}
	return commit(world, &group);
}

/* As the body writer does it, on this disk. */
static bool
write_large(struct world *world, struct body *body, uint64_t id)
{
	const struct disk *disk = fake_disk_face(world->fake);
	struct queue_id name = queue_id_of(id);
	struct bytes content = buffer_bytes(&body->memory);
	struct error error;
	int fd;

	if (!disk_open(disk, journal_large_fd(world->journal), name.text,
		O_RDWR | O_CREAT | O_EXCL, 0600, &fd, &error))
		return false;
	bool is_ok =
	    disk_write_at(disk, fd, content.data, content.len, 0, &error);
	buffer_clear(&body->memory);
	body->fd = fd;
	memcpy(body->name, name.text, sizeof(name.text));
	return is_ok;
}

static bool
step_large(struct world *world)
{
	struct group group = {.count = 0};
	struct world_message *facts = new_facts(world, LARGE_LEN);
	const struct disk *disk = fake_disk_face(world->fake);
	struct error error;

	facts->is_large = true;
	add_accept(&group, facts);
	struct body *body = &group.parts[0].made->body;
	if (!write_large(world, body, facts->id)) {
		clear_group(&group);
		if (!journal_remove_large(world->journal, facts->id, &error))
			return !fake_disk_is_dead(world->fake);
		return !fake_disk_is_dead(world->fake);
	}
	int fd = body->fd;
	bool goes_on = commit(world, &group);
	disk->close(disk->ctx, fd);
	/* A refused one's file goes. */
	if (facts->accepted == WORLD_REFUSED &&
	    !journal_remove_large(world->journal, facts->id, &error))
		return goes_on;
	return goes_on;
}

/* ---- the drop directory ---- */

static void
name_drop(uint64_t key, char name[32])
{
	(void)snprintf(name, 32, "file-%llu", (unsigned long long)key);
}

/* It is in the queue, durably: away with it; else it stays, and is known. */
static void
remove_drop(struct world *world, int directory_fd, uint64_t key)
{
	const struct disk *disk = fake_disk_face(world->fake);
	char name[32];

	name_drop(key, name);
	(void)disk->unlink(disk->ctx, directory_fd, name);
}

/* As intake does: each file that is not known becomes a message. */
static bool
take_drop(struct world *world, int directory_fd, uint64_t key)
{
	struct group group = {.count = 0};

	if (!world->is_drop_known[key]) {
		struct world_message *facts = new_facts(world, 200 + 31 * key);
		facts->drop_key = key;
		add_accept(&group, facts);
		if (!commit(world, &group))
			return false;
		world->is_drop_known[key] = facts->accepted == WORLD_YES;
	}
	if (world->is_drop_known[key])
		remove_drop(world, directory_fd, key);
	return !fake_disk_is_dead(world->fake);
}

static bool
note_drop(const char *name, void *ctx)
{
	bool *is_there = ctx;

	is_there[strtoull(name + strlen("file-"), NULL, 10)] = true;
	return true;
}

static bool
step_take_drops(struct world *world)
{
	const struct disk *disk = fake_disk_face(world->fake);
	bool is_there[WORLD_DROPS_MAX + 1] = {false};
	struct error error;
	bool goes_on = true;
	int fd;

	if (!disk_open(
		disk, AT_FDCWD, "drop", O_RDONLY | O_DIRECTORY, 0, &fd, &error))
		return !fake_disk_is_dead(world->fake);
	/* What cannot be listed now is tried again later. */
	(void)disk->list(disk->ctx, fd, note_drop, is_there);
	for (uint64_t key = 1; goes_on && key <= world->drop_count; key++)
		goes_on = !is_there[key] || take_drop(world, fd, key);
	(void)disk->close(disk->ctx, fd);
	return goes_on && !fake_disk_is_dead(world->fake);
}

/* Another program drops a file, durably. */
static bool
step_drop_file(struct world *world)
{
	char path[64] = "drop/";

	assert(world->drop_count < WORLD_DROPS_MAX);
	name_drop(++world->drop_count, path + strlen(path));
	fake_disk_put(world->fake, path, BYTES("mail"));
	return step_take_drops(world);
}

/* The n-th message, counted from some place that changes. */
static struct world_message *
pick(struct world *world, size_t n)
{
	size_t size = ledger_size(world->ledger);
	if (size == 0)
		return NULL;

	size_t stride = size % 5 == 0 ? 7 : 5;
	size_t skip = (n * stride + world->count) % size;
	struct ledger_entry *entry = ledger_after(world->ledger, 0);
	while (skip-- > 0)
		entry = ledger_after(world->ledger, entry->id);
	return find_facts(world, entry->id);
}

static bool
is_in(const struct group *group, const struct world_message *facts)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->parts[i].tries == facts ||
		    group->parts[i].finishes == facts)
			return true;
	}
	return false;
}

static void
add_progress(struct group *group, struct world_message *facts, bool held)
{
	struct part *part = new_part(group);
	unsigned newest = facts->attempts_maybe > facts->attempts
	    ? facts->attempts_maybe
	    : facts->attempts;

	part->tries = facts;
	part->attempts = newest + 1;
	make_progress(&part->progress, facts, part->attempts, held);
	unit_add(&part->unit, record_progress(facts->id, &part->progress));
}

static bool
step_progress(struct world *world, size_t count, bool held)
{
	struct group group = {.count = 0};

	for (size_t i = 0; i < count; i++) {
		struct world_message *facts = pick(world, i);
		if (facts != NULL && !is_in(&group, facts))
			add_progress(&group, facts, held);
	}
	return commit(world, &group);
}

static void
add_finish(struct part *part, struct world_message *facts)
{
	part->finishes = facts;
	unit_add(&part->unit, record_finished(facts->id));
}

static bool
step_finish(struct world *world, size_t count)
{
	struct group group = {.count = 0};

	for (size_t i = 0; i < count; i++) {
		struct world_message *facts = pick(world, i);
		if (facts != NULL && !is_in(&group, facts))
			add_finish(new_part(&group), facts);
	}
	return commit(world, &group);
}

static bool
step_bounce(struct world *world)
{
	struct group group = {.count = 0};
	struct world_message *failed = pick(world, 0);
	if (failed == NULL)
		return true;

	struct world_message *bounce = new_facts(world, 300);
	bounce->partner = failed->id;
	add_accept(&group, bounce);
	group.parts[0].unit.needs_room = false;
	add_finish(&group.parts[0], failed);
	return commit(world, &group);
}

static bool
step_move(struct world *world)
{
	struct group group = {.count = 0};
	const struct disk *disk = fake_disk_face(world->fake);
	struct ledger_entry *entry =
	    ledger_pinning(world->ledger, 1024, UINT64_MAX);
	if (entry == NULL)
		return true;

	struct segment_message where = ledger_where(world->ledger, entry);
	struct part *part = new_part(&group);
	part->is_move = true;
	part->accepts = find_facts(world, entry->id);
	if (!segment_load(disk, journal_large_fd(world->journal), &where,
		&part->made, &world->error)) {
		clear_group(&group);
		return !fake_disk_is_dead(world->fake);
	}
	int large_fd = part->made->body.owns_fd ? part->made->body.fd : -1;
	part->made->body.owns_fd = false; /* no real descriptor */
	unit_add(&part->unit, record_message(part->made));
	unit_add(
	    &part->unit, record_progress(entry->id, &part->made->progress));
	part->tries = part->accepts;
	part->attempts = part->made->progress.attempts;
	bool goes_on = commit(world, &group);
	if (large_fd >= 0)
		disk->close(disk->ctx, large_fd);
	return goes_on;
}

static bool
step_drop(struct world *world)
{
	uint64_t number;
	struct error error;

	while (ledger_take_droppable(world->ledger, &number)) {
		if (!journal_drop(world->journal, number, &error))
			break; /* it stays */
	}
	return !fake_disk_is_dead(world->fake);
}

static bool
step_restart(struct world *world)
{
	world_stop(world);
	return world_start(world);
}

/* It may fail: that segment gets none. */
static bool
step_summarize(struct world *world, size_t steps)
{
	struct error error;

	for (size_t i = 0; i < steps && !fake_disk_is_dead(world->fake) &&
	     journal_summaries_wanted(world->journal) > 0;
	     i++) {
		assert(i < 1000); /* it comes to an end */
		if (!journal_summarize(world->journal, &error))
			continue;
	}
	return !fake_disk_is_dead(world->fake);
}

static bool
step_finish_all(struct world *world)
{
	size_t before = SIZE_MAX;

	/* Until it helps no more: the disk may be full. */
	while (ledger_size(world->ledger) < before) {
		before = ledger_size(world->ledger);
		if (!step_finish(world, GROUP_MAX))
			return false;
	}
	return true;
}

bool
world_step(struct world *world, const char *step)
{
	size_t count = step[1] == '\0' ? 1 : (size_t)(step[1] - '0');

	switch (step[0]) {
	case 'a':
		return step_accept(world, count);
	case 'l':
		return step_large(world);
	case 'p':
		return step_progress(world, count, false);
	case 'h':
		return step_progress(world, 1, true);
	case 'f':
		return step_finish(world, count);
	case 'b':
		return step_bounce(world);
	case 'm':
		return step_move(world);
	case 'd':
		return step_drop(world);
	case 'r':
		return step_restart(world);
	case 'x':
		return step_finish_all(world);
	case 's':
		return step_summarize(world, SIZE_MAX);
	case 't':
		return step_summarize(world, 1);
	case 'i':
		return step_drop_file(world);
	case 'j':
		return step_take_drops(world);
	default:
		abort(); /* no such step */
	}
}

bool
world_run(struct world *world, const char *script)
{
	struct bytes rest = bytes_of(script);

	while (rest.len > 0) {
		struct bytes part = bytes_cut(&rest, ' ');
		char step[4] = "";
		memcpy(step, part.data, part.len);
		if (part.len > 0 && !world_step(world, step))
			return false;
	}
	return true;
}

/* ---- the promise ---- */

static void
say(struct world_verdict *verdict, const struct world_message *facts,
    const char *what)
{
	if (verdict->text[0] == '\0')
		(void)snprintf(verdict->text, sizeof(verdict->text),
		    "message %llu: %s", (unsigned long long)facts->id, what);
}

static bool
is_content_of_file(
    struct world *world, const struct body *body, struct bytes content)
{
	char *data = memory_new(content.len);
	struct error error;
	bool is_equal = disk_read_at(fake_disk_face(world->fake), body->fd,
			    data, content.len, body->offset, &error) &&
	    bytes_equal(bytes_make(data, content.len), content);

	free(data);
	return is_equal;
}

static bool
contents_are_equal(
    struct world *world, const struct body *read, const struct body *expected)
{
	struct bytes content = buffer_bytes(&expected->memory);

	if (read->len != content.len)
		return false;
	return read->fd < 0 ? bytes_equal(buffer_bytes(&read->memory), content)
			    : is_content_of_file(world, read, content);
}

static enum world_state
compare(struct world *world, const struct world_message *facts,
    const struct message *read, char *text)
{
	struct message *expected = make_message(facts);
	unsigned attempts = read->progress.attempts;
	enum world_state state = WORLD_INTACT;

	if (!envelopes_are_equal(&read->envelope, &expected->envelope) ||
	    !contents_are_equal(world, &read->body, &expected->body)) {
		(void)snprintf(text, TEXT_LEN, "altered");
		state = WORLD_ALTERED;
	} else if (attempts != facts->attempts &&
	    attempts != facts->attempts_maybe) {
		(void)snprintf(text, TEXT_LEN, "has progress %u, not %u or %u",
		    attempts, facts->attempts, facts->attempts_maybe);
		state = WORLD_OLDER;
	}
	message_free(expected);
	return state;
}

enum world_state
world_examine(
    struct world *world, const struct world_message *facts, char *text)
{
	const struct disk *disk = fake_disk_face(world->fake);
	struct ledger_entry *entry = ledger_find(world->ledger, facts->id);
	struct message *read;
	if (entry == NULL)
		return WORLD_ABSENT;

	struct segment_message where = ledger_where(world->ledger, entry);
	if (!segment_load(disk, journal_large_fd(world->journal), &where, &read,
		&world->error)) {
		(void)snprintf(text, TEXT_LEN, "%s", error_text(&world->error));
		return WORLD_DAMAGED;
	}
	enum world_state state = compare(world, facts, read, text);
	if (read->body.owns_fd)
		disk->close(disk->ctx, read->body.fd);
	read->body.owns_fd = false;
	message_free(read);
	return state;
}

/* A message that is there. */
static void
check_present(struct world *world, const struct ledger_entry *entry,
    struct world_verdict *verdict)
{
	struct world_message *facts = find_facts(world, entry->id);
	char text[TEXT_LEN] = "";

	if (facts == NULL || facts->accepted == WORLD_NO ||
	    facts->finished == WORLD_YES) {
		struct world_message unknown = {.id = entry->id};
		verdict->invented++;
		say(verdict, &unknown,
		    facts != NULL && facts->finished == WORLD_YES
			? "back after its end"
			: "invented");
		return;
	}
	if (facts->accepted == WORLD_REFUSED)
		verdict->revived++;
	switch (world_examine(world, facts, text)) {
	case WORLD_ABSENT:
	case WORLD_INTACT:
		return;
	case WORLD_OLDER:
		verdict->forgotten++;
		break;
	case WORLD_DAMAGED:
	case WORLD_ALTERED:
		verdict->altered++;
		break;
	}
	say(verdict, facts, text);
}

/* A message that is not. */
static void
check_absent(struct world *world, const struct world_message *facts,
    struct world_verdict *verdict)
{
	const struct world_message *partner = find_facts(world, facts->partner);

	if (facts->accepted == WORLD_YES && facts->finished == WORLD_NO) {
		verdict->lost++;
		say(verdict, facts, "lost");
	}
	/* Its end and the other's beginning are one unit. */
	if (partner != NULL && facts->accepted == WORLD_MAYBE &&
	    facts->finished == WORLD_NO && partner->finished == WORLD_MAYBE &&
	    ledger_find(world->ledger, partner->id) == NULL) {
		verdict->lost++;
		say(verdict, facts, "lost: half a unit");
	}
}

/* A file is in the drop directory until its message is in the queue. */
static void
check_drop(struct world *world, uint64_t key, struct world_verdict *verdict)
{
	char path[64] = "drop/";
	size_t live = 0;
	bool is_kept;

	name_drop(key, path + strlen(path));
	is_kept = fake_disk_get(world->fake, path).data != NULL;
	for (size_t i = 0; i < world->count; i++) {
		const struct world_message *facts = &world->messages[i];
		if (facts->drop_key != key)
			continue;
		bool is_live = ledger_find(world->ledger, facts->id) != NULL;
		live += is_live && facts->accepted != WORLD_REFUSED;
		is_kept = is_kept || is_live || facts->finished != WORLD_NO;
	}
	if (!is_kept) {
		verdict->lost++;
		say(verdict, &(struct world_message){.id = key},
		    "lost: a file that was dropped");
	}
	if (live > 1) {
		verdict->invented++;
		say(verdict, &(struct world_message){.id = key},
		    "a file that was taken in twice");
	}
}

static void
check_halves(struct world *world, const struct world_message *facts,
    struct world_verdict *verdict)
{
	if (facts->partner == 0 || facts->finished != WORLD_NO ||
	    ledger_find(world->ledger, facts->partner) == NULL)
		return;
	verdict->invented++;
	say(verdict, facts, "half a unit: the bounce without the end");
}

/* Or another message would get the same one. */
static void
check_id(const struct world *world, const struct world_message *facts,
    struct world_verdict *verdict)
{
	if (facts->accepted != WORLD_YES ||
	    facts->id <= world->report.highest_id)
		return;
	verdict->forgotten++;
	say(verdict, facts, "its id is forgotten");
}

bool
world_check(struct world *world, struct world_verdict *verdict)
{
	*verdict = (struct world_verdict){.lost = 0};
	for (struct ledger_entry *entry = ledger_after(world->ledger, 0);
	     entry != NULL; entry = ledger_after(world->ledger, entry->id))
		check_present(world, entry, verdict);
	for (size_t i = 0; i < world->count; i++) {
		const struct world_message *facts = &world->messages[i];
		check_id(world, facts, verdict);
		if (ledger_find(world->ledger, facts->id) == NULL)
			check_absent(world, facts, verdict);
		else
			check_halves(world, facts, verdict);
	}
	for (uint64_t key = 1; key <= world->drop_count; key++)
		check_drop(world, key, verdict);
	return verdict->lost + verdict->altered + verdict->invented +
	    verdict->forgotten ==
	    0;
}

size_t
world_size(const struct world *world)
{
	return ledger_size(world->ledger);
}
