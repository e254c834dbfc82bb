/*
 * tree_read.c
 *		Reading the tree back; see tree.h.
 */
#include "seal/tree.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/former.h"
#include "seal/query.h"

typedef struct GlLeafRange
{
	uint64		first;
	int			count;
	const char *origin;
	List	   *former_logs;
	GlHash	   *hashes;
	bool	   *found;
	GlBuffer	scratch;
} GlLeafRange;

static void
gl_read_seal_leaves(GlLeafRange *range)
{
	static GlQuery query = {
		.text = "SELECT tree_size - 1, content FROM govledger.seal WHERE tree_size > $1 AND tree_size <= $2",
		.arguments = 2,.types = {INT8OID, INT8OID}
	};
	Datum		values[2];
	uint64		rows;
	uint64		i;

	values[0] = Int64GetDatum((int64) range->first);
	values[1] = Int64GetDatum((int64) (range->first + range->count));
	rows = gl_query_read(&query, values, 0);
	for (i = 0; i < rows; i++)
	{
		uint64		at = (uint64) DatumGetInt64(gl_query_value(i, 1)) - range->first;
		GlBytes		content = gl_bytea_bytes(gl_query_value(i, 2));

		if (at >= (uint64) range->count)
			continue;
		gl_merkle_leaf(content.data, content.length, &range->hashes[at]);
		range->found[at] = true;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Hash the entries of one leaf row that are in the range: ids[i] is leaf first_leaf + i. */
static void
gl_read_row_leaves(GlLeafRange *range, uint64 first_leaf, Datum generation, const Datum *ids, int count)
{
	static GlQuery query = {
		.text = "SELECT " GL_ENTRY_COLUMNS " FROM govledger.entry WHERE generation = $1 AND transaction_id = $2",
		.arguments = 2,.types = {INT4OID, XID8OID}
	};
	int			i;

	for (i = 0; i < count; i++)
	{
		uint64		leaf = first_leaf + i;
		Datum		values[2] = {generation, ids[i]};
		GlEntryRow	row;

		if (leaf < range->first || leaf >= range->first + range->count)
			continue;
		if (gl_query_read(&query, values, 1) != 1)
			continue;
		gl_entry_row_read(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, &row);
		gl_entry_row_leaf(&row, gl_origin_of_leaf(range->former_logs, leaf, range->origin), &range->scratch, &range->hashes[leaf - range->first]);
		range->found[leaf - range->first] = true;
		SPI_freetuptable(SPI_tuptable);
	}
}

static void
gl_read_entry_leaves(GlLeafRange *range)
{
	static GlQuery query = {
		.text = "SELECT first_leaf, generation, transaction_ids FROM govledger.leaf WHERE first_leaf > $1 AND first_leaf < $2",
		.arguments = 2,.types = {INT8OID, INT8OID}
	};
	Datum		values[2];
	SPITupleTable *table;
	uint64		rows;
	uint64		i;

	values[0] = Int64GetDatum((int64) range->first - GL_LEAF_ROW_ENTRIES);
	values[1] = Int64GetDatum((int64) (range->first + range->count));
	rows = gl_query_read(&query, values, 0);
	table = SPI_tuptable;
	for (i = 0; i < rows; i++)
	{
		bool		is_null;
		uint64		first_leaf = (uint64) DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &is_null));
		Datum		generation = SPI_getbinval(table->vals[i], table->tupdesc, 2, &is_null);
		ArrayType  *array = DatumGetArrayTypeP(SPI_getbinval(table->vals[i], table->tupdesc, 3, &is_null));
		Datum	   *ids;
		bool	   *nulls;
		int			count;

		if (ARR_HASNULL(array))
			gl_raise_damaged("leaf", first_leaf);
		deconstruct_array(array, XID8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &ids, &nulls, &count);
		gl_read_row_leaves(range, first_leaf, generation, ids, count);
	}
	SPI_freetuptable(table);
}

void
gl_tree_leaves(uint64 first, int count, const char *origin, GlHash *hashes)
{
	GlLeafRange range;
	int			i;

	range.first = first;
	range.count = count;
	range.origin = origin;
	range.former_logs = gl_former_logs(NULL);
	range.hashes = hashes;
	range.found = palloc0(count * sizeof(bool));
	gl_buffer_init(&range.scratch, gl_grow);
	gl_read_seal_leaves(&range);
	gl_read_entry_leaves(&range);
	for (i = 0; i < count; i++)
		if (!range.found[i])
			gl_raise_damaged("leaf", first + i);
	pfree(range.found);
	if (range.scratch.data != NULL)
		pfree(range.scratch.data);
}

/* A full tile is a row. */
static void
gl_read_full_tile(int level, uint64 n, uint8_t *hashes)
{
	static GlQuery query = {
		.text = "SELECT hashes FROM govledger.tile WHERE level = $1 AND n = $2",
		.arguments = 2,.types = {INT2OID, INT8OID}
	};
	Datum		values[2] = {Int16GetDatum(level), Int64GetDatum((int64) n)};
	GlBytes		bytes = {NULL, 0};

	if (gl_query_read(&query, values, 1) == 1)
		bytes = gl_bytea_bytes(gl_query_value(0, 1));
	if (bytes.length != GL_TILE_BYTES)
		gl_raise_damaged(level == 0 ? "tile of leaves" : "tile of tiles", n);
	memcpy(hashes, bytes.data, GL_TILE_BYTES);
	SPI_freetuptable(SPI_tuptable);
}

/* A tile above level 0 that is not full yet consists of the roots of full tiles below it. */
static void
gl_read_tile_roots(int level, uint64 first, int count, uint8_t *hashes)
{
	static GlQuery query = {
		.text = "SELECT n, root FROM govledger.tile WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n",
		.arguments = 3,.types = {INT2OID, INT8OID, INT8OID}
	};
	Datum		values[3];
	int			i;

	values[0] = Int16GetDatum(level);
	values[1] = Int64GetDatum((int64) first);
	values[2] = Int64GetDatum((int64) (first + count));
	if (gl_query_read(&query, values, 0) != (uint64) count)
		gl_raise_damaged("row of tiles", first);
	for (i = 0; i < count; i++)
	{
		GlBytes		root = gl_bytea_bytes(gl_query_value(i, 2));

		if (root.length != GL_HASH_SIZE)
			gl_raise_damaged("tile", first + i);
		memcpy(hashes + i * GL_HASH_SIZE, root.data, GL_HASH_SIZE);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
gl_tree_tile(int level, uint64 n, int width, uint64 log_size, const char *origin, uint8_t *hashes)
{
	uint64		first = n * GL_TILE_WIDTH;
	uint64		complete = log_size >> (GL_TILE_HEIGHT * level);

	Assert(level >= 0 && level < GL_TILE_LEVELS && width > 0 && width <= GL_TILE_WIDTH);
	Assert(first + width <= complete);
	if (first + GL_TILE_WIDTH <= complete)
	{
		uint8_t    *full = palloc(GL_TILE_BYTES);

		gl_read_full_tile(level, n, full);
		memcpy(hashes, full, (size_t) width * GL_HASH_SIZE);
		pfree(full);
	}
	else if (level == 0)
		gl_tree_leaves(first, width, origin, (GlHash *) hashes);
	else
		gl_read_tile_roots(level - 1, first, width, hashes);
}

typedef struct GlTile
{
	int			level;
	uint64		n;
	int			width;
	uint8_t		hashes[GL_TILE_BYTES];
} GlTile;

void
gl_tree_reader_init(GlTreeReader *reader, uint64 log_size, const char *origin)
{
	reader->log_size = log_size;
	reader->tiles = NIL;
	strlcpy(reader->origin, origin, sizeof(reader->origin));
}

static const GlTile *
gl_tree_reader_tile(GlTreeReader *reader, int level, uint64 n)
{
	uint64		complete = reader->log_size >> (GL_TILE_HEIGHT * level);
	ListCell   *cell;
	GlTile	   *tile;

	foreach(cell, reader->tiles)
	{
		tile = lfirst(cell);
		if (tile->level == level && tile->n == n)
			return tile;
	}
	tile = palloc(sizeof(GlTile));
	tile->level = level;
	tile->n = n;
	tile->width = (int) Min(complete - n * GL_TILE_WIDTH, GL_TILE_WIDTH);
	gl_tree_tile(level, n, tile->width, reader->log_size, reader->origin, tile->hashes);
	reader->tiles = lappend(reader->tiles, tile);
	return tile;
}

bool
gl_tree_node(void *arg, int level, uint64_t index, GlHash *node)
{
	GlTreeReader *reader = arg;
	int			sublevel = level % GL_TILE_HEIGHT;
	uint64		n = index >> (GL_TILE_HEIGHT - sublevel);
	int			inside = (int) (index & ((UINT64CONST(1) << (GL_TILE_HEIGHT - sublevel)) - 1));
	const GlTile *tile;

	if (level / GL_TILE_HEIGHT >= GL_TILE_LEVELS || (index + 1) << level > reader->log_size)
		return false;
	CHECK_FOR_INTERRUPTS();
	tile = gl_tree_reader_tile(reader, level / GL_TILE_HEIGHT, n);
	return gl_tile_subtree(tile->hashes, tile->width, sublevel, inside, node);
}
