/*
 * intact.c
 *		The two triggers of a ledger relation as they must be; see intact.h.
 */
#include "capture/intact.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "core/catalog.h"

typedef struct GlExpectedTrigger
{
	const char *name;
	const char *function;
	int16		type;
} GlExpectedTrigger;

static const GlExpectedTrigger gl_expected[GL_TRIGGER_COUNT] = {
	{GL_ROW_TRIGGER, "capture_row",
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
	{GL_TRUNCATE_TRIGGER, "capture_truncate",
	TRIGGER_TYPE_STATEMENT | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_TRUNCATE},
};

/* What keeps the trigger from seeing every change; NULL if nothing. */
static const char *
gl_trigger_check(const GlExpectedTrigger *wanted, HeapTuple tuple, TupleDesc descriptor, Oid function)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

	if (form->tgfoid != function || !OidIsValid(function))
		return psprintf("it does not call govledger.%s()", wanted->function);
	if (form->tgenabled == TRIGGER_DISABLED)
		return "it is disabled";
	if (form->tgenabled != TRIGGER_FIRES_ALWAYS)
		return "it is not enabled ALWAYS, so a session can keep it from firing";
	if (form->tgtype != wanted->type)
		return "it does not fire for the events it should";
	if (!heap_attisnull(tuple, Anum_pg_trigger_tgqual, descriptor))
		return "it has a WHEN condition";
	if (form->tgattr.dim1 != 0)
		return "it is limited to some columns";
	if (form->tgnargs != 0)
		return "it has arguments";
	if (form->tgdeferrable || form->tginitdeferred || OidIsValid(form->tgconstraint))
		return "it is a constraint trigger";
	return NULL;
}

const char *
gl_trigger_name(int which)
{
	Assert(which >= 0 && which < GL_TRIGGER_COUNT);
	return gl_expected[which].name;
}

bool
gl_trigger_is_own_name(const char *name)
{
	int			i;

	for (i = 0; i < GL_TRIGGER_COUNT; i++)
		if (strcmp(name, gl_expected[i].name) == 0)
			return true;
	return false;
}

const char *
gl_trigger_problem(Snapshot snapshot, Oid relation, int which)
{
	const GlExpectedTrigger *wanted = &gl_expected[which];
	Relation	heap = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	const char *problem;

	ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(wanted->name));
	scan = systable_beginscan(heap, TriggerRelidNameIndexId, true, snapshot, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		problem = gl_trigger_check(wanted, tuple, RelationGetDescr(heap), gl_function_oid(snapshot, wanted->function));
	else
		problem = "it was dropped or renamed";
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return problem;
}
