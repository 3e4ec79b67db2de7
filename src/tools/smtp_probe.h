/* postrider smtp probe: what a server is and offers.  No mail is sent. */
#pragma once

#include "tools/smtp_visit.h"

void smtp_probe_run(struct smtp_visit *visit);
