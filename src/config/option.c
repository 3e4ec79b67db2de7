#include "config/option.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "config/grammar.h"
#include "config/guess.h"
#include "config/value.h"

#include <assert.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

/* Reading one source. */
struct reader {
	const struct source *source;
	const char *folder;
	struct diagnose *diagnose;
	const struct grammar_mark *marks;
	size_t mark_count;
	size_t next; /* mark of the setting that comes next in the tree */
	const struct option_group *root;
};

size_t
option_count(const struct option_group *group)
{
	size_t count = 0;

	while (group->options[count].name != NULL)
		count++;
	return count;
}

const struct option *
option_find(const struct option_group *group, const char *name)
{
	for (const struct option *option = group->options; option->name != NULL;
	     option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

/* ---- scalars and arrays ---- */

static struct source_place
name_place(const struct reader *reader, const struct grammar_mark *mark)
{
	if (mark->name_len == 0)
		return (struct source_place){
		    reader->source, mark->value, mark->value_len};
	return (struct source_place){
	    reader->source, mark->name, mark->name_len};
}

static void
set_places(const struct reader *reader, struct setting *setting,
    const struct grammar_mark *mark)
{
	setting->name = name_place(reader, mark);
	setting->place =
	    (struct source_place){reader->source, mark->value, mark->value_len};
	setting->line = source_line(reader->source, mark->value);
}

/* Text as libconfig reads it; of numbers as they stand, for libconfig wraps
 * them.  The caller frees it. */
static char *
scalar_text(const struct reader *reader, const config_setting_t *value,
    const struct grammar_mark *mark)
{
	if (config_setting_type(value) == CONFIG_TYPE_STRING)
		return memory_copy_text(config_setting_get_string(value));
	return memory_copy(
	    bytes_make(reader->source->text + mark->value, mark->value_len));
}

static bool
is_of_type(const struct option *option, int type)
{
	switch (option->type) {
	case OPTION_COUNT:
	case OPTION_PORT:
		return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	case OPTION_BOOL:
		return type == CONFIG_TYPE_BOOL;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_FREE:
	case OPTION_MODE:
	case OPTION_CHOICE:
	case OPTION_TEXTS:
	case OPTION_DURATIONS:
		return type == CONFIG_TYPE_STRING;
	case OPTION_GROUP:
		return type == CONFIG_TYPE_GROUP;
	case OPTION_GROUPS:
		return type == CONFIG_TYPE_LIST;
	}
	return false;
}

static struct setting *
make_scalar(const struct reader *reader, const struct option *option,
    char *text, struct source_place place)
{
	struct setting *setting;

	value_check(option, text, place, reader->diagnose);
	bool relative = option->type == OPTION_PATH && text[0] != '\0' &&
	    text[0] != '/' && value_choice(option, text) == NULL;
	if (relative) {
		char *path = memory_format("%s/%s", reader->folder, text);
		setting = setting_new_scalar(option, path);
		free(path);
	} else
		setting = setting_new_scalar(option, text);
	secret_clear(text, strlen(text));
	free(text);
	return setting;
}

/* The mark of value, and of all that it holds, are behind us then. */
static void
skip_value(struct reader *reader, const config_setting_t *value)
{
	int count = config_setting_is_aggregate(value)
	    ? config_setting_length(value)
	    : 0;

	reader->next++;
	for (int i = 0; i < count; i++)
		skip_value(reader, config_setting_get_elem(value, (unsigned)i));
}

static struct setting *
read_scalar(struct reader *reader, const struct option *option,
    const config_setting_t *value)
{
	const struct grammar_mark *mark = &reader->marks[reader->next];
	struct source_place place = {
	    reader->source, mark->value, mark->value_len};

	if (!is_of_type(option, config_setting_type(value))) {
		diagnose_error(reader->diagnose, place, "'%s' must be %s",
		    option->name, value_example(option));
		skip_value(reader, value);
		return NULL;
	}
	size_t errors = reader->diagnose->errors;
	struct setting *setting = make_scalar(
	    reader, option, scalar_text(reader, value, mark), place);
	set_places(reader, setting, mark);
	reader->next++;
	/* Wrong numbers are not compared with others any more. */
	if (reader->diagnose->errors == errors || !value_is_number(option))
		return setting;
	setting_free(setting);
	return NULL;
}

static struct setting *
read_array(struct reader *reader, const struct option *option,
    const config_setting_t *value)
{
	const struct grammar_mark *mark = &reader->marks[reader->next];
	struct source_place place = {
	    reader->source, mark->value, mark->value_len};

	if (!config_setting_is_array(value) && !config_setting_is_list(value)) {
		bool text = config_setting_type(value) == CONFIG_TYPE_STRING;

		diagnose_error(reader->diagnose, place,
		    text ? "'%s' is a list; write [ %.*s ]"
			 : "'%s' is a list; write [ \"a\", \"b\" ]",
		    option->name, (int)mark->value_len,
		    reader->source->text + mark->value);
		skip_value(reader, value);
		return NULL;
	}
	struct setting *list = setting_new_list(option);
	set_places(reader, list, mark);
	reader->next++;
	for (int i = 0; i < config_setting_length(value); i++) {
		struct setting *item = read_scalar(reader, option,
		    config_setting_get_elem(value, (unsigned)i));
		if (item != NULL)
			setting_append(list, item);
	}
	return list;
}

/* ---- names that are not in the table ---- */

/* The path of an option of this name in a group elsewhere; the caller frees
 * it, NULL where there is none. */
static char *
find_elsewhere(const struct option_group *group, const char *name)
{
	for (const struct option *option = group->options; option->name != NULL;
	     option++) {
		if (option->group == NULL)
			continue;
		const char *mark = option->type == OPTION_GROUPS ? "[]" : "";
		if (option_find(option->group, name) != NULL)
			return memory_format(
			    "%s%s.%s", option->name, mark, name);
		char *path = find_elsewhere(option->group, name);
		if (path != NULL) {
			char *whole =
			    memory_format("%s%s.%s", option->name, mark, path);
			free(path);
			return whole;
		}
	}
	return NULL;
}

static void
tell_unknown(const struct reader *reader, const struct option_group *group,
    const char *where, const char *name, struct source_place place)
{
	struct guess guess = guess_begin(name);
	const char *in = where[0] == '\0' ? "" : " in ";

	for (const struct option *option = group->options; option->name != NULL;
	     option++)
		if (!option->later)
			guess_try(&guess, option->name);
	if (guess.best != NULL) {
		diagnose_error(reader->diagnose, place,
		    "unknown setting '%s'%s%s; did you mean '%s'?", name, in,
		    where, guess.best);
		return;
	}
	char *path = find_elsewhere(reader->root, name);
	if (option_find(reader->root, name) != NULL)
		diagnose_error(reader->diagnose, place,
		    "unknown setting '%s'%s%s; write it outside of all groups",
		    name, in, where);
	else if (path != NULL)
		diagnose_error(reader->diagnose, place,
		    "unknown setting '%s'%s%s; did you mean '%s'?", name, in,
		    where, path);
	else
		diagnose_error(reader->diagnose, place,
		    "unknown setting '%s'%s%s; postrider.conf(5) lists all",
		    name, in, where);
	free(path);
}

/* ---- groups ---- */

static struct setting *read_value(struct reader *reader,
    const struct option *option, const char *where,
    const config_setting_t *value);

static void
read_member(struct reader *reader, struct setting *group, const char *where,
    const config_setting_t *value)
{
	const char *name = config_setting_name(value);
	const struct option *option = option_find(group->group, name);
	struct source_place place =
	    name_place(reader, &reader->marks[reader->next]);

	if (option == NULL)
		tell_unknown(reader, group->group, where, name, place);
	else if (option->later)
		diagnose_error(reader->diagnose, place,
		    "'%s' is not carried out yet by this version; remove it",
		    name);
	if (option == NULL || option->later) {
		skip_value(reader, value);
		return;
	}
	struct setting *item = read_value(reader, option, where, value);
	if (item != NULL)
		setting_put(group, item);
}

static struct setting *
read_group(struct reader *reader, const struct option *option,
    const struct option_group *table, const char *where,
    const config_setting_t *value)
{
	struct setting *group = setting_new_group(option, table);

	if (option != NULL) /* the root has no mark */
		set_places(reader, group, &reader->marks[reader->next++]);
	for (int i = 0; i < config_setting_length(value); i++)
		read_member(reader, group, where,
		    config_setting_get_elem(value, (unsigned)i));
	return group;
}

/* Two elements with one key in one file. */
static void
check_keys(const struct reader *reader, const struct setting *list)
{
	const char *key = list->option->group->key;

	for (size_t i = 0; key != NULL && i < list->count; i++) {
		const struct setting *name = setting_find(list->items[i], key);

		for (size_t j = 0; name != NULL && j < i; j++) {
			const struct setting *other =
			    setting_find(list->items[j], key);
			if (other == NULL ||
			    strcmp(other->text, name->text) != 0)
				continue;
			diagnose_error(reader->diagnose, name->place,
			    "two %s are called \"%s\", the first in line %u; "
			    "rename one",
			    list->option->name, name->text, other->line);
			break;
		}
	}
}

static struct setting *
read_groups(struct reader *reader, const struct option *option,
    const char *where, const config_setting_t *value)
{
	struct setting *list = setting_new_list(option);

	set_places(reader, list, &reader->marks[reader->next++]);
	for (int i = 0; i < config_setting_length(value); i++) {
		const config_setting_t *element =
		    config_setting_get_elem(value, (unsigned)i);
		const struct grammar_mark *mark = &reader->marks[reader->next];

		if (!config_setting_is_group(element)) {
			diagnose_error(reader->diagnose,
			    name_place(reader, mark),
			    "each of '%s' must be { name = value; }",
			    option->name);
			skip_value(reader, element);
			continue;
		}
		char *path = memory_format("%s[%d]", where, i);
		setting_append(list,
		    read_group(reader, option, option->group, path, element));
		free(path);
	}
	check_keys(reader, list);
	return list;
}

/* where: the path of the group that holds value, "" for the root. */
static struct setting *
read_value(struct reader *reader, const struct option *option,
    const char *where, const config_setting_t *value)
{
	bool group = option->type == OPTION_GROUP;
	struct setting *setting;

	if (option->type == OPTION_TEXTS || option->type == OPTION_DURATIONS)
		return read_array(reader, option, value);
	bool fits = is_of_type(option, config_setting_type(value));
	if (!fits || (!group && option->type != OPTION_GROUPS))
		return read_scalar(reader, option, value);
	char *path = memory_format(
	    "%s%s%s", where, where[0] == '\0' ? "" : ".", option->name);
	if (group)
		setting =
		    read_group(reader, option, option->group, path, value);
	else
		setting = read_groups(reader, option, path, value);
	free(path);
	return setting;
}

/* libconfig frees its texts as they are. */
static void
clear_texts(config_setting_t *value)
{
	if (config_setting_type(value) == CONFIG_TYPE_STRING &&
	    value->value.sval != NULL)
		secret_clear(value->value.sval, strlen(value->value.sval));
	if (!config_setting_is_aggregate(value))
		return;
	for (int i = 0; i < config_setting_length(value); i++)
		clear_texts(config_setting_get_elem(value, (unsigned)i));
}

/* The start of a line, counted from 1. */
static size_t
line_start(const struct source *source, int line)
{
	size_t offset = 0;

	for (int i = 1; i < line && offset < source->len; i++)
		offset += bytes_index(bytes_make(source->text + offset,
					  source->len - offset),
			      '\n') +
		    1;
	return offset < source->len ? offset : source->len;
}

/* NULL where libconfig does not understand text. */
static struct setting *
parse(struct reader *reader, const char *text)
{
	struct setting *root = NULL;
	config_t config;

	config_init(&config);
	if (config_read_string(&config, text) == CONFIG_TRUE) {
		root = read_group(reader, NULL, reader->root, "",
		    config_root_setting(&config));
		assert(reader->next == reader->mark_count);
		clear_texts(config_root_setting(&config));
	} else {
		/* grammar.c should have seen it, and said more. */
		struct source_place place = {reader->source,
		    line_start(reader->source, config_error_line(&config)), 1};
		diagnose_error(
		    reader->diagnose, place, "%s", config_error_text(&config));
	}
	config_destroy(&config);
	return root;
}

struct setting *
option_read(const struct option_group *group, const struct source *source,
    const char *folder, struct diagnose *diagnose)
{
	struct setting *root = NULL;
	/* libconfig wants a line end behind a comment, even behind the last. */
	char *text = memory_new(source->len + 2);
	struct grammar grammar;

	memcpy(text, source->text, source->len);
	text[source->len] = '\n';
	if (grammar_scan(source, text, diagnose, &grammar)) {
		struct reader reader = {.source = source,
		    .folder = folder,
		    .diagnose = diagnose,
		    .marks = grammar.marks,
		    .mark_count = grammar.count,
		    .root = group};

		root = parse(&reader, text);
		grammar_clear(&grammar);
	}
	secret_clear(text, source->len);
	free(text);
	return root;
}

void
option_read_text(const struct option_group *group, const char *path,
    const struct source *source, const char *folder, struct diagnose *diagnose,
    struct setting *root)
{
	struct reader reader = {
	    .source = source, .folder = folder, .diagnose = diagnose};
	struct setting cause = {.place = {source, 0, source->len}, .line = 1};
	struct bytes rest = bytes_of(path);

	cause.name = cause.place;
	const struct option *option = NULL;
	while (rest.len > 0) {
		char *name = memory_copy(bytes_cut(&rest, '.'));

		option = option_find(group, name);
		free(name);
		assert(option != NULL);
		group = option->group;
	}
	struct setting *made = make_scalar(&reader, option,
	    memory_copy(bytes_make(source->text, source->len)), cause.place);
	setting_put_text(root, path, made->text, &cause);
	setting_free(made);
}
