/*
 * users.c
 *		Which relations use a type; see users.h.
 */
#include "capture/users.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* A relation with such a column, or of such a type: if it holds rows it is a user, and its row type contains the type too. */
static void
gl_add_relation(Oid relation, List **types, List **users)
{
	char		kind = get_rel_relkind(relation);

	if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE)
		*users = list_append_unique_oid(*users, relation);
	if (OidIsValid(get_rel_type_id(relation)))
		*types = list_append_unique_oid(*types, get_rel_type_id(relation));
}

List *
gl_type_users(Oid type)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	List	   *types = list_make1_oid(type);
	List	   *users = NIL;
	int			i;

	/* the list grows while we walk it */
	for (i = 0; i < list_length(types); i++)
	{
		ScanKeyData keys[2];
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
		ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(list_nth_oid(types, i)));
		scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, lengthof(keys), keys);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

			if (form->classid == TypeRelationId)
				types = list_append_unique_oid(types, form->objid);
			else if (form->classid == RelationRelationId)
				gl_add_relation(form->objid, &types, &users);
		}
		systable_endscan(scan);
	}
	table_close(depend, AccessShareLock);
	return users;
}
