/*
 * proofs.c
 *		Proofs and tiles for SQL: govledger.inclusion_proof(), consistency_proof(), tile().
 */
#include "core/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/snapmgr.h"

#include "core/catalog.h"
#include "seal/tree.h"

PG_FUNCTION_INFO_V1(gl_inclusion_proof);
PG_FUNCTION_INFO_V1(gl_consistency_proof);
PG_FUNCTION_INFO_V1(gl_tile);

/* Connect, and find the tree as the caller's snapshot shows it. */
static void
gl_proof_begin(GlTreeReader *reader)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1] = "";
	GlSealRow	seal;

	SPI_connect();
	gl_seal_latest(&seal);
	if (seal.exists)
		memcpy(origin, seal.seal.origin.data, seal.seal.origin.length);
	gl_tree_reader_init(reader, seal.tree_size, origin);
}

static void
gl_proof_check_size(const GlTreeReader *reader, int64 size)
{
	if (size < 1 || (uint64) size > reader->log_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tree size " INT64_FORMAT " is out of range", size),
				 errdetail("The log has " UINT64_FORMAT " leaves.", reader->log_size)));
}

/* bytea[] in `context` */
static Datum
gl_proof_array(const GlHash *path, int count, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Datum	   *elements = palloc((count + 1) * sizeof(Datum));
	ArrayType  *array;
	int			i;

	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the tree cannot be read"),
				 errhint("Run SELECT * FROM govledger.verify().")));
	for (i = 0; i < count; i++)
		elements[i] = gl_bytea(path[i].bytes, GL_HASH_SIZE);
	array = construct_array(elements, count, BYTEAOID, -1, false, TYPALIGN_INT);
	MemoryContextSwitchTo(caller);
	return PointerGetDatum(array);
}

Datum
gl_inclusion_proof(PG_FUNCTION_ARGS)
{
	int64		index = PG_GETARG_INT64(0);
	int64		size = PG_GETARG_INT64(1);
	MemoryContext context = CurrentMemoryContext;
	GlHash		path[GL_MERKLE_MAX_LEVELS];
	GlTreeReader reader;
	Datum		result;

	gl_proof_begin(&reader);
	gl_proof_check_size(&reader, size);
	if (index < 0 || index >= size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("leaf " INT64_FORMAT " is not in a tree of " INT64_FORMAT " leaves", index, size)));
	result = gl_proof_array(path, gl_merkle_prove_inclusion((uint64) index, (uint64) size, gl_tree_node, &reader, path),
							context);
	SPI_finish();
	return result;
}

Datum
gl_consistency_proof(PG_FUNCTION_ARGS)
{
	int64		old_size = PG_GETARG_INT64(0);
	int64		new_size = PG_GETARG_INT64(1);
	MemoryContext context = CurrentMemoryContext;
	GlHash		path[GL_MERKLE_MAX_LEVELS + 1];
	GlTreeReader reader;
	Datum		result;

	gl_proof_begin(&reader);
	gl_proof_check_size(&reader, new_size);
	gl_proof_check_size(&reader, old_size);
	if (old_size > new_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the old tree size must not be above the new one")));
	result = gl_proof_array(path,
							gl_merkle_prove_consistency((uint64) old_size, (uint64) new_size, gl_tree_node, &reader, path),
							context);
	SPI_finish();
	return result;
}

Datum
gl_tile(PG_FUNCTION_ARGS)
{
	int32		level = PG_GETARG_INT32(0);
	int64		n = PG_GETARG_INT64(1);
	int32		width = PG_GETARG_INT32(2);
	MemoryContext context = CurrentMemoryContext;
	GlTreeReader reader;
	uint8_t    *hashes;
	bytea	   *result;

	gl_proof_begin(&reader);
	if (level < 0 || level > GL_TILE_MAX_LEVEL || n < 0 || width < 1 || width > GL_TILE_WIDTH ||
		(uint64) n > (reader.log_size >> (GL_TILE_HEIGHT * level)) / GL_TILE_WIDTH ||
		(uint64) n * GL_TILE_WIDTH + width > reader.log_size >> (GL_TILE_HEIGHT * level))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tile " INT64_FORMAT " of level %d with %d hashes does not exist", n, level, width),
				 errdetail("The log has " UINT64_FORMAT " leaves.", reader.log_size)));
	hashes = palloc(GL_TILE_BYTES);
	gl_tree_tile(level, (uint64) n, width, reader.log_size, reader.origin, hashes);
	result = MemoryContextAlloc(context, VARHDRSZ + width * GL_HASH_SIZE);
	SET_VARSIZE(result, VARHDRSZ + width * GL_HASH_SIZE);
	memcpy(VARDATA(result), hashes, width * GL_HASH_SIZE);
	SPI_finish();
	PG_RETURN_BYTEA_P(result);
}
