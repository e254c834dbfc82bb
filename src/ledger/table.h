/*
 * table.h
 *		The catalog of ledger tables, their relations (partitions) and columns.
 */
#ifndef GL_LEDGER_TABLE_H
#define GL_LEDGER_TABLE_H

#include "core/compat.h"
#include "access/attnum.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "core/catalog.h"
#include "format/record.h"
#include "nodes/pg_list.h"

typedef struct GlLedgerColumn
{
	int			column_id;
	AttrNumber	attribute_number;	/* of relation 0 */
	char	   *name;
	char	   *type_name;		/* as format_type prints it, schema-qualified where needed */
	bool		personal;
	int			key_ordinal;	/* 0: not in the key */
	bool		dropped;
} GlLedgerColumn;

typedef struct GlLedgerRelation
{
	int			relation_id;	/* 0: the table itself */
	Oid			relation;		/* InvalidOid: removed, or the table is unprotected */
	char	   *schema_name;
	char	   *name;
} GlLedgerRelation;

typedef struct GlLedgerTable
{
	int			table_id;
	GlVisibility visibility;
	bool		append_only;
	bool		history;
	bool		unprotected;
	List	   *columns;		/* of GlLedgerColumn *, ascending column id, dropped ones too */
	List	   *relations;		/* of GlLedgerRelation *, ascending relation id, removed ones too */
} GlLedgerTable;

/* Which ledger table and relation is this? False if it is none now. */
extern bool gl_ledger_relation_find(Oid relation, int *table_id, int *relation_id);
/* Load from the catalog into CurrentMemoryContext; error if there is no such table. */
extern GlLedgerTable *gl_ledger_table_load(int table_id);
/* The column that has this name now; NULL if none has. */
extern const GlLedgerColumn *gl_ledger_column_find(const GlLedgerTable *table, const char *name);
/* A row of ledger_column or ledger_relation, in CurrentMemoryContext; for readers with a snapshot of their own. */
extern GlLedgerColumn *gl_ledger_column_read(HeapTuple tuple, TupleDesc descriptor, int *table_id);
extern GlLedgerRelation *gl_ledger_relation_read(HeapTuple tuple, TupleDesc descriptor, int *table_id);
/* Ids of all tables that are protected now (List of int). */
extern List *gl_ledger_table_ids(void);
/* The id that the next table gets; no lock, so that a long protect() does not hold up another one. */
extern int	gl_ledger_table_next_id(void);

/*
 * Insert a row into a catalog table of ours, or replace the one with the same first `nkeys` columns (int4, at most 2), which
 * `pkey` is over. Visible to the next command.
 */
extern void gl_catalog_put(GlRelation which, GlRelation pkey, int nkeys, Datum *values, bool *nulls);

/* Insert the row, or replace the one with the same id. Visible to the next command. */
extern void gl_ledger_table_put(const GlLedgerTable *table);
extern void gl_ledger_column_put(int table_id, const GlLedgerColumn *column);
extern void gl_ledger_relation_put(int table_id, const GlLedgerRelation *relation);

/* "private", "peers", "public"; -1 / NULL if unknown */
extern int	gl_visibility_from_name(const char *name);
extern const char *gl_visibility_name(GlVisibility visibility);

#endif
