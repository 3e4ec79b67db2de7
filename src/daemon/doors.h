/*
 * The doors in: listening sockets with their SMTP, the drop directory, and the
 * admin socket; opened from the configuration or inherited.
 */
#pragma once

#include "base/error.h"
#include "daemon/service.h"
#include "daemon/wiring.h"
#include "intake/drop_intake.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doors;

struct doors_options {
	struct loop *loop;
	const struct wiring *wiring; /* borrowed */
	const struct door *door;     /* borrowed */
	int large_fd;
	/* Is a drop file with this key in the queue already? */
	bool (*is_known)(uint64_t drop_key, void *ctx);
	void *ctx;
};

/* Takes sockets: those that fit are used, others of ours are closed. */
bool doors_new(const struct doors_options *options,
    struct service_sockets *sockets, struct doors **out_doors,
    struct error *error) MUST_USE;
/* out_sockets: takes the listening sockets; NULL: they are closed. */
void doors_free(struct doors *doors, struct service_sockets *out_sockets);

/* Read no more, or read on. */
void doors_pause(struct doors *doors);
void doors_resume(struct doors *doors);
/* Take no new connection or file; tell sessions to go. */
void doors_shut(struct doors *doors);
size_t doors_sessions(const struct doors *doors);

/* The listening admin socket, for control_server_new(). */
int doors_admin_fd(const struct doors *doors);
/* "/run/postrider/smtp.sock", "127.0.0.1:25"; NULL at the end. */
const char *doors_address(const struct doors *doors, size_t i);
unsigned long doors_rejected(const struct doors *doors);
const struct drop_intake *doors_drop(const struct doors *doors);
