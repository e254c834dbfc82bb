/*
 * tables.h
 *		Ledger tables in a verification: sums of the log's rows and of the table's rows, images as rows.
 *
 * A *row* here is an image without its count: the fields of a record's image, values in clear, dropped columns left out. A
 * personal value that was erased keeps its leaf and the personal bit, and matches anything.
 */
#ifndef GL_VERIFY_TABLES_H
#define GL_VERIFY_TABLES_H

#include "core/compat.h"
#include "access/tupdesc.h"
#include "ledger/access.h"
#include "core/owner.h"
#include "ledger/row.h"
#include "ledger/table.h"
#include "verify/log.h"

/* A multiset: the keyed hashes of its members added up modulo 2^128, and how many they are. */
typedef struct GlSum
{
	uint64		low;
	uint64		high;
	int64		count;
} GlSum;

typedef struct GlTable
{
	GlLedgerTable *ledger;
	const char *name;			/* quoted and qualified as needed */
	const GlAccess *access;		/* what of it may be shown to the caller */
	bool		ended;			/* the log says it is no longer protected */
	bool		special;		/* has dropped or personal columns: images are rewritten */
	bool		erased;			/* values that were erased occur: sums cannot be compared */
	bool		unprintable;	/* its rows cannot be printed, for a reason that was reported */
	bool		wanted;			/* part of this verification */
	int			flags_count;
	uint8	   *flags;			/* by column id: GL_COLUMN_* below */
	int			sums_count;
	GlSum	   *sums;			/* of the log, by relation id */
} GlTable;

#define GL_COLUMN_KNOWN 1
#define GL_COLUMN_DROPPED 2
#define GL_COLUMN_IS_PERSONAL 4

/* --- tables.c --- */

/* The catalog as the snapshot shows it; locks every relation so that TRUNCATE cannot come between. */
extern GlTables *gl_tables_open(GlVerify *verify);
extern GlTable *gl_tables_find(const GlTables *tables, uint64 table_id);
extern List *gl_tables_list(const GlTables *tables);
/* Which table has this relation, or a partition of this oid? NULL if none. */
extern GlTable *gl_tables_find_relation(const GlTables *tables, Oid relation);
extern const GlLedgerColumn *gl_table_column(const GlTable *table, uint64 column_id);
/* All relations below, partitions of partitions too, as the snapshot shows them; the relation itself first. */
extern List *gl_inheritance_tree(Snapshot snapshot, Oid relation);
/* Oids that must be locked before the snapshot is final. */
extern List *gl_tables_relations(Snapshot snapshot);

/* --- sum.c --- */

extern void gl_sum_key(void);
extern void gl_sum_hash(int relation, GlBytes row, GlHash *hash);
extern void gl_sum_add(GlSum *sum, const GlHash *hash);
extern void gl_sum_subtract(GlSum *sum, const GlHash *hash);
extern bool gl_sum_equal(const GlSum *a, const GlSum *b);
/* A record that changes rows; also T. */
extern void gl_sums_record(GlVerify *verify, const GlLogEntry *entry, uint64 number, const GlRecord *record);
/* The log says a relation is gone. */
extern void gl_sums_reset(GlTable *table, uint64 relation_id);

/* --- image.c --- */

typedef struct GlRows
{
	bool		has_new;
	bool		has_old;
	bool		erased;			/* contains values that were erased */
	GlBytes		new_row;
	GlBytes		old_row;
} GlRows;

/*
 * What a record consumes and produces; pointers into the record or static buffers, valid until the next call. With
 * `check`, personal values are compared with their leaves and missing ones noted. False if the record is broken.
 */
extern bool gl_rows_of(GlVerify *verify, GlTable *table, const GlLogEntry *entry, uint64 number, const GlRecord *record,
					   bool check, GlRows *rows);

/* Once per run, in its memory context. */
extern void gl_rows_init(void);

/* --- schema.c --- */

extern GlSchemas *gl_schemas_open(void);
extern void gl_schemas_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record);
/* ledger_table, ledger_relation and ledger_column against the log. */
extern void gl_schemas_check(GlVerify *verify);

/* --- scan.c --- */

/* Reads one relation of a ledger table in canonical form, as its owner. */
typedef struct GlScan GlScan;

extern GlScan *gl_scan_open(GlVerify *verify, GlTable *table, const GlLedgerRelation *relation);
/* Next row, valid until the next call. */
extern bool gl_scan_next(GlScan *scan, GlBytes *row);
extern void gl_scan_close(GlScan *scan);

/* --- narrow.c --- */

typedef struct GlNarrow GlNarrow;

extern GlNarrow *gl_narrow_open(void);
/* Count a row under a key: what is added on one side must be taken away on the other. */
extern void gl_narrow_count(GlNarrow *narrow, GlBytes key, int relation, GlBytes row, bool add);
/* Look at this key whatever the sums say. */
extern void gl_narrow_suspect(GlNarrow *narrow, GlBytes key);
/* After all was counted: may rows of this key differ? */
extern bool gl_narrow_wants(const GlNarrow *narrow, GlBytes key);

/* --- table.c, naming.c --- */

/* Compare every wanted table with the log. */
extern void gl_tables_check(GlVerify *verify);

typedef struct GlNamingResult
{
	int64		findings;
	int64		printed;		/* rows that only print differently */
} GlNamingResult;

/* Find out which rows of the table differ from the log, and name them. */
extern void gl_naming_check(GlVerify *verify, GlTable *table, GlNamingResult *result);

/* --- value.c --- */

/* Types of a table's columns, for comparing and showing values. */
typedef struct GlColumnTypes GlColumnTypes;

extern GlColumnTypes *gl_column_types_open(const GlTable *table, TupleDesc descriptor, Oid owner);
/* A schema record of the table, in the order of the log: which entry gave a column another type. */
extern void gl_column_types_schema(GlColumnTypes *types, uint64 order, GlBytes body);
/* Do two printed values mean the same? The older one is of the entry with this order. */
extern bool gl_value_same(GlColumnTypes *types, uint64 column_id, uint64 order, GlBytes a, GlBytes b);
/* For a reader; only what the caller may read (gl_access_column). */
extern char *gl_value_shown(const GlColumnTypes *types, uint64 column_id, GlBytes value);
/* {"column": value} of the key columns of a row that the caller may read; NULL if the table has no key. */
extern Jsonb *gl_value_key(const GlColumnTypes *types, const GlTable *table, GlBytes row);

/* --- history.c --- */

/* Histories against the log. */
extern void gl_histories_check(GlVerify *verify);

/* --- catalog.c, trigger.c, function.c --- */

/* Everything in the system catalog that capture depends on. */
extern void gl_catalog_check(GlVerify *verify);
extern void gl_triggers_check(GlVerify *verify, const GlTable *table, Oid relation, const char *name);
extern void gl_functions_check(GlVerify *verify);

#endif
