/*
 * From the segments on the shelf to the facts in them, in order; and what to do
 * with what cannot be read.
 */
#pragma once

#include "base/error.h"
#include "queue/journal.h"
#include "queue/scan.h"
#include "queue/shelf.h"

/*
 * Tell of segments that are gone as whole files, as JOURNAL_PROBLEM, each once:
 * a note of it goes to corrupt/.  So is told where large bodies are there and
 * no segment.  Adds to report.  Fails where it cannot be found out now.
 */
bool replay_missing(struct shelf *shelf, journal_fact_fn fact_fn, void *ctx,
    struct journal_report *report, struct error *error) MUST_USE;

/*
 * Give all facts to fact_fn.  Damaged stretches are copied to corrupt/ and told
 * of as JOURNAL_PROBLEM.  Adds to report; out_end is that of the newest
 * segment, of which there is one.
 */
bool replay_shelf(struct shelf *shelf, journal_fact_fn fact_fn, void *ctx,
    struct journal_report *report, struct scan_end *out_end,
    struct error *error) MUST_USE;
