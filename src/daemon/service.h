/*
 * The service manager's protocol (sd_notify(3), sd_listen_fds(3)): readiness,
 * status and watchdog out, listening sockets in.  Without a manager everything
 * here does nothing.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_SOCKETS_MAX 64

/* Sockets that were handed to us; they are close-on-exec now. */
struct service_sockets {
	int fds[SERVICE_SOCKETS_MAX];
	bool own[SERVICE_SOCKETS_MAX]; /* we opened it, before a re-execution */
	size_t count;
};

/*
 * Take the sockets of LISTEN_FDS, once, and remove the variables from the
 * environment.  More than SERVICE_SOCKETS_MAX: the rest is closed.
 */
void service_take_sockets(struct service_sockets *out_sockets);
/*
 * Hand sockets to the program that this process is about to become: they are
 * moved to descriptors 3 and up, everything else up there is closed on exec.
 */
bool service_hand_sockets(
    const struct service_sockets *sockets, struct error *error) MUST_USE;

/* Lines of sd_notify: "READY=1\nSTATUS=text". False where nobody listens. */
bool service_notify(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* How often the watchdog wants to hear of us, ms; 0: not at all. */
int64_t service_watchdog_ms(void);
