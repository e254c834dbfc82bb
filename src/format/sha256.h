/*
 * sha256.h
 *		The block function of SHA-256 for one message, and for two at once. hash.c is its only caller.
 *
 * The SHA instructions of x86 processors wait for their own results half of the time: a second, independent message fills
 * these gaps and costs next to nothing. Elsewhere two messages are hashed one after the other, by OpenSSL.
 */
#ifndef GL_FORMAT_SHA256_H
#define GL_FORMAT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define GL_SHA256_BLOCK 64

typedef struct GlSha256
{
	uint32_t	h[8];
} GlSha256;

extern void gl_sha256_start(GlSha256 *state);
/* hash `blocks` whole blocks into the state */
extern void gl_sha256_blocks(GlSha256 *state, const uint8_t *data, size_t blocks);
/* the same number of blocks of each of two messages */
extern void gl_sha256_two(GlSha256 *a, const uint8_t *a_data, GlSha256 *b, const uint8_t *b_data, size_t blocks);
/* the digest, once the padding has been hashed */
extern void gl_sha256_digest(const GlSha256 *state, uint8_t digest[32]);

#endif
