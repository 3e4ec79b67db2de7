/* postrider smtp send, msg, mail and rcpt. */
#pragma once

#include "tools/smtp_visit.h"

/* sendmail(): the envelope is given, the letter as well, or made. */
void smtp_sending_send(struct smtp_visit *visit);
/* send_message(): the envelope is in the header. */
void smtp_sending_message(struct smtp_visit *visit);
/* MAIL, with the sender as the argument. */
void smtp_sending_mail(struct smtp_visit *visit);
/* MAIL and RCPT, with recipients as arguments. */
void smtp_sending_rcpt(struct smtp_visit *visit);
