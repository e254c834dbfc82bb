/*
 * register.c
 *		Which key signs: the registered one. A K record in the log says so, signing_key repeats it.
 */
#include "seal/step.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "capture/capture.h"
#include "core/catalog.h"
#include "seal/key.h"
#include "seal/query.h"
#include "seal/settings.h"

GlKeyPhase	gl_key_phase = GL_KEY_UNKNOWN;

/* A key, once registered, stays registered or is replaced; a worker starts anew when another log begins. */
static bool gl_some_key_registered = false;

uint32
gl_registered_key(void)
{
	static GlQuery query = {
		.text = "SELECT k.key_id FROM govledger.signing_key k LEFT JOIN govledger.ledger l ON true "
		"WHERE k.replaced_at IS NULL AND (l.origin IS NULL OR starts_with(k.verifier_key, l.origin || '+')) "
		"ORDER BY k.registered_at DESC LIMIT 1"
	};

	if (gl_query_read(&query, NULL, 1) == 0)
		return 0;
	return (uint32) DatumGetInt64(gl_query_value(0, 1));
}

/* The last key of the former log, if no key of this one replaced it; 0 if there is none. `origin` gets its log. */
static uint32
gl_former_key(char origin[GL_ORIGIN_MAX_SIZE + 1])
{
	static GlQuery query = {
		.text = "SELECT key_id, split_part(verifier_key, '+', 1) FROM govledger.signing_key WHERE replaced_at IS NULL "
		"ORDER BY registered_at DESC LIMIT 1"
	};

	if (gl_query_read(&query, NULL, 1) == 0)
		return 0;
	strlcpy(origin, TextDatumGetCString(gl_query_value(0, 2)), GL_ORIGIN_MAX_SIZE + 1);
	return (uint32) DatumGetInt64(gl_query_value(0, 1));
}

/* The first key of a log. In a successor, the former log's key vouches for it if it is the same one, and so at hand. */
static void
gl_key_first(const char *origin, GlKey *key)
{
	char		former_origin[GL_ORIGIN_MAX_SIZE + 1];
	uint32		former = gl_former_key(former_origin);
	bool		same = former != 0 && gl_key_id_for(key, former_origin) == former;

	gl_ledger_state_pin_origin(origin);
	gl_key_change(origin, key, same ? key : NULL, former, former != 0 ? "first key of the successor" : "first key");
}

bool
gl_key_was_registered(uint32 key_id)
{
	static GlQuery query = {
		.text = "SELECT 1 FROM govledger.signing_key WHERE key_id = $1",
		.arguments = 1,.types = {INT8OID}
	};
	Datum		value = Int64GetDatum(key_id);

	return gl_query_read(&query, &value, 1) > 0;
}

static void
gl_key_row_change(uint32 key_id, const char *verifier_key)
{
	static GlQuery replace = {
		.text = "UPDATE govledger.signing_key SET replaced_at = pg_catalog.clock_timestamp() WHERE replaced_at IS NULL"
	};
	static GlQuery insert = {
		.text = "INSERT INTO govledger.signing_key (key_id, verifier_key) VALUES ($1, $2)",
		.arguments = 2,.types = {INT8OID, TEXTOID}
	};
	Datum		values[2];

	gl_query_write(&replace, NULL, NULL);
	values[0] = Int64GetDatum(key_id);
	values[1] = CStringGetTextDatum(verifier_key);
	gl_query_write(&insert, values, NULL);
}

static GlBytes
gl_string_bytes(const char *string)
{
	GlBytes		bytes = {(const uint8_t *) string, strlen(string)};

	return bytes;
}

void
gl_key_change(const char *origin, GlKey *new_key, GlKey *old_key, uint32 old_key_id, const char *reason)
{
	char	   *verifier = gl_key_verifier(new_key, origin);
	uint8_t		new_signature[GL_ED25519_SIGNATURE_SIZE];
	uint8_t		old_signature[GL_ED25519_SIGNATURE_SIZE];
	int			reason_length;
	char	   *reason_utf8 = gl_to_utf8(reason, &reason_length);
	GlKeyChange change = {0};
	GlBuffer	statement;
	GlBuffer	body;

	change.new_key_id = gl_key_id_for(new_key, origin);
	change.new_verifier_key = gl_string_bytes(verifier);
	change.old_key_id = old_key_id;
	change.reason.data = (const uint8_t *) reason_utf8;
	change.reason.length = reason_length;

	gl_buffer_init(&statement, gl_grow);
	gl_key_change_statement(&statement, gl_string_bytes(origin), &change);
	gl_key_sign(new_key, statement.data, statement.length, new_signature);
	change.new_signature.data = new_signature;
	change.new_signature.length = sizeof(new_signature);
	if (old_key != NULL)
	{
		gl_key_sign(old_key, statement.data, statement.length, old_signature);
		change.old_signature.data = old_signature;
		change.old_signature.length = sizeof(old_signature);
	}

	gl_buffer_init(&body, gl_grow);
	gl_key_change_write(&body, &change);
	gl_capture_event(GL_RECORD_KEY, body.data, body.length);
	gl_key_row_change(change.new_key_id, verifier);
	gl_some_key_registered = true;
}

void
gl_register_step(void)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	GlKey	   *key;

	if (*gl_setting_signing_key == '\0')
	{
		gl_key_phase = GL_KEY_NONE;
		return;
	}
	if (gl_some_key_registered || !gl_step_begin())
		return;
	gl_step_lock(GL_MUTEX_SEAL);
	if (!gl_step_ledger(origin))
	{
		gl_step_commit();
		return;
	}
	gl_step_snapshot();
	if (gl_registered_key() == 0)
	{
		gl_key_phase = GL_KEY_OPENING;
		key = gl_key_open(gl_setting_signing_key);
		gl_key_phase = GL_KEY_COMPARING;
		gl_key_first(origin, key);
	}
	gl_step_commit();
	gl_some_key_registered = true;
}
