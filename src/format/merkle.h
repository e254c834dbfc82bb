/*
 * merkle.h
 *		The Merkle tree of RFC 6962 section 2.1: incremental root and proofs.
 */
#ifndef GL_FORMAT_MERKLE_H
#define GL_FORMAT_MERKLE_H

#include "format/hash.h"

#define GL_MERKLE_MAX_LEVELS 64

/*
 * The right edge: roots of the perfect subtrees of a tree of `size` leaves, largest
 * first; there are popcount(size) of them. This is all that is needed to append
 * and to tell the root, and a copy of it is a savepoint.
 */
typedef struct GlMerkleEdge
{
	uint64_t	size;
	int			count;
	GlHash		nodes[GL_MERKLE_MAX_LEVELS];
} GlMerkleEdge;

extern void gl_merkle_leaf(const void *data, size_t length, GlHash *leaf);
extern void gl_merkle_node(const GlHash *left, const GlHash *right, GlHash *node);

/* Replace 2 * count nodes of one level by their count parents, in place. */
extern void gl_merkle_level(GlHash *nodes, size_t count);

extern void gl_merkle_init(GlMerkleEdge *edge);
/* copy only what is in use */
extern void gl_merkle_copy(GlMerkleEdge *to, const GlMerkleEdge *from);
extern void gl_merkle_append(GlMerkleEdge *edge, const GlHash *leaf);
/* the same for many, and faster; overwrites the leaves */
extern void gl_merkle_append_leaves(GlMerkleEdge *edge, GlHash *leaves, size_t count);
/* root of the tree; of the empty tree SHA256("") */
extern void gl_merkle_root(const GlMerkleEdge *edge, GlHash *root);

/*
 * Serialised edge: count x 32 bytes, largest subtree first; the size is kept beside it.
 * Reading fails unless length == popcount(size) * 32.
 */
extern void gl_merkle_edge_write(const GlMerkleEdge *edge, GlBuffer *out);
extern bool gl_merkle_edge_read(GlMerkleEdge *edge, uint64_t size, const void *data, size_t length);

/* RFC 9162 2.1.3.2: is leaf `index` of the tree (size, root)? Strict about the length of the path. */
extern bool gl_merkle_verify_inclusion(uint64_t index, uint64_t size, const GlHash *leaf,
									   const GlHash *path, int path_length, const GlHash *root);
/* RFC 9162 2.1.4.2: is tree (old_size, old_root) a prefix of (size, root)? False for old_size 0. */
extern bool gl_merkle_verify_consistency(uint64_t old_size, uint64_t size, const GlHash *path, int path_length,
										 const GlHash *old_root, const GlHash *root);

/*
 * Proof generation. The callback gives the hash of the perfect subtree at
 * (level, index), covering leaves [index << level, (index + 1) << level); it returns false if it cannot, and the
 * generator then returns -1. `path` needs room for 64 (inclusion) or 65 (consistency)
 * hashes; the result is the number written.
 */
typedef bool (*GlMerkleNodeFunction) (void *arg, int level, uint64_t index, GlHash *node);
extern int	gl_merkle_prove_inclusion(uint64_t index, uint64_t size, GlMerkleNodeFunction node, void *arg,
									  GlHash *path);
extern int	gl_merkle_prove_consistency(uint64_t old_size, uint64_t size, GlMerkleNodeFunction node, void *arg,
										GlHash *path);
/* root of any prefix of the tree */
extern bool gl_merkle_prefix_root(uint64_t size, GlMerkleNodeFunction node, void *arg, GlHash *root);

#endif
