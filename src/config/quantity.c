#include "config/quantity.h"

#include <string.h>

bool
quantity_parse_size(struct bytes text, int64_t *out_bytes)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	unsigned shift = 0;

	if (text.len > 0) {
		char last = text.data[text.len - 1];
		const char *unit = last ? strchr(units, last) : NULL;

		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			text = bytes_first(text, text.len - 1);
		}
	}
	if (!bytes_to_u64(text, INT64_MAX >> shift, &number))
		return false;
	*out_bytes = (int64_t)(number << shift);
	return true;
}

bool
quantity_parse_percent(struct bytes text, int64_t *out_percent)
{
	unsigned long long number;

	if (text.len == 0 || text.data[text.len - 1] != '%')
		return false;
	if (!bytes_to_u64(bytes_first(text, text.len - 1), 100, &number))
		return false;
	*out_percent = (int64_t)number;
	return true;
}

bool
quantity_parse_mode(struct bytes text, int64_t *out_mode)
{
	int64_t mode = 0;

	if (text.len == 4 && text.data[0] == '0')
		text = bytes_from(text, 1);
	if (text.len != 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			return false;
		mode = mode * 8 + (text.data[i] - '0');
	}
	*out_mode = mode;
	return true;
}
