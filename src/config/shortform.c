#include "config/shortform.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "config/endpoint.h"
#include "config/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS                                                                  \
	"write \"host\", \"host:port\", \"smtps://host\", "                    \
	"\"lmtp:/path\" or \"maildir:/path\""

static bool
refuse_host(const struct setting *smarthost, struct bytes text,
    struct diagnose *diagnose)
{
	if (bytes_contains(text, '@'))
		diagnose_error(diagnose, smarthost->place,
		    "smarthost holds a user; write it as user = \"...\" and "
		    "the password into password_file");
	else if (bytes_search(text, BYTES("://")) < text.len)
		diagnose_error(diagnose, smarthost->place,
		    "unknown kind of smarthost; " FORMS);
	else
		diagnose_error(diagnose, smarthost->place,
		    "'%s' is no host; " FORMS, smarthost->text);
	return false;
}

/* "host", "host:465", with or without a scheme. */
static bool
expand_host(const struct setting *smarthost, struct setting *upstream,
    struct diagnose *diagnose)
{
	struct bytes text = bytes_of(smarthost->text);
	bool implicit = bytes_has_prefix_nocase(text, "smtps://");
	struct endpoint endpoint;
	char port[16];

	if (implicit)
		text = bytes_from(text, strlen("smtps://"));
	else if (bytes_has_prefix_nocase(text, "smtp://"))
		text = bytes_from(text, strlen("smtp://"));
	if (text.len > 0 && text.data[text.len - 1] == '/')
		text = bytes_first(text, text.len - 1);
	if (!endpoint_parse(text, &endpoint))
		return refuse_host(smarthost, text, diagnose);

	if (endpoint.port == 0)
		endpoint.port = implicit ? 465 : 587;
	implicit = implicit || endpoint.port == 465;
	char *host = memory_copy(endpoint.host);
	setting_put_text(upstream, "host", host, smarthost);
	free(host);
	(void)snprintf(port, sizeof(port), "%u", endpoint.port); /* fits */
	setting_put_text(upstream, "port", port, smarthost);
	if (implicit)
		setting_put_text(upstream, "tls.mode", "implicit", smarthost);
	return true;
}

/* "lmtp:/run/lmtp.sock", "maildir:/var/mail/capture". */
static bool
expand_path(const struct setting *smarthost, const char *transport,
    const char *key, const char *path, const char *folder,
    struct setting *upstream, struct diagnose *diagnose)
{
	if (path[0] == '\0') {
		diagnose_error(diagnose, smarthost->place,
		    "a path is missing; write \"%s:/path\"", transport);
		return false;
	}
	char *absolute = path[0] == '/' ? memory_copy_text(path)
					: memory_format("%s/%s", folder, path);
	setting_put_text(upstream, "transport", transport, smarthost);
	setting_put_text(upstream, key, absolute, smarthost);
	free(absolute);
	return true;
}

static bool
expand_smarthost(const struct setting *smarthost, const char *folder,
    struct setting *upstream, struct diagnose *diagnose)
{
	const char *text = smarthost->text;

	setting_put_text(upstream, "name", SHORTFORM_NAME, smarthost);
	if (strcmp(text, "mx") == 0) {
		diagnose_error(diagnose, smarthost->place,
		    "smarthost = \"mx\" is not carried out yet; " FORMS);
		return false;
	}
	if (strncmp(text, "lmtp:", strlen("lmtp:")) == 0)
		return expand_path(smarthost, "lmtp", "socket",
		    text + strlen("lmtp:"), folder, upstream, diagnose);
	if (strncmp(text, "maildir:", strlen("maildir:")) == 0)
		return expand_path(smarthost, "maildir", "path",
		    text + strlen("maildir:"), folder, upstream, diagnose);
	return expand_host(smarthost, upstream, diagnose);
}

/* What the entry "main" of a file says too must not be said by the short form.
 */
static void
tell_twice(const struct setting *short_form, const struct setting *written,
    struct diagnose *diagnose)
{
	for (size_t i = 0; i < short_form->count; i++) {
		const struct setting *ours = short_form->items[i];
		const struct setting *theirs = written->items[i];

		if (ours == NULL || theirs == NULL ||
		    strcmp(ours->option->name, "name") == 0)
			continue;
		if (ours->kind == SETTING_GROUP)
			tell_twice(ours, theirs, diagnose);
		else
			diagnose_error(diagnose, theirs->name,
			    "'%s' of the upstream \"" SHORTFORM_NAME
			    "\" is given in line %u already; remove one",
			    theirs->option->name, ours->line);
	}
}

/* Takes upstream: in front, or merged with the entry of its name. */
static void
insert(struct setting *root, struct setting *upstream,
    const struct setting *cause, struct diagnose *diagnose)
{
	struct setting *list = setting_find(root, "upstreams");

	if (list == NULL) {
		list = setting_new_list(option_find(root->group, "upstreams"));
		setting_set_cause(list, cause);
		setting_put(root, list);
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct setting *name =
		    setting_find(list->items[i], "name");

		if (name == NULL || strcmp(name->text, SHORTFORM_NAME) != 0)
			continue;
		tell_twice(upstream, list->items[i], diagnose);
		setting_merge(upstream, list->items[i]);
		list->items[i] = upstream;
		return;
	}
	setting_append(list, upstream);
	for (size_t i = list->count - 1; i > 0; i--)
		list->items[i] = list->items[i - 1];
	list->items[0] = upstream;
}

static void
tell_alone(const struct setting *setting, struct diagnose *diagnose)
{
	if (setting != NULL)
		diagnose_error(diagnose, setting->name,
		    "'%s' is for the smarthost, but there is none; write "
		    "smarthost = \"smtp.example.com\"",
		    setting->option->name);
}

static void
expand(struct setting *root, const struct setting *smarthost,
    const struct setting *user, const struct setting *password_file,
    const char *folder, struct diagnose *diagnose)
{
	const struct option *option = option_find(root->group, "upstreams");
	struct setting *upstream = setting_new_group(option, option->group);

	setting_set_cause(upstream, smarthost);
	if (user != NULL)
		setting_put_text(upstream, "auth.user", user->text, user);
	if (password_file != NULL)
		setting_put_text(upstream, "auth.password.file",
		    password_file->text, password_file);
	if (expand_smarthost(smarthost, folder, upstream, diagnose))
		insert(root, upstream, smarthost, diagnose);
	else
		setting_free(upstream);
}

void
shortform_expand(
    struct setting *root, const char *folder, struct diagnose *diagnose)
{
	struct setting *smarthost = setting_take(root, "smarthost");
	struct setting *user = setting_take(root, "user");
	struct setting *password_file = setting_take(root, "password_file");

	if (smarthost != NULL && smarthost->text[0] != '\0')
		expand(root, smarthost, user, password_file, folder, diagnose);
	else {
		tell_alone(user, diagnose);
		tell_alone(password_file, diagnose);
	}
	setting_free(smarthost);
	setting_free(user);
	setting_free(password_file);
}
