/*
 * tile.c
 *		Rows of govledger.tile. Level 0 is compared with the entries in tree.c, the levels above here with the level below.
 */
#include "verify/log.h"

#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "core/catalog.h"
#include "format/tile.h"
#include "ledger/rows.h"
#include "core/probe.h"

struct GlTiles
{
	GlProbe		probe;
	MemoryContext memory;		/* of the row in hand */
};

GlTiles *
gl_tiles_open(Snapshot snapshot)
{
	GlTiles    *tiles = palloc0(sizeof(GlTiles));

	gl_probe_open(&tiles->probe, GL_REL_TILE, gl_relation_oid(GL_REL_TILE_PKEY), snapshot, 2);
	tiles->memory = AllocSetContextCreate(CurrentMemoryContext, "govledger tile", ALLOCSET_DEFAULT_SIZES);
	return tiles;
}

void
gl_tiles_close(GlTiles *tiles)
{
	gl_probe_close(&tiles->probe);
	MemoryContextDelete(tiles->memory);
}

static bool
find_tile(GlTiles *tiles, int level, int64 n)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum((int16) level));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(n));
	gl_probe_start(&tiles->probe, keys, 2);
	return gl_probe_next(&tiles->probe);
}

static bool
read_root(const GlTiles *tiles, GlHash *root)
{
	GlBytes		bytes = gl_bytea_bytes(gl_probe_value(&tiles->probe, Anum_gl_tile_root));

	if (bytes.length != GL_HASH_SIZE)
		return false;
	memcpy(root->bytes, bytes.data, GL_HASH_SIZE);
	return true;
}

bool
gl_tile_fetch(GlTiles *tiles, int level, int64 n, GlTileRow *row)
{
	MemoryContext old;

	if (!find_tile(tiles, level, n))
		return false;
	MemoryContextReset(tiles->memory);
	old = MemoryContextSwitchTo(tiles->memory);
	row->ok = read_root(tiles, &row->root);
	row->hashes = gl_bytea_bytes(gl_probe_value(&tiles->probe, Anum_gl_tile_hashes));
	row->ok = row->ok && row->hashes.length == GL_TILE_BYTES;
	MemoryContextSwitchTo(old);
	return true;
}

/* A tile above level 0 holds the roots of 256 tiles below. */
static void
check_tile(GlVerify *verify, int level, int64 n)
{
	GlTiles    *tiles = verify->tiles;
	GlReport   *report = verify->report;
	char	   *name = psprintf("tile %d/%lld", level, (long long) n);
	GlTileRow	row;
	GlHash		root;
	int			i;

	if (!gl_tile_fetch(tiles, level, n, &row) || !row.ok)
	{
		gl_report_log(report, GL_CHECK_TILE, GL_NO_LEAF, name, "it is missing or does not have 256 hashes");
		return;
	}
	gl_tile_root(row.hashes.data, &root);
	if (!gl_hash_equal(&root, &row.root))
		gl_report_log(report, GL_CHECK_TILE, GL_NO_LEAF, name, "its column root is not the root of its hashes");
	for (i = 0; i < GL_TILE_WIDTH; i++)
	{
		/* a missing one was reported with its own level */
		if (find_tile(tiles, level - 1, n * GL_TILE_WIDTH + i) && read_root(tiles, &root) &&
			memcmp(root.bytes, row.hashes.data + (size_t) i * GL_HASH_SIZE, GL_HASH_SIZE) != 0)
			gl_report_log(report, GL_CHECK_TILE, GL_NO_LEAF, name,
						  "its hash %d is not the root of tile %d/%lld", i, level - 1,
						  (long long) n * GL_TILE_WIDTH + i);
	}
}

static void
check_beyond(GlVerify *verify, int level, int64 expected)
{
	GlTiles    *tiles = verify->tiles;
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum((int16) level));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(expected));
	gl_probe_start(&tiles->probe, keys, 2);
	while (gl_probe_next(&tiles->probe))
	{
		int64		n = DatumGetInt64(gl_probe_value(&tiles->probe, Anum_gl_tile_n));

		gl_verify_progress(verify, "checking tiles", 0, 0);
		gl_report_log(verify->report, GL_CHECK_TILE, GL_NO_LEAF, psprintf("tile %d/%lld", level, (long long) n),
					  "it lies beyond the tree, which has %lld leaves", (long long) verify->tree_size);
	}
}

void
gl_tiles_check(GlVerify *verify)
{
	int64		total = 0;
	int			level;

	for (level = 0; level <= GL_TILE_MAX_LEVEL; level++)
	{
		int			shift = GL_TILE_HEIGHT * (level + 1);
		int64		expected = shift < 63 ? verify->tree_size >> shift : 0;
		int64		n = shift < 63 ? verify->since >> shift : 0;

		for (; level > 0 && n < expected; n++)
		{
			MemoryContext old = MemoryContextSwitchTo(verify->scratch);

			check_tile(verify, level, n);
			MemoryContextSwitchTo(old);
			MemoryContextReset(verify->scratch);
			gl_verify_progress(verify, "checking tiles", (double) n, (double) expected);
		}
		check_beyond(verify, level, expected);
		total += expected;
	}
	gl_report_pass(verify->report, GL_CHECK_TILE, NULL, "log", "%lld tiles hold the hashes of the tree", (long long) total);
}
