/*
 * keys.c
 *		The signing keys, as the key records of the log introduce them.
 *
 * Each key change is signed by the new key and by the one before; what signing_key says must follow from these records.
 * With `since` the records before it are not read, and signing_key is believed.
 */
#include "verify/log.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "format/note.h"

enum
{
	Anum_signing_key_key_id = 1,
	Anum_signing_key_verifier_key,
	Anum_signing_key_registered_at,
	Anum_signing_key_replaced_at,
	Natts_signing_key = Anum_signing_key_replaced_at
};

typedef struct GlLogKey
{
	uint32		key_id;
	char	   *verifier_key;
	GlVerifierKey key;			/* name points into verifier_key */
	bool		sound;			/* the verifier key could be read */
	int64		leaf;			/* of the entry that introduced it; GL_NO_LEAF if not sealed or not known */
	bool		replaced;
	bool		has_row;		/* in signing_key */
} GlLogKey;

typedef struct GlNamedKey
{
	uint32		key_id;
	int64		height;
	int64		leaf;
} GlNamedKey;

struct GlKeys
{
	List	   *keys;			/* of GlLogKey *, in order of introduction */
	List	   *named;			/* of GlNamedKey *: what seals name, once per change */
	bool		believed;		/* from signing_key */
	MemoryContext memory;
};

static GlLogKey *
add_key(GlKeys *keys, uint32 key_id, GlBytes verifier_key, int64 leaf)
{
	MemoryContext old = MemoryContextSwitchTo(keys->memory);
	GlLogKey   *key = palloc0(sizeof(GlLogKey));
	GlBytes		copy = gl_bytes_copy(verifier_key);

	key->key_id = key_id;
	key->verifier_key = (char *) copy.data;
	key->sound = gl_verifier_key_read(copy, &key->key) && key->key.key_id == key_id &&
		key->key.type == GL_KEY_TYPE_ED25519;
	key->leaf = leaf;
	keys->keys = lappend(keys->keys, key);
	MemoryContextSwitchTo(old);
	return key;
}

static GlLogKey *
find_key(const GlKeys *keys, uint32 key_id)
{
	ListCell   *cell;

	foreach(cell, keys->keys)
	{
		GlLogKey   *key = lfirst(cell);

		if (key->key_id == key_id)
			return key;
	}
	return NULL;
}

/* A row of signing_key, by a callback: both readers want all of them. */
typedef void (*GlSigningKeyFunction) (GlVerify *verify, uint32 key_id, GlBytes verifier_key, bool replaced);

static void
read_signing_keys(GlVerify *verify, GlSigningKeyFunction function)
{
	Relation	heap = gl_relation_open(GL_REL_SIGNING_KEY, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[Natts_signing_key];
		bool		nulls[Natts_signing_key];

		heap_deform_tuple(tuple, RelationGetDescr(heap), values, nulls);
		function(verify, (uint32) DatumGetInt64(values[Anum_signing_key_key_id - 1]),
				 gl_bytes_of(TextDatumGetCString(values[Anum_signing_key_verifier_key - 1])),
				 !nulls[Anum_signing_key_replaced_at - 1]);
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
}

static void
believe(GlVerify *verify, uint32 key_id, GlBytes verifier_key, bool replaced)
{
	GlLogKey   *key = add_key(verify->keys, key_id, verifier_key, GL_NO_LEAF);

	key->replaced = replaced;
}

GlKeys *
gl_keys_open(GlVerify *verify)
{
	GlKeys	   *keys = palloc0(sizeof(GlKeys));

	keys->memory = CurrentMemoryContext;
	verify->keys = keys;
	if (verify->since > 0)
	{
		keys->believed = true;
		read_signing_keys(verify, believe);
	}
	return keys;
}

/* What is wrong with a key change; NULL if nothing. */
static const char *
check_change(const GlKeys *keys, GlBytes origin, const GlKeyChange *change, const GlVerifierKey *new_key)
{
	GlBuffer	statement;
	GlLogKey   *old_key = find_key(keys, change->old_key_id);
	GlLogKey   *newest = keys->keys != NIL ? llast(keys->keys) : NULL;

	if (origin.length > 0 && !gl_bytes_equal(new_key->name, origin))
		return "the new key has another name than the origin of the log";
	gl_buffer_init(&statement, gl_grow);
	gl_key_change_statement(&statement, new_key->name, change);
	if (change->new_signature.length != GL_ED25519_SIGNATURE_SIZE ||
		!gl_ed25519_verify(new_key->public_key, statement.data, statement.length, change->new_signature.data))
		return "the new key did not sign it";
	if (newest == NULL)
		return change->old_key_id == 0 ? NULL : "it replaces a key that the log does not know";
	if (change->old_key_id != newest->key_id)
		return "it does not replace the key before it";
	if (change->old_signature.length == 0)
		return NULL;			/* lost: the reader must learn of the new one by another way */
	if (!old_key->sound || change->old_signature.length != GL_ED25519_SIGNATURE_SIZE ||
		!gl_ed25519_verify(old_key->key.public_key, statement.data, statement.length, change->old_signature.data))
		return "the old key did not sign it";
	return NULL;
}

void
gl_keys_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record)
{
	GlKeys	   *keys = verify->keys;
	GlReader	reader;
	GlKeyChange change;
	GlVerifierKey new_key;
	GlLogKey   *old_key;
	const char *problem;

	gl_reader_init(&reader, record->body.data, record->body.length);
	if (!gl_key_change_read(&reader, &change) || !gl_reader_done(&reader))
		problem = "its key record cannot be read";
	else if (!gl_verifier_key_read(change.new_verifier_key, &new_key) || new_key.key_id != change.new_key_id ||
			 new_key.type != GL_KEY_TYPE_ED25519)
		problem = "its key record holds no key of this id";
	else if (keys->believed && find_key(keys, change.new_key_id) != NULL)
		return;
	else
		problem = check_change(keys, gl_origin_at(verify, entry->leaf), &change, &new_key);
	if (problem != NULL)
	{
		gl_report_log(verify->report, GL_CHECK_KEY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "%s", problem);
		return;
	}
	old_key = find_key(keys, change.old_key_id);
	if (old_key != NULL)
		old_key->replaced = true;
	(void) add_key(keys, change.new_key_id, change.new_verifier_key, entry->leaf);
}

bool
gl_keys_succeeds(const GlKeys *keys, uint32 named, uint32 key_id)
{
	ListCell   *cell;
	bool		seen = false;

	if (keys->believed || named == 0)
		return true;
	foreach(cell, keys->keys)
	{
		const GlLogKey *key = lfirst(cell);

		seen |= key->key_id == named;
		if (key->key_id == key_id)
			return seen;
	}
	return false;
}

const char *
gl_keys_verify(const GlKeys *keys, GlBytes note, uint32 key_id)
{
	GlCheckpoint checkpoint;
	ListCell   *cell;

	if (!gl_checkpoint_read(note, &checkpoint))
		return "it is no checkpoint";
	foreach(cell, keys->keys)
	{
		const GlLogKey *key = lfirst(cell);

		if (!key->sound || (key_id != 0 && key->key_id != key_id))
			continue;
		switch (gl_checkpoint_verify(&checkpoint, &key->key, NULL))
		{
			case GL_NOTE_VALID:
				return NULL;
			case GL_NOTE_INVALID:
				return psprintf("its signature by key %08x is false", key->key_id);
			case GL_NOTE_UNSIGNED:
				break;
		}
	}
	if (key_id != 0 && !gl_keys_known(keys, key_id))
		return psprintf("it names key %08x, which the log does not know", key_id);
	return "no key of this log signed it";
}

void
gl_keys_named(GlKeys *keys, const GlStoredSeal *seal)
{
	GlNamedKey *last = keys->named != NIL ? llast(keys->named) : NULL;
	MemoryContext old;

	if (!seal->parsed || seal->seal.key_id == 0 || (last != NULL && last->key_id == seal->seal.key_id))
		return;
	old = MemoryContextSwitchTo(keys->memory);
	last = palloc(sizeof(GlNamedKey));
	last->key_id = seal->seal.key_id;
	last->height = seal->height;
	last->leaf = gl_seal_size(seal) - 1;
	keys->named = lappend(keys->named, last);
	MemoryContextSwitchTo(old);
}

bool
gl_keys_known(const GlKeys *keys, uint32 key_id)
{
	return find_key(keys, key_id) != NULL;
}

bool
gl_keys_any(const GlKeys *keys)
{
	return keys->keys != NIL;
}

static void
compare_row(GlVerify *verify, uint32 key_id, GlBytes verifier_key, bool replaced)
{
	GlLogKey   *key = find_key(verify->keys, key_id);
	char	   *name = psprintf("key %08x", key_id);

	if (key == NULL)
		gl_report_log(verify->report, GL_CHECK_KEY, GL_NO_LEAF, name, "it is in signing_key and the log does not know it");
	else
	{
		GlFinding	finding = {.check = GL_CHECK_KEY, .object = name, .leaf = key->leaf};

		if (!gl_bytes_are(verifier_key, key->verifier_key))
		{
			finding.detail = "signing_key has another verifier key than the log";
			finding.logged = key->verifier_key;
			finding.found = gl_shown(verifier_key, false);
			gl_report_finding(verify->report, &finding);
		}
		if (replaced != key->replaced)
			gl_report_log(verify->report, GL_CHECK_KEY, key->leaf, name,
						  replaced ? "signing_key says it was replaced, the log does not"
						  : "the log says it was replaced, signing_key does not");
		key->has_row = true;
	}
}

void
gl_keys_check(GlVerify *verify)
{
	GlKeys	   *keys = verify->keys;
	ListCell   *cell;

	foreach(cell, keys->named)
	{
		const GlNamedKey *named = lfirst(cell);

		if (find_key(keys, named->key_id) == NULL)
			gl_report_log(verify->report, GL_CHECK_KEY, named->leaf, psprintf("key %08x", named->key_id),
						  "seal %lld names it and no record of the log introduces it", (long long) named->height);
	}
	if (!keys->believed)
	{
		read_signing_keys(verify, compare_row);
		foreach(cell, keys->keys)
		{
			GlLogKey   *key = lfirst(cell);

			if (!key->has_row)
				gl_report_log(verify->report, GL_CHECK_KEY, key->leaf, psprintf("key %08x", key->key_id),
							  "the log knows it and it is not in signing_key");
		}
	}
	if (keys->keys == NIL)
		gl_report_pass(verify->report, GL_CHECK_KEY, NULL, "log", "no signing key is registered: nothing is signed");
	else
		gl_report_pass(verify->report, GL_CHECK_KEY, NULL, "log", "%d signing keys, %s", list_length(keys->keys),
					   keys->believed ? "taken from signing_key because of since"
					   : "each introduced by itself and the one before");
}
