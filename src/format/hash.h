/*
 * hash.h
 *		SHA-256, salts, leaves and commitments (README sections 2, 3, 5).
 *
 * Uses OpenSSL's low-level SHA-256: setting up an EVP context per record would
 * double the cost of hashing. Only hash.c and sha256.c do so.
 */
#ifndef GL_FORMAT_HASH_H
#define GL_FORMAT_HASH_H

#include "format/buffer.h"

#define GL_HASH_SIZE 32
#define GL_SALT_SIZE 16
#define GL_SECRET_SIZE 16
#define GL_TAG_SIZE 4

/* numbers of the two salts that are not record salts */
#define GL_SALT_CONTEXT (UINT64_MAX)
#define GL_SALT_RECORD_SECRET (UINT64_MAX - 1)
/* added to the column id for the salt of an old personal value */
#define GL_SALT_OLD_VALUE ((uint32_t) 1 << 31)

typedef struct GlHash
{
	uint8_t		bytes[GL_HASH_SIZE];
} GlHash;

typedef struct GlSalt
{
	uint8_t		bytes[GL_SALT_SIZE];
} GlSalt;

/* SHA-256 of one byte string. */
extern void gl_sha256(const void *data, size_t length, GlHash *hash);
/* SHA-256 of the concatenation of `count` byte strings. */
extern void gl_sha256_parts(const GlBytes *parts, int count, GlHash *hash);

/* salt(secret, number, column), README section 2 */
extern void gl_salt(const uint8_t secret[GL_SECRET_SIZE], uint64_t number, uint32_t column, GlSalt *salt);
/* the record secret that belongs to an entry's secret */
extern void gl_record_secret(const uint8_t secret[GL_SECRET_SIZE], uint8_t record_secret[GL_SECRET_SIZE]);
/* leaf of record `number`, salted from the record secret */
extern void gl_record_leaf(const uint8_t record_secret[GL_SECRET_SIZE], uint64_t number,
						   const void *record, size_t length, GlHash *leaf);
/* leaves of `count` consecutive records from number `first`: faster than one by one */
extern void gl_record_leaves(const uint8_t record_secret[GL_SECRET_SIZE], uint64_t first, const GlBytes *records,
							 size_t count, GlHash *leaves);
/* value == NULL and length 0 with present false for a NULL */
extern void gl_personal_leaf(const GlSalt *salt, uint32_t column_id, bool present,
							 const void *value, size_t length, GlHash *leaf);
extern void gl_context_commitment(const GlSalt *salt, const void *context, size_t length, GlHash *commitment);

static inline bool
gl_hash_equal(const GlHash *a, const GlHash *b)
{
	return memcmp(a->bytes, b->bytes, GL_HASH_SIZE) == 0;
}

#endif
