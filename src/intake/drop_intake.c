#include "intake/drop_intake.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/seed.h"
#include "intake/drop_finder.h"
#include "intake/drop_place.h"
#include "intake/drop_reader.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/queue.h>
#include <unistd.h>

/* After "not now". */
#define RETRY_MS (5 * CLOCK_SECOND)
/* Names that one turn looks at. */
#define NAMES_MAX 256
/* What a file costs of a turn beside its octets. */
#define FILE_COST ((size_t)4096)
enum file_state {
	FILE_READING,
	FILE_AT_DOOR,
	FILE_LEFT /* taken in, but could not be removed: never again */
};

/* A claimed file. */
struct drop_file {
	TAILQ_ENTRY(drop_file) siblings;
	struct drop_intake *drop;
	enum file_state state;
	char *name;
	struct drop_reader reader;
	struct receipt receipt;
	bool may_be_known; /* it was there before we started */
	uid_t uid;
};

struct drop_intake {
	struct loop *loop;
	struct admission *admission;
	struct drop_intake_options options;
	struct drop_place place;
	int64_t started_at; /* wall clock */
	struct drop_finder *finder;
	struct loop_task work;
	struct loop_timer alarm;
	TAILQ_HEAD(, drop_file) files;
	size_t file_count;  /* that are read or at the door */
	int64_t blocked_to; /* monotonic: begin no file before */
	bool paused;
	bool stuck_told; /* a file that cannot be claimed was logged */
	unsigned long taken;
	unsigned long failed;
};

static struct clock_time
now(const struct drop_intake *drop)
{
	return loop_now(drop->loop);
}

static void
work_soon(struct drop_intake *drop)
{
	loop_later(drop->loop, &drop->work);
}

static void
scan_by(struct drop_intake *drop, int64_t deadline)
{
	drop_finder_scan_by(drop->finder, deadline);
}

/* Not now: no new files for a while, then all that is claimed again. */
static void
back_off(struct drop_intake *drop)
{
	drop->blocked_to = now(drop).mono_ms + RETRY_MS;
	scan_by(drop, drop->blocked_to);
}

/* ---- log: "drop file "name" of uid 1000: text" ---- */

static void
say(void (*log)(const char *format, ...), const char *name, uid_t uid,
    const char *text)
{
	struct buffer quoted;

	buffer_init(&quoted, 2048);
	log_quote(&quoted, bytes_of(name));
	log("drop file %.*s of uid %lu: %s", BYTES_ARGS(buffer_bytes(&quoted)),
	    (unsigned long)uid, text);
	buffer_clear(&quoted);
}

/* ---- one file ---- */

static void
file_free(struct drop_file *file)
{
	struct drop_intake *drop = file->drop;

	TAILQ_REMOVE(&drop->files, file, siblings);
	if (file->state != FILE_LEFT)
		drop->file_count--;
	drop_reader_clear(&file->reader);
	free(file->name);
	free(file);
}

/* It is in the queue: away with it. */
static void
file_remove(struct drop_file *file)
{
	struct drop_intake *drop = file->drop;
	struct error error;

	if (drop_place_remove(&drop->place, file->name, &error)) {
		file_free(file);
		return;
	}
	/* Its name is kept, so that it is not taken twice. */
	(void)error_context(&error, "taken in, but cannot be removed");
	if (file->state != FILE_LEFT) {
		say(log_error, file->name, file->uid, error_text(&error));
		drop_reader_clear(&file->reader);
		drop->file_count--;
		file->state = FILE_LEFT;
	}
}

static void
file_fail(struct drop_intake *drop, const char *name, uid_t uid,
    const struct error *why)
{
	struct error error;

	say(log_warning, name, uid, error_text(why));
	drop->failed++;
	if (drop_place_fail(&drop->place, name, error_text(why), &error))
		return;
	(void)error_context(&error, "cannot be put into the failed folder");
	say(log_error, name, uid, error_text(&error));
	back_off(drop);
}

static void
file_later(struct drop_file *file, const struct error *why)
{
	struct drop_intake *drop = file->drop;

	say(log_warning, file->name, file->uid, error_text(why));
	file_free(file);
	back_off(drop);
}

static const char *
answer_text(enum door_answer answer)
{
	switch (answer) {
	case DOOR_TAKEN:
		return "taken";
	case DOOR_DISK_FULL:
		return "no space left for mail, tried again later";
	case DOOR_DISK_FAILED:
		return "could not be stored, tried again later";
	case DOOR_CLOSED:
		return "shutting down, taken after the next start";
	}
	return "";
}

static void
on_receipt(struct receipt *receipt, enum door_answer answer, uint64_t id)
{
	struct drop_file *file = receipt->owner;
	struct drop_intake *drop = file->drop;

	(void)id; /* it was logged when it was handed over */
	if (answer == DOOR_TAKEN) {
		drop->taken++;
		file_remove(file);
	} else {
		say(log_warning, file->name, file->uid, answer_text(answer));
		file_free(file);
		back_off(drop);
	}
	work_soon(drop);
}

static void
file_submit(struct drop_file *file)
{
	const struct door *door = file->drop->admission->options->door;
	struct message *message = drop_reader_take(&file->reader);

	file->state = FILE_AT_DOOR;
	file->receipt = (struct receipt){.fn = on_receipt, .owner = file};
	log_info("%s: from=<%s> recipients=%zu size=%llu client=drop uid=%lu",
	    queue_id_of(message->id).text, message->envelope.sender,
	    message->envelope.recipient_count,
	    (unsigned long long)message->body.len, (unsigned long)file->uid);
	if (SEED(DROP_FILE_REMOVED_FIRST))
		(void)unlinkat(file->drop->place.taken_fd, file->name, 0);
	door->submit(message, &file->receipt, door->ctx);
}

/* Read to its end. */
static void
file_finish(struct drop_file *file)
{
	struct drop_intake *drop = file->drop;
	const struct drop_intake_options *options = &drop->options;
	uint64_t key = file->reader.message->envelope.drop_key;

	if (file->may_be_known && options->is_known != NULL &&
	    options->is_known(key, options->ctx)) {
		say(log_info, file->name, file->uid,
		    "is in the queue already, removed");
		file_remove(file);
		return;
	}
	file_submit(file);
}

static void
file_step(struct drop_file *file)
{
	struct drop_intake *drop = file->drop;
	struct error error;

	switch (drop_reader_step(&file->reader, &error)) {
	case DROP_READING_ON:
		break;
	case DROP_READING_DONE:
		file_finish(file);
		break;
	case DROP_READING_REFUSED:
		file_fail(drop, file->name, file->uid, &error);
		file_free(file);
		break;
	case DROP_READING_LATER:
		file_later(file, &error);
		break;
	}
}

/* Begin to read name, which is claimed. */
static void
file_begin(struct drop_intake *drop, const char *name, bool may_be_known,
    const struct stat *facts)
{
	struct drop_file *file = memory_new(sizeof(*file));
	struct error error;

	switch (drop_reader_open(&file->reader, drop->admission,
	    &drop->options.rewrite, drop->place.taken_fd, name,
	    now(drop).wall_ms, &error)) {
	case DROP_READING_ON:
	case DROP_READING_DONE:
		file->drop = drop;
		file->name = memory_copy_text(name);
		file->may_be_known = may_be_known;
		file->uid = facts->st_uid;
		TAILQ_INSERT_TAIL(&drop->files, file, siblings);
		drop->file_count++;
		return;
	case DROP_READING_REFUSED:
		file_fail(drop, name, facts->st_uid, &error);
		break;
	case DROP_READING_LATER:
		say(log_warning, name, facts->st_uid, error_text(&error));
		back_off(drop);
		break;
	}
	free(file);
}

/* ---- which file ---- */

static struct drop_file *
find_file(struct drop_intake *drop, const char *name)
{
	struct drop_file *file;

	TAILQ_FOREACH (file, &drop->files, siblings)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

static int64_t
ms_of(struct timespec time)
{
	return (int64_t)time.tv_sec * CLOCK_SECOND + time.tv_nsec / 1000000;
}

/*
 * How long until a file has stood unchanged for settle_ms; 0: it has.  What
 * lies in the future (the clock was set back) tells nothing and counts as old.
 */
static int64_t
unripe_ms(const struct drop_intake *drop, const struct stat *facts)
{
	int64_t changed = ms_of(facts->st_mtim);
	int64_t moved = ms_of(facts->st_ctim);
	int64_t age = now(drop).wall_ms - (changed > moved ? changed : moved);

	if (age >= drop->options.settle_ms || age < -CLOCK_SECOND)
		return 0;
	return drop->options.settle_ms - age;
}

static void
claim(struct drop_intake *drop, const char *name, const struct stat *facts)
{
	struct error error;

	switch (drop_place_claim(&drop->place, name, &error)) {
	case DROP_CLAIMED:
		drop->stuck_told = false;
		file_begin(drop, name,
		    ms_of(facts->st_mtim) <= drop->started_at, facts);
		return;
	case DROP_GONE:
		return;
	case DROP_LATER:
		scan_by(drop, now(drop).mono_ms + CLOCK_SECOND);
		return;
	case DROP_STUCK:
		break;
	}
	if (!drop->stuck_told)
		say(log_error, name, facts->st_uid, error_text(&error));
	drop->stuck_told = true; /* the rescans would fill the log */
}

/* A name of the drop directory; settled: its writer says that it is whole. */
static void
look_at(struct drop_intake *drop, const char *name, bool settled)
{
	const struct door *door = drop->admission->options->door;
	struct stat facts;

	if (!drop_place_is_ready_name(name) ||
	    fstatat(drop->place.drop_fd, name, &facts, AT_SYMLINK_NOFOLLOW) !=
		0 ||
	    S_ISDIR(facts.st_mode))
		return;
	bool plain = S_ISREG(facts.st_mode) && facts.st_nlink == 1;
	int64_t wait_ms = settled && plain ? 0 : unripe_ms(drop, &facts);
	if (wait_ms > 0)
		scan_by(drop, now(drop).mono_ms + wait_ms);
	else if (door->ask((uint64_t)facts.st_size, door->ctx) != DOOR_TAKEN)
		back_off(drop);
	else
		claim(drop, name, &facts);
}

/* A name of the taken folder. */
static void
look_again(struct drop_intake *drop, const char *name)
{
	struct drop_file *file = find_file(drop, name);
	struct stat facts;

	if (file != NULL && file->state == FILE_LEFT)
		file_remove(file);
	if (file != NULL)
		return;
	if (fstatat(drop->place.taken_fd, name, &facts, AT_SYMLINK_NOFOLLOW) ==
	    0)
		file_begin(drop, name, true, &facts);
}

static bool
has_place(const struct drop_intake *drop)
{
	return !drop->paused && drop->file_count < DROP_INTAKE_MAX &&
	    now(drop).mono_ms >= drop->blocked_to;
}

/* Some names further, while there is room. */
static void
look_on(struct drop_intake *drop)
{
	for (int i = 0; i < NAMES_MAX && has_place(drop); i++) {
		const char *name;
		switch (drop_finder_next(drop->finder, &name)) {
		case DROP_FIND_NOTHING:
			return;
		case DROP_FIND_MOVED:
			look_at(drop, name, true);
			break;
		case DROP_FIND_LYING:
			look_at(drop, name, false);
			break;
		case DROP_FIND_TAKEN:
			look_again(drop, name);
			break;
		}
	}
}

/* ---- a turn ---- */

static size_t
cost_of_step(const struct drop_file *file)
{
	uint64_t size = (uint64_t)file->reader.facts.st_size;
	uint64_t left =
	    size > file->reader.offset ? size - file->reader.offset : 0;

	return FILE_COST + (size_t)MIN(left, DROP_READER_STEP);
}

/* Each file that is being read goes a step on.  False: there is none. */
static bool
read_files(struct drop_intake *drop)
{
	struct drop_file *next;
	size_t spent = 0;
	bool any = false;

	for (struct drop_file *file = TAILQ_FIRST(&drop->files);
	     file != NULL && spent < DROP_INTAKE_TURN && !drop->paused;
	     file = next) {
		next = TAILQ_NEXT(file, siblings);
		if (file->state != FILE_READING)
			continue;
		any = true;
		spent += cost_of_step(file);
		file_step(file);
	}
	return any;
}

static void
set_alarm(struct drop_intake *drop)
{
	int64_t at = drop_finder_due(drop->finder);

	/* Whoever has all places gives one back, and works on. */
	if (drop->file_count == DROP_INTAKE_MAX)
		at = CLOCK_NEVER;
	else if (at < drop->blocked_to)
		at = drop->blocked_to;
	loop_timer_set(&drop->alarm, at);
}

static void
work(void *ctx)
{
	struct drop_intake *drop = ctx;

	look_on(drop);
	bool reads = read_files(drop);
	if (drop->paused)
		return;
	if (reads || (has_place(drop) && drop_finder_has_more(drop->finder)))
		work_soon(drop);
	else
		set_alarm(drop);
}

static void
on_news(void *ctx)
{
	work_soon(ctx);
}

/* ---- the whole ---- */

bool
drop_intake_new(struct loop *loop, struct admission *admission,
    const struct drop_intake_options *options, struct drop_intake **out_drop,
    struct error *error)
{
	struct drop_intake *drop = memory_new(sizeof(*drop));

	drop->loop = loop;
	drop->admission = admission;
	drop->options = *options;
	drop->started_at = loop_now(loop).wall_ms;
	TAILQ_INIT(&drop->files);
	loop_task_init(&drop->work, work, drop);
	loop_timer_init(&drop->alarm, loop, work, drop);
	if (!drop_place_open(&drop->place, options->directory, error) ||
	    !drop_finder_new(loop, &drop->place, options->settle_ms, on_news,
		drop, &drop->finder, error)) {
		drop_intake_free(drop);
		return false;
	}
	work_soon(drop);
	*out_drop = drop;
	return true;
}

void
drop_intake_free(struct drop_intake *drop)
{
	if (drop == NULL)
		return;
	const struct door *door = drop->admission->options->door;
	while (!TAILQ_EMPTY(&drop->files)) {
		struct drop_file *file = TAILQ_FIRST(&drop->files);
		if (file->receipt.taker != NULL)
			door->cancel(&file->receipt, door->ctx);
		file_free(file);
	}
	loop_task_cancel(drop->loop, &drop->work);
	loop_timer_clear(&drop->alarm);
	drop_finder_free(drop->finder);
	drop_place_close(&drop->place);
	free(drop);
}

void
drop_intake_pause(struct drop_intake *drop)
{
	drop->paused = true;
}

void
drop_intake_resume(struct drop_intake *drop)
{
	drop->paused = false;
	work_soon(drop);
}

unsigned long
drop_intake_taken(const struct drop_intake *drop)
{
	return drop->taken;
}

unsigned long
drop_intake_failed(const struct drop_intake *drop)
{
	return drop->failed;
}
