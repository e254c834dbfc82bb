/*
 * catalog.c
 *		Where our own schema, tables and indexes are; small helpers.
 */
#include "core/catalog.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static const char *const gl_relation_names[GL_REL_COUNT] = {
	[GL_REL_LEDGER] = "ledger",
	[GL_REL_LEDGER_TABLE] = "ledger_table",
	[GL_REL_LEDGER_RELATION] = "ledger_relation",
	[GL_REL_LEDGER_COLUMN] = "ledger_column",
	[GL_REL_CONTEXT] = "context",
	[GL_REL_ENTRY] = "entry",
	[GL_REL_RECORD_CHUNK] = "record_chunk",
	[GL_REL_PERSONAL] = "personal",
	[GL_REL_LEAF] = "leaf",
	[GL_REL_SEAL] = "seal",
	[GL_REL_TILE] = "tile",
	[GL_REL_CHECKPOINT] = "checkpoint",
	[GL_REL_SIGNING_KEY] = "signing_key",
	[GL_REL_HISTORY_STATE] = "history_state",
	[GL_REL_HISTORY_TABLE] = "history_table",
	[GL_REL_HISTORY_PROGRESS] = "history_progress",
	[GL_REL_HISTORY_COLUMN] = "history_column",
	[GL_REL_LEDGER_PKEY] = "ledger_pkey",
	[GL_REL_LEDGER_RELATION_RELATION_IDX] = "ledger_relation_relation_idx",
	[GL_REL_LEDGER_RELATION_PKEY] = "ledger_relation_pkey",
	[GL_REL_LEDGER_TABLE_PKEY] = "ledger_table_pkey",
	[GL_REL_LEDGER_COLUMN_PKEY] = "ledger_column_pkey",
	[GL_REL_CONTEXT_PKEY] = "context_pkey",
	[GL_REL_CONTEXT_ID_SEQ] = "context_id_seq",
	[GL_REL_TABLE_ID_SEQ] = "table_id_seq",
	[GL_REL_ENTRY_PKEY] = "entry_pkey",
	[GL_REL_RECORD_CHUNK_PKEY] = "record_chunk_pkey",
	[GL_REL_PERSONAL_PKEY] = "personal_pkey",
	[GL_REL_LEAF_PKEY] = "leaf_pkey",
	[GL_REL_SEAL_PKEY] = "seal_pkey",
	[GL_REL_TILE_PKEY] = "tile_pkey",
	[GL_REL_HISTORY_TABLE_PKEY] = "history_table_pkey",
	[GL_REL_HISTORY_TABLE_HISTORY_IDX] = "history_table_history_idx",
	[GL_REL_HISTORY_PROGRESS_PKEY] = "history_progress_pkey",
	[GL_REL_HISTORY_COLUMN_PKEY] = "history_column_pkey",
};

static Oid	gl_relation_oids[GL_REL_COUNT];
static bool gl_callback_registered = false;

/* Our own relations change their oid only when the extension is dropped and made again. */
static void
gl_relcache_callback(Datum arg, Oid relid)
{
	int			i;

	for (i = 0; i < GL_REL_COUNT; i++)
		if (relid == InvalidOid || gl_relation_oids[i] == relid)
			gl_relation_oids[i] = InvalidOid;
}

Oid
gl_extension_oid(void)
{
	return get_extension_oid("govledger", true);
}

Oid
gl_relation_oid(GlRelation which)
{
	Oid			schema;

	if (!gl_callback_registered)
	{
		CacheRegisterRelcacheCallback(gl_relcache_callback, (Datum) 0);
		gl_callback_registered = true;
	}
	if (OidIsValid(gl_relation_oids[which]))
		return gl_relation_oids[which];

	schema = get_namespace_oid(GL_SCHEMA, true);
	if (OidIsValid(schema))
		gl_relation_oids[which] = get_relname_relid(gl_relation_names[which], schema);
	if (!OidIsValid(gl_relation_oids[which]))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the govledger extension is not installed in this database"),
				 errhint("Run CREATE EXTENSION govledger.")));
	return gl_relation_oids[which];
}

Relation
gl_relation_open(GlRelation which, LOCKMODE lockmode)
{
	return table_open(gl_relation_oid(which), lockmode);
}

void *
gl_grow(void *old, size_t size)
{
	if (old == NULL)
		return MemoryContextAllocHuge(CurrentMemoryContext, size);
	return repalloc_huge(old, size);
}

Datum
gl_bytea(const void *data, size_t length)
{
	bytea	   *result;

	if (length > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value of %zu bytes is too large for the ledger", length)));
	result = palloc(length + VARHDRSZ);
	SET_VARSIZE(result, length + VARHDRSZ);
	if (length > 0)
		memcpy(VARDATA(result), data, length);
	return PointerGetDatum(result);
}

GlBytes
gl_bytea_bytes(Datum datum)
{
	bytea	   *value = DatumGetByteaPP(datum);
	GlBytes		bytes;

	bytes.data = (const uint8_t *) VARDATA_ANY(value);
	bytes.length = VARSIZE_ANY_EXHDR(value);
	return bytes;
}

#define GL_EPOCH_DIFFERENCE \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

int64
gl_unix_time(int64 timestamp)
{
	return timestamp + GL_EPOCH_DIFFERENCE;
}

int64
gl_timestamp(int64 unix_time)
{
	return unix_time - GL_EPOCH_DIFFERENCE;
}

/* Settings that come with the connection were never checked for encoding: show such bytes as hexadecimal. */
static char *
gl_escape_bytes(const char *string)
{
	StringInfoData escaped;
	const char *at;

	initStringInfo(&escaped);
	for (at = string; *at != '\0'; at++)
	{
		if (IS_HIGHBIT_SET(*at))
			appendStringInfo(&escaped, "\\x%02x", (unsigned char) *at);
		else
			appendStringInfoChar(&escaped, *at);
	}
	return escaped.data;
}

char *
gl_to_utf8(const char *string, int *length)
{
	int			bytes = strlen(string);
	char	   *converted;

	if (pg_verify_mbstr(GetDatabaseEncoding(), string, bytes, true))
		converted = pg_server_to_any(string, bytes, PG_UTF8);
	else
		converted = gl_escape_bytes(string);
	*length = strlen(converted);
	return converted;
}
