/*
 * catalog.c
 *		Where our own schema, tables and indexes are; small helpers.
 */
#include "core/catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/version.h"

static const char *const gl_relation_names[GL_REL_COUNT] = {
	[GL_REL_LEDGER] = "ledger",
	[GL_REL_FORMER_LOG] = "former_log",
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
	[GL_REL_FORMER_LOG_PKEY] = "former_log_pkey",
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
static Oid	gl_known_schema = InvalidOid;	/* ours: it was there together with the extension */

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
gl_relation_oid_if_there(GlRelation which)
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
	return gl_relation_oids[which];
}

bool
gl_is_installed(void)
{
	static const GlRelation needed[] = {GL_REL_LEDGER, GL_REL_LEDGER_RELATION, GL_REL_LEDGER_RELATION_RELATION_IDX};
	Oid			schema = get_namespace_oid(GL_SCHEMA, true);
	int			i;

	if (!OidIsValid(schema))
		return false;
	if (schema != gl_known_schema)
	{
		/* anybody may give a schema of theirs this name where the extension is not */
		if (!OidIsValid(gl_extension_oid()))
			return false;
		gl_known_schema = schema;
	}
	/* DROP EXTENSION takes the relations away one by one, and those that tell what is protected are looked into meanwhile */
	for (i = 0; i < (int) lengthof(needed); i++)
		if (!OidIsValid(gl_relation_oid_if_there(needed[i])))
			return false;
	return true;
}

Oid
gl_relation_oid(GlRelation which)
{
	Oid			oid = gl_relation_oid_if_there(which);

	if (!OidIsValid(oid))
		gl_version_raise_missing(gl_relation_names[which]);
	return oid;
}

bool
gl_belongs_to_extension(Oid class_id, Oid object_id)
{
	Oid			extension = getExtensionOfObject(class_id, object_id);

	return OidIsValid(extension) && extension == gl_extension_oid();
}

Oid
gl_function_oid(Snapshot snapshot, const char *name)
{
	Relation	heap = table_open(ProcedureRelationId, AccessShareLock);
	Oid			schema = get_namespace_oid(GL_SCHEMA, true);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_proc_proname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(heap, ProcedureNameArgsNspIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		if (form->pronamespace == schema && form->pronargs == 0)
			result = form->oid;
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return result;
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

char *
gl_one_line_feed(const char *text)
{
	size_t		length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		length--;
	return psprintf("%.*s\n", (int) length, text);
}
