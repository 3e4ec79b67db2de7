#include "config/guess.h"

#include <stdbool.h>
#include <string.h>
#include <sys/param.h>

/* Longer words are not compared. */
#define GUESS_MAX 48

/* Letters added, left out, changed, or swapped with their neighbour. */
static unsigned
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[GUESS_MAX + 1][GUESS_MAX + 1];

	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		rows[i][0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			bool same = a[i - 1] == b[j - 1];
			unsigned best = rows[i - 1][j - 1] + !same;

			best = MIN(best, rows[i - 1][j] + 1);
			best = MIN(best, rows[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				best = MIN(best, rows[i - 2][j - 2] + 1);
			rows[i][j] = best;
		}
	}
	return rows[a_len][b_len];
}

struct guess
guess_begin(const char *word)
{
	return (struct guess){word, NULL, 0};
}

void
guess_try(struct guess *guess, const char *candidate)
{
	size_t word_len = strlen(guess->word);
	size_t candidate_len = strlen(candidate);

	if (word_len > GUESS_MAX || candidate_len > GUESS_MAX)
		return;
	unsigned distance =
	    edit_distance(guess->word, word_len, candidate, candidate_len);
	/* Near enough: one letter in a short word, a third of a long one. */
	size_t most = word_len < 6 ? 1 : word_len / 3;
	if (distance > most || distance >= candidate_len ||
	    distance >= word_len)
		return;
	if (guess->best == NULL || distance < guess->distance) {
		guess->best = candidate;
		guess->distance = distance;
	}
}
