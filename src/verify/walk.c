/*
 * walk.c
 *		All records once more, without checking them.
 */
#include "verify/log.h"

#include "utils/memutils.h"

static void
walk_entry(GlVerify *verify, GlLogEntry *entry, GlRecordFunction function, void *arg)
{
	uint64		count;
	MemoryContext old = MemoryContextSwitchTo(verify->scratch);

	(void) gl_log_records(verify->log, entry, function, arg, &count);
	MemoryContextSwitchTo(old);
	MemoryContextReset(verify->scratch);
	gl_verify_progress(verify, "going through the log again", (double) entry->order, (double) verify->entries);
}

/* What is wrong with an entry was said when it was checked. */
void
gl_log_walk(GlVerify *verify, GlRecordFunction function, void *arg)
{
	GlLeaves   *leaves = gl_leaves_open(verify->snapshot, verify->since);
	GlLeaf		leaf;
	GlLogEntry	entry;
	uint64		order = 0;
	uint32		generation;
	uint64		transaction_id;

	gl_log_restart(verify->log);
	while (gl_leaves_next(leaves, verify->tree_size, &leaf))
	{
		order++;
		if (leaf.index < verify->since || !gl_log_fetch(verify->log, leaf.generation, leaf.transaction_id, &entry))
			continue;
		entry.leaf = leaf.index;
		entry.order = order;
		walk_entry(verify, &entry, function, arg);
	}
	gl_leaves_close(leaves);

	gl_strays_rewind(verify->strays);
	while (gl_strays_next(verify->strays, &generation, &transaction_id))
	{
		order++;
		if (!gl_log_fetch(verify->log, generation, transaction_id, &entry))
			continue;
		entry.order = order;
		walk_entry(verify, &entry, function, arg);
	}
}
