/*
 * sha256.c
 *		The block function of SHA-256; see sha256.h.
 */

/* OpenSSL 3 calls its block function deprecated in favour of EVP, which costs more than a block: see hash.c. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <string.h>

#include "format/buffer.h"
#include "format/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

#define SHA_TARGET __attribute__((target("sha,sse4.1")))

/* What a message is hashed with: the state as the instructions want it, and the last sixteen words of the schedule. */
typedef struct GlShaLane
{
	__m128i		abef;
	__m128i		cdgh;
	__m128i		words[4];
} GlShaLane;

static inline SHA_TARGET void
lane_load(GlShaLane *lane, const GlSha256 *state)
{
	__m128i		badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) &state->h[0]), 0xB1);
	__m128i		hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) &state->h[4]), 0x1B);

	lane->abef = _mm_alignr_epi8(badc, hgfe, 8);
	lane->cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);
}

static inline SHA_TARGET void
lane_store(const GlShaLane *lane, GlSha256 *state)
{
	__m128i		feba = _mm_shuffle_epi32(lane->abef, 0x1B);
	__m128i		dchg = _mm_shuffle_epi32(lane->cdgh, 0xB1);

	_mm_storeu_si128((__m128i *) &state->h[0], _mm_blend_epi16(feba, dchg, 0xF0));
	_mm_storeu_si128((__m128i *) &state->h[4], _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds, number 4 i and on. Unrolled by the caller, so that i is a constant. */
static inline SHA_TARGET void
lane_rounds(GlShaLane *lane, const uint8_t *block, int i)
{
	const		__m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i    *words = lane->words;
	__m128i		next;

	if (i < 4)
		next = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) (block + 16 * i)), big_endian);
	else
	{
		next = _mm_add_epi32(_mm_sha256msg1_epu32(words[i % 4], words[(i + 1) % 4]),
							 _mm_alignr_epi8(words[(i + 3) % 4], words[(i + 2) % 4], 4));
		next = _mm_sha256msg2_epu32(next, words[(i + 3) % 4]);
	}
	words[i % 4] = next;
	next = _mm_add_epi32(next, _mm_loadu_si128((const __m128i *) &round_constants[4 * i]));
	lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, next);
	lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(next, 0x0E));
}

static SHA_TARGET void
two_by_instructions(GlSha256 *a, const uint8_t *a_data, GlSha256 *b, const uint8_t *b_data, size_t blocks)
{
	GlShaLane		x;
	GlShaLane		y;
	int			i;

	lane_load(&x, a);
	lane_load(&y, b);
	for (; blocks > 0; blocks--)
	{
		__m128i		before[4] = {x.abef, x.cdgh, y.abef, y.cdgh};

#pragma GCC unroll 16
		for (i = 0; i < 16; i++)
		{
			lane_rounds(&x, a_data, i);
			lane_rounds(&y, b_data, i);
		}
		x.abef = _mm_add_epi32(x.abef, before[0]);
		x.cdgh = _mm_add_epi32(x.cdgh, before[1]);
		y.abef = _mm_add_epi32(y.abef, before[2]);
		y.cdgh = _mm_add_epi32(y.cdgh, before[3]);
		a_data += GL_SHA256_BLOCK;
		b_data += GL_SHA256_BLOCK;
	}
	lane_store(&x, a);
	lane_store(&y, b);
}

/* SSSE3, SSE4.1 and the SHA extensions */
static bool
has_instructions(void)
{
	static int	known = -1;
	unsigned	eax;
	unsigned	ebx;
	unsigned	ecx;
	unsigned	edx;

	if (known < 0)
	{
		known = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSSE3) && (ecx & bit_SSE4_1) &&
			__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
	}
	return known == 1;
}
#else
static bool
has_instructions(void)
{
	return false;
}

static void
two_by_instructions(GlSha256 *a, const uint8_t *a_data, GlSha256 *b, const uint8_t *b_data, size_t blocks)
{
}
#endif

void
gl_sha256_start(GlSha256 *state)
{
	static const GlSha256 start = {{
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
	}};

	*state = start;
}

void
gl_sha256_blocks(GlSha256 *state, const uint8_t *data, size_t blocks)
{
	SHA256_CTX	context;

	memcpy(context.h, state->h, sizeof(state->h));
	for (; blocks > 0; blocks--, data += GL_SHA256_BLOCK)
		SHA256_Transform(&context, data);
	memcpy(state->h, context.h, sizeof(state->h));
}

void
gl_sha256_two(GlSha256 *a, const uint8_t *a_data, GlSha256 *b, const uint8_t *b_data, size_t blocks)
{
	if (has_instructions())
	{
		two_by_instructions(a, a_data, b, b_data, blocks);
		return;
	}
	gl_sha256_blocks(a, a_data, blocks);
	gl_sha256_blocks(b, b_data, blocks);
}

void
gl_sha256_digest(const GlSha256 *state, uint8_t digest[32])
{
	int			i;

	for (i = 0; i < 8; i++)
	{
		digest[4 * i] = (uint8_t) (state->h[i] >> 24);
		digest[4 * i + 1] = (uint8_t) (state->h[i] >> 16);
		digest[4 * i + 2] = (uint8_t) (state->h[i] >> 8);
		digest[4 * i + 3] = (uint8_t) state->h[i];
	}
}
