/*
 * tile.h
 *		C2SP tlog-tiles geometry: where a hash lives and what a tile's path is.
 */
#ifndef GL_FORMAT_TILE_H
#define GL_FORMAT_TILE_H

#include "format/hash.h"

#define GL_TILE_HEIGHT 8
#define GL_TILE_WIDTH 256
#define GL_TILE_BYTES (GL_TILE_WIDTH * GL_HASH_SIZE)
#define GL_TILE_MAX_LEVEL 7

/* Root of a full tile: the node that the next level holds. */
extern void gl_tile_root(const uint8_t hashes[GL_TILE_BYTES], GlHash *root);
/* Hash of the perfect subtree of 2^sublevel hashes number `index` inside a full or partial tile of `width` hashes. */
extern bool gl_tile_subtree(const uint8_t *hashes, int width, int sublevel, int index, GlHash *node);
/* Number of hashes of level `level` in the partial tile at the right edge for a tree of `size` (0: none). */
extern int	gl_tile_partial_width(uint64_t size, int level);
/* "tile/L/xNNN/NNN" or with ".p/W"; level -1 is "entries". `path` needs 64 bytes. Returns length. */
extern int	gl_tile_path(char *path, int level, uint64_t n, int width);

#endif
