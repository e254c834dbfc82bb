/*
 * rows.c
 *		Seals and entries as they lie in their tables.
 */
#include "seal/rows.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "seal/query.h"

#define GL_SEAL_COLUMNS \
	"height, tree_size, root, content, right_edge, pg_snapshot_xmax(snapshot), ARRAY(SELECT pg_snapshot_xip(snapshot))"

/*
 * Parameters: generation, xmax and running transactions of the last seal. OFFSET 0 keeps the look-up of each running
 * transaction a look-up: = ANY would become a filter over the whole generation.
 */
#define GL_CANDIDATES(columns) \
	"SELECT " columns " FROM govledger.entry WHERE generation = $1 AND transaction_id >= $2 " \
	"UNION ALL SELECT " columns " FROM unnest($3) AS running (id) CROSS JOIN LATERAL " \
	"(SELECT *, xmin FROM govledger.entry WHERE generation = $1 AND transaction_id = running.id OFFSET 0) was_running " \
	"UNION ALL SELECT " columns " FROM govledger.entry WHERE generation > $1"

void
gl_raise_damaged(const char *what, uint64 number)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("%s " UINT64_FORMAT " is not as it was written", what, number),
			 errhint("Run SELECT * FROM govledger.verify() to see what was changed.")));
}

static bool
gl_bytes_hash(GlBytes bytes, GlHash *hash)
{
	if (bytes.length != GL_HASH_SIZE)
		return false;
	memcpy(hash->bytes, bytes.data, GL_HASH_SIZE);
	return true;
}

/* A copy of the datum that outlives the SPI result. */
static Datum
gl_keep_array(Datum datum)
{
	return PointerGetDatum(DatumGetArrayTypePCopy(datum));
}

static void
gl_seal_row_read(GlSealRow *row)
{
	GlBytes		content;
	GlBytes		edge;
	GlBytes		root;
	GlHash		check;
	uint8_t    *copy;

	row->exists = true;
	row->height = (uint64) DatumGetInt64(gl_query_value(0, 1));
	row->tree_size = (uint64) DatumGetInt64(gl_query_value(0, 2));
	root = gl_bytea_bytes(gl_query_value(0, 3));
	content = gl_bytea_bytes(gl_query_value(0, 4));
	edge = gl_bytea_bytes(gl_query_value(0, 5));

	copy = palloc(content.length);
	memcpy(copy, content.data, content.length);
	content.data = copy;
	if (!gl_seal_read(content, &row->seal) || !gl_bytes_hash(root, &row->root) ||
		!gl_merkle_edge_read(&row->edge, row->tree_size, edge.data, edge.length))
		gl_raise_damaged("seal", row->height);
	gl_merkle_root(&row->edge, &check);
	if (row->seal.height != row->height || row->seal.tree_size + 1 != row->tree_size ||
		!gl_hash_equal(&check, &row->root))
		gl_raise_damaged("seal", row->height);
	gl_merkle_leaf(content.data, content.length, &row->leaf);

	row->generation = (int32) row->seal.generation;
	row->snapshot_xmax = FullTransactionIdGetDatum(DatumGetFullTransactionId(gl_query_value(0, 6)));
	row->snapshot_running = gl_keep_array(gl_query_value(0, 7));
}

void
gl_seal_none(GlSealRow *row)
{
	memset(row, 0, sizeof(*row));
	gl_merkle_init(&row->edge);
	gl_merkle_root(&row->edge, &row->root);
	row->snapshot_xmax = FullTransactionIdGetDatum(FirstNormalFullTransactionId);
	row->snapshot_running = PointerGetDatum(construct_empty_array(XID8OID));
}

void
gl_seal_latest(GlSealRow *row)
{
	static GlQuery query = {
		.text = "SELECT " GL_SEAL_COLUMNS " FROM govledger.seal ORDER BY height DESC LIMIT 1"
	};

	gl_seal_none(row);
	if (gl_query_read(&query, NULL, 1) == 1)
		gl_seal_row_read(row);
}

bool
gl_seal_of_size(uint64 tree_size, GlSealRow *row)
{
	static GlQuery query = {
		.text = "SELECT " GL_SEAL_COLUMNS " FROM govledger.seal WHERE tree_size = $1",
		.arguments = 1,.types = {INT8OID}
	};
	Datum		value = Int64GetDatum((int64) tree_size);

	memset(row, 0, sizeof(*row));
	if (gl_query_read(&query, &value, 1) != 1)
		return false;
	gl_seal_row_read(row);
	return true;
}

static void
gl_candidate_values(const GlSealRow *seal, Datum values[3])
{
	values[0] = Int32GetDatum(seal->generation);
	values[1] = seal->snapshot_xmax;
	values[2] = seal->snapshot_running;
}

bool
gl_candidates_exist(const GlSealRow *seal)
{
	static GlQuery query = {
		.text = GL_CANDIDATES("1"),
		.arguments = 3,.types = {INT4OID, XID8OID, XID8ARRAYOID}
	};
	Datum		values[3];

	gl_candidate_values(seal, values);
	return gl_query_read(&query, values, 1) > 0;
}

Portal
gl_candidates_open(const GlSealRow *seal)
{
	static GlQuery query = {
		.text = "SELECT * FROM (" GL_CANDIDATES(GL_ENTRY_COLUMNS) ") candidate "
		"ORDER BY generation, \"position\", transaction_id",
		.arguments = 3,.types = {INT4OID, XID8OID, XID8ARRAYOID}
	};
	Datum		values[3];
	Portal		portal;

	gl_candidate_values(seal, values);
	portal = SPI_cursor_open(NULL, gl_query_plan(&query), values, NULL, true);
	if (portal == NULL)
		elog(ERROR, "could not open a cursor: %s", SPI_result_code_string(SPI_result));
	return portal;
}

int64
gl_candidates_count(const GlSealRow *seal, int64 limit, int64 *oldest_time)
{
	static GlQuery query = {
		.text = "SELECT count(*), min(entry_time) FROM (SELECT entry_time FROM ("
		GL_CANDIDATES("entry_time") ") candidate LIMIT $4) counted",
		.arguments = 4,.types = {INT4OID, XID8OID, XID8ARRAYOID, INT8OID}
	};
	Datum		values[4];

	gl_candidate_values(seal, values);
	values[3] = Int64GetDatum(limit);
	gl_query_read(&query, values, 1);
	*oldest_time = gl_query_is_null(0, 2) ? 0 : DatumGetTimestampTz(gl_query_value(0, 2));
	return DatumGetInt64(gl_query_value(0, 1));
}

void
gl_entry_row_read(HeapTuple tuple, TupleDesc descriptor, GlEntryRow *row)
{
	Datum		values[9];
	bool		nulls[9];
	int			i;

	Assert(descriptor->natts == lengthof(values));
	heap_deform_tuple(tuple, descriptor, values, nulls);
	memset(row, 0, sizeof(*row));
	row->header.transaction_id = nulls[1] ? 0 : U64FromFullTransactionId(DatumGetFullTransactionId(values[1]));
	for (i = 0; i < lengthof(values); i++)
		if (nulls[i] && i != 7)
			gl_raise_damaged("entry of transaction", row->header.transaction_id);
	row->header.generation = (uint32) DatumGetInt32(values[0]);
	row->header.position = DatumGetLSN(values[2]);
	row->header.time = gl_unix_time(DatumGetTimestampTz(values[3]));
	row->header.records = (uint64) DatumGetInt64(values[4]);
	if (!gl_bytes_hash(gl_bytea_bytes(values[5]), &row->header.record_root) ||
		!gl_bytes_hash(gl_bytea_bytes(values[6]), &row->header.context_commitment))
		gl_raise_damaged("entry of transaction", row->header.transaction_id);
	if (!nulls[7])
		row->header.actor_signature = gl_bytea_bytes(values[7]);
	row->inserted_by = DatumGetTransactionId(values[8]);
}

void
gl_entry_row_leaf(const GlEntryRow *row, const char *origin, GlBuffer *scratch, GlHash *leaf)
{
	GlEntryHeader header = row->header;

	header.origin.data = (const uint8_t *) origin;
	header.origin.length = strlen(origin);
	if (header.records < 1 || header.actor_signature.length > GL_HEADER_MAX_SIZE / 2)
		gl_raise_damaged("entry of transaction", header.transaction_id);
	scratch->length = 0;
	gl_entry_header_write(scratch, &header);
	if (scratch->length > GL_HEADER_MAX_SIZE)
		gl_raise_damaged("entry of transaction", header.transaction_id);
	gl_merkle_leaf(scratch->data, scratch->length, leaf);
}
