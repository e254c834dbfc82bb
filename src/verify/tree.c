/*
 * tree.c
 *		The stream over everything that is sealed, block by block.
 *
 * The tree is built anew from the entries and compared at every seal. What a seal's root must be is said four times:
 * by the column root, by right_edge, by the next seal, and by a checkpoint. If one of them agrees with the tree built
 * here, the others are what was changed. If none does, an entry or the seal was: tiles, and the subtrees of right_edge, tell
 * which. The stream then goes on from the stored edge, so that one damage stays one finding.
 */
#include "verify/log.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "format/tile.h"

typedef struct GlSuspect
{
	int64		leaf;
	uint32		generation;		/* 0: a seal */
	uint64		transaction_id;
} GlSuspect;

typedef struct GlTree
{
	GlVerify   *verify;
	GlLeaves   *leaves;
	GlMerkleEdge edge;
	bool		chained;		/* the seal before the block in hand is authentic */
	bool		lost;			/* edge is not that of the tree until the next stored one */
	int64		at;				/* next leaf, lost or not */

	/* the tile that is being filled */
	GlHash		tile[GL_TILE_WIDTH];
	GlSuspect	tile_leaves[GL_TILE_WIDTH];
	int64		known_from;		/* leaves below are not in it */

	/* the block in hand */
	int64		block_first;
	bool		explained;		/* what is wrong with its tree was reported */
	GlSuspect	suspects[GL_REPORT_CAP];	/* leaves that differ from their tile */
	int			suspects_count;
	GlSuspect	rewritten[GL_REPORT_CAP];	/* rows that another transaction wrote */
	int64		rewritten_count;
	GlLogEntry	last;			/* for the order of entries */
	bool		has_last;
	int64		misfits;		/* entries that do not fit the seal's snapshot */
	int64		first_misfit;

	int64		blocks;
} GlTree;

/* What says which root a seal has. */
typedef struct GlEvidence
{
	const GlHash *column;
	const GlHash *edge;
	const GlHash *next;
	const GlHash *checkpoint;
} GlEvidence;

static void
add_suspect(GlTree *tree, const GlSuspect *leaf)
{
	if (tree->suspects_count < GL_REPORT_CAP)
		tree->suspects[tree->suspects_count++] = *leaf;
}

static void
report_seal(GlTree *tree, const GlStoredSeal *row, const char *problem)
{
	gl_report_log(tree->verify->report, GL_CHECK_SEAL, gl_seal_size(row) - 1,
				  psprintf("seal %lld", (long long) row->height), "%s", problem);
}

static void
report_tile_leaf(GlTree *tree, int64 leaf)
{
	gl_report_log(tree->verify->report, GL_CHECK_TILE, leaf,
				  psprintf("tile 0/%lld", (long long) leaf / GL_TILE_WIDTH),
				  "its hash of leaf %lld was changed: the tree gives another", (long long) leaf);
}

/* Compare the tile in hand, filled up to leaf `end`, with the stored one. */
static void
compare_tile(GlTree *tree, int64 end)
{
	int64		n = (end - 1) / GL_TILE_WIDTH;
	int64		base = n * GL_TILE_WIDTH;
	int64		leaf = Max(base, tree->known_from);
	GlTileRow	row;
	bool		equal = true;

	if (!gl_tile_fetch(tree->verify->tiles, 0, n, &row) || !row.ok)
	{
		if (end == base + GL_TILE_WIDTH)
			gl_report_log(tree->verify->report, GL_CHECK_TILE, GL_NO_LEAF, psprintf("tile 0/%lld", (long long) n),
						  "it is missing or does not have 256 hashes");
		return;
	}
	for (; leaf < end; leaf++)
	{
		if (memcmp(tree->tile[leaf - base].bytes, row.hashes.data + (leaf - base) * GL_HASH_SIZE, GL_HASH_SIZE) == 0)
			continue;
		equal = false;
		if (leaf < tree->block_first)
			report_tile_leaf(tree, leaf);	/* the tree was right there */
		else
			add_suspect(tree, &tree->tile_leaves[leaf - base]);
	}
	if (equal && end == base + GL_TILE_WIDTH)
	{
		GlHash		root;

		gl_tile_root(row.hashes.data, &root);
		if (!gl_hash_equal(&root, &row.root))
			gl_report_log(tree->verify->report, GL_CHECK_TILE, GL_NO_LEAF, psprintf("tile 0/%lld", (long long) n),
						  "its column root was changed");
	}
}

static void
append(GlTree *tree, const GlHash *hash, uint32 generation, uint64 transaction_id)
{
	int			place = (int) (tree->at % GL_TILE_WIDTH);

	tree->tile[place] = *hash;
	tree->tile_leaves[place].leaf = tree->at;
	tree->tile_leaves[place].generation = generation;
	tree->tile_leaves[place].transaction_id = transaction_id;
	tree->at++;
	if (tree->lost)
		return;
	gl_merkle_append(&tree->edge, hash);
	if (tree->edge.size >= gl_against_next(tree->verify->against))
		gl_against_root(tree->verify->against, &tree->edge);
	if (place == GL_TILE_WIDTH - 1)
		compare_tile(tree, tree->at);
}

/* The hash of a leaf whose entry is gone, if its tile is there. */
static bool
hash_from_tile(GlTree *tree, int64 leaf, GlHash *hash)
{
	GlTileRow	row;

	if (!gl_tile_fetch(tree->verify->tiles, 0, leaf / GL_TILE_WIDTH, &row) || !row.ok)
		return false;
	memcpy(hash->bytes, row.hashes.data + (leaf % GL_TILE_WIDTH) * GL_HASH_SIZE, GL_HASH_SIZE);
	return true;
}

static void
lose(GlTree *tree, int64 at)
{
	tree->lost = true;
	tree->explained = true;
	tree->at = at;
	tree->known_from = at;
}

/* No finding: a log that was restored has such rows. But when a block is damaged it says where. */
static void
note_writer(GlTree *tree, const GlLogEntry *entry)
{
	if (entry->xmin == (TransactionId) entry->transaction_id)
		return;
	if (tree->rewritten_count < GL_REPORT_CAP)
	{
		GlSuspect  *suspect = &tree->rewritten[tree->rewritten_count];

		suspect->leaf = entry->leaf;
		suspect->generation = entry->generation;
		suspect->transaction_id = entry->transaction_id;
	}
	tree->rewritten_count++;
}

/* Entries of one block stand in the order of (generation, position, transaction id). */
static void
check_order(GlTree *tree, const GlLogEntry *entry)
{
	const GlLogEntry *last = &tree->last;

	if (tree->has_last &&
		(entry->generation < last->generation ||
		 (entry->generation == last->generation &&
		  (entry->position < last->position ||
		   (entry->position == last->position && entry->transaction_id <= last->transaction_id)))))
	{
		gl_report_log(tree->verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id),
					  "it stands after %s at leaf %lld, which was written later: swapped or moved",
					  gl_entry_name(last->generation, last->transaction_id), (long long) last->leaf);
		tree->explained = true;
	}
	tree->last = *entry;
	tree->has_last = true;
}

/* An entry belongs into the first block whose snapshot sees it. */
static void
check_snapshot(GlTree *tree, const GlStoredSeal *row, const GlStoredSeal *previous, const GlLeaf *leaf)
{
	bool		fits = true;

	if (row->parsed && row->seal.generation == leaf->generation)
		fits = gl_seal_sees(row, leaf->transaction_id);
	if (fits && previous != NULL && previous->parsed && previous->seal.generation == leaf->generation)
		fits = !gl_seal_sees(previous, leaf->transaction_id);
	if (fits)
		return;
	if (tree->misfits++ == 0)
		tree->first_misfit = leaf->index;
}

static void
check_leaf(GlTree *tree, const GlStoredSeal *row, const GlStoredSeal *previous, const GlLeaf *leaf)
{
	GlVerify   *verify = tree->verify;
	MemoryContext old = MemoryContextSwitchTo(verify->scratch);
	GlLogEntry	entry;
	GlHash		hash;
	bool		known = false;

	gl_strays_sealed(verify->strays, leaf->generation, leaf->transaction_id);
	if (gl_log_fetch(verify->log, leaf->generation, leaf->transaction_id, &entry))
	{
		entry.leaf = leaf->index;
		entry.order = ++verify->entries;
		known = gl_entry_check(verify, &entry, &hash);
		note_writer(tree, &entry);
		/* what a lost seal had in its block cannot be judged by the next one */
		if (leaf->index >= row->first_leaf)
		{
			check_order(tree, &entry);
			check_snapshot(tree, row, previous, leaf);
		}
	}
	else
	{
		gl_report_log(verify->report, GL_CHECK_ENTRY, leaf->index,
					  gl_entry_name(leaf->generation, leaf->transaction_id), "it was sealed and is gone");
		known = hash_from_tile(tree, leaf->index, &hash);
	}
	if (known)
		append(tree, &hash, leaf->generation, leaf->transaction_id);
	else
		lose(tree, leaf->index + 1);
	MemoryContextSwitchTo(old);
	MemoryContextReset(verify->scratch);
	gl_verify_progress(verify, "checking the log", (double) leaf->index, (double) verify->tree_size);
}

static void
check_entries(GlTree *tree, const GlStoredSeal *row, const GlStoredSeal *previous)
{
	GlReport   *report = tree->verify->report;
	int64		end = gl_seal_size(row) - 1;
	GlLeaf		leaf;

	while (gl_leaves_next(tree->leaves, end, &leaf))
	{
		if (leaf.index < tree->verify->since)
			continue;
		if (leaf.index < tree->at)
		{
			gl_report_log(report, GL_CHECK_TREE, leaf.index, psprintf("leaf %lld", (long long) leaf.index),
						  "it is assigned twice, the second time to %s",
						  gl_entry_name(leaf.generation, leaf.transaction_id));
			continue;
		}
		if (leaf.index > tree->at)
		{
			if (!tree->lost)
				gl_report_log(report, GL_CHECK_TREE, tree->at, psprintf("leaf %lld", (long long) tree->at),
							  "leaves %lld to %lld are assigned to no entry", (long long) tree->at,
							  (long long) leaf.index - 1);
			lose(tree, leaf.index);
		}
		check_leaf(tree, row, previous, &leaf);
	}
	if (tree->at < end)
	{
		if (!tree->lost || tree->at == tree->block_first)
			gl_report_log(report, GL_CHECK_TREE, tree->at, psprintf("leaf %lld", (long long) tree->at),
						  "leaves %lld to %lld are assigned to no entry", (long long) tree->at, (long long) end - 1);
		lose(tree, end);
	}
	if (tree->misfits > 0)
		gl_report_log(report, GL_CHECK_SEAL, tree->first_misfit, psprintf("seal %lld", (long long) row->height),
					  "%lld entries of its block, the first at leaf %lld, do not fit its snapshot and that of the seal before",
					  (long long) tree->misfits, (long long) tree->first_misfit);
}

static void
gather_evidence(const GlStoredSeal *row, const GlStoredSeal *next, const GlCheckpointRow *checkpoint, GlEvidence *evidence)
{
	memset(evidence, 0, sizeof(*evidence));
	if (row->root_ok)
		evidence->column = &row->root;
	if (row->edge_ok)
		evidence->edge = &row->edge_root;
	if (next != NULL && next->parsed && next->seal.tree_size == (uint64) gl_seal_size(row))
		evidence->next = &next->seal.root;
	if (checkpoint->trusted)
		evidence->checkpoint = &checkpoint->root;
}

static bool
agrees(const GlHash *said, const GlHash *root)
{
	return said != NULL && gl_hash_equal(said, root);
}

static bool
any_agrees(const GlEvidence *evidence, const GlHash *root)
{
	return agrees(evidence->column, root) || agrees(evidence->edge, root) || agrees(evidence->next, root) ||
		agrees(evidence->checkpoint, root);
}

/* The tree is right: what says otherwise was changed. The next seal answers for itself when its turn comes. */
static void
report_false_evidence(GlTree *tree, const GlStoredSeal *row, const GlEvidence *evidence, const GlHash *root)
{
	int64		size = gl_seal_size(row);
	int			i;

	if (!agrees(evidence->column, root))
		report_seal(tree, row, "its column root was changed");
	if (!agrees(evidence->edge, root))
		report_seal(tree, row, "its column right_edge was changed");
	if (evidence->checkpoint != NULL && !agrees(evidence->checkpoint, root))
		gl_report_log(tree->verify->report, GL_CHECK_CHECKPOINT, size - 1, psprintf("checkpoint %lld", (long long) size),
					  "it is signed and has another root: the log was rewritten after it");
	for (i = 0; i < tree->suspects_count; i++)
		report_tile_leaf(tree, tree->suspects[i].leaf);
}

/* Name the smallest ranges of leaves that the stored edge can tell to be wrong. */
static void
report_ranges(GlTree *tree, const GlStoredSeal *row, const GlMerkleEdge *mine)
{
	const GlMerkleEdge *stored = &row->edge;
	int64		end = (int64) stored->size;
	int			i;
	bool		any = false;

	for (i = stored->count - 1; i >= 0 && row->edge_ok && mine->size == stored->size; i--)
	{
		/* from the right: the sizes of the subtrees are the one bits of the size, from the lowest */
		int64		size = end & -end;
		int64		first = Max(end - size, tree->block_first);

		end -= size;
		if (end + size <= tree->block_first)
			break;
		if (gl_hash_equal(&stored->nodes[i], &mine->nodes[i]))
			continue;
		any = true;
		gl_report_log(tree->verify->report, GL_CHECK_TREE, end + size - first == 1 ? first : GL_NO_LEAF,
					  psprintf("block %lld", (long long) row->height),
					  "its entries do not give the sealed root: something in leaves %lld to %lld was changed",
					  (long long) first, (long long) end + size - 1);
	}
	if (!any)
		gl_report_log(tree->verify->report, GL_CHECK_TREE, GL_NO_LEAF, psprintf("block %lld", (long long) row->height),
					  "its entries do not give the sealed root: something in leaves %lld to %lld was changed",
					  (long long) tree->block_first, (long long) gl_seal_size(row) - 1);
}

static void
report_header(GlTree *tree, const GlSuspect *entry)
{
	gl_report_log(tree->verify->report, GL_CHECK_ENTRY, entry->leaf,
				  gl_entry_name(entry->generation, entry->transaction_id),
				  "its header is not the sealed one: position, entry_time, records, record_root, context_commitment or "
				  "actor_signature was changed");
}

/* Nothing agrees with the tree built from the entries and the seal: say which of them it was. */
static void
report_damage(GlTree *tree, const GlStoredSeal *row, bool follows, bool before_ok)
{
	int			i;

	if (before_ok || (!follows && tree->suspects_count == 0 && !tree->explained))
	{
		report_seal(tree, row, "its content was changed");
		return;
	}
	for (i = 0; i < tree->suspects_count; i++)
	{
		const GlSuspect *suspect = &tree->suspects[i];

		if (suspect->generation == 0)
			report_seal(tree, row, "its content was changed");
		else
			report_header(tree, suspect);
	}
	if (tree->suspects_count > 0 || tree->explained)
		return;
	if (tree->rewritten_count == 0 || tree->rewritten_count > GL_REPORT_CAP ||
		tree->rewritten_count == tree->at - 1 - tree->block_first)
		report_ranges(tree, row, &tree->edge);
	else
		for (i = 0; i < tree->rewritten_count; i++)
			report_header(tree, &tree->rewritten[i]);
}

/* Go on from what is stored, if at least one other place agrees with it. */
static void
adopt_edge(GlTree *tree, const GlStoredSeal *row, const GlEvidence *evidence)
{
	int64		size = gl_seal_size(row);

	lose(tree, size);
	if (!row->edge_ok || !(agrees(evidence->column, &row->edge_root) || agrees(evidence->next, &row->edge_root) ||
						   agrees(evidence->checkpoint, &row->edge_root)))
		return;
	gl_merkle_copy(&tree->edge, &row->edge);
	tree->lost = false;
	if (tree->edge.size >= gl_against_next(tree->verify->against))
		gl_against_root(tree->verify->against, &tree->edge);
}

/*
 * Compare at the boundary. Returns whether this seal is authentic, so that the next one can be held against it.
 */
static bool
close_block(GlTree *tree, const GlStoredSeal *row, const GlStoredSeal *previous, const GlStoredSeal *next)
{
	GlCheckpointRow checkpoint;
	GlEvidence	evidence;
	GlHash		root;
	bool		follows = tree->chained ? gl_seal_follows(row, previous) : row->parsed;
	bool		before_ok = false;

	gl_checkpoint_of(tree->verify, row, &checkpoint);
	gather_evidence(row, next, &checkpoint, &evidence);
	if (!tree->lost)
	{
		gl_merkle_root(&tree->edge, &root);
		before_ok = row->parsed && gl_hash_equal(&root, &row->seal.root);
	}
	append(tree, &row->leaf, 0, 0);
	if (tree->lost)
	{
		adopt_edge(tree, row, &evidence);
		if (!row->parsed)
			report_seal(tree, row, "its content is not a seal of this height");
		return false;
	}
	gl_merkle_root(&tree->edge, &root);
	if (any_agrees(&evidence, &root) && row->parsed)
	{
		report_false_evidence(tree, row, &evidence, &root);
		if (!before_ok || !follows)
			report_seal(tree, row, before_ok ? "it names another previous seal than there is"
						: "it names another root than the entries before it have");
		gl_seal_check(tree->verify, row, tree->chained ? previous : NULL);
		tree->verify->sealed_generation = row->seal.generation;
		tree->verify->sealed_by = row->seal.system_identifier;
		return true;
	}
	/* a tile that is not yet full here may be full by now, and then tells which leaf */
	if (tree->at % GL_TILE_WIDTH != 0)
		compare_tile(tree, tree->at);
	report_damage(tree, row, follows, before_ok);
	adopt_edge(tree, row, &evidence);
	return next != NULL && next->parsed && gl_hash_equal(&next->seal.previous_seal, &row->leaf);
}

static void
open_block(GlTree *tree)
{
	tree->block_first = tree->at;
	tree->explained = tree->lost;
	tree->suspects_count = 0;
	tree->rewritten_count = 0;
	tree->has_last = false;
	tree->misfits = 0;
}

/* Begin where the caller's knowledge ends: with the edge of the seal there. */
static void
start_since(GlTree *tree, const GlStoredSeal *row)
{
	GlCheckpointRow checkpoint;
	GlEvidence	evidence;

	gl_checkpoint_of(tree->verify, row, &checkpoint);
	gather_evidence(row, NULL, &checkpoint, &evidence);
	adopt_edge(tree, row, &evidence);
	if (tree->lost)
		report_seal(tree, row, "its column root or right_edge was changed");
}

/* Leaves that no seal covers: it was taken away, or they were put there. */
static void
check_leftovers(GlTree *tree)
{
	GlLeaf		leaf;
	int64		first = GL_NO_LEAF;
	int64		last = GL_NO_LEAF;

	while (gl_leaves_next(tree->leaves, PG_INT64_MAX, &leaf))
	{
		CHECK_FOR_INTERRUPTS();
		if (leaf.index < tree->verify->since)
			continue;
		if (first == GL_NO_LEAF)
			first = leaf.index;
		last = leaf.index;
	}
	if (first != GL_NO_LEAF)
		gl_report_log(tree->verify->report, GL_CHECK_TREE, first, psprintf("leaf %lld", (long long) first),
					  "leaves %lld to %lld lie beyond the newest seal: a seal was taken away, or they were put there",
					  (long long) first, (long long) last);
}

static void
check_block(GlTree *tree, const GlStoredSeal *row, const GlStoredSeal *previous, const GlStoredSeal *next)
{
	GlVerify   *verify = tree->verify;
	int64		height = previous != NULL ? previous->height : 0;
	MemoryContext old = MemoryContextSwitchTo(row->memory);

	if (row->height != height + 1)
	{
		gl_report_log(verify->report, GL_CHECK_SEAL, GL_NO_LEAF, psprintf("seal %lld", (long long) height + 1),
					  "it is gone, and with it all before seal %lld", (long long) row->height);
		lose(tree, tree->at);
		tree->chained = false;
	}
	open_block(tree);
	gl_keys_named(verify->keys, row);
	check_entries(tree, row, previous);
	tree->chained = close_block(tree, row, previous, next);
	tree->blocks++;
	MemoryContextSwitchTo(old);
}

static void
check_blocks(GlTree *tree, const GlStoredSeal *previous)
{
	GlSeals    *seals = gl_seals_open(tree->verify->snapshot, previous != NULL ? previous->height + 1 : PG_INT64_MIN);
	GlStoredSeal *row = gl_seals_next(seals);

	tree->chained = true;
	while (row != NULL)
	{
		GlStoredSeal *next = gl_seals_next(seals);

		check_block(tree, row, previous, next);
		previous = row;
		row = next;
	}
	gl_seals_close(seals);
	check_leftovers(tree);
}

void
gl_tree_check(GlVerify *verify)
{
	GlTree	   *tree = palloc0(sizeof(GlTree));
	GlStoredSeal *start = NULL;

	tree->verify = verify;
	gl_merkle_init(&tree->edge);
	if (verify->since > 0)
	{
		start = gl_seal_before(verify->snapshot, verify->since, verify->memory);
		start_since(tree, start);
	}
	tree->leaves = gl_leaves_open(verify->snapshot, verify->since);
	check_blocks(tree, start);
	gl_leaves_close(tree->leaves);

	gl_report_pass(verify->report, GL_CHECK_TREE, NULL, "log", "%lld blocks, %lld leaves: every root follows from the entries",
				   (long long) tree->blocks, (long long) verify->tree_size);
	gl_report_pass(verify->report, GL_CHECK_SEAL, NULL, "log", "%lld seals form a chain without a gap",
				   (long long) tree->blocks);
}
