/* That nothing hangs on summaries, whatever fails while they are written. */
#include "base/memory.h"
#include "summary_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a full disk ---- */

Test(summary, is_given_up_before_mail_is_refused)
{
	struct world world;
	uint64_t left = 0;

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	char *names = fake_disk_names(world.fake, "queue");
	cr_expect_not_null(strstr(names, ".sum"));
	free(names);

	/* The floor is just above what is left. */
	world.free_floor = 3000;
	summary_scene_restart(&world);
	const struct disk *disk = fake_disk_face(world.fake);
	int fd = fake_disk_open(world.fake, "queue");
	cr_assert_eq(disk->free_space(disk->ctx, fd, &left), 0);
	fake_disk_set_capacity(world.fake, UINT64_MAX - left + 2900);
	size_t before = world_size(&world);
	cr_assert(world_step(&world, "a1"));
	cr_expect_eq(world_size(&world), before + 1);
	names = fake_disk_names(world.fake, "queue");
	cr_expect_null(strstr(names, ".sum"), "%s", names);
	free(names);
	cr_expect_eq(journal_summaries_wanted(world.journal), 0,
	    "and not written again at once");

	fake_disk_set_capacity(world.fake, UINT64_MAX);
	cr_assert(world_step(&world, "a1"));
	cr_expect_gt(journal_summaries_wanted(world.journal), 0);
	summary_scene_summarize_all(&world);
	summary_scene_restart(&world);
	cr_expect_gt(world.report.summaries, 0);
	summary_scene_expect_kept(&world, "after a full disk");
	world_clear(&world);
}

/* ---- calls that fail, and crashes ---- */

struct fault {
	const char *name;
	enum fake_fault fault;
	int number;
};

static const struct fault FAULTS[] = {
    {"EIO", FAKE_ERROR, EIO},
    {"ENOSPC", FAKE_ERROR, ENOSPC},
    {"EDQUOT", FAKE_ERROR, EDQUOT},
    {"EMFILE", FAKE_ERROR, EMFILE},
    {"ENOMEM", FAKE_ERROR, ENOMEM},
    {"EROFS", FAKE_ERROR, EROFS},
    {"EACCES", FAKE_ERROR, EACCES},
    {"EINTR", FAKE_ERROR, EINTR},
    {"short", FAKE_SHORT, 0},
};
#define FAULT_COUNT (sizeof(FAULTS) / sizeof(FAULTS[0]))

/* Each way to come by summaries, and to lose them. */
static const char *const PHASES[] = {"s", "a3 s a9 s", "x d", "r s", "r x d s"};
#define PHASE_COUNT (sizeof(PHASES) / sizeof(PHASES[0]))

/* As world_run(), and "s" goes on until nothing wants a summary. */
static bool
run(struct world *world, const char *script)
{
	struct bytes rest = bytes_of(script);

	while (rest.len > 0) {
		struct bytes part = bytes_cut(&rest, ' ');
		char step[4] = "";
		size_t failed;
		memcpy(step, part.data, part.len);
		if (strcmp(step, "s") == 0)
			summary_scene_summarize(world, &failed);
		else if (!world_step(world, step))
			return false;
		if (fake_disk_is_dead(world->fake))
			return false;
	}
	return true;
}

static void
check_disk(
    const struct world *crashed, struct fake_disk *fake, const char *what)
{
	struct world world;
	size_t failed;

	world_copy(&world, crashed, fake);
	cr_assert(
	    world_start(&world), "%s: %s", what, error_text(&world.error));
	summary_scene_expect_kept(&world, what);
	size_t size = world_size(&world);
	summary_scene_summarize(&world, &failed);
	cr_assert_eq(failed, 0);
	summary_scene_restart(&world);
	cr_expect_eq(world_size(&world), size, "%s", what);
	summary_scene_expect_kept(&world, what);
	cr_assert(world_step(&world, "a2"), "%s", what);
	world_clear(&world);
}

static bool
fail_one(const char *phase, size_t call, const struct fault *fault)
{
	struct world world;
	char what[256];

	(void)snprintf(what, sizeof(what), "\"%s\": %s at call %zu", phase,
	    fault->name, call);
	summary_scene_start(&world, "");
	cr_assert(run(&world, "a9 p4 l a9 f3 s a9 f2 a5"));
	fake_disk_plan(world.fake, call, fault->fault, fault->number);
	if (!run(&world, phase)) {
		/* Only what it does without summaries, too, may end it. */
		cr_assert(world.journal == NULL || strchr(phase, 'a') != NULL ||
			strchr(phase, 'x') != NULL,
		    "%s", what);
	}
	bool has_come = fake_disk_calls(world.fake) > call;
	world_stop(&world);
	check_disk(&world, fake_disk_after_kill(world.fake), what);
	world_clear(&world);
	return has_come;
}

Test(summary, does_no_harm_where_a_call_fails)
{
	for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
		bool has_come = true;
		for (size_t call = 0; has_come; call++) {
			for (size_t i = 0; i < FAULT_COUNT; i++)
				has_come =
				    fail_one(PHASES[phase], call, &FAULTS[i]);
			cr_assert_lt(call, 2000);
		}
	}
}

/* While only summaries are written, nothing of the journal's may be touched. */
Test(summary, fails_alone)
{
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		struct world world;
		struct journal_report report;
		size_t failed;
		summary_scene_start(&world, MANY);
		char *before = summary_scene_story(&world, &report);
		fake_disk_break(world.fake, "open write read unlink size list",
		    FAULTS[i].number == EINTR ? EIO : FAULTS[i].number);
		if (FAULTS[i].fault == FAKE_ERROR) {
			summary_scene_summarize(&world, &failed);
			cr_expect_gt(failed, 0, "%s", FAULTS[i].name);
		}
		fake_disk_break(world.fake, "", 0);
		char *after = summary_scene_story(&world, &report);
		cr_expect_str_eq(after, before, "%s", FAULTS[i].name);
		cr_assert(world_run(&world, "a9 p2 a5"));
		summary_scene_restart(&world);
		summary_scene_expect_kept(&world, FAULTS[i].name);
		free(before);
		free(after);
		world_clear(&world);
	}
}

/* Some of what the disk may look like afterwards; tests/crash has the rest. */
static void
explore(const struct world *crashed, const char *what, uint64_t *random)
{
	size_t count = fake_disk_pending(crashed->fake);
	bool *kept = memory_array(count + 1, sizeof(bool));

	check_disk(crashed, fake_disk_after_kill(crashed->fake), what);
	for (size_t round = 0; round < 12; round++) {
		for (size_t i = 0; i < count; i++) {
			*random ^= *random << 13;
			*random ^= *random >> 7;
			*random ^= *random << 17;
			kept[i] = round == 0 ? false
			    : round == 1     ? true
					     : *random % 2 == 0;
		}
		check_disk(crashed,
		    fake_disk_after_power_cut(crashed->fake, kept), what);
	}
	free(kept);
}

Test(summary, survives_a_crash_at_every_call)
{
	uint64_t random = 88172645463325252U;
	char what[128];

	for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
		bool has_crashed = true;
		for (size_t call = 0; has_crashed; call++) {
			struct world world;
			summary_scene_start(&world, "");
			cr_assert(run(&world, "a9 p4 l a9 f3 s a9 f2 a5"));
			fake_disk_plan(world.fake, call, FAKE_CRASH, 0);
			(void)run(&world, PHASES[phase]);
			has_crashed = fake_disk_is_dead(world.fake);
			world_stop(&world);
			(void)snprintf(what, sizeof(what),
			    "\"%s\" crashed at call %zu", PHASES[phase], call);
			explore(&world, what, &random);
			world_clear(&world);
		}
	}
}
