/*
 * The way to the daemon: its SMTP socket, or who plays it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum sendmail_socket_result {
	SENDMAIL_SOCKET_OPEN,
	SENDMAIL_SOCKET_NOBODY, /* there is none, or nobody listens on it */
	SENDMAIL_SOCKET_FAILED  /* something else: try later */
};

/* $POSTRIDER_SOCKET, or where the build put it. */
const char *sendmail_socket_path(void);
/* out_fd, which the caller closes, is set where the result is OPEN; error says
 * why not otherwise. */
enum sendmail_socket_result sendmail_socket_open(
    const char *path, int *out_fd, struct error *error);
