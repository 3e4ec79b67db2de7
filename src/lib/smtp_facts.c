/* What TLS came to. */
#include "lib/smtp_session.h"

void
smtp_facts_forget(struct smtp *session)
{
	tls_facts_clear(&session->facts);
}

int
smtp_tls_info(struct smtp *s, struct smtp_tls_facts *out)
{
	smtp_facts_forget(s);
	if (s->conn == NULL ||
	    !conn_tls_facts(s->conn, s->settings.tls_ca, &s->facts))
		return SMTP_E_NOTSUPP;
	*out = (struct smtp_tls_facts){
	    .version = s->facts.version,
	    .cipher = s->facts.cipher,
	    .subject = s->facts.subject,
	    .issuer = s->facts.issuer,
	    .names = s->facts.names,
	    .not_before = s->facts.not_before,
	    .not_after = s->facts.not_after,
	    .trusted = s->facts.is_trusted,
	    .problem = s->facts.problem,
	};
	return SMTP_OK;
}
