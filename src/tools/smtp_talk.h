/* postrider smtp cmd, etrn, and the verbs that are one command. */
#pragma once

#include "tools/smtp_visit.h"

/* docmd() of each argument; "-": of each line of standard input. */
void smtp_talk_commands(struct smtp_visit *visit);
/* Arguments are nodes. */
void smtp_talk_etrn(struct smtp_visit *visit);
/* Arguments are what the verb takes: a name, an address, a list, a word. */
void smtp_talk_ehlo(struct smtp_visit *visit);
void smtp_talk_helo(struct smtp_visit *visit);
void smtp_talk_vrfy(struct smtp_visit *visit);
void smtp_talk_expn(struct smtp_visit *visit);
void smtp_talk_help(struct smtp_visit *visit);
void smtp_talk_noop(struct smtp_visit *visit);
void smtp_talk_rset(struct smtp_visit *visit);
