/*
 * function.c
 *		Our functions and event triggers: as they were installed?
 *
 * The catalog is all that can be looked at from here. Whether the library file itself is the right one, only a check from outside
 * can tell.
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/catalog.h"

typedef struct GlExpectedFunction
{
	const char *name;
	const char *symbol;
	bool		pinned;			/* SET search_path */
	bool		found;
} GlExpectedFunction;

/* What capture and this verification stand on. */
static const GlExpectedFunction expected_functions[] = {
	{"capture_row", "gl_capture_row", false, false},
	{"capture_truncate", "gl_capture_truncate", false, false},
	{"protect", "gl_protect", true, false},
	{"unprotect", "gl_unprotect", true, false},
	{"record_schema", "gl_record_schema", true, false},
	{"on_ddl_command_start", "gl_on_ddl_command_start", false, false},
	{"on_ddl_command_end", "gl_on_ddl_command_end", true, false},
	{"on_sql_drop", "gl_on_sql_drop", true, false},
	{"on_table_rewrite", "gl_on_table_rewrite", true, false},
	{"verify", "gl_verify", true, false},
};

typedef struct GlExpectedEvent
{
	const char *name;
	const char *event;
	const char *function;
} GlExpectedEvent;

static const GlExpectedEvent expected_events[] = {
	{"govledger_ddl_command_start", "ddl_command_start", "on_ddl_command_start"},
	{"govledger_ddl_command_end", "ddl_command_end", "on_ddl_command_end"},
	{"govledger_sql_drop", "sql_drop", "on_sql_drop"},
	{"govledger_table_rewrite", "table_rewrite", "on_table_rewrite"},
};

#define LIBRARY "$libdir/govledger"

static bool
is_member(Snapshot snapshot, Oid function)
{
	Relation	heap = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		member = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
	scan = systable_beginscan(heap, DependDependerIndexId, true, snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		member |= form->deptype == DEPENDENCY_EXTENSION && form->refclassid == ExtensionRelationId &&
			form->refobjid == gl_extension_oid();
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return member;
}

static char *
text_attribute(HeapTuple tuple, int number, TupleDesc descriptor)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number, descriptor, &isnull);

	return isnull ? pstrdup("") : TextDatumGetCString(value);
}

static bool
pins_search_path(HeapTuple tuple, TupleDesc descriptor)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_proc_proconfig, descriptor, &isnull);
	Datum	   *settings;
	int			count;
	int			i;

	if (isnull)
		return false;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &settings, NULL, &count);
	for (i = 0; i < count; i++)
		if (strcmp(TextDatumGetCString(settings[i]), "search_path=pg_catalog, pg_temp") == 0)
			return true;
	return false;
}

/* What makes a function another than the one installed; NULL if nothing can be seen. `wanted` may be NULL. */
static const char *
check_function(GlVerify *verify, HeapTuple tuple, TupleDesc descriptor, const GlExpectedFunction *wanted)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	char	   *symbol = text_attribute(tuple, Anum_pg_proc_prosrc, descriptor);
	char	   *library = text_attribute(tuple, Anum_pg_proc_probin, descriptor);

	if (!is_member(verify->snapshot, form->oid))
		return "it does not belong to the extension";
	if (form->prolang == ClanguageId && (strcmp(library, LIBRARY) != 0 || strncmp(symbol, "gl_", 3) != 0))
		return psprintf("it calls %s in %s", symbol, library);
	if (form->prolang == INTERNALlanguageId)
		return psprintf("it calls the server's own %s", symbol);
	if (form->prosecdef && !pins_search_path(tuple, descriptor))
		return "it runs with its owner's rights and does not pin search_path";
	if (wanted == NULL)
		return NULL;
	if (form->prolang != ClanguageId || strcmp(symbol, wanted->symbol) != 0)
		return psprintf("it does not call %s", wanted->symbol);
	if (form->prosecdef)
		return "it runs with its owner's rights";
	if (wanted->pinned && !pins_search_path(tuple, descriptor))
		return "it does not pin search_path any more";
	return NULL;
}

/* An overload of as_of for the row type of a table: made with the table, so it is not of the extension. */
static bool
is_overload(const FormData_pg_proc *form)
{
	Oid			type = form->pronargs == 2 ? form->proargtypes.values[0] : InvalidOid;

	return OidIsValid(type) && strcmp(NameStr(form->proname), "as_of") == 0 && OidIsValid(get_typ_typrelid(type)) &&
		(form->proargtypes.values[1] == TIMESTAMPTZOID || form->proargtypes.values[1] == INT8OID);
}

static const char *
check_overload(HeapTuple tuple, TupleDesc descriptor)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	const char *type = format_type_be_qualified(form->proargtypes.values[0]);

	if (form->prolang != SQLlanguageId || heap_attisnull(tuple, Anum_pg_proc_prosqlbody, descriptor))
		return psprintf("the one for %s is not written as govledger writes it", type);
	if (form->prosecdef || !heap_attisnull(tuple, Anum_pg_proc_proconfig, descriptor))
		return psprintf("the one for %s runs with its owner's rights or with settings", type);
	return NULL;
}

static GlExpectedFunction *
find_expected(GlExpectedFunction *functions, const char *name)
{
	int			i;

	for (i = 0; i < (int) lengthof(expected_functions); i++)
		if (strcmp(name, functions[i].name) == 0)
			return &functions[i];
	return NULL;
}

static void
check_functions(GlVerify *verify)
{
	Relation	heap = table_open(ProcedureRelationId, AccessShareLock);
	GlExpectedFunction functions[lengthof(expected_functions)];
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			i;

	memcpy(functions, expected_functions, sizeof(functions));
	ScanKeyInit(&key, Anum_pg_proc_pronamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(get_namespace_oid(GL_SCHEMA, false)));
	scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *name = NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname);
		GlExpectedFunction *wanted = find_expected(functions, name);
		const char *problem = is_overload((Form_pg_proc) GETSTRUCT(tuple)) ?
			check_overload(tuple, RelationGetDescr(heap)) :
			check_function(verify, tuple, RelationGetDescr(heap), wanted);

		if (wanted != NULL)
			wanted->found = true;
		if (problem != NULL)
			gl_report_log(verify->report, GL_CHECK_FUNCTION, GL_NO_LEAF, psprintf("govledger.%s", name), "%s", problem);
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	for (i = 0; i < (int) lengthof(functions); i++)
		if (!functions[i].found)
			gl_report_log(verify->report, GL_CHECK_FUNCTION, GL_NO_LEAF, psprintf("govledger.%s", functions[i].name),
						  "the function is gone");
}

static const char *
check_event(GlVerify *verify, const GlExpectedEvent *wanted, HeapTuple tuple, TupleDesc descriptor)
{
	Form_pg_event_trigger form = (Form_pg_event_trigger) GETSTRUCT(tuple);

	if (form->evtfoid != gl_function_oid(verify->snapshot, wanted->function))
		return psprintf("it does not call govledger.%s()", wanted->function);
	if (strcmp(NameStr(form->evtevent), wanted->event) != 0)
		return "it fires for another event";
	if (form->evtenabled != TRIGGER_FIRES_ALWAYS)
		return "it is not enabled ALWAYS";
	if (!heap_attisnull(tuple, Anum_pg_event_trigger_evttags, descriptor))
		return "it is limited to some commands";
	return NULL;
}

static void
check_events(GlVerify *verify)
{
	Relation	heap = table_open(EventTriggerRelationId, AccessShareLock);
	int			i;

	for (i = 0; i < (int) lengthof(expected_events); i++)
	{
		const GlExpectedEvent *wanted = &expected_events[i];
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;
		const char *problem = "it was dropped";

		ScanKeyInit(&key, Anum_pg_event_trigger_evtname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(wanted->name));
		scan = systable_beginscan(heap, EventTriggerNameIndexId, true, verify->snapshot, 1, &key);
		tuple = systable_getnext(scan);
		if (HeapTupleIsValid(tuple))
			problem = check_event(verify, wanted, tuple, RelationGetDescr(heap));
		if (problem != NULL)
			gl_report_log(verify->report, GL_CHECK_FUNCTION, GL_NO_LEAF, psprintf("event trigger %s", wanted->name),
						  "%s", problem);
		systable_endscan(scan);
	}
	table_close(heap, AccessShareLock);
}

void
gl_functions_check(GlVerify *verify)
{
	check_functions(verify);
	check_events(verify);
	gl_report_pass(verify->report, GL_CHECK_FUNCTION, NULL, "govledger",
				   "functions and event triggers are those of the extension");
}
