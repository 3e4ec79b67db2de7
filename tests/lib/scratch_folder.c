#include "lib/scratch_folder.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

char *
scratch_folder_new(void)
{
	char *path = memory_copy_text("/tmp/postrider_test_XXXXXX");

	cr_assert_not_null(mkdtemp(path));
	return path;
}

static int
remove_one(
    const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
scratch_folder_remove(char *path)
{
	cr_expect_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(path);
}
