/*
 * sendmail, mailq and newaliases as a whole, but for what a process must do at
 * its start.
 *
 * Exit status (sysexits.h): 0 only when the message is durable, or what was
 * asked for is done; 64 usage; 65 bad data; 66 no recipients or no input; 69
 * refused, or not to be had; 74 input or output failed; 75 try later; 77 not
 * permitted; 78 the drop directory is not as it must be.
 *
 * One bad recipient does not stop the others: the message goes to them, and the
 * status is that of the worst refusal, since nobody else will hear of it.
 */
#pragma once

#include <stdbool.h>

/* has_input: standard input was open when the process began. */
int sendmail_run(int argc, char *const *argv, bool has_input);
