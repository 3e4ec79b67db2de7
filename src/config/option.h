/*
 * A table of options, and reading a configuration by it: types, bounds, units,
 * defaults.  One table drives reading, checking, showing and storing.
 *
 * This is the only file that knows libconfig.
 */
#pragma once

#include "config/diagnose.h"
#include "config/setting.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	/*              what is written         the field in the struct */
	OPTION_TEXT,     /* "text"               char *                 */
	OPTION_PATH,     /* "dir/file"           char *, absolute       */
	OPTION_DURATION, /* "15m"                int64_t, ms            */
	OPTION_SIZE,     /* "64K"                int64_t, octets        */
	OPTION_FREE,     /* "5%" or "10G"        two int64_t: octets, percent */
	OPTION_MODE,     /* "0660"               int64_t                */
	OPTION_COUNT,    /* 1000                 int64_t                */
	OPTION_PORT,     /* 587                  int64_t                */
	OPTION_BOOL,     /* true                 bool                   */
	OPTION_CHOICE,   /* "word"               an enum, or int        */
	/* Arrays are a pointer and, right behind it, a size_t of their length.
	 */
	OPTION_TEXTS,     /* [ "a", "b" ]        char **, NULL-ended    */
	OPTION_DURATIONS, /* [ "1m", "2m" ]      int64_t *              */
	OPTION_GROUP,     /* { … }               the struct itself      */
	OPTION_GROUPS     /* ( { … }, { … } )    array of the struct    */
};

struct option_choice {
	const char *word;
	int value; /* OPTION_LATER: known, not carried out yet */
};

#define OPTION_LATER    INT32_MIN
#define OPTION_NO_FIELD SIZE_MAX

struct option {
	const char *name;
	const char *prose; /* what it is, in one sentence */
	enum option_type type;
	/* Known, not carried out yet: giving it is an error. */
	bool later;
	bool secret;
	size_t offset; /* of the field, or OPTION_NO_FIELD */
	/* As written, without quotes; elements of an array have blanks between.
	 */
	const char *fallback;
	/* Bounds of the value in its unit; both 0: none. */
	int64_t min;
	int64_t max;
	/* For CHOICE, ended by a NULL; for PATH, words that are no paths. */
	const struct option_choice *choices;
	const struct option_group *group; /* of GROUP and GROUPS */
};

struct option_group {
	const struct option *options; /* ended by a row without a name */
	size_t size;                  /* of the struct that it fills */
	/* Elements with the same value of this are one (NULL: none). */
	const char *key;
};

size_t option_count(const struct option_group *group);
/* The row of that name; NULL where there is none. */
const struct option *option_find(
    const struct option_group *group, const char *name);

/*
 * Read source by the table.  Paths are made absolute against folder. Everything
 * that is wrong is told to diagnose; what is right is in the tree all the same,
 * which the caller frees.  NULL: the syntax is wrong, nothing more can be said.
 */
struct setting *option_read(const struct option_group *group,
    const struct source *source, const char *folder, struct diagnose *diagnose);
/*
 * As if source's whole text were the value of the option at path: for variables
 * of the environment.  A list's elements are separated by blanks or commas.
 */
void option_read_text(const struct option_group *group, const char *path,
    const struct source *source, const char *folder, struct diagnose *diagnose,
    struct setting *root);
