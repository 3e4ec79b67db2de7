#include "config/source.h"

#include "base/memory.h"

#include <stdlib.h>

struct source *
source_new(const char *name, unsigned order, char *text, size_t len)
{
	struct source *source = memory_new(sizeof(*source));

	source->name = memory_copy_text(name);
	source->order = order;
	source->text = text;
	source->len = len;
	return source;
}

void
source_forget(struct source *source)
{
	if (source->text == NULL)
		return;
	secret_clear(source->text, source->len);
	free(source->text);
	source->text = NULL;
	source->len = 0;
}

void
source_free(struct source *source)
{
	if (source == NULL)
		return;
	source_forget(source);
	free(source->name);
	free(source);
}

unsigned
source_line(const struct source *source, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset && i < source->len; i++)
		line += source->text[i] == '\n';
	return line;
}

struct bytes
source_line_text(const struct source *source, size_t offset, size_t *out_column)
{
	size_t start = offset;

	while (start > 0 && source->text[start - 1] != '\n')
		start--;
	struct bytes rest =
	    bytes_make(source->text + start, source->len - start);
	*out_column = offset - start;
	return bytes_cut(&rest, '\n');
}
