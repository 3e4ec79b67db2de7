#include "lib/watched.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER true
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER false
#endif

#define VALGRIND_FACTOR 25

bool
is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "/vgpreload_") != NULL;
}

void
skip_under_valgrind(const char *why)
{
	if (is_under_valgrind())
		cr_skip_test("%s", why);
}

bool
is_watched(void)
{
	return HAS_SANITIZER || is_under_valgrind();
}

double
seconds_since(clock_t start)
{
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;

	return is_under_valgrind() ? seconds / VALGRIND_FACTOR : seconds;
}
