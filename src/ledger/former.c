/*
 * former.c
 *		Logs that this one continues; see former.h.
 */
#include "ledger/former.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "ledger/rows.h"

static GlFormerLog *
gl_former_log_read(HeapTuple tuple, TupleDesc descriptor)
{
	GlFormerLog *log = palloc0(sizeof(GlFormerLog));
	Datum		values[Natts_gl_former_log];
	bool		nulls[Natts_gl_former_log];
	GlBytes		root;

	heap_deform_tuple(tuple, descriptor, values, nulls);
	log->generation = DatumGetInt32(values[Anum_gl_former_log_generation - 1]);
	strlcpy(log->origin, TextDatumGetCString(values[Anum_gl_former_log_origin - 1]), sizeof(log->origin));
	log->tree_size = (uint64) DatumGetInt64(values[Anum_gl_former_log_tree_size - 1]);
	log->lost_from = (uint64) DatumGetInt64(values[Anum_gl_former_log_lost_from - 1]);
	log->known_size = (uint64) DatumGetInt64(values[Anum_gl_former_log_known_size - 1]);
	root = gl_bytea_bytes(values[Anum_gl_former_log_known_root - 1]);
	if (root.length == GL_HASH_SIZE)
		memcpy(log->known_root.bytes, root.data, GL_HASH_SIZE);
	return log;
}

List *
gl_former_logs(Snapshot snapshot)
{
	Relation	relation;
	Relation	index;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *logs = NIL;

	if (!OidIsValid(gl_relation_oid_if_there(GL_REL_FORMER_LOG)))
		return NIL;
	relation = gl_relation_open(GL_REL_FORMER_LOG, AccessShareLock);
	index = index_open(gl_relation_oid(GL_REL_FORMER_LOG_PKEY), AccessShareLock);
	scan = systable_beginscan_ordered(relation, index, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
		logs = lappend(logs, gl_former_log_read(tuple, RelationGetDescr(relation)));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return logs;
}

const char *
gl_origin_of_leaf(const List *former_logs, uint64 leaf, const char *origin)
{
	ListCell   *cell;

	foreach(cell, former_logs)
	{
		const GlFormerLog *log = lfirst(cell);

		if (leaf < log->tree_size)
			return log->origin;
	}
	return origin;
}

const GlFormerLog *
gl_former_log_find(const List *former_logs, const char *origin)
{
	const GlFormerLog *found = NULL;
	ListCell   *cell;

	foreach(cell, former_logs)
	{
		const GlFormerLog *log = lfirst(cell);

		if (strcmp(log->origin, origin) == 0)
			found = log;
	}
	return found;
}

void
gl_former_log_insert(const GlFormerLog *log)
{
	Relation	relation = gl_relation_open(GL_REL_FORMER_LOG, RowExclusiveLock);
	Datum		values[Natts_gl_former_log];
	bool		nulls[Natts_gl_former_log] = {0};

	values[Anum_gl_former_log_generation - 1] = Int32GetDatum(log->generation);
	values[Anum_gl_former_log_origin - 1] = CStringGetTextDatum(log->origin);
	values[Anum_gl_former_log_tree_size - 1] = Int64GetDatum((int64) log->tree_size);
	values[Anum_gl_former_log_lost_from - 1] = Int64GetDatum((int64) log->lost_from);
	values[Anum_gl_former_log_known_size - 1] = Int64GetDatum((int64) log->known_size);
	values[Anum_gl_former_log_known_root - 1] = gl_bytea(log->known_root.bytes, GL_HASH_SIZE);
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	table_close(relation, NoLock);
	CommandCounterIncrement();
}
