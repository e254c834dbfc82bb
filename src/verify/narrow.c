/*
 * narrow.c
 *		Which keys are worth sorting: sums as for a whole table, but for thousands of groups of keys.
 *
 * A few damaged rows among millions leave all but a few groups equal, and only the rows of the others are sorted.
 */
#include "verify/tables.h"

#include "common/hashfn.h"
#include "miscadmin.h"

/* Must be a power of two. */
#define GROUPS 32768

struct GlNarrow
{
	uint64		seed;
	GlSum		sums[GROUPS];
	bool		suspect[GROUPS];
};

GlNarrow *
gl_narrow_open(void)
{
	GlNarrow   *narrow = palloc0(sizeof(GlNarrow));

	/* so that nobody can put all rows into one group */
	if (!pg_strong_random(&narrow->seed, sizeof(narrow->seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes for the verification")));
	return narrow;
}

static uint64
group_of(const GlNarrow *narrow, GlBytes key)
{
	return hash_bytes_extended(key.data, (int) key.length, narrow->seed) & (GROUPS - 1);
}

void
gl_narrow_count(GlNarrow *narrow, GlBytes key, int relation, GlBytes row, bool add)
{
	GlSum	   *sum = &narrow->sums[group_of(narrow, key)];
	GlHash		hash;

	gl_sum_hash(relation, row, &hash);
	if (add)
		gl_sum_add(sum, &hash);
	else
		gl_sum_subtract(sum, &hash);
}

void
gl_narrow_suspect(GlNarrow *narrow, GlBytes key)
{
	narrow->suspect[group_of(narrow, key)] = true;
}

bool
gl_narrow_wants(const GlNarrow *narrow, GlBytes key)
{
	static const GlSum none;
	uint64		group = group_of(narrow, key);

	return narrow->suspect[group] || !gl_sum_equal(&narrow->sums[group], &none);
}
