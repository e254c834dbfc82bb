/*
 * tree.h
 *		The Merkle tree over the log: appending leaves, and reading any node back.
 *
 * Tiles (256 hashes) are stored only when full; a hash that is in no full tile is computed from what it stands for.
 */
#ifndef GL_SEAL_TREE_H
#define GL_SEAL_TREE_H

#include "core/compat.h"
#include "format/tile.h"
#include "seal/rows.h"

#define GL_TILE_LEVELS (GL_TILE_MAX_LEVEL + 1)

/* --- appending; one writer per process, its hashes kept from block to block --- */

/* Begin after this seal. Under the seal mutex. */
extern void gl_tree_begin(const GlSealRow *seal);
/* Append a leaf; writes each tile that it fills. */
extern void gl_tree_append(const GlHash *leaf);
extern const GlMerkleEdge *gl_tree_edge(void);
/* No more leaves in this transaction: close the tile table. */
extern void gl_tree_end(void);
/* The transaction committed: what is in memory is what is in the tables. */
extern void gl_tree_committed(void);

/* --- reading, between SPI_connect and SPI_finish --- */

/* Hashes of leaves [first, first + count); error if one is nowhere. `origin` is that of the log, and of the newest seal. */
extern void gl_tree_leaves(uint64 first, int count, const char *origin, GlHash *hashes);
/* Hashes [256 n, 256 n + width) of a level, for a log of at least that size. */
extern void gl_tree_tile(int level, uint64 n, int width, uint64 log_size, const char *origin, uint8_t *hashes);

/* Reads nodes of the tree, keeping the tiles it used. */
typedef struct GlTreeReader
{
	uint64		log_size;
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	List	   *tiles;
} GlTreeReader;

extern void gl_tree_reader_init(GlTreeReader *reader, uint64 log_size, const char *origin);
/* A GlMerkleNodeFunction; arg is a GlTreeReader */
extern bool gl_tree_node(void *arg, int level, uint64_t index, GlHash *node);

#endif
