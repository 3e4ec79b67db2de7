#include "config/setting.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "config/option.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct setting *
new_setting(const struct option *option, enum setting_kind kind)
{
	struct setting *setting = memory_new(sizeof(*setting));

	setting->option = option;
	setting->kind = kind;
	return setting;
}

struct setting *
setting_new_scalar(const struct option *option, const char *text)
{
	struct setting *setting = new_setting(option, SETTING_SCALAR);

	setting->text = memory_copy_text(text);
	return setting;
}

struct setting *
setting_new_group(const struct option *option, const struct option_group *group)
{
	struct setting *setting = new_setting(option, SETTING_GROUP);

	setting->group = group;
	setting->count = option_count(group);
	setting->items = memory_array(setting->count, sizeof(struct setting *));
	return setting;
}

struct setting *
setting_new_list(const struct option *option)
{
	return new_setting(option, SETTING_LIST);
}

void
setting_free(struct setting *setting)
{
	if (setting == NULL)
		return;
	for (size_t i = 0; i < setting->count; i++)
		setting_free(setting->items[i]);
	free(setting->items);
	if (setting->text != NULL)
		secret_clear(setting->text, strlen(setting->text));
	free(setting->text);
	free(setting);
}

void
setting_append(struct setting *list, struct setting *item)
{
	list->items = memory_resize_array(
	    list->items, list->count + 1, sizeof(struct setting *));
	list->items[list->count++] = item;
}

/* Where a group keeps the item of this name. */
static struct setting **
slot(const struct setting *group, struct bytes name)
{
	for (size_t i = 0; i < group->count; i++)
		if (bytes_is(name, group->group->options[i].name))
			return &group->items[i];
	assert(false); /* the table has this option */
	return NULL;
}

void
setting_put(struct setting *group, struct setting *item)
{
	struct setting **place = slot(group, bytes_of(item->option->name));

	setting_free(*place);
	*place = item;
}

void
setting_set_cause(struct setting *setting, const struct setting *cause)
{
	if (cause == NULL)
		return;
	setting->name = cause->name;
	setting->place = cause->place;
	setting->line = cause->line;
}

void
setting_put_text(struct setting *group, const char *path, const char *text,
    const struct setting *cause)
{
	struct bytes rest = bytes_of(path);
	struct bytes name = bytes_cut(&rest, '.');
	struct setting **item = slot(group, name);
	const struct option *option =
	    &group->group->options[item - group->items];

	if (rest.len > 0) {
		if (*item == NULL) {
			*item = setting_new_group(option, option->group);
			setting_set_cause(*item, cause);
		}
		setting_put_text(*item, rest.data, text, cause);
		return;
	}
	struct setting *scalar = setting_new_scalar(option, text);
	setting_set_cause(scalar, cause);
	setting_put(group, scalar);
}

struct setting *
setting_take(struct setting *group, const char *name)
{
	struct setting **place = slot(group, bytes_of(name));
	struct setting *item = *place;

	*place = NULL;
	return item;
}

struct setting *
setting_find(const struct setting *group, const char *path)
{
	struct bytes rest = bytes_of(path);
	struct setting *found = NULL;

	while (group != NULL && rest.len > 0) {
		found = *slot(group, bytes_cut(&rest, '.'));
		group = found;
	}
	return rest.len > 0 ? NULL : found;
}

const char *
setting_text(const struct setting *group, const struct option_group *options,
    const char *path)
{
	const struct setting *found = setting_find(group, path);
	const struct option *option = NULL;

	if (found != NULL)
		return found->text;
	for (struct bytes rest = bytes_of(path); rest.len > 0;) {
		char *name = memory_copy(bytes_cut(&rest, '.'));

		option = option_find(options, name);
		free(name);
		assert(option != NULL);
		options = option->group;
	}
	return option == NULL || option->fallback == NULL ? ""
							  : option->fallback;
}

const char *
setting_value(const struct setting *group, const char *path)
{
	return setting_text(group, group->group, path);
}

bool
setting_is(const struct setting *group, const char *path, const char *text)
{
	return strcmp(setting_value(group, path), text) == 0;
}

/* ---- merging ---- */

static const char *
key_of(const struct setting *element, const char *key)
{
	const struct setting *found = setting_find(element, key);

	return found == NULL ? NULL : found->text;
}

/* The element of list that item is another part of. */
static struct setting *
find_same(const struct setting *list, const struct setting *item)
{
	const struct option_group *group = list->option->group;

	if (group == NULL || group->key == NULL ||
	    key_of(item, group->key) == NULL)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		const char *key = key_of(list->items[i], group->key);

		if (key != NULL && strcmp(key, key_of(item, group->key)) == 0)
			return list->items[i];
	}
	return NULL;
}

static void
merge_lists(struct setting *to, struct setting *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct setting *same = find_same(to, from->items[i]);

		if (same != NULL)
			setting_merge(same, from->items[i]);
		else
			setting_append(to, from->items[i]);
		from->items[i] = NULL;
	}
}

static void
merge_groups(struct setting *to, struct setting *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct setting *item = from->items[i];

		if (item == NULL)
			continue;
		from->items[i] = NULL;
		if (to->items[i] == NULL)
			to->items[i] = item;
		else if (item->kind != SETTING_SCALAR)
			setting_merge(to->items[i], item);
		else
			setting_put(to, item);
	}
}

void
setting_merge(struct setting *to, struct setting *from)
{
	assert(to->kind == from->kind && to->kind != SETTING_SCALAR);

	if (to->kind == SETTING_LIST)
		merge_lists(to, from);
	else
		merge_groups(to, from);
	setting_free(from);
}

/* ---- showing ---- */

static bool
is_bare(const struct option *option)
{
	return option->type == OPTION_COUNT || option->type == OPTION_PORT ||
	    option->type == OPTION_BOOL;
}

static void
show_text(const struct option *option, struct bytes text, struct buffer *buffer)
{
	if (is_bare(option)) {
		buffer_append(buffer, text);
		return;
	}
	if (option->secret && text.len > 0)
		text = BYTES("********");
	buffer_append_char(buffer, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			buffer_append_char(buffer, '\\');
		buffer_append_char(buffer, text.data[i]);
	}
	buffer_append_char(buffer, '"');
}

static void
show_origin(const struct setting *setting, struct buffer *buffer)
{
	if (setting == NULL || setting->place.source == NULL)
		buffer_append_text(buffer, "  // default\n");
	else
		buffer_printf(buffer, "  // %s:%u\n",
		    setting->place.source->name, setting->line);
}

static void
show_indent(unsigned depth, struct buffer *buffer)
{
	for (unsigned i = 0; i < depth; i++)
		buffer_append_char(buffer, '\t');
}

/* An array of the default's words. */
static void
show_words(const struct option *option, struct buffer *buffer)
{
	struct bytes rest = bytes_of(option->fallback);

	buffer_append_text(buffer, "[");
	for (bool first = true; rest.len > 0; first = false) {
		buffer_append_text(buffer, first ? " " : ", ");
		show_text(option, bytes_cut(&rest, ' '), buffer);
	}
	buffer_append_text(buffer, " ]");
}

static void
show_scalars(const struct setting *list, struct buffer *buffer)
{
	buffer_append_text(buffer, "[");
	for (size_t i = 0; i < list->count; i++) {
		buffer_append_text(buffer, i == 0 ? " " : ", ");
		show_text(list->option, bytes_of(list->items[i]->text), buffer);
	}
	buffer_append_text(buffer, " ]");
}

/* Somebody wrote it, or something in it. */
static bool
was_given(const struct setting *setting)
{
	if (setting == NULL)
		return false;
	for (size_t i = 0; i < setting->count; i++)
		if (was_given(setting->items[i]))
			return true;
	return setting->place.source != NULL;
}

static void show_group(const struct option_group *group,
    const struct setting *setting, bool all, unsigned depth,
    struct buffer *buffer);

static void
show_groups(
    const struct setting *list, bool all, unsigned depth, struct buffer *buffer)
{
	const struct option_group *group = list->option->group;

	buffer_append_text(buffer, "(");
	for (size_t i = 0; i < list->count; i++) {
		buffer_append_text(buffer, i == 0 ? "\n" : ",\n");
		show_indent(depth + 1, buffer);
		buffer_append_text(buffer, "{\n");
		show_group(group, list->items[i], all, depth + 2, buffer);
		show_indent(depth + 1, buffer);
		buffer_append_char(buffer, '}');
	}
	buffer_append_char(buffer, '\n');
	show_indent(depth, buffer);
	buffer_append_text(buffer, ");\n");
}

/* One line, for all but groups. */
static void
show_value(const struct option *option, const struct setting *setting,
    struct buffer *buffer)
{
	bool array =
	    option->type == OPTION_TEXTS || option->type == OPTION_DURATIONS;

	if (array && setting != NULL)
		show_scalars(setting, buffer);
	else if (array)
		show_words(option, buffer);
	else
		show_text(option,
		    bytes_of(setting ? setting->text : option->fallback),
		    buffer);
	buffer_append_char(buffer, ';');
	show_origin(setting, buffer);
}

static void
show_option(const struct option *option, const struct setting *setting,
    bool all, unsigned depth, struct buffer *buffer)
{
	bool is_empty = setting == NULL &&
	    (option->type == OPTION_GROUPS ||
		option->offset == OPTION_NO_FIELD);

	if (option->later || is_empty || (!all && !was_given(setting)))
		return;
	show_indent(depth, buffer);
	buffer_printf(buffer, "%s = ", option->name);
	if (option->type == OPTION_GROUP) {
		buffer_append_text(buffer, "{\n");
		show_group(option->group, setting, all, depth + 1, buffer);
		show_indent(depth, buffer);
		buffer_append_text(buffer, "};\n");
	} else if (option->type == OPTION_GROUPS)
		show_groups(setting, all, depth, buffer);
	else
		show_value(option, setting, buffer);
}

static void
show_group(const struct option_group *group, const struct setting *setting,
    bool all, unsigned depth, struct buffer *buffer)
{
	for (size_t i = 0; group->options[i].name != NULL; i++)
		show_option(&group->options[i],
		    setting == NULL ? NULL : setting->items[i], all, depth,
		    buffer);
}

void
setting_show(const struct setting *root, bool all, struct buffer *buffer)
{
	show_group(root->group, root, all, 0, buffer);
}
