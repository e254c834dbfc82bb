/*
 * access.c
 *		Which values of the log may the current user see? See access.h.
 */
#include "ledger/access.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

struct GlAccess
{
	bool		everything;		/* dropped columns and tables that are gone too */
	bool		limited;
	List	   *columns;		/* ids that may be read, if not everything */
	const char *withheld;
};

static bool
gl_rows_are_open(Oid relation)
{
	return get_rel_name(relation) != NULL && gl_may_use_schema(get_rel_namespace(relation), GetUserId()) &&
		check_enable_rls(relation, GetUserId(), true) != RLS_ENABLED;
}

static bool
gl_may_select(Oid relation, AttrNumber number)
{
	return number != InvalidAttrNumber &&
		(pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		 pg_attribute_aclcheck(relation, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

GlAccess *
gl_access_open(const GlLedgerTable *table)
{
	GlAccess   *access = palloc0(sizeof(GlAccess));
	const GlLedgerRelation *root = table->relations != NIL ? linitial(table->relations) : NULL;
	Oid			relation = root != NULL ? root->relation : InvalidOid;
	bool		present = OidIsValid(relation) && get_rel_name(relation) != NULL;
	bool		open = present && gl_rows_are_open(relation);
	ListCell   *cell;

	access->withheld = psprintf("(not readable by %s)", GetUserNameFromId(GetUserId(), true));
	access->everything = (open || !present) && has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA);
	if (access->everything)
		return access;
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->dropped)
			continue;
		/* by name: after a restore, numbers of columns may be others until the log is adopted */
		if (open && gl_may_select(relation, get_attnum(relation, column->name)))
			access->columns = lappend_int(access->columns, column->column_id);
		else
			access->limited = true;
	}
	return access;
}

bool
gl_access_column(const GlAccess *access, const GlLedgerColumn *column)
{
	if (access->everything)
		return true;
	return column != NULL && !column->dropped && list_member_int(access->columns, column->column_id);
}

bool
gl_access_limited(const GlAccess *access)
{
	return access->limited;
}

const char *
gl_access_withheld(const GlAccess *access)
{
	return access->withheld;
}
