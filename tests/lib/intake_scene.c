#include "lib/intake_scene.h"

#include "lib/conn_probe.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct admission_options limits = {
    .hostname = "mail.example",
    .origin = "example.org",
    .message_size_max = 10 << 20,
    .recipients_max = 100,
    .connections_max = 50,
    .connections_per_user_max = 40,
    .hops_max = 50,
    .memory_max = 64 << 20,
    .inline_limit = 1 << 20,
};

void
intake_scene_init(struct intake_scene *scene)
{
	*scene = (struct intake_scene){
	    .directory = "/tmp/postrider-intake-XXXXXX",
	    .admission_options = limits,
	    .options =
		{
		    .server =
			{
			    .hostname = "mail.example",
			    .message_size_max = 10 << 20,
			    .recipients_max = 100,
			    .etrn = true,
			    .command_timeout_ms = 300 * CLOCK_SECOND,
			    .content_timeout_ms = 300 * CLOCK_SECOND,
			    .errors_max = 20,
			},
		    .rewrite =
			{
			    .hostname = "mail.example",
			    .origin = "example.org",
			    .root = "admin@example.net",
			},
		    .trusted = true,
		},
	};
	cr_assert_not_null(mkdtemp(scene->directory));
	scene->directory_fd = open(scene->directory, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(scene->directory_fd, 0);
	scene->loop = loop_new();
	fake_door_init(&scene->fake, scene->loop);
	scene->admission_options.large_directory_fd = scene->directory_fd;
	scene->admission_options.door = &scene->fake.door;
	admission_init(&scene->admission, &scene->admission_options);
	scene->intake =
	    smtp_intake_new(scene->loop, &scene->admission, &scene->options);
}

static bool
is_empty(void *ctx)
{
	const struct intake_scene *scene = ctx;
	return smtp_intake_sessions(scene->intake) == 0;
}

void
intake_scene_until_empty(struct intake_scene *scene)
{
	loop_until(scene->loop, is_empty, scene);
}

size_t
intake_scene_files(const struct intake_scene *scene)
{
	DIR *directory = opendir(scene->directory);
	const struct dirent *entry;
	size_t count = 0;

	cr_assert_not_null(directory);
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void
remove_directory(const struct intake_scene *scene)
{
	DIR *directory = opendir(scene->directory);
	const struct dirent *entry;

	while ((entry = readdir(directory)) != NULL)
		(void)unlinkat(scene->directory_fd, entry->d_name, 0);
	closedir(directory);
	close(scene->directory_fd);
	rmdir(scene->directory);
}

void
intake_scene_clear(struct intake_scene *scene)
{
	intake_scene_until_empty(scene);
	cr_assert_eq(scene->admission.memory, 0, "%llu octets kept reserved",
	    (unsigned long long)scene->admission.memory);
	cr_assert_eq(scene->admission.connections, 0);
	smtp_intake_free(scene->intake);
	admission_clear(&scene->admission);
	fake_door_clear(&scene->fake);
	loop_free(scene->loop);
	remove_directory(scene);
}

/* ---- clients ---- */

static void
take(struct intake_client *client, struct intake_scene *scene, int ours,
    int theirs)
{
	struct peer peer;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	*client = (struct intake_client){.scene = scene, .fd = ours};
	buffer_init(&client->pending, SIZE_MAX);
	buffer_init(&client->told, SIZE_MAX);
	cr_assert_eq(fcntl(ours, F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fcntl(theirs, F_SETFL, O_NONBLOCK), 0);
	(void)getpeername(theirs, (struct sockaddr *)&address, &len);
	peer_describe(&peer, theirs, (struct sockaddr *)&address, len);
	smtp_intake_accept(theirs, &peer, scene->intake);
}

void
intake_client_init(struct intake_client *client, struct intake_scene *scene)
{
	int pair[2];

	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	take(client, scene, pair[0], pair[1]);
}

void
intake_client_init_tcp(struct intake_client *client, struct intake_scene *scene)
{
	int ours;
	int theirs;

	tcp_pair(&ours, &theirs);
	take(client, scene, ours, theirs);
}

static void
shut_descriptor(struct intake_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

void
intake_client_clear(struct intake_client *client)
{
	shut_descriptor(client);
	buffer_clear(&client->pending);
	buffer_clear(&client->told);
}

void
intake_client_cut(struct intake_client *client)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(
	    client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	shut_descriptor(client);
}

void
intake_client_send(struct intake_client *client, struct bytes octets)
{
	buffer_append(&client->pending, octets);
}

void
intake_client_say(struct intake_client *client, const char *text)
{
	intake_client_send(client, bytes_of(text));
}

void
intake_client_half_close(struct intake_client *client)
{
	client->shuts = true;
}

static void
write_pending(struct intake_client *client)
{
	struct bytes pending = buffer_bytes(&client->pending);

	if (pending.len > 0) {
		ssize_t sent =
		    send(client->fd, pending.data, pending.len, MSG_NOSIGNAL);
		if (sent > 0)
			buffer_consume(&client->pending, (size_t)sent);
		else if (sent < 0 && errno != EAGAIN)
			buffer_empty(&client->pending);
	}
	if (client->shuts && client->pending.len == 0) {
		client->shuts = false;
		(void)shutdown(client->fd, SHUT_WR);
	}
}

static void
read_told(struct intake_client *client)
{
	char piece[65536];
	ssize_t got;

	while ((got = recv(client->fd, piece, sizeof(piece), 0)) > 0)
		buffer_append(&client->told, bytes_make(piece, (size_t)got));
	if (got == 0 || errno != EAGAIN)
		client->ended = true;
}

static void
pump(struct intake_client *client)
{
	if (client->fd < 0)
		return;
	write_pending(client);
	read_told(client);
}

static struct bytes
news(const struct intake_client *client)
{
	return bytes_from(buffer_bytes(&client->told), client->shown);
}

struct wish {
	struct intake_client *client;
	struct bytes text;
};

static bool
is_told(void *ctx)
{
	struct wish *wish = ctx;

	pump(wish->client);
	struct bytes told = news(wish->client);
	bool found = bytes_search(told, wish->text) < told.len;
	cr_assert(found || !wish->client->ended, "ended instead of %.*s: %.*s",
	    BYTES_ARGS(wish->text), BYTES_ARGS(told));
	return found;
}

static bool
has_ended(void *ctx)
{
	struct intake_client *client = ctx;

	pump(client);
	return client->ended;
}

void
intake_client_until(struct intake_client *client, const char *text)
{
	struct wish wish = {client, bytes_of(text)};
	loop_until(client->scene->loop, is_told, &wish);
}

void
intake_client_until_ended(struct intake_client *client)
{
	loop_until(client->scene->loop, has_ended, client);
}

struct count {
	struct intake_client *client;
	int turns;
};

static bool
counts_down(void *ctx)
{
	struct count *count = ctx;

	pump(count->client);
	return count->turns-- == 0;
}

void
intake_client_settle(struct intake_client *client)
{
	struct count count = {client, 20};
	loop_until(client->scene->loop, counts_down, &count);
}

const char *
intake_client_codes(struct intake_client *client)
{
	struct bytes rest = news(client);
	size_t len = 0;

	client->codes[0] = '\0';
	client->shown = client->told.len;
	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		if (line.len < 4 || line.data[3] != ' ' ||
		    len + 5 > sizeof(client->codes))
			continue;
		if (len > 0)
			client->codes[len++] = ' ';
		memcpy(client->codes + len, line.data, 3);
		len += 3;
		client->codes[len] = '\0';
	}
	return client->codes;
}
