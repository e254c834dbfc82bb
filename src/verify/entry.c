/*
 * entry.c
 *		One entry: its records against its record root, its context against its commitment, and its leaf hash.
 *
 * The header is built from the columns and hashed as the leaf. Records and context are compared with what the columns
 * say of them, so a changed record is told apart from a changed header.
 */
#include "verify/log.h"

#include "utils/memutils.h"

#include "core/catalog.h"

typedef struct GlRecordCheck
{
	GlVerify   *verify;
	uint8		record_secret[GL_SECRET_SIZE];
	GlMerkleEdge edge;
} GlRecordCheck;

static void
check_record(void *arg, const GlLogEntry *entry, uint64 number, GlBytes bytes)
{
	GlRecordCheck *check = arg;
	GlHash		leaf;

	gl_record_leaf(check->record_secret, number, bytes.data, bytes.length, &leaf);
	gl_merkle_append(&check->edge, &leaf);
	gl_content_record(check->verify, entry, number, bytes);
}

static const char *
check_records(GlVerify *verify, const GlLogEntry *entry)
{
	GlRecordCheck check;
	const char *problem;
	uint64		count;
	GlHash		root;

	check.verify = verify;
	gl_merkle_init(&check.edge);
	if (entry->has_secret)
		gl_record_secret(entry->secret, check.record_secret);
	else
		memcpy(check.record_secret, entry->secret, GL_SECRET_SIZE);
	problem = gl_log_records(verify->log, entry, check_record, &check, &count);
	verify->records += (int64) count;
	if (problem != NULL)
		return problem;
	gl_merkle_root(&check.edge, &root);
	if (!gl_hash_equal(&root, &entry->record_root))
		return "its records are not those whose root it names: content, record_root or secret was changed";
	return NULL;
}

/* Many entries share a context, so what is wrong with one is gathered and said once. */
typedef struct GlContextDamage
{
	int64		context_id;
	bool		gone;
	int64		count;
	int64		leaf;			/* of the first entry */
	char	   *entry;
} GlContextDamage;

static void
note_context(GlVerify *verify, const GlLogEntry *entry, bool gone)
{
	GlContextDamage *damage;
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, verify->contexts)
	{
		damage = lfirst(cell);
		if (damage->context_id == entry->context_id && damage->gone == gone)
		{
			damage->count++;
			return;
		}
	}
	if (list_length(verify->contexts) > GL_REPORT_CAP)
		return;
	old = MemoryContextSwitchTo(verify->memory);
	damage = palloc(sizeof(GlContextDamage));
	damage->context_id = entry->context_id;
	damage->gone = gone;
	damage->count = 1;
	damage->leaf = entry->leaf;
	damage->entry = gl_entry_name(entry->generation, entry->transaction_id);
	verify->contexts = lappend(verify->contexts, damage);
	MemoryContextSwitchTo(old);
}

void
gl_contexts_check(GlVerify *verify)
{
	ListCell   *cell;

	foreach(cell, verify->contexts)
	{
		const GlContextDamage *damage = lfirst(cell);
		const char *others = "";

		if (damage->count > 1)
			others = psprintf(" (and so for %lld more entries)", (long long) damage->count - 1);
		if (damage->gone)
			gl_report_log(verify->report, GL_CHECK_ENTRY, damage->leaf, damage->entry, "its context %lld is gone%s",
						  (long long) damage->context_id, others);
		else
			gl_report_log(verify->report, GL_CHECK_ENTRY, damage->leaf, damage->entry,
						  "its context is not the one it is committed to: context %lld, claimed or secret was changed%s",
						  (long long) damage->context_id, others);
	}
	gl_report_pass(verify->report, GL_CHECK_ENTRY, NULL, "log",
				   "%lld entries with %lld records and their contexts are as they were written",
				   (long long) verify->entries, (long long) verify->records);
}

static void
check_context(GlVerify *verify, const GlLogEntry *entry)
{
	GlSalt		salt;
	GlBytes		context;
	GlHash		commitment;
	GlBuffer	joined;
	bool		exists = gl_log_context(verify->log, entry->context_id, &context);

	if (!entry->has_secret)
	{
		/* erased; whether by law, the erasure records tell */
		gl_erasures_absent(verify, entry, GL_ERASURE_CONTEXT, 0, 0);
		return;
	}
	if (!exists)
	{
		note_context(verify, entry, true);
		return;
	}
	if (entry->claimed.length > 0)
	{
		gl_buffer_init(&joined, gl_grow);
		gl_buffer_append(&joined, context.data, context.length);
		gl_buffer_append(&joined, entry->claimed.data, entry->claimed.length);
		context.data = joined.data;
		context.length = joined.length;
	}
	gl_salt(entry->secret, GL_SALT_CONTEXT, 0, &salt);
	gl_context_commitment(&salt, context.data, context.length, &commitment);
	if (!gl_hash_equal(&commitment, &entry->context_commitment))
		note_context(verify, entry, false);
}

static bool
header_leaf(GlVerify *verify, const GlLogEntry *entry, GlHash *leaf)
{
	uint8		room[GL_HEADER_MAX_SIZE];
	GlEntryHeader header;
	GlBuffer	buffer;

	/* origin, signature and some 150 bytes besides */
	if (entry->actor_signature.length > GL_HEADER_MAX_SIZE - GL_ORIGIN_MAX_SIZE - 256)
		return false;
	header.origin = gl_origin_at(verify, entry->leaf);
	header.generation = entry->generation;
	header.position = entry->position;
	header.transaction_id = entry->transaction_id;
	header.time = entry->time;
	header.records = entry->records;
	header.record_root = entry->record_root;
	header.context_commitment = entry->context_commitment;
	header.actor_signature = entry->actor_signature;
	buffer.data = room;
	buffer.length = 0;
	buffer.capacity = sizeof(room);
	buffer.grow = gl_grow;
	gl_entry_header_write(&buffer, &header);
	gl_merkle_leaf(buffer.data, buffer.length, leaf);
	return true;
}

bool
gl_entry_check(GlVerify *verify, const GlLogEntry *entry, GlHash *leaf)
{
	const char *problem = check_records(verify, entry);

	/* a column that cannot be right explains the rest */
	if (entry->problem != NULL)
		problem = entry->problem;
	else
		check_context(verify, entry);
	if (problem != NULL)
		gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "%s", problem);
	return header_leaf(verify, entry, leaf);
}
