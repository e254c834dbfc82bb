/*
 * limit.c
 *		What as_of asks: how many leaves of the log count, and whether a version was the last one before them.
 */
#include "core/compat.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "core/probe.h"
#include "history/key.h"
#include "history/newest.h"
#include "history/stream.h"
#include "history/table.h"
#include "ledger/rows.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_history_limit_time);
PG_FUNCTION_INFO_V1(gl_history_limit_size);
PG_FUNCTION_INFO_V1(gl_history_is_latest);

/* --- seals by height --- */

typedef struct GlSealTime
{
	int64		height;			/* 0: no seal */
	int64		tree_size;
	TimestampTz time;
} GlSealTime;

static bool
take_seal(GlProbe *seals, bool forward, GlSealTime *seal)
{
	if (!(forward ? gl_probe_next(seals) : gl_probe_previous(seals)))
		return false;
	seal->height = DatumGetInt64(gl_probe_value(seals, Anum_gl_seal_height));
	seal->tree_size = DatumGetInt64(gl_probe_value(seals, Anum_gl_seal_tree_size));
	seal->time = DatumGetTimestampTz(gl_probe_value(seals, Anum_gl_seal_sealed_at));
	return true;
}

/* The seal of this height or the next lower one. */
static bool
seal_at(GlProbe *seals, int64 height, GlSealTime *seal)
{
	ScanKeyData key;

	ScanKeyInit(&key, Anum_gl_seal_height, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(height));
	gl_probe_start(seals, &key, 1);
	return take_seal(seals, false, seal);
}

/* Time never goes back from seal to seal, so the last one at or before a time is found by halving. */
static GlSealTime
last_seal_at(GlProbe *seals, const GlSealTime *newest, TimestampTz time)
{
	GlSealTime	found = {0, 0, 0};
	GlSealTime	middle;
	int64		low = 1;
	int64		high = newest->height;

	while (low <= high)
	{
		if (!seal_at(seals, low + (high - low) / 2, &middle) || middle.height < low)
			low = low + (high - low) / 2 + 1;	/* a gap: verify names it */
		else if (middle.time <= time)
		{
			found = middle;
			low = middle.height + 1;
		}
		else
			high = middle.height - 1;
	}
	return found;
}

/* --- the limit --- */

static char *
table_name(int table_id)
{
	const GlLedgerRelation *root = linitial(gl_ledger_table_load(table_id)->relations);

	return quote_qualified_identifier(root->schema_name, root->name);
}

/* Error unless the history has all that lies below `limit`. */
static int64
checked_limit(int table_id, int64 limit, Snapshot snapshot)
{
	const GlHistoryTable *history = gl_history_load(table_id, snapshot);
	int64		reached;

	if (history == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table %d of the ledger has no history", table_id)));
	reached = gl_history_reached(history, gl_history_projected(snapshot));
	if (reached < limit && !history->ended)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the history of %s is filled up to tree size %lld, not to %lld", table_name(table_id),
						(long long) reached, (long long) limit),
				 errhint("Run SELECT govledger.wait_history() first; govledger.history_status shows what stands in the way.")));
	if (history->first_leaf == GL_HISTORY_NONE || limit <= history->first_leaf)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the ledger does not know what was in %s then", table_name(table_id)),
				 history->first_leaf == GL_HISTORY_NONE ?
				 errdetail("It is not sealed yet that the table is protected.") :
				 errdetail("The table is protected since leaf %lld, tree size %lld is before that.",
						   (long long) history->first_leaf, (long long) limit)));
	return limit;
}

/* The newest seal; an empty tree if there is none. */
static GlSealTime
newest_seal(GlProbe *seals)
{
	GlSealTime	newest = {0, 0, 0};

	(void) seal_at(seals, PG_INT64_MAX, &newest);
	return newest;
}

Datum
gl_history_limit_time(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = GetActiveSnapshot();
	GlProbe		seals;
	GlSealTime	newest;
	GlSealTime	found;

	gl_probe_open(&seals, GL_REL_SEAL, gl_relation_oid(GL_REL_SEAL_PKEY), snapshot, 1);
	newest = newest_seal(&seals);
	found = last_seal_at(&seals, &newest, PG_GETARG_TIMESTAMPTZ(1));
	gl_probe_close(&seals);
	PG_RETURN_INT64(checked_limit(PG_GETARG_INT32(0), found.tree_size, snapshot));
}

Datum
gl_history_limit_size(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = GetActiveSnapshot();
	int64		size = PG_GETARG_INT64(1);
	GlProbe		seals;
	GlSealTime	newest;

	gl_probe_open(&seals, GL_REL_SEAL, gl_relation_oid(GL_REL_SEAL_PKEY), snapshot, 1);
	newest = newest_seal(&seals);
	gl_probe_close(&seals);
	if (size < 0 || size > newest.tree_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no tree of size %lld: the sealed tree has %lld leaves", (long long) size,
						(long long) newest.tree_size)));
	PG_RETURN_INT64(checked_limit(PG_GETARG_INT32(0), size, snapshot));
}

/* --- the last version --- */

/* What is the same for all versions of a query. */
typedef struct GlLatestCache
{
	Oid			history;
	GlHistoryKey key;
	AttrNumber	fields[GL_HISTORY_FIELDS];
	GlNewest   *newest;			/* NULL: the index on the key does it */
} GlLatestCache;

typedef struct GlLatestSearch
{
	GlVersion	version;
	int64		limit;
	bool		superseded;
} GlLatestSearch;

static bool
look_for_later(void *arg, const GlVersion *other)
{
	GlLatestSearch *search = arg;

	/* newest entries first: when they are older than ours, so are all others */
	if (other->place.entry < search->version.place.entry)
		return false;
	search->superseded = other->place.entry < search->limit && gl_place_compare(&other->place, &search->version.place) > 0;
	return !search->superseded;
}

static GlLatestCache *
latest_cache(FunctionCallInfo fcinfo, Relation heap)
{
	GlLatestCache *cache = fcinfo->flinfo->fn_extra;
	MemoryContext old;
	int			table_id;

	if (cache != NULL && cache->history == RelationGetRelid(heap))
		return cache;
	table_id = gl_history_table_of(RelationGetRelid(heap));
	if (table_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not the history of a ledger table", RelationGetRelationName(heap))));
	cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(GlLatestCache));
	cache->history = RelationGetRelid(heap);
	gl_history_key(heap, table_id, &cache->key);
	gl_history_fields(heap, cache->fields);
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	cache->newest = gl_newest_open(heap, table_id);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = cache;
	return cache;
}

/* Was this version, which the slot has, the last one of its key? Not if the key was erased. */
static bool
is_newest_of_key(Relation heap, const GlLatestCache *cache, Snapshot snapshot, TupleTableSlot *slot, GlLatestSearch *search)
{
	int			i;

	if (cache->newest != NULL)
		return gl_newest_is(cache->newest, heap, snapshot, slot, &search->version, search->limit);
	for (i = 0; i < cache->key.count; i++)
		if (slot->tts_isnull[cache->key.attributes[i] - 1])
			return false;
	if (cache->key.count > 0)
		gl_versions_walk(heap, &cache->key, snapshot, slot->tts_values, look_for_later, search);
	return !search->superseded;
}

static bool
is_latest(Relation heap, const GlLatestCache *cache, ItemPointer tid, int64 limit)
{
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	GlLatestSearch search = {.limit = limit};
	Snapshot	snapshot = GetActiveSnapshot();
	bool		latest = false;

	/* anybody may ask for any place */
	if (ItemPointerIsValid(tid) && ItemPointerGetBlockNumber(tid) < RelationGetNumberOfBlocks(heap) &&
		table_tuple_fetch_row_version(heap, tid, snapshot, slot))
	{
		slot_getallattrs(slot);
		gl_version_read(slot, cache->fields, &search.version);
		latest = is_newest_of_key(heap, cache, snapshot, slot, &search) && !gl_version_is_gone(heap, snapshot, &search.version, limit);
	}
	ExecDropSingleTupleTableSlot(slot);
	return latest;
}

Datum
gl_history_is_latest(PG_FUNCTION_ARGS)
{
	Oid			history = PG_GETARG_OID(0);
	Relation	heap;
	bool		latest;

	/* who may not read anything of it learns nothing of it */
	if (get_rel_relkind(history) != RELKIND_RELATION ||
		(pg_class_aclcheck(history, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		 pg_attribute_aclcheck_all(history, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for history with OID %u", history)));
	heap = table_open(history, AccessShareLock);
	latest = is_latest(heap, latest_cache(fcinfo, heap), (ItemPointer) PG_GETARG_POINTER(1), PG_GETARG_INT64(2));
	table_close(heap, AccessShareLock);
	PG_RETURN_BOOL(latest);
}
