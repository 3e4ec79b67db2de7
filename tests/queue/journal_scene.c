#include "journal_scene.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void
scene_start(struct world *world, const char *script)
{
	world_init(world, fake_disk_new());
	cr_assert(world_start(world), "%s", error_text(&world->error));
	cr_assert(world_run(world, script), "%s", error_text(&world->error));
}

void
scene_restart(struct world *world)
{
	world_stop(world);
	cr_assert(world_start(world), "%s", error_text(&world->error));
}

void
scene_refuse(struct world *world, const char *words)
{
	world_stop(world);
	uint64_t before = fake_disk_hash(world->fake);
	size_t open = fake_disk_open_count(world->fake);

	cr_assert_not(world_start(world), "%s", words);
	cr_expect_eq(world->error.kind, ERROR_CONFIG, "%s", words);
	cr_expect_not_null(strstr(error_text(&world->error), words), "%s",
	    error_text(&world->error));
	cr_expect_eq(fake_disk_hash(world->fake), before, "%s", words);
	cr_expect_eq(fake_disk_open_count(world->fake), open, "%s", words);
}

void
scene_expect_kept(struct world *world, const char *what)
{
	struct world_verdict verdict;

	cr_expect(world_check(world, &verdict), "%s: %s", what, verdict.text);
}

void
scene_ruin(struct world *world, const char *path, size_t at, size_t len)
{
	struct bytes content = fake_disk_get(world->fake, path);
	char *data = memory_copy(content);

	for (size_t i = at; i < at + len; i++)
		data[i] ^= 0x55;
	fake_disk_put(world->fake, path, bytes_make(data, content.len));
	free(data);
}

bool
scene_has(struct world *world, const char *directory, const char *part)
{
	char *names = fake_disk_names(world->fake, directory);
	bool is_there = strstr(names, part) != NULL;

	free(names);
	return is_there;
}

char *
scene_body(const char *folder, uint64_t id)
{
	return memory_format("queue/%s/%s", folder, queue_id_of(id).text);
}
