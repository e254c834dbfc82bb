/*
 * version.c
 *		Which version of the SQL objects is installed; see version.h.
 */
#include "core/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "core/version.h"

/* extversion of the extension, palloc'd; NULL if it is not there. */
static char *
gl_installed_version(void)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(GL_SCHEMA));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		is_null;
		Datum		datum = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(catalog), &is_null);

		if (!is_null)
			version = TextDatumGetCString(datum);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

/* Numbers between dots, the first difference decides. */
static bool
gl_version_is_newer(const char *version, const char *than)
{
	while (*version != '\0' && *than != '\0')
	{
		char	   *version_end;
		char	   *than_end;
		long		a = strtol(version, &version_end, 10);
		long		b = strtol(than, &than_end, 10);

		if (a != b)
			return a > b;
		version = version_end + (*version_end != '\0');
		than = than_end + (*than_end != '\0');
	}
	return *version != '\0';
}

static void
gl_raise_other_version(const char *installed)
{
	if (gl_version_is_newer(installed, GL_VERSION))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the library of govledger is of version %s, the extension in this database of version %s",
						GL_VERSION, installed),
				 errdetail("The server still runs the library that it loaded when it started."),
				 errhint("Restart the server.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the govledger extension in this database is of version %s, its library of version %s",
					installed, GL_VERSION),
			 errdetail("Changes are recorded, sealed and signed as before; this needs the objects of the new version."),
			 errhint("Run ALTER EXTENSION govledger UPDATE.")));
}

void
gl_version_require_current(void)
{
	char	   *installed = gl_installed_version();

	if (installed == NULL)
		gl_version_raise_missing(NULL);
	if (strcmp(installed, GL_VERSION) != 0)
		gl_raise_other_version(installed);
	pfree(installed);
}

void
gl_version_raise_missing(const char *relation)
{
	char	   *installed = gl_installed_version();

	if (installed != NULL && strcmp(installed, GL_VERSION) != 0)
		gl_raise_other_version(installed);
	if (installed != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation govledger.%s is missing", relation != NULL ? relation : "?"),
				 errdetail("It belongs to the govledger extension and was removed from it."),
				 errhint("Run SELECT * FROM govledger.verify() to see what else was changed.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the govledger extension is not installed in this database"),
			 errhint("Run CREATE EXTENSION govledger.")));
}
