#include "config/store.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "config/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void
store_choice(const struct option *option, const char *text, void *field)
{
	const struct option_choice *choice = value_choice(option, text);

	assert(choice != NULL);
	/* An enum of ours has the size of an int. */
	memcpy(field, &choice->value, sizeof(int));
}

static void
store_number(const struct option *option, const char *text, void *field)
{
	int64_t number = 0;
	bool good = value_number(option, bytes_of(text), &number);

	assert(good);
	if (option->type == OPTION_BOOL)
		*(bool *)field = number != 0;
	else if (option->type == OPTION_FREE && strchr(text, '%') != NULL)
		((int64_t *)field)[1] = number;
	else
		*(int64_t *)field = number;
}

/* The pointer and the count behind it. */
static void
store_array(void *field, void *elements, size_t count)
{
	memcpy(field, &elements, sizeof(elements));
	memcpy((char *)field + sizeof(elements), &count, sizeof(count));
}

static void
load_array(const void *field, void **out_elements, size_t *out_count)
{
	memcpy(out_elements, field, sizeof(*out_elements));
	memcpy(out_count, (const char *)field + sizeof(*out_elements),
	    sizeof(*out_count));
}

/* The elements of a list, or the words of the default; the caller frees both
 * the texts and the array, which is NULL-ended. */
static char **
array_texts(
    const struct option *option, const struct setting *list, size_t *out_count)
{
	struct bytes rest = bytes_of(list == NULL ? option->fallback : "");
	char **texts = memory_array(1, sizeof(*texts));
	size_t count = 0;

	for (; list != NULL ? count < list->count : rest.len > 0; count++) {
		texts = memory_resize_array(texts, count + 2, sizeof(*texts));
		texts[count] = list != NULL
		    ? memory_copy_text(list->items[count]->text)
		    : memory_copy(bytes_cut(&rest, ' '));
		texts[count + 1] = NULL;
	}
	*out_count = count;
	return texts;
}

static void
store_durations(
    const struct option *option, const struct setting *list, void *field)
{
	size_t count;
	char **texts = array_texts(option, list, &count);
	int64_t *durations = memory_array(count, sizeof(*durations));

	for (size_t i = 0; i < count; i++) {
		store_number(option, texts[i], &durations[i]);
		free(texts[i]);
	}
	free(texts);
	store_array(field, durations, count);
}

static void
store_groups(
    const struct option *option, const struct setting *list, void *field)
{
	size_t count = list == NULL ? 0 : list->count;
	size_t size = option->group->size;
	char *elements = memory_array(count, size);

	for (size_t i = 0; i < count; i++)
		store_settings(
		    option->group, list->items[i], elements + i * size);
	store_array(field, elements, count);
}

static void
store_option(
    const struct option *option, const struct setting *setting, void *field)
{
	const char *text = option->fallback;
	size_t count;

	if (setting != NULL && setting->kind == SETTING_SCALAR)
		text = setting->text;
	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		*(char **)field = memory_copy_text(text);
		break;
	case OPTION_CHOICE:
		store_choice(option, text, field);
		break;
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_FREE:
	case OPTION_MODE:
	case OPTION_COUNT:
	case OPTION_PORT:
	case OPTION_BOOL:
		store_number(option, text, field);
		break;
	case OPTION_TEXTS: {
		char **texts = array_texts(option, setting, &count);

		store_array(field, texts, count);
		break;
	}
	case OPTION_DURATIONS:
		store_durations(option, setting, field);
		break;
	case OPTION_GROUP:
		store_settings(option->group, setting, field);
		break;
	case OPTION_GROUPS:
		store_groups(option, setting, field);
		break;
	}
}

void
store_settings(const struct option_group *group, const struct setting *root,
    void *out_struct)
{
	for (size_t i = 0; group->options[i].name != NULL; i++) {
		const struct option *option = &group->options[i];

		if (option->offset != OPTION_NO_FIELD)
			store_option(option,
			    root == NULL ? NULL : root->items[i],
			    (char *)out_struct + option->offset);
	}
}

/* ---- releasing ---- */

static void
release_texts(void *field)
{
	void *elements;
	size_t count;

	load_array(field, &elements, &count);
	char **texts = elements;
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static void
release_groups(const struct option_group *group, void *field)
{
	void *elements;
	size_t count;

	load_array(field, &elements, &count);
	for (size_t i = 0; i < count; i++)
		store_release(group, (char *)elements + i * group->size);
	free(elements);
}

static void
release_option(const struct option *option, void *field)
{
	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH: {
		char *text = *(char **)field;

		if (text != NULL && option->secret)
			secret_clear(text, strlen(text));
		free(text);
		break;
	}
	case OPTION_TEXTS:
		release_texts(field);
		break;
	case OPTION_DURATIONS:
		free(*(int64_t **)field);
		break;
	case OPTION_GROUP:
		store_release(option->group, field);
		break;
	case OPTION_GROUPS:
		release_groups(option->group, field);
		break;
	case OPTION_CHOICE:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_FREE:
	case OPTION_MODE:
	case OPTION_COUNT:
	case OPTION_PORT:
	case OPTION_BOOL:
		break;
	}
}

void
store_release(const struct option_group *group, void *object)
{
	for (size_t i = 0; group->options[i].name != NULL; i++) {
		const struct option *option = &group->options[i];

		if (option->offset != OPTION_NO_FIELD)
			release_option(option, (char *)object + option->offset);
	}
}
