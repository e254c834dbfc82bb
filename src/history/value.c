/*
 * value.c
 *		govledger.history_value(): a value of a history as the type of a user, for as_of and for copied policies.
 *
 * The input function and the domain checks of such a type may run code of the table's owner, and as_of does not look like it. For
 * a superuser they run as that owner, restricted, or reading the past of a table would hand over the server. Everybody else
 * runs them with his own rights, as in any query on that table.
 */
#include "core/compat.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/owner.h"
#include "history/define.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_history_value);

typedef struct GlValueCache
{
	Oid			type;
	bool		is_text;		/* as the type prints it; else a value of the domain's base type */
	Oid			parameter;
	FmgrInfo	input;
	void	   *domain;
	Oid			owner;
} GlValueCache;

Oid
gl_history_root(Oid history)
{
	int			table_id = gl_history_table_of(history);
	const GlLedgerRelation *root;

	if (table_id == 0)
		return InvalidOid;
	root = linitial(gl_ledger_table_load(table_id)->relations);
	return OidIsValid(root->relation) && get_rel_name(root->relation) != NULL ? root->relation : InvalidOid;
}

static Oid
owner_of(Oid history)
{
	Oid			root = gl_history_root(history);
	Relation	table;
	Oid			owner;

	if (!OidIsValid(root))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation with OID %u is not the history of a ledger table", history)));
	table = table_open(root, AccessShareLock);
	owner = table->rd_rel->relowner;
	table_close(table, AccessShareLock);
	return owner;
}

static GlValueCache *
value_cache(FunctionCallInfo fcinfo)
{
	GlValueCache *cache = fcinfo->flinfo->fn_extra;
	Oid			from = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			function;

	if (cache != NULL)
		return cache;
	cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(GlValueCache));
	cache->type = get_fn_expr_rettype(fcinfo->flinfo);
	cache->is_text = from == TEXTOID;
	if (!OidIsValid(cache->type) || (!cache->is_text && from != getBaseType(cache->type)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot make %s of %s", format_type_be(cache->type), format_type_be(from))));
	getTypeInputInfo(cache->type, &function, &cache->parameter);
	fmgr_info_cxt(function, &cache->input, fcinfo->flinfo->fn_mcxt);
	cache->owner = owner_of(PG_GETARG_OID(1));
	fcinfo->flinfo->fn_extra = cache;
	return cache;
}

static Datum
make_value(FunctionCallInfo fcinfo, GlValueCache *cache)
{
	if (cache->is_text)
		return InputFunctionCall(&cache->input, TextDatumGetCString(PG_GETARG_DATUM(0)), cache->parameter, -1);
	domain_check(PG_GETARG_DATUM(0), false, cache->type, &cache->domain, fcinfo->flinfo->fn_mcxt);
	return PG_GETARG_DATUM(0);
}

Datum
gl_history_value(PG_FUNCTION_ARGS)
{
	GlValueCache *cache;
	GlOwnerScope scope;
	Datum		value;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	cache = value_cache(fcinfo);
	if (!superuser())
		return make_value(fcinfo, cache);
	gl_owner_enter(&scope, cache->owner);
	value = make_value(fcinfo, cache);
	gl_owner_leave(&scope);
	return value;
}
