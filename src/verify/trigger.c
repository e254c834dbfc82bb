/*
 * trigger.c
 *		The two triggers of a ledger relation: there, always enabled, unconditional, and calling our functions.
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "capture/schema.h"

typedef struct GlExpectedTrigger
{
	const char *name;
	const char *function;
	int16		type;
} GlExpectedTrigger;

static const GlExpectedTrigger expected[] = {
	{GL_ROW_TRIGGER, "capture_row",
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
	{GL_TRUNCATE_TRIGGER, "capture_truncate",
	TRIGGER_TYPE_STATEMENT | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_TRUNCATE},
};

/* What keeps the trigger from seeing every change; NULL if nothing. */
static const char *
check_trigger(const GlExpectedTrigger *wanted, HeapTuple tuple, TupleDesc descriptor, Oid function)
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

static void
check_one(GlVerify *verify, const GlTable *table, Oid relation, const char *name, const GlExpectedTrigger *wanted)
{
	Relation	heap = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	const char *problem;

	ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(wanted->name));
	scan = systable_beginscan(heap, TriggerRelidNameIndexId, true, verify->snapshot, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		problem = check_trigger(wanted, tuple, RelationGetDescr(heap), gl_function_oid(verify->snapshot, wanted->function));
	else
		problem = "it was dropped";
	if (problem != NULL)
		gl_report_object(verify->report, GL_CHECK_TRIGGER, name, "trigger \"%s\": %s", wanted->name, problem);
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
}

void
gl_triggers_check(GlVerify *verify, const GlTable *table, Oid relation, const char *name)
{
	int			i;

	for (i = 0; i < (int) lengthof(expected); i++)
		check_one(verify, table, relation, name, &expected[i]);
}
