/*
 * merkle.c
 *		The Merkle tree of RFC 6962 section 2.1: incremental root and proofs.
 */
#include "format/merkle.h"

void
gl_merkle_init(GlMerkleEdge *edge)
{
	edge->size = 0;
	edge->count = 0;
}

void
gl_merkle_copy(GlMerkleEdge *to, const GlMerkleEdge *from)
{
	to->size = from->size;
	to->count = from->count;
	memcpy(to->nodes, from->nodes, (size_t) from->count * sizeof(GlHash));
}

/* Append a perfect subtree of `leaves` leaves, a power of two that divides the size. */
static void
append_subtree(GlMerkleEdge *edge, uint64_t leaves, const GlHash *root)
{
	GlHash		node = *root;
	uint64_t	rest;

	/* every one bit at the low end is a perfect subtree as large as the one in hand */
	for (rest = edge->size / leaves; rest & 1; rest >>= 1)
		gl_merkle_node(&edge->nodes[--edge->count], &node, &node);
	edge->nodes[edge->count++] = node;
	edge->size += leaves;
}

void
gl_merkle_append(GlMerkleEdge *edge, const GlHash *leaf)
{
	append_subtree(edge, 1, leaf);
}

void
gl_merkle_append_leaves(GlMerkleEdge *edge, GlHash *leaves, size_t count)
{
	while (count > 0)
	{
		size_t		run = 1;
		size_t		level;

		while (run * 2 <= count && (edge->size & (run * 2 - 1)) == 0)
			run *= 2;
		for (level = run / 2; level > 0; level /= 2)
			gl_merkle_level(leaves, level);
		append_subtree(edge, run, &leaves[0]);
		leaves += run;
		count -= run;
	}
}

void
gl_merkle_root(const GlMerkleEdge *edge, GlHash *root)
{
	int			i;

	if (edge->count == 0)
	{
		gl_sha256("", 0, root);
		return;
	}
	*root = edge->nodes[edge->count - 1];
	for (i = edge->count - 2; i >= 0; i--)
		gl_merkle_node(&edge->nodes[i], root, root);
}

void
gl_merkle_edge_write(const GlMerkleEdge *edge, GlBuffer *out)
{
	gl_buffer_append(out, edge->nodes, (size_t) edge->count * sizeof(GlHash));
}

bool
gl_merkle_edge_read(GlMerkleEdge *edge, uint64_t size, const void *data, size_t length)
{
	int			count = __builtin_popcountll(size);

	if (length != (size_t) count * sizeof(GlHash))
		return false;
	edge->size = size;
	edge->count = count;
	if (length > 0)
		memcpy(edge->nodes, data, length);
	return true;
}

bool
gl_merkle_verify_inclusion(uint64_t index, uint64_t size, const GlHash *leaf,
						   const GlHash *path, int path_length, const GlHash *root)
{
	uint64_t	fn = index;
	uint64_t	sn = size - 1;
	GlHash		hash = *leaf;
	int			i;

	if (index >= size || path_length < 0)
		return false;
	for (i = 0; i < path_length; i++)
	{
		/* already at the root: the path is too long */
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn)
		{
			gl_merkle_node(&path[i], &hash, &hash);
			while (!(fn & 1) && fn != 0)
			{
				fn >>= 1;
				sn >>= 1;
			}
		}
		else
			gl_merkle_node(&hash, &path[i], &hash);
		fn >>= 1;
		sn >>= 1;
	}
	/* sn > 0: the path is too short */
	return sn == 0 && gl_hash_equal(&hash, root);
}

/* The part of the consistency check after the first hash, which both trees start from. */
static bool
verify_consistency_tail(uint64_t old_size, uint64_t size, const GlHash *first, const GlHash *path, int path_length,
						const GlHash *old_root, const GlHash *root)
{
	uint64_t	fn = old_size - 1;
	uint64_t	sn = size - 1;
	GlHash		old_hash = *first;
	GlHash		hash = *first;
	int			i;

	while (fn & 1)
	{
		fn >>= 1;
		sn >>= 1;
	}
	for (i = 0; i < path_length; i++)
	{
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn)
		{
			gl_merkle_node(&path[i], &old_hash, &old_hash);
			gl_merkle_node(&path[i], &hash, &hash);
			while (!(fn & 1) && fn != 0)
			{
				fn >>= 1;
				sn >>= 1;
			}
		}
		else
			gl_merkle_node(&hash, &path[i], &hash);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && gl_hash_equal(&old_hash, old_root) && gl_hash_equal(&hash, root);
}

bool
gl_merkle_verify_consistency(uint64_t old_size, uint64_t size, const GlHash *path, int path_length,
							 const GlHash *old_root, const GlHash *root)
{
	/* an empty tree is a prefix of everything: a proof from it would prove nothing */
	if (old_size == 0 || old_size > size)
		return false;
	if (old_size == size)
		return path_length == 0 && gl_hash_equal(old_root, root);
	if (path_length <= 0)
		return false;
	/* the old tree is itself a node of the new one, so the proof leaves it out */
	if ((old_size & (old_size - 1)) == 0)
		return verify_consistency_tail(old_size, size, old_root, path, path_length, old_root, root);
	return verify_consistency_tail(old_size, size, &path[0], path + 1, path_length - 1, old_root, root);
}

/*
 * Root of the leaves [start, end), where start is a multiple of a power of two that is
 * not below end - start (true of every range that RFC 6962 splits off). Fold the perfect
 * subtrees from the right, the smallest first.
 */
static bool
range_root(uint64_t start, uint64_t end, GlMerkleNodeFunction node, void *arg, GlHash *root)
{
	uint64_t	size = end - start;
	bool		first = true;
	int			level;

	for (level = 0; level < GL_MERKLE_MAX_LEVELS && size >> level != 0; level++)
	{
		GlHash		hash;

		if (!(size >> level & 1))
			continue;
		end -= (uint64_t) 1 << level;
		if (!node(arg, level, end >> level, &hash))
			return false;
		if (first)
			*root = hash;
		else
			gl_merkle_node(&hash, root, root);
		first = false;
	}
	return true;
}

/* The largest power of two below n; n > 1. */
static uint64_t
split_point(uint64_t n)
{
	return (uint64_t) 1 << (63 - __builtin_clzll(n - 1));
}

/* Proofs are found from the root downwards and written from the leaf upwards. */
static void
reverse(GlHash *path, int count)
{
	int			i;

	for (i = 0; i < count / 2; i++)
	{
		GlHash		swap = path[i];

		path[i] = path[count - 1 - i];
		path[count - 1 - i] = swap;
	}
}

int
gl_merkle_prove_inclusion(uint64_t index, uint64_t size, GlMerkleNodeFunction node, void *arg, GlHash *path)
{
	uint64_t	start = 0;
	uint64_t	end = size;
	int			count = 0;

	if (index >= size)
		return -1;
	while (end - start > 1)
	{
		uint64_t	middle = start + split_point(end - start);
		bool		ok;

		if (index < middle)
		{
			ok = range_root(middle, end, node, arg, &path[count++]);
			end = middle;
		}
		else
		{
			ok = range_root(start, middle, node, arg, &path[count++]);
			start = middle;
		}
		if (!ok)
			return -1;
	}
	reverse(path, count);
	return count;
}

int
gl_merkle_prove_consistency(uint64_t old_size, uint64_t size, GlMerkleNodeFunction node, void *arg, GlHash *path)
{
	uint64_t	start = 0;
	uint64_t	end = size;
	int			count = 0;

	if (old_size == 0 || old_size > size)
		return -1;
	while (end != old_size)
	{
		uint64_t	middle = start + split_point(end - start);
		bool		ok;

		if (old_size <= middle)
		{
			ok = range_root(middle, end, node, arg, &path[count++]);
			end = middle;
		}
		else
		{
			ok = range_root(start, middle, node, arg, &path[count++]);
			start = middle;
		}
		if (!ok)
			return -1;
	}
	/* what is left of the old tree; the verifier knows it if it is the whole old tree */
	if (start > 0 && !range_root(start, end, node, arg, &path[count++]))
		return -1;
	reverse(path, count);
	return count;
}

bool
gl_merkle_prefix_root(uint64_t size, GlMerkleNodeFunction node, void *arg, GlHash *root)
{
	if (size == 0)
	{
		gl_sha256("", 0, root);
		return true;
	}
	return range_root(0, size, node, arg, root);
}
