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

static const char *
check_context(GlVerify *verify, const GlLogEntry *entry)
{
	GlSalt		salt;
	GlBytes		context;
	GlHash		commitment;
	GlBuffer	joined;

	if (!entry->has_secret)
	{
		/* erased; whether by law, the erasure records tell */
		gl_erasures_absent(verify, entry, GL_ERASURE_CONTEXT, 0);
		return NULL;
	}
	if (!gl_log_context(verify->log, entry->context_id, &context))
		return psprintf("its context %lld is gone", (long long) entry->context_id);
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
		return psprintf("its context is not the one it is committed to: context %lld, claimed or secret was changed",
						(long long) entry->context_id);
	return NULL;
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
	header.origin = verify->origin;
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
	const char *problems[3];
	int			i;

	problems[0] = entry->problem;
	problems[1] = check_records(verify, entry);
	problems[2] = check_context(verify, entry);
	for (i = 0; i < (int) lengthof(problems); i++)
	{
		if (problems[i] == NULL)
			continue;
		gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "%s", problems[i]);
		/* the first cause: with a broken column the others only repeat it */
		if (i == 0)
			break;
	}
	return header_leaf(verify, entry, leaf);
}
