/*
 * state.c
 *		The one row that says which ledger this is; see state.h.
 */
#include "ledger/state.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "core/catalog.h"
#include "ledger/rows.h"

static GlLedgerState gl_state;
static bool gl_state_valid = false;
static bool gl_state_callback_registered = false;
static Oid	gl_state_relation = InvalidOid;

static void
gl_state_callback(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == gl_state_relation)
		gl_state_valid = false;
}

static void
gl_state_read(Relation relation, HeapTuple tuple)
{
	Datum		values[Natts_gl_ledger];
	bool		nulls[Natts_gl_ledger];

	heap_deform_tuple(tuple, RelationGetDescr(relation), values, nulls);
	gl_state.exists = true;
	gl_state.has_origin = !nulls[Anum_gl_ledger_origin - 1];
	if (gl_state.has_origin)
		strlcpy(gl_state.origin, TextDatumGetCString(values[Anum_gl_ledger_origin - 1]), sizeof(gl_state.origin));
	gl_state.generation = DatumGetInt32(values[Anum_gl_ledger_generation - 1]);
	gl_state.system_identifier = (uint64) DatumGetInt64(values[Anum_gl_ledger_system_identifier - 1]);
	gl_state.database = DatumGetObjectId(values[Anum_gl_ledger_database - 1]);
}

const GlLedgerState *
gl_ledger_state(void)
{
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (gl_state_valid)
		return &gl_state;
	if (!gl_state_callback_registered)
	{
		CacheRegisterRelcacheCallback(gl_state_callback, (Datum) 0);
		gl_state_callback_registered = true;
	}

	relation = gl_relation_open(GL_REL_LEDGER, AccessShareLock);
	gl_state_relation = RelationGetRelid(relation);
	memset(&gl_state, 0, sizeof(gl_state));
	/* set before reading: an invalidation that arrives while we read must not be lost */
	gl_state_valid = true;
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		gl_state_read(relation, tuple);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return &gl_state;
}

void
gl_ledger_state_create(void)
{
	Relation	relation;
	Datum		values[Natts_gl_ledger] = {0};
	bool		nulls[Natts_gl_ledger] = {0};

	if (gl_ledger_state()->exists)
		return;
	/* self-conflicting lock: of two first protects, the second finds the row of the first */
	relation = gl_relation_open(GL_REL_LEDGER, ShareRowExclusiveLock);
	gl_state_valid = false;
	if (!gl_ledger_state()->exists)
	{
		values[Anum_gl_ledger_only_row - 1] = BoolGetDatum(true);
		nulls[Anum_gl_ledger_origin - 1] = true;
		values[Anum_gl_ledger_generation - 1] = Int32GetDatum(1);
		values[Anum_gl_ledger_system_identifier - 1] = Int64GetDatum((int64) GetSystemIdentifier());
		values[Anum_gl_ledger_database - 1] = ObjectIdGetDatum(MyDatabaseId);
		CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
		CacheInvalidateRelcache(relation);
		CommandCounterIncrement();
	}
	table_close(relation, NoLock);
}

void
gl_ledger_state_change(const char *origin, int32 generation, uint64 system_identifier)
{
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		values[Natts_gl_ledger] = {0};
	bool		nulls[Natts_gl_ledger] = {0};
	bool		replaces[Natts_gl_ledger] = {false, true, true, true, true};

	relation = gl_relation_open(GL_REL_LEDGER, ShareRowExclusiveLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database has no ledger yet"),
				 errhint("Protect a table first: SELECT govledger.protect('schema.table').")));
	if (origin != NULL)
		values[Anum_gl_ledger_origin - 1] = CStringGetTextDatum(origin);
	else
		nulls[Anum_gl_ledger_origin - 1] = true;
	values[Anum_gl_ledger_generation - 1] = Int32GetDatum(generation);
	values[Anum_gl_ledger_system_identifier - 1] = Int64GetDatum((int64) system_identifier);
	values[Anum_gl_ledger_database - 1] = ObjectIdGetDatum(MyDatabaseId);
	tuple = heap_modify_tuple(tuple, RelationGetDescr(relation), values, nulls, replaces);
	CatalogTupleUpdate(relation, &tuple->t_self, tuple);
	systable_endscan(scan);
	CacheInvalidateRelcache(relation);
	table_close(relation, NoLock);
	CommandCounterIncrement();
}

void
gl_ledger_state_pin_origin(const char *origin)
{
	const GlLedgerState *state = gl_ledger_state();

	if (state->has_origin)
	{
		if (strcmp(state->origin, origin) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the origin of this ledger is \"%s\" and cannot become \"%s\"", state->origin, origin),
					 errhint("Set govledger.origin back to \"%s\".", state->origin)));
		return;
	}
	gl_ledger_state_change(origin, state->generation, state->system_identifier);
}

bool
gl_ledger_is_ours(const GlLedgerState *state)
{
	return !state->exists ||
		(state->system_identifier == GetSystemIdentifier() && state->database == MyDatabaseId);
}

void
gl_ledger_require_ours(const GlLedgerState *state)
{
	if (gl_ledger_is_ours(state))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("this database is not the one that holds the ledger"),
			 errdetail("The log was written by database %u of the cluster with system identifier " UINT64_FORMAT
					   "; this is database %u of " UINT64_FORMAT ": a restored dump or a copy.",
					   state->database, state->system_identifier, MyDatabaseId, GetSystemIdentifier()),
			 errhint("If this database shall continue the log, run SELECT govledger.adopt('reason'); if signed entries are lost for "
					 "good, SELECT govledger.start_successor('reason').")));
}
