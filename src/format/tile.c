/*
 * tile.c
 *		C2SP tlog-tiles geometry: where a hash lives and what a tile's path is.
 */
#include <inttypes.h>
#include <stdio.h>

#include "format/merkle.h"
#include "format/tile.h"

#define PATH_SIZE 64

bool
gl_tile_subtree(const uint8_t *hashes, int width, int sublevel, int index, GlHash *node)
{
	GlMerkleEdge edge;
	const uint8_t *first;
	int			i;

	if (width < 0 || width > GL_TILE_WIDTH || sublevel < 0 || sublevel > GL_TILE_HEIGHT ||
		index < 0 || index >= width >> sublevel)
		return false;
	first = hashes + ((size_t) index << sublevel) * GL_HASH_SIZE;
	gl_merkle_init(&edge);
	for (i = 0; i < 1 << sublevel; i++)
	{
		GlHash		hash;

		memcpy(hash.bytes, first + (size_t) i * GL_HASH_SIZE, GL_HASH_SIZE);
		gl_merkle_append(&edge, &hash);
	}
	gl_merkle_root(&edge, node);
	return true;
}

void
gl_tile_root(const uint8_t hashes[GL_TILE_BYTES], GlHash *root)
{
	(void) gl_tile_subtree(hashes, GL_TILE_WIDTH, GL_TILE_HEIGHT, 0, root);
}

int
gl_tile_partial_width(uint64_t size, int level)
{
	if (level < 0 || level > GL_TILE_MAX_LEVEL)
		return 0;
	return (int) (size >> (GL_TILE_HEIGHT * level) & (GL_TILE_WIDTH - 1));
}

int
gl_tile_path(char *path, int level, uint64_t n, int width)
{
	uint64_t	divisor = 1;
	int			length;

	if (level < 0)
		length = snprintf(path, PATH_SIZE, "tile/entries/");
	else
		length = snprintf(path, PATH_SIZE, "tile/%d/", level);

	/* groups of three digits, all but the last with an x before them */
	while (n / divisor >= 1000)
		divisor *= 1000;
	for (; divisor > 1; divisor /= 1000)
		length += snprintf(path + length, (size_t) (PATH_SIZE - length), "x%03u/", (unsigned) (n / divisor % 1000));
	length += snprintf(path + length, (size_t) (PATH_SIZE - length), "%03u", (unsigned) (n % 1000));

	if (width > 0 && width < GL_TILE_WIDTH)
		length += snprintf(path + length, (size_t) (PATH_SIZE - length), ".p/%d", width);
	return length;
}
