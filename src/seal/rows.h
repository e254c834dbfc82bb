/*
 * rows.h
 *		Seals and entries as they lie in their tables.
 *
 * Everything here reads under the active snapshot, between SPI_connect and SPI_finish.
 */
#ifndef GL_SEAL_ROWS_H
#define GL_SEAL_ROWS_H

#include "core/compat.h"
#include "executor/spi.h"
#include "format/entry.h"
#include "format/merkle.h"

/* No leaf row names more entries than this, so the row of a leaf is found by looking back so far. */
#define GL_LEAF_ROW_ENTRIES 1000

typedef struct GlSealRow
{
	bool		exists;			/* false: an empty log, and the sizes are 0 */
	uint64		height;
	uint64		tree_size;		/* with the seal */
	GlHash		root;			/* of that tree */
	GlMerkleEdge edge;
	GlHash		leaf;			/* of the seal itself */
	GlSeal		seal;			/* bytes in CurrentMemoryContext */
	/* what a candidate for the next block is measured by: generation, snapshot's xmax and running transactions */
	int32		generation;
	Datum		snapshot_xmax;	/* xid8 */
	Datum		snapshot_running;	/* xid8[] */
} GlSealRow;

/* The newest seal, checked against itself: error if the row was tampered with. */
extern void gl_seal_latest(GlSealRow *row);
/* As before the first seal: the tree is empty and every entry is a candidate. */
extern void gl_seal_none(GlSealRow *row);
/* The seal that ends a tree of this size; false if there is none. */
extern bool gl_seal_of_size(uint64 tree_size, GlSealRow *row);

/*
 * Entries visible in the active snapshot that are in no block up to this seal. Never a rescan of what is sealed:
 * cost does not depend on how long a transaction has been open.
 */
extern bool gl_candidates_exist(const GlSealRow *seal);
/* In the order of a block; for gl_entry_row_read. */
extern Portal gl_candidates_open(const GlSealRow *seal);
/* How many (counted up to the limit), and the time of the oldest (0 if none). */
extern int64 gl_candidates_count(const GlSealRow *seal, int64 limit, int64 *oldest_time);

typedef struct GlEntryRow
{
	GlEntryHeader header;		/* without origin; bytes in the SPI tuple */
	uint32		inserted_by;	/* xmin of the row */
} GlEntryRow;

/* Columns that gl_entry_row_read expects, in its order. */
#define GL_ENTRY_COLUMNS \
	"generation, transaction_id, \"position\", entry_time, records, record_root, context_commitment, actor_signature, " \
	"xmin AS inserted_by"

/* A row of a result with GL_ENTRY_COLUMNS; error if a field cannot be one of an entry. */
extern void gl_entry_row_read(HeapTuple tuple, TupleDesc descriptor, GlEntryRow *row);
/* Leaf hash of the entry; `scratch` is overwritten. */
extern void gl_entry_row_leaf(const GlEntryRow *row, const char *origin, GlBuffer *scratch, GlHash *leaf);

/* Error: `what` is not as it was written. */
extern void gl_raise_damaged(const char *what, uint64 number) pg_attribute_noreturn();

#endif
