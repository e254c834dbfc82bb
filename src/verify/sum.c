/*
 * sum.c
 *		The multiset of a table's rows, as the log makes it: what was produced, less what was consumed.
 *
 * A row's hash is keyed with random bytes of this run, so nobody can prepare rows whose sums collide. Adding commutes, which
 * is why the log needs no sorting: only a reset (truncate, relation removed) depends on the order, and its locks keep other
 * changes of the relation on their side of it.
 */
#include "verify/tables.h"

#include "miscadmin.h"

/* More relations than any table has; a larger number in a record is damage. */
#define RELATIONS_MAX (1 << 24)

/* As long as the sum is wide: a longer one would only cost a block of SHA-256 in many rows. */
#define KEY_SIZE 16

static uint8 run_key[KEY_SIZE];

void
gl_sum_key(void)
{
	if (!pg_strong_random(run_key, sizeof(run_key)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes for the verification")));
}

void
gl_sum_hash(int relation, GlBytes row, GlHash *hash)
{
	uint8		prefix[KEY_SIZE + 4];
	GlBytes		parts[2];

	memcpy(prefix, run_key, KEY_SIZE);
	gl_put_u32(prefix + KEY_SIZE, (uint32) relation);
	parts[0].data = prefix;
	parts[0].length = sizeof(prefix);
	parts[1] = row;
	gl_sha256_parts(parts, 2, hash);
}

void
gl_sum_add(GlSum *sum, const GlHash *hash)
{
	uint64		words[2];

	memcpy(words, hash->bytes, sizeof(words));
	sum->low += words[0];
	sum->high += words[1] + (sum->low < words[0] ? 1 : 0);
	sum->count++;
}

void
gl_sum_subtract(GlSum *sum, const GlHash *hash)
{
	uint64		words[2];

	memcpy(words, hash->bytes, sizeof(words));
	sum->high -= words[1] + (sum->low < words[0] ? 1 : 0);
	sum->low -= words[0];
	sum->count--;
}

bool
gl_sum_equal(const GlSum *a, const GlSum *b)
{
	return a->low == b->low && a->high == b->high && a->count == b->count;
}

static GlSum *
sum_of(GlVerify *verify, GlTable *table, uint64 relation_id)
{
	if (relation_id >= (uint64) table->sums_count)
	{
		MemoryContext old;
		int			count;

		if (relation_id >= RELATIONS_MAX)
			return NULL;
		old = MemoryContextSwitchTo(verify->memory);
		count = Max(table->sums_count * 2, (int) relation_id + 1);
		if (table->sums == NULL)
			table->sums = palloc(sizeof(GlSum) * count);
		else
			table->sums = repalloc(table->sums, sizeof(GlSum) * count);
		memset(table->sums + table->sums_count, 0, sizeof(GlSum) * (count - table->sums_count));
		table->sums_count = count;
		MemoryContextSwitchTo(old);
	}
	return &table->sums[relation_id];
}

void
gl_sums_reset(GlTable *table, uint64 relation_id)
{
	if (relation_id < (uint64) table->sums_count)
		memset(&table->sums[relation_id], 0, sizeof(GlSum));
}

void
gl_sums_record(GlVerify *verify, const GlLogEntry *entry, uint64 number, const GlRecord *record)
{
	GlTable    *table = gl_tables_find(verify->tables, record->table_id);
	GlSum	   *sum;
	GlRows		rows;
	GlHash		hash;

	/* a table that only the log knows is named with the schema records */
	if (table == NULL)
		return;
	if (!table->wanted)
	{
		/* its rows are not compared, but the personal values beside the entry belong to the log */
		if (table->special)
			(void) gl_rows_of(verify, table, entry, number, record, true, &rows);
		return;
	}
	sum = sum_of(verify, table, record->relation_id);
	if (sum == NULL || !gl_rows_of(verify, table, entry, number, record, true, &rows))
	{
		gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "record %llu is not a change of %s",
					  (unsigned long long) number, table->name);
		return;
	}
	if (record->kind == GL_RECORD_TRUNCATE)
	{
		gl_sums_reset(table, record->relation_id);
		return;
	}
	if (rows.erased)
		table->erased = true;
	if (rows.has_old)
	{
		gl_sum_hash((int) record->relation_id, rows.old_row, &hash);
		gl_sum_subtract(sum, &hash);
	}
	if (rows.has_new)
	{
		gl_sum_hash((int) record->relation_id, rows.new_row, &hash);
		gl_sum_add(sum, &hash);
	}
}
