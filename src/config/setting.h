/*
 * The settings that were given: a tree that follows the table of options
 * (option.h), with the place each value came from.  Files are read into trees,
 * trees are merged, and what is not in the last tree takes its default.
 */
#pragma once

#include "base/buffer.h"
#include "config/diagnose.h"

#include <stdbool.h>
#include <stddef.h>

struct option;
struct option_group;

enum setting_kind {
	SETTING_SCALAR, /* text is the value, as written, without quotes */
	SETTING_GROUP,  /* items: one for each row of group, or NULL */
	SETTING_LIST    /* items: scalars or groups */
};

struct setting {
	enum setting_kind kind;
	const struct option *option;      /* NULL for the root */
	const struct option_group *group; /* of SETTING_GROUP */
	struct source_place name; /* for the elements of lists, their value's */
	struct source_place place;
	unsigned line; /* of place, for when the source's text is forgotten */
	char *text;
	struct setting **items;
	size_t count;
};

struct setting *setting_new_scalar(
    const struct option *option, const char *text);
struct setting *setting_new_group(
    const struct option *option, const struct option_group *group);
struct setting *setting_new_list(const struct option *option);
/* Texts are overwritten before they are freed.  NULL does nothing. */
void setting_free(struct setting *setting);

/* A list takes item as its last one. */
void setting_append(struct setting *list, struct setting *item);
/* A group takes item, in place of what it had for item's option. */
void setting_put(struct setting *group, struct setting *item);
/* The place of setting is cause's; NULL: it stands for a default. */
void setting_set_cause(struct setting *setting, const struct setting *cause);
/* As setting_put, of a scalar that follows from cause; path as for
 * setting_find(), groups on the way are made. */
void setting_put_text(struct setting *group, const char *path, const char *text,
    const struct setting *cause);
/* Take it out; NULL where it was not given. */
struct setting *setting_take(struct setting *group, const char *name);

/*
 * What was given for path ("tls.mode"), below group; NULL where nothing was.
 * group may be NULL too.  A path that the table does not have is our bug.
 */
struct setting *setting_find(const struct setting *group, const char *path);
/* The text of a scalar found so, or its default. */
const char *setting_text(const struct setting *group,
    const struct option_group *options, const char *path);
/* The same in a group that is there, which knows its options. */
const char *setting_value(const struct setting *group, const char *path);
bool setting_is(
    const struct setting *group, const char *path, const char *text);

/*
 * Takes from: its scalars replace those of to, its lists are appended, groups
 * are merged, and so are elements of a list that have the same key
 * (option_group's).
 */
void setting_merge(struct setting *to, struct setting *from);

/*
 * Append the tree as a configuration file, with origins as comments.  all: what
 * was not given too.  Secrets come out as stars.
 */
void setting_show(const struct setting *root, bool all, struct buffer *buffer);
