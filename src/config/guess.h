/* What may have been meant by a word that nobody knows. */
#pragma once

/* best is the candidate nearest to word; NULL while none is near enough.  Both
 * are borrowed. */
struct guess {
	const char *word;
	const char *best;
	unsigned distance; /* of best */
};

struct guess guess_begin(const char *word);
void guess_try(struct guess *guess, const char *candidate);
