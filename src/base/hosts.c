#include "base/hosts.h"

static struct bytes
next_word(struct bytes *line)
{
	const struct bytes trimmed = bytes_trim(*line);
	size_t len = 0;

	while (len < trimmed.len && trimmed.data[len] != ' ' &&
	    trimmed.data[len] != '\t')
		len++;
	*line = bytes_from(trimmed, len);
	return bytes_first(trimmed, len);
}

static struct bytes
dotted_name_of_line(struct bytes line, const char *name)
{
	struct bytes dotted = BYTES_NONE;
	bool is_found = false;

	line = bytes_cut(&line, '#');
	(void)next_word(&line); /* the address */
	for (struct bytes word = next_word(&line); word.len > 0;
	     word = next_word(&line)) {
		is_found |= bytes_is_nocase(word, name);
		if (dotted.len == 0 && bytes_contains(word, '.'))
			dotted = word;
	}
	return is_found ? dotted : BYTES_NONE;
}

struct bytes
hosts_dotted_name(struct bytes hosts, const char *name)
{
	struct bytes dotted = BYTES_NONE;

	while (hosts.len > 0 && dotted.len == 0)
		dotted = dotted_name_of_line(bytes_cut(&hosts, '\n'), name);
	return dotted;
}
