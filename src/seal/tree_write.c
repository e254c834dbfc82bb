/*
 * tree_write.c
 *		Appending leaves to the tree; see tree.h.
 *
 * The right edge gives roots and comes from the seal, so a tree of any size is appended to without reading the log. Only
 * the hashes that still miss neighbours for a full tile must be known one by one: they stay in memory from block to block,
 * and a process that has not made the last block itself reads them back (at most 255 per level).
 */
#include "seal/tree.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "utils/memutils.h"

#include "core/catalog.h"
#include "ledger/rows.h"

typedef struct GlTileLevel
{
	uint64		n;				/* number of the tile that is filling up */
	int			width;			/* hashes in it */
	uint8_t		hashes[GL_TILE_BYTES];
} GlTileLevel;

typedef struct GlTreeWriter
{
	bool		valid;			/* edge and levels are those of a committed seal */
	GlMerkleEdge edge;
	GlTileLevel levels[GL_TILE_LEVELS];
} GlTreeWriter;

static GlTreeWriter *gl_writer = NULL;

/* open only while a block is being written */
static Relation gl_tile_relation = NULL;
static CatalogIndexState gl_tile_indexes = NULL;

static bool
gl_writer_stands_at(const GlSealRow *seal)
{
	GlHash		root;

	if (!gl_writer->valid || gl_writer->edge.size != seal->tree_size)
		return false;
	gl_merkle_root(&gl_writer->edge, &root);
	return gl_hash_equal(&root, &seal->root);
}

void
gl_tree_begin(const GlSealRow *seal)
{
	int			level;

	if (gl_writer == NULL)
		gl_writer = MemoryContextAllocZero(TopMemoryContext, sizeof(GlTreeWriter));
	gl_tile_relation = NULL;
	gl_tile_indexes = NULL;

	if (!gl_writer_stands_at(seal))
	{
		char		origin[GL_ORIGIN_MAX_SIZE + 1] = "";

		if (seal->exists)
		{
			memcpy(origin, seal->seal.origin.data, seal->seal.origin.length);
			origin[seal->seal.origin.length] = '\0';
		}
		gl_merkle_copy(&gl_writer->edge, &seal->edge);
		for (level = 0; level < GL_TILE_LEVELS; level++)
		{
			GlTileLevel *tile = &gl_writer->levels[level];

			tile->n = (seal->tree_size >> (GL_TILE_HEIGHT * level)) / GL_TILE_WIDTH;
			tile->width = gl_tile_partial_width(seal->tree_size, level);
			if (tile->width > 0)
				gl_tree_tile(level, tile->n, tile->width, seal->tree_size, origin, tile->hashes);
		}
	}
	gl_writer->valid = false;
}

static void
gl_tile_insert(int level, const GlTileLevel *tile, const GlHash *root)
{
	Datum		values[Natts_gl_tile];
	bool		nulls[Natts_gl_tile] = {0};
	HeapTuple	tuple;

	if (gl_tile_relation == NULL)
	{
		/* the caller's context is reset from time to time, this must last */
		MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

		gl_tile_relation = gl_relation_open(GL_REL_TILE, RowExclusiveLock);
		gl_tile_indexes = CatalogOpenIndexes(gl_tile_relation);
		MemoryContextSwitchTo(caller);
	}
	values[Anum_gl_tile_level - 1] = Int16GetDatum(level);
	values[Anum_gl_tile_n - 1] = Int64GetDatum((int64) tile->n);
	values[Anum_gl_tile_root - 1] = gl_bytea(root->bytes, GL_HASH_SIZE);
	values[Anum_gl_tile_hashes - 1] = gl_bytea(tile->hashes, GL_TILE_BYTES);
	tuple = heap_form_tuple(RelationGetDescr(gl_tile_relation), values, nulls);
	CatalogTupleInsertWithInfo(gl_tile_relation, tuple, gl_tile_indexes);
	heap_freetuple(tuple);
	pfree(DatumGetPointer(values[Anum_gl_tile_root - 1]));
	pfree(DatumGetPointer(values[Anum_gl_tile_hashes - 1]));
}

void
gl_tree_append(const GlHash *leaf)
{
	GlHash		hash = *leaf;
	int			level;

	gl_merkle_append(&gl_writer->edge, leaf);

	/* a full tile's root is the next hash of the level above */
	for (level = 0; level < GL_TILE_LEVELS; level++)
	{
		GlTileLevel *tile = &gl_writer->levels[level];

		Assert(tile->width < GL_TILE_WIDTH);
		memcpy(tile->hashes + tile->width * GL_HASH_SIZE, hash.bytes, GL_HASH_SIZE);
		if (++tile->width < GL_TILE_WIDTH)
			return;
		gl_tile_root(tile->hashes, &hash);
		gl_tile_insert(level, tile, &hash);
		tile->width = 0;
		tile->n++;
	}
}

const GlMerkleEdge *
gl_tree_edge(void)
{
	return &gl_writer->edge;
}

void
gl_tree_end(void)
{
	if (gl_tile_relation == NULL)
		return;
	CatalogCloseIndexes(gl_tile_indexes);
	table_close(gl_tile_relation, NoLock);
	gl_tile_relation = NULL;
	gl_tile_indexes = NULL;
}

void
gl_tree_committed(void)
{
	gl_writer->valid = true;
}
